/* pieces_storage.c - what things are kept in. */
#include "datagen/synth/internal.h"

#include <math.h>

/* A body with fronts: `columns` by `rows` doors or drawers with handles, on short feet. */
static void chest(sti_piece *p, st_rng *rng, double w, double d, double h, int columns, int rows)
{
    const double hx = w / 2, hy = d / 2, foot = 0.06, front = 0.018;
    const sti_rgb wood = sti_wood(rng);
    sti_solid *s = &p->solid;
    sti_paint(p, sti_shade(wood, 0.8));
    sti_add_box(s, -hx + 0.03, -hy + 0.05, 0, hx - 0.03, hy - 0.02, foot);
    sti_paint(p, wood);
    sti_add_box(s, -hx, -hy + 2 * front, foot, hx, hy, h);
    for (int c = 0; c < columns; c++)
        for (int r = 0; r < rows; r++) {
            const double x0 = -hx + w * c / columns + 0.01, x1 = -hx + w * (c + 1) / columns - 0.01;
            const double z0 = foot + 0.01 + (h - foot - 0.04) * r / rows;
            const double z1 = foot - 0.005 + (h - foot - 0.04) * (r + 1) / rows;
            sti_paint(p, sti_shade(wood, 1.1));
            sti_add_box(s, x0, -hy + front, z0, x1, -hy + 2 * front, z1);
            sti_paint(p, STI_BLACK);
            sti_add_box(s, (x0 + x1) / 2 - 0.05, -hy, (z0 + z1) / 2 - 0.01, (x0 + x1) / 2 + 0.05,
                        -hy + front, (z0 + z1) / 2 + 0.01);
        }
    sti_surface_add(p, -hx + 0.02, -hy + 0.05, hx - 0.02, hy - 0.02, h, 1.4);
}

void sti_build_nightstand(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.40, 0.52);
    const double d = st_rng_between(rng, 0.36, 0.44);
    chest(p, rng, w, d, st_rng_between(rng, 0.46, 0.60), 1, 2);
}

void sti_build_dresser(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.9, 1.4), d = st_rng_between(rng, 0.44, 0.52);
    chest(p, rng, w, d, sti_wished(wish->height_m, rng, 0.78, 0.98), 2, 3);
}

void sti_build_cabinet(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.7, 1.1), d = st_rng_between(rng, 0.38, 0.45);
    chest(p, rng, w, d, sti_wished(wish->height_m, rng, 0.75, 1.25), 2, 1);
}

void sti_build_file_cabinet(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.40, 0.46), d = st_rng_between(rng, 0.5, 0.6);
    chest(p, rng, w, d, sti_wished(wish->height_m, rng, 0.70, 1.32), 1, 3);
}

void sti_build_tv_stand(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.2, 1.8), d = st_rng_between(rng, 0.38, 0.46);
    chest(p, rng, w, d, st_rng_between(rng, 0.45, 0.56), 3, 1);
}

/* Kitchen units: no top, the worktop lies on them; the second style hangs on the wall and is
 * closed all around. */
void sti_build_kitchen_cabinet(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.2, 2.4), hx = w / 2;
    const double d = wish->style ? 0.34 : 0.60, hy = d / 2, foot = wish->style ? 0.0 : 0.10;
    const double h = sti_wished(wish->height_m, rng, 0.84, 0.88);
    const int doors = (int)(w / 0.5 + 0.5) < 1 ? 1 : (int)(w / 0.5 + 0.5);
    const sti_rgb face = st_rng_unit(rng) < 0.5 ? STI_WHITE : sti_wood(rng);
    sti_solid *s = &p->solid;

    sti_paint(p, sti_shade(face, 0.9));
    if (foot > 0.0) {
        sti_add_box(s, -hx, -hy + 0.06, 0, hx, hy, foot);
        sti_add_tray(s, -hx, -hy + 0.03, foot, hx, hy, h, 0.018);
    } else {
        sti_add_box(s, -hx, -hy + 0.03, 0, hx, hy, h);
    }
    for (int i = 0; i < doors; i++) {
        const double x0 = -hx + w * i / doors + 0.004, x1 = -hx + w * (i + 1) / doors - 0.004;
        sti_paint(p, face);
        sti_add_box(s, x0, -hy + 0.012, foot + 0.005, x1, -hy + 0.03, h - 0.005);
        sti_paint(p, STI_STEEL);
        const double hz = wish->style ? 0.08 : h - 0.12;
        sti_add_box(s, (x0 + x1) / 2 - 0.07, -hy, hz - 0.008, (x0 + x1) / 2 + 0.07, -hy + 0.012,
                    hz + 0.008);
    }
    if (foot > 0.0)
        sti_surface_add(p, -hx, -hy, hx, hy, h, 0.1);
}

void sti_build_wardrobe(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 1.0, 1.8), d = st_rng_between(rng, 0.56, 0.62);
    const double h = sti_wished(wish->height_m, rng, 1.9, 2.15), hx = w / 2, hy = d / 2;
    const int doors = w > 1.35 ? 3 : 2;
    const sti_rgb wood = sti_wood(rng);
    sti_solid *s = &p->solid;
    sti_paint(p, sti_shade(wood, 0.85));
    sti_add_box(s, -hx + 0.02, -hy + 0.05, 0, hx - 0.02, hy, 0.07);
    sti_add_box(s, -hx - 0.01, -hy + 0.02, h - 0.05, hx + 0.01, hy, h);  /* cornice */
    sti_paint(p, wood);
    sti_add_box(s, -hx, -hy + 0.04, 0.07, hx, hy, h - 0.05);
    for (int i = 0; i < doors; i++) {
        const double x0 = -hx + w * i / doors + 0.006, x1 = -hx + w * (i + 1) / doors - 0.006;
        sti_paint(p, sti_shade(wood, 1.08));
        sti_add_box(s, x0, -hy + 0.02, 0.08, x1, -hy + 0.04, h - 0.06);
        sti_paint(p, STI_STEEL);
        const double kx = i % 2 == 0 ? x1 - 0.04 : x0 + 0.04;
        sti_add_box(s, kx - 0.01, -hy, 0.95, kx + 0.01, -hy + 0.02, 1.15);
    }
}

/* Shelves between two sides and a back; each shelf is a surface. */
static void rack(sti_piece *p, sti_rgb wood, double w, double d, double h, int shelves)
{
    const double hx = w / 2, hy = d / 2, plank = 0.022;
    sti_solid *s = &p->solid;
    sti_paint(p, wood);
    sti_add_box(s, -hx, -hy, 0, -hx + plank, hy, h);
    sti_add_box(s, hx - plank, -hy, 0, hx, hy, h);
    sti_add_box(s, -hx + plank, hy - 0.01, 0, hx - plank, hy, h);
    for (int i = 0; i <= shelves; i++) {
        const double z = i == shelves ? h - plank : 0.06 + (h - 0.06 - plank) * i / shelves;
        sti_add_box(s, -hx + plank, -hy, z, hx - plank, hy - 0.01, z + plank);
        if (i < shelves && p->surface_count < STI_SURFACES_MAX)
            sti_surface_add(p, -hx + plank + 0.005, -hy, hx - plank - 0.005, hy - 0.012,
                            z + plank, (h - 0.06 - plank) / shelves - plank - 0.01);
    }
}

void sti_build_bookshelf(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.75, 1.15);
    const double d = st_rng_between(rng, 0.28, 0.34);
    const double h = sti_wished(wish->height_m, rng, 1.7, 2.05);
    rack(p, sti_wood(rng), w, d, h, 5);
}

void sti_build_shelf(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.5, 0.8), d = st_rng_between(rng, 0.26, 0.32);
    rack(p, STI_WHITE, w, d, sti_wished(wish->height_m, rng, 0.8, 1.1), 3);
}

/* A row of upright books, no higher than height_m and no wider than width_m. */
void sti_build_books(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.25, 0.5);
    const double h = sti_wished(wish->height_m, rng, 0.22, 0.28);
    const double d = sti_wished(wish->depth_m, rng, 0.15, 0.2);
    double x = -w / 2;
    for (;;) {
        const double thick = st_rng_between(rng, 0.02, 0.045);
        if (x + thick > w / 2)
            break;
        const double tall = h * st_rng_between(rng, 0.75, 1.0);
        const double deep = d * st_rng_between(rng, 0.8, 1.0);
        const sti_rgb cover = sti_fabric(rng);
        sti_paint(p, sti_shade(cover, st_rng_between(rng, 0.8, 1.3)));
        sti_add_box(&p->solid, x + 0.001, d / 2 - deep, 0, x + thick - 0.001, d / 2, tall);
        x += thick;
    }
}

/* A carton with its flaps open to the sides. */
void sti_build_box(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.32, 0.5), d = st_rng_between(rng, 0.28, 0.4);
    const double h = sti_wished(wish->height_m, rng, 0.25, 0.4), hx = w / 2, hy = d / 2;
    const sti_rgb card = sti_shade((sti_rgb){186, 148, 104}, st_rng_between(rng, 0.9, 1.1));
    sti_solid *s = &p->solid;
    sti_paint(p, card);
    sti_add_tray(s, -hx, -hy, 0, hx, hy, h, 0.008);
    sti_paint(p, sti_shade(card, 1.08));
    for (int side = -1; side <= 1; side += 2) {
        const double a[3] = {side * hx, -hy, h}, b[3] = {side * (hx + 0.08), -hy, h + 0.06};
        const double out[3] = {b[0] - a[0], 0, b[2] - a[2]}, along[3] = {0, d, 0};
        sti_add_sheet(s, a, side > 0 ? out : along, side > 0 ? along : out);
        sti_add_sheet(s, a, side > 0 ? along : out, side > 0 ? out : along);
    }
}

void sti_build_suitcase(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.40, 0.48);
    const double d = st_rng_between(rng, 0.24, 0.28);
    const double h = sti_wished(wish->height_m, rng, 0.58, 0.70);
    const sti_rgb shell = sti_fabric(rng);
    sti_solid *s = &p->solid;
    sti_paint(p, STI_BLACK);
    for (int i = 0; i < 4; i++) {
        const double x = i & 1 ? w / 2 - 0.06 : -w / 2 + 0.06;
        const double y = i & 2 ? d / 2 - 0.05 : -d / 2 + 0.05;
        sti_add_turned(s, x, y, (const double[]){0.025, 0.025}, (const double[]){0, 0.05}, 2, 10);
    }
    sti_paint(p, shell);
    sti_add_cushion(s, -w / 2, -d / 2, 0.04, w / 2, d / 2, h, 9);
    sti_paint(p, sti_shade(shell, 0.75));
    for (int i = 1; i < 5; i++) {               /* ribs of the shell */
        const double x = -w / 2 + w * i / 5;
        sti_add_box(s, x - 0.008, -d / 2 - 0.006, 0.14, x + 0.008, -d / 2 + 0.01, h - 0.1);
    }
    sti_paint(p, STI_STEEL);
    for (int side = -1; side <= 1; side += 2)
        sti_add_rod(s, (const double[3]){side * 0.09, d / 2 - 0.05, h - 0.04},
                    (const double[3]){side * 0.09, d / 2 - 0.05, h + 0.30}, 0.008, 6);
    sti_paint(p, STI_BLACK);
    sti_add_box(s, -0.11, d / 2 - 0.065, h + 0.30, 0.11, d / 2 - 0.035, h + 0.33);
}

void sti_build_backpack(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double w = sti_wished(wish->width_m, rng, 0.30, 0.34);
    const double d = st_rng_between(rng, 0.20, 0.24);
    const double h = sti_wished(wish->height_m, rng, 0.44, 0.5), hy = d / 2;
    const sti_rgb cloth = sti_fabric(rng);
    sti_solid *s = &p->solid;
    sti_paint(p, cloth);
    sti_add_cushion(s, -w / 2, -hy + 0.05, 0, w / 2, hy, h, 4.5);
    sti_paint(p, sti_shade(cloth, 0.8));
    sti_add_cushion(s, -w / 2 + 0.04, -hy - 0.02, 0.04, w / 2 - 0.04, -hy + 0.12, h * 0.55, 4.5);
    sti_paint(p, STI_BLACK);
    for (int side = -1; side <= 1; side += 2) { /* shoulder straps, and the loop on top */
        const double x = side * 0.08;
        sti_add_rod(s, (const double[3]){x, hy - 0.02, h - 0.06},
                    (const double[3]){x, hy + 0.03, h * 0.55}, 0.014, 6);
        sti_add_rod(s, (const double[3]){x, hy + 0.03, h * 0.55},
                    (const double[3]){x * 1.4, hy - 0.01, 0.08}, 0.012, 6);
    }
    sti_add_rod(s, (const double[3]){-0.04, 0.03, h - 0.01},
                (const double[3]){0.04, 0.03, h - 0.01}, 0.012, 6);
}

void sti_build_hamper(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double r = sti_wished(wish->width_m, rng, 0.40, 0.46) / 2;
    const double h = sti_wished(wish->height_m, rng, 0.52, 0.65);
    const sti_rgb reed = sti_shade((sti_rgb){196, 172, 134}, st_rng_between(rng, 0.85, 1.1));
    sti_solid *s = &p->solid;
    sti_paint(p, reed);
    sti_add_turned(s, 0, 0, (const double[]){0.80 * r, r, 0.98 * r, 0.90 * r, 0.74 * r, 0.0},
                   (const double[]){0, 0.6 * h, h - 0.05, h - 0.07, 0.05, 0.05}, 6, 28);
    sti_paint(p, sti_shade(reed, 0.75));
    for (int i = 0; i < 3; i++) {               /* woven hoops */
        const double z = h * (0.2 + 0.3 * i), at = r * (0.83 + 0.2 * (z / h < 0.6 ? z / h : 0.6));
        sti_add_turned(s, 0, 0, (const double[]){at, at + 0.012, at},
                       (const double[]){z - 0.012, z, z + 0.012}, 3, 28);
    }
    sti_paint(p, STI_WHITE);                    /* the washing in it */
    sti_add_cushion(s, -0.7 * r, -0.7 * r, h - 0.20, 0.7 * r, 0.7 * r, h - 0.01, 2.5);
}

void sti_build_trash_can(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    const double r = sti_wished(wish->width_m, rng, 0.24, 0.32) / 2;
    const double h = sti_wished(wish->height_m, rng, 0.30, 0.48);
    const sti_rgb tin = st_rng_unit(rng) < 0.5 ? STI_BLACK : STI_GREY;
    sti_paint(p, tin);
    /* An open cone: up the outside, over the rim, down the inside to the floor of the can. */
    sti_add_turned(&p->solid, 0, 0,
                   (const double[]){0.78 * r, 0.98 * r, r, r, 0.94 * r, 0.75 * r, 0.0},
                   (const double[]){0, h - 0.03, h - 0.02, h, h, 0.02, 0.02}, 7, 28);
}
