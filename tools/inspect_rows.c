/* inspect_rows.c - a look at a row file: types and answers, or one row whole. */
#include "tools/inspect.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What every form of row has: enough for the overview. */
typedef struct row {
    const char *id, *scene, *type, *question, *answer;
    const char *const *options;
    int         option_count;
    const st_record *record;        /* NULL unless it carries a proof */
} row;

typedef struct row_list {
    row   *rows;
    size_t count;
} row_list;

/* The first object of the file tells the form: ours carries a proof, the benchmark's does not. */
static bool has_proof(st_arena *arena, const char *path)
{
    st_str text, line;
    const st_arena_mark mark = st_arena_mark_get(arena);
    bool proof = false;
    if (st_file_read(arena, &text, path, ST_TEXT_FILE_BYTES_MAX).code == ST_OK &&
        st_str_next_line(&line, &text)) {
        st_json_doc *doc;
        if (st_json_parse(&doc, line).code == ST_OK) {
            const st_json root = st_json_root(doc);
            proof = st_json_kind_of(st_json_member(&root, "proof")) == ST_JSON_OBJECT;
            st_json_free(doc);
        }
    }
    st_arena_rewind(arena, mark);
    return proof;
}

static st_status read_rows(row_list *list, st_arena *arena, const char *path)
{
    if (has_proof(arena, path)) {
        st_records records = {0};
        ST_TRY(st_records_read(&records, arena, path));
        ST_TRY(ST_ALLOC(arena, &list->rows, records.count));
        for (size_t i = 0; i < records.count; i++) {
            const st_record *r = &records.records[i];
            list->rows[i] = (row){r->id, r->scene_id, r->question_type, r->question, r->answer,
                                  r->options, r->option_count, r};
        }
        list->count = records.count;
        return st_ok();
    }
    st_vsi_rows rows = {0};
    ST_TRY(st_vsi_rows_read(&rows, arena, path));
    ST_TRY(ST_ALLOC(arena, &list->rows, rows.count));
    for (size_t i = 0; i < rows.count; i++) {
        const st_vsi_row *r = &rows.rows[i];
        list->rows[i] = (row){r->id, r->scene_name, r->question_type, r->question, r->ground_truth,
                              r->options, r->option_count, NULL};
    }
    list->count = rows.count;
    return st_ok();
}

/* A letter means what its option says: "B. chair" is "chair". */
static const char *content(const row *r)
{
    for (int k = 0; k < r->option_count; k++)
        if (r->options[k][0] == r->answer[0] && r->options[k][1] == '.' && r->answer[1] == '\0')
            return r->options[k] + (r->options[k][2] == ' ' ? 3 : 2);
    return r->answer;
}

static int by_type_then_content(const void *a, const void *b)
{
    const row *x = a, *y = b;
    const int order = strcmp(x->type, y->type);
    return order != 0 ? order : strcmp(content(x), content(y));
}

/* The answer that occurs most among rows that are sorted by content. */
static size_t commonest(const row *rows, size_t count, const char **answer, size_t *kinds)
{
    size_t best = 0;
    *kinds = 0;
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        while (i + n < count && strcmp(content(&rows[i]), content(&rows[i + n])) == 0)
            n++;
        if (n > best) {
            best = n;
            *answer = content(&rows[i]);
        }
        ++*kinds;
        i += n;
    }
    return best;
}

static void print_overview(st_text *out, row_list *list, bool json)
{
    qsort(list->rows, list->count, sizeof *list->rows, by_type_then_content);
    if (!json)
        st_text_addf(out, "%-30s %8s %8s  %s\n", "type", "rows", "answers", "commonest answer");
    for (size_t i = 0; i < list->count;) {
        size_t n = 1, kinds;
        while (i + n < list->count && strcmp(list->rows[i].type, list->rows[i + n].type) == 0)
            n++;
        const char *answer = "";
        const size_t most = commonest(&list->rows[i], n, &answer, &kinds);
        if (json) {
            st_json_writer w;
            st_json_write_start(&w, out, ST_JSON_COMPACT);
            st_json_write_object(&w);
            st_json_put_text(&w, "type", list->rows[i].type);
            st_json_put_int(&w, "rows", (int64_t)n);
            st_json_put_int(&w, "answers", (int64_t)kinds);
            st_json_put_text(&w, "commonest", answer);
            st_json_put_double(&w, "commonest_share",
                               st_round_decimals((double)most / (double)n, 4));
            st_json_write_end(&w);
            st_text_add(out, "\n");
        } else {
            st_text_addf(out, "%-30s %8zu %8zu  %s (%.0f %%)\n", list->rows[i].type, n, kinds,
                         answer, 100.0 * (double)most / (double)n);
        }
        i += n;
    }
    if (!json)
        st_text_addf(out, "%-30s %8zu\n", "all", list->count);
}

static void print_numbers(st_text *out, const char *title, const st_proof_number *numbers,
                          int count)
{
    char text[32];
    for (int i = 0; i < count; i++)
        st_text_addf(out, "  %-10s %-28s %s\n", i == 0 ? title : "", numbers[i].name,
                     st_print_double(text, numbers[i].value));
}

static void print_row(st_text *out, const row *r)
{
    st_text_addf(out, "%s  %s  %s\n\n%s\n", r->id, r->type, r->scene, r->question);
    for (int k = 0; k < r->option_count; k++)
        st_text_addf(out, "%s\n", r->options[k]);
    st_text_addf(out, "\nanswer      %s", r->answer);
    if (content(r) != r->answer)
        st_text_addf(out, " (%s)", content(r));
    st_text_add(out, "\n");
    if (!r->record)
        return;
    const st_proof *p = &r->record->proof;
    char text[32];
    st_text_addf(out, "proof\n  %-10s %s %s\n", "raw value", st_print_double(text, p->raw_value),
                 p->unit);
    for (int i = 0; i < r->record->referent_count; i++) {
        const st_referent *f = &r->record->referents[i];
        st_text_addf(out, "  %-10s %s: %s, instance", i == 0 ? "referents" : "", f->role, f->label);
        for (int k = 0; k < f->instance_count; k++)
            st_text_addf(out, " %d", f->instance_ids[k]);
        st_text_add(out, "\n");
    }
    print_numbers(out, "margins", p->margins, p->margin_count);
    print_numbers(out, "inputs", p->inputs, p->input_count);
    st_text_addf(out, "  %-10s %s\n", "rule", p->rule);
}

st_status inspect_rows(st_exit *exit_code, const st_args *args, const char *path)
{
    (void)exit_code;
    st_arena arena;
    st_arena_init(&arena, "rows");
    st_text out;
    st_text_init(&out);
    row_list list = {0};
    st_status s;
    ST_TRY_OR(s, out, read_rows(&list, &arena, path));
    const char *wanted = st_args_text(args, "row");
    if (wanted) {
        bool found = false;
        for (size_t i = 0; i < list.count && !found; i++)
            if (strcmp(list.rows[i].id, wanted) == 0) {
                print_row(&out, &list.rows[i]);
                found = true;
            }
        if (!found)
            s = ST_FAIL(ST_ERR_DATA, "%s: no row \"%s\" among %zu", path, wanted, list.count);
    } else {
        print_overview(&out, &list, st_args_json(args));
    }
    if (s.code == ST_OK)
        s = st_print_text(&out);
out:
    st_text_free(&out);
    st_arena_free(&arena);
    return s;
}
