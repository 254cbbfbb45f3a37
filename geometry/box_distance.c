/* box_distance.c - exact distance of two solid boxes, and the share of space they have in common.
 */
#include "geometry/box.h"

#include "geometry/internal.h"

#include <float.h>
#include <string.h>

/* Does a plane stand between the boxes? Two convex polyhedra are disjoint exactly when the normal
 * of a face or the cross product of two edges separates them: 3 + 3 + 9 directions.
 * Source: Gottschalk, Lin, Manocha 1996. */
static bool separated(const st_obb *a, const st_obb *b, const double from_a_to_b[3])
{
    double dir[15][3];
    int count = 0;
    for (int i = 0; i < 3; i++, count++)
        memcpy(dir[count], a->axis[i], sizeof dir[0]);
    for (int i = 0; i < 3; i++, count++)
        memcpy(dir[count], b->axis[i], sizeof dir[0]);
    for (int i = 0; i < 9; i++) {
        double across[3];
        sti_cross(across, a->axis[i / 3], b->axis[i % 3]);
        const double length = sti_length(across);
        if (length < 1e-9)
            continue;           /* parallel edges: the face normals speak for them */
        for (int j = 0; j < 3; j++)
            dir[count][j] = across[j] / length;
        count++;
    }
    for (int k = 0; k < count; k++) {
        double reach = 0.0;
        for (int i = 0; i < 3; i++)
            reach += a->half_m[i] * fabs(sti_dot(a->axis[i], dir[k])) +
                     b->half_m[i] * fabs(sti_dot(b->axis[i], dir[k]));
        if (fabs(sti_dot(from_a_to_b, dir[k])) > reach)
            return true;
    }
    return false;
}

/* Squared distance of segments p + s u and q + t v, s and t in [0,1].
 * Source: Ericson, Real-Time Collision Detection, 5.1.9. */
static double segments_apart2(const double p[3], const double u[3], const double q[3],
                              const double v[3])
{
    static const double PARALLEL = 1e-14;
    const double w[3] = {p[0] - q[0], p[1] - q[1], p[2] - q[2]};
    const double uu = sti_dot(u, u), vv = sti_dot(v, v), uv = sti_dot(u, v);
    const double uw = sti_dot(u, w), vw = sti_dot(v, w);

    double s = 0.0, t = 0.0;
    if (uu > PARALLEL && vv > PARALLEL) {
        const double denominator = uu * vv - uv * uv;
        if (denominator > PARALLEL * uu * vv)
            s = sti_clamp((uv * vw - uw * vv) / denominator, 0.0, 1.0);
        t = (uv * s + vw) / vv;
        if (t < 0.0) {
            t = 0.0;
            s = sti_clamp(-uw / uu, 0.0, 1.0);
        } else if (t > 1.0) {
            t = 1.0;
            s = sti_clamp((uv - uw) / uu, 0.0, 1.0);
        }
    } else if (uu > PARALLEL) {
        s = sti_clamp(-uw / uu, 0.0, 1.0);
    } else if (vv > PARALLEL) {
        t = sti_clamp(vw / vv, 0.0, 1.0);
    }
    double apart2 = 0.0;
    for (int j = 0; j < 3; j++) {
        const double d = w[j] + s * u[j] - t * v[j];
        apart2 += d * d;
    }
    return apart2;
}

/* Edge e of a box: four along each axis, from the corner whose bit of that axis is 0. */
static int edge_start(int e)
{
    const int axis = e / 4, low = e % 4 & 1, high = e % 4 >> 1;
    const int j = (axis + 1) % 3, k = (axis + 2) % 3;
    return low << j | high << k;
}

/* The closest pair of two disjoint convex polyhedra is a corner and a face, or two edges: what
 * else there is, such as face and face, contains one of these (data.md 8.5). */
double st_obb_distance(const st_obb *a, const st_obb *b)
{
    /* Measured from the centre of a, so that a far-away origin costs no digits. */
    st_obb near_a = *a, near_b = *b;
    for (int j = 0; j < 3; j++) {
        near_a.center_m[j] = 0.0;
        near_b.center_m[j] = b->center_m[j] - a->center_m[j];
    }
    if (!separated(&near_a, &near_b, near_b.center_m))
        return 0.0;

    double ca[8][3], cb[8][3], least = DBL_MAX;
    st_obb_corners(ca, &near_a);
    st_obb_corners(cb, &near_b);
    for (int k = 0; k < 8; k++) {
        least = fmin(least, st_obb_point_distance(&near_b, ca[k]));
        least = fmin(least, st_obb_point_distance(&near_a, cb[k]));
    }

    double least2 = least * least;
    double side_a[3][3], side_b[3][3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            side_a[i][j] = 2.0 * near_a.half_m[i] * near_a.axis[i][j];
            side_b[i][j] = 2.0 * near_b.half_m[i] * near_b.axis[i][j];
        }
    for (int e = 0; e < 12; e++)
        for (int f = 0; f < 12; f++)
            least2 = fmin(least2, segments_apart2(ca[edge_start(e)], side_a[e / 4],
                                                  cb[edge_start(f)], side_b[f / 4]));
    return sqrt(least2);
}

/* --- common volume --- */

typedef struct polygon {
    double p[16][3];
    int    count;
} polygon;

/* Keep the part with normal . p <= offset (Sutherland and Hodgman 1974). */
static void clip(polygon *poly, const double normal[3], double offset)
{
    polygon kept = {.count = 0};
    for (int i = 0; i < poly->count; i++) {
        const double *p = poly->p[i], *q = poly->p[(i + 1) % poly->count];
        const double dp = sti_dot(normal, p) - offset, dq = sti_dot(normal, q) - offset;
        if (dp <= 0.0)
            memcpy(kept.p[kept.count++], p, sizeof kept.p[0]);
        if ((dp <= 0.0) != (dq <= 0.0)) {
            const double t = dp / (dp - dq);
            for (int j = 0; j < 3; j++)
                kept.p[kept.count][j] = p[j] + t * (q[j] - p[j]);
            kept.count++;
        }
    }
    *poly = kept;
}

/* Face 2 i + side of `box`, counter-clockwise from outside, cut to `other` grown by `margin_m`. */
static polygon face_inside(const st_obb *box, int face, const st_obb *other, double margin_m)
{
    const int i = face / 2, j = (i + 1) % 3, k = (i + 2) % 3;
    const double sign = face % 2 ? 1.0 : -1.0;
    static const double around[4][2] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
    polygon poly = {.count = 4};
    for (int n = 0; n < 4; n++)
        for (int x = 0; x < 3; x++)
            poly.p[n][x] = box->center_m[x] + sign * box->half_m[i] * box->axis[i][x] +
                           around[n][0] * sign * box->half_m[j] * box->axis[j][x] +
                           around[n][1] * box->half_m[k] * box->axis[k][x];
    for (int n = 0; n < 3 && poly.count; n++) {
        const double middle = sti_dot(other->axis[n], other->center_m);
        const double reach = other->half_m[n] + margin_m;
        const double back[3] = {-other->axis[n][0], -other->axis[n][1], -other->axis[n][2]};
        clip(&poly, other->axis[n], middle + reach);
        clip(&poly, back, reach - middle);
    }
    return poly;
}

/* The surface of the intersection is each box's faces inside the other. Where faces coincide they
 * must count once: faces of a are kept on the border of b, faces of b are not kept on the border
 * of a, by a margin that is far above rounding and far below any size of interest. */
static double common_volume(const st_obb *a, const st_obb *b)
{
    static const double BORDER_M = 1e-9;
    polygon faces[12];
    double inside[3] = {0.0, 0.0, 0.0};         /* a point of the intersection */
    int corners = 0;
    for (int f = 0; f < 12; f++) {
        faces[f] = f < 6 ? face_inside(a, f, b, BORDER_M) : face_inside(b, f - 6, a, -BORDER_M);
        for (int n = 0; n < faces[f].count; n++, corners++)
            for (int x = 0; x < 3; x++)
                inside[x] += faces[f].p[n][x];
    }
    if (corners == 0)
        return 0.0;
    for (int x = 0; x < 3; x++)
        inside[x] /= corners;

    double six = 0.0;           /* six times the volume: a tetrahedron per triangle of a fan */
    for (int f = 0; f < 12; f++)
        for (int n = 1; n + 1 < faces[f].count; n++) {
            double e[3][3];
            for (int x = 0; x < 3; x++) {
                e[0][x] = faces[f].p[0][x] - inside[x];
                e[1][x] = faces[f].p[n][x] - inside[x];
                e[2][x] = faces[f].p[n + 1][x] - inside[x];
            }
            six += sti_determinant(e);
        }
    return fmax(six / 6.0, 0.0);
}

double st_obb_overlap(const st_obb *a, const st_obb *b)
{
    st_obb near_a = *a, near_b = *b;
    for (int j = 0; j < 3; j++) {
        near_a.center_m[j] = 0.0;
        near_b.center_m[j] = b->center_m[j] - a->center_m[j];
    }
    if (separated(&near_a, &near_b, near_b.center_m))
        return 0.0;
    const double common = common_volume(&near_a, &near_b);
    const double all = st_obb_volume(a) + st_obb_volume(b) - common;
    return all > 0.0 ? sti_clamp(common / all, 0.0, 1.0) : 0.0;
}
