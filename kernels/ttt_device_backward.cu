/* ttt_device_backward.cu - the fast-weight operator on the device, backward (spec 9.5, B1 to B6).
 *
 * The sweep of ttt_host_backward.c with all heads at once: bf16 products with f32 sums, gradients
 * of weights and momentum in f32, those inside Newton-Schulz in f32 with a bf16 copy to multiply.
 * A and B of each Newton-Schulz step come from the tape, so a step costs four products, not six.
 * Every sum has a fixed order: parts per block, then the parts one by one.
 */
#include "kernels/ttt_hopper.cuh"

enum { WARPS = 8, TILE = 64 };

static unsigned row_blocks(int64_t rows)
{
    return (unsigned)((rows + WARPS - 1) / WARPS);
}

/* --- scratch ------------------------------------------------------------------------------ */

typedef struct back_scratch {
    bf16  *pair;            /* (H,n,2h)  G | U, then their gradients               */
    bf16  *taught;          /* (H,n,2h)  R0 | R2, then l0 Dg | l2 Dm               */
    bf16  *hidden;          /* (H,n,h)   l1 Hd                                     */
    bf16  *above;           /* (H,n,h)   gradient of A, or D and Dbar              */
    bf16  *r1;              /* (H,n,h)   R1, then A of the read                    */
    bf16  *read;            /* (H,n,2h)  G | U of the read, then their gradients   */
    float *rate;            /* (h/64,3,H,n) parts of the rates' gradients          */
    float *now;             /* a layer   gradient of the weights read with         */
    float *walk;            /* a layer   prenorm: gradient of P                    */
    float *moment;          /* a layer   gradient of N, then of M                  */
    float *carry;           /* a layer   m_{c+1} Mbar_{c+1}                        */
    bf16  *narrow;          /* a layer   moment in bf16; t, z, r lie behind it     */
    bf16  *t, *z, *r;       /* (3H,side,side) Newton-Schulz                        */
    float *length;          /* (H,h+h+d) gradient of the birth row norms           */
    float *part;            /* (3H,TTT_PARTS)  parts of <M, Mbar>                  */
    float *gate;            /* (3H,TTT_PARTS)  parts of the update gate's gradient */
    uint32_t *meeting;      /* (3H)      for the fused body                        */
} back_scratch;

static st_status take(back_scratch *t, st_slab *slab, const st_ttt_rule *r, int64_t n)
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
    ST_TRY(ST_TAKE(slab, &t->narrow, all + 3 * squares));
    t->t = t->narrow + all, t->z = t->t + squares, t->r = t->z + squares;
    ST_TRY(ST_TAKE(slab, &t->length, r->heads * sti_ttt_rows(r)));
    ST_TRY(ST_TAKE(slab, &t->part, 3 * r->heads * TTT_PARTS));
    ST_TRY(ST_TAKE(slab, &t->gate, 3 * r->heads * TTT_PARTS));
    ST_TRY(ST_TAKE(slab, &t->meeting, 3 * r->heads));
    return st_ok();
}

static int64_t longest(const st_ttt_rule *r, int64_t count)
{
    return count < r->chunk ? count : r->chunk;
}

extern "C" st_status sti_ttt_backward_plan_device(st_slab *scratch, const st_ttt_rule *rule,
                                                  int64_t count_max)
{
    const size_t mark = scratch->used;
    back_scratch t;
    ST_TRY(take(&t, scratch, rule, longest(rule, count_max)));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

/* --- B1: reading -------------------------------------------------------------------------- */

/* pair: G | U to Gbar | Ubar; hidden = A; above = gradient of A. */
template <int N>
static __global__ void read_back_pointwise(bf16 *pair, bf16 *hidden, const bf16 *above,
                                           int64_t rows, int64_t h)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;
    if (row >= rows)
        return;
    for (int64_t j = lane * N; j < h; j += 32 * N) {
        bf16_pack<N> g = pack_load<N>(pair + row * 2 * h + j);
        bf16_pack<N> u = pack_load<N>(pair + row * 2 * h + h + j);
        const bf16_pack<N> a_grad = pack_load<N>(above + row * h + j);
        bf16_pack<N> a;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float up = __bfloat162float(u.x[i]), grad = __bfloat162float(a_grad.x[i]);
            float s, slope, bend;
            silu_slopes(__bfloat162float(g.x[i]), &s, &slope, &bend);
            a.x[i] = __float2bfloat16(s * up);
            g.x[i] = __float2bfloat16(grad * up * slope);
            u.x[i] = __float2bfloat16(grad * s);
        }
        pack_store<N>(hidden + row * h + j, a);
        pack_store<N>(pair + row * 2 * h + j, g);
        pack_store<N>(pair + row * 2 * h + h + j, u);
    }
}

/* Tokens [from, from + n) with their weights. */
typedef struct run_back {
    const st_ttt_rule *rule;
    const bf16        *weight;
    const bf16        *q, *k, *v, *out_grad;
    bf16              *q_grad, *k_grad, *v_grad;
    const float       *lr[3];
    float             *lr_grad[3];
    int64_t            n, head_step, gate_step;
} run_back;

static run_back run_back_get(const st_ttt_rule *r, const bf16 *weight, const sti_ttt_view *x,
                             const sti_ttt_view_grads *g, int64_t from, int64_t n)
{
    const int64_t row = from * r->width;
    run_back b = {r, weight, (const bf16 *)x->q + row, (const bf16 *)x->k + row,
                  (const bf16 *)x->v + row, (const bf16 *)g->out + row, (bf16 *)g->q + row,
                  (bf16 *)g->k + row, (bf16 *)g->v + row};
    for (int j = 0; j < 3; j++) {
        b.lr[j] = x->lr[j] + from;
        b.lr_grad[j] = g->lr[j] + from;
    }
    b.n = n, b.head_step = x->head_step, b.gate_step = x->gate_step;
    return b;
}

/* What the fused and the plain bodies are told about reading ... */
static ttt_tokens read_tokens(const run_back *b, const back_scratch *t)
{
    ttt_tokens a = {};
    a.x = b->q, a.y = b->out_grad;
    a.weight = b->weight;
    a.pair = t->read, a.hidden = t->r1, a.above = t->above;
    a.n = b->n, a.head_step = b->head_step, a.gate_step = b->gate_step;
    return a;
}

/* ... and about teaching. */
static ttt_tokens teach_tokens(const run_back *b, const back_scratch *t)
{
    ttt_tokens a = {};
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
static st_status read_back_plainly(st_stream *q, const st_ttt_rule *r, const ttt_tokens *x)
{
    const int64_t H = r->heads, h = r->hidden, d = r->width, n = x->n;
    const int64_t set = 3 * h * d, rows = H * n;
    ST_TRY(ttt_token_product(q, H, x->pair, n * 2 * h, x->x, x->head_step, x->weight, set,
                             ST_TURNED, n, d, 2 * h, 0.0f));
    ST_TRY(ttt_token_product(q, H, x->above, n * h, x->y, x->head_step, x->weight + 2 * h * d,
                             set, ST_STRAIGHT, n, d, h, 0.0f));
    if (h % 8 == 0)
        read_back_pointwise<8><<<row_blocks(rows), 32 * WARPS, 0, sti_cuda(q)>>>(
            x->pair, x->hidden, x->above, rows, h);
    else
        read_back_pointwise<1><<<row_blocks(rows), 32 * WARPS, 0, sti_cuda(q)>>>(
            x->pair, x->hidden, x->above, rows, h);
    return sti_launched("ttt read_back_pointwise");
}

static st_status read_back(st_stream *q, const run_back *b, const ttt_tokens *x, back_scratch *t)
{
    const int64_t H = b->rule->heads, h = b->rule->hidden, d = b->rule->width, n = b->n;
    const int64_t set = 3 * h * d, step = b->head_step;
    ST_TRY(ttt_weight_product(q, H, t->now + 2 * h * d, set, x->y, step, x->hidden, n * h, d, n, h,
                              1.0f));
    ST_TRY(ttt_weight_product(q, H, t->now, set, x->pair, n * 2 * h, x->x, step, 2 * h, n, d,
                              1.0f));
    return ttt_token_product(q, H, b->q_grad, step, x->pair, n * 2 * h, b->weight, set,
                             ST_STRAIGHT, n, 2 * h, d, 0.0f);
}

/* --- B5: teaching ------------------------------------------------------------------------- */

typedef struct teach_args {
    bf16        *pair, *taught, *hidden, *above;
    const bf16  *r1;
    const float *lr[3];
    float       *lr_grad[3];
    int64_t      heads, n, h, gate_step;
} teach_args;

/* In: pair = G | U, above = D, taught = R0 | R2, r1 = R1. Out: pair = Gbar | Ubar, above = Dbar,
 * taught = l0 Dg | l2 Dm, hidden = l1 Hd, and the rates' gradients. */
template <int N> static __global__ void teach_back_pointwise(teach_args a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32;
    if (row >= a.heads * a.n)
        return;
    const int64_t h = a.h, gate = row / a.n * a.gate_step + row % a.n;
    const float l0 = a.lr[0][gate], l1 = a.lr[1][gate], l2 = a.lr[2][gate];
    float sum0 = 0.0f, sum1 = 0.0f, sum2 = 0.0f;
    for (int64_t j = lane * N; j < h; j += 32 * N) {
        bf16_pack<N> g = pack_load<N>(a.pair + row * 2 * h + j);
        bf16_pack<N> u = pack_load<N>(a.pair + row * 2 * h + h + j);
        bf16_pack<N> r0 = pack_load<N>(a.taught + row * 2 * h + j);
        bf16_pack<N> r2 = pack_load<N>(a.taught + row * 2 * h + h + j);
        bf16_pack<N> d = pack_load<N>(a.above + row * h + j);
        const bf16_pack<N> r1 = pack_load<N>(a.r1 + row * h + j);
        bf16_pack<N> hd;
#pragma unroll
        for (int i = 0; i < N; i++) {
            const float up = __bfloat162float(u.x[i]), down = __bfloat162float(d.x[i]);
            const float R0 = __bfloat162float(r0.x[i]), R1 = __bfloat162float(r1.x[i]);
            const float R2 = __bfloat162float(r2.x[i]);
            float s, slope, bend;
            silu_slopes(__bfloat162float(g.x[i]), &s, &slope, &bend);
            const float dg = down * up * slope, dm = down * s, hid = s * up;
            sum0 = fmaf(dg, R0, sum0);
            sum1 = fmaf(hid, R1, sum1);
            sum2 = fmaf(dm, R2, sum2);
            const float dg_grad = l0 * R0, h_grad = l1 * R1, dm_grad = l2 * R2;
            d.x[i] = __float2bfloat16(dm_grad * s + dg_grad * up * slope);
            u.x[i] = __float2bfloat16(dg_grad * down * slope + h_grad * s);
            g.x[i] = __float2bfloat16(dg_grad * down * up * bend +
                                      (dm_grad * down + h_grad * up) * slope);
            r0.x[i] = __float2bfloat16(l0 * dg);
            r2.x[i] = __float2bfloat16(l2 * dm);
            hd.x[i] = __float2bfloat16(l1 * hid);
        }
        pack_store<N>(a.pair + row * 2 * h + j, g);
        pack_store<N>(a.pair + row * 2 * h + h + j, u);
        pack_store<N>(a.taught + row * 2 * h + j, r0);
        pack_store<N>(a.taught + row * 2 * h + h + j, r2);
        pack_store<N>(a.above + row * h + j, d);
        pack_store<N>(a.hidden + row * h + j, hd);
    }
    sum0 = warp_sum(sum0), sum1 = warp_sum(sum1), sum2 = warp_sum(sum2);
    if (lane < 3)
        a.lr_grad[lane][gate] = lane == 0 ? sum0 : lane == 1 ? sum1 : sum2;
}

/* All that teach_back_pointwise promises, for the keys and values. */
static st_status teach_back_plainly(st_stream *q, const st_ttt_rule *r, const ttt_tokens *x,
                                    bf16 *r1)
{
    const int64_t H = r->heads, h = r->hidden, d = r->width, n = x->n, step = x->head_step;
    const int64_t set = 3 * h * d, rows = H * n;
    ST_TRY(ttt_token_product(q, H, x->pair, n * 2 * h, x->x, step, x->weight, set, ST_TURNED, n, d,
                             2 * h, 0.0f));
    ST_TRY(ttt_token_product(q, H, x->taught, n * 2 * h, x->x, step, x->teacher, set, ST_TURNED, n,
                             d, 2 * h, 0.0f));
    ST_TRY(ttt_token_product(q, H, x->above, n * h, x->y, step, x->weight + 2 * h * d, set,
                             ST_STRAIGHT, n, d, h, 0.0f));
    ST_TRY(ttt_token_product(q, H, r1, n * h, x->y, step, x->teacher + 2 * h * d, set, ST_STRAIGHT,
                             n, d, h, 0.0f));
    const teach_args a = {x->pair, x->taught, x->hidden, x->above, r1,
                          {x->lr[0], x->lr[1], x->lr[2]},
                          {x->lr_grad[0], x->lr_grad[1], x->lr_grad[2]}, H, n, h, x->gate_step};
    if (h % 8 == 0)
        teach_back_pointwise<8><<<row_blocks(rows), 32 * WARPS, 0, sti_cuda(q)>>>(a);
    else
        teach_back_pointwise<1><<<row_blocks(rows), 32 * WARPS, 0, sti_cuda(q)>>>(a);
    return sti_launched("ttt teach_back_pointwise");
}

static st_status teach_back(st_stream *q, const run_back *b, back_scratch *t)
{
    const int64_t H = b->rule->heads, h = b->rule->hidden, d = b->rule->width, n = b->n;
    const int64_t set = 3 * h * d, step = b->head_step;
    const bf16 *w1 = b->weight + 2 * h * d, *g1_grad = t->narrow + 2 * h * d;
    ST_TRY(ttt_token_product(q, H, b->v_grad, step, t->hidden, n * h, g1_grad, set, ST_TURNED, n,
                             h, d, 0.0f));
    ST_TRY(ttt_token_product(q, H, b->v_grad, step, t->above, n * h, w1, set, ST_TURNED, n, h, d,
                             1.0f));
    ST_TRY(ttt_token_product(q, H, b->k_grad, step, t->taught, n * 2 * h, t->narrow, set,
                             ST_STRAIGHT, n, 2 * h, d, 0.0f));
    ST_TRY(ttt_token_product(q, H, b->k_grad, step, t->pair, n * 2 * h, b->weight, set,
                             ST_STRAIGHT, n, 2 * h, d, 1.0f));
    ST_TRY(ttt_weight_product(q, H, t->now, set, t->pair, n * 2 * h, b->k, step, 2 * h, n, d,
                              1.0f));
    return ttt_weight_product(q, H, t->now + 2 * h * d, set, b->v, step, t->above, n * h, d, n, h,
                              1.0f);
}

/* One run of tokens; those of the tail were read and taught nothing. */
static st_status run_back_tokens(st_stream *q, const run_back *b, bool taught, back_scratch *t)
{
    const ttt_tokens read = read_tokens(b, t), teach = teach_tokens(b, t);
    const bool fused = sti_ttt_hopper_tokens_fit(q->device, b->rule, &read) &&
                       (!taught || sti_ttt_hopper_tokens_fit(q->device, b->rule, &teach));
    if (fused)
        ST_TRY(sti_ttt_hopper_tokens_back(q, b->rule, taught ? &teach : NULL, &read));
    if (taught && !fused)
        ST_TRY(teach_back_plainly(q, b->rule, &teach, t->r1));
    if (taught)
        ST_TRY(teach_back(q, b, t));
    if (!fused)
        ST_TRY(read_back_plainly(q, b->rule, &read));
    return read_back(q, b, &read, t);
}

/* What an unwritten token taught: nothing. */
static __global__ void clear_teaching(bf16 *k_grad, bf16 *v_grad, float *lr0, float *lr1,
                                      float *lr2, float *mu, int64_t head_step, int64_t gate_step,
                                      int64_t d)
{
    const int64_t t = blockIdx.x, f = blockIdx.y;
    for (int64_t c = threadIdx.x; c < d; c += blockDim.x) {
        k_grad[f * head_step + t * d + c] = __float2bfloat16(0.0f);
        v_grad[f * head_step + t * d + c] = __float2bfloat16(0.0f);
    }
    if (threadIdx.x == 0) {
        const int64_t gate = f * gate_step + t;
        lr0[gate] = lr1[gate] = lr2[gate] = 0.0f;
        if (mu)
            mu[gate] = 0.0f;
    }
}

/* --- B2: renorm --------------------------------------------------------------------------- */

typedef struct renorm_back_args {
    float       *now, *walk;        /* prenorm: now is consumed and set to 0; walk NULL: postnorm */
    float       *moment;            /* gradient of N; NULL: not wanted beside walk or now         */
    bf16        *narrow;
    float       *length_grad;       /* gains                                                      */
    const float *weight;            /* what the update made: y / (n + eps) is weight / length     */
    const float *length, *norm;
    int64_t      heads, h, d;
} renorm_back_args;

/* N numbers of a row at a time, which h and d are multiples of. */
template <int N> static __global__ void renorm_back_rows(renorm_back_args a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32, per_head = 2 * a.h + a.d;
    if (row >= a.heads * per_head)
        return;
    const int64_t f = row / per_head, r = row % per_head, cols = r < 2 * a.h ? a.d : a.h;
    const int64_t from = f * 3 * a.h * a.d +
                         (r < 2 * a.h ? r * a.d : 2 * a.h * a.d + (r - 2 * a.h) * a.h);
    const float length = a.length[row], n = a.norm[row], reach = n + STI_ROW_EPS;
    float dot = 0.0f;
    for (int64_t c = from + lane * N; c < from + cols; c += 32 * N) {
        const f32_pack<N> w = pack_load<N>(a.weight + c), now = pack_load<N>(a.now + c);
#pragma unroll
        for (int i = 0; i < N; i++)
            dot = fmaf(w.x[i], now.x[i], dot);
    }
    /* A row born as zero passes nothing on. */
    dot = length > 0.0f ? warp_sum(dot) / length : 0.0f;
    const float turn = n > 0.0f && length > 0.0f ? dot * reach / (n * length) : 0.0f;
    for (int64_t c = from + lane * N; c < from + cols; c += 32 * N) {
        const f32_pack<N> w = pack_load<N>(a.weight + c);
        f32_pack<N> y = pack_load<N>(a.now + c), rest = {};
        bf16_pack<N> narrow;
#pragma unroll
        for (int i = 0; i < N; i++)
            y.x[i] = length / reach * (y.x[i] - w.x[i] * turn);
        if (a.walk) {
            const f32_pack<N> walk = pack_load<N>(a.walk + c);
#pragma unroll
            for (int i = 0; i < N; i++)
                y.x[i] += walk.x[i];
            pack_store<N>(a.walk + c, y);
            pack_store<N>(a.now + c, rest);
        } else {
            pack_store<N>(a.now + c, y);
        }
#pragma unroll
        for (int i = 0; i < N; i++)
            narrow.x[i] = __float2bfloat16(y.x[i]);
        if (!a.moment)
            continue;
        pack_store<N>(a.moment + c, y);
        pack_store<N>(a.narrow + c, narrow);
    }
    if (lane == 0)
        a.length_grad[row] += dot;
}

/* --- B3: Newton-Schulz -------------------------------------------------------------------- */

/* y = alpha x0 + beta (x + x^T) for squares of `side`, a multiple of N; x0 NULL leaves its term
 * out. A block writes one tile of y and turns the mirrored tile of x over in shared memory; two
 * more columns there keep rows out of each other's banks. */
template <int N>
static __global__ void symmetrise(bf16 *y, const bf16 *x0, float alpha, const bf16 *x, float beta,
                                  int64_t side)
{
    __shared__ bf16 turned[TILE][TILE + 2];
    const int64_t at = (int64_t)blockIdx.z * side * side;
    const int64_t row0 = (int64_t)blockIdx.y * TILE, col0 = (int64_t)blockIdx.x * TILE;
    for (int i = threadIdx.x; i < TILE * TILE / N; i += (int)blockDim.x) {
        const int row = i / (TILE / N), col = i % (TILE / N) * N;
        if (col0 + row >= side || row0 + col >= side)
            continue;
        const bf16_pack<N> v = pack_load<N>(x + at + (col0 + row) * side + row0 + col);
#pragma unroll
        for (int k = 0; k < N; k++)
            turned[row][col + k] = v.x[k];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < TILE * TILE / N; i += (int)blockDim.x) {
        const int row = i / (TILE / N), col = i % (TILE / N) * N;
        const int64_t here = at + (row0 + row) * side + col0 + col;
        if (row0 + row >= side || col0 + col >= side)
            continue;
        bf16_pack<N> v = pack_load<N>(x + here), v0;
        if (x0)
            v0 = pack_load<N>(x0 + here);
#pragma unroll
        for (int k = 0; k < N; k++) {
            const float other = __bfloat162float(turned[col + k][row]);
            float value = beta * (__bfloat162float(v.x[k]) + other);
            if (x0)
                value = fmaf(alpha, __bfloat162float(v0.x[k]), value);
            v.x[k] = __float2bfloat16(value);
        }
        pack_store<N>(y + here, v);
    }
}

static st_status run_symmetrise(st_stream *q, bf16 *y, const bf16 *x0, float alpha, const bf16 *x,
                                float beta, int64_t side, int64_t matrices)
{
    const unsigned tiles = (unsigned)((side + TILE - 1) / TILE);
    const dim3 blocks(tiles, tiles, (unsigned)matrices);
    if (side % 8 == 0)
        symmetrise<8><<<blocks, 256, 0, sti_cuda(q)>>>(y, x0, alpha, x, beta, side);
    else
        symmetrise<1><<<blocks, 256, 0, sti_cuda(q)>>>(y, x0, alpha, x, beta, side);
    return sti_launched("ttt symmetrise");
}

static __global__ void narrow_all(bf16 *y, const float *x, int64_t count)
{
    const int64_t i = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * 4;
    if (i + 4 <= count) {
        const float4 v = *reinterpret_cast<const float4 *>(x + i);
        bf16_pack<4> p;
        p.x[0] = __float2bfloat16(v.x), p.x[1] = __float2bfloat16(v.y);
        p.x[2] = __float2bfloat16(v.z), p.x[3] = __float2bfloat16(v.w);
        pack_store<4>(y + i, p);
    } else {
        for (int64_t j = i; j < count; j++)
            y[j] = __float2bfloat16(x[j]);
    }
}

/* moment and narrow: the gradient of NS(M) becomes that of X_0 = M / (|M| + eps). */
static st_status newton_schulz_back(st_stream *q, const st_ttt_rule *r, bf16 *muon,
                                    back_scratch *t)
{
    const int64_t all = sti_ttt_all(r);
    for (int k = STI_NS_STEPS - 1; k >= 0; k--) {
        const ttt_muon_step step = ttt_muon_step_get(muon, r, k);
        const int64_t side = r->hidden < r->width ? r->hidden : r->width;
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_gram(q, &g, t->r, t->narrow, step.x));
        }
        ST_TRY(run_symmetrise(q, t->t, NULL, 0.0f, t->r, 1.0f, side, 3 * r->heads));
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_square_product(q, &g, t->r, ST_BF16, NULL, t->t, ST_STRAIGHT, step.a,
                                      ST_STRAIGHT, side, side, side, 1.0f, 0.0f));
        }
        ST_TRY(run_symmetrise(q, t->z, t->t, STI_NS[k][1], t->r, STI_NS[k][2], side,
                              3 * r->heads));
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_mix(q, &g, t->moment, ST_F32, STI_NS[k][0], t->moment, step.b, t->narrow));
            ST_TRY(ttt_mix(q, &g, t->moment, ST_F32, 1.0f, t->moment, t->z, step.x));
        }
        narrow_all<<<(unsigned)((all + 1023) / 1024), 256, 0, sti_cuda(q)>>>(t->narrow, t->moment,
                                                                             all);
        ST_TRY(sti_launched("ttt narrow_all"));
    }
    return st_ok();
}

/* --- B4: momentum ------------------------------------------------------------------------- */

/* part = parts of <M, moment>; N divides size, here and below. */
template <int N>
static __global__ void dot_parts(float *part, const float *m, const float *moment, int64_t size)
{
    const int64_t from = (int64_t)blockIdx.y * size;
    float sum = 0.0f;
    for (int64_t j = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * N; j < size;
         j += (int64_t)TTT_PARTS * blockDim.x * N) {
        const f32_pack<N> x = pack_load<N>(m + from + j), y = pack_load<N>(moment + from + j);
#pragma unroll
        for (int i = 0; i < N; i++)
            sum = fmaf(x.x[i], y.x[i], sum);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        part[blockIdx.y * TTT_PARTS + blockIdx.x] = sum;
}

typedef struct moment_args {
    float       *moment;        /* in: gradient of X_0, or of N without Muon; out: of M    */
    bf16        *narrow;
    float       *carry;         /* in: m_{c+1} Mbar_{c+1}; out: m_c Mbar_c; NULL: off      */
    float       *gate;          /* parts of <Mbar, M before>                               */
    const float *m, *m_before;  /* m_before NULL for the first update                      */
    const float *mean;          /* (H)                                                     */
    const float *scale;         /* (3H) 1 / (|M| + eps); NULL without Muon                 */
    const float *part;          /* parts of <M, moment>                                    */
    int64_t      size;
} moment_args;

template <int N> static __global__ void moment_back(moment_args a)
{
    const int64_t i = blockIdx.y, from = i * a.size;
    float scale = 1.0f, turn = 0.0f;
    if (a.scale) {
        float dot = 0.0f;
        for (int p = 0; p < TTT_PARTS; p++)
            dot += a.part[i * TTT_PARTS + p];
        scale = a.scale[i];
        const float n = 1.0f / scale - STI_NS_EPS;      /* |M| */
        turn = n > 0.0f ? dot * scale * scale / n : 0.0f;
    }
    const float mean = a.carry ? a.mean[i / 3] : 0.0f;
    float gate = 0.0f;
    for (int64_t j = from + ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * N;
         j < from + a.size; j += (int64_t)TTT_PARTS * blockDim.x * N) {
        f32_pack<N> y = pack_load<N>(a.moment + j), m = {}, carry = {}, before = {};
        bf16_pack<N> narrow;
        if (a.scale)
            m = pack_load<N>(a.m + j);
        if (a.carry)
            carry = pack_load<N>(a.carry + j);
        if (a.carry && a.m_before)
            before = pack_load<N>(a.m_before + j);
#pragma unroll
        for (int k = 0; k < N; k++) {
            y.x[k] = fmaf(-m.x[k], turn, y.x[k] * scale) + carry.x[k];
            gate = fmaf(y.x[k], before.x[k], gate);
            carry.x[k] = mean * y.x[k];
            narrow.x[k] = __float2bfloat16(y.x[k]);
        }
        if (a.carry)
            pack_store<N>(a.carry + j, carry);
        pack_store<N>(a.moment + j, y);
        pack_store<N>(a.narrow + j, narrow);
    }
    gate = block_sum(gate);
    if (threadIdx.x == 0)
        a.gate[i * TTT_PARTS + blockIdx.x] = gate;
}

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

/* The gradient of N becomes that of the chunk's sums. */
static st_status moment_back_plainly(st_stream *q, const st_ttt_rule *r, const sti_ttt_slot *slot,
                                     const float *m_before, back_scratch *t)
{
    const int64_t size = sti_ttt_matrix(r);
    const dim3 blocks(TTT_PARTS, (unsigned)(3 * r->heads));
    const bool muon = r->muon != ST_TTT_MUON_OFF, momentum = r->momentum == ST_TTT_MOMENTUM;
    if (muon) {
        ST_TRY(newton_schulz_back(q, r, (bf16 *)slot->muon, t));
        if (size % 4 == 0)
            dot_parts<4><<<blocks, 512, 0, sti_cuda(q)>>>(t->part, slot->momentum, t->moment,
                                                          size);
        else
            dot_parts<1><<<blocks, 512, 0, sti_cuda(q)>>>(t->part, slot->momentum, t->moment,
                                                          size);
        ST_TRY(sti_launched("ttt dot_parts"));
    }
    if (!muon && !momentum)
        return st_ok();             /* moment is the gradient of the sums already */
    const moment_args m = {t->moment, t->narrow, momentum ? t->carry : NULL, t->gate,
                           slot->momentum, m_before, slot->mu_mean, muon ? slot->scale : NULL,
                           t->part, size};
    if (size % 4 == 0)
        moment_back<4><<<blocks, 512, 0, sti_cuda(q)>>>(m);
    else
        moment_back<1><<<blocks, 512, 0, sti_cuda(q)>>>(m);
    return sti_launched("ttt moment_back");
}

static st_status update_back(st_stream *q, const st_ttt_rule *r, const st_ttt_tape *tape,
                             int64_t slot_index, bool first, back_scratch *t)
{
    const bool prenorm = r->norm == ST_TTT_PRENORM, fused = sti_ttt_hopper_fits(q->device, r);
    const sti_ttt_slot slot = sti_ttt_slot_get(tape, r, slot_index);
    const sti_ttt_slot before = sti_ttt_slot_get(tape, r, slot_index - 1);
    const float *m_before = first ? NULL : before.momentum;
    const renorm_back_args a = {t->now, prenorm ? t->walk : NULL, fused ? NULL : t->moment,
                                t->narrow, t->length, slot.weight, tape->length, slot.row_norm,
                                r->heads, r->hidden, r->width};
    const unsigned renorm_blocks = row_blocks(r->heads * sti_ttt_rows(r));
    if (r->hidden % 4 == 0 && r->width % 4 == 0)
        renorm_back_rows<4><<<renorm_blocks, 32 * WARPS, 0, sti_cuda(q)>>>(a);
    else
        renorm_back_rows<1><<<renorm_blocks, 32 * WARPS, 0, sti_cuda(q)>>>(a);
    ST_TRY(sti_launched("ttt renorm_back_rows"));
    if (!fused)
        return moment_back_plainly(q, r, &slot, m_before, t);
    const ttt_update_back u = {prenorm ? t->walk : t->now, t->narrow, t->narrow, t->carry,
                               t->gate, t->part, t->meeting, (const bf16 *)slot.muon,
                               slot.momentum, m_before, slot.mu_mean, slot.scale};
    return sti_ttt_hopper_update_back(q, r, &u);
}

/* --- B6: the sweep ------------------------------------------------------------------------ */

typedef struct birth_args {
    float       *weight_grad;           /* gains */
    const float *now, *walk, *length_grad, *birth, *length;
    int64_t      heads, h, d;
} birth_args;

/* The walk began at the birth weights, and the lengths are theirs. */
static __global__ void birth_back_rows(birth_args a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / 32, per_head = 2 * a.h + a.d;
    if (row >= a.heads * per_head)
        return;
    const int64_t f = row / per_head, r = row % per_head, cols = r < 2 * a.h ? a.d : a.h;
    const int64_t from = f * 3 * a.h * a.d +
                         (r < 2 * a.h ? r * a.d : 2 * a.h * a.d + (r - 2 * a.h) * a.h);
    const float turn = a.length[row] > 0.0f ? a.length_grad[row] / a.length[row] : 0.0f;
    for (int64_t c = from + lane; c < from + cols; c += 32)
        a.weight_grad[c] += a.now[c] + a.walk[c] + turn * a.birth[c];
}

static st_status clear(st_stream *q, const st_ttt_rule *r, back_scratch *t)
{
    const size_t all = (size_t)sti_ttt_all(r) * sizeof(float);
    ST_TRY(st_fill_bytes(q, t->now, 0, all));
    ST_TRY(st_fill_bytes(q, t->walk, 0, all));
    ST_TRY(st_fill_bytes(q, t->carry, 0, all));
    return st_fill_bytes(q, t->length, 0,
                         (size_t)(r->heads * sti_ttt_rows(r)) * sizeof(float));
}

extern "C" st_status sti_ttt_backward_device(st_stream *q, const st_ttt_rule *r,
                                             const st_ttt_tape *tape, int64_t first_slot,
                                             const sti_ttt_view *x, const sti_ttt_view_grads *g,
                                             float *weight_grad, st_slab *scratch)
{
    const size_t mark = scratch->used;
    const int64_t updates = st_ttt_update_count(x->count, r->chunk), tail = updates * r->chunk;
    back_scratch t;
    ST_TRY(take(&t, scratch, r, longest(r, x->count)));
    ST_TRY(clear(q, r, &t));
    for (int64_t c = updates; c >= 0; c--) {
        /* Chunk c was read with what update c - 1 of this sequence left behind. */
        const bf16 *weight = (const bf16 *)sti_ttt_slot_get(tape, r, c > 0 ? first_slot + c - 1
                                                                           : 0).narrow;
        const int64_t from = c * r->chunk, n = c < updates ? r->chunk : x->count - tail;
        const run_back b = run_back_get(r, weight, x, g, from, n);
        if (c < updates) {
            ST_TRY(update_back(q, r, tape, first_slot + c, c == 0, &t));
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
    birth_back_rows<<<row_blocks(r->heads * sti_ttt_rows(r)), 32 * WARPS, 0, sti_cuda(q)>>>(a);
    st_slab_rewind(scratch, mark);
    return sti_launched("ttt birth_back_rows");
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
