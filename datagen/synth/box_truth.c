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

/* The lowest of 2*STEPS+1 directions around `yaw`, then again on a finer scale. Between two edges
 * of the hull the area is concave, so a dip is a sharp corner: sweeps find it, slopes would not. */
static double refine(double *area_m2, double yaw, double step, const double (*points_m)[3],
                     size_t count)
{
    enum { STEPS = 10, ROUNDS = 10 };
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

/* Turn the box by quarters until it is nearest to where it started. */
static double least_turn(double yaw_rad)
{
    return yaw_rad - QUARTER * floor(yaw_rad / QUARTER + 0.5);
}

void sti_box_sweep(st_obb *box, const double (*points_m)[3], size_t count, double start_rad)
{
    enum { COARSE = 360 };
    ST_ASSERT(count > 0);
    const double step = QUARTER / COARSE;
    double area[COARSE], least = INFINITY;
    for (int i = 0; i < COARSE; i++) {
        area[i] = area_at(start_rad + step * i, points_m, count);
        least = area[i] < least ? area[i] : least;
    }
    /* A turn by `step` changes the area by at most the squared diagonal times it, so the best
     * direction has a neighbour no worse than this. */
    const extent whole = extent_at(start_rad, points_m, count);
    const double w0 = whole.hi[0] - whole.lo[0], d0 = whole.hi[1] - whole.lo[1];
    const double worth_m2 = least + (w0 * w0 + d0 * d0) * step;
    double best_turn = 0.0, best = INFINITY;
    for (int i = 0; i < COARSE; i++) {
        const double before = area[(i + COARSE - 1) % COARSE], after = area[(i + 1) % COARSE];
        if (area[i] > before || area[i] > after || area[i] > worth_m2)
            continue;
        double refined;
        const double yaw = refine(&refined, start_rad + step * i, step, points_m, count);
        const double turn = least_turn(yaw - start_rad), tie = 1e-9 * refined;
        if (refined < best - tie || (refined < best + tie && fabs(turn) < fabs(best_turn) - 1e-9)) {
            best = refined;
            best_turn = turn;
        }
    }
    double best_yaw = least_turn(start_rad + (fabs(best_turn) < 1e-9 ? 0.0 : best_turn));
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
