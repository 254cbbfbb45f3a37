/* around_check.h - random numbers, host tensors and differences for the operators' tests. */
#ifndef ST_TESTS_AROUND_CHECK_H
#define ST_TESTS_AROUND_CHECK_H

#include "check.h"

#include "kernels/base/rng.h"
#include "kernels/stream.h"

/* n numbers in [-1, 1), multiples of 2^-20 so that f32 and double hold the same ones. */
static inline double *draw(uint64_t key, int64_t n)
{
    st_rng  rng = st_rng_from(st_hash_int(7, (int64_t)key));
    double *x = calloc((size_t)n + 1, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = floor(st_rng_between(&rng, -1.0, 1.0) * 1048576.0) / 1048576.0;
    return x;
}

static inline double *zeros(int64_t n)
{
    double *x = calloc((size_t)n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

/* A host tensor over a fresh f32 copy of x, or zeros when x is NULL. */
static inline st_tensor host_tensor(const double *x, int rank, const int64_t *shape)
{
    st_tensor t = {.rank = rank, .dtype = ST_F32, .place = ST_PLACE_HOST};
    for (int i = 0; i < rank; i++)
        t.shape[i] = shape[i];
    const int64_t n = st_tensor_count(&t);
    float        *data = calloc((size_t)n + 1, sizeof *data);
    assert_non_null(data);
    for (int64_t i = 0; i < n && x; i++)
        data[i] = (float)x[i];
    t.data = data;
    return t;
}

#define SHAPE(...)                                                                                \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                        \
    {                                                                                             \
        __VA_ARGS__                                                                               \
    }

/* max |a - b| <= bound * max |b|; NaN never passes. A tensor that is zero but for rounding, such as
 * a gradient that cancels, is judged as if its largest value were 1e-2. */
static inline void check_close(const char *what, const st_tensor *a, const double *b, double bound)
{
    double worst = 0.0, most = 1e-2;
    for (int64_t i = 0; i < st_tensor_count(a); i++) {
        const double gap = fabs((double)((const float *)a->data)[i] - b[i]);
        worst = gap <= worst || isnan(worst) ? worst : gap;
        most  = fabs(b[i]) > most ? fabs(b[i]) : most;
    }
    if (!(worst <= bound * most))
        fail_msg("%s: off by %.3g of the largest value, allowed %.3g", what, worst / most, bound);
}

/* Central difference of loss(context) by one number against its gradient. */
static inline void check_slope(const char *what, double *x, double gradient,
                               double (*loss)(void *), void *context)
{
    const double step = 1e-5, kept = *x;
    *x = kept + step;
    const double above = loss(context);
    *x = kept - step;
    const double below = loss(context);
    *x = kept;
    const double slope = (above - below) / (2.0 * step);
    if (!(fabs(slope - gradient) <= 1e-7 + 1e-6 * fabs(slope)))
        fail_msg("%s: gradient %.12g, finite difference %.12g", what, gradient, slope);
}

/* A group of tests whose state is a stream of the host. */
static inline int host_stream_set_up(void **state)
{
    st_stream *stream;
    must(st_stream_create_host(&stream, NULL));
    *state = stream;
    return 0;
}

static inline int host_stream_tear_down(void **state)
{
    st_stream_free(*state);
    return 0;
}

#endif
