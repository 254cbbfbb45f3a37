/* A folder made from nothing is a complete model, the same for the same seed on any threads. */
#include "check.h"

#include "kernels/base/digest.h"
#include "kernels/base/files.h"
#include "model/init.h"
#include "model/tokenizer.h"
#include "model/weights.h"

static void init_into(char folder[40], int jobs, uint64_t seed)
{
    snprintf(folder, 40, "/tmp/st_init_XXXXXX");
    assert_non_null(mkdtemp(folder));
    const st_init_options options = {.preset = ST_MODEL_TINY, .seed = seed, .jobs = jobs,
                                     .voice = ST_VOICE_QUIET};
    must(st_model_init(folder, &options));
}

static void digest_of(char text[65], const char *folder, const char *name)
{
    char path[100];
    st_digest digest;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    must(st_digest_of_file(&digest, path));
    st_digest_print(text, &digest);
}

static void the_folder_is_a_model(void **state)
{
    (void)state;
    char folder[40];
    init_into(folder, 2, 1);
    st_model_config config;
    st_weights *w;
    must(st_model_config_load(&config, folder));
    assert_int_equal(config.ttt_source, ST_TTT_FROM_FILE);
    assert_int_equal(config.ttt.chunk, 32);
    must(st_weights_open(&w, &config, folder, 9));
    assert_int_equal(w->fresh_count, 0);
    assert_int_equal(w->unexpected_count, 0);
    assert_int_equal(w->embed.dtype, ST_BF16);

    /* Spread as asked: deviation 0.02 over 65536 values, known to a few parts in a thousand. */
    double square = 0.0;
    const int64_t count = st_tensor_count(&w->embed);
    for (int64_t i = 0; i < count; i++) {
        const double x = st_f32_from_bf16(((const uint16_t *)w->embed.data)[i]);
        square += x * x;
    }
    assert_near(sqrt(square / (double)count), 0.02, 2e-4);
    assert_int_equal(((const uint16_t *)w->layer[0].ttt.conv_q.data)[13], 0x3f80);
    assert_int_equal(((const uint16_t *)w->layer[0].ttt.scale.weight.data)[0], 0);
    st_weights_close(w);

    st_tokenizer *t;
    must(st_tokenizer_load(&t, folder));
    assert_int_equal(st_tokenizer_size(t), 282);
    assert_int_equal(st_tokenizer_id(t, "<|video_pad|>"), config.ids.video);
    assert_int_equal(st_tokenizer_id(t, "<|im_end|>"), config.ids.eos);
    st_tokenizer_free(t);

    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s: there is a model already; choose another folder",
             folder);
    const st_init_options again = {.preset = ST_MODEL_TINY, .voice = ST_VOICE_QUIET};
    must_fail(st_model_init(folder, &again), ST_ERR_USAGE, sentence);
    assert_int_equal(folder_remove(folder), 0);
}

static void threads_do_not_change_a_byte(void **state)
{
    static const char *const names[] = {"model.safetensors", "config.json", "ttt_config.json",
                                        "tokenizer.json", "preprocessor_config.json",
                                        "generation_config.json"};
    (void)state;
    char one[40], four[40], other[40], a[65], b[65];
    init_into(one, 1, 5);
    init_into(four, 4, 5);
    init_into(other, 1, 6);
    for (size_t i = 0; i < COUNT(names); i++) {
        digest_of(a, one, names[i]);
        digest_of(b, four, names[i]);
        assert_string_equal(a, b);
    }
    digest_of(a, one, "model.safetensors");
    digest_of(b, other, "model.safetensors");
    assert_string_not_equal(a, b);
    assert_int_equal(folder_remove(one), 0);
    assert_int_equal(folder_remove(four), 0);
    assert_int_equal(folder_remove(other), 0);
}

/* A file size limit stands in for a full disk: the tokenizer fits, the weights do not. What was in
 * the folder before stays. */
static void a_full_disk_leaves_no_part_of_a_model(void **state)
{
    (void)state;
    char folder[40] = "/tmp/st_init_XXXXXX", notes[60];
    assert_non_null(mkdtemp(folder));
    snprintf(notes, sizeof notes, "%s/notes.txt", folder);
    must(st_file_write(notes, "kept", 4));

    const st_init_options options = {.preset = ST_MODEL_TINY, .voice = ST_VOICE_QUIET};
    const rlim_t before = file_limit(100000);
    const st_status s = st_model_init(folder, &options);
    file_limit(before);
    assert_int_equal(s.code, ST_ERR_IO);
    assert_non_null(strstr(s.text, "model.safetensors"));

    st_arena arena;
    const char **names;
    size_t count;
    st_arena_init(&arena, "names");
    must(st_folder_list(&arena, &names, &count, folder));
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "notes.txt");
    st_arena_free(&arena);
    assert_int_equal(folder_remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_leaves_no_part_of_a_model),
        cmocka_unit_test(the_folder_is_a_model),
        cmocka_unit_test(threads_do_not_change_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
