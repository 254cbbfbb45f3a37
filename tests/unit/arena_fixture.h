/* arena_fixture.h - a group of tests whose state is one arena.
 *
 * May include: anything; only tests include it.
 */
#ifndef ST_TESTS_ARENA_FIXTURE_H
#define ST_TESTS_ARENA_FIXTURE_H

#include "check.h"

#include "kernels/base/arena.h"

static inline int arena_set_up(void **state)
{
    static st_arena arena;
    st_arena_init(&arena, "test");
    *state = &arena;
    return 0;
}

static inline int arena_tear_down(void **state)
{
    st_arena_free(*state);
    return 0;
}

#endif
