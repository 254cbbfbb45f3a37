/* newton_schulz.c - the nearest orthogonal matrix by five products of products, on the host.
 *
 * Forward (spec 7.11): X = M / (|M| + eps); five times A = X X^T, B = b A + c A A, X <- a X + B X.
 * A tall matrix is worked on from its other side, A = X^T X and X <- a X + X B, which is the same
 * as turning it over and back.
 *
 * Backward (spec 9.5, B3), with Y the gradient of X_{k+1} and T = Y X^T + X Y^T:
 *     R = T A,  Z = b T + c (R + R^T),  Y <- a Y + B Y + Z X.
 */
#include "kernels/ttt_internal.h"

#include <math.h>
#include <string.h>

typedef struct sides {
    int64_t rows, cols, side;       /* side: the shorter one */
    bool    tall;
} sides;

static sides sides_of(int64_t rows, int64_t cols)
{
    const bool tall = rows > cols;
    return (sides){rows, cols, tall ? cols : rows, tall};
}

/* s (side,side) = x y^T for wide matrices, x^T y for tall ones. */
static void gram(float *s, const float *x, const float *y, sides n)
{
    if (n.tall)
        sti_multiply(s, ST_TURNED, x, ST_STRAIGHT, y, n.side, n.rows, n.side, 1.0f, 0.0f);
    else
        sti_multiply(s, ST_STRAIGHT, x, ST_TURNED, y, n.side, n.cols, n.side, 1.0f, 0.0f);
}

/* y = alpha y + s x for wide matrices, alpha y + x s for tall ones; s (side,side). */
static void mix(float *y, float alpha, const float *s, const float *x, sides n)
{
    if (n.tall)
        sti_multiply(y, ST_STRAIGHT, x, ST_STRAIGHT, s, n.rows, n.side, n.side, 1.0f, alpha);
    else
        sti_multiply(y, ST_STRAIGHT, s, ST_STRAIGHT, x, n.side, n.side, n.cols, 1.0f, alpha);
}

static void round_bf16(float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = st_f32_from_bf16(st_bf16_from_f32(x[i]));
}

static double length_of(const float *x, int64_t count)
{
    double square = 0.0;
    for (int64_t i = 0; i < count; i++)
        square += (double)x[i] * x[i];
    return sqrt(square);
}

/* a = b_k a + c_k a a into b, for the side of n. */
static void polynomial(float *b, const float *a, const float *k, sides n)
{
    memcpy(b, a, (size_t)(n.side * n.side) * sizeof *b);
    sti_multiply(b, ST_STRAIGHT, a, ST_STRAIGHT, a, n.side, n.side, n.side, k[2], k[1]);
}

/* Up to these sides X is worked on in double: the smallest singular values grow by a hundred, and
 * what float has lost of them shows in a tiny network's logits. A matrix takes 32 KiB of stack. */
enum { EXACT_SIDE = 64 };

/* c (side,width) = alpha c + beta a b; a (side,inner), b (inner,width). */
static void add_product(double *c, double alpha, double beta, const double *a, const double *b,
                        int64_t side, int64_t inner, int64_t width)
{
    for (int64_t i = 0; i < side; i++) {
        double *row = c + i * width;
        for (int64_t j = 0; j < width; j++)
            row[j] *= alpha;
        for (int64_t k = 0; k < inner; k++) {
            const double by = beta * a[i * inner + k];
            for (int64_t j = 0; j < width; j++)
                row[j] += by * b[k * width + j];
        }
    }
}

/* to (cols,rows) = from (rows,cols), turned over. */
static void turn_over(double *to, const double *from, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[j * rows + i] = from[i * cols + j];
}

/* As below; y is a tall matrix turned over. */
static void iterate_in_double(float *x, sides n, float *iterates)
{
    double y[EXACT_SIDE * EXACT_SIDE], z[EXACT_SIDE * EXACT_SIDE];
    double a[EXACT_SIDE * EXACT_SIDE], b[EXACT_SIDE * EXACT_SIDE];
    const int64_t side = n.side, width = n.tall ? n.rows : n.cols;
    const int64_t count = side * width, area = side * side;
    const int64_t down = n.tall ? 1 : width, across = n.tall ? side : 1;     /* of x */
    const double scale = 1.0 / (length_of(x, count) + (double)STI_NS_EPS);
    for (int64_t i = 0; i < count; i++)
        y[i] = scale * x[i / width * down + i % width * across];
    for (int k = 0; k < STI_NS_STEPS; k++) {
        for (int64_t i = 0; iterates && i < count; i++)
            iterates[k * count + i / width * down + i % width * across] = (float)y[i];
        turn_over(z, y, side, width);
        memset(a, 0, (size_t)area * sizeof *a);
        add_product(a, 1.0, 1.0, y, z, side, width, side);
        memcpy(b, a, (size_t)area * sizeof *b);
        add_product(b, STI_NS[k][1], STI_NS[k][2], a, a, side, side, side);
        memcpy(z, y, (size_t)count * sizeof *z);
        add_product(y, STI_NS[k][0], 1.0, b, z, side, side, width);
    }
    for (int64_t i = 0; i < count; i++)
        x[i / width * down + i % width * across] = (float)y[i];
}

void sti_newton_schulz_host(float *x, int64_t rows, int64_t cols, st_ttt_muon kind,
                            float *iterates, float *spare, float *square)
{
    const sides n = sides_of(rows, cols);
    if (kind == ST_TTT_MUON && rows <= EXACT_SIDE && cols <= EXACT_SIDE) {
        iterate_in_double(x, n, iterates);
        return;
    }
    const int64_t count = rows * cols, area = n.side * n.side;
    const bool narrow = kind == ST_TTT_MUON_BF16;
    float *a = square, *b = square + area;

    if (narrow)
        round_bf16(x, count);
    const float scale = 1.0f / ((float)length_of(x, count) + STI_NS_EPS);
    for (int64_t i = 0; i < count; i++)
        x[i] *= scale;
    for (int k = 0; k < STI_NS_STEPS; k++) {
        if (narrow)
            round_bf16(x, count);
        if (iterates)
            memcpy(iterates + k * count, x, (size_t)count * sizeof *x);
        gram(a, x, x, n);
        if (narrow)
            round_bf16(a, area);
        polynomial(b, a, STI_NS[k], n);
        if (narrow)
            round_bf16(b, area);
        memcpy(spare, x, (size_t)count * sizeof *x);
        mix(x, STI_NS[k][0], b, spare, n);
    }
    if (narrow)
        round_bf16(x, count);
}

void sti_newton_schulz_backward_host(float *grad, const float *m, int64_t rows, int64_t cols,
                                     const float *iterates, float *spare, float *square)
{
    const sides n = sides_of(rows, cols);
    const int64_t count = rows * cols, area = n.side * n.side;
    float *a = square, *b = a + area, *t = b + area, *r = t + area;

    for (int k = STI_NS_STEPS - 1; k >= 0; k--) {
        const float *x = iterates + k * count;
        gram(a, x, x, n);
        polynomial(b, a, STI_NS[k], n);
        gram(r, grad, x, n);
        for (int64_t i = 0; i < n.side; i++)
            for (int64_t j = 0; j < n.side; j++)
                t[i * n.side + j] = r[i * n.side + j] + r[j * n.side + i];
        sti_multiply(r, ST_STRAIGHT, t, ST_STRAIGHT, a, n.side, n.side, n.side, 1.0f, 0.0f);
        for (int64_t i = 0; i < n.side; i++)        /* t becomes Z; r is still needed whole */
            for (int64_t j = 0; j < n.side; j++)
                t[i * n.side + j] = STI_NS[k][1] * t[i * n.side + j] +
                                    STI_NS[k][2] * (r[i * n.side + j] + r[j * n.side + i]);
        memcpy(spare, grad, (size_t)count * sizeof *grad);
        mix(grad, STI_NS[k][0], b, spare, n);
        mix(grad, 1.0f, t, x, n);
    }

    /* Through X_0 = M / (|M| + eps). At M = 0 the second term is taken as 0. */
    double dot = 0.0;
    for (int64_t i = 0; i < count; i++)
        dot += (double)m[i] * grad[i];
    const double length = (float)length_of(m, count), reach = length + STI_NS_EPS;
    const double turn = length > 0.0 ? dot / (length * reach * reach) : 0.0;
    for (int64_t i = 0; i < count; i++)
        grad[i] = (float)(grad[i] / reach - m[i] * turn);
}
