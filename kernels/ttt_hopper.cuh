/* ttt_hopper.cuh - the fused Hopper bodies of the fast-weight operator, and when they can run.
 *
 * All want a card of compute capability 9.0 with code built for it; the update h = d of 256 or 512,
 * the token products h of 128s and d of 64s, the sums both of 64s. All else is the business of
 * ttt_device.cu.
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
    uint32_t    *meeting;       /* (3H,TTT_MEETING_STEP) scratch: arrivals at the steps         */
    bool         taped;
    bool         first;         /* of its sequence: there is no M yet, whatever `momentum` holds */
} ttt_update;

/* What one update's backward pass reads and writes. */
typedef struct ttt_update_back {
    const float *moment;        /* a layer  gradient of N, what Newton-Schulz made              */
    bf16        *narrow;        /* a layer  gradient of the chunk's sums                        */
    bf16        *squares;       /* TTT_BACK_SQUARES layers of scratch; narrow may be the first  */
    float       *carry;         /* a layer  in: m_{c+1} Mbar_{c+1}; out: m_c Mbar_c             */
    float       *gate;          /* (3H,TTT_PARTS) out: parts of the gate's gradient; those that
                                   the body has no blocks for stay as they were, zero            */
    float       *part;          /* (3H,TTT_PARTS) scratch: parts of <M, Y>                      */
    uint32_t    *meeting;       /* (3H,TTT_MEETING_STEP) scratch: arrivals at the steps         */
    const bf16  *muon;          /* the tape of the update: X A B of each step                   */
    const float *m, *m_before;  /* M of this update; of the one before, NULL for the first      */
    const float *mean, *scale;  /* (H), (3H) gate; 1 / (|M| + eps)                              */
} ttt_update_back;

enum {
    TTT_BACK_SQUARES = 4,
    TTT_MEETING_STEP = 32,      /* matrices never wait for each other, nor for each other's line */
};

/* True when the fused bodies can serve this rule on this card. */
bool sti_ttt_hopper_fits(const sti_device *device, const st_ttt_rule *rule);

/* Momentum, Newton-Schulz and renorming of all 3H matrices in one launch. */
st_status sti_ttt_hopper_update(st_stream *q, const st_ttt_rule *rule, const ttt_update *u);

/* From the gradient of Newton-Schulz's answer to that of the chunk's sums, in one launch. */
st_status sti_ttt_hopper_update_back(st_stream *q, const st_ttt_rule *rule,
                                     const ttt_update_back *u);

/* What becomes of a chunk's tokens before anything is summed over them. With G = x W0^T,
 * U = x W2^T, D = y W1, R0 = x T0^T, R2 = x T2^T, R1 = y T1 (T: the teacher) and the names of spec
 * 7.10 and 9.5:
 *
 *   step            x, y             pair           hidden          above   taught
 *   read            q                               silu(G) .* U
 *   teach           k, v             l0 Dg | l2 Dm  l1 Hd
 *   read, back      q, grad of out   Gbar | Ubar    silu(G) .* U
 *   teach, back     k, v             Gbar | Ubar    l1 Hd           Dbar    l0 Dg | l2 Dm
 */
template <typename T> struct token_run {
    const T     *x, *y;             /* (H,n,d), heads head_step apart             */
    const T     *weight, *teacher;  /* a layer each; the teacher: teach, back     */
    T           *pair, *taught;     /* (H,n,2h)                                   */
    T           *hidden, *above;    /* (H,n,h)                                    */
    const float *lr[3];             /* (H,n), heads gate_step apart; for teaching */
    float       *lr_grad[3];        /* the same; teach, back                      */
    float       *part;              /* (h/64,3,H,n) parts of lr_grad; teach, back */
    int64_t      n, head_step, gate_step;
};

typedef token_run<bf16> ttt_tokens;

/* Numbers that `part` has room for. */
static inline int64_t sti_ttt_hopper_parts(const st_ttt_rule *r, int64_t n)
{
    return r->hidden / 64 * 3 * r->heads * n;
}

/* True when the fused body can serve these tokens on this card. */
bool sti_ttt_hopper_tokens_fit(const sti_device *device, const st_ttt_rule *rule,
                               const ttt_tokens *t);

/* Both steps of one run of tokens, or the one that is not NULL; they share n and the weights. */
st_status sti_ttt_hopper_tokens(st_stream *q, const st_ttt_rule *rule, const ttt_tokens *teach,
                                const ttt_tokens *read);

/* The same, back. Every run is read; `teach` may be NULL. */
st_status sti_ttt_hopper_tokens_back(st_stream *q, const st_ttt_rule *rule,
                                     const ttt_tokens *teach, const ttt_tokens *read);

/* True when the fused body can serve this list on this card. */
bool sti_ttt_hopper_sums_fit(const sti_device *device, int64_t heads, const ttt_sum<bf16> *list,
                             int count);

/* All sums of a list, and the gates unless they are NULL. */
st_status sti_ttt_hopper_sums(st_stream *q, int64_t heads, const ttt_sum<bf16> *list, int count,
                              const ttt_gates *gates);

#endif
