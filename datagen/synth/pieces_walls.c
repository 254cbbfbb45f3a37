/* pieces_walls.c - what sits in walls and hangs on them. */
#include "datagen/synth/internal.h"

#include <math.h>

/* A leaf with two panels and a handle on both sides; hinged at -x. */
void sti_build_door(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.78, 0.84);
    const double h = sti_wished(wish->height_m, rng, 2.0, 2.02);
    const double thick = 0.04, proud = 0.008, hy = thick / 2;
    const sti_rgb skin = st_rng_unit(rng) < 0.6 ? STI_WHITE : sti_wood(rng);
    sti_solid *s = &p->solid;
    sti_paint(p, skin);
    sti_add_box(s, -w / 2, -hy, 0, w / 2, hy, h);
    for (int side = -1; side <= 1; side += 2) {
        const double y0 = side < 0 ? -hy - proud : hy, y1 = y0 + proud;
        sti_paint(p, sti_shade(skin, 0.92));
        sti_add_box(s, -w / 2 + 0.12, y0, 0.15, w / 2 - 0.12, y1, 0.85);
        sti_add_box(s, -w / 2 + 0.12, y0, 1.05, w / 2 - 0.12, y1, h - 0.15);
        if (wish->style && side > 0)
            continue;
        sti_paint(p, STI_STEEL);
        const double x = w / 2 - 0.07, out = side * (hy + 0.05);
        sti_add_rod(s, (const double[3]){x, side * hy, 1.0}, (const double[3]){x, out, 1.0}, 0.010,
                    8);
        sti_add_rod(s, (const double[3]){x + 0.01, out, 1.0}, (const double[3]){x - 0.11, out, 1.0},
                    0.010, 8);
    }
}

/* A frame with a mullion and two panes. It fills its opening in the wall. */
void sti_build_window(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.9, 1.8);
    const double h = sti_wished(wish->height_m, rng, 1.1, 1.4);
    const double rim = 0.06, hx = w / 2;
    sti_solid *s = &p->solid;
    (void)rng;
    sti_paint(p, STI_WHITE);
    sti_add_box(s, -hx, -0.02, 0, hx, 0.02, rim);
    sti_add_box(s, -hx, -0.02, h - rim, hx, 0.02, h);
    sti_add_box(s, -hx, -0.02, rim, -hx + rim, 0.02, h - rim);
    sti_add_box(s, hx - rim, -0.02, rim, hx, 0.02, h - rim);
    sti_add_box(s, -0.03, -0.02, rim, 0.03, 0.02, h - rim);
    sti_paint(p, STI_STEEL);
    sti_add_box(s, 0.0, -0.04, 0.45 * h, 0.018, -0.02, 0.45 * h + 0.10);
    sti_paint(p, STI_GLASS);
    for (int side = -1; side <= 1; side += 2) {
        const double x0 = side < 0 ? -hx + rim : 0.03, x1 = side < 0 ? -0.03 : hx - rim;
        sti_add_box(s, x0, -0.005, rim, x1, 0.005, h - rim);
    }
}

/* Frame, mount, and a painted sheet of a few bands of colour. */
void sti_build_picture(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.4, 0.9);
    const double h = sti_wished(wish->height_m, rng, 0.35, 0.7);
    const double rim = 0.03, hx = w / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.5 ? STI_BLACK : sti_wood(rng));
    sti_add_box(s, -hx, -0.015, 0, hx, 0.010, rim);
    sti_add_box(s, -hx, -0.015, h - rim, hx, 0.010, h);
    sti_add_box(s, -hx, -0.015, rim, -hx + rim, 0.010, h - rim);
    sti_add_box(s, hx - rim, -0.015, rim, hx, 0.010, h - rim);
    sti_paint(p, STI_WHITE);
    sti_add_box(s, -hx + rim, -0.002, rim, hx - rim, 0.010, h - rim);
    const double m = rim + 0.05;
    const int bands = 3 + (int)st_rng_below(rng, 3);
    for (int i = 0; i < bands; i++) {
        const sti_rgb band = sti_fabric(rng);
        sti_paint(p, sti_shade(band, st_rng_between(rng, 0.8, 1.6)));
        sti_add_box(s, -hx + m, -0.004, m + (h - 2 * m) * i / bands, hx - m, -0.002,
                    m + (h - 2 * m) * (i + 1) / bands);
    }
}

void sti_build_mirror(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.5, 0.75);
    const double h = sti_wished(wish->height_m, rng, 0.65, 0.9);
    const double rim = 0.025, hx = w / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.5 ? STI_STEEL : sti_wood(rng));
    sti_add_box(s, -hx, -0.012, 0, hx, 0.008, rim);
    sti_add_box(s, -hx, -0.012, h - rim, hx, 0.008, h);
    sti_add_box(s, -hx, -0.012, rim, -hx + rim, 0.008, h - rim);
    sti_add_box(s, hx - rim, -0.012, rim, hx, 0.008, h - rim);
    sti_paint(p, (sti_rgb){196, 210, 218});
    sti_add_box(s, -hx + rim, -0.004, rim, hx - rim, 0.008, h - rim);
}

void sti_build_whiteboard(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.2, 2.0);
    const double h = sti_wished(wish->height_m, rng, 0.9, 1.15);
    const double rim = 0.02, hx = w / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_STEEL);
    sti_add_box(s, -hx, -0.012, 0, hx, 0.012, rim);
    sti_add_box(s, -hx, -0.012, h - rim, hx, 0.012, h);
    sti_add_box(s, -hx, -0.012, rim, -hx + rim, 0.012, h - rim);
    sti_add_box(s, hx - rim, -0.012, rim, hx, 0.012, h - rim);
    sti_add_box(s, -0.35 * w, -0.06, 0, 0.35 * w, -0.012, 0.012);       /* pen tray */
    sti_paint(p, (sti_rgb){246, 247, 248});
    sti_add_box(s, -hx + rim, -0.006, rim, hx - rim, 0.012, h - rim);
    sti_paint(p, (sti_rgb){40, 70, 160});       /* some writing */
    for (int i = 0; i < 4; i++) {
        const double z = h * (0.8 - 0.14 * i), x1 = st_rng_between(rng, -0.1, 0.4) * w;
        sti_add_box(s, -0.42 * w, -0.008, z, x1, -0.006, z + 0.012);
    }
}

/* Ribs between two pipes, on brackets. */
void sti_build_radiator(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.8, 1.2);
    const double h = sti_wished(wish->height_m, rng, 0.5, 0.56);
    const int ribs = (int)(w / 0.06);
    sti_solid *s = &p->solid;
    sti_paint(p, STI_WHITE);
    for (int i = 0; i < ribs; i++) {
        const double x = -w / 2 + w * (i + 0.5) / ribs;
        sti_add_box(s, x - 0.018, -0.04, 0.0, x + 0.018, 0.04, h);
    }
    sti_add_box(s, -w / 2 + 0.01, -0.02, 0.04, w / 2 - 0.01, 0.02, 0.08);
    sti_add_box(s, -w / 2 + 0.01, -0.02, h - 0.08, w / 2 - 0.01, 0.02, h - 0.04);
}

/* A round wall clock at ten past ten. */
void sti_build_clock(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double r = sti_wished(wish->width_m, rng, 0.26, 0.34) / 2;
    sti_solid *s = &p->solid;
    const sti_pose upright = s->pose;
    s->pose = (sti_pose){.turn = {{1, 0, 0}, {0, 0, -1}, {0, 1, 0}}, .shift_m = {0, 0, r}};
    sti_paint(p, STI_BLACK);
    sti_add_turned(s, 0, 0, (const double[]){r, r, r - 0.02, r - 0.02, 0.0},
                   (const double[]){0, 0.035, 0.035, 0.025, 0.025}, 5, 36);
    sti_paint(p, STI_WHITE);
    sti_add_turned(s, 0, 0, (const double[]){r - 0.021, r - 0.021}, (const double[]){0.025, 0.027},
                   2, 36);
    sti_paint(p, STI_BLACK);
    for (int hand = 0; hand < 2; hand++) {
        const double turn = hand ? 0.5236 : 2.618, reach = (hand ? 0.72 : 0.5) * r;
        sti_add_rod(s, (const double[3]){0, 0, 0.029},
                    (const double[3]){reach * cos(turn), reach * sin(turn), 0.029}, 0.005, 4);
    }
    s->pose = upright;
}
