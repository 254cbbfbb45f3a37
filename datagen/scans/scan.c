/* scan.c - finding scans, and what the readers of both datasets share. */
#include "datagen/scans/internal.h"

#include "geometry/pose.h"
#include "kernels/base/digest.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- which folders are scans --- */

st_str st_scan_name(const char *folder)
{
    return st_path_name(folder);
}

static bool has_file(const char *folder, st_str stem, const char *tail)
{
    char path[4096];
    const int size = snprintf(path, sizeof path, "%s/%.*s%s", folder, ST_STR_ARG(stem), tail);
    return size > 0 && (size_t)size < sizeof path && st_file_exists(path);
}

static bool is_digits(st_str s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    return s.size > 0;
}

/* "scene0000_01" (data.md 2.1). */
static bool is_scannet_name(st_str s)
{
    return s.size == 12 && st_str_starts(s, "scene") && s.data[9] == '_' &&
           is_digits((st_str){s.data + 5, 4}) && is_digits((st_str){s.data + 10, 2});
}

/* By name, or by any of the files of its kind: a scan that lost some is named, not passed over. */
bool st_scan_kind_of(st_scan_kind *kind, const char *folder)
{
    static const char *const scannet[] = {".aggregation.json", "_vh_clean_2.ply",
                                          "_vh_clean_2.0.010000.segs.json"};
    static const char *const arkit[] = {"_3dod_mesh.ply", "_3dod_annotation.json"};
    const st_str name = st_scan_name(folder);
    if (!st_folder_exists(folder))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (has_file(folder, name, scannet[i])) {
            *kind = ST_SCAN_SCANNET;
            return true;
        }
    for (size_t i = 0; i < 2; i++)
        if (has_file(folder, name, arkit[i])) {
            *kind = ST_SCAN_ARKIT;
            return true;
        }
    if (is_scannet_name(name)) {
        *kind = ST_SCAN_SCANNET;
        return true;
    }
    if (name.size == 8 && is_digits(name)) {
        *kind = ST_SCAN_ARKIT;
        return true;
    }
    return false;
}

enum { LEVELS_MAX = 4 };    /* DATASET/raw/Training/VIDEO is three, one more to be kind */

typedef struct found_folders {
    const char **folders;
    size_t       count, capacity;
} found_folders;

static st_status walk(found_folders *found, st_arena *arena, const char *folder, int level)
{
    st_scan_kind kind;
    if (st_scan_kind_of(&kind, folder)) {
        ST_TRY(ST_GROW(arena, &found->folders, &found->capacity, found->count + 1));
        return st_arena_printf(arena, &found->folders[found->count++], "%s", folder);
    }
    if (level == LEVELS_MAX)
        return st_ok();
    const char **names;
    size_t       count;
    ST_TRY(st_folder_list(arena, &names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        const char *inner;
        ST_TRY(st_path_join(arena, &inner, folder, names[i]));
        if (st_folder_exists(inner))
            ST_TRY(walk(found, arena, inner, level + 1));
    }
    return st_ok();
}

st_status st_scan_find(const char ***folders, size_t *count, st_arena *arena, const char *path)
{
    found_folders found = {0};
    size_t        size = strlen(path);
    char         *folder;
    ST_TRY(ST_ALLOC(arena, &folder, size + 1));
    memcpy(folder, path, size);
    while (size > 1 && folder[size - 1] == '/')
        folder[--size] = '\0';
    ST_TRY(walk(&found, arena, folder, 0));
    if (found.count == 0)
        return ST_FAIL(ST_ERR_DATA, "%s: expected a ScanNet or ARKitScenes scan, or a folder of "
                                    "them, found none", path);
    *folders = found.folders;
    *count = found.count;
    return st_ok();
}

/* --- shared by the readers --- */

st_status st_warning_add(st_warning **list, size_t *count, size_t *capacity, st_arena *arena,
                         const char *rule, const char *code, int64_t times, const char *fmt, ...)
{
    char    words[ST_STATUS_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);

    /* A label cut in the middle of a character must not reach a file. */
    const char *message;
    ST_TRY(st_utf8_for_message(arena, &message, st_str_from(words), sizeof words));
    ST_TRY(ST_GROW(arena, list, capacity, *count + 1));
    (*list)[(*count)++] =
        (st_warning){.rule = rule, .code = code, .message = message, .count = times};
    return st_ok();
}

st_status sti_scan_path(const char **path, st_arena *arena, const char *folder, const char *stem,
                        const char *tail)
{
    return st_arena_printf(arena, path, "%s/%s%s", folder, stem, tail);
}

st_status sti_scan_require(st_arena *arena, const char *const *paths, size_t count)
{
    const char *missing = NULL;
    for (size_t i = 0; i < count; i++) {
        const st_str name = st_path_name(paths[i]);
        if (st_file_exists(paths[i]))
            continue;
        if (missing)
            ST_TRY(st_arena_printf(arena, &missing, "%s, %.*s", missing, ST_STR_ARG(name)));
        else
            ST_TRY(st_arena_printf(arena, &missing, "%.*s", ST_STR_ARG(name)));
    }
    return missing ? ST_FAIL(ST_ERR_IO, "missing: %s", missing) : st_ok();
}

static st_status note_input(st_scan *scan, st_arena *arena, const char *path, uint64_t bytes,
                            const st_digest *digest)
{
    ST_TRY(ST_GROW(arena, &scan->inputs, &scan->input_capacity, scan->input_count + 1));
    st_input *input = &scan->inputs[scan->input_count++];
    input->bytes = bytes;
    st_digest_print(input->sha256, digest);
    return st_arena_printf(arena, &input->path, "%s/%.*s", scan->scan_id,
                           ST_STR_ARG(st_path_name(path)));
}

st_status sti_scan_load(st_scan *scan, st_arena *arena, st_arena *scratch, st_str *bytes,
                        const char *path)
{
    ST_TRY(st_file_read(scratch, bytes, path, STI_SIDE_FILE_BYTES_MAX));
    const st_digest digest = st_digest_of(bytes->data, bytes->size);
    return note_input(scan, arena, path, bytes->size, &digest);
}

bool sti_point_is_finite(const double point_m[3])
{
    return fabs(point_m[0]) <= ST_COORDINATE_M_MAX && fabs(point_m[1]) <= ST_COORDINATE_M_MAX &&
           fabs(point_m[2]) <= ST_COORDINATE_M_MAX;
}

/* Vertices that are not finite keep their place, since other files count on it. */
static st_status count_dropped(st_scan *scan, st_arena *arena)
{
    const st_mesh *mesh = &scan->mesh;
    double         sum_m[3] = {0};
    size_t         finite = 0;
    for (size_t i = 0; i < mesh->point_count; i++) {
        if (!sti_point_is_finite(mesh->points_m[i]))
            continue;
        for (int k = 0; k < 3; k++)
            sum_m[k] += mesh->points_m[i][k];
        finite++;
    }
    scan->dropped_vertex_count = mesh->point_count - finite;
    if (mesh->point_count == 0)
        return ST_FAIL(ST_ERR_DATA, "the mesh has no vertices");
    if (finite == 0)
        return ST_FAIL(ST_ERR_DATA, "none of %zu vertices is finite", mesh->point_count);
    for (int k = 0; k < 3; k++)
        scan->raw_mean_m[k] = sum_m[k] / (double)finite;
    if (scan->dropped_vertex_count * 20 > mesh->point_count)
        return ST_FAIL(ST_ERR_DATA, "%zu of %zu vertices are not finite, more than 5 %%",
                       scan->dropped_vertex_count, mesh->point_count);
    if (scan->dropped_vertex_count > 0)
        ST_TRY(STI_WARN(scan, arena, "E-4", "not_finite", (int64_t)scan->dropped_vertex_count,
                        "%zu of %zu vertices are not finite and were dropped",
                        scan->dropped_vertex_count, mesh->point_count));
    return st_ok();
}

st_status sti_scan_load_mesh(st_scan *scan, st_arena *arena, st_arena *scratch, const char *path)
{
    st_str bytes;
    ST_TRY(st_file_read(scratch, &bytes, path, ST_TEXT_FILE_BYTES_MAX));
    const st_digest digest = st_digest_of(bytes.data, bytes.size);
    ST_TRY(note_input(scan, arena, path, bytes.size, &digest));
    ST_TRY(st_within(st_mesh_read_ply(&scan->mesh, arena, bytes), "%.*s",
                     ST_STR_ARG(st_path_name(path))));
    ST_TRY(st_within(count_dropped(scan, arena), "%.*s", ST_STR_ARG(st_path_name(path))));
    if (scan->aligned)
        st_mesh_move(&scan->mesh, scan->scene_from_raw);
    return st_ok();
}

st_status sti_annotation_parse(st_json_doc **doc, st_arena *arena, st_str bytes)
{
    if (st_utf8_check(bytes) == bytes.size)
        return st_json_parse(doc, bytes);
    char *mended;               /* U+FFFD takes three bytes where there was one */
    ST_TRY(ST_ALLOC(arena, &mended, 3 * bytes.size));
    size_t size = 0;
    for (size_t at = 0; at < bytes.size;) {
        uint32_t     code_point;
        const size_t length = st_utf8_decode(bytes, at, &code_point);
        size += st_utf8_encode(mended + size, length ? code_point : 0xFFFD);
        at += length ? length : 1;
    }
    return st_json_parse(doc, (st_str){mended, size});
}

st_status sti_read_label(const char **label, st_arena *arena, st_json value)
{
    st_str text = {0};
    if (st_json_kind_of(value) == ST_JSON_TEXT)
        ST_TRY(st_json_text(value, &text));
    text = st_str_trim(text);
    if (text.size > ST_NAME_BYTES_MAX || st_utf8_check(text) != text.size)
        text.size = 0;
    return st_arena_copy_text(arena, label, text.size ? text.data : "", text.size);
}

/* The folder above, by its text where that is possible: two scans of one dataset then find one
 * path, and not "a/.." and "b/..". */
static st_status folder_above(const char **above, st_arena *arena, const char *folder)
{
    const st_str name = st_path_name(folder);
    size_t       size = (size_t)(name.data - folder);
    if (name.size == 0 || st_str_is(name, ".") || st_str_is(name, ".."))
        return st_arena_printf(arena, above, "%s/..", folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    return size ? st_arena_copy_text(arena, above, folder, size)
                : st_arena_copy_text(arena, above, ".", 1);
}

st_status sti_find_above(const char **path, st_arena *arena, const char *folder, const char *name,
                         int levels)
{
    *path = NULL;
    for (int level = 0; level <= levels; level++) {
        const char *candidate;
        ST_TRY(st_path_join(arena, &candidate, folder, name));
        if (st_file_exists(candidate)) {
            *path = candidate;
            return st_ok();
        }
        ST_TRY(folder_above(&folder, arena, folder));
    }
    return st_ok();
}

st_status st_scan_find_labels(const char **path, st_arena *arena, const char *folder)
{
    return sti_find_above(path, arena, folder, "scannetv2-labels.combined.tsv", 3);
}

st_status st_scan_inputs(st_input **inputs, size_t *count, st_arena *arena, const char *folder)
{
    static const char *const tails[][4] = {
        [ST_SCAN_SCANNET] = {".txt", "_vh_clean_2.ply", "_vh_clean_2.0.010000.segs.json",
                             ".aggregation.json"},
        [ST_SCAN_ARKIT] = {"_3dod_mesh.ply", "_3dod_annotation.json"}};
    st_scan scan = {0};
    ST_TRY(st_arena_copy_text(arena, &scan.scan_id, st_scan_name(folder).data,
                              st_scan_name(folder).size));
    *count = 0;
    if (!st_scan_kind_of(&scan.kind, folder))
        return ST_FAIL(ST_ERR_DATA, "%s: not a scan", folder);
    for (int i = 0; i < 4 && tails[scan.kind][i]; i++) {
        const char *path;
        st_digest   digest;
        uint64_t    bytes;
        ST_TRY(sti_scan_path(&path, arena, folder, scan.scan_id, tails[scan.kind][i]));
        if (!st_file_exists(path))
            continue;
        ST_TRY(st_digest_of_file(&digest, path));
        ST_TRY(st_file_size(path, &bytes));
        ST_TRY(note_input(&scan, arena, path, bytes, &digest));
    }
    *inputs = scan.inputs;
    *count = scan.input_count;
    return st_ok();
}

static st_status read_into(st_scan *scan, st_arena *arena, st_arena *scratch, const char *folder)
{
    const st_str name = st_scan_name(folder);
    if (name.size == 0 || name.size > ST_NAME_BYTES_MAX || st_utf8_check(name) != name.size)
        return ST_FAIL(ST_ERR_FORMAT, "expected a folder named by 1 to %zu bytes of UTF-8",
                       ST_NAME_BYTES_MAX);
    ST_TRY(st_arena_copy_text(arena, &scan->scan_id, name.data, name.size));
    ST_TRY(st_arena_printf(arena, &scan->folder, "%s", folder));
    if (!st_scan_kind_of(&scan->kind, folder))
        return ST_FAIL(ST_ERR_DATA, "expected a ScanNet or ARKitScenes scan");
    for (int k = 0; k < 4; k++)
        scan->scene_from_raw[5 * k] = 1.0;
    scan->split = "";
    return scan->kind == ST_SCAN_SCANNET ? sti_scannet_read(scan, arena, scratch)
                                         : sti_arkit_read(scan, arena, scratch);
}

st_status st_scan_read(st_scan *scan, st_arena *arena, const char *folder)
{
    st_scan  made = {0};
    st_arena scratch;
    st_arena_init(&scratch, "scan files");
    const st_status s = read_into(&made, arena, &scratch, folder);
    st_arena_free(&scratch);
    if (s.code == ST_OK)
        *scan = made;
    return s;
}
