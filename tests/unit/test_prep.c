/* The CPU body of prep against its definition, the definition against its slopes, and a stream of
 * grids against one pass. */
#include "around_check.h"

#include "kernels/plain.h"

/* Two videos of unequal size among text: 2 grids of 2x3 and 3 grids of 3x2. */
enum { T = 37, H = 4, HKV = 2, D = 4, F = 2, d = 8, C = H * D, G = 5, R = T - 12 - 18 };

static const st_grid grids[G] = {{2, 2, 3, 2, 9},     {9, 2, 3, 2, 9},     {16, 3, 2, 16, 23},
                                 {23, 3, 2, 16, 30}, {30, 3, 2, 23, 30}};
static const int32_t rest[R] = {0, 1, 8, 15, 22, 29, 36};

typedef struct lane {
    st_prep_lane z;
    double      *x, *r, *y;         /* the loss is <y, r> */
    double      *scale, *offset, *conv, *cosine, *sine;
} lane;

static lane lane_draw(uint64_t key, int key_like)
{
    lane l = {.x = draw(key, T * (key_like ? H : HKV) * D), .r = draw(key + 1, T * C),
              .y = zeros(T * C), .scale = draw(key + 2, C), .offset = draw(key + 3, C),
              .conv = draw(key + 4, C * ST_CONV_TAPS), .cosine = draw(91, T * D / 2),
              .sine = draw(92, T * D / 2)};
    l.z = (st_prep_lane){T, H, key_like ? H : HKV, D, F, d, key_like ? l.scale : NULL,
                         key_like ? l.offset : NULL, l.conv, key_like ? l.cosine : NULL, l.sine,
                         1, key_like, grids, G};
    return l;
}

static void lane_free(lane *l)
{
    free(l->x), free(l->r), free(l->y), free(l->scale), free(l->offset), free(l->conv);
    free(l->cosine), free(l->sine);
}

static double loss(void *context)
{
    lane *l = context;
    st_prep_forward_plain(l->y, l->x, &l->z);
    double sum = 0.0;
    for (int64_t i = 0; i < T * C; i++)
        sum += l->y[i] * l->r[i];
    return sum;
}

static void definition_has_its_slopes(void **state)
{
    (void)state;
    for (int key_like = 0; key_like < 2; key_like++) {
        lane    l = lane_draw(10 + 10 * (uint64_t)key_like, key_like);
        double *xb = zeros(T * C), *sb = zeros(C), *ob = zeros(C), *cb = zeros(C * ST_CONV_TAPS);
        double *s1 = zeros(T * C), *s2 = zeros(T * C);
        st_prep_backward_plain(xb, sb, ob, cb, l.r, l.x, &l.z, s1, s2);
        for (int64_t i = 0; i < T * l.z.Hin * D; i += 3)
            check_slope("x", l.x + i, xb[i], loss, &l);
        for (int64_t i = 0; i < C * ST_CONV_TAPS; i += 11)
            check_slope("conv", l.conv + i, cb[i], loss, &l);
        for (int64_t i = 0; i < C && key_like; i++) {
            check_slope("scale", l.scale + i, sb[i], loss, &l);
            check_slope("offset", l.offset + i, ob[i], loss, &l);
        }
        free(xb), free(sb), free(ob), free(cb), free(s1), free(s2);
        lane_free(&l);
    }
}

/* Every tensor of a call, all on the host. */
typedef struct call {
    lane             q, k, v;
    st_tensor        x[3], y[3], table[2], scale[2], offset[2], conv[3], grids, rest;
    st_prep_weights  weights;
    st_prep_tokens   tokens;
} call;

static st_tensor ints(const void *data, int rank, int64_t rows, int64_t columns)
{
    return (st_tensor){.data = (void *)data, .shape = {rows, columns}, .rank = rank,
                       .dtype = ST_I32, .place = ST_PLACE_HOST};
}

/* k has the heads of a key; its lane's definition is told so. */
static void call_make(call *c)
{
    *c = (call){.q = lane_draw(30, 1), .k = lane_draw(40, 1), .v = lane_draw(50, 0)};
    c->k.z.Hin = HKV;
    lane *lanes[3] = {&c->q, &c->k, &c->v};
    for (int i = 0; i < 3; i++) {
        c->x[i]    = host_tensor(lanes[i]->x, SHAPE(T, lanes[i]->z.Hin, D));
        c->y[i]    = host_tensor(NULL, SHAPE(F, T, d));
        c->conv[i] = host_tensor(lanes[i]->conv, SHAPE(C, ST_CONV_TAPS));
    }
    for (int i = 0; i < 2; i++) {
        c->scale[i]  = host_tensor(lanes[i]->scale, SHAPE(C));
        c->offset[i] = host_tensor(lanes[i]->offset, SHAPE(C));
    }
    c->table[0] = host_tensor(c->q.cosine, SHAPE(T, D / 2));
    c->table[1] = host_tensor(c->q.sine, SHAPE(T, D / 2));
    c->grids    = ints(grids, 2, G, ST_GRID_INTS);
    c->rest     = ints(rest, 1, R, 0);
    c->weights  = (st_prep_weights){&c->scale[0], &c->offset[0], &c->scale[1], &c->offset[1],
                                    &c->conv[0], &c->conv[1], &c->conv[2]};
    c->tokens   = (st_prep_tokens){&c->grids, &c->rest, 0, &c->table[0], &c->table[1],
                                   ST_PREP_VALUE_SILU};
}

static void call_free(call *c)
{
    for (int i = 0; i < 3; i++)
        free(c->x[i].data), free(c->y[i].data), free(c->conv[i].data);
    for (int i = 0; i < 2; i++)
        free(c->scale[i].data), free(c->offset[i].data), free(c->table[i].data);
    lane_free(&c->q), lane_free(&c->k), lane_free(&c->v);
}

static void check_rows(st_stream *stream, st_prep_squash squash, st_prep_value value)
{
    call c;
    call_make(&c);
    c.tokens.squash = squash;
    c.tokens.value = value;
    c.q.z.silu = c.k.z.silu = squash == ST_PREP_SQUASH_SILU;
    c.v.z.silu = c.q.z.silu && value == ST_PREP_VALUE_SILU;
    must(st_prep_forward(stream, &c.y[0], &c.y[1], &c.y[2], &c.x[0], &c.x[1], &c.x[2], &c.weights,
                         &c.tokens));
    lane *lanes[3] = {&c.q, &c.k, &c.v};
    for (int i = 0; i < 3; i++) {
        st_prep_forward_plain(lanes[i]->y, lanes[i]->x, &lanes[i]->z);
        check_close("forward", &c.y[i], lanes[i]->y, 1e-6);
    }

    st_tensor r[3], x_bar[3], conv_bar[3], scale_bar[2], offset_bar[2];
    st_tensor scratch = host_tensor(NULL, SHAPE(3, T, C));
    for (int i = 0; i < 3; i++) {
        r[i]        = host_tensor(lanes[i]->r, SHAPE(F, T, d));
        x_bar[i]    = host_tensor(NULL, 3, c.x[i].shape);
        conv_bar[i] = host_tensor(NULL, SHAPE(C, ST_CONV_TAPS));
    }
    for (int i = 0; i < 2; i++) {
        scale_bar[i]  = host_tensor(NULL, SHAPE(C));
        offset_bar[i] = host_tensor(NULL, SHAPE(C));
    }
    const st_prep_gradients gradients = {&scale_bar[0], &offset_bar[0], &scale_bar[1],
                                         &offset_bar[1], &conv_bar[0], &conv_bar[1], &conv_bar[2]};
    must(st_prep_backward(stream, &x_bar[0], &x_bar[1], &x_bar[2], &gradients, &scratch, &r[0],
                          &r[1], &r[2], &c.x[0], &c.x[1], &c.x[2], &c.weights, &c.tokens));
    double *xb = zeros(T * C), *sb = zeros(C), *ob = zeros(C), *cb = zeros(C * ST_CONV_TAPS);
    double *s1 = zeros(T * C), *s2 = zeros(T * C);
    for (int i = 0; i < 3; i++) {
        st_prep_backward_plain(xb, sb, ob, cb, lanes[i]->r, lanes[i]->x, &lanes[i]->z, s1, s2);
        check_close("x_bar", &x_bar[i], xb, 3e-6);
        check_close("conv_bar", &conv_bar[i], cb, 3e-6);
        if (i < 2) {
            check_close("scale_bar", &scale_bar[i], sb, 3e-6);
            check_close("offset_bar", &offset_bar[i], ob, 3e-6);
            free(scale_bar[i].data), free(offset_bar[i].data);
        }
        free(r[i].data), free(x_bar[i].data), free(conv_bar[i].data);
    }
    free(xb), free(sb), free(ob), free(cb), free(s1), free(s2), free(scratch.data);
    call_free(&c);
}

static void rows_say_what_the_definition_says(void **state)
{
    check_rows(*state, ST_PREP_SQUASH_SILU, ST_PREP_VALUE_SILU);
    check_rows(*state, ST_PREP_SQUASH_SILU, ST_PREP_VALUE_PLAIN);
    check_rows(*state, ST_PREP_SQUASH_NONE, ST_PREP_VALUE_SILU);
}

/* The middle grid of the second video alone, with its neighbours laid around it. */
static void a_streamed_grid_is_the_same(void **state)
{
    call c;
    call_make(&c);
    must(st_prep_forward(*state, &c.y[0], &c.y[1], &c.y[2], &c.x[0], &c.x[1], &c.x[2], &c.weights,
                         &c.tokens));
    st_tensor x[3], y[3], table[2];
    for (int i = 0; i < 3; i++) {
        x[i] = c.x[i];
        x[i].shape[0] = 20;                     /* rows 16 .. 35: before, here, after */
        x[i].data = (float *)c.x[i].data + 16 * c.x[i].shape[1] * D;
        y[i] = host_tensor(NULL, SHAPE(F, 6, d));
    }
    for (int i = 0; i < 2; i++) {
        table[i] = c.table[i];
        table[i].shape[0] = 20;
        table[i].data = (float *)c.table[i].data + 16 * D / 2;
    }
    static const st_grid one = {7, 3, 2, 0, 14};
    st_tensor      here = ints(&one, 2, 1, ST_GRID_INTS);
    st_prep_tokens tokens = {&here, NULL, 7, &table[0], &table[1], ST_PREP_VALUE_SILU};
    must(st_prep_forward(*state, &y[0], &y[1], &y[2], &x[0], &x[1], &x[2], &c.weights, &tokens));
    for (int i = 0; i < 3; i++) {
        for (int f = 0; f < F; f++)
            assert_memory_equal((float *)y[i].data + f * 6 * d,
                                (float *)c.y[i].data + (f * T + 23) * d, 6 * d * sizeof(float));
        free(y[i].data);
    }
    tokens.first = 8;
    st_tensor y5 = host_tensor(NULL, SHAPE(F, 6, d));
    must_fail(st_prep_forward(*state, &y5, &y5, &y5, &x[0], &x[1], &x[2], &c.weights, &tokens),
              ST_ERR_DATA, "prep: grid 0 lies outside the answer's rows");
    free(y5.data);
    call_free(&c);
}

/* A kernel with only its centre tap is no convolution at all. */
static void centre_tap_is_identity(void **state)
{
    call c;
    call_make(&c);
    for (int i = 0; i < 3; i++)
        for (int64_t n = 0; n < C * ST_CONV_TAPS; n++)
            ((float *)c.conv[i].data)[n] = n % ST_CONV_TAPS == ST_CONV_TAPS / 2 ? 1.0f : 0.0f;
    must(st_prep_forward(*state, &c.y[0], &c.y[1], &c.y[2], &c.x[0], &c.x[1], &c.x[2], &c.weights,
                         &c.tokens));
    float *kept = malloc(st_tensor_bytes(&c.y[1]));
    memcpy(kept, c.y[1].data, st_tensor_bytes(&c.y[1]));
    c.weights.q_conv = c.weights.k_conv = c.weights.v_conv = NULL;
    must(st_prep_forward(*state, &c.y[0], &c.y[1], &c.y[2], &c.x[0], &c.x[1], &c.x[2], &c.weights,
                         &c.tokens));
    assert_memory_equal(kept, c.y[1].data, st_tensor_bytes(&c.y[1]));
    free(kept);
    call_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definition_has_its_slopes),
        cmocka_unit_test(rows_say_what_the_definition_says),
        cmocka_unit_test(a_streamed_grid_is_the_same),
        cmocka_unit_test(centre_tap_is_identity),
    };
    return cmocka_run_group_tests(tests, host_stream_set_up, host_stream_tear_down);
}
