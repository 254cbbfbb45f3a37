/* Slabs plan, allocate once and refuse to grow; host products multiply. */
#include "check.h"

#include "kernels/product.h"

static st_status take_two(st_slab *slab, float **x, double **y)
{
    ST_TRY(ST_TAKE(slab, x, 3));
    ST_TRY(ST_TAKE(slab, y, 100));
    return st_ok();
}

static void slab_holds_what_was_planned(void **state)
{
    (void)state;
    st_stream *q;
    st_slab slab;
    float *x, *more;
    double *y;
    must(st_stream_create_host(&q, NULL));
    st_slab_plan(&slab, "test", ST_PLACE_HOST);
    must(take_two(&slab, &x, &y));
    assert_null(x);
    must(st_slab_create(q, &slab));
    must(take_two(&slab, &x, &y));
    assert_int_equal((uintptr_t)x % 256, 0);
    assert_int_equal((uintptr_t)y % 256, 0);
    assert_int_equal(slab.size, 256 + 1024);
    must_fail(ST_TAKE(&slab, &more, 1), ST_ERR_MEMORY,
              "slab test: &more needs 256 bytes, 0 of 1280 are left");
    st_slab_free(q, &slab);
    st_stream_free(q);
}

static void host_product_turns_and_adds(void **state)
{
    (void)state;
    st_stream *q;
    must(st_stream_create_host(&q, NULL));
    const float a[] = {1, 2, 3, 4, 5, 6};           /* (2,3), or (3,2) turned */
    const float b[] = {1, 0, 2, 0, 1, 3};           /* (2,3) turned: (3,2)    */
    float y[] = {100, 200, 300, 400};
    st_product p = {.y = y, .a = a, .b = b, .y_dtype = ST_F32, .ab_dtype = ST_F32,
                    .rows = 2, .cols = 2, .inner = 3, .batch = 1,
                    .y_pitch = 2, .a_pitch = 3, .b_pitch = 3, .b_turn = ST_TURNED,
                    .alpha = 1.0f, .beta = 1.0f};
    must(st_product_run(q, &p));
    const float expected[] = {107, 211, 316, 423};
    for (int i = 0; i < 4; i++)
        assert_near(y[i], expected[i], 0);
    p.a_pitch = 2;
    must_fail(st_product_run(q, &p), ST_ERR_USAGE,
              "product pitches y 2 a 2 b 3 are shorter than the rows 2 3 3");
    st_stream_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slab_holds_what_was_planned),
        cmocka_unit_test(host_product_turns_and_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
