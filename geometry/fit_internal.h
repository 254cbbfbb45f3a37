/* fit_internal.h - what the box fits share; only fit*.c include it.
 *
 * May include: kernels/base, fit.h.
 */
#ifndef STI_GEOMETRY_FIT_INTERNAL_H
#define STI_GEOMETRY_FIT_INTERNAL_H

#include "geometry/fit.h"

/* How points lie: principal axes, and whether they fill space. */
typedef struct sti_spread {
    double   axis[3][3];        /* largest variance first, right-handed */
    st_shape shape;
} sti_spread;

/* The distinct points, sorted by x, y, z: from here on the order of the input is forgotten. */
ST_CHECKED st_status sti_fit_points(double (**points)[3], size_t *count, st_arena *scratch,
                                    const double (*points_m)[3], size_t n);

ST_CHECKED st_status sti_fit_spread(sti_spread *spread, const double (*p)[3], size_t n);

/* Mend a nearly orthonormal frame: each axis loses its part along those before it, the last one is
 * made from the first two (Gram and Schmidt). */
void sti_orthonormalise(double axis[3][3]);

/* Sides below 5 mm become 5 mm. */
void sti_fit_clamp(st_fit *fit);

/* The box around the points with these axes. */
st_obb sti_fit_along(const double axis[3][3], const double (*p)[3], size_t n);

/* The upright box; xy (N,2) and spare (2N,2) are working space. */
st_obb sti_fit_upright(const double (*p)[3], size_t n, double (*xy)[2], double (*spare)[2]);

#endif
