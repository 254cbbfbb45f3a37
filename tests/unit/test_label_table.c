/* test_label_table.c - every version of the label table that circulates says the same.
 *
 * The versions are made here by editing a small table in the ways the real ones differ.
 */
#include "check.h"

#include "datagen/scans/labels.h"

static const char TABLE[] =
    "id\traw_category\tcategory\tcount\tnyu40id\teigen13id\tnyuClass\tnyu40class\n"
    "1\twall\twall\t8277\t1\t12\twall\twall\n"
    "2\tchair\tchair\t4646\t5\t4\tchair\tchair\n"
    "17\trefrigerator\trefrigerator\t156\t24\t6\trefridgerator\trefridgerator\n"
    "99\twardrobe \twardrobe\t1\t39\t6\twardrobe\totherfurniture\n"
    "107\tshower door\tdoor\t1\t40\t6\t\t\n"
    "529\tstick\tstick\t10\t40\t7\tstick\totherprop\n"
    "1163\tobject\tobject\t1313\t40\t7\totherprop\totherprop\n"
    "1326\tfurnace\tfurnace\t1\t39\t7\t\t\n";

static st_label_table *parse(const char *text)
{
    st_label_table *t;
    must(st_label_table_parse(&t, st_str_from(text)));
    return t;
}

/* `text` with every `from` replaced by `to`; the caller frees it. */
static char *replaced(const char *text, const char *from, const char *to)
{
    char  *out = calloc(1, strlen(text) * 4 + 1), *at = out;
    size_t size = strlen(from);
    while (*text) {
        if (strncmp(text, from, size) == 0) {
            at = stpcpy(at, to);
            text += size;
        } else
            *at++ = *text++;
    }
    return out;
}

static void knows_all(const st_label_table *t)
{
    static const struct { const char *raw; int nyu40; } expected[] = {
        {"wall", 1}, {"chair", 5}, {"refrigerator", 24}, {"wardrobe", 39}, {"wardrobe ", 39},
        {"Chair", 5}, {"chairs", 5}, {"CHAIRS", 5}, {"object", 40}, {"furnace", 39},
        {"shower door", 40}, {"zebra", 0}, {"", 0}, {"s", 0}};
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_int_equal(st_label_table_find(t, st_str_from(expected[i].raw)), expected[i].nyu40);
}

static void oddities_are(const st_label_table *t, size_t s, size_t l, size_t d, size_t u)
{
    const st_label_oddities odd = st_label_table_oddities(t);
    assert_int_equal(odd.short_rows, s);
    assert_int_equal(odd.long_rows, l);
    assert_int_equal(odd.duplicate_rows, d);
    assert_int_equal(odd.unusable_rows, u);
}

static void the_original_reads(void **state)
{
    (void)state;
    st_label_table *t = parse(TABLE);
    assert_int_equal(st_label_table_rows(t), 8);
    knows_all(t);
    oddities_are(t, 0, 0, 0, 0);
    st_label_table_free(t);
}

static void a_row_that_lost_empty_fields_reads(void **state)
{
    (void)state;
    char           *text = replaced(TABLE, "39\t7\t\t\n", "39\t7\n");
    st_label_table *t = parse(text);
    knows_all(t);
    oddities_are(t, 1, 0, 0, 0);
    st_label_table_free(t);
    free(text);
}

static void corrected_spelling_reads(void **state)
{
    (void)state;
    char           *text = replaced(TABLE, "refridgerator", "refrigerator");
    st_label_table *t = parse(text);
    knows_all(t);
    st_label_table_free(t);
    free(text);
}

static void crlf_reads(void **state)
{
    (void)state;
    char           *text = replaced(TABLE, "\n", "\r\n");
    st_label_table *t = parse(text);
    knows_all(t);
    oddities_are(t, 0, 0, 0, 0);
    st_label_table_free(t);
    free(text);
}

/* CR CR LF, no last line end, and "stick" renamed to a second "object". */
static void doubled_cr_and_second_object_read(void **state)
{
    (void)state;
    char *ends = replaced(TABLE, "\n", "\r\r\n");
    ends[strlen(ends) - 3] = '\0';
    char           *text = replaced(ends, "529\tstick", "529\tobject");
    st_label_table *t = parse(text);
    knows_all(t);
    assert_int_equal(st_label_table_rows(t), 7);
    assert_int_equal(st_label_table_find(t, st_str_from("stick")), 0);
    oddities_are(t, 0, 0, 1, 0);
    st_label_table_free(t);
    free(text);
    free(ends);
}

static void first_of_two_rows_stands(void **state)
{
    (void)state;
    st_label_table *t = parse("\xEF\xBB\xBFnyu40id\traw_category\n5\tthing\n7\tthing\n\n9\tx\ty\n"
                              "41\ttoo high\nfive\tword\n5\t\n5\t\xFF\n");
    assert_int_equal(st_label_table_find(t, st_str_from("thing")), 5);
    assert_int_equal(st_label_table_find(t, st_str_from("x")), 9);
    assert_int_equal(st_label_table_rows(t), 2);
    oddities_are(t, 0, 1, 1, 4);
    st_label_table_free(t);
}

static void bad_tables_are_refused(void **state)
{
    (void)state;
    st_label_table *t;
    must_fail(st_label_table_parse(&t, st_str_from("")), ST_ERR_FORMAT,
              "label table: expected a header line, found nothing");
    must_fail(st_label_table_parse(&t, st_str_from("id\tcategory\tnyu40id\n")), ST_ERR_FORMAT,
              "label table: expected a column \"raw_category\", found none among 3");
    must_fail(st_label_table_parse(&t, st_str_from("id\traw_category\n1\tchair\n")), ST_ERR_FORMAT,
              "label table: expected a column \"nyu40id\", found none among 2");
    must_fail(st_label_table_parse(&t, st_str_from("raw_category\tnyu40id\nchair\t77\n")),
              ST_ERR_FORMAT,
              "label table: expected rows with a raw_category and a nyu40id of 1 to 40, "
              "found none in 2 lines");
    must_fail(st_label_table_load(&t, "no/such.tsv"), ST_ERR_IO,
              "no/such.tsv: No such file or directory");
}

static void the_real_table_reads(void **state)
{
    (void)state;
    char path[512];
    if (!shared_path(path, sizeof path, "data/scannet-labels/scannetv2-labels.combined.tsv"))
        return;
    st_label_table *t;
    must(st_label_table_load(&t, path));
    assert_int_equal(st_label_table_rows(t), 607);
    assert_int_equal(st_label_table_find(t, st_str_from("office chair")), 5);
    assert_int_equal(st_label_table_find(t, st_str_from("shower doors")), 38);
    assert_int_equal(st_label_table_find(t, st_str_from("shower door")), 8);
    oddities_are(t, 0, 0, 0, 0);
    st_label_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_original_reads),
        cmocka_unit_test(a_row_that_lost_empty_fields_reads),
        cmocka_unit_test(corrected_spelling_reads),
        cmocka_unit_test(crlf_reads),
        cmocka_unit_test(doubled_cr_and_second_object_read),
        cmocka_unit_test(first_of_two_rows_stands),
        cmocka_unit_test(bad_tables_are_refused),
        cmocka_unit_test(the_real_table_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
