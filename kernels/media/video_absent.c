/* video_absent.c - what a build without FFmpeg says instead of decoding. */
#include "kernels/media/frames_internal.h"
#include "kernels/media/image.h"

st_status sti_video_open(st_frame_source **source, const char *path)
{
    (void)source;
    return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: this build decodes no video; install libavformat-dev "
                                       "libavcodec-dev libswscale-dev and build again", path);
}

st_status st_image_decode(st_arena *arena, st_image *image, st_pixels wanted, st_str bytes,
                          const char *name)
{
    (void)arena, (void)image, (void)wanted, (void)bytes;
    return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: this build decodes no pictures; install "
                                       "libavcodec-dev libswscale-dev and build again", name);
}
