/* drill_model.c - model folders, tokens, prompts and frames, once round: drill_model FOLDER
 *
 * Run under drill.sh, which gives a fresh FOLDER each time, with one allocation, write or rename
 * after the other made to fail: each must end in a sentence and leave nothing half written.
 */
#include "kernels/base/files.h"
#include "kernels/media/frames.h"
#include "kernels/media/image.h"
#include "model/init.h"
#include "model/preprocess.h"
#include "model/prompt.h"
#include "model/summary.h"

#include <stdio.h>

static st_status prompt(st_arena *arena, const char *folder, const st_model_config *config)
{
    const double times[] = {0.5, 1.5};
    const st_content content[] = {
        {.kind = ST_CONTENT_VIDEO, .grid = {2, 4, 4}, .time_s = times},
        {.kind = ST_CONTENT_TEXT, .text = st_str_from("How many chairs? e\314\201")}};
    const st_message message = {ST_ROLE_USER, content, 2};
    st_tokenizer *tokenizer;
    st_encoder   *encoder;
    st_prompt     made;
    ST_TRY(st_tokenizer_load(&tokenizer, folder));
    st_status s = st_encoder_create(&encoder, tokenizer);
    if (s.code == ST_OK) {
        s = st_prompt_build(arena, &made, encoder, tokenizer, config, &message, 1,
                            ST_PROMPT_ANSWER);
        st_encoder_free(encoder);
    }
    st_tokenizer_free(tokenizer);
    return s;
}

/* A file of two raw frames, read back and cut into patches. */
static st_status frames(st_arena *arena, const char *folder, const st_model_config *config)
{
    static unsigned char rgb[32 * 64 * 3];
    static float patches[2 * 4 * 1536];
    const st_frame_size size = {32, 64};
    const char *path;
    st_frames_writer writer;
    st_frame_source *source;
    st_preprocessor *p;
    st_frame frame;
    ST_TRY(st_path_join(arena, &path, folder, "a.stframes"));
    ST_TRY(st_frames_writer_open(&writer, path, size.rows, size.columns, 2.0));
    st_status s = st_frames_write(&writer, rgb);
    if (s.code == ST_OK)
        s = st_frames_commit(&writer);
    st_frames_discard(&writer);
    ST_TRY(s);
    ST_TRY(st_frames_open(&source, path, 1.0));
    s = st_frames_at(source, &frame, 0);
    if (s.code == ST_OK)
        s = st_preprocessor_create(&p, size, size, &config->vision);
    if (s.code == ST_OK) {
        const unsigned char *const one[] = {frame.rgb};
        st_preprocessor_video(p, patches, one, 1);
        st_preprocessor_free(p);
    }
    st_frames_close(source);
    ST_TRY(s);
    ST_TRY(st_path_join(arena, &path, folder, "a.png"));
    return st_image_write_png(path, &(st_image){rgb, 32, 64, ST_PIXELS_RGB8});
}

static st_status once_round(st_arena *arena, const char *folder)
{
    const st_init_options options = {.preset = ST_MODEL_TINY, .jobs = 1, .voice = ST_VOICE_QUIET};
    st_model_config  config;
    st_model_summary summary;
    ST_TRY(st_model_init(folder, &options));
    ST_TRY(st_model_config_load(&config, folder));
    ST_TRY(st_model_summarize(arena, &summary, folder));
    ST_TRY(prompt(arena, folder, &config));
    return frames(arena, folder, &config);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    st_arena arena;
    st_arena_init(&arena, "drill");
    st_status s = once_round(&arena, argv[1]);
    st_arena_free(&arena);
    if (s.code != ST_OK)
        fprintf(stderr, "%s [%s]\n", s.text, st_code_name(s.code));
    /* drill.sh takes 128 and above for a crash: memory and files are all that may be reported. */
    const bool expected = s.code == ST_ERR_MEMORY || s.code == ST_ERR_IO;
    return s.code == ST_OK ? 0 : expected ? 3 : 255;
}
