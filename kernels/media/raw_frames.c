/* raw_frames.c - RGB8 frames without compression, from files and pipes. */
#include "kernels/media/frames_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = {'S', 'T', 'F', 'R', 'A', 'M', 'E', 'S'};

/* The header of FILE.stframes, as it lies in the file. */
typedef struct header {
    char     magic[8];
    uint32_t version, rows, columns, zero;
    double   fps;
} header;
_Static_assert(sizeof(header) == 32, "the header is a file format");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw frame files are little endian");

typedef struct raw {
    st_frame_source source;
    int             fd;
    bool            owns_fd;
    bool            seekable;
    off_t           first;          /* byte of frame 0 */
    size_t          frame_bytes;
    unsigned char  *rgb;
    char           *path;
} raw;

/* Fill as much as there is; a pipe gives what it has in pieces. */
static st_status read_fully(size_t *size, int fd, void *bytes, size_t wanted, const char *path)
{
    *size = 0;
    while (*size < wanted) {
        const ssize_t n = read(fd, (char *)bytes + *size, wanted - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ST_FAIL(ST_ERR_IO, "%s: %s", path, strerror(errno));
        if (n == 0)
            break;
        *size += (size_t)n;
    }
    return st_ok();
}

static st_status raw_at(st_frame_source *source, st_frame *frame, int64_t index, bool *got)
{
    raw *r = (raw *)source;
    int64_t at = r->source.next;
    if (r->seekable && index > at) {
        const off_t to = r->first + (off_t)index * (off_t)r->frame_bytes;
        if (lseek(r->fd, to, SEEK_SET) != to)
            return ST_FAIL(ST_ERR_IO, "%s: %s", r->path, strerror(errno));
        at = index;
    }
    for (; at <= index; at++) {
        size_t size;
        ST_TRY(read_fully(&size, r->fd, r->rgb, r->frame_bytes, r->path));
        *got = size == r->frame_bytes;
        if (size == 0)
            return st_ok();
        if (!*got)
            return ST_FAIL(ST_ERR_FORMAT, "%s: ends inside frame %lld, after %zu of %zu bytes",
                           r->path, (long long)at, size, r->frame_bytes);
    }
    *frame = (st_frame){r->rgb, r->source.info.rows, r->source.info.columns,
                        (double)index / r->source.info.fps, index};
    return st_ok();
}

static void raw_close(st_frame_source *source)
{
    raw *r = (raw *)source;
    if (r->owns_fd)
        close(r->fd);
    free(r->rgb);
    free(r->path);
    free(r);
}

static const sti_frame_source_kind raw_kind = {raw_at, raw_close};

static st_status start(raw **out, const char *path)
{
    raw *r = calloc(1, sizeof *r);
    if (r)
        r->path = strdup(path);
    if (!r || !r->path) {
        free(r);
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory for a source of frames", path);
    }
    r->source.kind = &raw_kind;
    r->fd = STDIN_FILENO;
    if (strcmp(path, "-") != 0) {
        r->fd = open(path, O_RDONLY | O_CLOEXEC);
        r->owns_fd = r->fd >= 0;
    }
    *out = r;
    return r->fd < 0 ? ST_FAIL(ST_ERR_IO, "%s: %s", path, strerror(errno)) : st_ok();
}

/* The frame count of a regular file follows from its size. */
static st_status plan(raw *r, int64_t rows, int64_t columns, double fps)
{
    struct stat about;
    ST_TRY(st_within(sti_frame_bytes(&r->frame_bytes, rows, columns), "%s", r->path));
    r->rgb = malloc(r->frame_bytes);
    if (!r->rgb)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory for a frame", r->path);
    r->source.info = (st_frames_info){rows, columns, -1, fps, 0.0};
    if (fstat(r->fd, &about) != 0)
        return ST_FAIL(ST_ERR_IO, "%s: %s", r->path, strerror(errno));
    r->seekable = S_ISREG(about.st_mode);
    if (!r->seekable)
        return st_ok();
    r->first = lseek(r->fd, 0, SEEK_CUR);
    const off_t left = about.st_size - r->first;
    if (left % (off_t)r->frame_bytes != 0 || left <= 0)
        return ST_FAIL(ST_ERR_FORMAT, "%s: %lld bytes of pixels are not a number of frames of %zu "
                                      "bytes", r->path, (long long)left, r->frame_bytes);
    r->source.info.count = left / (off_t)r->frame_bytes;
    r->source.info.duration_s = (double)r->source.info.count / fps;
    return st_ok();
}

static st_status finish(st_frame_source **source, raw *r, st_status s)
{
    if (s.code == ST_OK)
        *source = &r->source;
    else if (r)
        raw_close(&r->source);
    return s;
}

st_status sti_raw_open(st_frame_source **source, const char *path, int64_t rows, int64_t columns,
                       double fps)
{
    raw *r = NULL;
    st_status s = start(&r, path);
    if (s.code == ST_OK)
        s = plan(r, rows, columns, fps);
    return finish(source, r, s);
}

static st_status read_header(raw *r)
{
    header h;
    size_t size;
    ST_TRY(read_fully(&size, r->fd, &h, sizeof h, r->path));
    if (size != sizeof h || memcmp(h.magic, magic, sizeof magic) != 0)
        return ST_FAIL(ST_ERR_FORMAT, "%s: does not start with STFRAMES", r->path);
    if (h.version != 1)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: version %u of raw frames, 1 is known", r->path,
                       h.version);
    if (!(h.fps > 0.0 && h.fps < 1e6))
        return ST_FAIL(ST_ERR_FORMAT, "%s: %g frames a second", r->path, h.fps);
    return plan(r, h.rows, h.columns, h.fps);
}

st_status sti_stframes_open(st_frame_source **source, const char *path)
{
    raw *r = NULL;
    st_status s = start(&r, path);
    if (s.code == ST_OK)
        s = read_header(r);
    return finish(source, r, s);
}

/* --- writing --------------------------------------------------------------------------------- */

st_status st_frames_writer_open(st_frames_writer *writer, const char *path, int64_t rows,
                                int64_t columns, double fps)
{
    size_t bytes;
    ST_TRY(st_within(sti_frame_bytes(&bytes, rows, columns), "%s", path));
    if (!(fps > 0.0 && fps < 1e6))
        return ST_FAIL(ST_ERR_USAGE, "%s: %g frames a second", path, fps);
    header h = {.version = 1, .rows = (uint32_t)rows, .columns = (uint32_t)columns, .fps = fps};
    memcpy(h.magic, magic, sizeof magic);
    *writer = (st_frames_writer){st_out_none(), rows, columns};
    ST_TRY(st_out_open(&writer->out, path));
    const st_status s = st_out_write(&writer->out, &h, sizeof h);
    if (s.code != ST_OK)
        st_out_discard(&writer->out);
    return s;
}

st_status st_frames_write(st_frames_writer *writer, const unsigned char *rgb)
{
    return st_out_write(&writer->out, rgb, (size_t)(writer->rows * writer->columns * 3));
}

st_status st_frames_commit(st_frames_writer *writer)
{
    return st_out_commit(&writer->out);
}

void st_frames_discard(st_frames_writer *writer)
{
    st_out_discard(&writer->out);
}
