/* prep.h - from attention's q, k, v to what the fast weights read: scaled, mixed in space and
 * time, squashed, normalised, turned.
 *
 * Channel c of a row of width C = H*D belongs to attention head c / D and to fast-weight head
 * c / d. Keys and values have fewer heads; key head g serves the expanded heads
 * g*H/Hkv .. (g+1)*H/Hkv - 1. In this order, for every row t and channel c:
 *
 *     a = q*q_scale + q_offset           k likewise after expansion; v as it is
 *     b = sum_{taps} conv[tap] a[tap]    video tokens only: 3x3x3 in (grid, row, column), places
 *                                        outside the video replaced by the nearest inside
 *     s = silu(b)
 *     n = s / (|s| + 1e-5)               norm over the d channels of a fast-weight head; v stays s
 *     y = turn of the first D channels of each fast-weight head; v stays n
 *
 * A *grid* is one temporal patch of a video, h*w consecutive rows. It names its neighbours in time
 * by their first row, so a stream that arrives piece by piece lays the grid before and the grid
 * after around its rows and gets what one pass would give.
 *
 * Host tensors are f32. On the device q, k, v, weights and answers are bf16, tables and parameter
 * gradients f32.
 *
 * May include: kernels/stream.h, kernels/base.
 */
#ifndef ST_KERNELS_PREP_H
#define ST_KERNELS_PREP_H

#include "kernels/base/tensor.h"
#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One grid of video tokens. `before` and `after` are first rows of grids of the same height and
 * width; a video's first grid names itself as before, its last as after. */
typedef struct st_grid {
    int32_t row;                /* first of h*w rows, left to right, top to bottom */
    int32_t h, w;
    int32_t before, after;
} st_grid;

enum { ST_GRID_INTS = 5, ST_CONV_TAPS = 27 };

typedef enum st_prep_value { ST_PREP_VALUE_SILU, ST_PREP_VALUE_PLAIN } st_prep_value;

/* Whether q, k and v go through silu at all. */
typedef enum st_prep_squash { ST_PREP_SQUASH_SILU, ST_PREP_SQUASH_NONE } st_prep_squash;

/* The learned part. Convolution taps are ordered (time, row, column), each -1, 0, 1. */
typedef struct st_prep_weights {
    const st_tensor *q_scale, *q_offset;        /* (C)                          */
    const st_tensor *k_scale, *k_offset;        /* (C)                          */
    const st_tensor *q_conv, *k_conv, *v_conv;  /* (C,27), or NULL all three    */
} st_prep_weights;

/* Where the tokens are. All tensors on the place of q. */
typedef struct st_prep_tokens {
    const st_tensor *grids;         /* (G,5) i32: st_grid rows, inside the answer's rows; or NULL */
    const st_tensor *rest;          /* (R) i32: the answer's rows outside every grid; or NULL     */
    int64_t          first;         /* row 0 of the answer is row `first` of q, k, v              */
    const st_tensor *cosine, *sine; /* (T,D/2) f32, by row of q; NULL: no turn                    */
    st_prep_value    value;         /* whether v goes through silu                                */
    st_prep_squash   squash;        /* NONE: b goes on as it is, in all three                     */
} st_prep_tokens;

/* Forward. Every row of the answer stands in one grid or in `rest`; rows in neither keep what the
 * answer held before. On the host rows are checked, on the device they are trusted.
 *
 *   q_out, k_out, v_out  (F,L,d): fast-weight heads, rows first .. first+L-1, F*d = C, D <= d
 *   q                    (T,H,D)
 *   k, v                 (T,Hkv,D)
 *
 * Twins   prep_plain.c (reference), prep.c (row by row), prep_forward.cu (a block a grid and head);
 *         on compute capability 9.0 prep_hopper_forward.cu (products of tensor cores)
 * Fails   ST_ERR_DATA shapes or rows that do not fit; ST_ERR_UNSUPPORTED on the device: d above
 *         512, or a group of key copies wider than d; ST_ERR_DEVICE
 */
ST_CHECKED st_status st_prep_forward(st_stream *stream, st_tensor *q_out, st_tensor *k_out,
                                     st_tensor *v_out, const st_tensor *q, const st_tensor *k,
                                     const st_tensor *v, const st_prep_weights *weights,
                                     const st_prep_tokens *tokens);

/* Gradients of the learned part, f32, added to; NULL where the weight is NULL. */
typedef struct st_prep_gradients {
    st_tensor *q_scale, *q_offset;          /* (C)    */
    st_tensor *k_scale, *k_offset;          /* (C)    */
    st_tensor *q_conv, *k_conv, *v_conv;    /* (C,27) */
} st_prep_gradients;

/* Backward, for one whole sequence: first = 0 and L = T, every row in one grid or in `rest`, and
 * `before` and `after` symmetric.
 *
 *   q_bar                (T,H,D), overwritten
 *   k_bar, v_bar         (T,Hkv,D), overwritten; summed over the expanded copies
 *   q_out_bar, ...       (F,T,d)
 *   scratch              (3,T,C) of q's dtype: gradients before silu, of no use afterwards
 *
 * Twins   as above; prep_backward.cu; prep_hopper_slopes.cu, prep_hopper_inputs.cu and
 *         prep_hopper_sums.cu
 * Fails   as st_prep_forward
 */
ST_CHECKED st_status st_prep_backward(st_stream *stream, st_tensor *q_bar, st_tensor *k_bar,
                                      st_tensor *v_bar, const st_prep_gradients *gradients,
                                      st_tensor *scratch, const st_tensor *q_out_bar,
                                      const st_tensor *k_out_bar, const st_tensor *v_out_bar,
                                      const st_tensor *q, const st_tensor *k, const st_tensor *v,
                                      const st_prep_weights *weights,
                                      const st_prep_tokens *tokens);

#ifdef __cplusplus
}
#endif

#endif
