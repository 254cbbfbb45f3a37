/* prove_plain.h - the geometry of prove, written out the long way.
 *
 * The generator asks geometry/box.h; a proof that asked the same functions would repeat their
 * mistakes. Here every step is spelled out from corners and edges, other methods are used where
 * there are any, and speed does not matter.
 *
 * May include: geometry (types only).
 */
#ifndef STI_PROVE_PLAIN_H
#define STI_PROVE_PLAIN_H

#include "geometry/box.h"

/* The eight corners, lowest signs first. */
void sti_plain_corners(double corners_m[8][3], const st_obb *box);

double sti_plain_longest_side(const st_obb *box);

/* Distance between two solid boxes and the points where it is reached; 0 and a common point when
 * they touch or overlap. */
double sti_plain_distance(double on_a_m[3], double on_b_m[3], const st_obb *a, const st_obb *b);

/* The outline of a box seen from above, counter-clockwise; returns the number of corners, 3 to 8.
 * Corners closer than 1 nm count once. */
int sti_plain_outline(double xy_m[8][2], const st_obb *box);

/* Longest side of the least rectangle around an outline. */
double sti_plain_rectangle_side(const double xy_m[8][2], int count);

/* Turn from the direction of `facing` to that of `target`, both seen from `from`: degrees in
 * [0,360), counter-clockwise. -1 when a point coincides with `from`. */
double sti_plain_turn_deg(const double from_m[2], const double facing_m[2],
                          const double target_m[2]);

/* Where one may stand beside an outline to face a point: the middles of its nearest sides. */
int sti_plain_stands(double xy_m[8][2], const double outline_m[8][2], int count,
                     const double facing_m[2]);

#endif
