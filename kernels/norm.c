/* norm.c - LayerNorm and RMSNorm over rows. */
#include "kernels/dense.h"
#include "kernels/dense_internal.h"

#include <math.h>

enum { NORM_BLOCK = 16 };       /* rows a worker takes at once */

typedef struct norm_rows {
    float           *y;
    const float     *x;
    const st_tensor *weight, *bias;
    int64_t          C;
    float            eps;
} norm_rows;

static void layer_norm_block(void *context, int64_t first, int64_t end)
{
    const norm_rows *k = context;
    for (int64_t t = first; t < end; t++) {
        const float *x = k->x + t * k->C;                                           /* (C) */
        float       *y = k->y + t * k->C;                                           /* (C) */

        double sum = 0.0, square = 0.0;
        for (int64_t c = 0; c < k->C; c++)
            sum += x[c];
        const double mean = sum / (double)k->C;
        for (int64_t c = 0; c < k->C; c++)
            square += (x[c] - mean) * (x[c] - mean);

        const double scale = 1.0 / sqrt(square / (double)k->C + (double)k->eps);
        for (int64_t c = 0; c < k->C; c++)
            y[c] = (float)((x[c] - mean) * scale * sti_element(k->weight, c)
                           + sti_element(k->bias, c));
    }
}

static void rms_norm_block(void *context, int64_t first, int64_t end)
{
    const norm_rows *k = context;
    for (int64_t t = first; t < end; t++) {
        const float *x = k->x + t * k->C;                                           /* (C) */
        float       *y = k->y + t * k->C;                                           /* (C) */

        double square = 0.0;
        for (int64_t c = 0; c < k->C; c++)
            square += (double)x[c] * x[c];

        const double scale = 1.0 / sqrt(square / (double)k->C + (double)k->eps);
        for (int64_t c = 0; c < k->C; c++)
            y[c] = sti_element(k->weight, c) * (float)(x[c] * scale);
    }
}

static st_status check(const char *name, const st_tensor *y, const st_tensor *x,
                       const st_tensor *weight, const st_tensor *bias, float eps)
{
    ST_TRY(sti_expect_rows(x, "x", -1, -1));
    ST_TRY(sti_expect_rows(y, "y", x->shape[0], x->shape[1]));
    ST_TRY(sti_expect_weight(weight, "weight", 1, (int64_t[]){x->shape[1]}));
    if (bias)
        ST_TRY(sti_expect_weight(bias, "bias", 1, (int64_t[]){x->shape[1]}));
    if (!(eps > 0.0f))
        return ST_FAIL(ST_ERR_USAGE, "%s: eps must be above 0, is %g", name, (double)eps);
    return st_ok();
}

st_status st_layer_norm(st_stream *q, st_tensor *y, const st_tensor *x, const st_tensor *weight,
                        const st_tensor *bias, float eps)
{
    ST_TRY(check("layer norm", y, x, weight, bias, eps));
    norm_rows job = {y->data, x->data, weight, bias, x->shape[1], eps};
    sti_for(q, x->shape[0], NORM_BLOCK, layer_norm_block, &job);
    return st_ok();
}

st_status st_rms_norm(st_stream *q, st_tensor *y, const st_tensor *x, const st_tensor *weight,
                      float eps)
{
    ST_TRY(check("rms norm", y, x, weight, NULL, eps));
    norm_rows job = {y->data, x->data, weight, NULL, x->shape[1], eps};
    sti_for(q, x->shape[0], NORM_BLOCK, rms_norm_block, &job);
    return st_ok();
}
