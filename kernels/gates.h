/* gates.h - the small numbers that steer the fast-weight branch, and how its answer comes out.
 *
 * Per token and fast-weight head: three learning rates, one for each fast weight, a momentum gate
 * and an output scale. F is the number of fast-weight heads, d their width.
 *
 * May include: kernels/stream.h, kernels/base.
 */
#ifndef ST_KERNELS_GATES_H
#define ST_KERNELS_GATES_H

#include "kernels/base/tensor.h"
#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The offset that makes softplus(0 + beta) = 0.001, the base learning rate. */
#define ST_GATE_RATE_BETA (-6.9072552373154705)

/* Gates from the projections' answers.
 *
 *     rate[j,f,t] = log(1 + exp(rate_z[t,3f+j] + beta))      j: the fast weight W0, W1 or W2
 *     decay[f,t]  = 1 / (1 + exp(-decay_z[t,f]))
 *     scale[f,t]  = scale_z[t,f] / (1 + exp(-scale_z[t,f]))
 *
 *   rate     (3,F,T) f32
 *   decay    (F,T) f32 or NULL: no momentum
 *   scale    (F,T) f32
 *   rate_z   (T,3F)   f32 on the host, bf16 on the device
 *   decay_z  (T,F)    the same; NULL when decay is
 *   scale_z  (T,F)    the same
 *
 * Twins   gates.c (reference), gates.cu (one thread a gate)
 * Fails   ST_ERR_DATA on shape or dtype; ST_ERR_DEVICE
 */
ST_CHECKED st_status st_gates_forward(st_stream *stream, st_tensor *rate, st_tensor *decay,
                                      st_tensor *scale, const st_tensor *rate_z,
                                      const st_tensor *decay_z, const st_tensor *scale_z);

/* Gradients of st_gates_forward: answers have the shapes and dtypes of rate_z, decay_z, scale_z
 * and are overwritten; decay's three are NULL together. */
ST_CHECKED st_status st_gates_backward(st_stream *stream, st_tensor *rate_z_bar,
                                       st_tensor *decay_z_bar, st_tensor *scale_z_bar,
                                       const st_tensor *rate_bar, const st_tensor *decay_bar,
                                       const st_tensor *scale_bar, const st_tensor *rate_z,
                                       const st_tensor *decay_z, const st_tensor *scale_z);

/* What the fast weights read, back in token order and added to attention's answer.
 *
 *     out[t, f*d + c] = base[t, f*d + c] + scale[f,t] weight[c] o[f,t,c] r[f,t]
 *     r[f,t] = 1 / sqrt(mean_c o[f,t,c]^2 + 1e-5)
 *
 *   out      (T,F*d)  may be base itself
 *   base     (T,F*d)  attention's answer, heads side by side; or NULL: zeros
 *   o        (F,T,d)
 *   weight   (d)
 *   scale    (F,T) f32
 *
 * Host tensors are f32; on the device out, base, o and weight are bf16.
 *
 * Twins   readout.c (reference), readout.cu (one warp a row)
 * Fails   ST_ERR_DATA on shape or dtype; ST_ERR_UNSUPPORTED d not a multiple of 8 or above 1024
 *         on the device; ST_ERR_DEVICE
 */
ST_CHECKED st_status st_readout_forward(st_stream *stream, st_tensor *out, const st_tensor *base,
                                        const st_tensor *o, const st_tensor *weight,
                                        const st_tensor *scale);

/* Gradients of st_readout_forward; that of base is out_bar itself.
 *
 *   o_bar       (F,T,d), overwritten
 *   scale_bar   (F,T) f32, overwritten
 *   weight_bar  (d) f32, added to
 *   out_bar     (T,F*d)
 */
ST_CHECKED st_status st_readout_backward(st_stream *stream, st_tensor *o_bar, st_tensor *scale_bar,
                                         st_tensor *weight_bar, const st_tensor *out_bar,
                                         const st_tensor *o, const st_tensor *weight,
                                         const st_tensor *scale);

#ifdef __cplusplus
}
#endif

#endif
