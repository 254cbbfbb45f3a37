/* ttt_hopper_cluster.cuh - what the kernels share whose blocks stand in pairs: clusters of two,
 * each of which brings half of what both multiply with.
 *
 * In a block one thread feeds a ring through the copy engine, and two warpgroups multiply, 64 rows
 * of a tile each. A part of a ring is free when the warps of both blocks have read it.
 */
#ifndef ST_KERNELS_TTT_HOPPER_CLUSTER_CUH
#define ST_KERNELS_TTT_HOPPER_CLUSTER_CUH

#include "kernels/ttt_hopper.cuh"

enum {
    SIDE = 128,                             /* rows of a block's tile                     */
    CONSUMERS = 256,
    THREADS = CONSUMERS + 128,              /* the last warpgroup feeds                   */
    WARPS = CONSUMERS / 32,
    CLUSTER = 2,
};

/* A ring: where the next part is, the phase of its barriers. */
typedef struct ring {
    uint32_t parity;
    int      part;
} ring;

static __device__ __forceinline__ void step(ring *at, int parts)
{
    if (++at->part == parts)
        at->part = 0, at->parity ^= 1;
}

#ifdef STI_HOPPER

/* Barriers of a ring's parts, and the cluster knows. */
static __device__ __forceinline__ void rings_begin(uint64_t *full, uint64_t *empty, int parts)
{
    if (threadIdx.x == 0) {
        for (int i = 0; i < parts; i++) {
            barrier_init(&full[i], 1);
            barrier_init(&empty[i], CLUSTER * WARPS);
        }
        barrier_init_done();
    }
    cluster_meet();
}

/* A box for both blocks, to the same place. */
static __device__ __forceinline__ void bring_both(unsigned char *to, uint64_t *full,
                                                  const CUtensorMap *map, int x, int y, int head)
{
    copy_in_shared(to, map, full, x, y, head, (1 << CLUSTER) - 1);
}

/* This warp has read a part: both blocks hear of it. */
static __device__ __forceinline__ void give_back(uint64_t *empty)
{
    if (threadIdx.x % 32 < CLUSTER)
        barrier_arrive_at(empty, threadIdx.x % 32);
}

#endif /* STI_HOPPER */

/* --- host --------------------------------------------------------------------------------- */

/* By the copy engine, or 16 bytes at a time. */
static inline bool reachable(const void *p)
{
    return (uintptr_t)p % 16 == 0;
}

/* Launch `kernel` in `clusters` clusters. Its blocks may take their places while the kernel before
 * ends, so it calls before_has_ended. */
template <typename ARGS>
static st_status cluster_launch(st_stream *q, void (*kernel)(ARGS), const ARGS *args, int clusters,
                                int shared_bytes, const char *name)
{
    STI_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  shared_bytes),
             "%s: shared memory", name);
    cudaLaunchAttribute how[2] = {};
    how[0].id = cudaLaunchAttributeClusterDimension;
    how[0].val.clusterDim.x = CLUSTER, how[0].val.clusterDim.y = how[0].val.clusterDim.z = 1;
    how[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    how[1].val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((unsigned)(CLUSTER * clusters));
    config.blockDim = dim3(THREADS);
    config.dynamicSmemBytes = (size_t)shared_bytes;
    config.stream = sti_cuda(q);
    config.attrs = how, config.numAttrs = 2;
    STI_CUDA(cudaLaunchKernelEx(&config, kernel, *args), "%s", name);
    return sti_launched(name);
}

#endif
