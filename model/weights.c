/* weights.c - names in a checkpoint bound to the places of the network. */
#include "model/weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 3 };       /* of unexpected tensors, in a note */

struct sti_weights {
    st_safetensors *reader;
    st_arena        arena;      /* fresh tensors, the layer arrays, notes */
    const char    **notes;
    size_t          note_count, note_capacity;
};

/* Binding, while it lasts. */
typedef struct binding {
    st_weights *weights;
    uint64_t    seed;
    bool       *used;           /* by index of the reader */
    st_dtype    fresh_dtype;
} binding;

ST_PRINTF(2, 3)
static st_status note(struct sti_weights *held, const char *fmt, ...)
{
    char line[400];
    va_list words;
    va_start(words, fmt);
    vsnprintf(line, sizeof line, fmt, words);
    va_end(words);
    ST_TRY(ST_GROW(&held->arena, &held->notes, &held->note_capacity, held->note_count + 1));
    ST_TRY(st_arena_copy_text(&held->arena, &held->notes[held->note_count], line, strlen(line)));
    held->note_count++;
    return st_ok();
}

/* --- what the names say about the network ---------------------------------------------------- */

static const st_tensor *find_layer(const st_safetensors *reader, int64_t layer, const char *tail)
{
    char name[ST_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "model.language_model.layers.%lld.self_attn.%s", (long long)layer,
             tail);
    return st_safetensors_find(reader, name);
}

/* Without a ttt_config.json the wrapped names tell which layers are hybrid, and their shapes the
 * heads. Chunk, window and flags leave no trace in a checkpoint: those stay as in `train`. */
static st_status settle_config(st_weights *weights)
{
    st_model_config      *config = &weights->config;
    const st_safetensors *reader = weights->held->reader;
    if (config->ttt_source != ST_TTT_ABSENT)
        return st_ok();

    int64_t first = -1;
    for (int64_t i = 0; i < config->text.layers; i++) {
        config->ttt.hybrid[i] = find_layer(reader, i, "attn_layer.q_proj.weight") != NULL;
        config->ttt.hybrid_count += config->ttt.hybrid[i];
        if (config->ttt.hybrid[i] && first < 0)
            first = i;
    }
    if (first < 0)
        return st_ok();
    const st_tensor *w1 = find_layer(reader, first, "w1");
    if (w1 && w1->rank == 3) {
        config->ttt.heads = w1->shape[0];
        config->ttt.head_dim = w1->shape[1];
        config->ttt.head_hidden = w1->shape[2];
        config->ttt.inter_multi =
            (double)w1->shape[2] / (double)(w1->shape[1] > 0 ? w1->shape[1] : 1);
    }
    const st_tensor *left = find_layer(reader, first, "w0.w_left");
    config->ttt.low_rank = left && left->rank == 3 ? left->shape[2] : 0;
    config->ttt.momentum = find_layer(reader, first, "momentum_proj.0.weight") != NULL;
    config->ttt.conv = find_layer(reader, first, "conv_q.weight") != NULL;
    config->ttt.learned_scale = find_layer(reader, first, "ttt_scale_proj.weight") != NULL;
    ST_TRY(note(weights->held,
                "no ttt_config.json: %lld hybrid layers by their names, chunk %lld and window "
                "%lld as in the preset train",
                (long long)config->ttt.hybrid_count, (long long)config->ttt.chunk,
                (long long)config->ttt.window));
    return st_model_config_check(config);
}

/* --- binding --------------------------------------------------------------------------------- */

/* A float tensor of the parameter's shape. */
static st_status check_tensor(const st_tensor *found, const st_parameter *p, const char *name)
{
    bool fits = found->rank == p->rank &&
                (found->dtype == ST_F32 || found->dtype == ST_BF16 || found->dtype == ST_F16);
    for (int k = 0; fits && k < p->rank; k++)
        fits = found->shape[k] == p->shape[k];
    if (fits)
        return st_ok();
    st_tensor wanted = *found;
    wanted.dtype = found->dtype == ST_F32 || found->dtype == ST_F16 ? found->dtype : ST_BF16;
    wanted.rank = p->rank;
    memcpy(wanted.shape, p->shape, sizeof wanted.shape);
    char expected[80], is[80];
    return ST_FAIL(ST_ERR_DATA, "%s must be %s, is %s", name,
                   st_tensor_describe(&wanted, expected, sizeof expected),
                   st_tensor_describe(found, is, sizeof is));
}

static size_t index_of(const st_safetensors *reader, const st_tensor *tensor)
{
    const st_named_tensor *first = st_safetensors_at(reader, 0);
    const st_named_tensor *named =
        (const st_named_tensor *)(const void *)((const char *)tensor -
                                                offsetof(st_named_tensor, tensor));
    return (size_t)(named - first);
}

static st_status draw_fresh(binding *b, const st_parameter *p)
{
    st_tensor *view = p->view;
    unsigned char *bytes;
    *view = (st_tensor){.rank = p->rank, .dtype = b->fresh_dtype, .place = ST_PLACE_HOST};
    memcpy(view->shape, p->shape, sizeof view->shape);
    ST_TRY(ST_ALLOC(&b->weights->held->arena, &bytes, st_tensor_bytes(view)));
    view->data = bytes;
    st_parameter_draw(bytes, b->fresh_dtype, p, b->seed, 0, st_tensor_count(view));
    b->weights->fresh_count++;
    return st_ok();
}

static st_status bind(void *context, const st_parameter *p)
{
    binding *b = context;
    const st_safetensors *reader = b->weights->held->reader;
    const char      *name = p->name;
    const st_tensor *found = st_safetensors_find(reader, name);
    if (!found && p->other_name[0] != '\0') {
        found = st_safetensors_find(reader, p->other_name);
        name = found ? p->other_name : name;
    }
    if (!found && p->part == ST_PART_TTT)
        return draw_fresh(b, p);
    if (!found)
        return ST_FAIL(ST_ERR_DATA, "no tensor %s", name);
    ST_TRY(check_tensor(found, p, name));
    *p->view = *found;
    b->used[index_of(reader, found)] = true;
    if (p->part == ST_PART_EMBED && found->dtype != ST_F16)
        b->fresh_dtype = found->dtype;
    return st_ok();
}

/* A tied head is the embedding; a stored one that differs wins, because it was trained so. */
static st_status bind_head(binding *b)
{
    static const char name[] = "lm_head.weight";
    st_weights      *weights = b->weights;
    const st_tensor *found = st_safetensors_find(weights->held->reader, name);
    if (!weights->config.text.tied)
        return st_ok();                         /* the walk has bound it */
    weights->lm_head = weights->embed;
    if (!found)
        return st_ok();

    b->used[index_of(weights->held->reader, found)] = true;
    const st_parameter p = {.rank = 2, .shape = {weights->embed.shape[0], weights->embed.shape[1]}};
    ST_TRY(check_tensor(found, &p, name));
    if (found->dtype == weights->embed.dtype &&
        memcmp(found->data, weights->embed.data, st_tensor_bytes(found)) == 0)
        return st_ok();
    weights->lm_head = *found;
    weights->config.text.tied = false;
    return note(weights->held, "the config ties lm_head to the embedding, the stored one differs "
                               "and is used");
}

static st_status note_leftovers(binding *b)
{
    st_weights *weights = b->weights;
    const st_safetensors *reader = weights->held->reader;
    char   names[300] = "";
    size_t used = 0;
    for (size_t i = 0; i < st_safetensors_count(reader); i++) {
        if (b->used[i])
            continue;
        if (weights->unexpected_count++ < NAMES_SHOWN && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     used > 0 ? ", " : "", st_safetensors_at(reader, i)->name);
    }
    if (weights->fresh_count > 0)
        ST_TRY(note(weights->held, "%lld fast-weight tensors are not in the file: drawn from seed "
                                   "%llu",
                    (long long)weights->fresh_count, (unsigned long long)b->seed));
    if (weights->unexpected_count > 0)
        ST_TRY(note(weights->held, "%lld tensors have no place in this network: %s%s",
                    (long long)weights->unexpected_count, names,
                    weights->unexpected_count > NAMES_SHOWN ? ", ..." : ""));
    return st_ok();
}

static st_status open_reader(st_weights *weights, const char *folder)
{
    struct sti_weights *held = weights->held;
    ST_TRY(st_safetensors_open(&held->reader, folder));
    for (size_t i = 0; i < st_safetensors_note_count(held->reader); i++)
        ST_TRY(note(held, "%s", st_safetensors_note(held->reader, i)));
    for (size_t i = 0; i < st_safetensors_file_count(held->reader); i++) {
        uint64_t bytes;
        (void)st_safetensors_file(held->reader, i, &bytes);
        weights->file_bytes += bytes;
    }
    return st_ok();
}

static st_status open_all(st_weights *weights, const char *folder, uint64_t seed)
{
    struct sti_weights *held = weights->held;
    ST_TRY(open_reader(weights, folder));
    ST_TRY(st_within(settle_config(weights), "%s", folder));

    const st_model_config *config = &weights->config;
    ST_TRY(ST_ALLOC(&held->arena, &weights->layer, (size_t)config->text.layers));
    ST_TRY(ST_ALLOC(&held->arena, &weights->vision.block, (size_t)config->vision.blocks));
    for (int64_t i = 0; i < config->text.layers; i++)
        weights->layer[i].hybrid = config->ttt.hybrid[i];

    binding b = {.weights = weights, .seed = seed, .fresh_dtype = ST_BF16};
    ST_TRY(ST_ALLOC(&held->arena, &b.used, st_safetensors_count(held->reader)));
    ST_TRY(st_within(st_parameters_walk(config, weights, bind, &b), "%s", folder));
    ST_TRY(st_within(bind_head(&b), "%s", folder));
    return note_leftovers(&b);
}

st_status st_weights_open(st_weights **out, const st_model_config *config, const char *folder,
                          uint64_t seed)
{
    st_weights         *weights = calloc(1, sizeof *weights);
    struct sti_weights *held = calloc(1, sizeof *held);
    if (!weights || !held) {
        free(weights);
        free(held);
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory for the list of weights", folder);
    }
    weights->config = *config;
    weights->held = held;
    st_arena_init(&held->arena, "weights");
    const st_status s = open_all(weights, folder, seed);
    if (s.code != ST_OK) {
        st_weights_close(weights);
        return s;
    }
    *out = weights;
    return s;
}

void st_weights_close(st_weights *weights)
{
    if (!weights)
        return;
    st_safetensors_close(weights->held->reader);
    st_arena_free(&weights->held->arena);
    free(weights->held);
    free(weights);
}

size_t st_weights_note_count(const st_weights *weights)
{
    return weights->held->note_count;
}

const char *st_weights_note(const st_weights *weights, size_t i)
{
    ST_ASSERT(i < weights->held->note_count);
    return weights->held->notes[i];
}
