/* The fast-weight operator: the definition against printed numbers and finite differences, the
 * host body against the definition, streams of any cut against one call. */
#include "unit/ttt_case.h"

#include "kernels/ttt_internal.h"

static const char *const names[CASE_ARRAYS] = {"w0", "w1", "w2", "q", "k", "v", "lr", "mu", "out"};

/* --- Appendix A of the spec: every digit printed there -------------------------------------- */

typedef struct printed {
    st_ttt_norm norm;
    st_ttt_muon muon;
    double loss, out9[4], last0[4], norms[10];
} printed;

static const printed appendix[] = {
    {ST_TTT_PRENORM, ST_TTT_MUON, 0.270428483,
     {-0.09810873, -0.38483268, 0.34851127, -0.10175851},
     {-1.07770712, -0.45684498, 0.68607739, -0.30712965},
     {2.33740437, 1.37177242, 2.45668214, 2.02872969, 4.58818169, 3.05072587, 18.04132986,
      1.41966348, 0.09719465, 0.05965246}},
    {ST_TTT_POSTNORM, ST_TTT_MUON, 0.496497104,
     {0.03161852, -0.36081968, 0.24349264, -0.05915773},
     {-1.06239252, -0.42008631, 0.72468450, -0.32383610},
     {1.92220957, 1.06275816, 2.01697125, 2.00907065, 4.37365769, 2.01847671, 31.80757333,
      1.22247816, 0.42245682, 0.08656418}},
    {ST_TTT_PRENORM, ST_TTT_MUON_OFF, -0.115530490,
     {0.15928538, -0.28589665, 0.29575172, -0.29013046},
     {-1.09989561, -0.78569267, 0.31810028, 0.08312596},
     {1.08352235, 1.09224937, 0.97569275, 1.40781498, 1.01917503, 0.63189189, 0.34167462,
      0.88729550, 0.17496584, 0.00334032}},
    {ST_TTT_POSTNORM, ST_TTT_MUON_OFF, -0.118046112,
     {0.16106069, -0.28383093, 0.29501169, -0.28863241},
     {-1.10109345, -0.78206588, 0.32310991, 0.08213444},
     {1.08974945, 1.08164579, 0.96733925, 1.42033909, 1.01081617, 0.64508291, 0.34549156,
      0.93104594, 0.17978456, 0.00000659}},
};

/* The generator: s <- 1664525 s + 1013904223, the upper 24 bits as a number in [-1,1). */
static void fill_appendix(ttt_case *t)
{
    uint32_t s = 12345;
    static const int order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t i = 0; i < COUNT(order); i++)
        for (int64_t j = 0; j < t->size[order[i]]; j++) {
            s = 1664525u * s + 1013904223u;
            const double x = (double)(s >> 8) / 16777216.0 * 2.0 - 1.0;
            t->wide[order[i]][j] = order[i] == 6 || order[i] == 7 ? (x + 1.0) / 2.0 : x;
        }
}

static double norm(const double *x, int64_t n)
{
    double square = 0.0;
    for (int64_t i = 0; i < n; i++)
        square += x[i] * x[i];
    return sqrt(square);
}

static st_ttt_plain_grads open_grads(ttt_case *t)
{
    double *g[CASE_ARRAYS];
    for (int i = 0; i < CASE_ARRAYS; i++)
        must(ST_ALLOC(&t->arena, &g[i], (size_t)t->size[i]));
    return (st_ttt_plain_grads){g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]};
}

static void definition_prints_the_appendix(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(appendix); i++) {
        const printed *p = &appendix[i];
        const st_ttt_rule rule = {1, 4, 4, 4, p->norm, p->muon, ST_TTT_MOMENTUM, ST_TTT_EXACT};
        ttt_case t;
        double out[40], last[48];
        case_open(&t, &rule, 10);
        fill_appendix(&t);
        assert_near(t.wide[0][0], -0.9591946602, 5e-11);
        assert_near(t.wide[8][36], 0.8025140762, 5e-11);

        must(st_ttt_plain_forward(out, last, &t.plain, &t.arena));
        double loss = 0.0;
        for (int j = 0; j < 40; j++)
            loss += out[j] * t.wide[8][j];
        assert_near(loss, p->loss, 5e-10);
        for (int j = 0; j < 4; j++) {
            assert_near(out[36 + j], p->out9[j], 5e-9);
            assert_near(last[j], p->last0[j], 5e-9);
        }
        st_ttt_plain_grads g = open_grads(&t);
        must(st_ttt_plain_backward(&g, t.wide[8], &t.plain, &t.arena));
        const double *const grad[] = {g.w0, g.w1, g.w2, g.q, g.k, g.v, g.lr, g.lr + 10, g.lr + 20,
                                      g.mu};
        for (int j = 0; j < 10; j++)
            assert_near(norm(grad[j], j < 3 ? 16 : j < 6 ? 40 : 10), p->norms[j], 6e-9);
        case_close(&t);
    }
}

static void newton_schulz_prints_the_appendix(void **state)
{
    (void)state;
    double m[] = {0.0743923187, 0.5107848644, 0.6757227182, -0.1408336163, -0.5432807207,
                  0.1863024235};
    const double expected[] = {0.05587456, 0.48350139, 0.85293236, -0.22753676, -0.82499783,
                               0.48345386};
    double turned[6];
    st_arena arena;
    st_arena_init(&arena, "test");
    for (int i = 0; i < 6; i++)
        turned[i % 3 * 2 + i / 3] = m[i];
    must(st_newton_schulz_plain(m, 2, 3, &arena));
    must(st_newton_schulz_plain(turned, 3, 2, &arena));
    for (int i = 0; i < 6; i++) {
        assert_near(m[i], expected[i], 2e-8);
        assert_near(turned[i % 3 * 2 + i / 3], expected[i], 2e-8);
    }
    st_arena_free(&arena);
}

/* Small matrices are worked on in double: even where all but one singular value is small, which
 * float loses a thousand times as much of. */
static void small_newton_schulz_is_as_exact_as_float_can_say(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {2, 3}, {8, 8}, {24, 8}, {8, 24}, {64, 48}};
    enum { MOST = 64 * 64 };
    static float  x[MOST], iterates[STI_NS_STEPS * MOST], spare[MOST], square[3 * MOST];
    static double m[MOST];
    st_arena arena;
    st_arena_init(&arena, "test");
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const int64_t rows = shapes[i][0], cols = shapes[i][1];
        for (int64_t j = 0; j < rows * cols; j++) {     /* of rank one, and a little more */
            const double along = sin(1.0 + (double)(j / cols)) * cos((double)(j % cols));
            m[j] = x[j] = (float)(along + 1e-5 * sin(7.0 * (double)j));
        }
        must(st_newton_schulz_plain(m, rows, cols, &arena));
        sti_newton_schulz_host(x, rows, cols, ST_TTT_MUON, iterates, spare, square);
        for (int64_t j = 0; j < rows * cols; j++)
            assert_near(x[j], m[j], 1e-7);
    }
    st_arena_free(&arena);
}

/* --- the definition against itself, moved a little ------------------------------------------ */

static double loss_of(ttt_case *t, double *out)
{
    must(st_ttt_plain_forward(out, NULL, &t->plain, &t->arena));
    double loss = 0.0;
    for (int64_t j = 0; j < t->size[8]; j++)
        loss += out[j] * t->wide[8][j];
    return loss;
}

/* Central differences with step e are off by e^2 f''' and by rounding, 1e-16 / e: 1e-9 at best for
 * f of order 1, more where Muon turns steeply. Every 7th number of every input is moved. */
static void gradients_match_differences(void **state)
{
    (void)state;
    static const int64_t hidden[] = {3, 4, 5};
    for (int i = 0; i < 24; i++) {
        const st_ttt_rule rule = {2, 4, hidden[i / 8], 6, i & 1 ? ST_TTT_PRENORM : ST_TTT_POSTNORM,
                                  i & 2 ? ST_TTT_MUON : ST_TTT_MUON_OFF,
                                  i & 4 ? ST_TTT_MOMENTUM : ST_TTT_MOMENTUM_OFF, ST_TTT_EXACT};
        ttt_case t;
        case_open(&t, &rule, 15);
        case_fill(&t, 3, false);
        st_ttt_plain_grads g = open_grads(&t);
        double *out;
        must(ST_ALLOC(&t.arena, &out, (size_t)t.size[8]));
        must(st_ttt_plain_backward(&g, t.wide[8], &t.plain, &t.arena));
        double *const grad[] = {g.w0, g.w1, g.w2, g.q, g.k, g.v, g.lr, g.mu};
        for (int a = 0; a < (rule.momentum == ST_TTT_MOMENTUM ? 8 : 7); a++) {
            const double scale = norm(grad[a], t.size[a]) / sqrt((double)t.size[a]) + 1e-3;
            for (int64_t j = a; j < t.size[a]; j += 7) {
                const double x = t.wide[a][j], e = a == 6 ? 1e-7 : 1e-5;
                t.wide[a][j] = x + e;
                const double above = loss_of(&t, out);
                t.wide[a][j] = x - e;
                const double below = loss_of(&t, out);
                t.wide[a][j] = x;
                const double slope = (above - below) / (2.0 * e);
                if (!(fabs(slope - grad[a][j]) <= 1e-5 * (scale + fabs(slope))))
                    fail_msg("rule %d, %s[%lld]: slope %.9g, gradient %.9g", i, names[a],
                             (long long)j, slope, grad[a][j]);
            }
        }
        case_close(&t);
    }
}

/* --- the host body against the definition --------------------------------------------------- */

static void check_near(const float *got, const double *expected, int64_t n, double bound,
                       const char *what, int rule)
{
    double worst = 0.0, largest = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        const double gap = fabs(got[i] - expected[i]);
        if (!(gap <= worst))
            worst = gap;
        largest = fmax(largest, fabs(expected[i]));
    }
    if (!(worst <= bound * largest))
        fail_msg("rule %d: %s is off by %.3g of its largest value, allowed %.3g", rule, what,
                 worst / largest, bound);
}

typedef struct host_run {
    st_stream *q;
    st_slab    scratch;
    st_slab    tape_slab;
    st_ttt_tape tape;
} host_run;

static void open_run(host_run *r, const st_ttt_rule *rule, const st_ttt_borders *borders)
{
    const int64_t count = borders->border[borders->count];
    must(st_stream_create_host(&r->q, NULL));
    st_slab_plan(&r->scratch, "scratch", ST_PLACE_HOST);
    must(st_ttt_forward_plan(&r->scratch, rule, count));
    must(st_ttt_backward_plan(&r->scratch, rule, count));
    must(st_slab_create(r->q, &r->scratch));
    st_slab_plan(&r->tape_slab, "tape", ST_PLACE_HOST);
    must(st_ttt_tape_take(&r->tape, &r->tape_slab, rule, borders));
    must(st_slab_create(r->q, &r->tape_slab));
    must(st_ttt_tape_take(&r->tape, &r->tape_slab, rule, borders));
}

static void close_run(host_run *r)
{
    st_slab_free(r->q, &r->scratch);
    st_slab_free(r->q, &r->tape_slab);
    st_stream_free(r->q);
}

static st_ttt_grads float_grads(ttt_case *t, float *x[CASE_ARRAYS])
{
    const st_ttt_rule *r = &t->rule;
    for (int i = 0; i < CASE_ARRAYS; i++)
        must(ST_ALLOC(&t->arena, &x[i], (size_t)t->size[i]));
    return (st_ttt_grads){
        .w0 = case_tensor(x[0], ST_F32, ST_PLACE_HOST, r->heads, r->hidden, r->width),
        .w1 = case_tensor(x[1], ST_F32, ST_PLACE_HOST, r->heads, r->width, r->hidden),
        .w2 = case_tensor(x[2], ST_F32, ST_PLACE_HOST, r->heads, r->hidden, r->width),
        .q = case_tensor(x[3], ST_F32, ST_PLACE_HOST, r->heads, t->count, r->width),
        .k = case_tensor(x[4], ST_F32, ST_PLACE_HOST, r->heads, t->count, r->width),
        .v = case_tensor(x[5], ST_F32, ST_PLACE_HOST, r->heads, t->count, r->width),
        .lr = case_tensor(x[6], ST_F32, ST_PLACE_HOST, 3, r->heads, t->count),
        .mu = case_tensor(x[7], ST_F32, ST_PLACE_HOST, r->heads, t->count, 0)};
}

/* The bounds are the spec's (section 13): 1e-5 without Muon, 1e-4 with; gradients through Muon
 * meet its gain of up to 490, and are allowed ten times that. */
static void host_agrees_with_definition(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {{24, 32, 16, 40}, {32, 24, 300, 700}, {8, 8, 16, 16},
                                       {5, 3, 7, 22},    {16, 16, 1, 4}};
    for (int i = 0; i < 8 * (int)COUNT(sizes); i++) {
        const int64_t *s = sizes[i / 8];
        const st_ttt_rule rule = {2, s[0], s[1], s[2], i & 1 ? ST_TTT_PRENORM : ST_TTT_POSTNORM,
                                  i & 2 ? ST_TTT_MUON : ST_TTT_MUON_OFF,
                                  i & 4 ? ST_TTT_MOMENTUM : ST_TTT_MOMENTUM_OFF, ST_TTT_EXACT};
        /* A chunk of one token has gradients of rank one, where Muon only amplifies noise. */
        if (rule.muon == ST_TTT_MUON && rule.chunk < rule.width)
            continue;
        const int64_t border[] = {0, s[3]};
        const st_ttt_borders borders = {border, 1};
        ttt_case t;
        host_run run;
        case_open(&t, &rule, s[3]);
        case_fill(&t, 5, false);
        open_run(&run, &rule, &borders);
        double *wide_out;
        float *narrow_out, *x[CASE_ARRAYS];
        must(ST_ALLOC(&t.arena, &wide_out, (size_t)t.size[8]));
        must(ST_ALLOC(&t.arena, &narrow_out, (size_t)t.size[8]));
        st_tensor out = case_tensor(narrow_out, ST_F32, ST_PLACE_HOST, 2, s[3], s[0]);
        const double bound = rule.muon == ST_TTT_MUON ? 1e-4 : 1e-5;

        must(st_ttt_plain_forward(wide_out, NULL, &t.plain, &t.arena));
        must(st_ttt_forward(run.q, &out, &rule, &t.weights, &t.tokens, &borders, &run.tape,
                            &run.scratch));
        check_near(narrow_out, wide_out, t.size[8], bound, "out", i);
        st_ttt_plain_grads g = open_grads(&t);
        st_ttt_grads grads = float_grads(&t, x);
        must(st_ttt_plain_backward(&g, t.wide[8], &t.plain, &t.arena));
        must(st_ttt_backward(run.q, &grads, &t.out_grad, &rule, &t.weights, &t.tokens, &borders,
                             &run.tape, &run.scratch));
        const double *const expected[] = {g.w0, g.w1, g.w2, g.q, g.k, g.v, g.lr, g.mu};
        for (int a = 0; a < (rule.momentum == ST_TTT_MOMENTUM ? 8 : 7); a++)
            check_near(x[a], expected[a], t.size[a], 10 * bound, names[a], i);
        assert_int_equal(run.scratch.used, 0);
        close_run(&run);
        case_close(&t);
    }
}

/* Two sequences in one call are two calls. */
static void borders_separate_sequences(void **state)
{
    (void)state;
    const st_ttt_rule rule = {2, 8, 12, 10, ST_TTT_PRENORM, ST_TTT_MUON_OFF, ST_TTT_MOMENTUM,
                              ST_TTT_EXACT};
    const int64_t border[] = {0, 0, 25, 48}, count = 48;
    const st_ttt_borders borders = {border, 3};
    ttt_case t;
    host_run run;
    float out[2 * 48 * 8], *x[CASE_ARRAYS];
    case_open(&t, &rule, count);
    case_fill(&t, 6, false);
    open_run(&run, &rule, &borders);
    assert_int_equal(run.tape.slots, 1 + 0 + 2 + 2);
    st_tensor y = case_tensor(out, ST_F32, ST_PLACE_HOST, 2, count, 8);
    must(st_ttt_forward(run.q, &y, &rule, &t.weights, &t.tokens, &borders, &run.tape,
                        &run.scratch));
    st_ttt_grads grads = float_grads(&t, x);
    must(st_ttt_backward(run.q, &grads, &t.out_grad, &rule, &t.weights, &t.tokens, &borders,
                         &run.tape, &run.scratch));

    double *w_sum;
    must(ST_ALLOC(&t.arena, &w_sum, (size_t)t.size[0]));
    for (int i = 1; i < 3; i++) {
        const int64_t from = border[i], n = border[i + 1] - from;
        ttt_case part;
        case_open(&part, &rule, n);
        for (int a = 0; a < CASE_ARRAYS; a++)
            for (int64_t j = 0; j < part.size[a]; j++) {
                const int64_t each = a < 3 ? part.size[a] : a < 6 || a == 8 ? 8 * n : n;
                const int64_t width = a < 3 ? 0 : a < 6 || a == 8 ? 8 : 1;
                part.wide[a][j] = t.wide[a][a < 3 ? j : j / each * width * count + from * width +
                                                            j % each];
            }
        double *expected;
        must(ST_ALLOC(&part.arena, &expected, (size_t)part.size[8]));
        must(st_ttt_plain_forward(expected, NULL, &part.plain, &part.arena));
        for (int f = 0; f < 2; f++)
            check_near(out + (f * count + from) * 8, expected + f * n * 8, n * 8, 1e-5, "out", i);
        st_ttt_plain_grads g = open_grads(&part);
        must(st_ttt_plain_backward(&g, part.wide[8], &part.plain, &part.arena));
        for (int f = 0; f < 2; f++) {
            check_near(x[4] + (f * count + from) * 8, g.k + f * n * 8, n * 8, 1e-4, "k", i);
            check_near(x[7] + f * count + from, g.mu + f * n, n, 1e-4, "mu", i);
        }
        for (int64_t j = 0; j < t.size[0]; j++)
            w_sum[j] += g.w0[j];
        case_close(&part);
    }
    check_near(x[0], w_sum, t.size[0], 1e-4, "w0", 0);
    close_run(&run);
    case_close(&t);
}

/* --- streams -------------------------------------------------------------------------------- */

/* Any cut gives the answer of one call, and an update waits until a token behind it is read, unless
 * the caller asks for it, as the last cut does here. */
static void stream_is_one_call(void **state)
{
    (void)state;
    const int64_t count = 330, d = 16;
    static const int64_t cuts[][4] = {{330, 0, 0, 0}, {1, 0, 0, 0}, {7, 64, 1, 100},
                                      {150, 1, 149, 30}, {150, 1, 149, 30}};
    for (int muon = 0; muon < 2; muon++) {
        const st_ttt_rule rule = {2, d, 24, 100, ST_TTT_PRENORM,
                                  muon ? ST_TTT_MUON : ST_TTT_MUON_OFF, ST_TTT_MOMENTUM,
                                  ST_TTT_EXACT};
        ttt_case t;
        host_run run;
        const int64_t border[] = {0, count};
        const st_ttt_borders borders = {border, 1};
        case_open(&t, &rule, count);
        case_fill(&t, 7, false);
        open_run(&run, &rule, &borders);
        double *expected;
        float *got, *part[CASE_ARRAYS];
        must(ST_ALLOC(&t.arena, &expected, (size_t)t.size[8]));
        must(ST_ALLOC(&t.arena, &got, (size_t)t.size[8]));
        for (int a = 0; a < CASE_ARRAYS; a++)
            must(ST_ALLOC(&t.arena, &part[a], (size_t)t.size[a]));
        must(st_ttt_plain_forward(expected, NULL, &t.plain, &t.arena));
        for (size_t c = 0; c < COUNT(cuts); c++) {
            st_slab slab;
            st_ttt_state s;
            st_slab_plan(&slab, "state", ST_PLACE_HOST);
            must(st_ttt_state_take(&s, &slab, &rule));
            must(st_slab_create(run.q, &slab));
            must(st_ttt_state_take(&s, &slab, &rule));
            must(st_ttt_state_begin(run.q, &s, &t.weights));
            for (int64_t from = 0, step = 0; from < count; step++) {
                int64_t n = cuts[c][step % 4] > 0 ? cuts[c][step % 4] : cuts[c][0];
                n = n < count - from ? n : count - from;
                st_ttt_tokens x = t.tokens;
                st_tensor out = case_tensor(part[8], ST_F32, ST_PLACE_HOST, 2, n, d);
                st_tensor *const to[] = {&x.q, &x.k, &x.v, &x.lr, &x.mu};
                for (int a = 3; a < 8; a++) {
                    const int64_t width = a < 6 ? d : 1, rows = a == 6 ? 6 : 2;
                    for (int64_t r = 0; r < rows; r++)
                        memcpy(part[a] + r * n * width,
                               t.narrow[a] + (r * count + from) * width,
                               (size_t)(n * width) * sizeof(float));
                    to[a - 3]->data = part[a];
                    to[a - 3]->shape[a == 6 ? 2 : 1] = n;
                }
                must(st_ttt_read(run.q, &out, &s, &x, &run.scratch));
                for (int f = 0; f < 2; f++)
                    memcpy(got + (f * count + from) * d, part[8] + f * n * d,
                           (size_t)(n * d) * sizeof(float));
                from += n;
                assert_int_equal(s.updates, st_ttt_update_count(from, rule.chunk));
                if (c + 1 == COUNT(cuts)) {
                    must(st_ttt_settle(run.q, &s, &run.scratch));
                    assert_int_equal(s.updates, from / rule.chunk);
                }
            }
            check_near(got, expected, t.size[8], muon ? 1e-4 : 1e-5, "streamed out", (int)c);
            assert_int_equal(s.summed + s.pending, 30);
            st_slab_free(run.q, &slab);
        }
        close_run(&run);
        case_close(&t);
    }
}

static void wrong_shapes_are_named(void **state)
{
    (void)state;
    const st_ttt_rule rule = {1, 4, 4, 4, ST_TTT_PRENORM, ST_TTT_MUON, ST_TTT_MOMENTUM,
                              ST_TTT_EXACT};
    const int64_t border[] = {0, 10};
    const st_ttt_borders borders = {border, 1};
    ttt_case t;
    host_run run;
    float out[40];
    case_open(&t, &rule, 10);
    open_run(&run, &rule, &borders);
    st_tensor y = case_tensor(out, ST_F32, ST_PLACE_HOST, 1, 10, 4);
    t.tokens.k.shape[1] = 9;
    must_fail(st_ttt_forward(run.q, &y, &rule, &t.weights, &t.tokens, &borders, NULL, &run.scratch),
              ST_ERR_DATA, "k must be f32 (1,10,4), is f32 (1,9,4)");
    t.tokens.k.shape[1] = 10;
    const int64_t short_border[] = {0, 9};
    must_fail(st_ttt_forward(run.q, &y, &rule, &t.weights, &t.tokens,
                             &(st_ttt_borders){short_border, 1}, NULL, &run.scratch),
              ST_ERR_USAGE, "1 borders must run from 0 to 10 tokens");
    close_run(&run);
    case_close(&t);
}

static void updates_are_counted(void **state)
{
    (void)state;
    assert_int_equal(st_ttt_update_count(0, 4), 0);
    assert_int_equal(st_ttt_update_count(4, 4), 0);
    assert_int_equal(st_ttt_update_count(5, 4), 1);
    assert_int_equal(st_ttt_update_count(8, 4), 1);
    assert_int_equal(st_ttt_update_count(10, 4), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_are_counted),
        cmocka_unit_test(definition_prints_the_appendix),
        cmocka_unit_test(newton_schulz_prints_the_appendix),
        cmocka_unit_test(small_newton_schulz_is_as_exact_as_float_can_say),
        cmocka_unit_test(gradients_match_differences),
        cmocka_unit_test(host_agrees_with_definition),
        cmocka_unit_test(borders_separate_sequences),
        cmocka_unit_test(stream_is_one_call),
        cmocka_unit_test(wrong_shapes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
