/* Rotary tables and turns, head norms, gates and the read-out: formulas and slopes on the host. */
#include "around_check.h"

#include "kernels/gates.h"
#include "kernels/rotary.h"

static const double pi = 3.14159265358979323846;

/* Frequencies of 64 by (24,20,20): time has 0,3,...,57 and 60..63 (model.md 6.4). */
static void axes_take_turns(void **state)
{
    enum { T = 2, J = 64 };
    static const int64_t position[3 * T] = {1, 0, 2, 0, 3, 0};
    st_tensor p = {.data = (void *)position, .shape = {3, T}, .rank = 2, .dtype = ST_I64};
    st_tensor c = host_tensor(NULL, SHAPE(T, J)), s = host_tensor(NULL, SHAPE(T, J));
    const int section[3] = {24, 20, 20};
    must(st_rotary_text_table(*state, &c, &s, &p, section, 5e6));
    for (int j = 0; j < J; j++) {
        const int    axis = j < 60 ? j % 3 : 0;
        const double angle = (axis + 1) * pow(5e6, -j / 64.0);
        assert_near(((float *)c.data)[j], cos(angle), 3e-7);
        assert_near(((float *)s.data)[j], sin(angle), 3e-7);
        assert_near(((float *)c.data)[J + j], 1.0, 0.0);
    }
    const int wrong[3] = {24, 20, 19};
    must_fail(st_rotary_text_table(*state, &c, &s, &p, wrong, 5e6), ST_ERR_USAGE,
              "rotary: sections 24, 20, 19 do not add up to 64 angles");
    free(c.data), free(s.data);
}

/* Far positions keep their angle: frequency 0 turns by one radian a step. */
static void far_positions_keep_their_angle(void **state)
{
    const int64_t far = (int64_t)1 << 40;
    const int64_t position[3] = {far, far, far};
    st_tensor p = {.data = (void *)position, .shape = {3, 1}, .rank = 2, .dtype = ST_I64};
    st_tensor c = host_tensor(NULL, SHAPE(1, 4)), s = host_tensor(NULL, SHAPE(1, 4));
    const int section[3] = {4, 0, 0};
    must(st_rotary_text_table(*state, &c, &s, &p, section, 1e4));
    assert_near(((float *)c.data)[0], cos(fmod((double)far, 2 * pi)), 1e-6);
    assert_near(((float *)s.data)[0], sin(fmod((double)far, 2 * pi)), 1e-6);
    free(c.data), free(s.data);
}

/* Merge-block order: the first block holds (0,0) (0,1) (1,0) (1,1), then the block to its right. */
static void patches_stand_in_blocks(void **state)
{
    enum { ROWS = 4, COLUMNS = 6, J = 4 };
    static const int expected[6][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {0, 3}};
    st_tensor c = host_tensor(NULL, SHAPE(ROWS * COLUMNS, J));
    st_tensor s = host_tensor(NULL, SHAPE(ROWS * COLUMNS, J));
    must(st_rotary_grid_table(*state, &c, &s, ROWS, COLUMNS, 2, 1e4));
    for (int n = 0; n < 6; n++)
        for (int j = 0; j < J; j++) {
            const double angle = expected[n][j / 2] * (j % 2 ? 0.01 : 1.0);
            assert_near(((float *)s.data)[n * J + j], sin(angle), 1e-7);
        }
    assert_near(((float *)s.data)[23 * J], sin(3.0), 1e-7);
    assert_near(((float *)s.data)[23 * J + 2], sin(5.0), 1e-7);
    free(c.data), free(s.data);
}

/* The side of a block is the caller's: 3 x 3 here, and rows of single patches. */
static void blocks_may_have_any_side(void **state)
{
    enum { ROWS = 6, COLUMNS = 9, J = 2 };
    static const struct {
        int merge, patch, row, column;
    } expected[] = {{3, 2, 0, 2}, {3, 3, 1, 0}, {3, 9, 0, 3}, {3, 44, 5, 5}, {3, 53, 5, 8},
                    {1, 8, 0, 8}, {1, 9, 1, 0}, {1, 53, 5, 8}};
    st_tensor c = host_tensor(NULL, SHAPE(ROWS * COLUMNS, J));
    st_tensor s = host_tensor(NULL, SHAPE(ROWS * COLUMNS, J));
    for (size_t i = 0; i < COUNT(expected); i++) {
        const float *at = (const float *)s.data + expected[i].patch * J;
        must(st_rotary_grid_table(*state, &c, &s, ROWS, COLUMNS, expected[i].merge, 1e4));
        assert_near(at[0], sin(expected[i].row), 1e-7);
        assert_near(at[1], sin(expected[i].column), 1e-7);
    }
    must_fail(st_rotary_grid_table(*state, &c, &s, ROWS, COLUMNS, 2, 1e4), ST_ERR_USAGE,
              "rotary: a grid of 6 x 9 is not in blocks of side 2");
    free(c.data), free(s.data);
}

static void turning_back_undoes(void **state)
{
    enum { T = 6, H = 2, D = 8, ROW = 20 };
    double   *angle = draw(1, 3 * D / 2), *x = draw(2, T * ROW);
    st_tensor c = host_tensor(NULL, SHAPE(3, D / 2)), s = host_tensor(NULL, SHAPE(3, D / 2));
    for (int i = 0; i < 3 * D / 2; i++) {
        ((float *)c.data)[i] = (float)cos(pi * angle[i]);
        ((float *)s.data)[i] = (float)sin(pi * angle[i]);
    }
    st_tensor wide = host_tensor(x, SHAPE(T * ROW)), y = wide;
    y.rank = 3, y.shape[0] = T, y.shape[1] = H, y.shape[2] = D;
    must(st_rotary_apply(*state, &y, &y, ROW, &c, &s, ST_ROTARY_FORWARD));
    const float *f = wide.data;     /* token 4 reads table row 1 */
    const double turned = x[4 * ROW] * cos(pi * angle[4]) - x[4 * ROW + 4] * sin(pi * angle[4]);
    assert_near(f[4 * ROW], turned, 1e-6);
    assert_near(f[4 * ROW + H * D], x[4 * ROW + H * D], 0.0);
    must(st_rotary_apply(*state, &y, &y, ROW, &c, &s, ST_ROTARY_BACK));
    check_close("there and back", &wide, x, 3e-7);
    free(wide.data), free(c.data), free(s.data), free(x), free(angle);
}

/* The loss of each operator, sum of answers times fixed numbers, evaluated by the operator itself
 * in f32; gradients must be its slopes to what f32 differences can show. */
typedef struct norm_call {
    st_stream *stream;
    st_tensor  x, w, c, s, normed, rotated, r1, r2;
} norm_call;

static double weigh(const st_tensor *y, const st_tensor *r)
{
    double sum = 0.0;
    for (int64_t i = 0; i < st_tensor_count(y); i++)
        sum += (double)((float *)y->data)[i] * ((float *)r->data)[i];
    return sum;
}

static double norm_loss(norm_call *n)
{
    must(st_head_norm(n->stream, &n->normed, &n->rotated, &n->x, &n->w, &n->c, &n->s, 1e-6f));
    return weigh(&n->normed, &n->r1) + weigh(&n->rotated, &n->r2);
}

#define CHECK_SLOPES(tensor, gradient, loss, call, stride)                                        \
    for (int64_t i_ = 0; i_ < st_tensor_count(&(tensor)); i_ += (stride)) {                       \
        float      *at_ = (float *)(tensor).data + i_;                                            \
        const float kept_ = *at_;                                                                 \
        *at_ = kept_ + 0.00390625f;                                                               \
        const double above_ = loss(call);                                                         \
        *at_ = kept_ - 0.00390625f;                                                               \
        const double below_ = loss(call);                                                         \
        *at_ = kept_;                                                                             \
        assert_near(((float *)(gradient).data)[i_], (above_ - below_) / 0.0078125, 2e-3);         \
    }

static void head_norm_has_its_slopes(void **state)
{
    enum { T = 3, H = 2, D = 8 };
    double   *x = draw(3, T * H * D), *w = draw(4, D), *r1 = draw(5, T * H * D),
           *r2 = draw(6, T * H * D), *angle = draw(7, T * D / 2);
    for (int i = 0; i < T * H * D; i++)
        x[i] += x[i] < 0 ? -0.5 : 0.5;
    norm_call n = {*state, host_tensor(x, SHAPE(T, H, D)), host_tensor(w, SHAPE(D)),
                   host_tensor(NULL, SHAPE(T, D / 2)), host_tensor(NULL, SHAPE(T, D / 2)),
                   host_tensor(NULL, SHAPE(T, H, D)), host_tensor(NULL, SHAPE(T, H, D)),
                   host_tensor(r1, SHAPE(T, H, D)), host_tensor(r2, SHAPE(T, H, D))};
    for (int i = 0; i < T * D / 2; i++) {
        ((float *)n.c.data)[i] = (float)cos(pi * angle[i]);
        ((float *)n.s.data)[i] = (float)sin(pi * angle[i]);
    }
    norm_loss(&n);
    double square = 0.0;
    for (int i = 0; i < D; i++)
        square += x[i] * x[i] / D;
    assert_near(((float *)n.normed.data)[3], w[3] * x[3] / sqrt(square + 1e-6), 1e-6);

    st_tensor xb = host_tensor(NULL, SHAPE(T, H, D)), wb = host_tensor(NULL, SHAPE(D));
    must(st_head_norm_backward(*state, &xb, &wb, &n.r1, &n.r2, &n.x, &n.w, &n.c, &n.s, 1e-6f));
    CHECK_SLOPES(n.x, xb, norm_loss, &n, 1)
    CHECK_SLOPES(n.w, wb, norm_loss, &n, 1)

    st_tensor *made[] = {&n.x, &n.w, &n.c, &n.s, &n.normed, &n.rotated, &n.r1, &n.r2, &xb, &wb};
    for (size_t i = 0; i < COUNT(made); i++)
        free(made[i]->data);
    free(x), free(w), free(r1), free(r2), free(angle);
}

typedef struct gate_call {
    st_stream *stream;
    st_tensor  z[3], y[3], r[3];        /* rate, decay, scale */
} gate_call;

static double gate_loss(gate_call *g)
{
    must(st_gates_forward(g->stream, &g->y[0], &g->y[1], &g->y[2], &g->z[0], &g->z[1], &g->z[2]));
    return weigh(&g->y[0], &g->r[0]) + weigh(&g->y[1], &g->r[1]) + weigh(&g->y[2], &g->r[2]);
}

static void gates_have_their_slopes(void **state)
{
    enum { T = 3, F = 2 };
    gate_call g = {.stream = *state};
    st_tensor z_bar[3];
    for (int i = 0; i < 3; i++) {
        const int64_t wide = i == 0 ? 3 * F : F;
        double *z = draw(20 + (uint64_t)i, T * wide), *r = draw(30 + (uint64_t)i, T * wide);
        for (int k = 0; k < T * wide && i == 0; k++)
            z[k] = 4.0 * z[k] + 6.5;    /* around the knee of softplus(z + beta) */
        g.z[i] = host_tensor(z, SHAPE(T, wide));
        g.y[i] = i == 0 ? host_tensor(NULL, SHAPE(3, F, T)) : host_tensor(NULL, SHAPE(F, T));
        g.r[i] = host_tensor(r, g.y[i].rank, g.y[i].shape);
        z_bar[i] = host_tensor(NULL, SHAPE(T, wide));
        free(z), free(r);
    }
    gate_loss(&g);
    const float *z = g.z[0].data, *rate = g.y[0].data;  /* rate[2][1][2] reads z[2][3*1+2] */
    assert_near(rate[(2 * F + 1) * T + 2], log(1 + exp(z[2 * 3 * F + 5] + ST_GATE_RATE_BETA)),
                1e-6);
    must(st_gates_backward(*state, &z_bar[0], &z_bar[1], &z_bar[2], &g.r[0], &g.r[1], &g.r[2],
                           &g.z[0], &g.z[1], &g.z[2]));
    for (int i = 0; i < 3; i++)
        CHECK_SLOPES(g.z[i], z_bar[i], gate_loss, &g, 1)

    memset(g.z[0].data, 0, st_tensor_bytes(&g.z[0]));
    must(st_gates_forward(*state, &g.y[0], NULL, &g.y[2], &g.z[0], NULL, &g.z[2]));
    assert_near(rate[0], 0.001, 1e-9);  /* the base rate of a fresh model */
    for (int i = 0; i < 3; i++)
        free(g.z[i].data), free(g.y[i].data), free(g.r[i].data), free(z_bar[i].data);
}

typedef struct read_call {
    st_stream *stream;
    st_tensor  base, o, w, s, out, r;
} read_call;

static double read_loss(read_call *c)
{
    must(st_readout_forward(c->stream, &c->out, &c->base, &c->o, &c->w, &c->s));
    return weigh(&c->out, &c->r);
}

static void readout_has_its_slopes(void **state)
{
    enum { F = 2, T = 3, d = 4 };
    double   *base = draw(41, T * F * d), *o = draw(42, T * F * d), *w = draw(43, d),
           *s = draw(44, F * T), *r = draw(45, T * F * d);
    for (int i = 0; i < T * F * d; i++)
        o[i] += o[i] < 0 ? -0.5 : 0.5;
    read_call c = {*state, host_tensor(base, SHAPE(T, F * d)), host_tensor(o, SHAPE(F, T, d)),
                   host_tensor(w, SHAPE(d)), host_tensor(s, SHAPE(F, T)),
                   host_tensor(NULL, SHAPE(T, F * d)), host_tensor(r, SHAPE(T, F * d))};
    read_loss(&c);
    const double *o12 = o + (1 * T + 2) * d;        /* head 1, token 2 */
    double square = 0.0;
    for (int i = 0; i < d; i++)
        square += o12[i] * o12[i] / d;
    assert_near(((float *)c.out.data)[2 * F * d + d + 3],
                base[2 * F * d + d + 3] + s[T + 2] * w[3] * o12[3] / sqrt(square + 1e-5), 1e-6);

    st_tensor ob = host_tensor(NULL, SHAPE(F, T, d)), sb = host_tensor(NULL, SHAPE(F, T));
    st_tensor wb = host_tensor(NULL, SHAPE(d));
    must(st_readout_backward(*state, &ob, &sb, &wb, &c.r, &c.o, &c.w, &c.s));
    CHECK_SLOPES(c.o, ob, read_loss, &c, 1)
    CHECK_SLOPES(c.s, sb, read_loss, &c, 1)
    CHECK_SLOPES(c.w, wb, read_loss, &c, 1)

    st_tensor *made[] = {&c.base, &c.o, &c.w, &c.s, &c.out, &c.r, &ob, &sb, &wb};
    for (size_t i = 0; i < COUNT(made); i++)
        free(made[i]->data);
    free(base), free(o), free(w), free(s), free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_take_turns),
        cmocka_unit_test(far_positions_keep_their_angle),
        cmocka_unit_test(patches_stand_in_blocks),
        cmocka_unit_test(blocks_may_have_any_side),
        cmocka_unit_test(turning_back_undoes),
        cmocka_unit_test(head_norm_has_its_slopes),
        cmocka_unit_test(gates_have_their_slopes),
        cmocka_unit_test(readout_has_its_slopes),
    };
    return cmocka_run_group_tests(tests, host_stream_set_up, host_stream_tear_down);
}
