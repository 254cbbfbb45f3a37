/* JSON is read with complaints that name the place, and written the same way each time. */
#include "check.h"

#include "kernels/base/json.h"

static st_json_doc *parse(const char *text)
{
    st_json_doc *doc;
    must(st_json_parse(&doc, st_str_from(text)));
    return doc;
}

static void values_are_read_by_kind(void **state)
{
    (void)state;
    st_json_doc *doc =
        parse("\xEF\xBB\xBF{\"n\":3,\"x\":2.5,\"w\":3.0,\"t\":\"chair\",\"none\":null}");
    const st_json root = st_json_root(doc);
    int64_t i;
    double x;
    st_str text;
    must(st_json_int(st_json_member(&root, "n"), &i));
    assert_int_equal(i, 3);
    must(st_json_int(st_json_member(&root, "w"), &i));
    assert_int_equal(i, 3);
    must(st_json_double(st_json_member(&root, "n"), &x));
    assert_true(x == 3.0);
    must(st_json_text(st_json_member(&root, "t"), &text));
    assert_true(st_str_is(text, "chair"));
    must(st_json_text_or_none(st_json_member(&root, "none"), &text));
    assert_null(text.data);
    must(st_json_text_or_none(st_json_member(&root, "absent"), &text));
    assert_null(text.data);
    st_json_free(doc);
}

static void complaints_name_the_place(void **state)
{
    (void)state;
    st_json_doc *doc = parse("{\"objects\":[{\"size\":[1,2]},{\"size\":[1,2,\"x\"]}]}");
    const st_json root = st_json_root(doc), objects = st_json_member(&root, "objects");
    const st_json first = st_json_element(&objects, 0), second = st_json_element(&objects, 1);
    double size[3];
    must_fail(st_json_doubles(st_json_member(&first, "size"), size, 3), ST_ERR_FORMAT,
              "objects[0].size: expected 3 numbers, found 2");
    must_fail(st_json_doubles(st_json_member(&second, "size"), size, 3), ST_ERR_FORMAT,
              "objects[1].size[2]: expected a number, found a string");
    must_fail(st_json_expect(st_json_member(&first, "axes"), ST_JSON_ARRAY), ST_ERR_FORMAT,
              "objects[0].axes: expected an array, found nothing");
    st_json_free(doc);

    must_fail(st_json_parse(&doc, st_str_from("{\"a\":1,\n\"b\":}")), ST_ERR_FORMAT,
              "line 2, column 5: unexpected token near '}'");
    must_fail(st_json_parse(&doc, st_str_from(" \n")), ST_ERR_FORMAT,
              "expected JSON, found an empty text");
    assert_int_equal(st_json_parse(&doc, st_str_from("{\"a\":1,\"a\":2}")).code, ST_ERR_FORMAT);
    assert_int_equal(st_json_parse(&doc, st_str_from("[1e999]")).code, ST_ERR_FORMAT);
    assert_int_equal(st_json_parse(&doc, st_str_from("[NaN]")).code, ST_ERR_FORMAT);
    assert_int_equal(st_json_parse(&doc, st_str_from("[\"\xFF\"]")).code, ST_ERR_FORMAT);
}

static void a_value_is_described_by_what_it_starts_with(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[1]", "an array"},
        {"{}", "an empty object"},
        {"{\"a\":1,\"schema\":\"st-scene/1\"}", "an object of schema \"st-scene/1\""},
        {"{\"schema\":7}", "an object that starts with \"schema\""},
        {"{\"two\\nlines\":1}", "an object that starts with \"two lines\""},
        /* 43 letters and one of two bytes: the cut stands before it */
        {"{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xA9z\":1}",
         "an object that starts with \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        st_json_doc  *doc = parse(cases[i][0]);
        const st_json root = st_json_root(doc);
        char          text[120];
        assert_string_equal(st_json_describe(&root, text, sizeof text), cases[i][1]);
        st_json_free(doc);
    }
}

static void members_come_in_file_order(void **state)
{
    (void)state;
    st_json_doc *doc = parse("{\"z\":1,\"a\":2,\"m\":3}");
    const st_json root = st_json_root(doc);
    st_json member;
    st_json_walk walk = st_json_walk_start(&root);
    char keys[8] = "";
    while (st_json_walk_next(&walk, &root, &member))
        strcat(keys, member.key);
    assert_string_equal(keys, "zam");
    st_json_free(doc);
}

static void writing_is_plain_and_reads_back(void **state)
{
    (void)state;
    st_text text;
    st_json_writer w;
    st_text_init(&text);
    st_json_write_start(&w, &text, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "t", "a\"b\\c\n\x01\xC3\xA9");
    st_json_put_str(&w, "bad", (st_str){"x\xFFy", 3});
    st_json_put_int(&w, "n", -3);
    st_json_put_doubles(&w, "v", (const double[]){0.1, 2}, 2);
    st_json_put_text(&w, "none", NULL);
    st_json_write_end(&w);
    assert_string_equal(text.data,
                        "{\"t\":\"a\\\"b\\\\c\\n\\u0001\xC3\xA9\",\"bad\":\"x\xEF\xBF\xBDy\","
                        "\"n\":-3,\"v\":[0.1,2],\"none\":null}");
    st_json_free(parse(text.data));

    st_text_clear(&text);
    st_json_write_start(&w, &text, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_doubles(&w, "v", (const double[]){1, 2}, 2);
    st_json_write_key(&w, "empty");
    st_json_write_array(&w);
    st_json_write_end(&w);
    st_json_write_end(&w);
    assert_string_equal(text.data, "{\n  \"v\": [1, 2],\n  \"empty\": []\n}");
    st_text_free(&text);
}

static void what_was_read_is_written_the_same(void **state)
{
    (void)state;
    const char *text = "{\"z\":[1,2.5,null,true,\"\\\"\"],\"a\":{\"deep\":[[]]},\"e\":{}}";
    st_json_doc *doc = parse(text);
    st_text again;
    st_json_writer w;
    st_text_init(&again);
    st_json_write_start(&w, &again, ST_JSON_COMPACT);
    st_json_write_value(&w, st_json_root(doc));
    assert_string_equal(again.data, text);
    st_text_free(&again);
    st_json_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_by_kind),
        cmocka_unit_test(complaints_name_the_place),
        cmocka_unit_test(a_value_is_described_by_what_it_starts_with),
        cmocka_unit_test(members_come_in_file_order),
        cmocka_unit_test(writing_is_plain_and_reads_back),
        cmocka_unit_test(what_was_read_is_written_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
