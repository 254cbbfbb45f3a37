/* dense_plain.h - the definition of the one dense operator whose running body goes through BLAS.
 * Linked by tests only.
 *
 * May include: nothing of ours.
 */
#ifndef ST_KERNELS_DENSE_PLAIN_H
#define ST_KERNELS_DENSE_PLAIN_H

#include <stdint.h>

/* y = x w^T + b, summed in double in the order of the formula; b may be NULL. */
void st_linear_plain(float *y /* (T,R) */, const float *x /* (T,C) */, const float *w /* (R,C) */,
                     const float *b /* (R) */, int64_t T, int64_t R, int64_t C);

#endif
