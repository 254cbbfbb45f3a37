/* test_measure.c - made scans with closed-form answers: areas, boxes, and who is left out. */
#include "check.h"

#include "datagen/scene/measure.h"
#include "geometry/alpha.h"
#include "geometry/pose.h"

static const char TABLE[] = "raw_category\tnyu40id\nwall\t1\nfloor\t2\nchair\t5\ndesk\t14\n"
                            "lamp\t35\npillows\t18\ncounter\t12\nthing\t40\n";

/* A scan under construction: points are appended, instances take ranges of them. */
typedef struct fixture {
    st_arena        arena, scratch;
    st_label_table *table;
    st_scan         scan;
    st_scene        scene;
    double (*points)[3];
    st_instance    *instances;
} fixture;

enum { POINTS_MAX = 60000, INSTANCES_MAX = 16 };

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    st_arena_init(&f->scratch, "scratch");
    must(st_label_table_parse(&f->table, st_str_from(TABLE)));
    must(ST_ALLOC(&f->arena, &f->points, POINTS_MAX));
    must(ST_ALLOC(&f->arena, &f->instances, INSTANCES_MAX));
    f->scan = (st_scan){.dataset = "scannet", .scan_id = "scene0901_00", .space_id = "scene0901",
                        .split = "train", .aligned = true, .instances = f->instances,
                        .mesh = {.points_m = f->points}};
    for (int k = 0; k < 4; k++)
        f->scan.scene_from_raw[5 * k] = 1.0;
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    st_label_table_free(f->table);
    st_arena_free(&f->arena);
    st_arena_free(&f->scratch);
    free(f);
    return 0;
}

/* The next instance owns all points added since the one before. */
static void instance(fixture *f, int id, const char *label, size_t from)
{
    st_instance *it = &f->instances[f->scan.instance_count++];
    *it = (st_instance){.instance_id = id, .raw_label = label,
                        .vertex_count = f->scan.mesh.point_count - from};
    must(ST_ALLOC(&f->arena, &it->vertices, it->vertex_count));
    for (size_t i = 0; i < it->vertex_count; i++)
        it->vertices[i] = (uint32_t)(from + i);
}

static size_t point(fixture *f, double x, double y, double z)
{
    double *p = f->points[f->scan.mesh.point_count++];
    assert_true(f->scan.mesh.point_count <= POINTS_MAX);
    p[0] = x, p[1] = y, p[2] = z;
    return f->scan.mesh.point_count - 1;
}

/* The surface of an upright box turned by yaw, n+1 points along each edge. */
static void box(fixture *f, int id, const char *label, const double center[3],
                const double size[3], double yaw, int n)
{
    const size_t from = f->scan.mesh.point_count;
    for (int i = 0; i <= n; i++)
        for (int j = 0; j <= n; j++)
            for (int k = 0; k <= n; k++) {
                if (i % n && j % n && k % n)
                    continue;
                const double x = size[0] * (i / (double)n - 0.5);
                const double y = size[1] * (j / (double)n - 0.5);
                point(f, center[0] + x * cos(yaw) - y * sin(yaw),
                      center[1] + x * sin(yaw) + y * cos(yaw),
                      center[2] + size[2] * (k / (double)n - 0.5));
            }
    instance(f, id, label, from);
}

/* A floor of 4 x 3 m with corners of a ceiling above, so that the room has a height. */
static void room(fixture *f)
{
    const size_t from = f->scan.mesh.point_count;
    for (int i = 0; i <= 80; i++)
        for (int j = 0; j <= 60; j++)
            point(f, i * 0.05, j * 0.05, 0.0);
    instance(f, 0, "floor", from);
    point(f, 0, 0, 2.5);
    point(f, 4, 3, 2.5);
}

static void measure(fixture *f)
{
    must(st_scene_measure(&f->scene, &f->arena, &f->scratch, &f->scan, f->table,
                          ST_VOCABULARY_MIXED));
}

static const char *reason_of(const fixture *f, int id)
{
    for (size_t i = 0; i < f->scene.dropped_count; i++)
        if (f->scene.dropped[i].instance_id == id)
            return f->scene.dropped[i].reason;
    return "kept";
}

static void the_room_is_what_it_is(void **state)
{
    fixture *f = *state;
    room(f);
    measure(f);
    const st_room *r = &f->scene.room;
    assert_true(r->known && r->has_extent);
    assert_near(r->area_m2, 12.0, 1e-6);
    assert_near(r->area_hull_m2, 12.0, 1e-6);
    assert_near(r->floor_area_m2, 12.0, 0.35);      /* counted in 5 cm cells */
    assert_near(r->floor_z_m, 0.0, 1e-9);
    assert_near(r->center_m[2], 1.25, 1e-6);
    assert_near(r->aabb_max_m[0], 4.0, 1e-9);
    assert_int_equal(r->outline_count, 1);
    assert_string_equal(reason_of(f, 0), "structure");
}

/* Two sides of a wall with a doorway under a lintel, and one side of another wall. */
static void walls_between_rooms_are_outlined(void **state)
{
    fixture *f = *state;
    room(f);
    const size_t from = f->scan.mesh.point_count;
    for (int k = 0; k <= 48; k++)
        for (int j = 0; j <= 60; j++) {
            const bool doorway = j > 20 && j < 38 && k < 41;
            if (!doorway) {
                point(f, 2.0, j * 0.05, k * 0.05);
                point(f, 2.12, j * 0.05, k * 0.05);
            }
            point(f, 4.0, j * 0.05, k * 0.05);
        }
    instance(f, 1, "wall", from);
    measure(f);
    const st_room *r = &f->scene.room;
    double area_m2 = 0.0;
    assert_int_equal(r->wall_count, 2);
    for (size_t i = 0; i < r->wall_count; i++) {
        const st_outline *o = &r->walls[i];
        const st_ring ring = {(double (*)[2])(void *)o->points, o->count};
        area_m2 += st_ring_area(&ring);
        for (size_t k = 0; k < o->count; k++) {
            assert_true(o->points[k].x_m >= 2.0 && o->points[k].x_m <= 2.12);
            assert_true(o->points[k].y_m <= 1.0 || o->points[k].y_m >= 1.9);
        }
    }
    assert_near(area_m2, 0.12 * (1.0 + 1.1), 0.03);
    assert_string_equal(reason_of(f, 1), "structure");
}

static void boxes_come_back(void **state)
{
    fixture *f = *state;
    room(f);
    box(f, 3, "desk", (double[]){2, 1.5, 0.4}, (double[]){1.4, 0.7, 0.8}, 0.3, 24);
    box(f, 1, "chair", (double[]){1, 1, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 18);
    measure(f);
    assert_int_equal(f->scene.object_count, 2);
    const st_object *chair = &f->scene.objects[0], *desk = &f->scene.objects[1];
    assert_int_equal(chair->instance_id, 1);
    assert_near(2 * desk->box.half_m[0], 1.4, 2e-6);
    assert_near(2 * desk->box.half_m[1], 0.7, 2e-6);
    assert_near(atan2(desk->box.axis[0][1], desk->box.axis[0][0]), 0.3, 1e-6);
    assert_near(desk->box.axis[2][2], 1.0, 0.0);
    assert_true(desk->has_box_min && desk->referent && desk->countable);
    assert_near(chair->aabb_max_m[2], 0.9, 1e-6);
    assert_int_equal(f->scene.count_count, 2);
}

/* A counter along three sides of a square, and a desk amidst: the boxes meet, the surfaces do not.
 * Against a search of all pairs. */
static void surfaces_are_farther_than_boxes(void **state)
{
    fixture *f = *state;
    room(f);
    size_t from = f->scan.mesh.point_count;
    for (int i = 0; i <= 50; i++)
        for (int k = 0; k <= 4; k++) {
            point(f, 1 + i * 0.04, 0.5 + (i % 2) * 0.04, k * 0.04);
            point(f, 1 + (i % 2) * 0.04, 0.5 + i * 0.04, k * 0.04);
            point(f, 3 - (i % 2) * 0.04, 0.5 + i * 0.04, k * 0.04);
        }
    instance(f, 1, "counter", from);
    box(f, 2, "desk", (double[]){2.0, 1.7, 0.4}, (double[]){0.6, 0.5, 0.8}, 0.3, 18);
    measure(f);
    assert_int_equal(f->scene.object_count, 2);
    assert_near(st_obb_distance(&f->scene.objects[0].box, &f->scene.objects[1].box), 0.0, 1e-9);

    double nearest_m = INFINITY, gap_m;
    const st_instance *counter = &f->instances[1], *desk = &f->instances[2];
    for (size_t i = 0; i < counter->vertex_count; i++)
        for (size_t k = 0; k < desk->vertex_count; k++) {
            const double *p = f->points[counter->vertices[i]], *q = f->points[desk->vertices[k]];
            nearest_m = fmin(nearest_m, hypot(hypot(p[0] - q[0], p[1] - q[1]), p[2] - q[2]));
        }
    assert_true(nearest_m > 0.4);
    assert_int_equal(f->scene.surface_count, 1);
    assert_true(st_scene_surface_gap(&gap_m, &f->scene, 0, 1));
    assert_near(gap_m, nearest_m, 1e-6);
}

static void what_is_no_thing_is_dropped(void **state)
{
    fixture *f = *state;
    room(f);
    const size_t few = f->scan.mesh.point_count;
    for (int i = 0; i < 99; i++)
        point(f, 1 + 0.005 * i, 1, 0.005 * (i % 7));
    instance(f, 1, "chair", few);
    const size_t thin = f->scan.mesh.point_count;
    for (int i = 0; i < 200; i++)
        point(f, 1 + 0.005 * i, 2, 0.5 + 0.04 * (i % 2));
    instance(f, 2, "lamp", thin);
    box(f, 3, "desk", (double[]){2, 1.5, 1}, (double[]){3.4, 2.6, 1.9}, 0.0, 60);
    box(f, 4, "zebra", (double[]){1, 1, 0.4}, (double[]){0.5, 0.5, 0.5}, 0.0, 18);
    box(f, 5, "thing", (double[]){1, 2, 0.4}, (double[]){0.5, 0.5, 0.5}, 0.0, 18);
    measure(f);
    assert_int_equal(f->scene.object_count, 0);
    assert_string_equal(reason_of(f, 1), "few_points");
    assert_string_equal(reason_of(f, 2), "degenerate");
    assert_string_equal(reason_of(f, 3), "oversize");
    assert_string_equal(reason_of(f, 4), "unknown_label");
    assert_string_equal(reason_of(f, 5), "other_class");
    assert_string_equal(f->scene.warnings[0].rule, "E-16");
}

/* Three chairs in one place are one: the one with the most points stays. */
static void the_same_thing_twice_is_one(void **state)
{
    fixture *f = *state;
    room(f);
    box(f, 1, "chair", (double[]){1, 1, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 16);
    box(f, 2, "chair", (double[]){1.02, 1, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 20);
    box(f, 3, "chair", (double[]){1, 1.02, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 17);
    box(f, 4, "desk", (double[]){1, 1, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 16);
    measure(f);
    assert_int_equal(f->scene.object_count, 2);
    assert_int_equal(f->scene.objects[0].instance_id, 2);
    assert_int_equal(f->scene.objects[0].flags, ST_FLAG_DUPLICATE);
    assert_false(f->scene.objects[0].countable);
    assert_string_equal(reason_of(f, 1), "duplicate");
    assert_string_equal(reason_of(f, 3), "duplicate");
}

static void plurals_are_mentioned_only(void **state)
{
    fixture *f = *state;
    room(f);
    box(f, 1, "pillows", (double[]){1, 1, 0.45}, (double[]){0.6, 0.5, 0.2}, 0.0, 16);
    measure(f);
    assert_string_equal(f->scene.objects[0].label, "pillow");
    assert_int_equal(f->scene.objects[0].flags & ST_FLAG_PLURAL, ST_FLAG_PLURAL);
    assert_false(f->scene.objects[0].referent || f->scene.objects[0].countable);
}

/* ARKitScenes: a box that leans a little is set upright, one that leans much is flagged. */
static void annotated_boxes_are_kept_or_set_upright(void **state)
{
    fixture *f = *state;
    room(f);
    f->scan.instance_count = 0;
    f->scan.kind = ST_SCAN_ARKIT;
    box(f, 0, "bed", (double[]){1, 1, 0.3}, (double[]){1, 2, 0.6}, 0.0, 20);
    box(f, 1, "sofa", (double[]){3, 1, 0.4}, (double[]){0.9, 1.8, 0.8}, 0.0, 20);
    for (int i = 0; i < 2; i++) {
        const double lean = i == 0 ? 0.02 : 0.2;    /* radians about x */
        const double half[2][3] = {{0.5, 1, 0.3}, {0.45, 0.9, 0.4}};
        st_obb *b = &f->instances[i].box;
        *b = (st_obb){.center_m = {i == 0 ? 1 : 3, 1, 0.3},
                      .axis = {{1, 0, 0}, {0, cos(lean), sin(lean)}, {0, -sin(lean), cos(lean)}}};
        memcpy(b->half_m, half[i], sizeof half[i]);
        f->instances[i].has_box = true;
    }
    measure(f);
    const st_object *bed = &f->scene.objects[0], *sofa = &f->scene.objects[1];
    assert_int_equal(bed->flags & ST_FLAG_TILTED, 0);
    assert_near(bed->box.axis[2][2], 1.0, 0.0);
    assert_near(2 * bed->box.half_m[0], 2.0, 1e-9);         /* the longer side comes first */
    assert_near(bed->box.axis[0][1], 1.0, 1e-9);
    assert_near(bed->box_min.axis[2][2], cos(0.02), 1e-12); /* as annotated */
    assert_int_equal(sofa->flags & ST_FLAG_TILTED, ST_FLAG_TILTED);
    assert_near(sofa->box.axis[2][2], cos(0.2), 1e-12);
}

static void a_speck_has_no_room(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 9; i++)
        point(f, 0.1 * (i % 3), 0.1 * (i / 3), 0.0);
    measure(f);
    assert_false(f->scene.room.known);
    assert_string_equal(f->scene.warnings[0].rule, "M-3");
}

static void scannet_needs_a_table(void **state)
{
    fixture *f = *state;
    room(f);
    must_fail(st_scene_measure(&f->scene, &f->arena, &f->scratch, &f->scan, NULL,
                               ST_VOCABULARY_MIXED), ST_ERR_USAGE,
              "expected scannetv2-labels.combined.tsv with the scan or up to three folders above "
              "it, found none; spatial scene --labels takes one from elsewhere");
}

/* Turn and shift the whole scan about the vertical: every thing keeps its size, and moves along. */
static void a_turned_scan_has_the_same_things(void **state)
{
    fixture *f = *state;
    room(f);
    box(f, 3, "desk", (double[]){2, 1.5, 0.4}, (double[]){1.4, 0.7, 0.8}, 0.3, 24);
    box(f, 1, "chair", (double[]){1, 1, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 18);
    measure(f);
    const st_scene before = f->scene;

    const double c = cos(0.7), s = sin(0.7);
    const double turn[16] = {c, -s, 0, 5, s, c, 0, -2, 0, 0, 1, 0.5, 0, 0, 0, 1};
    st_mesh_move(&f->scan.mesh, turn);
    measure(f);
    assert_int_equal(f->scene.object_count, before.object_count);
    assert_near(f->scene.room.area_hull_m2, before.room.area_hull_m2, 1e-6);
    for (size_t i = 0; i < before.object_count; i++) {
        const st_object *a = &before.objects[i], *b = &f->scene.objects[i];
        double           moved[3];
        st_pose_apply(moved, turn, a->box.center_m);
        for (int k = 0; k < 3; k++) {
            assert_near(b->box.half_m[k], a->box.half_m[k], 2e-6);
            assert_near(b->box.center_m[k], moved[k], 2e-6);
        }
        assert_int_equal(a->referent, b->referent);
        assert_int_equal(a->countable, b->countable);
    }
    assert_near(st_obb_distance(&f->scene.objects[0].box, &f->scene.objects[1].box),
                st_obb_distance(&before.objects[0].box, &before.objects[1].box), 5e-6);
}

/* The order of instances in the file is no part of the answer. */
static void the_order_of_instances_does_not_matter(void **state)
{
    fixture *f = *state;
    st_text  forward, backward;
    room(f);
    box(f, 3, "desk", (double[]){2, 1.5, 0.4}, (double[]){1.4, 0.7, 0.8}, 0.3, 24);
    box(f, 1, "chair", (double[]){1, 1, 0.45}, (double[]){0.5, 0.5, 0.9}, 0.0, 18);
    st_text_init(&forward);
    st_text_init(&backward);
    measure(f);
    must(st_scene_write(&forward, &f->scene));
    const st_instance first = f->instances[0];
    f->instances[0] = f->instances[2];
    f->instances[2] = first;
    measure(f);
    must(st_scene_write(&backward, &f->scene));
    assert_string_equal(forward.data, backward.data);
    st_text_free(&forward);
    st_text_free(&backward);
}

/* The released metadata stands in the raw frame less the mean vertex (data.md 3.12). */
static void the_vsi_form_is_in_the_raw_frame(void **state)
{
    fixture *f = *state;
    room(f);
    box(f, 1, "desk", (double[]){2, 1.5, 0.4}, (double[]){1.4, 0.7, 0.8}, 0.0, 24);
    const double turn[16] = {0, -1, 0, 2, 1, 0, 0, 3, 0, 0, 1, -0.5, 0, 0, 0, 1};
    memcpy(f->scan.scene_from_raw, turn, sizeof turn);
    f->scan.raw_mean_m[0] = 0.25;
    measure(f);
    st_text         text;
    st_scene_list   list = {0};
    st_failure_list failures = {0};
    st_text_init(&text);
    must(st_scene_write_vsi(&text, &f->scene, 1, ST_VSI_FORM_BENCH));
    must(st_scene_parse(&list, &failures, &f->arena, st_text_view(&text), "scannet_meta.json"));
    double back[16], raw[3];
    st_pose_inverse(back, turn);
    st_pose_apply(raw, back, f->scene.objects[0].box_min.center_m);
    assert_near(list.scenes[0].objects[0].box.center_m[0], raw[0] - 0.25, 1e-6);
    assert_near(list.scenes[0].objects[0].box.center_m[1], raw[1], 1e-6);
    assert_near(list.scenes[0].objects[0].box.center_m[2], raw[2], 1e-6);
    st_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_room_is_what_it_is, make, unmake),
        cmocka_unit_test_setup_teardown(walls_between_rooms_are_outlined, make, unmake),
        cmocka_unit_test_setup_teardown(boxes_come_back, make, unmake),
        cmocka_unit_test_setup_teardown(surfaces_are_farther_than_boxes, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_no_thing_is_dropped, make, unmake),
        cmocka_unit_test_setup_teardown(the_same_thing_twice_is_one, make, unmake),
        cmocka_unit_test_setup_teardown(plurals_are_mentioned_only, make, unmake),
        cmocka_unit_test_setup_teardown(annotated_boxes_are_kept_or_set_upright, make, unmake),
        cmocka_unit_test_setup_teardown(a_turned_scan_has_the_same_things, make, unmake),
        cmocka_unit_test_setup_teardown(the_order_of_instances_does_not_matter, make, unmake),
        cmocka_unit_test_setup_teardown(a_speck_has_no_room, make, unmake),
        cmocka_unit_test_setup_teardown(scannet_needs_a_table, make, unmake),
        cmocka_unit_test_setup_teardown(the_vsi_form_is_in_the_raw_frame, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
