/* Boxes from outside, their corners, bounds and bearings. */
#include "check.h"
#include "random_box.h"

static const double UPRIGHT[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};

static void parts_are_kept_to_the_bit(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(1);
    for (int round = 0; round < 100; round++) {
        double turn[3][3], axes[9];
        random_turn(&rng, turn);
        memcpy(axes, turn, sizeof axes);
        st_obb box;
        must(st_obb_from_parts(&box, (double[]){1, 2, 3}, (double[]){0.3, 0.5, 0.7}, axes));
        assert_memory_equal(box.axis, axes, sizeof axes);
        assert_true(box.half_m[0] == 0.15 && box.half_m[1] == 0.25 && box.half_m[2] == 0.35);
    }
}

static void what_may_be_mended_is(void **state)
{
    (void)state;
    st_obb box;
    const double skewed[9] = {1, 0.004, 0, 0, 1, 0, 0.003, 0, -1};
    must(st_obb_from_parts(&box, (double[]){0, 0, 0}, (double[]){2, -0.4, 1}, skewed));
    assert_true(st_rotation_error((const double (*)[3])box.axis) < 1e-14);
    assert_true(box.half_m[1] == 0.2);
    assert_true(box.axis[1][1] < 0.0);          /* mirrored: the smallest side turned round */
    assert_near(box.axis[2][2], -1.0, 1e-4);
}

static void what_may_not_is_named(void **state)
{
    (void)state;
    st_obb box = {.half_m = {7, 7, 7}};
    const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    must_fail(st_obb_from_parts(&box, (double[]){0, NAN, 0}, one, UPRIGHT), ST_ERR_NUMERIC,
              "box centre must be finite and within 100 km, is nan");
    must_fail(st_obb_from_parts(&box, zero, (double[]){1, 1, INFINITY}, UPRIGHT), ST_ERR_NUMERIC,
              "box side must be finite and below 100 km, is inf");
    must_fail(st_obb_from_parts(&box, zero, one, (double[]){1, 0, 0, 0, NAN, 0, 0, 0, 1}),
              ST_ERR_NUMERIC, "box axis 1 is not finite");
    must_fail(st_obb_from_parts(&box, zero, one, (double[]){1, 0, 0, 0, 1, 0, 0, 0, 0}),
              ST_ERR_DATA, "box axes are off orthonormal by 1, at most 0.01 can be mended");
    assert_true(box.half_m[0] == 7);            /* outputs only on success */
}

static void corners_follow_their_bits(void **state)
{
    (void)state;
    st_obb box;
    must(st_obb_from_parts(&box, (double[]){1, 2, 3}, (double[]){2, 4, 6}, UPRIGHT));
    double c[8][3], low[3], high[3];
    st_obb_corners(c, &box);
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 3; i++)
            assert_true(c[k][i] == box.center_m[i] + (k >> i & 1 ? 1 : -1) * box.half_m[i]);
    st_obb_bounds(low, high, &box);
    assert_true(low[0] == 0 && low[1] == 0 && low[2] == 0);
    assert_true(high[0] == 2 && high[1] == 4 && high[2] == 6);
    assert_true(st_obb_longest_side(&box) == 6 && st_obb_shortest_side(&box) == 2);
    assert_true(st_obb_volume(&box) == 48);
}

static void tilt_counts_from_the_nearest_axis(void **state)
{
    (void)state;
    st_obb box = {.half_m = {1, 1, 1}};
    for (int deg = 0; deg <= 90; deg += 5) {
        st_rotation_from_axis_angle(box.axis, (double[]){deg * 3.14159265358979323846 / 180, 0, 0});
        assert_near(st_obb_tilt_deg(&box), deg <= 45 ? deg : 90 - deg, 1e-9);
    }
}

static void points_in_and_near(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(2);
    for (int round = 0; round < 1000; round++) {
        const st_obb box = random_box(&rng, 2.0);
        double local[3], p[3], outside[3];
        for (int i = 0; i < 3; i++) {
            local[i] = st_rng_between(&rng, -2, 2);
            outside[i] = fmax(fabs(local[i]) - box.half_m[i], 0.0);
        }
        for (int x = 0; x < 3; x++)
            p[x] = box.center_m[x] + local[0] * box.axis[0][x] + local[1] * box.axis[1][x] +
                   local[2] * box.axis[2][x];
        const double apart = sqrt(outside[0] * outside[0] + outside[1] * outside[1] +
                                  outside[2] * outside[2]);
        assert_near(st_obb_point_distance(&box, p), apart, 1e-12);
        assert_int_equal(st_obb_contains(&box, p, 1e-9), apart == 0.0);
        assert_true(st_obb_contains(&box, p, apart + 1e-9));
    }
}

static void bearings_run_counter_clockwise(void **state)
{
    (void)state;
    const double from[2] = {1, 1}, facing[2] = {1, 5};
    double deg;
    must(st_bearing_deg(&deg, from, facing, (double[]){1, 9}));
    assert_near(deg, 0, 1e-12);
    must(st_bearing_deg(&deg, from, facing, (double[]){-3, 1}));
    assert_near(deg, 90, 1e-12);
    must(st_bearing_deg(&deg, from, facing, (double[]){1, -2}));
    assert_near(deg, 180, 1e-12);
    must(st_bearing_deg(&deg, from, facing, (double[]){2, 1}));
    assert_near(deg, 270, 1e-12);
    must(st_bearing_deg(&deg, from, facing, (double[]){1 + 1e-17, 5}));
    assert_true(deg >= 0 && deg < 360);

    must_fail(st_bearing_deg(&deg, from, from, facing), ST_ERR_NUMERIC,
              "standing on what is faced: no direction of view");
    must_fail(st_bearing_deg(&deg, from, facing, from), ST_ERR_NUMERIC,
              "standing on the target: no bearing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_kept_to_the_bit),
        cmocka_unit_test(what_may_be_mended_is),
        cmocka_unit_test(what_may_not_is_named),
        cmocka_unit_test(corners_follow_their_bits),
        cmocka_unit_test(tilt_counts_from_the_nearest_axis),
        cmocka_unit_test(points_in_and_near),
        cmocka_unit_test(bearings_run_counter_clockwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
