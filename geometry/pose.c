/* pose.c - rotations and rigid motions. */
#include "geometry/pose.h"

#include "geometry/internal.h"

#include <float.h>
#include <lapacke.h>
#include <string.h>

/* A file prints six decimals; a thousandth is far more than they lose, and far less than a wrong
 * matrix shows. */
static const double RIGID_ERROR_MAX = 1e-3;

void st_rotation_from_axis_angle(double rotation[3][3], const double turn_rad[3])
{
    const double angle_rad = sti_length(turn_rad);
    const double x = turn_rad[0], y = turn_rad[1], z = turn_rad[2];
    const double skew[3][3] = {{0.0, -z, y}, {z, 0.0, -x}, {-y, x, 0.0}};

    /* R = I + s K + c K^2 with K = [turn]x, s = sin(a)/a,
     * c = (1 - cos a)/a^2 = 2 sin^2(a/2)/a^2. */
    double s = 1.0, c = 0.5;
    if (angle_rad >= 1e-8) {
        const double half = sin(0.5 * angle_rad) / angle_rad;
        s = sin(angle_rad) / angle_rad;
        c = 2.0 * half * half;
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double square = 0.0;
            for (int k = 0; k < 3; k++)
                square += skew[i][k] * skew[k][j];
            rotation[i][j] = (i == j) + s * skew[i][j] + c * square;
        }
}

st_status st_rotation_project(double rotation[3][3], const double matrix[3][3])
{
    double m[9], scale[3], u[9], vt[9], spare[2];
    for (int i = 0; i < 9; i++) {
        m[i] = matrix[i / 3][i % 3];
        if (!isfinite(m[i]))
            return ST_FAIL(ST_ERR_NUMERIC, "row %d of a rotation holds %g", i / 3, m[i]);
    }
    const lapack_int info = LAPACKE_dgesvd(LAPACK_ROW_MAJOR, 'A', 'A', 3, 3, m, 3, scale, u, 3, vt,
                                           3, spare);
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for the singular values of a rotation");
    if (info != 0)
        return ST_FAIL(ST_ERR_NUMERIC, "no singular values of a rotation (dgesvd says %d)",
                       (int)info);
    if (!(scale[1] > 1e-12 * scale[0]))
        return ST_FAIL(ST_ERR_NUMERIC, "a matrix of rank below 2 has no nearest rotation");

    double r[2][3][3];
    for (int flip = 0; flip < 2; flip++)        /* last column of U as it is, then negated */
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                const double last = u[3 * i + 2] * vt[6 + j];
                r[flip][i][j] = u[3 * i] * vt[j] + u[3 * i + 1] * vt[3 + j] + (flip ? -last : last);
            }
    memcpy(rotation, r[sti_determinant(r[0]) < 0.0], sizeof r[0]);
    return st_ok();
}

double st_rotation_error(const double matrix[3][3])
{
    double worst = fabs(fabs(sti_determinant(matrix)) - 1.0);
    for (int i = 0; i < 3; i++)
        for (int j = i; j < 3; j++) {
            const double error = fabs(sti_dot(matrix[i], matrix[j]) - (i == j));
            if (!(error <= worst))
                worst = error;                  /* NaN stays */
        }
    return worst;
}

/* (w,x,y,z) of a rotation, from the largest of its four squares, so that nothing is divided by a
 * small number. Source: Shepperd 1978. */
static void quaternion(double q[4], const double r[3][3])
{
    const double trace = r[0][0] + r[1][1] + r[2][2];
    int largest = 0;
    double most = trace;
    for (int i = 0; i < 3; i++)
        if (r[i][i] > most) {
            most = r[i][i];
            largest = i + 1;
        }
    if (largest == 0) {
        const double w = 0.5 * sqrt(fmax(1.0 + trace, 0.0));
        q[0] = w;
        q[1] = (r[2][1] - r[1][2]) / (4.0 * w);
        q[2] = (r[0][2] - r[2][0]) / (4.0 * w);
        q[3] = (r[1][0] - r[0][1]) / (4.0 * w);
        return;
    }
    const int i = largest - 1, j = (i + 1) % 3, k = (i + 2) % 3;
    const double x = 0.5 * sqrt(fmax(1.0 + r[i][i] - r[j][j] - r[k][k], 0.0));
    q[0] = (r[k][j] - r[j][k]) / (4.0 * x);
    q[1 + i] = x;
    q[1 + j] = (r[j][i] + r[i][j]) / (4.0 * x);
    q[1 + k] = (r[k][i] + r[i][k]) / (4.0 * x);
}

/* The turn from a to b, b = turn a, as a quaternion with w >= 0. */
static void turn_between(double q[4], const double a[3][3], const double b[3][3])
{
    double turn[3][3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            turn[i][j] = sti_dot(b[i], a[j]);   /* b a^T: rows against rows */
    quaternion(q, turn);
    if (q[0] < 0.0)
        for (int i = 0; i < 4; i++)
            q[i] = -q[i];
}

void st_rotation_between(double rotation[3][3], const double a[3][3], const double b[3][3],
                         double share)
{
    double q[4], turn[3][3], out[3][3];
    turn_between(q, a, b);
    const double length = sti_length(q + 1), angle_rad = 2.0 * atan2(length, q[0]);
    const double scale = length > 0.0 ? share * angle_rad / length : 0.0;
    const double turn_rad[3] = {scale * q[1], scale * q[2], scale * q[3]};
    st_rotation_from_axis_angle(turn, turn_rad);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[i][j] = turn[i][0] * a[0][j] + turn[i][1] * a[1][j] + turn[i][2] * a[2][j];
    memcpy(rotation, out, sizeof out);
}

double st_rotation_angle_rad(const double a[3][3], const double b[3][3])
{
    double q[4];
    turn_between(q, a, b);
    return 2.0 * atan2(sti_length(q + 1), q[0]);
}

void st_pose_apply(double out[3], const double pose[16], const double point_m[3])
{
    double moved[3];
    for (int i = 0; i < 3; i++)
        moved[i] = sti_dot(pose + 4 * i, point_m) + pose[4 * i + 3];
    memcpy(out, moved, sizeof moved);
}

void st_pose_multiply(double out[16], const double a[16], const double b[16])
{
    double product[16];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            double sum = 0.0;
            for (int k = 0; k < 4; k++)
                sum += a[4 * i + k] * b[4 * k + j];
            product[4 * i + j] = sum;
        }
    memcpy(out, product, sizeof product);
}

void st_pose_inverse(double out[16], const double pose[16])
{
    double back[16] = {[15] = 1.0};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            back[4 * i + j] = pose[4 * j + i];
            back[4 * i + 3] -= pose[4 * j + i] * pose[4 * j + 3];
        }
    }
    memcpy(out, back, sizeof back);
}

st_status st_pose_mend(double out[16], const double pose[16])
{
    for (int i = 0; i < 16; i++)
        if (!isfinite(pose[i]))
            return ST_FAIL(ST_ERR_NUMERIC, "element %d of a rigid motion is %g", i, pose[i]);
    static const double last[4] = {0.0, 0.0, 0.0, 1.0};
    for (int j = 0; j < 4; j++)
        if (fabs(pose[12 + j] - last[j]) > RIGID_ERROR_MAX)
            return ST_FAIL(ST_ERR_DATA,
                           "the last row of a rigid motion must be 0 0 0 1, is %g %g %g %g",
                           pose[12], pose[13], pose[14], pose[15]);

    double linear[3][3], rotation[3][3];
    for (int i = 0; i < 3; i++)
        memcpy(linear[i], pose + 4 * i, sizeof linear[i]);
    const double error = st_rotation_error(linear), det = sti_determinant(linear);
    if (!(error <= RIGID_ERROR_MAX) || det < 0.0)
        return ST_FAIL(ST_ERR_DATA,
                       "not a rigid motion: off orthonormal by %g, at most %g can be mended: "
                       "determinant %g",
                       error, RIGID_ERROR_MAX, det);
    ST_TRY(st_rotation_project(rotation, linear));

    double mended[16] = {[15] = 1.0};
    for (int i = 0; i < 3; i++) {
        memcpy(mended + 4 * i, rotation[i], sizeof rotation[i]);
        mended[4 * i + 3] = pose[4 * i + 3];
    }
    memcpy(out, mended, sizeof mended);
    return st_ok();
}
