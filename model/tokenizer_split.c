/* tokenizer_split.c - the Qwen family's pattern, by hand: an order of magnitude faster than a
 * general matcher, and judged by one in the tests.
 *
 * The alternatives are tried in this order at every position (model.md 3.1):
 *
 *   A1  an apostrophe and one of s t re ve m ll d, in any case
 *   A2  one character that is no CR, LF, letter or number, if there is one, then letters
 *   A3  one number
 *   A4  one blank, if there is one, then what is no space, letter or number, then CR and LF
 *   A5  spaces up to and including the last CR or LF among them
 *   A6  spaces at the end of the text, or all but the last in front of something else
 *   A7  spaces
 */
#include "model/tokenizer_internal.h"

const char sti_known_pattern[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                                 "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

typedef struct glyph {
    size_t   size;          /* bytes; 0 at the end of the text */
    st_kind  kind;
    uint32_t code;
} glyph;

static glyph glyph_at(st_str text, size_t at)
{
    static const unsigned char ascii[128] = {
        ['\t'] = ST_KIND_SPACE,       ['\n'] = ST_KIND_SPACE,       ['\v'] = ST_KIND_SPACE,
        ['\f'] = ST_KIND_SPACE,       ['\r'] = ST_KIND_SPACE,       [' '] = ST_KIND_SPACE,
        ['0'] = ST_KIND_NUMBER,       ['1'] = ST_KIND_NUMBER,       ['2'] = ST_KIND_NUMBER,
        ['3'] = ST_KIND_NUMBER,       ['4'] = ST_KIND_NUMBER,       ['5'] = ST_KIND_NUMBER,
        ['6'] = ST_KIND_NUMBER,       ['7'] = ST_KIND_NUMBER,       ['8'] = ST_KIND_NUMBER,
        ['9'] = ST_KIND_NUMBER,
#define BOTH(c) [c] = ST_KIND_LETTER, [c - 'A' + 'a'] = ST_KIND_LETTER
        BOTH('A'), BOTH('B'), BOTH('C'), BOTH('D'), BOTH('E'), BOTH('F'), BOTH('G'), BOTH('H'),
        BOTH('I'), BOTH('J'), BOTH('K'), BOTH('L'), BOTH('M'), BOTH('N'), BOTH('O'), BOTH('P'),
        BOTH('Q'), BOTH('R'), BOTH('S'), BOTH('T'), BOTH('U'), BOTH('V'), BOTH('W'), BOTH('X'),
        BOTH('Y'), BOTH('Z'),
#undef BOTH
    };
    if (at >= text.size)
        return (glyph){0, ST_KIND_OTHER, 0};
    const unsigned char byte = (unsigned char)text.data[at];
    if (byte < 128)
        return (glyph){1, (st_kind)ascii[byte], byte};
    glyph g = {.size = 0};
    g.size = st_utf8_decode(text, at, &g.code);
    ST_ASSERT(g.size > 0);          /* the encoder has checked the text */
    g.kind = st_utf8_kind(g.code);
    return g;
}

static bool is_newline(glyph g)
{
    return g.size > 0 && (g.code == '\r' || g.code == '\n');
}

/* One past the run of `kind` that starts at `at`. */
static size_t run_end(st_str text, size_t at, st_kind kind)
{
    glyph g = glyph_at(text, at);
    while (g.size > 0 && g.kind == kind) {
        at += g.size;
        g = glyph_at(text, at);
    }
    return at;
}

/* A1 behind the apostrophe: bytes it takes there, or 0. */
static size_t contraction(st_str text, size_t at)
{
    enum { LONG_S = 0x17F };        /* folds to s, the only such letter here beyond ASCII */
    const glyph    first = glyph_at(text, at);
    const uint32_t a = first.code | 0x20;
    if (first.size == 0)
        return 0;
    if (first.code >= 128)
        return first.code == LONG_S ? first.size : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return first.size;
    const glyph    second = glyph_at(text, at + 1);
    const uint32_t b = second.code | 0x20;
    if (second.size != 1)
        return 0;
    const bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return two ? 2 : 0;
}

/* A5, A6, A7: a run of spaces that starts at `at`. */
static size_t split_spaces(st_str text, size_t at)
{
    size_t end = at, last = at, newline_end = 0;
    for (glyph g = glyph_at(text, at); g.size > 0 && g.kind == ST_KIND_SPACE;
         g = glyph_at(text, end)) {
        last = end;
        end += g.size;
        if (is_newline(g))
            newline_end = end;
    }
    if (newline_end > 0)
        return newline_end - at;
    if (end == text.size || last == at)
        return end - at;
    return last - at;
}

size_t sti_split_known(st_str text, size_t at)
{
    const glyph  first = glyph_at(text, at);
    const size_t behind = at + first.size;
    if (first.code == '\'') {
        const size_t tail = contraction(text, behind);
        if (tail > 0)
            return 1 + tail;
    }
    if (first.kind == ST_KIND_LETTER)
        return run_end(text, behind, ST_KIND_LETTER) - at;
    if (first.kind == ST_KIND_NUMBER)
        return first.size;

    const glyph second = glyph_at(text, behind);
    if (!is_newline(first) && second.size > 0 && second.kind == ST_KIND_LETTER)
        return run_end(text, behind, ST_KIND_LETTER) - at;

    const bool blank = first.code == ' ' && second.size > 0 && second.kind == ST_KIND_OTHER;
    if (first.kind == ST_KIND_OTHER || blank) {
        size_t end = run_end(text, behind, ST_KIND_OTHER);
        while (is_newline(glyph_at(text, end)))
            end++;
        return end - at;
    }
    return split_spaces(text, at);
}
