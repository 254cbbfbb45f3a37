/* scannet.c - a scan in ScanNet's layout (data.md 2.1, 2.3 to 2.6).
 *
 *   scans/ID/ID.txt  ID_vh_clean_2.ply  ID_vh_clean_2.labels.ply
 *            ID_vh_clean_2.0.010000.segs.json  ID.aggregation.json  truth.json
 *
 * There is no .sens yet: readers take that as a scan without frames (data.md E-1).
 */
#include "datagen/synth/made_scan.h"

#include "geometry/mesh.h"
#include "geometry/pose.h"
#include "kernels/base/files.h"

#include <stdio.h>

static st_status write_text(st_manifest *manifest, const char *folder, const char *name,
                            const st_text *text)
{
    ST_TRY(st_text_check(text));
    return st_manifest_write_output(manifest, folder, name, st_text_view(text), -1);
}

/* Two meshes: in colour, and with the NYU40 id of every vertex, 0 where nobody labelled. */
static st_status write_meshes(st_manifest *manifest, st_arena *arena, const char *folder,
                              const st_synth_house *house, const sti_scan *scan)
{
    double (*raw_m)[3], *label, scene_from_raw[16], raw_from_scene[16];
    ST_TRY(ST_ALLOC(arena, &raw_m, scan->point_count));
    ST_TRY(ST_ALLOC(arena, &label, scan->point_count));
    /* Readers make the six printed decimals a rotation first, and so does this inverse. */
    ST_TRY(st_pose_mend(scene_from_raw, house->raw_to_scene));
    st_pose_inverse(raw_from_scene, scene_from_raw);
    for (size_t i = 0; i < scan->point_count; i++) {
        const size_t part = (size_t)scan->part[i];
        const st_synth_object *o =
            part < house->structure_count ? NULL : &house->object[part - house->structure_count];
        label[i] = !o ? house->structure[part].nyu40 : o->annotated ? o->nyu40 : 0;
        st_pose_apply(raw_m[i], raw_from_scene, scan->point_m[i]);
    }
    st_mesh_column column = {.name = "label", .type = ST_PLY_UINT16, .values = label};
    st_mesh mesh = {.points_m = raw_m, .point_count = scan->point_count,
                    .triangles = scan->triangle, .triangle_count = scan->triangle_count,
                    .colors = scan->rgb, .columns = &column};
    for (int labelled = 0; labelled < 2; labelled++) {
        const char *name, *path;
        mesh.column_count = (size_t)labelled;
        ST_TRY(st_arena_printf(arena, &name, "%s_vh_clean_2%s.ply", house->scan_id,
                               labelled ? ".labels" : ""));
        ST_TRY(st_path_join(arena, &path, folder, name));
        ST_TRY(st_mesh_write_ply(path, &mesh));
        ST_TRY(st_manifest_add_output(manifest, folder, name));
    }
    return st_ok();
}

static void print_segments(st_text *out, const st_synth_house *house, const sti_scan *scan)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_write_key(&w, "params");
    st_json_write_object(&w);
    st_json_put_text(&w, "kThresh", "0.010000");
    st_json_put_text(&w, "segMinVerts", "20");
    st_json_write_end(&w);
    st_json_put_text(&w, "sceneId", house->scan_id);
    st_json_write_key(&w, "segIndices");
    st_json_write_array(&w);
    for (size_t i = 0; i < scan->point_count; i++)
        st_json_write_int(&w, scan->segment[i]);
    st_json_write_end(&w);
    st_json_write_end(&w);
}

/* The segments of a part in the order of their first vertices: an id is its own first vertex. */
static void print_group(st_json_writer *w, const sti_scan *scan, size_t *at, int part, int id,
                        const char *label)
{
    const size_t first = *at;
    while (*at < scan->point_count && scan->part[*at] == part)
        ++*at;
    if (*at == first || id < 0)
        return;
    st_json_write_object(w);
    st_json_put_int(w, "id", id);
    st_json_put_int(w, "objectId", id);
    st_json_write_key(w, "segments");
    st_json_write_row(w);
    for (size_t i = first; i < *at; i++)
        if (scan->segment[i] == i)
            st_json_write_int(w, (int64_t)i);
    st_json_write_end(w);
    st_json_put_text(w, "label", label);
    st_json_write_end(w);
}

static void print_groups(st_text *out, const st_synth_house *house, const sti_scan *scan)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_text(&w, "sceneId", house->scan_id);
    st_json_put_text(&w, "appId", "Aggregator.v2");
    st_json_write_key(&w, "segGroups");
    st_json_write_array(&w);
    size_t at = 0;
    for (int part = 0; part < sti_part_count(house); part++) {
        const size_t p = (size_t)part;
        const st_synth_object *o =
            p < house->structure_count ? NULL : &house->object[p - house->structure_count];
        if (o)
            print_group(&w, scan, &at, part, o->annotated ? o->id : -1, o->label);
        else
            print_group(&w, scan, &at, part, house->structure[p].id, house->structure[p].label);
    }
    st_json_write_end(&w);
    char file[64];
    snprintf(file, sizeof file, "%s_vh_clean_2.0.010000.segs.json", house->scan_id);
    st_json_put_text(&w, "segmentsFile", file);
    st_json_write_end(&w);
}

static void print_facts(st_text *out, const st_synth_house *house)
{
    st_text_add(out, "axisAlignment = ");
    char number[64];
    for (int i = 0; i < 16; i++)
        st_text_addf(out, "%s ", st_print_fixed(number, house->raw_to_scene[i], 6));
    st_text_addf(out, "\nnumColorFrames = 0\nnumDepthFrames = 0\nnumIMUmeasurements = 0\n"
                      "sceneType = %s\n", house->scene_type);
}

st_status sti_write_scannet(st_manifest *manifest, st_arena *arena, const char *folder,
                            const st_synth_house *house, const sti_scan *scan)
{
    ST_TRY(write_meshes(manifest, arena, folder, house, scan));
    static const char *const names[] = {".txt", "_vh_clean_2.0.010000.segs.json",
                                        ".aggregation.json"};
    st_text text;
    st_text_init(&text);
    st_status s = st_ok();
    for (int i = 0; i < 3; i++) {
        const char *name;
        ST_TRY_OR(s, out, st_arena_printf(arena, &name, "%s%s", house->scan_id, names[i]));
        st_text_clear(&text);
        if (i == 0)
            print_facts(&text, house);
        else if (i == 1)
            print_segments(&text, house, scan);
        else
            print_groups(&text, house, scan);
        ST_TRY_OR(s, out, write_text(manifest, folder, name, &text));
    }
out:
    st_text_free(&text);
    return s;
}
