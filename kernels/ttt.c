/* ttt.c - the schedule of the fast-weight operator: checks, chunks, and which body runs.
 *
 * Reading, streaming and training all come down to three steps: run (apply and add up gradients),
 * fire (the update) and append (keep single tokens for later). The bodies in ttt_host.c and
 * ttt_device.cu know these; when to take which step is decided here, once.
 */
#include "kernels/ttt_internal.h"

#include "kernels/base/arena.h"

int64_t st_ttt_update_count(int64_t count, int64_t chunk)
{
    ST_ASSERT(count >= 0 && chunk >= 1);
    const int64_t chunks = (count + chunk - 1) / chunk;
    return chunks > 1 ? chunks - 1 : 0;
}

/* --- checks ------------------------------------------------------------------------------- */

static st_status check_rule(const st_ttt_rule *r)
{
    if (r->heads < 1 || r->width < 1 || r->hidden < 1 || r->chunk < 1)
        return ST_FAIL(ST_ERR_USAGE, "fast weights need at least 1 head, width, hidden and chunk, "
                       "not %lld, %lld, %lld, %lld", (long long)r->heads, (long long)r->width,
                       (long long)r->hidden, (long long)r->chunk);
    return st_ok();
}

static st_status check(const st_tensor *x, const char *name, st_place place, st_dtype dtype,
                       int rank, const int64_t *shape)
{
    ST_TRY(st_tensor_expect(x, name, dtype, rank, shape));
    if (x->place != place)
        return ST_FAIL(ST_ERR_USAGE, "%s must be on the %s, like its stream", name,
                       place == ST_PLACE_HOST ? "host" : "device");
    return st_ok();
}

#define CHECK(x, name, dtype, ...)                                                                \
    ST_TRY(check((x), (name), place, (dtype),                                                     \
                 (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                       \
                 (const int64_t[]){__VA_ARGS__}))

static st_status check_weights(const st_tensor *w0, const st_tensor *w1, const st_tensor *w2,
                               const st_ttt_rule *r, st_place place)
{
    CHECK(w0, "w0", ST_F32, r->heads, r->hidden, r->width);
    CHECK(w1, "w1", ST_F32, r->heads, r->width, r->hidden);
    CHECK(w2, "w2", ST_F32, r->heads, r->hidden, r->width);
    return st_ok();
}

static st_status check_tokens(const st_ttt_tokens *t, const st_ttt_rule *r, st_place place)
{
    const int64_t count = t->q.rank == 3 ? t->q.shape[1] : -1;
    const st_dtype dtype = sti_ttt_dtype(r, place);
    CHECK(&t->q, "q", dtype, r->heads, count, r->width);
    CHECK(&t->k, "k", dtype, r->heads, count, r->width);
    CHECK(&t->v, "v", dtype, r->heads, count, r->width);
    CHECK(&t->lr, "lr", ST_F32, 3, r->heads, count);
    if (r->momentum == ST_TTT_MOMENTUM)
        CHECK(&t->mu, "mu", ST_F32, r->heads, count);
    return st_ok();
}

static st_status check_borders(const st_ttt_borders *b, int64_t count)
{
    if (b->count < 0 || b->border[0] != 0 || b->border[b->count] != count)
        return ST_FAIL(ST_ERR_USAGE, "%lld borders must run from 0 to %lld tokens",
                       (long long)b->count, (long long)count);
    for (int64_t i = 0; i < b->count; i++)
        if (b->border[i] > b->border[i + 1])
            return ST_FAIL(ST_ERR_USAGE, "border %lld is %lld, behind the next one, %lld",
                           (long long)i, (long long)b->border[i], (long long)b->border[i + 1]);
    return st_ok();
}

/* --- views -------------------------------------------------------------------------------- */

static const void *at(const st_tensor *x, int64_t element)
{
    return (const unsigned char *)x->data + element * (int64_t)st_dtype_size(x->dtype);
}

static void *at_out(st_tensor *x, int64_t element)
{
    return (unsigned char *)x->data + element * (int64_t)st_dtype_size(x->dtype);
}

/* Tokens [from, from + count). */
static sti_ttt_view view(const st_ttt_tokens *t, st_tensor *out, const st_ttt_rule *r,
                         int64_t from, int64_t count)
{
    const int64_t all = t->q.shape[1], row = from * r->width;
    sti_ttt_view x = {.q = at(&t->q, row), .k = at(&t->k, row), .v = at(&t->v, row),
                      .out = out ? at_out(out, row) : NULL,
                      .count = count, .head_step = all * r->width, .gate_step = all};
    for (int j = 0; j < 3; j++)
        x.lr[j] = (const float *)t->lr.data + j * r->heads * all + from;
    if (r->momentum == ST_TTT_MOMENTUM)
        x.mu = (const float *)t->mu.data + from;
    return x;
}

static sti_ttt_view pending_view(const st_ttt_state *s)
{
    sti_ttt_view x = {.k = s->pending_k, .v = s->pending_v, .mu = s->pending_mu,
                      .count = s->pending, .head_step = ST_TTT_PENDING * s->rule.width,
                      .gate_step = ST_TTT_PENDING};
    for (int j = 0; j < 3; j++)
        x.lr[j] = s->pending_lr + j * s->rule.heads * ST_TTT_PENDING;
    return x;
}

/* --- one step, where the stream is -------------------------------------------------------- */

static st_status run(st_stream *q, st_ttt_state *s, const sti_ttt_view *x, unsigned work,
                     st_slab *scratch)
{
    if (s->place == ST_PLACE_DEVICE)
        ST_TRY(sti_ttt_run_device(q, s, x, work, scratch));
    else
        ST_TRY(sti_ttt_run_host(s, x, work, scratch));
    if (work & STI_TTT_WRITE)
        s->summed += x->count;
    return st_ok();
}

static st_status flush(st_stream *q, st_ttt_state *s, st_slab *scratch)
{
    if (s->pending == 0)
        return st_ok();
    const sti_ttt_view x = pending_view(s);
    ST_TRY(run(q, s, &x, STI_TTT_WRITE, scratch));
    s->pending = 0;
    return st_ok();
}

static st_status append(st_stream *q, st_ttt_state *s, const sti_ttt_view *x, st_slab *scratch)
{
    if (s->pending + x->count > ST_TTT_PENDING)
        ST_TRY(flush(q, s, scratch));
    if (s->place == ST_PLACE_DEVICE)
        ST_TRY(sti_ttt_append_device(q, s, x));
    else
        ST_TRY(sti_ttt_append_host(s, x));
    s->pending += x->count;
    return st_ok();
}

static st_status fire(st_stream *q, st_ttt_state *s, const sti_ttt_slot *slot, st_slab *scratch)
{
    ST_ASSERT(s->summed == s->rule.chunk && s->pending == 0);
    if (s->place == ST_PLACE_DEVICE)
        ST_TRY(sti_ttt_fire_device(q, s, slot, scratch));
    else
        ST_TRY(sti_ttt_fire_host(s, slot, scratch));
    s->summed = 0;
    s->updates++;
    return st_ok();
}

/* --- streaming ---------------------------------------------------------------------------- */

st_status st_ttt_state_take(st_ttt_state *state, st_slab *slab, const st_ttt_rule *rule)
{
    ST_TRY(check_rule(rule));
    st_ttt_state s = {.rule = *rule, .place = slab->place};
    const size_t from = slab->used;
    const size_t token_bytes = st_dtype_size(sti_ttt_dtype(rule, slab->place));
    const int64_t waiting = rule->heads * ST_TTT_PENDING;

    /* Sums, momentum and the rest of the saved part stand first, in one run. */
    ST_TRY(ST_TAKE(slab, &s.weight, sti_ttt_all(rule)));
    if (rule->norm == ST_TTT_PRENORM)
        ST_TRY(ST_TAKE(slab, &s.walk, sti_ttt_all(rule)));
    if (rule->momentum == ST_TTT_MOMENTUM)
        ST_TRY(ST_TAKE(slab, &s.momentum, sti_ttt_all(rule)));
    ST_TRY(ST_TAKE(slab, &s.gradient, sti_ttt_all(rule)));
    ST_TRY(ST_TAKE(slab, &s.length, rule->heads * sti_ttt_rows(rule)));
    ST_TRY(ST_TAKE(slab, &s.mu_sum, rule->heads));
    ST_TRY(st_slab_take(slab, &s.pending_k, (size_t)(waiting * rule->width), token_bytes, "k"));
    ST_TRY(st_slab_take(slab, &s.pending_v, (size_t)(waiting * rule->width), token_bytes, "v"));
    ST_TRY(ST_TAKE(slab, &s.pending_lr, 3 * waiting));
    ST_TRY(ST_TAKE(slab, &s.pending_mu, waiting));
    s.data = (unsigned char *)s.weight;
    s.bytes = slab->used - from;
    if (slab->place == ST_PLACE_DEVICE)
        ST_TRY(st_slab_take(slab, &s.narrow, (size_t)sti_ttt_all(rule), token_bytes,
                            "narrow weights"));
    *state = s;
    return st_ok();
}

/* What will be read; the rest is as it was, momentum too until the first update makes it. */
static st_status begin(st_stream *q, st_ttt_state *state, const st_ttt_weights *weights)
{
    ST_TRY(check_weights(&weights->w0, &weights->w1, &weights->w2, &state->rule, state->place));
    state->summed = state->pending = state->updates = 0;
    return state->place == ST_PLACE_DEVICE ? sti_ttt_begin_device(q, state, weights)
                                           : sti_ttt_begin_host(state, weights);
}

st_status st_ttt_state_begin(st_stream *q, st_ttt_state *state, const st_ttt_weights *weights)
{
    /* Defined from the first byte on, so that two equal memories are equal files. */
    ST_TRY(st_fill_bytes(q, state->data, 0, state->bytes));
    return begin(q, state, weights);
}

st_status st_ttt_state_restored(st_stream *q, st_ttt_state *state)
{
    const int64_t held = state->summed + state->pending;
    if (state->summed < 0 || state->pending < 0 || state->pending > ST_TTT_PENDING ||
        held > state->rule.chunk || state->updates < 0)
        return ST_FAIL(ST_ERR_DATA, "a fast-weight state cannot hold %lld + %lld tokens of a chunk "
                       "of %lld after %lld updates", (long long)state->summed,
                       (long long)state->pending, (long long)state->rule.chunk,
                       (long long)state->updates);
    return state->place == ST_PLACE_DEVICE ? sti_ttt_narrow_device(q, state) : st_ok();
}

st_status st_ttt_settle(st_stream *q, st_ttt_state *state, st_slab *scratch)
{
    const sti_ttt_slot untaped = {0};
    if (state->summed + state->pending < state->rule.chunk)
        return st_ok();
    ST_TRY(flush(q, state, scratch));
    return fire(q, state, &untaped, scratch);
}

st_status st_ttt_read(st_stream *q, st_tensor *out, st_ttt_state *state,
                      const st_ttt_tokens *tokens, st_slab *scratch)
{
    const st_ttt_rule *r = &state->rule;
    const st_place place = state->place;
    ST_TRY(check_tokens(tokens, r, place));
    const int64_t all = tokens->q.shape[1];
    CHECK(out, "out", sti_ttt_dtype(r, place), r->heads, all, r->width);

    for (int64_t from = 0; from < all;) {
        ST_TRY(st_ttt_settle(q, state, scratch));
        const int64_t room = r->chunk - state->summed - state->pending;
        const int64_t count = all - from < room ? all - from : room;
        const sti_ttt_view x = view(tokens, out, r, from, count);
        if (count < ST_TTT_PENDING) {
            ST_TRY(run(q, state, &x, STI_TTT_APPLY, scratch));
            ST_TRY(append(q, state, &x, scratch));
        } else {
            ST_TRY(run(q, state, &x, STI_TTT_APPLY | STI_TTT_WRITE, scratch));
        }
        from += count;
    }
    return st_ok();
}

/* --- whole sequences ---------------------------------------------------------------------- */

sti_ttt_slot sti_ttt_slot_get(const st_ttt_tape *t, const st_ttt_rule *r, int64_t slot)
{
    const int64_t all = sti_ttt_all(r), rows = r->heads * sti_ttt_rows(r);
    const int64_t bytes = (int64_t)st_dtype_size(sti_ttt_dtype(r, ST_PLACE_DEVICE));
    sti_ttt_slot s = {.weight = t->weight + slot * all,
                      .momentum = t->momentum + slot * all,
                      .row_norm = t->row_norm + slot * rows,
                      .mu_mean = t->mu_mean + slot * r->heads};
    if (t->narrow)
        s.narrow = (unsigned char *)t->narrow + slot * all * bytes;
    if (t->muon) {
        s.muon = (unsigned char *)t->muon + slot * sti_ttt_muon_tape(r) * bytes;
        s.scale = t->scale + slot * 3 * r->heads;
    }
    return s;
}

st_status st_ttt_tape_take(st_ttt_tape *tape, st_slab *slab, const st_ttt_rule *rule,
                           const st_ttt_borders *borders)
{
    ST_TRY(check_rule(rule));
    st_ttt_tape t = {.slots = 1};
    for (int64_t i = 0; i < borders->count; i++)
        t.slots += st_ttt_update_count(borders->border[i + 1] - borders->border[i], rule->chunk);

    const int64_t all = sti_ttt_all(rule), rows = rule->heads * sti_ttt_rows(rule);
    ST_TRY(ST_TAKE(slab, &t.weight, t.slots * all));
    ST_TRY(ST_TAKE(slab, &t.momentum, t.slots * all));
    ST_TRY(ST_TAKE(slab, &t.row_norm, t.slots * rows));
    ST_TRY(ST_TAKE(slab, &t.mu_mean, t.slots * rule->heads));
    ST_TRY(ST_TAKE(slab, &t.length, rows));
    if (slab->place == ST_PLACE_DEVICE) {
        const size_t bytes = st_dtype_size(sti_ttt_dtype(rule, ST_PLACE_DEVICE));
        ST_TRY(st_slab_take(slab, &t.narrow, (size_t)(t.slots * all), bytes, "narrow weights"));
        if (rule->muon != ST_TTT_MUON_OFF) {
            ST_TRY(st_slab_take(slab, &t.muon, (size_t)(t.slots * sti_ttt_muon_tape(rule)), bytes,
                                "Newton-Schulz iterates"));
            ST_TRY(ST_TAKE(slab, &t.scale, t.slots * 3 * rule->heads));
        }
    }
    *tape = t;
    return st_ok();
}

/* Slot 0: the birth weights, as the state has them before anything was read. */
static st_status tape_birth(st_stream *q, const st_ttt_tape *tape, const st_ttt_state *s)
{
    const size_t all = (size_t)sti_ttt_all(&s->rule);
    const size_t rows = (size_t)(s->rule.heads * sti_ttt_rows(&s->rule));
    ST_TRY(st_copy_bytes(q, tape->weight, s->place, s->weight, s->place, all * sizeof(float)));
    ST_TRY(st_copy_bytes(q, tape->length, s->place, s->length, s->place, rows * sizeof(float)));
    const size_t bytes = st_dtype_size(sti_ttt_dtype(&s->rule, s->place));
    if (tape->narrow)
        ST_TRY(st_copy_bytes(q, tape->narrow, s->place, s->narrow, s->place, all * bytes));
    return st_ok();
}

st_status st_ttt_forward(st_stream *q, st_tensor *out, const st_ttt_rule *rule,
                         const st_ttt_weights *weights, const st_ttt_tokens *tokens,
                         const st_ttt_borders *borders, st_ttt_tape *tape, st_slab *scratch)
{
    const st_place place = st_stream_place(q);
    const size_t mark = scratch->used;
    ST_TRY(check_rule(rule));
    ST_TRY(check_tokens(tokens, rule, place));
    CHECK(out, "out", sti_ttt_dtype(rule, place), rule->heads, tokens->q.shape[1], rule->width);
    ST_TRY(check_borders(borders, tokens->q.shape[1]));

    st_ttt_state state;
    ST_TRY(st_ttt_state_take(&state, scratch, rule));
    int64_t slot = 0;
    for (int64_t i = 0; i < borders->count; i++) {
        const int64_t first = borders->border[i], end = borders->border[i + 1];
        const int64_t updates = st_ttt_update_count(end - first, rule->chunk);
        ST_TRY(begin(q, &state, weights));
        if (tape && i == 0)
            ST_TRY(tape_birth(q, tape, &state));
        for (int64_t c = 0; c < updates; c++) {
            const sti_ttt_slot place_on_tape =
                tape ? sti_ttt_slot_get(tape, rule, ++slot) : (sti_ttt_slot){0};
            const sti_ttt_view x = view(tokens, out, rule, first + c * rule->chunk, rule->chunk);
            ST_TRY(run(q, &state, &x, STI_TTT_APPLY | STI_TTT_WRITE, scratch));
            ST_TRY(fire(q, &state, &place_on_tape, scratch));
        }
        const int64_t tail = first + updates * rule->chunk;
        const sti_ttt_view x = view(tokens, out, rule, tail, end - tail);
        if (x.count > 0)
            ST_TRY(run(q, &state, &x, STI_TTT_APPLY, scratch));
    }
    st_slab_rewind(scratch, mark);
    return st_ok();
}

static sti_ttt_view_grads view_grads(st_ttt_grads *g, const st_tensor *out_grad,
                                     const st_ttt_rule *r, int64_t from)
{
    const int64_t all = out_grad->shape[1], row = from * r->width;
    sti_ttt_view_grads x = {.out = at(out_grad, row), .q = at_out(&g->q, row),
                            .k = at_out(&g->k, row), .v = at_out(&g->v, row)};
    for (int j = 0; j < 3; j++)
        x.lr[j] = (float *)g->lr.data + j * r->heads * all + from;
    if (r->momentum == ST_TTT_MOMENTUM)
        x.mu = (float *)g->mu.data + from;
    return x;
}

/* The three matrices of each head, added to the caller's tensors. */
static void give_host(const st_ttt_rule *r, const float *weight_grad, st_ttt_grads *g)
{
    const int64_t size = sti_ttt_matrix(r);
    float *const to[3] = {g->w0.data, g->w2.data, g->w1.data};
    for (int64_t i = 0; i < 3 * r->heads; i++)
        for (int64_t j = 0; j < size; j++)
            to[i % 3][i / 3 * size + j] += weight_grad[i * size + j];
}

st_status st_ttt_backward(st_stream *q, st_ttt_grads *grads, const st_tensor *out_grad,
                          const st_ttt_rule *rule, const st_ttt_weights *weights,
                          const st_ttt_tokens *tokens, const st_ttt_borders *borders,
                          const st_ttt_tape *tape, st_slab *scratch)
{
    const st_place place = st_stream_place(q);
    const size_t mark = scratch->used;
    const int64_t all = tokens->q.shape[1];
    const st_ttt_tokens as_tokens = {grads->q, grads->k, grads->v, grads->lr, grads->mu};
    ST_TRY(check_rule(rule));
    ST_TRY(check_tokens(tokens, rule, place));
    ST_TRY(check_weights(&weights->w0, &weights->w1, &weights->w2, rule, place));
    ST_TRY(st_within(check_tokens(&as_tokens, rule, place), "gradient"));
    ST_TRY(st_within(check_weights(&grads->w0, &grads->w1, &grads->w2, rule, place), "gradient"));
    const st_dtype dtype = sti_ttt_dtype(rule, place);
    CHECK(out_grad, "out_grad", dtype, rule->heads, all, rule->width);
    CHECK(&grads->q, "gradient: q", dtype, rule->heads, all, rule->width);
    ST_TRY(check_borders(borders, all));

    float *weight_grad;         /* (H, w0 | w2 | w1), summed over the sequences */
    const size_t bytes = (size_t)sti_ttt_all(rule) * sizeof *weight_grad;
    ST_TRY(ST_TAKE(scratch, &weight_grad, sti_ttt_all(rule)));
    ST_TRY(st_fill_bytes(q, weight_grad, 0, bytes));
    int64_t slot = 1;
    for (int64_t i = 0; i < borders->count; i++) {
        const int64_t first = borders->border[i], count = borders->border[i + 1] - first;
        const sti_ttt_view x = view(tokens, NULL, rule, first, count);
        const sti_ttt_view_grads g = view_grads(grads, out_grad, rule, first);
        if (count > 0 && place == ST_PLACE_DEVICE)
            ST_TRY(sti_ttt_backward_device(q, rule, tape, slot, &x, &g, weight_grad, scratch));
        else if (count > 0)
            ST_TRY(sti_ttt_backward_host(rule, tape, slot, &x, &g, weight_grad, scratch));
        slot += st_ttt_update_count(count, rule->chunk);
    }
    if (place == ST_PLACE_DEVICE)
        ST_TRY(sti_ttt_give_device(q, rule, weight_grad, grads));
    else
        give_host(rule, weight_grad, grads);
    st_slab_rewind(scratch, mark);
    return st_ok();
}

/* --- plans -------------------------------------------------------------------------------- */

static st_status plan_steps(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    const int64_t longest = count_max < rule->chunk ? count_max : rule->chunk;
    return scratch->place == ST_PLACE_DEVICE
               ? sti_ttt_step_plan_device(scratch, rule,
                                          longest < ST_TTT_PENDING ? ST_TTT_PENDING : longest)
               : sti_ttt_step_plan_host(scratch, rule);
}

st_status st_ttt_read_plan(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    ST_TRY(check_rule(rule));
    return plan_steps(scratch, rule, count_max);
}

st_status st_ttt_forward_plan(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    const size_t mark = scratch->used;
    st_ttt_state state;
    ST_TRY(st_ttt_state_take(&state, scratch, rule));
    ST_TRY(plan_steps(scratch, rule, count_max));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

st_status st_ttt_backward_plan(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    const size_t mark = scratch->used;
    float *weight_grad;
    ST_TRY(check_rule(rule));
    ST_TRY(ST_TAKE(scratch, &weight_grad, sti_ttt_all(rule)));
    if (scratch->place == ST_PLACE_DEVICE)
        ST_TRY(sti_ttt_backward_plan_device(scratch, rule, count_max));
    else
        ST_TRY(sti_ttt_backward_plan_host(scratch, rule));
    st_slab_rewind(scratch, mark);
    return st_ok();
}
