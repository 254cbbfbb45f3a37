/* cmd_doctor.c - what is built in, what hardware is there, and whether the numbers are right. */
#include "tools/commands.h"

#include "kernels/base/json.h"
#include "kernels/stream.h"
#include "model/parity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const st_option options[] = {
    {"Parity", "parity", 0, "DIR", "compare with the stored vectors under DIR", NULL},
    {NULL, "preset", 0, "NAME",
     "train, or eval-compat: also compare the answering path with its quirks", "train"},
    {NULL, "tokenizer", 0, "DIR", "tokenizer files for stored prompts, when they lie elsewhere",
     NULL},
    {NULL, "write", 0, "FILE", "store what was computed, as safetensors", NULL},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

/* --- what is there ---------------------------------------------------------------------------- */

static void print_devices(st_json_writer *w)
{
    const int count = st_device_count();
    if (w) {
        st_json_write_key(w, "gpus");
        st_json_write_array(w);
    } else if (count == 0) {
        printf("gpu       none that this build can use\n");
    }
    for (int i = 0; i < count; i++) {
        st_device_info info;
        const st_status s = st_device_describe(&info, i);
        if (s.code != ST_OK)
            continue;
        if (!w) {
            printf("gpu %d     %s, capability %d.%d, %.0f GiB, driver %d\n", i, info.name,
                   info.capability / 10, info.capability % 10,
                   (double)info.memory_bytes / (double)(1 << 30), info.driver_version);
            continue;
        }
        st_json_write_object(w);
        st_json_put_text(w, "name", info.name);
        st_json_put_int(w, "capability", info.capability);
        st_json_put_int(w, "memory_bytes", (int64_t)info.memory_bytes);
        st_json_put_int(w, "driver", info.driver_version);
        st_json_write_end(w);
    }
    if (w)
        st_json_write_end(w);
}

static st_status describe(const st_args *args)
{
    struct utsname system;
    if (uname(&system) != 0)
        memset(&system, 0, sizeof system);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    if (!st_args_json(args)) {
        printf("spatial   %s, commit %s\n", ST_VERSION, ST_COMMIT);
        printf("rooms     %s%s\n", ST_WITH_DATA ? "data " : "", ST_WITH_MODEL ? "model" : "");
        printf("system    %s %s, %s\n", system.sysname, system.release, system.machine);
        printf("cpu       %ld cores, %.1f GiB memory\n", cores, memory / (double)(1 << 30));
        print_devices(NULL);
        return st_ok();
    }
    st_text text;
    st_json_writer w;
    st_text_init(&text);
    st_json_write_start(&w, &text, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "version", ST_VERSION);
    st_json_put_text(&w, "commit", ST_COMMIT);
    st_json_put_bool(&w, "data", ST_WITH_DATA);
    st_json_put_bool(&w, "model", ST_WITH_MODEL);
    st_json_put_text(&w, "machine", system.machine);
    st_json_put_int(&w, "cores", cores);
    st_json_put_int(&w, "memory_bytes", (int64_t)memory);
    print_devices(&w);
    st_json_write_end(&w);
    st_text_add(&text, "\n");
    const st_status s = st_print_text(&text);
    st_text_free(&text);
    return s;
}

/* --- parity ----------------------------------------------------------------------------------- */

static void print_lines(const st_parity *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const st_parity_entry *e = &report->entry[i];
        if (e->note)
            printf("FAIL  %-52s %s\n", e->name, e->note);
        else
            printf("%s  %-52s %-8s %.2e  allowed %.0e\n", e->pass ? "ok  " : "FAIL", e->name,
                   st_parity_metric_name(e->metric), e->error, e->tolerance);
    }
    for (size_t i = 0; i < report->note_count; i++)
        printf("left  %s\n", report->note[i]);
}

/* One object: {"pass":true,"worst":{"logits":1.2e-06,...}}. What could not be compared is null. */
static st_status print_json(const st_parity *report)
{
    st_text text;
    st_json_writer w;
    st_text_init(&text);
    st_json_write_start(&w, &text, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_bool(&w, "pass", report->pass);
    st_json_write_key(&w, "worst");
    st_json_write_object(&w);
    for (size_t i = 0; i < report->count; i++) {
        st_json_write_key(&w, report->entry[i].name);
        if (isfinite(report->entry[i].error))
            st_json_write_double(&w, report->entry[i].error);
        else
            st_json_write_null(&w);
    }
    st_json_write_end(&w);
    st_json_write_key(&w, "not_compared");
    st_json_write_array(&w);
    for (size_t i = 0; i < report->note_count; i++)
        st_json_write_text(&w, report->note[i]);
    st_json_write_end(&w);
    st_json_write_end(&w);
    st_text_add(&text, "\n");
    const st_status s = st_print_text(&text);
    st_text_free(&text);
    return s;
}

static st_status compare(st_exit *exit_code, const st_args *args, const char *folder)
{
    static const char *const presets[] = {"train", "eval-compat", NULL};
    int preset;
    ST_TRY(st_args_choice(args, "preset", presets, &preset));
    const st_parity_options how = {.preset = preset == 0 ? ST_TTT_TRAIN : ST_TTT_EVAL_COMPAT,
                                   .tokenizer = st_args_text(args, "tokenizer"),
                                   .jobs = st_args_jobs(args)};
    ST_TRY(st_args_check_output(args, "write", &folder, 1));
    st_parity report;
    st_parity_init(&report);
    st_status s = st_parity_run(&report, folder, &how);
    if (s.code == ST_OK) {
        if (st_args_json(args))
            s = print_json(&report);
        else
            print_lines(&report);
    }
    const char *path = st_args_text(args, "write");
    if (s.code == ST_OK && path)
        s = st_parity_write(&report, path);
    if (s.code == ST_OK) {
        size_t failed = 0;
        for (size_t i = 0; i < report.count; i++)
            failed += !report.entry[i].pass;
        st_say(args, "%zu of %zu tensors agree", report.count - failed, report.count);
        *exit_code = report.pass ? ST_EXIT_OK : ST_EXIT_NO;
    }
    st_parity_free(&report);
    return s;
}

static st_status run(st_exit *exit_code, const st_args *args)
{
    const char *folder = st_args_text(args, "parity");
    if (!folder && (st_args_given(args, "write") || st_args_given(args, "preset") ||
                    st_args_given(args, "tokenizer")))
        return ST_FAIL(ST_ERR_USAGE, "--write, --preset and --tokenizer belong to --parity DIR");
    return folder ? compare(exit_code, args, folder) : describe(args);
}

const st_command cmd_doctor = {
    .name = "doctor",
    .summary = "what is built in, and whether its numbers are right",
    .usage = "[options]",
    .about = "Without options: version, rooms, processor, memory and GPUs. With --parity: run\n"
             "this program on stored inputs and compare every stored answer, tensor by tensor.\n"
             "A folder is known by what its files hold: a model, single operators, pixels,\n"
             "prompts, or several of these below it.",
    .options = options,
    .common = ST_COMMON_JOBS | ST_COMMON_JSON,
    .output = "A line per tensor: ok or FAIL, name, measure, worst error, what is allowed.\n"
              "A subfolder that cannot be read is a line \"vectors\" that fails.\n"
              "--json: {\"pass\": bool, \"worst\": {NAME: ERROR}, \"not_compared\": [TEXT]}",
    .exits = "0 all agree   1 a tensor differs   2 wrong command line   3 vectors cannot be read",
    .examples = "spatial doctor\n"
                "spatial doctor --parity goldens/full_pre_f32 --json",
    .words_min = 0,
    .words_max = 0,
    .run = run,
};
