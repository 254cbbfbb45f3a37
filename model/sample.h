/* sample.h - from logits to the next token, and from tokens to text that stops in time.
 *
 * The order of the steps is that of the usual generation libraries: repetition penalty,
 * temperature, top-k, top-p, then one draw. A temperature of 0 is greedy. The draw of answer token
 * n depends on the seed and on n alone, so an answer can be reproduced from its settings.
 *
 * May include: kernels/base.
 */
#ifndef ST_MODEL_SAMPLE_H
#define ST_MODEL_SAMPLE_H

#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef struct st_sample_config {
    double   temperature;           /* >= 0; 0 picks the largest logit, the lowest id on a tie */
    int64_t  top_k;                 /* keep logits >= the k-th largest; 0 keeps all */
    double   top_p;                 /* (0,1]: keep the shortest prefix whose mass exceeds this */
    double   repetition_penalty;    /* > 0; divides positive logits of seen tokens, times others */
    uint64_t seed;
} st_sample_config;

/* Greedy: temperature 0, no cut, no penalty, seed 1. */
st_sample_config st_sample_config_greedy(void);

/* Fails   ST_ERR_USAGE "top_p must be above 0 and at most 1, is 1.5" */
ST_CHECKED st_status st_sample_config_check(const st_sample_config *config);

typedef struct st_sampler st_sampler;

/* All memory for a vocabulary of `vocab` tokens is taken here; picking allocates nothing. */
ST_CHECKED st_status st_sampler_create(st_sampler **sampler, const st_sample_config *config,
                                       int64_t vocab);
void st_sampler_free(st_sampler *sampler);

/* A new answer: nothing seen, draw number 0. */
void st_sampler_reset(st_sampler *sampler);

/* Count `token` as seen, for the repetition penalty. Picked tokens are noted by the pick. */
void st_sampler_note(st_sampler *sampler, int64_t token);

/* Pick the next token from `logits` (vocab).
 *
 * Fails   ST_ERR_NUMERIC "logit 17 is not a finite number"
 */
ST_CHECKED st_status st_sampler_pick(st_sampler *sampler, int64_t *token, const float *logits);

/* Text on its way out. Bytes that may be the start of a stop string, or of a character that is not
 * complete, wait here until the next piece decides. */
typedef struct st_stop {
    const st_str *words;            /* borrowed; empty words are not allowed */
    size_t        count;
    st_text       held;
    bool          stopped;          /* a stop string was met: nothing more comes out */
} st_stop;

void st_stop_init(st_stop *stop, const st_str *words, size_t count);
void st_stop_free(st_stop *stop);

/* Take in `piece` and add to `out` what is safe to show. Text before a stop string is shown, the
 * string itself is not. */
void st_stop_feed(st_stop *stop, st_str piece, st_text *out);

/* The answer is over: add what waited. */
void st_stop_finish(st_stop *stop, st_text *out);

#endif
