/* test_scan_scannet.c - tiny ScanNet folders, whole and damaged: what is read, what is said. */
#include "check.h"

#include "datagen/scans/internal.h"
#include "kernels/base/files.h"

#include <unistd.h>

typedef struct fixture {
    st_arena arena;
    st_scan  scan;
    char     root[64], folder[128];
} fixture;

static void put(const fixture *f, const char *tail, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/scene0901_00%s", f->folder, tail);
    must(st_file_write(path, text, strlen(text)));
}

static void take_away(const fixture *f, const char *tail)
{
    char path[256];
    snprintf(path, sizeof path, "%s/scene0901_00%s", f->folder, tail);
    must(st_file_remove(path));
}

/* Six vertices in a row on the x axis, one triangle. */
static void put_mesh(const fixture *f, double bad)
{
    char path[256];
    double points[6][3];
    uint32_t triangle[1][3] = {{0, 1, 2}};
    for (int i = 0; i < 6; i++)
        points[i][0] = i, points[i][1] = i % 2, points[i][2] = 0.5;
    points[5][2] = bad;
    const st_mesh mesh = {.points_m = points, .point_count = 6, .triangles = triangle,
                          .triangle_count = 1};
    snprintf(path, sizeof path, "%s/scene0901_00_vh_clean_2.ply", f->folder);
    must(st_mesh_write_ply(path, &mesh));
}

#define SEGS "_vh_clean_2.0.010000.segs.json"
#define TEXT "axisAlignment = 0 -1 0 2 1 0 0 3 0 0 1 -0.5 0 0 0 1\nsceneType = Office / Lab\n"

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    snprintf(f->root, sizeof f->root, "/tmp/test_scannet_%d", (int)getpid());
    snprintf(f->folder, sizeof f->folder, "%s/scans/scene0901_00", f->root);
    must(st_folder_make(f->folder));
    put_mesh(f, 0.5);
    put(f, ".txt", TEXT);
    put(f, SEGS, "{\"sceneId\":\"x\",\"segIndices\":[7,7,9,9,4,4]}");
    put(f, ".aggregation.json",
        "{\"segGroups\":[{\"id\":0,\"objectId\":0,\"label\":\"chair\",\"segments\":[7]},"
        "{\"id\":1,\"objectId\":1,\"label\":\"desk \",\"segments\":[9,4]}]}");
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    assert_int_equal(folder_remove(f->root), 0);
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static st_status read_scan(fixture *f)
{
    return st_scan_read(&f->scan, &f->arena, f->folder);
}

static void groups_are(fixture *f, const char *groups)
{
    char text[2048];
    snprintf(text, sizeof text, "{\"segGroups\":[%s]}", groups);
    put(f, ".aggregation.json", text);
    must(read_scan(f));
}

static void warning_is(const fixture *f, const char *rule, const char *message, int64_t count)
{
    for (size_t i = 0; i < f->scan.warning_count; i++)
        if (strcmp(f->scan.warnings[i].rule, rule) == 0) {
            assert_string_equal(f->scan.warnings[i].message, message);
            assert_int_equal(f->scan.warnings[i].count, count);
            return;
        }
    fail_msg("no warning %s", rule);
}

static void a_whole_scan_reads(void **state)
{
    fixture *f = *state;
    char     path[256];
    snprintf(path, sizeof path, "%s/scannetv2_val.txt", f->root);
    must(st_file_write(path, "scene0900_00\nscene0901_00", 25));
    must(read_scan(f));
    assert_string_equal(f->scan.dataset, "scannet");
    assert_string_equal(f->scan.space_id, "scene0901");
    assert_string_equal(f->scan.split, "val");
    assert_string_equal(f->scan.scene_type, "Office / Lab");
    assert_true(f->scan.aligned);
    assert_int_equal(f->scan.warning_count, 0);
    assert_int_equal(f->scan.instance_count, 2);
    assert_string_equal(f->scan.instances[1].raw_label, "desk");
    assert_int_equal(f->scan.instances[1].vertex_count, 4);
    assert_int_equal(f->scan.instances[1].vertices[0], 2);
    /* A quarter turn about z, then (2,3,-0.5): (1,1,0.5) goes to (1,4,0). */
    assert_near(f->scan.mesh.points_m[1][0], 1.0, 1e-6);
    assert_near(f->scan.mesh.points_m[1][1], 4.0, 1e-6);
    assert_near(f->scan.mesh.points_m[1][2], 0.0, 1e-6);
    assert_near(f->scan.raw_mean_m[0], 2.5, 1e-6);
    assert_int_equal(f->scan.input_count, 4);
    assert_string_equal(f->scan.inputs[0].path, "scene0901_00/scene0901_00.txt");

    st_input *inputs;
    size_t    count;
    must(st_scan_inputs(&inputs, &count, &f->arena, f->folder));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(inputs[i].path, f->scan.inputs[i].path);
        assert_string_equal(inputs[i].sha256, f->scan.inputs[i].sha256);
    }
}

static void missing_files_are_all_named(void **state)
{
    fixture *f = *state;
    take_away(f, ".txt");
    take_away(f, SEGS);
    must_fail(read_scan(f), ST_ERR_IO,
              "missing: scene0901_00.txt, scene0901_00_vh_clean_2.0.010000.segs.json");
}

static void a_test_scan_needs_no_annotation(void **state)
{
    fixture *f = *state;
    char     path[256];
    take_away(f, SEGS);
    take_away(f, ".aggregation.json");
    must_fail(read_scan(f), ST_ERR_IO, "missing: scene0901_00_vh_clean_2.0.010000.segs.json, "
                                       "scene0901_00.aggregation.json");
    snprintf(path, sizeof path, "%s/scannetv2_test.txt", f->root);
    must(st_file_write(path, "scene0901_00\n", 13));
    put(f, ".txt", "\xEF\xBB\xBFnumDepthFrames = 7\r\nnumDepthFrames = 8\r\n");
    must(read_scan(f));
    assert_int_equal(f->scan.instance_count, 0);
    warning_is(f, "E-2", "scene0901_00.txt has no axisAlignment: raw coordinates are used", 1);
    warning_is(f, "F-6", "scene0901_00.txt gives 1 keys again; the last one counts", 1);
    warning_is(f, "E-1", "a test scan without annotation: the room alone is measured", 1);
}

static void a_bad_alignment_is_refused(void **state)
{
    fixture *f = *state;
    put(f, ".txt", "axisAlignment = 1 0 0\n");
    must_fail(read_scan(f), ST_ERR_FORMAT, "scene0901_00.txt: axisAlignment: expected 16 numbers "
                                           "of an alignment, found 3");
    put(f, ".txt", "axisAlignment = 2 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n");
    assert_int_equal(read_scan(f).code, ST_ERR_DATA);
}

static void files_that_do_not_fit_are_refused(void **state)
{
    fixture *f = *state;
    put(f, SEGS, "{\"segIndices\":[7,7,9]}");
    must_fail(read_scan(f), ST_ERR_DATA, "scene0901_00" SEGS ": segIndices has 3 entries, but the "
              "mesh has 6 vertices: is one of the two from the other resolution (_vh_clean and "
              "_vh_clean_2)?");
    put(f, SEGS, "{\"segIndices\":[7,7,9,9,4,4]}");
    put(f, ".aggregation.json", "{\"segGroups\":[{\"objectId\":0,\"label\":\"chair\","
                                "\"segments\":[7,1,2]}]}");
    must_fail(read_scan(f), ST_ERR_DATA, "scene0901_00.aggregation.json: 2 of 3 segments are on no "
              "vertex, more than 20 %: does it belong to this mesh?");
    put(f, ".aggregation.json", "{\"segGroups\":7}");
    must_fail(read_scan(f), ST_ERR_FORMAT, "scene0901_00.aggregation.json: segGroups: expected an "
                                           "array, found an integer");
    put(f, SEGS, "{\"segIndices\":[7,7");
    assert_int_equal(read_scan(f).code, ST_ERR_FORMAT);
}

static void bad_vertices_keep_their_place(void **state)
{
    fixture *f = *state;
    put_mesh(f, NAN);                           /* one of six: more than 5 % */
    must_fail(read_scan(f), ST_ERR_DATA, "scene0901_00_vh_clean_2.ply: 1 of 6 vertices are not "
                                         "finite, more than 5 %");
    put(f, "_vh_clean_2.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n"
        "property float y\nproperty float z\nend_header\n0 nan 0\n");
    must_fail(read_scan(f), ST_ERR_DATA, "scene0901_00_vh_clean_2.ply: none of 1 vertices is "
                                         "finite");
    put(f, "_vh_clean_2.ply", "ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\n"
        "property float y\nproperty float z\nend_header\n");
    must_fail(read_scan(f), ST_ERR_DATA, "scene0901_00_vh_clean_2.ply: the mesh has no vertices");
}

static void groups_are_cleaned(void **state)
{
    fixture *f = *state;
    groups_are(f, "{\"objectId\":3,\"label\":\"chair\",\"segments\":[7]},"
                  "{\"objectId\":8,\"label\":\"chair\",\"segments\":[7,7]}");
    assert_int_equal(f->scan.instance_count, 1);
    warning_is(f, "E-12", "1 groups repeat an earlier one and were left out", 1);

    groups_are(f, "{\"objectId\":3,\"label\":\"chair\",\"segments\":[7]},"
                  "{\"objectId\":3,\"label\":\"desk\",\"segments\":[9]}");
    assert_int_equal(f->scan.instances[1].instance_id, 4);
    warning_is(f, "E-11", "objectId 3 names two different groups; the second is now 4", 1);

    groups_are(f, "{\"objectId\":3,\"label\":\"chair\",\"segments\":[7,9]},"
                  "{\"objectId\":1,\"label\":\"desk\",\"segments\":[9,4]}");
    assert_true(f->scan.instances[1].overlap);
    assert_int_equal(f->scan.instances[1].vertex_count, 2);
    warning_is(f, "E-13", "object 1 \"desk\": 2 vertices belong to an earlier object", 2);

    groups_are(f, "{\"objectId\":3,\"label\":\"chair\",\"segments\":[]},"
                  "{\"objectId\":1,\"label\":\"desk\",\"segments\":[9,4]}");
    assert_int_equal(f->scan.instance_count, 1);
    assert_string_equal(f->scan.dropped[0].reason, "empty");
}

static void ids_are_read_leniently(void **state)
{
    fixture *f = *state;
    groups_are(f, "{\"objectId\":\"12\",\"label\":\"chair\",\"segments\":[7]},"
                  "{\"objectId\":null,\"id\":5.0,\"label\":null,\"segments\":[9]},"
                  "{\"objectId\":-1,\"segments\":[4]}");
    assert_int_equal(f->scan.instances[0].instance_id, 12);
    assert_int_equal(f->scan.instances[1].instance_id, 5);
    assert_int_equal(f->scan.instances[2].instance_id, 2);
    assert_string_equal(f->scan.instances[1].raw_label, "");
    warning_is(f, "E-15", "1 groups have no usable objectId; their id was taken", 1);
}

static void bytes_that_are_not_utf8_cost_a_label_only(void **state)
{
    fixture *f = *state;
    groups_are(f, "{\"objectId\":0,\"label\":\"ch\xFFir\",\"segments\":[7]},"
                  "{\"objectId\":1,\"label\":\"chair\",\"segments\":[9]}");
    assert_string_equal(f->scan.instances[0].raw_label, "ch\xEF\xBF\xBDir");
    assert_string_equal(f->scan.instances[1].raw_label, "chair");
}

static void scans_are_found_below_a_path(void **state)
{
    fixture     *f = *state;
    const char **folders;
    size_t       count;
    must(st_scan_find(&folders, &count, &f->arena, f->root));
    assert_int_equal(count, 1);
    assert_string_equal(folders[0], f->folder);
    char path[200];
    snprintf(path, sizeof path, "%s/", f->folder);
    must(st_scan_find(&folders, &count, &f->arena, path));
    assert_string_equal(folders[0], f->folder);
    snprintf(path, sizeof path, "%s/nothing", f->root);
    must(st_folder_make(path));
    const st_status s = st_scan_find(&folders, &count, &f->arena, path);
    assert_int_equal(s.code, ST_ERR_DATA);
    assert_non_null(strstr(s.text, "expected a ScanNet or ARKitScenes scan"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_scan_reads, make, unmake),
        cmocka_unit_test_setup_teardown(missing_files_are_all_named, make, unmake),
        cmocka_unit_test_setup_teardown(a_test_scan_needs_no_annotation, make, unmake),
        cmocka_unit_test_setup_teardown(a_bad_alignment_is_refused, make, unmake),
        cmocka_unit_test_setup_teardown(files_that_do_not_fit_are_refused, make, unmake),
        cmocka_unit_test_setup_teardown(bad_vertices_keep_their_place, make, unmake),
        cmocka_unit_test_setup_teardown(groups_are_cleaned, make, unmake),
        cmocka_unit_test_setup_teardown(ids_are_read_leniently, make, unmake),
        cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_cost_a_label_only, make, unmake),
        cmocka_unit_test_setup_teardown(scans_are_found_below_a_path, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
