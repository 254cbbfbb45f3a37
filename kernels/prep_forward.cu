/* prep_forward.cu - the CUDA twin of prep.c's forward pass, and the half of the backward pass that
 * needs the same sums: the gradient by the convolution's answer.
 *
 * On compute capability 9.0 prep_hopper_forward.cu does both, but for rows that nothing mixes.
 *
 * See prep.cuh for how a block walks. Norms need all d channels of a position: a warp has them in
 * its registers when it takes the position from the stage, and adds them up always in the same
 * order.
 */
#include "kernels/hopper.cuh"
#include "kernels/prep_point.cuh"

enum { QUADS = WIDTH / (4 * WARP) };    /* of four channels, that a lane has of a position */

/* Up to COLUMNS positions: neighbours in a grid, or named by a list. */
typedef struct row_span {
    const int32_t *list;                /* NULL: first, first + 1, ... */
    int            first, count;
} row_span;

static __device__ __forceinline__ int row_of(const row_span &rows, int i)
{
    return rows.list ? rows.list[i] : rows.first + i;
}

/* Warps take positions from the stage, squashed already, to the answer of prep; y is row 0 of the
 * block's channels. */
template <bool full>
static __device__ __forceinline__ void finish(const float *stage, const row_span &rows,
                                              const sti_prep &p, const sti_prep_lane &l, bf16 *y)
{
    const int first = 4 * (threadIdx.x % WARP), d = full ? WIDTH : (int)p.d;
    const int turned = l.key && p.cosine ? (int)p.D : 0;
#pragma unroll 1
    for (int i = threadIdx.x / WARP; i < rows.count; i += blockDim.x / WARP) {
        const float *from = stage + i * WIDTH + first;
        const int    row = row_of(rows, i);
        bf16        *to = y + (int64_t)row * d + first;
        float4       s[QUADS];
        float        square = 0.0f;
#pragma unroll
        for (int k = 0; k < QUADS; k++) {
            const int c = k * 4 * WARP;
            s[k] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (first + c < d)
                s[k] = *(const float4 *)(from + c);
            square = dot(square, s[k], s[k]);
        }
        const float scale = l.key ? reciprocal(root(warp_sum(square)) + STI_PREP_NORM_EPS) : 1.0f;
#pragma unroll
        for (int k = 0; k < QUADS; k++) {
            const int c = k * 4 * WARP;
            if (c < turned && first + c < turned)
                s[k] = turn(s[k], *(const float4 *)(from + c + partner_of(first + c, turned)), p,
                            row, first + c, false);
            if (first + c < d)
                store4(to + c, times(scale, s[k]));
        }
    }
}

/* Four channels of y_bar from c on, turned back if they are of the first `turned`. */
static __device__ __forceinline__ float4 slopes_load(const bf16 *y_bar, const sti_prep &p,
                                                     int turned, int row, int c)
{
    const float4 g = load4(y_bar);
    if (c >= turned)
        return g;
    return turn(g, load4(y_bar + partner_of(c, turned)), p, row, c, true);
}

/* Warps take positions from b, in the stage, and the gradient by prep's answer to the gradient by
 * b. y_bar and c_bar are row 0 of the block's channels. What a lane needs again once the norm is
 * known waits in the place of b: 128 registers hold the sums of the mixing too. */
template <bool full>
static __device__ __forceinline__ void unfinish(float *stage, const row_span &rows,
                                                const sti_prep &p, const sti_prep_lane &l,
                                                const bf16 *y_bar, bf16 *c_bar)
{
    const int first = 4 * (threadIdx.x % WARP), d = full ? WIDTH : (int)p.d;
    const int turned = l.key && p.cosine ? (int)p.D : 0;
#pragma unroll 1
    for (int i = threadIdx.x / WARP; i < rows.count; i += blockDim.x / WARP) {
        const int   row = row_of(rows, i);
        const bf16 *from = y_bar + (int64_t)row * d + first;
        float      *own = stage + i * WIDTH + first;
        float4      g[QUADS];
        float       square = 0.0f, along = 0.0f, keep = 1.0f, pull = 0.0f;
#pragma unroll
        for (int k = 0; k < QUADS; k++) {
            const int c = k * 4 * WARP;
            if (first + c >= d)
                continue;
            g[k] = slopes_load(from + c, p, turned, row, first + c);
            float4 s = *(const float4 *)(own + c), slope = make_float4(1.0f, 1.0f, 1.0f, 1.0f);
            if (l.silu)
                s = silu4(s, &slope);
            square = dot(square, s, s);
            along  = dot(along, s, g[k]);
            g[k]   = times(g[k], slope);
            *(float4 *)(own + c) = times(s, slope);
        }
        bf16 *const to = c_bar + (int64_t)row * (int)(p.F * p.d) + first;
        if (l.key)
            pull = pull_of(warp_sum(square), warp_sum(along), &keep);
#pragma unroll
        for (int k = 0; k < QUADS; k++) {
            const int c = k * 4 * WARP;
            if (first + c >= d)
                continue;
            store4(to + c, pulled(keep, g[k], pull, *(const float4 *)(own + c)));
        }
    }
}

/* Taps times scale, ordered by the line fed (the line above reads us by tap +1), and what the
 * offset adds through all of them: the border repeats, so all taps always count. */
static __device__ __forceinline__ float taps_get(float (&w)[ST_CONV_TAPS], const sti_prep_lane &l,
                                                 int c, void *staging)
{
    float t[ST_CONV_TAPS], scale, offset, sum = 0.0f;
    affine_get(l, c, &scale, &offset);
    taps_load(t, (const bf16 *)l.conv + (int64_t)(c - (int)threadIdx.x) * ST_CONV_TAPS, staging);
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
        sum += t[tap];
        w[tap / 9 * 9 + (2 - tap / 3 % 3) * 3 + tap % 3] = t[tap] * scale;
    }
    return offset * sum;
}

/* Where a block reads and writes. */
typedef struct block_rows {
    const bf16 *y_bar;      /* backward: row 0 of the block's channels */
    bf16       *c_bar;
    bf16       *y;          /* forward: likewise                       */
} block_rows;

template <bool backward, bool full>
static __device__ __forceinline__ void rows_finish(float *stage, const row_span &rows,
                                                   const sti_prep &p, const sti_prep_lane &l,
                                                   const block_rows &at)
{
    if (backward)
        unfinish<full>(stage, rows, p, l, at.y_bar, at.c_bar);
    else
        finish<full>(stage, rows, p, l, at.y);
}

/* Leave a channel of COLUMNS positions in the stage. */
template <bool backward>
static __device__ __forceinline__ void stage_fill(float *stage, const columns &b, bool squash)
{
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        stage[i * WIDTH + threadIdx.x] = !backward && squash ? b[i] * sigmoid(b[i]) : b[i];
}

/* One grid. Iteration `line` mixes the line in shared memory, which completes line-1 of the answer,
 * and finishes line-2, last: with the sums of the mixing dead, 128 registers are enough. */
template <bool backward, bool full>
static __device__ __forceinline__ void grid_rows(const st_grid g, const bf16 *x, int pitch,
                                                 const sti_prep &p, const sti_prep_lane &l, int c,
                                                 const block_rows &out, bf16 *lines, float *stage)
{
    const int     width = source_width(p, l);
    const int32_t plane[3] = {g.before, g.row, g.after};
    line_load<3, false>(lines, x, plane, pitch, 0, 0, g.w, width);
    const bf16 *mine = lines + source_channel(p, l, threadIdx.x);
    float       w[ST_CONV_TAPS];
    const float bias = taps_get(w, l, c, stage);
    for (int column = 0; column < g.w; column += COLUMNS) {
        strip s = {};
        for (int line = 0; line <= g.h + 1; line++) {
            pieces_wait();
            if (line + 1 < g.h)
                line_load<3, false>(lines + (line + 1) % 2 * 3 * LINE, x, plane, pitch,
                                    line + 1, column, g.w, width);
            else if (line > g.h && column + COLUMNS < g.w)
                line_load<3, false>(lines, x, plane, pitch, 0, column + COLUMNS, g.w, width);
            const bf16 *at = mine + min(line, g.h - 1) % 2 * 3 * LINE;
            columns     done;
            if (line == 0) {            /* the line above the first is the first */
#pragma unroll
                for (int i = 0; i < COLUMNS; i++)
                    s.here[i] = bias;
                line_feed(s.here, s.here, w + 6, at);
            }
            if (line < g.h) {           /* line 0 leaves what nobody reads */
                strip_feed(done, s, bias, w, at);
                stage_fill<backward>(stage + line % 2 * STAGE, done, l.silu);
            } else if (line == g.h) {   /* and below the last is the last */
                line_feed(done, s.above, w, at);
                stage_fill<backward>(stage + line % 2 * STAGE, done, l.silu);
            }
            if (line >= 2) {
                const row_span rows = {NULL, g.row + (line - 2) * g.w + column,
                                       min(COLUMNS, g.w - column)};
                rows_finish<backward, full>(stage + (line - 1) % 2 * STAGE, rows, p, l, out);
            }
        }
    }
}

/* Rows of a block, by lane and fast-weight head. */
static __device__ __forceinline__ block_rows block_rows_of(const sti_prep &p,
                                                           const prep_lanes &lanes, int which,
                                                           int f, bool backward)
{
    block_rows at = {};
    if (backward) {
        at.y_bar = (const bf16 *)lanes.bar[which].y_bar + f * p.T * p.d;
        at.c_bar = (bf16 *)lanes.bar[which].c_bar + f * p.d;
    } else {
        at.y = (bf16 *)lanes.y[which] + (f * p.L - p.first) * p.d;
    }
    return at;
}

template <bool backward, bool full>
static __global__ void __launch_bounds__(WIDTH, 1)
    prep_rows(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int            f = blockIdx.x, which = blockIdx.y, d = (int)p.d;
    const sti_prep_lane &l = lanes.lane[which];
    bf16                *lines = (bf16 *)shared;                        /* [2][3][SPAN][WIDTH] */
    float               *stage = (float *)(lines + 2 * 3 * LINE);       /* [2][COLUMNS][WIDTH] */
    const int            c = f * d + threadIdx.x;       /* this thread's channel */
    grid_rows<backward, full>(p.grids[blockIdx.z], (const bf16 *)l.x + source_channel(p, l, f * d),
                              (int)(l.Hin * p.D), p, l, c,
                              block_rows_of(p, lanes, which, f, backward), lines, stage);
}

/* --- rows that are not mixed ----------------------------------------------------------------- */

enum {
    UNMIXED_WARPS  = 8,
    UNMIXED_BLOCKS = 4      /* that a processor has at once */
};

/* Leave a row of b in the stage, squashed already in the forward pass. x is the block's first
 * channel of the row. */
template <bool backward>
static __device__ __forceinline__ void row_fill(float *stage, const bf16 *x, const sti_prep &p,
                                                const sti_prep_lane &l, int first)
{
    for (int c = 4 * (threadIdx.x % WARP); c < p.d; c += 4 * WARP) {
        float4 b = load4(x + source_channel(p, l, c));
        if (l.scale) {
            const float4 scale = load4((const bf16 *)l.scale + first + c);
            const float4 offset = load4((const bf16 *)l.offset + first + c);
            b = make_float4(fmaf(scale.x, b.x, offset.x), fmaf(scale.y, b.y, offset.y),
                            fmaf(scale.z, b.z, offset.z), fmaf(scale.w, b.w, offset.w));
        }
        float4 slope;
        *(float4 *)(stage + c) = !backward && l.silu ? silu4(b, &slope) : b;
    }
}

/* A warp a row, a block UNMIXED_WARPS rows of a head at a time: of a grid, which the first `grids`
 * parts are, or of the rest. */
template <bool backward, bool full>
static __global__ void __launch_bounds__(UNMIXED_WARPS *WARP, UNMIXED_BLOCKS)
    prep_unmixed(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes,
                 int grids, int parts)
{
    __shared__ __align__(16) float stage[UNMIXED_WARPS][WIDTH];
    __shared__ int32_t             list[UNMIXED_WARPS];
    const int                      warp = threadIdx.x / WARP, F = (int)p.F;
    for (int n = (int)blockIdx.x; n < 3 * F * parts; n += (int)gridDim.x) {
        const int            head = n / parts, part = n % parts, which = head / F, f = head % F;
        const sti_prep_lane &l = lanes.lane[which];
        const int            first = f * (int)p.d, rest = part - grids;
        const bf16          *x = (const bf16 *)l.x + source_channel(p, l, first);
        const st_grid        g = rest < 0 ? p.grids[part] : st_grid{};
        const int            from = rest < 0 ? 0 : rest * UNMIXED_WARPS;
        const int            to = rest < 0 ? g.h * g.w : min(from + UNMIXED_WARPS, (int)p.R);
        const block_rows     at = block_rows_of(p, lanes, which, f, backward);
        for (int start = from; start < to; start += UNMIXED_WARPS) {
            const row_span rows = {list, 0, min(UNMIXED_WARPS, to - start)};
            if (warp < rows.count) {
                const int row = rest < 0 ? g.row + start + warp : p.rest[start + warp];
                if (threadIdx.x % WARP == 0)
                    list[warp] = row;
                row_fill<backward>(stage[warp], x + row * l.Hin * p.D, p, l, first);
            }
            __syncwarp();
            rows_finish<backward, full>(stage[0], rows, p, l, at);
            __syncwarp();
        }
    }
#ifdef STI_HOPPER
    before_has_ended();                 /* prep_slices, beside which this may have run */
#endif
}

/* --- launches -------------------------------------------------------------------------------- */

st_status prep_check(const sti_prep *p, const sti_prep_lane lane[3])
{
    if (p->d % 64 || p->d > WIDTH || p->D % 8)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "prep on the device: fast-weight heads of 64, 128, ... "
                       "or %d channels, are %lld", WIDTH, (long long)p->d);
    for (int i = 0; i < 3; i++)
        if (p->d / p->D % (p->H / lane[i].Hin))
            return ST_FAIL(ST_ERR_UNSUPPORTED, "prep on the device: the %lld copies of a key head "
                           "do not fit one fast-weight head", (long long)(p->H / lane[i].Hin));
    return st_ok();
}

/* On the `idle` processors that the kernel before has none for, beside it; or behind it. */
template <bool backward, bool full>
static st_status launch_unmixed(st_stream *stream, const sti_prep *p, const prep_lanes *lanes,
                                int idle)
{
    const int64_t grids = lanes->lane[0].conv ? 0 : p->G;
    const int64_t parts = grids + (p->R + UNMIXED_WARPS - 1) / UNMIXED_WARPS;
    const int64_t all = 3 * p->F * parts, beside = (int64_t)idle * UNMIXED_BLOCKS;
    if (parts == 0)
        return st_ok();
    cudaLaunchAttribute how = {};
    how.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    how.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim  = dim3((unsigned)(idle > 0 && beside < all ? beside : all));
    config.blockDim = dim3(UNMIXED_WARPS * WARP);
    config.stream   = sti_cuda(stream);
    config.attrs    = &how;
    config.numAttrs = idle > 0 ? 1 : 0;
    STI_CUDA(cudaLaunchKernelEx(&config, prep_unmixed<backward, full>, *p, *lanes, (int)grids,
                                (int)parts), "prep_unmixed");
    return sti_launched("prep_unmixed");
}

template <bool backward, bool full>
static st_status launch_mixed(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    if (!lanes->lane[0].conv || p->G == 0)
        return st_ok();
    const size_t bytes = 2 * 3 * LINE * sizeof(bf16) + 2 * STAGE * sizeof(float);
    STI_CUDA(cudaFuncSetAttribute(prep_rows<backward, full>,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes),
             "prep_rows: %zu bytes of shared memory", bytes);
    prep_rows<backward, full><<<dim3((unsigned)p->F, 3, (unsigned)p->G), (unsigned)p->d, bytes,
                                sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_rows");
}

/* The widest heads, which the models have, do without asking whether a channel is there. */
template <bool backward>
static st_status launch(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const bool full = p->d == WIDTH, hopper = prep_hopper(stream, p, lanes);
    int        idle = 0;
    if (hopper)
        ST_TRY(prep_hopper_forward(stream, p, lanes, backward, &idle));
    else
        ST_TRY((full ? launch_mixed<backward, true> : launch_mixed<backward, false>)(stream, p,
                                                                                  lanes));
    ST_TRY((full ? launch_unmixed<backward, true> : launch_unmixed<backward, false>)(
        stream, p, lanes, idle));
    return hopper && backward ? prep_hopper_slopes(stream, p, lanes) : st_ok();
}

extern "C" st_status sti_prep_forward_cuda(st_stream *stream, void *const y[3], const sti_prep *p,
                                           const sti_prep_lane lane[3])
{
    ST_TRY(prep_check(p, lane));
    if (p->G + p->R == 0)
        return st_ok();
    prep_lanes lanes = {};
    for (int i = 0; i < 3; i++) {
        lanes.lane[i] = lane[i];
        lanes.y[i]    = y[i];
    }
    return launch<false>(stream, p, &lanes);
}

st_status prep_slopes(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    return launch<true>(stream, p, lanes);
}
