/* fit.c - the upright and the principal box, and what all fits share: sorted points, their spread,
 * boxes from a frame.
 */
#include "geometry/fit.h"

#include "geometry/fit_internal.h"
#include "geometry/internal.h"
#include "kernels/base/limits.h"

#include <float.h>
#include <lapacke.h>
#include <string.h>

/* --- points --- */

st_status sti_fit_points(double (**points)[3], size_t *count, st_arena *scratch,
                         const double (*points_m)[3], size_t n)
{
    if (n < 1 || n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a box needs 1 to %zu points, got %zu", ST_POINTS_MAX, n);
    return sti_points_distinct(points, count, scratch, points_m, n);
}

void sti_orthonormalise(double axis[3][3])
{
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < i; j++) {
            const double along = sti_dot(axis[i], axis[j]);
            for (int x = 0; x < 3; x++)
                axis[i][x] -= along * axis[j][x];
        }
        const double length = sti_length(axis[i]);
        for (int x = 0; x < 3; x++)
            axis[i][x] /= length;
    }
    sti_cross(axis[2], axis[0], axis[1]);
}

/* Eigenvectors of the covariance, largest variance first, right-handed. LAPACK picks its kernels
 * by CPU and may differ in the last bits, so the axes are rounded to 2^-40 and made orthonormal
 * again: what depends on them is then the same everywhere.
 *
 * The covariance squares the spread, which leaves 1e-8 of it as rounding: enough to tell a plane
 * at 1e-6, and three numbers instead of three times N. */
st_status sti_fit_spread(sti_spread *spread, const double (*p)[3], size_t n)
{
    double mean[3] = {0.0, 0.0, 0.0}, c[9] = {0}, variance[3];
    for (size_t i = 0; i < n; i++)
        for (int x = 0; x < 3; x++)
            mean[x] += p[i][x] - p[0][x];
    for (int x = 0; x < 3; x++)
        mean[x] = p[0][x] + mean[x] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (int x = 0; x < 3; x++)
            for (int y = x; y < 3; y++)
                c[3 * x + y] += (p[i][x] - mean[x]) * (p[i][y] - mean[y]);

    const double trace = c[0] + c[4] + c[8];
    *spread = (sti_spread){.axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, .shape = ST_SHAPE_POINT};
    if (n == 1 || !(trace > 0.0))
        return st_ok();
    for (int i = 0; i < 9; i++)
        c[i] /= trace;
    const lapack_int info = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', 3, c, 3, variance);
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for the principal axes of %zu points", n);
    if (info != 0)
        return ST_FAIL(ST_ERR_NUMERIC, "no principal axes of %zu points (dsyev says %d)", n,
                       (int)info);

    double axis[3][3];
    for (int i = 0; i < 3; i++) {               /* columns of c, rising: the last is the largest */
        int largest = 0;
        for (int x = 0; x < 3; x++) {
            axis[i][x] = round(c[3 * x + 2 - i] * 0x1p40) * 0x1p-40;
            if (fabs(axis[i][x]) > fabs(axis[i][largest]) + 1e-9)
                largest = x;
        }
        if (axis[i][largest] < 0.0)
            for (int x = 0; x < 3; x++)
                axis[i][x] = -axis[i][x];
    }
    sti_orthonormalise(axis);
    memcpy(spread->axis, axis, sizeof axis);
    static const double FLAT = 1e-6 * 1e-6;     /* of the spread, so squared for the variance */
    spread->shape = variance[1] < FLAT * variance[2]   ? ST_SHAPE_LINE
                    : variance[0] < FLAT * variance[2] ? ST_SHAPE_PLANE
                                                       : ST_SHAPE_SOLID;
    return st_ok();
}

/* --- boxes --- */

void sti_fit_clamp(st_fit *fit)
{
    fit->thin = false;
    for (int i = 0; i < 3; i++)
        if (!(fit->box.half_m[i] >= 0.5 * ST_SIDE_M_MIN)) {
            fit->box.half_m[i] = 0.5 * ST_SIDE_M_MIN;
            fit->thin = true;
        }
}

st_obb sti_fit_along(const double axis[3][3], const double (*p)[3], size_t n)
{
    double low[3], high[3];
    for (int i = 0; i < 3; i++)
        low[i] = high[i] = sti_dot(axis[i], p[0]);
    for (size_t k = 1; k < n; k++)
        for (int i = 0; i < 3; i++) {
            const double at = sti_dot(axis[i], p[k]);
            low[i] = at < low[i] ? at : low[i];
            high[i] = at > high[i] ? at : high[i];
        }
    st_obb box;
    memcpy(box.axis, axis, sizeof box.axis);
    for (int x = 0; x < 3; x++) {
        box.center_m[x] = 0.0;
        for (int i = 0; i < 3; i++)
            box.center_m[x] += 0.5 * (low[i] + high[i]) * axis[i][x];
        box.half_m[x] = 0.5 * (high[x] - low[x]);
    }
    return box;
}

/* Axis 0 is the longer horizontal side. The rectangle's first side turns by (-45,45] degrees, its
 * second by 90 more, so a yaw in (-90,90] is one of them or the second one reversed. */
st_obb sti_fit_upright(const double (*p)[3], size_t n, double (*xy)[2], double (*spare)[2])
{
    static const double SAME_SIDE_M = 1e-4;
    for (size_t i = 0; i < n; i++)
        memcpy(xy[i], p[i], sizeof *xy);
    const size_t h = sti_hull_xy(xy, n, spare);
    double c = 1.0, s = 0.0;
    if (h >= 2) {
        const sti_rectangle r = sti_least_rectangle((const double (*)[2])xy, h);
        const double side[2] = {r.max_m[0] - r.min_m[0], r.max_m[1] - r.min_m[1]};
        c = cos(r.turn_rad);
        s = sin(r.turn_rad);
        if (side[1] > side[0] + SAME_SIDE_M) {
            const double across = c;
            c = fabs(s);                        /* turn + 90 degrees, or that reversed */
            s = s > 0.0 ? -across : across;
        }
    }
    /* x + 0.0: no axis carries a negative zero into a file. */
    const double axis[3][3] = {{c, s + 0.0, 0.0}, {-s + 0.0, c, 0.0}, {0.0, 0.0, 1.0}};
    return sti_fit_along(axis, p, n);
}

static st_status upright(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n)
{
    double (*p)[3], (*xy)[2], (*spare)[2];
    size_t distinct;
    sti_spread spread;
    ST_TRY(sti_fit_points(&p, &distinct, scratch, points_m, n));
    ST_TRY(ST_ALLOC(scratch, &xy, distinct));
    ST_TRY(ST_ALLOC(scratch, &spare, 2 * distinct));
    ST_TRY(sti_fit_spread(&spread, (const double (*)[3])p, distinct));
    fit->box = sti_fit_upright((const double (*)[3])p, distinct, xy, spare);
    fit->shape = spread.shape;
    sti_fit_clamp(fit);
    return st_ok();
}

st_status st_fit_upright(st_fit *fit, st_arena *scratch, const double (*points_m)[3], size_t n)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    st_fit made;
    const st_status s = upright(&made, scratch, points_m, n);
    st_arena_rewind(scratch, mark);
    if (s.code == ST_OK)
        *fit = made;
    return s;
}
