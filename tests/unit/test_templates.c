/* Packs are checked when they are read, and a filled template says what its slots say. */
#include "check.h"

#include "datagen/questions/templates.h"

static st_arena arena;

static int make_arena(void **state)
{
    (void)state;
    st_arena_init(&arena, "test");
    return 0;
}

static int free_arena(void **state)
{
    (void)state;
    st_arena_free(&arena);
    return 0;
}

static st_status parse(st_template_pack *pack, const char *json)
{
    return st_template_pack_parse(pack, &arena, st_str_from(json));
}

static void own_pack_asks_four_ways(void **state)
{
    (void)state;
    st_template_pack pack;
    must(st_template_pack_default(&pack, &arena));
    for (int q = 0; q < ST_QUESTION_COUNT; q++) {
        const int low = q == ST_QUESTION_REL_DISTANCE ? 2 : 0;
        for (int n = low; n <= 2 * low; n++)
            assert_true(st_template_pack_serving(&pack, (st_question)q, n) >= 4);
    }
    for (size_t i = 0; i < pack.count; i++) {
        assert_ptr_equal(st_template_pack_find(&pack, pack.templates[i].id), &pack.templates[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(pack.templates[k].text, pack.templates[i].text);
    }
    assert_null(st_template_pack_find(&pack, "no such"));
}

static void slots_are_filled(void **state)
{
    (void)state;
    st_template_pack pack;
    must(parse(&pack, "{\"pack\":\"p\",\"templates\":[{\"id\":\"a\",\"type\":"
                      "\"object_rel_distance\",\"text\":\"{anchor}: {options}? {anchor}!\"},"
                      "{\"id\":\"b\",\"type\":\"object_rel_distance\","
                      "\"text\":\"{o1}/{o2}/{o3} {anchor}\"}]}"));
    assert_int_equal(st_template_pack_serving(&pack, ST_QUESTION_REL_DISTANCE, 2), 1);
    assert_int_equal(st_template_pack_serving(&pack, ST_QUESTION_REL_DISTANCE, 3), 2);
    assert_string_equal(st_template_pack_pick(&pack, ST_QUESTION_REL_DISTANCE, 3, 1)->id, "b");
    const char *labels[] = {"chair", "sofa", "tv"}, *list;
    must(st_template_list_options(&arena, &list, labels, 3));
    const st_slot slots[] = {{"anchor", "bed"}, {"options", list}};
    st_text text;
    st_text_init(&text);
    st_template_fill(&text, &pack.templates[0], slots, 2);
    must(st_text_check(&text));
    assert_string_equal(text.data, "bed: chair, sofa, tv? bed!");
    st_text_free(&text);
}

static void pieces_join_to_the_text(void **state)
{
    (void)state;
    st_str rest = st_str_from("{a} and {b}."), piece;
    bool slot;
    assert_true(st_template_next(&piece, &slot, &rest));
    assert_true(slot && st_str_is(piece, "a"));
    assert_true(st_template_next(&piece, &slot, &rest));
    assert_true(!slot && st_str_is(piece, " and "));
    assert_true(st_template_next(&piece, &slot, &rest));
    assert_true(slot && st_str_is(piece, "b"));
    assert_true(st_template_next(&piece, &slot, &rest));
    assert_true(!slot && st_str_is(piece, "."));
    assert_false(st_template_next(&piece, &slot, &rest));
}

static void broken_packs_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *type, *text, *sentence;
    } cases[] = {
        {"object_counting", "How many?",
         "template \"x\": object_counting needs the slot {label}"},
        {"object_counting", "How many {table}s?",
         "template \"x\": object_counting has no slot {table}"},
        {"object_counting", "How many {label}s} ?",
         "template \"x\": a brace without its partner in \"How many {label}s} ?\""},
        {"object_counting", "How many {label",
         "template \"x\": a brace without its partner in \"How many {label\""},
        {"object_abs_distance", "From {a} to there?",
         "template \"x\": object_abs_distance needs the slot {b}"},
        {"object_rel_distance", "{anchor} {o1} {o3}?",
         "template \"x\": object_rel_distance needs the slots {anchor} and {options}, or {anchor} "
         "and {o1} to {o2}, {o3} or {o4}"},
        {"object_kounting", "{label}", "template \"x\": unknown type \"object_kounting\""},
        {"room_size_estimation", "<video> How large?",
         "template \"x\": the marker <video> or <image> stands in the text"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *json;
        must(st_arena_printf(&arena, &json,
                             "{\"pack\":\"p\",\"templates\":[{\"id\":\"x\",\"type\":\"%s\","
                             "\"text\":\"%s\"}]}", cases[i].type, cases[i].text));
        st_template_pack pack;
        must_fail(parse(&pack, json), ST_ERR_FORMAT, cases[i].sentence);
    }
    st_template_pack pack;
    must_fail(parse(&pack, "{\"pack\":\"p\",\"templates\":["
                           "{\"id\":\"x\",\"type\":\"room_size_estimation\",\"text\":\"a\"},"
                           "{\"id\":\"x\",\"type\":\"room_size_estimation\",\"text\":\"b\"}]}"),
              ST_ERR_FORMAT, "template id \"x\" is used twice");
    must_fail(parse(&pack, "{\"templates\":[]}"), ST_ERR_FORMAT,
              "pack: expected a string, found nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_pack_asks_four_ways, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(slots_are_filled, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(pieces_join_to_the_text, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(broken_packs_are_named, make_arena, free_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
