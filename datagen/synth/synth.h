/* synth.h - furnished houses as raw scans, with the exact truth beside them.
 *
 * A *house* is drawn from a seed and a number: a floor plan, pieces of furniture that stand where
 * such pieces stand, nothing inside anything else, and ways to walk between them. Its *scan* is
 * what a depth camera would have left: a mesh of its visible surface, in the folder layout of
 * ScanNet or ARKitScenes. Its *truth* is computed from the placed models, never from the mesh.
 *
 * The scene frame is metres, +Z up (data.md 1.2): for ScanNet what `axisAlignment` leads to, for
 * ARKitScenes the frame of the delivered mesh. Everything depends on (seed, number, settings)
 * alone, so a house is the same on any number of threads.
 *
 * truth.json (schema "st-truth/1"), lengths in metres rounded to the micrometre, axes to 1e-12:
 *
 *   scan_id space_id split dataset scene_type seed house
 *   raw_to_scene[16]     row-major; maps mesh vertices to the scene frame
 *   area_m2              inside the outer walls, inner walls included: what an outline of the
 *                        whole scan encloses
 *   floor_area_m2        sum of the rooms' own areas
 *   floor_z_m height_m wall_m
 *   rooms[]              { room type area_m2 polygon_m[[x,y]...] } counter-clockwise inner faces
 *   doors[]              { rooms[2] center_m[2] width_m } rooms[1] is -1 for the way out
 *   objects[]            { id label nyu40 arkit room annotated obb{center_m size_m axes}
 *                          aabb_min_m aabb_max_m support{on id} front[2] }
 *                        id is the objectId of the scan; `obb` is the least-area upright box,
 *                        axis 2 = +Z, axis 0 the longer side (data.md 3.7); `support.on` is
 *                        "floor", "object" (then id is the object below), "wall" (hangs on it) or
 *                        "opening" (fills it); `front` is where it faces, null when it has none;
 *                        objects with annotated = false are clutter that no annotator has named
 *   structure[]          { id label room } walls, floors and ceilings of the scan
 *   settings             { edge_m noise_m holes shadows ceiling clutter }
 *   frames               null: there is no video yet
 *
 * May include: kernels/base, kernels/media, geometry, datagen/scans, datagen/scene.
 */
#ifndef ST_SYNTH_H
#define ST_SYNTH_H

#include "datagen/scene/scene.h"
#include "geometry/box.h"
#include "kernels/base/arena.h"
#include "kernels/base/digest.h"
#include "kernels/base/progress.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef enum st_synth_layout {
    ST_SYNTH_SCANNET,
    ST_SYNTH_ARKIT,
    ST_SYNTH_VSI            /* metadata alone, in the VSI-Bench form */
} st_synth_layout;

/* Models of a furniture library to mix in with ours. */
typedef struct st_furniture st_furniture;

/* Read those models of a Sweet Home 3D library (.sh3f) that this program has a class for. A single
 * model that cannot be read is logged and left out.
 *
 * Fails   ST_ERR_IO; ST_ERR_FORMAT not such a library; ST_ERR_DATA not in the public domain, or no
 *         model is known; ST_ERR_UNSUPPORTED libzip or Assimp is not built in.
 */
ST_CHECKED st_status st_furniture_open(st_furniture **furniture, const char *path);
void        st_furniture_close(st_furniture *furniture);
size_t      st_furniture_count(const st_furniture *furniture);
const char *st_furniture_path(const st_furniture *furniture);
st_digest   st_furniture_digest(const st_furniture *furniture);     /* of the file */

typedef struct st_synth_settings {
    uint64_t        seed;
    st_synth_layout layout;
    int             room_min, room_max;     /* 1 .. 6                                          */
    double          edge_m;                 /* spacing of vertices; diagonals are longer        */
    double          noise_m;                /* standard deviation along the normal; 0: none    */
    double          holes;                  /* share of the surface that is missing, 0 .. 0.5  */
    int             clutter;                /* unnamed small things per room, 0 .. 20          */
    bool            shadows;                /* leave out what no scanner position saw          */
    bool            ceiling;
    const st_furniture *furniture;          /* models to mix in, or NULL; borrowed             */
} st_synth_settings;

/* Seed 1, ScanNet, 1 to 4 rooms, a vertex every 5 cm, a clean scan. */
st_synth_settings st_synth_defaults(void);

/* Fails   ST_ERR_USAGE naming the setting, its range and its value. */
ST_CHECKED st_status st_synth_check(const st_synth_settings *settings);

/* How many houses have a name in each layout: scene1000 .. scene9999, eight-digit video ids. */
enum { ST_SYNTH_HOUSES_MAX = 9000 };

typedef enum st_synth_support {
    ST_SYNTH_ON_FLOOR,
    ST_SYNTH_ON_OBJECT,
    ST_SYNTH_ON_WALL,
    ST_SYNTH_IN_OPENING
} st_synth_support;

/* Triangles with a colour and a patch of smooth surface each; view into the house's arena. */
typedef struct st_synth_face {
    uint32_t v[3];
    uint32_t patch;
    uint8_t  rgb[3];
} st_synth_face;

typedef struct st_synth_model {
    const double (*vertex_m)[3];            /* scene frame */
    size_t       vertex_count;
    const st_synth_face *face;
    size_t       face_count;
    uint32_t     patch_count;
    bool         two_sided;
} st_synth_model;

typedef struct st_synth_object {
    int            id;                      /* objectId; clutter comes after the structure     */
    const char    *label;                   /* raw label                                       */
    int            nyu40;
    const char    *arkit;                   /* NULL: ARKitScenes boxes no such thing           */
    int            room;
    bool           annotated;
    st_obb         box;                     /* least-area upright box                          */
    double         aabb_min_m[3], aabb_max_m[3];
    st_synth_support support;
    int            support_id;              /* of the object below, else -1                    */
    bool           has_front;
    double         front[2];                /* unit vector                                     */
    st_synth_model model;
} st_synth_object;

typedef struct st_synth_structure {
    int            id;                      /* objectId, after those of the objects            */
    const char    *label;                   /* "wall", "floor", "ceiling"                      */
    int            nyu40;
    int            room;
    st_synth_model model;
} st_synth_structure;

typedef struct st_synth_room {
    const char   *type;                     /* "bedroom"                                       */
    const double (*corner_m)[2];            /* counter-clockwise, inner faces, scene frame     */
    int           corner_count;
    double        area_m2;
} st_synth_room;

typedef struct st_synth_door {
    int    room[2];                         /* room[1] is -1 for the way out                   */
    double center_m[2], width_m;
} st_synth_door;

typedef struct st_synth_house {
    int         number;
    const char *scan_id, *space_id;         /* "scene9000_00" and "scene9000"                  */
    const char *split;                      /* "train" or "val"                                */
    const char *scene_type;                 /* "Bedroom / Hotel"                               */
    double      raw_to_scene[16];
    double      area_m2, floor_area_m2, floor_z_m, height_m, wall_m;
    const st_synth_room      *room;
    int                       room_count;
    const st_synth_door      *door;
    int                       door_count;
    const st_synth_object    *object;       /* in the order of their ids                       */
    size_t                    object_count;
    const st_synth_structure *structure;
    size_t                    structure_count;
} st_synth_house;

/* Draw house `number`, 0 .. ST_SYNTH_HOUSES_MAX-1; it lives in the arena.
 *
 * Fails   ST_ERR_USAGE settings or number out of range; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_synth_house_make(const st_synth_house **house, st_arena *arena,
                                         const st_synth_settings *settings, int number);

/* The label table of the classes that can be made, in the 17 columns of ScanNet's
 * scannetv2-labels.combined.tsv; columns of other taxonomies stay empty. */
ST_CHECKED st_status st_synth_label_table(st_text *out);

/* The house as scene metadata: exact boxes and area, labels by the rules of data.md 3.8. The scene
 * lives in the arena; its labels are views into `table`.
 *
 *   table  what st_synth_label_table wrote, parsed
 */
ST_CHECKED st_status st_synth_scene(st_scene *scene, st_arena *arena, const st_synth_house *house,
                                    const st_synth_settings *settings,
                                    const st_label_table *table);

/* Append truth.json. */
ST_CHECKED st_status st_synth_truth_write(st_text *out, const st_synth_house *house,
                                          const st_synth_settings *settings);

/* --- many houses ------------------------------------------------------------------------------ */

/* Cells of the over-segmentation have at least so many vertices (data.md 2.4). */
enum { ST_SYNTH_SEGMENT_MIN = 20 };

/* What is asked of a run, and what became of it. */
typedef struct st_synth_run {
    const char *version;                    /* of the program, for the manifests               */
    const char *folder;
    int         first, count;               /* house numbers                                   */
    int         jobs;                       /* 0: one per core                                 */
    st_voice    voice;

    int64_t     made, kept;                 /* houses written, houses that were there already  */
    int64_t     objects, vertices;          /* of the houses written                           */
} st_synth_run;

/* Write houses first .. first+count-1 below the folder, several at once. Each scan's folder ends
 * with its own manifest.json; a house whose files have the digests it names is left alone. The
 * label table, the splits and the dataset's manifest.json come last. A layout of ST_SYNTH_VSI makes
 * one file, houses_meta_info.json, and the manifest.
 *
 * Fails   ST_ERR_USAGE; ST_ERR_IO; ST_ERR_MEMORY; ST_ERR_LIMIT a mesh of too many vertices.
 */
ST_CHECKED st_status st_synth_write(st_synth_run *run, const st_synth_settings *settings);

#endif
