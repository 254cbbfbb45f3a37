/* parity_internal.h - what the files of parity share: one comparison at a time. */
#ifndef ST_MODEL_PARITY_INTERNAL_H
#define ST_MODEL_PARITY_INTERNAL_H

#include "model/parity.h"

/* Where the numbers of one folder or file are noted. */
typedef struct sti_parity {
    st_parity               *report;
    const st_parity_options *options;
    const char              *folder;
    const char              *prefix;        /* in front of every name: "" or "folder/" */
} sti_parity;

/* Compare `got` with `expected` and keep a copy of it. Types: equal, or anything numeric against
 * f32 and i64. Another count of numbers fails with a note. */
ST_CHECKED st_status sti_parity_compare(sti_parity *p, const char *name, const st_tensor *got,
                                        const st_tensor *expected, st_parity_metric metric,
                                        double tolerance);

/* An entry that fails for a reason that is no number. */
ST_CHECKED st_status sti_parity_fail(sti_parity *p, const char *name, const char *why);

ST_CHECKED st_status sti_parity_note(sti_parity *p, const char *what);

/* A folder with a model; `io` is the file with the inputs and answers. */
ST_CHECKED st_status sti_parity_model(sti_parity *p, const st_safetensors *io);

/* One file of an operator, of pixels, of prompts. */
ST_CHECKED st_status sti_parity_operator(sti_parity *p, const st_safetensors *file);
ST_CHECKED st_status sti_parity_pixels(sti_parity *p, const st_safetensors *file);
ST_CHECKED st_status sti_parity_prompts(sti_parity *p, const char *path);

#endif
