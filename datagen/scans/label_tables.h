/* label_tables.h - the rows behind labels.h; only the files of this room read them.
 *
 * Every table is data of data.md 3.8 to 3.11 and nothing else: the rules stand in labels.c.
 *
 * May include: labels.h.
 */
#ifndef ST_SCANS_LABEL_TABLES_H
#define ST_SCANS_LABEL_TABLES_H

#include "datagen/scans/labels.h"

/* Things that a viewer may call by each other's name. */
typedef enum sti_group {
    STI_GROUP_TABLE,        /* table, desk                         */
    STI_GROUP_CHAIR,        /* chair, stool, bench, ...            */
    STI_GROUP_SOFA,         /* sofa, and the chairs that look so   */
    STI_GROUP_CABINET,
    STI_GROUP_SHELF,
    STI_GROUP_CURTAIN,
    STI_GROUP_BIN,
    STI_GROUP_SCREEN,
    STI_GROUP_LAMP,
    STI_GROUP_FRIDGE,
    STI_GROUP_BAG,
    STI_GROUP_BOARD,
    STI_GROUP_TOWEL,
    STI_GROUP_WASHER,
    STI_GROUP_OVEN,
    STI_GROUP_PLANT,
    STI_GROUP_DOOR,
    STI_GROUP_COUNT
} sti_group;

/* A word, what it may be used for, and bit g for every group it belongs to. Raw labels that only
 * matter to a group stand here too, with no use of their own. */
typedef struct sti_label {
    const char *name;
    unsigned    uses;
    uint32_t    groups;
} sti_label;

/* NYU40 class id = index; name NULL for the three "other" classes and for index 0. */
typedef struct sti_class {
    const char *name;
    const char *dropped;    /* reason, or NULL for a class whose members are kept */
} sti_class;

/* Raw label to the name it gets instead of its class. */
typedef struct sti_rename {
    const char *raw, *label;
} sti_rename;

/* An ARKitScenes label, normalised, with its class and its own name. */
typedef struct sti_arkit_label {
    const char *raw;
    int         nyu40;      /* 0: dropped                        */
    const char *fine;       /* mixed name where the class has none */
    const char *vsi;        /* the benchmark's name, or NULL: dropped there */
} sti_arkit_label;

/* A benchmark name and where it comes from. */
typedef enum sti_vsi_source {
    STI_VSI_CLASS,          /* every raw label of an NYU40 class          */
    STI_VSI_ID,             /* raw labels that share the tsv id of `raw`  */
    STI_VSI_RAW             /* this raw label alone                       */
} sti_vsi_source;

typedef struct sti_vsi_label {
    sti_vsi_source source;
    int            nyu40;
    const char    *raw, *label;
} sti_vsi_label;

typedef struct sti_space {
    const char *dataset, *space_id;
} sti_space;

enum { STI_CLASS_COUNT = 41 };

extern const sti_label       sti_labels[];          /* sorted by name, bytes */
extern const size_t          sti_label_count;
extern const sti_class       sti_classes[STI_CLASS_COUNT];
extern const char *const     sti_dropped_raw[];     /* raw labels that are never objects */
extern const size_t          sti_dropped_raw_count;
extern const sti_rename      sti_fine[];            /* for classes 38 to 40 */
extern const size_t          sti_fine_count;
extern const sti_arkit_label sti_arkit[];
extern const size_t          sti_arkit_count;
extern const sti_vsi_label   sti_vsi[];
extern const size_t          sti_vsi_count;
extern const char *const     sti_group_names[STI_GROUP_COUNT];

/* benchmark_spaces.c; sorted by dataset, then id */
extern const sti_space sti_benchmark_spaces[];
extern const size_t    sti_benchmark_space_count;

/* The entry of a word, or NULL. */
const sti_label *sti_label_find(const char *name, size_t size);

/* tsv id of a raw label (exact spelling), or 0. */
int64_t sti_label_table_id(const st_label_table *table, st_str raw_label);

#endif
