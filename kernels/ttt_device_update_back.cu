/* ttt_device_update_back.cu - back through one update on the device (spec 9.5, B2 to B4).
 *
 * In launches of their own, A and B of each Newton-Schulz step come from the tape, so a step costs
 * four products, not six; its gradient stays in f32 with a bf16 copy to multiply. Where it can,
 * ttt_hopper_update_back.cu does B3 and B4 in one launch. Every sum has a fixed order: parts per
 * block, then the parts one by one.
 */
#include "kernels/ttt_device_back.cuh"

enum { TILE = 64 };

/* --- B2: renorm --------------------------------------------------------------------------- */

template <typename T> struct renorm_back_args {
    float       *now, *walk;        /* prenorm: now is consumed; walk NULL: postnorm              */
    float       *moment;            /* gradient of N; NULL: not wanted beside walk or now         */
    T           *narrow;
    float       *length_grad;       /* gains                                                      */
    const float *weight;            /* what the update made: y / (n + eps) is weight / length     */
    const float *length, *norm;
    int64_t      heads, h, d;
};

/* N numbers of a row at a time, which h and d are multiples of. */
template <int N, typename T> static __global__ void renorm_back_rows(renorm_back_args<T> a)
{
    const int     lane = threadIdx.x % 32;
    const int64_t row = row_own();
    if (row >= a.heads * (2 * a.h + a.d))
        return;
    const layer_row at = layer_row_get(row, a.h, a.d);
    const int64_t from = at.from, end = at.from + at.cols;
    const float length = a.length[row], n = a.norm[row], reach = n + STI_ROW_EPS;
    float dot = 0.0f;
    for (int64_t c = from + lane * N; c < end; c += 32 * N) {
        const packed<float, N> w = pack_load<N>(a.weight + c), now = pack_load<N>(a.now + c);
#pragma unroll
        for (int i = 0; i < N; i++)
            dot = fmaf(w.x[i], now.x[i], dot);
    }
    /* A row born as zero passes nothing on. */
    dot = length > 0.0f ? warp_sum(dot) / length : 0.0f;
    const float turn = n > 0.0f && length > 0.0f ? dot * reach / (n * length) : 0.0f;
    for (int64_t c = from + lane * N; c < end; c += 32 * N) {
        const packed<float, N> w = pack_load<N>(a.weight + c);
        packed<float, N> y = pack_load<N>(a.now + c);
        packed<T, N> copy;
#pragma unroll
        for (int i = 0; i < N; i++)
            y.x[i] = length / reach * (y.x[i] - w.x[i] * turn);
        if (a.walk) {
            const packed<float, N> walk = pack_load<N>(a.walk + c);
#pragma unroll
            for (int i = 0; i < N; i++)
                y.x[i] += walk.x[i];
            pack_store(a.walk + c, y);
        } else {
            pack_store(a.now + c, y);
        }
#pragma unroll
        for (int i = 0; i < N; i++)
            copy.x[i] = narrow<T>(y.x[i]);
        if (!a.moment)
            continue;
        pack_store(a.moment + c, y);
        pack_store(a.narrow + c, copy);
    }
    if (lane == 0)
        a.length_grad[row] += dot;
}

/* --- B3: Newton-Schulz -------------------------------------------------------------------- */

/* y = alpha x0 + beta (x + x^T) for squares of `side`, a multiple of N; x0 NULL leaves its term
 * out. A block writes one tile of y and turns the mirrored tile of x over in shared memory; two
 * more columns there keep rows out of each other's banks. */
template <int N, typename T>
static __global__ void symmetrise(T *y, const T *x0, float alpha, const T *x, float beta,
                                  int64_t side)
{
    __shared__ T turned[TILE][TILE + 2];
    const int64_t at = (int64_t)blockIdx.z * side * side;
    const int64_t row0 = (int64_t)blockIdx.y * TILE, col0 = (int64_t)blockIdx.x * TILE;
    for (int i = threadIdx.x; i < TILE * TILE / N; i += (int)blockDim.x) {
        const int row = i / (TILE / N), col = i % (TILE / N) * N;
        if (col0 + row >= side || row0 + col >= side)
            continue;
        const packed<T, N> v = pack_load<N>(x + at + (col0 + row) * side + row0 + col);
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
        packed<T, N> v = pack_load<N>(x + here), v0;
        if (x0)
            v0 = pack_load<N>(x0 + here);
#pragma unroll
        for (int k = 0; k < N; k++) {
            float value = beta * (wide(v.x[k]) + wide(turned[col + k][row]));
            if (x0)
                value = fmaf(alpha, wide(v0.x[k]), value);
            v.x[k] = narrow<T>(value);
        }
        pack_store(y + here, v);
    }
}

template <typename T>
static st_status run_symmetrise(st_stream *q, T *y, const T *x0, float alpha, const T *x,
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

/* moment and narrow: the gradient of NS(M) becomes that of X_0 = M / (|M| + eps). */
template <typename T>
static st_status newton_schulz_back(st_stream *q, const st_ttt_rule *r, T *muon,
                                    back_scratch<T> *t)
{
    const int64_t all = sti_ttt_all(r);
    for (int k = STI_NS_STEPS - 1; k >= 0; k--) {
        const ttt_muon_step<T> step = ttt_muon_step_get(muon, r, k);
        const int64_t side = r->hidden < r->width ? r->hidden : r->width;
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_gram(q, &g, t->r, t->narrow, step.x));
        }
        ST_TRY(run_symmetrise<T>(q, t->t, NULL, 0.0f, t->r, 1.0f, side, 3 * r->heads));
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_square_product(q, &g, t->r, t->r, t->t, ST_STRAIGHT, step.a, ST_STRAIGHT,
                                      side, side, side, 1.0f, 0.0f));
        }
        ST_TRY(run_symmetrise(q, t->z, t->t, STI_NS[k][1], t->r, STI_NS[k][2], side,
                              3 * r->heads));
        for (int j = 0; j < ttt_group_count(r); j++) {
            const ttt_group g = ttt_group_get(r, j);
            ST_TRY(ttt_mix(q, &g, t->moment, STI_NS[k][0], t->moment, step.b, t->narrow));
            ST_TRY(ttt_mix(q, &g, t->moment, 1.0f, t->moment, t->z, step.x));
        }
        ST_TRY(ttt_narrow_all(q, t->narrow, t->moment, all));
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
        const packed<float, N> x = pack_load<N>(m + from + j);
        const packed<float, N> y = pack_load<N>(moment + from + j);
#pragma unroll
        for (int i = 0; i < N; i++)
            sum = fmaf(x.x[i], y.x[i], sum);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        part[blockIdx.y * TTT_PARTS + blockIdx.x] = sum;
}

template <typename T> struct moment_args {
    float       *moment;        /* in: gradient of X_0, or of N without Muon; out: of M    */
    T           *narrow;
    float       *carry;         /* in: m_{c+1} Mbar_{c+1}; out: m_c Mbar_c; NULL: off      */
    float       *gate;          /* parts of <Mbar, M before>                               */
    const float *m, *m_before;  /* m_before NULL for the first update                      */
    const float *mean;          /* (H)                                                     */
    const float *scale;         /* (3H) 1 / (|M| + eps); NULL without Muon                 */
    const float *part;          /* parts of <M, moment>                                    */
    int64_t      size;
};

template <int N, typename T> static __global__ void moment_back(moment_args<T> a)
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
        packed<float, N> y = pack_load<N>(a.moment + j), m = {}, carry = {}, before = {};
        packed<T, N> copy;
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
            copy.x[k] = narrow<T>(y.x[k]);
        }
        if (a.carry)
            pack_store(a.carry + j, carry);
        pack_store(a.moment + j, y);
        pack_store(a.narrow + j, copy);
    }
    gate = block_sum(gate);
    if (threadIdx.x == 0)
        a.gate[i * TTT_PARTS + blockIdx.x] = gate;
}

/* The gradient of N becomes that of the chunk's sums. */
template <typename T>
static st_status moment_back_plainly(st_stream *q, const st_ttt_rule *r, const sti_ttt_slot *slot,
                                     const float *m_before, back_scratch<T> *t)
{
    const int64_t size = sti_ttt_matrix(r);
    const dim3 blocks(TTT_PARTS, (unsigned)(3 * r->heads));
    const bool muon = r->muon != ST_TTT_MUON_OFF, momentum = r->momentum == ST_TTT_MOMENTUM;
    if (muon) {
        ST_TRY(newton_schulz_back(q, r, (T *)slot->muon, t));
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
    const moment_args<T> m = {t->moment, t->narrow, momentum ? t->carry : NULL, t->gate,
                              slot->momentum, m_before, slot->mu_mean, muon ? slot->scale : NULL,
                              t->part, size};
    if (size % 4 == 0)
        moment_back<4><<<blocks, 512, 0, sti_cuda(q)>>>(m);
    else
        moment_back<1><<<blocks, 512, 0, sti_cuda(q)>>>(m);
    return sti_launched("ttt moment_back");
}

template <typename T>
st_status ttt_update_back_run(st_stream *q, const st_ttt_rule *r, const st_ttt_tape *tape,
                              int64_t slot_index, bool first, back_scratch<T> *t)
{
    const bool prenorm = r->norm == ST_TTT_PRENORM, fused = sti_ttt_hopper_fits(q->device, r);
    const sti_ttt_slot slot = sti_ttt_slot_get(tape, r, slot_index);
    const sti_ttt_slot before = sti_ttt_slot_get(tape, r, slot_index - 1);
    const float *m_before = first ? NULL : before.momentum;
    const renorm_back_args<T> a = {t->now, prenorm ? t->walk : NULL, fused ? NULL : t->moment,
                                   t->narrow, t->length, slot.weight, tape->length, slot.row_norm,
                                   r->heads, r->hidden, r->width};
    const unsigned renorm_blocks = row_blocks(r->heads * sti_ttt_rows(r));
    if (r->hidden % 4 == 0 && r->width % 4 == 0)
        renorm_back_rows<4><<<renorm_blocks, 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    else
        renorm_back_rows<1><<<renorm_blocks, 32 * ROW_WARPS, 0, sti_cuda(q)>>>(a);
    ST_TRY(sti_launched("ttt renorm_back_rows"));
    if (!fused)
        return moment_back_plainly(q, r, &slot, m_before, t);
    ttt_update_back u = {};
    u.moment = prenorm ? t->walk : t->now, u.carry = t->carry;
    u.narrow = u.squares = (bf16 *)t->narrow;
    u.gate = t->gate, u.part = t->part, u.meeting = t->meeting;
    u.muon = (const bf16 *)slot.muon, u.m = slot.momentum, u.m_before = m_before;
    u.mean = slot.mu_mean, u.scale = slot.scale;
    return sti_ttt_hopper_update_back(q, r, &u);
}

template st_status ttt_update_back_run(st_stream *, const st_ttt_rule *, const st_ttt_tape *,
                                       int64_t, bool, back_scratch<bf16> *);
template st_status ttt_update_back_run(st_stream *, const st_ttt_rule *, const st_ttt_tape *,
                                       int64_t, bool, back_scratch<float> *);
