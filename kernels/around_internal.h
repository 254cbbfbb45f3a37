/* around_internal.h - what the operators around the fast weights share inside the room. */
#ifndef ST_KERNELS_AROUND_INTERNAL_H
#define ST_KERNELS_AROUND_INTERNAL_H

#include "kernels/base/tensor.h"
#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Activations are f32 on the host and bf16 on the device. */
static inline st_dtype sti_activation(const st_tensor *x)
{
    return x->place == ST_PLACE_DEVICE ? ST_BF16 : ST_F32;
}

/* The stream decides where an operator runs, and its tensors must be there: one is looked at. */
static inline st_status sti_expect_place(const st_stream *stream, const st_tensor *x)
{
    if (st_stream_place(stream) == x->place)
        return st_ok();
    return ST_FAIL(ST_ERR_USAGE, "the stream is on the %s, the tensors are not",
                   x->place == ST_PLACE_HOST ? "device" : "host");
}

/* --- rotary --- */

enum { STI_ROTARY_ANGLES_MAX = 128 };

/* Which position each angle reads, and how fast it turns. */
typedef struct sti_rotary_axes {
    float         frequency[STI_ROTARY_ANGLES_MAX];
    unsigned char axis[STI_ROTARY_ANGLES_MAX];
    int           J;
} sti_rotary_axes;

/* position * frequency: the f32 product below ST_ROTARY_F32_POSITIONS, reduced double above. */
double sti_rotary_angle(int64_t position, float frequency_f32);
void   sti_rotary_frequencies(float *f, double theta, int64_t J);

/* One head: y = turn(x) by sign * angle; y may be x. */
void sti_rotary_turn(float *y, const float *x, const float *cosine, const float *sine, int64_t J,
                     float sign);

st_status sti_rotary_text_table_cuda(st_stream *stream, float *cosine, float *sine,
                                     const int64_t *position, int64_t T,
                                     const sti_rotary_axes *axes);
st_status sti_rotary_grid_table_cuda(st_stream *stream, float *cosine, float *sine, int64_t rows,
                                     int64_t columns, const sti_rotary_axes *axes);
st_status sti_rotary_apply_cuda(st_stream *stream, void *y, const void *x, int64_t T, int64_t H,
                                int64_t D, int64_t row, const float *cosine, const float *sine,
                                int64_t R, float sign);

/* --- head norm --- */

typedef struct sti_head_norm {
    int64_t      T, H, D;
    const void  *x, *weight;            /* (T,H,D), (D)   */
    const float *cosine, *sine;         /* (T,D/2)        */
    float        eps;
} sti_head_norm;

st_status sti_head_norm_cuda(st_stream *stream, void *normed, void *rotated,
                             const sti_head_norm *a);
st_status sti_head_norm_backward_cuda(st_stream *stream, void *x_bar, float *weight_bar,
                                      const void *normed_bar, const void *rotated_bar,
                                      const sti_head_norm *a);

/* --- gates --- */

st_status sti_gates_forward_cuda(st_stream *stream, float *rate, float *decay, float *scale,
                                 const void *rate_z, const void *decay_z, const void *scale_z,
                                 int64_t T, int64_t F);
st_status sti_gates_backward_cuda(st_stream *stream, void *rate_z_bar, void *decay_z_bar,
                                  void *scale_z_bar, const float *rate_bar,
                                  const float *decay_bar, const float *scale_bar,
                                  const void *rate_z, const void *decay_z, const void *scale_z,
                                  int64_t T, int64_t F);

/* --- read-out --- */

#define STI_READOUT_EPS 1e-5f

st_status sti_readout_forward_cuda(st_stream *stream, void *out, const void *base, const void *o,
                                   const void *weight, const float *scale, int64_t F, int64_t T,
                                   int64_t d);
st_status sti_readout_backward_cuda(st_stream *stream, void *o_bar, float *scale_bar,
                                    float *weight_bar, const void *out_bar, const void *o,
                                    const void *weight, const float *scale, int64_t F, int64_t T,
                                    int64_t d);

#ifdef __cplusplus
}
#endif

#endif
