/* Arenas, random numbers and the thread pool. */
#include "check.h"

#include "kernels/base/arena.h"
#include "kernels/base/pool.h"
#include "kernels/base/rng.h"
#include "kernels/base/tensor.h"

static void arenas_rewind_to_a_mark(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    int *first, *second, *again;
    must(ST_ALLOC(&arena, &first, 10));
    const st_arena_mark mark = st_arena_mark_get(&arena);
    must(ST_ALLOC(&arena, &second, 100000));        /* needs a block of its own */
    second[99999] = 7;
    st_arena_rewind(&arena, mark);
    must(ST_ALLOC(&arena, &again, 100000));
    assert_int_equal(again[99999], 0);              /* zeroed, though the block is the same */
    assert_int_equal((uintptr_t)again % 64, 0);

    size_t capacity = 0;
    int *list = NULL;
    for (int i = 0; i < 1000; i++) {
        must(ST_GROW(&arena, &list, &capacity, (size_t)i + 1));
        list[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);

    must_fail(ST_ALLOC(&arena, &again, SIZE_MAX / 2), ST_ERR_LIMIT,
              "no memory for again: 9223372036854775807 times 4 does not fit an address");
    st_arena_reset(&arena);
    st_arena_free(&arena);
}

/* Parts keep their borders, equal keys draw alike, and the draws look as they should. */
/* A piece between the usual largest block and twice the last one: it once got a block of 64 MB,
 * whatever its size. Its two ends must not meet its neighbours. */
static void large_pieces_get_their_whole_size(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    st_arena arena;
    char *before, *large, *after;
    st_arena_init(&arena, "test");
    must(ST_ALLOC(&arena, &before, (size_t)60 * MIB));
    must(ST_ALLOC(&arena, &large, (size_t)80 * MIB));
    must(ST_ALLOC(&arena, &after, (size_t)1 * MIB));
    large[(size_t)80 * MIB - 1] = 1;
    assert_true(after >= large + (size_t)80 * MIB || after + MIB <= large);
    st_arena_free(&arena);
}

static void hashes_and_draws_are_fixed(void **state)
{
    (void)state;
    const uint64_t a = st_hash_text(st_hash_text(1, "ab"), "c");
    const uint64_t b = st_hash_text(st_hash_text(1, "a"), "bc");
    assert_true(a != b);
    st_rng x = st_rng_from(42), y = st_rng_from(42);
    for (int i = 0; i < 100; i++)
        assert_true(st_rng_next(&x) == st_rng_next(&y));

    st_rng rng = st_rng_from(7);
    int seen[6] = {0};
    double mean = 0.0, square = 0.0;
    for (int i = 0; i < 60000; i++) {
        seen[st_rng_below(&rng, 6)]++;
        const double n = st_rng_normal(&rng);
        mean += n / 60000;
        square += n * n / 60000;
    }
    for (int k = 0; k < 6; k++)
        assert_near(seen[k], 10000, 500);           /* five deviations of 91 */
    assert_near(mean, 0.0, 0.02);
    assert_near(square, 1.0, 0.03);
}

static void shuffles_keep_every_element(void **state)
{
    (void)state;
    int order[100], seen[100] = {0};
    for (int i = 0; i < 100; i++)
        order[i] = i;
    st_rng rng = st_rng_from(3);
    st_rng_shuffle(&rng, order, COUNT(order), sizeof order[0]);
    for (int i = 0; i < 100; i++)
        seen[order[i]]++;
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
}

typedef struct tally {
    int counts[1000];
} tally;

static st_status count_item(void *context, size_t index, int worker)
{
    (void)worker;
    tally *t = context;
    t->counts[index]++;
    return index % 400 == 399 ? ST_FAIL(ST_ERR_DATA, "item %zu", index) : st_ok();
}

static void every_item_runs_once_and_the_first_failure_wins(void **state)
{
    (void)state;
    for (int jobs = 1; jobs <= 8; jobs *= 2) {
        st_pool *pool;
        must(st_pool_create(&pool, jobs));
        for (int round = 0; round < 20; round++) {
            tally t = {{0}};
            must_fail(st_pool_run(pool, COUNT(t.counts), count_item, &t), ST_ERR_DATA, "item 399");
            for (size_t i = 0; i < COUNT(t.counts); i++)
                assert_int_equal(t.counts[i], 1);
        }
        st_pool_free(pool);
    }
    st_pool *pool;
    must_fail(st_pool_create(&pool, -1), ST_ERR_USAGE, "jobs must be 1 to 1024, is -1");
}

static void narrow_floats_round_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(st_bf16_from_f32(1.0f), 0x3F80);
    assert_int_equal(st_bf16_from_f32(1.00390625f), 0x3F80);        /* halfway, to even */
    assert_int_equal(st_bf16_from_f32(1.01171875f), 0x3F82);
    assert_true(isnan(st_f32_from_bf16(st_bf16_from_f32(NAN))));
    assert_true(isinf(st_f32_from_bf16(st_bf16_from_f32(3.4e38f))));
    assert_true(st_f32_from_f16(0x3C00) == 1.0f);
    assert_true(st_f32_from_f16(0x0001) == 0x1p-24f);
    assert_true(st_f32_from_f16(0xFBFF) == -65504.0f);

    const st_tensor x = {.shape = {2, 3}, .rank = 2, .dtype = ST_F32};
    must_fail(st_tensor_expect(&x, "y", ST_F32, 2, (const int64_t[]){2, 4}), ST_ERR_DATA,
              "y must be f32 (2,4), is f32 (2,3)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas_rewind_to_a_mark),
        cmocka_unit_test(large_pieces_get_their_whole_size),
        cmocka_unit_test(hashes_and_draws_are_fixed),
        cmocka_unit_test(shuffles_keep_every_element),
        cmocka_unit_test(every_item_runs_once_and_the_first_failure_wins),
        cmocka_unit_test(narrow_floats_round_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
