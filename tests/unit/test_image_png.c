/* A PNG, taken apart by hand, holds the pixels that went in. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/base/inflate.h"
#include "kernels/media/image.h"

static uint32_t u32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Undo one row's filter in place; a second way to write what image_png.c does. */
static void unfilter(unsigned char *row, const unsigned char *above, int size, int step, int kind)
{
    for (int i = 0; i < size; i++) {
        const int a = i < step ? 0 : row[i - step], b = above[i];
        const int c = i < step ? 0 : above[i - step];
        const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
        const int nearest = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
        const int guess[] = {0, a, b, (a + b) / 2, nearest};
        row[i] = (unsigned char)(row[i] + guess[kind]);
    }
}

static void check(const st_image *image, int bits, int colour)
{
    st_arena arena;
    st_arena_init(&arena, "test");
    st_str png;
    must(st_image_encode_png(&arena, &png, image));
    assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(u32(png.data + 8), 13);
    assert_int_equal(u32(png.data + 16), image->columns);
    assert_int_equal(u32(png.data + 20), image->rows);
    assert_int_equal(png.data[24], bits);
    assert_int_equal(png.data[25], colour);
    assert_int_equal(u32(png.data + 29), st_crc32(0, png.data + 12, 17));

    const char *data = png.data + 33;
    assert_memory_equal(data + 4, "IDAT", 4);
    const int step = (int)st_pixel_bytes(image->pixels), size = step * (int)image->columns;
    unsigned char *rows, *above;
    must(ST_ALLOC(&arena, &rows, (size_t)(size + 1) * (size_t)image->rows));
    must(ST_ALLOC(&arena, &above, (size_t)size));
    must(st_inflate(rows, (size_t)(size + 1) * (size_t)image->rows, data + 8, u32(data)));
    for (int64_t r = 0; r < image->rows; r++) {
        unsigned char *row = rows + r * (size + 1);
        unfilter(row + 1, above, size, step, row[0]);
        memcpy(above, row + 1, (size_t)size);
        for (int i = 0; i < size; i++) {
            const unsigned char *in = (const unsigned char *)image->data + r * size;
            const int expected = bits == 16 ? in[i ^ 1] : in[i];
            assert_int_equal(row[1 + i], expected);
        }
    }
    st_arena_free(&arena);
}

static void pixels_survive(void **state)
{
    (void)state;
    unsigned char rgb[7 * 5 * 3], gray[4 * 9];
    uint16_t depth[3 * 4];
    for (size_t i = 0; i < COUNT(rgb); i++)
        rgb[i] = (unsigned char)(i * 37 + i / 7);
    for (size_t i = 0; i < COUNT(gray); i++)
        gray[i] = (unsigned char)(i * i);
    for (size_t i = 0; i < COUNT(depth); i++)
        depth[i] = (uint16_t)(i * 5003);
    check(&(st_image){rgb, 7, 5, ST_PIXELS_RGB8}, 8, 2);
    check(&(st_image){gray, 4, 9, ST_PIXELS_GRAY8}, 8, 0);
    check(&(st_image){depth, 3, 4, ST_PIXELS_GRAY16}, 16, 0);
}

static void an_empty_image_is_refused(void **state)
{
    (void)state;
    unsigned char one[3] = {0};
    must_fail(st_image_write_png("/tmp/never.png", &(st_image){one, 0, 4, ST_PIXELS_RGB8}),
              ST_ERR_USAGE, "/tmp/never.png: an image needs pixels, has 4 x 0");
    must_fail(st_image_write_png("/tmp/never.png", &(st_image){one, 1, 40000, ST_PIXELS_RGB8}),
              ST_ERR_LIMIT,
              "/tmp/never.png: an image of 40000 x 1 pixels, at most 32768 on a side");
    assert_false(st_file_exists("/tmp/never.png"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_survive),
        cmocka_unit_test(an_empty_image_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
