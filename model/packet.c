/* packet.c - rows with everything that travels along. */
#include "model/session_internal.h"

#include <string.h>

void sti_packet_clear(sti_packet *p)
{
    p->rows = p->spans = p->visual = 0;
}

void sti_packet_add_rows(sti_packet *p, const sti_packet *from, int64_t first, int64_t rows,
                         int64_t hidden, int64_t deepstack)
{
    ST_ASSERT(p->rows + rows <= p->rows_cap && first + rows <= from->rows_cap);
    if (rows == 0)
        return;
    const size_t bytes = (size_t)(rows * hidden) * sizeof(float);
    memcpy(p->x + p->rows * hidden, from->x + first * hidden, bytes);
    for (int64_t k = 0; k < deepstack; k++)
        memcpy(p->deep + (k * p->rows_cap + p->rows) * hidden,
               from->deep + (k * from->rows_cap + first) * hidden, bytes);
    memcpy(p->position + 3 * p->rows, from->position + 3 * first,
           (size_t)(3 * rows) * sizeof *p->position);
    p->rows += rows;
    p->visual |= from->visual;
}
