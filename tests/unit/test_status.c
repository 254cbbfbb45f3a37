/* Failures keep their cause, whatever is put in front of them. */
#include "check.h"

static st_status inner(void)
{
    return ST_FAIL(ST_ERR_FORMAT, "expected 3 numbers, found %d", 2);
}

static st_status outer(void)
{
    ST_TRY(st_within(inner(), "vertex %d of %d", 17, 9));
    return st_ok();
}

static void words_go_in_front(void **state)
{
    (void)state;
    const st_status s = st_within(outer(), "floor.ply");
    assert_int_equal(s.code, ST_ERR_FORMAT);
    assert_string_equal(s.text, "floor.ply: vertex 17 of 9: expected 3 numbers, found 2");
    assert_string_equal(s.file, "test_status.c");
}

static void success_passes_unchanged(void **state)
{
    (void)state;
    assert_int_equal(st_within(st_ok(), "anything").code, ST_OK);
}

static void outer_words_give_way(void **state)
{
    (void)state;
    char path[300];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    const st_status s = st_within(inner(), "%s", path);
    assert_int_equal(strlen(s.text), ST_STATUS_TEXT_BYTES - 1);
    assert_non_null(strstr(s.text, "ppp...: expected 3 numbers, found 2"));

    /* A cause that fills the text stays whole. */
    const st_status full = st_within(ST_FAIL(ST_ERR_DATA, "%s", path), "front");
    assert_int_equal(full.text[0], 'p');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_go_in_front),
        cmocka_unit_test(success_passes_unchanged),
        cmocka_unit_test(outer_words_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
