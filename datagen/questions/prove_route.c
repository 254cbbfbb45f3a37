/* prove_route.c - walk a route of a scene again, with nothing but boxes and stop points.
 *
 * The generator walked on the floor grid of the scan. Here its way is held against the boxes: does
 * it start beside the start, lead straight towards each waypoint, meet nothing else first, and turn
 * as it says? What only the grid knows (free cells, clearance, disturbed starts, sight) is taken as
 * the scene has it; a scene measured from its scan has found it anew.
 *
 * Distances here are between outlines, edge by edge; the generator steps along rays.
 */
#include "datagen/questions/prove_internal.h"
#include "datagen/questions/prove_plain.h"

#include "datagen/scene/route.h"

#include <math.h>
#include <string.h>

#define RAD_PER_DEG 0.017453292519943295

/* The file rounds points to a micrometre; a hundredth of a millimetre is beyond doubt. */
static const double SLACK_M = 1e-5, SLACK_DEG = 1e-4;

typedef struct outline {
    double xy_m[8][2];
    int    count;
} outline;

/* --- the plane, the long way ------------------------------------------------------------------ */

static double to_segment_m(const double a[2], const double b[2], const double p[2])
{
    const double dx = b[0] - a[0], dy = b[1] - a[1], square = dx * dx + dy * dy;
    double along = square > 0.0 ? ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / square : 0.0;
    along = along < 0.0 ? 0.0 : along > 1.0 ? 1.0 : along;
    return hypot(a[0] + along * dx - p[0], a[1] + along * dy - p[1]);
}

static double side_of(const double a[2], const double b[2], const double p[2])
{
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
}

static bool holds(const outline *o, const double p[2])
{
    for (int i = 0; i < o->count; i++)
        if (side_of(o->xy_m[i], o->xy_m[(i + 1) % o->count], p) < 0.0)
            return false;
    return o->count > 2;
}

static double from_outline_m(const outline *o, const double p[2])
{
    if (holds(o, p))
        return 0.0;
    double least_m = INFINITY;
    for (int i = 0; i < o->count; i++)
        least_m = fmin(least_m, to_segment_m(o->xy_m[i], o->xy_m[(i + 1) % o->count], p));
    return least_m;
}

static bool cross(const double a[2], const double b[2], const double c[2], const double d[2])
{
    return side_of(a, b, c) * side_of(a, b, d) < 0.0 && side_of(c, d, a) * side_of(c, d, b) < 0.0;
}

static double between_m(const outline *a, const outline *b)
{
    double least_m = INFINITY;
    for (int i = 0; i < a->count; i++) {
        least_m = fmin(least_m, from_outline_m(b, a->xy_m[i]));
        for (int k = 0; k < b->count; k++)
            if (cross(a->xy_m[i], a->xy_m[(i + 1) % a->count], b->xy_m[k],
                      b->xy_m[(k + 1) % b->count]))
                return 0.0;
    }
    for (int k = 0; k < b->count; k++)
        least_m = fmin(least_m, from_outline_m(a, b->xy_m[k]));
    return least_m;
}

/* Where a ray first comes within `gap` of an outline: on a side moved outwards, or on the circle
 * around a corner. Infinite when it passes by. */
static double ray_to_outline_m(const outline *o, const double from[2], const double dir[2],
                               double gap)
{
    double first_m = INFINITY;
    for (int i = 0; i < o->count; i++) {
        const double *a = o->xy_m[i], *b = o->xy_m[(i + 1) % o->count];
        const double length = hypot(b[0] - a[0], b[1] - a[1]);
        const double nx = (b[1] - a[1]) / length, ny = -(b[0] - a[0]) / length;     /* outwards */
        const double into = -(dir[0] * nx + dir[1] * ny);
        const double away = (from[0] - a[0]) * nx + (from[1] - a[1]) * ny - gap;
        if (into > 0.0 && away >= 0.0) {
            const double t = away / into;
            const double along = ((from[0] + t * dir[0] - a[0]) * (b[0] - a[0]) +
                                  (from[1] + t * dir[1] - a[1]) * (b[1] - a[1])) / length;
            if (along >= 0.0 && along <= length)
                first_m = fmin(first_m, t);
        }
        const double cx = a[0] - from[0], cy = a[1] - from[1], middle = cx * dir[0] + cy * dir[1];
        const double half2 = gap * gap - (cx * cx + cy * cy - middle * middle);
        if (half2 >= 0.0 && middle - sqrt(half2) >= 0.0)
            first_m = fmin(first_m, middle - sqrt(half2));
    }
    return first_m;
}

/* From direction a to direction b, left positive, in (-180,180]. */
static double turn_between_deg(double a_deg, double b_deg)
{
    const double turn = remainder(b_deg - a_deg, 360.0);
    return turn <= -180.0 ? 180.0 : turn;
}

static double heading_deg(const double from[2], const double to[2])
{
    return atan2(to[1] - from[1], to[0] - from[0]) / RAD_PER_DEG;
}

/* The class of a turn, and the degrees to where it would no longer be in it. */
static st_turn class_of(double deg, double *margin_deg)
{
    static const struct {
        double  low_deg, high_deg;
        st_turn turn;
    } classes[] = {{-20, 20, ST_TURN_NONE}, {50, 130, ST_TURN_LEFT}, {-130, -50, ST_TURN_RIGHT},
                   {160, 200, ST_TURN_BACK}, {-200, -160, ST_TURN_BACK}};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (deg >= classes[i].low_deg && deg <= classes[i].high_deg) {
            *margin_deg = fmin(deg - classes[i].low_deg, classes[i].high_deg - deg);
            return classes[i].turn;
        }
    *margin_deg = -1.0;
    return ST_TURN_UNCLEAR;
}

/* --- walking ---------------------------------------------------------------------------------- */

typedef struct walker {
    const st_scene *scene;
    const char    **why;
    st_arena       *arena;
    outline        *outlines;           /* (objects) */
} walker;

#define REFUSE(w, ...) (*(w)->why ? st_ok() : st_arena_printf((w)->arena, (w)->why, __VA_ARGS__))

static const char *label_at(const walker *w, int object)
{
    return w->scene->objects[object].label;
}

static bool share_a_place(const walker *w, int a, int b)
{
    return from_outline_m(&w->outlines[a], w->scene->objects[b].box.center_m) == 0.0 ||
           from_outline_m(&w->outlines[b], w->scene->objects[a].box.center_m) == 0.0;
}

/* Something that a walker meets, between 0.15 and 1.6 m above the floor. */
static bool is_solid(const walker *w, int object)
{
    double corners[8][3], low = INFINITY, high = -INFINITY;
    sti_plain_corners(corners, &w->scene->objects[object].box);
    for (int i = 0; i < 8; i++) {
        low = fmin(low, corners[i][2] - w->scene->room.floor_z_m);
        high = fmax(high, corners[i][2] - w->scene->room.floor_z_m);
    }
    return high > ST_ROUTE_SOLID_M_MIN && low < ST_ROUTE_SOLID_M_MAX;
}

/* Is the aim the middle of the object, or of one of its sides? */
static bool is_aim(const walker *w, int object, const double aim[2])
{
    const outline *o = &w->outlines[object];
    const double *center = w->scene->objects[object].box.center_m;
    double least_m = hypot(aim[0] - center[0], aim[1] - center[1]);
    for (int i = 0; i < o->count; i++) {
        const double *a = o->xy_m[i], *b = o->xy_m[(i + 1) % o->count];
        least_m = fmin(least_m, hypot(aim[0] - 0.5 * (a[0] + b[0]), aim[1] - 0.5 * (a[1] + b[1])));
    }
    return least_m <= SLACK_M;
}

/* Ten degrees to either side of the way nothing else may be met before the waypoint. */
static st_status check_cone(walker *w, const double at[2], double deg, double reach_m, int from,
                            int to)
{
    outline cone = {.xy_m = {{at[0], at[1]}}, .count = 3};
    for (int i = 0; i < 2; i++) {
        const double side = (deg + (i ? 1 : -1) * ST_ROUTE_CONE_DEG) * RAD_PER_DEG;
        cone.xy_m[1 + i][0] = at[0] + reach_m * cos(side);
        cone.xy_m[1 + i][1] = at[1] + reach_m * sin(side);
    }
    for (int i = 0; i < (int)w->scene->object_count; i++)
        if (i != from && i != to && is_solid(w, i) && !share_a_place(w, i, from) &&
            !share_a_place(w, i, to) &&
            between_m(&cone, &w->outlines[i]) < ST_ROUTE_INFLATE_M - SLACK_M)
            return REFUSE(w, "on the way to \"%s\" object %d (\"%s\") is met first",
                          label_at(w, to), w->scene->objects[i].instance_id, label_at(w, i));
    return st_ok();
}

static st_status check_leg(walker *w, sti_walk *walk, int i, const double at[2], int from)
{
    const st_route_leg *leg = &walk->route->legs[i];
    const char *label = label_at(w, leg->object);
    if (!is_aim(w, leg->object, leg->aim_m))
        return REFUSE(w, "leg %d does not lead to the middle of \"%s\" or of one of its sides",
                      i + 1, label);
    const double deg = heading_deg(at, leg->aim_m);
    const double dir[2] = {cos(deg * RAD_PER_DEG), sin(deg * RAD_PER_DEG)};
    const double reach_m =
        ray_to_outline_m(&w->outlines[leg->object], at, dir, ST_ROUTE_INFLATE_M);
    if (!(fabs(reach_m - leg->reach_m) <= 10.0 * SLACK_M))
        return REFUSE(w, "leg %d: \"%s\" is %.4f m ahead, the route says %.4f m", i + 1, label,
                      reach_m, leg->reach_m);
    const double stop[2] = {at[0] + (reach_m - ST_ROUTE_STOP_M) * dir[0],
                            at[1] + (reach_m - ST_ROUTE_STOP_M) * dir[1]};
    if (!(hypot(stop[0] - leg->stop_m[0], stop[1] - leg->stop_m[1]) <=
          ST_ROUTE_SNAP_M + 10.0 * SLACK_M))
        return REFUSE(w, "leg %d does not stop before \"%s\"", i + 1, label);
    walk->heading_deg[i] = deg;
    walk->shortest_m = fmin(walk->shortest_m, leg->reach_m);
    walk->longest_m = fmax(walk->longest_m, leg->reach_m);
    return check_cone(w, at, deg, reach_m, from, leg->object);
}

static st_status check_turn(walker *w, sti_walk *walk, int i)
{
    const st_route *route = walk->route;
    double margin_deg;
    const double before_deg = i == 0 ? walk->facing_deg : walk->heading_deg[i - 1];
    const double deg = turn_between_deg(before_deg, walk->heading_deg[i]);
    const st_turn turn = class_of(deg, &margin_deg);
    const double said_deg = route->legs[i].turn_deg;
    if (turn != route->legs[i].turn ||
        fabs(turn_between_deg(deg, said_deg)) > SLACK_DEG)
        return REFUSE(w, "the turn before leg %d is %.4f degrees (%s), the route says %.4f (%s)",
                      i + 1, deg, st_turn_name(turn), said_deg,
                      st_turn_name(route->legs[i].turn));
    const bool straight = i == 0 && route->legs[0].object == route->facing;
    if (turn == ST_TURN_UNCLEAR || (turn == ST_TURN_NONE) != straight)
        return REFUSE(w, "the turn before leg %d is %.1f degrees, which no answer names", i + 1,
                      deg);
    /* The file has it rounded to a millionth of a degree, and that is what records quote. */
    class_of(said_deg, &margin_deg);
    walk->turn_deg[i] = said_deg;
    walk->turn_margin_deg = fmin(walk->turn_margin_deg, margin_deg);
    if (turn != ST_TURN_NONE) {
        if (walk->answer.count == 0)
            walk->first_deg = said_deg;
        walk->answer.turn[walk->answer.count++] = turn;
    }
    return st_ok();
}

/* No place twice, and no way that comes near an earlier stop. */
static st_status check_loops(walker *w, const st_route *route)
{
    const double *stops[1 + ST_ROUTE_LEGS_MAX] = {route->from_m};
    int places[1 + ST_ROUTE_LEGS_MAX] = {route->start};
    for (int i = 0; i < route->leg_count; i++) {
        stops[i + 1] = route->legs[i].stop_m;
        places[i + 1] = route->legs[i].object;
        for (int k = 0; k <= i; k++) {
            if (places[k] == places[i + 1] || share_a_place(w, places[k], places[i + 1]))
                return REFUSE(w, "the route comes to \"%s\" and \"%s\", which are one place",
                              label_at(w, places[k]), label_at(w, places[i + 1]));
            if (k < i && to_segment_m(stops[i], stops[i + 1], stops[k]) <
                             ST_ROUTE_LOOP_M - SLACK_M)
                return REFUSE(w, "leg %d comes back to \"%s\"", i + 1, label_at(w, places[k]));
        }
    }
    return st_ok();
}

static st_status check_route(walker *w, sti_walk *walk)
{
    const st_route *route = walk->route;
    const double *facing = w->scene->objects[route->facing].box.center_m, *at = route->from_m;
    const double beside_m = from_outline_m(&w->outlines[route->start], at);
    walk->facing_m = hypot(facing[0] - at[0], facing[1] - at[1]);
    walk->facing_deg = heading_deg(at, facing);
    if (!(beside_m >= ST_ROUTE_STAND_M_MIN - SLACK_M && beside_m <= ST_ROUTE_STAND_M_MAX + SLACK_M))
        ST_TRY(REFUSE(w, "the route starts %.3f m from \"%s\"", beside_m,
                      label_at(w, route->start)));
    if (route->facing == route->start)
        ST_TRY(REFUSE(w, "the route faces its own start"));
    ST_TRY(check_loops(w, route));
    int from = route->start;
    for (int i = 0; i < route->leg_count && !*w->why; i++) {
        ST_TRY(check_leg(w, walk, i, at, from));
        if (!*w->why)
            ST_TRY(check_turn(w, walk, i));
        at = route->legs[i].stop_m;
        from = route->legs[i].object;
    }
    return st_ok();
}

static const st_route *find_route(const st_scene *scene, const int *objects, int count)
{
    for (size_t r = 0; r < scene->route_count; r++) {
        const st_route *route = &scene->routes[r];
        bool same = route->leg_count == count - 2 && route->start == objects[0] &&
                    route->facing == objects[1];
        for (int i = 0; same && i < route->leg_count; i++)
            same = route->legs[i].object == objects[2 + i];
        if (same)
            return route;
    }
    return NULL;
}

st_status sti_walk_route(sti_walk *walk, const char **why, st_arena *arena, const st_scene *scene,
                         const int *objects, int count)
{
    walker w = {.scene = scene, .why = why, .arena = arena};
    *walk = (sti_walk){.route = find_route(scene, objects, count),
                       .turn_margin_deg = INFINITY, .shortest_m = INFINITY};
    if (!scene->has_routes)
        return REFUSE(&w, "the scene has no routes: they ask for the scan, or its scene file");
    if (!walk->route)
        return REFUSE(&w, "no route of the scene leads this way");
    ST_TRY(ST_ALLOC(arena, &w.outlines, scene->object_count));
    for (size_t i = 0; i < scene->object_count; i++)
        w.outlines[i].count = sti_plain_outline(w.outlines[i].xy_m, &scene->objects[i].box);
    return check_route(&w, walk);
}
