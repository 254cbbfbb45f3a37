/* templates.h - the wordings of questions: packs of templates, read, checked and filled.
 *
 * A *template* is a sentence with slots, "How many {label}(s) ...", for one question type. A *pack*
 * is a set of them; ours stands in templates.c, another is read from a file:
 *
 *     {"pack": "mine", "templates": [{"id": "count-1", "type": "object_counting",
 *                                     "text": "How many {label}(s) are there?"}, ...]}
 *
 * Optional beside "templates": "number_suffix", "options_heading" and "letter_suffix", the words
 * around the question in a training line (data.md Q-8).
 *
 * Slots   object_counting, object_size_estimation   {label}
 *         room_size_estimation                      none
 *         object_abs_distance                       {a} {b}
 *         object_rel_distance                       {anchor}, and {options} or {o1} .. {o4}
 *         object_rel_direction_easy, _medium, _hard {p} {o} {q}
 *         route_planning                            {start} {facing} {goal} {steps}
 *
 * {steps} prints as "1. [fill in], 2. walk ahead until the sofa", and so on.
 * {options} prints as "chair, sofa, table". A template with {o1} .. {on} is for n options only; one
 * with {options} serves any number. A brace that opens no slot is refused.
 *
 * May include: kernels/base.
 */
#ifndef ST_TEMPLATES_H
#define ST_TEMPLATES_H

#include "kernels/base/arena.h"
#include "kernels/base/digest.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* The question types that a scene can answer, in the order of data.md 5.1; routes ask for one that
 * was measured. */
typedef enum st_question {
    ST_QUESTION_COUNTING,
    ST_QUESTION_SIZE,
    ST_QUESTION_ROOM_SIZE,
    ST_QUESTION_ABS_DISTANCE,
    ST_QUESTION_REL_DISTANCE,
    ST_QUESTION_DIRECTION_EASY,
    ST_QUESTION_DIRECTION_MEDIUM,
    ST_QUESTION_DIRECTION_HARD,
    ST_QUESTION_ROUTE,
    ST_QUESTION_COUNT
} st_question;

/* "object_counting", ...; the type strings of the benchmark. */
const char *st_question_name(st_question question);
/* The type of a name; false when no type has it. */
bool st_question_find(st_question *question, const char *name);

enum { ST_SLOTS_MAX = 8, ST_TEMPLATES_MAX = 4096 };

typedef struct st_template {
    const char *id;             /* unique in its pack                                       */
    st_question type;
    const char *text;
    int         options;        /* 2..4: names {o1}..{on}; 0: takes any number of options   */
} st_template;

typedef struct st_template_pack {
    const char  *name;
    st_template *templates;     /* in file order */
    size_t       count;
    const char  *number_suffix, *options_heading, *letter_suffix;
    st_digest    digest;        /* of the bytes it was read from */
} st_template_pack;

typedef struct st_slot {
    const char *name;           /* without braces: "label" */
    const char *value;
} st_slot;

/* Read a pack from JSON text.
 *
 * Fails   ST_ERR_FORMAT not JSON, a member missing or of the wrong kind, an unknown type or slot,
 *         a needed slot missing, an id used twice, a <video> or <image> marker in a text;
 *         ST_ERR_LIMIT more than ST_TEMPLATES_MAX templates.
 */
ST_CHECKED st_status st_template_pack_parse(st_template_pack *pack, st_arena *arena, st_str json);
ST_CHECKED st_status st_template_pack_load(st_template_pack *pack, st_arena *arena,
                                           const char *path);
/* Our own pack. */
ST_CHECKED st_status st_template_pack_default(st_template_pack *pack, st_arena *arena);

/* How many templates of the pack serve this type with `options` options (0 for types without),
 * and the k-th of them in file order, k below that number. */
size_t st_template_pack_serving(const st_template_pack *pack, st_question type, int options);
const st_template *st_template_pack_pick(const st_template_pack *pack, st_question type,
                                         int options, size_t k);
/* The template of an id, NULL when there is none. */
const st_template *st_template_pack_find(const st_template_pack *pack, const char *id);

/* Append the text with its slots filled. A slot that is not among `slots` is our mistake. */
void st_template_fill(st_text *out, const st_template *which, const st_slot *slots, size_t count);

/* Take the next piece off a template text, for those who turn templates into matchers: literal
 * words (slot false), or the name of a slot (slot true). False when nothing is left. */
bool st_template_next(st_str *piece, bool *slot, st_str *rest);

/* A slot's value for {options}: "chair, sofa, table". */
ST_CHECKED st_status st_template_list_options(st_arena *arena, const char **list,
                                              const char *const *labels, int count);

#endif
