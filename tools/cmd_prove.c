/* cmd_prove.c - redo the answers of rows from the scenes, and show every step. */
#include "tools/commands.h"

#include "datagen/questions/prove.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "tools/scene_inputs.h"

#include <stdio.h>
#include <string.h>

static const st_option options[] = {
    {"Input", "scans", 0, "FILE...",
     "scene files, published metadata, raw scans, or folders of them", NULL},
    {NULL, "templates", 0, "FILE", "the pack whose words the rows are in", NULL},
    {"Output", "brief", 0, NULL, "a line per row, without the steps", NULL},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

/* What kind of rows a file holds, told by its first one. */
typedef enum row_kind { ROWS_RECORDS, ROWS_VSI, ROWS_TRAIN } row_kind;

typedef struct prove_run {
    const st_args    *args;
    st_arena          arena;            /* for the whole run                */
    st_arena          scratch;          /* for one row                      */
    st_text           text;
    bool              brief;
    st_template_pack  pack;
    st_scene_list     scenes;
    st_failure_list   failures;
    st_witness        witness;
    size_t            rows, counts[3];  /* by verdict                       */
} prove_run;

static st_status find_kind(row_kind *kind, st_arena *arena, const char *path)
{
    st_str text, line = {NULL, 0};
    ST_TRY(st_file_read(arena, &text, path, ST_TEXT_FILE_BYTES_MAX));
    while (st_str_next_line(&line, &text) && st_str_trim(line).size == 0)
        ;
    st_json_doc *doc;
    *kind = ROWS_VSI;                   /* also an array over many lines: its first is no JSON */
    if (line.size == 0 || st_json_parse(&doc, line).code != ST_OK)
        return st_ok();
    const st_json root = st_json_root(doc);
    if (st_json_kind_of(st_json_member(&root, "conversations")) != ST_JSON_ABSENT)
        *kind = ROWS_TRAIN;
    else if (st_json_kind_of(st_json_member(&root, "proof")) != ST_JSON_ABSENT)
        *kind = ROWS_RECORDS;
    st_json_free(doc);
    return st_ok();
}

static st_status print_json(prove_run *run, const char *id, const char *type,
                            const st_finding *finding)
{
    st_text line;
    st_json_writer w;
    st_text_init(&line);
    st_json_write_start(&w, &line, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "id", id);
    st_json_put_text(&w, "question_type", type);
    st_json_put_text(&w, "verdict", st_verdict_name(finding->verdict));
    st_json_put_text(&w, "why", finding->why);
    st_json_put_str(&w, "steps", st_text_view(&run->text));
    st_json_write_end(&w);
    st_text_add(&line, "\n");
    const st_status s = st_print_text(&line);
    st_text_free(&line);
    return s;
}

/* Say how one row went. Quiet tells of those that did not hold alone. */
static st_status tell(prove_run *run, const char *id, const char *type, const char *scene,
                      const st_finding *finding)
{
    st_status s = st_ok();
    run->rows++;
    run->counts[finding->verdict]++;
    const bool quiet = st_args_voice(run->args) == ST_VOICE_QUIET;
    if (st_args_json(run->args)) {
        s = print_json(run, id, type, finding);
    } else if (!quiet || finding->verdict != ST_VERDICT_PROVEN) {
        printf("%-8s  %s  %s  %s%s%s\n", st_verdict_name(finding->verdict), id, type, scene,
               finding->why ? ": " : "", finding->why ? finding->why : "");
        if (!quiet && !run->brief && run->text.size > 0)
            s = st_print_text(&run->text);
    }
    st_text_clear(&run->text);
    st_arena_reset(&run->scratch);
    return s;
}

static st_status prove_records(prove_run *run, const char *path)
{
    st_records rows;
    st_finding finding;
    ST_TRY(st_records_read(&rows, &run->arena, path));
    for (size_t i = 0; i < rows.count; i++) {
        const st_record *r = &rows.records[i];
        ST_TRY(st_prove_record(&finding, &run->text, &run->scratch, &run->witness, r));
        ST_TRY(tell(run, r->id, r->question_type, r->scene_id, &finding));
    }
    return st_ok();
}

static st_status prove_vsi_rows(prove_run *run, const char *path)
{
    st_vsi_rows rows = {0};
    st_finding finding;
    ST_TRY(st_vsi_rows_read(&rows, &run->arena, path));
    for (size_t i = 0; i < rows.count; i++) {
        const st_vsi_row *r = &rows.rows[i];
        ST_TRY(st_prove_vsi_row(&finding, &run->text, &run->scratch, &run->witness, r));
        ST_TRY(tell(run, r->id, r->question_type, r->scene_name, &finding));
    }
    return st_ok();
}

static st_status prove_lines(prove_run *run, const char *path)
{
    st_conversations lines;
    st_finding finding;
    ST_TRY(st_conversations_read(&lines, &run->arena, path));
    for (size_t i = 0; i < lines.count; i++) {
        const st_conversation *l = &lines.lines[i];
        ST_TRY(st_prove_conversation(&finding, &run->text, &run->scratch, &run->witness, l));
        ST_TRY(tell(run, l->id, l->question_type, l->scene_name, &finding));
    }
    return st_ok();
}

static st_status prove_file(prove_run *run, const char *path)
{
    row_kind kind;
    ST_TRY(find_kind(&kind, &run->scratch, path));
    st_arena_reset(&run->scratch);
    if (kind == ROWS_RECORDS)
        return prove_records(run, path);
    return kind == ROWS_TRAIN ? prove_lines(run, path) : prove_vsi_rows(run, path);
}

static st_status read_scenes(prove_run *run)
{
    const char *const *words;
    const size_t count = st_args_list(run->args, "scans", &words);
    if (count == 0)
        return ST_FAIL(ST_ERR_USAGE, "--scans FILE... is missing: rows are held against scenes");
    st_path_list paths;
    ST_TRY(st_scene_paths(&paths, &run->arena, words, count));
    for (size_t i = 0; i < paths.count; i++)
        ST_TRY(st_scene_path_read(&run->scenes, &run->failures, &run->arena, paths.paths[i]));
    ST_TRY(st_expect_scenes(run->args, &run->scenes, &run->failures, paths.count));
    st_say_scene_failures(run->args, &run->failures);
    const char *templates = st_args_text(run->args, "templates");
    return templates ? st_template_pack_load(&run->pack, &run->arena, templates)
                     : st_template_pack_default(&run->pack, &run->arena);
}

static st_status run_prove(st_exit *exit_code, const st_args *args)
{
    prove_run run = {.args = args, .brief = st_args_given(args, "brief")};
    run.witness = (st_witness){&run.scenes, &run.pack, &st_thresholds_default};
    st_arena_init(&run.arena, "rows");
    st_arena_init(&run.scratch, "row");
    st_text_init(&run.text);
    st_status s;
    ST_TRY_OR(s, out, read_scenes(&run));
    const size_t files = st_args_count(args);
    for (size_t i = 0; i < files; i++) {
        s = prove_file(&run, st_args_word(args, i));
        if (s.code == ST_ERR_MEMORY || (s.code != ST_OK && files == 1))
            goto out;
        if (s.code != ST_OK) {          /* the rows of the others hold or do not all the same */
            st_say_failure(args, NULL, s);
            *exit_code = ST_EXIT_INPUT;
            s = st_ok();
        }
    }
    st_say(args, "%zu rows: %zu proven, %zu refuted, %zu without a scene", run.rows,
           run.counts[ST_VERDICT_PROVEN], run.counts[ST_VERDICT_REFUTED],
           run.counts[ST_VERDICT_NO_SCENE]);
    if (run.counts[ST_VERDICT_NO_SCENE] > 0 || run.failures.count > 0)
        *exit_code = ST_EXIT_INPUT;
    if (run.counts[ST_VERDICT_REFUTED] > 0)
        *exit_code = ST_EXIT_NO;
out:
    st_text_free(&run.text);
    st_arena_free(&run.scratch);
    st_arena_free(&run.arena);
    return s;
}

const st_command cmd_prove = {
    .name = "prove",
    .summary = "recompute the answers of rows and show every step",
    .usage = "[options] ROWS... --scans FILE...",
    .about = "Derive each row again from its scene and compare everything it says. ROWS are files "
             "of\n"
             "`spatial qa`: qa/*.jsonl, whose every number is checked, or vsi.jsonl and "
             "train.jsonl, which\n"
             "are read back through their wording. The geometry is written out separately from "
             "the one\n"
             "that made the rows.",
    .options = options,
    .common = ST_COMMON_JSON,
    .output = "A line per row: VERDICT  ID  TYPE  SCENE, and why when it does not hold; below it "
              "the steps:\n"
              "referents, boxes, value, rounding, margins, options. Quiet prints what does not "
              "hold alone.",
    .exits = "0 all proven   1 some refuted   2 wrong command line   3 a scene or file is missing",
    .examples = "spatial prove qa/qa/object_abs_distance.jsonl --scans scannet_meta_info.json\n"
                "spatial prove -q qa/qa/*.jsonl --scans scenes/",
    .words_min = 1,
    .words_max = -1,
    .run = run_prove,
};
