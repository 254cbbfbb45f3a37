/* lint_internal.h - what the files of lint share.
 *
 * May include: lint.h.
 */
#ifndef STI_LINT_INTERNAL_H
#define STI_LINT_INTERNAL_H

#include "datagen/questions/lint.h"

/* A row being answered: what is known of it, and where its words may live. */
typedef struct sti_lint_task {
    const st_vsi_row *row;
    const st_scene   *scene;
    const st_reading *reading;
    st_question       type;
    st_arena         *words;        /* lives as long as the report */
    st_arena         *scratch;
    st_lint_row      *result;
} sti_lint_task;

/* Fill value, answer, verdict, notes and raw_value of a row whose wording was read. */
ST_CHECKED st_status sti_lint_answer(const sti_lint_task *task);

/* Mark a row unanswerable, with its reason. */
ST_CHECKED ST_PRINTF(3, 4) st_status sti_lint_cannot(st_lint_row *result, st_arena *words,
                                                     const char *fmt, ...);

/* The text of an option behind its letter: "chair" of "A. chair"; the whole when it has none. */
const char *sti_lint_option(const char *option);

/* What the row gives as its answer, as content: the option of a letter, or the text itself. */
const char *sti_lint_given(const st_vsi_row *row);

/* True when a reader could not choose: two options say the same, a letter is not that of its place,
 * or the options of a direction are not the sectors of its type, each once. */
bool sti_lint_unfair(const st_vsi_row *row);

/* Blind guessers over all rows of a type. */
ST_CHECKED st_status sti_lint_blind(st_lint_type *type, st_arena *scratch,
                                    const st_lint_report *report);

#endif
