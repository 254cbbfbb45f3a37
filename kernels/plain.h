/* plain.h - the definitions of the operators whose running CPU bodies are blocked.
 *
 * Everything is double, dense and summed in the order of the formula, so that the quick bodies can
 * be judged by these and these by finite differences. Linked by tests and parity checks only.
 *
 * May include: attention.h, prep.h.
 */
#ifndef ST_KERNELS_PLAIN_H
#define ST_KERNELS_PLAIN_H

#include "kernels/attention.h"
#include "kernels/prep.h"

/* Sizes of an attention problem; segments are [starts[s], starts[s+1]). */
typedef struct st_attention_sizes {
    int64_t           T, H, Hkv, D;
    st_attention_mask mask;
    int64_t           window;       /* 0: no limit */
    double            scale;
    const int32_t    *starts;       /* (segments+1) */
    int64_t           segments;
} st_attention_sizes;

void st_attention_forward_plain(double *out /* (T,H,D) */, double *lse /* (H,T) or NULL */,
                                const double *q /* (T,H,D) */, const double *k /* (T,Hkv,D) */,
                                const double *v /* (T,Hkv,D) */, const st_attention_sizes *sizes);

void st_attention_backward_plain(double *q_bar, double *k_bar, double *v_bar,
                                 const double *out_bar, const double *q, const double *k,
                                 const double *v, const st_attention_sizes *sizes);

/* Queries at positions position .. position+T-1; the key at p lies in row p % capacity. Of `sizes`
 * the mask and the segments are not read. */
void st_attention_cached_plain(double *out, const double *q, const double *k_cache,
                               const double *v_cache, int64_t capacity, int64_t position,
                               int64_t first, const st_attention_sizes *sizes);

/* One of q, k, v through prep: `conv`, `scale`, `offset`, `cosine` may be NULL. */
typedef struct st_prep_lane {
    int64_t       T, H, Hin, D;         /* rows, expanded heads, heads of x, head width   */
    int64_t       F, d;                 /* fast-weight heads and their width: F*d = H*D   */
    const double *scale, *offset;       /* (C)                                            */
    const double *conv;                 /* (C,27)                                         */
    const double *cosine, *sine;        /* (T,D/2)                                        */
    int           silu, normalise;      /* v: normalise off, cosine NULL                  */
    const st_grid *grids;               /* (grid_count); rows in no grid are the rest     */
    int64_t       grid_count;
} st_prep_lane;

void st_prep_forward_plain(double *y /* (F,T,d) */, const double *x /* (T,Hin,D) */,
                           const st_prep_lane *lane);

/* Gradients are overwritten; those of absent parameters may be NULL. `c_bar` and `a_bar` are
 * scratch of T*C. */
void st_prep_backward_plain(double *x_bar, double *scale_bar, double *offset_bar,
                            double *conv_bar, const double *y_bar, const double *x,
                            const st_prep_lane *lane, double *c_bar, double *a_bar);

#endif
