/* scene_output.c - metadata and manifest of a folder of scenes. */
#include "tools/scene_output.h"

#include "kernels/base/files.h"
#include "kernels/base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { SHARDS_MAX = 100000 };

st_status st_shard_parse(st_shard *shard, const char *text)
{
    st_str index, count, rest = st_str_from(text);
    int64_t i, n;
    if (!st_str_next_field(&index, &rest, '/') || !st_str_next_field(&count, &rest, '/') ||
        rest.data || !st_str_int(index, &i) || !st_str_int(count, &n) || n < 1 || n > SHARDS_MAX ||
        i < 0 || i > n)
        return ST_FAIL(ST_ERR_USAGE, "--shard: expected I/N, such as 2/4, found \"%s\"", text);
    /* People count shards from 1, job arrays from 0: N of N and 0 of N are the same one. */
    *shard = (st_shard){.index = (int)(i % n), .count = (int)n};
    return st_ok();
}

bool st_shard_has(st_shard shard, const char *scan_id)
{
    return st_hash_text(0, scan_id) % (uint64_t)shard.count == (uint64_t)shard.index;
}

/* One metadata file from the scene files of a dataset and split; none is no file. */
static st_status write_vsi_form(st_manifest *m, st_arena *arena, const char *out, st_vsi_form form,
                                const st_scene_jobs *jobs, const char *dataset, const char *split)
{
    st_scene_list list = {0};
    st_failure_list failures = {0};
    const char *name, *path;
    for (size_t i = 0; i < jobs->count; i++) {
        const st_scene_job *job = &jobs->jobs[i];
        if (job->why.code != ST_OK || strcmp(job->dataset, dataset) != 0 ||
            strcmp(job->split, split) != 0)
            continue;
        ST_TRY(st_path_join(arena, &path, out, job->name));
        ST_TRY(st_scene_read(&list, &failures, arena, path));
    }
    ST_TRY(st_arena_printf(arena, &name, "%s_meta_info%s%s.json", dataset, split[0] ? "_" : "",
                           split));
    if (failures.count > 0)
        return failures.failures[0].why;
    if (list.count == 0) { /* a split that an earlier run still had */
        ST_TRY(st_path_join(arena, &path, out, name));
        return st_file_remove(path);
    }
    st_text text;
    st_text_init(&text);
    st_status s = st_scene_write_vsi(&text, list.scenes, list.count, form);
    if (s.code == ST_OK)
        s = st_manifest_write_output(m, out, name, st_text_view(&text), -1);
    st_text_free(&text);
    return s;
}

static st_status write_vsi_forms(st_manifest *m, st_arena *arena, const char *out,
                                 st_vsi_form form, const st_scene_jobs *jobs)
{
    static const char *const datasets[] = {"arkitscenes", "scannet"};
    static const char *const splits[] = {"", "train", "val", "test"};
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < 4; s++)
            ST_TRY(write_vsi_form(m, arena, out, form, jobs, datasets[d], splits[s]));
    return st_ok();
}

/* Scans found, used and failed, with the reason of each failure. */
static void print_scans(st_text *json, const st_scene_jobs *jobs)
{
    size_t used = 0, benchmark = 0;
    st_json_writer j;
    for (size_t i = 0; i < jobs->count; i++) {
        used += jobs->jobs[i].why.code == ST_OK;
        benchmark += jobs->jobs[i].in_benchmark;
    }
    st_json_write_start(&j, json, ST_JSON_COMPACT);
    st_json_write_object(&j);
    st_json_write_key(&j, "failed");
    st_json_write_array(&j);
    for (size_t i = 0; i < jobs->count; i++) {
        const st_scene_job *job = &jobs->jobs[i];
        if (job->why.code == ST_OK)
            continue;
        st_json_write_object(&j);
        st_json_put_text(&j, "dataset", job->dataset);
        st_json_put_text(&j, "reason", st_code_name(job->why.code));
        st_json_put_text(&j, "scan_id", job->scan_id);
        st_json_write_end(&j);
    }
    st_json_write_end(&j);
    st_json_put_int(&j, "found", (int64_t)jobs->count);
    st_json_put_int(&j, "in_benchmark", (int64_t)benchmark);
    st_json_put_int(&j, "used", (int64_t)used);
    st_json_write_end(&j);
}

static int by_digest(const void *a, const void *b)
{
    const st_scene_table *x = a, *y = b;
    return strcmp(x->input.sha256, y->input.sha256);
}

/* Label tables by their digest: the same order whichever scan met a table first. */
static void print_tables(st_text *json, const st_scene_jobs *jobs)
{
    st_json_writer j;
    if (jobs->table_count > 0)
        qsort(jobs->tables, jobs->table_count, sizeof *jobs->tables, by_digest);
    st_json_write_start(&j, json, ST_JSON_COMPACT);
    st_json_write_array(&j);
    for (size_t i = 0; i < jobs->table_count; i++) {
        const st_scene_table *t = &jobs->tables[i];
        st_json_write_object(&j);
        st_json_put_int(&j, "bytes", (int64_t)t->input.bytes);
        st_json_put_int(&j, "duplicate_rows", (int64_t)t->odd.duplicate_rows);
        st_json_put_int(&j, "long_rows", (int64_t)t->odd.long_rows);
        st_json_put_int(&j, "rows", (int64_t)t->rows);
        st_json_put_text(&j, "sha256", t->input.sha256);
        st_json_put_int(&j, "short_rows", (int64_t)t->odd.short_rows);
        st_json_put_int(&j, "unusable_rows", (int64_t)t->odd.unusable_rows);
        st_json_write_end(&j);
    }
    st_json_write_end(&j);
}

static void print_shard(st_text *json, st_shard shard)
{
    st_json_writer j;
    st_json_write_start(&j, json, ST_JSON_COMPACT);
    st_json_write_object(&j);
    st_json_put_int(&j, "count", shard.count);
    st_json_put_int(&j, "index", shard.index);
    st_json_write_end(&j);
}

static st_status write_manifest(st_manifest *m, st_arena *arena, const char *out,
                                const st_scene_jobs *jobs, st_shard shard)
{
    st_text text;
    st_text_init(&text);
    st_status s;
    for (size_t i = 0; i < jobs->count; i++) {
        const st_scene_job *job = &jobs->jobs[i];
        const char *name;
        if (job->why.code != ST_OK)
            continue;
        ST_TRY_OR(s, out, st_arena_printf(arena, &name, "%s/%s", job->dataset, job->scan_id));
        ST_TRY_OR(s, out, st_manifest_add_known_input(m, name, job->input_bytes, &job->inputs));
        ST_TRY_OR(s, out, st_manifest_add_output(m, out, job->name));
    }
    print_scans(&text, jobs);
    ST_TRY_OR(s, out, st_manifest_add_section(m, "scans", &text));
    st_text_clear(&text);
    print_tables(&text, jobs);
    ST_TRY_OR(s, out, st_manifest_add_section(m, "label_tables", &text));
    if (shard.count > 1) {
        st_text_clear(&text);
        print_shard(&text, shard);
        ST_TRY_OR(s, out, st_manifest_add_section(m, "shard", &text));
    }
    s = st_manifest_write(m, out);
out:
    st_text_free(&text);
    return s;
}

st_status st_scene_output_write(st_manifest *manifest, st_arena *arena, const char *out,
                                st_vsi_form form, st_scene_jobs *jobs, st_shard shard)
{
    ST_TRY(write_vsi_forms(manifest, arena, out, form, jobs));
    return write_manifest(manifest, arena, out, jobs, shard);
}
