/* footprint.c - convex shapes seen from above: hulls, least rectangles, footprints of boxes. */
#include "geometry/box.h"

#include "geometry/internal.h"
#include "geometry/predicates.h"

#include <float.h>
#include <string.h>

/* --- convex hull and least rectangle --- */

size_t sti_hull_xy(double (*xy)[2], size_t n, double (*spare)[2])
{
    if (n == 0)
        return 0;
    const size_t distinct = sti_sort_distinct(&xy[0][0], n, 2);
    if (distinct < 3)
        return distinct;

    /* The lower side from left to right, then the upper one back. */
    size_t h = 0;
    for (int side = 0; side < 2; side++) {
        const size_t first = h;
        for (size_t i = 0; i < distinct; i++) {
            const double *p = xy[side == 0 ? i : distinct - 1 - i];
            while (h >= first + 2 && st_orient2d(spare[h - 2], spare[h - 1], p) <= 0)
                h--;
            memcpy(spare[h++], p, sizeof *xy);
        }
        h--;                    /* the last of a side is the first of the next */
    }
    memcpy(xy, spare, h * sizeof *xy);
    return h;
}

/* Extents of the hull along a direction: `at` are the indices of its four extreme corners, which
 * only ever advance while the direction turns with the edges (rotating calipers). */
static sti_rectangle rectangle_along(const double (*hull)[2], size_t n, const double dir[2],
                                     size_t at[4])
{
    const double c = dir[0], s = dir[1];
    const double toward[4][2] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
    double reach[4];
    for (int k = 0; k < 4; k++) {
        reach[k] = toward[k][0] * hull[at[k]][0] + toward[k][1] * hull[at[k]][1];
        for (size_t steps = 0; steps < n; steps++) {
            const size_t next = (at[k] + 1) % n;
            const double r = toward[k][0] * hull[next][0] + toward[k][1] * hull[next][1];
            if (r < reach[k])
                break;
            reach[k] = r;
            at[k] = next;
        }
    }
    return (sti_rectangle){.turn_rad = atan2(s, c),
                           .min_m = {-reach[2], -reach[3]},
                           .max_m = {reach[0], reach[1]},
                           .area_m2 = (reach[0] + reach[2]) * (reach[1] + reach[3])};
}

/* The corners that reach farthest along a direction, to its left, back, and to its right. */
static void find_extremes(size_t at[4], const double (*hull)[2], size_t n, const double dir[2])
{
    double farthest[4] = {-DBL_MAX, -DBL_MAX, -DBL_MAX, -DBL_MAX};
    for (size_t i = 0; i < n; i++) {
        const double along = dir[0] * hull[i][0] + dir[1] * hull[i][1];
        const double across = dir[0] * hull[i][1] - dir[1] * hull[i][0];
        const double reach[4] = {along, across, -along, -across};
        for (int k = 0; k < 4; k++)
            if (reach[k] > farthest[k]) {
                farthest[k] = reach[k];
                at[k] = i;
            }
    }
}

/* The same rectangle, named by a turn in (-pi/4, pi/4]. */
static sti_rectangle least_turn(sti_rectangle r)
{
    const double quarter = 0.5 * STI_PI;
    while (r.turn_rad > 0.5 * quarter) {        /* old X becomes the new Y */
        const sti_rectangle o = r;
        r.turn_rad -= quarter;
        r.min_m[0] = -o.max_m[1];
        r.max_m[0] = -o.min_m[1];
        r.min_m[1] = o.min_m[0];
        r.max_m[1] = o.max_m[0];
    }
    while (r.turn_rad <= -0.5 * quarter) {      /* old X becomes the new -Y */
        const sti_rectangle o = r;
        r.turn_rad += quarter;
        r.min_m[0] = o.min_m[1];
        r.max_m[0] = o.max_m[1];
        r.min_m[1] = -o.max_m[0];
        r.max_m[1] = -o.min_m[0];
    }
    return r;
}

static bool turns_less(const sti_rectangle *a, const sti_rectangle *b)
{
    /* Parallel edges give the same turn up to rounding; only then does the sign decide. */
    static const double SAME_TURN_RAD = 1e-12;
    const double ta = fabs(a->turn_rad), tb = fabs(b->turn_rad);
    if (fabs(ta - tb) > SAME_TURN_RAD)
        return ta < tb;
    return a->turn_rad > 0.0 && !(b->turn_rad > 0.0);
}

sti_rectangle sti_least_rectangle(const double (*hull)[2], size_t n)
{
    static const double SAME_AREA = 1e-9;
    double least_m2 = DBL_MAX;
    sti_rectangle best = {.area_m2 = DBL_MAX};
    /* Twice around: first the least area, then the least turn among those that tie with it. */
    for (int round = 0; round < 2; round++) {
        size_t at[4] = {0, 0, 0, 0};
        bool found = false;
        for (size_t i = 0; i < n; i++) {
            const double *p = hull[i], *q = hull[(i + 1) % n];
            const double length = hypot(q[0] - p[0], q[1] - p[1]);
            const double dir[2] = {(q[0] - p[0]) / length, (q[1] - p[1]) / length};
            if (i == 0)         /* from here on the extremes only advance */
                find_extremes(at, hull, n, dir);
            const sti_rectangle r = least_turn(rectangle_along(hull, n, dir, at));
            if (round == 0)
                least_m2 = fmin(least_m2, r.area_m2);
            else if (r.area_m2 <= least_m2 * (1.0 + SAME_AREA) &&
                     (!found || turns_less(&r, &best))) {
                best = r;
                found = true;
            }
        }
    }
    return best;
}

/* --- footprints --- */

st_footprint st_obb_footprint(const st_obb *box)
{
    double corners_m[8][3], xy[8][2], spare[16][2];
    st_obb_corners(corners_m, box);
    for (int k = 0; k < 8; k++)
        memcpy(xy[k], corners_m[k], sizeof xy[k]);
    st_footprint f = {.count = (int)sti_hull_xy(xy, 8, spare)};
    memcpy(f.xy_m, xy, (size_t)f.count * sizeof xy[0]);
    return f;
}

double st_footprint_area(const st_footprint *f)
{
    double twice = 0.0;         /* measured from the first corner, to keep the digits */
    for (int i = 1; i + 1 < f->count; i++)
        twice += (f->xy_m[i][0] - f->xy_m[0][0]) * (f->xy_m[i + 1][1] - f->xy_m[0][1]) -
                 (f->xy_m[i][1] - f->xy_m[0][1]) * (f->xy_m[i + 1][0] - f->xy_m[0][0]);
    return 0.5 * twice;
}

/* How far p lies to the left of the line from a to b, times the length of a-b. */
static double left_of(const double a[2], const double b[2], const double p[2])
{
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
}

st_footprint st_footprint_intersection(const st_footprint *a, const st_footprint *b)
{
    st_footprint poly = *a;
    if (b->count < 3)
        poly.count = 0;
    for (int e = 0; e < b->count && poly.count; e++) {
        const double *from = b->xy_m[e], *to = b->xy_m[(e + 1) % b->count];
        st_footprint kept = {.count = 0};
        for (int i = 0; i < poly.count; i++) {
            const double *p = poly.xy_m[i], *q = poly.xy_m[(i + 1) % poly.count];
            const double dp = left_of(from, to, p), dq = left_of(from, to, q);
            if (dp >= 0.0 && kept.count < (int)(sizeof kept.xy_m / sizeof kept.xy_m[0]))
                memcpy(kept.xy_m[kept.count++], p, sizeof kept.xy_m[0]);
            if ((dp >= 0.0) != (dq >= 0.0) &&
                kept.count < (int)(sizeof kept.xy_m / sizeof kept.xy_m[0])) {
                const double t = dp / (dp - dq);
                kept.xy_m[kept.count][0] = p[0] + t * (q[0] - p[0]);
                kept.xy_m[kept.count][1] = p[1] + t * (q[1] - p[1]);
                kept.count++;
            }
        }
        poly = kept;
    }
    return poly;
}

/* Distance of (x,y) to the segment from a to b. */
static double segment_apart(const double a[2], const double b[2], double x, double y)
{
    const double ux = b[0] - a[0], uy = b[1] - a[1], wx = x - a[0], wy = y - a[1];
    const double length2 = ux * ux + uy * uy;
    const double t = length2 > 0.0 ? sti_clamp((wx * ux + wy * uy) / length2, 0.0, 1.0) : 0.0;
    return hypot(wx - t * ux, wy - t * uy);
}

double st_footprint_point_distance(const st_footprint *f, double x_m, double y_m)
{
    const double p[2] = {x_m, y_m};
    bool inside = f->count >= 3;
    double least = DBL_MAX;
    for (int i = 0; i < f->count; i++) {
        const double *a = f->xy_m[i], *b = f->xy_m[(i + 1) % f->count];
        inside = inside && left_of(a, b, p) >= 0.0;
        least = fmin(least, segment_apart(a, b, x_m, y_m));
    }
    return inside ? 0.0 : least;
}

static bool edges_cross(const double a[2], const double b[2], const double c[2], const double d[2])
{
    return st_orient2d(a, b, c) * st_orient2d(a, b, d) < 0 &&
           st_orient2d(c, d, a) * st_orient2d(c, d, b) < 0;
}

/* Either borders cross, or a corner of one is nearest to (or inside) the other. Shapes without
 * area, a post or a sheet, need no case of their own. */
double st_footprint_distance(const st_footprint *a, const st_footprint *b)
{
    double least = DBL_MAX;
    for (int i = 0; i < a->count; i++) {
        least = fmin(least, st_footprint_point_distance(b, a->xy_m[i][0], a->xy_m[i][1]));
        for (int k = 0; k < b->count; k++)
            if (edges_cross(a->xy_m[i], a->xy_m[(i + 1) % a->count], b->xy_m[k],
                            b->xy_m[(k + 1) % b->count]))
                return 0.0;
    }
    for (int i = 0; i < b->count; i++)
        least = fmin(least, st_footprint_point_distance(a, b->xy_m[i][0], b->xy_m[i][1]));
    return least;
}

double st_footprint_longest_side(const st_footprint *f)
{
    if (f->count < 2)
        return 0.0;
    const sti_rectangle r = sti_least_rectangle(f->xy_m, (size_t)f->count);
    return fmax(r.max_m[0] - r.min_m[0], r.max_m[1] - r.min_m[1]);
}
