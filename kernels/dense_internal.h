/* dense_internal.h - what the dense operators share: checks of rows and weights, and loops that
 * the stream's threads walk together.
 */
#ifndef ST_KERNELS_DENSE_INTERNAL_H
#define ST_KERNELS_DENSE_INTERNAL_H

#include "kernels/internal.h"

/* Element i of an f32 or bf16 weight. */
static inline float sti_element(const st_tensor *w, int64_t i)
{
    return w->dtype == ST_BF16 ? st_f32_from_bf16(((const uint16_t *)w->data)[i])
                               : ((const float *)w->data)[i];
}

/* Work on elements first .. end-1. Blocks may run at once and in any order. */
typedef void sti_block(void *context, int64_t first, int64_t end);

/* Run `work` over `count` elements, `block` at a time, on the stream's threads. */
void sti_for(st_stream *q, int64_t count, int64_t block, sti_block *work, void *context);

/* x must be f32 (T,C) on the host; a negative extent fits any. */
ST_CHECKED st_status sti_expect_rows(const st_tensor *x, const char *name, int64_t T, int64_t C);

/* w must be f32 or bf16 of this shape on the host; a negative extent fits any. */
ST_CHECKED st_status sti_expect_weight(const st_tensor *w, const char *name, int rank,
                                       const int64_t *shape);

ST_CHECKED st_status sti_expect_host(const st_tensor *x, const char *name);

#endif
