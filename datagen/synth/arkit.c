/* arkit.c - a scan in the layout of ARKitScenes' 3dod tree (data.md 2.9).
 *
 *   3dod/Training/ID/ID_3dod_mesh.ply  ID_3dod_annotation.json  truth.json
 *
 * The mesh is in the frame of the boxes; only objects of the 17 published labels have boxes.
 */
#include "datagen/synth/made_scan.h"

#include "geometry/mesh.h"
#include "kernels/base/files.h"

#include <stdio.h>

static double micro(double x)
{
    return st_round_decimals(x, 6);
}

static void print_box(st_json_writer *w, const char *key, const st_obb *box)
{
    double center[3], size[3], axes[9];
    for (int k = 0; k < 9; k++)         /* the last bits of a cosine are the C library's */
        axes[k] = st_round_decimals(box->axis[k / 3][k % 3], 12);
    for (int k = 0; k < 3; k++) {
        center[k] = micro(box->center_m[k]);
        size[k] = micro(2.0 * box->half_m[k]);
    }
    st_json_write_key(w, key);
    st_json_write_object(w);
    st_json_put_doubles(w, "centroid", center, 3);
    st_json_put_doubles(w, "axesLengths", size, 3);
    st_json_put_doubles(w, "normalizedAxes", axes, 9);
    st_json_write_end(w);
}

static void print_annotation(st_text *out, const st_synth_house *house)
{
    st_json_writer w;
    st_json_write_start(&w, out, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_write_key(&w, "data");
    st_json_write_array(&w);
    for (size_t i = 0; i < house->object_count; i++) {
        const st_synth_object *o = &house->object[i];
        if (!o->annotated || !o->arkit)
            continue;
        char uid[40];
        snprintf(uid, sizeof uid, "%s-%04d", house->scan_id, o->id);
        st_json_write_object(&w);
        st_json_put_text(&w, "uid", uid);
        st_json_put_text(&w, "label", o->arkit);
        st_json_put_int(&w, "modelId", o->id);
        st_json_write_key(&w, "children");
        st_json_write_array(&w);
        st_json_write_end(&w);
        st_json_put_int(&w, "objectId", o->id);
        st_json_write_key(&w, "segments");
        st_json_write_object(&w);
        print_box(&w, "obb", &o->box);
        print_box(&w, "obbAligned", &o->box);
        st_json_write_end(&w);
        st_json_put_bool(&w, "isInGroup", false);
        st_json_put_text(&w, "labelType", "object");
        st_json_write_key(&w, "attributes");
        st_json_write_object(&w);
        st_json_write_end(&w);
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
    st_json_put_bool(&w, "skipped", false);
    st_json_write_end(&w);
    st_text_add(out, "\n");
}

st_status sti_write_arkit(st_manifest *manifest, st_arena *arena, const char *folder,
                          const st_synth_house *house, const sti_scan *scan)
{
    const char *name, *path;
    const st_mesh mesh = {.points_m = scan->point_m, .point_count = scan->point_count,
                          .triangles = scan->triangle, .triangle_count = scan->triangle_count,
                          .colors = scan->rgb};
    ST_TRY(st_arena_printf(arena, &name, "%s_3dod_mesh.ply", house->scan_id));
    ST_TRY(st_path_join(arena, &path, folder, name));
    ST_TRY(st_mesh_write_ply(path, &mesh));
    ST_TRY(st_manifest_add_output(manifest, folder, name));

    st_text text;
    st_text_init(&text);
    print_annotation(&text, house);
    st_status s = st_text_check(&text);
    if (s.code == ST_OK)
        s = st_arena_printf(arena, &name, "%s_3dod_annotation.json", house->scan_id);
    if (s.code == ST_OK)
        s = st_manifest_write_output(manifest, folder, name, st_text_view(&text), -1);
    st_text_free(&text);
    return s;
}
