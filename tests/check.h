/* check.h - what every test says the same way, on top of cmocka.
 *
 * May include: anything; only tests include it.
 */
#ifndef ST_TESTS_CHECK_H
#define ST_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/base/status.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The call succeeds; otherwise the test fails with its sentence. */
#define must(call)                                                                                \
    do {                                                                                          \
        const st_status must_ = (call);                                                           \
        if (must_.code != ST_OK)                                                                  \
            fail_msg("%s: %s [%s, %s:%d]", #call, must_.text, st_code_name(must_.code),           \
                     must_.file, must_.line);                                                     \
    } while (0)

/* The call fails with this code and this very sentence. */
#define must_fail(call, expected_code, sentence)                                                  \
    do {                                                                                          \
        const st_status must_ = (call);                                                           \
        assert_string_equal(st_code_name(must_.code), st_code_name(expected_code));               \
        assert_string_equal(must_.text, (sentence));                                              \
    } while (0)

/* |a - b| <= tolerance, NaN never passes. */
#define assert_near(a, b, tolerance)                                                              \
    do {                                                                                          \
        const double near_a_ = (a), near_b_ = (b);                                                \
        if (!(fabs(near_a_ - near_b_) <= (tolerance)))                                            \
            fail_msg("%s = %.17g, expected %.17g within %g", #a, near_a_, near_b_,                \
                     (double)(tolerance));                                                        \
    } while (0)

/* Files may grow to `bytes` from now on: a write beyond fails as on a full disk. Gives what they
 * could grow to before. */
static inline rlim_t file_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = bytes;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

/* Take a folder that a test made away, with all that is in it; 0 when it is gone. */
static inline int folder_remove(const char *path)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    return system(command);
}

/* The path of something in the optional folder of stored vectors and real data, or NULL after a
 * line that says what is skipped. The folder is ../shared beside the checkout, or $ST_SHARED. */
static inline const char *shared_path(char *path, size_t size, const char *name)
{
    const char *folder = getenv("ST_SHARED");
    snprintf(path, size, "%s/%s", folder ? folder : "../shared", name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("skipped: %s is not here\n", path);
        return NULL;
    }
    fclose(f);
    return path;
}

#endif
