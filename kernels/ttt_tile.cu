/* ttt_tile.cu - maps for Hopper's copy engine; the driver's function is fetched at run time, so
 * that nothing links against the driver.
 */
#include "kernels/ttt_tile.cuh"

typedef CUresult encode_function(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *,
                                 const cuuint64_t *, const cuuint64_t *, const cuuint32_t *,
                                 const cuuint32_t *, CUtensorMapInterleave, CUtensorMapSwizzle,
                                 CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

static encode_function *find_encode(void)
{
    void *found = NULL;
    cudaDriverEntryPointQueryResult result;
    if (cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault,
                                         &result) != cudaSuccess ||
        result != cudaDriverEntryPointSuccess)
        return NULL;
    return (encode_function *)found;
}

st_status sti_tile_map(CUtensorMap *map, const void *base, int64_t cols, int64_t rows,
                       int64_t depth, int64_t pitch, int64_t step, int box_rows)
{
    static encode_function *const encode = find_encode();
    const cuuint64_t sizes[3] = {(cuuint64_t)cols, (cuuint64_t)rows, (cuuint64_t)depth};
    const cuuint64_t strides[2] = {(cuuint64_t)pitch * 2, (cuuint64_t)step * 2};
    const cuuint32_t box[3] = {TILE_COLS, (cuuint32_t)box_rows, 1}, steps[3] = {1, 1, 1};
    if (!encode)
        return ST_FAIL(ST_ERR_DEVICE, "the driver has no tensor maps");
    const CUresult e = encode(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, (void *)base, sizes,
                              strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                              CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                              CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (e != CUDA_SUCCESS)
        return ST_FAIL(ST_ERR_DEVICE, "no tensor map for (%lld,%lld,%lld) bf16: error %d",
                       (long long)depth, (long long)rows, (long long)cols, (int)e);
    return st_ok();
}
