/* Any bytes as the small files beside a mesh; the first byte says which: t SCAN.txt, s segs.json,
 * g aggregation.json, a an ARKitScenes annotation, c metadata.csv. */
#include "datagen/scans/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_groups(st_arena *arena, st_str bytes)
{
    sti_groups groups;
    if (sti_groups_parse(&groups, arena, bytes).code != ST_OK)
        return;
    for (size_t i = 0; i < groups.count; i++) {
        ST_ASSERT(groups.groups[i].id >= 0);
        for (size_t k = 1; k < groups.groups[i].segment_count; k++)
            ST_ASSERT(groups.groups[i].segments[k - 1] < groups.groups[i].segments[k]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const st_str    bytes = {(const char *)data + 1, size - 1};
    st_arena        arena;
    sti_scan_text   text;
    sti_segments    segments;
    sti_arkit_boxes boxes;
    sti_arkit_visit visit;
    double          pose[16];
    st_arena_init(&arena, "fuzz");
    switch (data[0]) {
    case 't':
        sti_scan_text_parse(&text, bytes);
        if (text.has_alignment && st_axis_alignment_parse(pose, text.alignment).code == ST_OK)
            ST_ASSERT(pose[15] == 1.0);
        break;
    case 's':
        if (sti_segments_parse(&segments, &arena, bytes).code == ST_OK)
            ST_ASSERT(segments.count < size);
        break;
    case 'g':
        read_groups(&arena, bytes);
        break;
    case 'a':
        if (sti_arkit_boxes_parse(&boxes, &arena, bytes).code == ST_OK)
            for (size_t i = 0; i < boxes.count; i++)
                ST_ASSERT(boxes.boxes[i].bad || boxes.boxes[i].box.half_m[0] >= 0.0);
        break;
    default:
        sti_arkit_visit_find(&visit, bytes, "41069025");
        break;
    }
    st_arena_free(&arena);
    return 0;
}
