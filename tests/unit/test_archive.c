/* Members come out whole or not at all. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/media/archive.h"

static st_arena arena;
static const char SMALL[] = "tests/golden/small.zip";

static void members_are_listed_and_read(void **state)
{
    (void)state;
    st_archive *archive;
    st_str bytes;
    size_t index;
    must(st_archive_open(&archive, SMALL));
    assert_int_equal(st_archive_count(archive), 3);
    assert_string_equal(st_archive_name(archive, 1), "folder/");
    assert_true(st_archive_find(&index, archive, "stored.txt"));
    must(st_archive_read(&arena, &bytes, archive, index, 100));
    assert_string_equal(bytes.data, "four score\n");
    assert_true(st_archive_find(&index, archive, "folder/packed.txt"));
    must(st_archive_read(&arena, &bytes, archive, index, 2000));
    assert_int_equal(bytes.size, 2000);
    assert_memory_equal(bytes.data + 1990, "again and ", 10);
    assert_false(st_archive_find(&index, archive, "packed.txt"));

    must_fail(st_archive_read(&arena, &bytes, archive, index, 1999), ST_ERR_LIMIT,
              "folder/packed.txt: expected at most 1999 bytes, found 2000");
    must_fail(st_archive_read(&arena, &bytes, archive, 3, 1999), ST_ERR_USAGE,
              "expected a member below 3, found 3");
    st_archive_close(archive);
}

static void missing_and_broken_ones_are_named(void **state)
{
    (void)state;
    st_archive *archive;
    must_fail(st_archive_open(&archive, "nothing.zip"), ST_ERR_IO, "nothing.zip: No such file");
    must_fail(st_archive_open(&archive, "tests/golden/small.zip.how"), ST_ERR_FORMAT,
              "tests/golden/small.zip.how: Not a zip archive");
}

/* Flip each bit of the stored text: the CRC notices every one. */
static void damage_is_noticed(void **state)
{
    (void)state;
    st_str file, bytes;
    must(st_file_read(&arena, &file, SMALL, 1 << 20));
    char *damaged;
    must(ST_ALLOC(&arena, &damaged, file.size));
    memcpy(damaged, file.data, file.size);
    char *text = memmem(damaged, file.size, "four score", 10);
    assert_non_null(text);
    for (int bit = 0; bit < 80; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        st_archive *archive;
        must(st_archive_open_bytes(&archive, (st_str){damaged, file.size}));
        must_fail(st_archive_read(&arena, &bytes, archive, 0, 100), ST_ERR_FORMAT,
                  "stored.txt: CRC error");
        st_archive_close(archive);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_listed_and_read),
        cmocka_unit_test(missing_and_broken_ones_are_named),
        cmocka_unit_test(damage_is_noticed),
    };
    st_arena_init(&arena, "test");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    st_arena_free(&arena);
    return failed;
}
