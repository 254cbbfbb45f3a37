/* abs_distance.c - how far apart are two things? (data.md 5.5, Q-23) */
#include "datagen/questions/internal.h"

#include <math.h>

/* How far the distance of two boxes may still stray from that of the surfaces in them; false where
 * nobody measured those. */
static bool gap_margin_m(double *margin_m, const sti_facts *facts, int a, int b)
{
    const st_thresholds *t = &facts->settings->thresholds;
    const double exact_m = sti_facts_exact(facts, sti_facts_referent(facts, a), b);
    double       gap_m;
    if (!st_scene_surface_gap(&gap_m, facts->scene, a, b))
        return false;
    *margin_m = fmax(t->distance_gap_m, t->distance_gap_share * exact_m) - fabs(gap_m - exact_m);
    return true;
}

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    const st_thresholds *t = &facts->settings->thresholds;
    for (int r = 0; r < facts->referent_count; r++) {
        for (int s = r + 1; s < facts->referent_count; s++) {
            const double d_m = sti_facts_distance(facts, r, facts->referents[s]);
            double margin_m;
            if (!(d_m >= t->distance_min_m && d_m <= t->distance_max_m) ||
                (gap_margin_m(&margin_m, facts, facts->referents[r], facts->referents[s]) &&
                 !(margin_m >= 0.0)))
                continue;
            char digits[64];
            sti_candidate c = {.facts = facts,
                               .type = ST_QUESTION_ABS_DISTANCE,
                               .slot = {facts->referents[r], facts->referents[s]},
                               .value = d_m};
            ST_TRY(st_arena_printf(all->arena, &c.about, "%s|%s",
                                   facts->scene->objects[c.slot[0]].label,
                                   facts->scene->objects[c.slot[1]].label));
            ST_TRY(st_arena_printf(all->arena, &c.content, "%s", st_print_fixed(digits, d_m, 1)));
            ST_TRY(sti_candidate_add(all, c, c.about));
        }
    }
    return st_ok();
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    (void)contents;
    const st_qa_settings *settings = one->facts->settings;
    const st_thresholds *t = &settings->thresholds;
    record->proof.unit = "m";
    record->proof.rule = settings->distance == ST_DISTANCE_EXACT ? ST_QA_RULES " Q-23"
                                                                 : ST_QA_RULES " Q-23 vsi";
    sti_add_margin(record, "distance_min_m", one->value - t->distance_min_m);
    sti_add_margin(record, "distance_max_m", t->distance_max_m - one->value);
    double margin_m;
    if (gap_margin_m(&margin_m, one->facts, one->slot[0], one->slot[1]))
        sti_add_margin(record, "distance_gap_m", margin_m);
    static const char *const roles[] = {"a", "b"};
    for (int i = 0; i < 2; i++)
        ST_TRY(sti_add_referent(record, arena, roles[i], one->facts->scene, &one->slot[i], 1));
    return sti_add_boxes(record, arena, one->facts->scene, one->slot, 2);
}

const sti_family sti_family_abs_distance = {find, describe};
