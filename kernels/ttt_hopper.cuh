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
    float       *wide;          /* (3H,d,d) X in f32, in an order of its own                    */
    float       *part;          /* (3H,TTT_UPDATE_RANKS_MAX) parts of |M|^2                     */
    uint32_t    *meeting;       /* (3H) blocks that reached the next step, zero at launch       */
    bool         taped;
    bool         first;         /* of its sequence: there is no M yet, whatever `momentum` holds */
} ttt_update;

enum { TTT_UPDATE_RANKS_MAX = 64 };     /* blocks that work on one matrix */

/* True when the fused bodies can serve this rule on this card. */
bool sti_ttt_hopper_fits(const sti_device *device, const st_ttt_rule *rule);

/* Momentum, Newton-Schulz and renorming of all 3H matrices in one launch. */
st_status sti_ttt_hopper_update(st_stream *q, const st_ttt_rule *rule, const ttt_update *u);

#endif
