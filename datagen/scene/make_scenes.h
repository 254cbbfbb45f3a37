/* make_scenes.h - many scans to scene files, in parallel, taking up where an earlier run stopped.
 *
 * Each scan becomes OUT/scenes/DATASET/SCAN.json. The file lists what it was made from: the scan's
 * files, the label table, the settings, each with its digest. A scan whose file lists the same is
 * kept as it is; so an interrupted run goes on where it stopped, whatever changed meanwhile.
 *
 * May include: as scene.h.
 */
#ifndef ST_MAKE_SCENES_H
#define ST_MAKE_SCENES_H

#include "datagen/scans/scan.h"
#include "datagen/scene/scene.h"
#include "kernels/base/digest.h"
#include "kernels/base/pool.h"
#include "kernels/base/progress.h"

typedef struct st_scene_job {
    const char  *folder;
    st_scan_kind kind;
    const char  *dataset, *scan_id;
    const char  *name;          /* "scenes/scannet/scene0000_00.json" */
    const char  *labels_path;   /* NULL: none found, or none needed   */
    /* what became of it */
    st_status    why;           /* of a scan that gave no scene        */
    bool         kept;          /* the scene file stood already        */
    bool         in_benchmark, room_known;
    const char  *split;
    double       area_m2;
    int64_t      vertices;
    size_t       objects, referents, dropped, warnings;
    uint64_t     input_bytes;
    st_digest    inputs;        /* of the list of inputs               */
} st_scene_job;

/* A label table that the run used, and what was odd about it. */
typedef struct st_scene_table {
    const char       *path;
    st_input          input;
    size_t            rows;
    st_label_oddities odd;
} st_scene_table;

typedef struct st_scene_jobs {
    st_scene_job   *jobs;       /* by dataset, then scan         */
    size_t          count;
    st_scene_table *tables;     /* known after the run           */
    size_t          table_count;
} st_scene_jobs;

/* Find all scans at or below the paths and plan their work.
 *
 *   labels_path  a label table for every ScanNet scan, or NULL: each dataset's own
 *
 * Fails   ST_ERR_DATA no scan below a path, or two different scans of one name (E-35): the same
 *         scan found twice counts once.
 */
ST_CHECKED st_status st_scene_jobs_plan(st_scene_jobs *jobs, st_arena *arena,
                                        const char *const *paths, size_t path_count,
                                        const char *labels_path);

/* Make every scene that is not there yet. A scan that fails is told in its job; the rest goes on.
 *
 * Fails   ST_ERR_MEMORY; ST_ERR_FORMAT a label table that cannot be used (E-17); ST_ERR_IO an
 *         output that cannot be written.
 */
ST_CHECKED st_status st_scene_jobs_run(st_scene_jobs *jobs, st_arena *arena, const char *out,
                                       st_vocabulary vocabulary, st_pool *pool,
                                       st_progress *progress);

/* Everything but the scans that decides the bytes, as a JSON object with sorted keys. */
void st_scene_settings_print(st_text *json, st_vocabulary vocabulary);

const char *st_vocabulary_name(st_vocabulary vocabulary);       /* "mixed", "nyu40", "vsi" */

#endif
