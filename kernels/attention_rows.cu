/* attention_rows.cu - attention one query at a time: for decoding, where the keys' bytes are the
 * cost, and for head widths and cards that attention_forward.cu does not know.
 *
 * A block takes one token, one key head and SPLIT keys, and all query heads of that group, so keys
 * and values are read once. It leaves a maximum, a sum and an unscaled answer for each query head
 * in the stream's workspace; a second kernel joins the splits in order.
 */
#include "kernels/attention.cuh"

enum { SPLIT = 128, THREADS = 128, WARPS = THREADS / 32, GROUP_MAX = 8, D_MAX = 128 };

/* What a block needs to know. The key at position p lies in row begin + p % capacity. */
typedef struct rows_problem {
    attention_shape a;
    int             D, Hkv, segments, capacity, position, first, splits;
    int64_t         q_row, k_row, v_row;
} rows_problem;

/* Keys that token t sees: positions [low, high) counted from row `begin`. */
static __device__ __forceinline__ void range_of(const rows_problem &r, int t, int *begin, int *low,
                                                int *high)
{
    int s = 0, length;
    if (r.a.starts)
        while (s + 1 < r.segments && r.a.starts[s + 1] <= t)
            s++;
    segment_get(r.a, s, begin, &length);
    const int p = r.position + t - *begin;
    *high = r.a.causal ? p + 1 : length;
    *low  = r.a.window > 0 ? max(r.first, p - r.a.window + 1) : r.first;
}

static __device__ __forceinline__ void load8(float (&x)[8], const bf16 *from)
{
    const uint4 p = *(const uint4 *)from;
    const uint32_t w[4] = {p.x, p.y, p.z, p.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        x[2 * i]     = __uint_as_float(w[i] << 16);
        x[2 * i + 1] = __uint_as_float(w[i] & 0xffff0000u);
    }
}

/* `lanes` threads hold a row of D, eight channels each; a power of two up to 16. */
template <int group>
static __global__ void __launch_bounds__(THREADS)
    attention_split(float *partial, const bf16 *q, const bf16 *k, const bf16 *v, rows_problem r,
                    int lanes)
{
    __shared__ float score[GROUP_MAX][SPLIT];
    __shared__ float joined[WARPS][D_MAX];
    const int t = blockIdx.x, g = blockIdx.y, split = blockIdx.z;
    const int part = threadIdx.x % lanes, slot = threadIdx.x / lanes, slots = THREADS / lanes;
    const bool here = part * 8 < r.D;           /* a width such as 72 leaves lanes without work */
    int begin, low, high;
    range_of(r, t, &begin, &low, &high);
    low += split * SPLIT;
    const int count = min(SPLIT, high - low);

    float *to = partial + (((int64_t)t * r.Hkv + g) * r.splits + split) * group * (r.D + 2);
    if (count <= 0) {
        if (threadIdx.x < group) {
            to[threadIdx.x * (r.D + 2)]     = -INFINITY;
            to[threadIdx.x * (r.D + 2) + 1] = 0.0f;
        }
        return;                                 /* uniform in a block */
    }

    float x[group][8] = {}, key[8] = {};
    if (here)
#pragma unroll
        for (int h = 0; h < group; h++)
            load8(x[h], q + t * r.q_row + (g * group + h) * r.D + part * 8);
    for (int j = slot; j < SPLIT; j += slots) {
        if (here && j < count)
            load8(key, k + (begin + (low + j) % r.capacity) * r.k_row + g * r.D + part * 8);
#pragma unroll
        for (int h = 0; h < group; h++) {
            float sum = 0.0f;
#pragma unroll
            for (int c = 0; c < 8; c++)
                sum = fmaf(x[h][c], key[c], sum);
            for (int step = lanes / 2; step > 0; step /= 2)
                sum += __shfl_xor_sync(0xffffffffu, sum, step);
            if (part == 0)
                score[h][j] = j < count ? sum * r.a.scale : -INFINITY;
        }
    }
    __syncthreads();

    /* A warp takes the softmax of a head. */
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int h = warp; h < group; h += WARPS) {
        float top = -INFINITY, sum = 0.0f;
        for (int j = lane; j < SPLIT; j += 32)
            top = fmaxf(top, score[h][j]);
        top = warp_max(top);
        for (int j = lane; j < SPLIT; j += 32)
            sum += score[h][j] = expf(score[h][j] - top);
        sum = warp_sum(sum);
        if (lane == 0) {
            to[h * (r.D + 2)]     = top;
            to[h * (r.D + 2) + 1] = sum;
        }
    }
    __syncthreads();

    float acc[group][8] = {};
    for (int j = slot; j < count && here; j += slots) {
        float value[8];
        load8(value, v + (begin + (low + j) % r.capacity) * r.v_row + g * r.D + part * 8);
#pragma unroll
        for (int h = 0; h < group; h++)
#pragma unroll
            for (int c = 0; c < 8; c++)
                acc[h][c] = fmaf(score[h][j], value[c], acc[h][c]);
    }
#pragma unroll
    for (int h = 0; h < group; h++) {
#pragma unroll
        for (int c = 0; c < 8; c++)
            for (int step = lanes; step < 32; step *= 2)
                acc[h][c] += __shfl_xor_sync(0xffffffffu, acc[h][c], step);
        if (lane < lanes && here)
#pragma unroll
            for (int c = 0; c < 8; c++)
                joined[warp][part * 8 + c] = acc[h][c];
        __syncthreads();
        for (int c = (int)threadIdx.x; c < r.D; c += THREADS) {
            float sum = 0.0f;
            for (int w = 0; w < WARPS; w++)
                sum += joined[w][c];
            to[h * (r.D + 2) + 2 + c] = sum;
        }
        __syncthreads();
    }
}

/* One warp a token and query head. */
static __global__ void attention_join(bf16 *out, float *lse, const float *partial, rows_problem r,
                                      int T)
{
    const int64_t n = (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    const int     lane = threadIdx.x % 32, group = r.a.group, step = group * (r.D + 2);
    if (n >= (int64_t)T * r.a.H)
        return;                                 /* n is uniform in a warp */
    const int64_t t = n / r.a.H, h = n % r.a.H;
    const float  *from = partial + (t * r.Hkv + h / group) * r.splits * step +
                        h % group * (r.D + 2);
    float top = -INFINITY, sum = 0.0f, acc[D_MAX / 32] = {};
    for (int s = 0; s < r.splits; s++)
        top = fmaxf(top, from[(int64_t)s * step]);
    for (int s = 0; s < r.splits; s++) {
        const float *x = from + (int64_t)s * step;
        if (x[0] == -INFINITY)
            continue;                           /* an empty split left no answer */
        const float weight = expf(x[0] - top);
        sum += weight * x[1];
#pragma unroll
        for (int i = 0; i < D_MAX / 32; i++)
            if (lane + 32 * i < r.D)
                acc[i] = fmaf(weight, x[2 + lane + 32 * i], acc[i]);
    }
#pragma unroll
    for (int i = 0; i < D_MAX / 32; i++)
        if (lane + 32 * i < r.D)
            out[n * r.D + lane + 32 * i] = __float2bfloat16(acc[i] / sum);
    if (lse && lane == 0)
        lse[h * T + t] = top + logf(sum);
}

extern "C" st_status sti_attention_rows_cuda(st_stream *stream, void *out, float *lse,
                                             const void *q, const void *k, const void *v,
                                             const sti_attention *a, const sti_attention_cache *c)
{
    rows_problem r;
    r.a        = attention_shape_of(a);
    r.D        = (int)a->D;
    r.Hkv      = (int)a->Hkv;
    r.segments = (int)a->segments;
    r.capacity = (int)(c ? c->capacity : a->T);
    r.position = (int)(c ? c->position : 0);
    r.first    = (int)(c ? c->first : 0);
    r.q_row    = a->q_row;
    r.k_row    = a->k_row;
    r.v_row    = a->v_row;

    const int64_t keys = c ? c->position + a->T - c->first : a->longest;
    const int64_t seen = a->window > 0 && a->window < keys ? a->window : keys;
    r.a.window = (int)(a->window < keys ? a->window : 0);
    r.splits   = (int)((seen + SPLIT - 1) / SPLIT);
    if (a->D % 8 || a->D > D_MAX || a->q_row % 8 || a->k_row % 8 || a->v_row % 8)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention on the device: heads of 8, 16, ... or %d "
                       "channels, are %lld", D_MAX, (long long)a->D);
    const size_t bytes = (size_t)(a->T * a->H * r.splits * (a->D + 2)) * sizeof(float);
    if (bytes > stream->device->workspace_bytes)
        return ST_FAIL(ST_ERR_LIMIT, "attention row by row: %lld rows of %lld keys need %zu bytes "
                       "of workspace, %zu are there", (long long)a->T, (long long)seen, bytes,
                       stream->device->workspace_bytes);

    int lanes = 1;
    while (lanes * 8 < r.D)
        lanes *= 2;
    float     *partial = (float *)stream->device->workspace;
    const dim3 grid((unsigned)a->T, (unsigned)a->Hkv, (unsigned)r.splits);
    const bf16 *bq = (const bf16 *)q, *bk = (const bf16 *)k, *bv = (const bf16 *)v;
    cudaStream_t s = sti_cuda(stream);
    switch (r.a.group) {
    case 1: attention_split<1><<<grid, THREADS, 0, s>>>(partial, bq, bk, bv, r, lanes); break;
    case 2: attention_split<2><<<grid, THREADS, 0, s>>>(partial, bq, bk, bv, r, lanes); break;
    case 4: attention_split<4><<<grid, THREADS, 0, s>>>(partial, bq, bk, bv, r, lanes); break;
    default:
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention row by row: 1, 2 or 4 query heads to a key "
                       "head, are %d", r.a.group);
    }
    ST_TRY(sti_launched("attention_split"));
    attention_join<<<(unsigned)((a->T * a->H + 3) / 4), 128, 0, s>>>((bf16 *)out, lse, partial, r,
                                                                    (int)a->T);
    return sti_launched("attention_join");
}
