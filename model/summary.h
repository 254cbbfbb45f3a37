/* summary.h - what a model folder holds, for people and for programs.
 *
 * May include: kernels/base, model.
 */
#ifndef ST_MODEL_SUMMARY_H
#define ST_MODEL_SUMMARY_H

#include "kernels/base/text.h"
#include "model/weights.h"

/* Parameters of one part of the network. */
typedef struct st_part_summary {
    int64_t tensors, values;
    int64_t bytes;
    st_dtype dtype;                 /* of its largest share                           */
    int64_t  values_of[ST_DTYPE_COUNT];
} st_part_summary;

typedef struct st_model_summary {
    st_model_config  config;
    st_part_summary  part[ST_PART_COUNT];
    st_part_summary  all;
    int64_t          state_bytes;           /* of all hybrid layers while reading, f32 fast weights,
                                               momentum, gradient sums, bf16 window */
    int64_t          anchor_token_bytes;    /* all anchor layers, per token, bf16 */
    const char      *tokenizer;             /* "tokenizer.json", "vocab.json", or NULL */
    int64_t          tokenizer_size;
    const char     **odd;                   /* sentences */
    size_t           odd_count, odd_capacity;
} st_model_summary;

/* Look at FOLDER. Numbers of weights are not read, only their headers. A tokenizer that is missing
 * or does not fit is an oddity, not a failure.
 *
 * Fails   what st_model_config_load and st_weights_open fail with.
 */
ST_CHECKED st_status st_model_summarize(st_arena *arena, st_model_summary *summary,
                                        const char *folder);

/* As a table of lines, and as one JSON object on one line. */
void st_model_summary_print(st_text *out, const st_model_summary *summary, const char *folder);
void st_model_summary_json(st_text *out, const st_model_summary *summary, const char *folder);

#endif
