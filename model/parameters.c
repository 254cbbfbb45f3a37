/* parameters.c - the one list of what a network is made of: names, shapes, first values.
 *
 * Names and shapes: model.md sections 5, 6, 7.14 and 11.
 */
#include "model/weights.h"

#include "kernels/base/rng.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double backbone_deviation = 0.02;      /* initializer_range */

/* The list under construction: who gets it, and what the next entries share. */
typedef struct walk {
    const st_model_config *config;
    st_weights            *weights;
    st_parameter_visit    *visit;
    void                  *context;
    st_status              status;              /* the first failure; nothing is visited after it */
    char                   prefix[100], other_prefix[100];
    st_part                part;
    int64_t                layer;
} walk;

typedef struct start {
    st_start kind;
    double   scale;
} start;

static start zero(void)
{
    return (start){ST_START_ZERO, 0.0};
}

static start one(void)
{
    return (start){ST_START_ONE, 0.0};
}

static start normal(double deviation)
{
    return (start){ST_START_NORMAL, deviation};
}

static start uniform(double bound)
{
    return (start){ST_START_UNIFORM, bound};
}

typedef struct shape {
    int64_t extent[ST_RANK_MAX];
    int     rank;
} shape;

#define SHAPE(...)                                                                                \
    ((shape){{__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))})

ST_PRINTF(2, 3)
static void set_prefix(walk *w, const char *fmt, ...)
{
    va_list words;
    va_start(words, fmt);
    vsnprintf(w->prefix, sizeof w->prefix, fmt, words);
    va_end(words);
    w->other_prefix[0] = '\0';
}

/* One entry, named prefix + tail. */
static void add(walk *w, st_tensor *view, const char *tail, start first, shape dims)
{
    if (w->status.code != ST_OK)
        return;
    st_parameter p = {.rank = dims.rank, .part = w->part, .layer = w->layer, .start = first.kind,
                      .scale = first.scale, .view = view};
    memcpy(p.shape, dims.extent, sizeof p.shape);
    snprintf(p.name, sizeof p.name, "%s%s", w->prefix, tail);
    if (w->other_prefix[0] != '\0')
        snprintf(p.other_name, sizeof p.other_name, "%s%s", w->other_prefix, tail);
    w->status = w->visit(w->context, &p);
}

/* The view of a part of the weights, or NULL when there are none to fill. */
#define VIEW(owner, member) ((owner) ? &(owner)->member : NULL)

/* weight (out,in) and bias (out) of a linear layer of the tower. */
static void add_linear(walk *w, st_linear_weights *linear, const char *name, int64_t out,
                       int64_t in)
{
    char tail[60];
    snprintf(tail, sizeof tail, "%s.weight", name);
    add(w, VIEW(linear, weight), tail, normal(backbone_deviation), SHAPE(out, in));
    snprintf(tail, sizeof tail, "%s.bias", name);
    add(w, VIEW(linear, bias), tail, zero(), SHAPE(out));
}

static void add_norm(walk *w, st_norm_weights *norm, const char *name, int64_t width)
{
    char tail[60];
    snprintf(tail, sizeof tail, "%s.weight", name);
    add(w, VIEW(norm, weight), tail, one(), SHAPE(width));
    snprintf(tail, sizeof tail, "%s.bias", name);
    add(w, VIEW(norm, bias), tail, zero(), SHAPE(width));
}

/* --- decoder --------------------------------------------------------------------------------- */

static void add_attention(walk *w, st_attention_weights *a, bool hybrid)
{
    const st_text_config *t = &w->config->text;
    const int64_t H = t->hidden, D = t->head_dim, q = t->heads * D, kv = t->kv_heads * D;
    const start   first = normal(backbone_deviation);
    const char   *wrapped = "model.language_model.layers.%lld.self_attn.attn_layer.";
    const char   *plain = "model.language_model.layers.%lld.self_attn.";
    char          prefix[2][100];
    snprintf(prefix[0], sizeof prefix[0], wrapped, (long long)w->layer);
    snprintf(prefix[1], sizeof prefix[1], plain, (long long)w->layer);
    set_prefix(w, "%s", prefix[hybrid ? 0 : 1]);
    snprintf(w->other_prefix, sizeof w->other_prefix, "%s", prefix[hybrid ? 1 : 0]);

    w->part = ST_PART_ATTENTION;
    add(w, VIEW(a, q), "q_proj.weight", first, SHAPE(q, H));
    add(w, VIEW(a, k), "k_proj.weight", first, SHAPE(kv, H));
    add(w, VIEW(a, v), "v_proj.weight", first, SHAPE(kv, H));
    add(w, VIEW(a, o), "o_proj.weight", first, SHAPE(H, q));
    w->part = ST_PART_NORM;
    add(w, VIEW(a, q_norm), "q_norm.weight", one(), SHAPE(D));
    add(w, VIEW(a, k_norm), "k_norm.weight", one(), SHAPE(D));
}

/* w0 and w2 as they are, or as products of two thin matrices. */
static void add_fast_weights(walk *w, st_hybrid_weights *x)
{
    const st_ttt_config *ttt = &w->config->ttt;
    const int64_t nf = ttt->heads, d = ttt->head_dim, h = ttt->head_hidden, r = ttt->low_rank;
    const start   square = normal(1.0 / sqrt((double)d));
    if (r > 0) {
        const start left = normal(ttt->low_rank_gain / sqrt((double)r));
        const start right = normal(ttt->low_rank_gain / sqrt((double)d));
        add(w, VIEW(x, w0_left), "w0.w_left", left, SHAPE(nf, h, r));
        add(w, VIEW(x, w0_right), "w0.w_right", right, SHAPE(nf, r, d));
        add(w, VIEW(x, w2_left), "w2.w_left", left, SHAPE(nf, h, r));
        add(w, VIEW(x, w2_right), "w2.w_right", right, SHAPE(nf, r, d));
    } else {
        add(w, VIEW(x, w0), "w0", square, SHAPE(nf, h, d));
        add(w, VIEW(x, w2), "w2", square, SHAPE(nf, h, d));
    }
    add(w, VIEW(x, w1), "w1", normal(1.0 / sqrt((double)h)), SHAPE(nf, d, h));
}

static void add_gate(walk *w, st_linear_weights *linear, const char *name, start first,
                     int64_t out)
{
    char tail[60];
    snprintf(tail, sizeof tail, "%s.weight", name);
    add(w, VIEW(linear, weight), tail, first, SHAPE(out, w->config->text.hidden));
    snprintf(tail, sizeof tail, "%s.bias", name);
    add(w, VIEW(linear, bias), tail, first, SHAPE(out));
}

static void add_ttt(walk *w, st_hybrid_weights *x)
{
    const st_ttt_config *ttt = &w->config->ttt;
    const int64_t nf = ttt->heads, width = nf * ttt->head_dim;
    const start   gate = uniform(1.0 / sqrt((double)w->config->text.hidden));
    const start   dirac = {ST_START_DIRAC, 0.0};
    set_prefix(w, "model.language_model.layers.%lld.self_attn.", (long long)w->layer);
    w->part = ST_PART_TTT;
    add_fast_weights(w, x);
    add_gate(w, VIEW(x, lr), "lr_proj", gate, 3 * nf);
    if (ttt->momentum)
        add_gate(w, VIEW(x, momentum), "momentum_proj.0", gate, nf);
    if (ttt->learned_scale)         /* zero: the branch is silent until it is trained */
        add_gate(w, VIEW(x, scale), "ttt_scale_proj", zero(), nf);
    add(w, VIEW(x, q_scale), "q_scale", one(), SHAPE(width));
    add(w, VIEW(x, q_offset), "q_offset", zero(), SHAPE(width));
    add(w, VIEW(x, k_scale), "k_scale", one(), SHAPE(width));
    add(w, VIEW(x, k_offset), "k_offset", zero(), SHAPE(width));
    add(w, VIEW(x, norm), "ttt_norm.weight", one(), SHAPE(ttt->head_dim));
    if (ttt->conv) {
        add(w, VIEW(x, conv_q), "conv_q.weight", dirac, SHAPE(width, 1, 3, 3, 3));
        add(w, VIEW(x, conv_k), "conv_k.weight", dirac, SHAPE(width, 1, 3, 3, 3));
        add(w, VIEW(x, conv_v), "conv_v.weight", dirac, SHAPE(width, 1, 3, 3, 3));
    }
}

static void add_layer(walk *w, st_layer_weights *layer)
{
    const st_text_config *t = &w->config->text;
    const int64_t H = t->hidden, F = t->intermediate;
    const bool    hybrid = w->config->ttt.hybrid[w->layer];
    const start   first = normal(backbone_deviation);
    const char   *prefix = "model.language_model.layers.%lld.";

    set_prefix(w, prefix, (long long)w->layer);
    w->part = ST_PART_NORM;
    add(w, VIEW(layer, input_norm), "input_layernorm.weight", one(), SHAPE(H));
    add_attention(w, VIEW(layer, attention), hybrid);
    if (hybrid)
        add_ttt(w, VIEW(layer, ttt));
    set_prefix(w, prefix, (long long)w->layer);
    w->part = ST_PART_NORM;
    add(w, VIEW(layer, post_norm), "post_attention_layernorm.weight", one(), SHAPE(H));
    w->part = ST_PART_MLP;
    add(w, VIEW(layer, gate), "mlp.gate_proj.weight", first, SHAPE(F, H));
    add(w, VIEW(layer, up), "mlp.up_proj.weight", first, SHAPE(F, H));
    add(w, VIEW(layer, down), "mlp.down_proj.weight", first, SHAPE(H, F));
}

static void add_decoder(walk *w)
{
    const st_text_config *t = &w->config->text;
    const start first = normal(backbone_deviation);
    w->layer = -1;
    set_prefix(w, "model.language_model.");
    w->part = ST_PART_EMBED;
    add(w, VIEW(w->weights, embed), "embed_tokens.weight", first, SHAPE(t->vocab, t->hidden));
    for (w->layer = 0; w->layer < t->layers; w->layer++)
        add_layer(w, w->weights ? &w->weights->layer[w->layer] : NULL);
    w->layer = -1;
    set_prefix(w, "model.language_model.");
    w->part = ST_PART_NORM;
    add(w, VIEW(w->weights, norm), "norm.weight", one(), SHAPE(t->hidden));
    if (!t->tied) {
        set_prefix(w, "lm_head.");
        w->part = ST_PART_HEAD;
        add(w, VIEW(w->weights, lm_head), "weight", first, SHAPE(t->vocab, t->hidden));
    }
}

/* --- tower ----------------------------------------------------------------------------------- */

static void add_block(walk *w, st_vision_block_weights *block)
{
    const st_vision_config *v = &w->config->vision;
    add_norm(w, VIEW(block, norm1), "norm1", v->hidden);
    add_norm(w, VIEW(block, norm2), "norm2", v->hidden);
    add_linear(w, VIEW(block, qkv), "attn.qkv", 3 * v->hidden, v->hidden);
    add_linear(w, VIEW(block, proj), "attn.proj", v->hidden, v->hidden);
    add_linear(w, VIEW(block, fc1), "mlp.linear_fc1", v->intermediate, v->hidden);
    add_linear(w, VIEW(block, fc2), "mlp.linear_fc2", v->hidden, v->intermediate);
}

static void add_merger(walk *w, st_merger_weights *merger, int64_t norm_width)
{
    const st_vision_config *v = &w->config->vision;
    const int64_t width = v->hidden * v->merge * v->merge;
    add_norm(w, VIEW(merger, norm), "norm", norm_width);
    add_linear(w, VIEW(merger, fc1), "linear_fc1", width, width);
    add_linear(w, VIEW(merger, fc2), "linear_fc2", v->out_hidden, width);
}

static void add_vision(walk *w)
{
    const st_vision_config *v = &w->config->vision;
    st_vision_weights *vision = w->weights ? &w->weights->vision : NULL;
    const start first = normal(backbone_deviation);
    w->layer = -1;
    w->part = ST_PART_VISION;
    set_prefix(w, "model.visual.");
    add(w, VIEW(vision, patch_embed.weight), "patch_embed.proj.weight", first,
        SHAPE(v->hidden, v->channels, v->temporal, v->patch, v->patch));
    add(w, VIEW(vision, patch_embed.bias), "patch_embed.proj.bias", zero(), SHAPE(v->hidden));
    add(w, VIEW(vision, pos_embed), "pos_embed.weight", first, SHAPE(v->positions, v->hidden));
    for (int64_t i = 0; i < v->blocks; i++) {
        set_prefix(w, "model.visual.blocks.%lld.", (long long)i);
        add_block(w, vision ? &vision->block[i] : NULL);
    }
    set_prefix(w, "model.visual.merger.");
    add_merger(w, VIEW(vision, merger), v->hidden);
    for (int64_t k = 0; k < v->deepstack_count; k++) {
        set_prefix(w, "model.visual.deepstack_merger_list.%lld.", (long long)k);
        add_merger(w, vision ? &vision->deepstack[k] : NULL, v->hidden * v->merge * v->merge);
    }
}

st_status st_parameters_walk(const st_model_config *config, st_weights *weights,
                             st_parameter_visit *visit, void *context)
{
    walk w = {.config = config, .weights = weights, .visit = visit, .context = context,
              .status = st_ok()};
    add_decoder(&w);
    add_vision(&w);
    return w.status;
}

const char *st_part_name(st_part part)
{
    static const char *const names[ST_PART_COUNT] = {
        [ST_PART_EMBED] = "embedding", [ST_PART_ATTENTION] = "attention", [ST_PART_MLP] = "mlp",
        [ST_PART_NORM] = "norms",      [ST_PART_TTT] = "fast weights",    [ST_PART_HEAD] = "head",
        [ST_PART_VISION] = "vision",
    };
    ST_ASSERT((unsigned)part < ST_PART_COUNT);
    return names[part];
}

/* --- first values ---------------------------------------------------------------------------- */

enum { TAPS = 27, CENTRE = 13 };            /* of a 3x3x3 kernel */

/* Two independent normal numbers from two draws; a number alone would waste half of the work.
 * Source  Box and Muller 1958. */
typedef struct normal_pair {
    int64_t index;                          /* of the pair, -1: none yet */
    double  value[2];
} normal_pair;

static double draw_normal(normal_pair *pair, uint64_t key, int64_t i)
{
    const double turn_rad = 6.283185307179586;
    if (pair->index != i / 2) {
        st_rng rng = {key, 2 * (uint64_t)(i / 2)};
        const double radius = sqrt(-2.0 * log(1.0 - st_rng_unit(&rng)));
        const double angle = turn_rad * st_rng_unit(&rng);
        *pair = (normal_pair){i / 2, {radius * cos(angle), radius * sin(angle)}};
    }
    return pair->value[i % 2];
}

static double draw(normal_pair *pair, const st_parameter *p, uint64_t key, int64_t i)
{
    switch (p->start) {
    case ST_START_ZERO: return 0.0;
    case ST_START_ONE: return 1.0;
    case ST_START_DIRAC: return i % TAPS == CENTRE ? 1.0 : 0.0;
    case ST_START_NORMAL: return p->scale * draw_normal(pair, key, i);
    case ST_START_UNIFORM: {
        st_rng rng = {key, (uint64_t)i};
        return st_rng_between(&rng, -p->scale, p->scale);
    }
    }
    return 0.0;
}

void st_parameter_draw(void *values, st_dtype dtype, const st_parameter *parameter, uint64_t seed,
                       int64_t first, int64_t count)
{
    ST_ASSERT(dtype == ST_F32 || dtype == ST_BF16);
    const uint64_t key = st_hash_text(seed, parameter->name);
    normal_pair    pair = {.index = -1};
    for (int64_t i = 0; i < count; i++) {
        const float value = (float)draw(&pair, parameter, key, first + i);
        if (dtype == ST_F32)
            ((float *)values)[i] = value;
        else
            ((uint16_t *)values)[i] = st_bf16_from_f32(value);
    }
}
