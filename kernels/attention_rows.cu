/* attention_rows.cu - attention one query at a time: for decoding, where the keys' bytes are the
 * cost, and for head widths and cards that attention_forward.cu does not know.
 *
 * A block takes one token, one key head and SPLIT keys, and all query heads of that group, so keys
 * and values are read once. It leaves a maximum, a sum and an unscaled answer for each query head
 * in the stream's workspace; a second kernel joins the splits in order.
 */
#include "kernels/attention.cuh"

enum { SPLIT = 128, THREADS = 128, WARPS = THREADS / 32, GROUP_MAX = 8, D_MAX = 128 };
enum { JOIN_WARPS = 16, JOIN_BATCH = 4 };   /* warps that join splits, at most; splits at once */

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

static __device__ __forceinline__ void widen(float (&x)[8], const uint4 &p)
{
    const uint32_t w[4] = {p.x, p.y, p.z, p.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        x[2 * i]     = __uint_as_float(w[i] << 16);
        x[2 * i + 1] = __uint_as_float(w[i] & 0xffff0000u);
    }
}

/* Rows that a thread reads of the keys or of the values: `count` of them from row0 on. There are at
 * most `capacity`, so they wrap once at most. */
typedef struct row_run {
    const bf16 *from;           /* the thread's channels of row 0 */
    int64_t     pitch;
    int         row0, capacity, count;
} row_run;

/* A block takes its rows in rounds, `slots` rows each, `lanes` threads to a row; a batch of rounds
 * is as many loads one behind the other. */
template <int lanes> struct rounds_of {
    enum { slots = THREADS / lanes, count = SPLIT / slots, batch = count < 4 ? count : 4 };
};

/* Eight channels of the rows of one batch from j on; beyond the last row that one again. */
template <int lanes>
static __device__ __forceinline__ void fetch(uint4 (&raw)[rounds_of<lanes>::batch],
                                             const row_run &run, int j)
{
#pragma unroll
    for (int b = 0; b < rounds_of<lanes>::batch; b++) {
        const int row = run.row0 + min(j + b * rounds_of<lanes>::slots, run.count - 1);
        raw[b] = *(const uint4 *)(run.from +
                                  (row < run.capacity ? row : row - run.capacity) * run.pitch);
    }
}

/* score[h][j] = scale <x[h], key j>, -inf beyond the last key. */
template <int group, int lanes>
static __device__ __forceinline__ void score_keys(float (&score)[GROUP_MAX][SPLIT],
                                                  const float (&x)[group][8], const row_run &keys,
                                                  float scale)
{
    typedef rounds_of<lanes> rounds;
    const int part = threadIdx.x % lanes, slot = threadIdx.x / lanes;
#pragma unroll 1
    for (int i = 0; i < rounds::count; i += rounds::batch) {
        uint4 raw[rounds::batch];
        fetch<lanes>(raw, keys, slot + i * rounds::slots);
#pragma unroll
        for (int b = 0; b < rounds::batch; b++) {
            const int j = slot + (i + b) * rounds::slots;
            float     key[8];
            widen(key, raw[b]);
#pragma unroll
            for (int h = 0; h < group; h++) {
                float sum = 0.0f;
#pragma unroll
                for (int c = 0; c < 8; c++)
                    sum = fmaf(x[h][c], key[c], sum);
#pragma unroll
                for (int step = lanes / 2; step > 0; step /= 2)
                    sum += __shfl_xor_sync(0xffffffffu, sum, step);
                if (part == 0)
                    score[h][j] = j < keys.count ? sum * scale : -INFINITY;
            }
        }
    }
}

/* A warp takes the softmax of a head: scores become weights, `to` gets the maximum and the sum. */
template <int group>
static __device__ __forceinline__ void weigh(float *to, float (&score)[GROUP_MAX][SPLIT], int step)
{
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
            to[h * step]     = top;
            to[h * step + 1] = sum;
        }
    }
}

/* acc[h] += sum of weight times value over the rows of this thread. */
template <int group, int lanes>
static __device__ __forceinline__ void sum_values(float (&acc)[group][8],
                                                  const float (&weight)[GROUP_MAX][SPLIT],
                                                  const row_run &values)
{
    typedef rounds_of<lanes> rounds;
    const int slot = threadIdx.x / lanes;
#pragma unroll 1
    for (int i = 0; i < rounds::count; i += rounds::batch) {
        uint4 raw[rounds::batch];
        fetch<lanes>(raw, values, slot + i * rounds::slots);
#pragma unroll
        for (int b = 0; b < rounds::batch; b++) {
            float value[8];
            widen(value, raw[b]);
#pragma unroll
            for (int h = 0; h < group; h++) {
                const float w = weight[h][slot + (i + b) * rounds::slots];  /* 0 beyond the last */
#pragma unroll
                for (int c = 0; c < 8; c++)
                    acc[h][c] = fmaf(w, value[c], acc[h][c]);
            }
        }
    }
}

/* A power of two of `lanes` up to 16 holds a row of D, eight channels each. */
template <int group, int lanes>
static __global__ void __launch_bounds__(THREADS)
    attention_split(float *partial, const bf16 *q, const bf16 *k, const bf16 *v, rows_problem r)
{
    __shared__ float score[GROUP_MAX][SPLIT];
    __shared__ float joined[WARPS][D_MAX];
    const int  t = blockIdx.x, g = blockIdx.y, split = blockIdx.z, step = r.D + 2;
    const int  part = threadIdx.x % lanes, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const bool here = part * 8 < r.D;           /* a width such as 72 leaves lanes without work */
    int begin, low, high;
    range_of(r, t, &begin, &low, &high);
    low += split * SPLIT;
    const int count = min(SPLIT, high - low);

    float *to = partial + (((int64_t)t * r.Hkv + g) * r.splits + split) * group * step;
    if (count <= 0) {                           /* uniform in a block */
        for (int i = (int)threadIdx.x; i < group * step; i += THREADS)
            to[i] = i % step == 0 ? -INFINITY : 0.0f;
        return;
    }

    /* Lanes without work read the first channels and count as 0. */
    const int     row0 = low % r.capacity, channel = g * r.D + (here ? part * 8 : 0);
    const row_run keys = {k + begin * r.k_row + channel, r.k_row, row0, r.capacity, count};
    const row_run values = {v + begin * r.v_row + channel, r.v_row, row0, r.capacity, count};
    float x[group][8] = {}, acc[group][8] = {};
    if (here)
#pragma unroll
        for (int h = 0; h < group; h++)
            widen(x[h], *(const uint4 *)(q + t * r.q_row + (g * group + h) * r.D + part * 8));
    score_keys<group, lanes>(score, x, keys, r.a.scale);
    __syncthreads();
    weigh<group>(to, score, step);
    __syncthreads();
    sum_values<group, lanes>(acc, score, values);

#pragma unroll
    for (int h = 0; h < group; h++) {
#pragma unroll
        for (int c = 0; c < 8; c++)
#pragma unroll
            for (int turn = lanes; turn < 32; turn *= 2)
                acc[h][c] += __shfl_xor_sync(0xffffffffu, acc[h][c], turn);
        if (lane < lanes && here)
#pragma unroll
            for (int c = 0; c < 8; c++)
                joined[warp][part * 8 + c] = acc[h][c];
        __syncthreads();
        for (int c = (int)threadIdx.x; c < r.D; c += THREADS) {
            float sum = 0.0f;
            for (int w = 0; w < WARPS; w++)
                sum += joined[w][c];
            to[h * step + 2 + c] = sum;
        }
        __syncthreads();
    }
}

/* A block a token and query head. Warps share the splits and are joined in their order; an empty
 * split has weight 0. */
static __global__ void attention_join(bf16 *out, float *lse, const float *partial, rows_problem r,
                                      int T)
{
    __shared__ float warp_part[JOIN_WARPS][D_MAX + 2];      /* answer, sum, maximum */
    const int     lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const int     group = r.a.group, step = group * (r.D + 2);
    const int64_t n = blockIdx.x, t = n / r.a.H, h = n % r.a.H;
    const float  *from = partial + (t * r.Hkv + h / group) * r.splits * step +
                        h % group * (r.D + 2);
    float top = -INFINITY, sum = 0.0f, acc[D_MAX / 32] = {};
    for (int s = (int)threadIdx.x; s < r.splits; s += (int)blockDim.x)
        top = fmaxf(top, from[(int64_t)s * step]);
    top = warp_max(top);
    if (lane == 0)
        warp_part[warp][D_MAX + 1] = top;
    __syncthreads();
    for (int w = 0; w < warps; w++)
        top = fmaxf(top, warp_part[w][D_MAX + 1]);

    for (int s = warp; s < r.splits; s += warps * JOIN_BATCH) {
        float x[JOIN_BATCH][2 + D_MAX / 32];
#pragma unroll
        for (int b = 0; b < JOIN_BATCH; b++) {      /* all loads, then all sums */
            const float *one = from + (int64_t)min(s + b * warps, r.splits - 1) * step;
            x[b][0] = s + b * warps < r.splits ? one[0] : -INFINITY;
            x[b][1] = one[1];
#pragma unroll
            for (int i = 0; i < D_MAX / 32; i++)
                x[b][2 + i] = one[2 + min(lane + 32 * i, r.D - 1)];
        }
#pragma unroll
        for (int b = 0; b < JOIN_BATCH; b++) {
            const float weight = expf(x[b][0] - top);
            sum = fmaf(weight, x[b][1], sum);
#pragma unroll
            for (int i = 0; i < D_MAX / 32; i++)
                acc[i] = fmaf(weight, x[b][2 + i], acc[i]);
        }
    }
#pragma unroll
    for (int i = 0; i < D_MAX / 32; i++)
        warp_part[warp][lane + 32 * i] = acc[i];
    if (lane == 0)
        warp_part[warp][D_MAX] = sum;
    __syncthreads();

    sum = 0.0f;
    for (int w = 0; w < warps; w++)
        sum += warp_part[w][D_MAX];
    for (int c = (int)threadIdx.x; c < r.D; c += (int)blockDim.x) {
        float answer = 0.0f;
        for (int w = 0; w < warps; w++)
            answer += warp_part[w][c];
        out[n * r.D + c] = __float2bfloat16(answer / sum);
    }
    if (lse && threadIdx.x == 0)
        lse[h * T + t] = top + logf(sum);
}

typedef void split_kernel(float *, const bf16 *, const bf16 *, const bf16 *, rows_problem);

/* NULL for a group that has no kernel. */
template <int group> static split_kernel *split_of_lanes(int lanes)
{
    switch (lanes) {
    case 1:  return attention_split<group, 1>;
    case 2:  return attention_split<group, 2>;
    case 4:  return attention_split<group, 4>;
    case 8:  return attention_split<group, 8>;
    default: return attention_split<group, 16>;
    }
}

static split_kernel *split_of(int group, int lanes)
{
    return group == 1 ? split_of_lanes<1>(lanes)
         : group == 2 ? split_of_lanes<2>(lanes)
         : group == 4 ? split_of_lanes<4>(lanes) : NULL;
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
    split_kernel *const split = split_of(r.a.group, lanes);
    if (!split)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention row by row: expected 1, 2 or 4 query heads "
                       "to a key head, found %d", r.a.group);
    float       *partial = (float *)stream->device->workspace;
    const dim3   grid((unsigned)a->T, (unsigned)a->Hkv, (unsigned)r.splits);
    cudaStream_t s = sti_cuda(stream);
    split<<<grid, THREADS, 0, s>>>(partial, (const bf16 *)q, (const bf16 *)k, (const bf16 *)v, r);
    ST_TRY(sti_launched("attention_split"));
    /* Four splits keep a warp busy while it waits for the first. */
    const int warps = r.splits < 4 ? 1 : r.splits / 4 < JOIN_WARPS ? r.splits / 4 : JOIN_WARPS;
    attention_join<<<(unsigned)(a->T * a->H), (unsigned)(32 * warps), 0, s>>>((bf16 *)out, lse,
                                                                             partial, r,
                                                                             (int)a->T);
    return sti_launched("attention_join");
}
