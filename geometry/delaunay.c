/* delaunay.c - points inserted one by one, each carving its own hole.
 *
 * The triangulation covers the whole plane: outside every hull edge stands a *ghost*, a triangle
 * whose third corner is the point at infinity, index n. A new point removes every triangle whose
 * circle holds it (the circle of a ghost is the half-plane beyond its edge), and fills the hole
 * with triangles to its border. No point needs a case of its own, also none on an edge or outside.
 */
#include "geometry/delaunay.h"

#include "geometry/internal.h"
#include "geometry/predicates.h"
#include "kernels/base/limits.h"
#include "kernels/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct border {         /* an edge of the hole, and what lies beyond it */
    uint32_t from, to, outside;
} border;

typedef struct builder {
    const double (*xy)[2];
    uint32_t n;                 /* also the index of the point at infinity           */
    uint32_t (*corner)[3];      /* all triangles, ghosts too                         */
    uint32_t (*across)[3];
    uint32_t *stamp;            /* the insertion that last looked at the triangle    */
    uint8_t  *doomed;           /* ... and whether it fell                           */
    uint32_t *starting;         /* by point: the new triangle whose first corner it is */
    uint32_t *hole;             /* triangles that fell                               */
    border   *edges;
    size_t    count, hole_capacity, edge_capacity;
    uint32_t  last;             /* where the next search starts                      */
} builder;

/* --- the points, sorted and in an order of insertion --- */

/* Does a come before b in the order of the points? */
static bool before(const double *a, const double *b)
{
    return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]);
}

static int by_key(const void *pa, const void *pb)
{
    const uint64_t *a = pa, *b = pb;
    return (*a > *b) - (*a < *b);
}

/* Position of a cell of a 2^13 grid along Hilbert's curve: cells near on the curve are near in the
 * plane, so each point is found a few steps from the one before it. */
static uint32_t hilbert(uint32_t x, uint32_t y)
{
    uint32_t position = 0;
    for (uint32_t s = 1u << 12; s > 0; s >>= 1) {
        const uint32_t rx = (x & s) != 0, ry = (y & s) != 0;
        position = position << 2 | ((3 * rx) ^ ry);
        if (ry == 0) {
            if (rx) {
                x = ~x;
                y = ~y;
            }
            const uint32_t t = x;
            x = y;
            y = t;
        }
    }
    return position;
}

/* Rounds of doubling size, drawn at random, each walked along Hilbert's curve: the draw keeps
 * crafted inputs from costing a square of their size, the curve keeps the walks short. */
static st_status insertion_order(uint32_t **order, st_arena *arena, const double (*xy)[2], size_t n)
{
    enum { ROUND_SHIFT = 58, PLACE_SHIFT = 32 };
    uint64_t *keys;
    ST_TRY(ST_ALLOC(arena, &keys, n));
    ST_TRY(ST_ALLOC(arena, order, n));
    double low[2] = {xy[0][0], xy[0][1]}, high[2] = {xy[0][0], xy[0][1]};
    for (size_t i = 1; i < n; i++)
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], xy[i][k]);
            high[k] = fmax(high[k], xy[i][k]);
        }
    const double span = fmax(fmax(high[0] - low[0], high[1] - low[1]), 1e-300);
    int rounds = 0;
    for (size_t left = n; left > 1000; left /= 2)
        rounds++;
    for (size_t i = 0; i < n; i++) {
        const int lot = __builtin_ctzll(st_hash_int(0, (int64_t)i) | UINT64_C(1) << 62);
        const uint64_t round = (uint64_t)(lot < rounds ? rounds - lot : 0);
        const uint32_t x = (uint32_t)((xy[i][0] - low[0]) / span * 8191.0);
        const uint32_t y = (uint32_t)((xy[i][1] - low[1]) / span * 8191.0);
        keys[i] = round << ROUND_SHIFT | (uint64_t)hilbert(x, y) << PLACE_SHIFT | i;
    }
    qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 0; i < n; i++)
        (*order)[i] = (uint32_t)keys[i];
    return st_ok();
}

/* --- insertion --- */

/* Turn a ghost so that its real edge runs from `u` to `v`, the outside on its left. */
static bool ghost_edge(const builder *b, uint32_t t, uint32_t *u, uint32_t *v)
{
    for (int k = 0; k < 3; k++)
        if (b->corner[t][k] == b->n) {
            *u = b->corner[t][(k + 1) % 3];
            *v = b->corner[t][(k + 2) % 3];
            return true;
        }
    return false;
}

/* Must the triangle go when p comes? */
static bool conflicts(const builder *b, uint32_t t, const double *p)
{
    uint32_t u, v;
    if (!ghost_edge(b, t, &u, &v))
        return st_incircle(b->xy[b->corner[t][0]], b->xy[b->corner[t][1]], b->xy[b->corner[t][2]],
                           p) > 0;
    const double *pu = b->xy[u], *pv = b->xy[v];
    const int side = st_orient2d(pu, pv, p);
    if (side != 0)
        return side > 0;
    /* On the line of the edge: only between its ends, which compare as the points are sorted. */
    return before(pu, p) == before(p, pv);
}

/* A triangle whose circle holds p: the one that p stands in, or a ghost it stands before. The walk
 * steps over any edge that has p on its far side; in a Delaunay triangulation it cannot go round
 * in circles (De Floriani, Falcidieni, Nagy, Pienovi 1991). */
static uint32_t locate(const builder *b, const double *p)
{
    uint32_t t = b->last, u, v;
    if (ghost_edge(b, t, &u, &v))
        for (int k = 0; k < 3; k++)
            if (b->corner[t][k] == b->n)
                t = b->across[t][k];
    for (;;) {
        const uint32_t here = t;
        for (int k = 0; k < 3 && t == here; k++) {
            const uint32_t from = b->corner[t][(k + 1) % 3], to = b->corner[t][(k + 2) % 3];
            if (st_orient2d(b->xy[from], b->xy[to], p) < 0)
                t = b->across[t][k];
        }
        if (t == here || ghost_edge(b, t, &u, &v))
            return t;
    }
}

/* Remove what conflicts with p, and collect the border of the hole. */
static st_status carve(builder *b, st_arena *arena, const double *p, uint32_t first,
                       uint32_t insertion, size_t *hole_count, size_t *edge_count)
{
    size_t holes = 0, edges = 0;
    b->hole[holes++] = first;
    b->stamp[first] = insertion;
    b->doomed[first] = 1;
    for (size_t h = 0; h < holes; h++) {
        const uint32_t t = b->hole[h];
        for (int k = 0; k < 3; k++) {
            const uint32_t next = b->across[t][k];
            if (b->stamp[next] != insertion) {
                b->stamp[next] = insertion;
                b->doomed[next] = conflicts(b, next, p);
                if (b->doomed[next]) {
                    ST_TRY(ST_GROW(arena, &b->hole, &b->hole_capacity, holes + 1));
                    b->hole[holes++] = next;
                }
            }
            if (!b->doomed[next]) {
                ST_TRY(ST_GROW(arena, &b->edges, &b->edge_capacity, edges + 1));
                b->edges[edges++] = (border){b->corner[t][(k + 1) % 3], b->corner[t][(k + 2) % 3],
                                             next};
            }
        }
    }
    *hole_count = holes;
    *edge_count = edges;
    return st_ok();
}

/* A fan from p to every border edge, in the places of the fallen triangles and two new ones. */
static void fill(builder *b, uint32_t p, size_t hole_count, size_t edge_count)
{
    for (size_t e = 0; e < edge_count; e++) {
        const border *edge = &b->edges[e];
        const uint32_t t = e < hole_count ? b->hole[e] : (uint32_t)b->count++;
        b->corner[t][0] = edge->from;
        b->corner[t][1] = edge->to;
        b->corner[t][2] = p;
        b->across[t][2] = edge->outside;
        b->stamp[t] = 0;
        for (int k = 0; k < 3; k++)             /* the neighbour's edge runs the other way */
            if (b->corner[edge->outside][(k + 1) % 3] == edge->to &&
                b->corner[edge->outside][(k + 2) % 3] == edge->from)
                b->across[edge->outside][k] = t;
        b->starting[edge->from] = t;
        b->last = t;
    }
    for (size_t e = 0; e < edge_count; e++) {
        const uint32_t t = b->starting[b->edges[e].from], next = b->starting[b->edges[e].to];
        b->across[t][0] = next;
        b->across[next][1] = t;
    }
}

/* The first triangle, counter-clockwise, and the three ghosts around it. */
static void start(builder *b, const uint32_t c[3])
{
    const uint32_t g = b->n;
    const uint32_t corner[4][3] = {
        {c[0], c[1], c[2]}, {c[2], c[1], g}, {c[0], c[2], g}, {c[1], c[0], g}};
    static const uint32_t across[4][3] = {{1, 2, 3}, {3, 2, 0}, {1, 3, 0}, {2, 1, 0}};
    memcpy(b->corner, corner, sizeof corner);
    memcpy(b->across, across, sizeof across);
    b->count = 4;
    b->last = 0;
}

/* Put three points that are not on one line at the head of the order; false when there are none. */
static bool choose_start(const builder *b, uint32_t *order, uint32_t first[3])
{
    for (size_t i = 2; i < b->n; i++) {
        const int side = st_orient2d(b->xy[order[0]], b->xy[order[1]], b->xy[order[i]]);
        if (side == 0)
            continue;
        const uint32_t third = order[i];
        memmove(order + 3, order + 2, (i - 2) * sizeof *order);
        order[2] = third;
        first[0] = order[side > 0 ? 0 : 1];
        first[1] = order[side > 0 ? 1 : 0];
        first[2] = third;
        return true;
    }
    return false;
}

/* --- the result --- */

/* Real triangles keep their order and lose the ghosts between them. */
static st_status collect(st_delaunay *delaunay, st_arena *arena, const builder *b)
{
    uint32_t *place, u, v;
    size_t kept = 0;
    ST_TRY(ST_ALLOC(arena, &place, b->count));
    for (size_t t = 0; t < b->count; t++)
        place[t] = ghost_edge(b, (uint32_t)t, &u, &v) ? ST_NO_TRIANGLE : (uint32_t)kept++;
    for (size_t t = 0; t < b->count; t++)
        if (place[t] != ST_NO_TRIANGLE)
            for (int k = 0; k < 3; k++) {
                delaunay->triangles[place[t]][k] = b->corner[t][k];
                delaunay->across[place[t]][k] = place[b->across[t][k]];
            }
    delaunay->triangle_count = kept;
    return st_ok();
}

static st_status triangulate(st_delaunay *delaunay, st_arena *arena)
{
    builder b = {.xy = (const double (*)[2])delaunay->xy_m, .n = (uint32_t)delaunay->point_count};
    uint32_t *order, first[3];
    ST_TRY(insertion_order(&order, arena, b.xy, b.n));
    if (!choose_start(&b, order, first))
        return st_ok();

    /* With the point at infinity: n + 1 points of a sphere, 2 (n + 1) - 4 triangles. */
    const size_t most = 2 * (size_t)b.n;
    b.hole_capacity = b.edge_capacity = 64;
    ST_TRY(ST_ALLOC(arena, &b.corner, most));
    ST_TRY(ST_ALLOC(arena, &b.across, most));
    ST_TRY(ST_ALLOC(arena, &b.stamp, most));
    ST_TRY(ST_ALLOC(arena, &b.doomed, most));
    ST_TRY(ST_ALLOC(arena, &b.starting, (size_t)b.n + 1));
    ST_TRY(ST_ALLOC(arena, &b.hole, b.hole_capacity));
    ST_TRY(ST_ALLOC(arena, &b.edges, b.edge_capacity));
    start(&b, first);
    for (uint32_t i = 3; i < b.n; i++) {
        size_t holes, edges;
        const double *p = b.xy[order[i]];
        ST_TRY(carve(&b, arena, p, locate(&b, p), i, &holes, &edges));
        fill(&b, order[i], holes, edges);
    }
    return collect(delaunay, arena, &b);
}

st_status st_delaunay_build(st_delaunay *delaunay, st_arena *arena, const double (*xy_m)[2],
                            size_t n)
{
    static const double TINY_M = 1e-30;
    st_delaunay made = {.point_count = 0};
    if (n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "at most %zu points can be triangulated, got %zu",
                       ST_POINTS_MAX, n);
    ST_TRY(ST_ALLOC(arena, &made.xy_m, n));
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            if (!(fabs(xy_m[i][k]) <= ST_COORDINATE_M_MAX))
                return ST_FAIL(ST_ERR_NUMERIC,
                               "point %zu must be finite and within 100 km, is (%g, %g)", i,
                               xy_m[i][0], xy_m[i][1]);
            /* Products of four such numbers would underflow, and exactness with them. Also, -0
             * becomes 0: they are one point. */
            made.xy_m[i][k] = fabs(xy_m[i][k]) < TINY_M ? 0.0 : xy_m[i][k];
        }
    made.point_count = sti_sort_distinct(&made.xy_m[0][0], n, 2);
    if (made.point_count >= 3) {
        const size_t most = 2 * made.point_count;
        ST_TRY(ST_ALLOC(arena, &made.triangles, most));
        ST_TRY(ST_ALLOC(arena, &made.across, most));
        const st_arena_mark mark = st_arena_mark_get(arena);
        const st_status s = triangulate(&made, arena);
        st_arena_rewind(arena, mark);
        ST_TRY(s);
    }
    *delaunay = made;
    return st_ok();
}
