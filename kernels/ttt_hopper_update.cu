/* ttt_hopper_update.cu - one update of all fast weights in one launch (spec 7.10, 7.11).
 *
 * Momentum, five Newton-Schulz steps and renorming are 17 steps that each need the one before, on
 * 12 matrices of 512 x 512. A full product of all is 4 us at the card's best, so launches between
 * them would cost as much as the work.
 *
 *     M = g + m M                   parts of |M|^2            -- meet
 *     X = M / |M|                                             -- meet
 *     5 x  A = X X^T                symmetric                 -- meet
 *          B = b A + c A A          symmetric                 -- meet
 *          X = a X + B X            wide                      -- meet, but for the last
 *     P += X                        parts of the rows' norms  -- meet
 *     W = length unit(P)
 *
 * From M to X_0, and from the last X to W, a tile stays in the registers of its block.
 */
#include "kernels/ttt_hopper_tile.cuh"

enum { BATCH = 4 };                     /* rows in flight in the pointwise steps: with so few
                                           threads, each wait for L2 counts */

typedef struct update_args {
    ttt_update u;
    float      ns[STI_NS_STEPS][3];
    int        matrices, first_matrix, side;
    float      chunk;
    bool       prenorm, momentum;
} update_args;

#ifdef STI_HOPPER

/* X, A or B (0, 1, 2) of step k. */
static __device__ __forceinline__ square muon_square(const CUtensorMap *map, const update_args &a,
                                                     int k, int which, const seat &at)
{
    return square_at(map, at, (a.u.taped ? k : k % 2) * 3 + which);
}

/* Before the chain: each block's part of |M|^2, and its tile of X_0. */
static __device__ __forceinline__ int arrivals_before(const seat &at)
{
    return at.wides + GROUPS * at.wides;
}

static __device__ void feed(square_memory *s, const CUtensorMap *map, const update_args &a,
                            const seat &at)
{
    const int before = arrivals_before(at);
    feeder f = {s, {0, 0}};
    if (at.rank < at.wides)
        feed_end(&f, NULL, 0, 0, 0);                /* for X_0 */
    for (int k = 0; k < STI_NS_STEPS; k++) {
        const square X = muon_square(map, a, k, 0, at);
        const square A = muon_square(map, a, k, 1, at);
        const square B = muon_square(map, a, k, 2, at);
        wait_for(at.meeting, goal_of(at, before, k, 0));
        fence_async_global();
        feed_symmetric(&f, at, X, X, NULL);
        wait_for(at.meeting, goal_of(at, before, k, 1));
        fence_async_global();
        feed_symmetric(&f, at, A, A, &A);
        if (at.rank >= at.wides)
            continue;
        wait_for(at.meeting, goal_of(at, before, k, 2));
        fence_async_global();
        if (k == STI_NS_STEPS - 1)
            foresee_wide(at, a.prenorm ? a.u.walk : a.u.weight);
        feed_wide(&f, at, B, X);
        feed_end(&f, &X, STAGED, at.wide_row, at.wide_col);
    }
}

/* m = this block's tile of M = g + m M; the answer is this thread's part of |M|^2. */
static __device__ __forceinline__ float read_moment(wide_rows &m, const update_args &a,
                                                    const seat &at, float mean)
{
    const int64_t here = rows_place(at);
    float square = 0.0f;
#pragma unroll
    for (int i = 0; i < 32; i++)
        m[i / 2][i % 2] = four_load(a.u.gradient + here + row_step(at, i / 2, i % 2));
    if (a.momentum && !a.u.first) {
#pragma unroll
        for (int first = 0; first < 32; first += 2 * BATCH) {
            float4 old[2 * BATCH];
#pragma unroll
            for (int i = 0; i < 2 * BATCH; i++)
                old[i] = four_load(a.u.momentum + here + row_step(at, (first + i) / 2, i % 2));
#pragma unroll
            for (int i = 0; i < 2 * BATCH; i++)
                m[(first + i) / 2][i % 2] = four_add(mean, old[i], m[(first + i) / 2][i % 2]);
        }
    }
#pragma unroll
    for (int i = 0; i < 32; i++) {
        const float4  x = m[i / 2][i % 2];
        const int64_t to = here + row_step(at, i / 2, i % 2);
        square = four_dot(square, x, x);
        if (a.momentum)
            four_store(a.u.momentum + to, x);
        if (a.u.tape_momentum)
            four_store(a.u.tape_momentum + to, x);
    }
    return square;
}

/* d = this block's tile of X_0 = M / (|M| + eps). */
static __device__ __forceinline__ void begin_tile(float (&d)[2][64], const consumer *me,
                                                  const seat &at, const update_args &a)
{
    wide_rows m;
    const float mean = a.momentum ? a.u.mu_sum[at.matrix / 3] / a.chunk : 0.0f;
    tell_part(read_moment(m, a, at, mean), a.u.part, at);
    rows_become(d, m, me);
    const float square = sum_parts(a.u.part, at, at.wides);
    const float scale = 1.0f / (sqrtf(square) + STI_NS_EPS);
    if (threadIdx.x == 0 && at.rank == 0 && a.u.tape_scale)
        a.u.tape_scale[at.matrix] = scale;
    if (threadIdx.x == 0 && at.rank == 0 && at.matrix % 3 == 0 && a.u.tape_mean)
        a.u.tape_mean[at.matrix / 3] = mean;
#pragma unroll
    for (int i = 0; i < 128; i++)
        d[i / 64][i % 64] *= scale;
}

/* y, X of this block's tile, becomes Y = P + X or W + X; the block's part of each row's square is
 * told. */
static __device__ __forceinline__ void add_walk(wide_rows &y, const update_args &a, const seat &at)
{
    const float  *base = (a.prenorm ? a.u.walk : a.u.weight) + rows_place(at);
    const int64_t row = rows_first(at);
#pragma unroll
    for (int first = 0; first < 16; first += BATCH) {
        float4 old[2 * BATCH];
#pragma unroll
        for (int i = 0; i < 2 * BATCH; i++)
            old[i] = four_load(base + row_step(at, first + i / 2, i % 2));
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            float4 *x = y[first + i];
            x[0] = four_add(1.0f, x[0], old[2 * i]), x[1] = four_add(1.0f, x[1], old[2 * i + 1]);
            const float sum = warp_sum(four_dot(four_dot(0.0f, x[0], x[0]), x[1], x[1]));
            if (threadIdx.x % 32 == 0)
                a.u.row_part[(row + first + i) * 2 + at.wide_col / 2] = sum;
        }
    }
}

/* Rows back to their birth length. */
static __device__ __forceinline__ void leave_weight(const wide_rows &y, const update_args &a,
                                                    const seat &at)
{
    const int64_t here = rows_place(at), own = rows_first(at) + threadIdx.x % 16;
    float square = 0.0f;                            /* of row lane % 16 */
    for (int half = 0; half < at.side / (2 * SIDE); half++)
        square += __ldcg(a.u.row_part + own * 2 + half);
    const float n = sqrtf(square), own_scale = a.u.length[own] / (n + STI_ROW_EPS);
    if (threadIdx.x % 32 < 16 && at.wide_col == 0 && a.u.tape_norm)
        a.u.tape_norm[own] = n;
#pragma unroll
    for (int i = 0; i < 32; i++) {
        const float   scale = __shfl_sync(~0u, own_scale, i / 2);
        const int64_t to = here + row_step(at, i / 2, i % 2);
        const float4  x = y[i / 2][i % 2];
        const float4  w = make_float4(scale * x.x, scale * x.y, scale * x.z, scale * x.w);
        if (a.prenorm)
            four_store(a.u.walk + to, x);
        four_store(a.u.weight + to, w);
        four_store(a.u.narrow + to, w);
        if (a.u.tape_weight) {
            four_store(a.u.tape_weight + to, w);
            four_store(a.u.tape_narrow + to, w);
        }
    }
}

/* d = X of the last step: W = length unit(P + X). */
static __device__ __forceinline__ void end_tile(const float (&d)[2][64], const consumer *me,
                                                const seat &at, const update_args &a)
{
    wide_rows y;
    rows_of(y, d, me);
    add_walk(y, a, at);
    meet(MEET_CONSUMERS, CONSUMERS);
    if (threadIdx.x == 0) {
        arrive(at.meeting);
        wait_for(at.meeting,
                 goal_of(at, arrivals_before(at), STI_NS_STEPS - 1, 2) + at.wides);
    }
    meet(MEET_CONSUMERS, CONSUMERS);
    leave_weight(y, a, at);
}

static __device__ void consume(square_memory *s, const CUtensorMap *map, const update_args &a,
                               const seat &at)
{
    consumer me = consumer_get(s);
    /* X_0 leaves by the same code as its successors, which is long: the first time through it, a
     * block waits for instructions, not for numbers. */
#pragma unroll 1
    for (int k = -1; k < STI_NS_STEPS; k++) {
        if (k >= 0) {
            const square A = muon_square(map, a, k, 1, at);
            const square B = muon_square(map, a, k, 2, at);
            run_symmetric<ALONE, BARE>(&me, at, A, 0.0f, 1.0f);
            run_symmetric<ALONE, ADDED>(&me, at, B, a.ns[k][1], a.ns[k][2]);
        }
        if (at.rank >= at.wides)
            continue;
        float d[2][64];
        if (k < 0)
            begin_tile(d, &me, at, a);
        else
            multiply_wide(d, &me, at.side / TILE_COLS);
        const ring from = stage_begin(&me);
        if (k >= 0)
            add_wide(d, &me, a.ns[k][0]);
        if (k < STI_NS_STEPS - 1)
            leave_wide(d, &me, at, muon_square(map, a, k + 1, 0, at), from);
        else
            end_tile(d, &me, at, a);
    }
}

#endif /* STI_HOPPER */

static __global__ void __launch_bounds__(THREADS, 1)
    update(const __grid_constant__ CUtensorMap muon, const __grid_constant__ update_args a)
{
#ifdef STI_HOPPER
    extern __shared__ unsigned char raw[];
    square_memory *s = square_begin(raw);
    const seat at = seat_get(a.u.meeting, a.matrices, a.first_matrix, a.side);
    if (threadIdx.x >= CONSUMERS) {
        registers_give<FEED_REGISTERS>();
        if (threadIdx.x == CONSUMERS)
            feed(s, &muon, a, at);
        return;
    }
    registers_take<MULTIPLY_REGISTERS>();
    consume(s, &muon, a, at);
#endif
}

bool sti_ttt_hopper_fits(const sti_device *device, const st_ttt_rule *r)
{
    return device->hopper && r->hidden == r->width && r->width % (2 * SIDE) == 0 &&
           r->width <= SIDE_MAX && square_ranks(r->width) <= device->processor_count &&
           r->muon != ST_TTT_MUON_OFF && r->precision == ST_TTT_FAST;
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
    ST_TRY(st_fill_bytes(q, u->meeting, 0,
                         (size_t)(matrices * TTT_MEETING_STEP) * sizeof *u->meeting));
    void *args[] = {&muon, &a};
    return square_launch(q, (const void *)update, "ttt update", d, matrices, args,
                         &a.first_matrix);
}
