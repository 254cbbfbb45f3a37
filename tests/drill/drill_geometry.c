/* drill_geometry.c - the geometry that asks for memory, once round: drill_geometry MESH.ply
 *
 * Run under drill.sh, with one allocation after the other made to fail. Each must end in a
 * sentence, also those inside Qhull, which would rather leave the program.
 */
#include "geometry/alpha.h"
#include "geometry/fit.h"
#include "geometry/hull.h"
#include "geometry/mesh.h"
#include "kernels/base/rng.h"

#include <stdio.h>
#include <string.h>

enum { POINTS = 60 };

static st_status once_round(st_arena *arena, const char *path)
{
    double points[POINTS][3], xy[POINTS][2];
    st_rng rng = st_rng_from(1);
    for (int i = 0; i < POINTS; i++) {
        for (int x = 0; x < 3; x++)
            points[i][x] = st_rng_normal(&rng);
        memcpy(xy[i], points[i], sizeof xy[i]);
    }
    const double (*p)[3] = (const double (*)[3])points;
    st_mesh mesh;
    st_hull hull;
    st_delaunay triangles;
    st_fit fit;
    st_trim trim;
    st_room_area area;
    ST_TRY(st_mesh_read(&mesh, arena, path));
    ST_TRY(st_hull_build(&hull, arena, p, POINTS));
    ST_TRY(st_hull_delaunay(&triangles, arena, (const double (*)[2])xy, POINTS));
    ST_TRY(st_fit_upright(&fit, arena, p, POINTS));
    ST_TRY(st_fit_minimal(&fit, arena, p, POINTS, 1));
    ST_TRY(st_trim_strays(&trim, arena, p, POINTS));
    return st_room_area_measure(&area, arena, p, POINTS, 1);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    st_arena arena;
    st_arena_init(&arena, "drill");
    const st_status s = once_round(&arena, argv[1]);
    st_arena_free(&arena);
    if (s.code != ST_OK)
        fprintf(stderr, "%s [%s]\n", s.text, st_code_name(s.code));
    /* drill.sh takes 128 and above for a crash: only a lack of memory may be reported here. */
    return s.code == ST_OK ? 0 : s.code == ST_ERR_MEMORY ? 3 : 255;
}
