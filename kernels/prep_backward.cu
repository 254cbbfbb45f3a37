/* prep_backward.cu - from the gradient by the convolution's answer, c_bar, to everything before it.
 *
 * Three kernels follow prep_slopes. One turns the convolution around to x_bar, for the two or more
 * expanded copies of a key head at once. One sums, per channel and tap, c_bar against what the tap
 * read (`reach`) and c_bar itself (`total`), a few grids to a block; the last adds the blocks' sums
 * in order and makes of them the gradients of taps, scale and offset (prep.c says how). No atomics:
 * the same bits every time.
 */
#include "kernels/prep.cuh"

enum { GRIDS_A_BLOCK = 4, SUM_KINDS = ST_CONV_TAPS + 1, REST_KINDS = 2 };

/* Which of a role's weights reach back to a target, by where the source lies: before, at, after.
 * At the ends of a video the taps that would leave it stay on the target's own grid. */
static __device__ __forceinline__ float turned_tap(const bf16 *k, int source, int b, int e,
                                                   const st_grid &g)
{
    const int at = (2 - b) * 3 + (2 - e);   /* source line b sees us by tap 2-b; columns alike */
    if (source == 0)
        return g.before == g.row ? 0.0f : __bfloat162float(k[18 + at]);
    if (source == 2)
        return g.after == g.row ? 0.0f : __bfloat162float(k[at]);
    float w = __bfloat162float(k[9 + at]);
    if (g.before == g.row)
        w += __bfloat162float(k[at]);
    if (g.after == g.row)
        w += __bfloat162float(k[18 + at]);
    return w;
}

/* sum of c_bar's line times taps, for COLUMNS targets. x: SPAN columns, zero outside the grid;
 * w: taps by source column before, at, after. At the border the tap that would leave stays. */
static __device__ __forceinline__ void feed_back(float2 (&sum)[COLUMNS], const float2 (&x)[SPAN],
                                                 const float2 (&w)[3], int column, int width)
{
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
#pragma unroll
        for (int e = 0; e < 3; e++)
            multiply_add(sum[i], w[e], x[i + e]);
        if (column + i == 0)
            multiply_add(sum[i], w[2], x[i + 1]);       /* tap -1 of column 0 */
        if (column + i == width - 1)
            multiply_add(sum[i], w[0], x[i + 1]);       /* tap +1 of the last */
    }
}

/* x_bar of one grid, or of some rows that are not mixed. Weights lie in shared memory as
 * [copy][source][line][column][channel]: a thread's registers would not hold those of two copies. */
static __global__ void __launch_bounds__(THREADS_MAX, 1)
    prep_inputs(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    extern __shared__ float2 weights[];
    const int                which = blockIdx.z, D = (int)p.D;
    const sti_prep_lane     &l = lanes.lane[which];
    const sti_prep_lane_bar &bar = lanes.bar[which];
    const int     xc = (int)blockIdx.y * (int)p.d + 2 * threadIdx.x;    /* channels of x */
    const int     copies = (int)(p.H / l.Hin), C = (int)(p.F * p.d);
    const int64_t pitch = l.Hin * p.D;
    if ((int)blockIdx.y * p.d >= pitch)
        return;                                 /* keys have fewer channels: a whole block leaves */
    const bool  here = xc < pitch;
    const int   c0 = here ? xc / D * copies * D + xc % D : 0;   /* the first copy's channel */
    const bf16 *c_bar = (const bf16 *)bar.c_bar + c0;
    bf16       *x_bar = (bf16 *)bar.x_bar + xc;
    const int   step = blockDim.x;

    if (!(blockIdx.x < p.G && l.conv)) {
        const bool in_grid = blockIdx.x < p.G;
        const int  from = in_grid ? 0 : (int)(blockIdx.x - p.G) * REST_ROWS;
        const int  count = in_grid ? p.grids[blockIdx.x].h * p.grids[blockIdx.x].w
                                   : min(REST_ROWS, (int)p.R - from);
        for (int n = 0; n < count && here; n++) {
            const int64_t row = in_grid ? p.grids[blockIdx.x].row + n : p.rest[from + n];
            float2        sum = make_float2(0.0f, 0.0f), scale, offset;
            for (int copy = 0; copy < copies; copy++) {
                affine_get(l, c0 + copy * D, &scale, &offset);
                multiply_add(sum, scale, load2(c_bar + row * C + copy * D));
            }
            store2(x_bar + row * pitch, sum.x, sum.y);
        }
        return;
    }

    const st_grid g = p.grids[blockIdx.x];
    for (int copy = 0; copy < copies && here; copy++) {
        const int   c = c0 + copy * D;
        const bf16 *k = (const bf16 *)l.conv + (int64_t)c * ST_CONV_TAPS;
        float2      scale, offset;
        affine_get(l, c, &scale, &offset);
        for (int tap = 0; tap < ST_CONV_TAPS; tap++)
            weights[(copy * ST_CONV_TAPS + tap) * step + threadIdx.x] = make_float2(
                scale.x * turned_tap(k, tap / 9, tap / 3 % 3, tap % 3, g),
                scale.y * turned_tap(k + ST_CONV_TAPS, tap / 9, tap / 3 % 3, tap % 3, g));
    }
    if (!here)
        return;     /* a thread reads only what it wrote: no barrier follows */

    const int plane[3] = {g.before, g.row, g.after};
    for (int column = 0; column < g.w; column += COLUMNS)
        for (int line = 0; line < g.h; line++) {
            float2 sum[COLUMNS] = {};
            for (int copy = 0; copy < copies; copy++)
                for (int source = 0; source < 3; source++) {
                    if ((source == 0 && g.before == g.row) || (source == 2 && g.after == g.row))
                        continue;
                    for (int b = 0; b < 3; b++) {
                        /* Source lines above, here, below; outside the grid there are none, but
                         * the taps that would leave it come back to its first and last line. */
                        const int from = line - 1 + b;
                        if (from < 0 || from >= g.h)
                            continue;
                        const bf16 *at = c_bar + copy * D +
                                         ((int64_t)plane[source] + from * g.w) * C;
                        float2      x[SPAN], w[3];
#pragma unroll
                        for (int m = 0; m < SPAN; m++)
                            x[m] = column - 1 + m >= 0 && column - 1 + m < g.w
                                       ? load2(at + (int64_t)(column - 1 + m) * C)
                                       : make_float2(0.0f, 0.0f);
                        const float2 *ws = weights + (copy * ST_CONV_TAPS + source * 9) * step +
                                           threadIdx.x;
#pragma unroll
                        for (int e = 0; e < 3; e++) {
                            w[e] = ws[(b * 3 + e) * step];
                            if (b == 1 && line == 0) {              /* tap -1 of line 0 */
                                w[e].x += ws[(6 + e) * step].x;
                                w[e].y += ws[(6 + e) * step].y;
                            }
                            if (b == 1 && line == g.h - 1) {        /* tap +1 of the last */
                                w[e].x += ws[e * step].x;
                                w[e].y += ws[e * step].y;
                            }
                        }
                        feed_back(sum, x, w, column, g.w);
                    }
                }
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                if (column + i < g.w)
                    store2(x_bar + ((int64_t)g.row + line * g.w + column + i) * pitch, sum[i].x,
                           sum[i].y);
        }
}

/* Partial sums: [block of grids][which][kind][C], then [block of rest][which][2][C]. */
static __global__ void __launch_bounds__(THREADS_MAX, 1)
    prep_sums(float *partial, const __grid_constant__ sti_prep p,
              const __grid_constant__ prep_lanes lanes, int grid_blocks)
{
    const int                which = blockIdx.z, C = (int)(p.F * p.d);
    const sti_prep_lane     &l = lanes.lane[which];
    const int                c = (int)blockIdx.y * (int)p.d + 2 * threadIdx.x;
    const bf16              *x = (const bf16 *)l.x + source_channel(p, l, c);
    const bf16              *c_bar = (const bf16 *)lanes.bar[which].c_bar + c;
    const int64_t            pitch = l.Hin * p.D;
    float2                   reach[ST_CONV_TAPS] = {}, total = make_float2(0.0f, 0.0f);

    if ((int)blockIdx.x < grid_blocks && l.conv) {
        for (int n = 0; n < GRIDS_A_BLOCK; n++) {
            const int64_t number = (int64_t)blockIdx.x * GRIDS_A_BLOCK + n;
            if (number >= p.G)
                break;
            const st_grid     g = p.grids[number];
            const bf16 *const plane[3] = {x + g.before * pitch, x + g.row * pitch,
                                          x + g.after * pitch};
            for (int column = 0; column < g.w; column += COLUMNS) {
                float2 y[3][COLUMNS] = {};      /* c_bar of the lines above, here, below */
                for (int line = -1; line <= g.h; line++) {
#pragma unroll
                    for (int i = 0; i < COLUMNS; i++) {
                        y[0][i] = y[1][i];
                        y[1][i] = y[2][i];
                        y[2][i] = line + 1 < g.h && column + i < g.w
                                      ? load2(c_bar + ((int64_t)g.row + (line + 1) * g.w +
                                                       column + i) * C)
                                      : make_float2(0.0f, 0.0f);
                        total.x += y[2][i].x;
                        total.y += y[2][i].y;
                    }
#pragma unroll
                    for (int a = 0; a < 3; a++) {
                        float2 from[SPAN];
                        span_load(from, plane[a] + (int64_t)clampi(line, g.h) * g.w * pitch,
                                  pitch, column, g.w);
#pragma unroll
                        for (int b = 0; b < 3; b++)     /* the line that reads us by tap b */
#pragma unroll
                            for (int i = 0; i < COLUMNS; i++)
#pragma unroll
                                for (int e = 0; e < 3; e++)
                                    multiply_add(reach[a * 9 + b * 3 + e], y[2 - b][i],
                                                 from[i + e]);
                    }
                }
            }
        }
        float *to = partial + ((int64_t)blockIdx.x * 3 + which) * SUM_KINDS * C + c;
#pragma unroll
        for (int tap = 0; tap < ST_CONV_TAPS; tap++)
            *(float2 *)(to + (int64_t)tap * C) = reach[tap];
        *(float2 *)(to + (int64_t)ST_CONV_TAPS * C) = total;
        return;
    }

    float2    sum = make_float2(0.0f, 0.0f);
    const int block = (int)blockIdx.x - grid_blocks;
    for (int n = 0; n < (block < 0 ? GRIDS_A_BLOCK : 1); n++) {
        const int64_t number = block < 0 ? (int64_t)blockIdx.x * GRIDS_A_BLOCK + n : 0;
        if (block < 0 && number >= p.G)
            break;
        const int count = block < 0 ? p.grids[number].h * p.grids[number].w
                                    : min(REST_ROWS, (int)p.R - block * REST_ROWS);
        for (int r = 0; r < count; r++) {
            const int64_t row = block < 0 ? p.grids[number].row + r : p.rest[block * REST_ROWS + r];
            const float2  y = load2(c_bar + row * C);
            multiply_add(sum, y, load2(x + row * pitch));
            total.x += y.x;
            total.y += y.y;
        }
    }
    float *to;
    if (block < 0) {    /* a grid that is not mixed: as if by the centre tap of an identity */
        to = partial + ((int64_t)blockIdx.x * 3 + which) * SUM_KINDS * C + c;
        *(float2 *)(to + (int64_t)(ST_CONV_TAPS / 2) * C) = sum;
        *(float2 *)(to + (int64_t)ST_CONV_TAPS * C) = total;
        return;
    }
    to = partial + (int64_t)grid_blocks * 3 * SUM_KINDS * C +
         ((int64_t)block * 3 + which) * REST_KINDS * C + c;
    *(float2 *)to       = sum;
    *(float2 *)(to + C) = total;
}

/* One warp's lanes are the kinds of one channel: 27 taps and the total; lanes 28 and 29 take the
 * rows of the rest. */
static __global__ void prep_parameters(const float *partial, const __grid_constant__ sti_prep p,
                                       const __grid_constant__ prep_lanes lanes, int grid_blocks,
                                       int rest_count)
{
    const int lane = threadIdx.x % 32, which = blockIdx.y, C = (int)(p.F * p.d);
    const int c = (int)(blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (c >= C)
        return;                                         /* c is uniform in a warp */
    const sti_prep_lane     &l = lanes.lane[which];
    const sti_prep_lane_bar &bar = lanes.bar[which];

    const float *rest = partial + (int64_t)grid_blocks * 3 * SUM_KINDS * C;
    const bool   mixed = l.conv || lane == ST_CONV_TAPS / 2 || lane == ST_CONV_TAPS;
    float        sum = 0.0f;
    if (lane < SUM_KINDS && mixed)
        for (int b = 0; b < grid_blocks; b++)
            sum += partial[(((int64_t)b * 3 + which) * SUM_KINDS + lane) * C + c];
    else if (lane >= SUM_KINDS && lane < SUM_KINDS + REST_KINDS)
        for (int b = 0; b < rest_count; b++)
            sum += rest[(((int64_t)b * 3 + which) * REST_KINDS + lane - SUM_KINDS) * C + c];

    const float total = __shfl_sync(0xffffffffu, sum, ST_CONV_TAPS);
    const float rest_reach = __shfl_sync(0xffffffffu, sum, SUM_KINDS);
    const float rest_total = __shfl_sync(0xffffffffu, sum, SUM_KINDS + 1);
    const float scale = l.scale ? __bfloat162float(((const bf16 *)l.scale)[c]) : 1.0f;
    const float offset = l.offset ? __bfloat162float(((const bf16 *)l.offset)[c]) : 0.0f;
    float       tap = lane == ST_CONV_TAPS / 2 ? 1.0f : 0.0f;
    if (l.conv)
        tap = lane < ST_CONV_TAPS
                  ? __bfloat162float(((const bf16 *)l.conv)[(int64_t)c * ST_CONV_TAPS + lane])
                  : 0.0f;
    if (bar.conv && lane < ST_CONV_TAPS)
        bar.conv[(int64_t)c * ST_CONV_TAPS + lane] += scale * sum + offset * total;
    const float by_scale = warp_sum(tap * sum), tap_sum = warp_sum(tap);
    if (bar.scale && lane == 0) {
        bar.scale[c] += by_scale + rest_reach;
        bar.offset[c] += tap_sum * total + rest_total;
    }
}

extern "C" st_status sti_prep_backward_cuda(st_stream *stream, const sti_prep *p,
                                            const sti_prep_lane lane[3],
                                            const sti_prep_lane_bar bar[3])
{
    prep_lanes lanes = {};
    int        copies = 1;
    for (int i = 0; i < 3; i++) {
        lanes.lane[i] = lane[i];
        lanes.bar[i]  = bar[i];
        copies = p->H / lane[i].Hin > copies ? (int)(p->H / lane[i].Hin) : copies;
    }
    if (p->G + p->R == 0)
        return st_ok();
    const int      grid_blocks = (int)((p->G + GRIDS_A_BLOCK - 1) / GRIDS_A_BLOCK);
    const int      rest_count = (int)rest_blocks(p);
    const int64_t  C = p->F * p->d;
    const size_t   bytes = (size_t)(3 * C) * sizeof(float) *
                         ((size_t)grid_blocks * SUM_KINDS + (size_t)rest_count * REST_KINDS);
    const unsigned threads = (unsigned)p->d / 2;
    const int      shared = (int)((size_t)copies * ST_CONV_TAPS * threads * sizeof(float2));
    if (bytes > stream->device->workspace_bytes)
        return ST_FAIL(ST_ERR_LIMIT, "prep: partial sums of %lld grids need %zu bytes, %zu are "
                       "there", (long long)p->G, bytes, stream->device->workspace_bytes);
    ST_TRY(prep_slopes(stream, p, &lanes));

    STI_CUDA(cudaFuncSetAttribute(prep_inputs, cudaFuncAttributeMaxDynamicSharedMemorySize, shared),
             "prep: %d bytes of shared memory for %d copies of a key head", shared, copies);
    const dim3 inputs((unsigned)p->G + rest_blocks(p), (unsigned)p->F, 3);
    prep_inputs<<<inputs, threads, (size_t)shared, sti_cuda(stream)>>>(*p, lanes);
    ST_TRY(sti_launched("prep_inputs"));

    float     *partial = (float *)stream->device->workspace;
    const dim3 sums((unsigned)(grid_blocks + rest_count), (unsigned)p->F, 3);
    prep_sums<<<sums, threads, 0, sti_cuda(stream)>>>(partial, *p, lanes, grid_blocks);
    ST_TRY(sti_launched("prep_sums"));
    const dim3 channels((unsigned)((C + 7) / 8), 3);
    prep_parameters<<<channels, 256, 0, sti_cuda(stream)>>>(partial, *p, lanes, grid_blocks,
                                                            rest_count);
    return sti_launched("prep_parameters");
}
