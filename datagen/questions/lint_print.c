/* lint_print.c - what lint found, for people and for programs. */
#include "datagen/questions/lint_internal.h"

#include <string.h>

static void print_disagreements(st_text *out, const st_lint_report *report)
{
    for (size_t i = 0; i < report->rows->count; i++) {
        const st_vsi_row  *row = &report->rows->rows[i];
        const st_lint_row *r = &report->results[i];
        char               raw[32];
        if (r->verdict != ST_LINT_DISAGREE)
            continue;
        st_text_addf(out, "%-12s  %s  %s  %s: says %s",
                     st_lint_exact_only(r) ? "exact only" : "disagrees", row->id,
                     row->question_type, row->scene_name, row->ground_truth);
        if (row->option_count > 0)
            st_text_addf(out, " (%s)", sti_lint_given(row));
        st_text_addf(out, ", the %sboxes give %s", r->has_exact ? "sampled " : "",
                     r->answer ? r->answer : r->value);
        if (row->option_count > 0 && r->answer)
            st_text_addf(out, " (%s)", r->value);
        else if (!r->answer)
            st_text_add(out, ", which no option offers");
        if (r->has_exact)
            st_text_addf(out, ", exact %s", r->exact_value);
        st_text_addf(out, "; unrounded %s%s\n", st_print_double(raw, st_round_decimals(
                     r->raw_value, 4)), r->notes & ST_LINT_NEAR_TIE ? ", a near tie" : "");
    }
}

static void print_unanswerable(st_text *out, const st_lint_report *report)
{
    for (size_t i = 0; i < report->rows->count; i++) {
        st_question type;
        if (report->results[i].verdict == ST_LINT_UNANSWERABLE &&
            st_question_find(&type, report->rows->rows[i].question_type))
            st_text_addf(out, "unanswerable  %s  %s  %s: %s\n", report->rows->rows[i].id,
                         report->rows->rows[i].question_type, report->rows->rows[i].scene_name,
                         report->results[i].reason);
    }
}

static void print_row_notes(st_text *out, const st_lint_report *report)
{
    for (size_t i = 0; i < report->rows->count; i++) {
        const st_vsi_row  *row = &report->rows->rows[i];
        const st_lint_row *r = &report->results[i];
        char               raw[32];
        if (r->notes & ST_LINT_NEAR_TIE)
            st_text_addf(out, "near tie      %s  %s  %s: %s, unrounded %s\n", row->id,
                         row->question_type, row->scene_name, r->value ? r->value : "-",
                         st_print_double(raw, st_round_decimals(r->raw_value, 4)));
        if (r->notes & ST_LINT_DUPLICATE)
            st_text_addf(out, "duplicate     %s  %s  %s: asks the same as %s\n", row->id,
                         row->question_type, row->scene_name, report->rows->rows[r->first].id);
        if (r->notes & ST_LINT_OPTIONS)
            st_text_addf(out, "options       %s  %s  %s: the question lists other things\n",
                         row->id, row->question_type, row->scene_name);
        if (r->notes & ST_LINT_CHOICES)
            st_text_addf(out, "choices       %s  %s  %s: options repeat, are out of order, or are "
                         "not those of the type\n", row->id, row->question_type,
                         row->scene_name);
        if (r->notes & ST_LINT_SAME_ID)
            st_text_addf(out, "same id       %s  %s  %s: row %zu of the file has it, too\n",
                         row->id, row->question_type, row->scene_name, r->namesake + 1);
    }
}

static void print_types(st_text *out, const st_lint_report *report)
{
    st_text_addf(out, "\n%-30s %6s %6s %8s %12s %10s  %s\n", "type", "rows", "agree", "disagree",
                 "unanswerable", "blind MRA", "blind guess");
    for (size_t i = 0; i < report->type_count; i++) {
        const st_lint_type *t = &report->types[i];
        st_text_addf(out, "%-30s %6zu %6zu %8zu %12zu", t->name, t->rows,
                     t->verdicts[ST_LINT_AGREE], t->verdicts[ST_LINT_DISAGREE],
                     t->verdicts[ST_LINT_UNANSWERABLE]);
        if (t->blind_mra >= 0.0)
            st_text_addf(out, " %9.1f%%", 100.0 * t->blind_mra);
        else
            st_text_addf(out, " %10s", "-");
        if (t->blind_share >= 0.0)
            st_text_addf(out, "  %.1f%% \"%s\"", 100.0 * t->blind_share, t->blind_content);
        st_text_add(out, "\n");
    }
}

void st_lint_print(st_text *out, const st_lint_report *report, const st_scene_list *scenes)
{
    const st_lint_boxes *b = &report->boxes;
    print_disagreements(out, report);
    print_unanswerable(out, report);
    print_row_notes(out, report);
    for (size_t i = 0; i < scenes->count; i++)
        for (size_t k = 0; k < scenes->scenes[i].warning_count; k++)
            st_text_addf(out, "metadata      %s: %s\n", scenes->scenes[i].scene_id,
                         scenes->scenes[i].warnings[k].message);
    print_types(out, report);
    st_text_add(out, "\nrows with:");
    for (int k = 0; k < ST_LINT_NOTE_COUNT; k++)
        st_text_addf(out, "%s %s %zu", k ? "," : "", st_lint_note_name((st_lint_note)(1 << k)),
                     report->notes[k]);
    st_text_addf(out, "\nboxes: %zu in %zu scenes; tilted %zu, thin %zu, wrong bounds %zu, wrong "
                 "axes %zu; labels: counts that differ %zu, unknown %zu\n", b->count, b->scenes,
                 b->tilted, b->thin, b->bounds, b->mended, b->count_mismatch, b->unknown_label);
}

/* --- JSON --- */

static void put_size(st_json_writer *w, const char *key, size_t value)
{
    st_json_put_int(w, key, (int64_t)value);
}

static void write_types(st_json_writer *w, const st_lint_report *report)
{
    st_json_write_key(w, "types");
    st_json_write_object(w);
    for (size_t i = 0; i < report->type_count; i++) {
        const st_lint_type *t = &report->types[i];
        st_json_write_key(w, t->name);
        st_json_write_object(w);
        put_size(w, "rows", t->rows);
        put_size(w, "agree", t->verdicts[ST_LINT_AGREE]);
        put_size(w, "disagree", t->verdicts[ST_LINT_DISAGREE]);
        put_size(w, "unanswerable", t->verdicts[ST_LINT_UNANSWERABLE]);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_blind(st_json_writer *w, const st_lint_report *report)
{
    st_json_write_key(w, "blind");
    st_json_write_object(w);
    for (size_t i = 0; i < report->type_count; i++) {
        const st_lint_type *t = &report->types[i];
        if (t->blind_share < 0.0)
            continue;
        st_json_write_key(w, t->name);
        st_json_write_object(w);
        st_json_put_text(w, "majority", t->blind_content);
        st_json_put_double(w, "share", st_round_decimals(t->blind_share, 6));
        if (t->blind_mra >= 0.0)
            st_json_put_double(w, "median_mra", st_round_decimals(t->blind_mra, 6));
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

static void write_warnings(st_json_writer *w, const st_scene_list *scenes)
{
    st_json_write_key(w, "metadata");
    st_json_write_array(w);
    for (size_t i = 0; i < scenes->count; i++)
        for (size_t k = 0; k < scenes->scenes[i].warning_count; k++) {
            const st_warning *warning = &scenes->scenes[i].warnings[k];
            st_json_write_object(w);
            st_json_put_text(w, "scene", scenes->scenes[i].scene_id);
            st_json_put_text(w, "rule", warning->rule);
            st_json_put_text(w, "code", warning->code);
            st_json_put_text(w, "message", warning->message);
            st_json_write_end(w);
        }
    st_json_write_end(w);
}

void st_lint_print_json(st_text *out, const st_lint_report *report, const st_scene_list *scenes)
{
    const st_lint_boxes *b = &report->boxes;
    st_json_writer       w;
    st_json_write_start(&w, out, ST_JSON_COMPACT);
    st_json_write_object(&w);
    write_types(&w, report);
    st_json_write_key(&w, "boxes");
    st_json_write_object(&w);
    put_size(&w, "scenes", b->scenes);
    put_size(&w, "count", b->count);
    put_size(&w, "tilted", b->tilted);
    put_size(&w, "thin", b->thin);
    put_size(&w, "bounds", b->bounds);
    put_size(&w, "axes", b->mended);
    put_size(&w, "count_mismatch", b->count_mismatch);
    put_size(&w, "unknown_label", b->unknown_label);
    st_json_write_end(&w);
    st_json_write_key(&w, "notes");
    st_json_write_object(&w);
    for (int k = 0; k < ST_LINT_NOTE_COUNT; k++)
        put_size(&w, st_lint_note_name((st_lint_note)(1 << k)), report->notes[k]);
    st_json_write_end(&w);
    write_blind(&w, report);
    write_warnings(&w, scenes);
    st_json_write_end(&w);
    st_text_add(out, "\n");
}

static void write_answer(st_json_writer *w, const st_vsi_row *row, const st_lint_row *r)
{
    int64_t id;
    st_json_write_object(w);
    if (row->id_is_number && st_str_int(st_str_from(row->id), &id))
        st_json_put_int(w, "id", id);
    else
        st_json_put_text(w, "id", row->id);
    st_json_put_text(w, "scene_name", row->scene_name);
    st_json_put_text(w, "question_type", row->question_type);
    st_json_put_text(w, "verdict", st_lint_verdict_name(r->verdict));
    st_json_put_text(w, "given", row->ground_truth);
    st_json_put_text(w, "answer", r->answer);
    st_json_put_text(w, "value", r->value);
    st_json_write_key(w, "raw_value");
    if (r->value)
        st_json_write_double(w, st_round_decimals(r->raw_value, 9));
    else
        st_json_write_null(w);
    if (r->has_exact)
        st_json_put_text(w, "exact", r->exact_value);
    st_json_write_key(w, "notes");
    st_json_write_row(w);
    for (int k = 0; k < ST_LINT_NOTE_COUNT; k++)
        if (r->notes >> k & 1)
            st_json_write_text(w, st_lint_note_name((st_lint_note)(1 << k)));
    st_json_write_end(w);
    st_json_put_text(w, "reason", r->reason);
    st_json_write_end(w);
}

void st_lint_print_answers(st_text *out, const st_lint_report *report)
{
    for (size_t i = 0; i < report->rows->count; i++) {
        st_json_writer w;
        st_json_write_start(&w, out, ST_JSON_COMPACT);
        write_answer(&w, &report->rows->rows[i], &report->results[i]);
        st_text_add(out, "\n");
    }
}
