/* Alpha shapes against a twin that tries every triple, and against rooms known by heart. */
#include "arena_fixture.h"

#include "geometry/alpha.h"
#include "kernels/base/rng.h"

#include <float.h>

/* --- the plain twin: every triple whose circle is empty, flooded by comparing all pairs --- */

enum { PLAIN_POINTS = 40, PLAIN_TRIANGLES = 100 };

typedef struct plain {
    int    corner[PLAIN_TRIANGLES][3];
    double area[PLAIN_TRIANGLES];
    bool   small[PLAIN_TRIANGLES], outside[PLAIN_TRIANGLES];
    int    count;
} plain;

static double side_of(const double *p, const double *q, const double *r)
{
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
}

/* The circle through three points: centre and radius. */
static double circle(const double *a, const double *b, const double *c, double center[2])
{
    const double bx = b[0] - a[0], by = b[1] - a[1], cx = c[0] - a[0], cy = c[1] - a[1];
    const double d = 2 * (bx * cy - by * cx), b2 = bx * bx + by * by, c2 = cx * cx + cy * cy;
    const double x = (cy * b2 - by * c2) / d, y = (bx * c2 - cx * b2) / d;
    center[0] = a[0] + x;
    center[1] = a[1] + y;
    return hypot(x, y);
}

static int shared_corners(const plain *p, int s, int t)
{
    int shared = 0;
    for (int i = 0; i < 9; i++)
        shared += p->corner[s][i / 3] == p->corner[t][i % 3];
    return shared;
}

static void plain_build(plain *p, const double (*xy)[2], int n, double radius)
{
    p->count = 0;
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            for (int k = j + 1; k < n; k++) {
                double center[2];
                const double r = circle(xy[i], xy[j], xy[k], center);
                bool empty = true;
                for (int m = 0; m < n && empty; m++)
                    empty = m == i || m == j || m == k ||
                            hypot(xy[m][0] - center[0], xy[m][1] - center[1]) > r;
                if (!empty)
                    continue;
                assert_true(p->count < PLAIN_TRIANGLES);
                memcpy(p->corner[p->count], (int[3]){i, j, k}, sizeof p->corner[0]);
                p->area[p->count] = fabs(side_of(xy[i], xy[j], xy[k])) / 2;
                p->small[p->count++] = r < radius;
            }
    /* Outside: rejected with a hull edge (fewer than three neighbours), and what it reaches. */
    for (int t = 0; t < p->count; t++) {
        int neighbours = 0;
        for (int s = 0; s < p->count; s++)
            neighbours += s != t && shared_corners(p, s, t) == 2;
        p->outside[t] = neighbours < 3 && !p->small[t];
    }
    for (int round = 0; round < p->count; round++)
        for (int s = 0; s < p->count; s++)
            for (int t = 0; t < p->count; t++)
                if (p->outside[s] && !p->small[t] && shared_corners(p, s, t) == 2)
                    p->outside[t] = true;
}

static void areas_are_the_plain_ones(void **state)
{
    st_arena *arena = *state;
    st_rng rng = st_rng_from(71);
    for (int round = 0; round < 200; round++) {
        double xy[PLAIN_POINTS][2], open = 0, filled = 0, hull = 0, outlined[2] = {0, 0};
        for (int i = 0; i < PLAIN_POINTS; i++)
            for (int x = 0; x < 2; x++)
                xy[i][x] = st_rng_unit(&rng);
        const double radius = st_rng_between(&rng, 0.05, 0.25);
        plain p;
        plain_build(&p, (const double (*)[2])xy, PLAIN_POINTS, radius);
        for (int t = 0; t < p.count; t++) {
            hull += p.area[t];
            open += p.small[t] ? p.area[t] : 0;
            filled += p.outside[t] ? 0 : p.area[t];
        }
        st_alpha a;
        must(st_alpha_build(&a, arena, (const double (*)[2])xy, PLAIN_POINTS, radius));
        assert_near(a.area_hull_m2, hull, 1e-12);
        assert_near(a.area_open_m2, open, 1e-12);
        assert_near(a.area_filled_m2, filled, 1e-12);

        /* The borders enclose the same areas, and contain what the triangles contain. */
        for (int part = 1; part <= 2; part++) {
            st_ring *rings;
            size_t count;
            must(st_alpha_outline(&rings, &count, arena, &a, (st_alpha_part)part));
            for (size_t i = 0; i < count; i++) {
                outlined[part - 1] += st_ring_area(&rings[i]);
                assert_true(part == ST_ALPHA_OPEN || st_ring_area(&rings[i]) > 0);
            }
            for (size_t t = 0; t < a.triangle_count; t++) {
                double x = 0, y = 0;
                for (int k = 0; k < 3; k++) {
                    x += a.xy_m[a.triangles[t][k]][0] / 3;
                    y += a.xy_m[a.triangles[t][k]][1] / 3;
                }
                assert_int_equal(st_rings_contain(rings, count, x, y), (a.kept[t] & part) != 0);
            }
        }
        assert_near(outlined[0], open, 1e-12);
        assert_near(outlined[1], filled, 1e-12);
        st_arena_reset(arena);
    }
}

/* --- rooms known by heart --- */

typedef struct room {
    double (*p)[3];
    size_t count;
} room;

/* A floor of points 4 cm apart over [x0,x1] x [y0,y1], as a regular grid. */
static void add_floor(room *r, double x0, double y0, double x1, double y1)
{
    for (int i = 0; x0 + i * 0.04 <= x1 + 1e-9; i++)
        for (int j = 0; y0 + j * 0.04 <= y1 + 1e-9; j++) {
            r->p[r->count][0] = x0 + i * 0.04;
            r->p[r->count][1] = y0 + j * 0.04;
            r->p[r->count++][2] = 0.0;
        }
}

static st_room_area measured(st_arena *arena, const room *r)
{
    st_room_area area;
    must(st_room_area_measure(&area, arena, (const double (*)[3])r->p, r->count, 1));
    return area;
}

static void rooms_known_by_heart(void **state)
{
    st_arena *arena = *state;
    room r = {.count = 0};
    must(ST_ALLOC(arena, &r.p, 40000));

    add_floor(&r, 0, 0, 4, 3);                              /* a plain room */
    st_room_area area = measured(arena, &r);
    assert_near(area.area_m2, 12, 1e-9);
    assert_near(area.area_hull_m2, 12, 1e-9);
    assert_near(area.area_open_m2, 12, 1e-9);
    assert_int_equal(area.ring_count, 1);
    assert_near(st_ring_area(&area.rings[0]), 12, 1e-9);
    assert_true(st_rings_contain(area.rings, 1, 3.99, 2.99));
    assert_false(st_rings_contain(area.rings, 1, 4.01, 1.5));
    assert_true(area.area_vsi_m2 > 11.4 && area.area_vsi_m2 < 12.0 && area.area_vsi_sd_m2 < 0.1);

    r.count = 0;                                            /* an L: the hull is larger */
    add_floor(&r, 0, 0, 4, 2);
    add_floor(&r, 0, 2, 2, 4);
    area = measured(arena, &r);
    assert_near(area.area_m2, 12, 0.02);
    assert_near(area.area_hull_m2, 14, 1e-9);

    r.count = 0;                                            /* a hole is floor too, an islet not */
    add_floor(&r, 0, 0, 4, 1.48);
    add_floor(&r, 0, 2.52, 4, 4);
    add_floor(&r, 0, 1.52, 1, 2.48);
    add_floor(&r, 3, 1.52, 4, 2.48);
    add_floor(&r, 6, 0, 6.4, 0.4);
    area = measured(arena, &r);
    assert_near(area.area_m2, 16, 1e-6);
    assert_near(area.area_open_m2, 14, 0.3);
    assert_int_equal(area.alpha.island_count, 1);
    st_ring *rings;
    size_t count;
    must(st_alpha_outline(&rings, &count, arena, &area.alpha, ST_ALPHA_OPEN));
    assert_int_equal(count, 2);
    assert_true(st_ring_area(&rings[0]) > 15.9 && st_ring_area(&rings[1]) < -1.7);
    assert_false(st_rings_contain(rings, count, 2, 2));
    assert_true(st_rings_contain(rings, count, 0.5, 2));
}

static void too_little_is_no_room(void **state)
{
    st_arena *arena = *state;
    st_room_area area;
    static const double few[3][3] = {{0, 0, 0}, {1, 1, 5}, {2, 2, 1}};
    for (size_t n = 0; n <= 3; n++) {
        must(st_room_area_measure(&area, arena, few, n, 1));
        assert_true(area.area_m2 == 0 && area.area_vsi_m2 == 0 && area.ring_count == 0);
    }
    must_fail(st_room_area_measure(&area, arena, (const double[1][3]){{0, INFINITY, 0}}, 1, 1),
              ST_ERR_NUMERIC, "point 0 must be finite and within 100 km, is (0, inf)");
    st_alpha a;
    must_fail(st_alpha_build(&a, arena, NULL, 0, NAN), ST_ERR_USAGE,
              "radius_m must be above 0, is nan");
}

/* Turned, moved, mirrored, grown and doubled point sets have the area they must have. */
static void areas_move_along(void **state)
{
    st_arena *arena = *state;
    enum { N = 4000 };
    static double xy[2 * N][2];
    double moved[N][2];
    st_rng rng = st_rng_from(72);
    for (int i = 0; i < N; i++) {
        xy[i][0] = st_rng_between(&rng, 0, 5);
        xy[i][1] = st_rng_between(&rng, 0, i % 2 ? 2 : 4);
    }
    st_alpha before, after;
    must(st_alpha_build(&before, arena, (const double (*)[2])xy, N, 0.2));
    for (int round = 0; round < 20; round++) {
        const double turn = st_rng_between(&rng, -3, 3), k = st_rng_between(&rng, 0.2, 5);
        const double mirror = round % 2 ? -1 : 1;
        for (int i = 0; i < N; i++) {
            moved[i][0] = k * mirror * (cos(turn) * xy[i][0] - sin(turn) * xy[i][1]) + 3;
            moved[i][1] = k * (sin(turn) * xy[i][0] + cos(turn) * xy[i][1]) - 8;
        }
        must(st_alpha_build(&after, arena, (const double (*)[2])moved, N, 0.2 * k));
        assert_near(after.area_filled_m2, k * k * before.area_filled_m2, 1e-9 * k * k * 20);
        assert_near(after.area_open_m2, k * k * before.area_open_m2, 1e-9 * k * k * 20);
    }
    memcpy(xy + N, xy, N * sizeof *xy);
    st_rng_shuffle(&rng, xy, 2 * N, sizeof *xy);
    must(st_alpha_build(&after, arena, (const double (*)[2])xy, 2 * N, 0.2));
    assert_true(after.area_filled_m2 == before.area_filled_m2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_are_the_plain_ones),
        cmocka_unit_test(rooms_known_by_heart),
        cmocka_unit_test(too_little_is_no_room),
        cmocka_unit_test(areas_move_along),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
