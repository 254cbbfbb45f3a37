/* ttt_device_backward.cu - the fast-weight operator on the device, backward (spec 9.5): the sweep
 * over chunks from the last to the first, and what their tokens get (B1, B5, B6).
 *
 * The sweep of ttt_host_backward.c with all heads at once, for both precisions; gradients of
 * weights and momentum in f32.
 */
#include "kernels/ttt_device_back.cuh"

/* --- scratch ------------------------------------------------------------------------------ */

template <typename T>
static st_status take(back_scratch<T> *t, st_slab *slab, const st_ttt_rule *r, int64_t n)
{
    const int64_t side = r->hidden < r->width ? r->hidden : r->width;
    const int64_t all = sti_ttt_all(r), tokens = r->heads * n * r->hidden;
    const int64_t squares = 3 * r->heads * side * side;
    ST_TRY(ST_TAKE(slab, &t->pair, 2 * tokens));
    ST_TRY(ST_TAKE(slab, &t->taught, 2 * tokens));
    ST_TRY(ST_TAKE(slab, &t->hidden, tokens));
    ST_TRY(ST_TAKE(slab, &t->above, tokens));
    ST_TRY(ST_TAKE(slab, &t->r1, tokens));
    ST_TRY(ST_TAKE(slab, &t->read, 2 * tokens));
    ST_TRY(ST_TAKE(slab, &t->rate, sti_ttt_hopper_parts(r, n)));
    ST_TRY(ST_TAKE(slab, &t->now, all));
    ST_TRY(ST_TAKE(slab, &t->walk, all));
    ST_TRY(ST_TAKE(slab, &t->moment, all));
    ST_TRY(ST_TAKE(slab, &t->carry, all));
    ST_TRY(ST_TAKE(slab, &t->narrow, all + (TTT_BACK_SQUARES - 1) * squares));
    t->t = t->narrow + all, t->z = t->t + squares, t->r = t->z + squares;
    ST_TRY(ST_TAKE(slab, &t->length, r->heads * sti_ttt_rows(r)));
    ST_TRY(ST_TAKE(slab, &t->part, 3 * r->heads * TTT_PARTS));
    ST_TRY(ST_TAKE(slab, &t->gate, 3 * r->heads * TTT_PARTS));
    ST_TRY(ST_TAKE(slab, &t->meeting, 3 * r->heads * TTT_MEETING_STEP));
    return st_ok();
}

static int64_t longest(const st_ttt_rule *r, int64_t count)
{
    return count < r->chunk ? count : r->chunk;
}

template <typename T>
static st_status plan(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    const size_t mark = scratch->used;
    back_scratch<T> t;
    ST_TRY(take(&t, scratch, rule, longest(rule, count_max)));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

extern "C" st_status sti_ttt_backward_plan_device(st_slab *scratch, const st_ttt_rule *rule,
                                                  int64_t count_max)
{
    return rule->precision == ST_TTT_FAST ? plan<bf16>(scratch, rule, count_max)
                                          : plan<float>(scratch, rule, count_max);
}

/* --- B1: reading -------------------------------------------------------------------------- */

/* pair: G | U to Gbar | Ubar; hidden = A; above = gradient of A. */
template <int N, typename T>
static __global__ void read_back_pointwise(T *pair, T *hidden, const T *above, int64_t rows,
                                           int64_t h)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= rows)
        return;
    for (int64_t j = lane * N; j < h; j += 32 * N) {
        packed<T, N> g = pack_load<N>(pair + row * 2 * h + j);
        packed<T, N> u = pack_load<N>(pair + row * 2 * h + h + j);
        const packed<T, N> a_grad = pack_load<N>(above + row * h + j);
        packed<T, N> a;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float x = wide(g.x[i]), up = wide(u.x[i]), grad = wide(a_grad.x[i]);
            float s, slope, bend;
            silu_slopes(x, sigmoid(x), &s, &slope, &bend);
            a.x[i] = narrow<T>(s * up);
            g.x[i] = narrow<T>(grad * up * slope);
            u.x[i] = narrow<T>(grad * s);
        }
        pack_store(hidden + row * h + j, a);
        pack_store(pair + row * 2 * h + j, g);
        pack_store(pair + row * 2 * h + h + j, u);
    }
}

/* Tokens [from, from + n) with their weights. */
template <typename T> struct run_back {
    const st_ttt_rule *rule;
    const T           *weight;
    const T           *q, *k, *v, *out_grad;
    T                 *q_grad, *k_grad, *v_grad;
    const float       *lr[3];
    float             *lr_grad[3];
    int64_t            n, head_step, gate_step;
};

template <typename T>
static run_back<T> run_back_get(const st_ttt_rule *r, const T *weight, const sti_ttt_view *x,
                                const sti_ttt_view_grads *g, int64_t from, int64_t n)
{
    const int64_t row = from * r->width;
    run_back<T> b = {r, weight, (const T *)x->q + row, (const T *)x->k + row,
                     (const T *)x->v + row, (const T *)g->out + row, (T *)g->q + row,
                     (T *)g->k + row, (T *)g->v + row};
    for (int j = 0; j < 3; j++) {
        b.lr[j] = x->lr[j] + from;
        b.lr_grad[j] = g->lr[j] + from;
    }
    b.n = n, b.head_step = x->head_step, b.gate_step = x->gate_step;
    return b;
}

/* What the fused and the plain bodies are told about reading ... */
template <typename T>
static token_run<T> read_tokens(const run_back<T> *b, const back_scratch<T> *t)
{
    token_run<T> a = {};
    a.x = b->q, a.y = b->out_grad;
    a.weight = b->weight;
    a.pair = t->read, a.hidden = t->r1, a.above = t->above;
    a.n = b->n, a.head_step = b->head_step, a.gate_step = b->gate_step;
    return a;
}

/* ... and about teaching. */
template <typename T>
static token_run<T> teach_tokens(const run_back<T> *b, const back_scratch<T> *t)
{
    token_run<T> a = {};
    a.x = b->k, a.y = b->v;
    a.weight = b->weight, a.teacher = t->narrow;
    a.pair = t->pair, a.taught = t->taught, a.hidden = t->hidden, a.above = t->above;
    for (int j = 0; j < 3; j++) {
        a.lr[j] = b->lr[j];
        a.lr_grad[j] = b->lr_grad[j];
    }
    a.part = t->rate;
    a.n = b->n, a.head_step = b->head_step, a.gate_step = b->gate_step;
    return a;
}

/* pair = Gbar | Ubar and hidden = A of the queries. */
template <typename T>
static st_status read_back_plainly(st_stream *q, const st_ttt_rule *r, const token_run<T> *x)
{
    const int64_t H = r->heads, h = r->hidden, d = r->width, n = x->n;
    const int64_t set = 3 * h * d, rows = H * n;
    ST_TRY(ttt_token_product(q, H, x->pair, n * 2 * h, x->x, x->head_step, x->weight, set,
                             TTT_BY_TURNED, n, d, 2 * h));
    ST_TRY(ttt_token_product(q, H, x->above, n * h, x->y, x->head_step, x->weight + 2 * h * d,
                             set, TTT_BY_STRAIGHT, n, d, h));
    if (h % 8 == 0)
        read_back_pointwise<8><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(
            x->pair, x->hidden, x->above, rows, h);
    else
        read_back_pointwise<1><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(
            x->pair, x->hidden, x->above, rows, h);
    return sti_launched("ttt read_back_pointwise");
}

/* --- B5: teaching ------------------------------------------------------------------------- */

template <typename T> struct teach_args {
    T           *pair, *taught, *hidden, *above;
    const T     *r1;
    const float *lr[3];
    float       *lr_grad[3];
    int64_t      heads, n, h, gate_step;
};

/* In: pair = G | U, above = D, taught = R0 | R2, r1 = R1. Out: pair = Gbar | Ubar, above = Dbar,
 * taught = l0 Dg | l2 Dm, hidden = l1 Hd, and the rates' gradients. */
template <int N, typename T> static __global__ void teach_back_pointwise(teach_args<T> a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= a.heads * a.n)
        return;
    const int64_t h = a.h, gate = row / a.n * a.gate_step + row % a.n;
    const float l0 = a.lr[0][gate], l1 = a.lr[1][gate], l2 = a.lr[2][gate];
    float sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f;
    for (int64_t j = lane * N; j < h; j += 32 * N) {
        packed<T, N> g = pack_load<N>(a.pair + row * 2 * h + j);
        packed<T, N> u = pack_load<N>(a.pair + row * 2 * h + h + j);
        packed<T, N> r0 = pack_load<N>(a.taught + row * 2 * h + j);
        packed<T, N> r2 = pack_load<N>(a.taught + row * 2 * h + h + j);
        packed<T, N> d = pack_load<N>(a.above + row * h + j);
        const packed<T, N> r1 = pack_load<N>(a.r1 + row * h + j);
        packed<T, N> hd;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float x = wide(g.x[i]), up = wide(u.x[i]), down = wide(d.x[i]);
            const float R0 = wide(r0.x[i]), R1 = wide(r1.x[i]);
            const float R2 = wide(r2.x[i]);
            float s, slope, bend;
            silu_slopes(x, sigmoid(x), &s, &slope, &bend);
            const float dg = down * up * slope, dm = down * s, hid = s * up;
            sum0 = fmaf(dg, R0, sum0);
            sum1 = fmaf(hid, R1, sum1);
            sum2 = fmaf(dm, R2, sum2);
            const float dg_grad = l0 * R0, h_grad = l1 * R1, dm_grad = l2 * R2;
            d.x[i] = narrow<T>(dm_grad * s + dg_grad * up * slope);
            u.x[i] = narrow<T>(dg_grad * down * slope + h_grad * s);
            g.x[i] = narrow<T>(dg_grad * down * up * bend +
                               (dm_grad * down + h_grad * up) * slope);
            r0.x[i] = narrow<T>(l0 * dg);
            r2.x[i] = narrow<T>(l2 * dm);
            hd.x[i] = narrow<T>(l1 * hid);
        }
        pack_store(a.pair + row * 2 * h + j, g);
        pack_store(a.pair + row * 2 * h + h + j, u);
        pack_store(a.taught + row * 2 * h + j, r0);
        pack_store(a.taught + row * 2 * h + h + j, r2);
        pack_store(a.above + row * h + j, d);
        pack_store(a.hidden + row * h + j, hd);
    }
    sum0 = warp_sum(sum0), sum1 = warp_sum(sum1), sum2 = warp_sum(sum2);
    if (lane < 3)
        a.lr_grad[lane][gate] = lane == 0 ? sum0 : lane == 1 ? sum1 : sum2;
}

/* All that teach_back_pointwise promises, for the keys and values. */
template <typename T>
static st_status teach_back_plainly(st_stream *q, const st_ttt_rule *r, const token_run<T> *x,
                                    T *r1)
{
    const int64_t H = r->heads, h = r->hidden, d = r->width, n = x->n, step = x->head_step;
    const int64_t set = 3 * h * d, rows = H * n;
    ST_TRY(ttt_token_product(q, H, x->pair, n * 2 * h, x->x, step, x->weight, set, TTT_BY_TURNED,
                             n, d, 2 * h));
    ST_TRY(ttt_token_product(q, H, x->taught, n * 2 * h, x->x, step, x->teacher, set,
                             TTT_BY_TURNED, n, d, 2 * h));
    ST_TRY(ttt_token_product(q, H, x->above, n * h, x->y, step, x->weight + 2 * h * d, set,
                             TTT_BY_STRAIGHT, n, d, h));
    ST_TRY(ttt_token_product(q, H, r1, n * h, x->y, step, x->teacher + 2 * h * d, set,
                             TTT_BY_STRAIGHT, n, d, h));
    const teach_args<T> a = {x->pair, x->taught, x->hidden, x->above, r1,
                             {x->lr[0], x->lr[1], x->lr[2]},
                             {x->lr_grad[0], x->lr_grad[1], x->lr_grad[2]}, H, n, h,
                             x->gate_step};
    if (h % 8 == 0)
        teach_back_pointwise<8><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    else
        teach_back_pointwise<1><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    return sti_launched("ttt teach_back_pointwise");
}

/* What a run of tokens comes to: what the weights get from it, and what the tokens get; from
 * reading `x` unless it is NULL, and from teaching. With `add`, the weights keep what they have. */
template <typename T>
static st_status products_back(st_stream *q, const run_back<T> *b, const token_run<T> *x,
                               bool taught, bool add, const back_scratch<T> *t)
{
    const int64_t h = b->rule->hidden, d = b->rule->width, n = b->n, step = b->head_step;
    const int64_t set = 3 * h * d, w1 = 2 * h * d, pair = n * 2 * h, hidden = n * h;
    ttt_sum<T> list[TTT_SUMS], *now02 = &list[0], *now1 = &list[1];
    int count = 2;
    *now02 = ttt_sum_get<T>(t->now, set, 2 * h, d, TTT_OVER_TOKENS, add);
    *now1 = ttt_sum_get<T>(t->now + w1, set, d, h, TTT_OVER_TOKENS, add);
    if (taught) {
        ttt_sum<T> *k = &list[count++], *v = &list[count++];
        ttt_sum_add(now02, t->pair, pair, b->k, step, n);
        ttt_sum_add(now1, b->v, step, t->above, hidden, n);
        *k = ttt_sum_get<T>(b->k_grad, step, n, d, TTT_BY_STRAIGHT, false);
        ttt_sum_add(k, t->taught, pair, t->narrow, set, 2 * h);
        ttt_sum_add(k, t->pair, pair, b->weight, set, 2 * h);
        *v = ttt_sum_get<T>(b->v_grad, step, n, d, TTT_BY_TURNED, false);
        ttt_sum_add(v, t->hidden, hidden, t->narrow + w1, set, h);
        ttt_sum_add(v, t->above, hidden, b->weight + w1, set, h);
    }
    if (x) {
        ttt_sum<T> *reader = &list[count++];
        ttt_sum_add(now02, x->pair, pair, x->x, step, n);
        ttt_sum_add(now1, x->y, step, x->hidden, hidden, n);
        *reader = ttt_sum_get<T>(b->q_grad, step, n, d, TTT_BY_STRAIGHT, false);
        ttt_sum_add(reader, x->pair, pair, b->weight, set, 2 * h);
    }
    return ttt_sums_run<T>(q, b->rule->heads, list, count, NULL);
}

/* One run of tokens; those of the tail were read and taught nothing. */
template <typename T>
static st_status run_back_tokens(st_stream *q, const run_back<T> *b, bool taught,
                                 const back_scratch<T> *t)
{
    const token_run<T> read = read_tokens(b, t), teach = teach_tokens(b, t);
    /* With prenorm, the update before has taken all that the weights had. */
    const bool add = b->rule->norm == ST_TTT_POSTNORM;
    if constexpr (dtype_of<T> == ST_BF16) {
        if (sti_ttt_hopper_tokens_fit(q->device, b->rule, &read) &&
            (!taught || sti_ttt_hopper_tokens_fit(q->device, b->rule, &teach))) {
            ST_TRY(sti_ttt_hopper_tokens_back(q, b->rule, taught ? &teach : NULL, &read));
            return products_back(q, b, &read, taught, add, t);
        }
    }
    if (taught) {
        ST_TRY(teach_back_plainly(q, b->rule, &teach, t->r1));
        ST_TRY(products_back<T>(q, b, NULL, true, add, t));
    }
    ST_TRY(read_back_plainly(q, b->rule, &read));       /* where teaching had its scratch */
    return products_back(q, b, &read, false, add || taught, t);
}

/* What an unwritten token taught: nothing. */
template <typename T>
static __global__ void clear_teaching(T *k_grad, T *v_grad, float *lr0, float *lr1, float *lr2,
                                      float *mu, int64_t head_step, int64_t gate_step, int64_t d)
{
    const int64_t t = blockIdx.x, f = blockIdx.y;
    for (int64_t c = threadIdx.x; c < d; c += blockDim.x) {
        k_grad[f * head_step + t * d + c] = narrow<T>(0.0f);
        v_grad[f * head_step + t * d + c] = narrow<T>(0.0f);
    }
    if (threadIdx.x == 0) {
        const int64_t gate = f * gate_step + t;
        lr0[gate] = lr1[gate] = lr2[gate] = 0.0f;
        if (mu)
            mu[gate] = 0.0f;
    }
}

/* --- B6: the sweep ------------------------------------------------------------------------ */

/* Every token of the chunk gets its share of the update gate's gradient. */
static __global__ void give_gate(float *mu_grad, const float *gate, int64_t step, int64_t n)
{
    const int64_t f = blockIdx.y, t = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n)
        return;
    float sum = 0.0f;
    for (int p = 0; p < 3 * TTT_PARTS; p++)     /* the three matrices of head f */
        sum += gate[f * 3 * TTT_PARTS + p];
    mu_grad[f * step + t] = sum / (float)n;
}

typedef struct birth_args {
    float       *weight_grad;           /* gains */
    const float *now, *walk, *length_grad, *birth, *length;
    int64_t      heads, h, d;
} birth_args;

/* The walk began at the birth weights, and the lengths are theirs. */
static __global__ void birth_back_rows(birth_args a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= a.heads * (2 * a.h + a.d))
        return;
    const layer_row at = layer_row_get(row, a.h, a.d);
    const float turn = a.length[row] > 0.0f ? a.length_grad[row] / a.length[row] : 0.0f;
    for (int64_t c = at.from + lane; c < at.from + at.cols; c += 32)
        a.weight_grad[c] += a.now[c] + a.walk[c] + turn * a.birth[c];
}

template <typename T>
static st_status clear(st_stream *q, const st_ttt_rule *r, const back_scratch<T> *t)
{
    const size_t all = (size_t)sti_ttt_all(r) * sizeof(float);
    if (r->norm == ST_TTT_POSTNORM)     /* else the tail makes it */
        ST_TRY(st_fill_bytes(q, t->now, 0, all));
    ST_TRY(st_fill_bytes(q, t->walk, 0, all));
    ST_TRY(st_fill_bytes(q, t->carry, 0, all));
    ST_TRY(st_fill_bytes(q, t->gate, 0, (size_t)(3 * r->heads * TTT_PARTS) * sizeof(float)));
    return st_fill_bytes(q, t->length, 0,
                         (size_t)(r->heads * sti_ttt_rows(r)) * sizeof(float));
}

template <typename T>
static st_status backward(st_stream *q, const st_ttt_rule *r, const st_ttt_tape *tape,
                          int64_t first_slot, const sti_ttt_view *x, const sti_ttt_view_grads *g,
                          float *weight_grad, st_slab *scratch)
{
    const size_t mark = scratch->used;
    const int64_t updates = st_ttt_update_count(x->count, r->chunk), tail = updates * r->chunk;
    back_scratch<T> t;
    ST_TRY(take(&t, scratch, r, longest(r, x->count)));
    ST_TRY(clear(q, r, &t));
    for (int64_t c = updates; c >= 0; c--) {
        /* Chunk c was read with what update c - 1 of this sequence left behind. */
        const T *weight = (const T *)sti_ttt_slot_get(tape, r, c > 0 ? first_slot + c - 1
                                                                     : 0).narrow;
        const int64_t from = c * r->chunk, n = c < updates ? r->chunk : x->count - tail;
        const run_back<T> b = run_back_get(r, weight, x, g, from, n);
        if (c < updates) {
            ST_TRY(ttt_update_back_run(q, r, tape, first_slot + c, c == 0, &t));
        } else {
            clear_teaching<<<dim3((unsigned)n, (unsigned)r->heads), 128, 0, sti_cuda(q)>>>(
                b.k_grad, b.v_grad, b.lr_grad[0], b.lr_grad[1], b.lr_grad[2],
                g->mu ? g->mu + from : NULL, x->head_step, x->gate_step, r->width);
            ST_TRY(sti_launched("ttt clear_teaching"));
        }
        if (c < updates && g->mu) {
            give_gate<<<dim3((unsigned)((n + 255) / 256), (unsigned)r->heads), 256, 0,
                        sti_cuda(q)>>>(g->mu + from, t.gate, x->gate_step, n);
            ST_TRY(sti_launched("ttt give_gate"));
        }
        ST_TRY(run_back_tokens(q, &b, c < updates, &t));
    }
    const birth_args a = {weight_grad, t.now, t.walk, t.length, tape->weight, tape->length,
                          r->heads, r->hidden, r->width};
    birth_back_rows<<<row_blocks(r->heads * sti_ttt_rows(r)), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    st_slab_rewind(scratch, mark);
    return sti_launched("ttt birth_back_rows");
}

extern "C" st_status sti_ttt_backward_device(st_stream *q, const st_ttt_rule *r,
                                             const st_ttt_tape *tape, int64_t first_slot,
                                             const sti_ttt_view *x, const sti_ttt_view_grads *g,
                                             float *weight_grad, st_slab *scratch)
{
    return r->precision == ST_TTT_FAST
               ? backward<bf16>(q, r, tape, first_slot, x, g, weight_grad, scratch)
               : backward<float>(q, r, tape, first_slot, x, g, weight_grad, scratch);
}

/* The three matrices of each head, added to the caller's tensors. */
static __global__ void give(float *w0, float *w2, float *w1, const float *weight_grad,
                            int64_t size, int64_t matrices)
{
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= size * matrices)
        return;
    const int64_t matrix = i / size;
    float *to = matrix % 3 == 0 ? w0 : matrix % 3 == 1 ? w2 : w1;
    to[matrix / 3 * size + i % size] += weight_grad[i];
}

extern "C" st_status sti_ttt_give_device(st_stream *q, const st_ttt_rule *r,
                                         const float *weight_grad, st_ttt_grads *grads)
{
    const int64_t all = sti_ttt_all(r);
    give<<<(unsigned)((all + 255) / 256), 256, 0, sti_cuda(q)>>>(
        (float *)grads->w0.data, (float *)grads->w2.data, (float *)grads->w1.data, weight_grad,
        sti_ttt_matrix(r), 3 * r->heads);
    return sti_launched("ttt give");
}
