/* bench_geometry.c - a scan of 150k vertices, 300k faces and 40 objects, step by step, one core.
 *
 * Prints a CSV row per step: median and best of the runs in milliseconds of this thread's own
 * time, which a busy machine disturbs little, and a digest of the answer, which is the same for
 * every compiler and machine.
 */
#include "geometry/alpha.h"
#include "geometry/fit.h"
#include "geometry/floor_grid.h"
#include "geometry/mesh.h"
#include "kernels/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 11, OBJECTS = 40, OBJECT_POINTS = 1500, ROOM_SIDE = 300 };

typedef struct work {
    st_arena arena, scratch;
    char     path[64];
    st_mesh  mesh, read;
    double   floor_z_m;
    st_room_area area;
    st_fit   fits[OBJECTS];
} work;

static void set_point(work *w, double x, double y, double z, st_rng *rng)
{
    double *p = w->mesh.points_m[w->mesh.point_count++];
    p[0] = (float)(x + 0.004 * st_rng_normal(rng));
    p[1] = (float)(y + 0.004 * st_rng_normal(rng));
    p[2] = (float)(z + 0.004 * st_rng_normal(rng));
}

/* Floor and walls on a grid of 3 cm, objects as noisy boxes; triangles between neighbours. */
static st_status make_scan(work *w)
{
    const size_t points = ROOM_SIDE * ROOM_SIDE + OBJECTS * OBJECT_POINTS;
    st_rng rng = st_rng_from(1);
    ST_TRY(ST_ALLOC(&w->arena, &w->mesh.points_m, points));
    ST_TRY(ST_ALLOC(&w->arena, &w->mesh.colors, points));
    ST_TRY(ST_ALLOC(&w->arena, &w->mesh.triangles, 2 * points));
    for (int i = 0; i < ROOM_SIDE * ROOM_SIDE; i++) {
        const double u = i % ROOM_SIDE * 0.03, v = i / ROOM_SIDE * 0.03, wall = fmod(v, 2.25);
        if (v < 4.5)
            set_point(w, u, 1.4 * v, 0.0, &rng);
        else
            set_point(w, v < 6.75 ? u : i % 2 ? 0.0 : 9.0, v < 6.75 ? i % 2 * 6.3 : 0.7 * u, wall,
                      &rng);
    }
    for (int k = 0; k < OBJECTS; k++) {
        const double x = 0.8 + k % 8, y = 0.7 + k / 8 * 1.2, turn = k * 0.3;
        for (int i = 0; i < OBJECT_POINTS; i++) {
            double p[3];
            for (int j = 0; j < 3; j++)
                p[j] = st_rng_between(&rng, -0.3, 0.3) * (1 + 0.3 * j);
            p[i % 3] = (i & 8 ? 0.3 : -0.3) * (1 + 0.3 * (i % 3));
            set_point(w, x + cos(turn) * p[0] - sin(turn) * p[1],
                      y + sin(turn) * p[0] + cos(turn) * p[1], 0.5 + p[2], &rng);
        }
    }
    for (uint32_t i = 0; i < 2 * points; i++) {
        const uint32_t corner = i / 2 % (uint32_t)(points - ROOM_SIDE - 1);
        const uint32_t fan[2][3] = {{corner, corner + 1, corner + ROOM_SIDE},
                                    {corner + 1, corner + ROOM_SIDE + 1, corner + ROOM_SIDE}};
        memcpy(w->mesh.triangles[i], fan[i % 2], sizeof fan[0]);
    }
    w->mesh.triangle_count = 2 * points;
    return st_mesh_write_ply(w->path, &w->mesh);
}

/* --- the steps; each returns a digest of what it found --- */

typedef st_status step(work *w, uint64_t *digest);

static const double (*points_of(const work *w))[3]
{
    return (const double (*)[3])w->mesh.points_m;
}

static st_status read_mesh(work *w, uint64_t *digest)
{
    ST_TRY(st_mesh_read(&w->read, &w->scratch, w->path));
    *digest = st_hash_bytes(0, w->read.points_m, w->read.point_count * sizeof *w->read.points_m);
    return st_ok();
}

static st_status measure_room(work *w, uint64_t *digest)
{
    ST_TRY(st_room_area_measure(&w->area, &w->scratch, points_of(w), w->mesh.point_count, 1));
    const double areas[] = {w->area.area_m2, w->area.area_open_m2, w->area.area_vsi_m2};
    *digest = st_hash_bytes(0, areas, sizeof areas);
    return st_ok();
}

static st_status fit_room(work *w, uint64_t *digest)
{
    st_fit fit;
    ST_TRY(st_fit_upright(&fit, &w->scratch, points_of(w), w->mesh.point_count));
    *digest = st_hash_bytes(0, &fit.box, sizeof fit.box);
    return st_ok();
}

static st_status find_floor(work *w, uint64_t *digest)
{
    ST_TRY(st_floor_height(&w->floor_z_m, &w->scratch, points_of(w), w->mesh.point_count, NULL));
    *digest = st_hash_bytes(0, &w->floor_z_m, sizeof w->floor_z_m);
    return st_ok();
}

static const double (*object(const work *w, int k))[3]
{
    return points_of(w) + ROOM_SIDE * ROOM_SIDE + k * OBJECT_POINTS;
}

static st_status trim_objects(work *w, uint64_t *digest)
{
    *digest = 0;
    for (int k = 0; k < OBJECTS; k++) {
        st_trim trim;
        ST_TRY(st_trim_strays(&trim, &w->scratch, object(w, k), OBJECT_POINTS));
        *digest = st_hash_int(*digest, (int64_t)trim.kept_count);
    }
    return st_ok();
}

static st_status fit_upright(work *w, uint64_t *digest)
{
    *digest = 0;
    for (int k = 0; k < OBJECTS; k++) {
        ST_TRY(st_fit_upright(&w->fits[k], &w->scratch, object(w, k), OBJECT_POINTS));
        *digest = st_hash_bytes(*digest, &w->fits[k].box, sizeof w->fits[k].box);
    }
    return st_ok();
}

static st_status fit_minimal(work *w, uint64_t *digest)
{
    *digest = 0;
    for (int k = 0; k < OBJECTS; k++) {
        st_fit fit;
        ST_TRY(st_fit_minimal(&fit, &w->scratch, object(w, k), OBJECT_POINTS, 1));
        *digest = st_hash_bytes(*digest, &fit.box, sizeof fit.box);
    }
    return st_ok();
}

static st_status measure_floor(work *w, uint64_t *digest)
{
    double area_m2;
    st_obb boxes[OBJECTS];
    for (int k = 0; k < OBJECTS; k++)
        boxes[k] = w->fits[k].box;
    ST_TRY(st_floor_area(&area_m2, &w->scratch, points_of(w), w->mesh.point_count, w->floor_z_m,
                         boxes, OBJECTS));
    *digest = st_hash_bytes(0, &area_m2, sizeof area_m2);
    return st_ok();
}

static st_status build_grid(work *w, uint64_t *digest)
{
    st_floor_grid grid;
    ST_TRY(measure_room(w, digest));
    ST_TRY(st_floor_grid_build(&grid, &w->scratch, w->area.rings, w->area.ring_count, points_of(w),
                               w->mesh.point_count, w->floor_z_m));
    *digest = st_hash_bytes(0, grid.cells, (size_t)grid.columns * (size_t)grid.rows);
    return st_ok();
}

static const struct {
    const char *name;
    step       *run;
} STEPS[] = {
    {"read PLY", read_mesh},
    {"room areas and outline", measure_room},
    {"room box", fit_room},
    {"floor height", find_floor},
    {"trim strays, 40 objects", trim_objects},
    {"upright boxes, 40 objects", fit_upright},
    {"minimal boxes, 40 objects", fit_minimal},
    {"floor area", measure_floor},
    {"room areas and floor grid", build_grid},
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static st_status run_all(work *w)
{
    ST_TRY(make_scan(w));
    printf("step,median_ms,best_ms,digest\n");
    for (size_t s = 0; s < sizeof STEPS / sizeof STEPS[0]; s++) {
        double ms[RUNS];
        uint64_t digest = 0;
        for (int i = 0; i < RUNS; i++) {
            st_arena_reset(&w->scratch);
            const double start = now_ms();
            ST_TRY(STEPS[s].run(w, &digest));
            ms[i] = now_ms() - start;
        }
        qsort(ms, RUNS, sizeof ms[0], by_size);
        printf("\"%s\",%.2f,%.2f,%016llx\n", STEPS[s].name, ms[RUNS / 2], ms[0],
               (unsigned long long)digest);
    }
    return st_ok();
}

int main(void)
{
    static work w = {.path = "/tmp/st_bench_XXXXXX"};
    const int file = mkstemp(w.path);
    if (file < 0)
        return 1;
    close(file);
    st_arena_init(&w.arena, "bench");
    st_arena_init(&w.scratch, "scratch");
    const st_status s = run_all(&w);
    if (s.code != ST_OK)
        fprintf(stderr, "bench_geometry: %s\n", s.text);
    unlink(w.path);
    st_arena_free(&w.scratch);
    st_arena_free(&w.arena);
    return s.code == ST_OK ? 0 : 1;
}
