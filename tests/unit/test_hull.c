/* Hulls: Qhull's answers hold, its refusals are sentences, and it judges our triangulation. */
#include "arena_fixture.h"

#include "geometry/alpha.h"
#include "geometry/hull.h"
#include "kernels/base/pool.h"
#include "kernels/base/rng.h"

static double volume_of(const st_hull *h)
{
    double six = 0;
    for (size_t t = 0; t < h->triangle_count; t++) {
        const double *a = h->points_m[h->triangles[t][0]], *b = h->points_m[h->triangles[t][1]];
        const double *c = h->points_m[h->triangles[t][2]];
        six += a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) +
               a[2] * (b[0] * c[1] - b[1] * c[0]);
    }
    return six / 6;
}

static void hull_holds_every_point(void **state)
{
    enum { N = 300 };
    st_rng rng = st_rng_from(81);
    double p[N][3];
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < N; i++)             /* every other round a coarse grid, full of ties */
            for (int x = 0; x < 3; x++)
                p[i][x] = round % 2 == 0 ? st_rng_normal(&rng)
                          : i < 8        ? (i >> x & 1) * 4.0
                                         : (double)st_rng_below(&rng, 5);
        st_hull h;
        must(st_hull_build(&h, *state, (const double (*)[3])p, N));
        assert_true(h.point_count >= 4 && h.triangle_count >= 4);
        assert_true(volume_of(&h) > 0);
        if (round % 2)
            assert_near(volume_of(&h), 64, 1e-9);       /* the whole grid */
        for (size_t t = 0; t < h.triangle_count; t++) {
            const double *a = h.points_m[h.triangles[t][0]], *b = h.points_m[h.triangles[t][1]];
            const double *c = h.points_m[h.triangles[t][2]];
            double normal[3], u[3], v[3];
            for (int x = 0; x < 3; x++)
                u[x] = b[x] - a[x], v[x] = c[x] - a[x];
            for (int x = 0; x < 3; x++)
                normal[x] = u[(x + 1) % 3] * v[(x + 2) % 3] - u[(x + 2) % 3] * v[(x + 1) % 3];
            for (int i = 0; i < N; i++) {
                double above = 0;
                for (int x = 0; x < 3; x++)
                    above += normal[x] * (p[i][x] - a[x]);
                assert_true(above <= 1e-9);
            }
        }
    }
}

static void order_and_repeats_do_not_matter(void **state)
{
    enum { N = 200 };
    st_rng rng = st_rng_from(82);
    double p[2 * N][3];
    for (int i = 0; i < N; i++)
        for (int x = 0; x < 3; x++)
            p[i][x] = p[N + i][x] = st_rng_normal(&rng);
    st_hull a, b;
    must(st_hull_build(&a, *state, (const double (*)[3])p, N));
    st_rng_shuffle(&rng, p, 2 * N, sizeof *p);
    must(st_hull_build(&b, *state, (const double (*)[3])p, 2 * N));
    assert_int_equal(a.point_count, b.point_count);
    assert_int_equal(a.triangle_count, b.triangle_count);
    assert_memory_equal(a.points_m, b.points_m, a.point_count * sizeof *a.points_m);
    assert_memory_equal(a.triangles, b.triangles, a.triangle_count * sizeof *a.triangles);
}

static void refusals_are_sentences(void **state)
{
    static const double flat[5][3] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, 0}, {1, 1, 0}};
    static const double same[4][3] = {{1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}};
    static const double nan[4][3] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, NAN}};
    st_hull h = {.point_count = 77};
    must_fail(st_hull_build(&h, *state, flat, 5), ST_ERR_NUMERIC,
              "no hull of 4 points: Qhull precision error: Initial simplex is flat (facet 1 is "
              "coplanar with the interior point)");
    must_fail(st_hull_build(&h, *state, same, 4), ST_ERR_NUMERIC,
              "no hull of 1 points: qhull input error: not enough points(1) to construct initial "
              "simplex (need 4)");
    must_fail(st_hull_build(&h, *state, nan, 4), ST_ERR_NUMERIC,
              "point 3 must be finite and within 100 km, is (1, 1, nan)");
    must_fail(st_hull_build(&h, *state, flat, 3), ST_ERR_USAGE,
              "a hull in space needs 4 to 50000000 points, got 3");
    assert_int_equal(h.point_count, 77);

    st_delaunay d;
    assert_int_equal(st_hull_delaunay(&d, *state, (const double[4][2]){{0, 0}, {1, 1}, {2, 2},
                                                                       {3, 3}}, 4).code,
                     ST_ERR_NUMERIC);
}

/* Twins: the same triangles, as sets, when no four points share a circle. */
static int by_corners(const void *a, const void *b)
{
    return memcmp(a, b, 3 * sizeof(uint32_t));
}

static void sort_triangles(st_delaunay *d)
{
    for (size_t t = 0; t < d->triangle_count; t++)
        for (uint32_t *c = d->triangles[t]; c[0] > c[1] || c[0] > c[2];) {
            const uint32_t first = c[0];
            c[0] = c[1], c[1] = c[2], c[2] = first;
        }
    qsort(d->triangles, d->triangle_count, sizeof *d->triangles, by_corners);
}

static void twins_triangulate_alike(void **state)
{
    st_rng rng = st_rng_from(83);
    static double xy[2000][2];
    static const size_t sizes[] = {3, 4, 10, 100, 2000};
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int round = 0; round < 5; round++) {
            for (size_t i = 0; i < sizes[s]; i++)
                for (int x = 0; x < 2; x++)
                    xy[i][x] = st_rng_between(&rng, -4, 4);
            st_delaunay ours, theirs;
            must(st_delaunay_build(&ours, *state, (const double (*)[2])xy, sizes[s]));
            must(st_hull_delaunay(&theirs, *state, (const double (*)[2])xy, sizes[s]));
            sort_triangles(&ours);
            sort_triangles(&theirs);
            assert_int_equal(ours.triangle_count, theirs.triangle_count);
            assert_memory_equal(ours.triangles, theirs.triangles,
                                ours.triangle_count * sizeof *ours.triangles);
            assert_memory_equal(ours.xy_m, theirs.xy_m, ours.point_count * sizeof *ours.xy_m);
        }
}

/* Many threads, some of them failing, do not disturb each other. */
typedef struct job {
    st_arena arena[8];
} job;

static st_status one_hull(void *context, size_t index, int worker)
{
    job *j = context;
    st_rng rng = st_rng_from(index);
    double p[60][3];
    for (int i = 0; i < 60; i++)
        for (int x = 0; x < 3; x++)
            p[i][x] = x == 2 && index % 3 == 0 ? 0 : st_rng_unit(&rng);
    st_hull h;
    st_status s = st_hull_build(&h, &j->arena[worker], (const double (*)[3])p, 60);
    st_arena_reset(&j->arena[worker]);
    if (index % 3 == 0)
        s = s.code == ST_ERR_NUMERIC ? st_ok() : ST_FAIL(ST_ERR_DATA, "a flat hull was accepted");
    return s;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    static job j;
    st_pool *pool;
    for (int i = 0; i < 8; i++)
        st_arena_init(&j.arena[i], "worker");
    must(st_pool_create(&pool, 8));
    must(st_pool_run(pool, 600, one_hull, &j));
    st_pool_free(pool);
    for (int i = 0; i < 8; i++)
        st_arena_free(&j.arena[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hull_holds_every_point),
        cmocka_unit_test(order_and_repeats_do_not_matter),
        cmocka_unit_test(refusals_are_sentences),
        cmocka_unit_test(twins_triangulate_alike),
        cmocka_unit_test(threads_do_not_meet),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
