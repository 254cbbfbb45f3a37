/* prep_hopper_pieces.cuh - what finishers take from a step: a piece of a place, eight channels. */
#ifndef ST_KERNELS_PREP_HOPPER_PIECES_CUH
#define ST_KERNELS_PREP_HOPPER_PIECES_CUH

#include "kernels/prep_hopper.cuh"
#include "kernels/prep_point.cuh"

#ifdef STI_HOPPER

/* --- places ---------------------------------------------------------------------------------- */

/* n / columns for n below 4096, by a number made of the divisor once. */
static __device__ __forceinline__ int divider_of(int columns)
{
    return 65536 / columns + 1;
}

static __device__ __forceinline__ int divided(int n, int divider)
{
    return n * divider >> 16;
}

/* A step's answers, line by line of its band: lines of a plane `step` bytes apart, and rows `w` a
 * line. */
typedef struct answers {
    int count, columns, divider;
    int first, step;            /* byte of the first line, and from line to line */
    int column;                 /* of the plane's: the first                     */
    int row, w;
} answers;

static __device__ __forceinline__ answers answers_of(const step &t)
{
    const band &b = t.b;
    const int   columns = b.x1 - b.x0, bytes = line_bytes(b.width);
    return {(b.y1 - b.y0) * columns, columns, divider_of(columns), (b.y0 - b.top) * bytes, bytes,
            b.x0 - b.left, t.row + b.y0 * t.w + b.x0, t.w};
}

typedef struct answer {
    int line, column, row;      /* a line's byte, a plane's column */
} answer;

static __device__ __forceinline__ answer answer_of(const answers &a, int i)
{
    const int line = divided(i, a.divider), column = i - line * a.columns;
    return {a.first + line * a.step, a.column + column, a.row + line * a.w + column};
}

static __device__ __forceinline__ int piece_at(const answer &a, int piece)
{
    return a.line + piece_at(a.column, piece);
}

/* --- eight channels -------------------------------------------------------------------------- */

/* Volatile, so that it stays between the barriers around it, but free to pass stores. */
static __device__ __forceinline__ uint4 piece_read(uint32_t from)
{
    uint4 x;
    asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "r"(from));
    return x;
}

/* Half of one. */
static __device__ __forceinline__ uint2 pair_read(uint32_t from)
{
    uint2 x;
    asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "r"(from));
    return x;
}

/* Two fours of a piece. */
typedef struct eight {
    float4 low, high;
} eight;

static __device__ __forceinline__ eight eight_of(uint4 x)
{
    return {four_of(make_uint2(x.x, x.y)), four_of(make_uint2(x.z, x.w))};
}

static __device__ __forceinline__ uint4 eight_pack(const eight &x)
{
    return make_uint4(pack(x.low.x, x.low.y), pack(x.low.z, x.low.w), pack(x.high.x, x.high.y),
                      pack(x.high.z, x.high.w));
}

static __device__ __forceinline__ eight times(const eight &a, const eight &b)
{
    return {times(a.low, b.low), times(a.high, b.high)};
}

static __device__ __forceinline__ float4 plus(float4 a, float4 b)
{
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

static __device__ __forceinline__ eight plus(const eight &a, const eight &b)
{
    return {plus(a.low, b.low), plus(a.high, b.high)};
}

static __device__ __forceinline__ float4 minus(float4 a, float4 b)
{
    return make_float4(a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w);
}

#endif /* STI_HOPPER */

#endif
