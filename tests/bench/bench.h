/* bench.h - one CSV row per kernel and shape, with the share of what this card can do.
 *
 * A bench records its launches as a graph, warms up, then times single replays with L2 flushed
 * before each, and prints
 *
 *   kernel,shape,median_us,best_us,tflops,share_of_product_ceiling,tbps,share_of_copy_ceiling
 *
 * The ceilings are measured in the same run: a bf16 product of side 8192 on random numbers, and a
 * copy of 2 GiB counting bytes read and written.
 */
#ifndef ST_TESTS_BENCH_H
#define ST_TESTS_BENCH_H

#include "kernels/stream.h"

typedef struct bench {
    st_stream  *q;
    const char *only;               /* run only kernels whose name starts so; NULL runs all */
    double      product_tflops;     /* ceilings; 0 while they are being measured            */
    double      copy_tbps;
    void       *flush;              /* larger than L2, rewritten between runs */
    size_t      flush_bytes;
} bench;

/* What is timed: it launches on q and allocates nothing. */
typedef st_status bench_work(st_stream *q, void *context);

typedef struct bench_row {
    const char *kernel;
    const char *shape;
    double      flop;               /* multiply-adds count twice */
    double      bytes;              /* least traffic with device memory, 0: not of interest */
    bool        plain_calls;        /* do not record a graph */
    double      median_us, best_us; /* the answer */
} bench_row;

/* True when `kernel` is asked for. */
bool bench_wants(const bench *b, const char *kernel);

/* Time work and print its row. */
ST_CHECKED st_status bench_run(bench *b, bench_row *row, bench_work *work, void *context);

/* Uniform bf16 or f32 in [-scale, scale) into device memory of `q`. */
ST_CHECKED st_status bench_fill(bench *b, st_tensor *x, float scale);

/* One group of kernels per file; each asks bench_wants before it allocates. */
ST_CHECKED st_status bench_ttt(bench *b);
ST_CHECKED st_status bench_around(bench *b);

#endif
