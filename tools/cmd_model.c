/* cmd_model.c - model folders out of nothing. */
#include "tools/commands.h"

#include "model/init.h"

static const char *const presets[] = {"2b", "4b", "8b", "tiny", NULL};

static st_status run_init(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    const char *folder = st_args_text(args, "out");
    int preset;
    if (!folder)
        return ST_FAIL(ST_ERR_USAGE, "--out DIR is missing");
    ST_TRY(st_args_choice(args, "preset", presets, &preset));
    const st_init_options options = {
        .preset = (st_model_preset)preset,
        .tokenizer_folder = st_args_text(args, "tokenizer"),
        .seed = st_args_seed(args),
        .jobs = st_args_jobs(args),
        .voice = st_args_voice(args),
    };
    ST_TRY(st_model_init(folder, &options));
    st_say(args, "%s: a model of preset %s", folder, presets[preset]);
    return st_ok();
}

static const st_option init_options[] = {
    {"Model", "preset", 0, "NAME", "size of the network: 2b, 4b, 8b or tiny", "tiny"},
    {NULL, "tokenizer", 0, "DIR", "copy the tokenizer of DIR; without it every byte is a token",
     NULL},
    {"Output", "out", 0, "DIR", "folder to write; must not hold a model yet", NULL},
    {0},
};

const st_command cmd_model_init = {
    .name = "model init",
    .summary = "a model folder with random weights",
    .usage = "--out DIR [options]",
    .about = "Write a complete model folder: weights in bf16 drawn from the seed, a tokenizer,\n"
             "and the configuration files. The fast-weight branch starts silent, as in training.\n"
             "The same seed gives the same bytes; memory stays small for every size (2b writes\n"
             "4.4 GB).",
    .options = init_options,
    .common = ST_COMMON_SEED | ST_COMMON_JOBS,
    .output = "DIR/model.safetensors, tokenizer.json, config.json, ttt_config.json,\n"
              "preprocessor_config.json, generation_config.json",
    .exits = "0 written   2 wrong command line, or DIR holds a model   3 it could not be written",
    .examples = "spatial model init --preset tiny --out models/tiny\n"
                "spatial model init --preset 2b --tokenizer qwen --out models/2b --seed 7",
    .run = run_init,
};
