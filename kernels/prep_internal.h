/* prep_internal.h - what prep's bodies share: a checked problem. */
#ifndef ST_KERNELS_PREP_INTERNAL_H
#define ST_KERNELS_PREP_INTERNAL_H

#include "kernels/prep.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STI_PREP_NORM_EPS 1e-5f     /* joins the norm, not its square */

/* Sizes and places all three lanes share. */
typedef struct sti_prep {
    int64_t        T, H, D;             /* rows of q, expanded heads, head width          */
    int64_t        F, d;                /* fast-weight heads and their width; F*d = H*D   */
    int64_t        L, first;            /* rows of the answer; row 0 is input row `first` */
    const st_grid *grids;               /* (G)                                            */
    int64_t        G;
    const int32_t *rest;                /* (R)                                            */
    int64_t        R;
    const float   *cosine, *sine;       /* (T,D/2) or NULL                                */
} sti_prep;

/* One of q, k, v. */
typedef struct sti_prep_lane {
    const void *x;                      /* (T,Hin,D) */
    int64_t     Hin;
    const void *scale, *offset;         /* (C) or NULL       */
    const void *conv;                   /* (C,27) or NULL    */
    bool        silu, key;              /* a key is normalised and turned, a value is not */
} sti_prep_lane;

/* Gradients of one lane. */
typedef struct sti_prep_lane_bar {
    void       *x_bar;                  /* (T,Hin,D)              */
    float      *scale, *offset, *conv;  /* added to, or NULL      */
    void       *c_bar;                  /* (T,C) scratch          */
    const void *y_bar;                  /* (F,T,d)                */
} sti_prep_lane_bar;

st_status sti_prep_forward_cuda(st_stream *stream, void *const y[3], const sti_prep *p,
                                const sti_prep_lane lane[3]);
st_status sti_prep_backward_cuda(st_stream *stream, const sti_prep *p, const sti_prep_lane lane[3],
                                 const sti_prep_lane_bar bar[3]);

#ifdef __cplusplus
}
#endif

#endif
