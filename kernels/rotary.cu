/* rotary.cu - the CUDA twins of rotary.c. */
#include "kernels/around_internal.h"
#include "kernels/device.cuh"
#include "kernels/rotary.h"

enum { THREADS = 256 };

/* The angle as rotary.c forms it: an f32 product near, a reduced double far. */
static __device__ double angle_of(int64_t position, float frequency)
{
    if (position < ST_ROTARY_F32_POSITIONS && position > -ST_ROTARY_F32_POSITIONS)
        return (double)__fmul_rn((float)position, frequency);
    return fmod((double)position * frequency, 6.283185307179586);
}

static __global__ void rotary_text_table(float *cosine, float *sine, const int64_t *position,
                                         int64_t T, sti_rotary_axes axes)
{
    const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= T * axes.J)
        return;
    const int64_t t = n / axes.J;
    const int     j = (int)(n % axes.J);
    double        c, s;
    sincos(angle_of(position[axes.axis[j] * T + t], axes.frequency[j]), &s, &c);
    cosine[n] = (float)c;
    sine[n]   = (float)s;
}

static __global__ void rotary_grid_table(float *cosine, float *sine, int64_t patches, int columns,
                                         sti_rotary_axes axes)
{
    const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= patches * axes.J)
        return;
    const int64_t block = n / axes.J / 4, within = n / axes.J % 4;
    const int     j = (int)(n % axes.J), half = axes.J / 2;
    const int64_t y = block / (columns / 2) * 2 + within / 2;
    const int64_t x = block % (columns / 2) * 2 + within % 2;
    double        c, s;
    sincos(angle_of(j < half ? y : x, axes.frequency[j % half]), &s, &c);
    cosine[n] = (float)c;
    sine[n]   = (float)s;
}

/* One thread turns two neighbouring pairs, or the one that an odd J leaves. */
static __global__ void rotary_apply(bf16 *y, const bf16 *x, int64_t T, int H, int J, int64_t row,
                                    const float *cosine, const float *sine, int64_t R, float sign)
{
    const int     steps = (J + 1) / 2;
    const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= T * H * steps)
        return;
    const int     j = (int)(n % steps) * 2;
    const int64_t h = n / steps % H, t = n / steps / H;
    const int64_t at = t * row + h * 2 * J + j;
    const float  *c = cosine + t % R * J + j, *s = sine + t % R * J + j;
    for (int i = 0; i < 2 && j + i < J; i++) {
        const float a = __bfloat162float(x[at + i]), b = __bfloat162float(x[at + i + J]);
        const float si = sign * s[i];
        y[at + i]     = __float2bfloat16(a * c[i] - b * si);
        y[at + i + J] = __float2bfloat16(b * c[i] + a * si);
    }
}

static unsigned blocks(int64_t n)
{
    return (unsigned)((n + THREADS - 1) / THREADS);
}

extern "C" st_status sti_rotary_text_table_cuda(st_stream *stream, float *cosine, float *sine,
                                                const int64_t *position, int64_t T,
                                                const sti_rotary_axes *axes)
{
    if (T == 0)
        return st_ok();
    rotary_text_table<<<blocks(T * axes->J), THREADS, 0, sti_cuda(stream)>>>(cosine, sine,
                                                                             position, T, *axes);
    return sti_launched("rotary_text_table");
}

extern "C" st_status sti_rotary_grid_table_cuda(st_stream *stream, float *cosine, float *sine,
                                                int64_t rows, int64_t columns,
                                                const sti_rotary_axes *axes)
{
    if (rows * columns == 0)
        return st_ok();
    rotary_grid_table<<<blocks(rows * columns * axes->J), THREADS, 0, sti_cuda(stream)>>>(
        cosine, sine, rows * columns, (int)columns, *axes);
    return sti_launched("rotary_grid_table");
}

extern "C" st_status sti_rotary_apply_cuda(st_stream *stream, void *y, const void *x, int64_t T,
                                           int64_t H, int64_t D, int64_t row, const float *cosine,
                                           const float *sine, int64_t R, float sign)
{
    if (T * H * D == 0)
        return st_ok();
    const int J = (int)(D / 2);
    rotary_apply<<<blocks(T * H * ((J + 1) / 2)), THREADS, 0, sti_cuda(stream)>>>(
        (bf16 *)y, (const bf16 *)x, T, (int)H, J, row, cosine, sine, R, sign);
    return sti_launched("rotary_apply");
}
