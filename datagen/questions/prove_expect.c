/* prove_expect.c - from a scene and the labels of a question to the record that must be written.
 *
 * Written against data.md 5.2 to 5.7, not against the generator: referents are counted here, boxes
 * measured here, sectors told apart here. What both share are formats (the id, the order of
 * options, the filling of a template) and the table of thresholds.
 */
#include "datagen/questions/internal.h"
#include "datagen/questions/prove_internal.h"
#include "datagen/questions/prove_plain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything a derivation needs at hand. */
typedef struct work {
    st_record           *out;
    const char         **why;
    st_arena            *arena;
    const sti_claim     *claim;
    const st_scene      *scene;
    const st_thresholds *t;
    const char          *contents[ST_OPTIONS_MAX];  /* the answer first */
} work;

/* Say why the question may not be asked; the first reason stays. */
#define REFUSE(w, ...) (*(w)->why ? st_ok() : st_arena_printf((w)->arena, (w)->why, __VA_ARGS__))

static bool refused(const work *w)
{
    return *w->why != NULL;
}

/* A margin that must not be negative; a hair below zero is rounding, for the generator measured in
 * another way. */
static st_status margin(work *w, const char *name, double value)
{
    sti_add_margin(w->out, name, value);
    return value >= -1e-9 ? st_ok()
                          : REFUSE(w, "%s is short by %.6g: the rules forbid to ask", name, -value);
}

/* --- referents -------------------------------------------------------------------------------- */

/* Objects that carry a label: their places, by instance id. */
static st_status objects_of(int **objects, int *count, const work *w, const char *label)
{
    ST_TRY(ST_ALLOC(w->arena, objects, w->scene->object_count));
    *count = 0;
    for (size_t i = 0; i < w->scene->object_count; i++) {
        if (strcmp(w->scene->objects[i].label, label) != 0)
            continue;
        int at = (*count)++;
        for (; at > 0 && w->scene->objects[(*objects)[at - 1]].instance_id >
                             w->scene->objects[i].instance_id; at--)
            (*objects)[at] = (*objects)[at - 1];
        (*objects)[at] = (int)i;
    }
    return st_ok();
}

/* What else in the scene a viewer may call by this name. */
static const char *confused_with(const work *w, const char *label)
{
    for (size_t i = 0; i < w->scene->object_count; i++) {
        const char *other = w->scene->objects[i].label;
        if (strcmp(other, label) != 0 && st_label_confusable(label, other))
            return other;
    }
    return NULL;
}

static st_status add_role(work *w, const char *role, const int *objects, int count)
{
    return sti_add_referent(w->out, w->arena, role, w->scene, objects, count);
}

/* The one object that a label names (data.md 3.9). */
static st_status single(int *object, work *w, const char *role, const char *label)
{
    int *objects, count;
    ST_TRY(objects_of(&objects, &count, w, label));
    if (count != 1)
        return REFUSE(w, "%s \"%s\" names %d objects, not one", role, label, count);
    if (!(st_label_uses(label) & ST_LABEL_REFERENT) || !w->scene->objects[objects[0]].referent)
        return REFUSE(w, "%s \"%s\" is no label that names an object by itself", role, label);
    const char *other = confused_with(w, label);
    if (other)
        return REFUSE(w, "%s \"%s\" can be taken for \"%s\", which is there too", role, label,
                      other);
    *object = objects[0];
    return add_role(w, role, objects, 1);
}

/* All objects of a label, none of them in doubt. */
static st_status several(int **objects, int *count, work *w, const char *role, const char *label)
{
    const unsigned doubt = ST_FLAG_SCATTERED | ST_FLAG_PLURAL | ST_FLAG_COUNT_MISMATCH;
    const unsigned named = ST_LABEL_REFERENT | ST_LABEL_COUNTED | ST_LABEL_MENTIONED;
    ST_TRY(objects_of(objects, count, w, label));
    if (*count == 0)
        return REFUSE(w, "%s \"%s\" names no object of the scene", role, label);
    if (!(st_label_uses(label) & named))
        return REFUSE(w, "%s \"%s\" is no label that questions use", role, label);
    for (int i = 0; i < *count; i++) {
        const st_object *object = &w->scene->objects[(*objects)[i]];
        if (object->flags & doubt)
            return REFUSE(w, "%s \"%s\": object %d is in doubt", role, label,
                          object->instance_id);
        if (st_scene_dropped_like(w->scene, object))
            return REFUSE(w, "%s \"%s\": an instance was dropped from the scene", role, label);
    }
    return add_role(w, role, *objects, *count);
}

static const st_obb *box_at(const work *w, int object)
{
    return &w->scene->objects[object].box;
}

/* The distance that the claim speaks of. The sampled one has no second way: its rounding is its
 * definition (data.md 8.6). */
static st_status distance(double *d_m, const work *w, int a, int b)
{
    double on_a[3], on_b[3];
    if (w->claim->distance == ST_DISTANCE_VSI)
        return st_obb_distance_sampled(d_m, w->arena, box_at(w, a), box_at(w, b));
    *d_m = sti_plain_distance(on_a, on_b, box_at(w, a), box_at(w, b));
    return st_ok();
}

static st_status number(work *w, double value, int decimals)
{
    char digits[64];
    w->out->proof.raw_value = sti_proof_number(value);
    ST_TRY(st_arena_printf(w->arena, &w->out->answer, "%s",
                           st_print_fixed(digits, value, decimals)));
    w->out->answer_value = w->out->answer;
    return st_ok();
}

/* --- the types -------------------------------------------------------------------------------- */

static st_status expect_count(work *w)
{
    const char *label = w->claim->labels[0];
    int *objects, count;
    ST_TRY(several(&objects, &count, w, "object", label));
    if (refused(w))
        return st_ok();
    if (!(st_label_uses(label) & ST_LABEL_COUNTED) || st_label_hard_to_count(label))
        return REFUSE(w, "\"%s\" is no label that questions count", label);
    for (int i = 0; i < count; i++) {
        const st_object *object = &w->scene->objects[objects[i]];
        if (!object->countable || (object->flags & ST_FLAG_DUPLICATE))
            return REFUSE(w, "object %d stands for more or less than one \"%s\"",
                          object->instance_id, label);
    }
    const char *other = confused_with(w, label);
    if (other)
        return REFUSE(w, "\"%s\" can be taken for \"%s\", which is there too", label, other);
    w->out->proof.unit = "count";
    w->out->proof.rule = ST_QA_RULES " Q-20";
    ST_TRY(margin(w, "count_max", w->t->count_max - count));
    if (count > 1)
        ST_TRY(margin(w, "count_min", count - w->t->count_min));
    return number(w, count, 0);
}

static st_status expect_size(work *w)
{
    int object = 0;
    ST_TRY(single(&object, w, "object", w->claim->labels[0]));
    if (refused(w))
        return st_ok();
    const st_object *o = &w->scene->objects[object];
    const double longest_m = sti_plain_longest_side(&o->box);
    w->out->proof.unit = "cm";
    w->out->proof.rule = ST_QA_RULES " Q-21";
    if (o->flags & ST_FLAG_SCATTERED)
        return REFUSE(w, "object %d is scattered", o->instance_id);
    ST_TRY(margin(w, "size_min_m", longest_m - w->t->size_min_m));
    ST_TRY(margin(w, "size_max_m", w->t->size_max_m - longest_m));
    if (o->has_box_min) {
        const double allowed_m = fmax(w->t->size_stable_m, w->t->size_stable_share * longest_m);
        const double off_m = fabs(sti_plain_longest_side(&o->box_min) - longest_m);
        ST_TRY(margin(w, "size_stable_m", allowed_m - off_m));
    }
    ST_TRY(sti_add_boxes(w->out, w->arena, w->scene, &object, 1));
    return number(w, 100.0 * longest_m, 0);
}

static st_status expect_room(work *w)
{
    const st_room *room = &w->scene->room;
    if (!room->known)
        return REFUSE(w, "the size of the room is not known");
    w->out->proof.unit = "m2";
    w->out->proof.rule = ST_QA_RULES " Q-22";
    ST_TRY(margin(w, "room_min_m2", room->area_m2 - w->t->room_min_m2));
    ST_TRY(margin(w, "room_max_m2", w->t->room_max_m2 - room->area_m2));
    if (room->floor_area_m2 >= 0.0) {
        ST_TRY(margin(w, "room_floor_min_m2",
                      room->floor_area_m2 - w->t->room_floor_min_ratio * room->area_m2));
        ST_TRY(margin(w, "room_floor_max_m2",
                      w->t->room_floor_max_ratio * room->area_m2 - room->floor_area_m2));
    }
    return number(w, room->area_m2, 1);
}

static st_status expect_abs_distance(work *w)
{
    int ab[2] = {0, 0};
    /* A pair is asked once, its labels in the order of their bytes. */
    const bool swapped = strcmp(w->claim->labels[0], w->claim->labels[1]) > 0;
    ST_TRY(single(&ab[0], w, "a", w->claim->labels[swapped]));
    ST_TRY(single(&ab[1], w, "b", w->claim->labels[!swapped]));
    if (refused(w))
        return st_ok();
    double d_m;
    ST_TRY(distance(&d_m, w, ab[0], ab[1]));
    w->out->proof.unit = "m";
    w->out->proof.rule = w->claim->distance == ST_DISTANCE_EXACT ? ST_QA_RULES " Q-23"
                                                                 : ST_QA_RULES " Q-23 vsi";
    ST_TRY(margin(w, "distance_min_m", d_m - w->t->distance_min_m));
    ST_TRY(margin(w, "distance_max_m", w->t->distance_max_m - d_m));
    double gap_m;
    if (st_scene_surface_gap(&gap_m, w->scene, ab[0], ab[1])) {
        double       on_a[3], on_b[3];
        const double exact_m = sti_plain_distance(on_a, on_b, box_at(w, ab[0]), box_at(w, ab[1]));
        const double allowed_m = fmax(w->t->distance_gap_m, w->t->distance_gap_share * exact_m);
        ST_TRY(margin(w, "distance_gap_m", allowed_m - fabs(gap_m - exact_m)));
    }
    ST_TRY(sti_add_boxes(w->out, w->arena, w->scene, ab, 2));
    return number(w, d_m, 1);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static st_status expect_rel_distance(work *w)
{
    static const char *const roles[] = {"option1", "option2", "option3", "option4"};
    static const char *const inputs[] = {"option1_m", "option2_m", "option3_m", "option4_m"};
    const int options = w->claim->label_count - 1;
    const char *labels[4];
    int boxes[5] = {0};
    if (options < 2 || options > 4)
        return REFUSE(w, "expected 2 to 4 options, found %d", options);
    memcpy(labels, w->claim->labels + 1, (size_t)options * sizeof *labels);
    qsort(labels, (size_t)options, sizeof *labels, by_text);
    ST_TRY(single(&boxes[0], w, "anchor", w->claim->labels[0]));

    double nearest_m = INFINITY, second_m = INFINITY;
    int nearest = 0;
    for (int i = 0; i < options && !refused(w); i++) {
        int *objects, count;
        if (st_label_confusable(labels[i], w->claim->labels[0]))
            return REFUSE(w, "option \"%s\" can be taken for the anchor", labels[i]);
        for (int k = 0; k < i; k++)
            if (st_label_confusable(labels[i], labels[k]))
                return REFUSE(w, "options \"%s\" and \"%s\" can be taken for each other",
                              labels[k], labels[i]);
        ST_TRY(several(&objects, &count, w, roles[i], labels[i]));
        double best_m = INFINITY;
        for (int k = 0; k < count && !refused(w); k++) {
            double d_m;
            ST_TRY(distance(&d_m, w, boxes[0], objects[k]));
            if (d_m < best_m) {
                best_m = d_m;
                boxes[1 + i] = objects[k];
            }
        }
        sti_add_input(w->out, inputs[i], best_m);
        if (best_m < nearest_m) {
            second_m = nearest_m;
            nearest_m = best_m;
            nearest = i;
        } else {
            second_m = fmin(second_m, best_m);
        }
    }
    if (refused(w))
        return st_ok();
    w->out->proof.unit = "m";
    w->out->proof.rule = w->claim->distance == ST_DISTANCE_EXACT ? ST_QA_RULES " Q-24"
                                                                 : ST_QA_RULES " Q-24 vsi";
    w->out->proof.raw_value = sti_proof_number(nearest_m);
    ST_TRY(margin(w, "nearest_min_m", nearest_m - w->t->nearest_min_m));
    ST_TRY(margin(w, "nearest_max_m", w->t->nearest_max_m - nearest_m));
    ST_TRY(margin(w, "nearest_gap_m",
                  second_m - nearest_m -
                      fmax(w->t->nearest_gap_m, w->t->nearest_gap_share * second_m)));
    for (int i = 0, n = 1; i < options; i++)
        w->contents[i == nearest ? 0 : n++] = labels[i];
    w->out->option_count = options;
    return sti_add_boxes(w->out, w->arena, w->scene, boxes, 1 + options);
}

/* --- directions ------------------------------------------------------------------------------- */

/* The answer at a turn, and the degrees to the nearest turn where it would be another one. */
static const char *answer_at(st_question type, double turn_deg, double *room_deg)
{
    if (type == ST_QUESTION_DIRECTION_HARD) {
        const double into_deg = fmod(turn_deg, 90.0);
        *room_deg = fmin(into_deg, 90.0 - into_deg);
        if (turn_deg < 180.0)
            return turn_deg < 90.0 ? "front-left" : "back-left";
        return turn_deg < 270.0 ? "back-right" : "front-right";
    }
    const bool left = turn_deg < 180.0;
    const double off_deg = left ? turn_deg : 360.0 - turn_deg;      /* away from straight ahead */
    if (type == ST_QUESTION_DIRECTION_EASY) {
        *room_deg = fmin(off_deg, 135.0 - off_deg);                 /* behind: negative */
        return left ? "left" : "right";
    }
    *room_deg = fmin(off_deg, fabs(135.0 - off_deg));
    if (off_deg >= 135.0)
        return "back";
    return left ? "left" : "right";
}

static const char *const easy_answers[] = {"left", "right", NULL};
static const char *const medium_answers[] = {"left", "back", "right", NULL};
static const char *const hard_answers[] = {"front-left", "back-left", "back-right", "front-right",
                                           NULL};

static st_status check_corners(work *w, const int object[3], const double outline[3][8][2],
                               const int corners[3], const char *answer)
{
    double stands[9][2], ignored;
    const double *facing = box_at(w, object[1])->center_m;
    memcpy(stands[0], box_at(w, object[0])->center_m, sizeof stands[0]);
    const int count = 1 + sti_plain_stands(stands + 1, outline[0], corners[0], facing);
    for (int s = 0; s < count; s++)
        for (int c = 0; c < corners[2]; c++) {
            const double turn_deg = sti_plain_turn_deg(stands[s], facing, outline[2][c]);
            const char *there =
                turn_deg < 0.0 ? "nowhere" : answer_at(w->claim->type, turn_deg, &ignored);
            if (strcmp(there, answer) != 0)
                return REFUSE(w, "corner %d of \"%s\" is %s, its centre %s", c,
                              w->claim->labels[2], there, answer);
        }
    return st_ok();
}

static st_status expect_reach(work *w, const int object[3])
{
    double between[3], outline[3][8][2], side_m[3], on_a[3], on_b[3];
    int corners[3];
    static const int pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    static const char *const inputs[] = {"po_m", "pq_m", "oq_m"};
    for (int i = 0; i < 3; i++) {
        const st_obb *a = box_at(w, object[pairs[i][0]]), *b = box_at(w, object[pairs[i][1]]);
        between[i] = sti_plain_distance(on_a, on_b, a, b);
        sti_add_input(w->out, inputs[i], between[i]);
        corners[i] = sti_plain_outline(outline[i], box_at(w, object[i]));
        side_m[i] = sti_plain_rectangle_side(outline[i], corners[i]);
    }
    const double *p = box_at(w, object[0])->center_m, *o = box_at(w, object[1])->center_m,
                 *q = box_at(w, object[2])->center_m;
    const double centre_m = fmin(hypot(o[0] - p[0], o[1] - p[1]), hypot(q[0] - p[0], q[1] - p[1]));
    const double turn_deg = sti_plain_turn_deg(p, o, q);
    if (turn_deg < 0.0)
        return REFUSE(w, "two of the three centres coincide seen from above");
    double room_deg;
    const char *answer = answer_at(w->claim->type, turn_deg, &room_deg);
    w->out->proof.raw_value = sti_proof_number(turn_deg);
    w->contents[0] = answer;
    ST_TRY(margin(w, "stand_min_m", fmin(between[0], between[1]) - w->t->stand_min_m));
    ST_TRY(margin(w, "stand_max_m", w->t->stand_max_m - fmax(between[0], between[1])));
    ST_TRY(margin(w, "stand_centre_m", centre_m - w->t->stand_centre_min_m));
    ST_TRY(margin(w, "target_min_m", between[2] - w->t->target_min_m));
    ST_TRY(margin(w, "stand_side_m", w->t->stand_side_max_m - side_m[0]));
    ST_TRY(margin(w, "target_side_m", w->t->target_side_max_m - fmax(side_m[1], side_m[2])));
    ST_TRY(margin(w, "bearing_deg", room_deg - w->t->bearing_margin_deg));
    return check_corners(w, object, (const double(*)[8][2])outline, corners, answer);
}

static st_status expect_direction(work *w)
{
    static const char *const roles[] = {"positioning", "orienting", "querying"};
    int object[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++)
        ST_TRY(single(&object[i], w, roles[i], w->claim->labels[i]));
    if (!refused(w) && (object[0] == object[1] || object[0] == object[2] || object[1] == object[2]))
        ST_TRY(REFUSE(w, "two of the three roles name the same object"));
    if (!refused(w))
        ST_TRY(expect_reach(w, object));
    if (refused(w))
        return st_ok();
    const char *const *answers = w->claim->type == ST_QUESTION_DIRECTION_EASY     ? easy_answers
                                 : w->claim->type == ST_QUESTION_DIRECTION_MEDIUM ? medium_answers
                                                                                  : hard_answers;
    int n = 1;
    for (int i = 0; answers[i]; i++)
        if (strcmp(answers[i], w->contents[0]) != 0)
            w->contents[n++] = answers[i];
    w->out->option_count = n;
    w->out->proof.unit = "deg";
    w->out->proof.rule = ST_QA_RULES " Q-25";
    return sti_add_boxes(w->out, w->arena, w->scene, object, 3);
}

/* --- routes ----------------------------------------------------------------------------------- */

static void add_walk(work *w, const sti_walk *walk)
{
    const st_route *route = walk->route;
    sti_add_input(w->out, "from_x_m", route->from_m[0]);
    sti_add_input(w->out, "from_y_m", route->from_m[1]);
    sti_add_input(w->out, "facing_deg", walk->facing_deg);
    for (int i = 0; i < route->leg_count; i++) {
        sti_add_input(w->out, sti_route_inputs[i].heading, walk->heading_deg[i]);
        sti_add_input(w->out, sti_route_inputs[i].turn, walk->turn_deg[i]);
        sti_add_input(w->out, sti_route_inputs[i].stop_x, route->legs[i].stop_m[0]);
        sti_add_input(w->out, sti_route_inputs[i].stop_y, route->legs[i].stop_m[1]);
    }
}

static st_status expect_route(work *w)
{
    const int count = w->claim->label_count;
    int objects[2 + ST_ROUTE_LEGS_MAX] = {0}, options;
    if (count < 3 || count > 2 + ST_ROUTE_LEGS_MAX)
        return REFUSE(w, "no route of the scene takes these steps");
    for (int i = 0; i < count; i++)
        ST_TRY(single(&objects[i], w, sti_route_roles[i], w->claim->labels[i]));
    if (refused(w))
        return st_ok();
    sti_walk walk;
    ST_TRY(sti_walk_route(&walk, w->why, w->arena, w->scene, objects, count));
    if (refused(w))
        return st_ok();
    w->out->proof.unit = "deg";
    w->out->proof.rule = ST_QA_RULES " Q-27";
    w->out->proof.raw_value = sti_proof_number(walk.first_deg);
    add_walk(w, &walk);
    ST_TRY(margin(w, "turn_deg", walk.turn_margin_deg));
    ST_TRY(margin(w, "leg_min_m", walk.shortest_m - ST_ROUTE_LEG_M_MIN));
    ST_TRY(margin(w, "leg_max_m", ST_ROUTE_LEG_M_MAX - walk.longest_m));
    ST_TRY(margin(w, "facing_min_m", walk.facing_m - ST_ROUTE_FACING_M_MIN));
    ST_TRY(margin(w, "clearance_m", walk.route->clearance_m));
    ST_TRY(margin(w, "robust_share",
                  (double)walk.route->robust_kept / walk.route->robust_cases - 7.0 / 9.0));
    ST_TRY(sti_route_contents(w->contents, &options, w->arena, w->out, &walk.answer));
    w->out->option_count = options;
    return sti_add_boxes(w->out, w->arena, w->scene, objects, count);
}

/* --- all together ----------------------------------------------------------------------------- */

static st_status expect_answer(work *w)
{
    static const int labels_needed[ST_QUESTION_COUNT] = {1, 1, 0, 2, -1, 3, 3, 3, -1};
    const int needed = labels_needed[w->claim->type];
    if (needed >= 0 && w->claim->label_count != needed)
        return REFUSE(w, "expected %d objects in their roles, found %d", needed,
                      w->claim->label_count);
    switch (w->claim->type) {
    case ST_QUESTION_COUNTING:
        return expect_count(w);
    case ST_QUESTION_SIZE:
        return expect_size(w);
    case ST_QUESTION_ROOM_SIZE:
        return expect_room(w);
    case ST_QUESTION_ABS_DISTANCE:
        return expect_abs_distance(w);
    case ST_QUESTION_REL_DISTANCE:
        return expect_rel_distance(w);
    case ST_QUESTION_ROUTE:
        return expect_route(w);
    case ST_QUESTION_DIRECTION_EASY:
    case ST_QUESTION_DIRECTION_MEDIUM:
    case ST_QUESTION_DIRECTION_HARD:
    case ST_QUESTION_COUNT:
        break;
    }
    return expect_direction(w);
}

st_status sti_expect(st_record *expected, const char **why, st_arena *arena,
                     const sti_claim *claim, const st_template_pack *pack, const st_thresholds *t)
{
    const st_scene *scene = claim->scene;
    *why = NULL;
    *expected = (st_record){.dataset = scene->dataset,
                            .scene_id = scene->scene_id,
                            .split = st_qa_split(scene->dataset, scene->space_id, t),
                            .question_type = st_question_name(claim->type),
                            .template_id = claim->template_id,
                            .flags = {"seen_unchecked"},
                            .flag_count = 1};
    work w = {.out = expected, .why = why, .arena = arena, .claim = claim, .scene = scene, .t = t};
    ST_TRY(st_arena_printf(arena, &expected->video, "videos/%s/%s.mp4", scene->dataset,
                           scene->scene_id));
    ST_TRY(expect_answer(&w));
    const st_template *which = st_template_pack_find(pack, claim->template_id);
    if (!which || which->type != claim->type)
        ST_TRY(REFUSE(&w, "template \"%s\" is none for %s in pack \"%s\"", claim->template_id,
                      expected->question_type, pack->name));
    if (refused(&w))
        return st_ok();
    if (which->options != 0 && which->options != expected->option_count)
        return REFUSE(&w, "template \"%s\" is for %d options, not %d", claim->template_id,
                      which->options, expected->option_count);
    sti_record_id(expected->id, expected);
    if (expected->option_count > 0) {
        if (claim->letter < 0 || claim->letter >= expected->option_count)
            return REFUSE(&w, "the answer is no letter from A to %c",
                          'A' + expected->option_count - 1);
        ST_TRY(sti_options_print(expected, arena, w.contents, claim->letter));
    }
    return sti_compose_text(&expected->question, arena, expected, which);
}
