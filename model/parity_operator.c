/* parity_operator.c - the fast-weight operator alone against stored vectors. */
#include "kernels/ttt.h"
#include "model/internal.h"
#include "model/parity_internal.h"

#include <stdio.h>
#include <string.h>

/* --- the fast-weight operator ----------------------------------------------------------------- */

/* As model.md 13 has it; gradients with Muon go through Newton-Schulz twice, whose gain makes their
 * bound ten times wider. */
static const double PLAIN = 1e-5, FORWARD_MUON = 1e-4, BACKWARD_MUON = 1e-3;

typedef struct operator_case {
    st_ttt_rule   rule;
    st_ttt_weights weights;
    st_ttt_tokens tokens;
    st_tensor     out_grad;
    st_arena      arena;
    st_stream    *q;
    st_slab       scratch, tape_slab;
} operator_case;

static st_status flag_get(bool *flag, const st_safetensors *file, const char *key)
{
    const char *text = st_safetensors_metadata(file, key);
    if (!text || (strcmp(text, "True") != 0 && strcmp(text, "False") != 0))
        return ST_FAIL(ST_ERR_DATA, "__metadata__.%s must be True or False, is %s", key,
                       text ? text : "absent");
    *flag = strcmp(text, "True") == 0;
    return st_ok();
}

static st_status rule_get(st_ttt_rule *rule, const st_safetensors *file)
{
    const char *chunk = st_safetensors_metadata(file, "chunk");
    int64_t count;
    if (!chunk || !st_str_int(st_str_from(chunk), &count) || count < 1)
        return ST_FAIL(ST_ERR_DATA, "__metadata__.chunk must be a count, is %s",
                       chunk ? chunk : "absent");
    bool muon, momentum, prenorm;
    ST_TRY(flag_get(&muon, file, "muon"));
    ST_TRY(flag_get(&momentum, file, "momentum"));
    ST_TRY(flag_get(&prenorm, file, "prenorm"));
    st_tensor w0;
    ST_TRY(st_safetensors_get(file, &w0, "in.w0", ST_F32, 3, (int64_t[]){-1, -1, -1}));
    *rule = (st_ttt_rule){.heads = w0.shape[0], .hidden = w0.shape[1], .width = w0.shape[2],
                          .chunk = count, .norm = prenorm ? ST_TTT_PRENORM : ST_TTT_POSTNORM,
                          .muon = muon ? ST_TTT_MUON : ST_TTT_MUON_OFF,
                          .momentum = momentum ? ST_TTT_MOMENTUM : ST_TTT_MOMENTUM_OFF};
    return st_ok();
}

static st_status inputs_get(operator_case *c, const st_safetensors *file)
{
    const int64_t H = c->rule.heads, h = c->rule.hidden, d = c->rule.width;
    const int64_t in[] = {H, h, d}, out[] = {H, d, h}, rows[] = {H, -1, d};
    ST_TRY(st_safetensors_get(file, &c->weights.w0, "in.w0", ST_F32, 3, in));
    ST_TRY(st_safetensors_get(file, &c->weights.w1, "in.w1", ST_F32, 3, out));
    ST_TRY(st_safetensors_get(file, &c->weights.w2, "in.w2", ST_F32, 3, in));
    ST_TRY(st_safetensors_get(file, &c->tokens.q, "in.q", ST_F32, 3, rows));
    ST_TRY(st_safetensors_get(file, &c->tokens.k, "in.k", ST_F32, 3, c->tokens.q.shape));
    ST_TRY(st_safetensors_get(file, &c->tokens.v, "in.v", ST_F32, 3, c->tokens.q.shape));
    ST_TRY(st_safetensors_get(file, &c->out_grad, "grad_out", ST_F32, 3, c->tokens.q.shape));

    const int64_t L = c->tokens.q.shape[1], gate[] = {H, L, 1};
    float *rates, *mu;
    ST_TRY(ST_ALLOC(&c->arena, &rates, (size_t)(3 * H * L)));
    ST_TRY(ST_ALLOC(&c->arena, &mu, (size_t)(H * L)));
    st_tensor x;
    for (int j = 0; j < 3; j++) {
        char name[16];
        snprintf(name, sizeof name, "in.lr%d", j);
        ST_TRY(st_safetensors_get(file, &x, name, ST_F32, 3, gate));
        memcpy(rates + j * H * L, x.data, (size_t)(H * L) * sizeof *rates);
    }
    if (c->rule.momentum == ST_TTT_MOMENTUM) {
        ST_TRY(st_safetensors_get(file, &x, "in.momentum", ST_F32, 3, gate));
        memcpy(mu, x.data, (size_t)(H * L) * sizeof *mu);
    }
    c->tokens.lr = sti_f32_3(rates, 3, H, L);
    c->tokens.mu = sti_f32_2(mu, H, L);
    return st_ok();
}

/* A zeroed tensor of the shape of `like`. */
static st_status zeros(operator_case *c, st_tensor *x, const st_tensor *like)
{
    float *data;
    ST_TRY(ST_ALLOC(&c->arena, &data, (size_t)st_tensor_count(like)));
    *x = *like;
    x->data = data;
    return st_ok();
}

static st_status compute(operator_case *c, st_tensor *out, st_ttt_grads *g)
{
    const int64_t border[2] = {0, c->tokens.q.shape[1]};
    const st_ttt_borders borders = {border, 1};
    st_ttt_tape tape;
    ST_TRY(st_ttt_forward_plan(&c->scratch, &c->rule, border[1]));
    ST_TRY(st_ttt_backward_plan(&c->scratch, &c->rule, border[1]));
    ST_TRY(st_slab_create(c->q, &c->scratch));
    ST_TRY(st_ttt_tape_take(&tape, &c->tape_slab, &c->rule, &borders));
    ST_TRY(st_slab_create(c->q, &c->tape_slab));
    ST_TRY(st_ttt_tape_take(&tape, &c->tape_slab, &c->rule, &borders));
    ST_TRY(st_ttt_forward(c->q, out, &c->rule, &c->weights, &c->tokens, &borders, &tape,
                          &c->scratch));
    return st_ttt_backward(c->q, g, &c->out_grad, &c->rule, &c->weights, &c->tokens, &borders,
                           &tape, &c->scratch);
}

/* The stored tensors that are answers, and what was computed for each. */
static st_status compare_operator(sti_parity *p, operator_case *c, const st_safetensors *file,
                                  const st_tensor *out, const st_ttt_grads *g)
{
    const int64_t H = c->rule.heads, L = c->tokens.q.shape[1];
    const bool muon = c->rule.muon != ST_TTT_MUON_OFF;
    const struct { const char *name; st_tensor got; } answers[] = {
        {"out", *out}, {"grad.w0", g->w0}, {"grad.w1", g->w1}, {"grad.w2", g->w2},
        {"grad.q", g->q}, {"grad.k", g->k}, {"grad.v", g->v},
        {"grad.lr0", sti_f32_2((float *)g->lr.data, H, L)},
        {"grad.lr1", sti_f32_2((float *)g->lr.data + H * L, H, L)},
        {"grad.lr2", sti_f32_2((float *)g->lr.data + 2 * H * L, H, L)},
        {"grad.momentum", g->mu},
    };
    const size_t count = sizeof answers / sizeof answers[0];
    for (size_t i = 0; i < st_safetensors_count(file); i++) {
        const st_named_tensor *stored = st_safetensors_at(file, i);
        if (strncmp(stored->name, "in.", 3) == 0 || strcmp(stored->name, "grad_out") == 0)
            continue;
        size_t k = 0;
        while (k < count && strcmp(answers[k].name, stored->name) != 0)
            k++;
        if (k < count)
            ST_TRY(sti_parity_compare(p, stored->name, &answers[k].got, &stored->tensor,
                                      ST_PARITY_RELATIVE,
                                      !muon ? PLAIN : k == 0 ? FORWARD_MUON : BACKWARD_MUON));
        else
            ST_TRY(sti_parity_fail(p, stored->name, "stored, and nothing here computes it"));
    }
    return st_ok();
}

st_status sti_parity_operator(sti_parity *p, const st_safetensors *file)
{
    operator_case c = {.q = NULL};
    st_arena_init(&c.arena, "parity operator");
    st_slab_plan(&c.scratch, "scratch", ST_PLACE_HOST);
    st_slab_plan(&c.tape_slab, "tape", ST_PLACE_HOST);
    st_tensor out;
    st_ttt_grads g;
    st_status s;
    ST_TRY_OR(s, out, rule_get(&c.rule, file));
    ST_TRY_OR(s, out, inputs_get(&c, file));
    ST_TRY_OR(s, out, st_stream_create_host(&c.q, NULL));
    const st_tensor *like[] = {&c.tokens.q, &c.weights.w0, &c.weights.w1, &c.weights.w2,
                               &c.tokens.q, &c.tokens.k, &c.tokens.v, &c.tokens.lr, &c.tokens.mu};
    st_tensor *to[] = {&out, &g.w0, &g.w1, &g.w2, &g.q, &g.k, &g.v, &g.lr, &g.mu};
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++)
        ST_TRY_OR(s, out, zeros(&c, to[i], like[i]));
    ST_TRY_OR(s, out, compute(&c, &out, &g));
    ST_TRY_OR(s, out, compare_operator(p, &c, file, &out, &g));
out:
    if (c.q) {
        st_slab_free(c.q, &c.scratch);
        st_slab_free(c.q, &c.tape_slab);
    }
    st_stream_free(c.q);
    st_arena_free(&c.arena);
    return s;
}
