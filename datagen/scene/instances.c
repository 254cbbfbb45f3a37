/* instances.c - objects of a scene from the instances of a scan: names, boxes, and which instances
 * are none (data.md 3.5 to 3.8).
 */
#include "datagen/scene/measure.h"

#include "datagen/scene/internal.h"
#include "geometry/fit.h"
#include "kernels/base/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct gathering {
    st_scene             *scene;
    st_arena             *arena, *scratch;
    const st_scan        *scan;
    const st_label_table *table;
    st_vocabulary         vocabulary;
    size_t                dropped_capacity;
    size_t                unknown_labels;
} gathering;

static st_status drop(gathering *g, int id, const char *raw_label, const char *label,
                      const char *reason)
{
    ST_TRY(ST_GROW(g->arena, &g->scene->dropped, &g->dropped_capacity,
                   g->scene->dropped_count + 1));
    g->scene->dropped[g->scene->dropped_count++] = (st_dropped){
        .instance_id = id, .raw_label = raw_label, .label = label, .reason = reason};
    return st_ok();
}

static st_label_verdict name_of(const gathering *g, const char *raw_label)
{
    return g->scan->kind == ST_SCAN_SCANNET
               ? st_label_of_scannet(g->table, st_str_from(raw_label), g->vocabulary)
               : st_label_of_arkit(st_str_from(raw_label), g->vocabulary);
}

/* --- boxes --- */

/* A box as files hold it: lengths to the micrometre, axes to 1e-12. */
static void settle_box(st_obb *box)
{
    for (int i = 0; i < 3; i++) {
        box->center_m[i] = st_round_decimals(box->center_m[i], 6);
        box->half_m[i] = 0.5 * st_round_decimals(2.0 * box->half_m[i], 6);
        for (int k = 0; k < 3; k++)
            box->axis[i][k] = st_round_decimals(box->axis[i][k], 12);
    }
}

/* An annotated box that leans by less than 3 degrees, made upright in the order of data.md 3.7:
 * axis 2 is +Z, axis 0 the longer horizontal side with a yaw in (-90,90]. */
static st_obb made_upright(const st_obb *box)
{
    int up = 0;
    for (int k = 1; k < 3; k++)
        if (fabs(box->axis[k][2]) > fabs(box->axis[up][2]))
            up = k;
    const int a = (up + 1) % 3, b = (up + 2) % 3;
    double    yaw[2];
    yaw[0] = atan2(box->axis[a][1], box->axis[a][0]);
    yaw[1] = atan2(box->axis[b][1], box->axis[b][0]);
    for (int i = 0; i < 2; i++) {
        yaw[i] = remainder(yaw[i], M_PI);       /* an axis has no front: fold to (-90,90] */
        if (yaw[i] <= -M_PI / 2)
            yaw[i] = M_PI / 2;
    }
    const double along = 2.0 * box->half_m[a], across = 2.0 * box->half_m[b];
    const bool   swap = fabs(along - across) < 1e-4 ? fabs(yaw[1]) < fabs(yaw[0]) : across > along;
    const double turn = yaw[swap ? 1 : 0];
    st_obb       made = *box;
    made.half_m[0] = box->half_m[swap ? b : a];
    made.half_m[1] = box->half_m[swap ? a : b];
    made.half_m[2] = box->half_m[up];
    memset(made.axis, 0, sizeof made.axis);
    made.axis[0][0] = cos(turn), made.axis[0][1] = sin(turn);
    made.axis[1][0] = -made.axis[0][1], made.axis[1][1] = made.axis[0][0];
    made.axis[2][2] = 1.0;
    return made;
}

static void clamp_sides(st_obb *box, unsigned *flags)
{
    for (int k = 0; k < 3; k++)
        if (2.0 * box->half_m[k] < STI_SIDE_M_MIN) {
            box->half_m[k] = 0.5 * STI_SIDE_M_MIN;
            *flags |= ST_FLAG_THIN;
        }
}

static void box_of_annotation(st_object *o, const st_obb *annotated)
{
    o->box_min = *annotated;
    clamp_sides(&o->box_min, &o->flags);
    if (st_obb_tilt_deg(&o->box_min) > STI_TILT_DEG_MAX) {
        o->flags |= ST_FLAG_TILTED;
        o->box = o->box_min;
    } else {
        o->box = made_upright(&o->box_min);
        settle_box(&o->box);
    }
}

static st_status box_of_points(st_object *o, st_arena *scratch, const double (*points_m)[3],
                               size_t count, uint64_t seed)
{
    st_fit upright, least;
    ST_TRY(st_fit_upright(&upright, scratch, points_m, count));
    ST_TRY(st_fit_minimal(&least, scratch, points_m, count, seed));
    if (upright.thin)
        o->flags |= ST_FLAG_THIN;
    o->box = upright.box;
    o->box_min = least.box;
    settle_box(&o->box);
    settle_box(&o->box_min);
    return st_ok();
}

/* Fit boxes to the points of an instance, and bound them. */
static st_status measure_box(gathering *g, st_object *o, const st_instance *instance)
{
    double (*points_m)[3];
    st_trim trim;
    ST_TRY(sti_instance_points(&points_m, &trim, g->scratch, g->scan, instance));
    o->flags |= (trim.trimmed ? ST_FLAG_TRIMMED : 0) | (trim.scattered ? ST_FLAG_SCATTERED : 0);
    o->point_count = (int64_t)trim.kept_count;

    for (int k = 0; k < 3; k++) {
        double low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < trim.kept_count; i++) {
            low = fmin(low, points_m[i][k]);
            high = fmax(high, points_m[i][k]);
        }
        o->aabb_min_m[k] = st_round_decimals(low, 6);
        o->aabb_max_m[k] = st_round_decimals(high, 6);
    }
    o->has_box_min = true;
    if (instance->has_box) {
        box_of_annotation(o, &instance->box);
        return st_ok();
    }
    const uint64_t seed = st_hash_int(st_hash_text(0, g->scan->scan_id), instance->instance_id);
    return box_of_points(o, g->scratch, (const double (*)[3])points_m, trim.kept_count, seed);
}

/* --- which instances are things --- */

/* Why a box is none of an object, or NULL. */
static const char *box_fault(const st_room *room, const st_obb *box)
{
    double side_m[3] = {2 * box->half_m[0], 2 * box->half_m[1], 2 * box->half_m[2]};
    for (int i = 0; i < 2; i++)                 /* three numbers, longest first */
        for (int k = 0; k + 1 < 3; k++)
            if (side_m[k] < side_m[k + 1]) {
                const double other = side_m[k];
                side_m[k] = side_m[k + 1];
                side_m[k + 1] = other;
            }
    double square_m2 = 0.0, volume_m3 = 1.0;
    for (int k = 0; k < 3; k++) {
        const double extent_m = room->aabb_max_m[k] - room->aabb_min_m[k];
        square_m2 += extent_m * extent_m;
        volume_m3 *= extent_m;
    }
    if (side_m[0] < ST_INSTANCE_LONGEST_M_MIN || side_m[1] < ST_INSTANCE_SECOND_M_MIN)
        return "degenerate";
    if (side_m[0] > ST_INSTANCE_LONGEST_M_MAX ||
        side_m[0] > ST_INSTANCE_DIAGONAL_SHARE_MAX * sqrt(square_m2) ||
        st_obb_volume(box) > ST_INSTANCE_VOLUME_SHARE_MAX * volume_m3)
        return "oversize";
    return NULL;
}

static st_status take_instance(gathering *g, const st_instance *instance)
{
    const st_label_verdict v = name_of(g, instance->raw_label);
    const size_t points_min = g->scan->kind == ST_SCAN_SCANNET ? ST_INSTANCE_POINTS_MIN
                                                               : ST_INSTANCE_POINTS_ARKIT_MIN;
    if (!v.label) {
        g->unknown_labels += strcmp(v.reason, "unknown_label") == 0;
        return drop(g, instance->instance_id, instance->raw_label, NULL, v.reason);
    }
    if (instance->vertex_count < points_min)
        return drop(g, instance->instance_id, instance->raw_label, v.label, "few_points");

    st_object o = {.instance_id = instance->instance_id, .raw_label = instance->raw_label,
                   .label = v.label, .nyu40 = v.nyu40,
                   .flags = (v.plural ? ST_FLAG_PLURAL : 0) |
                            (instance->overlap ? ST_FLAG_OVERLAP : 0)};
    ST_TRY(measure_box(g, &o, instance));
    const char *fault = box_fault(&g->scene->room, &o.box);
    if (fault)
        return drop(g, o.instance_id, o.raw_label, o.label, fault);
    g->scene->objects[g->scene->object_count++] = o;
    return st_ok();
}

/* --- the same thing twice --- */

static bool are_one(const st_object *a, const st_object *b)
{
    if (strcmp(a->label, b->label) != 0)
        return false;
    const double va = st_obb_volume(&a->box), vb = st_obb_volume(&b->box);
    const bool   alike = fmin(va, vb) > ST_DUPLICATE_VOLUME_MIN * fmax(va, vb);
    if (alike && (st_obb_contains(&a->box, b->box.center_m, 0.0) ||
                  st_obb_contains(&b->box, a->box.center_m, 0.0)))
        return true;
    return st_obb_distance(&a->box, &b->box) == 0.0 &&
           st_obb_overlap(&a->box, &b->box) > ST_DUPLICATE_OVERLAP_MIN;
}

static bool find_pair(size_t *first, size_t *second, const st_scene *s)
{
    for (size_t i = 0; i < s->object_count; i++)
        for (size_t k = i + 1; k < s->object_count; k++)
            if (are_one(&s->objects[i], &s->objects[k])) {
                *first = i;
                *second = k;
                return true;
            }
    return false;
}

/* Of two that are one, the one with more points stays; of equal ones the first. The search starts
 * again each time, because the one that stays may meet a third. */
static st_status merge_duplicates(gathering *g)
{
    st_scene *s = g->scene;
    size_t    first, second;
    while (find_pair(&first, &second, s)) {
        const bool   second_stays = s->objects[second].point_count > s->objects[first].point_count;
        const size_t lost = second_stays ? first : second, kept = second_stays ? second : first;
        s->objects[kept].flags |= ST_FLAG_DUPLICATE;
        ST_TRY(drop(g, s->objects[lost].instance_id, s->objects[lost].raw_label,
                    s->objects[lost].label, "duplicate"));
        memmove(&s->objects[lost], &s->objects[lost + 1],
                (s->object_count - lost - 1) * sizeof *s->objects);
        s->object_count--;
    }
    return st_ok();
}

static int compare_objects(const void *a, const void *b)
{
    const int x = ((const st_object *)a)->instance_id, y = ((const st_object *)b)->instance_id;
    return (x > y) - (x < y);
}

static int compare_dropped(const void *a, const void *b)
{
    const int x = ((const st_dropped *)a)->instance_id, y = ((const st_dropped *)b)->instance_id;
    return (x > y) - (x < y);
}

st_status sti_measure_instances(st_scene *scene, st_arena *arena, st_arena *scratch,
                                const st_scan *scan, const st_label_table *table,
                                st_vocabulary vocabulary)
{
    gathering g = {.scene = scene, .arena = arena, .scratch = scratch, .scan = scan,
                   .table = table, .vocabulary = vocabulary};
    ST_TRY(ST_ALLOC(arena, &scene->objects, scan->instance_count));
    for (size_t i = 0; i < scan->dropped_count; i++) {
        const st_dropped *d = &scan->dropped[i];
        ST_TRY(drop(&g, d->instance_id, d->raw_label, name_of(&g, d->raw_label).label, d->reason));
    }
    for (size_t i = 0; i < scan->instance_count; i++) {
        const st_instance  *instance = &scan->instances[i];
        const st_arena_mark mark = st_arena_mark_get(scratch);
        const st_status     s = take_instance(&g, instance);
        st_arena_rewind(scratch, mark);
        ST_TRY(st_within(s, "instance %d \"%.40s\"", instance->instance_id, instance->raw_label));
    }
    qsort(scene->objects, scene->object_count, sizeof *scene->objects, compare_objects);
    ST_TRY(merge_duplicates(&g));
    if (scene->dropped_count > 0)
        qsort(scene->dropped, scene->dropped_count, sizeof *scene->dropped, compare_dropped);
    if (g.unknown_labels > 0)
        ST_TRY(STI_WARN(scene, arena, "E-16", "unknown_label", (int64_t)g.unknown_labels,
                        "%zu instances have a label that the table does not know",
                        g.unknown_labels));
    return st_ok();
}
