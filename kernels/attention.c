/* attention.c - checks, dispatch, and the CPU body: blocks of queries against blocks of keys,
 * products through BLAS, softmax carried from block to block.
 */
#include "kernels/attention.h"

#include "kernels/around_internal.h"
#include "kernels/attention_internal.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* A block of scores stays in the second-level cache: 64 x 256 floats. */
enum { BLOCK_Q = 64, BLOCK_K = 256, D_MAX = 128 };

/* Keys and values by position: position p lies in row p below `kept`, else in row
 * kept + (p - kept) % (capacity - kept). */
typedef struct key_span {
    const float *k, *v;
    int64_t      k_row, v_row, capacity, kept;
    int64_t      first, end;        /* positions that exist: [first, end) */
    int64_t      window;            /* 0: no limit                        */
    bool         causal;
} key_span;

static int64_t span_row(const key_span *s, int64_t p)
{
    return p < s->kept ? p : s->kept + (p - s->kept) % (s->capacity - s->kept);
}

static int64_t span_low(const key_span *s, int64_t p)
{
    return s->window > 0 && p - s->window + 1 > s->first ? p - s->window + 1 : s->first;
}

static int64_t span_high(const key_span *s, int64_t p)
{
    return s->causal ? p + 1 : s->end;
}

/* Keys of one block from position `p` on: at most BLOCK_K, none beyond `end`, no wrap. */
static int64_t span_block(const key_span *s, int64_t p, int64_t end)
{
    const int64_t flat = p < s->kept ? s->kept - p : s->capacity - span_row(s, p);
    const int64_t left = end - p < BLOCK_K ? end - p : BLOCK_K;
    return left < flat ? left : flat;
}

/* exp(x) for x <= 0 to 2 ulp, in a form that compilers turn into vectors: 2^n times a polynomial
 * on [-ln2/2, ln2/2]. Below -87 the answer is 1.6e-38, not 0; masked places are never asked. */
static inline float exp_below(float x)
{
    x = x > -87.0f ? x : -87.0f;
    const float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;  /* to the nearest integer */
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;    /* ln 2 in two parts      */
    float       p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const union { int32_t i; float f; } power = {.i = ((int32_t)n + 127) << 23};
    return p * power.f;
}

/* Maximum and sum in eight interleaved parts: a form that becomes vectors, in one fixed order. */
enum { PARTS = 8 };

static float row_top(const float *x, int64_t n, float top)
{
    float   part[PARTS] = {top, top, top, top, top, top, top, top};
    int64_t j = 0;
    for (; j + PARTS <= n; j += PARTS)
        for (int i = 0; i < PARTS; i++)
            part[i] = x[j + i] > part[i] ? x[j + i] : part[i];
    for (; j < n; j++)
        part[0] = x[j] > part[0] ? x[j] : part[0];
    for (int i = 0; i < PARTS; i++)
        top = part[i] > top ? part[i] : top;
    return top;
}

static double row_sum(const float *x, int64_t n)
{
    double  part[PARTS] = {0}, sum = 0.0;   /* long rows: floats would lose the tolerance */
    int64_t j = 0;
    for (; j + PARTS <= n; j += PARTS)
        for (int i = 0; i < PARTS; i++)
            part[i] += x[j + i];
    for (; j < n; j++)
        part[0] += x[j];
    for (int i = 0; i < PARTS; i++)
        sum += part[i];
    return sum;
}

/* score[r][:] = scale * <q_r, k_j> for the block's keys. */
static void block_scores(float *score, const float *q, int64_t q_row, int64_t rows, const float *k,
                         int64_t k_row, int64_t keys, int64_t D, float scale)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)keys, (int)D, scale, q,
                (int)q_row, k, (int)k_row, 0.0f, score, BLOCK_K);
}

/* Scores of one row become weights exp(score - top), zero outside [low, high); the running top
 * and sum move along, and what was summed under the old top shrinks. */
static void soften_row(float *score, int64_t keys, int64_t low, int64_t high, float *top,
                       float *sum, float *acc, int64_t D)
{
    if (low >= high) {
        memset(score, 0, (size_t)keys * sizeof *score);
        return;
    }
    const float most = row_top(score + low, high - low, *top);
    const float shrink = *top == -INFINITY ? 0.0f : expf(*top - most);
    if (shrink != 1.0f)
        for (int64_t c = 0; c < D; c++)
            acc[c] *= shrink;

    for (int64_t j = low; j < high; j++)
        score[j] = exp_below(score[j] - most);
    const double total = row_sum(score + low, high - low);
    memset(score, 0, (size_t)low * sizeof *score);
    memset(score + high, 0, (size_t)(keys - high) * sizeof *score);
    *sum = (float)(*sum * shrink + total);
    *top = most;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Queries at positions p0 .. p0+rows-1 of one head, rows <= BLOCK_Q. */
static void forward_block(float *out, int64_t out_row, float *lse, const float *q, int64_t q_row,
                          int64_t p0, int64_t rows, int64_t D, float scale, const key_span *s)
{
    float score[BLOCK_Q * BLOCK_K], acc[BLOCK_Q * D_MAX], top[BLOCK_Q], sum[BLOCK_Q];
    memset(acc, 0, (size_t)(rows * D) * sizeof *acc);
    for (int64_t r = 0; r < rows; r++) {
        top[r] = -INFINITY;
        sum[r] = 0.0f;
    }

    /* First the keys that everybody sees, if any, then the window. */
    const int64_t end = span_high(s, p0 + rows - 1), low = span_low(s, p0);
    for (int64_t p = s->kept > 0 ? 0 : low, keys; p < end; p += keys) {
        if (p >= s->kept && p < low)
            p = low;
        keys = span_block(s, p, end);
        const int64_t at = span_row(s, p);
        block_scores(score, q, q_row, rows, s->k + at * s->k_row, s->k_row, keys, D, scale);
        for (int64_t r = 0; r < rows; r++) {
            const int64_t from = p < s->kept ? 0 : span_low(s, p0 + r) - p;
            soften_row(score + r * BLOCK_K, keys, clamp(from, 0, keys),
                       clamp(span_high(s, p0 + r) - p, 0, keys), &top[r], &sum[r], acc + r * D, D);
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)D, (int)keys, 1.0f,
                    score, BLOCK_K, s->v + at * s->v_row, (int)s->v_row, 1.0f, acc, (int)D);
    }

    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < D; c++)
            out[r * out_row + c] = acc[r * D + c] / sum[r];
        if (lse)
            lse[r] = top[r] + logf(sum[r]);
    }
}

static int64_t segment_count(const sti_attention *a)
{
    return a->starts ? a->segments : 1;
}

static void segment_get(const sti_attention *a, int64_t s, int64_t *begin, int64_t *end)
{
    *begin = a->starts ? a->starts[s] : 0;
    *end   = a->starts ? a->starts[s + 1] : a->T;
}

/* The keys of one segment and key head. */
static key_span segment_span(const sti_attention *a, const float *k, const float *v, int64_t begin,
                             int64_t end, int64_t g)
{
    return (key_span){.k = k + begin * a->k_row + g * a->D,
                      .v = v + begin * a->v_row + g * a->D,
                      .k_row = a->k_row, .v_row = a->v_row, .capacity = end - begin,
                      .first = 0, .end = end - begin, .window = a->window,
                      .causal = a->mask == ST_ATTENTION_CAUSAL};
}

static void forward_cpu(float *out, float *lse, const float *q, const float *k, const float *v,
                        const sti_attention *a)
{
    const int64_t group = a->H / a->Hkv, out_row = a->H * a->D;
    for (int64_t s = 0; s < segment_count(a); s++) {
        int64_t begin, end;
        segment_get(a, s, &begin, &end);
        for (int64_t h = 0; h < a->H; h++) {
            const key_span span = segment_span(a, k, v, begin, end, h / group);
            for (int64_t p = 0; p < end - begin; p += BLOCK_Q) {
                const int64_t rows = end - begin - p < BLOCK_Q ? end - begin - p : BLOCK_Q;
                const int64_t t    = begin + p;
                forward_block(out + t * out_row + h * a->D, out_row,
                              lse ? lse + h * a->T + t : NULL, q + t * a->q_row + h * a->D,
                              a->q_row, p, rows, a->D, a->scale, &span);
            }
        }
    }
}

/* Gradients of one block of queries of one head; k_bar and v_bar are added to, their rows are as
 * the span's but dense. */
static void backward_block(float *q_bar, float *k_bar, float *v_bar, int64_t kv_row,
                           const float *out_bar, const float *out, const float *q,
                           const float *lse, int64_t p0, int64_t rows, const sti_attention *a,
                           const key_span *s)
{
    float         weight[BLOCK_Q * BLOCK_K], slope[BLOCK_Q * BLOCK_K], delta[BLOCK_Q];
    const int64_t D = a->D, row = a->H * D;
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0.0;
        for (int64_t c = 0; c < D; c++)
            sum += (double)out_bar[r * row + c] * out[r * row + c];
        delta[r] = (float)sum;
        memset(q_bar + r * row, 0, (size_t)D * sizeof *q_bar);
    }

    const int64_t end = span_high(s, p0 + rows - 1);
    for (int64_t p = span_low(s, p0), keys; p < end; p += keys) {
        keys = span_block(s, p, end);
        const float *k = s->k + p * s->k_row, *v = s->v + p * s->v_row;
        block_scores(weight, q, a->q_row, rows, k, s->k_row, keys, D, a->scale);
        block_scores(slope, out_bar, row, rows, v, s->v_row, keys, D, 1.0f);
        for (int64_t r = 0; r < rows; r++) {
            const int64_t low  = clamp(span_low(s, p0 + r) - p, 0, keys);
            const int64_t high = clamp(span_high(s, p0 + r) - p, low, keys);
            float        *w = weight + r * BLOCK_K, *b = slope + r * BLOCK_K;
            for (int64_t j = low; j < high; j++) {
                const float x = w[j] - lse[r];
                w[j] = exp_below(x < 0.0f ? x : 0.0f);
                b[j] = a->scale * w[j] * (b[j] - delta[r]);
            }
            for (int64_t j = 0; j < keys; j++)
                if (j < low || j >= high)
                    w[j] = b[j] = 0.0f;
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)D, (int)keys, 1.0f,
                    slope, BLOCK_K, k, (int)s->k_row, 1.0f, q_bar, (int)row);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)keys, (int)D, (int)rows, 1.0f,
                    slope, BLOCK_K, q, (int)a->q_row, 1.0f, k_bar + p * kv_row, (int)kv_row);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)keys, (int)D, (int)rows, 1.0f,
                    weight, BLOCK_K, out_bar, (int)row, 1.0f, v_bar + p * kv_row, (int)kv_row);
    }
}

static void backward_cpu(float *q_bar, float *k_bar, float *v_bar, const float *out_bar,
                         const float *q, const float *k, const float *v, const float *out,
                         const float *lse, const sti_attention *a)
{
    const int64_t group = a->H / a->Hkv, row = a->H * a->D, kv_row = a->Hkv * a->D;
    memset(k_bar, 0, (size_t)(a->T * kv_row) * sizeof *k_bar);
    memset(v_bar, 0, (size_t)(a->T * kv_row) * sizeof *v_bar);
    for (int64_t s = 0; s < segment_count(a); s++) {
        int64_t begin, end;
        segment_get(a, s, &begin, &end);
        for (int64_t h = 0; h < a->H; h++) {
            const int64_t  g    = h / group * a->D;
            const key_span span = segment_span(a, k, v, begin, end, h / group);
            for (int64_t p = 0; p < end - begin; p += BLOCK_Q) {
                const int64_t rows = end - begin - p < BLOCK_Q ? end - begin - p : BLOCK_Q;
                const int64_t t = begin + p, at = t * row + h * a->D;
                backward_block(q_bar + at, k_bar + begin * kv_row + g,
                               v_bar + begin * kv_row + g, kv_row, out_bar + at, out + at,
                               q + t * a->q_row + h * a->D, lse + h * a->T + t, p, rows, a,
                               &span);
            }
        }
    }
}

/* Options and shapes in one place; the answer is what the bodies read. */
static st_status check(sti_attention *a, const st_stream *stream, const st_tensor *q,
                       const st_tensor *k, const st_tensor *v, const st_attention *how)
{
    const st_dtype dtype = sti_activation(q);
    ST_TRY(sti_expect_place(stream, q));
    ST_TRY(st_tensor_expect(q, "q", dtype, 3, (int64_t[]){-1, -1, -1}));
    ST_TRY(st_tensor_expect(k, "k", dtype, 3, (int64_t[]){q->shape[0], -1, q->shape[2]}));
    ST_TRY(st_tensor_expect(v, "v", dtype, 3, k->shape));

    *a = (sti_attention){.T = q->shape[0], .H = q->shape[1], .Hkv = k->shape[1], .D = q->shape[2],
                         .mask = how->mask, .window = how->window, .scale = how->scale,
                         .q_row = how->q_row, .k_row = how->k_row, .v_row = how->v_row,
                         .segments = 1, .longest = how->longest ? how->longest : q->shape[0]};
    if (a->Hkv < 1 || a->H % a->Hkv != 0)
        return ST_FAIL(ST_ERR_DATA, "attention: %lld key heads do not divide %lld query heads",
                       (long long)a->Hkv, (long long)a->H);
    if (a->D < 1 || a->D > D_MAX)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention: head width must be 1 to %d, is %lld", D_MAX,
                       (long long)a->D);
    if (a->window < 0 || (a->window > 0 && a->mask == ST_ATTENTION_SEGMENT))
        return ST_FAIL(ST_ERR_USAGE, "attention: a window of %lld needs the causal mask",
                       (long long)a->window);
    a->q_row = a->q_row ? a->q_row : a->H * a->D;
    a->k_row = a->k_row ? a->k_row : a->Hkv * a->D;
    a->v_row = a->v_row ? a->v_row : a->Hkv * a->D;
    if (a->q_row < a->H * a->D || a->k_row < a->Hkv * a->D || a->v_row < a->Hkv * a->D)
        return ST_FAIL(ST_ERR_USAGE, "attention: a row is shorter than its heads");
    if (k->place != q->place || v->place != q->place)
        return ST_FAIL(ST_ERR_USAGE, "attention: q, k and v must be in one place");
    if (how->starts) {
        ST_TRY(st_tensor_expect(how->starts, "starts", ST_I32, 1, (int64_t[]){-1}));
        a->starts   = how->starts->data;
        a->segments = how->starts->shape[0] - 1;
    }
    return st_ok();
}

/* On the host the segments can be read, so they are. */
static st_status check_starts(const sti_attention *a)
{
    if (!a->starts)
        return st_ok();
    if (a->segments < 1 || a->starts[0] != 0 || a->starts[a->segments] != a->T)
        return ST_FAIL(ST_ERR_DATA, "attention: segments must cover rows 0 to %lld",
                       (long long)a->T);
    for (int64_t s = 0; s < a->segments; s++)
        if (a->starts[s + 1] < a->starts[s])
            return ST_FAIL(ST_ERR_DATA, "attention: segment %lld ends at row %d before its start",
                           (long long)s, a->starts[s + 1]);
    return st_ok();
}

st_status st_attention_forward(st_stream *stream, st_tensor *out, st_tensor *lse,
                               const st_tensor *q, const st_tensor *k, const st_tensor *v,
                               const st_attention *how)
{
    sti_attention a;
    ST_TRY(check(&a, stream, q, k, v, how));
    ST_TRY(st_tensor_expect(out, "out", q->dtype, 3, q->shape));
    if (lse)
        ST_TRY(st_tensor_expect(lse, "lse", ST_F32, 2, (int64_t[]){a.H, a.T}));
    if (q->place == ST_PLACE_DEVICE)
        return sti_attention_forward_cuda(stream, out->data, lse ? lse->data : NULL, q->data,
                                          k->data, v->data, &a);
    ST_TRY(check_starts(&a));
    forward_cpu(out->data, lse ? lse->data : NULL, q->data, k->data, v->data, &a);
    return st_ok();
}

st_status st_attention_backward(st_stream *stream, st_tensor *q_bar, st_tensor *k_bar,
                                st_tensor *v_bar, const st_tensor *out_bar, const st_tensor *q,
                                const st_tensor *k, const st_tensor *v, const st_tensor *out,
                                const st_tensor *lse, const st_attention *how)
{
    sti_attention a;
    ST_TRY(check(&a, stream, q, k, v, how));
    ST_TRY(st_tensor_expect(q_bar, "q_bar", q->dtype, 3, q->shape));
    ST_TRY(st_tensor_expect(k_bar, "k_bar", q->dtype, 3, k->shape));
    ST_TRY(st_tensor_expect(v_bar, "v_bar", q->dtype, 3, k->shape));
    ST_TRY(st_tensor_expect(out_bar, "out_bar", q->dtype, 3, q->shape));
    ST_TRY(st_tensor_expect(out, "out", q->dtype, 3, q->shape));
    ST_TRY(st_tensor_expect(lse, "lse", ST_F32, 2, (int64_t[]){a.H, a.T}));
    if (q->place == ST_PLACE_DEVICE)
        return sti_attention_backward_cuda(stream, q_bar->data, k_bar->data, v_bar->data,
                                           out_bar->data, q->data, k->data, v->data, out->data,
                                           lse->data, &a);
    ST_TRY(check_starts(&a));
    backward_cpu(q_bar->data, k_bar->data, v_bar->data, out_bar->data, q->data, k->data, v->data,
                 out->data, lse->data, &a);
    return st_ok();
}

static void cached_cpu(float *out, const float *q, const float *k, const float *v,
                       const sti_attention *a, const sti_attention_cache *c, int64_t kept)
{
    const int64_t group = a->H / a->Hkv;
    for (int64_t h = 0; h < a->H; h++) {
        const key_span span = {.k = k + h / group * a->D, .v = v + h / group * a->D,
                               .k_row = a->k_row, .v_row = a->v_row, .capacity = c->capacity,
                               .kept = kept, .first = c->first, .end = c->position + a->T,
                               .window = a->window, .causal = true};
        for (int64_t t = 0; t < a->T; t += BLOCK_Q) {
            const int64_t rows = a->T - t < BLOCK_Q ? a->T - t : BLOCK_Q;
            forward_block(out + t * a->q_row + h * a->D, a->q_row, NULL,
                          q + t * a->q_row + h * a->D, a->q_row, c->position + t, rows, a->D,
                          a->scale, &span);
        }
    }
}

st_status st_attention_kept(st_stream *stream, st_tensor *out, const st_tensor *q,
                            const st_tensor *k_cache, const st_tensor *v_cache,
                            const st_attention_ring *ring)
{
    sti_attention a;
    ST_TRY(st_tensor_expect(k_cache, "k_cache", q->dtype, 3, (int64_t[]){-1, -1, -1}));
    st_tensor k = *k_cache, v = *v_cache;   /* as if T rows long: `check` compares with q */
    k.shape[0] = q->shape[0];
    v.shape[0] = v_cache->shape[0] == k_cache->shape[0] ? q->shape[0] : -1;
    ST_TRY(check(&a, stream, q, &k, &v,
                 &(st_attention){.window = ring->window, .scale = ring->scale}));
    ST_TRY(st_tensor_expect(out, "out", q->dtype, 3, q->shape));

    const sti_attention_cache c = {k_cache->shape[0], ring->position, ring->first};
    const int64_t oldest = c.first > ring->kept ? c.first : ring->kept, end = c.position + a.T;
    if (c.position < 0 || c.first < 0 || c.first > c.position || ring->kept < 0 ||
        ring->kept >= c.capacity ||
        (end > ring->kept && end - oldest > c.capacity - ring->kept))
        return ST_FAIL(ST_ERR_USAGE,
                       "attention: a cache of %lld rows cannot hold positions %lld to %lld",
                       (long long)c.capacity, (long long)c.first, (long long)(end - 1));
    if (q->place == ST_PLACE_DEVICE && ring->kept > 0)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention: first keys are kept on the host only");
    if (q->place == ST_PLACE_DEVICE)
        return sti_attention_cached_cuda(stream, out->data, q->data, k_cache->data, v_cache->data,
                                         &a, &c);
    cached_cpu(out->data, q->data, k_cache->data, v_cache->data, &a, &c, ring->kept);
    return st_ok();
}

st_status st_attention_cached(st_stream *stream, st_tensor *out, const st_tensor *q,
                              const st_tensor *k_cache, const st_tensor *v_cache,
                              int64_t position, int64_t first, int64_t window, float scale)
{
    const st_attention_ring ring = {.position = position, .first = first, .window = window,
                                    .scale = scale};
    return st_attention_kept(stream, out, q, k_cache, v_cache, &ring);
}
