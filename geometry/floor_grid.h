/* floor_grid.h - the floor in 5 cm cells: where it is, what stands on it, where a robot fits.
 *
 * Cell (c,r) covers [origin + 5 cm * (c,r), + 5 cm) and is cells[r * columns + c].
 *
 * May include: kernels/base, alpha.h, box.h.
 */
#ifndef ST_GEOMETRY_FLOOR_GRID_H
#define ST_GEOMETRY_FLOOR_GRID_H

#include "geometry/alpha.h"
#include "geometry/box.h"
#include "kernels/base/arena.h"
#include "kernels/base/status.h"

#define ST_FLOOR_CELL_M 0.05
#define ST_ROBOT_RADIUS_M 0.20

typedef enum st_cell {
    ST_CELL_ROOM = 1,           /* the centre lies in the filled alpha shape            */
    ST_CELL_FLOOR = 2,          /* room, with floor seen or nothing low in the way      */
    ST_CELL_OBSTACLE = 4,       /* something between 0.15 and 1.6 m above the floor     */
    ST_CELL_FREE = 8            /* floor, and the robot's disc meets no obstacle or border,
                                   in a free region of at least 1.5 m2                  */
} st_cell;

typedef struct st_floor_grid {
    double   origin_m[2];
    int      columns, rows;
    uint8_t *cells;             /* (R,C) st_cell bits                                   */
    int32_t *region;            /* (R,C) connected free region, largest first; -1 none  */
    size_t   region_count;
} st_floor_grid;

/* Height of the floor: the mean of the floor's own points when there are any, else the lowest
 * 5 cm bin of the histogram of z that is a peak and holds at least 3 % of the points, else the
 * least z (data.md 3.3).
 *
 *   points_m  (N,3) finite, n >= 1
 *   floor     (N) nonzero where the vertex is labelled floor, or NULL
 */
ST_CHECKED st_status st_floor_height(double *floor_z_m, st_arena *scratch,
                                     const double (*points_m)[3], size_t n, const uint8_t *floor);

/* Free space of a room (data.md 5.9, step 1); lives in the arena.
 *
 *   rings     the filled outline of the room, as st_room_area_measure gives it
 *   points_m  (N,3) finite
 *
 * Fails   ST_ERR_LIMIT more than 100 million cells; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_floor_grid_build(st_floor_grid *grid, st_arena *arena,
                                         const st_ring *rings, size_t ring_count,
                                         const double (*points_m)[3], size_t n, double floor_z_m);

/* The cell of a point, or -1 outside the grid. */
int64_t st_floor_grid_at(const st_floor_grid *grid, double x_m, double y_m);

/* The centre of a cell. */
void st_floor_grid_center(const st_floor_grid *grid, int64_t cell, double xy_m[2]);

/* Area of the floor that was really seen: the filled alpha shape of the points within 0.15 m of
 * the floor, united at 5 cm with the footprints of the objects (data.md 3.3, floor_area_m2).
 *
 * Fails   as st_alpha_build.
 */
ST_CHECKED st_status st_floor_area(double *area_m2, st_arena *scratch, const double (*points_m)[3],
                                   size_t n, double floor_z_m, const st_obb *boxes,
                                   size_t box_count);

#endif
