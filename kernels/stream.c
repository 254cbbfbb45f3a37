/* stream.c - streams on the host, slabs on both places, and the way to the device twins. */
#include "kernels/internal.h"

#include "kernels/base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLAB_ALIGNMENT = 256 };      /* the strictest border any kernel or copy engine asks for */

st_status st_stream_create_host(st_stream **q, st_pool *pool)
{
    st_stream *made = calloc(1, sizeof *made);
    if (!made)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a host stream");
    made->place = ST_PLACE_HOST;
    made->pool = pool;
    made->tile = aligned_alloc(SLAB_ALIGNMENT, STI_TILE_FLOATS * sizeof(float));
    if (!made->tile) {
        free(made);
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a host stream");
    }
    *q = made;
    return st_ok();
}

st_status st_stream_create_device(st_stream **q, int device)
{
    st_stream *made = calloc(1, sizeof *made);
    if (!made)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a device stream");
    made->place = ST_PLACE_DEVICE;
    const st_status s = sti_device_open(&made->device, device);
    if (s.code != ST_OK) {
        free(made);
        return s;
    }
    *q = made;
    return st_ok();
}

void st_stream_free(st_stream *q)
{
    if (!q)
        return;
    if (q->device)
        sti_device_close(q->device);
    free(q->tile);
    free(q);
}

st_place st_stream_place(const st_stream *q)
{
    return q->place;
}

st_status st_stream_wait(st_stream *q)
{
    return q->place == ST_PLACE_DEVICE ? sti_device_wait(q->device) : st_ok();
}

/* --- slabs -------------------------------------------------------------------------------- */

void st_slab_plan(st_slab *slab, const char *name, st_place place)
{
    *slab = (st_slab){.place = place, .name = name};
}

st_status st_slab_create(st_stream *q, st_slab *slab)
{
    ST_ASSERT(slab->base == NULL);
    if (q->place != slab->place)
        return ST_FAIL(ST_ERR_USAGE, "slab %s and its stream must be in one place", slab->name);

    const size_t bytes = slab->peak > 0 ? slab->peak : SLAB_ALIGNMENT;
    void *base = NULL;
    if (slab->place == ST_PLACE_DEVICE)
        ST_TRY(st_within(sti_device_alloc(q->device, &base, bytes), "slab %s", slab->name));
    else
        base = aligned_alloc(SLAB_ALIGNMENT, bytes);
    if (!base)
        return ST_FAIL(ST_ERR_MEMORY, "slab %s: no memory for %zu bytes", slab->name, bytes);
    slab->base = base;
    slab->size = bytes;
    slab->used = 0;
    return st_ok();
}

void st_slab_free(st_stream *q, st_slab *slab)
{
    if (slab->base && slab->place == ST_PLACE_DEVICE)
        sti_device_release(q->device, slab->base);
    else
        free(slab->base);
    *slab = (st_slab){.place = slab->place, .name = slab->name};
}

st_status st_slab_take(st_slab *slab, void **pp, size_t count, size_t element, const char *what)
{
    size_t bytes, end;
    ST_TRY(st_within(st_size_mul(&bytes, count, element), "slab %s: %s", slab->name, what));
    ST_TRY(st_within(st_size_add(&bytes, bytes, SLAB_ALIGNMENT - 1), "slab %s", slab->name));
    bytes -= bytes % SLAB_ALIGNMENT;
    ST_TRY(st_within(st_size_add(&end, slab->used, bytes), "slab %s: %s", slab->name, what));
    if (slab->base && end > slab->size)
        return ST_FAIL(ST_ERR_MEMORY, "slab %s: %s needs %zu bytes, %zu of %zu are left",
                       slab->name, what, bytes, slab->size - slab->used, slab->size);

    *pp = slab->base ? slab->base + slab->used : NULL;
    slab->used = end;
    if (slab->used > slab->peak)
        slab->peak = slab->used;
    return st_ok();
}

st_status st_slab_take_tensor(st_slab *slab, st_tensor *x, st_dtype dtype, int rank,
                              const int64_t *shape)
{
    ST_ASSERT(rank >= 0 && rank <= ST_RANK_MAX);
    st_tensor made = {.rank = rank, .dtype = dtype, .place = slab->place};
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        ST_ASSERT(shape[i] >= 0);
        made.shape[i] = shape[i];
        ST_TRY(st_size_mul(&count, count, (size_t)shape[i]));
    }
    ST_TRY(st_slab_take(slab, &made.data, count, st_dtype_size(dtype), "tensor"));
    *x = made;
    return st_ok();
}

void st_slab_rewind(st_slab *slab, size_t used)
{
    ST_ASSERT(used <= slab->used);
    slab->used = used;
}

/* --- copies ------------------------------------------------------------------------------- */

st_status st_copy_bytes(st_stream *q, void *to, st_place to_place, const void *from,
                        st_place from_place, size_t bytes)
{
    if (bytes == 0)
        return st_ok();
    if (q->place == ST_PLACE_DEVICE)
        return sti_device_copy(q->device, to, from, bytes);
    if (to_place != ST_PLACE_HOST || from_place != ST_PLACE_HOST)
        return ST_FAIL(ST_ERR_USAGE, "a host stream cannot copy to or from a device");
    memmove(to, from, bytes);
    return st_ok();
}

st_status st_copy(st_stream *q, st_tensor *to, const st_tensor *from)
{
    if (to->dtype != from->dtype || st_tensor_count(to) != st_tensor_count(from)) {
        char a[96], b[96];
        return ST_FAIL(ST_ERR_USAGE, "cannot copy %s to %s",
                       st_tensor_describe(from, a, sizeof a), st_tensor_describe(to, b, sizeof b));
    }
    return st_copy_bytes(q, to->data, to->place, from->data, from->place, st_tensor_bytes(from));
}

st_status st_fill_bytes(st_stream *q, void *to, int byte, size_t bytes)
{
    if (bytes == 0)
        return st_ok();
    if (q->place == ST_PLACE_DEVICE)
        return sti_device_fill(q->device, to, byte, bytes);
    memset(to, byte, bytes);
    return st_ok();
}

/* --- repeating and timing ----------------------------------------------------------------- */

st_status st_graph_begin(st_stream *q)
{
    if (q->place != ST_PLACE_DEVICE)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "a host stream works at once: nothing to record");
    return sti_device_graph_begin(q->device);
}

st_status st_graph_end(st_stream *q, st_graph **graph)
{
    if (q->place != ST_PLACE_DEVICE)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "a host stream works at once: nothing to record");
    return sti_device_graph_end(q->device, graph);
}

st_status st_graph_run(st_stream *q, st_graph *graph)
{
    if (q->place != ST_PLACE_DEVICE)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "a host stream cannot run a recorded graph");
    return sti_device_graph_run(q->device, graph);
}

st_status st_stream_mark(st_stream *q, int slot)
{
    ST_ASSERT(slot >= 0 && slot < ST_STREAM_MARKS);
    if (q->place == ST_PLACE_DEVICE)
        return sti_device_mark(q->device, slot);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    q->mark_ms[slot] = 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
    return st_ok();
}

st_status st_stream_elapsed_ms(st_stream *q, double *ms, int from_slot, int to_slot)
{
    ST_ASSERT(from_slot >= 0 && from_slot < ST_STREAM_MARKS);
    ST_ASSERT(to_slot >= 0 && to_slot < ST_STREAM_MARKS);
    if (q->place == ST_PLACE_DEVICE)
        return sti_device_elapsed_ms(q->device, ms, from_slot, to_slot);
    *ms = q->mark_ms[to_slot] - q->mark_ms[from_slot];
    return st_ok();
}
