/* decoder.c - rows through the layers: projections, keys into their ring, attention, the MLP. */
#include "kernels/attention.h"
#include "kernels/rotary.h"
#include "model/session_internal.h"

#include <math.h>
#include <string.h>

static st_stream *stream_of(const st_session *s)
{
    return s->network->stream;
}

static const st_text_config *text_of(const st_session *s)
{
    return &s->network->config.text;
}

st_status sti_layer_project(st_session *s, sti_layer *l, const st_tensor *y, int64_t at)
{
    const st_text_config *c = text_of(s);
    const st_attention_weights *a = &l->w->attention;
    const sti_workspace *w = s->work;
    const int64_t T = y->shape[0], D = c->head_dim, Q = c->heads * D, K = c->kv_heads * D;
    st_tensor q = sti_f32_2(w->q + at * Q, T, Q), k = sti_f32_2(w->k + at * K, T, K);
    st_tensor v = sti_f32_2(w->v + at * K, T, K);
    ST_TRY(st_linear(stream_of(s), &q, y, &a->q, NULL, ST_LINEAR_SET));
    ST_TRY(st_linear(stream_of(s), &k, y, &a->k, NULL, ST_LINEAR_SET));
    ST_TRY(st_linear(stream_of(s), &v, y, &a->v, NULL, ST_LINEAR_SET));

    q = sti_f32_3(q.data, T, c->heads, D);
    k = sti_f32_3(k.data, T, c->kv_heads, D);
    const float eps = (float)c->rms_eps;
    ST_TRY(st_head_norm(stream_of(s), &q, NULL, &q, &a->q_norm, NULL, NULL, eps));
    return st_head_norm(stream_of(s), &k, NULL, &k, &a->k_norm, NULL, NULL, eps);
}

st_status sti_layer_tables(st_session *s, int64_t at, const int64_t *position, int64_t rows)
{
    const st_text_config *c = text_of(s);
    const sti_workspace *w = s->work;
    for (int64_t r = 0; r < rows; r++)
        for (int axis = 0; axis < 3; axis++)
            w->axis[axis * rows + r] = position[3 * r + axis];

    const int64_t J = c->head_dim / 2;
    const int section[3] = {(int)c->mrope_section[0], (int)c->mrope_section[1],
                            (int)c->mrope_section[2]};
    st_tensor cosine = sti_f32_2(w->cosine + at * J, rows, J);
    st_tensor sine = sti_f32_2(w->sine + at * J, rows, J);
    const st_tensor axis = {.data = w->axis, .shape = {3, rows}, .rank = 2, .dtype = ST_I64};
    return st_rotary_text_table(stream_of(s), &cosine, &sine, &axis, section, c->rope_theta);
}

/* Positions seen, seen+1, ... go to their rows of the ring: the first `kept` stay for ever. */
static void ring_put(float *ring, const float *rows, int64_t count, int64_t width, int64_t seen,
                     int64_t capacity, int64_t kept)
{
    for (int64_t r = 0; r < count; r++) {
        const int64_t p = seen + r, at = p < kept ? p : kept + (p - kept) % (capacity - kept);
        memcpy(ring + at * width, rows + r * width, (size_t)width * sizeof *ring);
    }
}

st_status sti_layer_attend(st_session *s, sti_layer *l, int64_t at, int64_t rows)
{
    const st_text_config *c = text_of(s);
    const sti_workspace *w = s->work;
    const int64_t D = c->head_dim, J = D / 2, Q = c->heads * D, K = c->kv_heads * D;
    const st_tensor cosine = sti_f32_2(w->cosine + at * J, rows, J);
    const st_tensor sine = sti_f32_2(w->sine + at * J, rows, J);
    st_tensor q = sti_f32_3(w->q + at * Q, rows, c->heads, D);
    st_tensor k = sti_f32_3(w->k + at * K, rows, c->kv_heads, D);
    st_tensor q_turned = sti_f32_3(w->q_turned, rows, c->heads, D);
    st_tensor k_turned = sti_f32_3(w->k_turned, rows, c->kv_heads, D);
    ST_TRY(st_rotary_apply(stream_of(s), &q_turned, &q, 0, &cosine, &sine, ST_ROTARY_FORWARD));
    ST_TRY(st_rotary_apply(stream_of(s), &k_turned, &k, 0, &cosine, &sine, ST_ROTARY_FORWARD));

    const bool bounded = !l->hybrid && s->plan.anchors == ST_ANCHOR_BOUNDED;
    const int64_t window = l->hybrid ? s->network->config.ttt.window
                         : bounded   ? s->plan.anchor_recent
                                     : 0;
    const int64_t kept = bounded ? s->plan.anchor_first : 0;
    ring_put(l->k, w->k_turned, rows, K, l->seen, l->capacity, kept);
    ring_put(l->v, w->v + at * K, rows, K, l->seen, l->capacity, kept);

    const st_tensor k_ring = sti_f32_3(l->k, l->capacity, c->kv_heads, D);
    const st_tensor v_ring = sti_f32_3(l->v, l->capacity, c->kv_heads, D);
    st_tensor out = sti_f32_3(w->attended, rows, c->heads, D);
    const st_attention_ring ring = {
        .position = l->seen,
        .first = window > 0 && l->seen > window - 1 ? l->seen - (window - 1) : 0,
        .window = window, .kept = kept, .scale = 1.0f / sqrtf((float)D)};
    ST_TRY(st_attention_kept(stream_of(s), &out, &q_turned, &k_ring, &v_ring, &ring));
    l->seen += rows;
    return st_ok();
}

/* x += down(silu(gate(y)) .* up(y)), y the normed rows; some rows at a time. */
static st_status mlp(st_session *s, sti_layer *l, float *x, int64_t rows)
{
    const st_text_config *c = text_of(s);
    const sti_workspace *w = s->work;
    st_stream *q = stream_of(s);
    for (int64_t r = 0; r < rows; r += STI_MLP_ROWS) {
        const int64_t T = rows - r < STI_MLP_ROWS ? rows - r : STI_MLP_ROWS;
        st_tensor xt = sti_f32_2(x + r * c->hidden, T, c->hidden);
        st_tensor y = sti_f32_2(w->y, T, c->hidden);
        st_tensor gate = sti_f32_2(w->gate, T, c->intermediate);
        st_tensor up = sti_f32_2(w->up, T, c->intermediate);
        ST_TRY(st_rms_norm(q, &y, &xt, &l->w->post_norm, (float)c->rms_eps));
        ST_TRY(st_linear(q, &gate, &y, &l->w->gate, NULL, ST_LINEAR_SET));
        ST_TRY(st_linear(q, &up, &y, &l->w->up, NULL, ST_LINEAR_SET));
        ST_TRY(st_swiglu(q, &gate, &gate, &up));
        ST_TRY(st_linear(q, &xt, &gate, &l->w->down, NULL, ST_LINEAR_ADD));
    }
    return st_ok();
}

st_status sti_layer_finish(st_session *s, sti_layer *l, sti_packet *p, const st_tensor *mixed)
{
    const int64_t H = text_of(s)->hidden;
    st_tensor x = sti_f32_2(p->x, p->rows, H);
    ST_TRY(st_linear(stream_of(s), &x, mixed, &l->w->attention.o, NULL, ST_LINEAR_ADD));
    ST_TRY(mlp(s, l, p->x, p->rows));
    if (!p->visual || l->index >= s->network->config.vision.deepstack_count)
        return st_ok();
    /* Rows of text carry zeros. */
    const st_tensor deep = sti_f32_2(p->deep + l->index * p->rows_cap * H, p->rows, H);
    return st_add(stream_of(s), &x, &deep);
}

/* A layer with full attention holds nothing back: the packet is worked on where it is. */
static st_status anchor_run(st_session *s, sti_layer *l)
{
    const st_text_config *c = text_of(s);
    sti_packet *p = &s->work->in;
    if (p->rows == 0)
        return st_ok();
    const st_tensor x = sti_f32_2(p->x, p->rows, c->hidden);
    st_tensor y = sti_f32_2(s->work->y, p->rows, c->hidden);
    ST_TRY(st_rms_norm(stream_of(s), &y, &x, &l->w->input_norm, (float)c->rms_eps));
    ST_TRY(sti_layer_project(s, l, &y, 0));
    ST_TRY(sti_layer_tables(s, 0, p->position, p->rows));
    ST_TRY(sti_layer_attend(s, l, 0, p->rows));
    const st_tensor mixed = sti_f32_2(s->work->attended, p->rows, c->heads * c->head_dim);
    return sti_layer_finish(s, l, p, &mixed);
}

st_status sti_decoder_run(st_session *s, int64_t from)
{
    sti_workspace *w = s->work;
    for (int64_t i = from; i < s->layers; i++) {
        sti_layer *l = &s->layer[i];
        if (l->hybrid) {
            ST_TRY(st_within(sti_hybrid_run(s, l), "layer %lld", (long long)i));
            const sti_packet done = w->out;
            w->out = w->in;
            w->in = done;
        } else {
            ST_TRY(st_within(anchor_run(s, l), "layer %lld", (long long)i));
        }
        if (s->watch && w->in.rows > 0)
            s->watch(s->watch_context, i, w->in.x, w->in.position, w->in.rows);
    }
    const int64_t H = text_of(s)->hidden;
    if (w->in.rows > 0)
        memcpy(s->last, w->in.x + (w->in.rows - 1) * H, (size_t)H * sizeof(float));
    s->at.done += w->in.rows;
    return st_ok();
}
