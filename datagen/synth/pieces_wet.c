/* pieces_wet.c - kitchen and bathroom. */
#include "datagen/synth/internal.h"

#include <math.h>

void sti_build_toilet(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.37, 0.40);
    const double d = sti_wished(wish->depth_m, rng, 0.66, 0.72), hy = d / 2, rim = 0.41;
    const double bowl_y = -hy + 0.24, tank = 0.18;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_WHITE);
    /* Foot, waist, bowl and rim of the oval body, then down into the bowl. */
    sti_add_oval(s, 0, bowl_y, 0.76, 1.0,
                 (const double[]){0.15, 0.13, 0.13, 0.23, 0.24, 0.24, 0.17, 0.10, 0.0},
                 (const double[]){0, 0.04, 0.18, 0.32, 0.36, rim, rim, 0.26, 0.24}, 9, 32);
    sti_add_box(s, -0.09, bowl_y + 0.08, 0, 0.09, hy - 0.02, 0.36);
    sti_add_box(s, -w / 2, hy - tank, 0.36, w / 2, hy, 0.76);
    sti_add_box(s, -w / 2 - 0.01, hy - tank - 0.01, 0.76, w / 2 + 0.01, hy, 0.79);
    sti_paint(p, sti_shade(STI_WHITE, 0.93));   /* the raised lid leans on the tank */
    const sti_pose upright = s->pose;
    s->pose = sti_pose_lean(0.10, hy - tank - 0.05, rim);
    sti_add_cushion(s, -0.18, hy - tank - 0.06, rim, 0.18, hy - tank - 0.035, rim + 0.42, 4);
    s->pose = upright;
    sti_paint(p, STI_STEEL);
    sti_add_turned(s, 0, hy - tank / 2, (const double[]){0.025, 0.025},
                   (const double[]){0.79, 0.80}, 2, 12);
}

static void faucet(sti_solid *s, double y, double z)
{
    sti_add_rod(s, (const double[3]){0, y, z}, (const double[3]){0, y, z + 0.16}, 0.014, 8);
    sti_add_rod(s, (const double[3]){0, y, z + 0.155}, (const double[3]){0, y - 0.13, z + 0.14},
                0.011, 8);
    sti_add_rod(s, (const double[3]){0.02, y, z + 0.10}, (const double[3]){0.07, y, z + 0.12},
                0.008, 8);
}

/* A bathroom basin on a pedestal. */
static void washbasin(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.50, 0.62);
    const double d = sti_wished(wish->depth_m, rng, 0.42, 0.48);
    const double h = st_rng_between(rng, 0.82, 0.86);
    const double r = d / 2 - 0.02, wide = (w / 2) / (d / 2);
    sti_solid *s = &p->solid;
    sti_paint(p, STI_WHITE);
    sti_add_turned(s, 0, 0.04, (const double[]){0.11, 0.08, 0.075, 0.10},
                   (const double[]){0, 0.10, h - 0.22, h - 0.16}, 4, 20);
    sti_add_oval(s, 0, -0.02, wide, 1.0,
                 (const double[]){0.4 * r, 0.9 * r, r, r, 0.86 * r, 0.5 * r, 0.0},
                 (const double[]){h - 0.18, h - 0.10, h - 0.05, h, h, h - 0.12, h - 0.13}, 7, 36);
    sti_add_box(s, -w / 2 + 0.04, d / 2 - 0.09, h - 0.08, w / 2 - 0.04, d / 2, h + 0.01);
    sti_paint(p, STI_STEEL);
    faucet(s, d / 2 - 0.05, h + 0.01);
}

/* A steel basin that hangs in the hole of a counter. Its rim lies on the worktop, its bowl below:
 * the piece is placed by its bottom, STI_SINK_DEPTH_M under the rim. */
static void kitchen_sink(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.5, 0.6);
    const double d = sti_wished(wish->depth_m, rng, 0.455, 0.465), hx = w / 2, hy = d / 2;
    const double rim = STI_SINK_DEPTH_M, lip = 0.03;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_STEEL);
    sti_add_tray(s, -hx + lip, -hy + lip, 0, hx - lip, hy - 2 * lip, rim, 0.008);
    sti_add_box(s, -hx, -hy, rim, -hx + lip + 0.008, hy, rim + 0.006);
    sti_add_box(s, hx - lip - 0.008, -hy, rim, hx, hy, rim + 0.006);
    sti_add_box(s, -hx + lip + 0.008, -hy, rim, hx - lip - 0.008, -hy + lip + 0.008, rim + 0.006);
    sti_add_box(s, -hx + lip + 0.008, hy - 2 * lip - 0.008, rim, hx - lip - 0.008, hy, rim + 0.006);
    sti_paint(p, sti_shade(STI_STEEL, 1.25));
    faucet(s, hy - lip, rim + 0.006);
}

void sti_build_sink(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    (wish->style ? kitchen_sink : washbasin)(p, rng, wish);
}

void sti_build_bathtub(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.55, 1.72);
    const double d = sti_wished(wish->depth_m, rng, 0.72, 0.78);
    const double h = st_rng_between(rng, 0.52, 0.58);
    const double hx = w / 2, hy = d / 2, rim = 0.07;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_WHITE);
    sti_add_box(s, -hx, -hy, 0, hx, -hy + 0.02, h - 0.03);      /* skirt, then the rim */
    sti_add_box(s, -hx, hy - 0.02, 0, hx, hy, h - 0.03);
    sti_add_box(s, -hx, -hy + 0.02, 0, -hx + 0.02, hy - 0.02, h - 0.03);
    sti_add_box(s, hx - 0.02, -hy + 0.02, 0, hx, hy - 0.02, h - 0.03);
    sti_add_box(s, -hx, -hy, h - 0.03, hx, -hy + rim, h);
    sti_add_box(s, -hx, hy - rim, h - 0.03, hx, hy, h);
    sti_add_box(s, -hx, -hy + rim, h - 0.03, -hx + rim + 0.04, hy - rim, h);
    sti_add_box(s, hx - rim - 0.04, -hy + rim, h - 0.03, hx, hy - rim, h);
    /* The bowl narrows downwards; its faces look inwards. */
    const double top[4] = {-hx + rim + 0.04, -hy + rim, hx - rim - 0.04, hy - rim};
    const double low[4] = {-hx + 0.22, -hy + 0.14, hx - 0.30, hy - 0.14}, z = 0.12;
    uint32_t v[8];
    for (int side = 0; side < 4; side++) {
        for (int i = 0; i < 2; i++) {
            const int c = (side + i) % 4;       /* corners run counter-clockwise */
            const int ix = c == 1 || c == 2 ? 2 : 0, iy = c >= 2 ? 3 : 1;
            v[i] = sti_vertex_add(s, low[ix], low[iy], z);
            v[2 + i] = sti_vertex_add(s, top[ix], top[iy], h - 0.001);
        }
        sti_patch_open(s);
        sti_quad_add(s, v[0], v[2], v[3], v[1]);
    }
    sti_add_sheet(s, (const double[3]){low[0], low[1], z}, (const double[3]){low[2] - low[0], 0, 0},
                  (const double[3]){0, low[3] - low[1], 0});
    sti_paint(p, STI_STEEL);
    sti_add_rod(s, (const double[3]){hx - 0.06, 0, h}, (const double[3]){hx - 0.06, 0, h + 0.12},
                0.02, 8);
    sti_add_rod(s, (const double[3]){hx - 0.06, 0, h + 0.10},
                (const double[3]){hx - 0.20, 0, h + 0.07}, 0.016, 8);
}

/* A white box with a round glass door. */
void sti_build_washing_machine(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = 0.60, d = sti_wished(wish->depth_m, rng, 0.56, 0.62), h = 0.85, hy = d / 2;
    sti_solid *s = &p->solid;
    (void)rng;
    sti_paint(p, STI_WHITE);
    sti_add_box(s, -w / 2, -hy + 0.04, 0.02, w / 2, hy, h);
    sti_add_box(s, -w / 2 + 0.04, -hy + 0.08, 0, w / 2 - 0.04, hy - 0.04, 0.02);
    const sti_pose upright = s->pose;
    /* The door is turned around y: stand a turned body up and let it fall to the front. */
    s->pose = (sti_pose){.turn = {{1, 0, 0}, {0, 0, -1}, {0, 1, 0}},
                         .shift_m = {0, -hy + 0.04, 0.42}};
    sti_paint(p, STI_STEEL);
    sti_add_turned(s, 0, 0, (const double[]){0.20, 0.20, 0.17}, (const double[]){0, 0.02, 0.035}, 3,
                   32);
    sti_paint(p, STI_BLACK);
    sti_add_turned(s, 0, 0, (const double[]){0.15, 0.12, 0.0}, (const double[]){0.030, 0.04, 0.042},
                   3, 32);
    sti_paint(p, STI_GREY);
    s->pose.shift_m[2] = h - 0.07;
    sti_add_turned(s, 0.14, 0, (const double[]){0.03, 0.028}, (const double[]){0, 0.02}, 2, 20);
    s->pose = upright;
    sti_paint(p, STI_GREY);
    sti_add_box(s, -w / 2 + 0.04, -hy + 0.035, h - 0.11, -w / 2 + 0.20, -hy + 0.04, h - 0.04);
    sti_surface_add(p, -w / 2 + 0.02, -hy + 0.06, w / 2 - 0.02, hy - 0.02, h, 0.8);
}

/* The panel, bar handle and controls that dishwasher and stove share. */
static void front_panel(sti_piece *p, double w, double y, double z0, double z1, sti_rgb rgb)
{
    sti_paint(p, rgb);
    sti_add_box(&p->solid, -w / 2 + 0.008, y, z0, w / 2 - 0.008, y + 0.03, z1);
    sti_paint(p, STI_STEEL);
    sti_add_box(&p->solid, -w / 2 + 0.06, y - 0.035, z1 - 0.075, w / 2 - 0.06, y - 0.020,
                z1 - 0.055);
    for (int side = -1; side <= 1; side += 2)
        sti_add_box(&p->solid, side * (w / 2 - 0.09) - 0.01, y - 0.02, z1 - 0.075,
                    side * (w / 2 - 0.09) + 0.01, y, z1 - 0.055);
}

void sti_build_dishwasher(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.595, 0.605);
    const double d = sti_wished(wish->depth_m, rng, 0.58, 0.60);
    const double h = sti_wished(wish->height_m, rng, 0.86, 0.90), y = -d / 2 + 0.035;
    const sti_rgb skin = st_rng_unit(rng) < 0.5 ? STI_WHITE : STI_STEEL;
    sti_paint(p, sti_shade(skin, 0.9));
    sti_add_box(&p->solid, -w / 2, y + 0.03, 0.08, w / 2, d / 2, h);
    sti_paint(p, STI_BLACK);
    sti_add_box(&p->solid, -w / 2, y + 0.08, 0, w / 2, d / 2, 0.08);
    front_panel(p, w, y, 0.09, h - 0.11, skin);
    sti_paint(p, STI_BLACK);
    sti_add_box(&p->solid, -w / 2 + 0.008, y + 0.005, h - 0.10, w / 2 - 0.008, y + 0.03, h - 0.01);
    sti_surface_add(p, -w / 2 + 0.03, y + 0.06, w / 2 - 0.03, d / 2 - 0.02, h, 0.4);
}

void sti_build_stove(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.60, 0.76);
    const double d = sti_wished(wish->depth_m, rng, 0.60, 0.65), h = 0.90, y = -d / 2 + 0.035;
    const sti_rgb skin = st_rng_unit(rng) < 0.5 ? STI_WHITE : STI_STEEL;
    sti_solid *s = &p->solid;
    sti_paint(p, skin);
    sti_add_box(s, -w / 2, y + 0.03, 0.02, w / 2, d / 2, h);
    sti_add_box(s, -w / 2, d / 2 - 0.06, h, w / 2, d / 2, h + 0.14);    /* splash back */
    front_panel(p, w, y, 0.22, h - 0.14, skin);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2 + 0.10, y - 0.004, 0.34, w / 2 - 0.10, y, h - 0.26);
    for (int i = 0; i < 4; i++) {               /* burners and their knobs */
        const double x = (i & 1 ? 0.25 : -0.25) * w, by = (i & 2 ? 0.12 : -0.14);
        sti_add_turned(s, x, by, (const double[]){0.095, 0.095, 0.05, 0.05, 0.0},
                       (const double[]){h, h + 0.012, h + 0.012, h + 0.02, h + 0.02}, 5, 24);
        const sti_pose upright = s->pose;
        s->pose = (sti_pose){.turn = {{1, 0, 0}, {0, 0, -1}, {0, 1, 0}},
                             .shift_m = {w * (0.2 * i - 0.3), y + 0.03, h - 0.07}};
        sti_add_turned(s, 0, 0, (const double[]){0.024, 0.02}, (const double[]){0, 0.035}, 2, 16);
        s->pose = upright;
    }
}

void sti_build_refrigerator(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.60, 0.75);
    const double d = sti_wished(wish->depth_m, rng, 0.62, 0.70);
    const double h = sti_wished(wish->height_m, rng, 1.55, 1.85);
    const double y = -d / 2 + 0.04;
    const double split = 0.66 * h;
    const sti_rgb skin = st_rng_unit(rng) < 0.5 ? STI_WHITE : STI_STEEL;
    const double side = st_rng_unit(rng) < 0.5 ? -1.0 : 1.0;
    sti_solid *s = &p->solid;
    sti_paint(p, sti_shade(skin, 0.92));
    sti_add_box(s, -w / 2, y + 0.06, 0.04, w / 2, d / 2, h);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2 + 0.02, y + 0.09, 0, w / 2 - 0.02, d / 2 - 0.03, 0.04);
    sti_paint(p, skin);
    sti_add_box(s, -w / 2, y, 0.06, w / 2, y + 0.05, split - 0.006);
    sti_add_box(s, -w / 2, y, split + 0.006, w / 2, y + 0.05, h);
    sti_paint(p, sti_shade(STI_STEEL, 0.8));
    const double x = side * (w / 2 - 0.05);
    sti_add_box(s, x - 0.015, y - 0.04, split - 0.45, x + 0.015, y - 0.02, split - 0.05);
    sti_add_box(s, x - 0.015, y - 0.04, split + 0.05, x + 0.015, y - 0.02, split + 0.30);
    for (int i = 0; i < 4; i++) {
        const double z = i == 0 ? split - 0.44 : i == 1 ? split - 0.08 : i == 2 ? split + 0.06
                                                                               : split + 0.27;
        sti_add_box(s, x - 0.01, y - 0.02, z, x + 0.01, y, z + 0.02);
    }
}

void sti_build_microwave(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.45, 0.52);
    const double d = st_rng_between(rng, 0.34, 0.40);
    const double h = sti_wished(wish->height_m, rng, 0.26, 0.30), y = -d / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.5 ? STI_WHITE : STI_GREY);
    sti_add_box(s, -w / 2, y + 0.02, 0.01, w / 2, d / 2, h);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2 + 0.02, y + 0.008, 0.04, w / 2 - 0.13, y + 0.02, h - 0.03);
    sti_add_box(s, w / 2 - 0.10, y + 0.012, h - 0.08, w / 2 - 0.02, y + 0.02, h - 0.03);
    sti_add_box(s, -w / 2 + 0.03, y + 0.05, 0, w / 2 - 0.03, d / 2 - 0.03, 0.01);
    sti_paint(p, STI_STEEL);
    sti_add_box(s, w / 2 - 0.125, y - 0.015, 0.04, w / 2 - 0.11, y, h - 0.03);
    sti_add_box(s, w / 2 - 0.125, y, 0.05, w / 2 - 0.11, y + 0.02, 0.07);
    sti_add_box(s, w / 2 - 0.125, y, h - 0.06, w / 2 - 0.11, y + 0.02, h - 0.04);
}

void sti_build_coffee_maker(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double h = sti_wished(wish->height_m, rng, 0.30, 0.36), w = 0.18, d = 0.24;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.7 ? STI_BLACK : (sti_rgb){150, 40, 36});
    sti_add_box(s, -w / 2, -d / 2, 0, w / 2, d / 2, 0.035);
    sti_add_box(s, -w / 2, d / 2 - 0.09, 0.035, w / 2, d / 2, h);
    sti_add_box(s, -w / 2, -d / 2 + 0.02, h - 0.10, w / 2, d / 2 - 0.09, h);
    sti_paint(p, STI_GLASS);                    /* the jug on its plate */
    sti_add_turned(s, 0, -0.035, (const double[]){0.055, 0.07, 0.065, 0.045},
                   (const double[]){0.036, 0.07, 0.12, h - 0.12}, 4, 20);
}
