/* Parity keeps the score honestly: a folder of this program's own answers agrees, and one changed
 * number anywhere does not. Stored answers of an independent program are checked when here.
 */
#include "unit/tiny_model.h"

#include "model/init.h"
#include "model/parity.h"

#include <sys/stat.h>

enum { TOKENS = 31, GRID_TOKENS = 6, PATCHES = 24, FEATURES = 1536 };

/* A model folder and its inputs; answers are added by the tests. */
typedef struct fixture {
    char     folder[64];
    st_arena arena;
    int64_t *ids, *labels, *grid;
    float   *pixels;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const st_model_config config = tiny_config();
    tiny_model_make(f->folder, &config, 21);
    st_arena_init(&f->arena, "parity test");
    must(ST_ALLOC(&f->arena, &f->ids, TOKENS));
    must(ST_ALLOC(&f->arena, &f->labels, TOKENS));
    must(ST_ALLOC(&f->arena, &f->grid, 3));
    must(ST_ALLOC(&f->arena, &f->pixels, 3 * PATCHES * FEATURES));
    st_rng rng = st_rng_from(4);
    for (int i = 0; i < TOKENS; i++) {
        const bool visual = i >= 4 && i < 4 + 3 * 7 && (i - 4) % 7 < GRID_TOKENS;
        f->ids[i] = visual ? TINY_VIDEO : (int64_t)st_rng_below(&rng, 90);
        f->labels[i] = i < 26 ? -100 : f->ids[i];
    }
    memcpy(f->grid, (int64_t[]){3, 4, 6}, 3 * sizeof(int64_t));
    for (int i = 0; i < 3 * PATCHES * FEATURES; i++)
        f->pixels[i] = (float)st_rng_between(&rng, -1.0, 1.0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char path[512];
    snprintf(path, sizeof path, "%s/io.safetensors", f->folder);
    unlink(path);
    tiny_model_remove(f->folder);
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static st_tensor view(void *data, st_dtype dtype, int rank, int64_t a, int64_t b)
{
    return (st_tensor){.data = data, .shape = {a, b}, .rank = rank, .dtype = dtype};
}

/* The inputs and these answers as the folder's stored vectors. */
static void store(fixture *f, const st_named_tensor *answers, size_t count)
{
    st_named_tensor all[64] = {
        {"input_ids", view(f->ids, ST_I64, 1, TOKENS, 0)},
        {"labels", view(f->labels, ST_I64, 1, TOKENS, 0)},
        {"pixel_values_videos", view(f->pixels, ST_F32, 2, 3 * PATCHES, FEATURES)},
        {"video_grid_thw", view(f->grid, ST_I64, 2, 1, 3)},
    };
    assert_true(4 + count <= COUNT(all));
    memcpy(all + 4, answers, count * sizeof *answers);
    char path[512];
    snprintf(path, sizeof path, "%s/io.safetensors", f->folder);
    must(st_safetensors_save(path, all, 4 + count, NULL, 0));
}

static void run(st_parity *report, const char *folder, st_ttt_preset preset)
{
    const st_parity_options options = {.preset = preset, .jobs = 1};
    st_parity_init(report);
    must(st_parity_run(report, folder, &options));
}

/* Names and shapes of all answers a model folder may store, with zeros in them. */
static size_t blank_answers(fixture *f, st_named_tensor *to)
{
    const struct { const char *name; st_dtype dtype; int rank; int64_t a, b; } list[] = {
        {"position_ids", ST_I64, 2, 3, TOKENS}, {"rope_delta", ST_I64, 1, 1, 0},
        {"vision.last_hidden", ST_F32, 2, 3 * PATCHES, 16},
        {"vision.merged", ST_F32, 2, 3 * GRID_TOKENS, 32},
        {"vision.deepstack0", ST_F32, 2, 3 * GRID_TOKENS, 32},
        {"vision.deepstack1", ST_F32, 2, 3 * GRID_TOKENS, 32},
        {"base.logits", ST_F32, 2, TOKENS, 96}, {"layer0.hidden", ST_F32, 2, TOKENS, 32},
        {"layer1.hidden", ST_F32, 2, TOKENS, 32}, {"layer2.hidden", ST_F32, 2, TOKENS, 32},
        {"layer3.hidden", ST_F32, 2, TOKENS, 32}, {"layer4.hidden", ST_F32, 2, TOKENS, 32},
        {"layer5.hidden", ST_F32, 2, TOKENS, 32}, {"layer6.hidden", ST_F32, 2, TOKENS, 32},
        {"layer7.hidden", ST_F32, 2, TOKENS, 32}, {"logits", ST_F32, 2, TOKENS, 96},
        {"loss", ST_F32, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(list); i++) {
        st_tensor x = view(NULL, list[i].dtype, list[i].rank, list[i].a, list[i].b);
        unsigned char *zeros;
        must(ST_ALLOC(&f->arena, &zeros, st_tensor_bytes(&x)));
        x.data = zeros;
        to[i] = (st_named_tensor){list[i].name, x};
    }
    return COUNT(list);
}

/* This program's own answers, copied so that they can be changed. */
static size_t own_answers(fixture *f, st_named_tensor *to)
{
    st_parity report;
    const size_t count = blank_answers(f, to);
    store(f, to, count);
    run(&report, f->folder, ST_TTT_TRAIN);
    assert_false(report.pass);
    assert_int_equal(report.computed_count, count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(to[i].name, report.computed[k].name) == 0)
                memcpy(to[i].tensor.data, report.computed[k].tensor.data,
                       st_tensor_bytes(&to[i].tensor));
    st_parity_free(&report);
    store(f, to, count);
    return count;
}

static void own_answers_agree(void **state)
{
    fixture *f = *state;
    st_named_tensor answers[32];
    st_parity report;
    const size_t count = own_answers(f, answers);
    run(&report, f->folder, ST_TTT_TRAIN);
    assert_true(report.pass);
    assert_int_equal(report.count, count);
    for (size_t i = 0; i < count; i++)
        assert_near(report.entry[i].error, 0.0, 0.0);
    st_parity_free(&report);
}

static void one_changed_number_fails(void **state)
{
    fixture *f = *state;
    st_named_tensor answers[32];
    st_rng rng = st_rng_from(9);
    const size_t count = own_answers(f, answers);
    for (size_t i = 0; i < count; i++) {
        const st_tensor *x = &answers[i].tensor;
        const size_t at = st_rng_below(&rng, (uint64_t)st_tensor_count(x));
        float  *real = x->dtype == ST_F32 ? (float *)x->data + at : NULL;
        int64_t *whole = x->dtype == ST_I64 ? (int64_t *)x->data + at : NULL;
        const float kept = real ? *real : 0.0f;
        if (real)
            *real += 0.01f;
        else
            *whole += 1;
        store(f, answers, count);
        st_parity report;
        run(&report, f->folder, ST_TTT_TRAIN);
        assert_false(report.pass);
        for (size_t k = 0; k < report.count; k++)
            assert_int_equal(report.entry[k].pass,
                             strcmp(report.entry[k].name, answers[i].name) != 0);
        st_parity_free(&report);
        if (real)
            *real = kept;
        else
            *whole -= 1;
    }
}

static void what_is_not_computed_fails(void **state)
{
    fixture *f = *state;
    st_named_tensor answers[32];
    size_t count = own_answers(f, answers);
    answers[count++] = (st_named_tensor){"layer9.hidden", answers[7].tensor};
    store(f, answers, count);
    st_parity report;
    run(&report, f->folder, ST_TTT_TRAIN);
    assert_false(report.pass);
    assert_string_equal(report.entry[count - 1].name, "layer9.hidden");
    assert_string_equal(report.entry[count - 1].note, "stored, and nothing here computes it");
    st_parity_free(&report);

    /* Fewer visual tokens than the grid has: a difference, in words. */
    f->ids[5] = 3;
    store(f, answers, count - 1);
    run(&report, f->folder, ST_TTT_TRAIN);
    assert_false(report.pass);
    assert_string_equal(report.entry[0].note, "a grid of 6 tokens has 1 in the sequence");
    st_parity_free(&report);
    f->ids[5] = TINY_VIDEO;
}

/* One folder that cannot be used is said so, and the others are compared all the same. */
static void a_damaged_folder_does_not_hide_the_others(void **state)
{
    fixture *f = *state;
    st_named_tensor answers[32];
    const size_t count = own_answers(f, answers);
    char above[] = "/tmp/spatial-several-XXXXXX", path[128];
    assert_non_null(mkdtemp(above));
    snprintf(path, sizeof path, "%s/a", above);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/a/x.safetensors", above);
    must(st_file_write(path, "short", 5));
    snprintf(path, sizeof path, "%s/b", above);
    assert_int_equal(symlink(f->folder, path), 0);

    st_parity report;
    run(&report, above, ST_TTT_TRAIN);
    assert_false(report.pass);
    assert_int_equal(report.count, 1 + count);
    assert_string_equal(report.entry[0].name, "a/vectors");
    assert_non_null(strstr(report.entry[0].note, "x.safetensors: expected at least 8 bytes"));
    for (size_t i = 0; i < count; i++)
        assert_true(report.entry[1 + i].pass);
    st_parity_free(&report);
    assert_int_equal(folder_remove(above), 0);
}

/* A checkpoint that lacks fast weights gets drawn ones: the report says so. */
static void drawn_weights_are_named(void **state)
{
    fixture *f = *state;
    st_named_tensor answers[32];
    own_answers(f, answers);
    char path[128];
    snprintf(path, sizeof path, "%s/meta.json", f->folder);
    const char ttt[] = "{\"ttt\": {\"num_lact_heads\": 2, \"w0_w2_low_rank\": 4}, "
                       "\"ttt_layers\": [0]}";
    must(st_file_write(path, ttt, sizeof ttt - 1));
    char own[128], aside[140];
    snprintf(own, sizeof own, "%s/ttt_config.json", f->folder);
    snprintf(aside, sizeof aside, "%s.aside", own);
    assert_int_equal(rename(own, aside), 0);

    st_parity report;
    run(&report, f->folder, ST_TTT_TRAIN);
    assert_false(report.pass);
    assert_string_equal(report.note[0], "4 fast-weight tensors are not in the file: drawn from "
                                        "seed 1");
    assert_non_null(strstr(report.note[1], "tensors have no place in this network"));
    st_parity_free(&report);
    assert_int_equal(rename(aside, own), 0);
    unlink(path);
}

static void empty_folders_are_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/spatial-empty-XXXXXX", sentence[128];
    assert_non_null(mkdtemp(folder));
    const st_parity_options options = {.jobs = 1};
    st_parity report;
    st_parity_init(&report);
    snprintf(sentence, sizeof sentence, "%s holds no stored vectors", folder);
    must_fail(st_parity_run(&report, folder, &options), ST_ERR_DATA, sentence);
    st_parity_free(&report);
    rmdir(folder);
}

/* A file of one prompt and the tokenizer beside it. */
static void store_prompt(const char *folder, const char *json)
{
    char path[128];
    st_text text;
    st_text_init(&text);
    st_byte_tokenizer_write(&text);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    must(st_file_write(path, text.data, text.size));
    snprintf(path, sizeof path, "%s/prompts.json", folder);
    must(st_file_write(path, json, strlen(json)));
    st_text_free(&text);
}

#define IMAGE "<|vision_start|><|image_pad|><|vision_end|>"
#define VIDEO "<|vision_start|><|video_pad|><|vision_end|>"
#define GRIDS "\"image_grid_thw\": [[1, 2, 4], [1, 2, 2]], "                                       \
              "\"video_grid_thw\": [[1, 4, 2]], "                                                \
              "\"image_hw\": [[256, 256], [256, 256]], "                                         \
              "\"video\": [{\"fps\": 2, \"frames_indices\": [1, 2]}]"

/* Bytes are their own ids; 265 and 266 begin and end a picture, 268 and 269 are the pads. */
static void pictures_and_videos_keep_the_order_of_the_text(void **state)
{
    (void)state;
    char folder[] = "/tmp/spatial-prompt-XXXXXX", sentence[256];
    assert_non_null(mkdtemp(folder));

    store_prompt(folder, "[{\"text\": \"a" IMAGE VIDEO "b" IMAGE "\", \"ids\": [97, 265, 268, 268, "
                         "266, 60, 48, 46, 56, 32, 115, 101, 99, 111, 110, 100, 115, 62, 265, "
                         "269, 269, 266, 98, 265, 268, 266], " GRIDS "}]");
    st_parity report;
    run(&report, folder, ST_TTT_TRAIN);
    assert_int_equal(report.count, 3);          /* two sizes of pictures, and the ids */
    assert_false(report.entry[0].pass);         /* 256 x 256 makes no grid of 2 x 4   */
    assert_false(report.entry[1].pass);
    assert_true(report.entry[2].pass);
    st_parity_free(&report);

    store_prompt(folder, "[{\"text\": \"" IMAGE VIDEO VIDEO "\", \"ids\": [], " GRIDS "}]");
    snprintf(sentence, sizeof sentence, "%s/prompts.json: [0]: 2 pictures and 1 videos are stored, "
             "the text has pads of 1 and 2", folder);
    const st_parity_options options = {.jobs = 1};
    st_parity_init(&report);
    must_fail(st_parity_run(&report, folder, &options), ST_ERR_DATA, sentence);
    st_parity_free(&report);
    assert_int_equal(folder_remove(folder), 0);
}

static void check_folder(const char *folder, st_ttt_preset preset)
{
    st_parity report;
    run(&report, folder, preset);
    for (size_t i = 0; i < report.count; i++)
        if (!report.entry[i].pass)
            printf("%s: %g, allowed %g\n", report.entry[i].name, report.entry[i].error,
                   report.entry[i].tolerance);
    assert_true(report.pass);
    st_parity_free(&report);
}

/* Where a chunk is one token, and where an update is due as the answer begins. */
static void carried_networks_agree(void **state)
{
    (void)state;
    check_folder("tests/golden/networks", ST_TTT_TRAIN);
    check_folder("tests/golden/networks", ST_TTT_EVAL_COMPAT);
}

static void stored_vectors_agree(void **state)
{
    (void)state;
    char path[512];
    if (!shared_path(path, sizeof path, "goldens/README.md"))
        skip();
    *strrchr(path, '/') = '\0';
    check_folder(path, ST_TTT_TRAIN);
    check_folder(path, ST_TTT_EVAL_COMPAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_answers_agree),
        cmocka_unit_test(carried_networks_agree),
        cmocka_unit_test(one_changed_number_fails),
        cmocka_unit_test(what_is_not_computed_fails),
        cmocka_unit_test(a_damaged_folder_does_not_hide_the_others),
        cmocka_unit_test(drawn_weights_are_named),
        cmocka_unit_test(empty_folders_are_refused),
        cmocka_unit_test(pictures_and_videos_keep_the_order_of_the_text),
        cmocka_unit_test(stored_vectors_agree),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
