/* absent.c - the device twins of a build without CUDA: they all say so. */
#include "kernels/internal.h"

#define ABSENT ST_FAIL(ST_ERR_UNSUPPORTED, "this build has no CUDA: configure with -DST_CUDA=ON")

int st_device_count(void)
{
    return 0;
}

st_status st_device_describe(st_device_info *info, int device)
{
    (void)info, (void)device;
    return ABSENT;
}

void st_graph_free(st_graph *graph)
{
    ST_ASSERT(graph == NULL);       /* nobody can have made one */
}

st_status sti_device_open(sti_device **device, int number)
{
    (void)device, (void)number;
    return ABSENT;
}

void sti_device_close(sti_device *device)
{
    (void)device;
}

st_status sti_device_wait(sti_device *device)
{
    (void)device;
    return ABSENT;
}

st_status sti_device_alloc(sti_device *device, void **p, size_t bytes)
{
    (void)device, (void)p, (void)bytes;
    return ABSENT;
}

void sti_device_release(sti_device *device, void *p)
{
    (void)device, (void)p;
}

st_status sti_device_copy(sti_device *device, void *to, const void *from, size_t bytes)
{
    (void)device, (void)to, (void)from, (void)bytes;
    return ABSENT;
}

st_status sti_device_fill(sti_device *device, void *to, int byte, size_t bytes)
{
    (void)device, (void)to, (void)byte, (void)bytes;
    return ABSENT;
}

st_status sti_device_mark(sti_device *device, int slot)
{
    (void)device, (void)slot;
    return ABSENT;
}

st_status sti_device_elapsed_ms(sti_device *device, double *ms, int from, int to)
{
    (void)device, (void)ms, (void)from, (void)to;
    return ABSENT;
}

st_status sti_device_graph_begin(sti_device *device)
{
    (void)device;
    return ABSENT;
}

st_status sti_device_graph_end(sti_device *device, st_graph **graph)
{
    (void)device, (void)graph;
    return ABSENT;
}

st_status sti_device_graph_run(sti_device *device, st_graph *graph)
{
    (void)device, (void)graph;
    return ABSENT;
}

st_status sti_device_product(sti_device *device, const st_product *p)
{
    (void)device, (void)p;
    return ABSENT;
}
