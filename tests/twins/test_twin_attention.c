/* Attention on the device against the blocked CPU body, forward and backward. */
#include "twins/twin.h"

#include "kernels/attention.h"

typedef struct shape {
    int64_t           T, H, Hkv, D, window, pad;    /* pad: elements behind each row of q, k, v */
    st_attention_mask mask;
    int32_t           starts[6];
    int               segments;                     /* 0: one, without a table */
} shape;

/* Sizes around the tiles of 64 and 128, windows shorter, equal and longer than tiles and than the
 * sequence, empty segments and segments of one row, rows wider than their heads. */
static const shape shapes[] = {
    {.T = 1, .H = 2, .Hkv = 1, .D = 128},
    {.T = 64, .H = 2, .Hkv = 2, .D = 128},
    {.T = 127, .H = 4, .Hkv = 2, .D = 128, .window = 1},
    {.T = 129, .H = 2, .Hkv = 1, .D = 128, .window = 128},
    {.T = 300, .H = 4, .Hkv = 2, .D = 128, .window = 1000},
    {.T = 517, .H = 4, .Hkv = 2, .D = 128, .window = 200, .pad = 24},
    {.T = 1030, .H = 2, .Hkv = 1, .D = 128, .window = 385},
    {.T = 517, .H = 4, .Hkv = 1, .D = 128, .window = 40, .starts = {0, 65, 65, 66, 200, 517},
     .segments = 5},
    {.T = 517, .H = 2, .Hkv = 2, .D = 128, .mask = ST_ATTENTION_SEGMENT,
     .starts = {0, 128, 200, 517}, .segments = 3},
    {.T = 660, .H = 2, .Hkv = 2, .D = 64, .mask = ST_ATTENTION_SEGMENT, .pad = 256,
     .starts = {0, 330, 660}, .segments = 2},
    {.T = 333, .H = 4, .Hkv = 2, .D = 64, .window = 70},
    {.T = 200, .H = 4, .Hkv = 1, .D = 32, .window = 150},
    {.T = 130, .H = 2, .Hkv = 2, .D = 72, .mask = ST_ATTENTION_SEGMENT, .pad = 8,
     .starts = {0, 1, 130}, .segments = 2},
};

typedef struct problem {
    twin        *q, *k, *v, *out, *lse;
    st_tensor    q_view[2], k_view[2], v_view[2];   /* host, device */
    st_tensor    starts[2];
    st_attention how[2];
    st_slab      slab;
} problem;

/* (T,heads,D) at the front of rows that are `pad` wider. */
static void rows_view(st_tensor view[2], const twin *t, int64_t heads, int64_t D)
{
    view[0] = t->host, view[1] = t->device;
    for (int i = 0; i < 2; i++) {
        view[i].rank = 3;
        view[i].shape[1] = heads;
        view[i].shape[2] = D;
    }
}

static problem problem_make(twin_fixture *f, const shape *s)
{
    problem p = {.out = twin_canaried(f, ST_BF16, SHAPE(s->T, s->H, s->D)),
                 .lse = twin_canaried(f, ST_F32, SHAPE(s->H, s->T))};
    const int64_t q_row = s->H * s->D + s->pad, kv_row = s->Hkv * s->D + s->pad;
    p.q = twin_random(f, ST_BF16, -2.0f, 2.0f, SHAPE(s->T, q_row));
    p.k = twin_random(f, ST_BF16, -2.0f, 2.0f, SHAPE(s->T, kv_row));
    p.v = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(s->T, kv_row));
    rows_view(p.q_view, p.q, s->H, s->D);
    rows_view(p.k_view, p.k, s->Hkv, s->D);
    rows_view(p.v_view, p.v, s->Hkv, s->D);

    int64_t longest = 0;
    for (int i = 0; i < s->segments; i++)
        if (s->starts[i + 1] - s->starts[i] > longest)
            longest = s->starts[i + 1] - s->starts[i];
    void *device = NULL;
    st_slab_plan(&p.slab, "starts", ST_PLACE_DEVICE);
    must(st_slab_take(&p.slab, &device, sizeof s->starts, 1, "starts"));
    must(st_slab_create(f->device, &p.slab));
    must(st_slab_take(&p.slab, &device, sizeof s->starts, 1, "starts"));
    must(st_copy_bytes(f->device, device, ST_PLACE_DEVICE, s->starts, ST_PLACE_HOST,
                       sizeof s->starts));
    for (int i = 0; i < 2; i++) {
        p.starts[i] = (st_tensor){.data = i ? device : (void *)s->starts,
                                  .shape = {s->segments + 1}, .rank = 1, .dtype = ST_I32,
                                  .place = i ? ST_PLACE_DEVICE : ST_PLACE_HOST};
        p.how[i] = (st_attention){.mask = s->mask, .window = s->window,
                                  .scale = 1.0f / sqrtf((float)s->D), .longest = longest,
                                  .q_row = q_row, .k_row = kv_row, .v_row = kv_row};
    }
    return p;
}

static void forward(twin_fixture *f, problem *p, const shape *s)
{
    for (int i = 0; i < 2; i++)
        if (s->segments)
            p->how[i].starts = &p->starts[i];
    must(st_attention_forward(f->host, &p->out->host, &p->lse->host, &p->q_view[0], &p->k_view[0],
                              &p->v_view[0], &p->how[0]));
    must(st_attention_forward(f->device, &p->out->device, &p->lse->device, &p->q_view[1],
                              &p->k_view[1], &p->v_view[1], &p->how[1]));
}

/* Weights are rounded to bf16 (2^-9 of each) before the product with the values, and the answer
 * once more; lse stays f32, off by the order of 128 products. */
static void forward_agrees(void **state)
{
    twin_fixture *f = *state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        char    what[64];
        problem p = problem_make(f, &shapes[i]);
        forward(f, &p, &shapes[i]);
        snprintf(what, sizeof what, "out of shape %zu", i);
        twin_check_norm(f, p.out, what, 5e-3);
        twin_check_max(f, p.out, what, 1e-2);
        twin_check_canaries(f, p.out, what);
        twin_check_max(f, p.lse, "lse", 1e-5);
        twin_check_canaries(f, p.lse, "lse");
        st_slab_free(f->device, &p.slab);
        twin_clear(f);
    }
}

/* The device's gradients. False, after a look at the sentence, where there is no kernel for them:
 * on another card, or in a build for other cards. */
static bool backward_on_device(twin_fixture *f, problem *p, twin *const bar[3],
                               const twin *out_bar)
{
    const st_status s = st_attention_backward(f->device, &bar[0]->device, &bar[1]->device,
                                              &bar[2]->device, &out_bar->device, &p->q_view[1],
                                              &p->k_view[1], &p->v_view[1], &p->out->device,
                                              &p->lse->device, &p->how[1]);
    if (s.code != ST_ERR_UNSUPPORTED) {
        must(s);
        return true;
    }
    st_device_info info;
    char           sentence[160];
    must(st_device_describe(&info, 0));
    snprintf(sentence, sizeof sentence, "attention's gradients on the device: expected compute "
             "capability 9.0 and code built for 90a, found %d.%d%s", info.capability / 10,
             info.capability % 10, info.capability == 90 ? " and code for other cards" : "");
    assert_string_equal(s.text, sentence);
    static bool said;
    if (!said)
        printf("    skipped: %s\n", sentence);
    said = true;
    return false;
}

/* Weights and slopes are rounded to bf16, sums over a group of heads and all queries are f32. */
static void backward_agrees(void **state)
{
    twin_fixture *f = *state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const shape *s = &shapes[i];
        if (s->D != 128)
            continue;
        char    what[64];
        problem p = problem_make(f, s);
        twin   *out_bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(s->T, s->H, s->D));
        twin   *q_bar = twin_canaried(f, ST_BF16, SHAPE(s->T, s->H, s->D));
        twin   *k_bar = twin_canaried(f, ST_BF16, SHAPE(s->T, s->Hkv, s->D));
        twin   *v_bar = twin_canaried(f, ST_BF16, SHAPE(s->T, s->Hkv, s->D));
        forward(f, &p, s);
        must(st_attention_backward(f->host, &q_bar->host, &k_bar->host, &v_bar->host,
                                   &out_bar->host, &p.q_view[0], &p.k_view[0], &p.v_view[0],
                                   &p.out->host, &p.lse->host, &p.how[0]));
        for (int run = 0; run < 2; run++) {
            if (!backward_on_device(f, &p, (twin *[]){q_bar, k_bar, v_bar}, out_bar))
                break;
            if (s->T > 1 && s->window != 1) {   /* one key alone: q_bar and k_bar are rounding */
                snprintf(what, sizeof what, "q_bar of shape %zu", i);
                twin_check_norm(f, q_bar, what, 1e-2);
                snprintf(what, sizeof what, "k_bar of shape %zu", i);
                twin_check_norm(f, k_bar, what, 1e-2);
            }
            snprintf(what, sizeof what, "v_bar of shape %zu", i);
            twin_check_norm(f, v_bar, what, 1e-2);
        }
        twin_check_canaries(f, q_bar, "q_bar");
        twin_check_canaries(f, k_bar, "k_bar");
        twin_check_canaries(f, v_bar, "v_bar");
        st_slab_free(f->device, &p.slab);
        twin_clear(f);
    }
}

/* Nothing is added across blocks, so a second run gives the same bits. */
static void same_bits_twice(void **state)
{
    twin_fixture *f = *state;
    const shape  *s = &shapes[6];
    problem p = problem_make(f, s);
    twin   *out_bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(s->T, s->H, s->D));
    twin   *bar[3] = {twin_canaried(f, ST_BF16, SHAPE(s->T, s->H, s->D)),
                      twin_canaried(f, ST_BF16, SHAPE(s->T, s->Hkv, s->D)),
                      twin_canaried(f, ST_BF16, SHAPE(s->T, s->Hkv, s->D))};
    float *kept[4] = {NULL};
    for (int run = 0; run < 2; run++) {
        forward(f, &p, s);
        const bool both = backward_on_device(f, &p, bar, out_bar);
        for (int i = both ? 0 : 3; i < 4; i++) {
            const twin *t = i < 3 ? bar[i] : p.out;
            float      *now = twin_device_values(f, t);
            if (run)
                assert_memory_equal(kept[i], now, st_tensor_bytes(&t->host));
            free(kept[i]);
            kept[i] = now;
        }
    }
    for (int i = 0; i < 4; i++)
        free(kept[i]);
    st_slab_free(f->device, &p.slab);
    twin_clear(f);
}

/* Gradients of another head width are refused by name, whatever the card. */
static void other_widths_are_named(void **state)
{
    twin_fixture *f = *state;
    const shape   s = {.T = 8, .H = 2, .Hkv = 1, .D = 64};
    problem p = problem_make(f, &s);
    twin   *out_bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(s.T, s.H, s.D));
    twin   *q_bar = twin_canaried(f, ST_BF16, SHAPE(s.T, s.H, s.D));
    twin   *kv_bar[2] = {twin_canaried(f, ST_BF16, SHAPE(s.T, s.Hkv, s.D)),
                         twin_canaried(f, ST_BF16, SHAPE(s.T, s.Hkv, s.D))};
    forward(f, &p, &s);
    must_fail(st_attention_backward(f->device, &q_bar->device, &kv_bar[0]->device,
                                    &kv_bar[1]->device, &out_bar->device, &p.q_view[1],
                                    &p.k_view[1], &p.v_view[1], &p.out->device, &p.lse->device,
                                    &p.how[1]),
              ST_ERR_UNSUPPORTED,
              "attention's gradients on the device: expected heads of 128 channels, found 64");
    st_slab_free(f->device, &p.slab);
    twin_clear(f);
}

/* A ring or a growing cache whose rows are full of numbers; `first` is the oldest that may be seen.
 * One query, a few, and enough for whole tiles; rings that tiles divide, and others; keys for one
 * block, for a few, and for more than are joined at once. */
static void cached_agrees(void **state)
{
    static const struct {
        int64_t T, H, Hkv, D, S, position, first, window;
    } cases[] = {
        {1, 16, 8, 128, 512, 300, 0, 0},      {1, 4, 1, 128, 256, 1000, 800, 190},
        {7, 4, 2, 128, 1000, 993, 0, 0},      {40, 4, 2, 128, 256, 1000, 784, 200},
        {165, 4, 2, 128, 1024, 600, 3, 500},  {165, 2, 1, 128, 300, 1111, 976, 130},
        {129, 2, 2, 128, 1152, 5000, 3977, 0}, {3, 4, 2, 32, 64, 100, 50, 40},
        {1, 4, 4, 16, 64, 0, 0, 0},           {1, 16, 8, 128, 20000, 19990, 0, 0},
        {2, 4, 2, 72, 3000, 7777, 5000, 2500}, {3, 2, 1, 64, 6000, 4000, 9, 0},
    };
    twin_fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        twin *q = twin_random(f, ST_BF16, -2.0f, 2.0f, SHAPE(cases[i].T, cases[i].H, cases[i].D));
        twin *k = twin_random(f, ST_BF16, -2.0f, 2.0f,
                              SHAPE(cases[i].S, cases[i].Hkv, cases[i].D));
        twin *v = twin_random(f, ST_BF16, -1.0f, 1.0f,
                              SHAPE(cases[i].S, cases[i].Hkv, cases[i].D));
        twin *out = twin_canaried(f, ST_BF16, SHAPE(cases[i].T, cases[i].H, cases[i].D));
        must(st_attention_cached(f->host, &out->host, &q->host, &k->host, &v->host,
                                 cases[i].position, cases[i].first, cases[i].window, 0.1f));
        must(st_attention_cached(f->device, &out->device, &q->device, &k->device, &v->device,
                                 cases[i].position, cases[i].first, cases[i].window, 0.1f));
        char what[64];
        snprintf(what, sizeof what, "out of cache %zu", i);
        twin_check_norm(f, out, what, 5e-3);
        twin_check_canaries(f, out, what);
        twin_clear(f);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(forward_agrees),
    cmocka_unit_test(cached_agrees),
    cmocka_unit_test(backward_agrees),
    cmocka_unit_test(same_bits_twice),
    cmocka_unit_test(other_widths_are_named),
};

TWIN_MAIN(tests)
