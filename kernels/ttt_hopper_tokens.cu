/* ttt_hopper_tokens.cu - what is made of a chunk's tokens and the fast weights element by element,
 * behind their products and in the same launch (spec 7.10, 9.5 B1 and B5).
 *
 * G, U and D stay in f32 and never leave the processor. A block takes one tile after another;
 * reading and teaching the same tokens is one launch, because each alone would leave a third of
 * the processors without a last tile. What a warp has made of 8 tokens goes through shared memory,
 * so that it is stored in whole lines; tokens beyond the last one of a head are not stored.
 *
 * The accumulators leave 48 registers of a thread for all else. What does not fit goes to local
 * memory, and with 220 KiB of the processor's 256 taken, that is L2.
 */
#include "kernels/ttt_hopper_tokens.cuh"

#ifdef STI_HOPPER

/* --- element by element ------------------------------------------------------------------- */

/* One token's rates, and what it has gathered of their gradients. */
typedef struct token {
    float l[3], sum[3];
} token;

/* sigmoid, off by up to 2^-12, a quarter of what bf16 leaves of the outputs: one instruction of the
 * slow unit, of which a processor does 16 a cycle, in place of two. */
static __device__ __forceinline__ float sigmoid_near(float x)
{
    float y;
    asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(0.5f * x));
    return fmaf(0.5f, y, 0.5f);
}

/* All outputs of number `i` of G, in the order of token_args.out. */
template <kind K>
static __device__ __forceinline__ void point(float *y, const sums &d, int i, token *of)
{
    const float up = d.x[K == TEACH_BACK ? 32 + i : 64 + i], *l = of->l;
    float s, slope, bend;
    silu_slopes(d.x[i], sigmoid_near(d.x[i]), &s, &slope, &bend);
    const float hidden = s * up;
    if (K == READ) {
        y[0] = hidden;
        return;
    }
    const float down = d.y[i];                  /* D, or the gradient of A */
    const float dg = down * up * slope, dm = down * s;
    if (K == READ_BACK)
        y[0] = dg, y[1] = dm, y[2] = hidden;
    if (K == TEACH)
        y[0] = l[0] * dg, y[1] = l[2] * dm, y[2] = l[1] * hidden;
    if (K == TEACH_BACK) {
        const float r0 = d.x[64 + i], r2 = d.x[96 + i], r1 = d.y[32 + i];
        const float dg_grad = l[0] * r0, h_grad = l[1] * r1, dm_grad = l[2] * r2;
        of->sum[0] = fmaf(dg, r0, of->sum[0]);
        of->sum[1] = fmaf(hidden, r1, of->sum[1]);
        of->sum[2] = fmaf(dm, r2, of->sum[2]);
        y[0] = dg_grad * down * up * bend + (dm_grad * down + h_grad * up) * slope;
        y[1] = dg_grad * down * slope + h_grad * s;
        y[2] = dm_grad * s + dg_grad * up * slope;
        y[3] = l[0] * dg, y[4] = l[2] * dm, y[5] = l[1] * hidden;
    }
}

/* 8 tokens by 64 columns of this warp through its stage, then whole lines of 128 bytes to `to`, its
 * first number there. y[j]: columns 8j + 2 (lane % 4), +1 of token lane / 4. */
static __device__ __forceinline__ void store_lines(bf16 *to, int pitch, int rows,
                                                   const uint32_t (&y)[8], uint32_t stage)
{
    const int lane = threadIdx.x % 32, unit = lane % 8, line = lane / 8;
    /* Unit u of line r stands at u ^ r. To store, lane l names line l % 8 of unit l / 8. */
    const uint32_t into = stage + unit * 128 + (line ^ unit) * 16;
    __syncwarp();                               /* the lines before have been read */
    matrices_store(into, make_uint4(y[0], y[1], y[2], y[3]));
    matrices_store(into ^ 64, make_uint4(y[4], y[5], y[6], y[7]));
    __syncwarp();
    to += (int64_t)line * pitch + unit * 8;
#pragma unroll
    for (int i = 0; i < 8; i += 4) {
        const uint4 x = shared_load4(stage + (line + i) * 128 + (unit ^ (line + i)) * 16);
        if (line + i < rows)
            *reinterpret_cast<uint4 *>(to + i * (int64_t)pitch) = x;
    }
}

/* The sums over this tile's columns, from the four lanes that share a token. */
static __device__ __forceinline__ void store_parts(const token_args &a, const token &of,
                                                   const tile &at, int row)
{
#pragma unroll
    for (int k = 0; k < 3; k++) {
        float sum = of.sum[k];
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        if (threadIdx.x % 4 == 0 && row < a.n)
            a.part[((int64_t)(at.col / 64 * 3 + k) * a.heads + at.head) * a.n + row] = sum;
    }
}

/* The rates of this warp's tokens, fetched while the products are still to come. */
static __device__ __forceinline__ void fetch_rates(float (&rate)[3][16], const token_args &a,
                                                   const tile &at)
{
    const int lane = threadIdx.x % 32, row = at.row + (int)threadIdx.x / 32 * 16 + lane;
    __syncwarp();                               /* those of the tile before have been read */
    for (int k = 0; k < 3 && lane < 16; k++)
        rate[k][lane] = row < a.n ? a.lr[k][at.head * a.gate_step + row] : 0.0f;
    __syncwarp();
}

/* One of a thread's two tokens at a time: there are registers for the sums and little else. */
template <kind K>
static __device__ __forceinline__ void finish(const sums &d, const token_args &a,
                                              const token_job &job, const tile &at,
                                              shared_memory *s)
{
    constexpr int outputs = output_count<K>;
    const int warp = threadIdx.x / 32, own = threadIdx.x % 32 / 4;
#pragma unroll
    for (int n = 0; n < tile_columns<K> / 32; n++) {
        const int half = n / 2, below = n % 2, first = at.row + warp * 16 + below * 8;
        uint32_t y[outputs][8];
        token of = {};
        for (int k = 0; k < 3 && (K == TEACH || K == TEACH_BACK); k++)
            of.l[k] = s->rate[warp][k][own + below * 8];
#pragma unroll
        for (int j = 0; j < 8; j++) {
            const int i = half * 32 + 4 * j + 2 * below;
            float low[outputs], high[outputs];
            point<K>(low, d, i, &of);
            point<K>(high, d, i + 1, &of);
#pragma unroll
            for (int k = 0; k < outputs; k++)
                y[k][j] = pack(low[k], high[k]);
        }
        if (K == TEACH_BACK)
            store_parts(a, of, at, first + own);
#pragma unroll
        for (int k = 0; k < outputs; k++)
            store_lines(job.out[k] + ((int64_t)at.head * a.n + first) * job.pitch[k] + at.col +
                            half * 64,
                        job.pitch[k], a.n - first, y[k], shared_address(s->stage[warp]));
    }
}

template <kind T, kind R>
static __device__ void consume(shared_memory *s, const token_args &a, int rank)
{
    ring x = {0, 0}, y = {0, 0};
    const int count = task_count(a);
    for (int round = 0; round < count; round++) {
        const int task = task_in(round), read_task = task - a.teach.tasks;
        const bool teach = read_task < 0;
        const tile here = teach ? tile_get<T>(a, task, rank) : tile_get<R>(a, read_task, rank);
        if (teach)
            fetch_rates(s->rate[threadIdx.x / 32], a, here);
        /* Cleared here, and not by the first product: else the compiler takes them for needed from
         * tile to tile, and has 48 registers for all that stands between. */
        sums d = {};
        multiply(&d, s, &x, &y, threadIdx.x / 128, a.steps, R != READ || teach);
        if (teach)
            finish<T>(d, a, a.teach, here, s);
        else
            finish<R>(d, a, a.read, here, s);
    }
}

#endif /* STI_HOPPER */

template <kind T, kind R>
static __global__ void __launch_bounds__(THREADS, 1)
    tokens(const __grid_constant__ token_args a)
{
#ifdef STI_HOPPER
    /* Not rounded up: the pointer would be a generic one, and every wait pay for it. */
    extern __shared__ __align__(1024) unsigned char raw[];
    shared_memory *s = reinterpret_cast<shared_memory *>(raw);
    const int rank = cluster_rank();
    if (shared_address(raw) % 1024 != 0)
        __trap();
    rings_begin(s->full, s->empty, X_PARTS + Y_PARTS);
    next_may_begin();
    before_has_ended();
    if (threadIdx.x >= CONSUMERS) {
        registers_give<24>();
        if (threadIdx.x == CONSUMERS)
            feed<T, R>(s, a, rank);
    } else {
        registers_take<240>();
        consume<T, R>(s, a, rank);
    }
    cluster_meet();                             /* the other block may still reach in here */
#endif
}

/* lr_grad[k][f,t] = the parts of all columns, one after the other. */
static __global__ void sum_parts(float *lr0, float *lr1, float *lr2, const float *part, int cols,
                                 int heads, int n, int64_t gate_step)
{
    const int t = blockIdx.x * blockDim.x + threadIdx.x, f = blockIdx.y, k = blockIdx.z;
    if (t >= n)
        return;
    float sum = 0.0f;
    for (int c = 0; c < cols; c++)
        sum += part[((int64_t)(c * 3 + k) * heads + f) * n + t];
    (k == 0 ? lr0 : k == 1 ? lr1 : lr2)[f * gate_step + t] = sum;
}

/* --- host --------------------------------------------------------------------------------- */

enum { SHARED_BYTES = sizeof(shared_memory) };

bool sti_ttt_hopper_tokens_fit(const sti_device *device, const st_ttt_rule *r, const ttt_tokens *t)
{
    return device->hopper && r->hidden % SIDE == 0 && r->width % TILE_COLS == 0 &&
           t->head_step % 8 == 0 && reachable(t->x) && reachable(t->y) && reachable(t->weight);
}

/* The outputs in the order of `point`; the right half of a pair is an output of its own. */
static void list_outputs(token_job *job, kind k, const ttt_tokens *t, int h)
{
    bf16 *const list[][OUTPUTS_MAX] = {
        {t->hidden},                                                    /* READ      */
        {t->pair, t->pair + h, t->hidden},                              /* TEACH     */
        {t->pair, t->pair + h, t->hidden},                              /* READ_BACK */
        {t->pair, t->pair + h, t->above, t->taught, t->taught + h, t->hidden},
    };
    for (int i = 0; i < OUTPUTS_MAX; i++) {
        job->out[i] = list[k][i];
        job->pitch[i] = job->out[i] == t->hidden || job->out[i] == t->above ? h : 2 * h;
    }
}

template <kind K>
static st_status job_get(token_job *job, const st_ttt_rule *r, const ttt_tokens *t)
{
    const int64_t rows = (t->n + CLUSTER * SIDE - 1) / (CLUSTER * SIDE);
    job->tasks = (int)(rows * (r->hidden / tile_columns<K>) * r->heads);
    list_outputs(job, K, t, (int)r->hidden);
    ST_TRY(sti_tile_map(&job->x, t->x, r->width, t->n, r->heads, r->width, t->head_step, SIDE));
    return K == READ ? st_ok()
                     : sti_tile_map(&job->y, t->y, r->width, t->n, r->heads, r->width,
                                    t->head_step, SIDE);
}

/* Maps of W0 | W2 and of W1. */
static st_status weight_maps(CUtensorMap *w02, CUtensorMap *w1, const st_ttt_rule *r,
                             const bf16 *weight)
{
    const int64_t H = r->heads, h = r->hidden, d = r->width, set = 3 * h * d;
    ST_TRY(sti_tile_map(w02, weight, d, 2 * h, H, d, set, TILE_ROWS / 2));
    return sti_tile_map(w1, weight + 2 * h * d, h, d, H, h, set, TILE_ROWS / 2);
}

template <kind T, kind R> static st_status launch(st_stream *q, const token_args *a)
{
    const int tasks = a->teach.tasks + a->read.tasks;
    const int room = q->device->processor_count / CLUSTER;
    return cluster_launch(q, tokens<T, R>, a, tasks < room ? tasks : room, SHARED_BYTES,
                          "ttt tokens");
}

static token_args args_get(const st_ttt_rule *r, const ttt_tokens *t)
{
    token_args a = {};
    for (int i = 0; i < 3; i++)
        a.lr[i] = t->lr[i];
    a.part = t->part;
    a.gate_step = t->gate_step;
    a.heads = (int)r->heads, a.n = (int)t->n, a.h = (int)r->hidden;
    a.steps = (int)(r->width / TILE_COLS);
    return a;
}

st_status sti_ttt_hopper_tokens(st_stream *q, const st_ttt_rule *r, const ttt_tokens *teach,
                                const ttt_tokens *read)
{
    token_args a = args_get(r, teach ? teach : read);
    ST_TRY(weight_maps(&a.w02, &a.w1, r, (teach ? teach : read)->weight));
    if (teach)
        ST_TRY(job_get<TEACH>(&a.teach, r, teach));
    if (read)
        ST_TRY(job_get<READ>(&a.read, r, read));
    return launch<TEACH, READ>(q, &a);
}

st_status sti_ttt_hopper_tokens_back(st_stream *q, const st_ttt_rule *r, const ttt_tokens *teach,
                                     const ttt_tokens *read)
{
    token_args a = args_get(r, teach ? teach : read);
    ST_TRY(weight_maps(&a.w02, &a.w1, r, read->weight));
    ST_TRY(job_get<READ_BACK>(&a.read, r, read));
    if (!teach)
        return launch<TEACH_BACK, READ_BACK>(q, &a);
    ST_TRY(weight_maps(&a.t02, &a.t1, r, teach->teacher));
    ST_TRY(job_get<TEACH_BACK>(&a.teach, r, teach));
    ST_TRY((launch<TEACH_BACK, READ_BACK>(q, &a)));
    sum_parts<<<dim3((unsigned)((a.n + 255) / 256), (unsigned)r->heads, 3), 256, 0, sti_cuda(q)>>>(
        teach->lr_grad[0], teach->lr_grad[1], teach->lr_grad[2], a.part, a.h / 64, a.heads, a.n,
        a.gate_step);
    return sti_launched("ttt sum_parts");
}
