/* fit.h - boxes around points: true to gravity, of least volume, along the principal axes.
 *
 * Every fit takes at least one finite point and always gives a box: points that are all equal, on
 * one line or in one plane give a box with sides clamped to 5 mm (data.md 8.4.4), and `shape` says
 * so. The order of the points does not matter, down to the last bit.
 *
 * May include: kernels/base, box.h.
 */
#ifndef ST_GEOMETRY_FIT_H
#define ST_GEOMETRY_FIT_H

#include "geometry/box.h"
#include "kernels/base/arena.h"
#include "kernels/base/status.h"

/* A side of a box is never shorter than this: a mirror, a sheet of paper. */
#define ST_SIDE_M_MIN 0.005

typedef enum st_shape {
    ST_SHAPE_SOLID,
    ST_SHAPE_PLANE,     /* smallest spread below 1e-6 of the largest */
    ST_SHAPE_LINE,
    ST_SHAPE_POINT
} st_shape;

typedef struct st_fit {
    st_obb   box;
    st_shape shape;
    bool     thin;              /* a side was clamped */
} st_fit;

/* Least box with axis[2] = +Z: the floor rectangle is the least-area one. Axis 0 is the longer
 * horizontal side with a yaw in (-90,90] degrees; sides within 0.1 mm: the smaller |yaw|
 * (data.md 8.4.2, 3.7).
 *
 *   points_m  (N,3)      n  1 .. ST_POINTS_MAX
 *
 * Fails   ST_ERR_USAGE n out of range; ST_ERR_NUMERIC a point is not finite or beyond
 *         ST_COORDINATE_M_MAX, with its index; ST_ERR_MEMORY.
 * Source  Freeman and Shapira 1975 (an edge of the hull lies on the rectangle).
 */
ST_CHECKED st_status st_fit_upright(st_fit *fit, st_arena *scratch, const double (*points_m)[3],
                                    size_t n);

/* The box that Open3D up to 0.18 calls minimal: one frame per hull triangle, from its first edge
 * and its normal; least volume, first wins (data.md 8.4.1). Depends on the hull's triangulation of
 * flat faces; ours triangulates in a stated order.
 *
 * Fails   as above.
 */
ST_CHECKED st_status st_fit_facet(st_fit *fit, st_arena *scratch, const double (*points_m)[3],
                                  size_t n);

/* Near-minimal volume: the best of all three edges of every hull triangle, of the upright and of
 * the principal box, then a seeded local search over rotations (data.md 8.4.3). Within 2 percent
 * of the optimum on real objects, never above the boxes it starts from.
 *
 * Fails   as above.
 */
ST_CHECKED st_status st_fit_minimal(st_fit *fit, st_arena *scratch, const double (*points_m)[3],
                                    size_t n, uint64_t seed);

/* Box along the eigenvectors of the covariance of the hull's corners (LAPACK dsyev); axis 0 has
 * the largest variance, each axis points to its largest component's positive side.
 *
 * Fails   as above.
 */
ST_CHECKED st_status st_fit_principal(st_fit *fit, st_arena *scratch, const double (*points_m)[3],
                                      size_t n);

/* --- before fitting: one object or several? (data.md 3.5) --- */

typedef struct st_clusters {
    uint32_t *cluster;          /* (N) 0 is the largest, then by size; ties by first point */
    size_t   *size;             /* (C) points */
    size_t    count;            /* C */
} st_clusters;

/* Points in the same or touching 5 cm voxels (26 neighbours) belong together. Lives in the arena.
 *
 * Fails   ST_ERR_USAGE, ST_ERR_NUMERIC as above; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_clusters_find(st_clusters *clusters, st_arena *arena,
                                      const double (*points_m)[3], size_t n);

typedef struct st_trim {
    uint32_t *kept;             /* (K) indices of the points to fit, rising */
    size_t    kept_count;
    bool      trimmed;          /* small far clusters were left out                  */
    bool      scattered;        /* the largest cluster holds less than 70 % of points */
} st_trim;

/* Leave out clusters with < 2 % of the points that lie > 0.3 m from the largest one. */
ST_CHECKED st_status st_trim_strays(st_trim *trim, st_arena *arena, const double (*points_m)[3],
                                    size_t n);

#endif
