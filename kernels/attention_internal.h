/* attention_internal.h - what attention's bodies share: a checked problem. */
#ifndef ST_KERNELS_ATTENTION_INTERNAL_H
#define ST_KERNELS_ATTENTION_INTERNAL_H

#include "kernels/attention.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A problem whose options and shapes agree; rows are filled in. */
typedef struct sti_attention {
    int64_t           T, H, Hkv, D;
    st_attention_mask mask;
    int64_t           window;           /* 0: no limit                                */
    float             scale;
    const int32_t    *starts;           /* (segments+1) on the data's place, or NULL  */
    int64_t           segments, longest;
    int64_t           q_row, k_row, v_row;
} sti_attention;

typedef struct sti_attention_cache {
    int64_t capacity, position, first;
} sti_attention_cache;

st_status sti_attention_forward_cuda(st_stream *stream, void *out, float *lse, const void *q,
                                     const void *k, const void *v, const sti_attention *a);

st_status sti_attention_backward_cuda(st_stream *stream, void *q_bar, void *k_bar, void *v_bar,
                                      const void *out_bar, const void *q, const void *k,
                                      const void *v, const void *out, const float *lse,
                                      const sti_attention *a);

st_status sti_attention_cached_cuda(st_stream *stream, void *out, const void *q, const void *k,
                                    const void *v, const sti_attention *a,
                                    const sti_attention_cache *c);

/* One query at a time: any width, few tokens. `c` may be NULL: tokens among themselves. */
st_status sti_attention_rows_cuda(st_stream *stream, void *out, float *lse, const void *q,
                                  const void *k, const void *v, const sti_attention *a,
                                  const sti_attention_cache *c);

#ifdef __cplusplus
}
#endif

#endif
