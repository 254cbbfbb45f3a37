/* attention.cuh - what the CUDA bodies of attention share: how tiles see each other, how tensors
 * are described to the copy engine, and the shape of a product's answer in registers.
 *
 * A consumer group is four warps that own 64 rows. Of such a 64 x N answer, thread t holds rows
 * t%32/4 + 16*(t/32%4) and that plus 8; c[4j], c[4j+1] are columns 8j + 2*(t%4) and the next of the
 * first row, c[4j+2], c[4j+3] those of the second.
 */
#ifndef ST_KERNELS_ATTENTION_CUH
#define ST_KERNELS_ATTENTION_CUH

#include "kernels/attention_internal.h"
#include "kernels/hopper.cuh"

#include <cudaTypedefs.h>

#define LOG2_E 1.4426950408889634f

/* What every block needs to know of a problem. */
typedef struct attention_shape {
    int            T, H, group;         /* group: query heads to a key head      */
    int            causal, window;      /* window 0: no limit                    */
    float          scale;               /* of <q,k>                              */
    const int32_t *starts;              /* (segments+1) or NULL                  */

    /* A cache: the first query stands at `position`, keys before `first` are gone, and the key at p
     * lies in row p % capacity. Without one: 0, 0, and a capacity that nothing reaches. */
    int position, first, capacity;
} attention_shape;

static __device__ __forceinline__ void segment_get(const attention_shape &a, int s, int *begin,
                                                   int *length)
{
    *begin  = a.starts ? a.starts[s] : 0;
    *length = (a.starts ? a.starts[s + 1] : a.T) - *begin;
}

/* Keys that queries at [row, row + rows) can see, of a segment that ends at `length`: [low, high).
 * Rows and keys are counted by position. */
static __device__ __forceinline__ void keys_of(const attention_shape &a, int row, int rows,
                                               int length, int *low, int *high)
{
    const int last = min(row + rows, length);
    *low  = a.window > 0 ? max(a.first, row - a.window + 1) : a.first;
    *high = a.causal ? last : length;
}

/* Rows that can see keys [key, key + keys): [low, high). */
static __device__ __forceinline__ void rows_of(const attention_shape &a, int key, int keys,
                                               int length, int *low, int *high)
{
    const int last = min(key + keys, length);
    *low  = a.causal ? key : 0;
    *high = a.window > 0 ? min(length, last - 1 + a.window) : length;
}

static __device__ __forceinline__ bool sees(const attention_shape &a, int row, int key, int length)
{
    return key < length && key >= a.first && (!a.causal || key <= row) &&
           (a.window <= 0 || key > row - a.window);
}

/* Whether some pair of the tile must be hidden. */
static __device__ __forceinline__ bool tile_needs_mask(const attention_shape &a, int row, int rows,
                                                       int key, int keys, int length)
{
    return key + keys > length || key < a.first || (a.causal && key + keys - 1 > row) ||
           (a.window > 0 && key <= row + rows - 1 - a.window);
}

/* --- host --- */

/* Describe a (rows, heads, D) tensor whose tokens lie `row` elements apart, to be read in boxes of
 * `box_rows` tokens of one head and 64 columns. */
static inline st_status attention_map(CUtensorMap *map, const void *data, int64_t rows,
                                      int64_t heads, int64_t D, int64_t row, int box_rows,
                                      const char *name)
{
    static PFN_cuTensorMapEncodeTiled_v12000 encode;
    if (!encode) {
        cudaDriverEntryPointQueryResult found;
        void *entry = NULL;
        STI_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000,
                                                  cudaEnableDefault, &found),
                 "attention: the driver's tensor maps");
        if (found != cudaDriverEntryPointSuccess)
            return ST_FAIL(ST_ERR_DEVICE, "attention: the driver knows no tensor maps");
        encode = (PFN_cuTensorMapEncodeTiled_v12000)entry;
    }
    if ((uintptr_t)data % 16 || row % 8)
        return ST_FAIL(ST_ERR_USAGE, "attention: rows of %s must begin on 16-byte borders", name);

    const cuuint64_t size[3]    = {(cuuint64_t)D, (cuuint64_t)heads, (cuuint64_t)rows};
    const cuuint64_t stride[2]  = {(cuuint64_t)D * 2, (cuuint64_t)row * 2};    /* bytes */
    const cuuint32_t box[3]     = {64, 1, (cuuint32_t)box_rows};
    const cuuint32_t element[3] = {1, 1, 1};
    const CUresult   r = encode(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, (void *)data, size,
                                stride, box, element, CU_TENSOR_MAP_INTERLEAVE_NONE,
                                CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (r != CUDA_SUCCESS)
        return ST_FAIL(ST_ERR_DEVICE, "attention: the driver refuses a map of %s (%d)", name,
                       (int)r);
    return st_ok();
}

static inline attention_shape attention_shape_of(const sti_attention *a)
{
    attention_shape s;
    s.T      = (int)a->T;
    s.H      = (int)a->H;
    s.group  = (int)(a->H / a->Hkv);
    s.causal = a->mask == ST_ATTENTION_CAUSAL;
    s.window = (int)(a->window > a->T ? 0 : a->window);
    s.scale  = a->scale;
    s.starts = a->starts;

    s.position = s.first = 0;
    s.capacity = INT32_MAX;
    return s;
}

#ifdef STI_HOPPER

/* Answers of one consumer group, 64 rows of D columns, to global memory by way of shared memory:
 * `staging` is 64 rows of a tile whose boxes are `box_rows` rows high, `to` the group's first row.
 * Rows from `rows` on are not written. */
template <int D>
static __device__ __forceinline__ void store_rows(bf16 *to, int64_t pitch, const float (&c)[D / 2],
                                                  float factor0, float factor1, bf16 *staging,
                                                  int box_rows, int rows, int group)
{
    const int t = threadIdx.x % 128, row = t / 32 * 16 + t % 32 / 4;
    meet(group, 128);                  /* nobody reads what lay here before */
#pragma unroll
    for (int j = 0; j < D / 8; j++) {
        char *box = (char *)staging + j / 8 * box_rows * 128;
        const int at = ((j % 8) ^ (row % 8)) * 16 + t % 4 * 4;      /* row and row+8 agree mod 8 */
        *(uint32_t *)(box + row * 128 + at) = pack(c[4 * j] * factor0, c[4 * j + 1] * factor0);
        *(uint32_t *)(box + (row + 8) * 128 + at) =
            pack(c[4 * j + 2] * factor1, c[4 * j + 3] * factor1);
    }
    meet(group, 128);
#pragma unroll
    for (int i = 0; i < D / 16; i++) {      /* 64 rows of D/8 pieces over 128 threads */
        const int piece = i * 128 + t, r = piece / (D / 8), p = piece % (D / 8);
        const char *box = (const char *)staging + p / 8 * box_rows * 128;
        if (r < rows)
            *(uint4 *)(to + r * pitch + p * 8) =
                *(const uint4 *)(box + r * 128 + ((p % 8) ^ (r % 8)) * 16);
    }
}

#endif /* STI_HOPPER */

#endif
