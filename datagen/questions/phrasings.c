/* phrasings.c - the benchmark's fixed wordings, and matching a question against a template. */
#include "datagen/questions/phrasings.h"

#include "kernels/base/limits.h"

#include <string.h>

/* Facts of a public format (data.md 5.1): one wording per type, with and without the sentences
 * that explain it. */
static const struct {
    const char *id;
    st_question type;
    const char *text;
} published[] = {
    {"vsi-count", ST_QUESTION_COUNTING, "How many {label}(s) are in this room?"},
    {"vsi-size", ST_QUESTION_SIZE,
     "What is the length of the longest dimension (length, width, or height) of the {label}, "
     "measured in centimeters?"},
    {"vsi-room", ST_QUESTION_ROOM_SIZE,
     "What is the size of this room (in square meters)? If multiple rooms are shown, estimate the "
     "size of the combined space."},
    {"vsi-room-short", ST_QUESTION_ROOM_SIZE, "What is the size of this room (in square meters)?"},
    {"vsi-distance", ST_QUESTION_ABS_DISTANCE,
     "Measuring from the closest point of each object, what is the distance between the {a} and "
     "the {b} (in meters)?"},
    {"vsi-nearest", ST_QUESTION_REL_DISTANCE,
     "Measuring from the closest point of each object, which of these objects ({options}) is the "
     "closest to the {anchor}?"},
    {"vsi-nearest-long", ST_QUESTION_REL_DISTANCE,
     "Measuring from the closest point of each object, which of these objects ({options}) is the "
     "closest to the {anchor}? If there are multiple instances of an object category, measure to "
     "the closest."},
    {"vsi-easy", ST_QUESTION_DIRECTION_EASY,
     "If I am standing by the {p} and facing the {o}, is the {q} to the left or the right of the "
     "{o}?"},
    {"vsi-medium", ST_QUESTION_DIRECTION_MEDIUM,
     "If I am standing by the {p} and facing the {o}, is the {q} to my left, right, or back? An "
     "object is to my back if I would have to turn at least 135 degrees in order to face it."},
    {"vsi-medium-short", ST_QUESTION_DIRECTION_MEDIUM,
     "If I am standing by the {p} and facing the {o}, is the {q} to my left, right, or back?"},
    {"vsi-hard", ST_QUESTION_DIRECTION_HARD,
     "If I am standing by the {p} and facing the {o}, is the {q} to my front-left, front-right, "
     "back-left, or back-right? The directions refer to the quadrants of a Cartesian plane (if I "
     "am standing at the origin and facing along the positive y-axis)."},
    {"vsi-hard-short", ST_QUESTION_DIRECTION_HARD,
     "If I am standing by the {p} and facing the {o}, is the {q} to my front-left, front-right, "
     "back-left, or back-right?"},
};

st_status st_template_pack_published(st_template_pack *pack, st_arena *arena)
{
    enum { PUBLISHED = sizeof published / sizeof published[0] };
    st_template_pack made = {.name = "vsi-bench", .count = PUBLISHED};
    ST_TRY(ST_ALLOC(arena, &made.templates, PUBLISHED));
    for (size_t i = 0; i < PUBLISHED; i++)
        made.templates[i] = (st_template){.id = published[i].id, .type = published[i].type,
                                          .text = published[i].text};
    *pack = made;
    return st_ok();
}

const char *st_reading_slot(const st_reading *reading, const char *name)
{
    for (int i = 0; i < reading->slot_count; i++)
        if (strcmp(reading->slots[i].name, name) == 0)
            return reading->slots[i].value;
    return NULL;
}

/* --- matching --- */

/* Lower case, one blank between words, none at the ends. Question texts are short. */
static st_status plain(st_str *out, st_arena *arena, const char *text)
{
    char  *to;
    size_t size = 0;
    ST_TRY(ST_ALLOC(arena, &to, strlen(text) + 1));
    for (const char *c = text; *c; c++) {
        const bool blank = *c == ' ' || *c == '\t' || *c == '\n' || *c == '\r';
        if (blank && (size == 0 || to[size - 1] == ' '))
            continue;
        to[size++] = blank ? ' ' : *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    if (size > 0 && to[size - 1] == ' ')
        size--;
    *out = (st_str){to, size};
    return st_ok();
}

/* Every try of one slot length is a step. Real questions take a few dozen; the cap keeps a text
 * made of one word repeated from costing more than a few hundred microseconds. */
enum { STEPS_MAX = 4000 };

typedef struct matcher {
    struct {
        st_str name, value;
    } slots[ST_SLOTS_MAX];
    int slot_count, steps;
} matcher;

static bool match(matcher *m, st_str pattern, st_str text);

/* A slot that was filled before must say the same again. */
static bool match_filled(matcher *m, st_str value, st_str pattern, st_str text)
{
    if (text.size < value.size || memcmp(text.data, value.data, value.size) != 0)
        return false;
    return match(m, pattern, (st_str){text.data + value.size, text.size - value.size});
}

/* The shortest value first: a label holds none of the words around it. */
static bool match_slot(matcher *m, st_str name, st_str pattern, st_str text)
{
    for (int i = 0; i < m->slot_count; i++)
        if (st_str_equal(m->slots[i].name, name))
            return match_filled(m, m->slots[i].value, pattern, text);
    if (m->slot_count == ST_SLOTS_MAX)
        return false;
    const int mine = m->slot_count++;
    m->slots[mine].name = name;
    for (size_t size = 1; size <= text.size && size <= 4 * ST_NAME_BYTES_MAX; size++) {
        if (++m->steps > STEPS_MAX)
            break;
        m->slots[mine].value = (st_str){text.data, size};
        m->slot_count = mine + 1;
        if (match(m, pattern, (st_str){text.data + size, text.size - size}))
            return true;
    }
    m->slot_count = mine;
    return false;
}

static bool match(matcher *m, st_str pattern, st_str text)
{
    st_str piece;
    bool   slot;
    while (st_template_next(&piece, &slot, &pattern)) {
        if (slot)
            return match_slot(m, piece, pattern, text);
        if (text.size < piece.size || memcmp(text.data, piece.data, piece.size) != 0)
            return false;
        text = (st_str){text.data + piece.size, text.size - piece.size};
    }
    return text.size == 0;
}

/* Slot names of templates are lower case already, so a whole template may be made plain. */
static st_status fill_reading(st_reading *reading, st_arena *arena, const st_template *t,
                              const matcher *m)
{
    *reading = (st_reading){.template = t, .slot_count = m->slot_count};
    for (int i = 0; i < m->slot_count; i++) {
        ST_TRY(st_arena_copy_text(arena, &reading->slots[i].name, m->slots[i].name.data,
                                  m->slots[i].name.size));
        ST_TRY(st_arena_copy_text(arena, &reading->slots[i].value, m->slots[i].value.data,
                                  m->slots[i].value.size));
    }
    return st_ok();
}

st_status st_phrasing_read(st_reading *reading, bool *found, st_arena *arena,
                           const st_template_pack *pack, st_question type, const char *question)
{
    st_str text;
    *found = false;
    ST_TRY(plain(&text, arena, question));
    for (size_t i = 0; i < pack->count && !*found; i++) {
        if (pack->templates[i].type != type)
            continue;
        matcher m = {0};
        st_str  pattern;
        ST_TRY(plain(&pattern, arena, pack->templates[i].text));
        if (match(&m, pattern, text)) {
            ST_TRY(fill_reading(reading, arena, &pack->templates[i], &m));
            *found = true;
        }
    }
    return st_ok();
}
