/* preprocess.c - frames to patches. */
#include "model/preprocess.h"

#include "kernels/base/limits.h"
#include "kernels/media/resize.h"

#include <math.h>
#include <stdlib.h>

enum { CHANNELS = 3, RATIO_MAX = 200 };

static const double fps_unknown = 24.0;

const st_frame_size  st_frame_size_fixed = {352, 480};
const st_size_limits st_size_limits_image = {65536, 16777216};
const st_size_limits st_size_limits_video = {4096, 25165824};

/* --- which frames ---------------------------------------------------------------------------- */

st_frame_choice st_frame_choice_train(void)
{
    return (st_frame_choice){ST_SAMPLING_TRAIN, 30.0, 0, 16, 128};
}

st_frame_choice st_frame_choice_eval(void)
{
    return (st_frame_choice){ST_SAMPLING_EVAL, 16.0, 0, 4, 128};
}

static int64_t floor_even(double x)
{
    return 2 * (int64_t)floor(x / 2.0);
}

/* How many frames, before they are spread. */
static int64_t frame_count(const st_frame_choice *c, int64_t total, double fps)
{
    if (c->frames > 0) {                            /* to the nearest even number */
        const int64_t wanted = 2 * (int64_t)nearbyint((double)c->frames / 2.0);
        return wanted < total ? wanted : total;
    }
    const double asked = (double)total / fps * c->fps;
    if (c->sampling == ST_SAMPLING_TRAIN) {
        int64_t n = (int64_t)asked;
        n = n > c->frames_min ? n : c->frames_min;
        n = n < c->frames_max ? n : c->frames_max;
        return n < total ? n : total;
    }
    const double low = 2.0 * ceil((double)c->frames_min / 2.0);
    const double high = (double)floor_even((double)c->frames_max);
    double n = asked > low ? asked : low;
    n = n < high ? n : high;
    n = n < (double)total ? n : (double)total;
    const int64_t even = floor_even(n);
    return even > 0 ? even : total < 2 ? total : 2;
}

/* Position i of n spread over [0,last], rounded half to even as both references do. numpy counts
 * from the left with one step; torch does so in float up to the middle and from the right after. */
static int64_t spread(st_sampling sampling, int64_t i, int64_t n, int64_t last)
{
    if (n == 1)
        return 0;
    if (sampling == ST_SAMPLING_TRAIN) {
        const double step = (double)last / (double)(n - 1);
        return i == n - 1 ? last : (int64_t)nearbyint((double)i * step);
    }
    const float step = (float)last / (float)(n - 1);
    const float at = i < n / 2 ? step * (float)i : (float)last - step * (float)(n - 1 - i);
    return (int64_t)nearbyintf(at);
}

st_status st_frames_choose(int64_t *index, int64_t *count, const st_frame_choice *choice,
                           int64_t total, double fps)
{
    if (total < 1)
        return ST_FAIL(ST_ERR_USAGE, "a video without frames");
    if (choice->frames <= 0 && (!(choice->fps > 0.0) || choice->frames_min < 1 ||
                                choice->frames_max < choice->frames_min))
        return ST_FAIL(ST_ERR_USAGE, "cannot choose %lld to %lld frames at %g a second",
                       (long long)choice->frames_min, (long long)choice->frames_max, choice->fps);
    const int64_t n = frame_count(choice, total, fps > 0.0 ? fps : fps_unknown);
    for (int64_t i = 0; i < n; i++)
        index[i] = spread(choice->sampling, i, n, total - 1);
    *count = n;
    return st_ok();
}

/* --- which size ------------------------------------------------------------------------------ */

static st_status check_ratio(st_frame_size from)
{
    const int64_t longer = from.rows > from.columns ? from.rows : from.columns;
    const int64_t shorter = from.rows > from.columns ? from.columns : from.rows;
    if (shorter < 1 || longer > RATIO_MAX * shorter)
        return ST_FAIL(ST_ERR_DATA, "a frame of %lld x %lld pixels: one side may have at most %d "
                                    "times the other",
                       (long long)from.columns, (long long)from.rows, RATIO_MAX);
    if (longer > ST_IMAGE_SIDE_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "a frame of %lld x %lld pixels, at most %d on a side",
                       (long long)from.columns, (long long)from.rows, ST_IMAGE_SIDE_MAX);
    return st_ok();
}

/* A side in units of `factor`, at least one. */
static int64_t at_least_one(double units, int64_t factor)
{
    return units >= 1.0 ? (int64_t)units * factor : factor;
}

/* Both kinds: `weight` frames weigh the rounded area, `frames` the scale. */
static st_status smart_resize(st_frame_size *to, st_frame_size from, double frames, double weight,
                              int64_t factor, st_size_limits limits)
{
    ST_TRY(check_ratio(from));
    const double h = (double)from.rows, w = (double)from.columns, f = (double)factor;
    const double rows = f * fmax(1.0, nearbyint(h / f)), columns = f * fmax(1.0, nearbyint(w / f));
    const double area = weight * rows * columns;
    if (area > (double)limits.pixels_max) {
        const double b = sqrt(frames * h * w / (double)limits.pixels_max);
        *to = (st_frame_size){at_least_one(floor(h / b / f), factor),
                              at_least_one(floor(w / b / f), factor)};
    } else if (area < (double)limits.pixels_min) {
        const double b = sqrt((double)limits.pixels_min / (frames * h * w));
        *to = (st_frame_size){at_least_one(ceil(h * b / f), factor),
                              at_least_one(ceil(w * b / f), factor)};
    } else {
        *to = (st_frame_size){(int64_t)rows, (int64_t)columns};
    }
    return st_ok();
}

st_status st_smart_resize_image(st_frame_size *to, st_frame_size from, int64_t factor,
                                st_size_limits limits)
{
    return smart_resize(to, from, 1.0, 1.0, factor, limits);
}

st_status st_smart_resize_video(st_frame_size *to, st_frame_size from, int64_t frames,
                                int64_t factor, st_size_limits limits)
{
    return smart_resize(to, from, (double)frames, (double)(frames + frames % 2), factor, limits);
}

st_media_grid st_media_grid_of(int64_t frames, st_frame_size size, const st_vision_config *vision)
{
    return (st_media_grid){(frames + vision->temporal - 1) / vision->temporal,
                           size.rows / vision->patch, size.columns / vision->patch};
}

/* --- which numbers --------------------------------------------------------------------------- */

struct st_preprocessor {
    st_arena         arena;
    st_vision_config vision;
    st_frame_size    from, to;
    st_resize_axis   rows, columns;
    unsigned char   *between;           /* scratch of the resize          */
    unsigned char   *resized;           /* (temporal, to.rows, to.columns, 3) */
    float            value[256];        /* of each level                  */
};

static st_status plan(st_preprocessor *p)
{
    const int64_t unit = p->vision.patch * p->vision.merge;
    if (p->to.rows % unit != 0 || p->to.columns % unit != 0 || p->to.rows < 1 || p->to.columns < 1)
        return ST_FAIL(ST_ERR_USAGE, "%lld x %lld pixels do not split into tokens of %lld pixels",
                       (long long)p->to.columns, (long long)p->to.rows, (long long)unit);
    ST_TRY(st_resize_axis_plan(&p->arena, &p->rows, p->from.rows, p->to.rows));
    ST_TRY(st_resize_axis_plan(&p->arena, &p->columns, p->from.columns, p->to.columns));
    ST_TRY(ST_ALLOC(&p->arena, &p->between, (size_t)(p->from.rows * p->to.columns * CHANNELS)));
    ST_TRY(ST_ALLOC(&p->arena, &p->resized,
                    (size_t)(p->vision.temporal * p->to.rows * p->to.columns * CHANNELS)));
    for (int i = 0; i < 256; i++)
        p->value[i] = ((float)i - 127.5f) / 127.5f;
    return st_ok();
}

st_status st_preprocessor_create(st_preprocessor **preprocessor, st_frame_size from,
                                 st_frame_size to, const st_vision_config *vision)
{
    st_preprocessor *p = calloc(1, sizeof *p);
    if (!p)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a preprocessor");
    st_arena_init(&p->arena, "preprocessor");
    p->vision = *vision;
    p->from = from;
    p->to = to;
    const st_status s = plan(p);
    if (s.code != ST_OK)
        st_preprocessor_free(p);
    else
        *preprocessor = p;
    return s;
}

void st_preprocessor_free(st_preprocessor *p)
{
    if (!p)
        return;
    st_arena_free(&p->arena);
    free(p);
}

void st_preprocessor_resize(st_preprocessor *p, unsigned char *resized, const unsigned char *frame)
{
    st_resize_rgb8(resized, frame, p->between, &p->rows, &p->columns);
}

/* The 1536 numbers of the patch whose upper left pixel is (row,column). */
static void fill_patch(const st_preprocessor *p, float *patch, int64_t row, int64_t column)
{
    const int64_t side = p->vision.patch, frame_size = p->to.rows * p->to.columns * CHANNELS;
    for (int c = 0; c < CHANNELS; c++) {
        for (int64_t tau = 0; tau < p->vision.temporal; tau++) {
            for (int64_t y = 0; y < side; y++) {
                const unsigned char *x = p->resized + tau * frame_size +
                                         ((row + y) * p->to.columns + column) * CHANNELS + c;
                for (int64_t k = 0; k < side; k++)
                    *patch++ = p->value[x[k * CHANNELS]];
            }
        }
    }
}

void st_preprocessor_grid(st_preprocessor *p, float *patches, const unsigned char *const *frames)
{
    const int64_t side = p->vision.patch, merge = p->vision.merge, temporal = p->vision.temporal;
    const int64_t frame_size = p->to.rows * p->to.columns * CHANNELS;
    const int64_t features = CHANNELS * temporal * side * side;
    for (int64_t tau = 0; tau < temporal; tau++)
        st_preprocessor_resize(p, p->resized + tau * frame_size, frames[tau]);

    for (int64_t by = 0; by < p->to.rows / side / merge; by++) {
        for (int64_t bx = 0; bx < p->to.columns / side / merge; bx++) {
            for (int64_t k = 0; k < merge * merge; k++) {
                const int64_t row = by * merge + k / merge, column = bx * merge + k % merge;
                fill_patch(p, patches, row * side, column * side);
                patches += features;
            }
        }
    }
}

void st_preprocessor_video(st_preprocessor *p, float *patches, const unsigned char *const *frames,
                           int64_t count)
{
    const int64_t temporal = p->vision.temporal;
    const st_media_grid grid = st_media_grid_of(count, p->to, &p->vision);
    const int64_t features = CHANNELS * temporal * p->vision.patch * p->vision.patch;
    for (int64_t t = 0; t < grid.grids; t++) {
        const unsigned char *pair[64];
        ST_ASSERT(temporal <= 64);
        for (int64_t tau = 0; tau < temporal; tau++) {
            const int64_t at = t * temporal + tau;
            pair[tau] = frames[at < count ? at : count - 1];
        }
        st_preprocessor_grid(p, patches + t * grid.rows * grid.columns * features, pair);
    }
}
