/* prep_forward.cu - the CUDA twin of prep.c's forward pass, and the half of the backward pass that
 * needs the same sums: the gradient by the convolution's answer.
 *
 * See prep.cuh for how a block walks. Norms need all d channels of a position: a warp has them in
 * its registers when it takes the position from the stage, and adds them up always in the same
 * order.
 */
#include "kernels/prep.cuh"

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

static __device__ __forceinline__ float reciprocal(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ float root(float x)
{
    float y;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Two special-function steps, each good to 2^-22: the answer is rounded to bf16 anyway. */
static __device__ __forceinline__ float sigmoid(float x)
{
    float e;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(x * -1.4426950408889634f));
    return reciprocal(1.0f + e);
}

/* And its slope: sigma (1 + b (1 - sigma)) = sigma + s (1 - sigma). */
static __device__ __forceinline__ float silu(float b, float *slope)
{
    const float sigma = sigmoid(b), s = b * sigma;
    *slope = fmaf(s, 1.0f - sigma, sigma);
    return s;
}

static __device__ __forceinline__ float4 silu4(float4 b, float4 *slope)
{
    return make_float4(silu(b.x, &slope->x), silu(b.y, &slope->y), silu(b.z, &slope->z),
                       silu(b.w, &slope->w));
}

static __device__ __forceinline__ float4 times(float4 a, float4 b)
{
    return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}

static __device__ __forceinline__ float4 times(float a, float4 b)
{
    return make_float4(a * b.x, a * b.y, a * b.z, a * b.w);
}

/* sum + a . b */
static __device__ __forceinline__ float dot(float sum, float4 a, float4 b)
{
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

/* Channels c .. c+3 of the first D turned, or turned back; `partner` are those half a head away. */
static __device__ __forceinline__ float4 turn(float4 x, float4 partner, const sti_prep &p, int row,
                                              int c, bool back)
{
    const int     J = (int)p.D / 2;
    const bool    low = c < J;
    const int64_t at = (int64_t)row * J + (low ? c : c - J);
    const float4  co = *(const float4 *)(p.cosine + at), si = *(const float4 *)(p.sine + at);
    const float   side = low == back ? 1.0f : -1.0f;
    return make_float4(x.x * co.x + side * (partner.x * si.x),
                       x.y * co.y + side * (partner.y * si.y),
                       x.z * co.z + side * (partner.z * si.z),
                       x.w * co.w + side * (partner.w * si.w));
}

/* From a channel of the first D to the one half a head away. */
static __device__ __forceinline__ int partner_of(int c, int D)
{
    return c < D / 2 ? D / 2 : -(D / 2);
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
        if (l.key) {
            const float n = root(warp_sum(square));
            along = warp_sum(along);
            keep  = reciprocal(n + STI_PREP_NORM_EPS);
            pull  = n > 0.0f ? along * keep * keep * reciprocal(n) : 0.0f;
        }
#pragma unroll
        for (int k = 0; k < QUADS; k++) {
            const int c = k * 4 * WARP;
            if (first + c >= d)
                continue;
            const float4 s = *(const float4 *)(own + c);
            store4(to + c, make_float4(keep * g[k].x - pull * s.x, keep * g[k].y - pull * s.y,
                                       keep * g[k].z - pull * s.z, keep * g[k].w - pull * s.w));
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

/* Rows that are not mixed: of a grid, or of the rest. They are listed in either case. */
template <bool backward, bool full>
static __device__ __forceinline__ void plain_rows(const bf16 *x, int pitch, const sti_prep &p,
                                                  const sti_prep_lane &l, int c,
                                                  const block_rows &out, int32_t *list,
                                                  float *stage)
{
    const bool in_grid = blockIdx.z < p.G;
    const int  from = in_grid ? 0 : (int)(blockIdx.z - p.G) * REST_ROWS;
    const int  count = in_grid ? p.grids[blockIdx.z].h * p.grids[blockIdx.z].w
                               : min(REST_ROWS, (int)p.R - from);
    float      scale, offset;
    affine_get(l, c, &scale, &offset);
    x += source_channel(p, l, threadIdx.x);
    for (int start = 0; start < count; start += COLUMNS) {
        const row_span rows = {list, 0, min(COLUMNS, count - start)};
        __syncthreads();                /* the last rows are finished */
        if (threadIdx.x < COLUMNS) {    /* spare positions repeat the last, unstored */
            const int n = start + min((int)threadIdx.x, rows.count - 1);
            list[threadIdx.x] = in_grid ? p.grids[blockIdx.z].row + n : p.rest[from + n];
        }
        __syncthreads();
        columns b;
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            b[i] = fmaf(scale, load1(x + (int64_t)list[i] * pitch), offset);
        stage_fill<backward>(stage, b, l.silu);
        __syncthreads();
        rows_finish<backward, full>(stage, rows, p, l, out);
    }
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
    const int            pitch = (int)(l.Hin * p.D);
    const bf16          *x = (const bf16 *)l.x + source_channel(p, l, f * d);
    block_rows           out = {};
    if (backward) {
        out.y_bar = (const bf16 *)lanes.bar[which].y_bar + f * p.T * p.d;
        out.c_bar = (bf16 *)lanes.bar[which].c_bar + f * d;
    } else {
        out.y = (bf16 *)lanes.y[which] + (f * p.L - p.first) * p.d;
    }
    if (blockIdx.z < p.G && l.conv)
        grid_rows<backward, full>(p.grids[blockIdx.z], x, pitch, p, l, c, out, lines, stage);
    else
        plain_rows<backward, full>(x, pitch, p, l, c, out, (int32_t *)shared, stage);
}

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

template <bool backward, bool full>
static st_status launch_as(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const size_t bytes = 2 * 3 * LINE * sizeof(bf16) + 2 * STAGE * sizeof(float);
    const dim3   grid((unsigned)p->F, 3, (unsigned)(p->G + (p->R + REST_ROWS - 1) / REST_ROWS));
    STI_CUDA(cudaFuncSetAttribute(prep_rows<backward, full>,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes),
             "prep_rows: %zu bytes of shared memory", bytes);
    prep_rows<backward, full><<<grid, (unsigned)p->d, bytes, sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_rows");
}

/* The widest heads, which the models have, do without asking whether a channel is there. */
template <bool backward>
static st_status launch(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    return p->d == WIDTH ? launch_as<backward, true>(stream, p, lanes)
                         : launch_as<backward, false>(stream, p, lanes);
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
