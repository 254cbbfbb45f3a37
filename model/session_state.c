/* session_state.c - the memory of a session and its workspace: planned, taken, walked. */
#include "model/session_internal.h"

static const st_model_config *config_of(const st_session *s)
{
    return &s->network->config;
}

/* Rows that a packet may have: what is fed at once, and what the layers before had held. */
static int64_t packet_rows(const st_session *s)
{
    return s->plan.rows_max + 2 * s->plan.unit_max;
}

static st_status take_packet(sti_packet *p, st_slab *slab, const st_model_config *c, int64_t rows)
{
    p->rows_cap = rows;
    ST_TRY(ST_TAKE(slab, &p->x, rows * c->text.hidden));
    ST_TRY(ST_TAKE(slab, &p->deep, c->vision.deepstack_count * rows * c->text.hidden));
    ST_TRY(ST_TAKE(slab, &p->position, 3 * rows));
    return ST_TAKE(slab, &p->span, rows);
}

static st_status take_hold(sti_hold *h, st_slab *slab, const st_session *s)
{
    const st_model_config *c = config_of(s);
    const int64_t rows = s->plan.unit_max, D = c->text.head_dim, F = c->ttt.heads;
    const int64_t grid = s->plan.patches_max / (c->vision.merge * c->vision.merge);
    ST_TRY(take_packet(&h->rows, slab, c, rows));
    ST_TRY(ST_TAKE(slab, &h->q, rows * c->text.heads * D));
    ST_TRY(ST_TAKE(slab, &h->k, rows * c->text.kv_heads * D));
    ST_TRY(ST_TAKE(slab, &h->v, rows * c->text.kv_heads * D));
    ST_TRY(ST_TAKE(slab, &h->lr, rows * 3 * F));
    ST_TRY(ST_TAKE(slab, &h->mu, rows * F));
    ST_TRY(ST_TAKE(slab, &h->scale, rows * F));
    ST_TRY(ST_TAKE(slab, &h->behind_q, grid * c->text.heads * D));
    ST_TRY(ST_TAKE(slab, &h->behind_k, grid * c->text.kv_heads * D));
    return ST_TAKE(slab, &h->behind_v, grid * c->text.kv_heads * D);
}

static st_status take_recent(sti_recent *r, st_slab *slab, const st_model_config *c)
{
    const int64_t C = c->ttt.chunk, F = c->ttt.heads, width = F * c->ttt.head_dim;
    ST_TRY(ST_TAKE(slab, &r->k, C * width));
    ST_TRY(ST_TAKE(slab, &r->v, C * width));
    ST_TRY(ST_TAKE(slab, &r->lr, C * 3 * F));
    return ST_TAKE(slab, &r->mu, C * F);
}

static st_status take_layer(sti_layer *l, st_slab *slab, const st_session *s)
{
    const st_model_config *c = config_of(s);
    if (l->hybrid)
        l->capacity = c->ttt.window + packet_rows(s);
    else if (s->plan.anchors == ST_ANCHOR_BOUNDED)
        l->capacity = s->plan.anchor_first + s->plan.anchor_recent + packet_rows(s);
    else
        l->capacity = s->plan.tokens_max;
    const int64_t row = c->text.kv_heads * c->text.head_dim;
    ST_TRY(ST_TAKE(slab, &l->k, l->capacity * row));
    ST_TRY(ST_TAKE(slab, &l->v, l->capacity * row));
    if (!l->hybrid)
        return st_ok();

    const st_ttt_rule rule = sti_hybrid_rule(c);
    ST_TRY(st_ttt_state_take(&l->ttt, slab, &rule));
    if (c->ttt.conv)
        ST_TRY(take_hold(&l->hold, slab, s));
    if (c->compat.reseed_pending)
        ST_TRY(take_recent(&l->recent, slab, c));
    return st_ok();
}

st_status sti_session_take(st_session *s)
{
    ST_TRY(ST_TAKE(&s->slab, &s->last, config_of(s)->text.hidden));
    for (int64_t i = 0; i < s->layers; i++)
        ST_TRY(take_layer(&s->layer[i], &s->slab, s));
    return st_ok();
}

static st_status take_branch(sti_workspace *w, const st_model_config *c, int64_t rows)
{
    const int64_t F = c->ttt.heads, width = F * c->ttt.head_dim;
    float **parts[] = {&w->fq, &w->fk, &w->fv, &w->fo};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        ST_TRY(ST_TAKE(&w->slab, parts[i], rows * width));
    ST_TRY(ST_TAKE(&w->slab, &w->lr, w->area * 3 * F));
    ST_TRY(ST_TAKE(&w->slab, &w->mu, w->area * F));
    ST_TRY(ST_TAKE(&w->slab, &w->scale, w->area * F));
    ST_TRY(ST_TAKE(&w->slab, &w->rate, 3 * F * rows));
    ST_TRY(ST_TAKE(&w->slab, &w->decay, F * rows));
    ST_TRY(ST_TAKE(&w->slab, &w->gain, F * rows));
    ST_TRY(ST_TAKE(&w->slab, &w->grids, w->area * 5));
    ST_TRY(ST_TAKE(&w->slab, &w->rest, w->area));
    for (int i = 0; i < 3; i++)
        ST_TRY(ST_TAKE(&w->slab, &w->birth[i], F * c->ttt.head_hidden * c->ttt.head_dim));

    w->scratch_from = w->slab.used;
    const st_ttt_rule rule = sti_hybrid_rule(c);
    if (!w->slab.base)
        ST_TRY(st_ttt_read_plan(&w->slab, &rule, rows));
    return st_ok();
}

st_status sti_workspace_take(sti_workspace *w, const st_session *s)
{
    const st_model_config *c = config_of(s);
    const int64_t rows = packet_rows(s), D = c->text.head_dim;
    const int64_t mlp = rows < STI_MLP_ROWS ? rows : STI_MLP_ROWS;
    w->area = rows + 2 * s->plan.unit_max;
    ST_TRY(take_packet(&w->in, &w->slab, c, rows));
    ST_TRY(take_packet(&w->out, &w->slab, c, rows));
    ST_TRY(ST_TAKE(&w->slab, &w->patches, s->plan.patches_max * c->vision.hidden));
    ST_TRY(ST_TAKE(&w->slab, &w->y, rows * c->text.hidden));
    ST_TRY(ST_TAKE(&w->slab, &w->q, w->area * c->text.heads * D));
    ST_TRY(ST_TAKE(&w->slab, &w->k, w->area * c->text.kv_heads * D));
    ST_TRY(ST_TAKE(&w->slab, &w->v, w->area * c->text.kv_heads * D));
    ST_TRY(ST_TAKE(&w->slab, &w->q_turned, rows * c->text.heads * D));
    ST_TRY(ST_TAKE(&w->slab, &w->k_turned, rows * c->text.kv_heads * D));
    ST_TRY(ST_TAKE(&w->slab, &w->attended, rows * c->text.heads * D));
    ST_TRY(ST_TAKE(&w->slab, &w->cosine, w->area * D / 2));
    ST_TRY(ST_TAKE(&w->slab, &w->sine, w->area * D / 2));
    ST_TRY(ST_TAKE(&w->slab, &w->axis, 3 * w->area));
    ST_TRY(ST_TAKE(&w->slab, &w->span, w->area));
    ST_TRY(ST_TAKE(&w->slab, &w->gate, mlp * c->text.intermediate));
    ST_TRY(ST_TAKE(&w->slab, &w->up, mlp * c->text.intermediate));
    w->scratch_from = w->slab.used;
    return c->ttt.hybrid_count > 0 ? take_branch(w, c, rows) : st_ok();
}

/* --- walking the state ------------------------------------------------------------------------ */

typedef struct walk {
    sti_visit *visit;
    void      *context;
} walk;

#define VISIT(w, bytes, size) ST_TRY((w)->visit((w)->context, (bytes), (size_t)(size)))

static st_status damaged(const char *what, int64_t found, int64_t most)
{
    return ST_FAIL(ST_ERR_FORMAT, "damaged: %s is %lld, expected 0 to %lld", what,
                   (long long)found, (long long)most);
}

static st_status visit_packet(walk *w, sti_packet *p, const st_model_config *c)
{
    VISIT(w, &p->rows, sizeof p->rows);
    VISIT(w, &p->spans, sizeof p->spans);
    VISIT(w, &p->visual, sizeof p->visual);
    if (p->rows < 0 || p->rows > p->rows_cap)
        return damaged("a count of held rows", p->rows, p->rows_cap);
    if (p->spans < 0 || p->spans > p->rows)
        return damaged("a count of held spans", p->spans, p->rows);
    const size_t bytes = (size_t)(p->rows * c->text.hidden) * sizeof(float);
    VISIT(w, p->x, bytes);
    for (int64_t k = 0; k < c->vision.deepstack_count; k++)
        VISIT(w, p->deep + k * p->rows_cap * c->text.hidden, bytes);
    VISIT(w, p->position, (size_t)(3 * p->rows) * sizeof *p->position);
    VISIT(w, p->span, (size_t)p->spans * sizeof *p->span);

    int64_t rows = 0;
    for (int64_t i = 0; i < p->spans; i++) {
        const sti_span *span = &p->span[i];
        const bool grid = span->kind != STI_SPAN_GRID ||
                          (span->h > 0 && span->w > 0 && (int64_t)span->h * span->w == span->rows);
        /* What is held begins with the grid that waits, and has no other. */
        if (span->kind < STI_SPAN_TEXT || span->kind > STI_SPAN_GRID || span->rows < 0 || !grid ||
            (span->kind == STI_SPAN_GRID) != (i == 0))
            return ST_FAIL(ST_ERR_FORMAT, "damaged: held span %lld makes no sense", (long long)i);
        rows += span->rows;
    }
    return rows == p->rows ? st_ok() : damaged("the rows of all held spans", rows, p->rows);
}

static st_status visit_hold(walk *w, sti_hold *h, const st_session *s)
{
    const st_model_config *c = config_of(s);
    const int64_t q = c->text.heads * c->text.head_dim, k = c->text.kv_heads * c->text.head_dim;
    const int64_t F = c->ttt.heads;
    const int64_t grid = s->plan.patches_max / (c->vision.merge * c->vision.merge);
    ST_TRY(visit_packet(w, &h->rows, c));
    const size_t rows = (size_t)h->rows.rows * sizeof(float);
    VISIT(w, h->q, rows * (size_t)q);
    VISIT(w, h->k, rows * (size_t)k);
    VISIT(w, h->v, rows * (size_t)k);
    VISIT(w, h->lr, rows * (size_t)(3 * F));
    VISIT(w, h->mu, rows * (size_t)F);
    VISIT(w, h->scale, rows * (size_t)F);

    VISIT(w, &h->behind_rows, sizeof h->behind_rows);
    if (h->behind_rows < 0 || h->behind_rows > grid)
        return damaged("the size of the grid behind", h->behind_rows, grid);
    const size_t behind = (size_t)h->behind_rows * sizeof(float);
    VISIT(w, h->behind_q, behind * (size_t)q);
    VISIT(w, h->behind_k, behind * (size_t)k);
    VISIT(w, h->behind_v, behind * (size_t)k);
    return st_ok();
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static st_status visit_hybrid(walk *w, sti_layer *l, const st_session *s)
{
    const st_model_config *c = config_of(s);
    st_ttt_state *t = &l->ttt;
    VISIT(w, &t->summed, sizeof t->summed);
    VISIT(w, &t->pending, sizeof t->pending);
    VISIT(w, &t->updates, sizeof t->updates);
    if (t->pending < 0 || t->pending > ST_TTT_PENDING)
        return damaged("a count of pending tokens", t->pending, ST_TTT_PENDING);
    if (t->summed < 0 || t->summed + t->pending > c->ttt.chunk)
        return damaged("a count of tokens in a chunk", t->summed, c->ttt.chunk);
    if (t->updates < 0)
        return damaged("a count of updates", t->updates, INT64_MAX);
    VISIT(w, t->data, t->bytes);
    if (c->ttt.conv)
        ST_TRY(visit_hold(w, &l->hold, s));
    if (c->compat.reseed_pending) {
        const size_t rows = (size_t)least(l->seen, c->ttt.chunk) * sizeof(float);
        const size_t F = (size_t)c->ttt.heads, width = F * (size_t)c->ttt.head_dim;
        VISIT(w, l->recent.k, rows * width);
        VISIT(w, l->recent.v, rows * width);
        VISIT(w, l->recent.lr, rows * 3 * F);
        VISIT(w, l->recent.mu, rows * F);
        VISIT(w, &l->recent.reseed, sizeof l->recent.reseed);
        if (l->recent.reseed != 0 &&
            (l->recent.reseed != 1 || l->seen < c->ttt.chunk || !s->at.answering))
            return damaged("whether an answer begins", l->recent.reseed, 1);
    }
    return st_ok();
}

st_status sti_session_visit(st_session *s, sti_visit *visit, void *context)
{
    const st_model_config *c = config_of(s);
    walk w = {visit, context};
    VISIT(&w, &s->at, sizeof s->at);
    VISIT(&w, s->last, (size_t)c->text.hidden * sizeof(float));
    const int64_t most = s->plan.anchors == ST_ANCHOR_UNBOUNDED ? s->plan.tokens_max
                                                                : INT64_MAX / 4;
    if (s->at.tokens < 0 || s->at.tokens > most)
        return damaged("the count of tokens", s->at.tokens, most);
    if (s->at.position < 0 || s->at.position > INT64_MAX / 4)
        return damaged("the position", s->at.position, INT64_MAX / 4);
    if (s->at.done < 0 || s->at.done > s->at.tokens)
        return damaged("the count of tokens done", s->at.done, s->at.tokens);

    const size_t row = (size_t)(c->text.kv_heads * c->text.head_dim) * sizeof(float);
    for (int64_t i = 0; i < s->layers; i++) {
        sti_layer *l = &s->layer[i];
        VISIT(&w, &l->seen, sizeof l->seen);
        if (l->seen < 0 || l->seen > s->at.tokens)
            return damaged("the count of tokens a layer saw", l->seen, s->at.tokens);
        VISIT(&w, l->k, (size_t)least(l->seen, l->capacity) * row);
        VISIT(&w, l->v, (size_t)least(l->seen, l->capacity) * row);
        if (l->hybrid)
            ST_TRY(st_within(visit_hybrid(&w, l, s), "layer %lld", (long long)i));
    }
    return st_ok();
}
