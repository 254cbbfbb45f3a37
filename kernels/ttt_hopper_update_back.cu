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

enum { BATCH = 2 };                     /* rows of M, carry and M before in flight together */

typedef struct update_back_args {
    ttt_update_back u;
    float           ns[STI_NS_STEPS][3];
    int             matrices, first_matrix, side;
    bool            momentum;
} update_back_args;

#ifdef STI_HOPPER

/* X, A or B (0, 1, 2) of step k on the tape. */
static __device__ __forceinline__ square taped(const CUtensorMap *map, const seat &at, int k,
                                               int which)
{
    return square_at(map, at, k * 3 + which);
}

/* Layers of the scratch: Y of even and of odd steps, T, Z. */
enum { Y_EVEN, Y_ODD, T_LAYER, Z_LAYER };

/* Before the chain: each block's tile of Y. */
static __device__ __forceinline__ int arrivals_before(const seat &at)
{
    return GROUPS * at.wides;
}

/* What the last step's tile will meet. */
static __device__ __forceinline__ void foresee_end(const seat &at, const update_back_args &a)
{
    foresee_wide(at, a.u.m);
    if (a.momentum)
        foresee_wide(at, a.u.carry);
    if (a.momentum && a.u.m_before)
        foresee_wide(at, a.u.m_before);
}

static __device__ void feed(square_memory *s, const CUtensorMap *tape, const CUtensorMap *scratch,
                            const update_back_args &a, const seat &at)
{
    feeder f = {s, {0, 0}};
    if (at.rank < at.wides)
        feed_end(&f, NULL, 0, 0, 0);                /* for the first Y */
    const square T = square_at(scratch, at, T_LAYER);
    const square Z = square_at(scratch, at, Z_LAYER);
    for (int k = STI_NS_STEPS - 1, turn = 0; k >= 0; k--, turn++) {
        const square X = taped(tape, at, k, 0), A = taped(tape, at, k, 1);
        const square B = taped(tape, at, k, 2);
        const square Y = square_at(scratch, at, k % 2 ? Y_ODD : Y_EVEN);
        foresee_rows(at, X, at.row);
        foresee_rows(at, X, at.col);
        wait_for(at.meeting, goal_of(at, arrivals_before(at), turn, 0));
        fence_async_global();
        feed_symmetric(&f, at, Y, X, NULL);
        foresee_rows(at, A, at.row);
        foresee_rows(at, A, at.col);
        wait_for(at.meeting, goal_of(at, arrivals_before(at), turn, 1));
        fence_async_global();
        feed_symmetric(&f, at, T, A, &T);
        if (at.rank >= at.wides)
            continue;
        foresee_rows(at, B, at.wide_row);
        if (k == 0)
            foresee_end(at, a);
        wait_for(at.meeting, goal_of(at, arrivals_before(at), turn, 2));
        fence_async_global();
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
        y[i / 2][i % 2] = four_load(from + row_step(at, i / 2, i % 2));
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
            x[i] = four_load(m + row_step(at, (first + i) / 2, i % 2));
#pragma unroll
        for (int i = 0; i < 4 * BATCH; i++)
            sum = four_dot(sum, x[i], y[(first + i) / 2][i % 2]);
    }
    tell_part(sum, a.u.part, at);
    return sum_parts(a.u.part, at,
                     goal_of(at, arrivals_before(at), STI_NS_STEPS - 1, 2) + at.wides);
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
            m[i] = four_load(a.u.m + from);
            carry[i] = a.momentum ? four_load(a.u.carry + from) : zero;
            before[i] = a.momentum && a.u.m_before ? four_load(a.u.m_before + from) : zero;
        }
#pragma unroll
        for (int i = 0; i < 2 * BATCH; i++) {
            const int64_t to = here + row_step(at, (first + i) / 2, i % 2);
            const float4  g = four_add(scale, y[(first + i) / 2][i % 2],
                                      four_add(-turn, m[i], carry[i]));
            gate = four_dot(gate, g, before[i]);
            if (a.momentum)
                four_store(a.u.carry + to, four_add(mean, g, zero));
            four_store(a.u.narrow + to, g);
        }
    }
    gate = consumers_sum(gate);
    if (threadIdx.x == 0)
        a.u.gate[at.matrix * TTT_PARTS + at.rank] = gate;
}

/* d = the last Y. No narrow before dot_moment's meeting: narrow may be Y_EVEN, and other blocks
 * read that until they come there. */
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
    const square T = square_at(scratch, at, T_LAYER);
    const square Z = square_at(scratch, at, Z_LAYER);
#pragma unroll 1
    for (int k = STI_NS_STEPS; k >= 0; k--) {       /* k: the step whose X's gradient is made */
        if (k < STI_NS_STEPS) {
            run_symmetric<PAIRED, BARE>(&me, at, T, 0.0f, 1.0f);
            run_symmetric<PAIRED, ADDED>(&me, at, Z, a.ns[k][1], a.ns[k][2]);
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
            leave_wide(d, &me, at, square_at(scratch, at, k % 2 ? Y_EVEN : Y_ODD), from);
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
    const seat at = seat_get(a.u.meeting, a.matrices, a.first_matrix, a.side);
    if (threadIdx.x >= CONSUMERS) {
        registers_give<FEED_REGISTERS>();
        if (threadIdx.x == CONSUMERS)
            feed(s, &tape, &scratch, a, at);
        return;
    }
    registers_take<MULTIPLY_REGISTERS>();
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
    ST_TRY(st_fill_bytes(q, u->meeting, 0,
                         (size_t)(matrices * TTT_MEETING_STEP) * sizeof *u->meeting));
    void *args[] = {&tape, &scratch, &a};
    return square_launch(q, (const void *)update_back, "ttt update_back", d, matrices, args,
                         &a.first_matrix);
}
