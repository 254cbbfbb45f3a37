/* attention_backward.cu - gradients of attention on Hopper, the same bits every time.
 *
 * Weights are made again from lse. One kernel owns keys and walks the queries that see them: with
 * scores turned (keys down, queries across) both weights and slopes leave the tensor cores in the
 * very registers from which the next product takes its left side,
 *
 *     v_bar += P^T out_bar,   k_bar += S^T q,   S = P .* (out_bar v^T - delta),
 *
 * and the query heads of a group are summed in one block. The other owns queries and walks keys for
 * q_bar += S k. Scores are thus formed twice, seven products instead of five; in exchange nothing
 * is added across blocks, so there are no atomics, no f32 copy of q_bar, and no order to depend on.
 *
 * Source  recomputation: Dao et al. 2022; overlap by warp roles: Shah et al. 2024
 */
#include "kernels/attention.cuh"

enum { D = 128, THREADS = 384 };

/* delta = <out_bar, out>, and lse in powers of two, both (H,T). One warp owns a row of a head. */
static __global__ void attention_delta(float *delta, float *lse2, const bf16 *out_bar,
                                       const bf16 *out, const float *lse, int64_t T, int H)
{
    const int64_t n = (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    const int     lane = threadIdx.x % 32;
    if (n >= T * H)
        return;                                     /* n is uniform in a warp */

    const uint2 a = ((const uint2 *)(out_bar + n * D))[lane];
    const uint2 b = ((const uint2 *)(out + n * D))[lane];
    const float2 a0 = __bfloat1622float2(*(const __nv_bfloat162 *)&a.x);
    const float2 a1 = __bfloat1622float2(*(const __nv_bfloat162 *)&a.y);
    const float2 b0 = __bfloat1622float2(*(const __nv_bfloat162 *)&b.x);
    const float2 b1 = __bfloat1622float2(*(const __nv_bfloat162 *)&b.y);
    const float sum = warp_sum(a0.x * b0.x + a0.y * b0.y + (a1.x * b1.x + a1.y * b1.y));
    if (lane == 0) {
        const int64_t at = n % H * T + n / H;
        delta[at] = sum;
        lse2[at]  = lse[at] * LOG2_E;
    }
}

/* --- keys and values ---------------------------------------------------------------------- */

enum { KEYS = 128, ROWS = 64, ROW_STAGES = 3 };
enum { NUMBERS_READ = 3 };      /* barriers 3, 4, 5: lse2 and delta of a stage are read */

struct alignas(1024) keys_memory {
    bf16     k[KEYS * D], v[KEYS * D];
    bf16     q[ROW_STAGES][ROWS * D], out_bar[ROW_STAGES][ROWS * D];
    float    lse2[ROW_STAGES][ROWS], delta[ROW_STAGES][ROWS];
    uint64_t kv_full, full[ROW_STAGES], empty[ROW_STAGES];
};

/* --- queries ------------------------------------------------------------------------------ */

enum { QUERIES = 128, COLUMNS = 128, COLUMN_STAGES = 2 };

struct alignas(1024) queries_memory {
    bf16     q[QUERIES * D], out_bar[QUERIES * D];
    bf16     k[COLUMN_STAGES][COLUMNS * D], v[COLUMN_STAGES][COLUMNS * D];
    uint64_t q_full, k_full[COLUMN_STAGES], v_full[COLUMN_STAGES];
    uint64_t k_empty[COLUMN_STAGES], v_empty[COLUMN_STAGES];
};

#ifdef STI_HOPPER

template <int rows>
static __device__ __forceinline__ void tile_load(bf16 *to, const CUtensorMap *map, uint64_t *full,
                                                 int head, int row)
{
#pragma unroll
    for (int box = 0; box < D / 64; box++)
        box_load(to + box * rows * 64, map, full, box * 64, head, row);
}

/* c = a b^T over D, for 64 rows of a tile of `a_rows` against a whole tile of `b_rows`. */
template <int a_rows, int b_rows>
static __device__ __forceinline__ void pairs_start(float (&c)[b_rows / 2], const bf16 *a,
                                                   const bf16 *b)
{
    const uint64_t left = tile_rows(a), right = tile_rows(b);
    products_begin();
#pragma unroll
    for (int step = 0; step < D / 16; step++)
        product_ss(c, left + (uint64_t)(step / 4 * (a_rows * 128 >> 4) + step % 4 * 2),
                   right + (uint64_t)(step / 4 * (b_rows * 128 >> 4) + step % 4 * 2), step > 0);
    products_commit();
}

/* c += p b, where b's rows are the inner side. */
template <int b_rows>
static __device__ __forceinline__ void sums_start(float (&c)[D / 2],
                                                  const uint32_t (&p)[b_rows / 16][4],
                                                  const bf16 *b)
{
    const uint64_t right = tile_turned(b, b_rows * 128);
    products_begin();
#pragma unroll
    for (int step = 0; step < b_rows / 16; step++)
        product_rs(c, p[step], right + (uint64_t)step * 128, 1);
    products_commit();
}

template <int n>
static __device__ __forceinline__ void narrow(uint32_t (&p)[n / 8][4], const float (&s)[n])
{
#pragma unroll
    for (int step = 0; step < n / 8; step++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            p[step][i] = pack(s[8 * step + 2 * i], s[8 * step + 2 * i + 1]);
}

/* The producer of the keys kernel: one whole warp, because row numbers come by ordinary loads. */
static __device__ __forceinline__ void keys_produce(keys_memory &m, const attention_shape &a,
                                                    const CUtensorMap *const map[4],
                                                    const float *lse2, const float *delta,
                                                    int key_head, int begin, int length, int key,
                                                    int first, int last)
{
    const int lane = threadIdx.x;
    if (lane == 0) {
        barrier_expect(&m.kv_full, 2 * KEYS * D * 2);
        tile_load<KEYS>(m.k, map[1], &m.kv_full, key_head, begin + key);
        tile_load<KEYS>(m.v, map[2], &m.kv_full, key_head, begin + key);
    }
    int i = 0;
    for (int g = 0; g < a.group; g++)
        for (int n = first; n <= last; n++, i++) {
            const int stage = i % ROW_STAGES, head = key_head * a.group + g;
            barrier_wait(&m.empty[stage], (i / ROW_STAGES & 1) ^ 1);
            if (i >= ROW_STAGES)
                groups_wait(NUMBERS_READ + stage);
            for (int r = lane; r < ROWS; r += 32) {
                const int     row  = n * ROWS + r;
                const bool    here = row < length;
                const int64_t at   = (int64_t)head * a.T + begin + row;
                m.lse2[stage][r]  = here ? lse2[at] : INFINITY;     /* weight 0 beyond the end */
                m.delta[stage][r] = here ? delta[at] : 0.0f;
            }
            if (lane == 0) {
                barrier_expect(&m.full[stage], 2 * ROWS * D * 2);
                tile_load<ROWS>(m.q[stage], map[0], &m.full[stage], head, begin + n * ROWS);
                tile_load<ROWS>(m.out_bar[stage], map[3], &m.full[stage], head, begin + n * ROWS);
            } else {
                barrier_arrive(&m.full[stage]);
            }
        }
}

/* Turned scores and turned slopes of one stage become weights and score gradients, narrowed. */
static __device__ __forceinline__ void weigh_turned(uint32_t (&weight)[ROWS / 16][4],
                                                    float (&s)[ROWS / 2], const float *lse2,
                                                    const attention_shape &a, float scale2,
                                                    bool masked, int key, int row, int length)
{
#pragma unroll
    for (int j = 0; j < ROWS / 8; j++) {
        const int    column = j * 8 + threadIdx.x % 4 * 2;
        const float2 l = *(const float2 *)(lse2 + column);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float &x = s[4 * j + i];
            x = exp2_near(fmaf(x, scale2, i % 2 ? -l.y : -l.x));
            if (masked && !sees(a, row + column + i % 2, key + i / 2 * 8, length))
                x = 0.0f;
        }
    }
    narrow(weight, s);
}

static __device__ __forceinline__ void slope_turned(uint32_t (&slope)[ROWS / 16][4],
                                                    const float (&s)[ROWS / 2],
                                                    float (&d)[ROWS / 2], const float *delta)
{
#pragma unroll
    for (int j = 0; j < ROWS / 8; j++) {
        const float2 e = *(const float2 *)(delta + j * 8 + threadIdx.x % 4 * 2);
#pragma unroll
        for (int i = 0; i < 4; i++)
            d[4 * j + i] = s[4 * j + i] * (d[4 * j + i] - (i % 2 ? e.y : e.x));
    }
    narrow(slope, d);
}

static __device__ __forceinline__ void keys_consume(keys_memory &m, const attention_shape &a,
                                                    bf16 *k_bar, bf16 *v_bar, int key_head,
                                                    int begin, int length, int key, int first,
                                                    int last)
{
    const int   group = threadIdx.x / 128 - 1, t = threadIdx.x % 128;
    const int   tile_key = key + group * 64, my_key = tile_key + t / 32 * 16 + t % 32 / 4;
    const float scale2 = a.scale * LOG2_E;
    bf16       *k = m.k + group * 64 * 64, *v = m.v + group * 64 * 64;
    float       by_k[D / 2] = {}, by_v[D / 2] = {};

    barrier_wait(&m.kv_full, 0);
    const int count = a.group * (last - first + 1);
    for (int i = 0; i < count; i++) {
        const int stage = i % ROW_STAGES, row = (first + i % (last - first + 1)) * ROWS;
        float     s[ROWS / 2], d[ROWS / 2];
        uint32_t  weight[ROWS / 16][4], slope[ROWS / 16][4];

        barrier_wait(&m.full[stage], i / ROW_STAGES & 1);
        pairs_start<KEYS, ROWS>(s, k, m.q[stage]);
        pairs_start<KEYS, ROWS>(d, v, m.out_bar[stage]);
        products_wait<1>();
        products_hold(s);
        weigh_turned(weight, s, m.lse2[stage], a, scale2,
                     tile_needs_mask(a, row, ROWS, tile_key, 64, length), my_key, row, length);
        products_wait<0>();
        products_hold(d);
        sums_start<ROWS>(by_v, weight, m.out_bar[stage]);
        slope_turned(slope, s, d, m.delta[stage]);
        if (i + ROW_STAGES < count)
            groups_pass(NUMBERS_READ + stage);
        sums_start<ROWS>(by_k, slope, m.q[stage]);
        products_wait<0>();
        products_hold(by_v);
        products_hold(by_k);
        if (t % 32 == 0)
            barrier_arrive(&m.empty[stage]);
    }

    const int     heads = a.H / a.group;
    const int64_t at = ((int64_t)(begin + tile_key) * heads + key_head) * D;
    store_rows<D>(v_bar + at, (int64_t)heads * D, by_v, 1.0f, 1.0f, v, KEYS, length - tile_key,
                  group + 1);
    store_rows<D>(k_bar + at, (int64_t)heads * D, by_k, a.scale, a.scale, k, KEYS,
                  length - tile_key, group + 1);
}

static __device__ __forceinline__ void queries_produce(queries_memory &m, const attention_shape &a,
                                                       const CUtensorMap *const map[4], int head,
                                                       int begin, int row, int first, int last)
{
    barrier_expect(&m.q_full, 2 * QUERIES * D * 2);
    tile_load<QUERIES>(m.q, map[0], &m.q_full, head, begin + row);
    tile_load<QUERIES>(m.out_bar, map[3], &m.q_full, head, begin + row);
    for (int n = first, i = 0; n <= last; n++, i++) {
        const int stage = i % COLUMN_STAGES, parity = (i / COLUMN_STAGES & 1) ^ 1;
        const int key = begin + n * COLUMNS, key_head = head / a.group;
        barrier_wait(&m.k_empty[stage], parity);
        barrier_expect(&m.k_full[stage], COLUMNS * D * 2);
        tile_load<COLUMNS>(m.k[stage], map[1], &m.k_full[stage], key_head, key);
        barrier_wait(&m.v_empty[stage], parity);
        barrier_expect(&m.v_full[stage], COLUMNS * D * 2);
        tile_load<COLUMNS>(m.v[stage], map[2], &m.v_full[stage], key_head, key);
    }
}

static __device__ __forceinline__ void queries_consume(queries_memory &m, const attention_shape &a,
                                                       bf16 *q_bar, const float *lse2,
                                                       const float *delta, int head, int begin,
                                                       int length, int row, int first, int last)
{
    const int   group = threadIdx.x / 128 - 1, t = threadIdx.x % 128;
    const int   tile_row = row + group * 64, my_row = tile_row + t / 32 * 16 + t % 32 / 4;
    const float scale2 = a.scale * LOG2_E;
    bf16       *q = m.q + group * 64 * 64, *out_bar = m.out_bar + group * 64 * 64;
    float       by_q[D / 2] = {}, l[2], e[2];
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const bool    here = my_row + 8 * r < length;
        const int64_t at   = (int64_t)head * a.T + begin + my_row + 8 * r;
        l[r] = here ? lse2[at] : INFINITY;
        e[r] = here ? delta[at] : 0.0f;
    }

    barrier_wait(&m.q_full, 0);
    for (int n = first, i = 0; n <= last; n++, i++) {
        const int  stage = i % COLUMN_STAGES, parity = i / COLUMN_STAGES & 1;
        const bool masked = tile_needs_mask(a, tile_row, 64, n * COLUMNS, COLUMNS, length);
        float      s[COLUMNS / 2], d[COLUMNS / 2];
        uint32_t   slope[COLUMNS / 16][4];

        barrier_wait(&m.k_full[stage], parity);
        pairs_start<QUERIES, COLUMNS>(s, q, m.k[stage]);
        barrier_wait(&m.v_full[stage], parity);
        pairs_start<QUERIES, COLUMNS>(d, out_bar, m.v[stage]);
        products_wait<1>();
        products_hold(s);
#pragma unroll
        for (int c = 0; c < COLUMNS / 2; c++) {
            const int r = c / 2 % 2, key = n * COLUMNS + c / 4 * 8 + t % 4 * 2 + c % 2;
            s[c] = exp2_near(fmaf(s[c], scale2, -l[r]));
            if (masked && !sees(a, my_row + 8 * r, key, length))
                s[c] = 0.0f;
        }
        products_wait<0>();
        products_hold(d);
        if (t % 32 == 0)
            barrier_arrive(&m.v_empty[stage]);
#pragma unroll
        for (int c = 0; c < COLUMNS / 2; c++)
            d[c] = s[c] * (d[c] - e[c / 2 % 2]);
        narrow(slope, d);
        sums_start<COLUMNS>(by_q, slope, m.k[stage]);
        products_wait<0>();
        products_hold(by_q);
        if (t % 32 == 0)
            barrier_arrive(&m.k_empty[stage]);
    }
    store_rows<D>(q_bar + ((int64_t)(begin + tile_row) * a.H + head) * D, (int64_t)a.H * D, by_q,
                  a.scale, a.scale, q, QUERIES, length - tile_row, group + 1);
}

#endif /* STI_HOPPER */

static __global__ void __launch_bounds__(THREADS, 1)
    attention_keys(const __grid_constant__ CUtensorMap q_map,
                   const __grid_constant__ CUtensorMap k_map,
                   const __grid_constant__ CUtensorMap v_map,
                   const __grid_constant__ CUtensorMap out_map, bf16 *k_bar, bf16 *v_bar,
                   const float *lse2, const float *delta, attention_shape a)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(1024) unsigned char shared[];
    keys_memory &m = *(keys_memory *)shared;

    int       begin, length, low, high;
    const int key_head = blockIdx.y, key = (int)blockIdx.x * KEYS;
    segment_get(a, blockIdx.z, &begin, &length);
    if (key >= length)
        return;
    rows_of(a, key, KEYS, length, &low, &high);
    const int first = low / ROWS, last = (high - 1) / ROWS;

    if (threadIdx.x == 0) {
        barrier_init(&m.kv_full, 1);
        for (int i = 0; i < ROW_STAGES; i++) {
            barrier_init(&m.full[i], 32);
            barrier_init(&m.empty[i], 8);
        }
        barrier_init_done();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        registers_give<24>();
        const CUtensorMap *const map[4] = {&q_map, &k_map, &v_map, &out_map};
        if (threadIdx.x < 32)
            keys_produce(m, a, map, lse2, delta, key_head, begin, length, key, first, last);
    } else {
        registers_take<240>();
        keys_consume(m, a, k_bar, v_bar, key_head, begin, length, key, first, last);
    }
#endif
}

static __global__ void __launch_bounds__(THREADS, 1)
    attention_queries(const __grid_constant__ CUtensorMap q_map,
                      const __grid_constant__ CUtensorMap k_map,
                      const __grid_constant__ CUtensorMap v_map,
                      const __grid_constant__ CUtensorMap out_map, bf16 *q_bar, const float *lse2,
                      const float *delta, attention_shape a)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(1024) unsigned char shared[];
    queries_memory &m = *(queries_memory *)shared;

    int       begin, length, low, high;
    const int head = blockIdx.y, row = (int)(gridDim.x - 1 - blockIdx.x) * QUERIES;
    segment_get(a, blockIdx.z, &begin, &length);
    if (row >= length)
        return;
    keys_of(a, row, QUERIES, length, &low, &high);
    const int first = low / COLUMNS, last = (high - 1) / COLUMNS;

    if (threadIdx.x == 0) {
        barrier_init(&m.q_full, 1);
        for (int i = 0; i < COLUMN_STAGES; i++) {
            barrier_init(&m.k_full[i], 1);
            barrier_init(&m.v_full[i], 1);
            barrier_init(&m.k_empty[i], 8);
            barrier_init(&m.v_empty[i], 8);
        }
        barrier_init_done();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        registers_give<24>();
        const CUtensorMap *const map[4] = {&q_map, &k_map, &v_map, &out_map};
        if (threadIdx.x == 0)
            queries_produce(m, a, map, head, begin, row, first, last);
    } else {
        registers_take<240>();
        queries_consume(m, a, q_bar, lse2, delta, head, begin, length, row, first, last);
    }
#endif
}

/* Tensor maps of q, k, v and out_bar for boxes of these heights. */
static st_status maps_make(CUtensorMap map[4], const void *q, const void *k, const void *v,
                           const void *out_bar, const sti_attention *a, int query_rows,
                           int key_rows)
{
    ST_TRY(attention_map(&map[0], q, a->T, a->H, D, a->q_row, query_rows, "q"));
    ST_TRY(attention_map(&map[1], k, a->T, a->Hkv, D, a->k_row, key_rows, "k"));
    ST_TRY(attention_map(&map[2], v, a->T, a->Hkv, D, a->v_row, key_rows, "v"));
    return attention_map(&map[3], out_bar, a->T, a->H, D, a->H * D, query_rows, "out_bar");
}

static st_status launch_keys(st_stream *stream, bf16 *k_bar, bf16 *v_bar, const CUtensorMap map[4],
                             const float *lse2, const float *delta, const sti_attention *a)
{
    const int  bytes = (int)sizeof(keys_memory);
    const dim3 grid((unsigned)((a->longest + KEYS - 1) / KEYS), (unsigned)a->Hkv,
                    (unsigned)a->segments);
    STI_CUDA(cudaFuncSetAttribute(attention_keys, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  bytes), "attention_keys: %d bytes of shared memory", bytes);
    attention_keys<<<grid, THREADS, bytes, sti_cuda(stream)>>>(map[0], map[1], map[2], map[3],
                                                               k_bar, v_bar, lse2, delta,
                                                               attention_shape_of(a));
    return sti_launched("attention_keys");
}

static st_status launch_queries(st_stream *stream, bf16 *q_bar, const CUtensorMap map[4],
                                const float *lse2, const float *delta, const sti_attention *a)
{
    const int  bytes = (int)sizeof(queries_memory);
    const dim3 grid((unsigned)((a->longest + QUERIES - 1) / QUERIES), (unsigned)a->H,
                    (unsigned)a->segments);
    STI_CUDA(cudaFuncSetAttribute(attention_queries, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  bytes), "attention_queries: %d bytes of shared memory", bytes);
    attention_queries<<<grid, THREADS, bytes, sti_cuda(stream)>>>(map[0], map[1], map[2], map[3],
                                                                  q_bar, lse2, delta,
                                                                  attention_shape_of(a));
    return sti_launched("attention_queries");
}

extern "C" st_status sti_attention_backward_cuda(st_stream *stream, void *q_bar, void *k_bar,
                                                 void *v_bar, const void *out_bar, const void *q,
                                                 const void *k, const void *v, const void *out,
                                                 const float *lse, const sti_attention *a)
{
    if (a->T == 0)
        return st_ok();
    const int card = stream->device->capability;
    if (a->D != D)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention's gradients on the device: expected heads of "
                       "%d channels, found %lld", D, (long long)a->D);
    if (!stream->device->hopper)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "attention's gradients on the device: expected compute "
                       "capability 9.0 and code built for 90a, found %d.%d%s", card / 10, card % 10,
                       card == 90 ? " and code for other cards" : "");
    const int64_t rows = a->T * a->H;
    if (a->T > INT32_MAX / 2 || a->segments > 65535 ||
        (size_t)rows * 2 * sizeof(float) > stream->device->workspace_bytes)
        return ST_FAIL(ST_ERR_LIMIT, "attention: %lld rows in %lld segments are too many",
                       (long long)a->T, (long long)a->segments);

    /* The stream's workspace is free between two products: row numbers fit there. */
    float *delta = (float *)stream->device->workspace, *lse2 = delta + rows;
    attention_delta<<<(unsigned)((rows + 7) / 8), 256, 0, sti_cuda(stream)>>>(
        delta, lse2, (const bf16 *)out_bar, (const bf16 *)out, lse, a->T, (int)a->H);
    ST_TRY(sti_launched("attention_delta"));

    CUtensorMap map[4];
    ST_TRY(maps_make(map, q, k, v, out_bar, a, ROWS, KEYS));
    ST_TRY(launch_keys(stream, (bf16 *)k_bar, (bf16 *)v_bar, map, lse2, delta, a));
    ST_TRY(maps_make(map, q, k, v, out_bar, a, QUERIES, COLUMNS));
    return launch_queries(stream, (bf16 *)q_bar, map, lse2, delta, a);
}
