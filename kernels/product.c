/* product.c - checks, dispatch, and the host twin through OpenBLAS. */
#include "kernels/internal.h"

#include <cblas.h>
#include <string.h>

static st_status check(const st_product *p)
{
    if (p->rows < 0 || p->cols < 0 || p->inner < 0 || p->batch < 0)
        return ST_FAIL(ST_ERR_USAGE, "a product of %lld problems (%lld,%lld,%lld) has no meaning",
                       (long long)p->batch, (long long)p->rows, (long long)p->inner,
                       (long long)p->cols);
    const int64_t a_row = p->a_turn == ST_TURNED ? p->rows : p->inner;
    const int64_t b_row = p->b_turn == ST_TURNED ? p->inner : p->cols;
    if (p->y_pitch < p->cols || p->a_pitch < a_row || p->b_pitch < b_row)
        return ST_FAIL(ST_ERR_USAGE, "product pitches y %lld a %lld b %lld are shorter than the "
                       "rows %lld %lld %lld", (long long)p->y_pitch, (long long)p->a_pitch,
                       (long long)p->b_pitch, (long long)p->cols, (long long)a_row,
                       (long long)b_row);
    return st_ok();
}

static st_status run_on_host(const st_product *p)
{
    if (p->y_dtype != ST_F32 || p->ab_dtype != ST_F32)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "the host multiplies f32 into f32, not %s into %s",
                       st_dtype_name(p->ab_dtype), st_dtype_name(p->y_dtype));
    if (p->rows > INT32_MAX || p->cols > INT32_MAX || p->inner > INT32_MAX ||
        p->y_pitch > INT32_MAX || p->a_pitch > INT32_MAX || p->b_pitch > INT32_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "a product side is above 2^31 - 1, which BLAS cannot count");

    for (int64_t i = 0; i < p->batch; i++) {
        for (int64_t r = 0; r < p->rows && p->c && p->c != p->y && p->beta != 0.0f; r++)
            memcpy((float *)p->y + i * p->y_step + r * p->y_pitch,
                   (const float *)p->c + i * p->y_step + r * p->y_pitch,
                   (size_t)p->cols * sizeof(float));
        cblas_sgemm(CblasRowMajor, p->a_turn == ST_TURNED ? CblasTrans : CblasNoTrans,
                    p->b_turn == ST_TURNED ? CblasTrans : CblasNoTrans, (int)p->rows,
                    (int)p->cols, (int)p->inner, p->alpha,
                    (const float *)p->a + i * p->a_step, (int)p->a_pitch,
                    (const float *)p->b + i * p->b_step, (int)p->b_pitch, p->beta,
                    (float *)p->y + i * p->y_step, (int)p->y_pitch);
    }
    return st_ok();
}

st_status st_product_run(st_stream *q, const st_product *p)
{
    ST_TRY(check(p));
    if (p->rows == 0 || p->cols == 0 || p->batch == 0)
        return st_ok();
    return q->place == ST_PLACE_DEVICE ? sti_device_product(q->device, p) : run_on_host(p);
}
