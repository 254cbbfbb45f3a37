/* prep_hopper_sums.cu - prep's sums for the parameters on compute capability 9.0: per channel,
 * c_bar against what each tap read, and c_bar itself.
 *
 * See prep_hopper.cuh for how a block walks; here a block has SUM_PIECES pieces, one warp each. The
 * inner side of a product is sixteen places of a line:
 *
 *            2 taps x 8 channels           8 channels
 *           +-------------------+          +--------+
 *     x  at | places (turned)   |  times   | c_bar  |     its diagonals: 2 taps of 8 channels
 *           +-------------------+          +--------+
 *
 * Of the three lines of planes behind and here that a line of c_bar meets, the older two wait in
 * registers, and a line outside the grid is the one beside it once more. Columns are told apart by
 * c_bar, which is brought three times, shifted and with zeros around it. So a tile of 16 places has
 * room for 14 columns between their neighbours: of a fifteenth, the neighbour to the right is read
 * for all lines of a band by one more product, whose inner side are lines.
 */
#include "kernels/prep_hopper_lines.cuh"

enum {
    SUM_PIECES  = 8,                            /* of a block                               */
    SUM_SLICE   = SUM_PIECES * PIECE,
    SUM_LOADERS = 2,                            /* one brings x, one c_bar                  */
    SUM_THREADS = (SUM_PIECES + SUM_LOADERS) * WARP,
    SUM_COLUMNS = TILE - 1,
    SUM_PLANE   = (POSITIONS * SUM_PIECES + LINES * LINE_SPARE) * PIECE_BYTES,
    C_PLANES    = LEAD,                         /* of c_bar, of which a step has one        */
    X_PARTS     = 5,                            /* products of a line and a shift           */
    SHIFTS      = 3                             /* of c_bar: left, in place, right          */
};

typedef struct sum_memory {
    unsigned char x[PLANES][SUM_PLANE], c[C_PLANES][SUM_PLANE];
    unsigned char zeros[16], ones[16];              /* a place's piece */
    step          step[RING];
    uint64_t      ready[RING];      /* a step is planned, and its planes are there */
    uint64_t      mixed[RING];      /* mixers have read them                       */
} sum_memory;

/* The block that has item `item` of `all`. */
static __host__ __device__ __forceinline__ int block_of(int64_t item, int64_t all, int blocks)
{
    return (int)(((item + 1) * blocks + all - 1) / all) - 1;
}

#ifdef STI_HOPPER

static __device__ __forceinline__ uint32_t c_plane(const sum_memory &m, int n)
{
    return shared_address(m.c[0]) + n % C_PLANES * SUM_PLANE;
}

/* --- loaders --------------------------------------------------------------------------------- */

/* The loader of c_bar plans the steps. */
static __device__ __forceinline__ void c_bar_load(sum_memory &m, const items &mine,
                                                  const sti_prep &p, const prep_lanes &lanes)
{
    const int   C = (int)(p.F * p.d), slices = C / SUM_SLICE, piece = threadIdx.x % SUM_PIECES;
    const bf16 *c_bar = NULL;
    steps_load<SUM_COLUMNS, POSITIONS>(
        m, m.mixed, mine, p, threadIdx.x % WARP == 0,
        [&](int slice) {
            c_bar = (const bf16 *)lanes.bar[slice / slices].c_bar + slice % slices * SUM_SLICE +
                    piece * PIECE;
        },
        [&](int n, const st_grid &g, const band &b, bool) {
            plane_ask<SUM_PIECES>(c_plane(m, n), c_bar, C, g.row, g.w, b);
        });
}

static __device__ __forceinline__ void x_load(sum_memory &m, const items &mine, const sti_prep &p,
                                              const prep_lanes &lanes)
{
    const int   slices = (int)(p.F * p.d) / SUM_SLICE, piece = threadIdx.x % SUM_PIECES;
    const bf16 *x = NULL;
    int         pitch = 0;
    steps_load<SUM_COLUMNS, POSITIONS>(
        m, m.mixed, mine, p, false,
        [&](int slice) {
            const sti_prep_lane &l = lanes.lane[slice / slices];
            pitch = (int)(l.Hin * p.D);
            x     = (const bf16 *)l.x +
                source_channel(p, l, slice % slices * SUM_SLICE + piece * PIECE);
        },
        [&](int n, const st_grid &g, const band &b, bool fresh) {
            planes_ask<SUM_PIECES>(m.x, m.mixed, n, x, pitch, g, b, fresh);
        });
}

/* --- lines as operands ----------------------------------------------------------------------- */

/* As quarters_load, but each quarter turned. */
static __device__ __forceinline__ void turned_load(uint32_t (&x)[4], uint32_t from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(from)
                 : "memory");
}

static __device__ __forceinline__ void turned_load(uint32_t (&x)[2], uint32_t from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(x[0]), "=r"(x[1])
                 : "r"(from)
                 : "memory");
}

/* What a line of c_bar is multiplied with and the next one is not, or not so: of the plane ahead
 * the lines above and at, and the line below with ones beside it; and the line itself as read from
 * the right, in place, and from the left. */
typedef struct turn_parts {
    uint32_t upper[4], lower[4];
    uint32_t first[4], last[2];
} turn_parts;

/* How lanes bring quarters of 8 channels and 8 places: of an operand of two taps, lanes 0 .. 7 and
 * 16 .. 23 bring places of the first, the others of the second. */
static __device__ __forceinline__ int tap_half()
{
    return threadIdx.x / 8 % 2;
}

static __device__ __forceinline__ int tap_place()
{
    return threadIdx.x % WARP / TILE * 8 + threadIdx.x % 8;
}

/* What a lane keeps for all grids of a band: bytes from a plane's first place, or that there are
 * zeros. Places of a tile are columns x0-1 and on. */
typedef struct sum_places {
    int  x, first, last, step;
    bool first_in, last_in;
} sum_places;

static __device__ __forceinline__ sum_places sum_places_of(const band &b)
{
    const int  k = threadIdx.x % TILE, end = b.width - 1;
    const int  first = b.x0 + k - threadIdx.x % WARP / TILE, last = b.x0 + k - 2;
    sum_places at;
    const auto place = [&](int column) {
        return piece_at<SUM_PIECES>(min(max(column, 0), end), threadIdx.x / WARP);
    };
    at.x        = place(b.x0 - 1 - b.left + tap_place());
    at.first    = place(first - b.left);
    at.last     = place(last - b.left);
    at.step     = line_bytes<SUM_PIECES>(b.width);
    at.first_in = first >= b.x0 && first < b.x1;
    at.last_in  = last >= b.x0 && last < b.x1;
    return at;
}

/* Planes, as this lane brings them: behind or here, ahead, ahead or ones. */
typedef struct x_planes {
    uint32_t two, ahead, lower;
} x_planes;

static __device__ __forceinline__ x_planes x_planes_of(const sum_memory &m, const step &t, int n)
{
    const uint32_t here = plane_of(m.x, n + 1);
    const uint32_t behind = t.first ? here : plane_of(m.x, n);
    const uint32_t ahead = t.last ? here : plane_of(m.x, n + 2);
    return {tap_half() ? here : behind, ahead, tap_half() ? shared_address(m.ones) : ahead};
}

/* Where a lane finds the first line of the band's plane, and how far it is to the next. */
typedef struct sum_cursor {
    uint32_t two, ahead, lower, step, lower_step;
    uint32_t first, last, first_step, last_step;
} sum_cursor;

static __device__ __forceinline__ sum_cursor sum_cursor_of(const sum_memory &m, const step &t,
                                                           int n, const sum_places &at)
{
    const x_planes x = x_planes_of(m, t, n);
    const uint32_t c = c_plane(m, n), zeros = shared_address(m.zeros);
    const uint32_t step = at.step;
    return {x.two + at.x, x.ahead + at.x, tap_half() ? x.lower : x.lower + at.x, step,
            tap_half() ? 0 : step,
            at.first_in ? c + at.first : zeros, at.last_in ? c + at.last : zeros,
            at.first_in ? step : 0, at.last_in ? step : 0};
}

/* Planes behind and here of a line. */
static __device__ __forceinline__ void two_load(uint32_t (&x)[4], const sum_cursor &at, int line)
{
    turned_load(x, at.two + line * at.step);
}

/* What line `line` of c_bar wants, of `lines`. */
static __device__ __forceinline__ void turn_load(turn_parts &x, const sum_cursor &at, int line,
                                                 int lines)
{
    turned_load(x.upper, at.ahead + max(line - 1 + tap_half(), 0) * at.step);
    turned_load(x.lower, at.lower + min(line + 1, lines - 1) * at.lower_step);
    turned_load(x.first, at.first + line * at.first_step);
    turned_load(x.last, at.last + line * at.last_step);
}

/* --- sums ------------------------------------------------------------------------------------ */

/* Shift, part, and the product's own order. Parts 0 .. 2 are planes behind and here of the lines
 * above, here and below, 3 the plane ahead of the first two, 4 of the last one and, in its second
 * half, ones. */
typedef float tap_sums[SHIFTS][X_PARTS][4];

static __device__ __forceinline__ void part_feed(tap_sums &sums, int part, const uint32_t (&x)[4],
                                                 const turn_parts &c)
{
    product(sums[0][part], x, c.first[0], c.first[1]);
    product(sums[1][part], x, c.first[2], c.first[3]);
    product(sums[2][part], x, c.last[0], c.last[1]);
}

/* Lines from .. end-1 of a band's plane. What a turn multiplies was asked for in the one before,
 * and lies as products take it: a move from register to register would wait for what is on its
 * way. */
static __device__ __forceinline__ void lines_sum(tap_sums &sums, const sum_cursor &at, int from,
                                                 int end, int lines)
{
    uint32_t   above[4], here[4], below[4], next[4];
    turn_parts now, then;
    two_load(above, at, max(from - 1, 0));
    two_load(here, at, from);
    two_load(below, at, min(from + 1, lines - 1));
    turn_load(now, at, from, lines);
#pragma unroll 4
    for (int y = from; y < end; y++) {
        two_load(next, at, min(y + 2, lines - 1));
        turn_load(then, at, min(y + 1, lines - 1), lines);
        part_feed(sums, 0, above, now);
        part_feed(sums, 1, here, now);
        part_feed(sums, 2, below, now);
        part_feed(sums, 3, now.upper, now);
        part_feed(sums, 4, now.lower, now);
#pragma unroll
        for (int i = 0; i < 4; i++)
            above[i] = here[i], here[i] = below[i], below[i] = next[i];
        now = then;
    }
}

/* What a fifteenth column reads to its right: the inner side are the lines of the band. */
static __device__ __forceinline__ void edge_sum(tap_sums &sums, const sum_memory &m, const step &t,
                                                int n)
{
    const band    &b = t.b;
    const int      k = threadIdx.x % TILE, lines = b.bottom - b.top, y = b.y0 - b.top;
    const int      piece = threadIdx.x / WARP, step = line_bytes<SUM_PIECES>(b.width);
    const int      column = min(b.x1 - b.left, b.width - 1);
    const x_planes planes = x_planes_of(m, t, n);
    const uint32_t place = (y + k) * step + piece_at<SUM_PIECES>(b.x1 - 1 - b.left, piece);
    const auto     cell = [&](int line) {
        return min(max(line, 0), lines - 1) * step + piece_at<SUM_PIECES>(column, piece);
    };
    uint32_t x[3][4], upper[4], lower[4], c[2];
    turned_load(c, b.y0 + k < b.y1 ? c_plane(m, n) + place : shared_address(m.zeros));
#pragma unroll
    for (int up = 0; up < 3; up++)
        turned_load(x[up], planes.two + cell(y + tap_place() + up - 1));
    turned_load(upper, planes.ahead + cell(y + tap_place() + tap_half() - 1));
    turned_load(lower, tap_half() ? planes.lower : planes.lower + cell(y + tap_place() + 1));
#pragma unroll
    for (int up = 0; up < 3; up++)
        product(sums[2][up], x[up], c[0], c[1]);
    product(sums[2][3], upper, c[0], c[1]);
    product(sums[2][4], lower, c[0], c[1]);
}

/* One step. */
static __device__ __forceinline__ void band_sum(tap_sums &sums, const sum_memory &m, const step &t,
                                                int n, const sum_places &places)
{
    const band    &b = t.b;
    lines_sum(sums, sum_cursor_of(m, t, n, places), b.y0 - b.top, b.y1 - b.top,
              b.bottom - b.top);
    if (b.x1 - b.x0 == SUM_COLUMNS)
        edge_sum(sums, m, t, n);
}

/* --- partial sums ---------------------------------------------------------------------------- */

/* The tap that half `half` of a part has the sum of, or that of c_bar itself. */
static __device__ __forceinline__ constexpr int kind_of(int shift, int part, int half)
{
    const int a = part < 3 ? half : 2, up = part < 3 ? part : part == 3 ? half : 2;
    return part == 4 && half == 1 ? ST_CONV_TAPS : a * 9 + up * 3 + shift;
}

/* Leave a slice's sums as this block's part of them and begin anew. The last block of a slice fills
 * the parts that there are not with zeros. */
static __device__ __forceinline__ void sums_leave(tap_sums &sums, float *partial, int slice,
                                                  const items &mine, const sti_prep &p,
                                                  int parts)
{
    const int     C = (int)(p.F * p.d), slices = C / SUM_SLICE, lane = threadIdx.x % WARP;
    const int     which = slice / slices;
    const int64_t first = (int64_t)slice * p.G, all = 3 * (int64_t)slices * p.G;
    const int     c = slice % slices * SUM_SLICE + threadIdx.x / WARP * PIECE + lane / 4;
    const bool    last = first + p.G <= mine.end;
    for (int part = (int)blockIdx.x - block_of(first, all, (int)gridDim.x); part < parts; part++) {
        float *to = partial + ((int64_t)part * 3 + which) * PREP_SUM_KINDS * C + c;
#pragma unroll
        for (int e = 0; e < SHIFTS; e++)
#pragma unroll
            for (int j = 0; j < X_PARTS; j++)
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const float *s = sums[e][j] + 2 * half;
                    if (on_diagonal() && (j < 4 || half == 0 || e == 1))
                        to[kind_of(e, j, half) * (int64_t)C] = lane / 4 % 2 ? s[1] : s[0];
                }
#pragma unroll
        for (int e = 0; e < SHIFTS; e++)
#pragma unroll
            for (int j = 0; j < X_PARTS; j++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    sums[e][j][i] = 0.0f;
        if (!last)
            break;
    }
}

static __device__ __forceinline__ void sums_mix(sum_memory &m, const items &mine,
                                                float *partial, const sti_prep &p, int parts)
{
    tap_sums   sums = {};
    sum_places places = {};
    int        slice = -1;
    for (int n = 0;; n++) {
        barrier_wait(&m.ready[n % RING], parity(n));
        const step &t = m.step[n % RING];
        if (t.slice != slice) {
            if (slice >= 0)
                sums_leave(sums, partial, slice, mine, p, parts);
            slice = t.slice;
        }
        if (slice < 0)
            return;
        if (t.begins)
            places = sum_places_of(t.b);
        band_sum(sums, m, t, n, places);
        barrier_arrive(&m.mixed[n % RING]);
    }
}

/* --- rows that are not mixed ----------------------------------------------------------------- */

/* Sums of PREP_SUM_REST rows, two channels a lane: as if by one tap, and of c_bar itself. */
static __device__ __forceinline__ void rest_sum(float *to, const sti_prep &p,
                                                const sti_prep_lane &l, const bf16 *c_bar, int c,
                                                int from)
{
    const int     C = (int)(p.F * p.d), pitch = (int)(l.Hin * p.D);
    const int     count = min((int)PREP_SUM_REST, (int)p.R - from);
    const bf16   *x = (const bf16 *)l.x + source_channel(p, l, c);
    float2        plain = make_float2(0.0f, 0.0f), total = plain;
#pragma unroll 16
    for (int r = 0; r < count; r++) {
        const int64_t  row = p.rest[from + r];
        const float2 y = __bfloat1622float2(*(const __nv_bfloat162 *)(c_bar + row * C + c));
        const float2 v = __bfloat1622float2(*(const __nv_bfloat162 *)(x + row * pitch));
        plain = make_float2(fmaf(y.x, v.x, plain.x), fmaf(y.y, v.y, plain.y));
        total = make_float2(total.x + y.x, total.y + y.y);
    }
    *(float2 *)(to + c)     = plain;
    *(float2 *)(to + C + c) = total;
}

/* A warp's share of them: [block of rest][which][2][C]. */
static __device__ __forceinline__ void rests_sum(float *to, const sti_prep &p,
                                                 const prep_lanes &lanes)
{
    const int C = (int)(p.F * p.d), parts = C / SUM_SLICE;
    const int blocks = ((int)p.R + PREP_SUM_REST - 1) / PREP_SUM_REST;
    const int warp = (int)blockIdx.x + threadIdx.x / WARP * (int)gridDim.x;
    for (int n = warp; n < blocks * 3 * parts; n += (int)gridDim.x * SUM_PIECES) {
        const int which = n / parts % 3, block = n / parts / 3;
        rest_sum(to + (int64_t)(n / parts) * 2 * C, p, lanes.lane[which],
                 (const bf16 *)lanes.bar[which].c_bar,
                 n % parts * SUM_SLICE + threadIdx.x % WARP * 2, block * PREP_SUM_REST);
    }
}

#endif /* STI_HOPPER */

/* Slices of all lanes times grids, shared evenly among the blocks. */
static __global__ void __launch_bounds__(SUM_THREADS, 1)
    prep_slice_sums(float *partial, float *rest, const __grid_constant__ sti_prep p,
                    const __grid_constant__ prep_lanes lanes, int parts)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(16) unsigned char shared[];
    sum_memory &m = *(sum_memory *)shared;
    const items mine = items_shared(3 * (p.F * p.d / SUM_SLICE) * p.G);
    if (threadIdx.x < sizeof m.zeros / 4) {
        ((uint32_t *)m.zeros)[threadIdx.x] = 0;
        ((uint32_t *)m.ones)[threadIdx.x]  = 0x3f803f80;
    }
    if (threadIdx.x == 0) {
        for (int i = 0; i < RING; i++) {
            barrier_init(&m.ready[i], SUM_LOADERS * WARP + 1);      /* pieces, and the plan */
            barrier_init(&m.mixed[i], SUM_PIECES * WARP);
        }
        barrier_init_done();
    }
    __syncthreads();
    if (threadIdx.x / WARP < SUM_PIECES) {
        rests_sum(rest, p, lanes);
        sums_mix(m, mine, partial, p, parts);
    } else if (threadIdx.x / WARP == SUM_PIECES) {
        c_bar_load(m, mine, p, lanes);
    } else {
        x_load(m, mine, p, lanes);
    }
#endif
}

static int64_t item_count(const sti_prep *p)
{
    return 3 * (p->F * p->d / SUM_SLICE) * p->G;
}

static int blocks_of(const st_stream *stream, const sti_prep *p)
{
    const int64_t all = item_count(p);
    return all < stream->device->processor_count ? (int)all : stream->device->processor_count;
}

int prep_hopper_sum_parts(const st_stream *stream, const sti_prep *p)
{
    const int64_t all = item_count(p);
    const int     blocks = blocks_of(stream, p);
    int           most = 0;
    for (int64_t item = 0; item < all; item += p->G) {
        const int count = block_of(item + p->G - 1, all, blocks) - block_of(item, all, blocks) + 1;
        most = count > most ? count : most;
    }
    return most;
}

st_status prep_hopper_sums(st_stream *stream, float *partial, float *rest, const sti_prep *p,
                           const prep_lanes *lanes, int parts)
{
    STI_CUDA(cudaFuncSetAttribute(prep_slice_sums, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)sizeof(sum_memory)),
             "prep_slice_sums: %zu bytes of shared memory", sizeof(sum_memory));
    prep_slice_sums<<<(unsigned)blocks_of(stream, p), SUM_THREADS, sizeof(sum_memory),
                      sti_cuda(stream)>>>(partial, rest, *p, *lanes, parts);
    return sti_launched("prep_slice_sums");
}
