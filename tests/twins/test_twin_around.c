/* Rotary, head norms, gates and read-out on the device against their CPU bodies. */
#include "twins/twin.h"

#include "kernels/gates.h"
#include "kernels/rotary.h"

/* Bytes of the test on the device, until st_slab_free. */
static void *device_copy(twin_fixture *f, st_slab *slab, const void *bytes, size_t size)
{
    void *device = NULL;
    st_slab_plan(slab, "ints", ST_PLACE_DEVICE);
    must(st_slab_take(slab, &device, size, 1, "ints"));
    must(st_slab_create(f->device, slab));
    must(st_slab_take(slab, &device, size, 1, "ints"));
    must(st_copy_bytes(f->device, device, ST_PLACE_DEVICE, bytes, ST_PLACE_HOST, size));
    must(st_stream_wait(f->device));
    return device;
}

/* A table of angles below 2 pi, as twins. */
static void table_make(twin_fixture *f, twin *table[2], int64_t T, int64_t J)
{
    table[0] = twin_canaried(f, ST_F32, SHAPE(T, J));
    table[1] = twin_canaried(f, ST_F32, SHAPE(T, J));
    int64_t *position = malloc((size_t)(3 * T) * sizeof *position);
    assert_non_null(position);
    for (int64_t i = 0; i < 3 * T; i++)         /* the last ones beyond the f32 range */
        position[i] = i % T < T - 2 ? 97 * (i % T) + 31 * (i / T) : ((int64_t)1 << 33) + i;
    st_slab   slab;
    st_tensor host = {.data = position, .shape = {3, T}, .rank = 2, .dtype = ST_I64};
    st_tensor device = host;
    device.data  = device_copy(f, &slab, position, (size_t)(3 * T) * sizeof *position);
    device.place = ST_PLACE_DEVICE;
    const int section[3] = {(int)(J - 2 * (J / 3)), (int)(J / 3), (int)(J / 3)};
    must(st_rotary_text_table(f->host, &table[0]->host, &table[1]->host, &host, section, 5e6));
    must(st_rotary_text_table(f->device, &table[0]->device, &table[1]->device, &device, section,
                              5e6));
    must(st_stream_wait(f->device));
    st_slab_free(f->device, &slab);
    free(position);
}

/* Both places form the same angle; sine and cosine are rounded from double. */
static void tables_agree(void **state)
{
    twin_fixture *f = *state;
    static const int64_t rows[] = {3, 70, 257}, angles[] = {8, 64, 128};
    for (size_t i = 0; i < COUNT(rows) * COUNT(angles); i++) {
        twin *table[2];
        table_make(f, table, rows[i % 3], angles[i / 3]);
        for (int k = 0; k < 2; k++) {
            twin_check_max(f, table[k], "table", 1.2e-7);
            twin_check_canaries(f, table[k], "table");
        }
        twin_clear(f);
    }
    twin *c = twin_canaried(f, ST_F32, SHAPE(22 * 30, 36)), *s = twin_canaried(f, ST_F32,
                                                                              SHAPE(22 * 30, 36));
    must(st_rotary_grid_table(f->host, &c->host, &s->host, 22, 30, 2, 1e4));
    must(st_rotary_grid_table(f->device, &c->device, &s->device, 22, 30, 2, 1e4));
    twin_check_max(f, c, "grid cosine", 1.2e-7);
    twin_check_max(f, s, "grid sine", 1.2e-7);
    twin_clear(f);
}

/* The answer is rounded to bf16 once: half of 2^-8 of each value. */
static void turns_agree(void **state)
{
    twin_fixture *f = *state;
    static const int64_t widths[] = {2, 6, 64, 72, 128};
    for (size_t i = 0; i < COUNT(widths); i++) {
        const int64_t D = widths[i], T = 70;
        twin *table[2], *x = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, 3, D));
        twin *y = twin_canaried(f, ST_BF16, SHAPE(T, 3, D));
        if (D < 6) {        /* too narrow for three axes: any numbers will do for cosine and sine */
            table[0] = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(35, D / 2));
            table[1] = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(35, D / 2));
        } else {
            table_make(f, table, 35, D / 2);
        }
        must(st_rotary_apply(f->host, &y->host, &x->host, 0, &table[0]->host, &table[1]->host,
                             ST_ROTARY_BACK));
        must(st_rotary_apply(f->device, &y->device, &x->device, 0, &table[0]->device,
                             &table[1]->device, ST_ROTARY_BACK));
        twin_check_max(f, y, "turned", 4e-3);
        twin_check_canaries(f, y, "turned");
        twin_clear(f);
    }
}

static void head_norms_agree(void **state)
{
    twin_fixture *f = *state;
    static const int64_t tokens[] = {3, 64, 333}, heads[] = {1, 3}, widths[] = {16, 32, 128, 256};
    for (size_t i = 0; i < 24; i++) {
        const int64_t T = tokens[i % 3], H = heads[i / 3 % 2], D = widths[i / 6];
        twin *table[2], *x = twin_random(f, ST_BF16, -3.0f, 3.0f, SHAPE(T, H, D));
        twin *w = twin_random(f, ST_BF16, 0.5f, 1.5f, SHAPE(D));
        twin *normed = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        twin *rotated = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        twin *n_bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, H, D));
        twin *r_bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, H, D));
        twin *x_bar = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        twin *w_bar = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(D));    /* added to */
        table_make(f, table, T, D / 2);
        must(st_head_norm(f->host, &normed->host, &rotated->host, &x->host, &w->host,
                          &table[0]->host, &table[1]->host, 1e-6f));
        must(st_head_norm(f->device, &normed->device, &rotated->device, &x->device, &w->device,
                          &table[0]->device, &table[1]->device, 1e-6f));
        twin_check_max(f, normed, "normed", 4e-3);
        twin_check_max(f, rotated, "rotated", 4e-3);
        twin_check_canaries(f, normed, "normed");
        twin_check_canaries(f, rotated, "rotated");
        must(st_head_norm_backward(f->host, &x_bar->host, &w_bar->host, &n_bar->host, &r_bar->host,
                                   &x->host, &w->host, &table[0]->host, &table[1]->host, 1e-6f));
        must(st_head_norm_backward(f->device, &x_bar->device, &w_bar->device, &n_bar->device,
                                   &r_bar->device, &x->device, &w->device, &table[0]->device,
                                   &table[1]->device, 1e-6f));
        twin_check_max(f, x_bar, "x_bar", 4e-3);
        twin_check_max(f, w_bar, "w_bar", 2e-5);
        twin_check_canaries(f, x_bar, "x_bar");
        twin_check_canaries(f, w_bar, "w_bar");
        twin_clear(f);
    }
}

static void gates_agree(void **state)
{
    twin_fixture *f = *state;
    static const int64_t tokens[] = {1, 129, 1000};
    for (size_t i = 0; i < COUNT(tokens); i++) {
        const int64_t T = tokens[i], F = 4;
        twin *z[3], *y[3], *y_bar[3], *z_bar[3];
        for (int k = 0; k < 3; k++) {
            const int64_t wide = k == 0 ? 3 * F : F;
            z[k] = twin_random(f, ST_BF16, -6.0f, 9.0f, SHAPE(T, wide));
            z_bar[k] = twin_canaried(f, ST_BF16, SHAPE(T, wide));
            y[k] = k == 0 ? twin_canaried(f, ST_F32, SHAPE(3, F, T))
                          : twin_canaried(f, ST_F32, SHAPE(F, T));
            y_bar[k] = twin_random(f, ST_F32, -1.0f, 1.0f, y[k]->host.rank, y[k]->host.shape);
        }
        must(st_gates_forward(f->host, &y[0]->host, &y[1]->host, &y[2]->host, &z[0]->host,
                              &z[1]->host, &z[2]->host));
        must(st_gates_forward(f->device, &y[0]->device, &y[1]->device, &y[2]->device,
                              &z[0]->device, &z[1]->device, &z[2]->device));
        must(st_gates_backward(f->host, &z_bar[0]->host, &z_bar[1]->host, &z_bar[2]->host,
                               &y_bar[0]->host, &y_bar[1]->host, &y_bar[2]->host, &z[0]->host,
                               &z[1]->host, &z[2]->host));
        must(st_gates_backward(f->device, &z_bar[0]->device, &z_bar[1]->device, &z_bar[2]->device,
                               &y_bar[0]->device, &y_bar[1]->device, &y_bar[2]->device,
                               &z[0]->device, &z[1]->device, &z[2]->device));
        for (int k = 0; k < 3; k++) {
            twin_check_max(f, y[k], "gate", 2e-6);
            twin_check_max(f, z_bar[k], "z_bar", 4e-3);
            twin_check_canaries(f, y[k], "gate");
            twin_check_canaries(f, z_bar[k], "z_bar");
        }
        twin_clear(f);
    }
}

static void readouts_agree(void **state)
{
    twin_fixture *f = *state;
    static const int64_t tokens[] = {1, 9, 700}, widths[] = {8, 64, 512, 1024};
    for (size_t i = 0; i < COUNT(tokens) * COUNT(widths); i++) {
        const int64_t T = tokens[i % 3], d = widths[i / 3], F = 3;
        twin *o = twin_random(f, ST_BF16, -2.0f, 2.0f, SHAPE(F, T, d));
        twin *w = twin_random(f, ST_BF16, 0.5f, 1.5f, SHAPE(d));
        twin *s = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(F, T));
        twin *base = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, F * d));
        twin *out = twin_canaried(f, ST_BF16, SHAPE(T, F * d));
        twin *out_bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, F * d));
        twin *o_bar = twin_canaried(f, ST_BF16, SHAPE(F, T, d));
        twin *s_bar = twin_canaried(f, ST_F32, SHAPE(F, T));
        twin *w_bar = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(d));    /* added to */
        const bool alone = i % 2;
        must(st_readout_forward(f->host, &out->host, alone ? NULL : &base->host, &o->host,
                                &w->host, &s->host));
        must(st_readout_forward(f->device, &out->device, alone ? NULL : &base->device, &o->device,
                                &w->device, &s->device));
        twin_check_max(f, out, "out", 4e-3);
        twin_check_canaries(f, out, "out");
        must(st_readout_backward(f->host, &o_bar->host, &s_bar->host, &w_bar->host, &out_bar->host,
                                 &o->host, &w->host, &s->host));
        must(st_readout_backward(f->device, &o_bar->device, &s_bar->device, &w_bar->device,
                                 &out_bar->device, &o->device, &w->device, &s->device));
        twin_check_max(f, o_bar, "o_bar", 4e-3);
        twin_check_max(f, s_bar, "s_bar", 2e-5);
        twin_check_max(f, w_bar, "w_bar", 2e-5);
        twin_check_canaries(f, o_bar, "o_bar");
        twin_check_canaries(f, s_bar, "s_bar");
        twin_check_canaries(f, w_bar, "w_bar");
        twin_clear(f);
    }
}

/* What two runs left behind has the same bits. */
static void same_bits(twin_fixture *f, twin *const run[2], const char *what)
{
    float *x = twin_device_values(f, run[0]), *y = twin_device_values(f, run[1]);
    if (memcmp(x, y, (size_t)st_tensor_count(&run[0]->host) * sizeof *x) != 0)
        fail_msg("%s: two runs gave different bits", what);
    free(x);
    free(y);
}

/* Sums over the tokens start from these. */
static twin *zeros(twin_fixture *f, int64_t count)
{
    float *zero = calloc((size_t)count, sizeof *zero);
    assert_non_null(zero);
    twin *t = twin_values(f, ST_F32, zero, SHAPE(count));
    free(zero);
    return t;
}

/* Enough tokens for sums over many blocks. */
enum { REPEAT_T = 3000, REPEAT_H = 3, REPEAT_D = 128 };

static void heads_repeat(void **state)
{
    twin_fixture *f = *state;
    const int64_t T = REPEAT_T, H = REPEAT_H, D = REPEAT_D;
    twin *x = twin_random(f, ST_BF16, -3.0f, 3.0f, SHAPE(T, H, D));
    twin *bar = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, H, D));
    twin *w = twin_random(f, ST_BF16, 0.5f, 1.5f, SHAPE(D));
    twin *table[2], *turned[2], *normed[2], *rotated[2], *x_bar[2], *w_bar[2];
    table_make(f, table, T, D / 2);
    for (int i = 0; i < 2; i++) {
        turned[i] = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        normed[i] = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        rotated[i] = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        x_bar[i] = twin_canaried(f, ST_BF16, SHAPE(T, H, D));
        w_bar[i] = zeros(f, D);
        must(st_rotary_apply(f->device, &turned[i]->device, &x->device, 0, &table[0]->device,
                             &table[1]->device, ST_ROTARY_BACK));
        must(st_head_norm(f->device, &normed[i]->device, &rotated[i]->device, &x->device,
                          &w->device, &table[0]->device, &table[1]->device, 1e-6f));
        must(st_head_norm_backward(f->device, &x_bar[i]->device, &w_bar[i]->device, &bar->device,
                                   &rotated[0]->device, &x->device, &w->device,
                                   &table[0]->device, &table[1]->device, 1e-6f));
    }
    same_bits(f, turned, "rotary");
    same_bits(f, normed, "normed");
    same_bits(f, rotated, "rotated");
    same_bits(f, x_bar, "head norm's x_bar");
    same_bits(f, w_bar, "head norm's w_bar");
    twin_clear(f);
}

static void gates_repeat(void **state)
{
    twin_fixture *f = *state;
    const int64_t T = REPEAT_T, F = 4;
    twin *z[3], *y_bar[3], *y[3][2], *z_bar[3][2];
    for (int k = 0; k < 3; k++) {
        const int64_t wide = k == 0 ? 3 * F : F;
        z[k] = twin_random(f, ST_BF16, -6.0f, 9.0f, SHAPE(T, wide));
        y_bar[k] = k == 0 ? twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(3, F, T))
                          : twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(F, T));
        for (int i = 0; i < 2; i++) {
            y[k][i] = twin_canaried(f, ST_F32, y_bar[k]->host.rank, y_bar[k]->host.shape);
            z_bar[k][i] = twin_canaried(f, ST_BF16, SHAPE(T, wide));
        }
    }
    for (int i = 0; i < 2; i++) {
        must(st_gates_forward(f->device, &y[0][i]->device, &y[1][i]->device, &y[2][i]->device,
                              &z[0]->device, &z[1]->device, &z[2]->device));
        must(st_gates_backward(f->device, &z_bar[0][i]->device, &z_bar[1][i]->device,
                               &z_bar[2][i]->device, &y_bar[0]->device, &y_bar[1]->device,
                               &y_bar[2]->device, &z[0]->device, &z[1]->device, &z[2]->device));
    }
    for (int k = 0; k < 3; k++) {
        same_bits(f, y[k], "gate");
        same_bits(f, z_bar[k], "gate's z_bar");
    }
    twin_clear(f);
}

static void readouts_repeat(void **state)
{
    twin_fixture *f = *state;
    const int64_t T = REPEAT_T, F = 3, d = 512;
    twin *o = twin_random(f, ST_BF16, -2.0f, 2.0f, SHAPE(F, T, d));
    twin *w = twin_random(f, ST_BF16, 0.5f, 1.5f, SHAPE(d));
    twin *s = twin_random(f, ST_F32, -1.0f, 1.0f, SHAPE(F, T));
    twin *base = twin_random(f, ST_BF16, -1.0f, 1.0f, SHAPE(T, F * d));
    twin *out[2], *o_bar[2], *s_bar[2], *w_bar[2];
    for (int i = 0; i < 2; i++) {
        out[i] = twin_canaried(f, ST_BF16, SHAPE(T, F * d));
        o_bar[i] = twin_canaried(f, ST_BF16, SHAPE(F, T, d));
        s_bar[i] = twin_canaried(f, ST_F32, SHAPE(F, T));
        w_bar[i] = zeros(f, d);
        must(st_readout_forward(f->device, &out[i]->device, &base->device, &o->device, &w->device,
                                &s->device));
        must(st_readout_backward(f->device, &o_bar[i]->device, &s_bar[i]->device,
                                 &w_bar[i]->device, &base->device, &o->device, &w->device,
                                 &s->device));
    }
    same_bits(f, out, "read-out");
    same_bits(f, o_bar, "read-out's o_bar");
    same_bits(f, s_bar, "read-out's s_bar");
    same_bits(f, w_bar, "read-out's w_bar");
    twin_clear(f);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tables_agree),  cmocka_unit_test(turns_agree),
    cmocka_unit_test(head_norms_agree), cmocka_unit_test(gates_agree),
    cmocka_unit_test(readouts_agree),
    cmocka_unit_test(heads_repeat), cmocka_unit_test(gates_repeat),
    cmocka_unit_test(readouts_repeat),
};

TWIN_MAIN(tests)
