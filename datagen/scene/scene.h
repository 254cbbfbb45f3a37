/* scene.h - what we know of a room: its size, its objects, their boxes and names.
 *
 * A *scene* is made from a *scan* (what was captured) or read from published metadata. Lengths are
 * metres in the scene frame, +Z up (data.md 1.2). A scene lives in the arena it was read into.
 *
 * May include: kernels/base, kernels/media, geometry, render, datagen/scans.
 */
#ifndef ST_SCENE_H
#define ST_SCENE_H

#include "datagen/scans/labels.h"
#include "datagen/scans/scan.h"
#include "geometry/box.h"
#include "kernels/base/arena.h"
#include "kernels/base/json.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* What a reader or a rule had to say about an object or a room; printed by st_flag_name. */
typedef enum st_flag {
    ST_FLAG_THIN = 1 << 0,              /* a side was clamped to 5 mm                   */
    ST_FLAG_TILTED = 1 << 1,            /* leans more than 3 degrees from gravity        */
    ST_FLAG_SCATTERED = 1 << 2,         /* several clusters of points                    */
    ST_FLAG_TRIMMED = 1 << 3,           /* stray clusters were dropped before fitting    */
    ST_FLAG_DUPLICATE = 1 << 4,         /* a second instance was merged into this one    */
    ST_FLAG_OVERLAP = 1 << 5,           /* some of its vertices belong to an earlier one */
    ST_FLAG_PLURAL = 1 << 6,            /* one instance stands for several               */
    ST_FLAG_UNALIGNED = 1 << 7,         /* the scan had no axis alignment                */
    ST_FLAG_COUNT_MISMATCH = 1 << 8,    /* published count and boxes disagree            */
    ST_FLAG_BOUNDS = 1 << 9,            /* stored min and max are not those of the box   */
    ST_FLAG_MENDED = 1 << 10            /* axes were made orthonormal, or a length lost its sign */
} st_flag;
enum { ST_FLAG_COUNT = 11 };

typedef struct st_object {
    int         instance_id;
    const char *raw_label;      /* the annotator's word, or the published label        */
    const char *label;          /* the name used in questions                          */
    int         nyu40;          /* 1..40, 0 unknown                                    */
    int64_t     point_count;    /* 0 in published metadata                             */
    st_obb      box;            /* what questions are asked about                      */
    st_obb      box_min;        /* near-minimal volume box; equals box where there is one only */
    double      aabb_min_m[3], aabb_max_m[3];   /* of the points; in published metadata, as
                                                   given or of the corners             */
    bool        has_box_min;
    bool        referent;       /* its label alone names it (data.md 3.9)              */
    bool        countable;
    unsigned    flags;          /* st_flag bits                                        */
    uint32_t    groups;         /* confusable groups of label and raw label; set by
                                   st_scene_mark_referents                             */
} st_object;

/* What a label's published count says; the boxes say what is really there. */
typedef struct st_label_count {
    const char *label;
    int64_t     count;
} st_label_count;

typedef struct st_point2 {
    double x_m, y_m;
} st_point2;

typedef struct st_outline {     /* one closed ring of a border; holes run clockwise */
    st_point2 *points;
    size_t     count;
} st_outline;

typedef struct st_room {
    bool        known;          /* false: no room block, no room question */
    double      area_m2;
    double      area_open_m2, area_hull_m2, floor_area_m2;      /* -1 when not measured */
    double      area_vsi_m2, area_vsi_sd_m2;                    /* -1 when not measured */
    double      alpha_radius_m;
    double      center_m[3], aabb_min_m[3], aabb_max_m[3], floor_z_m;
    bool        has_extent;     /* aabb and floor_z are known              */
    bool        has_raw_mean;
    double      raw_mean_m[3];  /* ScanNet: mean of the vertices before alignment; the
                                   benchmark's metadata has it as its origin       */
    const char *scene_type;     /* "Bedroom / Hotel", or NULL              */
    unsigned    flags;
    st_outline *outlines;       /* of the floor, where known               */
    size_t      outline_count;
    st_outline *walls;          /* what walls take of the floor: those that the
                                   annotators named and the scan has from both sides */
    size_t      wall_count;
} st_room;

/* A turn on the spot. The classes leave gaps between them, so that nobody argues (data.md 5.9). */
typedef enum st_turn {
    ST_TURN_NONE,               /* straight on, within 20 degrees          */
    ST_TURN_LEFT,               /* 50 to 130 degrees                       */
    ST_TURN_RIGHT,
    ST_TURN_BACK,               /* 160 degrees or more                     */
    ST_TURN_UNCLEAR             /* between the others: no route has it     */
} st_turn;

enum { ST_ROUTE_LEGS_MAX = 4, ST_ROUTES_MAX = 20 };

/* A turn, and then straight on until an object is near. */
typedef struct st_route_leg {
    int     object;             /* what it leads to; of the last leg: the destination       */
    st_turn turn;               /* NONE only before the first, towards what is faced        */
    double  turn_deg;           /* signed, left positive                                    */
    double  aim_m[2];           /* walked towards: its centre, or the middle of a side      */
    double  reach_m;            /* as far as that way is free of it, 10 cm around it        */
    double  stop_m[2];          /* where the leg ends                                       */
} st_route_leg;

/* A way through the room that a question can ask for; found on the floor grid of a scan. */
typedef struct st_route {
    int          start, facing;                 /* objects of the scene                     */
    double       from_m[2];                     /* where it starts                          */
    st_route_leg legs[ST_ROUTE_LEGS_MAX];
    int          leg_count;
    int          blank_count;                   /* turns that are not NONE, 1 to 4          */
    double       clearance_m;                   /* from the way to the nearest cell that is
                                                   not free, at its tightest                */
    int          robust_cases, robust_kept;     /* disturbed starts tried, and those that
                                                   keep every turn (data.md 5.9, step 7)    */
} st_route;

/* Two referents and the distance between the nearest vertices of their surfaces. */
typedef struct st_surface_gap {
    int    a, b;                /* objects of the scene */
    double gap_m;
} st_surface_gap;

typedef struct st_scene {
    const char     *dataset;        /* "scannet", "arkitscenes", "scannetpp", "synth" */
    const char     *scene_id;
    const char     *space_id;       /* the physical room: splits and guards use it    */
    const char     *split;          /* "train", "val", or ""                          */
    const char     *path;           /* what a reader read it from, for sentences      */
    double          raw_to_scene[16];
    int64_t         vertex_count, face_count, dropped_vertex_count;
    bool            from_metadata;  /* published metadata: boxes only, no mesh        */
    st_room         room;
    st_object      *objects;        /* sorted by instance_id                          */
    size_t          object_count;
    st_label_count *counts;         /* sorted by label                                */
    size_t          count_count;
    st_dropped     *dropped;
    size_t          dropped_count;
    st_warning     *warnings;
    size_t          warning_count, warning_capacity;
    st_input       *inputs;
    size_t          input_count;
    bool            has_routes;     /* they were looked for: a scan with a floor           */
    st_route       *routes;         /* at most ST_ROUTES_MAX                              */
    size_t          route_count;
    st_surface_gap *surfaces;       /* every pair of referents, where a scan was measured */
    size_t          surface_count;
} st_scene;

typedef struct st_scene_list {
    st_scene *scenes;
    size_t    count, capacity;
} st_scene_list;

/* A scene that could not be read, and why; the others go on. */
typedef struct st_scene_failure {
    const char *scene_id;       /* NULL: the file as a whole, and `why` names the path */
    const char *path;
    st_status   why;
} st_scene_failure;

typedef struct st_failure_list {
    st_scene_failure *failures;
    size_t            count, capacity;
} st_failure_list;

/* Append a failure. The scene's name is borrowed, the path is copied.
 *
 * Fails   ST_ERR_MEMORY, also when that is what failed: then nothing can go on.
 */
ST_CHECKED st_status st_failure_add(st_failure_list *list, st_arena *arena, const char *scene_id,
                                    const char *path, st_status why);

/* Read every scene of a file, told apart by its content: one st-scene/1 object, or an object of
 * scenes in the VSI-Bench form with `object_bbox` or `object_bboxes`.
 *
 *   list      scenes are appended, in file order, living in the arena
 *   failures  scenes that could not be read are appended; the rest goes on. A scene that the list
 *             already has is a failure too, unless both say the same
 *
 * Fails   only when nothing can go on: ST_ERR_MEMORY. A file that cannot be read at all is one
 *         failure with scene_id NULL.
 */
ST_CHECKED st_status st_scene_read(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                                   const char *path);

/* The same from the bytes of a file; `path` names it in sentences, and its dataset where the bytes
 * do not. */
ST_CHECKED st_status st_scene_parse(st_scene_list *list, st_failure_list *failures, st_arena *arena,
                                    st_str bytes, const char *path);

/* Append one scene in its st-scene/1 form (data.md 3.13) to `out`, pretty, keys in the stated
 * order, the same bytes each time. */
ST_CHECKED st_status st_scene_write(st_text *out, const st_scene *scene);

/* Who reads the VSI-Bench form. The benchmark has `object_bbox`; VLM-3R's generator also wants
 * `object_bboxes` and an instance_id in each box, and gets both spellings. */
typedef enum st_vsi_form { ST_VSI_FORM_BENCH, ST_VSI_FORM_VLM3R } st_vsi_form;

/* Append scenes of one dataset in the VSI-Bench form (data.md 3.12): an object keyed by scene id
 * with room_size, room_center, object_counts, object_bbox, video_path, dataset. Boxes are box_min
 * where there is one. */
ST_CHECKED st_status st_scene_write_vsi(st_text *out, const st_scene *scenes, size_t count,
                                        st_vsi_form form);

/* Objects that carry a label: the first index at or after `from`, or object_count. */
size_t st_scene_find_label(const st_scene *scene, const char *label, size_t from);

/* How many objects carry the label. */
size_t st_scene_count_label(const st_scene *scene, const char *label);

/* Set referent and countable of every object by the rules of data.md 3.8 and 3.9 from its labels,
 * flags and the dropped list. Readers call it; so may a caller that changed the objects. */
void st_scene_mark_referents(st_scene *scene);

/* The distance between the surfaces of two objects; false where nobody measured it. */
bool st_scene_surface_gap(double *gap_m, const st_scene *scene, int a, int b);

/* True when something that was dropped may be called by the object's name: then nobody knows where
 * all of its kind are. What was empty, merged, or never a thing does not count. Asks for the groups
 * that st_scene_mark_referents sets. */
bool st_scene_dropped_like(const st_scene *scene, const st_object *object);

/* True when the benchmark uses the scene's room: by its space, its own id, or what its reader knew
 * of other scans of the room (warning "Q-6"). */
bool st_scene_in_benchmark(const st_scene *scene);

const char *st_flag_name(st_flag flag);     /* "thin", "tilted", ... */

/* A scene as a table for people: the room, a line per object, counts, what was dropped. */
void st_scene_print(st_text *out, const st_scene *scene);

/* Many scenes, one line each, under a heading. */
void st_scene_print_list(st_text *out, const st_scene *scenes, size_t count);

#endif
