/* summary.c - counting what a model folder holds, and saying it. */
#include "model/summary.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "model/tokenizer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static st_model_config train_defaults(void)
{
    st_model_config c = {0};
    st_ttt_config_set_preset(&c, ST_TTT_TRAIN);
    return c;
}

ST_PRINTF(3, 4)
static st_status add_odd(st_arena *arena, st_model_summary *s, const char *fmt, ...)
{
    char line[400];
    va_list words;
    va_start(words, fmt);
    vsnprintf(line, sizeof line, fmt, words);
    va_end(words);
    ST_TRY(ST_GROW(arena, &s->odd, &s->odd_capacity, s->odd_count + 1));
    return st_arena_copy_text(arena, &s->odd[s->odd_count++], line, strlen(line));
}

/* --- counting -------------------------------------------------------------------------------- */

static void add_tensor(st_part_summary *part, const st_tensor *x)
{
    const int64_t values = st_tensor_count(x);
    part->tensors++;
    part->values += values;
    part->bytes += (int64_t)st_tensor_bytes(x);
    part->values_of[x->dtype] += values;
    if (part->values_of[x->dtype] > part->values_of[part->dtype])
        part->dtype = x->dtype;
}

static st_status count_parameter(void *context, const st_parameter *p)
{
    st_model_summary *s = context;
    add_tensor(&s->part[p->part], p->view);
    add_tensor(&s->all, p->view);
    return st_ok();
}

/* What reading needs beyond the weights (model.md 8.2, the cheaper equivalent state). */
static void count_state(st_model_summary *s)
{
    const st_ttt_config  *ttt = &s->config.ttt;
    const st_text_config *t = &s->config.text;
    const int64_t fast = 3 * ttt->heads * ttt->head_dim * ttt->head_hidden * 4;
    const int64_t copies = 2 + ttt->momentum + ttt->prenorm;        /* W, gradient sums, M, P */
    const int64_t key_value = 2 * t->kv_heads * t->head_dim * 2;
    s->state_bytes = ttt->hybrid_count * (copies * fast + ttt->window * key_value);
    s->anchor_token_bytes = (t->layers - ttt->hybrid_count) * key_value;
}

static st_status look_at_tokenizer(st_arena *arena, st_model_summary *s, const char *folder)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json"};
    for (int i = 0; i < 2 && !s->tokenizer; i++) {
        const char *path;
        ST_TRY(st_path_join(arena, &path, folder, names[i]));
        if (st_file_exists(path))
            s->tokenizer = names[i];
    }
    if (!s->tokenizer)
        return add_odd(arena, s, "there is no tokenizer");
    st_tokenizer *t;
    const st_status loaded = st_tokenizer_load(&t, folder);
    if (loaded.code == ST_ERR_MEMORY)
        return loaded;
    if (loaded.code != ST_OK)
        return add_odd(arena, s, "%s", loaded.text);
    s->tokenizer_size = st_tokenizer_size(t);
    const int64_t image = st_tokenizer_id(t, "<|image_pad|>");
    const int64_t video = st_tokenizer_id(t, "<|video_pad|>");
    st_tokenizer_free(t);
    if (s->tokenizer_size > s->config.text.vocab)
        ST_TRY(add_odd(arena, s, "the tokenizer has %lld tokens, the embedding %lld rows",
                       (long long)s->tokenizer_size, (long long)s->config.text.vocab));
    if (image != s->config.ids.image || video != s->config.ids.video)
        ST_TRY(add_odd(arena, s, "the pads of pictures and videos are %lld and %lld in the "
                                 "tokenizer, %lld and %lld in config.json",
                       (long long)image, (long long)video, (long long)s->config.ids.image,
                       (long long)s->config.ids.video));
    return st_ok();
}

static st_status look_at_rule(st_arena *arena, st_model_summary *s)
{
    const st_ttt_config  *ttt = &s->config.ttt;
    const st_model_config train = train_defaults();
    if (ttt->hybrid_count == 0)
        return add_odd(arena, s, "no layer has fast weights: the plain backbone");
    if (ttt->muon != train.ttt.muon || ttt->prenorm != train.ttt.prenorm)
        ST_TRY(add_odd(arena, s, "fast weights are updated otherwise than in training: Muon %s, "
                                 "%s", ttt->muon ? "on" : "off",
                       ttt->prenorm ? "prenorm" : "postnorm"));
    if (s->config.text.heads * s->config.text.head_dim != s->config.text.hidden)
        ST_TRY(add_odd(arena, s, "attention is %lld wide in a model of %lld: no released "
                                 "checkpoint of this kind has fast weights",
                       (long long)(s->config.text.heads * s->config.text.head_dim),
                       (long long)s->config.text.hidden));
    return st_ok();
}

static st_status summarize(st_arena *arena, st_model_summary *s, st_weights *w, const char *folder)
{
    s->config = w->config;
    for (size_t i = 0; i < st_weights_note_count(w); i++)
        ST_TRY(add_odd(arena, s, "%s", st_weights_note(w, i)));
    ST_TRY(st_parameters_walk(&w->config, w, count_parameter, s));
    count_state(s);
    ST_TRY(look_at_rule(arena, s));
    return look_at_tokenizer(arena, s, folder);
}

st_status st_model_summarize(st_arena *arena, st_model_summary *summary, const char *folder)
{
    st_model_config config;
    st_weights     *weights;
    st_model_summary made = {0};
    ST_TRY(st_model_config_load(&config, folder));
    ST_TRY(st_weights_open(&weights, &config, folder, 0));
    const st_status s = summarize(arena, &made, weights, folder);
    st_weights_close(weights);
    if (s.code == ST_OK)
        *summary = made;
    return s;
}

/* --- saying ---------------------------------------------------------------------------------- */

/* 2127532032 as 2,127,532,032. */
static const char *grouped(char out[32], int64_t value)
{
    char plain[32];
    const int digits = snprintf(plain, sizeof plain, "%lld", (long long)value);
    int at = 0;
    for (int i = 0; i < digits; i++) {
        if (i > 0 && (digits - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = plain[i];
    }
    out[at] = '\0';
    return out;
}

/* 0-2,4-6: runs of hybrid layers. */
static void add_layers(st_text *out, const st_model_config *c)
{
    const char *comma = "";
    for (int64_t i = 0; i < c->text.layers; i++) {
        if (!c->ttt.hybrid[i])
            continue;
        const int64_t first = i;
        while (i + 1 < c->text.layers && c->ttt.hybrid[i + 1])
            i++;
        st_text_addf(out, "%s%lld", comma, (long long)first);
        if (i > first)
            st_text_addf(out, "-%lld", (long long)i);
        comma = ",";
    }
}

static void print_parts(st_text *out, const st_model_summary *s)
{
    st_text_addf(out, "\nparameters    tensors           values            bytes  type\n");
    for (int i = 0; i <= ST_PART_COUNT; i++) {
        const st_part_summary *p = i < ST_PART_COUNT ? &s->part[i] : &s->all;
        char values[32], bytes[32];
        if (p->tensors > 0)
            st_text_addf(out, "  %-12s %6lld %16s %16s  %s\n",
                         i < ST_PART_COUNT ? st_part_name((st_part)i) : "all",
                         (long long)p->tensors, grouped(values, p->values),
                         grouped(bytes, p->bytes), st_dtype_name(p->dtype));
    }
}

static void print_rule(st_text *out, const st_model_config *c)
{
    const st_ttt_config *ttt = &c->ttt;
    st_text_addf(out, "\nfast weights\n  layers       ");
    add_layers(out, c);
    st_text_addf(out, "\n  heads        %lld of %lld x %lld\n", (long long)ttt->heads,
                 (long long)ttt->head_hidden, (long long)ttt->head_dim);
    st_text_addf(out, "  chunk        %lld tokens between updates\n  window       %lld tokens\n",
                 (long long)ttt->chunk, (long long)ttt->window);
    st_text_addf(out, "  rule         %s, %s, %s%s%s\n", ttt->muon ? "Muon" : "no Muon",
                 ttt->momentum ? "momentum" : "no momentum",
                 ttt->prenorm ? "prenorm" : "postnorm", ttt->conv ? ", conv" : ", no conv",
                 ttt->low_rank > 0 ? ", low rank" : "");
    st_text_addf(out, "  preset       %s\n", ttt->preset == ST_TTT_TRAIN ? "train" : "eval-compat");
}

void st_model_summary_print(st_text *out, const st_model_summary *s, const char *folder)
{
    const st_text_config   *t = &s->config.text;
    const st_vision_config *v = &s->config.vision;
    char number[32];
    st_text_addf(out, "%s  %lld layers (%lld hybrid), hidden %lld, %lld rows\n", folder,
                 (long long)t->layers, (long long)s->config.ttt.hybrid_count, (long long)t->hidden,
                 (long long)t->vocab);
    st_text_addf(out, "  attention    %lld heads of %lld, %lld for keys\n", (long long)t->heads,
                 (long long)t->head_dim, (long long)t->kv_heads);
    st_text_addf(out, "  vision       %lld blocks, hidden %lld, %lld heads\n", (long long)v->blocks,
                 (long long)v->hidden, (long long)v->heads);
    print_parts(out, s);
    st_text_addf(out, "\nmemory\n  weights      %s bytes\n", grouped(number, s->all.bytes));
    st_text_addf(out, "  hybrid state %s bytes\n", grouped(number, s->state_bytes));
    st_text_addf(out, "  anchors      %s bytes per token\n",
                 grouped(number, s->anchor_token_bytes));
    if (s->config.ttt.hybrid_count > 0)
        print_rule(out, &s->config);
    if (s->tokenizer)
        st_text_addf(out, "\ntokenizer\n  %s  %s tokens\n", s->tokenizer,
                     grouped(number, s->tokenizer_size));
    if (s->odd_count > 0)
        st_text_addf(out, "\nodd\n");
    for (size_t i = 0; i < s->odd_count; i++)
        st_text_addf(out, "  %s\n", s->odd[i]);
}

static void put_part(st_json_writer *w, const char *name, const st_part_summary *p)
{
    st_json_write_key(w, name);
    st_json_write_object(w);
    st_json_put_int(w, "tensors", p->tensors);
    st_json_put_int(w, "values", p->values);
    st_json_put_int(w, "bytes", p->bytes);
    st_json_put_text(w, "type", st_dtype_name(p->dtype));
    st_json_write_end(w);
}

static void put_rule(st_json_writer *w, const st_model_config *c)
{
    const st_ttt_config *ttt = &c->ttt;
    st_json_write_key(w, "fast_weights");
    st_json_write_object(w);
    st_json_write_key(w, "layers");
    st_json_write_array(w);
    for (int64_t i = 0; i < c->text.layers; i++) {
        if (ttt->hybrid[i])
            st_json_write_int(w, i);
    }
    st_json_write_end(w);
    st_json_put_int(w, "heads", ttt->heads);
    st_json_put_int(w, "head_dim", ttt->head_dim);
    st_json_put_int(w, "head_hidden", ttt->head_hidden);
    st_json_put_int(w, "chunk", ttt->chunk);
    st_json_put_int(w, "window", ttt->window);
    st_json_put_text(w, "preset", ttt->preset == ST_TTT_TRAIN ? "train" : "eval-compat");
    st_json_put_bool(w, "muon", ttt->muon);
    st_json_put_bool(w, "momentum", ttt->momentum);
    st_json_put_bool(w, "prenorm", ttt->prenorm);
    st_json_put_bool(w, "conv", ttt->conv);
    st_json_put_int(w, "low_rank", ttt->low_rank);
    st_json_write_end(w);
}

void st_model_summary_json(st_text *out, const st_model_summary *s, const char *folder)
{
    st_json_writer w;
    const st_text_config *t = &s->config.text;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "model", folder);
    st_json_put_int(&w, "layers", t->layers);
    st_json_put_int(&w, "hybrid_layers", s->config.ttt.hybrid_count);
    st_json_put_int(&w, "hidden", t->hidden);
    st_json_put_int(&w, "rows", t->vocab);
    st_json_put_int(&w, "vision_blocks", s->config.vision.blocks);
    st_json_write_key(&w, "parameters");
    st_json_write_object(&w);
    for (int i = 0; i < ST_PART_COUNT; i++)
        put_part(&w, st_part_name((st_part)i), &s->part[i]);
    put_part(&w, "all", &s->all);
    st_json_write_end(&w);
    st_json_put_int(&w, "state_bytes", s->state_bytes);
    st_json_put_int(&w, "anchor_token_bytes", s->anchor_token_bytes);
    put_rule(&w, &s->config);
    st_json_put_text(&w, "tokenizer", s->tokenizer);
    st_json_put_int(&w, "tokens", s->tokenizer_size);
    st_json_write_key(&w, "odd");
    st_json_write_array(&w);
    for (size_t i = 0; i < s->odd_count; i++)
        st_json_write_text(&w, s->odd[i]);
    st_json_write_end(&w);
    st_json_write_end(&w);
    st_text_add(out, "\n");
}
