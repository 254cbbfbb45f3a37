/* Any bytes as scene metadata: every scene is read or named; what was read can be written, and in
 * its own form read again. */
#include "datagen/scene/scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_arena        arena;
    st_scene_list   list = {0};
    st_failure_list failures = {0};
    st_text         text;
    st_arena_init(&arena, "fuzz");
    st_text_init(&text);
    st_status s = st_scene_parse(&list, &failures, &arena, (st_str){(const char *)data, size},
                                 "fuzz_meta.json");
    ST_ASSERT(s.code == ST_OK);
    for (size_t i = 0; i < failures.count; i++)
        ST_ASSERT(failures.failures[i].why.code != ST_OK);
    for (size_t i = 0; i < list.count; i++) {
        st_scene_list   again = {0};
        st_failure_list none = {0};
        st_scene_print(&text, &list.scenes[i]);
        st_text_clear(&text);
        s = st_scene_write_vsi(&text, &list.scenes[i], 1, ST_VSI_FORM_VLM3R);
        ST_ASSERT(s.code == ST_OK);
        s = st_scene_parse(&again, &none, &arena, st_text_view(&text), "again_meta.json");
        ST_ASSERT(s.code == ST_OK && again.count == 1);
        st_text_clear(&text);
        if (!list.scenes[i].has_routes)
            continue;
        again = (st_scene_list){0};         /* in the form that keeps routes */
        s = st_scene_write(&text, &list.scenes[i]);
        ST_ASSERT(s.code == ST_OK);
        s = st_scene_parse(&again, &none, &arena, st_text_view(&text), "again.json");
        ST_ASSERT(s.code == ST_OK && again.count == 1 &&
                  again.scenes[0].route_count == list.scenes[i].route_count);
        st_text_clear(&text);
    }
    st_text_free(&text);
    st_arena_free(&arena);
    return 0;
}
