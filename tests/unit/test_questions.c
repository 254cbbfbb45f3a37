/* Every threshold of a type from one step inside and one step outside, with closed-form answers.
 *
 * A step is a micrometre or a millionth of a degree: far above rounding, far below anything that
 * matters. Most scenes put cubes of half a metre on a line, so that a gap is a difference.
 */
#include "made_scenes.h"

#define STEP 1e-6

static asked a;
static made  m;

static int set_up(void **state)
{
    (void)state;
    asked_init(&a, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    asked_free(&a);
    return 0;
}

static bool is_asked(st_question type, const char *l0, const char *l1, const char *l2)
{
    asked_of(&a, &m);
    return asked_find(&a, type, l0, l1, l2) != NULL;
}

/* --- counting --------------------------------------------------------------------------------- */

/* Whether `count` chairs are counted in a room where other counts make room for a count of one. */
static bool chairs_are_counted(int count)
{
    made_begin(&m, "room", 0);
    for (int i = 0; i < count; i++)
        made_cube(&m, "chair", i, 0);
    static const char *const others[] = {"sofa", "bed", "toilet", "bathtub", "fireplace"};
    for (int i = 0; i < 10; i++)
        made_cube(&m, others[i / 2], i, 5);
    return is_asked(ST_QUESTION_COUNTING, "chair", NULL, NULL);
}

static void counts_from_two_to_twenty(void **state)
{
    (void)state;
    assert_true(chairs_are_counted(2));
    assert_string_equal(asked_find(&a, ST_QUESTION_COUNTING, "chair", NULL, NULL)->answer, "2");
    assert_true(chairs_are_counted(20));
    assert_string_equal(asked_find(&a, ST_QUESTION_COUNTING, "chair", NULL, NULL)->answer, "20");
    assert_false(chairs_are_counted(21));
}

/* 1 is the answer of at most a tenth of the rows: of 10 when 9 others are asked, of none of 9. */
static void one_is_counted_rarely(void **state)
{
    (void)state;
    for (int others = 8; others <= 9; others++) {
        made rooms[10];
        st_scene scenes[10];
        char name[16];
        for (int i = 0; i <= others; i++) {
            snprintf(name, sizeof name, "room%d", i);
            made_begin(&rooms[i], name, 0);
            made_cube(&rooms[i], "bed", 0, 0);
            if (i > 0)
                made_cube(&rooms[i], "bed", 3, 0);
            made_end(&rooms[i]);
            scenes[i] = rooms[i].scene;
        }
        asked_run(&a, scenes, (size_t)others + 1);
        assert_int_equal(a.result.pools[0].rows, others == 9 ? 10 : 8);
    }
}

static void doubtful_counts_are_not_asked(void **state)
{
    (void)state;
    static const struct {
        const char *label, *beside;
        unsigned    flags;
        const char *dropped;
        bool        asked;
    } cases[] = {
        {"chair", NULL, 0, NULL, true},
        {"chair", "sofa", 0, NULL, true},
        {"chair", "stool", 0, NULL, false},             /* goes by the other's name */
        {"window", NULL, 0, NULL, false},               /* hard to count            */
        {"telephone", NULL, 0, NULL, false},            /* never counted            */
        {"chair", NULL, ST_FLAG_PLURAL, NULL, false},
        {"chair", NULL, ST_FLAG_SCATTERED, NULL, false},
        {"chair", NULL, ST_FLAG_DUPLICATE, NULL, false},
        {"chair", NULL, ST_FLAG_COUNT_MISMATCH, NULL, false},
        {"chair", NULL, 0, "bed", true},
        {"chair", NULL, 0, "chair", false},
        {"chair", NULL, 0, "stool", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        st_dropped dropped = {
            .instance_id = 99, .raw_label = cases[i].dropped, .reason = "few_points"};
        made_begin(&m, "room", 0);
        made_cube(&m, cases[i].label, 0, 0)->flags = cases[i].flags;
        made_cube(&m, cases[i].label, 2, 0);
        if (cases[i].beside)
            made_cube(&m, cases[i].beside, 4, 0);
        if (cases[i].dropped) {
            m.scene.dropped = &dropped;
            m.scene.dropped_count = 1;
        }
        if (is_asked(ST_QUESTION_COUNTING, cases[i].label, NULL, NULL) != cases[i].asked)
            fail_msg("case %zu: asked is not %d", i, cases[i].asked);
    }
}

/* --- sizes ------------------------------------------------------------------------------------ */

static bool size_is_asked(double side_m, double min_side_m)
{
    made_begin(&m, "room", 0);
    st_object *bed = made_box(&m, "bed", 1, 2, 3, 0.1, side_m, 0.05, 30);
    if (min_side_m > 0) {
        bed->has_box_min = true;
        bed->box_min.half_m[1] = min_side_m / 2;
    }
    return is_asked(ST_QUESTION_SIZE, "bed", NULL, NULL);
}

static void sizes_within_bounds(void **state)
{
    (void)state;
    assert_true(size_is_asked(0.15 + STEP, 0));
    assert_false(size_is_asked(0.15 - STEP, 0));
    assert_true(size_is_asked(4.0, 0));
    assert_string_equal(asked_find(&a, ST_QUESTION_SIZE, "bed", NULL, NULL)->answer, "400");
    assert_false(size_is_asked(4.0 + STEP, 0));
    assert_true(size_is_asked(1.234, 0));
    assert_string_equal(asked_find(&a, ST_QUESTION_SIZE, "bed", NULL, NULL)->answer, "123");
    assert_near(asked_find(&a, ST_QUESTION_SIZE, "bed", NULL, NULL)->proof.raw_value, 123.4, 1e-9);
}

static void sizes_agree_between_boxes(void **state)
{
    (void)state;
    assert_true(size_is_asked(0.4, 0.4 + 0.03 - STEP));         /* 3 cm is more than 5 % */
    assert_false(size_is_asked(0.4, 0.4 + 0.03 + STEP));
    assert_true(size_is_asked(2.0, 2.0 - 0.1 + STEP));          /* 5 % is more than 3 cm */
    assert_false(size_is_asked(2.0, 2.0 - 0.1 - STEP));
}

static void sizes_need_a_referent(void **state)
{
    (void)state;
    made_begin(&m, "room", 0);
    made_cube(&m, "bed", 0, 0);
    made_cube(&m, "bed", 3, 0);
    made_cube(&m, "desk", 0, 3);
    made_cube(&m, "table", 3, 3);
    made_cube(&m, "cup", 0, 6);
    made_cube(&m, "sofa", 3, 6);
    asked_of(&a, &m);
    assert_null(asked_find(&a, ST_QUESTION_SIZE, "bed", NULL, NULL));       /* two of them  */
    assert_null(asked_find(&a, ST_QUESTION_SIZE, "desk", NULL, NULL));      /* a table too  */
    assert_null(asked_find(&a, ST_QUESTION_SIZE, "cup", NULL, NULL));       /* mention only */
    assert_non_null(asked_find(&a, ST_QUESTION_SIZE, "sofa", NULL, NULL));
}

/* --- rooms ------------------------------------------------------------------------------------ */

static bool room_is_asked(double area_m2, double floor_m2)
{
    made_begin(&m, "room", area_m2);
    m.scene.room.floor_area_m2 = floor_m2;
    return is_asked(ST_QUESTION_ROOM_SIZE, NULL, NULL, NULL);
}

static void rooms_within_bounds(void **state)
{
    (void)state;
    assert_true(room_is_asked(3.0, -1));
    assert_string_equal(a.result.records[0].answer, "3.0");
    assert_false(room_is_asked(3.0 - STEP, -1));
    assert_true(room_is_asked(150.0, -1));
    assert_false(room_is_asked(150.0 + STEP, -1));
    assert_false(room_is_asked(0, -1));
    assert_true(room_is_asked(20.0, 15.0));
    assert_false(room_is_asked(20.0, 15.0 - STEP));
    assert_true(room_is_asked(20.0, 25.0));
    assert_false(room_is_asked(20.0, 25.0 + STEP));
}

/* --- distances -------------------------------------------------------------------------------- */

static bool distance_is_asked(double gap_m)
{
    made_begin(&m, "room", 0);
    made_cube(&m, "bed", 0, 0);
    made_cube(&m, "sofa", 0.5 + gap_m, 0.2);
    return is_asked(ST_QUESTION_ABS_DISTANCE, "bed", "sofa", NULL);
}

static void distances_within_bounds(void **state)
{
    (void)state;
    assert_true(distance_is_asked(0.5));
    assert_false(distance_is_asked(0.5 - STEP));
    assert_true(distance_is_asked(8.0));
    assert_false(distance_is_asked(8.0 + STEP));
    assert_true(distance_is_asked(1.26));
    const st_record *r = asked_find(&a, ST_QUESTION_ABS_DISTANCE, "bed", "sofa", NULL);
    assert_string_equal(r->answer, "1.3");
    assert_near(r->proof.raw_value, 1.26, 1e-9);
    assert_null(asked_find(&a, ST_QUESTION_ABS_DISTANCE, "sofa", "bed", NULL));     /* once */
}

/* Boxes `box_m` apart, surfaces `surface_m`. */
static bool is_asked_with_surfaces(double box_m, double surface_m)
{
    made_begin(&m, "room", 0);
    made_cube(&m, "sofa", 0.5 + box_m, 0.2);
    made_cube(&m, "bed", 0, 0);
    made_cube(&m, "desk", 50, 50);
    st_surface_gap gaps[] = {{0, 2, 1.0}, {0, 1, surface_m}};
    m.scene.surfaces = gaps;
    m.scene.surface_count = COUNT(gaps);
    return is_asked(ST_QUESTION_ABS_DISTANCE, "bed", "sofa", NULL);
}

/* A tenth of a metre, or of the distance, whichever is more. */
static void surfaces_bear_the_boxes_out(void **state)
{
    (void)state;
    assert_true(is_asked_with_surfaces(0.8, 0.9));
    assert_false(is_asked_with_surfaces(0.8, 0.9 + STEP));
    assert_true(is_asked_with_surfaces(3.0, 3.3));
    const st_record *r = asked_find(&a, ST_QUESTION_ABS_DISTANCE, "bed", "sofa", NULL);
    assert_near(r->proof.raw_value, 3.0, 1e-9);
    assert_int_equal(r->proof.margin_count, 3);
    assert_string_equal(r->proof.margins[2].name, "distance_gap_m");
    assert_near(r->proof.margins[2].value, 0.0, 1e-9);
    assert_false(is_asked_with_surfaces(3.0, 3.3 + STEP));
}

/* Anchor bed at the origin, sofa and tv to both sides of it, beyond gaps. */
static bool nearest_is_asked(double sofa_m, double tv_m)
{
    made_begin(&m, "room", 0);
    made_cube(&m, "bed", 0, 0);
    made_cube(&m, "sofa", 0.5 + sofa_m, 0);
    made_cube(&m, "tv", -0.5 - tv_m, 0);
    return is_asked(ST_QUESTION_REL_DISTANCE, "bed", "sofa", "tv");
}

static void nearest_within_bounds(void **state)
{
    (void)state;
    assert_true(nearest_is_asked(0.20 + STEP, 1.0));
    assert_false(nearest_is_asked(0.20 - STEP, 1.0));
    assert_true(nearest_is_asked(6.0, 8.0));
    assert_false(nearest_is_asked(6.0 + STEP, 8.0));
    assert_true(nearest_is_asked(1.0, 1.3 + STEP));             /* 30 cm is more than 15 % */
    assert_false(nearest_is_asked(1.0, 1.3 - STEP));
    assert_true(nearest_is_asked(3.4 - STEP, 4.0));             /* 15 % of 4 m is 60 cm    */
    assert_false(nearest_is_asked(3.4 + STEP, 4.0));
    assert_true(nearest_is_asked(2.0, 1.0));
    assert_string_equal(asked_find(&a, ST_QUESTION_REL_DISTANCE, "bed", "sofa", "tv")
                            ->answer_value, "tv");
}

static void nearest_takes_the_nearest_member(void **state)
{
    (void)state;
    made_begin(&m, "room", 0);
    made_cube(&m, "bed", 0, 0);
    made_cube(&m, "sofa", 3, 0);
    made_cube(&m, "chair", -7, 0);
    made_cube(&m, "chair", -1.5, 0);
    assert_true(is_asked(ST_QUESTION_REL_DISTANCE, "bed", "chair", "sofa"));
    const st_record *r = asked_find(&a, ST_QUESTION_REL_DISTANCE, "bed", "chair", "sofa");
    assert_string_equal(r->answer_value, "chair");
    assert_int_equal(r->referents[1].instance_count, 2);
    assert_near(r->proof.raw_value, 1.0, 1e-12);
    /* One member in doubt, and the kind is no option. */
    m.objects[2].flags = ST_FLAG_SCATTERED;
    assert_false(is_asked(ST_QUESTION_REL_DISTANCE, "bed", "chair", "sofa"));
}

static void nearest_offers_two_three_and_four(void **state)
{
    (void)state;
    made_begin(&m, "room", 0);
    made_cube(&m, "bed", 0, 0);
    made_cube(&m, "sofa", 2, 0);
    made_cube(&m, "tv", 0, 3);
    made_cube(&m, "toilet", 0, -4);
    made_cube(&m, "piano", -5, 0);
    asked_of(&a, &m);
    int seen[5] = {0};
    for (size_t i = 0; i < a.result.record_count; i++) {
        const st_record *r = &a.result.records[i];
        if (strcmp(r->question_type, "object_rel_distance") != 0)
            continue;
        seen[r->option_count]++;
        const char *right = r->options[r->answer[0] - 'A'];
        assert_int_equal(right[0], r->answer[0]);
        assert_string_equal(right + 3, r->answer_value);
        assert_int_equal(r->referent_count, 1 + r->option_count);
    }
    assert_int_equal(seen[2], 2);               /* the caps */
    assert_int_equal(seen[3], 2);
    assert_true(seen[4] >= 1 && seen[4] <= 4);
}

/* --- directions ------------------------------------------------------------------------------- */

/* P at the origin, O along +x, Q at a bearing; small boxes unless told. */
typedef struct plan {
    double p_side_m, o_m, o_side_m, q_m, q_deg, q_side_m;
} plan;

static const plan usual = {0.2, 3.0, 0.2, 3.0, 60.0, 0.02};

static bool direction_is_asked(st_question type, plan p)
{
    const double q = p.q_deg * (3.14159265358979323846 / 180.0);
    made_begin(&m, "room", 0);
    made_box(&m, "bed", 0, 0, 0.5, p.p_side_m, p.p_side_m, 0.2, 0);
    made_box(&m, "sofa", p.o_m, 0, 0.5, p.o_side_m, p.o_side_m, 0.2, 0);
    made_box(&m, "tv", p.q_m * cos(q), p.q_m * sin(q), 0.5, p.q_side_m, p.q_side_m, 0.2, 0);
    return is_asked(type, "bed", "sofa", "tv");
}

/* The answer at a bearing; "" when it is not asked. */
static const char *answer_at(st_question type, double q_deg)
{
    plan p = usual;
    p.q_deg = q_deg;
    if (!direction_is_asked(type, p))
        return "";
    return asked_find(&a, type, "bed", "sofa", "tv")->answer_value;
}

static void bearings_and_their_margins(void **state)
{
    (void)state;
    static const struct {
        st_question type;
        double      from_deg, to_deg;
        const char *answer;
    } sectors[] = {
        {ST_QUESTION_DIRECTION_EASY, 20, 115, "left"},
        {ST_QUESTION_DIRECTION_EASY, 245, 340, "right"},
        {ST_QUESTION_DIRECTION_MEDIUM, 20, 115, "left"},
        {ST_QUESTION_DIRECTION_MEDIUM, 155, 205, "back"},
        {ST_QUESTION_DIRECTION_MEDIUM, 245, 340, "right"},
        {ST_QUESTION_DIRECTION_HARD, 20, 70, "front-left"},
        {ST_QUESTION_DIRECTION_HARD, 110, 160, "back-left"},
        {ST_QUESTION_DIRECTION_HARD, 200, 250, "back-right"},
        {ST_QUESTION_DIRECTION_HARD, 290, 340, "front-right"},
    };
    for (size_t i = 0; i < COUNT(sectors); i++) {
        assert_string_equal(answer_at(sectors[i].type, sectors[i].from_deg + STEP),
                            sectors[i].answer);
        assert_string_equal(answer_at(sectors[i].type, sectors[i].to_deg - STEP),
                            sectors[i].answer);
        assert_string_equal(answer_at(sectors[i].type, sectors[i].from_deg - STEP), "");
        assert_string_equal(answer_at(sectors[i].type, sectors[i].to_deg + STEP), "");
    }
    assert_string_equal(answer_at(ST_QUESTION_DIRECTION_EASY, 180), "");    /* behind: no side */
}

static void directions_keep_their_distances(void **state)
{
    (void)state;
    const st_question easy = ST_QUESTION_DIRECTION_EASY;
    plan p = usual;
    /* From P to O between boxes: 0.5 to 5 m. P's half side is 0.6, O's 0.1: centres 1.2 apart. */
    p.p_side_m = 1.2;
    p.o_m = 1.2 + STEP;
    assert_true(direction_is_asked(easy, p));
    p.o_m = 1.2 - STEP;
    assert_false(direction_is_asked(easy, p));
    p = usual;
    p.o_m = 5.2 - STEP;
    assert_true(direction_is_asked(easy, p));
    p.o_m = 5.2 + STEP;
    assert_false(direction_is_asked(easy, p));
    /* From P to Q likewise, straight to the left. */
    p = usual;
    p.q_deg = 90;
    p.q_m = 5.11 - STEP;
    assert_true(direction_is_asked(easy, p));
    p.q_m = 5.11 + STEP;
    assert_false(direction_is_asked(easy, p));
    /* Centres 1 m apart, boxes more than 0.5. */
    p = usual;
    p.o_m = 1.0 + STEP;
    assert_true(direction_is_asked(easy, p));
    p.o_m = 1.0 - STEP;
    assert_false(direction_is_asked(easy, p));
    p = usual;
    p.q_deg = 90;
    p.q_m = 1.0 + STEP;
    assert_true(direction_is_asked(easy, p));
    p.q_m = 1.0 - STEP;
    assert_false(direction_is_asked(easy, p));
}

static void targets_stand_apart(void **state)
{
    (void)state;
    /* O is a cube of 0.2 at (3,0); Q of 0.02 above it at (3,y), 0.3 m beyond its side. The bearing
     * would be too small from the origin, so P stands closer. */
    for (int outside = 0; outside <= 1; outside++) {
        made_begin(&m, "room", 0);
        made_box(&m, "bed", 2, 0, 0.5, 0.2, 0.2, 0.2, 0);
        made_box(&m, "sofa", 3, 0, 0.5, 0.2, 0.2, 0.2, 0);
        made_box(&m, "tv", 3, 0.1 + 0.3 + 0.01 + (outside ? -STEP : STEP), 0.5, 0.02, 0.02, 0.2, 0);
        assert_int_equal(is_asked(ST_QUESTION_DIRECTION_EASY, "bed", "sofa", "tv"), !outside);
    }
}

static void large_things_are_no_landmarks(void **state)
{
    (void)state;
    const st_question easy = ST_QUESTION_DIRECTION_EASY;
    plan p = usual;
    p.q_deg = 90;
    p.p_side_m = 1.6;
    assert_true(direction_is_asked(easy, p));
    p.p_side_m = 1.6 + STEP;
    assert_false(direction_is_asked(easy, p));
    p = usual;
    p.o_side_m = 2.0;
    assert_true(direction_is_asked(easy, p));
    p.o_side_m = 2.0 + STEP;
    assert_false(direction_is_asked(easy, p));
    p = usual;
    p.q_deg = 90;
    p.q_side_m = 2.0;
    assert_true(direction_is_asked(easy, p));
    p.q_side_m = 2.0 + STEP;
    assert_false(direction_is_asked(easy, p));
}

/* Q reaches from x = 2 cm to 1.9 m, 1.5 m to the left: all of it front left, also from the front
 * side of P, 1 cm ahead of its centre. Another 2 cm, and a corner is back left. */
static void corners_stay_in_the_sector(void **state)
{
    (void)state;
    for (int outside = 0; outside <= 1; outside++) {
        made_begin(&m, "room", 0);
        made_box(&m, "bed", 0, 0, 0.5, 0.02, 0.02, 0.2, 0);
        made_box(&m, "sofa", 4, 0, 0.5, 0.2, 0.2, 0.2, 0);
        made_box(&m, "tv", 0.96, 1.5, 0.5, outside ? 1.92 : 1.88, 0.2, 0.2, 0);
        assert_int_equal(is_asked(ST_QUESTION_DIRECTION_HARD, "bed", "sofa", "tv"), !outside);
        assert_non_null(asked_find(&a, ST_QUESTION_DIRECTION_EASY, "bed", "sofa", "tv"));
    }
}

/* P is 1.6 m deep. From its centre Q lies at 70 degrees, from the middle of its front side behind
 * the shoulder: left all the same, but in no single quadrant. */
static void both_stands_agree(void **state)
{
    (void)state;
    plan p = usual;
    p.q_deg = 69;
    p.q_m = 2.0;
    p.o_m = 4.0;
    assert_true(direction_is_asked(ST_QUESTION_DIRECTION_HARD, p));
    p.p_side_m = 1.6;
    assert_false(direction_is_asked(ST_QUESTION_DIRECTION_HARD, p));
    assert_true(direction_is_asked(ST_QUESTION_DIRECTION_EASY, p));
}

/* --- caps ------------------------------------------------------------------------------------- */

static void caps_hold_per_scene(void **state)
{
    (void)state;
    made rooms[2];
    made_furnished(&rooms[0], "first", 0);
    made_furnished(&rooms[1], "second", 3);
    st_scene scenes[] = {rooms[0].scene, rooms[1].scene};
    asked_run(&a, scenes, 2);
    static const int caps[ST_QA_POOLS] = {6, 8, 1, 8, 2, 2, 4, 4, 6, 6, 2, 2};
    for (int p = 0; p < ST_QA_POOLS; p++) {
        const st_qa_pool *pool = &a.result.pools[p];
        assert_true(pool->rows <= 2 * caps[p]);
        if (pool->type != ST_QUESTION_COUNTING)
            assert_true(pool->rows == 2 * caps[p] || pool->rows == pool->found);
    }
    /* ten referents: more distances than the cap, and the cap is reached */
    assert_int_equal(a.result.pools[ST_QUESTION_ABS_DISTANCE].rows, 16);
    assert_int_equal(a.result.pools[ST_QUESTION_SIZE].rows, 16);
}

/* Phase 1 hands on at most 24 candidates of one scene, type and answer: here of "left" and "right"
 * among hundreds, the same ones whatever else is cut. */
static void surplus_is_cut_in_phase_one(void **state)
{
    (void)state;
    made_furnished(&m, "room", 0);
    asked_of(&a, &m);
    const int64_t cut = a.result.pools[7].found;            /* object_rel_direction_easy */
    assert_int_equal(a.result.pools[7].type, ST_QUESTION_DIRECTION_EASY);
    assert_int_equal(cut, 48);
    a.settings.thresholds.candidates_per_content = 25;
    asked_of(&a, &m);
    assert_int_equal(a.result.pools[7].found, 50);
    a.settings.thresholds.candidates_per_content = 1e6;
    asked_of(&a, &m);
    assert_true(a.result.pools[7].found > 50);
}

static void benchmark_rooms_are_guarded(void **state)
{
    (void)state;
    made rooms[2];
    made_furnished(&rooms[0], "scene0025_00", 0);       /* a rescan of a benchmark room */
    made_furnished(&rooms[1], "scene9999_00", 1);
    rooms[0].scene.dataset = rooms[1].scene.dataset = "scannet";
    rooms[0].scene.space_id = "scene0025";
    rooms[1].scene.space_id = "scene9999";
    st_scene scenes[] = {rooms[0].scene, rooms[1].scene};
    asked_run(&a, scenes, 2);
    assert_int_equal(a.result.scene_count, 1);
    assert_int_equal(a.result.skip_count, 1);
    assert_string_equal(a.result.skips[0].scene_id, "scene0025_00");
    assert_string_equal(a.result.skips[0].reason, "benchmark");
    a.settings.allow_benchmark = true;
    asked_run(&a, scenes, 2);
    assert_int_equal(a.result.scene_count, 2);
}

static void repeated_scenes_must_agree(void **state)
{
    (void)state;
    made rooms[2];
    made_furnished(&rooms[0], "same", 0);
    made_furnished(&rooms[1], "same", 0);
    st_scene scenes[] = {rooms[0].scene, rooms[1].scene};
    asked_run(&a, scenes, 2);
    assert_int_equal(a.result.scene_count, 1);
    assert_string_equal(a.result.skips[0].reason, "repeated");
    rooms[1].objects[0].box.half_m[0] *= 2;
    must_fail(st_qa_generate(&a.result, &a.arena, &a.scenes, &a.settings, &a.pack, a.pool, NULL),
              ST_ERR_DATA, "made same is given twice, with different content");
}

static void unseen_rows_can_be_refused(void **state)
{
    (void)state;
    made_furnished(&m, "room", 0);
    asked_of(&a, &m);
    assert_true(a.result.record_count > 20);
    for (size_t i = 0; i < a.result.record_count; i++)
        assert_string_equal(a.result.records[i].flags[0], "seen_unchecked");
    a.settings.require_seen = true;
    asked_of(&a, &m);
    assert_int_equal(a.result.record_count, 0);
    assert_true(a.result.unseen_dropped > 20);
}

static void pack_without_a_type_is_named(void **state)
{
    (void)state;
    must(st_template_pack_parse(&a.pack, &a.arena,
                                st_str_from("{\"pack\":\"p\",\"templates\":[]}")));
    made_begin(&m, "room", 20);
    made_end(&m);
    a.scenes = (st_scene_list){&m.scene, 1, 1};
    must_fail(st_qa_generate(&a.result, &a.arena, &a.scenes, &a.settings, &a.pack, a.pool, NULL),
              ST_ERR_DATA,
              "template pack \"p\" has nothing for room_size_estimation with 0 options");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_from_two_to_twenty),
        TEST(one_is_counted_rarely),
        TEST(doubtful_counts_are_not_asked),
        TEST(sizes_within_bounds),
        TEST(sizes_agree_between_boxes),
        TEST(sizes_need_a_referent),
        TEST(rooms_within_bounds),
        TEST(distances_within_bounds),
        TEST(surfaces_bear_the_boxes_out),
        TEST(nearest_within_bounds),
        TEST(nearest_takes_the_nearest_member),
        TEST(nearest_offers_two_three_and_four),
        TEST(bearings_and_their_margins),
        TEST(directions_keep_their_distances),
        TEST(targets_stand_apart),
        TEST(large_things_are_no_landmarks),
        TEST(corners_stay_in_the_sector),
        TEST(both_stands_agree),
        TEST(caps_hold_per_scene),
        TEST(surplus_is_cut_in_phase_one),
        TEST(benchmark_rooms_are_guarded),
        TEST(repeated_scenes_must_agree),
        TEST(unseen_rows_can_be_refused),
        TEST(pack_without_a_type_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
