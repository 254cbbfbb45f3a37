/* internal.h - what the files of the room `questions` share.
 *
 * May include: as questions.h.
 */
#ifndef STI_QUESTIONS_INTERNAL_H
#define STI_QUESTIONS_INTERNAL_H

#include "datagen/questions/questions.h"
#include "datagen/questions/route_options.h"
#include "kernels/base/rng.h"

/* --- templates ------------------------------------------------------------------------------- */

/* Check the slots of a template and set its number of options. */
ST_CHECKED st_status sti_template_check(st_template *which);

/* Our words around a question: the suffixes and the heading of a pack that brings none. */
void sti_wordings_around(st_template_pack *pack);

/* --- facts: what phase 1 knows of a scene ----------------------------------------------------- */

/* All objects of one label. */
typedef struct sti_kind {
    const char *label;
    const int  *objects;        /* indices into the scene's objects */
    int         count;
    uint32_t    groups;         /* st_label_groups of the label */
    bool        whole;          /* every instance valid: may be an option of rel_distance */
} sti_kind;

/* st_label_confusable of two kinds of one scene, which have different labels. */
static inline bool sti_kinds_confusable(const sti_kind *a, const sti_kind *b)
{
    return (a->groups & b->groups) != 0;
}

typedef struct sti_facts {
    const st_scene       *scene;
    const st_qa_settings *settings;
    uint32_t              scene_index;
    uint64_t              key;              /* hash of seed, dataset, scene */
    sti_kind             *kinds;            /* sorted by label              */
    int                   kind_count;
    int                  *referents;        /* object indices, sorted by label */
    int                   referent_count;
    double               *exact_m;          /* (referents, objects), between solids */
    double               *distance_m;       /* (referents, objects), as asked for   */
} sti_facts;

/* Gather labels, referents and distances of a scene.
 *
 * Fails   ST_ERR_MEMORY; as st_obb_distance_sampled.
 */
ST_CHECKED st_status sti_facts_gather(sti_facts *facts, st_arena *arena, const st_scene *scene,
                                      uint32_t scene_index, const st_qa_settings *settings);

/* Distance from referent r (its place in facts->referents) to an object: between solids, or in the
 * way the settings ask for; and to the nearest object of a kind, which is told when `nearest` is
 * not NULL. */
double sti_facts_exact(const sti_facts *facts, int r, int object);
double sti_facts_distance(const sti_facts *facts, int r, int object);
double sti_facts_kind_distance(const sti_facts *facts, int r, const sti_kind *kind, int *nearest);

/* The place of an object in facts->referents. */
int sti_facts_referent(const sti_facts *facts, int object);

/* --- candidates ------------------------------------------------------------------------------- */

enum { STI_SLOTS_MAX = 5 };

typedef struct sti_candidate {
    uint64_t         order;                 /* keyed draw: smaller goes first               */
    const sti_facts *facts;
    st_question      type;
    int              options;
    int              slot[STI_SLOTS_MAX];   /* objects or kinds; each family says which     */
    const char      *content;               /* the answer before it gets a letter           */
    const char      *about;                 /* label, or labels, that a prior would go by   */
    double           value;                 /* unrounded, of numbers; else 0                */
} sti_candidate;

typedef struct sti_candidates {
    st_arena      *arena;                   /* of list and texts */
    sti_candidate *list;
    size_t         count, capacity;
} sti_candidates;

/* Add a candidate. Its order comes from the labels of its slots, joined in `key`. */
ST_CHECKED st_status sti_candidate_add(sti_candidates *all, sti_candidate one, const char *key);

/* The families: phase 1 finds candidates in a scene, phase 2 describes those that are kept: roles,
 * proof, answer_value and, where there are options, `contents` in any order. */
typedef struct sti_family {
    st_status (*find)(sti_candidates *all, const sti_facts *facts);
    st_status (*describe)(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one);
} sti_family;

extern const sti_family sti_family_counting;        /* slot: kind                           */
extern const sti_family sti_family_object_size;     /* slot: object                         */
extern const sti_family sti_family_room_size;       /* no slot                              */
extern const sti_family sti_family_abs_distance;    /* slot: object a, object b             */
extern const sti_family sti_family_rel_distance;    /* slot: anchor object, then kinds, the
                                                       nearest first, the others by label   */
extern const sti_family sti_family_direction;       /* slot: objects p, o, q                */
extern const sti_family sti_family_route;           /* slot: route of the scene             */

/* The family that answers a type. */
const sti_family *sti_family_of(st_question type);

/* All candidates of a scene, the surplus of each content cut. */
ST_CHECKED st_status sti_candidates_find(sti_candidates *all, const sti_facts *facts);

/* By pool, then order, then the labels: total, because no two candidates share all. */
int sti_candidate_order(const void *left, const void *right);

/* --- describing ------------------------------------------------------------------------------- */

/* A number as proofs hold it: rounded to 9 decimals. */
double sti_proof_number(double value);
void sti_add_margin(st_record *record, const char *name, double value);
void sti_add_input(st_record *record, const char *name, double value);
ST_CHECKED st_status sti_add_referent(st_record *record, st_arena *arena, const char *role,
                                      const st_scene *scene, const int *objects, int count);
/* The boxes that the answer was computed from. */
ST_CHECKED st_status sti_add_boxes(st_record *record, st_arena *arena, const st_scene *scene,
                                   const int *objects, int count);

/* The sectors of a direction question, in the order of data.md 5.7, and the sector of a bearing. */
int         sti_sector_count(st_question type);
const char *sti_sector_name(st_question type, int sector);
int         sti_sector_of(st_question type, double bearing_deg);
/* Degrees to the nearest border between sectors. */
double      sti_sector_margin_deg(st_question type, double bearing_deg);

/* The words of a route: "1. [fill in], 2. walk ahead until the sofa, 3. ..."; no turn before the
 * first leg when it leads to what is faced.
 *
 *   waypoints  (count) labels
 */
void sti_route_steps(st_text *out, const char *facing, const char *const *waypoints, int count);

/* The turns of a route and their rivals as texts, the answer first; drawn by the labels of the
 * record, so that a checker can redo it. */
ST_CHECKED st_status sti_route_contents(const char *contents[ST_OPTIONS_MAX], int *count,
                                        st_arena *arena, const st_record *record,
                                        const st_turns *answer);

/* Names in records of routes: roles, and the inputs of every leg. */
typedef struct sti_route_names {
    const char *heading, *turn, *stop_x, *stop_y;
} sti_route_names;
extern const char *const     sti_route_roles[2 + ST_ROUTE_LEGS_MAX];
extern const sti_route_names sti_route_inputs[ST_ROUTE_LEGS_MAX];

/* --- pools: phase 2 --------------------------------------------------------------------------- */

/* Candidates of one pool; `list` is moved about and shortened by the steps below. */
typedef struct sti_pool {
    st_question     type;
    int             options;
    sti_candidate **list;
    size_t          count;
} sti_pool;

/* Keep at most the cap of the thresholds per scene. When balancing, contents that are rare in the
 * pool go first; else the order decides. */
ST_CHECKED st_status sti_pool_cap(sti_pool *pool, st_arena *arena, const st_qa_settings *settings);

/* Drop what a type allows few of, balanced or not: counts of one. */
ST_CHECKED st_status sti_pool_limit(sti_pool *pool, st_arena *arena,
                                    const st_qa_settings *settings);

/* The same for routes, whose two pools share a cap; when balancing, a scene gives what all lack
 * most. And the rules of data.md 5.9, step 8, for both together. */
ST_CHECKED st_status sti_routes_cap(sti_pool *three, sti_pool *four, st_arena *arena,
                                    const st_qa_settings *settings);
ST_CHECKED st_status sti_routes_balance(sti_pool *three, sti_pool *four, st_arena *arena,
                                        const st_qa_settings *settings);

/* Cut the most frequent contents until none has more than `share` of the pool. */
ST_CHECKED st_status sti_pool_level(sti_pool *pool, st_arena *arena, double share);

/* Drop candidates until the rules of the type hold as far as they can (data.md 5.2 to 5.7). */
ST_CHECKED st_status sti_pool_balance(sti_pool *pool, st_arena *arena,
                                      const st_qa_settings *settings);

/* What blind guessers score on the pool; letters are not known yet. */
ST_CHECKED st_status sti_pool_blind(st_blind *blind, st_arena *arena, const sti_pool *pool,
                                    const st_thresholds *t);

/* Which candidates the guesser by nearest prior gets right: their number, and hit (N), which may be
 * NULL. */
ST_CHECKED st_status sti_guess_nearest(size_t *hits, bool *hit, st_arena *arena,
                                       const sti_pool *pool);
/* The median of each candidate's label, guess (N), and what guessing it scores. */
ST_CHECKED st_status sti_guess_medians(double *mean_mra, double *guess, st_arena *arena,
                                       const sti_pool *pool);
/* The answer of a candidate as the number that is printed. */
double sti_answer_value(const sti_candidate *one);

/* Mean relative accuracy of a number against the truth (data.md 5.1). */
double sti_mra(double guess, double truth);

/* How often each content occurs, sorted by content. */
ST_CHECKED st_status sti_pool_contents(st_qa_answer **answers, size_t *count, st_arena *arena,
                                       const sti_pool *pool);

/* Why the pool may not be written, or NULL. */
ST_CHECKED st_status sti_pool_verdict(const char **why, st_arena *arena, const sti_pool *pool,
                                      const st_blind *blind, const st_qa_settings *settings);

/* --- words and letters ------------------------------------------------------------------------ */

/* Choose the wording of a record by a keyed draw, and set its id.
 * Fails   ST_ERR_DATA the pack has none for its type. */
ST_CHECKED st_status sti_compose(st_record *record, uint64_t key, const st_template_pack *pack);
/* The question's text, from its referents and its options in the order of their letters. */
ST_CHECKED st_status sti_compose_text(const char **question, st_arena *arena,
                                      const st_record *record, const st_template *which);
void sti_record_id(char id[37], const st_record *record);

/* Deal letters to the records of one pool, their contents beside them, so that every letter is as
 * frequent as it can be and tells nothing about the content (data.md Q-41). */
typedef struct sti_dealt {
    st_record  *record;
    const char *contents[ST_OPTIONS_MAX];   /* contents[0] is the answer */
    uint64_t    order;
} sti_dealt;
ST_CHECKED st_status sti_deal_letters(sti_dealt *all, size_t count, int options, st_question type,
                                      const st_qa_settings *settings, st_arena *arena,
                                      double *letter_p);

/* Contents as the record prints them: in the order of a hash of its id, the answer then swapped to
 * the place of its letter. */
ST_CHECKED st_status sti_options_print(st_record *record, st_arena *arena,
                                       const char *const contents[ST_OPTIONS_MAX], int letter);

#endif
