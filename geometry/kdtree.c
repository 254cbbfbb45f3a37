/* kdtree.c - boxes within boxes around points. */
#include "geometry/kdtree.h"

#include "geometry/internal.h"
#include "kernels/base/limits.h"

#include <float.h>
#include <string.h>

enum { LEAF_POINTS = 8, DEPTH_MAX = 40 };

struct st_kdnode {
    double   min_m[3], max_m[3];
    uint32_t first, count;      /* a range of points                             */
    uint32_t right;             /* the left child is the next node; 0: a leaf    */
};

typedef struct builder {
    double (*points)[3];
    uint32_t *index;
    st_kdnode *nodes;
    uint32_t   used;
} builder;

static bool before(const builder *b, int axis, size_t i, double pivot, uint32_t pivot_index)
{
    const double x = b->points[i][axis];
    return x < pivot || (x == pivot && b->index[i] < pivot_index);
}

static void swap(builder *b, size_t i, size_t j)
{
    double p[3];
    memcpy(p, b->points[i], sizeof p);
    memcpy(b->points[i], b->points[j], sizeof p);
    memcpy(b->points[j], p, sizeof p);
    const uint32_t t = b->index[i];
    b->index[i] = b->index[j];
    b->index[j] = t;
}

/* Partition [low,high) so that the point at `middle` has the smaller ones before it. The pivot
 * comes from the middle, moved about by a multiplicative hash, so that no order of a scan is the
 * bad one. */
static void select_middle(builder *b, size_t low, size_t high, size_t middle, int axis)
{
    while (high - low > 1) {
        const size_t span = high - low;
        swap(b, low + (size_t)((span * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % span, high - 1);
        const double pivot = b->points[high - 1][axis];
        const uint32_t pivot_index = b->index[high - 1];
        size_t at = low;
        for (size_t i = low; i < high - 1; i++)
            if (before(b, axis, i, pivot, pivot_index))
                swap(b, i, at++);
        swap(b, at, high - 1);
        if (at == middle)
            return;
        if (at < middle)
            low = at + 1;
        else
            high = at;
    }
}

static void build(builder *b, size_t first, size_t count)
{
    st_kdnode *node = &b->nodes[b->used++];
    node->first = (uint32_t)first;
    node->count = (uint32_t)count;
    memcpy(node->min_m, b->points[first], sizeof node->min_m);
    memcpy(node->max_m, b->points[first], sizeof node->max_m);
    for (size_t i = first + 1; i < first + count; i++)
        for (int j = 0; j < 3; j++) {
            node->min_m[j] = fmin(node->min_m[j], b->points[i][j]);
            node->max_m[j] = fmax(node->max_m[j], b->points[i][j]);
        }
    if (count <= LEAF_POINTS)
        return;
    int axis = 0;
    for (int j = 1; j < 3; j++)
        if (node->max_m[j] - node->min_m[j] > node->max_m[axis] - node->min_m[axis])
            axis = j;
    const size_t half = count / 2;
    select_middle(b, first, first + count, first + half, axis);
    build(b, first, half);
    node->right = b->used;
    build(b, first + half, count - half);
}

st_status st_kdtree_build(st_kdtree *tree, st_arena *arena, const double (*points_m)[3], size_t n)
{
    if (n < 1 || n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a search tree needs 1 to %zu points, got %zu", ST_POINTS_MAX,
                       n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(points_m[i][0]) || !isfinite(points_m[i][1]) || !isfinite(points_m[i][2]))
            return ST_FAIL(ST_ERR_NUMERIC, "point %zu of a search tree is not finite", i);

    builder b = {.used = 0};
    ST_TRY(ST_ALLOC(arena, &b.points, n));
    ST_TRY(ST_ALLOC(arena, &b.index, n));
    /* Halves of more than 8 points have at least 4, so there are at most n/4 leaves. */
    ST_TRY(ST_ALLOC(arena, &b.nodes, 2 * (n / 4) + 1));
    memcpy(b.points, points_m, n * sizeof *points_m);
    for (size_t i = 0; i < n; i++)
        b.index[i] = (uint32_t)i;
    build(&b, 0, n);
    *tree = (st_kdtree){.nodes = b.nodes, .points_m = b.points, .index = b.index, .count = n};
    return st_ok();
}

/* Least possible value of a squared distance into the box, rounded like the distances: each gap is
 * at most the gap to any point inside, and rounding keeps that order. */
static double box_square(const st_kdnode *node, const double p[3])
{
    double gap[3];
    for (int j = 0; j < 3; j++)
        gap[j] = fmax(fmax(node->min_m[j] - p[j], p[j] - node->max_m[j]), 0.0);
    return (gap[0] * gap[0] + gap[1] * gap[1]) + gap[2] * gap[2];
}

size_t st_kdtree_nearest(const st_kdtree *tree, const double point_m[3], double *square_m2)
{
    double best = *square_m2;
    size_t found = tree->count;
    struct {
        uint32_t node;
        double   square;
    } stack[DEPTH_MAX + 2];
    int depth = 0;
    stack[depth].node = 0;
    stack[depth++].square = box_square(&tree->nodes[0], point_m);
    while (depth > 0) {
        depth--;
        if (stack[depth].square > best)
            continue;
        const uint32_t at = stack[depth].node;
        const st_kdnode *node = &tree->nodes[at];
        if (node->right == 0) {
            for (uint32_t i = node->first; i < node->first + node->count; i++) {
                const double dx = tree->points_m[i][0] - point_m[0];
                const double dy = tree->points_m[i][1] - point_m[1];
                const double dz = tree->points_m[i][2] - point_m[2];
                const double square = (dx * dx + dy * dy) + dz * dz;
                if (square < best || (square == best && tree->index[i] < found &&
                                      found < tree->count)) {
                    best = square;
                    found = tree->index[i];
                }
            }
            continue;
        }
        const double l = box_square(&tree->nodes[at + 1], point_m);
        const double r = box_square(&tree->nodes[node->right], point_m);
        const uint32_t near = l <= r ? at + 1 : node->right, far = l <= r ? node->right : at + 1;
        stack[depth].node = far;
        stack[depth++].square = fmax(l, r);
        stack[depth].node = near;
        stack[depth++].square = fmin(l, r);
    }
    if (found < tree->count)
        *square_m2 = best;
    return found;
}
