/* prep_backward.cu - from the gradient by the convolution's answer, c_bar, to everything before it.
 *
 * Three kernels follow prep_slopes. One walks c_bar with the taps turned around and gives x_bar,
 * summed over the copies of a key head. One sums, per channel and tap, c_bar against what the tap
 * read (`reach`) and c_bar itself (`total`), some grids to a block; the last adds the blocks' sums
 * in order and makes of them the gradients of taps, scale and offset (prep.c says how). No atomics:
 * the same bits every time.
 */
#include "kernels/prep.cuh"

enum { SUM_KINDS = ST_CONV_TAPS + 1, REST_KINDS = 2, REST_SUMS = 64 };

/* Taps that lead back, times scale: w[source plane][line fed][source column]. A place reads its
 * neighbour in front by tap +1, so it is led back to by the neighbour behind, and so on. The first
 * and last grid of a video read themselves by the taps that would leave it. */
static __device__ __forceinline__ void turned_taps_get(float2 (&w)[ST_CONV_TAPS],
                                                       const sti_prep_lane &l, int c,
                                                       const st_grid &g, uint32_t *staging)
{
    float2 t[ST_CONV_TAPS], scale, offset;
    taps_load(t, (const bf16 *)l.conv + (int64_t)(c - 2 * threadIdx.x) * ST_CONV_TAPS, staging);
    affine_get(l, c, &scale, &offset);
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++)
        t[tap] = make_float2(t[tap].x * scale.x, t[tap].y * scale.y);
    const bool first = g.before == g.row, last = g.after == g.row;
#pragma unroll
    for (int up = 0; up < 3; up++)
#pragma unroll
        for (int e = 0; e < 3; e++) {
            const int    at = up * 3 + e, tap = up * 3 + 2 - e;
            const float2 none = make_float2(0.0f, 0.0f);
            w[at]      = first ? none : t[18 + tap];
            w[18 + at] = last ? none : t[tap];
            w[9 + at]  = t[9 + tap];
            if (first)
                add(w[9 + at], t[tap]);
            if (last)
                add(w[9 + at], t[18 + tap]);
        }
}

/* What the first and the last column keep for themselves, of the lines above, here and below. */
static __device__ __forceinline__ void ends_feed(float2 (&first)[3], float2 (&last)[3],
                                                 const float2 (&w)[ST_CONV_TAPS],
                                                 const bf16 *lines, int end)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16  *x = lines + a * LINE + WIDTH + 2 * threadIdx.x;
        const float2 left = load2(x), right = load2(x + end * WIDTH);
#pragma unroll
        for (int up = 0; up < 3; up++) {
            multiply_add(first[up], w[a * 9 + up * 3 + 2], left);
            multiply_add(last[up], w[a * 9 + up * 3], right);
        }
    }
}

/* Sum each column over the copies of its key head and store. */
static __device__ __forceinline__ void copies_store(bf16 *x_bar, int64_t pitch, int count,
                                                    const columns &x, float2 *joined,
                                                    int copies, int D)
{
    const int c = 2 * threadIdx.x, d = 2 * blockDim.x;
    if (copies > 1) {
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            joined[i * (d / 2) + threadIdx.x] = x[i];
        __syncthreads();
        if (c / D % copies)
            return;                     /* the first copy stores */
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        float2 sum = x[i];
        for (int copy = 1; copy < copies; copy++)
            add(sum, joined[i * (d / 2) + threadIdx.x + copy * (D / 2)]);
        if (i < count)
            store2(x_bar + i * pitch, sum);
    }
}

/* A line outside the grid joins its neighbour inside. */
static __device__ __forceinline__ void stay(columns &to, float2 &to_first, float2 &to_last,
                                            const columns &from, float2 from_first,
                                            float2 from_last)
{
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        add(to[i], from[i]);
    add(to_first, from_first);
    add(to_last, from_last);
}

static __global__ void __launch_bounds__(THREADS_MAX, 1)
    prep_inputs(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int            f = blockIdx.y, which = blockIdx.z, d = (int)p.d, D = (int)p.D;
    const sti_prep_lane &l = lanes.lane[which];
    bf16                *lines = (bf16 *)shared;        /* [2][3][SPAN][WIDTH] */
    float2              *joined = (float2 *)(shared + 2 * 3 * LINE * sizeof(bf16));
    const int            c = f * d + 2 * threadIdx.x, copies = (int)(p.H / l.Hin);
    const int64_t        pitch = l.Hin * p.D, C = p.F * p.d;
    const bf16          *c_bar = (const bf16 *)lanes.bar[which].c_bar + f * d;
    bf16                *x_bar = (bf16 *)lanes.bar[which].x_bar + source_channel(p, l, c);

    if (blockIdx.x < p.G && l.conv) {
        const st_grid g = p.grids[blockIdx.x];
        float2        w[ST_CONV_TAPS];
        turned_taps_get(w, l, c, g, (uint32_t *)shared);
        const bf16       *from = c_bar + threadIdx.x % (d / 8) * 8;
        const bf16 *const plane[3] = {from + g.before * C, from + g.row * C, from + g.after * C};
        for (int column = 0; column < g.w; column += COLUMNS) {
            const int count = min(COLUMNS, g.w - column), end = g.w - 1 - column;
            strip     s = {};
            columns   done;
            float2    first[3] = {}, last[3] = {};
            __syncthreads();            /* the last strip's lines are read */
            line_load<3, true>(lines, plane, C, 0, column, g.w, d);
            for (int line = 0; line <= g.h; line++) {
                const bf16 *at = lines + line % 2 * 3 * LINE;
                pieces_wait();
                if (line + 1 < g.h)
                    line_load<3, true>(lines + (line + 1) % 2 * 3 * LINE, plane, C, line + 1,
                                       column, g.w, d);
                if (line < g.h) {
                    strip_feed(done, s, make_float2(0.0f, 0.0f), w, at);
                    ends_feed(first, last, w, at, min(end, COLUMNS - 1));
                } else {
#pragma unroll
                    for (int i = 0; i < COLUMNS; i++)
                        done[i] = s.above[i];
                }
                /* What would leave by the first and the last line stays there. */
                if (line == 0)
                    stay(s.above, first[1], last[1], done, first[0], last[0]);
                if (line == g.h - 1)
                    stay(s.above, first[1], last[1], s.here, first[2], last[2]);
                if (line >= 1) {
                    if (column == 0)
                        add(done[0], first[0]);
#pragma unroll
                    for (int i = 0; i < COLUMNS; i++)
                        if (i == end)
                            add(done[i], last[0]);
                    copies_store(x_bar + ((int64_t)g.row + (line - 1) * g.w + column) * pitch,
                                 pitch, count, done, joined, copies, D);
                }
#pragma unroll
                for (int k = 0; k < 3; k++) {
                    first[k] = k < 2 ? first[k + 1] : make_float2(0.0f, 0.0f);
                    last[k]  = k < 2 ? last[k + 1] : make_float2(0.0f, 0.0f);
                }
            }
        }
        return;
    }

    const bool in_grid = blockIdx.x < p.G;
    const int  from = in_grid ? 0 : (int)(blockIdx.x - p.G) * REST_ROWS;
    const int  count = in_grid ? p.grids[blockIdx.x].h * p.grids[blockIdx.x].w
                               : min(REST_ROWS, (int)p.R - from);
    if (2 * threadIdx.x / D % copies)
        return;
    for (int n = 0; n < count; n++) {
        const int64_t row = in_grid ? p.grids[blockIdx.x].row + n : p.rest[from + n];
        float2        sum = make_float2(0.0f, 0.0f), scale, offset;
        for (int copy = 0; copy < copies; copy++) {
            affine_get(l, c + copy * D, &scale, &offset);
            multiply_add(sum, scale, load2(c_bar + row * C + 2 * threadIdx.x + copy * D));
        }
        store2(x_bar + row * pitch, sum);
    }
}

/* --- sums for the parameters ----------------------------------------------------------------- */

/* reach[a][b][e] += c_bar of a column times what its tap read; y: c_bar of the lines below, at and
 * above the line in shared memory, which read it by taps -1, 0 and +1. */
static __device__ __forceinline__ void reach_feed(float2 (&reach)[ST_CONV_TAPS],
                                                  const columns (&y)[3], const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE + 2 * threadIdx.x;
        float2      left = load2(x), middle = load2(x + WIDTH);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float2 right = load2(x + (i + 2) * WIDTH);
#pragma unroll
            for (int b = 0; b < 3; b++) {
                multiply_add(reach[a * 9 + b * 3], y[b][i], left);
                multiply_add(reach[a * 9 + b * 3 + 1], y[b][i], middle);
                multiply_add(reach[a * 9 + b * 3 + 2], y[b][i], right);
            }
            left = middle, middle = right;
        }
    }
}

enum { C_LINES = 4 };   /* of c_bar in shared memory: above, at, below, and the one on its way */

/* c_bar of a line, zeros outside the grid. */
static __device__ __forceinline__ void c_bar_get(columns &y, const bf16 *c_lines, int line, int h,
                                                 int count)
{
    const bf16 *from = c_lines + (line + C_LINES) % C_LINES * LINE + WIDTH + 2 * threadIdx.x;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        y[i] = line >= 0 && line < h && i < count ? load2(from + i * WIDTH)
                                                  : make_float2(0.0f, 0.0f);
}

/* One grid's share of reach and total. */
static __device__ __forceinline__ void grid_sums(float2 (&reach)[ST_CONV_TAPS], float2 &total,
                                                 const st_grid &g, const bf16 *x, int64_t pitch,
                                                 const bf16 *c_bar, int64_t C, bf16 *lines, int d)
{
    const bf16       *from = c_bar + threadIdx.x % (d / 8) * 8;
    const bf16 *const plane[3] = {x + g.before * pitch, x + g.row * pitch, x + g.after * pitch};
    const bf16 *const own[1] = {from + g.row * C};
    bf16             *c_lines = lines + 2 * 3 * LINE;       /* [C_LINES][SPAN][WIDTH] */
    for (int column = 0; column < g.w; column += COLUMNS) {
        const int count = min(COLUMNS, g.w - column);
        __syncthreads();                    /* the last strip's lines are read */
        line_load<3, false>(lines, plane, pitch, 0, column, g.w, d);
        for (int line = 0; line < 2 && line < g.h; line++)
            line_load<1, false>(c_lines + line * LINE, own, C, line, column, g.w, d);
        for (int line = 0; line < g.h; line++) {
            pieces_wait();
            if (line + 1 < g.h)
                line_load<3, false>(lines + (line + 1) % 2 * 3 * LINE, plane, pitch, line + 1,
                                    column, g.w, d);
            if (line + 2 < g.h)
                line_load<1, false>(c_lines + (line + 2) % C_LINES * LINE, own, C, line + 2,
                                    column, g.w, d);
            columns y[3];
#pragma unroll
            for (int b = 0; b < 3; b++)
                c_bar_get(y[b], c_lines, line + 1 - b, g.h, count);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++) {
                add(total, y[1][i]);
                if (line == 0)              /* read once more as the line above itself */
                    add(y[0][i], y[1][i]);
                if (line == g.h - 1)        /* and as the line below */
                    add(y[2][i], y[1][i]);
            }
            reach_feed(reach, y, lines + line % 2 * 3 * LINE);
        }
    }
}

/* Partial sums: [block of grids][which][kind][C], then [block of rest][which][2][C]. */
static __global__ void __launch_bounds__(THREADS_MAX, 1)
    prep_sums(float *partial, const __grid_constant__ sti_prep p,
              const __grid_constant__ prep_lanes lanes, int grid_blocks)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int            which = blockIdx.z, C = (int)(p.F * p.d), d = (int)p.d;
    const sti_prep_lane &l = lanes.lane[which];
    const int            c = (int)blockIdx.y * d + 2 * threadIdx.x;
    const bf16          *c_bar = (const bf16 *)lanes.bar[which].c_bar + blockIdx.y * d;
    const int64_t        pitch = l.Hin * p.D;
    const bool           in_grid = (int)blockIdx.x < grid_blocks;
    float2               reach[ST_CONV_TAPS] = {}, total = make_float2(0.0f, 0.0f);
    float2               plain = make_float2(0.0f, 0.0f);   /* reach of rows that are not mixed */

    if (in_grid && l.conv) {
        const bf16 *x = (const bf16 *)l.x +
                        source_channel(p, l, (int)blockIdx.y * d + threadIdx.x % (d / 8) * 8);
        for (int64_t n = blockIdx.x; n < p.G; n += grid_blocks) {
            const st_grid g = p.grids[n];
            grid_sums(reach, total, g, x, pitch, c_bar, C, (bf16 *)shared, d);
        }
        float *to = partial + ((int64_t)blockIdx.x * 3 + which) * SUM_KINDS * C + c;
#pragma unroll
        for (int tap = 0; tap < ST_CONV_TAPS; tap++)
            *(float2 *)(to + (int64_t)tap * C) = reach[tap];
        *(float2 *)(to + (int64_t)ST_CONV_TAPS * C) = total;
        return;
    }

    const bf16 *x = (const bf16 *)l.x + source_channel(p, l, c);
    const int   block = (int)blockIdx.x - grid_blocks;
    for (int64_t n = in_grid ? blockIdx.x : 0; n < (in_grid ? p.G : 1); n += grid_blocks) {
        const int from = block * REST_SUMS;
        const int count = in_grid ? p.grids[n].h * p.grids[n].w : min(REST_SUMS, (int)p.R - from);
        for (int r = 0; r < count; r++) {
            const int64_t row = in_grid ? p.grids[n].row + r : p.rest[from + r];
            const float2  y = load2(c_bar + row * C + 2 * threadIdx.x);
            multiply_add(plain, y, load2(x + row * pitch));
            add(total, y);
        }
    }
    float *to = partial + (int64_t)grid_blocks * 3 * SUM_KINDS * C +
                ((int64_t)block * 3 + which) * REST_KINDS * C + c;
    int64_t second = C;
    if (in_grid) {      /* as if by the centre tap of an identity */
        to = partial + (((int64_t)blockIdx.x * 3 + which) * SUM_KINDS + ST_CONV_TAPS / 2) * C + c;
        second = (int64_t)(ST_CONV_TAPS - ST_CONV_TAPS / 2) * C;
    }
    *(float2 *)to            = plain;
    *(float2 *)(to + second) = total;
}

/* One thread a kind and channel adds the blocks in order; a block has 32 channels, and its lines of
 * threads are the kinds: 27 taps, the total, and two for the rest. */
static __global__ void prep_parameters(const float *partial, const __grid_constant__ sti_prep p,
                                       const __grid_constant__ prep_lanes lanes, int grid_blocks,
                                       int rest_count)
{
    __shared__ float         sums[SUM_KINDS + REST_KINDS][32], taps[SUM_KINDS + REST_KINDS][32];
    const int                kind = threadIdx.y, which = blockIdx.y, C = (int)(p.F * p.d);
    const int                c = (int)blockIdx.x * 32 + threadIdx.x;    /* 32 divides C */
    const sti_prep_lane     &l = lanes.lane[which];
    const sti_prep_lane_bar &bar = lanes.bar[which];
    const float *rest = partial + (int64_t)grid_blocks * 3 * SUM_KINDS * C;

    float sum = 0.0f;
    if (kind < SUM_KINDS && (l.conv || kind == ST_CONV_TAPS / 2 || kind == ST_CONV_TAPS))
        for (int b = 0; b < grid_blocks; b++)
            sum += partial[(((int64_t)b * 3 + which) * SUM_KINDS + kind) * C + c];
    else if (kind >= SUM_KINDS)
        for (int b = 0; b < rest_count; b++)
            sum += rest[(((int64_t)b * 3 + which) * REST_KINDS + kind - SUM_KINDS) * C + c];
    sums[kind][threadIdx.x] = sum;

    const bool is_tap = kind < ST_CONV_TAPS;
    float      tap = kind == ST_CONV_TAPS / 2 ? 1.0f : 0.0f;
    if (l.conv)
        tap = is_tap ? __bfloat162float(((const bf16 *)l.conv)[(int64_t)c * ST_CONV_TAPS + kind])
                     : 0.0f;
    taps[kind][threadIdx.x] = tap;
    __syncthreads();

    const float scale = l.scale ? __bfloat162float(((const bf16 *)l.scale)[c]) : 1.0f;
    const float offset = l.offset ? __bfloat162float(((const bf16 *)l.offset)[c]) : 0.0f;
    const float total = sums[ST_CONV_TAPS][threadIdx.x];
    if (bar.conv && is_tap)
        bar.conv[(int64_t)c * ST_CONV_TAPS + kind] += scale * sum + offset * total;
    if (bar.scale && kind == 0) {
        float by_scale = sums[SUM_KINDS][threadIdx.x], tap_sum = 0.0f;
        for (int k = 0; k < ST_CONV_TAPS; k++) {
            by_scale += taps[k][threadIdx.x] * sums[k][threadIdx.x];
            tap_sum += taps[k][threadIdx.x];
        }
        bar.scale[c] += by_scale;
        bar.offset[c] += tap_sum * total + sums[SUM_KINDS + 1][threadIdx.x];
    }
}

static st_status launch_inputs(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const size_t bytes = 2 * 3 * LINE * sizeof(bf16) + COLUMNS * (size_t)p->d * sizeof(float);
    const dim3   grid((unsigned)(p->G + (p->R + REST_ROWS - 1) / REST_ROWS), (unsigned)p->F, 3);
    STI_CUDA(cudaFuncSetAttribute(prep_inputs, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)bytes), "prep_inputs: %zu bytes of shared memory", bytes);
    prep_inputs<<<grid, (unsigned)p->d / 2, bytes, sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_inputs");
}

static st_status launch_sums(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    /* As many blocks of grids as fill the card once; fewer would idle, more would only leave more
     * partial sums. */
    int64_t grid_blocks = stream->device->processor_count / (3 * p->F);
    grid_blocks = grid_blocks < 1 ? 1 : grid_blocks;
    grid_blocks = grid_blocks < p->G ? grid_blocks : p->G;
    const int64_t rest_count = (p->R + REST_SUMS - 1) / REST_SUMS, C = p->F * p->d;
    const size_t  partial_bytes = (size_t)(3 * C) * sizeof(float) *
                                 (size_t)(grid_blocks * SUM_KINDS + rest_count * REST_KINDS);
    if (partial_bytes > stream->device->workspace_bytes)
        return ST_FAIL(ST_ERR_LIMIT, "prep: sums of %lld grids and %lld other rows need %zu bytes "
                       "of workspace, %zu are there", (long long)p->G, (long long)p->R,
                       partial_bytes, stream->device->workspace_bytes);

    float       *partial = (float *)stream->device->workspace;
    const size_t bytes = (2 * 3 + C_LINES) * LINE * sizeof(bf16);
    const dim3   sums((unsigned)(grid_blocks + rest_count), (unsigned)p->F, 3);
    STI_CUDA(cudaFuncSetAttribute(prep_sums, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)bytes), "prep_sums: %zu bytes of shared memory", bytes);
    prep_sums<<<sums, (unsigned)p->d / 2, bytes, sti_cuda(stream)>>>(partial, *p, *lanes,
                                                                    (int)grid_blocks);
    ST_TRY(sti_launched("prep_sums"));
    prep_parameters<<<dim3((unsigned)(C / 32), 3), dim3(32, SUM_KINDS + REST_KINDS), 0,
                      sti_cuda(stream)>>>(partial, *p, *lanes, (int)grid_blocks, (int)rest_count);
    return sti_launched("prep_parameters");
}

extern "C" st_status sti_prep_backward_cuda(st_stream *stream, const sti_prep *p,
                                            const sti_prep_lane lane[3],
                                            const sti_prep_lane_bar bar[3])
{
    ST_TRY(prep_check(p, lane));
    if (p->G + p->R == 0)
        return st_ok();
    prep_lanes lanes = {};
    for (int i = 0; i < 3; i++) {
        lanes.lane[i] = lane[i];
        lanes.bar[i]  = bar[i];
    }
    ST_TRY(prep_slopes(stream, p, &lanes));
    ST_TRY(launch_inputs(stream, p, &lanes));
    return launch_sums(stream, p, &lanes);
}
