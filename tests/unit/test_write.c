/* Datasets on disk: what readers are promised of ScanNet's and ARKitScenes' files, and that runs
 * repeat to the byte. */
#include "check.h"

#include "datagen/scans/labels.h"
#include "datagen/synth/synth.h"
#include "geometry/mesh.h"
#include "geometry/pose.h"
#include "kernels/base/digest.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"

#include <math.h>
#include <unistd.h>

static st_arena arena;
static char     folder[64];

static st_synth_settings small(st_synth_layout layout)
{
    st_synth_settings s = st_synth_defaults();
    s.layout = layout;
    s.edge_m = 0.3;
    s.room_max = 2;
    return s;
}

static st_synth_run write_to(const char *name, const st_synth_settings *settings, int count,
                             int jobs)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    st_synth_run run = {.version = "test", .folder = path, .count = count, .jobs = jobs,
                        .voice = ST_VOICE_QUIET};
    must(st_synth_write(&run, settings));
    run.folder = NULL;
    return run;
}

static st_str slurp(const char *name)
{
    char path[256];
    st_str bytes;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    must(st_file_read(&arena, &bytes, path, (size_t)1 << 30));
    return bytes;
}

static st_json_doc *load(const char *name)
{
    char path[256];
    st_json_doc *doc;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    must(st_json_load(&doc, path));
    return doc;
}

static int64_t int_at(const st_json *object, const char *key)
{
    int64_t value;
    must(st_json_int(st_json_member(object, key), &value));
    return value;
}

static st_str text_at(const st_json *object, const char *key)
{
    st_str value;
    must(st_json_text(st_json_member(object, key), &value));
    return value;
}

static void read_obb(st_obb *box, const st_json *object, const char *key, bool arkit)
{
    double center[3], size[3], axes[9];
    const st_json obb = st_json_member(object, key);
    must(st_json_doubles(st_json_member(&obb, arkit ? "centroid" : "center_m"), center, 3));
    must(st_json_doubles(st_json_member(&obb, arkit ? "axesLengths" : "size_m"), size, 3));
    must(st_json_doubles(st_json_member(&obb, arkit ? "normalizedAxes" : "axes"), axes, 9));
    must(st_obb_from_parts(box, center, size, axes));
}

/* The vertices of every group, brought to the scene frame by the matrix of the .txt, fill the
 * exact box of the truth and nothing outside it. */
static void scannet_files_agree(void **state)
{
    (void)state;
    st_arena_reset(&arena);
    const st_synth_settings settings = small(ST_SYNTH_SCANNET);
    write_to("s", &settings, 2, 1);

    st_str text = slurp("s/scans/scene9001_00/scene9001_00.txt"), line, key;
    assert_true(st_str_next_line(&line, &text));
    assert_true(st_str_next_field(&key, &line, '='));
    assert_true(st_str_is(st_str_trim(key), "axisAlignment"));
    double scene_from_raw[16];
    must(st_axis_alignment_parse(scene_from_raw, line));

    st_mesh mesh, labelled;
    char path[256];
    snprintf(path, sizeof path, "%s/s/scans/scene9001_00/scene9001_00_vh_clean_2.ply", folder);
    must(st_mesh_read(&mesh, &arena, path));
    snprintf(path, sizeof path, "%s/s/scans/scene9001_00/scene9001_00_vh_clean_2.labels.ply",
             folder);
    must(st_mesh_read(&labelled, &arena, path));
    const st_mesh_column *nyu40 = st_mesh_find_column(&labelled, "label");
    assert_non_null(nyu40);
    assert_int_equal(labelled.point_count, mesh.point_count);
    assert_non_null(mesh.colors);
    st_mesh_move(&mesh, scene_from_raw);

    st_json_doc *segs = load("s/scans/scene9001_00/scene9001_00_vh_clean_2.0.010000.segs.json");
    st_json_doc *groups = load("s/scans/scene9001_00/scene9001_00.aggregation.json");
    st_json_doc *truth = load("s/scans/scene9001_00/truth.json");
    const st_json segs_root = st_json_root(segs), groups_root = st_json_root(groups),
                  truth_root = st_json_root(truth);
    const st_json indices = st_json_member(&segs_root, "segIndices");
    assert_int_equal(st_json_count(indices), mesh.point_count);

    int64_t *segment;
    int *owner, *size;
    must(ST_ALLOC(&arena, &segment, mesh.point_count));
    must(ST_ALLOC(&arena, &owner, mesh.point_count));
    must(ST_ALLOC(&arena, &size, mesh.point_count));
    for (size_t i = 0; i < mesh.point_count; i++) {
        must(st_json_int(st_json_element(&indices, i), &segment[i]));
        assert_in_range(segment[i], 0, mesh.point_count - 1);
        size[segment[i]]++;
        owner[i] = -1;
    }
    for (size_t i = 0; i < mesh.point_count; i++)
        assert_true(size[i] == 0 || size[i] >= ST_SYNTH_SEGMENT_MIN);

    const st_json list = st_json_member(&groups_root, "segGroups");
    const st_json objects = st_json_member(&truth_root, "objects");
    const st_json structure = st_json_member(&truth_root, "structure");
    assert_int_equal(st_json_count(list), st_json_count(objects) + st_json_count(structure));
    for (size_t g = 0; g < st_json_count(list); g++) {
        const st_json group = st_json_element(&list, g);
        const st_json members = st_json_member(&group, "segments");
        for (size_t i = 0; i < st_json_count(members); i++) {
            int64_t id;
            must(st_json_int(st_json_element(&members, i), &id));
            assert_true(size[id] > 0);
            assert_int_equal(owner[id], -1);        /* no segment in two groups */
            owner[id] = (int)int_at(&group, "objectId");
        }
    }
    for (size_t k = 0; k < st_json_count(objects); k++) {
        const st_json object = st_json_element(&objects, k);
        const int id = (int)int_at(&object, "id");
        st_obb box;
        read_obb(&box, &object, "obb", false);
        double reach[3] = {0, 0, 0};
        size_t points = 0;
        for (size_t i = 0; i < mesh.point_count; i++) {
            if (owner[segment[i]] != id)
                continue;
            assert_int_equal(nyu40->values[i], int_at(&object, "nyu40"));
            assert_true(st_obb_contains(&box, mesh.points_m[i], 2e-5));  /* f32 and six decimals */
            for (int a = 0; a < 3; a++) {
                double along = 0.0;
                for (int c = 0; c < 3; c++)
                    along += (mesh.points_m[i][c] - box.center_m[c]) * box.axis[a][c];
                reach[a] = fmax(reach[a], fabs(along));
            }
            points++;
        }
        assert_true(points >= 100);                 /* else readers drop it: too few points */
        for (int a = 0; a < 3; a++)
            assert_near(reach[a], box.half_m[a], 2e-5);
    }
    st_json_free(segs);
    st_json_free(groups);
    st_json_free(truth);
}

static void the_label_table_knows_every_label(void **state)
{
    (void)state;
    st_label_table *table;
    must(st_label_table_parse(&table, slurp("s/scannetv2-labels.combined.tsv")));
    st_json_doc *truth = load("s/scans/scene9000_00/truth.json");
    const st_json root = st_json_root(truth), objects = st_json_member(&root, "objects");
    for (size_t k = 0; k < st_json_count(objects); k++) {
        const st_json object = st_json_element(&objects, k);
        assert_int_equal(st_label_table_find(table, text_at(&object, "label")),
                         int_at(&object, "nyu40"));
    }
    st_json_free(truth);
    st_label_table_free(table);
}

/* Boxes of the annotation are those of the truth, and the delivered mesh lies in the same frame. */
static void arkit_files_agree(void **state)
{
    (void)state;
    st_arena_reset(&arena);
    const st_synth_settings settings = small(ST_SYNTH_ARKIT);
    write_to("a", &settings, 1, 1);
    st_json_doc *boxes = load("a/3dod/Training/90000000/90000000_3dod_annotation.json");
    st_json_doc *truth = load("a/3dod/Training/90000000/truth.json");
    const st_json boxes_root = st_json_root(boxes), truth_root = st_json_root(truth);
    const st_json data = st_json_member(&boxes_root, "data");
    const st_json objects = st_json_member(&truth_root, "objects");
    st_mesh mesh;
    char path[256];
    snprintf(path, sizeof path, "%s/a/3dod/Training/90000000/90000000_3dod_mesh.ply", folder);
    must(st_mesh_read(&mesh, &arena, path));

    assert_true(st_json_count(data) > 0);
    for (size_t i = 0; i < st_json_count(data); i++) {
        const st_json item = st_json_element(&data, i);
        const st_json segments = st_json_member(&item, "segments");
        const st_json object = st_json_element(&objects, (size_t)int_at(&item, "objectId"));
        st_obb a, b;
        read_obb(&a, &segments, "obbAligned", true);
        read_obb(&b, &object, "obb", false);
        assert_memory_equal(a.center_m, b.center_m, sizeof a.center_m);
        assert_memory_equal(a.half_m, b.half_m, sizeof a.half_m);
        assert_near(a.axis[2][2], 1.0, 1e-12);
        assert_true(st_label_of_arkit(text_at(&item, "label"), ST_VOCABULARY_MIXED).label != NULL);
        size_t inside = 0;
        for (size_t v = 0; v < mesh.point_count; v++)
            inside += st_obb_contains(&a, mesh.points_m[v], 1e-3);
        assert_true(inside >= 100);
    }
    st_str csv = slurp("a/metadata.csv"), line;
    assert_true(st_str_next_line(&line, &csv));
    assert_true(st_str_next_line(&line, &csv));
    assert_true(st_str_is(line, "90000000,900000,Training,Up,False,False"));
    st_json_free(boxes);
    st_json_free(truth);
}

static st_digest digest_of(const char *name)
{
    const st_str bytes = slurp(name);
    return st_digest_of(bytes.data, bytes.size);
}

/* manifest.json holds the digest of every scan's manifest, and those of all files: comparing the
 * one file compares all. */
static void runs_repeat_on_any_number_of_threads(void **state)
{
    (void)state;
    st_arena_reset(&arena);
    st_synth_settings settings = small(ST_SYNTH_SCANNET);
    settings.noise_m = 0.004;
    settings.holes = 0.05;
    settings.clutter = 2;
    settings.shadows = true;
    settings.ceiling = true;
    assert_int_equal(write_to("one", &settings, 4, 1).made, 4);
    assert_int_equal(write_to("two", &settings, 4, 3).made, 4);
    const st_digest one = digest_of("one/manifest.json"), two = digest_of("two/manifest.json");
    assert_memory_equal(&one, &two, sizeof one);

    /* Finished houses are kept; one whose file was hurt is made again, to the same bytes. */
    assert_int_equal(write_to("one", &settings, 4, 2).kept, 4);
    char path[256];
    snprintf(path, sizeof path, "%s/one/scans/scene9002_00/scene9002_00.txt", folder);
    must(st_file_write(path, "oops", 4));
    const st_synth_run again = write_to("one", &settings, 4, 2);
    assert_int_equal(again.made, 1);
    assert_int_equal(again.kept, 3);
    const st_digest mended = digest_of("one/manifest.json");
    assert_memory_equal(&one, &mended, sizeof one);
}

static size_t vertices_with(const char *name, const st_synth_settings *settings)
{
    return (size_t)write_to(name, settings, 1, 1).vertices;
}

static void flags_do_what_they_say(void **state)
{
    (void)state;
    st_arena_reset(&arena);
    const st_synth_settings plain = small(ST_SYNTH_SCANNET);
    st_synth_settings s = plain;
    const size_t all = vertices_with("f0", &s);
    s.shadows = true;
    const size_t seen = vertices_with("f1", &s);
    assert_true(seen < 0.9 * (double)all && seen > 0.2 * (double)all);
    s = plain;
    s.holes = 0.2;
    const size_t holed = vertices_with("f2", &s);
    assert_true(holed < 0.82 * (double)all && holed > 0.7 * (double)all);
    s = plain;
    s.ceiling = true;
    assert_true(vertices_with("f3", &s) > all);
    s = plain;
    s.clutter = 5;
    assert_true(vertices_with("f4", &s) > all);
    s = plain;
    s.edge_m = 0.15;
    assert_true(vertices_with("f5", &s) > all);
}

/* Noise moves points by about what was asked, and truth does not move. */
static void noise_leaves_the_truth_alone(void **state)
{
    (void)state;
    st_arena_reset(&arena);
    st_synth_settings settings = small(ST_SYNTH_ARKIT);
    write_to("n0", &settings, 1, 1);
    settings.noise_m = 0.01;
    write_to("n1", &settings, 1, 1);
    st_mesh mesh[2];
    for (int i = 0; i < 2; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/n%d/3dod/Training/90000000/90000000_3dod_mesh.ply", folder,
                 i);
        must(st_mesh_read(&mesh[i], &arena, path));
    }
    assert_int_equal(mesh[0].point_count, mesh[1].point_count);
    double square = 0.0;
    for (size_t i = 0; i < mesh[0].point_count; i++)
        for (int k = 0; k < 3; k++) {
            const double d = mesh[1].points_m[i][k] - mesh[0].points_m[i][k];
            square += d * d;
        }
    /* Variance 1 along the normal and 1/4 along each axis: 1.75 sigma^2 a point. With some 20,000
     * points its standard error is below 2 %. */
    assert_near(square / (double)mesh[0].point_count / 1.75e-4, 1.0, 0.1);
    const st_digest a = digest_of("n0/3dod/Training/90000000/90000000_3dod_annotation.json");
    const st_digest b = digest_of("n1/3dod/Training/90000000/90000000_3dod_annotation.json");
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scannet_files_agree),
        cmocka_unit_test(the_label_table_knows_every_label),
        cmocka_unit_test(arkit_files_agree),
        cmocka_unit_test(runs_repeat_on_any_number_of_threads),
        cmocka_unit_test(flags_do_what_they_say),
        cmocka_unit_test(noise_leaves_the_truth_alone),
    };
    snprintf(folder, sizeof folder, "/tmp/spatial_synth_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    st_arena_init(&arena, "test");
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    st_arena_free(&arena);
    return folder_remove(folder) == 0 ? failed : 1;
}
