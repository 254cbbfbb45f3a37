/* prep_hopper_finish.cuh - prep's forward pass on compute capability 9.0: what its warps share, and
 * its finishers.
 *
 * Mixers leave squashed channels. Norms need all of a head, which is shared by the blocks of a
 * cluster: each adds up the squares of its channels and writes the sums into the shared memory of
 * all, where a barrier counts the bytes.
 */
#ifndef ST_KERNELS_PREP_HOPPER_FINISH_CUH
#define ST_KERNELS_PREP_HOPPER_FINISH_CUH

#include "kernels/prep_hopper_lines.cuh"
#include "kernels/prep_hopper_pieces.cuh"

enum {
    LOADERS         = 4,            /* warps: trades are groups of four, which share registers */
    FINISHERS       = 8,
    ALL_FINISHERS   = FINISHERS * WARP,
    THREADS         = (PIECES + LOADERS + FINISHERS) * WARP,
    SLICES_MAX      = 4,            /* of a head, a block each: WIDTH channels                 */
    /* Of 65,536 registers 896 threads get 72 each. */
    MIXER_REGISTERS = 80,
    OTHER_REGISTERS = 56
};
static_assert(PIECES * WARP * MIXER_REGISTERS + (LOADERS + FINISHERS) * WARP * OTHER_REGISTERS <=
              72 * THREADS, "setmaxnreg would wait forever");
static_assert(ALL_FINISHERS == TILE * PIECES, "a finisher has a column's piece");

typedef struct forward_memory {
    unsigned char plane[PLANES][PLANE_BYTES];
    float         squares[2][POSITIONS][SLICES_MAX];    /* of an answer, by slice             */
    uint2         scale[2][POSITIONS];                  /* one over its norm: see scales_make */
    step          step[RING];
    uint64_t      ready[RING];              /* a step is planned, and its planes are there */
    uint64_t      mixed[RING];              /* mixers have left a step behind              */
    uint64_t      drained[RING];            /* finishers have taken it                     */
    uint64_t      summed[2];                /* all blocks have given their sums of it      */
} forward_memory;

/* A block's part in the work: blocks of a cluster have the same but for their rank. */
typedef struct share {
    int   rank, slices;             /* of a head's slices                       */
    items items;                    /* of all lanes' heads' grids, head by head */
} share;

#ifdef STI_HOPPER

/* --- slices ---------------------------------------------------------------------------------- */

/* A block's channels of a head: its share of those that turn, low ones and their partners high, and
 * behind them its share of the others. Piece 0 .. PIECES-1 of the block to a piece of the head. */
static __device__ __forceinline__ int piece_of_head(const sti_prep &p, int rank, int slices,
                                                    int piece)
{
    const int half = (int)p.D / (2 * PIECE), low = half / slices;
    if (piece < low)
        return rank * low + piece;
    if (piece < 2 * low)
        return half + rank * low + piece - low;
    return 2 * half + rank * (PIECES - 2 * low) + piece - 2 * low;
}

/* This thread's number among finishers. */
static __device__ __forceinline__ int finisher()
{
    return threadIdx.x - (PIECES + LOADERS) * WARP;
}

/* What finishers know of a slice. */
typedef struct slice {
    bf16 *to;                   /* row 0 of the head's answer                 */
    int   pitch;                /* from row to row                            */
    int   channel;              /* of the head: this thread's piece's first   */
    int   turned;               /* pieces that turn: low ones, then partners  */
    bool  key;
} slice;

static __device__ __forceinline__ slice slice_of(const sti_prep &p, const prep_lanes &lanes,
                                                 int head, const share &mine, bool sums)
{
    const int which = head / (int)p.F, f = head % (int)p.F;
    slice     s;
    s.channel = piece_of_head(p, mine.rank, mine.slices, threadIdx.x % PIECES) * PIECE;
    s.key     = lanes.lane[which].key && !sums;
    s.turned  = s.key && p.cosine ? (int)p.D / PIECE / mine.slices : 0;
    s.pitch   = (int)(sums ? p.F * p.d : p.d);
    s.to      = sums ? (bf16 *)lanes.bar[which].c_bar + f * p.d
                     : (bf16 *)lanes.y[which] + (f * p.L - p.first) * p.d;
    return s;
}

/* A step's answers: a half of a finisher's warp has a column of them. Whether there is one, its
 * first answer's row, byte in a plane and number, and how far these are from line to line. */
typedef struct column {
    bool here;
    int  lines, at;             /* of the plane's lines */
    int  row, byte, number;
    int  rows, bytes, numbers;
} column;

static __device__ __forceinline__ column column_of(const step &t)
{
    const band &b = t.b;
    const int   columns = b.x1 - b.x0, bytes = line_bytes(b.width);
    const int   x = min(finisher() / PIECES, columns - 1);
    return {finisher() / PIECES < columns, b.y1 - b.y0, b.x0 - b.left + x,
            t.row + b.y0 * t.w + b.x0 + x, (b.y0 - b.top) * bytes, x, t.w, bytes, columns};
}

/* --- sums of a cluster ----------------------------------------------------------------------- */

/* Where `address` of this block's shared memory lies in that of block `rank`. */
static __device__ __forceinline__ uint32_t address_at(uint32_t address, int rank)
{
    uint32_t there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
    return there;
}

/* Write into the shared memory of block `rank`, whose barrier counts the bytes. */
static __device__ __forceinline__ void put_at(const float *to, float x, uint64_t *barrier, int rank)
{
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.f32 [%0], %1, [%2];" ::
                     "r"(address_at(shared_address(to), rank)), "f"(x),
                 "r"(address_at(shared_address(barrier), rank))
                 : "memory");
}

/* Add up the squares of this block's channels, and give the sums to all blocks of the head, if it
 * has others: on the diagonal of a line times itself, two pieces at a time. */
static __device__ __forceinline__ void squares_give(forward_memory &m, const step &t,
                                                    uint32_t plane, int key_number,
                                                    const share &mine)
{
    const band &b = t.b;
    const int   lane = threadIdx.x % WARP, row = lane / 4;
    const int   columns = b.x1 - b.x0, lines = b.y1 - b.y0, bytes = line_bytes(b.width);
    const int   x = b.x0 - b.left + min(lane % TILE, columns - 1);
    const int   order = (lane / TILE ^ x % 8) * PIECE_BYTES;     /* see piece_at */
    uint64_t   *summed = &m.summed[key_number % 2];
    if (finisher() == 0 && mine.slices > 1)
        barrier_expect(summed, (uint32_t)(lines * columns * mine.slices * sizeof(float)));
    plane += (b.y0 - b.top) * bytes + x * PIECES * PIECE_BYTES;
    for (int line = finisher() / WARP; line < lines; line += FINISHERS) {
        float upper[4] = {}, lower[4] = {};
#pragma unroll
        for (int k = 0; k < PIECES; k += 2) {
            uint32_t y[4];
            quarters_load(y, plane + line * bytes + (order ^ k * PIECE_BYTES));
            product(upper, y, y[0], y[2]);
            product(lower, y, y[1], y[3]);
        }
        /* Of each four lanes one has a row's sum, and each sends it to one block. */
        const int   has = lane / 4 * 4 + row / 2, to = lane % 4;
        const float first = __shfl_sync(0xffffffffu, row % 2 ? upper[1] : upper[0], has);
        const float second = __shfl_sync(0xffffffffu, row % 2 ? lower[3] : lower[2], has);
        float(*const sums)[SLICES_MAX] = m.squares[key_number % 2] + line * columns + row;
        if (mine.slices == 1 && to == 0) {
            if (row < columns)
                sums[0][0] = first;
            if (row + 8 < columns)
                sums[8][0] = second;
        } else if (to < mine.slices) {
            if (row < columns)
                put_at(&sums[0][mine.rank], first, summed, to);
            if (row + 8 < columns)
                put_at(&sums[8][mine.rank], second, summed, to);
        }
    }
}

/* One over each answer's norm, as two bf16 numbers whose sum it is, each twice in a word. */
static __device__ __forceinline__ void scales_make(forward_memory &m, int key_number, int count,
                                                   int slices)
{
    for (int i = finisher(); i < count; i += ALL_FINISHERS) {
        float sum = 0.0f;
#pragma unroll
        for (int r = 0; r < SLICES_MAX; r++)
            if (r < slices)
                sum += m.squares[key_number % 2][i][r];
        const float scale = reciprocal(root(sum) + STI_PREP_NORM_EPS);
        const float low = scale - __bfloat162float(__float2bfloat16_rn(scale));
        m.scale[key_number % 2][i] = make_uint2(pack(scale, scale), pack(low, low));
    }
    meet(1, ALL_FINISHERS);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* Two channels of bf16 times a scale. */
static __device__ __forceinline__ uint32_t two_times(uint32_t x, uint2 scale)
{
    uint32_t y;
    asm("{\n.reg .b32 low;\n"
        "mul.rn.bf16x2 low, %1, %3;\n"
        "fma.rn.bf16x2 %0, %1, %2, low;\n}"
        : "=r"(y)
        : "r"(x), "r"(scale.x), "r"(scale.y));
    return y;
}

/* Pieces that do not turn, from squashed channels to prep's answer. */
template <bool key>
static __device__ __forceinline__ void pieces_finish(const column &c, uint32_t plane,
                                                     const slice &s, const uint2 *scales)
{
    const int piece = threadIdx.x % PIECES;
    if (!c.here || piece < s.turned)
        return;
    uint32_t from = plane + c.byte + piece_at(c.at, piece);
    bf16    *to = s.to + (int64_t)c.row * s.pitch + s.channel;
    scales += c.number;
#pragma unroll 4
    for (int line = 0; line < c.lines; line++) {
        uint4 x = piece_read(from);
        if (key) {
            const uint2 scale = *scales;
            x = make_uint4(two_times(x.x, scale), two_times(x.y, scale), two_times(x.z, scale),
                           two_times(x.w, scale));
        }
        *(uint4 *)to = x;
        from += c.bytes;
        to   += c.rows * s.pitch;
        scales += c.numbers;
    }
}

/* Pieces that turn: a thread has four channels of a low one and their partners, of every so many
 * lines of its column. */
typedef struct turner {
    int channel;                /* of the head: the first of four */
    int low, high;              /* bytes of a place of the column */
    int line, lines;            /* the first one, and from each to the next */
} turner;

static __device__ __forceinline__ turner turner_of(const slice &s, const column &c,
                                                   const share &mine)
{
    const int half = s.turned / 2, part = threadIdx.x % PIECES % (2 * half);
    const int piece = part / 2, four = part % 2;
    return {(mine.rank * half + piece) * PIECE + four * 4, piece_at(c.at, piece) + four * 8,
            piece_at(c.at, half + piece) + four * 8, (int)(threadIdx.x % PIECES) / (2 * half),
            PIECES / (2 * half)};
}

/* What four channels turn by. */
typedef struct angles {
    float4 cosine, sine;
} angles;

static __device__ __forceinline__ angles angles_load(const sti_prep &p, const turner &u,
                                                     const column &c, int line)
{
    const int64_t at = (int64_t)(c.row + min(line, c.lines - 1) * c.rows) * (p.D / 2) + u.channel;
    return {__ldg((const float4 *)(p.cosine + at)), __ldg((const float4 *)(p.sine + at))};
}

/* Angles of so many of a thread's lines come while others add up squares. */
enum { TURNS_AHEAD = 3 };

static __device__ __forceinline__ void line_turn(const column &c, const turner &u, uint32_t plane,
                                                 const slice &s, const sti_prep &p,
                                                 const uint2 *scales, int line, const angles &by)
{
    const uint2  scale = scales[c.number + line * c.numbers];
    const float  k = __uint_as_float(scale.x << 16) + __uint_as_float(scale.y << 16);
    const float4 low = four_of(pair_read(plane + c.byte + line * c.bytes + u.low));
    const float4 high = four_of(pair_read(plane + c.byte + line * c.bytes + u.high));
    const float4 cosine = times(k, by.cosine), sine = times(k, by.sine);
    bf16        *to = s.to + (int64_t)(c.row + line * c.rows) * s.pitch + u.channel;
    store4(to, minus(times(low, cosine), times(high, sine)));
    store4(to + p.D / 2, plus(times(high, cosine), times(low, sine)));
}

static __device__ __forceinline__ void pieces_turn(const column &c, const turner &u,
                                                   uint32_t plane, const slice &s,
                                                   const sti_prep &p, const uint2 *scales,
                                                   const angles (&by)[TURNS_AHEAD])
{
    if (!c.here)
        return;
#pragma unroll
    for (int i = 0; i < TURNS_AHEAD; i++)
        if (u.line + i * u.lines < c.lines)
            line_turn(c, u, plane, s, p, scales, u.line + i * u.lines, by[i]);
#pragma unroll 1
    for (int line = u.line + TURNS_AHEAD * u.lines; line < c.lines; line += u.lines)
        line_turn(c, u, plane, s, p, scales, line, angles_load(p, u, c, line));
}

static __device__ __forceinline__ void step_finish(forward_memory &m, const step &t,
                                                   uint32_t plane, int key_number, const slice &s,
                                                   const sti_prep &p, const share &mine)
{
    const uint2 *scales = m.scale[key_number % 2];
    const column c = column_of(t);
    if (!s.key) {
        pieces_finish<false>(c, plane, s, scales);
        return;
    }
    squares_give(m, t, plane, key_number, mine);
    turner u = {};
    angles by[TURNS_AHEAD] = {};
    if (s.turned > 0) {
        u = turner_of(s, c, mine);
#pragma unroll
        for (int i = 0; i < TURNS_AHEAD; i++)
            by[i] = angles_load(p, u, c, u.line + i * u.lines);
    }
    if (mine.slices > 1)
        barrier_wait(&m.summed[key_number % 2], key_number / 2 % 2);
    else
        meet(1, ALL_FINISHERS);
    scales_make(m, key_number, c.lines * c.numbers, mine.slices);
    if (s.turned > 0)
        pieces_turn(c, u, plane, s, p, scales, by);
    pieces_finish<true>(c, plane, s, scales);
}

/* All that a finisher does. */
static __device__ __forceinline__ void finish(forward_memory &m, const share &mine,
                                              const sti_prep &p, const prep_lanes &lanes,
                                              bool sums)
{
    slice s;
    int   keys = 0;
    for (int n = 0;; n++) {
        barrier_wait(&m.ready[n % RING], parity(n));
        const step &t = m.step[n % RING];
        if (t.slice < 0)
            return;
        if (t.opens)
            s = slice_of(p, lanes, t.slice, mine, sums);
        barrier_wait(&m.mixed[n % RING], parity(n));
        step_finish(m, t, plane_of(m.plane, n), keys, s, p, mine);
        keys += s.key;
        barrier_arrive(&m.drained[n % RING]);
    }
}

#endif /* STI_HOPPER */

#endif
