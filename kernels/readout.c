/* readout.c - checks, dispatch, and the reference twins of the fast-weight branch's way out. */
#include "kernels/around_internal.h"
#include "kernels/gates.h"

#include <math.h>
#include <stddef.h>

enum { D_MAX = 1024 };

static st_status check(const st_tensor *out, const st_tensor *o, const st_tensor *weight,
                       const st_tensor *scale)
{
    ST_TRY(st_tensor_expect(o, "o", sti_activation(o), 3, (int64_t[]){-1, -1, -1}));
    const int64_t F = o->shape[0], T = o->shape[1], d = o->shape[2];
    ST_TRY(st_tensor_expect(out, "out", o->dtype, 2, (int64_t[]){T, F * d}));
    ST_TRY(st_tensor_expect(weight, "weight", o->dtype, 1, (int64_t[]){d}));
    ST_TRY(st_tensor_expect(scale, "scale", ST_F32, 2, (int64_t[]){F, T}));
    if (d < 1 || d > D_MAX)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "read-out: head width must be 1 to %d, is %lld", D_MAX,
                       (long long)d);
    return st_ok();
}

static double inverse_size(const float *o, int64_t d)
{
    double square = 0.0;
    for (int64_t c = 0; c < d; c++)
        square += (double)o[c] * o[c];
    return 1.0 / sqrt(square / (double)d + STI_READOUT_EPS);
}

st_status st_readout_forward(st_stream *stream, st_tensor *out, const st_tensor *base,
                             const st_tensor *o, const st_tensor *weight, const st_tensor *scale)
{
    ST_TRY(sti_expect_place(stream, o));
    ST_TRY(check(out, o, weight, scale));
    if (base)
        ST_TRY(st_tensor_expect(base, "base", o->dtype, 2, out->shape));
    const int64_t F = o->shape[0], T = o->shape[1], d = o->shape[2];
    if (o->place == ST_PLACE_DEVICE)
        return sti_readout_forward_cuda(stream, out->data, base ? base->data : NULL, o->data,
                                        weight->data, scale->data, F, T, d);

    const float *w = weight->data;
    for (int64_t f = 0; f < F; f++)
        for (int64_t t = 0; t < T; t++) {
            const float  *of   = (const float *)o->data + (f * T + t) * d;
            const double  r    = inverse_size(of, d);
            const double  s    = ((const float *)scale->data)[f * T + t];
            const int64_t at   = t * F * d + f * d;
            for (int64_t c = 0; c < d; c++) {
                const float from = base ? ((const float *)base->data)[at + c] : 0.0f;
                ((float *)out->data)[at + c] = (float)(from + s * w[c] * (of[c] * r));
            }
        }
    return st_ok();
}

st_status st_readout_backward(st_stream *stream, st_tensor *o_bar, st_tensor *scale_bar,
                              st_tensor *weight_bar, const st_tensor *out_bar, const st_tensor *o,
                              const st_tensor *weight, const st_tensor *scale)
{
    ST_TRY(sti_expect_place(stream, o));
    ST_TRY(check(out_bar, o, weight, scale));
    const int64_t F = o->shape[0], T = o->shape[1], d = o->shape[2];
    ST_TRY(st_tensor_expect(o_bar, "o_bar", o->dtype, 3, o->shape));
    ST_TRY(st_tensor_expect(scale_bar, "scale_bar", ST_F32, 2, (int64_t[]){F, T}));
    ST_TRY(st_tensor_expect(weight_bar, "weight_bar", ST_F32, 1, (int64_t[]){d}));
    if (o->place == ST_PLACE_DEVICE)
        return sti_readout_backward_cuda(stream, o_bar->data, scale_bar->data, weight_bar->data,
                                         out_bar->data, o->data, weight->data, scale->data, F, T,
                                         d);

    const float *w = weight->data;
    double       total[D_MAX] = {0};
    for (int64_t f = 0; f < F; f++)
        for (int64_t t = 0; t < T; t++) {
            const float *of = (const float *)o->data + (f * T + t) * d;
            const float *yb = (const float *)out_bar->data + t * F * d + f * d;
            float       *ob = (float *)o_bar->data + (f * T + t) * d;
            const double r = inverse_size(of, d), s = ((const float *)scale->data)[f * T + t];

            double along = 0.0;     /* <out_bar, w .* o> */
            for (int64_t c = 0; c < d; c++) {
                along += (double)yb[c] * w[c] * of[c];
                total[c] += s * yb[c] * (of[c] * r);
            }
            ((float *)scale_bar->data)[f * T + t] = (float)(along * r);
            const double pull = r * r * r * s * along / (double)d;
            for (int64_t c = 0; c < d; c++)
                ob[c] = (float)(r * w[c] * s * yb[c] - of[c] * pull);
        }
    for (int64_t c = 0; c < d; c++)
        ((float *)weight_bar->data)[c] += (float)total[c];
    return st_ok();
}
