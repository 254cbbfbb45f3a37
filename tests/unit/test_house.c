/* Houses keep the rules they promise: areas in closed form, nothing inside anything else, things
 * in their rooms and on what carries them, seats that look at their tables. */
#include "check.h"

#include "datagen/synth/synth.h"

#include <math.h>

enum { HOUSES = 20 };

static st_arena arena;

static const st_synth_house *house_at(const st_synth_settings *settings, int number)
{
    const st_synth_house *house;
    st_arena_reset(&arena);
    must(st_synth_house_make(&house, &arena, settings, number));
    return house;
}

static double shoelace(const double (*xy)[2], int count)
{
    double twice = 0.0;
    for (int i = 0; i < count; i++) {
        const double *a = xy[i], *b = xy[(i + 1) % count];
        twice += a[0] * b[1] - a[1] * b[0];
    }
    return twice / 2;
}

static bool inside(const double (*xy)[2], int count, double x, double y)
{
    bool in = false;
    for (int i = 0; i < count; i++) {
        const double *a = xy[i], *b = xy[(i + 1) % count];
        if ((a[1] > y) != (b[1] > y) && x < a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]))
            in = !in;
    }
    return in;
}

static void areas_are_closed_form(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        st_synth_settings settings = st_synth_defaults();
        settings.layout = layout ? ST_SYNTH_ARKIT : ST_SYNTH_SCANNET;
        for (int n = 0; n < HOUSES; n++) {
            const st_synth_house *h = house_at(&settings, n);
            double sum = 0.0;
            for (int r = 0; r < h->room_count; r++) {
                assert_near(h->room[r].area_m2,
                            shoelace(h->room[r].corner_m, h->room[r].corner_count), 1e-9);
                sum += h->room[r].area_m2;
            }
            assert_near(h->floor_area_m2, sum, 1e-9);
            /* The whole also holds the inner walls: 12 cm times their length, which is below the
             * outline's half circumference for each cut. */
            assert_true(h->area_m2 >= sum - 1e-9);
            if (h->room_count == 1)
                assert_near(h->area_m2, sum, 1e-9);
            assert_true(h->area_m2 - sum < 0.12 * 12.0 * h->room_count);
        }
    }
}

/* Does `carrier` carry `o`, maybe over others? */
static bool carried_by(const st_synth_house *h, const st_synth_object *o, int carrier)
{
    while (o->support == ST_SYNTH_ON_OBJECT) {
        if (o->support_id == carrier)
            return true;
        o = &h->object[o->support_id];
    }
    return false;
}

static void check_nothing_shares_space(const st_synth_settings *settings, int houses)
{
    for (int n = 0; n < houses; n++) {
        const st_synth_house *h = house_at(settings, n);
        for (size_t i = 0; i < h->object_count; i++)
            for (size_t k = 0; k < i; k++) {
                const st_synth_object *a = &h->object[i], *b = &h->object[k];
                if (carried_by(h, a, b->id) || carried_by(h, b, a->id))
                    continue;
                if (st_obb_overlap(&a->box, &b->box) > 1e-6)
                    fail_msg("%s: %s %d and %s %d share space", h->scan_id, a->label, a->id,
                             b->label, b->id);
            }
    }
}

static void nothing_is_inside_anything_else(void **state)
{
    (void)state;
    st_synth_settings settings = st_synth_defaults();
    settings.clutter = 3;
    check_nothing_shares_space(&settings, HOUSES);
    settings.layout = ST_SYNTH_ARKIT;
    check_nothing_shares_space(&settings, HOUSES);
}

static void check_things_stand(const st_synth_settings *settings, int houses)
{
    for (int n = 0; n < houses; n++) {
        const st_synth_house *h = house_at(settings, n);
        for (size_t i = 0; i < h->object_count; i++) {
            const st_synth_object *o = &h->object[i];
            const st_synth_room *room = &h->room[o->room];
            const double bottom = o->aabb_min_m[2];
            if (o->annotated)
                assert_int_equal(o->id, i);
            if (o->support == ST_SYNTH_ON_FLOOR)
                assert_near(bottom, h->floor_z_m, 1e-9);
            if (o->support == ST_SYNTH_ON_OBJECT) {
                /* It rests inside the height of its carrier and above its footprint; a sink hangs
                 * below the worktop. */
                const st_synth_object *below = &h->object[o->support_id];
                assert_int_equal(below->id, o->support_id);
                assert_true(bottom <= below->aabb_max_m[2] + 1e-9);
                assert_true(bottom >= below->aabb_min_m[2] - 0.18);
                const double center[3] = {o->box.center_m[0], o->box.center_m[1],
                                          below->box.center_m[2]};
                assert_true(st_obb_contains(&below->box, center, 1e-9));
            }
            if (o->support == ST_SYNTH_IN_OPENING)
                continue;           /* doors and windows are in walls */
            double corner[8][3];
            st_obb_corners(corner, &o->box);
            for (int c = 0; c < 8; c++)
                if (!inside(room->corner_m, room->corner_count, corner[c][0], corner[c][1]))
                    fail_msg("%s: %s %d leaves its room", h->scan_id, o->label, o->id);
        }
    }
}

static void things_stand_where_they_say(void **state)
{
    (void)state;
    st_synth_settings settings = st_synth_defaults();
    settings.clutter = 2;
    check_things_stand(&settings, HOUSES);
    settings.layout = ST_SYNTH_ARKIT;
    check_things_stand(&settings, HOUSES);
}

/* The same rules hold for models of a library, where Debian's is installed. */
static void library_models_keep_the_rules(void **state)
{
    (void)state;
    static const char path[] = "/usr/share/sweethome3d/furniture/BlendSwap-CC-0.sh3f";
    st_furniture *furniture;
    const st_status s = st_furniture_open(&furniture, path);
    if (s.code == ST_ERR_IO || s.code == ST_ERR_UNSUPPORTED) {
        printf("skipped: %s\n", s.text);
        return;
    }
    must(s);
    assert_true(st_furniture_count(furniture) >= 40);
    st_synth_settings settings = st_synth_defaults();
    settings.furniture = furniture;
    check_nothing_shares_space(&settings, 4);
    check_things_stand(&settings, 4);
    st_furniture_close(furniture);
}

static void chairs_look_at_tables(void **state)
{
    (void)state;
    const st_synth_settings settings = st_synth_defaults();
    int seats = 0;
    for (int n = 0; n < HOUSES; n++) {
        const st_synth_house *h = house_at(&settings, n);
        for (size_t i = 0; i < h->object_count; i++) {
            const st_synth_object *o = &h->object[i];
            if (o->nyu40 != 5 || strcmp(o->label, "armchair") == 0)
                continue;
            /* A table or desk within 15 cm of the chair lies in front of it. */
            const st_synth_object *nearest = NULL;
            double nearest_m = INFINITY;
            for (size_t k = 0; k < h->object_count; k++) {
                const st_synth_object *t = &h->object[k];
                const double apart = st_obb_distance(&o->box, &t->box);
                if ((t->nyu40 == 7 || t->nyu40 == 14) && apart < nearest_m) {
                    nearest = t;
                    nearest_m = apart;
                }
            }
            assert_non_null(nearest);
            assert_true(nearest_m < 0.15);
            double ahead[3] = {o->box.center_m[0] + 0.6 * o->front[0],
                               o->box.center_m[1] + 0.6 * o->front[1], nearest->box.center_m[2]};
            assert_true(st_obb_point_distance(&nearest->box, ahead) < 0.15);
            seats++;
        }
    }
    assert_true(seats > 20);
}

static void many_classes_appear(void **state)
{
    (void)state;
    const st_synth_settings settings = st_synth_defaults();
    char seen[100][32];
    int count = 0;
    for (int n = 0; n < HOUSES; n++) {
        const st_synth_house *h = house_at(&settings, n);
        for (size_t i = 0; i < h->object_count; i++) {
            int k = 0;
            while (k < count && strcmp(seen[k], h->object[i].label) != 0)
                k++;
            if (k == count)
                snprintf(seen[count++], sizeof seen[0], "%s", h->object[i].label);
        }
    }
    assert_true(count >= 25);
}

/* The box of truth is found by trying directions; it must not be larger than any other. */
static void boxes_hold_and_are_least(void **state)
{
    (void)state;
    st_synth_settings settings = st_synth_defaults();
    settings.layout = ST_SYNTH_ARKIT;       /* turned anyhow: no direction is special */
    for (int n = 0; n < 6; n++) {
        const st_synth_house *h = house_at(&settings, n);
        for (size_t i = 0; i < h->object_count; i++) {
            const st_synth_object *o = &h->object[i];
            const double area = 4 * o->box.half_m[0] * o->box.half_m[1];
            assert_true(o->box.half_m[0] >= o->box.half_m[1] - 1e-4);
            for (size_t v = 0; v < o->model.vertex_count; v++)
                assert_true(st_obb_contains(&o->box, o->model.vertex_m[v], 1e-7));
            for (int k = 0; k < 180; k++) {
                const double c = cos(k * 0.0087266), s = sin(k * 0.0087266);
                double lo[2] = {INFINITY, INFINITY}, hi[2] = {-INFINITY, -INFINITY};
                for (size_t v = 0; v < o->model.vertex_count; v++) {
                    const double *p = o->model.vertex_m[v];
                    const double uv[2] = {c * p[0] + s * p[1], -s * p[0] + c * p[1]};
                    for (int a = 0; a < 2; a++) {
                        lo[a] = fmin(lo[a], uv[a]);
                        hi[a] = fmax(hi[a], uv[a]);
                    }
                }
                if (!((hi[0] - lo[0]) * (hi[1] - lo[1]) >= area - 1e-9))
                    fail_msg("%s %s %d: %.9g m2 is not least: %.9g at %d half degrees", h->scan_id,
                             o->label, o->id, area, (hi[0] - lo[0]) * (hi[1] - lo[1]), k);
            }
        }
    }
}

static void a_house_depends_on_its_number_alone(void **state)
{
    (void)state;
    const st_synth_settings settings = st_synth_defaults();
    st_text first, second;
    st_text_init(&first);
    st_text_init(&second);
    must(st_synth_truth_write(&first, house_at(&settings, 7), &settings));
    (void)house_at(&settings, 3);
    must(st_synth_truth_write(&second, house_at(&settings, 7), &settings));
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    st_text_clear(&second);
    must(st_synth_truth_write(&second, house_at(&settings, 8), &settings));
    assert_true(first.size != second.size || memcmp(first.data, second.data, first.size) != 0);
    st_text_free(&first);
    st_text_free(&second);
}

/* The same bytes from every compiler: gcc and clang order draws differently where a statement has
 * two. When houses change on purpose, the test prints the new digest. */
static void houses_are_the_same_everywhere(void **state)
{
    (void)state;
    static const char expected[] =
        "66fa9fe6e8094c600000f200d60a4754f418f17fd2623819e76b6d4e43736439";
    st_synth_settings settings = st_synth_defaults();
    settings.clutter = 2;
    settings.room_max = 6;
    st_text text;
    st_text_init(&text);
    for (int n = 0; n < 8; n++)
        must(st_synth_truth_write(&text, house_at(&settings, n), &settings));
    char found[65];
    const st_digest digest = st_digest_of(text.data, text.size);
    assert_string_equal(st_digest_print(found, &digest), expected);
    st_text_free(&text);
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    const st_synth_house *house;
    st_synth_settings settings = st_synth_defaults();
    settings.room_max = 7;
    must_fail(st_synth_house_make(&house, &arena, &settings, 0), ST_ERR_USAGE,
              "rooms must be LO:HI with 1 <= LO <= HI <= 6, is 1:7");
    settings = st_synth_defaults();
    settings.noise_m = NAN;
    must_fail(st_synth_house_make(&house, &arena, &settings, 0), ST_ERR_USAGE,
              "the noise must be 0 to 0.1 m, is nan");
    settings = st_synth_defaults();
    must_fail(st_synth_house_make(&house, &arena, &settings, 9000), ST_ERR_USAGE,
              "house numbers go from 0 to 8999, this is 9000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_are_closed_form),
        cmocka_unit_test(nothing_is_inside_anything_else),
        cmocka_unit_test(things_stand_where_they_say),
        cmocka_unit_test(library_models_keep_the_rules),
        cmocka_unit_test(chairs_look_at_tables),
        cmocka_unit_test(many_classes_appear),
        cmocka_unit_test(boxes_hold_and_are_least),
        cmocka_unit_test(a_house_depends_on_its_number_alone),
        cmocka_unit_test(houses_are_the_same_everywhere),
        cmocka_unit_test(wrong_settings_are_named),
    };
    st_arena_init(&arena, "house");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    st_arena_free(&arena);
    return failed;
}
