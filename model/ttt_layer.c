/* ttt_layer.c - a hybrid layer: windowed attention beside fast weights, on rows that are ready. */
#include "kernels/gates.h"
#include "kernels/prep.h"
#include "model/session_internal.h"

#include <math.h>
#include <string.h>

st_ttt_rule sti_hybrid_rule(const st_model_config *config)
{
    const st_ttt_config *t = &config->ttt;
    return (st_ttt_rule){
        .heads = t->heads, .width = t->head_dim, .hidden = t->head_hidden, .chunk = t->chunk,
        .norm = t->prenorm ? ST_TTT_PRENORM : ST_TTT_POSTNORM,
        .muon = !t->muon ? ST_TTT_MUON_OFF : t->ns_bf16 ? ST_TTT_MUON_BF16 : ST_TTT_MUON,
        .momentum = t->momentum ? ST_TTT_MOMENTUM : ST_TTT_MOMENTUM_OFF};
}

/* --- the fast weights as born ----------------------------------------------------------------- */

static float element(const st_tensor *x, int64_t i)
{
    return x->dtype == ST_BF16 ? st_f32_from_bf16(((const uint16_t *)x->data)[i])
                               : ((const float *)x->data)[i];
}

/* left right + 0.5 I, per head. */
static void multiply_low_rank(float *out, const st_tensor *left, const st_tensor *right)
{
    const int64_t F = left->shape[0], h = left->shape[1], r = left->shape[2], d = right->shape[2];
    for (int64_t f = 0; f < F; f++)
        for (int64_t i = 0; i < h; i++)
            for (int64_t j = 0; j < d; j++) {
                double sum = i == j ? 0.5 : 0.0;
                for (int64_t k = 0; k < r; k++)
                    sum += (double)element(left, (f * h + i) * r + k) *
                           element(right, (f * r + k) * d + j);
                out[(f * h + i) * d + j] = (float)sum;
            }
}

static st_tensor born(float *to, const st_tensor *full, const st_tensor *left,
                      const st_tensor *right)
{
    if (full->data) {
        const int64_t count = st_tensor_count(full);
        for (int64_t i = 0; i < count; i++)
            to[i] = element(full, i);
        return sti_f32_3(to, full->shape[0], full->shape[1], full->shape[2]);
    }
    multiply_low_rank(to, left, right);
    return sti_f32_3(to, left->shape[0], left->shape[1], right->shape[2]);
}

st_status sti_hybrid_begin(st_session *s, sti_layer *l)
{
    const st_hybrid_weights *h = &l->w->ttt;
    float *const *to = s->work->birth;
    const st_ttt_weights birth = {.w0 = born(to[0], &h->w0, &h->w0_left, &h->w0_right),
                                  .w1 = born(to[1], &h->w1, NULL, NULL),
                                  .w2 = born(to[2], &h->w2, &h->w2_left, &h->w2_right)};
    sti_packet_clear(&l->hold.rows);
    l->hold.behind_rows = 0;
    l->recent.reseed = 0;
    memset(l->ttt.data, 0, l->ttt.bytes);   /* so that equal sessions make equal files */
    return st_ttt_state_begin(s->network->stream, &l->ttt, &birth);
}

/* --- which rows are ready --------------------------------------------------------------------- */

/* One call of a layer. Rows are counted in the work area. */
typedef struct passage {
    int64_t behind, held, fresh;        /* rows of the three parts                            */
    int64_t spans, ready_spans;         /* held and new spans together, those that go on      */
    int64_t ready;                      /* rows that go on                                    */
    int64_t last_grid;                  /* index of the last ready grid's span, or -1         */
    int64_t last_grid_row;              /* its first area row                                 */
} passage;

/* Only the last grid can lack a neighbour. It waits for one, with all rows behind it, unless its
 * video is known to end with it or the session does not look ahead. */
static void find_ready(passage *g, const sti_span *span, bool look_ahead)
{
    int64_t cut = g->spans;
    for (int64_t i = g->spans - 1; look_ahead && i >= 0; i--)
        if (span[i].kind == STI_SPAN_GRID) {
            cut = span[i].last ? g->spans : i;
            break;
        }
    g->ready_spans = cut;
    g->ready = 0;
    g->last_grid = -1;
    for (int64_t i = 0; i < cut; i++) {
        if (span[i].kind == STI_SPAN_GRID) {
            g->last_grid = i;
            g->last_grid_row = g->behind + g->ready;
        }
        g->ready += span[i].rows;
    }
}

/* When a video ends, its last grid makes everything ready that it passes: one grid more a layer,
 * until a packet is full. Then it waits here as if the end were not known, and the flush, which
 * goes on layer by layer, calls it again. */
static bool unmark_last(sti_span *span, int64_t spans)
{
    for (int64_t i = spans - 1; i >= 0; i--)
        if (span[i].kind == STI_SPAN_GRID && span[i].last) {
            span[i].last = 0;
            return true;
        }
    return false;
}

/* Rows of ready grids with their neighbours, and the rows outside. */
static void list_rows(sti_workspace *w, int64_t *grids, int64_t *rest, const passage *g)
{
    st_grid *grid = (st_grid *)w->grids;
    *grids = *rest = 0;
    int64_t row = g->behind, before = 0;
    for (int64_t i = 0; i < g->ready_spans; row += w->span[i].rows, i++) {
        const sti_span *span = &w->span[i];
        if (span->kind != STI_SPAN_GRID) {
            for (int64_t r = 0; r < span->rows; r++)
                w->rest[(*rest)++] = (int32_t)(row + r);
            continue;
        }
        int64_t after = row, next = row + span->rows;
        for (int64_t k = i + 1; k < g->spans && !span->last; next += w->span[k].rows, k++)
            if (w->span[k].kind == STI_SPAN_GRID) {
                after = next;
                break;
            }
        grid[(*grids)++] = (st_grid){(int32_t)row, span->h, span->w,
                                     (int32_t)(span->first ? row : before), (int32_t)after};
        before = row;
    }
}

/* --- the work area ---------------------------------------------------------------------------- */

typedef struct lane {
    float  *area, *hold, *behind;
    int64_t width;
} lane;

enum { LANES = 6, MIXED_LANES = 3 };        /* q, k, v are mixed over grids; gates are not */

static void lanes_get(lane lanes[LANES], const st_session *s, sti_layer *l)
{
    const st_model_config *c = &s->network->config;
    const int64_t D = c->text.head_dim, F = c->ttt.heads;
    const sti_workspace *w = s->work;
    sti_hold *h = &l->hold;
    lanes[0] = (lane){w->q, h->q, h->behind_q, c->text.heads * D};
    lanes[1] = (lane){w->k, h->k, h->behind_k, c->text.kv_heads * D};
    lanes[2] = (lane){w->v, h->v, h->behind_v, c->text.kv_heads * D};
    lanes[3] = (lane){w->lr, h->lr, NULL, 3 * F};
    lanes[4] = (lane){w->mu, h->mu, NULL, F};
    lanes[5] = (lane){w->scale, h->scale, NULL, F};
}

static void copy_rows(float *to, const float *from, int64_t rows, int64_t width)
{
    if (rows > 0)
        memmove(to, from, (size_t)(rows * width) * sizeof *to);
}

/* The rate's offset stands in the kernel for a base of 0.001; another base moves it. */
static float rate_shift(double base_lr)
{
    if (base_lr == 0.001)
        return 0.0f;
    return (float)(base_lr + log(-expm1(-base_lr)) - ST_GATE_RATE_BETA);
}

/* Project the packet's rows into the area behind the held ones, and put what was held in front. */
static st_status fill_area(st_session *s, sti_layer *l, const passage *g)
{
    const st_model_config *c = &s->network->config;
    const sti_workspace *w = s->work;
    const int64_t F = c->ttt.heads, at = g->behind + g->held;
    lane lanes[LANES];
    lanes_get(lanes, s, l);
    for (int i = 0; i < LANES; i++) {
        copy_rows(lanes[i].area + g->behind * lanes[i].width, lanes[i].hold, g->held,
                  lanes[i].width);
        if (i < MIXED_LANES)
            copy_rows(lanes[i].area, lanes[i].behind, g->behind, lanes[i].width);
    }
    if (g->fresh == 0)
        return st_ok();

    st_stream *q = s->network->stream;
    const st_tensor x = sti_f32_2(w->in.x, g->fresh, c->text.hidden);
    st_tensor y = sti_f32_2(w->y, g->fresh, c->text.hidden);
    ST_TRY(st_rms_norm(q, &y, &x, &l->w->input_norm, (float)c->text.rms_eps));
    ST_TRY(sti_layer_project(s, l, &y, at));
    st_tensor lr = sti_f32_2(w->lr + at * 3 * F, g->fresh, 3 * F);
    st_tensor mu = sti_f32_2(w->mu + at * F, g->fresh, F);
    st_tensor scale = sti_f32_2(w->scale + at * F, g->fresh, F);
    ST_TRY(sti_linear(q, &lr, &y, &l->w->ttt.lr, ST_LINEAR_SET));
    const float shift = rate_shift(c->ttt.base_lr);
    for (int64_t i = 0; shift != 0.0f && i < g->fresh * 3 * F; i++)
        ((float *)lr.data)[i] += shift;
    if (c->ttt.momentum)
        ST_TRY(sti_linear(q, &mu, &y, &l->w->ttt.momentum, ST_LINEAR_SET));
    return c->ttt.learned_scale ? sti_linear(q, &scale, &y, &l->w->ttt.scale, ST_LINEAR_SET)
                                : st_ok();
}

/* --- what the fast weights say ---------------------------------------------------------------- */

static st_status prepare(st_session *s, sti_layer *l, const passage *g)
{
    const st_model_config *c = &s->network->config;
    sti_workspace *w = s->work;
    const st_hybrid_weights *h = &l->w->ttt;
    const int64_t D = c->text.head_dim, F = c->ttt.heads, d = c->ttt.head_dim, R = g->ready;
    const int64_t T = g->behind + g->held + g->fresh, C = c->text.heads * D;

    int64_t grids, rest;
    list_rows(w, &grids, &rest, g);
    const st_tensor grid = {.data = w->grids, .shape = {grids, ST_GRID_INTS}, .rank = 2,
                            .dtype = ST_I32};
    const st_tensor others = {.data = w->rest, .shape = {rest}, .rank = 1, .dtype = ST_I32};
    const st_tensor cosine = sti_f32_2(w->cosine, T, D / 2), sine = sti_f32_2(w->sine, T, D / 2);
    const st_prep_tokens tokens = {.grids = &grid, .rest = &others, .first = g->behind,
                                   .cosine = c->ttt.rope ? &cosine : NULL,
                                   .sine = c->ttt.rope ? &sine : NULL,
                                   .value = c->ttt.silu_on_v ? ST_PREP_VALUE_SILU
                                                             : ST_PREP_VALUE_PLAIN,
                                   .squash = c->ttt.qkv_silu ? ST_PREP_SQUASH_SILU
                                                             : ST_PREP_SQUASH_NONE};

    st_prep_weights weights = {.q_scale = &h->q_scale, .q_offset = &h->q_offset,
                               .k_scale = &h->k_scale, .k_offset = &h->k_offset};
    st_tensor conv[3];
    if (c->ttt.conv) {
        conv[0] = sti_reshaped(&h->conv_q, C, ST_CONV_TAPS);
        conv[1] = sti_reshaped(&h->conv_k, C, ST_CONV_TAPS);
        conv[2] = sti_reshaped(&h->conv_v, C, ST_CONV_TAPS);
        weights.q_conv = &conv[0];
        weights.k_conv = &conv[1];
        weights.v_conv = &conv[2];
    }
    const st_tensor q = sti_f32_3(w->q, T, c->text.heads, D);
    const st_tensor k = sti_f32_3(w->k, T, c->text.kv_heads, D);
    const st_tensor v = sti_f32_3(w->v, T, c->text.kv_heads, D);
    st_tensor fq = sti_f32_3(w->fq, F, R, d), fk = sti_f32_3(w->fk, F, R, d);
    st_tensor fv = sti_f32_3(w->fv, F, R, d);
    ST_TRY(st_prep_forward(s->network->stream, &fq, &fk, &fv, &q, &k, &v, &weights, &tokens));

    const int64_t at = g->behind;
    const st_tensor lr_z = sti_f32_2(w->lr + at * 3 * F, R, 3 * F);
    const st_tensor mu_z = sti_f32_2(w->mu + at * F, R, F);
    const st_tensor scale_z = sti_f32_2(w->scale + at * F, R, F);
    st_tensor rate = sti_f32_3(w->rate, 3, F, R), decay = sti_f32_2(w->decay, F, R);
    st_tensor gain = sti_f32_2(w->gain, F, R);
    ST_TRY(st_gates_forward(s->network->stream, &rate, c->ttt.momentum ? &decay : NULL, &gain,
                            &lr_z, c->ttt.momentum ? &mu_z : NULL, &scale_z));
    for (int64_t i = 0; !c->ttt.learned_scale && i < F * R; i++)
        w->gain[i] = 1.0f;
    return st_ok();
}

static st_ttt_tokens tokens_of(const sti_workspace *w, const st_model_config *c, int64_t rows)
{
    const int64_t F = c->ttt.heads, d = c->ttt.head_dim;
    return (st_ttt_tokens){.q = sti_f32_3(w->fq, F, rows, d), .k = sti_f32_3(w->fk, F, rows, d),
                           .v = sti_f32_3(w->fv, F, rows, d), .lr = sti_f32_3(w->rate, 3, F, rows),
                           .mu = sti_f32_2(w->decay, F, rows)};
}

static st_status read_rows(st_session *s, sti_layer *l, int64_t rows)
{
    const st_model_config *c = &s->network->config;
    sti_workspace *w = s->work;
    const st_ttt_tokens tokens = tokens_of(w, c, rows);
    st_tensor out = sti_f32_3(w->fo, c->ttt.heads, rows, c->ttt.head_dim);
    w->slab.used = w->scratch_from;
    return st_ttt_read(s->network->stream, &out, &l->ttt, &tokens, &w->slab);
}

/* --- quirks Q3 and Q4 ------------------------------------------------------------------------- */

typedef enum recent_way { RECENT_KEEP, RECENT_RECALL } recent_way;

/* What the branch holds of tokens token .. token+rows-1, into the ring or back out of it. */
static void recent_move(st_session *s, sti_layer *l, int64_t token, int64_t rows, recent_way way)
{
    const bool out = way == RECENT_RECALL;
    const st_model_config *c = &s->network->config;
    sti_workspace *w = s->work;
    const int64_t F = c->ttt.heads, d = c->ttt.head_dim, C = c->ttt.chunk;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = (token + r) % C;
        for (int64_t f = 0; f < F; f++) {
            float *ring[2] = {l->recent.k + (at * F + f) * d, l->recent.v + (at * F + f) * d};
            float *area[2] = {w->fk + (f * rows + r) * d, w->fv + (f * rows + r) * d};
            for (int i = 0; i < 2; i++)
                memcpy(out ? area[i] : ring[i], out ? ring[i] : area[i], (size_t)d * sizeof(float));
            for (int j = 0; j < 3; j++) {
                float *kept = &l->recent.lr[(at * F + f) * 3 + j];
                float *used = &w->rate[(j * F + f) * rows + r];
                *(out ? used : kept) = *(out ? kept : used);
            }
            float *kept = &l->recent.mu[at * F + f], *used = &w->decay[f * rows + r];
            *(out ? used : kept) = *(out ? kept : used);
        }
    }
}

static void forget_chunk(sti_layer *l)
{
    const st_ttt_rule *r = &l->ttt.rule;
    memset(l->ttt.gradient, 0, (size_t)(3 * r->heads * r->hidden * r->width) * sizeof(float));
    memset(l->ttt.mu_sum, 0, (size_t)r->heads * sizeof(float));
    l->ttt.summed = l->ttt.pending = 0;
}

st_status sti_hybrid_reseed(st_session *s, sti_layer *l)
{
    /* With fewer tokens than a chunk all of them are pending already, and nothing differs. */
    l->recent.reseed = l->seen >= s->network->config.ttt.chunk;
    return st_ok();
}

/* The first answered token: it is read with the weights as they are; then the last C tokens before
 * it, written once already, are written again; then the token itself waits for the next update. */
static st_status read_reseeding(st_session *s, sti_layer *l, int64_t token)
{
    const st_model_config *c = &s->network->config;
    sti_workspace *w = s->work;
    const int64_t F = c->ttt.heads, d = c->ttt.head_dim, C = c->ttt.chunk;
    const int64_t most = s->plan.rows_max;
    float *answer = w->q_turned;            /* (F,1,d): no longer needed by attention */
    float *kept = w->gate;                  /* k, v, rates and gate of the token      */
    ST_ASSERT(2 * F * d + 4 * F <= STI_MLP_ROWS * c->text.intermediate);

    memcpy(kept, w->fk, (size_t)(F * d) * sizeof(float));
    memcpy(kept + F * d, w->fv, (size_t)(F * d) * sizeof(float));
    memcpy(kept + 2 * F * d, w->rate, (size_t)(3 * F) * sizeof(float));
    memcpy(kept + 2 * F * d + 3 * F, w->decay, (size_t)F * sizeof(float));

    forget_chunk(l);                        /* so that reading makes no update */
    ST_TRY(read_rows(s, l, 1));
    memcpy(answer, w->fo, (size_t)(F * d) * sizeof(float));

    forget_chunk(l);
    for (int64_t t = 0; t < C; t += most) {
        const int64_t rows = C - t < most ? C - t : most;
        recent_move(s, l, token - C + t, rows, RECENT_RECALL);
        memset(w->fq, 0, (size_t)(F * rows * d) * sizeof(float));
        ST_TRY(read_rows(s, l, rows));
    }

    memcpy(w->fk, kept, (size_t)(F * d) * sizeof(float));
    memcpy(w->fv, kept + F * d, (size_t)(F * d) * sizeof(float));
    memcpy(w->rate, kept + 2 * F * d, (size_t)(3 * F) * sizeof(float));
    memcpy(w->decay, kept + 2 * F * d + 3 * F, (size_t)F * sizeof(float));
    ST_TRY(read_rows(s, l, 1));             /* makes the extra update, then writes the token */
    memcpy(w->fo, answer, (size_t)(F * d) * sizeof(float));
    l->recent.reseed = C == 1;      /* a waiting token is a full chunk then: each begins so */
    return st_ok();
}

/* --- the layer -------------------------------------------------------------------------------- */

/* The packet that goes on: the first rows of what was held and what is new. */
static void fill_out(st_session *s, sti_layer *l, const passage *g)
{
    const int64_t H = s->network->config.text.hidden;
    const int64_t K = s->network->config.vision.deepstack_count;
    sti_workspace *w = s->work;
    if (g->held == 0 && g->ready == g->fresh) {     /* all of it: change places instead */
        const sti_packet in = w->in;
        w->in = w->out;
        w->out = in;
        return;
    }
    sti_packet_clear(&w->out);
    const int64_t from_held = g->ready < g->held ? g->ready : g->held;
    sti_packet_add_rows(&w->out, &l->hold.rows, 0, from_held, H, K);
    sti_packet_add_rows(&w->out, &w->in, 0, g->ready - from_held, H, K);
    memcpy(w->out.span, w->span, (size_t)g->ready_spans * sizeof *w->span);
    w->out.spans = g->ready_spans;
}

/* What stays: the last ready grid for its neighbour, and the rows that are not ready. Either all
 * that was held has gone, or nothing has, because what is held begins with the waiting grid. */
static st_status keep_rest(st_session *s, sti_layer *l, const passage *g)
{
    const int64_t H = s->network->config.text.hidden;
    const int64_t K = s->network->config.vision.deepstack_count;
    sti_workspace *w = s->work;
    sti_hold *hold = &l->hold;
    lane lanes[LANES];
    lanes_get(lanes, s, l);

    if (g->last_grid >= 0) {
        const sti_span *span = &w->span[g->last_grid];
        hold->behind_rows = span->last ? 0 : span->rows;
        for (int i = 0; i < MIXED_LANES; i++)
            copy_rows(lanes[i].behind, lanes[i].area + g->last_grid_row * lanes[i].width,
                      hold->behind_rows, lanes[i].width);
    }

    const int64_t rest = g->held + g->fresh - g->ready;
    if (rest > hold->rows.rows_cap)
        return ST_FAIL(ST_ERR_LIMIT,
                       "a grid and the text behind it have %lld tokens, the plan allows %lld",
                       (long long)rest, (long long)hold->rows.rows_cap);
    ST_ASSERT(g->ready == 0 || g->ready >= g->held);
    if (g->ready > 0)
        sti_packet_clear(&hold->rows);
    const int64_t from_in = g->ready > g->held ? g->ready - g->held : 0;
    const int64_t kept = hold->rows.rows, more = g->fresh - from_in;
    sti_packet_add_rows(&hold->rows, &w->in, from_in, more, H, K);
    for (int i = 0; i < LANES; i++)
        copy_rows(lanes[i].hold + kept * lanes[i].width,
                  lanes[i].area + (g->behind + g->held + from_in) * lanes[i].width, more,
                  lanes[i].width);
    hold->rows.spans = g->spans - g->ready_spans;
    memcpy(hold->rows.span, w->span + g->ready_spans,
           (size_t)hold->rows.spans * sizeof *w->span);
    return st_ok();
}

/* Measure what is there, lay the spans side by side, and decide what goes on. */
static st_status measure(st_session *s, sti_layer *l, passage *g)
{
    sti_workspace *w = s->work;
    const sti_packet *held = &l->hold.rows, *in = &w->in;
    const bool look_ahead = sti_has_conv(s) && s->plan.lookahead == ST_LOOKAHEAD_EXACT;
    *g = (passage){.behind = l->hold.behind_rows, .held = held->rows, .fresh = in->rows,
                   .spans = held->spans + in->spans};
    ST_ASSERT(g->behind + g->held + g->fresh <= w->area && g->spans <= w->area);
    if (held->spans > 0)
        memcpy(w->span, held->span, (size_t)held->spans * sizeof *w->span);
    memcpy(w->span + held->spans, in->span, (size_t)in->spans * sizeof *w->span);
    find_ready(g, w->span, look_ahead);
    if (g->ready > w->out.rows_cap && held->spans > 0 && unmark_last(w->span, g->spans))
        find_ready(g, w->span, look_ahead);
    if (g->ready > w->out.rows_cap)
        return ST_FAIL(ST_ERR_LIMIT, "%lld tokens are ready at once, the plan allows %lld",
                       (long long)g->ready, (long long)w->out.rows_cap);
    return st_ok();
}

st_status sti_hybrid_run(st_session *s, sti_layer *l)
{
    const st_model_config *c = &s->network->config;
    sti_workspace *w = s->work;
    passage g;
    ST_TRY(measure(s, l, &g));
    ST_TRY(fill_area(s, l, &g));
    fill_out(s, l, &g);                     /* reads what was held, */
    if (sti_has_conv(s))
        ST_TRY(keep_rest(s, l, &g));        /* which this overwrites */
    if (g.ready == 0)
        return st_ok();

    const int64_t token = l->seen;
    ST_TRY(sti_layer_tables(s, g.behind, w->out.position, g.ready));
    ST_TRY(sti_layer_attend(s, l, g.behind, g.ready));
    ST_TRY(prepare(s, l, &g));
    if (l->recent.reseed) {
        if (g.ready != 1)
            return ST_FAIL(ST_ERR_USAGE, "under the quirk reseed_pending an answer begins with a "
                           "token, not with %lld rows", (long long)g.ready);
        ST_TRY(read_reseeding(s, l, token));
    } else {
        ST_TRY(read_rows(s, l, g.ready));
        if (c->compat.reseed_pending && s->at.answering) {  /* that program updates at once */
            w->slab.used = w->scratch_from;
            ST_TRY(st_ttt_settle(s->network->stream, &l->ttt, &w->slab));
        }
    }
    if (c->compat.reseed_pending)
        recent_move(s, l, token, g.ready, RECENT_KEEP);

    st_tensor mixed = sti_f32_2(w->attended, g.ready, c->text.heads * c->text.head_dim);
    const st_tensor read = sti_f32_3(w->fo, c->ttt.heads, g.ready, c->ttt.head_dim);
    const st_tensor gain = sti_f32_2(w->gain, c->ttt.heads, g.ready);
    ST_TRY(st_readout_forward(s->network->stream, &mixed, &mixed, &read, &l->w->ttt.norm, &gain));
    return sti_layer_finish(s, l, &w->out, &mixed);
}
