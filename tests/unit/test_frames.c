/* Frames from every kind of source, in order, at the right second, the right way up. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/media/frames.h"
#include "kernels/media/image.h"

#include <unistd.h>

#define VIDEO "tests/golden/video/"

typedef struct fixture {
    char folder[40];
    char path[100];
} fixture;

static int set_up(void **state)
{
    static fixture f;
    snprintf(f.folder, sizeof f.folder, "/tmp/st_frames_XXXXXX");
    *state = &f;
    return mkdtemp(f.folder) ? 0 : 1;
}

static int tear_down(void **state)
{
    const fixture *f = *state;
    return folder_remove(f->folder);
}

static const char *in(fixture *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
    return f->path;
}

/* A build without FFmpeg has nothing to test where pictures are decoded, and says so. */
static void skip_if_unsupported(st_status s)
{
    if (s.code != ST_ERR_UNSUPPORTED)
        return;
    printf("skipped: %s\n", s.text);
    skip();
}

#define open_or_skip(source, name)                                                                \
    do {                                                                                          \
        const st_status opened_ = st_frames_open((source), (name), 2.0);                          \
        skip_if_unsupported(opened_);                                                             \
        must(opened_);                                                                            \
    } while (0)

/* --- raw frames ------------------------------------------------------------------------------ */

static void write_raw(const char *path, int count)
{
    st_frames_writer w;
    unsigned char rgb[2 * 3 * 3];
    must(st_frames_writer_open(&w, path, 2, 3, 10.0));
    for (int i = 0; i < count; i++) {
        memset(rgb, i, sizeof rgb);
        must(st_frames_write(&w, rgb));
    }
    must(st_frames_commit(&w));
}

static void raw_frames_come_back(void **state)
{
    fixture *f = *state;
    st_frame_source *source;
    st_frame frame;
    bool got;
    write_raw(in(f, "a.stframes"), 7);
    must(st_frames_open(&source, f->path, 1.0));
    const st_frames_info info = st_frames_info_get(source);
    assert_int_equal(info.count, 7);
    assert_int_equal(info.rows, 2);
    assert_int_equal(info.columns, 3);
    assert_near(info.duration_s, 0.7, 1e-12);
    must(st_frames_next(source, &frame, &got));
    assert_int_equal(frame.rgb[17], 0);
    must(st_frames_at(source, &frame, 4));
    assert_int_equal(frame.rgb[0], 4);
    assert_near(frame.time_s, 0.4, 1e-12);
    must(st_frames_next(source, &frame, &got));
    assert_int_equal(frame.index, 5);
    must_fail(st_frames_at(source, &frame, 7), ST_ERR_DATA, "frame 7 of 7");
    st_frames_close(source);
}

static void a_pipe_gives_frames_until_it_ends(void **state)
{
    fixture *f = *state;
    char line[300], name[200];
    st_frame_source *source;
    st_frame frame;
    bool got;
    snprintf(line, sizeof line, "mkfifo '%s' && (printf 'aaabbbccc' > '%s') &", in(f, "pipe"),
             f->path);
    assert_int_equal(system(line), 0);
    snprintf(name, sizeof name, "raw:1x1@5:%s", f->path);
    for (int i = 0; access(f->path, F_OK) != 0 && i < 1000; i++)
        usleep(1000);
    must(st_frames_open(&source, name, 1.0));
    assert_int_equal(st_frames_info_get(source).count, -1);
    must(st_frames_at(source, &frame, 1));
    assert_int_equal(frame.rgb[0], 'b');
    must(st_frames_next(source, &frame, &got));
    assert_true(got);
    must(st_frames_next(source, &frame, &got));
    assert_false(got);
    st_frames_close(source);
}

static void bad_raw_sources_are_named(void **state)
{
    fixture *f = *state;
    st_frame_source *source;
    char sentence[240], name[160];
    must_fail(st_frames_open(&source, "raw:12@5:x", 1.0), ST_ERR_USAGE,
              "expected raw:WIDTHxHEIGHT@FPS:PATH, found \"raw:12@5:x\"");
    must_fail(st_frames_open(&source, "raw:0x4@5:/dev/null", 1.0), ST_ERR_LIMIT,
              "/dev/null: frames of 0 x 4 pixels: a side must be 1 to 32768");
    must(st_file_write(in(f, "cut.rgb"), "12345", 5));
    snprintf(name, sizeof name, "raw:1x1@5:%s", f->path);
    snprintf(sentence, sizeof sentence,
             "%s: 5 bytes of pixels are not a number of frames of 3 bytes", f->path);
    must_fail(st_frames_open(&source, name, 1.0), ST_ERR_FORMAT, sentence);
    must(st_file_write(in(f, "x.stframes"), "STFRAMEZ............................", 36));
    snprintf(sentence, sizeof sentence, "%s: does not start with STFRAMES", f->path);
    must_fail(st_frames_open(&source, f->path, 1.0), ST_ERR_FORMAT, sentence);
    snprintf(sentence, sizeof sentence, "%s: No such file or directory", in(f, "no.stframes"));
    must_fail(st_frames_open(&source, f->path, 1.0), ST_ERR_IO, sentence);
}

/* --- pictures -------------------------------------------------------------------------------- */

static void write_png(fixture *f, const char *name, unsigned char level, int64_t columns)
{
    unsigned char rgb[2 * 8 * 3];
    memset(rgb, level, sizeof rgb);
    must(st_image_write_png(in(f, name), &(st_image){rgb, 2, columns, ST_PIXELS_RGB8}));
}

static void folders_are_sorted_by_number(void **state)
{
    fixture *f = *state;
    st_frame_source *source;
    st_frame frame;
    bool got;
    write_png(f, "f10.png", 10, 4);
    write_png(f, "f9.png", 9, 8);
    write_png(f, "f1.PNG", 1, 4);
    must(st_file_write(in(f, "notes.md"), "x", 1));
    open_or_skip(&source, f->folder);
    assert_int_equal(st_frames_info_get(source).count, 3);
    static const int levels[] = {1, 9, 10};
    for (int i = 0; i < 3; i++) {
        must(st_frames_next(source, &frame, &got));
        assert_true(got);
        assert_int_equal(frame.rgb[0], levels[i]);
        assert_near(frame.time_s, i * 0.5, 0);
    }
    assert_int_equal(frame.columns, 4);
    must(st_frames_next(source, &frame, &got));
    assert_false(got);
    st_frames_close(source);

    must(st_file_write(in(f, "list.txt"), "f10.png\n\nf1.PNG\n", 16));
    must(st_frames_open(&source, f->path, 2.0));
    must(st_frames_at(source, &frame, 1));
    assert_int_equal(frame.rgb[0], 1);
    st_frames_close(source);
}

static void pictures_keep_their_pixels(void **state)
{
    fixture *f = *state;
    st_arena arena;
    st_image image;
    st_arena_init(&arena, "test");
    uint16_t depth[5 * 3];
    unsigned char rgb[5 * 3 * 3];
    for (int i = 0; i < 15; i++)
        depth[i] = (uint16_t)(i * 4097);
    for (int i = 0; i < 45; i++)
        rgb[i] = (unsigned char)(i * 91);
    must(st_image_write_png(in(f, "depth.png"), &(st_image){depth, 5, 3, ST_PIXELS_GRAY16}));
    const st_status s = st_image_read(&arena, &image, ST_PIXELS_GRAY16, f->path);
    skip_if_unsupported(s);
    must(s);
    assert_int_equal(image.rows, 5);
    assert_memory_equal(image.data, depth, sizeof depth);

    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s: expected 8-bit pixels, found 16-bit gray", f->path);
    must_fail(st_image_read(&arena, &image, ST_PIXELS_RGB8, f->path), ST_ERR_DATA, sentence);

    must(st_image_write_png(in(f, "rgb.png"), &(st_image){rgb, 5, 3, ST_PIXELS_RGB8}));
    must(st_image_read(&arena, &image, ST_PIXELS_RGB8, f->path));
    assert_memory_equal(image.data, rgb, sizeof rgb);
    snprintf(sentence, sizeof sentence, "%s: expected 8-bit gray pixels, found colour", f->path);
    must_fail(st_image_read(&arena, &image, ST_PIXELS_GRAY8, f->path), ST_ERR_DATA, sentence);

    must(st_image_write_png(in(f, "gray.png"), &(st_image){rgb, 9, 5, ST_PIXELS_GRAY8}));
    must(st_image_read(&arena, &image, ST_PIXELS_GRAY8, f->path));
    assert_memory_equal(image.data, rgb, sizeof rgb);
    must(st_image_read(&arena, &image, ST_PIXELS_RGB8, f->path));
    for (int i = 0; i < 45; i++)
        assert_int_equal(((unsigned char *)image.data)[3 * i + i % 3], rgb[i]);

    must_fail(st_image_decode(&arena, &image, ST_PIXELS_RGB8, st_str_from("GIF89a"), "x.png"),
              ST_ERR_FORMAT, "x.png: neither PNG nor JPEG");
    st_arena_free(&arena);
}

/* --- videos ---------------------------------------------------------------------------------- */

/* Red of a frame whose luma is `luma` and which has no red-difference. */
static void check_luma(const st_frame *frame, int luma)
{
    assert_near(frame->rgb[0], 1.1644 * (luma - 16), 3.0);
}

static void every_frame_at_its_time(void **state)
{
    (void)state;
    st_frame_source *source;
    st_frame frame;
    bool got;
    open_or_skip(&source, VIDEO "steady.mp4");
    const st_frames_info info = st_frames_info_get(source);
    assert_int_equal(info.count, 50);
    assert_near(info.fps, 25.0, 1e-9);
    assert_near(info.duration_s, 2.0, 1e-6);
    assert_int_equal(info.columns, 64);
    for (int i = 0; i < 50; i++) {
        must(st_frames_next(source, &frame, &got));
        assert_true(got);
        assert_near(frame.time_s, i / 25.0, 1e-6);
        check_luma(&frame, 20 + 4 * i);
    }
    must(st_frames_next(source, &frame, &got));
    assert_false(got);
    st_frames_close(source);
}

/* Jumping over key frames gives the very frames that reading gives. */
static void jumps_land_on_the_frame(void **state)
{
    static const char *const names[] = {VIDEO "steady.mp4", VIDEO "plain.avi", VIDEO "bare.h264",
                                        VIDEO "uneven.mp4"};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        st_frame_source *one, *all;
        st_frame a, b;
        open_or_skip(&one, names[i]);
        const int64_t count = st_frames_info_get(one).count;
        st_frames_close(one);
        for (int64_t step = 2; step < count; step += 5) {
            must(st_frames_open(&one, names[i], 1.0));
            must(st_frames_open(&all, names[i], 1.0));
            bool got = true;
            for (int64_t at = 0; at < count; at += step) {
                must(st_frames_at(one, &a, at));
                do
                    must(st_frames_next(all, &b, &got));
                while (b.index < at);
                assert_near(a.time_s, b.time_s, 0);
                assert_memory_equal(a.rgb, b.rgb, (size_t)(a.rows * a.columns * 3));
            }
            st_frames_close(one);
            st_frames_close(all);
        }
    }
}

static void uneven_rates_keep_their_times(void **state)
{
    (void)state;
    st_frame_source *source;
    st_frame frame;
    open_or_skip(&source, VIDEO "uneven.mp4");
    assert_int_equal(st_frames_info_get(source).count, 30);
    must(st_frames_at(source, &frame, 9));
    assert_near(frame.time_s, 9 / 25.0, 1e-4);
    check_luma(&frame, 20 + 4 * 9);
    must(st_frames_at(source, &frame, 10));
    assert_near(frame.time_s, 30 / 25.0, 1e-4);
    check_luma(&frame, 20 + 4 * 30);
    st_frames_close(source);
}

static void turned_videos_stand_upright(void **state)
{
    (void)state;
    st_frame_source *source;
    st_frame frame;
    open_or_skip(&source, VIDEO "turned.mp4");
    must(st_frames_at(source, &frame, 20));
    assert_int_equal(frame.rows, 64);
    assert_int_equal(frame.columns, 48);
    /* As coded the left half has little blue. ffmpeg itself turns that half to the bottom. */
    const int top = frame.rgb[(4 * 48 + 24) * 3 + 2], bottom = frame.rgb[(60 * 48 + 24) * 3 + 2];
    assert_true(bottom + 60 < top);
    st_frames_close(source);
}

static void what_is_no_video_says_so(void **state)
{
    fixture *f = *state;
    st_frame_source *source;
    char sentence[240];
    const st_status s = st_frames_open(&source, VIDEO "sound.mp4", 1.0);
    skip_if_unsupported(s);
    assert_string_equal(s.text, VIDEO "sound.mp4: no video stream");
    snprintf(sentence, sizeof sentence, "%s: No such file or directory", in(f, "none.mp4"));
    must_fail(st_frames_open(&source, f->path, 1.0), ST_ERR_IO, sentence);
    must(st_file_write(in(f, "junk.mp4"), "this is no video at all", 23));
    snprintf(sentence, sizeof sentence,
             "%s: not a video: Invalid data found when processing input", f->path);
    must_fail(st_frames_open(&source, f->path, 1.0), ST_ERR_FORMAT, sentence);
    snprintf(sentence, sizeof sentence, "%s: no .png or .jpg in the folder", f->folder);
    must_fail(st_frames_open(&source, f->folder, 1.0), ST_ERR_DATA, sentence);
}

/* A copy cut short gives the frames it still has, the last one in place of those it lost. */
static void cut_videos_give_what_they_have(void **state)
{
    static const char *const names[] = {"plain.avi", "bare.h264", "steady.mp4"};
    fixture *f = *state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char whole[100];
        st_map map;
        snprintf(whole, sizeof whole, VIDEO "%s", names[i]);
        must(st_map_open(&map, whole));
        must(st_file_write(in(f, names[i]), map.data, map.size * 9 / 10));
        st_map_close(&map);

        st_frame_source *source;
        st_frame frame;
        bool got = true;
        int64_t count = 0;
        open_or_skip(&source, f->path);
        for (;; count++) {
            must(st_frames_next(source, &frame, &got));
            if (!got)
                break;
            assert_true(frame.rows > 0);
        }
        assert_int_equal(count, st_frames_info_get(source).count);
        assert_in_range(count, 5, 50);
        st_frames_close(source);
    }
}

static void streams_are_thinned(void **state)
{
    (void)state;
    int64_t ticks = 0;
    int due = 0;
    for (int i = 0; i < 100; i++)
        due += st_frames_due(&ticks, 2.0, i / 30.0);
    assert_int_equal(due, 7);                       /* 0, 0.5, ... 3.0 of 3.3 seconds */
    assert_true(st_frames_due(&ticks, 2.0, 60.0));  /* a gap is not made up for */
    assert_false(st_frames_due(&ticks, 2.0, 60.1));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(raw_frames_come_back),
        TEST(a_pipe_gives_frames_until_it_ends),
        TEST(bad_raw_sources_are_named),
        TEST(folders_are_sorted_by_number),
        TEST(pictures_keep_their_pixels),
        TEST(every_frame_at_its_time),
        TEST(jumps_land_on_the_frame),
        TEST(uneven_rates_keep_their_times),
        TEST(turned_videos_stand_upright),
        TEST(what_is_no_video_says_so),
        TEST(cut_videos_give_what_they_have),
        TEST(streams_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
