/* plan_svg.c - the pen that writes SVG. */
#include "render/internal.h"

#include <math.h>

static void add_colour(st_text *out, const char *attribute, sti_colour c)
{
    if (c.a <= 0.0) {
        st_text_addf(out, " %s=\"none\"", attribute);
        return;
    }
    st_text_addf(out, " %s=\"#%02x%02x%02x\"", attribute, (int)lround(255 * c.r),
                 (int)lround(255 * c.g), (int)lround(255 * c.b));
    if (c.a < 1.0)
        st_text_addf(out, " %s-opacity=\"%.2f\"", attribute, c.a);
}

/* Text between tags: the five characters that XML keeps for itself. */
static void add_escaped(st_text *out, const char *words)
{
    for (; *words; words++)
        switch (*words) {
        case '<':
            st_text_add(out, "&lt;");
            break;
        case '>':
            st_text_add(out, "&gt;");
            break;
        case '&':
            st_text_add(out, "&amp;");
            break;
        case '"':
            st_text_add(out, "&quot;");
            break;
        default:
            if ((unsigned char)*words >= 0x20)
                st_text_add_bytes(out, words, 1);
        }
}

static void add_path(st_text *out, const sti_mark *m)
{
    const size_t whole[] = {m->count};
    const size_t *ends = m->ring_ends && m->kind == STI_MARK_POLYGON ? m->ring_ends : whole;
    const size_t rings = m->kind == STI_MARK_POLYGON ? m->ring_count : 1;
    st_text_add(out, "<path d=\"");
    for (size_t r = 0, k = 0; r < rings; r++) {
        for (bool first = true; k < ends[r]; k++, first = false)
            st_text_addf(out, "%c%.1f %.1f", first ? 'M' : 'L', m->xy_px[k][0], m->xy_px[k][1]);
        if (m->kind == STI_MARK_POLYGON)
            st_text_add(out, "Z");
    }
    st_text_add(out, "\" fill-rule=\"evenodd\" stroke-linejoin=\"round\" stroke-linecap=\"round\"");
    add_colour(out, "fill", m->fill);
    add_colour(out, "stroke", m->stroke);
    st_text_addf(out, " stroke-width=\"%.1f\"%s/>\n", m->width_px,
                 m->dashed ? " stroke-dasharray=\"5 3\"" : "");
}

static void add_text(st_text *out, const sti_mark *m)
{
    static const char *const anchors[] = {"middle", "start", "end"};
    st_text_addf(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.0f\" text-anchor=\"%s\"%s",
                 m->x_px, m->y_px + 0.35 * m->size_px, m->size_px, anchors[m->anchor],
                 m->bold ? " font-weight=\"bold\"" : "");
    add_colour(out, "fill", m->fill);
    st_text_add(out, ">");
    add_escaped(out, m->words);
    st_text_add(out, "</text>\n");
}

st_status st_plan_svg(st_text *out, const st_plan *plan, int width_px)
{
    st_arena arena;
    st_arena_init(&arena, "plan");
    sti_sheet sheet = {0};
    st_status s = sti_plan_lay_out(&sheet, &arena, plan, width_px);
    if (s.code == ST_OK) {
        st_text_addf(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                     "viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Verdana, "
                     "sans-serif\">\n",
                     sheet.width_px, sheet.height_px, sheet.width_px, sheet.height_px);
        for (size_t i = 0; i < sheet.count; i++)
            if (sheet.marks[i].kind == STI_MARK_WORDS)
                add_text(out, &sheet.marks[i]);
            else
                add_path(out, &sheet.marks[i]);
        st_text_add(out, "</svg>\n");
        s = st_text_check(out);
    }
    st_arena_free(&arena);
    return s;
}
