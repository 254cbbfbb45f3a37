/* Prep on the device against its CPU body. */
#include "twins/twin.h"

#include "kernels/prep.h"

/* Videos among text: two rows of text before each grid, five at the end. */
typedef struct video {
    int32_t frames, h, w;
} video;

enum { GRIDS_MAX = 32, REST_MAX = 96, VIDEOS_MAX = 8, GAP = 2, END = 5 };

typedef struct layout {
    const char *name;
    video       videos[VIDEOS_MAX];
} layout;

/* Lines are walked in strips of columns: shorter ones, as long, longer by one and by two, twice as
 * long and more. Without any grid, the backward pass once never ended. */
static const layout layouts[] = {
    {"three videos", {{3, 3, 4}, {2, 1, 7}, {3, 2, 33}}},
    {"odd sizes", {{1, 1, 1}, {2, 2, 3}, {2, 11, 15}, {1, 13, 17}, {2, 1, 1}, {3, 5, 1}, {2, 1, 16},
                   {2, 3, 32}}},
    {"bands", {{3, 12, 15}, {2, 20, 33}, {2, 40, 5}, {1, 9, 18}}},
    {"text", {{0}}},
    {"a video", {{5, 11, 15}}},
};

/* A layout as rows. */
typedef struct rows {
    st_grid grids[GRIDS_MAX];
    int32_t rest[REST_MAX];
    int64_t T, grid_count, rest_count;
} rows;

static void rows_make(rows *r, const layout *l)
{
    memset(r, 0, sizeof *r);
    for (int i = 0; i < VIDEOS_MAX; i++) {
        const video v = l->videos[i];
        for (int32_t n = 0; n < v.frames; n++) {
            for (int k = 0; k < GAP; k++)
                r->rest[r->rest_count++] = (int32_t)r->T++;
            const int32_t row = (int32_t)r->T, step = v.h * v.w + GAP;
            assert_true(r->grid_count < GRIDS_MAX);
            r->grids[r->grid_count++] = (st_grid){row, v.h, v.w, n ? row - step : row,
                                                  n + 1 < v.frames ? row + step : row};
            r->T += v.h * v.w;
        }
    }
    for (int k = 0; k < END; k++)
        r->rest[r->rest_count++] = (int32_t)r->T++;
    assert_true(r->rest_count <= REST_MAX);
}

typedef struct prep_case {
    int64_t       H, Hkv, D, F;
    bool          conv, turn, affine;
    st_prep_value value;
} prep_case;

/* Everything a call wants, in both places. */
typedef struct problem {
    const prep_case *c;
    rows             rows;
    twin            *x[3], *conv[3], *affine[4], *table[2], *y_bar[3];
    st_tensor        grids[2], rest[2];
} problem;

/* And what it gives. */
typedef struct answers {
    twin *y[3], *x_bar[3], *conv_bar[3], *affine_bar[4], *scratch;
} answers;

static void ints_make(twin_fixture *f, st_tensor both[2], void *values, int rank,
                      const int64_t *shape)
{
    twin *t = twin_canaried(f, ST_I32, rank, shape);
    both[1] = both[0] = t->device;
    both[0].place = ST_PLACE_HOST;
    both[0].data  = values;
    must(st_copy_bytes(f->device, both[1].data, ST_PLACE_DEVICE, values, ST_PLACE_HOST,
                       st_tensor_bytes(&both[0])));
    must(st_stream_wait(f->device));
}

static void problem_make(twin_fixture *f, problem *p, const prep_case *c, const layout *l)
{
    const int64_t C = c->H * c->D;
    p->c = c;
    rows_make(&p->rows, l);
    const int64_t T = p->rows.T;
    ints_make(f, p->grids, p->rows.grids, SHAPE(p->rows.grid_count, ST_GRID_INTS));
    ints_make(f, p->rest, p->rows.rest, SHAPE(p->rows.rest_count));
    for (int i = 0; i < 3; i++) {
        p->x[i] = twin_random(f, ST_BF16, -2.0f, 2.0f, SHAPE(T, i ? c->Hkv : c->H, c->D));
        p->y_bar[i] = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(c->F, T, C / c->F));
        p->conv[i] = twin_random(f, ST_BF16, -0.3f, 0.3f, SHAPE(C, ST_CONV_TAPS));
    }
    for (int i = 0; i < 4; i++)
        p->affine[i] = twin_random(f, ST_BF16, i % 2 ? -0.5f : 0.5f, i % 2 ? 0.5f : 1.5f, SHAPE(C));
    for (int i = 0; i < 2; i++)
        p->table[i] = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(T, c->D / 2));
}

/* Gradients of parameters are added to what is there: zeros here. */
static twin *sums_make(twin_fixture *f, int rank, const int64_t *shape)
{
    twin *t = twin_canaried(f, ST_F32, rank, shape);
    memset(t->host.data, 0, st_tensor_bytes(&t->host));
    must(st_copy(f->device, &t->device, &t->host));
    must(st_stream_wait(f->device));
    return t;
}

static void answers_make(twin_fixture *f, answers *a, const problem *p, int64_t L)
{
    const int64_t C = p->c->H * p->c->D, T = p->rows.T;
    for (int i = 0; i < 3; i++) {
        a->y[i] = twin_canaried(f, ST_BF16, SHAPE(p->c->F, L, C / p->c->F));
        a->x_bar[i] = twin_canaried(f, ST_BF16, p->x[i]->host.rank, p->x[i]->host.shape);
        a->conv_bar[i] = sums_make(f, SHAPE(C, ST_CONV_TAPS));
    }
    for (int i = 0; i < 4; i++)
        a->affine_bar[i] = sums_make(f, SHAPE(C));
    a->scratch = twin_canaried(f, ST_BF16, SHAPE(3, T, C));
}

#define SIDE(t, device_side) ((device_side) ? &(t)->device : &(t)->host)

static st_prep_weights weights_of(const problem *p, int side)
{
    const prep_case *c = p->c;
    return (st_prep_weights){
        c->affine ? SIDE(p->affine[0], side) : NULL, SIDE(p->affine[1], side),
        c->affine ? SIDE(p->affine[2], side) : NULL, SIDE(p->affine[3], side),
        c->conv ? SIDE(p->conv[0], side) : NULL, c->conv ? SIDE(p->conv[1], side) : NULL,
        c->conv ? SIDE(p->conv[2], side) : NULL};
}

static st_prep_tokens tokens_of(const problem *p, int side)
{
    const prep_case *c = p->c;
    return (st_prep_tokens){&p->grids[side], &p->rest[side], 0,
                            c->turn ? SIDE(p->table[0], side) : NULL, SIDE(p->table[1], side),
                            c->value};
}

static void forward_run(twin_fixture *f, const problem *p, const answers *a, int side,
                        const st_prep_tokens *tokens)
{
    const st_prep_weights weights = weights_of(p, side);
    must(st_prep_forward(side ? f->device : f->host, SIDE(a->y[0], side), SIDE(a->y[1], side),
                         SIDE(a->y[2], side), SIDE(p->x[0], side), SIDE(p->x[1], side),
                         SIDE(p->x[2], side), &weights, tokens));
}

static void backward_run(twin_fixture *f, const problem *p, const answers *a, int side)
{
    const st_prep_weights   weights = weights_of(p, side);
    const st_prep_tokens    tokens = tokens_of(p, side);
    const st_prep_gradients gradients = {
        SIDE(a->affine_bar[0], side), SIDE(a->affine_bar[1], side), SIDE(a->affine_bar[2], side),
        SIDE(a->affine_bar[3], side), SIDE(a->conv_bar[0], side), SIDE(a->conv_bar[1], side),
        SIDE(a->conv_bar[2], side)};
    must(st_prep_backward(side ? f->device : f->host, SIDE(a->x_bar[0], side),
                          SIDE(a->x_bar[1], side), SIDE(a->x_bar[2], side), &gradients,
                          SIDE(a->scratch, side), SIDE(p->y_bar[0], side),
                          SIDE(p->y_bar[1], side), SIDE(p->y_bar[2], side), SIDE(p->x[0], side),
                          SIDE(p->x[1], side), SIDE(p->x[2], side), &weights, &tokens));
}

static const prep_case cases[] = {
    {16, 8, 128, 4, true, true, true, ST_PREP_VALUE_SILU},   /* 2B */
    {4, 2, 32, 2, true, true, true, ST_PREP_VALUE_SILU},     /* tiny */
    {4, 4, 32, 2, true, false, true, ST_PREP_VALUE_PLAIN},
    {8, 2, 128, 2, true, true, false, ST_PREP_VALUE_SILU},   /* four copies */
    {16, 8, 128, 4, false, true, true, ST_PREP_VALUE_SILU},
    {16, 8, 8, 1, true, true, true, ST_PREP_VALUE_SILU},     /* narrow heads */
    {16, 8, 24, 2, true, true, true, ST_PREP_VALUE_SILU},
    {4, 4, 128, 4, true, true, true, ST_PREP_VALUE_PLAIN},   /* a head a slice: all of it turns */
    {8, 4, 64, 1, true, true, true, ST_PREP_VALUE_SILU},
    {4, 2, 128, 2, true, false, true, ST_PREP_VALUE_SILU},   /* two slices, no turn */
};

/* Rounded to bf16 twice, behind silu and in the end: each time by up to 2^-8 of a number. */
static void forward_check(twin_fixture *f, const twin *y)
{
    twin_check_max(f, y, "forward", 7e-3);
    twin_check_norm(f, y, "forward", 3e-3);
}

static void twins_agree_on(twin_fixture *f, const prep_case *c, const layout *l)
{
    problem p;
    answers a;
    problem_make(f, &p, c, l);
    answers_make(f, &a, &p, p.rows.T);
    print_message("%s, %d heads of %d, %d fast\n", l->name, (int)c->H, (int)c->D, (int)c->F);
    for (int side = 0; side < 2; side++) {
        const st_prep_tokens tokens = tokens_of(&p, side);
        forward_run(f, &p, &a, side, &tokens);
        backward_run(f, &p, &a, side);
    }
    for (int i = 0; i < 3; i++) {
        forward_check(f, a.y[i]);
        twin_check_canaries(f, a.y[i], "forward");
        twin_check_norm(f, a.x_bar[i], "x_bar", 5e-3);   /* c_bar is rounded to bf16 on the way */
        twin_check_canaries(f, a.x_bar[i], "x_bar");
        twin_check_norm(f, a.conv_bar[i], "conv_bar", 5e-3);
        twin_check_canaries(f, a.conv_bar[i], "conv_bar");
    }
    for (int i = 0; i < 4; i++) {
        twin_check_norm(f, a.affine_bar[i], "affine_bar", 5e-3);
        twin_check_canaries(f, a.affine_bar[i], "affine_bar");
    }
    twin_check_canaries(f, a.scratch, "scratch");
    twin_clear(f);
}

static void twins_agree(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < COUNT(layouts); k++)
            twins_agree_on(*state, &cases[i], &layouts[k]);
}

/* Few rows, for tools that look at every access. */
static void small_videos_agree(void **state)
{
    static const layout small = {"small", {{3, 4, 15}, {1, 2, 3}}};
    twins_agree_on(*state, &cases[7], &small);
    twins_agree_on(*state, &cases[9], &small);
}

/* The fourth of five grids alone, with the row of text before it: its neighbours lie around the
 * rows that are asked for. */
static void streamed_rows_agree(void **state)
{
    twin_fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        problem p;
        answers a;
        problem_make(f, &p, &cases[i], &layouts[4]);
        st_grid       *g = &p.rows.grids[3];
        const int64_t  first = g->row - 1, L = 1 + (int64_t)g->h * g->w;
        int32_t        rest = (int32_t)first;
        st_tensor      here[2], text[2];
        answers_make(f, &a, &p, L);
        ints_make(f, here, g, SHAPE(1, ST_GRID_INTS));
        ints_make(f, text, &rest, SHAPE(1));
        for (int side = 0; side < 2; side++) {
            st_prep_tokens tokens = tokens_of(&p, side);
            tokens.grids = &here[side];
            tokens.rest  = &text[side];
            tokens.first = first;
            forward_run(f, &p, &a, side, &tokens);
        }
        print_message("%d heads of %d, %d fast\n", (int)cases[i].H, (int)cases[i].D,
                      (int)cases[i].F);
        for (int k = 0; k < 3; k++) {
            forward_check(f, a.y[k]);
            twin_check_canaries(f, a.y[k], "forward");
        }
        twin_clear(f);
    }
}

static void must_be_equal(twin_fixture *f, const twin *a, const twin *b)
{
    float *x = twin_device_values(f, a), *y = twin_device_values(f, b);
    assert_memory_equal(x, y, (size_t)st_tensor_count(&a->device) * sizeof *x);
    free(x);
    free(y);
}

/* Sums have a fixed order: the second run gives the same bits. */
static void same_bits_again(void **state)
{
    twin_fixture *f = *state;
    for (size_t k = 0; k < COUNT(layouts); k++) {
        problem p;
        answers a[2];
        problem_make(f, &p, &cases[0], &layouts[k]);
        const st_prep_tokens tokens = tokens_of(&p, 1);
        for (int run = 0; run < 2; run++) {
            answers_make(f, &a[run], &p, p.rows.T);
            forward_run(f, &p, &a[run], 1, &tokens);
            backward_run(f, &p, &a[run], 1);
        }
        for (int i = 0; i < 3; i++) {
            must_be_equal(f, a[0].y[i], a[1].y[i]);
            must_be_equal(f, a[0].x_bar[i], a[1].x_bar[i]);
            must_be_equal(f, a[0].conv_bar[i], a[1].conv_bar[i]);
        }
        for (int i = 0; i < 4; i++)
            must_be_equal(f, a[0].affine_bar[i], a[1].affine_bar[i]);
        twin_clear(f);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(twins_agree),
    cmocka_unit_test(small_videos_agree),
    cmocka_unit_test(streamed_rows_agree),
    cmocka_unit_test(same_bits_again),
};

TWIN_MAIN(tests)
