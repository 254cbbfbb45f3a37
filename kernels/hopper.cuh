/* hopper.cuh - the instructions of compute capability 9.0 that kernels here are built from.
 *
 *   tensor map   describes a tensor in global memory; a copy engine brings boxes of it into shared
 *                memory, 64 columns (128 bytes) at a time, 16-byte pieces exchanged so that neither
 *                rows nor columns meet in one bank ("128-byte swizzle")
 *   barrier      counts arrivals and bytes; waits name the parity of the phase they wait for
 *   product      64 x N += 64 x 16 times 16 x N by four warps together, asynchronously; operands
 *                are described by 64-bit words, or A lies in registers
 *
 * A tile of R rows and D columns is D/64 boxes of R rows x 128 bytes, one behind the other, each on
 * a 1024-byte border.
 */
#ifndef ST_KERNELS_HOPPER_CUH
#define ST_KERNELS_HOPPER_CUH

#include "kernels/device.cuh"

#include <cuda.h>

/* Code for 9.0 alone; elsewhere kernels compile to nothing, and launchers ask sti_device.hopper. */
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define STI_HOPPER 1
#endif

static __device__ __forceinline__ uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

#ifdef STI_HOPPER

/* --- barriers --- */

static __device__ __forceinline__ void barrier_init(uint64_t *b, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(arrivals));
}

/* Barriers that were just made become visible to the copy engine. */
static __device__ __forceinline__ void barrier_init_done()
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

static __device__ __forceinline__ void barrier_arrive(uint64_t *b)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}

/* Arrive, and say how many bytes the copy engine will bring in this phase. */
static __device__ __forceinline__ void barrier_expect(uint64_t *b, uint32_t bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)),
                 "r"(bytes)
                 : "memory");
}

static __device__ __forceinline__ void barrier_wait(uint64_t *b, uint32_t parity)
{
    asm volatile("{\n.reg .pred done;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@!done bra again;\n}\n" ::"r"(shared_address(b)),
                 "r"(parity)
                 : "memory");
}

/* --- the next kernel in the queue --- */

/* Its blocks may take their places as soon as this kernel's leave. */
static __device__ __forceinline__ void next_may_begin()
{
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

/* All that was launched before this kernel has happened. */
static __device__ __forceinline__ void before_has_ended()
{
    asm volatile("griddepcontrol.wait;" ::: "memory");
}

/* --- clusters: neighbouring blocks that reach each other's shared memory --- */

static __device__ __forceinline__ int cluster_rank()
{
    int rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

/* All threads of all blocks of the cluster meet. Before: nobody may reach a barrier that its block
 * has yet to make. Behind: a block must stay until no other reaches into it. */
static __device__ __forceinline__ void cluster_meet()
{
    asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

/* Arrive at the barrier that lies at `b` in the shared memory of block `rank` of the cluster. Says
 * that this thread has read; what it wrote is not released to the other block, which would take a
 * fence. */
static __device__ __forceinline__ void barrier_arrive_at(uint64_t *b, int rank)
{
    asm volatile("{\n.reg .b32 there;\n"
                 "mapa.shared::cluster.u32 there, %0, %1;\n"
                 "mbarrier.arrive.shared::cluster.b64 _, [there];\n}"
                 ::"r"(shared_address(b)), "r"(rank)
                 : "memory");
}

/* --- the copy engine --- */

/* One box of a map's tensor, from number x of its innermost side, y of the next and z of the
 * outermost on: of (rows, heads, D) the column, the head and the row. */
static __device__ __forceinline__ void box_load(void *to, const CUtensorMap *map, uint64_t *b,
                                                int x, int y, int z)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
                 "l"(map), "r"(shared_address(b)), "r"(x), "r"(y), "r"(z)
                 : "memory");
}

/* --- products --- */

/* Describe a tile: rows are the M or N side, its 64-column boxes the inner side. One step of 16
 * inner columns is 32 bytes: add 2. */
static __device__ __forceinline__ uint64_t tile_rows(const void *tile)
{
    const uint64_t start = (shared_address(tile) & 0x3ffff) >> 4;
    return start | (uint64_t)1 << 16 | (uint64_t)(1024 >> 4) << 32 | (uint64_t)1 << 62;
}

/* Describe a tile turned: its rows are the inner side, its columns N; `box_bytes` lie between two
 * boxes of 64 columns. One step of 16 rows is 2048 bytes: add 128. */
static __device__ __forceinline__ uint64_t tile_turned(const void *tile, uint32_t box_bytes)
{
    const uint64_t start = (shared_address(tile) & 0x3ffff) >> 4;
    return start | (uint64_t)(box_bytes >> 4) << 16 | (uint64_t)(1024 >> 4) << 32 |
           (uint64_t)1 << 62;
}

/* Registers written so far are ready to be read and written by products. */
static __device__ __forceinline__ void products_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/* Until at most `left` committed groups are still running. */
template <int left> static __device__ __forceinline__ void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(left) : "memory");
}

/* Keeps the compiler from moving reads of accumulators above the wait. */
template <int n> static __device__ __forceinline__ void products_hold(float (&c)[n])
{
#pragma unroll
    for (int i = 0; i < n; i++)
        asm volatile("" : "+f"(c[i])::"memory");
}

/* Accumulators as the operands of wgmma: eight registers from c[8 i] on, and their numbers in the
 * instruction's text, which come first. */
#define WGMMA_8(c, i)                                                                             \
    "+f"(c[8 * (i)]), "+f"(c[8 * (i) + 1]), "+f"(c[8 * (i) + 2]), "+f"(c[8 * (i) + 3]),           \
        "+f"(c[8 * (i) + 4]), "+f"(c[8 * (i) + 5]), "+f"(c[8 * (i) + 6]), "+f"(c[8 * (i) + 7])
#define WGMMA_32(c) WGMMA_8(c, 0), WGMMA_8(c, 1), WGMMA_8(c, 2), WGMMA_8(c, 3)
#define WGMMA_64(c) WGMMA_32(c), WGMMA_8(c, 4), WGMMA_8(c, 5), WGMMA_8(c, 6), WGMMA_8(c, 7)
#define WGMMA_32_NAMES                                                                            \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                      \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define WGMMA_64_NAMES                                                                            \
    WGMMA_32_NAMES ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, "     \
    "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"

/* c = a b, or c += a b where `keep` is not 0; c is (64,64) or (64,128), 16 the inner side. Thread t
 * of the warpgroup holds in c[4j..4j+3] columns 8j + 2 (t % 4), +1 of rows 16 (t / 32) + t % 32 / 4
 * and 8 below. _ss: both described; one that stands ACROSS has the inner side as its rows. _rs: a
 * in registers, b across. */
static __device__ __forceinline__ void product_ss(float (&c)[32], uint64_t a, uint64_t b, int keep)
{
    asm volatile("{\n.reg .pred p;\n"
                 "setp.ne.b32 p, %34, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
                 "{" WGMMA_32_NAMES "}, %32, %33, p, 1, 1, 0, 0;\n}\n"
                 : WGMMA_32(c)
                 : "l"(a), "l"(b), "r"(keep));
}

static __device__ __forceinline__ void product_rs(float (&c)[32], const uint32_t (&a)[4],
                                                  uint64_t b, int keep)
{
    asm volatile("{\n.reg .pred p;\n"
                 "setp.ne.b32 p, %37, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
                 "{" WGMMA_32_NAMES "}, {%32, %33, %34, %35}, %36, p, 1, 1, 1;\n}\n"
                 : WGMMA_32(c)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
}

template <int A_ACROSS = 0, int B_ACROSS = 0>
static __device__ __forceinline__ void product_ss(float (&c)[64], uint64_t a, uint64_t b, int keep)
{
    asm volatile("{\n.reg .pred p;\n"
                 "setp.ne.b32 p, %66, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
                 "{" WGMMA_64_NAMES "}, %64, %65, p, 1, 1, %67, %68;\n}\n"
                 : WGMMA_64(c)
                 : "l"(a), "l"(b), "r"(keep), "n"(A_ACROSS), "n"(B_ACROSS));
}

template <int A_ACROSS, int B_ACROSS>
static __device__ __forceinline__ void product_ss(float (&c)[128], uint64_t a, uint64_t b,
                                                  int keep)
{
    asm volatile("{\n.reg .pred p;\n"
                 "setp.ne.b32 p, %130, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 "
                 "{" WGMMA_64_NAMES ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, "
                 "%75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, "
                 "%90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, "
                 "%104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, "
                 "%116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
                 "%128, %129, p, 1, 1, %131, %132;\n}\n"
                 : WGMMA_64(c), WGMMA_8(c, 8), WGMMA_8(c, 9), WGMMA_8(c, 10), WGMMA_8(c, 11),
                   WGMMA_8(c, 12), WGMMA_8(c, 13), WGMMA_8(c, 14), WGMMA_8(c, 15)
                 : "l"(a), "l"(b), "r"(keep), "n"(A_ACROSS), "n"(B_ACROSS));
}

static __device__ __forceinline__ void product_rs(float (&c)[64], const uint32_t (&a)[4],
                                                  uint64_t b, int keep)
{
    asm volatile("{\n.reg .pred p;\n"
                 "setp.ne.b32 p, %69, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
                 "{" WGMMA_64_NAMES "}, {%64, %65, %66, %67}, %68, p, 1, 1, 1;\n}\n"
                 : WGMMA_64(c)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(keep));
}

/* --- registers --- */

template <int count> static __device__ __forceinline__ void registers_take()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}

template <int count> static __device__ __forceinline__ void registers_give()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}

static __device__ __forceinline__ float exp2_near(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Two numbers as bf16, `low` in the lower half. */
static __device__ __forceinline__ uint32_t pack(float low, float high)
{
    uint32_t y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}

/* `count` threads of the block meet at hardware barrier `id` (0 is __syncthreads' own). */
static __device__ __forceinline__ void meet(int id, int count)
{
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory");
}

/* One warp waits until two consumer groups have come by. */
static __device__ __forceinline__ void groups_pass(int id)
{
    asm volatile("bar.arrive %0, 288;" ::"r"(id) : "memory");
}

static __device__ __forceinline__ void groups_wait(int id)
{
    asm volatile("bar.sync %0, 288;" ::"r"(id) : "memory");
}

#endif /* STI_HOPPER */

#endif
