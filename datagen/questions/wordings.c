/* wordings.c - our own pack of templates: at least four ways to ask each question. */
#include "datagen/questions/internal.h"

#include <string.h>

/* Behind and in front of these stand the answers of data.md 5.17. A wording names the unit
 * says how several instances count, and fits one label or another in every slot. */
static const st_template wordings[] = {
    {"count-1", ST_QUESTION_COUNTING,
     "Counting everything shown in the video, what is the number of {label}(s) in the room?", 0},
    {"count-2", ST_QUESTION_COUNTING,
     "Over the whole recording, how often does a different {label} turn up? Give the number of "
     "distinct {label}(s).", 0},
    {"count-3", ST_QUESTION_COUNTING,
     "Make an inventory of this place: how many {label}(s) does it list?", 0},
    {"count-4", ST_QUESTION_COUNTING,
     "Count each {label} once, however many times the camera passes it. What is the total?", 0},

    {"size-1", ST_QUESTION_SIZE,
     "Of its length, width and height, how long is the largest extent of the {label}, in "
     "centimetres?", 0},
    {"size-2", ST_QUESTION_SIZE,
     "Imagine the tightest crate around the {label}. How many centimetres does the longest edge "
     "of that crate measure?", 0},
    {"size-3", ST_QUESTION_SIZE,
     "How many centimetres does the {label} span along its longest side?", 0},
    {"size-4", ST_QUESTION_SIZE,
     "Take the biggest of the three dimensions of the {label}: how many centimetres is it?", 0},

    {"room-1", ST_QUESTION_ROOM_SIZE,
     "Estimate the floor area in square metres. Treat several connected rooms as one space.", 0},
    {"room-2", ST_QUESTION_ROOM_SIZE,
     "How many square metres of floor does this recording show? Add the areas up if it walks "
     "through several rooms.", 0},
    {"room-3", ST_QUESTION_ROOM_SIZE,
     "If one carpet covered all of the floor here, through every room that is shown, how many "
     "square metres would it have?", 0},
    {"room-4", ST_QUESTION_ROOM_SIZE,
     "What is the floor space of the place in the video, in square metres? For more than one room "
     "give the combined area.", 0},

    {"distance-1", ST_QUESTION_ABS_DISTANCE,
     "How many metres lie between the {a} and the {b}, taking the nearest points of the two?", 0},
    {"distance-2", ST_QUESTION_ABS_DISTANCE,
     "A string is stretched from the {a} to the {b}, as short as it can be. How many metres long "
     "is it?", 0},
    {"distance-3", ST_QUESTION_ABS_DISTANCE,
     "How wide, in metres, is the gap between the {a} and the {b} where they come closest?", 0},
    {"distance-4", ST_QUESTION_ABS_DISTANCE,
     "In metres, what is the least separation of the {a} and the {b}?", 0},

    {"nearest-1", ST_QUESTION_REL_DISTANCE,
     "Using nearest points, which one of {options} has the shortest distance to the {anchor}? For "
     "a kind that occurs several times, take its nearest member.", 0},
    {"nearest-2", ST_QUESTION_REL_DISTANCE,
     "Among these kinds of objects, {options}, which has a member that comes nearest to the "
     "{anchor}?", 0},
    {"nearest-3", ST_QUESTION_REL_DISTANCE,
     "Starting at the {anchor}, what is the least far away: {options}? Gaps are taken between "
     "nearest points, and of several alike only the nearest counts.", 0},
    {"nearest-4", ST_QUESTION_REL_DISTANCE,
     "Rank {options} by the gap that separates their nearest one from the {anchor}. Which comes "
     "first, with the smallest gap?", 0},

    {"easy-1", ST_QUESTION_DIRECTION_EASY,
     "You stand at the {p} and look towards the {o}. On which side of the {o} is the {q}, left or "
     "right?", 0},
    {"easy-2", ST_QUESTION_DIRECTION_EASY,
     "Someone at the {p} has the {o} straight ahead. Is the {q} to the left or to the right of "
     "that line of sight?", 0},
    {"easy-3", ST_QUESTION_DIRECTION_EASY,
     "Lean against the {p} and keep your eyes on the {o}: does the {q} lie on the "
     "left or on the right?", 0},
    {"easy-4", ST_QUESTION_DIRECTION_EASY,
     "From the {p}, with the gaze fixed on the {o}, to which hand is the {q}: left or right?", 0},

    {"medium-1", ST_QUESTION_DIRECTION_MEDIUM,
     "You stand at the {p} and look towards the {o}. Is the {q} on your left, on your right, or "
     "behind you? Behind means a turn of 135 degrees or more.", 0},
    {"medium-2", ST_QUESTION_DIRECTION_MEDIUM,
     "Someone at the {p} has the {o} straight ahead. To face the {q}, would that person turn left, "
     "turn right, or turn back? It is back from 135 degrees on.", 0},
    {"medium-3", ST_QUESTION_DIRECTION_MEDIUM,
     "From the {p}, with the gaze fixed on the {o}, where is the {q}: left, right, or back? Back "
     "is everything that takes at least 135 degrees of turning.", 0},
    {"medium-4", ST_QUESTION_DIRECTION_MEDIUM,
     "Picture yourself beside the {p}, the {o} before your eyes. Does the {q} lie to the left, to "
     "the right, or at the back, which starts 135 degrees from straight ahead?", 0},

    {"hard-1", ST_QUESTION_DIRECTION_HARD,
     "You stand at the {p} and look towards the {o}, which is straight ahead. In which quadrant "
     "around you is the {q}?", 0},
    {"hard-2", ST_QUESTION_DIRECTION_HARD,
     "Someone at the {p} has the {o} straight ahead. Divide the surroundings into front-left, "
     "front-right, back-left and back-right: which of the four holds the {q}?", 0},
    {"hard-3", ST_QUESTION_DIRECTION_HARD,
     "From the {p}, with the gaze fixed on the {o}, is the {q} to the front-left, front-right, "
     "back-left or back-right?", 0},
    {"hard-4", ST_QUESTION_DIRECTION_HARD,
     "A cross is drawn on the floor at the {p}, one arm pointing at the {o}. Which quarter does "
     "the {q} fall into, as seen along that arm: front-left, front-right, back-left or "
     "back-right?", 0},

    {"route-1", ST_QUESTION_ROUTE,
     "A robot stands at the {start}, looking at the {facing}, and must reach the {goal}. Fill each "
     "blank with turn left, turn right or turn back: {steps}.", 0},
    {"route-2", ST_QUESTION_ROUTE,
     "Guide someone from the {start}, where they look towards the {facing}, to the {goal}. Which "
     "turns (left, right or back) are missing from these directions: {steps}?", 0},
    {"route-3", ST_QUESTION_ROUTE,
     "You are beside the {start} with the {facing} ahead of you and want to get to the {goal}. The "
     "way is: {steps}. What belongs in the gaps, each of them a turn to the left, to the right, or "
     "back?", 0},
    {"route-4", ST_QUESTION_ROUTE,
     "Here is a path from the {start} to the {goal} for a walker who first looks at the {facing}, "
     "with its turns left out: {steps}. Name the turns (left, right or back) in their order.", 0},
};

enum { WORDING_COUNT = sizeof wordings / sizeof wordings[0] };

void sti_wordings_around(st_template_pack *pack)
{
    pack->number_suffix = "Answer with one number, without its unit.";
    pack->options_heading = "Options:";
    pack->letter_suffix = "Answer with the letter of the right option.";
}

st_status st_template_pack_default(st_template_pack *pack, st_arena *arena)
{
    st_template_pack made = {.name = "spatial", .count = WORDING_COUNT};
    sti_wordings_around(&made);
    ST_TRY(ST_ALLOC(arena, &made.templates, WORDING_COUNT));
    memcpy(made.templates, wordings, sizeof wordings);

    st_sha256 hash;
    st_sha256_start(&hash);
    for (int i = 0; i < WORDING_COUNT; i++) {
        ST_TRY(sti_template_check(&made.templates[i]));
        st_sha256_add(&hash, wordings[i].id, strlen(wordings[i].id) + 1);
        st_sha256_add(&hash, wordings[i].text, strlen(wordings[i].text) + 1);
    }
    made.digest = st_sha256_end(&hash);
    *pack = made;
    return st_ok();
}
