/* twin.h - the same numbers in both places, and what to say when the answers differ.
 *
 * A twin is a host tensor in f32 and a device tensor in f32 or bf16 holding the same values (bf16
 * twins are rounded on both sides, so the twins see the same input). Outputs stand between
 * canaries: words before and behind that no kernel may touch.
 *
 * Without a GPU a program of this folder says so and exits with TWIN_SKIP, which ctest counts as
 * skipped. May include: anything; only tests include it.
 */
#ifndef ST_TESTS_TWIN_H
#define ST_TESTS_TWIN_H

#include "check.h"

#include "kernels/base/rng.h"
#include "kernels/stream.h"

enum { TWIN_SKIP = 77, TWIN_CANARY_BYTES = 1024, TWIN_MAX = 256 };

typedef struct twin {
    st_tensor      host;
    st_tensor      device;
    unsigned char *host_block, *device_block;   /* canary, data, canary */
} twin;

typedef struct twin_fixture {
    st_stream *host;            /* runs the CPU twin  */
    st_stream *device;          /* runs the CUDA twin */
    uint64_t   draws;           /* random numbers used so far */
    twin      *made[TWIN_MAX];
    int        made_count;
} twin_fixture;

#define SHAPE(...)                                                                                \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                        \
    {                                                                                             \
        __VA_ARGS__                                                                               \
    }

/* cmocka set-up and tear-down for a test or a group. */
int twin_setup(void **state);
int twin_teardown(void **state);

/* Give back every twin made so far. */
void twin_clear(twin_fixture *f);

/* Uniform in [low, high), the same in both places; `dtype` is the device's. */
twin *twin_random(twin_fixture *f, st_dtype dtype, float low, float high, int rank,
                  const int64_t *shape);

/* An output: filled with NaN bytes, canaries around it. */
twin *twin_canaried(twin_fixture *f, st_dtype dtype, int rank, const int64_t *shape);

/* Values set by the test on the host (f32), sent to the device. */
twin *twin_values(twin_fixture *f, st_dtype dtype, const float *values, int rank,
                  const int64_t *shape);

/* What the device holds, as f32, in memory that twin_clear gives back with free(). */
float *twin_device_values(twin_fixture *f, const twin *t);

/* max |device - host| / max |host| <= bound; norm of the difference over the norm of host <= bound.
 * NaN never passes. `what` names the tensor in the sentence. */
void twin_check_max(twin_fixture *f, const twin *t, const char *what, double bound);
void twin_check_norm(twin_fixture *f, const twin *t, const char *what, double bound);

/* Nobody wrote around it. */
void twin_check_canaries(twin_fixture *f, const twin *t, const char *what);

/* The main of a twin test: skips without a GPU; an argument picks tests by name, as "stored*".
 * "small*" are for compute-sanitizer --tool racecheck, to which the others are minutes of work. */
#define TWIN_MAIN(tests)                                                                          \
    int main(int argc, char **argv)                                                               \
    {                                                                                             \
        if (argc > 1)                                                                             \
            cmocka_set_test_filter(argv[1]);                                                      \
        if (st_device_count() == 0) {                                                             \
            printf("skipped: no GPU here (or a build without CUDA)\n");                           \
            return TWIN_SKIP;                                                                     \
        }                                                                                         \
        return cmocka_run_group_tests(tests, twin_setup, twin_teardown);                          \
    }

#endif
