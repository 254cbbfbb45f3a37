/* text.h - strings that know their length, a buffer that grows, UTF-8, patterns, numbers in print.
 *
 * Text inside the program is UTF-8. A st_str borrows; a st_text owns.
 *
 * May include: status.h, arena.h.
 */
#ifndef ST_BASE_TEXT_H
#define ST_BASE_TEXT_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

typedef struct st_str {
    const char *data;       /* not terminated */
    size_t      size;       /* bytes */
} st_str;

/* For printf: printf("%.*s", ST_STR_ARG(s)). */
#define ST_STR_ARG(s) ((int)((s).size < 4096 ? (s).size : 4096)), ((s).data)

st_str st_str_from(const char *text);                       /* view of a C string            */
bool   st_str_equal(st_str a, st_str b);
bool   st_str_is(st_str s, const char *text);
int    st_str_compare(st_str a, st_str b);                  /* by bytes, shorter first       */
bool   st_str_starts(st_str s, const char *prefix);
bool   st_str_ends(st_str s, const char *ending);
bool   st_str_ends_folded(st_str s, const char *ending);    /* ASCII letters of either case  */
st_str st_str_trim(st_str s);                               /* without blanks, tabs, CR, LF  */

/* How a text starts, for a sentence about a file of another kind: "\"ply\"", its first line up to
 * 24 characters or so; "bytes that are no text"; "nothing". Returns out. */
const char *st_str_opening(char out[64], st_str s);

/* Take the next line off `rest`, without its LF or CR LF; false when nothing is left. */
bool st_str_next_line(st_str *line, st_str *rest);

/* Take the next field off `rest`, up to `separator`; false after the last one. A text that ends in
 * the separator has one more, empty field. Start with `rest->data` not NULL. */
bool st_str_next_field(st_str *field, st_str *rest, char separator);

/* A double or integer that fills the whole view, C locale; false otherwise. NaN and infinities are
 * refused by the first, and accepted (-inf, nan) by st_str_double_any. */
bool st_str_double(st_str s, double *value);
bool st_str_double_any(st_str s, double *value);
bool st_str_int(st_str s, int64_t *value);

/* A growing buffer on the heap. `data` is zero-terminated once anything was added. A failure to
 * grow is remembered and reported by st_text_check, so that a writer need not test each word. */
typedef struct st_text {
    char  *data;
    size_t size, capacity;
    bool   out_of_memory;
} st_text;

void st_text_init(st_text *text);
void st_text_free(st_text *text);
void st_text_clear(st_text *text);                          /* keeps the memory */
void st_text_add(st_text *text, const char *words);
void st_text_add_bytes(st_text *text, const void *bytes, size_t size);
ST_PRINTF(2, 3) void st_text_addf(st_text *text, const char *fmt, ...);
ST_CHECKED st_status st_text_check(const st_text *text);
st_str st_text_view(const st_text *text);

/* The shortest decimal that reads back as the same double: 0.1, 1e-07, 3. Needs 32 bytes. */
const char *st_print_double(char out[32], double x);

/* Correctly rounded with `decimals` places, ties to even on the exact binary value (data.md Q-5).
 * Never prints a negative zero. Needs 64 bytes for |x| < 1e30. */
const char *st_print_fixed(char out[64], double x, int decimals);

/* `x` rounded to `decimals` places, as a double: what a file that prints so many places holds. */
double st_round_decimals(double x, int decimals);

/* Offset of the first byte that is not valid UTF-8 (overlong forms and surrogates are not), or
 * s.size when all is well. */
size_t st_utf8_check(st_str s);

/* Decode the character at s.data[at]; returns its length in bytes, 0 when the bytes there are not
 * UTF-8. */
size_t st_utf8_decode(st_str s, size_t at, uint32_t *code_point);

/* Encode into out; returns the length, 1 to 4. */
size_t st_utf8_encode(char out[4], uint32_t code_point);

/* `s` with every byte that is not UTF-8 replaced by U+FFFD, control characters escaped, and cut to
 * `bytes_max`: fit to stand in a message. */
ST_CHECKED st_status st_utf8_for_message(st_arena *arena, const char **shown, st_str s,
                                         size_t bytes_max);

/* Unicode normalisation form C (utf8proc). ASCII is returned as it is, without a copy.
 *
 * Fails   ST_ERR_FORMAT `s` is not UTF-8; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_utf8_nfc(st_arena *arena, st_str *normal, st_str s);

/* What a character is to a tokeniser. Spaces are those of Unicode's White_Space property. */
typedef enum st_kind { ST_KIND_OTHER, ST_KIND_LETTER, ST_KIND_NUMBER, ST_KIND_SPACE } st_kind;
st_kind st_utf8_kind(uint32_t code_point);

/* A compiled pattern (PCRE2 syntax, UTF and Unicode properties on). Threads may share it: each
 * brings its own st_match. */
typedef struct st_pattern st_pattern;
typedef struct st_match   st_match;

enum { ST_GROUPS_MAX = 16 };

/* Fails   ST_ERR_FORMAT with the offset and PCRE2's words. */
ST_CHECKED st_status st_pattern_create(st_pattern **pattern, const char *expression);
void st_pattern_free(st_pattern *pattern);
ST_CHECKED st_status st_match_create(st_match **match, const st_pattern *pattern);
void st_match_free(st_match *match);

/* Search `subject` (valid UTF-8) from byte `start`; `found` tells whether it matched. */
ST_CHECKED st_status st_match_find(st_match *match, const st_pattern *pattern, st_str subject,
                                   size_t start, bool *found);

/* The text of group i after a match, 0 is the whole; {NULL,0} for a group that took no part. */
st_str st_match_group(const st_match *match, st_str subject, int i);

#endif
