/* ttt_hopper_square.cuh - chains of products of square matrices by blocks that stay on the card:
 * what the update of the fast weights and its backward pass are made of.
 *
 * Each matrix of 256 or 512 a side has its own blocks, its `ranks`, which meet at a counter in L2
 * between steps; matrices never wait for each other. A step is one of two kinds:
 *
 *     symmetric   Y = b C + c (P Q^T + Q P^T), or with one product when P = Q: tiles of 128 x 128
 *                 of the upper triangle, one to a rank, written twice
 *     wide        Y = a C + P Q (+ P' Q'): tiles of 128 x 256, one to each of the first ranks
 *
 * Everything a step hands to the next stays in L2, in bf16. A wide step's Y runs through the whole
 * chain, and rounding it would put noise into directions in which it has nothing and which later
 * steps amplify: a rank always has the same tile of it and keeps what bf16 leaves over, again in
 * bf16, in shared memory. High and low together are good to 2^-17.
 *
 * In a block one thread feeds a ring of 16 KiB slots through the copy engine, and two warpgroups
 * multiply, 64 rows of a tile each. Products of this size are bound by what L2 delivers.
 */
#ifndef ST_KERNELS_TTT_HOPPER_SQUARE_CUH
#define ST_KERNELS_TTT_HOPPER_SQUARE_CUH

#include "kernels/ttt_hopper.cuh"

enum {
    SLOTS = 6,
    SIDE = 128,                             /* of a tile */
    SIDE_MAX = 512,                         /* of a matrix */
    CONSUMERS = 256,
    THREADS = CONSUMERS + 128,              /* the last warpgroup feeds */
    MEET_CONSUMERS = 1,                     /* hardware barrier of the two warpgroups */
    FOURS = 32,                             /* a thread's numbers of a wide tile, in fours */
    LOW_STEP = CONSUMERS * 8,               /* bytes from one four of low parts to the next */
};

typedef struct square_memory {
    alignas(1024) unsigned char slot[SLOTS][TILE_BYTES];
    unsigned char out[4][TILE_BYTES];       /* 128 rows of 64 columns each: a tile and its mirror
                                               image, or a wide tile; before that, the addend */
    uint2    low[FOURS][CONSUMERS];         /* what bf16 leaves over of this block's wide tile;
                                               a thread's fours lie CONSUMERS apart */
    uint64_t full[SLOTS], empty[SLOTS];
    uint64_t added, freed;                  /* `out` holds the addend; is free again */
} square_memory;

enum { SQUARE_SHARED_BYTES = sizeof(square_memory) + 1024 };

/* Blocks of one matrix: a tile of a symmetric step each. */
static inline int square_ranks(int64_t side)
{
    const int64_t blocks = side / SIDE;
    return (int)(blocks * (blocks + 1) / 2);
}

/* Launch `kernel` for all `matrices`, as many at a time as the card holds; *first_matrix, which is
 * one of its arguments, tells each launch where it begins. */
static inline st_status square_launch(st_stream *q, const void *kernel, const char *name,
                                      int64_t side, int64_t matrices, void **args,
                                      int *first_matrix)
{
    const int64_t ranks = square_ranks(side), most = q->device->processor_count / ranks;
    const int64_t launches = (matrices + most - 1) / most;
    const int64_t share = (matrices + launches - 1) / launches;
    STI_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  SQUARE_SHARED_BYTES),
             "%s: shared memory", name);
    for (int64_t first = 0; first < matrices; first += share) {
        const int64_t count = first + share < matrices ? share : matrices - first;
        *first_matrix = (int)first;
        /* Blocks wait for each other, so all must stand at once: a cooperative launch says so. */
        STI_CUDA(cudaLaunchCooperativeKernel(kernel, dim3((unsigned)(count * ranks)),
                                             dim3(THREADS), args, SQUARE_SHARED_BYTES,
                                             sti_cuda(q)),
                 "%s", name);
    }
    return sti_launched(name);
}

#ifdef STI_HOPPER

/* --- meeting ------------------------------------------------------------------------------ */

static __device__ __forceinline__ void wait_for(const uint32_t *meeting, int goal)
{
    uint32_t seen;
    do
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(meeting) : "memory");
    while (seen < (uint32_t)goal);
    fence_async();
}

/* By one thread, after the block's own writes were ordered before it; releases them all. */
static __device__ __forceinline__ void arrive(uint32_t *meeting)
{
    fence_async();
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(meeting) : "memory");
}

/* Where a block stands. */
typedef struct seat {
    uint32_t *meeting;
    int       matrix, rank, side;
    int       squares, wides;       /* ranks with a tile of a symmetric, of a wide step */
    int       row, col;             /* the tile of a symmetric step, in units of SIDE */
    int       wide_row, wide_col;   /* and of a wide one */
} seat;

static __device__ __forceinline__ seat seat_get(uint32_t *meeting, int first_matrix, int side)
{
    seat at;
    const int blocks = side / SIDE;
    at.squares = blocks * (blocks + 1) / 2, at.wides = blocks * blocks / 2;
    at.matrix = first_matrix + (int)blockIdx.x / at.squares, at.rank = blockIdx.x % at.squares;
    at.meeting = meeting + at.matrix, at.side = side;
    int row = 0, left = at.rank;
    for (; left >= blocks - row; row++)
        left -= blocks - row;
    at.row = row, at.col = row + left;
    at.wide_row = at.rank % blocks, at.wide_col = at.rank / blocks * 2;
    return at;
}

/* How many arrivals come before step `step` of the chain's turn k (two symmetric steps and a wide
 * one to a turn), after `before` meetings of those that have wide tiles. */
static __device__ __forceinline__ int goal_of(const seat &at, int before, int k, int step)
{
    return before * at.wides + k * (2 * at.squares + at.wides) + step * at.squares;
}

/* --- feeding ------------------------------------------------------------------------------ */

/* One matrix among the planes of a map with boxes of 64 x 64. */
typedef struct square {
    const CUtensorMap *map;
    int                plane;
} square;

typedef struct ring {
    int      slot;
    uint32_t parity;
} ring;

static __device__ __forceinline__ void step(ring *at)
{
    if (++at->slot == SLOTS)
        at->slot = 0, at->parity ^= 1;
}

/* The feeding thread. */
typedef struct feeder {
    square_memory *s;
    ring           at;
    uint32_t       tasks;           /* begun so far */
} feeder;

/* The next slot is free and expects a tile. */
static __device__ __forceinline__ int claim(feeder *f)
{
    const int slot = f->at.slot;
    barrier_wait(&f->s->empty[slot], f->at.parity ^ 1);
    barrier_expect(&f->s->full[slot], TILE_BYTES);
    step(&f->at);
    return slot;
}

/* 128 rows of 64 columns. */
static __device__ __forceinline__ void bring_tile(void *to, uint64_t *bar, square x, int row,
                                                  int column)
{
    for (int b = 0; b < 2; b++)
        copy_in((unsigned char *)to + b * BOX_BYTES, x.map, bar, column,
                row * SIDE + b * TILE_COLS, x.plane);
}

static __device__ __forceinline__ void bring_rows(feeder *f, square x, int row, int i)
{
    const int slot = claim(f);
    bring_tile(f->s->slot[slot], &f->s->full[slot], x, row, i * TILE_COLS);
}

/* 64 rows of 128 columns, to be read across. */
static __device__ __forceinline__ void bring_columns(feeder *f, square x, int col, int i)
{
    const int slot = claim(f);
    for (int b = 0; b < 2; b++)
        copy_in(f->s->slot[slot] + b * BOX_BYTES, x.map, &f->s->full[slot],
                col * SIDE + b * TILE_COLS, i * TILE_COLS, x.plane);
}

/* A task begins: `out` is free, and its addend, if it has one, comes there. */
static __device__ __forceinline__ void feed_begin(feeder *f, const square *addend, int row,
                                                  int col, int tiles)
{
    barrier_wait(&f->s->freed, (f->tasks++ & 1) ^ 1);
    if (!addend)
        return;
    barrier_expect(&f->s->added, (uint32_t)tiles * TILE_BYTES);
    for (int i = 0; i < tiles; i++)
        bring_tile(f->s->out[i], &f->s->added, *addend, row, col * SIDE + i * TILE_COLS);
}

/* P Q^T + Q P^T, or P P^T when P = Q. A diagonal tile needs each row of tiles once. */
static __device__ __forceinline__ void feed_symmetric(feeder *f, const seat &at, square p,
                                                      square q, bool paired, const square *addend)
{
    feed_begin(f, addend, at.row, at.col, 2);
    for (int i = 0; i < at.side / TILE_COLS; i++) {
        bring_rows(f, p, at.row, i);
        if (at.row != at.col || paired)
            bring_rows(f, q, at.col, i);
        if (at.row != at.col && paired) {
            bring_rows(f, q, at.row, i);
            bring_rows(f, p, at.col, i);
        }
    }
}

/* P Q; a wide step may have two of them. */
static __device__ __forceinline__ void feed_wide(feeder *f, const seat &at, square p, square q)
{
    for (int i = 0; i < at.side / TILE_COLS; i++) {
        bring_rows(f, p, at.wide_row, i);
        bring_columns(f, q, at.wide_col, i);
        bring_columns(f, q, at.wide_col + 1, i);
    }
}

/* --- multiplying -------------------------------------------------------------------------- */

/* Where a thread's numbers of a staged tile stand. It holds, for j = 0 .. 15, columns 8j + c, +1 of
 * rows r and r + 8, with c = 2 (lane % 4) and r % 8 = lane / 4. The swizzle exchanges 16-byte units
 * by r % 8 in the tile, and by c % 8 (or one more) in its mirror image, so all addresses are these
 * few and constants. */
typedef struct staging {
    uint32_t row;               /* row r, unit 0, own bytes                                 */
    uint32_t turn;              /* 16 (r % 8): unit j stands at 16 j ^ turn                 */
    uint32_t mirror[2][2];      /* [column, or the next][row r, or r + 8], of columns 0 - 7 */
} staging;

/* One of the threads that multiply. */
typedef struct consumer {
    square_memory *s;
    ring           at;
    staging        to;
    uint32_t       low;             /* address of its fours of square_memory.low */
    uint32_t       added;           /* addends met so far                      */
    int            group;           /* warpgroup: rows 64 group .. of the tile */
    int            row, col;        /* r and c of `staging`                    */
} consumer;

static __device__ __forceinline__ consumer consumer_get(square_memory *s)
{
    consumer me = {};
    const int lane = threadIdx.x % 32, c = lane % 4 * 2;
    const int r = (int)threadIdx.x / 32 * 16 + lane / 4;
    me.s = s, me.group = (int)threadIdx.x / 128, me.row = r, me.col = c;
    me.low = shared_address(&s->low[0][threadIdx.x]);
    me.to.row = shared_address(s->out[0]) + r * 128 + c * 2;
    me.to.turn = r % 8 * 16;
    for (int next = 0; next < 2; next++)
        for (int below = 0; below < 2; below++)
            me.to.mirror[next][below] = shared_address(s->out[2 + r / 64]) + (c + next) * 128 +
                                        ((r % 64 / 8 + below) ^ (c + next)) * 16 + r % 8 * 2;
    return me;
}

/* Columns 8j + c of row r (+ 8 below). */
static __device__ __forceinline__ uint32_t staged(const staging &to, int j, int below)
{
    return to.row + j / 8 * TILE_BYTES + below * 1024 + ((uint32_t)(j % 8 * 16) ^ to.turn);
}

/* The next slot is full: its number. */
static __device__ __forceinline__ int receive(consumer *me)
{
    const int slot = me->at.slot;
    barrier_wait(&me->s->full[slot], me->at.parity);
    step(&me->at);
    return slot;
}

/* This warp is done with `count` slots from `from` on. */
static __device__ __forceinline__ void release(consumer *me, ring *from, int count)
{
    for (int n = 0; n < count; n++, step(from))
        if (threadIdx.x % 32 == 0)
            barrier_arrive(&me->s->empty[from->slot]);
}

static __device__ __forceinline__ void clear(float (&d)[64])
{
#pragma unroll
    for (int i = 0; i < 64; i++)
        d[i] = 0.0f;
}

/* d (128,128) of this block = sum over steps of left right^T; BOTH: plus right left^T, of a
 * diagonal tile of a pair. One slot a step when left and right are the same. */
template <bool BOTH>
static __device__ __forceinline__ void multiply_square(float (&d)[64], consumer *me, int steps,
                                                       int slots)
{
    ring before = me->at;
    clear(d);
    for (int i = 0; i < steps; i++) {
        const int left = receive(me), right = slots == 2 ? receive(me) : left;
        const unsigned char *l = me->s->slot[left], *r = me->s->slot[right];
        const uint64_t a = operand(l + me->group * BOX_BYTES, false), b = operand(r, false);
        const uint64_t a2 = operand(r + me->group * BOX_BYTES, false), b2 = operand(l, false);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++) {
            const uint64_t on = j * operand_step(false);
            wgmma_64x128<0, 0>(d, a + on, b + on, 1);
            if (BOTH)
                wgmma_64x128<0, 0>(d, a2 + on, b2 + on, 1);
        }
        products_commit();
        products_wait<1>();                     /* the products of the step before are done */
        if (i > 0)
            release(me, &before, slots);
    }
    products_wait<0>();
    products_hold(d);
    release(me, &before, slots);
}

/* d (128,256) = sum over steps of left times what two slots hold across. */
static __device__ __forceinline__ void multiply_wide(float (&d)[2][64], consumer *me, int steps)
{
    ring before = me->at;
    clear(d[0]);
    clear(d[1]);
    for (int i = 0; i < steps; i++) {
        const int left = receive(me), right0 = receive(me), right1 = receive(me);
        const uint64_t a = operand(me->s->slot[left] + me->group * BOX_BYTES, false);
        const uint64_t b0 = operand(me->s->slot[right0], true);
        const uint64_t b1 = operand(me->s->slot[right1], true);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++) {
            const uint64_t on = j * operand_step(false), down = j * operand_step(true);
            wgmma_64x128<0, 1>(d[0], a + on, b0 + down, 1);
            wgmma_64x128<0, 1>(d[1], a + on, b1 + down, 1);
        }
        products_commit();
        products_wait<1>();
        if (i > 0)
            release(me, &before, 3);
    }
    products_wait<0>();
    products_hold(d[0]);
    products_hold(d[1]);
    release(me, &before, 3);
}

/* --- what becomes of the sums ------------------------------------------------------------- */

static __device__ __forceinline__ void wait_added(consumer *me)
{
    barrier_wait(&me->s->added, me->added++ & 1);
}

/* A symmetric tile into out[0..1], mirrored into out[2..3]; the addend stands where it goes. */
template <bool ADDED>
static __device__ __forceinline__ void stage_square(const float (&d)[64], const staging &to,
                                                    float scale_addend, float scale, bool diagonal)
{
#pragma unroll
    for (int i = 0; i < 32; i++) {
        const int j = i / 2, below = i % 2;
        float x = d[4 * j + 2 * below], y = d[4 * j + 2 * below + 1];
        const uint32_t here = staged(to, j, below);
        if (ADDED) {
            const uint32_t before = shared_load(here);
            x = fmaf(scale, x, scale_addend * low_of(before));
            y = fmaf(scale, y, scale_addend * high_of(before));
        }
        const uint32_t both = pack(x, y);
        shared_store(here, both);
        if (!diagonal) {
            shared_store_low(to.mirror[0][below] + j * 1024, both);
            shared_store_high(to.mirror[1][below] + j * 1024, both);
        }
    }
}

/* d += scale times this block's wide tile: the high part stands in `out`, the low one is kept. */
static __device__ __forceinline__ void add_wide(float (&d)[2][64], const consumer *me, float scale)
{
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
        float *x = d[j / 16] + j % 16 * 4;
        const uint32_t high[2] = {shared_load(staged(me->to, j, 0)),
                                  shared_load(staged(me->to, j, 1))};
        const uint2 low = shared_load2(me->low + j * LOW_STEP);
        x[0] = fmaf(scale, low_of(high[0]) + low_of(low.x), x[0]);
        x[1] = fmaf(scale, high_of(high[0]) + high_of(low.x), x[1]);
        x[2] = fmaf(scale, low_of(high[1]) + low_of(low.y), x[2]);
        x[3] = fmaf(scale, high_of(high[1]) + high_of(low.y), x[3]);
    }
}

/* Two numbers as high and low parts. */
static __device__ __forceinline__ uint32_t split(float x, float y, uint32_t *low)
{
    const uint32_t high = pack(x, y);
    *low = pack(x - low_of(high), y - high_of(high));
    return high;
}

/* scale times d becomes this block's wide tile: the high part goes to `out`. */
static __device__ __forceinline__ void stage_wide(const float (&d)[2][64], const consumer *me,
                                                  float scale)
{
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
        const float *x = d[j / 16] + j % 16 * 4;
        uint2 low;
        shared_store(staged(me->to, j, 0), split(scale * x[0], scale * x[1], &low.x));
        shared_store(staged(me->to, j, 1), split(scale * x[2], scale * x[3], &low.y));
        shared_store2(me->low + j * LOW_STEP, low);
    }
}

static __device__ __forceinline__ void send_tile(square to, const void *from, int row, int column)
{
    for (int b = 0; b < 2; b++)
        copy_out(to.map, (const unsigned char *)from + b * BOX_BYTES, column,
                 row * SIDE + b * TILE_COLS, to.plane);
}

/* The end of a task: what was staged goes to L2 as tile (row,col) of `to`, `tiles` of 64 columns,
 * and its mirror image; then the block reports. The staging is free again. */
static __device__ __forceinline__ void send(consumer *me, const seat &at, square to, int row,
                                            int col, int tiles, bool mirrored)
{
    fence_async();
    meet(MEET_CONSUMERS, CONSUMERS);
    if (threadIdx.x == 0) {
        for (int i = 0; i < tiles; i++)
            send_tile(to, me->s->out[i], row, col * SIDE + i * TILE_COLS);
        for (int i = 0; i < 2 && mirrored; i++)
            send_tile(to, me->s->out[2 + i], col, row * SIDE + i * TILE_COLS);
        copy_out_wait();
        arrive(at.meeting);
        barrier_arrive(&me->s->freed);
    }
    meet(MEET_CONSUMERS, CONSUMERS);
}

/* This block's tile of a symmetric step. */
template <bool PAIRED, bool ADDED>
static __device__ __forceinline__ void run_symmetric(consumer *me, const seat &at, square to,
                                                     float scale_addend, float scale)
{
    const bool diagonal = at.row == at.col;
    const int  steps = at.side / TILE_COLS;
    float d[64];
    if (PAIRED && diagonal)
        multiply_square<true>(d, me, steps, 2);
    else
        multiply_square<false>(d, me, PAIRED ? 2 * steps : steps, diagonal ? 1 : 2);
    if (ADDED)
        wait_added(me);
    stage_square<ADDED>(d, me->to, scale_addend, scale, diagonal);
    send(me, at, to, at.row, at.col, 2, !diagonal);
}

/* Numbers j of a thread's wide tile in a dense f32 matrix: columns 8j .. +1 of row r; 8 rows below
 * are 8 `side` further. */
static __device__ __forceinline__ int64_t wide_place(const seat &at, const consumer *me)
{
    return ((int64_t)at.matrix * at.side + at.wide_row * SIDE + me->row) * at.side +
           at.wide_col * SIDE + me->col;
}

/* --- the block ---------------------------------------------------------------------------- */

static __device__ __forceinline__ square_memory *square_begin(unsigned char *raw)
{
    square_memory *s = reinterpret_cast<square_memory *>(
        (reinterpret_cast<uintptr_t>(raw) + 1023) & ~(uintptr_t)1023);
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
    __syncthreads();
    return s;
}

/* Sum over the threads that multiply, the same in each; always in one order. */
static __device__ __forceinline__ float consumers_sum(float x)
{
    __shared__ float part[CONSUMERS / 32];
    x = warp_sum(x);
    meet(MEET_CONSUMERS, CONSUMERS);            /* part may still be read from the sum before */
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = x;
    meet(MEET_CONSUMERS, CONSUMERS);
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < CONSUMERS / 32; i++)
        sum += part[i];
    return sum;
}

#endif /* STI_HOPPER */

#endif
