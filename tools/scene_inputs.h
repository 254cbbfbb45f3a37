/* scene_inputs.h - what commands that work on scenes are given: files, and folders of files.
 *
 * May include: kernels/base, datagen/scene.
 */
#ifndef ST_SCENE_INPUTS_H
#define ST_SCENE_INPUTS_H

#include "datagen/scene/scene.h"

typedef struct st_path_list {
    const char **paths;
    size_t       count, capacity;
} st_path_list;

/* The files that the words stand for, in the order of the words: a file is itself, a folder is
 * every .json file below it, sorted; of an output folder, what is below its `scenes`.
 *
 * Fails   ST_ERR_IO a word that is neither; ST_ERR_DATA a folder without a .json file.
 */
ST_CHECKED st_status st_scene_paths(st_path_list *list, st_arena *arena, const char *const *words,
                                    size_t count);

#endif
