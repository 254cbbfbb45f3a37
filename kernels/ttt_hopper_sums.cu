/* ttt_hopper_sums.cu - the products behind a chunk's tokens, all in one launch: what the weights
 * get from it, summed over its tokens, and what its tokens get, summed over a hidden side.
 *
 * Alone, none of them fills the card: 4 heads of 512 have 96 tiles of weights with 42 steps of 64
 * tokens each, and a chunk of 2,648 has 168 tiles of tokens with 8 steps or more. Together they do:
 * the host gives each pair of blocks the tasks that let all end at about the same time, long ones
 * first.
 *
 * A tile is 128 x 256, its sums stay in registers over all terms. Two blocks with neighbouring rows
 * and the same columns share the columns' operand: a step is 4.2 MFLOP, for which each block would
 * ask L2 for 48 KiB, and so for 32. What lies outside a matrix reads as zero and is not stored.
 *
 * A finished tile leaves through the copy engine, which also adds, while the next is multiplied.
 * Each number has one writer, so sums have one order.
 */
#include "kernels/ttt_hopper_cluster.cuh"

enum {
    COLS = 256,                             /* of a tile                                  */
    PARTS = 4,
    PART_BYTES = 3 * TILE_BYTES,            /* 128 of the rows' side, 256 of the columns' */
    STAGE_BOXES = 2,                        /* of a warpgroup: 64 rows of 128 bytes each  */
    CLUSTERS_MAX = 128,
};

typedef struct shared_memory {
    alignas(1024) unsigned char ring[PARTS * PART_BYTES];
    unsigned char stage[2][STAGE_BOXES][BOX_BYTES];
    uint64_t full[PARTS], empty[PARTS];
} shared_memory;

/* One of the products. */
typedef struct sum_job {
    CUtensorMap a[TTT_TERMS], b[TTT_TERMS]; /* in boxes of 64 x 64            */
    CUtensorMap y;                          /* in boxes of 64 rows            */
    int         steps[TTT_TERMS];           /* of 64 of the inner side        */
    int         rows, cols, terms;
    ttt_layout  layout;
    bool        add;
} sum_job;

typedef struct sums_args {
    sum_job   job[TTT_SUMS];
    uint16_t  first[TTT_SUMS][CLUSTERS_MAX + 1];    /* each cluster's first task of a job */
    int       jobs, heads;
    ttt_gates gates;
} sums_args;

#ifdef STI_HOPPER

/* --- tasks -------------------------------------------------------------------------------- */

typedef struct tile {
    int head, row, col;                     /* first of this block */
} tile;

/* Columns change first: neighbours share rows at the same time. */
static __device__ __forceinline__ tile tile_get(const sum_job &job, int task, int rank)
{
    const int cols = (job.cols + COLS - 1) / COLS;
    const int rows = (job.rows + CLUSTER * SIDE - 1) / (CLUSTER * SIDE);
    return {task / cols / rows, (task / cols % rows * CLUSTER + rank) * SIDE, task % cols * COLS};
}

static __device__ __forceinline__ int steps_of(const sum_job &job)
{
    return job.steps[0] + (job.terms > 1 ? job.steps[1] : 0);
}

/* Call `act` with each job and tile of this block's. */
template <typename ACT>
static __device__ __forceinline__ void for_tasks(const sums_args &a, int rank, ACT act)
{
    const int cluster = blockIdx.x / CLUSTER;
    for (int k = 0; k < a.jobs; k++)
        for (int t = a.first[k][cluster]; t < a.first[k][cluster + 1]; t++)
            act(a.job[k], tile_get(a.job[k], t, rank));
}

/* --- feeding ------------------------------------------------------------------------------ */

/* Box `i` of 64 of an operand's side from `side` on, at `inner` of its inner side: across, its rows
 * are the inner side. */
typedef struct box {
    int x, y;
} box;

static __device__ __forceinline__ box box_at(bool across, int side, int i, int inner)
{
    const int at = side + i * TILE_COLS;
    return across ? box{at, inner} : box{inner, at};
}

static __device__ __forceinline__ void feed_tile(shared_memory *s, ring *at, const sum_job &job,
                                                 const tile &here, int rank)
{
    const bool a_across = job.layout == TTT_OVER_TOKENS, b_across = job.layout != TTT_BY_TURNED;
    for (int term = 0; term < job.terms; term++)
        for (int i = 0; i < job.steps[term]; i++) {
            unsigned char *to = s->ring + at->part * PART_BYTES;
            uint64_t *full = s->full + at->part;
            barrier_wait(s->empty + at->part, at->parity ^ 1);
            barrier_expect(full, PART_BYTES);
            for (int n = 0; n < 2; n++) {
                const box rows = box_at(a_across, here.row, n, i * TILE_COLS);
                box_load(to + n * BOX_BYTES, &job.a[term], full, rows.x, rows.y, here.head);
                const int half = 2 * rank + n;
                const box cols = box_at(b_across, here.col, half, i * TILE_COLS);
                bring_both(to + TILE_BYTES + half * BOX_BYTES, full, &job.b[term], cols.x, cols.y,
                           here.head);
            }
            step(at, PARTS);
        }
}

/* By one warp, while the others multiply: the gates of head `f`, in one order. */
static __device__ __forceinline__ void sum_gates(const ttt_gates &g, int f)
{
    const float *x = g.gate + f * g.step;
    float sum = 0.0f;
#pragma unroll 8
    for (int i = threadIdx.x % 32; i < g.n; i += 32)
        sum += x[i];
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0)
        g.sum[f] = (g.add ? g.sum[f] : 0.0f) + sum;
}

/* --- multiplying -------------------------------------------------------------------------- */

/* d: 64 rows of this warpgroup by 256 columns. */
template <bool A_ACROSS, bool B_ACROSS>
static __device__ __forceinline__ void multiply(float (&d)[128], shared_memory *s, ring *at,
                                                int group, int steps)
{
    constexpr int part = PART_BYTES >> 4;
    const uint64_t a = operand(s->ring + group * BOX_BYTES, A_ACROSS);
    const uint64_t b = operand(s->ring + TILE_BYTES, B_ACROSS);
    uint64_t *read = NULL;                      /* by the products that still run */
    for (int i = 0; i < steps; i++) {
        barrier_wait(s->full + at->part, at->parity);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++)
            product_ss<A_ACROSS, B_ACROSS>(d, a + at->part * part + j * operand_step(A_ACROSS),
                                           b + at->part * part + j * operand_step(B_ACROSS), 1);
        products_commit();
        products_wait<1>();
        if (i > 0)
            give_back(read);
        read = s->empty + at->part;
        step(at, PARTS);
    }
    products_wait<0>();
    products_hold(d);
    give_back(read);
}

/* --- leaving ------------------------------------------------------------------------------ */

static __device__ __forceinline__ void meet_group(int group)
{
    meet(1 + group, 128);
}

/* The stage of this warpgroup is free: what left before has been read. */
static __device__ __forceinline__ void stage_begin(int group)
{
    if (threadIdx.x % 128 == 0)
        copy_out_left();
    meet_group(group);
}

/* What was staged leaves for its rows, from column `col` on. */
static __device__ __forceinline__ void stage_send(shared_memory *s, const sum_job &job,
                                                  const tile &at, int group, int col)
{
    const int row = at.row + group * 64, box_cols = job.layout == TTT_OVER_TOKENS ? 32 : 64;
    fence_async_shared();
    meet_group(group);
    if (threadIdx.x % 128 != 0 || row >= job.rows)
        return;
    for (int i = 0; i < STAGE_BOXES && col + i * box_cols < job.cols; i++) {
        if (job.add)
            copy_add(&job.y, s->stage[group][i], col + i * box_cols, row, at.head);
        else
            copy_out(&job.y, s->stage[group][i], col + i * box_cols, row, at.head);
    }
    copy_out_commit();
}

/* In f32, 64 columns at a time. A thread's two numbers lie in unit j % 4 * 2 + lane % 4 / 2 of a
 * row of 8, which stands at that unit ^ row % 8. */
static __device__ __forceinline__ void leave_wide(const float (&d)[128], shared_memory *s,
                                                  const sum_job &job, const tile &at, int group)
{
    const int lane = threadIdx.x % 32, row = (int)threadIdx.x / 32 % 4 * 16 + lane / 4;
    const uint32_t own = shared_address(s->stage[group]) + row * 128 + lane % 2 * 8;
#pragma unroll
    for (int n = 0; n < 4; n++) {
        stage_begin(group);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            const float *x = d + n * 32 + 4 * j;
            const uint32_t to = own + j / 4 * BOX_BYTES +
                                ((j % 4 * 2 + lane % 4 / 2) ^ (lane / 4)) * 16;
            shared_store2(to, x[0], x[1]);
            shared_store2(to + 8 * 128, x[2], x[3]);
        }
        stage_send(s, job, at, group, at.col + n * 64);
    }
}

/* In bf16, 128 columns at a time: 16 of them, of a warp's 16 rows, are four matrices. */
static __device__ __forceinline__ void leave_narrow(const float (&d)[128], shared_memory *s,
                                                    const sum_job &job, const tile &at, int group)
{
    const int lane = threadIdx.x % 32, r = lane % 8, m = lane / 8;
    const uint32_t own = shared_address(s->stage[group]) +
                         ((int)threadIdx.x / 32 % 4 * 16 + m % 2 * 8 + r) * 128;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        stage_begin(group);
#pragma unroll
        for (int j = 0; j < 16; j += 2) {
            const float *x = d + half * 64 + 4 * j;
            matrices_store(own + j / 8 * BOX_BYTES + ((j % 8 + m / 2) ^ r) * 16,
                           make_uint4(pack(x[0], x[1]), pack(x[2], x[3]), pack(x[4], x[5]),
                                      pack(x[6], x[7])));
        }
        stage_send(s, job, at, group, at.col + half * 128);
    }
}

static __device__ __forceinline__ void consume_tile(shared_memory *s, ring *at, const sum_job &job,
                                                    const tile &here)
{
    const int group = threadIdx.x / 128, steps = steps_of(job);
    float d[128] = {};
    if (job.layout == TTT_OVER_TOKENS)
        multiply<true, true>(d, s, at, group, steps);
    else if (job.layout == TTT_BY_TURNED)
        multiply<false, false>(d, s, at, group, steps);
    else
        multiply<false, true>(d, s, at, group, steps);
    if (job.layout == TTT_OVER_TOKENS)
        leave_wide(d, s, job, here, group);
    else
        leave_narrow(d, s, job, here, group);
}

#endif /* STI_HOPPER */

static __global__ void __launch_bounds__(THREADS, 1) sums(const __grid_constant__ sums_args a)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(1024) unsigned char raw[];
    shared_memory *s = reinterpret_cast<shared_memory *>(raw);
    const int rank = cluster_rank();
    ring at = {0, 0};
    if (shared_address(raw) % 1024 != 0)
        __trap();
    rings_begin(s->full, s->empty, PARTS);
    next_may_begin();
    before_has_ended();
    if (threadIdx.x >= CONSUMERS) {
        registers_give<40>();
        if (threadIdx.x == CONSUMERS)
            for_tasks(a, rank, [&](const sum_job &job, const tile &here) {
                feed_tile(s, &at, job, here, rank);
            });
        if (threadIdx.x / 32 == WARPS + 1 && a.gates.sum)
            for (int f = blockIdx.x; f < a.heads; f += gridDim.x)
                sum_gates(a.gates, f);
    } else {
        registers_take<232>();
        for_tasks(a, rank, [&](const sum_job &job, const tile &here) {
            consume_tile(s, &at, job, here);
        });
        if (threadIdx.x % 128 == 0)
            copy_out_left();
    }
    cluster_meet();                             /* the other block may still reach in here */
#endif
}

/* --- host --------------------------------------------------------------------------------- */

enum { SHARED_BYTES = sizeof(shared_memory) };

/* Dense matrices of the copy engine: whole 16 bytes in a row and from head to head. */
static bool fits(const void *x, int64_t cols, int64_t step)
{
    return reachable(x) && cols % 8 == 0 && step % 8 == 0;
}

static int64_t task_count(int64_t heads, const ttt_sum<bf16> *s)
{
    return heads * ((s->rows + CLUSTER * SIDE - 1) / (CLUSTER * SIDE)) *
           ((s->cols + COLS - 1) / COLS);
}

bool sti_ttt_hopper_sums_fit(const sti_device *device, int64_t heads, const ttt_sum<bf16> *list,
                             int count)
{
    if (!device->hopper || device->processor_count > CLUSTER * CLUSTERS_MAX)
        return false;
    for (int k = 0; k < count; k++) {
        const ttt_sum<bf16> *s = &list[k];
        if (s->cols % TILE_COLS != 0 || !fits(s->y, s->cols, s->y_step) ||
            task_count(heads, s) > UINT16_MAX)
            return false;
        for (int i = 0; i < s->terms; i++) {
            const ttt_term<bf16> *t = &s->term[i];
            const int64_t a_cols = s->layout == TTT_OVER_TOKENS ? s->rows : t->inner;
            const int64_t b_cols = s->layout == TTT_BY_TURNED ? t->inner : s->cols;
            if (t->inner < 1 || !fits(t->a, a_cols, t->a_step) ||
                !fits(t->b, b_cols, t->b_step))
                return false;
        }
    }
    return true;
}

static st_status map_get(CUtensorMap *map, const bf16 *x, int64_t step, int64_t heads, bool across,
                         int64_t side, int64_t inner)
{
    const int64_t cols = across ? side : inner, rows = across ? inner : side;
    return sti_tile_map(map, x, cols, rows, heads, cols, step, TILE_COLS);
}

static st_status job_get(sum_job *job, int64_t heads, const ttt_sum<bf16> *s)
{
    for (int i = 0; i < s->terms; i++) {
        const ttt_term<bf16> *t = &s->term[i];
        ST_TRY(map_get(&job->a[i], t->a, t->a_step, heads, s->layout == TTT_OVER_TOKENS, s->rows,
                       t->inner));
        ST_TRY(map_get(&job->b[i], t->b, t->b_step, heads, s->layout != TTT_BY_TURNED, s->cols,
                       t->inner));
        job->steps[i] = (int)((t->inner + TILE_COLS - 1) / TILE_COLS);
    }
    ST_TRY(s->layout == TTT_OVER_TOKENS
               ? sti_tile_map_wide(&job->y, (const float *)s->y, s->cols, s->rows, heads, s->cols,
                                   s->y_step, TILE_COLS)
               : sti_tile_map(&job->y, s->y, s->cols, s->rows, heads, s->cols, s->y_step,
                              TILE_COLS));
    job->rows = (int)s->rows, job->cols = (int)s->cols, job->terms = s->terms;
    job->layout = s->layout, job->add = s->add;
    return st_ok();
}

/* One task after the other goes to the cluster with the least to do. A tile's end takes as long as
 * one step, in f32 four. */
static void share_out(sums_args *a, const ttt_sum<bf16> *list, int clusters)
{
    int load[CLUSTERS_MAX] = {};
    for (int k = 0; k < a->jobs; k++) {
        int taken[CLUSTERS_MAX] = {}, steps = list[k].layout == TTT_OVER_TOKENS ? 4 : 1;
        for (int i = 0; i < a->job[k].terms; i++)
            steps += a->job[k].steps[i];
        for (int64_t t = task_count(a->heads, &list[k]); t > 0; t--) {
            int least = 0;
            for (int c = 1; c < clusters; c++)
                if (load[c] < load[least])
                    least = c;
            load[least] += steps;
            taken[least]++;
        }
        for (int c = 0; c < clusters; c++)
            a->first[k][c + 1] = (uint16_t)(a->first[k][c] + taken[c]);
    }
}

st_status sti_ttt_hopper_sums(st_stream *q, int64_t heads, const ttt_sum<bf16> *list, int count,
                              const ttt_gates *gates)
{
    sums_args a = {};
    int64_t tasks = 0;
    a.jobs = count, a.heads = (int)heads;
    if (gates)
        a.gates = *gates;
    for (int k = 0; k < count; k++) {
        ST_TRY(job_get(&a.job[k], heads, &list[k]));
        tasks += task_count(heads, &list[k]);
    }
    const int room = q->device->processor_count / CLUSTER;
    const int clusters = tasks < room ? (int)tasks : room;
    share_out(&a, list, clusters);
    return cluster_launch(q, sums, &a, clusters, SHARED_BYTES, "ttt sums");
}
