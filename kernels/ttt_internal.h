/* ttt_internal.h - what the files of the fast-weight operator share.
 *
 * The three matrices of a head lie behind each other as w0 | w2 | w1, so that W0 and W2, which
 * always meet the same tokens, make one product with 2h columns, and a layer is 3H matrices of
 * h*d numbers at one step. The rows of a head are h (w0), h (w2), d (w1).
 */
#ifndef ST_KERNELS_TTT_INTERNAL_H
#define ST_KERNELS_TTT_INTERNAL_H

#include "kernels/internal.h"
#include "kernels/ttt.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STI_NS_STEPS = 5 };

/* Newton-Schulz, step k: A = X X^T, B = b A + c A A, X <- a X + B X; Muon's tuned coefficients. */
static const float STI_NS[STI_NS_STEPS][3] = {{4.0848f, -6.8946f, 2.9270f},
                                              {3.9505f, -6.3029f, 2.6377f},
                                              {3.7418f, -5.5913f, 2.3037f},
                                              {2.8769f, -3.1427f, 1.2046f},
                                              {2.8366f, -3.0525f, 1.2012f}};
#define STI_NS_EPS  1e-7f       /* added to the Frobenius norm of M */
#define STI_ROW_EPS 1e-5f       /* added to the norm of a row       */

/* A run of tokens inside the caller's arrays. */
typedef struct sti_ttt_view {
    const void  *q, *k, *v;     /* head 0, first token of the run                 */
    void        *out;           /* the same                                       */
    const float *lr[3];
    const float *mu;            /* NULL without momentum                          */
    int64_t      count;
    int64_t      head_step;     /* elements from one head to the next in q k v out */
    int64_t      gate_step;     /* and in lr, mu                                   */
} sti_ttt_view;

/* The same for gradients. */
typedef struct sti_ttt_view_grads {
    const void *out;
    void       *q, *k, *v;
    float      *lr[3];
    float      *mu;
} sti_ttt_view_grads;

typedef enum sti_ttt_work {
    STI_TTT_APPLY = 1,          /* out = f(q)                         */
    STI_TTT_WRITE = 2,          /* gradient, mu_sum gain the run      */
} sti_ttt_work;

static inline int64_t sti_ttt_matrix(const st_ttt_rule *r)      /* numbers in one matrix */
{
    return r->hidden * r->width;
}

static inline int64_t sti_ttt_all(const st_ttt_rule *r)         /* in all matrices of a layer */
{
    return 3 * r->heads * r->hidden * r->width;
}

static inline int64_t sti_ttt_rows(const st_ttt_rule *r)        /* rows of one head */
{
    return 2 * r->hidden + r->width;
}

/* Type of tokens, and of all that is multiplied. */
static inline st_dtype sti_ttt_dtype(const st_ttt_rule *r, st_place place)
{
    return place == ST_PLACE_DEVICE && r->precision == ST_TTT_FAST ? ST_BF16 : ST_F32;
}

/* Numbers that Newton-Schulz leaves on the device's tape per update: for each of the five steps X
 * (h*d) and A and B, squares of the shorter side. */
static inline int64_t sti_ttt_muon_tape(const st_ttt_rule *r)
{
    const int64_t side = r->hidden < r->width ? r->hidden : r->width;
    return 3 * r->heads * STI_NS_STEPS * (sti_ttt_matrix(r) + 2 * side * side);
}

/* One update's place on the tape; all NULL without one. */
typedef struct sti_ttt_slot {
    float *weight, *momentum, *row_norm, *mu_mean, *scale;
    void  *narrow, *muon;
} sti_ttt_slot;

sti_ttt_slot sti_ttt_slot_get(const st_ttt_tape *tape, const st_ttt_rule *rule, int64_t slot);

/* The two bodies. A state's `summed` is 0 when `gradient` and `mu_sum` hold nothing yet; the
 * bodies read it, the caller counts. */
ST_CHECKED st_status sti_ttt_begin_host(st_ttt_state *s, const st_ttt_weights *w);
ST_CHECKED st_status sti_ttt_run_host(st_ttt_state *s, const sti_ttt_view *x, unsigned work,
                                      st_slab *scratch);
ST_CHECKED st_status sti_ttt_append_host(st_ttt_state *s, const sti_ttt_view *x);
ST_CHECKED st_status sti_ttt_fire_host(st_ttt_state *s, const sti_ttt_slot *slot,
                                       st_slab *scratch);
ST_CHECKED st_status sti_ttt_backward_host(const st_ttt_rule *rule, const st_ttt_tape *tape,
                                           int64_t first_slot, const sti_ttt_view *x,
                                           const sti_ttt_view_grads *g, float *weight_grad,
                                           st_slab *scratch);

ST_CHECKED st_status sti_ttt_begin_device(st_stream *q, st_ttt_state *s, const st_ttt_weights *w);
ST_CHECKED st_status sti_ttt_narrow_device(st_stream *q, st_ttt_state *s);
ST_CHECKED st_status sti_ttt_run_device(st_stream *q, st_ttt_state *s, const sti_ttt_view *x,
                                        unsigned work, st_slab *scratch);
ST_CHECKED st_status sti_ttt_append_device(st_stream *q, st_ttt_state *s, const sti_ttt_view *x);
ST_CHECKED st_status sti_ttt_fire_device(st_stream *q, st_ttt_state *s, const sti_ttt_slot *slot,
                                         st_slab *scratch);
ST_CHECKED st_status sti_ttt_backward_device(st_stream *q, const st_ttt_rule *rule,
                                             const st_ttt_tape *tape, int64_t first_slot,
                                             const sti_ttt_view *x, const sti_ttt_view_grads *g,
                                             float *weight_grad, st_slab *scratch);
/* weight_grad (H, w0 | w2 | w1), added to the caller's three tensors. */
ST_CHECKED st_status sti_ttt_give_device(st_stream *q, const st_ttt_rule *rule,
                                         const float *weight_grad, st_ttt_grads *grads);

/* Count the scratch of the steps above: take it and give it back. */
ST_CHECKED st_status sti_ttt_step_plan_host(st_slab *scratch, const st_ttt_rule *rule);
ST_CHECKED st_status sti_ttt_backward_plan_host(st_slab *scratch, const st_ttt_rule *rule);
ST_CHECKED st_status sti_ttt_step_plan_device(st_slab *scratch, const st_ttt_rule *rule,
                                              int64_t count_max);
ST_CHECKED st_status sti_ttt_backward_plan_device(st_slab *scratch, const st_ttt_rule *rule,
                                                  int64_t count_max);

/* Host Newton-Schulz: x (rows,cols) becomes NS(x), which has x's singular vectors and singular
 * values near 1. `iterates`, when not NULL, receives the five inputs X_0 .. X_4. `square` is three
 * matrices of the shorter side. Matrices of up to 64 x 64 are worked on in double. */
void sti_newton_schulz_host(float *x, int64_t rows, int64_t cols, st_ttt_muon kind,
                            float *iterates, float *spare, float *square);

/* grad (rows,cols): on entry the gradient of NS(m), on return the gradient of m. `iterates` as
 * above; `spare` one matrix; `square` four of the shorter side. */
void sti_newton_schulz_backward_host(float *grad, const float *m, int64_t rows, int64_t cols,
                                     const float *iterates, float *spare, float *square);

/* y (rows,cols) = alpha op(a) op(b) + beta y on the host, dense rows. */
void sti_multiply(float *y, st_turn a_turn, const float *a, st_turn b_turn, const float *b,
                  int64_t rows, int64_t inner, int64_t cols, float alpha, float beta);

#ifdef __cplusplus
}
#endif

#endif
