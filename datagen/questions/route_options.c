/* route_options.c - wrong turns that one might believe in. */
#include "datagen/questions/route_options.h"

#include "kernels/base/rng.h"

#include <stdio.h>
#include <string.h>

enum { TURNS = 3 };             /* left, right, back */

st_turns st_route_answer(const st_route *route)
{
    st_turns answer = {.count = 0};
    for (int i = 0; i < route->leg_count; i++)
        if (route->legs[i].turn != ST_TURN_NONE)
            answer.turn[answer.count++] = route->legs[i].turn;
    return answer;
}

static bool same(const st_turns *a, const st_turns *b)
{
    for (int i = 0; i < a->count; i++)
        if (a->turn[i] != b->turn[i])
            return false;
    return true;
}

/* Another turn than this one: the one `steps` (1 or 2) further round. */
static st_turn other(st_turn turn, uint64_t steps)
{
    return (st_turn)(ST_TURN_LEFT + (turn - ST_TURN_LEFT + (int)steps) % TURNS);
}

static st_turns changed(const st_turns *answer, int blank, uint64_t steps)
{
    st_turns rival = *answer;
    rival.turn[blank] = other(rival.turn[blank], steps);
    return rival;
}

static st_turns mirror(const st_turns *answer)
{
    st_turns rival = *answer;
    for (int i = 0; i < rival.count; i++)
        if (rival.turn[i] != ST_TURN_BACK)
            rival.turn[i] = rival.turn[i] == ST_TURN_LEFT ? ST_TURN_RIGHT : ST_TURN_LEFT;
    return rival;
}

/* Add a rival unless it is there already; returns the new count. */
static int add(st_turns options[ST_ROUTE_OPTIONS_MAX], int count, st_turns rival)
{
    for (int i = 0; i < count; i++)
        if (same(&options[i], &rival))
            return count;
    options[count] = rival;
    return count + 1;
}

int st_route_options(st_turns options[ST_ROUTE_OPTIONS_MAX], const st_turns *answer, uint64_t key)
{
    st_rng rng = st_rng_from(key);
    int count = add(options, 0, *answer);
    if (answer->count == 1) {
        count = add(options, count, changed(answer, 0, 1));
        return add(options, count, changed(answer, 0, 2));
    }
    const int later = 1 + (int)st_rng_below(&rng, (uint64_t)answer->count - 1);
    count = add(options, count, changed(answer, later, 1 + st_rng_below(&rng, 2)));
    count = add(options, count, changed(answer, 0, 1 + st_rng_below(&rng, 2)));
    count = add(options, count, mirror(answer));
    /* Two blanks can be filled in nine ways: four different ones are always found. */
    while (count < ST_ROUTE_OPTIONS_MAX) {
        st_turns rival = {.count = answer->count};
        for (int i = 0; i < rival.count; i++)
            rival.turn[i] = (st_turn)(ST_TURN_LEFT + (int)st_rng_below(&rng, TURNS));
        count = add(options, count, rival);
    }
    return count;
}

const char *st_turns_print(char text[64], const st_turns *turns)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < turns->count; i++)
        used += (size_t)snprintf(text + used, 64 - used, "%s%s", i > 0 ? ", " : "",
                                 st_turn_name(turns->turn[i]));
    return text;
}
