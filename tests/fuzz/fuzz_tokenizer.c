/* Any bytes as a tokenizer.json; what is accepted encodes a text and gives its bytes back. */
#include "model/tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "How many chairs?  It's 12 \xC3\xA9\n\n <|im_end|> \xF0\x9F\x98\x80";
    st_tokenizer *tokenizer;
    st_encoder   *encoder;
    if (st_tokenizer_parse(&tokenizer, (st_str){(const char *)data, size}).code != ST_OK)
        return 0;
    if (st_encoder_create(&encoder, tokenizer).code == ST_OK) {
        const int64_t *ids;
        size_t count;
        if (st_encode(encoder, &ids, &count, st_str_from(text)).code == ST_OK) {
            st_text out;
            st_text_init(&out);
            st_decode(tokenizer, &out, ids, count, ST_SPECIALS_KEEP);
            if (!st_str_is(st_text_view(&out), text))
                __builtin_trap();
            st_text_free(&out);
        }
        st_encoder_free(encoder);
    }
    st_tokenizer_free(tokenizer);
    return 0;
}
