/* The integer resize against a float one written down a second time, and its borders. */
#include "check.h"

#include "kernels/base/rng.h"
#include "kernels/media/resize.h"

/* One axis in double, from the formula: no tables, no integers. */
static double resampled(const unsigned char *x, int64_t stride, int64_t in, int64_t out, int64_t i)
{
    const double scale = (double)in / (double)out, wide = scale > 1.0 ? scale : 1.0;
    const double centre = scale * ((double)i + 0.5);
    double sum = 0.0, weights = 0.0;
    for (int64_t j = 0; j < in; j++) {
        const double t = fabs(((double)j + 0.5 - centre) / wide);
        const double w = t < 1.0 ? 1.5 * t * t * t - 2.5 * t * t + 1.0
                       : t < 2.0 ? -0.5 * t * t * t + 2.5 * t * t - 4.0 * t + 2.0 : 0.0;
        sum += w * x[j * stride];
        weights += w;
    }
    return sum / weights;
}

/* A row, resized; every output within the rounding of its weights of the exact value. */
static void rows_follow_the_formula(void **state)
{
    static const int64_t sizes[][2] = {{1, 7}, {7, 1}, {97, 128}, {640, 480}, {1296, 480},
                                       {480, 480}, {3, 1000}, {101, 64}};
    (void)state;
    st_rng rng = st_rng_from(3);
    for (size_t s = 0; s < COUNT(sizes); s++) {
        const int64_t in = sizes[s][0], out = sizes[s][1];
        st_arena arena;
        st_resize_axis rows, columns;
        unsigned char *from, *to, *between;
        st_arena_init(&arena, "test");
        must(ST_ALLOC(&arena, &from, (size_t)in * 3));
        must(ST_ALLOC(&arena, &to, (size_t)out * 3));
        must(ST_ALLOC(&arena, &between, (size_t)out * 3));
        must(st_resize_axis_plan(&arena, &rows, 1, 1));
        must(st_resize_axis_plan(&arena, &columns, in, out));
        for (int64_t i = 0; i < 3 * in; i++)
            from[i] = (unsigned char)st_rng_below(&rng, 256);
        st_resize_rgb8(to, from, between, &rows, &columns);
        for (int64_t i = 0; i < 3 * out; i++) {
            double exact = resampled(from + i % 3, 3, in, out, i / 3);
            exact = exact < 0.0 ? 0.0 : exact > 255.0 ? 255.0 : exact;
            assert_near(to[i], exact, 0.51);
        }
        /* The same pixels as a column give the same answer. */
        unsigned char *down;
        must(ST_ALLOC(&arena, &down, (size_t)out * 3));
        st_resize_rgb8(down, from, between, &columns, &rows);
        assert_memory_equal(down, to, (size_t)out * 3);
        st_arena_free(&arena);
    }
}

static void a_flat_picture_stays_flat(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    st_resize_axis rows, columns;
    unsigned char *from, *to, *between;
    must(ST_ALLOC(&arena, &from, 30 * 50 * 3));
    must(ST_ALLOC(&arena, &to, 22 * 96 * 3));
    must(ST_ALLOC(&arena, &between, 30 * 96 * 3));
    must(st_resize_axis_plan(&arena, &rows, 30, 22));
    must(st_resize_axis_plan(&arena, &columns, 50, 96));
    for (int value = 0; value < 256; value += 51) {
        memset(from, value, 30 * 50 * 3);
        st_resize_rgb8(to, from, between, &rows, &columns);
        for (int i = 0; i < 22 * 96 * 3; i++)
            assert_int_equal(to[i], value);
    }
    must_fail(st_resize_axis_plan(&arena, &rows, 0, 5), ST_ERR_USAGE,
              "cannot resize 0 pixels to 5");
    st_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_follow_the_formula),
        cmocka_unit_test(a_flat_picture_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
