/* The triangulation proves itself: it covers the hull once, and every edge is locally Delaunay. */
#include "check.h"

#include "geometry/delaunay.h"
#include "geometry/internal.h"
#include "geometry/predicates.h"
#include "kernels/base/rng.h"

static double twice_area(const double *p, const double *q, const double *r)
{
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
}

/* Triangles counter-clockwise, neighbours mutual, all edges locally Delaunay (then the whole is:
 * Delaunay 1934), areas adding up to the hull's, every distinct point a corner. */
static void check_whole(const st_delaunay *d, st_arena *arena)
{
    double (*hull)[2], (*spare)[2], hull_area = 0.0, area = 0.0;
    uint8_t *used;
    must(ST_ALLOC(arena, &hull, d->point_count));
    must(ST_ALLOC(arena, &spare, 2 * d->point_count));
    must(ST_ALLOC(arena, &used, d->point_count));
    memcpy(hull, d->xy_m, d->point_count * sizeof *hull);
    const size_t h = sti_hull_xy(hull, d->point_count, spare);
    for (size_t i = 1; i + 1 < h; i++)
        hull_area += twice_area(hull[0], hull[i], hull[i + 1]);

    for (size_t t = 0; t < d->triangle_count; t++) {
        const uint32_t *c = d->triangles[t];
        const double *p[3] = {d->xy_m[c[0]], d->xy_m[c[1]], d->xy_m[c[2]]};
        assert_int_equal(st_orient2d(p[0], p[1], p[2]), 1);
        area += twice_area(p[0], p[1], p[2]);
        for (int k = 0; k < 3; k++) {
            used[c[k]] = 1;
            const uint32_t next = d->across[t][k];
            if (next == ST_NO_TRIANGLE)
                continue;
            assert_true(next < d->triangle_count);
            int back = -1;
            for (int j = 0; j < 3; j++)
                if (d->across[next][j] == t && d->triangles[next][(j + 1) % 3] == c[(k + 2) % 3])
                    back = j;
            assert_true(back >= 0);
            assert_int_equal(d->triangles[next][(back + 2) % 3], c[(k + 1) % 3]);
            assert_true(st_incircle(p[0], p[1], p[2], d->xy_m[d->triangles[next][back]]) <= 0);
        }
    }
    assert_near(area, hull_area, 1e-9 * hull_area);
    for (size_t i = 0; i < d->point_count && d->triangle_count > 0; i++)
        assert_int_equal(used[i], 1);
}

typedef enum cloud { SPREAD, GRID, CIRCLE, LINES, SINGLE, CLUSTERS, WALLS, CLOUD_COUNT } cloud;

static void make_cloud(double (*xy)[2], size_t n, cloud kind, st_rng *rng)
{
    for (size_t i = 0; i < n; i++) {
        const double x = st_rng_between(rng, -5, 5), y = st_rng_between(rng, -5, 5);
        const double turn = (double)i * 2 * STI_PI / (double)n;
        const double shapes[CLOUD_COUNT][2] = {
            [SPREAD] = {x, y},
            [GRID] = {(double)(i % 20) * 0.25, (double)(i / 20) * 0.25},
            [CIRCLE] = {cos(turn), sin(turn)},
            [LINES] = {floor(x), y},
            [SINGLE] = {x, i == 7 ? 1.0 : 0.0},
            [CLUSTERS] = {floor(x) + y * 1e-9, floor(y) + x * 1e-9},
            [WALLS] = {(float)(i % 3 ? x : 5.0), (float)(i % 3 ? -5.0 : y)},
        };
        memcpy(xy[i], shapes[kind], sizeof *xy);
    }
}

static void every_kind_of_cloud_is_covered(void **state)
{
    (void)state;
    static const size_t sizes[] = {3, 4, 5, 10, 50, 400, 3000};
    static double xy[3000][2];
    st_rng rng = st_rng_from(61);
    st_arena arena;
    st_arena_init(&arena, "test");
    for (size_t s = 0; s < COUNT(sizes) * CLOUD_COUNT; s++) {
        const size_t n = sizes[s / CLOUD_COUNT];
        st_delaunay d;
        make_cloud(xy, n, (cloud)(s % CLOUD_COUNT), &rng);
        must(st_delaunay_build(&d, &arena, (const double (*)[2])xy, n));
        check_whole(&d, &arena);
        if (s % CLOUD_COUNT == SPREAD)
            assert_true(d.triangle_count >= n - 2);
        st_arena_reset(&arena);
    }
    st_arena_free(&arena);
}

static void order_and_repeats_do_not_matter(void **state)
{
    (void)state;
    enum { N = 500 };
    static double xy[2 * N][2];
    st_rng rng = st_rng_from(62);
    st_arena arena;
    st_arena_init(&arena, "test");
    for (int kind = 0; kind < CLOUD_COUNT; kind++) {
        st_delaunay a, b;
        make_cloud(xy, N, (cloud)kind, &rng);
        must(st_delaunay_build(&a, &arena, (const double (*)[2])xy, N));
        memcpy(xy + N, xy, N * sizeof *xy);
        st_rng_shuffle(&rng, xy, 2 * N, sizeof *xy);
        must(st_delaunay_build(&b, &arena, (const double (*)[2])xy, 2 * N));
        assert_int_equal(a.point_count, b.point_count);
        assert_int_equal(a.triangle_count, b.triangle_count);
        assert_memory_equal(a.xy_m, b.xy_m, a.point_count * sizeof *a.xy_m);
        assert_memory_equal(a.triangles, b.triangles, a.triangle_count * sizeof *a.triangles);
        st_arena_reset(&arena);
    }
    st_arena_free(&arena);
}

static void too_little_gives_nothing(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    st_delaunay d;
    static const double points[5][2] = {{1, 1}, {1, 1}, {2, 2}, {3, 3}, {0, -0.0}};
    for (size_t n = 0; n <= 5; n++) {
        must(st_delaunay_build(&d, &arena, points, n));
        assert_int_equal(d.triangle_count, 0);
    }
    must_fail(st_delaunay_build(&d, &arena, (const double[2][2]){{0, 0}, {NAN, 1}}, 2),
              ST_ERR_NUMERIC, "point 1 must be finite and within 100 km, is (nan, 1)");
    must_fail(st_delaunay_build(&d, &arena, (const double[1][2]){{0, 1e300}}, 1), ST_ERR_NUMERIC,
              "point 0 must be finite and within 100 km, is (0, 1e+300)");
    st_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_cloud_is_covered),
        cmocka_unit_test(order_and_repeats_do_not_matter),
        cmocka_unit_test(too_little_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
