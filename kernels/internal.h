/* internal.h - what the files of this room share; nobody else includes it.
 *
 * Every sti_device_* has two bodies: one in a .cu file, and one in absent.c that says
 * ST_ERR_UNSUPPORTED, for builds without CUDA.
 */
#ifndef ST_KERNELS_INTERNAL_H
#define ST_KERNELS_INTERNAL_H

#include "kernels/product.h"
#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sti_device sti_device;   /* CUDA stream, events, cuBLASLt handle and workspace */

/* Where bf16 weights are widened on the host, a tile at a time: 4 MiB, which the cores' outer
 * caches hold. */
enum { STI_TILE_FLOATS = 1 << 20 };

struct st_stream {
    st_place    place;
    st_pool    *pool;                       /* host: borrowed, may be NULL */
    float      *tile;                       /* host: owned, STI_TILE_FLOATS */
    sti_device *device;                     /* device: owned               */
    double      mark_ms[ST_STREAM_MARKS];   /* host: moments noted         */
};

ST_CHECKED st_status sti_device_open(sti_device **device, int number);
void sti_device_close(sti_device *device);
ST_CHECKED st_status sti_device_wait(sti_device *device);
ST_CHECKED st_status sti_device_alloc(sti_device *device, void **p, size_t bytes);
void sti_device_release(sti_device *device, void *p);
ST_CHECKED st_status sti_device_copy(sti_device *device, void *to, const void *from, size_t bytes);
ST_CHECKED st_status sti_device_fill(sti_device *device, void *to, int byte, size_t bytes);
ST_CHECKED st_status sti_device_mark(sti_device *device, int slot);
ST_CHECKED st_status sti_device_elapsed_ms(sti_device *device, double *ms, int from, int to);
ST_CHECKED st_status sti_device_graph_begin(sti_device *device);
ST_CHECKED st_status sti_device_graph_end(sti_device *device, st_graph **graph);
ST_CHECKED st_status sti_device_graph_run(sti_device *device, st_graph *graph);
ST_CHECKED st_status sti_device_product(sti_device *device, const st_product *p);

/* The status of the launch just made; with ST_SYNC=1 of the kernel itself. Ends every launcher. */
ST_CHECKED st_status sti_launched(const char *kernel);

#ifdef __cplusplus
}
#endif

#endif
