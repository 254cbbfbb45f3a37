/* prep_point.cuh - the pointwise steps of prep behind its convolution: silu, norms, turns. */
#ifndef ST_KERNELS_PREP_POINT_CUH
#define ST_KERNELS_PREP_POINT_CUH

#include "kernels/prep.cuh"

static __device__ __forceinline__ float reciprocal(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

static __device__ __forceinline__ float root(float x)
{
    float y;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Two special-function steps, each good to 2^-22: the answer is rounded to bf16 anyway. */
static __device__ __forceinline__ float sigmoid(float x)
{
    float e;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(x * -1.4426950408889634f));
    return reciprocal(1.0f + e);
}

/* And its slope: sigma (1 + b (1 - sigma)) = sigma + s (1 - sigma). */
static __device__ __forceinline__ float silu(float b, float *slope)
{
    const float sigma = sigmoid(b), s = b * sigma;
    *slope = fmaf(s, 1.0f - sigma, sigma);
    return s;
}

static __device__ __forceinline__ float4 silu4(float4 b, float4 *slope)
{
    return make_float4(silu(b.x, &slope->x), silu(b.y, &slope->y), silu(b.z, &slope->z),
                       silu(b.w, &slope->w));
}

static __device__ __forceinline__ float4 times(float4 a, float4 b)
{
    return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}

static __device__ __forceinline__ float4 times(float a, float4 b)
{
    return make_float4(a * b.x, a * b.y, a * b.z, a * b.w);
}

/* sum + a . b */
static __device__ __forceinline__ float dot(float sum, float4 a, float4 b)
{
    return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

/* Channels c .. c+3 of the first D turned, or turned back; `partner` are those half a head away. */
static __device__ __forceinline__ float4 turn(float4 x, float4 partner, const sti_prep &p, int row,
                                              int c, bool back)
{
    const int     J = (int)p.D / 2;
    const bool    low = c < J;
    const int64_t at = (int64_t)row * J + (low ? c : c - J);
    const float4  co = __ldg((const float4 *)(p.cosine + at));
    const float4  si = __ldg((const float4 *)(p.sine + at));
    const float   side = low == back ? 1.0f : -1.0f;
    return make_float4(x.x * co.x + side * (partner.x * si.x),
                       x.y * co.y + side * (partner.y * si.y),
                       x.z * co.z + side * (partner.z * si.z),
                       x.w * co.w + side * (partner.w * si.w));
}

/* From a channel of the first D to the one half a head away. */
static __device__ __forceinline__ int partner_of(int c, int D)
{
    return c < D / 2 ? D / 2 : -(D / 2);
}

/* What a norm takes back: n = s / (|s| + eps) keeps `keep` of a gradient, and what it pulls along s
 * is taken away. */
static __device__ __forceinline__ float pull_of(float square, float along, float *keep)
{
    const float n = root(square);
    *keep = reciprocal(n + STI_PREP_NORM_EPS);
    return n > 0.0f ? along * *keep * *keep * reciprocal(n) : 0.0f;
}

static __device__ __forceinline__ float4 pulled(float keep, float4 g, float pull, float4 s)
{
    return make_float4(keep * g.x - pull * s.x, keep * g.y - pull * s.y, keep * g.z - pull * s.z,
                       keep * g.w - pull * s.w);
}

#endif
