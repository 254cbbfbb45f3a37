/* activation.c - GELU in its two forms, SwiGLU, and a sum. */
#include "kernels/dense.h"
#include "kernels/dense_internal.h"

#include <math.h>

enum { ELEMENT_BLOCK = 4096 };  /* numbers a worker takes at once */

typedef struct elements {
    float       *y;
    const float *a, *b;
} elements;

static void gelu_tanh_block(void *context, int64_t first, int64_t end)
{
    const elements *k = context;
    const float slope = 0.79788456080286536f;       /* sqrt(2/pi) */
    for (int64_t i = first; i < end; i++) {
        const float x = k->a[i];
        k->y[i] = 0.5f * x * (1.0f + tanhf(slope * (x + 0.044715f * x * x * x)));
    }
}

static void gelu_erf_block(void *context, int64_t first, int64_t end)
{
    const elements *k = context;
    for (int64_t i = first; i < end; i++)
        k->y[i] = 0.5f * k->a[i] * (1.0f + erff(k->a[i] * 0.70710678118654752f));
}

static void swiglu_block(void *context, int64_t first, int64_t end)
{
    const elements *k = context;
    for (int64_t i = first; i < end; i++)
        k->y[i] = k->a[i] / (1.0f + expf(-k->a[i])) * k->b[i];
}

static void add_block(void *context, int64_t first, int64_t end)
{
    const elements *k = context;
    for (int64_t i = first; i < end; i++)
        k->y[i] += k->a[i];
}

static st_status check(const st_tensor *y, const st_tensor *a, const st_tensor *b)
{
    ST_TRY(st_tensor_expect(a, "x", ST_F32, a->rank, a->shape));
    ST_TRY(st_tensor_expect(y, "y", ST_F32, a->rank, a->shape));
    if (b)
        ST_TRY(st_tensor_expect(b, "up", ST_F32, a->rank, a->shape));
    return sti_expect_host(y, "y");
}

st_status st_gelu(st_stream *q, st_tensor *y, const st_tensor *x, st_gelu_kind kind)
{
    ST_TRY(check(y, x, NULL));
    elements job = {y->data, x->data, NULL};
    sti_for(q, st_tensor_count(x), ELEMENT_BLOCK,
            kind == ST_GELU_TANH ? gelu_tanh_block : gelu_erf_block, &job);
    return st_ok();
}

st_status st_swiglu(st_stream *q, st_tensor *y, const st_tensor *gate, const st_tensor *up)
{
    ST_TRY(check(y, gate, up));
    elements job = {y->data, gate->data, up->data};
    sti_for(q, st_tensor_count(gate), ELEMENT_BLOCK, swiglu_block, &job);
    return st_ok();
}

st_status st_add(st_stream *q, st_tensor *y, const st_tensor *x)
{
    ST_TRY(check(y, x, NULL));
    elements job = {y->data, x->data, NULL};
    sti_for(q, st_tensor_count(x), ELEMENT_BLOCK, add_block, &job);
    return st_ok();
}
