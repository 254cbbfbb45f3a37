/* piece.c - what all builders of pieces share. */
#include "datagen/synth/internal.h"

#include <math.h>

const sti_rgb STI_WHITE = {232, 232, 228}, STI_STEEL = {150, 153, 158}, STI_BLACK = {36, 36, 40},
              STI_GREY = {120, 122, 126}, STI_GLASS = {150, 180, 200};

void sti_paint(sti_piece *p, sti_rgb rgb)
{
    p->solid.rgb = rgb;
}

void sti_surface_add(sti_piece *p, double x0, double y0, double x1, double y1, double z_m,
                     double above_m)
{
    ST_ASSERT(p->surface_count < STI_SURFACES_MAX);
    p->surface[p->surface_count++] =
        (sti_surface){.lo_m = {x0, y0}, .hi_m = {x1, y1}, .z_m = z_m, .above_m = above_m};
}

double sti_wished(double wish_m, st_rng *rng, double low_m, double high_m)
{
    const double drawn = st_rng_between(rng, low_m, high_m);    /* drawn always: wishes of one
                                                                   measure leave the others be */
    return wish_m > 0.0 ? wish_m : drawn;
}

static uint8_t channel(double x)
{
    return (uint8_t)(x < 0.0 ? 0.0 : x > 255.0 ? 255.0 : x + 0.5);
}

sti_rgb sti_shade(sti_rgb rgb, double factor)
{
    return (sti_rgb){channel(rgb.r * factor), channel(rgb.g * factor), channel(rgb.b * factor)};
}

static sti_rgb pick(st_rng *rng, const sti_rgb *palette, size_t count)
{
    const sti_rgb rgb = palette[st_rng_below(rng, count)];
    return sti_shade(rgb, st_rng_between(rng, 0.9, 1.08));
}

sti_rgb sti_wood(st_rng *rng)
{
    static const sti_rgb palette[] = {{176, 128, 82}, {140, 96, 60},  {205, 170, 125},
                                      {96, 66, 45},   {222, 214, 200}, {120, 84, 58}};
    return pick(rng, palette, sizeof palette / sizeof palette[0]);
}

sti_rgb sti_fabric(st_rng *rng)
{
    static const sti_rgb palette[] = {{88, 98, 120},  {140, 60, 56},   {96, 120, 92},
                                      {170, 160, 146}, {60, 64, 72},   {190, 150, 90},
                                      {74, 110, 140},  {150, 120, 140}};
    return pick(rng, palette, sizeof palette / sizeof palette[0]);
}

void sti_piece_settle(sti_piece *p)
{
    sti_solid *s = &p->solid;
    double lo[3] = {INFINITY, INFINITY, INFINITY}, hi[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < s->vertex_count; i++)
        for (int k = 0; k < 3; k++) {
            lo[k] = fmin(lo[k], s->vertex_m[i][k]);
            hi[k] = fmax(hi[k], s->vertex_m[i][k]);
        }
    const double shift[3] = {-(lo[0] + hi[0]) / 2, -(lo[1] + hi[1]) / 2, -lo[2]};
    for (size_t i = 0; i < s->vertex_count; i++)
        for (int k = 0; k < 3; k++)
            s->vertex_m[i][k] += shift[k];
    /* A round or ragged thing may have a smaller box that is turned, and sticks out of the straight
     * one at its corners: places are judged by both, so that boxes of neighbours never meet. */
    st_obb box;
    double corner[8][3];
    sti_box_sweep(&box, (const double (*)[3])s->vertex_m, s->vertex_count, 0.0);
    st_obb_corners(corner, &box);
    for (int k = 0; k < 2; k++) {
        p->half_m[k] = hi[k] + shift[k];
        for (int i = 0; i < 8; i++)
            p->half_m[k] = fmax(p->half_m[k], fabs(corner[i][k]));
    }
    p->height_m = hi[2] + shift[2];
    for (int i = 0; i < p->surface_count; i++) {
        for (int k = 0; k < 2; k++) {
            p->surface[i].lo_m[k] += shift[k];
            p->surface[i].hi_m[k] += shift[k];
        }
        p->surface[i].z_m += shift[2];
    }
}

st_status sti_piece_make(sti_piece **piece, st_arena *arena, const sti_class *class, st_rng *rng,
                         const sti_wish *wish)
{
    static const sti_wish none;
    sti_piece *p;
    ST_ASSERT(class && class->build);
    ST_TRY(ST_ALLOC(arena, &p, 1));
    p->class = class;
    sti_solid_init(&p->solid, arena);
    class->build(p, rng, wish ? wish : &none);
    ST_TRY(st_within(sti_solid_check(&p->solid), "%s", class->name));
    sti_piece_settle(p);
    *piece = p;
    return st_ok();
}
