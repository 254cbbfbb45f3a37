/* scan_scannet_files.c - the files beside a ScanNet mesh: SCAN.txt, segs.json, aggregation.json.
 *
 * Several tools wrote them over the years; what is parsed leniently here is what those tools
 * disagree about.
 *
 * Source  data.md 2.4, 2.5, 2.6; E-15, E-16, E-18, E-19.
 */
#include "datagen/scans/internal.h"

#include "kernels/base/limits.h"

#include <stdlib.h>
#include <string.h>

/* --- SCAN.txt --- */

static bool seen_before(st_str *keys, size_t *count, size_t max, st_str key)
{
    for (size_t i = 0; i < *count; i++)
        if (st_str_equal(keys[i], key))
            return true;
    if (*count < max)
        keys[(*count)++] = key;
    return false;
}

void sti_scan_text_parse(sti_scan_text *text, st_str bytes)
{
    enum { KEYS_MAX = 64 };     /* real files have under twenty */
    st_str keys[KEYS_MAX], line;
    size_t key_count = 0;
    *text = (sti_scan_text){0};
    if (bytes.size >= 3 && memcmp(bytes.data, "\xEF\xBB\xBF", 3) == 0)
        bytes = (st_str){bytes.data + 3, bytes.size - 3};
    while (st_str_next_line(&line, &bytes)) {
        const char *equals = line.size ? memchr(line.data, '=', line.size) : NULL;
        if (!equals)
            continue;
        const size_t at = (size_t)(equals - line.data);
        const st_str key = st_str_trim((st_str){line.data, at});
        const st_str value = st_str_trim((st_str){equals + 1, line.size - at - 1});
        text->duplicate_keys += seen_before(keys, &key_count, KEYS_MAX, key);
        if (st_str_is(key, "axisAlignment")) {
            text->has_alignment = true;
            text->alignment = value;
        } else if (st_str_is(key, "sceneType"))
            text->scene_type = value;
    }
}

/* --- segs.json --- */

static st_status read_segments(sti_segments *segments, st_arena *arena, st_json root)
{
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    const st_json list = st_json_member(&root, "segIndices");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    segments->count = st_json_count(list);
    if (segments->count > ST_POINTS_MAX)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %zu entries, found %zu",
                            ST_POINTS_MAX, segments->count);
    ST_TRY(ST_ALLOC(arena, &segments->of_vertex, segments->count));
    for (size_t i = 0; i < segments->count; i++)
        ST_TRY(st_json_int(st_json_element(&list, i), &segments->of_vertex[i]));
    return st_ok();
}

st_status sti_segments_parse(sti_segments *segments, st_arena *arena, st_str bytes)
{
    st_json_doc *doc;
    sti_segments made = {0};
    ST_TRY(st_json_parse(&doc, bytes));
    const st_status s = read_segments(&made, arena, st_json_root(doc));
    st_json_free(doc);
    if (s.code == ST_OK)
        *segments = made;
    return s;
}

/* --- aggregation.json --- */

/* An id as any tool may have written it: 12, 12.0, "12". Negative ones are none. */
static bool lenient_id(int64_t *id, st_json value)
{
    st_str text;
    switch (st_json_kind_of(value)) {
    case ST_JSON_INT:
    case ST_JSON_REAL:
        return st_json_int(value, id).code == ST_OK && *id >= 0 && *id <= INT32_MAX;
    case ST_JSON_TEXT:
        return st_json_text(value, &text).code == ST_OK && st_str_int(st_str_trim(text), id) &&
               *id >= 0 && *id <= INT32_MAX;
    default:
        return false;
    }
}

static int compare_int64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static st_status read_group(sti_groups *groups, st_arena *arena, st_json from)
{
    sti_group *g = &groups->groups[groups->count];
    ST_TRY(st_json_expect(from, ST_JSON_OBJECT));
    if (!lenient_id(&g->id, st_json_member(&from, "objectId"))) {
        groups->by_id++;
        if (!lenient_id(&g->id, st_json_member(&from, "id"))) {
            groups->by_place++;
            g->id = (int64_t)groups->count;
        }
    }
    ST_TRY(sti_read_label(&g->label, arena, st_json_member(&from, "label")));

    const st_json list = st_json_member(&from, "segments");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    ST_TRY(ST_ALLOC(arena, &g->segments, count));
    for (size_t i = 0; i < count; i++)
        ST_TRY(st_json_int(st_json_element(&list, i), &g->segments[i]));
    qsort(g->segments, count, sizeof *g->segments, compare_int64);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || g->segments[i] != g->segments[i - 1])
            g->segments[g->segment_count++] = g->segments[i];
    groups->count++;
    return st_ok();
}

static st_status read_groups(sti_groups *groups, st_arena *arena, st_json root)
{
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    const st_json list = st_json_member(&root, "segGroups");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    ST_TRY(ST_ALLOC(arena, &groups->groups, st_json_count(list)));
    for (size_t i = 0; i < st_json_count(list); i++)
        ST_TRY(read_group(groups, arena, st_json_element(&list, i)));
    return st_ok();
}

st_status sti_groups_parse(sti_groups *groups, st_arena *arena, st_str bytes)
{
    st_json_doc *doc;
    sti_groups   made = {0};
    ST_TRY(sti_annotation_parse(&doc, arena, bytes));
    const st_status s = read_groups(&made, arena, st_json_root(doc));
    st_json_free(doc);
    if (s.code == ST_OK)
        *groups = made;
    return s;
}
