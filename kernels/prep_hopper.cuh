/* prep_hopper.cuh - how blocks of prep's kernels for compute capability 9.0 walk over grids.
 *
 *   slice     a block's channels of one of q, k, v
 *   item      a grid of a slice; blocks share all items in order, slice by slice
 *   band      the part of a grid that a block walks at once, with a border of one place, as far as
 *             there are places: for a video of 352 x 480 all of the grid
 *   plane     a band of one grid in shared memory, as it lies in global memory: see piece_at
 *
 * A block walks its grids in order of time and has some planes, each read from global memory once.
 * Its warps have three trades, which meet at barriers that count:
 *
 *   loaders     plan the steps, a band of a grid each, and bring what they want
 *   mixers      one warp a piece: multiply, and put the answer of `here` where `behind` was
 *   finishers   take what mixers left; loaders may fill its plane then
 *
 *     behind --+
 *     here   --+--> mixers --> behind        spare --> finishers --> global memory
 *     ahead  --+                               ^-- what is ahead in a later step
 *
 * See prep_hopper_lines.cuh for how mixers multiply, and prep_hopper_pieces.cuh for what finishers
 * take.
 */
#ifndef ST_KERNELS_PREP_HOPPER_CUH
#define ST_KERNELS_PREP_HOPPER_CUH

#include "kernels/hopper.cuh"
#include "kernels/prep.cuh"

enum {
    PIECE       = 8,                        /* channels: 16 bytes, and a product's N            */
    PIECES      = 16,                       /* of a block's planes, one a warp                  */
    SLICE       = PIECE * PIECES,
    TILE        = 16,                       /* places of a line: a product's M                  */
    PIECE_BYTES = PIECE * 2,
    POSITIONS   = 165,                      /* of a plane: 11 x 15 and nothing to spare         */
    LINES       = 16,                       /* of a plane, at most                              */
    LINE_SPARE  = 2,                        /* pieces between lines: see piece_at               */
    PLANE_BYTES = (POSITIONS * PIECES + LINES * LINE_SPARE) * PIECE_BYTES,
    PLANES      = 5,                        /* of a block: behind, here, ahead, and two to come */
    LEAD        = PLANES - 2,               /* step n brings the plane that step n - LEAD left  */
    RING        = LEAD + 1                  /* steps that some warp may still be at: see parity */
};

/* --- bands ----------------------------------------------------------------------------------- */

/* Lines y0 .. y1-1 and columns x0 .. x1-1 of a grid, and the places from (top, left) on that they
 * read, `width` a line. */
typedef struct band {
    int y0, y1, x0, x1;
    int top, bottom, left, width;
} band;

/* How many bands a grid has, side by side and one above the other. */
typedef struct banding {
    int across, down, columns, lines;
} banding;

/* Bands of up to `columns` columns and `lines` lines. */
template <int columns, int lines>
static __device__ __forceinline__ banding banding_of(int h, int w)
{
    banding b;
    b.across  = (w + columns - 1) / columns;
    b.columns = (w + b.across - 1) / b.across;
    const int most = min(POSITIONS / min(b.columns + 2, w), (int)LINES);
    const int inner = min(most - 2, lines);
    b.down  = h <= min(most, lines) ? 1 : (h + inner - 1) / inner;
    b.lines = (h + b.down - 1) / b.down;
    return b;
}

static __device__ __forceinline__ band band_of(const banding &all, int h, int w, int index)
{
    band b;
    b.y0     = index / all.across * all.lines;
    b.y1     = min(b.y0 + all.lines, h);
    b.x0     = index % all.across * all.columns;
    b.x1     = min(b.x0 + all.columns, w);
    b.top    = max(b.y0 - 1, 0);
    b.bottom = min(b.y1 + 1, h);
    b.left   = max(b.x0 - 1, 0);
    b.width  = min(b.x1 + 1, w) - b.left;
    return b;
}

/* --- planes ---------------------------------------------------------------------------------- */

/* Neighbours in a line, or one below the other, must not share banks, or ldmatrix would read them
 * one by one; and a place's pieces must stay together, and 32 bytes of them in one sector, or
 * cp.async would bring them one by one. So a place's pieces change places by its column, and lines
 * lie two pieces further apart than they are long. */
template <int pieces = PIECES>
static __device__ __forceinline__ int piece_at(int column, int piece)
{
    return column * pieces * PIECE_BYTES + (piece ^ column % 8) * PIECE_BYTES;
}

/* From a line to the next, of lines of `width` places. */
template <int pieces = PIECES>
static __device__ __forceinline__ int line_bytes(int width)
{
    return (width * pieces + LINE_SPARE) * PIECE_BYTES;
}

static __device__ __forceinline__ void piece_load(uint32_t to, const void *from)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}

/* A barrier counts this thread, which is one of those it was made for, once all it asked for so far
 * is there. */
static __device__ __forceinline__ void pieces_arrive(uint64_t *b)
{
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(b))
                 : "memory");
}

/* Until all that this thread asked for is there. */
static __device__ __forceinline__ void pieces_wait_own()
{
    asm volatile("cp.async.wait_all;" ::: "memory");
}

/* Number `loader` of `loaders` warps asks for its share of a band of the grid whose first row is
 * `row`. `from` is row 0 of this lane's piece, number lane % pieces; rows lie `pitch` apart. */
template <int pieces = PIECES, int loaders = 1>
static __device__ __forceinline__ void plane_ask(uint32_t plane, const bf16 *from, int pitch,
                                                 int row, int w, const band &b, int loader = 0)
{
    const int lane = threadIdx.x % WARP, step = line_bytes<pieces>(b.width);
    for (int column = loader * WARP / pieces + lane / pieces; column < b.width;
         column += loaders * WARP / pieces) {
        uint32_t    to = plane + piece_at<pieces>(column, lane % pieces);
        const bf16 *x = from + (int64_t)(row + b.top * w + b.left + column) * pitch;
#pragma unroll 4
        for (int y = b.top; y < b.bottom; y++) {
            piece_load(to, x);
            to += step;
            x += w * pitch;
        }
    }
}

/* --- steps ----------------------------------------------------------------------------------- */

/* A block's items. */
typedef struct items {
    int from, end;
} items;

/* A band of one grid, as loaders plan it. Step n has planes n, n+1 and n+2 (modulo PLANES) behind,
 * here and ahead; mixers leave the answer in plane n. */
typedef struct step {
    int  slice;         /* of all lanes, or -1: no more steps            */
    int  row, w;        /* of the grid                                   */
    bool first, last;   /* the grid is its own neighbour behind or ahead */
    bool opens;         /* the slice's first step                        */
    bool begins;        /* no step before had the same band              */
    band b;
} step;

/* Parity by which to wait for step n at a barrier that is one of RING. */
static __device__ __forceinline__ int parity(int n)
{
    return n / RING % 2;
}

/* Whether grid `next` goes on where `g` is, so that all its planes but the one ahead are there. */
static __device__ __forceinline__ bool goes_on(const st_grid &g, const st_grid &next)
{
    return next.before == g.row && next.row == g.after && g.after != g.row;
}

/* The first grid behind `from` that has another size, or `to`. All lanes look at once: one grid
 * after the other would cost as many round trips to memory. */
static __device__ __forceinline__ int alike_end(const st_grid *grids, int from, int to, int h,
                                                int w)
{
    for (;; from += WARP) {
        const int      i = from + threadIdx.x % WARP;
        const bool     alike = i < to && grids[i].h == h && grids[i].w == w;
        const uint32_t others = ~__ballot_sync(0xffffffffu, alike);
        if (others)
            return from + __ffs((int)others) - 1;
    }
}

/* A warp calls body(band, i, from, to) for grids i, band by band; from .. to-1 are those that the
 * band passes through. */
template <int columns = TILE, int lines = POSITIONS, typename BODY>
static __device__ __forceinline__ void bands_walk(const st_grid *grids, int from, int to, BODY body)
{
    while (from < to) {
        const int h = grids[from].h, w = grids[from].w;
        const int end = alike_end(grids, from, to, h, w);
        const banding all = banding_of<columns, lines>(h, w);
        for (int k = 0; k < all.across * all.down; k++) {
            const band b = band_of(all, h, w, k);
            for (int i = from; i < end; i++)
                body(b, i, from, end);
        }
        from = end;
    }
}

#ifdef STI_HOPPER

/* --- loaders --------------------------------------------------------------------------------- */

/* This block's part of `all`. */
static __device__ __forceinline__ items items_shared(int64_t all)
{
    return {(int)(all * blockIdx.x / gridDim.x), (int)(all * (blockIdx.x + 1) / gridDim.x)};
}

/* All that a loader does. `gone` are the barriers where a step's planes are given back, and one
 * thread of all loaders plans. begin(slice) is called before a slice's first step, and
 * ask(n, grid, band, fresh) brings what step n wants and the one before had not; `fresh` if that is
 * all of it. */
template <int columns, int lines, typename MEMORY, typename BEGIN, typename ASK>
static __device__ __forceinline__ void steps_load(MEMORY &m, uint64_t *gone, const items &mine,
                                                  const sti_prep &p, bool plans, BEGIN begin,
                                                  ASK ask)
{
    const int G = (int)p.G;
    st_grid   g = {}, next = {};        /* which is on its way while `g` is brought */
    int       n = 0;
    for (int item = mine.from; item < mine.end;) {
        const int slice = item / G, from = item % G, to = min(G, from + mine.end - item);
        bool      opens = true;
        begin(slice);
        bands_walk<columns, lines>(p.grids, from, to, [&](const band &b, int i, int first,
                                                          int end) {
            const st_grid last = g;
            g    = i == first ? p.grids[i] : next;
            next = p.grids[min(i + 1, end - 1)];
            if (n >= LEAD)
                barrier_wait(&gone[(n - LEAD) % RING], parity(n - LEAD));
            if (plans) {
                const step plan = {slice, g.row, g.w, g.before == g.row, g.after == g.row,
                                   opens, i == first, b};
                m.step[n % RING] = plan;
                barrier_arrive(&m.ready[n % RING]);
            }
            ask(n, g, b, i == first || !goes_on(last, g));
            pieces_arrive(&m.ready[n % RING]);
            opens = false;
            n++;
        });
        item += to - from;
    }
    if (n >= LEAD)
        barrier_wait(&gone[(n - LEAD) % RING], parity(n - LEAD));
    if (plans) {
        m.step[n % RING].slice = -1;
        barrier_arrive(&m.ready[n % RING]);
    }
    pieces_arrive(&m.ready[n % RING]);
    pieces_wait_own();
}

/* Plane n of `planes`. */
template <int bytes>
static __device__ __forceinline__ uint32_t plane_of(const unsigned char (&planes)[PLANES][bytes],
                                                    int n)
{
    return shared_address(planes) + n % PLANES * bytes;
}

/* The planes that step n wants. Those of a fresh one may still be read by the mixers of the step
 * before. */
template <int pieces = PIECES, int loaders = 1, int bytes>
static __device__ __forceinline__ void planes_ask(const unsigned char (&planes)[PLANES][bytes],
                                                  uint64_t *mixed, int n, const bf16 *from,
                                                  int pitch, const st_grid &g, const band &b,
                                                  bool fresh, int loader = 0)
{
    if (fresh && n >= 1)
        barrier_wait(&mixed[(n - 1) % RING], parity(n - 1));
    if (fresh && g.before != g.row)
        plane_ask<pieces, loaders>(plane_of(planes, n), from, pitch,
                                   g.before, g.w, b, loader);
    if (fresh)
        plane_ask<pieces, loaders>(plane_of(planes, n + 1), from, pitch,
                                   g.row, g.w, b, loader);
    if (g.after != g.row)
        plane_ask<pieces, loaders>(plane_of(planes, n + 2), from, pitch,
                                   g.after, g.w, b, loader);
}

#endif /* STI_HOPPER */

#endif
