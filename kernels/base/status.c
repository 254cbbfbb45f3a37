/* status.c - making failures, and putting words in front of them. */
#include "kernels/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

st_status st_fail(st_code code, const char *file, int line, const char *fmt, ...)
{
    st_status s;
    s.code = code;
    s.line = line;
    s.file = file_name(file);

    va_list args;
    va_start(args, fmt);
    vsnprintf(s.text, sizeof s.text, fmt, args);
    va_end(args);
    return s;
}

st_status st_within(st_status s, const char *fmt, ...)
{
    if (s.code == ST_OK)
        return s;

    char front[ST_STATUS_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(front, sizeof front, fmt, args);
    va_end(args);

    const size_t inner = strlen(s.text);
    const size_t room = sizeof s.text - 1 - inner;  /* what is left for "front: " */
    size_t outer = strlen(front);
    if (room < 6)
        return s;                                   /* the cause alone fills the text */
    if (outer + 2 > room) {
        /* Cut between characters: a UTF-8 continuation byte cannot start the remainder. */
        outer = room - 5;
        while (outer > 0 && ((unsigned char)front[outer] & 0xC0) == 0x80)
            outer--;
        memcpy(front + outer, "...", 4);
        outer += 3;
    }
    memmove(s.text + outer + 2, s.text, inner + 1);
    memcpy(s.text, front, outer);
    memcpy(s.text + outer, ": ", 2);
    return s;
}

const char *st_code_name(st_code code)
{
    static const char *const names[ST_CODE_COUNT] = {
        [ST_OK] = "ok",                 [ST_ERR_USAGE] = "usage",
        [ST_ERR_IO] = "io",             [ST_ERR_FORMAT] = "format",
        [ST_ERR_DATA] = "data",         [ST_ERR_NUMERIC] = "numeric",
        [ST_ERR_LIMIT] = "limit",       [ST_ERR_MEMORY] = "memory",
        [ST_ERR_DEVICE] = "device",     [ST_ERR_UNSUPPORTED] = "unsupported",
    };
    return (unsigned)code < ST_CODE_COUNT ? names[code] : "unknown";
}

void st_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "spatial: internal error: %s is false [%s:%d]\n", condition, file_name(file),
            line);
    abort();
}
