/* stream.cu - the device behind a stream: queue, memory, graphs, moments in time. */
#include "kernels/hopper.cuh"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKSPACE_BYTES = 64 << 20 };    /* cuBLASLt asks for 32 MiB on Hopper; twice that */

struct st_graph {
    cudaGraph_t     graph;
    cudaGraphExec_t exec;
};

extern "C" int st_device_count(void)
{
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

extern "C" st_status st_device_describe(st_device_info *info, int device)
{
    cudaDeviceProp p;
    int driver = 0, clock_khz = 0;
    STI_CUDA(cudaGetDeviceProperties(&p, device), "device %d", device);
    STI_CUDA(cudaDriverGetVersion(&driver), "driver version");
    STI_CUDA(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, device), "core clock");

    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "%.127s", p.name);
    info->capability = 10 * p.major + p.minor;
    info->driver_version = driver;
    info->processor_count = p.multiProcessorCount;
    info->clock_khz = clock_khz;
    info->memory_bytes = p.totalGlobalMem;
    info->l2_bytes = (size_t)p.l2CacheSize;
    return st_ok();
}

/* 1 where code for 9.0 alone runs. The card is asked, because only it knows which of a program's
 * codes it took: those for 8.0 run on 9.0 too, and there Hopper's kernels are empty. */
static __global__ void say_hopper(int *answer)
{
#ifdef STI_HOPPER
    *answer = 1;
#else
    *answer = 0;
#endif
}

static st_status ask_hopper(sti_device *d)
{
    int answer = 0;
    say_hopper<<<1, 1, 0, d->stream>>>((int *)d->workspace);
    STI_CUDA(cudaGetLastError(), "device %d has compute capability %d.%d, this program has no code "
             "for it", d->number, d->capability / 10, d->capability % 10);
    STI_CUDA(cudaMemcpyAsync(&answer, d->workspace, sizeof answer, cudaMemcpyDeviceToHost,
                             d->stream), "device %d", d->number);
    STI_CUDA(cudaStreamSynchronize(d->stream), "device %d", d->number);
    d->hopper = answer == 1;
    return st_ok();
}

static st_status fill(sti_device *d, int number)
{
    cudaDeviceProp p;
    d->number = number;
    STI_CUDA(cudaSetDevice(number), "device %d", number);
    STI_CUDA(cudaGetDeviceProperties(&p, number), "device %d", number);
    if (p.major < 8)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "device %d has compute capability %d.%d, needs 8.0",
                       number, p.major, p.minor);
    d->processor_count = p.multiProcessorCount;
    d->capability = 10 * p.major + p.minor;
    STI_CUDA(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking), "stream");
    for (int i = 0; i < ST_STREAM_MARKS; i++)
        STI_CUDA(cudaEventCreate(&d->mark[i]), "event");
    STI_CUDA(cudaMalloc(&d->workspace, WORKSPACE_BYTES), "cuBLASLt workspace");
    d->workspace_bytes = WORKSPACE_BYTES;
    if (cublasLtCreate(&d->lt) != CUBLAS_STATUS_SUCCESS)
        return ST_FAIL(ST_ERR_DEVICE, "cuBLASLt does not start on device %d", number);
    return ask_hopper(d);
}

extern "C" st_status sti_device_open(sti_device **device, int number)
{
    sti_device *made = (sti_device *)calloc(1, sizeof *made);
    if (!made)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a device context");
    const st_status s = fill(made, number);
    if (s.code != ST_OK) {
        sti_device_close(made);
        return s;
    }
    *device = made;
    return st_ok();
}

extern "C" void sti_device_close(sti_device *d)
{
    if (!d)
        return;
    if (d->stream)
        cudaStreamSynchronize(d->stream);
    for (int i = 0; i < d->plan_count; i++) {
        cublasLtMatmulDescDestroy(d->plan[i].op);
        cublasLtMatrixLayoutDestroy(d->plan[i].y);
        cublasLtMatrixLayoutDestroy(d->plan[i].a);
        cublasLtMatrixLayoutDestroy(d->plan[i].b);
    }
    if (d->lt)
        cublasLtDestroy(d->lt);
    cudaFree(d->workspace);
    for (int i = 0; i < ST_STREAM_MARKS; i++)
        if (d->mark[i])
            cudaEventDestroy(d->mark[i]);
    if (d->stream)
        cudaStreamDestroy(d->stream);
    free(d);
}

extern "C" st_status sti_device_wait(sti_device *d)
{
    STI_CUDA(cudaStreamSynchronize(d->stream), "device %d", d->number);
    return st_ok();
}

extern "C" st_status sti_device_alloc(sti_device *d, void **p, size_t bytes)
{
    STI_CUDA(cudaMalloc(p, bytes), "device %d: %zu bytes", d->number, bytes);
    return st_ok();
}

extern "C" void sti_device_release(sti_device *d, void *p)
{
    cudaStreamSynchronize(d->stream);
    cudaFree(p);
}

extern "C" st_status sti_device_copy(sti_device *d, void *to, const void *from, size_t bytes)
{
    STI_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, d->stream),
             "copy of %zu bytes", bytes);
    return st_ok();
}

extern "C" st_status sti_device_fill(sti_device *d, void *to, int byte, size_t bytes)
{
    STI_CUDA(cudaMemsetAsync(to, byte, bytes, d->stream), "fill of %zu bytes", bytes);
    return st_ok();
}

extern "C" st_status sti_device_mark(sti_device *d, int slot)
{
    STI_CUDA(cudaEventRecord(d->mark[slot], d->stream), "mark %d", slot);
    return st_ok();
}

extern "C" st_status sti_device_elapsed_ms(sti_device *d, double *ms, int from, int to)
{
    float elapsed_ms = 0.0f;
    STI_CUDA(cudaEventSynchronize(d->mark[to]), "mark %d", to);
    STI_CUDA(cudaEventElapsedTime(&elapsed_ms, d->mark[from], d->mark[to]), "marks %d, %d", from,
             to);
    *ms = elapsed_ms;
    return st_ok();
}

extern "C" st_status sti_device_graph_begin(sti_device *d)
{
    STI_CUDA(cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal), "recording");
    return st_ok();
}

extern "C" st_status sti_device_graph_end(sti_device *d, st_graph **graph)
{
    st_graph *made = (st_graph *)calloc(1, sizeof *made);
    cudaError_t e = cudaStreamEndCapture(d->stream, made ? &made->graph : NULL);
    if (e == cudaSuccess && made)
        e = cudaGraphInstantiate(&made->exec, made->graph, 0);
    if (!made || e != cudaSuccess) {
        st_graph_free(made);
        return ST_FAIL(ST_ERR_DEVICE, "the recorded launches make no graph: %s",
                       cudaGetErrorString(e));
    }
    *graph = made;
    return st_ok();
}

extern "C" st_status sti_device_graph_run(sti_device *d, st_graph *graph)
{
    STI_CUDA(cudaGraphLaunch(graph->exec, d->stream), "graph");
    return st_ok();
}

extern "C" void st_graph_free(st_graph *graph)
{
    if (!graph)
        return;
    if (graph->exec)
        cudaGraphExecDestroy(graph->exec);
    if (graph->graph)
        cudaGraphDestroy(graph->graph);
    free(graph);
}

static int sync_asked(void)
{
    const char *value = getenv("ST_SYNC");
    return value && strcmp(value, "1") == 0;
}

extern "C" st_status sti_launched(const char *kernel)
{
    static const int sync = sync_asked();   /* the environment does not change while we run */
    STI_CUDA(cudaGetLastError(), "%s", kernel);
    if (sync)
        STI_CUDA(cudaDeviceSynchronize(), "%s", kernel);
    return st_ok();
}
