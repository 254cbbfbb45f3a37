/* init.c - a model folder, written front to back with flat memory. */
#include "model/init.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "kernels/base/pool.h"
#include "model/tokenizer.h"
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values drawn at once: 8 MB of bf16, in pieces that a thread draws on its own. */
enum { BATCH = 4 << 20, PIECE = 1 << 16, ROWS_MULTIPLE = 128 };

/* All that may be written; the first TOKENIZER_FILES may be copied. */
static const char *const file_names[] = {
    "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "model.safetensors",
    "preprocessor_config.json", "generation_config.json", "ttt_config.json", "config.json",
};
enum { FILES = sizeof file_names / sizeof file_names[0], TOKENIZER_FILES = 4 };

/* --- weights --------------------------------------------------------------------------------- */

/* The walk that first lists the tensors, then fills them. */
typedef struct filling {
    st_arena              *arena;
    st_named_tensor       *tensors;
    size_t                 count, capacity;
    st_safetensors_writer *writer;
    st_pool               *pool;
    st_progress           *progress;
    uint64_t               seed;
    uint16_t              *batch;           /* (BATCH) */
    const st_parameter    *parameter;       /* the one being drawn */
    int64_t                first, batch_count;
} filling;

static st_status list_tensor(void *context, const st_parameter *p)
{
    filling *f = context;
    ST_TRY(ST_GROW(f->arena, &f->tensors, &f->capacity, f->count + 1));
    st_named_tensor *named = &f->tensors[f->count++];
    named->tensor = (st_tensor){.rank = p->rank, .dtype = ST_BF16};
    memcpy(named->tensor.shape, p->shape, sizeof p->shape);
    return st_arena_copy_text(f->arena, &named->name, p->name, strlen(p->name));
}

static st_status draw_piece(void *context, size_t index, int worker)
{
    const filling *f = context;
    const int64_t at = (int64_t)index * PIECE, left = f->batch_count - at;
    (void)worker;
    st_parameter_draw(f->batch + at, ST_BF16, f->parameter, f->seed, f->first + at,
                      left < PIECE ? left : PIECE);
    return st_ok();
}

static st_status fill_tensor(void *context, const st_parameter *p)
{
    filling *f = context;
    int64_t count = 1;
    for (int k = 0; k < p->rank; k++)
        count *= p->shape[k];
    f->parameter = p;
    for (f->first = 0; f->first < count; f->first += BATCH) {
        f->batch_count = count - f->first < BATCH ? count - f->first : BATCH;
        ST_TRY(st_pool_run(f->pool, (size_t)((f->batch_count + PIECE - 1) / PIECE), draw_piece, f));
        ST_TRY(st_safetensors_write(f->writer, f->batch, (size_t)f->batch_count * 2));
    }
    st_progress_step(f->progress);
    return st_ok();
}

static st_status write_weights(st_arena *arena, const char *folder, const st_model_config *config,
                               const st_init_options *options)
{
    static const st_metadata_pair format = {"format", "pt"};
    const char *path;
    st_status s = st_ok();
    st_safetensors_writer writer = st_safetensors_writer_none();
    filling f = {.arena = arena, .writer = &writer, .seed = options->seed};
    ST_TRY(st_path_join(arena, &path, folder, "model.safetensors"));
    ST_TRY(ST_ALLOC(arena, &f.batch, BATCH));
    ST_TRY(st_parameters_walk(config, NULL, list_tensor, &f));

    ST_TRY_OR(s, out, st_pool_create(&f.pool, options->jobs));
    ST_TRY_OR(s, out, st_progress_create(&f.progress, "tensors", f.count, options->voice));
    ST_TRY_OR(s, out, st_safetensors_writer_open(&writer, path, f.tensors, f.count, &format, 1));
    ST_TRY_OR(s, out, st_parameters_walk(config, NULL, fill_tensor, &f));
    ST_TRY_OR(s, out, st_safetensors_commit(&writer));
out:
    st_safetensors_discard(&writer);
    if (f.progress)
        st_progress_free(f.progress);
    if (f.pool)
        st_pool_free(f.pool);
    return s;
}

/* --- small files ----------------------------------------------------------------------------- */

static st_status write_text(st_arena *arena, const char *folder, const char *name,
                            const st_text *text)
{
    const char *path;
    ST_TRY(st_text_check(text));
    ST_TRY(st_path_join(arena, &path, folder, name));
    return st_file_write(path, text->data, text->size);
}

static st_status write_byte_tokenizer(st_arena *arena, const char *folder)
{
    st_text json;
    st_text_init(&json);
    st_byte_tokenizer_write(&json);
    const st_status s = write_text(arena, folder, "tokenizer.json", &json);
    st_text_free(&json);
    return s;
}

static st_status copy_tokenizer(st_arena *arena, const char *folder, const char *from)
{
    for (size_t i = 0; i < TOKENIZER_FILES; i++) {
        const char *source, *target;
        st_map      map;
        ST_TRY(st_path_join(arena, &source, from, file_names[i]));
        ST_TRY(st_path_join(arena, &target, folder, file_names[i]));
        if (!st_file_exists(source))
            continue;
        ST_TRY(st_map_open(&map, source));
        const st_status s = st_file_write(target, map.data, map.size);
        st_map_close(&map);
        ST_TRY(s);
    }
    return st_ok();
}

static void write_preprocessor(st_text *json, const st_vision_config *v)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_text(&w, "image_processor_type", "Qwen2VLImageProcessorFast");
    st_json_put_text(&w, "processor_class", "Qwen3VLProcessor");
    st_json_put_int(&w, "patch_size", v->patch);
    st_json_put_int(&w, "temporal_patch_size", v->temporal);
    st_json_put_int(&w, "merge_size", v->merge);
    st_json_write_key(&w, "size");
    st_json_write_object(&w);
    st_json_put_int(&w, "shortest_edge", 65536);
    st_json_put_int(&w, "longest_edge", 16777216);
    st_json_write_end(&w);
    const double half[3] = {0.5, 0.5, 0.5};
    st_json_put_doubles(&w, "image_mean", half, 3);
    st_json_put_doubles(&w, "image_std", half, 3);
    st_json_write_end(&w);
    st_text_add(json, "\n");
}

/* Greedy, as the Spatial-TTT path decodes; both ends of text stop it. */
static void write_generation(st_text *json, const st_token_ids *ids)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_int(&w, "bos_token_id", ids->bos);
    st_json_write_key(&w, "eos_token_id");
    st_json_write_row(&w);
    st_json_write_int(&w, ids->eos);
    st_json_write_int(&w, ids->bos);
    st_json_write_end(&w);
    st_json_put_int(&w, "pad_token_id", ids->pad);
    st_json_put_bool(&w, "do_sample", false);
    st_json_write_end(&w);
    st_text_add(json, "\n");
}

static st_status write_small_files(st_arena *arena, const char *folder,
                                   const st_model_config *config)
{
    st_text text;
    st_text_init(&text);
    st_status s = st_ok();
    write_preprocessor(&text, &config->vision);
    ST_TRY_OR(s, out, write_text(arena, folder, "preprocessor_config.json", &text));
    st_text_clear(&text);
    write_generation(&text, &config->ids);
    ST_TRY_OR(s, out, write_text(arena, folder, "generation_config.json", &text));
    st_text_clear(&text);
    st_ttt_config_write(&text, config);
    ST_TRY_OR(s, out, write_text(arena, folder, "ttt_config.json", &text));
    st_text_clear(&text);
    st_model_config_write(&text, config);
    ST_TRY_OR(s, out, write_text(arena, folder, "config.json", &text));
out:
    st_text_free(&text);
    return s;
}

/* --- all together ---------------------------------------------------------------------------- */

/* Rows of the embedding and the ids of the layout, from the tokenizer that was just put there. */
static st_status fit_tokenizer(st_model_config *config, const char *folder)
{
    st_tokenizer *t;
    ST_TRY(st_tokenizer_load(&t, folder));
    const struct {
        const char *token;
        int64_t    *id;
    } wanted[] = {
        {"<|image_pad|>", &config->ids.image},
        {"<|video_pad|>", &config->ids.video},
        {"<|vision_start|>", &config->ids.vision_start},
        {"<|vision_end|>", &config->ids.vision_end},
        {"<|endoftext|>", &config->ids.bos},
        {"<|im_end|>", &config->ids.eos},
        {"<|endoftext|>", &config->ids.pad},
    };
    st_status s = st_ok();
    for (size_t i = 0; s.code == ST_OK && i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].id = st_tokenizer_id(t, wanted[i].token);
        if (*wanted[i].id < 0)
            s = ST_FAIL(ST_ERR_DATA, "%s: the tokenizer has no token %s", folder, wanted[i].token);
    }
    const int64_t size = st_tokenizer_size(t);
    if (size > config->text.vocab)
        config->text.vocab = (size + ROWS_MULTIPLE - 1) / ROWS_MULTIPLE * ROWS_MULTIPLE;
    st_tokenizer_free(t);
    return s;
}

static st_status init(st_arena *arena, const char *folder, const st_init_options *options)
{
    const char *config_path;
    ST_TRY(st_path_join(arena, &config_path, folder, "config.json"));
    if (st_file_exists(config_path))
        return ST_FAIL(ST_ERR_USAGE, "%s: there is a model already; choose another folder",
                       folder);
    st_model_config config;
    st_model_config_preset(&config, options->preset);
    const char *from = options->tokenizer_folder;
    if (from)           /* before anything is written, and by the name it was given */
        ST_TRY(fit_tokenizer(&config, from));
    ST_TRY(st_folder_make(folder));
    if (from) {
        ST_TRY(copy_tokenizer(arena, folder, from));
    } else {
        ST_TRY(write_byte_tokenizer(arena, folder));
        ST_TRY(fit_tokenizer(&config, folder));
    }
    ST_TRY(st_model_config_check(&config));
    ST_TRY(write_weights(arena, folder, &config, options));
    return write_small_files(arena, folder, &config);
}

/* If it fails, files go again that were not there before. */
st_status st_model_init(const char *folder, const st_init_options *options)
{
    st_arena arena;
    st_status s = st_ok();
    const char *path[FILES];
    bool there[FILES];
    st_arena_init(&arena, "init");
    for (size_t i = 0; i < FILES; i++) {
        ST_TRY_OR(s, out, st_path_join(&arena, &path[i], folder, file_names[i]));
        there[i] = st_file_exists(path[i]);
    }
    s = init(&arena, folder, options);
    for (size_t i = 0; s.code != ST_OK && i < FILES; i++)
        if (!there[i]) {
            const st_status removed = st_file_remove(path[i]);
            (void)removed;          /* the failure before is the one to tell */
        }
out:
    st_arena_free(&arena);
    return s;
}
