/* loss.c - cross entropy of logits against labels. */
#include "kernels/dense.h"
#include "kernels/dense_internal.h"

#include <math.h>

/* log(sum(exp(logits))) - logits[label], with the largest logit taken out so that nothing
 * overflows. */
static double row_loss(const float *logits, int64_t V, int64_t label)
{
    double top = logits[0];
    for (int64_t v = 1; v < V; v++)
        if (logits[v] > top)
            top = logits[v];
    double sum = 0.0;
    for (int64_t v = 0; v < V; v++)
        sum += exp(logits[v] - top);
    return log(sum) + top - logits[label];
}

st_status st_cross_entropy(st_stream *q, double *loss_sum, int64_t *counted,
                           const st_tensor *logits, const st_tensor *label)
{
    (void)q;
    ST_TRY(sti_expect_rows(logits, "logits", -1, -1));
    const int64_t T = logits->shape[0], V = logits->shape[1];
    ST_TRY(st_tensor_expect(label, "label", ST_I64, 1, (int64_t[]){T}));

    const int64_t *at = label->data;
    double sum = 0.0;
    int64_t count = 0;
    for (int64_t t = 0; t < T; t++) {
        if (at[t] < 0)
            continue;
        if (at[t] >= V)
            return ST_FAIL(ST_ERR_DATA, "label %lld of row %lld is beyond a vocabulary of %lld",
                           (long long)at[t], (long long)t, (long long)V);
        sum += row_loss((const float *)logits->data + t * V, V, at[t]);
        count++;
    }
    *loss_sum = sum;
    *counted = count;
    return st_ok();
}
