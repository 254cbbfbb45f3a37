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

#if ST_WITH_DATA
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
    char config[4096];
    snprintf(config, sizeof config, "%s/config.json", path);
    return st_folder_exists(path) && st_file_exists(config);
}
#endif

/* Asked in this order; the first that fits shows the path. */
static const struct {
    bool (*fits)(const char *path);
    st_status (*show)(st_exit *exit_code, const st_args *args, const char *path);
} views[] = {
    {is_row_file, inspect_rows},
#if ST_WITH_DATA
    {is_table_file, inspect_label_table},
    {is_labels_word, inspect_labels},
#endif
#if ST_WITH_MODEL
    {is_model_folder, inspect_model},
#endif
#if ST_WITH_DATA
    {is_there, inspect_scenes},
#endif
};

static st_status show_path(st_exit *exit_code, const st_args *args, const char *path)
{
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (views[i].fits(path))
            return views[i].show(exit_code, args, path);
    if (st_file_exists(path) || st_folder_exists(path))
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: nothing that this build can show", path);
    return ST_FAIL(ST_ERR_IO, "%s: expected a file or a folder, found neither", path);
}

static st_status run_inspect(st_exit *exit_code, const st_args *args)
{
    for (size_t i = 0; i < st_args_count(args); i++)
        ST_TRY(show_path(exit_code, args, st_args_word(args, i)));
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
             "in the VSI-Bench form, a raw scan or a folder of any of these, a row file (.jsonl),\n"
             "a label table (.tsv), a model folder, or the word \"labels\" for the vocabularies\n"
             "of this program.",
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
