/* prep.cuh - what the CUDA bodies of prep share: how a block walks over a grid.
 *
 * A block works on one fast-weight head of one of q, k, v: a thread a channel. It walks a grid in
 * strips of up to COLUMNS columns, line by line downwards. Lines of the grid and its two neighbours
 * in time come into shared memory one line ahead of their use; copies of a key head read the same
 * bytes. Each is read once by a thread and feeds the three lines of the answer that it touches,
 * whose sums stay in registers:
 *
 *     line L of three grids ---> sums of L-1 (complete now), L, L+1
 *
 * A complete line goes to a stage in shared memory. Behind the next line's barrier a warp takes
 * whole positions from there: norms are sums over a warp then, and stores are wide.
 *
 * 27 multiply-adds a channel for one load: the multiply-adds are the cost, not the bytes. Sixteen
 * warps of 128 registers, and one barrier a line, keep them coming.
 */
#ifndef ST_KERNELS_PREP_CUH
#define ST_KERNELS_PREP_CUH

#include "kernels/device.cuh"
#include "kernels/prep_internal.h"

enum {
    COLUMNS = 15,               /* a whole line of a 352 x 480 video; see tests/bench/LOG.md   */
    SPAN = COLUMNS + 2,         /* and what its ends see                                       */
    WIDTH = 512,                /* channels of a fast-weight head, at most: 128 registers each */
    LINE = SPAN * WIDTH,        /* a line of one grid in shared memory                         */
    STAGE = COLUMNS * WIDTH,    /* and one of the answer                                       */
    WARP = 32,
    REST_ROWS = COLUMNS         /* rows of a block where nothing is mixed                      */
};

/* q, k and v of one call; blocks pick theirs by number. */
typedef struct prep_lanes {
    sti_prep_lane     lane[3];
    void             *y[3];             /* forward: (F,L,d) */
    sti_prep_lane_bar bar[3];           /* backward         */
} prep_lanes;

/* Sizes the kernels accept. */
st_status prep_check(const sti_prep *p, const sti_prep_lane lane[3]);

/* c_bar of all three lanes, from prep_forward.cu: the forward sums are needed once more. */
st_status prep_slopes(st_stream *stream, const sti_prep *p, const prep_lanes *lanes);

/* On compute capability 9.0: whether a problem fits, and, from prep_hopper_forward.cu, the forward
 * pass over its grids, which leaves some processors idle; or only the taps' sums, in place of
 * c_bar. */
bool      prep_hopper(const st_stream *stream, const sti_prep *p, const prep_lanes *lanes);
st_status prep_hopper_forward(st_stream *stream, const sti_prep *p, const prep_lanes *lanes,
                              bool sums, int *idle);

/* And from prep_hopper_slopes.cu: from those sums to c_bar, in place. */
st_status prep_hopper_slopes(st_stream *stream, const sti_prep *p, const prep_lanes *lanes);

/* Partial sums for the parameters: taps and c_bar itself over grids, two over the rest, of which a
 * part has PREP_SUM_REST rows. */
enum {
    PREP_SUM_KINDS  = ST_CONV_TAPS + 1,
    PREP_REST_KINDS = 2,
    PREP_SUM_REST   = 64
};

/* On compute capability 9.0, from prep_hopper_inputs.cu: whether the copies fit, and x_bar of all
 * rows. */
bool      prep_hopper_fits_inputs(const sti_prep *p, const prep_lanes *lanes);
st_status prep_hopper_inputs(st_stream *stream, const sti_prep *p, const prep_lanes *lanes);

/* And from prep_hopper_sums.cu: how many parts the sums of grids have, and partial sums, of grids
 * [part][which][PREP_SUM_KINDS][C] and of the rest [part][which][PREP_REST_KINDS][C]. */
int       prep_hopper_sum_parts(const st_stream *stream, const sti_prep *p);
st_status prep_hopper_sums(st_stream *stream, float *partial, float *rest, const sti_prep *p,
                           const prep_lanes *lanes, int parts);

static __device__ __forceinline__ float load1(const bf16 *x)
{
    return __bfloat162float(*x);
}

static __device__ __forceinline__ float4 four_of(uint2 p)
{
    return make_float4(__uint_as_float(p.x << 16), __uint_as_float(p.x & 0xffff0000u),
                       __uint_as_float(p.y << 16), __uint_as_float(p.y & 0xffff0000u));
}

/* Four neighbours, on an 8-byte border. */
static __device__ __forceinline__ float4 load4(const bf16 *x)
{
    return four_of(*(const uint2 *)x);
}

static __device__ __forceinline__ void store4(bf16 *y, float4 x)
{
    const __nv_bfloat162 low = __floats2bfloat162_rn(x.x, x.y);
    const __nv_bfloat162 high = __floats2bfloat162_rn(x.z, x.w);
    *(uint2 *)y = make_uint2(*(const uint32_t *)&low, *(const uint32_t *)&high);
}

static __device__ __forceinline__ int clampi(int x, int count)
{
    return min(max(x, 0), count - 1);
}

/* First channel of x that expanded channel c reads. */
static __device__ __forceinline__ int source_channel(const sti_prep &p, const sti_prep_lane &l,
                                                     int c)
{
    const int D = (int)p.D;
    return c / D / (int)(p.H / l.Hin) * D + c % D;
}

/* Channels of x that a block reads: one of each `copies`. */
static __device__ __forceinline__ int source_width(const sti_prep &p, const sti_prep_lane &l)
{
    return (int)p.d / (int)(p.H / l.Hin);
}

/* Scale and offset of a channel; 1 and 0 where there are none. */
static __device__ __forceinline__ void affine_get(const sti_prep_lane &l, int c, float *scale,
                                                  float *offset)
{
    *scale  = l.scale ? load1((const bf16 *)l.scale + c) : 1.0f;
    *offset = l.offset ? load1((const bf16 *)l.offset + c) : 0.0f;
}

/* --- lines in shared memory ------------------------------------------------------------------ */

/* Bring 16 bytes into shared memory, or zeros, without waiting. */
static __device__ __forceinline__ void piece_load(void *to, const void *from, bool here)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                     (uint32_t)__cvta_generic_to_shared(to)),
                 "l"(from), "r"(here ? 16 : 0)
                 : "memory");
}

/* All pieces have arrived, for every thread; and every thread has read what it wanted before. */
static __device__ __forceinline__ void pieces_wait()
{
    asm volatile("cp.async.wait_all;" ::: "memory");
    __syncthreads();
}

/* SPAN columns of a line from column-1 on, `width` channels each, from `planes` grids, a warp a
 * column. `from` points at the first channel of row 0, rows lie `pitch` apart, grids begin with row
 * `first`. Outside the grid the border repeats, or there are zeros. */
template <int planes, bool zeros>
static __device__ __forceinline__ void line_load(bf16 *to, const bf16 *from,
                                                 const int32_t (&first)[planes], int pitch,
                                                 int line, int column, int w, int width)
{
    const int c = 8 * (threadIdx.x % WARP);
#pragma unroll 1
    for (int m = threadIdx.x / WARP; m < SPAN; m += blockDim.x / WARP) {
        const int at = column - 1 + m, inside = clampi(at, w), cell = line * w + inside;
#pragma unroll
        for (int a = 0; a < planes; a++) {
            const bf16 *x = from + (int64_t)(first[a] + cell) * pitch + c;
#pragma unroll
            for (int k = 0; k < WIDTH / (8 * WARP); k++)
                if (c + k * 8 * WARP < width)
                    piece_load(to + a * LINE + m * WIDTH + c + k * 8 * WARP, x + k * 8 * WARP,
                               !zeros || at == inside);
        }
    }
}

/* --- taps ------------------------------------------------------------------------------------ */

/* Taps of this thread's channel, by way of shared memory: as they lie in device memory, 54 bytes a
 * channel, a warp's loads would touch many lines each. `conv` is the block's first channel's,
 * `staging` holds 54 bytes a thread; it is free again behind the next barrier. */
static __device__ __forceinline__ void taps_load(float (&t)[ST_CONV_TAPS], const bf16 *conv,
                                                 void *staging)
{
    const int pieces = ST_CONV_TAPS * (int)sizeof(bf16) * blockDim.x / 16;
    for (int n = threadIdx.x; n < pieces; n += blockDim.x)
        ((uint4 *)staging)[n] = ((const uint4 *)conv)[n];
    __syncthreads();
    const bf16 *mine = (const bf16 *)staging + ST_CONV_TAPS * threadIdx.x;
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++)
        t[tap] = load1(mine + tap);
}

/* --- sums of three lines --------------------------------------------------------------------- */

typedef float columns[COLUMNS];

/* Lines of the answer that still wait for more: fed last, and fed for the first time. */
typedef struct strip {
    columns above, here;
} strip;

/* to = from + three planes of a line in shared memory through the taps of one direction; w[a * 9]
 * to w[a * 9 + 2] are plane a's. `lines` points at the thread's channel here and below. */
static __device__ __forceinline__ void line_feed(columns &to, const columns &from, const float *w,
                                                 const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE;
        float       left = load1(x), middle = load1(x + WIDTH);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float right = load1(x + (i + 2) * WIDTH);
            float       sum = a == 0 ? from[i] : to[i];
            sum   = fmaf(w[a * 9], left, sum);
            sum   = fmaf(w[a * 9 + 1], middle, sum);
            to[i] = fmaf(w[a * 9 + 2], right, sum);
            left = middle, middle = right;
        }
    }
}

/* A line feeds the one above, which is `done` then, itself and the one below, which begins with
 * `bias`. w[a][up][e]: plane, line fed (above, here, below), column read. */
static __device__ __forceinline__ void strip_feed(columns &done, strip &s, float bias,
                                                  const float (&w)[ST_CONV_TAPS],
                                                  const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE;
        float       left = load1(x), middle = load1(x + WIDTH);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float right = load1(x + (i + 2) * WIDTH);
            float       sum[3] = {a == 0 ? s.above[i] : done[i], a == 0 ? s.here[i] : s.above[i],
                                  a == 0 ? bias : s.here[i]};
#pragma unroll
            for (int up = 0; up < 3; up++) {
                sum[up] = fmaf(w[a * 9 + up * 3], left, sum[up]);
                sum[up] = fmaf(w[a * 9 + up * 3 + 1], middle, sum[up]);
                sum[up] = fmaf(w[a * 9 + up * 3 + 2], right, sum[up]);
            }
            done[i] = sum[0], s.above[i] = sum[1], s.here[i] = sum[2];
            left = middle, middle = right;
        }
    }
}

#endif
