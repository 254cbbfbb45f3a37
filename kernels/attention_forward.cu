/* attention_forward.cu - softmax attention on Hopper.
 *
 * A block owns 128 queries of one head: a producer warp that only drives the copy engine, and two
 * consumer groups of 64 queries each. Blocks of 128 keys and values come in through two stages.
 * While the tensor cores multiply by the values of one block, the same group takes the softmax of
 * the scores of the next; scores never leave registers. Key blocks that no query of the block can
 * see are skipped, and only blocks on a border are masked.
 *
 * Source  FlashAttention-3 (Shah et al. 2024) for the overlap of softmax and products
 */
#include "kernels/attention.cuh"

enum { BLOCK = 128, STAGES = 2, GROUPS = 2, THREADS = 128 * (GROUPS + 1) };

template <int D> struct alignas(1024) forward_memory {
    bf16     q[BLOCK * D];
    bf16     k[STAGES][BLOCK * D];
    bf16     v[STAGES][BLOCK * D];
    uint64_t q_full, k_full[STAGES], v_full[STAGES], k_empty[STAGES], v_empty[STAGES];
};

#ifdef STI_HOPPER

template <int D>
static __device__ __forceinline__ void tile_load(bf16 *to, const CUtensorMap *map, uint64_t *full,
                                                 int head, int row)
{
    barrier_expect(full, BLOCK * D * 2);
#pragma unroll
    for (int box = 0; box < D / 64; box++)
        box_load(to + box * BLOCK * 64, map, full, box * 64, head, row);
}

/* Running softmax of two rows. */
typedef struct soft_rows {
    float top[2], sum[2];
} soft_rows;

/* Scores become weights in place; answers how much older sums shrink. */
static __device__ __forceinline__ void soften(float (&s)[BLOCK / 2], soft_rows &m, float scale2,
                                              float (&shrink)[2])
{
    float top[2] = {m.top[0], m.top[1]};
#pragma unroll
    for (int j = 0; j < BLOCK / 8; j++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            top[r] = fmaxf(top[r], fmaxf(s[4 * j + 2 * r], s[4 * j + 2 * r + 1]));
#pragma unroll
    for (int r = 0; r < 2; r++) {
        top[r] = fmaxf(top[r], __shfl_xor_sync(0xffffffffu, top[r], 1));
        top[r] = fmaxf(top[r], __shfl_xor_sync(0xffffffffu, top[r], 2));
        const float base = top[r] == -INFINITY ? 0.0f : top[r] * scale2;
        shrink[r] = exp2_near(m.top[r] * scale2 - base);
        float sum = 0.0f;
#pragma unroll
        for (int j = 0; j < BLOCK / 8; j++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                float &x = s[4 * j + 2 * r + i];
                x = exp2_near(fmaf(x, scale2, -base));
                sum += x;
            }
        m.sum[r] = m.sum[r] * shrink[r] + sum;
        m.top[r] = top[r];
    }
}

static __device__ __forceinline__ void hide(float (&s)[BLOCK / 2], const attention_shape &a,
                                            int row, int key, int length)
{
#pragma unroll
    for (int i = 0; i < BLOCK / 2; i++) {
        const int column = i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2;
        if (!sees(a, row + i / 2 % 2 * 8, key + column, length))
            s[i] = -INFINITY;
    }
}

/* s = q k^T for this group's 64 rows; runs on after the call. */
template <int D>
static __device__ __forceinline__ void scores_start(float (&s)[BLOCK / 2], const bf16 *q,
                                                    const bf16 *k)
{
    const uint64_t a = tile_rows(q), b = tile_rows(k);
    products_begin();
#pragma unroll
    for (int step = 0; step < D / 16; step++) {
        const uint64_t at = (uint64_t)(step / 4 * (BLOCK * 128 >> 4) + step % 4 * 2);
        product_ss(s, a + at, b + at, step > 0);
    }
    products_commit();
}

/* out += p v; runs on after the call. */
template <int D>
static __device__ __forceinline__ void values_start(float (&out)[D / 2],
                                                    const uint32_t (&p)[BLOCK / 16][4],
                                                    const bf16 *v)
{
    const uint64_t b = tile_turned(v, BLOCK * 128);
    products_begin();
#pragma unroll
    for (int step = 0; step < BLOCK / 16; step++)
        product_rs(out, p[step], b + (uint64_t)step * 128, 1);
    products_commit();
}

/* Weights as the left side of the next product. */
static __device__ __forceinline__ void narrow(uint32_t (&p)[BLOCK / 16][4],
                                              const float (&s)[BLOCK / 2])
{
#pragma unroll
    for (int step = 0; step < BLOCK / 16; step++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            p[step][i] = pack(s[8 * step + 2 * i], s[8 * step + 2 * i + 1]);
}

template <int D>
static __device__ __forceinline__ void produce(forward_memory<D> &m, const attention_shape &a,
                                               const CUtensorMap *q_map, const CUtensorMap *k_map,
                                               const CUtensorMap *v_map, int head, int begin,
                                               int row, int first, int last)
{
    tile_load<D>(m.q, q_map, &m.q_full, head, begin + row);
    for (int n = last, i = 0; n >= first; n--, i++) {
        const int stage = i % STAGES, parity = (i / STAGES & 1) ^ 1;
        const int key = begin + n * BLOCK % a.capacity;     /* a tile never wraps */
        barrier_wait(&m.k_empty[stage], parity);
        tile_load<D>(m.k[stage], k_map, &m.k_full[stage], head / a.group, key);
        barrier_wait(&m.v_empty[stage], parity);
        tile_load<D>(m.v[stage], v_map, &m.v_full[stage], head / a.group, key);
    }
}

template <int D>
static __device__ __forceinline__ void consume(forward_memory<D> &m, const attention_shape &a,
                                               bf16 *out, float *lse, int head, int begin,
                                               int length, int row, int first, int last)
{
    const int   group = threadIdx.x / 128 - 1, t = threadIdx.x % 128;
    const int   tile_row = row + group * 64, my_row = tile_row + t / 32 * 16 + t % 32 / 4;
    const int   tile_at = a.position + tile_row, my_at = a.position + my_row;   /* positions */
    const int   end = a.position + length;
    const float scale2 = a.scale * LOG2_E;
    bf16       *q = m.q + group * 64 * 64;      /* 64 rows down in the first box */

    float     s[BLOCK / 2], o[D / 2] = {};
    uint32_t  p[BLOCK / 16][4];
    soft_rows soft = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}};
    float     shrink[2];

    barrier_wait(&m.q_full, 0);
    barrier_wait(&m.k_full[0], 0);
    scores_start<D>(s, q, m.k[0]);
    products_wait<0>();
    products_hold(s);
    if (t % 32 == 0)
        barrier_arrive(&m.k_empty[0]);
    if (tile_needs_mask(a, tile_at, 64, last * BLOCK, BLOCK, end))
        hide(s, a, my_at, last * BLOCK, end);
    soften(s, soft, scale2, shrink);
    narrow(p, s);

    int i = 1;
    for (int n = last - 1; n >= first; n--, i++) {
        const int stage = i % STAGES, before = (i - 1) % STAGES;
        barrier_wait(&m.k_full[stage], i / STAGES & 1);
        scores_start<D>(s, q, m.k[stage]);
        barrier_wait(&m.v_full[before], (i - 1) / STAGES & 1);
        values_start<D>(o, p, m.v[before]);
        products_wait<1>();
        products_hold(s);
        if (t % 32 == 0)
            barrier_arrive(&m.k_empty[stage]);
        if (tile_needs_mask(a, tile_at, 64, n * BLOCK, BLOCK, end))
            hide(s, a, my_at, n * BLOCK, end);
        soften(s, soft, scale2, shrink);
        products_wait<0>();
        products_hold(o);
        if (t % 32 == 0)
            barrier_arrive(&m.v_empty[before]);
#pragma unroll
        for (int c = 0; c < D / 2; c++)
            o[c] *= shrink[c / 2 % 2];
        narrow(p, s);
    }
    barrier_wait(&m.v_full[(i - 1) % STAGES], (i - 1) / STAGES & 1);
    values_start<D>(o, p, m.v[(i - 1) % STAGES]);
    products_wait<0>();
    products_hold(o);

#pragma unroll
    for (int r = 0; r < 2; r++) {
        soft.sum[r] += __shfl_xor_sync(0xffffffffu, soft.sum[r], 1);
        soft.sum[r] += __shfl_xor_sync(0xffffffffu, soft.sum[r], 2);
        if (lse && t % 4 == 0 && my_row + 8 * r < length)
            lse[(int64_t)head * a.T + begin + my_row + 8 * r] =
                soft.top[r] * a.scale + logf(soft.sum[r]);
    }
    /* The queries are read: their place carries the answers out. */
    store_rows<D>(out + ((int64_t)(begin + tile_row) * a.H + head) * D, (int64_t)a.H * D, o,
                  1.0f / soft.sum[0], 1.0f / soft.sum[1], q, BLOCK, length - tile_row, group + 1);
}

#endif /* STI_HOPPER */

template <int D>
static __global__ void __launch_bounds__(THREADS, 1)
    attention_forward(const __grid_constant__ CUtensorMap q_map,
                      const __grid_constant__ CUtensorMap k_map,
                      const __grid_constant__ CUtensorMap v_map, bf16 *out, float *lse,
                      attention_shape a)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(1024) unsigned char shared[];
    forward_memory<D> &m = *(forward_memory<D> *)shared;

    int       begin, length, low, high;
    const int head = blockIdx.y, row = (int)(gridDim.x - 1 - blockIdx.x) * BLOCK;
    segment_get(a, blockIdx.z, &begin, &length);
    if (row >= length)
        return;                 /* uniform in a block: the segment is shorter than the longest */
    keys_of(a, a.position + row, BLOCK, a.position + length, &low, &high);
    const int first = low / BLOCK, last = (high - 1) / BLOCK;

    if (threadIdx.x == 0) {
        barrier_init(&m.q_full, 1);
        for (int i = 0; i < STAGES; i++) {
            barrier_init(&m.k_full[i], 1);
            barrier_init(&m.v_full[i], 1);
            barrier_init(&m.k_empty[i], GROUPS * 4);
            barrier_init(&m.v_empty[i], GROUPS * 4);
        }
        barrier_init_done();
    }
    __syncthreads();

    if (threadIdx.x < 128) {
        registers_give<24>();
        if (threadIdx.x == 0)
            produce<D>(m, a, &q_map, &k_map, &v_map, head, begin, row, first, last);
    } else {
        registers_take<240>();
        consume<D>(m, a, out, lse, head, begin, length, row, first, last);
    }
#endif
}

template <int D>
static st_status launch(st_stream *stream, bf16 *out, float *lse, const void *q, const void *k,
                        const void *v, const sti_attention *a, const sti_attention_cache *c)
{
    CUtensorMap     q_map, k_map, v_map;
    const int64_t   key_rows = c ? c->capacity : a->T;
    attention_shape shape = attention_shape_of(a);
    if (c) {
        shape.position = (int)c->position;
        shape.first    = (int)c->first;
        shape.capacity = (int)c->capacity;
        shape.window   = (int)(a->window < c->position + a->T ? a->window : 0);
    }
    ST_TRY(attention_map(&q_map, q, a->T, a->H, D, a->q_row, BLOCK, "q"));
    ST_TRY(attention_map(&k_map, k, key_rows, a->Hkv, D, a->k_row, BLOCK, "k"));
    ST_TRY(attention_map(&v_map, v, key_rows, a->Hkv, D, a->v_row, BLOCK, "v"));

    const int  bytes = (int)sizeof(forward_memory<D>);
    const dim3 grid((unsigned)((a->longest + BLOCK - 1) / BLOCK), (unsigned)a->H,
                    (unsigned)a->segments);
    STI_CUDA(cudaFuncSetAttribute(attention_forward<D>,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
             "attention_forward: %d bytes of shared memory", bytes);
    attention_forward<D><<<grid, THREADS, bytes, sti_cuda(stream)>>>(q_map, k_map, v_map, out, lse,
                                                                     shape);
    return sti_launched("attention_forward");
}

extern "C" st_status sti_attention_forward_cuda(st_stream *stream, void *out, float *lse,
                                                const void *q, const void *k, const void *v,
                                                const sti_attention *a)
{
    if (a->T == 0)
        return st_ok();
    if (a->T > INT32_MAX / 2 || a->segments > 65535)
        return ST_FAIL(ST_ERR_LIMIT, "attention: %lld rows in %lld segments are too many",
                       (long long)a->T, (long long)a->segments);
    if (stream->device->hopper && a->D == 128)
        return launch<128>(stream, (bf16 *)out, lse, q, k, v, a, NULL);
    if (stream->device->hopper && a->D == 64)
        return launch<64>(stream, (bf16 *)out, lse, q, k, v, a, NULL);
    return sti_attention_rows_cuda(stream, out, lse, q, k, v, a, NULL);
}

/* Fewer queries than this leave most of a tile empty. */
enum { TILE_QUERIES_MIN = 16 };

extern "C" st_status sti_attention_cached_cuda(st_stream *stream, void *out, const void *q,
                                               const void *k, const void *v,
                                               const sti_attention *a,
                                               const sti_attention_cache *c)
{
    if (a->T == 0)
        return st_ok();
    if (c->position + a->T > INT32_MAX / 2 || c->capacity > INT32_MAX / 2)
        return ST_FAIL(ST_ERR_LIMIT, "attention: position %lld is too far",
                       (long long)(c->position + a->T));
    const bool tiles = c->capacity % BLOCK == 0 || c->position + a->T <= c->capacity;
    if (stream->device->hopper && a->D == 128 && tiles && a->T >= TILE_QUERIES_MIN)
        return launch<128>(stream, (bf16 *)out, NULL, q, k, v, a, c);
    return sti_attention_rows_cuda(stream, out, NULL, q, k, v, a, c);
}
