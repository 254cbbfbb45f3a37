/* tokenizer.c - pieces to ids, and ids to text. */
#include "model/tokenizer_internal.h"

#include "kernels/base/rng.h"

#include <stdlib.h>
#include <string.h>

/* Most pieces of real text are short words met before, so a small direct-mapped memory of them
 * saves nearly all merging. One entry fills a cache line. */
enum { MEMORY_ENTRIES = 1 << 15, MEMORY_TEXT_BYTES = 26, MEMORY_IDS = 8 };

typedef struct memory_entry {
    uint32_t      hash;
    unsigned char size, count;          /* size 0: empty */
    char          text[MEMORY_TEXT_BYTES];
    int32_t       ids[MEMORY_IDS];
} memory_entry;
_Static_assert(sizeof(memory_entry) == 64, "an entry fills a cache line");

/* A piece while it is merged: a list of symbols, and a heap of candidate pairs. */
typedef struct symbol {
    int32_t id;                         /* -1: swallowed by its left neighbour */
    int32_t prev, next;                 /* -1 at the ends */
} symbol;

typedef struct candidate {
    uint32_t rank;
    int32_t  at;                        /* index of the left symbol */
    int32_t  left, right, merged;       /* ids when it was pushed: else it is stale */
} candidate;

struct st_encoder {
    const st_tokenizer *tokenizer;
    st_match           *matches[STI_PATTERNS_MAX];
    memory_entry       *memory;
    st_arena            arena;          /* ids and scratch of one call */
    int64_t            *ids;
    size_t              count, capacity;
    symbol             *symbols;
    size_t              symbol_capacity;
    candidate          *heap;
    size_t              heap_count, heap_capacity;
};

/* --- the two tables -------------------------------------------------------------------------- */

int32_t sti_name_find(const st_tokenizer *t, st_str name)
{
    size_t slot = (size_t)st_hash_str(0, name) & t->by_name_mask;
    while (t->by_name[slot] >= 0) {
        if (st_str_equal(t->tokens[t->by_name[slot]].name, name))
            return t->by_name[slot];
        slot = (slot + 1) & t->by_name_mask;
    }
    return -1;
}

size_t sti_merge_slot(const st_tokenizer *t, int32_t left, int32_t right)
{
    uint64_t x = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9E3779B97F4A7C15);
    x ^= x >> 32;
    size_t slot = (size_t)x & t->merge_mask;
    while (t->merges[slot].left >= 0 &&
           (t->merges[slot].left != left || t->merges[slot].right != right))
        slot = (slot + 1) & t->merge_mask;
    return slot;
}

const sti_merge *sti_merge_find(const st_tokenizer *t, int32_t left, int32_t right)
{
    const sti_merge *merge = &t->merges[sti_merge_slot(t, left, right)];
    return merge->left >= 0 ? merge : NULL;
}

int64_t st_tokenizer_size(const st_tokenizer *tokenizer)
{
    return tokenizer->size;
}

int64_t st_tokenizer_id(const st_tokenizer *tokenizer, const char *token)
{
    const st_str name = st_str_from(token);
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        if (st_str_equal(tokenizer->added[i].content, name))
            return tokenizer->added[i].id;
    }
    return sti_name_find(tokenizer, name);
}

st_str st_tokenizer_bytes(const st_tokenizer *tokenizer, int64_t id)
{
    if (id < 0 || id >= tokenizer->size || !tokenizer->tokens[id].name.data)
        return (st_str){"", 0};
    return tokenizer->tokens[id].bytes;
}

bool st_tokenizer_is_special(const st_tokenizer *tokenizer, int64_t id)
{
    return id >= 0 && id < tokenizer->size && tokenizer->tokens[id].special;
}

/* --- merging --------------------------------------------------------------------------------- */

static bool before(const candidate *a, const candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_up(candidate *heap, size_t i)
{
    while (i > 0) {
        const size_t parent = (i - 1) / 2;
        if (!before(&heap[i], &heap[parent]))
            return;
        const candidate moved = heap[i];
        heap[i] = heap[parent];
        heap[parent] = moved;
        i = parent;
    }
}

static void heap_down(candidate *heap, size_t count, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++) {
            if (before(&heap[child], &heap[least]))
                least = child;
        }
        if (least == i)
            return;
        const candidate moved = heap[i];
        heap[i] = heap[least];
        heap[least] = moved;
        i = least;
    }
}

/* Consider the pair of symbol `at` and its right neighbour. */
static void push_pair(st_encoder *e, int32_t at)
{
    if (at < 0 || e->symbols[at].next < 0)
        return;
    const int32_t    left = e->symbols[at].id, right = e->symbols[e->symbols[at].next].id;
    const sti_merge *merge = sti_merge_find(e->tokenizer, left, right);
    if (!merge)
        return;
    e->heap[e->heap_count] = (candidate){merge->rank, at, left, right, merge->merged};
    heap_up(e->heap, e->heap_count++);
}

/* Merge the best pair, again and again. A merge adds two candidates at most and removes a symbol,
 * so the heap never holds more than three per byte. */
static void merge_all(st_encoder *e)
{
    while (e->heap_count > 0) {
        const candidate best = e->heap[0];
        e->heap[0] = e->heap[--e->heap_count];
        heap_down(e->heap, e->heap_count, 0);

        symbol *left = &e->symbols[best.at];
        if (left->id != best.left || left->next < 0 || e->symbols[left->next].id != best.right)
            continue;
        symbol *right = &e->symbols[left->next];
        left->id = best.merged;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0)
            e->symbols[left->next].prev = best.at;
        push_pair(e, left->prev);
        push_pair(e, best.at);
    }
}

static st_status add_id(st_encoder *e, int64_t id)
{
    ST_TRY(ST_GROW(&e->arena, &e->ids, &e->capacity, e->count + 1));
    e->ids[e->count++] = id;
    return st_ok();
}

static st_status merge_piece(st_encoder *e, st_str piece)
{
    if (piece.size > INT32_MAX / 4)
        return ST_FAIL(ST_ERR_LIMIT, "a piece of %zu bytes without a break", piece.size);
    ST_TRY(ST_GROW(&e->arena, &e->symbols, &e->symbol_capacity, piece.size));
    ST_TRY(ST_GROW(&e->arena, &e->heap, &e->heap_capacity, 3 * piece.size));
    const int32_t count = (int32_t)piece.size;
    for (int32_t i = 0; i < count; i++)
        e->symbols[i] = (symbol){e->tokenizer->byte_id[(unsigned char)piece.data[i]], i - 1,
                                 i + 1 < count ? i + 1 : -1};
    e->heap_count = 0;
    for (int32_t i = 0; i < count; i++)
        push_pair(e, i);
    merge_all(e);
    for (int32_t i = 0; i >= 0; i = e->symbols[i].next)
        ST_TRY(add_id(e, e->symbols[i].id));
    return st_ok();
}

/* A token whose bytes are the whole piece, for files that want those left alone. */
static int32_t whole_token(const st_encoder *e, st_str piece)
{
    char   name[2 * 256];
    size_t size = 0;
    if (piece.size > 256)
        return -1;
    for (size_t i = 0; i < piece.size; i++) {
        const int32_t id = e->tokenizer->byte_id[(unsigned char)piece.data[i]];
        const st_str  letter = e->tokenizer->tokens[id].name;
        memcpy(name + size, letter.data, letter.size);      /* one character, at most 2 bytes */
        size += letter.size;
    }
    return sti_name_find(e->tokenizer, (st_str){name, size});
}

static st_status encode_piece(st_encoder *e, st_str piece)
{
    if (e->tokenizer->ignore_merges) {
        const int32_t whole = whole_token(e, piece);
        if (whole >= 0)
            return add_id(e, whole);
    }
    if (piece.size > MEMORY_TEXT_BYTES)
        return merge_piece(e, piece);

    const uint64_t hash = st_hash_str(0, piece);
    memory_entry  *m = &e->memory[hash % MEMORY_ENTRIES];
    const uint32_t tag = (uint32_t)(hash >> 32);
    if (m->hash != tag || m->size != piece.size || memcmp(m->text, piece.data, piece.size) != 0) {
        const size_t first = e->count;
        ST_TRY(merge_piece(e, piece));
        const size_t made = e->count - first;
        if (made <= MEMORY_IDS) {
            m->hash = tag;
            m->size = (unsigned char)piece.size;
            m->count = (unsigned char)made;
            memcpy(m->text, piece.data, piece.size);
            for (size_t i = 0; i < made; i++)
                m->ids[i] = (int32_t)e->ids[first + i];
        }
        return st_ok();
    }
    ST_TRY(ST_GROW(&e->arena, &e->ids, &e->capacity, e->count + m->count));
    for (int i = 0; i < m->count; i++)
        e->ids[e->count++] = m->ids[i];
    return st_ok();
}

/* --- cutting text into pieces ---------------------------------------------------------------- */

/* Split by pattern `level` and, inside each part, by the next ones. What lies between two matches
 * is a part as well. */
static st_status split_by_patterns(st_encoder *e, st_str text, int level)
{
    if (level >= STI_PATTERNS_MAX || level == e->tokenizer->pattern_count)
        return encode_piece(e, text);
    size_t at = 0;
    while (at < text.size) {
        bool found;
        size_t from = text.size, to = text.size;
        ST_TRY(st_match_find(e->matches[level], e->tokenizer->patterns[level], text, at, &found));
        if (found) {
            const st_str hit = st_match_group(e->matches[level], text, 0);
            from = (size_t)(hit.data - text.data);
            to = from + hit.size;
            if (hit.size == 0)          /* an empty match splits nothing */
                from = to = text.size;
        }
        if (from > at)
            ST_TRY(split_by_patterns(e, (st_str){text.data + at, from - at}, level + 1));
        if (to > from)
            ST_TRY(split_by_patterns(e, (st_str){text.data + from, to - from}, level + 1));
        at = to;
    }
    return st_ok();
}

static st_status encode_plain(st_encoder *e, st_str text)
{
    if (!e->tokenizer->known_pattern)
        return text.size > 0 ? split_by_patterns(e, text, 0) : st_ok();
    for (size_t at = 0; at < text.size;) {
        const size_t size = sti_split_known(text, at);
        ST_TRY(encode_piece(e, (st_str){text.data + at, size}));
        at += size;
    }
    return st_ok();
}

/* The longest added token of this kind at text[at], or NULL. */
static const sti_added *added_at(const st_tokenizer *t, st_str text, size_t at, bool normalized)
{
    if (!t->added_first[(unsigned char)text.data[at]])
        return NULL;
    for (size_t i = 0; i < t->added_count; i++) {
        const sti_added *a = &t->added[i];
        if (a->normalized == normalized && a->content.size <= text.size - at &&
            memcmp(a->content.data, text.data + at, a->content.size) == 0)
            return a;
    }
    return NULL;
}

static st_status encode_between(st_encoder *e, st_str text, bool normalized);

static st_status encode_gap(st_encoder *e, st_str gap, bool normalized)
{
    if (gap.size == 0)
        return st_ok();
    if (normalized)
        return encode_plain(e, gap);
    st_str normal = gap;
    if (e->tokenizer->nfc)
        ST_TRY(st_utf8_nfc(&e->arena, &normal, gap));
    return encode_between(e, normal, true);
}

/* Cut out added tokens, first those of the raw text, then those of the normalised one. */
static st_status encode_between(st_encoder *e, st_str text, bool normalized)
{
    size_t start = 0;
    for (size_t at = 0; at < text.size;) {
        const sti_added *a = added_at(e->tokenizer, text, at, normalized);
        if (!a) {
            at++;
            continue;
        }
        ST_TRY(encode_gap(e, (st_str){text.data + start, at - start}, normalized));
        ST_TRY(add_id(e, a->id));
        at += a->content.size;
        start = at;
    }
    return encode_gap(e, (st_str){text.data + start, text.size - start}, normalized);
}

st_status st_encode(st_encoder *e, const int64_t **ids, size_t *count, st_str text)
{
    const size_t bad = st_utf8_check(text);
    if (bad < text.size)
        return ST_FAIL(ST_ERR_FORMAT, "the text is not UTF-8 at byte %zu", bad);
    st_arena_reset(&e->arena);
    e->ids = NULL;
    e->symbols = NULL;
    e->heap = NULL;
    e->count = e->capacity = e->symbol_capacity = e->heap_capacity = 0;
    ST_TRY(ST_GROW(&e->arena, &e->ids, &e->capacity, text.size / 3 + 1));
    ST_TRY(encode_between(e, text, false));
    *ids = e->ids;
    *count = e->count;
    return st_ok();
}

st_status st_encoder_create(st_encoder **encoder, const st_tokenizer *tokenizer)
{
    st_encoder *e = calloc(1, sizeof *e);
    if (!e)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for an encoder");
    e->tokenizer = tokenizer;
    st_arena_init(&e->arena, "encoder");
    st_status s = st_ok();
    e->memory = calloc(MEMORY_ENTRIES, sizeof *e->memory);
    if (!e->memory)
        s = ST_FAIL(ST_ERR_MEMORY, "no memory for an encoder");
    for (int i = 0; s.code == ST_OK && i < tokenizer->pattern_count; i++)
        s = st_match_create(&e->matches[i], tokenizer->patterns[i]);
    if (s.code != ST_OK)
        st_encoder_free(e);
    else
        *encoder = e;
    return s;
}

void st_encoder_free(st_encoder *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->tokenizer->pattern_count; i++)
        st_match_free(e->matches[i]);
    st_arena_free(&e->arena);
    free(e->memory);
    free(e);
}
