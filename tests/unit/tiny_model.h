/* tiny_model.h - a model folder small enough to make in a test, with every parameter away from its
 * neutral start, so that each of them matters.
 *
 * May include: anything; only tests include it.
 */
#ifndef ST_TESTS_TINY_MODEL_H
#define ST_TESTS_TINY_MODEL_H

#include "check.h"

#include "kernels/base/files.h"
#include "kernels/base/rng.h"
#include "model/network.h"
#include "model/safetensors.h"

#include <unistd.h>

/* Six hybrid layers: more grids are in flight than a packet of the tests' plans can carry. */
enum { TINY_IMAGE = 90, TINY_VIDEO = 91, TINY_LAYERS = 8, TINY_CHUNK = 24, TINY_WINDOW = 10 };

static inline st_model_config tiny_config(void)
{
    st_model_config c;
    st_model_config_preset(&c, ST_MODEL_TINY);
    c.text = (st_text_config){.hidden = 32, .layers = TINY_LAYERS, .heads = 4,
                              .kv_heads = 2, .head_dim = 8, .intermediate = 48,
                              .vocab = 96, .positions_max = 4096,
                              .rms_eps = 1e-6, .rope_theta = 1e4, .mrope_section = {2, 1, 1},
                              .tied = true};
    c.vision = (st_vision_config){.blocks = 2, .hidden = 16, .heads = 2, .intermediate = 24,
                                  .channels = 3, .patch = 16, .temporal = 2, .merge = 2,
                                  .positions = 16, .out_hidden = 32, .deepstack = {0, 1},
                                  .deepstack_count = 2};
    c.ids = (st_token_ids){TINY_IMAGE, TINY_VIDEO, 92, 93, 94, 95, 94};
    c.ttt.hybrid_count = 0;
    for (int i = 0; i < TINY_LAYERS; i++)
        c.ttt.hybrid_count += c.ttt.hybrid[i] = i % 4 != 3;
    c.ttt.heads = 2;
    c.ttt.head_dim = c.ttt.head_hidden = 16;
    c.ttt.chunk = c.ttt.attention_chunk = TINY_CHUNK;
    c.ttt.window = TINY_WINDOW;
    return c;
}

typedef struct tiny_file {
    st_arena        arena;
    st_named_tensor tensor[512];
    size_t          count;
    st_rng          rng;
} tiny_file;

static inline st_status tiny_draw(void *context, const st_parameter *p)
{
    tiny_file *f = context;
    st_tensor x = {.rank = p->rank, .dtype = ST_F32};
    memcpy(x.shape, p->shape, sizeof x.shape);
    const int64_t count = st_tensor_count(&x);
    float *data;
    ST_TRY(ST_ALLOC(&f->arena, &data, (size_t)count));
    const double spread = p->start == ST_START_NORMAL || p->start == ST_START_UNIFORM
                              ? 8.0 * p->scale : 0.2;
    for (int64_t i = 0; i < count; i++) {
        const bool one = p->start == ST_START_ONE || (p->start == ST_START_DIRAC && i % 27 == 13);
        data[i] = (float)((one ? 1.0 : 0.0) + spread * st_rng_between(&f->rng, -1.0, 1.0));
    }
    x.data = data;
    const char *name;
    ST_TRY(st_arena_copy_text(&f->arena, &name, p->name, strlen(p->name)));
    ST_ASSERT(f->count < sizeof f->tensor / sizeof f->tensor[0]);
    f->tensor[f->count++] = (st_named_tensor){name, x};
    return st_ok();
}

static inline void tiny_write(const char *folder, const char *name, const st_text *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    must(st_file_write(path, text->data, text->size));
}

/* A fresh folder, named in `folder`. */
static inline void tiny_model_make(char folder[64], const st_model_config *config, uint64_t seed)
{
    strcpy(folder, "/tmp/spatial-tiny-XXXXXX");
    assert_non_null(mkdtemp(folder));
    tiny_file f = {.rng = st_rng_from(seed)};
    st_arena_init(&f.arena, "tiny model");
    must(st_parameters_walk(config, NULL, tiny_draw, &f));
    char path[512];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    must(st_safetensors_save(path, f.tensor, f.count, &(st_metadata_pair){"format", "pt"}, 1));
    st_arena_free(&f.arena);

    st_text json;
    st_text_init(&json);
    st_model_config_write(&json, config);
    tiny_write(folder, "config.json", &json);
    st_text_clear(&json);
    st_ttt_config_write(&json, config);
    tiny_write(folder, "ttt_config.json", &json);
    st_text_free(&json);
}

static inline void tiny_model_remove(const char *folder)
{
    static const char *const names[] = {"config.json", "ttt_config.json", "model.safetensors",
                                        "session", "other"};
    char path[512];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static inline st_network *tiny_network(const char *folder)
{
    st_model_config config;
    st_network *network;
    must(st_model_config_load(&config, folder));
    must(st_network_open(&network, &config, folder, 1, 1));
    return network;
}

#endif
