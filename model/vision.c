/* vision.c - patch embedding, blocks of attention inside a grid, and the mergers. */
#include "model/vision.h"

#include "kernels/attention.h"
#include "kernels/dense.h"
#include "kernels/rotary.h"
#include "model/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MLP_ROWS = 2048 };               /* patches that pass the wide middle of an MLP at once */

static const float  NORM_EPS = 1e-6f;
static const double THETA = 10000.0;

struct st_vision {
    const st_network *network;
    int64_t           patches_max;
    int64_t           rows, columns;    /* grid whose tables are at hand; 0: none */
    st_arena          arena;
    float            *x, *y;            /* (P,D) the stream of features, and a normed copy  */
    float            *qkv;              /* (P,3D) */
    float            *wide;             /* (MLP_ROWS,F) or (P,D), whichever is larger         */
    float            *cosine, *sine;    /* (P,D/heads/2) */
};

st_status st_vision_create(st_vision **vision, const st_network *network, int64_t patches_max)
{
    const st_vision_config *c = &network->config.vision;
    if (patches_max < c->merge * c->merge)
        return ST_FAIL(ST_ERR_USAGE, "a grid of %lld patches is below one merge block",
                       (long long)patches_max);
    st_vision *v = calloc(1, sizeof *v);
    if (!v)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for the vision tower");
    v->network = network;
    v->patches_max = patches_max;
    st_arena_init(&v->arena, "vision");

    const size_t P = (size_t)patches_max, D = (size_t)c->hidden;
    const size_t mlp_rows = P < MLP_ROWS ? P : MLP_ROWS;
    const size_t mlp = mlp_rows * (size_t)c->intermediate, merger = P * D;
    st_status s;
    ST_TRY_OR(s, out, ST_ALLOC(&v->arena, &v->x, P * D));
    ST_TRY_OR(s, out, ST_ALLOC(&v->arena, &v->y, P * D));
    ST_TRY_OR(s, out, ST_ALLOC(&v->arena, &v->qkv, P * 3 * D));
    ST_TRY_OR(s, out, ST_ALLOC(&v->arena, &v->wide, mlp > merger ? mlp : merger));
    ST_TRY_OR(s, out, ST_ALLOC(&v->arena, &v->cosine, P * D / (size_t)c->heads / 2));
    ST_TRY_OR(s, out, ST_ALLOC(&v->arena, &v->sine, P * D / (size_t)c->heads / 2));
    *vision = v;
    return st_ok();
out:
    st_vision_free(v);
    return s;
}

void st_vision_free(st_vision *v)
{
    if (!v)
        return;
    st_arena_free(&v->arena);
    free(v);
}

/* x += proj(attention(qkv(norm1(x)))) for one grid of P patches. */
static st_status block_attention(st_vision *v, const st_vision_block_weights *w, int64_t P)
{
    const st_vision_config *c = &v->network->config.vision;
    const int64_t D = c->hidden, H = c->heads, d = D / H;
    st_stream *q = v->network->stream;
    st_tensor x = sti_f32_2(v->x, P, D), y = sti_f32_2(v->y, P, D);
    st_tensor qkv = sti_f32_2(v->qkv, P, 3 * D);
    ST_TRY(st_layer_norm(q, &y, &x, &w->norm1.weight, &w->norm1.bias, NORM_EPS));
    ST_TRY(sti_linear(q, &qkv, &y, &w->qkv, ST_LINEAR_SET));

    st_tensor heads[3];                                 /* (P,H,d) views into rows of 3D */
    for (int i = 0; i < 3; i++)
        heads[i] = sti_f32_3(v->qkv + i * D, P, H, d);
    st_tensor cosine = sti_f32_2(v->cosine, P, d / 2), sine = sti_f32_2(v->sine, P, d / 2);
    for (int i = 0; i < 2; i++)
        ST_TRY(st_rotary_apply(q, &heads[i], &heads[i], 3 * D, &cosine, &sine, ST_ROTARY_FORWARD));

    st_tensor out = sti_f32_3(v->y, P, H, d);
    const st_attention how = {.mask = ST_ATTENTION_SEGMENT, .scale = 1.0f / sqrtf((float)d),
                              .q_row = 3 * D, .k_row = 3 * D, .v_row = 3 * D};
    ST_TRY(st_attention_forward(q, &out, NULL, &heads[0], &heads[1], &heads[2], &how));
    return sti_linear(q, &x, &y, &w->proj, ST_LINEAR_ADD);
}

/* x += fc2(gelu(fc1(norm2(x)))), some rows at a time. */
static st_status block_mlp(st_vision *v, const st_vision_block_weights *w, int64_t P)
{
    const st_vision_config *c = &v->network->config.vision;
    st_stream *q = v->network->stream;
    for (int64_t p = 0; p < P; p += MLP_ROWS) {
        const int64_t rows = P - p < MLP_ROWS ? P - p : MLP_ROWS;
        st_tensor x = sti_f32_2(v->x + p * c->hidden, rows, c->hidden);
        st_tensor y = sti_f32_2(v->y, rows, c->hidden);
        st_tensor wide = sti_f32_2(v->wide, rows, c->intermediate);
        ST_TRY(st_layer_norm(q, &y, &x, &w->norm2.weight, &w->norm2.bias, NORM_EPS));
        ST_TRY(sti_linear(q, &wide, &y, &w->fc1, ST_LINEAR_SET));
        ST_TRY(st_gelu(q, &wide, &wide, ST_GELU_TANH));
        ST_TRY(sti_linear(q, &x, &wide, &w->fc2, ST_LINEAR_ADD));
    }
    return st_ok();
}

/* A block of patches becomes one token. The main merger norms each patch before they are laid side
 * by side, the deepstack ones all of them together: the width of the norm's weight tells which. */
static st_status merge(st_vision *v, float *token, const st_merger_weights *w, int64_t P)
{
    const st_vision_config *c = &v->network->config.vision;
    st_stream *q = v->network->stream;
    const int64_t D = c->hidden, block = c->merge * c->merge, N = P / block;
    const int64_t norm = w->norm.weight.shape[0];
    st_tensor x = sti_f32_2(v->x, P * D / norm, norm), y = sti_f32_2(v->y, P * D / norm, norm);
    ST_TRY(st_layer_norm(q, &y, &x, &w->norm.weight, &w->norm.bias, NORM_EPS));

    st_tensor side = sti_f32_2(v->y, N, block * D), wide = sti_f32_2(v->wide, N, block * D);
    st_tensor out = sti_f32_2(token, N, c->out_hidden);
    ST_TRY(sti_linear(q, &wide, &side, &w->fc1, ST_LINEAR_SET));
    ST_TRY(st_gelu(q, &wide, &wide, ST_GELU_ERF));
    return sti_linear(q, &out, &wide, &w->fc2, ST_LINEAR_SET);
}

static st_status read_grid(st_vision *v, const st_vision_tokens *to, int64_t grid,
                           const float *pixels)
{
    const st_network *net = v->network;
    const st_vision_config *c = &net->config.vision;
    const st_vision_weights *w = &net->weights->vision;
    st_stream *q = net->stream;
    const int64_t P = v->rows * v->columns, D = c->hidden, N = P / (c->merge * c->merge);
    const int64_t features = c->channels * c->temporal * c->patch * c->patch;

    st_tensor x = sti_f32_2(v->x, P, D), in = sti_f32_2((float *)pixels, P, features);
    st_linear_weights embed = w->patch_embed;
    embed.weight = sti_reshaped(&embed.weight, D, features);
    ST_TRY(sti_linear(q, &x, &in, &embed, ST_LINEAR_SET));
    ST_TRY(st_position_table_add(q, &x, &w->pos_embed, v->rows, v->columns, c->merge));

    for (int64_t b = 0; b < c->blocks; b++) {
        ST_TRY(st_within(block_attention(v, &w->block[b], P), "vision block %lld", (long long)b));
        ST_TRY(st_within(block_mlp(v, &w->block[b], P), "vision block %lld", (long long)b));
        for (int64_t k = 0; k < c->deepstack_count; k++)
            if (c->deepstack[k] == b)
                ST_TRY(merge(v, to->deepstack[k] + grid * N * c->out_hidden, &w->deepstack[k], P));
    }
    if (to->patches)
        memcpy(to->patches + grid * P * D, v->x, (size_t)(P * D) * sizeof(float));
    return merge(v, to->merged + grid * N * c->out_hidden, &w->merger, P);
}

st_status st_vision_read(st_vision *v, const st_vision_tokens *tokens, const float *pixels,
                         int64_t grids, int64_t rows, int64_t columns)
{
    const st_vision_config *c = &v->network->config.vision;
    if (rows < 1 || columns < 1 || rows % c->merge != 0 || columns % c->merge != 0)
        return ST_FAIL(ST_ERR_DATA, "a grid of %lld x %lld patches does not merge by %lld",
                       (long long)rows, (long long)columns, (long long)c->merge);
    if (rows > v->patches_max / columns)
        return ST_FAIL(ST_ERR_LIMIT, "a grid of %lld x %lld patches exceeds the planned %lld",
                       (long long)rows, (long long)columns, (long long)v->patches_max);

    if (rows != v->rows || columns != v->columns) {
        const int64_t J = c->hidden / c->heads / 2;
        st_tensor cosine = sti_f32_2(v->cosine, rows * columns, J);
        st_tensor sine = sti_f32_2(v->sine, rows * columns, J);
        v->rows = v->columns = 0;       /* in case the table fails half way */
        ST_TRY(st_rotary_grid_table(v->network->stream, &cosine, &sine, rows, columns,
                                    c->merge, THETA));
        v->rows = rows;
        v->columns = columns;
    }
    const int64_t features = c->channels * c->temporal * c->patch * c->patch;
    for (int64_t g = 0; g < grids; g++)
        ST_TRY(st_within(read_grid(v, tokens, g, pixels + g * rows * columns * features),
                         "grid %lld", (long long)g));
    return st_ok();
}
