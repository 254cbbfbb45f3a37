/* parity.h - this program against stored numbers, tensor by tensor.
 *
 * A folder of stored vectors is known by what its files hold, never by their names:
 *
 *   a model     config.json, a checkpoint, and a safetensors file with `input_ids`
 *   operators   safetensors files with `in.q`, `in.w0` and `out`: the fast-weight operator alone
 *   pixels      safetensors files with `frames`, or with u8 pairs `in.X` and `out.X`
 *   prompts     a JSON list of objects with `text` and `ids`
 *   several     a folder whose subfolders are any of these
 *
 * Every stored tensor that is not an input is compared or fails; gradients of whole models, which
 * training checks, are named as not compared.
 *
 * May include: kernels, model.
 */
#ifndef ST_MODEL_PARITY_H
#define ST_MODEL_PARITY_H

#include "kernels/base/arena.h"
#include "model/config.h"
#include "model/safetensors.h"

typedef enum st_parity_metric {
    ST_PARITY_EXACT,            /* largest difference, which must be 0                      */
    ST_PARITY_RELATIVE,         /* largest difference over the largest expected magnitude   */
    ST_PARITY_ABSOLUTE,         /* largest difference                                       */
    ST_PARITY_MEAN              /* mean difference over the largest expected magnitude; the
                                   largest difference may be ten times the tolerance        */
} st_parity_metric;

const char *st_parity_metric_name(st_parity_metric metric);

typedef struct st_parity_entry {
    const char      *name;      /* "logits"; with the folder in front when there are several */
    st_parity_metric metric;
    double           error, tolerance;      /* error is NaN when nothing could be compared   */
    bool             pass;
    const char      *note;      /* why it failed without numbers, or NULL                    */
} st_parity_entry;

typedef struct st_parity {
    st_arena         arena;
    st_parity_entry *entry;
    size_t           count, capacity;
    st_named_tensor *computed;  /* what this program made, in the order of the entries       */
    size_t           computed_count, computed_capacity;
    const char     **note;      /* what was seen and not compared                            */
    size_t           note_count, note_capacity;
    bool             pass;      /* all entries pass, and there is one                        */
} st_parity;

typedef struct st_parity_options {
    st_ttt_preset preset;       /* eval-compat also compares `generate.*`: quirks Q2 to Q4   */
    const char   *tokenizer;    /* folder of its files, for prompts; NULL: beside the vectors */
    int           jobs;         /* 0: one thread per core                                    */
} st_parity_options;

void st_parity_init(st_parity *report);
void st_parity_free(st_parity *report);

/* Compare everything under `folder`. A subfolder that cannot be read or used is an entry "vectors"
 * that fails, with the sentence as its note, and the others are compared all the same.
 *
 * Fails   ST_ERR_IO, ST_ERR_FORMAT, ST_ERR_DATA when vectors cannot be read or used at all;
 *         ST_ERR_DATA "PATH holds no stored vectors". Numbers that differ are no failure: see pass.
 */
ST_CHECKED st_status st_parity_run(st_parity *report, const char *folder,
                                   const st_parity_options *options);

/* Store what was computed, as safetensors. */
ST_CHECKED st_status st_parity_write(const st_parity *report, const char *path);

#endif
