/* truth.c - truth.json: what is really there, to the micrometre. */
#include "datagen/synth/internal.h"

#include "kernels/base/json.h"

static double micro(double x)
{
    return st_round_decimals(x, 6);
}

static void put_rounded(st_json_writer *w, const char *key, const double *x, size_t count,
                        int decimals)
{
    double rounded[16];
    ST_ASSERT(count <= 16);
    for (size_t i = 0; i < count; i++)
        rounded[i] = st_round_decimals(x[i], decimals);
    st_json_put_doubles(w, key, rounded, count);
}

static void put_lengths(st_json_writer *w, const char *key, const double *x, size_t count)
{
    put_rounded(w, key, x, count, 6);
}

static void write_rooms(st_json_writer *w, const st_synth_house *house)
{
    st_json_write_key(w, "rooms");
    st_json_write_array(w);
    for (int r = 0; r < house->room_count; r++) {
        const st_synth_room *room = &house->room[r];
        st_json_write_object(w);
        st_json_put_int(w, "room", r);
        st_json_put_text(w, "type", room->type);
        st_json_put_double(w, "area_m2", micro(room->area_m2));
        st_json_write_key(w, "polygon_m");
        st_json_write_row(w);
        for (int i = 0; i < room->corner_count; i++) {
            const double xy[2] = {micro(room->corner_m[i][0]), micro(room->corner_m[i][1])};
            st_json_write_doubles(w, xy, 2);
        }
        st_json_write_end(w);
        st_json_write_end(w);
    }
    st_json_write_end(w);

    st_json_write_key(w, "doors");
    st_json_write_array(w);
    for (int i = 0; i < house->door_count; i++) {
        const st_synth_door *door = &house->door[i];
        st_json_write_object(w);
        st_json_write_key(w, "rooms");
        st_json_write_row(w);
        st_json_write_int(w, door->room[0]);
        st_json_write_int(w, door->room[1]);
        st_json_write_end(w);
        put_lengths(w, "center_m", door->center_m, 2);
        st_json_put_double(w, "width_m", micro(door->width_m));
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_object(st_json_writer *w, const st_synth_object *o)
{
    static const char *const on[] = {[ST_SYNTH_ON_FLOOR] = "floor", [ST_SYNTH_ON_OBJECT] = "object",
                                     [ST_SYNTH_ON_WALL] = "wall",
                                     [ST_SYNTH_IN_OPENING] = "opening"};
    st_json_write_object(w);
    st_json_put_int(w, "id", o->id);
    st_json_put_text(w, "label", o->label);
    st_json_put_int(w, "nyu40", o->nyu40);
    st_json_put_text(w, "arkit", o->arkit);
    st_json_put_int(w, "room", o->room);
    st_json_put_bool(w, "annotated", o->annotated);
    const double size[3] = {2 * o->box.half_m[0], 2 * o->box.half_m[1], 2 * o->box.half_m[2]};
    st_json_write_key(w, "obb");
    st_json_write_object(w);
    put_lengths(w, "center_m", o->box.center_m, 3);
    put_lengths(w, "size_m", size, 3);
    put_rounded(w, "axes", &o->box.axis[0][0], 9, 12);
    st_json_write_end(w);
    put_lengths(w, "aabb_min_m", o->aabb_min_m, 3);
    put_lengths(w, "aabb_max_m", o->aabb_max_m, 3);
    st_json_write_key(w, "support");
    st_json_write_object(w);
    st_json_put_text(w, "on", on[o->support]);
    st_json_write_key(w, "id");
    if (o->support == ST_SYNTH_ON_OBJECT)
        st_json_write_int(w, o->support_id);
    else
        st_json_write_null(w);
    st_json_write_end(w);
    st_json_write_key(w, "front");
    if (o->has_front) {
        const double front[2] = {micro(o->front[0]), micro(o->front[1])};
        st_json_write_doubles(w, front, 2);
    } else {
        st_json_write_null(w);
    }
    st_json_write_end(w);
}

static void write_settings(st_json_writer *w, const st_synth_settings *s)
{
    st_json_write_key(w, "settings");
    st_json_write_object(w);
    st_json_put_double(w, "edge_m", s->edge_m);
    st_json_put_double(w, "noise_m", s->noise_m);
    st_json_put_double(w, "holes", s->holes);
    st_json_put_bool(w, "shadows", s->shadows);
    st_json_put_bool(w, "ceiling", s->ceiling);
    st_json_put_int(w, "clutter", s->clutter);
    st_json_write_end(w);
}

st_status st_synth_truth_write(st_text *out, const st_synth_house *house,
                               const st_synth_settings *settings)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_text(&w, "schema", "st-truth/1");
    st_json_put_text(&w, "scan_id", house->scan_id);
    st_json_put_text(&w, "space_id", house->space_id);
    st_json_put_text(&w, "split", house->split);
    st_json_put_text(&w, "dataset",
                     settings->layout == ST_SYNTH_ARKIT ? "arkitscenes" : "scannet");
    st_json_put_text(&w, "scene_type", house->scene_type);
    st_json_put_int(&w, "seed", (int64_t)settings->seed);
    st_json_put_int(&w, "house", house->number);
    st_json_put_doubles(&w, "raw_to_scene", house->raw_to_scene, 16);
    st_json_put_double(&w, "area_m2", micro(house->area_m2));
    st_json_put_double(&w, "floor_area_m2", micro(house->floor_area_m2));
    st_json_put_double(&w, "floor_z_m", micro(house->floor_z_m));
    st_json_put_double(&w, "height_m", micro(house->height_m));
    st_json_put_double(&w, "wall_m", micro(house->wall_m));
    write_rooms(&w, house);
    st_json_write_key(&w, "objects");
    st_json_write_array(&w);
    for (size_t i = 0; i < house->object_count; i++)
        write_object(&w, &house->object[i]);
    st_json_write_end(&w);
    st_json_write_key(&w, "structure");
    st_json_write_array(&w);
    for (size_t i = 0; i < house->structure_count; i++) {
        st_json_write_object(&w);
        st_json_put_int(&w, "id", house->structure[i].id);
        st_json_put_text(&w, "label", house->structure[i].label);
        st_json_put_int(&w, "room", house->structure[i].room);
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
    write_settings(&w, settings);
    st_json_write_key(&w, "frames");
    st_json_write_null(&w);
    st_json_write_end(&w);
    st_text_add(out, "\n");
    return st_text_check(out);
}
