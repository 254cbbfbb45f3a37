/* sort.c - points in lexicographic order, each once: the form in which the order of a scan's
 * vertices is forgotten.
 *
 * Half of the time of a box or a triangulation would go into qsort's calls back; here the
 * comparison is part of the loop. Deep recursion, the mark of an unlucky input, ends in qsort.
 */
#include "geometry/internal.h"

#include "kernels/base/limits.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_MAX = 3, SMALL = 24 };

static inline int compare(const double *a, const double *b, int width)
{
    for (int k = 0; k < width - 1; k++)
        if (a[k] != b[k])
            return a[k] < b[k] ? -1 : 1;
    return (a[width - 1] > b[width - 1]) - (a[width - 1] < b[width - 1]);
}

static int compare2(const void *a, const void *b)
{
    return compare(a, b, 2);
}

static int compare3(const void *a, const void *b)
{
    return compare(a, b, 3);
}

static inline void swap(double *a, double *b, int width)
{
    for (int k = 0; k < width; k++) {
        const double t = a[k];
        a[k] = b[k];
        b[k] = t;
    }
}

static inline void insertion(double *rows, size_t n, int width)
{
    for (size_t i = 1; i < n; i++) {
        double row[WIDTH_MAX];
        size_t at = i;
        for (int k = 0; k < width; k++)
            row[k] = rows[i * (size_t)width + (size_t)k];
        for (; at > 0 && compare(row, rows + (at - 1) * (size_t)width, width) < 0; at--)
            for (int k = 0; k < width; k++)
                rows[at * (size_t)width + (size_t)k] = rows[(at - 1) * (size_t)width + (size_t)k];
        for (int k = 0; k < width; k++)
            rows[at * (size_t)width + (size_t)k] = row[k];
    }
}

/* Hoare's partition around the median of three; the smaller side recurses, the larger loops. */
static inline void quick(double *rows, size_t n, int width, int depth,
                         void (*again)(double *, size_t, int),
                         int (*by)(const void *, const void *))
{
    while (n > SMALL) {
        if (depth-- == 0) {
            qsort(rows, n, (size_t)width * sizeof *rows, by);
            return;
        }
        const size_t w = (size_t)width;
        double *first = rows, *middle = rows + n / 2 * w, *last = rows + (n - 1) * w, pivot[3];
        if (compare(middle, first, width) < 0)
            swap(middle, first, width);
        if (compare(last, middle, width) < 0)
            swap(last, middle, width);
        if (compare(middle, first, width) < 0)
            swap(middle, first, width);
        for (int k = 0; k < width; k++)
            pivot[k] = middle[k];

        size_t i = 0, j = n - 1;
        for (;;) {
            while (compare(rows + i * w, pivot, width) < 0)
                i++;
            while (compare(pivot, rows + j * w, width) < 0)
                j--;
            if (i >= j)
                break;
            swap(rows + i++ * w, rows + j-- * w, width);
        }
        const size_t left = j + 1, right = n - left;
        if (left < right) {
            again(rows, left, depth);
            rows += left * w;
            n = right;
        } else {
            again(rows + left * w, right, depth);
            n = left;
        }
    }
    insertion(rows, n, width);
}

static void quick2(double *rows, size_t n, int depth)
{
    quick(rows, n, 2, depth, quick2, compare2);
}

static void quick3(double *rows, size_t n, int depth)
{
    quick(rows, n, 3, depth, quick3, compare3);
}

size_t sti_sort_distinct(double *rows, size_t n, int width)
{
    const size_t w = (size_t)width;
    int depth = 8;
    for (size_t left = n; left > 1; left /= 2)
        depth += 2;
    if (width == 2)
        quick2(rows, n, depth);
    else
        quick3(rows, n, depth);
    size_t distinct = n > 0;
    for (size_t i = 1; i < n; i++) {
        if (compare(rows + (distinct - 1) * w, rows + i * w, width) == 0)
            continue;
        if (distinct != i)
            memcpy(rows + distinct * w, rows + i * w, w * sizeof *rows);
        distinct++;
    }
    return distinct;
}

st_status sti_points_distinct(double (**points)[3], size_t *count, st_arena *arena,
                              const double (*points_m)[3], size_t n)
{
    double (*p)[3];
    ST_TRY(ST_ALLOC(arena, &p, n));
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) {
            if (!(fabs(points_m[i][k]) <= ST_COORDINATE_M_MAX))
                return ST_FAIL(ST_ERR_NUMERIC,
                               "point %zu must be finite and within 100 km, is (%g, %g, %g)", i,
                               points_m[i][0], points_m[i][1], points_m[i][2]);
            p[i][k] = points_m[i][k] + 0.0;     /* -0 becomes 0: they are one point */
        }
    *points = p;
    *count = sti_sort_distinct(&p[0][0], n, 3);
    return st_ok();
}
