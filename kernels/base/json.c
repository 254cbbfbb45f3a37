/* json.c - reading JSON. Meets jansson. */
#include "kernels/base/json.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <jansson.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct st_json_doc {
    json_t *root;
};

static const char *const kind_words[] = {
    [ST_JSON_ABSENT] = "nothing", [ST_JSON_NULL] = "null",     [ST_JSON_BOOL] = "a boolean",
    [ST_JSON_INT] = "an integer", [ST_JSON_REAL] = "a number", [ST_JSON_TEXT] = "a string",
    [ST_JSON_ARRAY] = "an array", [ST_JSON_OBJECT] = "an object",
};

/* jansson says "line -1" or blames the text when memory runs out, so allocations are watched. */
static _Thread_local bool starved;

static void *watched_malloc(size_t size)
{
    void *bytes = malloc(size);
    starved = starved || !bytes;
    return bytes;
}

static void watch_memory(void)
{
    json_set_alloc_funcs(watched_malloc, free);
}

static st_status parse(st_json_doc **doc, st_str text, size_t flags)
{
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text.data += 3, text.size -= 3;
    if (st_str_trim(text).size == 0)
        return ST_FAIL(ST_ERR_FORMAT, "expected JSON, found an empty text");

    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_memory);
    starved = false;
    json_error_t error;
    json_t *root = json_loadb(text.data, text.size, flags | JSON_DECODE_ANY, &error);
    if (!root && starved)
        return ST_FAIL(ST_ERR_MEMORY, "no memory to parse %zu bytes of JSON", text.size);
    if (!root)
        return ST_FAIL(json_error_code(&error) == json_error_stack_overflow ? ST_ERR_LIMIT
                                                                            : ST_ERR_FORMAT,
                       "line %d, column %d: %s", error.line, error.column, error.text);
    st_json_doc *made = malloc(sizeof *made);
    if (!made) {
        json_decref(root);
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a JSON document");
    }
    made->root = root;
    *doc = made;
    return st_ok();
}

st_status st_json_parse(st_json_doc **doc, st_str text)
{
    return parse(doc, text, JSON_REJECT_DUPLICATES);
}

/* The parser counts lines from the start of what it was given, which here is one line of many. */
st_status st_json_parse_line(st_json_doc **doc, st_str line, size_t number)
{
    static const char first[] = "line 1, ";
    const st_status   s = st_json_parse(doc, line);
    if (s.code == ST_OK)
        return s;
    if (strncmp(s.text, first, strlen(first)) != 0)
        return st_within(s, "line %zu", number);
    return ST_FAIL(s.code, "line %zu, %s", number, s.text + strlen(first));
}

st_status st_json_parse_keep_last(st_json_doc **doc, st_str text)
{
    return parse(doc, text, 0);
}

st_status st_json_load(st_json_doc **doc, const char *path)
{
    st_map map;
    ST_TRY(st_map_open(&map, path));
    st_status s = map.size > ST_TEXT_FILE_BYTES_MAX
                      ? ST_FAIL(ST_ERR_LIMIT, "expected at most %zu bytes, found %zu",
                                ST_TEXT_FILE_BYTES_MAX, map.size)
                      : st_json_parse(doc, (st_str){(const char *)map.data, map.size});
    st_map_close(&map);
    return st_within(s, "%s", path);
}

void st_json_free(st_json_doc *doc)
{
    if (!doc)
        return;
    json_decref(doc->root);
    free(doc);
}

st_json st_json_root(const st_json_doc *doc)
{
    return (st_json){.node = doc->root};
}

st_json_kind st_json_kind_of(st_json value)
{
    const json_t *node = value.node;
    if (!node)
        return ST_JSON_ABSENT;
    switch (json_typeof(node)) {
    case JSON_OBJECT:
        return ST_JSON_OBJECT;
    case JSON_ARRAY:
        return ST_JSON_ARRAY;
    case JSON_STRING:
        return ST_JSON_TEXT;
    case JSON_INTEGER:
        return ST_JSON_INT;
    case JSON_REAL:
        return ST_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return ST_JSON_BOOL;
    default:
        return ST_JSON_NULL;
    }
}

size_t st_json_count(st_json value)
{
    const json_t *node = value.node;
    return json_is_object(node) ? json_object_size(node)
           : json_is_array(node) ? json_array_size(node)
                                 : 0;
}

st_json st_json_member(const st_json *parent, const char *key)
{
    return (st_json){.node = json_object_get(parent->node, key), .parent = parent, .key = key};
}

st_json st_json_element(const st_json *parent, size_t index)
{
    return (st_json){.node = json_array_get(parent->node, index), .parent = parent, .index = index};
}

st_json_walk st_json_walk_start(const st_json *object)
{
    json_t *node = (json_t *)object->node;
    return (st_json_walk){.object = node, .at = json_object_iter(node)};
}

bool st_json_walk_next(st_json_walk *walk, const st_json *object, st_json *member)
{
    void *at = (void *)walk->at;
    if (!at)
        return false;
    *member = (st_json){.node = json_object_iter_value(at),
                        .parent = object,
                        .key = json_object_iter_key(at)};
    walk->at = json_object_iter_next((json_t *)walk->object, at);
    return true;
}

const char *st_json_path(const st_json *value, char *text, size_t size)
{
    if (!value->parent) {
        snprintf(text, size, "document");
        return text;
    }
    size_t used = 0;
    text[0] = '\0';
    if (value->parent->parent) {
        st_json_path(value->parent, text, size);
        used = strlen(text);
    }
    if (value->key)
        snprintf(text + used, size - used, "%s%.60s", used ? "." : "", value->key);
    else
        snprintf(text + used, size - used, "[%zu]", value->index);
    return text;
}

/* A word of the file that may stand in a sentence: one line of it, cut between characters. */
static void show_word(char shown[48], const char *word)
{
    size_t size = 0;
    for (; word[size] && size < 44; size++)
        shown[size] = (unsigned char)word[size] < ' ' ? ' ' : word[size];
    while (word[size] && size > 0 && ((unsigned char)word[size] & 0xC0) == 0x80)
        size--;
    snprintf(shown + size, 48 - size, "%s", word[size] ? "..." : "");
}

const char *st_json_describe(const st_json *value, char *text, size_t size)
{
    const st_json schema = st_json_member(value, "schema");
    const st_json_kind kind = st_json_kind_of(*value);
    st_json_walk walk = st_json_walk_start(value);
    st_json first;
    char shown[48];
    if (kind != ST_JSON_OBJECT) {
        snprintf(text, size, "%s", kind_words[kind]);
    } else if (st_json_kind_of(schema) == ST_JSON_TEXT) {
        show_word(shown, json_string_value(schema.node));
        snprintf(text, size, "an object of schema \"%s\"", shown);
    } else if (st_json_walk_next(&walk, value, &first)) {
        show_word(shown, first.key);
        snprintf(text, size, "an object that starts with \"%s\"", shown);
    } else {
        snprintf(text, size, "an empty object");
    }
    return text;
}

st_status st_json_fail(st_json value, st_code code, const char *fmt, ...)
{
    char path[120], words[ST_STATUS_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return st_within(ST_FAIL(code, "%s", words), "%s",
                     st_json_path(&value, path, sizeof path));
}

static st_status expected(st_json value, const char *what)
{
    return st_json_fail(value, ST_ERR_FORMAT, "expected %s, found %s", what,
                        kind_words[st_json_kind_of(value)]);
}

st_status st_json_expect(st_json value, st_json_kind kind)
{
    return st_json_kind_of(value) == kind ? st_ok() : expected(value, kind_words[kind]);
}

st_status st_json_double(st_json value, double *out)
{
    if (!json_is_number((const json_t *)value.node))
        return expected(value, "a number");
    *out = json_number_value(value.node);
    return st_ok();
}

st_status st_json_int(st_json value, int64_t *out)
{
    if (json_is_integer((const json_t *)value.node)) {
        *out = json_integer_value(value.node);
        return st_ok();
    }
    if (json_is_real((const json_t *)value.node)) {
        const double x = json_real_value(value.node);
        if (x >= -9.0e15 && x <= 9.0e15 && x == (double)(int64_t)x) {
            *out = (int64_t)x;
            return st_ok();
        }
    }
    return expected(value, "an integer");
}

st_status st_json_bool(st_json value, bool *out)
{
    ST_TRY(st_json_expect(value, ST_JSON_BOOL));
    *out = json_is_true((const json_t *)value.node);
    return st_ok();
}

st_status st_json_text(st_json value, st_str *out)
{
    ST_TRY(st_json_expect(value, ST_JSON_TEXT));
    *out = (st_str){json_string_value(value.node), json_string_length(value.node)};
    return st_ok();
}

st_status st_json_text_or_none(st_json value, st_str *out)
{
    const st_json_kind kind = st_json_kind_of(value);
    if (kind == ST_JSON_ABSENT || kind == ST_JSON_NULL) {
        *out = (st_str){NULL, 0};
        return st_ok();
    }
    return st_json_text(value, out);
}

st_status st_json_doubles(st_json value, double *out, size_t count)
{
    ST_TRY(st_json_expect(value, ST_JSON_ARRAY));
    if (st_json_count(value) != count)
        return st_json_fail(value, ST_ERR_FORMAT, "expected %zu numbers, found %zu", count,
                            st_json_count(value));
    for (size_t i = 0; i < count; i++)
        ST_TRY(st_json_double(st_json_element(&value, i), &out[i]));
    return st_ok();
}

void st_json_write_value(st_json_writer *w, st_json value)
{
    st_json member;
    switch (st_json_kind_of(value)) {
    case ST_JSON_OBJECT: {
        st_json_walk walk = st_json_walk_start(&value);
        st_json_write_object(w);
        while (st_json_walk_next(&walk, &value, &member)) {
            st_json_write_key(w, member.key);
            st_json_write_value(w, member);
        }
        st_json_write_end(w);
        return;
    }
    case ST_JSON_ARRAY:
        st_json_write_array(w);
        for (size_t i = 0; i < st_json_count(value); i++)
            st_json_write_value(w, st_json_element(&value, i));
        st_json_write_end(w);
        return;
    case ST_JSON_TEXT:
        st_json_write_str(w, (st_str){json_string_value(value.node),
                                      json_string_length(value.node)});
        return;
    case ST_JSON_INT:
        st_json_write_int(w, json_integer_value(value.node));
        return;
    case ST_JSON_REAL:
        st_json_write_double(w, json_real_value(value.node));
        return;
    case ST_JSON_BOOL:
        st_json_write_bool(w, json_is_true((const json_t *)value.node));
        return;
    default:
        st_json_write_null(w);
    }
}
