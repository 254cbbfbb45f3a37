/* predicates.c - signs of two determinants: a filter in doubles, then exact sums of doubles.
 *
 * An *expansion* is a number held as an unevaluated sum of doubles, smallest first, that do not
 * overlap; its sign is the sign of its last nonzero part.
 */
#include "geometry/predicates.h"

#include <math.h>
#include <stddef.h>

/* Half an ulp of one, and Shewchuk's bounds of the rounding in the plain formulas. */
static const double EPSILON = 0x1p-53;
#define ORIENT_BOUND ((3.0 + 16.0 * EPSILON) * EPSILON)
#define CIRCLE_BOUND ((10.0 + 96.0 * EPSILON) * EPSILON)

/* The longest expansion of each step, see circle_exact. */
enum { DIFFERENCE = 2, PRODUCT = 8, SUM = 16, TERM = 512, DETERMINANT = 1536 };

static int sign(double x)
{
    return (x > 0.0) - (x < 0.0);
}

static void two_sum(double *high, double *low, double a, double b)
{
    const double s = a + b, b_part = s - a;
    *low = (a - (s - b_part)) + (b - b_part);
    *high = s;
}

static void two_product(double *high, double *low, double a, double b)
{
    *high = a * b;
    *low = fma(a, b, -*high);   /* one rounding, by definition, on every machine */
}

/* e += b; returns the new length. Zeros are left out. */
static size_t grow(double *e, size_t n, double b)
{
    size_t kept = 0;
    double carry = b;
    for (size_t i = 0; i < n; i++) {
        double low;
        two_sum(&carry, &low, carry, e[i]);
        if (low != 0.0)
            e[kept++] = low;
    }
    if (carry != 0.0 || kept == 0)
        e[kept++] = carry;
    return kept;
}

static size_t add(double *e, size_t n, const double *f, size_t m)
{
    for (size_t i = 0; i < m; i++)
        n = grow(e, n, f[i]);
    return n;
}

static size_t multiply(double *out, const double *e, size_t n, const double *f, size_t m)
{
    size_t length = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            double high, low;
            two_product(&high, &low, e[i], f[j]);
            length = grow(out, length, low);
            length = grow(out, length, high);
        }
    return length;
}

static size_t difference(double out[DIFFERENCE], double a, double b)
{
    double high, low;
    two_sum(&high, &low, a, -b);
    out[0] = low;
    return grow(out, 1, high);
}

/* x0 y1 - x1 y0 */
static size_t cross(double out[SUM], const double x0[], size_t nx0, const double y0[], size_t ny0,
                    const double x1[], size_t nx1, const double y1[], size_t ny1)
{
    double minus[PRODUCT];
    size_t n = multiply(out, x0, nx0, y1, ny1);
    const size_t m = multiply(minus, x1, nx1, y0, ny0);
    for (size_t i = 0; i < m; i++)
        minus[i] = -minus[i];
    return add(out, n, minus, m);
}

int st_orient2d(const double a[2], const double b[2], const double c[2])
{
    const double left = (a[0] - c[0]) * (b[1] - c[1]), right = (a[1] - c[1]) * (b[0] - c[0]);
    const double det = left - right;
    if (fabs(det) > ORIENT_BOUND * (fabs(left) + fabs(right)))
        return sign(det);

    double acx[DIFFERENCE], acy[DIFFERENCE], bcx[DIFFERENCE], bcy[DIFFERENCE], exact[SUM];
    const size_t nax = difference(acx, a[0], c[0]), nay = difference(acy, a[1], c[1]);
    const size_t nbx = difference(bcx, b[0], c[0]), nby = difference(bcy, b[1], c[1]);
    const size_t n = cross(exact, acx, nax, acy, nay, bcx, nbx, bcy, nby);
    return sign(exact[n - 1]);
}

/* Differences have 2 parts, their products 8, a sum of two products 16, lift times cross
 * 2 * 16 * 16 = 512, and three of those make the determinant. */
static int circle_exact(const double *p[3], const double d[2])
{
    double x[3][DIFFERENCE], y[3][DIFFERENCE], det[DETERMINANT];
    size_t nx[3], ny[3], n = 0;
    for (int i = 0; i < 3; i++) {
        nx[i] = difference(x[i], p[i][0], d[0]);
        ny[i] = difference(y[i], p[i][1], d[1]);
    }
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        double lift[SUM], square[PRODUCT], across[SUM], term[TERM];
        size_t lifted = multiply(lift, x[i], nx[i], x[i], nx[i]);
        const size_t squared = multiply(square, y[i], ny[i], y[i], ny[i]);
        lifted = add(lift, lifted, square, squared);
        const size_t crossed = cross(across, x[j], nx[j], y[j], ny[j], x[k], nx[k], y[k], ny[k]);
        const size_t m = multiply(term, lift, lifted, across, crossed);
        n = add(det, n, term, m);
    }
    return sign(det[n - 1]);
}

int st_incircle(const double a[2], const double b[2], const double c[2], const double d[2])
{
    const double *p[3] = {a, b, c};
    double x[3], y[3], det = 0.0, permanent = 0.0;
    for (int i = 0; i < 3; i++) {
        x[i] = p[i][0] - d[0];
        y[i] = p[i][1] - d[1];
    }
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        const double lift = x[i] * x[i] + y[i] * y[i];
        const double left = x[j] * y[k], right = x[k] * y[j];
        det += lift * (left - right);
        permanent += lift * (fabs(left) + fabs(right));
    }
    if (fabs(det) > CIRCLE_BOUND * permanent)
        return sign(det);
    return circle_exact(p, d);
}
