/* ttt_hopper_update.cu - one update of all fast weights in one launch (spec 7.10, 7.11).
 *
 * Momentum, five Newton-Schulz steps and renorming are 17 steps that each need the one before, on
 * 12 matrices of 512 x 512: 3.2 GFLOP a product, 4 us at the card's best, so launches between them
 * would cost as much as the work. Here the blocks stay: each matrix has its own `ranks` blocks
 * (11 on 132 processors), which meet at a counter in L2 between steps; matrices never wait for
 * each other. Everything a step hands to the next stays in L2.
 *
 *     M = g + m M                   parts of |M|^2            -- meet
 *     X = M / |M|                                             -- meet
 *     5 x  A = X X^T                upper tiles, mirrored     -- meet
 *          B = b A + c A A          upper tiles, mirrored     -- meet
 *          X = a X + B X                                      -- meet
 *     P += X, W = length unit(P)
 *
 * X itself stays in f32: rounding it to bf16 would put noise into the directions in which M has
 * nothing, and each step multiplies those by four. A thread keeps its own numbers of X in `wide`,
 * in the order in which it wants them; what all read is the bf16 copy. A and B are symmetric, so
 * ten of sixteen tiles of 128 x 128 are computed and written twice.
 *
 * In a block one thread feeds a ring of 16 KiB slots through the copy engine, and two warpgroups
 * multiply, 64 rows of a tile each. The tiles of X are 128 x 256: products of this size are bound
 * by what L2 can deliver, and a wider tile asks for a quarter less.
 */
#include "kernels/ttt_hopper.cuh"

enum {
    SLOTS = 9,
    SIDE = 128,                             /* of a tile of the product */
    CONSUMERS = 256,
    THREADS = CONSUMERS + 128,              /* the last warpgroup feeds */
    MEET_CONSUMERS = 1,                     /* hardware barrier of the two warpgroups */
    WIDE_SLOTS = 8,                         /* of the ring: a tile of X in f32, 128 KiB */
    SIDE_MAX = 512,                         /* of a matrix */
    BATCH = SIDE_MAX / 128,                 /* loads in flight in the pointwise steps: with so few
                                               threads, one at a time would wait for L2 each time */
};

typedef struct shared_memory {
    alignas(1024) unsigned char slot[SLOTS][TILE_BYTES];
    unsigned char out[4][TILE_BYTES];       /* 128 rows of 64 columns each: a tile and its mirror
                                               image, or a wide tile */
    uint64_t full[SLOTS], empty[SLOTS];
    uint64_t added, freed;                  /* `out` holds the addend; is free again */
} shared_memory;

typedef enum phase { GRAM, SQUARE, ADVANCE, PHASES } phase;

typedef struct update_args {
    ttt_update u;
    float      ns[STI_NS_STEPS][3];
    int        heads, side, ranks;
    float      chunk;
    bool       prenorm, momentum, first;
} update_args;

#ifdef STI_HOPPER

/* --- meeting ------------------------------------------------------------------------------ */

static __device__ __forceinline__ void wait_for(const uint32_t *meeting, uint32_t goal)
{
    uint32_t seen;
    do
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(meeting) : "memory");
    while (seen < goal);
    fence_async();
}

/* By one thread, after the block's own writes were ordered before it; releases them all. */
static __device__ __forceinline__ void arrive(uint32_t *meeting)
{
    fence_async();
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(meeting) : "memory");
}

/* --- tiles -------------------------------------------------------------------------------- */

/* Task t of a phase: tile (row,col) in units of 128. Symmetric phases have the upper triangle. */
static __device__ __forceinline__ int task_count(int p, const update_args &a)
{
    const int blocks = a.side / SIDE;
    return p == ADVANCE ? blocks * blocks / 2 : blocks * (blocks + 1) / 2;
}

static __device__ __forceinline__ void task_get(int p, int t, const update_args &a, int *row,
                                                int *col)
{
    const int blocks = a.side / SIDE;
    if (p == ADVANCE) {
        *row = t % blocks, *col = t / blocks * 2;
        return;
    }
    int r = 0;
    for (; t >= blocks - r; r++)
        t -= blocks - r;
    *row = r, *col = r + t;
}

/* Plane of the muon map that holds X, A or B (0, 1, 2) of step k. */
static __device__ __forceinline__ int plane(const update_args &a, int k, int which, int matrix)
{
    return ((a.u.taped ? k : k % 2) * 3 + which) * 3 * a.heads + matrix;
}

/* The numbers of X of task t: each thread's fours lie CONSUMERS fours apart. */
static __device__ __forceinline__ float4 *own_wide(const update_args &a, int matrix, int t)
{
    return reinterpret_cast<float4 *>(a.u.wide) + (int64_t)matrix * a.side * a.side / 4 +
           t * (SIDE * SIDE / 2);
}

/* --- feeding ------------------------------------------------------------------------------ */

typedef struct ring {
    int      slot;
    uint32_t parity;
} ring;

static __device__ __forceinline__ void step(ring *at)
{
    if (++at->slot == SLOTS)
        at->slot = 0, at->parity ^= 1;
}

/* The next slot is free and expects a tile. */
static __device__ __forceinline__ int claim(shared_memory *s, ring *at)
{
    const int slot = at->slot;
    barrier_wait(&s->empty[slot], at->parity ^ 1);
    barrier_expect(&s->full[slot], TILE_BYTES);
    step(at);
    return slot;
}

/* The operands of tile (row,col): 64 of the inner side at a time, first the left one, then the
 * right ones; a diagonal tile of X X^T or A A has both in one. */
static __device__ __forceinline__ void feed_tile(shared_memory *s, ring *at,
                                                 const CUtensorMap *muon, const CUtensorMap *boxes,
                                                 const update_args &a, int p, int left, int right,
                                                 int row, int col)
{
    for (int i = 0; i < a.side / TILE_COLS; i++) {
        int slot = claim(s, at);
        copy_in(s->slot[slot], muon, &s->full[slot], i * TILE_COLS, row * SIDE, left);
        if (p == ADVANCE) {
            for (int n = 0; n < 2; n++) {
                slot = claim(s, at);
                for (int b = 0; b < 2; b++)
                    copy_in(s->slot[slot] + b * BOX_BYTES, boxes, &s->full[slot],
                            (col + n) * SIDE + b * TILE_COLS, i * TILE_COLS, right);
            }
        } else if (row != col) {
            slot = claim(s, at);
            copy_in(s->slot[slot], muon, &s->full[slot], i * TILE_COLS, col * SIDE, right);
        }
    }
}

static __device__ void feed(shared_memory *s, const CUtensorMap *muon, const CUtensorMap *boxes,
                            const update_args &a, int matrix, int rank)
{
    ring at = {0, 0};
    int  task = 0;
    for (int k = 0; k < STI_NS_STEPS; k++) {
        for (int p = GRAM; p < PHASES; p++) {
            wait_for(a.u.meeting + matrix, (uint32_t)(a.ranks * (2 + k * PHASES + p)));
            const int left = plane(a, k, p == GRAM ? 0 : p == SQUARE ? 1 : 2, matrix);
            const int right = plane(a, k, p == SQUARE ? 1 : 0, matrix);
            for (int t = rank; t < task_count(p, a); t += a.ranks) {
                int row, col;
                task_get(p, t, a, &row, &col);
                barrier_wait(&s->freed, (uint32_t)(task++ & 1) ^ 1);
                if (p == SQUARE) {
                    barrier_expect(&s->added, 2 * TILE_BYTES);
                    for (int i = 0; i < 2; i++)
                        copy_in(s->out[i], muon, &s->added, col * SIDE + i * TILE_COLS, row * SIDE,
                                left);
                }
                feed_tile(s, &at, muon, boxes, a, p, left, right, row, col);
                for (int i = 0; i < WIDE_SLOTS && p == ADVANCE; i++) {
                    const int slot = claim(s, &at);
                    copy_in_plain(s->slot[slot], own_wide(a, matrix, t) + i * (TILE_BYTES / 16),
                                  &s->full[slot], TILE_BYTES);
                }
            }
        }
    }
}

/* --- multiplying -------------------------------------------------------------------------- */

/* d (128,128 N) of this block: warpgroup `group` has 64 rows. `shared_operand`: one slot a step. */
template <int P, int N>
static __device__ __forceinline__ void multiply(float (&d)[N][64], shared_memory *s, ring *at,
                                                int group, int steps, bool shared_operand)
{
    const bool leader = threadIdx.x % 32 == 0;      /* each warp says when it is done */
    const int  used = shared_operand ? 1 : 1 + N;
    ring before = *at;
    for (int i = 0; i < steps; i++) {
        const ring first = *at;
        uint64_t b[N];
        barrier_wait(&s->full[at->slot], at->parity);
        const uint64_t a = operand(s->slot[at->slot] + group * BOX_BYTES, false);
#pragma unroll
        for (int n = 0; n < N; n++) {
            if (!shared_operand) {
                step(at);
                barrier_wait(&s->full[at->slot], at->parity);
            }
            b[n] = operand(s->slot[at->slot], P == ADVANCE);
        }
        step(at);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++)
#pragma unroll
            for (int n = 0; n < N; n++)
                wgmma_64x128<0, P == ADVANCE>(d[n], a + j * operand_step(false),
                                              b[n] + j * operand_step(P == ADVANCE),
                                              i > 0 || j > 0);
        products_commit();
        products_wait<1>();                    /* the products of the step before are done */
        for (int n = 0; n < used && i > 0; n++, step(&before))
            if (leader)
                barrier_arrive(&s->empty[before.slot]);
        before = first;
    }
    products_wait<0>();
#pragma unroll
    for (int n = 0; n < N; n++)
        products_hold(d[n]);
    for (int n = 0; n < used; n++, step(&before))
        if (leader)
            barrier_arrive(&s->empty[before.slot]);
}

/* Where a thread's numbers of a staged tile stand. It holds, for j = 0 .. 15, columns 8j + c, +1 of
 * rows r and r + 8, with c = 2 (lane % 4) and r % 8 = lane / 4. The swizzle exchanges 16-byte units
 * by r % 8 in the tile, and by c % 8 (or one more) in its mirror image, so all addresses are these
 * few and constants. */
typedef struct staging {
    uint32_t row;               /* row r, unit 0, own bytes                                 */
    uint32_t turn;              /* 16 (r % 8): unit j stands at 16 j ^ turn                 */
    uint32_t mirror[2][2];      /* [column, or the next][row r, or r + 8], of columns 0 - 7 */
} staging;

static __device__ __forceinline__ staging staging_get(shared_memory *s, int r, int c)
{
    staging at;
    at.row = shared_address(s->out[0]) + r * 128 + c * 2;
    at.turn = r % 8 * 16;
    for (int next = 0; next < 2; next++)
        for (int below = 0; below < 2; below++)
            at.mirror[next][below] = shared_address(s->out[2 + r / 64]) + (c + next) * 128 +
                                     ((r % 64 / 8 + below) ^ (c + next)) * 16 + r % 8 * 2;
    return at;
}

/* Columns 8j + c of row r (+ 8 below). */
static __device__ __forceinline__ uint32_t staged(const staging &at, int j, int below)
{
    return at.row + j / 8 * TILE_BYTES + below * 1024 + ((uint32_t)(j % 8 * 16) ^ at.turn);
}

/* A or B: the numbers of a tile into out[0..1], mirrored into out[2..3]. The addend of B, A's own
 * tile, stands where the result goes. */
template <int P>
static __device__ __forceinline__ void stage_square(const float (&d)[64], const staging &at,
                                                    float scale_b, float scale_c, bool diagonal)
{
#pragma unroll
    for (int i = 0; i < 32; i++) {
        const int j = i / 2, below = i % 2;
        float x = d[4 * j + 2 * below], y = d[4 * j + 2 * below + 1];
        const uint32_t here = staged(at, j, below);
        if (P == SQUARE) {
            const uint32_t before = shared_load(here);
            x = fmaf(scale_c, x, scale_b * low_of(before));
            y = fmaf(scale_c, y, scale_b * high_of(before));
        }
        const uint32_t both = pack(x, y);
        shared_store(here, both);
        if (!diagonal) {
            shared_store_low(at.mirror[0][below] + j * 1024, both);
            shared_store_high(at.mirror[1][below] + j * 1024, both);
        }
    }
}

/* X: a X + B X, kept in f32 by the thread and staged in bf16; the last one leaves as f32. The ring
 * brings the old X behind the operands, four fours of each thread in a slot. */
static __device__ __forceinline__ void stage_advance(const float (&d)[2][64], shared_memory *s,
                                                     ring *from, const staging &at, float scale_a,
                                                     float4 *wide, float *last, int pitch)
{
#pragma unroll
    for (int slot = 0; slot < WIDE_SLOTS; slot++) {
        const uint32_t old = shared_address(s->slot[from->slot]) + threadIdx.x * 16;
        barrier_wait(&s->full[from->slot], from->parity);
        step(from);
#pragma unroll
        for (int i = 0; i < 32 / WIDE_SLOTS; i++) {
            const int j = slot * (32 / WIDE_SLOTS) + i;     /* columns 8j + c of the 256 */
            const float *sum = d[j / 16] + j % 16 * 4;
            float4 x = shared_load4(old + i * CONSUMERS * 16);
            x.x = fmaf(scale_a, x.x, sum[0]), x.y = fmaf(scale_a, x.y, sum[1]);
            x.z = fmaf(scale_a, x.z, sum[2]), x.w = fmaf(scale_a, x.w, sum[3]);
            if (last) {
                *reinterpret_cast<float2 *>(last + j * 8) = make_float2(x.x, x.y);
                *reinterpret_cast<float2 *>(last + j * 8 + 8 * pitch) = make_float2(x.z, x.w);
            } else {
                wide[j * CONSUMERS] = x;
                shared_store(staged(at, j, 0), pack(x.x, x.y));
                shared_store(staged(at, j, 1), pack(x.z, x.w));
            }
        }
    }
}

typedef struct consumer {
    ring     at;
    staging  to;
    uint32_t added;             /* addends met so far            */
    int      group, row0, col0; /* warpgroup; first number held  */
    int      matrix, rank;
} consumer;

/* What was staged goes to L2, by one thread; it is there before anybody passes. */
static __device__ __forceinline__ void send(shared_memory *s, const CUtensorMap *muon, int to,
                                            int row, int col, int boxes, bool mirrored)
{
    fence_async();
    meet(MEET_CONSUMERS, CONSUMERS);
    if (threadIdx.x == 0) {
        for (int i = 0; i < boxes; i++)
            copy_out(muon, s->out[i], col * SIDE + i * TILE_COLS, row * SIDE, to);
        for (int i = 0; i < 2 && mirrored; i++)
            copy_out(muon, s->out[2 + i], row * SIDE + i * TILE_COLS, col * SIDE, to);
        copy_out_wait();
        barrier_arrive(&s->freed);
    }
    meet(MEET_CONSUMERS, CONSUMERS);
}

/* Report a phase. A block without a tile must not report one that has not begun. */
static __device__ __forceinline__ void report(const update_args &a, const consumer *me, int p,
                                              int k)
{
    if (threadIdx.x == 0) {
        if (me->rank >= task_count(p, a))
            wait_for(a.u.meeting + me->matrix, (uint32_t)(a.ranks * (2 + k * PHASES + p)));
        arrive(a.u.meeting + me->matrix);
    }
}

template <int P>
static __device__ __forceinline__ void run_square(shared_memory *s, const CUtensorMap *muon,
                                                  const update_args &a, consumer *me, int k)
{
    const int to = plane(a, k, P == GRAM ? 1 : 2, me->matrix);
    for (int t = me->rank; t < task_count(P, a); t += a.ranks) {
        int row, col;
        float d[1][64];
        task_get(P, t, a, &row, &col);
        multiply<P, 1>(d, s, &me->at, me->group, a.side / TILE_COLS, row == col);
        if (P == SQUARE)
            barrier_wait(&s->added, me->added++ & 1);
        stage_square<P>(d[0], me->to, a.ns[k][1], a.ns[k][2], row == col);
        send(s, muon, to, row, col, 2, row != col);
    }
    report(a, me, P, k);
}

static __device__ __forceinline__ void run_advance(shared_memory *s, const CUtensorMap *muon,
                                                   const update_args &a, consumer *me, int k)
{
    const int to = plane(a, k + 1, 0, me->matrix);
    for (int t = me->rank; t < task_count(ADVANCE, a); t += a.ranks) {
        int row, col;
        float d[2][64], *last = NULL;
        task_get(ADVANCE, t, a, &row, &col);
        multiply<ADVANCE, 2>(d, s, &me->at, me->group, a.side / TILE_COLS, false);
        if (k == STI_NS_STEPS - 1)
            last = a.u.gradient + ((int64_t)me->matrix * a.side + row * SIDE + me->row0) * a.side +
                   col * SIDE + me->col0;
        ring read = me->at;
        stage_advance(d, s, &me->at, me->to, a.ns[k][0], own_wide(a, me->matrix, t) + threadIdx.x,
                      last, a.side);
        __syncwarp();
        for (int i = 0; i < WIDE_SLOTS; i++, step(&read))
            if (threadIdx.x % 32 == 0)
                barrier_arrive(&s->empty[read.slot]);
        send(s, muon, to, row, col, last ? 0 : 4, false);
    }
    report(a, me, ADVANCE, k);
}

static __device__ void consume(shared_memory *s, const CUtensorMap *muon, const update_args &a,
                               int matrix, int rank)
{
    const int group = threadIdx.x / 128, lane = threadIdx.x % 32;
    const int row0 = group * 64 + (int)threadIdx.x / 32 % 4 * 16 + lane / 4, col0 = lane % 4 * 2;
    consumer me = {{0, 0}, staging_get(s, row0, col0), 0, group, row0, col0, matrix, rank};
#pragma unroll 1
    for (int k = 0; k < STI_NS_STEPS; k++) {
        run_square<GRAM>(s, muon, a, &me, k);
        run_square<SQUARE>(s, muon, a, &me, k);
        run_advance(s, muon, a, &me, k);
    }
}

/* --- before and after --------------------------------------------------------------------- */

/* Where M stands: the gradient of the chunk itself when momentum is off. */
static __device__ __forceinline__ const float *moment_of(const update_args &a)
{
    return a.momentum ? a.u.momentum : a.u.gradient;
}

/* M = g + m M, and this block's part of |M|^2. */
static __device__ void add_momentum(const update_args &a, int matrix, int rank)
{
    const int64_t size = (int64_t)a.side * a.side, from = matrix * size;
    const float mean = a.momentum ? a.u.mu_sum[matrix / 3] / a.chunk : 0.0f;
    const int64_t stride = 4 * a.ranks * THREADS;
    float square = 0.0f;
    for (int64_t first = 4 * (rank * THREADS + (int)threadIdx.x); first < size;
         first += BATCH * stride) {
        float4 g[BATCH], old[BATCH];
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int64_t at = first + i * stride < size ? first + i * stride : first;
            g[i] = *reinterpret_cast<const float4 *>(a.u.gradient + from + at);
            old[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (a.momentum && !a.first)
                old[i] = *reinterpret_cast<const float4 *>(a.u.momentum + from + at);
        }
#pragma unroll
        for (int i = 0; i < BATCH && first + i * stride < size; i++) {
            const int64_t at = from + first + i * stride;
            float4 m = g[i];
            if (a.momentum) {
                m.x = fmaf(mean, old[i].x, m.x), m.y = fmaf(mean, old[i].y, m.y);
                m.z = fmaf(mean, old[i].z, m.z), m.w = fmaf(mean, old[i].w, m.w);
                *reinterpret_cast<float4 *>(a.u.momentum + at) = m;
            }
            if (a.u.tape_momentum)
                *reinterpret_cast<float4 *>(a.u.tape_momentum + at) = m;
            square = fmaf(m.x, m.x, fmaf(m.y, m.y, fmaf(m.z, m.z, fmaf(m.w, m.w, square))));
        }
    }
    square = block_sum(square);
    if (threadIdx.x == 0) {
        a.u.part[matrix * TTT_UPDATE_RANKS_MAX + rank] = square;
        if (rank == 0 && matrix % 3 == 0 && a.u.tape_mean)
            a.u.tape_mean[matrix / 3] = mean;
    }
}

/* X_0 = M / (|M| + eps): each consumer prepares the numbers of X that will be its own. */
static __device__ void normalise(const update_args &a, int matrix, int rank)
{
    const int lane = threadIdx.x % 32, row0 = threadIdx.x / 32 * 16 + lane / 4, col0 = lane % 4 * 2;
    const int64_t from = (int64_t)matrix * a.side * a.side;
    const float *moment = moment_of(a);
    float square = 0.0f;
    for (int i = 0; i < a.ranks; i++)
        square += __ldcg(a.u.part + matrix * TTT_UPDATE_RANKS_MAX + i);
    const float scale = 1.0f / (sqrtf(square) + STI_NS_EPS);
    if (threadIdx.x == 0 && rank == 0 && a.u.tape_scale)
        a.u.tape_scale[matrix] = scale;
    for (int t = rank; t < task_count(ADVANCE, a) && threadIdx.x < CONSUMERS; t += a.ranks) {
        int row, col;
        task_get(ADVANCE, t, a, &row, &col);
        float4 *wide = own_wide(a, matrix, t) + threadIdx.x;
        for (int first = 0; first < 32; first += 8) {
            float4 batch[8];
            const int64_t at = from + (int64_t)(row * SIDE + row0) * a.side + col * SIDE + col0 +
                               first * 8, below = at + 8 * a.side;
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const float2 x = __ldcg(reinterpret_cast<const float2 *>(moment + at + 8 * i));
                const float2 y = __ldcg(reinterpret_cast<const float2 *>(moment + below + 8 * i));
                batch[i] = make_float4(x.x * scale, x.y * scale, y.x * scale, y.y * scale);
            }
#pragma unroll
            for (int i = 0; i < 8; i++) {
                const float4 x = batch[i];
                wide[(first + i) * CONSUMERS] = x;
                *reinterpret_cast<uint32_t *>(a.u.muon + at + 8 * i) = pack(x.x, x.y);
                *reinterpret_cast<uint32_t *>(a.u.muon + below + 8 * i) = pack(x.z, x.w);
            }
        }
    }
}

/* Rows back to their birth length; one of the consumers' warps to a row. */
static __device__ void renorm(const update_args &a, int matrix, int rank)
{
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float *base = a.prenorm ? a.u.walk : a.u.weight;
    for (int r = rank * (CONSUMERS / 32) + warp; r < a.side; r += a.ranks * (CONSUMERS / 32)) {
        const int64_t row = (int64_t)matrix * a.side + r, from = row * a.side;
        float4 y[BATCH], x[BATCH];              /* SIDE_MAX / 128 = BATCH */
        float square = 0.0f;
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int c = 4 * lane + 128 * i;
            y[i] = x[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (c < a.side) {
                y[i] = *reinterpret_cast<const float4 *>(base + from + c);
                x[i] = __ldcg(reinterpret_cast<const float4 *>(a.u.gradient + from + c));
            }
        }
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            float4 *sum = y + i;
            sum->x += x[i].x, sum->y += x[i].y, sum->z += x[i].z, sum->w += x[i].w;
            square = fmaf(sum->x, sum->x, fmaf(sum->y, sum->y, square));
            square = fmaf(sum->z, sum->z, fmaf(sum->w, sum->w, square));
        }
        const float n = sqrtf(warp_sum(square)), scale = a.u.length[row] / (n + STI_ROW_EPS);
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int c = 4 * lane + 128 * i;
            if (c >= a.side)
                continue;
            const float4 w = make_float4(y[i].x * scale, y[i].y * scale, y[i].z * scale,
                                         y[i].w * scale);
            bf16_pack<4> narrow;
            narrow.x[0] = __float2bfloat16(w.x), narrow.x[1] = __float2bfloat16(w.y);
            narrow.x[2] = __float2bfloat16(w.z), narrow.x[3] = __float2bfloat16(w.w);
            if (a.prenorm)
                *reinterpret_cast<float4 *>(base + from + c) = y[i];
            *reinterpret_cast<float4 *>(a.u.weight + from + c) = w;
            pack_store<4>(a.u.narrow + from + c, narrow);
            if (a.u.tape_weight) {
                *reinterpret_cast<float4 *>(a.u.tape_weight + from + c) = w;
                pack_store<4>(a.u.tape_narrow + from + c, narrow);
            }
        }
        if (lane == 0 && a.u.tape_norm)
            a.u.tape_norm[row] = n;
    }
}

#endif /* STI_HOPPER */

static __global__ void __launch_bounds__(THREADS, 1)
    update(const __grid_constant__ CUtensorMap muon, const __grid_constant__ CUtensorMap boxes,
           const __grid_constant__ update_args a)
{
#ifdef STI_HOPPER
    extern __shared__ unsigned char raw[];
    shared_memory *s = reinterpret_cast<shared_memory *>(
        (reinterpret_cast<uintptr_t>(raw) + 1023) & ~(uintptr_t)1023);
    const int matrix = blockIdx.x / a.ranks, rank = blockIdx.x % a.ranks;
    if (threadIdx.x == 0) {
        for (int i = 0; i < SLOTS; i++) {
            barrier_init(&s->full[i], 1);
            barrier_init(&s->empty[i], CONSUMERS / 32);
        }
        barrier_init(&s->added, 1);
        barrier_init(&s->freed, 1);
        barrier_init_done();
        fence_async();
    }
    add_momentum(a, matrix, rank);
    __syncthreads();
    if (threadIdx.x == 0) {
        arrive(a.u.meeting + matrix);
        wait_for(a.u.meeting + matrix, (uint32_t)a.ranks);
    }
    __syncthreads();
    normalise(a, matrix, rank);
    fence_async();                          /* the copy engine reads X_0 next */
    __syncthreads();
    if (threadIdx.x == 0)
        arrive(a.u.meeting + matrix);

    if (threadIdx.x >= CONSUMERS) {
        registers_give<40>();
        if (threadIdx.x == CONSUMERS)
            feed(s, &muon, &boxes, a, matrix, rank);
        return;
    }
    registers_take<232>();
    consume(s, &muon, a, matrix, rank);
    if (threadIdx.x == 0)
        wait_for(a.u.meeting + matrix, (uint32_t)(a.ranks * (2 + STI_NS_STEPS * PHASES)));
    meet(MEET_CONSUMERS, CONSUMERS);
    renorm(a, matrix, rank);
#endif
}

enum { SHARED_BYTES = sizeof(shared_memory) + 1024 };

bool sti_ttt_hopper_fits(const sti_device *device, const st_ttt_rule *r)
{
    cudaFuncAttributes attributes;
    if (device->capability != 90 || r->hidden != r->width || r->width % (2 * SIDE) != 0 ||
        r->width > SIDE_MAX || 3 * r->heads > device->processor_count ||
        r->muon == ST_TTT_MUON_OFF)
        return false;
    /* Built for another card only, the kernel would be an empty one. */
    return cudaFuncGetAttributes(&attributes, update) == cudaSuccess &&
           attributes.binaryVersion == 90;
}

st_status sti_ttt_hopper_update(st_stream *q, const st_ttt_rule *r, const ttt_update *u)
{
    const int64_t d = r->width, matrices = 3 * r->heads;
    const int64_t planes = (u->taped ? STI_NS_STEPS : 2) * 3 * matrices;
    CUtensorMap muon, boxes;
    ST_TRY(sti_tile_map(&muon, u->muon, d, d, planes, d, d * d, TILE_ROWS));
    ST_TRY(sti_tile_map(&boxes, u->muon, d, d, planes, d, d * d, TILE_ROWS / 2));

    update_args a = {};
    a.u = *u;
    for (int i = 0; i < 3 * STI_NS_STEPS; i++)
        a.ns[i / 3][i % 3] = STI_NS[i / 3][i % 3];
    a.heads = (int)r->heads, a.side = (int)d;
    /* More blocks than tiles would only stand around. */
    const int64_t tiles = (d / SIDE) * (d / SIDE), share = q->device->processor_count / matrices;
    a.ranks = (int)(share < tiles ? share : tiles);
    a.chunk = (float)r->chunk;
    a.prenorm = r->norm == ST_TTT_PRENORM;
    a.momentum = r->momentum == ST_TTT_MOMENTUM;
    a.first = u->first;

    static const cudaError_t raised =
        cudaFuncSetAttribute(update, cudaFuncAttributeMaxDynamicSharedMemorySize, SHARED_BYTES);
    STI_CUDA(raised, "ttt update: shared memory");
    ST_TRY(st_fill_bytes(q, u->meeting, 0, (size_t)matrices * sizeof *u->meeting));
    void *args[] = {&muon, &boxes, &a};
    /* Blocks wait for each other, so all must stand at once: a cooperative launch says so. */
    STI_CUDA(cudaLaunchCooperativeKernel((const void *)update,
                                         dim3((unsigned)(matrices * a.ranks)), dim3(THREADS), args,
                                         SHARED_BYTES, sti_cuda(q)),
             "ttt update");
    return sti_launched("ttt update");
}
