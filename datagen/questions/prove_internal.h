/* prove_internal.h - what the files of prove share.
 *
 * May include: as prove.h.
 */
#ifndef STI_PROVE_INTERNAL_H
#define STI_PROVE_INTERNAL_H

#include "datagen/questions/prove.h"

/* A claim in the words of its roles: for rel_distance the anchor and then the options, for
 * directions positioning, orienting, querying. */
typedef struct sti_claim {
    const st_scene *scene;
    st_question     type;
    st_distance     distance;
    const char     *labels[ST_REFERENTS_MAX];
    int             label_count;
    const char     *template_id;
    int             letter;         /* 0.. of the options, -1 for numbers */
} sti_claim;

/* Derive the whole record that the scene allows for a claim. When the question may not be asked
 * *why says so, and *expected holds nothing.
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status sti_expect(st_record *expected, const char **why, st_arena *arena,
                                const sti_claim *claim, const st_template_pack *pack,
                                const st_thresholds *t);

/* Append what was derived, line by line. */
ST_CHECKED st_status sti_print_steps(st_text *steps, const st_record *expected);

/* The first difference between what a record says and what it should say, NULL without one. */
ST_CHECKED st_status sti_compare(const char **why, st_arena *arena, const st_record *said,
                                 const st_record *expected);

#endif
