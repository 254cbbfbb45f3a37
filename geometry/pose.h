/* pose.h - rotations and rigid motions: axis and angle, interpolation, the nearest rotation.
 *
 * A rotation is three rows, row-major; a pose is a row-major 4x4 with the last row 0 0 0 1, and
 * p_world = world_from_camera * p_camera. A pose's centre is its translation column (data.md 1.2).
 *
 * May include: kernels/base.
 */
#ifndef ST_GEOMETRY_POSE_H
#define ST_GEOMETRY_POSE_H

#include "kernels/base/status.h"

/* Rotation about the direction of `turn_rad` by its length (Rodrigues; the series below 1e-8). */
void st_rotation_from_axis_angle(double rotation[3][3], const double turn_rad[3]);

/* The rotation nearest to a 3x3 matrix: M = U S V^T gives U diag(1,1,det(U V^T)) V^T. Closest by
 * sum of squares; a mirrored matrix gives a rotation too, never a reflection.
 *
 * Fails   ST_ERR_NUMERIC not finite, or no nearest one: two of the three singular values vanish;
 *         ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_rotation_project(double rotation[3][3], const double matrix[3][3]);

/* Worst entry of |R R^T - I| and | |det R| - 1 |: 0 for a rotation or a reflection. */
double st_rotation_error(const double matrix[3][3]);

/* The shorter way from a (share 0) to b (share 1), at constant speed. Opposite rotations have no
 * shorter way; the one that the quaternions name first is taken. */
void st_rotation_between(double rotation[3][3], const double a[3][3], const double b[3][3],
                         double share);

/* Angle of the turn that takes a to b, in [0, pi]. */
double st_rotation_angle_rad(const double a[3][3], const double b[3][3]);

/* --- rigid motions --- */

void st_pose_apply(double out[3], const double pose[16], const double point_m[3]);
void st_pose_multiply(double out[16], const double a[16], const double b[16]);   /* out = a b */

/* Inverse of a rigid motion: R^T and -R^T t. Project first what may have drifted. */
void st_pose_inverse(double out[16], const double pose[16]);

/* Check a motion as it comes from a file, and project its rotation part to the nearest rotation.
 *
 * Fails   ST_ERR_NUMERIC an element is not finite; ST_ERR_DATA orthonormality or determinant is
 *         off by more than 1e-3, or the last row is not 0 0 0 1, with the error (data.md 1.2).
 */
ST_CHECKED st_status st_pose_mend(double out[16], const double pose[16]);

#endif
