/* image_png.c - PNG out, with nothing but zlib. */
#include "kernels/media/image.h"

#include "kernels/base/files.h"
#include "kernels/base/inflate.h"
#include "kernels/base/limits.h"

#include <stdlib.h>
#include <string.h>

enum { FILTER_COUNT = 5, LEVEL = 6 };

static const struct {
    size_t        bytes;
    unsigned char bits, colour_type;        /* as the IHDR chunk says them */
} kinds[ST_PIXELS_COUNT] = {
    [ST_PIXELS_RGB8] = {3, 8, 2}, [ST_PIXELS_GRAY8] = {1, 8, 0}, [ST_PIXELS_GRAY16] = {2, 16, 0},
};

size_t st_pixel_bytes(st_pixels pixels)
{
    ST_ASSERT((unsigned)pixels < ST_PIXELS_COUNT);
    return kinds[pixels].bytes;
}

size_t st_image_bytes(const st_image *image)
{
    return (size_t)image->rows * (size_t)image->columns * st_pixel_bytes(image->pixels);
}

/* The neighbour (left, up, or up-left) that is nearest to left + up - upleft. */
static unsigned char paeth(int left, int up, int corner)
{
    const int guess = left + up - corner;
    const int a = abs(guess - left), b = abs(guess - up), c = abs(guess - corner);
    if (a <= b && a <= c)
        return (unsigned char)left;
    return (unsigned char)(b <= c ? up : corner);
}

/* row minus its prediction by filter `kind`, into out; returns the sum of absolute differences. */
static uint64_t filter_row(unsigned char *out, const unsigned char *row, const unsigned char *above,
                           size_t size, size_t step, int kind)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        const int left = i >= step ? row[i - step] : 0;
        const int up = above[i];
        const int corner = i >= step ? above[i - step] : 0;
        int guess = 0;
        switch (kind) {
        case 1: guess = left; break;
        case 2: guess = up; break;
        case 3: guess = (left + up) / 2; break;
        case 4: guess = paeth(left, up, corner); break;
        }
        out[i] = (unsigned char)(row[i] - guess);
        sum += (uint64_t)abs((signed char)out[i]);
    }
    return sum;
}

/* One row of the image as PNG stores it: 16-bit values with the high byte first. */
static void fetch_row(unsigned char *out, const st_image *image, int64_t r)
{
    const size_t size = (size_t)image->columns * st_pixel_bytes(image->pixels);
    const unsigned char *row = (const unsigned char *)image->data + (size_t)r * size;
    if (image->pixels != ST_PIXELS_GRAY16) {
        memcpy(out, row, size);
        return;
    }
    for (int64_t c = 0; c < image->columns; c++) {
        uint16_t value;
        memcpy(&value, row + 2 * c, sizeof value);
        out[2 * c] = (unsigned char)(value >> 8);
        out[2 * c + 1] = (unsigned char)value;
    }
}

/* Every row behind the number of its filter. */
static st_status filter_image(st_arena *arena, unsigned char **filtered, const st_image *image)
{
    const size_t step = st_pixel_bytes(image->pixels);
    const size_t size = (size_t)image->columns * step;
    unsigned char *row, *above, *trial;
    ST_TRY(ST_ALLOC(arena, filtered, (size + 1) * (size_t)image->rows));
    ST_TRY(ST_ALLOC(arena, &row, size));
    ST_TRY(ST_ALLOC(arena, &above, size));
    ST_TRY(ST_ALLOC(arena, &trial, size));
    for (int64_t r = 0; r < image->rows; r++) {
        unsigned char *out = *filtered + (size_t)r * (size + 1);
        uint64_t least = UINT64_MAX;
        fetch_row(row, image, r);
        for (int kind = 0; kind < FILTER_COUNT; kind++) {
            const uint64_t sum = filter_row(trial, row, above, size, step, kind);
            if (sum < least) {
                least = sum;
                out[0] = (unsigned char)kind;
                memcpy(out + 1, trial, size);
            }
        }
        unsigned char *const done = above;
        above = row;
        row = done;
    }
    return st_ok();
}

static void put_u32(unsigned char out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void add_chunk(st_text *png, const char type[4], const void *bytes, size_t size)
{
    unsigned char word[4];
    put_u32(word, (uint32_t)size);
    st_text_add_bytes(png, word, 4);
    st_text_add_bytes(png, type, 4);
    if (size > 0)
        st_text_add_bytes(png, bytes, size);
    put_u32(word, st_crc32(st_crc32(0, type, 4), bytes, size));
    st_text_add_bytes(png, word, 4);
}

static void add_chunks(st_text *png, const st_image *image, st_str packed)
{
    unsigned char header[13] = {0};         /* the last three: deflate, filters, no interlace */
    put_u32(header, (uint32_t)image->columns);
    put_u32(header + 4, (uint32_t)image->rows);
    header[8] = kinds[image->pixels].bits;
    header[9] = kinds[image->pixels].colour_type;
    st_text_add_bytes(png, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(png, "IHDR", header, sizeof header);
    add_chunk(png, "IDAT", packed.data, packed.size);
    add_chunk(png, "IEND", "", 0);
}

static st_status encode(st_arena *arena, st_text *png, const st_image *image)
{
    if (!image->data || image->rows < 1 || image->columns < 1)
        return ST_FAIL(ST_ERR_USAGE, "an image needs pixels, has %lld x %lld",
                       (long long)image->columns, (long long)image->rows);
    if (image->rows > ST_IMAGE_SIDE_MAX || image->columns > ST_IMAGE_SIDE_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "an image of %lld x %lld pixels, at most %d on a side",
                       (long long)image->columns, (long long)image->rows, ST_IMAGE_SIDE_MAX);
    unsigned char *filtered;
    st_str packed;
    ST_TRY(filter_image(arena, &filtered, image));
    const size_t size = (size_t)image->rows *
                        ((size_t)image->columns * st_pixel_bytes(image->pixels) + 1);
    ST_TRY(st_deflate(arena, &packed, filtered, size, LEVEL));
    add_chunks(png, image, packed);
    return st_text_check(png);
}

st_status st_image_encode_png(st_arena *arena, st_str *out, const st_image *image)
{
    st_text png;
    st_text_init(&png);
    st_status s = encode(arena, &png, image);
    if (s.code == ST_OK) {
        s = st_arena_copy_text(arena, &out->data, png.data, png.size);
        out->size = png.size;
    }
    st_text_free(&png);
    return s;
}

st_status st_image_write_png(const char *path, const st_image *image)
{
    st_arena arena;
    st_text  png;
    st_arena_init(&arena, "png");
    st_text_init(&png);
    st_status s = st_within(encode(&arena, &png, image), "%s", path);
    if (s.code == ST_OK)
        s = st_file_write(path, png.data, png.size);
    st_text_free(&png);
    st_arena_free(&arena);
    return s;
}
