/* prep_forward.cu - the CUDA twin of prep.c's forward pass, and the half of the backward pass that
 * needs the same sums: the gradient by the convolution's answer.
 *
 * See prep.cuh for how a block walks. Norms need all d channels of a position, which are the
 * channels of the block: threads leave their squares in shared memory, a warp adds up a position,
 * always in the same order. Channels to be turned wait there for their norms.
 */
#include "kernels/prep.cuh"

/* Behind the two lines in shared memory. */
typedef struct finish_memory {
    float part[2][COLUMNS][THREADS_MAX];
    float total[2][COLUMNS + 1];
    float turned[COLUMNS][128];         /* the first D channels of each position, D <= 128 */
} finish_memory;

/* Up to COLUMNS positions: neighbours in a grid, or named by a list. */
typedef struct row_span {
    const int32_t *list;                /* NULL: first, first + 1, ... */
    int            first, count;
} row_span;

template <bool listed>
static __device__ __forceinline__ int row_of(const row_span &rows, int i)
{
    i = min(i, rows.count - 1);         /* spare positions repeat the last, unstored */
    if (!listed)
        return rows.first + i;
    return rows.list[i];
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

static __device__ __forceinline__ float2 silu(float2 x)
{
    return make_float2(x.x * sigmoid(x.x), x.y * sigmoid(x.y));
}

/* Sums of each x over the block into m.total. */
template <int kinds>
static __device__ __forceinline__ void block_sums(const float (&x)[kinds][COLUMNS],
                                                  finish_memory &m)
{
#pragma unroll
    for (int k = 0; k < kinds; k++)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            m.part[k][i][threadIdx.x] = x[k][i];
    __syncthreads();
    const int lane = threadIdx.x % 32;
    for (int n = threadIdx.x / 32; n < kinds * COLUMNS; n += blockDim.x / 32) {
        const float *part = m.part[n / COLUMNS][n % COLUMNS];
        float        sum = 0.0f;
#pragma unroll
        for (int t = 0; t < THREADS_MAX; t += 32)
            if (t < blockDim.x)
                sum += part[t + lane];
        sum = warp_sum(sum);
        if (lane == 0)
            m.total[n / COLUMNS][n % COLUMNS] = sum;
    }
    __syncthreads();
}

/* The first D channels of each position, in shared memory and still to be divided by their norms,
 * turned and stored. All threads share the pairs of all positions. */
template <bool listed>
static __device__ __forceinline__ void turn_store(bf16 *y, const row_span &rows, const sti_prep &p,
                                                  const finish_memory &m)
{
    const int J = (int)p.D / 2, steps = J / 2, d = (int)p.d;
    for (int n = threadIdx.x; n < rows.count * steps; n += blockDim.x) {
        const int     i = n / steps, j = n % steps * 2;
        const int64_t row = row_of<listed>(rows, i);
        const float2  co = *(const float2 *)(p.cosine + row * J + j);
        const float2  si = *(const float2 *)(p.sine + row * J + j);
        const float2  a = *(const float2 *)&m.turned[i][j];
        const float2  b = *(const float2 *)&m.turned[i][j + J];
        const float   scale = reciprocal(root(m.total[0][i]) + STI_PREP_NORM_EPS);
        store2(y + row * d + j, make_float2(scale * (a.x * co.x - b.x * si.x),
                                            scale * (a.y * co.y - b.y * si.y)));
        store2(y + row * d + j + J, make_float2(scale * (b.x * co.x + a.x * si.x),
                                                scale * (b.y * co.y + a.y * si.y)));
    }
}

/* From the convolution's answer b to the answer of prep; y is row 0 of the block's channels. */
template <bool listed>
static __device__ __forceinline__ void finish(columns &b, const row_span &rows, const sti_prep &p,
                                              const sti_prep_lane &l, bf16 *y, finish_memory &m)
{
    const int  c = 2 * threadIdx.x, d = (int)p.d;
    const bool turned = l.key && p.cosine && c < p.D;
    if (l.silu)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            b[i] = silu(b[i]);
    if (l.key) {
        float square[1][COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            square[0][i] = b[i].x * b[i].x + b[i].y * b[i].y;
            if (turned)
                *(float2 *)&m.turned[i][c] = b[i];
        }
        block_sums<1>(square, m);
        if (p.cosine)
            turn_store<listed>(y, rows, p, m);
    }
    if (turned)
        return;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const float scale = l.key ? reciprocal(root(m.total[0][i]) + STI_PREP_NORM_EPS) : 1.0f;
        if (i < rows.count)
            store2(y + (int64_t)row_of<listed>(rows, i) * d + c,
                   make_float2(b[i].x * scale, b[i].y * scale));
    }
}

/* y_bar of this thread's channels, turned back where prep turned them. */
template <bool listed>
static __device__ __forceinline__ void slopes_load(columns &g, const bf16 *y_bar,
                                                   const row_span &rows, const sti_prep &p,
                                                   bool turned)
{
    const int c = 2 * threadIdx.x, J = (int)p.D / 2, d = (int)p.d;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        g[i] = load2(y_bar + (int64_t)row_of<listed>(rows, i) * d + c);
    if (!turned || c >= p.D)
        return;
    const int   other = c < J ? c + J : c - J, j = c % J;
    const float side = c < J ? 1.0f : -1.0f;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const int64_t row = row_of<listed>(rows, i);
        const float2  pair = load2(y_bar + row * d + other);
        const float2  co = *(const float2 *)(p.cosine + row * J + j);
        const float2  si = *(const float2 *)(p.sine + row * J + j);
        g[i].x = g[i].x * co.x + side * si.x * pair.x;
        g[i].y = g[i].y * co.y + side * si.y * pair.y;
    }
}

/* From b and the gradient by prep's answer to the gradient by b. */
template <bool listed>
static __device__ __forceinline__ void unfinish(columns &b, const row_span &rows,
                                                const sti_prep &p, const sti_prep_lane &l,
                                                const bf16 *y_bar, bf16 *c_bar, finish_memory &m)
{
    const int C = (int)(p.F * p.d);
    columns   g;
    slopes_load<listed>(g, y_bar, rows, p, l.key && p.cosine);
    if (l.key) {
        float sum[2][COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float2 s = l.silu ? silu(b[i]) : b[i];
            sum[0][i] = s.x * s.x + s.y * s.y;
            sum[1][i] = s.x * g[i].x + s.y * g[i].y;
        }
        block_sums<2>(sum, m);
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const float2 sigma = make_float2(sigmoid(b[i].x), sigmoid(b[i].y));
        if (l.key) {
            const float  n = root(m.total[0][i]), keep = reciprocal(n + STI_PREP_NORM_EPS);
            const float  pull = n > 0.0f ? m.total[1][i] * keep * keep * reciprocal(n) : 0.0f;
            const float2 s = l.silu ? make_float2(b[i].x * sigma.x, b[i].y * sigma.y) : b[i];
            g[i].x = g[i].x * keep - s.x * pull;
            g[i].y = g[i].y * keep - s.y * pull;
        }
        if (l.silu) {
            g[i].x *= sigma.x * (1.0f + b[i].x * (1.0f - sigma.x));
            g[i].y *= sigma.y * (1.0f + b[i].y * (1.0f - sigma.y));
        }
        if (i < rows.count)
            store2(c_bar + (int64_t)row_of<listed>(rows, i) * C, g[i]);
    }
}

/* Taps times scale, ordered by the line fed (the line above reads us by tap +1), and what the
 * offset adds through all of them: the border repeats, so all taps always count. */
static __device__ __forceinline__ float2 taps_get(float2 (&w)[ST_CONV_TAPS],
                                                  const sti_prep_lane &l, int c,
                                                  uint32_t *staging)
{
    float2 t[ST_CONV_TAPS], scale, offset, bias = make_float2(0.0f, 0.0f);
    taps_load(t, (const bf16 *)l.conv + (int64_t)(c - 2 * threadIdx.x) * ST_CONV_TAPS, staging);
    affine_get(l, c, &scale, &offset);
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
        const int at = tap / 9 * 9 + (2 - tap / 3 % 3) * 3 + tap % 3;
        multiply_add(bias, offset, t[tap]);
        w[at] = make_float2(t[tap].x * scale.x, t[tap].y * scale.y);
    }
    return bias;
}

template <bool backward>
static __global__ void __launch_bounds__(THREADS_MAX, 1)
    prep_rows(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    extern __shared__ __align__(16) unsigned char shared[];
    const int            f = blockIdx.y, which = blockIdx.z, d = (int)p.d;
    const sti_prep_lane &l = lanes.lane[which];
    bf16                *lines = (bf16 *)shared;        /* [2][3][SPAN][WIDTH] */
    finish_memory       &m = *(finish_memory *)(shared + 2 * 3 * LINE * sizeof(bf16));
    const int            c = f * d + 2 * threadIdx.x;   /* this thread's channels */
    const int64_t        pitch = l.Hin * p.D;
    bf16       *y = NULL, *c_bar = NULL;
    const bf16 *y_bar = NULL;
    if (backward) {
        y_bar = (const bf16 *)lanes.bar[which].y_bar + f * p.T * p.d;
        c_bar = (bf16 *)lanes.bar[which].c_bar + c;
    } else {
        y = (bf16 *)lanes.y[which] + (f * p.L - p.first) * p.d;
    }

    if (blockIdx.x < p.G && l.conv) {
        const st_grid g = p.grids[blockIdx.x];
        float2        w[ST_CONV_TAPS];
        const float2  bias = taps_get(w, l, c, (uint32_t *)shared);
        const bf16   *x = (const bf16 *)l.x +
                        source_channel(p, l, f * d + threadIdx.x % (d / 8) * 8);
        const bf16 *const plane[3] = {x + g.before * pitch, x + g.row * pitch, x + g.after * pitch};
        for (int column = 0; column < g.w; column += COLUMNS) {
            strip s = {};
            columns done;
            __syncthreads();            /* the last strip's lines are read */
            line_load<3, false>(lines, plane, pitch, 0, column, g.w, d);
            for (int line = 0; line <= g.h; line++) {
                const bf16 *at = lines + min(line, g.h - 1) % 2 * 3 * LINE;
                pieces_wait();
                if (line + 1 < g.h)
                    line_load<3, false>(lines + (line + 1) % 2 * 3 * LINE, plane, pitch,
                                        line + 1, column, g.w, d);
                if (line == 0) {        /* the line above the first is the first */
#pragma unroll
                    for (int i = 0; i < COLUMNS; i++)
                        s.here[i] = bias;
                    line_feed(s.here, s.here, w + 6, at);
                }
                if (line < g.h)
                    strip_feed(done, s, bias, w, at);
                else                    /* and below the last is the last */
                    line_feed(done, s.above, w, at);
                if (line == 0)
                    continue;
                const row_span rows = {NULL, g.row + (line - 1) * g.w + column,
                                       min(COLUMNS, g.w - column)};
                if (backward)
                    unfinish<false>(done, rows, p, l, y_bar, c_bar, m);
                else
                    finish<false>(done, rows, p, l, y, m);
            }
        }
        return;
    }

    const bool in_grid = blockIdx.x < p.G;
    const int  from = in_grid ? 0 : (int)(blockIdx.x - p.G) * REST_ROWS;
    const int  count = in_grid ? p.grids[blockIdx.x].h * p.grids[blockIdx.x].w
                               : min(REST_ROWS, (int)p.R - from);
    const bf16 *x = (const bf16 *)l.x + source_channel(p, l, c);
    float2      scale, offset;
    affine_get(l, c, &scale, &offset);
    for (int start = 0; start < count; start += COLUMNS) {
        int32_t *list = (int32_t *)shared;      /* rows of a grid are listed too: rarely taken */
        __syncthreads();
        if (threadIdx.x < min(COLUMNS, count - start))
            list[threadIdx.x] = in_grid ? p.grids[blockIdx.x].row + start + (int)threadIdx.x
                                        : p.rest[from + start + threadIdx.x];
        __syncthreads();
        const row_span rows = {list, 0, min(COLUMNS, count - start)};
        columns        b;
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            b[i] = offset;
            multiply_add(b[i], scale, load2(x + row_of<true>(rows, i) * pitch));
        }
        if (backward)
            unfinish<true>(b, rows, p, l, y_bar, c_bar, m);
        else
            finish<true>(b, rows, p, l, y, m);
    }
}

st_status prep_check(const sti_prep *p, const sti_prep_lane lane[3])
{
    if (p->d % 64 || p->d > 2 * THREADS_MAX || p->D % 8)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "prep on the device: fast-weight heads of 64, 128, ... "
                       "or %d channels, are %lld", 2 * THREADS_MAX, (long long)p->d);
    for (int i = 0; i < 3; i++)
        if (p->d / p->D % (p->H / lane[i].Hin))
            return ST_FAIL(ST_ERR_UNSUPPORTED, "prep on the device: the %lld copies of a key head "
                           "do not fit one fast-weight head", (long long)(p->H / lane[i].Hin));
    return st_ok();
}

template <bool backward>
static st_status launch(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    const size_t bytes = 2 * 3 * LINE * sizeof(bf16) + sizeof(finish_memory);
    const dim3   grid((unsigned)(p->G + (p->R + REST_ROWS - 1) / REST_ROWS), (unsigned)p->F, 3);
    STI_CUDA(cudaFuncSetAttribute(prep_rows<backward>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)bytes), "prep_rows: %zu bytes of shared memory", bytes);
    prep_rows<backward><<<grid, (unsigned)p->d / 2, bytes, sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_rows");
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
