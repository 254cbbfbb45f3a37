/* Any bytes as JSON: parsed or refused, walked, and never a crash. */
#include "kernels/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double walk(st_json value, int depth)
{
    double x = 0.0;
    int64_t i = 0;
    st_str text = {NULL, 0};
    char path[64];
    if (st_json_double(value, &x).code != ST_OK)
        st_json_path(&value, path, sizeof path);
    if (st_json_int(value, &i).code == ST_OK && st_json_text(value, &text).code == ST_OK)
        __builtin_trap();       /* nothing is both */
    double sum = x + (double)text.size;
    if (depth > 100)
        return sum;
    st_json member;
    st_json_walk at = st_json_walk_start(&value);
    while (st_json_walk_next(&at, &value, &member))
        sum += walk(member, depth + 1);
    for (size_t k = 0; k < st_json_count(value); k++)
        sum += walk(st_json_element(&value, k), depth + 1);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_json_doc *doc;
    if (st_json_parse(&doc, (st_str){(const char *)data, size}).code != ST_OK)
        return 0;
    (void)walk(st_json_root(doc), 0);
    st_json_free(doc);
    return 0;
}
