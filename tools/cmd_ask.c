/* cmd_ask.c - questions about a video. */
#include "tools/commands.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/media/frames.h"
#include "model/talk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const st_option options[] = {
    {"Input", "model", 'm', "DIR", "model folder: config.json, safetensors, tokenizer", NULL},
    {NULL, "video", 0, "NAME",
     "a video file, a folder of pictures, LIST.txt of pictures, FILE.stframes, "
     "raw:WxH@FPS:PATH", NULL},
    {NULL, "resume", 0, "FILE", "go on from a session saved before", NULL},
    {NULL, "fps", 0, "F", "frames wanted per second", "30"},
    {NULL, "max-frames", 0, "N", "at most so many, spread over the whole video", "128"},
    {NULL, "size", 0, "RxC", "rows and columns that frames are resized to", "352x480"},
    {"Rule", "preset", 0, "NAME", "train or eval-compat; as the model folder says otherwise", NULL},
    {NULL, "set", 0, "LIST", "switches of ttt_config.json: use_muon=off,ttt_prenorm=off", NULL},
    {"Answer", "max-tokens", 'n', "N", "tokens of an answer at most", "256"},
    {NULL, "temperature", 0, "T", "0 takes the likeliest token", "0"},
    {NULL, "top-k", 0, "K", "draw from the K likeliest tokens; 0: from all", "0"},
    {NULL, "top-p", 0, "P", "draw from the likeliest tokens that hold this share", "1"},
    {NULL, "repetition-penalty", 0, "X", "above 1 makes tokens said before less likely", "1"},
    {NULL, "stop", 0, "TEXT", "end the answer before this; may be given several times", NULL},
    {"Output", "save", 0, "FILE", "keep what was read, before any question", NULL},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

/* Set by Ctrl-C: the work in hand ends at the next grid or token. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* One run: what was asked for, and what is open. */
typedef struct ask_run {
    const st_args    *args;
    st_arena          arena;
    st_model_config   config;
    st_network       *network;
    st_tokenizer     *tokenizer;
    st_frame_source  *source;
    st_talk          *talk;
    st_frame_size     size;
    st_answer_options options;
    int64_t           frames_max;
    double            fps;
    int64_t          *index;            /* (count) frames to read; NULL: all that come, thinned */
    int64_t           count;
} ask_run;

/* --- what was asked for ----------------------------------------------------------------------- */

static st_status read_sampling(ask_run *run)
{
    st_sample_config *s = &run->options.sampling;
    *s = st_sample_config_greedy();
    s->seed = st_args_seed(run->args);
    ST_TRY(st_args_double(run->args, "temperature", 0.0, 1e6, &s->temperature));
    ST_TRY(st_args_int(run->args, "top-k", 0, 1 << 24, &s->top_k));
    ST_TRY(st_args_double(run->args, "top-p", 0.0, 1.0, &s->top_p));
    ST_TRY(st_args_double(run->args, "repetition-penalty", 0.0, 1e6, &s->repetition_penalty));
    ST_TRY(st_args_int(run->args, "max-tokens", 1, 1 << 20, &run->options.tokens_max));

    const char *const *stops;
    const size_t count = st_args_list(run->args, "stop", &stops);
    st_str *words;
    ST_TRY(ST_ALLOC(&run->arena, &words, count));
    for (size_t i = 0; i < count; i++)
        words[i] = st_str_from(stops[i]);
    run->options.stops = words;
    run->options.stop_count = count;
    return st_sample_config_check(s);
}

static st_status read_size(ask_run *run)
{
    const char *text = st_args_text(run->args, "size");
    st_str rest = st_str_from(text), rows, columns;
    if (!st_str_next_field(&rows, &rest, 'x') || !st_str_next_field(&columns, &rest, 'x') ||
        rest.data || !st_str_int(rows, &run->size.rows) ||
        !st_str_int(columns, &run->size.columns) || run->size.rows < 1 ||
        run->size.columns < 1 || run->size.rows > 8192 || run->size.columns > 8192)
        return ST_FAIL(ST_ERR_USAGE, "--size: expected ROWSxCOLUMNS up to 8192, found \"%s\"",
                       text);
    return st_ok();
}

static st_status read_rule(ask_run *run)
{
    static const char *const presets[] = {"train", "eval-compat", NULL};
    if (st_args_given(run->args, "preset")) {
        int preset;
        ST_TRY(st_args_choice(run->args, "preset", presets, &preset));
        st_ttt_config_set_preset(&run->config, preset == 0 ? ST_TTT_TRAIN : ST_TTT_EVAL_COMPAT);
    }
    const char *list = st_args_text(run->args, "set");
    st_str rest = st_str_from(list ? list : ""), word;
    while (list && st_str_next_field(&word, &rest, ',')) {
        st_str name, value = word;
        const bool split = st_str_next_field(&name, &value, '=');
        const bool on = split && st_str_is(value, "on");
        if (!on && !(split && st_str_is(value, "off")))
            return ST_FAIL(ST_ERR_USAGE, "--set: expected FLAG=on or FLAG=off, found \"%.*s\"",
                           ST_STR_ARG(word));
        const char *flag;
        ST_TRY(st_arena_copy_text(&run->arena, &flag, name.data, name.size));
        ST_TRY(st_within(st_ttt_config_set_flag(&run->config, flag, on), "--set"));
    }
    return st_ok();
}

static st_status open_model(ask_run *run)
{
    const char *folder = st_args_text(run->args, "model");
    if (!folder)
        return ST_FAIL(ST_ERR_USAGE, "--model DIR is missing");
    ST_TRY(st_model_config_load(&run->config, folder));
    ST_TRY(read_rule(run));
    ST_TRY(st_network_open(&run->network, &run->config, folder, st_args_seed(run->args),
                           st_args_jobs(run->args)));
    for (size_t i = 0; i < st_weights_note_count(run->network->weights); i++)
        st_say(run->args, "%s", st_weights_note(run->network->weights, i));
    return st_tokenizer_load(&run->tokenizer, folder);
}

/* --- the video -------------------------------------------------------------------------------- */

static st_status choose_frames(ask_run *run)
{
    const st_frames_info info = st_frames_info_get(run->source);
    if (info.count < 0) {               /* a pipe: read what comes, at most frames_max */
        run->count = run->frames_max;
        return st_ok();
    }
    const bool compat = run->config.compat.fake_timestamps;
    st_frame_choice choice = compat ? st_frame_choice_eval() : st_frame_choice_train();
    if (st_args_given(run->args, "fps") || !compat)
        choice.fps = run->fps;
    choice.frames_max = run->frames_max;
    choice.frames_min = choice.frames_min < run->frames_max ? choice.frames_min : run->frames_max;
    ST_TRY(ST_ALLOC(&run->arena, &run->index, (size_t)run->frames_max + 1));
    return st_frames_choose(run->index, &run->count, &choice, info.count, info.fps);
}

/* Questions and answers share what the plan leaves for text. */
static int64_t text_tokens(const ask_run *run)
{
    int64_t bytes = 0, longest = 0;
    for (size_t i = 0; i < st_args_count(run->args); i++) {
        bytes = (int64_t)strlen(st_args_word(run->args, i));
        longest = bytes > longest ? bytes : longest;
    }
    return longest + run->options.tokens_max + 256;     /* a token has at least one byte */
}

static st_status open_talk(ask_run *run)
{
    const char *resume = st_args_text(run->args, "resume");
    const bool once = st_args_count(run->args) <= 1 && !st_args_given(run->args, "save");
    const int64_t temporal = run->config.vision.temporal;
    st_talk_plan plan = st_talk_plan_for(&run->network->config, run->size,
                                         (run->count + temporal - 1) / temporal,
                                         text_tokens(run));
    plan.copies = once ? ST_TALK_ASK_ONCE : ST_TALK_ASK_OFTEN;
    if (resume)
        ST_TRY(st_session_file_plan(&plan.session, resume));
    const st_status s = st_talk_create(&run->talk, run->network, run->tokenizer, &plan);
    if (s.code == ST_ERR_LIMIT || s.code == ST_ERR_MEMORY)
        return st_within(s, "%lld frames of %lld x %lld and %lld tokens of text",
                         (long long)run->count, (long long)run->size.rows,
                         (long long)run->size.columns, (long long)text_tokens(run));
    ST_TRY(s);
    return resume ? st_session_load(st_talk_session(run->talk), resume) : st_ok();
}

enum { FRAMES_MAX = 8 };                /* of a patch: released models have 2 */

/* Frames on their way into a grid: all but the last are copied, because the source reuses its. */
typedef struct pairing {
    unsigned char *held[FRAMES_MAX];
    double         time_s[FRAMES_MAX];
    int64_t        count, grids;
    st_frame_size  size;
} pairing;

static st_status send_grid(ask_run *run, pairing *p, double start_s)
{
    const int64_t temporal = run->config.vision.temporal;
    const unsigned char *frames[FRAMES_MAX];
    double sum_s = 0.0;
    for (int64_t i = 0; i < temporal; i++) {            /* an odd end: its last frame again */
        const int64_t from = i < p->count ? i : p->count - 1;
        frames[i] = p->held[from];
        sum_s += p->time_s[from];
    }
    double time_s = start_s + sum_s / (double)temporal;
    if (run->config.compat.fake_timestamps)
        time_s = (double)(4 * p->grids + 1) / 48.0;     /* Q6: frames 0, 1, 2 ... of 24 a second */
    ST_TRY(st_talk_grid(run->talk, frames, p->size, time_s));
    p->count = 0;
    p->grids++;
    return st_ok();
}

/* The next wanted frame; got is false behind the last. */
static st_status next_frame(ask_run *run, st_frame *frame, bool *got, int64_t number,
                            int64_t *ticks)
{
    *got = number < run->count;
    if (!*got)
        return st_ok();
    if (run->index)
        return st_frames_at(run->source, frame, run->index[number]);
    do
        ST_TRY(st_frames_next(run->source, frame, got));
    while (*got && !st_frames_due(ticks, run->fps, frame->time_s));
    return st_ok();
}

static st_status keep_frame(ask_run *run, pairing *p, const st_frame *frame)
{
    const size_t bytes = (size_t)(frame->rows * frame->columns) * 3;
    if (p->count > 0 && (p->size.rows != frame->rows || p->size.columns != frame->columns))
        return ST_FAIL(ST_ERR_DATA, "%s: frame %lld has %lld x %lld pixels, the one before "
                       "%lld x %lld", st_args_text(run->args, "video"), (long long)frame->index,
                       (long long)frame->rows, (long long)frame->columns,
                       (long long)p->size.rows, (long long)p->size.columns);
    if (p->size.rows != frame->rows || p->size.columns != frame->columns) {
        for (int64_t i = 0; i < run->config.vision.temporal; i++)
            ST_TRY(ST_ALLOC(&run->arena, &p->held[i], bytes));
        p->size = (st_frame_size){frame->rows, frame->columns};
    }
    const double fps = st_frames_info_get(run->source).fps;
    p->time_s[p->count] = run->index && fps > 0.0 ? (double)frame->index / fps : frame->time_s;
    memcpy(p->held[p->count++], frame->rgb, bytes);
    return st_ok();
}

static st_status read_video(ask_run *run, st_progress *progress)
{
    const int64_t temporal = run->config.vision.temporal;
    pairing p = {.count = 0};
    if (temporal > FRAMES_MAX)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%lld frames in a patch", (long long)temporal);
    /* A session that goes on counts its seconds from where it was. */
    const double before_s = st_talk_time_s(run->talk);
    const double start_s = before_s < 0.0 ? 0.0 : before_s + 1.0;
    int64_t ticks = 0;
    for (int64_t n = 0; !interrupted; n++) {
        st_frame frame;
        bool got;
        ST_TRY(next_frame(run, &frame, &got, n, &ticks));
        if (!got)
            break;
        ST_TRY(keep_frame(run, &p, &frame));
        if (p.count == temporal) {
            ST_TRY(send_grid(run, &p, start_s));
            st_progress_step(progress);
        }
    }
    if (p.count > 0 && !interrupted) {
        ST_TRY(send_grid(run, &p, start_s));
        st_progress_step(progress);
    }
    return interrupted ? ST_FAIL(ST_ERR_IO, "interrupted after %lld grids", (long long)p.grids)
                       : st_ok();
}

static st_status watch(ask_run *run)
{
    const int64_t temporal = run->config.vision.temporal;
    if (!st_session_state_get(st_talk_session(run->talk)).video_open)
        ST_TRY(st_talk_begin(run->talk));
    if (!run->source)
        return st_ok();
    st_progress *progress;
    ST_TRY(st_progress_create(&progress, "grids", (size_t)((run->count + temporal - 1) / temporal),
                              st_args_voice(run->args)));
    const double start_s = st_clock_s();
    const st_status s = read_video(run, progress);
    st_progress_free(progress);
    ST_TRY(s);
    const st_session_state at = st_session_state_get(st_talk_session(run->talk));
    st_say(run->args, "%lld grids, %lld tokens, %.1f s", (long long)at.grids,
           (long long)at.tokens, st_clock_s() - start_s);
    return st_ok();
}

/* --- the questions ---------------------------------------------------------------------------- */

static bool speak(void *context, st_str piece)
{
    const ask_run *run = context;
    if (!st_args_json(run->args)) {
        fwrite(piece.data, 1, piece.size, stdout);
        fflush(stdout);
    }
    return !interrupted;
}

static st_status print_json(const char *question, st_str text, const st_answer *answer)
{
    st_text line;
    st_json_writer w;
    st_text_init(&line);
    st_json_write_start(&w, &line, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "question", question);
    st_json_put_str(&w, "answer", text);
    st_json_put_text(&w, "end", st_answer_end_name(answer->end));
    st_json_put_int(&w, "prompt_tokens", answer->prompt_tokens);
    st_json_put_int(&w, "tokens", answer->tokens);
    st_json_put_double(&w, "read_s", st_round_decimals(answer->read_s, 3));
    st_json_put_double(&w, "write_s", st_round_decimals(answer->write_s, 3));
    st_json_write_end(&w);
    st_text_add(&line, "\n");
    const st_status s = st_print_text(&line);
    st_text_free(&line);
    return s;
}

static st_status ask(ask_run *run, const char *question)
{
    st_answer answer;
    st_text text;
    st_text_init(&text);
    st_status s = st_talk_ask(run->talk, &answer, &text, st_str_from(question), &run->options,
                              speak, run);
    if (!st_args_json(run->args))
        printf("\n");
    else if (s.code == ST_OK)
        s = print_json(question, text.data ? st_text_view(&text) : st_str_from(""), &answer);
    fflush(stdout);
    st_text_free(&text);
    if (s.code == ST_OK && interrupted)
        return ST_FAIL(ST_ERR_IO, "interrupted after %lld tokens", (long long)answer.tokens);
    if (s.code == ST_OK)
        st_say(run->args, "%lld tokens, first after %.2f s, %.2f tokens/s",
               (long long)answer.tokens, answer.read_s,
               answer.write_s > 0.0 ? (double)answer.tokens / answer.write_s : 0.0);
    return s;
}

/* Where a session cannot be written is said before a long video is read, not after. */
static st_status check_save(const st_args *args, const char *path)
{
    const char *video = st_args_text(args, "video");
    const char *raw = video && strncmp(video, "raw:", 4) == 0 ? strchr(video + 4, ':') : NULL;
    const char *const inputs[] = {raw ? raw + 1 : video};
    ST_TRY(st_args_check_output(args, "save", inputs, 1));
    st_out out;
    ST_TRY(st_out_open(&out, path));
    st_out_discard(&out);
    return st_ok();
}

static st_status work(ask_run *run)
{
    const st_args *args = run->args;
    const char *video = st_args_text(args, "video"), *save = st_args_text(args, "save");
    if (!video && !st_args_given(args, "resume"))
        return ST_FAIL(ST_ERR_USAGE, "--video NAME or --resume FILE is missing");
    if (st_args_count(args) == 0 && !save)
        return ST_FAIL(ST_ERR_USAGE, "no question, and no --save");
    ST_TRY(read_sampling(run));
    ST_TRY(read_size(run));
    ST_TRY(st_args_double(args, "fps", 1e-6, 1e6, &run->fps));
    ST_TRY(st_args_int(args, "max-frames", 1, 1 << 20, &run->frames_max));
    if (save)
        ST_TRY(check_save(args, save));
    ST_TRY(open_model(run));
    if (video) {
        ST_TRY(st_frames_open(&run->source, video, run->fps));
        ST_TRY(st_within(choose_frames(run), "%s", video));
    }
    ST_TRY(open_talk(run));
    ST_TRY(watch(run));
    if (save)
        ST_TRY(st_session_save(st_talk_session(run->talk), save));
    for (size_t i = 0; i < st_args_count(args); i++)
        ST_TRY(ask(run, st_args_word(args, i)));
    return st_ok();
}

static st_status run_ask(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    struct sigaction before, now = {.sa_handler = interrupt};
    sigaction(SIGINT, &now, &before);
    ask_run run = {.args = args};
    st_arena_init(&run.arena, "ask");
    const st_status s = work(&run);
    st_talk_free(run.talk);
    st_frames_close(run.source);
    st_tokenizer_free(run.tokenizer);
    st_network_close(run.network);
    st_arena_free(&run.arena);
    sigaction(SIGINT, &before, NULL);
    return s;
}

const st_command cmd_ask = {
    .name = "ask",
    .summary = "questions about a video",
    .usage = "QUESTION... --model DIR --video NAME [options]",
    .about = "Read a video once and answer one or more questions about it; each question sees\n"
             "the video alone, not the questions before. Tokens appear as they come. A session\n"
             "that was saved can be asked again, or read on with another --video.",
    .options = options,
    .common = ST_COMMON_JOBS | ST_COMMON_SEED | ST_COMMON_JSON,
    .output = "A line per answer.\n"
              "--json: question, answer, end (closed, stopped, cut), prompt_tokens, tokens,\n"
              "        read_s (until the first token), write_s",
    .exits = "0 all answered   2 wrong command line   3 an input failed, or Ctrl-C",
    .examples = "spatial ask --model 2b --video room.mp4 \"How many chairs are there?\"\n"
                "spatial ask -m 2b --video room.mp4 --save room.session\n"
                "spatial ask -m 2b --resume room.session --json \"Which is nearer, sofa or bed?\"",
    .words_min = 0,
    .words_max = -1,
    .run = run_ask,
};
