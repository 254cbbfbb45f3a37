/* gates.c - checks, dispatch, and the reference twins of the gates. */
#include "kernels/gates.h"

#include "kernels/around_internal.h"

#include <math.h>

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* log(1 + exp(x)) without overflow */
static double softplus(double x)
{
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Shapes of the projections' answers, or of gradients by them. */
static st_status check_z(const st_tensor *rate_z, const st_tensor *decay_z,
                         const st_tensor *scale_z, st_dtype dtype, int64_t T, int64_t F)
{
    ST_TRY(st_tensor_expect(rate_z, "rate_z", dtype, 2, (int64_t[]){T, 3 * F}));
    ST_TRY(st_tensor_expect(scale_z, "scale_z", dtype, 2, (int64_t[]){T, F}));
    if (decay_z)
        ST_TRY(st_tensor_expect(decay_z, "decay_z", dtype, 2, (int64_t[]){T, F}));
    return st_ok();
}

static st_status check_gates(const st_tensor *rate, const st_tensor *decay, const st_tensor *scale,
                             const st_tensor *decay_z)
{
    ST_TRY(st_tensor_expect(rate, "rate", ST_F32, 3, (int64_t[]){3, -1, -1}));
    ST_TRY(st_tensor_expect(scale, "scale", ST_F32, 2, rate->shape + 1));
    if (!decay != !decay_z)
        return ST_FAIL(ST_ERR_USAGE, "gates: decay and decay_z come together or not at all");
    if (decay)
        ST_TRY(st_tensor_expect(decay, "decay", ST_F32, 2, rate->shape + 1));
    return st_ok();
}

st_status st_gates_forward(st_stream *stream, st_tensor *rate, st_tensor *decay, st_tensor *scale,
                           const st_tensor *rate_z, const st_tensor *decay_z,
                           const st_tensor *scale_z)
{
    ST_TRY(sti_expect_place(stream, rate));
    ST_TRY(check_gates(rate, decay, scale, decay_z));
    const int64_t F = rate->shape[1], T = rate->shape[2];
    ST_TRY(check_z(rate_z, decay_z, scale_z, sti_activation(rate_z), T, F));
    if (rate->place == ST_PLACE_DEVICE)
        return sti_gates_forward_cuda(stream, rate->data, decay ? decay->data : NULL, scale->data,
                                      rate_z->data, decay_z ? decay_z->data : NULL, scale_z->data,
                                      T, F);

    const float *rz = rate_z->data, *sz = scale_z->data;
    float       *r = rate->data, *s = scale->data;
    for (int64_t f = 0; f < F; f++)
        for (int64_t t = 0; t < T; t++) {
            for (int64_t j = 0; j < 3; j++)
                r[(j * F + f) * T + t] =
                    (float)softplus(rz[t * 3 * F + 3 * f + j] + ST_GATE_RATE_BETA);
            const double z = sz[t * F + f];
            s[f * T + t] = (float)(z * sigmoid(z));
            if (decay)
                ((float *)decay->data)[f * T + t] =
                    (float)sigmoid(((const float *)decay_z->data)[t * F + f]);
        }
    return st_ok();
}

st_status st_gates_backward(st_stream *stream, st_tensor *rate_z_bar, st_tensor *decay_z_bar,
                            st_tensor *scale_z_bar, const st_tensor *rate_bar,
                            const st_tensor *decay_bar, const st_tensor *scale_bar,
                            const st_tensor *rate_z, const st_tensor *decay_z,
                            const st_tensor *scale_z)
{
    ST_TRY(sti_expect_place(stream, rate_bar));
    ST_TRY(check_gates(rate_bar, decay_bar, scale_bar, decay_z));
    const int64_t  F = rate_bar->shape[1], T = rate_bar->shape[2];
    const st_dtype dtype = sti_activation(rate_z);
    ST_TRY(check_z(rate_z, decay_z, scale_z, dtype, T, F));
    ST_TRY(check_z(rate_z_bar, decay_z_bar, scale_z_bar, dtype, T, F));
    if (!decay_z != !decay_z_bar)
        return ST_FAIL(ST_ERR_USAGE, "gates: decay_z and decay_z_bar come together or not at all");
    if (rate_z->place == ST_PLACE_DEVICE)
        return sti_gates_backward_cuda(stream, rate_z_bar->data,
                                       decay_z_bar ? decay_z_bar->data : NULL, scale_z_bar->data,
                                       rate_bar->data, decay_bar ? decay_bar->data : NULL,
                                       scale_bar->data, rate_z->data,
                                       decay_z ? decay_z->data : NULL, scale_z->data, T, F);

    const float *rz = rate_z->data, *sz = scale_z->data;
    const float *rb = rate_bar->data, *sb = scale_bar->data;
    for (int64_t t = 0; t < T; t++)
        for (int64_t f = 0; f < F; f++) {
            for (int64_t j = 0; j < 3; j++) {
                const int64_t at = t * 3 * F + 3 * f + j;
                ((float *)rate_z_bar->data)[at] = (float)(rb[(j * F + f) * T + t] *
                                                          sigmoid(rz[at] + ST_GATE_RATE_BETA));
            }
            const double z = sz[t * F + f], sigma = sigmoid(z);
            ((float *)scale_z_bar->data)[t * F + f] =
                (float)(sb[f * T + t] * sigma * (1.0 + z * (1.0 - sigma)));
            if (decay_z) {
                const double mu = sigmoid(((const float *)decay_z->data)[t * F + f]);
                ((float *)decay_z_bar->data)[t * F + f] =
                    (float)(((const float *)decay_bar->data)[f * T + t] * mu * (1.0 - mu));
            }
        }
    return st_ok();
}
