/* device.cuh - what the .cu files of this room share: the device behind a stream, and the few
 * lines of warp arithmetic that every kernel writes.
 */
#ifndef ST_KERNELS_DEVICE_CUH
#define ST_KERNELS_DEVICE_CUH

#include "kernels/internal.h"

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>

typedef __nv_bfloat16 bf16;

enum { STI_PLANS_MAX = 256 };   /* distinct product shapes remembered by one device context */

/* A product shape and the algorithm cuBLASLt chose for it. */
typedef struct sti_plan {
    st_product             key;     /* pointers, alpha and beta's value zeroed */
    cublasLtMatmulDesc_t   op;
    cublasLtMatrixLayout_t y, a, b;
    cublasLtMatmulAlgo_t   algo;
} sti_plan;

struct sti_device {
    int              number;
    cudaStream_t     stream;
    cudaEvent_t      mark[ST_STREAM_MARKS];
    cublasLtHandle_t lt;
    void            *workspace;     /* cuBLASLt's, WORKSPACE_BYTES of stream.cu */
    size_t           workspace_bytes;
    int              processor_count;
    int              capability;    /* 90 is 9.0                                       */
    bool             hopper;        /* 9.0, and this program has its own code for it   */
    sti_plan         plan[STI_PLANS_MAX];
    int              plan_count;
};

static inline cudaStream_t sti_cuda(st_stream *q)
{
    return q->device->stream;
}

/* Pass a CUDA failure up as a sentence: STI_CUDA(cudaMalloc(...), "cannot reserve 3 bytes"). */
#define STI_CUDA(call, ...)                                                                       \
    do {                                                                                          \
        const cudaError_t cuda_ = (call);                                                         \
        if (cuda_ != cudaSuccess)                                                                 \
            return st_within(ST_FAIL(cuda_ == cudaErrorMemoryAllocation ? ST_ERR_MEMORY           \
                                                                        : ST_ERR_DEVICE,          \
                                     "%s", cudaGetErrorString(cuda_)),                            \
                             __VA_ARGS__);                                                        \
    } while (0)

static __device__ __forceinline__ float warp_sum(float x)
{
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

static __device__ __forceinline__ float warp_max(float x)
{
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, step));
    return x;
}

#endif
