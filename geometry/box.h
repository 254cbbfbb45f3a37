/* box.h - oriented boxes: corners, distances, overlaps, angles between them.
 *
 * All of it works on boxes alone; boxes are fitted to points in fit.h. Functions without a status
 * cannot fail on a valid box (finite, unit axes, half extents >= 0).
 *
 * May include: kernels/base.
 */
#ifndef ST_GEOMETRY_BOX_H
#define ST_GEOMETRY_BOX_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

/* An oriented box. Corner i lies on the + side of axis k when bit k of i is set:
 *
 *              6--------7
 *             /|       /|          axis 2   axis 1
 *            4--------5 |             |   /
 *            | 2------|-3             |  /
 *            |/       |/              | /
 *            0--------1               o------ axis 0
 */
typedef struct st_obb {
    double center_m[3];
    double axis[3][3];          /* axis[k] is a unit vector; determinant +1 */
    double half_m[3];           /* half extents along axis[0..2], all >= 0  */
} st_obb;

/* Check a box as it comes from outside, and mend what may be mended: axes that are orthonormal
 * within 1e-2 are made orthonormal, negative lengths lose their sign, determinant -1 negates the
 * axis of the smallest side (data.md E-30, 8.11).
 *
 *   size_m  (3) full side lengths      axes (3,3) rows are the axes
 *
 * Fails   ST_ERR_NUMERIC not finite, or beyond ST_COORDINATE_M_MAX; ST_ERR_DATA axes too far from
 *         orthonormal, with the worst error.
 */
ST_CHECKED st_status st_obb_from_parts(st_obb *box, const double center_m[3],
                                       const double size_m[3], const double axes[9]);

void   st_obb_corners(double corners_m[8][3], const st_obb *box);
void   st_obb_bounds(double min_m[3], double max_m[3], const st_obb *box);
double st_obb_longest_side(const st_obb *box);              /* metres, full length   */
double st_obb_shortest_side(const st_obb *box);
double st_obb_volume(const st_obb *box);                    /* cubic metres          */

/* Angle between gravity and the box axis nearest to it, degrees in [0, 54.8]. */
double st_obb_tilt_deg(const st_obb *box);

/* Point in solid box, each half extent grown by `margin_m` (data.md 8.7). */
bool st_obb_contains(const st_obb *box, const double point_m[3], double margin_m);

double st_obb_point_distance(const st_obb *box, const double point_m[3]);   /* 0 inside */

/* Exact distance between two solid boxes; 0 when they touch or overlap (data.md 8.5). */
double st_obb_distance(const st_obb *a, const st_obb *b);

/* The benchmark's sampled distance, with its floating-point crop (data.md 8.6): for reproduction.
 * Scratch memory is taken from the arena and given back.
 *
 * Fails   ST_ERR_MEMORY; ST_ERR_LIMIT when a box needs more than ten million samples.
 */
ST_CHECKED st_status st_obb_distance_sampled(double *distance_m, st_arena *scratch,
                                             const st_obb *a, const st_obb *b);

/* Volume of the intersection over volume of the union, in [0,1]. */
double st_obb_overlap(const st_obb *a, const st_obb *b);

/* --- seen from above --- */

/* A convex polygon in the floor plane, counter-clockwise. A footprint has at most 8 corners, an
 * intersection of two at most 16. */
typedef struct st_footprint {
    double xy_m[16][2];
    int    count;
} st_footprint;

st_footprint st_obb_footprint(const st_obb *box);
double       st_footprint_area(const st_footprint *f);
st_footprint st_footprint_intersection(const st_footprint *a, const st_footprint *b);
double       st_footprint_distance(const st_footprint *a, const st_footprint *b);
double       st_footprint_point_distance(const st_footprint *f, double x_m, double y_m);

/* Longest side of the least-area rectangle around the footprint. */
double st_footprint_longest_side(const st_footprint *f);

/* Bearing of `target` for someone who stands at `from` and faces `facing`, all seen from above:
 * degrees in [0,360), counter-clockwise, 0 straight ahead (data.md 5.7).
 *
 * Fails   ST_ERR_NUMERIC two of the points coincide seen from above.
 */
ST_CHECKED st_status st_bearing_deg(double *bearing_deg, const double from_m[2],
                                    const double facing_m[2], const double target_m[2]);

#endif
