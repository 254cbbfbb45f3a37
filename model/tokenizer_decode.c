/* tokenizer_decode.c - ids to text, whole characters only. */
#include "model/tokenizer.h"

typedef enum prefix { PREFIX_BAD, PREFIX_OPEN, PREFIX_WHOLE } prefix;

/* Whether these bytes are a character, the start of one, or neither (Unicode table 3-7). */
static prefix classify(const unsigned char *b, int count)
{
    const unsigned char first = b[0];
    if (first < 0x80)
        return PREFIX_WHOLE;
    if (first < 0xC2 || first > 0xF4)
        return PREFIX_BAD;
    const int size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (count > 1 && (b[1] < low || b[1] > high))
        return PREFIX_BAD;
    for (int i = 2; i < count; i++) {
        if ((b[i] & 0xC0) != 0x80)
            return PREFIX_BAD;
    }
    return count == size ? PREFIX_WHOLE : PREFIX_OPEN;
}

static void add_replacement(st_text *out)
{
    st_text_add(out, "\xEF\xBF\xBD");
}

/* The longest start of a character is replaced by one U+FFFD, as Unicode recommends; the byte that
 * broke it starts afresh. */
static void push_byte(st_decoder *d, st_text *out, unsigned char byte)
{
    for (;;) {
        d->held[d->held_count++] = byte;
        const prefix kind = classify(d->held, d->held_count);
        if (kind == PREFIX_OPEN)
            return;
        if (kind == PREFIX_WHOLE) {
            st_text_add_bytes(out, d->held, (size_t)d->held_count);
            d->held_count = 0;
            return;
        }
        const bool alone = d->held_count == 1;
        add_replacement(out);
        d->held_count = 0;
        if (alone)
            return;
    }
}

st_decoder st_decoder_start(const st_tokenizer *tokenizer, st_specials specials)
{
    return (st_decoder){.tokenizer = tokenizer, .specials = specials};
}

void st_decoder_push(st_decoder *d, st_text *out, int64_t id)
{
    if (d->specials == ST_SPECIALS_SKIP && st_tokenizer_is_special(d->tokenizer, id))
        return;
    const st_str bytes = st_tokenizer_bytes(d->tokenizer, id);
    for (size_t i = 0; i < bytes.size; i++)
        push_byte(d, out, (unsigned char)bytes.data[i]);
}

void st_decoder_finish(st_decoder *d, st_text *out)
{
    if (d->held_count > 0)
        add_replacement(out);
    d->held_count = 0;
}

void st_decode(const st_tokenizer *tokenizer, st_text *out, const int64_t *ids, size_t count,
               st_specials specials)
{
    st_decoder d = st_decoder_start(tokenizer, specials);
    for (size_t i = 0; i < count; i++)
        st_decoder_push(&d, out, ids[i]);
    st_decoder_finish(&d, out);
}
