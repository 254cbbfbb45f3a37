/* prep.c - checks, dispatch, and the CPU body: head by head, a cell's 27 taps over whole heads.
 *
 * The convolution's border repeats what is inside, so every cell has all its taps, and scale and
 * offset may be taken after the sum: conv(x*s + o) = s * conv(x) + o * sum(taps). The gradients
 * by taps, scale and offset all follow from two sums per channel,
 *
 *     reach[tap] = sum_cells c_bar * x[tap's row]         total = sum_cells c_bar.
 */
#include "kernels/prep.h"

#include "kernels/around_internal.h"
#include "kernels/prep_internal.h"

#include <math.h>
#include <string.h>

enum { D_MAX = 128 };

/* The learned numbers of one attention head, taps outermost. */
typedef struct head_weights {
    float tap[ST_CONV_TAPS][D_MAX], scale[D_MAX], offset[D_MAX], tap_sum[D_MAX];
} head_weights;

static void head_weights_get(head_weights *w, const sti_prep *p, const sti_prep_lane *l, int64_t h)
{
    for (int64_t c = 0; c < p->D; c++) {
        const int64_t at = h * p->D + c;
        w->scale[c]  = l->scale ? ((const float *)l->scale)[at] : 1.0f;
        w->offset[c] = l->offset ? ((const float *)l->offset)[at] : 0.0f;
        double sum = 0.0;
        for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
            const float one = tap == ST_CONV_TAPS / 2 ? 1.0f : 0.0f;
            w->tap[tap][c] = l->conv ? ((const float *)l->conv)[at * ST_CONV_TAPS + tap] : one;
            sum += w->tap[tap][c];
        }
        w->tap_sum[c] = (float)sum;
    }
}

static int64_t clamp(int64_t x, int64_t high)
{
    return x < 0 ? 0 : x < high ? x : high - 1;
}

/* Rows that the taps of a cell read, in tap order. */
static void tap_rows(int64_t rows[ST_CONV_TAPS], const st_grid *g, int64_t cell)
{
    const int64_t base[3] = {g->before, g->row, g->after};
    for (int tap = 0; tap < ST_CONV_TAPS; tap++)
        rows[tap] = base[tap / 9] + clamp(cell / g->w + tap / 3 % 3 - 1, g->h) * g->w +
                    clamp(cell % g->w + tap % 3 - 1, g->w);
}

/* Call body(row, rows) for every row that the problem names: `rows` are its taps' rows, or NULL
 * where nothing is mixed. */
#define FOR_EACH_ROW(p, l, row, taps, body)                                                       \
    do {                                                                                          \
        for (int64_t g_ = 0; g_ < (p)->G; g_++)                                                   \
            for (int64_t cell_ = 0; cell_ < (int64_t)(p)->grids[g_].h * (p)->grids[g_].w;         \
                 cell_++) {                                                                       \
                int64_t        rows_[ST_CONV_TAPS];                                               \
                const int64_t *taps = (l)->conv ? rows_ : NULL;                                   \
                const int64_t  row  = (p)->grids[g_].row + cell_;                                 \
                if (taps)                                                                         \
                    tap_rows(rows_, &(p)->grids[g_], cell_);                                      \
                body;                                                                             \
            }                                                                                     \
        for (int64_t r_ = 0; r_ < (p)->R; r_++) {                                                 \
            const int64_t *taps = NULL;                                                           \
            const int64_t  row  = (p)->rest[r_];                                                  \
            body;                                                                                 \
        }                                                                                         \
    } while (0)

/* b[c] of one row and head: taps, then scale and offset. x is the head's first channel. */
static void mix_row(float *b, const float *x, int64_t x_row, int64_t row, const int64_t *taps,
                    const head_weights *w, int64_t D)
{
    if (!taps) {
        for (int64_t c = 0; c < D; c++)
            b[c] = x[row * x_row + c] * w->scale[c] + w->offset[c];
        return;
    }
    float sum[D_MAX] = {0};
    for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
        const float *from = x + taps[tap] * x_row, *k = w->tap[tap];
        for (int64_t c = 0; c < D; c++)
            sum[c] += k[c] * from[c];
    }
    for (int64_t c = 0; c < D; c++)
        b[c] = sum[c] * w->scale[c] + w->offset[c] * w->tap_sum[c];
}

static float silu(float x)
{
    return x / (1.0f + expf(-x));
}

/* What follows the convolution, in place over one fast-weight head of input row `row`. */
static void finish_row(float *y, int64_t row, const sti_prep *p, const sti_prep_lane *l)
{
    if (l->silu)
        for (int64_t c = 0; c < p->d; c++)
            y[c] = silu(y[c]);
    if (!l->key)
        return;
    double square = 0.0;
    for (int64_t c = 0; c < p->d; c++)
        square += (double)y[c] * y[c];
    const float scale = (float)(1.0 / (sqrt(square) + STI_PREP_NORM_EPS));
    for (int64_t c = 0; c < p->d; c++)
        y[c] *= scale;
    if (p->cosine)
        sti_rotary_turn(y, y, p->cosine + row * (p->D / 2), p->sine + row * (p->D / 2), p->D / 2,
                        1.0f);
}

static void forward_lane(float *y, const sti_prep *p, const sti_prep_lane *l)
{
    const int64_t x_row = l->Hin * p->D;
    for (int64_t h = 0; h < p->H; h++) {
        head_weights w;
        head_weights_get(&w, p, l, h);
        const float  *x = (const float *)l->x + h / (p->H / l->Hin) * p->D;
        const int64_t f = h * p->D / p->d, within = h * p->D % p->d;
        FOR_EACH_ROW(p, l, row, taps,
                     mix_row(y + (f * p->L + row - p->first) * p->d + within, x, x_row, row, taps,
                             &w, p->D));
    }
    for (int64_t f = 0; f < p->F; f++)
        FOR_EACH_ROW(p, l, row, taps, {
            (void)taps;
            finish_row(y + (f * p->L + row - p->first) * p->d, row, p, l);
        });
}

/* From b in c_bar to the gradient by b, over one fast-weight head. */
static void unfinish_row(float *c_bar, const float *y_bar, int64_t row, const sti_prep *p,
                         const sti_prep_lane *l)
{
    enum { D_FAST_MAX = 1024 };
    float g[D_FAST_MAX];
    memcpy(g, y_bar, (size_t)p->d * sizeof *g);
    if (l->key && p->cosine)
        sti_rotary_turn(g, g, p->cosine + row * (p->D / 2), p->sine + row * (p->D / 2), p->D / 2,
                        -1.0f);

    double square = 0.0, along = 0.0;
    for (int64_t c = 0; c < p->d; c++) {
        const double s = l->silu ? silu(c_bar[c]) : c_bar[c];
        square += s * s;
        along += s * g[c];
    }
    const double n = sqrt(square), e = n + STI_PREP_NORM_EPS;
    const double keep = l->key ? 1.0 / e : 1.0;
    const double pull = l->key && n > 0.0 ? along / (n * e * e) : 0.0;
    for (int64_t c = 0; c < p->d; c++) {
        const double b = c_bar[c], sigma = 1.0 / (1.0 + exp(-b));
        const double s = l->silu ? b * sigma : b;
        const double slope = l->silu ? sigma * (1.0 + b * (1.0 - sigma)) : 1.0;
        c_bar[c] = (float)((g[c] * keep - s * pull) * slope);
    }
}

/* Sums of one head over all rows. */
typedef struct head_sums {
    double reach[ST_CONV_TAPS][D_MAX], total[D_MAX];    /* rows that are mixed     */
    double reach_rest[D_MAX], total_rest[D_MAX];        /* rows taken as they are  */
} head_sums;

static void unmix_row(float *x_bar, head_sums *sums, const float *c_bar, const float *x,
                      int64_t x_row, int64_t row, const int64_t *taps, const head_weights *w,
                      int64_t D)
{
    if (!taps) {
        for (int64_t c = 0; c < D; c++) {
            x_bar[row * x_row + c] += w->scale[c] * c_bar[c];
            sums->reach_rest[c] += (double)c_bar[c] * x[row * x_row + c];
            sums->total_rest[c] += c_bar[c];
        }
        return;
    }
    for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
        const float *from = x + taps[tap] * x_row, *k = w->tap[tap];
        float       *to = x_bar + taps[tap] * x_row;
        double      *reach = sums->reach[tap];
        for (int64_t c = 0; c < D; c++) {
            to[c] += k[c] * w->scale[c] * c_bar[c];
            reach[c] += (double)c_bar[c] * from[c];
        }
    }
    for (int64_t c = 0; c < D; c++)
        sums->total[c] += c_bar[c];
}

static void head_gradients_add(const sti_prep_lane_bar *bar, const head_sums *sums,
                               const head_weights *w, int64_t D, int64_t h)
{
    for (int64_t c = 0; c < D; c++) {
        const int64_t at = h * D + c;
        double by_scale = sums->reach_rest[c];
        for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
            by_scale += w->tap[tap][c] * sums->reach[tap][c];
            if (bar->conv)
                bar->conv[at * ST_CONV_TAPS + tap] += (float)(
                    w->scale[c] * sums->reach[tap][c] + w->offset[c] * sums->total[c]);
        }
        if (bar->scale) {
            bar->scale[at] += (float)by_scale;
            bar->offset[at] +=
                (float)(sums->total_rest[c] + w->tap_sum[c] * sums->total[c]);
        }
    }
}

static void backward_lane(const sti_prep *p, const sti_prep_lane *l, const sti_prep_lane_bar *bar)
{
    const int64_t x_row = l->Hin * p->D, C = p->H * p->D;
    float        *c_bar = bar->c_bar, *x_bar = bar->x_bar;
    for (int64_t h = 0; h < p->H; h++) {
        head_weights w;
        head_weights_get(&w, p, l, h);
        const float *x = (const float *)l->x + h / (p->H / l->Hin) * p->D;
        FOR_EACH_ROW(p, l, row, taps,
                     mix_row(c_bar + row * C + h * p->D, x, x_row, row, taps, &w, p->D));
    }
    for (int64_t f = 0; f < p->F; f++)
        FOR_EACH_ROW(p, l, row, taps, {
            (void)taps;
            unfinish_row(c_bar + row * C + f * p->d,
                         (const float *)bar->y_bar + (f * p->T + row) * p->d, row, p, l);
        });

    memset(x_bar, 0, (size_t)(p->T * x_row) * sizeof *x_bar);
    for (int64_t h = 0; h < p->H; h++) {
        head_weights w;
        head_sums    sums;
        head_weights_get(&w, p, l, h);
        memset(&sums, 0, sizeof sums);
        const int64_t from = h / (p->H / l->Hin) * p->D;
        FOR_EACH_ROW(p, l, row, taps,
                     unmix_row(x_bar + from, &sums, c_bar + row * C + h * p->D,
                               (const float *)l->x + from, x_row, row, taps, &w, p->D));
        head_gradients_add(bar, &sums, &w, p->D, h);
    }
}

/* --- checks --- */

static st_status check_grid(const st_grid *g, const sti_prep *p, int64_t index)
{
    const int64_t first[3] = {g->before, g->row, g->after};
    if (g->h < 1 || g->w < 1)
        return ST_FAIL(ST_ERR_DATA, "prep: grid %lld has %d x %d cells", (long long)index, g->h,
                       g->w);
    const int64_t cells = (int64_t)g->h * g->w;
    for (int k = 0; k < 3; k++)
        if (first[k] < 0 || first[k] > p->T - cells)
            return ST_FAIL(ST_ERR_DATA, "prep: grid %lld reads rows %lld to %lld of %lld",
                           (long long)index, (long long)first[k],
                           (long long)(first[k] + cells - 1), (long long)p->T);
    if (g->row < p->first || g->row + cells > p->first + p->L)
        return ST_FAIL(ST_ERR_DATA, "prep: grid %lld lies outside the answer's rows",
                       (long long)index);
    return st_ok();
}

static st_status check_rows(const sti_prep *p)
{
    for (int64_t g = 0; g < p->G; g++)
        ST_TRY(check_grid(&p->grids[g], p, g));
    for (int64_t r = 0; r < p->R; r++)
        if (p->rest[r] < p->first || p->rest[r] >= p->first + p->L)
            return ST_FAIL(ST_ERR_DATA, "prep: row %d lies outside the answer's rows %lld to %lld",
                           p->rest[r], (long long)p->first, (long long)(p->first + p->L - 1));
    return st_ok();
}

static st_status check_lane(sti_prep_lane *l, const char *name, const st_tensor *x, int64_t C,
                            const st_tensor *scale, const st_tensor *offset, const st_tensor *conv)
{
    if (scale) {
        ST_TRY(st_tensor_expect(scale, "scale", x->dtype, 1, (int64_t[]){C}));
        ST_TRY(st_tensor_expect(offset, "offset", x->dtype, 1, (int64_t[]){C}));
    }
    if (conv)
        ST_TRY(st_tensor_expect(conv, "conv", x->dtype, 2, (int64_t[]){C, ST_CONV_TAPS}));
    *l = (sti_prep_lane){x->data, x->shape[1], scale ? scale->data : NULL,
                         scale ? offset->data : NULL, conv ? conv->data : NULL, true, true};
    if (l->Hin < 1 || C / x->shape[2] % l->Hin)
        return ST_FAIL(ST_ERR_DATA, "prep: %s has %lld heads, which do not divide %lld", name,
                       (long long)l->Hin, (long long)(C / x->shape[2]));
    return st_ok();
}

/* Shapes of a problem; `y` is any of the answers. */
static st_status check(sti_prep *p, sti_prep_lane lane[3], const st_tensor *y, const st_tensor *q,
                       const st_tensor *k, const st_tensor *v, const st_prep_weights *w,
                       const st_prep_tokens *tokens)
{
    const st_dtype dtype = sti_activation(q);
    ST_TRY(st_tensor_expect(q, "q", dtype, 3, (int64_t[]){-1, -1, -1}));
    ST_TRY(st_tensor_expect(k, "k", dtype, 3, (int64_t[]){q->shape[0], -1, q->shape[2]}));
    ST_TRY(st_tensor_expect(v, "v", dtype, 3, k->shape));
    ST_TRY(st_tensor_expect(y, "q_out", dtype, 3, (int64_t[]){-1, -1, -1}));
    *p = (sti_prep){.T = q->shape[0], .H = q->shape[1], .D = q->shape[2], .F = y->shape[0],
                    .d = y->shape[2], .L = y->shape[1], .first = tokens->first};
    const int64_t C = p->H * p->D;
    if (p->F * p->d != C || p->D < 2 || p->D > D_MAX || p->D % 2 || p->d % p->D || p->d > 1024)
        return ST_FAIL(ST_ERR_DATA,
                       "prep: %lld heads of %lld channels do not make %lld fast-weight heads of "
                       "%lld", (long long)p->H, (long long)p->D, (long long)p->F, (long long)p->d);
    if (p->first < 0 || p->first + p->L > p->T)
        return ST_FAIL(ST_ERR_USAGE, "prep: rows %lld to %lld are not among %lld",
                       (long long)p->first, (long long)(p->first + p->L - 1), (long long)p->T);
    ST_TRY(check_lane(&lane[0], "q", q, C, w->q_scale, w->q_offset, w->q_conv));
    ST_TRY(check_lane(&lane[1], "k", k, C, w->k_scale, w->k_offset, w->k_conv));
    ST_TRY(check_lane(&lane[2], "v", v, C, NULL, NULL, w->v_conv));
    lane[0].silu = lane[1].silu = tokens->squash == ST_PREP_SQUASH_SILU;
    lane[2].silu = lane[0].silu && tokens->value == ST_PREP_VALUE_SILU;
    if (q->place == ST_PLACE_DEVICE && !lane[0].silu)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "prep: on the device q and k always go through silu");
    lane[2].key  = false;
    if (!w->q_conv != !w->k_conv || !w->q_conv != !w->v_conv)
        return ST_FAIL(ST_ERR_USAGE, "prep: convolutions come for q, k and v or for none");
    if (tokens->grids) {
        ST_TRY(st_tensor_expect(tokens->grids, "grids", ST_I32, 2,
                                (int64_t[]){-1, ST_GRID_INTS}));
        p->grids = tokens->grids->data;
        p->G     = tokens->grids->shape[0];
    }
    if (tokens->rest) {
        ST_TRY(st_tensor_expect(tokens->rest, "rest", ST_I32, 1, (int64_t[]){-1}));
        p->rest = tokens->rest->data;
        p->R    = tokens->rest->shape[0];
    }
    if (tokens->cosine) {
        const int64_t table[] = {p->T, p->D / 2};
        ST_TRY(st_tensor_expect(tokens->cosine, "cosine", ST_F32, 2, table));
        ST_TRY(st_tensor_expect(tokens->sine, "sine", ST_F32, 2, table));
        p->cosine = tokens->cosine->data;
        p->sine   = tokens->sine->data;
    }
    return q->place == ST_PLACE_HOST ? check_rows(p) : st_ok();
}

st_status st_prep_forward(st_stream *stream, st_tensor *q_out, st_tensor *k_out, st_tensor *v_out,
                          const st_tensor *q, const st_tensor *k, const st_tensor *v,
                          const st_prep_weights *weights, const st_prep_tokens *tokens)
{
    sti_prep      p;
    sti_prep_lane lane[3];
    ST_TRY(sti_expect_place(stream, q));
    ST_TRY(check(&p, lane, q_out, q, k, v, weights, tokens));
    ST_TRY(st_tensor_expect(k_out, "k_out", q->dtype, 3, q_out->shape));
    ST_TRY(st_tensor_expect(v_out, "v_out", q->dtype, 3, q_out->shape));
    void *const y[3] = {q_out->data, k_out->data, v_out->data};
    if (q->place == ST_PLACE_DEVICE)
        return sti_prep_forward_cuda(stream, y, &p, lane);
    for (int i = 0; i < 3; i++)
        forward_lane(y[i], &p, &lane[i]);
    return st_ok();
}

/* A parameter's gradient: f32, and there when the parameter is. */
static st_status gradient(float **data, const st_tensor *bar, const char *name,
                          const st_tensor *parameter)
{
    *data = NULL;
    if (!bar || !parameter)
        return st_ok();
    ST_TRY(st_tensor_expect(bar, name, ST_F32, parameter->rank, parameter->shape));
    *data = bar->data;
    return st_ok();
}

st_status st_prep_backward(st_stream *stream, st_tensor *q_bar, st_tensor *k_bar, st_tensor *v_bar,
                           const st_prep_gradients *gradients, st_tensor *scratch,
                           const st_tensor *q_out_bar, const st_tensor *k_out_bar,
                           const st_tensor *v_out_bar, const st_tensor *q, const st_tensor *k,
                           const st_tensor *v, const st_prep_weights *weights,
                           const st_prep_tokens *tokens)
{
    sti_prep          p;
    sti_prep_lane     lane[3];
    sti_prep_lane_bar bar[3];
    ST_TRY(sti_expect_place(stream, q));
    ST_TRY(check(&p, lane, q_out_bar, q, k, v, weights, tokens));
    ST_TRY(st_tensor_expect(k_out_bar, "k_out_bar", q->dtype, 3, q_out_bar->shape));
    ST_TRY(st_tensor_expect(v_out_bar, "v_out_bar", q->dtype, 3, q_out_bar->shape));
    ST_TRY(st_tensor_expect(q_bar, "q_bar", q->dtype, 3, q->shape));
    ST_TRY(st_tensor_expect(k_bar, "k_bar", q->dtype, 3, k->shape));
    ST_TRY(st_tensor_expect(v_bar, "v_bar", q->dtype, 3, v->shape));
    ST_TRY(st_tensor_expect(scratch, "scratch", q->dtype, 3, (int64_t[]){3, p.T, p.H * p.D}));
    if (p.first != 0 || p.L != p.T)
        return ST_FAIL(ST_ERR_USAGE, "prep: the backward pass wants a whole sequence");

    memset(bar, 0, sizeof bar);
    ST_TRY(gradient(&bar[0].scale, gradients->q_scale, "q_scale_bar", weights->q_scale));
    ST_TRY(gradient(&bar[0].offset, gradients->q_offset, "q_offset_bar", weights->q_offset));
    ST_TRY(gradient(&bar[1].scale, gradients->k_scale, "k_scale_bar", weights->k_scale));
    ST_TRY(gradient(&bar[1].offset, gradients->k_offset, "k_offset_bar", weights->k_offset));
    ST_TRY(gradient(&bar[0].conv, gradients->q_conv, "q_conv_bar", weights->q_conv));
    ST_TRY(gradient(&bar[1].conv, gradients->k_conv, "k_conv_bar", weights->k_conv));
    ST_TRY(gradient(&bar[2].conv, gradients->v_conv, "v_conv_bar", weights->v_conv));
    const st_tensor *x_bar[3] = {q_bar, k_bar, v_bar};
    const st_tensor *y_bar[3] = {q_out_bar, k_out_bar, v_out_bar};
    const size_t     plane = st_tensor_bytes(scratch) / 3;
    for (int i = 0; i < 3; i++) {
        bar[i].x_bar = x_bar[i]->data;
        bar[i].y_bar = y_bar[i]->data;
        bar[i].c_bar = (char *)scratch->data + (size_t)i * plane;
    }
    if (q->place == ST_PLACE_DEVICE)
        return sti_prep_backward_cuda(stream, &p, lane, bar);
    for (int i = 0; i < 3; i++)
        backward_lane(&p, &lane[i], &bar[i]);
    return st_ok();
}
