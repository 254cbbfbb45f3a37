/* column_sums.cuh - sums down the rows of a large matrix in a fixed order: every block leaves a
 * partial row in the stream's workspace, and one kernel adds the partial rows, first to last.
 */
#ifndef ST_KERNELS_COLUMN_SUMS_CUH
#define ST_KERNELS_COLUMN_SUMS_CUH

#include "kernels/device.cuh"

/* total[c] += sum of partial[b][c] over b */
static __global__ void column_sums(float *total, const float *partial, int blocks, int columns)
{
    const int c = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (c >= columns)
        return;
    float sum = 0.0f;
    for (int b = 0; b < blocks; b++)
        sum += partial[(int64_t)b * columns + c];
    total[c] += sum;
}

static inline st_status column_sums_add(st_stream *stream, float *total, const float *partial,
                                        int blocks, int columns)
{
    column_sums<<<(unsigned)((columns + 63) / 64), 64, 0, sti_cuda(stream)>>>(total, partial,
                                                                              blocks, columns);
    return sti_launched("column_sums");
}

/* Four bf16 as floats, and back. */
static __device__ __forceinline__ float4 widen4(uint2 x)
{
    return make_float4(__uint_as_float(x.x << 16), __uint_as_float(x.x & 0xffff0000u),
                       __uint_as_float(x.y << 16), __uint_as_float(x.y & 0xffff0000u));
}

static __device__ __forceinline__ uint2 narrow4(float a, float b, float c, float d)
{
    const __nv_bfloat162 low = __floats2bfloat162_rn(a, b), high = __floats2bfloat162_rn(c, d);
    return make_uint2(*(const uint32_t *)&low, *(const uint32_t *)&high);
}

#endif
