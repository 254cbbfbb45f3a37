/* Files come whole or with a sentence, and go out whole or not at all. */
#include "check.h"

#include "kernels/base/digest.h"
#include "kernels/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/st_files_XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static const char *in_folder(const char *name)
{
    static char path[2][200];
    static int  turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void what_is_committed_is_there(void **state)
{
    (void)state;
    st_arena arena;
    st_arena_init(&arena, "test");
    must(st_file_write(in_folder("a b/\xC3\xA9/out.txt"), "hello", 5));
    st_str bytes;
    must(st_file_read(&arena, &bytes, in_folder("a b/\xC3\xA9/out.txt"), 100));
    assert_true(st_str_is(bytes, "hello"));
    assert_int_equal(st_file_read(&arena, &bytes, in_folder("a b/\xC3\xA9/out.txt"), 4).code,
                     ST_ERR_LIMIT);

    const char **names;
    size_t count;
    must(st_folder_list(&arena, &names, &count, in_folder("a b/\xC3\xA9")));
    assert_int_equal(count, 1);         /* no .part is left */
    st_arena_free(&arena);
}

static void the_old_file_stands_until_commit(void **state)
{
    (void)state;
    st_out out;
    must(st_file_write(in_folder("kept"), "old", 3));
    must(st_out_open(&out, in_folder("kept")));
    must(st_out_write(&out, "new", 3));
    st_map map;
    must(st_map_open(&map, in_folder("kept")));
    assert_memory_equal(map.data, "old", 3);
    st_map_close(&map);
    st_out_discard(&out);
    assert_false(st_file_exists(in_folder("kept.part")));
    st_out_discard(&out);               /* twice is fine */
}

/* A device that is written to by name stays a device. */
static void only_a_plain_file_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    st_out out;
    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s/pipe: expected a file to write, found a special file",
             folder);
    must_fail(st_out_open(&out, in_folder("pipe")), ST_ERR_IO, sentence);
    snprintf(sentence, sizeof sentence, "%s: expected a file to write, found a folder", folder);
    must_fail(st_out_open(&out, folder), ST_ERR_IO, sentence);
    assert_false(st_file_exists(in_folder("pipe.part")));

    st_arena arena;
    st_arena_init(&arena, "test");
    const char **names;
    size_t count;
    must(st_file_write(in_folder("plain"), "x", 1));
    snprintf(sentence, sizeof sentence, "%s/plain: expected a folder, found a file", folder);
    must_fail(st_folder_list(&arena, &names, &count, in_folder("plain")), ST_ERR_IO, sentence);
    st_arena_free(&arena);
}

/* A file size limit stands in for a full disk: the write fails the same way. */
static void a_full_disk_leaves_nothing_half_written(void **state)
{
    (void)state;
    static const char bytes[5000];
    const rlim_t before = file_limit(1000);
    const st_status s = st_file_write(in_folder("big"), bytes, sizeof bytes);
    file_limit(before);
    assert_int_equal(s.code, ST_ERR_IO);
    assert_non_null(strstr(s.text, "big.part: File too large"));
    assert_false(st_file_exists(in_folder("big")));
    assert_false(st_file_exists(in_folder("big.part")));
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    st_map map;
    char sentence[260];
    snprintf(sentence, sizeof sentence, "%s: No such file or directory", in_folder("absent"));
    must_fail(st_map_open(&map, in_folder("absent")), ST_ERR_IO, sentence);
    snprintf(sentence, sizeof sentence, "%s: expected a file, found a folder", folder);
    must_fail(st_map_open(&map, folder), ST_ERR_IO, sentence);
    must(st_file_write(in_folder("plain"), "", 0));
    assert_int_equal(st_folder_make(in_folder("plain")).code, ST_ERR_IO);
    must(st_map_open(&map, in_folder("plain")));
    assert_int_equal(map.size, 0);
    st_map_close(&map);
}

/* A file cut short after it was opened must not pull the memory away from its reader. */
static void a_map_outlives_its_file(void **state)
{
    (void)state;
    st_map map;
    must(st_file_write(in_folder("shrinks"), "0123456789", 10));
    must(st_map_open(&map, in_folder("shrinks")));
    assert_int_equal(truncate(in_folder("shrinks"), 0), 0);
    assert_memory_equal(map.data, "0123456789", 10);
    st_map_close(&map);
}

static void names_and_stems(void **state)
{
    (void)state;
    assert_true(st_str_is(st_path_name("/a/b.json"), "b.json"));
    assert_true(st_str_is(st_path_name("scans/scene0000_00/"), "scene0000_00"));
    assert_true(st_str_is(st_path_stem("/a/b.tar.gz"), "b.tar"));
    assert_true(st_str_is(st_path_stem(".hidden"), ".hidden"));
}

/* The examples of FIPS 180-4 and its million a's. */
static void digests_are_sha256(void **state)
{
    (void)state;
    char text[65];
    st_digest d = st_digest_of("abc", 3);
    assert_string_equal(st_digest_print(text, &d),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    d = st_digest_of("", 0);
    assert_string_equal(st_digest_print(text, &d),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    st_sha256 h;
    st_sha256_start(&h);
    char block[1000];
    memset(block, 'a', sizeof block);
    size_t left = 1000000;
    for (size_t step = 1; left > 0; step = step % 997 + 1) {
        const size_t size = step < left ? step : left;
        st_sha256_add(&h, block, size);
        left -= size;
    }
    d = st_sha256_end(&h);
    assert_string_equal(st_digest_print(text, &d),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Killed outright while it writes: where files can do without a name, nothing is left. */
static void a_killed_writer_leaves_nothing(void **state)
{
    (void)state;
    const int probe = open(folder, O_TMPFILE | O_WRONLY, 0600);
    if (probe < 0) {
        printf("skipped: %s cannot hold files without a name\n", folder);
        return;
    }
    close(probe);
    const pid_t child = fork();
    if (child == 0) {
        st_out out;
        if (st_out_open(&out, in_folder("killed")).code == ST_OK &&
            st_out_write(&out, "half", 4).code == ST_OK)
            raise(SIGKILL);
        _exit(0);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_false(st_file_exists(in_folder("killed")));
    assert_false(st_file_exists(in_folder("killed.part")));

    must(st_file_write(in_folder("left.part"), "old", 3));      /* of an older crash */
    must(st_file_write(in_folder("left"), "new", 3));
    assert_true(st_file_exists(in_folder("left")));
    assert_false(st_file_exists(in_folder("left.part")));
}

/* Neither waited for nor read for ever. */
static void what_is_no_file_is_not_read(void **state)
{
    (void)state;
    st_arena arena;
    st_str bytes;
    st_digest digest;
    char sentence[300];
    st_arena_init(&arena, "test");
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    snprintf(sentence, sizeof sentence, "%s: expected a file, found a special file",
             in_folder("fifo"));
    alarm(10);
    must_fail(st_digest_of_file(&digest, in_folder("fifo")), ST_ERR_IO, sentence);
    must_fail(st_file_read(&arena, &bytes, in_folder("fifo"), 100), ST_ERR_IO, sentence);
    must_fail(st_digest_of_file(&digest, "/dev/zero"), ST_ERR_IO,
              "/dev/zero: expected a file, found a special file");
    alarm(0);
    st_arena_free(&arena);
}

/* The part of a path that is no folder is named, not what was wanted below it. */
static void what_is_no_folder_is_named(void **state)
{
    (void)state;
    st_arena arena;
    const char **names;
    size_t count;
    char sentence[300];
    st_arena_init(&arena, "test");
    must(st_file_write(in_folder("plain"), "x", 1));
    snprintf(sentence, sizeof sentence, "%s: expected a folder, found a file", in_folder("plain"));
    must_fail(st_folder_make(in_folder("plain")), ST_ERR_IO, sentence);
    must_fail(st_folder_make(in_folder("plain/a/b")), ST_ERR_IO, sentence);
    must_fail(st_file_write(in_folder("plain/a/b"), "x", 1), ST_ERR_IO, sentence);
    must_fail(st_folder_list(&arena, &names, &count, in_folder("plain")), ST_ERR_IO, sentence);
    must_fail(st_folder_list(&arena, &names, &count, "/dev/null"), ST_ERR_IO,
              "/dev/null: expected a folder, found a special file");
    must_fail(st_folder_make("/dev/null/x"), ST_ERR_IO,
              "/dev/null: expected a folder, found a special file");
    must(st_file_remove(in_folder("plain/a")));
    st_arena_free(&arena);
}

/* An output that would take an input's place is known by any of its names. */
static void a_file_is_known_by_any_name(void **state)
{
    (void)state;
    must(st_file_write(in_folder("in/rows"), "x", 1));
    must(st_file_write(in_folder("inside"), "y", 1));
    assert_int_equal(symlink("in/rows", in_folder("link")), 0);
    assert_int_equal(link(in_folder("in/rows"), in_folder("hard")), 0);
    assert_true(st_file_is_part_of(in_folder("in/../in/rows"), in_folder("in/rows")));
    assert_true(st_file_is_part_of(in_folder("link"), in_folder("in/rows")));
    assert_true(st_file_is_part_of(in_folder("hard"), in_folder("in/rows")));
    assert_true(st_file_is_part_of(in_folder("link"), in_folder("in")));
    assert_false(st_file_is_part_of(in_folder("inside"), in_folder("in")));
    assert_false(st_file_is_part_of(in_folder("in/fresh"), in_folder("in")));   /* not there yet */
    assert_false(st_file_is_part_of(in_folder("inside"), in_folder("nothing")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_there),
        cmocka_unit_test(the_old_file_stands_until_commit),
        cmocka_unit_test(only_a_plain_file_is_replaced),
        cmocka_unit_test(a_full_disk_leaves_nothing_half_written),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_map_outlives_its_file),
        cmocka_unit_test(a_killed_writer_leaves_nothing),
        cmocka_unit_test(what_is_no_file_is_not_read),
        cmocka_unit_test(what_is_no_folder_is_named),
        cmocka_unit_test(names_and_stems),
        cmocka_unit_test(a_file_is_known_by_any_name),
        cmocka_unit_test(digests_are_sha256),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
