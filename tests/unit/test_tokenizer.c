/* The tokenizer against naive ones that cannot lie, and against stored vectors. */
#include "check.h"

#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "kernels/base/files.h"
#include "kernels/base/rng.h"
#include "model/tokenizer_internal.h"

/* --- a small vocabulary ---------------------------------------------------------------------- */

static const char *const toy_merges[] = {
    "a b", "b c", "ab c", "c c", "cc c", "\304\240 a", "\304\240a b", "a a", "aa aa", "cc cc",
};

/* 256 bytes in the order of their values, then the results of the merges, then two added tokens. */
static void toy(st_text *json, const char *splitter)
{
    st_json_writer w;
    st_text_init(json);
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_write_key(&w, "added_tokens");
    st_json_write_array(&w);
    for (int i = 0; i < 2; i++) {
        st_json_write_object(&w);
        st_json_put_int(&w, "id", 300 + i);
        st_json_put_text(&w, "content", i ? "<end>" : "<end>of");
        st_json_put_bool(&w, "special", i);
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
    st_json_write_key(&w, "normalizer");
    st_json_write_object(&w);
    st_json_put_text(&w, "type", "NFC");
    st_json_write_end(&w);
    if (splitter) {
        st_json_write_key(&w, "pre_tokenizer");
        st_json_write_object(&w);
        st_json_put_text(&w, "type", "Split");
        st_json_put_text(&w, "behavior", "Isolated");
        st_json_write_key(&w, "pattern");
        st_json_write_object(&w);
        st_json_put_text(&w, "Regex", splitter);
        st_json_write_end(&w);
        st_json_write_end(&w);
    }
    st_json_write_key(&w, "model");
    st_json_write_object(&w);
    st_json_put_text(&w, "type", "BPE");
    st_json_write_key(&w, "vocab");
    st_json_write_object(&w);
    uint32_t next = 0x100;
    for (int byte = 0; byte < 256; byte++) {
        const bool plain = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        char letter[5] = {0};
        st_utf8_encode(letter, plain ? (uint32_t)byte : next++);
        st_json_put_int(&w, letter, byte);
    }
    for (size_t i = 0; i < COUNT(toy_merges); i++) {
        char joined[20], *out = joined;
        for (const char *p = toy_merges[i]; *p; p++) {
            if (*p != ' ')
                *out++ = *p;
        }
        *out = '\0';
        st_json_put_int(&w, joined, 256 + (int)i);
    }
    st_json_write_end(&w);
    st_json_write_key(&w, "merges");
    st_json_write_array(&w);
    for (size_t i = 0; i < COUNT(toy_merges); i++)
        st_json_write_text(&w, toy_merges[i]);
    st_json_write_end(&w);
    st_json_write_end(&w);
    st_json_write_end(&w);
    must(st_text_check(json));
}

static st_tokenizer *toy_tokenizer(const char *splitter)
{
    st_text json;
    st_tokenizer *t;
    toy(&json, splitter);
    must(st_tokenizer_parse(&t, st_text_view(&json)));
    st_text_free(&json);
    return t;
}

/* Merge the best pair everywhere, left to right, until none is left: the definition. */
static size_t naive(const st_tokenizer *t, int64_t *ids, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ids[i] = t->byte_id[(unsigned char)text[i]];
    for (;;) {
        const sti_merge *best = NULL;
        for (size_t i = 0; i + 1 < size; i++) {
            const sti_merge *m = sti_merge_find(t, (int32_t)ids[i], (int32_t)ids[i + 1]);
            if (m && (!best || m->rank < best->rank))
                best = m;
        }
        if (!best)
            return size;
        size_t out = 0;
        for (size_t i = 0; i < size; i++) {
            if (i + 1 < size && ids[i] == best->left && ids[i + 1] == best->right) {
                ids[out++] = best->merged;
                i++;
            } else {
                ids[out++] = ids[i];
            }
        }
        size = out;
    }
}

static void merging_agrees_with_the_definition(void **state)
{
    (void)state;
    st_tokenizer *t = toy_tokenizer(NULL);          /* no splitter: the text is one piece */
    st_encoder *e;
    must(st_encoder_create(&e, t));
    st_rng rng = st_rng_from(5);
    for (int round = 0; round < 3000; round++) {
        char text[64];
        int64_t expected[64];
        const size_t size = st_rng_below(&rng, sizeof text);
        for (size_t i = 0; i < size; i++)
            text[i] = " abcab"[st_rng_below(&rng, 6)];
        const size_t count = naive(t, expected, text, size);
        const int64_t *ids;
        size_t found;
        for (int again = 0; again < 2; again++) {   /* the second time from memory */
            must(st_encode(e, &ids, &found, (st_str){text, size}));
            assert_int_equal(found, count);
            if (count > 0)
                assert_memory_equal(ids, expected, count * sizeof *ids);
        }
    }
    st_encoder_free(e);
    st_tokenizer_free(t);
}

static void a_long_piece_stays_quick(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    st_tokenizer *t = toy_tokenizer(sti_known_pattern);
    st_encoder *e;
    must(st_encoder_create(&e, t));
    char *text = malloc(SIZE);
    memset(text, 'c', SIZE);
    const int64_t *ids;
    size_t count;
    must(st_encode(e, &ids, &count, (st_str){text, SIZE}));
    assert_int_equal(count, SIZE / 4);
    free(text);
    st_encoder_free(e);
    st_tokenizer_free(t);
}

static void added_tokens_are_cut_out_first(void **state)
{
    (void)state;
    st_tokenizer *t = toy_tokenizer(sti_known_pattern);
    st_encoder *e;
    const int64_t *ids;
    size_t count;
    must(st_encoder_create(&e, t));
    must(st_encode(e, &ids, &count, st_str_from("ab<end>of<end><en")));
    static const int64_t expected[] = {256, 300, 301, '<', 'e', 'n'};
    assert_int_equal(count, COUNT(expected));
    assert_memory_equal(ids, expected, sizeof expected);
    assert_int_equal(st_tokenizer_id(t, "<end>"), 301);
    assert_int_equal(st_tokenizer_id(t, "abc"), 258);
    assert_int_equal(st_tokenizer_id(t, "nothing"), -1);
    assert_int_equal(st_tokenizer_size(t), 302);

    st_text out;
    st_text_init(&out);
    st_decode(t, &out, expected, COUNT(expected), ST_SPECIALS_SKIP);
    assert_string_equal(out.data, "ab<end>of<en");         /* only <end> is special */
    st_text_free(&out);

    /* e and a combining acute become one letter before anything else looks at them. */
    must(st_encode(e, &ids, &count, st_str_from("e\xCC\x81")));
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], 0xC3);
    assert_int_equal(ids[1], 0xA9);
    must_fail(st_encode(e, &ids, &count, st_str_from("ab\xC3")), ST_ERR_FORMAT,
              "the text is not UTF-8 at byte 2");
    st_encoder_free(e);
    st_tokenizer_free(t);
}

/* --- the hand-written splitter --------------------------------------------------------------- */

/* Pieces of `text` by the matcher: the definition. */
static size_t matched(st_pattern *pattern, st_match *match, st_str text, size_t at)
{
    bool found;
    must(st_match_find(match, pattern, text, at, &found));
    assert_true(found);
    const st_str hit = st_match_group(match, text, 0);
    assert_ptr_equal(hit.data, text.data + at);     /* the pattern leaves nothing out */
    return hit.size;
}

static void splitting_agrees_with_the_pattern(void **state)
{
    static const char *const bits[] = {
        "a", "Z", "s", "t", "re", "VE", "ll", "d", "'", "'S", "'\xC5\xBF", "'r", "0", "7",
        " ", "  ",
        "\t", "\n", "\r\n", "\v", "\f", ".", "-", "_", "\xC2\xA0", "\xC2\x85", "\xE3\x80\x80",
        "\xE2\x80\xA8", "\xC3\xA9", "e\xCC\x81", "\xCC\x81", "\xE4\xBD\xA0", "\xD9\xA3", "\xC2\xB2",
        "\xE2\x85\xA7", "\xF0\x9F\x98\x80", "\xF0\x90\x90\x80", "\xEF\xBB\xBF", "\xC2\xAD",
        "\xE0\xA4\x95\xE0\xA5\x8D", "k\xE2\x84\xAA",
    };
    (void)state;
    st_pattern *pattern;
    st_match *match;
    must(st_pattern_create(&pattern, sti_known_pattern));
    must(st_match_create(&match, pattern));
    st_rng rng = st_rng_from(11);
    for (int round = 0; round < 30000; round++) {
        char text[128];
        size_t size = 0;
        for (uint64_t n = st_rng_below(&rng, 12); n > 0; n--) {
            const char *bit = bits[st_rng_below(&rng, COUNT(bits))];
            memcpy(text + size, bit, strlen(bit));
            size += strlen(bit);
        }
        const st_str all = {text, size};
        for (size_t at = 0; at < size;) {
            const size_t expected = matched(pattern, match, all, at);
            const size_t found = sti_split_known(all, at);
            if (expected != found)
                fail_msg("round %d, \"%.*s\" at %zu: expected %zu bytes, found %zu", round,
                         (int)size, text, at, expected, found);
            at += found;
        }
    }
    st_match_free(match);
    st_pattern_free(pattern);
}

static void another_pattern_is_followed(void **state)
{
    (void)state;
    st_tokenizer *t = toy_tokenizer("b");
    st_encoder *e;
    const int64_t *ids;
    size_t count;
    must(st_encoder_create(&e, t));
    must(st_encode(e, &ids, &count, st_str_from("aabcc")));      /* aa | b | cc */
    static const int64_t expected[] = {263, 'b', 259};
    assert_int_equal(count, COUNT(expected));
    assert_memory_equal(ids, expected, sizeof expected);
    st_encoder_free(e);
    st_tokenizer_free(t);
}

/* --- decoding -------------------------------------------------------------------------------- */

static void characters_are_held_back_until_whole(void **state)
{
    (void)state;
    st_tokenizer *t = toy_tokenizer(NULL);
    st_text out;
    st_text_init(&out);
    st_decoder d = st_decoder_start(t, ST_SPECIALS_KEEP);
    static const struct {
        int64_t     id;
        const char *so_far;
    } steps[] = {
        {'x', "x"}, {0xF0, "x"}, {0x9F, "x"}, {0x98, "x"}, {0x80, "x\xF0\x9F\x98\x80"},
        {0xE4, "x\xF0\x9F\x98\x80"}, {'y', "x\xF0\x9F\x98\x80\xEF\xBF\xBDy"},
    };
    st_text_add(&out, "");
    for (size_t i = 0; i < COUNT(steps); i++) {
        st_decoder_push(&d, &out, steps[i].id);
        assert_string_equal(out.data, steps[i].so_far);
    }
    st_text_clear(&out);
    st_decoder_push(&d, &out, 0xC3);
    st_decoder_push(&d, &out, 5000);                /* an id without a token says nothing */
    st_decoder_finish(&d, &out);
    assert_string_equal(out.data, "\xEF\xBF\xBD");

    /* One replacement per longest start of a character: E0 80 are two, F0 9F 98 is one. */
    st_text_clear(&out);
    static const int64_t broken[] = {0xE0, 0x80, '-', 0xF0, 0x9F, 0x98, '-', 0xFF, 0xED, 0xA0};
    st_decode(t, &out, broken, COUNT(broken), ST_SPECIALS_KEEP);
#define FFFD "\xEF\xBF\xBD"
    assert_string_equal(out.data, FFFD FFFD "-" FFFD "-" FFFD FFFD FFFD);
    st_text_free(&out);
    st_tokenizer_free(t);
}

/* --- bad files ------------------------------------------------------------------------------- */

static void bad_files_are_named(void **state)
{
    static const struct {
        const char *json, *sentence;
    } cases[] = {
        {"[]", "document: expected an object, found an array"},
        {"{\"model\":{\"type\":\"Unigram\"}}", "model: expected BPE, found Unigram"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
         "model.vocab: no token for the byte 0x00"},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
         "model.vocab.b: id 0 belongs to \"a\" as well"},
        {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}",
         "model.vocab.a: id -1, at most 8388607 are supported"},
        {"{\"normalizer\":{\"type\":\"NFKC\"},\"model\":{}}",
         "normalizer: the step NFKC is not supported"},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Removed\",\"pattern\":{\"Regex\":"
         "\"a\"}},\"model\":{}}", "pre_tokenizer.behavior: expected Isolated, found Removed"},
        {"{\"model\":{\"byte_fallback\":true}}", "model.byte_fallback: only false is supported"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        st_tokenizer *t;
        const st_status s = st_tokenizer_parse(&t, st_str_from(cases[i].json));
        assert_int_not_equal(s.code, ST_OK);
        assert_string_equal(s.text, cases[i].sentence);
    }
}

static void vocab_without_merges_says_so(void **state)
{
    (void)state;
    char folder[] = "/tmp/st_tokenizer_XXXXXX", path[100], sentence[200];
    st_tokenizer *t;
    assert_non_null(mkdtemp(folder));
    snprintf(sentence, sizeof sentence, "%s: neither tokenizer.json nor vocab.json is there",
             folder);
    must_fail(st_tokenizer_load(&t, folder), ST_ERR_IO, sentence);
    snprintf(path, sizeof path, "%s/vocab.json", folder);
    must(st_file_write(path, "{}", 2));
    snprintf(sentence, sizeof sentence,
             "%s: vocab.json is there without merges.txt: the order of merges is unknown", folder);
    must_fail(st_tokenizer_load(&t, folder), ST_ERR_DATA, sentence);
    must(st_file_remove(path));
    assert_int_equal(remove(folder), 0);
}

/* --- stored vectors -------------------------------------------------------------------------- */

static void check_vectors(const st_tokenizer *t, const char *path)
{
    st_arena arena;
    st_arena_init(&arena, "test");
    st_str lines, line;
    st_encoder *e;
    st_text out;
    st_text_init(&out);
    must(st_encoder_create(&e, t));
    must(st_file_read(&arena, &lines, path, ST_TEXT_FILE_BYTES_MAX));
    size_t count = 0;
    while (st_str_next_line(&line, &lines)) {
        st_json_doc *doc;
        must(st_json_parse(&doc, line));
        const st_json root = st_json_root(doc), expected = st_json_member(&root, "ids");
        const int64_t *ids;
        size_t found;
        st_str text;
        must(st_json_text(st_json_member(&root, "text"), &text));
        must(st_encode(e, &ids, &found, text));
        assert_int_equal(found, st_json_count(expected));
        for (size_t i = 0; i < found; i++) {
            int64_t id;
            must(st_json_int(st_json_element(&expected, i), &id));
            assert_int_equal(ids[i], id);
        }
        st_text_clear(&out);
        st_text_add(&out, "");
        st_decode(t, &out, ids, found, ST_SPECIALS_KEEP);
        st_str normal;
        must(st_utf8_nfc(&arena, &normal, text));
        assert_true(st_str_equal(st_text_view(&out), normal));
        st_json_free(doc);
        count++;
    }
    printf("%zu vectors, ids and back\n", count);
    st_text_free(&out);
    st_encoder_free(e);
    st_arena_free(&arena);
}

static void stored_vectors_are_met(void **state)
{
    (void)state;
    char folder[300], path[300];
    st_tokenizer *t;
    if (!shared_path(folder, sizeof folder, "data/qwen-tokenizer") ||
        !shared_path(path, sizeof path, "data/qwen-tokenizer/vectors.jsonl"))
        return;
    must(st_tokenizer_load(&t, folder));
    check_vectors(t, path);
    st_tokenizer_free(t);

    /* The older trio of files makes the same tokenizer. */
    static const char *const trio[] = {"vocab.json", "merges.txt", "tokenizer_config.json"};
    char copy[] = "/tmp/st_trio_XXXXXX";
    assert_non_null(mkdtemp(copy));
    for (int i = 0; i < 3; i++) {
        char from[400], to[100];
        snprintf(from, sizeof from, "%s/%s", folder, trio[i]);
        snprintf(to, sizeof to, "%s/%s", copy, trio[i]);
        st_map map;
        must(st_map_open(&map, from));
        must(st_file_write(to, map.data, map.size));
        st_map_close(&map);
    }
    must(st_tokenizer_load(&t, copy));
    check_vectors(t, path);
    st_tokenizer_free(t);
    for (int i = 0; i < 3; i++) {
        char to[100];
        snprintf(to, sizeof to, "%s/%s", copy, trio[i]);
        must(st_file_remove(to));
    }
    assert_int_equal(remove(copy), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_agrees_with_the_definition),
        cmocka_unit_test(a_long_piece_stays_quick),
        cmocka_unit_test(added_tokens_are_cut_out_first),
        cmocka_unit_test(splitting_agrees_with_the_pattern),
        cmocka_unit_test(another_pattern_is_followed),
        cmocka_unit_test(characters_are_held_back_until_whole),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(vocab_without_merges_says_so),
        cmocka_unit_test(stored_vectors_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
