/* delaunay.h - the Delaunay triangulation of points in the plane.
 *
 * Written for the floors of scans: tens of thousands of points, many of them on the lines and
 * circles of a regular grid. Signs are exact (predicates.h), so neither shifts a triangle out of
 * place. Qhull's triangulation (hull.h) takes eight to ten times as long (tests/bench/LOG.md); it
 * judges this one in the tests.
 *
 * May include: kernels/base.
 */
#ifndef ST_GEOMETRY_DELAUNAY_H
#define ST_GEOMETRY_DELAUNAY_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

#define ST_NO_TRIANGLE UINT32_MAX

typedef struct st_delaunay {
    double (*xy_m)[2];          /* (N,2) the distinct points, by x, then y                      */
    uint32_t (*triangles)[3];   /* (M,3) counter-clockwise                                      */
    uint32_t (*across)[3];      /* (M,3) the neighbour opposite corner k, or ST_NO_TRIANGLE     */
    size_t    point_count, triangle_count;
} st_delaunay;

/* Triangulate; the result lives in the arena. Repeated points count once. Fewer than three distinct
 * points, or points all on one line, give no triangles and success. Of several triangulations of
 * points on one circle one is chosen, whatever the order of the input.
 *
 *   xy_m  (N,2)      n  0 .. ST_POINTS_MAX
 *
 * Fails   ST_ERR_USAGE n out of range; ST_ERR_NUMERIC a point is not finite or beyond
 *         ST_COORDINATE_M_MAX, with its index; ST_ERR_MEMORY.
 * Source  Bowyer 1981 and Watson 1981 (insertion); Amenta, Choi, Rote 2003 (its order).
 */
ST_CHECKED st_status st_delaunay_build(st_delaunay *delaunay, st_arena *arena,
                                       const double (*xy_m)[2], size_t n);

#endif
