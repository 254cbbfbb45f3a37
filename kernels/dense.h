/* dense.h - the operators between attention and memory: products, norms, activations, rows of
 * tables, and the loss.
 *
 * Activations are f32 on the CPU. Weights are f32 or bf16 and stay what they are in memory: a
 * product widens them tile by tile into scratch. A row is one token or one patch; T counts rows.
 * Every output may be the first input itself where the comment says so; other overlaps are not
 * allowed. The order of sums does not depend on the number of threads.
 *
 * Twins   linear_plain.c defines the product; the other bodies are their own definition.
 *
 * May include: kernels/base, kernels/stream.h.
 */
#ifndef ST_KERNELS_DENSE_H
#define ST_KERNELS_DENSE_H

#include "kernels/base/status.h"
#include "kernels/base/tensor.h"
#include "kernels/stream.h"

/* What happens to what y held before. */
typedef enum st_linear_mode { ST_LINEAR_SET, ST_LINEAR_ADD } st_linear_mode;

/* y = x w^T + b, or y += x w^T + b
 *
 *   y     (T,R) f32
 *   x     (T,C) f32
 *   w     (R,C) f32 or bf16
 *   b     (R) f32 or bf16, or NULL
 *
 * One row (decoding) runs along the memory bus: each weight is read once, by all threads. More
 * rows go through BLAS, 2-byte weights a tile at a time.
 *
 * Twins   linear.c; linear_plain.c is the definition
 * Fails   ST_ERR_DATA on shape or dtype; ST_ERR_LIMIT a weight row above a million numbers
 */
ST_CHECKED st_status st_linear(st_stream *q, st_tensor *y, const st_tensor *x, const st_tensor *w,
                               const st_tensor *b, st_linear_mode mode);

/* y[t,:] = weight * (x[t,:] - mean) / sqrt(variance + eps) + bias
 *
 *   y, x          (T,C) f32; y may be x
 *   weight, bias  (C) f32 or bf16
 *   eps           > 0; the vision tower uses 1e-6
 */
ST_CHECKED st_status st_layer_norm(st_stream *q, st_tensor *y, const st_tensor *x,
                                   const st_tensor *weight, const st_tensor *bias, float eps);

/* y[t,:] = weight * round(x[t,:] / sqrt(mean(x[t,:]^2) + eps))
 *
 *   y, x    (T,C) f32; y may be x. Rows of heads are rows too: (T*H,D) with weight (D)
 *   weight  (C) f32 or bf16
 *
 * `round` is to the type of the activations, and comes before the product with the weight: in
 * bf16 the result is rounded twice, in f32 it changes nothing.
 */
ST_CHECKED st_status st_rms_norm(st_stream *q, st_tensor *y, const st_tensor *x,
                                 const st_tensor *weight, float eps);

typedef enum st_gelu_kind {
    ST_GELU_TANH,       /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): blocks of the tower */
    ST_GELU_ERF         /* 0.5 x (1 + erf(x / sqrt(2))): its mergers                            */
} st_gelu_kind;

/* y = gelu(x), any shape, f32; y may be x. */
ST_CHECKED st_status st_gelu(st_stream *q, st_tensor *y, const st_tensor *x, st_gelu_kind kind);

/* y = gate / (1 + exp(-gate)) * up, any shape, f32; y may be gate. */
ST_CHECKED st_status st_swiglu(st_stream *q, st_tensor *y, const st_tensor *gate,
                               const st_tensor *up);

/* y += x, any shape, f32. */
ST_CHECKED st_status st_add(st_stream *q, st_tensor *y, const st_tensor *x);

/* y[t,:] = table[row[t],:], widened
 *
 *   y      (T,C) f32
 *   table  (V,C) f32 or bf16
 *   row    (T) i64, each in [0,V)
 *
 * Fails   ST_ERR_DATA "row 3 names entry 700 of a table of 160"
 */
ST_CHECKED st_status st_embed_rows(st_stream *q, st_tensor *y, const st_tensor *table,
                                   const st_tensor *row);

/* Add a learned table of positions, resampled to a grid, to the patches of one grid.
 *
 *   x       (row_count*column_count, C) f32, patches in the order of 2x2 merge blocks
 *   table   (side*side, C) f32 or bf16
 *   merge   edge of a merge block in patches; divides both counts
 *
 * Bilinear with aligned corners. The four weights of a patch are rounded to the type of the table,
 * and the four terms are added in the order (y0,x0) (y0,x1) (y1,x0) (y1,x1).
 */
ST_CHECKED st_status st_position_table_add(st_stream *q, st_tensor *x, const st_tensor *table,
                                           int64_t row_count, int64_t column_count, int64_t merge);

/* Where point i of `count` falls on an axis of `side` entries: between i0 and i0 + 1 (or on the
 * last one), `fraction` of the way. */
void st_position_axis(int64_t *i0, float *fraction, int64_t i, int64_t count, int64_t side);

/* Sum over rows of -log softmax(logits[t,:])[label[t]]; rows with a negative label do not count.
 *
 *   loss_sum  the sum, in double
 *   counted   rows that had a label
 *   logits    (T,V) f32
 *   label     (T) i64, below V
 */
ST_CHECKED st_status st_cross_entropy(st_stream *q, double *loss_sum, int64_t *counted,
                                      const st_tensor *logits, const st_tensor *label);

#endif
