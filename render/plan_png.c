/* plan_png.c - the pen that paints pixels. Meets cairo. */
#include "render/internal.h"

#include <cairo.h>

static void set_colour(cairo_t *pen, sti_colour c)
{
    cairo_set_source_rgba(pen, c.r, c.g, c.b, c.a);
}

static void draw_path(cairo_t *pen, const sti_mark *m)
{
    const size_t whole[] = {m->count};
    const bool closed = m->kind == STI_MARK_POLYGON;
    const size_t *ends = closed ? m->ring_ends : whole;
    cairo_new_path(pen);
    for (size_t r = 0, k = 0; r < (closed ? m->ring_count : 1); r++) {
        cairo_new_sub_path(pen);
        for (; k < ends[r]; k++)
            cairo_line_to(pen, m->xy_px[k][0], m->xy_px[k][1]);
        if (closed)
            cairo_close_path(pen);
    }
    if (m->fill.a > 0.0) {
        set_colour(pen, m->fill);
        cairo_fill_preserve(pen);
    }
    if (m->stroke.a > 0.0) {
        const double dashes[] = {5, 3};
        cairo_set_dash(pen, dashes, m->dashed ? 2 : 0, 0);
        cairo_set_line_width(pen, m->width_px);
        set_colour(pen, m->stroke);
        cairo_stroke(pen);
    }
}

static void draw_words(cairo_t *pen, const sti_mark *m)
{
    cairo_select_font_face(pen, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           m->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(pen, m->size_px);
    cairo_text_extents_t size;
    cairo_text_extents(pen, m->words, &size);
    const double share[] = {0.5, 0.0, 1.0};         /* middle, start, end */
    set_colour(pen, m->fill);
    cairo_move_to(pen, m->x_px - share[m->anchor] * size.x_advance, m->y_px + 0.35 * m->size_px);
    cairo_show_text(pen, m->words);
}

static cairo_status_t append(void *out, const unsigned char *bytes, unsigned size)
{
    st_text_add_bytes(out, bytes, size);
    return CAIRO_STATUS_SUCCESS;
}

st_status st_plan_png(st_text *out, const st_plan *plan, int width_px)
{
    st_arena arena;
    st_arena_init(&arena, "plan");
    sti_sheet sheet = {0};
    st_status s = sti_plan_lay_out(&sheet, &arena, plan, width_px);
    if (s.code == ST_OK) {
        cairo_surface_t *surface = cairo_image_surface_create(
            CAIRO_FORMAT_RGB24, (int)sheet.width_px, (int)sheet.height_px);
        cairo_t *pen = cairo_create(surface);
        cairo_set_fill_rule(pen, CAIRO_FILL_RULE_EVEN_ODD);
        cairo_set_line_join(pen, CAIRO_LINE_JOIN_ROUND);
        cairo_set_line_cap(pen, CAIRO_LINE_CAP_ROUND);
        for (size_t i = 0; i < sheet.count; i++)
            if (sheet.marks[i].kind == STI_MARK_WORDS)
                draw_words(pen, &sheet.marks[i]);
            else
                draw_path(pen, &sheet.marks[i]);
        cairo_status_t painted = cairo_status(pen);
        if (painted == CAIRO_STATUS_SUCCESS)
            painted = cairo_surface_write_to_png_stream(surface, append, out);
        if (painted != CAIRO_STATUS_SUCCESS)
            s = ST_FAIL(ST_ERR_MEMORY, "cannot paint a plan of %.0fx%.0f pixels: %s",
                        sheet.width_px, sheet.height_px, cairo_status_to_string(painted));
        cairo_destroy(pen);
        cairo_surface_destroy(surface);
        if (s.code == ST_OK)
            s = st_text_check(out);
    }
    st_arena_free(&arena);
    return s;
}
