/* measure.c - the room of a scan and the order of the work; objects are measured in instances.c. */
#include "datagen/scene/measure.h"

#include "datagen/scene/internal.h"
#include "datagen/scene/route.h"
#include "geometry/alpha.h"
#include "geometry/fit.h"
#include "geometry/floor_grid.h"
#include "kernels/base/limits.h"
#include "kernels/base/rng.h"

#include <math.h>
#include <string.h>

/* The finite points of the mesh, and which of them an annotator called floor or wall. */
typedef struct point_set {
    double (*points_m)[3];      /* (N,3)                  */
    uint8_t *floor;             /* (N)                    */
    double (*walls_m)[3];       /* (W,3) those of walls   */
    size_t   count, wall_count;
    bool     any_floor;
} point_set;

enum { NYU40_WALL = 1, NYU40_FLOOR = 2 };

/* Walls are cut at this height above the floor, where doorways are open. Surfaces nearer than twice
 * the radius are the two sides of one wall; a smaller piece is a corner of one side. */
#define WALL_LOW_M 0.3
#define WALL_HIGH_M 1.9
#define WALL_RADIUS_M 0.1
#define WALL_M2_MIN 0.03

static bool is_finite(const double p[3])
{
    return isfinite(p[0]) && isfinite(p[1]) && isfinite(p[2]) &&
           fabs(p[0]) <= ST_COORDINATE_M_MAX && fabs(p[1]) <= ST_COORDINATE_M_MAX &&
           fabs(p[2]) <= ST_COORDINATE_M_MAX;
}

/* The class of an instance that is part of the building; 0 where annotators do not name it. */
static int structure_of(const st_scan *scan, const st_instance *instance,
                        const st_label_table *table)
{
    return scan->kind == ST_SCAN_SCANNET
               ? st_label_table_find(table, st_str_from(instance->raw_label)) : 0;
}

static st_status collect_points(point_set *set, st_arena *scratch, const st_scan *scan,
                                const st_label_table *table)
{
    const st_mesh *mesh = &scan->mesh;
    uint8_t       *class_of;
    ST_TRY(ST_ALLOC(scratch, &class_of, mesh->point_count));
    ST_TRY(ST_ALLOC(scratch, &set->points_m, mesh->point_count));
    ST_TRY(ST_ALLOC(scratch, &set->floor, mesh->point_count));
    ST_TRY(ST_ALLOC(scratch, &set->walls_m, mesh->point_count));
    set->any_floor = false;
    for (size_t i = 0; i < scan->instance_count; i++) {
        const int class = structure_of(scan, &scan->instances[i], table);
        if (class != NYU40_FLOOR && class != NYU40_WALL)
            continue;
        set->any_floor |= class == NYU40_FLOOR;
        for (size_t k = 0; k < scan->instances[i].vertex_count; k++)
            class_of[scan->instances[i].vertices[k]] = (uint8_t)class;
    }
    set->count = set->wall_count = 0;
    for (size_t v = 0; v < mesh->point_count; v++) {
        if (!is_finite(mesh->points_m[v]))
            continue;
        for (int k = 0; k < 3; k++)
            set->points_m[set->count][k] = mesh->points_m[v][k];
        if (class_of[v] == NYU40_WALL)
            memcpy(set->walls_m[set->wall_count++], mesh->points_m[v], sizeof *set->walls_m);
        set->floor[set->count++] = class_of[v] == NYU40_FLOOR;
    }
    return st_ok();
}

static double micro(double x)
{
    return st_round_decimals(x, 6);
}

static st_status keep_rings(st_outline **outlines, size_t *count, st_arena *arena,
                            const st_ring *rings, size_t ring_count)
{
    ST_TRY(ST_ALLOC(arena, outlines, ring_count));
    *count = ring_count;
    for (size_t i = 0; i < ring_count; i++) {
        const st_ring *ring = &rings[i];
        st_outline    *o = &(*outlines)[i];
        o->count = ring->count;
        ST_TRY(ST_ALLOC(arena, &o->points, ring->count));
        for (size_t k = 0; k < ring->count; k++)
            o->points[k] = (st_point2){micro(ring->xy_m[k][0]), micro(ring->xy_m[k][1])};
    }
    return st_ok();
}

static st_status measure_extent(st_room *room, st_arena *scratch, const point_set *set)
{
    st_fit fit;
    double floor_z_m;
    ST_TRY(st_fit_upright(&fit, scratch, (const double (*)[3])set->points_m, set->count));
    ST_TRY(st_floor_height(&floor_z_m, scratch, (const double (*)[3])set->points_m, set->count,
                           set->any_floor ? set->floor : NULL));
    for (int k = 0; k < 3; k++) {
        double low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < set->count; i++) {
            low = fmin(low, set->points_m[i][k]);
            high = fmax(high, set->points_m[i][k]);
        }
        room->aabb_min_m[k] = micro(low);
        room->aabb_max_m[k] = micro(high);
        room->center_m[k] = micro(fit.box.center_m[k]);
    }
    room->floor_z_m = micro(floor_z_m);
    room->has_extent = true;
    return st_ok();
}

/* What the walls between rooms take of the floor: the area that their two sides enclose. The sides
 * of a wall that was seen from one room only enclose nothing; the outline of the room shows it. */
static st_status find_walls(st_room *room, st_arena *arena, st_arena *scratch,
                            const point_set *set)
{
    double (*cut_m)[3], (*thin_m)[2];
    size_t   count = 0, ring_count;
    st_alpha alpha;
    st_ring *rings;
    ST_TRY(ST_ALLOC(scratch, &cut_m, set->wall_count));
    for (size_t i = 0; i < set->wall_count; i++) {
        const double height_m = set->walls_m[i][2] - room->floor_z_m;
        if (height_m >= WALL_LOW_M && height_m <= WALL_HIGH_M)
            memcpy(cut_m[count++], set->walls_m[i], sizeof *cut_m);
    }
    ST_TRY(st_thin_xy(&thin_m, &count, scratch, (const double (*)[3])cut_m, count,
                      ST_THIN_CELL_M));
    ST_TRY(st_alpha_build(&alpha, scratch, (const double (*)[2])thin_m, count, WALL_RADIUS_M));
    ST_TRY(st_alpha_drop_islands(&alpha, scratch, WALL_M2_MIN));
    ST_TRY(st_alpha_outline(&rings, &ring_count, scratch, &alpha, ST_ALPHA_OPEN));
    return keep_rings(&room->walls, &room->wall_count, arena, rings, ring_count);
}

/* Area, outline, walls and extent; a speck of a scan has no room block, and says so. */
static st_status measure_room(st_scene *scene, st_room_area *room_area, st_arena *arena,
                              st_arena *scratch, const st_scan *scan, const point_set *set)
{
    st_room     *room = &scene->room;
    st_room_area area;
    *room = (st_room){.floor_area_m2 = -1.0, .scene_type = scan->scene_type,
                      .alpha_radius_m = ST_ALPHA_RADIUS_M};
    ST_TRY(st_room_area_measure(&area, scratch, (const double (*)[3])set->points_m, set->count,
                                st_hash_text(0, scan->scan_id)));
    ST_TRY(measure_extent(room, scratch, set));
    room->area_m2 = micro(area.area_m2);
    room->area_open_m2 = micro(area.area_open_m2);
    room->area_hull_m2 = micro(area.area_hull_m2);
    room->area_vsi_m2 = micro(area.area_vsi_m2);
    room->area_vsi_sd_m2 = micro(area.area_vsi_sd_m2);
    room->known = set->count >= 3 && room->area_m2 >= ST_ROOM_AREA_M2_MIN;
    if (!room->known)
        ST_TRY(STI_WARN(scene, arena, "M-3", "no_room", 1,
                        "the scan covers %.3f m2 of floor, less than %.1f: no room", room->area_m2,
                        ST_ROOM_AREA_M2_MIN));
    if (scan->kind == ST_SCAN_SCANNET) {
        if (!scan->aligned)
            room->flags |= ST_FLAG_UNALIGNED;
        room->has_raw_mean = true;
        for (int k = 0; k < 3; k++)
            room->raw_mean_m[k] = micro(scan->raw_mean_m[k]);
    }
    *room_area = area;
    ST_TRY(find_walls(room, arena, scratch, set));
    return keep_rings(&room->outlines, &room->outline_count, arena, area.rings, area.ring_count);
}

/* How much of the floor was really seen: a mirror or an open door shows as a difference. */
static st_status measure_floor(st_scene *scene, st_arena *scratch, const point_set *set)
{
    st_obb *boxes;
    if (!scene->room.known)
        return st_ok();
    ST_TRY(ST_ALLOC(scratch, &boxes, scene->object_count));
    for (size_t i = 0; i < scene->object_count; i++)
        boxes[i] = scene->objects[i].box;
    double area_m2;
    ST_TRY(st_floor_area(&area_m2, scratch, (const double (*)[3])set->points_m, set->count,
                         scene->room.floor_z_m, boxes, scene->object_count));
    scene->room.floor_area_m2 = micro(area_m2);
    return st_ok();
}

/* Ways through the room, while its points are at hand. */
static st_status find_routes(st_scene *scene, st_arena *arena, st_arena *scratch,
                             const st_room_area *area, const point_set *set)
{
    if (!scene->room.known)
        return st_ok();
    st_floor_grid   grid;
    const st_status built = st_floor_grid_build(&grid, scratch, area->rings, area->ring_count,
                                                (const double (*)[3])set->points_m, set->count,
                                                scene->room.floor_z_m);
    if (built.code == ST_ERR_LIMIT)         /* a speck far away: the room is known all the same */
        return STI_WARN(scene, arena, "Q-27", "no_routes", 1, "%s", built.text);
    ST_TRY(built);
    scene->has_routes = true;
    return st_routes_find(&scene->routes, &scene->route_count, arena, scene, &grid);
}

/* What the reader had to say, and where it read it. */
static st_status copy_heading(st_scene *scene, st_arena *arena, const st_scan *scan)
{
    *scene = (st_scene){.dataset = scan->dataset, .scene_id = scan->scan_id,
                        .space_id = scan->space_id, .split = scan->split,
                        .vertex_count = (int64_t)scan->mesh.point_count,
                        .face_count = (int64_t)scan->mesh.triangle_count,
                        .dropped_vertex_count = (int64_t)scan->dropped_vertex_count,
                        .inputs = scan->inputs, .input_count = scan->input_count};
    memcpy(scene->raw_to_scene, scan->scene_from_raw, sizeof scene->raw_to_scene);
    for (size_t i = 0; i < scan->warning_count; i++) {
        const st_warning *w = &scan->warnings[i];
        ST_TRY(STI_WARN(scene, arena, w->rule, w->code, w->count, "%s", w->message));
    }
    return st_ok();
}

static st_status measure_all(st_scene *scene, st_arena *arena, st_arena *scratch,
                             const st_scan *scan, const st_label_table *table,
                             st_vocabulary vocabulary)
{
    point_set    set;
    st_room_area area;
    ST_TRY(copy_heading(scene, arena, scan));
    ST_TRY(collect_points(&set, scratch, scan, table));
    ST_TRY(measure_room(scene, &area, arena, scratch, scan, &set));
    ST_TRY(sti_measure_instances(scene, arena, scratch, scan, table, vocabulary));
    ST_TRY(sti_count_labels(scene, arena));
    ST_TRY(measure_floor(scene, scratch, &set));
    st_scene_mark_referents(scene);
    ST_TRY(sti_measure_surfaces(scene, arena, scratch, scan));
    return find_routes(scene, arena, scratch, &area, &set);
}

st_status st_scene_measure(st_scene *scene, st_arena *arena, st_arena *scratch,
                           const st_scan *scan, const st_label_table *table,
                           st_vocabulary vocabulary)
{
    if (scan->kind == ST_SCAN_SCANNET && !table)
        return ST_FAIL(ST_ERR_USAGE, "expected scannetv2-labels.combined.tsv with the scan or up "
                                     "to three folders above it, found none; spatial scene "
                                     "--labels takes one from elsewhere");
    st_scene            made;
    const st_arena_mark mark = st_arena_mark_get(scratch);
    const st_status     s = measure_all(&made, arena, scratch, scan, table, vocabulary);
    st_arena_rewind(scratch, mark);
    if (s.code == ST_OK)
        *scene = made;
    return s;
}
