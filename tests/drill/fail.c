/* fail.c - a library to preload: the Nth allocation, write, fsync, link or rename fails.
 *
 * ST_FAIL=alloc:17 makes malloc, calloc, realloc and aligned_alloc number 17 answer NULL;
 * ST_FAIL=write:3 makes the third write to a file fail with "No space left on device". With
 * ST_FAIL_COUNT=FILE the number of calls is written there at the end instead, so a drill knows how
 * many there are.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALLOC, WRITE, FSYNC, LINK, RENAME, KINDS };

static const char *const kind_names[KINDS] = {"alloc", "write", "fsync", "link", "rename"};
static atomic_long       calls[KINDS], target[KINDS];
static atomic_int        ready;

/* The heap behind the standard names: glibc's own. dlsym allocates, so it may not be asked. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static int (*real_main)(int, char **, char **);

/* Only what main does is counted: libraries that start before it, CUDA's among them, allocate on
 * their own account. */
static int watched_main(int argc, char **argv, char **environment)
{
    const char *wish = getenv("ST_FAIL");
    for (int k = 0; k < KINDS && wish; k++) {
        const size_t size = strlen(kind_names[k]);
        if (strncmp(wish, kind_names[k], size) == 0 && wish[size] == ':')
            target[k] = atol(wish + size + 1);
    }
    ready = 1;
    const int code = real_main(argc, argv, environment);
    ready = 0;
    return code;
}

typedef int start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                       void (*)(void), void *);
start_main __libc_start_main;

int __libc_start_main(int (*its_main)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack)
{
    start_main *real = (start_main *)dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = its_main;
    return real(watched_main, argc, argv, init, fini, rtld_fini, stack);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("ST_FAIL_COUNT");
    ready = 0;
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!f)
        return;
    for (int k = 0; k < KINDS; k++)
        fprintf(f, "%s %ld\n", kind_names[k], (long)calls[k]);
    fclose(f);
}

static int fails(int kind)
{
    return ready && ++calls[kind] == target[kind];
}

void *malloc(size_t size)
{
    return fails(ALLOC) ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(ALLOC) ? (errno = ENOMEM, NULL) : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return fails(ALLOC) ? (errno = ENOMEM, NULL) : __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails(ALLOC) ? (errno = ENOMEM, NULL) : __libc_memalign(align, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return fd > 2 && fails(WRITE) ? (errno = ENOSPC, -1) : real(fd, bytes, size);
}

int fsync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return fails(FSYNC) ? (errno = EIO, -1) : real(fd);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    static int (*real)(int, const char *, int, const char *, int);
    if (!real)
        real = (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
    return fails(LINK) ? (errno = EXDEV, -1) : real(from_folder, from, to_folder, to, flags);
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    if (!real)
        real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    return fails(RENAME) ? (errno = EACCES, -1) : real(from, to);
}
