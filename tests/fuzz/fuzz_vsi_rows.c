/* Any bytes as benchmark rows, and their questions read backwards: refused with a sentence, or
 * written and read again as the same rows. */
#include "datagen/questions/phrasings.h"
#include "kernels/base/rows.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_question(st_arena *arena, const st_template_pack *pack, const st_vsi_row *row)
{
    for (int q = 0; q < ST_QUESTION_COUNT; q++) {
        st_reading      reading;
        bool            found;
        const st_status s =
            st_phrasing_read(&reading, &found, arena, pack, (st_question)q, row->question);
        ST_ASSERT(s.code == ST_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_arena         arena;
    st_vsi_rows      rows, again;
    st_template_pack pack;
    st_text          text;
    st_arena_init(&arena, "fuzz");
    st_text_init(&text);
    st_status s = st_template_pack_published(&pack, &arena);
    ST_ASSERT(s.code == ST_OK);
    if (st_vsi_rows_parse(&rows, &arena, (st_str){(const char *)data, size}).code == ST_OK) {
        for (size_t i = 0; i < rows.count; i++) {
            read_question(&arena, &pack, &rows.rows[i]);
            st_vsi_row_write(&text, &rows.rows[i]);
        }
        if (rows.count > 0) {
            s = st_vsi_rows_parse(&again, &arena, st_text_view(&text));
            ST_ASSERT(s.code == ST_OK && again.count == rows.count);
            ST_ASSERT(strcmp(again.rows[0].question, rows.rows[0].question) == 0);
        }
    }
    st_text_free(&text);
    st_arena_free(&arena);
    return 0;
}
