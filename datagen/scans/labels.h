/* labels.h - the words for things: label tables, vocabularies, groups that viewers confuse.
 *
 * A *raw label* is the annotator's string, a *class* an NYU40 id, a *label* the name used in
 * questions. All tables of data.md 3.8 to 3.11 stand in label_tables.c and nowhere else.
 *
 * May include: kernels/base.
 */
#ifndef ST_LABELS_H
#define ST_LABELS_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* Which names objects get. */
typedef enum st_vocabulary {
    ST_VOCABULARY_MIXED,        /* NYU40 names for 1..37, fine names for listed 38..40 (default) */
    ST_VOCABULARY_NYU40,        /* the 40-class set; 38..40 never become referents               */
    ST_VOCABULARY_VSI           /* the benchmark's names, for oracle runs                        */
} st_vocabulary;

/* What a label may be used for. */
typedef enum st_label_use {
    ST_LABEL_REFERENT = 1 << 0,     /* A: size, distance, direction, route */
    ST_LABEL_COUNTED = 1 << 1,      /* C                                   */
    ST_LABEL_MENTIONED = 1 << 2,    /* D: descriptions                     */
    ST_LABEL_STRUCTURE = 1 << 3     /* S: never an object                  */
} st_label_use;

/* True when some vocabulary of ours or the benchmark's prints this label. */
bool st_label_known(const char *label);

/* The uses of a label as it is printed in questions; 0 for a label that no table knows. */
unsigned st_label_uses(const char *label);

/* Bit g is set when the label belongs to confusable group g (data.md 3.9); a label in no group
 * is confused with itself alone and gives 0. */
uint32_t st_label_groups(const char *label);

/* True when a viewer may call one by the other's name: same label, or a group in common. */
bool st_label_confusable(const char *a, const char *b);

/* Labels that no careful question counts (windows, books, ...; data.md 5.2). */
bool st_label_hard_to_count(const char *label);

/* NYU40: id 1..40 to its display name ("refrigerator"), NULL for 38..40 and outside. */
const char *st_nyu40_name(int id);

/* --- label tables (scannetv2-labels.combined.tsv, data.md 2.7) --- */

typedef struct st_label_table st_label_table;

/* Read a table by its column names; any of the known versions, and smaller ones of made scans.
 *
 * Fails   ST_ERR_IO; ST_ERR_FORMAT a needed column is absent or no row is usable.
 */
ST_CHECKED st_status st_label_table_load(st_label_table **table, const char *path);
ST_CHECKED st_status st_label_table_parse(st_label_table **table, st_str text);
void   st_label_table_free(st_label_table *table);
size_t st_label_table_rows(const st_label_table *table);    /* usable ones */

/* What was unusual about a table, for warnings; none of it stops the reading. */
typedef struct st_label_oddities {
    size_t short_rows;          /* fewer fields than the header: padded             */
    size_t long_rows;           /* more fields: the rest ignored                    */
    size_t duplicate_rows;      /* a raw label again: the first row stands          */
    size_t unusable_rows;       /* no raw label, or no class in 1..40: left out     */
} st_label_oddities;
st_label_oddities st_label_table_oddities(const st_label_table *table);

enum { ST_LABEL_ROWS_EXPECTED = 500 };      /* fewer usable rows deserve a warning (E-17) */

/* NYU40 id of a raw label: exact, then case-insensitive, then without a trailing s (E-16);
 * 0 when unknown. */
int st_label_table_find(const st_label_table *table, st_str raw_label);

/* What became of a raw label. */
typedef struct st_label_verdict {
    const char *label;          /* NULL: dropped                                    */
    const char *reason;         /* of dropping: "structure", "unknown_label",
                                   "not_an_object", "unused_class", "other_class"   */
    int         nyu40;
    bool        plural;         /* stands for several: mentioned, never counted     */
} st_label_verdict;

/* The label of a ScanNet raw label under a vocabulary, with the overrides of data.md 3.8. */
st_label_verdict st_label_of_scannet(const st_label_table *table, st_str raw_label,
                                     st_vocabulary vocabulary);

/* The label of an ARKitScenes label; needs no table. */
st_label_verdict st_label_of_arkit(st_str raw_label, st_vocabulary vocabulary);

/* All tables as readable text, or one JSON object: what `spatial inspect labels` prints. */
void st_labels_print(st_text *out);
void st_labels_print_json(st_text *out);

/* --- the benchmark's scenes (data.md Q-6) --- */

/* True when the benchmark uses this scene's space. ScanNet rescans share their first nine
 * characters; other ids are compared whole. */
bool st_benchmark_has_space(const char *dataset, const char *space_id);
size_t st_benchmark_space_count(void);

#endif
