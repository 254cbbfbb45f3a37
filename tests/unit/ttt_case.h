/* ttt_case.h - a random problem for the fast-weight operator, in double and in f32.
 *
 * Inputs look like the network's: unit keys and queries, small rates, gates in (0,1). The f32
 * numbers are exact copies of the double ones (both are multiples of 2^-20).
 */
#ifndef ST_TESTS_TTT_CASE_H
#define ST_TESTS_TTT_CASE_H

#include "check.h"

#include "kernels/base/rng.h"
#include "kernels/ttt.h"
#include "kernels/ttt_plain.h"

enum { CASE_ARRAYS = 9 };   /* w0 w1 w2 q k v lr mu out_grad */

typedef struct ttt_case {
    st_ttt_rule    rule;
    int64_t        count;
    int64_t        size[CASE_ARRAYS];
    double        *wide[CASE_ARRAYS];
    float         *narrow[CASE_ARRAYS];
    st_ttt_plain   plain;
    st_ttt_weights weights;
    st_ttt_tokens  tokens;
    st_tensor      out_grad;
    st_arena       arena;
} ttt_case;

static inline st_tensor case_tensor(void *data, st_dtype dtype, st_place place, int64_t a,
                                    int64_t b, int64_t c)
{
    return (st_tensor){.data = data, .shape = {a, b, c}, .rank = c > 0 ? 3 : 2, .dtype = dtype,
                       .place = place};
}

/* Allocate; the numbers are set by case_fill or by the test, then case_narrow. */
static inline void case_open(ttt_case *t, const st_ttt_rule *rule, int64_t count)
{
    const int64_t H = rule->heads, h = rule->hidden, d = rule->width;
    const int64_t sizes[CASE_ARRAYS] = {H * h * d, H * h * d, H * h * d, H * count * d,
                                        H * count * d, H * count * d, 3 * H * count, H * count,
                                        H * count * d};
    memset(t, 0, sizeof *t);
    t->rule = *rule;
    t->count = count;
    st_arena_init(&t->arena, "case");
    for (int i = 0; i < CASE_ARRAYS; i++) {
        t->size[i] = sizes[i];
        must(ST_ALLOC(&t->arena, &t->wide[i], (size_t)sizes[i]));
        must(ST_ALLOC(&t->arena, &t->narrow[i], (size_t)sizes[i]));
    }
    double **w = t->wide;
    t->plain = (st_ttt_plain){.rule = *rule, .count = count, .w0 = w[0], .w1 = w[1], .w2 = w[2],
                              .q = w[3], .k = w[4], .v = w[5], .lr = w[6], .mu = w[7]};
    float **x = t->narrow;
    const st_place place = ST_PLACE_HOST;
    t->weights.w0 = case_tensor(x[0], ST_F32, place, H, h, d);
    t->weights.w1 = case_tensor(x[1], ST_F32, place, H, d, h);
    t->weights.w2 = case_tensor(x[2], ST_F32, place, H, h, d);
    t->tokens.q = case_tensor(x[3], ST_F32, place, H, count, d);
    t->tokens.k = case_tensor(x[4], ST_F32, place, H, count, d);
    t->tokens.v = case_tensor(x[5], ST_F32, place, H, count, d);
    t->tokens.lr = case_tensor(x[6], ST_F32, place, 3, H, count);
    t->tokens.lr.rank = 3;
    t->tokens.mu = case_tensor(x[7], ST_F32, place, H, count, 0);
    t->out_grad = case_tensor(x[8], ST_F32, place, H, count, d);
}

/* f32 copies of the double numbers, which lose what f32 (or bf16, for `coarse`) cannot hold. */
static inline void case_narrow(ttt_case *t, bool coarse)
{
    for (int i = 0; i < CASE_ARRAYS; i++)
        for (int64_t j = 0; j < t->size[i]; j++) {
            float x = (float)t->wide[i][j];
            if (coarse && ((i >= 3 && i <= 5) || i == 8))
                x = st_f32_from_bf16(st_bf16_from_f32(x));
            t->narrow[i][j] = x;
            t->wide[i][j] = x;
        }
}

static inline void case_fill(ttt_case *t, uint64_t seed, bool coarse)
{
    const int64_t d = t->rule.width;
    st_rng rng = st_rng_from(st_hash_int(seed, t->count));
    for (int i = 0; i < CASE_ARRAYS; i++)
        for (int64_t j = 0; j < t->size[i]; j++) {
            const double fan_in = i == 1 ? (double)t->rule.hidden : (double)d;
            double x = st_rng_normal(&rng);
            if (i <= 2)
                x /= sqrt(fan_in);
            else if (i == 3 || i == 4)
                x /= sqrt((double)d);
            else if (i == 6)
                x = 0.001 + 0.01 * st_rng_unit(&rng);
            else if (i == 7)
                x = st_rng_unit(&rng);
            t->wide[i][j] = x;
        }
    case_narrow(t, coarse);
}

static inline void case_close(ttt_case *t)
{
    st_arena_free(&t->arena);
}

#endif
