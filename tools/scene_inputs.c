/* scene_inputs.c - files and folders on the command line become scenes. */
#include "tools/scene_inputs.h"

#include "datagen/scans/scan.h"
#include "datagen/scene/measure.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <string.h>

enum { DEPTH_MAX = 8 };     /* folders within folders: a link that leads back ends here */

static st_status add_path(st_path_list *list, st_arena *arena, const char *path)
{
    ST_TRY(ST_GROW(arena, &list->paths, &list->capacity, list->count + 1));
    list->paths[list->count++] = path;
    return st_ok();
}

/* What our output folders say of themselves lies beside the scenes and is none. */
static bool is_about_folder(const char *name)
{
    return strcmp(name, "manifest.json") == 0 || strcmp(name, "run.json") == 0;
}

static st_status add_folder(st_path_list *list, st_arena *arena, const char *folder, int depth)
{
    const char **names;
    size_t count;
    if (depth > DEPTH_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "%s: more than %d folders within each other", folder,
                       DEPTH_MAX);
    ST_TRY(st_folder_list(arena, &names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        const char *path;
        ST_TRY(st_path_join(arena, &path, folder, names[i]));
        if (st_folder_exists(path))
            ST_TRY(add_folder(list, arena, path, depth + 1));
        else if (st_str_ends(st_str_from(names[i]), ".json") && !is_about_folder(names[i]))
            ST_TRY(add_path(list, arena, path));
    }
    return st_ok();
}

/* The raw scans at or below a folder; none is no failure. */
static st_status add_scans(st_path_list *list, st_arena *arena, const char *folder)
{
    const char **folders;
    size_t count;
    const st_status s = st_scan_find(&folders, &count, arena, folder);
    if (s.code == ST_ERR_DATA)
        return st_ok();
    ST_TRY(s);
    for (size_t i = 0; i < count; i++)
        ST_TRY(add_path(list, arena, folders[i]));
    return st_ok();
}

st_status st_scene_paths(st_path_list *list, st_arena *arena, const char *const *words,
                         size_t count)
{
    *list = (st_path_list){0};
    for (size_t i = 0; i < count; i++) {
        if (!st_folder_exists(words[i])) {
            ST_TRY(add_path(list, arena, words[i]));
            continue;
        }
        const char *scenes;
        const size_t before = list->count;
        ST_TRY(st_path_join(arena, &scenes, words[i], "scenes"));
        if (st_folder_exists(scenes))
            ST_TRY(add_folder(list, arena, scenes, 0));
        if (list->count == before)
            ST_TRY(add_scans(list, arena, words[i]));
        if (list->count == before)
            ST_TRY(add_folder(list, arena, words[i], 0));
        if (list->count == before)
            return ST_FAIL(ST_ERR_DATA, "%s: expected scene files or scans, found neither",
                           words[i]);
    }
    return st_ok();
}

void st_say_scene_failures(const st_args *args, const st_failure_list *failures)
{
    for (size_t i = 0; i < failures->count; i++) {
        const st_scene_failure *f = &failures->failures[i];
        if (!f->scene_id)
            st_say_failure(args, NULL, f->why);         /* says the path itself */
        else if (strstr(f->path, f->scene_id))
            st_say_failure(args, f->path, f->why);
        else
            st_say_failure(args, f->path, st_within(f->why, "%s", f->scene_id));
    }
}

/* The scan is measured in memory of its own and handed on as the text of its scene file, so that
 * its numbers are those of the file, rounded alike, and its mesh is gone when the scene stays. */
static st_status measure_scan(st_text *text, const char *folder)
{
    st_arena arena, scratch;
    st_arena_init(&arena, "scan");
    st_arena_init(&scratch, "scan scratch");
    st_label_table *table = NULL;
    const char *labels = NULL;
    st_scan scan;
    st_scene scene;
    st_status s;
    ST_TRY_OR(s, out, st_scan_find_labels(&labels, &arena, folder));
    if (labels)
        ST_TRY_OR(s, out, st_label_table_load(&table, labels));
    ST_TRY_OR(s, out, st_scan_read(&scan, &arena, folder));
    ST_TRY_OR(s, out,
              st_scene_measure(&scene, &arena, &scratch, &scan, table, ST_VOCABULARY_MIXED));
    s = st_scene_write(text, &scene);
out:
    st_label_table_free(table);
    st_arena_free(&scratch);
    st_arena_free(&arena);
    return s;
}

st_status st_scene_path_read(st_scene_list *scenes, st_failure_list *failures, st_arena *arena,
                             const char *path)
{
    if (!st_folder_exists(path))
        return st_scene_read(scenes, failures, arena, path);
    const st_str name = st_scan_name(path);
    const char *scene_id;
    ST_TRY(st_arena_copy_text(arena, &scene_id, name.data, name.size));
    st_text text;
    st_text_init(&text);
    st_status s = measure_scan(&text, path);
    if (s.code == ST_OK)
        s = st_scene_parse(scenes, failures, arena, st_text_view(&text), path);
    else
        s = st_failure_add(failures, arena, scene_id, path, s);
    st_text_free(&text);
    return s;
}

st_status st_expect_scenes(const st_args *args, const st_scene_list *scenes,
                           const st_failure_list *failures, size_t input_count)
{
    if (scenes->count > 0)
        return st_ok();
    st_say_scene_failures(args, failures);
    return ST_FAIL(ST_ERR_DATA, "no scene could be read from %zu input%s", input_count,
                   input_count == 1 ? "" : "s");
}

st_status st_scene_path_add(st_manifest *manifest, st_arena *arena, const char *path)
{
    if (!st_folder_exists(path))
        return st_manifest_add_input(manifest, path);
    st_input *inputs;
    size_t count;
    uint64_t bytes = 0;
    st_sha256 hash;
    st_sha256_start(&hash);
    ST_TRY(st_scan_inputs(&inputs, &count, arena, path));
    for (size_t i = 0; i < count; i++) {
        bytes += inputs[i].bytes;
        st_sha256_add(&hash, inputs[i].sha256, 64);
    }
    const char *labels;
    ST_TRY(st_scan_find_labels(&labels, arena, path));
    if (labels) {
        st_digest table;
        ST_TRY(st_digest_of_file(&table, labels));
        st_sha256_add(&hash, table.bytes, sizeof table.bytes);
    }
    const st_digest digest = st_sha256_end(&hash);
    const char *name;
    const st_str scan = st_scan_name(path);
    ST_TRY(st_arena_printf(arena, &name, "%.*s", ST_STR_ARG(scan)));
    return st_manifest_add_known_input(manifest, name, bytes, &digest);
}
