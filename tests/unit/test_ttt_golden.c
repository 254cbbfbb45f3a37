/* The host body against stored vectors of an independent implementation (goldens/ops): output and
 * every gradient. What one vector looks like is carried in test_ttt.c; these need ../shared. */
#include "unit/ttt_case.h"

#include "model/safetensors.h"

static const char *const kinds[] = {"post_muon0_mom0", "post_muon0_mom1", "post_muon1_mom0",
                                    "post_muon1_mom1", "pre_muon0_mom0",  "pre_muon0_mom1",
                                    "pre_muon1_mom0",  "pre_muon1_mom1"};

static st_tensor get(const st_safetensors *file, const char *name)
{
    const st_tensor *x = st_safetensors_find(file, name);
    if (!x)
        fail_msg("no tensor %s", name);
    return *x;
}

/* lr0, lr1, lr2 of the file, each (H,L,1), side by side as (3,H,L). */
static void gather_rates(float *to, const st_safetensors *file, const char *prefix)
{
    for (int j = 0; j < 3; j++) {
        char name[32];
        snprintf(name, sizeof name, "%slr%d", prefix, j);
        const st_tensor x = get(file, name);
        const int64_t n = st_tensor_count(&x);
        memcpy(to + j * n, x.data, (size_t)n * sizeof *to);
    }
}

static void check_max(const char *kind, const char *what, const float *got, const float *expected,
                      int64_t n, double bound)
{
    double worst = 0.0, largest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double gap = fabs((double)got[i] - expected[i]);
        if (!(gap <= worst))
            worst = gap;
        largest = fmax(largest, fabs((double)expected[i]));
    }
    printf("    %s %s: off by %.2g of the largest\n", kind, what, worst / largest);
    if (!(worst <= bound * largest))
        fail_msg("%s: %s is off by %.3g, allowed %.3g", kind, what, worst / largest, bound);
}

static void run_kind(const char *kind, const char *path)
{
    st_safetensors *file;
    must(st_safetensors_open(&file, path));
    const st_tensor w0 = get(file, "in.w0"), q = get(file, "in.q");
    const int64_t H = q.shape[0], L = q.shape[1];
    const st_ttt_rule rule = {
        .heads = H, .width = q.shape[2], .hidden = w0.shape[1],
        .chunk = atoi(st_safetensors_metadata(file, "chunk")),
        .norm = strcmp(st_safetensors_metadata(file, "prenorm"), "True") ? ST_TTT_POSTNORM
                                                                        : ST_TTT_PRENORM,
        .muon = strcmp(st_safetensors_metadata(file, "muon"), "True") ? ST_TTT_MUON_OFF
                                                                      : ST_TTT_MUON,
        .momentum = strcmp(st_safetensors_metadata(file, "momentum"), "True")
                        ? ST_TTT_MOMENTUM_OFF : ST_TTT_MOMENTUM};
    ttt_case t;         /* for its memory */
    case_open(&t, &rule, L);
    gather_rates(t.narrow[6], file, "in.");
    st_ttt_weights weights = {w0, get(file, "in.w1"), get(file, "in.w2")};
    st_ttt_tokens tokens = {q, get(file, "in.k"), get(file, "in.v"), t.tokens.lr, t.tokens.mu};
    if (rule.momentum == ST_TTT_MOMENTUM) {
        tokens.mu = get(file, "in.momentum");
        tokens.mu.rank = 2;
    }

    st_stream *stream;
    st_slab scratch, tape_slab;
    st_ttt_tape tape;
    const int64_t border[] = {0, L};
    const st_ttt_borders borders = {border, 1};
    must(st_stream_create_host(&stream, NULL));
    st_slab_plan(&scratch, "scratch", ST_PLACE_HOST);
    must(st_ttt_forward_plan(&scratch, &rule, L));
    must(st_ttt_backward_plan(&scratch, &rule, L));
    must(st_slab_create(stream, &scratch));
    st_slab_plan(&tape_slab, "tape", ST_PLACE_HOST);
    must(st_ttt_tape_take(&tape, &tape_slab, &rule, &borders));
    must(st_slab_create(stream, &tape_slab));
    must(st_ttt_tape_take(&tape, &tape_slab, &rule, &borders));

    const st_tensor out = get(file, "out"), out_grad = get(file, "grad_out");
    float *y, *g[8];
    must(ST_ALLOC(&t.arena, &y, (size_t)t.size[8]));
    for (int i = 0; i < 8; i++)
        must(ST_ALLOC(&t.arena, &g[i], (size_t)t.size[i]));
    st_tensor y_tensor = out;
    y_tensor.data = y;
    must(st_ttt_forward(stream, &y_tensor, &rule, &weights, &tokens, &borders, &tape, &scratch));
    const double bound = rule.muon == ST_TTT_MUON ? 1e-4 : 1e-5;
    check_max(kind, "out", y, out.data, t.size[8], bound);

    st_ttt_grads grads = {weights.w0, weights.w1, weights.w2, tokens.q, tokens.k, tokens.v,
                          tokens.lr, tokens.mu};
    st_tensor *const to[] = {&grads.w0, &grads.w1, &grads.w2, &grads.q,
                             &grads.k, &grads.v, &grads.lr, &grads.mu};
    for (int i = 0; i < 8; i++)
        to[i]->data = g[i];
    must(st_ttt_backward(stream, &grads, &out_grad, &rule, &weights, &tokens, &borders, &tape,
                         &scratch));
    static const char *const names[] = {"grad.w0", "grad.w1", "grad.w2", "grad.q", "grad.k",
                                        "grad.v"};
    for (int i = 0; i < 6; i++)
        check_max(kind, names[i], g[i], get(file, names[i]).data, t.size[i], 10 * bound);
    gather_rates(t.narrow[6], file, "grad.");
    check_max(kind, "grad.lr", g[6], t.narrow[6], t.size[6], 10 * bound);
    if (rule.momentum == ST_TTT_MOMENTUM)
        check_max(kind, "grad.momentum", g[7], get(file, "grad.momentum").data, t.size[7],
                  10 * bound);
    st_slab_free(stream, &scratch);
    st_slab_free(stream, &tape_slab);
    st_stream_free(stream);
    case_close(&t);
    st_safetensors_close(file);
}

static void stored_vectors_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        char name[64], path[512];
        snprintf(name, sizeof name, "goldens/ops/ttt_%s.safetensors", kinds[i]);
        if (!shared_path(path, sizeof path, name))
            skip();
        run_kind(kinds[i], path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stored_vectors_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
