/* floor_plan.c - floor plans: rectangles cut into rooms, doors between them, windows.
 *
 * Rooms are cut out of one rectangle along the centre lines of their walls (a slice-and-dice
 * treemap of wanted areas), so they fill it and every inner wall has a room on both sides. All
 * areas follow in closed form.
 */
#include "datagen/synth/internal.h"

#include <math.h>
#include <string.h>

typedef struct kind_rule {
    const char *name;
    double      area_lo_m2, area_hi_m2, side_min_m;
} kind_rule;

static const kind_rule RULES[STI_ROOM_KINDS] = {
    [STI_LIVING] = {"living room", 18, 32, 3.5},
    [STI_BEDROOM] = {"bedroom", 11, 18, 2.9},
    [STI_BATHROOM] = {"bathroom", 5, 8.5, 1.95},
    [STI_KITCHEN] = {"kitchen", 9, 15, 2.5},
    [STI_OFFICE] = {"office", 10, 22, 2.8},
};

const char *sti_room_kind_name(sti_room_kind kind)
{
    return RULES[kind].name;
}

double sti_polygon_area(const double (*xy_m)[2], int count)
{
    double twice = 0.0;
    for (int i = 0; i < count; i++) {
        const double *a = xy_m[i], *b = xy_m[(i + 1) % count];
        twice += a[0] * b[1] - a[1] * b[0];
    }
    return 0.5 * twice;
}

bool sti_polygon_contains(const double (*xy_m)[2], int count, double x_m, double y_m)
{
    bool inside = false;
    for (int i = 0; i < count; i++) {
        const double *a = xy_m[i], *b = xy_m[(i + 1) % count];
        if ((a[1] > y_m) != (b[1] > y_m) &&
            x_m < a[0] + (b[0] - a[0]) * (y_m - a[1]) / (b[1] - a[1]))
            inside = !inside;
    }
    return inside;
}

/* --- cutting ---------------------------------------------------------------------------------- */

typedef struct cut {
    double lo[2], hi[2];            /* centre lines */
} cut;

/* Share a rectangle between rooms first .. last-1 in proportion to their wanted areas. */
static void slice(cut *cuts, const double *area_m2, int first, int last, cut whole)
{
    if (last - first == 1) {
        cuts[first] = whole;
        return;
    }
    double total = 0.0, part = 0.0;
    for (int i = first; i < last; i++)
        total += area_m2[i];
    int middle = first;
    while (middle < last - 1 && (middle == first || part + area_m2[middle] / 2 < total / 2))
        part += area_m2[middle++];
    const int axis = whole.hi[0] - whole.lo[0] >= whole.hi[1] - whole.lo[1] ? 0 : 1;
    cut low = whole, high = whole;
    low.hi[axis] = high.lo[axis] =
        whole.lo[axis] + (whole.hi[axis] - whole.lo[axis]) * part / total;
    slice(cuts, area_m2, first, middle, low);
    slice(cuts, area_m2, middle, last, high);
}

/* The corners of a room, counter-clockwise; `corner` 0..3 is the one that is notched, 4 none. */
static void outline_room(sti_room *room, int corner)
{
    const double *lo = room->lo_m, *hi = room->hi_m, *n = room->notch_m;
    const double c[4][2] = {{lo[0], lo[1]}, {hi[0], lo[1]}, {hi[0], hi[1]}, {lo[0], hi[1]}};
    int used = 0;
    for (int i = 0; i < 4; i++) {
        if (i != corner) {
            memcpy(room->corner_m[used++], c[i], sizeof c[i]);
            continue;
        }
        const double sx = c[i][0] == lo[0] ? 1.0 : -1.0, sy = c[i][1] == lo[1] ? 1.0 : -1.0;
        const double by_x[2] = {c[i][0] + sx * n[0], c[i][1]};
        const double by_y[2] = {c[i][0], c[i][1] + sy * n[1]};
        const double in[2] = {by_x[0], by_y[1]};
        /* Corners 0 and 2 are reached along y, corners 1 and 3 along x. */
        memcpy(room->corner_m[used++], i % 2 == 0 ? by_y : by_x, sizeof in);
        memcpy(room->corner_m[used++], in, sizeof in);
        memcpy(room->corner_m[used++], i % 2 == 0 ? by_x : by_y, sizeof in);
    }
    room->wall_count = used;
}

static void raise_walls(const sti_plan *plan, sti_room *room)
{
    for (int i = 0; i < room->wall_count; i++) {
        sti_wall *w = &room->wall[i];
        memset(w, 0, sizeof *w);
        memcpy(w->a_m, room->corner_m[i], sizeof w->a_m);
        memcpy(w->b_m, room->corner_m[(i + 1) % room->wall_count], sizeof w->b_m);
        w->length_m = hypot(w->b_m[0] - w->a_m[0], w->b_m[1] - w->a_m[1]);
        for (int k = 0; k < 2; k++)
            w->along[k] = (w->b_m[k] - w->a_m[k]) / w->length_m;
        w->inward[0] = -w->along[1];
        w->inward[1] = w->along[0];
        /* Outer: on the outline of the house, or beside the corner that was left out. */
        const int axis = fabs(w->inward[0]) > 0.5 ? 0 : 1;
        const double at = w->a_m[axis], half = plan->wall_m / 2;
        const bool edge = fabs(at - half) < 1e-9 || fabs(at - (plan->size_m[axis] - half)) < 1e-9;
        const bool notch = room->wall_count == 6 && fabs(at - room->lo_m[axis]) > 1e-9 &&
                           fabs(at - room->hi_m[axis]) > 1e-9;
        w->outer = edge || notch;
    }
}

static const sti_room_kind ORDER[] = {STI_LIVING, STI_BEDROOM, STI_BATHROOM, STI_KITCHEN,
                                      STI_OFFICE, STI_BEDROOM};

static void draw_kinds(sti_plan *plan, st_rng *rng)
{
    if (plan->room_count == 1) {
        static const sti_room_kind single[] = {STI_LIVING, STI_BEDROOM, STI_BEDROOM, STI_BATHROOM,
                                               STI_KITCHEN, STI_OFFICE, STI_OFFICE};
        plan->room[0].kind = single[st_rng_below(rng, sizeof single / sizeof single[0])];
        return;
    }
    /* The living room is the hub; the others follow in a drawn order. */
    sti_room_kind rest[STI_ROOMS_MAX];
    memcpy(rest, ORDER, sizeof ORDER);
    st_rng_shuffle(rng, rest + 1, STI_ROOMS_MAX - 1, sizeof rest[0]);
    for (int i = 0; i < plan->room_count; i++)
        plan->room[i].kind = rest[i];
}

static bool cut_rooms(sti_plan *plan, st_rng *rng)
{
    double area_m2[STI_ROOMS_MAX], total = 0.0;
    for (int i = 0; i < plan->room_count; i++) {
        const kind_rule *rule = &RULES[plan->room[i].kind];
        area_m2[i] = st_rng_between(rng, rule->area_lo_m2, rule->area_hi_m2);
        total += area_m2[i];
    }
    const double aspect = st_rng_between(rng, 1.0, 1.45);
    plan->size_m[0] = round(100.0 * sqrt(total * aspect)) / 100.0 + plan->wall_m;
    plan->size_m[1] = round(100.0 * sqrt(total / aspect)) / 100.0 + plan->wall_m;
    if (st_rng_unit(rng) < 0.5) {
        const double swap = plan->size_m[0];
        plan->size_m[0] = plan->size_m[1];
        plan->size_m[1] = swap;
    }
    cut cuts[STI_ROOMS_MAX];
    slice(cuts, area_m2, 0, plan->room_count, (cut){{0, 0}, {plan->size_m[0], plan->size_m[1]}});
    for (int i = 0; i < plan->room_count; i++) {
        sti_room *room = &plan->room[i];
        for (int k = 0; k < 2; k++) {
            room->lo_m[k] = cuts[i].lo[k] + plan->wall_m / 2;
            room->hi_m[k] = cuts[i].hi[k] - plan->wall_m / 2;
            room->notch_m[k] = 0.0;
            if (room->hi_m[k] - room->lo_m[k] < RULES[room->kind].side_min_m)
                return false;
        }
    }
    return true;
}

/* Leave a corner of the house out of a roomy room. */
static void notch_rooms(sti_plan *plan, st_rng *rng)
{
    plan->area_m2 = (plan->size_m[0] - plan->wall_m) * (plan->size_m[1] - plan->wall_m);
    const bool wanted = st_rng_unit(rng) < 0.4;
    const int corner = (int)st_rng_below(rng, 4);
    for (int i = 0; i < plan->room_count; i++) {
        sti_room *room = &plan->room[i];
        const double half = plan->wall_m / 2;
        const bool right = corner == 1 || corner == 2, top = corner >= 2;
        const double x = right ? room->hi_m[0] : room->lo_m[0];
        const double y = top ? room->hi_m[1] : room->lo_m[1];
        const bool mine = fabs(x - (right ? plan->size_m[0] - half : half)) < 1e-9 &&
                          fabs(y - (top ? plan->size_m[1] - half : half)) < 1e-9;
        const bool roomy = room->hi_m[0] - room->lo_m[0] > 3.6 &&
                           room->hi_m[1] - room->lo_m[1] > 3.6;
        const bool cut_here = wanted && mine && roomy;
        for (int k = 0; k < 2 && cut_here; k++)
            room->notch_m[k] =
                round((room->hi_m[k] - room->lo_m[k]) * st_rng_between(rng, 22, 35)) / 100.0;
        outline_room(room, cut_here ? corner : 4);
        plan->area_m2 -= room->notch_m[0] * room->notch_m[1];
    }
    for (int i = 0; i < plan->room_count; i++)
        raise_walls(plan, &plan->room[i]);
}

/* --- openings --------------------------------------------------------------------------------- */

static bool stretch_free(const sti_wall *w, double lo_m, double hi_m)
{
    if (lo_m < 0.12 || hi_m > w->length_m - 0.12)
        return false;
    for (int i = 0; i < w->opening_count; i++)
        if (lo_m < w->opening[i].hi_m + 0.15 && hi_m > w->opening[i].lo_m - 0.15)
            return false;
    return w->opening_count < STI_OPENINGS_MAX;
}

static void open_wall(sti_wall *w, double lo_m, double hi_m, double bottom_m, double top_m,
                      bool window, bool through)
{
    w->opening[w->opening_count++] = (sti_opening){lo_m, hi_m, bottom_m, top_m, window, through};
}

/* The stretch of wall that two rooms share, along the axis it runs. */
static bool shared_wall(const sti_plan *plan, int i, int j, int *axis, double *lo, double *hi)
{
    for (int k = 0; k < 2; k++) {
        const sti_room *a = &plan->room[i], *b = &plan->room[j];
        const bool touch = fabs(a->hi_m[k] + plan->wall_m - b->lo_m[k]) < 1e-9 ||
                           fabs(b->hi_m[k] + plan->wall_m - a->lo_m[k]) < 1e-9;
        const double from = fmax(a->lo_m[1 - k], b->lo_m[1 - k]);
        const double to = fmin(a->hi_m[1 - k], b->hi_m[1 - k]);
        if (touch && to - from > 1.3) {
            *axis = 1 - k;
            *lo = from;
            *hi = to;
            return true;
        }
    }
    return false;
}

/* The wall of a room that holds the point, seen from inside, and how far along it that is. */
static int wall_at(const sti_plan *plan, const sti_room *room, const double p[2], double *at_m)
{
    for (int i = 0; i < room->wall_count; i++) {
        const sti_wall *w = &room->wall[i];
        const double dx = p[0] - w->a_m[0], dy = p[1] - w->a_m[1];
        const double t = dx * w->along[0] + dy * w->along[1];
        const double off = dx * w->inward[0] + dy * w->inward[1];
        if (fabs(off) < plan->wall_m && t > 0.0 && t < w->length_m) {
            *at_m = t;
            return i;
        }
    }
    return -1;
}

static const double DOOR_TOP_M = 2.04;

static bool join_rooms(sti_plan *plan, st_rng *rng, int i, int j)
{
    int axis;
    double lo, hi;
    if (!shared_wall(plan, i, j, &axis, &lo, &hi))
        return false;
    const double width = st_rng_between(rng, 0.84, 0.92);
    const double middle = st_rng_between(rng, lo + width / 2 + 0.15, hi - width / 2 - 0.15);
    const sti_room *a = &plan->room[i], *b = &plan->room[j];
    double center[2];
    center[axis] = middle;
    const int across = 1 - axis;
    center[across] = a->hi_m[across] < b->lo_m[across]
                         ? (a->hi_m[across] + b->lo_m[across]) / 2
                         : (b->hi_m[across] + a->lo_m[across]) / 2;
    double at[2];
    int    wall[2];
    for (int side = 0; side < 2; side++) {
        const sti_room *room = &plan->room[side ? j : i];
        wall[side] = wall_at(plan, room, center, &at[side]);
        if (wall[side] < 0 || !stretch_free(&room->wall[wall[side]], at[side] - width / 2,
                                            at[side] + width / 2))
            return false;
    }
    for (int side = 0; side < 2; side++)
        open_wall(&plan->room[side ? j : i].wall[wall[side]], at[side] - width / 2,
                  at[side] + width / 2, 0.0, DOOR_TOP_M, false, true);
    const sti_wall *w = &plan->room[i].wall[wall[0]];
    plan->door[plan->door_count++] = (sti_door){.room = {i, j}, .wall = {wall[0], wall[1]},
                                                .center_m = {center[0], center[1]},
                                                .along = {w->along[0], w->along[1]},
                                                .width_m = width};
    return true;
}

/* Doors until every room can be reached from room 0, then now and then one more. */
static bool draw_doors(sti_plan *plan, st_rng *rng)
{
    bool reached[STI_ROOMS_MAX] = {true};
    for (int left = plan->room_count - 1; left > 0;) {
        bool found = false;
        for (int attempt = 0; attempt < 60 && !found; attempt++) {
            const int i = (int)st_rng_below(rng, (uint64_t)plan->room_count);
            const int j = (int)st_rng_below(rng, (uint64_t)plan->room_count);
            /* Nobody walks through a bathroom to get to another room. */
            if (!reached[i] || reached[j] || plan->room[i].kind == STI_BATHROOM)
                continue;
            found = join_rooms(plan, rng, i, j);
            if (found)
                reached[j] = true;
        }
        if (!found)
            return false;
        left--;
    }
    const bool loop = st_rng_unit(rng) < 0.3;
    for (int i = 1; loop && i + 1 < plan->room_count; i++)
        if (plan->room[i].kind != STI_BATHROOM && plan->room[i + 1].kind != STI_BATHROOM) {
            join_rooms(plan, rng, i, i + 1);
            break;
        }
    /* The way out. */
    for (int attempt = 0; attempt < 60; attempt++) {
        sti_room *room = &plan->room[0];
        const int k = (int)st_rng_below(rng, (uint64_t)room->wall_count);
        sti_wall *w = &room->wall[k];
        const double width = st_rng_between(rng, 0.86, 0.94);
        const double at =
            st_rng_between(rng, width / 2 + 0.15, fmax(w->length_m - width / 2 - 0.15, 1.0));
        if (!w->outer || !stretch_free(w, at - width / 2, at + width / 2))
            continue;
        open_wall(w, at - width / 2, at + width / 2, 0.0, DOOR_TOP_M, false, false);
        plan->door[plan->door_count++] = (sti_door){
            .room = {0, -1}, .wall = {k, -1}, .width_m = width,
            .center_m = {w->a_m[0] + at * w->along[0] - plan->wall_m / 2 * w->inward[0],
                         w->a_m[1] + at * w->along[1] - plan->wall_m / 2 * w->inward[1]},
            .along = {w->along[0], w->along[1]}};
        return true;
    }
    return false;
}

static void draw_windows(sti_plan *plan, st_rng *rng)
{
    for (int r = 0; r < plan->room_count; r++) {
        sti_room *room = &plan->room[r];
        const bool small = room->kind == STI_BATHROOM;
        int wanted = small ? (int)st_rng_below(rng, 2) : 1 + (int)st_rng_below(rng, 2);
        for (int attempt = 0; attempt < 40 && wanted > 0; attempt++) {
            sti_wall *w = &room->wall[st_rng_below(rng, (uint64_t)room->wall_count)];
            const double width = small ? 0.6 : st_rng_between(rng, 0.95, 1.7);
            const double at = st_rng_between(rng, 0.0, w->length_m);
            /* Above the worktop in a kitchen, out of sight in a bathroom. */
            const double sill = small ? 1.35 : room->kind == STI_KITCHEN
                                                   ? 1.05
                                                   : st_rng_between(rng, 0.82, 0.95);
            const double top = small ? 1.95 : st_rng_between(rng, 2.05, 2.2);
            if (!w->outer || !stretch_free(w, at - width / 2 - 0.2, at + width / 2 + 0.2))
                continue;
            open_wall(w, at - width / 2, at + width / 2, sill, top, true, false);
            wanted--;
        }
    }
}

st_status sti_plan_draw(sti_plan *plan, uint64_t key, int room_count)
{
    ST_ASSERT(room_count >= 1 && room_count <= STI_ROOMS_MAX);
    for (int attempt = 0; attempt < 1000; attempt++) {
        st_rng rng = st_rng_from(st_hash_int(st_hash_text(key, "plan"), attempt));
        memset(plan, 0, sizeof *plan);
        plan->room_count = room_count;
        plan->wall_m = 0.12;
        plan->height_m = round(st_rng_between(&rng, 245, 275)) / 100.0;
        draw_kinds(plan, &rng);
        if (!cut_rooms(plan, &rng))
            continue;
        notch_rooms(plan, &rng);
        if (!draw_doors(plan, &rng))
            continue;
        draw_windows(plan, &rng);
        return st_ok();
    }
    return ST_FAIL(ST_ERR_DATA, "no plan with %d rooms in 1000 draws", room_count);
}
