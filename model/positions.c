/* positions.c - three position ids per token: time, height, width.
 *
 *   tokens   a b c [ 2 x 3 grid ] d e
 *   time     0 1 2   3 3 3 3 3 3  6 7
 *   height   0 1 2   3 3 3 4 4 4  6 7
 *   width    0 1 2   3 4 5 3 4 5  6 7
 *
 * Time stands still inside a grid: what tells the model when something happened is the text in
 * front of it.
 */
#include "model/prompt.h"

/* Pictures or videos that are still to come, grid by grid. */
typedef struct queue {
    const st_media_grid *media;
    size_t               count, at;
    int64_t              grid;          /* of media[at] */
    const char          *name;
} queue;

static st_status next_grid(queue *q, int64_t *rows, int64_t *columns, int64_t token, int64_t merge)
{
    if (q->at == q->count)
        return ST_FAIL(ST_ERR_DATA, "token %lld is a %s pad, but all %zu %ss are used up",
                       (long long)token, q->name, q->count, q->name);
    const st_media_grid *m = &q->media[q->at];
    *rows = m->rows / merge;
    *columns = m->columns / merge;
    if (m->grids < 1 || *rows < 1 || *columns < 1)
        return ST_FAIL(ST_ERR_DATA, "%s %zu has no tokens", q->name, q->at);
    if (++q->grid >= m->grids) {
        q->grid = 0;
        q->at++;
    }
    return st_ok();
}

static st_status check_used(const queue *q)
{
    if (q->at < q->count)
        return ST_FAIL(ST_ERR_DATA, "%s %zu has no tokens in the prompt", q->name, q->at);
    return st_ok();
}

st_status st_positions_fill(int64_t *positions, int64_t *next, const int64_t *ids, int64_t count,
                            const st_model_config *config, const st_media_grid *images,
                            size_t image_count, const st_media_grid *videos, size_t video_count)
{
    int64_t *t = positions, *h = positions + count, *w = positions + 2 * count;
    queue image = {images, image_count, 0, 0, "image"};
    queue video = {videos, video_count, 0, 0, "video"};
    int64_t p = 0;
    for (int64_t at = 0; at < count;) {
        queue *q = ids[at] == config->ids.image ? &image
                 : ids[at] == config->ids.video ? &video : NULL;
        if (!q) {
            t[at] = h[at] = w[at] = p++;
            at++;
            continue;
        }
        int64_t rows, columns;
        const int64_t pad = ids[at];
        ST_TRY(next_grid(q, &rows, &columns, at, config->vision.merge));
        for (int64_t i = 0; i < rows * columns; i++, at++) {
            if (at == count || ids[at] != pad)
                return ST_FAIL(ST_ERR_DATA, "a grid of %lld x %lld %s tokens ends after %lld",
                               (long long)rows, (long long)columns, q->name, (long long)i);
            t[at] = p;
            h[at] = p + i / columns;
            w[at] = p + i % columns;
        }
        p += rows > columns ? rows : columns;
    }
    ST_TRY(check_used(&image));
    ST_TRY(check_used(&video));
    *next = p;
    return st_ok();
}
