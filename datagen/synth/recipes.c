/* recipes.c - which things belong into a room, and where people put them.
 *
 * A recipe asks for things from the most important to the least; what finds no place is left out.
 */
#include "datagen/synth/internal.h"

#include <math.h>

static const double QUARTER = 1.5707963267948966, HALF_TURN = 3.141592653589793;

static bool chance(sti_layout *l, double share)
{
    return st_rng_unit(&l->rng) < share;
}

static double between(sti_layout *l, double low, double high)
{
    return st_rng_between(&l->rng, low, high);
}

static const sti_wish ANY;

static int wall(sti_layout *l, const char *name, sti_wish wish, sti_spot spot)
{
    return sti_place_wall(l, sti_layout_make(l, name, wish), spot);
}

/* Draws in the arguments come before those of the piece: the order must not be the compiler's. */
static int put(sti_layout *l, int parent, int surface, const char *name, sti_wish wish, double u,
               double v, double yaw_rad)
{
    return parent < 0 ? -1
                      : sti_place_on(l, parent, surface, sti_layout_make(l, name, wish), u, v,
                                     yaw_rad);
}

static int on(sti_layout *l, int parent, int surface, const char *name, sti_wish wish)
{
    return put(l, parent, surface, name, wish, NAN, NAN, 0.0);
}

/* The wall that an item has its back to, and where along it. */
static int wall_behind(const sti_layout *l, int item, double *at_m)
{
    const sti_rect *r = &l->item[item].rect;
    const sti_room *room = &l->plan->room[l->room];
    const double front[2] = {sin(r->yaw_rad), -cos(r->yaw_rad)};
    int best = -1;
    double best_m = 1.0;
    for (int i = 0; i < room->wall_count; i++) {
        const sti_wall *w = &room->wall[i];
        const double dx = r->x_m - w->a_m[0], dy = r->y_m - w->a_m[1];
        const double t = dx * w->along[0] + dy * w->along[1];
        const double off = dx * w->inward[0] + dy * w->inward[1] - r->half_d_m;
        if (w->inward[0] * front[0] + w->inward[1] * front[1] > 0.999 && off > -0.01 &&
            off < best_m && t > 0.0 && t < w->length_m) {
            best = i;
            best_m = off;
            *at_m = t;
        }
    }
    return best;
}

/* Beside an item that stands at a wall: side +1 or -1 along the wall. */
static int beside(sti_layout *l, int item, int side, const char *name, sti_wish wish,
                  double gap_m, double front_m)
{
    double at;
    const int behind = item < 0 ? -1 : wall_behind(l, item, &at);
    sti_piece *piece = behind < 0 ? NULL : sti_layout_make(l, name, wish);
    if (!piece)
        return -1;
    at += side * (l->item[item].rect.half_w_m + gap_m + piece->half_m[0]);
    const double length = l->plan->room[l->room].wall[behind].length_m;
    if (at - piece->half_m[0] < 0.01 || at + piece->half_m[0] > length - 0.01)
        return -1;
    return sti_place_wall(l, piece, (sti_spot){.wall = behind + 1, .at_m = at, .front_m = front_m});
}

/* On the wall above an item. */
static int above(sti_layout *l, int item, double gap_m, const char *name, sti_wish wish)
{
    double at;
    const int behind = item < 0 ? -1 : wall_behind(l, item, &at);
    if (behind < 0)
        return -1;
    const double z = l->item[item].top_m + gap_m;
    return wall(l, name, wish, (sti_spot){.wall = behind + 1, .at_m = at, .z_m = z});
}

/* In front of an item, facing it. */
static int facing(sti_layout *l, int item, const char *name, sti_wish wish, double gap_m,
                  double jitter_rad)
{
    sti_piece *piece = item < 0 ? NULL : sti_layout_make(l, name, wish);
    if (!piece)
        return -1;
    const sti_rect *r = &l->item[item].rect;
    double p[2];
    sti_rect_point(p, r, 0, -(r->half_d_m + gap_m + piece->half_m[1]));
    l->host = item;
    const int placed = sti_place_at(l, piece, p[0], p[1],
                                    r->yaw_rad + HALF_TURN + between(l, -jitter_rad, jitter_rad));
    l->host = -1;
    return placed;
}

/* --- groups ----------------------------------------------------------------------------------- */

static void books_on_shelves(sti_layout *l, int shelf)
{
    if (shelf < 0)
        return;
    const sti_piece *p = l->item[shelf].piece;
    for (int i = 0; i < p->surface_count; i++) {
        if (chance(l, 0.2))
            continue;
        const double width =
            (p->surface[i].hi_m[0] - p->surface[i].lo_m[0]) * between(l, 0.5, 0.95);
        const double height = fmin(p->surface[i].above_m, 0.30) * between(l, 0.8, 0.98);
        const double depth = fmin(p->surface[i].hi_m[1] - p->surface[i].lo_m[1], 0.22);
        const sti_wish row = {.width_m = width, .depth_m = depth * 0.9, .height_m = height};
        put(l, shelf, i, "books", row, chance(l, 0.5) ? -0.9 : 0.9, 0.9, 0.0);
    }
}

/* A table in the open with chairs around it, each facing it. */
static void dining_group(sti_layout *l, const char *table_name, const char *seat_name, int seats)
{
    const bool round = chance(l, 0.35);
    const double w = round ? between(l, 0.95, 1.2) : seats > 4 ? between(l, 1.6, 1.85)
                                                              : between(l, 1.1, 1.4);
    sti_piece *table = sti_layout_make(l, table_name, (sti_wish){.width_m = w, .style = round});
    const sti_room *room = &l->plan->room[l->room];
    int item = -1;
    for (int attempt = 0; attempt < 40 && item < 0 && table; attempt++) {
        const double margin = 0.45 + table->half_m[1];
        const double x = between(l, room->lo_m[0] + margin, room->hi_m[0] - margin);
        const double y = between(l, room->lo_m[1] + margin, room->hi_m[1] - margin);
        item = sti_place_at(l, table, x, y, QUARTER * (double)st_rng_below(&l->rng, 2));
    }
    if (item < 0)
        return;
    const sti_rect r = l->item[item].rect;
    const st_rng stream = l->rng;
    for (int i = 0; i < seats; i++) {
        l->rng = stream;            /* seats of a table are a set: all from the same draws */
        sti_piece *chair = sti_layout_make(l, seat_name, ANY);
        l->rng.counter += 1000 + 100 * (uint64_t)i;
        if (!chair)
            return;
        const double jitter = between(l, -0.12, 0.12), gap = 0.06 + chair->half_m[1];
        /* Two on each long side, then the ends; around a round table a quarter turn each. */
        const int side = i % 2, end = i / 2;
        double x = 0.0, y = 0.0, turn = 0.0;
        if (round || seats <= 2 || (seats > 4 && end == 2)) {
            const bool across = round ? end == 0 : seats <= 2;
            x = across ? 0.0 : (side ? -1 : 1) * (r.half_w_m + gap);
            y = across ? (side ? 1 : -1) * (r.half_d_m + gap) : 0.0;
        } else {
            x = (end ? 1 : -1) * r.half_w_m * 0.48;
            y = (side ? 1 : -1) * (r.half_d_m + gap);
        }
        /* The seat's front, -Y of its frame, looks at the table. */
        turn = fabs(y) > 0.0 ? (y > 0.0 ? 0.0 : HALF_TURN) : (x > 0.0 ? -QUARTER : QUARTER);
        double p[2];
        sti_rect_point(p, &r, x, y);
        sti_place_at(l, chair, p[0], p[1], r.yaw_rad + turn + jitter);
    }
    if (chance(l, 0.3))
        on(l, item, 0, "plant", (sti_wish){.height_m = between(l, 0.25, 0.4)});
    if (chance(l, 0.3))
        on(l, item, 0, "laptop", ANY);
}

static void work_place(sti_layout *l, sti_spot spot)
{
    spot.front_m = 1.05;
    const int desk = wall(l, "desk", ANY, spot);
    if (desk < 0)
        return;
    if (facing(l, desk, chance(l, 0.7) ? "office chair" : "chair", ANY, 0.05, 0.25) < 0)
        facing(l, desk, "stool", ANY, 0.05, 0.0);
    if (chance(l, 0.75)) {
        const double u = between(l, -0.3, 0.3);
        put(l, desk, 0, "monitor", ANY, u, 0.9, 0.0);
        put(l, desk, 0, "keyboard", ANY, u, -0.6, 0.0);
        put(l, desk, 0, "mouse", ANY, u * 0.7 + 0.5, -0.55, 0.0);
        beside(l, desk, chance(l, 0.5) ? 1 : -1, "computer tower", ANY, 0.04, 0.0);
    } else {
        const double u = between(l, -0.3, 0.3);
        put(l, desk, 0, "laptop", ANY, u, -0.2, between(l, -0.2, 0.2));
    }
    if (chance(l, 0.5))
        on(l, desk, 0, "lamp", ANY);
    if (chance(l, 0.4))
        on(l, desk, 0, "telephone", ANY);
    if (chance(l, 0.3))
        on(l, desk, 0, "books", (sti_wish){.width_m = 0.2});
}

static void wall_things(sti_layout *l, double pictures, double clocks)
{
    for (int i = 0; i < 3; i++)
        if (chance(l, pictures))
            wall(l, "picture", ANY, (sti_spot){.z_m = between(l, 1.25, 1.5)});
    if (chance(l, clocks))
        wall(l, "clock", ANY, (sti_spot){.z_m = between(l, 1.75, 1.95)});
}

static void floor_things(sti_layout *l)
{
    static const struct {
        const char *name;
        double      share[STI_ROOM_KINDS];
    } things[] = {
        {"plant", {0.6, 0.3, 0.1, 0.2, 0.5}},       {"trash can", {0.2, 0.3, 0.6, 0.8, 0.9}},
        {"backpack", {0.2, 0.4, 0.0, 0.0, 0.5}},    {"suitcase", {0.05, 0.35, 0.0, 0.0, 0.1}},
        {"laundry hamper", {0.0, 0.4, 0.5, 0.0, 0.0}}, {"box", {0.15, 0.2, 0.0, 0.15, 0.45}},
        {"fan", {0.2, 0.2, 0.0, 0.0, 0.25}},        {"stool", {0.0, 0.1, 0.2, 0.2, 0.05}},
        {"bench", {0.1, 0.1, 0.0, 0.1, 0.1}},
    };
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
        if (chance(l, things[i].share[l->plan->room[l->room].kind]))
            wall(l, things[i].name, ANY, (sti_spot){.corner = chance(l, 0.6), .gap_m = 0.03});
}

/* --- rooms ------------------------------------------------------------------------------------ */

static double floor_area(const sti_layout *l)
{
    const sti_room *room = &l->plan->room[l->room];
    return sti_polygon_area(room->corner_m, room->wall_count);
}

static void bedroom(sti_layout *l)
{
    const bool wide = floor_area(l) > 12.0 && chance(l, 0.7);
    const sti_wish size = {.width_m = wide ? between(l, 1.5, 1.85) : between(l, 0.95, 1.2)};
    const int bed = wall(l, "bed", size, (sti_spot){.front_m = 0.55});
    if (bed >= 0) {
        for (int side = wide ? -1 : 1; side <= 1; side += 2) {
            const int stand = beside(l, bed, side, "nightstand", ANY, 0.04, 0.0);
            if (chance(l, 0.75))
                on(l, stand, 0, "lamp", ANY);
            else
                on(l, stand, 0, "books", (sti_wish){.width_m = 0.16, .height_m = 0.2});
            if (wide || chance(l, 0.5))
                put(l, bed, 0, "pillow", ANY, wide ? side * 0.9 : 0.0, 0.0,
                    between(l, -0.06, 0.06));
        }
        if (!wide)
            on(l, bed, 0, "pillow", ANY);
        if (chance(l, 0.25))
            on(l, bed, 1, "laptop", ANY);
    }
    wall(l, "wardrobe", ANY, (sti_spot){.front_m = 0.6, .corner = true});
    if (chance(l, 0.75)) {
        const int dresser = wall(l, "dresser", ANY, (sti_spot){.front_m = 0.55});
        if (chance(l, 0.4))
            on(l, dresser, 0, "tv", (sti_wish){.width_m = between(l, 0.7, 0.85)});
        else if (chance(l, 0.6))
            above(l, dresser, 0.12, "mirror", ANY);
        if (chance(l, 0.4))
            on(l, dresser, 0, "lamp", ANY);
    }
    if (chance(l, 0.4))
        work_place(l, (sti_spot){0});
    if (chance(l, 0.35))
        wall(l, "armchair", ANY, (sti_spot){.front_m = 0.4, .corner = true, .gap_m = 0.05});
    if (chance(l, 0.3))
        wall(l, "shelf", ANY, (sti_spot){.front_m = 0.4});
    floor_things(l);
    wall_things(l, 0.5, 0.15);
}

static void seating_group(sti_layout *l)
{
    const int stand = wall(l, "tv stand", ANY, (sti_spot){.front_m = 1.0});
    on(l, stand, 0, "tv", (sti_wish){.width_m = between(l, 0.95, 1.15)});
    int sofa = -1;
    for (int attempt = 0; attempt < 4 && sofa < 0 && stand >= 0; attempt++)
        sofa = facing(l, stand, "couch", ANY, between(l, 1.7, 2.9), 0.0);
    if (sofa < 0)
        sofa = wall(l, "couch", ANY, (sti_spot){.front_m = 1.2});
    if (sofa < 0)
        return;
    for (int i = 0; i < 2; i++)
        if (chance(l, 0.6))
            put(l, sofa, 0, "pillow", (sti_wish){.width_m = 0.42, .depth_m = 0.40, .style = true},
                i ? 0.95 : -0.95, 0.6, between(l, -0.2, 0.2));
    l->host = stand;                /* the low table may stand before the screen as well */
    const int low = facing(l, sofa, "coffee table", ANY, between(l, 0.36, 0.5), 0.0);
    if (low >= 0) {
        if (chance(l, 0.4))
            on(l, low, 0, "laptop", ANY);
        if (chance(l, 0.4))
            on(l, low, 0, "plant", (sti_wish){.height_m = between(l, 0.22, 0.35)});
        const sti_rect r = l->item[low].rect;
        for (int side = -1; side <= 1; side += 2) {
            if (!chance(l, 0.55))
                continue;
            sti_piece *seat = sti_layout_make(l, chance(l, 0.75) ? "armchair" : "ottoman", ANY);
            if (!seat)
                return;
            double p[2];
            sti_rect_point(p, &r, side * (r.half_w_m + 0.4 + seat->half_m[1]),
                           between(l, -0.2, 0.2));
            sti_place_at(l, seat, p[0], p[1], r.yaw_rad - side * QUARTER + between(l, -0.3, 0.3));
        }
    }
    double at;
    if (wall_behind(l, sofa, &at) >= 0 && chance(l, 0.6)) {
        const int side = chance(l, 0.5) ? 1 : -1;
        const sti_wish shape = {.style = chance(l, 0.4)};
        const int end = beside(l, sofa, side, "end table", shape, 0.06, 0.0);
        on(l, end, 0, "lamp", ANY);
    }
}

static void living_room(sti_layout *l)
{
    seating_group(l);
    for (int i = 0; i < 2; i++)
        if (chance(l, 0.6))
            books_on_shelves(l, wall(l, "bookshelf", ANY, (sti_spot){.front_m = 0.5}));
    if (floor_area(l) > 17.0 && chance(l, 0.75))
        dining_group(l, "dining table", "chair", chance(l, 0.3) ? 6 : 4);
    if (chance(l, 0.2))
        wall(l, "piano", ANY, (sti_spot){.front_m = 0.8});
    if (chance(l, 0.6))
        wall(l, "lamp", (sti_wish){.style = true}, (sti_spot){.corner = true, .gap_m = 0.05});
    if (chance(l, 0.45)) {
        const int cabinet = wall(l, "cabinet", ANY, (sti_spot){.front_m = 0.5});
        if (chance(l, 0.5))
            on(l, cabinet, 0, "plant", (sti_wish){.height_m = between(l, 0.3, 0.5)});
    }
    floor_things(l);
    wall_things(l, 0.65, 0.3);
}

/* Base units with a worktop, a sink in it, and what stands on it. */
static int worktop(sti_layout *l)
{
    int base = -1;
    double width = 0.0;
    for (int attempt = 0; attempt < 4 && base < 0; attempt++) {
        width = between(l, 1.3, 2.4) * (1.0 - 0.12 * attempt);
        base = wall(l, "kitchen cabinet", (sti_wish){.width_m = width},
                    (sti_spot){.front_m = 0.85, .corner = attempt % 2 == 0});
    }
    if (base < 0)
        return -1;
    sti_piece *sink = sti_layout_make(l, "sink", (sti_wish){.style = true});
    if (!sink)
        return -1;
    const double half = sink->half_m[0] - 0.03, limit = width / 2 - half - 0.12;
    const double middle = between(l, -limit, limit);
    sti_piece *top = sti_layout_make(l, "kitchen counter",
                                     (sti_wish){.width_m = width, .depth_m = 0.60,
                                                .cut_lo_m = middle - half,
                                                .cut_hi_m = middle + half});
    const int counter = sti_place_on(l, base, 0, top, 0, 0, 0.0);
    if (counter < 0)
        return base;
    sti_item hung = {.piece = sink, .rect = l->item[counter].rect, .room = l->room,
                     .z_m = l->item[counter].top_m - STI_SINK_DEPTH_M,
                     .support = ST_SYNTH_ON_OBJECT, .support_index = counter};
    hung.top_m = hung.z_m + sink->height_m;
    double at[2];
    sti_rect_point(at, &l->item[counter].rect, middle, 0.0);
    hung.rect = (sti_rect){at[0], at[1], sink->half_m[0], sink->half_m[1],
                           l->item[counter].rect.yaw_rad};
    sti_place_sure(l, &hung);
    const int first = chance(l, 0.5);
    if (chance(l, 0.8) && on(l, counter, first, "microwave", ANY) < 0)
        on(l, counter, 1 - first, "microwave", ANY);
    if (chance(l, 0.6) && on(l, counter, 1 - first, "coffee maker", ANY) < 0)
        on(l, counter, first, "coffee maker", ANY);
    if (chance(l, 0.8)) {
        double t;
        const int behind = wall_behind(l, base, &t);
        wall(l, "kitchen cabinet", (sti_wish){.width_m = width, .height_m = 0.65, .style = true},
             (sti_spot){.wall = behind + 1, .at_m = t, .z_m = 1.5});
    }
    return base;
}

static void kitchen(sti_layout *l)
{
    const int base = worktop(l);
    const int side = chance(l, 0.5) ? 1 : -1;
    if (beside(l, base, side, "stove", ANY, 0.01, 0.85) < 0)
        wall(l, "stove", ANY, (sti_spot){.front_m = 0.85, .corner = true});
    if (chance(l, 0.6))
        beside(l, base, -side, "dishwasher", ANY, 0.01, 0.85);
    if (wall(l, "refrigerator", ANY, (sti_spot){.front_m = 0.8, .corner = true, .gap_m = 0.02}) < 0)
        wall(l, "refrigerator", ANY, (sti_spot){.front_m = 0.55, .gap_m = 0.02});
    if (chance(l, 0.8)) {
        const char *table = chance(l, 0.5) ? "dining table" : "table";
        const char *seat = chance(l, 0.8) ? "chair" : "stool";
        dining_group(l, table, seat, chance(l, 0.5) ? 2 : 4);
    }
    if (chance(l, 0.3))
        wall(l, "cabinet", ANY, (sti_spot){.front_m = 0.5});
    floor_things(l);
    wall_things(l, 0.15, 0.6);
}

static void bathroom(sti_layout *l)
{
    const int tub = chance(l, 0.8) ? wall(l, "bathtub", ANY,
                                          (sti_spot){.front_m = 0.5, .corner = true}) : -1;
    wall(l, "toilet", ANY, (sti_spot){.front_m = 0.5, .gap_m = 0.01});
    const int sink = wall(l, "sink", ANY, (sti_spot){.front_m = 0.5, .gap_m = 0.005});
    above(l, sink, 0.14, "mirror", ANY);
    if (chance(l, 0.6)) {
        const int washer =
            wall(l, "washing machine", ANY, (sti_spot){.front_m = 0.5, .corner = true});
        if (chance(l, 0.3))
            on(l, washer, 0, "box", (sti_wish){.width_m = 0.3});
    }
    for (int i = 0; i < 2; i++)
        if (chance(l, 0.7))
            wall(l, "towel", ANY, (sti_spot){.z_m = between(l, 0.95, 1.1)});
    if (tub >= 0 && chance(l, 0.7))
        facing(l, tub, "mat", ANY, 0.04, 0.0);
    if (chance(l, 0.3))
        wall(l, "shelf", ANY, (sti_spot){.corner = true});
    floor_things(l);
    wall_things(l, 0.1, 0.05);
}

static void office(sti_layout *l)
{
    const int desks = 1 + (int)(floor_area(l) / 8.0);
    for (int i = 0; i < desks && i < 4; i++)
        work_place(l, (sti_spot){.corner = chance(l, 0.4)});
    if (chance(l, 0.7))
        wall(l, "whiteboard", ANY, (sti_spot){.z_m = between(l, 0.9, 1.0)});
    for (int i = 0; i < 2; i++)
        if (chance(l, 0.6))
            books_on_shelves(l, wall(l, "bookshelf", ANY, (sti_spot){.front_m = 0.45}));
    if (floor_area(l) > 15.0 && chance(l, 0.6))
        dining_group(l, "table", chance(l, 0.5) ? "chair" : "office chair", 4);
    if (chance(l, 0.7)) {
        const int files =
            wall(l, "file cabinet", (sti_wish){.height_m = chance(l, 0.6) ? 0.72 : 0.0},
                 (sti_spot){.front_m = 0.5});
        const int low = files < 0 || chance(l, 0.3)
                            ? wall(l, "cabinet", (sti_wish){.height_m = 0.78},
                                   (sti_spot){.front_m = 0.5})
                            : files;
        on(l, low, 0, "printer", ANY);
    }
    if (chance(l, 0.2))
        wall(l, "couch", (sti_wish){.width_m = 1.6}, (sti_spot){.front_m = 0.6});
    floor_things(l);
    wall_things(l, 0.3, 0.5);
}

void sti_furnish_room(sti_layout *l)
{
    static void (*const recipe[STI_ROOM_KINDS])(sti_layout *) = {
        [STI_LIVING] = living_room, [STI_BEDROOM] = bedroom, [STI_BATHROOM] = bathroom,
        [STI_KITCHEN] = kitchen,    [STI_OFFICE] = office,
    };
    recipe[l->plan->room[l->room].kind](l);
}

void sti_furnish_clutter(sti_layout *l, int per_room)
{
    const size_t before = l->item_count;
    for (int i = 0; i < per_room && l->failure.code == ST_OK; i++) {
        sti_piece *piece = sti_layout_make(l, "object", ANY);
        int placed = -1;
        if (chance(l, 0.6) && before > 0) {
            const size_t first = (size_t)st_rng_below(&l->rng, before);
            for (size_t k = 0; k < before && placed < 0; k++) {
                const size_t parent = (first + k) % before;
                if (l->item[parent].room == l->room && l->item[parent].piece->surface_count > 0)
                    placed = sti_place_on(l, (int)parent, 0, piece, NAN, NAN, between(l, -3, 3));
            }
        }
        if (placed < 0)
            placed = sti_place_free(l, piece, 0.1);
        if (placed >= 0)
            l->item[placed].clutter = true;
    }
}
