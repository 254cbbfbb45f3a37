/* pieces_clutter.c - small things that lie about and that no annotator has named. */
#include "datagen/synth/internal.h"

static void bottle(sti_piece *p, st_rng *rng)
{
    const double h = st_rng_between(rng, 0.20, 0.30), r = st_rng_between(rng, 0.03, 0.04);
    sti_add_turned(&p->solid, 0, 0, (const double[]){r, r, 0.35 * r, 0.35 * r},
                   (const double[]){0, 0.62 * h, 0.8 * h, h}, 4, 18);
}

static void ball(sti_piece *p, st_rng *rng)
{
    const double d = st_rng_between(rng, 0.12, 0.24);
    sti_add_cushion(&p->solid, -d / 2, -d / 2, 0, d / 2, d / 2, d, 2);
}

static void shoes(sti_piece *p, st_rng *rng)
{
    const double size = st_rng_between(rng, 0.25, 0.30);
    for (int side = -1; side <= 1; side += 2) {
        const double x = side * 0.07;
        sti_add_cushion(&p->solid, x - 0.045, -size / 2, 0, x + 0.045, size / 2, 0.07, 3);
        sti_add_cushion(&p->solid, x - 0.04, size / 2 - 0.11, 0.02, x + 0.04, size / 2, 0.11, 4);
    }
}

static void paper(sti_piece *p, st_rng *rng)
{
    const int sheets = 2 + (int)st_rng_below(rng, 4);
    for (int i = 0; i < sheets; i++) {
        const sti_pose flat = p->solid.pose;
        p->solid.pose = sti_pose_yaw(st_rng_between(rng, -0.3, 0.3), 0, 0, 0);
        sti_add_box(&p->solid, -0.105, -0.148, 0.008 * i, 0.105, 0.148, 0.008 * (i + 1));
        p->solid.pose = flat;
    }
}

void sti_build_clutter(sti_piece *p, st_rng *rng, const sti_wish *wish)
{
    (void)wish;
    sti_paint(p, sti_fabric(rng));
    switch (st_rng_below(rng, 4)) {
    case 0:
        bottle(p, rng);
        break;
    case 1:
        ball(p, rng);
        break;
    case 2:
        shoes(p, rng);
        break;
    default:
        sti_paint(p, STI_WHITE);
        paper(p, rng);
    }
}
