/* prep_hopper_slopes.cu - from the taps' sums, b, and the gradient by prep's answer to that by b:
 * what follows prep_hopper_forward.cu in the backward pass.
 *
 * One pass over rows of grids, bound by memory: a warp has a head of a row in registers, and the
 * next one on its way.
 */
#include "kernels/prep_point.cuh"

enum {
    ROW_WARPS  = 8,                         /* of a block                                       */
    ROW_BLOCKS = 3,                         /* of a processor: 80 registers a thread            */
    ROW_FOURS  = WIDTH / (4 * WARP),        /* of channels, that a lane has                     */
    GRID_PARTS = 4                          /* blocks of a grid and head, to fill a card evenly */
};

/* A row as it lies. */
typedef struct row_read {
    uint2 b[ROW_FOURS], y_bar[ROW_FOURS];
} row_read;

/* b and y_bar are this lane's first channels of the row. */
static __device__ __forceinline__ row_read row_load(const bf16 *b, const bf16 *y_bar, int d)
{
    row_read r = {};
#pragma unroll
    for (int k = 0; k < ROW_FOURS; k++)
        if (k * 4 * WARP < d) {
            r.b[k]     = *(const uint2 *)(b + k * 4 * WARP);
            r.y_bar[k] = *(const uint2 *)(y_bar + k * 4 * WARP);
        }
    return r;
}

/* From there to c_bar, which lies in place of b. Of a head's channels at most the first 128 turn,
 * so a lane's partner has its first four, too. */
static __device__ __forceinline__ void row_unfinish(const row_read &r, const sti_prep &p,
                                                    const sti_prep_lane &l, int row, bf16 *c_bar)
{
    const int d = (int)p.d, D = (int)p.D, c = 4 * (threadIdx.x % WARP);
    float4    s[ROW_FOURS], g[ROW_FOURS], partner, slope = make_float4(1.0f, 1.0f, 1.0f, 1.0f);
    float     square = 0.0f, along = 0.0f, keep = 1.0f, pull = 0.0f;
    const uint2 other = make_uint2(__shfl_xor_sync(0xffffffffu, r.y_bar[0].x, D / 8),
                                   __shfl_xor_sync(0xffffffffu, r.y_bar[0].y, D / 8));
    partner = four_of(other);
#pragma unroll
    for (int k = 0; k < ROW_FOURS; k++) {
        s[k] = four_of(r.b[k]);
        g[k] = four_of(r.y_bar[k]);
        if (k == 0 && l.key && p.cosine && c < D)
            g[0] = turn(g[0], partner, p, row, c, true);
        if (l.silu)
            s[k] = silu4(s[k], &slope);
        square = dot(square, s[k], s[k]);
        along  = dot(along, s[k], g[k]);
        g[k]   = times(g[k], slope);
        s[k]   = times(s[k], slope);
    }
    if (l.key)
        pull = pull_of(warp_sum(square), warp_sum(along), &keep);
#pragma unroll
    for (int k = 0; k < ROW_FOURS; k++)
        if (k * 4 * WARP < d)
            store4(c_bar + k * 4 * WARP, pulled(keep, g[k], pull, s[k]));
}

/* A block a part of a grid of a head. */
static __global__ void __launch_bounds__(ROW_WARPS *WARP, ROW_BLOCKS)
    prep_row_slopes(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    const int            part = blockIdx.x % GRID_PARTS, f = blockIdx.y, which = blockIdx.z;
    const sti_prep_lane &l = lanes.lane[which];
    const st_grid        g = p.grids[blockIdx.x / GRID_PARTS];
    const int            d = (int)p.d, C = (int)(p.F * p.d), c = 4 * (threadIdx.x % WARP);
    const int            from = g.row + g.h * g.w * part / GRID_PARTS + threadIdx.x / WARP;
    const int            to = g.row + g.h * g.w * (part + 1) / GRID_PARTS;
    const bf16 *y_bar = (const bf16 *)lanes.bar[which].y_bar + f * p.T * d + c;
    bf16       *c_bar = (bf16 *)lanes.bar[which].c_bar + f * d + c;
    if (from >= to)
        return;
    row_read r = row_load(c_bar + (int64_t)from * C, y_bar + (int64_t)from * d, d);
#pragma unroll 1
    for (int row = from; row < to; row += ROW_WARPS) {
        const int64_t  next = row + ROW_WARPS < to ? row + ROW_WARPS : row;
        const row_read ahead = row_load(c_bar + next * C, y_bar + next * d, d);
        row_unfinish(r, p, l, row, c_bar + (int64_t)row * C);
        r = ahead;
    }
}

st_status prep_hopper_slopes(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    prep_row_slopes<<<dim3((unsigned)(p->G * GRID_PARTS), (unsigned)p->F, 3), ROW_WARPS * WARP, 0,
                      sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_row_slopes");
}
