/* ttt_hopper_tile.cuh - what becomes of a product's tile: it gets its addend and leaves for L2 with
 * its mirror image or without, or is turned into rows of a dense matrix, and back.
 *
 * A tile leaves 64 columns at a time, half of its rows by each warpgroup, while the next ones are
 * staged.
 */
#ifndef ST_KERNELS_TTT_HOPPER_TILE_CUH
#define ST_KERNELS_TTT_HOPPER_TILE_CUH

#include "kernels/ttt_hopper_square.cuh"

#ifdef STI_HOPPER

/* --- leaving ------------------------------------------------------------------------------ */

/* The slots through which the tile leaves are here. */
static __device__ __forceinline__ ring stage_begin(consumer *me)
{
    const ring from = me->at;
#pragma unroll
    for (int i = 0; i < STAGED; i++)
        me->to.slot[i] = receive(me);
    return from;
}

static __device__ __forceinline__ void meet_group(const consumer *me)
{
    if (me->group == 0)
        meet(MEET_GROUP, 128);
    else
        meet(MEET_GROUP + 1, 128);
}

/* What this warpgroup staged of 64 columns goes to L2, while it stages the next. */
static __device__ __forceinline__ void send(const consumer *me, square to, int row, int col,
                                            int tile, bool mirrored)
{
    fence_async_shared();
    meet_group(me);
    if (threadIdx.x % 128 != 0)
        return;
    const int above = row * SIDE + me->group * TILE_COLS, left = col * SIDE + tile * TILE_COLS;
    copy_out(to.map, me->s->slot[me->to.slot[tile]] + me->group * BOX_BYTES, left, above, to.plane);
    if (mirrored)
        copy_out(to.map, me->s->slot[me->group ? me->to.slot[3] : me->to.slot[2]] +
                             tile * BOX_BYTES, above, left, to.plane);
}

/* The end of a task: when all that this warpgroup sent is there, it reports, and the slots are free
 * again. */
static __device__ __forceinline__ void finish(consumer *me, const seat &at, ring from)
{
    if (threadIdx.x % 128 == 0) {
        copy_out_wait();
        arrive(at.meeting);
    }
    meet_group(me);
    release(me, &from, STAGED);
}

typedef enum pairing { ALONE, PAIRED } pairing;     /* P P^T, or P Q^T + Q P^T */
typedef enum addition { BARE, ADDED } addition;

/* A symmetric tile and its mirror image leave; the addend stands where the tile goes. */
template <addition ADD>
static __device__ __forceinline__ void leave_square(const float (&d)[64], consumer *me,
                                                    const seat &at, square to, float scale_addend,
                                                    float scale)
{
    const bool mirrored = at.row != at.col;
    const ring from = stage_begin(me);
    const uint32_t mirror = me->slots + me->to.mirror +
                            (me->group ? me->to.slot[3] : me->to.slot[2]) * TILE_BYTES;
#pragma unroll
    for (int j = 0; j < 16; j += 2) {
        const float *x = d + 4 * j;
        const uint32_t here = staged(me, j);
        uint4 y;
        if (ADD == ADDED) {
            const uint4 z = matrices_load(here);
            y.x = pack(fmaf(scale, x[0], scale_addend * low_of(z.x)),
                       fmaf(scale, x[1], scale_addend * high_of(z.x)));
            y.y = pack(fmaf(scale, x[2], scale_addend * low_of(z.y)),
                       fmaf(scale, x[3], scale_addend * high_of(z.y)));
            y.z = pack(fmaf(scale, x[4], scale_addend * low_of(z.z)),
                       fmaf(scale, x[5], scale_addend * high_of(z.z)));
            y.w = pack(fmaf(scale, x[6], scale_addend * low_of(z.w)),
                       fmaf(scale, x[7], scale_addend * high_of(z.w)));
        } else {
            y = make_uint4(pack(scale * x[0], scale * x[1]), pack(scale * x[2], scale * x[3]),
                           pack(scale * x[4], scale * x[5]), pack(scale * x[6], scale * x[7]));
        }
        matrices_store(here, y);
        if (mirrored)
            matrices_store_turned(mirror + j * 1024, y);
        if (j % 8 == 6)
            send(me, to, at.row, at.col, j / 8, mirrored);
    }
    finish(me, at, from);
}

/* Number pair (x,y) += scale times what its high and low parts stand for. */
static __device__ __forceinline__ void add_parts(float *x, float *y, float scale, uint32_t high,
                                                 uint32_t low)
{
    *x = fmaf(scale, low_of(high) + low_of(low), *x);
    *y = fmaf(scale, high_of(high) + high_of(low), *y);
}

/* d += scale times this block's wide tile: its high part came as addend, the low one is kept. */
static __device__ __forceinline__ void add_wide(float (&d)[2][64], const consumer *me, float scale)
{
#pragma unroll
    for (int i = 0; i < EIGHTS; i++) {
        float *x = d[i / 8] + i % 8 * 8;
        const uint4 high = matrices_load(staged(me, 2 * i));
        const uint4 low = shared_load4(me->low + i * LOW_STEP);
        add_parts(x, x + 1, scale, high.x, low.x);
        add_parts(x + 2, x + 3, scale, high.y, low.y);
        add_parts(x + 4, x + 5, scale, high.z, low.z);
        add_parts(x + 6, x + 7, scale, high.w, low.w);
    }
}

/* Two numbers as high and low parts. */
static __device__ __forceinline__ uint32_t split(float x, float y, uint32_t *low)
{
    const uint32_t high = pack(x, y);
    *low = pack(x - low_of(high), y - high_of(high));
    return high;
}

/* d becomes this block's wide tile: the high part leaves. */
static __device__ __forceinline__ void leave_wide(const float (&d)[2][64], consumer *me,
                                                  const seat &at, square to, ring from)
{
#pragma unroll
    for (int i = 0; i < EIGHTS; i++) {
        const float *x = d[i / 8] + i % 8 * 8;
        uint4 high, low;
        high.x = split(x[0], x[1], &low.x);
        high.y = split(x[2], x[3], &low.y);
        high.z = split(x[4], x[5], &low.z);
        high.w = split(x[6], x[7], &low.w);
        matrices_store(staged(me, 2 * i), high);
        shared_store4(me->low + i * LOW_STEP, low);
        if (i % 4 == 3)
            send(me, to, at.wide_row, at.wide_col, i / 4, false);
    }
    finish(me, at, from);
}

/* This block's tile of a symmetric step. */
template <pairing PAIR, addition ADD>
static __device__ __forceinline__ void run_symmetric(consumer *me, const seat &at, square to,
                                                     float scale_addend, float scale)
{
    const bool diagonal = at.row == at.col;
    const int  steps = at.side / TILE_COLS;
    float d[64];
    if (PAIR == PAIRED && diagonal)
        multiply_square<true>(d, me, steps, 2);
    else
        multiply_square<false>(d, me, PAIR == PAIRED ? 2 * steps : steps, diagonal ? 1 : 2);
    leave_square<ADD>(d, me, at, to, scale_addend, scale);
}

/* --- a wide tile by rows ------------------------------------------------------------------ */

/* A warp's 16 rows of a wide tile as they lie in a dense f32 matrix: a lane has of each row four
 * columns from 4 lane on, and four from 128 on. Read and written like this, memory sees whole
 * lines; as products hold a tile, it would see pieces of 32 bytes. */
typedef float4 wide_rows[16][2];

/* The warp's row 0 among all rows of the layer, and where a lane's first number of it stands. */
static __device__ __forceinline__ int64_t rows_first(const seat &at)
{
    return at.matrix * at.side + at.wide_row * SIDE + (int)threadIdx.x / 32 * 16;
}

static __device__ __forceinline__ int64_t rows_place(const seat &at)
{
    return rows_first(at) * at.side + at.wide_col * SIDE + threadIdx.x % 32 * 4;
}

static __device__ __forceinline__ int64_t row_step(const seat &at, int r, int half)
{
    return (int64_t)r * at.side + half * SIDE;
}

enum { ROW_BYTES = 2 * SIDE * 4 + 32 };     /* 32 more keep eight rows out of each other's banks */
static_assert(CONSUMERS / 2 * (int)ROW_BYTES <= SLOTS * (int)TILE_BYTES, "16 rows of each warp");

/* Own row 0 of this warp, in the ring's memory. Before the chain nothing is fed until this block's
 * first tile has left (and `send` then orders these accesses before the copy engine's); behind it
 * all that was fed has arrived, and is never released, so that nothing more is. */
static __device__ __forceinline__ uint32_t rows_memory(const consumer *me)
{
    return me->slots + threadIdx.x / 32 * 16 * ROW_BYTES;
}

static __device__ __forceinline__ void rows_of(wide_rows &y, const float (&d)[2][64],
                                               const consumer *me)
{
    const int lane = threadIdx.x % 32;
    const uint32_t own = rows_memory(me), to = own + lane / 4 * ROW_BYTES + lane % 4 * 8;
    meet(MEET_CONSUMERS, CONSUMERS);
#pragma unroll
    for (int j = 0; j < 2 * EIGHTS; j++) {
        const float *x = d[j / 16] + j % 16 * 4;
        shared_store2(to + j * 32, x[0], x[1]);
        shared_store2(to + j * 32 + 8 * ROW_BYTES, x[2], x[3]);
    }
    __syncwarp();
#pragma unroll
    for (int r = 0; r < 16; r++)
        for (int half = 0; half < 2; half++)
            y[r][half] = shared_load_f4(own + r * ROW_BYTES + half * SIDE * 4 + lane * 16);
}

static __device__ __forceinline__ void rows_become(float (&d)[2][64], const wide_rows &y,
                                                   const consumer *me)
{
    const int lane = threadIdx.x % 32;
    const uint32_t own = rows_memory(me), from = own + lane / 4 * ROW_BYTES + lane % 4 * 8;
#pragma unroll
    for (int r = 0; r < 16; r++)
        for (int half = 0; half < 2; half++)
            shared_store_f4(own + r * ROW_BYTES + half * SIDE * 4 + lane * 16, y[r][half]);
    __syncwarp();
#pragma unroll
    for (int j = 0; j < 2 * EIGHTS; j++) {
        float *x = d[j / 16] + j % 16 * 4;
        shared_load2(x, from + j * 32);
        shared_load2(x + 2, from + j * 32 + 8 * ROW_BYTES);
    }
    meet(MEET_CONSUMERS, CONSUMERS);
}

static __device__ __forceinline__ float4 four_load(const float *x)
{
    return *reinterpret_cast<const float4 *>(x);
}

static __device__ __forceinline__ void four_store(float *x, float4 y)
{
    *reinterpret_cast<float4 *>(x) = y;
}

static __device__ __forceinline__ void four_store(bf16 *x, float4 y)
{
    *reinterpret_cast<uint2 *>(x) = make_uint2(pack(y.x, y.y), pack(y.z, y.w));
}

/* sum + <x, y> */
static __device__ __forceinline__ float four_dot(float sum, float4 x, float4 y)
{
    return fmaf(x.x, y.x, fmaf(x.y, y.y, fmaf(x.z, y.z, fmaf(x.w, y.w, sum))));
}

/* a x + y */
static __device__ __forceinline__ float4 four_add(float a, float4 x, float4 y)
{
    return make_float4(fmaf(a, x.x, y.x), fmaf(a, x.y, y.y), fmaf(a, x.z, y.z),
                       fmaf(a, x.w, y.w));
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

/* A sum over the matrix: each block with a wide tile tells its part and arrives, */
static __device__ __forceinline__ void tell_part(float x, float *part, const seat &at)
{
    x = consumers_sum(x);
    if (threadIdx.x == 0) {
        part[at.matrix * TTT_PARTS + at.rank] = x;
        arrive(at.meeting);
    }
}

/* and when all have, adds them up in one order. */
static __device__ __forceinline__ float sum_parts(const float *part, const seat &at, int goal)
{
    if (threadIdx.x == 0)
        wait_for(at.meeting, goal);
    meet(MEET_CONSUMERS, CONSUMERS);
    float sum = 0.0f;
    for (int i = 0; i < at.wides; i++)
        sum += __ldcg(part + at.matrix * TTT_PARTS + i);
    return sum;
}

#endif /* STI_HOPPER */

#endif
