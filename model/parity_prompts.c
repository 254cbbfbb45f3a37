/* parity_prompts.c - stored prompts: expanded and tokenised once more, id by id. */
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "model/parity_internal.h"
#include "model/preprocess.h"

#include <stdio.h>

typedef struct prompts {
    sti_parity     *p;
    st_arena       *arena;
    st_tokenizer   *tokenizer;
    st_encoder     *encoder;
} prompts;

/* The tokenizer's files: where the caller says, in the folder itself, or in a folder beside the
 * vectors that holds some. */
static st_status find_tokenizer(prompts *r, const char **folder)
{
    if (r->p->options->tokenizer) {
        *folder = r->p->options->tokenizer;
        return st_ok();
    }
    static const char *const around[] = {".", "..", "../..", "../../data", "../data"};
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        const char *base, *path, **names;
        size_t count;
        ST_TRY(st_path_join(r->arena, &base, r->p->folder, around[i]));
        ST_TRY(st_path_join(r->arena, &path, base, "tokenizer.json"));
        *folder = base;
        if (st_file_exists(path))
            return st_ok();
        if (!st_folder_exists(base))
            continue;
        ST_TRY(st_folder_list(r->arena, &names, &count, base));
        for (size_t k = 0; k < count; k++) {
            ST_TRY(st_path_join(r->arena, folder, base, names[k]));
            ST_TRY(st_path_join(r->arena, &path, *folder, "tokenizer.json"));
            if (st_file_exists(path))
                return st_ok();
        }
    }
    return ST_FAIL(ST_ERR_IO, "no tokenizer.json near %s: name its folder with --tokenizer",
                   r->p->folder);
}

/* grid_thw lists become media. Videos bring the frame indices that their times come from. */
static st_status read_media(prompts *r, st_json prompt, const char *key, st_content_kind kind,
                            st_content **media, size_t *count)
{
    const st_json grids = st_json_member(&prompt, key), video = st_json_member(&prompt, "video");
    *count = st_json_count(grids);
    ST_TRY(ST_ALLOC(r->arena, media, *count));
    for (size_t i = 0; i < *count; i++) {
        const st_json grid = st_json_element(&grids, i);
        double thw[3];
        ST_TRY(st_json_doubles(grid, thw, 3));
        st_content *c = &(*media)[i];
        *c = (st_content){.kind = kind, .grid = {(int64_t)thw[0], (int64_t)thw[1],
                                                 (int64_t)thw[2]}};
        if (kind == ST_CONTENT_IMAGE)
            continue;
        const st_json one = st_json_element(&video, i);
        const st_json indices = st_json_member(&one, "frames_indices");
        const st_json fps = st_json_member(&one, "fps");
        const size_t frames = st_json_count(indices);
        int64_t *index;
        double *time_s, rate = 0.0;
        ST_TRY(ST_ALLOC(r->arena, &index, frames));
        for (size_t k = 0; k < frames; k++)
            ST_TRY(st_json_int(st_json_element(&indices, k), &index[k]));
        if (st_json_kind_of(fps) != ST_JSON_NULL && st_json_kind_of(fps) != ST_JSON_ABSENT)
            ST_TRY(st_json_double(fps, &rate));
        if ((int64_t)(frames + 1) / 2 != c->grid.grids)
            return st_json_fail(indices, ST_ERR_DATA, "%zu frames do not make %lld grids", frames,
                                (long long)c->grid.grids);
        ST_TRY(ST_ALLOC(r->arena, &time_s, (frames + 1) / 2));
        st_prompt_times(time_s, index, (int64_t)frames, rate, 2);
        c->time_s = time_s;
    }
    return st_ok();
}

/* The grid that a picture or video of the stored pixel size makes, against the stored grid. */
static st_status compare_grid(prompts *r, st_json size, const st_content *c, int64_t frames,
                              const char *name)
{
    st_model_config config;
    st_model_config_preset(&config, ST_MODEL_TINY);     /* patch 16, two frames, merge 2 */
    const st_vision_config *v = &config.vision;
    const int64_t factor = v->patch * v->merge;
    double side[2];
    if (c->kind == ST_CONTENT_IMAGE) {
        ST_TRY(st_json_doubles(size, side, 2));
    } else {
        ST_TRY(st_json_double(st_json_member(&size, "height"), &side[0]));
        ST_TRY(st_json_double(st_json_member(&size, "width"), &side[1]));
    }
    const st_frame_size from = {(int64_t)side[0], (int64_t)side[1]};
    st_frame_size to;
    ST_TRY(c->kind == ST_CONTENT_IMAGE
               ? st_smart_resize_image(&to, from, factor, st_size_limits_image)
               : st_smart_resize_video(&to, from, frames, factor, st_size_limits_video));
    const st_media_grid made = st_media_grid_of(frames, to, v);
    const int64_t got[3] = {made.grids, made.rows, made.columns};
    const int64_t want[3] = {c->grid.grids, c->grid.rows, c->grid.columns};
    const st_tensor a = {.data = (void *)got, .shape = {3}, .rank = 1, .dtype = ST_I64};
    const st_tensor b = {.data = (void *)want, .shape = {3}, .rank = 1, .dtype = ST_I64};
    return sti_parity_compare(r->p, name, &a, &b, ST_PARITY_EXACT, 0.0);
}

/* Pictures and videos are stored apart; the text says in which order they come. */
static st_status read_all_media(prompts *r, st_json prompt, st_str text, st_content **media,
                                size_t *count)
{
    st_content *images, *videos;
    size_t image_count, video_count, n = 0, i = 0, v = 0, at = 0;
    ST_TRY(read_media(r, prompt, "image_grid_thw", ST_CONTENT_IMAGE, &images, &image_count));
    ST_TRY(read_media(r, prompt, "video_grid_thw", ST_CONTENT_VIDEO, &videos, &video_count));
    *count = image_count + video_count;
    ST_TRY(ST_ALLOC(r->arena, media, *count));
    for (st_content_kind kind; st_prompt_next_pad(&kind, &at, text);) {
        if (kind == ST_CONTENT_IMAGE && i++ < image_count)
            (*media)[n++] = images[i - 1];
        if (kind == ST_CONTENT_VIDEO && v++ < video_count)
            (*media)[n++] = videos[v - 1];
    }
    if (i != image_count || v != video_count)
        return st_json_fail(prompt, ST_ERR_DATA, "%zu pictures and %zu videos are stored, the text "
                            "has pads of %zu and %zu", image_count, video_count, i, v);
    return st_ok();
}

/* Grids whose pixel size is stored too. */
static st_status compare_grids(prompts *r, st_json prompt, size_t number, const st_content *media,
                               size_t count)
{
    const st_json images = st_json_member(&prompt, "image_hw");
    const st_json videos = st_json_member(&prompt, "video");
    for (size_t i = 0, stills = 0; i < count; i++) {
        const bool still = media[i].kind == ST_CONTENT_IMAGE;
        const st_json size = still ? st_json_element(&images, stills)
                                   : st_json_element(&videos, i - stills);
        stills += still;
        const st_json height = st_json_member(&size, "height");
        const st_json indices = st_json_member(&size, "frames_indices");
        char name[64];
        snprintf(name, sizeof name, "prompt %zu: grid %zu", number, i);
        if (still ? st_json_kind_of(size) == ST_JSON_ARRAY
                  : st_json_kind_of(height) != ST_JSON_ABSENT)
            ST_TRY(compare_grid(r, size, &media[i], still ? 1 : (int64_t)st_json_count(indices),
                                name));
    }
    return st_ok();
}

static st_status compare_prompt(prompts *r, st_json prompt, size_t number)
{
    st_str text, name;
    const st_json ids = st_json_member(&prompt, "ids");
    ST_TRY(st_json_text(st_json_member(&prompt, "text"), &text));
    ST_TRY(st_json_text_or_none(st_json_member(&prompt, "name"), &name));
    st_content *media;
    size_t media_count;
    ST_TRY(read_all_media(r, prompt, text, &media, &media_count));
    ST_TRY(compare_grids(r, prompt, number, media, media_count));

    const int64_t *got;
    size_t count, stored = st_json_count(ids);
    st_text expanded;
    st_text_init(&expanded);
    st_status s = st_within(st_prompt_expand(&expanded, text, media, media_count, 2), "[%zu]",
                            number);
    if (s.code == ST_OK)
        s = st_text_check(&expanded);
    if (s.code == ST_OK)
        s = st_encode(r->encoder, &got, &count, st_text_view(&expanded));
    st_text_free(&expanded);
    ST_TRY(s);

    int64_t *expected;
    ST_TRY(ST_ALLOC(r->arena, &expected, stored));
    for (size_t i = 0; i < stored; i++)
        ST_TRY(st_json_int(st_json_element(&ids, i), &expected[i]));
    char label[128];
    snprintf(label, sizeof label, "prompt %zu: %.*s", number, name.data ? (int)name.size : 0,
             name.data ? name.data : "");
    const st_tensor a = {.data = (void *)got, .shape = {(int64_t)count}, .rank = 1,
                         .dtype = ST_I64};
    const st_tensor b = {.data = expected, .shape = {(int64_t)stored}, .rank = 1,
                         .dtype = ST_I64};
    return sti_parity_compare(r->p, label, &a, &b, ST_PARITY_EXACT, 0.0);
}

st_status sti_parity_prompts(sti_parity *p, const char *path)
{
    prompts r = {.p = p, .arena = &p->report->arena};
    st_json_doc *doc = NULL;
    const char *folder;
    st_status s;
    ST_TRY_OR(s, out, st_json_load(&doc, path));
    ST_TRY_OR(s, out, find_tokenizer(&r, &folder));
    ST_TRY_OR(s, out, st_tokenizer_load(&r.tokenizer, folder));
    ST_TRY_OR(s, out, st_encoder_create(&r.encoder, r.tokenizer));
    const st_json root = st_json_root(doc);
    for (size_t i = 0; i < st_json_count(root); i++)
        ST_TRY_OR(s, out,
                  st_within(compare_prompt(&r, st_json_element(&root, i), i), "%s", path));
out:
    st_encoder_free(r.encoder);
    st_tokenizer_free(r.tokenizer);
    st_json_free(doc);
    return s;
}
