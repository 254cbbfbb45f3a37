/* archive.c - where libzip lives.
 *
 * libzip checks the CRC of a member when its last byte is read, so every member is read to its
 * end, one byte further than it claims to go.
 */
#include "kernels/media/archive.h"

#include "kernels/base/limits.h"

#include <stdlib.h>
#include <zip.h>

struct st_archive {
    zip_t *zip;
    size_t count;
};

static st_status zip_failure(zip_error_t *error, const char *what)
{
    const int kind = zip_error_code_zip(error);
    const st_code code = kind == ZIP_ER_NOENT || kind == ZIP_ER_OPEN || kind == ZIP_ER_READ
                             ? ST_ERR_IO
                         : kind == ZIP_ER_MEMORY ? ST_ERR_MEMORY
                         : kind == ZIP_ER_COMPNOTSUPP || kind == ZIP_ER_ENCRNOTSUPP ||
                                 kind == ZIP_ER_NOPASSWD
                             ? ST_ERR_UNSUPPORTED
                             : ST_ERR_FORMAT;
    return ST_FAIL(code, "%s: %s", what, zip_error_strerror(error));
}

/* Takes the source, also on failure. */
static st_status open_source(st_archive **archive, zip_source_t *source, const char *what)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_t *zip = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (!zip) {
        const st_status s = zip_failure(&error, what);
        zip_error_fini(&error);
        zip_source_free(source);
        return s;
    }
    const zip_int64_t count = zip_get_num_entries(zip, 0);
    st_archive *made = malloc(sizeof *made);
    if (!made || count < 0 || count > ST_ARCHIVE_MEMBERS_MAX) {
        free(made);
        zip_discard(zip);
        return !made ? ST_FAIL(ST_ERR_MEMORY, "%s: no memory to open it", what)
                     : ST_FAIL(ST_ERR_LIMIT, "%s: expected at most %d members, found %lld", what,
                               ST_ARCHIVE_MEMBERS_MAX, (long long)count);
    }
    *made = (st_archive){zip, (size_t)count};
    *archive = made;
    return st_ok();
}

st_status st_archive_open(st_archive **archive, const char *path)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_file_create(path, 0, -1, &error);
    if (!source) {
        const st_status s = zip_failure(&error, path);
        zip_error_fini(&error);
        return s;
    }
    return open_source(archive, source, path);
}

st_status st_archive_open_bytes(st_archive **archive, st_str bytes)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes.data, bytes.size, 0, &error);
    if (!source) {
        const st_status s = zip_failure(&error, "archive");
        zip_error_fini(&error);
        return s;
    }
    return open_source(archive, source, "archive");
}

void st_archive_close(st_archive *archive)
{
    if (!archive)
        return;
    zip_discard(archive->zip);      /* read only: there is nothing to write back */
    free(archive);
}

size_t st_archive_count(const st_archive *archive)
{
    return archive->count;
}

const char *st_archive_name(const st_archive *archive, size_t index)
{
    ST_ASSERT(index < archive->count);
    const char *name = zip_get_name(archive->zip, index, ZIP_FL_ENC_GUESS);
    return name ? name : "";
}

bool st_archive_find(size_t *index, const st_archive *archive, const char *name)
{
    const zip_int64_t found = zip_name_locate(archive->zip, name, ZIP_FL_ENC_GUESS);
    if (found >= 0)
        *index = (size_t)found;
    return found >= 0;
}

/* Read to the end; `claimed` is what the archive says, and the room that there is. */
static st_status read_all(char *data, size_t claimed, zip_file_t *file, const char *name)
{
    size_t used = 0;
    for (;;) {
        char beyond;
        const bool full = used == claimed;
        const zip_int64_t n =
            full ? zip_fread(file, &beyond, 1) : zip_fread(file, data + used, claimed - used);
        if (n < 0)
            return zip_failure(zip_file_get_error(file), name);
        if (full && n > 0)
            return ST_FAIL(ST_ERR_FORMAT, "%s: expected %zu bytes, found more", name, claimed);
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return used == claimed
               ? st_ok()
               : ST_FAIL(ST_ERR_FORMAT, "%s: expected %zu bytes, found %zu", name, claimed, used);
}

st_status st_archive_read(st_arena *arena, st_str *bytes, st_archive *archive, size_t index,
                          size_t bytes_max)
{
    if (index >= archive->count)
        return ST_FAIL(ST_ERR_USAGE, "expected a member below %zu, found %zu", archive->count,
                       index);
    const char *name = st_archive_name(archive, index);
    zip_stat_t facts;
    if (zip_stat_index(archive->zip, index, 0, &facts) != 0 || !(facts.valid & ZIP_STAT_SIZE))
        return zip_failure(zip_get_error(archive->zip), name);
    if (facts.size > bytes_max)
        return ST_FAIL(ST_ERR_LIMIT, "%s: expected at most %zu bytes, found %llu", name, bytes_max,
                       (unsigned long long)facts.size);
    /* Deflate packs at most about 1030 to 1: a larger claim is a lie that should cost no memory. */
    if ((facts.valid & ZIP_STAT_COMP_SIZE) && (facts.valid & ZIP_STAT_COMP_METHOD) &&
        facts.comp_method == ZIP_CM_DEFLATE && facts.size > 1100 * (facts.comp_size + 64))
        return ST_FAIL(ST_ERR_FORMAT, "%s: %llu bytes cannot unpack to %llu", name,
                       (unsigned long long)facts.comp_size, (unsigned long long)facts.size);
    zip_file_t *file = zip_fopen_index(archive->zip, index, 0);
    if (!file)
        return zip_failure(zip_get_error(archive->zip), name);
    char *data = NULL;
    st_status s = ST_ALLOC(arena, &data, (size_t)facts.size + 1);
    if (s.code == ST_OK)
        s = read_all(data, (size_t)facts.size, file, name);
    zip_fclose(file);
    if (s.code == ST_OK)
        *bytes = (st_str){data, (size_t)facts.size};
    return s;
}
