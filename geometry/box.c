/* box.c - a box as it comes from outside, its corners and measures, points in and near it. */
#include "geometry/box.h"

#include "geometry/internal.h"
#include "geometry/pose.h"
#include "kernels/base/limits.h"

#include <string.h>

/* Axes this close to orthonormal are left as they are, to the last bit: published boxes are
 * orthonormal to 4e-16, and the sampled distance repeats the rounding of their very digits. */
static const double AXES_EXACT = 1e-9, AXES_MENDABLE = 1e-2;

st_status st_obb_from_parts(st_obb *box, const double center_m[3], const double size_m[3],
                            const double axes[9])
{
    for (int i = 0; i < 3; i++) {
        if (!(fabs(center_m[i]) <= ST_COORDINATE_M_MAX))
            return ST_FAIL(ST_ERR_NUMERIC, "box centre must be finite and within 100 km, is %g",
                           center_m[i]);
        if (!(fabs(size_m[i]) <= ST_COORDINATE_M_MAX))
            return ST_FAIL(ST_ERR_NUMERIC, "box side must be finite and below 100 km, is %g",
                           size_m[i]);
    }
    st_obb made;
    for (int i = 0; i < 9; i++) {
        if (!isfinite(axes[i]))
            return ST_FAIL(ST_ERR_NUMERIC, "box axis %d is not finite", i / 3);
        made.axis[i / 3][i % 3] = axes[i];
    }
    const double error = st_rotation_error(made.axis);
    if (error > AXES_MENDABLE)
        return ST_FAIL(ST_ERR_DATA,
                       "box axes are off orthonormal by %.3g, at most %g can be mended", error,
                       AXES_MENDABLE);

    int smallest = 0;
    for (int i = 0; i < 3; i++) {
        made.center_m[i] = center_m[i];
        made.half_m[i] = 0.5 * fabs(size_m[i]);
        if (made.half_m[i] < made.half_m[smallest])
            smallest = i;
    }
    if (sti_determinant(made.axis) < 0.0)
        for (int j = 0; j < 3; j++)
            made.axis[smallest][j] = -made.axis[smallest][j];
    if (error > AXES_EXACT)
        ST_TRY(st_rotation_project(made.axis, made.axis));
    *box = made;
    return st_ok();
}

void st_obb_corners(double corners_m[8][3], const st_obb *box)
{
    for (int k = 0; k < 8; k++)
        for (int j = 0; j < 3; j++) {
            double x = box->center_m[j];
            for (int i = 0; i < 3; i++)
                x += (k >> i & 1 ? box->half_m[i] : -box->half_m[i]) * box->axis[i][j];
            corners_m[k][j] = x;
        }
}

void st_obb_bounds(double min_m[3], double max_m[3], const st_obb *box)
{
    double corners_m[8][3];
    st_obb_corners(corners_m, box);
    memcpy(min_m, corners_m[0], sizeof corners_m[0]);
    memcpy(max_m, corners_m[0], sizeof corners_m[0]);
    for (int k = 1; k < 8; k++)
        for (int j = 0; j < 3; j++) {
            min_m[j] = fmin(min_m[j], corners_m[k][j]);
            max_m[j] = fmax(max_m[j], corners_m[k][j]);
        }
}

double st_obb_longest_side(const st_obb *box)
{
    return 2.0 * fmax(fmax(box->half_m[0], box->half_m[1]), box->half_m[2]);
}

double st_obb_shortest_side(const st_obb *box)
{
    return 2.0 * fmin(fmin(box->half_m[0], box->half_m[1]), box->half_m[2]);
}

double st_obb_volume(const st_obb *box)
{
    return 8.0 * box->half_m[0] * box->half_m[1] * box->half_m[2];
}

double st_obb_tilt_deg(const st_obb *box)
{
    int k = 0;
    for (int i = 1; i < 3; i++)
        if (fabs(box->axis[i][2]) > fabs(box->axis[k][2]))
            k = i;
    /* atan2, not acos: near upright, acos loses half of the digits. */
    const double level = hypot(box->axis[k][0], box->axis[k][1]);
    return atan2(level, fabs(box->axis[k][2])) * 180.0 / STI_PI;
}

bool st_obb_contains(const st_obb *box, const double point_m[3], double margin_m)
{
    const double d[3] = {point_m[0] - box->center_m[0], point_m[1] - box->center_m[1],
                         point_m[2] - box->center_m[2]};
    for (int i = 0; i < 3; i++)
        if (!(fabs(sti_dot(d, box->axis[i])) <= box->half_m[i] + margin_m))
            return false;
    return true;
}

double st_obb_point_distance(const st_obb *box, const double point_m[3])
{
    const double d[3] = {point_m[0] - box->center_m[0], point_m[1] - box->center_m[1],
                         point_m[2] - box->center_m[2]};
    double outside[3];
    for (int i = 0; i < 3; i++)
        outside[i] = fmax(fabs(sti_dot(d, box->axis[i])) - box->half_m[i], 0.0);
    return sti_length(outside);
}

st_status st_bearing_deg(double *bearing_deg, const double from_m[2], const double facing_m[2],
                         const double target_m[2])
{
    static const double COINCIDE_M = 1e-9;
    const double fx = facing_m[0] - from_m[0], fy = facing_m[1] - from_m[1];
    const double tx = target_m[0] - from_m[0], ty = target_m[1] - from_m[1];
    if (!(hypot(fx, fy) > COINCIDE_M))
        return ST_FAIL(ST_ERR_NUMERIC, "standing on what is faced: no direction of view");
    if (!(hypot(tx, ty) > COINCIDE_M))
        return ST_FAIL(ST_ERR_NUMERIC, "standing on the target: no bearing");

    double deg = atan2(fx * ty - fy * tx, fx * tx + fy * ty) * 180.0 / STI_PI;
    if (deg < 0.0)
        deg += 360.0;
    if (!isfinite(deg))
        return ST_FAIL(ST_ERR_NUMERIC, "a point of a bearing is not finite");
    *bearing_deg = deg < 360.0 ? deg : 0.0;     /* -1e-15 + 360 rounds up to 360 */
    return st_ok();
}
