/* lint_answer.c - the answer of a benchmark row, from boxes and the labels of its question.
 *
 * Written apart from the generators on purpose: it checks them too. A label may have several boxes;
 * each choice of boxes gives an answer, and the row agrees when one of them is its own.
 *
 * Source  data.md 5.2 to 5.7; the agreement on published rows is in 10.1.
 */
#include "datagen/questions/lint_internal.h"

#include "kernels/base/limits.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Boxes that one label stands for. */
typedef struct boxes {
    const st_object **of;
    size_t            count;
} boxes;

/* --- answers as rows give them --- */

const char *sti_lint_option(const char *option)
{
    if (option[0] >= 'A' && option[0] <= 'Z' && option[1] == '.') {
        option += 2;
        while (*option == ' ')
            option++;
    }
    return option;
}

/* The option a letter names, or -1. */
static int option_of_letter(const st_vsi_row *row, const char *letter)
{
    if (letter[0] == '\0' || letter[1] != '\0')
        return -1;
    for (int i = 0; i < row->option_count; i++)
        if (row->options[i][0] == letter[0] && row->options[i][1] == '.')
            return i;
    const int place = letter[0] - 'A';
    return place >= 0 && place < row->option_count && sti_lint_option(row->options[place]) ==
           row->options[place] ? place : -1;
}

const char *sti_lint_given(const st_vsi_row *row)
{
    if (row->option_count == 0)
        return row->ground_truth;
    const int i = option_of_letter(row, row->ground_truth);
    return i >= 0 ? sti_lint_option(row->options[i]) : row->ground_truth;
}

static bool same_number(const char *a, const char *b)
{
    double x, y;
    return st_str_double(st_str_trim(st_str_from(a)), &x) &&
           st_str_double(st_str_trim(st_str_from(b)), &y) && fabs(x - y) <= 1e-9;
}

static bool same_words(const char *a, const char *b)
{
    while (*a == ' ')
        a++;
    for (; *a && *b; a++, b++) {
        const char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        const char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y)
            return false;
    }
    while (*a == ' ')
        a++;
    return *a == *b;
}

static bool same_content(const char *a, const char *b)
{
    return same_number(a, b) || same_words(a, b);
}

/* The answers that a question about a direction offers; NULL for other questions. */
static const char *const *sectors_of(const char *question_type, int *count)
{
    static const char *const easy[] = {"left", "right"};
    static const char *const medium[] = {"left", "right", "back"};
    static const char *const hard[] = {"front-left", "front-right", "back-left", "back-right"};
    st_question type;
    *count = 0;
    if (!st_question_find(&type, question_type) || type < ST_QUESTION_DIRECTION_EASY ||
        type > ST_QUESTION_DIRECTION_HARD)
        return NULL;
    *count = type == ST_QUESTION_DIRECTION_EASY ? 2 : type == ST_QUESTION_DIRECTION_MEDIUM ? 3 : 4;
    return *count == 2 ? easy : *count == 3 ? medium : hard;
}

static bool is_one_of(const char *content, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (same_words(content, names[i]))
            return true;
    return false;
}

bool sti_lint_unfair(const st_vsi_row *row)
{
    int                count;
    const char *const *sectors = sectors_of(row->question_type, &count);
    if (sectors && row->option_count != count)
        return true;
    for (int i = 0; i < row->option_count; i++) {
        const char *option = row->options[i], *content = sti_lint_option(option);
        if ((content != option && option[0] != 'A' + i) ||
            (sectors && !is_one_of(content, sectors, count)))
            return true;
        for (int k = 0; k < i; k++)
            if (same_content(content, sti_lint_option(row->options[k])))
                return true;
    }
    return false;
}

st_status sti_lint_cannot(st_lint_row *result, st_arena *words, const char *fmt, ...)
{
    char    text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    result->verdict = ST_LINT_UNANSWERABLE;
    return st_arena_printf(words, &result->reason, "%s", text);
}

/* One possible answer. The first one stays unless a later one is what the row says. */
static st_status offer(const sti_lint_task *t, const char *content, double raw_value)
{
    st_lint_row *r = t->result;
    const bool   agrees = same_content(content, sti_lint_given(t->row));
    if (r->value && (r->verdict == ST_LINT_AGREE || !agrees))
        return st_ok();
    r->verdict = agrees ? ST_LINT_AGREE : ST_LINT_DISAGREE;
    r->raw_value = raw_value;
    return st_arena_printf(t->words, &r->value, "%s", content);
}

/* The computed content as the row would give it. */
static st_status print_answer(const sti_lint_task *t)
{
    st_lint_row *r = t->result;
    r->answer = t->row->option_count == 0 ? r->value : NULL;
    for (int i = 0; r->value && i < t->row->option_count && !r->answer; i++)
        if (same_content(sti_lint_option(t->row->options[i]), r->value)) {
            const char letter = t->row->options[i][1] == '.' ? t->row->options[i][0]
                                                             : (char)('A' + i);
            ST_TRY(st_arena_printf(t->words, &r->answer, "%c", letter));
        }
    return st_ok();
}

/* --- boxes --- */

static bool label_is(const char *label, const char *wanted)
{
    return same_words(label, wanted);
}

/* The boxes of a label; a count of 0 when there are none, and then the row is unanswerable. */
static st_status find_boxes(boxes *found, const sti_lint_task *t, const char *label)
{
    const st_scene *s = t->scene;
    found->count = 0;
    ST_TRY(ST_ALLOC(t->scratch, &found->of, s->object_count));
    for (size_t i = 0; i < s->object_count; i++)
        if (label_is(s->objects[i].label, label))
            found->of[found->count++] = &s->objects[i];
    for (size_t i = 0; i < found->count; i++) {
        if (found->of[i]->flags & ST_FLAG_TILTED)
            t->result->notes |= ST_LINT_TILTED;
        if (found->of[i]->flags & ST_FLAG_COUNT_MISMATCH)
            t->result->notes |= ST_LINT_COUNT_MISMATCH;
        if (st_obb_shortest_side(&found->of[i]->box) < ST_LINT_THIN_M)
            t->result->notes |= ST_LINT_THIN;
    }
    if (found->count == 0)
        return sti_lint_cannot(t->result, t->words, "%s has no box of \"%s\"", s->scene_id, label);
    return st_ok();
}

/* The boxes of a slot that should name one thing. */
static st_status find_referent(boxes *found, const sti_lint_task *t, const char *slot)
{
    ST_TRY(find_boxes(found, t, st_reading_slot(t->reading, slot)));
    if (found->count > 1)
        t->result->notes |= ST_LINT_SEVERAL;
    return st_ok();
}

/* --- the types --- */

static st_status answer_count(const sti_lint_task *t)
{
    const char *label = st_reading_slot(t->reading, "label");
    int64_t     count = -1;
    size_t      have = 0;
    char        text[32];
    for (size_t i = 0; i < t->scene->count_count; i++)
        if (label_is(t->scene->counts[i].label, label))
            count = t->scene->counts[i].count;
    for (size_t i = 0; i < t->scene->object_count; i++)
        have += label_is(t->scene->objects[i].label, label);
    if (count < 0 && have == 0)
        return sti_lint_cannot(t->result, t->words, "%s has no box of \"%s\"", t->scene->scene_id,
                               label);
    if (count != (int64_t)have)
        t->result->notes |= ST_LINT_COUNT_MISMATCH;
    snprintf(text, sizeof text, "%lld", (long long)(count >= 0 ? count : (int64_t)have));
    return offer(t, text, (double)(count >= 0 ? count : (int64_t)have));
}

static st_status answer_size(const sti_lint_task *t)
{
    boxes b;
    char  text[64];
    ST_TRY(find_referent(&b, t, "label"));
    for (size_t i = 0; i < b.count; i++) {
        const double cm = 100.0 * st_obb_longest_side(&b.of[i]->box);
        ST_TRY(offer(t, st_print_fixed(text, cm, 0), cm));
    }
    return st_ok();
}

static st_status answer_room_size(const sti_lint_task *t)
{
    char text[64];
    if (!t->scene->room.known)
        return sti_lint_cannot(t->result, t->words, "%s has no room size", t->scene->scene_id);
    return offer(t, st_print_fixed(text, t->scene->room.area_m2, 1), t->scene->room.area_m2);
}

static st_status answer_distance(const sti_lint_task *t)
{
    st_lint_row *r = t->result;
    boxes        a, b;
    char         text[64];
    ST_TRY(find_referent(&a, t, "a"));
    if (r->reason)
        return st_ok();
    ST_TRY(find_referent(&b, t, "b"));
    for (size_t i = 0; i < a.count; i++)
        for (size_t k = 0; k < b.count; k++) {
            double sampled_m;
            if (a.of[i] == b.of[k])
                continue;
            const st_status s = st_obb_distance_sampled(&sampled_m, t->scratch, &a.of[i]->box,
                                                        &b.of[k]->box);
            if (s.code == ST_ERR_LIMIT)
                return sti_lint_cannot(r, t->words, "%.150s", s.text);
            ST_TRY(s);
            ST_TRY(offer(t, st_print_fixed(text, sampled_m, 1), sampled_m));
            const double exact_m = st_obb_distance(&a.of[i]->box, &b.of[k]->box);
            st_print_fixed(text, exact_m, 1);
            if (r->has_exact && (r->exact_verdict == ST_LINT_AGREE ||
                                 !same_number(text, sti_lint_given(t->row))))
                continue;
            r->has_exact = true;
            r->exact_verdict = same_number(text, sti_lint_given(t->row)) ? ST_LINT_AGREE
                                                                         : ST_LINT_DISAGREE;
            ST_TRY(st_arena_printf(t->words, &r->exact_value, "%s", text));
        }
    if (!r->value && !r->reason)
        return sti_lint_cannot(r, t->words, "both slots name the same one box");
    return st_ok();
}

/* Least distance from one box to any of a set. */
static double nearest_m(const st_object *from, const boxes *to)
{
    double best_m = INFINITY;
    for (size_t i = 0; i < to->count; i++)
        if (to->of[i] != from)
            best_m = fmin(best_m, st_obb_distance(&from->box, &to->of[i]->box));
    return best_m;
}

/* True when the question lists the same labels as the options, in any order. */
static bool names_options(const sti_lint_task *t)
{
    char        slot[4] = "o1";
    int         named = 0;
    const char *list = st_reading_slot(t->reading, "options");
    for (int i = 0; i < t->row->option_count; i++) {
        const char *wanted = sti_lint_option(t->row->options[i]), *value = NULL;
        st_str      rest = st_str_from(list ? list : ""), field;
        bool        found = false;
        while (list && !found && st_str_next_field(&field, &rest, ',')) {
            char label[ST_NAME_BYTES_MAX + 1];
            snprintf(label, sizeof label, "%.*s", ST_STR_ARG(st_str_trim(field)));
            found = same_words(label, wanted);
        }
        for (slot[1] = '1'; !list && !found && slot[1] <= '4'; slot[1]++) {
            value = st_reading_slot(t->reading, slot);
            found = value && same_words(value, wanted);
        }
        named += found;
    }
    return named == t->row->option_count;
}

static st_status answer_nearest(const sti_lint_task *t)
{
    st_lint_row *r = t->result;
    boxes        anchor, option[ST_OPTIONS_MAX];
    const int    options = t->row->option_count;
    if (options < 2)
        return sti_lint_cannot(r, t->words, "expected at least 2 options, found %d", options);
    ST_TRY(find_referent(&anchor, t, "anchor"));
    for (int i = 0; i < options && !r->reason; i++)
        ST_TRY(find_boxes(&option[i], t, sti_lint_option(t->row->options[i])));
    if (r->reason)
        return st_ok();

    if (!names_options(t))
        r->notes |= ST_LINT_OPTIONS;

    for (size_t k = 0; k < anchor.count; k++) {
        double distance_m[ST_OPTIONS_MAX], best_m = INFINITY, second_m = INFINITY;
        for (int i = 0; i < options; i++) {
            distance_m[i] = nearest_m(anchor.of[k], &option[i]);
            second_m = fmin(second_m, fmax(best_m, distance_m[i]));
            best_m = fmin(best_m, distance_m[i]);
        }
        if (second_m - best_m < ST_LINT_TIE_M)
            r->notes |= ST_LINT_NEAR_TIE;
        for (int i = 0; i < options; i++)       /* two boxes that both touch are equally near */
            if (distance_m[i] <= best_m + 1e-9)
                ST_TRY(offer(t, sti_lint_option(t->row->options[i]), distance_m[i]));
    }
    return st_ok();
}

/* The word for a bearing, and how far the next boundary is. */
static const char *side_of(st_question type, double bearing_deg, double *margin_deg)
{
    static const double bounds[3][4] = {{0, 180, 360, 360}, {0, 135, 225, 360}, {0, 90, 180, 270}};
    const int           kind = type == ST_QUESTION_DIRECTION_EASY     ? 0
                               : type == ST_QUESTION_DIRECTION_MEDIUM ? 1 : 2;
    *margin_deg = 360.0 - bearing_deg;
    for (int i = 0; i < 4; i++)
        *margin_deg = fmin(*margin_deg, fabs(bearing_deg - bounds[kind][i]));
    if (kind == 0)
        return bearing_deg > 0.0 && bearing_deg < 180.0 ? "left" : "right";
    if (kind == 1)
        return bearing_deg >= 135.0 && bearing_deg <= 225.0 ? "back"
               : bearing_deg < 180.0                        ? "left" : "right";
    return bearing_deg < 90.0 ? "front-left" : bearing_deg < 180.0 ? "back-left"
           : bearing_deg < 270.0 ? "back-right" : "front-right";
}

static st_status answer_direction(const sti_lint_task *t)
{
    st_lint_row *r = t->result;
    boxes        p, o, q;
    ST_TRY(find_referent(&p, t, "p"));
    if (!r->reason)
        ST_TRY(find_referent(&o, t, "o"));
    if (!r->reason)
        ST_TRY(find_referent(&q, t, "q"));
    if (r->reason)
        return st_ok();
    for (size_t i = 0; i < p.count; i++)
        for (size_t j = 0; j < o.count; j++)
            for (size_t k = 0; k < q.count; k++) {
                double bearing_deg, margin_deg;
                if (st_bearing_deg(&bearing_deg, p.of[i]->box.center_m,
                                   o.of[j]->box.center_m,
                                   q.of[k]->box.center_m).code != ST_OK)
                    continue;       /* one straight above the other: this choice has no answer */
                const char *side = side_of(t->type, bearing_deg, &margin_deg);
                if (margin_deg < ST_LINT_TIE_DEG)
                    r->notes |= ST_LINT_NEAR_TIE;
                ST_TRY(offer(t, side, bearing_deg));
            }
    if (!r->value)
        return sti_lint_cannot(r, t->words, "two of the three things stand in one place, seen "
                                            "from above");
    return st_ok();
}

st_status sti_lint_answer(const sti_lint_task *t)
{
    switch (t->type) {
    case ST_QUESTION_COUNTING: ST_TRY(answer_count(t)); break;
    case ST_QUESTION_SIZE: ST_TRY(answer_size(t)); break;
    case ST_QUESTION_ROOM_SIZE: ST_TRY(answer_room_size(t)); break;
    case ST_QUESTION_ABS_DISTANCE: ST_TRY(answer_distance(t)); break;
    case ST_QUESTION_REL_DISTANCE: ST_TRY(answer_nearest(t)); break;
    default: ST_TRY(answer_direction(t)); break;
    }
    if (t->result->reason) {
        t->result->value = NULL;
        t->result->has_exact = false;
        return st_ok();
    }
    return print_answer(t);
}
