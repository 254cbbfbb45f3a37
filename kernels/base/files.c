/* files.c - reading whole files, mapping them, and writing them atomically. */
#include "kernels/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAIL_ERRNO(path) ST_FAIL(ST_ERR_IO, "%s: %s", (path), strerror(errno))

/* What a path is when it is not a file. */
static const char *kind_of(const struct stat *info)
{
    return S_ISDIR(info->st_mode) ? "folder" : S_ISREG(info->st_mode) ? "file" : "special file";
}

static st_status expect_folder(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return FAIL_ERRNO(path);
    if (S_ISDIR(info.st_mode))
        return st_ok();
    return ST_FAIL(ST_ERR_IO, "%s: expected a folder, found a %s", path, kind_of(&info));
}

st_status st_file_open(int *fd, size_t *size, const char *path)
{
    const int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);    /* a pipe must not block */
    if (f < 0)
        return FAIL_ERRNO(path);
    struct stat info;
    if (fstat(f, &info) != 0) {
        const st_status s = FAIL_ERRNO(path);
        close(f);
        return s;
    }
    if (!S_ISREG(info.st_mode)) {
        close(f);
        return ST_FAIL(ST_ERR_IO, "%s: expected a file, found a %s", path, kind_of(&info));
    }
    *fd = f;
    *size = (size_t)info.st_size;
    return st_ok();
}

/* Fill memory from a file that had `size` bytes when it was opened. */
static st_status read_all(unsigned char *data, size_t size, int fd, const char *path)
{
    for (size_t used = 0; used < size;) {
        const ssize_t n = read(fd, data + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL_ERRNO(path);
        if (n == 0)
            return ST_FAIL(ST_ERR_IO, "%s: changed while it was read: expected %zu bytes, found "
                           "%zu", path, size, used);
        used += (size_t)n;
    }
    return st_ok();
}

st_status st_file_read(st_arena *arena, st_str *bytes, const char *path, size_t bytes_max)
{
    int fd;
    size_t size;
    ST_TRY(st_file_open(&fd, &size, path));

    st_status s = st_ok();
    char *data = NULL;
    if (size > bytes_max) {
        s = ST_FAIL(ST_ERR_LIMIT, "%s: expected at most %zu bytes, found %zu", path, bytes_max,
                    size);
        goto out;
    }
    ST_TRY_OR(s, out, st_within(ST_ALLOC(arena, &data, size + 1), "%s", path));
    ST_TRY_OR(s, out, read_all((unsigned char *)data, size, fd, path));
    *bytes = (st_str){data, size};
out:
    close(fd);
    return s;
}

static st_status map_file(st_map *map, const char *path, bool lazy)
{
    int fd;
    size_t size;
    ST_TRY(st_file_open(&fd, &size, path));
    if (size == 0) {
        close(fd);
        *map = (st_map){(const unsigned char *)"", 0};
        return st_ok();
    }
    void *data = lazy ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0)
                      : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                             0);
    st_status s = data == MAP_FAILED ? FAIL_ERRNO(path) : st_ok();
    if (s.code == ST_OK && !lazy)
        s = read_all(data, size, fd, path);
    if (s.code != ST_OK && data != MAP_FAILED)
        munmap(data, size);
    close(fd);
    if (s.code == ST_OK)
        *map = (st_map){data, size};
    return s;
}

st_status st_map_open(st_map *map, const char *path)
{
    return map_file(map, path, false);
}

st_status st_map_open_lazy(st_map *map, const char *path)
{
    return map_file(map, path, true);
}

void st_map_close(st_map *map)
{
    if (map->size > 0)
        munmap((void *)map->data, map->size);
    *map = (st_map){NULL, 0};
}

/* --- files on their way ----------------------------------------------------------------------- */

st_out st_out_none(void)
{
    return (st_out){.fd = -1};
}

st_status st_folder_make(const char *path)
{
    char *walk = strdup(path);
    if (!walk)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for the path %s", path);
    st_status s = st_ok();
    for (char *slash = walk + 1; *walk && s.code == ST_OK; slash++) {
        const char c = *slash;
        if (c != '/' && c != '\0')
            continue;
        *slash = '\0';
        if (mkdir(walk, 0777) != 0)
            s = errno == EEXIST ? expect_folder(walk) : FAIL_ERRNO(walk);
        *slash = c;
        if (c == '\0')
            break;
    }
    free(walk);
    return s;
}

/* A file without a name in the folder of `path`; -1 where there is none to be had. A name is given
 * through /proc in the end, so that is asked for first. */
static int open_nameless(char *path)
{
    char *slash = strrchr(path, '/');
    if (access("/proc/self/fd", X_OK) != 0)
        return -1;
    if (!slash)
        return open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    const char after = slash[1];
    slash[1] = '\0';                       /* "a/": also right for "/" */
    const int fd = open(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    slash[1] = after;
    return fd;
}

/* Give a nameless file the name `part`, in the place of what an older run may have left there. */
static st_status name_part(const st_out *out)
{
    char source[40];
    snprintf(source, sizeof source, "/proc/self/fd/%d", out->fd);
    unlink(out->part);
    return linkat(AT_FDCWD, source, AT_FDCWD, out->part, AT_SYMLINK_FOLLOW) == 0
               ? st_ok() : FAIL_ERRNO(out->part);
}

st_status st_out_open(st_out *out, const char *path)
{
    *out = st_out_none();
    /* The rename at the end would put a plain file in the place of a device or a pipe. */
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return ST_FAIL(ST_ERR_IO, "%s: expected a file to write, found a %s", path, kind_of(&info));
    out->path = strdup(path);
    const size_t size = strlen(path);
    out->part = malloc(size + 6);
    if (!out->path || !out->part) {
        st_out_discard(out);
        return ST_FAIL(ST_ERR_MEMORY, "no memory to open %s", path);
    }
    memcpy(out->part, path, size);
    memcpy(out->part + size, ".part", 6);

    st_status s = st_ok();
    char *slash = strrchr(out->path, '/');
    if (slash && slash != out->path) {
        *slash = '\0';
        s = st_folder_make(out->path);
        *slash = '/';
    }
    if (s.code == ST_OK) {
        out->fd = open_nameless(out->path);
        out->nameless = out->fd >= 0;
        if (!out->nameless)
            out->fd = open(out->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (out->fd < 0)
            s = FAIL_ERRNO(out->part);
    }
    if (s.code != ST_OK)
        st_out_discard(out);
    return s;
}

st_status st_out_write(st_out *out, const void *bytes, size_t size)
{
    ST_ASSERT(out->fd >= 0);
    const char *at = bytes;
    while (size > 0) {
        const ssize_t n = write(out->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL_ERRNO(out->part);
        at += n;
        size -= (size_t)n;
    }
    return st_ok();
}

st_status st_out_commit(st_out *out)
{
    ST_ASSERT(out->fd >= 0);
    st_status s = st_ok();
    if (fsync(out->fd) != 0 && errno != EINVAL)     /* EINVAL: a place that cannot sync */
        s = FAIL_ERRNO(out->part);
    if (s.code == ST_OK && out->nameless)
        s = name_part(out);
    if (close(out->fd) != 0 && s.code == ST_OK)
        s = FAIL_ERRNO(out->part);
    out->fd = -1;
    if (s.code == ST_OK && rename(out->part, out->path) != 0)
        s = FAIL_ERRNO(out->path);
    if (s.code != ST_OK)
        unlink(out->part);
    free(out->path);
    free(out->part);
    *out = st_out_none();
    return s;
}

void st_out_discard(st_out *out)
{
    if (out->fd >= 0) {
        close(out->fd);
        if (!out->nameless)
            unlink(out->part);
    }
    free(out->path);
    free(out->part);
    *out = st_out_none();
}

st_status st_file_write(const char *path, const void *bytes, size_t size)
{
    st_out out;
    ST_TRY(st_out_open(&out, path));
    st_status s = st_out_write(&out, bytes, size);
    if (s.code == ST_OK)
        s = st_out_commit(&out);
    st_out_discard(&out);
    return s;
}

/* --- folders and paths ------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

st_status st_folder_list(st_arena *arena, const char ***names, size_t *count, const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        const st_status s = FAIL_ERRNO(path);
        ST_TRY(expect_folder(path));
        return s;
    }
    const char **list = NULL;
    size_t used = 0, capacity = 0;
    st_status s = st_ok();
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno != 0)
                s = FAIL_ERRNO(path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ST_TRY_OR(s, out, ST_GROW(arena, &list, &capacity, used + 1));
        ST_TRY_OR(s, out, st_arena_copy_text(arena, &list[used], entry->d_name,
                                             strlen(entry->d_name)));
        used++;
    }
out:
    closedir(folder);
    if (s.code != ST_OK)
        return s;
    if (used > 0)
        qsort(list, used, sizeof *list, by_bytes);
    *names = list;
    *count = used;
    return st_ok();
}

st_status st_folder_expect(const char *folder, const char *what, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    if (stat(folder, &info) != 0)
        return ST_FAIL(ST_ERR_IO, "%s: expected %s, found nothing", folder, what);
    if (!S_ISDIR(info.st_mode))
        return ST_FAIL(ST_ERR_IO, "%s: expected %s, found a %s", folder, what, kind_of(&info));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return st_file_exists(path) ? st_ok()
                                : ST_FAIL(ST_ERR_IO, "%s: expected %s, found no %s in it", folder,
                                          what, name);
}

bool st_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool st_folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool st_file_is_part_of(const char *path, const char *input)
{
    char file[PATH_MAX], whole[PATH_MAX];
    if (!st_file_exists(path) || !realpath(path, file) || !realpath(input, whole))
        return false;
    struct stat a, b;
    if (stat(file, &a) == 0 && stat(whole, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return true;                        /* also by a hard link */
    const size_t size = strlen(whole);
    return strncmp(file, whole, size) == 0 && file[size] == '/';
}

st_status st_file_remove(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR ? st_ok() : FAIL_ERRNO(path);
}

st_status st_file_size(const char *path, uint64_t *bytes)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return FAIL_ERRNO(path);
    *bytes = (uint64_t)info.st_size;
    return st_ok();
}

st_status st_path_join(st_arena *arena, const char **path, const char *folder, const char *name)
{
    const size_t size = strlen(folder);
    return st_arena_printf(arena, path, "%s%s%s", folder,
                           size > 0 && folder[size - 1] != '/' ? "/" : "", name);
}

st_str st_path_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return (st_str){path + start, end - start};
}

st_str st_path_stem(const char *path)
{
    st_str name = st_path_name(path);
    for (size_t i = name.size; i-- > 1;)
        if (name.data[i] == '.') {
            name.size = i;
            break;
        }
    return name;
}
