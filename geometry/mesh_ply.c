/* mesh_ply.c - our own reader of PLY files.
 *
 * Assimp drops what it does not know, such as `label`, and may reorder vertices; both are the very
 * things we read a scan for. A PLY file is a header of text lines that declares elements and their
 * properties, and then the rows, as text or as packed numbers. No count is believed before the
 * bytes that it needs are known to be there.
 */
#include "geometry/mesh.h"

#include "kernels/base/limits.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed numbers are copied as they are");

enum { ELEMENTS_MAX = 16, PROPERTIES_MAX = 64, TOKEN_BYTES_MAX = 64 };

typedef struct property {
    st_str      name;
    st_ply_type type;           /* of the value, or of a list's items */
    st_ply_type count_type;     /* ST_PLY_NONE: not a list            */
} property;

typedef struct element {
    st_str   name;
    size_t   count;
    property properties[PROPERTIES_MAX];
    int      property_count;
    bool     has_list;
    size_t   row_bytes;         /* least bytes of a row; all of them without lists */
} element;

typedef struct ply {
    bool    ascii;
    element elements[ELEMENTS_MAX];
    int     element_count;
    const unsigned char *start, *at, *end;
} ply;

static const struct {
    const char *name, *long_name;
    size_t      bytes;
} TYPES[] = {
    [ST_PLY_NONE] = {"", "", 0},
    [ST_PLY_INT8] = {"char", "int8", 1},
    [ST_PLY_UINT8] = {"uchar", "uint8", 1},
    [ST_PLY_INT16] = {"short", "int16", 2},
    [ST_PLY_UINT16] = {"ushort", "uint16", 2},
    [ST_PLY_INT32] = {"int", "int32", 4},
    [ST_PLY_UINT32] = {"uint", "uint32", 4},
    [ST_PLY_FLOAT32] = {"float", "float32", 4},
    [ST_PLY_FLOAT64] = {"double", "float64", 8},
};

/* --- header --- */

static st_ply_type type_named(st_str word)
{
    for (int t = ST_PLY_INT8; t <= ST_PLY_FLOAT64; t++)
        if (st_str_is(word, TYPES[t].name) || st_str_is(word, TYPES[t].long_name))
            return (st_ply_type)t;
    return ST_PLY_NONE;
}

/* Take the next word off a line; empty at its end. */
static st_str next_word(st_str *line)
{
    *line = st_str_trim(*line);
    size_t n = 0;
    while (n < line->size && line->data[n] != ' ' && line->data[n] != '\t')
        n++;
    const st_str word = {line->data, n};
    *line = (st_str){line->data + n, line->size - n};
    return word;
}

/* Words from a file are shown up to their first 40 bytes, and only when they are plain. */
static const char *shown(char out[48], st_str word)
{
    size_t n = 0;
    for (; n < word.size && n < 40; n++)
        out[n] = word.data[n] >= ' ' && word.data[n] < 127 ? word.data[n] : '?';
    out[n] = '\0';
    return out;
}

static st_status add_element(ply *p, st_str line)
{
    char words[48];
    if (p->element_count == ELEMENTS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "more than %d elements", ELEMENTS_MAX);
    element *e = &p->elements[p->element_count];
    *e = (element){.name = next_word(&line)};
    int64_t count;
    const st_str number = next_word(&line);
    if (e->name.size == 0 || !st_str_int(number, &count) || count < 0)
        return ST_FAIL(ST_ERR_FORMAT, "expected `element NAME COUNT`, found the count \"%s\"",
                       shown(words, number));
    e->count = (size_t)count;
    p->element_count++;
    return st_ok();
}

static st_status add_property(ply *p, st_str line)
{
    char words[48];
    if (p->element_count == 0)
        return ST_FAIL(ST_ERR_FORMAT, "a property before the first element");
    element *e = &p->elements[p->element_count - 1];
    if (e->property_count == PROPERTIES_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "more than %d properties", PROPERTIES_MAX);

    property made = {.count_type = ST_PLY_NONE};
    st_str word = next_word(&line);
    if (st_str_is(word, "list")) {
        word = next_word(&line);
        made.count_type = type_named(word);
        if (made.count_type == ST_PLY_NONE || made.count_type >= ST_PLY_FLOAT32)
            return ST_FAIL(ST_ERR_FORMAT, "a list cannot be counted by \"%s\"",
                           shown(words, word));
        word = next_word(&line);
    }
    made.type = type_named(word);
    if (made.type == ST_PLY_NONE)
        return ST_FAIL(ST_ERR_FORMAT, "unknown property type \"%s\"", shown(words, word));
    made.name = next_word(&line);
    if (made.name.size == 0 || made.name.size > ST_NAME_BYTES_MAX ||
        st_utf8_check(made.name) != made.name.size)
        return ST_FAIL(ST_ERR_FORMAT, "a property needs a name of 1 to %zu bytes",
                       ST_NAME_BYTES_MAX);
    for (int i = 0; i < e->property_count; i++)
        if (st_str_equal(e->properties[i].name, made.name))
            return ST_FAIL(ST_ERR_FORMAT, "two properties are called \"%s\"",
                           shown(words, made.name));

    e->has_list |= made.count_type != ST_PLY_NONE;
    e->row_bytes += TYPES[made.count_type != ST_PLY_NONE ? made.count_type : made.type].bytes;
    e->properties[e->property_count++] = made;
    return st_ok();
}

static st_status read_format(ply *p, st_str line)
{
    char words[48];
    const st_str format = next_word(&line);
    p->ascii = st_str_is(format, "ascii");
    if (st_str_is(format, "binary_big_endian"))
        return ST_FAIL(ST_ERR_UNSUPPORTED,
                       "big-endian PLY is not read: save it as binary_little_endian or ascii");
    if (!p->ascii && !st_str_is(format, "binary_little_endian"))
        return ST_FAIL(ST_ERR_FORMAT, "unknown PLY format \"%s\"", shown(words, format));
    return st_ok();
}

static st_status read_header(ply *p, st_str bytes)
{
    st_str rest = bytes, line;
    bool known_format = false;
    for (int number = 1;; number++) {
        if (!st_str_next_line(&line, &rest))
            return ST_FAIL(ST_ERR_FORMAT, "the header has no end_header");
        st_str words = line;
        const st_str key = next_word(&words);
        if (number == 1) {
            if (!st_str_is(key, "ply"))
                return ST_FAIL(ST_ERR_FORMAT, "not a PLY file: the first line is not \"ply\"");
        } else if (st_str_is(key, "format")) {
            ST_TRY(st_within(read_format(p, words), "line %d", number));
            known_format = true;
        } else if (st_str_is(key, "element")) {
            ST_TRY(st_within(add_element(p, words), "line %d", number));
        } else if (st_str_is(key, "property")) {
            ST_TRY(st_within(add_property(p, words), "line %d", number));
        } else if (st_str_is(key, "end_header")) {
            break;
        } else if (key.size != 0 && !st_str_is(key, "comment") && !st_str_is(key, "obj_info")) {
            char found[48];
            return ST_FAIL(ST_ERR_FORMAT, "line %d: unknown header word \"%s\"", number,
                           shown(found, key));
        }
    }
    if (!known_format)
        return ST_FAIL(ST_ERR_FORMAT, "the header names no format");
    p->start = (const unsigned char *)bytes.data;
    p->at = (const unsigned char *)rest.data;
    p->end = p->start + bytes.size;
    return st_ok();
}

/* --- rows --- */

static size_t left(const ply *p)
{
    return (size_t)(p->end - p->at);
}

/* The next word of an ascii body. */
static st_str next_token(ply *p)
{
    while (p->at < p->end && (*p->at == ' ' || (*p->at >= '\t' && *p->at <= '\r')))
        p->at++;
    const unsigned char *first = p->at;
    while (p->at < p->end && *p->at > ' ')
        p->at++;
    return (st_str){(const char *)first, (size_t)(p->at - first)};
}

/* A packed number; the caller has checked that its bytes are there. */
static double unpack(const unsigned char *at, st_ply_type type)
{
    switch (type) {
    case ST_PLY_INT8:
        return (int8_t)*at;
    case ST_PLY_UINT8:
        return *at;
#define ST_UNPACK(tag, ctype)                                                                      \
    case tag: {                                                                                    \
        ctype x;                                                                                   \
        memcpy(&x, at, sizeof x);                                                                  \
        return (double)x;                                                                          \
    }
    ST_UNPACK(ST_PLY_INT16, int16_t)
    ST_UNPACK(ST_PLY_UINT16, uint16_t)
    ST_UNPACK(ST_PLY_INT32, int32_t)
    ST_UNPACK(ST_PLY_UINT32, uint32_t)
    ST_UNPACK(ST_PLY_FLOAT32, float)
    ST_UNPACK(ST_PLY_FLOAT64, double)
#undef ST_UNPACK
    case ST_PLY_NONE:
        break;
    }
    return NAN;
}

/* Take a number off the body; false when there is none, and number_fault says why. A status per
 * number would cost more than the numbers. */
static inline bool take_number(ply *p, st_ply_type type, double *value)
{
    if (p->ascii) {
        const st_str token = next_token(p);
        const bool good = token.size > 0 && token.size <= TOKEN_BYTES_MAX &&
                          st_str_double_any(token, value);
        if (!good)
            p->at = (const unsigned char *)token.data;
        return good;
    }
    if (left(p) < TYPES[type].bytes)
        return false;
    *value = unpack(p->at, type);
    p->at += TYPES[type].bytes;
    return true;
}

static st_status number_fault(ply *p)
{
    if (!p->ascii || p->at == p->end)
        return ST_FAIL(ST_ERR_FORMAT, "the file ends at byte %zu", (size_t)(p->end - p->start));
    char words[48];
    const size_t byte = (size_t)(p->at - p->start);
    const st_str token = next_token(p);
    return ST_FAIL(ST_ERR_FORMAT, "byte %zu: expected a number, found \"%s\"", byte,
                   shown(words, token));
}

/* The length of a list, whose items are then known to be there (as bytes, or as the least text
 * that could hold them). */
static st_status read_length(ply *p, const property *list, size_t *length)
{
    double n;
    if (!take_number(p, list->count_type, &n))
        return number_fault(p);
    const double room = (double)(p->ascii ? left(p) / 2 + 1 : left(p) / TYPES[list->type].bytes);
    if (!(n >= 0.0) || n != floor(n))
        return ST_FAIL(ST_ERR_FORMAT, "a list of %g items", n);
    if (n > room)
        return ST_FAIL(ST_ERR_FORMAT, "a list of %.0f items, the file has room for %.0f", n, room);
    *length = (size_t)n;
    return st_ok();
}

/* Does the rest of the file have room for so many rows? */
static st_status check_room(const ply *p, const element *e)
{
    char words[48];
    const size_t row = p->ascii ? 2 * (size_t)e->property_count : e->row_bytes;
    if (row == 0)
        return st_ok();
    const size_t rows = (left(p) + (p->ascii ? 1 : 0)) / row;
    if (e->count > rows)
        return ST_FAIL(ST_ERR_FORMAT, "%zu rows of \"%s\" are promised, the file has room for %zu",
                       e->count, shown(words, e->name), rows);
    return st_ok();
}

static st_status skip_property(ply *p, const property *skipped)
{
    double ignored;
    if (skipped->count_type == ST_PLY_NONE)
        return take_number(p, skipped->type, &ignored) ? st_ok() : number_fault(p);
    size_t length;
    ST_TRY(read_length(p, skipped, &length));
    if (!p->ascii)
        p->at += length * TYPES[skipped->type].bytes;
    else
        for (size_t i = 0; i < length; i++)
            if (!take_number(p, skipped->type, &ignored))
                return number_fault(p);
    return st_ok();
}

static st_status skip_element(ply *p, const element *e)
{
    if (e->property_count == 0)
        return st_ok();
    if (!p->ascii && !e->has_list) {
        p->at += e->count * e->row_bytes;
        return st_ok();
    }
    for (size_t row = 0; row < e->count; row++)
        for (int i = 0; i < e->property_count; i++)
            ST_TRY(skip_property(p, &e->properties[i]));
    return st_ok();
}

/* --- vertices --- */

/* Where the numbers of a vertex go: to every `stride`-th double or byte from `to`. */
typedef struct target {
    double  *numbers;
    uint8_t *bytes;
    size_t   stride;
} target;

static int index_of(st_str name, const char *const names[], int count)
{
    for (int i = 0; i < count; i++)
        if (st_str_is(name, names[i]))
            return i;
    return -1;
}

static bool has_property(const element *e, const char *name, st_ply_type type)
{
    for (int i = 0; i < e->property_count; i++)
        if (st_str_is(e->properties[i].name, name) && e->properties[i].count_type == ST_PLY_NONE &&
            (type == ST_PLY_NONE || e->properties[i].type == type))
            return true;
    return false;
}

/* Give every property of a vertex a place in the mesh. */
static st_status plan_vertices(target targets[PROPERTIES_MAX], st_mesh *mesh, st_arena *arena,
                               const element *e)
{
    static const char *const axes[] = {"x", "y", "z"};
    static const char *const channels[] = {"red", "green", "blue", "alpha"};
    const size_t n = e->count;
    if (n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "%zu vertices, at most %zu", n, ST_POINTS_MAX);
    for (int i = 0; i < 3; i++)
        if (!has_property(e, axes[i], ST_PLY_NONE))
            return ST_FAIL(ST_ERR_FORMAT, "vertices have no property \"%s\"", axes[i]);

    mesh->point_count = n;
    ST_TRY(ST_ALLOC(arena, &mesh->points_m, n));
    ST_TRY(ST_ALLOC(arena, &mesh->columns, (size_t)e->property_count));
    if (has_property(e, "red", ST_PLY_UINT8) && has_property(e, "green", ST_PLY_UINT8) &&
        has_property(e, "blue", ST_PLY_UINT8)) {
        ST_TRY(ST_ALLOC(arena, &mesh->colors, n));
        memset(mesh->colors, 255, n * sizeof *mesh->colors);
    }
    for (int i = 0; i < e->property_count; i++) {
        const property *p = &e->properties[i];
        const int axis = index_of(p->name, axes, 3), channel = index_of(p->name, channels, 4);
        targets[i] = (target){.stride = 1};
        if (p->count_type != ST_PLY_NONE)
            continue;           /* a list per vertex has no place here: skipped */
        if (axis >= 0) {
            targets[i] = (target){.numbers = &mesh->points_m[0][axis], .stride = 3};
        } else if (channel >= 0 && mesh->colors && p->type == ST_PLY_UINT8) {
            targets[i] = (target){.bytes = &mesh->colors[0][channel], .stride = 4};
        } else {
            st_mesh_column *column = &mesh->columns[mesh->column_count++];
            column->type = p->type;
            ST_TRY(st_arena_copy_text(arena, &column->name, p->name.data, p->name.size));
            ST_TRY(ST_ALLOC(arena, &column->values, n));
            targets[i].numbers = column->values;
        }
    }
    return st_ok();
}

static st_status read_vertices(st_mesh *mesh, st_arena *arena, ply *p, const element *e)
{
    target targets[PROPERTIES_MAX];
    ST_TRY(plan_vertices(targets, mesh, arena, e));
    for (size_t row = 0; row < e->count; row++)
        for (int i = 0; i < e->property_count; i++) {
            const target *t = &targets[i];
            double value = 0.0;
            if (e->properties[i].count_type != ST_PLY_NONE)
                ST_TRY(st_within(skip_property(p, &e->properties[i]), "vertex %zu of %zu", row,
                                 e->count));
            else if (!take_number(p, e->properties[i].type, &value))
                return st_within(number_fault(p), "vertex %zu of %zu", row, e->count);
            if (t->numbers)
                t->numbers[row * t->stride] = value;
            else if (t->bytes)
                t->bytes[row * t->stride] = value >= 0.0 && value <= 255.0 ? (uint8_t)value : 0;
        }
    return st_ok();
}

/* --- faces --- */

static st_status read_polygon(st_mesh *mesh, size_t *capacity, st_arena *arena, ply *p,
                              const property *list)
{
    size_t length;
    uint32_t fan[3];
    ST_TRY(read_length(p, list, &length));
    for (size_t k = 0; k < length; k++) {
        double index;
        if (!take_number(p, list->type, &index))
            return number_fault(p);
        if (!(index >= 0.0 && index < (double)mesh->point_count) || index != floor(index))
            return ST_FAIL(ST_ERR_DATA, "names vertex %g of %zu", index, mesh->point_count);
        fan[k < 2 ? k : 2] = (uint32_t)index;
        if (k < 2)
            continue;
        if (mesh->triangle_count == ST_TRIANGLES_MAX)
            return ST_FAIL(ST_ERR_LIMIT, "more than %zu triangles", ST_TRIANGLES_MAX);
        if (mesh->triangle_count == *capacity)
            ST_TRY(ST_GROW(arena, &mesh->triangles, capacity, mesh->triangle_count + 1));
        memcpy(mesh->triangles[mesh->triangle_count++], fan, sizeof fan);
        fan[1] = fan[2];
    }
    return st_ok();
}

static st_status read_faces(st_mesh *mesh, st_arena *arena, ply *p, const element *e)
{
    static const char *const names[] = {"vertex_indices", "vertex_index"};
    int list = -1;
    for (int i = 0; i < e->property_count; i++)
        if (e->properties[i].count_type != ST_PLY_NONE &&
            index_of(e->properties[i].name, names, 2) >= 0)
            list = i;
    if (list < 0)
        return e->count == 0 ? st_ok()
                             : ST_FAIL(ST_ERR_FORMAT, "faces have no list \"vertex_indices\"");
    size_t capacity = e->count < ST_TRIANGLES_MAX ? e->count : ST_TRIANGLES_MAX;
    ST_TRY(ST_ALLOC(arena, &mesh->triangles, capacity));
    for (size_t row = 0; row < e->count; row++)
        for (int i = 0; i < e->property_count; i++)
            ST_TRY(st_within(i == list
                                 ? read_polygon(mesh, &capacity, arena, p, &e->properties[i])
                                 : skip_property(p, &e->properties[i]),
                             "face %zu of %zu", row, e->count));
    return st_ok();
}

st_status st_mesh_read_ply(st_mesh *mesh, st_arena *arena, st_str bytes)
{
    ply *p;
    st_mesh made = {.point_count = 0};
    ST_TRY(ST_ALLOC(arena, &p, 1));
    ST_TRY(read_header(p, bytes));

    bool vertices_read = false, faces_read = false;
    for (int i = 0; i < p->element_count; i++) {
        const element *e = &p->elements[i];
        ST_TRY(check_room(p, e));
        if (st_str_is(e->name, "vertex") && !vertices_read) {
            ST_TRY(read_vertices(&made, arena, p, e));
            vertices_read = true;
        } else if (st_str_is(e->name, "face") && !faces_read) {
            if (!vertices_read)
                return ST_FAIL(ST_ERR_UNSUPPORTED, "faces stand before the vertices they name");
            ST_TRY(read_faces(&made, arena, p, e));
            faces_read = true;
        } else {
            ST_TRY(st_within(skip_element(p, e), "element %d", i + 1));
        }
    }
    if (!vertices_read)
        return ST_FAIL(ST_ERR_FORMAT, "the header declares no vertices");
    *mesh = made;
    return st_ok();
}
