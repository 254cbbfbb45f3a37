/* counting.c - how many of a kind are there? (data.md 5.2, Q-20) */
#include "datagen/questions/internal.h"


/* Whether everyone would count the same things: every instance stands for one, none was dropped or
 * merged, and nothing else in the scene goes by a name that viewers mix up with this one. */
static bool is_countable(const sti_facts *facts, const sti_kind *kind)
{
    const st_scene *scene = facts->scene;
    if (!kind->whole || !(st_label_uses(kind->label) & ST_LABEL_COUNTED) ||
        st_label_hard_to_count(kind->label))
        return false;
    for (int i = 0; i < kind->count; i++) {
        const st_object *object = &scene->objects[kind->objects[i]];
        if (!object->countable || (object->flags & ST_FLAG_DUPLICATE))
            return false;
    }
    for (int k = 0; k < facts->kind_count; k++)
        if (&facts->kinds[k] != kind && sti_kinds_confusable(kind, &facts->kinds[k]))
            return false;
    return true;
}

static st_status find(sti_candidates *all, const sti_facts *facts)
{
    const st_thresholds *t = &facts->settings->thresholds;
    for (int k = 0; k < facts->kind_count; k++) {
        const sti_kind *kind = &facts->kinds[k];
        const bool one = kind->count == 1;
        if ((kind->count < t->count_min && !one) || kind->count > t->count_max ||
            !is_countable(facts, kind))
            continue;
        sti_candidate c = {.facts = facts,
                           .type = ST_QUESTION_COUNTING,
                           .slot = {k},
                           .about = kind->label,
                           .value = kind->count};
        ST_TRY(st_arena_printf(all->arena, &c.content, "%d", kind->count));
        ST_TRY(sti_candidate_add(all, c, kind->label));
    }
    return st_ok();
}

static st_status describe(st_record *record, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                          const sti_candidate *one)
{
    (void)contents;
    const st_thresholds *t = &one->facts->settings->thresholds;
    const sti_kind *kind = &one->facts->kinds[one->slot[0]];
    record->proof.unit = "count";
    record->proof.rule = ST_QA_RULES " Q-20";
    sti_add_margin(record, "count_max", t->count_max - kind->count);
    if (kind->count > 1)
        sti_add_margin(record, "count_min", kind->count - t->count_min);
    return sti_add_referent(record, arena, "object", one->facts->scene, kind->objects,
                            kind->count);
}

const sti_family sti_family_counting = {find, describe};
