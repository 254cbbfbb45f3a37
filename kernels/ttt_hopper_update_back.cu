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
#include "kernels/ttt_hopper_square.cuh"

enum { BATCH = 4 };                     /* loads in flight in the pointwise steps */

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

static __device__ void feed(square_memory *s, const CUtensorMap *tape, const CUtensorMap *scratch,
                            const update_back_args &a, const seat &at)
{
    feeder f = {s, {0, 0}, at.rank < at.wides ? 1u : 0u};   /* Y leaves through `out` first */
    const square T = made(scratch, a, T_PLANE, at.matrix);
    const square Z = made(scratch, a, Z_PLANE, at.matrix);
    for (int k = STI_NS_STEPS - 1, turn = 0; k >= 0; k--, turn++) {
        const square X = taped(tape, a, k, 0, at.matrix), A = taped(tape, a, k, 1, at.matrix);
        const square B = taped(tape, a, k, 2, at.matrix);
        const square Y = made(scratch, a, k % 2 ? Y_ODD : Y_EVEN, at.matrix);
        wait_for(at.meeting, goal_of(at, 1, turn, 0));
        feed_symmetric(&f, at, Y, X, true, NULL);
        wait_for(at.meeting, goal_of(at, 1, turn, 1));
        feed_symmetric(&f, at, T, A, true, &T);
        if (at.rank >= at.wides)
            continue;
        wait_for(at.meeting, goal_of(at, 1, turn, 2));
        feed_begin(&f, &Y, at.wide_row, at.wide_col, 4);
        feed_wide(&f, at, Z, X);
        feed_wide(&f, at, B, Y);
    }
}

/* Y of this block's tile, in f32, becomes the first of the chain. */
static __device__ __forceinline__ void begin_tile(consumer *me, const seat &at,
                                                  const update_back_args &a, square Y)
{
    float d[2][64];
    const float *from = a.u.moment + wide_place(at, me);
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
        float *x = d[j / 16] + j % 16 * 4;
        const float2 here = *reinterpret_cast<const float2 *>(from + j * 8);
        const float2 below = *reinterpret_cast<const float2 *>(from + j * 8 + 8 * at.side);
        x[0] = here.x, x[1] = here.y, x[2] = below.x, x[3] = below.y;
    }
    stage_wide(d, me, 1.0f);
    send(me, at, Y, at.wide_row, at.wide_col, 4, false);
}

/* Y = a Y + Z X + B Y. */
static __device__ __forceinline__ void descend(float (&d)[2][64], consumer *me, const seat &at,
                                               float scale)
{
    multiply_wide(d, me, 2 * at.side / TILE_COLS);
    wait_added(me);
    add_wide(d, me, scale);
}

/* <M, Y> of the whole matrix. */
static __device__ __forceinline__ float dot_moment(const float (&d)[2][64], const consumer *me,
                                                   const seat &at, const update_back_args &a)
{
    const float *m = a.u.m + wide_place(at, me);
    float sum = 0.0f;
#pragma unroll
    for (int j = 0; j < FOURS; j++) {
        const float *y = d[j / 16] + j % 16 * 4;
        const float2 here = *reinterpret_cast<const float2 *>(m + j * 8);
        const float2 below = *reinterpret_cast<const float2 *>(m + j * 8 + 8 * at.side);
        sum = fmaf(here.x, y[0], fmaf(here.y, y[1], sum));
        sum = fmaf(below.x, y[2], fmaf(below.y, y[3], sum));
    }
    sum = consumers_sum(sum);
    if (threadIdx.x == 0) {
        a.u.part[at.matrix * TTT_PARTS + at.rank] = sum;
        arrive(at.meeting);
        wait_for(at.meeting, goal_of(at, 1, STI_NS_STEPS, 0));
    }
    meet(MEET_CONSUMERS, CONSUMERS);
    sum = 0.0f;
    for (int i = 0; i < at.wides; i++)
        sum += __ldcg(a.u.part + at.matrix * TTT_PARTS + i);
    return sum;
}

/* Mbar of this block's tile, its bf16 copy, what the update before gets, and this tile's part of
 * the gate's gradient. */
static __device__ __forceinline__ void leave_moment(const float (&d)[2][64], consumer *me,
                                                    const seat &at, const update_back_args &a,
                                                    float dot)
{
    const int64_t place = wide_place(at, me);
    const float mean = a.momentum ? a.u.mean[at.matrix / 3] : 0.0f, scale = a.u.scale[at.matrix];
    const float n = 1.0f / scale - STI_NS_EPS;          /* |M| */
    const float turn = n > 0.0f ? dot * scale * scale / n : 0.0f;
    float gate = 0.0f;
#pragma unroll
    for (int first = 0; first < 2 * FOURS; first += BATCH) {
        float2 m[BATCH], carry[BATCH], before[BATCH];
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int64_t at_i = place + (first + i) / 2 * 8 + (first + i) % 2 * 8 * at.side;
            m[i] = *reinterpret_cast<const float2 *>(a.u.m + at_i);
            carry[i] = before[i] = make_float2(0.0f, 0.0f);
            if (a.momentum)
                carry[i] = *reinterpret_cast<const float2 *>(a.u.carry + at_i);
            if (a.momentum && a.u.m_before)
                before[i] = *reinterpret_cast<const float2 *>(a.u.m_before + at_i);
        }
#pragma unroll
        for (int i = 0; i < BATCH; i++) {
            const int j = (first + i) / 2, below = (first + i) % 2;
            const int64_t at_i = place + j * 8 + below * 8 * at.side;
            const float *y = d[j / 16] + j % 16 * 4 + 2 * below;
            const float2 g = make_float2(fmaf(-m[i].x, turn, y[0] * scale) + carry[i].x,
                                         fmaf(-m[i].y, turn, y[1] * scale) + carry[i].y);
            gate = fmaf(g.x, before[i].x, fmaf(g.y, before[i].y, gate));
            if (a.momentum)
                *reinterpret_cast<float2 *>(a.u.carry + at_i) = make_float2(mean * g.x,
                                                                            mean * g.y);
            *reinterpret_cast<uint32_t *>(a.u.narrow + at_i) = pack(g.x, g.y);
        }
    }
    gate = consumers_sum(gate);
    if (threadIdx.x == 0)
        a.u.gate[at.matrix * TTT_PARTS + at.rank] = gate;
}

static __device__ void consume(square_memory *s, const CUtensorMap *tape,
                               const CUtensorMap *scratch, const update_back_args &a,
                               const seat &at)
{
    consumer me = consumer_get(s);
    const bool wide = at.rank < at.wides;
    const square T = made(scratch, a, T_PLANE, at.matrix);
    const square Z = made(scratch, a, Z_PLANE, at.matrix);
    if (wide)
        begin_tile(&me, at, a, made(scratch, a, Y_EVEN, at.matrix));
#pragma unroll 1
    for (int k = STI_NS_STEPS - 1; k >= 0; k--) {
        run_symmetric<true, false>(&me, at, T, 0.0f, 1.0f);
        run_symmetric<true, true>(&me, at, Z, a.ns[k][1], a.ns[k][2]);
        if (!wide)
            continue;
        float d[2][64];
        descend(d, &me, at, a.ns[k][0]);
        if (k > 0) {
            stage_wide(d, &me, 1.0f);
            send(&me, at, made(scratch, a, k % 2 ? Y_EVEN : Y_ODD, at.matrix), at.wide_row,
                 at.wide_col, 4, false);
        } else {
            leave_moment(d, &me, at, a, dot_moment(d, &me, at, a));
        }
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
