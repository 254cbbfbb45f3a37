/* room_area.c - the floor area of a room from all points of its scan, in four ways. */
#include "geometry/alpha.h"

#include "geometry/internal.h"
#include "kernels/base/limits.h"
#include "kernels/base/rng.h"

#include <string.h>

enum { VSI_DRAWS = 10000, VSI_SEEDS = 5 };

static st_status check_points(const double (*points_m)[3], size_t n)
{
    if (n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a room has at most %zu points, got %zu", ST_POINTS_MAX, n);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            if (!(fabs(points_m[i][k]) <= ST_COORDINATE_M_MAX))
                return ST_FAIL(ST_ERR_NUMERIC,
                               "point %zu must be finite and within 100 km, is (%g, %g)", i,
                               points_m[i][0], points_m[i][1]);
    return st_ok();
}

/* A set of cells by open addressing: each slot holds 1 + the index of the first point in its cell.
 */
st_status st_thin_xy(double (**xy_m)[2], size_t *count, st_arena *arena,
                     const double (*points_m)[3], size_t n, double cell_m)
{
    if (!(cell_m > 0.0))
        return ST_FAIL(ST_ERR_USAGE, "cell_m must be above 0, is %g", cell_m);
    ST_TRY(check_points(points_m, n));
    size_t slots = 16, kept = 0;
    while (slots < 2 * n)
        slots *= 2;
    double (*thin)[2];
    int64_t (*cells)[2];
    uint32_t *table;
    ST_TRY(ST_ALLOC(arena, &thin, n));
    const st_arena_mark mark = st_arena_mark_get(arena);
    ST_TRY(ST_ALLOC(arena, &cells, n));
    ST_TRY(ST_ALLOC(arena, &table, slots));
    for (size_t i = 0; i < n; i++) {
        const int64_t c[2] = {(int64_t)floor(points_m[i][0] / cell_m),
                              (int64_t)floor(points_m[i][1] / cell_m)};
        const uint64_t mixed = ((uint64_t)c[0] * UINT64_C(0x9E3779B97F4A7C15)) ^
                               ((uint64_t)c[1] * UINT64_C(0xC2B2AE3D27D4EB4F));
        size_t slot = (size_t)(mixed ^ mixed >> 29) & (slots - 1);
        while (table[slot] != 0 && memcmp(cells[table[slot] - 1], c, sizeof c) != 0)
            slot = (slot + 1) & (slots - 1);
        if (table[slot] != 0)
            continue;
        memcpy(cells[kept], c, sizeof c);
        memcpy(thin[kept], points_m[i], sizeof *thin);
        table[slot] = (uint32_t)++kept;
    }
    st_arena_rewind(arena, mark);
    *xy_m = thin;
    *count = kept;
    return st_ok();
}

st_status st_room_area_vsi(double *area_m2, st_arena *scratch, const double (*points_m)[3],
                           size_t n, uint64_t key)
{
    ST_TRY(check_points(points_m, n));
    if (n == 0) {
        *area_m2 = 0.0;
        return st_ok();
    }
    const st_arena_mark mark = st_arena_mark_get(scratch);
    double (*drawn)[2];
    ST_TRY(ST_ALLOC(scratch, &drawn, VSI_DRAWS));
    st_rng rng = st_rng_from(key);
    for (int i = 0; i < VSI_DRAWS; i++)
        memcpy(drawn[i], points_m[st_rng_below(&rng, n)], sizeof *drawn);
    st_alpha alpha;
    const st_status s = st_alpha_build(&alpha, scratch, (const double (*)[2])drawn, VSI_DRAWS,
                                       ST_ALPHA_RADIUS_M);
    if (s.code == ST_OK)
        *area_m2 = alpha.area_filled_m2;
    st_arena_rewind(scratch, mark);
    return s;
}

st_status st_room_area_measure(st_room_area *room, st_arena *arena, const double (*points_m)[3],
                               size_t n, uint64_t key)
{
    st_room_area made;
    double (*thin)[2], vsi_m2[VSI_SEEDS], mean = 0.0, square = 0.0;
    size_t thin_count;
    for (int seed = 0; seed < VSI_SEEDS; seed++) {
        ST_TRY(st_room_area_vsi(&vsi_m2[seed], arena, points_m, n, st_hash_int(key, seed)));
        mean += vsi_m2[seed] / VSI_SEEDS;
    }
    for (int seed = 0; seed < VSI_SEEDS; seed++)
        square += (vsi_m2[seed] - mean) * (vsi_m2[seed] - mean);
    made.area_vsi_m2 = mean;
    made.area_vsi_sd_m2 = sqrt(square / (VSI_SEEDS - 1));

    ST_TRY(st_thin_xy(&thin, &thin_count, arena, points_m, n, ST_THIN_CELL_M));
    ST_TRY(st_alpha_build(&made.alpha, arena, (const double (*)[2])thin, thin_count,
                          ST_ALPHA_RADIUS_M));
    ST_TRY(st_alpha_drop_islands(&made.alpha, arena, ST_ISLAND_M2_MIN));
    ST_TRY(st_alpha_outline(&made.rings, &made.ring_count, arena, &made.alpha, ST_ALPHA_FILLED));
    made.area_m2 = made.alpha.area_filled_m2;
    made.area_open_m2 = made.alpha.area_open_m2;
    made.area_hull_m2 = made.alpha.area_hull_m2;
    *room = made;
    return st_ok();
}
