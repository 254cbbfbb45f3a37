/* test_vsi_meta.c - published metadata in, out, and everything that can be wrong with it. */
#include "check.h"

#include "datagen/scene/scene.h"
#include "kernels/base/files.h"

#include <unistd.h>

#define BOX(x) "{\"centroid\":[" #x ",0,0.5],\"axesLengths\":[1,2,1],"                            \
               "\"normalizedAxes\":[1,0,0,0,1,0,0,0,1]}"
#define SCENE(room, counts, boxes)                                                                \
    "{\"room_size\":" room ",\"room_center\":[0,0,0],\"object_counts\":" counts                   \
    ",\"object_bbox\":" boxes ",\"dataset\":\"scannet\"}"

typedef struct fixture {
    st_arena        arena;
    st_scene_list   list;
    st_failure_list failures;
    char            path[64];
} fixture;

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    snprintf(f->path, sizeof f->path, "/tmp/test_vsi_meta_%d.json", (int)getpid());
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

static void read_bytes(fixture *f, const void *bytes, size_t size)
{
    must(st_file_write(f->path, bytes, size));
    f->list.count = f->failures.count = 0;
    must(st_scene_read(&f->list, &f->failures, &f->arena, f->path));
}

static void read_text(fixture *f, const char *text)
{
    read_bytes(f, text, strlen(text));
}

/* One scene "s" fails with this sentence, and its healthy neighbour is read. */
static void scene_fails(fixture *f, const char *scene, const char *sentence)
{
    char text[4096];
    snprintf(text, sizeof text, "{\"s\":%s,\"healthy\":%s}", scene,
             SCENE("9.5", "{\"chair\":1}", "{\"chair\":[" BOX(1) "]}"));
    read_text(f, text);
    assert_int_equal(f->failures.count, 1);
    assert_string_equal(f->failures.failures[0].scene_id, "s");
    assert_string_equal(f->failures.failures[0].why.text, sentence);
    assert_int_equal(f->list.count, 1);
    assert_string_equal(f->list.scenes[0].scene_id, "healthy");
}

/* The file as a whole fails with "PATH: sentence". */
static void file_fails(fixture *f, const char *sentence)
{
    char whole[256];
    assert_int_equal(f->list.count, 0);
    assert_int_equal(f->failures.count, 1);
    assert_null(f->failures.failures[0].scene_id);
    snprintf(whole, sizeof whole, "%s: %s", f->path, sentence);
    assert_string_equal(f->failures.failures[0].why.text, whole);
}

static void a_scene_reads(void **state)
{
    fixture *f = *state;
    read_text(f, "{\"scene0707_01\":" SCENE("9.5", "{\"desk\":1,\"chair\":2,\"bed\":1}",
              "{\"chair\":[" BOX(1) "," BOX(4) "],\"desk\":[" BOX(-3) "],"
              "\"bed\":[" BOX(9) "]}") "}");
    assert_int_equal(f->failures.count, 0);
    assert_int_equal(f->list.count, 1);
    const st_scene *s = &f->list.scenes[0];
    assert_string_equal(s->dataset, "scannet");
    assert_string_equal(s->space_id, "scene0707");
    assert_true(s->from_metadata && s->room.known);
    assert_near(s->room.area_m2, 9.5, 0.0);
    assert_int_equal(s->object_count, 4);
    assert_int_equal(s->warning_count, 0);
    assert_string_equal(s->counts[0].label, "bed");
    assert_near(s->objects[0].aabb_min_m[1], -1.0, 1e-15);
    assert_false(s->objects[0].referent);
    assert_true(s->objects[0].countable);
    assert_true(s->objects[2].referent);            /* the one desk, no table */
    assert_true(s->objects[3].referent);
    assert_int_equal(st_scene_count_label(s, "chair"), 2);
    assert_int_equal(st_scene_find_label(s, "chair", 1), 1);
    assert_int_equal(st_scene_find_label(s, "chair", 2), 4);
}

static void both_spellings_read_and_write(void **state)
{
    fixture *f = *state;
    st_text  bench, vlm3r, again;
    st_text_init(&bench);
    st_text_init(&vlm3r);
    st_text_init(&again);
    read_text(f, "{\"a\":" SCENE("9.5", "{\"desk\":1,\"chair\":1}",
              "{\"chair\":[" BOX(0.1) "],\"desk\":[" BOX(-3) "]}") "}");
    must(st_scene_write_vsi(&bench, f->list.scenes, 1, ST_VSI_FORM_BENCH));
    must(st_scene_write_vsi(&vlm3r, f->list.scenes, 1, ST_VSI_FORM_VLM3R));
    assert_null(strstr(bench.data, "object_bboxes"));
    assert_null(strstr(bench.data, "instance_id"));
    assert_non_null(strstr(vlm3r.data, "\"instance_id\": 1"));

    read_text(f, bench.data);
    assert_int_equal(f->failures.count, 0);
    must(st_scene_write_vsi(&again, f->list.scenes, 1, ST_VSI_FORM_BENCH));
    assert_string_equal(again.data, bench.data);

    char *only = strstr(vlm3r.data, "\"object_bbox\"");     /* the other spelling alone */
    memcpy(only, "\"object_left\"", 13);
    read_text(f, vlm3r.data);
    assert_int_equal(f->failures.count, 0);
    assert_int_equal(f->list.scenes[0].object_count, 2);
    st_text_free(&bench);
    st_text_free(&vlm3r);
    st_text_free(&again);
}

static void contradictions_become_warnings(void **state)
{
    fixture *f = *state;
    read_text(f, "{\"a\":" SCENE("0", "{\"desk\":3,\"chair\":1}",
              "{\"chair\":[{\"centroid\":[0,0,0],\"axesLengths\":[1,-2,0.001],"
              "\"normalizedAxes\":[1,0,0,0,1,0,0,0,1],\"min\":[-0.5,-1,0],\"max\":[0.5,1.25,0]}],"
              "\"desk\":[" BOX(-3) "],\"coat rack\":[" BOX(7) "]}") "}");
    assert_int_equal(f->failures.count, 0);
    const st_scene *s = &f->list.scenes[0];
    static const char *const expected[] = {
        "room_size is 0: not measured",
        "chair[0]: min and max are 0.25 m off the box's corners",
        "chair[0]: the axes were not orthonormal and right-handed, or a length was negative",
        "no vocabulary knows the label \"coat rack\"",
        "object_counts says 3 desk, the boxes are 1",
        "object_counts does not name coat rack, the boxes are 1"};
    assert_int_equal(s->warning_count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_string_equal(s->warnings[i].message, expected[i]);
    assert_false(s->room.known);
    assert_int_equal(s->objects[0].flags, ST_FLAG_THIN | ST_FLAG_BOUNDS | ST_FLAG_MENDED);
    assert_int_equal(s->objects[1].flags, ST_FLAG_COUNT_MISMATCH);
    assert_false(s->objects[1].referent);       /* two more desks are said to be there */
    assert_near(2.0 * s->objects[0].box.half_m[2], 0.005, 1e-15);
}

static void bad_scenes_are_named_and_the_rest_goes_on(void **state)
{
    fixture *f = *state;
    scene_fails(f, "[]", "document: expected an object, found an array");
    scene_fails(f, "{}", "room_size: expected a number, found nothing");
    scene_fails(f, SCENE("\"9\"", "{}", "{}"), "room_size: expected a number, found a string");
    scene_fails(f, SCENE("-1", "{}", "{}"), "room_size: expected square metres, found -1");
    scene_fails(f, SCENE("1e300", "{}", "{}"), "room_size: 1e+300 m2 is beyond 100000 m2");
    scene_fails(f, SCENE("9", "[]", "{}"), "object_counts: expected an object, found an array");
    scene_fails(f, SCENE("9", "{\"bed\":-1}", "{}"),
                "object_counts.bed: expected a count of 0 to 1000000, found -1");
    scene_fails(f, SCENE("9", "{\"bed\":1.5}", "{}"),
                "object_counts.bed: expected an integer, found a number");
    scene_fails(f, SCENE("9", "{}", "{\"bed\":7}"),
                "object_bbox.bed: expected an array, found an integer");
    scene_fails(f, SCENE("9", "{}", "{\"bed\":[{\"centroid\":[1,2]}]}"),
                "object_bbox.bed[0].centroid: expected 3 numbers, found 2");
    scene_fails(f, SCENE("9", "{\"bed\":1}",
                "{\"bed\":[{\"centroid\":[0,0,0],\"axesLengths\":[0,0,0],"
                "\"normalizedAxes\":[1,0,0,0,1,0,0,0,1]}]}"),
                "object_bbox.bed[0].axesLengths: expected a box, found three sides of zero length");
    scene_fails(f, "{\"room_size\":9,\"room_center\":[0,0,0],\"object_counts\":{}}",
                "document: expected \"object_bbox\" or \"object_bboxes\", found neither");
    scene_fails(f, "{\"room_size\":9,\"room_center\":[0,0,1e9],\"object_counts\":{}}",
                "room_center: coordinate 1e+09 is beyond 100000 m");
}

static void axes_that_are_none_fail_the_scene(void **state)
{
    fixture *f = *state;
    read_text(f, "{\"s\":" SCENE("9", "{\"bed\":1}",
              "{\"bed\":[{\"centroid\":[0,0,0],\"axesLengths\":[1,1,1],"
              "\"normalizedAxes\":[1,0,0,1,0,0,0,0,1]}]}") "}");
    assert_int_equal(f->failures.count, 1);
    assert_int_equal(f->failures.failures[0].why.code, ST_ERR_DATA);
    assert_non_null(strstr(f->failures.failures[0].why.text, "object_bbox.bed[0]: "));
    assert_non_null(strstr(f->failures.failures[0].why.text, "orthonormal"));

    read_text(f, "{\"s\":" SCENE("9", "{\"bed\":1}",
              "{\"bed\":[{\"centroid\":[0,0,1e12],\"axesLengths\":[1,1,1],"
              "\"normalizedAxes\":[1,0,0,0,1,0,0,0,1]}]}") "}");
    assert_int_equal(f->failures.count, 1);
    assert_int_equal(f->failures.failures[0].why.code, ST_ERR_NUMERIC);
}

static void bad_files_are_named(void **state)
{
    fixture *f = *state;
    read_text(f, "");
    file_fails(f, "expected scenes, found an empty file");
    read_text(f, "[1]");
    file_fails(f, "expected scenes, found an array");
    read_text(f, "ply\nformat ascii 1.0\n");
    file_fails(f, "expected scenes in JSON, found a file that starts with \"ply\"");
    read_text(f, "{\"sceneId\":\"scannet.scene0000_00\",\"segGroups\":[{\"id\":0}]}");
    file_fails(f, "expected scenes, found an object that starts with \"sceneId\"");
    read_text(f, "{\"id\":1,\"question\":\"q\"}\n{\"id\":2,\"question\":\"q\"}\n");
    file_fails(f, "expected scenes in one JSON document, found one on each line, the first an "
                  "object that starts with \"id\"");
    read_text(f, "{}");
    file_fails(f, "expected scenes, found an empty object");
    read_text(f, "{\"a\":\n{\"room_size\":NaN}}");
    assert_non_null(strstr(f->failures.failures[0].why.text, "line 2, column"));
    read_text(f, "{\"a\":{\"room_size\":1e999}}");
    assert_non_null(strstr(f->failures.failures[0].why.text, "line 1, column"));
    read_bytes(f, "{\"\xC3\x28\":1}", 8);
    file_fails(f, "line 1, column 2: unable to decode byte 0xc3 near '\"'");

    f->failures.count = 0;
    must(st_scene_read(&f->list, &f->failures, &f->arena, "no/such.json"));
    assert_string_equal(f->failures.failures[0].why.text,
                        "no/such.json: No such file or directory");
}

/* Cut anywhere: a failure with words, never a crash, never a scene from half a text. */
static void every_truncation_is_refused(void **state)
{
    fixture   *f = *state;
    const char text[] = "{\"a\":" SCENE("9.5", "{\"chair\":1}", "{\"chair\":[" BOX(1) "]}") "}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        read_bytes(f, text, size);
        assert_int_equal(f->list.count, 0);
        assert_int_equal(f->failures.count, 1);
    }
}

static void a_scene_that_comes_again_must_say_the_same(void **state)
{
    fixture   *f = *state;
    const char one[] = "{\"a\":" SCENE("9.5", "{\"chair\":1}", "{\"chair\":[" BOX(1) "]}") "}";
    read_text(f, one);
    must(st_scene_read(&f->list, &f->failures, &f->arena, f->path));
    assert_int_equal(f->list.count, 1);
    assert_int_equal(f->failures.count, 0);

    const char other[] = "{\"a\":" SCENE("9.6", "{}", "{}") "}";
    must(st_file_write(f->path, other, strlen(other)));
    must(st_scene_read(&f->list, &f->failures, &f->arena, f->path));
    assert_int_equal(f->list.count, 1);
    assert_int_equal(f->failures.count, 1);
    char sentence[240];
    snprintf(sentence, sizeof sentence,
             "the scene was read from %s before, with other content; that one stands", f->path);
    assert_string_equal(f->failures.failures[0].why.text, sentence);
}

/* Twice in one file: told, the last one is read, and so are the other scenes. */
static void a_scene_that_stands_twice_in_a_file_is_told(void **state)
{
    fixture *f = *state;
    read_text(f, "{\"a\":" SCENE("9.5", "{}", "{}") ",\n\"a\":" SCENE("9.6", "{}", "{}")
                 ",\"b\":" SCENE("9.7", "{}", "{}") "}");
    char whole[256];
    snprintf(whole, sizeof whole, "%s: line 2, column 3: duplicate object key near '\"a\"': the "
             "last one is read", f->path);
    assert_int_equal(f->failures.count, 1);
    assert_string_equal(f->failures.failures[0].why.text, whole);
    assert_int_equal(f->list.count, 2);
    assert_near(f->list.scenes[0].room.area_m2, 9.6, 0.0);
}

/* A key that stands twice, and behind it no JSON: both are told, and other files go on. */
static void a_second_fault_behind_a_doubled_key_is_told(void **state)
{
    fixture *f = *state;
    read_text(f, "{\"a\":" SCENE("9.5", "{}", "{}") ",\n\"a\":" SCENE("9.6", "{}", "{}") ", max}");
    assert_int_equal(f->list.count, 0);
    assert_int_equal(f->failures.count, 2);
    assert_non_null(strstr(f->failures.failures[0].why.text, "duplicate object key"));
    assert_non_null(strstr(f->failures.failures[1].why.text, "line 2"));
    assert_non_null(strstr(f->failures.failures[1].why.text, f->path));
}

/* The published files: all boxes bound their corners, and the known contradictions show. */
static void published_metadata_reads(void **state)
{
    fixture *f = *state;
    static const struct { const char *name; size_t scenes, boxes, warnings; } files[] = {
        {"data/vsibench/arkitscenes_meta_info.json", 75, 440, 0},
        {"data/vsibench/scannet_meta_info.json", 38, 602, 6},
        {"data/vsibench/scannetpp_meta_info.json", 33, 645, 0}};
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[512];
        if (!shared_path(path, sizeof path, files[i].name))
            return;
        f->list.count = 0;
        must(st_scene_read(&f->list, &f->failures, &f->arena, path));
        size_t boxes = 0, warnings = 0;
        for (size_t k = 0; k < f->list.count; k++) {
            boxes += f->list.scenes[k].object_count;
            warnings += f->list.scenes[k].warning_count;
            assert_true(st_scene_in_benchmark(&f->list.scenes[k]));
        }
        assert_int_equal(f->failures.count, 0);
        assert_int_equal(f->list.count, files[i].scenes);
        assert_int_equal(boxes, files[i].boxes);
        assert_int_equal(warnings, files[i].warnings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scene_reads, make, unmake),
        cmocka_unit_test_setup_teardown(both_spellings_read_and_write, make, unmake),
        cmocka_unit_test_setup_teardown(contradictions_become_warnings, make, unmake),
        cmocka_unit_test_setup_teardown(bad_scenes_are_named_and_the_rest_goes_on, make, unmake),
        cmocka_unit_test_setup_teardown(axes_that_are_none_fail_the_scene, make, unmake),
        cmocka_unit_test_setup_teardown(bad_files_are_named, make, unmake),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, make, unmake),
        cmocka_unit_test_setup_teardown(a_scene_that_comes_again_must_say_the_same, make, unmake),
        cmocka_unit_test_setup_teardown(a_second_fault_behind_a_doubled_key_is_told, make, unmake),
        cmocka_unit_test_setup_teardown(a_scene_that_stands_twice_in_a_file_is_told, make, unmake),
        cmocka_unit_test_setup_teardown(published_metadata_reads, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
