/* archive_absent.c - a build without libzip says so. */
#include "kernels/media/archive.h"

static st_status absent(void)
{
    return ST_FAIL(ST_ERR_UNSUPPORTED, "zip archives need libzip: apt-get install libzip-dev");
}

st_status st_archive_open(st_archive **archive, const char *path)
{
    (void)archive;
    return st_within(absent(), "%s", path);
}

st_status st_archive_open_bytes(st_archive **archive, st_str bytes)
{
    (void)archive;
    (void)bytes;
    return absent();
}

void st_archive_close(st_archive *archive)
{
    (void)archive;
}

size_t st_archive_count(const st_archive *archive)
{
    (void)archive;
    return 0;
}

const char *st_archive_name(const st_archive *archive, size_t index)
{
    (void)archive;
    (void)index;
    return "";
}

bool st_archive_find(size_t *index, const st_archive *archive, const char *name)
{
    (void)index;
    (void)archive;
    (void)name;
    return false;
}

st_status st_archive_read(st_arena *arena, st_str *bytes, st_archive *archive, size_t index,
                          size_t bytes_max)
{
    (void)arena;
    (void)bytes;
    (void)archive;
    (void)index;
    (void)bytes_max;
    return absent();
}
