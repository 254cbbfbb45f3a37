/* linear_plain.c - the definition of a product with a weight matrix. Linked by tests only. */
#include "kernels/dense_plain.h"

void st_linear_plain(float *y, const float *x, const float *w, const float *b, int64_t T,
                     int64_t R, int64_t C)
{
    for (int64_t t = 0; t < T; t++)
        for (int64_t r = 0; r < R; r++) {
            double sum = b ? b[r] : 0.0;
            for (int64_t c = 0; c < C; c++)
                sum += (double)x[t * C + c] * w[r * C + c];
            y[t * R + r] = (float)sum;
        }
}
