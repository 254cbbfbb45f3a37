/* inspect_labels.c - a look at the words: our vocabularies, or a label table file. */
#include "tools/inspect.h"

#include "datagen/scans/labels.h"

#include <stdio.h>

st_status inspect_labels(st_exit *exit_code, const st_args *args, const char *path)
{
    (void)exit_code, (void)path;
    st_text out;
    st_text_init(&out);
    if (st_args_json(args))
        st_labels_print_json(&out);
    else
        st_labels_print(&out);
    const st_status s = st_print_text(&out);
    st_text_free(&out);
    return s;
}

st_status inspect_label_table(st_exit *exit_code, const st_args *args, const char *path)
{
    (void)exit_code;
    st_label_table *table;
    ST_TRY(st_label_table_load(&table, path));
    if (st_args_json(args))
        printf("{\"rows\":%zu}\n", st_label_table_rows(table));
    else
        printf("%s: a label table with %zu usable rows\n", path, st_label_table_rows(table));
    st_label_table_free(table);
    return st_ok();
}
