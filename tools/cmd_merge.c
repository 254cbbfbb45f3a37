/* cmd_merge.c - shards of `spatial scene` become one folder, as if one run had made it. */
#include "tools/commands.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "tools/scene_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const st_option options[] = {
    {"Output", "out", 'o', "DIR", "folder to write to", NULL},
    {NULL, "form", 0, "NAME", "of *_meta_info*.json: bench, or vlm3r", "bench"},
    {0},
};

typedef struct merge {
    const st_args *args;
    const char *out;
    st_arena arena;
    st_scene_jobs jobs;
    size_t job_capacity, table_capacity;
    const char *version, *settings;     /* of the first shard; the others must agree */
    int shard_count;
    bool *seen;                         /* which shards are here                     */
} merge;

static st_status add_job(merge *m, const st_scene_job *job)
{
    ST_TRY(ST_GROW(&m->arena, &m->jobs.jobs, &m->job_capacity, m->jobs.count + 1));
    m->jobs.jobs[m->jobs.count++] = *job;
    return st_ok();
}

static st_status keep_text(const char **copy, merge *m, st_json value)
{
    st_str text;
    ST_TRY(st_json_text(value, &text));
    return st_arena_copy_text(&m->arena, copy, text.data, text.size);
}

static st_status read_digest(st_digest *digest, st_json value)
{
    st_str hex;
    ST_TRY(st_json_text(value, &hex));
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        char pair[3] = "", *end = pair;
        if (hex.size == 64)
            memcpy(pair, hex.data + 2 * i, 2);
        digest->bytes[i] = (unsigned char)strtoul(pair, &end, 16);
        if (end != pair + 2)
            return st_json_fail(value, ST_ERR_FORMAT, "expected 64 hex digits");
    }
    return st_ok();
}

/* Copy one scene file over, and note what the metadata files need of it. */
static st_status take_scene(st_scene_job *job, merge *m)
{
    const char *from, *to;
    st_str bytes;
    ST_TRY(st_arena_printf(&m->arena, &job->name, "scenes/%s/%s.json", job->dataset, job->scan_id));
    ST_TRY(st_path_join(&m->arena, &from, job->folder, job->name));
    ST_TRY(st_path_join(&m->arena, &to, m->out, job->name));
    ST_TRY(st_file_read(&m->arena, &bytes, from, ST_TEXT_FILE_BYTES_MAX));
    st_scene_list list = {0};
    st_failure_list failures = {0};
    ST_TRY(st_scene_parse(&list, &failures, &m->arena, bytes, from));
    if (list.count != 1)
        return failures.count > 0 ? failures.failures[0].why
                                  : ST_FAIL(ST_ERR_DATA, "%s: expected one scene", from);
    job->split = list.scenes[0].split;
    job->in_benchmark = st_scene_in_benchmark(&list.scenes[0]);
    return st_file_write(to, bytes.data, bytes.size);
}

/* "scannet/scene0000_00" in the list of inputs is a scan that was measured. */
static st_status take_used(merge *m, const char *shard, st_json inputs)
{
    for (size_t i = 0; i < st_json_count(inputs); i++) {
        const st_json input = st_json_element(&inputs, i);
        st_scene_job job = {.why = st_ok()};
        const char *name;
        int64_t bytes;
        ST_TRY(keep_text(&name, m, st_json_member(&input, "name")));
        ST_TRY(st_json_int(st_json_member(&input, "bytes"), &bytes));
        ST_TRY(read_digest(&job.inputs, st_json_member(&input, "sha256")));
        char *slash = strchr(name, '/');
        if (!slash || strchr(slash + 1, '/') || bytes < 0)
            return st_json_fail(input, ST_ERR_FORMAT, "expected DATASET/SCAN, found \"%s\"", name);
        *slash = '\0';
        job.dataset = name;
        job.scan_id = slash + 1;
        job.input_bytes = (uint64_t)bytes;
        job.folder = shard;
        ST_TRY(add_job(m, &job));
    }
    return st_ok();
}

static st_status take_failed(merge *m, st_json failed)
{
    for (size_t i = 0; i < st_json_count(failed); i++) {
        const st_json scan = st_json_element(&failed, i);
        st_scene_job job = {.split = "", .name = ""};
        st_str reason;
        ST_TRY(keep_text(&job.dataset, m, st_json_member(&scan, "dataset")));
        ST_TRY(keep_text(&job.scan_id, m, st_json_member(&scan, "scan_id")));
        ST_TRY(st_json_text(st_json_member(&scan, "reason"), &reason));
        st_code code = ST_ERR_DATA;
        for (int c = ST_OK + 1; c < ST_CODE_COUNT; c++)
            if (st_str_is(reason, st_code_name((st_code)c)))
                code = (st_code)c;
        job.why = ST_FAIL(code, "failed when its shard was made");
        ST_TRY(add_job(m, &job));
    }
    return st_ok();
}

static st_status read_table(st_scene_table *table, st_json from)
{
    int64_t bytes, rows, duplicate, wide, narrow, unusable;
    st_digest digest;
    ST_TRY(st_json_int(st_json_member(&from, "bytes"), &bytes));
    ST_TRY(st_json_int(st_json_member(&from, "rows"), &rows));
    ST_TRY(st_json_int(st_json_member(&from, "duplicate_rows"), &duplicate));
    ST_TRY(st_json_int(st_json_member(&from, "long_rows"), &wide));
    ST_TRY(st_json_int(st_json_member(&from, "short_rows"), &narrow));
    ST_TRY(st_json_int(st_json_member(&from, "unusable_rows"), &unusable));
    ST_TRY(read_digest(&digest, st_json_member(&from, "sha256")));
    *table = (st_scene_table){.rows = (size_t)rows};
    table->input.bytes = (uint64_t)bytes;
    table->odd.duplicate_rows = (size_t)duplicate;
    table->odd.long_rows = (size_t)wide;
    table->odd.short_rows = (size_t)narrow;
    table->odd.unusable_rows = (size_t)unusable;
    st_digest_print(table->input.sha256, &digest);
    return st_ok();
}

static st_status take_tables(merge *m, st_json tables)
{
    for (size_t i = 0; i < st_json_count(tables); i++) {
        st_scene_table table;
        ST_TRY(read_table(&table, st_json_element(&tables, i)));
        bool known = false;
        for (size_t k = 0; k < m->jobs.table_count; k++)
            known |= strcmp(m->jobs.tables[k].input.sha256, table.input.sha256) == 0;
        if (known)
            continue;
        ST_TRY(ST_GROW(&m->arena, &m->jobs.tables, &m->table_capacity, m->jobs.table_count + 1));
        m->jobs.tables[m->jobs.table_count++] = table;
    }
    return st_ok();
}

/* Shards of one run say the same of version, settings and the number of shards. */
static st_status check_same_run(merge *m, st_json root)
{
    const char *version;
    int64_t count = 1, index = 0;
    const st_json shard = st_json_member(&root, "shard");
    ST_TRY(keep_text(&version, m, st_json_member(&root, "version")));
    if (st_json_kind_of(shard) != ST_JSON_ABSENT) {
        ST_TRY(st_json_int(st_json_member(&shard, "count"), &count));
        ST_TRY(st_json_int(st_json_member(&shard, "index"), &index));
    }
    if (index < 0 || index >= count || count > INT32_MAX)
        return ST_FAIL(ST_ERR_FORMAT, "shard: expected an index below %lld, found %lld",
                       (long long)count, (long long)index);

    st_text settings;
    st_json_writer w;
    st_text_init(&settings);
    st_json_write_start(&w, &settings, ST_JSON_COMPACT);
    st_json_write_value(&w, st_json_member(&root, "settings"));
    const char *words = NULL;
    st_status s = st_text_check(&settings);
    if (s.code == ST_OK)
        s = st_arena_copy_text(&m->arena, &words, settings.data, settings.size);
    st_text_free(&settings);
    ST_TRY(s);

    if (!m->version) {
        m->version = version;
        m->settings = words;
        m->shard_count = (int)count;
        ST_TRY(ST_ALLOC(&m->arena, &m->seen, (size_t)count));
    }
    if (strcmp(m->version, version) != 0 || strcmp(m->settings, words) != 0)
        return ST_FAIL(ST_ERR_DATA,
                       "made by another version or with other settings than the first");
    if (count != m->shard_count)
        return ST_FAIL(ST_ERR_DATA, "expected a shard of %d, found one of %lld", m->shard_count,
                       (long long)count);
    m->seen[index] = true;
    return st_ok();
}

static st_status take_manifest(merge *m, const char *shard, st_json root)
{
    st_str command;
    ST_TRY(st_json_text(st_json_member(&root, "command"), &command));
    if (!st_str_is(command, "scene"))
        return ST_FAIL(ST_ERR_DATA, "expected a folder of spatial scene, found one of %.*s",
                       ST_STR_ARG(command));
    const st_json scans = st_json_member(&root, "scans");
    ST_TRY(check_same_run(m, root));
    ST_TRY(take_used(m, shard, st_json_member(&root, "inputs")));
    ST_TRY(take_failed(m, st_json_member(&scans, "failed")));
    return take_tables(m, st_json_member(&root, "label_tables"));
}

static st_status take_shard(merge *m, const char *shard)
{
    const char *path;
    st_json_doc *doc;
    ST_TRY(st_path_join(&m->arena, &path, shard, "manifest.json"));
    ST_TRY(st_folder_expect(shard, "a folder of spatial scene", "manifest.json"));
    ST_TRY(st_json_load(&doc, path));
    const st_status s = take_manifest(m, shard, st_json_root(doc));
    st_json_free(doc);
    return st_within(s, "%s", shard);
}

static int by_name(const void *a, const void *b)
{
    const st_scene_job *x = a, *y = b;
    const int order = strcmp(x->dataset, y->dataset);
    return order != 0 ? order : strcmp(x->scan_id, y->scan_id);
}

/* All shards are here, and no scan twice but for the same bytes. */
static st_status check_whole(merge *m)
{
    for (int i = 0; i < m->shard_count; i++)
        if (!m->seen[i])
            return ST_FAIL(ST_ERR_DATA, "shard %d of %d is missing", i > 0 ? i : m->shard_count,
                           m->shard_count);
    if (m->jobs.count > 0)
        qsort(m->jobs.jobs, m->jobs.count, sizeof *m->jobs.jobs, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < m->jobs.count; i++) {
        const st_scene_job *job = &m->jobs.jobs[i];
        const st_scene_job *before = kept > 0 ? &m->jobs.jobs[kept - 1] : NULL;
        if (!before || by_name(before, job) != 0) {
            m->jobs.jobs[kept++] = *job;
            continue;
        }
        if (memcmp(&before->inputs, &job->inputs, sizeof job->inputs) != 0)
            return ST_FAIL(ST_ERR_DATA, "%s/%s was measured twice, from different bytes",
                           job->dataset, job->scan_id);
    }
    m->jobs.count = kept;
    return st_ok();
}

static st_status merge_all(merge *m)
{
    static const char *const forms[] = {"bench", "vlm3r", NULL};
    const int64_t start_unix_s = (int64_t)time(NULL);
    const double start_s = st_clock_s();
    int form;
    m->out = st_args_text(m->args, "out");
    if (!m->out)
        return ST_FAIL(ST_ERR_USAGE, "--out DIR is missing");
    ST_TRY(st_args_choice(m->args, "form", forms, &form));
    for (size_t i = 0; i < st_args_count(m->args); i++)
        ST_TRY(take_shard(m, st_args_word(m->args, i)));
    ST_TRY(check_whole(m));
    ST_TRY(st_say_replaced(m->args, m->out, "scene"));
    for (size_t i = 0; i < m->jobs.count; i++)
        if (m->jobs.jobs[i].why.code == ST_OK)
            ST_TRY(take_scene(&m->jobs.jobs[i], m));

    st_manifest manifest;
    st_text settings;
    st_manifest_init(&manifest, &m->arena, m->version, "scene", 0);
    st_text_init(&settings);
    st_text_add(&settings, m->settings);
    const st_status set = st_manifest_set_settings(&manifest, &settings);
    st_text_free(&settings);
    ST_TRY(set);
    ST_TRY(st_scene_output_write(&manifest, &m->arena, m->out,
                                 form == 0 ? ST_VSI_FORM_BENCH : ST_VSI_FORM_VLM3R, &m->jobs,
                                 (st_shard){.count = 1}));
    const st_run_stage stages[] = {{"merge", st_clock_s() - start_s}};
    const st_run run = {.version = ST_VERSION,
                        .commit = ST_COMMIT,
                        .command_line = st_args_line(m->args),
                        .inputs = st_args_words(m->args),
                        .input_count = st_args_count(m->args),
                        .start_unix_s = start_unix_s,
                        .jobs = 1,
                        .stages = stages,
                        .stage_count = 1};
    return st_run_write(&run, m->out);
}

static st_status run(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    merge m = {.args = args};
    st_arena_init(&m.arena, "merge");
    const st_status s = merge_all(&m);
    if (s.code == ST_OK)
        st_say(args, "%zu scans from %zu folders", m.jobs.count, st_args_count(args));
    st_arena_free(&m.arena);
    return s;
}

const st_command cmd_merge = {
    .name = "merge",
    .summary = "shards of `spatial scene` to one folder",
    .usage = "[options] DIR... --out DIR",
    .about = "Join the folders that `spatial scene --shard I/N` made on N machines. The result\n"
             "has the bytes of a run that measured all scans at once. All shards must be given,\n"
             "made by one version with one set of settings.",
    .options = options,
    .output = "DIR as `spatial scene` writes it",
    .exits = "0 merged   2 wrong command line   3 a shard is missing, unreadable or of another run",
    .examples = "spatial scene scans --shard 1/2 --out part1\n"
                "spatial scene scans --shard 2/2 --out part2\n"
                "spatial merge part1 part2 --out scenes",
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
