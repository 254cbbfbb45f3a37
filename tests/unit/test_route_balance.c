/* test_route_balance.c - routes of many scenes: a few of each, and no turn that pays.
 *
 * Scenes are nothing but their routes here, and routes nothing but their turns; what a house offers
 * leans towards one blank and to the left, as bad luck would have it.
 */
#include "check.h"

#include "datagen/questions/internal.h"

enum { SCENES = 300, ROUTES = 6 };

typedef struct town {
    st_arena        arena;
    st_qa_settings  settings;
    st_scene        scenes[SCENES];
    st_route        routes[SCENES][ROUTES];
    st_object       objects[1 + ST_ROUTE_LEGS_MAX];
    sti_facts       facts[SCENES];
    sti_candidates  all;
    sti_candidate **three, **four;
    sti_pool        pools[2];
} town;

static st_turn drawn_turn(st_rng *rng)
{
    const double u = st_rng_unit(rng);
    return u < 0.55 ? ST_TURN_LEFT : u < 0.85 ? ST_TURN_RIGHT : ST_TURN_BACK;
}

static void draw_route(st_route *route, st_rng *rng)
{
    const double u = st_rng_unit(rng);
    const int blanks = u < 0.55 ? 1 : u < 0.85 ? 2 : u < 0.95 ? 3 : 4;
    *route = (st_route){.leg_count = blanks, .blank_count = blanks};
    for (int i = 0; i < blanks; i++)
        route->legs[i] = (st_route_leg){.object = 1 + i, .turn = drawn_turn(rng)};
}

static town *build(bool no_debias)
{
    static const char *const labels[] = {"bed", "sofa", "tv", "oven", "desk"};
    town *t = calloc(1, sizeof *t);
    st_rng rng = st_rng_from(59);
    st_arena_init(&t->arena, "town");
    t->all.arena = &t->arena;
    t->settings = st_qa_settings_default();
    t->settings.no_debias = no_debias;
    for (size_t k = 0; k < COUNT(labels); k++)
        t->objects[k].label = labels[k];
    for (uint32_t s = 0; s < SCENES; s++) {
        t->scenes[s] = (st_scene){.dataset = "made", .scene_id = "s", .objects = t->objects,
                                  .routes = t->routes[s], .has_routes = true,
                                  .route_count = st_rng_below(&rng, ROUTES + 1)};
        for (size_t r = 0; r < t->scenes[s].route_count; r++)
            draw_route(&t->routes[s][r], &rng);
        t->facts[s] = (sti_facts){.scene = &t->scenes[s], .settings = &t->settings,
                                  .scene_index = s, .key = st_hash_int(3, s)};
        must(sti_family_route.find(&t->all, &t->facts[s]));
    }
    must(ST_ALLOC(&t->arena, &t->three, t->all.count));
    must(ST_ALLOC(&t->arena, &t->four, t->all.count));
    t->pools[0] = (sti_pool){ST_QUESTION_ROUTE, 3, t->three, 0};
    t->pools[1] = (sti_pool){ST_QUESTION_ROUTE, 4, t->four, 0};
    for (size_t i = 0; i < t->all.count; i++) {
        sti_pool *pool = &t->pools[t->all.list[i].options - 3];
        pool->list[pool->count++] = &t->all.list[i];
    }
    return t;
}

static void demolish(town *t)
{
    st_arena_free(&t->arena);
    free(t);
}

typedef struct shares {
    int rows, blanks[5], turns[ST_TURN_BACK + 1], turn_count, of_scene[SCENES];
} shares;

static shares count(const town *t)
{
    shares s = {0};
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < t->pools[p].count; i++) {
            const sti_candidate *one = t->pools[p].list[i];
            const st_route *route = &one->facts->scene->routes[one->slot[0]];
            assert_int_equal(one->options, t->pools[p].options);
            s.rows++;
            s.blanks[route->blank_count]++;
            s.of_scene[one->facts->scene_index]++;
            for (int k = 0; k < route->leg_count; k++, s.turn_count++)
                s.turns[route->legs[k].turn]++;
        }
    return s;
}

static void two_of_a_scene(void **state)
{
    (void)state;
    for (int no_debias = 0; no_debias < 2; no_debias++) {
        town *t = build(no_debias);
        must(sti_routes_cap(&t->pools[0], &t->pools[1], &t->arena, &t->settings));
        const shares s = count(t);
        for (int i = 0; i < SCENES; i++)
            assert_int_equal(s.of_scene[i],
                             t->scenes[i].route_count < 2 ? t->scenes[i].route_count : 2);
        demolish(t);
    }
}

static void shares_hold(void **state)
{
    (void)state;
    town *t = build(false);
    const st_thresholds *th = &t->settings.thresholds;
    must(sti_routes_cap(&t->pools[0], &t->pools[1], &t->arena, &t->settings));
    const shares before = count(t);
    must(sti_routes_balance(&t->pools[0], &t->pools[1], &t->arena, &t->settings));
    const shares s = count(t);
    printf("%d of %d rows stay: blanks %d %d %d %d, left %d, right %d, back %d\n", s.rows,
           before.rows, s.blanks[1], s.blanks[2], s.blanks[3], s.blanks[4], s.turns[ST_TURN_LEFT],
           s.turns[ST_TURN_RIGHT], s.turns[ST_TURN_BACK]);
    assert_true(s.blanks[1] <= th->route_blanks_1_share * s.rows + 1e-9);
    assert_true(s.blanks[3] <= th->route_blanks_3_share * s.rows + 1e-9);
    assert_true(s.blanks[4] <= th->route_blanks_4_share * s.rows + 1e-9);
    assert_true(s.turns[ST_TURN_LEFT] <= th->route_side_ratio * s.turns[ST_TURN_RIGHT]);
    assert_true(s.turns[ST_TURN_RIGHT] <= th->route_side_ratio * s.turns[ST_TURN_LEFT]);
    assert_true(s.turns[ST_TURN_BACK] >= th->route_back_share * s.turn_count - 1e-9);
    for (int p = 0; p < 2; p++) {
        st_blind blind;
        const char *why;
        must(sti_pool_blind(&blind, &t->arena, &t->pools[p], th));
        must(sti_pool_verdict(&why, &t->arena, &t->pools[p], &blind, &t->settings));
        assert_null(why);
    }
    /* Choosing well beforehand leaves little to drop. */
    assert_true(2 * s.rows > before.rows);
    demolish(t);
}

static void few_routes_are_no_failure(void **state)
{
    (void)state;
    town *t = build(false);
    t->pools[0].count = 0;
    t->pools[1].count = 0;
    must(sti_routes_cap(&t->pools[0], &t->pools[1], &t->arena, &t->settings));
    must(sti_routes_balance(&t->pools[0], &t->pools[1], &t->arena, &t->settings));
    assert_int_equal(count(t).rows, 0);
    demolish(t);
}

static void steps_are_numbered(void **state)
{
    (void)state;
    static const char *const way[] = {"tv", "oven"};
    st_text text;
    st_text_init(&text);
    sti_route_steps(&text, "bed", way, 2);
    assert_string_equal(text.data, "1. [fill in], 2. walk ahead until the tv, 3. [fill in], "
                                   "4. walk ahead until the oven");
    st_text_clear(&text);
    sti_route_steps(&text, "tv", way, 2);
    assert_string_equal(text.data, "1. walk ahead until the tv, 2. [fill in], "
                                   "3. walk ahead until the oven");
    st_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_of_a_scene),
        cmocka_unit_test(shares_hold),
        cmocka_unit_test(few_routes_are_no_failure),
        cmocka_unit_test(steps_are_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
