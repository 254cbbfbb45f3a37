/* prep_hopper_lines.cuh - prep's convolution as products of tensor cores.
 *
 * A tap is a product with a diagonal matrix: m16n8k16 adds two taps of eight channels at sixteen
 * places of a line. A warp keeps its 27 diagonals in registers, and ldmatrix brings places as they
 * lie, so that a shift or a border is a choice of address. A line that was brought feeds the lines
 * above, at and below it, whose sums wait in registers.
 */
#ifndef ST_KERNELS_PREP_HOPPER_LINES_CUH
#define ST_KERNELS_PREP_HOPPER_LINES_CUH

#include "kernels/prep_hopper.cuh"

/* --- products -------------------------------------------------------------------------------- */

static __device__ __forceinline__ void quarters_load(uint32_t (&x)[4], uint32_t from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
                 : "r"(from)
                 : "memory");
}

static __device__ __forceinline__ void quarters_load(uint32_t (&x)[2], uint32_t from)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(x[0]), "=r"(x[1])
                 : "r"(from)
                 : "memory");
}

/* c (16,8) += a (16,16) b (16,8). Lane l holds columns 2 (l % 4), +1 of rows l / 4 and 8 below of c
 * and, for each half of the inner side, of a; of b's columns it has l / 4. */
static __device__ __forceinline__ void product(float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                               uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* With an inner side of 8. */
static __device__ __forceinline__ void product(float (&c)[4], const uint32_t (&a)[2], uint32_t b)
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(b));
}

/* Whether this lane holds a piece of the diagonal of an (8,8) operand or sum: number l / 4. */
static __device__ __forceinline__ bool on_diagonal()
{
    return threadIdx.x % 4 == threadIdx.x % WARP / 8;
}

/* As an operand, this lane's part of the diagonal matrix of x: the other half, or all, is zero. */
static __device__ __forceinline__ uint32_t diagonal(float x)
{
    const uint32_t bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
    return on_diagonal() ? bits << threadIdx.x / 4 % 2 * 16 : 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* A warp's diagonals: plane read, line fed (above, here, below), column read. */
typedef uint32_t taps[3][3][3];

/* A line of three planes as operands: columns to the left and to the right, and columns at. */
typedef struct line_parts {
    uint32_t sides[3][4], middle[4], middle_ahead[2];
} line_parts;

/* Where lanes find them, and how far it is to the next line. Lanes 0 .. 15 ask for the left column,
 * and of the middle ones for that of the plane behind, the others for the right and for `here`. */
typedef struct line_cursor {
    uint32_t sides[3], middle, middle_ahead, step;
} line_cursor;

static __device__ __forceinline__ void line_load(line_parts &x, const line_cursor &at)
{
#pragma unroll
    for (int a = 0; a < 3; a++)
        quarters_load(x.sides[a], at.sides[a]);
    quarters_load(x.middle, at.middle);
    quarters_load(x.middle_ahead, at.middle_ahead);
}

static __device__ __forceinline__ void line_move(line_cursor &at, uint32_t by)
{
#pragma unroll
    for (int a = 0; a < 3; a++)
        at.sides[a] += by;
    at.middle += by;
    at.middle_ahead += by;
}

/* sum += what the line gives to the line `up`. */
static __device__ __forceinline__ void line_feed(float (&sum)[4], const line_parts &x,
                                                 const taps &w, int up)
{
#pragma unroll
    for (int a = 0; a < 3; a++)
        product(sum, x.sides[a], w[a][up][0], w[a][up][2]);
    product(sum, x.middle, w[0][up][1], w[1][up][1]);
    product(sum, x.middle_ahead, w[2][up][1]);
}

/* To all three, in turns: a product waits for the one before it only if both have one sum. */
static __device__ __forceinline__ void line_feed(float (&above)[4], float (&here)[4],
                                                 float (&below)[4], const line_parts &x,
                                                 const taps &w)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        product(above, x.sides[a], w[a][0][0], w[a][0][2]);
        product(here, x.sides[a], w[a][1][0], w[a][1][2]);
        product(below, x.sides[a], w[a][2][0], w[a][2][2]);
    }
    product(above, x.middle, w[0][0][1], w[1][0][1]);
    product(here, x.middle, w[0][1][1], w[1][1][1]);
    product(below, x.middle, w[0][2][1], w[1][2][1]);
    product(above, x.middle_ahead, w[2][0][1]);
    product(here, x.middle_ahead, w[2][1][1]);
    product(below, x.middle_ahead, w[2][2][1]);
}

/* The same, and behind each operand's last product that of the next line is asked for in its place,
 * and `between(k)`, k from 0 to 4, may do what else there is to do: if all warps first multiply and
 * then do the rest, tensor cores are too few and then idle. */
template <typename BETWEEN>
static __device__ __forceinline__ void line_feed(float (&above)[4], float (&here)[4],
                                                 float (&below)[4], line_parts &x,
                                                 const line_cursor &next, const taps &w,
                                                 BETWEEN between)
{
#pragma unroll
    for (int a = 0; a < 3; a++) {
        product(above, x.sides[a], w[a][0][0], w[a][0][2]);
        product(here, x.sides[a], w[a][1][0], w[a][1][2]);
        product(below, x.sides[a], w[a][2][0], w[a][2][2]);
        quarters_load(x.sides[a], next.sides[a]);
        between(a);
    }
    product(above, x.middle, w[0][0][1], w[1][0][1]);
    product(here, x.middle, w[0][1][1], w[1][1][1]);
    product(below, x.middle, w[0][2][1], w[1][2][1]);
    quarters_load(x.middle, next.middle);
    between(3);
    product(above, x.middle_ahead, w[2][0][1]);
    product(here, x.middle_ahead, w[2][1][1]);
    product(below, x.middle_ahead, w[2][2][1]);
    quarters_load(x.middle_ahead, next.middle_ahead);
    between(4);
}

/* --- sums ------------------------------------------------------------------------------------ */

/* Where a lane leaves its part of a line: two channels of a place, and of the eighth after it. */
typedef struct leave {
    uint32_t to, step;
    bool     upper, lower;
} leave;

/* From a lane's upper place of a line to its lower one, whose pieces lie in the same order. */
enum { HALF_TILE_BYTES = TILE / 2 * PIECES * PIECE_BYTES };

/* The first line of a step's answer in a plane. */
static __device__ __forceinline__ leave leave_of(uint32_t plane, const step &t)
{
    const band &b = t.b;
    const int   row = threadIdx.x % WARP / 4, columns = b.x1 - b.x0, step = line_bytes(b.width);
    return {plane + (b.y0 - b.top) * step + threadIdx.x % 4 * 4 +
                piece_at(b.x0 - b.left + row, threadIdx.x / WARP),
            (uint32_t)step, row < columns, row + 8 < columns};
}

/* Without a branch: it would cost more than what it skips. */
static __device__ __forceinline__ void word_leave(uint32_t to, uint32_t x, bool here)
{
    asm volatile("{\n.reg .pred here;\n"
                 "setp.ne.b32 here, %2, 0;\n"
                 "@here st.shared.b32 [%0], %1;\n}" ::"r"(to), "r"(x), "r"((int)here)
                 : "memory");
}

#endif
