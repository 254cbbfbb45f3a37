/* cmd_qa.c - scene metadata to questions with proven answers. */
#include "tools/commands.h"

#include "datagen/questions/questions.h"
#include "kernels/base/files.h"
#include "kernels/base/manifest.h"
#include "tools/scene_inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const st_option options[] = {
    {"Questions", "allow-benchmark", 0, NULL,
     "keep scenes whose room VSI-Bench uses; they are left out otherwise", NULL},
    {NULL, "no-debias", 0, NULL,
     "keep every row and only report what blind guessing scores", NULL},
    {NULL, "distance", 0, "KIND",
     "exact: between solid boxes; vsi: the benchmark's sampled one", "exact"},
    {NULL, "require-seen", 0, NULL, "drop rows whose objects no frame is known to show", NULL},
    {NULL, "templates", 0, "FILE", "ask in the words of this template pack", NULL},
    {"Output", "out", 'o', "DIR", "folder for qa/, vsi.jsonl, train.jsonl, manifest.json", NULL},
    {NULL, "max-skip", 0, "SHARE", "share of scenes that may be skipped without exit code 3", "0"},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

/* One run: what was asked for, what was read, what came out. */
typedef struct qa_run {
    const st_args   *args;
    const char      *out;
    st_arena         arena;
    st_qa_settings   settings;
    st_template_pack pack;
    st_path_list     paths;
    st_scene_list    scenes;
    st_failure_list  failures;
    st_manifest      manifest;
    st_qa_result     result;
    double           start_s;
    int64_t          start_unix_s;
    st_run_stage     stages[4];
    int              stage_count;
} qa_run;

static void end_stage(qa_run *run, const char *name)
{
    double before_s = run->start_s;
    for (int i = 0; i < run->stage_count; i++)
        before_s += run->stages[i].seconds;
    run->stages[run->stage_count++] = (st_run_stage){name, st_clock_s() - before_s};
}

static st_status read_settings(qa_run *run)
{
    const st_args *args = run->args;
    static const char *const kinds[] = {"exact", "vsi", NULL};
    int kind;
    ST_TRY(st_args_choice(args, "distance", kinds, &kind));
    run->settings = st_qa_settings_default();
    run->settings.seed = st_args_seed(args);
    run->settings.allow_benchmark = st_args_given(args, "allow-benchmark");
    run->settings.no_debias = st_args_given(args, "no-debias");
    run->settings.require_seen = st_args_given(args, "require-seen");
    run->settings.distance = kind == 0 ? ST_DISTANCE_EXACT : ST_DISTANCE_VSI;
    run->out = st_args_text(args, "out");
    if (!run->out)
        return ST_FAIL(ST_ERR_USAGE, "--out DIR is missing");
    const char *templates = st_args_text(args, "templates");
    return templates ? st_template_pack_load(&run->pack, &run->arena, templates)
                     : st_template_pack_default(&run->pack, &run->arena);
}

static st_status read_inputs(qa_run *run)
{
    ST_TRY(st_scene_paths(&run->paths, &run->arena, st_args_words(run->args),
                          st_args_count(run->args)));
    st_manifest_init(&run->manifest, &run->arena, ST_VERSION, "qa", run->settings.seed);
    st_text settings;
    st_text_init(&settings);
    st_qa_print_settings(&settings, &run->settings, &run->pack);
    const st_status s = st_manifest_set_settings(&run->manifest, &settings);
    st_text_free(&settings);
    ST_TRY(s);
    for (size_t i = 0; i < run->paths.count; i++) {
        const st_status added = st_scene_path_add(&run->manifest, &run->arena, run->paths.paths[i]);
        if (added.code == ST_ERR_MEMORY)
            return added;           /* an unreadable file is reported by the reader below */
        ST_TRY(st_scene_path_read(&run->scenes, &run->failures, &run->arena, run->paths.paths[i]));
    }
    return st_ok();
}

/* --- writing ---------------------------------------------------------------------------------- */

/* qa/<type>.jsonl for every type with rows; files of types that have none now are removed. */
static st_status write_records(qa_run *run, st_text *text)
{
    const st_qa_result *r = &run->result;
    size_t at = 0;
    for (int q = 0; q < ST_QUESTION_COUNT; q++) {
        const char *type = st_question_name((st_question)q), *name, *path;
        const size_t start = at;
        st_text_clear(text);
        for (; at < r->record_count && strcmp(r->records[at].question_type, type) == 0; at++)
            st_record_write(text, &r->records[at]);
        ST_TRY(st_text_check(text));
        ST_TRY(st_arena_printf(&run->arena, &name, "qa/%s.jsonl", type));
        if (at > start) {
            ST_TRY(st_manifest_write_output(&run->manifest, run->out, name, st_text_view(text),
                                            (int64_t)(at - start)));
        } else {
            ST_TRY(st_path_join(&run->arena, &path, run->out, name));
            ST_TRY(st_file_remove(path));
        }
    }
    return st_ok();
}

static st_status write_vsi(qa_run *run, st_text *text)
{
    st_text_clear(text);
    for (size_t i = 0; i < run->result.record_count; i++) {
        st_vsi_row row;
        ST_TRY(st_qa_vsi_row(&row, &run->arena, &run->result.records[i]));
        st_vsi_row_write(text, &row);
    }
    ST_TRY(st_text_check(text));
    return st_manifest_write_output(&run->manifest, run->out, "vsi.jsonl", st_text_view(text),
                                    (int64_t)run->result.record_count);
}

static int by_id(const void *left, const void *right)
{
    const st_record *a = *(const st_record *const *)left, *b = *(const st_record *const *)right;
    return strcmp(a->id, b->id);
}

/* Training lines stand in the order of their ids, which are hashes: shuffled, and for good. */
static st_status write_train(qa_run *run, st_text *text)
{
    const size_t count = run->result.record_count;
    const st_record **sorted;
    ST_TRY(ST_ALLOC(&run->arena, &sorted, count));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &run->result.records[i];
    qsort(sorted, count, sizeof *sorted, by_id);
    st_text_clear(text);
    for (size_t i = 0; i < count; i++) {
        st_conversation line;
        ST_TRY(st_qa_conversation(&line, &run->arena, sorted[i], &run->pack));
        st_conversation_write(text, &line);
    }
    ST_TRY(st_text_check(text));
    return st_manifest_write_output(&run->manifest, run->out, "train.jsonl", st_text_view(text),
                                    (int64_t)count);
}

/* Scenes that could not be read: part of the manifest, by file name and sentence. */
static void print_failures(st_text *json, const qa_run *run)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    st_json_write_array(&w);
    for (size_t i = 0; i < run->failures.count; i++) {
        const st_scene_failure *f = &run->failures.failures[i];
        st_json_write_object(&w);
        st_json_put_str(&w, "file", st_path_name(f->path));
        st_json_put_text(&w, "scene_id", f->scene_id);
        st_json_put_text(&w, "why", st_code_name(f->why.code));
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
}

static st_status add_section(qa_run *run, const char *key, st_text *text,
                             void print(st_text *, const st_qa_result *))
{
    st_text_clear(text);
    print(text, &run->result);
    return st_manifest_add_section(&run->manifest, key, text);
}

static st_status write_all(qa_run *run, st_text *text)
{
    ST_TRY(write_records(run, text));
    ST_TRY(write_vsi(run, text));
    ST_TRY(write_train(run, text));
    ST_TRY(add_section(run, "types", text, st_qa_print_types));
    ST_TRY(add_section(run, "blind_baselines", text, st_qa_print_blind));
    ST_TRY(add_section(run, "scenes", text, st_qa_print_scenes));
    st_text_clear(text);
    print_failures(text, run);
    ST_TRY(st_manifest_add_section(&run->manifest, "failed", text));
    ST_TRY(st_manifest_write(&run->manifest, run->out));    /* last: now the folder is finished */
    end_stage(run, "write");

    const st_run told = {.version = ST_VERSION,
                         .commit = ST_COMMIT,
                         .command_line = st_args_line(run->args),
                         .inputs = run->paths.paths,
                         .input_count = run->paths.count,
                         .start_unix_s = run->start_unix_s,
                         .jobs = st_args_jobs(run->args),
                         .stages = run->stages,
                         .stage_count = run->stage_count};
    return st_run_write(&told, run->out);
}

/* --- talking ---------------------------------------------------------------------------------- */

/* Name what was left out, on stderr even with -q, for the exit code will speak of it. */
static void name_what_is_missing(const qa_run *run)
{
    st_say_scene_failures(run->args, &run->failures);
    for (size_t i = 0; i < run->result.skip_count; i++) {
        const st_qa_skip *skip = &run->result.skips[i];
        if (strcmp(skip->reason, "benchmark") == 0)
            fprintf(stderr, "spatial qa: %s: skipped: VSI-Bench uses this room "
                            "(--allow-benchmark keeps it)\n", skip->scene_id);
        else
            fprintf(stderr, "spatial qa: %s: given twice, used once\n", skip->scene_id);
    }
    for (int p = 0; p < ST_QA_POOLS; p++) {
        const st_qa_pool *pool = &run->result.pools[p];
        if (!pool->withheld)
            continue;
        fprintf(stderr, "spatial qa: %s", st_question_name(pool->type));
        if (pool->type == ST_QUESTION_REL_DISTANCE || pool->type == ST_QUESTION_ROUTE)
            fprintf(stderr, " with %d options", pool->options);
        fprintf(stderr, ": withheld: %s\n", pool->withheld);
    }
}

/* TYPE  ROWS  CANDIDATES, a line per type, to stdout. */
static void print_counts(const qa_run *run)
{
    for (int q = 0; q < ST_QUESTION_COUNT; q++) {
        int64_t rows = 0, found = 0;
        for (int p = 0; p < ST_QA_POOLS; p++) {
            if (run->result.pools[p].type != (st_question)q)
                continue;
            rows += run->result.pools[p].rows;
            found += run->result.pools[p].found;
        }
        printf("%-28s %8lld %9lld\n", st_question_name((st_question)q), (long long)rows,
               (long long)found);
    }
}

static st_exit exit_of(const qa_run *run, double max_skip)
{
    size_t skipped = run->failures.count;
    for (size_t i = 0; i < run->result.skip_count; i++)
        skipped += strcmp(run->result.skips[i].reason, "benchmark") == 0;
    const size_t all = run->result.scene_count + skipped;
    bool withheld = false;
    for (int p = 0; p < ST_QA_POOLS; p++)
        withheld = withheld || run->result.pools[p].withheld;
    return withheld || (double)skipped > max_skip * (double)all ? ST_EXIT_INPUT : ST_EXIT_OK;
}

/* --- a folder that is finished ---------------------------------------------------------------- */

/* What the manifest of a finished folder says, as if the work had just been done. */
static st_status recall_pool(st_qa_pool *pool, st_arena *arena, const st_json *types)
{
    char name[64];
    st_str why;
    const st_json type = st_json_member(types, st_qa_pool_name(name, pool));
    ST_TRY(st_json_int(st_json_member(&type, "rows"), &pool->rows));
    ST_TRY(st_json_int(st_json_member(&type, "candidates"), &pool->found));
    ST_TRY(st_json_text_or_none(st_json_member(&type, "withheld"), &why));
    return why.data ? st_arena_copy_text(arena, &pool->withheld, why.data, why.size) : st_ok();
}

static st_status recall_skips(st_qa_result *r, st_arena *arena, const st_json *scenes)
{
    static const char *const keys[] = {"dataset", "scene_id", "reason"};
    const st_json list = st_json_member(scenes, "skipped");
    r->skip_count = st_json_count(list);
    ST_TRY(ST_ALLOC(arena, &r->skips, r->skip_count));
    for (size_t i = 0; i < r->skip_count; i++) {
        const st_json one = st_json_element(&list, i);
        const char **to[] = {&r->skips[i].dataset, &r->skips[i].scene_id, &r->skips[i].reason};
        for (int k = 0; k < 3; k++) {
            st_str text;
            ST_TRY(st_json_text(st_json_member(&one, keys[k]), &text));
            ST_TRY(st_arena_copy_text(arena, to[k], text.data, text.size));
        }
    }
    int64_t used;
    ST_TRY(st_json_int(st_json_member(scenes, "used"), &used));
    r->scene_count = (size_t)used;
    return st_ok();
}

/* Failures are not recalled: an unreadable input is read again each time, and fails again. */
static st_status recall(qa_run *run, st_json root)
{
    const st_json types = st_json_member(&root, "types"), scenes = st_json_member(&root, "scenes");
    st_qa_pools_init(&run->result);
    for (int p = 0; p < ST_QA_POOLS; p++) {
        ST_TRY(recall_pool(&run->result.pools[p], &run->arena, &types));
        run->result.record_count += (size_t)run->result.pools[p].rows;
    }
    return recall_skips(&run->result, &run->arena, &scenes);
}

/* --- the work --------------------------------------------------------------------------------- */

static st_status generate(qa_run *run)
{
    st_pool *pool = NULL;
    st_progress *progress = NULL;
    st_text text;
    st_text_init(&text);
    st_status s;
    ST_TRY_OR(s, out, st_pool_create(&pool, st_args_jobs(run->args)));
    ST_TRY_OR(s, out, st_progress_create(&progress, "scenes", run->scenes.count,
                                         st_args_voice(run->args)));
    ST_TRY_OR(s, out, st_qa_generate(&run->result, &run->arena, &run->scenes, &run->settings,
                                     &run->pack, pool, progress));
    end_stage(run, "generate");
    s = write_all(run, &text);
out:
    st_progress_free(progress);
    st_pool_free(pool);
    st_text_free(&text);
    return s;
}

static st_status run_qa(st_exit *exit_code, const st_args *args)
{
    double max_skip;
    ST_TRY(st_args_double(args, "max-skip", 0.0, 1.0, &max_skip));
    qa_run run = {.args = args, .start_s = st_clock_s(), .start_unix_s = (int64_t)time(NULL)};
    st_arena_init(&run.arena, "questions");
    st_status s;
    ST_TRY_OR(s, out, read_settings(&run));
    ST_TRY_OR(s, out, read_inputs(&run));
    ST_TRY_OR(s, out, st_expect_scenes(args, &run.scenes, &run.failures, run.paths.count));
    end_stage(&run, "read");
    st_json_doc *finished;
    ST_TRY_OR(s, out, st_manifest_find_finished(&finished, &run.manifest, run.out));
    if (finished) {
        s = st_within(recall(&run, st_json_root(finished)), "%s/manifest.json", run.out);
        st_json_free(finished);
        st_say(args, "%s is finished already: same inputs, same settings, all files whole",
               run.out);
    } else {
        ST_TRY_OR(s, out, st_say_replaced(args, run.out, "qa"));
        s = generate(&run);
    }
    if (s.code != ST_OK)
        goto out;
    name_what_is_missing(&run);
    print_counts(&run);
    st_say(args, "%zu questions about %zu of %zu scenes, %.2f s", run.result.record_count,
           run.result.scene_count,
           run.result.scene_count + run.result.skip_count + run.failures.count,
           st_clock_s() - run.start_s);
    *exit_code = exit_of(&run, max_skip);
out:
    st_arena_free(&run.arena);
    return s;
}

const st_command cmd_qa = {
    .name = "qa",
    .summary = "metadata to questions and answers",
    .usage = "[options] SCENE|METADATA|SCAN... --out DIR",
    .about = "Ask every question that a scene can answer: counts, sizes, distances, directions, "
             "and,\n"
             "where it was measured from a scan, the turns of routes.\n"
             "Each answer carries its proof, which `spatial prove` redoes. An input is a scene "
             "file of\n"
             "`spatial scene`, published VSI-Bench metadata, a raw scan, or a folder of these.\n"
             "\n"
             "Rows are dropped until a blind guesser cannot win; a type that stays over its bound "
             "is\n"
             "withheld. The same inputs and seed give the same bytes on any number of threads.",
    .options = options,
    .common = ST_COMMON_JOBS | ST_COMMON_SEED,
    .output = "A line per type: TYPE  ROWS  CANDIDATES\n"
              "DIR/qa/<type>.jsonl  rows with their proof      DIR/vsi.jsonl    as VSI-Bench has "
              "them\n"
              "DIR/train.jsonl      conversations; each names its split, train or val\n"
              "DIR/manifest.json    settings, counts, blind baselines, digests      DIR/run.json",
    .exits = "0 all asked   2 wrong command line   3 a scene was skipped or a type withheld",
    .examples = "spatial qa scenes --out qa\n"
                "spatial qa arkitscenes_meta_info.json --allow-benchmark --seed 7 --out qa",
    .words_min = 1,
    .words_max = -1,
    .run = run_qa,
};
