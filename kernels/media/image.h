/* image.h - one picture: decoded from PNG or JPEG, written as PNG.
 *
 * Rows run top to bottom, pixels left to right, without gaps. 16-bit pixels are in the machine's
 * byte order. Writing needs zlib only; reading needs FFmpeg and says so where it is left out.
 *
 * May include: kernels/base.
 */
#ifndef ST_MEDIA_IMAGE_H
#define ST_MEDIA_IMAGE_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef enum st_pixels {
    ST_PIXELS_RGB8,                 /* 3 bytes           */
    ST_PIXELS_GRAY8,                /* 1 byte            */
    ST_PIXELS_GRAY16,               /* uint16_t, depth in millimetres for instance */
    ST_PIXELS_COUNT
} st_pixels;

typedef struct st_image {
    void     *data;                 /* (rows,columns,channels), belongs to someone else */
    int64_t   rows, columns;        /* pixels */
    st_pixels pixels;
} st_image;

size_t st_pixel_bytes(st_pixels pixels);
size_t st_image_bytes(const st_image *image);

/* Write a PNG, atomically; the same image gives the same bytes.
 *
 * Fails   ST_ERR_USAGE an image without pixels; ST_ERR_LIMIT above ST_IMAGE_SIDE_MAX; ST_ERR_IO.
 * Source  PNG (ISO 15948): filter per row by the least sum of absolute differences.
 */
ST_CHECKED st_status st_image_write_png(const char *path, const st_image *image);

/* The PNG as bytes in the arena. */
ST_CHECKED st_status st_image_encode_png(st_arena *arena, st_str *png, const st_image *image);

/* Decode a PNG or JPEG into the arena, in the wanted form. Gray pictures become RGB by repeating;
 * colour never becomes gray, and 16 bits never become 8 or the reverse.
 *
 *   name    of the picture, for the sentence of a failure
 *
 * Fails   ST_ERR_FORMAT not a picture, or cut; ST_ERR_DATA another kind of pixels than wanted;
 *         ST_ERR_LIMIT; ST_ERR_UNSUPPORTED a build without FFmpeg.
 */
ST_CHECKED st_status st_image_decode(st_arena *arena, st_image *image, st_pixels wanted,
                                     st_str bytes, const char *name);
ST_CHECKED st_status st_image_read(st_arena *arena, st_image *image, st_pixels wanted,
                                   const char *path);

#endif
