/* bench_kernels.c - the kernels on this card: `bench_kernels [KERNEL]`. See bench.h. */
#include "bench/bench.h"

#include "kernels/base/rng.h"
#include "kernels/product.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ST_COMMIT
#define ST_COMMIT "unknown"
#endif

enum { WARM_UPS = 5, RUNS = 41 };

/* A group ("ttt") is wanted when one of its kernels ("ttt_fire") is, and the other way round. */
bool bench_wants(const bench *b, const char *kernel)
{
    if (!b->only)
        return true;
    const size_t asked = strlen(b->only), have = strlen(kernel);
    return strncmp(kernel, b->only, asked < have ? asked : have) == 0;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Replays of `graph`, or plain calls when it is NULL. */
static st_status time_runs(bench *b, bench_row *row, st_graph *graph, bench_work *work,
                           void *context)
{
    double us[RUNS];
    for (int i = -WARM_UPS; i < RUNS; i++) {
        ST_TRY(st_fill_bytes(b->q, b->flush, i & 0xff, b->flush_bytes));
        ST_TRY(st_stream_mark(b->q, 0));
        ST_TRY(graph ? st_graph_run(b->q, graph) : work(b->q, context));
        ST_TRY(st_stream_mark(b->q, 1));
        double ms;
        ST_TRY(st_stream_elapsed_ms(b->q, &ms, 0, 1));
        if (i >= 0)
            us[i] = 1e3 * ms;
    }
    qsort(us, RUNS, sizeof us[0], by_size);
    row->median_us = us[RUNS / 2];
    row->best_us = us[0];
    return st_ok();
}

static st_status time_graph(bench *b, bench_row *row, bench_work *work, void *context)
{
    st_graph *graph = NULL;
    ST_TRY(st_graph_begin(b->q));
    const st_status recorded = work(b->q, context);
    const st_status ended = st_graph_end(b->q, &graph);
    ST_TRY(recorded);
    ST_TRY(ended);
    const st_status timed = time_runs(b, row, graph, work, context);
    st_graph_free(graph);
    return timed;
}

st_status bench_run(bench *b, bench_row *row, bench_work *work, void *context)
{
    /* Once outside the recording: libraries choose their algorithms on the first call. */
    ST_TRY(work(b->q, context));
    ST_TRY(st_stream_wait(b->q));
    ST_TRY(row->plain_calls ? time_runs(b, row, NULL, work, context)
                            : time_graph(b, row, work, context));

    const double tflops = row->flop / row->median_us * 1e-6;
    const double tbps = row->bytes / row->median_us * 1e-6;
    printf("%s,%s,%.1f,%.1f,%.0f,%.3f,%.2f,%.3f\n", row->kernel, row->shape, row->median_us,
           row->best_us, tflops, b->product_tflops > 0 ? tflops / b->product_tflops : 1.0, tbps,
           b->copy_tbps > 0 ? tbps / b->copy_tbps : 1.0);
    fflush(stdout);
    return st_ok();
}

st_status bench_fill(bench *b, st_tensor *x, float scale)
{
    const int64_t count = st_tensor_count(x);
    unsigned char *host = malloc(st_tensor_bytes(x) + 1);
    if (!host)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for %lld random numbers", (long long)count);
    st_rng rng = st_rng_from(st_hash_int(7, count));
    for (int64_t i = 0; i < count; i++) {
        const float value = scale * (float)(2.0 * st_rng_unit(&rng) - 1.0);
        const uint16_t narrow = st_bf16_from_f32(value);
        if (x->dtype == ST_BF16)
            memcpy(host + 2 * i, &narrow, sizeof narrow);
        else
            memcpy(host + 4 * i, &value, sizeof value);
    }
    st_status s = st_copy_bytes(b->q, x->data, ST_PLACE_DEVICE, host, ST_PLACE_HOST,
                                st_tensor_bytes(x));
    if (s.code == ST_OK)
        s = st_stream_wait(b->q);
    free(host);
    return s;
}

/* --- ceilings ----------------------------------------------------------------------------- */

enum { CEILING_SIDE = 8192 };

static st_status square_product(st_stream *q, void *context)
{
    st_tensor *x = context;     /* y, a, b */
    const st_product p = {.y = x[0].data, .a = x[1].data, .b = x[2].data,
                          .y_dtype = ST_BF16, .ab_dtype = ST_BF16,
                          .rows = CEILING_SIDE, .cols = CEILING_SIDE, .inner = CEILING_SIDE,
                          .batch = 1, .y_pitch = CEILING_SIDE, .a_pitch = CEILING_SIDE,
                          .b_pitch = CEILING_SIDE, .b_turn = ST_TURNED, .alpha = 1.0f};
    return st_product_run(q, &p);
}

static st_status copy(st_stream *q, void *context)
{
    st_tensor *x = context;     /* to, from */
    return st_copy(q, &x[0], &x[1]);
}

static st_status measure(bench *b, st_slab *slab)
{
    st_tensor x[3];
    for (int i = 0; i < 3; i++)
        ST_TRY(st_slab_take_tensor(slab, &x[i], ST_BF16, 2,
                                   (int64_t[]){CEILING_SIDE, CEILING_SIDE}));
    st_tensor c[2];
    for (int i = 0; i < 2; i++)
        ST_TRY(st_slab_take_tensor(slab, &c[i], ST_U8, 1, (int64_t[]){(int64_t)1 << 30}));
    if (!slab->base)
        return st_ok();
    ST_TRY(bench_fill(b, &x[1], 1.0f));
    ST_TRY(bench_fill(b, &x[2], 1.0f));
    const double side = CEILING_SIDE;
    bench_row product = {"ceiling_product", "8192^3 bf16", .flop = 2 * side * side * side};
    /* Recorded, a copy would go to the copy engine, which is slower than the processors. */
    bench_row copied = {"ceiling_copy", "1 GiB", .bytes = 2.0 * (1 << 30), .plain_calls = true};
    ST_TRY(bench_run(b, &product, square_product, x));
    ST_TRY(bench_run(b, &copied, copy, c));
    b->product_tflops = product.flop / product.median_us * 1e-6;
    b->copy_tbps = copied.bytes / copied.median_us * 1e-6;
    return st_ok();
}

static st_status run_all(bench *b)
{
    st_device_info info;
    ST_TRY(st_device_describe(&info, 0));
    printf("# %s, driver %d, %d processors, up to %d MHz, L2 %zu MiB, commit %s\n", info.name,
           info.driver_version, info.processor_count, info.clock_khz / 1000, info.l2_bytes >> 20,
           ST_COMMIT);
    printf("kernel,shape,median_us,best_us,tflops,share_of_product_ceiling,tbps,"
           "share_of_copy_ceiling\n");

    st_slab slab, flush;
    st_slab_plan(&flush, "flush", ST_PLACE_DEVICE);
    b->flush_bytes = 4 * info.l2_bytes;
    ST_TRY(st_slab_take(&flush, &b->flush, b->flush_bytes, 1, "flush"));
    ST_TRY(st_slab_create(b->q, &flush));
    b->flush = flush.base;

    st_slab_plan(&slab, "ceilings", ST_PLACE_DEVICE);
    ST_TRY(measure(b, &slab));
    ST_TRY(st_slab_create(b->q, &slab));
    ST_TRY(measure(b, &slab));
    st_slab_free(b->q, &slab);

    ST_TRY(bench_ttt(b));
    ST_TRY(bench_around(b));
    st_slab_free(b->q, &flush);
    return st_ok();
}

int main(int argc, char **argv)
{
    bench b = {.only = argc > 1 ? argv[1] : NULL};
    if (st_device_count() == 0) {
        printf("skipped: no GPU here (or a build without CUDA)\n");
        return 0;
    }
    st_status s = st_stream_create_device(&b.q, 0);
    if (s.code == ST_OK)
        s = run_all(&b);
    st_stream_free(b.q);
    if (s.code != ST_OK)
        fprintf(stderr, "bench_kernels: %s [%s, %s:%d]\n", s.text, st_code_name(s.code), s.file,
                s.line);
    return s.code == ST_OK ? 0 : 3;
}
