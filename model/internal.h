/* internal.h - what the files of the model room share: short words for views.
 *
 * May include: kernels, model.
 */
#ifndef ST_MODEL_INTERNAL_H
#define ST_MODEL_INTERNAL_H

#include "kernels/dense.h"
#include "model/weights.h"

static inline st_tensor sti_f32_1(float *data, int64_t a)
{
    return (st_tensor){.data = data, .shape = {a}, .rank = 1, .dtype = ST_F32};
}

static inline st_tensor sti_f32_2(float *data, int64_t a, int64_t b)
{
    return (st_tensor){.data = data, .shape = {a, b}, .rank = 2, .dtype = ST_F32};
}

static inline st_tensor sti_f32_3(float *data, int64_t a, int64_t b, int64_t c)
{
    return (st_tensor){.data = data, .shape = {a, b, c}, .rank = 3, .dtype = ST_F32};
}

/* The same numbers as a (a,b) matrix. */
static inline st_tensor sti_reshaped(const st_tensor *x, int64_t a, int64_t b)
{
    st_tensor y = *x;
    ST_ASSERT(a * b == st_tensor_count(x));
    y.rank = 2;
    y.shape[0] = a;
    y.shape[1] = b;
    return y;
}

/* A linear layer as the checkpoint holds it: with or without a bias. */
static inline st_status sti_linear(st_stream *q, st_tensor *y, const st_tensor *x,
                                   const st_linear_weights *w, st_linear_mode mode)
{
    return st_linear(q, y, x, &w->weight, w->bias.data ? &w->bias : NULL, mode);
}

#endif
