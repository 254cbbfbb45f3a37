/* attention.h - softmax attention: causal with a window, or both ways inside a segment.
 *
 *     out_i = sum_j p_ij v_j,   p_ij = exp(scale <q_i,k_j> - lse_i),   lse_i = log sum_j exp(...)
 *
 * Rows are tokens, heads lie side by side in a row. With fewer key heads than query heads, query
 * head h reads key head h / (H / Hkv) (grouped queries). A *window* of W lets a token see W keys,
 * itself included. A *cache* keeps keys by position: the key at position p lies in row
 * p % capacity, so one rule serves a ring (capacity near the window) and a growing cache (capacity
 * above every position).
 *
 * Host tensors are f32, device tensors bf16; lse is f32 in both places.
 *
 * May include: kernels/stream.h, kernels/base.
 */
#ifndef ST_KERNELS_ATTENTION_H
#define ST_KERNELS_ATTENTION_H

#include "kernels/base/tensor.h"
#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum st_attention_mask {
    ST_ATTENTION_CAUSAL,        /* a token sees itself and what came before in its segment */
    ST_ATTENTION_SEGMENT        /* a token sees its whole segment                          */
} st_attention_mask;

/* How tokens see each other. Zeros mean: one causal sequence, no window, dense rows. */
typedef struct st_attention {
    st_attention_mask mask;
    int64_t window;             /* keys a token sees, itself included; 0: no limit. Causal only   */
    float   scale;              /* of <q,k>; D^-0.5 in this network                               */

    /* Segments: token rows [starts[s], starts[s+1]); starts[0] = 0, starts[count] = T. On the
     * place of q. NULL: all T rows are one segment. */
    const st_tensor *starts;    /* (segments+1) i32                                               */
    int64_t longest;            /* no segment has more rows; 0: T                                 */

    /* Elements from one token's row to the next, for views into wider rows, such as q, k and v
     * side by side; 0: dense. */
    int64_t q_row, k_row, v_row;
} st_attention;

/* Attention of tokens among themselves.
 *
 *   out     (T,H,D)    dense; may not overlap an input
 *   lse     (H,T) f32  or NULL; the backward pass needs it
 *   q       (T,H,D)    D up to 128, on the device a multiple of 8
 *   k, v    (T,Hkv,D)  Hkv divides H
 *
 * Twins   attention_plain.c (reference), attention.c (blocked products), attention_forward.cu
 *         (Hopper, D 64 and 128), attention_rows.cu (the rest, for short sequences)
 * Fails   ST_ERR_USAGE on options that contradict each other; ST_ERR_DATA on shape or dtype;
 *         ST_ERR_UNSUPPORTED a head width the device body does not know; ST_ERR_DEVICE
 * Source  softmax in one pass: Milakov and Gimelshein 2018; in blocks: Dao et al. 2022
 */
ST_CHECKED st_status st_attention_forward(st_stream *stream, st_tensor *out, st_tensor *lse,
                                          const st_tensor *q, const st_tensor *k,
                                          const st_tensor *v, const st_attention *how);

/* Gradients of st_attention_forward; overwrites its three answers, which are dense.
 *
 *   q_bar            (T,H,D)
 *   k_bar, v_bar     (T,Hkv,D)  summed over the query heads of a group
 *   out_bar, out     (T,H,D)    dense; gradient of the loss by out, and out itself
 *   lse              (H,T) f32  from the forward pass
 *
 * Twins   as above, attention_backward.cu (Hopper, D 128; the device has no other)
 * Fails   as st_attention_forward; ST_ERR_UNSUPPORTED on a card or in a build without Hopper's code
 * Source  probabilities made again from lse, row term <out_bar,out>: Dao et al. 2022
 */
ST_CHECKED st_status st_attention_backward(st_stream *stream, st_tensor *q_bar, st_tensor *k_bar,
                                           st_tensor *v_bar, const st_tensor *out_bar,
                                           const st_tensor *q, const st_tensor *k,
                                           const st_tensor *v, const st_tensor *out,
                                           const st_tensor *lse, const st_attention *how);

/* New tokens looking into a cache that already holds them.
 *
 *   out             (T,H,D)
 *   q               (T,H,D)  tokens at positions position .. position+T-1, dense
 *   k_cache, v_cache (S,Hkv,D)  the key at position p lies in row p % S; rows never written
 *                   hold finite numbers
 *   position        of the first query, >= 0
 *   first           oldest position still in the cache, >= 0 and above position+T-1-S
 *   window          keys a token sees, itself included; 0: back to `first`
 *   scale           of <q,k>
 *
 * Twins   attention_plain.c (reference), attention.c, attention_forward.cu (16 queries or more of
 *         D 128, when 128 divides S or nothing has wrapped yet), attention_rows.cu
 * Fails   ST_ERR_USAGE the cache cannot hold what is asked; ST_ERR_DATA on shape or dtype
 */
ST_CHECKED st_status st_attention_cached(st_stream *stream, st_tensor *out, const st_tensor *q,
                                         const st_tensor *k_cache, const st_tensor *v_cache,
                                         int64_t position, int64_t first, int64_t window,
                                         float scale);

/* A cache that keeps its first keys for ever and walks in circles with the others: the key at
 * position p lies in row p below `kept`, else in row kept + (p - kept) % (S - kept). */
typedef struct st_attention_ring {
    int64_t position, first, window;    /* as st_attention_cached                      */
    int64_t kept;                       /* first keys: always there, seen by everybody */
    float   scale;
} st_attention_ring;

/* The same as st_attention_cached, with first keys that every token sees beside its window: what
 * lets an unbounded stream attend in constant memory.
 *
 * Fails   as st_attention_cached; ST_ERR_UNSUPPORTED on the device when kept is not 0
 * Source  first tokens as sinks: Xiao et al. 2023
 */
ST_CHECKED st_status st_attention_kept(st_stream *stream, st_tensor *out, const st_tensor *q,
                                       const st_tensor *k_cache, const st_tensor *v_cache,
                                       const st_attention_ring *ring);

#ifdef __cplusplus
}
#endif

#endif
