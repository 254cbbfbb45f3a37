/* Chosen frames, sizes and patches, by hand and against stored vectors. */
#include "check.h"

#include "kernels/media/resize.h"
#include "model/preprocess.h"
#include "model/safetensors.h"

static void frames_are_spread(void **state)
{
    (void)state;
    int64_t index[400], count;
    const st_frame_choice train = st_frame_choice_train(), eval = st_frame_choice_eval();

    must(st_frames_choose(index, &count, &train, 240, 24.0));      /* 300 asked, 128 at most */
    assert_int_equal(count, 128);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[127], 239);
    assert_int_equal(index[1], 2);                                  /* 239/127 = 1.88 */
    must(st_frames_choose(index, &count, &train, 5, 30.0));         /* no more than there are */
    assert_int_equal(count, 5);
    must(st_frames_choose(index, &count, &train, 600, 600.0));      /* 30 asked */
    assert_int_equal(count, 30);
    must(st_frames_choose(index, &count, &train, 20, 600.0));       /* 1 asked, 16 at least */
    assert_int_equal(count, 16);

    must(st_frames_choose(index, &count, &eval, 7, 30.0));          /* 3.7 asked: 4 */
    assert_int_equal(count, 4);
    static const int64_t four[] = {0, 2, 4, 6};
    assert_memory_equal(index, four, sizeof four);
    must(st_frames_choose(index, &count, &eval, 1000, 30.0));
    assert_int_equal(count, 128);
    must(st_frames_choose(index, &count, &eval, 3, 30.0));          /* never odd */
    assert_int_equal(count, 2);
    must(st_frames_choose(index, &count, &eval, 1, 30.0));
    assert_int_equal(count, 1);

    st_frame_choice fixed = eval;
    fixed.frames = 7;                                               /* 3.5 pairs: 8 frames */
    must(st_frames_choose(index, &count, &fixed, 100, 30.0));
    assert_int_equal(count, 8);
    assert_int_equal(index[7], 99);
    must_fail(st_frames_choose(index, &count, &train, 0, 30.0), ST_ERR_USAGE,
              "a video without frames");
    const st_frame_choice bad = {ST_SAMPLING_TRAIN, 30.0, 0, 9, 8};
    must_fail(st_frames_choose(index, &count, &bad, 10, 30.0), ST_ERR_USAGE,
              "cannot choose 9 to 8 frames at 30 a second");
}

static void sizes_follow_the_rule(void **state)
{
    (void)state;
    st_frame_size to;
    must(st_smart_resize_image(&to, (st_frame_size){300, 420}, 32, st_size_limits_image));
    assert_int_equal(to.rows, 288);
    assert_int_equal(to.columns, 416);
    must(st_smart_resize_image(&to, (st_frame_size){10, 10}, 32, st_size_limits_image));
    assert_int_equal(to.rows, 256);
    must(st_smart_resize_image(&to, (st_frame_size){8000, 6000}, 32, st_size_limits_image));
    assert_true(to.rows * to.columns <= 16777216);
    assert_int_equal(to.rows, 4704);

    /* Half rounds to even: 80 pixels are 2.5 tokens. */
    must(st_smart_resize_image(&to, (st_frame_size){80, 112}, 32, (st_size_limits){1, 1 << 20}));
    assert_int_equal(to.rows, 64);
    assert_int_equal(to.columns, 128);

    /* A floor that would give 0 gives one token. */
    const st_size_limits small = {4096, 65536};
    must(st_smart_resize_video(&to, (st_frame_size){32, 2000}, 4, 32, small));
    assert_int_equal(to.rows, 32);
    must_fail(st_smart_resize_image(&to, (st_frame_size){1, 201}, 32, st_size_limits_image),
              ST_ERR_DATA,
              "a frame of 201 x 1 pixels: one side may have at most 200 times the other");
    must_fail(st_smart_resize_image(&to, (st_frame_size){0, 5}, 32, st_size_limits_image),
              ST_ERR_DATA,
              "a frame of 5 x 0 pixels: one side may have at most 200 times the other");
}

/* Every pixel lands where the index formula of 4.4 says. */
static void patches_follow_the_formula(void **state)
{
    enum { H = 64, W = 96, GH = H / 16, GW = W / 16 };
    (void)state;
    st_model_config config;
    st_model_config_preset(&config, ST_MODEL_TINY);
    st_preprocessor *p;
    must(st_preprocessor_create(&p, (st_frame_size){H, W}, (st_frame_size){H, W}, &config.vision));
    static unsigned char video[3][H][W][3];
    static float patches[2 * GH * GW][1536];
    for (size_t i = 0; i < sizeof video; i++)
        ((unsigned char *)video)[i] = (unsigned char)(i * 2654435761u >> 13);
    const unsigned char *const frames[] = {&video[0][0][0][0], &video[1][0][0][0],
                                           &video[2][0][0][0]};
    st_preprocessor_video(p, &patches[0][0], frames, 3);
    for (int t = 0; t < 2; t++)
    for (int tau = 0; tau < 2; tau++)
    for (int c = 0; c < 3; c++)
    for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++) {
        const int by = y / 32, iy = y / 16 % 2, py = y % 16, bx = x / 32, ix = x / 16 % 2;
        const int n = (((t * (GH / 2) + by) * (GW / 2) + bx) * 2 + iy) * 2 + ix;
        const int f = ((c * 2 + tau) * 16 + py) * 16 + x % 16;
        const int frame = 2 * t + tau < 3 ? 2 * t + tau : 2;
        const float expected = ((float)video[frame][y][x][c] - 127.5f) / 127.5f;
        if (patches[n][f] != expected)
            fail_msg("t %d tau %d c %d y %d x %d", t, tau, c, y, x);
    }
    st_preprocessor_free(p);
    must_fail(st_preprocessor_create(&p, (st_frame_size){H, W}, (st_frame_size){48, W},
                                     &config.vision),
              ST_ERR_USAGE, "96 x 48 pixels do not split into tokens of 32 pixels");
}

/* --- stored vectors -------------------------------------------------------------------------- */

/* (T,3,H,W) of a file to frames of (H,W,3). */
static unsigned char *interleaved(st_arena *arena, const st_tensor *x)
{
    const int64_t T = x->shape[0], H = x->shape[2], W = x->shape[3];
    unsigned char *out;
    must(ST_ALLOC(arena, &out, (size_t)(T * H * W * 3)));
    for (int64_t t = 0; t < T; t++)
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < H * W; i++)
                out[(t * H * W + i) * 3 + c] =
                    ((const unsigned char *)x->data)[(t * 3 + c) * H * W + i];
    return out;
}

static void check_resize(st_arena *arena, const st_tensor *in, const st_tensor *out)
{
    const int64_t T = in->shape[0], H = in->shape[2], W = in->shape[3];
    const int64_t h = out->shape[2], w = out->shape[3];
    const unsigned char *from = interleaved(arena, in), *expected = interleaved(arena, out);
    unsigned char *to, *between;
    st_resize_axis rows, columns;
    must(ST_ALLOC(arena, &to, (size_t)(h * w * 3)));
    must(ST_ALLOC(arena, &between, (size_t)(H * w * 3)));
    must(st_resize_axis_plan(arena, &rows, H, h));
    must(st_resize_axis_plan(arena, &columns, W, w));
    for (int64_t t = 0; t < T; t++) {
        st_resize_rgb8(to, from + t * H * W * 3, between, &rows, &columns);
        assert_memory_equal(to, expected + t * h * w * 3, (size_t)(h * w * 3));
    }
}

static void stored_resizes_are_met(void **state)
{
    static const char *const names[] = {"1080p", "720p", "enlarge", "odd", "same"};
    (void)state;
    char path[300];
    if (!shared_path(path, sizeof path, "goldens/pre/resize.safetensors"))
        return;
    st_arena arena;
    st_safetensors *file;
    st_arena_init(&arena, "test");
    must(st_safetensors_open(&file, path));
    for (size_t i = 0; i < COUNT(names); i++) {
        char in[40], out[40];
        snprintf(in, sizeof in, "in.%s", names[i]);
        snprintf(out, sizeof out, "out.%s", names[i]);
        check_resize(&arena, st_safetensors_find(file, in), st_safetensors_find(file, out));
    }
    st_safetensors_close(file);
    st_arena_free(&arena);
}

static void stored_videos_are_met(void **state)
{
    static const char *const names[] = {"a", "b"};
    (void)state;
    st_model_config config;
    st_model_config_preset(&config, ST_MODEL_2B);
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[60], path[300];
        snprintf(name, sizeof name, "goldens/pre/%s.safetensors", names[i]);
        if (!shared_path(path, sizeof path, name))
            return;
        st_arena arena;
        st_safetensors *file;
        st_arena_init(&arena, "test");
        must(st_safetensors_open(&file, path));
        const st_tensor *in = st_safetensors_find(file, "frames");
        const st_tensor *expected = st_safetensors_find(file, "pixel_values");
        const int64_t   *grid = st_safetensors_find(file, "grid")->data;
        check_resize(&arena, in, st_safetensors_find(file, "resized_96x128"));

        const st_frame_size from = {in->shape[2], in->shape[3]};
        st_frame_size to;
        must(st_smart_resize_video(&to, from, in->shape[0], 32, (st_size_limits){4096, 65536}));
        const st_media_grid found = st_media_grid_of(in->shape[0], to, &config.vision);
        assert_int_equal(found.grids, grid[0]);
        assert_int_equal(found.rows, grid[1]);
        assert_int_equal(found.columns, grid[2]);

        const unsigned char *frames[16], *video = interleaved(&arena, in);
        for (int64_t t = 0; t < in->shape[0]; t++)
            frames[t] = video + t * from.rows * from.columns * 3;
        st_preprocessor *p;
        float *patches;
        must(ST_ALLOC(&arena, &patches, (size_t)st_tensor_count(expected)));
        must(st_preprocessor_create(&p, from, to, &config.vision));
        st_preprocessor_video(p, patches, frames, in->shape[0]);
        double worst = 0.0;
        for (int64_t k = 0; k < st_tensor_count(expected); k++)
            worst = fmax(worst, fabs((double)patches[k] - ((const float *)expected->data)[k]));
        printf("pre/%s: worst difference %g\n", names[i], worst);
        assert_near(worst, 0.0, 1e-6);
        st_preprocessor_free(p);
        st_safetensors_close(file);
        st_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_spread),
        cmocka_unit_test(sizes_follow_the_rule),
        cmocka_unit_test(patches_follow_the_formula),
        cmocka_unit_test(stored_resizes_are_met),
        cmocka_unit_test(stored_videos_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
