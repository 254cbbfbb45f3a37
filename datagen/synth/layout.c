/* layout.c - finding places: rectangles that do not meet, walls, tops, and ways to walk.
 *
 * Everything is judged by turned rectangles with a height: conservative for round things, and the
 * reason why boxes of placed pieces never meet except where one stands on the other.
 */
#include "datagen/synth/furniture.h"

#include <math.h>

static const double TOUCH_M = 1e-6;     /* contact is not collision */

/* --- rectangles ------------------------------------------------------------------------------- */

void sti_rect_point(double out_m[2], const sti_rect *r, double x_m, double y_m)
{
    const double c = cos(r->yaw_rad), s = sin(r->yaw_rad);
    out_m[0] = r->x_m + c * x_m - s * y_m;
    out_m[1] = r->y_m + s * x_m + c * y_m;
}

/* Do the shadows of both rectangles on the axes of `a` meet? */
static bool meet_on_axes(const sti_rect *a, const sti_rect *b)
{
    const double c = cos(b->yaw_rad - a->yaw_rad), s = sin(b->yaw_rad - a->yaw_rad);
    const double ca = cos(a->yaw_rad), sa = sin(a->yaw_rad);
    const double dx = b->x_m - a->x_m, dy = b->y_m - a->y_m;
    const double u = fabs(ca * dx + sa * dy), v = fabs(-sa * dx + ca * dy);
    const double reach_u = fabs(c) * b->half_w_m + fabs(s) * b->half_d_m;
    const double reach_v = fabs(s) * b->half_w_m + fabs(c) * b->half_d_m;
    return u < a->half_w_m + reach_u - TOUCH_M && v < a->half_d_m + reach_v - TOUCH_M;
}

bool sti_rect_overlap(const sti_rect *a, const sti_rect *b)
{
    return meet_on_axes(a, b) && meet_on_axes(b, a);
}

static double rect_distance(const sti_rect *r, double x_m, double y_m)
{
    const double c = cos(r->yaw_rad), s = sin(r->yaw_rad);
    const double dx = x_m - r->x_m, dy = y_m - r->y_m;
    const double u = fmax(fabs(c * dx + s * dy) - r->half_w_m, 0.0);
    const double v = fmax(fabs(-s * dx + c * dy) - r->half_d_m, 0.0);
    return hypot(u, v);
}

static sti_rect piece_rect(const sti_piece *p, double x_m, double y_m, double yaw_rad)
{
    return (sti_rect){x_m, y_m, p->half_m[0], p->half_m[1], yaw_rad};
}

/* All corners inside, and no corner of the room inside the rectangle: enough for rectilinear
 * rooms, whose only inward corner is the notch. */
static bool rect_in_room(const sti_room *room, const sti_rect *r)
{
    for (int i = 0; i < 4; i++) {
        double p[2];
        sti_rect_point(p, r, (i & 1 ? 1 : -1) * (r->half_w_m - TOUCH_M),
                       (i & 2 ? 1 : -1) * (r->half_d_m - TOUCH_M));
        if (!sti_polygon_contains(room->corner_m, room->wall_count, p[0], p[1]))
            return false;
    }
    const sti_rect in = {r->x_m, r->y_m, r->half_w_m - TOUCH_M, r->half_d_m - TOUCH_M, r->yaw_rad};
    for (int i = 0; i < room->wall_count; i++)
        if (!(rect_distance(&in, room->corner_m[i][0], room->corner_m[i][1]) > 0.0))
            return false;
    return true;
}

/* --- what is in the way ----------------------------------------------------------------------- */

/* `above` and everything below it carry the thing that is asked about: not in its way. */
static bool carries(const sti_layout *l, int above, int candidate)
{
    while (above >= 0) {
        if (above == candidate)
            return true;
        const sti_item *item = &l->item[above];
        above = item->support == ST_SYNTH_ON_OBJECT ? item->support_index : -1;
    }
    return false;
}

static bool spot_free(const sti_layout *l, const sti_rect *rect, double z_m, double top_m,
                      double gap_m, int parent)
{
    const sti_rect grown = {rect->x_m, rect->y_m, rect->half_w_m + gap_m, rect->half_d_m + gap_m,
                            rect->yaw_rad};
    for (size_t i = 0; i < l->item_count; i++) {
        const sti_item *item = &l->item[i];
        if (item->room != l->room || carries(l, parent, (int)i))
            continue;
        if (z_m < item->top_m - TOUCH_M && top_m > item->z_m + TOUCH_M &&
            sti_rect_overlap(&grown, &item->rect))
            return false;
    }
    /* Passages stay free up to the height of a door, other zones up to the hip. */
    for (size_t i = 0; i < l->zone_count; i++) {
        const sti_zone *zone = &l->zone[i];
        const double height = zone->door ? 2.0 : 0.9;
        const bool guest = zone->owner >= 0 && zone->owner == l->host;
        if (zone->room == l->room && parent < 0 && z_m < height && !guest &&
            sti_rect_overlap(rect, &zone->rect))
            return false;
    }
    return true;
}

static bool zone_free(const sti_layout *l, const sti_rect *rect)
{
    const sti_room *room = &l->plan->room[l->room];
    if (!rect_in_room(room, rect))
        return false;
    for (size_t i = 0; i < l->item_count; i++)
        if (l->item[i].room == l->room && l->item[i].z_m < 1.0 &&
            sti_rect_overlap(rect, &l->item[i].rect))
            return false;
    return true;
}

/* --- walking ---------------------------------------------------------------------------------- */

enum { WALK_CELLS_MAX = 96 };
static const double WALK_CELL_M = 0.10, WALK_RADIUS_M = 0.25;

typedef struct walk_grid {
    uint8_t cell[WALK_CELLS_MAX][WALK_CELLS_MAX];   /* 0 blocked, 1 free, 2 reached */
    int     nx, ny;
    double  x0, y0;
} walk_grid;

static void block_item(walk_grid *g, const sti_rect *r)
{
    const double reach = hypot(r->half_w_m, r->half_d_m) + WALK_RADIUS_M;
    const double c = cos(r->yaw_rad), s = sin(r->yaw_rad);
    const int i0 = (int)fmax(0.0, (r->x_m - reach - g->x0) / WALK_CELL_M);
    const int j0 = (int)fmax(0.0, (r->y_m - reach - g->y0) / WALK_CELL_M);
    for (int j = j0; j < g->ny && g->y0 + WALK_CELL_M * j < r->y_m + reach; j++)
        for (int i = i0; i < g->nx && g->x0 + WALK_CELL_M * i < r->x_m + reach; i++) {
            const double dx = g->x0 + WALK_CELL_M * (i + 0.5) - r->x_m;
            const double dy = g->y0 + WALK_CELL_M * (j + 0.5) - r->y_m;
            const double u = fmax(fabs(c * dx + s * dy) - r->half_w_m, 0.0);
            const double v = fmax(fabs(-s * dx + c * dy) - r->half_d_m, 0.0);
            if (u * u + v * v < WALK_RADIUS_M * WALK_RADIUS_M)
                g->cell[j][i] = 0;
        }
}

static void block_cells(walk_grid *g, const sti_layout *l, int room_index)
{
    const sti_room *room = &l->plan->room[room_index];
    g->x0 = room->lo_m[0];
    g->y0 = room->lo_m[1];
    g->nx = (int)((room->hi_m[0] - room->lo_m[0]) / WALK_CELL_M);
    g->ny = (int)((room->hi_m[1] - room->lo_m[1]) / WALK_CELL_M);
    ST_ASSERT(g->nx <= WALK_CELLS_MAX && g->ny <= WALK_CELLS_MAX);
    for (int j = 0; j < g->ny; j++)
        for (int i = 0; i < g->nx; i++) {
            const double x = g->x0 + WALK_CELL_M * (i + 0.5), y = g->y0 + WALK_CELL_M * (j + 0.5);
            bool free = true;
            for (int k = 0; k < 4 && free; k++)
                free = sti_polygon_contains(room->corner_m, room->wall_count,
                                            x + (k & 1 ? WALK_RADIUS_M : -WALK_RADIUS_M),
                                            y + (k & 2 ? WALK_RADIUS_M : -WALK_RADIUS_M));
            g->cell[j][i] = free;
        }
    for (size_t k = 0; k < l->item_count; k++)
        if (l->item[k].room == room_index && l->item[k].z_m < 1.6 && l->item[k].top_m > 0.05)
            block_item(g, &l->item[k].rect);
}

static void flood(walk_grid *g, int i, int j)
{
    /* A stack of cells; each is pushed once. */
    static _Thread_local int16_t stack[WALK_CELLS_MAX * WALK_CELLS_MAX][2];
    int depth = 0;
    g->cell[j][i] = 2;
    stack[depth][0] = (int16_t)i;
    stack[depth++][1] = (int16_t)j;
    while (depth > 0) {
        depth--;
        const int ci = stack[depth][0], cj = stack[depth][1];
        static const int step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
        for (int k = 0; k < 4; k++) {
            const int ni = ci + step[k][0], nj = cj + step[k][1];
            if (ni < 0 || nj < 0 || ni >= g->nx || nj >= g->ny || g->cell[nj][ni] != 1)
                continue;
            g->cell[nj][ni] = 2;
            stack[depth][0] = (int16_t)ni;
            stack[depth++][1] = (int16_t)nj;
        }
    }
}

/* A free cell (any, or a reached one) within reach of a rectangle's middle. */
static bool find_cell(const walk_grid *g, const sti_rect *near, bool reached, int *ci, int *cj)
{
    for (int j = 0; j < g->ny; j++)
        for (int i = 0; i < g->nx; i++) {
            const double x = g->x0 + WALK_CELL_M * (i + 0.5), y = g->y0 + WALK_CELL_M * (j + 0.5);
            if (g->cell[j][i] < (reached ? 2 : 1) || rect_distance(near, x, y) > 0.0)
                continue;
            *ci = i;
            *cj = j;
            return true;
        }
    return false;
}

bool sti_room_walkable(const sti_layout *l, int room)
{
    walk_grid g;
    block_cells(&g, l, room);
    bool started = false;
    int ci, cj;
    for (size_t k = 0; k < l->zone_count; k++) {
        const sti_zone *zone = &l->zone[k];
        if (zone->room != room)
            continue;
        if (!find_cell(&g, &zone->rect, started, &ci, &cj))
            return false;
        if (!started)
            flood(&g, ci, cj);
        started = true;
    }
    return true;
}

/* --- placing ---------------------------------------------------------------------------------- */

void sti_zone_add(sti_layout *l, sti_rect rect, bool door, int owner)
{
    if (l->failure.code == ST_OK)
        l->failure = ST_GROW(l->arena, &l->zone, &l->zone_capacity, l->zone_count + 1);
    if (l->failure.code == ST_OK)
        l->zone[l->zone_count++] = (sti_zone){rect, l->room, door, owner};
}

int sti_place_sure(sti_layout *l, const sti_item *item)
{
    if (l->failure.code == ST_OK)
        l->failure = ST_GROW(l->arena, &l->item, &l->item_capacity, l->item_count + 1);
    if (l->failure.code != ST_OK)
        return -1;
    l->item[l->item_count] = *item;
    return (int)l->item_count++;
}

sti_piece *sti_layout_make(sti_layout *l, const char *class_name, sti_wish wish)
{
    if (l->failure.code != ST_OK)
        return NULL;
    sti_piece *piece = NULL;
    const sti_class *class = sti_class_find(class_name);
    if (l->furniture && st_rng_unit(&l->rng) < 0.6)
        piece = sti_furniture_pick(l->furniture, class, &wish, &l->rng);
    if (piece)
        return piece;
    l->failure = sti_piece_make(&piece, l->arena, class, &l->rng, &wish);
    return l->failure.code == ST_OK ? piece : NULL;
}

/* Take the item and its front zone back when they would cut the room in two. */
static int keep_if_walkable(sti_layout *l, int item, double front_m)
{
    if (item < 0)
        return -1;
    const sti_item *it = &l->item[item];
    const size_t zones = l->zone_count;
    if (front_m > 0.0) {
        const sti_rect *r = &it->rect;
        sti_rect zone = {0, 0, fmax(r->half_w_m, 0.2), front_m / 2, r->yaw_rad};
        double middle[2];
        sti_rect_point(middle, r, 0, -r->half_d_m - front_m / 2);
        zone.x_m = middle[0];
        zone.y_m = middle[1];
        sti_zone_add(l, zone, false, item);
    }
    if (l->failure.code == ST_OK && it->z_m < 1.6 && !sti_room_walkable(l, l->room)) {
        l->item_count--;
        l->zone_count = zones;
        return -1;
    }
    return item;
}

int sti_place_at(sti_layout *l, sti_piece *piece, double x_m, double y_m, double yaw_rad)
{
    if (!piece)
        return -1;
    const sti_rect rect = piece_rect(piece, x_m, y_m, yaw_rad);
    if (!rect_in_room(&l->plan->room[l->room], &rect) ||
        !spot_free(l, &rect, 0.0, piece->height_m, 0.02, -1))
        return -1;
    const int item = sti_place_sure(l, &(sti_item){.piece = piece, .rect = rect,
                                                   .top_m = piece->height_m, .room = l->room,
                                                   .support = ST_SYNTH_ON_FLOOR,
                                                   .support_index = -1});
    return keep_if_walkable(l, item, 0.0);
}

int sti_place_free(sti_layout *l, sti_piece *piece, double margin_m)
{
    if (!piece)
        return -1;
    const sti_room *room = &l->plan->room[l->room];
    for (int attempt = 0; attempt < 30; attempt++) {
        const double x =
            st_rng_between(&l->rng, room->lo_m[0] + margin_m, room->hi_m[0] - margin_m);
        const double y =
            st_rng_between(&l->rng, room->lo_m[1] + margin_m, room->hi_m[1] - margin_m);
        const double yaw = st_rng_between(&l->rng, -3.14159265358979, 3.14159265358979);
        const int item = sti_place_at(l, piece, x, y, yaw);
        if (item >= 0)
            return item;
    }
    return -1;
}

/* Doors, and windows that the piece would cover. */
static bool wall_stretch_free(const sti_wall *w, double lo_m, double hi_m, double z_m, double top_m)
{
    for (int i = 0; i < w->opening_count; i++) {
        const sti_opening *o = &w->opening[i];
        if (lo_m < o->hi_m + 0.06 && hi_m > o->lo_m - 0.06 && z_m < o->top_m + 0.04 &&
            top_m > o->bottom_m - 0.02)
            return false;
    }
    return true;
}

int sti_place_wall(sti_layout *l, sti_piece *piece, sti_spot spot)
{
    if (!piece)
        return -1;
    const sti_room *room = &l->plan->room[l->room];
    const double half = piece->half_m[0], gap = fmax(spot.gap_m, 0.005);
    const int tries = spot.wall && spot.at_m > 0.0 ? 1 : 40;
    for (int attempt = 0; attempt < tries; attempt++) {
        const int index = spot.wall ? spot.wall - 1
                                    : (int)st_rng_below(&l->rng, (uint64_t)room->wall_count);
        const sti_wall *w = &room->wall[index];
        const double lo = half + 0.01, hi = w->length_m - half - 0.01;
        if (hi < lo)
            continue;
        double t = st_rng_between(&l->rng, lo, hi);
        if (spot.corner && attempt < 20)
            t = attempt % 2 ? lo + 0.01 : hi - 0.01;
        if (tries == 1)
            t = fmin(fmax(spot.at_m, lo), hi);
        const double back = gap + piece->half_m[1];
        const sti_rect rect = piece_rect(
            piece, w->a_m[0] + t * w->along[0] + back * w->inward[0],
            w->a_m[1] + t * w->along[1] + back * w->inward[1], atan2(-w->along[1], -w->along[0]));
        const double top = spot.z_m + piece->height_m;
        if (top > l->plan->height_m - 0.03 || !rect_in_room(room, &rect) ||
            !wall_stretch_free(w, t - half, t + half, spot.z_m, top) ||
            !spot_free(l, &rect, spot.z_m, top, spot.z_m > 0.0 ? 0.03 : 0.02, -1))
            continue;
        if (spot.front_m > 0.0) {
            sti_rect front = {0, 0, fmax(half, 0.2), spot.front_m / 2, rect.yaw_rad};
            double middle[2];
            sti_rect_point(middle, &rect, 0, -rect.half_d_m - spot.front_m / 2);
            front.x_m = middle[0];
            front.y_m = middle[1];
            if (!zone_free(l, &front))
                continue;
        }
        const bool hangs = spot.z_m > 0.0;
        const int item = sti_place_sure(
            l, &(sti_item){.piece = piece, .rect = rect, .z_m = spot.z_m, .top_m = top,
                           .room = l->room, .support = hangs ? ST_SYNTH_ON_WALL : ST_SYNTH_ON_FLOOR,
                           .support_index = hangs ? index : -1});
        if (keep_if_walkable(l, item, spot.front_m) >= 0)
            return item;
        if (l->failure.code != ST_OK)
            return -1;
    }
    return -1;
}

int sti_place_on(sti_layout *l, int parent, int surface, sti_piece *piece, double u, double v,
                 double yaw_rad)
{
    if (!piece || parent < 0 || surface >= l->item[parent].piece->surface_count)
        return -1;
    const sti_item *below = &l->item[parent];
    const sti_surface *top = &below->piece->surface[surface];
    if (piece->height_m > top->above_m)
        return -1;
    const double c = fabs(cos(yaw_rad)), s = fabs(sin(yaw_rad));
    const double reach[2] = {c * piece->half_m[0] + s * piece->half_m[1],
                             s * piece->half_m[0] + c * piece->half_m[1]};
    double lo[2], hi[2];
    for (int k = 0; k < 2; k++) {
        lo[k] = top->lo_m[k] + reach[k];
        hi[k] = top->hi_m[k] - reach[k];
        if (hi[k] < lo[k] - TOUCH_M)
            return -1;
        hi[k] = fmax(hi[k], lo[k]);
    }
    const double wish[2] = {u, v};
    for (int attempt = 0; attempt < 20; attempt++) {
        double at[2], p[2];
        for (int k = 0; k < 2; k++) {
            const double drawn = st_rng_between(&l->rng, lo[k], hi[k]);
            at[k] = isnan(wish[k]) ? drawn : lo[k] + (hi[k] - lo[k]) * (wish[k] + 1.0) / 2.0;
        }
        sti_rect_point(p, &below->rect, at[0], at[1]);
        const sti_rect rect = piece_rect(piece, p[0], p[1], below->rect.yaw_rad + yaw_rad);
        const double z = below->z_m + top->z_m;
        if (rect_in_room(&l->plan->room[l->room], &rect) &&
            spot_free(l, &rect, z, z + piece->height_m, 0.01, parent))
            return sti_place_sure(
                l, &(sti_item){.piece = piece, .rect = rect, .z_m = z, .top_m = z + piece->height_m,
                               .room = l->room, .support = ST_SYNTH_ON_OBJECT,
                               .support_index = parent});
        if (!isnan(u) && !isnan(v))
            break;
    }
    return -1;
}
