/* plan.c - laying a plan out: scale, colours, the order of drawing, and places for the names. */
#include "render/internal.h"

#include "kernels/base/limits.h"
#include "kernels/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double MARGIN_PX = 28.0, HEAD_PX = 64.0, FOOT_PX = 40.0;
static const sti_colour NOTHING = {0, 0, 0, 0};
static const sti_colour INK = {0.16, 0.17, 0.20, 1}, SOFT = {0.45, 0.47, 0.52, 1};
static const sti_colour FAINT = {0.89, 0.89, 0.87, 1}, PAPER = {0.985, 0.98, 0.965, 1};
static const sti_colour FLOOR = {1, 1, 1, 1}, WALL = {0.25, 0.27, 0.31, 1};
static const sti_colour INSIDE_WALL = {0.68, 0.70, 0.74, 1};    /* names stay readable on it */

/* From metres to the page. */
typedef struct view {
    double min_m[2], max_m[2], scale, x0_px, y0_px;
} view;

static double to_x(const view *v, double x_m)
{
    return v->x0_px + (x_m - v->min_m[0]) * v->scale;
}

static double to_y(const view *v, double y_m)
{
    return v->y0_px + (v->max_m[1] - y_m) * v->scale;
}

static sti_mark *add_mark(sti_sheet *sheet)
{
    ST_ASSERT(sheet->count < sheet->capacity);
    return &sheet->marks[sheet->count++];
}

static void add_words(sti_sheet *sheet, double x, double y, double size, const char *words,
                      sti_colour colour, int anchor, bool bold)
{
    sti_mark *m = add_mark(sheet);
    *m = (sti_mark){.kind = STI_MARK_WORDS, .x_px = x, .y_px = y, .size_px = size, .words = words,
                    .fill = colour, .bold = bold};
    m->anchor = anchor;
}

static st_status add_line(sti_sheet *sheet, st_arena *arena, double ax, double ay, double bx,
                          double by, sti_colour colour, double width)
{
    double (*xy)[2];
    ST_TRY(ST_ALLOC(arena, &xy, 2));
    xy[0][0] = ax, xy[0][1] = ay, xy[1][0] = bx, xy[1][1] = by;
    *add_mark(sheet) = (sti_mark){.kind = STI_MARK_LINE, .xy_px = (const double (*)[2])xy,
                                  .count = 2, .stroke = colour, .width_px = width};
    return st_ok();
}

/* Letters of a proportional face are about 0.54 of its size wide, capitals and m wider. */
double sti_words_width(const char *words, double size_px)
{
    double width = 0.0;
    for (const char *c = words; *c; c++)
        width += strchr("iljtfr.,:;'| ", *c) ? 0.32 : strchr("mwMW", *c) ? 0.85 : 0.57;
    return width * size_px;
}

/* The same name has the same soft colour: hue from a hash, lightness fixed. */
static void colour_of(const char *name, sti_colour *fill, sti_colour *stroke)
{
    const double hue = (double)(st_hash_text(11, name ? name : "") % 360) / 60.0;
    const double x = 1.0 - fabs(fmod(hue, 2.0) - 1.0);
    const double rgb[6][3] = {{1, x, 0}, {x, 1, 0}, {0, 1, x}, {0, x, 1}, {x, 0, 1}, {1, 0, x}};
    const double *c = rgb[(int)hue % 6];
    *fill = (sti_colour){0.74 + 0.22 * c[0], 0.74 + 0.22 * c[1], 0.74 + 0.22 * c[2], 0.88};
    *stroke = (sti_colour){0.25 + 0.35 * c[0], 0.25 + 0.35 * c[1], 0.25 + 0.35 * c[2], 1};
}

static st_status find_bounds(view *v, const st_plan *plan)
{
    for (int axis = 0; axis < 2; axis++) {
        v->min_m[axis] = INFINITY;
        v->max_m[axis] = -INFINITY;
    }
    for (size_t i = 0; i < plan->shape_count; i++)
        for (size_t k = 0; k < plan->shapes[i].count; k++)
            for (int axis = 0; axis < 2; axis++) {
                const double x = plan->shapes[i].xy_m[k][axis];
                if (!(fabs(x) <= ST_COORDINATE_M_MAX))
                    return ST_FAIL(ST_ERR_DATA, "shape %zu, point %zu: expected a coordinate "
                                   "within %g m, found %g", i, k, ST_COORDINATE_M_MAX, x);
                v->min_m[axis] = fmin(v->min_m[axis], x);
                v->max_m[axis] = fmax(v->max_m[axis], x);
            }
    if (!(v->min_m[0] <= v->max_m[0]))
        return ST_FAIL(ST_ERR_DATA, "a plan needs at least one shape");
    return st_ok();
}

static st_status add_grid(sti_sheet *sheet, st_arena *arena, const view *v)
{
    const double span_m = fmax(v->max_m[0] - v->min_m[0], v->max_m[1] - v->min_m[1]);
    const double step_m = span_m > 60 ? 10 : span_m > 25 ? 5 : 1;
    for (int axis = 0; axis < 2; axis++)
        for (double at = ceil(v->min_m[axis] / step_m) * step_m; at <= v->max_m[axis];
             at += step_m) {
            const double x = to_x(v, at), y = to_y(v, at);
            if (axis == 0)
                ST_TRY(add_line(sheet, arena, x, to_y(v, v->min_m[1]), x, to_y(v, v->max_m[1]),
                                FAINT, 1));
            else
                ST_TRY(add_line(sheet, arena, to_x(v, v->min_m[0]), y, to_x(v, v->max_m[0]), y,
                                FAINT, 1));
        }

    /* The scale bar: one step of the grid. */
    const double x = to_x(v, v->min_m[0]), y = sheet->height_px - FOOT_PX * 0.55;
    const char *words;
    ST_TRY(st_arena_printf(arena, &words, "%g m", step_m));
    ST_TRY(add_line(sheet, arena, x, y, x + step_m * v->scale, y, INK, 2));
    ST_TRY(add_line(sheet, arena, x, y - 4, x, y + 4, INK, 2));
    ST_TRY(add_line(sheet, arena, x + step_m * v->scale, y - 4, x + step_m * v->scale, y + 4,
                    INK, 2));
    add_words(sheet, x + step_m * v->scale + 8, y, 13, words, SOFT, STI_START, false);
    return st_ok();
}

static st_status add_polygon(sti_sheet *sheet, st_arena *arena, const view *v,
                             const st_plan_shape *const *rings, size_t ring_count, sti_mark look)
{
    size_t count = 0, *ends;
    ST_TRY(ST_ALLOC(arena, &ends, ring_count));
    for (size_t r = 0; r < ring_count; r++)
        ends[r] = count += rings[r]->count;
    double (*xy)[2];
    ST_TRY(ST_ALLOC(arena, &xy, count));
    size_t at = 0;
    for (size_t r = 0; r < ring_count; r++)
        for (size_t k = 0; k < rings[r]->count; k++, at++) {
            xy[at][0] = to_x(v, rings[r]->xy_m[k][0]);
            xy[at][1] = to_y(v, rings[r]->xy_m[k][1]);
        }
    look.xy_px = (const double (*)[2])xy;
    look.count = count;
    look.ring_ends = ends;
    look.ring_count = ring_count;
    *add_mark(sheet) = look;
    return st_ok();
}

/* Low things first; equal heights in the order given, so the drawing does not depend on qsort. */
static int by_height(const void *a, const void *b)
{
    const st_plan_shape *x = *(const st_plan_shape *const *)a;
    const st_plan_shape *y = *(const st_plan_shape *const *)b;
    return x->top_m != y->top_m ? (x->top_m > y->top_m) - (x->top_m < y->top_m) : (x > y) - (x < y);
}

typedef struct rectangle {
    double x0, y0, x1, y1;
} rectangle;

static bool overlap(rectangle a, rectangle b)
{
    return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}

/* A free place for a name: the middle of its shape, else the nearest of rings of places around it.
 * Where every place is taken the middle has to do. */
static rectangle find_place(const rectangle *taken, size_t taken_count, double x, double y,
                            double width, double height, const sti_sheet *sheet)
{
    const rectangle middle = {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
    for (int ring = 0; ring < 7; ring++)
        for (int k = 0; k < (ring ? 12 : 1); k++) {
            const double angle = k * 0.5235987755982988 + 1.5707963267948966;
            const double dx = ring * (height * 0.9) * cos(angle) * 1.6;
            const double dy = ring * (height * 0.9) * sin(angle);
            const rectangle r = {middle.x0 + dx, middle.y0 + dy, middle.x1 + dx, middle.y1 + dy};
            bool fits = r.x0 > 4 && r.x1 < sheet->width_px - 4 && r.y0 > HEAD_PX * 0.8 &&
                        r.y1 < sheet->height_px - FOOT_PX * 0.8;
            for (size_t i = 0; fits && i < taken_count; i++)
                fits = !overlap(r, taken[i]);
            if (fits)
                return r;
        }
    return middle;
}

static st_status add_names(sti_sheet *sheet, st_arena *arena, const view *v,
                           const st_plan_shape *const *shapes, size_t count)
{
    rectangle *taken;
    ST_TRY(ST_ALLOC(arena, &taken, count));
    size_t taken_count = 0;
    const double size = count > 60 ? 10.0 : 12.0;
    for (size_t i = 0; i < count; i++) {
        const st_plan_shape *s = shapes[i];
        if (!s->name)
            continue;
        double x = 0.0, y = 0.0;
        for (size_t k = 0; k < s->count; k++) {
            x += to_x(v, s->xy_m[k][0]) / (double)s->count;
            y += to_y(v, s->xy_m[k][1]) / (double)s->count;
        }
        const double width = sti_words_width(s->name, size) + 4, height = size + 3;
        const rectangle r = find_place(taken, taken_count, x, y, width, height, sheet);
        taken[taken_count++] = r;
        const double px = (r.x0 + r.x1) / 2, py = (r.y0 + r.y1) / 2;
        if (hypot(px - x, py - y) > height * 1.5)
            ST_TRY(add_line(sheet, arena, x, y, px, py < y ? r.y1 : r.y0, SOFT, 0.7));
        add_words(sheet, px, py, size, s->name, INK, STI_MIDDLE, false);
    }
    return st_ok();
}

static st_status add_shapes(sti_sheet *sheet, st_arena *arena, const view *v, const st_plan *plan)
{
    const st_plan_shape **order, **floors, **walls;
    ST_TRY(ST_ALLOC(arena, &order, plan->shape_count));
    ST_TRY(ST_ALLOC(arena, &floors, plan->shape_count));
    ST_TRY(ST_ALLOC(arena, &walls, plan->shape_count));
    size_t count = 0, floor_count = 0, wall_count = 0;
    for (size_t i = 0; i < plan->shape_count; i++)
        if (plan->shapes[i].kind == ST_PLAN_FLOOR)
            floors[floor_count++] = &plan->shapes[i];
        else if (plan->shapes[i].kind == ST_PLAN_WALL)
            walls[wall_count++] = &plan->shapes[i];
        else
            order[count++] = &plan->shapes[i];
    qsort(order, count, sizeof *order, by_height);

    if (floor_count > 0)
        ST_TRY(add_polygon(sheet, arena, v, floors, floor_count,
                           (sti_mark){.kind = STI_MARK_POLYGON, .fill = FLOOR, .stroke = WALL,
                                      .width_px = 2.5}));
    ST_TRY(add_grid(sheet, arena, v));
    if (wall_count > 0)
        ST_TRY(add_polygon(sheet, arena, v, walls, wall_count,
                           (sti_mark){.kind = STI_MARK_POLYGON, .fill = INSIDE_WALL,
                                      .stroke = NOTHING}));
    for (size_t i = 0; i < count; i++) {
        sti_mark look = {.kind = STI_MARK_POLYGON, .width_px = 1.2, .dashed = order[i]->uncertain};
        colour_of(order[i]->name, &look.fill, &look.stroke);
        if (order[i]->kind == ST_PLAN_PATH) {
            look.kind = STI_MARK_LINE;
            look.fill = NOTHING;
            look.width_px = 2.0;
        } else if (order[i]->kind == ST_PLAN_OPENING) {
            look.fill = PAPER;
            look.stroke = WALL;
        }
        ST_TRY(add_polygon(sheet, arena, v, &order[i], 1, look));
    }
    return add_names(sheet, arena, v, order, count);
}

st_status sti_plan_lay_out(sti_sheet *sheet, st_arena *arena, const st_plan *plan, int width_px)
{
    if (width_px < 200 || width_px > 8000)
        return ST_FAIL(ST_ERR_USAGE, "a plan is 200 to 8000 pixels wide, not %d", width_px);
    view v = {.x0_px = MARGIN_PX, .y0_px = HEAD_PX};
    ST_TRY(find_bounds(&v, plan));
    for (int axis = 0; axis < 2; axis++) {          /* a little air; a flat room gets some height */
        const double pad_m = 0.25 + 0.5 * fmax(0.0, 1.0 - (v.max_m[axis] - v.min_m[axis]));
        v.min_m[axis] -= pad_m;
        v.max_m[axis] += pad_m;
    }
    const double w_m = v.max_m[0] - v.min_m[0], h_m = v.max_m[1] - v.min_m[1];
    v.scale = fmin((width_px - 2 * MARGIN_PX) / w_m, 1.5 * width_px / h_m);
    v.x0_px += (width_px - 2 * MARGIN_PX - w_m * v.scale) / 2;
    sheet->width_px = width_px;
    sheet->height_px = ceil(HEAD_PX + h_m * v.scale + FOOT_PX);

    /* Marks: a shape, its name and its leader each; grid lines twice; the furniture of a page. */
    sheet->capacity = 3 * plan->shape_count + 1000;
    ST_TRY(ST_ALLOC(arena, &sheet->marks, sheet->capacity));

    double (*page)[2];
    size_t *end;
    ST_TRY(ST_ALLOC(arena, &page, 4));
    ST_TRY(ST_ALLOC(arena, &end, 1));
    *end = 4;
    page[1][0] = page[2][0] = sheet->width_px;
    page[2][1] = page[3][1] = sheet->height_px;
    *add_mark(sheet) = (sti_mark){.kind = STI_MARK_POLYGON, .xy_px = (const double (*)[2])page,
                                  .count = 4, .ring_ends = end, .ring_count = 1, .fill = PAPER};
    if (plan->title)
        add_words(sheet, MARGIN_PX, 24, 20, plan->title, INK, STI_START, true);
    if (plan->subtitle)
        add_words(sheet, MARGIN_PX, 47, 13, plan->subtitle, SOFT, STI_START, false);
    if (plan->note)
        add_words(sheet, sheet->width_px - MARGIN_PX, sheet->height_px - FOOT_PX * 0.55, 13,
                  plan->note, SOFT, STI_END, false);
    return add_shapes(sheet, arena, &v, plan);
}
