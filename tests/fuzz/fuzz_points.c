/* Any bytes as points: hulls, triangulations, areas, boxes and clusters answer or give a sentence,
 * and what they answer is finite and holds the points. */
#include "geometry/alpha.h"
#include "geometry/fit.h"
#include "geometry/hull.h"

#include <math.h>
#include <string.h>

enum { POINTS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses how the others become coordinates: whole doubles, or bytes on a small
 * grid, where points repeat and share lines and circles. */
static size_t points_of(double (*p)[3], const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const bool grid = data[0] & 1;
    const size_t each = grid ? 3 : 24, count = (size - 1) / each;
    const size_t n = count < POINTS_MAX ? count : POINTS_MAX;
    for (size_t i = 0; i < n; i++)
        for (int x = 0; x < 3; x++) {
            const uint8_t *at = data + 1 + i * each + (grid ? (size_t)x : 8 * (size_t)x);
            if (grid)
                p[i][x] = (double)(*at % 8) * 0.25;
            else
                memcpy(&p[i][x], at, sizeof p[i][x]);
        }
    return n;
}

static void check_fit(st_status s, const st_fit *fit, const double (*p)[3], size_t n)
{
    if (s.code != ST_OK)
        return;
    for (size_t i = 0; i < n; i++)
        ST_ASSERT(st_obb_contains(&fit->box, p[i], 1e-6 * (1.0 + st_obb_longest_side(&fit->box))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double points[POINTS_MAX][3];
    const size_t n = points_of(points, data, size);
    const double (*p)[3] = (const double (*)[3])points;
    st_arena arena;
    st_hull hull;
    st_delaunay triangles;
    st_alpha alpha;
    st_ring *rings;
    size_t ring_count;
    st_trim trim;
    st_fit fit;
    st_arena_init(&arena, "fuzz");
    if (st_hull_build(&hull, &arena, p, n).code == ST_OK)
        ST_ASSERT(hull.point_count >= 4 && hull.point_count <= n);

    double xy[POINTS_MAX][2];
    for (size_t i = 0; i < n; i++)
        memcpy(xy[i], points[i], sizeof xy[i]);
    if (st_hull_delaunay(&triangles, &arena, (const double (*)[2])xy, n).code == ST_OK)
        ST_ASSERT(triangles.point_count <= n);
    if (st_alpha_build(&alpha, &arena, (const double (*)[2])xy, n, 0.2).code == ST_OK) {
        ST_ASSERT(isfinite(alpha.area_filled_m2) && alpha.area_filled_m2 >= 0.0);
        ST_ASSERT(alpha.area_open_m2 <= alpha.area_filled_m2 * (1.0 + 1e-9));
        ST_ASSERT(alpha.area_filled_m2 <= alpha.area_hull_m2 * (1.0 + 1e-9));
        ST_ASSERT(st_alpha_outline(&rings, &ring_count, &arena, &alpha, ST_ALPHA_FILLED).code ==
                  ST_OK);
        for (size_t r = 0; r < ring_count; r++)
            ST_ASSERT(rings[r].count >= 3);
    }
    check_fit(st_fit_upright(&fit, &arena, p, n), &fit, p, n);
    check_fit(st_fit_facet(&fit, &arena, p, n), &fit, p, n);
    check_fit(st_fit_minimal(&fit, &arena, p, n, 1), &fit, p, n);
    check_fit(st_fit_principal(&fit, &arena, p, n), &fit, p, n);
    if (st_trim_strays(&trim, &arena, p, n).code == ST_OK)
        ST_ASSERT(trim.kept_count >= 1 && trim.kept_count <= n);
    st_arena_free(&arena);
    return 0;
}
