/* ttt_plain.c - the fast-weight operator as the formulas say it (spec 7.10, 7.11, 9.5).
 *
 * One head at a time, whole chunks, every intermediate kept. The names are the formulas' own:
 * G, U, S, D, Dm, Dg and their gradients with a bar. `step` is the place of w0, w2, w1 in a set.
 */
#include "kernels/ttt_plain.h"

#include "kernels/ttt_internal.h"

#include <math.h>
#include <string.h>

/* 7.11's coefficients once more, in double: the f32 ones are off in the eighth digit. */
static const double NS[STI_NS_STEPS][3] = {{4.0848, -6.8946, 2.9270},
                                                     {3.9505, -6.3029, 2.6377},
                                                     {3.7418, -5.5913, 2.3037},
                                                     {2.8769, -3.1427, 1.2046},
                                                     {2.8366, -3.0525, 1.2012}};

/* y (m,n) += op(a) op(b), inner k. */
static void add_product(double *y, st_turn a_turn, const double *a, st_turn b_turn, const double *b,
                        int64_t m, int64_t k, int64_t n)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (int64_t p = 0; p < k; p++)
                sum += (a_turn == ST_TURNED ? a[p * m + i] : a[i * k + p]) *
                       (b_turn == ST_TURNED ? b[j * k + p] : b[p * n + j]);
            y[i * n + j] += sum;
        }
}

static void product(double *y, st_turn a_turn, const double *a, st_turn b_turn, const double *b,
                    int64_t m, int64_t k, int64_t n)
{
    memset(y, 0, (size_t)(m * n) * sizeof *y);
    add_product(y, a_turn, a, b_turn, b, m, k, n);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double silu_slope(double x)
{
    return sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x)));
}

static double silu_bend(double x)
{
    const double s = sigmoid(x);
    return s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s));
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void turn_over(double *y, const double *x, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[j * rows + i] = x[i * cols + j];
}

/* --- Newton-Schulz ------------------------------------------------------------------------ */

/* On wide x (r,c); iterate, when not NULL, receives X_0 .. X_4. */
static st_status iterate_wide(double *x, int64_t r, int64_t c, double *iterate, st_arena *scratch)
{
    double *A, *B, *BX;
    ST_TRY(ST_ALLOC(scratch, &A, (size_t)(r * r)));
    ST_TRY(ST_ALLOC(scratch, &B, (size_t)(r * r)));
    ST_TRY(ST_ALLOC(scratch, &BX, (size_t)(r * c)));
    const double reach = sqrt(dot(x, x, r * c)) + 1e-7;
    for (int64_t i = 0; i < r * c; i++)
        x[i] /= reach;
    for (int k = 0; k < STI_NS_STEPS; k++) {
        const double a = NS[k][0], b = NS[k][1], s = NS[k][2];
        if (iterate)
            memcpy(iterate + k * r * c, x, (size_t)(r * c) * sizeof *x);
        product(A, ST_STRAIGHT, x, ST_TURNED, x, r, c, r);
        product(B, ST_STRAIGHT, A, ST_STRAIGHT, A, r, r, r);
        for (int64_t i = 0; i < r * r; i++)
            B[i] = b * A[i] + s * B[i];
        product(BX, ST_STRAIGHT, B, ST_STRAIGHT, x, r, r, c);
        for (int64_t i = 0; i < r * c; i++)
            x[i] = a * x[i] + BX[i];
    }
    return st_ok();
}

st_status st_newton_schulz_plain(double *m, int64_t rows, int64_t cols, st_arena *scratch)
{
    if (rows <= cols)
        return iterate_wide(m, rows, cols, NULL, scratch);
    double *x;
    ST_TRY(ST_ALLOC(scratch, &x, (size_t)(rows * cols)));
    turn_over(x, m, rows, cols);
    ST_TRY(iterate_wide(x, cols, rows, NULL, scratch));
    turn_over(m, x, cols, rows);
    return st_ok();
}

/* y: gradient of NS(m) to gradient of m, wide (r,c). */
static st_status back_wide(double *y, const double *m, int64_t r, int64_t c, st_arena *scratch)
{
    double *X, *last, *A, *B, *T, *R, *next;
    ST_TRY(ST_ALLOC(scratch, &X, (size_t)(STI_NS_STEPS * r * c)));
    ST_TRY(ST_ALLOC(scratch, &last, (size_t)(r * c)));
    ST_TRY(ST_ALLOC(scratch, &next, (size_t)(r * c)));
    ST_TRY(ST_ALLOC(scratch, &A, (size_t)(r * r)));
    ST_TRY(ST_ALLOC(scratch, &B, (size_t)(r * r)));
    ST_TRY(ST_ALLOC(scratch, &T, (size_t)(r * r)));
    ST_TRY(ST_ALLOC(scratch, &R, (size_t)(r * r)));
    memcpy(last, m, (size_t)(r * c) * sizeof *m);
    ST_TRY(iterate_wide(last, r, c, X, scratch));
    for (int k = STI_NS_STEPS - 1; k >= 0; k--) {
        const double a = NS[k][0], b = NS[k][1], s = NS[k][2];
        const double *x = X + k * r * c;
        product(A, ST_STRAIGHT, x, ST_TURNED, x, r, c, r);
        product(B, ST_STRAIGHT, A, ST_STRAIGHT, A, r, r, r);
        for (int64_t i = 0; i < r * r; i++)
            B[i] = b * A[i] + s * B[i];
        product(T, ST_STRAIGHT, y, ST_TURNED, x, r, c, r);
        add_product(T, ST_STRAIGHT, x, ST_TURNED, y, r, c, r);
        product(R, ST_STRAIGHT, T, ST_STRAIGHT, A, r, r, r);
        for (int64_t i = 0; i < r; i++)
            for (int64_t j = 0; j < r; j++)
                T[i * r + j] = b * T[i * r + j] + s * (R[i * r + j] + R[j * r + i]);
        for (int64_t i = 0; i < r * c; i++)
            next[i] = a * y[i];
        add_product(next, ST_STRAIGHT, B, ST_STRAIGHT, y, r, r, c);
        add_product(next, ST_STRAIGHT, T, ST_STRAIGHT, x, r, r, c);
        memcpy(y, next, (size_t)(r * c) * sizeof *y);
    }
    const double n = sqrt(dot(m, m, r * c)), reach = n + 1e-7, along = dot(m, y, r * c);
    for (int64_t i = 0; i < r * c; i++)
        y[i] = y[i] / reach - (n > 0.0 ? m[i] * along / (n * reach * reach) : 0.0);
    return st_ok();
}

static st_status newton_schulz_back(double *y, const double *m, int64_t rows, int64_t cols,
                                    st_arena *scratch)
{
    if (rows <= cols)
        return back_wide(y, m, rows, cols, scratch);
    double *y_turned, *m_turned;
    ST_TRY(ST_ALLOC(scratch, &y_turned, (size_t)(rows * cols)));
    ST_TRY(ST_ALLOC(scratch, &m_turned, (size_t)(rows * cols)));
    turn_over(y_turned, y, rows, cols);
    turn_over(m_turned, m, rows, cols);
    ST_TRY(back_wide(y_turned, m_turned, cols, rows, scratch));
    turn_over(y, y_turned, cols, rows);
    return st_ok();
}

/* --- one head ----------------------------------------------------------------------------- */

typedef struct head {
    const st_ttt_rule *rule;
    int64_t       count, updates;       /* N, U */
    const double *q, *k, *v, *l0, *l1, *l2, *mu;
    double       *W;                    /* (U+1, 3hd)  sets w0 | w2 | w1                */
    double       *M;                    /* (U, 3hd)                                     */
    double       *Y;                    /* (U, 3hd)    what was renormed: Y or P        */
    double       *mean;                 /* (U)         m_c                              */
    double       *rho;                  /* (h+h+d)                                      */
    double       *G, *U, *D, *H;        /* (N,h) each  scratch of a run of tokens       */
} head;

static int64_t set_size(const head *t)
{
    return 3 * t->rule->hidden * t->rule->width;
}

/* rows and cols of matrix `step` of a set, its first number, its first row in rho. */
typedef struct place {
    int64_t rows, cols, from, row;
} place;

static place place_of(const head *t, int step)
{
    const int64_t h = t->rule->hidden, d = t->rule->width;
    return step == 2 ? (place){d, h, 2 * h * d, 2 * h} : (place){h, d, step * h * d, step * h};
}

/* G = X W0^T, U = X W2^T over n tokens. */
static void hidden(head *t, const double *W, const double *x, int64_t n)
{
    const int64_t h = t->rule->hidden, d = t->rule->width;
    product(t->G, ST_STRAIGHT, x, ST_TURNED, W, n, d, h);
    product(t->U, ST_STRAIGHT, x, ST_TURNED, W + h * d, n, d, h);
}

static void read_tokens(head *t, const double *W, double *out, int64_t from, int64_t n)
{
    const int64_t h = t->rule->hidden, d = t->rule->width;
    hidden(t, W, t->q + from * d, n);
    for (int64_t i = 0; i < n * h; i++)
        t->H[i] = silu(t->G[i]) * t->U[i];
    product(out + from * d, ST_STRAIGHT, t->H, ST_TURNED, W + 2 * h * d, n, h, d);
}

/* g0 = Dg^T (l0 K), g2 = Dm^T (l2 K), g1 = V^T (l1 Hd) into g (w0 | w2 | w1). */
static void chunk_gradient(head *t, const double *W, double *g, int64_t from)
{
    const int64_t h = t->rule->hidden, d = t->rule->width, n = t->rule->chunk;
    const double *K = t->k + from * d, *V = t->v + from * d;
    hidden(t, W, K, n);
    product(t->D, ST_STRAIGHT, V, ST_STRAIGHT, W + 2 * h * d, n, d, h);
    memset(g, 0, (size_t)set_size(t) * sizeof *g);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < h; j++) {
            const double G = t->G[i * h + j], U = t->U[i * h + j], D = t->D[i * h + j];
            for (int64_t c = 0; c < d; c++) {
                g[j * d + c] += D * U * silu_slope(G) * t->l0[from + i] * K[i * d + c];
                g[(h + j) * d + c] += D * silu(G) * t->l2[from + i] * K[i * d + c];
                g[2 * h * d + c * h + j] += V[i * d + c] * t->l1[from + i] * silu(G) * U;
            }
        }
}

static st_status update(head *t, int64_t c, st_arena *scratch)
{
    const int64_t size = set_size(t), C = t->rule->chunk;
    const double *W = t->W + c * size;
    double *M = t->M + c * size, *Y = t->Y + c * size, *N;
    chunk_gradient(t, W, M, c * C);
    if (t->rule->momentum == ST_TTT_MOMENTUM) {
        for (int64_t i = 0; i < C; i++)
            t->mean[c] += t->mu[c * C + i] / (double)C;
        for (int64_t i = 0; i < size && c > 0; i++)
            M[i] += t->mean[c] * t->M[(c - 1) * size + i];
    }
    ST_TRY(ST_ALLOC(scratch, &N, (size_t)size));
    memcpy(N, M, (size_t)size * sizeof *N);
    for (int step = 0; step < 3; step++) {
        const place p = place_of(t, step);
        if (t->rule->muon != ST_TTT_MUON_OFF)
            ST_TRY(st_newton_schulz_plain(N + p.from, p.rows, p.cols, scratch));
        const double *base = t->rule->norm == ST_TTT_PRENORM && c > 0 ? Y - size : W;
        for (int64_t r = 0; r < p.rows; r++) {
            const int64_t at = p.from + r * p.cols;
            for (int64_t i = at; i < at + p.cols; i++)
                Y[i] = base[i] + N[i];
            const double n = sqrt(dot(Y + at, Y + at, p.cols));
            for (int64_t i = at; i < at + p.cols; i++)
                t->W[(c + 1) * size + i] = t->rho[p.row + r] * Y[i] / (n + 1e-5);
        }
    }
    return st_ok();
}

static st_status open_head(head *t, const st_ttt_plain *x, int64_t f, st_arena *scratch)
{
    const int64_t h = x->rule.hidden, d = x->rule.width, N = x->count, H = x->rule.heads;
    *t = (head){.rule = &x->rule, .count = N,
                .updates = st_ttt_update_count(N, x->rule.chunk),
                .q = x->q + f * N * d, .k = x->k + f * N * d, .v = x->v + f * N * d,
                .l0 = x->lr + f * N, .l1 = x->lr + (H + f) * N, .l2 = x->lr + (2 * H + f) * N,
                .mu = x->mu ? x->mu + f * N : NULL};
    const size_t size = (size_t)set_size(t), sets = (size_t)t->updates, tokens = (size_t)(N * h);
    ST_TRY(ST_ALLOC(scratch, &t->W, (sets + 1) * size));
    ST_TRY(ST_ALLOC(scratch, &t->M, sets * size));
    ST_TRY(ST_ALLOC(scratch, &t->Y, sets * size));
    ST_TRY(ST_ALLOC(scratch, &t->mean, sets));
    ST_TRY(ST_ALLOC(scratch, &t->rho, (size_t)(2 * h + d)));
    ST_TRY(ST_ALLOC(scratch, &t->G, tokens));
    ST_TRY(ST_ALLOC(scratch, &t->U, tokens));
    ST_TRY(ST_ALLOC(scratch, &t->D, tokens));
    ST_TRY(ST_ALLOC(scratch, &t->H, tokens));
    const double *birth[3] = {x->w0, x->w2, x->w1};
    for (int step = 0; step < 3; step++) {
        const place p = place_of(t, step);
        memcpy(t->W + p.from, birth[step] + f * h * d, (size_t)(h * d) * sizeof(double));
        for (int64_t r = 0; r < p.rows; r++) {
            const double *row = t->W + p.from + r * p.cols;
            t->rho[p.row + r] = sqrt(dot(row, row, p.cols));
        }
    }
    return st_ok();
}

static st_status forward_head(head *t, double *out, st_arena *scratch)
{
    const int64_t C = t->rule->chunk, tail = t->updates * C;
    for (int64_t c = 0; c < t->updates; c++) {
        if (out)
            read_tokens(t, t->W + c * set_size(t), out, c * C, C);
        ST_TRY(update(t, c, scratch));
    }
    if (out)
        read_tokens(t, t->W + t->updates * set_size(t), out, tail, t->count - tail);
    return st_ok();
}

st_status st_ttt_plain_forward(double *out, double *last, const st_ttt_plain *x, st_arena *scratch)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    for (int64_t f = 0; f < x->rule.heads; f++) {
        head t;
        ST_TRY(open_head(&t, x, f, scratch));
        ST_TRY(forward_head(&t, out + f * x->count * x->rule.width, scratch));
        if (last)
            memcpy(last + f * set_size(&t), t.W + t.updates * set_size(&t),
                   (size_t)set_size(&t) * sizeof *last);
        st_arena_rewind(scratch, mark);
    }
    return st_ok();
}

/* --- backward ----------------------------------------------------------------------------- */

typedef struct bars {
    double *W, *P, *M, *carry, *rho;            /* sets (3hd), rho (h+h+d)     */
    double *q, *k, *v, *l0, *l1, *l2, *mu;      /* of this head                */
    double *G, *U, *D, *H, *R0, *R1, *R2;       /* (N,h)                       */
} bars;

static void read_back(head *t, bars *g, const double *W, const double *out_bar, int64_t from,
                      int64_t n)
{
    const int64_t h = t->rule->hidden, d = t->rule->width;
    const double *Q = t->q + from * d, *Obar = out_bar + from * d, *W1 = W + 2 * h * d;
    hidden(t, W, Q, n);
    product(g->H, ST_STRAIGHT, Obar, ST_STRAIGHT, W1, n, d, h);
    for (int64_t i = 0; i < n * h; i++) {
        t->H[i] = silu(t->G[i]) * t->U[i];
        g->G[i] = g->H[i] * t->U[i] * silu_slope(t->G[i]);
        g->U[i] = g->H[i] * silu(t->G[i]);
    }
    add_product(g->W + 2 * h * d, ST_TURNED, Obar, ST_STRAIGHT, t->H, d, n, h);
    product(g->q + from * d, ST_STRAIGHT, g->G, ST_STRAIGHT, W, n, h, d);
    add_product(g->q + from * d, ST_STRAIGHT, g->U, ST_STRAIGHT, W + h * d, n, h, d);
    add_product(g->W, ST_TURNED, g->G, ST_STRAIGHT, Q, h, n, d);
    add_product(g->W + h * d, ST_TURNED, g->U, ST_STRAIGHT, Q, h, n, d);
}

static void teach_back(head *t, bars *g, const double *W, int64_t from)
{
    const int64_t h = t->rule->hidden, d = t->rule->width, n = t->rule->chunk;
    const double *K = t->k + from * d, *V = t->v + from * d, *W1 = W + 2 * h * d;
    const double *g0 = g->M, *g2 = g->M + h * d, *g1 = g->M + 2 * h * d;
    double *kbar = g->k + from * d, *vbar = g->v + from * d;
    hidden(t, W, K, n);
    product(t->D, ST_STRAIGHT, V, ST_STRAIGHT, W1, n, d, h);
    product(g->R0, ST_STRAIGHT, K, ST_TURNED, g0, n, d, h);
    product(g->R1, ST_STRAIGHT, V, ST_STRAIGHT, g1, n, d, h);
    product(g->R2, ST_STRAIGHT, K, ST_TURNED, g2, n, d, h);
    for (int64_t i = 0; i < n * h; i++) {
        const int64_t token = from + i / h;
        const double l0 = t->l0[token], l1 = t->l1[token], l2 = t->l2[token];
        const double G = t->G[i], U = t->U[i], D = t->D[i];
        const double S = silu(G), S1 = silu_slope(G), S2 = silu_bend(G);
        const double R0 = g->R0[i], R1 = g->R1[i], R2 = g->R2[i];
        g->l0[token] += D * U * S1 * R0;
        g->l1[token] += S * U * R1;
        g->l2[token] += D * S * R2;
        g->D[i] = l2 * R2 * S + l0 * R0 * U * S1;
        g->U[i] = l0 * R0 * D * S1 + l1 * R1 * S;
        g->G[i] = l0 * R0 * D * U * S2 + (l2 * R2 * D + l1 * R1 * U) * S1;
        g->R0[i] = l0 * D * U * S1;         /* l0 Dg, l1 Hd, l2 Dm: R is not needed any more */
        g->R1[i] = l1 * S * U;
        g->R2[i] = l2 * D * S;
    }
    add_product(vbar, ST_STRAIGHT, g->R1, ST_TURNED, g1, n, h, d);
    add_product(vbar, ST_STRAIGHT, g->D, ST_TURNED, W1, n, h, d);
    add_product(kbar, ST_STRAIGHT, g->R0, ST_STRAIGHT, g0, n, h, d);
    add_product(kbar, ST_STRAIGHT, g->R2, ST_STRAIGHT, g2, n, h, d);
    add_product(kbar, ST_STRAIGHT, g->G, ST_STRAIGHT, W, n, h, d);
    add_product(kbar, ST_STRAIGHT, g->U, ST_STRAIGHT, W + h * d, n, h, d);
    add_product(g->W, ST_TURNED, g->G, ST_STRAIGHT, K, h, n, d);
    add_product(g->W + h * d, ST_TURNED, g->U, ST_STRAIGHT, K, h, n, d);
    add_product(g->W + 2 * h * d, ST_TURNED, V, ST_STRAIGHT, g->D, d, n, h);
}

/* B2 for every row: g->W, the gradient of the renormed weights, becomes that of Y. */
static void renorm_back(head *t, bars *g, const double *Y)
{
    for (int step = 0; step < 3; step++) {
        const place p = place_of(t, step);
        for (int64_t r = 0; r < p.rows; r++) {
            const double *y = Y + p.from + r * p.cols;
            double *w = g->W + p.from + r * p.cols;
            const double n = sqrt(dot(y, y, p.cols)), reach = n + 1e-5;
            const double delta = dot(y, w, p.cols);
            for (int64_t i = 0; i < p.cols; i++)
                w[i] = t->rho[p.row + r] / reach *
                       (w[i] - (n > 0.0 ? y[i] * delta / (n * reach) : 0.0));
            g->rho[p.row + r] += delta / reach;
        }
    }
}

static st_status update_back(head *t, bars *g, int64_t c, st_arena *scratch)
{
    const int64_t size = set_size(t), C = t->rule->chunk;
    renorm_back(t, g, t->Y + c * size);
    for (int64_t i = 0; i < size; i++) {
        if (t->rule->norm == ST_TTT_PRENORM) {
            g->M[i] = g->P[i] += g->W[i];
            g->W[i] = 0.0;
        } else {
            g->M[i] = g->W[i];
        }
    }
    for (int step = 0; step < 3 && t->rule->muon != ST_TTT_MUON_OFF; step++) {
        const place p = place_of(t, step);
        ST_TRY(newton_schulz_back(g->M + p.from, t->M + c * size + p.from, p.rows, p.cols,
                                  scratch));
    }
    if (t->rule->momentum == ST_TTT_MOMENTUM) {
        double gate = 0.0;
        for (int64_t i = 0; i < size; i++) {
            g->M[i] += g->carry[i];
            g->carry[i] = t->mean[c] * g->M[i];
            gate += c > 0 ? g->M[i] * t->M[(c - 1) * size + i] : 0.0;
        }
        for (int64_t i = 0; i < C; i++)
            g->mu[c * C + i] = gate / (double)C;
    }
    return st_ok();
}

static st_status open_bars(bars *g, const head *t, st_arena *scratch)
{
    const size_t size = (size_t)set_size(t), tokens = (size_t)(t->count * t->rule->hidden);
    ST_TRY(ST_ALLOC(scratch, &g->W, size));
    ST_TRY(ST_ALLOC(scratch, &g->P, size));
    ST_TRY(ST_ALLOC(scratch, &g->M, size));
    ST_TRY(ST_ALLOC(scratch, &g->carry, size));
    ST_TRY(ST_ALLOC(scratch, &g->rho, (size_t)sti_ttt_rows(t->rule)));
    double **const per_token[] = {&g->G, &g->U, &g->D, &g->H, &g->R0, &g->R1, &g->R2};
    for (size_t i = 0; i < sizeof per_token / sizeof per_token[0]; i++)
        ST_TRY(ST_ALLOC(scratch, per_token[i], tokens));
    return st_ok();
}

/* Winit_bar = Wbar + Pbar + rhobar Winit / rho. */
static void birth_back(head *t, bars *g, double *const out[3])
{
    for (int step = 0; step < 3; step++) {
        const place p = place_of(t, step);
        for (int64_t i = 0; i < p.rows * p.cols; i++) {
            const double rho = t->rho[p.row + i / p.cols];
            out[step][i] = g->W[p.from + i] + g->P[p.from + i];
            if (rho > 0.0)
                out[step][i] += g->rho[p.row + i / p.cols] * t->W[p.from + i] / rho;
        }
    }
}

st_status st_ttt_plain_backward(st_ttt_plain_grads *grads, const double *out_grad,
                                const st_ttt_plain *x, st_arena *scratch)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    const int64_t h = x->rule.hidden, d = x->rule.width, N = x->count, H = x->rule.heads;
    memset(grads->k, 0, (size_t)(H * N * d) * sizeof(double));
    memset(grads->v, 0, (size_t)(H * N * d) * sizeof(double));
    memset(grads->lr, 0, (size_t)(3 * H * N) * sizeof(double));
    if (grads->mu)
        memset(grads->mu, 0, (size_t)(H * N) * sizeof(double));
    for (int64_t f = 0; f < H; f++) {
        head t;
        bars g = {.q = grads->q + f * N * d, .k = grads->k + f * N * d, .v = grads->v + f * N * d,
                  .l0 = grads->lr + f * N, .l1 = grads->lr + (H + f) * N,
                  .l2 = grads->lr + (2 * H + f) * N, .mu = grads->mu ? grads->mu + f * N : NULL};
        ST_TRY(open_head(&t, x, f, scratch));
        ST_TRY(open_bars(&g, &t, scratch));
        ST_TRY(forward_head(&t, NULL, scratch));
        const double *out_bar = out_grad + f * N * d;
        const int64_t size = set_size(&t), C = x->rule.chunk, tail = t.updates * C;
        read_back(&t, &g, t.W + t.updates * size, out_bar, tail, N - tail);
        for (int64_t c = t.updates - 1; c >= 0; c--) {
            ST_TRY(update_back(&t, &g, c, scratch));
            teach_back(&t, &g, t.W + c * size, c * C);
            read_back(&t, &g, t.W + c * size, out_bar, c * C, C);
        }
        birth_back(&t, &g, (double *const[]){grads->w0 + f * h * d, grads->w2 + f * h * d,
                                             grads->w1 + f * h * d});
        st_arena_rewind(scratch, mark);
    }
    return st_ok();
}
