/* referents.c - which objects their label alone can name, and which kinds can be counted.
 *
 * A viewer may call a desk a table, so uniqueness and counting work on confusable groups
 * (data.md 3.9). Published counts stand beside the boxes: what was counted but has no box is in
 * the room all the same, and blocks.
 */
#include "datagen/scene/scene.h"

#include <string.h>

size_t st_scene_find_label(const st_scene *scene, const char *label, size_t from)
{
    for (size_t i = from; i < scene->object_count; i++)
        if (strcmp(scene->objects[i].label, label) == 0)
            return i;
    return scene->object_count;
}

size_t st_scene_count_label(const st_scene *scene, const char *label)
{
    size_t count = 0;
    for (size_t i = 0; i < scene->object_count; i++)
        count += strcmp(scene->objects[i].label, label) == 0;
    return count;
}

bool st_scene_in_benchmark(const st_scene *scene)
{
    if (st_benchmark_has_space(scene->dataset, scene->space_id) ||
        st_benchmark_has_space(scene->dataset, scene->scene_id))
        return true;
    for (size_t i = 0; i < scene->warning_count; i++)
        if (strcmp(scene->warnings[i].rule, "Q-6") == 0)
            return true;
    return false;
}

static bool confused(const st_object *a, const char *label, uint32_t groups)
{
    return (a->groups & groups) != 0 || strcmp(a->label, label) == 0;
}

/* Things that a viewer would see and the scene does not hold: too few points to fit, too large, no
 * name of their own. What was empty, merged, or never a thing blocks nothing. */
static bool dropped_blocks(const st_object *o, const st_dropped *d)
{
    static const char *const harmless[] = {"empty", "duplicate", "not_an_object", "structure",
                                           "unused_class"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        if (strcmp(d->reason, harmless[i]) == 0)
            return false;
    const char *label = d->label ? d->label : d->raw_label;
    return confused(o, label, st_label_groups(label) | st_label_groups(d->raw_label));
}

/* Everything in the room that may be called by this object's name, itself included. */
static int64_t confusable_count(const st_scene *scene, const st_object *o)
{
    int64_t boxes = 0, unboxed = 0;
    for (size_t i = 0; i < scene->object_count; i++)
        boxes += confused(&scene->objects[i], o->label, o->groups);
    for (size_t i = 0; i < scene->count_count; i++) {
        const st_label_count *c = &scene->counts[i];
        if (!confused(o, c->label, st_label_groups(c->label)))
            continue;
        const int64_t have = (int64_t)st_scene_count_label(scene, c->label);
        unboxed += c->count > have ? c->count - have : 0;
    }
    return boxes + unboxed;
}

bool st_scene_dropped_like(const st_scene *scene, const st_object *o)
{
    for (size_t i = 0; i < scene->dropped_count; i++)
        if (dropped_blocks(o, &scene->dropped[i]))
            return true;
    return false;
}

/* Countable: every member of the group has this label, each is one whole thing, none is missing. */
static bool is_countable(const st_scene *scene, const st_object *o)
{
    const unsigned spoils = ST_FLAG_PLURAL | ST_FLAG_DUPLICATE | ST_FLAG_COUNT_MISMATCH;
    if (!(st_label_uses(o->label) & ST_LABEL_COUNTED))
        return false;
    for (size_t i = 0; i < scene->object_count; i++) {
        const st_object *other = &scene->objects[i];
        if (confused(other, o->label, o->groups) &&
            ((other->flags & spoils) || strcmp(other->label, o->label) != 0))
            return false;
    }
    return confusable_count(scene, o) == (int64_t)st_scene_count_label(scene, o->label);
}

void st_scene_mark_referents(st_scene *scene)
{
    for (size_t i = 0; i < scene->object_count; i++) {
        st_object *o = &scene->objects[i];
        o->groups = st_label_groups(o->label) | st_label_groups(o->raw_label);
    }
    for (size_t i = 0; i < scene->object_count; i++) {
        st_object *o = &scene->objects[i];
        const bool dropped = st_scene_dropped_like(scene, o);
        o->referent = (st_label_uses(o->label) & ST_LABEL_REFERENT) && !dropped &&
                      !(o->flags & (ST_FLAG_SCATTERED | ST_FLAG_PLURAL)) &&
                      confusable_count(scene, o) == 1;
        o->countable = !dropped && is_countable(scene, o);
    }
}
