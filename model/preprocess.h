/* preprocess.h - which frames, in which size, as which numbers.
 *
 * A *frame* is RGB8, (rows,columns,3). A *patch* is 16x16 pixels of two frames; a *grid* is all
 * patches of those two. Sizes come in threes: how many frames are chosen, what they are resized
 * to, and how many patches that makes.
 *
 * Source  model.md section 4.
 *
 * May include: kernels/base, kernels/media, model/config.h, model/prompt.h.
 */
#ifndef ST_MODEL_PREPROCESS_H
#define ST_MODEL_PREPROCESS_H

#include "kernels/base/arena.h"
#include "model/prompt.h"

/* Whose arithmetic chooses frames: they differ when a position falls on a half. */
typedef enum st_sampling {
    ST_SAMPLING_TRAIN,              /* double linspace, any count                    */
    ST_SAMPLING_EVAL                /* float linspace, even counts                   */
} st_sampling;

typedef struct st_frame_choice {
    st_sampling sampling;
    double      fps;                /* wanted; ignored when frames > 0               */
    int64_t     frames;             /* wanted count, rounded to the nearest even; 0: by fps */
    int64_t     frames_min, frames_max;
} st_frame_choice;

/* Script values: fps 30, 16 to 128 frames for training; fps 16, 4 to 128 for evaluation. */
st_frame_choice st_frame_choice_train(void);
st_frame_choice st_frame_choice_eval(void);

/* Indices of the chosen frames, ascending, spread over the whole video.
 *
 *   index   (count), at least frames_max (or `frames` + 1) long
 *   total   frames of the video, >= 1
 *   fps     of the video; 24 is taken when it is not above 0
 *
 * Fails   ST_ERR_USAGE a video without frames, or a choice that contradicts itself.
 */
ST_CHECKED st_status st_frames_choose(int64_t *index, int64_t *count, const st_frame_choice *choice,
                                      int64_t total, double fps);

/* Pixels of a picture or frame. */
typedef struct st_frame_size {
    int64_t rows, columns;
} st_frame_size;

/* Limits of the smart resize, in pixels (of all frames together for a video). */
typedef struct st_size_limits {
    int64_t pixels_min, pixels_max;
} st_size_limits;

extern const st_frame_size  st_frame_size_fixed;        /* 352 x 480: Spatial-TTT's own        */
extern const st_size_limits st_size_limits_image;       /* 65536 .. 16777216                   */
extern const st_size_limits st_size_limits_video;       /* 4096 .. 25165824                    */

/* The size nearest to the given one whose sides are multiples of `factor` (patch * merge) and whose
 * area lies within the limits; the aspect ratio is kept as far as that goes.
 *
 * Fails   ST_ERR_DATA a side more than 200 times the other.
 */
ST_CHECKED st_status st_smart_resize_image(st_frame_size *to, st_frame_size from, int64_t factor,
                                           st_size_limits limits);

/* The same for a video of `frames` frames; an odd number counts as the next even one where the
 * area is compared. */
ST_CHECKED st_status st_smart_resize_video(st_frame_size *to, st_frame_size from, int64_t frames,
                                           int64_t factor, st_size_limits limits);

/* Patches of `frames` frames of this size. */
st_media_grid st_media_grid_of(int64_t frames, st_frame_size size, const st_vision_config *vision);

/* Resizes frames and cuts them into patches, one grid at a time: plan once, use for every grid. */
typedef struct st_preprocessor st_preprocessor;

ST_CHECKED st_status st_preprocessor_create(st_preprocessor **preprocessor, st_frame_size from,
                                            st_frame_size to, const st_vision_config *vision);
void st_preprocessor_free(st_preprocessor *preprocessor);

/* One frame in the new size.
 *
 *   resized  (to.rows, to.columns, 3)
 *   frame    (from.rows, from.columns, 3)
 */
void st_preprocessor_resize(st_preprocessor *preprocessor, unsigned char *resized,
                            const unsigned char *frame);

/* One grid: y = (x - 127.5) / 127.5, in merge-block order.
 *
 *   patches   (rows/16 * columns/16, 1536) f32; feature ((c*2 + tau)*16 + py)*16 + px
 *   frames    (temporal) pointers to frames in their own size; a picture, or the odd last frame of
 *             a video, stands twice
 */
void st_preprocessor_grid(st_preprocessor *preprocessor, float *patches,
                          const unsigned char *const *frames);

/* A whole video: every grid in order, the last frame repeated when the number is odd.
 *
 *   patches   (grids * rows/16 * columns/16, 1536)
 *   frames    (count) pointers
 */
void st_preprocessor_video(st_preprocessor *preprocessor, float *patches,
                           const unsigned char *const *frames, int64_t count);

#endif
