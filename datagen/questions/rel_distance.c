/* rel_distance.c - which of two, three or four kinds is nearest to a thing? (data.md 5.6, Q-24) */
#include "datagen/questions/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTIONS_MIN = 2,
    OPTIONS_MAX = 4,
    OTHERS_MAX = OPTIONS_MAX - 1,
    /* Sets of options tried for one anchor, nearest kind and number of options. All are tried where
     * there are no more; a hall with thirty kinds would have thousands. */
    SETS_MAX = 16
};

/* What one anchor sees: its distance to every kind that may be offered. */
typedef struct view {
    const sti_facts *facts;
    int              anchor;                /* object                          */
    int             *kinds;                 /* those that may be offered       */
    double          *distance_m;            /* of facts->kinds, by their index */
    int              count;
} view;

/* How much farther a kind is than the answer, minus how much it must be. */
static double gap_margin_m(double nearest_m, double other_m, const st_thresholds *t)
{
    return other_m - nearest_m - fmax(t->nearest_gap_m, t->nearest_gap_share * other_m);
}

static st_status gather_view(view *v, st_arena *arena, const sti_facts *facts, int r)
{
    *v = (view){.facts = facts, .anchor = facts->referents[r]};
    ST_TRY(ST_ALLOC(arena, &v->kinds, (size_t)facts->kind_count));
    ST_TRY(ST_ALLOC(arena, &v->distance_m, (size_t)facts->kind_count));
    const char *anchor = facts->scene->objects[v->anchor].label;
    for (int k = 0; k < facts->kind_count; k++) {
        if (!facts->kinds[k].whole || st_label_confusable(anchor, facts->kinds[k].label))
            continue;
        v->distance_m[k] = sti_facts_kind_distance(facts, r, &facts->kinds[k], NULL);
        v->kinds[v->count++] = k;
    }
    return st_ok();
}

/* No two of the offered kinds go by each other's name. */
static bool tells_apart(const sti_facts *facts, const int *kinds, int count)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++)
            if (sti_kinds_confusable(&facts->kinds[kinds[i]], &facts->kinds[kinds[k]]))
                return false;
    return true;
}

static st_status add(sti_candidates *all, const view *v, const int *offered, int options)
{
    const sti_facts *facts = v->facts;
    if (!tells_apart(facts, offered, options))
        return st_ok();
    sti_candidate c = {.facts = facts,
                       .type = ST_QUESTION_REL_DISTANCE,
                       .options = options,
                       .slot = {v->anchor},
                       .content = facts->kinds[offered[0]].label,
                       .about = facts->scene->objects[v->anchor].label,
                       .value = v->distance_m[offered[0]]};
    char key[(OPTIONS_MAX + 1) * 256];
    int at = snprintf(key, sizeof key, "%s", c.about);
    for (int i = 0; i < options; i++) {
        c.slot[1 + i] = offered[i];
        at += snprintf(key + at, sizeof key - (size_t)at, "|%.200s",
                       facts->kinds[offered[i]].label);
    }
    return sti_candidate_add(all, c, key);
}

/* The number of ways to take `take` of `from`, but no more than SETS_MAX + 1. */
static int ways(int from, int take)
{
    double n = 1.0;
    for (int i = 0; i < take; i++)
        n = n * (from - i) / (i + 1);
    return n > SETS_MAX ? SETS_MAX + 1 : (int)(n + 0.5);
}

/* The next increasing choice of `take` places below `from`; false after the last. */
static bool next_choice(int *places, int take, int from)
{
    for (int i = take - 1; i >= 0; i--) {
        if (places[i] < from - take + i) {
            places[i]++;
            for (int k = i + 1; k < take; k++)
                places[k] = places[k - 1] + 1;
            return true;
        }
    }
    return false;
}

/* An increasing choice drawn at random (Floyd 1987), sorted as it grows. */
static void draw_choice(int *places, int take, int from, st_rng *rng)
{
    int count = 0;
    for (int top = from - take; top < from; top++) {
        int place = (int)st_rng_below(rng, (uint64_t)top + 1);
        for (int i = 0; i < count; i++)
            if (places[i] == place)
                place = top;
        int i = count++;
        for (; i > 0 && places[i - 1] > place; i--)
            places[i] = places[i - 1];
        places[i] = place;
    }
}

/* All sets, or SETS_MAX drawn ones, of `options` kinds with `nearest` first and the others among
 * `farther`. */
static st_status add_sets(sti_candidates *all, const view *v, int nearest, const int *farther,
                          int count, int options)
{
    const int take = options - 1, number = ways(count, take);
    if (count < take)
        return st_ok();
    uint64_t key = st_hash_text(v->facts->key, "rel_distance");
    key = st_hash_text(key, v->facts->scene->objects[v->anchor].label);
    key = st_hash_int(st_hash_text(key, v->facts->kinds[nearest].label), options);
    st_rng rng = st_rng_from(key);

    int seen[SETS_MAX][OTHERS_MAX] = {{0}}, places[OTHERS_MAX] = {0, 1, 2};
    int sets = 0;
    for (int tries = 0; tries < 4 * SETS_MAX && sets < SETS_MAX; tries++) {
        if (number > SETS_MAX)
            draw_choice(places, take, count, &rng);
        bool repeated = false;
        for (int s = 0; s < sets && !repeated; s++)
            repeated = memcmp(seen[s], places, (size_t)take * sizeof *places) == 0;
        if (!repeated) {
            memcpy(seen[sets++], places, (size_t)take * sizeof *places);
            int offered[OPTIONS_MAX] = {nearest};
            for (int i = 0; i < take; i++)
                offered[1 + i] = farther[places[i]];
            ST_TRY(add(all, v, offered, options));
        }
        if (number <= SETS_MAX && !next_choice(places, take, count))
            break;
    }
    return st_ok();
}

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    const st_thresholds *t = &facts->settings->thresholds;
    int *farther;
    ST_TRY(ST_ALLOC(all->arena, &farther, (size_t)facts->kind_count));
    for (int r = 0; r < facts->referent_count; r++) {
        view v;
        ST_TRY(gather_view(&v, all->arena, facts, r));
        for (int i = 0; i < v.count; i++) {
            const double nearest_m = v.distance_m[v.kinds[i]];
            if (!(nearest_m >= t->nearest_min_m && nearest_m <= t->nearest_max_m))
                continue;
            int count = 0;
            for (int k = 0; k < v.count; k++)
                if (k != i && gap_margin_m(nearest_m, v.distance_m[v.kinds[k]], t) >= 0.0)
                    farther[count++] = v.kinds[k];
            for (int options = OPTIONS_MIN; options <= OPTIONS_MAX; options++)
                ST_TRY(add_sets(all, &v, v.kinds[i], farther, count, options));
        }
    }
    return st_ok();
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    const sti_facts *facts = one->facts;
    const st_qa_settings *settings = facts->settings;
    const st_thresholds *t = &settings->thresholds;
    const int r = sti_facts_referent(facts, one->slot[0]);
    static const char *const inputs[] = {"option1_m", "option2_m", "option3_m", "option4_m"};
    static const char *const roles[] = {"option1", "option2", "option3", "option4"};
    record->proof.unit = "m";
    record->proof.rule = settings->distance == ST_DISTANCE_EXACT ? ST_QA_RULES " Q-24"
                                                                 : ST_QA_RULES " Q-24 vsi";
    ST_TRY(sti_add_referent(record, arena, "anchor", facts->scene, one->slot, 1));

    /* Roles go by label, so that the place of the answer does not show in them. */
    int kinds[OPTIONS_MAX], deciding[1 + OPTIONS_MAX] = {one->slot[0]};
    for (int i = 0; i < one->options; i++) {
        int at = i;
        for (; at > 0 && kinds[at - 1] > one->slot[1 + i]; at--)
            kinds[at] = kinds[at - 1];
        kinds[at] = one->slot[1 + i];
        contents[i] = facts->kinds[one->slot[1 + i]].label;
    }
    double second_m = INFINITY;
    for (int i = 0; i < one->options; i++) {
        const sti_kind *kind = &facts->kinds[kinds[i]];
        const double d_m = sti_facts_kind_distance(facts, r, kind, &deciding[1 + i]);
        sti_add_input(record, inputs[i], d_m);
        if (kinds[i] != one->slot[1])
            second_m = fmin(second_m, d_m);
        ST_TRY(sti_add_referent(record, arena, roles[i], facts->scene, kind->objects,
                                kind->count));
    }
    sti_add_margin(record, "nearest_min_m", one->value - t->nearest_min_m);
    sti_add_margin(record, "nearest_max_m", t->nearest_max_m - one->value);
    sti_add_margin(record, "nearest_gap_m", gap_margin_m(one->value, second_m, t));
    return sti_add_boxes(record, arena, facts->scene, deciding, 1 + one->options);
}

const sti_family sti_family_rel_distance = {find, describe};
