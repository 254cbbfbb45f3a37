/* cmd_synth.c - furnished houses as raw scans, with the exact truth beside them. */
#include "tools/commands.h"

#include "datagen/synth/synth.h"
#include "kernels/base/manifest.h"

#include <inttypes.h>
#include <time.h>

/* "LO:HI", or one number for both. */
static st_status parse_rooms(const st_args *args, st_synth_settings *settings)
{
    const char *text = st_args_text(args, "rooms");
    st_str low, rest = st_str_from(text);
    int64_t lo = 0, hi = 0;
    bool good = st_str_next_field(&low, &rest, ':') && st_str_int(low, &lo);
    hi = lo;
    st_str high;
    if (good && st_str_next_field(&high, &rest, ':'))
        good = st_str_int(high, &hi) && !st_str_next_field(&low, &rest, ':');
    if (!good || lo < 0 || lo > 99 || hi < 0 || hi > 99)
        return ST_FAIL(ST_ERR_USAGE, "--rooms: expected LO:HI, such as 1:4, found \"%s\"", text);
    settings->room_min = (int)lo;
    settings->room_max = (int)hi;
    return st_ok();
}

static st_status parse_settings(const st_args *args, st_synth_settings *settings)
{
    static const char *const layouts[] = {"scannet", "arkit", "vsi", NULL};
    int layout;
    int64_t clutter;
    *settings = st_synth_defaults();
    settings->seed = st_args_seed(args);
    ST_TRY(st_args_choice(args, "layout", layouts, &layout));
    settings->layout = (st_synth_layout)layout;
    ST_TRY(parse_rooms(args, settings));
    ST_TRY(st_args_double(args, "edge", 0.01, 0.5, &settings->edge_m));
    ST_TRY(st_args_double(args, "noise", 0.0, 0.1, &settings->noise_m));
    ST_TRY(st_args_double(args, "holes", 0.0, 0.5, &settings->holes));
    ST_TRY(st_args_int(args, "clutter", 0, 20, &clutter));
    settings->clutter = (int)clutter;
    settings->shadows = st_args_given(args, "shadows");
    settings->ceiling = st_args_given(args, "ceiling");
    return st_synth_check(settings);
}

static st_status run_synth(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    const double start_s = st_clock_s();
    const int64_t start_unix_s = (int64_t)time(NULL);
    st_synth_settings settings;
    int64_t first, count;
    st_synth_run run = {.version = ST_VERSION, .folder = st_args_text(args, "out"),
                        .jobs = st_args_jobs(args), .voice = st_args_voice(args)};
    if (!run.folder)
        return ST_FAIL(ST_ERR_USAGE, "--out DIR is missing");
    ST_TRY(parse_settings(args, &settings));
    ST_TRY(st_args_int(args, "houses", 1, ST_SYNTH_HOUSES_MAX, &count));
    ST_TRY(st_args_int(args, "first", 0, ST_SYNTH_HOUSES_MAX - 1, &first));
    run.first = (int)first;
    run.count = (int)count;
    ST_TRY(st_say_replaced(args, run.folder, "synth"));
    const char *library = st_args_text(args, "furniture");
    st_furniture *furniture = NULL;
    if (library)
        ST_TRY(st_furniture_open(&furniture, library));
    if (library)
        st_say(args, "%s: %zu models to choose from", library, st_furniture_count(furniture));
    settings.furniture = furniture;
    const st_status s = st_synth_write(&run, &settings);
    st_furniture_close(furniture);
    ST_TRY(s);

    const st_run_stage stage = {"make", st_clock_s() - start_s};
    const st_run told = {.version = ST_VERSION, .commit = ST_COMMIT,
                         .command_line = st_args_line(args), .start_unix_s = start_unix_s,
                         .jobs = run.jobs, .stages = &stage, .stage_count = 1};
    ST_TRY(st_run_write(&told, run.folder));
    st_say(args, "%" PRId64 " houses made, %" PRId64 " kept, %" PRId64 " objects, %" PRId64
                 " vertices, %.1f s", run.made, run.kept, run.objects, run.vertices, stage.seconds);
    return st_ok();
}

static const st_option options[] = {
    {"Where", "out", 0, "DIR", "folder to write to", NULL},
    {NULL, "layout", 0, "NAME", "scannet, arkit, or vsi: exact metadata without a mesh", "scannet"},
    {"What", "houses", 0, "N", "how many houses", "10"},
    {NULL, "first", 0, "N", "number of the first one; a house depends on seed and number", "0"},
    {NULL, "rooms", 0, "LO:HI", "rooms per house, 1 to 6", "1:4"},
    {NULL, "furniture", 0, "FILE", "mix in the models of a public-domain .sh3f library", NULL},
    {"Scan", "edge", 0, "M", "spacing of the mesh's vertices, metres", "0.05"},
    {NULL, "noise", 0, "S", "scanner noise, standard deviation in metres", "0"},
    {NULL, "holes", 0, "SHARE", "share of the surface that is missing, 0 to 0.5", "0"},
    {NULL, "clutter", 0, "N", "small things per room that no annotator has named", "0"},
    {NULL, "shadows", 0, NULL, "leave out what no scanner position saw", NULL},
    {NULL, "ceiling", 0, NULL, "scan the ceilings too", NULL},
    {0},
};

const st_command cmd_synth = {
    .name = "synth",
    .summary = "furnished houses as raw scans, with the exact truth beside them",
    .usage = "--out DIR [options]",
    .about = "Make furnished houses and write their scans as ScanNet or ARKitScenes ships them,\n"
             "or only their metadata in the VSI-Bench form. Beside each scan lies truth.json:\n"
             "floor areas, boxes, labels and what stands on what, computed from the models and\n"
             "not from the mesh.",
    .options = options,
    .common = ST_COMMON_JOBS | ST_COMMON_SEED,
    .output = "DIR holds the dataset; a finished house is not made again.",
    .exits = "0 all made   2 wrong command line   3 something could not be written",
    .examples = "spatial synth --out houses --layout scannet --houses 20\n"
                "spatial synth --out noisy --noise 0.004 --holes 0.05 --clutter 6 --shadows\n"
                "spatial synth --out metadata --layout vsi --houses 200 --seed 7",
    .words_min = 0,
    .words_max = 0,
    .run = run_synth,
};
