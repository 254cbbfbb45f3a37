/* tokenizer_read.c - tokenizer.json, or vocab.json and merges.txt, into tables.
 *
 * Steps of the file that this program does not perform are refused by name: a tokenizer that is
 * almost right answers nonsense.
 */
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "kernels/base/rng.h"
#include "model/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

/* The pattern of GPT-2, which a ByteLevel step with use_regex stands for. */
static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|"
                                   " ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* --- the byte alphabet ----------------------------------------------------------------------- */

static bool is_printable(int byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

void sti_byte_alphabet(uint32_t letter[256], int byte_of[STI_ALPHABET_LETTERS])
{
    uint32_t next = 0x100;
    for (int i = 0; i < STI_ALPHABET_LETTERS; i++)
        byte_of[i] = -1;
    for (int byte = 0; byte < 256; byte++) {
        letter[byte] = is_printable(byte) ? (uint32_t)byte : next++;
        byte_of[letter[byte]] = byte;
    }
}

/* The bytes a vocabulary entry stands for; an entry with a letter outside the alphabet stands for
 * its own spelling. `out` has room for name.size bytes. */
static st_str spelled_bytes(char *out, st_str name, const int byte_of[STI_ALPHABET_LETTERS])
{
    size_t size = 0;
    for (size_t at = 0; at < name.size;) {
        uint32_t     letter;
        const size_t step = st_utf8_decode(name, at, &letter);
        if (step == 0 || letter >= STI_ALPHABET_LETTERS || byte_of[letter] < 0) {
            memcpy(out, name.data, name.size);
            return (st_str){out, name.size};
        }
        out[size++] = (char)byte_of[letter];
        at += step;
    }
    return (st_str){out, size};
}

/* --- vocabulary ------------------------------------------------------------------------------ */

static size_t table_size(size_t count)
{
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

static st_status read_id(int32_t *id, st_json value)
{
    int64_t wide;
    ST_TRY(st_json_int(value, &wide));
    if (wide < 0 || wide >= ST_VOCAB_MAX)
        return st_json_fail(value, ST_ERR_LIMIT, "id %lld, at most %d are supported",
                            (long long)wide, ST_VOCAB_MAX - 1);
    *id = (int32_t)wide;
    return st_ok();
}

/* Bytes of all names, and one above the highest id, of the vocabulary and the added tokens. */
static st_status measure(size_t *name_bytes, int64_t *size, const st_json *vocab,
                         const st_json *added)
{
    st_json member;
    st_json_walk walk = st_json_walk_start(vocab);
    *name_bytes = 0;
    *size = 0;
    while (st_json_walk_next(&walk, vocab, &member)) {
        int32_t id;
        ST_TRY(read_id(&id, member));
        *name_bytes += strlen(member.key);
        *size = id >= *size ? id + 1 : *size;
    }
    for (size_t i = 0; i < st_json_count(*added); i++) {
        const st_json entry = st_json_element(added, i);
        int32_t id;
        ST_TRY(read_id(&id, st_json_member(&entry, "id")));
        *size = id >= *size ? id + 1 : *size;
    }
    return st_ok();
}

static void insert_name(st_tokenizer *t, int32_t id)
{
    size_t slot = (size_t)st_hash_str(0, t->tokens[id].name) & t->by_name_mask;
    while (t->by_name[slot] >= 0)
        slot = (slot + 1) & t->by_name_mask;
    t->by_name[slot] = id;
}

static st_status read_vocab(st_tokenizer *t, const st_json *vocab, const st_json *added)
{
    size_t name_bytes;
    uint32_t letter[256];
    int byte_of[STI_ALPHABET_LETTERS];
    sti_byte_alphabet(letter, byte_of);
    ST_TRY(st_json_expect(*vocab, ST_JSON_OBJECT));
    ST_TRY(measure(&name_bytes, &t->size, vocab, added));
    const size_t slots = table_size(st_json_count(*vocab));
    char *names, *bytes;
    ST_TRY(ST_ALLOC(&t->arena, &t->tokens, (size_t)t->size));
    ST_TRY(ST_ALLOC(&t->arena, &t->by_name, slots));
    ST_TRY(ST_ALLOC(&t->arena, &names, name_bytes));
    ST_TRY(ST_ALLOC(&t->arena, &bytes, name_bytes));
    t->by_name_mask = slots - 1;
    memset(t->by_name, 0xFF, slots * sizeof *t->by_name);

    st_json member;
    st_json_walk walk = st_json_walk_start(vocab);
    while (st_json_walk_next(&walk, vocab, &member)) {
        int32_t id;
        ST_TRY(read_id(&id, member));
        sti_token *token = &t->tokens[id];
        if (token->name.data)
            return st_json_fail(member, ST_ERR_DATA, "id %d belongs to \"%.*s\" as well", id,
                                ST_STR_ARG(token->name));
        token->name = (st_str){names, strlen(member.key)};
        memcpy(names, member.key, token->name.size);
        token->bytes = spelled_bytes(bytes, token->name, byte_of);
        names += token->name.size;
        bytes += token->name.size;
        insert_name(t, id);
    }
    for (int byte = 0; byte < 256; byte++) {
        char spelled[4];
        const size_t size = st_utf8_encode(spelled, letter[byte]);
        t->byte_id[byte] = sti_name_find(t, (st_str){spelled, size});
        if (t->byte_id[byte] < 0)
            return st_json_fail(*vocab, ST_ERR_DATA, "no token for the byte 0x%02X", byte);
    }
    return st_ok();
}

/* --- merges ---------------------------------------------------------------------------------- */

static st_status start_merges(st_tokenizer *t, size_t count)
{
    const size_t slots = table_size(count);
    ST_TRY(ST_ALLOC(&t->arena, &t->merges, slots));
    t->merge_mask = slots - 1;
    for (size_t i = 0; i < slots; i++)
        t->merges[i].left = -1;
    return st_ok();
}

static st_status add_merge(st_tokenizer *t, st_str left, st_str right, size_t rank)
{
    char joined[4096];
    if (left.size + right.size > sizeof joined)
        return ST_FAIL(ST_ERR_LIMIT, "merge %zu makes a token of %zu bytes, at most %zu are "
                                     "supported", rank, left.size + right.size, sizeof joined);
    memcpy(joined, left.data, left.size);
    memcpy(joined + left.size, right.data, right.size);
    const st_str whole = {joined, left.size + right.size};
    const st_str parts[] = {left, right, whole};
    int32_t ids[3];
    for (int k = 0; k < 3; k++) {
        ids[k] = sti_name_find(t, parts[k]);
        if (ids[k] < 0)
            return ST_FAIL(ST_ERR_DATA, "merge %zu: \"%.*s\" is not in the vocabulary", rank,
                           ST_STR_ARG(parts[k]));
    }
    /* Of a pair that stands twice the later rank counts, as in the files' own reader. */
    sti_merge *slot = &t->merges[sti_merge_slot(t, ids[0], ids[1])];
    *slot = (sti_merge){ids[0], ids[1], ids[2], (uint32_t)rank};
    return st_ok();
}

/* "a b": one blank between the two. */
static st_status add_merge_line(st_tokenizer *t, st_str line, size_t rank)
{
    const char *blank = line.size > 0 ? memchr(line.data, ' ', line.size) : NULL;
    if (!blank)
        return ST_FAIL(ST_ERR_FORMAT, "merge %zu: expected two tokens, found \"%.*s\"", rank,
                       ST_STR_ARG(line));
    const size_t left = (size_t)(blank - line.data);
    return add_merge(t, (st_str){line.data, left},
                     (st_str){blank + 1, line.size - left - 1}, rank);
}

static st_status read_merges(st_tokenizer *t, const st_json *merges)
{
    ST_TRY(st_json_expect(*merges, ST_JSON_ARRAY));
    const size_t count = st_json_count(*merges);
    ST_TRY(start_merges(t, count));
    for (size_t i = 0; i < count; i++) {
        const st_json merge = st_json_element(merges, i);
        st_str left, right;
        if (st_json_kind_of(merge) == ST_JSON_TEXT) {
            ST_TRY(st_json_text(merge, &left));
            ST_TRY(add_merge_line(t, left, i));
            continue;
        }
        ST_TRY(st_json_text(st_json_element(&merge, 0), &left));
        ST_TRY(st_json_text(st_json_element(&merge, 1), &right));
        ST_TRY(add_merge(t, left, right, i));
    }
    return st_ok();
}

static st_status read_merges_text(st_tokenizer *t, st_str text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    ST_TRY(start_merges(t, lines));
    st_str line;
    size_t rank = 0;
    for (bool first = true; st_str_next_line(&line, &text); first = false) {
        if (line.size == 0 || (first && st_str_starts(line, "#version")))
            continue;
        ST_TRY(add_merge_line(t, line, rank++));
    }
    return st_ok();
}

/* --- added tokens ---------------------------------------------------------------------------- */

static st_status get_flag(bool *flag, const st_json *object, const char *key)
{
    const st_json value = st_json_member(object, key);
    *flag = false;
    return st_json_kind_of(value) == ST_JSON_ABSENT ? st_ok() : st_json_bool(value, flag);
}

/* Whether a setting is false, absent or null; anything else is refused. */
static st_status expect_off(const st_json *object, const char *key)
{
    const st_json value = st_json_member(object, key);
    bool on = false;
    if (st_json_kind_of(value) == ST_JSON_ABSENT || st_json_kind_of(value) == ST_JSON_NULL)
        return st_ok();
    ST_TRY(st_json_bool(value, &on));
    return on ? st_json_fail(value, ST_ERR_UNSUPPORTED, "only false is supported") : st_ok();
}

static st_status add_added(st_tokenizer *t, const st_json *entry, int32_t id)
{
    st_str content;
    bool   special, normalized;
    ST_TRY(st_json_text(st_json_member(entry, "content"), &content));
    if (content.size == 0)
        return st_json_fail(*entry, ST_ERR_DATA, "an added token without text");
    ST_TRY(get_flag(&special, entry, "special"));
    ST_TRY(get_flag(&normalized, entry, "normalized"));
    ST_TRY(expect_off(entry, "lstrip"));
    ST_TRY(expect_off(entry, "rstrip"));
    ST_TRY(expect_off(entry, "single_word"));
    const sti_token *taken = &t->tokens[id];
    if (taken->name.data && !st_str_equal(taken->bytes, content))
        return st_json_fail(*entry, ST_ERR_DATA, "id %d belongs to \"%.*s\" as well", id,
                            ST_STR_ARG(taken->name));

    sti_added *added = &t->added[t->added_count++];
    added->content.size = content.size;
    ST_TRY(st_arena_copy_text(&t->arena, &added->content.data, content.data, content.size));
    added->id = id;
    added->normalized = normalized;
    t->added_first[(unsigned char)content.data[0]] = true;
    if (!taken->name.data)
        t->tokens[id] = (sti_token){.name = added->content, .bytes = added->content};
    t->tokens[id].special = special;
    return st_ok();
}

static int longer_first(const void *a, const void *b)
{
    const sti_added *x = a, *y = b;
    if (x->content.size != y->content.size)
        return x->content.size > y->content.size ? -1 : 1;
    return st_str_compare(x->content, y->content);
}

static st_status read_added(st_tokenizer *t, const st_json *added)
{
    const size_t count = st_json_count(*added);
    ST_TRY(ST_ALLOC(&t->arena, &t->added, count));
    for (size_t i = 0; i < count; i++) {
        const st_json entry = st_json_element(added, i);
        int32_t id;
        ST_TRY(read_id(&id, st_json_member(&entry, "id")));
        ST_TRY(add_added(t, &entry, id));
    }
    if (count > 1)
        qsort(t->added, count, sizeof *t->added, longer_first);
    return st_ok();
}

/* --- the steps of a tokenizer.json ----------------------------------------------------------- */

static bool is_nothing(st_json value)
{
    return st_json_kind_of(value) == ST_JSON_ABSENT || st_json_kind_of(value) == ST_JSON_NULL;
}

/* A step itself, or each step of a Sequence kept under `list_key`. */
typedef st_status visit_step(st_tokenizer *t, const st_json *step, st_str type);

static st_status each_step(st_tokenizer *t, const st_json *step, const char *list_key,
                           visit_step *visit)
{
    st_str type;
    if (is_nothing(*step))
        return st_ok();
    ST_TRY(st_json_text(st_json_member(step, "type"), &type));
    if (!st_str_is(type, "Sequence"))
        return visit(t, step, type);
    const st_json list = st_json_member(step, list_key);
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    for (size_t i = 0; i < st_json_count(list); i++) {
        const st_json inner = st_json_element(&list, i);
        ST_TRY(st_json_text(st_json_member(&inner, "type"), &type));
        ST_TRY(visit(t, &inner, type));
    }
    return st_ok();
}

static st_status unknown_step(const st_json *step, st_str type)
{
    return st_json_fail(*step, ST_ERR_UNSUPPORTED, "the step %.*s is not supported",
                        ST_STR_ARG(type));
}

static st_status visit_normalizer(st_tokenizer *t, const st_json *step, st_str type)
{
    if (!st_str_is(type, "NFC"))
        return unknown_step(step, type);
    t->nfc = true;
    return st_ok();
}

static st_status add_pattern(st_tokenizer *t, const char *expression)
{
    if (t->pattern_count == STI_PATTERNS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "more than %d patterns", STI_PATTERNS_MAX);
    ST_TRY(st_pattern_create(&t->patterns[t->pattern_count], expression));
    t->pattern_count++;
    t->known_pattern = t->pattern_count == 1 && strcmp(expression, sti_known_pattern) == 0;
    return st_ok();
}

static st_status visit_split(st_tokenizer *t, const st_json *step, st_str type)
{
    if (st_str_is(type, "ByteLevel")) {
        bool regex = true;
        ST_TRY(expect_off(step, "add_prefix_space"));
        if (!is_nothing(st_json_member(step, "use_regex")))
            ST_TRY(st_json_bool(st_json_member(step, "use_regex"), &regex));
        return regex ? add_pattern(t, gpt2_pattern) : st_ok();
    }
    if (!st_str_is(type, "Split"))
        return unknown_step(step, type);
    const st_json pattern = st_json_member(step, "pattern");
    st_str expression, behavior;
    ST_TRY(st_json_text(st_json_member(&pattern, "Regex"), &expression));
    ST_TRY(st_json_text(st_json_member(step, "behavior"), &behavior));
    ST_TRY(expect_off(step, "invert"));
    if (!st_str_is(behavior, "Isolated"))
        return st_json_fail(st_json_member(step, "behavior"), ST_ERR_UNSUPPORTED,
                            "expected Isolated, found %.*s", ST_STR_ARG(behavior));
    return add_pattern(t, expression.data);
}

static st_status expect_empty(const st_json *object, const char *key)
{
    const st_json value = st_json_member(object, key);
    st_str text;
    ST_TRY(st_json_text_or_none(value, &text));
    if (text.size > 0)
        return st_json_fail(value, ST_ERR_UNSUPPORTED, "expected none, found \"%.*s\"",
                            ST_STR_ARG(text));
    return st_ok();
}

static st_status read_model(st_tokenizer *t, const st_json *model, const st_json *added)
{
    st_str type;
    ST_TRY(st_json_text_or_none(st_json_member(model, "type"), &type));
    if (type.data && !st_str_is(type, "BPE"))
        return st_json_fail(*model, ST_ERR_UNSUPPORTED, "expected BPE, found %.*s",
                            ST_STR_ARG(type));
    ST_TRY(expect_empty(model, "continuing_subword_prefix"));
    ST_TRY(expect_empty(model, "end_of_word_suffix"));
    ST_TRY(expect_off(model, "byte_fallback"));
    ST_TRY(get_flag(&t->ignore_merges, model, "ignore_merges"));
    const st_json vocab = st_json_member(model, "vocab"), merges = st_json_member(model, "merges");
    ST_TRY(read_vocab(t, &vocab, added));
    return read_merges(t, &merges);
}

static st_status read_document(st_tokenizer *t, const st_json *root)
{
    ST_TRY(st_json_expect(*root, ST_JSON_OBJECT));
    const st_json model = st_json_member(root, "model");
    const st_json added = st_json_member(root, "added_tokens");
    const st_json normalizer = st_json_member(root, "normalizer");
    const st_json splitter = st_json_member(root, "pre_tokenizer");
    ST_TRY(st_json_expect(model, ST_JSON_OBJECT));
    if (!is_nothing(added))
        ST_TRY(st_json_expect(added, ST_JSON_ARRAY));
    ST_TRY(each_step(t, &normalizer, "normalizers", visit_normalizer));
    ST_TRY(each_step(t, &splitter, "pretokenizers", visit_split));
    ST_TRY(read_model(t, &model, &added));
    return read_added(t, &added);
}

/* --- the older trio of files ----------------------------------------------------------------- */

/* {"151643": {"content": ..}, ..} of tokenizer_config.json, in the order of the file. */
static st_status read_added_decoder(st_tokenizer *t, const st_json *table)
{
    ST_TRY(st_json_expect(*table, ST_JSON_OBJECT));
    const size_t count = st_json_count(*table);
    int64_t *ids;
    ST_TRY(ST_ALLOC(&t->arena, &ids, count));
    ST_TRY(ST_ALLOC(&t->arena, &t->added, count));

    st_json member;
    int64_t size = t->size;
    st_json_walk walk = st_json_walk_start(table);
    for (size_t i = 0; st_json_walk_next(&walk, table, &member); i++) {
        if (!st_str_int(st_str_from(member.key), &ids[i]) || ids[i] < 0 || ids[i] >= ST_VOCAB_MAX)
            return st_json_fail(member, ST_ERR_FORMAT, "expected an id, found \"%s\"", member.key);
        size = ids[i] >= size ? ids[i] + 1 : size;
    }
    sti_token *tokens;
    ST_TRY(ST_ALLOC(&t->arena, &tokens, (size_t)size));
    memcpy(tokens, t->tokens, (size_t)t->size * sizeof *tokens);
    t->tokens = tokens;
    t->size = size;
    walk = st_json_walk_start(table);
    for (size_t i = 0; st_json_walk_next(&walk, table, &member); i++)
        ST_TRY(add_added(t, &member, (int32_t)ids[i]));
    if (count > 1)
        qsort(t->added, count, sizeof *t->added, longer_first);
    return st_ok();
}

static st_status read_config_added(st_tokenizer *t, const char *folder)
{
    const char *path;
    ST_TRY(st_path_join(&t->arena, &path, folder, "tokenizer_config.json"));
    if (!st_file_exists(path))
        return st_ok();
    st_json_doc *doc;
    ST_TRY(st_json_load(&doc, path));
    const st_json root = st_json_root(doc);
    const st_json table = st_json_member(&root, "added_tokens_decoder");
    const st_status s = is_nothing(table) ? st_ok() : read_added_decoder(t, &table);
    st_json_free(doc);
    return st_within(s, "%s", path);
}

static st_status load_trio(st_tokenizer *t, const char *folder, const char *vocab_path)
{
    const char *merges_path;
    st_str      merges;
    ST_TRY(st_path_join(&t->arena, &merges_path, folder, "merges.txt"));
    if (!st_file_exists(merges_path))
        return ST_FAIL(ST_ERR_DATA, "%s: vocab.json is there without merges.txt: the order of "
                                    "merges is unknown", folder);
    st_json_doc *doc;
    ST_TRY(st_json_load(&doc, vocab_path));
    const st_json   root = st_json_root(doc), none = {0};
    const st_status s = read_vocab(t, &root, &none);
    st_json_free(doc);
    ST_TRY(st_within(s, "%s", vocab_path));

    ST_TRY(st_file_read(&t->arena, &merges, merges_path, ST_TOKENIZER_BYTES_MAX));
    ST_TRY(st_within(read_merges_text(t, merges), "%s", merges_path));
    t->nfc = true;                      /* what the family's tokenizer class does by itself */
    ST_TRY(add_pattern(t, sti_known_pattern));
    return read_config_added(t, folder);
}

/* --- doors ----------------------------------------------------------------------------------- */

static st_status start(st_tokenizer **tokenizer)
{
    *tokenizer = calloc(1, sizeof **tokenizer);
    if (!*tokenizer)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a tokenizer");
    st_arena_init(&(*tokenizer)->arena, "tokenizer");
    return st_ok();
}

static st_status parse(st_tokenizer *t, st_str json)
{
    st_json_doc *doc;
    ST_TRY(st_json_parse(&doc, json));
    const st_json   root = st_json_root(doc);
    const st_status s = read_document(t, &root);
    st_json_free(doc);
    return s;
}

static st_status load(st_tokenizer *t, const char *folder)
{
    const char *path;
    ST_TRY(st_path_join(&t->arena, &path, folder, "tokenizer.json"));
    if (st_file_exists(path)) {
        st_map map;
        ST_TRY(st_map_open(&map, path));
        st_status s = map.size > ST_TOKENIZER_BYTES_MAX
                          ? ST_FAIL(ST_ERR_LIMIT, "%zu bytes, at most %zu are read", map.size,
                                    ST_TOKENIZER_BYTES_MAX)
                          : parse(t, (st_str){(const char *)map.data, map.size});
        st_map_close(&map);
        return st_within(s, "%s", path);
    }
    ST_TRY(st_path_join(&t->arena, &path, folder, "vocab.json"));
    if (st_file_exists(path))
        return load_trio(t, folder, path);
    return ST_FAIL(ST_ERR_IO, "%s: neither tokenizer.json nor vocab.json is there", folder);
}

st_status st_tokenizer_load(st_tokenizer **tokenizer, const char *folder)
{
    st_tokenizer *t;
    ST_TRY(start(&t));
    const st_status s = load(t, folder);
    if (s.code != ST_OK)
        st_tokenizer_free(t);
    else
        *tokenizer = t;
    return s;
}

st_status st_tokenizer_parse(st_tokenizer **tokenizer, st_str json)
{
    st_tokenizer *t;
    ST_TRY(start(&t));
    const st_status s = parse(t, json);
    if (s.code != ST_OK)
        st_tokenizer_free(t);
    else
        *tokenizer = t;
    return s;
}

void st_tokenizer_free(st_tokenizer *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->pattern_count; i++)
        st_pattern_free(t->patterns[i]);
    st_arena_free(&t->arena);
    free(t);
}
