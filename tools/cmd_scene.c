/* cmd_scene.c - scans to scene metadata. */
#include "tools/commands.h"

#include "datagen/scene/make_scenes.h"
#include "tools/scene_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const st_option options[] = {
    {"Names", "labels", 0, "FILE", "label table for ScanNet scans; otherwise the one found beside "
     "or above them", NULL},
    {NULL, "vocabulary", 0, "NAME", "mixed: NYU40 and fine names; nyu40; vsi: the benchmark's",
     "mixed"},
    {"Output", "out", 'o', "DIR", "folder for scenes/, *_meta_info*.json, manifest.json", NULL},
    {NULL, "form", 0, "NAME", "of *_meta_info*.json: bench, or vlm3r with object_bboxes and "
     "instance ids", "bench"},
    {NULL, "shard", 0, "I/N", "measure the Ith of N parts only; `spatial merge` joins the folders",
     NULL},
    {NULL, "max-skip", 0, "SHARE", "share of scans that may fail without exit code 3", "0"},
    {0},
};

typedef struct work {
    const st_args *args;
    const char    *out;
    st_arena       arena;
    st_pool       *pool;
    st_progress   *progress;
    st_vocabulary  vocabulary;
    st_vsi_form    form;
    double         max_skip;
    st_shard       shard;
    st_scene_jobs  jobs;
    st_manifest    manifest;
    double         start_s;
    int64_t        start_unix_s;
    double         measured_s;
} work;

static st_status read_options(work *w)
{
    static const char *const vocabularies[] = {"mixed", "nyu40", "vsi", NULL};
    static const char *const forms[] = {"bench", "vlm3r", NULL};
    int vocabulary, form;
    w->out = st_args_text(w->args, "out");
    if (!w->out)
        return ST_FAIL(ST_ERR_USAGE, "--out DIR is missing");
    ST_TRY(st_args_choice(w->args, "vocabulary", vocabularies, &vocabulary));
    ST_TRY(st_args_choice(w->args, "form", forms, &form));
    ST_TRY(st_args_double(w->args, "max-skip", 0.0, 1.0, &w->max_skip));
    w->vocabulary = (st_vocabulary)vocabulary;
    w->shard = (st_shard){.count = 1};
    if (st_args_given(w->args, "shard"))
        ST_TRY(st_shard_parse(&w->shard, st_args_text(w->args, "shard")));
    w->form = form == 0 ? ST_VSI_FORM_BENCH : ST_VSI_FORM_VLM3R;
    return st_ok();
}

static st_status write_run(const work *w)
{
    const double       end_s = st_clock_s();
    const st_run_stage stages[] = {{"measure", w->measured_s - w->start_s},
                                   {"write", end_s - w->measured_s}};
    const st_run run = {.version = ST_VERSION,
                        .commit = ST_COMMIT,
                        .command_line = st_args_line(w->args),
                        .inputs = st_args_words(w->args),
                        .input_count = st_args_count(w->args),
                        .start_unix_s = w->start_unix_s,
                        .jobs = st_args_jobs(w->args),
                        .stages = stages,
                        .stage_count = 2};
    return st_run_write(&run, w->out);
}

/* --- talking --- */

static void print_job_json(st_text *out, const st_scene_job *job)
{
    st_json_writer j;
    st_json_write_start(&j, out, ST_JSON_COMPACT);
    st_json_write_object(&j);
    st_json_put_text(&j, "scan_id", job->scan_id);
    st_json_put_text(&j, "dataset", job->dataset);
    st_json_write_key(&j, "area_m2");
    if (job->room_known)
        st_json_write_double(&j, job->area_m2);
    else
        st_json_write_null(&j);
    st_json_put_int(&j, "objects", (int64_t)job->objects);
    st_json_put_int(&j, "referents", (int64_t)job->referents);
    st_json_put_int(&j, "dropped", (int64_t)job->dropped);
    st_json_put_int(&j, "vertices", job->vertices);
    st_json_put_int(&j, "warnings", (int64_t)job->warnings);
    st_json_put_bool(&j, "in_benchmark", job->in_benchmark);
    st_json_write_end(&j);
    st_text_add(out, "\n");
}

static st_status print_jobs(const work *w)
{
    st_text out;
    st_text_init(&out);
    for (size_t i = 0; i < w->jobs.count; i++) {
        const st_scene_job *job = &w->jobs.jobs[i];
        if (job->why.code != ST_OK)
            st_say_failure(w->args, job->scan_id, job->why);
        else if (st_args_json(w->args))
            print_job_json(&out, job);
        else
            st_text_addf(&out, "%-14s %8.2f m2 %4zu objects %4zu referents %4zu dropped %8" PRId64
                         " vertices %3zu warnings%s\n", job->scan_id,
                         job->room_known ? job->area_m2 : 0.0, job->objects, job->referents,
                         job->dropped, job->vertices, job->warnings,
                         job->in_benchmark ? "  benchmark" : "");
    }
    const st_status s = st_print_text(&out);
    st_text_free(&out);
    return s;
}

static void say_table(const st_args *args, const st_scene_table *t)
{
    if (t->rows < ST_LABEL_ROWS_EXPECTED)
        st_say(args, "%s: %zu usable rows; ScanNet's own table has 607", t->path, t->rows);
    if (t->odd.short_rows + t->odd.long_rows + t->odd.duplicate_rows + t->odd.unusable_rows > 0)
        st_say(args, "%s: %zu rows too short, %zu too long, %zu repeated, %zu of no use", t->path,
               t->odd.short_rows, t->odd.long_rows, t->odd.duplicate_rows, t->odd.unusable_rows);
}

static st_exit say_summary(const work *w)
{
    size_t made = 0, kept = 0;
    for (size_t i = 0; i < w->jobs.table_count; i++)
        say_table(w->args, &w->jobs.tables[i]);
    for (size_t i = 0; i < w->jobs.count; i++) {
        made += w->jobs.jobs[i].why.code == ST_OK;
        kept += w->jobs.jobs[i].kept;
    }
    st_say(w->args, "%zu of %zu scans, %zu of them there already, %.1f s", made, w->jobs.count,
           kept, st_clock_s() - w->start_s);
    return (double)(w->jobs.count - made) > w->max_skip * (double)w->jobs.count ? ST_EXIT_INPUT
                                                                               : ST_EXIT_OK;
}

/* --- the work --- */

static void keep_shard(work *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->jobs.count; i++)
        if (st_shard_has(w->shard, w->jobs.jobs[i].scan_id))
            w->jobs.jobs[kept++] = w->jobs.jobs[i];
    w->jobs.count = kept;
}

static st_status make_all(work *w)
{
    st_text   settings;
    st_status s;
    ST_TRY(read_options(w));
    ST_TRY(st_scene_jobs_plan(&w->jobs, &w->arena, st_args_words(w->args), st_args_count(w->args),
                              st_args_text(w->args, "labels")));
    keep_shard(w);
    ST_TRY(st_say_replaced(w->args, w->out, "scene"));
    st_manifest_init(&w->manifest, &w->arena, ST_VERSION, "scene", 0);
    st_text_init(&settings);
    st_scene_settings_print(&settings, w->vocabulary);
    s = st_manifest_set_settings(&w->manifest, &settings);
    st_text_free(&settings);
    ST_TRY(s);
    ST_TRY(st_pool_create(&w->pool, st_args_jobs(w->args)));
    ST_TRY(st_progress_create(&w->progress, "scans", w->jobs.count, st_args_voice(w->args)));
    ST_TRY(st_scene_jobs_run(&w->jobs, &w->arena, w->out, w->vocabulary, w->pool, w->progress));
    w->measured_s = st_clock_s();
    ST_TRY(st_scene_output_write(&w->manifest, &w->arena, w->out, w->form, &w->jobs, w->shard));
    return write_run(w);
}

static st_status run(st_exit *exit_code, const st_args *args)
{
    work w = {.args = args, .start_s = st_clock_s(), .start_unix_s = (int64_t)time(NULL)};
    st_arena_init(&w.arena, "scene");
    st_status s = make_all(&w);
    st_progress_free(w.progress);
    if (s.code == ST_OK)
        s = print_jobs(&w);
    if (s.code == ST_OK)
        *exit_code = say_summary(&w);
    st_pool_free(w.pool);
    st_arena_free(&w.arena);
    return s;
}

const st_command cmd_scene = {
    .name = "scene",
    .summary = "scans to scene metadata: room, boxes, labels, counts",
    .usage = "[options] SCAN... --out DIR",
    .about = "Measure raw scans. A SCAN is a ScanNet or ARKitScenes scan folder, or a folder of\n"
             "them at any level of the dataset. Every scan gives a scene file with the room's\n"
             "area and outline, an upright and a least-volume box per object, names, counts,\n"
             "what was left out and why, and digests of all that it was made from. All scenes\n"
             "of a dataset together give metadata in the VSI-Bench form. Scans whose scene\n"
             "file stands already, made from the same bytes, are kept.",
    .options = options,
    .common = ST_COMMON_JOBS | ST_COMMON_JSON,
    .output = "A line per scan. DIR/scenes/DATASET/SCAN.json, DIR/DATASET_meta_info[_SPLIT].json,\n"
              "DIR/manifest.json, DIR/run.json",
    .exits = "0 all measured   2 wrong command line   3 some failed; each is named on stderr",
    .examples = "spatial scene scannet/scans --out scenes -j 8\n"
                "spatial scene 3dod/Training/47204578 --out one --json",
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
