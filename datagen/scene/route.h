/* route.h - routes through a room that a question can ask for (data.md 5.9).
 *
 * A *route* starts at one object, facing another, and goes from object to object in straight legs;
 * before each leg stands a turn. Turns are what the question leaves blank. All is planned on the
 * free cells of a floor grid, from which the robot's radius has been taken off already. The types
 * stand in scene.h: a scene keeps its routes, because its file keeps no grid.
 *
 * May include: kernels/base, geometry, scene.h.
 */
#ifndef ST_ROUTE_H
#define ST_ROUTE_H

#include "datagen/scene/scene.h"
#include "geometry/floor_grid.h"

#define ST_ROUTE_INFLATE_M 0.10         /* around every footprint                            */
#define ST_ROUTE_LEG_M_MIN 0.8          /* a leg's reach                                     */
#define ST_ROUTE_LEG_M_MAX 8.0
#define ST_ROUTE_STOP_M 0.30            /* it ends this far before the inflated footprint    */
#define ST_ROUTE_SNAP_M 0.15            /* moved by at most this to a free cell              */
#define ST_ROUTE_CONE_DEG 10.0          /* nothing else may be met first, this far aside     */
#define ST_ROUTE_STAND_M_MIN 0.25       /* from the start's footprint to where one stands    */
#define ST_ROUTE_STAND_M_MAX 0.75
#define ST_ROUTE_BOTTOM_M_MAX 1.2       /* what hangs higher is no place to go to            */
#define ST_ROUTE_SOLID_M_MIN 0.15       /* a walker meets what stands between these heights  */
#define ST_ROUTE_SOLID_M_MAX 1.6
#define ST_ROUTE_FACING_M_MIN 0.8       /* to the middle of what is faced at the start       */
#define ST_ROUTE_LOOP_M 0.5             /* a leg keeps away from earlier stops               */

/* The turn that a change of heading is, left positive, in (-180,180]. */
st_turn     st_turn_of(double turn_deg);
const char *st_turn_name(st_turn turn);         /* "Turn Left", ... */

/* Degrees by which a change of heading lies inside its class; negative when it is unclear. */
double st_turn_margin_deg(double turn_deg);

/* At most ST_ROUTES_MAX routes of a scene, most of them with two blanks, wide ones first; at most
 * one for a start and a destination. They live in the arena. The same scene and grid give the same
 * routes. Points are whole micrometres, so that a file gives back what was found.
 *
 *   scene  its referents become starts, what is faced, and waypoints
 *   grid   st_floor_grid_build of its points
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_routes_find(st_route **routes, size_t *count, st_arena *arena,
                                    const st_scene *scene, const st_floor_grid *grid);

#endif
