/* inspect_model.c - a look at a model folder. */
#include "tools/inspect.h"

#include "model/summary.h"

#include <stdio.h>

st_status inspect_model(st_exit *exit_code, const st_args *args, const char *path)
{
    (void)exit_code;
    st_arena arena;
    st_text  text;
    st_model_summary summary;
    st_arena_init(&arena, "inspect");
    st_text_init(&text);
    st_status s = st_model_summarize(&arena, &summary, path);
    if (s.code == ST_OK) {
        if (st_args_json(args))
            st_model_summary_json(&text, &summary, path);
        else
            st_model_summary_print(&text, &summary, path);
        s = st_print_text(&text);
    }
    st_text_free(&text);
    st_arena_free(&arena);
    return s;
}
