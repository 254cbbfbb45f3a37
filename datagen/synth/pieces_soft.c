/* pieces_soft.c - what is slept on, hung up, walked on, and what grows. */
#include "datagen/synth/internal.h"

#include <math.h>

static const double TURN = 6.283185307179586;

/* Frame and headboard of wood, a mattress, a blanket over the lower two thirds. Surface 0 is the
 * part where pillows lie, at the head end (+Y). */
void sti_build_bed(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.95, 1.85);
    const double d = sti_wished(wish->depth_m, rng, 2.02, 2.14), hx = w / 2, hy = d / 2;
    const double deck = 0.28, top = st_rng_between(rng, 0.46, 0.54), board = 0.05;
    const double head = sti_wished(wish->height_m, rng, 0.85, 1.15);
    const sti_rgb wood = sti_wood(rng), cloth = sti_fabric(rng);
    sti_solid *s = &p->solid;

    sti_paint(p, wood);
    sti_add_box(s, -hx, hy - board, 0, hx, hy, head);
    sti_add_box(s, -hx, -hy, 0.12, hx, -hy + 0.04, deck + 0.08);
    sti_add_box(s, -hx, -hy + 0.04, 0.12, -hx + 0.03, hy - board, deck + 0.04);
    sti_add_box(s, hx - 0.03, -hy + 0.04, 0.12, hx, hy - board, deck + 0.04);
    for (int side = 0; side < 2; side++) {
        const double x = side ? hx - 0.08 : -hx;
        sti_add_box(s, x, -hy, 0, x + 0.08, -hy + 0.08, 0.12);
    }
    sti_add_box(s, -hx + 0.03, -hy + 0.04, deck - 0.06, hx - 0.03, hy - board, deck - 0.02);
    sti_paint(p, STI_WHITE);
    sti_add_cushion(s, -hx + 0.03, -hy + 0.05, deck - 0.02, hx - 0.03, hy - board, top, 14);
    sti_paint(p, cloth);
    const double fold = hy - 0.62;
    sti_add_cushion(s, -hx + 0.005, -hy + 0.045, deck + 0.02, hx - 0.005, fold, top + 0.03, 12);
    sti_paint(p, sti_shade(cloth, 1.25));
    sti_add_cushion(s, -hx + 0.005, fold - 0.16, deck + 0.06, hx - 0.005, fold + 0.08, top + 0.045,
                    9);
    sti_surface_add(p, -hx + 0.08, fold + 0.09, hx - 0.08, hy - board - 0.02, top, 0.6);
    sti_surface_add(p, -hx + 0.10, -hy + 0.15, hx - 0.10, fold - 0.20, top + 0.03, 0.6);
}

void sti_build_pillow(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.52, 0.66);
    const double d = sti_wished(wish->depth_m, rng, 0.38, 0.44);
    const double h = sti_wished(wish->height_m, rng, 0.12, 0.17);
    sti_paint(p, wish->style ? sti_fabric(rng) : STI_WHITE);
    sti_add_cushion(&p->solid, -w / 2, -d / 2, 0, w / 2, d / 2, h, 3.2);
}

/* A folded towel over a rail on the wall. */
void sti_build_towel(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.40, 0.6), h = st_rng_between(rng, 0.5, 0.7);
    const double y = 0.03;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_STEEL);
    sti_add_rod(s, (const double[3]){-w / 2 - 0.06, y, h - 0.015},
                (const double[3]){w / 2 + 0.06, y, h - 0.015}, 0.009, 8);
    for (int side = -1; side <= 1; side += 2)
        sti_add_rod(s, (const double[3]){side * (w / 2 + 0.05), y, h - 0.015},
                    (const double[3]){side * (w / 2 + 0.05), y + 0.06, h - 0.015}, 0.009, 8);
    sti_paint(p, sti_shade(sti_fabric(rng), 1.3));
    sti_add_box(s, -w / 2, y - 0.025, 0, w / 2, y - 0.010, h);
    sti_add_box(s, -w / 2, y + 0.010, 0.12, w / 2, y + 0.025, h);
    sti_add_box(s, -w / 2, y - 0.025, h, w / 2, y + 0.025, h + 0.012);
}

/* One waved panel of cloth below a piece of rail. */
void sti_build_curtain(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.30, 0.5);
    const double h = sti_wished(wish->height_m, rng, 1.8, 2.2), drop = h - 0.05;
    const int waves = (int)(w / 0.11) + 2;
    sti_paint(p, sti_fabric(rng));
    sti_add_drape(&p->solid, -w / 2, w / 2, 0, 0.035, 0, drop, waves);
    sti_paint(p, STI_STEEL);
    sti_add_rod(&p->solid, (const double[3]){-w / 2 - 0.03, 0, h - 0.025},
                (const double[3]){w / 2 + 0.03, 0, h - 0.025}, 0.014, 8);
}

void sti_build_mat(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.7, 0.9), d = st_rng_between(rng, 0.45, 0.6);
    const sti_rgb cloth = sti_fabric(rng);
    sti_paint(p, sti_shade(cloth, 0.8));
    sti_add_box(&p->solid, -w / 2, -d / 2, 0, w / 2, d / 2, 0.010);
    sti_paint(p, cloth);
    sti_add_box(&p->solid, -w / 2 + 0.06, -d / 2 + 0.06, 0.010, w / 2 - 0.06, d / 2 - 0.06, 0.016);
}

/* Leaf `i` of `count`: an arched blade of two quads, seen from both sides. */
static void leaf(sti_solid *s, st_rng *rng, double z0, double reach, double rise, int i, int count)
{
    const double turn = TURN * (i + st_rng_between(rng, -0.3, 0.3)) / count;
    const double c = cos(turn), n = sin(turn), half = 0.035 + 0.12 * reach;
    const double at[3] = {0.02, 0.55 * reach, reach}, up[3] = {z0, z0 + rise, z0 + 0.75 * rise};
    const double wide[3] = {0.008, half, 0.006};
    for (int side = 0; side < 2; side++) {
        uint32_t v[3][2];
        for (int k = 0; k < 3; k++)
            for (int e = 0; e < 2; e++) {
                const double off = (e ? 1 : -1) * wide[k];
                v[k][e] = sti_vertex_add(s, at[k] * c - off * n, at[k] * n + off * c, up[k]);
            }
        sti_patch_open(s);
        for (int k = 0; k < 2; k++)
            if (side == 0)
                sti_quad_add(s, v[k][0], v[k + 1][0], v[k + 1][1], v[k][1]);
            else
                sti_quad_add(s, v[k][0], v[k][1], v[k + 1][1], v[k + 1][0]);
    }
}

void sti_build_plant(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double h = sti_wished(wish->height_m, rng, 0.7, 1.3);
    const double pot_h = 0.28 * h, pot_r = 0.15 * h < 0.16 ? 0.15 * h : 0.16;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.5 ? (sti_rgb){170, 98, 68} : STI_WHITE);
    sti_add_turned(s, 0, 0, (const double[]){0.7 * pot_r, pot_r, pot_r, 0.9 * pot_r, 0.0},
                   (const double[]){0, pot_h - 0.03, pot_h, pot_h - 0.02, pot_h - 0.02}, 5, 24);
    sti_paint(p, (sti_rgb){96, 76, 52});
    sti_add_rod(s, (const double[3]){0, 0, pot_h - 0.02}, (const double[3]){0, 0, 0.7 * h}, 0.014,
                8);
    for (int tier = 0; tier < 3; tier++) {
        const int count = 7 - tier;
        for (int i = 0; i < count; i++) {
            const double green = st_rng_between(rng, 0.8, 1.25);
            sti_paint(p, sti_shade((sti_rgb){62, 118, 56}, green));
            leaf(s, rng, (0.42 + 0.14 * tier) * h, (0.30 - 0.06 * tier) * h, 0.28 * h, i, count);
        }
    }
}
