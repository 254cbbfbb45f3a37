/* segments.c - an over-segmentation: cells of a patch, small ones joined to a neighbour. */
#include "datagen/synth/made_scan.h"

#include <math.h>
#include <stdlib.h>

static const double CELL_M = 0.5;

typedef struct cell_key {
    uint64_t key;                   /* patch, then the cell in space */
    uint32_t point;
} cell_key;

static int key_order(const void *left, const void *right)
{
    const cell_key *a = left, *b = right;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->point < b->point ? -1 : a->point > b->point;
}

/* Points first .. last-1 are one part. Cells are gone through in order of patch and place; one
 * that is too small takes the next in, and what is left over at the end joins the last. */
static void cut_part(sti_scan *scan, cell_key *keys, size_t first, size_t last)
{
    const size_t count = last - first;
    for (size_t i = 0; i < count; i++) {
        const double *p = scan->point_m[first + i];
        uint64_t key = scan->patch[first + i];
        for (int k = 0; k < 3; k++)
            key = key << 12 | ((uint64_t)(int64_t)floor(p[k] / CELL_M + 2048.0) & 0xFFF);
        keys[i] = (cell_key){key, (uint32_t)(first + i)};
    }
    qsort(keys, count, sizeof *keys, key_order);

    size_t start = 0, before = count;       /* of the open segment, of the one before */
    for (size_t i = 0; i <= count; i++) {
        const bool ends = i == count || (i > start && keys[i].key != keys[i - 1].key);
        if (!ends || (i < count && i - start < ST_SYNTH_SEGMENT_MIN))
            continue;
        if (i == count && i - start < ST_SYNTH_SEGMENT_MIN && before < count)
            start = before;
        uint32_t id = UINT32_MAX;
        for (size_t k = start; k < i; k++)
            id = keys[k].point < id ? keys[k].point : id;
        for (size_t k = start; k < i; k++)
            scan->segment[keys[k].point] = id;
        before = start;
        start = i;
    }
}

st_status sti_cut_segments(sti_scan *scan, st_arena *arena, int part_count)
{
    cell_key *keys;
    ST_TRY(ST_ALLOC(arena, &scan->segment, scan->point_count));
    ST_TRY(ST_ALLOC(arena, &keys, scan->point_count));
    size_t first = 0;
    for (int p = 0; p < part_count; p++) {
        size_t last = first;
        while (last < scan->point_count && scan->part[last] == p)
            last++;
        if (last > first)
            cut_part(scan, keys, first, last);
        first = last;
    }
    return st_ok();
}
