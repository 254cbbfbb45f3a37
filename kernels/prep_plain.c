/* prep_plain.c - the definition of prep and its gradients, one channel at a time. */
#include "kernels/plain.h"

#include <math.h>
#include <string.h>

static int64_t clamp(int64_t x, int64_t high)
{
    return x < 0 ? 0 : x < high ? x : high - 1;
}

/* The row that tap `tap` of cell `cell` of a grid reads. */
static int64_t tap_row(const st_grid *g, int64_t cell, int tap)
{
    const int64_t dt = tap / 9 - 1, di = tap / 3 % 3 - 1, dj = tap % 3 - 1;
    const int64_t base = dt < 0 ? g->before : dt > 0 ? g->after : g->row;
    return base + clamp(cell / g->w + di, g->h) * g->w + clamp(cell % g->w + dj, g->w);
}

/* The grid and cell of a row, or NULL for a row of the rest. */
static const st_grid *grid_of(const st_prep_lane *z, int64_t t, int64_t *cell)
{
    for (int64_t g = 0; g < z->grid_count; g++) {
        *cell = t - z->grids[g].row;
        if (*cell >= 0 && *cell < (int64_t)z->grids[g].h * z->grids[g].w)
            return &z->grids[g];
    }
    return NULL;
}

/* Channel c of row t after expansion, scale and offset. */
static double affine(const st_prep_lane *z, const double *x, int64_t t, int64_t c)
{
    const int64_t head = c / z->D / (z->H / z->Hin);
    const double  a = x[(t * z->Hin + head) * z->D + c % z->D];
    return z->scale ? a * z->scale[c] + z->offset[c] : a;
}

static double mixed(const st_prep_lane *z, const double *x, int64_t t, int64_t c)
{
    int64_t        cell;
    const st_grid *g = z->conv ? grid_of(z, t, &cell) : NULL;
    if (!g)
        return affine(z, x, t, c);
    double sum = 0.0;
    for (int tap = 0; tap < ST_CONV_TAPS; tap++)
        sum += z->conv[c * ST_CONV_TAPS + tap] * affine(z, x, tap_row(g, cell, tap), c);
    return sum;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double squashed(const st_prep_lane *z, double b)
{
    return z->silu ? b * sigmoid(b) : b;
}

/* |s| over the d channels of one fast-weight head. */
static double size_of(const st_prep_lane *z, const double *x, int64_t t, int64_t f)
{
    double square = 0.0;
    for (int64_t c = f * z->d; c < (f + 1) * z->d; c++) {
        const double s = squashed(z, mixed(z, x, t, c));
        square += s * s;
    }
    return sqrt(square);
}

/* y[0..D) turned by sign * angle of row t. */
static void turn(double *y, const st_prep_lane *z, int64_t t, double sign)
{
    const int64_t J = z->D / 2;
    for (int64_t j = 0; j < J && z->cosine; j++) {
        const double a = y[j], b = y[j + J];
        const double c = z->cosine[t * J + j], s = sign * z->sine[t * J + j];
        y[j]     = a * c - b * s;
        y[j + J] = b * c + a * s;
    }
}

void st_prep_forward_plain(double *y, const double *x, const st_prep_lane *z)
{
    for (int64_t f = 0; f < z->F; f++)
        for (int64_t t = 0; t < z->T; t++) {
            double      *yf   = y + (f * z->T + t) * z->d;
            const double size = z->normalise ? size_of(z, x, t, f) + 1e-5 : 1.0;
            for (int64_t c = 0; c < z->d; c++) {
                yf[c] = squashed(z, mixed(z, x, t, f * z->d + c)) / size;
            }
            turn(yf, z, t, 1.0);
        }
}

/* c_bar (T,C): gradient by the convolution's answer. */
static void before_silu(double *c_bar, const double *y_bar, const double *x, const st_prep_lane *z)
{
    const int64_t C = z->F * z->d;
    for (int64_t f = 0; f < z->F; f++)
        for (int64_t t = 0; t < z->T; t++) {
            double *cb = c_bar + t * C + f * z->d;
            memcpy(cb, y_bar + (f * z->T + t) * z->d, (size_t)z->d * sizeof *cb);
            turn(cb, z, t, -1.0);
            const double n = z->normalise ? size_of(z, x, t, f) : 0.0;
            double       along = 0.0;
            for (int64_t c = 0; c < z->d; c++) {
                along += squashed(z, mixed(z, x, t, f * z->d + c)) * cb[c];
            }
            for (int64_t c = 0; c < z->d; c++) {
                const double b = mixed(z, x, t, f * z->d + c), g = sigmoid(b);
                const double s = squashed(z, b);
                if (z->normalise) {
                    const double e = n + 1e-5;
                    cb[c] = n > 0.0 ? cb[c] / e - s * along / (n * e * e) : cb[c] / e;
                }
                if (z->silu)
                    cb[c] *= g * (1.0 + b * (1.0 - g));
            }
        }
}

void st_prep_backward_plain(double *x_bar, double *scale_bar, double *offset_bar,
                            double *conv_bar, const double *y_bar, const double *x,
                            const st_prep_lane *z, double *c_bar, double *a_bar)
{
    const int64_t C = z->F * z->d;
    before_silu(c_bar, y_bar, x, z);

    memset(a_bar, 0, (size_t)(z->T * C) * sizeof *a_bar);
    if (z->conv)
        memset(conv_bar, 0, (size_t)(C * ST_CONV_TAPS) * sizeof *conv_bar);
    for (int64_t t = 0; t < z->T; t++)
        for (int64_t c = 0; c < C; c++) {
            int64_t        cell;
            const st_grid *g = z->conv ? grid_of(z, t, &cell) : NULL;
            if (!g)
                a_bar[t * C + c] += c_bar[t * C + c];
            for (int tap = 0; g && tap < ST_CONV_TAPS; tap++) {
                const int64_t r = tap_row(g, cell, tap);
                a_bar[r * C + c] += z->conv[c * ST_CONV_TAPS + tap] * c_bar[t * C + c];
                conv_bar[c * ST_CONV_TAPS + tap] += affine(z, x, r, c) * c_bar[t * C + c];
            }
        }

    memset(x_bar, 0, (size_t)(z->T * z->Hin * z->D) * sizeof *x_bar);
    for (int64_t c = 0; c < C; c++) {
        const int64_t head = c / z->D / (z->H / z->Hin);
        double        by_scale = 0.0, by_offset = 0.0;
        for (int64_t t = 0; t < z->T; t++) {
            const int64_t at = (t * z->Hin + head) * z->D + c % z->D;
            x_bar[at] += a_bar[t * C + c] * (z->scale ? z->scale[c] : 1.0);
            by_scale += a_bar[t * C + c] * x[at];
            by_offset += a_bar[t * C + c];
        }
        if (z->scale) {
            scale_bar[c]  = by_scale;
            offset_bar[c] = by_offset;
        }
    }
}
