/* ttt_device_back.cuh - what the two halves of the device's backward pass share: the sweep over
 * chunks with its tokens (ttt_device_backward.cu) and the way back through an update
 * (ttt_device_update_back.cu).
 */
#ifndef ST_KERNELS_TTT_DEVICE_BACK_CUH
#define ST_KERNELS_TTT_DEVICE_BACK_CUH

#include "kernels/ttt_hopper.cuh"

template <typename T> struct back_scratch {
    T     *pair;            /* (H,n,2h)  G | U, then their gradients               */
    T     *taught;          /* (H,n,2h)  R0 | R2, then l0 Dg | l2 Dm               */
    T     *hidden;          /* (H,n,h)   l1 Hd                                     */
    T     *above;           /* (H,n,h)   gradient of A, or D and Dbar              */
    T     *r1;              /* (H,n,h)   R1, then A of the read                    */
    T     *read;            /* (H,n,2h)  G | U of the read, then their gradients   */
    float *rate;            /* (h/64,3,H,n) parts of the rates' gradients          */
    float *now;             /* a layer   gradient of the weights read with         */
    float *walk;            /* a layer   prenorm: gradient of P                    */
    float *moment;          /* a layer   gradient of N, then of M                  */
    float *carry;           /* a layer   m_{c+1} Mbar_{c+1}                        */
    T     *narrow;          /* a layer   moment to multiply; t, z, r lie behind it */
    T     *t, *z, *r;       /* (3H,side,side) Newton-Schulz                        */
    float *length;          /* (H,h+h+d) gradient of the birth row norms           */
    float *part;            /* (3H,TTT_PARTS)  parts of <M, Mbar>                  */
    float *gate;            /* (3H,TTT_PARTS)  parts of the update gate's gradient */
    uint32_t *meeting;      /* (3H,TTT_MEETING_STEP)  for the fused body           */
};

/* Through update `slot_index` of the tape, `first` of its sequence: t->now, the gradient of the
 * weights it made, becomes t->narrow, that of the chunk's sums, and what earlier updates get. */
template <typename T>
st_status ttt_update_back_run(st_stream *q, const st_ttt_rule *r, const st_ttt_tape *tape,
                              int64_t slot_index, bool first, back_scratch<T> *t);

#endif
