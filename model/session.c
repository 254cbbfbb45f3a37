/* session.c - making sessions, asking them, copying them. Feeding is in session_feed.c. */
#include "kernels/base/limits.h"
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
    s->at = (struct sti_progress){.clock_ms = -1};
    memset(s->last, 0, (size_t)s->network->config.text.hidden * sizeof *s->last);
    for (int64_t i = 0; i < s->layers; i++) {
        s->layer[i].seen = 0;
        if (s->layer[i].hybrid)
            ST_TRY(sti_hybrid_begin(s, &s->layer[i]));
    }
    return st_ok();
}

/* --- asking ----------------------------------------------------------------------------------- */

st_session_state st_session_state_get(const st_session *s)
{
    st_session_state state = {.tokens = s->at.tokens, .in_flight = s->at.tokens - s->at.done,
                              .grids = s->at.grids, .videos = s->at.videos,
                              .position = s->at.position, .beyond_range = s->at.beyond_range,
                              .video_open = s->at.video_open,
                              .state_bytes = (int64_t)s->slab.size};
    for (int64_t i = s->layers - 1; i >= 0; i--)
        if (s->layer[i].hybrid)
            state.updates = s->layer[i].ttt.updates;
    return state;
}

int64_t st_session_clock_ms(const st_session *s)
{
    return s->at.clock_ms;
}

void st_session_clock_set(st_session *s, int64_t clock_ms)
{
    s->at.clock_ms = clock_ms;
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
