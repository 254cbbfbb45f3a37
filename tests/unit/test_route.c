/* Routes: rooms whose routes are known by heart, and an agent that walks whatever is found.
 *
 * The agent knows the scanned points and the boxes, and nothing of grids: it would bump into a
 * table that the planner overlooked.
 */
#include "arena_fixture.h"

#include "datagen/scene/route.h"
#include "datagen/scene/route_internal.h"
#include "kernels/base/rng.h"

static const double PI = 3.14159265358979323846;

enum { OBJECTS_MAX = 12, POINTS_MAX = 200000 };

typedef struct house {
    st_arena     *arena;
    double      (*p)[3];        /* every scanned point             */
    double      (*tall)[3];     /* those that one can bump against */
    size_t        n, tall_count;
    st_object     objects[OBJECTS_MAX];
    st_scene      scene;
    st_floor_grid grid;
    st_route     *routes;
    size_t        route_count;
} house;

/* A floor of points 3 cm apart. */
static void add_floor(house *h, double x0, double y0, double x1, double y1)
{
    for (double x = x0; x <= x1 + 1e-9; x += 0.03)
        for (double y = y0; y <= y1 + 1e-9; y += 0.03) {
            const double p[3] = {x, y, 0.0};
            assert_true(h->n < POINTS_MAX);
            memcpy(h->p[h->n++], p, sizeof p);
        }
}

/* An object 0.8 m high with points all over its box. */
static void add_object(house *h, const char *label, double x, double y, double half_x,
                       double half_y)
{
    st_object *o = &h->objects[h->scene.object_count++];
    *o = (st_object){.instance_id = (int)h->scene.object_count,
                     .label = label,
                     .raw_label = label,
                     .referent = true,
                     .box = {.center_m = {x, y, 0.4},
                             .axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                             .half_m = {half_x, half_y, 0.4}}};
    for (double dx = -half_x; dx <= half_x + 1e-9; dx += 0.03)
        for (double dy = -half_y; dy <= half_y + 1e-9; dy += 0.03)
            for (int k = 0; k < 2; k++) {
                const double p[3] = {x + dx, y + dy, k ? 0.8 : 0.3};
                assert_true(h->n < POINTS_MAX);
                memcpy(h->p[h->n++], p, sizeof p);
                memcpy(h->tall[h->tall_count++], p, sizeof p);
            }
}

static house *start_house(st_arena *arena)
{
    house *h;
    st_arena_reset(arena);
    must(ST_ALLOC(arena, &h, 1));
    must(ST_ALLOC(arena, &h->p, POINTS_MAX));
    must(ST_ALLOC(arena, &h->tall, POINTS_MAX));
    h->arena = arena;
    h->scene.objects = h->objects;
    return h;
}

static void plan(house *h)
{
    st_room_area area;
    must(st_room_area_measure(&area, h->arena, (const double (*)[3])h->p, h->n, 1));
    must(st_floor_grid_build(&h->grid, h->arena, area.rings, area.ring_count,
                             (const double (*)[3])h->p, h->n, 0.0));
    must(st_routes_find(&h->routes, &h->route_count, h->arena, &h->scene, &h->grid));
}

static int object_named(const house *h, const char *label)
{
    for (size_t i = 0; i < h->scene.object_count; i++)
        if (strcmp(h->objects[i].label, label) == 0)
            return (int)i;
    fail_msg("no %s", label);
    return -1;
}

/* The route with this start, what is faced (NULL: anything), and these waypoints, or NULL. */
static const st_route *route_of(const house *h, const char *start, const char *facing,
                                const char *const way[], int count)
{
    for (size_t r = 0; r < h->route_count; r++) {
        const st_route *route = &h->routes[r];
        bool same = route->start == object_named(h, start) && route->leg_count == count &&
                    (!facing || route->facing == object_named(h, facing));
        for (int i = 0; i < count && same; i++)
            same = route->legs[i].object == object_named(h, way[i]);
        if (same)
            return route;
    }
    return NULL;
}

/* --- the agent --- */

static double gap_to(const st_object *o, double x, double y)
{
    const double dx = fmax(fabs(x - o->box.center_m[0]) - o->box.half_m[0], 0);
    const double dy = fmax(fabs(y - o->box.center_m[1]) - o->box.half_m[1], 0);
    return hypot(dx, dy);
}

/* Step by step: no scanned point within 13 cm (the robot has 20; a cell's diagonal is 7), no other
 * object than the one left and the one sought within 10 cm. */
static void walk(const house *h, const double from[2], const double to[2], int left, int sought)
{
    const double length = hypot(to[0] - from[0], to[1] - from[1]);
    for (double s = 0; s <= length; s += 0.05) {
        const double x = from[0] + (to[0] - from[0]) * s / length;
        const double y = from[1] + (to[1] - from[1]) * s / length;
        for (size_t i = 0; i < h->tall_count; i++) {
            const double dx = h->tall[i][0] - x, dy = h->tall[i][1] - y;
            if (dx * dx + dy * dy < 0.13 * 0.13)
                fail_msg("bumped at %.2f %.2f", x, y);
        }
        for (size_t o = 0; o < h->scene.object_count; o++)
            if ((int)o != left && (int)o != sought && gap_to(&h->objects[o], x, y) < 0.1)
                fail_msg("%s stands in the way", h->objects[o].label);
    }
}

static void walk_route(const house *h, const st_route *route)
{
    static const double nominal_deg[] = {0, 90, -90, 180}, slack_deg[] = {20, 40, 40, 20};
    const double *facing = h->objects[route->facing].box.center_m;
    double at[2] = {route->from_m[0], route->from_m[1]};
    double heading = atan2(facing[1] - at[1], facing[0] - at[0]);
    int here = route->start;
    assert_true(gap_to(&h->objects[route->start], at[0], at[1]) <= 0.75);
    for (int i = 0; i < route->leg_count; i++) {
        const st_object *sought = &h->objects[route->legs[i].object];
        assert_true(route->legs[i].turn <= ST_TURN_BACK);
        /* Turn as told, and look for the object in that quarter of the room. */
        heading += nominal_deg[route->legs[i].turn] * PI / 180;
        const double way =
            atan2(route->legs[i].stop_m[1] - at[1], route->legs[i].stop_m[0] - at[0]);
        const double off_deg = remainder(way - heading, 2 * PI) * 180 / PI;
        if (!(fabs(off_deg) <= slack_deg[route->legs[i].turn] + 6))     /* the stop was snapped */
            fail_msg("after %s, %s is off by %.0f degrees", st_turn_name(route->legs[i].turn),
                     sought->label, off_deg);
        walk(h, at, route->legs[i].stop_m, here, route->legs[i].object);
        memcpy(at, route->legs[i].stop_m, sizeof at);
        assert_true(gap_to(sought, at[0], at[1]) <= 0.4 + 0.15 + 1e-6);
        heading = way;
        here = route->legs[i].object;
    }
    assert_true(route->blank_count >= 1 && route->blank_count <= 4);
    assert_true(9 * route->robust_kept >= 7 * route->robust_cases);
}

static void walk_all(const house *h)
{
    for (size_t r = 0; r < h->route_count; r++)
        walk_route(h, &h->routes[r]);
}

/* --- rooms known by heart --- */

static void round_the_corner(void **state)
{
    house *h = start_house(*state);
    add_floor(h, 0, 0, 6, 1.8);                 /* an L: along X, then along Y */
    add_floor(h, 4.2, 1.8, 6, 6);
    add_object(h, "bed", 0.4, 0.9, 0.4, 0.5);
    add_object(h, "refrigerator", 5.7, 0.9, 0.3, 0.4);
    add_object(h, "lamp", 5.1, 5.7, 0.3, 0.3);
    plan(h);
    walk_all(h);
    const st_route *there = route_of(h, "bed", "refrigerator",
                                     (const char *[]){"refrigerator", "lamp"}, 2);
    assert_non_null(there);
    assert_int_equal(there->legs[0].turn, ST_TURN_NONE);
    assert_int_equal(there->legs[1].turn, ST_TURN_LEFT);
    assert_int_equal(there->blank_count, 1);
    /* One route for a start and a destination: that with two blanks, facing the bed, may win. */
    const st_route *back = route_of(h, "lamp", NULL, (const char *[]){"refrigerator", "bed"}, 2);
    assert_non_null(back);
    assert_int_equal(back->legs[1].turn, ST_TURN_RIGHT);
}

static void turning_back(void **state)
{
    house *h = start_house(*state);
    add_floor(h, 0, 0, 7, 2.4);
    add_object(h, "sofa", 3.5, 2.2, 0.6, 0.2);
    add_object(h, "sink", 0.3, 1.2, 0.3, 0.4);
    add_object(h, "door", 6.8, 1.2, 0.2, 0.4);
    plan(h);
    walk_all(h);
    const st_route *route = route_of(h, "sofa", "sink", (const char *[]){"door"}, 1);
    assert_non_null(route);
    assert_int_equal(route->legs[0].turn, ST_TURN_BACK);

    /* The same room with a counter from wall to wall: nobody comes from the sink to the door. */
    house *b = start_house(*state);
    add_floor(b, 0, 0, 7, 2.4);
    add_object(b, "sofa", 3.5, 2.2, 0.6, 0.2);
    add_object(b, "sink", 0.3, 1.2, 0.3, 0.4);
    add_object(b, "door", 6.8, 1.2, 0.2, 0.4);
    add_object(b, "counter", 5.2, 1.2, 0.2, 1.2);
    plan(b);
    walk_all(b);
    for (size_t r = 0; r < b->route_count; r++) {
        const st_route *route_b = &b->routes[r];
        const int door = object_named(b, "door"), counter = object_named(b, "counter");
        /* Beyond the counter there is the door alone. */
        assert_int_not_equal(route_b->legs[route_b->leg_count - 1].object, door);
        assert_true(route_b->start != door || route_b->legs[0].object == counter);
    }
}

/* An object between the walker and the goal hides it: "until the desk" would be wrong. */
static void what_stands_before_hides(void **state)
{
    house *h = start_house(*state);
    add_floor(h, 0, 0, 7, 5);
    add_object(h, "bed", 0.5, 2.5, 0.5, 0.6);
    add_object(h, "chair", 3.5, 2.5, 0.3, 0.3);
    add_object(h, "desk", 6.6, 2.5, 0.4, 0.5);
    add_object(h, "window", 3.5, 4.8, 0.5, 0.1);
    plan(h);
    walk_all(h);
    assert_true(h->route_count > 0);
    for (size_t r = 0; r < h->route_count; r++)
        if (h->routes[r].start == object_named(h, "bed"))
            assert_int_not_equal(h->routes[r].legs[0].object, object_named(h, "desk"));
}

/* A wall up to the ceiling hides the door behind it, a low bench does not hide the sofa. */
static void walls_hide_what_is_faced(void **state)
{
    house *h = start_house(*state);
    add_floor(h, 0, 0, 8, 5);
    add_object(h, "bed", 1.2, 0.5, 0.6, 0.4);
    add_object(h, "bench", 0.9, 3.0, 0.4, 0.15);
    add_object(h, "sofa", 1.0, 4.6, 0.6, 0.3);
    add_object(h, "desk", 4.2, 1.2, 0.3, 0.5);
    add_object(h, "door", 7.7, 1.2, 0.2, 0.4);
    for (double y = 0; y <= 4.0; y += 0.03)     /* no object: a wall with a passage beyond it */
        for (double z = 0; z <= 2.0; z += 0.1) {
            const double p[3] = {5, y, z};
            memcpy(h->p[h->n++], p, sizeof p);
            if (z > 0.15 && z < 1.6)
                memcpy(h->tall[h->tall_count++], p, sizeof p);
        }
    plan(h);
    walk_all(h);
    sti_floorplan floor;
    must(sti_floorplan_make(&floor, h->arena, &h->scene, &h->grid));
    const double before_bed[2] = {1.2, 1.3};
    assert_false(sti_can_see(&floor, before_bed, object_named(h, "door")));
    assert_true(sti_can_see(&floor, before_bed, object_named(h, "sofa")));
    assert_true(sti_can_see(&floor, before_bed, object_named(h, "desk")));
    for (size_t r = 0; r < h->route_count; r++)
        if (h->routes[r].start == object_named(h, "bed"))
            assert_int_not_equal(h->routes[r].facing, object_named(h, "door"));
}

/* Twelve random rooms: the agent walks every route, and the same room gives the same routes. */
static void the_agent_walks_them_all(void **state)
{
    static const char *const labels[] = {"bed",    "sofa", "table",  "desk",
                                         "toilet", "lamp", "window", "door"};
    st_rng rng = st_rng_from(121);
    size_t walked = 0;
    int blanks[5] = {0};
    for (int room = 0; room < 12; room++) {
        house *h = start_house(*state);
        const double width = st_rng_between(&rng, 5, 8), depth = st_rng_between(&rng, 4, 7);
        add_floor(h, 0, 0, width, depth);
        for (size_t k = 0; k < COUNT(labels); k++) {
            const double hx = st_rng_between(&rng, 0.2, 0.5), hy = st_rng_between(&rng, 0.2, 0.5);
            const double u = st_rng_between(&rng, 0.6, width - 0.6);
            const double v = st_rng_between(&rng, 0.6, depth - 0.6);
            const bool wall = k % 2 == 0;       /* along the walls, and in the room */
            add_object(h, labels[k], u, wall ? (k % 4 ? hy : depth - hy) : v, hx, hy);
        }
        plan(h);
        walk_all(h);
        walked += h->route_count;
        st_route *again;
        size_t count;
        must(st_routes_find(&again, &count, h->arena, &h->scene, &h->grid));
        assert_int_equal(count, h->route_count);
        assert_memory_equal(again, h->routes, count * sizeof *again);
        for (size_t r = 0; r < count; r++)
            blanks[again[r].blank_count]++;
    }
    printf("walked %zu routes: %d with 1 blank, %d with 2, %d with 3, %d with 4\n", walked,
           blanks[1], blanks[2], blanks[3], blanks[4]);
    assert_true(walked > 60);
}

static void turns_have_gaps_between_them(void **state)
{
    (void)state;
    static const struct {
        double  deg;
        st_turn turn;
    } cases[] = {
        {0, ST_TURN_NONE},       {20, ST_TURN_NONE},      {-20, ST_TURN_NONE},
        {21, ST_TURN_UNCLEAR},   {49, ST_TURN_UNCLEAR},   {50, ST_TURN_LEFT},
        {130, ST_TURN_LEFT},     {131, ST_TURN_UNCLEAR},  {159, ST_TURN_UNCLEAR},
        {160, ST_TURN_BACK},     {180, ST_TURN_BACK},     {-160, ST_TURN_BACK},
        {-50, ST_TURN_RIGHT},    {-130, ST_TURN_RIGHT},   {-131, ST_TURN_UNCLEAR},
        {NAN, ST_TURN_UNCLEAR},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(st_turn_of(cases[i].deg), cases[i].turn);
}

static void nothing_gives_no_routes(void **state)
{
    house *h = start_house(*state);
    plan(h);
    assert_int_equal(h->route_count, 0);
    add_object(h, "bed", 1, 1, 0.4, 0.4);
    plan(h);
    assert_int_equal(h->route_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_the_corner),
        cmocka_unit_test(turning_back),
        cmocka_unit_test(what_stands_before_hides),
        cmocka_unit_test(walls_hide_what_is_faced),
        cmocka_unit_test(the_agent_walks_them_all),
        cmocka_unit_test(turns_have_gaps_between_them),
        cmocka_unit_test(nothing_gives_no_routes),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
