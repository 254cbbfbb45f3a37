/* kdtree.h - the nearest of many points.
 *
 * Distances are computed as ((dx^2 + dy^2) + dz^2) in doubles, and pruning never rounds the other
 * way, so the answer is the very double that a search of all pairs finds.
 *
 * May include: kernels/base.
 */
#ifndef ST_GEOMETRY_KDTREE_H
#define ST_GEOMETRY_KDTREE_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

typedef struct st_kdnode st_kdnode;

typedef struct st_kdtree {
    const st_kdnode *nodes;
    const double (*points_m)[3];        /* (N,3) copied, in the order of the leaves */
    const uint32_t *index;              /* (N) where each stood in the input        */
    size_t          count;
} st_kdtree;

/* Build over finite points; the tree lives in the arena.
 *
 *   points_m  (N,3)      n  1 .. ST_POINTS_MAX
 *
 * Fails   ST_ERR_USAGE n out of range; ST_ERR_NUMERIC a point is not finite; ST_ERR_MEMORY.
 * Source  Bentley 1975.
 */
ST_CHECKED st_status st_kdtree_build(st_kdtree *tree, st_arena *arena, const double (*points_m)[3],
                                     size_t n);

/* The nearest point that is closer than *square_m2: then *square_m2 becomes its squared distance
 * and its input index is returned; otherwise the tree's count. Of equally near points the one with
 * the lowest index is found. */
size_t st_kdtree_nearest(const st_kdtree *tree, const double point_m[3], double *square_m2);

#endif
