/* hull.c - the only file that meets Qhull (the reentrant library).
 *
 * Qhull jumps back into qh_new_qhull on any error, and leaves the program only for an error after
 * that call has returned. So everything that can fail happens inside the call; afterwards its
 * lists are read, with no function of Qhull's but the two that free them.
 */
#include "geometry/hull.h"

#include "geometry/internal.h"
#include "kernels/base/limits.h"

#include <libqhull_r/qhull_ra.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct session {
    qhT   qh;
    FILE *talk;                 /* what Qhull would print */
    char *words;
    size_t size;
} session;

static void close_session(session *s)
{
    int long_pieces, long_bytes;
    qh_freeqhull(&s->qh, !qh_ALL);
    qh_memfreeshort(&s->qh, &long_pieces, &long_bytes);
    fclose(s->talk);
    free(s->words);
    free(s);
}

/* Qhull's first line, without its number: "QH6154 Qhull precision error: Initial ..." */
static st_status in_words(session *s, int code, size_t n)
{
    fflush(s->talk);
    const char *words = s->words ? s->words : "";
    if (strncmp(words, "QH", 2) == 0 && strchr(words, ' '))
        words = strchr(words, ' ') + 1;
    const int length = (int)strcspn(words, "\n");
    if (code == qh_ERRmem)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a hull of %zu points", n);
    return ST_FAIL(ST_ERR_NUMERIC, "no hull of %zu points: %.*s", n, length,
                   length ? words : "Qhull gives no reason");
}

/* Run Qhull over (N,dim) coordinates, which it borrows until the session is closed. */
static st_status run(session **out, double *coordinates, size_t n, int dim, const char *options)
{
    char command[64];
    session *s = calloc(1, sizeof *s);
    if (!s)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a hull of %zu points", n);
    s->talk = open_memstream(&s->words, &s->size);
    if (!s->talk) {
        free(s);
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a hull of %zu points", n);
    }
    snprintf(command, sizeof command, "%s", options);
    qh_zero(&s->qh, s->talk);
    const int code = qh_new_qhull(&s->qh, dim, (int)n, coordinates, False, command, NULL, s->talk);
    if (code != 0) {
        const st_status why = in_words(s, code, n);
        close_session(s);
        return why;
    }
    *out = s;
    return st_ok();
}

/* --- hull in space --- */

static int by_corners(const void *pa, const void *pb)
{
    const uint32_t *a = pa, *b = pb;
    for (int k = 0; k < 3; k++)
        if (a[k] != b[k])
            return a[k] < b[k] ? -1 : 1;
    return 0;
}

/* The corners of a facet, counter-clockwise from outside, the smallest index first. */
static void read_facet(uint32_t corner[3], const facetT *facet, const double (*p)[3])
{
    vertexT *vertex, **vertexp;
    int k = 0;
    FOREACHvertex_(facet->vertices)
        if (k < 3)
            corner[k++] = (uint32_t)((const double (*)[3])vertex->point - p);

    double u[3], v[3], across[3];
    for (int x = 0; x < 3; x++) {
        u[x] = p[corner[1]][x] - p[corner[0]][x];
        v[x] = p[corner[2]][x] - p[corner[0]][x];
    }
    sti_cross(across, u, v);
    if (sti_dot(across, facet->normal) < 0.0) {
        const uint32_t t = corner[1];
        corner[1] = corner[2];
        corner[2] = t;
    }
    while (corner[0] > corner[1] || corner[0] > corner[2]) {
        const uint32_t first = corner[0];
        corner[0] = corner[1];
        corner[1] = corner[2];
        corner[2] = first;
    }
}

/* Keep the points that are corners, in their order, and let the triangles name them. */
static st_status keep_corners(st_hull *hull, st_arena *arena, const double (*p)[3], size_t n)
{
    uint32_t *place;
    ST_TRY(ST_ALLOC(arena, &place, n));
    for (size_t t = 0; t < hull->triangle_count; t++)
        for (int k = 0; k < 3; k++)
            place[hull->triangles[t][k]] = 1;
    for (size_t i = 0; i < n; i++)
        if (place[i]) {
            place[i] = (uint32_t)hull->point_count;
            memcpy(hull->points_m[hull->point_count++], p[i], sizeof *p);
        }
    for (size_t t = 0; t < hull->triangle_count; t++)
        for (int k = 0; k < 3; k++)
            hull->triangles[t][k] = place[hull->triangles[t][k]];
    qsort(hull->triangles, hull->triangle_count, sizeof *hull->triangles, by_corners);
    return st_ok();
}

st_status st_hull_build(st_hull *hull, st_arena *arena, const double (*points_m)[3], size_t n)
{
    if (n < 4 || n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a hull in space needs 4 to %zu points, got %zu",
                       ST_POINTS_MAX, n);
    st_hull made = {.point_count = 0};
    double (*p)[3];
    size_t distinct;
    session *s;
    ST_TRY(sti_points_distinct(&p, &distinct, arena, points_m, n));
    ST_TRY(run(&s, &p[0][0], distinct, 3, "qhull Qt"));

    facetT *facet;
    size_t facets = 0;
    for (facet = s->qh.facet_list; facet && facet->next; facet = facet->next)
        facets++;
    st_status status = ST_ALLOC(arena, &made.triangles, facets);
    if (status.code == ST_OK)
        status = ST_ALLOC(arena, &made.points_m, facets < distinct ? facets + 2 : distinct);
    if (status.code == ST_OK)
        for (facet = s->qh.facet_list; facet && facet->next; facet = facet->next)
            read_facet(made.triangles[made.triangle_count++], facet, (const double (*)[3])p);
    close_session(s);
    ST_TRY(status);
    ST_TRY(keep_corners(&made, arena, (const double (*)[3])p, distinct));
    *hull = made;
    return st_ok();
}

/* --- Delaunay, the twin --- */

/* Lower facets of the lifted points are the triangles; `visitid` numbers them from 1. */
static size_t number_facets(session *s)
{
    size_t count = 0;
    for (facetT *facet = s->qh.facet_list; facet && facet->next; facet = facet->next)
        facet->visitid = facet->upperdelaunay ? 0 : (unsigned)++count;
    return count;
}

static void read_triangle(st_delaunay *d, const session *s, const facetT *facet)
{
    vertexT *vertex, **vertexp;
    facetT *neighbor, **neighborp;
    const size_t t = facet->visitid - 1;
    uint32_t corner[3] = {0, 0, 0};
    int k = 0;
    FOREACHvertex_(facet->vertices)
        if (k < 3)
            corner[k++] = (uint32_t)((vertex->point - s->qh.first_point) / s->qh.hull_dim);
    const double *a = d->xy_m[corner[0]], *b = d->xy_m[corner[1]], *c = d->xy_m[corner[2]];
    const bool turned = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) < 0.0;
    static const int swapped[3] = {0, 2, 1}, straight[3] = {0, 1, 2};
    const int *order = turned ? swapped : straight;
    for (int j = 0; j < 3; j++) {
        d->triangles[t][j] = corner[order[j]];
        d->across[t][j] = ST_NO_TRIANGLE;
    }
    /* In a simplicial facet neighbour k is opposite vertex k. */
    k = 0;
    FOREACHneighbor_(facet) {
        if (k < 3)
            d->across[t][order[k]] = neighbor->visitid ? neighbor->visitid - 1 : ST_NO_TRIANGLE;
        k++;
    }
}

st_status st_hull_delaunay(st_delaunay *delaunay, st_arena *arena, const double (*xy_m)[2],
                           size_t n)
{
    if (n < 3 || n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a triangulation needs 3 to %zu points, got %zu",
                       ST_POINTS_MAX, n);
    st_delaunay made = {.point_count = 0};
    session *s;
    ST_TRY(ST_ALLOC(arena, &made.xy_m, n));
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            if (!(fabs(xy_m[i][k]) <= ST_COORDINATE_M_MAX))
                return ST_FAIL(ST_ERR_NUMERIC,
                               "point %zu must be finite and within 100 km, is (%g, %g)", i,
                               xy_m[i][0], xy_m[i][1]);
            made.xy_m[i][k] = xy_m[i][k] + 0.0;
        }
    made.point_count = sti_sort_distinct(&made.xy_m[0][0], n, 2);

    ST_TRY(run(&s, &made.xy_m[0][0], made.point_count, 2, "qhull d Qt Qbb Qc Qz Q12"));
    made.triangle_count = number_facets(s);
    st_status status = ST_ALLOC(arena, &made.triangles, made.triangle_count);
    if (status.code == ST_OK)
        status = ST_ALLOC(arena, &made.across, made.triangle_count);
    if (status.code == ST_OK)
        for (facetT *facet = s->qh.facet_list; facet && facet->next; facet = facet->next)
            if (facet->visitid)
                read_triangle(&made, s, facet);
    close_session(s);
    ST_TRY(status);
    *delaunay = made;
    return st_ok();
}
