/* surface.c - from models to what a scanner leaves: triangles of even size, light, noise, holes.
 *
 * A flat rectangle becomes a grid. Other patches are cut by halving every edge that is too long,
 * all at once: whether an edge is halved depends on the edge alone, so neighbours agree and no gaps
 * open. Patches do not share vertices: a crease keeps its two normals.
 */
#include "datagen/synth/made_scan.h"

#include "kernels/base/limits.h"

#include <math.h>
#include <string.h>

/* Small things get a finer mesh until they have so many vertices, as a scanner comes closer to
 * them: below 100 an instance counts as too few points (data.md 3.5). */
enum { VERTICES_MIN = 160 };

const st_synth_model *sti_part_model(const st_synth_house *house, int part)
{
    const size_t p = (size_t)part;
    return p < house->structure_count ? &house->structure[p].model
                                      : &house->object[p - house->structure_count].model;
}

int sti_part_count(const st_synth_house *house)
{
    return (int)(house->structure_count + house->object_count);
}

/* --- cutting triangles ------------------------------------------------------------------------ */

typedef struct cell {
    uint32_t v[3];
    uint32_t patch;
    uint8_t  rgb[3];
    bool     done;                  /* of a grid: its size is right already */
} cell;

typedef struct sheet {
    st_arena *arena;
    double  (*point_m)[3];
    size_t    point_count, point_capacity;
    cell     *cells;
    size_t    cell_count, cell_capacity;
} sheet;

typedef struct edge_map {           /* (low, high) vertex -> middle vertex, open addressing */
    uint64_t *key;
    uint32_t *middle;
    size_t    mask;
} edge_map;

static const uint32_t NONE = UINT32_MAX;

static bool edge_long(const sheet *s, uint32_t a, uint32_t b, double edge_m)
{
    const double *p = s->point_m[a], *q = s->point_m[b];
    const double x = p[0] - q[0], y = p[1] - q[1], z = p[2] - q[2];
    return x * x + y * y + z * z > edge_m * edge_m;
}

/* The vertex halfway between a and b; both neighbours of an edge get the same one. */
static st_status middle_of(uint32_t *middle, sheet *s, edge_map *map, uint32_t a, uint32_t b)
{
    const uint32_t low = a < b ? a : b, high = a < b ? b : a;
    const uint64_t key = ((uint64_t)low << 32 | high) + 1;
    size_t at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 20) & map->mask;
    while (map->key[at] != 0 && map->key[at] != key)
        at = (at + 1) & map->mask;
    if (map->key[at] == 0) {
        ST_TRY(ST_GROW(s->arena, &s->point_m, &s->point_capacity, s->point_count + 1));
        for (int k = 0; k < 3; k++)
            s->point_m[s->point_count][k] = (s->point_m[low][k] + s->point_m[high][k]) / 2;
        map->key[at] = key;
        map->middle[at] = (uint32_t)s->point_count++;
    }
    *middle = map->middle[at];
    return st_ok();
}

static st_status cell_add(sheet *s, const cell *like, uint32_t a, uint32_t b, uint32_t c)
{
    ST_TRY(ST_GROW(s->arena, &s->cells, &s->cell_capacity, s->cell_count + 1));
    s->cells[s->cell_count++] =
        (cell){{a, b, c}, like->patch, {like->rgb[0], like->rgb[1], like->rgb[2]}};
    return st_ok();
}

/* Replace cell i by two, three or four, by the number of its edges that were halved. */
static st_status split_cell(sheet *s, size_t i, const uint32_t m[3])
{
    const cell old = s->cells[i];
    const uint32_t *v = old.v;
    const int halved = (m[0] != NONE) + (m[1] != NONE) + (m[2] != NONE);
    if (halved == 3) {
        memcpy(s->cells[i].v, m, sizeof s->cells[i].v);
        for (int k = 0; k < 3; k++)
            ST_TRY(cell_add(s, &old, v[k], m[k], m[(k + 2) % 3]));
        return st_ok();
    }
    /* Turn it so that edge 0 is halved and, of two, edges 0 and 1. */
    int k = 0;
    while (m[k] == NONE || (halved == 2 && m[(k + 1) % 3] == NONE))
        k++;
    const uint32_t a = v[k], b = v[(k + 1) % 3], c = v[(k + 2) % 3], ab = m[k];
    if (halved == 1) {
        memcpy(s->cells[i].v, (const uint32_t[3]){a, ab, c}, sizeof s->cells[i].v);
        return cell_add(s, &old, ab, b, c);
    }
    const uint32_t bc = m[(k + 1) % 3];
    memcpy(s->cells[i].v, (const uint32_t[3]){ab, b, bc}, sizeof s->cells[i].v);
    ST_TRY(cell_add(s, &old, a, ab, bc));
    return cell_add(s, &old, a, bc, c);
}

/* Halve every long edge once; *any tells whether there was one. */
static st_status halve_edges(bool *any, sheet *s, double edge_m)
{
    edge_map map;
    size_t slots = 64;
    while (slots < 4 * s->cell_count)
        slots *= 2;
    ST_TRY(ST_ALLOC(s->arena, &map.key, slots));
    ST_TRY(ST_ALLOC(s->arena, &map.middle, slots));
    map.mask = slots - 1;
    *any = false;
    const size_t count = s->cell_count;
    for (size_t i = 0; i < count; i++) {
        uint32_t m[3] = {NONE, NONE, NONE};
        bool split = false;
        for (int k = 0; k < 3 && !s->cells[i].done; k++) {
            const uint32_t a = s->cells[i].v[k], b = s->cells[i].v[(k + 1) % 3];
            if (edge_long(s, a, b, edge_m)) {
                ST_TRY(middle_of(&m[k], s, &map, a, b));
                split = true;
            }
        }
        if (split)
            ST_TRY(split_cell(s, i, m));
        *any |= split;
    }
    return st_ok();
}

/* Is patch f .. f+1 a lone rectangle, or at least a parallelogram, as sti_quad_add makes them? */
static bool is_quad(const st_synth_model *m, size_t f)
{
    if (f + 1 >= m->face_count || m->face[f + 1].patch != m->face[f].patch ||
        (f > 0 && m->face[f - 1].patch == m->face[f].patch) ||
        (f + 2 < m->face_count && m->face[f + 2].patch == m->face[f].patch))
        return false;
    const uint32_t *p = m->face[f].v, *q = m->face[f + 1].v;    /* (a,b,c) and (a,c,d) */
    if (p[0] != q[0] || p[2] != q[1])
        return false;
    for (int k = 0; k < 3; k++)
        if (fabs(m->vertex_m[p[0]][k] + m->vertex_m[p[2]][k] - m->vertex_m[p[1]][k] -
                 m->vertex_m[q[2]][k]) > 1e-9)
            return false;
    return true;
}

static int steps_between(const double a[3], const double b[3], double edge_m)
{
    const double x = b[0] - a[0], y = b[1] - a[1], z = b[2] - a[2];
    const int steps = (int)ceil(sqrt(x * x + y * y + z * z) / edge_m - 1e-9);
    return steps < 1 ? 1 : steps;
}

/* A quad as a grid whose sides are no longer than edge_m. */
static st_status lay_grid(sheet *s, const st_synth_model *m, size_t f, double edge_m)
{
    const st_synth_face *face = &m->face[f];
    const double *a = m->vertex_m[face->v[0]], *b = m->vertex_m[face->v[1]],
                 *d = m->vertex_m[m->face[f + 1].v[2]];
    const int nu = steps_between(a, b, edge_m), nv = steps_between(a, d, edge_m);
    const uint32_t first = (uint32_t)s->point_count, row = (uint32_t)nu + 1;
    const size_t points = (size_t)row * (size_t)(nv + 1);
    ST_TRY(ST_GROW(s->arena, &s->point_m, &s->point_capacity, s->point_count + points));
    for (int j = 0; j <= nv; j++)
        for (int i = 0; i <= nu; i++, s->point_count++)
            for (int k = 0; k < 3; k++)
                s->point_m[s->point_count][k] = a[k] + (b[k] - a[k]) * ((double)i / nu) +
                                                (d[k] - a[k]) * ((double)j / nv);
    const cell like = {.patch = face->patch, .rgb = {face->rgb[0], face->rgb[1], face->rgb[2]}};
    for (uint32_t j = 0; j < (uint32_t)nv; j++)
        for (uint32_t i = 0; i < (uint32_t)nu; i++) {
            const uint32_t at = first + j * row + i;
            ST_TRY(cell_add(s, &like, at, at + 1, at + row + 1));
            s->cells[s->cell_count - 1].done = true;
            ST_TRY(cell_add(s, &like, at, at + row + 1, at + row));
            s->cells[s->cell_count - 1].done = true;
        }
    return st_ok();
}

/* A model as a sheet in which patches share no vertex. Faces of a patch lie together. */
static st_status unfold(sheet *s, const st_synth_model *model, double edge_m)
{
    uint64_t *owner;                /* the copy of each vertex for the patch at hand */
    ST_TRY(ST_ALLOC(s->arena, &owner, model->vertex_count));
    for (size_t f = 0; f < model->face_count; f++) {
        const st_synth_face *face = &model->face[f];
        if (is_quad(model, f)) {
            ST_TRY(lay_grid(s, model, f, edge_m));
            f++;
            continue;
        }
        cell c = {.patch = face->patch, .rgb = {face->rgb[0], face->rgb[1], face->rgb[2]}};
        for (int k = 0; k < 3; k++) {
            const uint32_t v = face->v[k];
            if (owner[v] >> 32 != (uint64_t)face->patch + 1) {
                ST_TRY(ST_GROW(s->arena, &s->point_m, &s->point_capacity, s->point_count + 1));
                memcpy(s->point_m[s->point_count], model->vertex_m[v], sizeof s->point_m[0]);
                owner[v] = ((uint64_t)face->patch + 1) << 32 | s->point_count++;
            }
            c.v[k] = (uint32_t)owner[v];
        }
        ST_TRY(ST_GROW(s->arena, &s->cells, &s->cell_capacity, s->cell_count + 1));
        s->cells[s->cell_count++] = c;
    }
    return st_ok();
}

/* --- light ------------------------------------------------------------------------------------ */

static uint8_t lit(uint8_t channel, double light)
{
    const double x = channel * light;
    return (uint8_t)(x > 255.0 ? 255.0 : x + 0.5);
}

static st_status scan_grow(sti_scan *scan, st_arena *arena, size_t need)
{
    if (need > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "more than %zu vertices: use longer edges", ST_POINTS_MAX);
    ST_TRY(ST_GROW(arena, &scan->point_m, &scan->point_capacity[0], need));
    ST_TRY(ST_GROW(arena, &scan->normal, &scan->point_capacity[1], need));
    ST_TRY(ST_GROW(arena, &scan->rgb, &scan->point_capacity[2], need));
    ST_TRY(ST_GROW(arena, &scan->part, &scan->point_capacity[3], need));
    return ST_GROW(arena, &scan->patch, &scan->point_capacity[4], need);
}

/* Normals from the faces around a vertex, and the light of a lamp above and a window aside. */
static void shade(sti_scan *scan, size_t first, const sheet *s)
{
    static const double LAMP[3] = {0.25, -0.35, 0.90};
    for (size_t i = 0; i < s->cell_count; i++) {
        const double *a = s->point_m[s->cells[i].v[0]], *b = s->point_m[s->cells[i].v[1]],
                     *c = s->point_m[s->cells[i].v[2]];
        const double u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
        const double w[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
        const double n[3] = {u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2],
                             u[0] * w[1] - u[1] * w[0]};
        for (int k = 0; k < 3; k++) {
            const size_t v = first + s->cells[i].v[k];
            for (int d = 0; d < 3; d++)
                scan->normal[v][d] += (float)n[d];
            memcpy(scan->rgb[v], s->cells[i].rgb, 3);
            scan->patch[v] = s->cells[i].patch;
        }
    }
    for (size_t i = first; i < first + s->point_count; i++) {
        float *n = scan->normal[i];
        const double length = sqrt((double)n[0] * n[0] + (double)n[1] * n[1] + (double)n[2] * n[2]);
        double light = 0.55;
        for (int d = 0; d < 3 && length > 0.0; d++) {
            n[d] = (float)(n[d] / length);
            light += 0.42 * n[d] * LAMP[d];
        }
        for (int d = 0; d < 3; d++)
            scan->rgb[i][d] = lit(scan->rgb[i][d], fmax(light, 0.35) + 0.12);
        scan->rgb[i][3] = 255;
    }
}

static st_status cover_part(sti_scan *scan, st_arena *arena, const st_synth_model *model, int part,
                            double edge_m)
{
    sheet s = {.arena = arena};
    do {
        bool any = true;
        s.point_count = s.cell_count = 0;
        ST_TRY(unfold(&s, model, edge_m));
        while (any)
            ST_TRY(halve_edges(&any, &s, edge_m));
        edge_m *= 0.7;
    } while (s.point_count < VERTICES_MIN && edge_m > 1e-4);
    const size_t first = scan->point_count;
    ST_TRY(scan_grow(scan, arena, first + s.point_count));
    memcpy(scan->point_m[first], s.point_m, s.point_count * sizeof s.point_m[0]);
    memset(scan->normal[first], 0, s.point_count * sizeof scan->normal[0]);
    for (size_t i = 0; i < s.point_count; i++)
        scan->part[first + i] = part;
    shade(scan, first, &s);
    ST_TRY(ST_GROW(arena, &scan->triangle, &scan->triangle_capacity,
                   scan->triangle_count + s.cell_count));
    for (size_t i = 0; i < s.cell_count; i++)
        for (int k = 0; k < 3; k++)
            scan->triangle[scan->triangle_count + i][k] = (uint32_t)first + s.cells[i].v[k];
    scan->triangle_count += s.cell_count;
    scan->point_count += s.point_count;
    return st_ok();
}

/* --- what is missing -------------------------------------------------------------------------- */

/* Drop vertices and the faces that touch them; order stays. */
static st_status drop_points(sti_scan *scan, st_arena *arena, const bool *keep)
{
    uint32_t *moved;
    ST_TRY(ST_ALLOC(arena, &moved, scan->point_count));
    size_t used = 0;
    for (size_t i = 0; i < scan->point_count; i++) {
        moved[i] = keep[i] ? (uint32_t)used : NONE;
        if (!keep[i])
            continue;
        memmove(scan->point_m[used], scan->point_m[i], sizeof scan->point_m[0]);
        memmove(scan->normal[used], scan->normal[i], sizeof scan->normal[0]);
        memmove(scan->rgb[used], scan->rgb[i], sizeof scan->rgb[0]);
        scan->part[used] = scan->part[i];
        scan->patch[used++] = scan->patch[i];
    }
    scan->point_count = used;
    used = 0;
    for (size_t i = 0; i < scan->triangle_count; i++) {
        const uint32_t *t = scan->triangle[i];
        const uint32_t v[3] = {moved[t[0]], moved[t[1]], moved[t[2]]};
        if (v[0] != NONE && v[1] != NONE && v[2] != NONE)
            memcpy(scan->triangle[used++], v, sizeof v);
    }
    scan->triangle_count = used;
    return st_ok();
}

/* Round holes of 4 to 25 cm in one part each, until the wanted share of vertices is gone. No part
 * loses more than half of what it had. */
static st_status punch_holes(bool *keep, st_arena *arena, const sti_scan *scan, int part_count,
                             double share, uint64_t key)
{
    size_t *first, *left, *had;
    ST_TRY(ST_ALLOC(arena, &first, (size_t)part_count + 1));
    ST_TRY(ST_ALLOC(arena, &left, (size_t)part_count));
    ST_TRY(ST_ALLOC(arena, &had, (size_t)part_count));
    for (size_t i = 0; i < scan->point_count; i++)
        if (had[scan->part[i]]++ == 0)
            first[scan->part[i]] = i;       /* parts lie one after the other */
    memcpy(left, had, (size_t)part_count * sizeof *left);
    st_rng rng = st_rng_from(st_hash_text(key, "holes"));
    const size_t wanted = (size_t)(share * (double)scan->point_count);
    size_t gone = 0;
    for (int attempt = 0; attempt < 100000 && gone < wanted; attempt++) {
        const size_t middle = (size_t)st_rng_below(&rng, scan->point_count);
        const double large = st_rng_unit(&rng);         /* large holes are rarer than small ones */
        const double r = 0.04 + 0.21 * large * st_rng_unit(&rng);
        const int part = scan->part[middle];
        const double *c = scan->point_m[middle];
        for (size_t i = first[part]; i < first[part] + had[part]; i++) {
            const double *p = scan->point_m[i];
            const double x = p[0] - c[0], y = p[1] - c[1], z = p[2] - c[2];
            if (keep[i] && x * x + y * y + z * z < r * r && 2 * left[part] > had[part]) {
                keep[i] = false;
                left[part]--;
                gone++;
            }
        }
    }
    return st_ok();
}

/* Depth noise along the normal, half as much sideways. */
static void shake(sti_scan *scan, double noise_m, uint64_t key)
{
    st_rng rng = st_rng_from(st_hash_text(key, "noise"));
    for (size_t i = 0; i < scan->point_count; i++) {
        const double along = noise_m * st_rng_normal(&rng);
        for (int k = 0; k < 3; k++)
            scan->point_m[i][k] += along * scan->normal[i][k] + 0.5 * noise_m * st_rng_normal(&rng);
    }
}

st_status sti_scan_house(sti_scan *scan, st_arena *arena, const st_synth_house *house,
                         const st_synth_settings *settings)
{
    const uint64_t key =
        st_hash_int(st_hash_text(st_hash_int(0, (int64_t)settings->seed), "scan"), house->number);
    const int parts = sti_part_count(house);
    *scan = (sti_scan){0};
    for (int p = 0; p < parts; p++)
        ST_TRY(cover_part(scan, arena, sti_part_model(house, p), p, settings->edge_m));
    if (settings->shadows || settings->holes > 0.0) {
        bool *keep;
        ST_TRY(ST_ALLOC(arena, &keep, scan->point_count));
        memset(keep, true, scan->point_count);
        if (settings->shadows)
            ST_TRY(sti_cast_shadows(keep, arena, scan, house, key));
        if (settings->holes > 0.0)
            ST_TRY(punch_holes(keep, arena, scan, parts, settings->holes, key));
        ST_TRY(drop_points(scan, arena, keep));
    }
    if (settings->noise_m > 0.0)
        shake(scan, settings->noise_m, key);
    return sti_cut_segments(scan, arena, parts);
}
