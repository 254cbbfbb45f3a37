/* bench_scene.c - from a raw scan to a scene file, step by step.
 *
 * Usage: bench_scene SCAN...      scan folders, as `spatial synth` makes them
 *
 * Prints a CSV row per scan and step: scan, vertices, triangles, instances, step, median and best
 * of the runs in milliseconds of one thread's time, files already in the page cache.
 */
#include "datagen/scene/measure.h"
#include "kernels/base/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 11, STEPS = 3 };

static const char *const step_names[STEPS] = {"read", "measure", "write"};

static double thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One run: `ms` gets the time of each step. */
static st_status run_once(double ms[STEPS], st_scan *scan, st_arena *arena, st_arena *scratch,
                          const char *folder, const st_label_table *table)
{
    st_scene scene;
    st_text  text;
    double   start_ms = thread_ms();
    ST_TRY(st_scan_read(scan, arena, folder));
    ms[0] = thread_ms() - start_ms;

    start_ms = thread_ms();
    ST_TRY(st_scene_measure(&scene, arena, scratch, scan, table, ST_VOCABULARY_MIXED));
    ms[1] = thread_ms() - start_ms;

    start_ms = thread_ms();
    st_text_init(&text);
    const st_status s = st_scene_write(&text, &scene);
    ms[2] = thread_ms() - start_ms;
    st_text_free(&text);
    return s;
}

static st_status bench_scan(st_arena *arena, st_arena *scratch, const char *folder,
                            const st_label_table *table)
{
    double  ms[STEPS][RUNS], once[STEPS];
    st_scan scan = {0};
    for (int r = 0; r < RUNS; r++) {
        st_arena_reset(arena);
        st_arena_reset(scratch);
        ST_TRY(run_once(once, &scan, arena, scratch, folder, table));
        for (int k = 0; k < STEPS; k++)
            ms[k][r] = once[k];
    }
    for (int k = 0; k < STEPS; k++) {
        qsort(ms[k], RUNS, sizeof ms[k][0], ascending);
        printf("%s,%zu,%zu,%zu,%s,%.1f,%.1f\n", scan.scan_id, scan.mesh.point_count,
               scan.mesh.triangle_count, scan.instance_count, step_names[k], ms[k][RUNS / 2],
               ms[k][0]);
    }
    return st_ok();
}

static st_status bench_folder(st_arena *arena, st_arena *scratch, const char *folder)
{
    const char     *labels;
    st_label_table *table = NULL;
    ST_TRY(st_scan_find_labels(&labels, arena, folder));
    if (labels)
        ST_TRY(st_label_table_load(&table, labels));
    const st_status s = bench_scan(arena, scratch, folder, table);
    st_label_table_free(table);
    return s;
}

int main(int argc, char **argv)
{
    st_arena arena, scratch;
    int      failed = argc < 2;
    st_arena_init(&arena, "scan");
    st_arena_init(&scratch, "scratch");
    if (failed)
        fprintf(stderr, "usage: bench_scene SCAN...\n");
    else
        printf("scan,vertices,triangles,instances,step,median_ms,best_ms\n");
    for (int i = 1; i < argc; i++) {
        const st_status s = bench_folder(&arena, &scratch, argv[i]);
        if (s.code != ST_OK) {
            fprintf(stderr, "bench_scene: %s: %s\n", argv[i], s.text);
            failed = 1;
        }
    }
    st_arena_free(&arena);
    st_arena_free(&scratch);
    return failed;
}
