/* prep_forward.cu - the CUDA twin of prep.c's forward pass, and the half of the backward pass that
 * needs the same sums: the gradient by the convolution's answer.
 *
 * See prep.cuh for how a block walks. Norms need all d channels of a position, which are all
 * channels of the block: warps leave their sums in shared memory, and everyone adds them up in the
 * same order. The turn pairs channels of different threads through shared memory too.
 */
#include "kernels/prep.cuh"

typedef struct finish_memory {
    float sums[2][COLUMNS][WARPS_MAX];
    float turned[COLUMNS][256];         /* the first D channels of up to five positions */
} finish_memory;

/* Sum of each x over the block, in one fixed order; every thread gets all of them. */
template <int kinds>
static __device__ __forceinline__ void block_sums(float (&x)[kinds][COLUMNS], finish_memory &m)
{
    const int warps = blockDim.x / 32;
#pragma unroll
    for (int k = 0; k < kinds; k++)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float sum = warp_sum(x[k][i]);
            if (threadIdx.x % 32 == 0)
                m.sums[k][i][threadIdx.x / 32] = sum;
        }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kinds; k++)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            float sum = 0.0f;
            for (int w = 0; w < warps; w++)
                sum += m.sums[k][i][w];
            x[k][i] = sum;
        }
}

/* Turn the first D channels of each position by sign * angle of its row. */
static __device__ __forceinline__ void turn(float2 (&x)[COLUMNS], const int64_t (&row)[COLUMNS],
                                            const sti_prep &p, float sign, finish_memory &m)
{
    const int c = 2 * threadIdx.x, D = (int)p.D, J = D / 2;
    if (c < D)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            *(float2 *)&m.turned[i][c] = x[i];
    __syncthreads();
    if (c < D)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const int    other = c < J ? c + J : c - J, j = c % J;
            const float  side = c < J ? -sign : sign;
            const float2 pair = *(const float2 *)&m.turned[i][other];
            const float2 co = *(const float2 *)(p.cosine + row[i] * J + j);
            const float2 si = *(const float2 *)(p.sine + row[i] * J + j);
            x[i].x = x[i].x * co.x + side * si.x * pair.x;
            x[i].y = x[i].y * co.y + side * si.y * pair.y;
        }
}

static __device__ __forceinline__ float sigmoid(float x)
{
    return __fdividef(1.0f, 1.0f + __expf(-x));
}

/* From the convolution's answer b to the answer of prep, for `count` positions. */
static __device__ __forceinline__ void finish(float2 (&b)[COLUMNS], const int64_t (&row)[COLUMNS],
                                              int count, const sti_prep &p,
                                              const sti_prep_lane &l, bf16 *y, int f,
                                              finish_memory &m)
{
    if (l.silu)
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            b[i].x *= sigmoid(b[i].x);
            b[i].y *= sigmoid(b[i].y);
        }
    if (l.key) {
        float square[1][COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            square[0][i] = b[i].x * b[i].x + b[i].y * b[i].y;
        block_sums<1>(square, m);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float scale = 1.0f / (sqrtf(square[0][i]) + STI_PREP_NORM_EPS);
            b[i].x *= scale;
            b[i].y *= scale;
        }
        if (p.cosine)
            turn(b, row, p, 1.0f, m);
        __syncthreads();                /* the next positions reuse the sums */
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        if (i < count)
            store2(y + (f * p.L + row[i] - p.first) * p.d + 2 * threadIdx.x, b[i].x, b[i].y);
}

/* From b and the gradient by prep's answer to the gradient by b. */
static __device__ __forceinline__ void unfinish(float2 (&b)[COLUMNS], const int64_t (&row)[COLUMNS],
                                                int count, const sti_prep &p,
                                                const sti_prep_lane &l,
                                                const sti_prep_lane_bar &bar, int f,
                                                finish_memory &m)
{
    float2 g[COLUMNS], s[COLUMNS], slope[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        g[i] = load2((const bf16 *)bar.y_bar + (f * p.T + row[i]) * p.d + 2 * threadIdx.x);
        s[i] = b[i];
        slope[i] = make_float2(1.0f, 1.0f);
        if (l.silu) {
            const float2 sigma = make_float2(sigmoid(b[i].x), sigmoid(b[i].y));
            s[i] = make_float2(b[i].x * sigma.x, b[i].y * sigma.y);
            slope[i].x = sigma.x * (1.0f + b[i].x * (1.0f - sigma.x));
            slope[i].y = sigma.y * (1.0f + b[i].y * (1.0f - sigma.y));
        }
    }
    if (l.key) {
        if (p.cosine)
            turn(g, row, p, -1.0f, m);
        float sum[2][COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            sum[0][i] = s[i].x * s[i].x + s[i].y * s[i].y;
            sum[1][i] = s[i].x * g[i].x + s[i].y * g[i].y;
        }
        block_sums<2>(sum, m);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float n = sqrtf(sum[0][i]), e = n + STI_PREP_NORM_EPS;
            const float pull = n > 0.0f ? sum[1][i] / (n * e * e) : 0.0f;
            g[i].x = g[i].x / e - s[i].x * pull;
            g[i].y = g[i].y / e - s[i].y * pull;
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        if (i < count)
            store2((bf16 *)bar.c_bar + row[i] * (p.F * p.d) + f * p.d + 2 * threadIdx.x,
                   g[i].x * slope[i].x, g[i].y * slope[i].y);
}

/* Lines of a strip: sums of the line above, this line and the line below. */
typedef struct strip {
    float2 sum[3][COLUMNS];
} strip;

/* One line of three grids feeds the lines line-1, line and line+1 of the answer. */
static __device__ __forceinline__ void feed(strip &s, const float2 (&w)[ST_CONV_TAPS],
                                            const bf16 *const (&plane)[3], int64_t pitch,
                                            const st_grid &g, int line, int column)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        float2 x[SPAN];
        span_load(x, plane[a] + (int64_t)clampi(line, g.h) * g.w * pitch, pitch, column, g.w);
#pragma unroll
        for (int up = 0; up < 3; up++) {        /* up 0: the line above, which sees us by tap +1 */
            if (line - 1 + up < 0 || line - 1 + up >= g.h)
                continue;                       /* uniform in a block */
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
#pragma unroll
                for (int e = 0; e < 3; e++)
                    multiply_add(s.sum[up][i], w[a * 9 + (2 - up) * 3 + e], x[i + e]);
        }
    }
}

template <bool backward>
static __global__ void __launch_bounds__(THREADS_MAX, 1)
    prep_rows(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes)
{
    __shared__ finish_memory m;
    const int                f = blockIdx.y, which = blockIdx.z;
    const sti_prep_lane     &l = lanes.lane[which];
    const int                c = f * (int)p.d + 2 * threadIdx.x;    /* this thread's channels */
    const bf16              *x = (const bf16 *)l.x + source_channel(p, l, c);
    const int64_t            pitch = l.Hin * p.D;
    float2                   scale, offset;
    affine_get(l, c, &scale, &offset);

    int64_t row[COLUMNS];
    if (blockIdx.x < p.G && l.conv) {
        const st_grid g = p.grids[blockIdx.x];
        float2        w[ST_CONV_TAPS], bias = make_float2(0.0f, 0.0f);
        taps_get(l, c, w);
#pragma unroll
        for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
            multiply_add(bias, offset, w[tap]);     /* the border repeats: all taps always count */
            w[tap] = make_float2(w[tap].x * scale.x, w[tap].y * scale.y);
        }
        const bf16 *const plane[3] = {x + g.before * pitch, x + g.row * pitch, x + g.after * pitch};
        for (int column = 0; column < g.w; column += COLUMNS) {
            strip s = {};
            for (int line = -1; line <= g.h; line++) {
                feed(s, w, plane, pitch, g, line, column);
                if (line >= 1) {
#pragma unroll
                    for (int i = 0; i < COLUMNS; i++) {
                        s.sum[0][i].x += bias.x;
                        s.sum[0][i].y += bias.y;
                        row[i] = g.row + (line - 1) * g.w + min(column + i, g.w - 1);
                    }
                    if (backward)
                        unfinish(s.sum[0], row, g.w - column, p, l, lanes.bar[which], f, m);
                    else
                        finish(s.sum[0], row, g.w - column, p, l, (bf16 *)lanes.y[which], f, m);
                }
#pragma unroll
                for (int i = 0; i < COLUMNS; i++) {
                    s.sum[0][i] = s.sum[1][i];
                    s.sum[1][i] = s.sum[2][i];
                    s.sum[2][i] = make_float2(0.0f, 0.0f);
                }
            }
        }
        return;
    }

    const bool in_grid = blockIdx.x < p.G;
    const int  from = in_grid ? 0 : (int)(blockIdx.x - p.G) * REST_ROWS;
    const int  count = in_grid ? p.grids[blockIdx.x].h * p.grids[blockIdx.x].w
                               : min(REST_ROWS, (int)p.R - from);
    for (int start = 0; start < count; start += COLUMNS) {
        float2 b[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const int n = min(start + i, count - 1);
            row[i] = in_grid ? p.grids[blockIdx.x].row + n : p.rest[from + n];
            b[i]   = offset;
            multiply_add(b[i], scale, load2(x + row[i] * pitch));
        }
        if (backward)
            unfinish(b, row, count - start, p, l, lanes.bar[which], f, m);
        else
            finish(b, row, count - start, p, l, (bf16 *)lanes.y[which], f, m);
    }
}

static st_status check(const sti_prep *p)
{
    if (p->d % 64 || p->d > 2 * THREADS_MAX || p->D > 256 || p->D % 4)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "prep on the device: fast-weight heads of 64, 128, ... "
                       "or %d channels, are %lld", 2 * THREADS_MAX, (long long)p->d);
    return st_ok();
}

static dim3 rows_grid(const sti_prep *p)
{
    return dim3((unsigned)p->G + rest_blocks(p), (unsigned)p->F, 3);
}

extern "C" st_status sti_prep_forward_cuda(st_stream *stream, void *const y[3], const sti_prep *p,
                                           const sti_prep_lane lane[3])
{
    ST_TRY(check(p));
    if (p->G + p->R == 0)
        return st_ok();
    prep_lanes lanes = {};
    for (int i = 0; i < 3; i++) {
        lanes.lane[i] = lane[i];
        lanes.y[i]    = y[i];
    }
    prep_rows<false><<<rows_grid(p), (unsigned)p->d / 2, 0, sti_cuda(stream)>>>(*p, lanes);
    return sti_launched("prep_rows");
}

/* c_bar of all three lanes; the rest of the backward pass is prep_backward.cu. */
st_status prep_slopes(st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    ST_TRY(check(p));
    prep_rows<true><<<rows_grid(p), (unsigned)p->d / 2, 0, sti_cuda(stream)>>>(*p, *lanes);
    return sti_launched("prep_rows backward");
}
