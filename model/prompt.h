/* prompt.h - a conversation with pictures and videos, laid out as the model was trained to read it.
 *
 * A *message* is what one role says: parts of text, images and videos in order. Laying out happens
 * in two steps. The chat text holds one triple <|vision_start|><|..._pad|><|vision_end|> per
 * picture or video; expanding it repeats the pad once per visual token and writes the time of each
 * grid of a video in front of it. A *grid* is one temporal patch: two frames. Then everything is
 * tokenised as one text.
 *
 * Source  model.md 3.3, 6.5, 8.6 (Q6, Q7), 10.1.
 *
 * May include: kernels/base, model/config.h, model/tokenizer.h.
 */
#ifndef ST_MODEL_PROMPT_H
#define ST_MODEL_PROMPT_H

#include "model/config.h"
#include "model/tokenizer.h"

/* grid_thw: patches of a video or picture. */
typedef struct st_media_grid {
    int64_t grids;                  /* T, temporal patches; 1 for an image            */
    int64_t rows, columns;          /* patches; multiples of the merge size           */
} st_media_grid;

typedef enum st_content_kind {
    ST_CONTENT_TEXT,
    ST_CONTENT_IMAGE,
    ST_CONTENT_VIDEO
} st_content_kind;

typedef struct st_content {
    st_content_kind kind;
    st_str          text;           /* TEXT: verbatim                                 */
    st_media_grid   grid;           /* IMAGE, VIDEO                                   */
    const double   *time_s;         /* VIDEO: (T), from st_prompt_times or a stream   */
} st_content;

typedef enum st_role { ST_ROLE_SYSTEM, ST_ROLE_USER, ST_ROLE_ASSISTANT } st_role;

typedef struct st_message {
    st_role           role;
    const st_content *content;
    size_t            count;
} st_message;

/* Where the text ends. */
typedef enum st_prompt_end {
    ST_PROMPT_CLOSED,               /* behind the last message: a training sample     */
    ST_PROMPT_ANSWER                /* opens the assistant's turn: generation         */
} st_prompt_end;

/* A run of visual tokens: one image, or one grid of a video. */
typedef struct st_visual_run {
    st_content_kind kind;
    int64_t         media;          /* index among the images, or among the videos    */
    int64_t         grid;           /* of the video; 0 for an image                   */
    int64_t         first, count;   /* tokens                                         */
    int64_t         rows, columns;  /* merged tokens down and across                  */
} st_visual_run;

/* Tokens [first, first+count). */
typedef struct st_span {
    int64_t first, count;
} st_span;

typedef struct st_prompt {
    int64_t       *ids;             /* (N) */
    int64_t        count;           /* N   */
    int64_t       *positions;       /* (3,N): time, height, width                     */
    int64_t        next_position;   /* of the token behind the last; rope_delta is this - N */
    st_visual_run *runs;            /* in the order of the tokens                     */
    size_t         run_count;
    st_span       *turns;           /* a span per message, from <|im_start|> to its newline */
    st_span       *answers;         /* per message: what the loss looks at, that is the answer,
                                       <|im_end|> and the newline; empty for other roles */
    size_t         turn_count;
} st_prompt;

/* Lay out, expand, tokenise, number.
 *
 *   encoder   of the model's own tokenizer; pads and markers get their ids from it
 *   config    merge size; ids.image and ids.video must be those of the tokenizer
 *
 * Fails   ST_ERR_DATA a text that itself holds a turn marker or a pad, a grid that does not split
 *         into merged tokens, ids of config and tokenizer that differ.
 */
ST_CHECKED st_status st_prompt_build(st_arena *arena, st_prompt *prompt, st_encoder *encoder,
                                     const st_tokenizer *tokenizer, const st_model_config *config,
                                     const st_message *messages, size_t count, st_prompt_end end);

/* Labels for the loss: ids inside the answers, -100 elsewhere.   labels (N) */
void st_prompt_labels(int64_t *labels, const st_prompt *prompt);

/* --- the steps, one by one ------------------------------------------------------------------- */

/* The chat text with a triple per picture or video. */
void st_prompt_layout(st_text *out, const st_message *messages, size_t count, st_prompt_end end);

/* The next pad of a chat text at or behind byte *at, which then moves behind it; false when none is
 * left. */
bool st_prompt_next_pad(st_content_kind *kind, size_t *at, st_str text);

/* Expand a chat text. `media` are its pictures and videos in the order of their triples; a video's
 * whole triple is replaced, "<1.5 seconds>" and start, pads, end per grid.
 *
 * Fails   ST_ERR_DATA "3 pads in the text, 2 pictures and videos given", or a grid that does not
 *         split into merged tokens.
 */
ST_CHECKED st_status st_prompt_expand(st_text *out, st_str text, const st_content *media,
                                      size_t count, int64_t merge);

/* Seconds of each grid: the mean of its frames' times.
 *
 *   time_s   (grids), grids = ceil(frames / temporal)
 *   index    (frames) of the sampled frames in their video; the last is repeated when the number
 *            is no multiple of `temporal`
 *   fps      of the video; 24 is taken when it is not above 0
 */
void st_prompt_times(double *time_s, const int64_t *index, int64_t frames, double fps,
                     int64_t temporal);

/* What the public evaluation shows instead (Q6): frames 0..n-1 of a video of 24 fps. */
void st_prompt_fake_times(double *time_s, int64_t frames, int64_t temporal);

/* Position ids of a tokenised prompt.
 *
 *   positions   (3,N)
 *   next        of the token behind the last
 *   images, videos   grids in the order of their tokens
 *
 * Fails   ST_ERR_DATA visual tokens and grids that do not match in number or order.
 */
ST_CHECKED st_status st_positions_fill(int64_t *positions, int64_t *next, const int64_t *ids,
                                       int64_t count, const st_model_config *config,
                                       const st_media_grid *images, size_t image_count,
                                       const st_media_grid *videos, size_t video_count);

/* --- benchmark wording ----------------------------------------------------------------------- */

/* The text of a VSI-Bench question: multiple choice when there are options (10.1). With
 * config.compat.extra_prompt the evaluation's own sentence is appended (Q7). */
void st_prompt_vsi_question(st_text *out, st_str question, const st_str *options,
                            size_t option_count, const st_compat_config *compat);

/* The system message of the evaluation (Q7), to stand first when compat.extra_prompt is on. */
extern const char st_prompt_compat_system[];

/* The sentence behind every question of the evaluation (Q7), a blank in front. */
extern const char st_prompt_compat_suffix[];

#endif
