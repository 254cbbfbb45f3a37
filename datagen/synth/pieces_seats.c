/* pieces_seats.c - what one sits on. */
#include "datagen/synth/internal.h"

#include <math.h>

static void four_legs(sti_piece *p, double hx, double hy, double side_m, double z1)
{
    for (int i = 0; i < 4; i++) {
        const double x = i & 1 ? hx - side_m : -hx, y = i & 2 ? hy - side_m : -hy;
        sti_add_box(&p->solid, x, y, 0, x + side_m, y + side_m, z1);
    }
}

void sti_build_chair(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.42, 0.48);
    const double d = sti_wished(wish->depth_m, rng, 0.42, 0.47);
    const double h = sti_wished(wish->height_m, rng, 0.84, 0.98);
    const double seat = st_rng_between(rng, 0.44, 0.47), leg = 0.04;
    const double hx = w / 2, hy = d / 2;
    const sti_rgb wood = sti_wood(rng);
    const sti_rgb fabric = sti_fabric(rng);

    sti_paint(p, wood);
    four_legs(p, hx, hy, leg, seat - 0.03);
    sti_add_box(&p->solid, -hx, -hy, seat - 0.03, hx, hy, seat);
    if (st_rng_unit(rng) < 0.5) {
        sti_paint(p, fabric);
        sti_add_cushion(&p->solid, -hx + 0.02, -hy + 0.02, seat, hx - 0.02, hy - 0.05,
                        seat + 0.04, 5);
        sti_paint(p, wood);
    }
    /* The back leans a little: two posts, a head rail, and slats or a plate between. */
    const sti_pose upright = p->solid.pose;
    p->solid.pose = sti_pose_lean(0.10, hy - leg, seat);
    sti_add_box(&p->solid, -hx, hy - leg, seat, -hx + leg, hy, h);
    sti_add_box(&p->solid, hx - leg, hy - leg, seat, hx, hy, h);
    sti_add_box(&p->solid, -hx + leg, hy - leg, h - 0.09, hx - leg, hy, h);
    if (st_rng_unit(rng) < 0.5) {
        const int slats = 3 + (int)st_rng_below(rng, 2);
        for (int i = 0; i < slats; i++) {
            const double x = -hx + leg + (w - 2 * leg) * (i + 1) / (slats + 1);
            sti_add_box(&p->solid, x - 0.015, hy - leg + 0.01, seat + 0.08, x + 0.015, hy - 0.01,
                        h - 0.09);
        }
        sti_add_box(&p->solid, -hx + leg, hy - leg, seat + 0.06, hx - leg, hy, seat + 0.09);
    } else {
        sti_paint(p, fabric);
        sti_add_box(&p->solid, -hx + leg, hy - leg + 0.005, seat + 0.12, hx - leg, hy - 0.005,
                    h - 0.09);
    }
    p->solid.pose = upright;
}

void sti_build_office_chair(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.58, 0.64);
    const double h = sti_wished(wish->height_m, rng, 0.95, 1.12);
    const double seat = st_rng_between(rng, 0.46, 0.50), r = w / 2;
    const sti_rgb fabric = sti_shade(sti_fabric(rng), 0.7);
    sti_solid *s = &p->solid;

    sti_paint(p, STI_BLACK);
    for (int i = 0; i < 5; i++) {               /* a star of five feet on castors */
        const double turn = 6.283185307179586 * i / 5 + 0.3;
        const double x = (r - 0.03) * cos(turn), y = (r - 0.03) * sin(turn);
        sti_add_rod(s, (const double[3]){0, 0, 0.11}, (const double[3]){x, y, 0.07}, 0.022, 8);
        sti_add_turned(s, x, y, (const double[]){0.012, 0.03, 0.03, 0.012},
                       (const double[]){0, 0.01, 0.05, 0.06}, 4, 10);
    }
    sti_paint(p, STI_STEEL);
    sti_add_rod(s, (const double[3]){0, 0, 0.09}, (const double[3]){0, 0, seat - 0.05}, 0.028, 10);
    sti_paint(p, fabric);
    sti_add_cushion(s, -0.25, -0.25, seat - 0.06, 0.25, 0.23, seat + 0.03, 5);
    const sti_pose upright = s->pose;
    s->pose = sti_pose_lean(0.12, 0.22, seat);
    sti_add_cushion(s, -0.23, 0.20, seat + 0.12, 0.23, 0.27, h, 5);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -0.03, 0.22, seat - 0.06, 0.03, 0.26, seat + 0.2);
    s->pose = upright;
    for (int side = -1; side <= 1; side += 2) { /* arm rests */
        sti_add_box(s, side * 0.28 - 0.02, -0.02, seat - 0.03, side * 0.28 + 0.02, 0.03,
                    seat + 0.19);
        sti_add_box(s, side * 0.28 - 0.03, -0.14, seat + 0.19, side * 0.28 + 0.03, 0.12,
                    seat + 0.215);
    }
}

/* The body that armchairs and sofas share: base, back, arms, and a cushion per seat. */
static void upholster(sti_piece *p, st_rng *rng, double w, double d, double h, int seats)
{
    const double arm = 0.16, back = 0.20, seat = 0.42, foot = 0.07, hx = w / 2, hy = d / 2;
    const double arm_h = st_rng_between(rng, 0.56, 0.64);
    const sti_rgb fabric = sti_fabric(rng);
    sti_solid *s = &p->solid;

    sti_paint(p, STI_BLACK);
    four_legs(p, hx - 0.03, hy - 0.03, 0.05, foot);
    sti_paint(p, fabric);
    sti_add_box(s, -hx + arm, -hy + 0.02, foot, hx - arm, hy - back, seat - 0.14);
    sti_add_box(s, -hx + arm, hy - back, foot, hx - arm, hy, h - 0.06);
    sti_add_cushion(s, -hx + arm, hy - back, h - 0.16, hx - arm, hy, h, 6);
    for (int side = -1; side <= 1; side += 2) {
        const double x0 = side < 0 ? -hx : hx - arm;
        sti_add_box(s, x0, -hy, foot, x0 + arm, hy, arm_h - 0.05);
        sti_add_cushion(s, x0, -hy, arm_h - 0.12, x0 + arm, hy, arm_h, 6);
    }
    const double each = (w - 2 * arm) / seats;
    sti_paint(p, sti_shade(fabric, 1.12));
    for (int i = 0; i < seats; i++) {
        const double x0 = -hx + arm + each * i;
        sti_add_cushion(s, x0 + 0.005, -hy, seat - 0.15, x0 + each - 0.005, hy - back, seat, 8);
        const sti_pose upright = s->pose;
        s->pose = sti_pose_lean(0.12, hy - back, seat);
        sti_add_cushion(s, x0 + 0.01, hy - back - 0.17, seat, x0 + each - 0.01, hy - back - 0.03,
                        h - 0.04, 5);
        s->pose = upright;
    }
    sti_surface_add(p, -hx + arm + 0.03, -hy + 0.03, hx - arm - 0.03, hy - back - 0.20, seat, 0.6);
}

void sti_build_armchair(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.80, 0.95);
    const double d = sti_wished(wish->depth_m, rng, 0.80, 0.90);
    upholster(p, rng, w, d, sti_wished(wish->height_m, rng, 0.80, 0.95), 1);
}

void sti_build_sofa(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.5, 2.3);
    const double d = sti_wished(wish->depth_m, rng, 0.85, 0.98);
    upholster(p, rng, w, d, sti_wished(wish->height_m, rng, 0.78, 0.92), w > 1.85 ? 3 : 2);
}

void sti_build_stool(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double h = sti_wished(wish->height_m, rng, 0.44, 0.72);
    const double r = st_rng_between(rng, 0.16, 0.19);
    sti_solid *s = &p->solid;
    sti_paint(p, sti_wood(rng));
    sti_add_turned(s, 0, 0, (const double[]){r - 0.01, r, r, r - 0.01},
                   (const double[]){h - 0.04, h - 0.03, h - 0.01, h}, 4, 24);
    for (int i = 0; i < 4; i++) {
        const double turn = 6.283185307179586 * (i + 0.5) / 4, c = cos(turn), n = sin(turn);
        sti_add_rod(s, (const double[3]){(r - 0.01) * c, (r - 0.01) * n, 0.0},
                    (const double[3]){(r - 0.06) * c, (r - 0.06) * n, h - 0.04}, 0.016, 8);
        const double d = cos(turn + 1.5707963267948966), m = sin(turn + 1.5707963267948966);
        const double ring = r - 0.03;
        sti_add_rod(s, (const double[3]){ring * c, ring * n, 0.18},
                    (const double[3]){ring * d, ring * m, 0.18}, 0.010, 6);
    }
}

void sti_build_bench(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.95, 1.3);
    const double d = sti_wished(wish->depth_m, rng, 0.32, 0.40);
    const double h = sti_wished(wish->height_m, rng, 0.43, 0.47), hx = w / 2, hy = d / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, sti_wood(rng));
    for (int i = 0; i < 3; i++) {               /* three planks */
        const double y0 = -hy + d * i / 3;
        sti_add_box(s, -hx, y0 + 0.004, h - 0.035, hx, y0 + d / 3 - 0.004, h);
    }
    for (int side = -1; side <= 1; side += 2) {
        const double x = side * (hx - 0.12);
        sti_add_box(s, x - 0.025, -hy + 0.02, 0, x + 0.025, -hy + 0.07, h - 0.035);
        sti_add_box(s, x - 0.025, hy - 0.07, 0, x + 0.025, hy - 0.02, h - 0.035);
        sti_add_box(s, x - 0.025, -hy + 0.07, 0.10, x + 0.025, hy - 0.07, 0.15);
    }
    sti_add_box(s, -hx + 0.12, -0.02, 0.11, hx - 0.12, 0.02, 0.14);
}

void sti_build_ottoman(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.45, 0.65);
    const double d = sti_wished(wish->depth_m, rng, 0.42, 0.5), h = st_rng_between(rng, 0.38, 0.44);
    const sti_rgb fabric = sti_fabric(rng);
    sti_paint(p, STI_BLACK);
    four_legs(p, w / 2 - 0.03, d / 2 - 0.03, 0.04, 0.06);
    sti_paint(p, fabric);
    sti_add_box(&p->solid, -w / 2, -d / 2, 0.06, w / 2, d / 2, h - 0.10);
    sti_paint(p, sti_shade(fabric, 1.1));
    sti_add_cushion(&p->solid, -w / 2, -d / 2, h - 0.13, w / 2, d / 2, h, 7);
}
