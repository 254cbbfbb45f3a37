/* Catalogues of furniture: what they say is read, and nonsense is named by its line. */
#include "check.h"

#include "datagen/synth/furniture.h"

static st_arena arena;

static void entries_are_read(void **state)
{
    (void)state;
    static const char text[] = "# a comment\r\n"
                               "license=Public domain\r\n"
                               "\r\n"
                               "id#1=x\r\n"
                               "name#1=Oak chair\r\n"
                               "model#1=/a/oakChair/oakChair.obj\r\n"
                               "width#1=49.1\r\n"
                               "depth#1=61.2\r\n"
                               "height#1=117.8\r\n"
                               "name#7=Desk = old\n"
                               "dropOnTopElevation#7=-1\n"
                               "width#seven=1\n"
                               "no equals sign\n"
                               "height#7=72.3";
    sti_catalogue c;
    must(sti_catalogue_parse(&c, &arena, st_str_from(text)));
    assert_true(st_str_is(c.license, "Public domain"));
    assert_int_equal(c.count, 2);
    assert_int_equal(c.entries[0].number, 1);
    assert_true(st_str_is(c.entries[0].name, "Oak chair"));
    assert_true(st_str_is(c.entries[0].model, "/a/oakChair/oakChair.obj"));
    assert_near(c.entries[0].depth_m, 0.612, 1e-12);
    assert_near(c.entries[0].top_m, -1.0, 0);
    assert_int_equal(c.entries[1].number, 7);
    assert_true(st_str_is(c.entries[1].name, "Desk = old"));
    assert_near(c.entries[1].height_m, 0.723, 1e-12);
    assert_near(c.entries[1].top_m, -0.01, 1e-12);
}

static void a_measure_that_is_no_number_is_named(void **state)
{
    (void)state;
    sti_catalogue c;
    must_fail(sti_catalogue_parse(&c, &arena, st_str_from("name#1=Bed\nwidth#1=wide\n")),
              ST_ERR_FORMAT, "line 2: expected centimetres, found \"wide\"");
    must_fail(sti_catalogue_parse(&c, &arena, st_str_from("width#1=1e9\n")), ST_ERR_FORMAT,
              "line 1: expected centimetres, found \"1e9\"");
}

static void models_become_classes(void **state)
{
    (void)state;
    assert_string_equal(sti_model_class(st_str_from("oakChair"))->name, "chair");
    assert_string_equal(sti_model_class(st_str_from("largeFridge"))->name, "refrigerator");
    assert_null(sti_model_class(st_str_from("forkLift")));
    assert_null(sti_model_class(st_str_from("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(a_measure_that_is_no_number_is_named),
        cmocka_unit_test(models_become_classes),
    };
    st_arena_init(&arena, "test");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    st_arena_free(&arena);
    return failed;
}
