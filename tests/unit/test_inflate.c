/* What was packed comes back; a broken stream is named. */
#include "check.h"

#include "kernels/base/inflate.h"

static void packed_bytes_come_back(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    enum { SIZE = 100000 };
    unsigned char *bytes, *back;
    must(ST_ALLOC(&arena, &bytes, SIZE));
    must(ST_ALLOC(&arena, &back, SIZE));
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)((unsigned)i * (unsigned)i >> 7);
    for (int level = 0; level <= 9; level += 3) {
        st_str packed;
        must(st_deflate(&arena, &packed, bytes, SIZE, level));
        must(st_inflate(back, SIZE, packed.data, packed.size));
        assert_memory_equal(bytes, back, SIZE);

        must_fail(st_inflate(back, SIZE - 1, packed.data, packed.size), ST_ERR_FORMAT,
                  "zlib: expected 99999 bytes, found more");
        const st_status cut = st_inflate(back, SIZE, packed.data, packed.size / 2);
        assert_int_equal(cut.code, ST_ERR_FORMAT);
        assert_non_null(strstr(cut.text, "zlib: the stream is cut after "));
    }
    st_str none;
    must(st_deflate(&arena, &none, "", 0, 6));
    must(st_inflate(back, 0, none.data, none.size));
    must_fail(st_inflate(back, 5, none.data, none.size), ST_ERR_FORMAT,
              "zlib: expected 5 bytes, found 0");
    must_fail(st_inflate(back, 4, "junk", 4), ST_ERR_FORMAT,
              "zlib: incorrect header check after 0 of 4 bytes");
    assert_int_equal(st_crc32(0, "123456789", 9), 0xcbf43926u);
    st_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(packed_bytes_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
