/* Names find their places, plain and wrapped; what is missing is drawn, what is wrong is named. */
#include "check.h"

#include "kernels/base/files.h"
#include "model/weights.h"

#include <unistd.h>

enum { SEED = 7, TENSORS_MAX = 400 };

/* A tiny network whose tensors are written by the test, edited as a case wants. */
typedef struct fixture {
    st_model_config config;
    char            path[64];
    st_arena        arena;
    st_named_tensor tensors[TENSORS_MAX];
    size_t          count;
} fixture;

static st_status collect(void *context, const st_parameter *p)
{
    fixture *f = context;
    assert_in_range(f->count, 0, TENSORS_MAX - 1);
    st_named_tensor *named = &f->tensors[f->count++];
    named->tensor = (st_tensor){.rank = p->rank, .dtype = ST_BF16};
    memcpy(named->tensor.shape, p->shape, sizeof p->shape);
    const int64_t count = st_tensor_count(&named->tensor);
    uint16_t *values;
    ST_TRY(ST_ALLOC(&f->arena, &values, (size_t)count));
    st_parameter_draw(values, ST_BF16, p, SEED, 0, count);
    named->tensor.data = values;
    return st_arena_copy_text(&f->arena, &named->name, p->name, strlen(p->name));
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_model_config_preset(&f->config, ST_MODEL_TINY);
    f->config.text.vocab = 280;
    st_arena_init(&f->arena, "test");
    snprintf(f->path, sizeof f->path, "/tmp/st_weights_XXXXXX");
    const int fd = mkstemp(f->path);
    if (fd < 0)
        return 1;
    close(fd);
    must(st_parameters_walk(&f->config, NULL, collect, f));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static st_named_tensor *find(fixture *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    }
    fail_msg("no %s", name);
    return NULL;
}

static st_status reopen(fixture *f, st_weights **w)
{
    must(st_safetensors_save(f->path, f->tensors, f->count, NULL, 0));
    return st_weights_open(w, &f->config, f->path, SEED);
}

static void every_name_finds_its_place(void **state)
{
    fixture *f = *state;
    st_weights *w;
    must(reopen(f, &w));
    assert_int_equal(w->fresh_count, 0);
    assert_int_equal(w->unexpected_count, 0);
    assert_int_equal(st_weights_note_count(w), 0);
    assert_ptr_equal(w->lm_head.data, w->embed.data);
    assert_true(w->layer[0].hybrid && !w->layer[3].hybrid);
    assert_int_equal(w->layer[0].ttt.w1.shape[1], 64);
    assert_null(w->layer[3].ttt.w0.data);
    assert_memory_equal(w->layer[2].ttt.w0.data,
                        find(f, "model.language_model.layers.2.self_attn.w0")->tensor.data,
                        2 * 64 * 64 * 2);
    assert_non_null(w->vision.deepstack[2].fc2.bias.data);
    st_weights_close(w);
}

/* The released 2B has 625 tensors without lm_head and 17 more in each of 21 hybrid layers. */
static st_status count_one(void *context, const st_parameter *p)
{
    int64_t *sum = context;
    int64_t  n = 1;
    for (int k = 0; k < p->rank; k++)
        n *= p->shape[k];
    sum[0]++;
    sum[1] += n;
    return st_ok();
}

static void released_counts(void **state)
{
    static const int64_t totals[] = {2127532032, 4437815808, 8767123696};
    (void)state;
    for (int i = 0; i < 3; i++) {
        st_model_config c;
        int64_t sum[2] = {0, 0};
        st_model_config_preset(&c, (st_model_preset)i);
        memset(c.ttt.hybrid, 0, sizeof c.ttt.hybrid);
        must(st_parameters_walk(&c, NULL, count_one, sum));
        assert_int_equal(sum[1], totals[i]);
        if (i == ST_MODEL_2B)
            assert_int_equal(sum[0], 625);
    }
    st_model_config c;
    int64_t sum[2] = {0, 0};
    st_model_config_preset(&c, ST_MODEL_2B);
    must(st_parameters_walk(&c, NULL, count_one, sum));
    assert_int_equal(sum[0], 625 + 21 * 17);
    assert_int_equal(sum[1], INT64_C(2127532032) + 70587300);
}

static void plain_checkpoints_get_fresh_weights(void **state)
{
    fixture *f = *state;
    size_t kept = 0;
    const st_tensor w0 = find(f, "model.language_model.layers.0.self_attn.w0")->tensor;
    for (size_t i = 0; i < f->count; i++) {         /* what Qwen3-VL would have stored */
        char name[200], *wrapped;
        snprintf(name, sizeof name, "%s", f->tensors[i].name);
        if ((wrapped = strstr(name, "attn_layer.")) != NULL)
            memmove(wrapped, wrapped + 11, strlen(wrapped + 11) + 1);
        else if (strstr(name, "self_attn.") && !strstr(name, "layers.3."))
            continue;
        f->tensors[kept] = f->tensors[i];
        must(st_arena_copy_text(&f->arena, &f->tensors[kept++].name, name, strlen(name)));
    }
    f->count = kept;
    st_weights *w;
    must(reopen(f, &w));
    assert_int_equal(w->fresh_count, 3 * 17);
    assert_string_equal(st_weights_note(w, 0),
                        "51 fast-weight tensors are not in the file: drawn from seed 7");
    assert_memory_equal(w->layer[0].ttt.w0.data, w0.data, st_tensor_bytes(&w0));
    st_weights_close(w);

    /* Nothing asks for fast weights: then there are none. */
    f->config.ttt_source = ST_TTT_ABSENT;
    memset(f->config.ttt.hybrid, 0, sizeof f->config.ttt.hybrid);
    f->config.ttt.hybrid_count = 0;
    must(reopen(f, &w));
    assert_int_equal(w->config.ttt.hybrid_count, 0);
    assert_int_equal(w->fresh_count, 0);
    st_weights_close(w);
}

static void names_decide_without_a_ttt_config(void **state)
{
    fixture *f = *state;
    f->config.ttt_source = ST_TTT_ABSENT;
    memset(f->config.ttt.hybrid, 0, sizeof f->config.ttt.hybrid);
    f->config.ttt.hybrid_count = 0;
    f->config.ttt.heads = 4;
    st_weights *w;
    must(reopen(f, &w));
    assert_int_equal(w->config.ttt.hybrid_count, 3);
    assert_int_equal(w->config.ttt.heads, 2);
    assert_int_equal(w->config.ttt.head_dim, 64);
    assert_true(w->config.ttt.momentum && w->config.ttt.conv);
    assert_string_equal(st_weights_note(w, 0),
                        "no ttt_config.json: 3 hybrid layers by their names, chunk 32 and window "
                        "32 as in the preset train");
    st_weights_close(w);
}

static void wrong_tensors_are_named(void **state)
{
    fixture *f = *state;
    char sentence[240];
    st_weights *w;
    st_named_tensor *gate = find(f, "model.language_model.layers.1.mlp.gate_proj.weight");
    gate->tensor.shape[1] = 64;
    snprintf(sentence, sizeof sentence,
             "%s: model.language_model.layers.1.mlp.gate_proj.weight must be bf16 (256,128), is "
             "bf16 (256,64)", f->path);
    must_fail(reopen(f, &w), ST_ERR_DATA, sentence);

    gate->tensor.shape[1] = 128;
    gate->name = "model.language_model.layers.1.mlp.gate.weight";
    snprintf(sentence, sizeof sentence,
             "%s: no tensor model.language_model.layers.1.mlp.gate_proj.weight", f->path);
    must_fail(reopen(f, &w), ST_ERR_DATA, sentence);
}

static void a_stored_head_must_equal_the_embedding(void **state)
{
    fixture *f = *state;
    st_weights *w;
    st_named_tensor *head = &f->tensors[f->count++];
    *head = *find(f, "model.language_model.embed_tokens.weight");
    head->name = "lm_head.weight";
    must(reopen(f, &w));
    assert_int_equal(st_weights_note_count(w), 0);
    assert_ptr_equal(w->lm_head.data, w->embed.data);
    st_weights_close(w);

    uint16_t *other;
    must(ST_ALLOC(&f->arena, &other, (size_t)st_tensor_count(&head->tensor)));
    head->tensor.data = other;
    must(reopen(f, &w));
    assert_string_equal(st_weights_note(w, 0), "the config ties lm_head to the embedding, the "
                                               "stored one differs and is used");
    assert_false(w->config.text.tied);
    assert_ptr_not_equal(w->lm_head.data, w->embed.data);
    st_weights_close(w);
}

static void draws_do_not_depend_on_pieces(void **state)
{
    (void)state;
    const st_parameter p = {.name = "w", .start = ST_START_NORMAL, .scale = 2.0};
    float whole[100], pieces[100];
    st_parameter_draw(whole, ST_F32, &p, 3, 0, 100);
    st_parameter_draw(pieces + 60, ST_F32, &p, 3, 60, 40);
    st_parameter_draw(pieces, ST_F32, &p, 3, 0, 60);
    assert_memory_equal(whole, pieces, sizeof whole);
    const st_parameter dirac = {.name = "c", .start = ST_START_DIRAC};
    st_parameter_draw(whole, ST_F32, &dirac, 3, 0, 54);
    for (int i = 0; i < 54; i++)
        assert_near(whole[i], i % 27 == 13, 0);
}

static void stored_checkpoints_bind(void **state)
{
    static const char *const names[] = {"full_pre_f32", "plain_f32", "lowrank_f32",
                                        "base_mixed_f32"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[100], path[300];
        snprintf(name, sizeof name, "goldens/%s", names[i]);
        if (!shared_path(path, sizeof path, name))
            return;
        st_model_config c;
        st_weights *w;
        must(st_model_config_load(&c, path));
        must(st_weights_open(&w, &c, path, SEED));
        assert_int_equal(w->fresh_count, 0);
        assert_int_equal(w->unexpected_count, 0);
        st_weights_close(w);

        /* The names alone say the same about the layers. */
        c.ttt_source = ST_TTT_ABSENT;
        c.ttt.hybrid_count = 0;
        memset(c.ttt.hybrid, 0, sizeof c.ttt.hybrid);
        must(st_weights_open(&w, &c, path, SEED));
        assert_int_equal(w->unexpected_count, 0);
        assert_int_equal(w->config.ttt.hybrid_count, i < 3 ? 3 : 0);
        st_weights_close(w);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_name_finds_its_place),
        cmocka_unit_test(released_counts),
        TEST(plain_checkpoints_get_fresh_weights),
        TEST(names_decide_without_a_ttt_config),
        TEST(wrong_tensors_are_named),
        TEST(a_stored_head_must_equal_the_embedding),
        cmocka_unit_test(draws_do_not_depend_on_pieces),
        cmocka_unit_test(stored_checkpoints_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
