/* linear.c - products with a weight matrix: a walk along the weights for one row, BLAS for many.
 *
 * The walk keeps sixteen partial sums, one per lane, folded by halves at the end: the order is the
 * same on every machine and for any number of threads, and compilers turn it into vectors without
 * being told to reassociate.
 */
#include "kernels/dense.h"
#include "kernels/dense_internal.h"

#include <cblas.h>

enum {
    LANES = 16,
    WALK_ROWS_MAX = 6,          /* from 7 rows of x on, widening a tile for BLAS is quicker     */
    WALK_BLOCK = 32,            /* weight rows a worker takes at once                           */
    WIDEN_BLOCK = 1 << 16
};

typedef struct walk {
    float           *y;         /* (T,R) */
    const float     *x;         /* (T,C) */
    const st_tensor *w, *b;     /* (R,C), (R) or NULL */
    int64_t          T, R, C;
    st_linear_mode   mode;
} walk;

static float fold(const float lane[LANES])
{
    float half[LANES];
    for (int i = 0; i < LANES; i++)
        half[i] = lane[i];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            half[i] += half[i + width];
    return half[0];
}

static float dot_f32(const float *w, const float *x, int64_t C)
{
    float lane[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= C; c += LANES)
        for (int i = 0; i < LANES; i++)
            lane[i] += w[c + i] * x[c + i];
    for (int i = 0; c + i < C; i++)
        lane[i] += w[c + i] * x[c + i];
    return fold(lane);
}

static float dot_bf16(const uint16_t *w, const float *x, int64_t C)
{
    float lane[LANES] = {0};
    int64_t c = 0;
    for (; c + LANES <= C; c += LANES)
        for (int i = 0; i < LANES; i++)
            lane[i] += st_f32_from_bf16(w[c + i]) * x[c + i];
    for (int i = 0; c + i < C; i++)
        lane[i] += st_f32_from_bf16(w[c + i]) * x[c + i];
    return fold(lane);
}

static void walk_block(void *context, int64_t first, int64_t end)
{
    const walk *k = context;
    for (int64_t r = first; r < end; r++)
        for (int64_t t = 0; t < k->T; t++) {
            const float *x = k->x + t * k->C;
            const float sum = k->w->dtype == ST_BF16
                                  ? dot_bf16((const uint16_t *)k->w->data + r * k->C, x, k->C)
                                  : dot_f32((const float *)k->w->data + r * k->C, x, k->C);
            float *y = k->y + t * k->R + r;
            const float held = k->mode == ST_LINEAR_ADD ? *y : 0.0f;
            *y = held + sum + (k->b ? sti_element(k->b, r) : 0.0f);
        }
}

typedef struct widen {
    float          *out;
    const uint16_t *in;
} widen;

static void widen_block(void *context, int64_t first, int64_t end)
{
    const widen *k = context;
    for (int64_t i = first; i < end; i++)
        k->out[i] = st_f32_from_bf16(k->in[i]);
}

/* y = b or y += b in every row, so that BLAS only ever adds. */
static void start_rows(const walk *k)
{
    for (int64_t t = 0; t < k->T; t++) {
        float *y = k->y + t * k->R;
        if (k->mode == ST_LINEAR_SET)
            for (int64_t r = 0; r < k->R; r++)
                y[r] = k->b ? sti_element(k->b, r) : 0.0f;
        else if (k->b)
            for (int64_t r = 0; r < k->R; r++)
                y[r] += sti_element(k->b, r);
    }
}

/* Rows [r0, r0 + rows) of the weight, already f32. */
static void multiply(const walk *k, const float *w, int64_t r0, int64_t rows)
{
    const float keep = k->mode == ST_LINEAR_ADD || k->b ? 1.0f : 0.0f;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k->T, (int)rows, (int)k->C, 1.0f,
                k->x, (int)k->C, w, (int)k->C, keep, k->y + r0, (int)k->R);
}

static st_status through_blas(st_stream *q, const walk *k)
{
    if (k->b)
        start_rows(k);
    if (k->w->dtype == ST_F32) {
        multiply(k, k->w->data, 0, k->R);
        return st_ok();
    }

    if (k->C > STI_TILE_FLOATS)
        return ST_FAIL(ST_ERR_LIMIT, "a weight row of %lld numbers exceeds the tile of %d",
                       (long long)k->C, STI_TILE_FLOATS);
    const int64_t tile = STI_TILE_FLOATS / k->C;                /* rows that fit */
    for (int64_t r = 0; r < k->R; r += tile) {
        const int64_t rows = k->R - r < tile ? k->R - r : tile;
        widen job = {q->tile, (const uint16_t *)k->w->data + r * k->C};
        sti_for(q, rows * k->C, WIDEN_BLOCK, widen_block, &job);
        multiply(k, q->tile, r, rows);
    }
    return st_ok();
}

st_status st_linear(st_stream *q, st_tensor *y, const st_tensor *x, const st_tensor *w,
                    const st_tensor *b, st_linear_mode mode)
{
    ST_TRY(sti_expect_weight(w, "w", 2, (int64_t[]){-1, -1}));
    ST_TRY(sti_expect_rows(x, "x", -1, w->shape[1]));
    ST_TRY(sti_expect_rows(y, "y", x->shape[0], w->shape[0]));
    if (b)
        ST_TRY(sti_expect_weight(b, "b", 1, (int64_t[]){w->shape[0]}));

    walk k = {y->data, x->data, w, b, x->shape[0], w->shape[0], w->shape[1], mode};
    if (k.T > INT32_MAX || k.R > INT32_MAX || k.C > INT32_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "a product side is above 2^31 - 1, which BLAS cannot count");
    if (k.T == 0 || k.R == 0)
        return st_ok();
    if (k.T <= WALK_ROWS_MAX) {
        sti_for(q, k.R, WALK_BLOCK, walk_block, &k);
        return st_ok();
    }
    return through_blas(q, &k);
}
