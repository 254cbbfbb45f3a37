/* Signs of determinants where rounding would decide, against integers that cannot round. */
#include "check.h"

#include "geometry/predicates.h"
#include "kernels/base/rng.h"

static int sign_of(__int128 x)
{
    return (x > 0) - (x < 0);
}

/* Points of a grid of 2^-20 around an offset that doubles hold exactly: then 128-bit integers know
 * the true sign. Nearly collinear and nearly cocircular on purpose. */
static void signs_are_those_of_integers(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(21);
    int zeros = 0;
    for (int round = 0; round < 20000; round++) {
        int64_t p[4][2];
        const int64_t span = (int64_t)1 << (1 + st_rng_below(&rng, 20));
        for (int i = 0; i < 4; i++)
            for (int x = 0; x < 2; x++)
                p[i][x] = (int64_t)st_rng_below(&rng, (uint64_t)span);
        if (round % 2)                          /* the third near the line of the first two */
            for (int x = 0; x < 2; x++)
                p[2][x] = 2 * p[1][x] - p[0][x] + (int64_t)st_rng_below(&rng, 2);
        if (round % 3 == 0) {                   /* corners of a rectangle: one circle */
            p[1][0] = p[0][0], p[3][1] = p[0][1];
            p[2][0] = p[3][0], p[2][1] = p[1][1];
        }
        double q[4][2];
        for (int i = 0; i < 4; i++)
            for (int x = 0; x < 2; x++)
                q[i][x] = 1000.0 + (double)p[i][x] * 0x1p-20;

        const __int128 ax = p[0][0] - p[2][0], ay = p[0][1] - p[2][1];
        const __int128 bx = p[1][0] - p[2][0], by = p[1][1] - p[2][1];
        const int turn = sign_of(ax * by - ay * bx);
        assert_int_equal(st_orient2d(q[0], q[1], q[2]), turn);
        zeros += turn == 0;

        __int128 d[3][3], det = 0;
        for (int i = 0; i < 3; i++) {
            d[i][0] = p[i][0] - p[3][0];
            d[i][1] = p[i][1] - p[3][1];
            d[i][2] = d[i][0] * d[i][0] + d[i][1] * d[i][1];
        }
        for (int i = 0; i < 3; i++) {
            const int j = (i + 1) % 3, k = (i + 2) % 3;
            det += d[i][2] * (d[j][0] * d[k][1] - d[j][1] * d[k][0]);
        }
        assert_int_equal(st_incircle(q[0], q[1], q[2], q[3]), sign_of(det));
        zeros += det == 0;
    }
    assert_true(zeros > 1000);
}

/* The textbook case: a point one ulp off a diagonal, where the plain formula says anything. */
static void one_ulp_is_seen(void **state)
{
    (void)state;
    for (int i = -40; i <= 40; i++)
        for (int j = -40; j <= 40; j++) {
            const double p[2] = {0.5 + i * 0x1p-53, 0.5 + j * 0x1p-53};
            const double b[2] = {12, 12}, c[2] = {24, 24};
            /* 0.5 - 2^-53 is a double and 0.5 + 2^-53 is not: compare what was stored. */
            assert_int_equal(st_orient2d(b, c, p), (p[0] < p[1]) - (p[0] > p[1]));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_are_those_of_integers),
        cmocka_unit_test(one_ulp_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
