/* json.h - JSON read as a tree, and written as a stream.
 *
 * Reading: a document owns its values; a value is a borrowed handle that knows its path, so that a
 * complaint can say "objects[3].obb.size_m: expected 3 numbers, found 2". Duplicate keys, NaN,
 * numbers that overflow a double and text that is not UTF-8 are refused with line and column.
 *
 * Writing: a writer appends to a st_text in the order it is called; nothing is sorted behind your
 * back, and numbers are the shortest that read back the same.
 *
 * May include: status.h, arena.h, text.h.
 */
#ifndef ST_BASE_JSON_H
#define ST_BASE_JSON_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef struct st_json_doc st_json_doc;

typedef struct st_json {
    const void           *node;     /* NULL: absent                        */
    const struct st_json *parent;   /* for the path; must outlive this one */
    const char           *key;      /* member of the parent, or NULL       */
    size_t                index;    /* element of the parent               */
} st_json;

typedef enum st_json_kind {
    ST_JSON_ABSENT,
    ST_JSON_NULL,
    ST_JSON_BOOL,
    ST_JSON_INT,
    ST_JSON_REAL,
    ST_JSON_TEXT,
    ST_JSON_ARRAY,
    ST_JSON_OBJECT
} st_json_kind;

/* Parse one document. A leading byte order mark is accepted.
 *
 * Fails   ST_ERR_FORMAT "line 3, column 17: ..."; ST_ERR_LIMIT nesting beyond 2048.
 */
ST_CHECKED st_status st_json_parse(st_json_doc **doc, st_str text);

/* The same for line `number` of a file of lines: "line 17, column 3: ...". */
ST_CHECKED st_status st_json_parse_line(st_json_doc **doc, st_str line, size_t number);

/* The same for a file that gives a key twice: the last one stands. For readers that have told of
 * it already and can use the rest. */
ST_CHECKED st_status st_json_parse_keep_last(st_json_doc **doc, st_str text);

/* Read and parse a file; failures name the path. */
ST_CHECKED st_status st_json_load(st_json_doc **doc, const char *path);

void    st_json_free(st_json_doc *doc);
st_json st_json_root(const st_json_doc *doc);

st_json_kind st_json_kind_of(st_json value);
size_t       st_json_count(st_json value);          /* members or elements; 0 for other kinds */

/* Member or element; absent when there is none. `parent` must outlive the result. */
st_json st_json_member(const st_json *parent, const char *key);
st_json st_json_element(const st_json *parent, size_t index);

/* The i-th member in file order, with its key; use for objects whose keys are data. Walking all
 * members this way is linear. */
typedef struct st_json_walk {
    const void *object, *at;
} st_json_walk;
st_json_walk st_json_walk_start(const st_json *object);
bool         st_json_walk_next(st_json_walk *walk, const st_json *object, st_json *member);

/* "objects[3].obb.size_m" into `text`; returns text. The root is "document". */
const char *st_json_path(const st_json *value, char *text, size_t size);

/* What a value is, for a sentence about a file of another kind: "an array", "an empty object",
 * "an object of schema \"st-scene/1\"", "an object that starts with \"sceneId\"". Returns text. */
const char *st_json_describe(const st_json *value, char *text, size_t size);

/* Typed reads. Each fails with ST_ERR_FORMAT "PATH: expected a number, found a string". Integers
 * are accepted where a double is wanted; 3.0 is accepted where an integer is wanted. */
ST_CHECKED st_status st_json_double(st_json value, double *out);
ST_CHECKED st_status st_json_int(st_json value, int64_t *out);
ST_CHECKED st_status st_json_bool(st_json value, bool *out);
ST_CHECKED st_status st_json_text(st_json value, st_str *out);      /* zero-terminated, borrowed */
ST_CHECKED st_status st_json_doubles(st_json value, double *out, size_t count);
ST_CHECKED st_status st_json_expect(st_json value, st_json_kind kind);

/* The text of a member that may be absent or null: then {NULL,0}. */
ST_CHECKED st_status st_json_text_or_none(st_json value, st_str *out);

/* A failure at this value: st_json_fail(v, ST_ERR_DATA, "expected 3 numbers, found %zu", n). */
ST_PRINTF(3, 4) st_status st_json_fail(st_json value, st_code code, const char *fmt, ...);

enum { ST_JSON_DEPTH_MAX = 64 };

/* A writer. `pretty` breaks lines and indents by two; arrays of numbers stay on one line. */
typedef struct st_json_writer {
    st_text *out;
    int      depth;
    bool     pretty;
    bool     after_key;
    struct {
        char   close;           /* '}' or ']' */
        bool   any, inline_;
    } level[ST_JSON_DEPTH_MAX];
} st_json_writer;

typedef enum st_json_style { ST_JSON_COMPACT, ST_JSON_PRETTY } st_json_style;

void st_json_write_start(st_json_writer *w, st_text *out, st_json_style style);
void st_json_write_object(st_json_writer *w);
void st_json_write_array(st_json_writer *w);
void st_json_write_row(st_json_writer *w);          /* an array that stays on one line */
void st_json_write_end(st_json_writer *w);          /* closes the innermost one        */
void st_json_write_key(st_json_writer *w, const char *key);
void st_json_write_key_str(st_json_writer *w, st_str key);
void st_json_write_null(st_json_writer *w);
void st_json_write_bool(st_json_writer *w, bool value);
void st_json_write_int(st_json_writer *w, int64_t value);
void st_json_write_double(st_json_writer *w, double value);     /* finite, or ST_ASSERT */
void st_json_write_text(st_json_writer *w, const char *text);   /* NULL writes null     */
void st_json_write_str(st_json_writer *w, st_str text);         /* not UTF-8 becomes U+FFFD */
void st_json_write_doubles(st_json_writer *w, const double *values, size_t count);

/* A value that was read, written again whole: members in their order. */
void st_json_write_value(st_json_writer *w, st_json value);

/* key and value in one call, the common case. */
void st_json_put_text(st_json_writer *w, const char *key, const char *text);
void st_json_put_str(st_json_writer *w, const char *key, st_str text);
void st_json_put_int(st_json_writer *w, const char *key, int64_t value);
void st_json_put_double(st_json_writer *w, const char *key, double value);
void st_json_put_bool(st_json_writer *w, const char *key, bool value);
void st_json_put_doubles(st_json_writer *w, const char *key, const double *values, size_t count);

#endif
