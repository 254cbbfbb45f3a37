/* test_rows.c - benchmark rows: both file forms in, one line out, and what is wrong with a line. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/base/rows.h"

static const char COUNT_ROW[] =
    "{\"id\":7,\"dataset\":\"arkitscenes\",\"scene_name\":\"41159525\","
    "\"question_type\":\"object_counting\",\"question\":\"How many stool(s) are in this room?\","
    "\"ground_truth\":\"2\",\"options\":null}\n";
static const char SIDE_ROW[] =
    "{\"id\":\"x-8\",\"dataset\":\"arkitscenes\",\"scene_name\":\"41159525\","
    "\"question_type\":\"object_rel_direction_easy\",\"question\":\"l\xC3\xA4nger?\","
    "\"ground_truth\":\"A\",\"options\":[\"A. left\",\"B. right\"]}\n";

typedef struct fixture {
    st_arena    arena;
    st_vsi_rows rows;
} fixture;

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static void lines_read_and_write_the_same(void **state)
{
    fixture *f = *state;
    st_text  text, out;
    st_text_init(&text);
    st_text_init(&out);
    st_text_addf(&text, "\xEF\xBB\xBF%s\n   \r\n%s", COUNT_ROW, SIDE_ROW);
    must(st_vsi_rows_parse(&f->rows, &f->arena, st_text_view(&text)));
    assert_int_equal(f->rows.count, 2);
    assert_string_equal(f->rows.rows[0].id, "7");
    assert_true(f->rows.rows[0].id_is_number);
    assert_int_equal(f->rows.rows[0].option_count, 0);
    assert_int_equal(f->rows.rows[1].line, 4);
    assert_string_equal(f->rows.rows[1].options[1], "B. right");
    for (size_t i = 0; i < 2; i++)
        st_vsi_row_write(&out, &f->rows.rows[i]);
    char expected[1024];
    snprintf(expected, sizeof expected, "%s%s", COUNT_ROW, SIDE_ROW);
    assert_string_equal(out.data, expected);
    st_text_free(&text);
    st_text_free(&out);
}

static void an_array_reads_too(void **state)
{
    fixture *f = *state;
    st_text  text;
    st_text_init(&text);
    st_text_addf(&text, " [%s,%s]\n", COUNT_ROW, SIDE_ROW);
    must(st_vsi_rows_parse(&f->rows, &f->arena, st_text_view(&text)));
    assert_int_equal(f->rows.count, 2);
    st_text_free(&text);
}

static void numbers_count_as_answers(void **state)
{
    fixture *f = *state;
    must(st_vsi_rows_parse(&f->rows, &f->arena,
        st_str_from("{\"id\":1,\"scene_name\":\"a\",\"question_type\":\"t\",\"question\":\"q\","
                    "\"ground_truth\":2.5}")));
    assert_string_equal(f->rows.rows[0].ground_truth, "2.5");
    assert_string_equal(f->rows.rows[0].dataset, "");
}

static void bad_rows_are_named(void **state)
{
    fixture *f = *state;
#define REFUSED(text, sentence)                                                                   \
    must_fail(st_vsi_rows_parse(&f->rows, &f->arena, st_str_from(text)), ST_ERR_FORMAT, sentence)
    REFUSED("", "expected rows, found an empty file");
    REFUSED("[]\n", "expected rows, found an empty array");
    REFUSED("\n\n{\"id\":1,}", "line 3, column 9: string or '}' expected near '}'");
    REFUSED("[{\"id\":1},", "line 1, column 10: ']' expected near end of file");
    REFUSED("ply\nformat", "expected a row with a question on each line, found a file that starts "
            "with \"ply\"");
    REFUSED("7", "line 1: document: expected an object, found an integer");
    REFUSED("{\"id\":[1]}", "line 1: id: expected a string, found an array");
    REFUSED("{\"scene0011_00\":{}}",
            "line 1: expected a row with a question, found an object that starts with "
            "\"scene0011_00\"");
    REFUSED("[{\"id\":1,\"scene_name\":\"a\",\"question_type\":\"t\",\"question\":\"q\","
            "\"ground_truth\":\"1\"},{}]",
            "row 2: expected a row with a question, found an empty object");
    REFUSED("{\n  \"schema\": \"st-scene/1\",\n  \"objects\": []\n}\n",
            "expected a row with a question on each line, found an object of schema "
            "\"st-scene/1\", printed over many lines");
    REFUSED("{\"id\":1}", "line 1: scene_name: expected a string, found nothing");
    REFUSED("[{\"id\":1}]", "row 1: scene_name: expected a string, found nothing");
#undef REFUSED
    must_fail(st_vsi_rows_read(&f->rows, &f->arena, "no/such.jsonl"), ST_ERR_IO,
              "no/such.jsonl: No such file or directory");
    must_fail(st_vsi_rows_parse(&f->rows, &f->arena,
                  st_str_from("{\"id\":1,\"scene_name\":\"a\",\"question_type\":\"t\","
                              "\"question\":\"q\",\"ground_truth\":\"A\","
                              "\"options\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]"
                              "}")),
              ST_ERR_LIMIT, "line 1: options: expected at most 8 entries, found 9");
}

static void published_rows_read(void **state)
{
    fixture *f = *state;
    char     path[512];
    if (!shared_path(path, sizeof path, "data/vsibench/rows.jsonl"))
        return;
    must(st_vsi_rows_read(&f->rows, &f->arena, path));
    assert_int_equal(f->rows.count, 2879);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_read_and_write_the_same, make, unmake),
        cmocka_unit_test_setup_teardown(an_array_reads_too, make, unmake),
        cmocka_unit_test_setup_teardown(numbers_count_as_answers, make, unmake),
        cmocka_unit_test_setup_teardown(bad_rows_are_named, make, unmake),
        cmocka_unit_test_setup_teardown(published_rows_read, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
