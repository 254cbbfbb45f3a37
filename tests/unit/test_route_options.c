/* The wrong turns beside the right ones are wrong, different, and tempting. */
#include "check.h"

#include "datagen/questions/route_options.h"

static int differing(const st_turns *a, const st_turns *b)
{
    int count = 0;
    for (int i = 0; i < a->count; i++)
        count += a->turn[i] != b->turn[i];
    return count;
}

/* Every answer of up to four blanks, several draws each. */
static void options_are_fair(void **state)
{
    (void)state;
    for (int count = 1; count <= 4; count++)
        for (int way = 0; way < 81; way++)
            for (uint64_t key = 0; key < 8; key++) {
                st_turns answer = {.count = count}, option[ST_ROUTE_OPTIONS_MAX];
                bool has_side = false;
                for (int i = 0, w = way; i < count; i++, w /= 3) {
                    answer.turn[i] = (st_turn)(ST_TURN_LEFT + w % 3);
                    has_side = has_side || answer.turn[i] != ST_TURN_BACK;
                }
                const int n = st_route_options(option, &answer, key);
                assert_int_equal(n, count == 1 ? 3 : 4);
                assert_int_equal(differing(&option[0], &answer), 0);
                bool first_only = false, later_only = false, mirrored = false;
                for (int a = 0; a < n; a++) {
                    assert_int_equal(option[a].count, count);
                    bool mirror = true, only_first = true;
                    for (int i = 0; i < count; i++) {
                        const st_turn t = option[a].turn[i], gt = answer.turn[i];
                        assert_true(t >= ST_TURN_LEFT && t <= ST_TURN_BACK);
                        mirror = mirror && (gt == ST_TURN_BACK ? t == gt
                                            : gt == ST_TURN_LEFT ? t == ST_TURN_RIGHT
                                                                 : t == ST_TURN_LEFT);
                        only_first = only_first && (t != gt) == (i == 0);
                    }
                    for (int b = 0; b < a; b++)
                        assert_true(differing(&option[a], &option[b]) > 0);
                    mirrored = mirrored || mirror;
                    first_only = first_only || only_first;
                    later_only = later_only || (!only_first && differing(&option[a], &answer) == 1);
                }
                assert_true(first_only && (count == 1 || later_only));
                assert_true(mirrored || !has_side);
            }
    char text[64];
    const st_turns two = {{ST_TURN_BACK, ST_TURN_LEFT}, 2};
    assert_string_equal(st_turns_print(text, &two), "Turn Back, Turn Left");
    const st_route route = {
        .leg_count = 3, .legs = {{0}, {.turn = ST_TURN_LEFT}, {.turn = ST_TURN_BACK}}};
    const st_turns answer = st_route_answer(&route);
    assert_string_equal(st_turns_print(text, &answer), "Turn Left, Turn Back");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
