/* bench_questions.c - from scene metadata to questions, their lint and their proof.
 *
 * Usage: bench_questions [METADATA...]    without files, 146 made rooms of 14 objects
 *
 * Prints a CSV row per step: step, items, median and best of the runs in milliseconds, and a digest
 * of what came out, which is the same for every compiler and machine.
 */
#include "datagen/questions/lint.h"
#include "datagen/questions/prove.h"
#include "datagen/questions/questions.h"
#include "kernels/base/files.h"
#include "kernels/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RUNS = 11, ROOMS = 146, KINDS = 11 };

typedef struct work {
    st_arena          fixed, scratch;       /* read once; one run */
    const char *const *paths;
    int               path_count;
    st_scene_list     scenes;
    st_failure_list   failures;
    st_template_pack  pack;
    st_qa_settings    settings;
    st_qa_result      result;               /* the last generation, for the steps after it */
    st_vsi_rows       rows;
    st_pool          *pool;
    st_text           text;
} work;

typedef st_status step(work *w, size_t *items);

static void add_box(st_text *json, st_rng *rng)
{
    const double turn = st_rng_between(rng, 0.0, 3.0), c = cos(turn), s = sin(turn);
    st_text_addf(json,
                 "{\"centroid\":[%.6f,%.6f,0.4],\"axesLengths\":[%.4f,%.4f,0.8],"
                 "\"normalizedAxes\":[%.17g,%.17g,0,%.17g,%.17g,0,0,0,1]}",
                 st_rng_between(rng, 0, 9), st_rng_between(rng, 0, 9),
                 st_rng_between(rng, 0.2, 1.4), st_rng_between(rng, 0.2, 1.4), c, s, -s, c);
}

/* Rooms as published metadata would describe them. */
static st_status make_metadata(const char *path)
{
    static const char *const kinds[KINDS] = {"bed", "sofa", "tv", "toilet", "bathtub", "piano",
                                             "fireplace", "refrigerator", "printer", "radiator",
                                             "chair"};
    st_text json;
    st_text_init(&json);
    st_rng rng = st_rng_from(11);
    for (int r = 0; r < ROOMS; r++) {
        st_text_addf(&json, "%s\"made%04d\":{\"room_size\":%.3f,\"room_center\":[0,0,0],"
                     "\"dataset\":\"made\",\"object_counts\":{", r ? ",\n" : "{", r,
                     st_rng_between(&rng, 8, 60));
        for (int k = 0; k < KINDS; k++)
            st_text_addf(&json, "%s\"%s\":%d", k ? "," : "", kinds[k], k == KINDS - 1 ? 4 : 1);
        st_text_add(&json, "},\"object_bbox\":{");
        for (int k = 0; k < KINDS; k++) {
            st_text_addf(&json, "%s\"%s\":[", k ? "," : "", kinds[k]);
            for (int i = 0; i < (k == KINDS - 1 ? 4 : 1); i++) {
                st_text_add(&json, i ? "," : "");
                add_box(&json, &rng);
            }
            st_text_add(&json, "]");
        }
        st_text_add(&json, "}}");
    }
    st_text_add(&json, "}\n");
    st_status s = st_text_check(&json);
    if (s.code == ST_OK)
        s = st_file_write(path, json.data, json.size);
    st_text_free(&json);
    return s;
}

/* --- steps ------------------------------------------------------------------------------------ */

static st_status read_scenes(work *w, size_t *items)
{
    st_scene_list scenes = {0};
    st_failure_list failures = {0};
    for (int i = 0; i < w->path_count; i++)
        ST_TRY(st_scene_read(&scenes, &failures, &w->scratch, w->paths[i]));
    *items = scenes.count;
    for (size_t i = 0; i < scenes.count; i++)
        st_text_addf(&w->text, "%s %zu\n", scenes.scenes[i].scene_id,
                     scenes.scenes[i].object_count);
    return st_ok();
}

static st_status generate(work *w, size_t *items)
{
    ST_TRY(st_qa_generate(&w->result, &w->scratch, &w->scenes, &w->settings, &w->pack, w->pool,
                          NULL));
    *items = w->result.record_count;
    for (size_t i = 0; i < w->result.record_count; i++)
        st_text_addf(&w->text, "%s %s\n", w->result.records[i].id, w->result.records[i].answer);
    return st_ok();
}

static st_status write_rows(work *w, size_t *items)
{
    *items = w->result.record_count;
    for (size_t i = 0; i < w->result.record_count; i++) {
        st_vsi_row row;
        st_conversation line;
        st_record_write(&w->text, &w->result.records[i]);
        ST_TRY(st_qa_vsi_row(&row, &w->scratch, &w->result.records[i]));
        st_vsi_row_write(&w->text, &row);
        ST_TRY(st_qa_conversation(&line, &w->scratch, &w->result.records[i], &w->pack));
        st_conversation_write(&w->text, &line);
    }
    return st_text_check(&w->text);
}

static st_status lint_rows(work *w, size_t *items)
{
    st_lint_report report;
    ST_TRY(st_lint_run(&report, &w->scratch, &w->rows, &w->scenes, &w->pack, 1, w->pool));
    *items = w->rows.count;
    return st_ok();
}

static st_status prove_rows(work *w, size_t *items)
{
    const st_witness witness = {&w->scenes, &w->pack, &w->settings.thresholds};
    for (size_t i = 0; i < w->result.record_count; i++) {
        st_finding finding;
        ST_TRY(st_prove_record(&finding, NULL, &w->scratch, &witness, &w->result.records[i]));
        st_text_add(&w->text, st_verdict_name(finding.verdict));
    }
    *items = w->result.record_count;
    return st_ok();
}

/* --- timing ----------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static st_status time_step(work *w, const char *name, step *run)
{
    double ms[RUNS];
    size_t items = 0;
    for (int i = 0; i < RUNS; i++) {
        st_arena_reset(&w->scratch);
        st_text_clear(&w->text);
        const double start_s = st_clock_s();
        ST_TRY(run(w, &items));
        ms[i] = 1e3 * (st_clock_s() - start_s);
    }
    ST_TRY(st_text_check(&w->text));
    qsort(ms, RUNS, sizeof *ms, ascending);
    char hex[65];
    const st_digest digest = st_digest_of(w->text.data, w->text.size);
    printf("%s,%zu,%.2f,%.2f,%.12s\n", name, items, ms[RUNS / 2], ms[0],
           st_digest_print(hex, &digest));
    return st_ok();
}

/* The result that write, lint and prove work on must outlive their scratch. */
static st_status keep_result(work *w)
{
    ST_TRY(st_qa_generate(&w->result, &w->fixed, &w->scenes, &w->settings, &w->pack, w->pool,
                          NULL));
    const size_t count = w->result.record_count;
    ST_TRY(ST_ALLOC(&w->fixed, &w->rows.rows, count));
    for (size_t i = 0; i < count; i++)
        ST_TRY(st_qa_vsi_row(&w->rows.rows[i], &w->fixed, &w->result.records[i]));
    w->rows.count = count;
    return st_ok();
}

static st_status run_all(work *w)
{
    for (int i = 0; i < w->path_count; i++)
        ST_TRY(st_scene_read(&w->scenes, &w->failures, &w->fixed, w->paths[i]));
    ST_TRY(st_template_pack_default(&w->pack, &w->fixed));
    w->settings = st_qa_settings_default();
    w->settings.allow_benchmark = true;
    printf("step,items,median_ms,best_ms,digest\n");
    ST_TRY(time_step(w, "read_metadata", read_scenes));
    static const int jobs[] = {1, 2};
    for (int k = 0; k < 2; k++) {
        char name[32];
        st_pool_free(w->pool);
        w->pool = NULL;
        ST_TRY(st_pool_create(&w->pool, jobs[k]));
        w->settings.no_debias = true;
        snprintf(name, sizeof name, "generate_all_j%d", jobs[k]);
        ST_TRY(time_step(w, name, generate));
        w->settings.no_debias = false;
        snprintf(name, sizeof name, "generate_balanced_j%d", jobs[k]);
        ST_TRY(time_step(w, name, generate));
    }
    w->settings.no_debias = true;
    ST_TRY(keep_result(w));
    ST_TRY(time_step(w, "write_three_forms", write_rows));
    ST_TRY(time_step(w, "lint_j2", lint_rows));
    return time_step(w, "prove", prove_rows);
}

int main(int argc, char **argv)
{
    char made[64];
    const char *paths[] = {made};
    snprintf(made, sizeof made, "/tmp/bench_questions.%d.json", (int)getpid());
    work w = {.paths = argc > 1 ? (const char *const *)argv + 1 : paths,
              .path_count = argc > 1 ? argc - 1 : 1};
    st_arena_init(&w.fixed, "fixed");
    st_arena_init(&w.scratch, "scratch");
    st_text_init(&w.text);
    st_status s = argc > 1 ? st_ok() : make_metadata(made);
    if (s.code == ST_OK)
        s = run_all(&w);
    if (argc == 1)
        unlink(made);
    st_pool_free(w.pool);
    st_text_free(&w.text);
    st_arena_free(&w.scratch);
    st_arena_free(&w.fixed);
    if (s.code != ST_OK)
        fprintf(stderr, "bench_questions: %s\n", s.text);
    return s.code != ST_OK;
}
