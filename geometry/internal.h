/* internal.h - what the files of this room share; nobody else includes it.
 *
 * May include: kernels/base.
 */
#ifndef STI_GEOMETRY_INTERNAL_H
#define STI_GEOMETRY_INTERNAL_H

#include "geometry/mesh.h"

#include <math.h>
#include <stddef.h>

#define STI_PI 3.14159265358979323846

static inline double sti_dot(const double a[3], const double b[3])
{
    return (a[0] * b[0] + a[1] * b[1]) + a[2] * b[2];
}

static inline void sti_cross(double out[3], const double a[3], const double b[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static inline double sti_length(const double a[3])
{
    return sqrt(sti_dot(a, a));
}

static inline double sti_clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Signed volume of the unit cube under the three rows: +1 for a right-handed frame. */
static inline double sti_determinant(const double row[3][3])
{
    double across[3];
    sti_cross(across, row[0], row[1]);
    return sti_dot(across, row[2]);
}

/* Sort (N,2) or (N,3) finite rows lexicographically and drop repeats; returns how many are left.
 * A row that holds -0 and one that holds 0 there are equal: which one stays is not said. */
size_t sti_sort_distinct(double *rows, size_t n, int width);

/* A sorted copy of points (N,3) without repeats, in the arena; -0 becomes 0 before.
 *
 * Fails   ST_ERR_NUMERIC a point is not finite or beyond ST_COORDINATE_M_MAX; ST_ERR_MEMORY.
 */
ST_CHECKED st_status sti_points_distinct(double (**points)[3], size_t *count, st_arena *arena,
                                         const double (*points_m)[3], size_t n);

/* Convex hull in the plane (Andrew's monotone chain): the points are sorted in place, and the
 * first `return` of them become the hull, counter-clockwise from the lexicographically smallest,
 * without collinear or repeated corners. One point gives 1, points on a line give 2.
 *
 *   xy  (N,2) finite     spare  (2N,2) working space
 */
size_t sti_hull_xy(double (*xy)[2], size_t n, double (*spare)[2]);

/* The least-area rectangle around a convex polygon, one side flush with an edge. */
typedef struct sti_rectangle {
    double turn_rad;            /* from +X to the first side, in (-pi/4, pi/4]   */
    double min_m[2], max_m[2];  /* extents along the turned X and the turned Y   */
    double area_m2;
} sti_rectangle;

/* Areas within 1e-9 of the least count as equal; then the smallest |turn| wins, then the positive
 * one (data.md 8.4.2).
 *
 *   hull  (N,2) as sti_hull_xy leaves it, n >= 2
 */
sti_rectangle sti_least_rectangle(const double (*hull)[2], size_t n);

/* --- files --- */

/* The bytes behind st_mesh_read for formats that are not PLY; `path` is for the sentence and for
 * the files that a format keeps beside it. */
ST_CHECKED st_status sti_mesh_read_other(st_mesh *mesh, st_arena *arena, const char *path);

#endif
