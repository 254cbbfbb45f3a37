/* stills.c - pictures, one after the other. */
#include "kernels/media/frames_internal.h"
#include "kernels/media/image.h"

#include <stdlib.h>
#include <string.h>

typedef struct stills {
    st_frame_source source;
    st_arena        names;
    const char    **paths;
    size_t          count;
    st_arena        picture;        /* the frame that was given last */
    double          fps;
} stills;

static st_status stills_at(st_frame_source *source, st_frame *frame, int64_t index, bool *got)
{
    stills  *s = (stills *)source;
    st_image image;
    *got = (size_t)index < s->count;
    if (!*got)
        return st_ok();
    st_arena_reset(&s->picture);
    ST_TRY(st_image_read(&s->picture, &image, ST_PIXELS_RGB8, s->paths[index]));
    *frame = (st_frame){image.data, image.rows, image.columns, (double)index / s->fps, index};
    return st_ok();
}

static void stills_close(st_frame_source *source)
{
    stills *s = (stills *)source;
    st_arena_free(&s->names);
    st_arena_free(&s->picture);
    free(s);
}

static const sti_frame_source_kind stills_kind = {stills_at, stills_close};

static st_status start(stills *s, const char *const *paths, size_t count, double fps)
{
    s->count = count;
    s->fps = fps;
    ST_TRY(ST_ALLOC(&s->names, &s->paths, count));
    for (size_t i = 0; i < count; i++)
        ST_TRY(st_arena_copy_text(&s->names, &s->paths[i], paths[i], strlen(paths[i])));
    st_frame first;
    bool     got;
    ST_TRY(stills_at(&s->source, &first, 0, &got));
    s->source.info = (st_frames_info){first.rows, first.columns, (int64_t)count, fps,
                                      (double)count / fps};
    return st_ok();
}

st_status sti_stills_open(st_frame_source **source, const char *const *paths, size_t count,
                          double fps)
{
    stills *s = calloc(1, sizeof *s);
    if (!s)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a list of pictures");
    s->source.kind = &stills_kind;
    st_arena_init(&s->names, "picture names");
    st_arena_init(&s->picture, "picture");
    const st_status status = start(s, paths, count, fps);
    if (status.code != ST_OK)
        stills_close(&s->source);
    else
        *source = &s->source;
    return status;
}
