/* shadows.c - what a scanner never saw: surfaces behind others from every place it stood.
 *
 * Each scanner position has a depth picture in six directions (a cube). A vertex is seen when it
 * faces the scanner, is near enough, and lies no deeper than its pixel.
 */
#include "datagen/synth/made_scan.h"

#include <math.h>
#include <string.h>

enum { SIDE_PX = 192, PLACES_PER_ROOM = 8 };
static const double NEAR_M = 0.05, RANGE_M = 6.5;

/* right, down, forward of the six faces */
static const double FACES[6][3][3] = {
    {{0, -1, 0}, {0, 0, -1}, {1, 0, 0}}, {{0, 1, 0}, {0, 0, -1}, {-1, 0, 0}},
    {{1, 0, 0}, {0, 0, -1}, {0, 1, 0}},  {{-1, 0, 0}, {0, 0, -1}, {0, -1, 0}},
    {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},   {{1, 0, 0}, {0, -1, 0}, {0, 0, -1}},
};

typedef struct cube {
    double eye_m[3];
    float  near_z[6][SIDE_PX][SIDE_PX];     /* 1/z, 0 nothing */
} cube;

static void to_face(double out[3], const double p_m[3], const double eye_m[3], int face)
{
    const double d[3] = {p_m[0] - eye_m[0], p_m[1] - eye_m[1], p_m[2] - eye_m[2]};
    for (int k = 0; k < 3; k++)
        out[k] = FACES[face][k][0] * d[0] + FACES[face][k][1] * d[1] + FACES[face][k][2] * d[2];
}

static double to_pixel(double x, double z)
{
    return (x / z + 1.0) * 0.5 * SIDE_PX - 0.5;
}

/* A triangle in front of the eye: 1/z is linear in the picture. */
static void draw_triangle(float (*near_z)[SIDE_PX], const double (*p)[3])
{
    double u[3], v[3], w[3];
    for (int i = 0; i < 3; i++) {
        u[i] = to_pixel(p[i][0], p[i][2]);
        v[i] = to_pixel(p[i][1], p[i][2]);
        w[i] = 1.0 / p[i][2];
    }
    const double twice = (u[1] - u[0]) * (v[2] - v[0]) - (u[2] - u[0]) * (v[1] - v[0]);
    if (!(fabs(twice) > 1e-12))
        return;
    const double u_lo = fmax(fmin(fmin(u[0], u[1]), u[2]), 0.0);
    const double u_hi = fmin(fmax(fmax(u[0], u[1]), u[2]), SIDE_PX - 1.0);
    const double v_lo = fmax(fmin(fmin(v[0], v[1]), v[2]), 0.0);
    const double v_hi = fmin(fmax(fmax(v[0], v[1]), v[2]), SIDE_PX - 1.0);
    for (int y = (int)ceil(v_lo); y <= (int)floor(v_hi); y++)
        for (int x = (int)ceil(u_lo); x <= (int)floor(u_hi); x++) {
            const double a = ((u[1] - x) * (v[2] - y) - (u[2] - x) * (v[1] - y)) / twice;
            const double b = ((u[2] - x) * (v[0] - y) - (u[0] - x) * (v[2] - y)) / twice;
            const double c = 1.0 - a - b;
            if (a < 0.0 || b < 0.0 || c < 0.0)
                continue;
            const float depth = (float)(a * w[0] + b * w[1] + c * w[2]);
            if (depth > near_z[y][x])
                near_z[y][x] = depth;
        }
}

/* Cut at the near plane: up to two triangles remain. */
static void draw_clipped(float (*near_z)[SIDE_PX], const double (*p)[3])
{
    double kept[4][3];
    int count = 0;
    for (int i = 0; i < 3; i++) {
        const double *a = p[i], *b = p[(i + 1) % 3];
        if (a[2] >= NEAR_M)
            memcpy(kept[count++], a, sizeof kept[0]);
        if ((a[2] >= NEAR_M) != (b[2] >= NEAR_M)) {
            const double t = (NEAR_M - a[2]) / (b[2] - a[2]);
            for (int k = 0; k < 3; k++)
                kept[count][k] = a[k] + t * (b[k] - a[k]);
            kept[count++][2] = NEAR_M;
        }
    }
    for (int i = 1; i + 1 < count; i++) {
        double t[3][3];
        memcpy(t[0], kept[0], sizeof t[0]);
        memcpy(t[1], kept[i], sizeof t[1]);
        memcpy(t[2], kept[i + 1], sizeof t[2]);
        draw_triangle(near_z, (const double (*)[3])t);
    }
}

static void draw_model(cube *c, const st_synth_model *model)
{
    for (size_t f = 0; f < model->face_count; f++)
        for (int face = 0; face < 6; face++) {
            double p[3][3];
            for (int k = 0; k < 3; k++)
                to_face(p[k], model->vertex_m[model->face[f].v[k]], c->eye_m, face);
            /* Wholly behind, or outside one side of the picture: nothing to draw. */
            if ((p[0][2] < NEAR_M && p[1][2] < NEAR_M && p[2][2] < NEAR_M) ||
                (p[0][0] > p[0][2] && p[1][0] > p[1][2] && p[2][0] > p[2][2]) ||
                (p[0][0] < -p[0][2] && p[1][0] < -p[1][2] && p[2][0] < -p[2][2]) ||
                (p[0][1] > p[0][2] && p[1][1] > p[1][2] && p[2][1] > p[2][2]) ||
                (p[0][1] < -p[0][2] && p[1][1] < -p[1][2] && p[2][1] < -p[2][2]))
                continue;
            draw_clipped(c->near_z[face], (const double (*)[3])p);
        }
}

static bool sees(const cube *c, const double p_m[3])
{
    for (int face = 0; face < 6; face++) {
        double q[3];
        to_face(q, p_m, c->eye_m, face);
        if (q[2] < NEAR_M || fabs(q[0]) > q[2] || fabs(q[1]) > q[2])
            continue;
        const double x = fmin(fmax(floor(to_pixel(q[0], q[2]) + 0.5), 0), SIDE_PX - 1);
        const double y = fmin(fmax(floor(to_pixel(q[1], q[2]) + 0.5), 0), SIDE_PX - 1);
        const double drawn = c->near_z[face][(int)y][(int)x];
        /* A pixel covers some depth of a slanted surface: allow 3 cm and 2 % of the distance. */
        return !(drawn > 0.0) || q[2] <= 1.0 / drawn + 0.03 + 0.02 * q[2];
    }
    return false;
}

/* A place to stand in the room that is in no object; false when none was drawn. */
static bool draw_place(double eye_m[3], const st_synth_house *house, int room_index, st_rng *rng)
{
    const st_synth_room *room = &house->room[room_index];
    double lo[2] = {INFINITY, INFINITY}, hi[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < room->corner_count; i++)
        for (int k = 0; k < 2; k++) {
            lo[k] = fmin(lo[k], room->corner_m[i][k]);
            hi[k] = fmax(hi[k], room->corner_m[i][k]);
        }
    for (int attempt = 0; attempt < 200; attempt++) {
        const double x = st_rng_between(rng, lo[0], hi[0]);
        const double y = st_rng_between(rng, lo[1], hi[1]);
        const double p[3] = {x, y, house->floor_z_m + st_rng_between(rng, 1.2, 1.75)};
        bool free = sti_polygon_contains(room->corner_m, room->corner_count, p[0], p[1]);
        for (size_t i = 0; i < house->object_count && free; i++) {
            const st_synth_object *o = &house->object[i];
            const double level[3] = {p[0], p[1], o->box.center_m[2]};
            free = st_obb_point_distance(&o->box, level) > 0.15;    /* nobody stands on a table */
        }
        if (!free)
            continue;
        memcpy(eye_m, p, 3 * sizeof p[0]);
        return true;
    }
    return false;
}

st_status sti_cast_shadows(bool *keep, st_arena *arena, const sti_scan *scan,
                           const st_synth_house *house, uint64_t key)
{
    cube *c;
    ST_TRY(ST_ALLOC(arena, &c, 1));
    memset(keep, false, scan->point_count);
    st_rng rng = st_rng_from(st_hash_text(key, "places"));
    for (int place = 0; place < house->room_count * PLACES_PER_ROOM; place++) {
        if (!draw_place(c->eye_m, house, place / PLACES_PER_ROOM, &rng))
            continue;
        memset(c->near_z, 0, sizeof c->near_z);
        for (int part = 0; part < sti_part_count(house); part++)
            draw_model(c, sti_part_model(house, part));
        for (size_t i = 0; i < scan->point_count; i++) {
            const double *p = scan->point_m[i];
            const float *n = scan->normal[i];
            const double d[3] = {c->eye_m[0] - p[0], c->eye_m[1] - p[1], c->eye_m[2] - p[2]};
            const bool faces = n[0] * d[0] + n[1] * d[1] + n[2] * d[2] > 0.0 ||
                               sti_part_model(house, scan->part[i])->two_sided;
            if (!keep[i] && faces && d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < RANGE_M * RANGE_M)
                keep[i] = sees(c, p);
        }
    }
    return st_ok();
}
