/* templates.c - reading, checking and filling templates. Our own wordings stand in wordings.c. */
#include "datagen/questions/templates.h"

#include "datagen/questions/internal.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"

#include <string.h>

static const char *const question_names[ST_QUESTION_COUNT] = {
    "object_counting",
    "object_size_estimation",
    "room_size_estimation",
    "object_abs_distance",
    "object_rel_distance",
    "object_rel_direction_easy",
    "object_rel_direction_medium",
    "object_rel_direction_hard",
    "route_planning",
};

/* The slots of each type, in the order of the bits that `slot_bits` gives. */
enum { SLOTS_NEEDED_MAX = 6 };
static const char *const slot_names[ST_QUESTION_COUNT][SLOTS_NEEDED_MAX] = {
    [ST_QUESTION_COUNTING] = {"label"},
    [ST_QUESTION_SIZE] = {"label"},
    [ST_QUESTION_ABS_DISTANCE] = {"a", "b"},
    [ST_QUESTION_REL_DISTANCE] = {"anchor", "options", "o1", "o2", "o3", "o4"},
    [ST_QUESTION_DIRECTION_EASY] = {"p", "o", "q"},
    [ST_QUESTION_DIRECTION_MEDIUM] = {"p", "o", "q"},
    [ST_QUESTION_DIRECTION_HARD] = {"p", "o", "q"},
    [ST_QUESTION_ROUTE] = {"start", "facing", "goal", "steps"},
};

const char *st_question_name(st_question question)
{
    ST_ASSERT((unsigned)question < ST_QUESTION_COUNT);
    return question_names[question];
}

bool st_question_find(st_question *question, const char *name)
{
    for (int q = 0; q < ST_QUESTION_COUNT; q++) {
        if (strcmp(name, question_names[q]) == 0) {
            *question = (st_question)q;
            return true;
        }
    }
    return false;
}

bool st_template_next(st_str *piece, bool *slot, st_str *rest)
{
    if (rest->size == 0)
        return false;
    *slot = rest->data[0] == '{';
    const char *end = memchr(rest->data, *slot ? '}' : '{', rest->size);
    size_t taken = end ? (size_t)(end - rest->data) : rest->size;
    if (*slot && end) {
        *piece = (st_str){rest->data + 1, taken - 1};
        taken++;                            /* the closing brace goes too */
    } else {
        *piece = (st_str){rest->data, taken};
        *slot = false;
    }
    *rest = (st_str){rest->data + taken, rest->size - taken};
    return true;
}

/* The bits of the slots that a text names; bit i is slot_names[type][i]. */
static st_status slot_bits(unsigned *bits, st_question type, const char *text)
{
    st_str rest = st_str_from(text), piece;
    bool slot;
    *bits = 0;
    while (st_template_next(&piece, &slot, &rest)) {
        if (!slot) {
            if (memchr(piece.data, '{', piece.size) || memchr(piece.data, '}', piece.size))
                return ST_FAIL(ST_ERR_FORMAT, "a brace without its partner in \"%s\"", text);
            continue;
        }
        int i = 0;
        while (i < SLOTS_NEEDED_MAX && slot_names[type][i] &&
               !st_str_is(piece, slot_names[type][i]))
            i++;
        if (i == SLOTS_NEEDED_MAX || !slot_names[type][i])
            return ST_FAIL(ST_ERR_FORMAT, "%s has no slot {%.*s}", question_names[type],
                           ST_STR_ARG(piece));
        *bits |= 1u << i;
    }
    return st_ok();
}

/* Which numbers of options the slots of a rel_distance text allow: 0 any, 2..4 that many. */
static st_status options_of(int *options, unsigned bits)
{
    enum { ANCHOR = 1, ANY = 2, O1 = 4, O2 = 8, O3 = 16, O4 = 32 };
    *options = 0;
    if (bits == (ANCHOR | ANY))
        return st_ok();
    if (bits == (ANCHOR | O1 | O2))
        *options = 2;
    else if (bits == (ANCHOR | O1 | O2 | O3))
        *options = 3;
    else if (bits == (ANCHOR | O1 | O2 | O3 | O4))
        *options = 4;
    else
        return ST_FAIL(ST_ERR_FORMAT, "%s needs the slots {anchor} and {options}, or {anchor} and "
                       "{o1} to {o2}, {o3} or {o4}", question_names[ST_QUESTION_REL_DISTANCE]);
    return st_ok();
}

st_status sti_template_check(st_template *which)
{
    if (strstr(which->text, "<video>") || strstr(which->text, "<image>"))
        return ST_FAIL(ST_ERR_FORMAT, "the marker <video> or <image> stands in the text");
    if (strchr(which->text, '\n'))
        return ST_FAIL(ST_ERR_FORMAT, "a question is one line, the text has a line break");
    unsigned bits;
    ST_TRY(slot_bits(&bits, which->type, which->text));
    if (which->type == ST_QUESTION_REL_DISTANCE)
        return options_of(&which->options, bits);
    for (int i = 0; i < SLOTS_NEEDED_MAX && slot_names[which->type][i]; i++)
        if (!(bits >> i & 1))
            return ST_FAIL(ST_ERR_FORMAT, "%s needs the slot {%s}", question_names[which->type],
                           slot_names[which->type][i]);
    return st_ok();
}

/* --- reading ---------------------------------------------------------------------------------- */

static st_status copy_text(const char **copy, st_arena *arena, const st_json *parent,
                           const char *key)
{
    const st_json value = st_json_member(parent, key);
    st_str text;
    ST_TRY(st_json_text(value, &text));
    if (text.size == 0 || memchr(text.data, '\0', text.size))
        return st_json_fail(value, ST_ERR_FORMAT, "expected some text");
    return st_arena_copy_text(arena, copy, text.data, text.size);
}

static st_status read_template(st_template *t, st_arena *arena, const st_json *json)
{
    const char *type;
    ST_TRY(copy_text(&t->id, arena, json, "id"));
    ST_TRY(copy_text(&type, arena, json, "type"));
    ST_TRY(copy_text(&t->text, arena, json, "text"));
    if (!st_question_find(&t->type, type))
        return ST_FAIL(ST_ERR_FORMAT, "template \"%s\": unknown type \"%s\"", t->id, type);
    return st_within(sti_template_check(t), "template \"%s\"", t->id);
}

static st_status read_pack(st_template_pack *pack, st_arena *arena, const st_json *root)
{
    ST_TRY(st_json_expect(*root, ST_JSON_OBJECT));
    ST_TRY(copy_text(&pack->name, arena, root, "pack"));
    static const char *const keys[] = {"number_suffix", "options_heading", "letter_suffix"};
    const char **values[] = {&pack->number_suffix, &pack->options_heading, &pack->letter_suffix};
    for (int i = 0; i < 3; i++)
        if (st_json_kind_of(st_json_member(root, keys[i])) != ST_JSON_ABSENT)
            ST_TRY(copy_text(values[i], arena, root, keys[i]));

    const st_json list = st_json_member(root, "templates");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    if (count > ST_TEMPLATES_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %d templates, found %zu",
                            ST_TEMPLATES_MAX, count);
    ST_TRY(ST_ALLOC(arena, &pack->templates, count));
    for (size_t i = 0; i < count; i++) {
        const st_json one = st_json_element(&list, i);
        ST_TRY(st_json_expect(one, ST_JSON_OBJECT));
        ST_TRY(read_template(&pack->templates[i], arena, &one));
        for (size_t k = 0; k < i; k++)
            if (strcmp(pack->templates[k].id, pack->templates[i].id) == 0)
                return ST_FAIL(ST_ERR_FORMAT, "template id \"%s\" is used twice",
                               pack->templates[i].id);
    }
    pack->count = count;
    return st_ok();
}

st_status st_template_pack_parse(st_template_pack *pack, st_arena *arena, st_str json)
{
    st_template_pack read = {.digest = st_digest_of(json.data, json.size)};
    sti_wordings_around(&read);
    st_json_doc *doc;
    ST_TRY(st_json_parse(&doc, json));
    const st_json root = st_json_root(doc);
    const st_status s = read_pack(&read, arena, &root);
    st_json_free(doc);
    if (s.code == ST_OK)
        *pack = read;
    return s;
}

st_status st_template_pack_load(st_template_pack *pack, st_arena *arena, const char *path)
{
    st_str json;
    ST_TRY(st_file_read(arena, &json, path, ST_TEXT_FILE_BYTES_MAX));
    return st_within(st_template_pack_parse(pack, arena, json), "%s", path);
}

/* --- choosing and filling --------------------------------------------------------------------- */

static bool serves(const st_template *t, st_question type, int options)
{
    return t->type == type && (t->options == 0 || t->options == options);
}

size_t st_template_pack_serving(const st_template_pack *pack, st_question type, int options)
{
    size_t n = 0;
    for (size_t i = 0; i < pack->count; i++)
        n += serves(&pack->templates[i], type, options);
    return n;
}

const st_template *st_template_pack_pick(const st_template_pack *pack, st_question type,
                                         int options, size_t k)
{
    for (size_t i = 0; i < pack->count; i++)
        if (serves(&pack->templates[i], type, options) && k-- == 0)
            return &pack->templates[i];
    ST_ASSERT(!"k is below st_template_pack_serving");
    return NULL;
}

const st_template *st_template_pack_find(const st_template_pack *pack, const char *id)
{
    for (size_t i = 0; i < pack->count; i++)
        if (strcmp(pack->templates[i].id, id) == 0)
            return &pack->templates[i];
    return NULL;
}

void st_template_fill(st_text *out, const st_template *which, const st_slot *slots, size_t count)
{
    st_str rest = st_str_from(which->text), piece;
    bool slot;
    while (st_template_next(&piece, &slot, &rest)) {
        if (!slot) {
            st_text_add_bytes(out, piece.data, piece.size);
            continue;
        }
        size_t i = 0;
        while (i < count && !st_str_is(piece, slots[i].name))
            i++;
        ST_ASSERT(i < count);
        st_text_add(out, slots[i].value);
    }
}

st_status st_template_list_options(st_arena *arena, const char **list, const char *const *labels,
                                   int count)
{
    st_text text;
    st_text_init(&text);
    for (int i = 0; i < count; i++)
        st_text_addf(&text, "%s%s", i ? ", " : "", labels[i]);
    st_status s = st_text_check(&text);
    if (s.code == ST_OK)
        s = st_arena_copy_text(arena, list, text.data ? text.data : "", text.size);
    st_text_free(&text);
    return s;
}
