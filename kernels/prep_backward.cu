/* prep_backward.cu - from the gradient by the convolution's answer, c_bar, to everything before it.
 *
 * Three kernels follow prep_slopes. One walks c_bar with the taps turned around and gives x_bar,
 * summed over the copies of a key head. One sums, per channel and tap, c_bar against what the tap
 * read (`reach`) and c_bar itself (`total`), some grids to a block; the last adds the blocks' sums
 * in order and makes of them the gradients of taps, scale and offset (prep.c says how). No atomics:
 * the same bits every time.
 *
 * The first two have bodies for compute capability 9.0: prep_hopper_inputs.cu, prep_hopper_sums.cu.
 */
#include "kernels/prep.cuh"

/* Taps that lead back, times scale: w[source plane][line fed][source column]. A place reads its
 * neighbour in front by tap +1, so it is led back to by the neighbour behind, and so on. The first
 * and last grid of a video read themselves by the taps that would leave it. */
static __device__ __forceinline__ void turned_taps_get(float (&w)[ST_CONV_TAPS],
                                                       const sti_prep_lane &l, int c,
                                                       const st_grid &g, void *staging)
{
    float t[ST_CONV_TAPS], scale, offset;
    affine_get(l, c, &scale, &offset);
    taps_load(t, (const bf16 *)l.conv + (int64_t)(c - (int)threadIdx.x) * ST_CONV_TAPS, staging);
    const bool first = g.before == g.row, last = g.after == g.row;
#pragma unroll
    for (int up = 0; up < 3; up++)
#pragma unroll
        for (int e = 0; e < 3; e++) {
            const int   at = up * 3 + e, tap = up * 3 + 2 - e;
            const float behind = t[18 + tap] * scale, ahead = t[tap] * scale;
            w[at]      = first ? 0.0f : behind;
            w[18 + at] = last ? 0.0f : ahead;
            w[9 + at]  = t[9 + tap] * scale + (first ? ahead : 0.0f) + (last ? behind : 0.0f);
        }
}

/* What the first and the last column keep for themselves, of the lines above, here and below. */
static __device__ __forceinline__ void ends_feed(float (&first)[3], float (&last)[3],
                                                 const float (&w)[ST_CONV_TAPS],
                                                 const bf16 *lines, int end)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE + WIDTH;
        const float left = load1(x), right = load1(x + end * WIDTH);
#pragma unroll
        for (int up = 0; up < 3; up++) {
            first[up] = fmaf(w[a * 9 + up * 3 + 2], left, first[up]);
            last[up]  = fmaf(w[a * 9 + up * 3], right, last[up]);
        }
    }
}

/* A line outside the grid joins its neighbour inside. */
static __device__ __forceinline__ void stay(columns &to, float &to_first, float &to_last,
                                            const columns &from, float from_first, float from_last)
{
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        to[i] += from[i];
    to_first += from_first;
    to_last += from_last;
}

/* Warps take positions from the stage, sum each over the copies of its key heads and store. x_bar
 * is the block's first channel of the first position. */
static __device__ __forceinline__ void copies_store(bf16 *x_bar, int pitch, int count,
                                                    const float *stage, int copies, int D,
                                                    int width)
{
    const int part = copies > 1 ? D : width;    /* channels whose copies lie as far apart */
    for (int i = threadIdx.x / WARP; i < count; i += blockDim.x / WARP) {
        const float *from = stage + i * WIDTH;
        bf16        *to = x_bar + (int64_t)i * pitch;
        for (int start = 0; start < width; start += part)
            for (int c = 4 * (threadIdx.x % WARP); c < part; c += 4 * WARP) {
                float4 sum = *(const float4 *)(from + start * copies + c);
                for (int copy = 1; copy < copies; copy++) {
                    const float4 x = *(const float4 *)(from + start * copies + copy * D + c);
                    sum = make_float4(sum.x + x.x, sum.y + x.y, sum.z + x.z, sum.w + x.w);
                }
                store4(to + start + c, sum);
            }
    }
}

/* x_bar of one grid. Iteration `line` mixes the line in shared memory, which completes line-1 of
 * x_bar, and stores line-2. */
static __device__ __forceinline__ void grid_inputs(const st_grid g, bf16 *x_bar, int pitch,
                                                   const bf16 *c_bar, const sti_prep &p,
                                                   const sti_prep_lane &l, int c, bf16 *lines,
                                                   float *stage)
{
    const int     d = (int)p.d, copies = (int)(p.H / l.Hin), C = (int)(p.F * p.d);
    const int32_t plane[3] = {g.before, g.row, g.after};
    line_load<3, true>(lines, c_bar, plane, C, 0, 0, g.w, d);
    float w[ST_CONV_TAPS];
    turned_taps_get(w, l, c, g, stage);
    for (int column = 0; column < g.w; column += COLUMNS) {
        const int count = min(COLUMNS, g.w - column), end = g.w - 1 - column;
        strip     s = {};
        float     first[3] = {}, last[3] = {};
        for (int line = 0; line <= g.h + 1; line++) {
            pieces_wait();
            if (line + 1 < g.h)
                line_load<3, true>(lines + (line + 1) % 2 * 3 * LINE, c_bar, plane, C,
                                   line + 1, column, g.w, d);
            else if (line > g.h && column + COLUMNS < g.w)
                line_load<3, true>(lines, c_bar, plane, C, 0, column + COLUMNS, g.w, d);
            if (line >= 2)
                copies_store(x_bar + ((int64_t)g.row + (line - 2) * g.w + column) * pitch, pitch,
                             count, stage + (line - 1) % 2 * STAGE, copies, (int)p.D, d / copies);
            if (line > g.h)
                continue;
            const bf16 *at = lines + line % 2 * 3 * LINE + threadIdx.x;
            columns     done;
            if (line < g.h) {
                strip_feed(done, s, 0.0f, w, at);
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
                float *to = stage + line % 2 * STAGE + threadIdx.x;
#pragma unroll
                for (int i = 0; i < COLUMNS; i++)
                    to[i * WIDTH] = done[i] + (i == 0 && column == 0 ? first[0] : 0.0f);
                if (end < COLUMNS)
                    to[end * WIDTH] += last[0];
            }
            first[0] = first[1], first[1] = first[2], first[2] = 0.0f;
            last[0] = last[1], last[1] = last[2], last[2] = 0.0f;
        }
    }
}

static __global__ void __launch_bounds__(WIDTH, 1)
    prep_inputs(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int            f = blockIdx.x, which = blockIdx.y, d = (int)p.d, D = (int)p.D;
    const sti_prep_lane &l = lanes.lane[which];
    bf16                *lines = (bf16 *)shared;                        /* [2][3][SPAN][WIDTH] */
    float               *stage = (float *)(lines + 2 * 3 * LINE);       /* [2][COLUMNS][WIDTH] */
    const int            c = f * d + threadIdx.x, copies = (int)(p.H / l.Hin);
    const int            pitch = (int)(l.Hin * p.D), C = (int)(p.F * p.d);
    const bf16          *c_bar = (const bf16 *)lanes.bar[which].c_bar + f * d;
    bf16                *x_bar = (bf16 *)lanes.bar[which].x_bar + source_channel(p, l, f * d);

    if (blockIdx.z < p.G && l.conv) {
        grid_inputs(p.grids[blockIdx.z], x_bar, pitch, c_bar, p, l, c, lines, stage);
        return;
    }

    const bool in_grid = blockIdx.z < p.G;
    const int  from = in_grid ? 0 : (int)(blockIdx.z - p.G) * REST_ROWS;
    const int  count = in_grid ? p.grids[blockIdx.z].h * p.grids[blockIdx.z].w
                               : min(REST_ROWS, (int)p.R - from);
    const int  mine = source_channel(p, l, threadIdx.x);
    if (threadIdx.x / D % copies)
        return;
#pragma unroll 4
    for (int n = 0; n < count; n++) {
        const int64_t row = in_grid ? p.grids[blockIdx.z].row + n : p.rest[from + n];
        float         sum = 0.0f, scale, offset;
        for (int copy = 0; copy < copies; copy++) {
            affine_get(l, c + copy * D, &scale, &offset);
            sum = fmaf(scale, load1(c_bar + row * C + threadIdx.x + copy * D), sum);
        }
        x_bar[row * pitch + mine] = __float2bfloat16_rn(sum);
    }
}

/* --- sums for the parameters ----------------------------------------------------------------- */

/* reach[a][b][e] += c_bar of a column times what its tap read; y: c_bar of the line that reads the
 * line in shared memory by taps b - 1. */
template <int b>
static __device__ __forceinline__ void once_more(float (&reach)[ST_CONV_TAPS], const columns &y,
                                                 const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE;
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
#pragma unroll
            for (int e = 0; e < 3; e++)
                reach[a * 9 + b * 3 + e] = fmaf(y[i], load1(x + (i + e) * WIDTH),
                                                reach[a * 9 + b * 3 + e]);
    }
}

/* The same for the lines below, at and above, which read by taps -1, 0 and +1. */
static __device__ __forceinline__ void reach_feed(float (&reach)[ST_CONV_TAPS],
                                                  const columns (&y)[3], const bf16 *lines)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        const bf16 *x = lines + a * LINE;
        float       left = load1(x), middle = load1(x + WIDTH);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float right = load1(x + (i + 2) * WIDTH);
#pragma unroll
            for (int b = 0; b < 3; b++) {
                float *to = reach + a * 9 + b * 3;
                to[0] = fmaf(y[b][i], left, to[0]);
                to[1] = fmaf(y[b][i], middle, to[1]);
                to[2] = fmaf(y[b][i], right, to[2]);
            }
            left = middle, middle = right;
        }
    }
}

enum { C_LINES = 3 };   /* of c_bar in shared memory: at, below, and the one on its way */

/* c_bar of a line from shared memory, zeros below the grid. */
static __device__ __forceinline__ void c_bar_get(columns &y, const bf16 *c_lines, int line, int h)
{
    const bf16 *from = c_lines + line % C_LINES * LINE + WIDTH + threadIdx.x;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        y[i] = line < h ? load1(from + i * WIDTH) : 0.0f;
}

/* One grid's share of reach and total. `width` channels of x serve the block, `mine` is this
 * thread's of them. */
static __device__ __forceinline__ void grid_sums(float (&reach)[ST_CONV_TAPS], float &total,
                                                 const st_grid g, const bf16 *x, int pitch,
                                                 int width, int mine, const bf16 *c_bar, int C,
                                                 bf16 *lines)
{
    const int32_t plane[3] = {g.before, g.row, g.after}, own[1] = {g.row};
    bf16         *c_lines = lines + 2 * 3 * LINE;       /* [C_LINES][SPAN][WIDTH] */
    const int     d = blockDim.x;
    for (int column = 0; column < g.w; column += COLUMNS) {
        columns y[3] = {};
        __syncthreads();                    /* the last strip's lines are read */
        line_load<3, false>(lines, x, plane, pitch, 0, column, g.w, width);
        for (int line = 0; line < 2 && line < g.h; line++)
            line_load<1, true>(c_lines + line * LINE, c_bar, own, C, line, column, g.w, d);
        for (int line = 0; line < g.h; line++) {
            pieces_wait();
            if (line + 1 < g.h)
                line_load<3, false>(lines + (line + 1) % 2 * 3 * LINE, x, plane, pitch, line + 1,
                                    column, g.w, width);
            if (line + 2 < g.h)
                line_load<1, true>(c_lines + (line + 2) % C_LINES * LINE, c_bar, own, C,
                                   line + 2, column, g.w, d);
            if (line == 0)
                c_bar_get(y[0], c_lines, 0, g.h);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++) {
                y[2][i] = y[1][i], y[1][i] = y[0][i];
                total += y[1][i];
            }
            c_bar_get(y[0], c_lines, line + 1, g.h);
            const bf16 *at = lines + line % 2 * 3 * LINE + mine;
            reach_feed(reach, y, at);
            if (line == 0)                  /* read once more as the line above itself */
                once_more<0>(reach, y[1], at);
            if (line == g.h - 1)            /* and as the line below */
                once_more<2>(reach, y[1], at);
        }
    }
}

/* Partial sums: [block of grids][which][kind][C], then [block of rest][which][2][C]. */
static __global__ void __launch_bounds__(WIDTH, 1)
    prep_sums(float *partial, const __grid_constant__ sti_prep p,
              const __grid_constant__ prep_lanes lanes, int grid_blocks)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int            which = blockIdx.y, C = (int)(p.F * p.d), d = (int)p.d;
    const sti_prep_lane &l = lanes.lane[which];
    const int            c = (int)blockIdx.x * d + threadIdx.x;
    const bf16          *c_bar = (const bf16 *)lanes.bar[which].c_bar + blockIdx.x * d;
    const int            pitch = (int)(l.Hin * p.D);
    const bool           in_grid = (int)blockIdx.z < grid_blocks;
    float                reach[ST_CONV_TAPS] = {}, total = 0.0f;
    float                plain = 0.0f;      /* reach of rows that are not mixed */

    if (in_grid && l.conv) {
        const bf16 *x = (const bf16 *)l.x + source_channel(p, l, (int)blockIdx.x * d);
        const int   width = source_width(p, l), mine = source_channel(p, l, threadIdx.x);
        for (int64_t n = blockIdx.z; n < p.G; n += grid_blocks) {
            const st_grid g = p.grids[n];
            grid_sums(reach, total, g, x, pitch, width, mine, c_bar, C, (bf16 *)shared);
        }
        float *to = partial + ((int64_t)blockIdx.z * 3 + which) * PREP_SUM_KINDS * C + c;
#pragma unroll
        for (int tap = 0; tap < ST_CONV_TAPS; tap++)
            to[(int64_t)tap * C] = reach[tap];
        to[(int64_t)ST_CONV_TAPS * C] = total;
        return;
    }

    const bf16 *x = (const bf16 *)l.x + source_channel(p, l, c);
    const int   block = (int)blockIdx.z - grid_blocks;
    for (int64_t n = in_grid ? blockIdx.z : 0; n < (in_grid ? p.G : 1);
         n += in_grid ? grid_blocks : 1) {
        const int from = block * PREP_SUM_REST;
        const int count = in_grid ? p.grids[n].h * p.grids[n].w
                                  : min((int)PREP_SUM_REST, (int)p.R - from);
#pragma unroll 4
        for (int r = 0; r < count; r++) {
            const int64_t row = in_grid ? p.grids[n].row + r : p.rest[from + r];
            const float   y = load1(c_bar + row * C + threadIdx.x);
            plain = fmaf(y, load1(x + row * pitch), plain);
            total += y;
        }
    }
    float *to = partial + (int64_t)grid_blocks * 3 * PREP_SUM_KINDS * C +
                ((int64_t)block * 3 + which) * PREP_REST_KINDS * C + c;
    int64_t second = C;
    if (in_grid) {      /* as if by the centre tap of an identity */
        to = partial + ((int64_t)blockIdx.z * 3 + which) * PREP_SUM_KINDS * C + c +
             ST_CONV_TAPS / 2 * C;
        second = (int64_t)(ST_CONV_TAPS - ST_CONV_TAPS / 2) * C;
    }
    to[0]      = plain;
    to[second] = total;
}

/* One thread a kind and channel adds the blocks in order; a block has 32 channels, and its lines of
 * threads are the kinds: 27 taps, the total, and two for the rest. */
static __global__ void prep_parameters(const float *partial, const __grid_constant__ sti_prep p,
                                       const __grid_constant__ prep_lanes lanes, int grid_blocks,
                                       int rest_count)
{
    __shared__ float         sums[PREP_SUM_KINDS + PREP_REST_KINDS][32];
    __shared__ float         taps[PREP_SUM_KINDS + PREP_REST_KINDS][32];
    const int                kind = threadIdx.y, which = blockIdx.y, C = (int)(p.F * p.d);
    const int                c = (int)blockIdx.x * 32 + threadIdx.x;    /* 32 divides C */
    const sti_prep_lane     &l = lanes.lane[which];
    const sti_prep_lane_bar &bar = lanes.bar[which];
    const float *rest = partial + (int64_t)grid_blocks * 3 * PREP_SUM_KINDS * C;

    float sum = 0.0f;
    if (kind < PREP_SUM_KINDS && (l.conv || kind == ST_CONV_TAPS / 2 || kind == ST_CONV_TAPS))
        for (int b = 0; b < grid_blocks; b++)
            sum += partial[(((int64_t)b * 3 + which) * PREP_SUM_KINDS + kind) * C + c];
    else if (kind >= PREP_SUM_KINDS)
        for (int b = 0; b < rest_count; b++)
            sum += rest[(((int64_t)b * 3 + which) * PREP_REST_KINDS + kind - PREP_SUM_KINDS) * C +
                        c];
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
        float by_scale = sums[PREP_SUM_KINDS][threadIdx.x], tap_sum = 0.0f;
        for (int k = 0; k < ST_CONV_TAPS; k++) {
            by_scale += taps[k][threadIdx.x] * sums[k][threadIdx.x];
            tap_sum += taps[k][threadIdx.x];
        }
        bar.scale[c] += by_scale;
        bar.offset[c] += tap_sum * total + sums[PREP_SUM_KINDS + 1][threadIdx.x];
    }
}

static st_status launch_inputs(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const size_t bytes = 2 * 3 * LINE * sizeof(bf16) + 2 * STAGE * sizeof(float);
    const dim3   grid((unsigned)p->F, 3, (unsigned)(p->G + (p->R + REST_ROWS - 1) / REST_ROWS));
    STI_CUDA(cudaFuncSetAttribute(prep_inputs, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)bytes), "prep_inputs: %zu bytes of shared memory", bytes);
    prep_inputs<<<grid, (unsigned)p->d, bytes, sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_inputs");
}

/* Partial sums: as many blocks of grids as fill the card once; fewer would idle, more would only
 * leave more to add. */
static int64_t grid_blocks_of(const st_stream *stream, const sti_prep *p)
{
    int64_t blocks = stream->device->processor_count / (3 * p->F);
    blocks = blocks < 1 ? 1 : blocks;
    return blocks < p->G ? blocks : p->G;
}

static st_status launch_partial_sums(st_stream *stream, float *partial, const sti_prep *p,
                                     const prep_lanes *lanes, int64_t grid_blocks,
                                     int64_t rest_count)
{
    const size_t bytes = (2 * 3 + C_LINES) * LINE * sizeof(bf16);
    const dim3   grid((unsigned)p->F, 3, (unsigned)(grid_blocks + rest_count));
    STI_CUDA(cudaFuncSetAttribute(prep_sums, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)bytes), "prep_sums: %zu bytes of shared memory", bytes);
    prep_sums<<<grid, (unsigned)p->d, bytes, sti_cuda(stream)>>>(partial, *p, *lanes,
                                                                 (int)grid_blocks);
    return sti_launched("prep_sums");
}

static st_status launch_sums(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const bool    hopper = prep_hopper(stream, p, lanes);
    const int64_t grid_blocks = hopper ? prep_hopper_sum_parts(stream, p)
                                       : grid_blocks_of(stream, p);
    const int64_t rest_count = (p->R + PREP_SUM_REST - 1) / PREP_SUM_REST, C = p->F * p->d;
    const size_t  grid_count = (size_t)(grid_blocks * 3 * PREP_SUM_KINDS * C);
    const size_t  partial_bytes = (grid_count + (size_t)(rest_count * 3 * PREP_REST_KINDS * C)) *
                                 sizeof(float);
    if (partial_bytes > stream->device->workspace_bytes)
        return ST_FAIL(ST_ERR_LIMIT, "prep: sums of %lld grids and %lld other rows need %zu bytes "
                       "of workspace, %zu are there", (long long)p->G, (long long)p->R,
                       partial_bytes, stream->device->workspace_bytes);

    float *partial = (float *)stream->device->workspace;
    if (hopper)
        ST_TRY(prep_hopper_sums(stream, partial, partial + grid_count, p, lanes,
                                (int)grid_blocks));
    else
        ST_TRY(launch_partial_sums(stream, partial, p, lanes, grid_blocks, rest_count));
    prep_parameters<<<dim3((unsigned)(C / 32), 3), dim3(32, PREP_SUM_KINDS + PREP_REST_KINDS), 0,
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
    const bool hopper = prep_hopper(stream, p, &lanes) && prep_hopper_fits_inputs(p, &lanes);
    ST_TRY((hopper ? prep_hopper_inputs : launch_inputs)(stream, p, &lanes));
    return launch_sums(stream, p, &lanes);
}
