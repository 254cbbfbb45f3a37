/* pieces_devices.c - screens and what is plugged in beside them. */
#include "datagen/synth/internal.h"

#include <math.h>

/* A flat screen of w by h in the xz plane, its face at y = -0.02, its lower edge at z. */
static void screen(sti_piece *p, double w, double z, double h)
{
    sti_solid *s = &p->solid;
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2, -0.02, z, w / 2, 0.015, z + h);
    sti_add_box(s, -w / 4, 0.015, z + 0.15 * h, w / 4, 0.045, z + 0.75 * h);
    sti_paint(p, (sti_rgb){58, 70, 88});
    sti_add_box(s, -w / 2 + 0.012, -0.024, z + 0.018, w / 2 - 0.012, -0.02, z + h - 0.012);
}

/* On a stand, or flat for the wall in the second style. */
void sti_build_tv(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.95, 1.35), h = 0.57 * w;
    screen(p, w, wish->style ? 0.0 : 0.06, h);
    if (wish->style)
        return;
    sti_paint(p, STI_BLACK);
    for (int side = -1; side <= 1; side += 2) {
        sti_add_box(&p->solid, side * 0.33 * w - 0.02, -0.13, 0, side * 0.33 * w + 0.02, 0.13,
                    0.02);
        sti_add_box(&p->solid, side * 0.33 * w - 0.015, -0.015, 0.02, side * 0.33 * w + 0.015,
                    0.015, 0.06);
    }
}

void sti_build_monitor(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.50, 0.62), h = 0.58 * w;
    screen(p, w, 0.11, h);
    sti_paint(p, STI_GREY);
    sti_add_box(&p->solid, -0.025, 0.016, 0.015, 0.025, 0.06, 0.11 + 0.5 * h);
    sti_add_box(&p->solid, -0.12, -0.08, 0, 0.12, 0.10, 0.015);
}

void sti_build_keyboard(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.42, 0.45), d = 0.15;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2, -d / 2, 0, w / 2, d / 2, 0.018);
    sti_paint(p, STI_GREY);
    for (int row = 0; row < 5; row++) {         /* rows of keys, the last one with a space bar */
        const double y = d / 2 - 0.025 - 0.026 * row;
        const int keys = row == 4 ? 5 : 14;
        for (int i = 0; i < keys; i++) {
            const double a = -w / 2 + 0.012 + (w - 0.024) * i / keys;
            sti_add_box(s, a + 0.002, y - 0.010, 0.018, a + (w - 0.024) / keys - 0.002, y + 0.010,
                        0.026);
        }
    }
}

void sti_build_mouse(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double d = sti_wished(wish->depth_m, rng, 0.10, 0.12);
    sti_paint(p, STI_BLACK);
    sti_add_cushion(&p->solid, -0.031, -d / 2, 0, 0.031, d / 2, 0.038, 2.6);
    sti_paint(p, STI_GREY);
    sti_add_box(&p->solid, -0.005, -d / 2 + 0.018, 0.026, 0.005, -d / 2 + 0.035, 0.038);
}

void sti_build_laptop(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.32, 0.36), d = 0.23, hy = d / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_STEEL);
    sti_add_box(s, -w / 2, -hy, 0, w / 2, hy, 0.016);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2 + 0.02, -hy + 0.10, 0.016, w / 2 - 0.02, hy - 0.02, 0.018);
    sti_add_box(s, -0.05, -hy + 0.02, 0.016, 0.05, -hy + 0.085, 0.017);
    s->pose = sti_pose_lean(0.28, hy, 0.016);   /* the lid opens a little past upright */
    sti_paint(p, STI_STEEL);
    sti_add_box(s, -w / 2, hy - 0.008, 0.016, w / 2, hy, 0.016 + d);
    sti_paint(p, (sti_rgb){58, 70, 88});
    sti_add_box(s, -w / 2 + 0.012, hy - 0.010, 0.03, w / 2 - 0.012, hy - 0.008, d);
    s->pose = sti_pose_none();
}

void sti_build_computer_tower(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = 0.19, d = sti_wished(wish->depth_m, rng, 0.42, 0.48), y = -d / 2;
    const double h = sti_wished(wish->height_m, rng, 0.40, 0.46);
    sti_solid *s = &p->solid;
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2, y + 0.015, 0.01, w / 2, d / 2, h);
    sti_add_box(s, -w / 2 + 0.02, y + 0.03, 0, w / 2 - 0.02, d / 2 - 0.02, 0.01);
    sti_paint(p, STI_GREY);
    sti_add_box(s, -w / 2 + 0.01, y, 0.02, w / 2 - 0.01, y + 0.015, h - 0.01);
    sti_paint(p, STI_STEEL);
    sti_add_box(s, -0.07, y - 0.004, h - 0.09, 0.07, y, h - 0.05);
    sti_add_box(s, -0.07, y - 0.004, h - 0.15, 0.07, y, h - 0.11);
    sti_add_box(s, -0.012, y - 0.006, h - 0.22, 0.012, y, h - 0.196);
}

void sti_build_printer(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.42, 0.48);
    const double d = st_rng_between(rng, 0.36, 0.42);
    const double h = sti_wished(wish->height_m, rng, 0.22, 0.30), y = -d / 2;
    sti_solid *s = &p->solid;
    sti_paint(p, sti_shade(STI_WHITE, 0.9));
    sti_add_box(s, -w / 2, y + 0.06, 0, w / 2, d / 2, h - 0.05);
    sti_add_box(s, -w / 2 + 0.01, y + 0.10, h - 0.05, w / 2 - 0.01, d / 2 - 0.02, h);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -w / 2 + 0.04, y + 0.055, 0.07, w / 2 - 0.04, y + 0.06, 0.13);
    sti_add_box(s, w / 2 - 0.14, y + 0.052, h - 0.10, w / 2 - 0.03, y + 0.06, h - 0.06);
    sti_paint(p, STI_GREY);                     /* the tray that catches the paper */
    sti_add_box(s, -w / 2 + 0.06, y - 0.02, 0.06, w / 2 - 0.06, y + 0.06, 0.07);
}

void sti_build_telephone(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.20, 0.23), d = 0.20, h = 0.06;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_BLACK);
    const double side[4][2] = {{-d / 2, 0}, {d / 2, 0}, {d / 2, h}, {-d / 2, 0.02}};
    const sti_pose upright = s->pose;
    /* A wedge: a prism over its side view, stood up along x. */
    s->pose = (sti_pose){.turn = {{0, 0, 1}, {1, 0, 0}, {0, 1, 0}}, .shift_m = {-w / 2, 0, 0}};
    sti_add_prism(s, side, 4, 0, w);
    s->pose = upright;
    sti_paint(p, STI_GREY);
    s->pose = sti_pose_lean(-0.2, -d / 2, 0.02);
    for (int i = 0; i < 12; i++) {
        const double x = 0.005 + 0.028 * (i % 3), y = -d / 2 + 0.035 + 0.03 * (double)(i / 3);
        sti_add_box(s, x, y, 0.018, x + 0.018, y + 0.018, 0.026);
    }
    s->pose = upright;
    sti_paint(p, sti_shade(STI_BLACK, 1.5));    /* the handset lies on the left */
    sti_add_box(s, -w / 2 + 0.015, -d / 2 + 0.02, 0.052, -w / 2 + 0.06, d / 2 - 0.02, 0.075);
    sti_add_cushion(s, -w / 2 + 0.01, -d / 2 + 0.01, 0.026, -w / 2 + 0.065, -d / 2 + 0.07, 0.075,
                    5);
    sti_add_cushion(s, -w / 2 + 0.01, d / 2 - 0.07, 0.04, -w / 2 + 0.065, d / 2 - 0.01, 0.078, 5);
}

/* A table lamp; the second style stands on the floor. */
void sti_build_lamp(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double table = st_rng_between(rng, 0.42, 0.56), tall = st_rng_between(rng, 1.45, 1.65);
    const double h = wish->height_m > 0.0 ? wish->height_m : wish->style ? tall : table;
    const double r = wish->style ? 0.19 : 0.14, foot = wish->style ? 0.14 : 0.08;
    const double shade_h = wish->style ? 0.26 : 0.20, low = h - shade_h;
    sti_solid *s = &p->solid;
    sti_paint(p, st_rng_unit(rng) < 0.5 ? STI_STEEL : sti_wood(rng));
    if (wish->style)
        sti_add_turned(s, 0, 0, (const double[]){foot, foot, 0.015, 0.012, 0.012},
                       (const double[]){0, 0.02, 0.04, 0.3, low + 0.05}, 5, 20);
    else
        sti_add_turned(s, 0, 0, (const double[]){foot, foot, 0.03, 0.06, 0.05, 0.012, 0.012},
                       (const double[]){0, 0.015, 0.03, 0.4 * low, 0.7 * low, 0.85 * low,
                                        low + 0.04}, 7, 20);
    sti_paint(p, (sti_rgb){238, 224, 190});
    /* The shade is open: up its outside, over the rim, down its inside, and back to the start. */
    sti_add_turned(s, 0, 0, (const double[]){r - 0.004, r, 0.62 * r, 0.62 * r - 0.004, r - 0.004},
                   (const double[]){low, low, h, h, low + 0.001}, 5, 28);
}

/* A standing fan: square foot, pole, a cage with three blades. */
void sti_build_fan(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double h = sti_wished(wish->height_m, rng, 1.05, 1.3), r = 0.2, hub = h - r;
    sti_solid *s = &p->solid;
    sti_paint(p, STI_WHITE);
    sti_add_box(s, -0.21, -0.17, 0, 0.21, 0.17, 0.02);
    sti_add_turned(s, 0, 0, (const double[]){0.03, 0.015, 0.015}, (const double[]){0.02, 0.1, hub},
                   3, 24);
    const sti_pose upright = s->pose;
    s->pose = (sti_pose){.turn = {{1, 0, 0}, {0, 0, -1}, {0, 1, 0}}, .shift_m = {0, -0.02, hub}};
    sti_add_turned(s, 0, 0, (const double[]){0.05, 0.06, 0.05}, (const double[]){-0.06, 0, 0.08}, 3,
                   20);
    sti_paint(p, STI_GREY);
    for (int ring = 0; ring < 3; ring++)
        sti_add_turned(s, 0, 0,
                       (const double[]){r - 0.05 * ring - 0.006, r - 0.05 * ring,
                                        r - 0.05 * ring - 0.006},
                       (const double[]){0.10, 0.106, 0.112}, 3, 32);
    for (int i = 0; i < 12; i++) {
        const double turn = 6.283185307179586 * i / 12;
        sti_add_rod(s, (const double[3]){0, 0, 0.11},
                    (const double[3]){r * cos(turn), r * sin(turn), 0.106}, 0.003, 4);
    }
    sti_paint(p, STI_GLASS);
    for (int i = 0; i < 3; i++) {
        const double a = 6.283185307179586 * i / 3, b = a + 0.9, q = r - 0.03;
        const double blade[3][2] = {{0.0, 0.0}, {q * cos(a), q * sin(a)}, {q * cos(b), q * sin(b)}};
        sti_add_prism(s, blade, 3, 0.085, 0.092);
    }
    s->pose = upright;
}
