/* clusters.c - one object or several: voxels that touch, and the strays beside the main cluster. */
#include "geometry/fit.h"

#include "geometry/kdtree.h"
#include "kernels/base/limits.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double VOXEL_M = 0.05, STRAY_SHARE = 0.02, STRAY_M = 0.3, MAIN_SHARE = 0.7;

/* Voxels by open addressing: a slot holds 1 + the voxel's index. */
typedef struct voxels {
    int32_t (*at)[3];
    uint32_t *table;
    size_t    slots, count;
} voxels;

static size_t find_slot(const voxels *v, const int32_t at[3])
{
    uint64_t mixed = (uint32_t)at[0] * UINT64_C(0x9E3779B97F4A7C15);
    mixed ^= (uint32_t)at[1] * UINT64_C(0xC2B2AE3D27D4EB4F);
    mixed ^= (uint32_t)at[2] * UINT64_C(0x165667B19E3779F9);
    size_t slot = (size_t)(mixed ^ mixed >> 29) & (v->slots - 1);
    while (v->table[slot] != 0 && memcmp(v->at[v->table[slot] - 1], at, sizeof *v->at) != 0)
        slot = (slot + 1) & (v->slots - 1);
    return slot;
}

/* The voxel of every point; coordinates within 100 km fit 32 bits. */
static st_status fill_voxels(voxels *v, uint32_t **voxel_of, st_arena *arena,
                             const double (*points_m)[3], size_t n)
{
    *v = (voxels){.slots = 16};
    while (v->slots < 2 * n)
        v->slots *= 2;
    ST_TRY(ST_ALLOC(arena, &v->at, n));
    ST_TRY(ST_ALLOC(arena, &v->table, v->slots));
    ST_TRY(ST_ALLOC(arena, voxel_of, n));
    for (size_t i = 0; i < n; i++) {
        int32_t at[3];
        for (int k = 0; k < 3; k++) {
            if (!(fabs(points_m[i][k]) <= ST_COORDINATE_M_MAX))
                return ST_FAIL(ST_ERR_NUMERIC,
                               "point %zu must be finite and within 100 km, is (%g, %g, %g)", i,
                               points_m[i][0], points_m[i][1], points_m[i][2]);
            at[k] = (int32_t)floor(points_m[i][k] / VOXEL_M);
        }
        const size_t slot = find_slot(v, at);
        if (v->table[slot] == 0) {
            memcpy(v->at[v->count], at, sizeof at);
            v->table[slot] = (uint32_t)++v->count;
        }
        (*voxel_of)[i] = v->table[slot] - 1;
    }
    return st_ok();
}

/* Number the connected groups of voxels in the order of their first voxel. */
static size_t group_voxels(uint32_t *group, uint32_t *queue, const voxels *v)
{
    size_t groups = 0;
    memset(group, 0xff, v->count * sizeof *group);
    for (size_t first = 0; first < v->count; first++) {
        if (group[first] != UINT32_MAX)
            continue;
        size_t count = 0;
        queue[count++] = (uint32_t)first;
        group[first] = (uint32_t)groups;
        for (size_t q = 0; q < count; q++)
            for (int n = 0; n < 27; n++) {
                const int32_t *c = v->at[queue[q]];
                const int32_t at[3] = {c[0] + n % 3 - 1, c[1] + n / 3 % 3 - 1, c[2] + n / 9 - 1};
                const uint32_t found = v->table[find_slot(v, at)];
                if (found == 0 || group[found - 1] != UINT32_MAX)
                    continue;
                group[found - 1] = (uint32_t)groups;
                queue[count++] = found - 1;
            }
        groups++;
    }
    return groups;
}

typedef struct sized {
    size_t   size;
    uint32_t group;             /* in the order of first points */
} sized;

static int by_size(const void *pa, const void *pb)
{
    const sized *a = pa, *b = pb;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

st_status st_clusters_find(st_clusters *clusters, st_arena *arena, const double (*points_m)[3],
                           size_t n)
{
    if (n < 1 || n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "clusters need 1 to %zu points, got %zu", ST_POINTS_MAX, n);
    st_clusters made;
    voxels v;
    uint32_t *voxel_of, *group, *queue, *rank;
    sized *order;
    ST_TRY(fill_voxels(&v, &voxel_of, arena, points_m, n));
    ST_TRY(ST_ALLOC(arena, &group, v.count));
    ST_TRY(ST_ALLOC(arena, &queue, v.count));
    made.count = group_voxels(group, queue, &v);
    ST_TRY(ST_ALLOC(arena, &order, made.count));
    ST_TRY(ST_ALLOC(arena, &rank, made.count));
    ST_TRY(ST_ALLOC(arena, &made.size, made.count));
    ST_TRY(ST_ALLOC(arena, &made.cluster, n));
    for (size_t g = 0; g < made.count; g++)
        order[g].group = (uint32_t)g;
    for (size_t i = 0; i < n; i++)
        order[group[voxel_of[i]]].size++;
    qsort(order, made.count, sizeof *order, by_size);
    for (size_t g = 0; g < made.count; g++) {
        made.size[g] = order[g].size;
        rank[order[g].group] = (uint32_t)g;
    }
    for (size_t i = 0; i < n; i++)
        made.cluster[i] = rank[group[voxel_of[i]]];
    *clusters = made;
    return st_ok();
}

/* Which small clusters come nowhere near the main one? */
static st_status find_strays(uint8_t *stray, st_arena *arena, const st_clusters *c,
                             const double (*points_m)[3], size_t n)
{
    double (*main)[3], *square_m2;
    size_t count = 0;
    st_kdtree tree;
    ST_TRY(ST_ALLOC(arena, &main, c->size[0]));
    ST_TRY(ST_ALLOC(arena, &square_m2, c->count));
    for (size_t i = 0; i < n; i++)
        if (c->cluster[i] == 0)
            memcpy(main[count++], points_m[i], sizeof *main);
    ST_TRY(st_kdtree_build(&tree, arena, (const double (*)[3])main, count));
    for (size_t g = 0; g < c->count; g++)
        square_m2[g] = DBL_MAX;
    for (size_t i = 0; i < n; i++)
        if (stray[c->cluster[i]])
            st_kdtree_nearest(&tree, points_m[i], &square_m2[c->cluster[i]]);
    for (size_t g = 0; g < c->count; g++)
        stray[g] = stray[g] && square_m2[g] > STRAY_M * STRAY_M;
    return st_ok();
}

st_status st_trim_strays(st_trim *trim, st_arena *arena, const double (*points_m)[3], size_t n)
{
    st_trim made = {.kept_count = 0};
    st_clusters c;
    uint8_t *stray;
    bool any = false;
    ST_TRY(st_clusters_find(&c, arena, points_m, n));
    ST_TRY(ST_ALLOC(arena, &stray, c.count));
    ST_TRY(ST_ALLOC(arena, &made.kept, n));
    for (size_t g = 1; g < c.count; g++) {
        stray[g] = (double)c.size[g] < STRAY_SHARE * (double)n;
        any = any || stray[g];
    }
    if (any)
        ST_TRY(find_strays(stray, arena, &c, points_m, n));
    for (size_t i = 0; i < n; i++)
        if (!stray[c.cluster[i]])
            made.kept[made.kept_count++] = (uint32_t)i;
    made.trimmed = made.kept_count < n;
    made.scattered = (double)c.size[0] < MAIN_SHARE * (double)n;
    *trim = made;
    return st_ok();
}
