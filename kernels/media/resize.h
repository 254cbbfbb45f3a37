/* resize.h - frames in another size, the way the model's training data was resized.
 *
 * May include: kernels/base.
 */
#ifndef ST_MEDIA_RESIZE_H
#define ST_MEDIA_RESIZE_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

/* The filter of one axis: output i is the sum of weight[i*width+k] * input[first[i]+k] over
 * k < count[i], in units of 2^-bits. */
typedef struct st_resize_axis {
    int64_t  in, out;               /* pixels                                  */
    int64_t  width;                 /* most inputs that one output needs       */
    int32_t *first, *count;         /* (out)                                   */
    int16_t *weight;                /* (out,width)                             */
    int      bits;                  /* 0: the axis keeps its size              */
} st_resize_axis;

/* Bicubic (a = -0.5), widened by the scale when shrinking so that nothing aliases; weights rounded
 * to 16 bits.
 *
 * Fails   ST_ERR_USAGE a size below 1; ST_ERR_LIMIT above ST_IMAGE_SIDE_MAX.
 * Source  model.md 4.2; Keys 1981 for the kernel; the integer form is torchvision's.
 */
ST_CHECKED st_status st_resize_axis_plan(st_arena *arena, st_resize_axis *axis, int64_t in,
                                         int64_t out);

/* Resize RGB8 frames: across first, rounded to 8 bits, then down.
 *
 *   to       (rows->out, columns->out, 3)
 *   from     (rows->in, columns->in, 3)
 *   between  (rows->in, columns->out, 3), scratch
 */
void st_resize_rgb8(unsigned char *to, const unsigned char *from, unsigned char *between,
                    const st_resize_axis *rows, const st_resize_axis *columns);

#endif
