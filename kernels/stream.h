/* stream.h - where work happens: a queue on the host or on one GPU, and the memory beside it.
 *
 * A stream runs its work in order. On the host that means at once; on a GPU the calls return early
 * and st_stream_wait catches up. Every operator of this room takes a stream first and runs where
 * the stream is; its tensors must be there too. A stream is used by the thread that created it.
 *
 *   slab      memory of one place, planned by counting, then allocated once
 *   graph     the launches between two calls, recorded once and repeated at little cost
 *
 * ST_SYNC=1 in the environment waits after each launch, so a fault is pinned on its kernel.
 *
 * May include: kernels/base.
 */
#ifndef ST_KERNELS_STREAM_H
#define ST_KERNELS_STREAM_H

#include "kernels/base/pool.h"
#include "kernels/base/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct st_stream st_stream;
typedef struct st_graph  st_graph;

typedef struct st_device_info {
    char   name[128];           /* "NVIDIA H200"                            */
    int    capability;          /* 90 is compute capability 9.0             */
    int    driver_version;      /* as CUDA counts: 13000 is 13.0            */
    int    processor_count;     /* streaming multiprocessors                */
    int    clock_khz;           /* highest core clock                       */
    size_t memory_bytes;
    size_t l2_bytes;
} st_device_info;

/* GPUs that this build can use; 0 without CUDA, without a driver, without a card. */
int st_device_count(void);

/* Fails   ST_ERR_UNSUPPORTED built without CUDA; ST_ERR_DEVICE no such device. */
ST_CHECKED st_status st_device_describe(st_device_info *info, int device);

/* A stream on the host. `pool` is borrowed and may be NULL: then one thread works, BLAS aside. */
ST_CHECKED st_status st_stream_create_host(st_stream **q, st_pool *pool);

/* A stream on GPU number `device`, with its cuBLASLt handle and workspace.
 *
 * Fails   ST_ERR_UNSUPPORTED built without CUDA; ST_ERR_DEVICE the card refuses.
 */
ST_CHECKED st_status st_stream_create_device(st_stream **q, int device);

/* Waits for the work, then frees. NULL is fine. */
void st_stream_free(st_stream *q);

st_place st_stream_place(const st_stream *q);

/* Wait until everything asked for so far is done; tells of faults that happened since. */
ST_CHECKED st_status st_stream_wait(st_stream *q);

/* --- memory ------------------------------------------------------------------------------- */

/* Memory of one place that is handed out in pieces and never grows. Life of a slab:
 *
 *     st_slab_plan(&slab, "decoder", ST_PLACE_DEVICE);     counting: pieces are NULL
 *     ST_TRY(take_everything(&slab));                      the same code that will take for real
 *     ST_TRY(st_slab_create(q, &slab));                    one allocation of the high-water mark
 *     ST_TRY(take_everything(&slab));
 *     st_slab_free(q, &slab);
 */
typedef struct st_slab {
    unsigned char *base;        /* NULL while planning               */
    size_t         used;
    size_t         peak;        /* most ever used                    */
    size_t         size;        /* allocated bytes, 0 while planning */
    st_place       place;
    const char    *name;        /* borrowed, for its sentences       */
} st_slab;

void st_slab_plan(st_slab *slab, const char *name, st_place place);

/* Allocate what the plan counted. The contents are undefined.
 *
 * Fails   ST_ERR_MEMORY, with how much was asked for; ST_ERR_USAGE the stream is elsewhere.
 */
ST_CHECKED st_status st_slab_create(st_stream *q, st_slab *slab);
void st_slab_free(st_stream *q, st_slab *slab);

/* Set *pp to `count` elements, on a 256-byte border: ST_TRY(ST_TAKE(slab, &x, n)). While planning
 * *pp is NULL.
 *
 * Fails   ST_ERR_MEMORY more than was planned; ST_ERR_LIMIT the size does not fit 63 bits.
 */
#define ST_TAKE(slab, pp, count)                                                                  \
    st_slab_take((slab), (void **)(pp), (size_t)(count), sizeof **(pp), "" #pp)
ST_CHECKED st_status st_slab_take(st_slab *slab, void **pp, size_t count, size_t element,
                                  const char *what);

/* A tensor of this type and shape in the slab. */
ST_CHECKED st_status st_slab_take_tensor(st_slab *slab, st_tensor *x, st_dtype dtype, int rank,
                                         const int64_t *shape);

/* Come back to an earlier `used`: mark = slab->used; ...; st_slab_rewind(slab, mark). */
void st_slab_rewind(st_slab *slab, size_t used);

/* Copy bytes between places; at least one end is where the stream is, the other there or on the
 * host. Host memory may be reused after st_stream_wait. */
ST_CHECKED st_status st_copy_bytes(st_stream *q, void *to, st_place to_place, const void *from,
                                   st_place from_place, size_t bytes);

/* The same for two tensors of one type and count. */
ST_CHECKED st_status st_copy(st_stream *q, st_tensor *to, const st_tensor *from);

/* Set bytes where the stream is. */
ST_CHECKED st_status st_fill_bytes(st_stream *q, void *to, int byte, size_t bytes);

/* --- repeating and timing ----------------------------------------------------------------- */

/* Record what is launched between the two calls instead of running it. Only launches and copies
 * inside the device may stand between them. On the host both answer ST_ERR_UNSUPPORTED. */
ST_CHECKED st_status st_graph_begin(st_stream *q);
ST_CHECKED st_status st_graph_end(st_stream *q, st_graph **graph);
ST_CHECKED st_status st_graph_run(st_stream *q, st_graph *graph);
void st_graph_free(st_graph *graph);

enum { ST_STREAM_MARKS = 64 };

/* Note the moment this point of the queue is reached, in slot 0 .. ST_STREAM_MARKS-1, and ask for
 * the milliseconds between two such moments (waits for the later one). */
ST_CHECKED st_status st_stream_mark(st_stream *q, int slot);
ST_CHECKED st_status st_stream_elapsed_ms(st_stream *q, double *ms, int from_slot, int to_slot);

#ifdef __cplusplus
}
#endif

#endif
