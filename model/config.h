/* config.h - what shape the network has, and by which rule its fast weights change.
 *
 * The shape comes from config.json as Hugging Face writes it, in old and new spellings; a field
 * that is null or absent comes from the table of released sizes. The rule comes from
 * ttt_config.json; its fields default to the preset it names, `train` unless it says otherwise:
 *
 *   train         Muon, prenorm, momentum, real timestamps: what the checkpoints were trained with
 *   eval-compat   what the public evaluation code does instead, quirks included
 *
 * May include: kernels/base.
 */
#ifndef ST_MODEL_CONFIG_H
#define ST_MODEL_CONFIG_H

#include "kernels/base/status.h"
#include "kernels/base/text.h"

enum {
    ST_LAYERS_MAX = 128,            /* decoder layers or vision blocks: twice any released model */
    ST_DEEPSTACK_MAX = 8
};

/* The language decoder. */
typedef struct st_text_config {
    int64_t hidden;                 /* H                                        */
    int64_t layers;                 /* L                                        */
    int64_t heads, kv_heads;        /* heads is a multiple of kv_heads          */
    int64_t head_dim;               /* D, even                                  */
    int64_t intermediate;           /* width of the gated MLP                   */
    int64_t vocab;                  /* V, rows of the embedding                 */
    int64_t positions_max;
    double  rms_eps;
    double  rope_theta;
    int64_t mrope_section[3];       /* frequencies of time, height, width; sum D/2 */
    bool    tied;                   /* lm_head is embed_tokens                  */
} st_text_config;

/* The vision tower. */
typedef struct st_vision_config {
    int64_t blocks;
    int64_t hidden;                 /* D of a patch                             */
    int64_t heads;
    int64_t intermediate;
    int64_t channels;               /* 3                                        */
    int64_t patch;                  /* pixels along a patch's side              */
    int64_t temporal;               /* frames in a patch                        */
    int64_t merge;                  /* patches along a merged token's side      */
    int64_t positions;              /* rows of the position table, a square     */
    int64_t out_hidden;             /* = text.hidden                            */
    int64_t deepstack[ST_DEEPSTACK_MAX];    /* block indices, ascending         */
    int64_t deepstack_count;
} st_vision_config;

typedef enum st_ttt_preset { ST_TTT_TRAIN, ST_TTT_EVAL_COMPAT } st_ttt_preset;

/* The fast-weight layers; model.md sections 2.2 and 7. */
typedef struct st_ttt_config {
    st_ttt_preset preset;
    bool    hybrid[ST_LAYERS_MAX];  /* hybrid[i]: layer i has fast weights; else it is an anchor */
    int64_t hybrid_count;           /* 0: the plain backbone                    */
    int64_t heads;                  /* nf                                       */
    int64_t head_dim;               /* d = heads * head_dim of text / nf        */
    int64_t head_hidden;            /* h = d * inter_multi                      */
    double  inter_multi;
    int64_t chunk;                  /* C, tokens between updates                */
    int64_t window;                 /* W, keys a query sees, itself included    */
    int64_t attention_chunk;        /* prefill range of the attention pass      */
    int64_t low_rank;               /* of w0 and w2; 0: full matrices           */
    double  low_rank_gain;          /* fw_init_gain                             */
    double  base_lr;                /* softplus offset of the learned rates     */
    bool    qkv_silu, silu_on_v;    /* silu_on_v is the opposite of no_v_silu   */
    bool    muon, momentum, prenorm;
    bool    conv;                   /* depthwise 3x3x3 over video tokens        */
    bool    rope;                   /* partial rotary in the branch; off with ttt_nope */
    bool    learned_scale;          /* ttt_scale_proj                           */
    bool    fp32_states;
    bool    ns_bf16;                /* Newton-Schulz in bf16 instead of f32     */
} st_ttt_config;

/* How the public evaluation differs beyond the update rule (model.md 8.6). */
typedef struct st_compat_config {
    bool reseed_pending;            /* Q3, Q4: the last C tokens are read into the state twice  */
    bool fake_timestamps;           /* Q6: 24 fps, frames 0..n-1, whatever the video says       */
    bool extra_prompt;              /* Q7: a system message and a sentence behind each question */
} st_compat_config;

/* Token ids that the network itself must know. Others come from the tokenizer. */
typedef struct st_token_ids {
    int64_t image, video;           /* the pads that visual rows replace        */
    int64_t vision_start, vision_end;
    int64_t bos, eos, pad;          /* -1: not said by config.json              */
} st_token_ids;

typedef enum st_model_preset {
    ST_MODEL_2B,
    ST_MODEL_4B,
    ST_MODEL_8B,
    ST_MODEL_TINY,
    ST_MODEL_PRESET_COUNT
} st_model_preset;

/* Where the fast-weight settings came from. */
typedef enum st_ttt_source {
    ST_TTT_FROM_PRESET,             /* st_model_config_preset                                */
    ST_TTT_FROM_FILE,               /* ttt_config.json or meta.json                          */
    ST_TTT_ABSENT                   /* no such file: tensor names decide (see weights.h)     */
} st_ttt_source;

typedef struct st_model_config {
    st_text_config   text;
    st_vision_config vision;
    st_ttt_config    ttt;
    st_compat_config compat;
    st_token_ids     ids;
    st_ttt_source    ttt_source;
} st_model_config;

/* The released sizes (and `tiny` for tests), TTT as in the preset `train`, every layer hybrid
 * except those with i % 4 == 3. Source  model.md 2.1, 2.2. */
void st_model_config_preset(st_model_config *config, st_model_preset preset);

/* Read FOLDER/config.json, then FOLDER/ttt_config.json, or FOLDER/meta.json in its absence.
 *
 * Without either the fast-weight settings are those of `train` with no layer hybrid, and
 * ttt_source says ABSENT.
 *
 * Fails   ST_ERR_IO no config.json; ST_ERR_FORMAT a field of the wrong kind; ST_ERR_DATA fields
 *         that contradict each other, or a size that no preset has and the file does not give;
 *         ST_ERR_UNSUPPORTED an activation or attention bias this program does not compute.
 */
ST_CHECKED st_status st_model_config_load(st_model_config *config, const char *folder);

/* The two documents as text. `ttt` may be {NULL,0}: absent. */
ST_CHECKED st_status st_model_config_parse(st_model_config *config, st_str model, st_str ttt);

/* Set every rule flag as the preset has it; shapes, chunk and layers stay. */
void st_ttt_config_set_preset(st_model_config *config, st_ttt_preset preset);

/* One flag by its name in ttt_config.json ("use_muon", "ttt_prenorm", "fake_timestamps", ...).
 *
 * Fails   ST_ERR_USAGE no flag has that name.
 */
ST_CHECKED st_status st_ttt_config_set_flag(st_model_config *config, const char *name, bool on);

/* Fails   ST_ERR_DATA "text.heads 16 is no multiple of text.kv_heads 3", ... */
ST_CHECKED st_status st_model_config_check(const st_model_config *config);

/* The documents as this program writes them; reading them back gives the same config. */
void st_model_config_write(st_text *json, const st_model_config *config);
void st_ttt_config_write(st_text *json, const st_model_config *config);

#endif
