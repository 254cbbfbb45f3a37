/* prompt.c - from messages to chat text, from chat text to tokens, and where everything lies. */
#include "model/prompt.h"

#include <stdio.h>
#include <string.h>

#define VISION_START "<|vision_start|>"
#define VISION_END   "<|vision_end|>"
#define IMAGE_PAD    "<|image_pad|>"
#define VIDEO_PAD    "<|video_pad|>"
#define TURN_START   "<|im_start|>"
#define TURN_END     "<|im_end|>"

enum { IGNORED_LABEL = -100 };

const char st_prompt_compat_system[] = "You are a helpful assistant.";
const char st_prompt_compat_suffix[] = " There maybe many rooms in the video, sum the counts from "
                                       "all rooms/scenes to produce the final total.";

static const char *role_name(st_role role)
{
    static const char *const names[] = {"system", "user", "assistant"};
    ST_ASSERT((unsigned)role < 3);
    return names[role];
}

/* --- chat text ------------------------------------------------------------------------------- */

void st_prompt_layout(st_text *out, const st_message *messages, size_t count, st_prompt_end end)
{
    for (size_t i = 0; i < count; i++) {
        st_text_addf(out, TURN_START "%s\n", role_name(messages[i].role));
        for (size_t k = 0; k < messages[i].count; k++) {
            const st_content *c = &messages[i].content[k];
            if (c->kind == ST_CONTENT_TEXT)
                st_text_add_bytes(out, c->text.data, c->text.size);
            else
                st_text_add(out, c->kind == ST_CONTENT_IMAGE
                                     ? VISION_START IMAGE_PAD VISION_END
                                     : VISION_START VIDEO_PAD VISION_END);
        }
        st_text_add(out, TURN_END "\n");
    }
    if (end == ST_PROMPT_ANSWER)
        st_text_addf(out, TURN_START "%s\n", role_name(ST_ROLE_ASSISTANT));
}

/* --- expansion ------------------------------------------------------------------------------- */

static void add_pads(st_text *out, const char *pad, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        st_text_add(out, pad);
}

static st_status check_grid(const st_media_grid *grid, int64_t merge)
{
    if (grid->grids < 1 || grid->rows < merge || grid->columns < merge ||
        grid->rows % merge != 0 || grid->columns % merge != 0)
        return ST_FAIL(ST_ERR_DATA, "a grid of %lld x %lld x %lld patches does not split into "
                                    "merged tokens of %lld x %lld",
                       (long long)grid->grids, (long long)grid->rows, (long long)grid->columns,
                       (long long)merge, (long long)merge);
    return st_ok();
}

static void add_media(st_text *out, const st_content *c, int64_t merge)
{
    const int64_t tokens = (c->grid.rows / merge) * (c->grid.columns / merge);
    if (c->kind == ST_CONTENT_IMAGE) {
        st_text_add(out, VISION_START);
        add_pads(out, IMAGE_PAD, c->grid.grids * tokens);
        st_text_add(out, VISION_END);
        return;
    }
    for (int64_t i = 0; i < c->grid.grids; i++) {
        char number[64];
        st_text_addf(out, "<%s seconds>" VISION_START, st_print_fixed(number, c->time_s[i], 1));
        add_pads(out, VIDEO_PAD, tokens);
        st_text_add(out, VISION_END);
    }
}

bool st_prompt_next_pad(st_content_kind *kind, size_t *at, st_str text)
{
    for (size_t i = *at; i < text.size; i++) {
        const st_str rest = {text.data + i, text.size - i};
        const bool image = st_str_starts(rest, IMAGE_PAD);
        if (image || st_str_starts(rest, VIDEO_PAD)) {
            *kind = image ? ST_CONTENT_IMAGE : ST_CONTENT_VIDEO;
            *at = i + (image ? strlen(IMAGE_PAD) : strlen(VIDEO_PAD));
            return true;
        }
    }
    return false;
}

/* Pads in a text, of both kinds. */
static size_t count_pads(st_str text)
{
    size_t count = 0, at = 0;
    for (st_content_kind kind; st_prompt_next_pad(&kind, &at, text);)
        count++;
    return count;
}

st_status st_prompt_expand(st_text *out, st_str text, const st_content *media, size_t count,
                           int64_t merge)
{
    static const char *const triples[] = {
        [ST_CONTENT_IMAGE] = VISION_START IMAGE_PAD VISION_END,
        [ST_CONTENT_VIDEO] = VISION_START VIDEO_PAD VISION_END,
    };
    const size_t pads = count_pads(text);
    if (pads != count)
        return ST_FAIL(ST_ERR_DATA, "%zu pads in the text, %zu pictures and videos given", pads,
                       count);
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        ST_ASSERT(media[i].kind == ST_CONTENT_IMAGE || media[i].kind == ST_CONTENT_VIDEO);
        ST_TRY(check_grid(&media[i].grid, merge));
        const char *triple = triples[media[i].kind];
        size_t at = done;
        while (at < text.size && text.data[at] != '<')
            at++;
        while (at < text.size && !st_str_starts((st_str){text.data + at, text.size - at}, triple))
            at++;
        /* The next pad must be this one; another kind in between means another order. */
        if (at >= text.size || count_pads((st_str){text.data + done, at - done}) > 0)
            return ST_FAIL(ST_ERR_DATA, "picture or video %zu has no %s in its place", i, triple);
        st_text_add_bytes(out, text.data + done, at - done);
        add_media(out, &media[i], merge);
        done = at + strlen(triple);
    }
    st_text_add_bytes(out, text.data + done, text.size - done);
    return st_text_check(out);
}

void st_prompt_times(double *time_s, const int64_t *index, int64_t frames, double fps,
                     int64_t temporal)
{
    const double rate = fps > 0.0 ? fps : 24.0;
    const int64_t grids = (frames + temporal - 1) / temporal;
    for (int64_t i = 0; i < grids; i++) {
        double first = 0.0, last = 0.0;
        for (int64_t k = 0; k < temporal; k++) {
            const int64_t at = i * temporal + k < frames ? i * temporal + k : frames - 1;
            last = (double)index[at] / rate;
            first = k == 0 ? last : first;
        }
        time_s[i] = (first + last) / 2.0;
    }
}

void st_prompt_fake_times(double *time_s, int64_t frames, int64_t temporal)
{
    const int64_t grids = (frames + temporal - 1) / temporal;
    for (int64_t i = 0; i < grids; i++) {
        const int64_t first = i * temporal;
        const int64_t last = first + temporal - 1 < frames ? first + temporal - 1 : frames - 1;
        time_s[i] = ((double)first / 24.0 + (double)last / 24.0) / 2.0;
    }
}

/* --- finding things among the tokens --------------------------------------------------------- */

static st_status list_runs(st_arena *arena, st_prompt *prompt, const st_model_config *config,
                           const st_content *media, size_t count)
{
    size_t runs = 0;
    for (size_t i = 0; i < count; i++)
        runs += (size_t)media[i].grid.grids;
    ST_TRY(ST_ALLOC(arena, &prompt->runs, runs));

    int64_t at = 0, indices[3] = {0};
    for (size_t i = 0; i < count; i++) {
        const st_content *c = &media[i];
        const int64_t merge = config->vision.merge;
        const int64_t pad = c->kind == ST_CONTENT_IMAGE ? config->ids.image : config->ids.video;
        const int64_t rows = c->grid.rows / merge, columns = c->grid.columns / merge;
        for (int64_t t = 0; t < c->grid.grids; t++) {
            while (at < prompt->count && prompt->ids[at] != pad)
                at++;
            prompt->runs[prompt->run_count++] = (st_visual_run){
                c->kind, indices[c->kind], t, at, rows * columns, rows, columns};
            at += rows * columns;
        }
        indices[c->kind]++;
    }
    return st_ok();
}

/* Tokens of "assistant\n", which precede an answer inside its turn. */
static st_status header_tokens(int64_t *count, st_encoder *encoder, st_role role)
{
    char           header[20];
    const int64_t *ids;
    size_t         size;
    snprintf(header, sizeof header, "%s\n", role_name(role));
    ST_TRY(st_encode(encoder, &ids, &size, st_str_from(header)));
    *count = (int64_t)size;
    return st_ok();
}

/* A turn starts at each <|im_start|>; the messages say whose it is. Looking for the word
 * "assistant" instead would find it in what users say as well (Q26). */
static st_status list_turns(st_arena *arena, st_prompt *prompt, st_encoder *encoder,
                            int64_t start_id, int64_t end_id, const st_message *messages,
                            size_t count, st_prompt_end end)
{
    int64_t header;
    ST_TRY(header_tokens(&header, encoder, ST_ROLE_ASSISTANT));
    ST_TRY(ST_ALLOC(arena, &prompt->turns, count));
    ST_TRY(ST_ALLOC(arena, &prompt->answers, count));
    prompt->turn_count = count;

    size_t  turn = 0, ends = 0;
    int64_t first = -1;
    for (int64_t at = 0; at <= prompt->count; at++) {
        const bool start = at < prompt->count && prompt->ids[at] == start_id;
        ends += at < prompt->count && prompt->ids[at] == end_id;
        if (!start && at < prompt->count)
            continue;
        if (first >= 0 && turn < count) {
            prompt->turns[turn] = (st_span){first, at - first};
            if (messages[turn].role == ST_ROLE_ASSISTANT)
                prompt->answers[turn] = (st_span){first + 1 + header, at - first - 1 - header};
            turn++;
        }
        first = at;
    }
    size_t starts = 0;
    for (int64_t at = 0; at < prompt->count; at++)
        starts += prompt->ids[at] == start_id;
    if (starts != count + (end == ST_PROMPT_ANSWER) || ends != count)
        return ST_FAIL(ST_ERR_DATA, "%zu messages, but %zu turn markers among the tokens: a text "
                                    "holds " TURN_START " or " TURN_END, count, starts);
    return st_ok();
}

void st_prompt_labels(int64_t *labels, const st_prompt *prompt)
{
    for (int64_t i = 0; i < prompt->count; i++)
        labels[i] = IGNORED_LABEL;
    for (size_t k = 0; k < prompt->turn_count; k++) {
        const st_span *answer = &prompt->answers[k];
        for (int64_t i = answer->first; i < answer->first + answer->count; i++)
            labels[i] = prompt->ids[i];
    }
}

/* --- all together ---------------------------------------------------------------------------- */

/* Pictures and videos of all messages in order. */
static st_status gather_media(st_arena *arena, st_content **media, size_t *count,
                              const st_message *messages, size_t message_count)
{
    size_t capacity = 0;
    *media = NULL;
    *count = 0;
    for (size_t i = 0; i < message_count; i++) {
        for (size_t k = 0; k < messages[i].count; k++) {
            if (messages[i].content[k].kind == ST_CONTENT_TEXT)
                continue;
            ST_TRY(ST_GROW(arena, media, &capacity, *count + 1));
            (*media)[(*count)++] = messages[i].content[k];
        }
    }
    return st_ok();
}

static st_status expect_id(const st_tokenizer *tokenizer, const char *token, int64_t expected)
{
    const int64_t found = st_tokenizer_id(tokenizer, token);
    if (found < 0)
        return ST_FAIL(ST_ERR_DATA, "the tokenizer has no token %s", token);
    if (expected >= 0 && found != expected)
        return ST_FAIL(ST_ERR_DATA, "%s is %lld in the tokenizer and %lld in config.json", token,
                       (long long)found, (long long)expected);
    return st_ok();
}

static st_status tokenise(st_arena *arena, st_prompt *prompt, st_encoder *encoder, st_str text)
{
    const int64_t *ids;
    size_t count;
    ST_TRY(st_encode(encoder, &ids, &count, text));
    ST_TRY(ST_ALLOC(arena, &prompt->ids, count));
    if (count > 0)
        memcpy(prompt->ids, ids, count * sizeof *ids);
    prompt->count = (int64_t)count;
    return st_ok();
}

static st_status number(st_arena *arena, st_prompt *prompt, const st_model_config *config,
                        const st_content *media, size_t count)
{
    st_media_grid *grids[2];
    size_t counts[2] = {0};
    for (int kind = 0; kind < 2; kind++)
        ST_TRY(ST_ALLOC(arena, &grids[kind], count));
    for (size_t i = 0; i < count; i++) {
        const int kind = media[i].kind == ST_CONTENT_VIDEO;
        grids[kind][counts[kind]++] = media[i].grid;
    }
    ST_TRY(ST_ALLOC(arena, &prompt->positions, 3 * (size_t)prompt->count));
    return st_positions_fill(prompt->positions, &prompt->next_position, prompt->ids,
                             prompt->count, config, grids[0], counts[0], grids[1], counts[1]);
}

static st_status build(st_arena *arena, st_prompt *prompt, st_text *chat, st_text *expanded,
                       st_encoder *encoder, const st_tokenizer *tokenizer,
                       const st_model_config *config, const st_message *messages, size_t count,
                       st_prompt_end end)
{
    st_content *media;
    size_t media_count;
    ST_TRY(gather_media(arena, &media, &media_count, messages, count));
    if (media_count > 0) {
        ST_TRY(expect_id(tokenizer, IMAGE_PAD, config->ids.image));
        ST_TRY(expect_id(tokenizer, VIDEO_PAD, config->ids.video));
        ST_TRY(expect_id(tokenizer, VISION_START, config->ids.vision_start));
        ST_TRY(expect_id(tokenizer, VISION_END, config->ids.vision_end));
    }
    ST_TRY(expect_id(tokenizer, TURN_START, -1));
    ST_TRY(expect_id(tokenizer, TURN_END, -1));

    st_prompt_layout(chat, messages, count, end);
    ST_TRY(st_text_check(chat));
    ST_TRY(st_prompt_expand(expanded, st_text_view(chat), media, media_count,
                            config->vision.merge));
    ST_TRY(tokenise(arena, prompt, encoder, st_text_view(expanded)));
    ST_TRY(number(arena, prompt, config, media, media_count));
    ST_TRY(list_runs(arena, prompt, config, media, media_count));
    return list_turns(arena, prompt, encoder, st_tokenizer_id(tokenizer, TURN_START),
                      st_tokenizer_id(tokenizer, TURN_END), messages, count, end);
}

st_status st_prompt_build(st_arena *arena, st_prompt *prompt, st_encoder *encoder,
                          const st_tokenizer *tokenizer, const st_model_config *config,
                          const st_message *messages, size_t count, st_prompt_end end)
{
    st_prompt made = {0};
    st_text   chat, expanded;
    st_text_init(&chat);
    st_text_init(&expanded);
    const st_status s = build(arena, &made, &chat, &expanded, encoder, tokenizer, config,
                              messages, count, end);
    st_text_free(&chat);
    st_text_free(&expanded);
    if (s.code == ST_OK)
        *prompt = made;
    return s;
}

/* --- benchmark wording ----------------------------------------------------------------------- */

void st_prompt_vsi_question(st_text *out, st_str question, const st_str *options,
                            size_t option_count, const st_compat_config *compat)
{
    st_text_add(out, "These are frames of a video.\n");
    st_text_add_bytes(out, question.data, question.size);
    if (option_count > 0)
        st_text_add(out, "\nOptions:");
    for (size_t i = 0; i < option_count; i++) {
        st_text_add(out, "\n");
        st_text_add_bytes(out, options[i].data, options[i].size);
    }
    st_text_add(out, option_count > 0
                         ? "\nAnswer with the option's letter from the given choices directly."
                         : "\nPlease answer the question using a single word or phrase.");
    if (compat->extra_prompt)
        st_text_add(out, st_prompt_compat_suffix);
}
