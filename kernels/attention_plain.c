/* attention_plain.c - the definition of attention and its gradients, one pair at a time. */
#include "kernels/plain.h"

#include <math.h>
#include <string.h>

/* Keys that the token at row i of segment [begin, end) sees: [*low, *high). */
static void visible(int64_t *low, int64_t *high, int64_t i, int64_t begin, int64_t end,
                    const st_attention_sizes *z)
{
    *low  = begin;
    *high = z->mask == ST_ATTENTION_CAUSAL ? i + 1 : end;
    if (z->window > 0 && i - z->window + 1 > begin)
        *low = i - z->window + 1;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* One query against keys low .. high-1, each in row p % capacity; the answer is its lse. */
static double one_query(double *out, const double *q, const double *k, const double *v,
                        int64_t low, int64_t high, int64_t capacity, int64_t row, int64_t D,
                        double scale)
{
    double top = -INFINITY, sum = 0.0;
    for (int64_t p = low; p < high; p++)
        top = fmax(top, scale * dot(q, k + p % capacity * row, D));

    memset(out, 0, (size_t)D * sizeof *out);
    for (int64_t p = low; p < high; p++) {
        const double weight = exp(scale * dot(q, k + p % capacity * row, D) - top);
        sum += weight;
        for (int64_t c = 0; c < D; c++)
            out[c] += weight * v[p % capacity * row + c];
    }
    for (int64_t c = 0; c < D; c++)
        out[c] /= sum;
    return top + log(sum);
}

void st_attention_forward_plain(double *out, double *lse, const double *q, const double *k,
                                const double *v, const st_attention_sizes *z)
{
    const int64_t H = z->H, D = z->D, kv_row = z->Hkv * D;
    for (int64_t s = 0; s < z->segments; s++)
        for (int64_t i = z->starts[s]; i < z->starts[s + 1]; i++)
            for (int64_t h = 0; h < H; h++) {
                const int64_t g = h / (H / z->Hkv) * D;     /* first channel of the key head */
                int64_t low, high;
                visible(&low, &high, i, z->starts[s], z->starts[s + 1], z);
                const double l = one_query(out + (i * H + h) * D, q + (i * H + h) * D, k + g,
                                           v + g, low, high, z->T, kv_row, D, z->scale);
                if (lse)
                    lse[h * z->T + i] = l;
            }
}

void st_attention_cached_plain(double *out, const double *q, const double *k_cache,
                               const double *v_cache, int64_t capacity, int64_t position,
                               int64_t first, const st_attention_sizes *z)
{
    const int64_t H = z->H, D = z->D, kv_row = z->Hkv * D;
    for (int64_t i = 0; i < z->T; i++)
        for (int64_t h = 0; h < H; h++) {
            const int64_t g = h / (H / z->Hkv) * D, p = position + i;
            const int64_t low = z->window > 0 && p - z->window + 1 > first ? p - z->window + 1
                                                                           : first;
            one_query(out + (i * H + h) * D, q + (i * H + h) * D, k_cache + g, v_cache + g, low,
                      p + 1, capacity, kv_row, D, z->scale);
        }
}

void st_attention_backward_plain(double *q_bar, double *k_bar, double *v_bar,
                                 const double *out_bar, const double *q, const double *k,
                                 const double *v, const st_attention_sizes *z)
{
    const int64_t H = z->H, D = z->D, kv_row = z->Hkv * D;
    memset(q_bar, 0, (size_t)(z->T * H * D) * sizeof *q_bar);
    memset(k_bar, 0, (size_t)(z->T * kv_row) * sizeof *k_bar);
    memset(v_bar, 0, (size_t)(z->T * kv_row) * sizeof *v_bar);

    for (int64_t s = 0; s < z->segments; s++)
        for (int64_t i = z->starts[s]; i < z->starts[s + 1]; i++)
            for (int64_t h = 0; h < H; h++) {
                const int64_t g = h / (H / z->Hkv) * D, at = (i * H + h) * D;
                int64_t       low, high;
                visible(&low, &high, i, z->starts[s], z->starts[s + 1], z);

                double out[256];        /* D <= 256: a definition needs no heap */
                const double l = one_query(out, q + at, k + g, v + g, low, high, z->T, kv_row, D,
                                           z->scale);
                const double delta = dot(out_bar + at, out, D);
                for (int64_t j = low; j < high; j++) {
                    const double *kj = k + j * kv_row + g, *vj = v + j * kv_row + g;
                    const double  p  = exp(z->scale * dot(q + at, kj, D) - l);
                    const double  sb = z->scale * p * (dot(out_bar + at, vj, D) - delta);
                    for (int64_t c = 0; c < D; c++) {
                        q_bar[at + c] += sb * kj[c];
                        k_bar[j * kv_row + g + c] += sb * q[at + c];
                        v_bar[j * kv_row + g + c] += p * out_bar[at + c];
                    }
                }
            }
}
