/* talk.h - questions about what a session sees.
 *
 * A talk lays out the conversation token by token as it happens: the user's turn opens, a video
 * comes in grid by grid, each with its time in front, and a question closes the turn on a copy of
 * the session, so that the video can go on behind the answer.
 *
 *     <|im_start|>user\n  <0.3 seconds>[grid]  <0.9 seconds>[grid] ...        the session
 *                                                  question<|im_end|>\n ...   a copy of it
 *
 * Source  model.md 3.3, 8.4, 10.1.
 *
 * May include: kernels, model.
 */
#ifndef ST_MODEL_TALK_H
#define ST_MODEL_TALK_H

#include "model/preprocess.h"
#include "model/sample.h"
#include "model/session.h"
#include "model/tokenizer.h"

typedef struct st_talk st_talk;

typedef enum st_talk_copies {
    ST_TALK_ASK_OFTEN,          /* keep memory for a copy: the session outlives its questions  */
    ST_TALK_ASK_ONCE            /* the one question is read into the session itself            */
} st_talk_copies;

typedef struct st_talk_plan {
    st_session_plan session;
    st_frame_size   frame;      /* frames are resized to this; sides multiples of patch * merge */
    st_talk_copies  copies;
} st_talk_plan;

/* A plan for `grids` grids of this size, and `text` tokens of questions and answers. 0 grids plans
 * a bounded session that never ends. */
st_talk_plan st_talk_plan_for(const st_model_config *config, st_frame_size frame, int64_t grids,
                              int64_t text);

/* `network` and `tokenizer` are borrowed.
 *
 * Fails   ST_ERR_DATA a tokenizer without the turn markers, or with other ids than the config's;
 *         as st_session_create
 */
ST_CHECKED st_status st_talk_create(st_talk **talk, const st_network *network,
                                    const st_tokenizer *tokenizer, const st_talk_plan *plan);
void st_talk_free(st_talk *talk);

/* Open the user's turn and a video in it; once, before the first grid. */
ST_CHECKED st_status st_talk_begin(st_talk *talk);

/* The next grid.
 *
 *   frames   `temporal` RGB8 frames of size `from`
 *   time_s   what stands in front: the mean of their times
 */
ST_CHECKED st_status st_talk_grid(st_talk *talk, const unsigned char *const *frames,
                                  st_frame_size from, double time_s);

/* Seconds of the last grid; survives in the session's file. Below 0: none yet. */
double st_talk_time_s(const st_talk *talk);

/* Called with pieces of the answer as they come, whole characters only. False ends the answer. */
typedef bool st_talk_listener(void *context, st_str piece);

typedef struct st_answer_options {
    st_sample_config sampling;
    int64_t          tokens_max;
    const st_str    *stops;             /* (stop_count) the answer ends before any of these */
    size_t           stop_count;
} st_answer_options;

typedef enum st_answer_end {
    ST_ANSWER_CLOSED,                   /* the model ended its turn  */
    ST_ANSWER_STOPPED,                  /* a stop string came        */
    ST_ANSWER_CUT,                      /* tokens_max                */
    ST_ANSWER_LEFT                      /* the listener had enough   */
} st_answer_end;

const char *st_answer_end_name(st_answer_end end);

typedef struct st_answer {
    int64_t       prompt_tokens;        /* of the question, what the session held included */
    int64_t       tokens;               /* answered                                        */
    st_answer_end end;
    double        read_s, write_s;      /* until the first token, and from there           */
} st_answer;

/* Ask. With ST_TALK_ASK_ONCE the talk ends here.
 *
 *   text     gets the whole answer added
 *   listen   may be NULL
 */
ST_CHECKED st_status st_talk_ask(st_talk *talk, st_answer *answer, st_text *text, st_str question,
                                 const st_answer_options *options, st_talk_listener *listen,
                                 void *context);

/* The session inside, to look at, save or load. */
st_session *st_talk_session(st_talk *talk);

#endif
