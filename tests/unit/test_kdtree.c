/* The search tree against a search of all points. */
#include "check.h"

#include "geometry/kdtree.h"
#include "kernels/base/rng.h"

#include <float.h>

static void nearest_is_the_plain_one(void **state)
{
    (void)state;
    enum { MOST = 3000 };
    static double p[MOST][3];
    st_rng rng = st_rng_from(31);
    st_arena arena;
    st_arena_init(&arena, "test");
    static const size_t sizes[] = {1, 2, 7, 8, 9, 17, 100, MOST};
    for (size_t s = 0; s < 2 * COUNT(sizes); s++) {
        const size_t n = sizes[s / 2];
        for (size_t i = 0; i < n; i++)
            for (int x = 0; x < 3; x++)         /* every other round a coarse grid, full of ties */
                p[i][x] = s % 2 ? (double)st_rng_below(&rng, 6) : st_rng_normal(&rng);
        st_kdtree tree;
        must(st_kdtree_build(&tree, &arena, (const double (*)[3])p, n));
        for (int round = 0; round < 300; round++) {
            const double q[3] = {st_rng_between(&rng, -1, 6), st_rng_between(&rng, -1, 6),
                                 (double)st_rng_below(&rng, 6)};
            double best = DBL_MAX, square = DBL_MAX;
            size_t at = n;
            for (size_t i = 0; i < n; i++) {
                const double x = p[i][0] - q[0], y = p[i][1] - q[1], z = p[i][2] - q[2];
                const double d = (x * x + y * y) + z * z;
                if (d < best)
                    best = d, at = i;
            }
            assert_int_equal(st_kdtree_nearest(&tree, q, &square), at);
            assert_true(square == best);
            assert_int_equal(st_kdtree_nearest(&tree, q, &square), n);      /* nothing closer */
        }
        st_arena_reset(&arena);
    }
    st_arena_free(&arena);
}

static void bad_points_are_named(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    st_kdtree tree;
    const double p[2][3] = {{0, 0, 0}, {0, NAN, 0}};
    must_fail(st_kdtree_build(&tree, &arena, p, 2), ST_ERR_NUMERIC,
              "point 1 of a search tree is not finite");
    must_fail(st_kdtree_build(&tree, &arena, p, 0), ST_ERR_USAGE,
              "a search tree needs 1 to 50000000 points, got 0");
    st_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_is_the_plain_one),
        cmocka_unit_test(bad_points_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
