/* config_read.c - config.json and ttt_config.json into a st_model_config.
 *
 * A field that is null counts as absent everywhere: writers of config.json leave such fields.
 */
#include "model/config.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "kernels/base/log.h"

#include <string.h>

/* The member, absent when it is null. */
static st_json field(const st_json *object, const char *key)
{
    const st_json value = st_json_member(object, key);
    return st_json_kind_of(value) == ST_JSON_NULL ? (st_json){NULL, object, key, 0} : value;
}

static bool is_there(st_json value)
{
    return st_json_kind_of(value) != ST_JSON_ABSENT;
}

/* Each leaves *out alone when the field is absent. */
static st_status get_int(int64_t *out, const st_json *object, const char *key)
{
    const st_json value = field(object, key);
    return is_there(value) ? st_json_int(value, out) : st_ok();
}

static st_status get_double(double *out, const st_json *object, const char *key)
{
    const st_json value = field(object, key);
    return is_there(value) ? st_json_double(value, out) : st_ok();
}

static st_status get_bool(bool *out, const st_json *object, const char *key)
{
    const st_json value = field(object, key);
    return is_there(value) ? st_json_bool(value, out) : st_ok();
}

/* The field is absent or one of the words of a "a|b" list. */
static st_status expect_word(const st_json *object, const char *key, const char *words)
{
    const st_json value = field(object, key);
    if (!is_there(value))
        return st_ok();
    st_str word, allowed, rest = st_str_from(words);
    ST_TRY(st_json_text(value, &word));
    while (st_str_next_field(&allowed, &rest, '|')) {
        if (st_str_equal(word, allowed))
            return st_ok();
    }
    return st_json_fail(value, ST_ERR_UNSUPPORTED, "expected %s, found \"%.*s\"", words,
                        ST_STR_ARG(word));
}

/* --- the decoder ----------------------------------------------------------------------------- */

/* Rotary settings: rope_parameters as written today, or rope_scaling beside rope_theta before. */
static st_status read_rope(st_text_config *t, const st_json *text)
{
    st_json rope = field(text, "rope_parameters");
    if (!is_there(rope))
        rope = field(text, "rope_scaling");
    ST_TRY(get_double(&t->rope_theta, text, "rope_theta"));
    if (!is_there(rope))
        return st_ok();
    ST_TRY(st_json_expect(rope, ST_JSON_OBJECT));
    ST_TRY(get_double(&t->rope_theta, &rope, "rope_theta"));
    ST_TRY(expect_word(&rope, "rope_type", "default|mrope"));
    ST_TRY(expect_word(&rope, "type", "default|mrope"));

    bool interleaved = true;
    ST_TRY(get_bool(&interleaved, &rope, "mrope_interleaved"));
    if (!interleaved)
        return st_json_fail(st_json_member(&rope, "mrope_interleaved"), ST_ERR_UNSUPPORTED,
                            "only interleaved sections are supported");

    const st_json section = field(&rope, "mrope_section");
    if (!is_there(section))
        return st_ok();
    ST_TRY(st_json_expect(section, ST_JSON_ARRAY));
    if (st_json_count(section) != 3)
        return st_json_fail(section, ST_ERR_DATA, "expected 3 numbers, found %zu",
                            st_json_count(section));
    for (size_t k = 0; k < 3; k++)
        ST_TRY(st_json_int(st_json_element(&section, k), &t->mrope_section[k]));
    return st_ok();
}

/* Sizes that make the shape of the network; 0 where neither file nor table says. */
static st_status need(int64_t value, const char *section, const char *key, int64_t hidden)
{
    if (value == 0)
        return ST_FAIL(ST_ERR_DATA,
                       "%s.%s is not given, and no released size has hidden_size %lld", section,
                       key, (long long)hidden);
    return st_ok();
}

static st_status read_text(st_text_config *t, const st_json *text)
{
    int64_t hidden = t->hidden;
    ST_TRY(get_int(&hidden, text, "hidden_size"));
    if (hidden != t->hidden)        /* not in the table: its other sizes say nothing either */
        *t = (st_text_config){.hidden = hidden, .vocab = t->vocab, .tied = true, .rms_eps = 1e-6,
                              .rope_theta = 5e6, .positions_max = 262144};
    ST_TRY(get_int(&t->layers, text, "num_hidden_layers"));
    ST_TRY(get_int(&t->heads, text, "num_attention_heads"));
    ST_TRY(get_int(&t->kv_heads, text, "num_key_value_heads"));
    ST_TRY(get_int(&t->head_dim, text, "head_dim"));
    ST_TRY(get_int(&t->intermediate, text, "intermediate_size"));
    ST_TRY(get_int(&t->vocab, text, "vocab_size"));
    ST_TRY(get_int(&t->positions_max, text, "max_position_embeddings"));
    ST_TRY(get_double(&t->rms_eps, text, "rms_norm_eps"));
    ST_TRY(read_rope(t, text));
    ST_TRY(expect_word(text, "hidden_act", "silu"));
    bool bias = false;
    ST_TRY(get_bool(&bias, text, "attention_bias"));
    if (bias)
        return st_json_fail(st_json_member(text, "attention_bias"), ST_ERR_UNSUPPORTED,
                            "attention without bias is all that is supported");

    ST_TRY(need(t->layers, "text_config", "num_hidden_layers", hidden));
    ST_TRY(need(t->heads, "text_config", "num_attention_heads", hidden));
    ST_TRY(need(t->intermediate, "text_config", "intermediate_size", hidden));
    if (t->kv_heads == 0)
        t->kv_heads = t->heads;
    if (t->head_dim == 0 && t->heads > 0)
        t->head_dim = t->hidden / t->heads;
    int64_t *section = t->mrope_section;        /* one of them may be 0, not all */
    if (section[0] == 0 && section[1] == 0 && section[2] == 0 && t->head_dim == 128)
        memcpy(section, (int64_t[3]){24, 20, 20}, sizeof t->mrope_section);
    return need(section[0] | section[1] | section[2], "text_config",
                "rope_parameters.mrope_section", hidden);
}

/* --- the tower ------------------------------------------------------------------------------- */

static st_status read_deepstack(st_vision_config *v, const st_json *vision)
{
    const st_json list = field(vision, "deepstack_visual_indexes");
    if (!is_there(list))
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    if (count > ST_DEEPSTACK_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "%zu levels, at most %d are supported", count,
                            ST_DEEPSTACK_MAX);
    v->deepstack_count = (int64_t)count;
    for (size_t k = 0; k < count; k++)
        ST_TRY(st_json_int(st_json_element(&list, k), &v->deepstack[k]));
    return st_ok();
}

static st_status read_vision(st_vision_config *v, const st_text_config *t, const st_json *vision)
{
    int64_t hidden = v->hidden;
    ST_TRY(get_int(&hidden, vision, "hidden_size"));
    if (hidden != v->hidden)
        *v = (st_vision_config){.hidden = hidden, .channels = 3, .patch = 16, .temporal = 2,
                                .merge = 2, .positions = 2304};
    v->out_hidden = t->hidden;
    ST_TRY(get_int(&v->blocks, vision, "depth"));
    ST_TRY(get_int(&v->heads, vision, "num_heads"));
    ST_TRY(get_int(&v->intermediate, vision, "intermediate_size"));
    ST_TRY(get_int(&v->channels, vision, "in_channels"));
    ST_TRY(get_int(&v->patch, vision, "patch_size"));
    ST_TRY(get_int(&v->temporal, vision, "temporal_patch_size"));
    ST_TRY(get_int(&v->merge, vision, "spatial_merge_size"));
    ST_TRY(get_int(&v->positions, vision, "num_position_embeddings"));
    ST_TRY(get_int(&v->out_hidden, vision, "out_hidden_size"));
    ST_TRY(read_deepstack(v, vision));
    ST_TRY(expect_word(vision, "hidden_act", "gelu_pytorch_tanh|gelu_tanh"));
    ST_TRY(need(v->blocks, "vision_config", "depth", hidden));
    ST_TRY(need(v->heads, "vision_config", "num_heads", hidden));
    return need(v->intermediate, "vision_config", "intermediate_size", hidden);
}

/* --- ids ------------------------------------------------------------------------------------- */

/* eos_token_id may be a list; the first one ends an answer. */
static st_status get_first_id(int64_t *id, const st_json *object, const char *key)
{
    const st_json value = field(object, key);
    if (st_json_kind_of(value) != ST_JSON_ARRAY)
        return get_int(id, object, key);
    return st_json_count(value) > 0 ? st_json_int(st_json_element(&value, 0), id) : st_ok();
}

static st_status read_ids(st_token_ids *ids, const st_json *root, const st_json *text,
                          int64_t vocab)
{
    if (ids->video >= vocab || ids->image >= vocab)     /* another vocabulary than the table's */
        *ids = (st_token_ids){-1, -1, -1, -1, -1, -1, -1};
    ST_TRY(get_int(&ids->image, root, "image_token_id"));
    ST_TRY(get_int(&ids->video, root, "video_token_id"));
    ST_TRY(get_int(&ids->vision_start, root, "vision_start_token_id"));
    ST_TRY(get_int(&ids->vision_end, root, "vision_end_token_id"));
    const st_json *const places[] = {text, root};
    for (int i = 0; i < 2; i++) {
        ST_TRY(get_first_id(&ids->bos, places[i], "bos_token_id"));
        ST_TRY(get_first_id(&ids->eos, places[i], "eos_token_id"));
        ST_TRY(get_first_id(&ids->pad, places[i], "pad_token_id"));
    }
    return st_ok();
}

/* --- the fast weights ------------------------------------------------------------------------ */

static const char *const flag_names[] = {
    "use_muon", "use_momentum", "ttt_prenorm", "use_conv_layer", "qkv_silu", "no_v_silu",
    "ttt_nope", "learnable_ttt_scale", "fp32_states", "ns_bf16",
};
static const char *const compat_names[] = {"reseed_pending", "fake_timestamps", "extra_prompt"};

static st_status read_flags(st_model_config *config, const st_json *object,
                            const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const st_json value = field(object, names[i]);
        bool on;
        if (is_there(value)) {
            ST_TRY(st_json_bool(value, &on));
            ST_TRY(st_ttt_config_set_flag(config, names[i], on));
        }
    }
    return st_ok();
}

/* Names without a meaning here are said aloud: a misspelt flag would change answers silently. */
static void warn_unknown(const st_json *ttt)
{
    static const char *const others[] = {
        "num_lact_heads", "inter_multi", "lact_chunk_size", "window_size", "attn_chunk_size",
        "w0_w2_low_rank", "fw_init_gain", "base_lr", "lr_dim", "lr_parameterization",
        "use_fused_kernel", "window_decay",
    };
    st_json member;
    st_json_walk walk = st_json_walk_start(ttt);
    while (st_json_walk_next(&walk, ttt, &member)) {
        bool known = false;
        for (size_t i = 0; i < sizeof flag_names / sizeof flag_names[0]; i++)
            known = known || strcmp(member.key, flag_names[i]) == 0;
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            known = known || strcmp(member.key, others[i]) == 0;
        if (!known)
            st_log(ST_LEVEL_WARN, "model", "the fast-weight setting \"%s\" is not known, ignored",
                   member.key);
    }
}

static st_status read_layers(st_model_config *config, const st_json *root)
{
    st_ttt_config *ttt = &config->ttt;
    const st_json list = field(root, "ttt_layers");
    ttt->hybrid_count = 0;
    memset(ttt->hybrid, 0, sizeof ttt->hybrid);
    if (!is_there(list)) {
        for (int64_t i = 0; i < config->text.layers; i++) {
            ttt->hybrid[i] = i % 4 != 3;
            ttt->hybrid_count += ttt->hybrid[i];
        }
        return st_ok();
    }
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    for (size_t k = 0; k < st_json_count(list); k++) {
        const st_json element = st_json_element(&list, k);
        int64_t layer;
        ST_TRY(st_json_int(element, &layer));
        if (layer < 0 || layer >= config->text.layers)
            return st_json_fail(element, ST_ERR_DATA, "layer %lld of %lld", (long long)layer,
                                (long long)config->text.layers);
        if (ttt->hybrid[layer])
            return st_json_fail(element, ST_ERR_DATA, "layer %lld is listed twice",
                                (long long)layer);
        ttt->hybrid[layer] = true;
        ttt->hybrid_count++;
    }
    return st_ok();
}

static st_status read_ttt_sizes(st_ttt_config *ttt, const st_json *object)
{
    ST_TRY(get_int(&ttt->heads, object, "num_lact_heads"));
    ST_TRY(get_double(&ttt->inter_multi, object, "inter_multi"));
    ST_TRY(get_int(&ttt->chunk, object, "lact_chunk_size"));
    ST_TRY(get_int(&ttt->window, object, "window_size"));
    ttt->attention_chunk = ttt->chunk;
    ST_TRY(get_int(&ttt->attention_chunk, object, "attn_chunk_size"));
    ST_TRY(get_int(&ttt->low_rank, object, "w0_w2_low_rank"));
    ST_TRY(get_double(&ttt->low_rank_gain, object, "fw_init_gain"));
    ST_TRY(get_double(&ttt->base_lr, object, "base_lr"));
    if (ttt->low_rank == -1)        /* the layer constructor's way to say off */
        ttt->low_rank = 0;
    int64_t lr_dim = 1;
    ST_TRY(get_int(&lr_dim, object, "lr_dim"));
    if (lr_dim != 1)
        return st_json_fail(st_json_member(object, "lr_dim"), ST_ERR_UNSUPPORTED,
                            "one rate per token and matrix is supported, found %lld",
                            (long long)lr_dim);
    return st_ok();
}

/* d and h follow from the rest. */
static void settle_widths(st_model_config *config)
{
    st_ttt_config *ttt = &config->ttt;
    const int64_t width = config->text.heads * config->text.head_dim;
    ttt->head_dim = ttt->heads > 0 ? width / ttt->heads : 0;
    const double hidden = (double)ttt->head_dim * ttt->inter_multi;
    ttt->head_hidden = hidden >= 1.0 && hidden < 1e9 ? (int64_t)hidden : 0;
}

static st_status read_preset(st_model_config *config, const st_json *root)
{
    ST_TRY(expect_word(root, "preset", "train|eval-compat"));
    st_str word;
    ST_TRY(st_json_text_or_none(st_json_member(root, "preset"), &word));
    const bool compat = word.data && st_str_is(word, "eval-compat");
    st_ttt_config_set_preset(config, compat ? ST_TTT_EVAL_COMPAT : ST_TTT_TRAIN);
    return st_ok();
}

static st_status read_ttt(st_model_config *config, const st_json *root)
{
    ST_TRY(st_json_expect(*root, ST_JSON_OBJECT));
    ST_TRY(read_preset(config, root));
    ST_TRY(expect_word(root, "ns_dtype", "f32|bf16"));
    st_str ns_dtype;
    ST_TRY(st_json_text_or_none(st_json_member(root, "ns_dtype"), &ns_dtype));
    config->ttt.ns_bf16 = ns_dtype.data && st_str_is(ns_dtype, "bf16");

    const st_json raw = st_json_member(root, "ttt");
    if (st_json_kind_of(raw) == ST_JSON_NULL) {         /* said outright: no fast weights */
        const st_json layers = field(root, "ttt_layers");
        if (st_json_count(layers) > 0)
            return st_json_fail(raw, ST_ERR_DATA, "null, but ttt_layers lists %zu layers",
                                st_json_count(layers));
        config->ttt.hybrid_count = 0;
        memset(config->ttt.hybrid, 0, sizeof config->ttt.hybrid);
        return st_ok();
    }
    ST_TRY(read_layers(config, root));
    if (is_there(raw)) {
        ST_TRY(st_json_expect(raw, ST_JSON_OBJECT));
        ST_TRY(read_ttt_sizes(&config->ttt, &raw));
        ST_TRY(read_flags(config, &raw, flag_names, sizeof flag_names / sizeof flag_names[0]));
        warn_unknown(&raw);
    }
    const st_json compat = field(root, "compat");
    if (is_there(compat)) {
        ST_TRY(st_json_expect(compat, ST_JSON_OBJECT));
        ST_TRY(read_flags(config, &compat, compat_names,
                          sizeof compat_names / sizeof compat_names[0]));
    }
    return st_ok();
}

/* --- both documents -------------------------------------------------------------------------- */

/* The table's column for this hidden_size; the first one when it is not said or not there. */
static st_status choose_column(st_model_config *config, const st_json *text)
{
    int64_t hidden = -1;
    ST_TRY(get_int(&hidden, text, "hidden_size"));
    for (int i = ST_MODEL_PRESET_COUNT - 1; i >= 0; i--) {
        st_model_config_preset(config, (st_model_preset)i);
        if (config->text.hidden == hidden)
            break;
    }
    return st_ok();
}

static st_status read_model(st_model_config *config, const st_json *root)
{
    ST_TRY(st_json_expect(*root, ST_JSON_OBJECT));
    /* Text fields stand at the top in files of a text-only model. */
    const st_json  nested = field(root, "text_config");
    const st_json *text = is_there(nested) ? &nested : root;
    const st_json  vision = field(root, "vision_config");
    ST_TRY(st_json_expect(*text, ST_JSON_OBJECT));
    if (is_there(vision))
        ST_TRY(st_json_expect(vision, ST_JSON_OBJECT));

    ST_TRY(choose_column(config, text));
    ST_TRY(read_text(&config->text, text));
    ST_TRY(read_vision(&config->vision, &config->text, &vision));
    ST_TRY(get_bool(&config->text.tied, text, "tie_word_embeddings"));
    ST_TRY(get_bool(&config->text.tied, root, "tie_word_embeddings"));
    ST_TRY(read_ids(&config->ids, root, text, config->text.vocab));
    if (config->text.layers < 0 || config->text.layers > ST_LAYERS_MAX)
        return ST_FAIL(ST_ERR_DATA, "text_config: num_hidden_layers must be 1 to %d, is %lld",
                       ST_LAYERS_MAX, (long long)config->text.layers);
    return st_ok();
}

static st_status parse_ttt(st_model_config *config, st_str text)
{
    st_ttt_config *ttt = &config->ttt;
    ttt->hybrid_count = 0;
    memset(ttt->hybrid, 0, sizeof ttt->hybrid);
    config->ttt_source = ST_TTT_ABSENT;
    if (text.data) {
        st_json_doc *doc;
        ST_TRY(st_json_parse(&doc, text));
        const st_json   root = st_json_root(doc);
        const st_status s = read_ttt(config, &root);
        st_json_free(doc);
        ST_TRY(s);
        config->ttt_source = ST_TTT_FROM_FILE;
    }
    settle_widths(config);
    return st_ok();
}

static st_status parse_both(st_model_config *config, st_str model, const char *model_name,
                            st_str ttt, const char *ttt_name)
{
    st_model_config read;
    st_json_doc *doc;
    ST_TRY(st_within(st_json_parse(&doc, model), "%s", model_name));
    const st_json   root = st_json_root(doc);
    const st_status s = read_model(&read, &root);
    st_json_free(doc);
    ST_TRY(st_within(s, "%s", model_name));
    read.ttt.hybrid_count = 0;      /* config.json alone: the fast weights have their own file */
    ST_TRY(st_within(st_model_config_check(&read), "%s", model_name));
    ST_TRY(st_within(parse_ttt(&read, ttt), "%s", ttt_name));
    ST_TRY(st_within(st_model_config_check(&read), "%s", ttt_name));
    *config = read;
    return st_ok();
}

st_status st_model_config_parse(st_model_config *config, st_str model, st_str ttt)
{
    return parse_both(config, model, "config.json", ttt, "ttt_config.json");
}

static st_status load(st_model_config *config, st_arena *arena, const char *folder)
{
    const char *model_path, *ttt_path;
    st_str      model, ttt = {NULL, 0};
    ST_TRY(st_folder_expect(folder, "a model folder", "config.json"));
    ST_TRY(st_path_join(arena, &model_path, folder, "config.json"));
    ST_TRY(st_file_read(arena, &model, model_path, ST_CONFIG_BYTES_MAX));
    ST_TRY(st_path_join(arena, &ttt_path, folder, "ttt_config.json"));
    if (!st_file_exists(ttt_path))
        ST_TRY(st_path_join(arena, &ttt_path, folder, "meta.json"));
    if (st_file_exists(ttt_path))
        ST_TRY(st_file_read(arena, &ttt, ttt_path, ST_CONFIG_BYTES_MAX));
    return parse_both(config, model, model_path, ttt, ttt_path);
}

st_status st_model_config_load(st_model_config *config, const char *folder)
{
    st_arena arena;
    st_arena_init(&arena, "config");
    const st_status s = load(config, &arena, folder);
    st_arena_free(&arena);
    return s;
}
