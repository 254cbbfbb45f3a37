/* Any two documents, parted by a line of "---", as config.json and ttt_config.json: what is
 * accepted passes its own check, has finite sizes, and reads back as it is written. */
#include "kernels/base/text.h"
#include "model/config.h"
#include "model/weights.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static st_status count_bytes(void *context, const st_parameter *p)
{
    double *sum = context, count = 1.0;
    for (int k = 0; k < p->rank; k++) {
        if (p->shape[k] < 1)
            __builtin_trap();
        count *= (double)p->shape[k];
    }
    *sum += count;
    return st_ok();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_str model = {(const char *)data, size}, ttt = {NULL, 0};
    const char *bar = size > 4 ? memmem(data, size, "\n---\n", 5) : NULL;
    if (bar) {
        model.size = (size_t)(bar - model.data);
        ttt = (st_str){bar + 5, size - model.size - 5};
    }
    st_model_config config, back;
    if (st_model_config_parse(&config, model, ttt).code != ST_OK)
        return 0;
    double sum = 0.0;
    if (st_model_config_check(&config).code != ST_OK ||
        st_parameters_walk(&config, NULL, count_bytes, &sum).code != ST_OK)
        __builtin_trap();
    st_text a, b;
    st_text_init(&a);
    st_text_init(&b);
    st_model_config_write(&a, &config);
    st_ttt_config_write(&b, &config);
    if (st_model_config_parse(&back, st_text_view(&a), st_text_view(&b)).code != ST_OK)
        __builtin_trap();
    st_text_free(&a);
    st_text_free(&b);
    return 0;
}
