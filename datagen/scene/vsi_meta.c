/* vsi_meta.c - scene metadata in the VSI-Bench form: reader and writer side by side.
 *
 * One object per dataset, keyed by scene: room_size, room_center, object_counts, boxes by label.
 * The benchmark spells the boxes "object_bbox", a generator that builds on it "object_bboxes".
 * Axes are rows; min and max bound the eight corners (data.md 3.6). What a file says of itself is
 * checked: counts against boxes, bounds against corners, labels against the vocabularies. A
 * contradiction becomes a warning of the scene, since the published files have some; what makes no
 * sense as a number or a box fails the scene.
 *
 * Source  data.md 3.6, 3.11, 3.12.
 */
#include "datagen/scene/internal.h"

#include "geometry/pose.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Published bounds agree with the corners to 1e-15 m; a file rounded to the micrometre to 1e-6. */
#define BOUNDS_M_MAX 1e-5
#define COUNT_MAX 1000000

/* --- reader --- */

/* The dataset: as the scene says, or as the file is called ("scannet_meta_info.json"). */
static st_status read_dataset(const char **dataset, st_arena *arena, st_json root, const char *path)
{
    const st_json said = st_json_member(&root, "dataset");
    if (st_json_kind_of(said) != ST_JSON_ABSENT)
        return sti_read_name(dataset, arena, said);
    const st_str name = st_path_name(path);
    for (size_t i = 1; i + 5 <= name.size; i++)
        if (memcmp(name.data + i, "_meta", 5) == 0)
            return st_arena_copy_text(arena, dataset, name.data, i);
    return st_arena_copy_text(arena, dataset, "unknown", 7);
}

static st_status read_room(st_scene *scene, st_arena *arena, st_json root)
{
    const st_json size = st_json_member(&root, "room_size");
    const st_json center = st_json_member(&root, "room_center");
    st_room      *room = &scene->room;
    ST_TRY(st_json_double(size, &room->area_m2));
    ST_TRY(st_json_doubles(center, room->center_m, 3));
    if (!(room->area_m2 >= 0.0))
        return st_json_fail(size, ST_ERR_DATA, "expected square metres, found %g", room->area_m2);
    if (!(room->area_m2 <= ST_COORDINATE_M_MAX))
        return st_json_fail(size, ST_ERR_NUMERIC, "%g m2 is beyond %g m2", room->area_m2,
                            ST_COORDINATE_M_MAX);
    for (int k = 0; k < 3; k++)
        if (!(fabs(room->center_m[k]) <= ST_COORDINATE_M_MAX))
            return st_json_fail(center, ST_ERR_NUMERIC, "coordinate %g is beyond %g m",
                                room->center_m[k], ST_COORDINATE_M_MAX);
    room->known = room->area_m2 > 0.0;
    room->area_open_m2 = room->area_hull_m2 = room->floor_area_m2 = -1.0;
    room->area_vsi_m2 = room->area_vsi_sd_m2 = -1.0;
    if (!room->known)
        ST_TRY(STI_WARN(scene, arena, "M-3", "no_room", 1, "room_size is 0: not measured"));
    return st_ok();
}

static st_status read_counts(st_scene *scene, st_arena *arena, st_json root)
{
    const st_json counts = st_json_member(&root, "object_counts");
    ST_TRY(st_json_expect(counts, ST_JSON_OBJECT));
    ST_TRY(ST_ALLOC(arena, &scene->counts, st_json_count(counts)));

    st_json      member;
    st_json_walk walk = st_json_walk_start(&counts);
    while (st_json_walk_next(&walk, &counts, &member)) {
        st_label_count *c = &scene->counts[scene->count_count++];
        ST_TRY(st_json_int(member, &c->count));
        if (c->count < 0 || c->count > COUNT_MAX)
            return st_json_fail(member, ST_ERR_DATA, "expected a count of 0 to %d, found %" PRId64,
                                COUNT_MAX, c->count);
        ST_TRY(st_arena_copy_text(arena, &c->label, member.key, strlen(member.key)));
    }
    sti_sort_counts(scene);
    return st_ok();
}

/* min and max of a box, when the file has them, against those of its corners. */
static st_status read_bounds(st_object *o, double *worst_m, st_json from)
{
    double low[3], high[3];
    st_obb_bounds(o->aabb_min_m, o->aabb_max_m, &o->box);
    const st_json min = st_json_member(&from, "min"), max = st_json_member(&from, "max");
    *worst_m = 0.0;
    if (st_json_kind_of(min) == ST_JSON_ABSENT && st_json_kind_of(max) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_doubles(min, low, 3));
    ST_TRY(st_json_doubles(max, high, 3));
    for (int k = 0; k < 3; k++) {
        const double off = fmax(fabs(low[k] - o->aabb_min_m[k]), fabs(high[k] - o->aabb_max_m[k]));
        *worst_m = fmax(*worst_m, off);
        o->aabb_min_m[k] = low[k];
        o->aabb_max_m[k] = high[k];
    }
    return st_ok();
}

static st_status read_object(st_scene *scene, st_arena *arena, st_json from, const char *label,
                             size_t index)
{
    st_object *o = &scene->objects[scene->object_count];
    double     off_m;
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    ST_TRY(sti_read_box(&o->box, &o->flags, st_json_member(&from, "centroid"),
                        st_json_member(&from, "axesLengths"),
                        st_json_member(&from, "normalizedAxes")));
    ST_TRY(read_bounds(o, &off_m, from));
    /* Clamping a thin side moves its bounds by less than the clamp. */
    if (off_m > BOUNDS_M_MAX + (o->flags & ST_FLAG_THIN ? STI_SIDE_M_MIN : 0.0)) {
        o->flags |= ST_FLAG_BOUNDS;
        ST_TRY(STI_WARN(scene, arena, "M-6", "bounds", 1,
                        "%s[%zu]: min and max are %.3g m off the box's corners", label, index,
                        off_m));
    }
    if (o->flags & ST_FLAG_MENDED)
        ST_TRY(STI_WARN(scene, arena, "E-30", "mended", 1,
                        "%s[%zu]: the axes were not orthonormal and right-handed, or a length "
                        "was negative", label, index));
    o->instance_id = (int)scene->object_count;
    o->label = o->raw_label = label;
    o->box_min = o->box;
    scene->object_count++;
    return st_ok();
}

static st_json boxes_of(const st_json *root)
{
    const st_json boxes = st_json_member(root, "object_bbox");
    return st_json_kind_of(boxes) != ST_JSON_ABSENT ? boxes : st_json_member(root, "object_bboxes");
}

static st_status read_boxes(st_scene *scene, st_arena *arena, st_json root)
{
    const st_json boxes = boxes_of(&root);
    if (st_json_kind_of(boxes) == ST_JSON_ABSENT)
        return st_json_fail(root, ST_ERR_FORMAT,
                            "expected \"object_bbox\" or \"object_bboxes\", found neither");
    ST_TRY(st_json_expect(boxes, ST_JSON_OBJECT));

    st_json      list;
    size_t       total = 0;
    st_json_walk walk = st_json_walk_start(&boxes);
    while (st_json_walk_next(&walk, &boxes, &list)) {
        ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
        total += st_json_count(list);
    }
    ST_TRY(ST_ALLOC(arena, &scene->objects, total));

    walk = st_json_walk_start(&boxes);
    while (st_json_walk_next(&walk, &boxes, &list)) {
        const char *label;
        ST_TRY(st_arena_copy_text(arena, &label, list.key, strlen(list.key)));
        if (strlen(label) == 0 || strlen(label) > ST_NAME_BYTES_MAX)
            return st_json_fail(list, ST_ERR_FORMAT, "expected a label of 1 to %zu bytes, found "
                                "%zu", ST_NAME_BYTES_MAX, strlen(label));
        for (size_t i = 0; i < st_json_count(list); i++)
            ST_TRY(read_object(scene, arena, st_json_element(&list, i), label, i));
        if (!st_label_known(label) && st_json_count(list) > 0)
            ST_TRY(STI_WARN(scene, arena, "E-16", "unknown_label",
                            (int64_t)st_json_count(list),
                            "no vocabulary knows the label \"%.60s\"", label));
    }
    return st_ok();
}

/* Published counts and boxes contradict each other in a few scenes (data.md 3.4): which label, and
 * by how much, is a warning; its objects carry a flag. */
static st_status compare_counts(st_scene *scene, st_arena *arena)
{
    for (size_t i = 0; i < scene->count_count; i++) {
        const st_label_count *c = &scene->counts[i];
        const int64_t         boxes = (int64_t)st_scene_count_label(scene, c->label);
        if (boxes == c->count)
            continue;
        ST_TRY(STI_WARN(scene, arena, "M-4", "count_mismatch", 1,
                        "object_counts says %" PRId64 " %.60s, the boxes are %" PRId64,
                        c->count, c->label, boxes));
        for (size_t k = st_scene_find_label(scene, c->label, 0); k < scene->object_count;
             k = st_scene_find_label(scene, c->label, k + 1))
            scene->objects[k].flags |= ST_FLAG_COUNT_MISMATCH;
    }
    for (size_t k = 0; k < scene->object_count; k++) {
        st_object *o = &scene->objects[k];
        size_t     i = 0;
        while (i < scene->count_count && strcmp(scene->counts[i].label, o->label) != 0)
            i++;
        if (i < scene->count_count)
            continue;
        o->flags |= ST_FLAG_COUNT_MISMATCH;
        if (st_scene_find_label(scene, o->label, 0) == k)
            ST_TRY(STI_WARN(scene, arena, "M-4", "count_mismatch", 1,
                            "object_counts does not name %.60s, the boxes are %zu", o->label,
                            st_scene_count_label(scene, o->label)));
    }
    return st_ok();
}

st_status sti_vsi_meta_read(st_scene *scene, st_arena *arena, st_json root, st_str scene_id,
                            const char *path)
{
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    ST_TRY(st_arena_copy_text(arena, &scene->scene_id, scene_id.data, scene_id.size));
    ST_TRY(read_dataset(&scene->dataset, arena, root, path));
    /* Rescans of a ScanNet room share nine characters; other ids are rooms of their own. */
    const bool scannet = strcmp(scene->dataset, "scannet") == 0 && scene_id.size == 12;
    ST_TRY(st_arena_copy_text(arena, &scene->space_id, scene_id.data, scannet ? 9 : scene_id.size));
    scene->split = "";
    scene->from_metadata = true;
    for (int k = 0; k < 4; k++)
        scene->raw_to_scene[5 * k] = 1.0;

    ST_TRY(read_room(scene, arena, root));
    ST_TRY(read_counts(scene, arena, root));
    ST_TRY(read_boxes(scene, arena, root));
    ST_TRY(compare_counts(scene, arena));
    st_scene_mark_referents(scene);
    return st_ok();
}

/* --- writer --- */

/* Where the released metadata has its origin (data.md 3.12): ScanNet boxes stand in the raw frame
 * less the mean vertex, all others where they were delivered. */
typedef struct release_frame {
    double raw_from_scene[16], mean_m[3];
    bool   moved;
} release_frame;

static release_frame frame_of(const st_scene *scene)
{
    release_frame f = {.moved = scene->room.has_raw_mean};
    if (f.moved)
        st_pose_inverse(f.raw_from_scene, scene->raw_to_scene);
    for (int k = 0; k < 3; k++)
        f.mean_m[k] = scene->room.raw_mean_m[k];
    return f;
}

static void move_point(double out[3], const release_frame *f, const double point_m[3])
{
    for (int k = 0; k < 3; k++)
        out[k] = point_m[k];
    if (!f->moved)
        return;
    st_pose_apply(out, f->raw_from_scene, point_m);
    for (int k = 0; k < 3; k++)
        out[k] = st_round_decimals(out[k] - f->mean_m[k], 6);
}

static st_obb move_box(const release_frame *f, const st_obb *box)
{
    st_obb moved = *box;
    if (!f->moved)
        return moved;
    move_point(moved.center_m, f, box->center_m);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            double sum = 0.0;
            for (int j = 0; j < 3; j++)
                sum += f->raw_from_scene[4 * k + j] * box->axis[i][j];
            moved.axis[i][k] = st_round_decimals(sum, 12);
        }
    return moved;
}

static void put_box(st_json_writer *w, const release_frame *f, const st_object *o,
                    st_vsi_form form)
{
    const st_obb box = move_box(f, o->has_box_min ? &o->box_min : &o->box);
    double       size_m[3], low[3], high[3];
    for (int k = 0; k < 3; k++)
        size_m[k] = 2.0 * box.half_m[k];
    st_obb_bounds(low, high, &box);
    st_json_write_object(w);
    st_json_put_doubles(w, "centroid", box.center_m, 3);
    st_json_put_doubles(w, "axesLengths", size_m, 3);
    st_json_put_doubles(w, "normalizedAxes", &box.axis[0][0], 9);
    st_json_put_doubles(w, "min", low, 3);
    st_json_put_doubles(w, "max", high, 3);
    if (form == ST_VSI_FORM_VLM3R)
        st_json_put_int(w, "instance_id", o->instance_id);
    st_json_write_end(w);
}

static void put_boxes(st_json_writer *w, const char *key, const st_scene *scene, st_vsi_form form)
{
    const release_frame frame = frame_of(scene);
    st_json_write_key(w, key);
    st_json_write_object(w);
    for (size_t i = 0; i < scene->count_count; i++) {
        const char *label = scene->counts[i].label;
        size_t      k = st_scene_find_label(scene, label, 0);
        if (k == scene->object_count)
            continue;
        st_json_write_key(w, label);
        st_json_write_array(w);
        for (; k < scene->object_count; k = st_scene_find_label(scene, label, k + 1))
            put_box(w, &frame, &scene->objects[k], form);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void put_scene(st_json_writer *w, const st_scene *scene, st_vsi_form form)
{
    const release_frame frame = frame_of(scene);
    double              center_m[3];
    char                video[ST_NAME_BYTES_MAX * 2 + 32];
    move_point(center_m, &frame, scene->room.center_m);
    snprintf(video, sizeof video, "%s/%s.mp4", scene->dataset, scene->scene_id);
    st_json_write_key(w, scene->scene_id);
    st_json_write_object(w);
    st_json_put_double(w, "room_size", scene->room.known ? scene->room.area_m2 : 0.0);
    st_json_put_doubles(w, "room_center", center_m, 3);
    st_json_write_key(w, "object_counts");
    st_json_write_object(w);
    for (size_t i = 0; i < scene->count_count; i++)
        st_json_put_int(w, scene->counts[i].label, scene->counts[i].count);
    st_json_write_end(w);
    put_boxes(w, "object_bbox", scene, form);
    if (form == ST_VSI_FORM_VLM3R)
        put_boxes(w, "object_bboxes", scene, form);
    st_json_put_text(w, "video_path", video);
    st_json_put_text(w, "dataset", scene->dataset);
    st_json_write_end(w);
}

st_status st_scene_write_vsi(st_text *out, const st_scene *scenes, size_t count, st_vsi_form form)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_PRETTY);
    st_json_write_object(&w);
    for (size_t i = 0; i < count; i++)
        put_scene(&w, &scenes[i], form);
    st_json_write_end(&w);
    st_text_add(out, "\n");
    return st_text_check(out);
}
