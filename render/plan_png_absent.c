/* plan_png_absent.c - a build without cairo draws SVG only. */
#include "render/plan.h"

st_status st_plan_png(st_text *out, const st_plan *plan, int width_px)
{
    (void)out, (void)plan, (void)width_px;
    return ST_FAIL(ST_ERR_UNSUPPORTED,
                   "this build writes plans as SVG only; PNG needs libcairo2-dev");
}
