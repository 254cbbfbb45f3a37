/* test_labels.c - words to classes and names, groups, the benchmark's rooms. */
#include "check.h"

#include "datagen/scans/label_tables.h"

/* A made table with the columns of the real one; the real one is not ours to ship. */
static const char TABLE[] =
    "id\traw_category\tcategory\tcount\tnyu40id\teigen13id\n"
    "1\twall\twall\t9\t1\t12\n"
    "2\tchair\tchair\t9\t5\t4\n"
    "23\tarmchair\tchair\t9\t5\t4\n"
    "35\tstack of chairs\tchair\t9\t5\t4\n"
    "5\tdoor\tdoor\t9\t8\t12\n"
    "5\tdoors\tdoor\t1\t8\t12\n"
    "1028\tshower door\tdoor\t1\t8\t12\n"
    "161\tdoorframe\tdoor\t9\t8\t12\n"
    "385\tcabinet door\tdoor\t9\t8\t12\n"
    "14\tdesk\tdesk\t9\t14\t10\n"
    "56\ttrash can\ttrash can\t9\t39\t6\n"
    "70\twashing machines\twashing machine\t9\t39\t6\n"
    "1163\tobject\tobject\t9\t40\t7\n"
    "31\tperson\tperson\t9\t31\t7\n"
    "399\tpurse\tpurse\t9\t40\t7\n"
    "37\tbag of coffee beans\tbag\t9\t37\t7\n"
    "41\tpillows\tpillow\t9\t18\t7\n"
    "42\tpillow\tpillow\t9\t18\t7\n"
    "43\tbookshelves\tbookshelf\t9\t10\t7\n"
    "44\tair mattress\tbed\t9\t4\t7\n"
    "45\tblinds\tblinds\t9\t13\t7\n";

static st_label_table *made(void)
{
    st_label_table *t;
    must(st_label_table_parse(&t, st_str_from(TABLE)));
    return t;
}

static void tables_are_sorted_and_consistent(void **state)
{
    (void)state;
    for (size_t i = 1; i < sti_label_count; i++)
        assert_true(strcmp(sti_labels[i - 1].name, sti_labels[i].name) < 0);
    for (size_t i = 0; i < sti_fine_count; i++)
        assert_true(st_label_known(sti_fine[i].label));
    for (size_t i = 0; i < sti_vsi_count; i++)
        assert_true(st_label_known(sti_vsi[i].label));
    for (int id = 1; id < STI_CLASS_COUNT; id++)
        if (sti_classes[id].name)
            assert_true(st_label_known(sti_classes[id].name));
}

static void uses_follow_the_class_table(void **state)
{
    (void)state;
    assert_int_equal(st_label_uses("chair"),
                     ST_LABEL_REFERENT | ST_LABEL_COUNTED | ST_LABEL_MENTIONED);
    assert_int_equal(st_label_uses("window"), ST_LABEL_REFERENT | ST_LABEL_MENTIONED);
    assert_int_equal(st_label_uses("pillow"), ST_LABEL_COUNTED | ST_LABEL_MENTIONED);
    assert_int_equal(st_label_uses("wall"), ST_LABEL_STRUCTURE);
    assert_int_equal(st_label_uses("clock"), ST_LABEL_MENTIONED);
    assert_int_equal(st_label_uses("telephone"), ST_LABEL_REFERENT | ST_LABEL_MENTIONED);
    assert_int_equal(st_label_uses("coat rack"), 0);
    assert_string_equal(st_nyu40_name(24), "refrigerator");
    assert_null(st_nyu40_name(39));
    assert_null(st_nyu40_name(0));
    assert_null(st_nyu40_name(41));
}

static void groups_are_what_viewers_confuse(void **state)
{
    (void)state;
    assert_true(st_label_confusable("table", "desk"));
    assert_true(st_label_confusable("armchair", "sofa"));
    assert_true(st_label_confusable("armchair", "stool"));
    assert_false(st_label_confusable("chair", "sofa"));
    assert_true(st_label_confusable("bed", "bed"));
    assert_false(st_label_confusable("bed", "lamp"));
    assert_true(st_label_hard_to_count("window"));
    assert_false(st_label_hard_to_count("chair"));
}

static void verdict_is(st_label_verdict v, const char *label, const char *reason, int nyu40,
                       bool plural)
{
    if (label)
        assert_string_equal(v.label, label);
    else
        assert_null(v.label);
    if (reason)
        assert_string_equal(v.reason, reason);
    assert_int_equal(v.nyu40, nyu40);
    assert_int_equal(v.plural, plural);
}

static void scannet_labels_get_names(void **state)
{
    (void)state;
    st_label_table *t = made();
#define SAYS(raw, vocabulary, ...)                                                                \
    verdict_is(st_label_of_scannet(t, st_str_from(raw), ST_VOCABULARY_##vocabulary), __VA_ARGS__)
    SAYS("armchair", MIXED, "chair", NULL, 5, false);
    SAYS(" Armchair ", MIXED, "chair", NULL, 5, false);
    SAYS("armchairs", MIXED, "chair", NULL, 5, true);
    SAYS("stack of chairs", MIXED, "chair", NULL, 5, true);
    SAYS("bag of coffee beans", MIXED, "bag", NULL, 37, false);
    SAYS("pillows", MIXED, "pillow", NULL, 18, true);
    SAYS("bookshelves", MIXED, "bookshelf", NULL, 10, true);
    SAYS("air mattress", MIXED, "bed", NULL, 4, false);
    SAYS("blinds", MIXED, "blinds", NULL, 13, false);
    SAYS("doors", VSI, "door", NULL, 8, true);
    SAYS("shower door", VSI, NULL, "other_class", 8, false);
    SAYS("shower door", MIXED, "door", NULL, 8, false);
    SAYS("desk", VSI, "table", NULL, 14, false);
    SAYS("trash can", MIXED, "trash bin", NULL, 39, false);
    SAYS("trash can", NYU40, NULL, "other_class", 39, false);
    SAYS("washing machines", MIXED, "washing machine", NULL, 39, true);
    SAYS("purse", MIXED, NULL, "other_class", 40, false);
    SAYS("wall", MIXED, NULL, "structure", 1, false);
    SAYS("person", MIXED, NULL, "unused_class", 31, false);
    SAYS("object", MIXED, NULL, "not_an_object", 40, false);
    SAYS("doorframe", MIXED, NULL, "not_an_object", 8, false);
    SAYS("cabinet door", MIXED, NULL, "not_an_object", 8, false);
    SAYS("", MIXED, NULL, "not_an_object", 0, false);
    SAYS("zebra", MIXED, NULL, "unknown_label", 0, false);
#undef SAYS
    st_label_table_free(t);
}

static void arkit_labels_get_names(void **state)
{
    (void)state;
#define SAYS(raw, vocabulary, ...)                                                                \
    verdict_is(st_label_of_arkit(st_str_from(raw), ST_VOCABULARY_##vocabulary), __VA_ARGS__)
    SAYS("tv_monitor", MIXED, "tv", NULL, 25, false);
    SAYS("TV-Monitor", VSI, "tv", NULL, 25, false);
    SAYS("build in cabinet", MIXED, "cabinet", NULL, 3, false);
    SAYS("washer", MIXED, "washing machine", NULL, 39, false);
    SAYS("washer", VSI, "washer", NULL, 39, false);
    SAYS("washer", NYU40, NULL, "other_class", 39, false);
    SAYS("sink", VSI, NULL, "other_class", 34, false);
    SAYS("stairs", MIXED, NULL, "not_an_object", 0, false);
    SAYS("teapot", MIXED, NULL, "unknown_label", 0, false);
#undef SAYS
}

static void benchmark_rooms_are_known(void **state)
{
    (void)state;
    assert_int_equal(st_benchmark_space_count(), 288);
    assert_true(st_benchmark_has_space("scannet", "scene0030"));
    assert_true(st_benchmark_has_space("scannet", "scene0030_01"));
    assert_false(st_benchmark_has_space("scannet", "scene001"));
    assert_false(st_benchmark_has_space("scannet", "scene0000"));
    assert_true(st_benchmark_has_space("arkitscenes", "41069025"));
    assert_false(st_benchmark_has_space("scannet", "41069025"));
    assert_false(st_benchmark_has_space("synth", "scene0030"));
}

static void printing_names_everything(void **state)
{
    (void)state;
    st_text out;
    st_text_init(&out);
    st_labels_print(&out);
    assert_non_null(strstr(out.data, "refrigerator"));
    assert_non_null(strstr(out.data, "kept out of datasets: 288\n"));
    st_text_clear(&out);
    st_labels_print_json(&out);
    assert_non_null(strstr(out.data, "\"benchmark_spaces\":288}\n"));
    must(st_text_check(&out));
    st_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sorted_and_consistent),
        cmocka_unit_test(uses_follow_the_class_table),
        cmocka_unit_test(groups_are_what_viewers_confuse),
        cmocka_unit_test(scannet_labels_get_names),
        cmocka_unit_test(arkit_labels_get_names),
        cmocka_unit_test(benchmark_rooms_are_known),
        cmocka_unit_test(printing_names_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
