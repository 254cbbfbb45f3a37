/* product.h - matrix products, the one door to OpenBLAS and cuBLASLt.
 *
 * May include: kernels/base, stream.h.
 */
#ifndef ST_KERNELS_PRODUCT_H
#define ST_KERNELS_PRODUCT_H

#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum st_turn {
    ST_STRAIGHT,        /* stored as it is used                          */
    ST_TURNED,          /* stored as its transpose                       */
} st_turn;

/* y = alpha * a b + beta * c for `batch` problems, all row-major.
 *
 *   y  (rows,cols)                                       f32, bf16
 *   c  as y, pitch and step too; NULL means y itself
 *   a  (rows,inner), or (inner,rows) when turned         f32 or bf16, the same as b
 *   b  (inner,cols), or (cols,inner) when turned; the weight of a linear layer is a turned b
 *
 * `*_pitch` is the number of elements from one stored row to the next, `*_step` from one problem
 * of the batch to the next. Sums run in f32.
 */
typedef struct st_product {
    void       *y;
    const void *a, *b, *c;
    st_dtype    y_dtype, ab_dtype;
    int64_t     rows, cols, inner, batch;
    int64_t     y_pitch, a_pitch, b_pitch;
    int64_t     y_step, a_step, b_step;
    st_turn     a_turn, b_turn;
    float       alpha, beta;
} st_product;

/* Run it where the stream is. The host multiplies f32 only.
 *
 * Twins   product.c (OpenBLAS), product.cu (cuBLASLt)
 * Fails   ST_ERR_USAGE a size below 0 or a pitch shorter than its row; ST_ERR_UNSUPPORTED a type
 *         this place cannot multiply; ST_ERR_DEVICE from cuBLASLt.
 */
ST_CHECKED st_status st_product_run(st_stream *q, const st_product *p);

#ifdef __cplusplus
}
#endif

#endif
