/* object_size.c - how long is the longest side of a thing? (data.md 5.3, Q-21) */
#include "datagen/questions/internal.h"

#include <math.h>

/* How much the longest side may differ between the two boxes of an object, minus how much it does:
 * what is not negative is stable. Published metadata has one box, which agrees with itself. */
static double stability_m(const st_object *object, const st_thresholds *t)
{
    const double longest_m = st_obb_longest_side(&object->box);
    const double allowed_m = fmax(t->size_stable_m, t->size_stable_share * longest_m);
    if (!object->has_box_min)
        return allowed_m;
    return allowed_m - fabs(st_obb_longest_side(&object->box_min) - longest_m);
}

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    const st_thresholds *t = &facts->settings->thresholds;
    for (int r = 0; r < facts->referent_count; r++) {
        const st_object *object = &facts->scene->objects[facts->referents[r]];
        const double longest_m = st_obb_longest_side(&object->box);
        if (!(longest_m >= t->size_min_m && longest_m <= t->size_max_m &&
              stability_m(object, t) >= 0.0) ||
            (object->flags & ST_FLAG_SCATTERED))
            continue;
        char digits[64];
        sti_candidate c = {.facts = facts,
                           .type = ST_QUESTION_SIZE,
                           .slot = {facts->referents[r]},
                           .about = object->label,
                           .value = 100.0 * longest_m};
        ST_TRY(st_arena_printf(all->arena, &c.content, "%s",
                               st_print_fixed(digits, c.value, 0)));
        ST_TRY(sti_candidate_add(all, c, object->label));
    }
    return st_ok();
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    (void)contents;
    const st_thresholds *t = &one->facts->settings->thresholds;
    const st_object *object = &one->facts->scene->objects[one->slot[0]];
    const double longest_m = st_obb_longest_side(&object->box);
    record->proof.unit = "cm";
    record->proof.rule = ST_QA_RULES " Q-21";
    sti_add_margin(record, "size_min_m", longest_m - t->size_min_m);
    sti_add_margin(record, "size_max_m", t->size_max_m - longest_m);
    if (object->has_box_min)
        sti_add_margin(record, "size_stable_m", stability_m(object, t));
    ST_TRY(sti_add_boxes(record, arena, one->facts->scene, one->slot, 1));
    return sti_add_referent(record, arena, "object", one->facts->scene, one->slot, 1);
}

const sti_family sti_family_object_size = {find, describe};
