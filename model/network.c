/* network.c - opening a checkpoint, widening its small tensors, taking its digest. */
#include "model/network.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_BYTES = 4096 };

typedef struct opening {
    st_network *network;
    st_sha256   hash;
} opening;

static void hash_samples(st_sha256 *hash, const st_tensor *x)
{
    const unsigned char *bytes = x->data;
    const size_t size = st_tensor_bytes(x), piece = size < SAMPLE_BYTES ? size : SAMPLE_BYTES;
    st_sha256_add(hash, bytes, piece);
    st_sha256_add(hash, bytes + (size - piece) / 2, piece);
    st_sha256_add(hash, bytes + size - piece, piece);
}

/* Vectors and convolution taps are small and read by operators that want f32; matrices are small
 * enough to widen only in f16, which no product of ours reads. */
static bool wants_f32(const st_parameter *p)
{
    if (p->view->dtype == ST_F32)
        return false;
    return p->view->dtype == ST_F16 || p->rank == 1 || (p->part == ST_PART_TTT && p->rank == 5);
}

static st_status widen(st_network *network, st_tensor *view)
{
    const int64_t count = st_tensor_count(view);
    float *wide;
    ST_TRY(ST_ALLOC(&network->arena, &wide, (size_t)count));
    const uint16_t *half = view->data;
    for (int64_t i = 0; i < count; i++)
        wide[i] = view->dtype == ST_F16 ? st_f32_from_f16(half[i]) : st_f32_from_bf16(half[i]);
    view->data = wide;
    view->dtype = ST_F32;
    return st_ok();
}

static st_status take_in(void *context, const st_parameter *p)
{
    opening *o = context;
    st_sha256_add(&o->hash, p->name, strlen(p->name) + 1);
    st_sha256_add(&o->hash, &p->view->dtype, sizeof p->view->dtype);
    st_sha256_add(&o->hash, p->view->shape, sizeof p->view->shape);
    hash_samples(&o->hash, p->view);
    if (p->view->dtype != ST_F32 && p->view->dtype != ST_BF16 && p->view->dtype != ST_F16)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s is %s: weights are f32, bf16 or f16", p->name,
                       st_dtype_name(p->view->dtype));
    return wants_f32(p) ? widen(o->network, p->view) : st_ok();
}

static st_status hash_config(st_sha256 *hash, const st_model_config *config)
{
    st_text json;
    st_text_init(&json);
    st_model_config_write(&json, config);
    st_ttt_config_write(&json, config);
    const st_status s = st_text_check(&json);
    if (s.code == ST_OK)
        st_sha256_add(hash, json.data, json.size);
    st_text_free(&json);
    return s;
}

st_status st_network_open(st_network **network, const st_model_config *config, const char *folder,
                          uint64_t seed, int jobs)
{
    st_network *n = calloc(1, sizeof *n);
    if (!n)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a network");
    st_arena_init(&n->arena, "network");

    st_status s;
    opening o = {.network = n};
    st_sha256_start(&o.hash);
    ST_TRY_OR(s, out, st_weights_open(&n->weights, config, folder, seed));
    n->config = n->weights->config;
    ST_TRY_OR(s, out, hash_config(&o.hash, &n->config));
    ST_TRY_OR(s, out, st_parameters_walk(&n->config, n->weights, take_in, &o));
    n->digest = st_sha256_end(&o.hash);
    if (n->config.text.tied)
        n->weights->lm_head = n->weights->embed;    /* the walk saw the table once */
    ST_TRY_OR(s, out, st_pool_create(&n->pool, jobs));
    ST_TRY_OR(s, out, st_stream_create_host(&n->stream, n->pool));
    *network = n;
    return st_ok();
out:
    st_network_close(n);
    return s;
}

void st_network_close(st_network *n)
{
    if (!n)
        return;
    st_stream_free(n->stream);
    st_pool_free(n->pool);
    st_weights_close(n->weights);
    st_arena_free(&n->arena);
    free(n);
}
