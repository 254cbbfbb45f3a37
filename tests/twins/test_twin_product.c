/* The products of both places agree, straight and turned, whole and in strips. */
#include "twins/twin.h"

#include "kernels/product.h"

/* bf16 inputs are the same numbers on both sides and the sums run in f32, so only the order of
 * the sum differs: inner * 2^-24 of the sum of absolute terms, which is below inner. */
static void twins_agree(void **state)
{
    static const int64_t sides[] = {1, 7, 64, 129};
    twin_fixture *f = *state;
    for (size_t i = 0; i < 4 * COUNT(sides) * COUNT(sides); i++) {
        const int64_t rows = sides[i % 4], inner = sides[i / 4 % 4], cols = sides[(i / 4 + i) % 4];
        const st_turn a_turn = i / 16 % 2 ? ST_TURNED : ST_STRAIGHT;
        const st_turn b_turn = i / 32 % 2 ? ST_TURNED : ST_STRAIGHT;
        const st_dtype dtype = i % 3 ? ST_BF16 : ST_F32;
        twin *a = twin_random(f, dtype, -1.0f, 1.0f, SHAPE(2, rows, inner));
        twin *b = twin_random(f, dtype, -1.0f, 1.0f, SHAPE(2, inner, cols));
        twin *y = twin_canaried(f, ST_F32, SHAPE(2, rows, cols));

        st_product p = {.y = y->host.data, .a = a->host.data, .b = b->host.data,
                        .y_dtype = ST_F32, .ab_dtype = ST_F32,
                        .rows = rows, .cols = cols, .inner = inner, .batch = 2,
                        .y_pitch = cols, .y_step = rows * cols,
                        .a_pitch = a_turn == ST_TURNED ? rows : inner, .a_step = rows * inner,
                        .b_pitch = b_turn == ST_TURNED ? inner : cols, .b_step = inner * cols,
                        .a_turn = a_turn, .b_turn = b_turn, .alpha = 0.5f};
        must(st_product_run(f->host, &p));
        p.y = y->device.data, p.a = a->device.data, p.b = b->device.data;
        p.ab_dtype = dtype;
        must(st_product_run(f->device, &p));
        twin_check_max(f, y, "y", (double)inner * 1e-6 + 1e-6);
        twin_check_canaries(f, y, "y");
        twin_clear(f);
    }
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(twins_agree)};

TWIN_MAIN(tests)
