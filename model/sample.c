/* sample.c - a heap over the logits gives them in order, as far as top-k and top-p want to look. */
#include "model/sample.h"

#include "kernels/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct st_sampler {
    st_sample_config config;
    int64_t          vocab, drawn;
    float           *score;         /* (V) logits after penalty and temperature     */
    double          *mass;          /* (V) exp(score - top) of the candidates taken */
    int32_t         *heap;          /* (V) token ids, largest score first           */
    unsigned char   *seen;          /* (V) */
};

st_sample_config st_sample_config_greedy(void)
{
    return (st_sample_config){
        .temperature = 0.0, .top_k = 0, .top_p = 1.0, .repetition_penalty = 1.0, .seed = 1};
}

st_status st_sample_config_check(const st_sample_config *c)
{
    if (!(c->temperature >= 0.0 && c->temperature <= 1e6))
        return ST_FAIL(ST_ERR_USAGE, "temperature must be 0 to 1e6, is %g", c->temperature);
    if (c->top_k < 0)
        return ST_FAIL(ST_ERR_USAGE, "top_k must be 0 or more, is %lld", (long long)c->top_k);
    if (!(c->top_p > 0.0 && c->top_p <= 1.0))
        return ST_FAIL(ST_ERR_USAGE, "top_p must be above 0 and at most 1, is %g", c->top_p);
    if (!(c->repetition_penalty > 0.0 && c->repetition_penalty <= 1e6))
        return ST_FAIL(ST_ERR_USAGE, "repetition_penalty must be above 0 and at most 1e6, is %g",
                       c->repetition_penalty);
    return st_ok();
}

st_status st_sampler_create(st_sampler **sampler, const st_sample_config *config, int64_t vocab)
{
    ST_TRY(st_sample_config_check(config));
    if (vocab < 1 || vocab > INT32_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a vocabulary of %lld tokens cannot be sampled",
                       (long long)vocab);

    st_sampler *s = calloc(1, sizeof *s);
    if (s) {
        *s = (st_sampler){.config = *config,
                          .vocab = vocab,
                          .score = calloc((size_t)vocab, sizeof *s->score),
                          .mass = calloc((size_t)vocab, sizeof *s->mass),
                          .heap = calloc((size_t)vocab, sizeof *s->heap),
                          .seen = calloc((size_t)vocab, sizeof *s->seen)};
    }
    if (!s || !s->score || !s->mass || !s->heap || !s->seen) {
        st_sampler_free(s);
        return ST_FAIL(ST_ERR_MEMORY, "no memory to sample from %lld tokens", (long long)vocab);
    }
    *sampler = s;
    return st_ok();
}

void st_sampler_free(st_sampler *s)
{
    if (!s)
        return;
    free(s->score);
    free(s->mass);
    free(s->heap);
    free(s->seen);
    free(s);
}

void st_sampler_reset(st_sampler *s)
{
    memset(s->seen, 0, (size_t)s->vocab);
    s->drawn = 0;
}

void st_sampler_note(st_sampler *s, int64_t token)
{
    ST_ASSERT(token >= 0 && token < s->vocab);
    s->seen[token] = 1;
}

/* Larger score first, lower id on a tie: one order, whatever the heap did. */
static bool comes_first(const st_sampler *s, int32_t a, int32_t b)
{
    return s->score[a] > s->score[b] || (s->score[a] == s->score[b] && a < b);
}

static void sink(st_sampler *s, int64_t at, int64_t count)
{
    const int32_t id = s->heap[at];
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && comes_first(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!comes_first(s, s->heap[child], id))
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = id;
}

/* The candidates in order sit at the end of the heap array: number i at heap[V - 1 - i]. */
static int32_t candidate(const st_sampler *s, int64_t i)
{
    return s->heap[s->vocab - 1 - i];
}

static int32_t take_next(st_sampler *s, int64_t taken)
{
    const int64_t count = s->vocab - taken;
    const int32_t id = s->heap[0];
    s->heap[0] = s->heap[count - 1];
    s->heap[count - 1] = id;
    sink(s, 0, count - 1);
    return id;
}

/* Keep top_k (and ties with the k-th) of the sorted candidates; all of them when top_k is 0. The
 * sum of their masses is what top_p is a share of. */
static int64_t keep_top_k(st_sampler *s, double *total)
{
    const int64_t k = s->config.top_k > 0 && s->config.top_k < s->vocab ? s->config.top_k
                                                                         : s->vocab;
    const float top = s->score[s->heap[0]];
    if (k == s->vocab) {        /* no order needed for the sum: take it by id, sort lazily */
        *total = 0.0;
        for (int64_t v = 0; v < s->vocab; v++)
            *total += exp((double)s->score[v] - top);
        return s->vocab;
    }
    int64_t kept = 0;
    *total = 0.0;
    while (kept < s->vocab) {
        if (kept >= k && s->score[s->heap[0]] < s->score[candidate(s, kept - 1)])
            break;
        const int32_t id = take_next(s, kept);
        s->mass[kept] = exp((double)s->score[id] - top);
        *total += s->mass[kept++];
    }
    return kept;
}

/* One draw among the candidates; those beyond top_p of the mass do not take part. */
static int32_t draw(st_sampler *s)
{
    const float top = s->score[s->heap[0]];
    double total;
    const int64_t kept = keep_top_k(s, &total);
    const bool sorted = kept < s->vocab;

    st_rng rng = st_rng_from(st_hash_int(st_hash_text(s->config.seed, "sample"), s->drawn));
    const double unit = st_rng_unit(&rng);

    /* The shortest prefix whose share exceeds top_p; its own mass is what the draw is spread on. */
    double prefix = 0.0;
    int64_t count = 0;
    while (count < kept) {
        if (!sorted) {
            const int32_t id = take_next(s, count);
            s->mass[count] = exp((double)s->score[id] - top);
        }
        prefix += s->mass[count++];
        if (s->config.top_p < 1.0 && prefix > s->config.top_p * total)
            break;
        /* Without top_p the place of the draw is known: no need to sort what lies behind it. */
        if (s->config.top_p >= 1.0 && prefix > unit * total)
            return candidate(s, count - 1);
    }

    double reached = 0.0;
    for (int64_t i = 0; i < count; i++) {
        reached += s->mass[i];
        if (reached > unit * prefix)
            return candidate(s, i);
    }
    return candidate(s, count - 1);
}

static int32_t largest(const st_sampler *s)
{
    int32_t best = 0;
    for (int32_t v = 1; v < s->vocab; v++)
        if (s->score[v] > s->score[best])
            best = v;
    return best;
}

st_status st_sampler_pick(st_sampler *s, int64_t *token, const float *logits)
{
    const float penalty = (float)s->config.repetition_penalty;
    const float scale = s->config.temperature > 0.0 ? (float)(1.0 / s->config.temperature) : 1.0f;
    for (int64_t v = 0; v < s->vocab; v++) {
        float x = logits[v];
        if (!(fabsf(x) <= 3.0e38f))
            return ST_FAIL(ST_ERR_NUMERIC, "logit %lld is not a finite number", (long long)v);
        if (s->seen[v])
            x = x > 0.0f ? x / penalty : x * penalty;
        s->score[v] = x * scale;
        s->heap[v] = (int32_t)v;
    }

    int32_t picked;
    if (s->config.temperature == 0.0) {
        picked = largest(s);
    } else {
        for (int64_t at = s->vocab / 2 - 1; at >= 0; at--)
            sink(s, at, s->vocab);
        picked = draw(s);
    }
    s->drawn++;
    s->seen[picked] = 1;
    *token = picked;
    return st_ok();
}

void st_stop_init(st_stop *stop, const st_str *words, size_t count)
{
    *stop = (st_stop){.words = words, .count = count};
    st_text_init(&stop->held);
    for (size_t i = 0; i < count; i++)
        ST_ASSERT(words[i].size > 0);
}

void st_stop_free(st_stop *stop)
{
    st_text_free(&stop->held);
}

/* Offset of the earliest stop string in `text`, or text.size. */
static size_t find_stop(const st_stop *stop, st_str text)
{
    for (size_t at = 0; at < text.size; at++)
        for (size_t i = 0; i < stop->count; i++) {
            const st_str word = stop->words[i];
            if (word.size <= text.size - at && memcmp(text.data + at, word.data, word.size) == 0)
                return at;
        }
    return text.size;
}

/* How many bytes at the end of `text` could still become a stop string. */
static size_t unsettled(const st_stop *stop, st_str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < stop->count; i++) {
        const st_str word = stop->words[i];
        size_t size = word.size - 1 < text.size ? word.size - 1 : text.size;
        for (; size > longest; size--)
            if (memcmp(text.data + text.size - size, word.data, size) == 0) {
                longest = size;
                break;
            }
    }
    return longest;
}

/* Bytes at the end of `text` that begin a character and do not finish it: at most three. */
static size_t unfinished(st_str text)
{
    for (size_t back = 1; back <= 3 && back <= text.size; back++) {
        const unsigned char c = (unsigned char)text.data[text.size - back];
        if (c >= 0xC0) {
            const size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
            return back < need ? back : 0;
        }
        if (c < 0x80)
            return 0;
    }
    return 0;
}

void st_stop_feed(st_stop *stop, st_str piece, st_text *out)
{
    if (stop->stopped)
        return;
    st_text_add_bytes(&stop->held, piece.data, piece.size);
    const st_str text = st_text_view(&stop->held);
    const size_t end = find_stop(stop, text);
    if (end < text.size) {
        st_text_add_bytes(out, text.data, end);
        st_text_clear(&stop->held);
        stop->stopped = true;
        return;
    }
    const size_t word = unsettled(stop, text), character = unfinished(text);
    const size_t keep = word > character ? word : character;
    st_text_add_bytes(out, text.data, text.size - keep);
    if (keep > 0)
        memmove(stop->held.data, stop->held.data + text.size - keep, keep);
    stop->held.size = keep;
}

void st_stop_finish(st_stop *stop, st_text *out)
{
    if (!stop->stopped)
        st_text_add_bytes(out, stop->held.data, stop->held.size);
    st_text_clear(&stop->held);
}
