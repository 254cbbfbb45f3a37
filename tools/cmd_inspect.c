/* cmd_inspect.c - look at anything: what a path holds decides what is shown. */
#include "tools/commands.h"
#include "tools/inspect.h"

#include "kernels/base/files.h"

#include <stdio.h>
#include <string.h>

static bool is_row_file(const char *path)
{
    return st_file_exists(path) && st_str_ends(st_str_from(path), ".jsonl");
}

static bool holds(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return st_file_exists(path) || st_folder_exists(path);
}

/* What `spatial qa` wrote, and `spatial scene` did not write to as well. */
static bool is_question_folder(const char *path)
{
    return holds(path, "vsi.jsonl") && !holds(path, "scenes");
}

static st_status inspect_questions(st_exit *exit_code, const st_args *args, const char *path)
{
    char rows[4096];
    snprintf(rows, sizeof rows, "%s/vsi.jsonl", path);
    return inspect_rows(exit_code, args, rows);
}

#if ST_WITH_DATA
/* The first bytes of a file, without blanks around them. */
static st_str start_of(const char *path, char bytes[256])
{
    FILE *f = st_file_exists(path) ? fopen(path, "rb") : NULL;
    const size_t size = f ? fread(bytes, 1, 256, f) : 0;
    if (f)
        fclose(f);
    return st_str_trim((st_str){bytes, size});
}

/* A file whose first letter starts no JSON: a mesh, a video, weights. */
static bool is_other_file(const char *path)
{
    char bytes[256];
    const st_str start = start_of(path, bytes);
    return start.size > 0 && !memchr("{[\xEF", start.data[0], 3);
}

static st_status refuse_other_file(st_exit *exit_code, const st_args *args, const char *path)
{
    (void)exit_code, (void)args;
    char bytes[256], opening[64];
    return ST_FAIL(ST_ERR_FORMAT, "%s: expected scenes, rows (.jsonl), a label table (.tsv) or the "
                   "folder of a scan or a model, found a file that starts with %s", path,
                   st_str_opening(opening, start_of(path, bytes)));
}

static bool is_table_file(const char *path)
{
    return st_file_exists(path) && st_str_ends(st_str_from(path), ".tsv");
}

static bool is_labels_word(const char *path)
{
    return strcmp(path, "labels") == 0 && !st_file_exists(path) && !st_folder_exists(path);
}

static bool is_there(const char *path)
{
    return st_file_exists(path) || st_folder_exists(path);
}
#endif

#if ST_WITH_MODEL
static bool is_model_folder(const char *path)
{
    return holds(path, "config.json");
}
#endif

/* Options that choose within a path; each view knows some of them. */
enum { KNOWS_SCENE = 1, KNOWS_ROW = 2, KNOWS_PLAN = 4 };
static const char *const choices[][2] = {{"scene", "scenes"}, {"row", "rows"}, {"plan", "scenes"}};

typedef struct view {
    bool (*fits)(const char *path);
    st_status (*show)(st_exit *exit_code, const st_args *args, const char *path);
    unsigned    knows;      /* KNOWS_ bits */
    const char *what;       /* what such a path holds */
} view;

/* Asked in this order; the first that fits shows the path. */
static const view views[] = {
    {is_row_file, inspect_rows, KNOWS_ROW, "rows"},
    {is_question_folder, inspect_questions, KNOWS_ROW, "rows"},
#if ST_WITH_DATA
    {is_table_file, inspect_label_table, 0, "a label table"},
    {is_labels_word, inspect_labels, 0, "labels"},
#endif
#if ST_WITH_MODEL
    {is_model_folder, inspect_model, 0, "a model"},
#endif
#if ST_WITH_DATA
    {is_other_file, refuse_other_file, KNOWS_SCENE | KNOWS_ROW | KNOWS_PLAN, "neither"},
    {is_there, inspect_scenes, KNOWS_SCENE | KNOWS_PLAN, "scenes"},
#endif
};

/* An option that would do nothing is said, not passed over. */
static st_status check_choices(const view *v, const st_args *args, const char *path)
{
    for (unsigned i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (!(v->knows >> i & 1) && st_args_given(args, choices[i][0]))
            return ST_FAIL(ST_ERR_USAGE, "--%s is for %s, found %s in %s", choices[i][0],
                           choices[i][1], v->what, path);
    return st_ok();
}

static st_status show_path(st_exit *exit_code, const st_args *args, const char *path)
{
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (views[i].fits(path)) {
            ST_TRY(check_choices(&views[i], args, path));
            return views[i].show(exit_code, args, path);
        }
    if (st_file_exists(path) || st_folder_exists(path))
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: nothing that this build can show", path);
    return ST_FAIL(ST_ERR_IO, "%s: expected a file or a folder, found neither", path);
}

static st_status run_inspect(st_exit *exit_code, const st_args *args)
{
    const size_t count = st_args_count(args);
    if (count > 1 && st_args_given(args, "plan"))
        return ST_FAIL(ST_ERR_USAGE, "--plan draws one scene, found %zu paths", count);
    for (size_t i = 0; i < count; i++) {
        const st_status s = show_path(exit_code, args, st_args_word(args, i));
        if (s.code == ST_ERR_USAGE || s.code == ST_ERR_MEMORY || (s.code != ST_OK && count == 1))
            return s;
        if (s.code != ST_OK) {
            st_say_failure(args, NULL, s);
            *exit_code = ST_EXIT_INPUT;
        }
    }
    return st_ok();
}

static const st_option options[] = {
    {"What", "scene", 0, "ID", "one scene of a metadata file", NULL},
    {NULL, "row", 0, "ID", "one row of a row file, whole, with its proof", NULL},
    {"Output", "plan", 0, "FILE", "draw the room from above, as .svg or .png", NULL},
    {0},
};

const st_command cmd_inspect = {
    .name = "inspect",
    .summary = "look at anything: scans, metadata, scenes, rows, label tables, model folders",
    .usage = "[options] PATH...",
    .about = "Show what a path holds as a readable table. A PATH is a scene file, a metadata file\n"
             "in the VSI-Bench form, a raw scan or a folder of any of these, a row file (.jsonl)\n"
             "or the folder that `spatial qa` wrote, a label table (.tsv), a model folder, or the\n"
             "word \"labels\" for the vocabularies of this program.",
    .options = options,
    .common = ST_COMMON_JSON,
    .exits = "0 shown   2 wrong command line   3 something could not be read; each is named on "
             "stderr",
    .examples = "spatial inspect scannet_meta_info.json\n"
                "spatial inspect scannet_meta_info.json --scene scene0011_00 --plan room.png\n"
                "spatial inspect out/qa/object_counting.jsonl --row 3f0e...\n"
                "spatial inspect labels",
    .words_min = 1,
    .words_max = -1,
    .run = run_inspect,
};
