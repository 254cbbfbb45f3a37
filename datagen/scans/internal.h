/* internal.h - what the scan readers share: the small files beside a mesh, parsed.
 *
 * May include: scan.h.
 */
#ifndef STI_SCANS_INTERNAL_H
#define STI_SCANS_INTERNAL_H

#include "datagen/scans/scan.h"
#include "kernels/base/json.h"

/* A small file beside a mesh; the largest real one, segs.json of a hi-res mesh, has 30 MB. */
#define STI_SIDE_FILE_BYTES_MAX ((size_t)512 << 20)

#define STI_WARN(scan, arena, rule, code, times, ...)                                             \
    st_warning_add(&(scan)->warnings, &(scan)->warning_count, &(scan)->warning_capacity, (arena), \
                   (rule), (code), (times), __VA_ARGS__)

/* "FOLDER/STEM TAIL" without the blank: the path of a scan's file. */
ST_CHECKED st_status sti_scan_path(const char **path, st_arena *arena, const char *folder,
                                   const char *stem, const char *tail);

/* All files must be there; a failure names those that are not. */
ST_CHECKED st_status sti_scan_require(st_arena *arena, const char *const *paths, size_t count);

/* Read a whole file of the scan into `scratch` and note it among the scan's inputs. */
ST_CHECKED st_status sti_scan_load(st_scan *scan, st_arena *arena, st_arena *scratch,
                                   st_str *bytes, const char *path);

/* Read the mesh, put it into the scene frame, count what is not finite (E-4). */
ST_CHECKED st_status sti_scan_load_mesh(st_scan *scan, st_arena *arena, st_arena *scratch,
                                        const char *path);

bool sti_point_is_finite(const double point_m[3]);

/* Parse an annotation. Bytes that are not UTF-8, as users' tools leave them in labels, become
 * U+FFFD, so that one odd label costs one object and not the scan (data.md E-18).
 *
 * Fails   as st_json_parse.
 */
ST_CHECKED st_status sti_annotation_parse(st_json_doc **doc, st_arena *arena, st_str bytes);

/* A label as the file has it: trimmed, UTF-8; "" when it is missing, not text, or not UTF-8. */
ST_CHECKED st_status sti_read_label(const char **label, st_arena *arena, st_json value);

/* A named file in the folder or up to `levels` above it; NULL when there is none. */
ST_CHECKED st_status sti_find_above(const char **path, st_arena *arena, const char *folder,
                                    const char *name, int levels);

/* --- scannet --- */

ST_CHECKED st_status sti_scannet_read(st_scan *scan, st_arena *arena, st_arena *scratch);

/* SCAN.txt (data.md 2.6). */
typedef struct sti_scan_text {
    bool   has_alignment;
    st_str alignment;           /* the numbers, unparsed */
    st_str scene_type;          /* {NULL,0}: none        */
    size_t duplicate_keys;
} sti_scan_text;
void sti_scan_text_parse(sti_scan_text *text, st_str bytes);

/* segIndices of segs.json (data.md 2.4): a segment per vertex. Lives in the arena. */
typedef struct sti_segments {
    int64_t *of_vertex;
    size_t   count;
} sti_segments;
ST_CHECKED st_status sti_segments_parse(sti_segments *segments, st_arena *arena, st_str bytes);

/* A group of aggregation.json (data.md 2.5). */
typedef struct sti_group {
    int64_t     id;
    const char *label;
    int64_t    *segments;       /* rising, each once */
    size_t      segment_count;
} sti_group;

typedef struct sti_groups {
    sti_group *groups;          /* in file order */
    size_t     count;
    size_t     by_id, by_place; /* how many had no usable objectId, and no usable id either */
} sti_groups;
ST_CHECKED st_status sti_groups_parse(sti_groups *groups, st_arena *arena, st_str bytes);

/* --- arkit --- */

ST_CHECKED st_status sti_arkit_read(st_scan *scan, st_arena *arena, st_arena *scratch);

typedef struct sti_arkit_box {
    const char *label;
    st_obb      box;
    const char *bad;            /* why the box is of no use, or NULL */
} sti_arkit_box;

typedef struct sti_arkit_boxes {
    sti_arkit_box *boxes;
    size_t         count;
    bool           skipped;     /* the annotators passed over this scan */
} sti_arkit_boxes;
ST_CHECKED st_status sti_arkit_boxes_parse(sti_arkit_boxes *boxes, st_arena *arena, st_str bytes);

/* What metadata.csv says of a scan (data.md 2.9, E-32). */
typedef struct sti_arkit_visit {
    st_str visit_id;            /* {NULL,0}: not known; digits only, without ".0" */
    st_str fold;
    bool   benchmark;           /* a scan of the same visit is in the benchmark   */
} sti_arkit_visit;
void sti_arkit_visit_find(sti_arkit_visit *visit, st_str csv, const char *video_id);

#endif
