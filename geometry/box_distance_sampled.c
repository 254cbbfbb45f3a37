/* box_distance_sampled.c - the distance as the benchmark's makers measured it: between points
 * sampled on the boxes, with the rounding that loses many of those points.
 *
 * Every step repeats the published arithmetic, operation by operation: points stand on a grid of
 * about 5 cm, the inner eighth of the box is left out, and each point is then tested against the
 * box it came from. Points on a face stand exactly on the limit, so the last bit of their rounded
 * coordinates decides, and whole faces may go missing. That is why nothing here may be rearranged.
 *
 * Source  data.md 8.6
 */
#include "geometry/box.h"

#include "geometry/internal.h"
#include "geometry/kdtree.h"

#include <float.h>

static const double SPACING_M = 0.05;
#define SAMPLES_MAX 1.0e7

typedef struct samples {
    double (*p)[3];
    size_t count;
} samples;

/* Coordinate i of n, evenly from -half to +half, both ends exact; a single one stands at -half. */
static double grid(double half_m, double step_m, int64_t i, int64_t n)
{
    return i > 0 && i == n - 1 ? half_m : (double)i * step_m + -half_m;
}

static void keep_samples(samples *s, const st_obb *box, const int64_t n[3])
{
    double step_m[3];
    for (int k = 0; k < 3; k++)
        step_m[k] = n[k] > 1 ? 2.0 * box->half_m[k] / (double)(n[k] - 1) : 0.0;
    const double (*axis)[3] = box->axis;
    const double *c = box->center_m;

    s->count = 0;
    for (int64_t i = 0; i < n[0]; i++) {
        const double w0 = grid(box->half_m[0], step_m[0], i, n[0]);
        for (int64_t j = 0; j < n[1]; j++) {
            const double w1 = grid(box->half_m[1], step_m[1], j, n[1]);
            const bool core = fabs(w0) <= 0.5 * box->half_m[0] && fabs(w1) <= 0.5 * box->half_m[1];
            for (int64_t k = 0; k < n[2]; k++) {
                const double w2 = grid(box->half_m[2], step_m[2], k, n[2]);
                if (core && fabs(w2) <= 0.5 * box->half_m[2])
                    continue;
                double *p = s->p[s->count], d[3];
                for (int x = 0; x < 3; x++) {
                    p[x] = ((w0 * axis[0][x] + w1 * axis[1][x]) + w2 * axis[2][x]) + c[x];
                    d[x] = p[x] - c[x];
                }
                /* Kept by counting: a branch that goes either way at random costs more. */
                const size_t in0 = fabs(sti_dot(d, axis[0])) <= box->half_m[0];
                const size_t in1 = fabs(sti_dot(d, axis[1])) <= box->half_m[1];
                const size_t in2 = fabs(sti_dot(d, axis[2])) <= box->half_m[2];
                s->count += in0 & in1 & in2;
            }
        }
    }
}

/* Halve the spacing until a sample survives the rounding. */
static st_status sample_box(samples *s, st_arena *scratch, const st_obb *box)
{
    if (box->half_m[0] == 0.0 && box->half_m[1] == 0.0 && box->half_m[2] == 0.0) {
        ST_TRY(ST_ALLOC(scratch, &s->p, 1));
        for (int x = 0; x < 3; x++)
            s->p[0][x] = box->center_m[x];
        s->count = 1;
        return st_ok();
    }
    s->count = 0;
    for (double spacing_m = SPACING_M; s->count == 0; spacing_m *= 0.5) {
        int64_t n[3];
        double all = 1.0;
        for (int k = 0; k < 3; k++) {
            const double steps = ceil(2.0 * box->half_m[k] / spacing_m);
            if (!(steps <= SAMPLES_MAX))
                return ST_FAIL(ST_ERR_LIMIT, "a box side of %g m needs more than %g samples",
                               2.0 * box->half_m[k], SAMPLES_MAX);
            n[k] = steps < 1.0 ? 1 : (int64_t)steps;
            all *= (double)n[k];
        }
        if (!(all <= SAMPLES_MAX))
            return ST_FAIL(ST_ERR_LIMIT, "a box of %g x %g x %g m needs %g samples, at most %g",
                           2.0 * box->half_m[0], 2.0 * box->half_m[1], 2.0 * box->half_m[2], all,
                           SAMPLES_MAX);
        const st_arena_mark mark = st_arena_mark_get(scratch);
        /* One more than there are: a sample is written before it is counted. */
        ST_TRY(ST_ALLOC(scratch, &s->p, (size_t)all + 1));
        keep_samples(s, box, n);
        if (s->count == 0)
            st_arena_rewind(scratch, mark);
    }
    return st_ok();
}

static double square_apart(const double a[3], const double b[3])
{
    const double dx = b[0] - a[0], dy = b[1] - a[1], dz = b[2] - a[2];
    return (dx * dx + dy * dy) + dz * dz;
}

static size_t nearest_to(const samples *s, const double p[3])
{
    size_t best = 0;
    for (size_t i = 1; i < s->count; i++)
        if (square_apart(s->p[i], p) < square_apart(s->p[best], p))
            best = i;
    return best;
}

/* Drop the samples whose distance to the other solid already exceeds a distance that is known to
 * be reached. The margin covers the rounding of that comparison by far. */
static void keep_near(samples *s, const st_obb *other, double reached_m)
{
    const double limit_m = reached_m + 1e-6 * (1.0 + reached_m);
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        const double *p = s->p[i];
        if (!(st_obb_point_distance(other, p) <= limit_m))
            continue;
        for (int x = 0; x < 3; x++)
            s->p[kept][x] = p[x];
        kept++;
    }
    s->count = kept;
}

static st_status nearest_pair(double *distance_m, st_arena *scratch, const st_obb *a,
                              const st_obb *b)
{
    samples sa, sb;
    ST_TRY(sample_box(&sa, scratch, a));
    ST_TRY(sample_box(&sb, scratch, b));

    /* Walk from set to set a few times: each step ends no farther apart. */
    size_t ia = nearest_to(&sa, b->center_m), ib = 0;
    for (int step = 0; step < 3; step++) {
        ib = nearest_to(&sb, sa.p[ia]);
        ia = nearest_to(&sa, sb.p[ib]);
    }
    double square_m2 = square_apart(sa.p[ia], sb.p[ib]);
    keep_near(&sa, b, sqrt(square_m2));
    keep_near(&sb, a, sqrt(square_m2));

    if (sa.count > 0 && sb.count > 0) {
        st_kdtree tree;
        ST_TRY(st_kdtree_build(&tree, scratch, (const double (*)[3])sb.p, sb.count));
        for (size_t i = 0; i < sa.count; i++)
            st_kdtree_nearest(&tree, sa.p[i], &square_m2);
    }
    *distance_m = sqrt(square_m2);
    return st_ok();
}

st_status st_obb_distance_sampled(double *distance_m, st_arena *scratch, const st_obb *a,
                                  const st_obb *b)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    const st_status s = nearest_pair(distance_m, scratch, a, b);
    st_arena_rewind(scratch, mark);
    return s;
}
