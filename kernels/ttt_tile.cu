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

/* In boxes of 128 bytes a row. */
static st_status make_map(CUtensorMap *map, CUtensorMapDataType type, int64_t element_bytes,
                          const void *base, int64_t cols, int64_t rows, int64_t depth,
                          int64_t pitch, int64_t step, int box_rows)
{
    static encode_function *const encode = find_encode();
    const cuuint64_t sizes[3] = {(cuuint64_t)cols, (cuuint64_t)rows, (cuuint64_t)depth};
    const cuuint64_t strides[2] = {(cuuint64_t)(pitch * element_bytes),
                                   (cuuint64_t)(step * element_bytes)};
    const cuuint32_t box[3] = {(cuuint32_t)(128 / element_bytes), (cuuint32_t)box_rows, 1};
    const cuuint32_t steps[3] = {1, 1, 1};
    if (!encode)
        return ST_FAIL(ST_ERR_DEVICE, "the driver has no tensor maps");
    const CUresult e = encode(map, type, 3, (void *)base, sizes, strides, box, steps,
                              CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                              CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                              CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (e != CUDA_SUCCESS)
        return ST_FAIL(ST_ERR_DEVICE, "no tensor map for (%lld,%lld,%lld) of %lld bytes: error %d",
                       (long long)depth, (long long)rows, (long long)cols,
                       (long long)element_bytes, (int)e);
    return st_ok();
}

st_status sti_tile_map(CUtensorMap *map, const void *base, int64_t cols, int64_t rows,
                       int64_t depth, int64_t pitch, int64_t step, int box_rows)
{
    return make_map(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, base, cols, rows, depth, pitch, step,
                    box_rows);
}

st_status sti_tile_map_wide(CUtensorMap *map, const float *base, int64_t cols, int64_t rows,
                            int64_t depth, int64_t pitch, int64_t step, int box_rows)
{
    return make_map(map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4, base, cols, rows, depth, pitch, step,
                    box_rows);
}
