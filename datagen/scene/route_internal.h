/* route_internal.h - what a walker knows of a room; only route*.c include it.
 *
 * May include: as route.h.
 */
#ifndef STI_SCENE_ROUTE_INTERNAL_H
#define STI_SCENE_ROUTE_INTERNAL_H

#include "datagen/scene/route.h"
#include "geometry/kdtree.h"

/* An object as seen from above by someone who walks. */
typedef struct sti_landmark {
    int          object;
    st_footprint feet;
    double       center_m[2];
    bool         solid;         /* stands where a walker meets it: between 0.15 and 1.6 m    */
    bool         low;           /* one looks over it                                         */
    bool         usable;        /* a referent with a place to stand beside it                */
    double       stand_m[2];
} sti_landmark;

typedef struct sti_floorplan {
    const st_floor_grid *grid;
    sti_landmark *marks;
    int           mark_count;
    st_kdtree     walls;        /* centres of the cells that are not free */
    bool          any_walls;
} sti_floorplan;

typedef struct sti_leg {
    double aim_m[2], stop_m[2];
    double heading_rad;
    double reach_m;
    double clearance_m;
} sti_leg;

ST_CHECKED st_status sti_floorplan_make(sti_floorplan *plan, st_arena *arena,
                                        const st_scene *scene, const st_floor_grid *grid);

/* Walk from a point beside landmark `from` (-1: beside nothing) straight to landmark `to`; false
 * when no heading leads there (data.md 5.9, steps 3 and 4). */
bool sti_leg_walk(sti_leg *leg, const sti_floorplan *plan, const double from_m[2], int from,
                  int to);

/* A pillow on the bed is no other place than the bed, nor is the sink in the counter. */
bool sti_share_a_place(const sti_landmark *a, const sti_landmark *b);

/* Does the floor, or what is low enough to look over, lie between a point and a landmark? Walls and
 * cupboards block. */
bool sti_can_see(const sti_floorplan *plan, const double from_m[2], int to);

bool sti_is_free(const st_floor_grid *grid, double x_m, double y_m);

#endif
