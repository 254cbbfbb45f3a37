/* route_walk.c - where one can stand beside an object, and straight walks from there. */
#include "datagen/scene/route_internal.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double CONE_RAD = ST_ROUTE_CONE_DEG * 0.017453292519943295;
static const double EYE_M = 1.2;                /* lower things hide nothing */

bool sti_is_free(const st_floor_grid *grid, double x_m, double y_m)
{
    const int64_t cell = st_floor_grid_at(grid, x_m, y_m);
    return cell >= 0 && grid->cells[cell] & ST_CELL_FREE;
}

/* --- standing --- */

/* Direction of the longest side, as a unit vector. */
static void longest_side(double dir[2], const st_footprint *f)
{
    double longest = -1.0;
    dir[0] = 1.0;
    dir[1] = 0.0;
    for (int i = 0; i < f->count; i++) {
        const double *p = f->xy_m[i], *q = f->xy_m[(i + 1) % f->count];
        const double dx = q[0] - p[0], dy = q[1] - p[1], length = hypot(dx, dy);
        if (length > longest && length > 0.0) {
            longest = length;
            dir[0] = dx / length;
            dir[1] = dy / length;
        }
    }
}

/* The free cell that is nearest to the object, and before the middle of its longest side. */
static bool find_stand(sti_landmark *mark, const st_floor_grid *grid)
{
    double dir[2], best = DBL_MAX;
    longest_side(dir, &mark->feet);
    for (int64_t c = 0; c < (int64_t)grid->columns * grid->rows; c++) {
        if (!(grid->cells[c] & ST_CELL_FREE))
            continue;
        double xy[2];
        st_floor_grid_center(grid, c, xy);
        const double dx = xy[0] - mark->center_m[0], dy = xy[1] - mark->center_m[1];
        const double apart = st_footprint_point_distance(&mark->feet, xy[0], xy[1]);
        if (!(apart >= ST_ROUTE_STAND_M_MIN && apart <= ST_ROUTE_STAND_M_MAX))
            continue;
        const double cost = apart + 0.1 * fabs(dx * dir[0] + dy * dir[1]);
        if (cost < best) {
            best = cost;
            memcpy(mark->stand_m, xy, sizeof xy);
        }
    }
    return best < DBL_MAX;
}

static st_status gather_walls(sti_floorplan *plan, st_arena *arena)
{
    const st_floor_grid *grid = plan->grid;
    const int64_t cells = (int64_t)grid->columns * grid->rows;
    double (*walls)[3];
    size_t count = 0;
    ST_TRY(ST_ALLOC(arena, &walls, (size_t)cells));
    for (int64_t c = 0; c < cells; c++)
        if (!(grid->cells[c] & ST_CELL_FREE))
            st_floor_grid_center(grid, c, walls[count++]);
    plan->any_walls = count > 0;
    return count > 0 ? st_kdtree_build(&plan->walls, arena, (const double (*)[3])walls, count)
                     : st_ok();
}

st_status sti_floorplan_make(sti_floorplan *plan, st_arena *arena, const st_scene *scene,
                             const st_floor_grid *grid)
{
    *plan = (sti_floorplan){.grid = grid};
    ST_TRY(gather_walls(plan, arena));
    ST_TRY(ST_ALLOC(arena, &plan->marks, scene->object_count));
    for (size_t i = 0; i < scene->object_count; i++) {
        const st_object *object = &scene->objects[i];
        double low[3], high[3];
        if (!object->label)
            continue;
        sti_landmark *mark = &plan->marks[plan->mark_count++];
        st_obb_bounds(low, high, &object->box);
        const double bottom = low[2] - scene->room.floor_z_m, top = high[2] - scene->room.floor_z_m;
        *mark = (sti_landmark){.object = (int)i,
                               .feet = st_obb_footprint(&object->box),
                               .center_m = {object->box.center_m[0], object->box.center_m[1]},
                               .solid = top > ST_ROUTE_SOLID_M_MIN && bottom < ST_ROUTE_SOLID_M_MAX,
                               .low = top <= EYE_M};
        mark->usable = object->referent && mark->solid && bottom < ST_ROUTE_BOTTOM_M_MAX &&
                       find_stand(mark, grid);
    }
    return st_ok();
}

/* --- looking --- */

static bool low_thing_at(const sti_floorplan *plan, const double p[2])
{
    for (int i = 0; i < plan->mark_count; i++)
        if (plan->marks[i].low &&
            st_footprint_point_distance(&plan->marks[i].feet, p[0], p[1]) <= ST_ROUTE_INFLATE_M)
            return true;
    return false;
}

bool sti_can_see(const sti_floorplan *plan, const double from_m[2], int to)
{
    const sti_landmark *mark = &plan->marks[to];
    const double dx = mark->center_m[0] - from_m[0], dy = mark->center_m[1] - from_m[1];
    const int steps = (int)(hypot(dx, dy) / (0.5 * ST_FLOOR_CELL_M));
    for (int i = 0; i <= steps; i++) {
        const double p[2] = {from_m[0] + dx * i / (steps + 1), from_m[1] + dy * i / (steps + 1)};
        if (st_footprint_point_distance(&mark->feet, p[0], p[1]) <= ST_ROUTE_INFLATE_M)
            return true;
        const int64_t cell = st_floor_grid_at(plan->grid, p[0], p[1]);
        const bool open = cell >= 0 && plan->grid->cells[cell] & ST_CELL_FLOOR &&
                          !(plan->grid->cells[cell] & ST_CELL_OBSTACLE);
        if (!open && !low_thing_at(plan, p))
            return false;
    }
    return true;
}

/* --- walking --- */

/* How far along a ray the inflated footprint begins; infinite when it is missed. Steps as long as
 * the free distance allows never overshoot. */
static double ray_hit(const st_footprint *feet, const double from_m[2], const double dir[2])
{
    static const double NEAR_M = 1e-6;
    enum { STEPS_MAX = 1000 };
    double along = 0.0;
    for (int step = 0; step < STEPS_MAX && along <= ST_ROUTE_LEG_M_MAX; step++) {
        const double gap = st_footprint_point_distance(feet, from_m[0] + along * dir[0],
                                                       from_m[1] + along * dir[1]) -
                           ST_ROUTE_INFLATE_M;
        if (gap <= NEAR_M)
            return along;
        along += gap;
    }
    return INFINITY;
}

bool sti_share_a_place(const sti_landmark *a, const sti_landmark *b)
{
    return st_footprint_point_distance(&a->feet, b->center_m[0], b->center_m[1]) == 0.0 ||
           st_footprint_point_distance(&b->feet, a->center_m[0], a->center_m[1]) == 0.0;
}

/* Would someone who walks this way meet another object first, or take it for the one meant? */
static bool is_hidden(const sti_floorplan *plan, const double from_m[2], double heading_rad,
                      double reach_m, int from, int to)
{
    const double low = heading_rad - CONE_RAD, high = heading_rad + CONE_RAD;
    const st_footprint cone = {
        .xy_m = {{from_m[0], from_m[1]},
                 {from_m[0] + reach_m * cos(low), from_m[1] + reach_m * sin(low)},
                 {from_m[0] + reach_m * cos(high), from_m[1] + reach_m * sin(high)}},
        .count = 3};
    for (int i = 0; i < plan->mark_count; i++) {
        const sti_landmark *mark = &plan->marks[i];
        if (i == to || i == from || !mark->solid ||
            sti_share_a_place(mark, &plan->marks[to]) ||
            (from >= 0 && sti_share_a_place(mark, &plan->marks[from])))
            continue;
        if (st_footprint_distance(&cone, &mark->feet) < ST_ROUTE_INFLATE_M)
            return true;
    }
    return false;
}

/* The free cell nearest to a point, within 15 cm. */
static bool snap(double xy_m[2], const st_floor_grid *grid)
{
    const int reach = (int)ceil(ST_ROUTE_SNAP_M / ST_FLOOR_CELL_M);
    double best = ST_ROUTE_SNAP_M, found[2] = {0.0, 0.0};
    bool any = false;
    for (int dr = -reach; dr <= reach; dr++)
        for (int dc = -reach; dc <= reach; dc++) {
            double at[2];
            const int64_t cell = st_floor_grid_at(grid, xy_m[0] + dc * ST_FLOOR_CELL_M,
                                                  xy_m[1] + dr * ST_FLOOR_CELL_M);
            if (cell < 0 || !(grid->cells[cell] & ST_CELL_FREE))
                continue;
            st_floor_grid_center(grid, cell, at);
            const double apart = hypot(at[0] - xy_m[0], at[1] - xy_m[1]);
            if (apart < best || (!any && apart <= best)) {
                best = apart;
                memcpy(found, at, sizeof found);
                any = true;
            }
        }
    if (any)
        memcpy(xy_m, found, sizeof found);
    return any;
}

/* Is every cell on the way free? The robot's radius is off the free cells already, so the middle
 * of its corridor decides for the whole. */
static bool way_is_free(double *clearance_m, const sti_floorplan *plan, const double from_m[2],
                        const double dir[2], double length_m)
{
    static const double STEP_M = 0.01;
    double least2 = DBL_MAX;
    const int steps = (int)(length_m / STEP_M);
    for (int i = 0; i <= steps; i++) {
        const double p[3] = {from_m[0] + i * STEP_M * dir[0], from_m[1] + i * STEP_M * dir[1], 0.0};
        if (!sti_is_free(plan->grid, p[0], p[1]))
            return false;
        if (plan->any_walls && i % 5 == 0)      /* every cell or so */
            st_kdtree_nearest(&plan->walls, p, &least2);
    }
    *clearance_m = sqrt(least2);
    return true;
}

static bool try_heading(sti_leg *leg, const sti_floorplan *plan, const double from_m[2], int from,
                        int to, const double aim_m[2])
{
    const double heading = atan2(aim_m[1] - from_m[1], aim_m[0] - from_m[0]);
    const double dir[2] = {cos(heading), sin(heading)};
    const double hit_m = ray_hit(&plan->marks[to].feet, from_m, dir);
    if (!(hit_m >= ST_ROUTE_LEG_M_MIN && hit_m <= ST_ROUTE_LEG_M_MAX))
        return false;
    if (is_hidden(plan, from_m, heading, hit_m, from, to))
        return false;

    const double length_m = hit_m - ST_ROUTE_STOP_M;
    sti_leg made = {.heading_rad = heading,
                    .reach_m = hit_m,
                    .aim_m = {aim_m[0], aim_m[1]},
                    .stop_m = {from_m[0] + length_m * dir[0], from_m[1] + length_m * dir[1]}};
    /* The last 15 cm may lie in a cell that is not free: the stop moves to one that is. */
    if (!snap(made.stop_m, plan->grid) ||
        !way_is_free(&made.clearance_m, plan, from_m, dir, length_m - ST_ROUTE_SNAP_M))
        return false;
    *leg = made;
    return true;
}

bool sti_leg_walk(sti_leg *leg, const sti_floorplan *plan, const double from_m[2], int from,
                  int to)
{
    const sti_landmark *mark = &plan->marks[to];
    if (hypot(mark->center_m[0] - from_m[0], mark->center_m[1] - from_m[1]) < ST_ROUTE_LEG_M_MIN)
        return false;
    if (try_heading(leg, plan, from_m, from, to, mark->center_m))
        return true;
    for (int i = 0; i < mark->feet.count; i++) {
        const double *p = mark->feet.xy_m[i], *q = mark->feet.xy_m[(i + 1) % mark->feet.count];
        const double middle[2] = {0.5 * (p[0] + q[0]), 0.5 * (p[1] + q[1])};
        /* Counter-clockwise: a side is seen from its right. */
        const double side = (q[0] - p[0]) * (from_m[1] - p[1]) - (q[1] - p[1]) * (from_m[0] - p[0]);
        if (side < 0.0 && try_heading(leg, plan, from_m, from, to, middle))
            return true;
    }
    return false;
}
