/* config.c - the table of released sizes, presets of the update rule, and what must hold. */
#include "model/config.h"

#include "kernels/base/limits.h"

#include <string.h>

/* model.md 2.1, column by column. The ids of `tiny` belong to the byte tokenizer of init.h. */
static const struct {
    st_text_config   text;
    st_vision_config vision;
    st_token_ids     ids;
} table[ST_MODEL_PRESET_COUNT] = {
#define QWEN_IDS {151655, 151656, 151652, 151653, 151643, 151645, 151643}
    [ST_MODEL_2B] = {
        {2048, 28, 16, 8, 128, 6144, 151936, 262144, 1e-6, 5e6, {24, 20, 20}, true},
        {24, 1024, 16, 4096, 3, 16, 2, 2, 2304, 2048, {5, 11, 17}, 3}, QWEN_IDS},
    [ST_MODEL_4B] = {
        {2560, 36, 32, 8, 128, 9728, 151936, 262144, 1e-6, 5e6, {24, 20, 20}, true},
        {24, 1024, 16, 4096, 3, 16, 2, 2, 2304, 2560, {5, 11, 17}, 3}, QWEN_IDS},
    [ST_MODEL_8B] = {
        {4096, 36, 32, 8, 128, 12288, 151936, 262144, 1e-6, 5e6, {24, 20, 20}, false},
        {27, 1152, 16, 4304, 3, 16, 2, 2, 2304, 4096, {8, 16, 24}, 3}, QWEN_IDS},
    [ST_MODEL_TINY] = {
        {128, 4, 4, 2, 32, 256, 512, 4096, 1e-6, 1e4, {6, 5, 5}, true},
        {4, 64, 2, 128, 3, 16, 2, 2, 64, 128, {0, 1, 2}, 3},
        {268, 269, 265, 266, 256, 258, 256}},
};

/* The training script's column of 2.2. */
static const st_ttt_config ttt_defaults = {
    .heads = 4, .inter_multi = 1.0, .chunk = 2648, .window = 2648, .attention_chunk = 2648,
    .low_rank = 0, .low_rank_gain = 0.5, .base_lr = 0.001, .qkv_silu = true, .silu_on_v = true,
    .conv = true, .rope = true, .learned_scale = true, .fp32_states = true,
};

void st_ttt_config_set_preset(st_model_config *config, st_ttt_preset preset)
{
    const bool train = preset == ST_TTT_TRAIN;
    config->ttt.preset = preset;
    config->ttt.muon = train;
    config->ttt.prenorm = train;
    config->ttt.momentum = true;
    config->ttt.ns_bf16 = false;
    config->compat.reseed_pending = !train;
    config->compat.fake_timestamps = !train;
    config->compat.extra_prompt = !train;
}

void st_model_config_preset(st_model_config *config, st_model_preset preset)
{
    ST_ASSERT((unsigned)preset < ST_MODEL_PRESET_COUNT);
    *config = (st_model_config){
        .text = table[preset].text,
        .vision = table[preset].vision,
        .ids = table[preset].ids,
        .ttt = ttt_defaults,
        .ttt_source = ST_TTT_FROM_PRESET,
    };
    st_ttt_config_set_preset(config, ST_TTT_TRAIN);
    if (preset == ST_MODEL_TINY) {
        config->ttt.heads = 2;
        config->ttt.chunk = config->ttt.window = config->ttt.attention_chunk = 32;
    }
    for (int64_t i = 0; i < config->text.layers; i++) {
        config->ttt.hybrid[i] = i % 4 != 3;
        config->ttt.hybrid_count += config->ttt.hybrid[i];
    }
    config->ttt.head_dim = config->text.heads * config->text.head_dim / config->ttt.heads;
    config->ttt.head_hidden = config->ttt.head_dim;
}

st_status st_ttt_config_set_flag(st_model_config *config, const char *name, bool on)
{
    const struct {
        const char *name;
        bool       *flag;
        bool        inverted;
    } flags[] = {
        {"use_muon", &config->ttt.muon, false},
        {"use_momentum", &config->ttt.momentum, false},
        {"ttt_prenorm", &config->ttt.prenorm, false},
        {"use_conv_layer", &config->ttt.conv, false},
        {"qkv_silu", &config->ttt.qkv_silu, false},
        {"no_v_silu", &config->ttt.silu_on_v, true},
        {"ttt_nope", &config->ttt.rope, true},
        {"learnable_ttt_scale", &config->ttt.learned_scale, false},
        {"fp32_states", &config->ttt.fp32_states, false},
        {"ns_bf16", &config->ttt.ns_bf16, false},
        {"reseed_pending", &config->compat.reseed_pending, false},
        {"fake_timestamps", &config->compat.fake_timestamps, false},
        {"extra_prompt", &config->compat.extra_prompt, false},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].flag = on != flags[i].inverted;
            return st_ok();
        }
    }
    return ST_FAIL(ST_ERR_USAGE, "no flag \"%s\" in ttt_config.json", name);
}

/* --- what must hold -------------------------------------------------------------------------- */

/* Between 1 and a bound that keeps products of four sizes inside 63 bits. */
static st_status check_size(const char *name, int64_t value, int64_t max)
{
    if (value < 1 || value > max)
        return ST_FAIL(ST_ERR_DATA, "%s must be 1 to %lld, is %lld", name, (long long)max,
                       (long long)value);
    return st_ok();
}

static st_status check_multiple(const char *name, int64_t value, const char *of, int64_t unit)
{
    if (value % unit != 0)
        return ST_FAIL(ST_ERR_DATA, "%s must be a multiple of %s: %lld of %lld", name, of,
                       (long long)value, (long long)unit);
    return st_ok();
}

static st_status check_positive(const char *name, double value)
{
    if (!(value > 0.0))
        return ST_FAIL(ST_ERR_DATA, "%s must be above 0, is %g", name, value);
    return st_ok();
}

static st_status check_text(const st_text_config *t)
{
    ST_TRY(check_size("hidden_size", t->hidden, 1 << 16));
    ST_TRY(check_size("num_hidden_layers", t->layers, ST_LAYERS_MAX));
    ST_TRY(check_size("num_attention_heads", t->heads, 1024));
    ST_TRY(check_size("num_key_value_heads", t->kv_heads, 1024));
    ST_TRY(check_size("head_dim", t->head_dim, 1024));
    ST_TRY(check_size("intermediate_size", t->intermediate, 1 << 20));
    ST_TRY(check_size("vocab_size", t->vocab, ST_VOCAB_MAX));
    ST_TRY(check_size("max_position_embeddings", t->positions_max, (int64_t)1 << 40));
    ST_TRY(check_multiple("num_attention_heads", t->heads, "num_key_value_heads", t->kv_heads));
    ST_TRY(check_multiple("head_dim", t->head_dim, "2", 2));
    ST_TRY(check_positive("rms_norm_eps", t->rms_eps));
    ST_TRY(check_positive("rope_theta", t->rope_theta));

    int64_t sum = 0;
    for (int k = 0; k < 3; k++) {
        if (t->mrope_section[k] < 0 || t->mrope_section[k] > t->head_dim)
            return ST_FAIL(ST_ERR_DATA, "mrope_section must be 0 to %lld, is %lld",
                           (long long)t->head_dim, (long long)t->mrope_section[k]);
        sum += t->mrope_section[k];         /* an axis may go without an angle */
    }
    if (sum != t->head_dim / 2)
        return ST_FAIL(ST_ERR_DATA,
                       "mrope_section must sum to half of head_dim %lld, sums to %lld",
                       (long long)t->head_dim, (long long)sum);
    return st_ok();
}

static st_status check_vision(const st_vision_config *v, const st_text_config *t)
{
    ST_TRY(check_size("depth", v->blocks, ST_LAYERS_MAX));
    ST_TRY(check_size("hidden_size", v->hidden, 1 << 16));
    ST_TRY(check_size("num_heads", v->heads, 1024));
    ST_TRY(check_size("intermediate_size", v->intermediate, 1 << 20));
    ST_TRY(check_size("patch_size", v->patch, 256));
    ST_TRY(check_size("temporal_patch_size", v->temporal, 64));
    ST_TRY(check_size("spatial_merge_size", v->merge, 64));
    ST_TRY(check_size("num_position_embeddings", v->positions, 1 << 24));
    ST_TRY(check_multiple("hidden_size", v->hidden, "num_heads", v->heads));
    /* The rotary embedding splits a head into row and column parts, each into halves. */
    ST_TRY(check_multiple("width of a head", v->hidden / v->heads, "4", 4));
    if (v->channels != 3)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "in_channels must be 3, is %lld",
                       (long long)v->channels);

    int64_t side = 1;
    while (side * side < v->positions)
        side++;
    if (side * side != v->positions)
        return ST_FAIL(ST_ERR_DATA, "num_position_embeddings must be a square, is %lld",
                       (long long)v->positions);
    if (v->out_hidden != t->hidden)
        return ST_FAIL(ST_ERR_DATA, "out_hidden_size %lld must be the text hidden_size %lld",
                       (long long)v->out_hidden, (long long)t->hidden);
    if (v->deepstack_count > t->layers)
        return ST_FAIL(ST_ERR_DATA, "%lld deepstack levels for %lld decoder layers",
                       (long long)v->deepstack_count, (long long)t->layers);
    for (int64_t k = 0; k < v->deepstack_count; k++) {
        const int64_t index = v->deepstack[k], before = k > 0 ? v->deepstack[k - 1] : -1;
        if (index <= before || index >= v->blocks)
            return ST_FAIL(ST_ERR_DATA,
                           "deepstack_visual_indexes[%lld] must be %lld to %lld, is %lld",
                           (long long)k, (long long)before + 1, (long long)v->blocks - 1,
                           (long long)index);
    }
    return st_ok();
}

static st_status check_ttt(const st_ttt_config *ttt, const st_text_config *t)
{
    if (ttt->hybrid_count == 0)
        return st_ok();
    const int64_t width = t->heads * t->head_dim;
    ST_TRY(check_size("num_lact_heads", ttt->heads, 1024));
    ST_TRY(check_size("lact_chunk_size", ttt->chunk, 1 << 24));
    ST_TRY(check_size("window_size", ttt->window, 1 << 24));
    ST_TRY(check_size("attn_chunk_size", ttt->attention_chunk, 1 << 24));
    ST_TRY(check_multiple("attention width", width, "num_lact_heads", ttt->heads));
    /* A fast-weight head holds whole attention heads: the first of them is the rotated one. */
    ST_TRY(check_multiple("width of a fast-weight head", width / ttt->heads, "head_dim",
                          t->head_dim));
    ST_TRY(check_positive("inter_multi", ttt->inter_multi));
    ST_TRY(check_positive("base_lr", ttt->base_lr));
    ST_TRY(check_size("width of a fast-weight head times inter_multi", ttt->head_hidden, 1 << 20));
    if (ttt->low_rank < 0 || ttt->low_rank > ttt->head_dim)
        return ST_FAIL(ST_ERR_DATA, "w0_w2_low_rank must be 0 to %lld, is %lld",
                       (long long)ttt->head_dim, (long long)ttt->low_rank);
    if (ttt->low_rank > 0) {
        ST_TRY(check_positive("fw_init_gain", ttt->low_rank_gain));
        /* W0 = left right + 0.5 I needs a square. */
        if (ttt->head_hidden != ttt->head_dim)
            return ST_FAIL(ST_ERR_DATA, "w0_w2_low_rank needs inter_multi 1, is %g",
                           ttt->inter_multi);
    }
    return st_ok();
}

static st_status check_ids(const st_token_ids *ids, int64_t vocab)
{
    const struct {
        const char *name;
        int64_t     id;
    } list[] = {
        {"image_token_id", ids->image},
        {"video_token_id", ids->video},
        {"vision_start_token_id", ids->vision_start},
        {"vision_end_token_id", ids->vision_end},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (list[i].id < -1 || list[i].id >= vocab)
            return ST_FAIL(ST_ERR_DATA, "%s %lld does not fit vocab_size %lld", list[i].name,
                           (long long)list[i].id, (long long)vocab);
        for (size_t k = 0; k < i; k++) {
            if (list[i].id >= 0 && list[i].id == list[k].id)
                return ST_FAIL(ST_ERR_DATA, "%s and %s are both %lld", list[k].name, list[i].name,
                               (long long)list[i].id);
        }
    }
    return st_ok();
}

st_status st_model_config_check(const st_model_config *config)
{
    ST_TRY(st_within(check_text(&config->text), "text_config"));
    ST_TRY(st_within(check_vision(&config->vision, &config->text), "vision_config"));
    ST_TRY(st_within(check_ttt(&config->ttt, &config->text), "ttt"));
    return check_ids(&config->ids, config->text.vocab);
}
