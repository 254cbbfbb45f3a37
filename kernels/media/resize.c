/* resize.c - bicubic, antialiased, in integers: the same bytes on every machine. */
#include "kernels/media/resize.h"

#include "kernels/base/limits.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 3, BITS_MAX = 22, WEIGHT_END = 1 << 15 };

/* The cubic kernel with a = -0.5; 0 outside [-2,2]. */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

/* Normalised weights of output i into w; returns how many, and the first input. */
static int64_t weigh(double *w, int64_t *first, int64_t i, int64_t in, double scale)
{
    const double wide = scale > 1.0 ? scale : 1.0, support = 2.0 * wide, inverse = 1.0 / wide;
    const double centre = scale * ((double)i + 0.5);
    int64_t low = (int64_t)(centre - support + 0.5), high = (int64_t)(centre + support + 0.5);
    low = low > 0 ? low : 0;
    high = high < in ? high : in;
    double sum = 0.0;
    for (int64_t j = low; j < high; j++) {
        w[j - low] = cubic(((double)j - centre + 0.5) * inverse);
        sum += w[j - low];
    }
    for (int64_t k = 0; sum != 0.0 && k < high - low; k++)
        w[k] /= sum;
    *first = low;
    return high - low;
}

/* The most bits with which the largest weight still fits 16. */
static int choose_bits(double largest)
{
    int bits = BITS_MAX;
    while (bits > 0 && floor(ldexp(largest, bits) + 0.5) >= WEIGHT_END)
        bits--;
    return bits;
}

st_status st_resize_axis_plan(st_arena *arena, st_resize_axis *axis, int64_t in, int64_t out)
{
    if (in < 1 || out < 1)
        return ST_FAIL(ST_ERR_USAGE, "cannot resize %lld pixels to %lld", (long long)in,
                       (long long)out);
    if (in > ST_IMAGE_SIDE_MAX || out > ST_IMAGE_SIDE_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "resizing %lld pixels to %lld: at most %d are supported",
                       (long long)in, (long long)out, ST_IMAGE_SIDE_MAX);
    *axis = (st_resize_axis){.in = in, .out = out};
    if (in == out)
        return st_ok();

    const double scale = (double)in / (double)out;
    axis->width = 2 * (int64_t)ceil(2.0 * (scale > 1.0 ? scale : 1.0)) + 1;
    double *exact;
    ST_TRY(ST_ALLOC(arena, &exact, (size_t)(out * axis->width)));
    ST_TRY(ST_ALLOC(arena, &axis->first, (size_t)out));
    ST_TRY(ST_ALLOC(arena, &axis->count, (size_t)out));
    ST_TRY(ST_ALLOC(arena, &axis->weight, (size_t)(out * axis->width)));

    double largest = 0.0;
    for (int64_t i = 0; i < out; i++) {
        int64_t first;
        double *w = exact + i * axis->width;
        const int64_t count = weigh(w, &first, i, in, scale);
        ST_ASSERT(count <= axis->width);
        axis->first[i] = (int32_t)first;
        axis->count[i] = (int32_t)count;
        for (int64_t k = 0; k < count; k++)
            largest = w[k] > largest ? w[k] : largest;
    }
    axis->bits = choose_bits(largest);
    for (int64_t i = 0; i < out * axis->width; i++) {
        const double scaled = ldexp(exact[i], axis->bits);
        axis->weight[i] = (int16_t)(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
    }
    return st_ok();
}

/* An arithmetic shift, spelt so that C promises it. */
static int32_t shift_down(int32_t x, int bits)
{
    return x >= 0 ? x >> bits : ~(~x >> bits);
}

static unsigned char level(int32_t sum, int bits)
{
    const int32_t x = shift_down(sum + (1 << (bits - 1)), bits);
    return (unsigned char)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* One row, across. The sum stays inside 32 bits: |weights| of an output sum to less than 2^17. */
static void resize_row(unsigned char *to, const unsigned char *from, const st_resize_axis *axis)
{
    for (int64_t i = 0; i < axis->out; i++) {
        const int16_t       *w = axis->weight + i * axis->width;
        const unsigned char *x = from + (int64_t)axis->first[i] * CHANNELS;
        int32_t sum[CHANNELS] = {0};
        for (int32_t k = 0; k < axis->count[i]; k++) {
            for (int c = 0; c < CHANNELS; c++)
                sum[c] += w[k] * x[k * CHANNELS + c];
        }
        for (int c = 0; c < CHANNELS; c++)
            to[i * CHANNELS + c] = level(sum[c], axis->bits);
    }
}

/* One output row from several input rows of `size` bytes, downwards. Blocks of columns keep the
 * sums in registers and cache. */
static void resize_down(unsigned char *to, const unsigned char *from, int64_t size, int64_t i,
                        const st_resize_axis *axis)
{
    enum { BLOCK = 256 };
    const int16_t *w = axis->weight + i * axis->width;
    for (int64_t at = 0; at < size; at += BLOCK) {
        const int64_t count = size - at < BLOCK ? size - at : BLOCK;
        int32_t sum[BLOCK] = {0};
        for (int32_t k = 0; k < axis->count[i]; k++) {
            const unsigned char *x = from + (axis->first[i] + k) * size + at;
            for (int64_t b = 0; b < count; b++)
                sum[b] += w[k] * x[b];
        }
        for (int64_t b = 0; b < count; b++)
            to[at + b] = level(sum[b], axis->bits);
    }
}

void st_resize_rgb8(unsigned char *to, const unsigned char *from, unsigned char *between,
                    const st_resize_axis *rows, const st_resize_axis *columns)
{
    const int64_t in_size = columns->in * CHANNELS, out_size = columns->out * CHANNELS;
    const unsigned char *across = from;
    if (columns->bits > 0) {
        for (int64_t r = 0; r < rows->in; r++)
            resize_row(between + r * out_size, from + r * in_size, columns);
        across = between;
    }
    if (rows->bits == 0) {
        memcpy(to, across, (size_t)(rows->out * out_size));
        return;
    }
    for (int64_t r = 0; r < rows->out; r++)
        resize_down(to + r * out_size, across, out_size, r, rows);
}
