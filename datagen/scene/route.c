/* route.c - all short routes of a room, and the few worth asking for. */
#include "datagen/scene/route.h"

#include "datagen/scene/route_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEG_PER_RAD 57.295779513082321

/* Legs that the search may try from one start. Rooms of thirty objects stay far below it; halls
 * with hundreds give up the deepest routes, which nobody would want to read. */
enum { TRIES_PER_START = 4000 };

/* Routes kept by number of blanks, of 20: the shares of data.md 5.9, step 8. */
static const int QUOTA[ST_ROUTE_LEGS_MAX + 1] = {0, 7, 9, 3, 1};

st_turn st_turn_of(double turn_deg)
{
    const double size = fabs(turn_deg);
    if (size <= 20.0)
        return ST_TURN_NONE;
    if (size >= 160.0)
        return ST_TURN_BACK;
    if (size >= 50.0 && size <= 130.0)
        return turn_deg > 0.0 ? ST_TURN_LEFT : ST_TURN_RIGHT;
    return ST_TURN_UNCLEAR;
}

double st_turn_margin_deg(double turn_deg)
{
    const double size = fabs(turn_deg);
    if (size <= 35.0)
        return 20.0 - size;
    if (size >= 145.0)
        return size - 160.0;
    return fmin(size - 50.0, 130.0 - size);
}

const char *st_turn_name(st_turn turn)
{
    static const char *const names[] = {"Go Straight", "Turn Left", "Turn Right", "Turn Back",
                                        "unclear"};
    return names[turn];
}

/* From heading a to heading b, left positive, in (-180,180]. */
static double turn_between(double a_rad, double b_rad)
{
    double deg = fmod((b_rad - a_rad) * DEG_PER_RAD, 360.0);
    if (deg > 180.0)
        deg -= 360.0;
    if (deg <= -180.0)
        deg += 360.0;
    return deg;
}

/* --- search --- */

typedef struct searcher {
    const sti_floorplan *plan;
    st_arena *arena;
    st_route *found;
    size_t    count, capacity;
    int       tries;            /* left for this start */
    int       start;            /* landmark            */
    int       depth;
    bool     *sees;             /* (landmarks) from this start */
    int       mark[ST_ROUTE_LEGS_MAX];
    sti_leg   leg[ST_ROUTE_LEGS_MAX];
} searcher;

static const double *place(const searcher *s, int step)
{
    return step == 0 ? s->plan->marks[s->start].stand_m : s->leg[step - 1].stop_m;
}

/* Does the newest leg come near a stop before its own beginning? */
static bool comes_back(const searcher *s, const sti_leg *leg)
{
    st_footprint way = {.count = 2};            /* a line, which measures distances as well */
    memcpy(way.xy_m[0], place(s, s->depth), sizeof way.xy_m[0]);
    memcpy(way.xy_m[1], leg->stop_m, sizeof way.xy_m[1]);
    for (int step = 0; step < s->depth; step++) {
        const double *stop = place(s, step);
        if (st_footprint_point_distance(&way, stop[0], stop[1]) < ST_ROUTE_LOOP_M)
            return true;
    }
    return false;
}

static double micro(double x)
{
    return st_round_decimals(x, 6);
}

/* Points as a file will hold them, and the turns that they then make. */
static void settle(st_route *route, const double facing_m[2])
{
    double at[2] = {micro(route->from_m[0]), micro(route->from_m[1])};
    double heading = atan2(facing_m[1] - at[1], facing_m[0] - at[0]);
    memcpy(route->from_m, at, sizeof at);
    route->clearance_m = micro(fmin(route->clearance_m, ST_ROUTE_LEG_M_MAX));  /* no wall at all */
    route->blank_count = 0;
    for (int i = 0; i < route->leg_count; i++) {
        st_route_leg *leg = &route->legs[i];
        for (int k = 0; k < 2; k++) {
            leg->aim_m[k] = micro(leg->aim_m[k]);
            leg->stop_m[k] = micro(leg->stop_m[k]);
        }
        leg->reach_m = micro(leg->reach_m);
        const double next = atan2(leg->aim_m[1] - at[1], leg->aim_m[0] - at[0]);
        leg->turn_deg = micro(turn_between(heading, next));
        leg->turn = st_turn_of(leg->turn_deg);
        route->blank_count += leg->turn != ST_TURN_NONE;
        heading = next;
        memcpy(at, leg->stop_m, sizeof at);
    }
}

static bool is_clear(const st_route *route)
{
    for (int i = 0; i < route->leg_count; i++) {
        const st_turn turn = route->legs[i].turn;
        const bool to_what_is_faced = i == 0 && route->legs[0].object == route->facing;
        if (turn == ST_TURN_UNCLEAR || (turn == ST_TURN_NONE) != to_what_is_faced)
            return false;
    }
    return route->blank_count > 0;
}

/* The legs so far are a route for everything that one can face at the start: what the first leg
 * leads to (no turn), or what makes the first turn a clear one. */
static st_status add_routes(searcher *s)
{
    const double *from = place(s, 0);
    for (int b = 0; b < s->plan->mark_count; b++) {
        const sti_landmark *facing = &s->plan->marks[b];
        if (!s->sees[b])
            continue;
        st_route route = {.start = s->plan->marks[s->start].object,
                          .facing = facing->object,
                          .leg_count = s->depth,
                          .from_m = {from[0], from[1]},
                          .clearance_m = DBL_MAX};
        for (int i = 0; i < s->depth; i++) {
            const sti_leg *walked = &s->leg[i];
            st_route_leg *leg = &route.legs[i];
            leg->object = s->plan->marks[s->mark[i]].object;
            leg->reach_m = walked->reach_m;
            memcpy(leg->aim_m, walked->aim_m, sizeof leg->aim_m);
            memcpy(leg->stop_m, walked->stop_m, sizeof leg->stop_m);
            route.clearance_m = fmin(route.clearance_m, walked->clearance_m);
        }
        settle(&route, facing->center_m);
        if (!is_clear(&route))
            continue;
        ST_TRY(ST_GROW(s->arena, &s->found, &s->capacity, s->count + 1));
        s->found[s->count++] = route;
    }
    return st_ok();
}

/* What can be looked at from the start of this search. */
static void look_around(searcher *s)
{
    const double *from = s->plan->marks[s->start].stand_m;
    for (int b = 0; b < s->plan->mark_count; b++) {
        const sti_landmark *mark = &s->plan->marks[b];
        s->sees[b] = mark->usable && b != s->start &&
                     hypot(mark->center_m[0] - from[0], mark->center_m[1] - from[1]) >=
                         ST_ROUTE_FACING_M_MIN &&
                     sti_can_see(s->plan, from, b);
    }
}

/* Is a landmark, or what it stands on, the start or a waypoint already? */
static bool was_there(const searcher *s, int mark)
{
    const sti_landmark *marks = s->plan->marks;
    bool visited = mark == s->start || sti_share_a_place(&marks[mark], &marks[s->start]);
    for (int i = 0; i < s->depth; i++)
        visited = visited || mark == s->mark[i] ||
                  sti_share_a_place(&marks[mark], &marks[s->mark[i]]);
    return visited;
}

static st_status extend(searcher *s)
{
    if (s->depth > 0)
        ST_TRY(add_routes(s));
    if (s->depth == ST_ROUTE_LEGS_MAX)
        return st_ok();
    const int here = s->depth == 0 ? s->start : s->mark[s->depth - 1];
    for (int next = 0; next < s->plan->mark_count && s->tries > 0; next++) {
        if (!s->plan->marks[next].usable || was_there(s, next))
            continue;
        s->tries--;
        sti_leg leg;
        if (!sti_leg_walk(&leg, s->plan, place(s, s->depth), here, next) || comes_back(s, &leg))
            continue;
        if (s->depth > 0) {
            const st_turn turn =
                st_turn_of(turn_between(s->leg[s->depth - 1].heading_rad, leg.heading_rad));
            if (turn == ST_TURN_UNCLEAR || turn == ST_TURN_NONE)
                continue;
        }
        s->leg[s->depth] = leg;
        s->mark[s->depth++] = next;
        ST_TRY(extend(s));
        s->depth--;
    }
    return st_ok();
}

/* --- robustness --- */

static int mark_of(const sti_floorplan *plan, int object)
{
    for (int i = 0; i < plan->mark_count; i++)
        if (plan->marks[i].object == object)
            return i;
    return -1;
}

/* Walk the same waypoints from a moved start with a disturbed view: the same turns? */
static bool keeps_turns(const sti_floorplan *plan, const st_route *route, const double from_m[2],
                        double off_rad)
{
    const double *facing = plan->marks[mark_of(plan, route->facing)].center_m;
    double heading = atan2(facing[1] - from_m[1], facing[0] - from_m[0]) + off_rad;
    double at[2] = {from_m[0], from_m[1]};
    int here = mark_of(plan, route->start);
    for (int i = 0; i < route->leg_count; i++) {
        const int to = mark_of(plan, route->legs[i].object);
        sti_leg leg;
        if (!sti_leg_walk(&leg, plan, at, here, to) ||
            st_turn_of(turn_between(heading, leg.heading_rad)) != route->legs[i].turn)
            return false;
        heading = leg.heading_rad;
        memcpy(at, leg.stop_m, sizeof at);
        here = to;
    }
    return true;
}

/* Nine starts, 25 cm apart in both directions, their views off by -8, 0 or +8 degrees so that
 * every shift along either axis meets every error once (a Latin square). Starts that are not free
 * are not tried. */
static bool is_robust(st_route *route, const sti_floorplan *plan)
{
    static const double MOVE_M = 0.25, OFF_RAD = 8.0 / DEG_PER_RAD;
    route->robust_cases = route->robust_kept = 0;
    for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++) {
            const double from_m[2] = {route->from_m[0] + i * MOVE_M, route->from_m[1] + j * MOVE_M};
            if (!sti_is_free(plan->grid, from_m[0], from_m[1]))
                continue;
            const double off_rad = ((i + j + 3) % 3 - 1) * OFF_RAD;
            route->robust_cases++;
            route->robust_kept += keeps_turns(plan, route, from_m, off_rad);
        }
    return 9 * route->robust_kept >= 7 * route->robust_cases && route->robust_kept > 0;
}

/* --- choice --- */

/* Two blanks, one, three, four; then the widest; then by the objects: a total order. */
static int by_preference(const void *pa, const void *pb)
{
    static const int rank[ST_ROUTE_LEGS_MAX + 1] = {9, 1, 0, 2, 3};
    const st_route *a = pa, *b = pb;
    if (a->blank_count != b->blank_count)
        return rank[a->blank_count] < rank[b->blank_count] ? -1 : 1;
    if (a->clearance_m != b->clearance_m)
        return a->clearance_m > b->clearance_m ? -1 : 1;
    if (a->leg_count != b->leg_count)
        return a->leg_count < b->leg_count ? -1 : 1;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    for (int i = 0; i < a->leg_count; i++)
        if (a->legs[i].object != b->legs[i].object)
            return a->legs[i].object < b->legs[i].object ? -1 : 1;
    return (a->facing > b->facing) - (a->facing < b->facing);
}

static bool is_new(const st_route *kept, size_t count, const st_route *route)
{
    const int destination = route->legs[route->leg_count - 1].object;
    for (size_t i = 0; i < count; i++)
        if (kept[i].start == route->start &&
            kept[i].legs[kept[i].leg_count - 1].object == destination)
            return false;
    return true;
}

/* First every number of blanks up to its quota, then what is left in the order of preference. */
static size_t choose(st_route *kept, st_route *found, size_t count, const sti_floorplan *plan)
{
    size_t chosen = 0;
    int of_blanks[ST_ROUTE_LEGS_MAX + 1] = {0};
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < count && chosen < ST_ROUTES_MAX; i++) {
            st_route *route = &found[i];
            if (round == 0 && of_blanks[route->blank_count] == QUOTA[route->blank_count])
                continue;
            if (!is_new(kept, chosen, route) || !is_robust(route, plan))
                continue;
            of_blanks[route->blank_count]++;
            kept[chosen++] = *route;
        }
    qsort(kept, chosen, sizeof *kept, by_preference);
    return chosen;
}

st_status st_routes_find(st_route **routes, size_t *count, st_arena *arena, const st_scene *scene,
                         const st_floor_grid *grid)
{
    st_route *kept;
    sti_floorplan plan;
    ST_TRY(ST_ALLOC(arena, &kept, ST_ROUTES_MAX));
    const st_arena_mark mark = st_arena_mark_get(arena);
    searcher s = {.plan = &plan, .arena = arena};
    st_status status = sti_floorplan_make(&plan, arena, scene, grid);
    if (status.code == ST_OK)
        status = ST_ALLOC(arena, &s.sees, (size_t)plan.mark_count);
    for (int start = 0; status.code == ST_OK && start < plan.mark_count; start++) {
        s.start = start;
        s.tries = TRIES_PER_START;
        if (!plan.marks[start].usable)
            continue;
        look_around(&s);
        status = extend(&s);
    }
    if (status.code == ST_OK) {
        if (s.count > 0)
            qsort(s.found, s.count, sizeof *s.found, by_preference);
        *count = choose(kept, s.found, s.count, &plan);
        *routes = kept;
    }
    st_arena_rewind(arena, mark);
    return status;
}
