/* facts.c - what phase 1 knows of a scene: its kinds, its referents, the distances between them. */
#include "datagen/questions/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct labelled {
    const char *label;
    int         instance_id, object;
} labelled;

static int by_label(const void *left, const void *right)
{
    const labelled *a = left, *b = right;
    const int order = strcmp(a->label, b->label);
    return order ? order : (a->instance_id > b->instance_id) - (a->instance_id < b->instance_id);
}

/* An instance that nobody would argue about. A count that disagrees with the published one means
 * that some instance has no box: the nearest could be the missing one. */
static bool is_valid(const st_object *object)
{
    return !(object->flags & (ST_FLAG_SCATTERED | ST_FLAG_PLURAL | ST_FLAG_COUNT_MISMATCH));
}

/* A kind is whole when all its instances are known: none was dropped, none is in doubt. */
static bool is_whole(const st_scene *scene, const sti_kind *kind)
{
    const unsigned named = ST_LABEL_REFERENT | ST_LABEL_COUNTED | ST_LABEL_MENTIONED;
    if (!(st_label_uses(kind->label) & named))
        return false;
    for (int i = 0; i < kind->count; i++) {
        const st_object *object = &scene->objects[kind->objects[i]];
        if (!is_valid(object) || st_scene_dropped_like(scene, object))
            return false;
    }
    return true;
}

static st_status gather_kinds(sti_facts *facts, st_arena *arena)
{
    const st_scene *scene = facts->scene;
    const size_t n = scene->object_count;
    labelled *sorted;
    int *objects;
    ST_TRY(ST_ALLOC(arena, &sorted, n));
    ST_TRY(ST_ALLOC(arena, &objects, n));
    ST_TRY(ST_ALLOC(arena, &facts->kinds, n));
    for (size_t i = 0; i < n; i++)
        sorted[i] = (labelled){scene->objects[i].label, scene->objects[i].instance_id, (int)i};
    qsort(sorted, n, sizeof *sorted, by_label);
    for (size_t i = 0; i < n; i++) {
        objects[i] = sorted[i].object;
        if (i == 0 || strcmp(sorted[i - 1].label, sorted[i].label) != 0)
            facts->kinds[facts->kind_count++] = (sti_kind){.label = sorted[i].label,
                                                           .objects = &objects[i]};
        facts->kinds[facts->kind_count - 1].count++;
    }
    for (int k = 0; k < facts->kind_count; k++) {
        facts->kinds[k].groups = st_label_groups(facts->kinds[k].label);
        facts->kinds[k].whole = is_whole(scene, &facts->kinds[k]);
    }
    return st_ok();
}

static st_status gather_distances(sti_facts *facts, st_arena *arena)
{
    const st_scene *scene = facts->scene;
    const size_t n = scene->object_count;
    ST_TRY(ST_ALLOC(arena, &facts->referents, n));
    for (int k = 0; k < facts->kind_count; k++)
        for (int i = 0; i < facts->kinds[k].count; i++)
            if (scene->objects[facts->kinds[k].objects[i]].referent)
                facts->referents[facts->referent_count++] = facts->kinds[k].objects[i];

    size_t cells;
    ST_TRY(st_size_mul(&cells, (size_t)facts->referent_count, n));
    ST_TRY(ST_ALLOC(arena, &facts->exact_m, cells));
    for (int r = 0; r < facts->referent_count; r++)
        for (size_t i = 0; i < n; i++)
            facts->exact_m[(size_t)r * n + i] =
                st_obb_distance(&scene->objects[facts->referents[r]].box, &scene->objects[i].box);
    facts->distance_m = facts->exact_m;
    if (facts->settings->distance == ST_DISTANCE_EXACT)
        return st_ok();

    ST_TRY(ST_ALLOC(arena, &facts->distance_m, cells));
    for (int r = 0; r < facts->referent_count; r++)
        for (size_t i = 0; i < n; i++)
            ST_TRY(st_obb_distance_sampled(&facts->distance_m[(size_t)r * n + i], arena,
                                           &scene->objects[facts->referents[r]].box,
                                           &scene->objects[i].box));
    return st_ok();
}

st_status sti_facts_gather(sti_facts *facts, st_arena *arena, const st_scene *scene,
                           uint32_t scene_index, const st_qa_settings *settings)
{
    *facts = (sti_facts){.scene = scene, .settings = settings, .scene_index = scene_index};
    facts->key = st_hash_text(st_hash_text(settings->seed, scene->dataset), scene->scene_id);
    ST_TRY(gather_kinds(facts, arena));
    return gather_distances(facts, arena);
}

double sti_facts_distance(const sti_facts *facts, int r, int object)
{
    return facts->distance_m[(size_t)r * facts->scene->object_count + (size_t)object];
}

double sti_facts_exact(const sti_facts *facts, int r, int object)
{
    return facts->exact_m[(size_t)r * facts->scene->object_count + (size_t)object];
}

double sti_facts_kind_distance(const sti_facts *facts, int r, const sti_kind *kind, int *nearest)
{
    double best_m = INFINITY;
    for (int i = 0; i < kind->count; i++) {
        const double d_m = sti_facts_distance(facts, r, kind->objects[i]);
        if (d_m < best_m) {                 /* of equal ones the first: lowest instance id */
            best_m = d_m;
            if (nearest)
                *nearest = kind->objects[i];
        }
    }
    return best_m;
}

int sti_facts_referent(const sti_facts *facts, int object)
{
    for (int r = 0; r < facts->referent_count; r++)
        if (facts->referents[r] == object)
            return r;
    ST_ASSERT(!"the object is a referent");
    return -1;
}
