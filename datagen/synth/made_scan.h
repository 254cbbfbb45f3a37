/* made_scan.h - from a house to what a scanner leaves of it, and how datasets store that.
 *
 * A *part* is one thing that has its own id in the scan: structures first, then objects.
 *
 * May include: internal.h of this room, kernels/base.
 */
#ifndef ST_SYNTH_MADE_SCAN_H
#define ST_SYNTH_MADE_SCAN_H

#include "datagen/synth/internal.h"
#include "kernels/base/manifest.h"

/* What a scanner leaves: one mesh in the scene frame, and what each vertex belongs to. */
typedef struct sti_scan {
    double  (*point_m)[3];          /* (N,3) */
    float   (*normal)[3];           /* (N,3) unit, outwards                             */
    uint8_t (*rgb)[4];              /* (N,4) alpha 255                                  */
    int32_t  *part;                 /* (N) structure 0 .. S-1, then objects             */
    uint32_t *patch;                /* (N) of its part                                  */
    uint32_t *segment;              /* (N) id of its over-segmentation cell             */
    size_t    point_count, point_capacity[5];
    uint32_t (*triangle)[3];        /* (M,3) */
    size_t    triangle_count, triangle_capacity;
} sti_scan;

/* The model of part p: structures first, then objects. */
const st_synth_model *sti_part_model(const st_synth_house *house, int part);
int sti_part_count(const st_synth_house *house);

/* surface.c: cover all models with triangles of settings->edge_m, light and colour them,
 * then shadows, holes and noise as the settings ask; segments last.
 *
 * Fails   ST_ERR_MEMORY; ST_ERR_LIMIT above ST_POINTS_MAX vertices.
 */
ST_CHECKED st_status sti_scan_house(sti_scan *scan, st_arena *arena, const st_synth_house *house,
                                    const st_synth_settings *settings);

/* shadows.c: keep[i] becomes false where no scanner position in any room sees vertex i. */
ST_CHECKED st_status sti_cast_shadows(bool *keep, st_arena *arena, const sti_scan *scan,
                                      const st_synth_house *house, uint64_t key);

/* segments.c: cells of at most half a metre within a patch, of at least ST_SYNTH_SEGMENT_MIN
 * vertices each where the part has as many. An id is the index of the cell's first vertex, so ids
 * are neither dense nor in order, as those of ScanNet's tool. */
ST_CHECKED st_status sti_cut_segments(sti_scan *scan, st_arena *arena, int part_count);

/* scannet.c, arkit.c: write one scan below root and add its files to the manifest, whose folder
 * is the scan's own. */
ST_CHECKED st_status sti_write_scannet(st_manifest *manifest, st_arena *arena, const char *folder,
                                       const st_synth_house *house, const sti_scan *scan);
ST_CHECKED st_status sti_write_arkit(st_manifest *manifest, st_arena *arena, const char *folder,
                                     const st_synth_house *house, const sti_scan *scan);

#endif
