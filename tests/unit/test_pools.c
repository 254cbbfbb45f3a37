/* Pools from both sides of their bounds: what is dropped, what is withheld, how letters fall.
 *
 * Candidates are put together by hand: a pool sees their contents, labels, values and scenes alone.
 */
#include "made_scenes.h"

#include "datagen/questions/internal.h"

enum { MOST = 4000, LABELS = 12 };

static st_arena       arena;
static st_qa_settings settings;
static st_scene       scenes[MOST];
static sti_facts      facts[MOST];
static sti_kind       kinds[LABELS];
static sti_candidate  candidates[MOST];
static sti_candidate *list[MOST];
static sti_pool       pool;

static const char *const labels[LABELS] = {"bed", "chair", "desk", "door", "lamp", "oven",
                                           "piano", "plant", "sofa", "stool", "tv", "window"};

static int set_up(void **state)
{
    (void)state;
    st_arena_init(&arena, "test");
    settings = st_qa_settings_default();
    for (int k = 0; k < LABELS; k++)
        kinds[k] = (sti_kind){.label = labels[k], .count = 1};
    for (uint32_t i = 0; i < MOST; i++) {
        scenes[i] = (st_scene){.dataset = "made", .scene_id = "scene"};
        facts[i] = (sti_facts){.scene = &scenes[i], .settings = &settings, .scene_index = i,
                               .kinds = kinds, .kind_count = LABELS};
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    st_arena_free(&arena);
    return 0;
}

static void begin(st_question type, int options)
{
    pool = (sti_pool){type, options, list, 0};
}

/* A candidate of scene `scene`; its order is its place. */
static sti_candidate *put(int scene, const char *content, const char *about)
{
    const size_t n = pool.count++;
    candidates[n] = (sti_candidate){.order = n, .facts = &facts[scene], .type = pool.type,
                                    .options = pool.options, .content = content, .about = about};
    return list[n] = &candidates[n];
}

static void put_many(int count, const char *content, const char *about)
{
    for (int i = 0; i < count; i++)
        put((int)pool.count, content, about);
}

static size_t count_of(const char *content)
{
    size_t n = 0;
    for (size_t i = 0; i < pool.count; i++)
        n += strcmp(list[i]->content, content) == 0;
    return n;
}

static bool withheld(void)
{
    st_blind blind;
    const char *why;
    must(sti_pool_blind(&blind, &arena, &pool, &settings.thresholds));
    must(sti_pool_verdict(&why, &arena, &pool, &blind, &settings));
    return why != NULL;
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* 1.25 / options: 5 of 16 of four, 5 of 12 of three, 5 of 8 of two. */
static void majority_bound_is_exact(void **state)
{
    (void)state;
    static const struct {
        st_question type;
        int         options, most, others[3];
        bool        withheld;
    } cases[] = {
        {ST_QUESTION_DIRECTION_HARD, 4, 5, {4, 4, 3}, false},
        {ST_QUESTION_DIRECTION_HARD, 4, 5, {4, 3, 3}, true},
        {ST_QUESTION_DIRECTION_MEDIUM, 3, 5, {4, 3, 0}, false},
        {ST_QUESTION_DIRECTION_MEDIUM, 3, 5, {4, 2, 0}, true},
        {ST_QUESTION_DIRECTION_EASY, 2, 5, {3, 0, 0}, false},
        {ST_QUESTION_DIRECTION_EASY, 2, 6, {3, 0, 0}, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(cases[i].type, cases[i].options);
        put_many(cases[i].most, sti_sector_name(pool.type, 0), "x|y");
        for (int k = 0; k < 3; k++)
            if (cases[i].others[k])
                put_many(cases[i].others[k], sti_sector_name(pool.type, 1 + k), "x|y");
        assert_int_equal(withheld(), cases[i].withheld);
        settings.no_debias = true;
        assert_false(withheld());               /* only reported */
        settings.no_debias = false;
    }
}

static void count_bound_is_exact(void **state)
{
    (void)state;
    begin(ST_QUESTION_COUNTING, 0);
    put_many(3, "2", "chair");
    put_many(3, "3", "chair");
    put_many(2, "4", "chair");
    put_many(2, "5", "chair");
    assert_false(withheld());
    put(99, "2", "chair");
    assert_true(withheld());
}

/* Two sizes of a label, 100 and 200 cm: their median 150 scores 0.1 and 0.6. A label with one size
 * scores 1. Four such pairs and five such labels make 7.8 of 13, which is 0.6. */
static void size_bound_is_exact(void **state)
{
    (void)state;
    begin(ST_QUESTION_SIZE, 0);
    for (int k = 0; k < 4; k++) {
        put(k, "100", labels[k]);
        put(k, "200", labels[k]);
    }
    for (int k = 4; k < 9; k++)
        put(k, "80", labels[k]);
    assert_false(withheld());
    put(9, "80", labels[9]);
    assert_true(withheld());
}

static void accuracy_steps_are_exact(void **state)
{
    (void)state;
    assert_near(sti_mra(1.0, 1.0), 1.0, 1e-12);
    assert_near(sti_mra(1.1, 1.0), 0.9, 1e-12);     /* off by 0.10: c up to 0.90 */
    assert_near(sti_mra(1.1001, 1.0), 0.8, 1e-12);
    assert_near(sti_mra(0.5, 1.0), 0.1, 1e-12);
    assert_near(sti_mra(0.49, 1.0), 0.0, 1e-12);
    assert_near(sti_mra(150, 200), 0.6, 1e-12);
    assert_near(sti_mra(3, 1), 0.0, 1e-12);
}

/* --- balance ---------------------------------------------------------------------------------- */

static void sectors_are_levelled(void **state)
{
    (void)state;
    begin(ST_QUESTION_DIRECTION_MEDIUM, 3);
    put_many(100, "left", "x|y");
    put_many(8, "back", "x|y");
    put_many(9, "right", "x|y");
    must(sti_pool_balance(&pool, &arena, &settings));
    assert_int_equal(count_of("back"), 8);
    assert_int_equal(count_of("left"), 10);         /* 1.25 times the rarest */
    assert_int_equal(count_of("right"), 9);
    for (size_t i = 1; i < pool.count; i++)         /* the first in order stay */
        assert_true(list[i - 1]->order < list[i]->order);
    assert_false(withheld());
    /* A sector that never occurs cannot be levelled: half of the rows are left. */
    begin(ST_QUESTION_DIRECTION_MEDIUM, 3);
    put_many(50, "left", "x|y");
    put_many(50, "right", "x|y");
    must(sti_pool_balance(&pool, &arena, &settings));
    assert_true(withheld());
}

static void distances_are_flattened(void **state)
{
    (void)state;
    begin(ST_QUESTION_ABS_DISTANCE, 0);
    put_many(50, "1.0", "bed|sofa");
    put_many(4, "2.0", "bed|sofa");
    put_many(4, "3.0", "bed|sofa");
    must(sti_pool_balance(&pool, &arena, &settings));
    const double mean = (double)pool.count / 3.0;
    assert_true((double)count_of("1.0") <= 2.0 * mean);
    assert_true(count_of("1.0") >= 8);              /* 16 of 24 is just twice the mean */
    assert_int_equal(count_of("2.0"), 4);
}

/* Shares hold on their threshold: 3 of 10 answers, 2 of 10 labels, 3 of 20 nearest labels stay. */
static void shares_hold_on_their_threshold(void **state)
{
    (void)state;
    static const char *const counts[] = {"2", "3", "4", "5", "6"};
    for (int more = 0; more <= 1; more++) {
        begin(ST_QUESTION_COUNTING, 0);
        put_many(3 + more, counts[0], labels[pool.count % 5]);
        for (int i = 0; i < 7; i++)
            put(50 + i, counts[1 + i % 4], labels[i % 5]);
        for (size_t i = 0; i < pool.count; i++)
            list[i]->about = labels[i % 6];
        must(sti_pool_balance(&pool, &arena, &settings));
        assert_int_equal(pool.count, 10);           /* of eleven the fourth "2" goes */

        begin(ST_QUESTION_COUNTING, 0);
        for (int i = 0; i < 10 + more; i++)
            put(i, counts[i % 5], i < 2 + more ? "chair" : labels[4 + i % 8]);
        must(sti_pool_balance(&pool, &arena, &settings));
        assert_int_equal(pool.count, 10);

        begin(ST_QUESTION_REL_DISTANCE, 4);
        for (int i = 0; i < 20 + more; i++) {
            const int k = i < 3 + more ? 0 : 1 + i % 11;
            sti_candidate *c = put(0, labels[k], "x");      /* one scene: no prior to learn */
            for (int o = 0; o < 4; o++)
                c->slot[1 + o] = (k + o) % LABELS;
        }
        settings.thresholds.blind_content_ratio = 4;        /* the majority alone is at stake */
        must(sti_pool_balance(&pool, &arena, &settings));
        assert_int_equal(count_of(labels[0]), 3);
        settings.thresholds.blind_content_ratio = st_thresholds_default.blind_content_ratio;
    }
}

/* A size within a tenth of its label's median goes with probability one half, one beyond stays. The
 * median of many 100s is 100; 110 is within, 111 is not. */
static void usual_sizes_go_by_half(void **state)
{
    (void)state;
    static const char *const off[] = {"110", "111"};
    for (int beyond = 0; beyond <= 1; beyond++) {
        begin(ST_QUESTION_SIZE, 0);
        put_many(900, "100", "bed");
        put_many(800, off[beyond], "bed");
        for (size_t i = 0; i < pool.count; i++)
            list[i]->order = (i + 1) * 0x9E3779B97F4A7C15u;
        settings.thresholds.blind_size_mra = 1.0;           /* only the first step is at stake */
        must(sti_pool_balance(&pool, &arena, &settings));
        const size_t left = count_of(off[beyond]);
        assert_true(beyond ? left == 800 : left > 340 && left < 460);
        assert_true(count_of("100") > 380 && count_of("100") < 520);
        settings.thresholds.blind_size_mra = st_thresholds_default.blind_size_mra;
    }
}

static void counts_are_balanced(void **state)
{
    (void)state;
    begin(ST_QUESTION_COUNTING, 0);
    put_many(200, "2", "chair");
    for (int k = 0; k < LABELS; k++) {
        put_many(10, "2", labels[k]);
        put_many(4, "3", labels[k]);
        put_many(4, "4", labels[k]);
        put_many(4, "5", labels[k]);
        put_many(6, "1", labels[k]);
    }
    must(sti_pool_balance(&pool, &arena, &settings));
    size_t chairs = 0;
    for (size_t i = 0; i < pool.count; i++)
        chairs += strcmp(list[i]->about, "chair") == 0 && strcmp(list[i]->content, "1") != 0;
    assert_true(pool.count > 100);
    assert_true((double)chairs <= 0.20 * (double)(pool.count - count_of("1")));
    assert_true((double)count_of("2") <= 0.30 * (double)pool.count);
    assert_true((double)count_of("1") <= 0.10 * (double)pool.count);
    assert_false(withheld());
}

/* One kind alone occurs several times: nothing forces its rows out but its own answers. */
static void a_single_kind_is_still_counted(void **state)
{
    (void)state;
    static const char *const several[] = {"2", "3", "4", "5", "6"};
    begin(ST_QUESTION_COUNTING, 0);
    for (int i = 0; i < 5; i++)
        put_many(12, several[i], "chair");
    for (int k = 0; k < LABELS; k++)
        put_many(3, "1", labels[k]);
    must(sti_pool_balance(&pool, &arena, &settings));
    assert_int_equal(pool.count, 66);           /* 60 and a tenth of all: 6 */
    assert_int_equal(count_of("1"), 6);
    assert_false(withheld());
}

static void sizes_lose_what_is_usual(void **state)
{
    (void)state;
    static char digits[400][8];
    begin(ST_QUESTION_SIZE, 0);
    for (int i = 0; i < 300; i++) {                 /* beds: nearly all 200 +- 3 cm */
        snprintf(digits[i], sizeof digits[i], "%d", i % 10 ? 197 + i % 7 : 60 + i);
        put(i, digits[i], "bed")->order = (uint64_t)i * 0x9E3779B97F4A7C15u;
    }
    assert_true(withheld());
    must(sti_pool_balance(&pool, &arena, &settings));
    assert_true(pool.count >= 30);
    assert_false(withheld());
}

/* Label 0 wins whenever it is offered; the others win as often as chance. The prior learns that
 * from other scenes, so rows with label 0 go until it pays no more. */
static void nearest_prior_stops_paying(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(1);
    begin(ST_QUESTION_REL_DISTANCE, 2);
    for (int i = 0; i < 1200; i++) {
        int first = (int)st_rng_below(&rng, LABELS), second = (int)st_rng_below(&rng, LABELS - 1);
        second += second >= first;
        if (second == 0) {
            second = first;
            first = 0;
        }
        sti_candidate *c = put(i, labels[first], "x");
        c->slot[1] = first;
        c->slot[2] = second;
    }
    size_t hits, before = pool.count;
    must(sti_guess_nearest(&hits, NULL, &arena, &pool));
    must(sti_pool_balance(&pool, &arena, &settings));
    assert_true(pool.count > before / 4);
    must(sti_guess_nearest(&hits, NULL, &arena, &pool));
    assert_true((double)hits <= 0.625 * (double)pool.count);
    for (int k = 0; k < LABELS; k++)
        assert_true((double)count_of(labels[k]) <= 0.15 * (double)pool.count + 1e-9);
    assert_false(withheld());
}

static void prior_learns_from_other_scenes_alone(void **state)
{
    (void)state;
    begin(ST_QUESTION_REL_DISTANCE, 2);
    for (int i = 0; i < 10; i++) {                  /* all in one scene: nothing to learn from */
        sti_candidate *c = put(0, labels[5], "x");
        c->slot[1] = 5;
        c->slot[2] = 1;
    }
    size_t hits;
    must(sti_guess_nearest(&hits, NULL, &arena, &pool));
    assert_int_equal(hits, 0);                      /* equal rates: the first by name, chair */
    for (int i = 0; i < 10; i++)
        list[i]->facts = &facts[i];                 /* each in its own: the others tell */
    must(sti_guess_nearest(&hits, NULL, &arena, &pool));
    assert_int_equal(hits, 10);
}

static void caps_prefer_rare_answers(void **state)
{
    (void)state;
    begin(ST_QUESTION_DIRECTION_MEDIUM, 3);
    for (int i = 0; i < 50; i++)
        put(0, "left", "x|y");
    for (int i = 0; i < 3; i++)
        put(0, "back", "x|y");
    must(sti_pool_cap(&pool, &arena, &settings));
    assert_int_equal(pool.count, 6);
    assert_int_equal(count_of("back"), 3);
    /* Unbalanced, the order alone decides. */
    settings.no_debias = true;
    begin(ST_QUESTION_DIRECTION_MEDIUM, 3);
    for (int i = 0; i < 50; i++)
        put(0, "left", "x|y");
    for (int i = 0; i < 3; i++)
        put(0, "back", "x|y");
    must(sti_pool_cap(&pool, &arena, &settings));
    assert_int_equal(count_of("left"), 6);
}

/* Most counts of one are dropped after the caps: they must not have cost a scene its other rows. */
static void counts_of_one_take_only_free_places(void **state)
{
    (void)state;
    for (int debias = 0; debias < 2; debias++) {
        settings.no_debias = !debias;
        begin(ST_QUESTION_COUNTING, 0);
        for (int i = 0; i < 8; i++)
            put(0, "1", labels[i]);
        for (int i = 8; i < 12; i++)
            put(0, i < 10 ? "2" : "3", labels[i]);
        put(1, "1", labels[0]);
        must(sti_pool_cap(&pool, &arena, &settings));
        assert_int_equal(pool.count, 6 + 1);
        assert_int_equal(count_of("2"), 2);
        assert_int_equal(count_of("3"), 2);
        assert_int_equal(count_of("1"), 2 + 1);
    }
}

/* --- letters ---------------------------------------------------------------------------------- */

static void letters_are_even_and_tell_nothing(void **state)
{
    (void)state;
    static const char *const answers[] = {"front-left", "front-right", "back-left", "back-right"};
    for (int count = 1; count <= 203; count += 101) {
        st_record *records;
        sti_dealt *dealt;
        double p;
        int letters[4] = {0};
        must(ST_ALLOC(&arena, &records, (size_t)count));
        must(ST_ALLOC(&arena, &dealt, (size_t)count));
        for (int i = 0; i < count; i++) {
            snprintf(records[i].id, sizeof records[i].id, "id%d", i);
            records[i].option_count = 4;
            dealt[i].record = &records[i];
            dealt[i].order = (uint64_t)i * 0x9E3779B97F4A7C15u;
            for (int k = 0; k < 4; k++)
                dealt[i].contents[k] = answers[(i / 7 + k) % 4];
        }
        must(sti_deal_letters(dealt, (size_t)count, 4, ST_QUESTION_DIRECTION_HARD, &settings,
                              &arena, &p));
        assert_true(p > 0.05);
        int low = count, high = 0;
        for (int i = 0; i < count; i++) {
            const int letter = records[i].answer[0] - 'A';
            letters[letter]++;
            assert_string_equal(records[i].options[letter] + 3, records[i].answer_value);
        }
        for (int k = 0; k < 4; k++) {
            low = letters[k] < low ? letters[k] : low;
            high = letters[k] > high ? letters[k] : high;
        }
        assert_true(high - low <= 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(majority_bound_is_exact),
        TEST(count_bound_is_exact),
        TEST(size_bound_is_exact),
        TEST(accuracy_steps_are_exact),
        TEST(sectors_are_levelled),
        TEST(distances_are_flattened),
        TEST(shares_hold_on_their_threshold),
        TEST(usual_sizes_go_by_half),
        TEST(counts_are_balanced),
        TEST(a_single_kind_is_still_counted),
        TEST(sizes_lose_what_is_usual),
        TEST(nearest_prior_stops_paying),
        TEST(prior_learns_from_other_scenes_alone),
        TEST(caps_prefer_rare_answers),
        TEST(counts_of_one_take_only_free_places),
        TEST(letters_are_even_and_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
