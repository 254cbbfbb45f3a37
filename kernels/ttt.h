/* ttt.h - fast weights: a small network per head that is rewritten while it reads.
 *
 * Each head f owns a network f(x) = W1 ( silu(W0 x) .* (W2 x) ). Tokens come in chunks of C. A
 * chunk is read with the weights as they are, then its keys and values teach the weights once:
 *
 *      chunk 0        chunk 1        chunk 2      tail
 *     |---- C ----|  |---- C ----|  |---- C ---| |-- 1..C --|
 *      read W(0)      read W(1)      read W(2)    read W(3)
 *           \ teach ->     \ teach ->     \ teach ->           the tail teaches nobody
 *
 *     update    gradient sums of the chunk -> momentum -> Muon -> rows back to their birth length
 *     lr        three learning rates per token and head, for W0, W1, W2
 *     mu        a momentum gate per token and head; a chunk uses its mean
 *     state     what one sequence has learned so far: a memory of constant size
 *     tape      what a forward pass leaves behind for the backward pass
 *
 * On the host everything is f32; on the device q, k, v, outputs and their gradients are bf16 unless
 * the rule says exact, and gates, weights, sums, momentum and norms f32. Shapes: H heads, d width,
 * h hidden, L tokens.
 *
 * Twins   ttt_plain.c (the definition, double), ttt_host*.c (OpenBLAS), ttt_device*.cu and
 *         ttt_hopper_*.cu (CUDA)
 * Source  spec of Spatial-TTT, sections 7.10-7.11, 8.2, 9.5; LaCT 1f84d47
 *
 * May include: kernels/base, stream.h.
 */
#ifndef ST_KERNELS_TTT_H
#define ST_KERNELS_TTT_H

#include "kernels/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum st_ttt_norm {
    ST_TTT_POSTNORM,        /* W <- length * unit(W + N): what is kept is renormed           */
    ST_TTT_PRENORM,         /* P <- P + N, W <- length * unit(P): P itself is kept unrenormed */
} st_ttt_norm;

/* On the device ST_TTT_MUON_BF16 is ST_TTT_MUON: what is multiplied is bf16, X itself is f32. In
 * bf16 the rounding of X grows where M has little: to 3 to 7 % of N for keys with structure, and to
 * another 3 to 7 % as soon as M differs in its third digit, which products in bf16 make it do. To
 * round X on the device would put a second such noise beside the reference's; without it the device
 * is as far from the reference as the exact N is. */
typedef enum st_ttt_muon {
    ST_TTT_MUON_OFF,        /* N is the momentum itself                                       */
    ST_TTT_MUON,            /* N is its orthogonal part, by five Newton-Schulz steps          */
    ST_TTT_MUON_BF16,       /* the same, every matrix in bf16: the reference's inference path */
} st_ttt_muon;

typedef enum st_ttt_momentum { ST_TTT_MOMENTUM_OFF, ST_TTT_MOMENTUM } st_ttt_momentum;

/* A gate's gradient with Muon is one number per head and update, in which the noise of bf16 does
 * not average out: at d 24 rounding q, k and v alone moves it by 2 %, every tenth one by 6 %. */
typedef enum st_ttt_precision {
    ST_TTT_FAST,            /* on the device, tokens and what is multiplied are bf16          */
    ST_TTT_EXACT,           /* f32, as on the host: to check, and where nothing is large      */
} st_ttt_precision;

typedef struct st_ttt_rule {
    int64_t          heads, width, hidden;  /* H, d, h                     */
    int64_t          chunk;                 /* C, tokens between updates   */
    st_ttt_norm      norm;
    st_ttt_muon      muon;
    st_ttt_momentum  momentum;
    st_ttt_precision precision;
} st_ttt_rule;

/* Birth weights, borrowed. */
typedef struct st_ttt_weights {
    st_tensor w0;           /* (H,h,d) f32 */
    st_tensor w1;           /* (H,d,h) f32 */
    st_tensor w2;           /* (H,h,d) f32 */
} st_ttt_weights;

/* Tokens and their gates, borrowed. */
typedef struct st_ttt_tokens {
    st_tensor q, k, v;      /* (H,L,d) bf16 on the device if fast; else f32 */
    st_tensor lr;           /* (3,H,L) f32: for W0, W1, W2                  */
    st_tensor mu;           /* (H,L)   f32; not looked at without momentum  */
} st_ttt_tokens;

/* Updates of a sequence of `count` tokens: max(0, ceil(count / chunk) - 1). */
int64_t st_ttt_update_count(int64_t count, int64_t chunk);

/* --- streaming ---------------------------------------------------------------------------- */

/* What a sequence has learned. Plain data in one piece of a slab: `bytes` from `data` and the
 * three counts are all there is to save, load, fork or compare; they mean the same in both places
 * but for the type of the pending keys and values. The rest is set by st_ttt_state_take. */
typedef struct st_ttt_state {
    st_ttt_rule    rule;
    st_place       place;
    unsigned char *data;
    size_t         bytes;
    int64_t        summed;          /* tokens of this chunk inside `gradient`     */
    int64_t        pending;         /* tokens of this chunk that wait to be added */
    int64_t        updates;         /* made so far                                */

    float *weight;                  /* (H, w0 | w2 | w1)  current weights                     */
    float *walk;                    /* the same, prenorm: unrenormed sum; else NULL           */
    float *momentum;                /* the same; NULL without momentum                        */
    float *gradient;                /* the same: sums of this chunk                           */
    float *length;                  /* (H, h | h | d)     row norms at birth                  */
    float *mu_sum;                  /* (H)                sum of mu over `summed` tokens      */
    void  *pending_k, *pending_v;   /* (H,ST_TTT_PENDING,d)                                   */
    float *pending_lr, *pending_mu; /* (3,H,ST_TTT_PENDING), (H,ST_TTT_PENDING)               */
    void  *narrow;                  /* device: the weights to multiply, made from `weight`    */
} st_ttt_state;

/* Single tokens wait in the state until so many can be added in one product. */
enum { ST_TTT_PENDING = 64 };

/* Take the memory of a state from a slab.
 *
 * Fails   ST_ERR_USAGE the rule has a size below 1; as st_slab_take.
 */
ST_CHECKED st_status st_ttt_state_take(st_ttt_state *state, st_slab *slab,
                                       const st_ttt_rule *rule);

/* Begin a sequence: the weights are as born, nothing was read. */
ST_CHECKED st_status st_ttt_state_begin(st_stream *q, st_ttt_state *state,
                                        const st_ttt_weights *weights);

/* After `data` and the counts were filled from elsewhere: rebuild what is made from them. */
ST_CHECKED st_status st_ttt_state_restored(st_stream *q, st_ttt_state *state);

/* Read L more tokens, in order: out = f(q) with the weights each token finds, and the update of a
 * full chunk just before the token behind it. Any split of a sequence into calls gives the answer
 * of one call, up to the order of f32 sums.
 *
 *   out      (H,L,d), type as q
 *   tokens   L >= 0 of them
 *   scratch  used and rewound; st_ttt_read_plan counts how much
 *
 * Fails   ST_ERR_DATA a tensor has another shape or type; ST_ERR_USAGE it is in another place;
 *         ST_ERR_MEMORY the scratch is short; ST_ERR_DEVICE from a launch.
 */
ST_CHECKED st_status st_ttt_read(st_stream *q, st_tensor *out, st_ttt_state *state,
                                 const st_ttt_tokens *tokens, st_slab *scratch);

/* Make the update of a full chunk now, if one is due, and not just before the next token. What is
 * read later is the same; the state is what a program holds that updates at once. Scratch and
 * failures as st_ttt_read. */
ST_CHECKED st_status st_ttt_settle(st_stream *q, st_ttt_state *state, st_slab *scratch);

/* Count the scratch of st_ttt_read for calls of up to `count_max` tokens. */
ST_CHECKED st_status st_ttt_read_plan(st_slab *scratch, const st_ttt_rule *rule,
                                      int64_t count_max);

/* --- whole sequences, and training -------------------------------------------------------- */

/* Where sequences lie in the L tokens: sequence i is [border[i], border[i+1]), border[0] = 0,
 * border[count] = L. Each starts from the birth weights. */
typedef struct st_ttt_borders {
    const int64_t *border;      /* (count + 1), on the host */
    int64_t        count;
} st_ttt_borders;

/* Left by st_ttt_forward for st_ttt_backward. Slot 0 holds the birth weights; each update of each
 * sequence adds a slot. */
typedef struct st_ttt_tape {
    int64_t slots;              /* 1 + updates of all sequences                               */
    float  *weight;             /* (slots, H, w0 | w2 | w1)  weights after the slot's update  */
    float  *momentum;           /* (slots, ...)              M of the slot's update           */
    float  *row_norm;           /* (slots, H, h | h | d)     norms of Y or P before renorming */
    float  *mu_mean;            /* (slots, H)                gate of the slot's update        */
    float  *length;             /* (H, h | h | d)            row norms at birth               */
    void   *narrow;             /* device: the weights to multiply                            */
    void   *muon;               /* device: Newton-Schulz iterates and their products          */
    float  *scale;              /* device: 1 / |M| of each matrix                             */
} st_ttt_tape;

ST_CHECKED st_status st_ttt_tape_take(st_ttt_tape *tape, st_slab *slab, const st_ttt_rule *rule,
                                      const st_ttt_borders *borders);

/* out = the operator over whole sequences.
 *
 *   out   (H,L,d), type as q
 *   tape  taken for the same rule and borders, or NULL when no backward pass follows
 *
 * Fails   as st_ttt_read; ST_ERR_USAGE the borders do not rise from 0 to L.
 */
ST_CHECKED st_status st_ttt_forward(st_stream *q, st_tensor *out, const st_ttt_rule *rule,
                                    const st_ttt_weights *weights, const st_ttt_tokens *tokens,
                                    const st_ttt_borders *borders, st_ttt_tape *tape,
                                    st_slab *scratch);

/* Gradients of a number with respect to everything st_ttt_forward read. */
typedef struct st_ttt_grads {
    st_tensor w0, w1, w2;       /* as the weights; added to                           */
    st_tensor q, k, v;          /* (H,L,d) type as q; set                             */
    st_tensor lr;               /* (3,H,L) f32; set                                   */
    st_tensor mu;               /* (H,L)   f32; set; not looked at without momentum   */
} st_ttt_grads;

/* Gradients from out_grad (H,L,d), type as q, through everything: the reading, the chunk
 * gradients (second order), momentum, Newton-Schulz, renorming and the birth lengths. Newton-Schulz
 * in bf16 is differentiated as if it were exact.
 *
 * Fails   as st_ttt_forward.
 */
ST_CHECKED st_status st_ttt_backward(st_stream *q, st_ttt_grads *grads, const st_tensor *out_grad,
                                     const st_ttt_rule *rule, const st_ttt_weights *weights,
                                     const st_ttt_tokens *tokens, const st_ttt_borders *borders,
                                     const st_ttt_tape *tape, st_slab *scratch);

/* Count the scratch of both passes over L tokens. */
ST_CHECKED st_status st_ttt_forward_plan(st_slab *scratch, const st_ttt_rule *rule,
                                         int64_t count_max);
ST_CHECKED st_status st_ttt_backward_plan(st_slab *scratch, const st_ttt_rule *rule,
                                          int64_t count_max);

#ifdef __cplusplus
}
#endif

#endif
