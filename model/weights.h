/* weights.h - the checkpoint's tensors, found by name and sorted into the network's own order.
 *
 * Plain Qwen3-VL names and wrapped Spatial-TTT names (self_attn.attn_layer.*) end in the same
 * struct. Tensors are views of the file: bf16 stays bf16, and nothing is read from disk before it
 * is touched. Fast-weight tensors that the file lacks are drawn from a seed, as a fresh start on a
 * plain checkpoint wants. Every float type of the file is kept: one tensor may be bf16, the next
 * f32; whoever computes asks tensor.dtype.
 *
 * May include: kernels/base, model/config.h, model/safetensors.h.
 */
#ifndef ST_MODEL_WEIGHTS_H
#define ST_MODEL_WEIGHTS_H

#include "kernels/base/limits.h"
#include "kernels/base/tensor.h"
#include "model/config.h"
#include "model/safetensors.h"

/* A linear layer; bias.data is NULL where there is none. */
typedef struct st_linear_weights {
    st_tensor weight;               /* (out,in) */
    st_tensor bias;                 /* (out)    */
} st_linear_weights;

typedef struct st_norm_weights {
    st_tensor weight, bias;         /* (C); bias.data is NULL for RMSNorm */
} st_norm_weights;

typedef struct st_vision_block_weights {
    st_norm_weights   norm1, norm2;
    st_linear_weights qkv, proj;    /* (3D,D), (D,D)  */
    st_linear_weights fc1, fc2;     /* (F,D), (D,F)   */
} st_vision_block_weights;

typedef struct st_merger_weights {
    st_norm_weights   norm;         /* (D) in the main one, (4D) in the deepstack ones */
    st_linear_weights fc1, fc2;     /* (4D,4D), (out,4D) */
} st_merger_weights;

typedef struct st_vision_weights {
    st_linear_weights        patch_embed;       /* (D,3,2,16,16), flattened (D,1536) by its use */
    st_tensor                pos_embed;         /* (positions,D) */
    st_vision_block_weights *block;             /* vision.blocks */
    st_merger_weights        merger;
    st_merger_weights        deepstack[ST_DEEPSTACK_MAX];
} st_vision_weights;

typedef struct st_attention_weights {
    st_tensor q, k, v, o;           /* (heads*D,H), (kv*D,H), (kv*D,H), (H,heads*D) */
    st_tensor q_norm, k_norm;       /* (D) */
} st_attention_weights;

/* One hybrid layer's own tensors. With w = heads*head_dim = nf*d, the width of the branch. A view
 * is empty (data NULL) where the config has the part off. */
typedef struct st_hybrid_weights {
    st_tensor w0, w1, w2;                   /* (nf,h,d), (nf,d,h), (nf,h,d); w0, w2 empty in the
                                               low-rank variant */
    st_tensor w0_left, w0_right;            /* (nf,h,r), (nf,r,d): W0 = left right + 0.5 I */
    st_tensor w2_left, w2_right;
    st_linear_weights lr;                   /* (3nf,H), (3nf) */
    st_linear_weights momentum;             /* (nf,H), (nf)   */
    st_linear_weights scale;                /* (nf,H), (nf)   */
    st_tensor q_scale, q_offset;            /* (w) */
    st_tensor k_scale, k_offset;            /* (w) */
    st_tensor norm;                         /* (d) */
    st_tensor conv_q, conv_k, conv_v;       /* (w,1,3,3,3) */
} st_hybrid_weights;

typedef struct st_layer_weights {
    st_tensor            input_norm, post_norm;     /* (H) */
    st_attention_weights attention;
    st_tensor            gate, up, down;            /* (F,H), (F,H), (H,F) */
    bool                 hybrid;
    st_hybrid_weights       ttt;                       /* when hybrid */
} st_layer_weights;

typedef struct st_weights {
    st_model_config   config;       /* as loaded, settled by the names in the file */
    st_tensor         embed;        /* (V,H) */
    st_layer_weights *layer;        /* text.layers */
    st_tensor         norm;         /* (H) */
    st_tensor         lm_head;      /* (V,H); the very view `embed` when tied */
    st_vision_weights vision;

    int64_t  fresh_count;           /* tensors drawn from the seed, not from the file      */
    int64_t  unexpected_count;      /* tensors of the file that the network has no place for */
    uint64_t file_bytes;
    struct sti_weights *held;       /* the reader, the arena of fresh tensors, the notes   */
} st_weights;

/* Open the checkpoint of `folder` (or one .safetensors file) for a network of this config.
 *
 *   config   from st_model_config_load. With ttt_source ABSENT the layers whose names are wrapped
 *            become hybrid, low rank, momentum and conv are on where their tensors are there.
 *   seed     of the fresh fast-weight tensors
 *
 * An attention tensor is found under its plain and its wrapped name, so a plain network can be read
 * from a hybrid checkpoint and the other way round. A missing fast-weight tensor of a hybrid layer
 * is drawn as model.md 7.14 says, in the type of the embedding, the same bytes for the same seed.
 * Any other missing tensor is a failure. Names without a place are counted and named in a note.
 * `lm_head.weight` may be there although tied; then it must equal the embedding, or it is used
 * instead with a note.
 *
 * Fails   ST_ERR_DATA "NAME must be (64,64), is bf16 (64,32)", "no tensor NAME"; what
 *         st_safetensors_open fails with.
 */
ST_CHECKED st_status st_weights_open(st_weights **weights, const st_model_config *config,
                                     const char *folder, uint64_t seed);
void st_weights_close(st_weights *weights);

/* What was odd: a stale index, fresh tensors, unexpected names, an untied head. */
size_t      st_weights_note_count(const st_weights *weights);
const char *st_weights_note(const st_weights *weights, size_t i);

/* --- the list of parameters ------------------------------------------------------------------ */

/* How a parameter starts; model.md 7.14 and, for the backbone, initializer_range 0.02. */
typedef enum st_start {
    ST_START_ZERO,
    ST_START_ONE,
    ST_START_NORMAL,                /* deviation `scale`                   */
    ST_START_UNIFORM,               /* in [-scale, scale)                  */
    ST_START_DIRAC                  /* 1 in the middle of a 3x3x3, else 0  */
} st_start;

/* Which part of the network a parameter belongs to. */
typedef enum st_part {
    ST_PART_EMBED,
    ST_PART_ATTENTION,
    ST_PART_MLP,
    ST_PART_NORM,
    ST_PART_TTT,
    ST_PART_HEAD,
    ST_PART_VISION,
    ST_PART_COUNT
} st_part;

const char *st_part_name(st_part part);

/* One parameter: its name in a checkpoint, its shape, and where its view goes. */
typedef struct st_parameter {
    char      name[ST_NAME_BYTES_MAX];          /* as a checkpoint of this network has it    */
    char      other_name[ST_NAME_BYTES_MAX];    /* wrapped where `name` is plain and the other
                                                   way round: read as well; "" for none      */
    int64_t   shape[ST_RANK_MAX];
    int       rank;
    st_part   part;
    int64_t   layer;                    /* of the decoder, or -1 */
    st_start  start;
    double    scale;
    st_tensor *view;                    /* into the st_weights given, or NULL */
} st_parameter;

typedef st_status st_parameter_visit(void *context, const st_parameter *parameter);

/* Call `visit` for every parameter of a network of this config in a fixed order: embedding, layers
 * in order, final norm, head when not tied, vision tower. `weights` may be NULL; then
 * parameter.view is NULL. Stops at the first failure. Training, initialisation, binding and
 * inspection all walk this one list. */
ST_CHECKED st_status st_parameters_walk(const st_model_config *config, st_weights *weights,
                                        st_parameter_visit *visit, void *context);

/* Elements first .. first+count-1 of the parameter's starting values, as f32 or rounded to bf16.
 * They depend on seed, name and position alone, so pieces may be drawn in any order. */
void st_parameter_draw(void *values, st_dtype dtype, const st_parameter *parameter, uint64_t seed,
                       int64_t first, int64_t count);

#endif
