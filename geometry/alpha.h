/* alpha.h - the floor of a room: what the scan covers, seen from above.
 *
 * The *alpha shape* keeps the Delaunay triangles whose circumscribed circle is smaller than a
 * radius. *Open* is those triangles; *filled* adds what they enclose: every rejected triangle that
 * cannot be reached from outside the hull through rejected triangles. An *island* is a connected
 * part of the filled shape. Areas are square metres.
 *
 * Beware: "alpha" is 1/radius in python-alphashape, radius in Open3D, radius squared in CGAL.
 *
 * May include: kernels/base.
 */
#ifndef ST_GEOMETRY_ALPHA_H
#define ST_GEOMETRY_ALPHA_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

#define ST_ALPHA_RADIUS_M 0.2
#define ST_THIN_CELL_M 0.02
#define ST_ISLAND_M2_MIN 0.5

/* One closed line, without its first point repeated: outer borders run counter-clockwise, holes
 * clockwise. */
typedef struct st_ring {
    double (*xy_m)[2];
    size_t count;
} st_ring;

typedef struct st_alpha {
    const double (*xy_m)[2];        /* (N,2) distinct points                            */
    const uint32_t (*triangles)[3]; /* (M,3) counter-clockwise                          */
    const uint32_t (*across)[3];    /* (M,3) neighbour across the edge opposite corner k,
                                       or UINT32_MAX on the hull                        */
    uint8_t *kept;                  /* (M) bit 0: open, bit 1: filled                    */
    size_t   point_count, triangle_count;
    double   radius_m;
    double   area_open_m2, area_filled_m2, area_hull_m2;
    size_t   island_count;
} st_alpha;

typedef enum st_alpha_part { ST_ALPHA_OPEN = 1, ST_ALPHA_FILLED = 2 } st_alpha_part;

/* Alpha shape of points in the plane; it lives in the arena. Repeated points count once. Fewer
 * than three distinct points, or points on one line: all areas 0, no triangles, and success.
 *
 *   xy_m      (N,2)
 *   radius_m  > 0; triangles with a circle of strictly smaller radius stay
 *
 * Fails   ST_ERR_USAGE radius, or n above ST_POINTS_MAX; ST_ERR_NUMERIC a point is not finite or
 *         beyond ST_COORDINATE_M_MAX, with its index; ST_ERR_MEMORY.
 * Source  Edelsbrunner, Kirkpatrick, Seidel 1983; data.md 8.2.
 */
ST_CHECKED st_status st_alpha_build(st_alpha *alpha, st_arena *arena, const double (*xy_m)[2],
                                    size_t n, double radius_m);

/* Take islands smaller than `area_m2` out of both shapes, and measure again. */
ST_CHECKED st_status st_alpha_drop_islands(st_alpha *alpha, st_arena *scratch, double area_m2);

/* Borders of the open or the filled shape, largest area first. Lives in the arena. */
ST_CHECKED st_status st_alpha_outline(st_ring **rings, size_t *count, st_arena *arena,
                                      const st_alpha *alpha, st_alpha_part part);

double st_ring_area(const st_ring *ring);       /* negative for a hole */

/* Is the point inside an odd number of rings? */
bool st_rings_contain(const st_ring *rings, size_t count, double x_m, double y_m);

/* The first point in file order of every cell: (N,3) to (K,2) in the arena. The cells are fixed to
 * the scene frame, so a turned room keeps other points: its area differs by about 0.1 percent.
 *
 * Fails   as st_alpha_build.
 */
ST_CHECKED st_status st_thin_xy(double (**xy_m)[2], size_t *count, st_arena *arena,
                                const double (*points_m)[3], size_t n, double cell_m);

typedef struct st_room_area {
    double   area_m2;               /* ours: thinned, filled, islands below 0.5 m2 left out */
    double   area_open_m2, area_hull_m2;
    double   area_vsi_m2, area_vsi_sd_m2;   /* the benchmark's recipe: mean and deviation  */
    st_ring *rings;                 /* of the filled shape                                  */
    size_t   ring_count;
    st_alpha alpha;
} st_room_area;

/* The areas of a room from all its points (data.md 3.3).
 *
 *   points_m  (N,3) finite, n 0 .. ST_POINTS_MAX
 *   key       of the draws behind area_vsi_m2, such as a hash of the scene's name
 *
 * Fails   as st_alpha_build.
 */
ST_CHECKED st_status st_room_area_measure(st_room_area *room, st_arena *arena,
                                          const double (*points_m)[3], size_t n, uint64_t key);

/* The benchmark's area for one seed: 10,000 draws with replacement, radius 0.2 m, filled, every
 * island counted. */
ST_CHECKED st_status st_room_area_vsi(double *area_m2, st_arena *scratch,
                                      const double (*points_m)[3], size_t n, uint64_t key);

#endif
