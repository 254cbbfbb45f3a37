/* plan.h - a room from above, as SVG or PNG.
 *
 * A plan is a list of shapes in metres, +x right, +y up the page. It is laid out once (scale,
 * colours, places for the names) and drawn by either back end, so both pictures are the same.
 *
 * May include: kernels/base, geometry.
 */
#ifndef ST_PLAN_H
#define ST_PLAN_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef enum st_plan_kind {
    ST_PLAN_FLOOR,          /* closed; the room's outline; a ring inside another is a hole */
    ST_PLAN_WALL,           /* closed; what walls take of the floor; a ring inside another is a
                               hole                                                         */
    ST_PLAN_OBJECT,         /* closed; a footprint with its name                            */
    ST_PLAN_OPENING,        /* closed; doors and windows                                    */
    ST_PLAN_PATH            /* open; a route or a camera's way                              */
} st_plan_kind;

typedef struct st_plan_shape {
    st_plan_kind kind;
    const double (*xy_m)[2];        /* (count,2), borrowed                          */
    size_t       count;             /* at least 2                                   */
    const char  *name;              /* printed; the same name has the same colour   */
    double       top_m;             /* higher things are drawn over lower ones      */
    bool         uncertain;         /* dashed: a tilted box, say                    */
} st_plan_shape;

typedef struct st_plan {
    const char          *title;     /* "scene0011_00"                  */
    const char          *subtitle;  /* "21.4 m2, 34 objects"; NULL none */
    const char          *note;      /* at the foot, what dashes mean; NULL none */
    const st_plan_shape *shapes;
    size_t               shape_count;
} st_plan;

/* Append the plan as an SVG document of `width_px` columns.
 *
 * Fails   ST_ERR_DATA no shape, or a coordinate that is not finite; ST_ERR_MEMORY.
 */
ST_CHECKED st_status st_plan_svg(st_text *out, const st_plan *plan, int width_px);

/* Append the plan as the bytes of a PNG file (cairo).
 *
 * Fails   as st_plan_svg; ST_ERR_UNSUPPORTED in a build without cairo.
 */
ST_CHECKED st_status st_plan_png(st_text *out, const st_plan *plan, int width_px);

#endif
