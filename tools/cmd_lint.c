/* cmd_lint.c - spatial lint: hold a question set against the scenes it asks about. */
#include "tools/commands.h"

#include "datagen/questions/lint.h"
#include "kernels/base/files.h"
#include "tools/scene_inputs.h"

#include <stdio.h>
#include <string.h>

static const st_option options[] = {
    {"Input", "metadata", 0, "FILE...", "scene metadata: VSI-Bench form, scene files, or folders "
     "of them", NULL},
    {NULL, "templates", 0, "FILE", "a pack of wordings to read questions by, beside the "
     "benchmark's and ours", NULL},
    {"Output", "answers", 0, "OUT", "write what was computed, a JSON line per row", NULL},
    {"Judging", "strict", 0, NULL, "leave with 1 when a row disagrees or a box contradicts "
     "itself", NULL},
    {0},
};

typedef struct work {
    st_arena         arena;
    st_pool         *pool;
    st_vsi_rows      rows;
    st_scene_list    scenes;
    st_failure_list  failures;
    st_template_pack packs[3];
    size_t           pack_count;
    st_lint_report   report;
} work;

static st_status read_inputs(work *w, const st_args *args)
{
    const char *const *paths;
    const size_t       count = st_args_list(args, "metadata", &paths);
    if (count == 0)
        return ST_FAIL(ST_ERR_USAGE, "--metadata FILE... is missing");
    ST_TRY(st_template_pack_published(&w->packs[w->pack_count++], &w->arena));
    ST_TRY(st_template_pack_default(&w->packs[w->pack_count++], &w->arena));
    if (st_args_given(args, "templates"))
        ST_TRY(st_template_pack_load(&w->packs[w->pack_count++], &w->arena,
                                     st_args_text(args, "templates")));
    st_path_list files;
    ST_TRY(st_scene_paths(&files, &w->arena, paths, count));
    const char *const others[] = {st_args_word(args, 0), st_args_text(args, "templates")};
    ST_TRY(st_args_check_output(args, "answers", others, 2));
    ST_TRY(st_args_check_output(args, "answers", files.paths, files.count));
    for (size_t i = 0; i < files.count; i++)
        ST_TRY(st_scene_path_read(&w->scenes, &w->failures, &w->arena, files.paths[i]));
    ST_TRY(st_expect_scenes(args, &w->scenes, &w->failures, files.count));
    return st_vsi_rows_read(&w->rows, &w->arena, st_args_word(args, 0));
}

static st_status write_outputs(work *w, const st_args *args)
{
    st_text text;
    st_text_init(&text);
    if (st_args_json(args))
        st_lint_print_json(&text, &w->report, &w->scenes);
    else
        st_lint_print(&text, &w->report, &w->scenes);
    st_status s = st_print_text(&text);
    if (s.code == ST_OK && st_args_given(args, "answers")) {
        st_text_clear(&text);
        st_lint_print_answers(&text, &w->report);
        s = st_text_check(&text);
        if (s.code == ST_OK)
            s = st_file_write(st_args_text(args, "answers"), text.data, text.size);
    }
    st_text_free(&text);
    return s;
}

/* Every failure by name, then one line that says how much was looked at. */
static void say_summary(const work *w, const st_args *args)
{
    st_say_scene_failures(args, &w->failures);
    const st_lint_sums sums = st_lint_sum(&w->report);
    const size_t one_rule = sums.exact_only + sums.sampled_only;
    const size_t rarer = sums.exact_only < sums.sampled_only ? sums.exact_only : sums.sampled_only;
    if (one_rule > 0)           /* a few of the other rule are chance, not a mixture */
        st_say(args, "absolute distances right by one rule alone: %zu exact, %zu sampled%s",
               sums.exact_only, sums.sampled_only,
               10 * rarer > one_rule ? "; a set should keep to one" : "");
    st_say(args, "%zu rows: %zu agree, %zu disagree, %zu cannot be answered from boxes; %zu scenes "
           "read, %zu inputs failed", w->rows.count, sums.agree, sums.disagree, sums.unanswerable,
           w->scenes.count, w->failures.count);
}

static st_status run(st_exit *exit_code, const st_args *args)
{
    work w = {0};
    st_arena_init(&w.arena, "lint");
    st_status s;
    ST_TRY_OR(s, out, st_pool_create(&w.pool, st_args_jobs(args)));
    ST_TRY_OR(s, out, read_inputs(&w, args));
    ST_TRY_OR(s, out, st_lint_run(&w.report, &w.arena, &w.rows, &w.scenes, w.packs, w.pack_count,
                                  w.pool));
    ST_TRY_OR(s, out, write_outputs(&w, args));
    say_summary(&w, args);
    if (w.failures.count > 0)
        *exit_code = ST_EXIT_INPUT;
    else if (st_args_given(args, "strict") && st_lint_disagrees(&w.report))
        *exit_code = ST_EXIT_NO;
out:
    st_pool_free(w.pool);
    st_arena_free(&w.arena);
    return s;
}

const st_command cmd_lint = {
    .name = "lint",
    .summary = "faults of a question set: wrong answers, ties, duplicates, boxes",
    .usage = "[options] ROWS --metadata FILE...",
    .about = "Answer every row of a VSI-Bench style question set again, from scene metadata and\n"
             "the words of its question alone, and list what disagrees, what cannot be\n"
             "answered, near ties, duplicates, and what is wrong with boxes and counts.\n"
             "Absolute distance is judged as the benchmark samples it, and between the solid\n"
             "boxes as object_abs_distance_exact; a row that one of the two gives is right.\n"
             "Appearance order and routes need the video and count as unanswerable.",
    .options = options,
    .common = ST_COMMON_JOBS | ST_COMMON_JSON,
    .output = "Lines about rows and metadata, then a table of types. With --json one object:\n"
              "{\"types\": {TYPE: {\"rows\", \"agree\", \"disagree\", \"unanswerable\"}},\n"
              "\"boxes\": {...}, \"notes\": {...}, \"blind\": {...}, \"metadata\": [...]}",
    .exits = "0 done   1 --strict and something disagrees   2 wrong command line\n"
             "3 an input failed; each is named on stderr, and the rest was looked at",
    .examples = "spatial lint rows.jsonl --metadata scannet_meta_info.json arkit_meta_info.json\n"
                "spatial lint qa/vsi.jsonl --metadata scenes --strict --answers answers.jsonl",
    .words_min = 1,
    .words_max = 1,
    .run = run,
};
