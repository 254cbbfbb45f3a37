/* ttt_hopper.cuh - the fused Hopper bodies of the fast-weight operator, and when they can run.
 *
 * They want h = d of 256 or 512, and a card of compute capability 9.0 with code built for it.
 * All else is the business of ttt_device.cu.
 */
#ifndef ST_KERNELS_TTT_HOPPER_CUH
#define ST_KERNELS_TTT_HOPPER_CUH

#include "kernels/ttt_tile.cuh"
#include "kernels/ttt_device.cuh"

/* What one update reads and writes; NULL where the rule or the tape has nothing. */
typedef struct ttt_update {
    float       *gradient, *momentum, *tape_momentum, *tape_mean;
    const float *mu_sum;
    float       *weight, *walk;
    bf16        *narrow;
    const float *length;
    float       *tape_weight, *tape_norm, *tape_scale;
    bf16        *tape_narrow;
    bf16        *muon;          /* X A B of each step (taped), or of two                        */
    float       *part;          /* (3H,TTT_PARTS) parts of |M|^2                                */
    float       *row_part;      /* (3H,d,2) parts of the squares of rows                        */
    uint32_t    *meeting;       /* (3H) blocks that reached the next step, zero at launch       */
    bool         taped;
    bool         first;         /* of its sequence: there is no M yet, whatever `momentum` holds */
} ttt_update;

/* What one update's backward pass reads and writes. */
typedef struct ttt_update_back {
    const float *moment;        /* a layer  gradient of N, what Newton-Schulz made              */
    bf16        *narrow;        /* a layer  gradient of the chunk's sums                        */
    bf16        *squares;       /* TTT_BACK_SQUARES layers of scratch; the first may be narrow  */
    float       *carry;         /* a layer  in: m_{c+1} Mbar_{c+1}; out: m_c Mbar_c             */
    float       *gate, *part;   /* (3H,TTT_PARTS) out: parts of the gate's gradient; scratch    */
    uint32_t    *meeting;       /* (3H)     scratch                                             */
    const bf16  *muon;          /* the tape of the update: X A B of each step                   */
    const float *m, *m_before;  /* M of this update; of the one before, NULL for the first      */
    const float *mean, *scale;  /* (H), (3H) gate; 1 / (|M| + eps)                              */
} ttt_update_back;

enum { TTT_BACK_SQUARES = 4 };

/* True when the fused bodies can serve this rule on this card. */
bool sti_ttt_hopper_fits(const sti_device *device, const st_ttt_rule *rule);

/* Momentum, Newton-Schulz and renorming of all 3H matrices in one launch. */
st_status sti_ttt_hopper_update(st_stream *q, const st_ttt_rule *rule, const ttt_update *u);

/* From the gradient of Newton-Schulz's answer to that of the chunk's sums, in one launch. */
st_status sti_ttt_hopper_update_back(st_stream *q, const st_ttt_rule *rule,
                                     const ttt_update_back *u);

#endif
