/* The dense operators against their definitions: every path, odd sizes, both weight types. */
#include "check.h"

#include "kernels/base/pool.h"
#include "kernels/base/rng.h"
#include "kernels/dense.h"
#include "kernels/dense_plain.h"

#include <float.h>

typedef struct fixture {
    st_pool   *pool;
    st_stream *q;
    st_rng     rng;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    must(st_pool_create(&f->pool, 2));
    must(st_stream_create_host(&f->q, f->pool));
    f->rng = st_rng_from(7);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    st_stream_free(f->q);
    st_pool_free(f->pool);
    free(f);
    return 0;
}

static float *random_floats(fixture *f, int64_t count)
{
    float *x = malloc((size_t)(count > 0 ? count : 1) * sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)st_rng_between(&f->rng, -1.0, 1.0);
    return x;
}

static st_tensor view2(void *data, st_dtype dtype, int64_t a, int64_t b)
{
    return (st_tensor){.data = data, .shape = {a, b}, .rank = 2, .dtype = dtype};
}

static st_tensor view1(void *data, st_dtype dtype, int64_t a)
{
    return (st_tensor){.data = data, .shape = {a}, .rank = 1, .dtype = dtype};
}

/* |running - plain| <= (C + 2) half-ulps of the sum of absolute terms, which is at most C. */
static void check_linear(fixture *f, int64_t T, int64_t R, int64_t C, st_dtype dtype, bool biased,
                         st_linear_mode mode)
{
    float *x = random_floats(f, T * C), *w = random_floats(f, R * C), *b = random_floats(f, R);
    float *y = random_floats(f, T * R), *expected = malloc((size_t)(T * R) * sizeof *expected);
    float *before = malloc((size_t)(T * R) * sizeof *before);
    uint16_t *half = malloc((size_t)(R * C) * sizeof *half);
    memcpy(before, y, (size_t)(T * R) * sizeof *y);
    for (int64_t i = 0; i < R * C && dtype == ST_BF16; i++) {
        half[i] = st_bf16_from_f32(w[i]);
        w[i] = st_f32_from_bf16(half[i]);
    }

    st_tensor yt = view2(y, ST_F32, T, R), xt = view2(x, ST_F32, T, C), bt = view1(b, ST_F32, R);
    st_tensor wt = view2(dtype == ST_BF16 ? (void *)half : (void *)w, dtype, R, C);
    must(st_linear(f->q, &yt, &xt, &wt, biased ? &bt : NULL, mode));

    st_linear_plain(expected, x, w, biased ? b : NULL, T, R, C);
    for (int64_t i = 0; i < T * R; i++) {
        const double want = expected[i] + (mode == ST_LINEAR_ADD ? before[i] : 0.0);
        assert_near(y[i], want, ((double)C + 4) * (FLT_EPSILON / 2) * (double)(C + 2));
    }
    free(x), free(w), free(b), free(y), free(expected), free(before), free(half);
}

static void linear_agrees_with_its_definition(void **state)
{
    static const int64_t rows[] = {1, 2, 6, 7, 17}, widths[] = {1, 15, 16, 17, 100};
    for (size_t i = 0; i < COUNT(rows) * COUNT(widths) * 8; i++)
        check_linear(*state, rows[i / 8 / COUNT(widths)], 33, widths[i / 8 % COUNT(widths)],
                     i & 1 ? ST_BF16 : ST_F32, i & 2, i & 4 ? ST_LINEAR_ADD : ST_LINEAR_SET);
}

/* 2048 x 1030 weights do not fit one tile: the product is put together from several. */
static void linear_walks_several_tiles(void **state)
{
    check_linear(*state, 8, 1030, 2048, ST_BF16, true, ST_LINEAR_SET);
    check_linear(*state, 1, 1030, 2048, ST_BF16, false, ST_LINEAR_ADD);
}

static void wrong_shape_is_named(void **state)
{
    fixture *f = *state;
    float data[64] = {0};
    st_tensor y = view2(data, ST_F32, 2, 3), x = view2(data, ST_F32, 2, 4);
    st_tensor w = view2(data, ST_F32, 4, 4);
    must_fail(st_linear(f->q, &y, &x, &w, NULL, ST_LINEAR_SET), ST_ERR_DATA,
              "y must be f32 (2,4), is f32 (2,3)");
}

static void norms_follow_their_formulas(void **state)
{
    fixture *f = *state;
    enum { T = 19, C = 37 };
    float *x = random_floats(f, T * C), *w = random_floats(f, C), *b = random_floats(f, C);
    float y[T * C], r[T * C];
    st_tensor xt = view2(x, ST_F32, T, C), yt = view2(y, ST_F32, T, C), rt = view2(r, ST_F32, T, C);
    st_tensor wt = view1(w, ST_F32, C), bt = view1(b, ST_F32, C);
    must(st_layer_norm(f->q, &yt, &xt, &wt, &bt, 1e-6f));
    must(st_rms_norm(f->q, &rt, &xt, &wt, 1e-6f));
    for (int t = 0; t < T; t++) {
        double mean = 0, square = 0, variance = 0;
        for (int c = 0; c < C; c++) {
            mean += x[t * C + c] / (double)C;
            square += (double)x[t * C + c] * x[t * C + c] / C;
        }
        for (int c = 0; c < C; c++)
            variance += (x[t * C + c] - mean) * (x[t * C + c] - mean) / C;
        for (int c = 0; c < C; c++) {
            const int i = t * C + c;
            assert_near(y[i], (x[i] - mean) / sqrt(variance + 1e-6) * w[c] + b[c], 1e-6);
            assert_near(r[i], w[c] * (x[i] / sqrt(square + 1e-6)), 1e-6);
        }
    }
    free(x), free(w), free(b);
}

static void activations_have_known_values(void **state)
{
    fixture *f = *state;
    float x[4] = {-1.0f, 0.0f, 1.0f, 3.0f}, up[4] = {2, 2, 2, 2}, y[4];
    st_tensor xt = view1(x, ST_F32, 4), yt = view1(y, ST_F32, 4), ut = view1(up, ST_F32, 4);
    must(st_gelu(f->q, &yt, &xt, ST_GELU_ERF));
    assert_near(y[0], -0.15865525, 1e-7);
    assert_near(y[2], 0.84134475, 1e-7);
    must(st_gelu(f->q, &yt, &xt, ST_GELU_TANH));
    assert_near(y[2], 0.84119199, 1e-7);
    assert_near(y[3], 2.99636260, 1e-6);
    must(st_swiglu(f->q, &yt, &xt, &ut));
    assert_near(y[1], 0.0, 0.0);
    assert_near(y[2], 2.0 / (1.0 + exp(-1.0)), 1e-6);
}

static void embedding_names_a_wrong_row(void **state)
{
    fixture *f = *state;
    float table[6] = {0, 1, 2, 3, 4, 5}, y[4];
    int64_t rows[2] = {2, 0};
    st_tensor tt = view2(table, ST_F32, 3, 2), yt = view2(y, ST_F32, 2, 2);
    st_tensor rt = view1(rows, ST_I64, 2);
    must(st_embed_rows(f->q, &yt, &tt, &rt));
    assert_near(y[0], 4.0, 0.0);
    assert_near(y[3], 1.0, 0.0);
    rows[1] = 3;
    must_fail(st_embed_rows(f->q, &yt, &tt, &rt), ST_ERR_DATA,
              "row 1 names entry 3 of a table of 3");
}

/* Points that a 48 x 48 table is read at for 22 x 30 patches, worked out by hand. */
static void position_axes_are_aligned_at_corners(void **state)
{
    (void)state;
    static const struct { int64_t i, count, i0; double fraction; } cases[] = {
        {0, 22, 0, 0.0}, {1, 22, 2, 0.238095}, {2, 22, 4, 0.476190}, {3, 22, 6, 0.714286},
        {21, 22, 47, 0.0}, {1, 30, 1, 0.620690}, {2, 30, 3, 0.241379}, {3, 30, 4, 0.862069},
        {0, 1, 0, 0.0},
    };
    for (size_t k = 0; k < COUNT(cases); k++) {
        int64_t i0;
        float fraction;
        st_position_axis(&i0, &fraction, cases[k].i, cases[k].count, 48);
        assert_int_equal(i0, cases[k].i0);
        assert_near(fraction, cases[k].fraction, 2e-6);
    }
}

/* A table that is linear in row and column is read exactly between its entries. */
static void positions_interpolate_linear_tables(void **state)
{
    fixture *f = *state;
    enum { SIDE = 8, ROWS = 4, COLUMNS = 6 };
    float table[SIDE * SIDE * 2], x[ROWS * COLUMNS * 2] = {0};
    for (int i = 0; i < SIDE * SIDE; i++) {
        table[2 * i] = (float)(i / SIDE);
        table[2 * i + 1] = (float)(i % SIDE);
    }
    st_tensor tt = view2(table, ST_F32, SIDE * SIDE, 2), xt = view2(x, ST_F32, ROWS * COLUMNS, 2);
    must(st_position_table_add(f->q, &xt, &tt, ROWS, COLUMNS, 2));
    for (int p = 0; p < ROWS * COLUMNS; p++) {
        const int block = p / 4, row = block / (COLUMNS / 2) * 2 + p % 4 / 2;
        const int column = block % (COLUMNS / 2) * 2 + p % 2;
        assert_near(x[2 * p], 7.0 * row / (ROWS - 1), 2e-6);
        assert_near(x[2 * p + 1], 7.0 * column / (COLUMNS - 1), 2e-6);
    }
    must_fail(st_position_table_add(f->q, &xt, &tt, 3, 8, 2), ST_ERR_DATA,
              "a grid of 3 x 8 patches does not split into 2 x 2");
}

static void cross_entropy_skips_rows_without_label(void **state)
{
    fixture *f = *state;
    float logits[6] = {0, 0, 1000, 1, 2, 3};
    int64_t label[2] = {-100, 2}, counted;
    double sum;
    st_tensor lt = view2(logits, ST_F32, 2, 3), at = view1(label, ST_I64, 2);
    must(st_cross_entropy(f->q, &sum, &counted, &lt, &at));
    assert_int_equal(counted, 1);
    assert_near(sum, log(exp(-2) + exp(-1) + 1), 1e-12);
    label[0] = 1;
    must(st_cross_entropy(f->q, &sum, &counted, &lt, &at));
    assert_near(sum, 1000 + log(exp(-2) + exp(-1) + 1), 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_agrees_with_its_definition),
        cmocka_unit_test(linear_walks_several_tiles),
        cmocka_unit_test(wrong_shape_is_named),
        cmocka_unit_test(norms_follow_their_formulas),
        cmocka_unit_test(activations_have_known_values),
        cmocka_unit_test(embedding_names_a_wrong_row),
        cmocka_unit_test(position_axes_are_aligned_at_corners),
        cmocka_unit_test(positions_interpolate_linear_tables),
        cmocka_unit_test(cross_entropy_skips_rows_without_label),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
