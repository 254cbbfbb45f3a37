/* session.c - making sessions, feeding them, asking them. */
#include "kernels/base/limits.h"
#include "kernels/base/log.h"
#include "model/session_internal.h"

#include <stdlib.h>
#include <string.h>

st_session_plan st_session_plan_default(void)
{
    return (st_session_plan){.lookahead = ST_LOOKAHEAD_EXACT, .anchors = ST_ANCHOR_UNBOUNDED,
                             .rule = ST_RULE_HYBRID, .tokens_max = 32768, .anchor_first = 256,
                             .anchor_recent = 4096, .rows_max = 512, .unit_max = 264,
                             .patches_max = 660};
}

bool sti_plan_equal(const st_session_plan *a, const st_session_plan *b)
{
    return a->lookahead == b->lookahead && a->anchors == b->anchors && a->rule == b->rule &&
           a->tokens_max == b->tokens_max && a->anchor_first == b->anchor_first &&
           a->anchor_recent == b->anchor_recent && a->rows_max == b->rows_max &&
           a->unit_max == b->unit_max && a->patches_max == b->patches_max;
}

/* --- making ----------------------------------------------------------------------------------- */

static st_status check_plan(const st_session_plan *p, const st_model_config *c)
{
    const int64_t merge = c->vision.merge * c->vision.merge;
    if (p->rows_max < 1 || p->unit_max < 1 || p->patches_max < merge)
        return ST_FAIL(ST_ERR_USAGE, "a session plan needs rows_max, unit_max >= 1 and patches_max "
                       ">= %lld, has %lld, %lld and %lld", (long long)merge,
                       (long long)p->rows_max, (long long)p->unit_max, (long long)p->patches_max);
    if (p->rows_max > ST_SESSION_ROWS_MAX || p->unit_max > ST_SESSION_ROWS_MAX ||
        p->patches_max > merge * ST_SESSION_ROWS_MAX || p->tokens_max > ST_SESSION_TOKENS_MAX ||
        p->anchor_first > ST_SESSION_TOKENS_MAX || p->anchor_recent > ST_SESSION_TOKENS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "a session plan goes beyond %lld rows or %lld tokens",
                       (long long)ST_SESSION_ROWS_MAX, (long long)ST_SESSION_TOKENS_MAX);
    if (p->anchors == ST_ANCHOR_UNBOUNDED && p->tokens_max < 1)
        return ST_FAIL(ST_ERR_USAGE, "an unbounded session needs tokens_max >= 1, has %lld",
                       (long long)p->tokens_max);
    if (p->anchors == ST_ANCHOR_BOUNDED && (p->anchor_first < 0 || p->anchor_recent < 1))
        return ST_FAIL(ST_ERR_USAGE, "a bounded session needs anchor_first >= 0 and anchor_recent "
                       ">= 1, has %lld and %lld", (long long)p->anchor_first,
                       (long long)p->anchor_recent);
    if (p->rule == ST_RULE_HYBRID && c->ttt.hybrid_count > 0 && !c->ttt.qkv_silu)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "qkv_silu is off: this program squashes q, k and v of "
                       "the fast-weight branch always");
    return st_ok();
}

static st_status make_layers(st_session *s)
{
    const st_weights *w = s->network->weights;
    s->layers = s->network->config.text.layers;
    ST_TRY(ST_ALLOC(&s->arena, &s->layer, (size_t)s->layers));
    for (int64_t i = 0; i < s->layers; i++) {
        s->layer[i].index = i;
        s->layer[i].w = &w->layer[i];
        s->layer[i].hybrid = w->layer[i].hybrid && s->plan.rule == ST_RULE_HYBRID;
    }
    return st_ok();
}

static st_status make_workspace(st_session *s)
{
    sti_workspace *w = calloc(1, sizeof *w);
    if (!w)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a workspace");
    s->work = w;
    s->owns_work = true;
    st_slab_plan(&w->slab, "workspace", ST_PLACE_HOST);
    ST_TRY(sti_workspace_take(w, s));
    ST_TRY(st_slab_create(s->network->stream, &w->slab));
    ST_TRY(sti_workspace_take(w, s));
    return st_vision_create(&w->vision, s->network, s->plan.patches_max);
}

/* A session without workspace. */
static st_status make_state(st_session **session, const st_network *network,
                            const st_session_plan *plan)
{
    st_session *s = calloc(1, sizeof *s);
    if (!s)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a session");
    s->network = network;
    s->plan = *plan;
    st_arena_init(&s->arena, "session");
    st_slab_plan(&s->slab, "session", ST_PLACE_HOST);

    st_status status;
    ST_TRY_OR(status, out, make_layers(s));
    ST_TRY_OR(status, out, sti_session_take(s));
    ST_TRY_OR(status, out, st_slab_create(network->stream, &s->slab));
    ST_TRY_OR(status, out, sti_session_take(s));
    *session = s;
    return st_ok();
out:
    st_session_free(s);
    return status;
}

st_status st_session_create(st_session **session, const st_network *network,
                            const st_session_plan *plan)
{
    st_session *s;
    ST_TRY(check_plan(plan, &network->config));
    ST_TRY(make_state(&s, network, plan));
    st_status status;
    ST_TRY_OR(status, out, make_workspace(s));
    ST_TRY_OR(status, out, st_session_reset(s));
    *session = s;
    return st_ok();
out:
    st_session_free(s);
    return status;
}

void st_session_free(st_session *s)
{
    if (!s)
        return;
    if (s->owns_work) {
        st_vision_free(s->work->vision);
        st_slab_free(s->network->stream, &s->work->slab);
        free(s->work);
    }
    st_slab_free(s->network->stream, &s->slab);
    st_arena_free(&s->arena);
    free(s);
}

st_status st_session_reset(st_session *s)
{
    memset(&s->at, 0, sizeof s->at);
    memset(s->last, 0, (size_t)s->network->config.text.hidden * sizeof *s->last);
    for (int64_t i = 0; i < s->layers; i++) {
        s->layer[i].seen = 0;
        if (s->layer[i].hybrid)
            ST_TRY(sti_hybrid_begin(s, &s->layer[i]));
    }
    return st_ok();
}

/* --- from pieces to packets ------------------------------------------------------------------- */

static st_status send(st_session *s)
{
    sti_packet *in = &s->work->in;
    if (in->rows == 0)
        return st_ok();
    const st_status status = sti_decoder_run(s, 0);
    sti_packet_clear(&s->work->in);
    return status;
}

/* The open video is over: layer by layer, what waits is told that nothing follows it. */
static st_status flush(st_session *s)
{
    ST_TRY(send(s));
    for (int64_t i = 0; i < s->layers; i++) {
        sti_layer *l = &s->layer[i];
        if (!l->hybrid)
            continue;
        if (l->hold.rows.rows > 0) {
            ST_ASSERT(l->hold.rows.span[0].kind == STI_SPAN_GRID);
            l->hold.rows.span[0].last = 1;
            sti_packet_clear(&s->work->in);
            ST_TRY(sti_decoder_run(s, i));
            sti_packet_clear(&s->work->in);
        }
        l->hold.behind_rows = 0;
    }
    return st_ok();
}

/* Count rows as fed, and say so when the session cannot take them. */
static st_status admit(st_session *s, int64_t rows, int64_t positions)
{
    const int64_t range = s->network->config.text.positions_max;
    if (s->plan.anchors == ST_ANCHOR_UNBOUNDED) {
        if (s->at.tokens + rows > s->plan.tokens_max)
            return ST_FAIL(ST_ERR_LIMIT, "the session is full: its plan keeps %lld tokens, %lld "
                           "were read", (long long)s->plan.tokens_max, (long long)s->at.tokens);
        if (s->at.position + positions > range)
            return ST_FAIL(ST_ERR_LIMIT, "the session is full: position %lld is the last one the "
                           "model knows; a bounded session can go on", (long long)(range - 1));
    } else if (!s->at.beyond_range && s->at.position + positions > range) {
        s->at.beyond_range = 1;
        st_log(ST_LEVEL_WARN, "model", "positions go beyond the %lld the model was trained with",
               (long long)range);
    }
    s->at.tokens += rows;
    return st_ok();
}

/* The packet's next `rows` rows become a span of this kind. Deepstack starts as zeros. */
static sti_span *open_span(st_session *s, sti_span_kind kind, int64_t rows)
{
    const int64_t H = s->network->config.text.hidden;
    sti_packet *p = &s->work->in;
    ST_ASSERT(p->rows + rows <= p->rows_cap);
    for (int64_t k = 0; k < s->network->config.vision.deepstack_count; k++)
        memset(p->deep + (k * p->rows_cap + p->rows) * H, 0, (size_t)(rows * H) * sizeof(float));
    sti_span *span = &p->span[p->spans++];
    *span = (sti_span){.kind = kind, .rows = (int32_t)rows};
    return span;
}

static st_status add_text(st_session *s, const int64_t *ids, int64_t count)
{
    const st_weights *w = s->network->weights;
    const int64_t H = s->network->config.text.hidden;
    sti_packet *p = &s->work->in;
    ST_TRY(admit(s, count, count));
    st_tensor y = sti_f32_2(p->x + p->rows * H, count, H);
    const st_tensor row = {.data = (void *)ids, .shape = {count}, .rank = 1, .dtype = ST_I64};
    ST_TRY(st_within(st_embed_rows(s->network->stream, &y, &w->embed, &row), "token ids"));
    open_span(s, STI_SPAN_TEXT, count);
    for (int64_t r = 0; r < count; r++)
        for (int axis = 0; axis < 3; axis++)
            p->position[3 * (p->rows + r) + axis] = s->at.position + r;
    s->at.position += count;
    p->rows += count;
    return st_ok();
}

/* The tower's tokens of one grid or image become rows. */
static st_status add_picture(st_session *s, const st_piece *piece, sti_span_kind kind, bool last)
{
    const st_model_config *c = &s->network->config;
    const int64_t H = c->text.hidden, m = c->vision.merge;
    const int64_t h = piece->rows / m, width = piece->columns / m, rows = h * width;
    sti_packet *p = &s->work->in;
    ST_TRY(admit(s, rows, h > width ? h : width));

    sti_span *span = open_span(s, kind, rows);
    span->h = (int32_t)h;
    span->w = (int32_t)width;
    span->first = kind == STI_SPAN_GRID && s->at.grid_pending_first;
    span->last = last;
    st_vision_tokens tokens = {.merged = p->x + p->rows * H,
                               .patches = s->watch_vision ? s->work->patches : NULL};
    for (int64_t k = 0; k < c->vision.deepstack_count; k++)
        tokens.deepstack[k] = p->deep + (k * p->rows_cap + p->rows) * H;
    ST_TRY(st_vision_read(s->work->vision, &tokens, piece->pixels, 1, piece->rows,
                          piece->columns));
    if (s->watch_vision)
        s->watch_vision(s->watch_vision_context, tokens.patches, piece->rows * piece->columns,
                        tokens.merged, tokens.deepstack, rows);

    for (int64_t r = 0; r < rows; r++) {
        int64_t *position = p->position + 3 * (p->rows + r);
        position[0] = s->at.position;
        position[1] = s->at.position + r / width;
        position[2] = s->at.position + r % width;
    }
    s->at.position += h > width ? h : width;
    p->rows += rows;
    p->visual = 1;
    return st_ok();
}

/* --- feeding ---------------------------------------------------------------------------------- */

static st_status check_piece(const st_session *s, const st_piece *p, bool video_open)
{
    const int64_t m = s->network->config.vision.merge;
    switch (p->kind) {
    case ST_PIECE_TEXT:
        return p->count < 0 ? ST_FAIL(ST_ERR_USAGE, "a text of %lld tokens", (long long)p->count)
                            : st_ok();
    case ST_PIECE_VIDEO:
        return video_open ? ST_FAIL(ST_ERR_USAGE, "a video begins inside a video") : st_ok();
    case ST_PIECE_END:
        return video_open ? st_ok() : ST_FAIL(ST_ERR_USAGE, "a video ends that never began");
    case ST_PIECE_GRID:
        if (!video_open)
            return ST_FAIL(ST_ERR_USAGE, "a grid comes before its video");
        break;
    case ST_PIECE_IMAGE:
        break;
    }
    if (p->rows < m || p->columns < m || p->rows % m != 0 || p->columns % m != 0)
        return ST_FAIL(ST_ERR_DATA, "a picture of %lld x %lld patches does not merge by %lld",
                       (long long)p->rows, (long long)p->columns, (long long)m);
    if (p->rows > s->plan.patches_max / p->columns)
        return ST_FAIL(ST_ERR_LIMIT, "a picture of %lld x %lld patches exceeds the plan's %lld",
                       (long long)p->rows, (long long)p->columns, (long long)s->plan.patches_max);
    return st_ok();
}

static int64_t rows_of(const st_session *s, const st_piece *p)
{
    const int64_t m = s->network->config.vision.merge;
    if (p->kind == ST_PIECE_TEXT)
        return p->count;
    return p->kind == ST_PIECE_GRID || p->kind == ST_PIECE_IMAGE
               ? p->rows * p->columns / (m * m)
               : 0;
}

/* Rows from a video's begin to its end, when both are among the pieces; else -1. */
static int64_t whole_video(const st_session *s, const st_piece *pieces, size_t count)
{
    int64_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        rows += rows_of(s, &pieces[i]);
        if (pieces[i].kind == ST_PIECE_END)
            return rows;
    }
    return -1;
}

static st_status feed_text(st_session *s, const st_piece *p)
{
    const bool one_by_one = s->at.answering && s->network->config.compat.reseed_pending;
    for (int64_t done = 0; done < p->count;) {
        if (s->work->in.rows >= s->plan.rows_max)
            ST_TRY(send(s));
        const int64_t room = one_by_one ? 1 : s->plan.rows_max - s->work->in.rows;
        const int64_t rows = p->count - done < room ? p->count - done : room;
        ST_TRY(add_text(s, p->ids + done, rows));
        if (one_by_one)
            ST_TRY(send(s));
        done += rows;
    }
    return st_ok();
}

/* Grids in the packet. While layers hold grids back, a packet leaves a layer with other grids than
 * it came with, but with as many: so few go together that the largest units would fit. */
static bool is_packet_full(const st_session *s, int64_t rows)
{
    const sti_packet *in = &s->work->in;
    int64_t grids = 0;
    for (int64_t i = 0; i < in->spans; i++)
        grids += in->span[i].kind == STI_SPAN_GRID;
    return in->rows + rows > s->plan.rows_max || grids > s->plan.rows_max / s->plan.unit_max;
}

/* One grid of the open video. Its size is that of the first. */
static st_status feed_grid(st_session *s, const st_piece *p, bool whole, bool last)
{
    struct sti_progress *at = &s->at;
    if (at->grid_rows == 0) {
        at->grid_rows = p->rows;
        at->grid_columns = p->columns;
    } else if (at->grid_rows != p->rows || at->grid_columns != p->columns) {
        return ST_FAIL(ST_ERR_DATA, "a grid of %lld x %lld patches in a video of %lld x %lld",
                       (long long)p->rows, (long long)p->columns, (long long)at->grid_rows,
                       (long long)at->grid_columns);
    }
    if (rows_of(s, p) > s->plan.unit_max)
        return ST_FAIL(ST_ERR_LIMIT, "a grid of %lld tokens exceeds the plan's %lld",
                       (long long)rows_of(s, p), (long long)s->plan.unit_max);
    if (!whole && is_packet_full(s, rows_of(s, p)))
        ST_TRY(send(s));
    ST_TRY(st_within(add_picture(s, p, STI_SPAN_GRID, last), "grid %lld", (long long)at->grids));
    at->grid_pending_first = 0;
    at->grids++;
    return st_ok();
}

static bool is_last_grid(const st_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].kind == ST_PIECE_GRID || pieces[i].kind == ST_PIECE_END)
            return pieces[i].kind == ST_PIECE_END;
    return false;
}

st_status st_session_feed(st_session *s, const st_piece *pieces, size_t count)
{
    bool whole = false;         /* the open video lies in one packet, its end is known */
    sti_packet_clear(&s->work->in);
    for (size_t i = 0; i < count; i++) {
        const st_piece *p = &pieces[i];
        const int64_t rows = rows_of(s, p);
        ST_TRY(st_within(check_piece(s, p, s->at.video_open), "piece %zu", i));
        switch (p->kind) {
        case ST_PIECE_TEXT:
            ST_TRY(whole ? add_text(s, p->ids, p->count) : feed_text(s, p));
            break;
        case ST_PIECE_IMAGE:
            if (!whole && s->work->in.rows + rows > s->plan.rows_max)
                ST_TRY(send(s));
            if (rows > s->plan.rows_max)
                return ST_FAIL(ST_ERR_LIMIT, "an image of %lld tokens exceeds the plan's %lld",
                               (long long)rows, (long long)s->plan.rows_max);
            ST_TRY(add_picture(s, p, STI_SPAN_IMAGE, false));
            break;
        case ST_PIECE_VIDEO: {
            const int64_t video = whole_video(s, p, count - i);
            whole = video >= 0 && video <= s->plan.rows_max;
            if (whole && s->work->in.rows + video > s->plan.rows_max)
                ST_TRY(send(s));
            s->at.video_open = s->at.grid_pending_first = 1;
            s->at.grid_rows = s->at.grid_columns = 0;
            s->at.videos++;
            break;
        }
        case ST_PIECE_GRID:
            ST_TRY(feed_grid(s, p, whole, whole && is_last_grid(p + 1, count - i - 1)));
            break;
        case ST_PIECE_END:
            if (!whole)
                ST_TRY(flush(s));
            whole = false;
            s->at.video_open = 0;
            break;
        }
    }
    return send(s);
}

/* --- asking ----------------------------------------------------------------------------------- */

st_session_state st_session_state_get(const st_session *s)
{
    st_session_state state = {.tokens = s->at.tokens, .in_flight = s->at.tokens - s->at.done,
                              .grids = s->at.grids, .videos = s->at.videos,
                              .position = s->at.position, .beyond_range = s->at.beyond_range,
                              .state_bytes = (int64_t)s->slab.size};
    for (int64_t i = s->layers - 1; i >= 0; i--)
        if (s->layer[i].hybrid)
            state.updates = s->layer[i].ttt.updates;
    return state;
}

st_status st_session_head(st_session *s, float *logits, const float *hidden, int64_t rows)
{
    const st_weights *w = s->network->weights;
    const st_text_config *c = &s->network->config.text;
    const int64_t most = s->plan.rows_max;
    for (int64_t r = 0; r < rows; r += most) {
        const int64_t T = rows - r < most ? rows - r : most;
        const st_tensor x = sti_f32_2((float *)hidden + r * c->hidden, T, c->hidden);
        st_tensor y = sti_f32_2(s->work->y, T, c->hidden);
        st_tensor out = sti_f32_2(logits + r * c->vocab, T, c->vocab);
        ST_TRY(st_rms_norm(s->network->stream, &y, &x, &w->norm, (float)c->rms_eps));
        ST_TRY(st_linear(s->network->stream, &out, &y, &w->lm_head, NULL, ST_LINEAR_SET));
    }
    return st_ok();
}

st_status st_session_logits(st_session *s, float *logits)
{
    if (s->at.tokens == 0)
        return ST_FAIL(ST_ERR_USAGE, "nothing was read yet");
    if (s->at.done < s->at.tokens)
        return ST_FAIL(ST_ERR_USAGE, "%lld tokens are in flight: end the video first",
                       (long long)(s->at.tokens - s->at.done));
    return st_session_head(s, logits, s->last, 1);
}

st_status st_session_begin_answer(st_session *s)
{
    s->at.answering = 1;
    for (int64_t i = 0; i < s->layers && s->network->config.compat.reseed_pending; i++)
        if (s->layer[i].hybrid)
            ST_TRY(sti_hybrid_reseed(s, &s->layer[i]));
    return st_ok();
}

void st_session_watch_set(st_session *s, st_session_watch *watch, void *context)
{
    s->watch = watch;
    s->watch_context = context;
}

void st_session_watch_vision_set(st_session *s, st_session_watch_vision *watch, void *context)
{
    s->watch_vision = watch;
    s->watch_vision_context = context;
}

static st_status hybrid_layer(const st_session *s, int64_t layer)
{
    if (layer < 0 || layer >= s->layers || !s->layer[layer].hybrid)
        return ST_FAIL(ST_ERR_USAGE, "layer %lld has no fast weights", (long long)layer);
    return st_ok();
}

st_status st_session_fast_weight(const st_session *s, int64_t layer, int which, float *w,
                                 float *momentum)
{
    ST_TRY(hybrid_layer(s, layer));
    ST_ASSERT(which >= 0 && which < 3);
    const st_ttt_state *t = &s->layer[layer].ttt;
    if (momentum && !t->momentum)
        return ST_FAIL(ST_ERR_USAGE, "layer %lld keeps no momentum", (long long)layer);
    static const int place[3] = {0, 2, 1};      /* a head's weights lie in the order W0, W2, W1 */
    const size_t one = (size_t)(t->rule.hidden * t->rule.width);
    for (int64_t f = 0; f < t->rule.heads; f++) {
        const size_t from = ((size_t)f * 3 + (size_t)place[which]) * one, to = (size_t)f * one;
        if (w)
            memcpy(w + to, t->weight + from, one * sizeof *w);
        if (momentum)
            memcpy(momentum + to, t->momentum + from, one * sizeof *momentum);
    }
    return st_ok();
}

st_status st_session_pending_keys(const st_session *s, int64_t layer, int64_t *count, float *keys)
{
    ST_TRY(hybrid_layer(s, layer));
    const sti_layer *l = &s->layer[layer];
    if (!l->recent.k)
        return ST_FAIL(ST_ERR_USAGE, "keys are kept under the quirk reseed_pending only");
    const st_ttt_rule *r = &l->ttt.rule;
    *count = l->ttt.summed + l->ttt.pending;
    for (int64_t f = 0; keys && f < r->heads; f++)
        for (int64_t t = 0; t < *count; t++) {
            const int64_t at = (l->seen - *count + t) % r->chunk;
            memcpy(keys + (f * *count + t) * r->width,
                   l->recent.k + (at * r->heads + f) * r->width,
                   (size_t)r->width * sizeof *keys);
        }
    return st_ok();
}

/* --- copies ----------------------------------------------------------------------------------- */

typedef struct copying {
    const st_session *from;
    st_session       *to;
} copying;

/* Slabs of one plan are laid out alike, and so are the structs: what lies at one offset here lies
 * at the same offset there. Counts were copied before. */
static st_status copy_bytes(void *context, void *bytes, size_t size)
{
    const copying *c = context;
    const unsigned char *base = c->from->slab.base, *at = bytes;
    if (at >= base && at < base + c->from->slab.size && size > 0)
        memcpy(c->to->slab.base + (at - base), bytes, size);
    return st_ok();
}

static void copy_counts(st_session *to, const st_session *from)
{
    to->at = from->at;
    for (int64_t i = 0; i < from->layers; i++) {
        sti_layer *a = &to->layer[i];
        const sti_layer *b = &from->layer[i];
        a->seen = b->seen;
        a->ttt.summed = b->ttt.summed;
        a->ttt.pending = b->ttt.pending;
        a->ttt.updates = b->ttt.updates;
        a->hold.rows.rows = b->hold.rows.rows;
        a->hold.rows.spans = b->hold.rows.spans;
        a->hold.rows.visual = b->hold.rows.visual;
        a->hold.behind_rows = b->hold.behind_rows;
        a->recent.reseed = b->recent.reseed;
    }
}

st_status st_session_copy(st_session *to, const st_session *from)
{
    if (to == from)
        return st_ok();
    if (to->network != from->network || !sti_plan_equal(&to->plan, &from->plan))
        return ST_FAIL(ST_ERR_USAGE, "sessions of different plans or networks cannot be copied");
    copying c = {from, to};
    copy_counts(to, from);
    ST_TRY(sti_session_visit((st_session *)from, copy_bytes, &c));
    for (int64_t i = 0; i < to->layers; i++)
        if (to->layer[i].hybrid)
            ST_TRY(st_ttt_state_restored(to->network->stream, &to->layer[i].ttt));
    return st_ok();
}

st_status st_session_fork(st_session **fork, st_session *parent)
{
    st_session *s;
    ST_TRY(make_state(&s, parent->network, &parent->plan));
    s->work = parent->work;
    const st_status status = st_session_copy(s, parent);
    if (status.code != ST_OK) {
        st_session_free(s);
        return status;
    }
    *fork = s;
    return st_ok();
}
