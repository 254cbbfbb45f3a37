/* Hulls, least rectangles and footprints against plain searches. */
#include "check.h"
#include "random_box.h"

#include "geometry/internal.h"

#include <float.h>

static double cross_at(const double *o, const double *a, const double *b)
{
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
}

static void hull_holds_every_point(void **state)
{
    (void)state;
    enum { N = 200 };
    st_rng rng = st_rng_from(11);
    for (int round = 0; round < 50; round++) {
        double xy[N][2], all[N][2], spare[2 * N][2];
        for (int i = 0; i < N; i++)             /* a coarse grid: many ties and collinear runs */
            for (int x = 0; x < 2; x++)
                all[i][x] = xy[i][x] = (double)st_rng_below(&rng, 12) * 0.25;
        const size_t h = sti_hull_xy(xy, N, spare);
        assert_true(h >= 3);
        for (size_t i = 0; i < h; i++) {
            assert_true(cross_at(xy[i], xy[(i + 1) % h], xy[(i + 2) % h]) > 0);
            for (int k = 0; k < N; k++)
                assert_true(cross_at(xy[i], xy[(i + 1) % h], all[k]) >= 0);
        }
    }
}

static void hull_of_little_is_little(void **state)
{
    (void)state;
    double spare[8][2];
    double one[3][2] = {{1, 2}, {1, 2}, {1, 2}};
    assert_int_equal(sti_hull_xy(one, 3, spare), 1);
    double line[4][2] = {{0, 0}, {3, 3}, {1, 1}, {2, 2}};
    assert_int_equal(sti_hull_xy(line, 4, spare), 2);
    assert_true(line[0][0] == 0 && line[1][0] == 3);
    assert_int_equal(sti_hull_xy(line, 0, spare), 0);
}

/* Calipers find what trying every edge against every corner finds. */
static void rectangle_is_the_least(void **state)
{
    (void)state;
    enum { N = 60 };
    st_rng rng = st_rng_from(12);
    for (int round = 0; round < 300; round++) {
        double xy[N][2], spare[2 * N][2], least_m2 = DBL_MAX;
        const double stretch = st_rng_between(&rng, 0.1, 1);
        for (int i = 0; i < N; i++) {
            xy[i][0] = st_rng_normal(&rng) + 7;
            xy[i][1] = st_rng_normal(&rng) * stretch;
        }
        const size_t h = sti_hull_xy(xy, N, spare);
        const sti_rectangle r = sti_least_rectangle((const double (*)[2])xy, h);
        for (size_t i = 0; i < h; i++) {
            const double *p = xy[i], *q = xy[(i + 1) % h];
            const double length = hypot(q[0] - p[0], q[1] - p[1]);
            const double c = (q[0] - p[0]) / length, s = (q[1] - p[1]) / length;
            double low[2] = {DBL_MAX, DBL_MAX}, high[2] = {-DBL_MAX, -DBL_MAX};
            for (size_t k = 0; k < h; k++) {
                const double at[2] = {c * xy[k][0] + s * xy[k][1], c * xy[k][1] - s * xy[k][0]};
                for (int x = 0; x < 2; x++) {
                    low[x] = fmin(low[x], at[x]);
                    high[x] = fmax(high[x], at[x]);
                }
            }
            least_m2 = fmin(least_m2, (high[0] - low[0]) * (high[1] - low[1]));
        }
        assert_near(r.area_m2, least_m2, 1e-9 * least_m2);

        /* What it says of its extents is true. */
        const double c = cos(r.turn_rad), s = sin(r.turn_rad);
        assert_true(fabs(r.turn_rad) <= STI_PI / 4 + 1e-12);
        for (size_t k = 0; k < h; k++) {
            const double at[2] = {c * xy[k][0] + s * xy[k][1], c * xy[k][1] - s * xy[k][0]};
            for (int x = 0; x < 2; x++)
                assert_true(at[x] >= r.min_m[x] - 1e-9 && at[x] <= r.max_m[x] + 1e-9);
        }
    }
}

/* A regular octagon has four least rectangles; the one that turns least is chosen, whatever the
 * order of the points. */
static void ties_go_to_the_least_turn(void **state)
{
    (void)state;
    for (int first = 0; first < 8; first++) {
        double xy[8][2], spare[16][2];
        for (int i = 0; i < 8; i++) {
            const double a = ((i + first) % 8) * STI_PI / 4 + 0.1;
            xy[i][0] = cos(a);
            xy[i][1] = sin(a);
        }
        const size_t h = sti_hull_xy(xy, 8, spare);
        const sti_rectangle r = sti_least_rectangle((const double (*)[2])xy, h);
        assert_near(r.turn_rad, 0.1 - STI_PI / 8, 1e-9);
    }
    double square[4][2] = {{0, 0}, {1, 1}, {0, 2}, {-1, 1}}, spare[8][2];
    const size_t h = sti_hull_xy(square, 4, spare);
    assert_near(sti_least_rectangle((const double (*)[2])square, h).turn_rad, STI_PI / 4, 1e-12);
}

static void footprints_meet_as_counted(void **state)
{
    (void)state;
    enum { SIDE = 300 };
    st_rng rng = st_rng_from(13);
    for (int round = 0; round < 40; round++) {
        const st_obb a = random_box(&rng, 0.5), b = random_box(&rng, 0.5);
        const st_footprint fa = st_obb_footprint(&a), fb = st_obb_footprint(&b);
        const st_footprint both = st_footprint_intersection(&fa, &fb);
        int hits = 0;
        for (int n = 0; n < SIDE * SIDE; n++) {
            const double x = (n % SIDE + 0.5) / SIDE * 6 - 3, y = (n / SIDE + 0.5) / SIDE * 6 - 3;
            hits += st_footprint_point_distance(&fa, x, y) == 0.0 &&
                    st_footprint_point_distance(&fb, x, y) == 0.0;
        }
        const double cell_m2 = 36.0 / (SIDE * SIDE);
        assert_near(st_footprint_area(&both), hits * cell_m2, 0.06);
        assert_int_equal(st_footprint_distance(&fa, &fb) == 0.0, st_footprint_area(&both) > 0.0);
    }
}

static void footprint_distance_known_by_heart(void **state)
{
    (void)state;
    st_obb a = {.axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, .half_m = {1, 2, 3}}, b = a;
    st_footprint fa = st_obb_footprint(&a);
    assert_int_equal(fa.count, 4);
    assert_near(st_footprint_area(&fa), 8, 1e-12);
    assert_near(st_footprint_longest_side(&fa), 4, 1e-12);
    b.center_m[0] = 5;
    b.center_m[1] = 8;
    b.center_m[2] = 100;                        /* height does not matter from above */
    st_footprint fb = st_obb_footprint(&b);
    assert_near(st_footprint_distance(&fa, &fb), 5, 1e-12);
    assert_near(st_footprint_distance(&fb, &fa), 5, 1e-12);
    b.half_m[0] = b.half_m[1] = 0.0;            /* a post: a footprint of one point */
    fb = st_obb_footprint(&b);
    assert_int_equal(fb.count, 1);
    assert_near(st_footprint_distance(&fa, &fb), hypot(4, 6), 1e-12);
    assert_true(st_footprint_area(&fb) == 0.0 && st_footprint_longest_side(&fb) == 0.0);
    b.half_m[0] = 2.0;                          /* a sheet: a footprint of two */
    fb = st_obb_footprint(&b);
    assert_int_equal(fb.count, 2);
    assert_near(st_footprint_distance(&fb, &fa), hypot(2, 6), 1e-12);
    assert_near(st_footprint_longest_side(&fb), 4, 1e-12);
    b.center_m[0] = b.center_m[1] = 0.0;
    fb = st_obb_footprint(&b);
    assert_true(st_footprint_distance(&fb, &fa) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hull_holds_every_point),
        cmocka_unit_test(hull_of_little_is_little),
        cmocka_unit_test(rectangle_is_the_least),
        cmocka_unit_test(ties_go_to_the_least_turn),
        cmocka_unit_test(footprints_meet_as_counted),
        cmocka_unit_test(footprint_distance_known_by_heart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
