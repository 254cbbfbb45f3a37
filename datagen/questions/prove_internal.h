/* prove_internal.h - what the files of prove share.
 *
 * May include: as prove.h.
 */
#ifndef STI_PROVE_INTERNAL_H
#define STI_PROVE_INTERNAL_H

#include "datagen/questions/prove.h"
#include "datagen/questions/route_options.h"

/* A claim in the words of its roles: for rel_distance the anchor and then the options, for
 * directions positioning, orienting, querying, for routes start, facing and the waypoints. */
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

/* What a walk along a route comes to, from boxes and stop points alone. */
typedef struct sti_walk {
    const st_route *route;                          /* of the scene                     */
    double          facing_deg;                     /* at the start                     */
    double          heading_deg[ST_ROUTE_LEGS_MAX];
    double          turn_deg[ST_ROUTE_LEGS_MAX];    /* left positive                    */
    st_turns        answer;                         /* those that are no straight on    */
    double          first_deg;                      /* the first of them                */
    double          turn_margin_deg, shortest_m, longest_m, facing_m;
} sti_walk;

/* Walk the route of the scene that leads from objects[0], facing objects[1], by objects[2..].
 * *why says what is wrong with it: no such route, or one that the boxes contradict.
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status sti_walk_route(sti_walk *walk, const char **why, st_arena *arena,
                                    const st_scene *scene, const int *objects, int count);

/* Append what was derived, line by line. */
ST_CHECKED st_status sti_print_steps(st_text *steps, const st_record *expected);

/* The first difference between what a record says and what it should say, NULL without one. */
ST_CHECKED st_status sti_compare(const char **why, st_arena *arena, const st_record *said,
                                 const st_record *expected);

#endif
