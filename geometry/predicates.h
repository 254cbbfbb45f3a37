/* predicates.h - which side of a line, inside or outside a circle, decided exactly.
 *
 * A filter answers when rounding cannot matter; otherwise the sign is computed without rounding.
 * Exact for inputs whose products neither overflow nor underflow: coordinates of any scan.
 *
 * Source  Shewchuk 1997, "Adaptive precision floating-point arithmetic and fast robust geometric
 *         predicates": the error bounds and the expansions.
 *
 * May include: nothing of ours.
 */
#ifndef ST_GEOMETRY_PREDICATES_H
#define ST_GEOMETRY_PREDICATES_H

/* +1 when a, b, c turn left (counter-clockwise), -1 when they turn right, 0 on one line. */
int st_orient2d(const double a[2], const double b[2], const double c[2]);

/* For a, b, c counter-clockwise: +1 when d lies inside their circle, -1 outside, 0 on it. */
int st_incircle(const double a[2], const double b[2], const double c[2], const double d[2]);

#endif
