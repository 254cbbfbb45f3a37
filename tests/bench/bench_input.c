/* bench_input.c - what stands in front of the network: tokens, frames, patches. CSV rows.
 *
 *   bench_input TOKENIZER_FOLDER TEXT_FILE [VIDEO]
 *
 * Best and median of several runs, on one thread.
 */
#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/progress.h"
#include "kernels/media/frames.h"
#include "kernels/media/resize.h"
#include "model/preprocess.h"
#include "model/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 7 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* `work` units in each run's seconds. */
static void print_row(const char *what, double *seconds, int runs, double work, const char *unit)
{
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    printf("%s,%.3f,%.3f,%.1f,%s\n", what, 1e3 * seconds[0], 1e3 * seconds[runs / 2],
           work / seconds[0], unit);
}

static st_status bench_tokenizer(const char *folder, const char *text_path)
{
    st_arena arena;
    st_str   text, line;
    st_tokenizer *t = NULL;
    st_encoder   *e;
    double load_s[RUNS], encode_s[RUNS];
    st_arena_init(&arena, "bench");
    ST_TRY(st_file_read(&arena, &text, text_path, ST_TEXT_FILE_BYTES_MAX));
    for (int run = 0; run < RUNS; run++) {
        st_tokenizer_free(t);
        const double start_s = st_clock_s();
        ST_TRY(st_tokenizer_load(&t, folder));
        load_s[run] = st_clock_s() - start_s;
    }
    for (int run = 0; run < RUNS; run++) {
        ST_TRY(st_encoder_create(&e, t));           /* each run meets every piece afresh */
        const double start_s = st_clock_s();
        st_str rest = text;
        while (st_str_next_line(&line, &rest)) {
            const int64_t *ids;
            size_t count;
            ST_TRY(st_encode(e, &ids, &count, line));
        }
        encode_s[run] = st_clock_s() - start_s;
        st_encoder_free(e);
    }
    print_row("tokenizer load", load_s, RUNS, 1.0, "loads/s");
    print_row("tokenizer encode", encode_s, RUNS, (double)text.size / 1e6, "MB/s");
    st_tokenizer_free(t);
    st_arena_free(&arena);
    return st_ok();
}

/* 640x480 frames to the patches of 352x480, two at a time. */
static st_status bench_patches(void)
{
    static unsigned char frame[640 * 480 * 3];
    static float patches[22 * 30 * 1536];
    const unsigned char *pair[] = {frame, frame};
    const st_frame_size from = {480, 640};
    st_model_config config;
    st_preprocessor *p;
    double seconds[RUNS];
    st_model_config_preset(&config, ST_MODEL_2B);
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (unsigned char)(i * 2654435761u >> 13);
    ST_TRY(st_preprocessor_create(&p, from, st_frame_size_fixed, &config.vision));
    for (int run = 0; run < RUNS; run++) {
        const double start_s = st_clock_s();
        for (int k = 0; k < 10; k++)
            st_preprocessor_grid(p, patches, pair);
        seconds[run] = st_clock_s() - start_s;
    }
    print_row("resize and patchify 640x480", seconds, RUNS, 20.0, "frames/s");
    st_preprocessor_free(p);
    return st_ok();
}

static st_status bench_video(const char *path)
{
    double seconds[RUNS];
    int64_t count = 0;
    for (int run = 0; run < RUNS; run++) {
        st_frame_source *source;
        st_frame frame;
        int64_t index[128];
        const st_frame_choice choice = st_frame_choice_train();
        const double start_s = st_clock_s();
        ST_TRY(st_frames_open(&source, path, 1.0));
        const st_frames_info info = st_frames_info_get(source);
        ST_TRY(st_frames_choose(index, &count, &choice, info.count, info.fps));
        for (int64_t i = 0; i < count; i++)
            ST_TRY(st_frames_at(source, &frame, index[i]));
        st_frames_close(source);
        seconds[run] = st_clock_s() - start_s;
    }
    print_row("chosen frames of a video", seconds, RUNS, (double)count, "frames/s");
    return st_ok();
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "Usage: bench_input TOKENIZER_FOLDER TEXT_FILE [VIDEO]\n");
        return 2;
    }
    printf("what,best_ms,median_ms,rate,unit\n");
    st_status s = bench_tokenizer(argv[1], argv[2]);
    if (s.code == ST_OK)
        s = bench_patches();
    if (s.code == ST_OK && argc > 3)
        s = bench_video(argv[3]);
    if (s.code != ST_OK)
        fprintf(stderr, "bench_input: %s\n", s.text);
    return s.code == ST_OK ? 0 : 3;
}
