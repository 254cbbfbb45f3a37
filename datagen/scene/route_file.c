/* route_file.c - the routes of a scene file: writer and reader side by side.
 *
 * Objects are named by their instance ids. What a route says of itself is checked here; whether it
 * fits the boxes is for those who ask about it (prove_route.c).
 */
#include "datagen/scene/internal.h"

#include "datagen/scene/route.h"
#include "kernels/base/limits.h"

#include <math.h>

/* --- writer --- */

static void put_leg(st_json_writer *w, const st_scene *scene, const st_route_leg *leg)
{
    st_json_write_object(w);
    st_json_put_text(w, "turn", st_turn_name(leg->turn));
    st_json_put_double(w, "turn_deg", leg->turn_deg);
    st_json_put_int(w, "to", scene->objects[leg->object].instance_id);
    st_json_put_doubles(w, "aim_m", leg->aim_m, 2);
    st_json_put_double(w, "reach_m", leg->reach_m);
    st_json_put_doubles(w, "stop_m", leg->stop_m, 2);
    st_json_write_end(w);
}

void sti_routes_put(st_json_writer *w, const st_scene *scene)
{
    if (!scene->has_routes)
        return;
    st_json_write_key(w, "routes");
    st_json_write_array(w);
    for (size_t i = 0; i < scene->route_count; i++) {
        const st_route *route = &scene->routes[i];
        st_json_write_object(w);
        st_json_put_int(w, "start", scene->objects[route->start].instance_id);
        st_json_put_int(w, "facing", scene->objects[route->facing].instance_id);
        st_json_put_doubles(w, "from_m", route->from_m, 2);
        st_json_write_key(w, "legs");
        st_json_write_array(w);
        for (int k = 0; k < route->leg_count; k++)
            put_leg(w, scene, &route->legs[k]);
        st_json_write_end(w);
        st_json_put_double(w, "clearance_m", route->clearance_m);
        st_json_put_int(w, "robust_cases", route->robust_cases);
        st_json_put_int(w, "robust_kept", route->robust_kept);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

/* --- reader --- */

st_status sti_read_object(int *object, const st_scene *scene, st_json from)
{
    int64_t id;
    ST_TRY(st_json_int(from, &id));
    for (size_t i = 0; i < scene->object_count; i++)
        if (scene->objects[i].instance_id == id) {
            *object = (int)i;
            return st_ok();
        }
    return st_json_fail(from, ST_ERR_DATA, "no object has the instance_id %lld", (long long)id);
}

static st_status read_point(double xy_m[2], st_json from)
{
    ST_TRY(st_json_doubles(from, xy_m, 2));
    for (int k = 0; k < 2; k++)
        if (!(fabs(xy_m[k]) <= ST_COORDINATE_M_MAX))
            return st_json_fail(from, ST_ERR_NUMERIC, "coordinate %g is beyond %g m", xy_m[k],
                                ST_COORDINATE_M_MAX);
    return st_ok();
}

static st_status read_length(double *length_m, st_json from)
{
    ST_TRY(st_json_double(from, length_m));
    if (!(*length_m >= 0.0 && *length_m <= ST_COORDINATE_M_MAX))
        return st_json_fail(from, ST_ERR_DATA, "expected a length, found %g", *length_m);
    return st_ok();
}

static st_status read_turn(st_route_leg *leg, st_json from)
{
    const st_json turn = st_json_member(&from, "turn");
    st_str        name;
    ST_TRY(st_json_text(turn, &name));
    ST_TRY(st_json_double(st_json_member(&from, "turn_deg"), &leg->turn_deg));
    leg->turn = st_turn_of(leg->turn_deg);
    if (leg->turn == ST_TURN_UNCLEAR || !(fabs(leg->turn_deg) <= 180.0) ||
        !st_str_is(name, st_turn_name(leg->turn)))
        return st_json_fail(turn, ST_ERR_DATA, "\"%.*s\" is no name for a turn of %g degrees",
                            name.size < 40 ? (int)name.size : 40, name.data, leg->turn_deg);
    return st_ok();
}

static st_status read_leg(st_route *route, const st_scene *scene, st_json from)
{
    st_route_leg *leg = &route->legs[route->leg_count];
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    ST_TRY(read_turn(leg, from));
    ST_TRY(sti_read_object(&leg->object, scene, st_json_member(&from, "to")));
    ST_TRY(read_point(leg->aim_m, st_json_member(&from, "aim_m")));
    ST_TRY(read_length(&leg->reach_m, st_json_member(&from, "reach_m")));
    ST_TRY(read_point(leg->stop_m, st_json_member(&from, "stop_m")));
    const bool to_what_is_faced = route->leg_count == 0 && leg->object == route->facing;
    if ((leg->turn == ST_TURN_NONE) != to_what_is_faced)
        return st_json_fail(from, ST_ERR_DATA, "expected a turn before every leg but one towards "
                                               "what is faced");
    route->leg_count++;
    route->blank_count += leg->turn != ST_TURN_NONE;
    return st_ok();
}

static st_status read_robustness(st_route *route, st_json from)
{
    const st_json kept = st_json_member(&from, "robust_kept");
    int64_t       cases, same;
    ST_TRY(st_json_int(st_json_member(&from, "robust_cases"), &cases));
    ST_TRY(st_json_int(kept, &same));
    if (cases < 1 || cases > 9 || same < 0 || same > cases)
        return st_json_fail(kept, ST_ERR_DATA, "expected at most 9 cases, found %lld of %lld",
                            (long long)same, (long long)cases);
    route->robust_cases = (int)cases;
    route->robust_kept = (int)same;
    return st_ok();
}

static st_status read_route(st_route *route, const st_scene *scene, st_json from)
{
    const st_json legs = st_json_member(&from, "legs");
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    ST_TRY(sti_read_object(&route->start, scene, st_json_member(&from, "start")));
    ST_TRY(sti_read_object(&route->facing, scene, st_json_member(&from, "facing")));
    ST_TRY(read_point(route->from_m, st_json_member(&from, "from_m")));
    ST_TRY(st_json_expect(legs, ST_JSON_ARRAY));
    const size_t count = st_json_count(legs);
    if (count < 1 || count > ST_ROUTE_LEGS_MAX)
        return st_json_fail(legs, ST_ERR_LIMIT, "expected 1 to %d legs, found %zu",
                            ST_ROUTE_LEGS_MAX, count);
    for (size_t i = 0; i < count; i++)
        ST_TRY(read_leg(route, scene, st_json_element(&legs, i)));
    if (route->blank_count == 0)
        return st_json_fail(legs, ST_ERR_DATA, "expected a turn, found none");
    ST_TRY(read_length(&route->clearance_m, st_json_member(&from, "clearance_m")));
    return read_robustness(route, from);
}

st_status sti_routes_read(st_scene *scene, st_arena *arena, st_json list)
{
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    if (count > ST_ROUTES_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %d routes, found %zu",
                            ST_ROUTES_MAX, count);
    ST_TRY(ST_ALLOC(arena, &scene->routes, count));
    for (size_t i = 0; i < count; i++)
        ST_TRY(read_route(&scene->routes[i], scene, st_json_element(&list, i)));
    scene->route_count = count;
    scene->has_routes = true;
    return st_ok();
}
