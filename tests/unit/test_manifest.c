/* A manifest is the same bytes each time, and a folder is finished only while its files stand. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/base/manifest.h"

#include <unistd.h>

static st_arena arena;
static char folder[64];

static int set_up(void **state)
{
    (void)state;
    st_arena_init(&arena, "test");
    snprintf(folder, sizeof folder, "/tmp/test_manifest.%d", (int)getpid());
    return 0;
}

static const char *inside(const char *name)
{
    const char *path;
    must(st_path_join(&arena, &path, folder, name));
    return path;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"a.json", "b.json", "qa/x.jsonl", "manifest.json",
                                        "run.json"};
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(inside(names[i]));
    rmdir(inside("qa"));
    rmdir(folder);
    st_arena_free(&arena);
    return 0;
}

static void make(st_manifest *m, uint64_t seed, const char *settings, bool swapped)
{
    must(st_file_write(inside("a.json"), "aa", 2));
    must(st_file_write(inside("b.json"), "bbb", 3));
    st_manifest_init(m, &arena, "0.1.0", "qa", seed);
    st_text text;
    st_text_init(&text);
    st_text_add(&text, settings);
    must(st_manifest_set_settings(m, &text));
    must(st_manifest_add_input(m, inside(swapped ? "b.json" : "a.json")));
    must(st_manifest_add_input(m, inside(swapped ? "a.json" : "b.json")));
    st_text_clear(&text);
    st_text_add(&text, "{\"k\":[1,2.5,null,true,\"x\"]}");
    must(st_manifest_add_section(m, "zeta", &text));
    must(st_manifest_add_section(m, "alpha", &text));
    must(st_manifest_write_output(m, folder, "qa/x.jsonl", st_str_from("{}\n"), 1));
    must(st_manifest_write(m, folder));
    st_text_free(&text);
}

static const char *manifest_bytes(void)
{
    st_str bytes;
    must(st_file_read(&arena, &bytes, inside("manifest.json"), 1 << 20));
    return bytes.data;
}

static bool is_finished(const st_manifest *m)
{
    st_json_doc *found;
    must(st_manifest_find_finished(&found, m, folder));
    st_json_free(found);
    return found != NULL;
}

static void bytes_do_not_depend_on_order(void **state)
{
    (void)state;
    st_manifest m;
    make(&m, 7, "{\"a\":1}", false);
    const char *first = manifest_bytes();
    make(&m, 7, "{\"a\":1}", true);
    assert_string_equal(first, manifest_bytes());
    /* Keys are sorted, and no path shows. */
    assert_true(strstr(first, "\"alpha\"") < strstr(first, "\"command\""));
    assert_true(strstr(first, "\"work\"") < strstr(first, "\"zeta\""));
    assert_null(strstr(first, folder));
    assert_non_null(strstr(first, "\"seed\": 7"));
}

static void folder_is_finished_while_all_stands(void **state)
{
    (void)state;
    st_manifest m, other;
    make(&m, 7, "{}", false);
    assert_true(is_finished(&m));
    other = m;
    other.seed = 8;
    assert_false(is_finished(&other));
    other = m;
    other.settings = st_str_from("{\"b\":1}");
    assert_false(is_finished(&other));
    other = m;
    other.version = "0.1.1";
    assert_false(is_finished(&other));

    must(st_file_write(inside("qa/x.jsonl"), "{}x", 3));        /* same size, other bytes */
    assert_false(is_finished(&m));
    must(st_file_write(inside("qa/x.jsonl"), "{}\n", 3));
    assert_true(is_finished(&m));
    must(st_file_remove(inside("qa/x.jsonl")));
    assert_false(is_finished(&m));
    must(st_file_write(inside("qa/x.jsonl"), "{}\n", 3));
    const char *command;
    must(st_manifest_command(&command, &arena, folder));
    assert_string_equal(command, m.command);
    must(st_file_write(inside("manifest.json"), "{\"work\": 3", 10));   /* cut off */
    assert_false(is_finished(&m));
    must(st_manifest_command(&command, &arena, folder));
    assert_null(command);
    must(st_file_remove(inside("manifest.json")));
    assert_false(is_finished(&m));
    must(st_manifest_command(&command, &arena, folder));
    assert_null(command);
}

static void changed_input_is_other_work(void **state)
{
    (void)state;
    st_manifest m, other;
    make(&m, 7, "{}", false);
    const st_digest before = st_manifest_work(&m);
    must(st_file_write(inside("a.json"), "ab", 2));
    st_manifest_init(&other, &arena, "0.1.0", "qa", 7);
    must(st_manifest_add_input(&other, inside("a.json")));
    must(st_manifest_add_input(&other, inside("b.json")));
    const st_digest after = st_manifest_work(&other);
    assert_memory_not_equal(before.bytes, after.bytes, sizeof before.bytes);
    st_manifest lost;
    st_manifest_init(&lost, &arena, "0.1.0", "qa", 7);
    assert_int_equal(st_manifest_add_input(&lost, inside("none")).code, ST_ERR_IO);
}

static void run_tells_what_differs(void **state)
{
    (void)state;
    static const char *const inputs[] = {"x.json"};
    static const st_run_stage stages[] = {{"read", 0.5}, {"write", 0.25}};
    const st_run run = {.version = "0.1.0", .commit = "abc", .command_line = "spatial qa x.json",
                        .inputs = inputs, .input_count = 1, .start_unix_s = 0, .jobs = 2,
                        .stages = stages, .stage_count = 2};
    must(st_run_write(&run, folder));
    st_json_doc *doc;
    must(st_json_load(&doc, inside("run.json")));
    const st_json root = st_json_root(doc);
    double total_s;
    st_str started;
    must(st_json_double(st_json_member(&root, "total_s"), &total_s));
    must(st_json_text(st_json_member(&root, "started"), &started));
    assert_near(total_s, 0.75, 0.0);
    assert_true(st_str_is(started, "1970-01-01T00:00:00Z"));
    st_json_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_do_not_depend_on_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_is_finished_while_all_stands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_input_is_other_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run_tells_what_differs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
