/* config_write.c - the two documents in today's spelling. */
#include "model/config.h"

#include "kernels/base/json.h"

static void put_ints(st_json_writer *w, const char *key, const int64_t *values, int64_t count)
{
    st_json_write_key(w, key);
    st_json_write_row(w);
    for (int64_t i = 0; i < count; i++)
        st_json_write_int(w, values[i]);
    st_json_write_end(w);
}

static void write_text(st_json_writer *w, const st_text_config *t, const st_token_ids *ids)
{
    st_json_write_key(w, "text_config");
    st_json_write_object(w);
    st_json_put_text(w, "model_type", "qwen3_vl_text");
    st_json_put_int(w, "vocab_size", t->vocab);
    st_json_put_int(w, "hidden_size", t->hidden);
    st_json_put_int(w, "intermediate_size", t->intermediate);
    st_json_put_int(w, "num_hidden_layers", t->layers);
    st_json_put_int(w, "num_attention_heads", t->heads);
    st_json_put_int(w, "num_key_value_heads", t->kv_heads);
    st_json_put_int(w, "head_dim", t->head_dim);
    st_json_put_text(w, "hidden_act", "silu");
    st_json_put_int(w, "max_position_embeddings", t->positions_max);
    st_json_put_double(w, "initializer_range", 0.02);
    st_json_put_double(w, "rms_norm_eps", t->rms_eps);
    st_json_put_bool(w, "attention_bias", false);
    st_json_write_key(w, "rope_parameters");
    st_json_write_object(w);
    st_json_put_text(w, "rope_type", "default");
    st_json_put_double(w, "rope_theta", t->rope_theta);
    put_ints(w, "mrope_section", t->mrope_section, 3);
    st_json_put_bool(w, "mrope_interleaved", true);
    st_json_write_end(w);
    if (ids->bos >= 0)
        st_json_put_int(w, "bos_token_id", ids->bos);
    if (ids->eos >= 0)
        st_json_put_int(w, "eos_token_id", ids->eos);
    if (ids->pad >= 0)
        st_json_put_int(w, "pad_token_id", ids->pad);
    st_json_write_end(w);
}

static void write_vision(st_json_writer *w, const st_vision_config *v)
{
    st_json_write_key(w, "vision_config");
    st_json_write_object(w);
    st_json_put_text(w, "model_type", "qwen3_vl");
    st_json_put_int(w, "depth", v->blocks);
    st_json_put_int(w, "hidden_size", v->hidden);
    st_json_put_text(w, "hidden_act", "gelu_pytorch_tanh");
    st_json_put_int(w, "intermediate_size", v->intermediate);
    st_json_put_int(w, "num_heads", v->heads);
    st_json_put_int(w, "in_channels", v->channels);
    st_json_put_int(w, "patch_size", v->patch);
    st_json_put_int(w, "spatial_merge_size", v->merge);
    st_json_put_int(w, "temporal_patch_size", v->temporal);
    st_json_put_int(w, "out_hidden_size", v->out_hidden);
    st_json_put_int(w, "num_position_embeddings", v->positions);
    put_ints(w, "deepstack_visual_indexes", v->deepstack, v->deepstack_count);
    st_json_put_double(w, "initializer_range", 0.02);
    st_json_write_end(w);
}

void st_model_config_write(st_text *json, const st_model_config *config)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_write_key(&w, "architectures");
    st_json_write_row(&w);
    st_json_write_text(&w, "Qwen3VLForConditionalGeneration");
    st_json_write_end(&w);
    st_json_put_text(&w, "model_type", "qwen3_vl");
    st_json_put_text(&w, "dtype", "bfloat16");
    st_json_put_bool(&w, "tie_word_embeddings", config->text.tied);
    st_json_put_int(&w, "image_token_id", config->ids.image);
    st_json_put_int(&w, "video_token_id", config->ids.video);
    st_json_put_int(&w, "vision_start_token_id", config->ids.vision_start);
    st_json_put_int(&w, "vision_end_token_id", config->ids.vision_end);
    write_text(&w, &config->text, &config->ids);
    write_vision(&w, &config->vision);
    st_json_write_end(&w);
    st_text_add(json, "\n");
}

static void write_rule(st_json_writer *w, const st_ttt_config *ttt)
{
    st_json_write_object(w);
    st_json_put_int(w, "num_lact_heads", ttt->heads);
    st_json_put_double(w, "inter_multi", ttt->inter_multi);
    st_json_put_int(w, "lact_chunk_size", ttt->chunk);
    st_json_put_int(w, "window_size", ttt->window);
    st_json_put_int(w, "attn_chunk_size", ttt->attention_chunk);
    st_json_put_bool(w, "qkv_silu", ttt->qkv_silu);
    st_json_put_bool(w, "no_v_silu", !ttt->silu_on_v);
    st_json_put_double(w, "base_lr", ttt->base_lr);
    st_json_put_int(w, "lr_dim", 1);
    st_json_put_bool(w, "use_muon", ttt->muon);
    st_json_put_bool(w, "use_momentum", ttt->momentum);
    st_json_put_bool(w, "ttt_prenorm", ttt->prenorm);
    st_json_put_bool(w, "ttt_nope", !ttt->rope);
    st_json_put_bool(w, "learnable_ttt_scale", ttt->learned_scale);
    st_json_put_int(w, "w0_w2_low_rank", ttt->low_rank);
    st_json_put_double(w, "fw_init_gain", ttt->low_rank_gain);
    st_json_put_bool(w, "fp32_states", ttt->fp32_states);
    st_json_put_bool(w, "use_conv_layer", ttt->conv);
    st_json_write_end(w);
}

void st_ttt_config_write(st_text *json, const st_model_config *config)
{
    st_json_writer w;
    const st_ttt_config *ttt = &config->ttt;
    st_json_write_start(&w, json, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_text(&w, "preset", ttt->preset == ST_TTT_TRAIN ? "train" : "eval-compat");
    st_json_put_text(&w, "ns_dtype", ttt->ns_bf16 ? "bf16" : "f32");
    st_json_write_key(&w, "ttt");
    if (ttt->hybrid_count > 0)
        write_rule(&w, ttt);
    else
        st_json_write_null(&w);
    st_json_write_key(&w, "ttt_layers");
    st_json_write_row(&w);
    for (int64_t i = 0; i < config->text.layers; i++) {
        if (ttt->hybrid[i])
            st_json_write_int(&w, i);
    }
    st_json_write_end(&w);
    st_json_write_key(&w, "compat");
    st_json_write_object(&w);
    st_json_put_bool(&w, "reseed_pending", config->compat.reseed_pending);
    st_json_put_bool(&w, "fake_timestamps", config->compat.fake_timestamps);
    st_json_put_bool(&w, "extra_prompt", config->compat.extra_prompt);
    st_json_write_end(&w);
    st_json_write_end(&w);
    st_text_add(json, "\n");
}
