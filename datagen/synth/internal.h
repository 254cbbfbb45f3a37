/* internal.h - what the files of this room share.
 *
 * A *piece* is a model of one thing in its own frame: it stands on z = 0, is centred in x and y,
 * has its back towards +Y and its front towards -Y. An *item* is a piece placed in a house. A
 * *surface* of a piece is a level rectangle on which other pieces may stand.
 *
 * House frame: metres, +Z up, floor at z = 0, walls along x and y.
 */
#ifndef ST_SYNTH_INTERNAL_H
#define ST_SYNTH_INTERNAL_H

#include "datagen/synth/solid.h"
#include "datagen/synth/synth.h"
#include "geometry/box.h"
#include "kernels/base/rng.h"

/* How deep the bowl of a kitchen sink hangs below the worktop. */
#define STI_SINK_DEPTH_M 0.17

/* --- pieces ----------------------------------------------------------------------------------- */

typedef struct sti_class sti_class;
enum { STI_SURFACES_MAX = 6 };

typedef struct sti_surface {
    double lo_m[2], hi_m[2], z_m;
    double above_m;                 /* free height; what stands here is lower */
} sti_surface;

typedef struct sti_piece {
    const sti_class *class;
    sti_solid   solid;
    double      half_m[2];          /* a centred rectangle that holds its outline and its box */
    double      height_m;
    sti_surface surface[STI_SURFACES_MAX];
    int         surface_count;
} sti_piece;

/* Measures a caller insists on; 0 lets the builder draw its own. */
typedef struct sti_wish {
    double width_m, depth_m, height_m;
    double cut_lo_m, cut_hi_m;      /* a counter leaves this stretch of x out, for the sink */
    bool   style;                   /* a builder with two shapes takes the second one       */
} sti_wish;

typedef void sti_builder(sti_piece *p, st_rng *rng, const sti_wish *wish);

/* How a class is called in each dataset, and how it is made. */
struct sti_class {
    const char  *name;              /* the raw label of ScanNet             */
    int          nyu40;
    const char  *arkit;             /* ARKitScenes label, NULL: not boxed   */
    bool         has_front;         /* chairs and screens do, tables do not */
    sti_builder *build;             /* NULL: structure, made with the house */
};

/* The class of a raw label of ours; NULL when there is none. */
const sti_class *sti_class_find(const char *name);
const sti_class *sti_class_at(size_t index);        /* NULL past the end */

/* Make a piece. Its bounds are measured from its mesh, and it is moved to stand centred on z = 0.
 *
 * Fails   ST_ERR_MEMORY.
 */
ST_CHECKED st_status sti_piece_make(sti_piece **piece, st_arena *arena, const sti_class *class,
                                    st_rng *rng, const sti_wish *wish);

/* Give back to a piece the bounds of its mesh: centre it, stand it on z = 0, move its surfaces
 * along. For builders that read a model. */
void sti_piece_settle(sti_piece *piece);

/* What builders share: the colour of what comes next, and a surface. */
void   sti_paint(sti_piece *p, sti_rgb rgb);
void   sti_surface_add(sti_piece *p, double x0, double y0, double x1, double y1, double z_m,
                       double above_m);
double sti_wished(double wish_m, st_rng *rng, double low_m, double high_m);
sti_rgb sti_wood(st_rng *rng);
sti_rgb sti_fabric(st_rng *rng);
sti_rgb sti_shade(sti_rgb rgb, double factor);      /* darker below 1, lighter above */

extern const sti_rgb STI_WHITE, STI_STEEL, STI_BLACK, STI_GREY, STI_GLASS;

/* pieces_seats.c */
sti_builder sti_build_chair, sti_build_office_chair, sti_build_armchair, sti_build_sofa,
    sti_build_stool, sti_build_bench, sti_build_ottoman;
/* pieces_tables.c */
sti_builder sti_build_dining_table, sti_build_coffee_table, sti_build_end_table, sti_build_desk,
    sti_build_counter, sti_build_piano;
/* pieces_storage.c */
sti_builder sti_build_nightstand, sti_build_tv_stand, sti_build_cabinet, sti_build_file_cabinet,
    sti_build_kitchen_cabinet, sti_build_dresser, sti_build_wardrobe,
    sti_build_bookshelf, sti_build_shelf, sti_build_books, sti_build_box,
    sti_build_suitcase, sti_build_backpack, sti_build_hamper, sti_build_trash_can;
/* pieces_soft.c */
sti_builder sti_build_bed, sti_build_pillow, sti_build_towel, sti_build_curtain, sti_build_mat,
    sti_build_plant;
/* pieces_wet.c */
sti_builder sti_build_toilet, sti_build_sink, sti_build_bathtub,
    sti_build_washing_machine, sti_build_dishwasher, sti_build_stove, sti_build_refrigerator,
    sti_build_microwave, sti_build_coffee_maker;
/* pieces_devices.c */
sti_builder sti_build_tv, sti_build_monitor, sti_build_keyboard, sti_build_mouse,
    sti_build_laptop, sti_build_computer_tower, sti_build_printer, sti_build_telephone,
    sti_build_lamp, sti_build_fan;
/* pieces_clutter.c: what nobody labels; a bottle, a ball, a shoe, a pile of paper */
sti_builder sti_build_clutter;
/* pieces_walls.c; a door of the second style has no handle on its far side */
sti_builder sti_build_door, sti_build_window, sti_build_picture, sti_build_mirror,
    sti_build_whiteboard, sti_build_radiator, sti_build_clock;

/* --- floor plans ------------------------------------------------------------------------------ */

typedef enum sti_room_kind {
    STI_LIVING, STI_BEDROOM, STI_BATHROOM, STI_KITCHEN, STI_OFFICE, STI_ROOM_KINDS
} sti_room_kind;

enum { STI_ROOMS_MAX = 6, STI_WALLS_MAX = 6, STI_OPENINGS_MAX = 6, STI_DOORS_MAX = 16 };

/* A hole in a wall; lo and hi are metres along the wall from its first corner. */
typedef struct sti_opening {
    double lo_m, hi_m, bottom_m, top_m;
    bool   window;
    bool   through;                 /* another room lies behind it */
} sti_opening;

/* How far behind the wall's face the things reach that close an opening to the outside. Kept
 * small: a measured outline of the scan includes the recess, the floor polygon does not. */
#define STI_RECESS_M 0.05

/* An inner wall face from a to b, the room on its left. */
typedef struct sti_wall {
    double a_m[2], b_m[2], along[2], inward[2], length_m;
    bool   outer;                   /* nothing of the house lies behind it */
    sti_opening opening[STI_OPENINGS_MAX];
    int    opening_count;
} sti_wall;

typedef struct sti_room {
    sti_room_kind kind;
    double   lo_m[2], hi_m[2];      /* inner faces */
    double   corner_m[STI_WALLS_MAX][2];    /* counter-clockwise; 4, or 6 for an L */
    sti_wall wall[STI_WALLS_MAX];
    int      wall_count;
    double   notch_m[2];            /* what the L leaves out, 0 for a rectangle */
} sti_room;

typedef struct sti_door {
    int    room[2];                 /* room[1] is -1 for the way out                       */
    int    wall[2];
    double center_m[2], along[2];   /* the middle of the opening; along runs with wall[0]  */
    double width_m;
} sti_door;

typedef struct sti_plan {
    sti_room room[STI_ROOMS_MAX];
    int      room_count;
    sti_door door[STI_DOORS_MAX];
    int      door_count;
    double   size_m[2];             /* between the centre lines of the outer walls */
    double   wall_m;                /* thickness */
    double   height_m;
    double   area_m2;               /* inside the outer walls, inner walls included */
} sti_plan;

/* Draw a plan: rooms that fill a rectangle, now and then without a corner, joined by doors so
 * that each can be reached, with a way out and windows.
 *
 * Fails   ST_ERR_DATA when no draw of very many satisfies the rules (never seen).
 */
ST_CHECKED st_status sti_plan_draw(sti_plan *plan, uint64_t key, int room_count);

double sti_polygon_area(const double (*xy_m)[2], int count);
bool   sti_polygon_contains(const double (*xy_m)[2], int count, double x_m, double y_m);
const char *sti_room_kind_name(sti_room_kind kind);

/* --- placing ---------------------------------------------------------------------------------- */

typedef struct sti_rect {           /* a turned rectangle on the floor */
    double x_m, y_m, half_w_m, half_d_m, yaw_rad;
} sti_rect;

typedef struct sti_item {
    const sti_piece *piece;
    sti_rect  rect;
    double    z_m, top_m;           /* from z to top above the floor */
    int       room;
    st_synth_support support;
    int       support_index;        /* of an item or of a wall of the room */
    bool      clutter;
} sti_item;

typedef struct sti_zone {           /* floor to keep free */
    sti_rect rect;
    int      room;
    bool     door;                  /* for walking through: nothing at all may stand here */
    int      owner;                 /* the item it belongs to, or -1 */
} sti_zone;

/* A house while it is being furnished. A failure is remembered, see solid.h. */
typedef struct sti_layout {
    st_arena       *arena;
    const sti_plan *plan;
    const st_furniture *furniture;  /* models to mix in, or NULL */
    uint64_t        key;
    st_rng          rng;
    int             room;           /* the one being furnished */
    int             host;           /* whose front zone the next piece may enter, or -1 */
    sti_item       *item;
    size_t          item_count, item_capacity;
    sti_zone       *zone;
    size_t          zone_count, zone_capacity;
    st_status       failure;
} sti_layout;

/* Where against a wall. */
typedef struct sti_spot {
    double front_m;                 /* floor to keep free in front, 0: none            */
    double z_m;                     /* height of its lower edge                        */
    double gap_m;                   /* between back and wall                           */
    int    wall;                    /* 1 + index of the wall it must use, 0: any       */
    double at_m;                    /* centre along that wall; used when wall is given and at > 0 */
    bool   corner;                  /* try the ends of walls first                     */
} sti_spot;

/* Each returns the new item's index, or -1 when it found no place. */
int sti_place_wall(sti_layout *l, sti_piece *piece, sti_spot spot);
int sti_place_at(sti_layout *l, sti_piece *piece, double x_m, double y_m, double yaw_rad);
int sti_place_free(sti_layout *l, sti_piece *piece, double margin_m);
/* On a surface of another item; u and v in [-1,1] say where, NAN: anywhere; yaw is relative. */
int sti_place_on(sti_layout *l, int parent, int surface, sti_piece *piece, double u, double v,
                 double yaw_rad);

/* Make a piece of the class with the layout's stream; NULL after a failure. */
sti_piece *sti_layout_make(sti_layout *l, const char *class_name, sti_wish wish);
/* Put a piece where the caller knows that it belongs, without asking. */
int sti_place_sure(sti_layout *l, const sti_item *item);
void sti_zone_add(sti_layout *l, sti_rect rect, bool door, int owner);
bool sti_rect_overlap(const sti_rect *a, const sti_rect *b);
/* Every door and every front of the room can be walked to from every other (radius 25 cm). */
bool sti_room_walkable(const sti_layout *l, int room);
/* From the frame of a rectangle to the house. */
void sti_rect_point(double out_m[2], const sti_rect *r, double x_m, double y_m);

/* box_truth.c: the least-area upright box of points (N,3) by trying every direction: a coarse sweep
 * of a quarter turn, then ever finer ones around each dip. Slow, plain, and independent of the
 * hulls and calipers that measure scans. Axes and signs as data.md 3.7 has them; of boxes that tie
 * the one least turned from start_rad. */
void sti_box_sweep(st_obb *box, const double (*points_m)[3], size_t count, double start_rad);

/* Names that no published scan has: ScanNet stops at scene0806 (data.md 2.1). The first thousand
 * houses are scene9000 and up, the next take the ids from 1000 on. Returns whether the house
 * belongs to the validation split, as every tenth does. */
bool sti_house_name(char scan_id[24], char space_id[24], st_synth_layout layout, int number);

/* openings.c: doors, windows, curtains and radiators of the whole house; the first of all. */
void sti_furnish_openings(sti_layout *l);
/* recipes.c: furnish room l->room; then strew it with things that nobody labels. */
void sti_furnish_room(sti_layout *l);
void sti_furnish_clutter(sti_layout *l, int per_room);

#endif
