/* ttt_host_backward.c - the fast-weight operator on the host, backward (spec 9.5, B1 to B6).
 *
 * One head after the other, from the tail to the first chunk. `weight_now` gathers the gradient of
 * the weights the current chunk was read with; crossing an update turns it into the gradient of
 * the weights before.
 */
#include "kernels/ttt_internal.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256 };       /* tokens, as in the forward pass */

typedef struct back_scratch {
    float *pair;            /* (BLOCK, 2h)  G | U, then their gradients        */
    float *taught;          /* (BLOCK, 2h)  R0 | R2, then l0 Dg | l2 Dm        */
    float *hidden;          /* (BLOCK, h)   A, or l1 Hd                        */
    float *above;           /* (BLOCK, h)   gradient of A, or D and Dbar       */
    float *r1;              /* (BLOCK, h)                                      */
    float *now;             /* (3 h d)      gradient of the weights read with  */
    float *walk;            /* (3 h d)      prenorm: gradient of P             */
    float *moment;          /* (3 h d)      gradient of M, then of the sums g  */
    float *carry;           /* (3 h d)      m_{c+1} Mbar_{c+1}                 */
    float *length;          /* (h + h + d)  gradient of the birth row norms    */
    float *iterates;        /* (6 h d)      Newton-Schulz, and its spare matrix */
    float *spare, *square;
} back_scratch;

static st_status take(back_scratch *t, st_slab *slab, const st_ttt_rule *r)
{
    const int64_t size = sti_ttt_matrix(r), h = r->hidden;
    const int64_t side = r->hidden < r->width ? r->hidden : r->width;
    ST_TRY(ST_TAKE(slab, &t->pair, BLOCK * 2 * h));
    ST_TRY(ST_TAKE(slab, &t->taught, BLOCK * 2 * h));
    ST_TRY(ST_TAKE(slab, &t->hidden, BLOCK * h));
    ST_TRY(ST_TAKE(slab, &t->above, BLOCK * h));
    ST_TRY(ST_TAKE(slab, &t->r1, BLOCK * h));
    ST_TRY(ST_TAKE(slab, &t->now, 3 * size));
    ST_TRY(ST_TAKE(slab, &t->walk, 3 * size));
    ST_TRY(ST_TAKE(slab, &t->moment, 3 * size));
    ST_TRY(ST_TAKE(slab, &t->carry, 3 * size));
    ST_TRY(ST_TAKE(slab, &t->length, sti_ttt_rows(r)));
    ST_TRY(ST_TAKE(slab, &t->iterates, (STI_NS_STEPS + 1) * size));
    ST_TRY(ST_TAKE(slab, &t->spare, size));
    ST_TRY(ST_TAKE(slab, &t->square, 4 * side * side));
    return st_ok();
}

st_status sti_ttt_backward_plan_host(st_slab *scratch, const st_ttt_rule *rule)
{
    const size_t mark = scratch->used;
    back_scratch t;
    ST_TRY(take(&t, scratch, rule));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

/* silu and its first two slopes at x. */
static void silu_slopes(float x, float *s, float *slope, float *bend)
{
    const float gate = 1.0f / (1.0f + expf(-x));
    *s = x * gate;
    *slope = gate * (1.0f + x * (1.0f - gate));
    *bend = gate * (1.0f - gate) * (2.0f + x * (1.0f - 2.0f * gate));
}

/* --- B1: reading -------------------------------------------------------------------------- */

static void apply_back(const st_ttt_rule *r, const float *weight, float *weight_grad, float *q_grad,
                       const float *q, const float *out_grad, int64_t n, back_scratch *t)
{
    const int64_t h = r->hidden, d = r->width;
    const float *w1 = weight + 2 * h * d;
    sti_multiply(t->pair, ST_STRAIGHT, q, ST_TURNED, weight, n, d, 2 * h, 1.0f, 0.0f);
    sti_multiply(t->above, ST_STRAIGHT, out_grad, ST_STRAIGHT, w1, n, d, h, 1.0f, 0.0f);
    for (int64_t i = 0; i < n; i++) {
        float *g = t->pair + i * 2 * h, *u = g + h, *a = t->hidden + i * h;     /* (h) each */
        const float *a_grad = t->above + i * h;
        for (int64_t j = 0; j < h; j++) {
            float s, slope, bend;
            silu_slopes(g[j], &s, &slope, &bend);
            a[j] = s * u[j];
            g[j] = a_grad[j] * u[j] * slope;
            u[j] = a_grad[j] * s;
        }
    }
    sti_multiply(weight_grad + 2 * h * d, ST_TURNED, out_grad, ST_STRAIGHT, t->hidden, d, n, h,
                 1.0f, 1.0f);
    sti_multiply(q_grad, ST_STRAIGHT, t->pair, ST_STRAIGHT, weight, n, 2 * h, d, 1.0f, 0.0f);
    sti_multiply(weight_grad, ST_TURNED, t->pair, ST_STRAIGHT, q, 2 * h, n, d, 1.0f, 1.0f);
}

/* --- B5: teaching ------------------------------------------------------------------------- */

/* On entry pair = G | U, above = D, taught = R0 | R2, r1 = R1. On return pair = Gbar | Ubar,
 * above = Dbar, taught = l0 Dg | l2 Dm, hidden = l1 Hd. */
static void teach_pointwise(int64_t h, const float *const lr[3], float *const lr_grad[3], int64_t n,
                            back_scratch *t)
{
    for (int64_t i = 0; i < n; i++) {
        float *g = t->pair + i * 2 * h, *u = g + h, *d = t->above + i * h;      /* (h) each */
        float *r0 = t->taught + i * 2 * h, *r2 = r0 + h, *hd = t->hidden + i * h;
        const float *r1 = t->r1 + i * h;
        const float l0 = lr[0][i], l1 = lr[1][i], l2 = lr[2][i];
        double sum0 = 0.0, sum1 = 0.0, sum2 = 0.0;
        for (int64_t j = 0; j < h; j++) {
            float s, slope, bend;
            silu_slopes(g[j], &s, &slope, &bend);
            const float dg = d[j] * u[j] * slope, dm = d[j] * s, hidden = s * u[j];
            sum0 += (double)dg * r0[j];
            sum1 += (double)hidden * r1[j];
            sum2 += (double)dm * r2[j];

            const float dg_grad = l0 * r0[j], h_grad = l1 * r1[j], dm_grad = l2 * r2[j];
            const float up = u[j], down = d[j];
            d[j] = dm_grad * s + dg_grad * up * slope;
            u[j] = dg_grad * down * slope + h_grad * s;
            g[j] = dg_grad * down * up * bend + (dm_grad * down + h_grad * up) * slope;
            r0[j] = l0 * dg;
            r2[j] = l2 * dm;
            hd[j] = l1 * hidden;
        }
        lr_grad[0][i] = (float)sum0;
        lr_grad[1][i] = (float)sum1;
        lr_grad[2][i] = (float)sum2;
    }
}

static void teach_back(const st_ttt_rule *r, const float *weight, const float *sum_grad,
                       float *weight_grad, float *k_grad, float *v_grad, float *const lr_grad[3],
                       const float *k, const float *v, const float *const lr[3], int64_t n,
                       back_scratch *t)
{
    const int64_t h = r->hidden, d = r->width;
    const float *w1 = weight + 2 * h * d, *g1_grad = sum_grad + 2 * h * d;
    sti_multiply(t->pair, ST_STRAIGHT, k, ST_TURNED, weight, n, d, 2 * h, 1.0f, 0.0f);
    sti_multiply(t->above, ST_STRAIGHT, v, ST_STRAIGHT, w1, n, d, h, 1.0f, 0.0f);
    sti_multiply(t->taught, ST_STRAIGHT, k, ST_TURNED, sum_grad, n, d, 2 * h, 1.0f, 0.0f);
    sti_multiply(t->r1, ST_STRAIGHT, v, ST_STRAIGHT, g1_grad, n, d, h, 1.0f, 0.0f);
    teach_pointwise(h, lr, lr_grad, n, t);

    sti_multiply(v_grad, ST_STRAIGHT, t->hidden, ST_TURNED, g1_grad, n, h, d, 1.0f, 0.0f);
    sti_multiply(v_grad, ST_STRAIGHT, t->above, ST_TURNED, w1, n, h, d, 1.0f, 1.0f);
    sti_multiply(k_grad, ST_STRAIGHT, t->taught, ST_STRAIGHT, sum_grad, n, 2 * h, d, 1.0f, 0.0f);
    sti_multiply(k_grad, ST_STRAIGHT, t->pair, ST_STRAIGHT, weight, n, 2 * h, d, 1.0f, 1.0f);
    sti_multiply(weight_grad, ST_TURNED, t->pair, ST_STRAIGHT, k, 2 * h, n, d, 1.0f, 1.0f);
    sti_multiply(weight_grad + 2 * h * d, ST_TURNED, v, ST_STRAIGHT, t->above, d, n, h, 1.0f, 1.0f);
}

/* --- B2 to B4: the update ----------------------------------------------------------------- */

/* now becomes the gradient of Y or P; length_grad gains. `weight` is what the update made, so
 * y / (n + eps) is weight / length, and a row born as zero passes nothing on. */
static void renorm_back(float *now, float *length_grad, const float *weight, const float *length,
                        const float *norm, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++) {
        float *grad = now + r * cols;
        const float *w = weight + r * cols;
        const double reach = (double)norm[r] + STI_ROW_EPS;
        double dot = 0.0;
        if (length[r] > 0.0f)
            for (int64_t c = 0; c < cols; c++)
                dot += (double)w[c] / length[r] * grad[c];
        const double turn = norm[r] > 0.0f && length[r] > 0.0f
                                ? dot * reach / ((double)norm[r] * length[r]) : 0.0;
        for (int64_t c = 0; c < cols; c++)
            grad[c] = (float)(length[r] / reach * (grad[c] - w[c] * turn));
        length_grad[r] += (float)dot;
    }
}

/* moment: on entry the gradient of N, on return of M and so of the chunk's sums. Gives the
 * gradient of the update's gate. */
static double muon_back(const st_ttt_rule *r, const sti_ttt_slot *slot, const sti_ttt_slot *before,
                        int64_t f, back_scratch *t)
{
    const int64_t size = sti_ttt_matrix(r);
    const float *m = slot->momentum + f * 3 * size;
    for (int j = 0; j < 3 && r->muon != ST_TTT_MUON_OFF; j++) {
        const int64_t rows = j == 2 ? r->width : r->hidden, cols = j == 2 ? r->hidden : r->width;
        memcpy(t->spare, m + j * size, (size_t)size * sizeof *m);
        sti_newton_schulz_host(t->spare, rows, cols, ST_TTT_MUON, t->iterates,
                               t->iterates + STI_NS_STEPS * size, t->square);
        sti_newton_schulz_backward_host(t->moment + j * size, m + j * size, rows, cols,
                                        t->iterates, t->spare, t->square);
    }
    if (r->momentum != ST_TTT_MOMENTUM)
        return 0.0;
    const float *m_before = before ? before->momentum + f * 3 * size : NULL;
    const float mean = slot->mu_mean[f];
    double gate_grad = 0.0;
    for (int64_t i = 0; i < 3 * size; i++) {
        t->moment[i] += t->carry[i];
        t->carry[i] = mean * t->moment[i];
        if (m_before)
            gate_grad += (double)t->moment[i] * m_before[i];
    }
    return gate_grad;
}

/* The gradient of the weights after an update becomes that of the weights before it (now), and of
 * the chunk's sums (moment). */
static double update_back(const st_ttt_rule *r, const st_ttt_tape *tape, int64_t slot_index,
                          bool first, int64_t f, back_scratch *t)
{
    const int64_t size = sti_ttt_matrix(r), h = r->hidden, d = r->width;
    const sti_ttt_slot slot = sti_ttt_slot_get(tape, r, slot_index);
    const sti_ttt_slot before = sti_ttt_slot_get(tape, r, slot_index - 1);
    const float *weight = slot.weight + f * 3 * size;
    const int64_t row = f * sti_ttt_rows(r);
    renorm_back(t->now, t->length, weight, tape->length + row, slot.row_norm + row, 2 * h, d);
    renorm_back(t->now + 2 * size, t->length + 2 * h, weight + 2 * size,
                tape->length + row + 2 * h, slot.row_norm + row + 2 * h, d, h);
    const size_t bytes = (size_t)(3 * size) * sizeof *t->now;
    if (r->norm == ST_TTT_PRENORM) {
        for (int64_t i = 0; i < 3 * size; i++)
            t->walk[i] += t->now[i];
        memcpy(t->moment, t->walk, bytes);
        memset(t->now, 0, bytes);
    } else {
        memcpy(t->moment, t->now, bytes);
    }
    return muon_back(r, &slot, first ? NULL : &before, f, t);
}

/* Birth: the walk began at the birth weights, and the lengths are theirs. */
static void birth_back(const st_ttt_rule *r, const st_ttt_tape *tape, int64_t f, float *weight_grad,
                       back_scratch *t)
{
    const int64_t size = sti_ttt_matrix(r);
    const float *birth = tape->weight + f * 3 * size, *length = tape->length + f * sti_ttt_rows(r);
    float *grad = weight_grad + f * 3 * size;
    for (int64_t i = 0; i < 3 * size; i++)
        grad[i] += t->now[i] + t->walk[i];
    for (int64_t row = 0; row < sti_ttt_rows(r); row++) {
        const bool wide = row < 2 * r->hidden;
        const int64_t cols = wide ? r->width : r->hidden;
        const int64_t from = wide ? row * cols : 2 * size + (row - 2 * r->hidden) * cols;
        for (int64_t c = 0; c < cols && length[row] > 0.0f; c++)
            grad[from + c] += t->length[row] * birth[from + c] / length[row];
    }
}

/* --- B6: the sweep ------------------------------------------------------------------------ */

static void sweep_tokens(const st_ttt_rule *r, const float *weight, const sti_ttt_view *x,
                         const sti_ttt_view_grads *g, int64_t f, int64_t from, int64_t end,
                         bool taught, double gate_grad, back_scratch *t)
{
    for (; from < end; from += BLOCK) {
        const int64_t n = end - from < BLOCK ? end - from : BLOCK;
        const int64_t row = f * x->head_step + from * r->width, gate = f * x->gate_step + from;
        const size_t row_bytes = (size_t)(n * r->width) * sizeof(float);
        const size_t gate_bytes = (size_t)n * sizeof(float);
        float *k_grad = (float *)g->k + row, *v_grad = (float *)g->v + row;
        float *const lr_grad[3] = {g->lr[0] + gate, g->lr[1] + gate, g->lr[2] + gate};
        apply_back(r, weight, t->now, (float *)g->q + row, (const float *)x->q + row,
                   (const float *)g->out + row, n, t);
        if (taught) {
            teach_back(r, weight, t->moment, t->now, k_grad, v_grad, lr_grad,
                       (const float *)x->k + row, (const float *)x->v + row,
                       (const float *const[]){x->lr[0] + gate, x->lr[1] + gate, x->lr[2] + gate},
                       n, t);
        } else {
            memset(k_grad, 0, row_bytes);
            memset(v_grad, 0, row_bytes);
            for (int j = 0; j < 3; j++)
                memset(lr_grad[j], 0, gate_bytes);
        }
        for (int64_t i = 0; i < n && g->mu; i++)
            g->mu[gate + i] = (float)(gate_grad / (double)r->chunk);
    }
}

st_status sti_ttt_backward_host(const st_ttt_rule *r, const st_ttt_tape *tape, int64_t first_slot,
                                const sti_ttt_view *x, const sti_ttt_view_grads *g,
                                float *weight_grad, st_slab *scratch)
{
    const size_t mark = scratch->used;
    const int64_t size = sti_ttt_matrix(r), updates = st_ttt_update_count(x->count, r->chunk);
    const size_t bytes = (size_t)(3 * size) * sizeof(float);
    back_scratch t;
    ST_TRY(take(&t, scratch, r));
    for (int64_t f = 0; f < r->heads; f++) {
        memset(t.now, 0, bytes);
        memset(t.walk, 0, bytes);
        memset(t.carry, 0, bytes);
        memset(t.length, 0, (size_t)sti_ttt_rows(r) * sizeof *t.length);
        for (int64_t c = updates; c >= 0; c--) {
            /* Chunk c was read with what update c - 1 of this sequence left behind. */
            const int64_t slot = c > 0 ? first_slot + c - 1 : 0;
            const float *weight = sti_ttt_slot_get(tape, r, slot).weight + f * 3 * size;
            const bool taught = c < updates;
            const double gate_grad =
                taught ? update_back(r, tape, first_slot + c, c == 0, f, &t) : 0.0;
            sweep_tokens(r, weight, x, g, f, c * r->chunk,
                         taught ? (c + 1) * r->chunk : x->count, taught, gate_grad, &t);
        }
        birth_back(r, tape, f, weight_grad, &t);
    }
    st_slab_rewind(scratch, mark);
    return st_ok();
}
