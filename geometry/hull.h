/* hull.h - convex hulls in space, by Qhull.
 *
 * Qhull leaves by longjmp when its input does not please it; hull.c is where that becomes a
 * sentence. Any number of threads may build hulls at once.
 *
 * May include: kernels/base, delaunay.h.
 */
#ifndef ST_GEOMETRY_HULL_H
#define ST_GEOMETRY_HULL_H

#include "geometry/delaunay.h"
#include "kernels/base/arena.h"
#include "kernels/base/status.h"

typedef struct st_hull {
    double (*points_m)[3];      /* (V,3) the corners, by x, then y, then z                     */
    uint32_t (*triangles)[3];   /* (M,3) counter-clockwise from outside; smallest corner first,
                                   sorted, so that the list does not depend on Qhull's own order */
    size_t    point_count, triangle_count;
} st_hull;

/* Convex hull of points in space; it lives in the arena. Repeated points count once; the order of
 * the points does not matter.
 *
 *   points_m  (N,3)      n  4 .. ST_POINTS_MAX
 *
 * Fails   ST_ERR_USAGE n out of range; ST_ERR_NUMERIC a point is not finite or beyond
 *         ST_COORDINATE_M_MAX, or the points are flat, in Qhull's words; ST_ERR_MEMORY.
 * Source  Barber, Dobkin, Huhdanpaa 1996 (Quickhull).
 */
ST_CHECKED st_status st_hull_build(st_hull *hull, st_arena *arena, const double (*points_m)[3],
                                   size_t n);

/* What st_delaunay_build does, by Qhull (options of data.md 8.2): the twin that judges it. Points
 * on one circle may be cut into other triangles; slivers of no area may appear.
 *
 * Twins   delaunay.c (the one that runs), hull.c
 * Fails   as st_hull_build; points on one line are ST_ERR_NUMERIC.
 */
ST_CHECKED st_status st_hull_delaunay(st_delaunay *delaunay, st_arena *arena,
                                      const double (*xy_m)[2], size_t n);

#endif
