/* Tensors come back as they were written, and a file that lies is told so in a sentence. */
#include "check.h"

#include "kernels/base/files.h"
#include "model/safetensors.h"

#include <unistd.h>

typedef struct fixture {
    char folder[64];
    char path[128];
} fixture;

static int set_up(void **state)
{
    static fixture f;
    snprintf(f.folder, sizeof f.folder, "/tmp/st_safetensors_XXXXXX");
    if (!mkdtemp(f.folder))
        return 1;
    snprintf(f.path, sizeof f.path, "%s/x.safetensors", f.folder);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    const fixture *f = *state;
    return folder_remove(f->folder);
}

/* A file of this header, its true length in front, and `data_bytes` zero bytes behind it. */
static void put(const char *path, const char *header, size_t data_bytes)
{
    unsigned char bytes[2048] = {0};
    const uint64_t length = strlen(header);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    must(st_file_write(path, bytes, 8 + length + data_bytes));
}

static void save_one(const fixture *f, const char *file, const char *name, float value)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->folder, file);
    const st_named_tensor one = {name, {&value, {1}, 1, ST_F32, ST_PLACE_HOST}};
    must(st_safetensors_save(path, &one, 1, NULL, 0));
}

static void put_text(const fixture *f, const char *file, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->folder, file);
    must(st_file_write(path, text, strlen(text)));
}

static void written_tensors_come_back(void **state)
{
    const fixture *f = *state;
    float    a[6] = {1, 2, 3, 4, 5, 6};
    uint16_t b[2] = {0x3f80, 0xc000};
    uint8_t  c[3] = {7, 8, 9};
    int64_t  d = -5;
    const st_named_tensor tensors[] = {
        {"z.f32", {a, {2, 3}, 2, ST_F32, ST_PLACE_HOST}},
        {"a.u8", {c, {3}, 1, ST_U8, ST_PLACE_HOST}},
        {"m.bf16", {b, {2, 1}, 2, ST_BF16, ST_PLACE_HOST}},     /* at an odd byte: copied */
        {"scalar", {&d, {0}, 0, ST_I64, ST_PLACE_HOST}},
        {"empty", {NULL, {0, 4}, 2, ST_F32, ST_PLACE_HOST}},
    };
    const st_metadata_pair pairs[] = {{"format", "pt"}, {"note", "a \"b\""}};
    must(st_safetensors_save(f->path, tensors, COUNT(tensors), pairs, COUNT(pairs)));

    st_safetensors *reader;
    must(st_safetensors_open(&reader, f->path));
    assert_int_equal(st_safetensors_count(reader), COUNT(tensors));
    assert_string_equal(st_safetensors_at(reader, 0)->name, "a.u8");
    assert_string_equal(st_safetensors_metadata(reader, "note"), "a \"b\"");
    assert_null(st_safetensors_metadata(reader, "absent"));
    for (size_t i = 0; i < COUNT(tensors); i++) {
        const st_tensor *in = &tensors[i].tensor;
        const st_tensor *out = st_safetensors_find(reader, tensors[i].name);
        assert_non_null(out);
        must(st_tensor_expect(out, tensors[i].name, in->dtype, in->rank, in->shape));
        assert_int_equal((uintptr_t)out->data % st_dtype_size(out->dtype), 0);
        if (st_tensor_bytes(in) > 0)
            assert_memory_equal(in->data, out->data, st_tensor_bytes(in));
    }
    assert_null(st_safetensors_find(reader, "z.f3"));

    st_tensor view;
    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s: z.f32 must be f32 (2,4), is f32 (2,3)", f->path);
    must_fail(st_safetensors_get(reader, &view, "z.f32", ST_F32, 2, (int64_t[]){2, 4}),
              ST_ERR_DATA, sentence);
    snprintf(sentence, sizeof sentence, "%s: no tensor w0", f->path);
    must_fail(st_safetensors_get(reader, &view, "w0", ST_F32, 0, NULL), ST_ERR_DATA, sentence);
    st_safetensors_close(reader);
}

static void same_tensors_give_same_bytes(void **state)
{
    const fixture *f = *state;
    st_arena arena;
    st_arena_init(&arena, "test");
    st_str first, second;
    save_one(f, "1.safetensors", "w", 2.5f);
    save_one(f, "2.safetensors", "w", 2.5f);
    char path[160];
    snprintf(path, sizeof path, "%s/1.safetensors", f->folder);
    must(st_file_read(&arena, &first, path, 1000));
    snprintf(path, sizeof path, "%s/2.safetensors", f->folder);
    must(st_file_read(&arena, &second, path, 1000));
    assert_true(st_str_equal(first, second));
    assert_int_equal((first.size - 4) % 8, 0);
    st_arena_free(&arena);
}

/* Each header is wrong in one way and says which. */
static void lying_headers_are_named(void **state)
{
    static const struct {
        const char *header;
        size_t      data_bytes;
        st_code     code;
        const char *sentence;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, ST_ERR_FORMAT,
         "a.data_offsets: ends at byte 8, the file has 4 bytes of numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, ST_ERR_FORMAT,
         "a.data_offsets: type and shape need 8 bytes, found 4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, ST_ERR_FORMAT,
         "a.data_offsets: [4,0] is no range"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, ST_ERR_FORMAT,
         "a and b overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, ST_ERR_FORMAT,
         "1 bytes in front of a belong to no tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 3, ST_ERR_FORMAT,
         "2 bytes behind the last tensor belong to none"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
         ST_ERR_UNSUPPORTED, "a.dtype: elements of type F8_E4M3 are not supported"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, ST_ERR_FORMAT,
         "a.shape[0]: an extent of -1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
         ST_ERR_LIMIT, "a.shape: 7 axes, at most 6 are supported"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         ST_ERR_LIMIT, NULL},
        {"[]", 0, ST_ERR_FORMAT, NULL},
        {"{\"a\":3}", 0, ST_ERR_FORMAT, NULL},
    };
    const fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        st_safetensors *reader;
        put(f->path, cases[i].header, cases[i].data_bytes);
        const st_status s = st_safetensors_open(&reader, f->path);
        assert_int_equal(s.code, cases[i].code);
        if (cases[i].sentence) {
            char sentence[240];
            snprintf(sentence, sizeof sentence, "%s: %s", f->path, cases[i].sentence);
            assert_string_equal(s.text, sentence);
        }
    }
}

static void cut_files_are_named(void **state)
{
    const fixture *f = *state;
    st_safetensors *reader;
    char sentence[240];

    must(st_file_write(f->path, "1234", 4));
    snprintf(sentence, sizeof sentence, "%s: expected at least 8 bytes, found 4", f->path);
    must_fail(st_safetensors_open(&reader, f->path), ST_ERR_FORMAT, sentence);

    must(st_file_write(f->path, "\x09\0\0\0\0\0\0\0{}", 10));
    snprintf(sentence, sizeof sentence,
             "%s: the header has 9 bytes, the file only 2 behind its length", f->path);
    must_fail(st_safetensors_open(&reader, f->path), ST_ERR_FORMAT, sentence);

    must(st_file_write(f->path, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10));
    snprintf(sentence, sizeof sentence,
             "%s: a header of 18446744073709551615 bytes, at most 100000000 are read", f->path);
    must_fail(st_safetensors_open(&reader, f->path), ST_ERR_LIMIT, sentence);
}

static void an_unfinished_file_never_stands(void **state)
{
    const fixture *f = *state;
    st_safetensors_writer writer;
    const st_named_tensor two = {"w", {NULL, {2}, 1, ST_F32, ST_PLACE_HOST}};
    must(st_safetensors_writer_open(&writer, f->path, &two, 1, NULL, 0));
    must(st_safetensors_write(&writer, "abcd", 4));
    char sentence[240];
    snprintf(sentence, sizeof sentence, "%s: expected 8 bytes of numbers, got 4", f->path);
    must_fail(st_safetensors_commit(&writer), ST_ERR_USAGE, sentence);
    assert_false(st_file_exists(f->path));
}

static void shards_follow_the_index(void **state)
{
    const fixture *f = *state;
    save_one(f, "model-00001-of-00002.safetensors", "a", 1.0f);
    save_one(f, "model-00002-of-00002.safetensors", "b", 2.0f);
    put_text(f, "model.safetensors.index.json",
             "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
             "\"b\":\"model-00002-of-00002.safetensors\"}}");
    st_safetensors *reader;
    must(st_safetensors_open(&reader, f->folder));
    assert_int_equal(st_safetensors_count(reader), 2);
    assert_int_equal(st_safetensors_note_count(reader), 0);
    assert_near(*(const float *)st_safetensors_find(reader, "b")->data, 2.0, 0);
    st_safetensors_close(reader);
}

static void a_stale_index_is_worked_around(void **state)
{
    const fixture *f = *state;
    save_one(f, "model.safetensors", "a", 3.0f);
    put_text(f, "model.safetensors.index.json",
             "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
             "\"b\":\"model-00002-of-00002.safetensors\"}}");
    st_safetensors *reader;
    must(st_safetensors_open(&reader, f->folder));
    assert_int_equal(st_safetensors_count(reader), 1);
    assert_int_equal(st_safetensors_note_count(reader), 2);
    assert_string_equal(st_safetensors_note(reader, 0),
                        "model.safetensors.index.json is stale: 2 of its 2 shards are not there "
                        "(model-00001-of-00002.safetensors)");
    assert_string_equal(st_safetensors_note(reader, 1), "read model.safetensors instead");
    st_safetensors_close(reader);
}

static void a_folder_without_weights_says_so(void **state)
{
    const fixture *f = *state;
    st_safetensors *reader;
    char sentence[240];
    snprintf(sentence, sizeof sentence,
             "%s: neither model.safetensors nor model-*.safetensors is there", f->folder);
    must_fail(st_safetensors_open(&reader, f->folder), ST_ERR_IO, sentence);

    put_text(f, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"../up.safetensors\"}}");
    snprintf(sentence, sizeof sentence,
             "%s/model.safetensors.index.json: weight_map.a: expected a file name, found "
             "\"../up.safetensors\"", f->folder);
    must_fail(st_safetensors_open(&reader, f->folder), ST_ERR_FORMAT, sentence);
}

static void a_name_in_two_shards_is_refused(void **state)
{
    const fixture *f = *state;
    save_one(f, "model-1.safetensors", "a", 1.0f);
    save_one(f, "model-2.safetensors", "a", 2.0f);
    st_safetensors *reader;
    char sentence[240];
    snprintf(sentence, sizeof sentence, "%s: a lies in two shards", f->folder);
    must_fail(st_safetensors_open(&reader, f->folder), ST_ERR_DATA, sentence);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(written_tensors_come_back),
        TEST(same_tensors_give_same_bytes),
        TEST(lying_headers_are_named),
        TEST(cut_files_are_named),
        TEST(an_unfinished_file_never_stands),
        TEST(shards_follow_the_index),
        TEST(a_stale_index_is_worked_around),
        TEST(a_folder_without_weights_says_so),
        TEST(a_name_in_two_shards_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
