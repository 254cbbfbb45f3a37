/* pools.c - phase 2, first half: caps per scene, then dropping rows until blind guessing stops
 * paying.
 *
 * Whatever is dropped is decided by the keyed order of the candidates, the later one first, so that
 * a seed gives the same rows however the scenes were read.
 */
#include "datagen/questions/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_order(const void *left, const void *right)
{
    return sti_candidate_order(*(sti_candidate *const *)left, *(sti_candidate *const *)right);
}

static int by_text(const void *left, const void *right)
{
    const st_qa_answer *a = left, *b = right;
    return strcmp(a->content, b->content);
}

/* What a candidate is counted by: its answer, or what it is about. */
typedef const char *text_of(const sti_candidate *one);

static const char *content_of(const sti_candidate *one)
{
    return one->content;
}

static const char *about_of(const sti_candidate *one)
{
    return one->about;
}

/* Count the texts of a pool: tally (texts, sorted), and in `which` (N) each candidate's place. */
static st_status count_texts(st_qa_answer **tally, size_t *count, size_t **which, st_arena *arena,
                             const sti_pool *pool, text_of *text)
{
    st_qa_answer *all;
    ST_TRY(ST_ALLOC(arena, &all, pool->count));
    for (size_t i = 0; i < pool->count; i++)
        all[i].content = text(pool->list[i]);
    qsort(all, pool->count, sizeof *all, by_text);
    *count = 0;
    for (size_t i = 0; i < pool->count; i++) {
        if (*count == 0 || strcmp(all[*count - 1].content, all[i].content) != 0)
            all[(*count)++] = (st_qa_answer){.content = all[i].content};
        all[*count - 1].rows++;
    }
    *tally = all;
    if (!which)
        return st_ok();
    ST_TRY(ST_ALLOC(arena, which, pool->count));
    for (size_t i = 0; i < pool->count; i++) {
        const st_qa_answer key = {.content = text(pool->list[i])};
        const st_qa_answer *at = bsearch(&key, all, *count, sizeof *all, by_text);
        (*which)[i] = (size_t)(at - all);
    }
    return st_ok();
}

st_status sti_pool_contents(st_qa_answer **answers, size_t *count, st_arena *arena,
                            const sti_pool *pool)
{
    return count_texts(answers, count, NULL, arena, pool, content_of);
}

/* --- caps per scene --------------------------------------------------------------------------- */

static size_t cap_of(const sti_pool *pool, const st_thresholds *t)
{
    switch (pool->type) {
    case ST_QUESTION_COUNTING:
        return (size_t)t->cap_counting;
    case ST_QUESTION_SIZE:
        return (size_t)t->cap_size;
    case ST_QUESTION_ROOM_SIZE:
        return (size_t)t->cap_room_size;
    case ST_QUESTION_ABS_DISTANCE:
        return (size_t)t->cap_abs_distance;
    case ST_QUESTION_REL_DISTANCE:
        return (size_t)(pool->options == 2   ? t->cap_rel_distance_2
                        : pool->options == 3 ? t->cap_rel_distance_3
                                             : t->cap_rel_distance_4);
    case ST_QUESTION_DIRECTION_EASY:
        return (size_t)t->cap_direction_easy;
    case ST_QUESTION_DIRECTION_MEDIUM:
        return (size_t)t->cap_direction_medium;
    case ST_QUESTION_DIRECTION_HARD:
        return (size_t)t->cap_direction_hard;
    case ST_QUESTION_ROUTE:             /* sti_routes_cap: its two pools share a cap */
    case ST_QUESTION_COUNT:
        break;
    }
    return 0;
}

/* A candidate with its turn: the first of every answer in a scene, rare answers ahead, then the
 * second of every answer, and so on. Counts of one come after all others: most of them go later
 * (limit_ones), and a place they had taken would stay empty. */
typedef struct turn {
    sti_candidate *one;
    bool           yields;
    int64_t        round, frequency;
} turn;

static bool counts_one(const sti_candidate *one)
{
    return one->type == ST_QUESTION_COUNTING && strcmp(one->content, "1") == 0;
}

static int by_scene_and_answer(const void *left, const void *right)
{
    const sti_candidate *a = ((const turn *)left)->one, *b = ((const turn *)right)->one;
    if (a->facts->scene_index != b->facts->scene_index)
        return a->facts->scene_index < b->facts->scene_index ? -1 : 1;
    const int content = strcmp(a->content, b->content);
    return content ? content : sti_candidate_order(a, b);
}

static int by_scene_and_turn(const void *left, const void *right)
{
    const turn *a = left, *b = right;
    if (a->one->facts->scene_index != b->one->facts->scene_index)
        return a->one->facts->scene_index < b->one->facts->scene_index ? -1 : 1;
    if (a->yields != b->yields)
        return a->yields ? 1 : -1;
    if (a->round != b->round)
        return a->round < b->round ? -1 : 1;
    if (a->frequency != b->frequency)
        return a->frequency < b->frequency ? -1 : 1;
    return sti_candidate_order(a->one, b->one);
}

st_status sti_pool_cap(sti_pool *pool, st_arena *arena, const st_qa_settings *settings)
{
    st_qa_answer *tally;
    size_t texts, *which;
    ST_TRY(count_texts(&tally, &texts, &which, arena, pool, content_of));
    turn *turns;
    ST_TRY(ST_ALLOC(arena, &turns, pool->count));
    for (size_t i = 0; i < pool->count; i++)
        turns[i] = (turn){pool->list[i], counts_one(pool->list[i]), 0,
                          settings->no_debias ? 0 : tally[which[i]].rows};
    if (!settings->no_debias) {
        qsort(turns, pool->count, sizeof *turns, by_scene_and_answer);
        for (size_t i = 1; i < pool->count; i++)
            if (turns[i].one->facts == turns[i - 1].one->facts &&
                strcmp(turns[i].one->content, turns[i - 1].one->content) == 0)
                turns[i].round = turns[i - 1].round + 1;
    }
    qsort(turns, pool->count, sizeof *turns, by_scene_and_turn);

    const size_t cap = cap_of(pool, &settings->thresholds);
    size_t kept = 0, in_scene = 0;
    for (size_t i = 0; i < pool->count; i++) {
        in_scene = i > 0 && turns[i].one->facts == turns[i - 1].one->facts ? in_scene + 1 : 0;
        if (in_scene < cap)
            pool->list[kept++] = turns[i].one;
    }
    pool->count = kept;
    qsort(pool->list, pool->count, sizeof *pool->list, by_order);
    return st_ok();
}

/* --- dropping --------------------------------------------------------------------------------- */

/* Take the marked ones out, keeping the order. */
static void drop_marked(sti_pool *pool, const bool *drop)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->count; i++)
        if (!drop[i])
            pool->list[kept++] = pool->list[i];
    pool->count = kept;
}

/* Cut every text to at most limit[place] rows: the first in order stay. */
static void cut_to(sti_pool *pool, const size_t *which, const int64_t *limit, int64_t *used)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->count; i++)
        if (used[which[i]]++ < limit[which[i]])
            pool->list[kept++] = pool->list[i];
    pool->count = kept;
}

/* The largest whole number c such that cutting every tally to c leaves no text above `share` of
 * what remains. Four texts cannot each stay below a quarter: then all are cut to the rarest. */
static int64_t even_limit(const st_qa_answer *tally, size_t texts, double share)
{
    int64_t most = 1;
    share = fmax(share, 1.0 / (double)(texts + !texts));
    for (size_t i = 0; i < texts; i++)
        most = tally[i].rows > most ? tally[i].rows : most;
    for (int64_t c = most; c > 1; c--) {
        int64_t total = 0;
        for (size_t i = 0; i < texts; i++)
            total += tally[i].rows < c ? tally[i].rows : c;
        if ((double)c <= share * (double)total * (1.0 + 1e-12))
            return c;
    }
    return 1;
}

/* Cut the most frequent texts until none has more than `share` of the pool. */
static st_status level(sti_pool *pool, st_arena *arena, text_of *text, double share)
{
    st_qa_answer *tally;
    size_t texts, *which;
    int64_t *limit, *used;
    ST_TRY(count_texts(&tally, &texts, &which, arena, pool, text));
    ST_TRY(ST_ALLOC(arena, &limit, texts));
    ST_TRY(ST_ALLOC(arena, &used, texts));
    const int64_t c = even_limit(tally, texts, share);
    for (size_t i = 0; i < texts; i++)
        limit[i] = c;
    cut_to(pool, which, limit, used);
    return st_ok();
}

st_status sti_pool_level(sti_pool *pool, st_arena *arena, double share)
{
    return level(pool, arena, content_of, share);
}

/* Rows that answer 1 are asked to keep "several" from being sure; few of them do. */
static st_status limit_ones(sti_pool *pool, st_arena *arena, const st_thresholds *t)
{
    st_qa_answer *tally;
    size_t texts, *which;
    int64_t *limit, *used, others = 0;
    ST_TRY(count_texts(&tally, &texts, &which, arena, pool, content_of));
    ST_TRY(ST_ALLOC(arena, &limit, texts));
    ST_TRY(ST_ALLOC(arena, &used, texts));
    for (size_t i = 0; i < texts; i++)
        others += strcmp(tally[i].content, "1") == 0 ? 0 : tally[i].rows;
    const double ones = t->count_one_share * (double)others / (1.0 - t->count_one_share);
    for (size_t i = 0; i < texts; i++)
        limit[i] = strcmp(tally[i].content, "1") == 0 ? (int64_t)floor(ones) : tally[i].rows;
    cut_to(pool, which, limit, used);
    return st_ok();
}

/* Counting: labels and answers of what occurs more than once level; each cut can upset the other,
 * so they take turns until nothing moves. The ones come back at the end: as labels they would ask
 * for rows that their limit forbids. */
static st_status balance_counting(sti_pool *pool, st_arena *arena, const st_thresholds *t)
{
    sti_candidate **ones;
    ST_TRY(ST_ALLOC(arena, &ones, pool->count));
    size_t kept = 0, one_count = 0;
    for (size_t i = 0; i < pool->count; i++) {
        if (strcmp(pool->list[i]->content, "1") == 0)
            ones[one_count++] = pool->list[i];
        else
            pool->list[kept++] = pool->list[i];
    }
    pool->count = kept;
    for (size_t before = SIZE_MAX; pool->count < before;) {
        before = pool->count;
        ST_TRY(level(pool, arena, about_of, t->count_label_share));
        ST_TRY(level(pool, arena, content_of, t->count_answer_share));
    }
    for (size_t i = 0; i < one_count; i++)  /* there is room: all of them stood here */
        pool->list[pool->count++] = ones[i];
    if (pool->count > 0)
        qsort(pool->list, pool->count, sizeof *pool->list, by_order);
    return limit_ones(pool, arena, t);
}

/* Sizes: half of what is usual for its label goes; then the best guessed rows, a few at a time,
 * because each drop moves the medians. */
static st_status balance_sizes(sti_pool *pool, st_arena *arena, const st_qa_settings *settings)
{
    const st_thresholds *t = &settings->thresholds;
    double mean_mra, *guess;
    bool *drop;
    ST_TRY(ST_ALLOC(arena, &guess, pool->count));
    ST_TRY(ST_ALLOC(arena, &drop, pool->count));
    ST_TRY(sti_guess_medians(&mean_mra, guess, arena, pool));
    for (size_t i = 0; i < pool->count; i++) {
        const double off = fabs(sti_answer_value(pool->list[i]) - guess[i]);
        st_rng rng = st_rng_from(st_hash_text(pool->list[i]->order, "usual size"));
        drop[i] = off <= t->size_usual_share * guess[i] && st_rng_unit(&rng) < t->size_usual_drop;
    }
    drop_marked(pool, drop);

    const st_arena_mark mark = st_arena_mark_get(arena);
    for (;;) {
        st_arena_rewind(arena, mark);
        ST_TRY(sti_guess_medians(&mean_mra, guess, arena, pool));
        if (!(mean_mra > t->blind_size_mra) || pool->count == 0)
            return st_ok();
        double best = 0.0;
        for (size_t i = 0; i < pool->count; i++) {
            guess[i] = sti_mra(guess[i], sti_answer_value(pool->list[i]));
            best = fmax(best, guess[i]);
        }
        size_t left = 1 + pool->count / 64;
        for (size_t i = pool->count; i-- > 0;) {
            drop[i] = left > 0 && guess[i] == best;
            left -= drop[i];
        }
        drop_marked(pool, drop);
    }
}

/* Distances: no answer more than twice as frequent as the mean. */
static st_status balance_bins(sti_pool *pool, st_arena *arena, const st_thresholds *t)
{
    for (size_t before = SIZE_MAX; pool->count < before;) {
        before = pool->count;
        st_qa_answer *tally;
        size_t texts, *which;
        int64_t *limit, *used;
        ST_TRY(count_texts(&tally, &texts, &which, arena, pool, content_of));
        ST_TRY(ST_ALLOC(arena, &limit, texts));
        ST_TRY(ST_ALLOC(arena, &used, texts));
        const double most = t->distance_bin_ratio * (double)pool->count / (double)(texts + !texts);
        for (size_t i = 0; i < texts; i++)
            limit[i] = (int64_t)floor(most);
        cut_to(pool, which, limit, used);
    }
    return st_ok();
}

/* Nearest: labels level, then rows that the nearest prior guesses go until it is no better than its
 * bound. */
static st_status balance_nearest(sti_pool *pool, st_arena *arena, const st_thresholds *t)
{
    const double bound = t->blind_content_ratio / pool->options;
    bool *hit;
    ST_TRY(ST_ALLOC(arena, &hit, pool->count));
    for (size_t before = SIZE_MAX; pool->count < before;) {
        before = pool->count;
        ST_TRY(level(pool, arena, content_of, t->nearest_answer_share));
        size_t hits;
        ST_TRY(sti_guess_nearest(&hits, hit, arena, pool));
        if ((double)hits <= bound * (double)pool->count)
            continue;
        /* Dropping d hits leaves (hits - d) of (count - d). A tenth of that at a time: the prior
         * learns from what is left. */
        const double need = ((double)hits - bound * (double)pool->count) / (1.0 - bound);
        size_t left = 1 + (size_t)(need / 10.0);
        for (size_t i = pool->count; i-- > 0;) {
            hit[i] = hit[i] && left > 0;
            left -= hit[i];
        }
        drop_marked(pool, hit);
    }
    return st_ok();
}

/* Directions: no sector more than sector_ratio times the rarest. */
static st_status balance_sectors(sti_pool *pool, st_arena *arena, const st_thresholds *t)
{
    st_qa_answer *tally;
    size_t texts, *which;
    int64_t *limit, *used, rarest = INT64_MAX;
    ST_TRY(count_texts(&tally, &texts, &which, arena, pool, content_of));
    ST_TRY(ST_ALLOC(arena, &limit, texts));
    ST_TRY(ST_ALLOC(arena, &used, texts));
    for (size_t i = 0; i < texts; i++)
        rarest = tally[i].rows < rarest ? tally[i].rows : rarest;
    for (size_t i = 0; i < texts; i++)
        limit[i] = (int64_t)floor(t->sector_ratio * (double)rarest);
    cut_to(pool, which, limit, used);
    return st_ok();
}

st_status sti_pool_limit(sti_pool *pool, st_arena *arena, const st_qa_settings *settings)
{
    if (pool->type == ST_QUESTION_COUNTING)
        return limit_ones(pool, arena, &settings->thresholds);
    return st_ok();
}

st_status sti_pool_balance(sti_pool *pool, st_arena *arena, const st_qa_settings *settings)
{
    const st_thresholds *t = &settings->thresholds;
    switch (pool->type) {
    case ST_QUESTION_COUNTING:
        return balance_counting(pool, arena, t);
    case ST_QUESTION_SIZE:
        return balance_sizes(pool, arena, settings);
    case ST_QUESTION_ABS_DISTANCE:
        return balance_bins(pool, arena, t);
    case ST_QUESTION_REL_DISTANCE:
        return balance_nearest(pool, arena, t);
    case ST_QUESTION_DIRECTION_EASY:
    case ST_QUESTION_DIRECTION_MEDIUM:
    case ST_QUESTION_DIRECTION_HARD:
        return balance_sectors(pool, arena, t);
    case ST_QUESTION_ROUTE:             /* sti_routes_balance */
    case ST_QUESTION_ROOM_SIZE:         /* one row a scene: there is nothing to choose among */
    case ST_QUESTION_COUNT:
        break;
    }
    return st_ok();
}

/* --- verdict ---------------------------------------------------------------------------------- */

st_status sti_pool_verdict(const char **why, st_arena *arena, const sti_pool *pool,
                           const st_blind *blind, const st_qa_settings *settings)
{
    const st_thresholds *t = &settings->thresholds;
    *why = NULL;
    if (settings->no_debias || pool->count == 0)
        return st_ok();
    const double slack = 1e-12;             /* 5 of 16 is 0.3125 and stays */
    if (pool->options > 0 && blind->content_majority > blind->bound_share + slack)
        return st_arena_printf(arena, why, "always the most frequent answer is right for %.1f %% "
                               "of %zu rows, the bound is %.1f %%",
                               100 * blind->content_majority, pool->count,
                               100 * blind->bound_share);
    if (pool->type == ST_QUESTION_REL_DISTANCE && blind->nearest_prior > blind->bound_share + slack)
        return st_arena_printf(arena, why, "the label that is usually nearest is right for %.1f %% "
                               "of %zu rows, the bound is %.1f %%", 100 * blind->nearest_prior,
                               pool->count, 100 * blind->bound_share);
    if (pool->type == ST_QUESTION_SIZE && blind->label_median_mra > blind->bound_mra + slack)
        return st_arena_printf(arena, why, "the median size of the label scores %.3f over %zu "
                               "rows, the bound is %.3f", blind->label_median_mra, pool->count,
                               blind->bound_mra);
    if (pool->type == ST_QUESTION_COUNTING &&
        blind->content_majority > t->count_answer_share + slack)
        return st_arena_printf(arena, why, "always the most frequent count is right for %.1f %% of "
                               "%zu rows, the bound is %.1f %%", 100 * blind->content_majority,
                               pool->count, 100 * t->count_answer_share);
    return st_ok();
}
