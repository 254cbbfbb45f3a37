/* Any bytes as question records: refused with a sentence, or twice written back the same. */
#include "kernels/base/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_arena arena;
    st_arena_init(&arena, "fuzz");
    st_records first, second;
    if (st_records_parse(&first, &arena, (st_str){(const char *)data, size}).code == ST_OK) {
        st_text once, twice;
        st_text_init(&once);
        st_text_init(&twice);
        for (size_t i = 0; i < first.count; i++)
            st_record_write(&once, &first.records[i]);
        ST_ASSERT(st_records_parse(&second, &arena, st_text_view(&once)).code == ST_OK);
        for (size_t i = 0; i < second.count; i++)
            st_record_write(&twice, &second.records[i]);
        ST_ASSERT(st_str_equal(st_text_view(&once), st_text_view(&twice)));
        st_text_free(&once);
        st_text_free(&twice);
    }
    st_arena_free(&arena);
    return 0;
}
