/* A model folder is counted right, and what is odd about it is said. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "model/init.h"
#include "model/summary.h"

static void a_folder_is_summed_up(void **state)
{
    (void)state;
    char folder[] = "/tmp/st_summary_XXXXXX", path[100];
    assert_non_null(mkdtemp(folder));
    const st_init_options options = {.preset = ST_MODEL_TINY, .voice = ST_VOICE_QUIET};
    must(st_model_init(folder, &options));

    st_arena arena;
    st_model_summary s;
    st_text text;
    st_arena_init(&arena, "test");
    st_text_init(&text);
    must(st_model_summarize(&arena, &s, folder));
    assert_int_equal(s.part[ST_PART_EMBED].values, 512 * 128);
    assert_int_equal(s.part[ST_PART_TTT].tensors, 3 * 17);
    assert_int_equal(s.part[ST_PART_HEAD].tensors, 0);
    assert_int_equal(s.all.bytes, 2 * s.all.values);
    assert_int_equal(s.all.dtype, ST_BF16);
    /* One anchor of 2 heads of 32, keys and values in bf16. */
    assert_int_equal(s.anchor_token_bytes, 2 * 2 * 32 * 2);
    /* Three layers: W, sums, M and P of 3 x 2 x 64 x 64 floats, and a window of 32 tokens. */
    assert_int_equal(s.state_bytes, 3 * (4 * 3 * 2 * 64 * 64 * 4 + 32 * 256));
    assert_int_equal(s.tokenizer_size, 282);
    assert_int_equal(s.odd_count, 0);

    st_model_summary_print(&text, &s, "tiny");
    assert_non_null(strstr(text.data, "tiny  4 layers (3 hybrid), hidden 128, 512 rows\n"));
    assert_non_null(strstr(text.data,
                           "  embedding         1           65,536          131,072  bf16\n"));
    assert_non_null(strstr(text.data, "  layers       0-2\n"));
    assert_null(strstr(text.data, "odd"));
    st_text_clear(&text);
    st_model_summary_json(&text, &s, "tiny");
    st_json_doc *doc;
    must(st_json_parse(&doc, st_text_view(&text)));
    st_json_free(doc);

    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    must(st_file_remove(path));
    snprintf(path, sizeof path, "%s/ttt_config.json", folder);
    must(st_file_write(path, "{\"preset\":\"eval-compat\"}", 24));
    must(st_model_summarize(&arena, &s, folder));
    assert_int_equal(s.odd_count, 2);
    assert_string_equal(s.odd[0], "fast weights are updated otherwise than in training: Muon off, "
                                  "postnorm");
    assert_string_equal(s.odd[1], "there is no tokenizer");

    st_text_free(&text);
    st_arena_free(&arena);
    assert_int_equal(folder_remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_folder_is_summed_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
