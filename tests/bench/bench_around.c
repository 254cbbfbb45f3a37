/* bench_around.c - the operators around the fast weights, at the 2B shape of 128 frames. */
#include "bench/bench.h"

#include "kernels/attention.h"
#include "kernels/gates.h"
#include "kernels/prep.h"
#include "kernels/rotary.h"

/* 64 grids of 11 x 15 video tokens, each after eight others, and a question: model.md 12. */
enum { GRIDS = 64, ROWS = 11, COLUMNS = 15, CELLS = ROWS * COLUMNS, T = 11088 };
enum { H = 16, HKV = 8, D = 128, F = 4, d = 512, C = H * D, CKV = HKV * D, WINDOW = 2648 };
enum { REST = T - GRIDS * CELLS };
enum { CACHE = 65536 };         /* keys that an anchor layer keeps: 380 grids of two frames */

typedef struct around {
    st_tensor q, k, v, out, lse, q_bar, k_bar, v_bar, out_bar;      /* attention's           */
    st_tensor normed, weight, weight_bar, cosine, sine, position;   /* head norm and rotary  */
    st_tensor y[3], y_bar[3], conv[3], conv_bar[3], affine[4], affine_bar[4], scratch;
    st_tensor grids, rest;                                          /* prep's                */
    st_tensor o, o_bar, readout_weight, readout_weight_bar;         /* read-out's            */
    st_tensor z[3], z_bar[3], gate[3], gate_bar[3];
    st_tensor one_q, one_out, k_cache, v_cache;                     /* a token being decoded */
    st_attention how;
} around;

static st_status take(st_slab *slab, st_tensor *x, st_dtype dtype, int rank, int64_t a, int64_t b,
                      int64_t c)
{
    return st_slab_take_tensor(slab, x, dtype, rank, (int64_t[]){a, b, c});
}

static st_status take_all(st_slab *slab, around *a)
{
    st_tensor *wide[] = {&a->q, &a->out, &a->q_bar, &a->out_bar, &a->normed};
    st_tensor *narrow[] = {&a->k, &a->v, &a->k_bar, &a->v_bar};
    for (int i = 0; i < 5; i++)
        ST_TRY(take(slab, wide[i], ST_BF16, 3, T, H, D));
    for (int i = 0; i < 4; i++)
        ST_TRY(take(slab, narrow[i], ST_BF16, 3, T, HKV, D));
    ST_TRY(take(slab, &a->lse, ST_F32, 2, H, T, 0));
    ST_TRY(take(slab, &a->weight, ST_BF16, 1, D, 0, 0));
    ST_TRY(take(slab, &a->weight_bar, ST_F32, 1, D, 0, 0));
    ST_TRY(take(slab, &a->cosine, ST_F32, 2, T, D / 2, 0));
    ST_TRY(take(slab, &a->sine, ST_F32, 2, T, D / 2, 0));
    ST_TRY(take(slab, &a->position, ST_I64, 2, 3, T, 0));
    for (int i = 0; i < 3; i++) {
        ST_TRY(take(slab, &a->y[i], ST_BF16, 3, F, T, d));
        ST_TRY(take(slab, &a->y_bar[i], ST_BF16, 3, F, T, d));
        ST_TRY(take(slab, &a->conv[i], ST_BF16, 2, C, ST_CONV_TAPS, 0));
        ST_TRY(take(slab, &a->conv_bar[i], ST_F32, 2, C, ST_CONV_TAPS, 0));
        ST_TRY(take(slab, &a->z[i], ST_BF16, 2, T, i ? F : 3 * F, 0));
        ST_TRY(take(slab, &a->z_bar[i], ST_BF16, 2, T, i ? F : 3 * F, 0));
        ST_TRY(i ? take(slab, &a->gate[i], ST_F32, 2, F, T, 0)
                 : take(slab, &a->gate[i], ST_F32, 3, 3, F, T));
        ST_TRY(i ? take(slab, &a->gate_bar[i], ST_F32, 2, F, T, 0)
                 : take(slab, &a->gate_bar[i], ST_F32, 3, 3, F, T));
    }
    for (int i = 0; i < 4; i++) {
        ST_TRY(take(slab, &a->affine[i], ST_BF16, 1, C, 0, 0));
        ST_TRY(take(slab, &a->affine_bar[i], ST_F32, 1, C, 0, 0));
    }
    ST_TRY(take(slab, &a->scratch, ST_BF16, 3, 3, T, C));
    ST_TRY(take(slab, &a->grids, ST_I32, 2, GRIDS, ST_GRID_INTS, 0));
    ST_TRY(take(slab, &a->rest, ST_I32, 1, REST, 0, 0));
    ST_TRY(take(slab, &a->o, ST_BF16, 3, F, T, d));
    ST_TRY(take(slab, &a->o_bar, ST_BF16, 3, F, T, d));
    ST_TRY(take(slab, &a->readout_weight, ST_BF16, 1, d, 0, 0));
    ST_TRY(take(slab, &a->readout_weight_bar, ST_F32, 1, d, 0, 0));
    ST_TRY(take(slab, &a->one_q, ST_BF16, 3, 1, H, D));
    ST_TRY(take(slab, &a->one_out, ST_BF16, 3, 1, H, D));
    ST_TRY(take(slab, &a->k_cache, ST_BF16, 3, CACHE, HKV, D));
    return take(slab, &a->v_cache, ST_BF16, 3, CACHE, HKV, D);
}

static st_status fill_all(bench *b, around *a)
{
    st_tensor *random[] = {&a->q, &a->k, &a->v, &a->out_bar, &a->weight, &a->normed, &a->o,
                           &a->readout_weight, &a->y_bar[0], &a->y_bar[1], &a->y_bar[2],
                           &a->conv[0], &a->conv[1], &a->conv[2], &a->affine[0], &a->affine[1],
                           &a->affine[2], &a->affine[3], &a->z[0], &a->z[1], &a->z[2],
                           &a->gate_bar[0], &a->gate_bar[1], &a->gate_bar[2], &a->one_q,
                           &a->k_cache, &a->v_cache};
    for (size_t i = 0; i < sizeof random / sizeof random[0]; i++)
        ST_TRY(bench_fill(b, random[i], 1.0f));

    static st_grid grids[GRIDS];
    static int32_t rest[REST];
    static int64_t position[3 * T];
    int            count = 0;
    for (int g = 0; g < GRIDS; g++) {
        const int32_t stride = CELLS + 8, row = 8 + g * stride;
        grids[g] = (st_grid){row, ROWS, COLUMNS, g ? row - stride : row,
                             g + 1 < GRIDS ? row + stride : row};
    }
    for (int32_t t = 0; t < T; t++)
        if (t >= GRIDS * (CELLS + 8) || t % (CELLS + 8) < 8)
            rest[count++] = t;
    for (int i = 0; i < 3 * T; i++)
        position[i] = i % T;
    ST_TRY(st_copy_bytes(b->q, a->grids.data, ST_PLACE_DEVICE, grids, ST_PLACE_HOST, sizeof grids));
    ST_TRY(st_copy_bytes(b->q, a->rest.data, ST_PLACE_DEVICE, rest, ST_PLACE_HOST, sizeof rest));
    ST_TRY(st_copy_bytes(b->q, a->position.data, ST_PLACE_DEVICE, position, ST_PLACE_HOST,
                         sizeof position));
    a->how = (st_attention){.window = WINDOW, .scale = 0.08838835f};
    return st_stream_wait(b->q);
}

static st_status text_table(st_stream *q, void *context)
{
    around *a = context;
    return st_rotary_text_table(q, &a->cosine, &a->sine, &a->position, (int[]){24, 20, 20}, 5e6);
}

static st_status norm_q(st_stream *q, void *context)
{
    around *a = context;
    return st_head_norm(q, &a->normed, &a->out, &a->q, &a->weight, &a->cosine, &a->sine, 1e-6f);
}

static st_status norm_q_backward(st_stream *q, void *context)
{
    around *a = context;
    return st_head_norm_backward(q, &a->q_bar, &a->weight_bar, &a->normed, &a->out_bar, &a->q,
                                 &a->weight, &a->cosine, &a->sine, 1e-6f);
}

static st_status attend(st_stream *q, void *context)
{
    around *a = context;
    return st_attention_forward(q, &a->out, &a->lse, &a->q, &a->k, &a->v, &a->how);
}

static st_status attend_backward(st_stream *q, void *context)
{
    around *a = context;
    return st_attention_backward(q, &a->q_bar, &a->k_bar, &a->v_bar, &a->out_bar, &a->q, &a->k,
                                 &a->v, &a->out, &a->lse, &a->how);
}

/* One token's queries against a full cache: what a step of decoding does in an anchor layer; and,
 * seeing one window only, in the others. */
static st_status decode(st_stream *q, void *context)
{
    around *a = context;
    return st_attention_cached(q, &a->one_out, &a->one_q, &a->k_cache, &a->v_cache, CACHE - 1, 0,
                               0, a->how.scale);
}

static st_status decode_window(st_stream *q, void *context)
{
    around *a = context;
    return st_attention_cached(q, &a->one_out, &a->one_q, &a->k_cache, &a->v_cache, CACHE - 1, 0,
                               WINDOW, a->how.scale);
}

static st_prep_weights prep_weights(const around *a)
{
    return (st_prep_weights){&a->affine[0], &a->affine[1], &a->affine[2], &a->affine[3],
                             &a->conv[0], &a->conv[1], &a->conv[2]};
}

static st_prep_tokens prep_tokens(const around *a)
{
    return (st_prep_tokens){&a->grids, &a->rest, 0, &a->cosine, &a->sine, ST_PREP_VALUE_SILU};
}

static st_status prepare(st_stream *q, void *context)
{
    around *a = context;
    const st_prep_weights weights = prep_weights(a);
    const st_prep_tokens  tokens = prep_tokens(a);
    return st_prep_forward(q, &a->y[0], &a->y[1], &a->y[2], &a->q, &a->k, &a->v, &weights,
                           &tokens);
}

static st_status prepare_backward(st_stream *q, void *context)
{
    around *a = context;
    const st_prep_weights   weights = prep_weights(a);
    const st_prep_tokens    tokens = prep_tokens(a);
    const st_prep_gradients gradients = {&a->affine_bar[0], &a->affine_bar[1], &a->affine_bar[2],
                                         &a->affine_bar[3], &a->conv_bar[0], &a->conv_bar[1],
                                         &a->conv_bar[2]};
    return st_prep_backward(q, &a->q_bar, &a->k_bar, &a->v_bar, &gradients, &a->scratch,
                            &a->y_bar[0], &a->y_bar[1], &a->y_bar[2], &a->q, &a->k, &a->v,
                            &weights, &tokens);
}

static st_status gates(st_stream *q, void *context)
{
    around *a = context;
    return st_gates_forward(q, &a->gate[0], &a->gate[1], &a->gate[2], &a->z[0], &a->z[1],
                            &a->z[2]);
}

static st_status gates_back(st_stream *q, void *context)
{
    around *a = context;
    return st_gates_backward(q, &a->z_bar[0], &a->z_bar[1], &a->z_bar[2], &a->gate_bar[0],
                             &a->gate_bar[1], &a->gate_bar[2], &a->z[0], &a->z[1], &a->z[2]);
}

/* The answer and attention's are rows of C, whatever heads they have. */
static st_tensor flat(const st_tensor *x)
{
    st_tensor y = *x;
    y.rank = 2;
    y.shape[1] = C;
    return y;
}

static st_status read_out(st_stream *q, void *context)
{
    around   *a = context;
    st_tensor out = flat(&a->q_bar), base = flat(&a->out);
    return st_readout_forward(q, &out, &base, &a->o, &a->readout_weight, &a->gate[2]);
}

static st_status read_out_backward(st_stream *q, void *context)
{
    around         *a = context;
    const st_tensor out_bar = flat(&a->out_bar);
    return st_readout_backward(q, &a->o_bar, &a->gate_bar[2], &a->readout_weight_bar, &out_bar,
                               &a->o, &a->readout_weight, &a->gate[2]);
}

/* Pairs that a causal window lets meet. */
static double pairs(double window)
{
    return T * window - window * (window - 1) / 2;
}

static st_status run_rows(bench *b, around *a)
{
    const double row = 2.0 * C, row_kv = 2.0 * CKV, table = 2.0 * 4 * (D / 2);   /* bytes */
    const double attention = 4.0 * D * H * pairs(WINDOW);
    const struct {
        bench_row   row;
        bench_work *work;
    } rows[] = {
        {{"rotary_text_table", "T=11088 J=64", .bytes = T * (table + 24)}, text_table},
        {{"head_norm", "T=11088 H=16 D=128", .bytes = T * (3 * row + table)}, norm_q},
        {{"head_norm_backward", "T=11088 H=16 D=128", .bytes = T * (4 * row + table)},
         norm_q_backward},
        {{"attention", "T=11088 W=2648 16/8x128", .flop = attention,
          .bytes = T * 2 * (row + row_kv)}, attend},
        {{"attention_backward", "T=11088 W=2648 16/8x128", .flop = 2.5 * attention,
          .bytes = T * 4 * (row + row_kv)}, attend_backward},
        {{"attention_cached", "T=1 S=65536 16/8x128", .flop = 4.0 * D * H * CACHE,
          .bytes = 2 * row + 2 * CACHE * row_kv}, decode},
        {{"attention_cached", "T=1 S=65536 W=2648 16/8x128", .flop = 4.0 * D * H * WINDOW,
          .bytes = 2 * row + 2 * WINDOW * row_kv}, decode_window},
        {{"prep", "T=11088 64x11x15 4x512", .flop = 2.0 * 27 * 3 * C * GRIDS * CELLS,
          .bytes = T * (4 * row + 2 * row_kv + table)}, prepare},
        {{"prep_backward", "T=11088 64x11x15 4x512", .flop = 3 * 2.0 * 27 * 3 * C * GRIDS * CELLS,
          .bytes = T * (5 * row + 4 * row_kv + table)}, prepare_backward},
        {{"gates", "T=11088 F=4", .bytes = T * F * 5 * 6.0}, gates},
        {{"gates_backward", "T=11088 F=4", .bytes = T * F * 5 * 8.0}, gates_back},
        {{"readout", "T=11088 4x512", .bytes = T * (3 * row + 4 * F)}, read_out},
        {{"readout_backward", "T=11088 4x512", .bytes = T * (3 * row + 8 * F)},
         read_out_backward},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_row r = rows[i].row;
        ST_TRY(rows[i].work(b->q, a));      /* later rows read what earlier ones made */
        if (bench_wants(b, r.kernel))
            ST_TRY(bench_run(b, &r, rows[i].work, a));
    }
    return st_ok();
}

st_status bench_around(bench *b)
{
    static around a;
    st_slab       slab;
    st_slab_plan(&slab, "around", ST_PLACE_DEVICE);
    ST_TRY(take_all(&slab, &a));
    ST_TRY(st_slab_create(b->q, &slab));
    ST_TRY(take_all(&slab, &a));
    ST_TRY(fill_all(b, &a));
    const st_status s = run_rows(b, &a);
    st_slab_free(b->q, &slab);
    return s;
}
