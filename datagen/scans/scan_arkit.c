/* scan_arkit.c - an ARKitScenes folder, raw or 3dod: mesh, annotated boxes, the visit it is of.
 *
 * Objects are boxes; the vertices inside a box are its instance. Boxes and mesh share a frame whose
 * +Z is up as delivered, so there is no alignment to apply.
 *
 * Source  data.md 2.9, 8.7, and the E- rules named below.
 */
#include "datagen/scans/internal.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <math.h>
#include <string.h>

#define MEMBER_MARGIN_M 0.001       /* a vertex this far outside a box still belongs to it */

/* --- the annotation file --- */

/* Why a box is of no use goes into the box: one bad box does not spoil the scan (E-30). */
static st_status read_box(sti_arkit_box *b, st_arena *arena, st_json aligned)
{
    double center[3], size[3], axes[9];
    if (st_json_kind_of(aligned) != ST_JSON_OBJECT) {
        b->bad = "no obbAligned";
        return st_ok();
    }
    st_status s = st_json_doubles(st_json_member(&aligned, "centroid"), center, 3);
    if (s.code == ST_OK)
        s = st_json_doubles(st_json_member(&aligned, "axesLengths"), size, 3);
    if (s.code == ST_OK)
        s = st_json_doubles(st_json_member(&aligned, "normalizedAxes"), axes, 9);
    if (s.code == ST_OK)
        s = st_obb_from_parts(&b->box, center, size, axes);
    if (s.code == ST_OK)
        return st_ok();
    return st_arena_printf(arena, &b->bad, "%s", s.text);
}

static st_status read_boxes(sti_arkit_boxes *boxes, st_arena *arena, st_json root)
{
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    const st_json skipped = st_json_member(&root, "skipped");
    if (st_json_kind_of(skipped) == ST_JSON_BOOL)
        ST_TRY(st_json_bool(skipped, &boxes->skipped));
    const st_json      data = st_json_member(&root, "data");
    const st_json_kind kind = st_json_kind_of(data);
    if (kind == ST_JSON_NULL || kind == ST_JSON_ABSENT || boxes->skipped)
        return st_ok();                         /* E-31 */
    ST_TRY(st_json_expect(data, ST_JSON_ARRAY));
    ST_TRY(ST_ALLOC(arena, &boxes->boxes, st_json_count(data)));
    for (size_t i = 0; i < st_json_count(data); i++) {
        const st_json  item = st_json_element(&data, i);
        sti_arkit_box *b = &boxes->boxes[boxes->count];
        ST_TRY(st_json_expect(item, ST_JSON_OBJECT));
        const st_json segments = st_json_member(&item, "segments");
        ST_TRY(sti_read_label(&b->label, arena, st_json_member(&item, "label")));
        ST_TRY(read_box(b, arena, st_json_member(&segments, "obbAligned")));
        boxes->count++;
    }
    return st_ok();
}

st_status sti_arkit_boxes_parse(sti_arkit_boxes *boxes, st_arena *arena, st_str bytes)
{
    st_json_doc    *doc;
    sti_arkit_boxes made = {0};
    ST_TRY(sti_annotation_parse(&doc, arena, bytes));
    const st_status s = read_boxes(&made, arena, st_json_root(doc));
    st_json_free(doc);
    if (s.code == ST_OK)
        *boxes = made;
    return s;
}

/* --- metadata.csv --- */

enum { CSV_COLUMNS_MAX = 32 };

static int split_row(st_str cells[CSV_COLUMNS_MAX], st_str line)
{
    int    count = 0;
    st_str field;
    while (count < CSV_COLUMNS_MAX && st_str_next_field(&field, &line, ','))
        cells[count++] = st_str_trim(field);
    return count;
}

/* "421372.0" and "421372" are one visit; "", "NA" and "nan" are none (E-32). */
static st_str visit_number(st_str cell)
{
    for (size_t i = 0; i < cell.size; i++)
        if (cell.data[i] == '.') {
            cell.size = i;
            break;
        }
    for (size_t i = 0; i < cell.size; i++)
        if (cell.data[i] < '0' || cell.data[i] > '9')
            return (st_str){NULL, 0};
    return cell.size ? cell : (st_str){NULL, 0};
}

static bool is_benchmark(st_str video_id)
{
    char id[32];
    if (video_id.size >= sizeof id)
        return false;
    memcpy(id, video_id.data, video_id.size);
    id[video_id.size] = '\0';
    return st_benchmark_has_space("arkitscenes", id);
}

typedef struct csv_columns {
    int video, visit, fold;
} csv_columns;

static csv_columns find_columns(st_str header)
{
    st_str      cells[CSV_COLUMNS_MAX];
    csv_columns c = {-1, -1, -1};
    const int   count = split_row(cells, header);
    for (int i = count - 1; i >= 0; i--) {
        if (st_str_is(cells[i], "video_id"))
            c.video = i;
        else if (st_str_is(cells[i], "visit_id"))
            c.visit = i;
        else if (st_str_is(cells[i], "fold"))
            c.fold = i;
    }
    return c;
}

void sti_arkit_visit_find(sti_arkit_visit *visit, st_str csv, const char *video_id)
{
    *visit = (sti_arkit_visit){0};
    st_str line, cells[CSV_COLUMNS_MAX];
    if (csv.size >= 3 && memcmp(csv.data, "\xEF\xBB\xBF", 3) == 0)
        csv = (st_str){csv.data + 3, csv.size - 3};
    if (!st_str_next_line(&line, &csv))
        return;
    const csv_columns c = find_columns(line);
    if (c.video < 0 || c.visit < 0)
        return;

    st_str rest = csv;
    for (bool found = false; !found && st_str_next_line(&line, &rest);) {
        const int count = split_row(cells, line);
        if (count <= c.video || !st_str_is(cells[c.video], video_id))
            continue;
        found = true;                           /* the first row wins */
        visit->visit_id = c.visit < count ? visit_number(cells[c.visit]) : (st_str){NULL, 0};
        visit->fold = c.fold >= 0 && c.fold < count ? cells[c.fold] : (st_str){NULL, 0};
    }
    if (!visit->visit_id.data)
        return;
    rest = csv;
    while (!visit->benchmark && st_str_next_line(&line, &rest)) {
        const int count = split_row(cells, line);
        visit->benchmark = count > c.visit && count > c.video &&
                           st_str_equal(visit_number(cells[c.visit]), visit->visit_id) &&
                           is_benchmark(cells[c.video]);
    }
}

/* --- joining --- */

/* Each vertex goes to the smallest box that holds it, the first of equal ones. */
static st_status assign_vertices(st_scan *scan, st_arena *arena, st_arena *scratch)
{
    const st_mesh *mesh = &scan->mesh;
    const size_t   count = scan->instance_count;
    uint32_t      *owner;
    double        *volume_m3, (*low_m)[3], (*high_m)[3];
    ST_TRY(ST_ALLOC(scratch, &owner, mesh->point_count));
    ST_TRY(ST_ALLOC(scratch, &volume_m3, count));
    ST_TRY(ST_ALLOC(scratch, &low_m, count));
    ST_TRY(ST_ALLOC(scratch, &high_m, count));
    for (size_t i = 0; i < count; i++) {
        volume_m3[i] = st_obb_volume(&scan->instances[i].box);
        st_obb_bounds(low_m[i], high_m[i], &scan->instances[i].box);
    }
    for (size_t v = 0; v < mesh->point_count; v++) {
        const double *p = mesh->points_m[v];
        size_t        best = count;
        for (size_t i = 0; sti_point_is_finite(p) && i < count; i++) {
            bool near = true;                   /* the margin grows a turned box by up to sqrt 3 */
            for (int k = 0; k < 3; k++)
                near = near && p[k] >= low_m[i][k] - 2 * MEMBER_MARGIN_M &&
                       p[k] <= high_m[i][k] + 2 * MEMBER_MARGIN_M;
            if (near && (best == count || volume_m3[i] < volume_m3[best]) &&
                st_obb_contains(&scan->instances[i].box, p, MEMBER_MARGIN_M))
                best = i;
        }
        owner[v] = (uint32_t)best;
        if (best < count)
            scan->instances[best].vertex_count++;
    }
    for (size_t i = 0; i < count; i++) {
        ST_TRY(ST_ALLOC(arena, &scan->instances[i].vertices, scan->instances[i].vertex_count));
        scan->instances[i].vertex_count = 0;
    }
    for (size_t v = 0; v < mesh->point_count; v++)
        if (owner[v] < count) {
            st_instance *instance = &scan->instances[owner[v]];
            instance->vertices[instance->vertex_count++] = (uint32_t)v;
        }
    return st_ok();
}

static st_status drop(st_scan *scan, st_arena *arena, int id, const char *label, const char *reason)
{
    ST_TRY(ST_GROW(arena, &scan->dropped, &scan->dropped_capacity, scan->dropped_count + 1));
    scan->dropped[scan->dropped_count++] =
        (st_dropped){.instance_id = id, .raw_label = label, .reason = reason};
    return st_ok();
}

/* Instance ids are places in the annotation: its uids are long hashes. */
static st_status make_instances(st_scan *scan, st_arena *arena, const sti_arkit_boxes *boxes)
{
    ST_TRY(ST_ALLOC(arena, &scan->instances, boxes->count));
    for (size_t i = 0; i < boxes->count; i++) {
        const sti_arkit_box *b = &boxes->boxes[i];
        if (b->bad) {
            ST_TRY(drop(scan, arena, (int)i, b->label, "degenerate"));
            ST_TRY(STI_WARN(scan, arena, "E-30", "bad_box", 1, "object %zu \"%.40s\": %.150s", i,
                            b->label, b->bad));
            continue;
        }
        scan->instances[scan->instance_count++] =
            (st_instance){.instance_id = (int)i, .raw_label = b->label, .has_box = true,
                          .box = b->box};
    }
    return st_ok();
}

/* Boxes without a vertex inside are dropped; order is kept. */
static st_status drop_empty(st_scan *scan, st_arena *arena)
{
    size_t kept = 0;
    for (size_t i = 0; i < scan->instance_count; i++) {
        if (scan->instances[i].vertex_count > 0)
            scan->instances[kept++] = scan->instances[i];
        else
            ST_TRY(drop(scan, arena, scan->instances[i].instance_id, scan->instances[i].raw_label,
                        "empty"));
    }
    scan->instance_count = kept;
    return st_ok();
}

/* The room, its fold, and whether the benchmark knows it, from metadata.csv where there is one. */
static st_status find_visit(st_scan *scan, st_arena *arena, st_arena *scratch)
{
    const char     *path;
    st_str          csv;
    sti_arkit_visit visit = {0};
    ST_TRY(sti_find_above(&path, scratch, scan->folder, "metadata.csv", 3));
    if (path) {
        ST_TRY(st_file_read(scratch, &csv, path, STI_SIDE_FILE_BYTES_MAX));
        sti_arkit_visit_find(&visit, csv, scan->scan_id);
    }
    scan->space_id = scan->scan_id;
    if (visit.visit_id.data)
        ST_TRY(st_arena_copy_text(arena, &scan->space_id, visit.visit_id.data,
                                  visit.visit_id.size));
    if (visit.benchmark)
        ST_TRY(STI_WARN(scan, arena, "Q-6", "benchmark_space", 1,
                        "another scan of this room is in the benchmark"));

    /* The fold also stands in the path: .../Training/47204578. */
    const bool training = visit.fold.data ? st_str_is(visit.fold, "Training")
                                          : strstr(scan->folder, "Training/") != NULL;
    const bool validation = visit.fold.data ? st_str_is(visit.fold, "Validation")
                                            : strstr(scan->folder, "Validation/") != NULL;
    scan->split = training ? "train" : validation ? "val" : "";
    return st_ok();
}

st_status sti_arkit_read(st_scan *scan, st_arena *arena, st_arena *scratch)
{
    const char     *paths[2];
    st_str          bytes;
    sti_arkit_boxes boxes;
    ST_TRY(sti_scan_path(&paths[0], arena, scan->folder, scan->scan_id, "_3dod_mesh.ply"));
    ST_TRY(sti_scan_path(&paths[1], arena, scan->folder, scan->scan_id, "_3dod_annotation.json"));
    ST_TRY(sti_scan_require(arena, paths, 2));
    scan->dataset = "arkitscenes";
    scan->aligned = false;
    ST_TRY(find_visit(scan, arena, scratch));
    ST_TRY(sti_scan_load_mesh(scan, arena, scratch, paths[0]));
    ST_TRY(sti_scan_load(scan, arena, scratch, &bytes, paths[1]));
    ST_TRY(st_within(sti_arkit_boxes_parse(&boxes, arena, bytes), "%.*s",
                     ST_STR_ARG(st_path_name(paths[1]))));
    if (boxes.skipped)
        ST_TRY(STI_WARN(scan, arena, "E-31", "skipped", 1,
                        "the annotators skipped this scan: the room alone is measured"));
    ST_TRY(make_instances(scan, arena, &boxes));
    ST_TRY(assign_vertices(scan, arena, scratch));
    return drop_empty(scan, arena);
}
