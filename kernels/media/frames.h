/* frames.h - pictures in the order of time, wherever they come from.
 *
 * A *frame* is one RGB8 picture and the second it was taken at, counted from the first frame. A
 * source is opened by its name:
 *
 *   FILE.mp4 ...         a video, through FFmpeg: turned upright, times from the container
 *   FOLDER               its pictures (.png .jpg .jpeg), sorted so that 9 stands before 10
 *   LIST.txt             a picture's path per line, relative to the list
 *   FILE.stframes        raw frames behind a header of ours, see st_frames_writer
 *   raw:WxH@FPS:PATH     raw RGB8 frames without a header; PATH - is standard input
 *
 * The first three need FFmpeg for their pixels; the last two work in every build. Frames of a
 * folder or a list may differ in size, those of other sources do not.
 *
 * May include: kernels/base.
 */
#ifndef ST_MEDIA_FRAMES_H
#define ST_MEDIA_FRAMES_H

#include "kernels/base/files.h"
#include "kernels/base/status.h"

typedef struct st_frame_source st_frame_source;

typedef struct st_frame {
    const unsigned char *rgb;       /* (rows,columns,3); good until the next call on the source */
    int64_t              rows, columns;
    double               time_s;    /* since the first frame   */
    int64_t              index;     /* in the source, from 0   */
} st_frame;

typedef struct st_frames_info {
    int64_t rows, columns;          /* of the first frame, upright                             */
    int64_t count;                  /* frames; -1: not known before the end (a pipe)           */
    double  fps;                    /* mean rate, or 0: not known                              */
    double  duration_s;             /* of count frames; 0: not known                           */
} st_frames_info;

/* Open by name.
 *
 *   still_fps   pictures per second of folders and lists, > 0: when each was taken
 *
 * Fails   ST_ERR_IO; ST_ERR_FORMAT no video stream, no frames, not a picture; ST_ERR_USAGE a raw:
 *         name that cannot be read; ST_ERR_LIMIT; ST_ERR_UNSUPPORTED a build without FFmpeg.
 */
ST_CHECKED st_status st_frames_open(st_frame_source **source, const char *name, double still_fps);
void st_frames_close(st_frame_source *source);

st_frames_info st_frames_info_get(const st_frame_source *source);

/* The next frame; *got is false behind the last one. */
ST_CHECKED st_status st_frames_next(st_frame_source *source, st_frame *frame, bool *got);

/* The frame with this index, not before the last one given. What lies between is passed over as
 * fast as the source allows.
 *
 * Fails   ST_ERR_DATA "frame 90 of 80"
 */
ST_CHECKED st_status st_frames_at(st_frame_source *source, st_frame *frame, int64_t index);

/* Thins a stream to `fps` frames a second: true for the first frame at or behind each 1/fps.
 * *ticks starts at 0; a gap in the stream is not made up for. */
bool st_frames_due(int64_t *ticks, double fps, double time_s);

/* Write FILE.stframes: "STFRAMES", u32 version 1, u32 rows, u32 columns, u32 zero, f64 frames per
 * second, then the frames. Little endian; 32 bytes in front of the pixels. */
typedef struct st_frames_writer {
    st_out  out;
    int64_t rows, columns;
} st_frames_writer;

ST_CHECKED st_status st_frames_writer_open(st_frames_writer *writer, const char *path,
                                           int64_t rows, int64_t columns, double fps);
ST_CHECKED st_status st_frames_write(st_frames_writer *writer, const unsigned char *rgb);
ST_CHECKED st_status st_frames_commit(st_frames_writer *writer);
void st_frames_discard(st_frames_writer *writer);

#endif
