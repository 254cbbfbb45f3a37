/* internal.h - what the two pens of a plan share: the plan laid out as marks in pixels. */
#ifndef ST_RENDER_INTERNAL_H
#define ST_RENDER_INTERNAL_H

#include "render/plan.h"

typedef struct sti_colour {
    double r, g, b, a;          /* 0..1; a = 0 is nothing */
} sti_colour;

/* One mark on the page: a polygon, a line, or a word. Drawn in order. */
typedef struct sti_mark {
    enum { STI_MARK_POLYGON, STI_MARK_LINE, STI_MARK_WORDS } kind;
    const double (*xy_px)[2];   /* polygon rings one after the other, or a line's points */
    const size_t *ring_ends;    /* polygon: index behind the last point of each ring     */
    size_t       ring_count, count;
    sti_colour   fill, stroke;
    double       width_px;
    bool         dashed;
    double       x_px, y_px;    /* words: middle of the text, on its centre line         */
    double       size_px;       /* words: height of a capital letter is about 0.7 of it  */
    bool         bold;
    enum { STI_MIDDLE, STI_START, STI_END } anchor;
    const char  *words;
} sti_mark;

typedef struct sti_sheet {
    double    width_px, height_px;
    sti_mark *marks;
    size_t    count, capacity;
} sti_sheet;

/* Width of words as both pens will draw them, near enough to keep them apart. */
double sti_words_width(const char *words, double size_px);

ST_CHECKED st_status sti_plan_lay_out(sti_sheet *sheet, st_arena *arena, const st_plan *plan,
                                      int width_px);

#endif
