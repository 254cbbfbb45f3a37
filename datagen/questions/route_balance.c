/* route_balance.c - which routes are asked: a few of every scene, so that all together no turn and
 * no number of blanks pays a guesser (data.md 5.9, step 8).
 *
 * Routes with one blank have three options, the others four: two pools, whose shares depend on each
 * other. So they are chosen together, scene after scene, and then trimmed together.
 */
#include "datagen/questions/internal.h"

#include "datagen/questions/route_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS_MAX = 81 };                     /* to fill four blanks */

/* What was chosen so far. */
typedef struct tally {
    int64_t rows;
    int64_t blanks[ST_ROUTE_LEGS_MAX + 1];
    int64_t ways[ST_ROUTE_LEGS_MAX + 1][WAYS_MAX];      /* by blanks and answer */
    int64_t turns[ST_TURN_BACK + 1], turn_count;
} tally;

static st_turns turns_of(const sti_candidate *one)
{
    return st_route_answer(&one->facts->scene->routes[one->slot[0]]);
}

/* The place of an answer among all of its length. */
static int way_of(const st_turns *turns)
{
    int way = 0;
    for (int i = 0; i < turns->count; i++)
        way = 3 * way + (int)(turns->turn[i] - ST_TURN_LEFT);
    return way;
}

/* Count a candidate in (+1) or out (-1). */
static void count_in(tally *t, const sti_candidate *one, int sign)
{
    const st_turns turns = turns_of(one);
    t->rows += sign;
    t->blanks[turns.count] += sign;
    t->ways[turns.count][way_of(&turns)] += sign;
    t->turn_count += sign * turns.count;
    for (int i = 0; i < turns.count; i++)
        t->turns[turns.turn[i]] += sign;
}

static double blank_share(int blanks, const st_thresholds *t)
{
    const double shares[ST_ROUTE_LEGS_MAX + 1] = {
        0, t->route_blanks_1_share, t->route_blanks_2_share, t->route_blanks_3_share,
        t->route_blanks_4_share};
    return shares[blanks];
}

/* How much there would be of a candidate's kind already, against what there should be: once by its
 * number of blanks, once by its answer among those of that number. */
static double surplus(const tally *all, const sti_candidate *one, const st_thresholds *t)
{
    const st_turns turns = turns_of(one);
    const double blanks = (double)(all->blanks[turns.count] + 1);
    const double same = (double)(all->ways[turns.count][way_of(&turns)] + 1);
    return blanks / (blank_share(turns.count, t) * (double)(all->rows + 1)) +
           same * pow(3.0, turns.count) / blanks;
}

/* --- choosing --------------------------------------------------------------------------------- */

static int by_scene(const void *left, const void *right)
{
    const sti_candidate *a = *(sti_candidate *const *)left, *b = *(sti_candidate *const *)right;
    if (a->facts->scene_index != b->facts->scene_index)
        return a->facts->scene_index < b->facts->scene_index ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return sti_candidate_order(a, b);
}

/* Move up to `cap` of a scene's candidates to its front, the best first; of equals the first. */
static size_t choose(sti_candidate **list, size_t count, size_t cap, tally *all,
                     const st_qa_settings *settings)
{
    size_t chosen = 0;
    for (; chosen < cap && chosen < count; chosen++) {
        size_t best = chosen;
        double least = INFINITY;
        for (size_t i = chosen; i < count && !settings->no_debias; i++) {
            const double cost = surplus(all, list[i], &settings->thresholds);
            if (cost < least) {
                least = cost;
                best = i;
            }
        }
        sti_candidate *one = list[best];
        memmove(list + chosen + 1, list + chosen, (best - chosen) * sizeof *list);
        list[chosen] = one;
        count_in(all, one, 1);
    }
    return chosen;
}

/* Both pools as one list, sorted. */
static st_status join(sti_candidate ***list, size_t *count, st_arena *arena, const sti_pool *three,
                      const sti_pool *four, int (*order)(const void *, const void *))
{
    *count = three->count + four->count;
    ST_TRY(ST_ALLOC(arena, list, *count));
    for (size_t i = 0; i < *count; i++)
        (*list)[i] = i < three->count ? three->list[i] : four->list[i - three->count];
    if (*count > 0)
        qsort(*list, *count, sizeof **list, order);
    return st_ok();
}

static int by_pool_order(const void *left, const void *right)
{
    return sti_candidate_order(*(sti_candidate *const *)left, *(sti_candidate *const *)right);
}

/* What is left goes back where it came from. */
static void part(sti_pool *three, sti_pool *four, sti_candidate **list, size_t count)
{
    three->count = four->count = 0;
    if (count > 0)
        qsort(list, count, sizeof *list, by_pool_order);
    for (size_t i = 0; i < count; i++) {
        sti_pool *home = list[i]->options == three->options ? three : four;
        home->list[home->count++] = list[i];
    }
}

st_status sti_routes_cap(sti_pool *three, sti_pool *four, st_arena *arena,
                         const st_qa_settings *settings)
{
    sti_candidate **list;
    size_t count, kept = 0;
    tally all = {0};
    ST_TRY(join(&list, &count, arena, three, four, by_scene));
    for (size_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && list[end]->facts == list[start]->facts; end++)
            ;
        const size_t chosen = choose(list + start, end - start,
                                     (size_t)settings->thresholds.cap_route, &all, settings);
        memmove(list + kept, list + start, chosen * sizeof *list);
        kept += chosen;
    }
    part(three, four, list, kept);
    return st_ok();
}

/* --- trimming --------------------------------------------------------------------------------- */

/* Would the shares be better off without it? Two blanks are what fills up: the others may not have
 * more than their share. */
static bool is_surplus(const tally *all, const sti_candidate *one, const st_thresholds *t)
{
    static const double HAIR = 1e-9;
    const st_turns turns = turns_of(one);
    const double left = (double)all->turns[ST_TURN_LEFT], right = (double)all->turns[ST_TURN_RIGHT];
    const double allowed = blank_share(turns.count, t) * (double)all->rows;
    if (turns.count != 2 && (double)all->blanks[turns.count] > allowed + HAIR)
        return true;
    int lean = 0, back = 0;
    for (int i = 0; i < turns.count; i++) {
        lean += (turns.turn[i] == ST_TURN_LEFT) - (turns.turn[i] == ST_TURN_RIGHT);
        back += turns.turn[i] == ST_TURN_BACK;
    }
    if ((left > t->route_side_ratio * right && lean > 0) ||
        (right > t->route_side_ratio * left && lean < 0))
        return true;
    return back == 0 && (double)all->turns[ST_TURN_BACK] <
                            t->route_back_share * (double)all->turn_count - HAIR;
}

static int by_order(const void *left, const void *right)
{
    const sti_candidate *a = *(sti_candidate *const *)left, *b = *(sti_candidate *const *)right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return sti_candidate_order(a, b);
}

/* Drop what is too much, the last in order first. */
static st_status trim(sti_pool *three, sti_pool *four, st_arena *arena, const st_thresholds *t)
{
    sti_candidate **list;
    size_t count, kept = 0;
    tally all = {0};
    ST_TRY(join(&list, &count, arena, three, four, by_order));
    for (size_t i = 0; i < count; i++)
        count_in(&all, list[i], 1);
    for (size_t i = count; i-- > 0;)
        if (is_surplus(&all, list[i], t)) {
            count_in(&all, list[i], -1);
            list[i] = NULL;
        }
    for (size_t i = 0; i < count; i++)
        if (list[i])
            list[kept++] = list[i];
    part(three, four, list, kept);
    return st_ok();
}

st_status sti_routes_balance(sti_pool *three, sti_pool *four, st_arena *arena,
                             const st_qa_settings *settings)
{
    const st_thresholds *t = &settings->thresholds;
    for (size_t before = SIZE_MAX; three->count + four->count < before;) {
        before = three->count + four->count;
        ST_TRY(sti_pool_level(three, arena, t->blind_content_ratio / three->options));
        ST_TRY(sti_pool_level(four, arena, t->blind_content_ratio / four->options));
        ST_TRY(trim(three, four, arena, t));
    }
    return st_ok();
}
