/* scene_inputs.c - files and folders on the command line become a list of scene files. */
#include "tools/scene_inputs.h"

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

static bool ends_in(const char *name, const char *end)
{
    const size_t size = strlen(name), tail = strlen(end);
    return size > tail && strcmp(name + size - tail, end) == 0;
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
        else if (ends_in(names[i], ".json"))
            ST_TRY(add_path(list, arena, path));
    }
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
        ST_TRY(st_path_join(arena, &scenes, words[i], "scenes"));
        const size_t before = list->count;
        ST_TRY(add_folder(list, arena, st_folder_exists(scenes) ? scenes : words[i], 0));
        if (list->count == before)
            return ST_FAIL(ST_ERR_DATA, "%s: expected scene files, found no .json file",
                           words[i]);
    }
    return st_ok();
}
