/* prove.h - from a row back to the scene: is the answer true, and may the question be asked?
 *
 * A *claim* is what a row says. prove derives everything a row could say from the scene alone, with
 * geometry of its own (prove_plain.h), and compares, member by member. It knows three forms of a
 * row: our record, whose every number is checked; the benchmark row and the training line made from
 * it, which are read back through the wordings of a template pack.
 *
 * May include: questions.h, templates.h, kernels/base.
 */
#ifndef ST_PROVE_H
#define ST_PROVE_H

#include "datagen/questions/questions.h"

typedef enum st_verdict {
    ST_VERDICT_PROVEN,
    ST_VERDICT_REFUTED,         /* the scene says otherwise, or forbids the question */
    ST_VERDICT_NO_SCENE         /* its scene is not among those that were read       */
} st_verdict;

typedef struct st_finding {
    st_verdict  verdict;
    const char *why;            /* one sentence, in the arena; NULL when proven */
} st_finding;

/* What rows are held against. */
typedef struct st_witness {
    const st_scene_list    *scenes;
    const st_template_pack *pack;
    const st_thresholds    *thresholds;
} st_witness;

/* Prove a record, a benchmark row, or a training line.
 *
 *   finding  lives in the arena
 *   steps    lines are appended: referents, boxes, value, rounding, margins, options, letter; may
 *            be NULL
 *
 * Fails   ST_ERR_MEMORY alone: a row that cannot be true is a finding, not a failure.
 */
ST_CHECKED st_status st_prove_record(st_finding *finding, st_text *steps, st_arena *arena,
                                     const st_witness *witness, const st_record *record);
ST_CHECKED st_status st_prove_vsi_row(st_finding *finding, st_text *steps, st_arena *arena,
                                      const st_witness *witness, const st_vsi_row *row);
ST_CHECKED st_status st_prove_conversation(st_finding *finding, st_text *steps, st_arena *arena,
                                           const st_witness *witness,
                                           const st_conversation *line);

const char *st_verdict_name(st_verdict verdict);

#endif
