/* session_feed.c - from pieces to packets: what goes through the layers together, and when a video
 * is told that it has ended.
 */
#include "kernels/base/log.h"
#include "model/session_internal.h"

#include <string.h>

/* --- from pieces to packets ------------------------------------------------------------------- */

static st_status send(st_session *s)
{
    sti_packet *in = &s->work->in;
    if (in->rows == 0)
        return st_ok();
    const st_status status = sti_decoder_run(s, 0);
    sti_packet_clear(&s->work->in);
    return status;
}

/* The open video is over: layer by layer, what waits is told that nothing follows it. */
static st_status flush(st_session *s)
{
    ST_TRY(send(s));
    for (int64_t i = 0; i < s->layers; i++) {
        sti_layer *l = &s->layer[i];
        if (!l->hybrid)
            continue;
        if (l->hold.rows.rows > 0) {
            ST_ASSERT(l->hold.rows.span[0].kind == STI_SPAN_GRID);
            l->hold.rows.span[0].last = 1;
            sti_packet_clear(&s->work->in);
            ST_TRY(sti_decoder_run(s, i));
            sti_packet_clear(&s->work->in);
        }
        l->hold.behind_rows = 0;
    }
    return st_ok();
}

/* Count rows as fed, and say so when the session cannot take them. */
static st_status admit(st_session *s, int64_t rows, int64_t positions)
{
    const int64_t range = s->network->config.text.positions_max;
    if (s->plan.anchors == ST_ANCHOR_UNBOUNDED) {
        if (s->at.tokens + rows > s->plan.tokens_max)
            return ST_FAIL(ST_ERR_LIMIT, "the session is full: its plan keeps %lld tokens, %lld "
                           "were read", (long long)s->plan.tokens_max, (long long)s->at.tokens);
        if (s->at.position + positions > range)
            return ST_FAIL(ST_ERR_LIMIT, "the session is full: %lld of the %lld positions that the "
                           "model knows are taken, %lld more are asked for",
                           (long long)s->at.position, (long long)range, (long long)positions);
    } else if (!s->at.beyond_range && s->at.position + positions > range) {
        s->at.beyond_range = 1;
        st_log(ST_LEVEL_WARN, "model", "positions go beyond the %lld the model was trained with",
               (long long)range);
    }
    s->at.tokens += rows;
    return st_ok();
}

/* The packet's next `rows` rows become a span of this kind. Deepstack starts as zeros. */
static sti_span *open_span(st_session *s, sti_span_kind kind, int64_t rows)
{
    const int64_t H = s->network->config.text.hidden;
    sti_packet *p = &s->work->in;
    ST_ASSERT(p->rows + rows <= p->rows_cap);
    for (int64_t k = 0; k < s->network->config.vision.deepstack_count; k++)
        memset(p->deep + (k * p->rows_cap + p->rows) * H, 0, (size_t)(rows * H) * sizeof(float));
    sti_span *span = &p->span[p->spans++];
    *span = (sti_span){.kind = kind, .rows = (int32_t)rows};
    return span;
}

static st_status add_text(st_session *s, const int64_t *ids, int64_t count)
{
    const st_weights *w = s->network->weights;
    const int64_t H = s->network->config.text.hidden;
    sti_packet *p = &s->work->in;
    ST_TRY(admit(s, count, count));
    st_tensor y = sti_f32_2(p->x + p->rows * H, count, H);
    const st_tensor row = {.data = (void *)ids, .shape = {count}, .rank = 1, .dtype = ST_I64};
    ST_TRY(st_within(st_embed_rows(s->network->stream, &y, &w->embed, &row), "token ids"));
    open_span(s, STI_SPAN_TEXT, count);
    for (int64_t r = 0; r < count; r++)
        for (int axis = 0; axis < 3; axis++)
            p->position[3 * (p->rows + r) + axis] = s->at.position + r;
    s->at.position += count;
    p->rows += count;
    return st_ok();
}

typedef enum grid_end { GRID_GOES_ON, GRID_IS_LAST } grid_end;

/* The tower's tokens of one grid or image become rows. */
static st_status add_picture(st_session *s, const st_piece *piece, sti_span_kind kind,
                             grid_end last)
{
    const st_model_config *c = &s->network->config;
    const int64_t H = c->text.hidden, m = c->vision.merge;
    const int64_t h = piece->rows / m, width = piece->columns / m, rows = h * width;
    sti_packet *p = &s->work->in;
    ST_TRY(admit(s, rows, h > width ? h : width));

    sti_span *span = open_span(s, kind, rows);
    span->h = (int32_t)h;
    span->w = (int32_t)width;
    span->first = kind == STI_SPAN_GRID && s->at.grid_pending_first;
    span->last = last == GRID_IS_LAST;
    st_vision_tokens tokens = {.merged = p->x + p->rows * H,
                               .patches = s->watch_vision ? s->work->patches : NULL};
    for (int64_t k = 0; k < c->vision.deepstack_count; k++)
        tokens.deepstack[k] = p->deep + (k * p->rows_cap + p->rows) * H;
    ST_TRY(st_vision_read(s->work->vision, &tokens, piece->pixels, 1, piece->rows,
                          piece->columns));
    if (s->watch_vision)
        s->watch_vision(s->watch_vision_context, tokens.patches, piece->rows * piece->columns,
                        tokens.merged, tokens.deepstack, rows);

    for (int64_t r = 0; r < rows; r++) {
        int64_t *position = p->position + 3 * (p->rows + r);
        position[0] = s->at.position;
        position[1] = s->at.position + r / width;
        position[2] = s->at.position + r % width;
    }
    s->at.position += h > width ? h : width;
    p->rows += rows;
    p->visual = 1;
    return st_ok();
}

/* --- feeding ---------------------------------------------------------------------------------- */

static st_status check_piece(const st_session *s, const st_piece *p, bool video_open)
{
    const int64_t m = s->network->config.vision.merge;
    switch (p->kind) {
    case ST_PIECE_TEXT:
        return p->count < 0 ? ST_FAIL(ST_ERR_USAGE, "a text of %lld tokens", (long long)p->count)
                            : st_ok();
    case ST_PIECE_VIDEO:
        return video_open ? ST_FAIL(ST_ERR_USAGE, "a video begins inside a video") : st_ok();
    case ST_PIECE_END:
        return video_open ? st_ok() : ST_FAIL(ST_ERR_USAGE, "a video ends that never began");
    case ST_PIECE_GRID:
        if (!video_open)
            return ST_FAIL(ST_ERR_USAGE, "a grid comes before its video");
        break;
    case ST_PIECE_IMAGE:
        break;
    }
    if (p->rows < m || p->columns < m || p->rows % m != 0 || p->columns % m != 0)
        return ST_FAIL(ST_ERR_DATA, "a picture of %lld x %lld patches does not merge by %lld",
                       (long long)p->rows, (long long)p->columns, (long long)m);
    if (p->rows > s->plan.patches_max / p->columns)
        return ST_FAIL(ST_ERR_LIMIT, "a picture of %lld x %lld patches exceeds the plan's %lld",
                       (long long)p->rows, (long long)p->columns, (long long)s->plan.patches_max);
    return st_ok();
}

static int64_t rows_of(const st_session *s, const st_piece *p)
{
    const int64_t m = s->network->config.vision.merge;
    if (p->kind == ST_PIECE_TEXT)
        return p->count;
    return p->kind == ST_PIECE_GRID || p->kind == ST_PIECE_IMAGE
               ? p->rows * p->columns / (m * m)
               : 0;
}

/* Rows from a video's begin to its end, when both are among the pieces; else -1. */
static int64_t whole_video(const st_session *s, const st_piece *pieces, size_t count)
{
    int64_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        rows += rows_of(s, &pieces[i]);
        if (pieces[i].kind == ST_PIECE_END)
            return rows;
    }
    return -1;
}

static st_status feed_text(st_session *s, const st_piece *p)
{
    const bool one_by_one = s->at.answering && s->network->config.compat.reseed_pending;
    for (int64_t done = 0; done < p->count;) {
        if (s->work->in.rows >= s->plan.rows_max)
            ST_TRY(send(s));
        const int64_t room = one_by_one ? 1 : s->plan.rows_max - s->work->in.rows;
        const int64_t rows = p->count - done < room ? p->count - done : room;
        ST_TRY(add_text(s, p->ids + done, rows));
        if (one_by_one)
            ST_TRY(send(s));
        done += rows;
    }
    return st_ok();
}

/* Grids in the packet. While layers hold grids back, a packet leaves a layer with other grids than
 * it came with, but with as many: so few go together that the largest units would fit. */
static bool is_packet_full(const st_session *s, int64_t rows)
{
    const sti_packet *in = &s->work->in;
    int64_t grids = 0;
    for (int64_t i = 0; i < in->spans; i++)
        grids += in->span[i].kind == STI_SPAN_GRID;
    return in->rows + rows > s->plan.rows_max || grids > s->plan.rows_max / s->plan.unit_max;
}

/* One grid of the open video. Its size is that of the first. */
static st_status feed_grid(st_session *s, const st_piece *p, bool whole, grid_end last)
{
    struct sti_progress *at = &s->at;
    if (at->grid_rows == 0) {
        at->grid_rows = p->rows;
        at->grid_columns = p->columns;
    } else if (at->grid_rows != p->rows || at->grid_columns != p->columns) {
        return ST_FAIL(ST_ERR_DATA, "a grid of %lld x %lld patches in a video of %lld x %lld",
                       (long long)p->rows, (long long)p->columns, (long long)at->grid_rows,
                       (long long)at->grid_columns);
    }
    if (rows_of(s, p) > s->plan.unit_max)
        return ST_FAIL(ST_ERR_LIMIT, "a grid of %lld tokens exceeds the plan's %lld",
                       (long long)rows_of(s, p), (long long)s->plan.unit_max);
    if (!whole && is_packet_full(s, rows_of(s, p)))
        ST_TRY(send(s));
    ST_TRY(st_within(add_picture(s, p, STI_SPAN_GRID, last), "grid %lld", (long long)at->grids));
    at->grid_pending_first = 0;
    at->grids++;
    return st_ok();
}

static bool is_last_grid(const st_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].kind == ST_PIECE_GRID || pieces[i].kind == ST_PIECE_END)
            return pieces[i].kind == ST_PIECE_END;
    return false;
}

st_status st_session_feed(st_session *s, const st_piece *pieces, size_t count)
{
    bool whole = false;         /* the open video lies in one packet, its end is known */
    sti_packet_clear(&s->work->in);
    for (size_t i = 0; i < count; i++) {
        const st_piece *p = &pieces[i];
        const int64_t rows = rows_of(s, p);
        ST_TRY(st_within(check_piece(s, p, s->at.video_open), "piece %zu", i));
        switch (p->kind) {
        case ST_PIECE_TEXT:
            ST_TRY(whole ? add_text(s, p->ids, p->count) : feed_text(s, p));
            break;
        case ST_PIECE_IMAGE:
            if (!whole && s->work->in.rows + rows > s->plan.rows_max)
                ST_TRY(send(s));
            if (rows > s->plan.rows_max)
                return ST_FAIL(ST_ERR_LIMIT, "an image of %lld tokens exceeds the plan's %lld",
                               (long long)rows, (long long)s->plan.rows_max);
            ST_TRY(add_picture(s, p, STI_SPAN_IMAGE, GRID_GOES_ON));
            break;
        case ST_PIECE_VIDEO: {
            const int64_t video = whole_video(s, p, count - i);
            whole = video >= 0 && video <= s->plan.rows_max;
            if (whole && s->work->in.rows + video > s->plan.rows_max)
                ST_TRY(send(s));
            s->at.video_open = s->at.grid_pending_first = 1;
            s->at.grid_rows = s->at.grid_columns = 0;
            s->at.videos++;
            break;
        }
        case ST_PIECE_GRID:
            ST_TRY(feed_grid(s, p, whole, whole && is_last_grid(p + 1, count - i - 1)
                                              ? GRID_IS_LAST
                                              : GRID_GOES_ON));
            break;
        case ST_PIECE_END:
            if (!whole)
                ST_TRY(flush(s));
            whole = false;
            s->at.video_open = 0;
            break;
        }
    }
    return send(s);
}
