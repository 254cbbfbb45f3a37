/* rows.c - rows of learned tables: token embeddings, and positions resampled to a grid. */
#include "kernels/dense.h"
#include "kernels/dense_internal.h"

#include <math.h>
#include <string.h>

static void widen_row(float *y, const st_tensor *table, int64_t row, int64_t C)
{
    if (table->dtype == ST_F32) {
        memcpy(y, (const float *)table->data + row * C, (size_t)C * sizeof *y);
        return;
    }
    const uint16_t *w = (const uint16_t *)table->data + row * C;
    for (int64_t c = 0; c < C; c++)
        y[c] = st_f32_from_bf16(w[c]);
}

st_status st_embed_rows(st_stream *q, st_tensor *y, const st_tensor *table, const st_tensor *row)
{
    (void)q;
    ST_TRY(sti_expect_weight(table, "table", 2, (int64_t[]){-1, -1}));
    ST_TRY(st_tensor_expect(row, "row", ST_I64, 1, (int64_t[]){-1}));
    const int64_t T = row->shape[0], V = table->shape[0], C = table->shape[1];
    ST_TRY(sti_expect_rows(y, "y", T, C));

    const int64_t *at = row->data;
    for (int64_t t = 0; t < T; t++)
        if (at[t] < 0 || at[t] >= V)
            return ST_FAIL(ST_ERR_DATA, "row %lld names entry %lld of a table of %lld",
                           (long long)t, (long long)at[t], (long long)V);
    for (int64_t t = 0; t < T; t++)
        widen_row((float *)y->data + t * C, table, at[t], C);
    return st_ok();
}

/* linspace(0, side - 1, count)[i] in f32, stepped from the nearer end as the reference does, so
 * that the last point is exactly the last entry. */
void st_position_axis(int64_t *i0, float *fraction, int64_t i, int64_t count, int64_t side)
{
    const float last = (float)(side - 1);
    const float step = count > 1 ? last / (float)(count - 1) : 0.0f;
    const float u = i < count / 2 || count == 1 ? step * (float)i
                                                : last - step * (float)(count - 1 - i);
    *i0 = (int64_t)u;
    *fraction = u - (float)*i0;
}

typedef struct table_terms {
    const st_tensor *table;
    int64_t          C, side;
    float            weight[4];
    int64_t          entry[4];      /* rows of the table, in the order of the sum */
} table_terms;

static float round_to(float x, st_dtype dtype)
{
    return dtype == ST_BF16 ? st_f32_from_bf16(st_bf16_from_f32(x)) : x;
}

static void find_terms(table_terms *k, int64_t row, int64_t row_count, int64_t column,
                       int64_t column_count)
{
    int64_t y0, x0;
    float fy, fx;
    st_position_axis(&y0, &fy, row, row_count, k->side);
    st_position_axis(&x0, &fx, column, column_count, k->side);
    const int64_t y1 = y0 + 1 < k->side ? y0 + 1 : y0, x1 = x0 + 1 < k->side ? x0 + 1 : x0;

    const float weight[4] = {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx};
    const int64_t entry[4] = {y0 * k->side + x0, y0 * k->side + x1, y1 * k->side + x0,
                              y1 * k->side + x1};
    for (int i = 0; i < 4; i++) {
        k->weight[i] = round_to(weight[i], k->table->dtype);
        k->entry[i] = entry[i] * k->C;
    }
}

static void add_terms(float *x, const table_terms *k)
{
    for (int64_t c = 0; c < k->C; c++) {
        float sum = sti_element(k->table, k->entry[0] + c) * k->weight[0];
        for (int i = 1; i < 4; i++)
            sum += sti_element(k->table, k->entry[i] + c) * k->weight[i];
        x[c] += sum;
    }
}

st_status st_position_table_add(st_stream *q, st_tensor *x, const st_tensor *table,
                                int64_t row_count, int64_t column_count, int64_t merge)
{
    (void)q;
    ST_TRY(sti_expect_weight(table, "table", 2, (int64_t[]){-1, -1}));
    table_terms k = {.table = table, .C = table->shape[1]};
    ST_TRY(sti_expect_rows(x, "x", row_count * column_count, k.C));
    k.side = llround(sqrt((double)table->shape[0]));
    if (k.side * k.side != table->shape[0])
        return ST_FAIL(ST_ERR_DATA, "a table of positions must be square, has %lld rows",
                       (long long)table->shape[0]);
    if (merge < 1 || row_count % merge != 0 || column_count % merge != 0)
        return ST_FAIL(ST_ERR_DATA, "a grid of %lld x %lld patches does not split into %lld x %lld",
                       (long long)row_count, (long long)column_count, (long long)merge,
                       (long long)merge);

    float *at = x->data;
    for (int64_t by = 0; by < row_count; by += merge)
        for (int64_t bx = 0; bx < column_count; bx += merge)
            for (int64_t i = 0; i < merge * merge; i++, at += k.C) {
                find_terms(&k, by + i / merge, row_count, bx + i % merge, column_count);
                add_terms(at, &k);
            }
    return st_ok();
}
