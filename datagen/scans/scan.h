/* scan.h - what was captured of a room, as its dataset ships it: a mesh, named instances, and where
 * it all came from.
 *
 * A *scan* is one recording, a *space* the physical room (data.md 1.3). ScanNet folders name
 * instances as sets of mesh vertices, ARKitScenes ones as boxes; both end up here as vertices, and
 * boxes are kept. Points are in the scene frame: metres, +Z up, after axis alignment.
 *
 * Dirt of the real datasets is handled as data.md 9 says (E- rules): a scan that cannot be used is
 * a failure with its reason, the rest becomes warnings of the scan. A scan lives in one arena.
 *
 * May include: kernels/base, kernels/media, geometry, render, labels.h.
 */
#ifndef ST_SCAN_H
#define ST_SCAN_H

#include "datagen/scans/labels.h"
#include "geometry/box.h"
#include "geometry/mesh.h"
#include "kernels/base/arena.h"
#include "kernels/base/status.h"

typedef struct st_dropped {
    int         instance_id;
    const char *raw_label;
    const char *label;          /* the name it would have had, or NULL; not in files   */
    const char *reason;         /* "few_points", "unknown_label", ... (data.md 3.5)    */
} st_dropped;

typedef struct st_warning {
    const char *rule;           /* "E-13"                                              */
    const char *code;           /* "overlap"                                           */
    const char *message;
    int64_t     count;
} st_warning;

typedef struct st_input {
    const char *path;           /* "SCAN/FILE"                                         */
    uint64_t    bytes;
    char        sha256[65];
} st_input;

typedef struct st_instance {
    int         instance_id;
    const char *raw_label;      /* trimmed, UTF-8; "" where the file has none          */
    uint32_t   *vertices;       /* (V) finite ones, rising                             */
    size_t      vertex_count;
    bool        has_box;        /* ARKitScenes                                         */
    st_obb      box;            /* as annotated                                        */
    bool        overlap;        /* an earlier instance claims some of its vertices     */
} st_instance;

typedef enum st_scan_kind { ST_SCAN_SCANNET, ST_SCAN_ARKIT } st_scan_kind;

typedef struct st_scan {
    st_scan_kind kind;
    const char  *folder;
    const char  *dataset;           /* "scannet", "arkitscenes"                        */
    const char  *scan_id;           /* "scene0000_01", "47204578"                      */
    const char  *space_id;
    const char  *split;             /* "train", "val", "test", or ""                   */
    st_mesh      mesh;              /* vertices that are not finite stay in their place */
    size_t       dropped_vertex_count;
    double       scene_from_raw[16];
    bool         aligned;           /* the scan brought its alignment                  */
    double       raw_mean_m[3];     /* mean of the finite vertices before alignment    */
    const char  *scene_type;        /* or NULL                                         */
    st_instance *instances;         /* in file order                                   */
    size_t       instance_count;
    st_dropped  *dropped;           /* instances that never were any: "empty"          */
    size_t       dropped_count, dropped_capacity;
    st_warning  *warnings;
    size_t       warning_count, warning_capacity;
    st_input    *inputs;
    size_t       input_count, input_capacity;
} st_scan;

/* The folders of scans at or below a path, in the order of their names: a scan itself, or a dataset
 * folder up to four levels above its scans.
 *
 * Fails   ST_ERR_IO; ST_ERR_DATA "PATH: no scan here: ..." when there is none.
 */
ST_CHECKED st_status st_scan_find(const char ***folders, size_t *count, st_arena *arena,
                                  const char *path);

/* What kind of scan a folder is; false when it is none. */
bool st_scan_kind_of(st_scan_kind *kind, const char *folder);

/* "scene0000_01" of ".../scene0000_01/". */
st_str st_scan_name(const char *folder);

/* Read one scan; it lives in the arena.
 *
 * Fails   ST_ERR_IO files are missing, all of them named; ST_ERR_FORMAT, ST_ERR_DATA,
 *         ST_ERR_LIMIT: the scan is of no use, and why.
 */
ST_CHECKED st_status st_scan_read(st_scan *scan, st_arena *arena, const char *folder);

/* The label table that belongs to a ScanNet scan: scannetv2-labels.combined.tsv, in the folder or
 * up to three above it. NULL when there is none. */
ST_CHECKED st_status st_scan_find_labels(const char **path, st_arena *arena, const char *folder);

/* The files whose bytes decide what st_scan_read gives, label table not among them: "SCAN/FILE"
 * with size and SHA-256, in a fixed order. What is missing is left out. */
ST_CHECKED st_status st_scan_inputs(st_input **inputs, size_t *count, st_arena *arena,
                                    const char *folder);

/* A warning with its words in the arena, appended to a list that grows there. */
ST_CHECKED ST_PRINTF(8, 9) st_status st_warning_add(st_warning **list, size_t *count,
                                                    size_t *capacity, st_arena *arena,
                                                    const char *rule, const char *code,
                                                    int64_t times, const char *fmt, ...);

#endif
