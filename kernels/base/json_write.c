/* json_write.c - writing JSON, in the order of the calls. */
#include "kernels/base/json.h"

#include <math.h>
#include <string.h>

static void start_line(st_json_writer *w)
{
    st_text_add(w->out, "\n");
    for (int i = 0; i < w->depth; i++)
        st_text_add(w->out, "  ");
}

/* What stands between two elements: commas, breaks, or nothing after a key. */
static void separate(st_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    const bool first = !w->level[w->depth - 1].any;
    w->level[w->depth - 1].any = true;
    if (!w->pretty) {
        if (!first)
            st_text_add(w->out, ",");
        return;
    }
    if (w->level[w->depth - 1].inline_) {
        if (!first)
            st_text_add(w->out, ", ");
        return;
    }
    if (!first)
        st_text_add(w->out, ",");
    start_line(w);
}

static void open_level(st_json_writer *w, const char *bracket, char close, bool inline_)
{
    separate(w);
    ST_ASSERT(w->depth < ST_JSON_DEPTH_MAX);
    const bool inside = w->depth > 0 && w->level[w->depth - 1].inline_;
    st_text_add(w->out, bracket);
    w->level[w->depth].close = close;
    w->level[w->depth].any = false;
    w->level[w->depth].inline_ = inline_ || inside;
    w->depth++;
}

void st_json_write_start(st_json_writer *w, st_text *out, st_json_style style)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    w->pretty = style == ST_JSON_PRETTY;
}

void st_json_write_object(st_json_writer *w)
{
    open_level(w, "{", '}', false);
}

void st_json_write_array(st_json_writer *w)
{
    open_level(w, "[", ']', false);
}

void st_json_write_row(st_json_writer *w)
{
    open_level(w, "[", ']', true);
}

void st_json_write_end(st_json_writer *w)
{
    ST_ASSERT(w->depth > 0 && !w->after_key);
    w->depth--;
    if (w->pretty && w->level[w->depth].any && !w->level[w->depth].inline_)
        start_line(w);
    st_text_add_bytes(w->out, &w->level[w->depth].close, 1);
}

static void add_quoted(st_json_writer *w, st_str s)
{
    st_text_add(w->out, "\"");
    size_t plain = 0;       /* start of the run not yet copied */
    for (size_t at = 0; at < s.size;) {
        const unsigned char c = (unsigned char)s.data[at];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            at++;
            continue;
        }
        uint32_t code_point;
        const size_t step = st_utf8_decode(s, at, &code_point);
        if (step > 1) {
            at += step;
            continue;
        }
        st_text_add_bytes(w->out, s.data + plain, at - plain);
        if (step == 0)
            st_text_add(w->out, "\xEF\xBF\xBD");
        else if (c == '"' || c == '\\')
            st_text_addf(w->out, "\\%c", c);
        else if (c == '\n')
            st_text_add(w->out, "\\n");
        else if (c == '\t')
            st_text_add(w->out, "\\t");
        else if (c == '\r')
            st_text_add(w->out, "\\r");
        else
            st_text_addf(w->out, "\\u%04x", c);
        plain = ++at;
    }
    st_text_add_bytes(w->out, s.data + plain, s.size - plain);
    st_text_add(w->out, "\"");
}

void st_json_write_key_str(st_json_writer *w, st_str key)
{
    ST_ASSERT(w->depth > 0 && w->level[w->depth - 1].close == '}' && !w->after_key);
    separate(w);
    add_quoted(w, key);
    st_text_add(w->out, w->pretty ? ": " : ":");
    w->after_key = true;
}

void st_json_write_key(st_json_writer *w, const char *key)
{
    st_json_write_key_str(w, st_str_from(key));
}

void st_json_write_null(st_json_writer *w)
{
    separate(w);
    st_text_add(w->out, "null");
}

void st_json_write_bool(st_json_writer *w, bool value)
{
    separate(w);
    st_text_add(w->out, value ? "true" : "false");
}

void st_json_write_int(st_json_writer *w, int64_t value)
{
    separate(w);
    st_text_addf(w->out, "%lld", (long long)value);
}

void st_json_write_double(st_json_writer *w, double value)
{
    ST_ASSERT(isfinite(value));
    char text[32];
    separate(w);
    st_text_add(w->out, st_print_double(text, value));
}

void st_json_write_str(st_json_writer *w, st_str text)
{
    separate(w);
    add_quoted(w, text);
}

void st_json_write_text(st_json_writer *w, const char *text)
{
    if (text)
        st_json_write_str(w, st_str_from(text));
    else
        st_json_write_null(w);
}

void st_json_write_doubles(st_json_writer *w, const double *values, size_t count)
{
    st_json_write_row(w);
    for (size_t i = 0; i < count; i++)
        st_json_write_double(w, values[i]);
    st_json_write_end(w);
}

void st_json_put_text(st_json_writer *w, const char *key, const char *text)
{
    st_json_write_key(w, key);
    st_json_write_text(w, text);
}

void st_json_put_str(st_json_writer *w, const char *key, st_str text)
{
    st_json_write_key(w, key);
    st_json_write_str(w, text);
}

void st_json_put_int(st_json_writer *w, const char *key, int64_t value)
{
    st_json_write_key(w, key);
    st_json_write_int(w, value);
}

void st_json_put_double(st_json_writer *w, const char *key, double value)
{
    st_json_write_key(w, key);
    st_json_write_double(w, value);
}

void st_json_put_bool(st_json_writer *w, const char *key, bool value)
{
    st_json_write_key(w, key);
    st_json_write_bool(w, value);
}

void st_json_put_doubles(st_json_writer *w, const char *key, const double *values, size_t count)
{
    st_json_write_key(w, key);
    st_json_write_doubles(w, values, count);
}
