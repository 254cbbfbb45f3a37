/* What must not matter does not: turning, mirroring, scaling a scene, the order of objects and
 * scenes, the number of threads; and a seed changes words and letters, never an answer.
 */
#include "made_scenes.h"

#include "kernels/base/rng.h"

enum { HOUSE = 8 };

static asked a, b;
static made  rooms[HOUSE], others[HOUSE];

static int set_up(void **state)
{
    (void)state;
    char name[32];
    asked_init(&a, 1);
    asked_init(&b, 1);
    for (int i = 0; i < HOUSE; i++) {
        snprintf(name, sizeof name, "room%d", i);
        made_furnished(&rooms[i], name, i);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    asked_free(&a);
    asked_free(&b);
    return 0;
}

static void copy_rooms(void)
{
    memcpy(others, rooms, sizeof rooms);
    for (int i = 0; i < HOUSE; i++) {
        others[i].scene.objects = others[i].objects;
        others[i].scene.scene_id = others[i].scene.space_id = others[i].name;
    }
}

static void ask(asked *who, made *which)
{
    st_scene scenes[HOUSE];
    for (int i = 0; i < HOUSE; i++)
        scenes[i] = which[i].scene;
    asked_run(who, scenes, HOUSE);
}

/* Apply a 2D map and a scale to every box; a mirroring map keeps axes right-handed by turning the
 * third one of the box over. */
static void move_rooms(double c, double s, double flip, double scale, double dx, double dy)
{
    copy_rooms();
    for (int i = 0; i < HOUSE; i++) {
        others[i].scene.room.area_m2 *= scale * scale;
        for (size_t k = 0; k < others[i].scene.object_count; k++) {
            st_obb *box = &others[i].objects[k].box;
            double *vectors[] = {box->center_m, box->axis[0], box->axis[1], box->axis[2]};
            for (int v = 0; v < 4; v++) {
                const double x = flip * vectors[v][0], y = vectors[v][1];
                vectors[v][0] = c * x - s * y;
                vectors[v][1] = s * x + c * y;
            }
            for (int j = 0; j < 3; j++) {
                box->center_m[j] *= scale;
                box->half_m[j] *= scale;
                if (flip < 0)
                    box->axis[2][j] = -box->axis[2][j];
            }
            box->center_m[0] += dx;
            box->center_m[1] += dy;
            others[i].objects[k].box_min = *box;
        }
    }
}

/* Same rows, ids and words included; numbers within rounding, raw values of lengths times scale. */
static void assert_same_rows(double scale)
{
    assert_true(a.result.record_count > 200);
    assert_int_equal(a.result.record_count, b.result.record_count);
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *x = &a.result.records[i], *y = &b.result.records[i];
        assert_string_equal(x->id, y->id);
        assert_string_equal(x->question, y->question);
        const bool length = strcmp(x->proof.unit, "m") == 0 || strcmp(x->proof.unit, "cm") == 0;
        const double k = strcmp(x->proof.unit, "m2") == 0 ? scale * scale : length ? scale : 1.0;
        assert_near(y->proof.raw_value, k * x->proof.raw_value,
                    1e-9 * fmax(1.0, fabs(x->proof.raw_value)));
        if (scale == 1.0 || x->option_count > 0) {
            assert_string_equal(x->answer, y->answer);
            assert_string_equal(x->answer_value, y->answer_value);
        }
    }
}

static void turning_changes_nothing(void **state)
{
    (void)state;
    ask(&a, rooms);
    for (int deg = 17; deg < 360; deg += 71) {
        const double turn = deg * (3.14159265358979323846 / 180.0);
        move_rooms(cos(turn), sin(turn), 1, 1, 3.5, -20.25);
        ask(&b, others);
        assert_same_rows(1.0);
    }
}

/* Caps choose by the seed; without them every candidate is a row. */
static void lift_caps(asked *who)
{
    st_thresholds *t = &who->settings.thresholds;
    t->cap_abs_distance = t->cap_rel_distance_2 = t->cap_rel_distance_3 = t->cap_rel_distance_4 =
        t->cap_direction_easy = t->cap_direction_medium = t->cap_direction_hard = 1000;
}

static const char *mirrored(const char *answer)
{
    static const char *const pairs[][2] = {{"left", "right"}, {"front-left", "front-right"},
                                           {"back-left", "back-right"}};
    for (size_t i = 0; i < COUNT(pairs); i++)
        for (int k = 0; k < 2; k++)
            if (strcmp(answer, pairs[i][k]) == 0)
                return pairs[i][1 - k];
    return answer;
}

static void mirroring_swaps_left_and_right(void **state)
{
    (void)state;
    for (int i = 0; i < HOUSE; i++) {
        rooms[i].scene.object_count = 5;
        st_scene_mark_referents(&rooms[i].scene);
    }
    lift_caps(&a);
    lift_caps(&b);
    ask(&a, rooms);
    move_rooms(1, 0, -1, 1, 0, 0);
    ask(&b, others);
    assert_int_equal(a.result.record_count, b.result.record_count);
    int swapped = 0;
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *x = &a.result.records[i];
        const st_record *y = NULL;
        for (size_t k = 0; !y && k < b.result.record_count; k++)
            if (strcmp(b.result.records[k].id, x->id) == 0)
                y = &b.result.records[k];
        assert_non_null(y);
        const bool turns = strncmp(x->question_type, "object_rel_direction", 20) == 0;
        assert_string_equal(y->answer_value, turns ? mirrored(x->answer_value) : x->answer_value);
        swapped += strcmp(x->answer_value, y->answer_value) != 0;
    }
    assert_true(swapped > 20);
}

static void scaling_scales(void **state)
{
    (void)state;
    const double k = 1.25;
    ask(&a, rooms);
    move_rooms(1, 0, 1, k, 0, 0);
    st_thresholds *t = &b.settings.thresholds;
    double *lengths[] = {&t->size_min_m, &t->size_max_m, &t->size_stable_m, &t->distance_min_m,
                         &t->distance_max_m, &t->distance_gap_m, &t->nearest_min_m,
                         &t->nearest_max_m, &t->nearest_gap_m, &t->stand_min_m, &t->stand_max_m,
                         &t->stand_centre_min_m, &t->target_min_m, &t->stand_side_max_m,
                         &t->target_side_max_m};
    for (size_t i = 0; i < COUNT(lengths); i++)
        *lengths[i] *= k;
    t->room_min_m2 *= k * k;
    t->room_max_m2 *= k * k;
    ask(&b, others);
    assert_same_rows(k);
}

static void assert_same_bytes(void)
{
    st_text x = asked_bytes(&a), y = asked_bytes(&b);
    assert_true(x.size > 100000);
    assert_string_equal(x.data, y.data);
    st_text_free(&x);
    st_text_free(&y);
}

static void order_changes_nothing(void **state)
{
    (void)state;
    ask(&a, rooms);
    copy_rooms();
    st_rng rng = st_rng_from(3);
    for (int i = 0; i < HOUSE; i++)         /* instance ids stay with their objects */
        for (size_t k = others[i].scene.object_count; k > 1; k--) {
            const size_t j = (size_t)st_rng_below(&rng, k);
            const st_object keep = others[i].objects[j];
            others[i].objects[j] = others[i].objects[k - 1];
            others[i].objects[k - 1] = keep;
        }
    made swap = others[0];
    others[0] = others[5];
    others[5] = swap;
    for (int i = 0; i < HOUSE; i++) {
        others[i].scene.objects = others[i].objects;
        others[i].scene.scene_id = others[i].scene.space_id = others[i].name;
    }
    ask(&b, others);
    assert_same_bytes();
}

static void threads_change_nothing(void **state)
{
    (void)state;
    ask(&a, rooms);
    asked_free(&b);
    asked_init(&b, 4);
    ask(&b, rooms);
    assert_same_bytes();
    a.settings.no_debias = b.settings.no_debias = false;
    ask(&a, rooms);
    ask(&b, rooms);
    st_text x = asked_bytes(&a), y = asked_bytes(&b);
    assert_true(st_str_equal(st_text_view(&x), st_text_view(&y)));
    st_text_free(&x);
    st_text_free(&y);
}

/* Few objects: every set of options is tried, so both seeds ask the same things in other words. */
static void seed_changes_words_alone(void **state)
{
    (void)state;
    for (int i = 0; i < HOUSE; i++) {
        rooms[i].scene.object_count = 4;
        st_scene_mark_referents(&rooms[i].scene);
    }
    lift_caps(&a);
    lift_caps(&b);
    ask(&a, rooms);
    b.settings.seed = 2;
    ask(&b, rooms);
    assert_int_equal(a.result.record_count, b.result.record_count);
    int reworded = 0, relettered = 0;
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *x = &a.result.records[i], *y = NULL;
        for (size_t k = 0; !y && k < b.result.record_count; k++) {
            y = &b.result.records[k];
            if (strcmp(y->scene_id, x->scene_id) != 0 ||
                strcmp(y->question_type, x->question_type) != 0 ||
                y->referent_count != x->referent_count)
                y = NULL;
            for (int j = 0; y && j < x->referent_count; j++)
                if (strcmp(y->referents[j].label, x->referents[j].label) != 0)
                    y = NULL;
        }
        assert_non_null(y);
        assert_string_equal(x->answer_value, y->answer_value);
        assert_true(x->proof.raw_value == y->proof.raw_value);
        reworded += strcmp(x->template_id, y->template_id) != 0;
        relettered += x->option_count > 0 && strcmp(x->answer, y->answer) != 0;
    }
    assert_true(reworded > 20 && relettered > 5);
}

static void split_follows_the_space(void **state)
{
    (void)state;
    int val = 0;
    char name[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "space%d", i);
        const char *split = st_qa_split("made", name, &st_thresholds_default);
        val += strcmp(split, "val") == 0;
    }
    /* 2 % of 20,000 is 400, with a deviation of 20 */
    assert_true(val > 320 && val < 480);
    assert_string_equal(st_qa_split("made", "space7", &st_thresholds_default),
                        st_qa_split("made", "space7", &st_thresholds_default));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turning_changes_nothing),
        TEST(mirroring_swaps_left_and_right),
        TEST(scaling_scales),
        TEST(order_changes_nothing),
        TEST(threads_change_nothing),
        TEST(seed_changes_words_alone),
        TEST(split_follows_the_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
