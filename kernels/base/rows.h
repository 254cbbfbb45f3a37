/* rows.h - the row formats that cross from datasets to training: readers and writers side by side.
 *
 * Three forms of one question: our record with its proof (data.md 5.14), the VSI-Bench row (5.1),
 * the Qwen-VL conversation line (7.2). All are JSONL, UTF-8, LF; a blank line is skipped.
 *
 * May include: status.h, arena.h, text.h, json.h, files.h, limits.h.
 */
#ifndef ST_BASE_ROWS_H
#define ST_BASE_ROWS_H

#include "kernels/base/arena.h"
#include "kernels/base/json.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

enum {
    ST_OPTIONS_MAX = 8,
    ST_REFERENTS_MAX = 8,
    ST_PROOF_ENTRIES_MAX = 24,
    ST_PROOF_BOXES_MAX = 64,
    ST_RECORD_FLAGS_MAX = 8
};

/* A question as the benchmark writes it. Text is NFC UTF-8 in the arena. */
typedef struct st_vsi_row {
    const char *id;             /* a number or a string in the file; kept as its text */
    bool        id_is_number;
    const char *dataset, *scene_name, *question_type, *question;
    const char *ground_truth;   /* a letter, or a number as text                      */
    const char *options[ST_OPTIONS_MAX];    /* with their letters: "A. chair"         */
    int         option_count;   /* 0: null in the file                                */
    size_t      line;           /* 1-based line of the file                           */
} st_vsi_row;

typedef struct st_vsi_rows {
    st_vsi_row *rows;
    size_t      count, capacity;
} st_vsi_rows;

/* Read a VSI-Bench row file, JSONL or one JSON array.
 *
 * Fails   with the path and line of the first row that is not one; ST_ERR_FORMAT, ST_ERR_IO,
 *         ST_ERR_LIMIT.
 */
ST_CHECKED st_status st_vsi_rows_read(st_vsi_rows *rows, st_arena *arena, const char *path);
/* The same from memory; failures name the line alone. */
ST_CHECKED st_status st_vsi_rows_parse(st_vsi_rows *rows, st_arena *arena, st_str text);
void st_vsi_row_write(st_text *out, const st_vsi_row *row);     /* one line, with its LF */

/* Who plays which part in a question. */
typedef struct st_referent {
    const char *role;           /* "object", "a", "b", "anchor", "option1", "positioning", ... */
    const char *label;
    const int  *instance_ids;
    int         instance_count;
} st_referent;

/* A named number of a proof: a margin to a threshold, or a value that went in. */
typedef struct st_proof_number {
    const char *name;
    double      value;
} st_proof_number;

/* A box that went into an answer, in the form of scene files: full side lengths, rows are axes. */
typedef struct st_proof_box {
    int    instance_id;
    double center_m[3], size_m[3], axes[9];
} st_proof_box;

typedef struct st_proof {
    double          raw_value;          /* unrounded; of the answer                     */
    const char     *unit;               /* "m", "cm", "m2", "deg", "count"              */
    st_proof_number margins[ST_PROOF_ENTRIES_MAX];
    int             margin_count;
    st_proof_number inputs[ST_PROOF_ENTRIES_MAX];
    int             input_count;
    const st_proof_box *boxes;          /* at most ST_PROOF_BOXES_MAX                   */
    int             box_count;
    const char     *rule;               /* rule version: "st-qa/2 Q-24"                 */
} st_proof;

/* A video frame that shows what an answer needs. */
typedef struct st_record_frame {
    int64_t i;                          /* index in the written video */
    double  t_s;
} st_record_frame;

/* Our own record of a question, keys in the order of data.md 5.14. */
typedef struct st_record {
    char        id[37];                 /* UUID form                                    */
    const char *dataset, *scene_id, *split, *question_type, *template_id;
    const char *video;                  /* relative path, or NULL                       */
    const char *question;
    const char *options[ST_OPTIONS_MAX];
    int         option_count;           /* 0: numeric                                   */
    const char *answer;                 /* a letter, or a number as text                */
    const char *answer_value;           /* the content: "chair", "2.4"                  */
    st_referent referents[ST_REFERENTS_MAX];
    int         referent_count;
    const st_record_frame *frames;      /* evidence; none where no video was looked at  */
    int         frame_count;
    st_proof    proof;
    const char *flags[ST_RECORD_FLAGS_MAX];
    int         flag_count;
    size_t      line;                   /* when read: 1-based line of the file          */
} st_record;

typedef struct st_records {
    st_record *records;
    size_t     count, capacity;
} st_records;

/* Read our records, JSONL.
 *
 * Fails   with the path and line of the first line that is not one; ST_ERR_FORMAT, ST_ERR_IO,
 *         ST_ERR_LIMIT.
 */
ST_CHECKED st_status st_records_read(st_records *records, st_arena *arena, const char *path);
/* The same from memory; failures name the line alone. */
ST_CHECKED st_status st_records_parse(st_records *records, st_arena *arena, st_str text);
void st_record_write(st_text *out, const st_record *record);    /* one line, with its LF */

/* One training line, keys in the order of data.md 7.2. `human` is everything behind the
 * "<video>\n" marker, which the writer adds. */
typedef struct st_conversation {
    const char *id, *human, *gpt, *video, *data_source, *scene_name, *question_type, *split, *task;
    const char *options[ST_OPTIONS_MAX];
    int         option_count;
    const char *answer;
    int64_t     num_tokens;
    const char *src;
} st_conversation;

typedef struct st_conversations {
    st_conversation *lines;
    size_t           count, capacity;
} st_conversations;

/* Read training lines of one question and one reply, JSONL. The marker in front of the question
 * is taken off; a line without it, or with several turns, is a failure that names the line.
 *
 * Fails   as st_records_read.
 */
ST_CHECKED st_status st_conversations_read(st_conversations *lines, st_arena *arena,
                                           const char *path);
void st_conversation_write(st_text *out, const st_conversation *line);

/* Text tokens as data.md 7.2 counts them (bytes / 3 rounded up) plus 171 for every pair of the
 * `frames` that the consumer takes. */
int64_t st_conversation_tokens(const st_conversation *line, int frames);

#endif
