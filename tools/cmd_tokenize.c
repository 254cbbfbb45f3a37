/* cmd_tokenize.c - JSON lines with text in, with token ids out, and back. */
#include "tools/commands.h"

#include "kernels/base/json.h"
#include "kernels/base/limits.h"
#include "model/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct job {
    const st_args *args;
    st_tokenizer  *tokenizer;
    st_encoder    *encoder;
    st_text        out, words;
    bool           decode;
    size_t         lines, failed;
} job;

static st_status encode_row(job *j, const st_json *row, st_json_writer *w)
{
    st_str         text;
    const int64_t *ids;
    size_t         count;
    ST_TRY(st_json_text(st_json_member(row, "text"), &text));
    ST_TRY(st_encode(j->encoder, &ids, &count, text));
    st_json_write_object(w);
    st_json_put_str(w, "text", text);
    st_json_write_key(w, "ids");
    st_json_write_array(w);
    for (size_t i = 0; i < count; i++)
        st_json_write_int(w, ids[i]);
    st_json_write_end(w);
    st_json_write_end(w);
    return st_ok();
}

static st_status decode_row(job *j, const st_json *row, st_json_writer *w)
{
    const st_json list = st_json_member(row, "ids");
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    st_text_clear(&j->words);
    st_decoder d = st_decoder_start(j->tokenizer, ST_SPECIALS_KEEP);
    for (size_t i = 0; i < st_json_count(list); i++) {
        int64_t id;
        ST_TRY(st_json_int(st_json_element(&list, i), &id));
        if (id < 0)     /* above the tokenizer's last one is fine: a network may have more rows */
            return ST_FAIL(ST_ERR_DATA, "ids[%zu]: expected 0 or more, found %lld", i,
                           (long long)id);
        st_decoder_push(&d, &j->words, id);
    }
    st_decoder_finish(&d, &j->words);
    ST_TRY(st_text_check(&j->words));
    st_json_write_object(w);
    st_json_put_str(w, "text", st_text_view(&j->words));
    st_json_write_end(w);
    return st_ok();
}

/* One line in, one line out. A line that fails leaves {"error": ..}, so that lines stay pairs. */
static st_status do_line(job *j, st_str line)
{
    st_json_doc   *doc;
    st_json_writer w;
    st_text_clear(&j->out);
    st_json_write_start(&w, &j->out, ST_JSON_COMPACT);
    st_status s = st_json_parse_line(&doc, line, j->lines);
    if (s.code == ST_OK) {
        const st_json row = st_json_root(doc);
        s = j->decode ? decode_row(j, &row, &w) : encode_row(j, &row, &w);
        if (s.code != ST_OK)
            st_say_failure(j->args, NULL, st_within(s, "line %zu", j->lines));
        st_json_free(doc);
    } else {
        st_say_failure(j->args, NULL, s);
    }
    if (s.code != ST_OK) {
        st_text_clear(&j->out);
        st_json_write_start(&w, &j->out, ST_JSON_COMPACT);
        st_json_write_object(&w);
        st_json_put_text(&w, "error", s.text);
        st_json_write_end(&w);
        j->failed++;
    }
    st_text_add(&j->out, "\n");
    return st_print_text(&j->out);
}

/* The next line of standard input, without its end; false behind the last one. */
static st_status read_line(st_text *line, bool *got, size_t number)
{
    int c;
    st_text_clear(line);
    while ((c = getc(stdin)) != EOF && c != '\n') {
        const char byte = (char)c;
        if (line->size == ST_LINE_BYTES_MAX)
            return ST_FAIL(ST_ERR_LIMIT, "line %zu: expected at most %zu bytes, found more", number,
                           ST_LINE_BYTES_MAX);
        st_text_add_bytes(line, &byte, 1);
    }
    if (ferror(stdin))
        return ST_FAIL(ST_ERR_IO, "standard input cannot be read");
    *got = c != EOF || line->size > 0;
    return st_text_check(line);
}

static st_status do_lines(job *j)
{
    st_text line;
    st_text_init(&line);
    st_status s;
    for (bool got = true;;) {
        ST_TRY_OR(s, out, read_line(&line, &got, ++j->lines));
        if (!got)
            break;
        const st_str trimmed = st_str_trim(st_text_view(&line));
        if (trimmed.size > 0)
            ST_TRY_OR(s, out, do_line(j, trimmed));
    }
out:
    st_text_free(&line);
    return s;
}

static st_status run_tokenize(st_exit *exit_code, const st_args *args)
{
    const char *folder = st_args_text(args, "model");
    if (!folder)
        return ST_FAIL(ST_ERR_USAGE, "--model DIR is missing");
    job j = {.args = args, .decode = st_args_given(args, "decode")};
    st_text_init(&j.out);
    st_text_init(&j.words);
    st_status s;
    ST_TRY_OR(s, out, st_tokenizer_load(&j.tokenizer, folder));
    ST_TRY_OR(s, out, st_encoder_create(&j.encoder, j.tokenizer));
    ST_TRY_OR(s, out, do_lines(&j));
    if (j.failed > 0)
        *exit_code = ST_EXIT_INPUT;
out:
    st_encoder_free(j.encoder);
    st_tokenizer_free(j.tokenizer);
    st_text_free(&j.out);
    st_text_free(&j.words);
    return s;
}

static const st_option options[] = {
    {"Input", "model", 0, "DIR", "a model folder, or one that holds tokenizer files only", NULL},
    {NULL, "decode", 0, NULL, "the other way: ids in, text out", NULL},
    {0},
};

const st_command cmd_tokenize = {
    .name = "tokenize",
    .summary = "text to token ids, and back",
    .usage = "--model DIR [options] < ROWS",
    .about = "Read JSON lines with a \"text\" from standard input and write each with its\n"
             "\"ids\". Special tokens in the text become their ids.",
    .options = options,
    .common = ST_COMMON_JSON,
    .output = "A JSON object per line: {\"text\":..,\"ids\":[..]}; with --decode {\"text\":..}.\n"
              "A line that cannot be read leaves {\"error\":..} in its place.",
    .exits = "0 all done   2 wrong command line   3 a line or the tokenizer could not be read",
    .examples = "echo '{\"text\":\"How many chairs?\"}' | spatial tokenize --model models/2b",
    .run = run_tokenize,
};
