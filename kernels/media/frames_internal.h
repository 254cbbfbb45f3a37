/* frames_internal.h - what every source of frames brings; shared by frames.c (names), stills.c,
 * raw_frames.c and video.c or video_absent.c. */
#ifndef ST_MEDIA_FRAMES_INTERNAL_H
#define ST_MEDIA_FRAMES_INTERNAL_H

#include "kernels/media/frames.h"

/* `at` gives the frame with this index, which is never before the one after the last given; it
 * sets *got to false when the source ends earlier. */
typedef struct sti_frame_source_kind {
    st_status (*at)(st_frame_source *source, st_frame *frame, int64_t index, bool *got);
    void (*close)(st_frame_source *source);
} sti_frame_source_kind;

/* The first member of every source's own struct. */
struct st_frame_source {
    const sti_frame_source_kind *kind;
    st_frames_info               info;
    int64_t                      next;      /* index of the next frame */
};

ST_CHECKED st_status sti_stills_open(st_frame_source **source, const char *const *paths,
                                     size_t count, double fps);
ST_CHECKED st_status sti_raw_open(st_frame_source **source, const char *path, int64_t rows,
                                  int64_t columns, double fps);
ST_CHECKED st_status sti_stframes_open(st_frame_source **source, const char *path);
ST_CHECKED st_status sti_video_open(st_frame_source **source, const char *path);

/* rows * columns * 3, both within ST_IMAGE_SIDE_MAX. */
ST_CHECKED st_status sti_frame_bytes(size_t *bytes, int64_t rows, int64_t columns);

#endif
