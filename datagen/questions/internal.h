/* internal.h - what the files of the room `questions` share.
 *
 * May include: as questions.h.
 */
#ifndef STI_QUESTIONS_INTERNAL_H
#define STI_QUESTIONS_INTERNAL_H

#include "datagen/questions/templates.h"

/* --- templates ------------------------------------------------------------------------------- */

/* Check the slots of a template and set its number of options. */
ST_CHECKED st_status sti_template_check(st_template *which);

/* Our words around a question: the suffixes and the heading of a pack that brings none. */
void sti_wordings_around(st_template_pack *pack);

#endif
