/* scene_inputs.h - what commands that work on scenes are given: scene files, published metadata,
 * raw scans, and folders of them.
 *
 * May include: kernels/base, datagen/scans, datagen/scene.
 */
#ifndef ST_SCENE_INPUTS_H
#define ST_SCENE_INPUTS_H

#include "datagen/scene/scene.h"
#include "kernels/base/manifest.h"
#include "tools/command.h"

/* Paths in the order they are read: a file, or the folder of one raw scan. */
typedef struct st_path_list {
    const char **paths;
    size_t       count, capacity;
} st_path_list;

/* What the words stand for, in the order of the words. A file is itself. A folder is, of these the
 * first that it holds: what is below its `scenes` (an output folder), the raw scans at or below it,
 * every .json file below it, sorted, but for manifest.json and run.json.
 *
 * Fails   ST_ERR_IO a word that is neither; ST_ERR_DATA a folder that holds none of them.
 */
ST_CHECKED st_status st_scene_paths(st_path_list *list, st_arena *arena, const char *const *words,
                                    size_t count);

/* Read the scenes of one such path. A raw scan is measured as `spatial scene` does by default, with
 * the same numbers; what fails is appended to the failures.
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_scene_path_read(st_scene_list *scenes, st_failure_list *failures,
                                        st_arena *arena, const char *path);

/* Name every failure on stderr: the path, the scene when the path does not say it, and why. */
void st_say_scene_failures(const st_args *args, const st_failure_list *failures);

/* Refuse to go on without a scene: questions about nothing, or rows held against nothing, would
 * look like work that was done. Names every failure.
 *
 * Fails   ST_ERR_DATA "no scene could be read from 2 inputs".
 */
ST_CHECKED st_status st_expect_scenes(const st_args *args, const st_scene_list *scenes,
                                      const st_failure_list *failures, size_t input_count);

/* Add such a path to a manifest: a file by its digest, a scan by the digest of its files' digests.
 *
 * Fails   ST_ERR_IO, ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_scene_path_add(st_manifest *manifest, st_arena *arena, const char *path);

#endif
