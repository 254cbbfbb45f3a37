/* ttt_device_update.cu - an update of the fast weights on the device, forward (spec 7.10, 7.11):
 * momentum, Newton-Schulz, renorming. In launches of their own, or in one where
 * ttt_hopper_update.cu can.
 */
#include "kernels/ttt_hopper.cuh"

/* --- scratch ------------------------------------------------------------------------------ */

template <typename T> struct fire_scratch {
    float    *part;     /* (3H,TTT_PARTS)  parts of |M|^2                      */
    float    *scale;    /* (3H)            1 / (|M| + eps)                     */
    T        *muon;     /* one step's X, A, B, twice; only without a tape      */
    float    *row_part; /* (3H,d,2)        for the fused body                  */
    uint32_t *meeting;  /* (3H,TTT_MEETING_STEP)  the same                     */
};

template <typename T>
static st_status take_fire(fire_scratch<T> *t, st_slab *slab, const st_ttt_rule *r)
{
    ST_TRY(ST_TAKE(slab, &t->part, 3 * r->heads * TTT_PARTS));
    ST_TRY(ST_TAKE(slab, &t->row_part, 3 * r->heads * r->width * 2));
    ST_TRY(ST_TAKE(slab, &t->meeting, 3 * r->heads * TTT_MEETING_STEP));
    ST_TRY(ST_TAKE(slab, &t->scale, 3 * r->heads));
    ST_TRY(ST_TAKE(slab, &t->muon, 2 * sti_ttt_muon_tape(r) / STI_NS_STEPS));
    return st_ok();
}

template <typename T> st_status ttt_update_plan(st_slab *scratch, const st_ttt_rule *rule)
{
    const size_t mark = scratch->used;
    fire_scratch<T> t;
    ST_TRY(take_fire(&t, scratch, rule));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

template st_status ttt_update_plan<bf16>(st_slab *, const st_ttt_rule *);
template st_status ttt_update_plan<float>(st_slab *, const st_ttt_rule *);

/* --- element by element ------------------------------------------------------------------- */

typedef struct momentum_args {
    float       *gradient, *momentum;       /* momentum NULL: off                  */
    float       *tape_m, *tape_mean;        /* NULL without a tape                 */
    const float *mu_sum;
    float       *part;                      /* (3H,TTT_PARTS) parts of |M|^2       */
    int64_t      size;                      /* numbers in one matrix               */
    float        chunk;
    bool         first;                     /* of its sequence: no M yet           */
} momentum_args;

/* gradient becomes M; TTT_PARTS blocks per matrix. */
static __global__ void add_momentum(momentum_args a)
{
    const int64_t i = blockIdx.y, from = i * a.size;
    const float mean = a.momentum ? a.mu_sum[i / 3] / a.chunk : 0.0f;
    float square = 0.0f;
    for (int64_t j = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; j < a.size;
         j += (int64_t)TTT_PARTS * blockDim.x) {
        float m = a.gradient[from + j];
        if (a.momentum) {
            m = a.first ? m : fmaf(mean, a.momentum[from + j], m);
            a.momentum[from + j] = m;
        }
        a.gradient[from + j] = m;
        if (a.tape_m)
            a.tape_m[from + j] = m;
        square = fmaf(m, m, square);
    }
    square = block_sum(square);
    if (threadIdx.x == 0)
        a.part[i * TTT_PARTS + blockIdx.x] = square;
    if (threadIdx.x == 0 && blockIdx.x == 0 && i % 3 == 0 && a.tape_mean)
        a.tape_mean[i / 3] = mean;
}

/* M becomes X_0 = M / (|M| + eps), in f32 and as products read it; and the scale. */
template <typename T>
static __global__ void normalise(T *x, float *scale_out, float *m, const float *part, int64_t size)
{
    const int64_t i = blockIdx.y;
    float square = 0.0f;
    for (int p = 0; p < TTT_PARTS; p++)
        square += part[i * TTT_PARTS + p];
    const float scale = 1.0f / (sqrtf(square) + STI_NS_EPS);
    if (threadIdx.x == 0 && blockIdx.x == 0)
        scale_out[i] = scale;
    for (int64_t j = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; j < size;
         j += (int64_t)gridDim.x * blockDim.x) {
        const float value = m[i * size + j] * scale;
        m[i * size + j] = value;
        x[i * size + j] = narrow<T>(value);
    }
}

template <typename T> struct renorm_args {
    float       *weight, *walk;             /* walk NULL: postnorm        */
    T           *narrow;
    const float *length;
    const float *step;                      /* NS(M), or M without Muon   */
    float       *tape_weight, *tape_norm;   /* NULL without a tape        */
    T           *tape_narrow;
    int64_t      heads, h, d;
};

/* y = walk or weight, plus step; weight = length * unit(y). */
template <typename T> static __global__ void renorm_rows(renorm_args<T> a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= a.heads * (2 * a.h + a.d))
        return;
    const layer_row at = layer_row_get(row, a.h, a.d);
    float *base = a.walk ? a.walk : a.weight;
    float square = 0.0f;
    for (int64_t c = at.from + lane; c < at.from + at.cols; c += 32) {
        const float y = base[c] + a.step[c];
        base[c] = y;                        /* a lane rereads its own c below */
        square = fmaf(y, y, square);
    }
    const float n = sqrtf(warp_sum(square)), scale = a.length[row] / (n + STI_ROW_EPS);
    for (int64_t c = at.from + lane; c < at.from + at.cols; c += 32) {
        const float w = base[c] * scale;
        a.weight[c] = w;
        a.narrow[c] = narrow<T>(w);
        if (a.tape_weight) {
            a.tape_weight[c] = w;
            a.tape_narrow[c] = narrow<T>(w);
        }
    }
    if (lane == 0 && a.tape_norm)
        a.tape_norm[row] = n;
}

/* --- the update --------------------------------------------------------------------------- */

/* x and step 0's X hold X_0; x becomes NS(M).
 *
 * x itself stays in f32: rounding it to bf16 would put noise into the directions where M has
 * nothing, and every step multiplies those by about four. What is rounded is only what the
 * products read, and B times a rounded X still points where X points. */
template <typename T>
static st_status newton_schulz(st_stream *q, const st_ttt_rule *r, float *x, T *muon, bool taped)
{
    const int64_t all = sti_ttt_all(r);
    for (int k = 0; k < STI_NS_STEPS; k++) {
        /* With a tape each step has its own place; without one two places take turns. */
        const ttt_muon_step<T> now = ttt_muon_step_get(muon, r, taped ? k : k % 2);
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_gram(q, &g, now.a, now.x, now.x));
            ST_TRY(ttt_square_product(q, &g, now.b, now.a, now.a, ST_STRAIGHT, now.a, ST_STRAIGHT,
                                      g.side, g.side, g.side, STI_NS[k][2], STI_NS[k][1]));
            ST_TRY(ttt_mix(q, &g, x, STI_NS[k][0], x, now.b, now.x));
        }
        if (k == STI_NS_STEPS - 1)
            break;
        ST_TRY(ttt_narrow_all(q, ttt_muon_step_get(muon, r, taped ? k + 1 : (k + 1) % 2).x, x,
                              all));
    }
    return st_ok();
}

template <typename T>
static st_status fire_plainly(st_stream *q, const st_ttt_state *s, const sti_ttt_slot *slot,
                              const fire_scratch<T> *t)
{
    const st_ttt_rule *r = &s->rule;
    const int64_t size = sti_ttt_matrix(r);
    const dim3 blocks(TTT_PARTS, (unsigned)(3 * r->heads));
    const momentum_args m = {s->gradient, s->momentum, slot->momentum, slot->mu_mean, s->mu_sum,
                             t->part, size, (float)r->chunk, s->updates == 0};
    add_momentum<<<blocks, 512, 0, sti_cuda(q)>>>(m);
    ST_TRY(sti_launched("ttt add_momentum"));
    if (r->muon != ST_TTT_MUON_OFF) {
        T *muon = slot->muon ? (T *)slot->muon : t->muon;
        normalise<<<blocks, 512, 0, sti_cuda(q)>>>(ttt_muon_step_get(muon, r, 0).x,
                                                   slot->scale ? slot->scale : t->scale,
                                                   s->gradient, t->part, size);
        ST_TRY(sti_launched("ttt normalise"));
        ST_TRY(newton_schulz(q, r, s->gradient, muon, slot->muon != NULL));
    }
    const renorm_args<T> a = {s->weight, s->walk, (T *)s->narrow, s->length, s->gradient,
                              slot->weight, slot->row_norm, (T *)slot->narrow, r->heads,
                              r->hidden, r->width};
    renorm_rows<<<row_blocks(r->heads * sti_ttt_rows(r)), 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    return sti_launched("ttt renorm_rows");
}

template <typename T>
static st_status fire_fused(st_stream *q, const st_ttt_state *s, const sti_ttt_slot *slot,
                            const fire_scratch<T> *t)
{
    ttt_update u = {};
    u.gradient = s->gradient, u.momentum = s->momentum, u.mu_sum = s->mu_sum;
    u.weight = s->weight, u.walk = s->walk, u.narrow = (bf16 *)s->narrow, u.length = s->length;
    u.tape_momentum = slot->momentum, u.tape_mean = slot->mu_mean, u.tape_scale = slot->scale;
    u.tape_weight = slot->weight, u.tape_norm = slot->row_norm;
    u.tape_narrow = (bf16 *)slot->narrow;
    u.taped = slot->muon != NULL;
    u.first = s->updates == 0;
    u.muon = (bf16 *)(u.taped ? slot->muon : t->muon);
    u.part = t->part, u.row_part = t->row_part, u.meeting = t->meeting;
    return sti_ttt_hopper_update(q, &s->rule, &u);
}

template <typename T>
static st_status fire(st_stream *q, const st_ttt_state *s, const sti_ttt_slot *slot,
                      st_slab *scratch)
{
    const size_t mark = scratch->used;
    fire_scratch<T> t;
    ST_TRY(take_fire(&t, scratch, &s->rule));
    if (sti_ttt_hopper_fits(q->device, &s->rule))
        ST_TRY(fire_fused(q, s, slot, &t));
    else
        ST_TRY(fire_plainly(q, s, slot, &t));
    st_slab_rewind(scratch, mark);
    return st_ok();
}

extern "C" st_status sti_ttt_fire_device(st_stream *q, st_ttt_state *s, const sti_ttt_slot *slot,
                                         st_slab *scratch)
{
    return s->rule.precision == ST_TTT_FAST ? fire<bf16>(q, s, slot, scratch)
                                            : fire<float>(q, s, slot, scratch);
}
