/* Records and training lines come back as they were written, and a broken line is named. */
#include "check.h"

#include "kernels/base/files.h"
#include "kernels/base/rows.h"

#include <unistd.h>

static st_arena arena;
static char path[64];

static int set_up(void **state)
{
    (void)state;
    st_arena_init(&arena, "test");
    snprintf(path, sizeof path, "/tmp/test_rows_record.%d", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    st_arena_free(&arena);
    unlink(path);
    return 0;
}

static const int chairs[] = {3, 4};
static const st_record_frame frames[] = {{0, 0.0}, {36, 1.5}};
static const st_proof_box boxes[] = {
    {3, {0.1, -2, 1e-9}, {1, 2, 0.25}, {1, 0, 0, 0, 1, 0, 0, 0, 1}},
};

static st_record sample(void)
{
    return (st_record){
        .id = "01234567-89ab-cdef-0123-456789abcdef",
        .dataset = "scannet",
        .scene_id = "scene0001_00",
        .split = "train",
        .question_type = "object_rel_distance",
        .template_id = "nearest-1",
        .video = "videos/scannet/scene0001_00.mp4",
        .question = "Which of \"chair\", sofa?",
        .options = {"A. chair", "B. sofa"},
        .option_count = 2,
        .answer = "A",
        .answer_value = "chair",
        .referents = {{"anchor", "t\xc3\xa9l\xc3\xa9", chairs, 1}, {"option1", "chair", chairs, 2}},
        .referent_count = 2,
        .frames = frames,
        .frame_count = 2,
        .proof = {.raw_value = 0.30000000000000004,
                  .unit = "m",
                  .margins = {{"gap_m", 0.125}},
                  .margin_count = 1,
                  .inputs = {{"second_m", 1e300}, {"first_m", -0.5}},
                  .input_count = 2,
                  .boxes = boxes,
                  .box_count = 1,
                  .rule = "st-qa/1 Q-24"},
        .flags = {"seen_unchecked"},
        .flag_count = 1,
    };
}

static void record_comes_back(void **state)
{
    (void)state;
    const st_record record = sample();
    st_text first, second;
    st_text_init(&first);
    st_text_init(&second);
    st_record_write(&first, &record);
    must(st_text_check(&first));
    st_records read;
    must(st_records_parse(&read, &arena, st_text_view(&first)));
    assert_int_equal(read.count, 1);
    assert_int_equal(read.records[0].line, 1);
    assert_true(read.records[0].proof.raw_value == record.proof.raw_value);
    assert_int_equal(read.records[0].referents[1].instance_ids[1], 4);
    assert_int_equal(read.records[0].frames[1].i, 36);
    assert_true(read.records[0].frames[1].t_s == 1.5);
    assert_true(read.records[0].proof.boxes[0].center_m[2] == 1e-9);
    st_record_write(&second, &read.records[0]);
    assert_string_equal(first.data, second.data);
    static const char start[] = "{\"id\":\"01234567-89ab-cdef-0123-456789abcdef\",\"dataset\":"
                                "\"scannet\",\"scene_id\":\"scene0001_00\",\"split\":\"train\",";
    assert_memory_equal(first.data, start, sizeof start - 1);
    st_text_free(&first);
    st_text_free(&second);
}

static void broken_line_is_named(void **state)
{
    (void)state;
    st_record record = sample();
    st_text text;
    st_text_init(&text);
    st_record_write(&text, &record);
    st_text_add(&text, "\n");                   /* a blank line is skipped, and counted */
    st_text_add(&text, "{\"id\":7}\n");
    st_records read;
    must_fail(st_records_parse(&read, &arena, st_text_view(&text)), ST_ERR_FORMAT,
              "line 3: id: expected a string, found an integer");
    must(st_file_write(path, text.data, text.size));
    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s: line 3: id: expected a string, found an integer",
             path);
    must_fail(st_records_read(&read, &arena, path), ST_ERR_FORMAT, sentence);
    st_text_free(&text);
}

static void conversation_comes_back(void **state)
{
    (void)state;
    const st_conversation line = {
        .id = "x", .human = "How many?\nAnswer.", .gpt = "2", .video = "v.mp4",
        .data_source = "scannet", .scene_name = "s", .question_type = "object_counting",
        .split = "val", .task = "spatial_qa", .answer = "2", .num_tokens = 42, .src = "st-qa/1"};
    st_text first, second;
    st_text_init(&first);
    st_text_init(&second);
    st_conversation_write(&first, &line);
    must(st_text_check(&first));
    assert_string_equal(first.data,
        "{\"id\":\"x\",\"conversations\":[{\"from\":\"human\",\"value\":\"<video>\\nHow many?\\n"
        "Answer.\"},{\"from\":\"gpt\",\"value\":\"2\"}],\"video\":\"v.mp4\",\"data_source\":"
        "\"scannet\",\"scene_name\":\"s\",\"question_type\":\"object_counting\",\"split\":\"val\","
        "\"task\":\"spatial_qa\",\"options\":null,\"answer\":\"2\",\"num_tokens\":42,"
        "\"src\":\"st-qa/1\"}\n");
    must(st_file_write(path, first.data, first.size));
    st_conversations read;
    must(st_conversations_read(&read, &arena, path));
    assert_int_equal(read.count, 1);
    st_conversation_write(&second, &read.lines[0]);
    assert_string_equal(first.data, second.data);
    st_text_free(&first);
    st_text_free(&second);
}

static void tokens_are_counted_by_rule(void **state)
{
    (void)state;
    /* 8 bytes of marker + 9 + 1 = 18 bytes: 6 tokens; 127 frames make 64 pairs. */
    const st_conversation line = {.human = "123456789", .gpt = "4"};
    assert_int_equal(st_conversation_tokens(&line, 0), 6);
    assert_int_equal(st_conversation_tokens(&line, 127), 6 + 171 * 64);
    assert_int_equal(st_conversation_tokens(&line, 128), 6 + 171 * 64);
    const st_conversation longer = {.human = "1234567890", .gpt = "4"};
    assert_int_equal(st_conversation_tokens(&longer, 0), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(record_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_line_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conversation_comes_back, set_up, tear_down),
        cmocka_unit_test(tokens_are_counted_by_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
