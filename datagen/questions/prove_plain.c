/* prove_plain.c - boxes measured from their corners and edges, one after the other. */
#include "datagen/questions/prove_plain.h"

#include <math.h>
#include <string.h>

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static double gap(const double a[3], const double b[3])
{
    const double d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
    return sqrt(dot(d, d));
}

void sti_plain_corners(double corners_m[8][3], const st_obb *box)
{
    for (int c = 0; c < 8; c++)
        for (int j = 0; j < 3; j++) {
            corners_m[c][j] = box->center_m[j];
            for (int k = 0; k < 3; k++)
                corners_m[c][j] += ((c >> k & 1) ? 1.0 : -1.0) * box->half_m[k] * box->axis[k][j];
        }
}

double sti_plain_longest_side(const st_obb *box)
{
    double corners_m[8][3], longest_m = 0.0;
    sti_plain_corners(corners_m, box);
    for (int k = 0; k < 3; k++)
        longest_m = fmax(longest_m, gap(corners_m[0], corners_m[1 << k]));
    return longest_m;
}

/* --- distance --------------------------------------------------------------------------------- */

/* The point of the solid box that is nearest to p: each coordinate along the axes is clamped. */
static void nearest_in_box(double on_m[3], const st_obb *box, const double p_m[3])
{
    const double d[3] = {p_m[0] - box->center_m[0], p_m[1] - box->center_m[1],
                         p_m[2] - box->center_m[2]};
    memcpy(on_m, box->center_m, 3 * sizeof *on_m);
    for (int k = 0; k < 3; k++) {
        const double along = fmin(fmax(dot(d, box->axis[k]), -box->half_m[k]), box->half_m[k]);
        for (int j = 0; j < 3; j++)
            on_m[j] += along * box->axis[k][j];
    }
}

/* A segment from p to q meets the solid box: then `at` is the middle of what lies inside. */
static bool crosses(double at_m[3], const st_obb *box, const double p_m[3], const double q_m[3])
{
    double enter = 0.0, leave = 1.0;
    for (int k = 0; k < 3; k++) {
        double from = 0.0, to = 0.0;
        for (int j = 0; j < 3; j++) {
            from += (p_m[j] - box->center_m[j]) * box->axis[k][j];
            to += (q_m[j] - box->center_m[j]) * box->axis[k][j];
        }
        const double step = to - from;
        if (fabs(step) < 1e-15) {
            if (fabs(from) > box->half_m[k])
                return false;
            continue;
        }
        const double one = (-box->half_m[k] - from) / step, two = (box->half_m[k] - from) / step;
        enter = fmax(enter, fmin(one, two));
        leave = fmin(leave, fmax(one, two));
        if (enter > leave)
            return false;
    }
    for (int j = 0; j < 3; j++)
        at_m[j] = p_m[j] + 0.5 * (enter + leave) * (q_m[j] - p_m[j]);
    return true;
}

/* Nearest points of two segments: the best of the inner solution and of the four ends against the
 * other segment. */
static void nearest_on_segment(double on_m[3], const double p_m[3], const double q_m[3],
                               const double x_m[3])
{
    double along = 0.0, square = 0.0;
    for (int j = 0; j < 3; j++) {
        along += (x_m[j] - p_m[j]) * (q_m[j] - p_m[j]);
        square += (q_m[j] - p_m[j]) * (q_m[j] - p_m[j]);
    }
    const double s = square > 0.0 ? fmin(fmax(along / square, 0.0), 1.0) : 0.0;
    for (int j = 0; j < 3; j++)
        on_m[j] = p_m[j] + s * (q_m[j] - p_m[j]);
}

static double segment_distance(double on_a[3], double on_b[3], const double a0[3],
                               const double a1[3], const double b0[3], const double b1[3])
{
    const double *ends[4] = {a0, a1, b0, b1};
    double best = INFINITY;
    for (int e = 0; e < 4; e++) {
        double on[3];
        nearest_on_segment(on, e < 2 ? b0 : a0, e < 2 ? b1 : a1, ends[e]);
        const double d = gap(on, ends[e]);
        if (d < best) {
            best = d;
            memcpy(on_a, e < 2 ? ends[e] : on, sizeof on);
            memcpy(on_b, e < 2 ? on : ends[e], sizeof on);
        }
    }
    double u[3], v[3], w[3];
    for (int j = 0; j < 3; j++) {
        u[j] = a1[j] - a0[j];
        v[j] = b1[j] - b0[j];
        w[j] = b0[j] - a0[j];
    }
    /* w + t v - s u is at right angles to u and v: Cramer's rule. Parallel ones end at an end. */
    const double uu = dot(u, u), uv = dot(u, v), vv = dot(v, v), det = uu * vv - uv * uv;
    if (!(det > 1e-12 * uu * vv))
        return best;
    const double s = (dot(u, w) * vv - uv * dot(v, w)) / det;
    const double t = (dot(u, w) * uv - uu * dot(v, w)) / det;
    if (!(s >= 0.0 && s <= 1.0 && t >= 0.0 && t <= 1.0))
        return best;
    double inner_a[3], inner_b[3];
    for (int j = 0; j < 3; j++) {
        inner_a[j] = a0[j] + s * u[j];
        inner_b[j] = b0[j] + t * v[j];
    }
    if (gap(inner_a, inner_b) < best) {
        best = gap(inner_a, inner_b);
        memcpy(on_a, inner_a, sizeof inner_a);
        memcpy(on_b, inner_b, sizeof inner_b);
    }
    return best;
}

double sti_plain_distance(double on_a_m[3], double on_b_m[3], const st_obb *a, const st_obb *b)
{
    double ca[8][3], cb[8][3], best_m = INFINITY;
    sti_plain_corners(ca, a);
    sti_plain_corners(cb, b);

    /* Two convex solids that meet have an edge of one inside the other, or one holds the other. */
    for (int c = 0; c < 8; c++)
        for (int k = 0; k < 3; k++) {
            if (c >> k & 1)
                continue;                   /* each edge once, from its lower corner */
            if (crosses(on_a_m, b, ca[c], ca[c | 1 << k]) ||
                crosses(on_a_m, a, cb[c], cb[c | 1 << k])) {
                memcpy(on_b_m, on_a_m, 3 * sizeof *on_b_m);
                return 0.0;
            }
        }
    /* Apart: the nearest points are a corner and the other solid, or two edges. */
    for (int c = 0; c < 8; c++) {
        double on[3];
        nearest_in_box(on, b, ca[c]);
        if (gap(on, ca[c]) < best_m) {
            best_m = gap(on, ca[c]);
            memcpy(on_a_m, ca[c], sizeof on);
            memcpy(on_b_m, on, sizeof on);
        }
        nearest_in_box(on, a, cb[c]);
        if (gap(on, cb[c]) < best_m) {
            best_m = gap(on, cb[c]);
            memcpy(on_a_m, on, sizeof on);
            memcpy(on_b_m, cb[c], sizeof on);
        }
    }
    for (int e = 0; e < 24; e++) {
        const int c = e % 8, k = e / 8;
        for (int f = 0; f < 24 && !(c >> k & 1); f++) {
            const int d = f % 8, l = f / 8;
            if (d >> l & 1)
                continue;
            double pa[3], pb[3];
            const double m = segment_distance(pa, pb, ca[c], ca[c | 1 << k], cb[d], cb[d | 1 << l]);
            if (m < best_m) {
                best_m = m;
                memcpy(on_a_m, pa, sizeof pa);
                memcpy(on_b_m, pb, sizeof pb);
            }
        }
    }
    return best_m;
}

/* --- seen from above -------------------------------------------------------------------------- */

static double side_of(const double a[2], const double b[2], const double p[2])
{
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
}

/* Gift wrapping: from the lowest corner, always on to the one that leaves all others left. */
int sti_plain_outline(double xy_m[8][2], const st_obb *box)
{
    double corners_m[8][3], p[8][2];
    int n = 0;
    sti_plain_corners(corners_m, box);
    for (int c = 0; c < 8; c++) {
        bool met = false;
        for (int i = 0; i < n; i++)
            met = met || hypot(p[i][0] - corners_m[c][0], p[i][1] - corners_m[c][1]) < 1e-9;
        if (!met)
            memcpy(p[n++], corners_m[c], sizeof p[0]);
    }
    int start = 0;
    for (int i = 1; i < n; i++)
        if (p[i][1] < p[start][1] || (p[i][1] == p[start][1] && p[i][0] < p[start][0]))
            start = i;
    int count = 0, at = start;
    do {
        memcpy(xy_m[count++], p[at], sizeof p[0]);
        int next = at == 0 ? 1 : 0;
        for (int i = 0; i < n; i++) {
            if (i == at)
                continue;
            const double side = side_of(p[at], p[next], p[i]);
            const double here = hypot(p[next][0] - p[at][0], p[next][1] - p[at][1]);
            const double there = hypot(p[i][0] - p[at][0], p[i][1] - p[at][1]);
            /* 1e-9 m off a line is on it: then the farther corner goes on */
            if (side < -1e-9 * here || (fabs(side) <= 1e-9 * here && there > here))
                next = i;
        }
        at = next;
    } while (at != start && count < 8);
    return count;
}

double sti_plain_rectangle_side(const double xy_m[8][2], int count)
{
    double least_m2 = INFINITY, side_m = 0.0;
    for (int i = 0; i < count; i++) {
        const double *a = xy_m[i], *b = xy_m[(i + 1) % count];
        const double length = hypot(b[0] - a[0], b[1] - a[1]);
        const double u[2] = {(b[0] - a[0]) / length, (b[1] - a[1]) / length};
        double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
        for (int j = 0; j < count; j++) {
            const double along[2] = {xy_m[j][0] * u[0] + xy_m[j][1] * u[1],
                                     xy_m[j][1] * u[0] - xy_m[j][0] * u[1]};
            for (int k = 0; k < 2; k++) {
                low[k] = fmin(low[k], along[k]);
                high[k] = fmax(high[k], along[k]);
            }
        }
        const double w = high[0] - low[0], h = high[1] - low[1];
        if (w * h < least_m2 * (1.0 - 1e-9)) {
            least_m2 = w * h;
            side_m = fmax(w, h);
        }
    }
    return side_m;
}

double sti_plain_turn_deg(const double from_m[2], const double facing_m[2],
                          const double target_m[2])
{
    const double fx = facing_m[0] - from_m[0], fy = facing_m[1] - from_m[1];
    const double tx = target_m[0] - from_m[0], ty = target_m[1] - from_m[1];
    if (hypot(fx, fy) < 1e-9 || hypot(tx, ty) < 1e-9)
        return -1.0;
    const double turn_deg = (atan2(ty, tx) - atan2(fy, fx)) * (180.0 / 3.14159265358979323846);
    return turn_deg < 0.0 ? turn_deg + 360.0 : turn_deg;
}

int sti_plain_stands(double xy_m[8][2], const double outline_m[8][2], int count,
                     const double facing_m[2])
{
    const double target[3] = {facing_m[0], facing_m[1], 0.0};
    double away_m[8], least_m = INFINITY;
    for (int i = 0; i < count; i++) {
        const double *p = outline_m[i], *q = outline_m[(i + 1) % count];
        const double a[3] = {p[0], p[1], 0.0}, b[3] = {q[0], q[1], 0.0};
        double on[3];
        nearest_on_segment(on, a, b, target);
        away_m[i] = gap(on, target);
        least_m = fmin(least_m, away_m[i]);
    }
    int stands = 0;
    for (int i = 0; i < count; i++)
        if (away_m[i] <= least_m + 1e-6) {
            xy_m[stands][0] = 0.5 * (outline_m[i][0] + outline_m[(i + 1) % count][0]);
            xy_m[stands][1] = 0.5 * (outline_m[i][1] + outline_m[(i + 1) % count][1]);
            stands++;
        }
    return stands;
}
