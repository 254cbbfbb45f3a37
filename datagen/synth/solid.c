/* solid.c - parts of things: boxes, turned bodies, rods, cushions, drapes. */
#include "datagen/synth/solid.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

void sti_solid_init(sti_solid *s, st_arena *arena)
{
    memset(s, 0, sizeof *s);
    s->arena = arena;
    s->pose = sti_pose_none();
    s->rgb = (sti_rgb){200, 200, 200};
    s->failure = st_ok();
}

st_status sti_solid_check(const sti_solid *s)
{
    return s->failure;
}

/* --- poses ------------------------------------------------------------------------------------ */

sti_pose sti_pose_none(void)
{
    return (sti_pose){.turn = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
}

sti_pose sti_pose_yaw(double yaw_rad, double x_m, double y_m, double z_m)
{
    /* Quarter turns stay exact, so that what stands square in a room has square numbers. */
    double c = cos(yaw_rad), s = sin(yaw_rad);
    if (fabs(c) < 1e-15)
        c = 0.0;
    if (fabs(s) < 1e-15)
        s = 0.0;
    return (sti_pose){.turn = {{c, -s, 0}, {s, c, 0}, {0, 0, 1}}, .shift_m = {x_m, y_m, z_m}};
}

sti_pose sti_pose_lean(double angle_rad, double y_m, double z_m)
{
    const double c = cos(angle_rad), s = sin(angle_rad);
    return (sti_pose){.turn = {{1, 0, 0}, {0, c, s}, {0, -s, c}},
                      .shift_m = {0, y_m - c * y_m - s * z_m, z_m + s * y_m - c * z_m}};
}

void sti_pose_apply(double out_m[3], const sti_pose *pose, const double p_m[3])
{
    double p[3];
    for (int r = 0; r < 3; r++)
        p[r] = pose->turn[r][0] * p_m[0] + pose->turn[r][1] * p_m[1] + pose->turn[r][2] * p_m[2] +
               pose->shift_m[r];
    memcpy(out_m, p, sizeof p);
}

sti_pose sti_pose_after(const sti_pose *outer, const sti_pose *inner)
{
    sti_pose both;
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            both.turn[r][c] = outer->turn[r][0] * inner->turn[0][c] +
                              outer->turn[r][1] * inner->turn[1][c] +
                              outer->turn[r][2] * inner->turn[2][c];
    sti_pose_apply(both.shift_m, outer, inner->shift_m);
    return both;
}

/* --- vertices and faces ----------------------------------------------------------------------- */

uint32_t sti_vertex_add(sti_solid *s, double x_m, double y_m, double z_m)
{
    if (s->failure.code == ST_OK)
        s->failure = ST_GROW(s->arena, &s->vertex_m, &s->vertex_capacity, s->vertex_count + 1);
    if (s->failure.code != ST_OK)
        return 0;
    sti_pose_apply(s->vertex_m[s->vertex_count], &s->pose, (const double[3]){x_m, y_m, z_m});
    return (uint32_t)s->vertex_count++;
}

void sti_patch_open(sti_solid *s)
{
    s->patch_count++;
}

void sti_face_add(sti_solid *s, uint32_t a, uint32_t b, uint32_t c)
{
    ST_ASSERT(s->patch_count > 0);
    if (s->failure.code == ST_OK)
        s->failure = ST_GROW(s->arena, &s->face, &s->face_capacity, s->face_count + 1);
    if (s->failure.code != ST_OK)
        return;
    s->face[s->face_count++] =
        (sti_face){.v = {a, b, c}, .patch = s->patch_count - 1, .rgb = s->rgb};
}

void sti_quad_add(sti_solid *s, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    sti_face_add(s, a, b, c);
    sti_face_add(s, a, c, d);
}

/* --- flat parts ------------------------------------------------------------------------------- */

void sti_add_sheet(sti_solid *s, const double corner_m[3], const double side0_m[3],
                   const double side1_m[3])
{
    uint32_t v[4];
    for (int i = 0; i < 4; i++) {
        const double u = i == 1 || i == 2, w = i >= 2;
        v[i] = sti_vertex_add(s, corner_m[0] + u * side0_m[0] + w * side1_m[0],
                              corner_m[1] + u * side0_m[1] + w * side1_m[1],
                              corner_m[2] + u * side0_m[2] + w * side1_m[2]);
    }
    sti_patch_open(s);
    sti_quad_add(s, v[0], v[1], v[2], v[3]);
}

void sti_add_box(sti_solid *s, double x0, double y0, double z0, double x1, double y1, double z1)
{
    const double w[3] = {x1 - x0, 0, 0}, d[3] = {0, y1 - y0, 0}, h[3] = {0, 0, z1 - z0};
    sti_add_sheet(s, (const double[3]){x0, y0, z0}, d, w);      /* below */
    sti_add_sheet(s, (const double[3]){x0, y0, z1}, w, d);      /* above */
    sti_add_sheet(s, (const double[3]){x0, y0, z0}, w, h);      /* front, towards -y */
    sti_add_sheet(s, (const double[3]){x0, y1, z0}, h, w);      /* back              */
    sti_add_sheet(s, (const double[3]){x0, y0, z0}, h, d);      /* towards -x        */
    sti_add_sheet(s, (const double[3]){x1, y0, z0}, d, h);      /* towards +x        */
}

void sti_add_tray(sti_solid *s, double x0, double y0, double z0, double x1, double y1, double z1,
                  double wall_m)
{
    sti_add_box(s, x0, y0, z0, x1, y1, z0 + wall_m);
    sti_add_box(s, x0, y0, z0 + wall_m, x0 + wall_m, y1, z1);
    sti_add_box(s, x1 - wall_m, y0, z0 + wall_m, x1, y1, z1);
    sti_add_box(s, x0 + wall_m, y0, z0 + wall_m, x1 - wall_m, y0 + wall_m, z1);
    sti_add_box(s, x0 + wall_m, y1 - wall_m, z0 + wall_m, x1 - wall_m, y1, z1);
}

void sti_add_prism(sti_solid *s, const double (*xy_m)[2], size_t count, double z0, double z1)
{
    ST_ASSERT(count >= 3);
    for (size_t i = 0; i < count; i++) {
        const double *a = xy_m[i], *b = xy_m[(i + 1) % count];
        sti_add_sheet(s, (const double[3]){a[0], a[1], z0},
                      (const double[3]){b[0] - a[0], b[1] - a[1], 0},
                      (const double[3]){0, 0, z1 - z0});
    }
    for (int lid = 0; lid < 2; lid++) {
        const uint32_t first = sti_vertex_add(s, xy_m[0][0], xy_m[0][1], lid ? z1 : z0);
        for (size_t i = 1; i < count; i++)
            sti_vertex_add(s, xy_m[i][0], xy_m[i][1], lid ? z1 : z0);
        sti_patch_open(s);
        for (uint32_t i = 1; i + 1 < count; i++)
            sti_face_add(s, first, first + (lid ? i : i + 1), first + (lid ? i + 1 : i));
    }
}

/* --- round parts ------------------------------------------------------------------------------ */

static void ring_add(sti_solid *s, double x, double y, double rx, double ry, double z, int sides)
{
    for (int i = 0; i < sides; i++) {
        const double turn = 2.0 * PI * i / sides;
        sti_vertex_add(s, x + rx * cos(turn), y + ry * sin(turn), z);
    }
}

void sti_add_oval(sti_solid *s, double x, double y, double wide, double deep,
                  const double *radius_m, const double *z_m, size_t count, int sides)
{
    ST_ASSERT(count >= 2 && sides >= 3);
    const uint32_t n = (uint32_t)sides;
    const uint32_t first = (uint32_t)s->vertex_count;
    for (size_t k = 0; k < count; k++)
        ring_add(s, x, y, wide * radius_m[k], deep * radius_m[k], z_m[k], sides);
    for (uint32_t k = 0; k + 1 < count; k++) {
        sti_patch_open(s);
        const uint32_t low = first + k * n, high = low + n;
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t j = (i + 1) % n;
            if (radius_m[k] > 0.0)
                sti_face_add(s, low + i, low + j, high + j);
            if (radius_m[k + 1] > 0.0)
                sti_face_add(s, low + i, high + j, high + i);
        }
    }
    for (int end = 0; end < 2; end++) {
        const size_t k = end ? count - 1 : 0;
        if (!(radius_m[k] > 0.0))
            continue;
        const uint32_t rim = (uint32_t)s->vertex_count;
        ring_add(s, x, y, wide * radius_m[k], deep * radius_m[k], z_m[k], sides);
        const uint32_t middle = sti_vertex_add(s, x, y, z_m[k]);
        sti_patch_open(s);
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t j = (i + 1) % n;
            sti_face_add(s, middle, rim + (end ? i : j), rim + (end ? j : i));
        }
    }
}

void sti_add_turned(sti_solid *s, double x, double y, const double *radius_m, const double *z_m,
                    size_t count, int sides)
{
    sti_add_oval(s, x, y, 1.0, 1.0, radius_m, z_m, count, sides);
}

void sti_add_rod(sti_solid *s, const double from_m[3], const double to_m[3], double radius_m,
                 int sides)
{
    /* A frame around the direction: start from the axis that is least along it. */
    double d[3], length = 0.0;
    for (int k = 0; k < 3; k++)
        d[k] = to_m[k] - from_m[k];
    length = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    ST_ASSERT(length > 0.0);
    for (int k = 0; k < 3; k++)
        d[k] /= length;
    double e[3] = {0, 0, 0};
    e[fabs(d[0]) <= fabs(d[1]) && fabs(d[0]) <= fabs(d[2]) ? 0 : fabs(d[1]) <= fabs(d[2]) ? 1
                                                                                        : 2] = 1.0;
    double u[3] = {d[1] * e[2] - d[2] * e[1], d[2] * e[0] - d[0] * e[2], d[0] * e[1] - d[1] * e[0]};
    const double un = sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]);
    for (int k = 0; k < 3; k++)
        u[k] /= un;
    const double w[3] = {d[1] * u[2] - d[2] * u[1], d[2] * u[0] - d[0] * u[2],
                         d[0] * u[1] - d[1] * u[0]};
    const sti_pose outer = s->pose;
    const sti_pose along = {.turn = {{u[0], w[0], d[0]}, {u[1], w[1], d[1]}, {u[2], w[2], d[2]}},
                            .shift_m = {from_m[0], from_m[1], from_m[2]}};
    s->pose = sti_pose_after(&outer, &along);
    sti_add_turned(s, 0, 0, (const double[]){radius_m, radius_m}, (const double[]){0, length}, 2,
                   sides);
    s->pose = outer;
}

static double signed_power(double x, double power)
{
    return copysign(pow(fabs(x), power), x);
}

void sti_add_cushion(sti_solid *s, double x0, double y0, double z0, double x1, double y1,
                     double z1, double power)
{
    enum { AROUND = 20, UP = 10 };
    const double c[3] = {(x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2};
    const double h[3] = {(x1 - x0) / 2, (y1 - y0) / 2, (z1 - z0) / 2};
    const double e = 2.0 / power;
    const uint32_t first = (uint32_t)s->vertex_count;
    for (int k = 1; k < UP; k++) {
        const double up = PI * ((double)k / UP - 0.5);
        const double across = signed_power(cos(up), e), z = signed_power(sin(up), e);
        for (int i = 0; i < AROUND; i++) {
            const double turn = 2.0 * PI * i / AROUND;
            sti_vertex_add(s, c[0] + h[0] * across * signed_power(cos(turn), e),
                           c[1] + h[1] * across * signed_power(sin(turn), e), c[2] + h[2] * z);
        }
    }
    const uint32_t bottom = sti_vertex_add(s, c[0], c[1], z0);
    const uint32_t top = sti_vertex_add(s, c[0], c[1], z1);
    sti_patch_open(s);
    for (uint32_t i = 0; i < AROUND; i++) {
        const uint32_t j = (i + 1) % AROUND;
        sti_face_add(s, bottom, first + j, first + i);
        for (uint32_t k = 0; k + 2 < UP; k++) {
            const uint32_t low = first + k * AROUND, high = low + AROUND;
            sti_quad_add(s, low + i, low + j, high + j, high + i);
        }
        const uint32_t last = first + (UP - 2) * AROUND;
        sti_face_add(s, top, last + i, last + j);
    }
}

void sti_add_drape(sti_solid *s, double x0, double x1, double y0, double depth_m, double z0,
                   double z1, int waves)
{
    const int steps = waves * 6;
    for (int side = 0; side < 2; side++) {
        const uint32_t first = (uint32_t)s->vertex_count;
        for (int i = 0; i <= steps; i++) {
            const double x = x0 + (x1 - x0) * i / steps;
            const double y = y0 + depth_m * sin(2.0 * PI * waves * i / steps);
            sti_vertex_add(s, x, y, z0);
            sti_vertex_add(s, x, y, z1);
        }
        sti_patch_open(s);
        for (uint32_t i = 0; i < (uint32_t)steps; i++) {
            const uint32_t a = first + 2 * i, b = a + 1, c = a + 2, d = a + 3;
            if (side == 0)
                sti_quad_add(s, a, c, d, b);
            else
                sti_quad_add(s, a, b, d, c);
        }
    }
}
