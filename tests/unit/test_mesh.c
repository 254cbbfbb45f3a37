/* Meshes: our PLY reader and writer, Assimp for the rest, and motions. */
#include "arena_fixture.h"

#include "geometry/internal.h"
#include "kernels/base/files.h"
#include "kernels/base/rng.h"

#include <unistd.h>

static const char ASCII[] = "ply\nformat ascii 1.0\ncomment any words\nelement vertex 4\n"
                            "property float x\nproperty float y\nproperty float z\n"
                            "property uchar red\nproperty uchar green\nproperty uchar blue\n"
                            "property ushort label\n"
                            "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
                            "0 0 0 255 0 0 3\n1 0 0 0 255 0 3\n1 1 0 0 0 255 7\n0 1 nan 9 9 9 0\n"
                            "4 0 1 2 3\n";

static st_status read_text(st_mesh *mesh, st_arena *arena, const char *text)
{
    return st_mesh_read_ply(mesh, arena, st_str_from(text));
}

static void text_is_read_with_its_columns(void **state)
{
    st_arena *arena = *state;
    st_mesh mesh;
    must(read_text(&mesh, arena, ASCII));
    assert_int_equal(mesh.point_count, 4);
    assert_true(mesh.points_m[2][0] == 1 && mesh.points_m[2][1] == 1 && isnan(mesh.points_m[3][2]));
    assert_int_equal(mesh.triangle_count, 2);       /* the square became a fan */
    assert_memory_equal(mesh.triangles, ((uint32_t[2][3]){{0, 1, 2}, {0, 2, 3}}), 24);
    assert_memory_equal(mesh.colors[1], ((uint8_t[4]){0, 255, 0, 255}), 4);
    const st_mesh_column *label = st_mesh_find_column(&mesh, "label");
    assert_non_null(label);
    assert_int_equal(label->type, ST_PLY_UINT16);
    assert_true(label->values[2] == 7 && !st_mesh_find_column(&mesh, "nx"));
}

/* What we write, we read: the same numbers, order and types. */
static void binary_goes_there_and_back(void **state)
{
    st_arena *arena = *state;
    enum { N = 1000, M = 70000 };
    st_rng rng = st_rng_from(51);
    st_mesh mesh = {.point_count = N, .triangle_count = M, .column_count = 3}, back;
    must(ST_ALLOC(arena, &mesh.points_m, N));
    must(ST_ALLOC(arena, &mesh.triangles, M));
    must(ST_ALLOC(arena, &mesh.colors, N));
    must(ST_ALLOC(arena, &mesh.columns, 3));
    static const char *const names[] = {"label", "instance_id", "weight"};
    static const st_ply_type types[] = {ST_PLY_UINT16, ST_PLY_INT32, ST_PLY_FLOAT64};
    for (int c = 0; c < 3; c++) {
        mesh.columns[c].name = names[c];
        mesh.columns[c].type = types[c];
        must(ST_ALLOC(arena, &mesh.columns[c].values, N));
    }
    for (int i = 0; i < N; i++) {
        for (int x = 0; x < 3; x++) {
            mesh.points_m[i][x] = (float)st_rng_normal(&rng);
            mesh.colors[i][x] = (uint8_t)st_rng_below(&rng, 256);
        }
        mesh.columns[0].values[i] = (double)st_rng_below(&rng, 65536);
        mesh.columns[1].values[i] = (double)st_rng_below(&rng, 1u << 31) - (1 << 30);
        mesh.columns[2].values[i] = st_rng_normal(&rng);
    }
    for (int i = 0; i < 3 * M; i++)
        mesh.triangles[i / 3][i % 3] = (uint32_t)st_rng_below(&rng, N);

    char path[] = "/tmp/st_mesh_XXXXXX";
    close(mkstemp(path));
    must(st_mesh_write_ply(path, &mesh));
    uint64_t bytes;
    must(st_file_size(path, &bytes));
    assert_true(bytes > N * (16 + 2 + 4 + 8) + M * 13 && bytes < N * 30 + M * 13 + 500);
    must(st_mesh_read(&back, arena, path));
    assert_int_equal(back.point_count, N);
    assert_int_equal(back.triangle_count, M);
    assert_memory_equal(back.points_m, mesh.points_m, N * sizeof *mesh.points_m);
    assert_memory_equal(back.triangles, mesh.triangles, M * sizeof *mesh.triangles);
    assert_memory_equal(back.colors, mesh.colors, N * sizeof *mesh.colors);
    for (int c = 0; c < 3; c++) {
        assert_string_equal(back.columns[c].name, names[c]);
        assert_int_equal(back.columns[c].type, types[c]);
        assert_memory_equal(back.columns[c].values, mesh.columns[c].values, N * sizeof(double));
    }

    mesh.columns[0].values[17] = 70000;
    char sentence[200];
    snprintf(sentence, sizeof sentence,
             "%s: \"label\" of vertex 17 is 70000, does not fit ushort", path);
    must_fail(st_mesh_write_ply(path, &mesh), ST_ERR_DATA, sentence);
    must(st_mesh_read(&back, arena, path));         /* the old file still stands */
    unlink(path);
}

/* Cut at every byte: a sentence, but for the last one, a blank. */
static void any_cut_is_survived(void **state)
{
    st_arena *arena = *state;
    const st_arena_mark mark = st_arena_mark_get(arena);
    for (size_t size = 0; size + 1 < sizeof ASCII; size++) {
        char *copy = malloc(size ? size : 1);       /* on the heap: an overrun is caught */
        memcpy(copy, ASCII, size);
        st_mesh mesh;
        const st_status s = st_mesh_read_ply(&mesh, arena, (st_str){copy, size});
        assert_int_equal(s.code == ST_OK, size + 2 == sizeof ASCII);
        free(copy);
        st_arena_rewind(arena, mark);
    }
}

#define HEAD "ply\nformat ascii 1.0\n"
#define XYZ "property float x\nproperty float y\nproperty float z\n"

static void every_fault_has_its_sentence(void **state)
{
    static const struct {
        const char *text;
        st_code     code;
        const char *sentence;
    } cases[] = {
        {"", ST_ERR_FORMAT, "the header has no end_header"},
        {"off\n", ST_ERR_FORMAT, "not a PLY file: the first line is not \"ply\""},
        {HEAD, ST_ERR_FORMAT, "the header has no end_header"},
        {"ply\nend_header\n", ST_ERR_FORMAT, "the header names no format"},
        {"ply\nformat binary_big_endian 1.0\nend_header\n", ST_ERR_UNSUPPORTED,
         "line 2: big-endian PLY is not read: save it as binary_little_endian or ascii"},
        {"ply\nformat utf16 1.0\n", ST_ERR_FORMAT, "line 2: unknown PLY format \"utf16\""},
        {HEAD "colour red\n", ST_ERR_FORMAT, "line 3: unknown header word \"colour\""},
        {HEAD "element vertex -1\n", ST_ERR_FORMAT,
         "line 3: expected `element NAME COUNT`, found the count \"-1\""},
        {HEAD "property float x\n", ST_ERR_FORMAT, "line 3: a property before the first element"},
        {HEAD "element vertex 1\nproperty quad x\n", ST_ERR_FORMAT,
         "line 4: unknown property type \"quad\""},
        {HEAD "element vertex 1\nproperty list float int x\n", ST_ERR_FORMAT,
         "line 4: a list cannot be counted by \"float\""},
        {HEAD "element vertex 1\nproperty float x\nproperty float x\n", ST_ERR_FORMAT,
         "line 5: two properties are called \"x\""},
        {HEAD "end_header\n", ST_ERR_FORMAT, "the header declares no vertices"},
        {HEAD "element vertex 1\nproperty float x\nproperty float y\nend_header\n1 2\n",
         ST_ERR_FORMAT, "vertices have no property \"z\""},
        {HEAD "element vertex 9\n" XYZ "end_header\n1 2 3\n", ST_ERR_FORMAT,
         "9 rows of \"vertex\" are promised, the file has room for 1"},
        {HEAD "element vertex 60000000\nproperty float x\nend_header\n", ST_ERR_FORMAT,
         "60000000 rows of \"vertex\" are promised, the file has room for 0"},
        {HEAD "element vertex 1\n" XYZ "end_header\n1 2 three\n", ST_ERR_FORMAT,
         "vertex 0 of 1: byte 104: expected a number, found \"three\""},
        {HEAD "element vertex 1\n" XYZ "element face 1\nproperty list uchar int vertex_indices\n"
              "end_header\n1 2 3\n3 0 0 1\n", ST_ERR_DATA, "face 0 of 1: names vertex 1 of 1"},
        {HEAD "element vertex 1\n" XYZ "element face 1\nproperty list uchar int vertex_indices\n"
              "end_header\n1 2 3\n200 0 0 1\n", ST_ERR_FORMAT,
         "face 0 of 1: a list of 200 items, the file has room for 4"},
        {HEAD "element vertex 1\n" XYZ "element face 1\nproperty int vertex_indices\n"
              "end_header\n1 2 3\n3 0 0 0\n", ST_ERR_FORMAT,
         "faces have no list \"vertex_indices\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        st_mesh mesh = {.point_count = 77};
        must_fail(read_text(&mesh, *state, cases[i].text), cases[i].code, cases[i].sentence);
        assert_int_equal(mesh.point_count, 77);
    }
}

static void other_formats_go_through_assimp(void **state)
{
    st_arena *arena = *state;
    char path[] = "/tmp/st_mesh_XXXXXX.obj";
    close(mkstemps(path, 4));
    static const char obj[] = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n";
    must(st_file_write(path, obj, sizeof obj - 1));
    st_mesh mesh = {.point_count = 0};
    const st_status s = st_mesh_read(&mesh, arena, path);
    if (s.code == ST_ERR_UNSUPPORTED) {
        printf("skipped: %s\n", s.text);
    } else {
        must(s);
        assert_int_equal(mesh.point_count, 4);
        assert_int_equal(mesh.triangle_count, 2);
        assert_true(mesh.points_m[2][0] == 1 && mesh.points_m[2][1] == 1);
        must(st_file_write(path, "v 0 0 zero", 10));
        assert_int_not_equal(st_mesh_read(&mesh, arena, path).code, ST_OK);
    }
    unlink(path);
}

/* Two readers of one file: Assimp sees the same vertices, in the same order, and the same faces. */
static void assimp_agrees_about_ply(void **state)
{
    st_arena *arena = *state;
    enum { N = 500, M = 900 };
    st_rng rng = st_rng_from(52);
    st_mesh mesh = {.point_count = N, .triangle_count = M}, ours, theirs;
    must(ST_ALLOC(arena, &mesh.points_m, N));
    must(ST_ALLOC(arena, &mesh.triangles, M));
    for (int i = 0; i < 3 * N; i++)
        mesh.points_m[i / 3][i % 3] = st_rng_normal(&rng);
    for (uint32_t i = 0; i < 3 * M; i++)
        mesh.triangles[i / 3][i % 3] = (i * 7 + i / 3) % N;
    char path[] = "/tmp/st_mesh_XXXXXX.ply";
    close(mkstemps(path, 4));
    must(st_mesh_write_ply(path, &mesh));
    must(st_mesh_read(&ours, arena, path));
    const st_status s = sti_mesh_read_other(&theirs, arena, path);
    unlink(path);
    if (s.code == ST_ERR_UNSUPPORTED) {
        printf("skipped: %s\n", s.text);
        return;
    }
    must(s);
    assert_int_equal(theirs.point_count, N);
    assert_int_equal(theirs.triangle_count, M);
    assert_memory_equal(theirs.points_m, ours.points_m, N * sizeof *ours.points_m);
    assert_memory_equal(theirs.triangles, ours.triangles, M * sizeof *ours.triangles);
}

static void alignment_lines_are_parsed(void **state)
{
    (void)state;
    double pose[16];
    must(st_axis_alignment_parse(pose, st_str_from(" 0.945519 0.325568 0.000000 -5.384390 "
                                                   "-0.325568 0.945519 0.000000 -2.871780 "
                                                   "0 0 1 -0.064350 0 0 0 1 \r\n")));
    assert_true(pose[3] == -5.38439 && pose[10] == 1.0);
    must_fail(st_axis_alignment_parse(pose, st_str_from("1 0 0")), ST_ERR_FORMAT,
              "expected 16 numbers of an alignment, found 3");
    must_fail(st_axis_alignment_parse(pose, st_str_from("1 0 x")), ST_ERR_FORMAT,
              "number 3 of 16 of an alignment is not a number");
    must_fail(st_axis_alignment_parse(pose,
                                      st_str_from("1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 0")),
              ST_ERR_FORMAT, "expected 16 numbers of an alignment, found more");

    double points[2][3] = {{1, 2, 3}, {NAN, 0, 0}};
    st_mesh mesh = {.points_m = points, .point_count = 2};
    must(st_axis_alignment_parse(pose, st_str_from("0 -1 0 5 1 0 0 6 0 0 1 7 0 0 0 1")));
    st_mesh_move(&mesh, pose);
    assert_true(points[0][0] == 3 && points[0][1] == 7 && points[0][2] == 10);
    assert_true(isnan(points[1][0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_with_its_columns),
        cmocka_unit_test(binary_goes_there_and_back),
        cmocka_unit_test(any_cut_is_survived),
        cmocka_unit_test(every_fault_has_its_sentence),
        cmocka_unit_test(other_formats_go_through_assimp),
        cmocka_unit_test(assimp_agrees_about_ply),
        cmocka_unit_test(alignment_lines_are_parsed),
    };
    return cmocka_run_group_tests(tests, arena_set_up, arena_tear_down);
}
