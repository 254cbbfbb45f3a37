/* ttt_hopper_update_back.cu - from the gradient of what Newton-Schulz made to that of the chunk's
 * sums, for all fast weights in one launch (spec 9.5, B3 and B4).
 *
 * With Y the gradient of X, and X, A, B of each step from the tape:
 *
 *     Y = gradient of NS(M)                                            -- meet
 *     5 x  T = Y X^T + X Y^T            symmetric                      -- meet
 *          Z = b T + c (T A + A T)      symmetric                      -- meet
 *          Y = a Y + Z X + B Y          wide                           -- meet
 *     parts of <M, Y>                                                  -- meet
 *     Mbar = Y / (|M| + e) - M <M, Y> / (|M| (|M| + e)^2) + carry
 *
 * carry is what the update behind this one left: m Mbar of its own.
 */
#include "kernels/ttt_hopper_tile.cuh"

enum { BATCH = 2 };                     /* rows in flight in the pointwise steps */

typedef struct update_back_args {
    ttt_update_back u;
    float           ns[STI_NS_STEPS][3];
    int             matrices, first_matrix, side;
    bool            momentum;
} update_back_args;

#ifdef STI_HOPPER

/* X, A or B (0, 1, 2) of step k on the tape. */
static __device__ __forceinline__ square taped(const CUtensorMap *map, const update_back_args &a,
                                               int k, int which, int matrix)
{
    const square x = {map, (k * 3 + which) * a.matrices + matrix};
    return x;
}

/* Scratch: Y of even and of odd steps, T, Z. */
enum { Y_EVEN, Y_ODD, T_PLANE, Z_PLANE };

static __device__ __forceinline__ square made(const CUtensorMap *map, const update_back_args &a,
                                              int which, int matrix)
{
    const square x = {map, which * a.matrices + matrix};
    return x;
}

/* Before the chain: each block's tile of Y. */
static __device__ __forceinline__ int arrivals_before(const seat &at)
{
    return GROUPS * at.wides;
}

static __device__ void feed(square_memory *s, const CUtensorMap *tape, const CUtensorMap *scratch,
                            const update_back_args &a, const seat &at)
{
    feeder f = {s, {0, 0}};
    if (at.rank < at.wides)
        feed_end(&f, NULL, 0, 0, 0);                /* for the first Y */
    const square T = made(scratch, a, T_PLANE, at.matrix);
    const square Z = made(scratch, a, Z_PLANE, at.matrix);
    for (int k = STI_NS_STEPS - 1, turn = 0; k >= 0; k--, turn++) {
        const square X = taped(tape, a, k, 0, at.matrix), A = taped(tape, a, k, 1, at.matrix);
        const square B = taped(tape, a, k, 2, at.matrix);
        const square Y = made(scratch, a, k % 2 ? Y_ODD : Y_EVEN, at.matrix);
        wait_for(at.meeting, goal_of(at, arrivals_before(at), turn, 0));
        feed_symmetric(&f, at, Y, X, true, NULL);
        wait_for(at.meeting, goal_of(at, arrivals_before(at), turn, 1));
        feed_symmetric(&f, at, T, A, true, &T);
        if (at.rank >= at.wides)
            continue;
        wait_for(at.meeting, goal_of(at, arrivals_before(at), turn, 2));
        feed_wide(&f, at, Z, X);
        feed_wide(&f, at, B, Y);
        feed_end(&f, &Y, STAGED, at.wide_row, at.wide_col);
    }
}

/* d = this block's tile of the first Y. */
static __device__ __forceinline__ void begin_tile(float (&d)[2][64], const consumer *me,
                                                  const seat &at, const update_back_args &a)
{
    wide_rows y;
    const float *from = a.u.moment + rows_place(at);
#pragma unroll
    for (int i = 0; i < 32; i++)
        y[i / 2][i % 2] = row_load(from + row_step(at, i / 2, i % 2));
    rows_become(d, y, me);
}

/* <M, Y> of the whole matrix. */
static __device__ __forceinline__ float dot_moment(const wide_rows &y, const seat &at,
                                                   const update_back_args &a)
{
    const float *m = a.u.m + rows_place(at);
    float sum = 0.0f;
#pragma unroll
    for (int first = 0; first < 32; first += 4 * BATCH) {
        float4 x[4 * BATCH];
#pragma unroll
        for (int i = 0; i < 4 * BATCH; i++)
            x[i] = row_load(m + row_step(at, (first + i) / 2, i % 2));
#pragma unroll
        for (int i = 0; i < 4 * BATCH; i++)
            sum = row_dot(sum, x[i], y[(first + i) / 2][i % 2]);
    }
    sum = consumers_sum(sum);
    if (threadIdx.x == 0) {
        a.u.part[at.matrix * TTT_PARTS + at.rank] = sum;
        arrive(at.meeting);
        wait_for(at.meeting, goal_of(at, arrivals_before(at), STI_NS_STEPS - 1, 2) + at.wides);
    }
    meet(MEET_CONSUMERS, CONSUMERS);
    sum = 0.0f;
    for (int i = 0; i < at.wides; i++)
        sum += __ldcg(a.u.part + at.matrix * TTT_PARTS + i);
    return sum;
}

/* Mbar of this block's tile, made of Y, leaves in bf16; the update before gets its carry, and the
 * gate this tile's part of its gradient. */
static __device__ __forceinline__ void leave_moment(const wide_rows &y, const seat &at,
                                                    const update_back_args &a, float dot)
{
    const int64_t here = rows_place(at);
    const float scale = a.u.scale[at.matrix], n = 1.0f / scale - STI_NS_EPS;    /* |M| */
    const float turn = n > 0.0f ? dot * scale * scale / n : 0.0f;
    const float mean = a.momentum ? a.u.mean[at.matrix / 3] : 0.0f;
    const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    float gate = 0.0f;
#pragma unroll
    for (int first = 0; first < 32; first += 2 * BATCH) {
        float4 m[2 * BATCH], carry[2 * BATCH], before[2 * BATCH];
#pragma unroll
        for (int i = 0; i < 2 * BATCH; i++) {
            const int64_t from = here + row_step(at, (first + i) / 2, i % 2);
            m[i] = row_load(a.u.m + from);
            carry[i] = a.momentum ? row_load(a.u.carry + from) : zero;
            before[i] = a.momentum && a.u.m_before ? row_load(a.u.m_before + from) : zero;
        }
#pragma unroll
        for (int i = 0; i < 2 * BATCH; i++) {
            const int64_t to = here + row_step(at, (first + i) / 2, i % 2);
            const float4  g = row_add(scale, y[(first + i) / 2][i % 2],
                                      row_add(-turn, m[i], carry[i]));
            gate = row_dot(gate, g, before[i]);
            if (a.momentum)
                row_store(a.u.carry + to, row_add(mean, g, zero));
            row_store(a.u.narrow + to, g);
        }
    }
    gate = consumers_sum(gate);
    if (threadIdx.x == 0)
        a.u.gate[at.matrix * TTT_PARTS + at.rank] = gate;
}

/* d = the last Y. */
static __device__ __forceinline__ void end_tile(const float (&d)[2][64], const consumer *me,
                                                const seat &at, const update_back_args &a)
{
    wide_rows y;
    rows_of(y, d, me);
    leave_moment(y, at, a, dot_moment(y, at, a));
}

static __device__ void consume(square_memory *s, const CUtensorMap *tape,
                               const CUtensorMap *scratch, const update_back_args &a,
                               const seat &at)
{
    consumer me = consumer_get(s);
    const square T = made(scratch, a, T_PLANE, at.matrix);
    const square Z = made(scratch, a, Z_PLANE, at.matrix);
#pragma unroll 1
    for (int k = STI_NS_STEPS; k >= 0; k--) {       /* k: the step whose X's gradient is made */
        if (k < STI_NS_STEPS) {
            run_symmetric<true, false>(&me, at, T, 0.0f, 1.0f);
            run_symmetric<true, true>(&me, at, Z, a.ns[k][1], a.ns[k][2]);
        }
        if (at.rank >= at.wides)
            continue;
        float d[2][64];
        if (k == STI_NS_STEPS)
            begin_tile(d, &me, at, a);
        else
            multiply_wide(d, &me, 2 * at.side / TILE_COLS);
        const ring from = stage_begin(&me);
        if (k < STI_NS_STEPS)
            add_wide(d, &me, a.ns[k][0]);
        if (k > 0)
            leave_wide(d, &me, at, made(scratch, a, k % 2 ? Y_EVEN : Y_ODD, at.matrix), from);
        else
            end_tile(d, &me, at, a);
    }
}

#endif /* STI_HOPPER */

static __global__ void __launch_bounds__(THREADS, 1)
    update_back(const __grid_constant__ CUtensorMap tape,
                const __grid_constant__ CUtensorMap scratch,
                const __grid_constant__ update_back_args a)
{
#ifdef STI_HOPPER
    extern __shared__ unsigned char raw[];
    square_memory *s = square_begin(raw);
    const seat at = seat_get(a.u.meeting, a.first_matrix, a.side);
    if (threadIdx.x >= CONSUMERS) {
        registers_give<40>();
        if (threadIdx.x == CONSUMERS)
            feed(s, &tape, &scratch, a, at);
        return;
    }
    registers_take<232>();
    consume(s, &tape, &scratch, a, at);
#endif
}

st_status sti_ttt_hopper_update_back(st_stream *q, const st_ttt_rule *r, const ttt_update_back *u)
{
    const int64_t d = r->width, matrices = 3 * r->heads;
    CUtensorMap tape, scratch;
    ST_TRY(sti_tile_map(&tape, u->muon, d, d, STI_NS_STEPS * 3 * matrices, d, d * d,
                        TILE_ROWS / 2));
    ST_TRY(sti_tile_map(&scratch, u->squares, d, d, TTT_BACK_SQUARES * matrices, d, d * d,
                        TILE_ROWS / 2));
    update_back_args a = {};
    a.u = *u;
    for (int i = 0; i < 3 * STI_NS_STEPS; i++)
        a.ns[i / 3][i % 3] = STI_NS[i / 3][i % 3];
    a.matrices = (int)matrices, a.side = (int)d;
    a.momentum = r->momentum == ST_TTT_MOMENTUM;
    ST_TRY(st_fill_bytes(q, u->meeting, 0, (size_t)matrices * sizeof *u->meeting));
    ST_TRY(st_fill_bytes(q, u->gate, 0, (size_t)matrices * TTT_PARTS * sizeof *u->gate));
    void *args[] = {&tape, &scratch, &a};
    return square_launch(q, (const void *)update_back, "ttt update_back", d, matrices, args,
                         &a.first_matrix);
}
