/* phrasings.h - wordings read backwards: from the text of a question to the labels in its slots.
 *
 * A template says how a question is written; here the same text says how it is read. Upper and
 * lower case, and how much white space stands between two words, make no difference.
 *
 * May include: kernels/base, templates.h.
 */
#ifndef ST_PHRASINGS_H
#define ST_PHRASINGS_H

#include "datagen/questions/templates.h"

/* The wordings that VSI-Bench fixes, one table, as a pack like any other. */
ST_CHECKED st_status st_template_pack_published(st_template_pack *pack, st_arena *arena);

/* What a question names. Values are lower case, single-spaced, in the arena of the match. */
typedef struct st_reading {
    const st_template *template;
    st_slot            slots[ST_SLOTS_MAX];
    int                slot_count;
} st_reading;

/* The value of a slot, or NULL. */
const char *st_reading_slot(const st_reading *reading, const char *name);

/* Find the first template of the pack, of this type, that the question is written in.
 *
 *   found  false when there is none; then `reading` is untouched
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_phrasing_read(st_reading *reading, bool *found, st_arena *arena,
                                      const st_template_pack *pack, st_question type,
                                      const char *question);

#endif
