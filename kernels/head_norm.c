/* head_norm.c - checks, dispatch, and the reference twins of the norm over each head. */
#include "kernels/around_internal.h"
#include "kernels/rotary.h"

#include <math.h>

enum { D_MAX = 256 };

static st_status check(sti_head_norm *a, const st_stream *stream, const st_tensor *x,
                       const st_tensor *weight, const st_tensor *cosine,
                       const st_tensor *sine, float eps, int turned)
{
    ST_TRY(sti_expect_place(stream, x));
    ST_TRY(st_tensor_expect(x, "x", sti_activation(x), 3, (int64_t[]){-1, -1, -1}));
    const int64_t T = x->shape[0], D = x->shape[2];
    ST_TRY(st_tensor_expect(weight, "weight", x->dtype, 1, (int64_t[]){D}));
    if (D < 2 || D % 2 || D > D_MAX)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "head norm: width must be even, 2 to %d, is %lld",
                       D_MAX, (long long)D);
    if (turned) {
        ST_TRY(st_tensor_expect(cosine, "cosine", ST_F32, 2, (int64_t[]){T, D / 2}));
        ST_TRY(st_tensor_expect(sine, "sine", ST_F32, 2, (int64_t[]){T, D / 2}));
    }
    *a = (sti_head_norm){T, x->shape[1], D, x->data, weight->data,
                         turned ? cosine->data : NULL, turned ? sine->data : NULL, eps};
    return st_ok();
}

/* 1 / sqrt(mean(x^2) + eps) */
static double inverse_size(const float *x, int64_t D, float eps)
{
    double square = 0.0;
    for (int64_t c = 0; c < D; c++)
        square += (double)x[c] * x[c];
    return 1.0 / sqrt(square / (double)D + eps);
}

st_status st_head_norm(st_stream *stream, st_tensor *normed, st_tensor *rotated,
                       const st_tensor *x, const st_tensor *weight, const st_tensor *cosine,
                       const st_tensor *sine, float eps)
{
    sti_head_norm a;
    if (!normed && !rotated)
        return ST_FAIL(ST_ERR_USAGE, "head norm: neither answer is asked for");
    ST_TRY(check(&a, stream, x, weight, cosine, sine, eps, rotated != NULL));
    if (normed)
        ST_TRY(st_tensor_expect(normed, "normed", x->dtype, 3, x->shape));
    if (rotated)
        ST_TRY(st_tensor_expect(rotated, "rotated", x->dtype, 3, x->shape));
    if (x->place == ST_PLACE_DEVICE)
        return sti_head_norm_cuda(stream, normed ? normed->data : NULL,
                                  rotated ? rotated->data : NULL, &a);

    const float *w = weight->data;
    for (int64_t t = 0; t < a.T; t++)
        for (int64_t h = 0; h < a.H; h++) {
            const int64_t at = (t * a.H + h) * a.D;
            const float  *xh = (const float *)x->data + at;
            float         y[D_MAX];
            const float   r = (float)inverse_size(xh, a.D, eps);
            for (int64_t c = 0; c < a.D; c++)
                y[c] = w[c] * (xh[c] * r);
            if (normed)
                for (int64_t c = 0; c < a.D; c++)
                    ((float *)normed->data)[at + c] = y[c];
            if (rotated)
                sti_rotary_turn((float *)rotated->data + at, y, a.cosine + t * (a.D / 2),
                                a.sine + t * (a.D / 2), a.D / 2, 1.0f);
        }
    return st_ok();
}

/* One head: y_bar is the gradient by w .* x r. */
static void backward_head(float *x_bar, double *weight_bar, const float *y_bar, const float *x,
                          const float *w, int64_t D, float eps)
{
    const double r = inverse_size(x, D, eps);
    double       along = 0.0;
    for (int64_t c = 0; c < D; c++) {
        along += (double)w[c] * y_bar[c] * x[c];
        weight_bar[c] += y_bar[c] * (x[c] * r);
    }
    const double pull = r * r * r * along / (double)D;
    for (int64_t c = 0; c < D; c++)
        x_bar[c] = (float)(r * w[c] * y_bar[c] - x[c] * pull);
}

st_status st_head_norm_backward(st_stream *stream, st_tensor *x_bar, st_tensor *weight_bar,
                                const st_tensor *normed_bar, const st_tensor *rotated_bar,
                                const st_tensor *x, const st_tensor *weight,
                                const st_tensor *cosine, const st_tensor *sine, float eps)
{
    sti_head_norm a;
    ST_TRY(check(&a, stream, x, weight, cosine, sine, eps, rotated_bar != NULL));
    ST_TRY(st_tensor_expect(x_bar, "x_bar", x->dtype, 3, x->shape));
    ST_TRY(st_tensor_expect(weight_bar, "weight_bar", ST_F32, 1, (int64_t[]){a.D}));
    if (!normed_bar && !rotated_bar)
        return ST_FAIL(ST_ERR_USAGE, "head norm: no gradient comes in");
    if (normed_bar)
        ST_TRY(st_tensor_expect(normed_bar, "normed_bar", x->dtype, 3, x->shape));
    if (rotated_bar)
        ST_TRY(st_tensor_expect(rotated_bar, "rotated_bar", x->dtype, 3, x->shape));
    if (x->place == ST_PLACE_DEVICE)
        return sti_head_norm_backward_cuda(stream, x_bar->data, weight_bar->data,
                                           normed_bar ? normed_bar->data : NULL,
                                           rotated_bar ? rotated_bar->data : NULL, &a);

    double total[D_MAX] = {0};
    for (int64_t t = 0; t < a.T; t++)
        for (int64_t h = 0; h < a.H; h++) {
            const int64_t at = (t * a.H + h) * a.D;
            float         y_bar[D_MAX] = {0};
            if (rotated_bar)
                sti_rotary_turn(y_bar, (const float *)rotated_bar->data + at,
                                a.cosine + t * (a.D / 2), a.sine + t * (a.D / 2), a.D / 2, -1.0f);
            if (normed_bar)
                for (int64_t c = 0; c < a.D; c++)
                    y_bar[c] += ((const float *)normed_bar->data)[at + c];
            backward_head((float *)x_bar->data + at, total, y_bar, (const float *)x->data + at,
                          weight->data, a.D, eps);
        }
    for (int64_t c = 0; c < a.D; c++)
        ((float *)weight_bar->data)[c] += (float)total[c];
    return st_ok();
}
