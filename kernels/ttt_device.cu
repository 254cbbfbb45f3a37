/* ttt_device.cu - the fast-weight operator on the device, forward: cuBLASLt products with fused
 * steps between them; the update is in ttt_device_update.cu. Right for every shape and every card
 * since sm_80; the bodies of ttt_hopper.cuh take over where they can.
 *
 * All of it is written for both precisions (see ttt_device.cuh). Pointwise kernels give one warp to
 * a token of a head: lanes stride the hidden side, eight numbers at a time when h allows. Kernels
 * over weights give one warp to a row.
 */
#include "kernels/ttt_hopper.cuh"

/* --- scratch ------------------------------------------------------------------------------ */

template <typename T> struct run_scratch {
    T *pair;            /* (H,n,2h)                    */
    T *hidden;          /* (H,n,h)                     */
    T *read;            /* (H,n,h)  hidden of the read */
};

template <typename T>
static st_status take_run(run_scratch<T> *t, st_slab *slab, const st_ttt_rule *r, int64_t n)
{
    ST_TRY(ST_TAKE(slab, &t->pair, r->heads * n * 2 * r->hidden));
    ST_TRY(ST_TAKE(slab, &t->hidden, r->heads * n * r->hidden));
    ST_TRY(ST_TAKE(slab, &t->read, r->heads * n * r->hidden));
    return st_ok();
}

template <typename T>
static st_status step_plan(st_slab *scratch, const st_ttt_rule *rule, int64_t count_max)
{
    const size_t mark = scratch->used;
    run_scratch<T> run;
    ST_TRY(take_run(&run, scratch, rule, count_max));
    st_slab_rewind(scratch, mark);
    return ttt_update_plan<T>(scratch, rule);
}

extern "C" st_status sti_ttt_step_plan_device(st_slab *scratch, const st_ttt_rule *rule,
                                              int64_t count_max)
{
    return rule->precision == ST_TTT_FAST ? step_plan<bf16>(scratch, rule, count_max)
                                          : step_plan<float>(scratch, rule, count_max);
}

/* --- begin -------------------------------------------------------------------------------- */

template <typename T> struct begin_args {
    float       *weight, *walk;         /* walk NULL: postnorm */
    T           *narrow;
    float       *length;
    const float *birth[3];              /* w0, w2, w1 */
    int64_t      heads, h, d;
};

/* One row of one matrix: weight, walk, narrow and length from the birth weights, N numbers of a row
 * at a time, which h and d are multiples of. */
template <typename T, int N> static __global__ void begin_rows(begin_args<T> a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own(), size = a.h * a.d;
    if (row >= a.heads * (2 * a.h + a.d))
        return;
    const layer_row at = layer_row_get(row, a.h, a.d);
    const int64_t to = at.from, matrix = to / size;
    const float *x = a.birth[matrix % 3] + matrix / 3 * size + to % size;
    float square = 0.0f;
#pragma unroll 4
    for (int64_t c = lane * N; c < at.cols; c += 32 * N) {
        const packed<float, N> value = pack_load<N>(x + c);
        packed<T, N> copy;
#pragma unroll
        for (int i = 0; i < N; i++) {
            square = fmaf(value.x[i], value.x[i], square);
            copy.x[i] = narrow<T>(value.x[i]);
        }
        pack_store(a.weight + to + c, value);
        pack_store(a.narrow + to + c, copy);
        if (a.walk)
            pack_store(a.walk + to + c, value);
    }
    square = warp_sum(square);
    if (lane == 0)
        a.length[row] = sqrtf(square);
}

template <typename T>
static st_status begin(st_stream *q, const st_ttt_state *s, const st_ttt_weights *w)
{
    const st_ttt_rule *r = &s->rule;
    const begin_args<T> a = {s->weight, s->walk, (T *)s->narrow, s->length,
                             {(const float *)w->w0.data, (const float *)w->w2.data,
                              (const float *)w->w1.data}, r->heads, r->hidden, r->width};
    const unsigned blocks = row_blocks(r->heads * sti_ttt_rows(r));
    if (r->hidden % 4 == 0 && r->width % 4 == 0)
        begin_rows<T, 4><<<blocks, 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    else
        begin_rows<T, 1><<<blocks, 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    return sti_launched("ttt begin_rows");
}

extern "C" st_status sti_ttt_begin_device(st_stream *q, st_ttt_state *s, const st_ttt_weights *w)
{
    return s->rule.precision == ST_TTT_FAST ? begin<bf16>(q, s, w) : begin<float>(q, s, w);
}

extern "C" st_status sti_ttt_narrow_device(st_stream *q, st_ttt_state *s)
{
    const int64_t count = sti_ttt_all(&s->rule);
    return s->rule.precision == ST_TTT_FAST
               ? ttt_narrow_all(q, (bf16 *)s->narrow, s->weight, count)
               : ttt_narrow_all(q, (float *)s->narrow, s->weight, count);
}

/* --- run ---------------------------------------------------------------------------------- */

/* hidden (rows,h) = silu(G) .* U, pair (rows,2h) = G | U. */
template <int N, typename T>
static __global__ void read_pointwise(T *hidden, const T *pair, int64_t rows, int64_t h)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= rows)
        return;
    for (int64_t j = lane * N; j < h; j += 32 * N) {
        const packed<T, N> g = pack_load<N>(pair + row * 2 * h + j);
        const packed<T, N> u = pack_load<N>(pair + row * 2 * h + h + j);
        packed<T, N> y;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float x = wide(g.x[i]);
            y.x[i] = narrow<T>(x * sigmoid(x) * wide(u.x[i]));
        }
        pack_store(hidden + row * h + j, y);
    }
}

typedef struct gates {
    const float *lr[3];     /* (H,.) each, gate_step apart */
    int64_t      step;
} gates;

/* pair: G | U to l0 Dg | l2 Dm; hidden: D to l1 Hd. Row (f,t) has its rates at f * step + t. */
template <int N, typename T>
static __global__ void teach_pointwise(T *pair, T *hidden, gates gate, int64_t heads, int64_t n,
                                       int64_t h)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= heads * n)
        return;
    const int64_t at = row / n * gate.step + row % n;
    const float l0 = gate.lr[0][at], l1 = gate.lr[1][at], l2 = gate.lr[2][at];
    for (int64_t j = lane * N; j < h; j += 32 * N) {
        packed<T, N> g = pack_load<N>(pair + row * 2 * h + j);
        packed<T, N> u = pack_load<N>(pair + row * 2 * h + h + j);
        packed<T, N> d = pack_load<N>(hidden + row * h + j);
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float x = wide(g.x[i]), up = wide(u.x[i]), down = wide(d.x[i]);
            float s, slope, bend;
            silu_slopes(x, sigmoid(x), &s, &slope, &bend);
            g.x[i] = narrow<T>(l0 * down * up * slope);
            u.x[i] = narrow<T>(l2 * down * s);
            d.x[i] = narrow<T>(l1 * s * up);
        }
        pack_store(pair + row * 2 * h + j, g);
        pack_store(pair + row * 2 * h + h + j, u);
        pack_store(hidden + row * h + j, d);
    }
}

/* One block per head. */
static __global__ void sum_gates(ttt_gates g)
{
    const int64_t f = blockIdx.x;
    float sum = 0.0f;
    for (int64_t i = threadIdx.x; i < g.n; i += blockDim.x)
        sum += g.gate[f * g.step + i];
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        g.sum[f] = (g.add ? g.sum[f] : 0.0f) + sum;
}

template <typename T>
st_status ttt_sums_run(st_stream *q, int64_t heads, const ttt_sum<T> *list, int count,
                       const ttt_gates *gates)
{
    /* One alone is cuBLASLt's, which cuts tiles to fit it. */
    if constexpr (dtype_of<T> == ST_BF16)
        if (count > 1 && sti_ttt_hopper_sums_fit(q->device, heads, list, count))
            return sti_ttt_hopper_sums(q, heads, list, count, gates);
    for (int i = 0; i < count; i++)
        ST_TRY(ttt_sum_run(q, heads, &list[i]));
    if (!gates)
        return st_ok();
    sum_gates<<<(unsigned)heads, 1024, 0, sti_cuda(q)>>>(*gates);
    return sti_launched("ttt sum_gates");
}

template st_status ttt_sums_run(st_stream *, int64_t, const ttt_sum<bf16> *, int,
                                const ttt_gates *);
template st_status ttt_sums_run(st_stream *, int64_t, const ttt_sum<float> *, int,
                                const ttt_gates *);

/* hidden = silu(G) .* U of the queries. */
template <typename T>
static st_status read_plainly(st_stream *q, const st_ttt_rule *r, const token_run<T> *x)
{
    const int64_t h = r->hidden, d = r->width, n = x->n, rows = r->heads * n;
    ST_TRY(ttt_token_product(q, r->heads, x->pair, n * 2 * h, x->x, x->head_step, x->weight,
                             3 * h * d, TTT_BY_TURNED, n, d, 2 * h));
    if (h % 8 == 0)
        read_pointwise<8><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(x->hidden, x->pair,
                                                                            rows, h);
    else
        read_pointwise<1><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(x->hidden, x->pair,
                                                                            rows, h);
    return sti_launched("ttt read_pointwise");
}

/* pair = l0 Dg | l2 Dm and hidden = l1 Hd of the keys and values. */
template <typename T>
static st_status teach_plainly(st_stream *q, const st_ttt_rule *r, const token_run<T> *x)
{
    const int64_t h = r->hidden, d = r->width, n = x->n, rows = r->heads * n, set = 3 * h * d;
    const gates gate = {{x->lr[0], x->lr[1], x->lr[2]}, x->gate_step};
    ST_TRY(ttt_token_product(q, r->heads, x->pair, n * 2 * h, x->x, x->head_step, x->weight, set,
                             TTT_BY_TURNED, n, d, 2 * h));
    ST_TRY(ttt_token_product(q, r->heads, x->hidden, n * h, x->y, x->head_step,
                             x->weight + 2 * h * d, set, TTT_BY_STRAIGHT, n, d, h));
    if (h % 8 == 0)
        teach_pointwise<8><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(
            x->pair, x->hidden, gate, r->heads, n, h);
    else
        teach_pointwise<1><<<row_blocks(rows), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(
            x->pair, x->hidden, gate, r->heads, n, h);
    return sti_launched("ttt teach_pointwise");
}

/* What a run of tokens comes to: its answers, and its share of the chunk's sums. */
template <typename T>
static st_status meet_weights(st_stream *q, const st_ttt_state *s, const sti_ttt_view *x,
                              const token_run<T> *read, const token_run<T> *teach)
{
    const int64_t h = s->rule.hidden, d = s->rule.width, n = x->count, set = 3 * h * d;
    const int64_t step = x->head_step, w1 = 2 * h * d;
    const bool add = s->summed > 0;
    const ttt_gates gates = {s->mu_sum, x->mu, x->gate_step, n, add};
    ttt_sum<T> list[TTT_SUMS];
    int count = 0;
    if (teach) {
        ttt_sum<T> *g02 = &list[count++], *g1 = &list[count++];
        *g02 = ttt_sum_get<T>(s->gradient, set, 2 * h, d, TTT_OVER_TOKENS, add);
        ttt_sum_add(g02, teach->pair, n * 2 * h, teach->x, step, n);
        *g1 = ttt_sum_get<T>(s->gradient + w1, set, d, h, TTT_OVER_TOKENS, add);
        ttt_sum_add(g1, teach->y, step, teach->hidden, n * h, n);
    }
    if (read) {
        ttt_sum<T> *out = &list[count++];
        *out = ttt_sum_get<T>(x->out, step, n, d, TTT_BY_TURNED, false);
        ttt_sum_add(out, read->hidden, n * h, read->weight + w1, set, h);
    }
    return ttt_sums_run(q, s->rule.heads, list, count, teach && s->momentum ? &gates : NULL);
}

template <typename T>
static token_run<T> tokens_get(const st_ttt_state *s, const sti_ttt_view *x, const void *first,
                               const void *second, T *pair, T *hidden)
{
    token_run<T> t = {};
    t.x = (const T *)first, t.y = (const T *)second, t.weight = (const T *)s->narrow;
    t.pair = pair, t.hidden = hidden;
    for (int j = 0; j < 3; j++)
        t.lr[j] = x->lr[j];
    t.n = x->count, t.head_step = x->head_step, t.gate_step = x->gate_step;
    return t;
}

template <typename T>
static st_status run(st_stream *q, const st_ttt_state *s, const sti_ttt_view *x, unsigned work,
                     st_slab *scratch)
{
    const size_t mark = scratch->used;
    const st_ttt_rule *r = &s->rule;
    run_scratch<T> t;
    ST_TRY(take_run(&t, scratch, r, x->count));
    const token_run<T> read = tokens_get(s, x, x->q, NULL, t.pair, t.read);
    const token_run<T> teach = tokens_get(s, x, x->k, x->v, t.pair, t.hidden);
    const bool reads = work & STI_TTT_APPLY, teaches = work & STI_TTT_WRITE;
    bool fused = false;
    if constexpr (dtype_of<T> == ST_BF16) {
        fused = (!reads || sti_ttt_hopper_tokens_fit(q->device, r, &read)) &&
                (!teaches || sti_ttt_hopper_tokens_fit(q->device, r, &teach));
        if (fused)
            ST_TRY(sti_ttt_hopper_tokens(q, r, teaches ? &teach : NULL, reads ? &read : NULL));
    }
    /* pair serves both, so without fused products reading comes first. */
    if (reads && !fused)
        ST_TRY(read_plainly(q, r, &read));
    if (teaches && !fused)
        ST_TRY(teach_plainly(q, r, &teach));
    if (reads || teaches)
        ST_TRY(meet_weights(q, s, x, reads ? &read : NULL, teaches ? &teach : NULL));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

extern "C" st_status sti_ttt_run_device(st_stream *q, st_ttt_state *s, const sti_ttt_view *x,
                                        unsigned work, st_slab *scratch)
{
    return s->rule.precision == ST_TTT_FAST ? run<bf16>(q, s, x, work, scratch)
                                            : run<float>(q, s, x, work, scratch);
}

/* --- append ------------------------------------------------------------------------------- */

template <typename T> struct append_args {
    T           *k_to, *v_to;
    float       *lr_to, *mu_to;
    const T     *k, *v;
    gates        gate;
    const float *mu;
    int64_t      head_step, heads, width, from;     /* from: first free slot */
};

/* One block per token and head. */
template <typename T> static __global__ void append_tokens(append_args<T> a)
{
    const int64_t t = blockIdx.x, f = blockIdx.y, slot = f * ST_TTT_PENDING + a.from + t;
    for (int64_t c = threadIdx.x; c < a.width; c += blockDim.x) {
        a.k_to[slot * a.width + c] = a.k[f * a.head_step + t * a.width + c];
        a.v_to[slot * a.width + c] = a.v[f * a.head_step + t * a.width + c];
    }
    if (threadIdx.x < 3)
        a.lr_to[threadIdx.x * a.heads * ST_TTT_PENDING + slot] =
            a.gate.lr[threadIdx.x][f * a.gate.step + t];
    if (threadIdx.x == 3 && a.mu)
        a.mu_to[slot] = a.mu[f * a.gate.step + t];
}

template <typename T>
static st_status append(st_stream *q, const st_ttt_state *s, const sti_ttt_view *x)
{
    const append_args<T> a = {(T *)s->pending_k, (T *)s->pending_v, s->pending_lr, s->pending_mu,
                              (const T *)x->k, (const T *)x->v,
                              {{x->lr[0], x->lr[1], x->lr[2]}, x->gate_step}, x->mu, x->head_step,
                              s->rule.heads, s->rule.width, s->pending};
    append_tokens<<<dim3((unsigned)x->count, (unsigned)s->rule.heads), 128, 0, sti_cuda(q)>>>(a);
    return sti_launched("ttt append_tokens");
}

extern "C" st_status sti_ttt_append_device(st_stream *q, st_ttt_state *s, const sti_ttt_view *x)
{
    return s->rule.precision == ST_TTT_FAST ? append<bf16>(q, s, x) : append<float>(q, s, x);
}
