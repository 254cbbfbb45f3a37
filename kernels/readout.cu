/* readout.cu - the CUDA twins of readout.c.
 *
 * One warp owns a row of a head: its lanes hold eight neighbouring channels of every 256, so loads
 * are 16 bytes wide and the norm is five shuffles.
 */
#include "kernels/around_internal.h"
#include "kernels/column_sums.cuh"

enum { THREADS = 256, WARPS = THREADS / 32, STEPS = 4, D_MAX = STEPS * 256 };

static __device__ __forceinline__ void load8(float (&x)[8], const bf16 *from)
{
    const uint4  p = *(const uint4 *)from;
    const float4 a = widen4(make_uint2(p.x, p.y)), b = widen4(make_uint2(p.z, p.w));
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w;
    x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}

static __device__ __forceinline__ void store8(bf16 *to, const float (&x)[8])
{
    const uint2 a = narrow4(x[0], x[1], x[2], x[3]), b = narrow4(x[4], x[5], x[6], x[7]);
    *(uint4 *)to = make_uint4(a.x, a.y, b.x, b.y);
}

/* steps is d / 256 rounded up, so that rows of 512 unroll to two. */
template <int steps>
static __global__ void readout_forward(bf16 *out, const bf16 *base, const bf16 *o,
                                       const bf16 *weight, const float *scale, int F, int64_t T,
                                       int d)
{
    const int     lane = threadIdx.x % 32;
    const int64_t n = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;   /* token-major: t F + f */
    if (n >= T * F)
        return;                                                         /* uniform in a warp */
    const int64_t t = n / F, f = n % F;
    float         x[steps][8], from[steps][8], square = 0.0f;
#pragma unroll
    for (int i = 0; i < steps; i++)
        if (i * 256 + lane * 8 < d) {
            load8(x[i], o + (f * T + t) * d + i * 256 + lane * 8);
            if (base)
                load8(from[i], base + n * d + i * 256 + lane * 8);
#pragma unroll
            for (int k = 0; k < 8; k++)
                square += x[i][k] * x[i][k];
        }
    const float r = rsqrtf(warp_sum(square) / (float)d + STI_READOUT_EPS) * scale[f * T + t];
#pragma unroll
    for (int i = 0; i < steps; i++)
        if (i * 256 + lane * 8 < d) {
            float w[8];
            load8(w, weight + i * 256 + lane * 8);
#pragma unroll
            for (int k = 0; k < 8; k++)
                x[i][k] = (base ? from[i][k] : 0.0f) + w[k] * (x[i][k] * r);
            store8(out + n * d + i * 256 + lane * 8, x[i]);
        }
}

template <int steps>
static __global__ void readout_backward(bf16 *o_bar, float *scale_bar, float *partial,
                                        const bf16 *out_bar, const bf16 *o, const bf16 *weight,
                                        const float *scale, int F, int64_t T, int d)
{
    __shared__ float sums[WARPS][D_MAX];
    const int        lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float            by_w[steps][8] = {};

    for (int64_t n = (int64_t)blockIdx.x * WARPS + warp; n < T * F;
         n += (int64_t)gridDim.x * WARPS) {
        const int64_t t = n / F, f = n % F, row = (f * T + t) * d;
        float         x[steps][8], y[steps][8], square = 0.0f, along = 0.0f;
#pragma unroll
        for (int i = 0; i < steps; i++)
            if (i * 256 + lane * 8 < d) {
                float w[8];
                load8(x[i], o + row + i * 256 + lane * 8);
                load8(y[i], out_bar + n * d + i * 256 + lane * 8);
                load8(w, weight + i * 256 + lane * 8);
#pragma unroll
                for (int k = 0; k < 8; k++) {
                    square += x[i][k] * x[i][k];
                    along += w[k] * y[i][k] * x[i][k];
                }
            }
        const float r = rsqrtf(warp_sum(square) / (float)d + STI_READOUT_EPS);
        const float s = scale[f * T + t], sum = warp_sum(along);
        const float pull = r * r * r * s * sum / (float)d;
        if (lane == 0)
            scale_bar[f * T + t] = sum * r;
#pragma unroll
        for (int i = 0; i < steps; i++)
            if (i * 256 + lane * 8 < d) {
                float w[8];
                load8(w, weight + i * 256 + lane * 8);
#pragma unroll
                for (int k = 0; k < 8; k++) {
                    by_w[i][k] += s * y[i][k] * (x[i][k] * r);
                    x[i][k] = r * w[k] * s * y[i][k] - x[i][k] * pull;
                }
                store8(o_bar + row + i * 256 + lane * 8, x[i]);
            }
    }
#pragma unroll
    for (int i = 0; i < steps; i++)
#pragma unroll
        for (int k = 0; k < 8; k++)
            sums[warp][i * 256 + lane * 8 + k] = by_w[i][k];
    __syncthreads();
    for (int c = (int)threadIdx.x; c < d; c += THREADS) {
        float sum = 0.0f;
        for (int w = 0; w < WARPS; w++)
            sum += sums[w][c];
        partial[(int64_t)blockIdx.x * d + c] = sum;
    }
}

static st_status check(int64_t d)
{
    if (d % 8 || d > D_MAX)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "read-out on the device: head width must be a multiple "
                       "of 8 up to %d, is %lld", D_MAX, (long long)d);
    return st_ok();
}

extern "C" st_status sti_readout_forward_cuda(st_stream *stream, void *out, const void *base,
                                              const void *o, const void *weight,
                                              const float *scale, int64_t F, int64_t T, int64_t d)
{
    ST_TRY(check(d));
    if (F * T == 0)
        return st_ok();
    const unsigned grid = (unsigned)((F * T + WARPS - 1) / WARPS);
    if (d <= 512)
        readout_forward<2><<<grid, THREADS, 0, sti_cuda(stream)>>>(
            (bf16 *)out, (const bf16 *)base, (const bf16 *)o, (const bf16 *)weight, scale, (int)F,
            T, (int)d);
    else
        readout_forward<4><<<grid, THREADS, 0, sti_cuda(stream)>>>(
            (bf16 *)out, (const bf16 *)base, (const bf16 *)o, (const bf16 *)weight, scale, (int)F,
            T, (int)d);
    return sti_launched("readout_forward");
}

extern "C" st_status sti_readout_backward_cuda(st_stream *stream, void *o_bar, float *scale_bar,
                                               float *weight_bar, const void *out_bar,
                                               const void *o, const void *weight,
                                               const float *scale, int64_t F, int64_t T, int64_t d)
{
    ST_TRY(check(d));
    if (F * T == 0)
        return st_ok();
    float    *partial = (float *)stream->device->workspace;
    const int blocks = stream->device->processor_count * 4;
    if (d <= 512)
        readout_backward<2><<<(unsigned)blocks, THREADS, 0, sti_cuda(stream)>>>(
            (bf16 *)o_bar, scale_bar, partial, (const bf16 *)out_bar, (const bf16 *)o,
            (const bf16 *)weight, scale, (int)F, T, (int)d);
    else
        readout_backward<4><<<(unsigned)blocks, THREADS, 0, sti_cuda(stream)>>>(
            (bf16 *)o_bar, scale_bar, partial, (const bf16 *)out_bar, (const bf16 *)o,
            (const bf16 *)weight, scale, (int)F, T, (int)d);
    ST_TRY(sti_launched("readout_backward"));
    return column_sums_add(stream, weight_bar, partial, blocks, (int)d);
}
