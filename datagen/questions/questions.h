/* questions.h - from scene metadata to questions with proven answers, and back: the door.
 *
 * A *candidate* is a question that could be asked of a scene, with its answer and its margins. A
 * *pool* is all that compete with each other: one question type, and for rel_distance and routes
 * one number of options. A *content* is an answer before it gets a letter: "chair", "left", "2.4".
 *
 * Generation has two phases (data.md Q-2). Phase 1 looks at one scene at a time, on many threads,
 * and makes candidates. Phase 2 looks at all of them: it keeps some per scene, drops what would let
 * a blind guesser win, writes the words and deals the letters. Nothing depends on the order of
 * scenes or threads: every draw is keyed by (seed, dataset, scene, type, labels).
 *
 * May include: kernels/base, geometry, datagen/scans, datagen/scene.
 */
#ifndef ST_QUESTIONS_H
#define ST_QUESTIONS_H

#include "datagen/questions/templates.h"
#include "datagen/questions/thresholds.h"
#include "datagen/scene/scene.h"
#include "kernels/base/pool.h"
#include "kernels/base/progress.h"
#include "kernels/base/rows.h"

/* Version of the rules; part of every id. */
#define ST_QA_RULES "st-qa/2"

/* How far apart two boxes are. */
typedef enum st_distance {
    ST_DISTANCE_EXACT,          /* between solids (data.md 8.5)                       */
    ST_DISTANCE_VSI             /* the benchmark's sampled one (8.6), to compare with */
} st_distance;

typedef struct st_qa_settings {
    uint64_t      seed;
    bool          allow_benchmark;      /* keep scenes of the benchmark's spaces          */
    bool          no_debias;            /* keep everything, only report what blind wins   */
    bool          require_seen;         /* drop what no frame has shown                   */
    st_distance   distance;
    st_thresholds thresholds;
} st_qa_settings;

/* Our defaults: exact distance, guarded, balanced, seed 1. */
st_qa_settings st_qa_settings_default(void);

/* What a blind guesser scores on a pool (data.md Q-43). Shares in [0,1]; -1 where the probe does
 * not apply. */
typedef struct st_blind {
    double content_majority;    /* always the most frequent content                        */
    double letter_majority;     /* always the most frequent letter                         */
    double nearest_prior;       /* rel_distance: the offered label that is nearest most often */
    double sector_prior;        /* directions: the usual sector of (looked at, asked for)  */
    double label_median_mra;    /* numbers: the median of the label or pair of labels      */
    double overall_median_mra;  /* numbers: the median of the type                         */
    double letter_p;            /* chi-square p of letter against content                  */
    double bound_share, bound_mra;      /* what the first and third, or the MRA, may reach */
} st_blind;

enum { ST_QA_POOLS = ST_QUESTION_COUNT + 3 };

typedef struct st_qa_answer {
    const char *content;
    int64_t     rows;
} st_qa_answer;

typedef struct st_qa_pool {
    st_question   type;
    int           options;              /* 0 for numbers                                  */
    int64_t       found;                /* candidates of phase 1                          */
    int64_t       capped;               /* left after the caps per scene                  */
    int64_t       kept;                 /* left after balancing                           */
    int64_t       rows;                 /* written: kept, or 0 when withheld              */
    const char   *withheld;             /* NULL, or why                                   */
    st_blind      blind;                /* of the kept ones                               */
    st_qa_answer *answers;              /* of the kept ones, sorted by content            */
    size_t        answer_count;
    int64_t       letters[ST_OPTIONS_MAX];
} st_qa_pool;

typedef struct st_qa_skip {
    const char *dataset, *scene_id, *reason;    /* "benchmark", "repeated" */
} st_qa_skip;

typedef struct st_qa_result {
    st_record  *records;                /* sorted by type, dataset, scene, options, labels */
    size_t      record_count;
    st_qa_pool  pools[ST_QA_POOLS];
    st_qa_skip *skips;                  /* scenes that were not used, sorted              */
    size_t      skip_count;
    size_t      scene_count;            /* scenes that were used                          */
    size_t      space_count;
    size_t      unseen_dropped;         /* candidates dropped by require_seen             */
} st_qa_result;

/* Make all questions of the scenes.
 *
 *   result    lives in the arena; borrows from scenes and pack
 *   progress  is stepped once per scene; may be NULL
 *
 * Fails   ST_ERR_DATA the pack has no template for a type that is asked, or two scenes share
 *         dataset and id and differ; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_qa_generate(st_qa_result *result, st_arena *arena,
                                    const st_scene_list *scenes, const st_qa_settings *settings,
                                    const st_template_pack *pack, st_pool *pool,
                                    st_progress *progress);

/* The benchmark row and the training line of a record. Texts live in the arena. */
ST_CHECKED st_status st_qa_vsi_row(st_vsi_row *row, st_arena *arena, const st_record *record);
ST_CHECKED st_status st_qa_conversation(st_conversation *line, st_arena *arena,
                                        const st_record *record, const st_template_pack *pack);

/* The sections of a manifest: settings, counts, histograms, blind baselines, skipped scenes. Keys
 * are sorted. */
void st_qa_print_settings(st_text *json, const st_qa_settings *settings,
                          const st_template_pack *pack);
void st_qa_print_types(st_text *json, const st_qa_result *result);
void st_qa_print_blind(st_text *json, const st_qa_result *result);
void st_qa_print_scenes(st_text *json, const st_qa_result *result);

/* Types and numbers of options of the pools of a result, all else 0. */
void st_qa_pools_init(st_qa_result *result);

/* "object_abs_distance", "object_rel_distance/4": a pool's key in the manifest. Returns name. */
const char *st_qa_pool_name(char name[64], const st_qa_pool *pool);

/* "train" or "val" of a space: 2 % of them by a hash that no seed changes. */
const char *st_qa_split(const char *dataset, const char *space_id, const st_thresholds *t);

#endif
