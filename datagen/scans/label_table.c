/* label_table.c - the tab-separated label table of ScanNet, in any version that circulates.
 *
 * Known versions differ in line ends (LF, CR LF, CR CR LF), a missing last line end, a row that
 * lost two empty fields, corrected spellings, and one raw label given twice. Columns are found by
 * name; only raw_category, nyu40id and, where there is one, id are read.
 *
 * Source  data.md 2.7, E-16, E-17.
 */
#include "datagen/scans/label_tables.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct label_row {
    st_str  raw;
    int64_t id;             /* 0: none */
    int     nyu40;
    size_t  line;
} label_row;

struct st_label_table {
    st_arena          arena;
    label_row        *rows;         /* sorted by raw label, bytes */
    size_t            count, capacity;
    st_label_oddities odd;
};

enum { COLUMNS_MAX = 64 };
#define TABLE_BYTES_MAX ((size_t)16 << 20)      /* three hundred times the real one */

typedef struct columns {
    int raw, nyu40, id, count;      /* -1: absent */
} columns;

static st_status find_columns(columns *c, st_str header)
{
    *c = (columns){-1, -1, -1, 0};
    st_str field;
    while (st_str_next_field(&field, &header, '\t')) {
        const st_str name = st_str_trim(field);
        if (st_str_is(name, "raw_category") && c->raw < 0)
            c->raw = c->count;
        else if (st_str_is(name, "nyu40id") && c->nyu40 < 0)
            c->nyu40 = c->count;
        else if (st_str_is(name, "id") && c->id < 0)
            c->id = c->count;
        c->count++;
    }
    if (c->raw < 0)
        return ST_FAIL(ST_ERR_FORMAT, "label table: expected a column \"raw_category\", "
                                      "found none among %d", c->count);
    if (c->nyu40 < 0)
        return ST_FAIL(ST_ERR_FORMAT, "label table: expected a column \"nyu40id\", "
                                      "found none among %d", c->count);
    if (c->count > COLUMNS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "label table has %d columns, at most %d are read", c->count,
                       COLUMNS_MAX);
    return st_ok();
}

/* A row of the file; false when it cannot be used. */
static bool read_row(label_row *row, st_label_oddities *odd, const columns *c, st_str line)
{
    st_str cells[COLUMNS_MAX] = {{0}}, field;
    int    count = 0;
    while (st_str_next_field(&field, &line, '\t')) {
        if (count < c->count)
            cells[count] = st_str_trim(field);
        count++;
    }
    odd->short_rows += count < c->count;
    odd->long_rows += count > c->count;

    int64_t nyu40 = 0, id = 0;
    row->raw = cells[c->raw];
    if (row->raw.size == 0 || row->raw.size > ST_NAME_BYTES_MAX ||
        st_utf8_check(row->raw) != row->raw.size ||
        !cells[c->nyu40].data || !st_str_int(cells[c->nyu40], &nyu40) || nyu40 < 1 ||
        nyu40 >= STI_CLASS_COUNT)
        return false;
    if (c->id >= 0 && cells[c->id].data && (!st_str_int(cells[c->id], &id) || id < 0))
        id = 0;
    row->nyu40 = (int)nyu40;
    row->id = id;
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    const label_row *x = a, *y = b;
    const int        order = st_str_compare(x->raw, y->raw);
    return order ? order : x->line < y->line ? -1 : 1;
}

/* Sort, and of rows with the same raw label keep the first of the file. */
static void keep_first_rows(st_label_table *t)
{
    qsort(t->rows, t->count, sizeof *t->rows, compare_rows);
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (kept > 0 && st_str_equal(t->rows[kept - 1].raw, t->rows[i].raw)) {
            t->odd.duplicate_rows++;
            continue;
        }
        t->rows[kept++] = t->rows[i];
    }
    t->count = kept;
}

static st_status parse_into(st_label_table *t, st_str text)
{
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text = (st_str){text.data + 3, text.size - 3};

    const char *copy;
    ST_TRY(st_arena_copy_text(&t->arena, &copy, text.data, text.size));
    st_str rest = {copy, text.size}, line;

    columns c;
    size_t  number = 1;
    if (!st_str_next_line(&line, &rest))
        return ST_FAIL(ST_ERR_FORMAT, "label table: expected a header line, found nothing");
    ST_TRY(find_columns(&c, line));

    while (st_str_next_line(&line, &rest)) {
        number++;
        if (st_str_trim(line).size == 0)
            continue;
        label_row row = {.line = number};
        if (!read_row(&row, &t->odd, &c, line)) {
            t->odd.unusable_rows++;
            continue;
        }
        ST_TRY(ST_GROW(&t->arena, &t->rows, &t->capacity, t->count + 1));
        t->rows[t->count++] = row;
    }
    if (t->count == 0)
        return ST_FAIL(ST_ERR_FORMAT, "label table: expected rows with a raw_category and a "
                                      "nyu40id of 1 to 40, found none in %zu lines", number);
    keep_first_rows(t);
    return st_ok();
}

st_status st_label_table_parse(st_label_table **table, st_str text)
{
    st_label_table *t = calloc(1, sizeof *t);
    if (!t)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a label table");
    st_arena_init(&t->arena, "label table");
    const st_status s = parse_into(t, text);
    if (s.code != ST_OK) {
        st_label_table_free(t);
        return s;
    }
    *table = t;
    return st_ok();
}

st_status st_label_table_load(st_label_table **table, const char *path)
{
    st_arena scratch;
    st_arena_init(&scratch, "label table file");
    st_str    bytes = {0};
    st_status s = st_file_read(&scratch, &bytes, path, TABLE_BYTES_MAX);
    if (s.code == ST_OK)
        s = st_within(st_label_table_parse(table, bytes), "%s", path);
    st_arena_free(&scratch);
    return s;
}

void st_label_table_free(st_label_table *table)
{
    if (!table)
        return;
    st_arena_free(&table->arena);
    free(table);
}

size_t st_label_table_rows(const st_label_table *table)
{
    return table->count;
}

st_label_oddities st_label_table_oddities(const st_label_table *table)
{
    return table->odd;
}

static const label_row *find_exact(const st_label_table *t, st_str raw)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int    order = st_str_compare(raw, t->rows[middle].raw);
        if (order == 0)
            return &t->rows[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool equal_but_case(st_str a, st_str b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (tolower((unsigned char)a.data[i]) != tolower((unsigned char)b.data[i]))
            return false;
    return true;
}

static const label_row *find_any_case(const st_label_table *t, st_str raw)
{
    const label_row *exact = find_exact(t, raw);
    if (exact)
        return exact;
    const label_row *first = NULL;      /* of the file, when two rows differ in case alone */
    for (size_t i = 0; i < t->count; i++)
        if (equal_but_case(t->rows[i].raw, raw) && (!first || t->rows[i].line < first->line))
            first = &t->rows[i];
    return first;
}

/* Exact, then in any case, then without a trailing s (E-16). */
static const label_row *find_row(const st_label_table *table, st_str raw_label)
{
    st_str           raw = st_str_trim(raw_label);
    const label_row *row = raw.size ? find_any_case(table, raw) : NULL;
    if (!row && raw.size > 1 && (raw.data[raw.size - 1] | 0x20) == 's') {
        raw.size--;
        row = find_any_case(table, raw);
    }
    return row;
}

int st_label_table_find(const st_label_table *table, st_str raw_label)
{
    const label_row *row = find_row(table, raw_label);
    return row ? row->nyu40 : 0;
}

int64_t sti_label_table_id(const st_label_table *table, st_str raw_label)
{
    const label_row *row = find_exact(table, raw_label);
    return row ? row->id : 0;
}
