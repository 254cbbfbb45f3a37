/* unicode.c - UTF-8 checked, decoded and normalised. Meets utf8proc. */
#include "kernels/base/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

size_t st_utf8_decode(st_str s, size_t at, uint32_t *code_point)
{
    const unsigned char *p = (const unsigned char *)s.data + at;
    const size_t left = s.size - at;
    if (left == 0)
        return 0;
    if (p[0] < 0x80) {
        *code_point = p[0];
        return 1;
    }
    const size_t size = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < size)
        return 0;
    uint32_t c = p[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *code_point = c;
    return size;
}

size_t st_utf8_encode(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t st_utf8_check(st_str s)
{
    size_t at = 0;
    while (at < s.size) {
        if (!(s.data[at] & 0x80)) {
            at++;
            continue;
        }
        uint32_t c;
        const size_t step = st_utf8_decode(s, at, &c);
        if (step == 0)
            return at;
        at += step;
    }
    return at;
}

st_status st_utf8_for_message(st_arena *arena, const char **shown, st_str s, size_t bytes_max)
{
    char *text;
    const size_t size = s.size < bytes_max ? s.size : bytes_max;
    ST_TRY(ST_ALLOC(arena, &text, 4 * size + 4));
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        const size_t step = st_utf8_decode(s, at, &c);
        if (step == 0) {
            used += st_utf8_encode(text + used, 0xFFFD);
            at++;
        } else if (c < 0x20 || c == 0x7F) {
            static const char hex[] = "0123456789abcdef";
            const char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            memcpy(text + used, escaped, 4);
            used += 4;
            at++;
        } else {
            memcpy(text + used, s.data + at, step);
            used += step;
            at += step;
        }
    }
    if (size < s.size)
        memcpy(text + used, "...", 3);
    *shown = text;
    return st_ok();
}

st_status st_utf8_nfc(st_arena *arena, st_str *normal, st_str s)
{
    bool ascii = true;
    for (size_t i = 0; i < s.size && ascii; i++)
        ascii = !(s.data[i] & 0x80);
    if (ascii) {
        *normal = s;
        return st_ok();
    }
    if (s.size > INT32_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "a text of %zu bytes is too long to normalise", s.size);

    utf8proc_uint8_t *made = NULL;
    const utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)s.data,
                                               (utf8proc_ssize_t)s.size, &made,
                                               UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (size < 0) {
        free(made);
        return ST_FAIL(size == UTF8PROC_ERROR_NOMEM ? ST_ERR_MEMORY : ST_ERR_FORMAT,
                       "cannot normalise a text: %s", utf8proc_errmsg(size));
    }
    const char *copy;
    const st_status copied = st_arena_copy_text(arena, &copy, (const char *)made, (size_t)size);
    free(made);
    ST_TRY(copied);
    *normal = (st_str){copy, (size_t)size};
    return st_ok();
}

static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

st_kind st_utf8_kind(uint32_t c)
{
    if (is_space(c))
        return ST_KIND_SPACE;
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
        return ST_KIND_LETTER;
    if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
        return ST_KIND_NUMBER;
    return ST_KIND_OTHER;
}
