/* column_sums.cuh - sums down the rows of a large matrix in a fixed order: every block leaves a
 * partial row in the stream's workspace, and one kernel adds the partial rows, first to last.
 */
#ifndef ST_KERNELS_COLUMN_SUMS_CUH
#define ST_KERNELS_COLUMN_SUMS_CUH

#include "kernels/device.cuh"

/* total[c] += sum of partial[b][c] over b. A block has 32 columns; each of its 32 lines of threads
 * adds every 32nd row, and the first line adds the lines. */
static __global__ void column_sums(float *total, const float *partial, int blocks, int columns)
{
    __shared__ float lines[32][32];
    const int        c = (int)blockIdx.x * 32 + threadIdx.x;
    float            sum = 0.0f;
    for (int b = threadIdx.y; b < blocks && c < columns; b += 32)
        sum += partial[(int64_t)b * columns + c];
    lines[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || c >= columns)
        return;
    for (int i = 1; i < 32; i++)
        sum += lines[i][threadIdx.x];
    total[c] += sum;
}

static inline st_status column_sums_add(st_stream *stream, float *total, const float *partial,
                                        int blocks, int columns)
{
    column_sums<<<(unsigned)((columns + 31) / 32), dim3(32, 32), 0, sti_cuda(stream)>>>(
        total, partial, blocks, columns);
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
