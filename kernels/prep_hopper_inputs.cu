/* prep_hopper_inputs.cu - x_bar on compute capability 9.0: c_bar through the taps turned around.
 *
 * See prep_hopper.cuh for how a block walks and prep_hopper_lines.cuh for how it multiplies. Here a
 * slice is SLICE expanded channels that are all copies of its SLICE / copies channels of x: mixers
 * work on expanded ones and finishers add the copies.
 *
 * There is nothing outside a grid, but what its border reads of itself by the taps that would leave
 * it has to come back:
 *
 *   in time      the first grid's places are led back to by its own taps to the grid before: `here`
 *                stands in for the plane behind, with those taps; the last likewise
 *   lines        line -1 and line h get sums like all others, which join those of line 0 and h-1
 *   columns      what column -1 would get is the sum that its line's first place starts with, and
 *                column w the last place's. One tile a side, whose sixteen places are lines, from
 *                the one above the band on
 *
 * Taps stay exact in bf16: the channel's scale multiplies sums.
 */
#include "kernels/prep_hopper_lines.cuh"
#include "kernels/prep_hopper_pieces.cuh"

enum {
    INPUT_LOADERS   = 4,                    /* warps                                        */
    INPUT_FINISHERS = 4,
    INPUT_THREADS   = (PIECES + INPUT_LOADERS + INPUT_FINISHERS) * WARP,
    INPUT_LINES     = TILE - 4,             /* of a band; sides have those around them, too */
    EDGE_BYTES      = TILE * PIECE * 4,     /* sums of a side of a piece                    */
    ALL_ADDERS      = INPUT_FINISHERS * WARP,
    /* Of 65,536 registers 768 threads get 80 each. */
    INPUT_MIXER_REGISTERS = 96,
    INPUT_OTHER_REGISTERS = 48
};
static_assert(PIECES * WARP * INPUT_MIXER_REGISTERS +
              (INPUT_LOADERS + INPUT_FINISHERS) * WARP * INPUT_OTHER_REGISTERS <=
              80 * INPUT_THREADS, "setmaxnreg would wait forever");

typedef struct input_memory {
    unsigned char plane[PLANES][PLANE_BYTES];
    unsigned char edge[PIECES][2][EDGE_BYTES];      /* f32 [TILE][PIECE], left and right */
    unsigned char zeros[PIECE * 4];
    step          step[RING];
    uint64_t      ready[RING];      /* a step is planned, and its planes are there */
    uint64_t      mixed[RING];      /* mixers have left a step behind              */
    uint64_t      drained[RING];    /* finishers have taken it                     */
} input_memory;

#ifdef STI_HOPPER

/* Slice `index` of all lanes: whose, and its first piece of x. */
typedef struct input_slice {
    int which, first, copies, per;      /* per: pieces of x in it */
} input_slice;

static __device__ __forceinline__ input_slice input_slice_of(const sti_prep &p,
                                                             const prep_lanes &lanes, int index)
{
    const int   slices = (int)(p.F * p.d) / SLICE;
    input_slice s;
    s.which  = index / slices;
    s.copies = (int)(p.H / lanes.lane[s.which].Hin);
    s.per    = PIECES / s.copies;
    s.first  = index % slices * s.per;
    return s;
}

/* The first expanded channel of a slice's piece. All first copies come first, then all second. */
static __device__ __forceinline__ int expanded_channel(const sti_prep &p, const input_slice &s,
                                                       int piece)
{
    const int c = (s.first + piece % s.per) * PIECE, D = (int)p.D;
    return (c / D * s.copies + piece / s.per) * D + c % D;
}

/* --- loaders --------------------------------------------------------------------------------- */

static __device__ __forceinline__ void inputs_load(input_memory &m, const items &mine,
                                                   const sti_prep &p, const prep_lanes &lanes)
{
    const int   loader = threadIdx.x / WARP - PIECES;
    const bf16 *c_bar = NULL;
    steps_load<TILE, INPUT_LINES>(
        m, m.drained, mine, p, threadIdx.x == PIECES * WARP,
        [&](int slice) {
            const input_slice s = input_slice_of(p, lanes, slice);
            c_bar = (const bf16 *)lanes.bar[s.which].c_bar +
                    expanded_channel(p, s, threadIdx.x % PIECES);
        },
        [&](int n, const st_grid &g, const band &b, bool fresh) {
            planes_ask<PIECES, INPUT_LOADERS>(m.plane, m.mixed, n, c_bar, (int)(p.F * p.d), g, b,
                                              fresh, loader);
        });
}

/* --- mixers: taps ---------------------------------------------------------------------------- */

/* A warp's turned taps, plane by plane as they are read, and the scale of the two channels whose
 * sums this lane holds. */
typedef struct turned {
    taps  w;
    float scale[2];
} turned;

/* A place reads its neighbour in front by tap +1, so it is led back to by the neighbour behind, and
 * so on. The first and last grid of a video read themselves by the taps that would leave it. */
static __device__ __forceinline__ void turned_get(turned &m, const sti_prep_lane &l, int first,
                                                  const step &t)
{
    const int   lane = threadIdx.x % WARP;
    const bf16 *conv = (const bf16 *)l.conv + (int64_t)(first + lane / 4) * ST_CONV_TAPS;
    float       offset;
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const int plane = a == 0 && t.first ? 0 : a == 2 && t.last ? 2 : 2 - a;
#pragma unroll
        for (int up = 0; up < 3; up++)
#pragma unroll
            for (int e = 0; e < 3; e++)
                m.w[a][up][e] = diagonal(load1(conv + plane * 9 + up * 3 + 2 - e));
    }
#pragma unroll
    for (int k = 0; k < 2; k++)
        affine_get(l, first + lane % 4 * 2 + k, &m.scale[k], &offset);
}

/* --- mixers: columns outside ----------------------------------------------------------------- */

/* Planes behind, here and ahead. */
typedef struct three_planes {
    uint32_t at[3];
} three_planes;

/* A side's lines as operands: of each plane those that feed the line above and their own, and those
 * that feed the line below. */
typedef struct side_parts {
    uint32_t up[3][4], down[3][2];
} side_parts;

/* Of the warp's piece of column `column`; zeros where the band ends at no border. Places are lines,
 * from the one above the band on. */
static __device__ __forceinline__ void side_load(side_parts &x, const three_planes &planes,
                                                 const band &b, int column, bool border,
                                                 uint32_t zeros)
{
    const int  lane = threadIdx.x % WARP, skip = b.y0 - b.top, lines = b.bottom - b.top;
    const int  up = skip + lane % TILE - lane / TILE, down = skip + lane % TILE - 2;
    const bool up_in = border && (unsigned)up < (unsigned)lines;
    const bool down_in = border && (unsigned)down < (unsigned)lines;
    const int  move = line_bytes(b.width), at = piece_at(column, threadIdx.x / WARP);
#pragma unroll
    for (int a = 0; a < 3; a++) {
        quarters_load(x.up[a], up_in ? planes.at[a] + up * move + at : zeros);
        quarters_load(x.down[a], down_in ? planes.at[a] + down * move + at : zeros);
    }
}

static __device__ __forceinline__ void half_product(float (&sum)[4], uint32_t upper, uint32_t lower,
                                                    uint32_t w)
{
    const uint32_t half[2] = {upper, lower};
    product(sum, half, w);
}

static __device__ __forceinline__ void join(float (&to)[4], const float (&from)[4])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        to[i] += from[i];
}

/* The column to the left of the grid reads the first one by taps 2 of w, the one to the right the
 * last by taps 0. A product waits for the one before it if both have one sum, so there are four. */
static __device__ __forceinline__ void sides_sum(float (&left)[4], float (&right)[4],
                                                 const side_parts &x, const side_parts &y,
                                                 const taps &w)
{
    float more[2][4] = {};
#pragma unroll
    for (int a = 0; a < 3; a++) {
        half_product(left, x.up[a][0], x.up[a][1], w[a][0][2]);
        half_product(right, y.up[a][0], y.up[a][1], w[a][0][0]);
        half_product(more[0], x.up[a][2], x.up[a][3], w[a][1][2]);
        half_product(more[1], y.up[a][2], y.up[a][3], w[a][1][0]);
        half_product(a % 2 ? left : more[0], x.down[a][0], x.down[a][1], w[a][2][2]);
        half_product(a % 2 ? right : more[1], y.down[a][0], y.down[a][1], w[a][2][0]);
    }
    join(left, more[0]);
    join(right, more[1]);
}

static __device__ __forceinline__ void side_leave(unsigned char *edge, const float (&sum)[4])
{
    float2 *to = (float2 *)edge + threadIdx.x % WARP;
    to[0]    = make_float2(sum[0], sum[1]);
    to[WARP] = make_float2(sum[2], sum[3]);
}

/* Leave what both sides of a band get, one behind the other. */
static __device__ __forceinline__ void sides_leave(input_memory &memory, const turned &m,
                                                   const three_planes &planes, const step &t)
{
    const band     b = t.b;
    const int      w = t.w, warp = threadIdx.x / WARP;
    const uint32_t zeros = shared_address(memory.zeros);
    float          left[4] = {}, right[4] = {};
    side_parts     x, y;
    side_load(x, planes, b, 0, b.x0 == 0, zeros);
    side_load(y, planes, b, b.width - 1, b.x1 == w, zeros);
    sides_sum(left, right, x, y, m.w);
    if (w == 1)                             /* one place is both first and last */
#pragma unroll
        for (int i = 0; i < 4; i++)
            left[i] += right[i];
    side_leave(memory.edge[warp][0], left);
    side_leave(memory.edge[warp][1], right);
    __syncwarp();
}

/* Where a lane's two places of a line find what they start with. */
typedef struct start_cursor {
    uint32_t upper, lower, upper_step, lower_step;
} start_cursor;

static __device__ __forceinline__ void start_cursor_set(uint32_t *at, uint32_t *move,
                                                        const input_memory &m, const step &t, int x)
{
    const int  warp = threadIdx.x / WARP;
    const bool outer = x == 0 || x == t.w - 1;
    *at   = (outer ? shared_address(m.edge[warp][x != 0]) : shared_address(m.zeros)) +
            threadIdx.x % 4 * 8;
    *move = outer ? PIECE * 4 : 0;
}

static __device__ __forceinline__ float2 two_load(uint32_t from)
{
    float2 x;
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(from) : "memory");
    return x;
}

static __device__ __forceinline__ void start_load(float (&sum)[4], start_cursor &at)
{
    const float2 upper = two_load(at.upper), lower = two_load(at.lower);
    sum[0] = upper.x, sum[1] = upper.y, sum[2] = lower.x, sum[3] = lower.y;
    at.upper += at.upper_step;
    at.lower += at.lower_step;
}

/* --- mixers: lines --------------------------------------------------------------------------- */

/* The first line of a band; columns outside the grid are zeros, which do not move. */
typedef struct input_cursor {
    line_cursor at;
    uint32_t    side_step;
} input_cursor;

static __device__ __forceinline__ input_cursor input_cursor_of(const three_planes &planes,
                                                               const step &t, uint32_t zeros)
{
    const band  &b = t.b;
    const int    lane = threadIdx.x % WARP, x = b.x0 + lane % TILE;
    const int    side = x + (lane < TILE ? -1 : 1), last = b.width - 1;
    const bool   inside = side >= 0 && side < t.w;
    const int    piece = threadIdx.x / WARP;
    const int    at_side = piece_at(max(min(side - b.left, last), 0), piece);
    const int    at_x = piece_at(min(x - b.left, last), piece);
    input_cursor c;
#pragma unroll
    for (int a = 0; a < 3; a++)
        c.at.sides[a] = inside ? planes.at[a] + at_side : zeros;
    c.at.middle       = (lane < TILE ? planes.at[0] : planes.at[1]) + at_x;
    c.at.middle_ahead = planes.at[2] + at_x;
    c.at.step         = line_bytes(b.width);
    c.side_step       = inside ? c.at.step : 0;
    return c;
}

static __device__ __forceinline__ void input_cursor_move(input_cursor &c)
{
#pragma unroll
    for (int a = 0; a < 3; a++)
        c.at.sides[a] += c.side_step;
    c.at.middle += c.at.step;
    c.at.middle_ahead += c.at.step;
}

/* Line `line` of the band, if it has been summed. */
static __device__ __forceinline__ void input_line_leave(const float (&sum)[4], const turned &m,
                                                        const leave &at, int line)
{
    const uint32_t to = at.to + line * at.step;
    word_leave(to, pack(sum[0] * m.scale[0], sum[1] * m.scale[1]), at.upper && line >= 0);
    word_leave(to + HALF_TILE_BYTES, pack(sum[2] * m.scale[0], sum[3] * m.scale[1]),
               at.lower && line >= 0);
}

/* One step. A line is left while the next one is on its way. */
static __device__ __forceinline__ void input_band_mix(input_memory &memory, const turned &m,
                                                      const step &t, int n)
{
    const uint32_t here = plane_of(memory.plane, n + 1);
    const three_planes planes = {{t.first ? here : plane_of(memory.plane, n), here,
                                  t.last ? here : plane_of(memory.plane, n + 2)}};
    sides_leave(memory, m, planes, t);

    const int    skip = t.b.y0 - t.b.top;       /* lines before the first of the band: 0 or 1 */
    const int    lines = t.b.bottom - t.b.top;
    const bool   ends = t.b.bottom == t.b.y1;   /* with the grid */
    input_cursor at = input_cursor_of(planes, t, shared_address(memory.zeros));
    const leave  to = leave_of(plane_of(memory.plane, n), t);
    start_cursor start;
    const int    x = t.b.x0 + threadIdx.x % WARP / 4;
    start_cursor_set(&start.upper, &start.upper_step, memory, t, x);
    start_cursor_set(&start.lower, &start.lower_step, memory, t, x + 8);

    float      above[4] = {}, here_sum[4] = {}, below[4], next[4];  /* next: only begun */
    line_parts parts;
    if (skip == 0)
        start_load(here_sum, start);
    start_load(below, start);
    start_load(next, start);
#pragma unroll 1
    for (int y = 0; y < lines; y++) {
        line_load(parts, at.at);
        if (y == 1 - skip)
            join(here_sum, above);          /* of the line above the grid; or zeros */
        __syncwarp();                       /* all lanes have read what is left over */
        input_line_leave(above, m, to, y - skip - 2);
#pragma unroll
        for (int i = 0; i < 4; i++)
            above[i] = here_sum[i], here_sum[i] = below[i], below[i] = next[i];
        start_load(next, start);
        line_feed(above, here_sum, below, parts, m.w);
        input_cursor_move(at);
    }
    if (lines == 1)
        join(here_sum, above);
    __syncwarp();
    input_line_leave(above, m, to, lines - skip - 2);
    if (ends) {
        join(here_sum, below);
        input_line_leave(here_sum, m, to, lines - skip - 1);
    }
}

static __device__ __forceinline__ void inputs_mix(input_memory &memory, const sti_prep &p,
                                                  const prep_lanes &lanes)
{
    turned m;
    bool   first = false, last = false;
    for (int n = 0;; n++) {
        barrier_wait(&memory.ready[n % RING], parity(n));
        const step t = memory.step[n % RING];
        if (t.slice < 0)
            return;
        if (t.opens || t.first != first || t.last != last) {
            first = t.first, last = t.last;
            const input_slice s = input_slice_of(p, lanes, t.slice);
            turned_get(m, lanes.lane[s.which], expanded_channel(p, s, threadIdx.x / WARP), t);
        }
        input_band_mix(memory, m, t, n);
        barrier_arrive(&memory.mixed[n % RING]);
    }
}

/* --- finishers ------------------------------------------------------------------------------- */

static __device__ __forceinline__ int adder()
{
    return threadIdx.x - (PIECES + INPUT_LOADERS) * WARP;
}

/* A place's piece of x_bar: the sum of its copies, which are `apart` pieces from each other. */
static __device__ __forceinline__ uint4 copies_add(uint32_t plane, const answer &at, int piece,
                                                   int copies, int apart)
{
    const uint4 first = piece_read(plane + piece_at(at, piece));
    if (copies == 1)
        return first;
    eight sum = plus(eight_of(first), eight_of(piece_read(plane + piece_at(at, piece + apart))));
#pragma unroll 1
    for (int copy = 2; copy < copies; copy++)
        sum = plus(sum, eight_of(piece_read(plane + piece_at(at, piece + copy * apart))));
    return eight_pack(sum);
}

static __device__ __forceinline__ void step_store(uint32_t plane, const answers &all,
                                                  const input_slice &s, const sti_prep &p,
                                                  const prep_lanes &lanes)
{
    const int piece = adder() % s.per, pitch = (int)(lanes.lane[s.which].Hin * p.D);
    bf16     *to = (bf16 *)lanes.bar[s.which].x_bar + (s.first + piece) * PIECE;
#pragma unroll 4
    for (int i = adder() / s.per; i < all.count; i += ALL_ADDERS / s.per) {
        const answer at = answer_of(all, i);
        *(uint4 *)(to + (int64_t)at.row * pitch) =
            copies_add(plane, at, piece, s.copies, s.per);
    }
}

static __device__ __forceinline__ void inputs_finish(input_memory &m, const sti_prep &p,
                                                     const prep_lanes &lanes)
{
    for (int n = 0;; n++) {
        barrier_wait(&m.ready[n % RING], parity(n));
        const step &t = m.step[n % RING];
        if (t.slice < 0)
            return;
        const answers     all = answers_of(t);
        const input_slice s = input_slice_of(p, lanes, t.slice);
        barrier_wait(&m.mixed[n % RING], parity(n));
        step_store(plane_of(m.plane, n), all, s, p, lanes);
        barrier_arrive(&m.drained[n % RING]);
    }
}

/* --- rows that are not mixed ----------------------------------------------------------------- */

/* x_bar of a row, by a warp. */
static __device__ __forceinline__ void rest_row(const sti_prep &p, const sti_prep_lane &l,
                                                const sti_prep_lane_bar &bar, int64_t row)
{
    const int   C = (int)(p.F * p.d), D = (int)p.D, pitch = (int)l.Hin * D;
    const int   copies = (int)(p.H / l.Hin);
    const bf16 *c_bar = (const bf16 *)bar.c_bar + row * C, *scale = (const bf16 *)l.scale;
    bf16       *x_bar = (bf16 *)bar.x_bar + row * pitch;
#pragma unroll 4
    for (int c = threadIdx.x % WARP * PIECE; c < pitch; c += WARP * PIECE) {
        eight sum = {};
        for (int copy = 0; copy < copies; copy++) {
            const int from = (c / D * copies + copy) * D + c % D;
            eight     y = eight_of(*(const uint4 *)(c_bar + from));
            if (scale)
                y = times({load4(scale + from), load4(scale + from + 4)}, y);
            sum = plus(sum, y);
        }
        *(uint4 *)(x_bar + c) = eight_pack(sum);
    }
}

/* Finishers take the rest before their first step. */
static __device__ __forceinline__ void rest_finish(const sti_prep &p, const prep_lanes &lanes)
{
    const int all = 3 * (int)p.R;
    for (int n = (int)blockIdx.x + adder() / WARP * (int)gridDim.x; n < all;
         n += (int)gridDim.x * INPUT_FINISHERS)
        rest_row(p, lanes.lane[n % 3], lanes.bar[n % 3], p.rest[n / 3]);
}

#endif /* STI_HOPPER */

/* Slices of all lanes times grids, shared evenly among the blocks. */
static __global__ void __launch_bounds__(INPUT_THREADS, 1)
    prep_slice_inputs(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(16) unsigned char shared[];
    input_memory &m = *(input_memory *)shared;
    const items   mine = items_shared(3 * (p.F * p.d / SLICE) * p.G);
    if (threadIdx.x < sizeof m.zeros / 4)
        ((uint32_t *)m.zeros)[threadIdx.x] = 0;
    if (threadIdx.x == 0) {
        for (int i = 0; i < RING; i++) {
            barrier_init(&m.ready[i], INPUT_LOADERS * WARP + 1);    /* pieces, and the plan */
            barrier_init(&m.mixed[i], PIECES * WARP);
            barrier_init(&m.drained[i], ALL_ADDERS);
        }
        barrier_init_done();
    }
    __syncthreads();
    if (threadIdx.x / WARP < PIECES) {
        registers_take<INPUT_MIXER_REGISTERS>();
        inputs_mix(m, p, lanes);
    } else if (threadIdx.x / WARP < PIECES + INPUT_LOADERS) {
        registers_give<INPUT_OTHER_REGISTERS>();
        inputs_load(m, mine, p, lanes);
    } else {
        registers_give<INPUT_OTHER_REGISTERS>();
        rest_finish(p, lanes);
        inputs_finish(m, p, lanes);
    }
#endif
}

bool prep_hopper_fits_inputs(const sti_prep *p, const prep_lanes *lanes)
{
    for (int i = 0; i < 3; i++)
        if (PIECES % (p->H / lanes->lane[i].Hin) != 0)
            return false;
    return true;
}

st_status prep_hopper_inputs(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const int64_t all = 3 * (p->F * p->d / SLICE) * p->G;
    const int     processors = stream->device->processor_count;
    STI_CUDA(cudaFuncSetAttribute(prep_slice_inputs, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)sizeof(input_memory)),
             "prep_slice_inputs: %zu bytes of shared memory", sizeof(input_memory));
    prep_slice_inputs<<<(unsigned)(all < processors ? all : processors), INPUT_THREADS,
                        sizeof(input_memory), sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_slice_inputs");
}
