/* prep_hopper_forward.cu - prep's forward pass over grids on compute capability 9.0.
 *
 * See prep_hopper.cuh for how a block walks, prep_hopper_lines.cuh for how its mixers multiply, and
 * prep_hopper_finish.cuh for its finishers. The blocks of a cluster share a fast-weight head: SLICE
 * channels each.
 */
#include "kernels/prep_hopper_finish.cuh"

#ifdef STI_HOPPER

/* --- loaders --------------------------------------------------------------------------------- */

/* All that a loader does; the first of them plans. */
static __device__ __forceinline__ void load(forward_memory &m, const share &mine,
                                            const sti_prep &p, const prep_lanes &lanes)
{
    const int   F = (int)p.F, loader = threadIdx.x / WARP - PIECES;
    const int   piece = piece_of_head(p, mine.rank, mine.slices, threadIdx.x % PIECES);
    const bf16 *x = NULL;
    int         pitch = 0;
    steps_load<TILE, POSITIONS>(
        m, m.drained, mine.items, p, threadIdx.x == PIECES * WARP,
        [&](int head) {
            const sti_prep_lane &l = lanes.lane[head / F];
            pitch = (int)(l.Hin * p.D);
            x     = (const bf16 *)l.x +
                source_channel(p, l, head % F * (int)p.d + piece * PIECE);
        },
        [&](int n, const st_grid &g, const band &b, bool fresh) {
            planes_ask<PIECES, LOADERS>(m.plane, m.mixed, n, x, pitch, g, b, fresh, loader);
        });
}

/* --- mixers ---------------------------------------------------------------------------------- */

/* A warp's taps, and scale and offset, which the taps have multiplied, of the two channels whose
 * sums this lane holds. */
typedef struct mixer {
    taps  w;
    float scale[2], bias[2];
    bool  squash;
} mixer;

/* `first` is the warp's first channel. What silu_of_twice takes is half of what the taps give. */
static __device__ __forceinline__ void mixer_get(mixer &m, const sti_prep_lane &l, int first,
                                                 bool squash)
{
    const float half = squash ? 0.5f : 1.0f;
    const int   lane = threadIdx.x % WARP, c = first + lane / 4;
    const bf16 *conv = (const bf16 *)l.conv + (int64_t)c * ST_CONV_TAPS;
    float       scale, offset, sum = 0.0f;
    affine_get(l, c, &scale, &offset);
#pragma unroll
    for (int tap = 0; tap < ST_CONV_TAPS; tap++) {
        const float t = load1(conv + tap);
        sum += t;
        m.w[tap / 9][2 - tap / 3 % 3][tap % 3] = diagonal(t);
    }
#pragma unroll
    for (int k = 0; k < 2; k++) {
        const int from = (lane % 4 * 2 + k) * 4;
        m.scale[k] = half * __shfl_sync(0xffffffffu, scale, from);
        m.bias[k]  = half * __shfl_sync(0xffffffffu, offset * sum, from);
    }
    m.squash = squash;
}

/* What a lane keeps for all grids of a band: bytes from a plane's first place to its columns of the
 * first line, and to where it leaves the band's; columns outside the grid repeat those inside. */
typedef struct band_places {
    int   side, middle;
    leave to;
    int   lines, before;        /* of a plane, and of them above the band: 0 or 1   */
    bool  begins, ends;         /* whether the band has the grid's first, last line */
} band_places;

static __device__ __forceinline__ band_places band_places_of(const step &t)
{
    const band &b = t.b;
    const int   lane = threadIdx.x % WARP, x = b.x0 + lane % TILE, piece = threadIdx.x / WARP;
    const int   last = b.left + b.width - 1;    /* of the plane: a tile's end may lie behind it */
    const int   side = clampi(lane < TILE ? x - 1 : x + 1, t.w);
    return {piece_at(min(side, last) - b.left, piece), piece_at(min(x, last) - b.left, piece),
            leave_of(0, t), b.bottom - b.top, b.y0 - b.top, b.top == b.y0, b.bottom == b.y1};
}

/* The first line of a band. */
static __device__ __forceinline__ line_cursor cursor_of(const forward_memory &m, const step &t,
                                                        const band_places &places, int n)
{
    const uint32_t here = plane_of(m.plane, n + 1), behind = t.first ? here : plane_of(m.plane, n);
    const uint32_t ahead = t.last ? here : plane_of(m.plane, n + 2);
    line_cursor    at;
    at.sides[0]     = behind + places.side;
    at.sides[1]     = here + places.side;
    at.sides[2]     = ahead + places.side;
    at.middle       = (threadIdx.x % WARP < TILE ? behind : here) + places.middle;
    at.middle_ahead = ahead + places.middle;
    at.step         = places.to.step;
    return at;
}

/* silu(2 h) = h + h tanh(h). The instruction is good to 2^-11, and bf16 to 2^-9. */
static __device__ __forceinline__ float silu_of_twice(float h)
{
    float t;
    asm volatile("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(h));
    return fmaf(h, t, h);
}

/* From two sums of taps to what finishers take. */
template <bool squash>
static __device__ __forceinline__ uint32_t pair_of(const float *sum, const mixer &m)
{
    const float a = fmaf(sum[0], m.scale[0], m.bias[0]), b = fmaf(sum[1], m.scale[1], m.bias[1]);
    return squash ? pack(silu_of_twice(a), silu_of_twice(b)) : pack(a, b);
}

template <bool squash>
static __device__ __forceinline__ void line_leave(const float (&sum)[4], const mixer &m, leave &at)
{
    word_leave(at.to, pair_of<squash>(sum, m), at.upper);
    word_leave(at.to + HALF_TILE_BYTES, pair_of<squash>(sum + 2, m), at.lower);
    at.to += at.step;
}

/* A band that is walked downwards: what to ask for next, where to leave, and how many lines until
 * one is done that is wanted. */
typedef struct walk {
    line_cursor at;
    leave       to;
    int         left, unready;
} walk;

/* The next line feeds three sums, `below` for the first time, and what is `done` is left while its
 * products run. */
template <bool squash>
static __device__ __forceinline__ void line_mix(float (&done)[4], float (&above)[4],
                                                float (&here)[4], float (&below)[4],
                                                line_parts &x, walk &k, const mixer &m)
{
    if (k.left > 1)
        line_move(k.at, k.at.step);             /* the last line is asked for twice */
    __syncwarp();                               /* all lanes have read what is left over */
    const bool leaves = k.unready-- <= 0;
    uint32_t   pair;
#pragma unroll
    for (int i = 0; i < 4; i++)
        below[i] = 0.0f;
    line_feed(above, here, below, x, k.at, m.w, [&](int round) {
        if (round == 0)
            pair = pair_of<squash>(done, m);
        if (round == 1)
            word_leave(k.to.to, pair, k.to.upper && leaves);
        if (round == 2)
            pair = pair_of<squash>(done + 2, m);
        if (round == 3)
            word_leave(k.to.to + HALF_TILE_BYTES, pair, k.to.lower && leaves);
        if (round == 4 && leaves)
            k.to.to += k.to.step;
    });
    k.left--;
}

/* What is still to leave when the last line, which is in x, has been fed: the line above it, and
 * itself where the grid ends, as the line below the last is the last. */
template <bool squash>
static __device__ __forceinline__ void band_end(float (&above)[4], float (&here)[4],
                                                const line_parts &x, walk &k, const mixer &m,
                                                bool ends)
{
    __syncwarp();
    if (k.unready <= 0)
        line_leave<squash>(above, m, k.to);
    if (ends) {
        line_feed(here, x, m.w, 0);
        line_leave<squash>(here, m, k.to);
    }
}

/* One step. Four sums change their roles from line to line; moving them instead would wait for
 * products that are on their way. */
template <bool squash>
static __device__ __forceinline__ void band_mix(const forward_memory &memory, const mixer &m,
                                                const step &t, const band_places &places, int n)
{
    const bool  ends = places.ends;
    walk        k = {cursor_of(memory, t, places, n), places.to, places.lines, places.before + 2};
    float       s0[4] = {}, s1[4] = {}, s2[4] = {}, s3[4];
    line_parts  x;
    k.to.to += plane_of(memory.plane, n);
    line_load(x, k.at);
    if (places.begins)                      /* the line above the first is the first */
        line_feed(s2, x, m.w, 2);
#pragma unroll 1
    for (;;) {
        line_mix<squash>(s0, s1, s2, s3, x, k, m);
        if (k.left == 0)
            return band_end<squash>(s1, s2, x, k, m, ends);
        line_mix<squash>(s1, s2, s3, s0, x, k, m);
        if (k.left == 0)
            return band_end<squash>(s2, s3, x, k, m, ends);
        line_mix<squash>(s2, s3, s0, s1, x, k, m);
        if (k.left == 0)
            return band_end<squash>(s3, s0, x, k, m, ends);
        line_mix<squash>(s3, s0, s1, s2, x, k, m);
        if (k.left == 0)
            return band_end<squash>(s0, s1, x, k, m, ends);
    }
}

/* This warp's part of a head. */
static __device__ __forceinline__ void mixer_get(mixer &m, const share &mine, const sti_prep &p,
                                                 const prep_lanes &lanes, int head, bool sums)
{
    const int            piece = piece_of_head(p, mine.rank, mine.slices, threadIdx.x / WARP);
    const sti_prep_lane &l = lanes.lane[head / (int)p.F];
    mixer_get(m, l, head % (int)p.F * (int)p.d + piece * PIECE, l.silu && !sums);
}

/* All that a mixer does. */
static __device__ __forceinline__ void mix(forward_memory &memory, const share &mine,
                                           const sti_prep &p, const prep_lanes &lanes, bool sums)
{
    mixer       m;
    band_places places = {};
    int         head = mine.items.from / (int)p.G;
    if (mine.items.from < mine.items.end)
        mixer_get(m, mine, p, lanes, head, sums);     /* while the first planes are on their way */
    for (int n = 0;; n++) {
        barrier_wait(&memory.ready[n % RING], parity(n));
        const step &t = memory.step[n % RING];
        if (t.slice < 0)
            return;
        if (t.slice != head)
            mixer_get(m, mine, p, lanes, head = t.slice, sums);
        if (t.begins)
            places = band_places_of(t);
        if (m.squash)
            band_mix<true>(memory, m, t, places, n);
        else
            band_mix<false>(memory, m, t, places, n);
        barrier_arrive(&memory.mixed[n % RING]);
    }
}

static __device__ __forceinline__ void memory_init(forward_memory &m)
{
    if (threadIdx.x > 0)
        return;
    for (int i = 0; i < RING; i++) {
        barrier_init(&m.ready[i], LOADERS * WARP + 1);      /* pieces, and the plan */
        barrier_init(&m.mixed[i], PIECES * WARP);
        barrier_init(&m.drained[i], ALL_FINISHERS);
    }
    for (int i = 0; i < 2; i++)
        barrier_init(&m.summed[i], 1);
    barrier_init_done();
}

/* --- shares ---------------------------------------------------------------------------------- */

/* What an item costs: of queries and keys, and of values, which have no norms: measured. */
enum { KEY_COST = 4, VALUE_COST = 3 };

/* The item before which `cost` of all has been spent; a lane has `items`, values are the last. */
static __device__ __forceinline__ int item_at(int64_t cost, int64_t items, int key_cost)
{
    const int64_t keys = 2 * items, of_keys = key_cost * keys;
    return (int)(cost < of_keys ? cost / key_cost : keys + (cost - of_keys) / VALUE_COST);
}

#endif /* STI_HOPPER */

/* Heads of all lanes times grids, shared among the clusters in this order, so that a cluster
 * changes heads once or twice and else loads each plane once. If only the taps' `sums` are asked
 * for, they go where the backward pass has c_bar. */
static __global__ void __launch_bounds__(THREADS, 1)
    prep_slices(const __grid_constant__ sti_prep p, const __grid_constant__ prep_lanes lanes,
                bool sums)
{
#ifdef STI_HOPPER
    extern __shared__ __align__(16) unsigned char shared[];
    forward_memory &m = *(forward_memory *)shared;
    const int       slices = (int)p.d / SLICE, cluster = (int)blockIdx.x / slices;
    const int       clusters = (int)gridDim.x / slices;
    const int       key_cost = sums ? VALUE_COST : KEY_COST;
    const int64_t   items = p.F * p.G, cost = (2 * key_cost + VALUE_COST) * items;
    const share     mine = {(int)blockIdx.x % slices, slices,
                            {item_at(cost * cluster / clusters, items, key_cost),
                             item_at(cost * (cluster + 1) / clusters, items, key_cost)}};
    next_may_begin();                   /* prep_unmixed, on processors that no cluster has */
    memory_init(m);
    cluster_meet();
    if (threadIdx.x / WARP < PIECES) {
        registers_take<MIXER_REGISTERS>();
        mix(m, mine, p, lanes, sums);
    } else if (threadIdx.x / WARP < PIECES + LOADERS) {
        registers_give<OTHER_REGISTERS>();
        load(m, mine, p, lanes);
    } else {
        registers_give<OTHER_REGISTERS>();
        finish(m, mine, p, lanes, sums);
    }
    __syncwarp();
    cluster_meet();                     /* nobody leaves while others may still write to it */
#endif
}

bool prep_hopper(const st_stream *stream, const sti_prep *p, const prep_lanes *lanes)
{
    return stream->device->hopper && lanes->lane[0].conv && p->G > 0 && p->d % SLICE == 0 &&
           p->d <= SLICES_MAX * SLICE && SLICE % p->D == 0 && p->D % (p->d / PIECE) == 0;
}

st_status prep_hopper_forward(st_stream *stream, const sti_prep *p, const prep_lanes *lanes,
                              bool sums, int *idle)
{
    const int           slices = (int)p->d / SLICE;
    const int64_t       items = 3 * p->F * p->G;
    const size_t        bytes = sizeof(forward_memory);
    int                 clusters = 0;
    cudaLaunchAttribute how = {};
    cudaLaunchConfig_t  config = {};
    how.id                  = cudaLaunchAttributeClusterDimension;
    how.val.clusterDim      = {(unsigned)slices, 1, 1};
    config.gridDim          = dim3((unsigned)slices);
    config.blockDim         = dim3(THREADS);
    config.dynamicSmemBytes = bytes;
    config.stream           = sti_cuda(stream);
    config.attrs            = &how;
    config.numAttrs         = 1;
    STI_CUDA(cudaFuncSetAttribute(prep_slices, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  (int)bytes), "prep_slices: %zu bytes of shared memory", bytes);
    STI_CUDA(cudaOccupancyMaxActiveClusters(&clusters, prep_slices, &config),
             "prep_slices: clusters of %d blocks", slices);
    clusters       = clusters < items ? clusters : (int)items;
    config.gridDim = dim3((unsigned)(slices * clusters));
    *idle          = stream->device->processor_count - slices * clusters;
    STI_CUDA(cudaLaunchKernelEx(&config, prep_slices, *p, *lanes, sums), "prep_slices");
    return sti_launched("prep_slices");
}
