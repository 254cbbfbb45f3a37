/* frames.c - a name becomes a source. */
#include "kernels/media/frames.h"

#include "kernels/base/limits.h"
#include "kernels/media/frames_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_picture(const char *name)
{
    const st_str n = st_str_from(name);
    return st_str_ends_folded(n, ".png") || st_str_ends_folded(n, ".jpg") ||
           st_str_ends_folded(n, ".jpeg");
}

st_status sti_frame_bytes(size_t *bytes, int64_t rows, int64_t columns)
{
    if (rows < 1 || columns < 1 || rows > ST_IMAGE_SIDE_MAX || columns > ST_IMAGE_SIDE_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "frames of %lld x %lld pixels: a side must be 1 to %d",
                       (long long)columns, (long long)rows, ST_IMAGE_SIDE_MAX);
    *bytes = (size_t)rows * (size_t)columns * 3;
    return st_ok();
}

/* --- names of several pictures --------------------------------------------------------------- */

/* By bytes, but a run of digits counts as a number: 9.png stands before 10.png. */
static int natural_compare(const char *a, const char *b)
{
    while (*a && *b) {
        const size_t da = strspn(a, "0123456789"), db = strspn(b, "0123456789");
        if (da == 0 || db == 0) {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++;
            b++;
            continue;
        }
        const size_t za = strspn(a, "0"), zb = strspn(b, "0");
        const size_t na = da > za ? da - za : 0, nb = db > zb ? db - zb : 0;
        const int by_value = na != nb ? (na < nb ? -1 : 1) : memcmp(a + za, b + zb, na);
        if (by_value != 0)
            return by_value;
        a += da;
        b += db;
    }
    return *a ? 1 : *b ? -1 : 0;
}

static int name_order(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    const int by_number = natural_compare(x, y);
    return by_number != 0 ? by_number : strcmp(x, y);       /* 01 and 1 */
}

static st_status open_folder(st_arena *arena, st_frame_source **source, const char *folder,
                             double fps)
{
    const char **names;
    size_t count, kept = 0;
    ST_TRY(st_folder_list(arena, &names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        if (is_picture(names[i]))
            names[kept++] = names[i];
    }
    if (kept == 0)
        return ST_FAIL(ST_ERR_DATA, "%s: no .png or .jpg in the folder", folder);
    qsort(names, kept, sizeof *names, name_order);
    for (size_t i = 0; i < kept; i++)
        ST_TRY(st_path_join(arena, &names[i], folder, names[i]));
    return sti_stills_open(source, names, kept, fps);
}

static st_status open_list_file(st_arena *arena, st_frame_source **source, const char *path,
                                double fps)
{
    st_str text, line;
    const char **paths = NULL, *folder = "";
    size_t count = 0, capacity = 0;
    ST_TRY(st_file_read(arena, &text, path, ST_TEXT_FILE_BYTES_MAX));
    const char *slash = strrchr(path, '/');
    if (slash)
        ST_TRY(st_arena_copy_text(arena, &folder, path, (size_t)(slash - path) + 1));
    while (st_str_next_line(&line, &text)) {
        line = st_str_trim(line);
        if (line.size == 0)
            continue;
        ST_TRY(ST_GROW(arena, &paths, &capacity, count + 1));
        ST_TRY(st_arena_printf(arena, &paths[count], "%s%.*s", line.data[0] == '/' ? "" : folder,
                               ST_STR_ARG(line)));
        count++;
    }
    if (count == 0)
        return ST_FAIL(ST_ERR_DATA, "%s: the list names no picture", path);
    return sti_stills_open(source, paths, count, fps);
}

/* --- raw:WxH@FPS:PATH ------------------------------------------------------------------------ */

static st_status open_raw(st_frame_source **source, const char *name)
{
    const char *colon = strchr(name + 4, ':');
    st_str size = {name + 4, colon ? (size_t)(colon - name - 4) : 0}, width, height;
    int64_t rows = 0, columns = 0;
    double  fps = 0.0;
    const bool good = colon && st_str_next_field(&width, &size, 'x') &&
                      st_str_next_field(&height, &size, '@') && st_str_int(width, &columns) &&
                      st_str_int(height, &rows) && st_str_double(size, &fps) && fps > 0.0;
    if (!good)
        return ST_FAIL(ST_ERR_USAGE, "expected raw:WIDTHxHEIGHT@FPS:PATH, found \"%s\"", name);
    return sti_raw_open(source, colon + 1, rows, columns, fps);
}

/* --- doors ----------------------------------------------------------------------------------- */

st_status st_frames_open(st_frame_source **source, const char *name, double still_fps)
{
    ST_ASSERT(still_fps > 0.0);
    st_arena  arena;
    st_status s;
    st_arena_init(&arena, "frames");
    if (strncmp(name, "raw:", 4) == 0)
        s = open_raw(source, name);
    else if (st_folder_exists(name))
        s = open_folder(&arena, source, name, still_fps);
    else if (st_str_ends_folded(st_str_from(name), ".stframes"))
        s = sti_stframes_open(source, name);
    else if (st_str_ends_folded(st_str_from(name), ".txt"))
        s = open_list_file(&arena, source, name, still_fps);
    else if (is_picture(name))
        s = sti_stills_open(source, &name, 1, still_fps);
    else
        s = sti_video_open(source, name);
    st_arena_free(&arena);
    return s;
}

void st_frames_close(st_frame_source *source)
{
    if (source)
        source->kind->close(source);
}

st_frames_info st_frames_info_get(const st_frame_source *source)
{
    return source->info;
}

st_status st_frames_next(st_frame_source *source, st_frame *frame, bool *got)
{
    const int64_t index = source->next;
    if (source->info.count >= 0 && index >= source->info.count) {
        *got = false;
        return st_ok();
    }
    ST_TRY(source->kind->at(source, frame, index, got));
    if (*got)
        source->next = frame->index + 1;
    return st_ok();
}

st_status st_frames_at(st_frame_source *source, st_frame *frame, int64_t index)
{
    ST_ASSERT(index >= source->next);
    bool got = source->info.count < 0 || index < source->info.count;
    if (got)
        ST_TRY(source->kind->at(source, frame, index, &got));
    if (!got)
        return ST_FAIL(ST_ERR_DATA, "frame %lld of %lld", (long long)index,
                       (long long)(source->info.count >= 0 ? source->info.count : source->next));
    source->next = index + 1;
    return st_ok();
}

bool st_frames_due(int64_t *ticks, double fps, double time_s)
{
    /* A ten-thousandth of a tick of slack: times of containers are rounded. */
    if (time_s * fps + 1e-4 < (double)*ticks)
        return false;
    *ticks = (int64_t)floor(time_s * fps + 1e-4) + 1;
    return true;
}
