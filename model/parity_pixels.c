/* parity_pixels.c - frames resized and cut into patches against stored ones.
 *
 * The stored results come from the 8-bit integer resize, which is the one built in here: they are
 * equal byte for byte. (A float resize would be off by a level in a sixth of the samples.)
 */
#include "model/parity_internal.h"
#include "model/preprocess.h"

#include <stdio.h>
#include <string.h>

/* Limits of the smart resize that the stored pixel_values were made with. */
static const st_size_limits LIMITS = {4096, 65536};

/* Frames stored plane by plane, (T,3,rows,columns), as this program holds them. */
typedef struct frames {
    int64_t               count;
    st_frame_size         size;
    const unsigned char **frame;        /* (count) to (rows,columns,3) */
} frames;

static st_status frames_get(frames *f, st_arena *arena, const st_tensor *x, const char *name)
{
    ST_TRY(st_tensor_expect(x, name, ST_U8, 4, (int64_t[]){-1, 3, -1, -1}));
    f->count = x->shape[0];
    f->size = (st_frame_size){x->shape[2], x->shape[3]};
    const int64_t plane = f->size.rows * f->size.columns;
    if (f->count < 1 || plane < 1)
        return ST_FAIL(ST_ERR_DATA, "%s holds no pixels", name);
    unsigned char *to;
    ST_TRY(ST_ALLOC(arena, &f->frame, (size_t)f->count));
    ST_TRY(ST_ALLOC(arena, &to, (size_t)(f->count * plane * 3)));
    const unsigned char *from = x->data;
    for (int64_t t = 0; t < f->count; t++) {
        f->frame[t] = to + t * plane * 3;
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < plane; i++)
                to[(t * plane + i) * 3 + c] = from[(t * 3 + c) * plane + i];
    }
    return st_ok();
}

/* Resize to the stored size and compare plane by plane. */
static st_status compare_resize(sti_parity *p, st_arena *arena, const char *name, const frames *f,
                                const st_tensor *expected)
{
    ST_TRY(st_tensor_expect(expected, name, ST_U8, 4, (int64_t[]){f->count, 3, -1, -1}));
    const st_vision_config vision = {.channels = 3, .patch = 1, .temporal = 1, .merge = 1};
    const st_frame_size to = {expected->shape[2], expected->shape[3]};
    const int64_t plane = to.rows * to.columns;
    unsigned char *resized, *planes;
    ST_TRY(ST_ALLOC(arena, &resized, (size_t)(plane * 3)));
    ST_TRY(ST_ALLOC(arena, &planes, (size_t)(f->count * plane * 3)));
    st_preprocessor *pre;
    ST_TRY(st_preprocessor_create(&pre, f->size, to, &vision));
    for (int64_t t = 0; t < f->count; t++) {
        st_preprocessor_resize(pre, resized, f->frame[t]);
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < plane; i++)
                planes[(t * 3 + c) * plane + i] = resized[3 * i + c];
    }
    st_preprocessor_free(pre);
    st_tensor got = *expected;
    got.data = planes;
    return sti_parity_compare(p, name, &got, expected, ST_PARITY_EXACT, 0.0);
}

static st_status compare_patches(sti_parity *p, st_arena *arena, const frames *f,
                                 const st_tensor *pixels, const st_tensor *grid)
{
    st_model_config c;
    st_model_config_preset(&c, ST_MODEL_TINY);      /* patch 16, two frames, merge 2 */
    const st_vision_config *v = &c.vision;
    st_frame_size to;
    ST_TRY(st_smart_resize_video(&to, f->size, f->count, v->patch * v->merge, LIMITS));
    const st_media_grid made = st_media_grid_of(f->count, to, v);
    const int64_t thw[3] = {made.grids, made.rows, made.columns};
    if (grid) {
        const st_tensor got = {.data = (void *)thw, .shape = {1, 3}, .rank = 2, .dtype = ST_I64};
        ST_TRY(sti_parity_compare(p, "grid", &got, grid, ST_PARITY_EXACT, 0.0));
    }
    if (!pixels)
        return st_ok();
    const int64_t rows = thw[0] * thw[1] * thw[2];
    const int64_t features = v->channels * v->temporal * v->patch * v->patch;
    float *patches;
    ST_TRY(ST_ALLOC(arena, &patches, (size_t)(rows * features)));
    st_preprocessor *pre;
    ST_TRY(st_preprocessor_create(&pre, f->size, to, v));
    st_preprocessor_video(pre, patches, f->frame, f->count);
    st_preprocessor_free(pre);
    const st_tensor got = {.data = patches, .shape = {rows, features}, .rank = 2, .dtype = ST_F32};
    return sti_parity_compare(p, "pixel_values", &got, pixels, ST_PARITY_ABSOLUTE, 1e-6);
}

/* `out.X` beside `in.X`, or `resized_...` beside `frames`; whatever else is stored fails. */
static st_status compare_file(sti_parity *p, st_arena *arena, const st_safetensors *file)
{
    frames f = {0};
    const st_tensor *source = st_safetensors_find(file, "frames");
    if (source) {
        ST_TRY(frames_get(&f, arena, source, "frames"));
        ST_TRY(compare_patches(p, arena, &f, st_safetensors_find(file, "pixel_values"),
                               st_safetensors_find(file, "grid")));
    }
    for (size_t i = 0; i < st_safetensors_count(file); i++) {
        const st_named_tensor *t = st_safetensors_at(file, i);
        const bool is_input = strcmp(t->name, "frames") == 0 || strncmp(t->name, "in.", 3) == 0;
        const bool is_done = source && (strcmp(t->name, "pixel_values") == 0 ||
                                        strcmp(t->name, "grid") == 0);
        if (is_input || is_done)
            continue;
        char name[128];
        snprintf(name, sizeof name, "in.%.100s", strncmp(t->name, "out.", 4) == 0 ? t->name + 4
                                                                                  : "");
        const st_tensor *in = st_safetensors_find(file, name);
        if (in) {
            frames one;
            ST_TRY(frames_get(&one, arena, in, name));
            ST_TRY(compare_resize(p, arena, t->name, &one, &t->tensor));
        } else if (source && strncmp(t->name, "resized", 7) == 0) {
            ST_TRY(compare_resize(p, arena, t->name, &f, &t->tensor));
        } else {
            ST_TRY(sti_parity_fail(p, t->name, "stored, and nothing here computes it"));
        }
    }
    return st_ok();
}

st_status sti_parity_pixels(sti_parity *p, const st_safetensors *file)
{
    st_arena arena;
    st_arena_init(&arena, "parity pixels");
    const st_status s = compare_file(p, &arena, file);
    st_arena_free(&arena);
    return s;
}
