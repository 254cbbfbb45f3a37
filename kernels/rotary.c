/* rotary.c - checks, dispatch, and the reference twins of tables and turns. */
#include "kernels/rotary.h"

#include "kernels/around_internal.h"

#include <math.h>

/* theta^(-j/J), rounded as the checkpoints' trainers did: exponent, power and quotient in f32. */
static float frequency(double theta, int64_t j, int64_t J)
{
    const float exponent = (float)j / (float)J;
    return 1.0f / (float)pow(theta, exponent);
}

double sti_rotary_angle(int64_t position, float frequency_f32)
{
    const double pi = 3.14159265358979323846;
    if (position < ST_ROTARY_F32_POSITIONS && position > -ST_ROTARY_F32_POSITIONS)
        return (float)position * frequency_f32;
    return fmod((double)position * frequency_f32, 2.0 * pi);
}

void sti_rotary_frequencies(float *f, double theta, int64_t J)
{
    for (int64_t j = 0; j < J; j++)
        f[j] = frequency(theta, j, J);
}

static st_status check_table(const st_stream *stream, const st_tensor *cosine,
                             const st_tensor *sine, double theta)
{
    ST_TRY(sti_expect_place(stream, cosine));
    ST_TRY(st_tensor_expect(cosine, "cosine", ST_F32, 2, (int64_t[]){-1, -1}));
    ST_TRY(st_tensor_expect(sine, "sine", ST_F32, 2, cosine->shape));
    if (!(theta > 1.0))
        return ST_FAIL(ST_ERR_USAGE, "rotary: theta must be above 1, is %g", theta);
    if (cosine->shape[1] < 1 || cosine->shape[1] > STI_ROTARY_ANGLES_MAX)
        return ST_FAIL(ST_ERR_USAGE, "rotary: a row must have 1 to %d angles, has %lld",
                       STI_ROTARY_ANGLES_MAX, (long long)cosine->shape[1]);
    return st_ok();
}

st_status st_rotary_text_table(st_stream *stream, st_tensor *cosine, st_tensor *sine,
                               const st_tensor *position, const int section[3], double theta)
{
    ST_TRY(check_table(stream, cosine, sine, theta));
    const int64_t T = cosine->shape[0], J = cosine->shape[1];
    ST_TRY(st_tensor_expect(position, "position", ST_I64, 2, (int64_t[]){3, T}));
    if (section[0] < 0 || section[1] < 0 || section[2] < 0 ||
        (int64_t)section[0] + section[1] + section[2] != J)
        return ST_FAIL(ST_ERR_USAGE, "rotary: sections %d, %d, %d do not add up to %lld angles",
                       section[0], section[1], section[2], (long long)J);

    sti_rotary_axes axes = {.J = (int)J};
    sti_rotary_frequencies(axes.frequency, theta, J);
    for (int j = 0; j < J; j++) {
        const int turn = j % 3;
        axes.axis[j] = turn != 0 && j < 3 * section[turn] ? (unsigned char)turn : 0;
    }
    if (cosine->place == ST_PLACE_DEVICE)
        return sti_rotary_text_table_cuda(stream, cosine->data, sine->data, position->data, T,
                                          &axes);

    float         *c = cosine->data, *s = sine->data;   /* (T,J) */
    const int64_t *p = position->data;                  /* (3,T) */
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < J; j++) {
            const double angle = sti_rotary_angle(p[axes.axis[j] * T + t], axes.frequency[j]);
            c[t * J + j] = (float)cos(angle);
            s[t * J + j] = (float)sin(angle);
        }
    return st_ok();
}

st_status st_rotary_grid_table(st_stream *stream, st_tensor *cosine, st_tensor *sine, int64_t rows,
                               int64_t columns, int64_t merge, double theta)
{
    ST_TRY(check_table(stream, cosine, sine, theta));
    const int64_t J = cosine->shape[1], half = J / 2;
    if (J % 2)
        return ST_FAIL(ST_ERR_USAGE, "rotary: %lld angles do not split into rows and columns",
                       (long long)J);
    if (merge < 1 || rows < 0 || columns < 0 || rows % merge || columns % merge)
        return ST_FAIL(ST_ERR_USAGE, "rotary: a grid of %lld x %lld is not in blocks of side %lld",
                       (long long)rows, (long long)columns, (long long)merge);
    ST_TRY(st_tensor_expect(cosine, "cosine", ST_F32, 2, (int64_t[]){rows * columns, J}));

    sti_rotary_axes axes = {.J = (int)J};
    sti_rotary_frequencies(axes.frequency, theta, half);
    if (cosine->place == ST_PLACE_DEVICE) {
        if (merge != 2)
            return ST_FAIL(ST_ERR_UNSUPPORTED, "rotary: on the device blocks of patches have side "
                           "2, not %lld", (long long)merge);
        return sti_rotary_grid_table_cuda(stream, cosine->data, sine->data, rows, columns, &axes);
    }

    float *c = cosine->data, *s = sine->data;           /* (rows*columns, J) */
    for (int64_t n = 0; n < rows * columns; n++) {
        const int64_t block = n / (merge * merge), within = n % (merge * merge);
        const int64_t y = block / (columns / merge) * merge + within / merge;
        const int64_t x = block % (columns / merge) * merge + within % merge;
        for (int64_t j = 0; j < J; j++) {
            const double angle = sti_rotary_angle(j < half ? y : x, axes.frequency[j % half]);
            c[n * J + j] = (float)cos(angle);
            s[n * J + j] = (float)sin(angle);
        }
    }
    return st_ok();
}

void sti_rotary_turn(float *y, const float *x, const float *cosine, const float *sine, int64_t J,
                     float sign)
{
    for (int64_t j = 0; j < J; j++) {
        const float a = x[j], b = x[j + J], s = sign * sine[j];
        y[j]     = a * cosine[j] - b * s;
        y[j + J] = b * cosine[j] + a * s;
    }
}

st_status st_rotary_apply(st_stream *stream, st_tensor *y, const st_tensor *x, int64_t row,
                          const st_tensor *cosine, const st_tensor *sine, st_rotary_turn turn)
{
    ST_TRY(sti_expect_place(stream, x));
    ST_TRY(st_tensor_expect(x, "x", sti_activation(x), 3, (int64_t[]){-1, -1, -1}));
    ST_TRY(st_tensor_expect(y, "y", x->dtype, 3, x->shape));
    const int64_t T = x->shape[0], H = x->shape[1], D = x->shape[2], J = D / 2;
    ST_TRY(st_tensor_expect(cosine, "cosine", ST_F32, 2, (int64_t[]){-1, J}));
    ST_TRY(st_tensor_expect(sine, "sine", ST_F32, 2, cosine->shape));
    const int64_t R = cosine->shape[0];
    if (T == 0)
        return st_ok();
    if (D % 2 || R < 1 || T % R)
        return ST_FAIL(ST_ERR_DATA, "rotary: %lld rows of width %lld do not fit a table of %lld",
                       (long long)T, (long long)D, (long long)R);
    row = row ? row : H * D;
    if (row < H * D)
        return ST_FAIL(ST_ERR_USAGE, "rotary: a row of %lld is shorter than its heads",
                       (long long)row);

    const float sign = turn == ST_ROTARY_BACK ? -1.0f : 1.0f;
    if (x->place == ST_PLACE_DEVICE)
        return sti_rotary_apply_cuda(stream, y->data, x->data, T, H, D, row, cosine->data,
                                     sine->data, R, sign);
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < H; h++) {
            const int64_t at = t * row + h * D, table = t % R * J;
            sti_rotary_turn((float *)y->data + at, (const float *)x->data + at,
                            (const float *)cosine->data + table, (const float *)sine->data + table,
                            J, sign);
        }
    return st_ok();
}
