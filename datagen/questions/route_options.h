/* route_options.h - the turns of a route as an answer, and wrong turns to set beside it.
 *
 * May include: kernels/base, datagen/scene.
 */
#ifndef ST_ROUTE_OPTIONS_H
#define ST_ROUTE_OPTIONS_H

#include "datagen/scene/route.h"

enum { ST_ROUTE_OPTIONS_MAX = 4 };

/* One way to fill the blanks. */
typedef struct st_turns {
    st_turn turn[ST_ROUTE_LEGS_MAX];
    int     count;
} st_turns;

/* The blanks of a route, in order. */
st_turns st_route_answer(const st_route *route);

/* The answer and its rivals, all different and of one length, the answer first. One blank: the
 * three turns. More: one rival that differs in a single later blank, one in the first blank alone,
 * and the mirror image (left for right); where two of these agree, random ones take their place.
 *
 *   options  (4)      key  of the draws, such as a hash of the route
 *
 * Returns the number of options: 3 for one blank, else 4.
 */
int st_route_options(st_turns options[ST_ROUTE_OPTIONS_MAX], const st_turns *answer, uint64_t key);

/* "Turn Back, Turn Left" into `text`; returns text. */
const char *st_turns_print(char text[64], const st_turns *turns);

#endif
