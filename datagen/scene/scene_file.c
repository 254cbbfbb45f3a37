/* scene_file.c - our scene file, "st-scene/1": writer and reader side by side (data.md 3.13).
 *
 * What was not measured is null. Keys come in the stated order, numbers are the shortest that read
 * back the same, so the same scene gives the same bytes.
 */
#include "datagen/scene/internal.h"

#include "geometry/pose.h"
#include "kernels/base/limits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char SCHEMA[] = "st-scene/1";

static const char *const flag_names[ST_FLAG_COUNT] = {
    "thin",    "tilted",    "scattered",      "trimmed", "duplicate", "overlap",
    "plural",  "unaligned", "count_mismatch", "bounds",  "mended"};

const char *st_flag_name(st_flag flag)
{
    for (int i = 0; i < ST_FLAG_COUNT; i++)
        if (flag == (st_flag)(1 << i))
            return flag_names[i];
    return "";
}

/* --- writer --- */

static void put_flags(st_json_writer *w, unsigned flags)
{
    st_json_write_key(w, "flags");
    st_json_write_row(w);
    for (int i = 0; i < ST_FLAG_COUNT; i++)
        if (flags >> i & 1)
            st_json_write_text(w, flag_names[i]);
    st_json_write_end(w);
}

/* Negative means: not measured. */
static void put_measure(st_json_writer *w, const char *key, double value)
{
    st_json_write_key(w, key);
    if (value < 0.0)
        st_json_write_null(w);
    else
        st_json_write_double(w, value);
}

static void put_box(st_json_writer *w, const char *key, const st_obb *box)
{
    double size_m[3], low[3], high[3];
    for (int k = 0; k < 3; k++)
        size_m[k] = 2.0 * box->half_m[k];
    st_obb_bounds(low, high, box);

    st_json_write_key(w, key);
    st_json_write_object(w);
    st_json_put_doubles(w, "center_m", box->center_m, 3);
    st_json_put_doubles(w, "size_m", size_m, 3);
    st_json_put_doubles(w, "axes", &box->axis[0][0], 9);
    st_json_put_doubles(w, "aabb_min_m", low, 3);
    st_json_put_doubles(w, "aabb_max_m", high, 3);
    st_json_write_end(w);
}

/* Rings, each a flat list of x and y; none is no member. */
static void put_outlines(st_json_writer *w, const char *key, const st_outline *outlines,
                         size_t count)
{
    if (count == 0)
        return;
    st_json_write_key(w, key);
    st_json_write_array(w);
    for (size_t i = 0; i < count; i++)
        st_json_write_doubles(w, &outlines[i].points[0].x_m, 2 * outlines[i].count);
    st_json_write_end(w);
}

static void put_room(st_json_writer *w, const st_room *room)
{
    st_json_write_key(w, "room");
    if (!room->known) {
        st_json_write_null(w);
        return;
    }
    st_json_write_object(w);
    st_json_put_double(w, "area_m2", room->area_m2);
    put_measure(w, "area_open_m2", room->area_open_m2);
    put_measure(w, "area_hull_m2", room->area_hull_m2);
    put_measure(w, "floor_area_m2", room->floor_area_m2);
    put_measure(w, "area_vsi_m2", room->area_vsi_m2);
    put_measure(w, "area_vsi_sd_m2", room->area_vsi_sd_m2);
    put_measure(w, "alpha_radius_m", room->alpha_radius_m > 0.0 ? room->alpha_radius_m : -1.0);
    st_json_put_doubles(w, "center_m", room->center_m, 3);
    if (room->has_extent) {
        st_json_put_doubles(w, "aabb_min_m", room->aabb_min_m, 3);
        st_json_put_doubles(w, "aabb_max_m", room->aabb_max_m, 3);
        st_json_put_double(w, "floor_z_m", room->floor_z_m);
    }
    put_flags(w, room->flags);
    st_json_put_text(w, "scene_type", room->scene_type);
    if (room->has_raw_mean)
        st_json_put_doubles(w, "raw_mean_m", room->raw_mean_m, 3);
    put_outlines(w, "outlines_m", room->outlines, room->outline_count);
    put_outlines(w, "walls_m", room->walls, room->wall_count);
    st_json_write_end(w);
}

static void put_object(st_json_writer *w, const st_object *o)
{
    st_json_write_object(w);
    st_json_put_int(w, "instance_id", o->instance_id);
    st_json_put_text(w, "raw_label", o->raw_label);
    st_json_put_int(w, "nyu40", o->nyu40);
    st_json_put_text(w, "label", o->label);
    st_json_put_int(w, "n_points", o->point_count);
    put_box(w, "obb", &o->box);
    if (o->has_box_min)
        put_box(w, "obb_min", &o->box_min);
    else {
        st_json_write_key(w, "obb_min");
        st_json_write_null(w);
    }
    st_json_put_doubles(w, "aabb_min_m", o->aabb_min_m, 3);
    st_json_put_doubles(w, "aabb_max_m", o->aabb_max_m, 3);
    st_json_put_bool(w, "referent", o->referent);
    st_json_put_bool(w, "countable", o->countable);
    put_flags(w, o->flags);
    st_json_write_end(w);
}

static void put_notes(st_json_writer *w, const st_scene *scene)
{
    st_json_write_key(w, "object_counts");
    st_json_write_object(w);
    for (size_t i = 0; i < scene->count_count; i++)
        st_json_put_int(w, scene->counts[i].label, scene->counts[i].count);
    st_json_write_end(w);
    st_json_write_key(w, "dropped");
    st_json_write_array(w);
    for (size_t i = 0; i < scene->dropped_count; i++) {
        st_json_write_object(w);
        st_json_put_int(w, "instance_id", scene->dropped[i].instance_id);
        st_json_put_text(w, "raw_label", scene->dropped[i].raw_label);
        st_json_put_text(w, "reason", scene->dropped[i].reason);
        st_json_write_end(w);
    }
    st_json_write_end(w);
    st_json_write_key(w, "warnings");
    st_json_write_array(w);
    for (size_t i = 0; i < scene->warning_count; i++) {
        st_json_write_object(w);
        st_json_put_text(w, "rule", scene->warnings[i].rule);
        st_json_put_text(w, "code", scene->warnings[i].code);
        st_json_put_text(w, "message", scene->warnings[i].message);
        st_json_put_int(w, "count", scene->warnings[i].count);
        st_json_write_end(w);
    }
    st_json_write_end(w);
    st_json_write_key(w, "inputs");
    st_json_write_array(w);
    for (size_t i = 0; i < scene->input_count; i++) {
        st_json_write_object(w);
        st_json_put_text(w, "path", scene->inputs[i].path);
        st_json_put_int(w, "bytes", (int64_t)scene->inputs[i].bytes);
        st_json_put_text(w, "sha256", scene->inputs[i].sha256);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

st_status st_scene_write(st_text *out, const st_scene *scene)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_text(&w, "schema", SCHEMA);
    st_json_put_text(&w, "dataset", scene->dataset);
    st_json_put_text(&w, "scene_id", scene->scene_id);
    st_json_put_text(&w, "space_id", scene->space_id);
    st_json_put_text(&w, "split", scene->split);
    st_json_put_doubles(&w, "raw_to_scene", scene->raw_to_scene, 16);
    st_json_put_int(&w, "n_vertices", scene->vertex_count);
    st_json_put_int(&w, "n_faces", scene->face_count);
    st_json_put_int(&w, "n_dropped_vertices", scene->dropped_vertex_count);
    put_room(&w, &scene->room);
    st_json_write_key(&w, "objects");
    st_json_write_array(&w);
    for (size_t i = 0; i < scene->object_count; i++)
        put_object(&w, &scene->objects[i]);
    st_json_write_end(&w);
    put_notes(&w, scene);
    sti_routes_put(&w, scene);
    sti_surfaces_put(&w, scene);
    st_json_write_end(&w);
    st_text_add(out, "\n");
    return st_text_check(out);
}

/* --- reader --- */

static st_status read_flags(unsigned *flags, st_json list)
{
    *flags = 0;
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    for (size_t i = 0; i < st_json_count(list); i++) {
        const st_json item = st_json_element(&list, i);
        st_str        name;
        int           k = 0;
        ST_TRY(st_json_text(item, &name));
        while (k < ST_FLAG_COUNT && !st_str_is(name, flag_names[k]))
            k++;
        if (k == ST_FLAG_COUNT)
            return st_json_fail(item, ST_ERR_FORMAT, "no flag is called \"%.*s\"",
                                name.size < 40 ? (int)name.size : 40, name.data);
        *flags |= 1u << k;
    }
    return st_ok();
}

static st_status read_measure(double *value, st_json from)
{
    const st_json_kind kind = st_json_kind_of(from);
    *value = -1.0;
    if (kind == ST_JSON_ABSENT || kind == ST_JSON_NULL)
        return st_ok();
    ST_TRY(st_json_double(from, value));
    if (!(*value >= 0.0 && *value <= ST_COORDINATE_M_MAX * ST_COORDINATE_M_MAX))
        return st_json_fail(from, ST_ERR_DATA, "expected a number of at least 0, found %g", *value);
    return st_ok();
}

static st_status read_place(double place[3], st_json from)
{
    ST_TRY(st_json_doubles(from, place, 3));
    for (int k = 0; k < 3; k++)
        if (!(fabs(place[k]) <= ST_COORDINATE_M_MAX))
            return st_json_fail(from, ST_ERR_NUMERIC, "coordinate %g is beyond %g m", place[k],
                                ST_COORDINATE_M_MAX);
    return st_ok();
}

static st_status read_outlines(st_outline **outlines, size_t *count, st_arena *arena, st_json list)
{
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    ST_TRY(ST_ALLOC(arena, outlines, st_json_count(list)));
    for (size_t i = 0; i < st_json_count(list); i++) {
        const st_json ring = st_json_element(&list, i);
        const size_t  numbers = st_json_count(ring);
        ST_TRY(st_json_expect(ring, ST_JSON_ARRAY));
        if (numbers % 2 || numbers == 0)
            return st_json_fail(ring, ST_ERR_FORMAT, "expected pairs of numbers, found %zu numbers",
                                numbers);
        st_outline *o = &(*outlines)[(*count)++];
        o->count = numbers / 2;
        ST_TRY(ST_ALLOC(arena, &o->points, o->count));
        ST_TRY(st_json_doubles(ring, &o->points[0].x_m, numbers));
        for (size_t k = 0; k < o->count; k++)
            if (!(fabs(o->points[k].x_m) <= ST_COORDINATE_M_MAX &&
                  fabs(o->points[k].y_m) <= ST_COORDINATE_M_MAX))
                return st_json_fail(ring, ST_ERR_NUMERIC, "point %zu is beyond %g m", k,
                                    ST_COORDINATE_M_MAX);
    }
    return st_ok();
}

static st_status read_room(st_room *room, st_arena *arena, st_json from)
{
    const st_json_kind kind = st_json_kind_of(from);
    if (kind == ST_JSON_ABSENT || kind == ST_JSON_NULL)
        return st_ok();
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    ST_TRY(st_json_double(st_json_member(&from, "area_m2"), &room->area_m2));
    ST_TRY(read_measure(&room->area_m2, st_json_member(&from, "area_m2")));
    ST_TRY(read_measure(&room->area_open_m2, st_json_member(&from, "area_open_m2")));
    ST_TRY(read_measure(&room->area_hull_m2, st_json_member(&from, "area_hull_m2")));
    ST_TRY(read_measure(&room->floor_area_m2, st_json_member(&from, "floor_area_m2")));
    ST_TRY(read_measure(&room->area_vsi_m2, st_json_member(&from, "area_vsi_m2")));
    ST_TRY(read_measure(&room->area_vsi_sd_m2, st_json_member(&from, "area_vsi_sd_m2")));
    ST_TRY(read_measure(&room->alpha_radius_m, st_json_member(&from, "alpha_radius_m")));
    if (room->alpha_radius_m < 0.0)
        room->alpha_radius_m = 0.0;
    ST_TRY(read_place(room->center_m, st_json_member(&from, "center_m")));
    const st_json low = st_json_member(&from, "aabb_min_m");
    if (st_json_kind_of(low) != ST_JSON_ABSENT) {
        ST_TRY(read_place(room->aabb_min_m, low));
        ST_TRY(read_place(room->aabb_max_m, st_json_member(&from, "aabb_max_m")));
        ST_TRY(st_json_double(st_json_member(&from, "floor_z_m"), &room->floor_z_m));
        room->has_extent = true;
    }
    ST_TRY(read_flags(&room->flags, st_json_member(&from, "flags")));
    const st_json type = st_json_member(&from, "scene_type");
    if (st_json_kind_of(type) == ST_JSON_TEXT)
        ST_TRY(sti_read_name(&room->scene_type, arena, type));
    const st_json mean = st_json_member(&from, "raw_mean_m");
    room->has_raw_mean = st_json_kind_of(mean) != ST_JSON_ABSENT;
    if (room->has_raw_mean)
        ST_TRY(read_place(room->raw_mean_m, mean));
    ST_TRY(read_outlines(&room->outlines, &room->outline_count, arena,
                         st_json_member(&from, "outlines_m")));
    ST_TRY(read_outlines(&room->walls, &room->wall_count, arena,
                         st_json_member(&from, "walls_m")));
    room->known = true;
    return st_ok();
}

static st_status read_int_in(int64_t *value, st_json from, int64_t low, int64_t high)
{
    ST_TRY(st_json_int(from, value));
    if (*value < low || *value > high)
        return st_json_fail(from, ST_ERR_DATA, "expected %lld to %lld, found %lld", (long long)low,
                            (long long)high, (long long)*value);
    return st_ok();
}

static st_status read_box(st_obb *box, unsigned *flags, st_json from)
{
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    return sti_read_box(box, flags, st_json_member(&from, "center_m"),
                        st_json_member(&from, "size_m"), st_json_member(&from, "axes"));
}

static st_status read_object(st_object *o, st_arena *arena, st_json from)
{
    int64_t  number;
    unsigned flags, flags_min;
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    ST_TRY(read_int_in(&number, st_json_member(&from, "instance_id"), 0, INT32_MAX));
    o->instance_id = (int)number;
    ST_TRY(sti_read_name(&o->label, arena, st_json_member(&from, "label")));
    const st_json raw = st_json_member(&from, "raw_label");
    o->raw_label = o->label;
    if (st_json_kind_of(raw) != ST_JSON_ABSENT)
        ST_TRY(sti_read_name(&o->raw_label, arena, raw));
    ST_TRY(read_int_in(&number, st_json_member(&from, "nyu40"), 0, 40));
    o->nyu40 = (int)number;
    ST_TRY(read_int_in(&o->point_count, st_json_member(&from, "n_points"), 0, ST_POINTS_MAX));
    ST_TRY(read_box(&o->box, &flags, st_json_member(&from, "obb")));
    const st_json box_min = st_json_member(&from, "obb_min");
    o->has_box_min = st_json_kind_of(box_min) == ST_JSON_OBJECT;
    o->box_min = o->box;
    if (o->has_box_min)
        ST_TRY(read_box(&o->box_min, &flags_min, box_min));
    ST_TRY(read_place(o->aabb_min_m, st_json_member(&from, "aabb_min_m")));
    ST_TRY(read_place(o->aabb_max_m, st_json_member(&from, "aabb_max_m")));
    ST_TRY(st_json_bool(st_json_member(&from, "referent"), &o->referent));
    ST_TRY(st_json_bool(st_json_member(&from, "countable"), &o->countable));
    ST_TRY(read_flags(&o->flags, st_json_member(&from, "flags")));
    o->flags |= flags & (ST_FLAG_MENDED | ST_FLAG_TILTED);
    o->groups = st_label_groups(o->label) | st_label_groups(o->raw_label);
    return st_ok();
}

static int compare_objects(const void *a, const void *b)
{
    const int x = ((const st_object *)a)->instance_id, y = ((const st_object *)b)->instance_id;
    return (x > y) - (x < y);
}

static st_status read_objects(st_scene *scene, st_arena *arena, st_json list)
{
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    ST_TRY(ST_ALLOC(arena, &scene->objects, st_json_count(list)));
    for (size_t i = 0; i < st_json_count(list); i++)
        ST_TRY(read_object(&scene->objects[i], arena, st_json_element(&list, i)));
    scene->object_count = st_json_count(list);
    qsort(scene->objects, scene->object_count, sizeof *scene->objects, compare_objects);
    for (size_t i = 1; i < scene->object_count; i++)
        if (scene->objects[i - 1].instance_id == scene->objects[i].instance_id)
            return st_json_fail(list, ST_ERR_DATA, "instance_id %d is there twice",
                                scene->objects[i].instance_id);
    return sti_count_labels(scene, arena);
}

/* The counts must be those of the objects: it is our own file, and says so of itself. */
static st_status check_counts(const st_scene *scene, st_json counts)
{
    ST_TRY(st_json_expect(counts, ST_JSON_OBJECT));
    for (size_t i = 0; i < scene->count_count; i++) {
        const st_json said = st_json_member(&counts, scene->counts[i].label);
        int64_t       number;
        ST_TRY(st_json_int(said, &number));
        if (number != scene->counts[i].count)
            return st_json_fail(said, ST_ERR_DATA, "says %lld, but the objects are %lld",
                                (long long)number, (long long)scene->counts[i].count);
    }
    if (st_json_count(counts) != scene->count_count)
        return st_json_fail(counts, ST_ERR_DATA, "names %zu labels, but the objects have %zu",
                            st_json_count(counts), scene->count_count);
    return st_ok();
}

static st_status read_text(const char **text, st_arena *arena, st_json from)
{
    st_str s;
    ST_TRY(st_json_text_or_none(from, &s));
    return st_arena_copy_text(arena, text, s.size ? s.data : "", s.size);
}

static st_status read_dropped(st_scene *scene, st_arena *arena, st_json list)
{
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    ST_TRY(ST_ALLOC(arena, &scene->dropped, st_json_count(list)));
    for (size_t i = 0; i < st_json_count(list); i++) {
        const st_json item = st_json_element(&list, i);
        int64_t       number;
        ST_TRY(st_json_expect(item, ST_JSON_OBJECT));
        st_dropped *d = &scene->dropped[scene->dropped_count++];
        ST_TRY(read_int_in(&number, st_json_member(&item, "instance_id"), INT32_MIN, INT32_MAX));
        d->instance_id = (int)number;
        ST_TRY(read_text(&d->raw_label, arena, st_json_member(&item, "raw_label")));
        ST_TRY(read_text(&d->reason, arena, st_json_member(&item, "reason")));
    }
    return st_ok();
}

static st_status read_warnings(st_scene *scene, st_arena *arena, st_json list)
{
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    ST_TRY(ST_GROW(arena, &scene->warnings, &scene->warning_capacity, st_json_count(list)));
    for (size_t i = 0; i < st_json_count(list); i++) {
        const st_json item = st_json_element(&list, i);
        ST_TRY(st_json_expect(item, ST_JSON_OBJECT));
        st_warning *warning = &scene->warnings[scene->warning_count++];
        ST_TRY(read_text(&warning->rule, arena, st_json_member(&item, "rule")));
        ST_TRY(read_text(&warning->code, arena, st_json_member(&item, "code")));
        ST_TRY(read_text(&warning->message, arena, st_json_member(&item, "message")));
        ST_TRY(st_json_int(st_json_member(&item, "count"), &warning->count));
    }
    return st_ok();
}

static st_status read_inputs(st_scene *scene, st_arena *arena, st_json list)
{
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    ST_TRY(ST_ALLOC(arena, &scene->inputs, st_json_count(list)));
    for (size_t i = 0; i < st_json_count(list); i++) {
        const st_json item = st_json_element(&list, i), sha256 = st_json_member(&item, "sha256");
        int64_t       bytes;
        st_str        digest;
        ST_TRY(st_json_expect(item, ST_JSON_OBJECT));
        st_input *input = &scene->inputs[scene->input_count++];
        ST_TRY(read_text(&input->path, arena, st_json_member(&item, "path")));
        ST_TRY(read_int_in(&bytes, st_json_member(&item, "bytes"), 0, INT64_MAX));
        input->bytes = (uint64_t)bytes;
        ST_TRY(st_json_text(sha256, &digest));
        if (digest.size != 64)
            return st_json_fail(sha256, ST_ERR_FORMAT, "expected 64 hex digits, found %zu",
                                digest.size);
        memcpy(input->sha256, digest.data, 65);
    }
    return st_ok();
}

/* A motion that is not rigid would bend the boxes that are carried back through it (E-3). */
static st_status read_motion(double motion[16], st_json from)
{
    double mended[16];
    ST_TRY(st_json_doubles(from, motion, 16));
    const st_status s = st_pose_mend(mended, motion);
    return s.code == ST_OK ? s : st_json_fail(from, s.code, "%s", s.text);
}

static st_status read_heading(st_scene *scene, st_arena *arena, st_json root)
{
    const st_json schema = st_json_member(&root, "schema");
    st_str        name;
    ST_TRY(st_json_text(schema, &name));
    if (!st_str_is(name, SCHEMA))
        return st_json_fail(schema, ST_ERR_UNSUPPORTED, "expected \"%s\", found \"%.*s\"", SCHEMA,
                            name.size < 40 ? (int)name.size : 40, name.data);
    ST_TRY(sti_read_name(&scene->scene_id, arena, st_json_member(&root, "scene_id")));
    ST_TRY(sti_read_name(&scene->dataset, arena, st_json_member(&root, "dataset")));
    ST_TRY(sti_read_name(&scene->space_id, arena, st_json_member(&root, "space_id")));
    ST_TRY(read_text(&scene->split, arena, st_json_member(&root, "split")));
    ST_TRY(read_motion(scene->raw_to_scene, st_json_member(&root, "raw_to_scene")));
    ST_TRY(read_int_in(&scene->vertex_count, st_json_member(&root, "n_vertices"), 0,
                       ST_POINTS_MAX));
    ST_TRY(read_int_in(&scene->face_count, st_json_member(&root, "n_faces"), 0, INT64_MAX));
    return read_int_in(&scene->dropped_vertex_count, st_json_member(&root, "n_dropped_vertices"), 0,
                       ST_POINTS_MAX);
}

st_status sti_scene_file_read(st_scene *scene, st_arena *arena, st_json root)
{
    ST_TRY(read_heading(scene, arena, root));
    ST_TRY(read_room(&scene->room, arena, st_json_member(&root, "room")));
    ST_TRY(read_objects(scene, arena, st_json_member(&root, "objects")));
    ST_TRY(check_counts(scene, st_json_member(&root, "object_counts")));
    ST_TRY(read_dropped(scene, arena, st_json_member(&root, "dropped")));
    ST_TRY(read_warnings(scene, arena, st_json_member(&root, "warnings")));
    ST_TRY(read_inputs(scene, arena, st_json_member(&root, "inputs")));
    ST_TRY(sti_routes_read(scene, arena, st_json_member(&root, "routes")));
    ST_TRY(sti_surfaces_read(scene, arena, st_json_member(&root, "surfaces")));
    scene->from_metadata = scene->vertex_count == 0;
    return st_ok();
}
