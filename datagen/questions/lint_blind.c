/* lint_blind.c - what a guesser scores who reads the questions and never looks (data.md 5.16).
 *
 * Two guessers: always the most frequent content of the type, and for numbers the median of the
 * rows about the same labels, scored as mean relative accuracy.
 */
#include "datagen/questions/lint_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct guessed {
    const char *about;      /* the row's key without its scene */
    const char *content;
    double      value;
} guessed;

static int compare_contents(const void *a, const void *b)
{
    return strcmp(((const guessed *)a)->content, ((const guessed *)b)->content);
}

static int compare_values(const void *a, const void *b)
{
    const guessed *x = a, *y = b;
    const int      order = strcmp(x->about, y->about);
    return order ? order : (x->value > y->value) - (x->value < y->value);
}

/* Share of the thresholds 0.50, 0.55 ... 0.95 that a guess passes. */
static double relative_accuracy(double guess, double truth)
{
    int passed = 0;
    for (int i = 0; i < 10; i++)
        passed += fabs(guess - truth) * 20.0 <= (10 - i) * fabs(truth) * (1.0 + 1e-12);
    return passed / 10.0;
}

static void majority(st_lint_type *type, guessed *rows, size_t count)
{
    size_t best = 0;
    qsort(rows, count, sizeof *rows, compare_contents);
    for (size_t i = 0, run = 0; i < count; i++) {
        run = i > 0 && strcmp(rows[i - 1].content, rows[i].content) == 0 ? run + 1 : 1;
        if (run > best) {
            best = run;
            type->blind_content = rows[i].content;
        }
    }
    type->blind_share = (double)best / (double)count;
}

static void medians(st_lint_type *type, guessed *rows, size_t count)
{
    double sum = 0.0;
    qsort(rows, count, sizeof *rows, compare_values);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && strcmp(rows[to].about, rows[from].about) == 0; to++)
            ;
        const double guess = rows[from + (to - from - 1) / 2].value;
        for (size_t i = from; i < to; i++)
            sum += relative_accuracy(guess, rows[i].value);
    }
    type->blind_mra = sum / (double)count;
}

/* The key is TYPE, SCENE, LABELS on lines of their own. */
static const char *without_scene(const char *key)
{
    const char *at = strchr(key, '\n');
    at = at ? strchr(at + 1, '\n') : NULL;
    return at ? at : "";
}

st_status sti_lint_blind(st_lint_type *type, st_arena *scratch, const st_lint_report *report)
{
    guessed *rows;
    size_t   count = 0;
    bool     numbers = true;
    ST_TRY(ST_ALLOC(scratch, &rows, type->rows));
    for (size_t i = 0; i < report->rows->count; i++) {
        const st_vsi_row *row = &report->rows->rows[i];
        if (strcmp(row->question_type, type->name) != 0)
            continue;
        guessed *g = &rows[count++];
        *g = (guessed){.about = without_scene(report->results[i].key),
                       .content = sti_lint_given(row)};
        numbers = numbers && row->option_count == 0 &&
                  st_str_double(st_str_trim(st_str_from(g->content)), &g->value);
    }
    if (count == 0)
        return st_ok();
    majority(type, rows, count);
    if (numbers)
        medians(type, rows, count);
    return st_ok();
}
