/* random_box.h - boxes for the tests of the geometry room.
 *
 * May include: anything; only tests include it.
 */
#ifndef ST_TESTS_RANDOM_BOX_H
#define ST_TESTS_RANDOM_BOX_H

#include "geometry/box.h"
#include "geometry/pose.h"
#include "kernels/base/rng.h"

static inline void random_turn(st_rng *rng, double rotation[3][3])
{
    const double turn_rad[3] = {st_rng_between(rng, -3, 3), st_rng_between(rng, -3, 3),
                                st_rng_between(rng, -3, 3)};
    st_rotation_from_axis_angle(rotation, turn_rad);
}

static inline st_obb random_box(st_rng *rng, double reach_m)
{
    st_obb box;
    random_turn(rng, box.axis);
    for (int i = 0; i < 3; i++) {
        box.center_m[i] = st_rng_between(rng, -reach_m, reach_m);
        box.half_m[i] = st_rng_between(rng, 0.01, 1.0);
    }
    return box;
}

/* A second box in a chosen relation to the first: crossing, touching, nested, face to face ... */
static inline st_obb related_box(st_rng *rng, const st_obb *a, uint64_t relation)
{
    st_obb b = random_box(rng, 2.0);
    switch (relation % 7) {
    case 0:                                     /* anywhere, often apart */
        break;
    case 1:                                     /* same axes: faces and edges are parallel */
        for (int i = 0; i < 9; i++)
            b.axis[i / 3][i % 3] = a->axis[i / 3][i % 3];
        break;
    case 2:                                     /* nested: a tenth of the size, near the centre */
        for (int i = 0; i < 3; i++) {
            b.center_m[i] = a->center_m[i];
            b.half_m[i] = 0.1 * a->half_m[i];
        }
        break;
    case 3: {                                   /* a corner of one on a corner of the other */
        double ca[8][3], cb[8][3];
        st_obb_corners(ca, a);
        st_obb_corners(cb, &b);
        const uint64_t i = st_rng_below(rng, 8), j = st_rng_below(rng, 8);
        for (int x = 0; x < 3; x++)
            b.center_m[x] += ca[i][x] - cb[j][x];
        break;
    }
    case 4: {                                   /* face on face, shifted along it */
        for (int i = 0; i < 9; i++)
            b.axis[i / 3][i % 3] = a->axis[i / 3][i % 3];
        const double along = st_rng_between(rng, -1.5, 1.5);
        for (int x = 0; x < 3; x++)
            b.center_m[x] = a->center_m[x] + (a->half_m[0] + b.half_m[0]) * a->axis[0][x] +
                            along * a->axis[1][x];
        break;
    }
    case 5:                                     /* crossing: centres close together */
        for (int i = 0; i < 3; i++)
            b.center_m[i] = a->center_m[i] + st_rng_between(rng, -0.3, 0.3);
        break;
    default:                                    /* flat as a mirror, thin as a rod */
        b.half_m[0] = 0.0;
        if (st_rng_below(rng, 2))
            b.half_m[1] = 0.0;
    }
    return b;
}

#endif
