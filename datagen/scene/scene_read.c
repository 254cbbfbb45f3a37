/* scene_read.c - the one way in for scenes of any form, and what all forms share. */
#include "datagen/scene/internal.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- shared by the forms --- */

st_status sti_read_name(const char **name, st_arena *arena, st_json value)
{
    st_str text, normal;
    ST_TRY(st_json_text(value, &text));
    text = st_str_trim(text);
    if (text.size == 0)
        return st_json_fail(value, ST_ERR_FORMAT, "expected a name, found an empty string");
    if (text.size > ST_NAME_BYTES_MAX)
        return st_json_fail(value, ST_ERR_LIMIT, "expected a name of at most %zu bytes, found %zu",
                            ST_NAME_BYTES_MAX, text.size);
    ST_TRY(st_utf8_nfc(arena, &normal, text));
    return st_arena_copy_text(arena, name, normal.data, normal.size);
}

/* 1e-9 is a thousand times the rounding of sixteen-digit axes: below it nothing was mended. */
static bool axes_are_clean(const double axes[9])
{
    for (int i = 0; i < 3; i++)
        for (int j = i; j < 3; j++) {
            double dot = 0.0;
            for (int k = 0; k < 3; k++)
                dot += axes[3 * i + k] * axes[3 * j + k];
            if (!(fabs(dot - (i == j)) <= 1e-9))
                return false;
        }
    const double *a = axes;
    const double  det = a[0] * (a[4] * a[8] - a[5] * a[7]) - a[1] * (a[3] * a[8] - a[5] * a[6]) +
                       a[2] * (a[3] * a[7] - a[4] * a[6]);
    return det > 0.0;
}

st_status sti_read_box(st_obb *box, unsigned *flags, st_json center, st_json size, st_json axes)
{
    double c[3], s[3], a[9];
    ST_TRY(st_json_doubles(center, c, 3));
    ST_TRY(st_json_doubles(size, s, 3));
    ST_TRY(st_json_doubles(axes, a, 9));

    *flags = 0;
    if (!axes_are_clean(a) || s[0] < 0.0 || s[1] < 0.0 || s[2] < 0.0)
        *flags |= ST_FLAG_MENDED;
    if (s[0] == 0.0 && s[1] == 0.0 && s[2] == 0.0)
        return st_json_fail(size, ST_ERR_DATA, "expected a box, found three sides of zero length");
    for (int k = 0; k < 3; k++)
        if (fabs(s[k]) < STI_SIDE_M_MIN) {
            s[k] = STI_SIDE_M_MIN;
            *flags |= ST_FLAG_THIN;
        }
    char            path[120];
    const st_status made = st_obb_from_parts(box, c, s, a);
    if (made.code != ST_OK)
        return st_within(made, "%s", st_json_path(axes.parent, path, sizeof path));
    if (st_obb_tilt_deg(box) > STI_TILT_DEG_MAX)
        *flags |= ST_FLAG_TILTED;
    return st_ok();
}

static int compare_counts(const void *a, const void *b)
{
    return strcmp(((const st_label_count *)a)->label, ((const st_label_count *)b)->label);
}

void sti_sort_counts(st_scene *scene)
{
    qsort(scene->counts, scene->count_count, sizeof *scene->counts, compare_counts);
}

st_status sti_count_labels(st_scene *scene, st_arena *arena)
{
    scene->count_count = 0;
    ST_TRY(ST_ALLOC(arena, &scene->counts, scene->object_count));
    for (size_t i = 0; i < scene->object_count; i++) {
        const char *label = scene->objects[i].label;
        size_t      k = 0;
        while (k < scene->count_count && strcmp(scene->counts[k].label, label) != 0)
            k++;
        if (k == scene->count_count)
            scene->counts[scene->count_count++] = (st_label_count){.label = label};
        scene->counts[k].count++;
    }
    sti_sort_counts(scene);
    return st_ok();
}

/* --- the door --- */

st_status st_failure_add(st_failure_list *list, st_arena *arena, const char *scene_id,
                         const char *path, st_status why)
{
    if (why.code == ST_ERR_MEMORY)
        return why;
    const char *file;
    ST_TRY(st_arena_printf(arena, &file, "%s", path));
    ST_TRY(ST_GROW(arena, &list->failures, &list->capacity, list->count + 1));
    list->failures[list->count++] =
        (st_scene_failure){.scene_id = scene_id, .path = file, .why = why};
    return st_ok();
}

static const st_scene *find_scene(const st_scene_list *list, const st_scene *like)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->scenes[i].scene_id, like->scene_id) == 0 &&
            strcmp(list->scenes[i].dataset, like->dataset) == 0)
            return &list->scenes[i];
    return NULL;
}

/* What they say of the room; not what they were made from, which a scene file lists in full and a
 * scan that was measured just now does not. */
static st_status say_the_same(bool *same, const st_scene *a, const st_scene *b)
{
    st_scene room_a = *a, room_b = *b;
    room_a.input_count = room_b.input_count = 0;
    st_text x, y;
    st_text_init(&x);
    st_text_init(&y);
    st_status s = st_scene_write(&x, &room_a);
    if (s.code == ST_OK)
        s = st_scene_write(&y, &room_b);
    *same = s.code == ST_OK && st_str_equal(st_text_view(&x), st_text_view(&y));
    st_text_free(&x);
    st_text_free(&y);
    return s;
}

/* A scene was read, or it was not and `why` says so: to the list, or to the failures. */
static st_status settle(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                        const char *path, const char *scene_id, const st_scene *scene,
                        st_status why)
{
    if (why.code != ST_OK)
        return st_failure_add(failures, arena, scene_id, path, why);
    const st_scene *before = find_scene(list, scene);
    if (before) {
        bool same;
        ST_TRY(say_the_same(&same, before, scene));
        if (same) {
            st_log(ST_LEVEL_WARN, "datagen", "%s: %s was read from %s before, with the same "
                   "content", path, scene_id, before->path);
            return st_ok();
        }
        return st_failure_add(failures, arena, scene_id, path,
                              ST_FAIL(ST_ERR_DATA, "the scene was read from %s before, with other "
                                                   "content; that one stands", before->path));
    }
    ST_TRY(ST_GROW(arena, &list->scenes, &list->capacity, list->count + 1));
    st_scene *added = &list->scenes[list->count++];
    *added = *scene;
    return st_arena_printf(arena, &added->path, "%s", path);
}

static st_status read_one(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                          const char *path, st_json root)
{
    st_scene  scene = {0};
    st_status why = sti_scene_file_read(&scene, arena, root);
    if (!scene.scene_id)
        why = st_within(why, "%s", path);
    return settle(list, failures, arena, path, scene.scene_id, &scene, why);
}

static st_status read_metadata(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                               const char *path, st_json root)
{
    st_json      member;
    st_json_walk walk = st_json_walk_start(&root);
    while (st_json_walk_next(&walk, &root, &member)) {
        const char *scene_id;
        ST_TRY(st_arena_copy_text(arena, &scene_id, member.key, strlen(member.key)));
        st_scene  scene = {0};
        st_status why;
        if (strlen(scene_id) == 0 || strlen(scene_id) > ST_NAME_BYTES_MAX)
            why = ST_FAIL(ST_ERR_FORMAT, "expected a scene name of 1 to %zu bytes, found %zu",
                          ST_NAME_BYTES_MAX, strlen(scene_id));
        else {
            member.parent = NULL;       /* paths in sentences start at the scene */
            why = sti_vsi_meta_read(&scene, arena, member, st_str_from(scene_id), path);
        }
        ST_TRY(settle(list, failures, arena, path, scene_id, &scene, why));
    }
    return st_ok();
}

/* Whether any member of an object says something that metadata says of a scene. A file without one
 * is of another kind, and is told once, not for each of its members. */
static bool has_scenes(st_json root)
{
    static const char *const keys[] = {"room_size", "room_center", "object_counts", "object_bbox",
                                       "object_bboxes"};
    st_json      member;
    st_json_walk walk = st_json_walk_start(&root);
    while (st_json_walk_next(&walk, &root, &member))
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            if (st_json_kind_of(st_json_member(&member, keys[k])) != ST_JSON_ABSENT)
                return true;
    return false;
}

static st_status read_document(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                               const char *path, st_json root)
{
    char found[120];
    if (st_json_kind_of(st_json_member(&root, "schema")) == ST_JSON_TEXT)
        return read_one(list, failures, arena, path, root);
    if (has_scenes(root))
        return read_metadata(list, failures, arena, path, root);
    return st_failure_add(failures, arena, NULL, path,
                          ST_FAIL(ST_ERR_FORMAT, "%s: expected scenes, found %s", path,
                                  st_json_describe(&root, found, sizeof found)));
}

/* What cannot be parsed is cut short or has a slip, and the parser says where; or it never was
 * JSON, or has a document on each line, and then what it is helps more. */
static st_status refuse_text(st_status s, st_str bytes)
{
    const st_str seen = st_str_trim(bytes);
    st_str       line, rest = seen;
    st_json_doc *doc;
    if (s.code != ST_ERR_FORMAT)
        return s;
    if (!st_str_next_line(&line, &rest))
        return ST_FAIL(ST_ERR_FORMAT, "expected scenes, found an empty file");
    if (line.data[0] != '{' && line.data[0] != '[' && !st_str_starts(line, "\xEF\xBB\xBF")) {
        char opening[64];
        return ST_FAIL(ST_ERR_FORMAT, "expected scenes in JSON, found a file that starts with %s",
                       st_str_opening(opening, line));
    }
    if (rest.size > 0 && st_json_parse(&doc, line).code == ST_OK) {
        char          found[120];
        const st_json root = st_json_root(doc);
        s = ST_FAIL(ST_ERR_FORMAT, "expected scenes in one JSON document, found one on each line, "
                    "the first %s", st_json_describe(&root, found, sizeof found));
        st_json_free(doc);
    }
    return s;
}

/* A key that is there twice, be it a scene or something in one, spoils no other scene: it is told,
 * and what was written last is read. */
static st_status parse_all(st_json_doc **doc, st_failure_list *failures, st_arena *arena,
                           st_str bytes, const char *path)
{
    st_status s = st_json_parse(doc, bytes);
    if (s.code == ST_OK)
        return s;
    const bool twice = strstr(s.text, "duplicate object key") != NULL;
    if (!twice)
        s = refuse_text(s, bytes);
    ST_TRY(st_failure_add(failures, arena, NULL, path,
                          st_within(twice ? ST_FAIL(ST_ERR_DATA, "%.160s: the last one is read",
                                                    s.text) : s, "%s", path)));
    if (!twice)
        return st_ok();
    s = st_json_parse_keep_last(doc, bytes);
    if (s.code == ST_OK || s.code == ST_ERR_MEMORY)
        return s;
    /* Behind the key that stands twice there is worse. */
    return st_failure_add(failures, arena, NULL, path, st_within(s, "%s", path));
}

st_status st_scene_parse(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                         st_str bytes, const char *path)
{
    st_json_doc *doc = NULL;
    ST_TRY(parse_all(&doc, failures, arena, bytes, path));
    if (!doc)
        return st_ok();
    const st_status s = read_document(list, failures, arena, path, st_json_root(doc));
    st_json_free(doc);
    return s;
}

st_status st_scene_read(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                        const char *path)
{
    st_map    map;
    st_status s = st_map_open(&map, path);
    if (s.code != ST_OK)
        return st_failure_add(failures, arena, NULL, path, s);
    if (map.size > ST_TEXT_FILE_BYTES_MAX)
        s = st_failure_add(failures, arena, NULL, path,
                           ST_FAIL(ST_ERR_LIMIT, "%s: expected at most %zu bytes, found %zu", path,
                                   ST_TEXT_FILE_BYTES_MAX, map.size));
    else
        s = st_scene_parse(list, failures, arena, (st_str){(const char *)map.data, map.size}, path);
    st_map_close(&map);
    return s;
}
