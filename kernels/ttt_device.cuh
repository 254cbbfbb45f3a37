/* ttt_device.cuh - what the CUDA bodies of the fast-weight operator share.
 *
 * A layer is 3H matrices of h*d numbers, head by head w0 | w2 | w1. When h = d they are one batch;
 * else W0, W1 and W2 are three batches of H, because W1 lies the other way round.
 */
#ifndef ST_KERNELS_TTT_DEVICE_CUH
#define ST_KERNELS_TTT_DEVICE_CUH

#include "kernels/device.cuh"
#include "kernels/ttt_internal.h"

/* Matrices of one shape: `first` of a layer, every `stride`-th, `batch` of them. */
typedef struct ttt_group {
    int64_t first, stride, batch;
    int64_t rows, cols, side;       /* side: the shorter one */
    bool    tall;
} ttt_group;

static inline int ttt_group_count(const st_ttt_rule *r)
{
    return r->hidden == r->width ? 1 : 3;
}

static inline ttt_group ttt_group_get(const st_ttt_rule *r, int j)
{
    ttt_group g;
    const bool square = r->hidden == r->width;
    g.first = square ? 0 : j;
    g.stride = square ? 1 : 3;
    g.batch = square ? 3 * r->heads : r->heads;
    g.rows = j == 2 ? r->width : r->hidden;
    g.cols = j == 2 ? r->hidden : r->width;
    g.tall = g.rows > g.cols;
    g.side = g.tall ? g.cols : g.rows;
    return g;
}

/* The code is written for both precisions: T is what tokens are and products read. */
template <typename T> static constexpr st_dtype dtype_of = sizeof(T) == 2 ? ST_BF16 : ST_F32;

/* Where Newton-Schulz step k keeps X, A and B of all 3H matrices. */
template <typename T> struct ttt_muon_step {
    T *x, *a, *b;
};

template <typename T>
static inline ttt_muon_step<T> ttt_muon_step_get(T *base, const st_ttt_rule *r, int k)
{
    const int64_t side = r->hidden < r->width ? r->hidden : r->width;
    const int64_t x = 3 * r->heads * sti_ttt_matrix(r), square = 3 * r->heads * side * side;
    ttt_muon_step<T> s;
    s.x = base + k * (x + 2 * square);
    s.a = s.x + x;
    s.b = s.a + square;
    return s;
}

/* y = alpha op(a) op(b) + beta c for all matrices of a group. a, b and y are each either a whole
 * matrix (rows,cols) or a square of the shorter side; op as in st_product. */
template <typename Y, typename T>
static inline st_status ttt_square_product(st_stream *q, const ttt_group *g, Y *y, const Y *c,
                                           const T *a, st_turn a_turn, const T *b, st_turn b_turn,
                                           int64_t rows, int64_t inner, int64_t cols, float alpha,
                                           float beta)
{
    const int64_t y_size = rows * cols, a_size = rows * inner, b_size = inner * cols;
    st_product p = {};
    p.y = y + g->first * y_size;
    p.c = c + g->first * y_size;
    p.a = a + g->first * a_size;
    p.b = b + g->first * b_size;
    p.y_dtype = dtype_of<Y>, p.ab_dtype = dtype_of<T>;
    p.rows = rows, p.cols = cols, p.inner = inner, p.batch = g->batch;
    p.y_pitch = cols;
    p.a_pitch = a_turn == ST_TURNED ? rows : inner;
    p.b_pitch = b_turn == ST_TURNED ? inner : cols;
    p.y_step = g->stride * y_size, p.a_step = g->stride * a_size, p.b_step = g->stride * b_size;
    p.a_turn = a_turn, p.b_turn = b_turn;
    p.alpha = alpha, p.beta = beta;
    return st_product_run(q, &p);
}

/* s = x y^T for wide matrices, x^T y for tall ones: (side,side). */
template <typename T>
static inline st_status ttt_gram(st_stream *q, const ttt_group *g, T *s, const T *x, const T *y)
{
    return g->tall ? ttt_square_product(q, g, s, s, x, ST_TURNED, y, ST_STRAIGHT, g->side,
                                        g->rows, g->side, 1.0f, 0.0f)
                   : ttt_square_product(q, g, s, s, x, ST_STRAIGHT, y, ST_TURNED, g->side,
                                        g->cols, g->side, 1.0f, 0.0f);
}

/* y = s x + alpha c for wide matrices, x s + alpha c for tall ones. */
template <typename T>
static inline st_status ttt_mix(st_stream *q, const ttt_group *g, float *y, float alpha,
                                const float *c, const T *s, const T *x)
{
    return g->tall ? ttt_square_product(q, g, y, c, x, ST_STRAIGHT, s, ST_STRAIGHT, g->rows,
                                        g->side, g->cols, 1.0f, alpha)
                   : ttt_square_product(q, g, y, c, s, ST_STRAIGHT, x, ST_STRAIGHT, g->rows,
                                        g->side, g->cols, 1.0f, alpha);
}

/* --- products behind tokens --------------------------------------------------------------- */

typedef enum ttt_layout {
    TTT_OVER_TOKENS,        /* a (inner,rows), b (inner,cols), y f32: weights, from n tokens */
    TTT_BY_TURNED,          /* a (rows,inner), b (cols,inner), y as they: tokens, by weights */
    TTT_BY_STRAIGHT,        /* a (rows,inner), b (inner,cols), y as they                     */
} ttt_layout;

enum { TTT_TERMS = 2, TTT_SUMS = 5 };       /* terms of a sum, sums of a list: at most */

template <typename T> struct ttt_term {
    const T *a, *b;
    int64_t  a_step, b_step;                /* from one head to the next */
    int64_t  inner;
};

/* y (rows,cols) = the sum of a b over the terms, + y where `add`; one for each head, all dense. */
template <typename T> struct ttt_sum {
    void       *y;
    int64_t     y_step, rows, cols;
    ttt_layout  layout;
    bool        add;
    int         terms;
    ttt_term<T> term[TTT_TERMS];
};

/* One without a term yet; */
template <typename T>
static inline ttt_sum<T> ttt_sum_get(void *y, int64_t y_step, int64_t rows, int64_t cols,
                                     ttt_layout layout, bool add)
{
    const ttt_sum<T> s = {y, y_step, rows, cols, layout, add};
    return s;
}

/* and one more term. */
template <typename T>
static inline void ttt_sum_add(ttt_sum<T> *s, const T *a, int64_t a_step, const T *b,
                               int64_t b_step, int64_t inner)
{
    const ttt_term<T> term = {a, b, a_step, b_step, inner};
    s->term[s->terms++] = term;
}

/* One of them, a product for each term. */
template <typename T>
static inline st_status ttt_sum_run(st_stream *q, int64_t heads, const ttt_sum<T> *s)
{
    const bool over = s->layout == TTT_OVER_TOKENS, turned = s->layout == TTT_BY_TURNED;
    for (int i = 0; i < s->terms; i++) {
        const ttt_term<T> *t = &s->term[i];
        st_product p = {};
        p.y = s->y, p.a = t->a, p.b = t->b;
        p.y_dtype = over ? ST_F32 : dtype_of<T>, p.ab_dtype = dtype_of<T>;
        p.rows = s->rows, p.cols = s->cols, p.inner = t->inner, p.batch = heads;
        p.y_pitch = s->cols, p.a_pitch = over ? s->rows : t->inner;
        p.b_pitch = turned ? t->inner : s->cols;
        p.y_step = s->y_step, p.a_step = t->a_step, p.b_step = t->b_step;
        p.a_turn = over ? ST_TURNED : ST_STRAIGHT, p.b_turn = turned ? ST_TURNED : ST_STRAIGHT;
        p.alpha = 1.0f, p.beta = s->add || i > 0 ? 1.0f : 0.0f;
        ST_TRY(st_product_run(q, &p));
    }
    return st_ok();
}

/* y (n,cols) = a (n,inner) b. */
template <typename T>
static inline st_status ttt_token_product(st_stream *q, int64_t heads, T *y, int64_t y_step,
                                          const T *a, int64_t a_step, const T *b, int64_t b_step,
                                          ttt_layout layout, int64_t n, int64_t inner,
                                          int64_t cols)
{
    ttt_sum<T> s = ttt_sum_get<T>(y, y_step, n, cols, layout, false);
    ttt_sum_add(&s, a, a_step, b, b_step, inner);
    return ttt_sum_run(q, heads, &s);
}

/* sum[f] = the sum of n gates of head f, + sum[f] where `add`. */
typedef struct ttt_gates {
    float       *sum;       /* (H)                          */
    const float *gate;      /* (H,n), heads `step` apart    */
    int64_t      step, n;
    bool         add;
} ttt_gates;

/* All sums of a list, and the gates when there are any: in one launch where the card can. */
template <typename T>
st_status ttt_sums_run(st_stream *q, int64_t heads, const ttt_sum<T> *list, int count,
                       const ttt_gates *gates);

/* Count the scratch of an update. */
template <typename T> st_status ttt_update_plan(st_slab *scratch, const st_ttt_rule *rule);

/* --- device arithmetic -------------------------------------------------------------------- */

static __device__ __forceinline__ float wide(float x)
{
    return x;
}

static __device__ __forceinline__ float wide(bf16 x)
{
    return __bfloat162float(x);
}

/* x as a T. */
template <typename T> static __device__ __forceinline__ T narrow(float x)
{
    return T(x);
}

/* N neighbouring numbers, 16 bytes at a time when they are as many. */
template <typename T, int N> struct packed {
    alignas(sizeof(T) * N) T x[N];
};

template <int N, typename T> static __device__ __forceinline__ packed<T, N> pack_load(const T *p)
{
    return *reinterpret_cast<const packed<T, N> *>(p);
}

template <typename T, int N>
static __device__ __forceinline__ void pack_store(T *p, const packed<T, N> &v)
{
    *reinterpret_cast<packed<T, N> *>(p) = v;
}

/* Where e^-x is out of f32's range the answer is 0: __expf and __fdividef would take six more
 * instructions for what no product can tell apart. */
static __device__ __forceinline__ float sigmoid(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(-1.44269504f * x));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(1.0f + y));
    return y;
}

/* Of x and its sigmoid: silu and its first two slopes. */
static __device__ __forceinline__ void silu_slopes(float x, float gate, float *s, float *slope,
                                                   float *bend)
{
    *s = x * gate;
    *slope = fmaf(*s, 1.0f - gate, gate);
    *bend = gate * (1.0f - gate) * (2.0f + x * (1.0f - 2.0f * gate));
}

/* Sum over a block of at most 1024 threads, the same in every thread. The order is fixed. */
static __device__ __forceinline__ float block_sum(float x)
{
    __shared__ float part[32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    x = warp_sum(x);
    __syncthreads();            /* part may still be read from the sum before */
    if (lane == 0)
        part[warp] = x;
    __syncthreads();
    return warp_sum(lane < (int)(blockDim.x + 31) / 32 ? part[lane] : 0.0f);
}

/* --- a copy to multiply ------------------------------------------------------------------- */

template <typename T, int N>
static __global__ void narrow_all(T *y, const float *x, int64_t count)
{
    const int64_t i = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (i >= count)
        return;
    const packed<float, N> from = pack_load<N>(x + i);
    packed<T, N> to;
#pragma unroll
    for (int k = 0; k < N; k++)
        to.x[k] = narrow<T>(from.x[k]);
    pack_store(y + i, to);
}

template <typename T>
static inline st_status ttt_narrow_all(st_stream *q, T *y, const float *x, int64_t count)
{
    if (count % 4 == 0)
        narrow_all<T, 4><<<(unsigned)((count + 1023) / 1024), 256, 0, sti_cuda(q)>>>(y, x, count);
    else
        narrow_all<T, 1><<<(unsigned)((count + 255) / 256), 256, 0, sti_cuda(q)>>>(y, x, count);
    return sti_launched("ttt narrow_all");
}

/* --- a warp a row ------------------------------------------------------------------------- */

enum { ROW_WARPS = 8 };         /* of a block */

static inline unsigned row_blocks(int64_t rows)
{
    return (unsigned)((rows + ROW_WARPS - 1) / ROW_WARPS);
}

/* The row of this warp. */
static __device__ __forceinline__ int64_t row_own()
{
    return (int64_t)blockIdx.x * ROW_WARPS + threadIdx.x / 32;
}

/* Where a row of a layer lies: the rows of a head are h (w0), h (w2), d (w1). */
typedef struct layer_row {
    int64_t from, cols;
} layer_row;

static __device__ __forceinline__ layer_row layer_row_get(int64_t row, int64_t h, int64_t d)
{
    const int64_t per_head = 2 * h + d, head = row / per_head * 3 * h * d, r = row % per_head;
    return r < 2 * h ? layer_row{head + r * d, d}
                     : layer_row{head + 2 * h * d + (r - 2 * h) * h, h};
}

enum { TTT_PARTS = 16 };        /* blocks that share one matrix in a sum over it */

#endif
