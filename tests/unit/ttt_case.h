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

/* Numbers whose channels share a mean and fall off in size, as a network's do: from `x`, which has
 * none of that, for one head. */
static inline void case_shape(double *x, const double *mean, int64_t count, int64_t d)
{
    double square = 0.0;
    for (int64_t j = 0; j < d; j++)
        square += pow(1.0 + (double)j, -1.4);
    for (int64_t i = 0; i < count * d; i++)
        x[i] = x[i] * (0.1 + sqrt((double)d / square) * pow(1.0 + (double)(i % d), -0.7)) +
               0.5 * mean[i % d];
}

/* As case_fill, but with keys, queries, values and gradients that have structure, and values that
 * follow from their keys: what Muon meets in a network is far better conditioned than noise. */
static inline void case_fill_structured(ttt_case *t, uint64_t seed, bool coarse)
{
    const int64_t d = t->rule.width, count = t->count;
    case_fill(t, seed, false);
    st_rng rng = st_rng_from(st_hash_int(seed + 1, count));
    double mean[1024];
    ST_ASSERT(d <= 1024);
    static const int shaped[] = {3, 4, 5, 8};
    for (int64_t f = 0; f < t->rule.heads; f++) {
        for (int s = 0; s < 4; s++) {
            double *x = t->wide[shaped[s]] + f * count * d;
            for (int64_t j = 0; j < d; j++)
                mean[j] = st_rng_normal(&rng);
            for (int64_t i = 0; shaped[s] <= 4 && i < count * d; i++)
                x[i] *= sqrt((double)d);        /* case_fill gave unit rows */
            case_shape(x, mean, count, d);
        }
        double *k = t->wide[4] + f * count * d, *v = t->wide[5] + f * count * d;
        for (int64_t i = 0; i < count * d; i++)
            v[i] = 0.5 * v[i] + 0.7 * k[i / d * d + d - 1 - i % d];
        for (int64_t row = 0; row < 2 * count; row++) {
            double *x = t->wide[3 + row / count] + (f * count + row % count) * d, square = 0.0;
            for (int64_t j = 0; j < d; j++)
                square += x[j] * x[j];
            for (int64_t j = 0; j < d; j++)
                x[j] /= sqrt(square);
        }
    }
    case_narrow(t, coarse);
}

static inline void case_close(ttt_case *t)
{
    st_arena_free(&t->arena);
}

#endif
