/* lint.h - is a set of benchmark-style questions right, and would it teach anything?
 *
 * Every row is answered again from scene metadata and the words of its question alone, and held
 * against the answer it gives. A row *agrees*, *disagrees*, or is *unanswerable* here: its objects
 * are not in the metadata, its wording is not known, or it asks about the video. Where a label has
 * several boxes, a row agrees when one of them gives its answer.
 *
 * Distances are judged twice: as the benchmark measured them, by sampling, under the type's own
 * name, and between the solid boxes under "object_abs_distance_exact" (data.md 5.5).
 *
 * May include: as questions.h.
 */
#ifndef ST_LINT_H
#define ST_LINT_H

#include "datagen/questions/phrasings.h"
#include "datagen/scene/scene.h"
#include "kernels/base/pool.h"
#include "kernels/base/rows.h"

typedef enum st_lint_verdict {
    ST_LINT_AGREE,
    ST_LINT_DISAGREE,
    ST_LINT_UNANSWERABLE,
    ST_LINT_VERDICT_COUNT
} st_lint_verdict;

/* What is worth knowing about a row beside its answer. */
typedef enum st_lint_note {
    ST_LINT_NEAR_TIE = 1 << 0,      /* the answer hangs on less than the margins below     */
    ST_LINT_DUPLICATE = 1 << 1,     /* an earlier row asks the same of the same objects    */
    ST_LINT_TILTED = 1 << 2,        /* a box it needs leans over 3 degrees                 */
    ST_LINT_THIN = 1 << 3,          /* a box it needs has a side under 2 cm                */
    ST_LINT_SEVERAL = 1 << 4,       /* a label that should name one thing has several boxes */
    ST_LINT_COUNT_MISMATCH = 1 << 5, /* published count and boxes of its label differ      */
    ST_LINT_OPTIONS = 1 << 6,       /* the question lists other things than the options    */
    ST_LINT_CHOICES = 1 << 7,       /* no fair choice: options that say the same, letters out of
                                       order, directions missing or foreign                */
    ST_LINT_SAME_ID = 1 << 8        /* an earlier row has this id                          */
} st_lint_note;
enum { ST_LINT_NOTE_COUNT = 9 };

/* Near ties: nearest and second nearest less than this apart; a bearing this close to a boundary
 * (the benchmark's own margins, data.md 5.6 and 5.7). */
#define ST_LINT_TIE_M 0.15
#define ST_LINT_TIE_DEG 10.0
#define ST_LINT_THIN_M 0.02

typedef struct st_lint_row {
    st_lint_verdict verdict;
    unsigned        notes;          /* st_lint_note bits                                   */
    const char     *value;          /* computed content: "chair", "2.4"; NULL unanswerable */
    const char     *answer;         /* the same as the row would give it: "B", "2.4"; NULL
                                       when no option offers it                            */
    const char     *reason;         /* of an unanswerable row; NULL otherwise              */
    double          raw_value;      /* unrounded; of a bearing, degrees                    */
    const char     *key;            /* type, scene and labels: rows with equal keys ask the
                                       same                                                */
    size_t          first;          /* duplicates: index of the first row that asked       */
    size_t          namesake;       /* same id: index of the first row that has it         */
    bool            has_exact;      /* absolute distance only                              */
    st_lint_verdict exact_verdict;
    const char     *exact_value;
} st_lint_row;

/* Rows of one type. "object_abs_distance_exact" follows "object_abs_distance". */
typedef struct st_lint_type {
    const char *name;
    size_t      rows, verdicts[ST_LINT_VERDICT_COUNT];
    /* What a guesser scores who never looks: always the most frequent content, for choices; the
     * median of the label, as mean relative accuracy, for numbers. -1 without rows. */
    double      blind_share, blind_mra;
    const char *blind_content;      /* that content, or NULL */
} st_lint_type;

enum { ST_LINT_TYPES_MAX = 64 };

/* What the metadata says of itself. */
typedef struct st_lint_boxes {
    size_t scenes, count;           /* count: boxes                                     */
    size_t tilted, thin;            /* boxes                                            */
    size_t bounds, mended;          /* boxes whose min and max, or axes, are wrong      */
    size_t count_mismatch;          /* labels whose count is not that of their boxes    */
    size_t unknown_label;           /* labels that no vocabulary knows                  */
} st_lint_boxes;

typedef struct st_lint_report {
    const st_vsi_rows *rows;        /* borrowed */
    st_lint_row       *results;     /* one per row */
    st_lint_type       types[ST_LINT_TYPES_MAX];
    size_t             type_count;
    size_t             notes[ST_LINT_NOTE_COUNT];
    st_lint_boxes      boxes;
} st_lint_report;

/* Answer every row again.
 *
 *   scenes    metadata of any datasets; a row finds its scene by name and, where the row gives one,
 *             dataset
 *   packs     wordings to read the questions by, tried in order
 *   arena     holds the report
 *
 * The same report on any number of threads.
 *
 * Fails   ST_ERR_MEMORY; ST_ERR_LIMIT more than ST_LINT_TYPES_MAX question types.
 */
ST_CHECKED st_status st_lint_run(st_lint_report *report, st_arena *arena, const st_vsi_rows *rows,
                                 const st_scene_list *scenes, const st_template_pack *packs,
                                 size_t pack_count, st_pool *pool);

/* Rows by how they fare under all rules there are for them: a distance is right when it is the
 * sampled one, as in the benchmark, or the exact one, as in our own rows. */
typedef struct st_lint_sums {
    size_t agree, disagree, unanswerable;       /* together all rows                        */
    size_t exact_only, sampled_only;            /* of those that agree: distances that only
                                                   one of the two rules gives               */
} st_lint_sums;
st_lint_sums st_lint_sum(const st_lint_report *report);

/* True when the row's distance is the exact one, and not the sampled one. */
bool st_lint_exact_only(const st_lint_row *row);

/* True when a row disagrees, by both rules where there are two, or a box contradicts itself. */
bool st_lint_disagrees(const st_lint_report *report);

const char *st_lint_verdict_name(st_lint_verdict verdict);  /* "agree", ... */
const char *st_lint_note_name(st_lint_note note);           /* "near_tie", ... */

/* The report for people: what disagrees, what cannot be answered and why, ties, duplicates, boxes,
 * and a table of types. */
void st_lint_print(st_text *out, const st_lint_report *report, const st_scene_list *scenes);

/* One object: {"types": {TYPE: {rows, agree, disagree, unanswerable}}, "boxes": {...}, "notes":
 * {...}, "blind": {...}, "metadata": [{scene, rule, code, message}]}. */
void st_lint_print_json(st_text *out, const st_lint_report *report, const st_scene_list *scenes);

/* JSONL, a line per row: id, question_type, verdict, answer, value, raw_value, notes, reason. */
void st_lint_print_answers(st_text *out, const st_lint_report *report);

#endif
