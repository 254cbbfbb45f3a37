/* prep.cuh - what the CUDA bodies of prep share.
 *
 * A block works on one fast-weight head of one of q, k, v: d/2 threads with two neighbouring
 * channels each. It walks a grid in strips of COLUMNS columns, line by line downwards; every line
 * is read once and feeds the three lines it touches, whose sums stay in registers.
 */
#ifndef ST_KERNELS_PREP_CUH
#define ST_KERNELS_PREP_CUH

#include "kernels/device.cuh"
#include "kernels/prep_internal.h"

enum { COLUMNS = 5, SPAN = COLUMNS + 2, THREADS_MAX = 512, WARPS_MAX = THREADS_MAX / 32 };

/* q, k and v of one call; blocks pick theirs by number. */
typedef struct prep_lanes {
    sti_prep_lane lane[3];
    void         *y[3];                 /* forward: (F,L,d) */
    sti_prep_lane_bar bar[3];           /* backward         */
} prep_lanes;

/* c_bar of all three lanes, from prep_forward.cu: the forward sums are needed once more. */
st_status prep_slopes(st_stream *stream, const sti_prep *p, const prep_lanes *lanes);

static __device__ __forceinline__ float2 load2(const bf16 *x)
{
    const uint32_t p = *(const uint32_t *)x;
    return make_float2(__uint_as_float(p << 16), __uint_as_float(p & 0xffff0000u));
}

static __device__ __forceinline__ void store2(bf16 *y, float a, float b)
{
    *(__nv_bfloat162 *)y = __floats2bfloat162_rn(a, b);
}

static __device__ __forceinline__ int clampi(int x, int count)
{
    return min(max(x, 0), count - 1);
}

/* First channel of x that expanded channel c (even) reads. */
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

/* Taps of channels c and c+1. */
static __device__ __forceinline__ void taps_get(const sti_prep_lane &l, int c,
                                                float2 (&w)[ST_CONV_TAPS])
{
    const bf16 *k = (const bf16 *)l.conv + (int64_t)c * ST_CONV_TAPS;
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++)
        w[tap] = make_float2(__bfloat162float(k[tap]), __bfloat162float(k[ST_CONV_TAPS + tap]));
}

/* Two neighbouring channels of SPAN columns from column - 1 on; borders repeat. */
static __device__ __forceinline__ void span_load(float2 (&x)[SPAN], const bf16 *line, int64_t pitch,
                                                 int column, int w)
{
#pragma unroll
    for (int m = 0; m < SPAN; m++)
        x[m] = load2(line + clampi(column - 1 + m, w) * pitch);
}

static __device__ __forceinline__ void multiply_add(float2 &sum, float2 a, float2 b)
{
    sum.x = fmaf(a.x, b.x, sum.x);
    sum.y = fmaf(a.y, b.y, sum.y);
}

/* Rows of a block that mixes nothing: consecutive from a grid, or from the list of the rest. */
enum { REST_ROWS = 40 };

static inline unsigned rest_blocks(const sti_prep *p)
{
    return (unsigned)((p->R + REST_ROWS - 1) / REST_ROWS);
}

#endif
