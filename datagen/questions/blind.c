/* blind.c - what somebody scores who never looks: closed-form guessers (data.md 5.16, Q-43).
 *
 * Majorities and medians are taken over the very rows they are tested on, which flatters them: a
 * bound that holds here holds for a guesser that has to learn elsewhere. Priors have so many
 * entries that they would know every row by heart; they learn from all scenes but the one they are
 * tested on.
 * Source of the idea: text-only probing of question sets; these are its cheap stand-in.
 */
#include "datagen/questions/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double sti_mra(double guess, double truth)
{
    int right = 0;
    for (int i = 0; i < 10; i++) {
        /* |guess - truth| / truth <= 1 - (0.50 + 0.05 i), as whole twentieths: 10 - i of them. A
         * hair of room keeps 1.1 against 1.0 at a tenth, whatever the last bit says. */
        if (20.0 * fabs(guess - truth) <= (10 - i) * truth * (1.0 + 1e-12))
            right++;
    }
    return right / 10.0;
}

/* --- medians ---------------------------------------------------------------------------------- */

typedef struct valued {
    const char *about;
    double      value;
    size_t      index;
} valued;

static int by_about_and_value(const void *left, const void *right)
{
    const valued *a = left, *b = right;
    const int about = strcmp(a->about, b->about);
    if (about)
        return about;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static double median_of(const valued *sorted, size_t count)
{
    const size_t middle = count / 2;
    return count % 2 ? sorted[middle].value
                     : 0.5 * (sorted[middle - 1].value + sorted[middle].value);
}

/* The answer as a number: what is printed, for that is what a guess is held against. */
double sti_answer_value(const sti_candidate *one)
{
    double value = 0.0;
    ST_ASSERT(st_str_double(st_str_from(one->content), &value));
    return value;
}

static st_status guess_medians(double *mean_mra, double *guess, st_arena *arena,
                               const sti_pool *pool, bool by_label)
{
    valued *all;
    ST_TRY(ST_ALLOC(arena, &all, pool->count));
    for (size_t i = 0; i < pool->count; i++)
        all[i] = (valued){by_label ? pool->list[i]->about : "", sti_answer_value(pool->list[i]), i};
    qsort(all, pool->count, sizeof *all, by_about_and_value);
    double sum = 0.0;
    for (size_t start = 0, end; start < pool->count; start = end) {
        for (end = start + 1;
             end < pool->count && strcmp(all[end].about, all[start].about) == 0; end++)
            ;
        const double median = median_of(all + start, end - start);
        for (size_t i = start; i < end; i++) {
            sum += sti_mra(median, all[i].value);
            if (guess)
                guess[all[i].index] = median;
        }
    }
    *mean_mra = pool->count ? sum / (double)pool->count : 0.0;
    return st_ok();
}

st_status sti_guess_medians(double *mean_mra, double *guess, st_arena *arena, const sti_pool *pool)
{
    return guess_medians(mean_mra, guess, arena, pool, true);
}

/* --- priors ----------------------------------------------------------------------------------- */

/* The rows of a pool, those of a scene next to each other. */
typedef struct row {
    const sti_candidate *one;
    size_t               index;
} row;

static int by_scene(const void *left, const void *right)
{
    const row *a = left, *b = right;
    const uint32_t scene_a = a->one->facts->scene_index, scene_b = b->one->facts->scene_index;
    if (scene_a != scene_b)
        return scene_a < scene_b ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static st_status sort_rows(row **rows, st_arena *arena, const sti_pool *pool)
{
    ST_TRY(ST_ALLOC(arena, rows, pool->count));
    for (size_t i = 0; i < pool->count; i++)
        (*rows)[i] = (row){pool->list[i], i};
    qsort(*rows, pool->count, sizeof **rows, by_scene);
    return st_ok();
}

static size_t scene_end(const row *rows, size_t start, size_t count)
{
    size_t end = start + 1;
    while (end < count && rows[end].one->facts == rows[start].one->facts)
        end++;
    return end;
}

/* A label, how often it was offered, and how often it was the answer. */
typedef struct offer {
    const char *label;
    int64_t     offered, won;
} offer;

static int by_label(const void *left, const void *right)
{
    return strcmp(((const offer *)left)->label, ((const offer *)right)->label);
}

static const char *option_label(const sti_candidate *one, int i)
{
    return one->facts->kinds[one->slot[1 + i]].label;
}

static offer *find_offer(offer *offers, size_t count, const char *label)
{
    return bsearch(&(offer){.label = label}, offers, count, sizeof *offers, by_label);
}

/* Add a row to the tallies, or with sign -1 take it out. */
static void tally_row(offer *offers, size_t count, const sti_candidate *one, int sign)
{
    for (int k = 0; k < one->options; k++) {
        offer *o = find_offer(offers, count, option_label(one, k));
        o->offered += sign;
        o->won += k == 0 ? sign : 0;        /* the first kind is the nearest */
    }
}

static st_status count_offers(offer **offers, size_t *count, st_arena *arena, const sti_pool *pool)
{
    const size_t options = (size_t)pool->options, n = pool->count * options;
    offer *all;
    ST_TRY(ST_ALLOC(arena, &all, n));
    for (size_t i = 0; i < n; i++)
        all[i].label = option_label(pool->list[i / options], (int)(i % options));
    qsort(all, n, sizeof *all, by_label);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (*count == 0 || strcmp(all[*count - 1].label, all[i].label) != 0)
            all[(*count)++] = (offer){.label = all[i].label};
    for (size_t i = 0; i < pool->count; i++)
        tally_row(all, *count, pool->list[i], 1);
    *offers = all;
    return st_ok();
}

/* The offered label that is nearest most often is the nearest one. Rates are (won + 1) of
 * (offered + options), so that a label never met counts as chance; they are compared as products,
 * and of equal ones the first label by name is guessed. */
static bool guess_is_right(offer *offers, size_t count, const sti_candidate *one)
{
    const offer *best = NULL;
    for (int k = 0; k < one->options; k++) {
        const offer *o = find_offer(offers, count, option_label(one, k));
        if (!best) {
            best = o;
            continue;
        }
        const int64_t mine = (o->won + 1) * (best->offered + one->options);
        const int64_t theirs = (best->won + 1) * (o->offered + one->options);
        if (mine > theirs || (mine == theirs && strcmp(o->label, best->label) < 0))
            best = o;
    }
    return best && strcmp(best->label, option_label(one, 0)) == 0;
}

st_status sti_guess_nearest(size_t *hits, bool *hit, st_arena *arena, const sti_pool *pool)
{
    offer *offers;
    row *rows;
    size_t count;
    ST_TRY(count_offers(&offers, &count, arena, pool));
    ST_TRY(sort_rows(&rows, arena, pool));
    *hits = 0;
    for (size_t start = 0, end; start < pool->count; start = end) {
        end = scene_end(rows, start, pool->count);
        for (size_t i = start; i < end; i++)
            tally_row(offers, count, rows[i].one, -1);
        for (size_t i = start; i < end; i++) {
            const bool right = guess_is_right(offers, count, rows[i].one);
            *hits += right;
            if (hit)
                hit[rows[i].index] = right;
        }
        for (size_t i = start; i < end; i++)
            tally_row(offers, count, rows[i].one, 1);
    }
    return st_ok();
}

/* A pair of labels and how often each sector was the answer. */
typedef struct usual {
    const char *about;
    int64_t     rows[ST_OPTIONS_MAX];
} usual;

static int by_about(const void *left, const void *right)
{
    return strcmp(((const usual *)left)->about, ((const usual *)right)->about);
}

static int sector_of(const sti_candidate *one)
{
    int sector = 0;
    while (strcmp(sti_sector_name(one->type, sector), one->content) != 0)
        sector++;
    return sector;
}

static void tally_sector(usual *all, size_t count, const sti_candidate *one, int sign)
{
    usual *u = bsearch(&(usual){.about = one->about}, all, count, sizeof *all, by_about);
    u->rows[sector_of(one)] += sign;
}

/* The most frequent sector of the row's pair of labels; of equally frequent ones the first. */
static int usual_sector(const usual *all, size_t count, const sti_candidate *one)
{
    const usual *u = bsearch(&(usual){.about = one->about}, all, count, sizeof *all, by_about);
    int best = 0;
    for (int k = 1; k < one->options; k++)
        best = u->rows[k] > u->rows[best] ? k : best;
    return best;
}

/* Share of rows whose sector is the usual one of their pair of labels. */
static st_status guess_sectors(double *share, st_arena *arena, const sti_pool *pool)
{
    usual *all;
    row *rows;
    ST_TRY(ST_ALLOC(arena, &all, pool->count));
    ST_TRY(sort_rows(&rows, arena, pool));
    for (size_t i = 0; i < pool->count; i++)
        all[i].about = pool->list[i]->about;
    qsort(all, pool->count, sizeof *all, by_about);
    size_t count = 0;
    for (size_t i = 0; i < pool->count; i++)
        if (count == 0 || strcmp(all[count - 1].about, all[i].about) != 0)
            all[count++] = (usual){.about = all[i].about};

    for (size_t i = 0; i < pool->count; i++)
        tally_sector(all, count, rows[i].one, 1);
    size_t right = 0;
    for (size_t start = 0, end; start < pool->count; start = end) {
        end = scene_end(rows, start, pool->count);
        for (size_t i = start; i < end; i++)
            tally_sector(all, count, rows[i].one, -1);
        for (size_t i = start; i < end; i++)
            right += usual_sector(all, count, rows[i].one) == sector_of(rows[i].one);
        for (size_t i = start; i < end; i++)
            tally_sector(all, count, rows[i].one, 1);
    }
    *share = pool->count ? (double)right / (double)pool->count : 0.0;
    return st_ok();
}

/* --- all of them ------------------------------------------------------------------------------ */

st_status sti_pool_blind(st_blind *blind, st_arena *arena, const sti_pool *pool,
                         const st_thresholds *t)
{
    *blind = (st_blind){-1, -1, -1, -1, -1, -1, -1, -1, -1};
    st_qa_answer *answers;
    size_t count;
    int64_t most = 0;
    ST_TRY(sti_pool_contents(&answers, &count, arena, pool));
    for (size_t i = 0; i < count; i++)
        most = answers[i].rows > most ? answers[i].rows : most;
    const double n = pool->count ? (double)pool->count : 1.0;
    blind->content_majority = (double)most / n;

    if (pool->options == 0) {
        if (pool->type == ST_QUESTION_SIZE)
            blind->bound_mra = t->blind_size_mra;
        if (pool->type == ST_QUESTION_COUNTING)
            blind->bound_share = t->count_answer_share;
        ST_TRY(guess_medians(&blind->overall_median_mra, NULL, arena, pool, false));
        if (pool->type != ST_QUESTION_ROOM_SIZE)
            ST_TRY(guess_medians(&blind->label_median_mra, NULL, arena, pool, true));
        return st_ok();
    }
    blind->bound_share = t->blind_content_ratio / pool->options;
    if (pool->type == ST_QUESTION_REL_DISTANCE) {
        size_t hits;
        ST_TRY(sti_guess_nearest(&hits, NULL, arena, pool));
        blind->nearest_prior = (double)hits / n;
        return st_ok();
    }
    if (pool->type == ST_QUESTION_ROUTE)
        return st_ok();
    return guess_sectors(&blind->sector_prior, arena, pool);
}
