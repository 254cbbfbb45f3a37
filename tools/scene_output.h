/* scene_output.h - what a folder of `spatial scene` holds beside its scene files: metadata in the
 * VSI-Bench form, and the manifest. One writer, whether the scenes were measured here or merged.
 *
 * May include: kernels/base, datagen/scene.
 */
#ifndef ST_SCENE_OUTPUT_H
#define ST_SCENE_OUTPUT_H

#include "datagen/scene/make_scenes.h"
#include "kernels/base/manifest.h"

/* A part of a run: scans whose hash falls on `index` of `count`. count 1 is the whole. */
typedef struct st_shard {
    int index, count;
} st_shard;

/* "2/4": shard 2 of 4. Shards may be counted from 0 or from 1, for N/N is 0/N.
 *
 * Fails   ST_ERR_USAGE.
 */
ST_CHECKED st_status st_shard_parse(st_shard *shard, const char *text);

/* Whether a scan belongs to the shard. Adding scans moves none. */
bool st_shard_has(st_shard shard, const char *scan_id);

/* Write OUT/DATASET_meta_info[_SPLIT].json from the scene files below OUT, and OUT/manifest.json.
 *
 *   manifest   begun, with its settings
 *   jobs       what became of each scan: sorted by dataset, then scan
 *
 * Fails   ST_ERR_IO, ST_ERR_MEMORY, and what a scene file that changed meanwhile says.
 */
ST_CHECKED st_status st_scene_output_write(st_manifest *manifest, st_arena *arena, const char *out,
                                           st_vsi_form form, st_scene_jobs *jobs, st_shard shard);

#endif
