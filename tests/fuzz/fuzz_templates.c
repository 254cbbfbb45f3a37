/* Any bytes as a template pack: refused with a sentence, or every template can be filled. */
#include "datagen/questions/templates.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const st_slot slots[] = {
        {"label", "bed"}, {"a", "bed"},  {"b", "sofa"}, {"anchor", "bed"}, {"options", "tv, sofa"},
        {"o1", "tv"},     {"o2", "sofa"}, {"o3", "desk"}, {"o4", "lamp"},  {"p", "bed"},
        {"o", "sofa"},    {"q", "tv"},     {"start", "bed"}, {"facing", "tv"}, {"goal", "sofa"},
        {"steps", "1. [fill in], 2. walk ahead until the sofa"},
    };
    st_arena arena;
    st_arena_init(&arena, "fuzz");
    st_template_pack pack;
    if (st_template_pack_parse(&pack, &arena, (st_str){(const char *)data, size}).code == ST_OK) {
        st_text text;
        st_text_init(&text);
        for (size_t i = 0; i < pack.count; i++) {
            const st_template *t = &pack.templates[i];
            ST_ASSERT(st_template_pack_serving(&pack, t->type, t->options) > 0);
            st_template_fill(&text, t, slots, sizeof slots / sizeof slots[0]);
        }
        st_text_free(&text);
    }
    st_arena_free(&arena);
    return 0;
}
