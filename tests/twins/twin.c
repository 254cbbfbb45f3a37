/* twin.c - see twin.h. */
#include "twins/twin.h"

static st_rng rng_of(twin_fixture *f)
{
    return st_rng_from(st_hash_int(st_hash_text(1, "twin"), (int64_t)f->draws++));
}

int twin_setup(void **state)
{
    twin_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    must(st_stream_create_host(&f->host, NULL));
    must(st_stream_create_device(&f->device, 0));
    *state = f;
    return 0;
}

int twin_teardown(void **state)
{
    twin_fixture *f = *state;
    twin_clear(f);
    st_stream_free(f->host);
    st_stream_free(f->device);
    free(f);
    return 0;
}

void twin_clear(twin_fixture *f)
{
    for (int i = 0; i < f->made_count; i++) {
        twin *t = f->made[i];
        st_slab slab = {.base = t->device_block, .place = ST_PLACE_DEVICE};
        st_slab_free(f->device, &slab);
        free(t->host_block);
        free(t);
    }
    f->made_count = 0;
}

static twin *make(twin_fixture *f, st_dtype dtype, int rank, const int64_t *shape)
{
    assert_true(f->made_count < TWIN_MAX);
    twin *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->host = (st_tensor){.rank = rank, .dtype = ST_F32, .place = ST_PLACE_HOST};
    t->device = (st_tensor){.rank = rank, .dtype = dtype, .place = ST_PLACE_DEVICE};
    for (int i = 0; i < rank; i++)
        t->host.shape[i] = t->device.shape[i] = shape[i];

    st_slab slab;
    void *block;
    st_slab_plan(&slab, "twin", ST_PLACE_DEVICE);
    must(st_slab_take(&slab, &block, st_tensor_bytes(&t->device) + 2 * TWIN_CANARY_BYTES, 1,
                      "twin"));
    must(st_slab_create(f->device, &slab));
    t->device_block = slab.base;
    t->host_block = malloc(st_tensor_bytes(&t->host) + 2 * TWIN_CANARY_BYTES);
    assert_non_null(t->host_block);
    t->host.data = t->host_block + TWIN_CANARY_BYTES;
    t->device.data = t->device_block + TWIN_CANARY_BYTES;

    /* 0xff everywhere: a NaN in every type, and the canary itself. */
    memset(t->host_block, 0xff, st_tensor_bytes(&t->host) + 2 * TWIN_CANARY_BYTES);
    must(st_fill_bytes(f->device, t->device_block, 0xff,
                       st_tensor_bytes(&t->device) + 2 * TWIN_CANARY_BYTES));
    f->made[f->made_count++] = t;
    return t;
}

static void send(twin_fixture *f, twin *t)
{
    const int64_t count = st_tensor_count(&t->host);
    float *x = t->host.data;
    if (t->device.dtype == ST_F32) {
        must(st_copy(f->device, &t->device, &t->host));
        must(st_stream_wait(f->device));
        return;
    }
    assert_int_equal(t->device.dtype, ST_BF16);
    uint16_t *narrow = malloc((size_t)count * sizeof *narrow + 1);
    assert_non_null(narrow);
    for (int64_t i = 0; i < count; i++) {
        narrow[i] = st_bf16_from_f32(x[i]);
        x[i] = st_f32_from_bf16(narrow[i]);
    }
    must(st_copy_bytes(f->device, t->device.data, ST_PLACE_DEVICE, narrow, ST_PLACE_HOST,
                       (size_t)count * sizeof *narrow));
    must(st_stream_wait(f->device));
    free(narrow);
}

twin *twin_random(twin_fixture *f, st_dtype dtype, float low, float high, int rank,
                  const int64_t *shape)
{
    twin *t = make(f, dtype, rank, shape);
    st_rng rng = rng_of(f);
    float *x = t->host.data;
    for (int64_t i = 0; i < st_tensor_count(&t->host); i++)
        x[i] = low + (high - low) * (float)st_rng_unit(&rng);
    send(f, t);
    return t;
}

twin *twin_canaried(twin_fixture *f, st_dtype dtype, int rank, const int64_t *shape)
{
    return make(f, dtype, rank, shape);
}

twin *twin_values(twin_fixture *f, st_dtype dtype, const float *values, int rank,
                  const int64_t *shape)
{
    twin *t = make(f, dtype, rank, shape);
    memcpy(t->host.data, values, st_tensor_bytes(&t->host));
    send(f, t);
    return t;
}

float *twin_device_values(twin_fixture *f, const twin *t)
{
    const int64_t count = st_tensor_count(&t->device);
    float *wide = malloc((size_t)count * sizeof *wide + 1);
    assert_non_null(wide);
    must(st_copy_bytes(f->device, wide, ST_PLACE_HOST, t->device.data, ST_PLACE_DEVICE,
                       st_tensor_bytes(&t->device)));
    must(st_stream_wait(f->device));
    if (t->device.dtype == ST_BF16) {   /* widen in place, from the far end */
        for (int64_t i = count - 1; i >= 0; i--) {
            uint16_t h;
            memcpy(&h, (unsigned char *)wide + 2 * i, sizeof h);
            wide[i] = st_f32_from_bf16(h);
        }
    }
    return wide;
}

static void compare(twin_fixture *f, const twin *t, double *max_ratio, double *norm_ratio)
{
    float *got = twin_device_values(f, t);
    const float *expected = t->host.data;
    double worst = 0.0, largest = 0.0, gap2 = 0.0, norm2 = 0.0;
    for (int64_t i = 0; i < st_tensor_count(&t->host); i++) {
        const double gap = fabs((double)got[i] - expected[i]);
        if (!(gap <= worst) && !isnan(worst))
            worst = gap;            /* a NaN comes in and stays */
        if (fabs((double)expected[i]) > largest)
            largest = fabs((double)expected[i]);
        gap2 += gap * gap;
        norm2 += (double)expected[i] * expected[i];
    }
    free(got);
    *max_ratio = worst == 0.0 ? 0.0 : worst / largest;
    *norm_ratio = gap2 == 0.0 ? 0.0 : sqrt(gap2 / norm2);
}

void twin_check_max(twin_fixture *f, const twin *t, const char *what, double bound)
{
    double max_ratio, norm_ratio;
    compare(f, t, &max_ratio, &norm_ratio);
    if (!(max_ratio <= bound))
        fail_msg("%s: the device is off by %.3g of the largest value (norm %.3g), allowed %.3g",
                 what, max_ratio, norm_ratio, bound);
}

void twin_check_norm(twin_fixture *f, const twin *t, const char *what, double bound)
{
    double max_ratio, norm_ratio;
    compare(f, t, &max_ratio, &norm_ratio);
    if (!(norm_ratio <= bound))
        fail_msg("%s: the device is off by %.3g of the norm (largest %.3g), allowed %.3g", what,
                 norm_ratio, max_ratio, bound);
}

void twin_check_canaries(twin_fixture *f, const twin *t, const char *what)
{
    unsigned char canary[TWIN_CANARY_BYTES];
    const size_t bytes = st_tensor_bytes(&t->device);
    for (int side = 0; side < 2; side++) {
        const unsigned char *from = t->device_block + (side ? TWIN_CANARY_BYTES + bytes : 0);
        must(st_copy_bytes(f->device, canary, ST_PLACE_HOST, from, ST_PLACE_DEVICE, sizeof canary));
        must(st_stream_wait(f->device));
        for (size_t i = 0; i < sizeof canary; i++)
            if (canary[i] != 0xff)
                fail_msg("%s: byte %zu %s it was written", what, i, side ? "behind" : "before");
    }
}
