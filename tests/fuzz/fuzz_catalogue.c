/* Any bytes as a furniture catalogue: read or refused, and never a crash. */
#include "datagen/synth/furniture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_arena arena;
    sti_catalogue c;
    st_arena_init(&arena, "fuzz");
    if (sti_catalogue_parse(&c, &arena, (st_str){(const char *)data, size}).code == ST_OK)
        for (size_t i = 0; i < c.count; i++)
            (void)sti_model_class(c.entries[i].model);
    st_arena_free(&arena);
    return 0;
}
