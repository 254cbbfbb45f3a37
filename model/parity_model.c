/* parity_model.c - a whole model against what it answered elsewhere: positions, the tower, every
 * layer, logits, loss, the plain backbone, and under eval-compat the answering path.
 */
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "kernels/dense.h"
#include "model/internal.h"
#include "model/parity_internal.h"
#include "model/sample.h"
#include "model/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* model.md 13: whole logits and towers 1e-4; ids and positions exactly. With Newton-Schulz in bf16
 * the stored numbers carry that rounding themselves: mean difference below 5 % of the largest. */
static const double WHOLE = 1e-4, ROUNDED = 0.05;

/* Fast weights after an answer went through more updates than any one pass, and each Newton-Schulz
 * step may widen a difference: measured up to 1.5e-4 between two f32 programs. */
static const double ANSWERED = 1e-3;

typedef struct run {
    sti_parity           *p;
    const st_safetensors *io;
    st_network           *network;
    st_arena              arena;
    const int64_t        *ids;              /* (N) */
    int64_t               tokens;
    st_piece             *piece;            /* the sequence as pieces */
    size_t                pieces;
    int64_t               patches_max;

    int64_t              *position;         /* (N,3) as they left layer 0        */
    float                *hidden;           /* (L,N,H) as they left each layer   */
    int64_t              *filled;           /* (L) rows so far                   */
    float                *patches, *merged, *deep[ST_DEEPSTACK_MAX];
    int64_t               patch_count, token_count, patch_cap, token_cap;
    bool                  watching_vision;
} run;

static st_tensor i64_view(const int64_t *data, int rank, int64_t a, int64_t b)
{
    return (st_tensor){.data = (void *)data, .shape = {a, b}, .rank = rank, .dtype = ST_I64};
}

/* --- from stored inputs to pieces ------------------------------------------------------------- */

/* Grids of one kind, with the pixels that belong to them. */
typedef struct source {
    const int64_t *grid;                    /* (count,3) */
    int64_t        count;
    const float   *pixels;
    int64_t        patches;                 /* rows of pixels        */
    int64_t        at, step, used;          /* video, grid of it, patches so far */
} source;

static st_status source_get(source *s, const run *r, const char *grid_name,
                            const char *pixel_name)
{
    *s = (source){0};
    const st_tensor *grid = st_safetensors_find(r->io, grid_name);
    if (!grid)
        return st_ok();
    ST_TRY(st_tensor_expect(grid, grid_name, ST_I64, 2, (int64_t[]){-1, 3}));
    const st_vision_config *c = &r->network->config.vision;
    st_tensor pixels;
    ST_TRY(st_safetensors_get(r->io, &pixels, pixel_name, ST_F32, 2,
                              (int64_t[]){-1, c->channels * c->temporal * c->patch * c->patch}));
    *s = (source){.grid = grid->data, .count = grid->shape[0], .pixels = pixels.data,
                  .patches = pixels.shape[0]};
    for (int64_t i = 0; i < 3 * s->count; i++)
        if (s->grid[i] < 1 || s->grid[i] > (1 << 20))
            return ST_FAIL(ST_ERR_DATA, "%s: a grid of size %lld", grid_name,
                           (long long)s->grid[i]);
    return st_ok();
}

static st_status add_piece(run *r, size_t *capacity, st_piece piece)
{
    ST_TRY(ST_GROW(&r->arena, &r->piece, capacity, r->pieces + 1));
    r->piece[r->pieces++] = piece;
    return st_ok();
}

/* The next grid of a source, at token `n`. */
static st_status take_grid(run *r, size_t *capacity, source *s, bool video, int64_t n,
                           int64_t *rows)
{
    const int64_t m = r->network->config.vision.merge;
    const int64_t features = r->network->config.vision.channels *
                             r->network->config.vision.temporal *
                             r->network->config.vision.patch * r->network->config.vision.patch;
    if (s->at >= s->count)
        return ST_FAIL(ST_ERR_DATA, "token %lld is visual, and all grids are used", (long long)n);
    const int64_t *g = s->grid + 3 * s->at, patches = g[1] * g[2];
    if (patches > s->patches - s->used)
        return ST_FAIL(ST_ERR_DATA, "grids name more patches than the %lld stored",
                       (long long)s->patches);
    *rows = patches / (m * m);
    for (int64_t i = 0; i < *rows; i++)
        if (n + i >= r->tokens || r->ids[n + i] != r->ids[n])
            return ST_FAIL(ST_ERR_DATA, "a grid of %lld tokens has %lld in the sequence",
                           (long long)*rows, (long long)i);
    if (video && s->step == 0)
        ST_TRY(add_piece(r, capacity, (st_piece){.kind = ST_PIECE_VIDEO}));
    ST_TRY(add_piece(r, capacity, (st_piece){.kind = video ? ST_PIECE_GRID : ST_PIECE_IMAGE,
                                             .pixels = s->pixels + s->used * features,
                                             .rows = g[1], .columns = g[2]}));
    s->used += patches;
    r->patches_max = patches > r->patches_max ? patches : r->patches_max;
    if (++s->step == g[0]) {
        if (video)
            ST_TRY(add_piece(r, capacity, (st_piece){.kind = ST_PIECE_END}));
        s->step = 0;
        s->at++;
    }
    return st_ok();
}

static st_status make_pieces(run *r)
{
    const st_token_ids *special = &r->network->config.ids;
    source image, video;
    ST_TRY(source_get(&image, r, "image_grid_thw", "pixel_values"));
    ST_TRY(source_get(&video, r, "video_grid_thw", "pixel_values_videos"));
    r->patches_max = r->network->config.vision.merge * r->network->config.vision.merge;
    size_t capacity = 0;
    for (int64_t n = 0, rows; n < r->tokens; n += rows) {
        if (r->ids[n] == special->image || r->ids[n] == special->video) {
            const bool is_video = r->ids[n] == special->video;
            ST_TRY(take_grid(r, &capacity, is_video ? &video : &image, is_video, n, &rows));
            continue;
        }
        for (rows = 1; n + rows < r->tokens && r->ids[n + rows] != special->image &&
                       r->ids[n + rows] != special->video; rows++)
            ;
        ST_TRY(add_piece(r, &capacity, (st_piece){.kind = ST_PIECE_TEXT, .ids = r->ids + n,
                                                  .count = rows}));
    }
    if (image.at != image.count || video.at != video.count)
        return ST_FAIL(ST_ERR_DATA, "%lld grids are not in the sequence",
                       (long long)(image.count - image.at + video.count - video.at));
    r->patch_cap = image.patches + video.patches;
    r->token_cap = r->tokens;
    return st_ok();
}

/* --- watching --------------------------------------------------------------------------------- */

static void watch(void *context, int64_t layer, const float *hidden, const int64_t *position,
                  int64_t rows)
{
    run *r = context;
    const int64_t H = r->network->config.text.hidden, at = r->filled[layer];
    ST_ASSERT(at + rows <= r->tokens);
    memcpy(r->hidden + (layer * r->tokens + at) * H, hidden, (size_t)(rows * H) * sizeof *hidden);
    if (layer == 0)
        memcpy(r->position + 3 * at, position, (size_t)(3 * rows) * sizeof *position);
    r->filled[layer] += rows;
}

static void watch_vision(void *context, const float *patches, int64_t patch_count,
                         const float *merged, float *const *deepstack, int64_t token_count)
{
    run *r = context;
    const st_vision_config *c = &r->network->config.vision;
    ST_ASSERT(r->patch_count + patch_count <= r->patch_cap);
    memcpy(r->patches + r->patch_count * c->hidden, patches,
           (size_t)(patch_count * c->hidden) * sizeof *patches);
    const size_t bytes = (size_t)(token_count * c->out_hidden) * sizeof *merged;
    memcpy(r->merged + r->token_count * c->out_hidden, merged, bytes);
    for (int64_t k = 0; k < c->deepstack_count; k++)
        memcpy(r->deep[k] + r->token_count * c->out_hidden, deepstack[k], bytes);
    r->patch_count += patch_count;
    r->token_count += token_count;
}

static st_status take_buffers(run *r)
{
    const st_model_config *c = &r->network->config;
    const size_t N = (size_t)r->tokens, H = (size_t)c->text.hidden, L = (size_t)c->text.layers;
    ST_TRY(ST_ALLOC(&r->arena, &r->position, 3 * N));
    ST_TRY(ST_ALLOC(&r->arena, &r->hidden, L * N * H));
    ST_TRY(ST_ALLOC(&r->arena, &r->filled, L));
    ST_TRY(ST_ALLOC(&r->arena, &r->patches, (size_t)(r->patch_cap * c->vision.hidden)));
    ST_TRY(ST_ALLOC(&r->arena, &r->merged, N * (size_t)c->vision.out_hidden));
    for (int64_t k = 0; k < c->vision.deepstack_count; k++)
        ST_TRY(ST_ALLOC(&r->arena, &r->deep[k], N * (size_t)c->vision.out_hidden));
    return st_ok();
}

/* --- one pass, and what came of it ------------------------------------------------------------ */

static st_session_plan plan_of(const run *r, st_rule rule, int64_t more)
{
    return (st_session_plan){.lookahead = ST_LOOKAHEAD_EXACT, .anchors = ST_ANCHOR_UNBOUNDED,
                             .rule = rule, .tokens_max = r->tokens + more,
                             .rows_max = r->tokens, .unit_max = r->tokens,
                             .patches_max = r->patches_max};
}

/* Read the sequence in one pass and note everything. `logits` (N,V). */
static st_status read_whole(run *r, st_rule rule, float *logits)
{
    const st_session_plan plan = plan_of(r, rule, 0);
    const int64_t H = r->network->config.text.hidden, L = r->network->config.text.layers;
    st_session *session;
    ST_TRY(st_session_create(&session, r->network, &plan));
    memset(r->filled, 0, (size_t)L * sizeof *r->filled);
    r->patch_count = r->token_count = 0;
    st_session_watch_set(session, watch, r);
    st_session_watch_vision_set(session, watch_vision, r);
    st_status s = st_session_feed(session, r->piece, r->pieces);
    if (s.code == ST_OK)
        s = st_session_head(session, logits, r->hidden + (L - 1) * r->tokens * H, r->tokens);
    st_session_free(session);
    return s;
}

static st_status read_text(run *r, const int64_t *ids, int64_t count, float *logits)
{
    st_session_plan plan = plan_of(r, ST_RULE_PLAIN, count);
    plan.rows_max = count;
    const int64_t L = r->network->config.text.layers, H = r->network->config.text.hidden;
    run text = *r;          /* its own buffers for another length */
    text.tokens = text.token_cap = count;
    ST_TRY(take_buffers(&text));
    st_session *session;
    ST_TRY(st_session_create(&session, r->network, &plan));
    st_session_watch_set(session, watch, &text);
    st_status s = st_session_feed(session, &(st_piece){.kind = ST_PIECE_TEXT, .ids = ids,
                                                       .count = count}, 1);
    if (s.code == ST_OK)
        s = st_session_head(session, logits, text.hidden + (L - 1) * count * H, count);
    st_session_free(session);
    return s;
}

/* Whether Newton-Schulz stands between the inputs and a number. */
typedef enum reach { BEFORE_MUON, BEHIND_MUON } reach;

/* Compare with the stored tensor of this name, when there is one. */
static st_status check(run *r, const char *name, const st_tensor *got, reach where)
{
    const st_tensor *expected = st_safetensors_find(r->io, name);
    if (!expected)
        return st_ok();
    const bool whole_numbers = got->dtype == ST_I64;
    const bool rounded = where == BEHIND_MUON && r->network->config.ttt.ns_bf16;
    const bool answered = strncmp(name, "generate.state.", 15) == 0;
    return sti_parity_compare(r->p, name, got, expected,
                              whole_numbers ? ST_PARITY_EXACT
                              : rounded     ? ST_PARITY_MEAN
                                            : ST_PARITY_RELATIVE,
                              whole_numbers ? 0.0
                              : rounded     ? ROUNDED
                              : answered    ? ANSWERED
                                            : WHOLE);
}

static st_status check_positions(run *r)
{
    int64_t *by_axis;
    ST_TRY(ST_ALLOC(&r->arena, &by_axis, (size_t)(3 * r->tokens)));
    int64_t most = -1;
    for (int64_t n = 0; n < r->tokens; n++)
        for (int axis = 0; axis < 3; axis++) {
            const int64_t p = r->position[3 * n + axis];
            by_axis[axis * r->tokens + n] = p;
            most = p > most ? p : most;
        }
    const st_tensor position = i64_view(by_axis, 2, 3, r->tokens);
    ST_TRY(check(r, "position_ids", &position, BEFORE_MUON));
    const int64_t delta = most + 1 - r->tokens;
    const st_tensor one = i64_view(&delta, 1, 1, 0);
    return check(r, "rope_delta", &one, BEFORE_MUON);
}

static st_status check_vision(run *r)
{
    const st_vision_config *c = &r->network->config.vision;
    st_tensor x = sti_f32_2(r->patches, r->patch_count, c->hidden);
    ST_TRY(check(r, "vision.last_hidden", &x, BEFORE_MUON));
    x = sti_f32_2(r->merged, r->token_count, c->out_hidden);
    ST_TRY(check(r, "vision.merged", &x, BEFORE_MUON));
    for (int64_t k = 0; k < c->deepstack_count; k++) {
        char name[64];
        snprintf(name, sizeof name, "vision.deepstack%lld", (long long)k);
        x = sti_f32_2(r->deep[k], r->token_count, c->out_hidden);
        ST_TRY(check(r, name, &x, BEFORE_MUON));
    }
    return st_ok();
}

/* Mean cross entropy over labels, position i against label i+1. */
static st_status check_loss(run *r, const float *logits)
{
    const st_tensor *label = st_safetensors_find(r->io, "labels");
    if (!label)
        return st_ok();
    ST_TRY(st_tensor_expect(label, "labels", ST_I64, 1, (int64_t[]){r->tokens}));
    const int64_t V = r->network->config.text.vocab;
    const st_tensor rows = sti_f32_2((float *)logits, r->tokens - 1, V);
    const st_tensor next = i64_view((const int64_t *)label->data + 1, 1, r->tokens - 1, 0);
    double sum;
    int64_t counted;
    ST_TRY(st_cross_entropy(r->network->stream, &sum, &counted, &rows, &next));
    float loss = counted > 0 ? (float)(sum / (double)counted) : 0.0f;
    const st_tensor x = {.data = &loss, .rank = 0, .dtype = ST_F32};
    return check(r, "loss", &x, BEHIND_MUON);
}

static st_status check_hybrid(run *r, float *logits)
{
    const st_text_config *c = &r->network->config.text;
    for (int64_t i = 0; i < c->layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "layer%lld.hidden", (long long)i);
        const st_tensor x = sti_f32_2(r->hidden + i * r->tokens * c->hidden, r->tokens, c->hidden);
        ST_TRY(check(r, name, &x, BEHIND_MUON));
    }
    const st_tensor x = sti_f32_2(logits, r->tokens, c->vocab);
    ST_TRY(check(r, "logits", &x, BEHIND_MUON));
    return check_loss(r, logits);
}

static st_status check_base(run *r, float *logits)
{
    const int64_t V = r->network->config.text.vocab;
    const st_tensor x = sti_f32_2(logits, r->tokens, V);
    ST_TRY(check(r, "base.logits", &x, BEFORE_MUON));

    const st_tensor *ids = st_safetensors_find(r->io, "base.text_ids");
    if (!ids)
        return st_ok();
    ST_TRY(st_tensor_expect(ids, "base.text_ids", ST_I64, 1, (int64_t[]){-1}));
    float *text;
    ST_TRY(ST_ALLOC(&r->arena, &text, (size_t)(ids->shape[0] * V)));
    ST_TRY(read_text(r, ids->data, ids->shape[0], text));
    const st_tensor y = sti_f32_2(text, ids->shape[0], V);
    return check(r, "base.text_logits", &y, BEFORE_MUON);
}

/* --- the answering path ----------------------------------------------------------------------- */

static st_status check_states(run *r, st_session *session)
{
    const st_model_config *c = &r->network->config;
    const int64_t F = c->ttt.heads, h = c->ttt.head_hidden, d = c->ttt.head_dim;
    float *w, *keys;
    ST_TRY(ST_ALLOC(&r->arena, &w, (size_t)(F * h * d)));
    ST_TRY(ST_ALLOC(&r->arena, &keys, (size_t)(F * c->ttt.chunk * d)));
    for (int64_t i = 0; i < c->text.layers; i++) {
        if (!c->ttt.hybrid[i])
            continue;
        char name[96];
        for (int which = 0; which < 3; which++) {
            const st_tensor x = which == 1 ? sti_f32_3(w, F, d, h) : sti_f32_3(w, F, h, d);
            ST_TRY(st_session_fast_weight(session, i, which, w, NULL));
            snprintf(name, sizeof name, "generate.state.layer%lld.w%d", (long long)i, which);
            ST_TRY(check(r, name, &x, BEHIND_MUON));
            if (!c->ttt.momentum)
                continue;
            ST_TRY(st_session_fast_weight(session, i, which, NULL, w));
            snprintf(name, sizeof name, "generate.state.layer%lld.dw%d_momentum", (long long)i,
                     which);
            ST_TRY(check(r, name, &x, BEHIND_MUON));
        }
        int64_t count;
        ST_TRY(st_session_pending_keys(session, i, &count, keys));
        const st_tensor x = sti_f32_3(keys, F, count, d);
        snprintf(name, sizeof name, "generate.state.layer%lld.pending_k", (long long)i);
        ST_TRY(check(r, name, &x, BEHIND_MUON));
    }
    return st_ok();
}

static st_status answer(run *r, st_session *session, int64_t *tokens, float *logits, int64_t count)
{
    const int64_t V = r->network->config.text.vocab;
    const st_sample_config greedy = st_sample_config_greedy();
    st_sampler *sampler;
    ST_TRY(st_sampler_create(&sampler, &greedy, V));
    st_status s = st_session_feed(session, r->piece, r->pieces);
    if (s.code == ST_OK)
        s = st_session_begin_answer(session);
    for (int64_t i = 0; i < count && s.code == ST_OK; i++) {
        if (i > 0)
            s = st_session_feed(session, &(st_piece){.kind = ST_PIECE_TEXT, .ids = &tokens[i - 1],
                                                     .count = 1}, 1);
        if (s.code == ST_OK)
            s = st_session_logits(session, logits + i * V);
        if (s.code == ST_OK)
            s = st_sampler_pick(sampler, &tokens[i], logits + i * V);
    }
    st_sampler_free(sampler);
    return s;
}

/* The public evaluation path: postnorm whatever the training rule (Q2), the last chunk pending
 * again before the answer (Q3, Q4). Muon stays as the folder says: its makers left Q1 out. */
static st_status check_generate(run *r)
{
    const st_tensor *stored = st_safetensors_find(r->io, "generate.tokens");
    if (!stored)
        return st_ok();
    ST_TRY(st_tensor_expect(stored, "generate.tokens", ST_I64, 1, (int64_t[]){-1}));
    const int64_t count = stored->shape[0], V = r->network->config.text.vocab;
    int64_t *tokens;
    float *logits;
    ST_TRY(ST_ALLOC(&r->arena, &tokens, (size_t)count));
    ST_TRY(ST_ALLOC(&r->arena, &logits, (size_t)(count * V)));

    st_network *network = r->network;
    const bool prenorm = network->config.ttt.prenorm;
    const bool reseed = network->config.compat.reseed_pending;
    network->config.ttt.prenorm = false;
    network->config.compat.reseed_pending = true;
    const st_session_plan plan = plan_of(r, ST_RULE_HYBRID, count);
    st_session *session = NULL;
    st_status s = st_session_create(&session, network, &plan);
    if (s.code == ST_OK)
        s = answer(r, session, tokens, logits, count);
    if (s.code == ST_OK && network->config.ttt.ns_bf16) {
        s = sti_parity_note(r->p, "generate.*: with Newton-Schulz in bf16 its rounding decides "
                                  "tokens, and all that follows");
    } else if (s.code == ST_OK) {
        const st_tensor x = i64_view(tokens, 1, count, 0), y = sti_f32_2(logits, count, V);
        s = check(r, "generate.tokens", &x, BEHIND_MUON);
        if (s.code == ST_OK)
            s = check(r, "generate.logits", &y, BEHIND_MUON);
        if (s.code == ST_OK)
            s = check_states(r, session);
    }
    st_session_free(session);
    network->config.ttt.prenorm = prenorm;
    network->config.compat.reseed_pending = reseed;
    return s;
}

/* --- the folder ------------------------------------------------------------------------------- */

static const char *const inputs[] = {"input_ids", "pixel_values", "pixel_values_videos",
                                     "image_grid_thw", "video_grid_thw", "labels",
                                     "base.text_ids"};

/* Whether an entry or an input stands for this stored name. */
static bool is_accounted(const run *r, const char *name, size_t first_entry)
{
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
        if (strcmp(name, inputs[i]) == 0)
            return true;
    const size_t prefix = strlen(r->p->prefix);
    for (size_t i = first_entry; i < r->p->report->count; i++)
        if (strcmp(r->p->report->entry[i].name + prefix, name) == 0)
            return true;
    return false;
}

static st_status account(run *r, size_t first_entry)
{
    const bool compat = r->p->options->preset == ST_TTT_EVAL_COMPAT &&
                        !r->network->config.ttt.ns_bf16;
    bool generate = false;
    for (size_t i = 0; i < st_safetensors_count(r->io); i++) {
        const char *name = st_safetensors_at(r->io, i)->name;
        if (is_accounted(r, name, first_entry))
            continue;
        if (!compat && strncmp(name, "generate.", 9) == 0)
            generate = true;
        else
            ST_TRY(sti_parity_fail(r->p, name, "stored, and nothing here computes it"));
    }
    return generate && r->p->options->preset != ST_TTT_EVAL_COMPAT
               ? sti_parity_note(r->p, "generate.*: compared under --preset eval-compat only")
               : st_ok();
}

/* Files with parameter names beside the checkpoint are its gradients. */
static st_status note_gradients(run *r, const char *weights_folder)
{
    st_safetensors *checkpoint;
    ST_TRY(st_safetensors_open(&checkpoint, weights_folder));
    const char **names;
    size_t count;
    st_status s = st_folder_list(&r->arena, &names, &count, r->p->folder);
    for (size_t i = 0; i < count && s.code == ST_OK; i++) {
        const char *path;
        s = st_path_join(&r->arena, &path, r->p->folder, names[i]);
        bool of_checkpoint = s.code != ST_OK;
        for (size_t k = 0; k < st_safetensors_file_count(checkpoint); k++) {
            uint64_t bytes;
            const st_str own = st_path_name(st_safetensors_file(checkpoint, k, &bytes));
            of_checkpoint = of_checkpoint || st_str_is(own, names[i]);
        }
        st_safetensors *file;
        if (of_checkpoint || !st_file_exists(path) ||
            st_safetensors_open(&file, path).code != ST_OK)
            continue;
        if (st_safetensors_find(file, "model.language_model.embed_tokens.weight")) {
            char text[160];
            snprintf(text, sizeof text, "%.80s: gradients of %zu parameters, not compared here",
                     names[i], st_safetensors_count(file));
            s = sti_parity_note(r->p, text);
        }
        st_safetensors_close(file);
    }
    st_safetensors_close(checkpoint);
    return s;
}

/* The folder of the weights: this one, or the sibling that meta.json names. */
static st_status weights_folder(run *r, const char **folder)
{
    *folder = r->p->folder;
    const char *path;
    ST_TRY(st_path_join(&r->arena, &path, r->p->folder, "meta.json"));
    if (!st_file_exists(path))
        return st_ok();
    st_json_doc *doc;
    ST_TRY(st_json_load(&doc, path));
    const st_json root = st_json_root(doc);
    st_str sibling;
    st_status s = st_json_text_or_none(st_json_member(&root, "weights"), &sibling);
    if (s.code == ST_OK && sibling.data)
        s = st_path_join(&r->arena, folder, r->p->folder, sibling.data);
    st_json_free(doc);
    return s;
}

static st_status compare_all(run *r)
{
    const st_tensor *ids = st_safetensors_find(r->io, "input_ids");
    ST_TRY(st_tensor_expect(ids, "input_ids", ST_I64, 1, (int64_t[]){-1}));
    r->ids = ids->data;
    r->tokens = ids->shape[0];
    if (r->tokens < 1 || r->tokens > ST_SESSION_ROWS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "input_ids has %lld tokens, 1 to %lld are possible",
                       (long long)r->tokens, (long long)ST_SESSION_ROWS_MAX);
    ST_TRY(make_pieces(r));
    ST_TRY(take_buffers(r));

    float *logits;
    ST_TRY(ST_ALLOC(&r->arena, &logits, (size_t)(r->tokens * r->network->config.text.vocab)));
    ST_TRY(read_whole(r, ST_RULE_PLAIN, logits));
    ST_TRY(check_positions(r));
    ST_TRY(check_vision(r));
    ST_TRY(check_base(r, logits));
    if (r->network->config.ttt.hybrid_count > 0) {
        ST_TRY(read_whole(r, ST_RULE_HYBRID, logits));
        ST_TRY(check_hybrid(r, logits));
    }
    return r->p->options->preset == ST_TTT_EVAL_COMPAT ? check_generate(r) : st_ok();
}

st_status sti_parity_model(sti_parity *p, const st_safetensors *io)
{
    run r = {.p = p, .io = io};
    const size_t first_entry = p->report->count;
    st_arena_init(&r.arena, "parity model");
    const char *folder;
    st_model_config config;
    st_status s;
    ST_TRY_OR(s, out, weights_folder(&r, &folder));
    ST_TRY_OR(s, out, st_model_config_load(&config, p->folder));
    ST_TRY_OR(s, out, st_network_open(&r.network, &config, folder, 1, p->options->jobs));
    for (size_t i = 0; i < st_weights_note_count(r.network->weights); i++)
        ST_TRY_OR(s, out, sti_parity_note(p, st_weights_note(r.network->weights, i)));
    s = compare_all(&r);
    if (s.code == ST_ERR_DATA || s.code == ST_ERR_LIMIT)    /* stored inputs that contradict */
        s = sti_parity_fail(p, "inputs", s.text);
    if (s.code != ST_OK)
        goto out;
    ST_TRY_OR(s, out, account(&r, first_entry));
    ST_TRY_OR(s, out, note_gradients(&r, folder));
out:
    st_network_close(r.network);
    st_arena_free(&r.arena);
    return s;
}
