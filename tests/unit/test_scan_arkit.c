/* test_scan_arkit.c - tiny ARKitScenes folders: boxes, vertices inside them, visits, folds. */
#include "check.h"

#include "datagen/scans/internal.h"
#include "kernels/base/files.h"

#include <unistd.h>

typedef struct fixture {
    st_arena arena;
    st_scan  scan;
    char     root[64], folder[128];
} fixture;

#define BOX(label, x, size)                                                                       \
    "{\"label\":\"" label "\",\"segments\":{\"obbAligned\":{\"centroid\":[" #x ",0,0],"            \
    "\"axesLengths\":[" size "],\"normalizedAxes\":[1,0,0,0,1,0,0,0,1]}}}"

static void put(const fixture *f, const char *tail, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/99999901%s", f->folder, tail);
    must(st_file_write(path, text, strlen(text)));
}

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    snprintf(f->root, sizeof f->root, "/tmp/test_arkit_%d", (int)getpid());
    snprintf(f->folder, sizeof f->folder, "%s/3dod/Training/99999901", f->root);
    must(st_folder_make(f->folder));

    double points[8][3];
    uint32_t triangle[1][3] = {{0, 1, 2}};
    for (int i = 0; i < 8; i++)                 /* x = 0 .. 0.7 */
        points[i][0] = 0.1 * i, points[i][1] = 0.0, points[i][2] = 0.0;
    const st_mesh mesh = {.points_m = points, .point_count = 8, .triangles = triangle,
                          .triangle_count = 1};
    char path[256];
    snprintf(path, sizeof path, "%s/99999901_3dod_mesh.ply", f->folder);
    must(st_mesh_write_ply(path, &mesh));
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

static void annotate(fixture *f, const char *text)
{
    put(f, "_3dod_annotation.json", text);
    must(st_scan_read(&f->scan, &f->arena, f->folder));
}

/* A vertex in two boxes goes to the smaller one, whatever their order. */
static void vertices_go_to_the_smallest_box(void **state)
{
    fixture *f = *state;
    annotate(f, "{\"skipped\":false,\"data\":[" BOX("table", 0.35, "0.7,1,1") ","
                BOX("tv_monitor", 0.05, "0.1,0.1,0.1") "," BOX("sofa", 9, "1,1,1") "]}");
    assert_string_equal(f->scan.dataset, "arkitscenes");
    assert_string_equal(f->scan.space_id, "99999901");
    assert_string_equal(f->scan.split, "train");
    assert_int_equal(f->scan.instance_count, 2);
    assert_int_equal(f->scan.instances[0].vertex_count, 6);
    assert_int_equal(f->scan.instances[1].vertex_count, 2);     /* x = 0 and 0.1, on its faces */
    assert_int_equal(f->scan.dropped_count, 1);
    assert_int_equal(f->scan.dropped[0].instance_id, 2);
    assert_string_equal(f->scan.dropped[0].reason, "empty");
    assert_true(f->scan.instances[0].has_box);
}

static void bad_boxes_are_left_out(void **state)
{
    fixture *f = *state;
    annotate(f, "{\"data\":[{\"label\":\"bed\",\"segments\":{}},"
                "{\"label\":\"bed\",\"segments\":{\"obbAligned\":{\"centroid\":[0,0]}}},"
                BOX("bed", 0, "-0.4,1,1") "]}");
    assert_int_equal(f->scan.instance_count, 1);
    assert_near(f->scan.instances[0].box.half_m[0], 0.2, 1e-12);
    assert_int_equal(f->scan.warning_count, 2);
    assert_string_equal(f->scan.warnings[0].message, "object 0 \"bed\": no obbAligned");
    assert_non_null(strstr(f->scan.warnings[1].message, "expected 3 numbers, found 2"));
}

static void a_skipped_scan_has_a_room_only(void **state)
{
    fixture *f = *state;
    annotate(f, "{\"skipped\":true,\"data\":[" BOX("bed", 0, "1,1,1") "]}");
    assert_int_equal(f->scan.instance_count, 0);
    assert_string_equal(f->scan.warnings[0].rule, "E-31");
    annotate(f, "{\"data\":null}");
    assert_int_equal(f->scan.instance_count, 0);
}

static void missing_files_are_named(void **state)
{
    fixture *f = *state;
    must_fail(st_scan_read(&f->scan, &f->arena, f->folder), ST_ERR_IO,
              "missing: 99999901_3dod_annotation.json");
}

static void visits_come_from_the_table(void **state)
{
    (void)state;
    sti_arkit_visit v;
#define VISIT(csv, id) sti_arkit_visit_find(&v, st_str_from(csv), id)
    VISIT("video_id,visit_id,fold\r\n1,421372.0,Validation\r\n1,7,Training\r\n", "1");
    assert_true(st_str_is(v.visit_id, "421372"));
    assert_true(st_str_is(v.fold, "Validation"));
    assert_false(v.benchmark);
    VISIT("video_id,visit_id,fold\n2,NA,Training\n3,,\n", "2");
    assert_null(v.visit_id.data);
    VISIT("video_id,visit_id,fold\n2,NA,Training\n3,,\n", "3");
    assert_null(v.visit_id.data);
    VISIT("video_id,visit_id,fold\n5,77,Training\n41069025,77.0,Training\n", "5");
    assert_true(v.benchmark);                   /* 41069025 is a scan of the benchmark */
    VISIT("fold\n5\n", "5");
    assert_null(v.visit_id.data);
    VISIT("", "5");
    assert_null(v.visit_id.data);
#undef VISIT
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vertices_go_to_the_smallest_box, make, unmake),
        cmocka_unit_test_setup_teardown(bad_boxes_are_left_out, make, unmake),
        cmocka_unit_test_setup_teardown(a_skipped_scan_has_a_room_only, make, unmake),
        cmocka_unit_test_setup_teardown(missing_files_are_named, make, unmake),
        cmocka_unit_test_setup_teardown(visits_come_from_the_table, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
