/* candidates.c - phase 1: every family looks at a scene, and the surplus is cut. */
#include "datagen/questions/internal.h"

#include <stdlib.h>
#include <string.h>

const sti_family *sti_family_of(st_question type)
{
    switch (type) {
    case ST_QUESTION_COUNTING:
        return &sti_family_counting;
    case ST_QUESTION_SIZE:
        return &sti_family_object_size;
    case ST_QUESTION_ROOM_SIZE:
        return &sti_family_room_size;
    case ST_QUESTION_ABS_DISTANCE:
        return &sti_family_abs_distance;
    case ST_QUESTION_REL_DISTANCE:
        return &sti_family_rel_distance;
    case ST_QUESTION_ROUTE:
        return &sti_family_route;
    case ST_QUESTION_DIRECTION_EASY:
    case ST_QUESTION_DIRECTION_MEDIUM:
    case ST_QUESTION_DIRECTION_HARD:
    case ST_QUESTION_COUNT:
        break;
    }
    return &sti_family_direction;
}

st_status sti_candidate_add(sti_candidates *all, sti_candidate one, const char *key)
{
    uint64_t hash = st_hash_text(one.facts->key, st_question_name(one.type));
    hash = st_hash_int(hash, one.options);
    one.order = st_hash_text(hash, key);
    ST_TRY(ST_GROW(all->arena, &all->list, &all->capacity, all->count + 1));
    all->list[all->count++] = one;
    return st_ok();
}

int sti_candidate_order(const void *left, const void *right)
{
    const sti_candidate *a = left, *b = right;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->options != b->options)
        return a->options < b->options ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->facts->scene_index != b->facts->scene_index)
        return a->facts->scene_index < b->facts->scene_index ? -1 : 1;
    for (int i = 0; i < STI_SLOTS_MAX; i++)
        if (a->slot[i] != b->slot[i])
            return a->slot[i] < b->slot[i] ? -1 : 1;
    return 0;
}

/* By pool, then content, then order: what the cut walks over. */
static int by_content(const void *left, const void *right)
{
    const sti_candidate *a = left, *b = right;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->options != b->options)
        return a->options < b->options ? -1 : 1;
    const int content = strcmp(a->content, b->content);
    return content ? content : sti_candidate_order(a, b);
}

st_status sti_candidates_find(sti_candidates *all, const sti_facts *facts)
{
    static const sti_family *const families[] = {
        &sti_family_counting,     &sti_family_object_size,  &sti_family_room_size,
        &sti_family_abs_distance, &sti_family_rel_distance, &sti_family_direction,
        &sti_family_route,
    };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        ST_TRY(families[i]->find(all, facts));
    if (all->count == 0)
        return st_ok();
    qsort(all->list, all->count, sizeof *all->list, by_content);

    /* A hall with forty referents has a hundred thousand triples; no cap lets more than a few of
     * each answer through, and the keyed order already decides which. */
    const size_t most = (size_t)facts->settings->thresholds.candidates_per_content;
    size_t kept = 0, run = 0;
    for (size_t i = 0; i < all->count; i++) {
        const sti_candidate *c = &all->list[i];
        const bool same = i > 0 && c->type == c[-1].type && c->options == c[-1].options &&
                          strcmp(c->content, c[-1].content) == 0;
        run = same ? run + 1 : 0;
        if (run < most)
            all->list[kept++] = *c;
    }
    all->count = kept;
    qsort(all->list, all->count, sizeof *all->list, sti_candidate_order);
    return st_ok();
}

/* --- describing ------------------------------------------------------------------------------- */

/* A nanometre, a billionth of a degree: the last bits of an arctangent differ between machines, and
 * must not show. */
double sti_proof_number(double value)
{
    enum { DECIMALS = 9 };
    return st_round_decimals(value, DECIMALS);
}

void sti_add_margin(st_record *record, const char *name, double value)
{
    st_proof *proof = &record->proof;
    ST_ASSERT(proof->margin_count < ST_PROOF_ENTRIES_MAX);
    proof->margins[proof->margin_count++] = (st_proof_number){name, sti_proof_number(value)};
}

void sti_add_input(st_record *record, const char *name, double value)
{
    st_proof *proof = &record->proof;
    ST_ASSERT(proof->input_count < ST_PROOF_ENTRIES_MAX);
    proof->inputs[proof->input_count++] = (st_proof_number){name, sti_proof_number(value)};
}

st_status sti_add_referent(st_record *record, st_arena *arena, const char *role,
                           const st_scene *scene, const int *objects, int count)
{
    ST_ASSERT(record->referent_count < ST_REFERENTS_MAX && count > 0);
    int *ids;
    ST_TRY(ST_ALLOC(arena, &ids, (size_t)count));
    for (int i = 0; i < count; i++)
        ids[i] = scene->objects[objects[i]].instance_id;
    record->referents[record->referent_count++] =
        (st_referent){.role = role,
                      .label = scene->objects[objects[0]].label,
                      .instance_ids = ids,
                      .instance_count = count};
    return st_ok();
}

st_status sti_add_boxes(st_record *record, st_arena *arena, const st_scene *scene,
                        const int *objects, int count)
{
    st_proof_box *boxes;
    ST_TRY(ST_ALLOC(arena, &boxes, (size_t)count));
    for (int k = 0; k < count; k++) {
        const st_object *object = &scene->objects[objects[k]];
        boxes[k].instance_id = object->instance_id;
        for (int i = 0; i < 3; i++) {
            boxes[k].center_m[i] = object->box.center_m[i];
            boxes[k].size_m[i] = 2.0 * object->box.half_m[i];
            memcpy(&boxes[k].axes[3 * i], object->box.axis[i], sizeof object->box.axis[i]);
        }
    }
    record->proof.boxes = boxes;
    record->proof.box_count = count;
    return st_ok();
}
