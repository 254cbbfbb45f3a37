/* rotary.h - turning pairs of channels by an angle that tells where a token stands.
 *
 * A *table* holds cosine and sine, (T,J) f32 with J = D/2 angles per row. Channel j of a head is
 * paired with channel j + J:
 *
 *     y[j]   = x[j] cos_j - x[j+J] sin_j          y[j+J] = x[j+J] cos_j + x[j] sin_j
 *
 * Text tokens have three positions (time, height, width) that take turns over the frequencies
 * (interleaved MRoPE); patches of a picture have a row and a column, half of the angles each.
 *
 * Host tensors to be turned are f32, device tensors bf16; tables are f32 in both places.
 *
 * May include: kernels/stream.h, kernels/base.
 */
#ifndef ST_KERNELS_ROTARY_H
#define ST_KERNELS_ROTARY_H

#include "kernels/base/tensor.h"
#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Positions below this have their angles formed in f32, as the checkpoints were trained; from
 * here on in double and reduced modulo 2 pi, where an f32 product would lose the angle. */
#define ST_ROTARY_F32_POSITIONS ((int64_t)262144)

/* The table of a text sequence.
 *
 *   cosine, sine  (T,J) f32
 *   position      (3,T) i64: time, height, width
 *   section       frequencies by time, height, width; they add up to J. Frequency j reads height
 *                 if j%3 == 1 and j < 3*section[1], width if j%3 == 2 and j < 3*section[2],
 *                 else time.
 *   theta         > 1; angle = position * theta^(-j/J)
 *
 * Twins   rotary.c (reference), rotary.cu (one thread an angle)
 * Fails   ST_ERR_USAGE on section or theta; ST_ERR_DATA on shape or dtype; ST_ERR_DEVICE
 */
ST_CHECKED st_status st_rotary_text_table(st_stream *stream, st_tensor *cosine, st_tensor *sine,
                                          const st_tensor *position, const int section[3],
                                          double theta);

/* The table of one grid of patches, in merge-block order: square blocks of patches row by row,
 * patches row by row inside a block. Angle j < J/2 is row * theta^(-2j/J), angle J/2 + j the same
 * with the column.
 *
 *   cosine, sine  (rows*columns, J) f32, J even
 *   rows, columns patches, both multiples of merge
 *   merge         patches along a block's side, >= 1; on the device 2
 *
 * Twins   rotary.c (reference), rotary.cu
 * Fails   ST_ERR_USAGE odd sizes or theta; ST_ERR_DATA on shape or dtype; ST_ERR_UNSUPPORTED;
 *         ST_ERR_DEVICE
 */
ST_CHECKED st_status st_rotary_grid_table(st_stream *stream, st_tensor *cosine, st_tensor *sine,
                                          int64_t rows, int64_t columns, int64_t merge,
                                          double theta);

typedef enum st_rotary_turn {
    ST_ROTARY_FORWARD,
    ST_ROTARY_BACK                /* the negative angle: the gradient of the forward turn */
} st_rotary_turn;

/* Turn every head of every token.
 *
 *   y, x          (T,H,D); y may be x itself
 *   row           elements from one token to the next in both, for views into wider rows; 0: dense
 *   cosine, sine  (R,J) f32, J = D/2; R divides T, and token t uses table row t % R
 *
 * Twins   rotary.c (reference), rotary.cu (one thread two pairs)
 * Fails   ST_ERR_DATA on shape or dtype; ST_ERR_DEVICE
 */
ST_CHECKED st_status st_rotary_apply(st_stream *stream, st_tensor *y, const st_tensor *x,
                                     int64_t row, const st_tensor *cosine, const st_tensor *sine,
                                     st_rotary_turn turn);

/* RMSNorm over each head, then the turn: what stands between the query and key projections and
 * whoever reads them.
 *
 *     normed = weight .* x / sqrt(mean(x^2) + eps)         rotated = turn(normed)
 *
 *   normed        (T,H,D) or NULL; for the fast-weight branch
 *   rotated       (T,H,D) or NULL; for attention
 *   x             (T,H,D); normed may be x itself
 *   weight        (D), of x's dtype
 *   cosine, sine  (T,D/2) f32; NULL when rotated is
 *
 * Twins   head_norm.c (reference), head_norm.cu (one warp a head)
 * Fails   ST_ERR_USAGE neither answer is asked for; ST_ERR_DATA on shape or dtype; ST_ERR_DEVICE
 */
ST_CHECKED st_status st_head_norm(st_stream *stream, st_tensor *normed, st_tensor *rotated,
                                  const st_tensor *x, const st_tensor *weight,
                                  const st_tensor *cosine, const st_tensor *sine, float eps);

/* Gradients of st_head_norm.
 *
 *   x_bar         (T,H,D), overwritten; may be normed_bar or rotated_bar itself
 *   weight_bar    (D) f32, added to
 *   normed_bar    (T,H,D) or NULL
 *   rotated_bar   (T,H,D) or NULL
 *
 * Twins   head_norm.c (reference), head_norm.cu
 * Fails   as st_head_norm
 */
ST_CHECKED st_status st_head_norm_backward(st_stream *stream, st_tensor *x_bar,
                                           st_tensor *weight_bar, const st_tensor *normed_bar,
                                           const st_tensor *rotated_bar, const st_tensor *x,
                                           const st_tensor *weight, const st_tensor *cosine,
                                           const st_tensor *sine, float eps);

#ifdef __cplusplus
}
#endif

#endif
