/* make_scenes.c - planning and running the work of `spatial scene`. */
#include "datagen/scene/make_scenes.h"

#include "datagen/scene/measure.h"
#include "kernels/base/files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Counts up when the same scan would give other bytes. */
static const char RULES[] = "st-scene/1 rules 3";

const char *st_vocabulary_name(st_vocabulary vocabulary)
{
    static const char *const names[] = {"mixed", "nyu40", "vsi"};
    return names[vocabulary];
}

void st_scene_settings_print(st_text *json, st_vocabulary vocabulary)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_double(&w, "duplicate_overlap_min", ST_DUPLICATE_OVERLAP_MIN);
    st_json_put_double(&w, "duplicate_volume_min", ST_DUPLICATE_VOLUME_MIN);
    st_json_put_double(&w, "instance_diagonal_share_max", ST_INSTANCE_DIAGONAL_SHARE_MAX);
    st_json_put_double(&w, "instance_longest_m_max", ST_INSTANCE_LONGEST_M_MAX);
    st_json_put_double(&w, "instance_longest_m_min", ST_INSTANCE_LONGEST_M_MIN);
    st_json_put_int(&w, "instance_points_arkit_min", ST_INSTANCE_POINTS_ARKIT_MIN);
    st_json_put_int(&w, "instance_points_min", ST_INSTANCE_POINTS_MIN);
    st_json_put_double(&w, "instance_second_m_min", ST_INSTANCE_SECOND_M_MIN);
    st_json_put_double(&w, "instance_volume_share_max", ST_INSTANCE_VOLUME_SHARE_MAX);
    st_json_put_text(&w, "rules", RULES);
    st_json_put_text(&w, "vocabulary", st_vocabulary_name(vocabulary));
    st_json_write_end(&w);
}

/* --- planning --- */

static int compare_jobs(const void *a, const void *b)
{
    const st_scene_job *x = a, *y = b;
    int                 order = strcmp(x->dataset, y->dataset);
    order = order ? order : strcmp(x->scan_id, y->scan_id);
    return order ? order : strcmp(x->folder, y->folder);
}

static st_status plan_one(st_scene_job *job, st_arena *arena, const char *folder,
                          const char *labels_path)
{
    *job = (st_scene_job){.folder = folder, .split = ""};
    if (!st_scan_kind_of(&job->kind, folder))
        return ST_FAIL(ST_ERR_DATA, "%s: not a scan", folder);
    job->dataset = job->kind == ST_SCAN_SCANNET ? "scannet" : "arkitscenes";
    const st_str name = st_scan_name(folder);
    ST_TRY(st_arena_copy_text(arena, &job->scan_id, name.data, name.size));
    ST_TRY(st_arena_printf(arena, &job->name, "scenes/%s/%s.json", job->dataset, job->scan_id));
    if (job->kind != ST_SCAN_SCANNET)
        return st_ok();
    job->labels_path = labels_path;
    return labels_path ? st_ok() : st_scan_find_labels(&job->labels_path, arena, folder);
}

/* Are two folders copies of one scan? */
static st_status same_files(bool *same, st_arena *scratch, const char *a, const char *b)
{
    st_input *x, *y;
    size_t    x_count, y_count;
    ST_TRY(st_scan_inputs(&x, &x_count, scratch, a));
    ST_TRY(st_scan_inputs(&y, &y_count, scratch, b));
    *same = x_count == y_count;
    for (size_t i = 0; *same && i < x_count; i++)
        *same = strcmp(x[i].path, y[i].path) == 0 && strcmp(x[i].sha256, y[i].sha256) == 0;
    return st_ok();
}

static st_status drop_copies(st_scene_jobs *jobs, st_arena *arena)
{
    size_t kept = 0;
    for (size_t i = 0; i < jobs->count; i++) {
        const st_scene_job *job = &jobs->jobs[i];
        const st_scene_job *before = kept > 0 ? &jobs->jobs[kept - 1] : NULL;
        if (before && strcmp(before->dataset, job->dataset) == 0 &&
            strcmp(before->scan_id, job->scan_id) == 0) {
            bool same = strcmp(before->folder, job->folder) == 0;
            if (!same)
                ST_TRY(same_files(&same, arena, before->folder, job->folder));
            if (!same)
                return ST_FAIL(ST_ERR_DATA, "two different scans are called %s: %s and %s",
                               job->scan_id, before->folder, job->folder);
            continue;
        }
        jobs->jobs[kept++] = *job;
    }
    jobs->count = kept;
    return st_ok();
}

st_status st_scene_jobs_plan(st_scene_jobs *jobs, st_arena *arena, const char *const *paths,
                             size_t path_count, const char *labels_path)
{
    size_t capacity = 0;
    *jobs = (st_scene_jobs){0};
    for (size_t p = 0; p < path_count; p++) {
        const char **folders;
        size_t       count;
        ST_TRY(st_scan_find(&folders, &count, arena, paths[p]));
        ST_TRY(ST_GROW(arena, &jobs->jobs, &capacity, jobs->count + count));
        for (size_t i = 0; i < count; i++)
            ST_TRY(plan_one(&jobs->jobs[jobs->count++], arena, folders[i], labels_path));
    }
    qsort(jobs->jobs, jobs->count, sizeof *jobs->jobs, compare_jobs);
    return drop_copies(jobs, arena);
}

/* --- running --- */

/* A label table, read once for all scans that share it. */
typedef struct shared_table {
    st_scene_table  about;
    st_label_table *table;
} shared_table;

typedef struct scene_run {
    st_scene_jobs *jobs;
    const char    *out;
    st_vocabulary  vocabulary;
    st_input       settings;        /* as an input of every scene */
    shared_table  *tables;
    size_t         table_count;
    st_arena      *arenas, *scratch;        /* one per worker */
    st_progress   *progress;
} scene_run;

static void describe_bytes(st_input *input, const char *path, const void *bytes, size_t size)
{
    const st_digest digest = st_digest_of(bytes, size);
    *input = (st_input){.path = path, .bytes = size};
    st_digest_print(input->sha256, &digest);
}

static const shared_table *find_table(const scene_run *run, const char *path)
{
    for (size_t i = 0; path && i < run->table_count; i++)
        if (strcmp(run->tables[i].about.path, path) == 0)
            return &run->tables[i];
    return NULL;
}

/* Scans of one dataset find their table by one path, so each table is read once. */
static st_status load_tables(scene_run *run, st_arena *arena)
{
    ST_TRY(ST_ALLOC(arena, &run->tables, run->jobs->count));
    for (size_t i = 0; i < run->jobs->count; i++) {
        const char *path = run->jobs->jobs[i].labels_path;
        if (!path || find_table(run, path))
            continue;
        shared_table *t = &run->tables[run->table_count];
        st_str        bytes;
        ST_TRY(st_file_read(arena, &bytes, path, (size_t)16 << 20));
        ST_TRY(st_within(st_label_table_parse(&t->table, bytes), "%s", path));
        t->about = (st_scene_table){.path = path, .rows = st_label_table_rows(t->table),
                                    .odd = st_label_table_oddities(t->table)};
        describe_bytes(&t->about.input, "scannetv2-labels.combined.tsv", bytes.data, bytes.size);
        run->table_count++;
    }
    ST_TRY(ST_ALLOC(arena, &run->jobs->tables, run->table_count));
    for (size_t i = 0; i < run->table_count; i++)
        run->jobs->tables[i] = run->tables[i].about;
    run->jobs->table_count = run->table_count;
    return st_ok();
}

/* Table and settings decide the bytes of a scene as its files do. */
static st_status add_shared_inputs(st_input **inputs, size_t *count, st_arena *arena,
                                   const scene_run *run, const shared_table *table)
{
    st_input *all;
    ST_TRY(ST_ALLOC(arena, &all, *count + 2));
    if (*count > 0)
        memcpy(all, *inputs, *count * sizeof **inputs);
    if (table)
        all[(*count)++] = table->about.input;
    all[(*count)++] = run->settings;
    *inputs = all;
    return st_ok();
}

static bool same_inputs(const st_input *a, size_t a_count, const st_input *b, size_t b_count)
{
    for (size_t i = 0; i < a_count && a_count == b_count; i++)
        if (strcmp(a[i].path, b[i].path) != 0 || strcmp(a[i].sha256, b[i].sha256) != 0)
            return false;
    return a_count == b_count;
}

static void sum_up(st_scene_job *job, const st_scene *scene)
{
    st_sha256 hash;
    st_sha256_start(&hash);
    job->input_bytes = 0;
    for (size_t i = 0; i < scene->input_count; i++) {
        job->input_bytes += scene->inputs[i].bytes;
        st_sha256_add(&hash, scene->inputs[i].sha256, 64);
    }
    job->inputs = st_sha256_end(&hash);
    job->room_known = scene->room.known;
    job->area_m2 = scene->room.area_m2;
    job->vertices = scene->vertex_count;
    job->objects = scene->object_count;
    job->referents = 0;
    for (size_t i = 0; i < scene->object_count; i++)
        job->referents += scene->objects[i].referent;
    job->dropped = scene->dropped_count;
    job->warnings = scene->warning_count;
    job->in_benchmark = st_scene_in_benchmark(scene);
    job->split = strcmp(scene->split, "train") == 0  ? "train"
                 : strcmp(scene->split, "val") == 0  ? "val"
                 : strcmp(scene->split, "test") == 0 ? "test" : "";
}

/* Does the scene file stand already, made from what is here now? */
static st_status try_kept(st_scene_job *job, const scene_run *run, st_arena *arena,
                          const char *path, const shared_table *table)
{
    st_input       *inputs;
    size_t          count;
    st_scene_list   list = {0};
    st_failure_list failures = {0};
    if (!st_file_exists(path))
        return st_ok();
    ST_TRY(st_scene_read(&list, &failures, arena, path));
    if (list.count != 1)
        return st_ok();                         /* half a file of another program: made anew */
    ST_TRY(st_scan_inputs(&inputs, &count, arena, job->folder));
    ST_TRY(add_shared_inputs(&inputs, &count, arena, run, table));
    job->kept = same_inputs(inputs, count, list.scenes[0].inputs, list.scenes[0].input_count);
    if (job->kept)
        sum_up(job, &list.scenes[0]);
    return st_ok();
}

/* The text of the scene file; a failure here is the scan's. */
static st_status make_scene(st_text *text, st_scene_job *job, const scene_run *run,
                            st_arena *arena, st_arena *scratch, const shared_table *table)
{
    st_scan  scan;
    st_scene scene;
    ST_TRY(st_scan_read(&scan, arena, job->folder));
    ST_TRY(st_scene_measure(&scene, arena, scratch, &scan, table ? table->table : NULL,
                            run->vocabulary));
    ST_TRY(add_shared_inputs(&scene.inputs, &scene.input_count, arena, run, table));
    ST_TRY(st_scene_write(text, &scene));
    sum_up(job, &scene);
    return st_ok();
}

/* Writes the scan's failure into the job; what it returns stops the run: no memory, no disk. */
static st_status run_job(st_scene_job *job, const scene_run *run, st_arena *arena,
                         st_arena *scratch)
{
    const shared_table *table = find_table(run, job->labels_path);
    const char         *path;
    ST_TRY(st_path_join(arena, &path, run->out, job->name));
    ST_TRY(try_kept(job, run, arena, path, table));
    if (job->kept)
        return st_ok();
    st_text text;
    st_text_init(&text);
    job->why = make_scene(&text, job, run, arena, scratch, table);
    st_status s = job->why.code == ST_ERR_MEMORY ? job->why : st_ok();
    if (job->why.code == ST_OK)
        s = st_file_write(path, text.data, text.size);
    else if (s.code == ST_OK)
        s = st_file_remove(path);               /* an older scene of a scan that is now broken */
    st_text_free(&text);
    return s;
}

static st_status run_item(void *context, size_t index, int worker)
{
    scene_run      *run = context;
    const st_status s = run_job(&run->jobs->jobs[index], run, &run->arenas[worker],
                                &run->scratch[worker]);
    st_arena_reset(&run->arenas[worker]);
    st_arena_reset(&run->scratch[worker]);
    st_progress_step(run->progress);
    return s;
}

st_status st_scene_jobs_run(st_scene_jobs *jobs, st_arena *arena, const char *out,
                            st_vocabulary vocabulary, st_pool *pool, st_progress *progress)
{
    scene_run run = {.jobs = jobs, .out = out, .vocabulary = vocabulary, .progress = progress};
    const int workers = st_pool_jobs(pool);
    st_text   settings;
    st_status s;
    st_text_init(&settings);
    st_scene_settings_print(&settings, vocabulary);
    ST_TRY_OR(s, out, st_text_check(&settings));
    describe_bytes(&run.settings, "settings", settings.data, settings.size);
    ST_TRY_OR(s, out, load_tables(&run, arena));
    ST_TRY_OR(s, out, ST_ALLOC(arena, &run.arenas, (size_t)workers));
    ST_TRY_OR(s, out, ST_ALLOC(arena, &run.scratch, (size_t)workers));
    for (int i = 0; i < workers; i++) {
        st_arena_init(&run.arenas[i], "scan");
        st_arena_init(&run.scratch[i], "scan scratch");
    }
    s = st_pool_run(pool, jobs->count, run_item, &run);
    for (int i = 0; i < workers; i++) {
        st_arena_free(&run.arenas[i]);
        st_arena_free(&run.scratch[i]);
    }
out:
    for (size_t i = 0; i < run.table_count; i++)
        st_label_table_free(run.tables[i].table);
    st_text_free(&settings);
    return s;
}
