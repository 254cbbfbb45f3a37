/* scan_scannet.c - a ScanNet folder: mesh, alignment, and instances as sets of segments.
 *
 * The segments file gives every vertex a segment, the aggregation file gives every object its
 * segments. The two circulate in versions that do not fit each other, so every join is checked.
 *
 * Source  data.md 2.1, 2.4 to 2.6, and the E- rules named below.
 */
#include "datagen/scans/internal.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <stdlib.h>
#include <string.h>

enum { SPACE_BYTES = 9 };           /* "scene0000" of "scene0000_01" */

/* --- who claims which segment --- */

typedef struct claim {
    int64_t  segment;
    uint32_t group;                 /* the first group of the file that names it */
    uint32_t claims;                /* groups that name it                       */
    size_t   vertices;              /* of the mesh, finite or not                */
} claim;

typedef struct claims {
    claim *list;                    /* sorted by segment */
    size_t count;
} claims;

static int compare_claims(const void *a, const void *b)
{
    const claim *x = a, *y = b;
    if (x->segment != y->segment)
        return x->segment < y->segment ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group;
}

static st_status collect_claims(claims *c, st_arena *scratch, const sti_groups *groups)
{
    size_t total = 0;
    for (size_t g = 0; g < groups->count; g++)
        total += groups->groups[g].segment_count;
    claim *all;
    ST_TRY(ST_ALLOC(scratch, &all, total));
    total = 0;
    for (size_t g = 0; g < groups->count; g++)
        for (size_t i = 0; i < groups->groups[g].segment_count; i++)
            all[total++] = (claim){.segment = groups->groups[g].segments[i], .group = (uint32_t)g,
                                   .claims = 1};
    qsort(all, total, sizeof *all, compare_claims);
    *c = (claims){.list = all};
    for (size_t i = 0; i < total; i++) {
        if (c->count > 0 && all[c->count - 1].segment == all[i].segment)
            all[c->count - 1].claims++;
        else
            all[c->count++] = all[i];
    }
    return st_ok();
}

static claim *find_claim(const claims *c, int64_t segment)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (c->list[middle].segment == segment)
            return &c->list[middle];
        if (c->list[middle].segment < segment)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- cleaning the groups --- */

static bool same_group(const sti_group *a, const sti_group *b)
{
    return strcmp(a->label, b->label) == 0 && a->segment_count == b->segment_count &&
           memcmp(a->segments, b->segments, a->segment_count * sizeof *a->segments) == 0;
}

/* The second half of one known scan repeats the first (E-12). */
static st_status collapse_repeats(sti_groups *groups, st_scan *scan, st_arena *arena)
{
    size_t kept = 0;
    for (size_t i = 0; i < groups->count; i++) {
        size_t k = 0;
        while (k < kept && !(groups->groups[i].segment_count > 0 &&
                             same_group(&groups->groups[k], &groups->groups[i])))
            k++;
        if (k == kept)
            groups->groups[kept++] = groups->groups[i];
    }
    const size_t repeats = groups->count - kept;
    groups->count = kept;
    if (repeats == 0)
        return st_ok();
    return STI_WARN(scan, arena, "E-12", "duplicate_group", (int64_t)repeats,
                    "%zu groups repeat an earlier one and were left out", repeats);
}

/* Two things under one id: the second gets a new one (E-11). */
static st_status separate_ids(sti_groups *groups, st_scan *scan, st_arena *arena)
{
    int64_t largest = -1;
    for (size_t i = 0; i < groups->count; i++)
        if (groups->groups[i].id > largest)
            largest = groups->groups[i].id;
    for (size_t i = 1; i < groups->count; i++) {
        size_t k = 0;
        while (k < i && groups->groups[k].id != groups->groups[i].id)
            k++;
        if (k == i)
            continue;
        if (largest >= INT32_MAX)
            return ST_FAIL(ST_ERR_LIMIT, "objectId %lld is there twice, and no id is left",
                           (long long)groups->groups[i].id);
        ST_TRY(STI_WARN(scan, arena, "E-11", "duplicate_id", 1,
                        "objectId %lld names two different groups; the second is now %lld",
                        (long long)groups->groups[i].id, (long long)largest + 1));
        groups->groups[i].id = ++largest;
    }
    return st_ok();
}

static st_status warn_of_ids(const sti_groups *groups, st_scan *scan, st_arena *arena)
{
    if (groups->by_id > groups->by_place)
        ST_TRY(STI_WARN(scan, arena, "E-15", "instance_key",
                        (int64_t)(groups->by_id - groups->by_place),
                        "%zu groups have no usable objectId; their id was taken",
                        groups->by_id - groups->by_place));
    if (groups->by_place > 0)
        ST_TRY(STI_WARN(scan, arena, "E-15", "instance_key", (int64_t)groups->by_place,
                        "%zu groups have neither objectId nor id; their place was taken",
                        groups->by_place));
    return st_ok();
}

/* --- joining --- */

/* Segments that are on no vertex: a few come from mixed versions, many from a wrong file (E-10). */
static st_status check_missing(const sti_groups *groups, const claims *c, st_scan *scan,
                               st_arena *arena)
{
    size_t total = 0, missing = 0;
    for (size_t g = 0; g < groups->count; g++) {
        const sti_group *group = &groups->groups[g];
        size_t           absent = 0;
        for (size_t i = 0; i < group->segment_count; i++)
            absent += find_claim(c, group->segments[i])->vertices == 0;
        total += group->segment_count;
        missing += absent;
        if (absent > 0)
            ST_TRY(STI_WARN(scan, arena, "E-10", "unknown_segment", (int64_t)absent,
                            "object %lld \"%.40s\": %zu of %zu segments are on no vertex",
                            (long long)group->id, group->label, absent, group->segment_count));
    }
    if (missing * 5 > total)
        return ST_FAIL(ST_ERR_DATA, "%s.aggregation.json: %zu of %zu segments are on no vertex, "
                       "more than 20 %%: does it belong to this mesh?", scan->scan_id, missing,
                       total);
    return st_ok();
}

/* Give every finite vertex to the first group that claims its segment. `owner` is the group of a
 * vertex, or the number of groups. */
static void assign_vertices(uint32_t *owner, size_t *sizes, claims *c, const sti_groups *groups,
                            const sti_segments *segments, const st_mesh *mesh)
{
    claim  *found = NULL;
    int64_t last = 0;
    bool    any = false;
    for (size_t v = 0; v < mesh->point_count; v++) {
        const int64_t segment = segments->of_vertex[v];
        if (!any || segment != last)            /* neighbours mostly share a segment */
            found = find_claim(c, segment);
        last = segment;
        any = true;
        owner[v] = (uint32_t)groups->count;
        if (!found)
            continue;
        found->vertices++;
        if (!sti_point_is_finite(mesh->points_m[v]))
            continue;
        owner[v] = found->group;
        sizes[found->group]++;
    }
}

/* Vertices that a group names and an earlier one already has (E-13). */
static st_status note_overlap(st_instance *instance, const sti_group *group, size_t index,
                              const claims *c, st_scan *scan, st_arena *arena)
{
    size_t lost = 0;
    for (size_t i = 0; i < group->segment_count; i++) {
        const claim *claimed = find_claim(c, group->segments[i]);
        lost += claimed->group != index ? claimed->vertices : 0;
    }
    if (lost == 0)
        return st_ok();
    instance->overlap = true;
    return STI_WARN(scan, arena, "E-13", "overlap", (int64_t)lost,
                    "object %d \"%.40s\": %zu vertices belong to an earlier object",
                    instance->instance_id, instance->raw_label, lost);
}

static st_status make_instances(st_scan *scan, st_arena *arena, const sti_groups *groups,
                                const claims *c, const uint32_t *owner, const size_t *sizes)
{
    ST_TRY(ST_ALLOC(arena, &scan->instances, groups->count));
    st_instance **of_group;
    ST_TRY(ST_ALLOC(arena, &of_group, groups->count));
    for (size_t g = 0; g < groups->count; g++) {
        const sti_group *group = &groups->groups[g];
        st_instance      made = {.instance_id = (int)group->id, .raw_label = group->label};
        ST_TRY(note_overlap(&made, group, g, c, scan, arena));
        if (sizes[g] == 0) {                    /* E-14 */
            ST_TRY(ST_GROW(arena, &scan->dropped, &scan->dropped_capacity,
                           scan->dropped_count + 1));
            scan->dropped[scan->dropped_count++] =
                (st_dropped){.instance_id = made.instance_id, .raw_label = made.raw_label,
                             .reason = "empty"};
            continue;
        }
        ST_TRY(ST_ALLOC(arena, &made.vertices, sizes[g]));
        of_group[g] = &scan->instances[scan->instance_count];
        scan->instances[scan->instance_count++] = made;
    }
    for (size_t v = 0; v < scan->mesh.point_count; v++)
        if (owner[v] < groups->count) {
            st_instance *instance = of_group[owner[v]];
            instance->vertices[instance->vertex_count++] = (uint32_t)v;
        }
    return st_ok();
}

static st_status join(st_scan *scan, st_arena *arena, st_arena *scratch, sti_groups *groups,
                      const sti_segments *segments)
{
    const st_mesh *mesh = &scan->mesh;
    claims         c;
    uint32_t      *owner;
    size_t        *sizes;
    ST_TRY(ST_ALLOC(scratch, &sizes, groups->count));
    ST_TRY(ST_ALLOC(scratch, &owner, mesh->point_count));
    ST_TRY(warn_of_ids(groups, scan, arena));
    ST_TRY(collapse_repeats(groups, scan, arena));
    ST_TRY(separate_ids(groups, scan, arena));
    ST_TRY(collect_claims(&c, scratch, groups));
    assign_vertices(owner, sizes, &c, groups, segments, mesh);
    ST_TRY(check_missing(groups, &c, scan, arena));
    return make_instances(scan, arena, groups, &c, owner, sizes);
}

/* --- the folder --- */

/* "train" when scannetv2_train.txt of the dataset names the scan. */
static st_status find_split(st_scan *scan, st_arena *scratch)
{
    static const char *const splits[] = {"train", "val", "test"};
    for (size_t i = 0; i < 3; i++) {
        const char *name, *path;
        st_str      bytes, line;
        ST_TRY(st_arena_printf(scratch, &name, "scannetv2_%s.txt", splits[i]));
        ST_TRY(sti_find_above(&path, scratch, scan->folder, name, 3));
        if (!path)
            continue;
        ST_TRY(st_file_read(scratch, &bytes, path, STI_SIDE_FILE_BYTES_MAX));
        while (st_str_next_line(&line, &bytes))
            if (st_str_is(st_str_trim(line), scan->scan_id)) {
                scan->split = splits[i];
                return st_ok();
            }
    }
    return st_ok();
}

static st_status read_text(st_scan *scan, st_arena *arena, st_arena *scratch, const char *path)
{
    st_str        bytes;
    sti_scan_text text;
    ST_TRY(sti_scan_load(scan, arena, scratch, &bytes, path));
    sti_scan_text_parse(&text, bytes);
    if (text.has_alignment) {
        ST_TRY(st_within(st_axis_alignment_parse(scan->scene_from_raw, text.alignment),
                         "%s.txt: axisAlignment", scan->scan_id));
        scan->aligned = true;
    } else
        ST_TRY(STI_WARN(scan, arena, "E-2", "unaligned", 1,
                        "%s.txt has no axisAlignment: raw coordinates are used", scan->scan_id));
    if (text.duplicate_keys > 0)
        ST_TRY(STI_WARN(scan, arena, "F-6", "duplicate_key", (int64_t)text.duplicate_keys,
                        "%s.txt gives %zu keys again; the last one counts", scan->scan_id,
                        text.duplicate_keys));
    if (text.scene_type.size == 0 || text.scene_type.size > ST_NAME_BYTES_MAX ||
        st_utf8_check(text.scene_type) != text.scene_type.size)
        return st_ok();
    return st_arena_copy_text(arena, &scan->scene_type, text.scene_type.data,
                              text.scene_type.size);
}

static st_status read_objects(st_scan *scan, st_arena *arena, st_arena *scratch,
                              const char *segs_path, const char *groups_path)
{
    st_str       bytes;
    sti_segments segments;
    sti_groups   groups;
    ST_TRY(sti_scan_load(scan, arena, scratch, &bytes, segs_path));
    ST_TRY(st_within(sti_segments_parse(&segments, scratch, bytes), "%.*s",
                     ST_STR_ARG(st_path_name(segs_path))));
    if (segments.count != scan->mesh.point_count)       /* E-9 */
        return ST_FAIL(ST_ERR_DATA, "%.*s: segIndices has %zu entries, but the mesh has %zu "
                       "vertices: is one of the two from the other resolution (_vh_clean and "
                       "_vh_clean_2)?", ST_STR_ARG(st_path_name(segs_path)), segments.count,
                       scan->mesh.point_count);
    ST_TRY(sti_scan_load(scan, arena, scratch, &bytes, groups_path));
    ST_TRY(st_within(sti_groups_parse(&groups, arena, bytes), "%.*s",
                     ST_STR_ARG(st_path_name(groups_path))));
    return join(scan, arena, scratch, &groups, &segments);
}

st_status sti_scannet_read(st_scan *scan, st_arena *arena, st_arena *scratch)
{
    enum { TEXT, MESH, SEGMENTS, GROUPS, FILES };
    static const char *const tails[FILES] = {".txt", "_vh_clean_2.ply",
                                             "_vh_clean_2.0.010000.segs.json", ".aggregation.json"};
    const char *paths[FILES];
    for (int i = 0; i < FILES; i++)
        ST_TRY(sti_scan_path(&paths[i], arena, scan->folder, scan->scan_id, tails[i]));

    scan->dataset = "scannet";
    const size_t size = strlen(scan->scan_id);
    ST_TRY(st_arena_copy_text(arena, &scan->space_id, scan->scan_id,
                              size == 12 ? SPACE_BYTES : size));
    ST_TRY(find_split(scan, scratch));

    /* Test scans come without annotation: their room is measured all the same. */
    const bool annotated = st_file_exists(paths[SEGMENTS]) || st_file_exists(paths[GROUPS]) ||
                           strcmp(scan->split, "test") != 0;
    ST_TRY(sti_scan_require(arena, paths, annotated ? FILES : SEGMENTS));
    ST_TRY(read_text(scan, arena, scratch, paths[TEXT]));
    ST_TRY(sti_scan_load_mesh(scan, arena, scratch, paths[MESH]));
    if (annotated)
        return read_objects(scan, arena, scratch, paths[SEGMENTS], paths[GROUPS]);
    return STI_WARN(scan, arena, "E-1", "no_annotation", 1,
                    "a test scan without annotation: the room alone is measured");
}
