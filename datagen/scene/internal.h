/* internal.h - what the files of this room share.
 *
 * May include: as scene.h.
 */
#ifndef STI_SCENE_INTERNAL_H
#define STI_SCENE_INTERNAL_H

#include "datagen/scans/scan.h"
#include "datagen/scene/scene.h"
#include "geometry/fit.h"

/* Read one scene. `root` is the object of the scene itself; failures name the JSON path, not the
 * scene. */
ST_CHECKED st_status sti_scene_file_read(st_scene *scene, st_arena *arena, st_json root);
ST_CHECKED st_status sti_vsi_meta_read(st_scene *scene, st_arena *arena, st_json root,
                                       st_str scene_id, const char *path);

/* A copy of a name: NFC, trimmed, 1 to ST_NAME_BYTES_MAX bytes. */
ST_CHECKED st_status sti_read_name(const char **name, st_arena *arena, st_json value);

/* A box from its parts, checked and mended. A side under 5 mm becomes 5 mm and ST_FLAG_THIN;
 * a lean of more than 3 degrees is ST_FLAG_TILTED. All three sides zero is a failure. */
ST_CHECKED st_status sti_read_box(st_obb *box, unsigned *flags, st_json center, st_json size,
                                  st_json axes);

/* The routes of a scene file (data.md 5.9): its last member, absent when nobody looked. */
void sti_routes_put(st_json_writer *w, const st_scene *scene);
ST_CHECKED st_status sti_routes_read(st_scene *scene, st_arena *arena, st_json list);

/* The object that an instance id of a scene file names, by its place. */
ST_CHECKED st_status sti_read_object(int *object, const st_scene *scene, st_json from);

/* Gaps between surfaces in a scene file: after the routes, absent when there are none. */
void sti_surfaces_put(st_json_writer *w, const st_scene *scene);
ST_CHECKED st_status sti_surfaces_read(st_scene *scene, st_arena *arena, st_json list);

/* One side of a box, full length; what is thinner is not a thing (data.md 8.11). */
#define STI_SIDE_M_MIN 0.005
#define STI_TILT_DEG_MAX 3.0

/* st_warning_add on a scene's own list. */
#define STI_WARN(scene, arena, rule, code, times, ...)                                            \
    st_warning_add(&(scene)->warnings, &(scene)->warning_count, &(scene)->warning_capacity,       \
                   (arena), (rule), (code), (times), __VA_ARGS__)

/* Sort the scene's counts by label. */
void sti_sort_counts(st_scene *scene);

/* Objects, dropped instances and their warnings from a scan; room extent must be known. */
ST_CHECKED st_status sti_measure_instances(st_scene *scene, st_arena *arena, st_arena *scratch,
                                           const st_scan *scan, const st_label_table *table,
                                           st_vocabulary vocabulary);

/* The points of an instance without its strays, in the scratch arena. */
ST_CHECKED st_status sti_instance_points(double (**points_m)[3], st_trim *trim, st_arena *scratch,
                                         const st_scan *scan, const st_instance *instance);

/* Gaps between the surfaces of all referents; these must be marked. */
ST_CHECKED st_status sti_measure_surfaces(st_scene *scene, st_arena *arena, st_arena *scratch,
                                          const st_scan *scan);

/* object_counts from the objects. */
ST_CHECKED st_status sti_count_labels(st_scene *scene, st_arena *arena);

#endif
