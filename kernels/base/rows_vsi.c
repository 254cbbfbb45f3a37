/* rows_vsi.c - rows of the VSI-Bench form in and out, and the lines that all forms are made of. */
#include "kernels/base/rows_internal.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- lines --- */

static bool has_any(st_json root, const char *const *keys)
{
    for (; *keys; keys++)
        if (st_json_kind_of(st_json_member(&root, *keys)) != ST_JSON_ABSENT)
            return true;
    return false;
}

/* What has nothing of a row is told by what it is, not by the first thing it lacks. */
static st_status refuse_other(st_status s, st_json root)
{
    static const char *const of_rows[] = {"id", "question", "conversations", NULL};
    char found[120];
    if (s.code != ST_ERR_FORMAT || st_json_kind_of(root) != ST_JSON_OBJECT ||
        has_any(root, of_rows))
        return s;
    return ST_FAIL(ST_ERR_FORMAT, "expected a row with a question, found %s",
                   st_json_describe(&root, found, sizeof found));
}

/* The first line is no JSON: perhaps nothing is, or the text is one document that was printed over
 * many lines, such as a scene file. Otherwise the sentence about the line stands. */
static st_status refuse_document(st_status s, st_str text)
{
    st_json_doc *doc;
    char         found[120], opening[64];
    if (s.code != ST_ERR_FORMAT)
        return s;
    if (!strchr("{[\"\xEF", *st_str_trim(text).data))
        return ST_FAIL(ST_ERR_FORMAT, "expected a row with a question on each line, found a file "
                       "that starts with %s", st_str_opening(opening, text));
    if (st_json_parse(&doc, text).code != ST_OK)
        return s;
    const st_json root = st_json_root(doc);
    s = ST_FAIL(ST_ERR_FORMAT, "expected a row with a question on each line, found %s, printed "
                "over many lines", st_json_describe(&root, found, sizeof found));
    st_json_free(doc);
    return s;
}

st_status sti_rows_parse_lines(void *rows, st_arena *arena, st_str text, sti_row_reader *read)
{
    const st_str all = text;
    st_str line;
    bool first = true;
    for (size_t number = 1; st_str_next_line(&line, &text); number++) {
        if (st_str_trim(line).size == 0)
            continue;
        if (line.size > ST_LINE_BYTES_MAX)
            return ST_FAIL(ST_ERR_LIMIT, "line %zu: expected at most %zu bytes, found %zu",
                           number, ST_LINE_BYTES_MAX, line.size);
        st_json_doc *doc;
        st_status s = st_json_parse_line(&doc, line, number);
        if (s.code != ST_OK)
            return first ? refuse_document(s, all) : s;
        first = false;
        s = refuse_other(read(rows, arena, st_json_root(doc), number), st_json_root(doc));
        st_json_free(doc);
        ST_TRY(st_within(s, "line %zu", number));
    }
    return st_ok();
}

st_status sti_rows_read_file(void *rows, st_arena *arena, const char *path, sti_text_parser *parse)
{
    st_map map;
    ST_TRY(st_map_open(&map, path));
    st_status s;
    if (map.size > ST_TEXT_FILE_BYTES_MAX)
        s = ST_FAIL(ST_ERR_LIMIT, "expected at most %zu bytes, found %zu", ST_TEXT_FILE_BYTES_MAX,
                    map.size);
    else
        s = parse(rows, arena, (st_str){(const char *)map.data, map.size});
    st_map_close(&map);
    return st_within(s, "%s", path);
}

st_status sti_row_copy_text(const char **copy, st_arena *arena, const st_json *parent,
                            const char *key)
{
    st_str text;
    ST_TRY(st_json_text(st_json_member(parent, key), &text));
    return st_arena_copy_text(arena, copy, text.data, text.size);
}

st_status sti_row_copy_text_or_none(const char **copy, st_arena *arena, const st_json *parent,
                                    const char *key)
{
    st_str text;
    ST_TRY(st_json_text_or_none(st_json_member(parent, key), &text));
    *copy = NULL;
    return text.data ? st_arena_copy_text(arena, copy, text.data, text.size) : st_ok();
}

st_status sti_row_copy_texts(const char **copies, int *count, int max, st_arena *arena,
                             const st_json *parent, const char *key)
{
    const st_json      list = st_json_member(parent, key);
    const st_json_kind kind = st_json_kind_of(list);
    *count = 0;
    if (kind == ST_JSON_ABSENT || kind == ST_JSON_NULL)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t n = st_json_count(list);
    if (n > (size_t)max)
        return st_json_fail(list, ST_ERR_LIMIT, "expected at most %d entries, found %zu", max, n);
    for (size_t i = 0; i < n; i++) {
        st_str text;
        ST_TRY(st_json_text(st_json_element(&list, i), &text));
        ST_TRY(st_arena_copy_text(arena, &copies[i], text.data, text.size));
    }
    *count = (int)n;
    return st_ok();
}

void sti_row_write_options(st_json_writer *w, const char *const *options, int count)
{
    st_json_write_key(w, "options");
    if (count == 0) {
        st_json_write_null(w);
        return;
    }
    st_json_write_array(w);
    for (int i = 0; i < count; i++)
        st_json_write_text(w, options[i]);
    st_json_write_end(w);
}

/* --- rows of the benchmark --- */

/* A text, or a number as its text: ids and answers come both ways. */
static st_status copy_text_or_number(const char **copy, bool *is_number, st_arena *arena,
                                     const st_json *parent, const char *key)
{
    const st_json value = st_json_member(parent, key);
    int64_t       whole;
    double        real;
    char          digits[32];
    *is_number = true;
    switch (st_json_kind_of(value)) {
    case ST_JSON_INT:
        ST_TRY(st_json_int(value, &whole));
        return st_arena_printf(arena, copy, "%" PRId64, whole);
    case ST_JSON_REAL:
        ST_TRY(st_json_double(value, &real));
        return st_arena_printf(arena, copy, "%s", st_print_double(digits, real));
    default:
        *is_number = false;
        return sti_row_copy_text(copy, arena, parent, key);
    }
}

static st_status read_row(void *rows, st_arena *arena, st_json root, size_t line)
{
    st_vsi_rows *list = rows;
    bool         number_is_fine;
    ST_TRY(st_json_expect(root, ST_JSON_OBJECT));
    ST_TRY(ST_GROW(arena, &list->rows, &list->capacity, list->count + 1));
    st_vsi_row *r = &list->rows[list->count];
    *r = (st_vsi_row){.line = line, .dataset = ""};
    ST_TRY(copy_text_or_number(&r->id, &r->id_is_number, arena, &root, "id"));
    if (st_json_kind_of(st_json_member(&root, "dataset")) != ST_JSON_ABSENT)
        ST_TRY(sti_row_copy_text(&r->dataset, arena, &root, "dataset"));
    ST_TRY(sti_row_copy_text(&r->scene_name, arena, &root, "scene_name"));
    ST_TRY(sti_row_copy_text(&r->question_type, arena, &root, "question_type"));
    ST_TRY(sti_row_copy_text(&r->question, arena, &root, "question"));
    ST_TRY(copy_text_or_number(&r->ground_truth, &number_is_fine, arena, &root, "ground_truth"));
    ST_TRY(sti_row_copy_texts(r->options, &r->option_count, ST_OPTIONS_MAX, arena, &root,
                              "options"));
    list->count++;
    return st_ok();
}

/* One array of rows; a row's "line" is then its place in the array, from 1. */
static st_status parse_array(st_vsi_rows *rows, st_arena *arena, st_str text)
{
    st_json_doc *doc;
    ST_TRY(st_json_parse(&doc, text));
    const st_json root = st_json_root(doc);
    st_status     s = st_json_expect(root, ST_JSON_ARRAY);
    for (size_t i = 0; s.code == ST_OK && i < st_json_count(root); i++) {
        st_json row = st_json_element(&root, i);
        row.parent = NULL;                  /* paths in sentences start at the row */
        s = refuse_other(read_row(rows, arena, row, i + 1), row);
        s = st_within(s, "row %zu", i + 1);
    }
    if (s.code == ST_OK && st_json_count(root) == 0)
        s = ST_FAIL(ST_ERR_FORMAT, "expected rows, found an empty array");
    st_json_free(doc);
    return s;
}

static st_status parse_rows(void *rows, st_arena *arena, st_str text)
{
    const st_str seen = st_str_trim(text);
    if (seen.size == 0)
        return ST_FAIL(ST_ERR_FORMAT, "expected rows, found an empty file");
    return seen.data[0] == '[' ? parse_array(rows, arena, text)
                               : sti_rows_parse_lines(rows, arena, text, read_row);
}

st_status st_vsi_rows_parse(st_vsi_rows *rows, st_arena *arena, st_str text)
{
    *rows = (st_vsi_rows){0};
    return parse_rows(rows, arena, text);
}

st_status st_vsi_rows_read(st_vsi_rows *rows, st_arena *arena, const char *path)
{
    *rows = (st_vsi_rows){0};
    return sti_rows_read_file(rows, arena, path, parse_rows);
}

void st_vsi_row_write(st_text *out, const st_vsi_row *row)
{
    st_json_writer w;
    int64_t        id;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    if (row->id_is_number && st_str_int(st_str_from(row->id), &id))
        st_json_put_int(&w, "id", id);
    else
        st_json_put_text(&w, "id", row->id);
    st_json_put_text(&w, "dataset", row->dataset);
    st_json_put_text(&w, "scene_name", row->scene_name);
    st_json_put_text(&w, "question_type", row->question_type);
    st_json_put_text(&w, "question", row->question);
    st_json_put_text(&w, "ground_truth", row->ground_truth);
    sti_row_write_options(&w, row->options, row->option_count);
    st_json_write_end(&w);
    st_text_add(out, "\n");
}
