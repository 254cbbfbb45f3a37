/* fit_minimal.c - boxes that may tilt: along the principal axes, along a hull triangle, and of
 * nearly the least volume.
 *
 * All of them look only at the corners of the convex hull. Objects have 20 to 200 of those.
 */
#include "geometry/fit.h"

#include "geometry/fit_internal.h"
#include "geometry/hull.h"
#include "geometry/internal.h"
#include "geometry/pose.h"
#include "kernels/base/rng.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* A rounded object may have thousands of hull triangles; its least box is flush with none of them
 * in particular. Only the largest are tried, so that the work stays linear in the corners. */
enum { TRIANGLES_TRIED_MAX = 600, LANES = 4 };

/* The corners, coordinate by coordinate, padded with the last one to whole lanes. */
typedef struct corners {
    double *x[3];
    size_t  padded;
} corners;

typedef struct cloud {
    double (*p)[3];             /* distinct points */
    size_t   n;
    sti_spread spread;
    st_hull  hull;              /* of solid clouds; otherwise its points are p, without triangles */
    corners  corners;
    double (*xy)[2], (*spare)[2];
} cloud;

static st_status make_cloud(cloud *c, st_arena *scratch, const double (*points_m)[3], size_t n)
{
    ST_TRY(sti_fit_points(&c->p, &c->n, scratch, points_m, n));
    ST_TRY(sti_fit_spread(&c->spread, (const double (*)[3])c->p, c->n));
    c->hull = (st_hull){.points_m = c->p, .point_count = c->n};
    if (c->spread.shape == ST_SHAPE_SOLID) {
        const st_status s = st_hull_build(&c->hull, scratch, (const double (*)[3])c->p, c->n);
        /* Flat by Qhull's measure though not by ours: the box of a plane fits it as well. */
        if (s.code == ST_ERR_NUMERIC)
            c->spread.shape = ST_SHAPE_PLANE;
        else
            ST_TRY(s);
    }
    const size_t v = c->hull.point_count;
    c->corners.padded = (v + LANES - 1) / LANES * LANES;
    for (int k = 0; k < 3; k++) {
        ST_TRY(ST_ALLOC(scratch, &c->corners.x[k], c->corners.padded));
        for (size_t i = 0; i < c->corners.padded; i++)
            c->corners.x[k][i] = c->hull.points_m[i < v ? i : v - 1][k];
    }
    ST_TRY(ST_ALLOC(scratch, &c->xy, v));
    return ST_ALLOC(scratch, &c->spare, 2 * v);
}

/* Reach of the corners along a direction, four at a time: the lanes keep their own extremes, so
 * the compiler may put them side by side, and the answer is the same if it does not. */
static double reach(const corners *c, const double dir[3])
{
    const double *x = c->x[0], *y = c->x[1], *z = c->x[2];
    double low[LANES], high[LANES];
    for (int l = 0; l < LANES; l++)
        low[l] = high[l] = (dir[0] * x[l] + dir[1] * y[l]) + dir[2] * z[l];
    for (size_t i = LANES; i < c->padded; i += LANES)
        for (int l = 0; l < LANES; l++) {
            const double at = (dir[0] * x[i + l] + dir[1] * y[i + l]) + dir[2] * z[i + l];
            low[l] = at < low[l] ? at : low[l];
            high[l] = at > high[l] ? at : high[l];
        }
    for (int l = 1; l < LANES; l++) {
        low[0] = low[l] < low[0] ? low[l] : low[0];
        high[0] = high[l] > high[0] ? high[l] : high[0];
    }
    return high[0] - low[0];
}

/* Take the frame if its box is smaller than `best_m3`. */
static void consider(double best[3][3], double *best_m3, const corners *c,
                     const double axis[3][3])
{
    const double volume_m3 = reach(c, axis[0]) * reach(c, axis[1]) * reach(c, axis[2]);
    if (volume_m3 < *best_m3) {
        *best_m3 = volume_m3;
        memcpy(best, axis, 3 * sizeof *best);
    }
}

/* The frame of an edge of a hull triangle: along the edge, across it in the plane, the normal
 * (Open3D's order: u = edge, v = w x u, w = normal). False for a sliver. */
static bool edge_frame(double axis[3][3], const st_hull *h, size_t triangle, int edge)
{
    const double *a = h->points_m[h->triangles[triangle][edge]];
    const double *b = h->points_m[h->triangles[triangle][(edge + 1) % 3]];
    const double *c = h->points_m[h->triangles[triangle][(edge + 2) % 3]];
    double *u = axis[0], *v = axis[1], *w = axis[2], side[3];
    for (int x = 0; x < 3; x++) {
        u[x] = b[x] - a[x];
        side[x] = c[x] - a[x];
    }
    const double length = sti_length(u);
    for (int x = 0; x < 3; x++)
        u[x] /= length;
    sti_cross(w, u, side);
    const double height = sti_length(w);
    if (!(height > 1e-9))
        return false;
    for (int x = 0; x < 3; x++)
        w[x] /= height;
    sti_cross(v, w, u);
    return true;
}

/* --- which triangles to try --- */

typedef struct ranked {
    double   area;
    uint32_t triangle;
} ranked;

static int by_area(const void *pa, const void *pb)
{
    const ranked *a = pa, *b = pb;
    if (a->area != b->area)
        return a->area > b->area ? -1 : 1;
    return (a->triangle > b->triangle) - (a->triangle < b->triangle);
}

/* All triangles in their order, or, of very many, the largest. */
static st_status choose_triangles(uint32_t **chosen, size_t *count, st_arena *scratch,
                                  const st_hull *h)
{
    ranked *order;
    ST_TRY(ST_ALLOC(scratch, &order, h->triangle_count));
    ST_TRY(ST_ALLOC(scratch, chosen, h->triangle_count));
    *count = h->triangle_count;
    for (size_t t = 0; t < h->triangle_count; t++) {
        double u[3], v[3], across[3];
        for (int x = 0; x < 3; x++) {
            u[x] = h->points_m[h->triangles[t][1]][x] - h->points_m[h->triangles[t][0]][x];
            v[x] = h->points_m[h->triangles[t][2]][x] - h->points_m[h->triangles[t][0]][x];
        }
        sti_cross(across, u, v);
        order[t] = (ranked){sti_dot(across, across), (uint32_t)t};
    }
    if (*count > TRIANGLES_TRIED_MAX) {
        qsort(order, *count, sizeof *order, by_area);
        *count = TRIANGLES_TRIED_MAX;
    }
    for (size_t i = 0; i < *count; i++)
        (*chosen)[i] = order[i].triangle;
    return st_ok();
}

static st_status consider_triangles(double best[3][3], double *best_m3, st_arena *scratch,
                                    const cloud *c, int edges)
{
    uint32_t *chosen;
    size_t count;
    ST_TRY(choose_triangles(&chosen, &count, scratch, &c->hull));
    for (size_t i = 0; i < count; i++)
        for (int e = 0; e < edges; e++) {
            double axis[3][3];
            if (edge_frame(axis, &c->hull, chosen[i], e))
                consider(best, best_m3, &c->corners, (const double (*)[3])axis);
        }
    return st_ok();
}

/* --- flat clouds --- */

/* A plane's box: the least rectangle within it, and the clamped thickness across. On a line or a
 * single point the principal axes say all there is to say. */
static void flat_frame(double axis[3][3], const cloud *c)
{
    memcpy(axis, c->spread.axis, sizeof c->spread.axis);
    if (c->spread.shape != ST_SHAPE_PLANE)
        return;
    const double (*s)[3] = c->spread.axis;
    for (size_t i = 0; i < c->n; i++)
        for (int k = 0; k < 2; k++)
            c->xy[i][k] = sti_dot(s[k], c->p[i]);
    const size_t h = sti_hull_xy(c->xy, c->n, c->spare);
    if (h < 2)
        return;
    const sti_rectangle r = sti_least_rectangle((const double (*)[2])c->xy, h);
    const double cosine = cos(r.turn_rad), sine = sin(r.turn_rad);
    for (int x = 0; x < 3; x++) {
        axis[0][x] = cosine * s[0][x] + sine * s[1][x];
        axis[1][x] = cosine * s[1][x] - sine * s[0][x];
    }
}

static void finish(st_fit *fit, const double axis[3][3], const cloud *c)
{
    fit->box = sti_fit_along(axis, (const double (*)[3])c->p, c->n);
    fit->shape = c->spread.shape;
    sti_fit_clamp(fit);
}

/* --- the three fits --- */

static st_status principal(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n,
                           uint64_t seed)
{
    (void)seed;
    cloud c;
    sti_spread spread;
    ST_TRY(make_cloud(&c, scratch, points_m, n));
    ST_TRY(sti_fit_spread(&spread, (const double (*)[3])c.hull.points_m, c.hull.point_count));
    finish(fit, (const double (*)[3])spread.axis, &c);
    return st_ok();
}

static st_status facet(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n,
                       uint64_t seed)
{
    (void)seed;
    cloud c;
    double axis[3][3], least_m3 = DBL_MAX;
    ST_TRY(make_cloud(&c, scratch, points_m, n));
    flat_frame(axis, &c);
    if (c.spread.shape == ST_SHAPE_SOLID)
        ST_TRY(consider_triangles(axis, &least_m3, scratch, &c, 1));
    finish(fit, (const double (*)[3])axis, &c);
    return st_ok();
}

/* Small random turns of the best frame, ever smaller; whatever improves is kept. */
static void search(double best[3][3], double *best_m3, const corners *c, uint64_t seed)
{
    static const double FIRST_RAD = 0.3, LAST_RAD = 1e-5, SHRINK = 0.97;
    enum { TRIALS = 6 };
    st_rng rng = st_rng_from(seed);
    for (double step_rad = FIRST_RAD; step_rad > LAST_RAD; step_rad *= SHRINK)
        for (int trial = 0; trial < TRIALS; trial++) {
            double turn_rad[3], turn[3][3], axis[3][3];
            for (int x = 0; x < 3; x++)
                turn_rad[x] = st_rng_between(&rng, -step_rad, step_rad);
            st_rotation_from_axis_angle(turn, turn_rad);
            for (int i = 0; i < 3; i++)
                for (int x = 0; x < 3; x++)
                    axis[i][x] = sti_dot(turn[x], best[i]);
            consider(best, best_m3, c, (const double (*)[3])axis);
        }
}

static st_status minimal(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n,
                         uint64_t seed)
{
    cloud c;
    double axis[3][3], least_m3 = DBL_MAX;
    sti_spread spread;
    ST_TRY(make_cloud(&c, scratch, points_m, n));
    flat_frame(axis, &c);
    if (c.spread.shape == ST_SHAPE_SOLID) {
        ST_TRY(consider_triangles(axis, &least_m3, scratch, &c, 3));
        ST_TRY(sti_fit_spread(&spread, (const double (*)[3])c.hull.points_m, c.hull.point_count));
        consider(axis, &least_m3, &c.corners, (const double (*)[3])spread.axis);
        const st_obb upright = sti_fit_upright((const double (*)[3])c.hull.points_m,
                                               c.hull.point_count, c.xy, c.spare);
        consider(axis, &least_m3, &c.corners, upright.axis);
        search(axis, &least_m3, &c.corners, seed);
        /* Some two thousand turns leave a few 1e-14 of skew. */
        sti_orthonormalise(axis);
    }
    finish(fit, (const double (*)[3])axis, &c);
    return st_ok();
}

/* Fit with scratch memory that is given back, writing the answer only on success. */
static st_status fit_with(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n,
                          uint64_t seed,
                          st_status (*how)(st_fit *, st_arena *, const double (*)[3], size_t,
                                           uint64_t))
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    st_fit made;
    const st_status s = how(&made, scratch, points_m, n, seed);
    st_arena_rewind(scratch, mark);
    if (s.code == ST_OK)
        *fit = made;
    return s;
}

st_status st_fit_principal(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n)
{
    return fit_with(fit, scratch, points_m, n, 0, principal);
}

st_status st_fit_facet(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n)
{
    return fit_with(fit, scratch, points_m, n, 0, facet);
}

st_status st_fit_minimal(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n,
                         uint64_t seed)
{
    return fit_with(fit, scratch, points_m, n, seed, minimal);
}
