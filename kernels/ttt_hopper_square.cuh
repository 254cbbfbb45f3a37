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
 * multiply, 64 rows of a tile each. Four more slots behind a tile's operands bring what is added to
 * it, 64 columns each, and take away what was made: a tile and its mirror image, or a wide tile.
 *
 * At 512 a side a symmetric product takes 2.2 us, and what lies between two steps longer: staging,
 * the way to L2, the meeting and the way back. So all of that is as short as it can be made.
 */
#ifndef ST_KERNELS_TTT_HOPPER_SQUARE_CUH
#define ST_KERNELS_TTT_HOPPER_SQUARE_CUH

#include "kernels/ttt_hopper.cuh"

enum {
    SLOTS = 10,
    SIDE = 128,                             /* of a tile */
    SIDE_MAX = 512,                         /* of a matrix */
    CONSUMERS = 256,
    THREADS = CONSUMERS + 128,              /* the last warpgroup feeds */
    MEET_CONSUMERS = 1,                     /* hardware barriers: of the two warpgroups */
    MEET_GROUP = 2,                         /* and of each, this and the next           */
    STAGED = 4,                             /* slots through which a tile leaves */
    GROUPS = CONSUMERS / 128,
    EIGHTS = 16,                            /* a thread's numbers of a wide tile, in eights */
    LOW_STEP = CONSUMERS * 16,              /* bytes from one eight of low parts to the next */
};

typedef struct square_memory {
    alignas(1024) unsigned char slot[SLOTS][TILE_BYTES];
    uint4    low[EIGHTS][CONSUMERS];        /* what bf16 leaves over of this block's wide tile */
    uint64_t full[SLOTS], empty[SLOTS];
} square_memory;

enum {
    SQUARE_SHARED_BYTES = sizeof(square_memory) + 1024,
    SQUARE_STATIC_BYTES = 1024,     /* at most, of the sums beside it */
    /* Of 65,536 registers 384 threads get 168 each; those that feed give most of theirs away. */
    FEED_REGISTERS = 40,
    MULTIPLY_REGISTERS = 232,
};
static_assert(SQUARE_SHARED_BYTES + SQUARE_STATIC_BYTES <= 232448, "a Hopper block's memory");
static_assert(128 * FEED_REGISTERS + CONSUMERS * MULTIPLY_REGISTERS <= 168 * THREADS,
              "setmaxnreg would wait forever");
static_assert((int)SIDE == (int)TILE_ROWS, "a tile's rows are one slot's");
static_assert((SIDE_MAX / SIDE) * (SIDE_MAX / SIDE) / 2 <= (int)TTT_PARTS,
              "each rank with a wide tile has a part");

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

/* Until so many have arrived, whose writes this thread sees then. Copies in need a
 * fence_async_global behind it. */
static __device__ __forceinline__ void wait_for(const uint32_t *meeting, int goal)
{
    uint32_t seen;
    do
        asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(meeting) : "memory");
    while (seen < (uint32_t)goal);
}

/* By one thread, after the writes it stands for were ordered before it; releases them all. */
static __device__ __forceinline__ void arrive(uint32_t *meeting)
{
    asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(meeting) : "memory");
}

/* Where a block stands. */
typedef struct seat {
    uint32_t *meeting;
    int       matrices, matrix;     /* of the layer; its own */
    int       rank, side;
    int       squares, wides;       /* ranks with a tile of a symmetric, of a wide step */
    int       row, col;             /* the tile of a symmetric step, in units of SIDE */
    int       wide_row, wide_col;   /* and of a wide one */
} seat;

static __device__ __forceinline__ seat seat_get(uint32_t *meeting, int matrices, int first_matrix,
                                                int side)
{
    seat at;
    at.matrices = matrices;
    const int blocks = side / SIDE;
    at.squares = blocks * (blocks + 1) / 2, at.wides = blocks * blocks / 2;
    at.matrix = first_matrix + (int)blockIdx.x / at.squares, at.rank = blockIdx.x % at.squares;
    at.meeting = meeting + at.matrix * TTT_MEETING_STEP, at.side = side;
    int row = 0, left = at.rank;
    for (; left >= blocks - row; row++)
        left -= blocks - row;
    at.row = row, at.col = row + left;
    at.wide_row = at.rank % blocks, at.wide_col = at.rank / blocks * 2;
    return at;
}

/* How many arrivals come before step `which` of the chain's turn k (two symmetric steps and a wide
 * one to a turn), after `before` others. A tile is as many arrivals as there are warpgroups. */
static __device__ __forceinline__ int goal_of(const seat &at, int before, int k, int which)
{
    return before + GROUPS * (k * (2 * at.squares + at.wides) + which * at.squares);
}

/* --- feeding ------------------------------------------------------------------------------ */

/* One matrix among the planes of a map with boxes of 64 x 64. */
typedef struct square {
    const CUtensorMap *map;
    int                plane;
} square;

/* The block's own matrix in layer `layer` of a map's planes. */
static __device__ __forceinline__ square square_at(const CUtensorMap *map, const seat &at,
                                                   int layer)
{
    const square x = {map, layer * at.matrices + at.matrix};
    return x;
}

typedef struct ring {
    int      slot;
    uint32_t parity;
} ring;

static __device__ __forceinline__ void next_slot(ring *at)
{
    if (++at->slot == SLOTS)
        at->slot = 0, at->parity ^= 1;
}

/* The feeding thread. */
typedef struct feeder {
    square_memory *s;
    ring           at;
} feeder;

/* The next slot is free: its number. */
static __device__ __forceinline__ int claim(feeder *f)
{
    const int slot = f->at.slot;
    barrier_wait(&f->s->empty[slot], f->at.parity ^ 1);
    next_slot(&f->at);
    return slot;
}

/* 128 rows of 64 columns. */
static __device__ __forceinline__ void bring_rows(feeder *f, square x, int row, int column)
{
    const int slot = claim(f);
    barrier_expect(&f->s->full[slot], TILE_BYTES);
    for (int b = 0; b < 2; b++)
        box_load(f->s->slot[slot] + b * BOX_BYTES, x.map, &f->s->full[slot], column,
                row * SIDE + b * TILE_COLS, x.plane);
}

/* 64 rows of 128 columns, to be read across. */
static __device__ __forceinline__ void bring_columns(feeder *f, square x, int col, int row)
{
    const int slot = claim(f);
    barrier_expect(&f->s->full[slot], TILE_BYTES);
    for (int b = 0; b < 2; b++)
        box_load(f->s->slot[slot] + b * BOX_BYTES, x.map, &f->s->full[slot],
                col * SIDE + b * TILE_COLS, row, x.plane);
}

/* What will be fed soon is asked into L2: 128 rows, or the wide tile's rows of an f32 matrix. While
 * blocks meet, memory has nothing else to do. */
static __device__ __forceinline__ void foresee_rows(const seat &at, square x, int row)
{
#pragma unroll 1
    for (int i = 0; i < at.side; i += TILE_COLS)
        for (int b = 0; b < 2; b++)
            box_prefetch(x.map, i, row * SIDE + b * TILE_COLS, x.plane);
}

static __device__ __forceinline__ void foresee_wide(const seat &at, const float *x)
{
    const int64_t row = (int64_t)at.matrix * at.side + at.wide_row * SIDE;
#pragma unroll 1
    for (int r = 0; r < SIDE; r++)
        prefetch(x + (row + r) * at.side + at.wide_col * SIDE, 2 * SIDE * sizeof *x);
}

/* The slots through which a tile leaves; `addend` comes in the first ones. */
static __device__ __forceinline__ void feed_end(feeder *f, const square *addend, int tiles,
                                                int row, int col)
{
    for (int i = 0; i < STAGED; i++) {
        if (addend && i < tiles)
            bring_rows(f, *addend, row, col * SIDE + i * TILE_COLS);
        else
            barrier_arrive(&f->s->full[claim(f)]);
    }
}

/* P Q^T + Q P^T, or P P^T when P = Q. A diagonal tile needs each row of tiles once. */
static __device__ __forceinline__ void feed_symmetric(feeder *f, const seat &at, square p,
                                                      square q, const square *addend)
{
    const bool paired = p.map != q.map || p.plane != q.plane;
    for (int i = 0; i < at.side; i += TILE_COLS) {
        bring_rows(f, p, at.row, i);
        if (at.row != at.col || paired)
            bring_rows(f, q, at.col, i);
        if (at.row != at.col && paired) {
            bring_rows(f, q, at.row, i);
            bring_rows(f, p, at.col, i);
        }
    }
    feed_end(f, addend, 2, at.row, at.col);
}

/* P Q; a wide step may have two of them. */
static __device__ __forceinline__ void feed_wide(feeder *f, const seat &at, square p, square q)
{
    for (int i = 0; i < at.side; i += TILE_COLS) {
        bring_rows(f, p, at.wide_row, i);
        bring_columns(f, q, at.wide_col, i);
        bring_columns(f, q, at.wide_col + 1, i);
    }
}

/* --- multiplying -------------------------------------------------------------------------- */

/* Of a tile of 128 columns a thread holds, for j = 0 .. 15, columns 8j + c, +1 of rows r and r + 8,
 * with c = 2 (lane % 4) and r % 8 = lane / 4. It moves them eight at a time, as four matrices:
 * columns 8j .. and 8j + 8 .., rows r and r + 8, j even. The swizzle exchanges 16-byte units by
 * row % 8, so all addresses are these two and constants. */
typedef struct staging {
    int      slot[STAGED];
    uint32_t row, turn;         /* in a slot: the row a lane names; unit j stands at 16 j ^ turn */
    uint32_t mirror;            /* the row it names of the mirror image, 1024 bytes to j         */
} staging;

/* One of the threads that multiply. */
typedef struct consumer {
    square_memory *s;
    ring           at;
    staging        to;
    uint32_t       slots;           /* address of slot 0                          */
    uint32_t       low;             /* address of its eights of square_memory.low */
    int            group;           /* warpgroup: rows 64 group .. of the tile    */
} consumer;

static __device__ __forceinline__ consumer consumer_get(square_memory *s)
{
    consumer me = {};
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, r = lane % 8, m = lane / 8;
    me.s = s, me.group = (int)threadIdx.x / 128;
    me.slots = shared_address(s->slot[0]);
    me.low = shared_address(&s->low[0][threadIdx.x]);
    me.to.row = (uint32_t)(warp * 16 + m % 2 * 8 + r) * 128;
    me.to.turn = (uint32_t)((m / 2) ^ r) * 16;
    me.to.mirror = (uint32_t)(m / 2 * 1024 + r * 128 + ((warp % 4 * 2 + m % 2) ^ r) * 16);
    return me;
}

/* Columns 8j .. 8j + 15, j even. */
static __device__ __forceinline__ uint32_t staged(const consumer *me, int j)
{
    return me->slots + me->to.slot[j / 8] * TILE_BYTES + me->to.row +
           ((uint32_t)(j % 8 * 16) ^ me->to.turn);
}

/* The next slot is full: its number. */
static __device__ __forceinline__ int receive(consumer *me)
{
    const int slot = me->at.slot;
    barrier_wait(&me->s->full[slot], me->at.parity);
    next_slot(&me->at);
    return slot;
}

/* This warp is done with `count` slots from `from` on. */
static __device__ __forceinline__ void release(consumer *me, ring *from, int count)
{
    for (int n = 0; n < count; n++, next_slot(from))
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
#pragma unroll 1
    for (int i = 0; i < steps; i++) {
        const int left = receive(me), right = slots == 2 ? receive(me) : left;
        const unsigned char *l = me->s->slot[left], *r = me->s->slot[right];
        const uint64_t a = operand(l + me->group * BOX_BYTES, false), b = operand(r, false);
        const uint64_t a2 = operand(r + me->group * BOX_BYTES, false), b2 = operand(l, false);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++) {
            const uint64_t on = j * operand_step(false);
            product_ss<0, 0>(d, a + on, b + on, 1);
            if (BOTH)
                product_ss<0, 0>(d, a2 + on, b2 + on, 1);
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
#pragma unroll 1
    for (int i = 0; i < steps; i++) {
        const int left = receive(me), right0 = receive(me), right1 = receive(me);
        const uint64_t a = operand(me->s->slot[left] + me->group * BOX_BYTES, false);
        const uint64_t b0 = operand(me->s->slot[right0], true);
        const uint64_t b1 = operand(me->s->slot[right1], true);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++) {
            const uint64_t on = j * operand_step(false), down = j * operand_step(true);
            product_ss<0, 1>(d[0], a + on, b0 + down, 1);
            product_ss<0, 1>(d[1], a + on, b1 + down, 1);
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
        barrier_init_done();
    }
    __syncthreads();
    return s;
}

#endif /* STI_HOPPER */

#endif
