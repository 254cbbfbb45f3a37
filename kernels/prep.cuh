/* prep.cuh - what the CUDA bodies of prep share: how a block walks over a grid.
 *
 * A block works on one fast-weight head of one of q, k, v: d/2 threads with two neighbouring
 * channels each. It walks a grid in strips of up to COLUMNS columns, line by line downwards. Lines
 * of the grid and its two neighbours in time come into shared memory one line ahead of their use;
 * each is read once and feeds the three lines of the answer that it touches, whose sums stay in
 * registers:
 *
 *     line L of three grids ---> sums of L-1 (complete now), L, L+1
 *
 * 27 multiply-adds a channel for one load: the multiply-adds are the cost, not the bytes.
 */
#ifndef ST_KERNELS_PREP_CUH
#define ST_KERNELS_PREP_CUH

#include "kernels/device.cuh"
#include "kernels/prep_internal.h"

enum {
    COLUMNS = 15,               /* a whole line of a 352 x 480 video; see tests/bench/LOG.md   */
    SPAN = COLUMNS + 2,         /* and what its ends see                                       */
    THREADS_MAX = 256,          /* fast-weight heads of up to 512 channels: 255 registers each */
    WIDTH = 2 * THREADS_MAX,    /* channels a column in shared memory has room for             */
    LINE = SPAN * WIDTH,        /* and a line of one grid                                      */
    REST_ROWS = 4 * COLUMNS     /* rows of a block where nothing is mixed                      */
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

static __device__ __forceinline__ float2 load2(const bf16 *x)
{
    const uint32_t p = *(const uint32_t *)x;
    return make_float2(__uint_as_float(p << 16), __uint_as_float(p & 0xffff0000u));
}

static __device__ __forceinline__ void store2(bf16 *y, float2 x)
{
    *(__nv_bfloat162 *)y = __floats2bfloat162_rn(x.x, x.y);
}

static __device__ __forceinline__ int clampi(int x, int count)
{
    return min(max(x, 0), count - 1);
}

static __device__ __forceinline__ void multiply_add(float2 &sum, float2 a, float2 b)
{
    sum.x = fmaf(a.x, b.x, sum.x);
    sum.y = fmaf(a.y, b.y, sum.y);
}

static __device__ __forceinline__ void add(float2 &sum, float2 x)
{
    sum.x += x.x;
    sum.y += x.y;
}

/* First channel of x that expanded channel c reads. */
static __device__ __forceinline__ int source_channel(const sti_prep &p, const sti_prep_lane &l,
                                                     int c)
{
    const int D = (int)p.D;
    return c / D / (int)(p.H / l.Hin) * D + c % D;
}

/* Scale and offset of two channels; 1 and 0 where there are none. */
static __device__ __forceinline__ void affine_get(const sti_prep_lane &l, int c, float2 *scale,
                                                  float2 *offset)
{
    *scale  = l.scale ? load2((const bf16 *)l.scale + c) : make_float2(1.0f, 1.0f);
    *offset = l.offset ? load2((const bf16 *)l.offset + c) : make_float2(0.0f, 0.0f);
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

/* SPAN columns of a line from column-1 on, d channels each, from `planes` arrays whose rows lie
 * `pitch` apart. `from` points at the first of the eight channels that this thread brings. Outside
 * the grid the border repeats, or there are zeros. */
template <int planes, bool zeros>
static __device__ __forceinline__ void line_load(bf16 *to, const bf16 *const (&from)[planes],
                                                 int64_t pitch, int line, int column, int w, int d)
{
    const int pieces = d / 8, piece = threadIdx.x % pieces;
#pragma unroll
    for (int a = 0; a < planes; a++)
        for (int m = threadIdx.x / pieces; m < SPAN; m += blockDim.x / pieces) {
            const int at = column - 1 + m, inside = clampi(at, w);
            piece_load(to + a * LINE + m * WIDTH + piece * 8,
                       from[a] + (int64_t)(line * w + inside) * pitch,
                       !zeros || at == inside);
        }
}

/* --- taps ------------------------------------------------------------------------------------ */

/* Taps of this thread's two channels, by way of shared memory: as they lie in device memory, 54
 * bytes a channel, a warp's loads would touch a line each. `staging` holds 27 words a thread. */
static __device__ __forceinline__ void taps_load(float2 (&t)[ST_CONV_TAPS], const bf16 *conv,
                                                 uint32_t *staging)
{
    const int words = ST_CONV_TAPS * blockDim.x;
    __syncthreads();
    for (int n = threadIdx.x; n < words / 4; n += blockDim.x)
        ((uint4 *)staging)[n] = ((const uint4 *)conv)[n];
    __syncthreads();
    const bf16 *mine = (const bf16 *)(staging + ST_CONV_TAPS * threadIdx.x);
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++)
        t[tap] = make_float2(__bfloat162float(mine[tap]),
                             __bfloat162float(mine[ST_CONV_TAPS + tap]));
    __syncthreads();
}

/* --- sums of three lines --------------------------------------------------------------------- */

typedef float2 columns[COLUMNS];

/* Lines of the answer that still wait for more: fed last, and fed for the first time. */
typedef struct strip {
    columns above, here;
} strip;

/* to = from + three planes of a line in shared memory through the taps of one direction; w[a * 9]
 * to w[a * 9 + 2] are plane a's. */
static __device__ __forceinline__ void line_feed(columns &to, const columns &from, const float2 *w,
                                                 const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE + 2 * threadIdx.x;
        float2      left = load2(x), middle = load2(x + WIDTH);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float2 right = load2(x + (i + 2) * WIDTH);
            float2       sum = a == 0 ? from[i] : to[i];
            multiply_add(sum, w[a * 9], left);
            multiply_add(sum, w[a * 9 + 1], middle);
            multiply_add(sum, w[a * 9 + 2], right);
            to[i] = sum;
            left = middle, middle = right;
        }
    }
}

/* A line feeds the one above, which is `done` then, itself and the one below, which begins with
 * `bias`. w[a][up][e]: plane, line fed (above, here, below), column read. */
static __device__ __forceinline__ void strip_feed(columns &done, strip &s, float2 bias,
                                                  const float2 (&w)[ST_CONV_TAPS],
                                                  const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE + 2 * threadIdx.x;
        float2      left = load2(x), middle = load2(x + WIDTH);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float2 right = load2(x + (i + 2) * WIDTH);
            float2       sum[3] = {a == 0 ? s.above[i] : done[i], a == 0 ? s.here[i] : s.above[i],
                                   a == 0 ? bias : s.here[i]};
#pragma unroll
            for (int up = 0; up < 3; up++) {
                multiply_add(sum[up], w[a * 9 + up * 3], left);
                multiply_add(sum[up], w[a * 9 + up * 3 + 1], middle);
                multiply_add(sum[up], w[a * 9 + up * 3 + 2], right);
            }
            done[i] = sum[0], s.above[i] = sum[1], s.here[i] = sum[2];
            left = middle, middle = right;
        }
    }
}

#endif
