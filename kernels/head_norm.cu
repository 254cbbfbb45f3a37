/* head_norm.cu - the CUDA twins of head_norm.c.
 *
 * D/8 lanes own a head: each holds four neighbouring channels of the first half and the four they
 * are turned with, so the turn stays inside a thread. Lanes of a head sit in one warp (D is a power
 * of two up to 256).
 */
#include "kernels/around_internal.h"
#include "kernels/column_sums.cuh"

enum { THREADS = 256, D_MAX = 256 };

typedef struct slice {
    float low[4], high[4];      /* channels j .. j+3 and J+j .. J+j+3 */
} slice;

static __device__ __forceinline__ slice slice_load(const bf16 *x, int J)
{
    const float4 a = widen4(*(const uint2 *)x), b = widen4(*(const uint2 *)(x + J));
    return {{a.x, a.y, a.z, a.w}, {b.x, b.y, b.z, b.w}};
}

static __device__ __forceinline__ void slice_store(bf16 *y, int J, const slice &s)
{
    *(uint2 *)y       = narrow4(s.low[0], s.low[1], s.low[2], s.low[3]);
    *(uint2 *)(y + J) = narrow4(s.high[0], s.high[1], s.high[2], s.high[3]);
}

static __device__ __forceinline__ slice slice_turn(const slice &x, const float *cosine,
                                                   const float *sine, float sign)
{
    const float4 c = *(const float4 *)cosine, s = *(const float4 *)sine;
    const float  cs[4] = {c.x, c.y, c.z, c.w}, sn[4] = {s.x, s.y, s.z, s.w};
    slice        y;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        y.low[i]  = x.low[i] * cs[i] - x.high[i] * (sign * sn[i]);
        y.high[i] = x.high[i] * cs[i] + x.low[i] * (sign * sn[i]);
    }
    return y;
}

/* Sum over the lanes of a head. */
static __device__ __forceinline__ float head_sum(float x, int lanes)
{
    for (int step = lanes / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

static __device__ __forceinline__ float square_sum(const slice &x)
{
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < 4; i++)
        sum += x.low[i] * x.low[i] + x.high[i] * x.high[i];
    return sum;
}

static __global__ void head_norm(bf16 *normed, bf16 *rotated, sti_head_norm a)
{
    const int     J = (int)a.D / 2, lanes = J / 4;
    const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, rows = a.T * a.H;
    const int64_t head = n / lanes;
    const int     j = (int)(n % lanes) * 4;
    const bool    here = head < rows;       /* all lanes stay for the sums */
    const int64_t at = here ? head * a.D + j : j;

    slice       x = slice_load((const bf16 *)a.x + at, J);
    const slice w = slice_load((const bf16 *)a.weight + j, J);
    const float r = rsqrtf(head_sum(square_sum(x), lanes) / (float)a.D + a.eps);
    if (!here)
        return;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        x.low[i]  = w.low[i] * (x.low[i] * r);
        x.high[i] = w.high[i] * (x.high[i] * r);
    }
    if (normed)
        slice_store(normed + at, J, x);
    if (rotated) {
        const int64_t table = head / a.H * J + j;
        slice_store(rotated + at, J, slice_turn(x, a.cosine + table, a.sine + table, 1.0f));
    }
}

/* Threads walk over heads in strides that keep their channels, so the weight's gradient gathers in
 * registers; `partial` gets one row of D for each block. */
static __global__ void head_norm_backward(bf16 *x_bar, float *partial, const bf16 *normed_bar,
                                          const bf16 *rotated_bar, sti_head_norm a)
{
    __shared__ float sums[THREADS * 8];
    const int     J = (int)a.D / 2, lanes = J / 4, j = (int)threadIdx.x % lanes * 4;
    const int64_t rows = a.T * a.H, per_block = blockDim.x / lanes;
    const slice   w = slice_load((const bf16 *)a.weight + j, J);
    slice         by_w = {};

    for (int64_t start = blockIdx.x * per_block; start < rows; start += gridDim.x * per_block) {
        const int64_t head = start + threadIdx.x / lanes;
        const bool    here = head < rows;
        const int64_t at = here ? head * a.D + j : j, table = here ? head / a.H * J + j : j;
        slice         y = {};
        if (rotated_bar)
            y = slice_turn(slice_load(rotated_bar + at, J), a.cosine + table, a.sine + table,
                           -1.0f);
        if (normed_bar) {
            const slice n = slice_load(normed_bar + at, J);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                y.low[i] += n.low[i];
                y.high[i] += n.high[i];
            }
        }
        slice x = slice_load((const bf16 *)a.x + at, J);
        float along = 0.0f;
#pragma unroll
        for (int i = 0; i < 4; i++)
            along += w.low[i] * y.low[i] * x.low[i] + w.high[i] * y.high[i] * x.high[i];
        const float r = rsqrtf(head_sum(square_sum(x), lanes) / (float)a.D + a.eps);
        const float pull = r * r * r * head_sum(along, lanes) / (float)a.D;
        if (!here)
            continue;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            by_w.low[i] += y.low[i] * (x.low[i] * r);
            by_w.high[i] += y.high[i] * (x.high[i] * r);
            x.low[i]  = r * w.low[i] * y.low[i] - x.low[i] * pull;
            x.high[i] = r * w.high[i] * y.high[i] - x.high[i] * pull;
        }
        slice_store(x_bar + at, J, x);
    }

#pragma unroll
    for (int i = 0; i < 4; i++) {
        sums[(i * 2) * THREADS + threadIdx.x]     = by_w.low[i];
        sums[(i * 2 + 1) * THREADS + threadIdx.x] = by_w.high[i];
    }
    __syncthreads();
    for (int c = (int)threadIdx.x; c < a.D; c += (int)blockDim.x) {
        const int half = c / J, i = c % J % 4, lane = c % J / 4;
        float     sum = 0.0f;
        for (int t = lane; t < THREADS; t += lanes)
            sum += sums[(i * 2 + half) * THREADS + t];
        partial[(int64_t)blockIdx.x * a.D + c] = sum;
    }
}

static st_status check(const sti_head_norm *a)
{
    if (a->D < 8 || a->D > D_MAX || (a->D & (a->D - 1)))
        return ST_FAIL(ST_ERR_UNSUPPORTED,
                       "head norm on the device: width must be 8, 16, ... or %d, is %lld", D_MAX,
                       (long long)a->D);
    return st_ok();
}

extern "C" st_status sti_head_norm_cuda(st_stream *stream, void *normed, void *rotated,
                                        const sti_head_norm *a)
{
    ST_TRY(check(a));
    const int64_t threads = a->T * a->H * (a->D / 8);
    if (threads == 0)
        return st_ok();
    head_norm<<<(unsigned)((threads + THREADS - 1) / THREADS), THREADS, 0, sti_cuda(stream)>>>(
        (bf16 *)normed, (bf16 *)rotated, *a);
    return sti_launched("head_norm");
}

extern "C" st_status sti_head_norm_backward_cuda(st_stream *stream, void *x_bar, float *weight_bar,
                                                 const void *normed_bar, const void *rotated_bar,
                                                 const sti_head_norm *a)
{
    ST_TRY(check(a));
    if (a->T * a->H == 0)
        return st_ok();
    float    *partial = (float *)stream->device->workspace;
    const int blocks = stream->device->processor_count * 8;
    head_norm_backward<<<(unsigned)blocks, THREADS, 0, sti_cuda(stream)>>>(
        (bf16 *)x_bar, partial, (const bf16 *)normed_bar, (const bf16 *)rotated_bar, *a);
    ST_TRY(sti_launched("head_norm_backward"));
    return column_sums_add(stream, weight_bar, partial, blocks, (int)a->D);
}
