/* Sorted distinct rows against qsort, on the inputs that quicksorts fear. */
#include "check.h"

#include "geometry/internal.h"
#include "kernels/base/rng.h"

static int width;

static int by_rows(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    for (int k = 0; k < width; k++)
        if (a[k] != b[k])
            return a[k] < b[k] ? -1 : 1;
    return 0;
}

static void rows_are_sorted_and_distinct(void **state)
{
    (void)state;
    enum { MOST = 5000, KINDS = 6 };
    static double ours[3 * MOST], plain[3 * MOST];
    static const size_t sizes[] = {0, 1, 2, 3, 24, 25, 26, 100, MOST};
    st_rng rng = st_rng_from(111);
    for (size_t s = 0; s < COUNT(sizes) * KINDS * 2; s++) {
        const size_t n = sizes[s / KINDS / 2];
        width = s % 2 ? 2 : 3;
        for (size_t i = 0; i < n * (size_t)width; i++) {
            const double kinds[KINDS] = {
                st_rng_normal(&rng),                    /* spread                   */
                (double)st_rng_below(&rng, 4),          /* many repeats             */
                7.0,                                    /* nothing but repeats      */
                (double)i,                              /* sorted                   */
                -(double)i,                             /* the wrong way round      */
                (double)(i < n ? i : 2 * n - i),        /* up and down: organ pipes */
            };
            ours[i] = plain[i] = kinds[s / 2 % KINDS];
        }
        qsort(plain, n, (size_t)width * sizeof *plain, by_rows);
        size_t distinct = 0;
        for (size_t i = 0; i < n; i++)
            if (i == 0 || by_rows(plain + (i - 1) * (size_t)width, plain + i * (size_t)width))
                memmove(plain + distinct++ * (size_t)width, plain + i * (size_t)width,
                        (size_t)width * sizeof *plain);
        assert_int_equal(sti_sort_distinct(ours, n, width), distinct);
        assert_memory_equal(ours, plain, distinct * (size_t)width * sizeof *ours);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_distinct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
