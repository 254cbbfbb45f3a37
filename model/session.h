/* session.h - a network that reads: text, images and grids of video in, logits out, at any moment.
 *
 * A session owns everything that reading changes: keys and values, fast weights, what waits. All of
 * it is planned from a st_session_plan and allocated once; feeding allocates nothing.
 *
 *   grid         one temporal patch of a video: two frames
 *   anchor       a layer with full attention; it keeps the key of every token, or, when bounded,
 *                those of the first tokens and of a window behind the newest
 *   in flight    rows that some layer holds back. The convolution of a hybrid layer mixes a grid
 *                with the one after it, so in the exact mode each hybrid layer keeps the newest
 *                grid (and the text behind it) until the next grid reaches it or the video ends.
 *                The result is what one pass over the finished sequence gives.
 *   fork         a copy of a session that shares its network and workspace. To answer in the
 *                middle of a video: fork, end the video there, feed the question, sample, and let
 *                the fork go; the session goes on as if nothing had been asked.
 *
 * One thread uses a session and its forks at a time.
 *
 * Source  model.md 7 and 8.
 *
 * May include: kernels, model.
 */
#ifndef ST_MODEL_SESSION_H
#define ST_MODEL_SESSION_H

#include "model/network.h"

typedef enum st_lookahead {
    ST_LOOKAHEAD_EXACT,         /* hold a grid back until the next one comes (8.4, option 1) */
    ST_LOOKAHEAD_NONE           /* take the newest grid for the last: no lag, other borders (2) */
} st_lookahead;

typedef enum st_anchor_reach {
    ST_ANCHOR_UNBOUNDED,        /* exact; the session ends when tokens_max or the positions end */
    ST_ANCHOR_BOUNDED           /* constant memory; goes on for ever */
} st_anchor_reach;

/* Which layers are hybrid: as the config says, or none, TTT parameters ignored. */
typedef enum st_rule { ST_RULE_HYBRID, ST_RULE_PLAIN } st_rule;

typedef struct st_session_plan {
    st_lookahead    lookahead;
    st_anchor_reach anchors;
    st_rule         rule;
    int64_t tokens_max;         /* unbounded: tokens an anchor can keep */
    int64_t anchor_first;       /* bounded: so many first tokens stay for ever */
    int64_t anchor_recent;      /* bounded: and so many of the newest, the token itself included */
    int64_t rows_max;           /* tokens that pass the network at once */
    int64_t unit_max;           /* tokens of the largest grid and the text that follows it */
    int64_t patches_max;        /* patches of the largest grid or image */
} st_session_plan;

/* Exact, unbounded, for frames of 352x480: 32768 tokens, 512 rows, 264 tokens a grid. */
st_session_plan st_session_plan_default(void);

typedef struct st_session st_session;

/* Fails   ST_ERR_USAGE a plan that contradicts itself; ST_ERR_MEMORY. */
ST_CHECKED st_status st_session_create(st_session **session, const st_network *network,
                                       const st_session_plan *plan);
void st_session_free(st_session *session);

/* Forget everything read. */
ST_CHECKED st_status st_session_reset(st_session *session);

/* --- reading ---------------------------------------------------------------------------------- */

typedef enum st_piece_kind {
    ST_PIECE_TEXT,              /* token ids                                                 */
    ST_PIECE_IMAGE,             /* one still picture                                         */
    ST_PIECE_VIDEO,             /* a video begins: what comes next is its first grid         */
    ST_PIECE_GRID,              /* the next grid of the video that is open                   */
    ST_PIECE_END                /* the video is over                                         */
} st_piece_kind;

typedef struct st_piece {
    st_piece_kind  kind;
    const int64_t *ids;         /* TEXT: (count) */
    int64_t        count;
    const float   *pixels;      /* IMAGE, GRID: (rows*columns, 1536) in merge-block order */
    int64_t        rows, columns;   /* in patches */
} st_piece;

/* Read pieces in order. Text between the grids of a video (timestamps, markers) is a piece of its
 * own. A video that begins and ends within one call is read without anything held back.
 *
 * Fails   ST_ERR_USAGE a grid without a video, a video inside a video; ST_ERR_DATA an id beyond the
 *         vocabulary; ST_ERR_LIMIT "the session is full: ..." or a piece above the plan. After a
 *         failure the session is spoilt: reset it or let it go.
 */
ST_CHECKED st_status st_session_feed(st_session *session, const st_piece *pieces, size_t count);

/* Logits behind the last token, (V). Nothing may be in flight.
 *
 * Fails   ST_ERR_USAGE "12 tokens are in flight: end the video first", or nothing was read
 */
ST_CHECKED st_status st_session_logits(st_session *session, float *logits);

/* From here on tokens are answered ones. Means something under the quirks Q3 and Q4 only: there
 * the last C tokens are made pending again. */
ST_CHECKED st_status st_session_begin_answer(st_session *session);

/* What has been read so far. */
typedef struct st_session_state {
    int64_t tokens;             /* fed                                                        */
    int64_t in_flight;          /* of them not yet through all layers                         */
    int64_t grids, videos;
    int64_t position;           /* of the next text token; rope_delta = position - tokens     */
    int64_t updates;            /* of the fast weights of the first hybrid layer              */
    int64_t state_bytes;        /* memory that grows with nothing but the plan                */
    bool    beyond_range;       /* bounded: positions went beyond the range of training       */
    bool    video_open;
} st_session_state;

st_session_state st_session_state_get(const st_session *session);

/* A number of milliseconds that travels with the session, into files and copies: the time of what
 * was read last, for whoever goes on. -1 until it is set. */
int64_t st_session_clock_ms(const st_session *session);
void    st_session_clock_set(st_session *session, int64_t clock_ms);

/* Called for every run of rows that leaves a layer, in order of the tokens.
 *
 *   layer      0 .. L-1
 *   hidden     (rows,H) after the block and deepstack; borrowed for the call
 *   position   (rows,3)
 */
typedef void st_session_watch(void *context, int64_t layer, const float *hidden,
                              const int64_t *position, int64_t rows);

/* NULL ends it. Forks do not inherit it. */
void st_session_watch_set(st_session *session, st_session_watch *watch, void *context);

/* The same for what leaves the vision tower: per image or grid the last block's patches, the merged
 * tokens and the deepstack features (NULL beyond their count). */
typedef void st_session_watch_vision(void *context, const float *patches, int64_t patch_count,
                                     const float *merged, float *const *deepstack,
                                     int64_t token_count);
void st_session_watch_vision_set(st_session *session, st_session_watch_vision *watch,
                                 void *context);

/* Logits of rows that left the last layer: norm and head.
 *
 *   logits  (rows,V)
 *   hidden  (rows,H), kept as it is
 */
ST_CHECKED st_status st_session_head(st_session *session, float *logits, const float *hidden,
                                     int64_t rows);

/* The fast weights of a layer as they are now, copied: any of w (nf*h*d each) and momentum may be
 * NULL. `which` is 0, 1 or 2 for W0, W1, W2. Fails when the layer is an anchor. */
ST_CHECKED st_status st_session_fast_weight(const st_session *session, int64_t layer, int which,
                                            float *w, float *momentum);

/* Keys read but not written yet, under Q3 only: (nf,count,d), oldest first. */
ST_CHECKED st_status st_session_pending_keys(const st_session *session, int64_t layer,
                                             int64_t *count, float *keys);

/* --- copies and files ------------------------------------------------------------------------- */

/* A session with the same plan that shares network and workspace. The parent must outlive it. */
ST_CHECKED st_status st_session_fork(st_session **fork, st_session *parent);

/* Make `to` what `from` is; both come from one st_session_create and its forks. No allocation. */
ST_CHECKED st_status st_session_copy(st_session *to, const st_session *from);

/* Everything that was read, as a file: versioned, with the digest of the network and a checksum,
 * written whole or not at all. */
ST_CHECKED st_status st_session_save(const st_session *session, const char *path);

/* Read it back into a session with the same plan.
 *
 * Fails   ST_ERR_DATA "PATH: saved by another model or rule (12ab..., this one is 34cd...)";
 *         ST_ERR_FORMAT cut, damaged, or of another version; ST_ERR_USAGE another plan
 */
ST_CHECKED st_status st_session_load(st_session *session, const char *path);

/* The plan that a session file was made with, to create a session for it. */
ST_CHECKED st_status st_session_file_plan(st_session_plan *plan, const char *path);

#endif
