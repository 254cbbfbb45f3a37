/* tensor.h - a view of numbers: where they are, what they are, how they are shaped.
 *
 * Always dense, always row-major; no reference count, no graph, no strides. Shapes are written
 * outermost first: {B,T,C} is x[b][t][c].
 *
 * May include: status.h.
 */
#ifndef ST_BASE_TENSOR_H
#define ST_BASE_TENSOR_H

#include "kernels/base/status.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ST_RANK_MAX = 6 };

typedef enum st_dtype {
    ST_F32,
    ST_BF16,
    ST_F16,
    ST_F64,
    ST_I64,
    ST_I32,
    ST_U8,
    ST_DTYPE_COUNT
} st_dtype;

typedef enum st_place { ST_PLACE_HOST, ST_PLACE_DEVICE } st_place;

typedef struct st_tensor {
    void    *data;                  /* belongs to someone else              */
    int64_t  shape[ST_RANK_MAX];    /* outermost first                      */
    int      rank;                  /* 0 is a single number                 */
    st_dtype dtype;
    st_place place;
} st_tensor;

size_t      st_dtype_size(st_dtype dtype);          /* bytes of one element      */
const char *st_dtype_name(st_dtype dtype);          /* "f32", "bf16", ...        */
int64_t     st_tensor_count(const st_tensor *x);    /* product of the shape      */
size_t      st_tensor_bytes(const st_tensor *x);

/* "f32 (2,3)" into `text`, cut to `size`; returns text. */
const char *st_tensor_describe(const st_tensor *x, char *text, size_t size);

/* Fails with "y must be f32 (2,4), is f32 (2,3)" unless x has this type, rank and shape. A
 * negative extent in `shape` fits any. */
ST_CHECKED st_status st_tensor_expect(const st_tensor *x, const char *name, st_dtype dtype,
                                      int rank, const int64_t *shape);

/* bf16 is the upper half of an f32. Widening is exact, narrowing rounds to nearest even and keeps
 * NaN a NaN. */
static inline float st_f32_from_bf16(uint16_t h)
{
    const uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint16_t st_bf16_from_f32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x0040u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

float st_f32_from_f16(uint16_t h);

#ifdef __cplusplus
}
#endif

#endif
