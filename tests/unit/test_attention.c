/* The blocked attention says what its definition says, and the definition's gradients are
 * slopes. */
#include "around_check.h"

#include "kernels/plain.h"

typedef struct problem {
    st_attention_sizes z;
    double *q, *k, *v, *r;      /* r: the loss is <out, r> */
    double *out, *lse;
} problem;

static problem problem_draw(st_attention_sizes z)
{
    const int64_t n = z.T * z.H * z.D, nkv = z.T * z.Hkv * z.D;
    return (problem){z, draw(1, n), draw(2, nkv), draw(3, nkv), draw(4, n), zeros(n),
                     zeros(z.H * z.T)};
}

static void problem_free(problem *p)
{
    free(p->q), free(p->k), free(p->v), free(p->r), free(p->out), free(p->lse);
}

static double loss(void *context)
{
    problem *p = context;
    st_attention_forward_plain(p->out, NULL, p->q, p->k, p->v, &p->z);
    double sum = 0.0;
    for (int64_t i = 0; i < p->z.T * p->z.H * p->z.D; i++)
        sum += p->out[i] * p->r[i];
    return sum;
}

static void definition_has_its_slopes(void **state)
{
    (void)state;
    static const int32_t starts[] = {0, 4, 4, 9};
    problem p = problem_draw((st_attention_sizes){9, 4, 2, 6, ST_ATTENTION_CAUSAL, 3, 0.7,
                                                  starts, 3});
    const int64_t n = 9 * 4 * 6, nkv = 9 * 2 * 6;
    double *qb = zeros(n), *kb = zeros(nkv), *vb = zeros(nkv);
    for (int mask = 0; mask < 2; mask++) {
        p.z.mask = mask ? ST_ATTENTION_SEGMENT : ST_ATTENTION_CAUSAL;
        p.z.window = mask ? 0 : 3;
        st_attention_backward_plain(qb, kb, vb, p.r, p.q, p.k, p.v, &p.z);
        for (int64_t i = 0; i < n; i += 7)
            check_slope("q", p.q + i, qb[i], loss, &p);
        for (int64_t i = 0; i < nkv; i += 5) {
            check_slope("k", p.k + i, kb[i], loss, &p);
            check_slope("v", p.v + i, vb[i], loss, &p);
        }
    }
    free(qb), free(kb), free(vb);
    problem_free(&p);
}

/* Forward and backward of one problem against the definition; `pad` widens q's rows. */
static void check_problem(st_stream *stream, st_attention_sizes z, int64_t pad)
{
    problem p = problem_draw(z);
    const int64_t n = z.T * z.H * z.D, nkv = z.T * z.Hkv * z.D, row = z.H * z.D;
    double *qb = zeros(n), *kb = zeros(nkv), *vb = zeros(nkv);
    double *wide = zeros(z.T * (row + pad));
    for (int64_t i = 0; i < n; i++)
        wide[i / row * (row + pad) + i % row] = p.q[i];

    st_tensor q_rows = host_tensor(wide, SHAPE(z.T * (row + pad)));
    st_tensor q = q_rows, k = host_tensor(p.k, SHAPE(z.T, z.Hkv, z.D));
    q.rank = 3, q.shape[0] = z.T, q.shape[1] = z.H, q.shape[2] = z.D;
    st_tensor v = host_tensor(p.v, SHAPE(z.T, z.Hkv, z.D)), r = host_tensor(p.r, 3, q.shape);
    st_tensor out = host_tensor(NULL, 3, q.shape), lse = host_tensor(NULL, SHAPE(z.H, z.T));
    st_tensor q_bar = host_tensor(NULL, 3, q.shape), k_bar = host_tensor(NULL, 3, k.shape);
    st_tensor v_bar = host_tensor(NULL, 3, k.shape);
    st_tensor starts = {.data = (void *)z.starts, .shape = {z.segments + 1}, .rank = 1,
                        .dtype = ST_I32, .place = ST_PLACE_HOST};
    const st_attention how = {.mask = z.mask, .window = z.window, .scale = (float)z.scale,
                              .starts = z.segments > 1 ? &starts : NULL, .q_row = row + pad};

    st_attention_forward_plain(p.out, p.lse, p.q, p.k, p.v, &z);
    must(st_attention_forward(stream, &out, &lse, &q, &k, &v, &how));
    check_close("out", &out, p.out, 3e-6);
    check_close("lse", &lse, p.lse, 2e-6);

    st_attention_backward_plain(qb, kb, vb, p.r, p.q, p.k, p.v, &z);
    must(st_attention_backward(stream, &q_bar, &k_bar, &v_bar, &r, &q, &k, &v, &out, &lse, &how));
    check_close("q_bar", &q_bar, qb, 5e-6);
    check_close("k_bar", &k_bar, kb, 5e-6);
    check_close("v_bar", &v_bar, vb, 5e-6);

    st_tensor *made[] = {&q_rows, &k, &v, &r, &out, &lse, &q_bar, &k_bar, &v_bar};
    for (size_t i = 0; i < COUNT(made); i++)
        free(made[i]->data);
    free(qb), free(kb), free(vb), free(wide);
    problem_free(&p);
}

/* Sizes around the blocks of 64 queries and 256 keys; windows shorter and longer than a block. */
static void blocks_say_what_the_definition_says(void **state)
{
    static const int32_t one[] = {0, 1}, long_one[] = {0, 331}, cut[] = {0, 65, 65, 130, 331};
    const float s16 = 0.25f, s72 = 0.1178511302f;
    st_stream  *q = *state;
    check_problem(q, (st_attention_sizes){1, 2, 1, 16, ST_ATTENTION_CAUSAL, 0, s16, one, 1}, 0);
    check_problem(q, (st_attention_sizes){331, 4, 2, 16, ST_ATTENTION_CAUSAL, 0, s16, long_one, 1},
                  0);
    check_problem(q, (st_attention_sizes){331, 4, 2, 32, ST_ATTENTION_CAUSAL, 40, s16, cut, 4}, 5);
    check_problem(q, (st_attention_sizes){331, 2, 2, 16, ST_ATTENTION_CAUSAL, 300, s16, long_one,
                                          1}, 0);
    check_problem(q, (st_attention_sizes){331, 2, 2, 72, ST_ATTENTION_SEGMENT, 0, s72, cut, 4}, 3);
}

/* Keys enter a ring in pieces; every piece's queries get what one pass over everything gives. */
static void ring_continues_the_sequence(void **state)
{
    enum { T = 150, H = 4, HKV = 2, D = 16, W = 40, PIECE = 17, S = W + PIECE - 1 };
    static const int32_t starts[] = {0, T};
    problem p = problem_draw((st_attention_sizes){T, H, HKV, D, ST_ATTENTION_CAUSAL, W, 0.25,
                                                  starts, 1});
    st_attention_forward_plain(p.out, p.lse, p.q, p.k, p.v, &p.z);

    st_tensor k_cache = host_tensor(NULL, SHAPE(S, HKV, D));
    st_tensor v_cache = host_tensor(NULL, SHAPE(S, HKV, D));
    double   *plain = zeros(PIECE * H * D), *k_plain = zeros(S * HKV * D),
           *v_plain = zeros(S * HKV * D);
    for (int64_t at = 0, n; at < T; at += n) {
        n = T - at < PIECE ? T - at : PIECE;
        for (int64_t i = 0; i < n * HKV * D; i++) {
            const int64_t slot = (at + i / (HKV * D)) % S * HKV * D + i % (HKV * D);
            k_plain[slot] = p.k[at * HKV * D + i];
            v_plain[slot] = p.v[at * HKV * D + i];
            ((float *)k_cache.data)[slot] = (float)k_plain[slot];
            ((float *)v_cache.data)[slot] = (float)v_plain[slot];
        }
        const int64_t first = at + n > S ? at + n - S : 0;
        st_tensor q = host_tensor(p.q + at * H * D, SHAPE(n, H, D));
        st_tensor out = host_tensor(NULL, 3, q.shape);
        must(st_attention_cached(*state, &out, &q, &k_cache, &v_cache, at, first, W, 0.25f));
        check_close("piece", &out, p.out + at * H * D, 3e-6);

        st_attention_sizes z = p.z;
        z.T = n;
        st_attention_cached_plain(plain, p.q + at * H * D, k_plain, v_plain, S, at, first, &z);
        check_close("definition", &out, plain, 3e-6);
        free(q.data), free(out.data);
    }
    free(k_cache.data), free(v_cache.data), free(plain), free(k_plain), free(v_plain);
    problem_free(&p);
}

/* First keys stay, the others walk in circles: every query sees the first ones and its window, as
 * if those keys alone had been there. */
static void kept_keys_are_always_seen(void **state)
{
    enum { T = 90, H = 4, HKV = 2, D = 16, W = 12, KEPT = 5, PIECE = 7, KV = HKV * D,
           S = KEPT + W + PIECE - 1 };
    double *q = draw(1, T * H * D), *k = draw(2, T * KV), *v = draw(3, T * KV);
    double *few_k = zeros((KEPT + W) * KV), *few_v = zeros((KEPT + W) * KV), *row = zeros(H * D);
    st_tensor k_cache = host_tensor(NULL, SHAPE(S, HKV, D));
    st_tensor v_cache = host_tensor(NULL, SHAPE(S, HKV, D));
    for (int64_t at = 0, n; at < T; at += n) {
        n = T - at < PIECE ? T - at : PIECE;
        for (int64_t p = at; p < at + n; p++)
            for (int64_t i = 0; i < KV; i++) {
                const int64_t slot = p < KEPT ? p : KEPT + (p - KEPT) % (S - KEPT);
                ((float *)k_cache.data)[slot * KV + i] = (float)k[p * KV + i];
                ((float *)v_cache.data)[slot * KV + i] = (float)v[p * KV + i];
            }
        st_tensor queries = host_tensor(q + at * H * D, SHAPE(n, H, D));
        st_tensor out = host_tensor(NULL, 3, queries.shape);
        const st_attention_ring ring = {.position = at, .first = at >= W ? at - (W - 1) : 0,
                                        .window = W, .kept = KEPT, .scale = 0.25f};
        must(st_attention_kept(*state, &out, &queries, &k_cache, &v_cache, &ring));
        for (int64_t p = at; p < at + n; p++) {
            int64_t seen = 0;
            for (int64_t j = 0; j <= p; j++)
                if (j < KEPT || j > p - W) {
                    memcpy(few_k + seen * KV, k + j * KV, KV * sizeof *k);
                    memcpy(few_v + seen++ * KV, v + j * KV, KV * sizeof *v);
                }
            const st_attention_sizes z = {.T = 1, .H = H, .Hkv = HKV, .D = D, .scale = 0.25};
            st_attention_cached_plain(row, q + p * H * D, few_k, few_v, seen, seen - 1, 0, &z);
            const st_tensor one = host_tensor(NULL, SHAPE(1, H, D));
            memcpy(one.data, (float *)out.data + (p - at) * H * D, H * D * sizeof(float));
            check_close("kept", &one, row, 3e-6);
            free(one.data);
        }
        free(queries.data), free(out.data);
    }
    st_tensor queries = host_tensor(q, SHAPE(PIECE, H, D));
    st_tensor out = host_tensor(NULL, 3, queries.shape);
    const st_attention_ring short_ring = {.position = 40, .first = 20, .window = W, .kept = KEPT,
                                          .scale = 0.25f};
    must_fail(st_attention_kept(*state, &out, &queries, &k_cache, &v_cache, &short_ring),
              ST_ERR_USAGE, "attention: a cache of 23 rows cannot hold positions 20 to 46");
    free(queries.data), free(out.data), free(k_cache.data), free(v_cache.data);
    free(q), free(k), free(v), free(few_k), free(few_v), free(row);
}

static void wrong_calls_are_named(void **state)
{
    st_tensor q = host_tensor(NULL, SHAPE(4, 3, 8)), k = host_tensor(NULL, SHAPE(4, 2, 8));
    st_tensor short_k = host_tensor(NULL, SHAPE(3, 1, 8)), out = host_tensor(NULL, SHAPE(4, 3, 8));
    const st_attention how = {.scale = 1.0f};
    must_fail(st_attention_forward(*state, &out, NULL, &q, &k, &k, &how), ST_ERR_DATA,
              "attention: 2 key heads do not divide 3 query heads");
    must_fail(st_attention_forward(*state, &out, NULL, &q, &short_k, &short_k, &how), ST_ERR_DATA,
              "k must be f32 (4,*,8), is f32 (3,1,8)");
    must_fail(st_attention_cached(*state, &out, &q, &short_k, &short_k, 5, 0, 0, 1.0f),
              ST_ERR_USAGE, "attention: a cache of 3 rows cannot hold positions 0 to 8");
    st_tensor one = short_k;
    one.shape[0] = 4;
    one.data = k.data;
    const st_attention both = {.scale = 1.0f, .mask = ST_ATTENTION_SEGMENT, .window = 2};
    must_fail(st_attention_forward(*state, &out, NULL, &q, &one, &one, &both), ST_ERR_USAGE,
              "attention: a window of 2 needs the causal mask");
    free(q.data), free(k.data), free(short_k.data), free(out.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definition_has_its_slopes),
        cmocka_unit_test(blocks_say_what_the_definition_says),
        cmocka_unit_test(ring_continues_the_sequence),
        cmocka_unit_test(kept_keys_are_always_seen),
        cmocka_unit_test(wrong_calls_are_named),
    };
    return cmocka_run_group_tests(tests, host_stream_set_up, host_stream_tear_down);
}
