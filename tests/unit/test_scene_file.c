/* test_scene_file.c - a scene written and read back is the same; a changed file is noticed. */
#include "check.h"

#include "datagen/scene/scene.h"
#include "kernels/base/files.h"

#include <unistd.h>

static st_obb box_at(double x, double y, double sx, double sy, double sz)
{
    return (st_obb){.center_m = {x, y, sz / 2},
                    .axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                    .half_m = {sx / 2, sy / 2, sz / 2}};
}

static st_object object(int id, const char *label, st_obb box)
{
    st_object o = {.instance_id = id, .raw_label = label, .label = label, .nyu40 = 5,
                   .point_count = 321, .box = box, .box_min = box, .has_box_min = id % 2};
    st_obb_bounds(o.aabb_min_m, o.aabb_max_m, &box);
    return o;
}

/* Two chairs, a desk, a lamp that stands for several; one dropped stool. */
static void fill(st_scene *s, st_object objects[4], st_label_count counts[3])
{
    static st_dropped dropped[] = {
        {.instance_id = 9, .raw_label = "bench", .reason = "few_points"}};
    static st_input   inputs[] = {{.path = "scan/mesh.ply", .bytes = 12345,
        .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}};
    static st_warning warnings[] = {
        {.rule = "E-13", .code = "overlap", .message = "12 vertices", .count = 12}};
    static st_point2  points[] = {{0, 0}, {4, 0}, {4, 3}, {0, 3}};
    static st_outline outlines[] = {{points, 4}};
    static st_point2  sides[] = {{2, 0}, {2.125, 0}, {2.125, 3}, {2, 3}};
    static st_outline walls[] = {{sides, 4}};
    static st_route   routes[] = {{
        .start = 3, .facing = 0, .from_m = {0.5, 0.725}, .leg_count = 2, .blank_count = 1,
        .legs = {{.object = 0, .aim_m = {1, 1}, .reach_m = 0.9, .stop_m = {0.9, 0.8}},
                 {.object = 2, .turn = ST_TURN_LEFT, .turn_deg = 72.5, .aim_m = {3, 1},
                  .reach_m = 1.25, .stop_m = {1.825, 0.925}}},
        .clearance_m = 0.05, .robust_cases = 9, .robust_kept = 8}};

    static st_surface_gap surfaces[] = {{2, 3, 2.125}};

    objects[0] = object(0, "chair", box_at(1, 1, 0.5, 0.5, 1));
    objects[1] = object(1, "chair", box_at(2, 1, 0.5, 0.6, 1));
    objects[2] = object(2, "desk", box_at(3, 1, 1.5, 0.7, 0.75));
    objects[3] = object(5, "lamp", box_at(0.1, 0.3, 0.2, 0.2, 0.4));
    objects[3].flags = ST_FLAG_PLURAL | ST_FLAG_TRIMMED;
    counts[0] = (st_label_count){"chair", 2};
    counts[1] = (st_label_count){"desk", 1};
    counts[2] = (st_label_count){"lamp", 1};
    *s = (st_scene){.dataset = "scannet", .scene_id = "scene0901_00", .space_id = "scene0901",
                    .split = "train", .vertex_count = 1000, .face_count = 1900,
                    .dropped_vertex_count = 3, .objects = objects, .object_count = 4,
                    .counts = counts, .count_count = 3, .dropped = dropped, .dropped_count = 1,
                    .warnings = warnings, .warning_count = 1, .inputs = inputs, .input_count = 1,
                    .has_routes = true, .routes = routes, .route_count = 1,
                    .surfaces = surfaces, .surface_count = 1};
    for (int k = 0; k < 4; k++)
        s->raw_to_scene[5 * k] = 1.0;
    s->room = (st_room){.known = true, .area_m2 = 12.0, .area_open_m2 = 11.5, .area_hull_m2 = 12.25,
                        .floor_area_m2 = -1.0, .area_vsi_m2 = 11.9, .area_vsi_sd_m2 = 0.05,
                        .alpha_radius_m = 0.2, .center_m = {2, 1.5, 1.25},
                        .aabb_max_m = {4, 3, 2.5},
                        .has_extent = true, .scene_type = "Bedroom / Hotel",
                        .flags = ST_FLAG_UNALIGNED, .outlines = outlines, .outline_count = 1,
                        .walls = walls, .wall_count = 1};
}

typedef struct fixture {
    st_scene       scene;
    st_object      objects[4];
    st_label_count counts[3];
    st_text        text;
    st_arena       arena;
    char           path[64];
} fixture;

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_text_init(&f->text);
    st_arena_init(&f->arena, "test");
    snprintf(f->path, sizeof f->path, "/tmp/test_scene_file_%d.json", (int)getpid());
    fill(&f->scene, f->objects, f->counts);
    st_scene_mark_referents(&f->scene);
    must(st_scene_write(&f->text, &f->scene));
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    st_text_free(&f->text);
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static void read_back(fixture *f, st_scene_list *list, st_failure_list *failures)
{
    *list = (st_scene_list){0};
    *failures = (st_failure_list){0};
    must(st_file_write(f->path, f->text.data, strlen(f->text.data)));
    must(st_scene_read(list, failures, &f->arena, f->path));
}

static void what_is_written_reads_back_the_same(void **state)
{
    fixture        *f = *state;
    st_scene_list   list;
    st_failure_list failures;
    read_back(f, &list, &failures);
    assert_int_equal(failures.count, 0);
    assert_int_equal(list.count, 1);
    st_text again;
    st_text_init(&again);
    must(st_scene_write(&again, &list.scenes[0]));
    assert_string_equal(again.data, f->text.data);
    st_text_free(&again);
    assert_false(list.scenes[0].from_metadata);
    assert_int_equal(list.scenes[0].room.outlines[0].count, 4);
    assert_int_equal(list.scenes[0].room.wall_count, 1);
    assert_true(list.scenes[0].room.walls[0].points[1].x_m == 2.125);
    assert_int_equal(list.scenes[0].route_count, 1);
    assert_int_equal(list.scenes[0].routes[0].blank_count, 1);
    assert_int_equal(list.scenes[0].routes[0].legs[1].object, 2);
    double gap_m = 0.0;
    assert_true(st_scene_surface_gap(&gap_m, &list.scenes[0], 3, 2));
    assert_true(gap_m == 2.125);
    assert_false(st_scene_surface_gap(&gap_m, &list.scenes[0], 0, 2));
}

static void keys_stand_in_the_stated_order(void **state)
{
    static const char *const keys[] = {
        "schema", "dataset", "scene_id", "space_id", "split", "raw_to_scene", "n_vertices",
        "n_faces", "n_dropped_vertices", "room", "area_m2", "area_open_m2", "area_hull_m2",
        "floor_area_m2", "area_vsi_m2", "area_vsi_sd_m2", "alpha_radius_m", "center_m",
        "aabb_min_m", "aabb_max_m", "floor_z_m", "flags", "scene_type", "outlines_m", "walls_m",
        "objects", "instance_id",
        "raw_label", "nyu40", "label", "n_points", "obb", "obb_min", "aabb_min_m", "referent",
        "countable", "flags", "object_counts", "dropped", "warnings", "inputs",
        "routes", "start", "facing", "from_m", "legs", "turn", "turn_deg", "to", "aim_m", "reach_m",
        "stop_m", "clearance_m", "robust_cases", "robust_kept",
        "surfaces", "a", "b", "gap_m"};
    fixture    *f = *state;
    const char *at = f->text.data;
    for (size_t i = 0; i < COUNT(keys); i++) {
        char key[40];
        snprintf(key, sizeof key, "\"%s\":", keys[i]);
        at = strstr(at, key);
        assert_non_null(at);
    }
    assert_non_null(strstr(f->text.data, "\"floor_area_m2\": null"));
}

/* The dropped bench may be taken for a chair, so neither chairs nor "the chair" can be asked. */
static void referents_follow_groups_and_losses(void **state)
{
    fixture *f = *state;
    assert_false(f->objects[0].countable);
    assert_true(f->objects[2].referent);
    assert_true(f->objects[2].countable);
    assert_false(f->objects[3].referent);       /* plural */
    assert_false(f->objects[3].countable);

    f->scene.dropped[0].reason = "empty";
    st_scene_mark_referents(&f->scene);
    assert_true(f->objects[0].countable);
    f->objects[2].label = f->objects[2].raw_label = "stool";
    st_scene_mark_referents(&f->scene);
    assert_false(f->objects[0].countable);      /* a stool may be taken for a chair */
    assert_false(f->objects[2].referent);
    f->objects[2].label = "sofa";
    f->objects[2].raw_label = "sofa";
    f->objects[0].raw_label = "sofa chair";
    st_scene_mark_referents(&f->scene);
    assert_false(f->objects[2].referent);       /* "the sofa" might be the sofa chair */
    f->scene.dropped[0].reason = "few_points";
}

static void fails_with(fixture *f, const char *from, const char *to, const char *sentence)
{
    char *at = strstr(f->text.data, from);
    assert_non_null(at);
    const size_t   kept = (size_t)(at - f->text.data);
    st_text        edited;
    st_scene_list  list = {0};
    st_failure_list failures = {0};
    st_text_init(&edited);
    st_text_add_bytes(&edited, f->text.data, kept);
    st_text_add(&edited, to);
    st_text_add(&edited, at + strlen(from));
    must(st_file_write(f->path, edited.data, edited.size));
    must(st_scene_read(&list, &failures, &f->arena, f->path));
    assert_int_equal(failures.count, 1);
    const st_scene_failure *why = &failures.failures[0];
    const char             *said = why->why.text;
    if (!why->scene_id) {           /* nobody would know which file it was */
        assert_memory_equal(said, f->path, strlen(f->path));
        said += strlen(f->path) + 2;
    }
    assert_string_equal(said, sentence);
    st_text_free(&edited);
}

static void changed_files_are_refused(void **state)
{
    fixture *f = *state;
    fails_with(f, "\"raw_to_scene\": [1, 0,", "\"raw_to_scene\": [0.9, 0,",
               "raw_to_scene: not a rigid motion: off orthonormal by 0.19, at most 0.001 can be "
               "mended: determinant 0.9");
    fails_with(f, "st-scene/1", "st-scene/9",
               "schema: expected \"st-scene/1\", found \"st-scene/9\"");
    fails_with(f, "\"instance_id\": 1", "\"instance_id\": 0",
               "objects: instance_id 0 is there twice");
    fails_with(f, "\"chair\": 2", "\"chair\": 3",
               "object_counts.chair: says 3, but the objects are 2");
    fails_with(f, "\"chair\": 2", "\"chair\": 2, \"bed\": 0",
               "object_counts: names 4 labels, but the objects have 3");
    fails_with(f, "\"unaligned\"", "\"crooked\"", "room.flags[0]: no flag is called \"crooked\"");
    fails_with(f, "\"nyu40\": 5", "\"nyu40\": 41",
               "objects[0].nyu40: expected 0 to 40, found 41");
    fails_with(f, "\"scene_id\": \"scene0901_00\"", "\"scene_id\": \"\"",
               "scene_id: expected a name, found an empty string");
    fails_with(f, "\"area_m2\": 12", "\"area_m2\": -12",
               "room.area_m2: expected a number of at least 0, found -12");
    fails_with(f, "[0, 0, 4, 0, 4, 3, 0, 3]", "[0, 0, 4]",
               "room.outlines_m[0]: expected pairs of numbers, found 3 numbers");
    fails_with(f, "[0, 0, 4, 0, 4, 3, 0, 3]", "[]",
               "room.outlines_m[0]: expected pairs of numbers, found 0 numbers");
    fails_with(f, "[2, 0, 2.125, 0,", "[2, 0, 2.125, 1e9,",
               "room.walls_m[0]: point 1 is beyond 100000 m");
    fails_with(f, "\"start\": 5", "\"start\": 6",
               "routes[0].start: no object has the instance_id 6");
    fails_with(f, "\"Turn Left\"", "\"Turn Right\"",
               "routes[0].legs[1].turn: \"Turn Right\" is no name for a turn of 72.5 degrees");
    fails_with(f, "\"facing\": 0", "\"facing\": 1",
               "routes[0].legs[0]: expected a turn before every "
               "leg but one towards what is faced");
    fails_with(f, "\"robust_kept\": 8", "\"robust_kept\": 10",
               "routes[0].robust_kept: expected at most 9 cases, found 10 of 9");
    fails_with(f, "\"reach_m\": 1.25", "\"reach_m\": -1",
               "routes[0].legs[1].reach_m: expected a length, found -1");
    fails_with(f, "\"gap_m\": 2.125", "\"gap_m\": -1",
               "surfaces[0].gap_m: expected a distance, found -1");
    fails_with(f, "\"a\": 2", "\"a\": 7", "surfaces[0].a: no object has the instance_id 7");
}

/* Files from before there were routes, and scans without a floor: nobody looked. */
static void a_file_without_routes_is_read(void **state)
{
    fixture        *f = *state;
    st_scene_list   list;
    st_failure_list failures;
    f->scene.has_routes = false;
    st_text_clear(&f->text);
    must(st_scene_write(&f->text, &f->scene));
    assert_null(strstr(f->text.data, "routes"));
    read_back(f, &list, &failures);
    assert_int_equal(list.count, 1);
    assert_false(list.scenes[0].has_routes);
    assert_int_equal(list.scenes[0].route_count, 0);
}

static void printing_shows_what_is_there(void **state)
{
    fixture *f = *state;
    st_text  out;
    st_text_init(&out);
    st_scene_print(&out, &f->scene);
    assert_non_null(strstr(out.data, "scene0901_00  scannet  room scene0901  split train\n"));
    assert_non_null(strstr(out.data, "  area           12.000 m2\n"));
    assert_non_null(strstr(out.data, "counts: chair 2, desk 1, lamp 1\n"));
    assert_non_null(strstr(out.data, "dropped: 9 \"bench\": few_points\n"));
    assert_non_null(strstr(out.data, "warning: E-13 overlap: 12 vertices\n"));
    st_text_clear(&out);
    st_scene_print_list(&out, &f->scene, 1);
    assert_non_null(strstr(out.data, "scene0901_00     scannet"));
    st_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_reads_back_the_same, make, unmake),
        cmocka_unit_test_setup_teardown(keys_stand_in_the_stated_order, make, unmake),
        cmocka_unit_test_setup_teardown(referents_follow_groups_and_losses, make, unmake),
        cmocka_unit_test_setup_teardown(changed_files_are_refused, make, unmake),
        cmocka_unit_test_setup_teardown(a_file_without_routes_is_read, make, unmake),
        cmocka_unit_test_setup_teardown(printing_shows_what_is_there, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
