/* ttt_host.c - the fast-weight operator on the host, forward: f32, products through OpenBLAS.
 *
 * Heads one after the other, tokens in blocks that stay in cache; the products use the cores. W0
 * and W2 lie behind each other, so G and U come out of one product, side by side in `pair`.
 */
#include "kernels/ttt_internal.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 256 };       /* tokens; 256 x 1536 floats of scratch stay in a 2 MiB cache */

void sti_multiply(float *y, st_turn a_turn, const float *a, st_turn b_turn, const float *b,
                  int64_t rows, int64_t inner, int64_t cols, float alpha, float beta)
{
    ST_ASSERT(rows <= INT32_MAX && inner <= INT32_MAX && cols <= INT32_MAX);
    cblas_sgemm(CblasRowMajor, a_turn == ST_TURNED ? CblasTrans : CblasNoTrans,
                b_turn == ST_TURNED ? CblasTrans : CblasNoTrans, (int)rows, (int)cols, (int)inner,
                alpha, a, (int)(a_turn == ST_TURNED ? rows : inner), b,
                (int)(b_turn == ST_TURNED ? inner : cols), beta, y, (int)cols);
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* --- scratch ------------------------------------------------------------------------------ */

typedef struct step_scratch {
    float *pair;        /* (BLOCK, 2h)  G | U             */
    float *hidden;      /* (BLOCK, h)                     */
    float *spare;       /* (h,d)                          */
    float *square;      /* 3 of (side,side)               */
} step_scratch;

static st_status take(step_scratch *t, st_slab *slab, const st_ttt_rule *r)
{
    const int64_t side = r->hidden < r->width ? r->hidden : r->width;
    ST_TRY(ST_TAKE(slab, &t->pair, BLOCK * 2 * r->hidden));
    ST_TRY(ST_TAKE(slab, &t->hidden, BLOCK * r->hidden));
    ST_TRY(ST_TAKE(slab, &t->spare, sti_ttt_matrix(r)));
    ST_TRY(ST_TAKE(slab, &t->square, 3 * side * side));
    return st_ok();
}

st_status sti_ttt_step_plan_host(st_slab *scratch, const st_ttt_rule *rule)
{
    const size_t mark = scratch->used;
    step_scratch t;
    ST_TRY(take(&t, scratch, rule));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

/* --- begin -------------------------------------------------------------------------------- */

static void row_norms(float *norm, const float *x, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++) {
        double square = 0.0;
        for (int64_t c = 0; c < cols; c++)
            square += (double)x[r * cols + c] * x[r * cols + c];
        norm[r] = (float)sqrt(square);
    }
}

st_status sti_ttt_begin_host(st_ttt_state *s, const st_ttt_weights *w)
{
    const st_ttt_rule *r = &s->rule;
    const int64_t size = sti_ttt_matrix(r), h = r->hidden, d = r->width;
    const float *from[3] = {w->w0.data, w->w2.data, w->w1.data};
    for (int64_t f = 0; f < r->heads; f++) {
        float *head = s->weight + f * 3 * size, *length = s->length + f * sti_ttt_rows(r);
        for (int j = 0; j < 3; j++)
            memcpy(head + j * size, from[j] + f * size, (size_t)size * sizeof *head);
        row_norms(length, head, 2 * h, d);
        row_norms(length + 2 * h, head + 2 * size, d, h);
    }
    if (s->walk)
        memcpy(s->walk, s->weight, (size_t)sti_ttt_all(r) * sizeof *s->walk);
    return st_ok();
}

/* --- run ---------------------------------------------------------------------------------- */

/* out (n,d) = W1 ( silu(q W0^T) .* q W2^T ). */
static void apply(const st_ttt_rule *r, const float *weight, float *out, const float *q, int64_t n,
                  step_scratch *t)
{
    const int64_t h = r->hidden, d = r->width;
    sti_multiply(t->pair, ST_STRAIGHT, q, ST_TURNED, weight, n, d, 2 * h, 1.0f, 0.0f);
    for (int64_t i = 0; i < n; i++) {
        const float *g = t->pair + i * 2 * h, *u = g + h;       /* (h) each */
        for (int64_t j = 0; j < h; j++)
            t->hidden[i * h + j] = g[j] * sigmoid(g[j]) * u[j];
    }
    sti_multiply(out, ST_STRAIGHT, t->hidden, ST_TURNED, weight + 2 * h * d, n, h, d, 1.0f, 0.0f);
}

/* gradient (w0 | w2 | w1) += the chunk gradients of n tokens; 7.10 with the rates inside the
 * hidden side: g0 = (l0 Dg)^T K, g2 = (l2 Dm)^T K, g1 = V^T (l1 Hd). */
static void write(const st_ttt_rule *r, const float *weight, float *gradient, bool fresh,
                  const float *k, const float *v, const float *const lr[3], int64_t n,
                  step_scratch *t)
{
    const int64_t h = r->hidden, d = r->width;
    const float beta = fresh ? 0.0f : 1.0f;
    sti_multiply(t->pair, ST_STRAIGHT, k, ST_TURNED, weight, n, d, 2 * h, 1.0f, 0.0f);
    sti_multiply(t->hidden, ST_STRAIGHT, v, ST_STRAIGHT, weight + 2 * h * d, n, d, h, 1.0f, 0.0f);
    for (int64_t i = 0; i < n; i++) {
        float *g = t->pair + i * 2 * h, *u = g + h, *back = t->hidden + i * h;  /* (h) each */
        for (int64_t j = 0; j < h; j++) {
            const float gate = sigmoid(g[j]), s = g[j] * gate;
            const float slope = gate * (1.0f + g[j] * (1.0f - gate));
            const float above = back[j], up = u[j];
            g[j] = lr[0][i] * above * up * slope;
            u[j] = lr[2][i] * above * s;
            back[j] = lr[1][i] * s * up;
        }
    }
    sti_multiply(gradient, ST_TURNED, t->pair, ST_STRAIGHT, k, 2 * h, n, d, 1.0f, beta);
    sti_multiply(gradient + 2 * h * d, ST_TURNED, v, ST_STRAIGHT, t->hidden, d, n, h, 1.0f, beta);
}

static void sum_gates(st_ttt_state *s, const sti_ttt_view *x)
{
    for (int64_t f = 0; f < s->rule.heads; f++) {
        double sum = s->summed > 0 ? s->mu_sum[f] : 0.0;
        for (int64_t i = 0; i < x->count; i++)
            sum += x->mu[f * x->gate_step + i];
        s->mu_sum[f] = (float)sum;
    }
}

st_status sti_ttt_run_host(st_ttt_state *s, const sti_ttt_view *x, unsigned work, st_slab *scratch)
{
    const st_ttt_rule *r = &s->rule;
    const size_t mark = scratch->used;
    const int64_t size = sti_ttt_matrix(r);
    step_scratch t;
    ST_TRY(take(&t, scratch, r));
    for (int64_t f = 0; f < r->heads; f++) {
        const float *weight = s->weight + f * 3 * size;
        for (int64_t from = 0; from < x->count; from += BLOCK) {
            const int64_t n = x->count - from < BLOCK ? x->count - from : BLOCK;
            const int64_t row = f * x->head_step + from * r->width, gate = f * x->gate_step + from;
            if (work & STI_TTT_APPLY)
                apply(r, weight, (float *)x->out + row, (const float *)x->q + row, n, &t);
            if (work & STI_TTT_WRITE)
                write(r, weight, s->gradient + f * 3 * size, s->summed == 0 && from == 0,
                      (const float *)x->k + row, (const float *)x->v + row,
                      (const float *const[]){x->lr[0] + gate, x->lr[1] + gate, x->lr[2] + gate},
                      n, &t);
        }
    }
    if ((work & STI_TTT_WRITE) && s->momentum)
        sum_gates(s, x);
    st_slab_rewind(scratch, mark);
    return st_ok();
}

st_status sti_ttt_append_host(st_ttt_state *s, const sti_ttt_view *x)
{
    const int64_t d = s->rule.width, heads = s->rule.heads;
    const size_t bytes = (size_t)x->count * sizeof(float);
    for (int64_t f = 0; f < heads; f++) {
        const int64_t slot = f * ST_TTT_PENDING + s->pending;
        const int64_t row = f * x->head_step, gate = f * x->gate_step;
        memcpy((float *)s->pending_k + slot * d, (const float *)x->k + row, bytes * (size_t)d);
        memcpy((float *)s->pending_v + slot * d, (const float *)x->v + row, bytes * (size_t)d);
        for (int j = 0; j < 3; j++)
            memcpy(s->pending_lr + j * heads * ST_TTT_PENDING + slot, x->lr[j] + gate, bytes);
        if (x->mu)
            memcpy(s->pending_mu + slot, x->mu + gate, bytes);
    }
    return st_ok();
}

/* --- fire --------------------------------------------------------------------------------- */

/* Row by row: y = walk or weight, plus step; weight = length * unit(y). */
static void renorm(float *weight, float *walk, const float *step, const float *length, float *norm,
                   int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++) {
        float *w = weight + r * cols, *y = walk ? walk + r * cols : w;
        double square = 0.0;
        for (int64_t c = 0; c < cols; c++) {
            y[c] += step[r * cols + c];
            square += (double)y[c] * y[c];
        }
        const float n = (float)sqrt(square), scale = length[r] / (n + STI_ROW_EPS);
        for (int64_t c = 0; c < cols; c++)
            w[c] = scale * y[c];
        if (norm)
            norm[r] = n;
    }
}

/* gradient becomes the momentum M of this update. */
static void add_momentum(st_ttt_state *s, const sti_ttt_slot *slot)
{
    const int64_t per_head = 3 * sti_ttt_matrix(&s->rule);
    for (int64_t f = 0; f < s->rule.heads; f++) {
        const float mean = s->mu_sum[f] / (float)s->rule.chunk;
        float *g = s->gradient + f * per_head, *m = s->momentum + f * per_head;
        for (int64_t i = 0; i < per_head; i++)
            m[i] = g[i] += s->updates > 0 ? mean * m[i] : 0.0f;
        if (slot->mu_mean)
            slot->mu_mean[f] = mean;
    }
}

st_status sti_ttt_fire_host(st_ttt_state *s, const sti_ttt_slot *slot, st_slab *scratch)
{
    const st_ttt_rule *r = &s->rule;
    const int64_t size = sti_ttt_matrix(r), h = r->hidden, d = r->width;
    const size_t mark = scratch->used, bytes = (size_t)sti_ttt_all(r) * sizeof(float);
    step_scratch t;
    ST_TRY(take(&t, scratch, r));
    if (s->momentum)
        add_momentum(s, slot);
    if (slot->momentum)
        memcpy(slot->momentum, s->gradient, bytes);
    for (int64_t i = 0; i < 3 * r->heads; i++) {
        const int64_t rows = i % 3 == 2 ? d : h, cols = i % 3 == 2 ? h : d;
        const int64_t first_row = i / 3 * sti_ttt_rows(r) + i % 3 * h;
        float *step = s->gradient + i * size;
        if (r->muon != ST_TTT_MUON_OFF)
            sti_newton_schulz_host(step, rows, cols, r->muon, NULL, t.spare, t.square);
        renorm(s->weight + i * size, s->walk ? s->walk + i * size : NULL, step,
               s->length + first_row, slot->row_norm ? slot->row_norm + first_row : NULL, rows,
               cols);
    }
    if (slot->weight)
        memcpy(slot->weight, s->weight, bytes);
    st_slab_rewind(scratch, mark);
    return st_ok();
}
