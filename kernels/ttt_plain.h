/* ttt_plain.h - the definition of the fast-weight operator: double, one sequence, no tricks.
 *
 * Linked by tests and parity checks only. Arrays are dense: q, k, v, out (H,N,d), lr (3,H,N),
 * mu (H,N), w0 and w2 (H,h,d), w1 (H,d,h). ST_TTT_MUON_BF16 is treated as exact Muon.
 *
 * May include: kernels/base, ttt.h.
 */
#ifndef ST_KERNELS_TTT_PLAIN_H
#define ST_KERNELS_TTT_PLAIN_H

#include "kernels/base/arena.h"
#include "kernels/ttt.h"

typedef struct st_ttt_plain {
    st_ttt_rule   rule;
    int64_t       count;                    /* N tokens, one sequence */
    const double *w0, *w1, *w2;
    const double *q, *k, *v, *lr, *mu;      /* mu NULL without momentum */
} st_ttt_plain;

typedef struct st_ttt_plain_grads {
    double *w0, *w1, *w2, *q, *k, *v, *lr, *mu;
} st_ttt_plain_grads;

/* out, and when last is not NULL the weights that read the tail: (H, w0 | w2 | w1).
 *
 * Fails   ST_ERR_MEMORY the scratch arena is out of memory.
 */
ST_CHECKED st_status st_ttt_plain_forward(double *out, double *last, const st_ttt_plain *x,
                                          st_arena *scratch);

/* Gradients of sum(out .* out_grad), all set. Fails as above. */
ST_CHECKED st_status st_ttt_plain_backward(st_ttt_plain_grads *grads, const double *out_grad,
                                           const st_ttt_plain *x, st_arena *scratch);

/* m (rows,cols) becomes its Newton-Schulz image. */
ST_CHECKED st_status st_newton_schulz_plain(double *m, int64_t rows, int64_t cols,
                                            st_arena *scratch);

#endif
