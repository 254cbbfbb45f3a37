/* test_lint.c - rows answered again: right ones agree, changed ones are noticed.
 *
 * One made room with closed-form answers; each test changes one thing and looks for it.
 */
#include "check.h"

#include "datagen/questions/lint.h"
#include "kernels/base/files.h"

#include <unistd.h>

typedef struct fixture {
    st_arena         arena;
    st_pool         *pool;
    st_template_pack pack;
    st_scene_list    scenes;
    st_failure_list  failures;
    st_vsi_rows      rows;
    st_lint_report   report;
    char             path[64];
} fixture;

static int make(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    st_arena_init(&f->arena, "test");
    must(st_pool_create(&f->pool, 2));
    must(st_template_pack_published(&f->pack, &f->arena));
    snprintf(f->path, sizeof f->path, "/tmp/test_lint_%d.json", (int)getpid());
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    st_pool_free(f->pool);
    st_arena_free(&f->arena);
    free(f);
    return 0;
}

#define BOX(x, y, sx, sy, sz)                                                                     \
    "{\"centroid\":[" #x "," #y ",0.5],\"axesLengths\":[" #sx "," #sy "," #sz "],"                 \
    "\"normalizedAxes\":[1,0,0,0,1,0,0,0,1]}"

/* Seen from above: the bed at the origin, the sofa 4 m along +x, the tv 3 m along +y, chairs
 * behind and a lamp that hangs over the bed. */
static const char ROOM[] =
    "{\"made\":{\"room_size\":20.26,\"room_center\":[0,0,0],\"dataset\":\"made\","
    "\"object_counts\":{\"bed\":1,\"sofa\":1,\"tv\":1,\"chair\":2,\"lamp\":1},\"object_bbox\":{"
    "\"bed\":[" BOX(0, 0, 1, 2, 0.5) "],\"sofa\":[" BOX(4, 0, 2, 1, 1) "],"
    "\"tv\":[" BOX(0, 3, 1.2, 0.01, 0.7) "],"
    "\"chair\":[" BOX(-2, 0.2, 0.5, 0.5, 1) "," BOX(-3, 2, 0.5, 0.6, 1) "],"
    "\"lamp\":[" BOX(0, 0, 0.3, 0.3, 0.3) "]}}}";

static void lint(fixture *f, const char *metadata, const char *rows)
{
    f->scenes.count = f->failures.count = 0;
    must(st_file_write(f->path, metadata, strlen(metadata)));
    must(st_scene_read(&f->scenes, &f->failures, &f->arena, f->path));
    must(st_vsi_rows_parse(&f->rows, &f->arena, st_str_from(rows)));
    must(st_lint_run(&f->report, &f->arena, &f->rows, &f->scenes, &f->pack, 1, f->pool));
}

#define ROW(id, type, question, truth, options)                                                   \
    "{\"id\":" #id ",\"dataset\":\"made\",\"scene_name\":\"made\",\"question_type\":\"" type      \
    "\",\"question\":\"" question "\",\"ground_truth\":\"" truth "\",\"options\":" options "}\n"
#define COUNT_ROW(id, label, n)                                                                   \
    ROW(id, "object_counting", "How many " label "(s) are in this room?", n, "null")
#define SIZE_ROW(id, label, n)                                                                    \
    ROW(id, "object_size_estimation", "What is the length of the longest dimension (length, "     \
        "width, or height) of the " label ", measured in centimeters?", n, "null")
#define AREA_ROW(id, n)                                                                           \
    ROW(id, "room_size_estimation", "What is the size of this room (in square meters)? \\nIf "    \
        "multiple rooms are shown, estimate the size of the combined space.", n, "null")
#define FAR_ROW(id, a, b, n)                                                                      \
    ROW(id, "object_abs_distance", "Measuring from the closest point of each object, what is "    \
        "the distance between the " a " and the " b " (in meters)?", n, "null")
#define NEAR_ROW(id, anchor, letter)                                                              \
    ROW(id, "object_rel_distance", "Measuring from the closest point of each object, which of "   \
        "these objects (sofa, chair, tv) is the closest to the " anchor "?", letter,              \
        "[\"A. sofa\",\"B. chair\",\"C. tv\"]")
#define HARD_ROW(id, p, o, q, letter)                                                             \
    ROW(id, "object_rel_direction_hard", "If I am standing by the " p " and facing the " o        \
        ", is the " q " to my front-left, front-right, back-left, or back-right?", letter,        \
        "[\"A. front-left\",\"B. back-left\",\"C. back-right\",\"D. front-right\"]")
#define EASY_ROW(id, p, o, q, letter)                                                             \
    ROW(id, "object_rel_direction_easy", "If I am standing by the " p " and facing the " o        \
        ", is the " q " to the left or the right of the " o "?", letter,                          \
        "[\"A. left\",\"B. right\"]")

static void right_answers_agree(void **state)
{
    fixture *f = *state;
    lint(f, ROOM, COUNT_ROW(1, "chair", "2") SIZE_ROW(2, "sofa", "200") AREA_ROW(3, "20.3")
         FAR_ROW(4, "bed", "sofa", "2.5") NEAR_ROW(5, "bed", "B")
         EASY_ROW(6, "bed", "sofa", "tv", "A")
         HARD_ROW(7, "sofa", "bed", "tv", "D") SIZE_ROW(8, "chair", "100"));
    for (size_t i = 0; i < 8; i++) {
        if (f->report.results[i].verdict != ST_LINT_AGREE)
            fail_msg("row %zu: %s, %s", i + 1, f->report.results[i].value,
                     f->report.results[i].reason);
        assert_non_null(f->report.results[i].answer);
    }
    assert_false(st_lint_disagrees(&f->report));
    assert_int_equal(f->report.results[7].notes & ST_LINT_SEVERAL, ST_LINT_SEVERAL);
    assert_near(f->report.results[6].raw_value, 360 - 36.8699, 1e-3);
}

static void changed_answers_are_noticed(void **state)
{
    fixture *f = *state;
    lint(f, ROOM, COUNT_ROW(1, "chair", "3") SIZE_ROW(2, "sofa", "201") AREA_ROW(3, "20.2")
         FAR_ROW(4, "bed", "sofa", "2.8") NEAR_ROW(5, "bed", "A")
         EASY_ROW(6, "bed", "sofa", "tv", "B")
         HARD_ROW(7, "sofa", "bed", "tv", "A") NEAR_ROW(8, "bed", "Z") AREA_ROW(9, "wide"));
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(f->report.results[i].verdict, ST_LINT_DISAGREE);
    assert_string_equal(f->report.results[4].answer, "B");
    assert_string_equal(f->report.results[4].value, "chair");
    assert_true(st_lint_disagrees(&f->report));
}

static void several_boxes_agree_if_one_does(void **state)
{
    fixture *f = *state;
    lint(f, ROOM, FAR_ROW(1, "chair", "tv", "2.2") FAR_ROW(2, "chair", "sofa", "4.8")
         FAR_ROW(3, "chair", "sofa", "9.9"));
    assert_true(f->report.results[0].has_exact);
    assert_int_equal(f->report.results[1].exact_verdict, ST_LINT_AGREE);
    assert_int_equal(f->report.results[2].verdict, ST_LINT_DISAGREE);
    assert_int_equal(f->report.results[2].exact_verdict, ST_LINT_DISAGREE);
    const st_lint_sums sums = st_lint_sum(&f->report);
    assert_int_equal(sums.agree, 1);
    assert_int_equal(sums.disagree, 2);
}

static void what_cannot_be_answered_says_why(void **state)
{
    fixture *f = *state;
    lint(f, ROOM, COUNT_ROW(1, "coat rack", "3") SIZE_ROW(2, "coat rack", "20")
         ROW(3, "obj_appearance_order", "?", "A", "[\"A. x\",\"B. y\"]")
         ROW(4, "object_counting", "Count the chairs.", "2", "null")
         "{\"id\":5,\"scene_name\":\"other\",\"question_type\":\"object_counting\","
         "\"question\":\"How many chair(s) are in this room?\",\"ground_truth\":\"2\"}\n"
         HARD_ROW(6, "bed", "lamp", "tv", "A")
         ROW(7, "object_rel_distance", "Measuring from the closest point of each object, which of "
             "these objects (tv) is the closest to the bed?", "A", "[\"A. tv\"]"));
    static const char *const reasons[] = {
        "made has no box of \"coat rack\"", "made has no box of \"coat rack\"",
        "\"obj_appearance_order\" asks about the video, not the boxes",
        "no known wording of object_counting: \"Count the chairs.\"", "no metadata of scene other",
        "two of the three things stand in one place, seen from above",
        "expected at least 2 options, found 1"};
    for (size_t i = 0; i < COUNT(reasons); i++) {
        assert_int_equal(f->report.results[i].verdict, ST_LINT_UNANSWERABLE);
        assert_string_equal(f->report.results[i].reason, reasons[i]);
    }
    assert_false(st_lint_disagrees(&f->report));
}

static void notes_name_what_is_doubtful(void **state)
{
    fixture *f = *state;
    lint(f, ROOM, FAR_ROW(1, "bed", "tv", "2.1") FAR_ROW(2, "tv", "bed", "2.1")
         NEAR_ROW(3, "lamp", "B")
         ROW(4, "object_rel_distance", "Measuring from the closest point of each object, which of "
             "these objects (sofa, lamp, tv) is the closest to the bed?", "B",
             "[\"A. sofa\",\"B. chair\",\"C. tv\"]"));
    assert_int_equal(f->report.results[0].notes, ST_LINT_THIN);
    assert_int_equal(f->report.results[1].notes, ST_LINT_THIN | ST_LINT_DUPLICATE);
    assert_int_equal(f->report.results[1].first, 0);
    assert_int_equal(f->report.results[3].notes & ST_LINT_OPTIONS, ST_LINT_OPTIONS);
    assert_int_equal(f->report.notes[1], 1);
}

static void faulty_choices_and_shared_ids_show(void **state)
{
    fixture *f = *state;
#define EASY_OF(id, options)                                                                      \
    ROW(id, "object_rel_direction_easy", "If I am standing by the bed and facing the sofa, is "   \
        "the tv to the left or the right of the sofa?", "A", options)
    lint(f, ROOM, EASY_OF(1, "[\"A. left\",\"B. right\"]")
         EASY_OF(2, "[\"A. left\",\"B. Left \"]") EASY_OF(3, "[\"B. left\",\"A. right\"]")
         EASY_OF(4, "[\"A. left\",\"B. right\",\"C. back\"]") EASY_OF(5, "[\"A. left\"]")
         EASY_OF(6, "[\"left\",\"right\"]") EASY_OF(7, "null")
         NEAR_ROW(8, "bed", "B") COUNT_ROW(8, "chair", "2")
         ROW(10, "obj_appearance_order", "?", "A", "[\"A. x, y\",\"B. x, y\"]"));
#undef EASY_OF
    static const bool unfair[] = {false, true, true, true, true, false, true, false, false, true};
    for (size_t i = 0; i < COUNT(unfair); i++)
        if (((f->report.results[i].notes & ST_LINT_CHOICES) != 0) != unfair[i])
            fail_msg("row %zu", i + 1);
    assert_int_equal(f->report.results[7].notes & ST_LINT_SAME_ID, 0);
    assert_int_equal(f->report.results[8].notes, ST_LINT_SAME_ID);
    assert_int_equal(f->report.results[8].namesake, 7);
    assert_int_equal(f->report.notes[7], 6);
    assert_int_equal(f->report.notes[8], 1);
}

/* Metadata that was tampered with: the box's own bounds give it away. */
static void moved_boxes_and_swapped_axes_show(void **state)
{
    fixture *f = *state;
    static const char form[] =
        "{\"made\":{\"room_size\":20,\"room_center\":[0,0,0],\"dataset\":\"made\","
        "\"object_counts\":{\"bed\":%s},\"object_bbox\":{\"bed\":[{\"centroid\":[%s,0,0],"
        "\"axesLengths\":[1,2,1],\"normalizedAxes\":[%s],\"min\":[-0.5,-1,-0.5],"
        "\"max\":[0.5,1,0.5]}]}}}";
    char text[1024];
    snprintf(text, sizeof text, form, "1", "0", "1,0,0,0,1,0,0,0,1");
    lint(f, text, COUNT_ROW(1, "bed", "1"));
    assert_int_equal(f->report.boxes.bounds, 0);
    snprintf(text, sizeof text, form, "1", "0.01", "1,0,0,0,1,0,0,0,1");
    lint(f, text, COUNT_ROW(1, "bed", "1"));
    assert_int_equal(f->report.boxes.bounds, 1);
    assert_true(st_lint_disagrees(&f->report));
    snprintf(text, sizeof text, form, "1", "0", "0,1,0,1,0,0,0,0,1");
    lint(f, text, COUNT_ROW(1, "bed", "1"));
    assert_int_equal(f->report.boxes.bounds, 1);
    assert_int_equal(f->report.boxes.mended, 1);        /* the swap also made it left-handed */
    snprintf(text, sizeof text, form, "2", "0", "1,0,0,0,1,0,0,0,1");
    lint(f, text, COUNT_ROW(1, "bed", "1"));
    assert_int_equal(f->report.boxes.count_mismatch, 1);
    assert_int_equal(f->report.results[0].verdict, ST_LINT_DISAGREE);
}

static void a_blind_guesser_is_scored(void **state)
{
    fixture *f = *state;
    lint(f, ROOM, COUNT_ROW(1, "chair", "2") COUNT_ROW(2, "bed", "1") COUNT_ROW(3, "tv", "2"));
    assert_string_equal(f->report.types[0].blind_content, "2");
    assert_near(f->report.types[0].blind_share, 2.0 / 3.0, 1e-12);
    assert_near(f->report.types[0].blind_mra, 1.0, 1e-12);  /* each label is its own median */
}

static void printing_has_the_promised_form(void **state)
{
    fixture *f = *state;
    st_text  out;
    st_text_init(&out);
    lint(f, ROOM, COUNT_ROW(1, "chair", "3") FAR_ROW(2, "bed", "sofa", "2.5"));
    st_lint_print_json(&out, &f->report, &f->scenes);
    assert_non_null(strstr(out.data,
        "{\"types\":{\"object_counting\":{\"rows\":1,\"agree\":0,\"disagree\":1,"
        "\"unanswerable\":0},\"object_abs_distance\":{\"rows\":1,"));
    assert_non_null(strstr(out.data, "\"object_abs_distance_exact\":{\"rows\":1,\"agree\":1,"));
    assert_non_null(strstr(out.data, "\"boxes\":{\"scenes\":1,\"count\":6,"));
    st_text_clear(&out);
    st_lint_print_answers(&out, &f->report);
    assert_non_null(strstr(out.data,
        "{\"id\":1,\"scene_name\":\"made\",\"question_type\":\"object_counting\","
        "\"verdict\":\"disagree\",\"given\":\"3\",\"answer\":\"2\",\"value\":\"2\","
        "\"raw_value\":2,\"notes\":[],\"reason\":null}\n"));
    st_text_clear(&out);
    st_lint_print(&out, &f->report, &f->scenes);
    assert_non_null(strstr(out.data, "disagrees     1  object_counting  made: says 3, the boxes "
                                     "give 2; unrounded 2\n"));
    must(st_text_check(&out));
    st_text_free(&out);
}

/* The published half: what the boxes must give (data.md 10.1, T-2 to T-7). */
static void published_rows_agree(void **state)
{
    fixture *f = *state;
    static const char *const files[] = {"data/vsibench/arkitscenes_meta_info.json",
                                        "data/vsibench/scannet_meta_info.json",
                                        "data/vsibench/scannetpp_meta_info.json"};
    char path[512];
    for (size_t i = 0; i < COUNT(files); i++) {
        if (!shared_path(path, sizeof path, files[i]))
            return;
        must(st_scene_read(&f->scenes, &f->failures, &f->arena, path));
    }
    if (!shared_path(path, sizeof path, "data/vsibench/rows.jsonl"))
        return;
    must(st_vsi_rows_read(&f->rows, &f->arena, path));
    must(st_lint_run(&f->report, &f->arena, &f->rows, &f->scenes, &f->pack, 1, f->pool));
    for (size_t i = 0; i < f->report.type_count; i++) {
        const st_lint_type *t = &f->report.types[i];
        const size_t        wrong = t->verdicts[ST_LINT_DISAGREE];
        if (strcmp(t->name, "object_abs_distance_exact") == 0)
            continue;
        if (strcmp(t->name, "object_abs_distance") == 0)
            assert_true(wrong * 100 <= 3 * (t->rows - t->verdicts[ST_LINT_UNANSWERABLE]));
        else
            assert_int_equal(wrong, strcmp(t->name, "object_counting") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_answers_agree, make, unmake),
        cmocka_unit_test_setup_teardown(changed_answers_are_noticed, make, unmake),
        cmocka_unit_test_setup_teardown(several_boxes_agree_if_one_does, make, unmake),
        cmocka_unit_test_setup_teardown(what_cannot_be_answered_says_why, make, unmake),
        cmocka_unit_test_setup_teardown(notes_name_what_is_doubtful, make, unmake),
        cmocka_unit_test_setup_teardown(faulty_choices_and_shared_ids_show, make, unmake),
        cmocka_unit_test_setup_teardown(moved_boxes_and_swapped_axes_show, make, unmake),
        cmocka_unit_test_setup_teardown(a_blind_guesser_is_scored, make, unmake),
        cmocka_unit_test_setup_teardown(printing_has_the_promised_form, make, unmake),
        cmocka_unit_test_setup_teardown(published_rows_agree, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
