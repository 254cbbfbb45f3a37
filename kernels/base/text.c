/* text.c - views, the growing buffer, and numbers in print. */
#include "kernels/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

st_str st_str_from(const char *text)
{
    return (st_str){text, text ? strlen(text) : 0};
}

bool st_str_equal(st_str a, st_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool st_str_is(st_str s, const char *text)
{
    return st_str_equal(s, st_str_from(text));
}

int st_str_compare(st_str a, st_str b)
{
    const size_t common = a.size < b.size ? a.size : b.size;
    const int    order = common ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool st_str_starts(st_str s, const char *prefix)
{
    const size_t size = strlen(prefix);
    return s.size >= size && memcmp(s.data, prefix, size) == 0;
}

/* The last bytes of `s`, as many as `ending` has; false where there are not so many. */
static bool take_tail(st_str *tail, st_str s, const char *ending)
{
    const size_t size = strlen(ending);
    if (s.size < size)
        return false;
    *tail = (st_str){s.size > 0 ? s.data + s.size - size : "", size};
    return true;
}

bool st_str_ends(st_str s, const char *ending)
{
    st_str tail;
    return take_tail(&tail, s, ending) && memcmp(tail.data, ending, tail.size) == 0;
}

bool st_str_ends_folded(st_str s, const char *ending)
{
    st_str tail;
    return take_tail(&tail, s, ending) && strncasecmp(tail.data, ending, tail.size) == 0;
}

const char *st_str_opening(char out[64], st_str s)
{
    enum { SHOWN = 24 };
    st_str line, rest = st_str_trim(s);
    snprintf(out, 64, "nothing");
    if (!st_str_next_line(&line, &rest))
        return out;
    size_t size = 0;                            /* whole characters only */
    uint32_t c;
    for (size_t n; size < line.size && size < SHOWN; size += n) {
        n = st_utf8_decode(line, size, &c);
        if (n == 0 || (c < ' ' && c != '\t')) {
            snprintf(out, 64, "bytes that are no text");
            return out;
        }
    }
    snprintf(out, 64, "\"%.*s%s\"", (int)size, line.data, size < line.size ? "..." : "");
    return out;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

st_str st_str_trim(st_str s)
{
    while (s.size > 0 && is_blank(s.data[0]))
        s.data++, s.size--;
    while (s.size > 0 && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

bool st_str_next_line(st_str *line, st_str *rest)
{
    if (rest->size == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->size);
    const size_t size = end ? (size_t)(end - rest->data) : rest->size;
    *line = (st_str){rest->data, size};
    rest->data += size + (end != NULL);
    rest->size -= size + (end != NULL);
    if (line->size > 0 && line->data[line->size - 1] == '\r')
        line->size--;
    return true;
}

bool st_str_next_field(st_str *field, st_str *rest, char separator)
{
    if (!rest->data)
        return false;
    const char *end = rest->size ? memchr(rest->data, separator, rest->size) : NULL;
    *field = (st_str){rest->data, end ? (size_t)(end - rest->data) : rest->size};
    if (end)
        *rest = (st_str){end + 1, rest->size - field->size - 1};
    else
        *rest = (st_str){NULL, 0};
    return true;
}

bool st_str_double_any(st_str s, double *value)
{
    char digits[64];
    if (s.size == 0 || s.size >= sizeof digits || is_blank(s.data[0]))
        return false;
    memcpy(digits, s.data, s.size);
    digits[s.size] = '\0';
    char *end;
    const double x = strtod(digits, &end);
    if (end != digits + s.size)
        return false;
    *value = x;
    return true;
}

bool st_str_double(st_str s, double *value)
{
    double x;
    if (!st_str_double_any(s, &x) || !isfinite(x))
        return false;
    *value = x;
    return true;
}

bool st_str_int(st_str s, int64_t *value)
{
    char digits[32];
    if (s.size == 0 || s.size >= sizeof digits || is_blank(s.data[0]))
        return false;
    memcpy(digits, s.data, s.size);
    digits[s.size] = '\0';
    char *end;
    errno = 0;
    const long long x = strtoll(digits, &end, 10);
    if (end != digits + s.size || errno == ERANGE)
        return false;
    *value = x;
    return true;
}

/* --- the growing buffer ---------------------------------------------------------------------- */

void st_text_init(st_text *text)
{
    *text = (st_text){0};
}

void st_text_free(st_text *text)
{
    free(text->data);
    *text = (st_text){0};
}

void st_text_clear(st_text *text)
{
    text->size = 0;
    if (text->data)
        text->data[0] = '\0';
}

static bool make_room(st_text *text, size_t more)
{
    if (text->out_of_memory || more > SIZE_MAX / 4 - text->size) {
        text->out_of_memory = true;
        return false;
    }
    const size_t need = text->size + more + 1;
    if (need <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 128;
    while (capacity < need)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->out_of_memory = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void st_text_add_bytes(st_text *text, const void *bytes, size_t size)
{
    if (!make_room(text, size))
        return;
    if (size > 0)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void st_text_add(st_text *text, const char *words)
{
    st_text_add_bytes(text, words, strlen(words));
}

void st_text_addf(st_text *text, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int size = vsnprintf(NULL, 0, fmt, args);
    if (size >= 0 && make_room(text, (size_t)size)) {
        vsnprintf(text->data + text->size, (size_t)size + 1, fmt, again);
        text->size += (size_t)size;
    }
    va_end(args);
    va_end(again);
}

st_status st_text_check(const st_text *text)
{
    if (text->out_of_memory)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a text beyond %zu bytes", text->size);
    return st_ok();
}

st_str st_text_view(const st_text *text)
{
    return (st_str){text->data ? text->data : "", text->size};
}

/* --- numbers --------------------------------------------------------------------------------- */

const char *st_print_double(char out[32], double x)
{
    /* %g drops trailing zeros, so 15 digits print 0.1 as 0.1; few doubles need all 17. */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, x);
        if (strtod(out, NULL) == x)
            break;
    }
    return out;
}

const char *st_print_fixed(char out[64], double x, int decimals)
{
    snprintf(out, 64, "%.*f", decimals, x);
    if (out[0] == '-' && strspn(out + 1, "0.") == strlen(out + 1))
        memmove(out, out + 1, strlen(out));
    return out;
}

double st_round_decimals(double x, int decimals)
{
    char text[64];
    return fabs(x) < 1e30 ? strtod(st_print_fixed(text, x, decimals), NULL) : x;
}
