/* alpha.c - which triangles are floor, how they hang together, and where they end. */
#include "geometry/alpha.h"

#include "geometry/delaunay.h"
#include "geometry/internal.h"
#include "kernels/base/limits.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* --- areas --- */

static double twice_area(const st_alpha *a, size_t t)
{
    const double *p = a->xy_m[a->triangles[t][0]], *q = a->xy_m[a->triangles[t][1]];
    const double *r = a->xy_m[a->triangles[t][2]];
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
}

/* R = abc / 4A, compared as products: a sliver has A = 0 and falls out by itself. */
static bool circle_is_small(const st_alpha *a, size_t t)
{
    static const double SLIVER_M2 = 1e-12;
    const double *p[3];
    for (int k = 0; k < 3; k++)
        p[k] = a->xy_m[a->triangles[t][k]];
    double sides_m3 = 1.0;
    for (int k = 0; k < 3; k++) {
        const double *from = p[k], *to = p[(k + 1) % 3];
        const double dx = to[0] - from[0], dy = to[1] - from[1];
        sides_m3 *= sqrt(dx * dx + dy * dy);
    }
    const double twice_m2 = twice_area(a, t);
    return 0.5 * twice_m2 >= SLIVER_M2 && sides_m3 < a->radius_m * 2.0 * twice_m2;
}

static void sum_areas(st_alpha *a)
{
    double open = 0.0, filled = 0.0, hull = 0.0;
    for (size_t t = 0; t < a->triangle_count; t++) {
        const double area_m2 = 0.5 * twice_area(a, t);
        hull += area_m2;
        open += a->kept[t] & ST_ALPHA_OPEN ? area_m2 : 0.0;
        filled += a->kept[t] & ST_ALPHA_FILLED ? area_m2 : 0.0;
    }
    a->area_open_m2 = open;
    a->area_filled_m2 = filled;
    a->area_hull_m2 = hull;
}

/* From outside the hull through rejected triangles: what is reached is not floor. */
static st_status fill_holes(st_alpha *a, st_arena *scratch)
{
    uint32_t *stack;
    size_t depth = 0;
    ST_TRY(ST_ALLOC(scratch, &stack, a->triangle_count));
    for (size_t t = 0; t < a->triangle_count; t++)
        a->kept[t] |= ST_ALPHA_FILLED;
    for (size_t t = 0; t < a->triangle_count; t++) {
        const bool at_hull = a->across[t][0] == ST_NO_TRIANGLE ||
                             a->across[t][1] == ST_NO_TRIANGLE ||
                             a->across[t][2] == ST_NO_TRIANGLE;
        if (at_hull && a->kept[t] == ST_ALPHA_FILLED) {
            a->kept[t] = 0;
            stack[depth++] = (uint32_t)t;
        }
    }
    while (depth > 0) {
        const uint32_t t = stack[--depth];
        for (int k = 0; k < 3; k++) {
            const uint32_t next = a->across[t][k];
            if (next != ST_NO_TRIANGLE && a->kept[next] == ST_ALPHA_FILLED) {
                a->kept[next] = 0;
                stack[depth++] = next;
            }
        }
    }
    return st_ok();
}

/* Visit every island of the filled shape; those smaller than `area_m2` lose their triangles. */
static st_status count_islands(st_alpha *a, st_arena *scratch, double area_m2)
{
    uint32_t *queue;
    uint8_t *seen;
    ST_TRY(ST_ALLOC(scratch, &queue, a->triangle_count));
    ST_TRY(ST_ALLOC(scratch, &seen, a->triangle_count));
    a->island_count = 0;
    for (size_t first = 0; first < a->triangle_count; first++) {
        if (seen[first] || !(a->kept[first] & ST_ALPHA_FILLED))
            continue;
        size_t count = 0;
        double island_m2 = 0.0;
        queue[count++] = (uint32_t)first;
        seen[first] = 1;
        for (size_t i = 0; i < count; i++) {
            island_m2 += 0.5 * twice_area(a, queue[i]);
            for (int k = 0; k < 3; k++) {
                const uint32_t next = a->across[queue[i]][k];
                if (next != ST_NO_TRIANGLE && !seen[next] && a->kept[next] & ST_ALPHA_FILLED) {
                    seen[next] = 1;
                    queue[count++] = next;
                }
            }
        }
        if (island_m2 >= area_m2)
            a->island_count++;
        else
            for (size_t i = 0; i < count; i++)
                a->kept[queue[i]] = 0;
    }
    return st_ok();
}

st_status st_alpha_build(st_alpha *alpha, st_arena *arena, const double (*xy_m)[2], size_t n,
                         double radius_m)
{
    if (!(radius_m > 0.0))
        return ST_FAIL(ST_ERR_USAGE, "radius_m must be above 0, is %g", radius_m);
    st_delaunay d;
    ST_TRY(st_delaunay_build(&d, arena, xy_m, n));
    st_alpha made = {.xy_m = (const double (*)[2])d.xy_m,
                     .triangles = (const uint32_t (*)[3])d.triangles,
                     .across = (const uint32_t (*)[3])d.across,
                     .point_count = d.point_count,
                     .triangle_count = d.triangle_count,
                     .radius_m = radius_m};
    ST_TRY(ST_ALLOC(arena, &made.kept, made.triangle_count));
    for (size_t t = 0; t < made.triangle_count; t++)
        made.kept[t] = circle_is_small(&made, t) ? ST_ALPHA_OPEN : 0;

    const st_arena_mark mark = st_arena_mark_get(arena);
    st_status s = fill_holes(&made, arena);
    if (s.code == ST_OK)
        s = count_islands(&made, arena, 0.0);
    st_arena_rewind(arena, mark);
    ST_TRY(s);
    sum_areas(&made);
    *alpha = made;
    return st_ok();
}

st_status st_alpha_drop_islands(st_alpha *alpha, st_arena *scratch, double area_m2)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    const st_status s = count_islands(alpha, scratch, area_m2);
    st_arena_rewind(scratch, mark);
    sum_areas(alpha);
    return s;
}

/* --- borders --- */

static bool ends_at(const st_alpha *a, st_alpha_part part, uint32_t t, int k)
{
    const uint32_t next = a->across[t][k];
    return a->kept[t] & part && (next == ST_NO_TRIANGLE || !(a->kept[next] & part));
}

/* Edge k of triangle t is a border edge that ends in a corner. Turn around that corner inside the
 * part until the next border edge: the interior stays on the left, and parts that only touch in
 * the corner stay apart. */
static void next_edge(const st_alpha *a, st_alpha_part part, uint32_t *t, int *k)
{
    const uint32_t pivot = a->triangles[*t][(*k + 2) % 3];
    int edge = (*k + 1) % 3;                    /* the edge of t that starts at the pivot */
    while (!ends_at(a, part, *t, edge)) {
        *t = a->across[*t][edge];
        edge = 0;
        while (a->triangles[*t][(edge + 1) % 3] != pivot)
            edge++;
    }
    *k = edge;
}

typedef struct sized_ring {     /* a ring with what decides its place */
    st_ring ring;
    double  area_m2;
    size_t  number;
} sized_ring;

static int by_area(const void *pa, const void *pb)
{
    const sized_ring *a = pa, *b = pb;
    if (fabs(a->area_m2) != fabs(b->area_m2))
        return fabs(a->area_m2) > fabs(b->area_m2) ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* Follow every border edge once round. With `rings` NULL only counts. */
static size_t trace(const st_alpha *a, st_alpha_part part, uint8_t *done, sized_ring *rings,
                    double (*points)[2])
{
    size_t ring_count = 0, point_count = 0;
    memset(done, 0, a->triangle_count);
    for (size_t first = 0; first < a->triangle_count; first++)
        for (int side = 0; side < 3; side++) {
            if (done[first] >> side & 1 || !ends_at(a, part, (uint32_t)first, side))
                continue;
            const size_t begin = point_count;
            uint32_t t = (uint32_t)first;
            int k = side;
            do {
                done[t] |= (uint8_t)(1 << k);
                if (points)
                    memcpy(points[point_count], a->xy_m[a->triangles[t][(k + 1) % 3]],
                           sizeof *points);
                point_count++;
                next_edge(a, part, &t, &k);
            } while (t != first || k != side);
            if (rings) {
                rings[ring_count].ring = (st_ring){points + begin, point_count - begin};
                rings[ring_count].area_m2 = st_ring_area(&rings[ring_count].ring);
                rings[ring_count].number = ring_count;
            }
            ring_count++;
        }
    return rings ? ring_count : ring_count > point_count ? ring_count : point_count;
}

st_status st_alpha_outline(st_ring **rings, size_t *count, st_arena *arena, const st_alpha *alpha,
                           st_alpha_part part)
{
    uint8_t *done;
    double (*points)[2];
    sized_ring *sized;
    st_ring *made;
    ST_TRY(ST_ALLOC(arena, &done, alpha->triangle_count));
    const size_t most = trace(alpha, part, done, NULL, NULL);   /* points; rings are fewer */
    ST_TRY(ST_ALLOC(arena, &points, most));
    ST_TRY(ST_ALLOC(arena, &made, most / 3 + 1));
    const st_arena_mark mark = st_arena_mark_get(arena);
    ST_TRY(ST_ALLOC(arena, &sized, most / 3 + 1));
    const size_t ring_count = trace(alpha, part, done, sized, points);
    qsort(sized, ring_count, sizeof *sized, by_area);
    for (size_t i = 0; i < ring_count; i++)
        made[i] = sized[i].ring;
    st_arena_rewind(arena, mark);
    *rings = made;
    *count = ring_count;
    return st_ok();
}

double st_ring_area(const st_ring *ring)
{
    double twice = 0.0;         /* measured from the first point, to keep the digits */
    for (size_t i = 1; i + 1 < ring->count; i++) {
        const double *o = ring->xy_m[0], *p = ring->xy_m[i], *q = ring->xy_m[i + 1];
        twice += (p[0] - o[0]) * (q[1] - o[1]) - (p[1] - o[1]) * (q[0] - o[0]);
    }
    return 0.5 * twice;
}

bool st_rings_contain(const st_ring *rings, size_t count, double x_m, double y_m)
{
    bool inside = false;
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < rings[r].count; i++) {
            const double *p = rings[r].xy_m[i], *q = rings[r].xy_m[(i + 1) % rings[r].count];
            /* Half-open in y, so that a corner on the ray is crossed once. */
            if ((p[1] > y_m) == (q[1] > y_m))
                continue;
            const double side = (q[0] - p[0]) * (y_m - p[1]) - (q[1] - p[1]) * (x_m - p[0]);
            if (q[1] > p[1] ? side > 0.0 : side < 0.0)
                inside = !inside;
        }
    return inside;
}
