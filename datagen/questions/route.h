/* route.h - routes through a room that a question can ask for (data.md 5.9).
 *
 * A *route* starts at one object, facing another, and goes from object to object in straight legs;
 * before each leg stands a turn. Turns are what the question leaves blank. All is planned on the
 * free cells of a floor grid, from which the robot's radius has been taken off already.
 *
 * May include: kernels/base, geometry, datagen/scene.
 */
#ifndef ST_QUESTIONS_ROUTE_H
#define ST_QUESTIONS_ROUTE_H

#include "datagen/scene/scene.h"
#include "geometry/floor_grid.h"

typedef enum st_turn {
    ST_TURN_NONE,               /* straight on, within 20 degrees          */
    ST_TURN_LEFT,               /* 50 to 130 degrees                       */
    ST_TURN_RIGHT,
    ST_TURN_BACK,               /* 160 degrees or more                     */
    ST_TURN_UNCLEAR             /* between the others: no route has it     */
} st_turn;

enum { ST_ROUTE_LEGS_MAX = 4, ST_ROUTES_MAX = 20 };

typedef struct st_route {
    int     start, facing;                      /* objects of the scene                       */
    int     leg_count;
    int     waypoint[ST_ROUTE_LEGS_MAX];        /* object that ends each leg; the last is the
                                                   destination                                */
    st_turn turn[ST_ROUTE_LEGS_MAX];            /* before each leg; NONE only before the first,
                                                   which then leads to what is faced          */
    int     blank_count;                        /* turns that are not NONE, 1 to 4            */
    double  from_m[2];                          /* where it starts                            */
    double  stop_m[ST_ROUTE_LEGS_MAX][2];       /* where each leg ends                        */
    double  turn_deg[ST_ROUTE_LEGS_MAX];        /* signed, left positive                      */
    double  clearance_m;                        /* from the route to the nearest cell that is
                                                   not free, at its tightest                  */
    int     robust_cases, robust_kept;          /* disturbed starts tried, and those that keep
                                                   every turn (data.md 5.9, step 7)           */
} st_route;

/* The turn that a change of heading is, left positive, in (-180,180]. */
st_turn     st_turn_of(double turn_deg);
const char *st_turn_name(st_turn turn);         /* "Turn Left", ... */

/* At most 20 routes of a scene, most of them with two blanks, wide ones first; at most one for a
 * start and a destination. They live in the arena. The same scene and grid give the same routes.
 *
 *   scene  its referents become starts, what is faced, and waypoints
 *   grid   st_floor_grid_build of its points
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_routes_find(st_route **routes, size_t *count, st_arena *arena,
                                    const st_scene *scene, const st_floor_grid *grid);

/* --- what is offered as answers (data.md 5.9, step 8) --- */

enum { ST_ROUTE_OPTIONS_MAX = 4 };

/* One way to fill the blanks. */
typedef struct st_turns {
    st_turn turn[ST_ROUTE_LEGS_MAX];
    int     count;
} st_turns;

/* The blanks of a route, in order. */
st_turns st_route_answer(const st_route *route);

/* The answer and its rivals, all different and of one length, the answer first. One blank: the
 * three turns. More: one rival that differs in a single later blank, one in the first blank alone,
 * and the mirror image (left for right); where two of these agree, random ones take their place.
 *
 *   options  (4)      key  of the draws, such as a hash of the route
 *
 * Returns the number of options: 3 for one blank, else 4.
 */
int st_route_options(st_turns options[ST_ROUTE_OPTIONS_MAX], const st_turns *answer, uint64_t key);

/* "Turn Back, Turn Left" into `text`; returns text. */
const char *st_turns_print(char text[64], const st_turns *turns);

#endif
