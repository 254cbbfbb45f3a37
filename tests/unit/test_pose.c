/* Rotations and rigid motions. */
#include "check.h"
#include "random_box.h"

static const double PI = 3.14159265358979323846;

/* exp([r]x) by its power series: the definition of a rotation from axis and angle. */
static void by_series(double R[3][3], const double r[3])
{
    const double K[3][3] = {{0, -r[2], r[1]}, {r[2], 0, -r[0]}, {-r[1], r[0], 0}};
    double power[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    memcpy(R, power, sizeof power);
    for (int n = 1; n < 60; n++) {
        double next[3][3] = {{0}};
        for (int i = 0; i < 9; i++)
            for (int k = 0; k < 3; k++)
                next[i / 3][i % 3] += power[i / 3][k] * K[k][i % 3] / n;
        memcpy(power, next, sizeof power);
        for (int i = 0; i < 9; i++)
            R[i / 3][i % 3] += power[i / 3][i % 3];
    }
}

static void axis_angle_is_the_series(void **state)
{
    (void)state;
    static const double sizes[] = {0, 1e-12, 1e-9, 1.1e-8, 1e-4, 0.5, PI, 4};
    st_rng rng = st_rng_from(41);
    for (size_t s = 0; s < COUNT(sizes) * 20; s++) {
        double r[3], R[3][3], S[3][3], length = 0;
        for (int i = 0; i < 3; i++) {
            r[i] = st_rng_normal(&rng);
            length += r[i] * r[i];
        }
        for (int i = 0; i < 3; i++)
            r[i] *= sizes[s / 20] / sqrt(length);
        st_rotation_from_axis_angle(R, r);
        by_series(S, r);
        for (int i = 0; i < 9; i++)
            assert_near(R[i / 3][i % 3], S[i / 3][i % 3], 1e-12);
        assert_true(st_rotation_error((const double (*)[3])R) < 1e-14);
    }
}

static void projection_gives_the_nearest(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(42);
    for (int round = 0; round < 200; round++) {
        double R[3][3], M[3][3], P[3][3];
        random_turn(&rng, R);
        memcpy(M, R, sizeof M);
        for (int i = 0; i < 9; i++)
            M[i / 3][i % 3] += st_rng_between(&rng, -0.05, 0.05);
        must(st_rotation_project(P, (const double (*)[3])M));
        assert_true(st_rotation_error((const double (*)[3])P) < 1e-13);

        /* No small turn of the answer comes closer: P^T M is symmetric at the nearest rotation. */
        double S[3][3] = {{0}};
        for (int i = 0; i < 9; i++)
            for (int k = 0; k < 3; k++)
                S[i / 3][i % 3] += P[k][i / 3] * M[k][i % 3];
        for (int i = 0; i < 3; i++)
            assert_near(S[i][(i + 1) % 3], S[(i + 1) % 3][i], 1e-13);

        for (int j = 0; j < 3; j++)             /* mirrored: still a rotation */
            M[2][j] = -M[2][j];
        must(st_rotation_project(P, (const double (*)[3])M));
        assert_true(P[0][0] * (P[1][1] * P[2][2] - P[1][2] * P[2][1]) -
                        P[0][1] * (P[1][0] * P[2][2] - P[1][2] * P[2][0]) +
                        P[0][2] * (P[1][0] * P[2][1] - P[1][1] * P[2][0]) > 0.999);
    }
    double P[3][3];
    must_fail(st_rotation_project(P, (const double[3][3]){{1, 0, 0}}), ST_ERR_NUMERIC,
              "a matrix of rank below 2 has no nearest rotation");
    must_fail(st_rotation_project(P, (const double[3][3]){{1, 0, 0}, {0, INFINITY, 0}}),
              ST_ERR_NUMERIC, "row 1 of a rotation holds inf");
}

static void between_keeps_its_speed(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(43);
    for (int round = 0; round < 200; round++) {
        double A[3][3], B[3][3], M[3][3];
        random_turn(&rng, A);
        random_turn(&rng, B);
        const double (*a)[3] = A, (*b)[3] = B, (*m)[3] = M;
        const double whole = st_rotation_angle_rad(a, b);
        assert_true(whole >= 0 && whole <= PI + 1e-12);
        for (int i = 0; i <= 4; i++) {
            st_rotation_between(M, a, b, i / 4.0);
            assert_near(st_rotation_angle_rad(a, m), whole * i / 4, 1e-9);
            assert_near(st_rotation_angle_rad(m, b), whole * (4 - i) / 4, 1e-9);
        }
        const double turn = st_rng_between(&rng, 0, PI);
        st_rotation_from_axis_angle(M, (double[]){0, 0, turn});
        assert_near(st_rotation_angle_rad((const double[3][3]){{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, m),
                    turn, 1e-12);
        st_rotation_between(M, a, a, 0.3);      /* no way at all */
        for (int i = 0; i < 9; i++)
            assert_near(M[i / 3][i % 3], A[i / 3][i % 3], 1e-12);
    }
}

static void motions_undo_themselves(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(44);
    for (int round = 0; round < 100; round++) {
        double R[3][3], pose[16] = {[3] = 1, [7] = -2, [11] = 3, [15] = 1}, back[16], one[16];
        random_turn(&rng, R);
        for (int i = 0; i < 9; i++)
            pose[i / 3 * 4 + i % 3] = R[i / 3][i % 3];
        st_pose_inverse(back, pose);
        st_pose_multiply(one, pose, back);
        for (int i = 0; i < 16; i++)
            assert_near(one[i], i % 5 == 0, 1e-12);
        double p[3] = {0.5, 0.25, -4}, q[3];
        st_pose_apply(q, pose, p);
        st_pose_apply(q, back, q);              /* in place */
        for (int i = 0; i < 3; i++)
            assert_near(q[i], p[i], 1e-12);
    }
}

static void motions_from_files_are_checked(void **state)
{
    (void)state;
    /* A published matrix prints six decimals. */
    double pose[16] = {0.945519, 0.325568, 0, -5.38439, -0.325568, 0.945519, 0, -2.87178,
                       0,        0,        1, -0.06435, 0,         0,        0, 1};
    double out[16];
    must(st_pose_mend(out, pose));
    double R[3][3];
    for (int i = 0; i < 9; i++)
        R[i / 3][i % 3] = out[i / 3 * 4 + i % 3];
    assert_true(st_rotation_error((const double (*)[3])R) < 1e-14);
    assert_near(out[0], 0.945519, 2e-6);
    assert_true(out[3] == -5.38439 && out[15] == 1.0);

    pose[0] = 0.9;
    must_fail(st_pose_mend(out, pose), ST_ERR_DATA,
              "not a rigid motion: off orthonormal by 0.0840055, at most 0.001 can be mended: "
              "determinant 0.956962");
    pose[0] = -INFINITY;
    must_fail(st_pose_mend(out, pose), ST_ERR_NUMERIC, "element 0 of a rigid motion is -inf");
    double mirrored[16] = {[0] = 1, [5] = 1, [10] = -1, [15] = 1};
    must_fail(st_pose_mend(out, mirrored), ST_ERR_DATA,
              "not a rigid motion: off orthonormal by 0, at most 0.001 can be mended: "
              "determinant -1");
    mirrored[12] = 2;
    must_fail(st_pose_mend(out, mirrored), ST_ERR_DATA,
              "the last row of a rigid motion must be 0 0 0 1, is 2 0 0 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axis_angle_is_the_series),
        cmocka_unit_test(projection_gives_the_nearest),
        cmocka_unit_test(between_keeps_its_speed),
        cmocka_unit_test(motions_undo_themselves),
        cmocka_unit_test(motions_from_files_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
