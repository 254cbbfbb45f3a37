/* solid.h - building a thing out of boxes, turned profiles, rods and cushions.
 *
 * A *solid* is a growing triangle mesh in metres with a colour and a *patch* per face. A patch is
 * one smooth piece of surface: the side of a box, the wall of a cylinder. Faces are seen from
 * outside when their corners run counter-clockwise. What is added passes through the solid's pose
 * first, so a builder may write a leaned chair back as an upright box.
 *
 * Running out of memory is remembered and reported once by sti_solid_check, so that builders read
 * as lists of parts.
 *
 * May include: kernels/base.
 */
#ifndef ST_SYNTH_SOLID_H
#define ST_SYNTH_SOLID_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"

typedef struct sti_rgb {
    uint8_t r, g, b;
} sti_rgb;

typedef struct sti_face {
    uint32_t v[3];
    uint32_t patch;
    sti_rgb  rgb;
} sti_face;

/* A rigid motion: p' = turn p + shift. */
typedef struct sti_pose {
    double turn[3][3];
    double shift_m[3];
} sti_pose;

typedef struct sti_solid {
    st_arena *arena;                /* holds the arrays */
    double  (*vertex_m)[3];
    size_t    vertex_count, vertex_capacity;
    sti_face *face;
    size_t    face_count, face_capacity;
    uint32_t  patch_count;
    sti_pose  pose;                 /* what is added goes through it */
    sti_rgb   rgb;                  /* what is added looks like it   */
    bool      two_sided;            /* faces may be seen from behind */
    st_status failure;
} sti_solid;

void      sti_solid_init(sti_solid *s, st_arena *arena);
st_status sti_solid_check(const sti_solid *s);

sti_pose sti_pose_none(void);
sti_pose sti_pose_yaw(double yaw_rad, double x_m, double y_m, double z_m);
/* Lean about a horizontal line along x through (y,z): positive leans the top towards +y. */
sti_pose sti_pose_lean(double angle_rad, double y_m, double z_m);
sti_pose sti_pose_after(const sti_pose *outer, const sti_pose *inner);  /* outer(inner(p)) */
void     sti_pose_apply(double out_m[3], const sti_pose *pose, const double p_m[3]);

/* One vertex, one triangle or quad of the patch opened last. */
uint32_t sti_vertex_add(sti_solid *s, double x_m, double y_m, double z_m);
void     sti_patch_open(sti_solid *s);
void     sti_face_add(sti_solid *s, uint32_t a, uint32_t b, uint32_t c);
void     sti_quad_add(sti_solid *s, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/* An axis-aligned box, six patches. */
void sti_add_box(sti_solid *s, double x0, double y0, double z0, double x1, double y1, double z1);

/* A box without its top: what a counter or a lid covers, what holds something. Inside and outside
 * are both walls; `wall_m` is their thickness. */
void sti_add_tray(sti_solid *s, double x0, double y0, double z0, double x1, double y1, double z1,
                  double wall_m);

/* A closed round body around a vertical axis through (x,y): radius_m[i] at height z_m[i], rising.
 * A radius of 0 at an end closes it in a point, any other end gets a flat lid. */
void sti_add_turned(sti_solid *s, double x, double y, const double *radius_m, const double *z_m,
                    size_t count, int sides);

/* The same with an oval floor plan: x is stretched by `wide`, y by `deep`. */
void sti_add_oval(sti_solid *s, double x, double y, double wide, double deep,
                  const double *radius_m, const double *z_m, size_t count, int sides);

/* A round rod between two points. */
void sti_add_rod(sti_solid *s, const double from_m[3], const double to_m[3], double radius_m,
                 int sides);

/* A stuffed box: a superellipsoid that fills it. `power` 2 is an ellipsoid, 6 nearly a box. */
void sti_add_cushion(sti_solid *s, double x0, double y0, double z0, double x1, double y1,
                     double z1, double power);

/* An upright prism over a counter-clockwise polygon that is convex. */
void sti_add_prism(sti_solid *s, const double (*xy_m)[2], size_t count, double z0, double z1);

/* A single flat rectangle: corner, two sides; seen from the side of cross(side0, side1). */
void sti_add_sheet(sti_solid *s, const double corner_m[3], const double side0_m[3],
                   const double side1_m[3]);

/* A hanging cloth between x0 and x1, waved in y around y0 by `depth_m`; both sides are seen. */
void sti_add_drape(sti_solid *s, double x0, double x1, double y0, double depth_m, double z0,
                   double z1, int waves);

#endif
