/* letters.c - which letter the answer gets, and in which order the others stand (data.md Q-41).
 *
 * Letters are dealt in blocks: a block of n questions sees each of the n letters once, in a drawn
 * order, so that no letter is ahead of another by more than one. The other options keep the order
 * of a hash of the question's id: a checker can redo it from the row alone.
 */
#include "datagen/questions/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Deals that are tried until letters and contents look independent. */
enum { DEALS_MAX = 32 };

/* Tail of the gamma distribution, Q(a,x): series for P below a + 1, continued fraction above.
 * Source: Abramowitz and Stegun 6.5.29 and 6.5.31; Lentz 1976 for the fraction. */
static double gamma_tail(double a, double x)
{
    if (!(x > 0.0))
        return 1.0;
    const double front = exp(-x + a * log(x) - lgamma(a));
    if (x < a + 1.0) {
        double term = 1.0 / a, sum = term;
        for (int n = 1; n < 1000 && term > sum * 1e-15; n++) {
            term *= x / (a + n);
            sum += term;
        }
        return 1.0 - sum * front;
    }
    const double tiny = 1e-300;
    double b = x + 1.0 - a, c = 1.0 / tiny, d = 1.0 / b, h = d;
    for (int i = 1; i < 1000; i++) {
        const double an = -i * (i - a);
        b += 2.0;
        d = an * d + b;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = b + an / c;
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1.0) < 1e-15)
            break;
    }
    return h * front;
}

/* A content with its letter counts. */
typedef struct tally {
    const char *content;
    int64_t     letters[ST_OPTIONS_MAX], rows;
} tally;

static int by_content(const void *left, const void *right)
{
    return strcmp(((const tally *)left)->content, ((const tally *)right)->content);
}

/* Chi-square p of letter against content. Contents too rare to expect five rows in a cell are
 * taken together, as the test wants it. */
static st_status independence(double *p, st_arena *arena, const sti_dealt *all, const int *letter,
                              size_t count, int options)
{
    tally *rows;
    ST_TRY(ST_ALLOC(arena, &rows, count));
    for (size_t i = 0; i < count; i++) {
        rows[i] = (tally){.content = all[i].contents[0], .rows = 1};
        rows[i].letters[letter[i]] = 1;
    }
    qsort(rows, count, sizeof *rows, by_content);
    tally rest = {.content = ""};
    size_t kinds = 0;
    for (size_t start = 0, end; start < count; start = end) {
        tally sum = rows[start];
        for (end = start + 1; end < count && by_content(&rows[end], &rows[start]) == 0; end++) {
            sum.rows++;
            for (int l = 0; l < options; l++)
                sum.letters[l] += rows[end].letters[l];
        }
        if (sum.rows >= 5 * options) {
            rows[kinds++] = sum;            /* kinds <= start: what was read is overwritten */
            continue;
        }
        rest.rows += sum.rows;
        for (int l = 0; l < options; l++)
            rest.letters[l] += sum.letters[l];
    }
    if (rest.rows > 0)
        rows[kinds++] = rest;

    double square = 0.0;
    for (int l = 0; l < options; l++) {
        double column = 0.0;
        for (size_t k = 0; k < kinds; k++)
            column += (double)rows[k].letters[l];
        for (size_t k = 0; k < kinds; k++) {
            const double expected = column * (double)rows[k].rows / (double)count;
            const double off = (double)rows[k].letters[l] - expected;
            square += expected > 0.0 ? off * off / expected : 0.0;
        }
    }
    const double freedom = (double)(options - 1) * (double)(kinds > 0 ? kinds - 1 : 0);
    *p = freedom > 0.0 ? gamma_tail(freedom / 2.0, square / 2.0) : 1.0;
    return st_ok();
}

static int by_order(const void *left, const void *right)
{
    const sti_dealt *a = left, *b = right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return strcmp(a->record->id, b->record->id);
}

static void deal(int *letter, size_t count, int options, uint64_t key)
{
    int block[ST_OPTIONS_MAX];
    for (size_t i = 0; i < count; i++) {
        const size_t place = i % (size_t)options;
        if (place == 0) {
            for (int l = 0; l < options; l++)
                block[l] = l;
            st_rng rng = st_rng_from(st_hash_int(key, (int64_t)(i / (size_t)options)));
            st_rng_shuffle(&rng, block, (size_t)options, sizeof *block);
        }
        letter[i] = block[place];
    }
}

st_status sti_deal_letters(sti_dealt *all, size_t count, int options, st_question type,
                           const st_qa_settings *settings, st_arena *arena, double *letter_p)
{
    ST_ASSERT(options >= 2 && options <= ST_OPTIONS_MAX);
    qsort(all, count, sizeof *all, by_order);
    int *letter, *best;
    ST_TRY(ST_ALLOC(arena, &letter, count));
    ST_TRY(ST_ALLOC(arena, &best, count));
    *letter_p = -1.0;
    for (int d = 0; d < DEALS_MAX && !(*letter_p > 0.05); d++) {
        uint64_t key = st_hash_text(st_hash_int(settings->seed, d), "letters");
        key = st_hash_int(st_hash_text(key, st_question_name(type)), options);
        deal(letter, count, options, key);
        double p;
        ST_TRY(independence(&p, arena, all, letter, count, options));
        if (p > *letter_p) {
            *letter_p = p;
            memcpy(best, letter, count * sizeof *best);
        }
    }
    for (size_t i = 0; i < count; i++)
        ST_TRY(sti_options_print(all[i].record, arena, all[i].contents, best[i]));
    return st_ok();
}

/* --- the order of the options ----------------------------------------------------------------- */

typedef struct placed {
    const char *content;
    uint64_t    hash;
} placed;

static int by_hash(const void *left, const void *right)
{
    const placed *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return strcmp(a->content, b->content);
}

st_status sti_options_print(st_record *record, st_arena *arena,
                            const char *const contents[ST_OPTIONS_MAX], int letter)
{
    placed options[ST_OPTIONS_MAX];
    const int n = record->option_count;
    const uint64_t key = st_hash_text(0, record->id);
    for (int i = 0; i < n; i++)
        options[i] = (placed){contents[i], st_hash_text(key, contents[i])};
    qsort(options, (size_t)n, sizeof *options, by_hash);
    for (int i = 0; i < n; i++) {
        if (strcmp(options[i].content, contents[0]) != 0)
            continue;
        const placed swap = options[i];
        options[i] = options[letter];
        options[letter] = swap;
        break;
    }
    for (int i = 0; i < n; i++)
        ST_TRY(st_arena_printf(arena, &record->options[i], "%c. %s", 'A' + i,
                               options[i].content));
    ST_TRY(st_arena_printf(arena, &record->answer, "%c", 'A' + letter));
    record->answer_value = contents[0];
    return st_ok();
}
