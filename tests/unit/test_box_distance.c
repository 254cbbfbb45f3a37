/* Box distance against a quadratic program, box overlap against counting points. */
#include "check.h"
#include "random_box.h"

#include <float.h>

/* Solve the free part of H x = -g, H (6,6) symmetric positive semidefinite, by Cholesky; false
 * when the free directions are not independent. */
static bool solve_free(double x[6], double H[6][6], const double g[6], const int free_at[6], int n)
{
    double L[6][6] = {{0}}, y[6];
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = H[free_at[i]][free_at[j]];
            for (int k = 0; k < j; k++)
                sum -= L[i][k] * L[j][k];
            if (i == j && sum < 1e-12)
                return false;
            L[i][j] = i == j ? sqrt(sum) : sum / L[j][j];
        }
    for (int i = 0; i < n; i++) {
        y[i] = -g[free_at[i]];
        for (int k = 0; k < i; k++)
            y[i] -= L[i][k] * y[k];
        y[i] /= L[i][i];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            y[i] -= L[k][i] * y[k];
        y[i] /= L[i][i];
        x[free_at[i]] = y[i];
    }
    return true;
}

/* The oracle: minimise |D x + d|^2 over x = (u,v), |u_i| <= half of a, |v_i| <= half of b, by
 * trying all 3^6 ways to hold each variable at its low end, at its high end, or free. An extreme
 * point of the set of minimisers is stationary in its free variables and those are independent, so
 * one of the ways meets it; every other way, clamped, is a point of the boxes and can only be
 * farther. Knows nothing of faces, corners or edges. */
static double distance_by_quadratic_program(const st_obb *a, const st_obb *b)
{
    double D[3][6], d[3], half[6], H[6][6], least2 = DBL_MAX;
    for (int r = 0; r < 3; r++) {
        d[r] = a->center_m[r] - b->center_m[r];
        for (int i = 0; i < 3; i++) {
            D[r][i] = a->axis[i][r];
            D[r][3 + i] = -b->axis[i][r];
        }
    }
    for (int i = 0; i < 6; i++) {
        half[i] = i < 3 ? a->half_m[i] : b->half_m[i - 3];
        for (int j = 0; j < 6; j++)
            H[i][j] = D[0][i] * D[0][j] + D[1][i] * D[1][j] + D[2][i] * D[2][j];
    }
    for (int way = 0; way < 729; way++) {
        double x[6], rest[3] = {d[0], d[1], d[2]}, g[6];
        int free_at[6], n = 0;
        for (int i = 0, w = way; i < 6; i++, w /= 3) {
            x[i] = w % 3 == 0 ? 0.0 : w % 3 == 1 ? half[i] : -half[i];
            if (w % 3 == 0)
                free_at[n++] = i;
            for (int r = 0; r < 3; r++)
                rest[r] += D[r][i] * x[i];
        }
        for (int i = 0; i < 6; i++)
            g[i] = D[0][i] * rest[0] + D[1][i] * rest[1] + D[2][i] * rest[2];
        if (n > 3 || !solve_free(x, H, g, free_at, n))
            continue;           /* more than 3 directions of space are never independent */
        double sum2 = 0.0;
        for (int r = 0; r < 3; r++) {
            double gap = d[r];
            for (int i = 0; i < 6; i++)
                gap += D[r][i] * fmax(-half[i], fmin(half[i], x[i]));
            sum2 += gap * gap;
        }
        least2 = fmin(least2, sum2);
    }
    return sqrt(least2);
}

static void distance_is_the_programs(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(3);
    int apart = 0, joined = 0;
    for (uint64_t round = 0; round < 10000; round++) {
        const st_obb a = random_box(&rng, 2.0), b = related_box(&rng, &a, round);
        const double d = st_obb_distance(&a, &b), q = distance_by_quadratic_program(&a, &b);
        if (!(fabs(d - q) <= 1e-6))
            fail_msg("pair %d: distance %.12g, the program says %.12g", (int)round, d, q);
        assert_near(d, st_obb_distance(&b, &a), 1e-12);
        apart += d > 1e-6;
        joined += d <= 1e-6;
    }
    assert_true(apart > 2000 && joined > 2000);     /* the rounds do cover both */
}

static void distance_known_by_heart(void **state)
{
    (void)state;
    st_obb a = {.axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, .half_m = {1, 1, 1}}, b = a;
    b.center_m[0] = 5;
    assert_near(st_obb_distance(&a, &b), 3, 1e-15);
    b.center_m[1] = 6;
    assert_near(st_obb_distance(&a, &b), 5, 1e-15);         /* edge to edge, 3-4-5 */
    b = a;
    b.center_m[0] = 2;
    assert_true(st_obb_distance(&a, &b) == 0.0);            /* face on face */
    assert_true(st_obb_distance(&a, &a) == 0.0);
    b.center_m[0] = 2.0 + 1e-9;
    assert_near(st_obb_distance(&a, &b), 1e-9, 1e-15);

    /* A far-away origin costs the digits of the coordinates, no more. */
    for (int x = 0; x < 3; x++)
        a.center_m[x] += 9e4, b.center_m[x] += 9e4;
    b.center_m[0] = a.center_m[0] + 5;
    assert_near(st_obb_distance(&a, &b), 3, 1e-10);
}

/* Move both boxes the same way: nothing changes. Make the world k times larger: k times. */
static void distance_moves_and_grows_along(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(4);
    for (uint64_t round = 0; round < 500; round++) {
        st_obb pair[2];
        pair[0] = random_box(&rng, 2.0);
        pair[1] = related_box(&rng, &pair[0], round);
        const double before = st_obb_distance(&pair[0], &pair[1]);
        const double overlap = st_obb_overlap(&pair[0], &pair[1]);
        const double k = st_rng_between(&rng, 0.1, 10), turn = st_rng_between(&rng, -3, 3);
        for (int i = 0; i < 2; i++) {
            double (*rows[4])[3] = {&pair[i].center_m, &pair[i].axis[0], &pair[i].axis[1],
                                    &pair[i].axis[2]};
            for (int r = 0; r < 4; r++) {
                double *p = *rows[r];
                const double x = p[0], y = p[1];
                p[0] = cos(turn) * x - sin(turn) * y;
                p[1] = sin(turn) * x + cos(turn) * y;
            }
            for (int x = 0; x < 3; x++) {
                pair[i].center_m[x] = k * pair[i].center_m[x] + 3.0;
                pair[i].half_m[x] *= k;
            }
        }
        /* Touching boxes may round to either side of touching. */
        assert_near(st_obb_distance(&pair[0], &pair[1]), k * before, 1e-9);
        assert_near(st_obb_overlap(&pair[0], &pair[1]), overlap, 1e-7);
    }
}

/* Overlap of tilted boxes by counting the points of a fine grid over the first. */
static void overlap_is_what_counting_says(void **state)
{
    (void)state;
    enum { SIDE = 40 };
    st_rng rng = st_rng_from(5);
    for (int round = 0; round < 60; round++) {
        const st_obb a = random_box(&rng, 0.3), b = random_box(&rng, 0.3);
        int hits = 0;
        for (int n = 0; n < SIDE * SIDE * SIDE; n++) {
            const int at[3] = {n % SIDE, n / SIDE % SIDE, n / SIDE / SIDE};
            double p[3] = {a.center_m[0], a.center_m[1], a.center_m[2]};
            for (int i = 0; i < 3; i++)
                for (int x = 0; x < 3; x++)
                    p[x] += ((at[i] + 0.5) / SIDE * 2 - 1) * a.half_m[i] * a.axis[i][x];
            hits += st_obb_contains(&b, p, 0.0);
        }
        const double common = st_obb_volume(&a) * hits / (SIDE * SIDE * SIDE);
        const double counted = common / (st_obb_volume(&a) + st_obb_volume(&b) - common);
        assert_near(st_obb_overlap(&a, &b), counted, 0.01);
    }
}

static void overlap_known_by_heart(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(6);
    for (int round = 0; round < 200; round++) {
        const st_obb a = random_box(&rng, 2.0);
        st_obb b = a;
        assert_near(st_obb_overlap(&a, &b), 1.0, 1e-7);     /* every face coincides */
        for (int x = 0; x < 3; x++)
            b.center_m[x] += a.half_m[0] * a.axis[0][x];    /* half of it slid out */
        assert_near(st_obb_overlap(&a, &b), 1.0 / 3.0, 1e-6);
        for (int x = 0; x < 3; x++)
            b.center_m[x] += a.half_m[0] * a.axis[0][x];    /* only a face in common */
        assert_near(st_obb_overlap(&a, &b), 0.0, 1e-6);
        b = a;
        for (int i = 0; i < 3; i++)
            b.half_m[i] *= 0.5;                             /* nested */
        assert_near(st_obb_overlap(&a, &b), 0.125, 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_is_the_programs),
        cmocka_unit_test(distance_known_by_heart),
        cmocka_unit_test(distance_moves_and_grows_along),
        cmocka_unit_test(overlap_is_what_counting_says),
        cmocka_unit_test(overlap_known_by_heart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
