/* bench_ttt.c - the fast-weight operator: whole passes, and the steps they are made of.
 *
 * FLOP counts are those of the formulas (spec 12.1, 12.6): reading 6 h d per token and head,
 * teaching 12 h d per written token, Newton-Schulz 30 r^3 per matrix and update; backward 16 h d,
 * 30 h d and 40 r^3 (A and B come from the tape). Symmetry that a kernel exploits is not deducted.
 */
#include "bench/bench.h"

#include "kernels/ttt_internal.h"

#include <stdio.h>

enum { PIECE = 64 };

typedef struct ttt_bench {
    st_ttt_rule    rule;
    int64_t        count, border[2];
    st_ttt_borders borders;
    st_ttt_weights weights;
    st_ttt_tokens  tokens;
    st_ttt_grads   grads;
    st_tensor      out, out_grad;
    st_ttt_tape    tape;
    st_ttt_state   state;
    sti_ttt_view   chunk;           /* the first C tokens */
    st_slab        slab, scratch;
} ttt_bench;

static st_status take(ttt_bench *t)
{
    const int64_t H = t->rule.heads, h = t->rule.hidden, d = t->rule.width, L = t->count;
    const int64_t w[] = {H, h, d}, w1[] = {H, d, h}, x[] = {H, L, d};
    const int64_t lr[] = {3, H, L}, mu[] = {H, L};
    st_tensor *const weights[] = {&t->weights.w0, &t->weights.w2, &t->grads.w0, &t->grads.w2};
    st_tensor *const tokens[] = {&t->tokens.q, &t->tokens.k, &t->tokens.v, &t->grads.q,
                                 &t->grads.k, &t->grads.v, &t->out, &t->out_grad};
    for (int i = 0; i < 4; i++)
        ST_TRY(st_slab_take_tensor(&t->slab, weights[i], ST_F32, 3, w));
    ST_TRY(st_slab_take_tensor(&t->slab, &t->weights.w1, ST_F32, 3, w1));
    ST_TRY(st_slab_take_tensor(&t->slab, &t->grads.w1, ST_F32, 3, w1));
    for (int i = 0; i < 8; i++)
        ST_TRY(st_slab_take_tensor(&t->slab, tokens[i], ST_BF16, 3, x));
    ST_TRY(st_slab_take_tensor(&t->slab, &t->tokens.lr, ST_F32, 3, lr));
    ST_TRY(st_slab_take_tensor(&t->slab, &t->grads.lr, ST_F32, 3, lr));
    ST_TRY(st_slab_take_tensor(&t->slab, &t->tokens.mu, ST_F32, 2, mu));
    ST_TRY(st_slab_take_tensor(&t->slab, &t->grads.mu, ST_F32, 2, mu));
    ST_TRY(st_ttt_tape_take(&t->tape, &t->slab, &t->rule, &t->borders));
    return st_ttt_state_take(&t->state, &t->slab, &t->rule);
}

static st_status forward(st_stream *q, void *context)
{
    ttt_bench *t = context;
    return st_ttt_forward(q, &t->out, &t->rule, &t->weights, &t->tokens, &t->borders, NULL,
                          &t->scratch);
}

static st_status both(st_stream *q, void *context)
{
    ttt_bench *t = context;
    ST_TRY(st_ttt_forward(q, &t->out, &t->rule, &t->weights, &t->tokens, &t->borders, &t->tape,
                          &t->scratch));
    return st_ttt_backward(q, &t->grads, &t->out_grad, &t->rule, &t->weights, &t->tokens,
                           &t->borders, &t->tape, &t->scratch);
}

static st_status begin(st_stream *q, void *context)
{
    ttt_bench *t = context;
    return st_ttt_state_begin(q, &t->state, &t->weights);
}

static st_status read_chunk(st_stream *q, void *context)
{
    ttt_bench *t = context;
    return sti_ttt_run_device(q, &t->state, &t->chunk, STI_TTT_APPLY, &t->scratch);
}

static st_status teach_chunk(st_stream *q, void *context)
{
    ttt_bench *t = context;
    return sti_ttt_run_device(q, &t->state, &t->chunk, STI_TTT_WRITE, &t->scratch);
}

static st_status both_chunk(st_stream *q, void *context)
{
    ttt_bench *t = context;
    return sti_ttt_run_device(q, &t->state, &t->chunk, STI_TTT_APPLY | STI_TTT_WRITE, &t->scratch);
}

/* A piece of a stream: 64 tokens. */
static st_status both_piece(st_stream *q, void *context)
{
    ttt_bench *t = context;
    sti_ttt_view piece = t->chunk;
    piece.count = PIECE;
    return sti_ttt_run_device(q, &t->state, &piece, STI_TTT_APPLY | STI_TTT_WRITE, &t->scratch);
}

static st_status fire(st_stream *q, void *context)
{
    ttt_bench *t = context;
    const sti_ttt_slot untaped = {0};
    return sti_ttt_fire_device(q, &t->state, &untaped, &t->scratch);
}

static st_status measure(bench *b, ttt_bench *t)
{
    const double H = (double)t->rule.heads, hd = (double)sti_ttt_matrix(&t->rule);
    const double side = (double)t->rule.width, L = (double)t->count, C = (double)t->rule.chunk;
    const double updates = (double)st_ttt_update_count(t->count, t->rule.chunk);
    const double written = updates * C, all = 3.0 * H * hd;
    const double muon = 3.0 * H * side * side * side;
    const double ahead = H * hd * (6.0 * L + 12.0 * written) + 30.0 * muon * updates;
    const double back = H * hd * (16.0 * L + 30.0 * written) + 40.0 * muon * updates;
    char shape[96];
    snprintf(shape, sizeof shape, "H%d d%d h%d C%d L%d", (int)t->rule.heads, (int)t->rule.width,
             (int)t->rule.hidden, (int)t->rule.chunk, (int)t->count);
    bench_row rows[] = {
        {"ttt_forward", shape, .flop = ahead, .bytes = 8.0 * H * side * L + 4.0 * all},
        {"ttt_forward_backward", shape, .flop = ahead + back, .bytes = 0},
        {"ttt_begin", shape, .bytes = 14.0 * all},
        {"ttt_read_chunk", shape, .flop = 6.0 * H * hd * C},
        {"ttt_teach_chunk", shape, .flop = 12.0 * H * hd * C},
        {"ttt_run_chunk", shape, .flop = 18.0 * H * hd * C},
        {"ttt_run_piece", shape, .flop = 18.0 * H * hd * PIECE},
        {"ttt_fire", shape, .flop = 30.0 * muon},
    };
    bench_work *const work[] = {forward, both, begin, read_chunk, teach_chunk, both_chunk,
                                both_piece, fire};
    ST_TRY(begin(b->q, t));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (bench_wants(b, rows[i].kernel) && (i < 2 || t->count < 4 * t->rule.chunk + 1))
            ST_TRY(bench_run(b, &rows[i], work[i], t));
    return st_ok();
}

static st_status bench_shape(bench *b, int64_t chunk, int64_t count)
{
    ttt_bench t = {.rule = {4, 512, 512, chunk, ST_TTT_PRENORM, ST_TTT_MUON, ST_TTT_MOMENTUM,
                            ST_TTT_FAST},
                   .count = count, .border = {0, count}};
    t.borders = (st_ttt_borders){t.border, 1};
    st_slab_plan(&t.slab, "ttt bench", ST_PLACE_DEVICE);
    ST_TRY(take(&t));
    ST_TRY(st_slab_create(b->q, &t.slab));
    ST_TRY(take(&t));
    st_slab_plan(&t.scratch, "ttt scratch", ST_PLACE_DEVICE);
    ST_TRY(st_ttt_forward_plan(&t.scratch, &t.rule, count));
    ST_TRY(st_ttt_backward_plan(&t.scratch, &t.rule, count));
    ST_TRY(st_slab_create(b->q, &t.scratch));

    st_tensor *const uniform[] = {&t.weights.w0, &t.weights.w1, &t.weights.w2, &t.tokens.q,
                                  &t.tokens.k, &t.tokens.v, &t.tokens.lr, &t.tokens.mu,
                                  &t.out_grad, &t.grads.w0, &t.grads.w1, &t.grads.w2};
    for (int i = 0; i < 12; i++)
        ST_TRY(bench_fill(b, uniform[i], i < 3 ? 0.07f : i < 5 ? 0.07f : i == 6 ? 0.01f : 0.5f));
    const float *lr = t.tokens.lr.data;
    t.chunk = (sti_ttt_view){.q = t.tokens.q.data, .k = t.tokens.k.data, .v = t.tokens.v.data,
                             .out = t.out.data,
                             .lr = {lr, lr + 4 * count, lr + 8 * count}, .mu = t.tokens.mu.data,
                             .count = chunk, .head_step = count * 512, .gate_step = count};
    const st_status s = measure(b, &t);
    st_slab_free(b->q, &t.slab);
    st_slab_free(b->q, &t.scratch);
    return s;
}

st_status bench_ttt(bench *b)
{
    if (!bench_wants(b, "ttt"))
        return st_ok();
    ST_TRY(bench_shape(b, 2648, 10592));
    ST_TRY(bench_shape(b, 2048, 16384));
    return bench_shape(b, 2648, 42368);
}
