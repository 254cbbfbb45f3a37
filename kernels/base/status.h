/* status.h - what a function says when it could not do its work.
 *
 * A function that can fail returns st_status by value; its answers go through its first arguments
 * and are written only on success. Success costs one word of work, failure carries a sentence.
 *
 * May include: nothing of ours.
 */
#ifndef ST_BASE_STATUS_H
#define ST_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus  /* the CUDA twins are C with threads, compiled as C++ */
extern "C" {
#endif

/* What the caller can do about it. */
typedef enum st_code {
    ST_OK = 0,
    ST_ERR_USAGE,       /* the call is wrong: fix the arguments                       */
    ST_ERR_IO,          /* the system refused: missing, unreadable, full              */
    ST_ERR_FORMAT,      /* the bytes are not the format they claim to be              */
    ST_ERR_DATA,        /* well-formed, but the content contradicts itself            */
    ST_ERR_NUMERIC,     /* degenerate or not finite                                   */
    ST_ERR_LIMIT,       /* larger than a named cap of limits.h                        */
    ST_ERR_MEMORY,      /* no memory                                                  */
    ST_ERR_DEVICE,      /* a GPU call failed                                          */
    ST_ERR_UNSUPPORTED, /* correct, and not built in or not known here                */
    ST_CODE_COUNT
} st_code;

enum { ST_STATUS_TEXT_BYTES = 240 };

typedef struct st_status {
    st_code     code;
    int         line;                       /* where it was born */
    const char *file;
    char        text[ST_STATUS_TEXT_BYTES]; /* "outer: inner: cause" */
} st_status;

#define ST_CHECKED __attribute__((warn_unused_result))
#define ST_PRINTF(fmt_index, first_index) __attribute__((format(printf, fmt_index, first_index)))

/* Success. Only the code is set: the rest is read after a failure alone. */
static inline st_status st_ok(void)
{
    st_status s;
    s.code = ST_OK;
    s.line = 0;
    s.file = "";
    s.text[0] = '\0';
    return s;
}

/* Make a failure here: return ST_FAIL(ST_ERR_DATA, "mesh %s is empty", path). */
#define ST_FAIL(code, ...) st_fail((code), __FILE__, __LINE__, __VA_ARGS__)

/* Pass a failure up, when there is nothing to release. */
#define ST_TRY(call)                                                                              \
    do {                                                                                          \
        const st_status try_ = (call);                                                            \
        if (try_.code != ST_OK)                                                                   \
            return try_;                                                                          \
    } while (0)

/* The same, keeping the failure in `s` and leaving by the label `out`. */
#define ST_TRY_OR(s, out, call)                                                                   \
    do {                                                                                          \
        (s) = (call);                                                                             \
        if ((s).code != ST_OK)                                                                    \
            goto out;                                                                             \
    } while (0)

/* Our own mistakes stop the program on the spot, in release builds too. */
#define ST_ASSERT(condition)                                                                      \
    ((condition) ? (void)0 : st_assert_failed(#condition, __FILE__, __LINE__))

ST_PRINTF(4, 5) st_status st_fail(st_code code, const char *file, int line, const char *fmt, ...);

/* Put "fmt: " in front of a failure; success passes unchanged. When the text runs out of room the
 * outer words give way, never the cause. */
ST_PRINTF(2, 3) st_status st_within(st_status s, const char *fmt, ...);

/* The printed word of a code: "usage", "io", ... */
const char *st_code_name(st_code code);

__attribute__((noreturn)) void st_assert_failed(const char *condition, const char *file, int line);

#ifdef __cplusplus
}
#endif

#endif
