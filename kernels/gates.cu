/* gates.cu - the CUDA twins of gates.c: one thread a token and head. */
#include "kernels/around_internal.h"
#include "kernels/device.cuh"
#include "kernels/gates.h"

enum { THREADS = 128 };

static __device__ __forceinline__ float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static __device__ __forceinline__ float softplus(float x)
{
    return x > 0.0f ? x + log1pf(expf(-x)) : log1pf(expf(x));
}

static __global__ void gates_forward(float *rate, float *decay, float *scale, const bf16 *rate_z,
                                     const bf16 *decay_z, const bf16 *scale_z, int64_t T, int F)
{
    const int64_t t = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int     f = blockIdx.y;
    if (t >= T)
        return;
    for (int j = 0; j < 3; j++)
        rate[((int64_t)j * F + f) * T + t] = softplus(
            __bfloat162float(rate_z[t * 3 * F + 3 * f + j]) + (float)ST_GATE_RATE_BETA);
    const float z = __bfloat162float(scale_z[t * F + f]);
    scale[f * T + t] = z * sigmoid(z);
    if (decay)
        decay[f * T + t] = sigmoid(__bfloat162float(decay_z[t * F + f]));
}

static __global__ void gates_backward(bf16 *rate_z_bar, bf16 *decay_z_bar, bf16 *scale_z_bar,
                                      const float *rate_bar, const float *decay_bar,
                                      const float *scale_bar, const bf16 *rate_z,
                                      const bf16 *decay_z, const bf16 *scale_z, int64_t T, int F)
{
    const int64_t t = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const int     f = blockIdx.y;
    if (t >= T)
        return;
    for (int j = 0; j < 3; j++) {
        const int64_t at = t * 3 * F + 3 * f + j;
        rate_z_bar[at] = __float2bfloat16(
            rate_bar[((int64_t)j * F + f) * T + t] *
            sigmoid(__bfloat162float(rate_z[at]) + (float)ST_GATE_RATE_BETA));
    }
    const float z = __bfloat162float(scale_z[t * F + f]), sigma = sigmoid(z);
    scale_z_bar[t * F + f] =
        __float2bfloat16(scale_bar[f * T + t] * sigma * (1.0f + z * (1.0f - sigma)));
    if (decay_z_bar) {
        const float mu = sigmoid(__bfloat162float(decay_z[t * F + f]));
        decay_z_bar[t * F + f] = __float2bfloat16(decay_bar[f * T + t] * mu * (1.0f - mu));
    }
}

extern "C" st_status sti_gates_forward_cuda(st_stream *stream, float *rate, float *decay,
                                            float *scale, const void *rate_z, const void *decay_z,
                                            const void *scale_z, int64_t T, int64_t F)
{
    if (T * F == 0)
        return st_ok();
    const dim3 grid((unsigned)((T + THREADS - 1) / THREADS), (unsigned)F);
    gates_forward<<<grid, THREADS, 0, sti_cuda(stream)>>>(
        rate, decay, scale, (const bf16 *)rate_z, (const bf16 *)decay_z, (const bf16 *)scale_z, T,
        (int)F);
    return sti_launched("gates_forward");
}

extern "C" st_status sti_gates_backward_cuda(st_stream *stream, void *rate_z_bar,
                                             void *decay_z_bar, void *scale_z_bar,
                                             const float *rate_bar, const float *decay_bar,
                                             const float *scale_bar, const void *rate_z,
                                             const void *decay_z, const void *scale_z, int64_t T,
                                             int64_t F)
{
    if (T * F == 0)
        return st_ok();
    const dim3 grid((unsigned)((T + THREADS - 1) / THREADS), (unsigned)F);
    gates_backward<<<grid, THREADS, 0, sti_cuda(stream)>>>(
        (bf16 *)rate_z_bar, (bf16 *)decay_z_bar, (bf16 *)scale_z_bar, rate_bar, decay_bar,
        scale_bar, (const bf16 *)rate_z, (const bf16 *)decay_z, (const bf16 *)scale_z, T, (int)F);
    return sti_launched("gates_backward");
}
