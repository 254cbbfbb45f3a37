/* The sampled distance against its brute-force definition, and against published answers. */
#include "check.h"
#include "random_box.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"

#include <float.h>

/* The definition, with nothing pruned and nothing clever: the samples of a box in one list. */
static size_t plain_samples(double (*out)[3], const st_obb *box, double spacing_m)
{
    int n[3];
    for (int k = 0; k < 3; k++) {
        n[k] = (int)ceil(box->half_m[k] * 2 / spacing_m);
        n[k] = n[k] < 1 ? 1 : n[k];
    }
    size_t kept = 0;
    for (int i = 0; i < n[0] * n[1] * n[2]; i++) {
        const int at[3] = {i % n[0], i / n[0] % n[1], i / n[0] / n[1]};
        double w[3];
        bool core = true, inside = true;
        for (int k = 0; k < 3; k++) {
            const double start = -box->half_m[k], stop = box->half_m[k];
            const double step = n[k] > 1 ? (stop - start) / (n[k] - 1) : 0;
            w[k] = at[k] * step + start;
            if (n[k] > 1 && at[k] == n[k] - 1)
                w[k] = stop;
            core = core && fabs(w[k]) <= box->half_m[k] / 2;
        }
        double p[3], d[3];
        for (int x = 0; x < 3; x++) {
            p[x] = ((w[0] * box->axis[0][x] + w[1] * box->axis[1][x]) + w[2] * box->axis[2][x]) +
                   box->center_m[x];
            d[x] = p[x] - box->center_m[x];
        }
        for (int k = 0; k < 3; k++) {
            const double *a = box->axis[k];
            inside = inside && fabs((d[0] * a[0] + d[1] * a[1]) + d[2] * a[2]) <= box->half_m[k];
        }
        if (inside && !core)
            memcpy(out[kept++], p, sizeof p);
    }
    return kept;
}

static double plain_distance(const st_obb *a, const st_obb *b)
{
    enum { ROOM = 2000000 };
    double (*p)[3] = malloc(ROOM * sizeof *p), (*q)[3] = malloc(ROOM * sizeof *q);
    assert_true(p && q);
    size_t np = 0, nq = 0;
    for (double spacing = 0.05; np == 0; spacing /= 2)
        np = plain_samples(p, a, spacing);
    for (double spacing = 0.05; nq == 0; spacing /= 2)
        nq = plain_samples(q, b, spacing);
    double least = DBL_MAX;
    for (size_t i = 0; i < np; i++)
        for (size_t j = 0; j < nq; j++) {
            const double x = p[i][0] - q[j][0], y = p[i][1] - q[j][1], z = p[i][2] - q[j][2];
            least = fmin(least, (x * x + y * y) + z * z);
        }
    free(p);
    free(q);
    return sqrt(least);
}

static void pruned_is_the_plain_one_to_the_bit(void **state)
{
    (void)state;
    st_rng rng = st_rng_from(7);
    st_arena scratch;
    st_arena_init(&scratch, "scratch");
    for (uint64_t round = 0; round < 280; round++) {
        st_obb a = random_box(&rng, 1.5);
        for (int i = 0; i < 3; i++)             /* small enough for a plain search */
            a.half_m[i] *= 0.4;
        st_obb b = related_box(&rng, &a, round);
        for (int i = 0; i < 3; i++)
            b.half_m[i] = fmin(b.half_m[i] * 0.4, 0.4);
        if (round % 7 == 6)
            b.half_m[0] = 0.01;                 /* a zero side may need millions of samples */
        b.half_m[1] = fmax(b.half_m[1], 0.02);
        double d = -1;
        must(st_obb_distance_sampled(&d, &scratch, &a, &b));
        const double plain = plain_distance(&a, &b);
        if (d != plain)
            fail_msg("pair %d: %.17g, plain %.17g", (int)round, d, plain);
    }
    st_arena_free(&scratch);
}

static void odd_boxes_are_answered_or_refused(void **state)
{
    (void)state;
    st_arena scratch;
    st_arena_init(&scratch, "scratch");
    st_obb a = {.axis = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, b = a;
    b.center_m[1] = 3;
    double d = -1;
    must(st_obb_distance_sampled(&d, &scratch, &a, &b));    /* two points */
    assert_true(d == 3);
    b.half_m[0] = b.half_m[1] = b.half_m[2] = 1000;
    must_fail(st_obb_distance_sampled(&d, &scratch, &a, &b), ST_ERR_LIMIT,
              "a box of 2000 x 2000 x 2000 m needs 6.4e+13 samples, at most 1e+07");
    assert_true(d == 3);
    st_arena_free(&scratch);
}

/* --- published answers, where they are at hand --- */

static const char *const DATASETS[3] = {"scannet", "arkitscenes", "scannetpp"};

/* The only box of a label, or false when there are none or several. */
static bool only_box(st_obb *box, const st_json *boxes, st_str label)
{
    char key[100];
    snprintf(key, sizeof key, "%.*s", ST_STR_ARG(label));
    const st_json list = st_json_member(boxes, key);
    if (st_json_count(list) != 1)
        return false;
    const st_json one = st_json_element(&list, 0);
    double center_m[3], size_m[3], axes[9];
    must(st_json_doubles(st_json_member(&one, "centroid"), center_m, 3));
    must(st_json_doubles(st_json_member(&one, "axesLengths"), size_m, 3));
    must(st_json_doubles(st_json_member(&one, "normalizedAxes"), axes, 9));
    must(st_obb_from_parts(box, center_m, size_m, axes));
    return true;
}

static bool asked_boxes(st_obb pair[2], const st_json roots[3], const st_json *row)
{
    st_str dataset, scene, question;
    must(st_json_text(st_json_member(row, "dataset"), &dataset));
    must(st_json_text(st_json_member(row, "scene_name"), &scene));
    must(st_json_text(st_json_member(row, "question"), &question));
    const char *first = strstr(question.data, "between the ");
    const char *second = first ? strstr(first, " and the ") : NULL;
    const char *end = second ? strstr(second, " (in meters)") : NULL;
    if (!end)
        return false;
    first += strlen("between the ");
    const st_str a = {first, (size_t)(second - first)};
    second += strlen(" and the ");
    const st_str b = {second, (size_t)(end - second)};
    for (int i = 0; i < 3; i++) {
        if (!st_str_is(dataset, DATASETS[i]))
            continue;
        const st_json entry = st_json_member(&roots[i], scene.data);
        const st_json boxes = st_json_member(&entry, "object_bbox");
        return only_box(&pair[0], &boxes, a) && only_box(&pair[1], &boxes, b);
    }
    return false;
}

/* The benchmark prints one decimal. At least 97 of 100 are met to the digit, all within 0.1 m
 * (data.md 8.6 measured 98.2 over all scenes). */
static void published_answers_are_met(void **state)
{
    (void)state;
    char path[4096], name[100];
    st_json_doc *docs[3] = {NULL};
    st_json roots[3];
    st_arena arena;
    st_arena_init(&arena, "test");
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "data/vsibench/%s_meta_info.json", DATASETS[i]);
        if (!shared_path(path, sizeof path, name))
            return;
        must(st_json_load(&docs[i], path));
        roots[i] = st_json_root(docs[i]);
    }
    if (!shared_path(path, sizeof path, "data/vsibench/rows.jsonl"))
        return;
    st_str rest, line;
    must(st_file_read(&arena, &rest, path, ST_TEXT_FILE_BYTES_MAX));
    int asked = 0, equal = 0;
    while (st_str_next_line(&line, &rest)) {
        if (!memmem(line.data, line.size, "object_abs_distance", 19))
            continue;
        st_json_doc *doc;
        st_obb pair[2];
        must(st_json_parse(&doc, line));
        const st_json row = st_json_root(doc);
        if (asked_boxes(pair, roots, &row)) {
            st_str truth;
            double d, published, exact = st_obb_distance(&pair[0], &pair[1]);
            char digits[64];
            must(st_json_text(st_json_member(&row, "ground_truth"), &truth));
            assert_true(st_str_double(truth, &published));
            must(st_obb_distance_sampled(&d, &arena, &pair[0], &pair[1]));
            st_print_fixed(digits, d, 1);
            asked++;
            equal += st_str_is(truth, digits);
            assert_near(strtod(digits, NULL), published, 0.1 + 1e-9);
            assert_true(published - exact >= -0.05 - 1e-9 && published - exact <= 0.33);
        }
        st_json_free(doc);
    }
    printf("sampled distance: %d of %d published answers to the digit\n", equal, asked);
    assert_true(asked > 300 && equal >= 0.97 * asked);
    for (int i = 0; i < 3; i++)
        st_json_free(docs[i]);
    st_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pruned_is_the_plain_one_to_the_bit),
        cmocka_unit_test(odd_boxes_are_answered_or_refused),
        cmocka_unit_test(published_answers_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
