/* byte_tokenizer.c - a legal tokenizer.json in which every byte is a token. */
#include "kernels/base/json.h"
#include "model/init.h"
#include "model/tokenizer_internal.h"

enum { BYTES = 256 };

/* The family's added tokens in its own order (model.md 3.2); the first 14 are special. */
static const char *const added[] = {
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>",
    "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
};
enum { ADDED = sizeof added / sizeof added[0], SPECIAL = 14 };

static void write_added(st_json_writer *w)
{
    st_json_write_key(w, "added_tokens");
    st_json_write_array(w);
    for (int i = 0; i < ADDED; i++) {
        st_json_write_object(w);
        st_json_put_int(w, "id", BYTES + i);
        st_json_put_text(w, "content", added[i]);
        st_json_put_bool(w, "single_word", false);
        st_json_put_bool(w, "lstrip", false);
        st_json_put_bool(w, "rstrip", false);
        st_json_put_bool(w, "normalized", false);
        st_json_put_bool(w, "special", i < SPECIAL);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_byte_level(st_json_writer *w)
{
    st_json_write_object(w);
    st_json_put_text(w, "type", "ByteLevel");
    st_json_put_bool(w, "add_prefix_space", false);
    st_json_put_bool(w, "trim_offsets", false);
    st_json_put_bool(w, "use_regex", false);
    st_json_write_end(w);
}

static void write_steps(st_json_writer *w)
{
    st_json_write_key(w, "normalizer");
    st_json_write_object(w);
    st_json_put_text(w, "type", "NFC");
    st_json_write_end(w);
    st_json_write_key(w, "pre_tokenizer");
    st_json_write_object(w);
    st_json_put_text(w, "type", "Sequence");
    st_json_write_key(w, "pretokenizers");
    st_json_write_array(w);
    st_json_write_object(w);
    st_json_put_text(w, "type", "Split");
    st_json_write_key(w, "pattern");
    st_json_write_object(w);
    st_json_put_text(w, "Regex", sti_known_pattern);
    st_json_write_end(w);
    st_json_put_text(w, "behavior", "Isolated");
    st_json_put_bool(w, "invert", false);
    st_json_write_end(w);
    write_byte_level(w);
    st_json_write_end(w);
    st_json_write_end(w);
    st_json_write_key(w, "post_processor");
    write_byte_level(w);
    st_json_write_key(w, "decoder");
    write_byte_level(w);
}

static void write_model(st_json_writer *w)
{
    uint32_t letter[BYTES];
    int      byte_of[STI_ALPHABET_LETTERS];
    sti_byte_alphabet(letter, byte_of);
    st_json_write_key(w, "model");
    st_json_write_object(w);
    st_json_put_text(w, "type", "BPE");
    const char *const nothing[] = {"dropout", "unk_token", "continuing_subword_prefix",
                                   "end_of_word_suffix"};
    for (int i = 0; i < 4; i++)
        st_json_put_text(w, nothing[i], NULL);
    st_json_put_bool(w, "fuse_unk", false);
    st_json_put_bool(w, "byte_fallback", false);
    st_json_put_bool(w, "ignore_merges", false);
    st_json_write_key(w, "vocab");
    st_json_write_object(w);
    for (int byte = 0; byte < BYTES; byte++) {
        char name[4];
        const size_t size = st_utf8_encode(name, letter[byte]);
        st_json_write_key_str(w, (st_str){name, size});
        st_json_write_int(w, byte);
    }
    st_json_write_end(w);
    st_json_write_key(w, "merges");
    st_json_write_row(w);
    st_json_write_end(w);
    st_json_write_end(w);
}

void st_byte_tokenizer_write(st_text *json)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_PRETTY);
    st_json_write_object(&w);
    st_json_put_text(&w, "version", "1.0");
    st_json_put_text(&w, "truncation", NULL);
    st_json_put_text(&w, "padding", NULL);
    write_added(&w);
    write_steps(&w);
    write_model(&w);
    st_json_write_end(&w);
    st_text_add(json, "\n");
}
