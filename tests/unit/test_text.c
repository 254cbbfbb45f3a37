/* Views, numbers in print, UTF-8 and patterns. */
#include "check.h"

#include "kernels/base/rng.h"
#include "kernels/base/text.h"

static void lines_and_fields(void **state)
{
    (void)state;
    st_str rest = st_str_from("one\r\n\ntwo"), line;
    assert_true(st_str_next_line(&line, &rest));
    assert_true(st_str_is(line, "one"));
    assert_true(st_str_next_line(&line, &rest));
    assert_int_equal(line.size, 0);
    assert_true(st_str_next_line(&line, &rest));
    assert_true(st_str_is(line, "two"));
    assert_false(st_str_next_line(&line, &rest));

    rest = st_str_from("a\t\tb\t");
    st_str field;
    int count = 0;
    while (st_str_next_field(&field, &rest, '\t'))
        count++;
    assert_int_equal(count, 4);
    assert_true(st_str_is(st_str_trim(st_str_from(" \twardrobe \r\n")), "wardrobe"));
}

static void endings_are_whole_and_may_fold_case(void **state)
{
    (void)state;
    const st_str name = st_str_from("room.PNG");
    assert_true(st_str_ends(name, ".PNG"));
    assert_true(st_str_ends(name, ""));
    assert_true(st_str_ends(name, "room.PNG"));
    assert_false(st_str_ends(name, ".png"));
    assert_false(st_str_ends(name, "a room.PNG"));
    assert_true(st_str_ends_folded(name, ".png"));
    assert_true(st_str_ends_folded(name, "Room.Png"));
    assert_false(st_str_ends_folded(name, ".pngs"));

    const st_str none = {NULL, 0}, part = {"kiss me", 4};   /* not terminated where it ends */
    assert_true(st_str_ends(none, ""));
    assert_false(st_str_ends_folded(none, "x"));
    assert_true(st_str_ends(part, "ss"));
    assert_false(st_str_ends(part, "me"));
}

static void an_opening_is_one_line_of_whole_characters(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(st_str_opening(out, st_str_from("\n ply\nformat ascii")), "\"ply\"");
    assert_string_equal(st_str_opening(out, st_str_from("a line of more than twenty-four bytes")),
                        "\"a line of more than twen...\"");
    const st_str accents = st_str_from("three and twenty bytes \xC3\xA9t\xC3\xA9");
    assert_string_equal(st_str_opening(out, accents), "\"three and twenty bytes \xC3\xA9...\"");
    assert_string_equal(st_str_opening(out, st_str_from("\x89PNG\r\n")), "bytes that are no text");
    assert_string_equal(st_str_opening(out, (st_str){"PK\3\4\0", 5}), "bytes that are no text");
    assert_string_equal(st_str_opening(out, st_str_from(" \n")), "nothing");
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    double x;
    int64_t i;
    assert_true(st_str_double(st_str_from("-1.5e3"), &x));
    assert_true(x == -1500.0);
    assert_false(st_str_double(st_str_from("1.5x"), &x));
    assert_false(st_str_double(st_str_from(" 1"), &x));
    assert_false(st_str_double(st_str_from(""), &x));
    assert_false(st_str_double(st_str_from("nan"), &x));
    assert_true(st_str_double_any(st_str_from("-inf"), &x));
    assert_true(st_str_int(st_str_from("-42"), &i));
    assert_int_equal(i, -42);
    assert_false(st_str_int(st_str_from("99999999999999999999"), &i));
}

static void doubles_print_shortest_and_read_back(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(st_print_double(text, 0.1), "0.1");
    assert_string_equal(st_print_double(text, 3.0), "3");
    assert_string_equal(st_print_double(text, 1e-7), "1e-07");
    st_rng rng = st_rng_from(1);
    for (int i = 0; i < 100000; i++) {
        const double x = ldexp(st_rng_between(&rng, -1, 1), (int)st_rng_below(&rng, 200) - 100);
        assert_true(strtod(st_print_double(text, x), NULL) == x);
    }
}

/* Ties go to even on the exact binary value: 0.25 and 2.5 are ties, 0.15 is not. */
static void rounding_is_that_of_the_binary_value(void **state)
{
    (void)state;
    static const struct {
        double      x;
        int         decimals;
        const char *text;
    } cases[] = {
        {0.25, 1, "0.2"}, {0.35, 1, "0.3"}, {0.15, 1, "0.1"},  {0.45, 1, "0.5"}, {2.5, 0, "2"},
        {3.5, 0, "4"},    {-0.04, 1, "0.0"}, {-0.05, 1, "-0.1"}, {3.0, 1, "3.0"},
        {1e20, 0, "100000000000000000000"},
    };
    char text[64];
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(st_print_fixed(text, cases[i].x, cases[i].decimals), cases[i].text);
    assert_true(st_round_decimals(1.23456789, 6) == 1.234568);
}

static void bad_utf8_is_found_where_it_stands(void **state)
{
    (void)state;
    assert_int_equal(st_utf8_check(st_str_from("h\xC3\xA9llo \xF0\x9F\xAA\x91")), 11);
    static const struct {
        const char *bytes;
        size_t      at;
    } bad[] = {
        {"ab\xFF", 2},         {"\xC0\x80", 0},         {"x\xE0\x80\x80", 1}, {"\xED\xA0\x80", 0},
        {"\xF4\x90\x80\x80", 0}, {"ok\xE2\x82", 2}, {"\x80", 0},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(st_utf8_check(st_str_from(bad[i].bytes)), bad[i].at);
    for (uint32_t c = 0; c < 0x110000; c += 7) {
        char bytes[4];
        uint32_t back;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        const size_t size = st_utf8_encode(bytes, c);
        assert_int_equal(st_utf8_decode((st_str){bytes, size}, 0, &back), size);
        assert_int_equal(back, c);
    }
}

static void normal_form_composes(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    st_str normal;
    must(st_utf8_nfc(&arena, &normal, st_str_from("e\xCC\x81")));
    assert_true(st_str_is(normal, "\xC3\xA9"));
    assert_int_equal(st_utf8_nfc(&arena, &normal, st_str_from("\xFF")).code, ST_ERR_FORMAT);
    const char *shown;
    must(st_utf8_for_message(&arena, &shown, st_str_from("a\xFF\n\xC3\xA9zz"), 6));
    assert_string_equal(shown, "a\xEF\xBF\xBD\\x0a\xC3\xA9z...");
    st_arena_free(&arena);
}

static void patterns_tell_their_groups(void **state)
{
    (void)state;
    st_pattern *pattern;
    st_match *match;
    must(st_pattern_create(&pattern, "between the (.+?) and the (\\p{L}+)"));
    must(st_match_create(&match, pattern));
    const st_str text = st_str_from("distance between the tv stand and the s\xC3\xB6" "fa?");
    bool found;
    must(st_match_find(match, pattern, text, 0, &found));
    assert_true(found);
    assert_true(st_str_is(st_match_group(match, text, 1), "tv stand"));
    assert_true(st_str_is(st_match_group(match, text, 2), "s\xC3\xB6" "fa"));
    must(st_match_find(match, pattern, st_str_from("nothing"), 0, &found));
    assert_false(found);
    st_match_free(match);
    st_pattern_free(pattern);
    assert_int_equal(st_pattern_create(&pattern, "(").code, ST_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_fields),
        cmocka_unit_test(endings_are_whole_and_may_fold_case),
        cmocka_unit_test(an_opening_is_one_line_of_whole_characters),
        cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(doubles_print_shortest_and_read_back),
        cmocka_unit_test(rounding_is_that_of_the_binary_value),
        cmocka_unit_test(bad_utf8_is_found_where_it_stands),
        cmocka_unit_test(normal_form_composes),
        cmocka_unit_test(patterns_tell_their_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
