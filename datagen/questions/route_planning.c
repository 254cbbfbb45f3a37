/* route_planning.c - which turns lead from here to there? (data.md 5.9, Q-27)
 *
 * Routes were found where the floor grid was at hand, and stand in the scene. Here they get their
 * words, their rivals and their proof.
 */
#include "datagen/questions/internal.h"

#include "datagen/questions/route_options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEG_PER_RAD 57.295779513082321

/* --- formats that prove shares ---------------------------------------------------------------- */

void sti_route_steps(st_text *out, const char *facing, const char *const *waypoints, int count)
{
    int step = 1;
    for (int i = 0; i < count; i++) {
        if (i > 0 || strcmp(facing, waypoints[0]) != 0)
            st_text_addf(out, "%s%d. [fill in]", step > 1 ? ", " : "", step), step++;
        st_text_addf(out, "%s%d. walk ahead until the %s", step > 1 ? ", " : "", step,
                     waypoints[i]);
        step++;
    }
}

st_status sti_route_contents(const char *contents[ST_OPTIONS_MAX], int *count, st_arena *arena,
                             const st_record *record, const st_turns *answer)
{
    uint64_t key = st_hash_text(st_hash_text(0, record->dataset), record->scene_id);
    for (int i = 0; i < record->referent_count; i++)
        key = st_hash_text(key, record->referents[i].label);
    st_turns options[ST_ROUTE_OPTIONS_MAX];
    *count = st_route_options(options, answer, key);
    for (int i = 0; i < *count; i++) {
        char text[64];
        st_turns_print(text, &options[i]);
        ST_TRY(st_arena_copy_text(arena, &contents[i], text, strlen(text)));
    }
    return st_ok();
}

const char *const sti_route_roles[2 + ST_ROUTE_LEGS_MAX] = {
    "start", "facing", "waypoint1", "waypoint2", "waypoint3", "waypoint4"};

const sti_route_names sti_route_inputs[ST_ROUTE_LEGS_MAX] = {
    {"heading1_deg", "turn1_deg", "stop1_x_m", "stop1_y_m"},
    {"heading2_deg", "turn2_deg", "stop2_x_m", "stop2_y_m"},
    {"heading3_deg", "turn3_deg", "stop3_x_m", "stop3_y_m"},
    {"heading4_deg", "turn4_deg", "stop4_x_m", "stop4_y_m"}};

/* --- the family ------------------------------------------------------------------------------- */

static double first_turn_deg(const st_route *route)
{
    return route->legs[route->legs[0].turn == ST_TURN_NONE].turn_deg;
}

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    const st_scene *scene = facts->scene;
    for (size_t i = 0; i < scene->route_count; i++) {
        const st_route *route = &scene->routes[i];
        const st_turns answer = st_route_answer(route);
        char turns[64];
        sti_candidate c = {.facts = facts,
                           .type = ST_QUESTION_ROUTE,
                           .options = answer.count == 1 ? 3 : 4,
                           .slot = {(int)i},
                           .about = "",
                           .value = first_turn_deg(route)};
        st_turns_print(turns, &answer);
        ST_TRY(st_arena_copy_text(all->arena, &c.content, turns, strlen(turns)));
        const char *key;
        ST_TRY(st_arena_printf(all->arena, &key, "%s|%s", scene->objects[route->start].label,
                               scene->objects[route->facing].label));
        for (int k = 0; k < route->leg_count; k++)
            ST_TRY(st_arena_printf(all->arena, &key, "%s|%s", key,
                                   scene->objects[route->legs[k].object].label));
        ST_TRY(sti_candidate_add(all, c, key));
    }
    return st_ok();
}

/* Where it starts, and for every leg its heading, the turn before it, and where it ends. */
static void add_inputs(st_record *record, const st_scene *scene, const st_route *route)
{
    const double *facing = scene->objects[route->facing].box.center_m, *at = route->from_m;
    sti_add_input(record, "from_x_m", at[0]);
    sti_add_input(record, "from_y_m", at[1]);
    sti_add_input(record, "facing_deg",
                  DEG_PER_RAD * atan2(facing[1] - at[1], facing[0] - at[0]));
    for (int i = 0; i < route->leg_count; i++) {
        const st_route_leg *leg = &route->legs[i];
        const sti_route_names *names = &sti_route_inputs[i];
        sti_add_input(record, names->heading,
                      DEG_PER_RAD * atan2(leg->aim_m[1] - at[1], leg->aim_m[0] - at[0]));
        sti_add_input(record, names->turn, leg->turn_deg);
        sti_add_input(record, names->stop_x, leg->stop_m[0]);
        sti_add_input(record, names->stop_y, leg->stop_m[1]);
        at = leg->stop_m;
    }
}

static void add_margins(st_record *record, const st_scene *scene, const st_route *route)
{
    const double *facing = scene->objects[route->facing].box.center_m;
    double turn_deg = INFINITY, shortest_m = INFINITY, longest_m = 0.0;
    for (int i = 0; i < route->leg_count; i++) {
        const st_route_leg *leg = &route->legs[i];
        turn_deg = fmin(turn_deg, st_turn_margin_deg(leg->turn_deg));
        shortest_m = fmin(shortest_m, leg->reach_m);
        longest_m = fmax(longest_m, leg->reach_m);
    }
    sti_add_margin(record, "turn_deg", turn_deg);
    sti_add_margin(record, "leg_min_m", shortest_m - ST_ROUTE_LEG_M_MIN);
    sti_add_margin(record, "leg_max_m", ST_ROUTE_LEG_M_MAX - longest_m);
    sti_add_margin(record, "facing_min_m",
                   hypot(facing[0] - route->from_m[0], facing[1] - route->from_m[1]) -
                       ST_ROUTE_FACING_M_MIN);
    sti_add_margin(record, "clearance_m", route->clearance_m);
    sti_add_margin(record, "robust_share",
                   (double)route->robust_kept / route->robust_cases - 7.0 / 9.0);
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    const st_scene *scene = one->facts->scene;
    const st_route *route = &scene->routes[one->slot[0]];
    const st_turns answer = st_route_answer(route);
    int objects[2 + ST_ROUTE_LEGS_MAX] = {route->start, route->facing}, count = 2;
    record->proof.unit = "deg";
    record->proof.rule = ST_QA_RULES " Q-27";
    for (int i = 0; i < route->leg_count; i++)
        objects[count++] = route->legs[i].object;
    for (int i = 0; i < count; i++)
        ST_TRY(sti_add_referent(record, arena, sti_route_roles[i], scene, &objects[i], 1));
    int options;
    ST_TRY(sti_route_contents(contents, &options, arena, record, &answer));
    ST_ASSERT(options == one->options);
    add_inputs(record, scene, route);
    add_margins(record, scene, route);
    return sti_add_boxes(record, arena, scene, objects, count);
}

const sti_family sti_family_route = {find, describe};
