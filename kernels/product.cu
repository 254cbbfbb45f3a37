/* product.cu - the device twin of product.c, through cuBLASLt.
 *
 * cuBLASLt thinks in columns: our row-major y = a b is its column-major y^T = b^T a^T, so a and b
 * change places and keep their storage. The algorithm of each shape is asked for once and kept;
 * the workspace belongs to the stream, so products of one stream may not overlap each other.
 */
#include "kernels/device.cuh"

#include <string.h>

static cudaDataType_t cuda_type(st_dtype dtype)
{
    return dtype == ST_F32 ? CUDA_R_32F : CUDA_R_16BF;
}

static cublasStatus_t layout(cublasLtMatrixLayout_t *l, st_dtype dtype, int64_t row_length,
                             int64_t row_count, int64_t pitch, int64_t step, int64_t batch)
{
    const int32_t count = (int32_t)batch;
    cublasStatus_t s = cublasLtMatrixLayoutCreate(l, cuda_type(dtype), (uint64_t)row_length,
                                                  (uint64_t)row_count, pitch);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                             sizeof count);
    if (s == CUBLAS_STATUS_SUCCESS)
        s = cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                             &step, sizeof step);
    return s;
}

/* The largest power of two up to 16 that divides every address of an operand: an algorithm chosen
 * for one alignment must not meet a worse one. */
static uint32_t alignment(const void *p, int64_t pitch, int64_t step, st_dtype dtype)
{
    const uint64_t bits = (uint64_t)(uintptr_t)p |
                          ((uint64_t)(pitch | step) * (uint64_t)st_dtype_size(dtype)) | 16u;
    return (uint32_t)(bits & (~bits + 1));
}

static bool prefer(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t what,
                   uint32_t value)
{
    return cublasLtMatmulPreferenceSetAttribute(preference, what, &value, sizeof value) == 0;
}

static st_status make_plan(sti_device *d, sti_plan *plan, const st_product *p)
{
    const cublasOperation_t first = p->b_turn == ST_TURNED ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t second = p->a_turn == ST_TURNED ? CUBLAS_OP_T : CUBLAS_OP_N;
    const bool a_turned = p->a_turn == ST_TURNED, b_turned = p->b_turn == ST_TURNED;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t found;
    int found_count = 0;

    const uint32_t align_a = alignment(p->b, p->b_pitch, p->b_step, p->ab_dtype);
    const uint32_t align_b = alignment(p->a, p->a_pitch, p->a_step, p->ab_dtype);
    const uint32_t align_c = alignment(p->y, p->y_pitch, p->y_step, p->y_dtype);
    const bool ready =
        cublasLtMatmulDescCreate(&plan->op, CUBLAS_COMPUTE_32F, CUDA_R_32F) == 0 &&
        cublasLtMatmulDescSetAttribute(plan->op, CUBLASLT_MATMUL_DESC_TRANSA, &first,
                                       sizeof first) == 0 &&
        cublasLtMatmulDescSetAttribute(plan->op, CUBLASLT_MATMUL_DESC_TRANSB, &second,
                                       sizeof second) == 0 &&
        layout(&plan->b, p->ab_dtype, b_turned ? p->inner : p->cols, b_turned ? p->cols : p->inner,
               p->b_pitch, p->b_step, p->batch) == 0 &&
        layout(&plan->a, p->ab_dtype, a_turned ? p->rows : p->inner, a_turned ? p->inner : p->rows,
               p->a_pitch, p->a_step, p->batch) == 0 &&
        layout(&plan->y, p->y_dtype, p->cols, p->rows, p->y_pitch, p->y_step, p->batch) == 0 &&
        cublasLtMatmulPreferenceCreate(&preference) == 0 &&
        cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &d->workspace_bytes, sizeof d->workspace_bytes) == 0 &&
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, align_a) &&
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, align_b) &&
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, align_c) &&
        prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, align_c) &&
        cublasLtMatmulAlgoGetHeuristic(d->lt, plan->op, plan->b, plan->a, plan->y, plan->y,
                                       preference, 1, &found, &found_count) == 0;
    cublasLtMatmulPreferenceDestroy(preference);
    if (!ready || found_count == 0) {
        cublasLtMatmulDescDestroy(plan->op);
        cublasLtMatrixLayoutDestroy(plan->y);
        cublasLtMatrixLayoutDestroy(plan->a);
        cublasLtMatrixLayoutDestroy(plan->b);
        memset(plan, 0, sizeof *plan);
        return ST_FAIL(ST_ERR_DEVICE, "cuBLASLt has no way to multiply %lld x (%lld,%lld,%lld)",
                       (long long)p->batch, (long long)p->rows, (long long)p->inner,
                       (long long)p->cols);
    }
    plan->algo = found.algo;
    return st_ok();
}

/* A plan depends on everything but the addresses, of which only the alignment counts. */
static st_product key_of(const st_product *p)
{
    st_product key = *p;
    key.y = (void *)(uintptr_t)alignment(p->y, p->y_pitch, p->y_step, p->y_dtype);
    key.a = (void *)(uintptr_t)alignment(p->a, p->a_pitch, p->a_step, p->ab_dtype);
    key.b = (void *)(uintptr_t)alignment(p->b, p->b_pitch, p->b_step, p->ab_dtype);
    key.c = NULL;
    key.alpha = 0.0f;
    key.beta = 0.0f;
    return key;
}

static bool same_key(const st_product *a, const st_product *b)
{
    return a->y == b->y && a->a == b->a && a->b == b->b && a->y_dtype == b->y_dtype &&
           a->ab_dtype == b->ab_dtype && a->rows == b->rows && a->cols == b->cols &&
           a->inner == b->inner && a->batch == b->batch && a->y_pitch == b->y_pitch &&
           a->a_pitch == b->a_pitch && a->b_pitch == b->b_pitch && a->y_step == b->y_step &&
           a->a_step == b->a_step && a->b_step == b->b_step && a->a_turn == b->a_turn &&
           a->b_turn == b->b_turn;
}

static st_status find_plan(sti_device *d, sti_plan **plan, const st_product *p)
{
    const st_product key = key_of(p);
    for (int i = 0; i < d->plan_count; i++) {
        if (same_key(&d->plan[i].key, &key)) {
            *plan = &d->plan[i];
            return st_ok();
        }
    }
    /* Full: forget the last one. Streamed pieces of ever new lengths come here, and only they. */
    if (d->plan_count == STI_PLANS_MAX) {
        sti_plan *last = &d->plan[--d->plan_count];
        cublasLtMatmulDescDestroy(last->op);
        cublasLtMatrixLayoutDestroy(last->y);
        cublasLtMatrixLayoutDestroy(last->a);
        cublasLtMatrixLayoutDestroy(last->b);
        memset(last, 0, sizeof *last);
    }
    *plan = &d->plan[d->plan_count];
    ST_TRY(make_plan(d, *plan, p));
    (*plan)->key = key;
    d->plan_count++;
    return st_ok();
}

extern "C" st_status sti_device_product(sti_device *d, const st_product *p)
{
    if ((p->ab_dtype != ST_BF16 && p->ab_dtype != ST_F32) ||
        (p->y_dtype != ST_F32 && p->y_dtype != ST_BF16) ||
        (p->ab_dtype == ST_F32 && p->y_dtype != ST_F32))
        return ST_FAIL(ST_ERR_UNSUPPORTED, "the device does not multiply %s into %s",
                       st_dtype_name(p->ab_dtype), st_dtype_name(p->y_dtype));
    if (p->inner == 0 && p->beta == 0.0f && p->y_pitch == p->cols && p->y_step == p->rows * p->cols)
        return sti_device_fill(d, p->y, 0, (size_t)(p->batch * p->y_step) *
                                               st_dtype_size(p->y_dtype));
    const void *c = p->c ? p->c : p->y;
    sti_plan *plan;
    ST_TRY(find_plan(d, &plan, p));
    const cublasStatus_t s =
        cublasLtMatmul(d->lt, plan->op, &p->alpha, p->b, plan->b, p->a, plan->a, &p->beta, c,
                       plan->y, p->y, plan->y, &plan->algo, d->workspace, d->workspace_bytes,
                       d->stream);
    if (s != CUBLAS_STATUS_SUCCESS)
        return ST_FAIL(ST_ERR_DEVICE, "cuBLASLt: %s", cublasLtGetStatusName(s));
    return sti_launched("product");
}
