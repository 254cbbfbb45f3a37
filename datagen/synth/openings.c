/* openings.c - doors, open or shut, windows, and what belongs to them: placed before anything else.
 */
#include "datagen/synth/internal.h"

#include <math.h>

/* The leaf stands open into a room when there is a side where it hits nothing. */
static bool open_leaf(sti_layout *l, const sti_door *door, int side, double hinge)
{
    const sti_wall *w = &l->plan->room[door->room[side]].wall[door->wall[side]];
    const double t = (door->center_m[0] - w->a_m[0]) * w->along[0] +
                     (door->center_m[1] - w->a_m[1]) * w->along[1];
    sti_piece *leaf = sti_layout_make(l, "door", (sti_wish){.width_m = door->width_m - 0.04});
    if (!leaf)
        return false;
    const double swing = st_rng_between(&l->rng, -0.20, 0.05) * hinge;
    const double c = cos(swing), s = sin(swing);
    const double dir[2] = {c * w->inward[0] - s * w->inward[1],
                           s * w->inward[0] + c * w->inward[1]};
    const double at = t + hinge * (door->width_m / 2), reach = 0.05 + leaf->half_m[0];
    const sti_rect rect = {w->a_m[0] + at * w->along[0] + reach * dir[0],
                           w->a_m[1] + at * w->along[1] + reach * dir[1], leaf->half_m[0],
                           leaf->half_m[1], atan2(dir[1], dir[0])};
    for (int i = 0; i < 4; i++) {
        double p[2];
        sti_rect_point(p, &rect, (i & 1 ? 1 : -1) * rect.half_w_m,
                       (i & 2 ? 1 : -1) * rect.half_d_m);
        const sti_room *room = &l->plan->room[door->room[side]];
        if (!sti_polygon_contains(room->corner_m, room->wall_count, p[0], p[1]))
            return false;
    }
    for (size_t i = 0; i < l->item_count; i++)
        if (l->item[i].room == door->room[side] && sti_rect_overlap(&rect, &l->item[i].rect))
            return false;
    for (size_t i = 0; i < l->zone_count; i++)
        if (l->zone[i].room == door->room[side] && sti_rect_overlap(&rect, &l->zone[i].rect))
            return false;
    return sti_place_sure(l, &(sti_item){.piece = leaf, .rect = rect, .top_m = leaf->height_m,
                                         .room = door->room[side],
                                         .support = ST_SYNTH_IN_OPENING,
                                         .support_index = door->wall[side]}) >= 0;
}

static void close_leaf(sti_layout *l, const sti_door *door)
{
    const sti_wall *w = &l->plan->room[door->room[0]].wall[door->wall[0]];
    sti_piece *leaf = sti_layout_make(
        l, "door", (sti_wish){.width_m = door->width_m - 0.02, .style = true});
    if (!leaf)
        return;
    const double in = l->plan->wall_m / 2 + leaf->half_m[1] - STI_RECESS_M;
    sti_place_sure(l, &(sti_item){.piece = leaf,
                                  .rect = {door->center_m[0] + in * w->inward[0],
                                           door->center_m[1] + in * w->inward[1],
                                           leaf->half_m[0], leaf->half_m[1],
                                           atan2(-w->along[1], -w->along[0])},
                                  .top_m = leaf->height_m, .room = door->room[0],
                                  .support = ST_SYNTH_IN_OPENING,
                                  .support_index = door->wall[0]});
}

static void passage(sti_layout *l, const sti_door *door, int side, double depth_m)
{
    const sti_wall *w = &l->plan->room[door->room[side]].wall[door->wall[side]];
    const double t = (door->center_m[0] - w->a_m[0]) * w->along[0] +
                     (door->center_m[1] - w->a_m[1]) * w->along[1];
    l->room = door->room[side];
    sti_zone_add(l, (sti_rect){w->a_m[0] + t * w->along[0] + depth_m / 2 * w->inward[0],
                               w->a_m[1] + t * w->along[1] + depth_m / 2 * w->inward[1],
                               door->width_m / 2 + 0.10, depth_m / 2,
                               atan2(w->along[1], w->along[0])}, true, -1);
}

static void dress_window(sti_layout *l, int wall_index, const sti_opening *o)
{
    const sti_wall *w = &l->plan->room[l->room].wall[wall_index];
    const double width = o->hi_m - o->lo_m, at = (o->lo_m + o->hi_m) / 2;
    sti_piece *frame = sti_layout_make(
        l, "window", (sti_wish){.width_m = width, .height_m = o->top_m - o->bottom_m});
    if (!frame)
        return;
    const double back = frame->half_m[1] - STI_RECESS_M;
    sti_place_sure(l, &(sti_item){.piece = frame,
                                  .rect = {w->a_m[0] + at * w->along[0] + back * w->inward[0],
                                           w->a_m[1] + at * w->along[1] + back * w->inward[1],
                                           frame->half_m[0], frame->half_m[1],
                                           atan2(-w->along[1], -w->along[0])},
                                  .z_m = o->bottom_m, .top_m = o->bottom_m + frame->height_m,
                                  .room = l->room, .support = ST_SYNTH_IN_OPENING,
                                  .support_index = wall_index});
    const sti_room_kind kind = l->plan->room[l->room].kind;
    if (kind != STI_BATHROOM && kind != STI_KITCHEN && st_rng_unit(&l->rng) < 0.6) {
        const sti_wish size = {.width_m = st_rng_between(&l->rng, 0.30, 0.45),
                               .height_m = o->top_m + 0.1};
        const st_rng stream = l->rng;
        for (int side = -1; side <= 1; side += 2) {
            l->rng = stream;        /* both from the same draws: a pair */
            sti_piece *cloth = sti_layout_make(l, "curtain", size);
            if (!cloth)
                return;
            const double t =
                side < 0 ? o->lo_m - cloth->half_m[0] - 0.07 : o->hi_m + cloth->half_m[0] + 0.07;
            if (t - cloth->half_m[0] > 0.02 && t + cloth->half_m[0] < w->length_m - 0.02)
                sti_place_wall(l, cloth, (sti_spot){.wall = wall_index + 1, .at_m = t, .z_m = 0.05,
                                                    .gap_m = 0.04});
        }
    }
    if (o->bottom_m > 0.8 && st_rng_unit(&l->rng) < 0.6)
        sti_place_wall(l,
                       sti_layout_make(l, "radiator",
                                       (sti_wish){.width_m = fmax(0.5, width * 0.8)}),
                       (sti_spot){.wall = wall_index + 1, .at_m = at, .z_m = 0.12,
                                  .gap_m = 0.03});
}

void sti_furnish_openings(sti_layout *l)
{
    const sti_plan *plan = l->plan;
    for (int i = 0; i < plan->door_count; i++) {
        const sti_door *door = &plan->door[i];
        l->rng = st_rng_from(st_hash_int(st_hash_text(l->key, "door"), i));
        if (door->room[1] < 0) {
            close_leaf(l, door);
        } else {
            const int first = st_rng_unit(&l->rng) < 0.5;
            bool done = st_rng_unit(&l->rng) < 0.15;        /* some doorways have no door */
            for (int k = 0; k < 4 && !done; k++)
                done = open_leaf(l, door, k / 2 ? 1 - first : first, k % 2 ? 1.0 : -1.0);
        }
        passage(l, door, 0, door->width_m + 0.15);
        if (door->room[1] >= 0)
            passage(l, door, 1, door->width_m + 0.15);
    }
    for (int r = 0; r < plan->room_count; r++) {
        l->room = r;
        l->rng = st_rng_from(st_hash_int(st_hash_text(l->key, "window"), r));
        for (int i = 0; i < plan->room[r].wall_count; i++)
            for (int k = 0; k < plan->room[r].wall[i].opening_count; k++)
                if (plan->room[r].wall[i].opening[k].window)
                    dress_window(l, i, &plan->room[r].wall[i].opening[k]);
    }
}
