/* tensor.c - sizes, names and the checks that name what was expected and found. */
#include "kernels/base/tensor.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t      size;
} dtypes[ST_DTYPE_COUNT] = {
    [ST_F32] = {"f32", 4}, [ST_BF16] = {"bf16", 2}, [ST_F16] = {"f16", 2}, [ST_F64] = {"f64", 8},
    [ST_I64] = {"i64", 8}, [ST_I32] = {"i32", 4},   [ST_U8] = {"u8", 1},
};

size_t st_dtype_size(st_dtype dtype)
{
    ST_ASSERT((unsigned)dtype < ST_DTYPE_COUNT);
    return dtypes[dtype].size;
}

const char *st_dtype_name(st_dtype dtype)
{
    ST_ASSERT((unsigned)dtype < ST_DTYPE_COUNT);
    return dtypes[dtype].name;
}

int64_t st_tensor_count(const st_tensor *x)
{
    int64_t count = 1;
    for (int i = 0; i < x->rank; i++)
        count *= x->shape[i];
    return count;
}

size_t st_tensor_bytes(const st_tensor *x)
{
    return (size_t)st_tensor_count(x) * st_dtype_size(x->dtype);
}

static const char *describe(char *text, size_t size, st_dtype dtype, int rank, const int64_t *shape)
{
    size_t used = (size_t)snprintf(text, size, "%s (", st_dtype_name(dtype));
    for (int i = 0; i < rank && used < size; i++) {
        const char *comma = i > 0 ? "," : "";
        const int n = shape[i] < 0 ? snprintf(text + used, size - used, "%s*", comma)
                                   : snprintf(text + used, size - used, "%s%lld", comma,
                                              (long long)shape[i]);
        used += (size_t)n;
    }
    if (used < size)
        snprintf(text + used, size - used, ")");
    return text;
}

const char *st_tensor_describe(const st_tensor *x, char *text, size_t size)
{
    return describe(text, size, x->dtype, x->rank, x->shape);
}

st_status st_tensor_expect(const st_tensor *x, const char *name, st_dtype dtype, int rank,
                           const int64_t *shape)
{
    bool fits = x->dtype == dtype && x->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = shape[i] < 0 || shape[i] == x->shape[i];
    if (fits)
        return st_ok();

    char expected[80], found[80];
    return ST_FAIL(ST_ERR_DATA, "%s must be %s, is %s", name,
                   describe(expected, sizeof expected, dtype, rank, shape),
                   st_tensor_describe(x, found, sizeof found));
}

float st_f32_from_f16(uint16_t h)
{
    const int   exponent = (h >> 10) & 31, mantissa = h & 1023;
    const float sign = h & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31)
        return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexpf((float)mantissa, -24);
    return sign * ldexpf((float)(mantissa + 1024), exponent - 25);
}
