/* ttt_hopper_update.cu - one update of all fast weights in one launch (spec 7.10, 7.11).
 *
 * Momentum, five Newton-Schulz steps and renorming are 17 steps that each need the one before, on
 * 12 matrices of 512 x 512: 3.2 GFLOP a product, 4 us at the card's best, so launches between them
 * would cost as much as the work.
 *
 *     M = g + m M                   parts of |M|^2            -- meet
 *     X = M / |M|                                             -- meet
 *     5 x  A = X X^T                symmetric                 -- meet
 *          B = b A + c A A          symmetric                 -- meet
 *          X = a X + B X            wide                      -- meet
 *     P += X, W = length unit(P)
 */
#include "kernels/ttt_hopper_square.cuh"

enum { BATCH = SIDE_MAX / 128 };        /* loads in flight in the pointwise steps: with so few
                                           threads, one at a time would wait for L2 each time */

typedef struct update_args {
    ttt_update u;
    float      ns[STI_NS_STEPS][3];
    int        matrices, first_matrix, side;
    float      chunk;
    bool       prenorm, momentum, first;
} update_args;

#ifdef STI_HOPPER

/* X, A or B (0, 1, 2) of step k. */
static __device__ __forceinline__ square muon_square(const CUtensorMap *map, const update_args &a,
                                                     int k, int which, int matrix)
{
    const square x = {map, ((a.u.taped ? k : k % 2) * 3 + which) * a.matrices + matrix};
    return x;
}

static __device__ void feed(square_memory *s, const CUtensorMap *map, const update_args &a,
                            const seat &at)
{
    feeder f = {s, {0, 0}, at.rank < at.wides ? 1u : 0u};   /* X_0 leaves through `out` first */
    for (int k = 0; k < STI_NS_STEPS; k++) {
        const square X = muon_square(map, a, k, 0, at.matrix);
        const square A = muon_square(map, a, k, 1, at.matrix);
        const square B = muon_square(map, a, k, 2, at.matrix);
        wait_for(at.meeting, goal_of(at, 2, k, 0));
        feed_symmetric(&f, at, X, X, false, NULL);
        wait_for(at.meeting, goal_of(at, 2, k, 1));
        feed_symmetric(&f, at, A, A, false, &A);
        if (at.rank >= at.wides)
            continue;
        wait_for(at.meeting, goal_of(at, 2, k, 2));
        feed_begin(&f, &X, at.wide_row, at.wide_col, 4);
        feed_wide(&f, at, B, X);
    }
}

/* d = this block's tile of M = g + m M; the answer is its part of |M|^2. */
static __device__ __forceinline__ float take_moment(float (&d)[2][64], const update_args &a,
                                                    const seat &at, const consumer *me, float mean)
{
    const int64_t here = wide_place(at, me);
    float square = 0.0f;
#pragma unroll
    for (int first = 0; first < FOURS; first += BATCH) {
        float2 g[2 * BATCH], old[2 * BATCH];
#pragma unroll
        for (int i = 0; i < 2 * BATCH; i++) {
            const int64_t n = here + (first + i / 2) * 8 + i % 2 * 8 * at.side;
            g[i] = *reinterpret_cast<const float2 *>(a.u.gradient + n);
            old[i] = make_float2(0.0f, 0.0f);
            if (a.momentum && !a.first)
                old[i] = *reinterpret_cast<const float2 *>(a.u.momentum + n);
        }
#pragma unroll
        for (int i = 0; i < 2 * BATCH; i++) {
            const int j = first + i / 2;
            const int64_t n = here + j * 8 + i % 2 * 8 * at.side;
            const float2 m = make_float2(fmaf(mean, old[i].x, g[i].x),
                                         fmaf(mean, old[i].y, g[i].y));
            if (a.momentum)
                *reinterpret_cast<float2 *>(a.u.momentum + n) = m;
            if (a.u.tape_momentum)
                *reinterpret_cast<float2 *>(a.u.tape_momentum + n) = m;
            square = fmaf(m.x, m.x, fmaf(m.y, m.y, square));
            d[j / 16][j % 16 * 4 + i % 2 * 2] = m.x;
            d[j / 16][j % 16 * 4 + i % 2 * 2 + 1] = m.y;
        }
    }
    return square;
}

/* M of this block's tile, and X_0 = M / (|M| + eps) in its place among the planes. */
static __device__ __forceinline__ void begin_tile(consumer *me, const seat &at,
                                                  const update_args &a, square X)
{
    float d[2][64];
    const float mean = a.momentum ? a.u.mu_sum[at.matrix / 3] / a.chunk : 0.0f;
    float square = consumers_sum(take_moment(d, a, at, me, mean));
    if (threadIdx.x == 0) {
        a.u.part[at.matrix * TTT_PARTS + at.rank] = square;
        if (at.rank == 0 && at.matrix % 3 == 0 && a.u.tape_mean)
            a.u.tape_mean[at.matrix / 3] = mean;
        arrive(at.meeting);
        wait_for(at.meeting, at.wides);
    }
    meet(MEET_CONSUMERS, CONSUMERS);
    square = 0.0f;
    for (int i = 0; i < at.wides; i++)
        square += __ldcg(a.u.part + at.matrix * TTT_PARTS + i);
    const float scale = 1.0f / (sqrtf(square) + STI_NS_EPS);
    if (threadIdx.x == 0 && at.rank == 0 && a.u.tape_scale)
        a.u.tape_scale[at.matrix] = scale;
    stage_wide(d, me, scale);
    send(me, at, X, at.wide_row, at.wide_col, 4, false);
}

/* X: a X + B X; the last one leaves as f32. */
static __device__ __forceinline__ void advance(consumer *me, const seat &at, const update_args &a,
                                               square next, int k)
{
    float d[2][64];
    const bool last = k == STI_NS_STEPS - 1;
    multiply_wide(d, me, at.side / TILE_COLS);
    wait_added(me);
    add_wide(d, me, a.ns[k][0]);
    if (last) {
        float *to = a.u.gradient + wide_place(at, me);
#pragma unroll
        for (int j = 0; j < FOURS; j++) {
            const float *x = d[j / 16] + j % 16 * 4;
            *reinterpret_cast<float2 *>(to + j * 8) = make_float2(x[0], x[1]);
            *reinterpret_cast<float2 *>(to + j * 8 + 8 * at.side) = make_float2(x[2], x[3]);
        }
    } else {
        stage_wide(d, me, 1.0f);
    }
    send(me, at, next, at.wide_row, at.wide_col, last ? 0 : 4, false);
}

/* Rows back to their birth length; a warp to a row. */
static __device__ void renorm(const update_args &a, const seat &at)
{
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float *base = a.prenorm ? a.u.walk : a.u.weight;
    for (int r = at.rank * (CONSUMERS / 32) + warp; r < at.side;
         r += at.squares * (CONSUMERS / 32)) {
        const int64_t row = (int64_t)at.matrix * at.side + r, from = row * at.side;
        float4 y[BATCH], x[BATCH];
        float square = 0.0f;
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int c = 4 * lane + 128 * i;
            y[i] = x[i] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (c < at.side) {
                y[i] = *reinterpret_cast<const float4 *>(base + from + c);
                x[i] = __ldcg(reinterpret_cast<const float4 *>(a.u.gradient + from + c));
            }
        }
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            float4 *sum = y + i;
            sum->x += x[i].x, sum->y += x[i].y, sum->z += x[i].z, sum->w += x[i].w;
            square = fmaf(sum->x, sum->x, fmaf(sum->y, sum->y, square));
            square = fmaf(sum->z, sum->z, fmaf(sum->w, sum->w, square));
        }
        const float n = sqrtf(warp_sum(square)), scale = a.u.length[row] / (n + STI_ROW_EPS);
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int c = 4 * lane + 128 * i;
            if (c >= at.side)
                continue;
            const float4 w = make_float4(y[i].x * scale, y[i].y * scale, y[i].z * scale,
                                         y[i].w * scale);
            bf16_pack<4> narrow;
            narrow.x[0] = __float2bfloat16(w.x), narrow.x[1] = __float2bfloat16(w.y);
            narrow.x[2] = __float2bfloat16(w.z), narrow.x[3] = __float2bfloat16(w.w);
            if (a.prenorm)
                *reinterpret_cast<float4 *>(base + from + c) = y[i];
            *reinterpret_cast<float4 *>(a.u.weight + from + c) = w;
            pack_store<4>(a.u.narrow + from + c, narrow);
            if (a.u.tape_weight) {
                *reinterpret_cast<float4 *>(a.u.tape_weight + from + c) = w;
                pack_store<4>(a.u.tape_narrow + from + c, narrow);
            }
        }
        if (lane == 0 && a.u.tape_norm)
            a.u.tape_norm[row] = n;
    }
}

static __device__ void consume(square_memory *s, const CUtensorMap *map, const update_args &a,
                               const seat &at)
{
    consumer me = consumer_get(s);
    if (at.rank < at.wides)
        begin_tile(&me, at, a, muon_square(map, a, 0, 0, at.matrix));
#pragma unroll 1
    for (int k = 0; k < STI_NS_STEPS; k++) {
        const square A = muon_square(map, a, k, 1, at.matrix);
        const square B = muon_square(map, a, k, 2, at.matrix);
        run_symmetric<false, false>(&me, at, A, 0.0f, 1.0f);
        run_symmetric<false, true>(&me, at, B, a.ns[k][1], a.ns[k][2]);
        if (at.rank < at.wides)
            advance(&me, at, a, muon_square(map, a, k + 1, 0, at.matrix), k);
    }
    if (threadIdx.x == 0)
        wait_for(at.meeting, goal_of(at, 2, STI_NS_STEPS, 0));
    meet(MEET_CONSUMERS, CONSUMERS);
    renorm(a, at);
}

#endif /* STI_HOPPER */

static __global__ void __launch_bounds__(THREADS, 1)
    update(const __grid_constant__ CUtensorMap muon, const __grid_constant__ update_args a)
{
#ifdef STI_HOPPER
    extern __shared__ unsigned char raw[];
    square_memory *s = square_begin(raw);
    const seat at = seat_get(a.u.meeting, a.first_matrix, a.side);
    if (threadIdx.x >= CONSUMERS) {
        registers_give<40>();
        if (threadIdx.x == CONSUMERS)
            feed(s, &muon, a, at);
        return;
    }
    registers_take<232>();
    consume(s, &muon, a, at);
#endif
}

bool sti_ttt_hopper_fits(const sti_device *device, const st_ttt_rule *r)
{
    return device->hopper && r->hidden == r->width && r->width % (2 * SIDE) == 0 &&
           r->width <= SIDE_MAX && square_ranks(r->width) <= device->processor_count &&
           r->muon != ST_TTT_MUON_OFF;
}

st_status sti_ttt_hopper_update(st_stream *q, const st_ttt_rule *r, const ttt_update *u)
{
    const int64_t d = r->width, matrices = 3 * r->heads;
    const int64_t planes = (u->taped ? STI_NS_STEPS : 2) * 3 * matrices;
    CUtensorMap muon;
    ST_TRY(sti_tile_map(&muon, u->muon, d, d, planes, d, d * d, TILE_ROWS / 2));

    update_args a = {};
    a.u = *u;
    for (int i = 0; i < 3 * STI_NS_STEPS; i++)
        a.ns[i / 3][i % 3] = STI_NS[i / 3][i % 3];
    a.matrices = (int)matrices, a.side = (int)d;
    a.chunk = (float)r->chunk;
    a.prenorm = r->norm == ST_TTT_PRENORM;
    a.momentum = r->momentum == ST_TTT_MOMENTUM;
    a.first = u->first;
    ST_TRY(st_fill_bytes(q, u->meeting, 0, (size_t)matrices * sizeof *u->meeting));
    void *args[] = {&muon, &a};
    return square_launch(q, (const void *)update, "ttt update", d, matrices, args,
                         &a.first_matrix);
}
