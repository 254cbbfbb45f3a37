/* measure.h - from a scan to a scene: room, boxes, names, and what had to be left out.
 *
 * May include: as scene.h.
 */
#ifndef ST_MEASURE_H
#define ST_MEASURE_H

#include "datagen/scans/scan.h"
#include "datagen/scene/scene.h"

/* When an instance is a thing (data.md 3.5). */
#define ST_INSTANCE_POINTS_MIN 100          /* ScanNet                                   */
#define ST_INSTANCE_POINTS_ARKIT_MIN 50     /* vertices inside the box                   */
#define ST_INSTANCE_LONGEST_M_MIN 0.10
#define ST_INSTANCE_SECOND_M_MIN 0.05
#define ST_INSTANCE_LONGEST_M_MAX 6.0
#define ST_INSTANCE_DIAGONAL_SHARE_MAX 1.1  /* longest side, of the room's diagonal      */
#define ST_INSTANCE_VOLUME_SHARE_MAX 0.35   /* volume, of the room's bounding box        */
#define ST_DUPLICATE_OVERLAP_MIN 0.7        /* intersection over union                   */
#define ST_DUPLICATE_VOLUME_MIN 0.8         /* smaller over larger, one centre inside    */
#define ST_ROOM_AREA_M2_MIN 0.5

/* Measure a scan.
 *
 *   scene    lives in `arena`, where it also keeps the scan's texts; the scan must outlive it
 *   scratch  working memory, given back
 *   table    label table; NULL for ARKitScenes, whose labels need none
 *
 * Lengths are rounded to the micrometre, so that the last bits of a library never show.
 *
 * Fails   ST_ERR_USAGE a ScanNet scan without a table; ST_ERR_MEMORY; failures of the geometry,
 *         with the instance they met.
 */
ST_CHECKED st_status st_scene_measure(st_scene *scene, st_arena *arena, st_arena *scratch,
                                      const st_scan *scan, const st_label_table *table,
                                      st_vocabulary vocabulary);

#endif
