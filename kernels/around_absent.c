/* around_absent.c - the device twins of attention, rotary, prep, gates and read-out of a build
 * without CUDA: they all say so. */
#include "kernels/around_internal.h"
#include "kernels/attention_internal.h"
#include "kernels/prep_internal.h"

#define ABSENT ST_FAIL(ST_ERR_UNSUPPORTED, "this build has no CUDA: configure with -DST_CUDA=ON")

st_status sti_attention_forward_cuda(st_stream *stream, void *out, float *lse, const void *q,
                                     const void *k, const void *v, const sti_attention *a)
{
    (void)stream, (void)out, (void)lse, (void)q, (void)k, (void)v, (void)a;
    return ABSENT;
}

st_status sti_attention_backward_cuda(st_stream *stream, void *q_bar, void *k_bar, void *v_bar,
                                      const void *out_bar, const void *q, const void *k,
                                      const void *v, const void *out, const float *lse,
                                      const sti_attention *a)
{
    (void)stream, (void)q_bar, (void)k_bar, (void)v_bar, (void)out_bar, (void)q, (void)k, (void)v;
    (void)out, (void)lse, (void)a;
    return ABSENT;
}

st_status sti_attention_cached_cuda(st_stream *stream, void *out, const void *q, const void *k,
                                    const void *v, const sti_attention *a,
                                    const sti_attention_cache *c)
{
    (void)stream, (void)out, (void)q, (void)k, (void)v, (void)a, (void)c;
    return ABSENT;
}

st_status sti_rotary_text_table_cuda(st_stream *stream, float *cosine, float *sine,
                                     const int64_t *position, int64_t T,
                                     const sti_rotary_axes *axes)
{
    (void)stream, (void)cosine, (void)sine, (void)position, (void)T, (void)axes;
    return ABSENT;
}

st_status sti_rotary_grid_table_cuda(st_stream *stream, float *cosine, float *sine, int64_t rows,
                                     int64_t columns, const sti_rotary_axes *axes)
{
    (void)stream, (void)cosine, (void)sine, (void)rows, (void)columns, (void)axes;
    return ABSENT;
}

st_status sti_rotary_apply_cuda(st_stream *stream, void *y, const void *x, int64_t T, int64_t H,
                                int64_t D, int64_t row, const float *cosine, const float *sine,
                                int64_t R, float sign)
{
    (void)stream, (void)y, (void)x, (void)T, (void)H, (void)D, (void)row, (void)cosine, (void)sine;
    (void)R, (void)sign;
    return ABSENT;
}

st_status sti_head_norm_cuda(st_stream *stream, void *normed, void *rotated,
                             const sti_head_norm *a)
{
    (void)stream, (void)normed, (void)rotated, (void)a;
    return ABSENT;
}

st_status sti_head_norm_backward_cuda(st_stream *stream, void *x_bar, float *weight_bar,
                                      const void *normed_bar, const void *rotated_bar,
                                      const sti_head_norm *a)
{
    (void)stream, (void)x_bar, (void)weight_bar, (void)normed_bar, (void)rotated_bar, (void)a;
    return ABSENT;
}

st_status sti_gates_forward_cuda(st_stream *stream, float *rate, float *decay, float *scale,
                                 const void *rate_z, const void *decay_z, const void *scale_z,
                                 int64_t T, int64_t F)
{
    (void)stream, (void)rate, (void)decay, (void)scale, (void)rate_z, (void)decay_z;
    (void)scale_z, (void)T, (void)F;
    return ABSENT;
}

st_status sti_gates_backward_cuda(st_stream *stream, void *rate_z_bar, void *decay_z_bar,
                                  void *scale_z_bar, const float *rate_bar,
                                  const float *decay_bar, const float *scale_bar,
                                  const void *rate_z, const void *decay_z, const void *scale_z,
                                  int64_t T, int64_t F)
{
    (void)stream, (void)rate_z_bar, (void)decay_z_bar, (void)scale_z_bar, (void)rate_bar;
    (void)decay_bar, (void)scale_bar, (void)rate_z, (void)decay_z, (void)scale_z, (void)T, (void)F;
    return ABSENT;
}

st_status sti_readout_forward_cuda(st_stream *stream, void *out, const void *base, const void *o,
                                   const void *weight, const float *scale, int64_t F, int64_t T,
                                   int64_t d)
{
    (void)stream, (void)out, (void)base, (void)o, (void)weight, (void)scale, (void)F, (void)T;
    (void)d;
    return ABSENT;
}

st_status sti_readout_backward_cuda(st_stream *stream, void *o_bar, float *scale_bar,
                                    float *weight_bar, const void *out_bar, const void *o,
                                    const void *weight, const float *scale, int64_t F, int64_t T,
                                    int64_t d)
{
    (void)stream, (void)o_bar, (void)scale_bar, (void)weight_bar, (void)out_bar, (void)o;
    (void)weight, (void)scale, (void)F, (void)T, (void)d;
    return ABSENT;
}

st_status sti_prep_forward_cuda(st_stream *stream, void *const y[3], const sti_prep *p,
                                const sti_prep_lane lane[3])
{
    (void)stream, (void)y, (void)p, (void)lane;
    return ABSENT;
}

st_status sti_prep_backward_cuda(st_stream *stream, const sti_prep *p, const sti_prep_lane lane[3],
                                 const sti_prep_lane_bar bar[3])
{
    (void)stream, (void)p, (void)lane, (void)bar;
    return ABSENT;
}
