/* ttt_tile.cuh - tiles that the copy engine brings and takes away, and wgmma multiplies.
 *
 * A tile is 128 rows of 64 bf16, 16 KiB, with the 128-byte swizzle: 16-byte unit u of row r lies
 * at unit u ^ (r % 8). A tile is read in two ways:
 *
 *   along K    rows are rows (or columns) of the product, the 64 are its inner side
 *   across K   the 64 are columns of the product, the tile's rows its inner side; then a tile is
 *              two boxes of 64 rows, 64 columns each
 */
#ifndef ST_KERNELS_TTT_TILE_CUH
#define ST_KERNELS_TTT_TILE_CUH

#include "kernels/hopper.cuh"

enum {
    TILE_ROWS = 128,
    TILE_COLS = 64,
    TILE_BYTES = TILE_ROWS * TILE_COLS * 2,
    BOX_BYTES = TILE_BYTES / 2,         /* 64 rows */
};

/* A map of bf16 numbers (depth,rows,cols), rows `pitch` and planes `step` elements apart, in boxes
 * of 64 columns and `box_rows` rows. What lies outside reads as zero and is not written. */
st_status sti_tile_map(CUtensorMap *map, const void *base, int64_t cols, int64_t rows,
                       int64_t depth, int64_t pitch, int64_t step, int box_rows);

/* The same of f32 numbers, in boxes of 32 columns. */
st_status sti_tile_map_wide(CUtensorMap *map, const float *base, int64_t cols, int64_t rows,
                            int64_t depth, int64_t pitch, int64_t step, int box_rows);

#ifdef STI_HOPPER

/* Ordinary work of this thread in shared memory comes before later work there of the copy engine
 * and wgmma. */
static __device__ __forceinline__ void fence_async_shared()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/* The same in global memory: what this thread has waited for comes before its later copies in. (One
 * fence for both kinds of memory would wait for all the thread ever wrote.) */
static __device__ __forceinline__ void fence_async_global()
{
    asm volatile("fence.proxy.async.global;" ::: "memory");
}

/* Numbers in shared memory by 32-bit address: a pointer that was rounded up would be a generic one,
 * and each access would cost a dozen instructions. */
static __device__ __forceinline__ float4 shared_load_f4(uint32_t address)
{
    float4 x;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w) : "r"(address) : "memory");
    return x;
}

static __device__ __forceinline__ void shared_store_f4(uint32_t address, float4 x)
{
    asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(address), "f"(x.x), "f"(x.y),
                 "f"(x.z), "f"(x.w) : "memory");
}

static __device__ __forceinline__ void shared_load2(float *x, uint32_t address)
{
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x[0]), "=f"(x[1]) : "r"(address)
                 : "memory");
}

static __device__ __forceinline__ void shared_store2(uint32_t address, float x, float y)
{
    asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(address), "f"(x), "f"(y) : "memory");
}

static __device__ __forceinline__ uint4 shared_load4(uint32_t address)
{
    uint4 x;
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "r"(address) : "memory");
    return x;
}

static __device__ __forceinline__ void shared_store4(uint32_t address, uint4 x)
{
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(x.x), "r"(x.y),
                 "r"(x.z), "r"(x.w) : "memory");
}

/* Four matrices of 8 x 8 bf16 by one warp: lane l names row l % 8 of matrix l / 8, and has of each
 * matrix columns 2 (l % 4), +1 of row l / 4. Turned, the rows named are columns of the matrix. */
static __device__ __forceinline__ uint4 matrices_load(uint32_t address)
{
    uint4 x;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w) : "r"(address) : "memory");
    return x;
}

static __device__ __forceinline__ void matrices_store(uint32_t address, uint4 x)
{
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
                 "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w) : "memory");
}

static __device__ __forceinline__ void matrices_store_turned(uint32_t address, uint4 x)
{
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};"
                 ::"r"(address), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w) : "memory");
}

/* The halves of two bf16 as f32. */
static __device__ __forceinline__ float low_of(uint32_t x)
{
    return __uint_as_float(x << 16);
}

static __device__ __forceinline__ float high_of(uint32_t x)
{
    return __uint_as_float(x & 0xffff0000u);
}

/* A box, as by box_load, to the same place in every block of the cluster that has its bit in
 * `blocks`; the barrier at `bar` of each such block hears of it. */
static __device__ __forceinline__ void copy_in_shared(void *to, const CUtensorMap *map,
                                                      uint64_t *bar, int x, int y, int z,
                                                      uint16_t blocks)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 ".multicast::cluster [%0], [%1, {%3, %4, %5}], [%2], %6;"
                 ::"r"(shared_address(to)), "l"(map), "r"(shared_address(bar)), "r"(x), "r"(y),
                 "r"(z), "h"(blocks) : "memory");
}

static __device__ __forceinline__ void copy_out(const CUtensorMap *map, const void *from, int x,
                                                int y, int z)
{
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group "
                 "[%1, {%2, %3, %4}], [%0];" ::"r"(shared_address(from)), "l"(map), "r"(x),
                 "r"(y), "r"(z) : "memory");
}

/* The same of f32 numbers, added to what is there. */
static __device__ __forceinline__ void copy_add(const CUtensorMap *map, const void *from, int x,
                                                int y, int z)
{
    asm volatile("cp.reduce.async.bulk.tensor.3d.global.shared::cta.add.tile.bulk_group "
                 "[%1, {%2, %3, %4}], [%0];" ::"r"(shared_address(from)), "l"(map), "r"(x),
                 "r"(y), "r"(z) : "memory");
}

static __device__ __forceinline__ void copy_out_commit()
{
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

/* Everything this thread has committed has left shared memory. */
static __device__ __forceinline__ void copy_out_left()
{
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

/* Everything this thread copied out is in global memory. */
static __device__ __forceinline__ void copy_out_wait()
{
    asm volatile("cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;" ::: "memory");
}

/* A box on its way to L2, for whoever copies it in later. */
static __device__ __forceinline__ void box_prefetch(const CUtensorMap *map, int x, int y, int z)
{
    asm volatile("cp.async.bulk.prefetch.tensor.3d.L2.global.tile [%0, {%1, %2, %3}];" ::"l"(map),
                 "r"(x), "r"(y), "r"(z) : "memory");
}

/* `bytes` as they lie: a multiple of 16, as is the address. */
static __device__ __forceinline__ void prefetch(const void *from, uint32_t bytes)
{
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
}

/* An operand's first 16 of K, and the way from one 16 to the next. */
static __device__ __forceinline__ uint64_t operand(const void *tile, bool across)
{
    return across ? tile_turned(tile, BOX_BYTES) : tile_rows(tile);
}

static __device__ __forceinline__ uint64_t operand_step(bool across)
{
    return across ? 2048 >> 4 : 32 >> 4;
}

#endif /* STI_HOPPER */

#endif
