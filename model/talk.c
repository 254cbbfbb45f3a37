/* talk.c - a conversation laid out as it happens. */
#include "model/talk.h"

#include "kernels/base/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT_TEXT = 32 };        /* tokens of a timestamp and two markers, with room to spare */

struct st_talk {
    const st_network   *network;
    const st_tokenizer *tokenizer;
    st_talk_plan        plan;
    st_encoder         *encoder;
    st_session         *session, *copy;         /* copy: NULL when asked once */
    st_preprocessor    *preprocessor;           /* for frames of size `from`  */
    st_frame_size       from;
    st_arena            arena;
    float              *patches;                /* of one grid                */
    float              *logits;                 /* (V)                        */
    int64_t             vision_end, turn_end, text_end;     /* -1: no such token */
};

st_talk_plan st_talk_plan_for(const st_model_config *config, st_frame_size frame, int64_t grids,
                              int64_t text)
{
    const int64_t patch = config->vision.patch, merge = config->vision.merge;
    const int64_t patches = (frame.rows / patch) * (frame.columns / patch);
    const int64_t unit = patches / (merge * merge) + UNIT_TEXT;
    st_talk_plan p = {.session = st_session_plan_default(), .frame = frame};
    p.session.unit_max = unit;
    p.session.patches_max = patches;
    p.session.rows_max = unit > 512 ? unit : 512;
    p.session.tokens_max = grids * unit + text;
    if (grids == 0)
        p.session.anchors = ST_ANCHOR_BOUNDED;
    return p;
}

static st_status find_tokens(st_talk *t)
{
    const st_token_ids *ids = &t->network->config.ids;
    t->turn_end = st_tokenizer_id(t->tokenizer, "<|im_end|>");
    t->text_end = st_tokenizer_id(t->tokenizer, "<|endoftext|>");
    t->vision_end = st_tokenizer_id(t->tokenizer, "<|vision_end|>");
    if (t->turn_end < 0 || t->vision_end < 0 || st_tokenizer_id(t->tokenizer, "<|im_start|>") < 0)
        return ST_FAIL(ST_ERR_DATA, "the tokenizer has no <|im_start|>, <|im_end|> or "
                       "<|vision_end|>");
    if (ids->vision_end != t->vision_end)
        return ST_FAIL(ST_ERR_DATA, "<|vision_end|> is %lld in the tokenizer and %lld in "
                       "config.json", (long long)t->vision_end, (long long)ids->vision_end);
    return st_ok();
}

static st_status prepare(st_talk *t)
{
    const st_model_config *c = &t->network->config;
    const st_frame_size size = t->plan.frame;
    const int64_t factor = c->vision.patch * c->vision.merge;
    if (size.rows < factor || size.columns < factor || size.rows % factor != 0 ||
        size.columns % factor != 0)
        return ST_FAIL(ST_ERR_USAGE, "the sides of a frame must be multiples of %lld, are %lld x "
                       "%lld", (long long)factor, (long long)size.rows, (long long)size.columns);
    ST_TRY(find_tokens(t));
    ST_TRY(st_encoder_create(&t->encoder, t->tokenizer));
    ST_TRY(st_session_create(&t->session, t->network, &t->plan.session));
    if (t->plan.copies == ST_TALK_ASK_OFTEN)
        ST_TRY(st_session_fork(&t->copy, t->session));
    const size_t pixels = (size_t)(size.rows * size.columns * c->vision.channels *
                                   c->vision.temporal);
    ST_TRY(ST_ALLOC(&t->arena, &t->patches, pixels));
    return ST_ALLOC(&t->arena, &t->logits, (size_t)c->text.vocab);
}

st_status st_talk_create(st_talk **talk, const st_network *network, const st_tokenizer *tokenizer,
                         const st_talk_plan *plan)
{
    st_talk *t = calloc(1, sizeof *t);
    if (!t)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a talk");
    *t = (st_talk){.network = network, .tokenizer = tokenizer, .plan = *plan};
    st_arena_init(&t->arena, "talk");
    const st_status s = prepare(t);
    if (s.code != ST_OK) {
        st_talk_free(t);
        return s;
    }
    *talk = t;
    return st_ok();
}

void st_talk_free(st_talk *t)
{
    if (!t)
        return;
    st_session_free(t->copy);
    st_session_free(t->session);
    st_preprocessor_free(t->preprocessor);
    st_encoder_free(t->encoder);
    st_arena_free(&t->arena);
    free(t);
}

st_session *st_talk_session(st_talk *t)
{
    return t->session;
}

/* --- reading ---------------------------------------------------------------------------------- */

static st_status feed_text(st_talk *t, st_str text)
{
    const int64_t *ids;
    size_t count;
    ST_TRY(st_encode(t->encoder, &ids, &count, text));
    const st_piece piece = {.kind = ST_PIECE_TEXT, .ids = ids, .count = (int64_t)count};
    return st_session_feed(t->session, &piece, 1);
}

st_status st_talk_begin(st_talk *t)
{
    st_text text;
    st_text_init(&text);
    if (t->network->config.compat.extra_prompt)
        st_text_addf(&text, "<|im_start|>system\n%s<|im_end|>\n", st_prompt_compat_system);
    st_text_add(&text, "<|im_start|>user\n");
    st_status s = st_text_check(&text);
    if (s.code == ST_OK)
        s = feed_text(t, st_text_view(&text));
    st_text_free(&text);
    const st_piece begin = {.kind = ST_PIECE_VIDEO};
    return s.code == ST_OK ? st_session_feed(t->session, &begin, 1) : s;
}

double st_talk_time_s(const st_talk *t)
{
    return (double)st_session_clock_ms(t->session) / 1000.0;
}

st_status st_talk_grid(st_talk *t, const unsigned char *const *frames, st_frame_size from,
                       double time_s)
{
    const st_vision_config *v = &t->network->config.vision;
    if (!t->preprocessor || from.rows != t->from.rows || from.columns != t->from.columns) {
        st_preprocessor_free(t->preprocessor);
        t->preprocessor = NULL;
        ST_TRY(st_preprocessor_create(&t->preprocessor, from, t->plan.frame, v));
        t->from = from;
    }
    st_preprocessor_grid(t->preprocessor, t->patches, frames);

    char stamp[64];
    snprintf(stamp, sizeof stamp, "<%.1f seconds><|vision_start|>", time_s);
    const int64_t *ids;
    size_t count;
    ST_TRY(st_encode(t->encoder, &ids, &count, st_str_from(stamp)));
    const st_piece pieces[] = {
        {.kind = ST_PIECE_TEXT, .ids = ids, .count = (int64_t)count},
        {.kind = ST_PIECE_GRID, .pixels = t->patches, .rows = t->plan.frame.rows / v->patch,
         .columns = t->plan.frame.columns / v->patch},
        {.kind = ST_PIECE_TEXT, .ids = &t->vision_end, .count = 1},
    };
    ST_TRY(st_session_feed(t->session, pieces, 3));
    st_session_clock_set(t->session, (int64_t)(1000.0 * time_s));
    return st_ok();
}

/* --- answering -------------------------------------------------------------------------------- */

const char *st_answer_end_name(st_answer_end end)
{
    static const char *const names[] = {"closed", "stopped", "cut", "left"};
    ST_ASSERT((unsigned)end < sizeof names / sizeof names[0]);
    return names[end];
}

/* Close the video and ask. The question counts as said, for the repetition penalty. */
static st_status read_question(st_talk *t, st_session *s, st_sampler *sampler, st_str question)
{
    if (st_session_state_get(s).video_open) {
        const st_piece end = {.kind = ST_PIECE_END};
        ST_TRY(st_session_feed(s, &end, 1));
    }
    st_text text;
    st_text_init(&text);
    st_text_add_bytes(&text, question.data, question.size);
    if (t->network->config.compat.extra_prompt)
        st_text_add(&text, st_prompt_compat_suffix);
    st_text_add(&text, "<|im_end|>\n<|im_start|>assistant\n");
    const int64_t *ids;
    size_t count;
    st_status status = st_text_check(&text);
    if (status.code == ST_OK)
        status = st_encode(t->encoder, &ids, &count, st_text_view(&text));
    st_text_free(&text);
    ST_TRY(status);
    const st_piece piece = {.kind = ST_PIECE_TEXT, .ids = ids, .count = (int64_t)count};
    ST_TRY(st_session_feed(s, &piece, 1));
    for (size_t i = 0; i < count; i++)
        st_sampler_note(sampler, ids[i]);
    return st_session_begin_answer(s);
}

/* What an answer is made with. */
typedef struct writing {
    st_talk          *talk;
    st_session       *session;
    st_sampler       *sampler;
    st_decoder        decoder;
    st_stop           stop;
    st_text           piece, shown;     /* from the decoder; past the stop strings */
    st_text          *text;
    st_talk_listener *listen;
    void             *context;
} writing;

/* Hand on what may be shown; false when the listener had enough. */
static bool show(writing *w)
{
    st_text_add_bytes(w->text, w->shown.data, w->shown.size);
    const bool more = w->shown.size == 0 || !w->listen ||
                      w->listen(w->context, st_text_view(&w->shown));
    st_text_clear(&w->shown);
    return more;
}

static st_status write_tokens(writing *w, st_answer *answer, int64_t tokens_max)
{
    const double start_s = st_clock_s();
    st_talk *t = w->talk;
    answer->end = ST_ANSWER_CUT;
    while (answer->tokens < tokens_max) {
        int64_t token;
        ST_TRY(st_session_logits(w->session, t->logits));
        ST_TRY(st_sampler_pick(w->sampler, &token, t->logits));
        if (answer->tokens == 0)
            answer->read_s += st_clock_s() - start_s;
        if (token == t->turn_end || token == t->text_end || token == t->network->config.ids.eos) {
            answer->end = ST_ANSWER_CLOSED;
            break;
        }
        answer->tokens++;
        st_text_clear(&w->piece);
        st_decoder_push(&w->decoder, &w->piece, token);
        st_stop_feed(&w->stop, st_text_view(&w->piece), &w->shown);
        const bool more = show(w);
        if (w->stop.stopped || !more) {
            answer->end = w->stop.stopped ? ST_ANSWER_STOPPED : ST_ANSWER_LEFT;
            break;
        }
        if (answer->tokens < tokens_max) {
            const st_piece next = {.kind = ST_PIECE_TEXT, .ids = &token, .count = 1};
            ST_TRY(st_session_feed(w->session, &next, 1));
        }
    }
    st_text_clear(&w->piece);
    st_decoder_finish(&w->decoder, &w->piece);
    st_stop_feed(&w->stop, st_text_view(&w->piece), &w->shown);
    st_stop_finish(&w->stop, &w->shown);
    (void)show(w);
    answer->write_s = st_clock_s() - start_s;
    return st_text_check(w->text);
}

st_status st_talk_ask(st_talk *t, st_answer *answer, st_text *text, st_str question,
                      const st_answer_options *options, st_talk_listener *listen, void *context)
{
    const double start_s = st_clock_s();
    writing w = {.talk = t, .session = t->copy ? t->copy : t->session, .text = text,
                 .listen = listen, .context = context,
                 .decoder = st_decoder_start(t->tokenizer, ST_SPECIALS_SKIP)};
    if (t->copy)
        ST_TRY(st_session_copy(t->copy, t->session));
    ST_TRY(st_sampler_create(&w.sampler, &options->sampling, t->network->config.text.vocab));
    st_stop_init(&w.stop, options->stops, options->stop_count);
    st_text_init(&w.piece);
    st_text_init(&w.shown);

    *answer = (st_answer){0};
    st_status s = read_question(t, w.session, w.sampler, question);
    answer->prompt_tokens = st_session_state_get(w.session).tokens;
    answer->read_s = st_clock_s() - start_s;
    if (s.code == ST_OK)
        s = write_tokens(&w, answer, options->tokens_max);
    st_text_free(&w.shown);
    st_text_free(&w.piece);
    st_stop_free(&w.stop);
    st_sampler_free(w.sampler);
    return s;
}
