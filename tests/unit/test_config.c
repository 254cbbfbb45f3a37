/* config.json in every spelling met so far, and the sentence for each contradiction. */
#include "check.h"

#include "model/config.h"

static const char golden_like[] =
    "{\"text_config\":{\"vocab_size\":160,\"hidden_size\":64,\"intermediate_size\":96,"
    "\"num_hidden_layers\":4,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16,"
    "\"hidden_act\":\"silu\",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":7.0,"
    "\"mrope_section\":[4,2,2],\"mrope_interleaved\":true},\"pad_token_id\":null},"
    "\"vision_config\":{\"depth\":4,\"hidden_size\":32,\"intermediate_size\":64,\"num_heads\":2,"
    "\"num_position_embeddings\":64,\"out_hidden_size\":64,\"deepstack_visual_indexes\":[0,1,2]},"
    "\"image_token_id\":140,\"video_token_id\":141,\"vision_start_token_id\":142,"
    "\"vision_end_token_id\":143,\"tie_word_embeddings\":true,\"dtype\":null}";

static st_status parse(st_model_config *config, const char *model, const char *ttt)
{
    return st_model_config_parse(config, st_str_from(model),
                                 ttt ? st_str_from(ttt) : (st_str){NULL, 0});
}

static void today_spelling(void **state)
{
    (void)state;
    st_model_config c;
    must(parse(&c, golden_like, "{\"ttt\":{\"num_lact_heads\":2,\"lact_chunk_size\":16,"
                                "\"window_size\":20,\"use_muon\":false},\"ttt_layers\":[0,2]}"));
    assert_int_equal(c.text.hidden, 64);
    assert_int_equal(c.text.mrope_section[0], 4);
    assert_near(c.text.rope_theta, 7.0, 0);
    assert_near(c.text.rms_eps, 1e-6, 0);
    assert_true(c.text.tied);
    assert_int_equal(c.vision.patch, 16);
    assert_int_equal(c.vision.deepstack_count, 3);
    assert_int_equal(c.ids.video, 141);
    assert_int_equal(c.ids.eos, -1);
    assert_int_equal(c.ttt_source, ST_TTT_FROM_FILE);
    assert_int_equal(c.ttt.hybrid_count, 2);
    assert_true(c.ttt.hybrid[0] && !c.ttt.hybrid[1] && c.ttt.hybrid[2] && !c.ttt.hybrid[3]);
    assert_int_equal(c.ttt.head_dim, 32);
    assert_int_equal(c.ttt.head_hidden, 32);
    assert_int_equal(c.ttt.attention_chunk, 16);
    assert_false(c.ttt.muon);
    assert_true(c.ttt.prenorm && c.ttt.momentum && c.ttt.conv && c.ttt.silu_on_v && c.ttt.rope);
}

static void older_spelling_and_absent_fields(void **state)
{
    (void)state;
    st_model_config c, released;
    must(parse(&c,
               "{\"text_config\":{\"hidden_size\":2560,\"rope_theta\":1e6,\"rope_scaling\":"
               "{\"mrope_section\":[24,20,20],\"type\":\"mrope\",\"rope_theta\":null},"
               "\"num_hidden_layers\":null},\"vision_config\":null}", NULL));
    st_model_config_preset(&released, ST_MODEL_4B);
    released.text.rope_theta = 1e6;
    assert_memory_equal(&c.text, &released.text, sizeof c.text);
    assert_memory_equal(&c.vision, &released.vision, sizeof c.vision);
    assert_int_equal(c.ttt_source, ST_TTT_ABSENT);
    assert_int_equal(c.ttt.hybrid_count, 0);
    assert_int_equal(c.ttt.chunk, 2648);
    assert_int_equal(c.ttt.head_dim, 1024);     /* 32*128/4: our rule for 4B */
}

/* An axis without an angle of its own is legal. */
static void a_section_may_be_empty(void **state)
{
    (void)state;
    static const char *const sections[] = {"[64,0,0]", "[0,32,32]", "[32,0,32]"};
    for (size_t i = 0; i < COUNT(sections); i++) {
        char text[128];
        st_model_config c;
        snprintf(text, sizeof text, "{\"text_config\":{\"rope_scaling\":{\"mrope_section\":%s}}}",
                 sections[i]);
        must(parse(&c, text, NULL));
        assert_int_equal(c.text.mrope_section[0], i == 0 ? 64 : i == 1 ? 0 : 32);
    }
}

static void presets_of_the_rule(void **state)
{
    (void)state;
    st_model_config c;
    must(parse(&c, "{}", "{\"preset\":\"eval-compat\",\"ttt\":{\"ttt_prenorm\":true},"
                         "\"compat\":{\"fake_timestamps\":false}}"));
    assert_int_equal(c.text.hidden, 2048);
    assert_int_equal(c.ttt.hybrid_count, 21);
    assert_false(c.ttt.muon || c.compat.fake_timestamps);
    assert_true(c.ttt.prenorm && c.ttt.momentum && c.compat.extra_prompt &&
                c.compat.reseed_pending);
    must(parse(&c, "{}", "{}"));
    assert_true(c.ttt.muon && c.ttt.prenorm && !c.compat.extra_prompt);
    assert_true(c.ttt.hybrid[26] && !c.ttt.hybrid[27]);
    must(parse(&c, "{}", "{\"ttt\":null,\"ttt_layers\":[]}"));
    assert_int_equal(c.ttt.hybrid_count, 0);
    must_fail(st_ttt_config_set_flag(&c, "use_muun", true), ST_ERR_USAGE,
              "no flag \"use_muun\" in ttt_config.json");
}

static void contradictions_get_a_sentence(void **state)
{
    static const struct {
        const char *model, *ttt, *sentence;
    } cases[] = {
        {"{\"text_config\":{\"hidden_size\":77}}", NULL,
         "config.json: text_config.num_hidden_layers is not given, and no released size has "
         "hidden_size 77"},
        {"{\"text_config\":{\"num_key_value_heads\":3}}", NULL,
         "config.json: text_config: num_attention_heads must be a multiple of "
         "num_key_value_heads: 16 of 3"},
        {"{\"text_config\":{\"rope_scaling\":{\"mrope_section\":[24,20,21]}}}", NULL,
         "config.json: text_config: mrope_section must sum to half of head_dim 128, sums to 65"},
        {"{\"text_config\":{\"rope_scaling\":{\"mrope_section\":[65,-1,0]}}}", NULL,
         "config.json: text_config: mrope_section must be 0 to 128, is -1"},
        {"{\"text_config\":{\"rope_scaling\":{\"mrope_section\":[24,20]}}}", NULL,
         "config.json: text_config.rope_scaling.mrope_section: expected 3 numbers, found 2"},
        {"{\"text_config\":{\"rope_parameters\":{\"rope_type\":\"yarn\"}}}", NULL,
         "config.json: text_config.rope_parameters.rope_type: expected default|mrope, found "
         "\"yarn\""},
        {"{\"text_config\":{\"hidden_act\":\"gelu\"}}", NULL,
         "config.json: text_config.hidden_act: expected silu, found \"gelu\""},
        {"{\"text_config\":{\"num_hidden_layers\":1e3}}", NULL,
         "config.json: text_config: num_hidden_layers must be 1 to 128, is 1000"},
        {"{\"text_config\":{\"num_hidden_layers\":\"x\"}}", NULL,
         "config.json: text_config.num_hidden_layers: expected an integer, found a string"},
        {"{\"vision_config\":{\"out_hidden_size\":7}}", NULL,
         "config.json: vision_config: out_hidden_size 7 must be the text hidden_size 2048"},
        {"{\"vision_config\":{\"num_position_embeddings\":2305}}", NULL,
         "config.json: vision_config: num_position_embeddings must be a square, is 2305"},
        {"{\"vision_config\":{\"deepstack_visual_indexes\":[5,5,17]}}", NULL,
         "config.json: vision_config: deepstack_visual_indexes[1] must be 6 to 23, is 5"},
        {"{\"image_token_id\":151656}", NULL,
         "config.json: image_token_id and video_token_id are both 151656"},
        {"{\"image_token_id\":151936}", NULL,
         "config.json: image_token_id 151936 does not fit vocab_size 151936"},
        {"{}", "{\"ttt_layers\":[28]}", "ttt_config.json: ttt_layers[0]: layer 28 of 28"},
        {"{}", "{\"ttt_layers\":[1,1]}",
         "ttt_config.json: ttt_layers[1]: layer 1 is listed twice"},
        {"{}", "{\"ttt\":null,\"ttt_layers\":[1]}",
         "ttt_config.json: ttt: null, but ttt_layers lists 1 layers"},
        {"{}", "{\"ttt\":{\"num_lact_heads\":3}}",
         "ttt_config.json: ttt: attention width must be a multiple of num_lact_heads: 2048 of "
         "3"},
        {"{}", "{\"ttt\":{\"num_lact_heads\":32}}",
         "ttt_config.json: ttt: width of a fast-weight head must be a multiple of head_dim: 64 of "
         "128"},
        {"{}", "{\"ttt\":{\"w0_w2_low_rank\":8,\"inter_multi\":2}}",
         "ttt_config.json: ttt: w0_w2_low_rank needs inter_multi 1, is 2"},
        {"{}", "{\"preset\":\"test\"}",
         "ttt_config.json: preset: expected train|eval-compat, found \"test\""},
        {"[1]", NULL, "config.json: document: expected an object, found an array"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        st_model_config c;
        const st_status s = parse(&c, cases[i].model, cases[i].ttt);
        assert_int_not_equal(s.code, ST_OK);
        assert_string_equal(s.text, cases[i].sentence);
    }
}

/* What is written reads back as the same settings, for every size and both presets. */
static void written_configs_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < ST_MODEL_PRESET_COUNT; i++) {
        st_model_config c, back;
        st_model_config_preset(&c, (st_model_preset)i);
        if (i % 2)
            st_ttt_config_set_preset(&c, ST_TTT_EVAL_COMPAT);
        c.ttt.ns_bf16 = i == 2;
        st_text model, ttt;
        st_text_init(&model);
        st_text_init(&ttt);
        st_model_config_write(&model, &c);
        st_ttt_config_write(&ttt, &c);
        must(st_model_config_parse(&back, st_text_view(&model), st_text_view(&ttt)));
        c.ttt_source = ST_TTT_FROM_FILE;
        assert_memory_equal(&c.text, &back.text, sizeof c.text);
        assert_memory_equal(&c.vision, &back.vision, sizeof c.vision);
        assert_memory_equal(&c.ids, &back.ids, sizeof c.ids);
        assert_memory_equal(&c.compat, &back.compat, sizeof c.compat);
        assert_int_equal(c.ttt.muon, back.ttt.muon);
        assert_int_equal(c.ttt.prenorm, back.ttt.prenorm);
        assert_int_equal(c.ttt.ns_bf16, back.ttt.ns_bf16);
        assert_int_equal(c.ttt.chunk, back.ttt.chunk);
        assert_int_equal(c.ttt.head_hidden, back.ttt.head_hidden);
        assert_memory_equal(c.ttt.hybrid, back.ttt.hybrid, sizeof c.ttt.hybrid);
        st_text_free(&model);
        st_text_free(&ttt);
    }
}

static void stored_folders_load(void **state)
{
    (void)state;
    char path[300];
    if (!shared_path(path, sizeof path, "goldens/lowrank_f32"))
        return;
    st_model_config c;
    must(st_model_config_load(&c, path));
    assert_int_equal(c.ttt.low_rank, 4);
    assert_int_equal(c.ttt_source, ST_TTT_FROM_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(today_spelling),
        cmocka_unit_test(older_spelling_and_absent_fields),
        cmocka_unit_test(a_section_may_be_empty),
        cmocka_unit_test(presets_of_the_rule),
        cmocka_unit_test(contradictions_get_a_sentence),
        cmocka_unit_test(written_configs_read_back),
        cmocka_unit_test(stored_folders_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
