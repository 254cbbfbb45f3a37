/* ttt_hopper_tokens.cuh - the products of a chunk's tokens with the fast weights, up to the sums in
 * registers; ttt_hopper_tokens.cu says what is made of them.
 *
 * A block holds all the products of a tile of 128 tokens in registers, 384 columns together:
 *
 *                    x W0^T     x W2^T    y W1         columns of each
 *   READ                G          U                    128
 *   TEACH, READ_BACK    G          U         D          128
 *   TEACH_BACK        G | R0     U | R2    D | R1        64
 *
 * One thread feeds two rings through the copy engine, 64 of the inner side at a time: x with the
 * weights it meets (48 KiB), y with those it meets (32 KiB). Two warpgroups multiply, 64 tokens
 * each. Such a step is 6.3 MFLOP: alone, a block would ask L2 for 12 TB/s at the card's best. So
 * two blocks with neighbouring tokens and the same columns stand together as a cluster, and each
 * brings half of every weight tile for both; a part of a ring is free when the warps of both have
 * read it.
 *
 * Shared memory is as scarce: products of 64 x 256 and 64 x 128 read 128 KiB a step, the copy
 * engine writes 80, and the processor moves 128 bytes a cycle: 1,660 cycles where the products
 * want 1,540. So G and U are one product.
 *
 * Tokens beyond the last one of a head read as zero.
 */
#ifndef ST_KERNELS_TTT_HOPPER_TOKENS_CUH
#define ST_KERNELS_TTT_HOPPER_TOKENS_CUH

#include "kernels/ttt_hopper_cluster.cuh"

enum {
    X_PARTS = 3, Y_PARTS = 2,
    X_BYTES = 3 * TILE_BYTES,               /* tokens, two tiles of weights               */
    Y_BYTES = 2 * TILE_BYTES,               /* tokens, a tile of weights                  */
    RING_BYTES = X_PARTS * X_BYTES + Y_PARTS * Y_BYTES,
    STAGE_BYTES = 8 * TILE_COLS * 2,        /* 8 of a warp's tokens by 64 columns         */
    OUTPUTS_MAX = 6,
};

typedef struct shared_memory {
    alignas(1024) unsigned char ring[RING_BYTES];
    unsigned char stage[WARPS][STAGE_BYTES];
    float rate[WARPS][3][16];               /* of a warp's tokens                         */
    uint64_t full[X_PARTS + Y_PARTS], empty[X_PARTS + Y_PARTS];
} shared_memory;

/* One kind of step: what it reads and writes, in how many tasks of a cluster. */
typedef struct token_job {
    CUtensorMap x, y;                       /* tokens, in boxes of 128                    */
    bf16       *out[OUTPUTS_MAX];           /* see `point`                                */
    int         pitch[OUTPUTS_MAX];
    int         tasks;
} token_job;

typedef struct token_args {
    token_job    teach, read;
    CUtensorMap  w02, w1, t02, t1;          /* weights and teacher, in boxes of 64 rows   */
    const float *lr[3];
    float       *part;
    int64_t      gate_step;
    int          heads, n, steps, h;        /* steps: d / 64                              */
} token_args;

typedef enum kind { READ, TEACH, READ_BACK, TEACH_BACK } kind;

template <kind K>
static constexpr int output_count = K == READ ? 1 : K == TEACH_BACK ? OUTPUTS_MAX : 3;
template <kind K> static constexpr int tile_columns = K == TEACH_BACK ? 64 : 128;

#ifdef STI_HOPPER

/* --- tiles -------------------------------------------------------------------------------- */

typedef struct tile {
    int head, row, col;                     /* first token of this block, first column */
} tile;

/* Task t of a kind. Columns change first: neighbours read the same tokens at the same time. */
template <kind K>
static __device__ __forceinline__ tile tile_get(const token_args &a, int t, int rank)
{
    const int cols = a.h / tile_columns<K>, rows = (a.n + CLUSTER * SIDE - 1) / (CLUSTER * SIDE);
    const int row = t / cols % rows * CLUSTER + rank;
    return {t / cols / rows, row * SIDE, t % cols * tile_columns<K>};
}

/* The task of a cluster in `round`. The longer tasks come first, and clusters take turns from left
 * to right and from right to left, so that who has one long task more gets the fewer short ones. */
static __device__ __forceinline__ int task_in(int round)
{
    const int clusters = gridDim.x / CLUSTER, cluster = blockIdx.x / CLUSTER;
    return round * clusters + (round % 2 ? clusters - 1 - cluster : cluster);
}

static __device__ __forceinline__ int task_count(const token_args &a)
{
    const int tasks = a.teach.tasks + a.read.tasks, whole = tasks / (int)(gridDim.x / CLUSTER);
    return whole + (task_in(whole) < tasks);
}

/* --- feeding ------------------------------------------------------------------------------ */

/* Columns of W0 and W2 are their rows, so a tile of 128 columns is two boxes, one from each block;
 * with 64 columns the boxes are those of G and U, R0 and R2, D and R1. */
template <kind K>
static __device__ __forceinline__ void feed_x(shared_memory *s, const token_args &a,
                                              const CUtensorMap *tokens, ring *at,
                                              const tile &here, int rank, int inner)
{
    unsigned char *to = s->ring + at->part * X_BYTES;
    uint64_t *full = s->full + at->part;
    const int half = rank * BOX_BYTES;
    barrier_wait(s->empty + at->part, at->parity ^ 1);
    barrier_expect(full, X_BYTES);
    box_load(to, tokens, full, inner, here.row, here.head);
    if (K == TEACH_BACK) {
        const int first = here.col + rank * a.h;
        bring_both(to + TILE_BYTES + half, full, &a.w02, inner, first, here.head);
        bring_both(to + 2 * TILE_BYTES + half, full, &a.t02, inner, first, here.head);
    } else {
        const int first = here.col + rank * 64;
        bring_both(to + TILE_BYTES + half, full, &a.w02, inner, first, here.head);
        bring_both(to + 2 * TILE_BYTES + half, full, &a.w02, inner, first + a.h, here.head);
    }
    step(at, X_PARTS);
}

template <kind K>
static __device__ __forceinline__ void feed_y(shared_memory *s, const token_args &a,
                                              const CUtensorMap *tokens, ring *at,
                                              const tile &here, int rank, int inner)
{
    unsigned char *to = s->ring + X_PARTS * X_BYTES + at->part * Y_BYTES;
    uint64_t *full = s->full + X_PARTS + at->part;
    barrier_wait(s->empty + X_PARTS + at->part, at->parity ^ 1);
    barrier_expect(full, Y_BYTES);
    box_load(to, tokens, full, inner, here.row, here.head);
    to += TILE_BYTES + rank * BOX_BYTES;
    if (K == TEACH_BACK)
        bring_both(to, full, rank ? &a.t1 : &a.w1, here.col, inner, here.head);
    else
        bring_both(to, full, &a.w1, here.col + rank * 64, inner, here.head);
    step(at, Y_PARTS);
}

template <kind K>
static __device__ __forceinline__ void feed_tile(shared_memory *s, const token_args &a,
                                                 const token_job &job, ring *x, ring *y, int task,
                                                 int rank)
{
    const tile here = tile_get<K>(a, task, rank);
    for (int i = 0; i < a.steps; i++) {
        feed_x<K>(s, a, &job.x, x, here, rank, i * TILE_COLS);
        if (K != READ)
            feed_y<K>(s, a, &job.y, y, here, rank, i * TILE_COLS);
    }
}

template <kind T, kind R>
static __device__ void feed(shared_memory *s, const token_args &a, int rank)
{
    ring x = {0, 0}, y = {0, 0};
    const int count = task_count(a);
    for (int round = 0; round < count; round++) {
        const int task = task_in(round);
        if (task < a.teach.tasks)
            feed_tile<T>(s, a, a.teach, &x, &y, task, rank);
        else
            feed_tile<R>(s, a, a.read, &x, &y, task - a.teach.tasks, rank);
    }
}

/* --- multiplying -------------------------------------------------------------------------- */

/* The accumulators of a thread: 64 tokens of a warpgroup by 256 columns from x, 128 from y. */
typedef struct sums {
    float x[128], y[64];
} sums;

/* The products of x and those of y are groups of their own, so that parts are free again as early
 * as can be; one group runs while the next one is set up. All kinds share this loop: with one of
 * its own for each, the compiler finds no registers for the sums. */
static __device__ __forceinline__ void multiply(sums *d, shared_memory *s, ring *x, ring *y,
                                                int group, int steps, bool with_y)
{
    constexpr int x_step = X_BYTES >> 4, y_step = Y_BYTES >> 4, tile = TILE_BYTES >> 4;
    const uint64_t x0 = operand(s->ring + group * BOX_BYTES, false);
    const uint64_t w02 = operand(s->ring + TILE_BYTES, false);
    const uint64_t y0 = operand(s->ring + X_PARTS * X_BYTES + group * BOX_BYTES, false);
    const uint64_t w1 = operand(s->ring + X_PARTS * X_BYTES, true) + tile;
    uint64_t *read = NULL;                      /* by the group that still runs */
    for (int i = 0; i < steps; i++) {
        barrier_wait(s->full + x->part, x->parity);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++)
            product_ss<0, 0>(d->x, x0 + x->part * x_step + j * operand_step(false),
                               w02 + x->part * x_step + j * operand_step(false), 1);
        products_commit();
        products_wait<1>();
        if (i > 0)
            give_back(read);
        read = s->empty + x->part;
        step(x, X_PARTS);
        if (!with_y)
            continue;
        barrier_wait(s->full + X_PARTS + y->part, y->parity);
        products_begin();
#pragma unroll
        for (int j = 0; j < TILE_COLS / 16; j++)
            product_ss<0, 1>(d->y, y0 + y->part * y_step + j * operand_step(false),
                               w1 + y->part * y_step + j * operand_step(true), 1);
        products_commit();
        products_wait<1>();
        give_back(read);
        read = s->empty + X_PARTS + y->part;
        step(y, Y_PARTS);
    }
    products_wait<0>();
    products_hold(d->x);
    products_hold(d->y);
    give_back(read);
}

#endif /* STI_HOPPER */

#endif
