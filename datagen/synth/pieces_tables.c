/* pieces_tables.c - what things are put down on. */
#include "datagen/synth/internal.h"

#include <math.h>

/* A top on four square legs, with an apron below it when `apron_m` is above 0. */
static void legged_top(sti_piece *p, double w, double d, double h, double leg, double apron_m)
{
    const double hx = w / 2, hy = d / 2, top = 0.03;
    sti_solid *s = &p->solid;
    sti_add_box(s, -hx, -hy, h - top, hx, hy, h);
    for (int i = 0; i < 4; i++) {
        const double x = i & 1 ? hx - leg - 0.02 : -hx + 0.02;
        const double y = i & 2 ? hy - leg - 0.02 : -hy + 0.02;
        sti_add_box(s, x, y, 0, x + leg, y + leg, h - top);
    }
    if (apron_m > 0.0) {
        const double in = 0.02 + leg, z = h - top - apron_m;
        sti_add_box(s, -hx + in, -hy + 0.03, z, hx - in, -hy + 0.05, h - top);
        sti_add_box(s, -hx + in, hy - 0.05, z, hx - in, hy - 0.03, h - top);
        sti_add_box(s, -hx + 0.03, -hy + in, z, -hx + 0.05, hy - in, h - top);
        sti_add_box(s, hx - 0.05, -hy + in, z, hx - 0.03, hy - in, h - top);
    }
    sti_surface_add(p, -hx + 0.02, -hy + 0.02, hx - 0.02, hy - 0.02, h, 1.2);
}

static void round_top(sti_piece *p, double r, double h)
{
    sti_add_turned(&p->solid, 0, 0, (const double[]){r - 0.01, r, r, r - 0.01},
                   (const double[]){h - 0.035, h - 0.03, h - 0.005, h}, 4, 40);
    sti_add_turned(&p->solid, 0, 0,
                   (const double[]){0.30 * r + 0.1, 0.30 * r + 0.1, 0.045, 0.045, 0.09},
                   (const double[]){0, 0.02, 0.06, h - 0.08, h - 0.035}, 5, 24);
    const double in = r * 0.70710678 - 0.02;
    sti_surface_add(p, -in, -in, in, in, h, 1.2);
}

/* The second style is round. */
void sti_build_dining_table(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.1, 1.8);
    const double d = sti_wished(wish->depth_m, rng, 0.75, 0.95);
    const double h = sti_wished(wish->height_m, rng, 0.72, 0.77);
    sti_paint(p, sti_wood(rng));
    if (wish->style)
        round_top(p, w / 2, h);
    else
        legged_top(p, w, d, h, 0.07, 0.09);
}

void sti_build_coffee_table(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.8, 1.2);
    const double d = sti_wished(wish->depth_m, rng, 0.5, 0.65);
    const double h = sti_wished(wish->height_m, rng, 0.38, 0.46);
    sti_paint(p, sti_wood(rng));
    legged_top(p, w, d, h, 0.05, 0);
    sti_add_box(&p->solid, -w / 2 + 0.07, -d / 2 + 0.04, 0.12, w / 2 - 0.07, d / 2 - 0.04, 0.14);
}

void sti_build_end_table(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.42, 0.55), h = st_rng_between(rng, 0.5, 0.6);
    sti_paint(p, sti_wood(rng));
    if (wish->style)
        round_top(p, w / 2, h);
    else
        legged_top(p, w, w, h, 0.04, 0.06);
}

/* A desk has a drawer block at one end and a modesty panel at the back. */
void sti_build_desk(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.15, 1.6);
    const double d = sti_wished(wish->depth_m, rng, 0.60, 0.75);
    const double h = sti_wished(wish->height_m, rng, 0.72, 0.76), hx = w / 2, hy = d / 2;
    const double side = st_rng_unit(rng) < 0.5 ? -1.0 : 1.0, block = 0.40;
    const sti_rgb wood = sti_wood(rng);
    sti_solid *s = &p->solid;
    sti_paint(p, wood);
    sti_add_box(s, -hx, -hy, h - 0.03, hx, hy, h);
    const double bx0 = side > 0 ? hx - block - 0.01 : -hx + 0.01, bx1 = bx0 + block;
    sti_add_box(s, bx0, -hy + 0.04, 0.0, bx1, hy - 0.02, h - 0.03);
    for (int i = 0; i < 3; i++) {               /* drawers and their handles */
        const double z0 = 0.08 + (h - 0.13) * i / 3, z1 = 0.08 + (h - 0.13) * (i + 1) / 3 - 0.015;
        sti_paint(p, sti_shade(wood, 0.85));
        sti_add_box(s, bx0 + 0.015, -hy + 0.022, z0, bx1 - 0.015, -hy + 0.04, z1);
        sti_paint(p, STI_STEEL);
        sti_add_box(s, (bx0 + bx1) / 2 - 0.06, -hy + 0.002, (z0 + z1) / 2 - 0.008,
                    (bx0 + bx1) / 2 + 0.06, -hy + 0.022, (z0 + z1) / 2 + 0.008);
    }
    sti_paint(p, sti_shade(wood, 0.95));
    const double lx = side > 0 ? -hx + 0.01 : hx - 0.05;
    sti_add_box(s, lx, -hy + 0.02, 0, lx + 0.04, hy - 0.02, h - 0.03);
    if (side > 0)
        sti_add_box(s, lx + 0.04, hy - 0.06, 0.30, bx0, hy - 0.04, h - 0.03);
    else
        sti_add_box(s, bx1, hy - 0.06, 0.30, lx, hy - 0.04, h - 0.03);
    sti_surface_add(p, -hx + 0.02, -hy + 0.02, hx - 0.02, hy - 0.02, h, 1.2);
}

/* A worktop, 4 cm thick; between cut_lo_m and cut_hi_m it leaves a hole for a sink. */
void sti_build_counter(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.2, 2.4);
    const double d = sti_wished(wish->depth_m, rng, 0.60, 0.64), hx = w / 2, hy = d / 2, top = 0.04;
    sti_solid *s = &p->solid;
    const sti_rgb stone = sti_shade((sti_rgb){96, 92, 90}, st_rng_between(rng, 0.7, 2.0));
    sti_paint(p, stone);
    if (wish->cut_hi_m > wish->cut_lo_m) {
        const double a = wish->cut_lo_m, b = wish->cut_hi_m, y0 = -hy + 0.09, y1 = hy - 0.12;
        sti_add_box(s, -hx, -hy, 0, a, hy, top);
        sti_add_box(s, b, -hy, 0, hx, hy, top);
        sti_add_box(s, a, -hy, 0, b, y0, top);
        sti_add_box(s, a, y1, 0, b, hy, top);
        sti_surface_add(p, -hx + 0.02, -hy + 0.03, a - 0.04, hy - 0.02, top, 0.45);
        sti_surface_add(p, b + 0.04, -hy + 0.03, hx - 0.02, hy - 0.02, top, 0.45);
    } else {
        sti_add_box(s, -hx, -hy, 0, hx, hy, top);
        sti_surface_add(p, -hx + 0.02, -hy + 0.03, hx - 0.02, hy - 0.02, top, 0.45);
    }
}

void sti_build_piano(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.42, 1.52);
    const double h = st_rng_between(rng, 1.08, 1.22);
    const double d = 0.60, hx = w / 2, hy = d / 2, key = 0.72;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.6 ? STI_BLACK : sti_wood(rng));
    sti_add_box(s, -hx, -0.02, 0, hx, hy, h - 0.03);
    sti_add_box(s, -hx - 0.01, -0.03, h - 0.03, hx + 0.01, hy, h);
    sti_add_box(s, -hx, -hy, key - 0.10, hx, -0.02, key - 0.03);        /* key bed */
    for (int side = -1; side <= 1; side += 2) {
        const double x0 = side < 0 ? -hx : hx - 0.06;
        sti_add_box(s, x0, -hy, key - 0.03, x0 + 0.06, -0.02, key + 0.05);
        sti_add_box(s, x0, -hy, 0, x0 + 0.06, -hy + 0.07, key - 0.10);
    }
    sti_paint(p, STI_WHITE);
    sti_add_box(s, -hx + 0.06, -hy + 0.01, key - 0.03, hx - 0.06, -0.07, key);
    sti_paint(p, STI_BLACK);
    for (int i = 0; i < 36; i++) {              /* black keys stand in twos and threes */
        const int in_octave = i % 7;
        if (in_octave == 2 || in_octave == 6)
            continue;
        const double x = -hx + 0.06 + (w - 0.12) * (i + 1) / 37;
        sti_add_box(s, x - 0.006, -0.16, key, x + 0.006, -0.07, key + 0.012);
    }
    sti_surface_add(p, -hx + 0.05, 0.0, hx - 0.05, hy - 0.02, h, 0.8);
}
