/* box_truth.c - the least-area upright box, by trying every direction. */
#include "datagen/synth/internal.h"

#include <math.h>

static const double QUARTER = 1.5707963267948966, PI = 3.14159265358979323846;

typedef struct extent {
    double lo[2], hi[2];
} extent;

static extent extent_at(double yaw_rad, const double (*points_m)[3], size_t count)
{
    const double c = cos(yaw_rad), s = sin(yaw_rad);
    extent e = {{INFINITY, INFINITY}, {-INFINITY, -INFINITY}};
    for (size_t i = 0; i < count; i++) {
        const double u = c * points_m[i][0] + s * points_m[i][1];
        const double v = -s * points_m[i][0] + c * points_m[i][1];
        e.lo[0] = u < e.lo[0] ? u : e.lo[0];
        e.hi[0] = u > e.hi[0] ? u : e.hi[0];
        e.lo[1] = v < e.lo[1] ? v : e.lo[1];
        e.hi[1] = v > e.hi[1] ? v : e.hi[1];
    }
    return e;
}

static double area_at(double yaw_rad, const double (*points_m)[3], size_t count)
{
    const extent e = extent_at(yaw_rad, points_m, count);
    return (e.hi[0] - e.lo[0]) * (e.hi[1] - e.lo[1]);
}

/* The lowest of 2*STEPS+1 directions around `yaw`, then again on a finer scale, ten times. Between
 * two edges of the hull the area is concave, so a dip is a sharp corner: sweeps find it, slopes
 * would not. */
static double refine(double *area_m2, double yaw, double step, const double (*points_m)[3],
                     size_t count)
{
    enum { STEPS = 6, ROUNDS = 14 };
    double best = area_at(yaw, points_m, count);
    for (int round = 0; round < ROUNDS; round++) {
        const double from = yaw;
        for (int k = -STEPS; k <= STEPS; k++) {
            const double tried = from + step * k / STEPS;
            const double area = area_at(tried, points_m, count);
            if (area < best) {
                best = area;
                yaw = tried;
            }
        }
        step /= STEPS - 1;
    }
    *area_m2 = best;
    return yaw;
}

void sti_box_sweep(st_obb *box, const double (*points_m)[3], size_t count)
{
    enum { COARSE = 360 };
    ST_ASSERT(count > 0);
    const double step = QUARTER / COARSE;
    double area[COARSE], least = INFINITY;
    for (int i = 0; i < COARSE; i++) {
        area[i] = area_at(step * i, points_m, count);
        least = area[i] < least ? area[i] : least;
    }
    double best_yaw = 0.0, best = INFINITY;
    for (int i = 0; i < COARSE; i++) {
        const double before = area[(i + COARSE - 1) % COARSE], after = area[(i + 1) % COARSE];
        if (area[i] > before || area[i] > after || area[i] > 1.02 * least + 1e-6)
            continue;
        double refined;
        double yaw = refine(&refined, step * i, step, points_m, count);
        yaw = yaw > QUARTER / 2 ? yaw - QUARTER : yaw;      /* the least turn of the same box */
        const double tie = 1e-9 * best;
        if (refined < best - tie ||
            (refined < best + tie && fabs(yaw) < fabs(best_yaw) - 1e-9)) {
            best = refined;
            best_yaw = yaw;
        }
    }
    if (fabs(best_yaw) < 1e-10)
        best_yaw = 0.0;

    const extent e = extent_at(best_yaw, points_m, count);
    double z_lo = INFINITY, z_hi = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        z_lo = fmin(z_lo, points_m[i][2]);
        z_hi = fmax(z_hi, points_m[i][2]);
    }
    const double w = e.hi[0] - e.lo[0], d = e.hi[1] - e.lo[1];
    const double c = cos(best_yaw), s = sin(best_yaw);
    const double u = (e.lo[0] + e.hi[0]) / 2, v = (e.lo[1] + e.hi[1]) / 2;

    /* Axis 0 is the longer side with its yaw in (-90,90]; of equal sides the less turned. */
    double yaw = d > w + 1e-4 ? best_yaw + QUARTER : best_yaw;
    if (yaw > QUARTER + 1e-12)
        yaw -= PI;
    const double ca = cos(yaw), sa = sin(yaw);
    *box = (st_obb){
        .center_m = {c * u - s * v, s * u + c * v, (z_lo + z_hi) / 2},
        .axis = {{ca, sa, 0}, {-sa, ca, 0}, {0, 0, 1}},
        .half_m = {(d > w + 1e-4 ? d : w) / 2, (d > w + 1e-4 ? w : d) / 2, (z_hi - z_lo) / 2},
    };
    for (int k = 0; k < 2; k++)
        for (int j = 0; j < 2; j++)
            if (fabs(box->axis[k][j]) < 1e-15)
                box->axis[k][j] = 0.0;
}
