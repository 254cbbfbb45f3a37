/* house.c - a house from its seed: plan, furniture, walls, and the frame it is told in. */
#include "datagen/synth/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

st_synth_settings st_synth_defaults(void)
{
    return (st_synth_settings){.seed = 1, .layout = ST_SYNTH_SCANNET, .room_min = 1, .room_max = 4,
                               .edge_m = 0.05};
}

st_status st_synth_check(const st_synth_settings *s)
{
    if (s->room_min < 1 || s->room_max > STI_ROOMS_MAX || s->room_min > s->room_max)
        return ST_FAIL(ST_ERR_USAGE, "rooms must be LO:HI with 1 <= LO <= HI <= %d, is %d:%d",
                       STI_ROOMS_MAX, s->room_min, s->room_max);
    if (!(s->edge_m >= 0.01 && s->edge_m <= 0.5))
        return ST_FAIL(ST_ERR_USAGE, "the mesh edge must be 0.01 to 0.5 m, is %g", s->edge_m);
    if (!(s->noise_m >= 0.0 && s->noise_m <= 0.1))
        return ST_FAIL(ST_ERR_USAGE, "the noise must be 0 to 0.1 m, is %g", s->noise_m);
    if (!(s->holes >= 0.0 && s->holes <= 0.5))
        return ST_FAIL(ST_ERR_USAGE, "the share of holes must be 0 to 0.5, is %g", s->holes);
    if (s->clutter < 0 || s->clutter > 20)
        return ST_FAIL(ST_ERR_USAGE, "clutter must be 0 to 20 things a room, is %d", s->clutter);
    return st_ok();
}

/* --- the frame -------------------------------------------------------------------------------- */

typedef struct frame {
    sti_pose scene_from_house;
    double   raw_to_scene[16];
} frame;

/* ScanNet: the scene frame is square with the house, and the raw scan is turned and shifted away
 * from it by a matrix of six decimals, as the published ones are. ARKitScenes: the delivered frame
 * is turned anyhow and its floor lies about 1.2 m below the origin (data.md 1.2). */
static frame draw_frame(const st_synth_settings *settings, const sti_plan *plan, uint64_t key)
{
    st_rng rng = st_rng_from(st_hash_text(key, "frame"));
    const double middle[2] = {plan->size_m[0] / 2, plan->size_m[1] / 2};
    /* One draw a statement, here and everywhere: the order inside one is the compiler's. */
    const double shift_x = st_rng_between(&rng, -0.5, 0.5);
    const double shift[2] = {shift_x, st_rng_between(&rng, -0.5, 0.5)};
    const double yaw = st_rng_between(&rng, -PI, PI), floor_z = st_rng_between(&rng, -1.45, -1.0);
    const bool arkit = settings->layout == ST_SYNTH_ARKIT;
    frame f = {.raw_to_scene = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}};

    f.scene_from_house = sti_pose_yaw(arkit ? yaw : 0.0, 0, 0, 0);
    double m[3];
    sti_pose_apply(m, &f.scene_from_house, (const double[3]){middle[0], middle[1], 0});
    f.scene_from_house.shift_m[0] = shift[0] - m[0];
    f.scene_from_house.shift_m[1] = shift[1] - m[1];
    f.scene_from_house.shift_m[2] = arkit ? floor_z : 0.0;
    if (arkit)
        return f;

    double degrees = -st_rng_between(&rng, 0.0, 180.0);
    if (st_rng_unit(&rng) < 0.5)
        degrees = round(degrees);
    const double c = cos(degrees * PI / 180.0), s = sin(degrees * PI / 180.0);
    /* The middle of the raw scan lies at about half its diagonal from the raw origin. */
    const double reach = hypot(middle[0], middle[1]);
    const double raw_x = reach * st_rng_between(&rng, 0.9, 1.1);
    const double raw[2] = {raw_x, reach * st_rng_between(&rng, 0.9, 1.1)};
    const double rows[12] = {c, -s, 0, shift[0] - (c * raw[0] - s * raw[1]),
                             s, c,  0, shift[1] - (s * raw[0] + c * raw[1]),
                             0, 0,  1, -st_rng_between(&rng, 0.0, 0.15)};
    for (int i = 0; i < 12; i++)
        f.raw_to_scene[i] = st_round_decimals(rows[i], 6);
    return f;
}

/* --- walls, floors, ceilings ------------------------------------------------------------------ */

/* A point of a wall: `t` along it, `out` behind its face, `z` up. */
static void wall_point(double p[3], const sti_wall *w, double t, double out, double z)
{
    p[0] = w->a_m[0] + t * w->along[0] - out * w->inward[0];
    p[1] = w->a_m[1] + t * w->along[1] - out * w->inward[1];
    p[2] = z;
}

static void wall_face(sti_solid *s, const sti_wall *w, double lo, double hi, double z0, double z1)
{
    if (hi - lo < 1e-9 || z1 - z0 < 1e-9)
        return;
    double corner[3];
    wall_point(corner, w, lo, 0, z0);
    sti_add_sheet(s, corner, (const double[3]){0, 0, z1 - z0},
                  (const double[3]){(hi - lo) * w->along[0], (hi - lo) * w->along[1], 0});
}

/* How deep a room's own part of an opening is: the other half belongs to the other room, and what
 * is behind a frame to the outside. */
static double opening_depth(const sti_plan *plan, const sti_opening *o)
{
    return o->through ? plan->wall_m / 2 : STI_RECESS_M;
}

/* The four faces of an opening. A door has no sill; the floor goes through it. */
static void opening_faces(sti_solid *s, const sti_wall *w, const sti_opening *o, double deep)
{
    const double up[3] = {0, 0, o->top_m - o->bottom_m};
    const double in[3] = {deep * w->inward[0], deep * w->inward[1], 0};
    const double along[3] = {(o->hi_m - o->lo_m) * w->along[0], (o->hi_m - o->lo_m) * w->along[1],
                             0};
    double p[3];
    wall_point(p, w, o->lo_m, deep, o->bottom_m);
    sti_add_sheet(s, p, in, up);
    wall_point(p, w, o->hi_m, deep, o->bottom_m);
    sti_add_sheet(s, p, up, in);
    wall_point(p, w, o->lo_m, deep, o->top_m);
    sti_add_sheet(s, p, in, along);
    if (o->window) {
        wall_point(p, w, o->lo_m, deep, o->bottom_m);
        sti_add_sheet(s, p, along, in);
    }
}

static void build_wall(sti_solid *s, const sti_plan *plan, const sti_wall *w)
{
    /* Openings from left to right; between them the wall goes from floor to ceiling. */
    int order[STI_OPENINGS_MAX];
    for (int i = 0; i < w->opening_count; i++) {
        int k = i;
        for (; k > 0 && w->opening[order[k - 1]].lo_m > w->opening[i].lo_m; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    double at = 0.0;
    for (int i = 0; i < w->opening_count; i++) {
        const sti_opening *o = &w->opening[order[i]];
        wall_face(s, w, at, o->lo_m, 0.0, plan->height_m);
        wall_face(s, w, o->lo_m, o->hi_m, 0.0, o->bottom_m);
        wall_face(s, w, o->lo_m, o->hi_m, o->top_m, plan->height_m);
        opening_faces(s, w, o, opening_depth(plan, o));
        at = o->hi_m;
    }
    wall_face(s, w, at, w->length_m, 0.0, plan->height_m);
}

/* The rectangles of a room between the coordinates of its corners, at height z. */
static void build_level(sti_solid *s, const sti_room *room, double z, bool upwards)
{
    double cuts[2][3];
    int count[2];
    for (int k = 0; k < 2; k++) {
        cuts[k][0] = room->lo_m[k];
        count[k] = 1;
        for (int i = 0; i < room->wall_count; i++)
            if (room->corner_m[i][k] > room->lo_m[k] + 1e-9 &&
                room->corner_m[i][k] < room->hi_m[k] - 1e-9) {
                cuts[k][1] = room->corner_m[i][k];
                count[k] = 2;
            }
        cuts[k][count[k]] = room->hi_m[k];
    }
    for (int i = 0; i < count[0]; i++)
        for (int j = 0; j < count[1]; j++) {
            const double w[3] = {cuts[0][i + 1] - cuts[0][i], 0, 0};
            const double d[3] = {0, cuts[1][j + 1] - cuts[1][j], 0};
            const double corner[3] = {cuts[0][i], cuts[1][j], z};
            if (sti_polygon_contains(room->corner_m, room->wall_count, corner[0] + w[0] / 2,
                                     corner[1] + d[1] / 2))
                sti_add_sheet(s, corner, upwards ? w : d, upwards ? d : w);
        }
}

static void build_floor(sti_solid *s, const sti_plan *plan, const sti_room *room)
{
    build_level(s, room, 0.0, true);
    for (int i = 0; i < room->wall_count; i++)
        for (int k = 0; k < room->wall[i].opening_count; k++) {
            const sti_wall *w = &room->wall[i];
            const sti_opening *o = &w->opening[k];
            const double deep = opening_depth(plan, o);
            double p[3];
            wall_point(p, w, o->lo_m, deep, 0.0);
            if (!o->window)
                sti_add_sheet(s, p, (const double[3]){(o->hi_m - o->lo_m) * w->along[0],
                                                      (o->hi_m - o->lo_m) * w->along[1], 0},
                              (const double[3]){deep * w->inward[0], deep * w->inward[1], 0});
        }
}

/* --- from layout to house --------------------------------------------------------------------- */

/* The solid as a model in the scene frame. */
static st_status model_of(st_synth_model *model, st_arena *arena, const sti_solid *s,
                          const sti_pose *scene_from_local)
{
    double (*vertex_m)[3];
    st_synth_face *face;
    ST_TRY(ST_ALLOC(arena, &vertex_m, s->vertex_count));
    ST_TRY(ST_ALLOC(arena, &face, s->face_count));
    for (size_t i = 0; i < s->vertex_count; i++)
        sti_pose_apply(vertex_m[i], scene_from_local, s->vertex_m[i]);
    for (size_t i = 0; i < s->face_count; i++) {
        const sti_face *f = &s->face[i];
        face[i] = (st_synth_face){.v = {f->v[0], f->v[1], f->v[2]}, .patch = f->patch,
                                  .rgb = {f->rgb.r, f->rgb.g, f->rgb.b}};
    }
    *model = (st_synth_model){.vertex_m = (const double (*)[3])vertex_m,
                              .vertex_count = s->vertex_count, .face = face,
                              .face_count = s->face_count, .patch_count = s->patch_count,
                              .two_sided = s->two_sided};
    return st_ok();
}

static st_status object_of(st_synth_object *object, st_arena *arena, const sti_item *item,
                           const frame *f)
{
    const sti_rect *r = &item->rect;
    const sti_pose placed = sti_pose_yaw(r->yaw_rad, r->x_m, r->y_m, item->z_m);
    const sti_pose pose = sti_pose_after(&f->scene_from_house, &placed);
    const sti_class *class = item->piece->class;
    *object = (st_synth_object){
        .label = class->name, .nyu40 = class->nyu40, .arkit = class->arkit, .room = item->room,
        .annotated = !item->clutter, .support = item->support, .support_id = -1,
        .has_front = class->has_front, .front = {-pose.turn[0][1], -pose.turn[1][1]},
        .aabb_min_m = {INFINITY, INFINITY, INFINITY},
        .aabb_max_m = {-INFINITY, -INFINITY, -INFINITY},
    };
    ST_TRY(model_of(&object->model, arena, &item->piece->solid, &pose));
    for (size_t i = 0; i < object->model.vertex_count; i++)
        for (int k = 0; k < 3; k++) {
            const double x = object->model.vertex_m[i][k];
            object->aabb_min_m[k] = fmin(object->aabb_min_m[k], x);
            object->aabb_max_m[k] = fmax(object->aabb_max_m[k], x);
        }
    sti_box_sweep(&object->box, object->model.vertex_m, object->model.vertex_count,
                  atan2(pose.turn[1][0], pose.turn[0][0]));
    return st_ok();
}

/* Named objects first, then walls, floors and ceilings, then clutter; ids run through. */
static st_status gather_objects(st_synth_house *house, st_arena *arena, const sti_layout *l,
                                const frame *f)
{
    st_synth_object *object;
    int *id_of;
    ST_TRY(ST_ALLOC(arena, &object, l->item_count));
    ST_TRY(ST_ALLOC(arena, &id_of, l->item_count));
    int used = 0, next = 0;
    for (int clutter = 0; clutter < 2; clutter++) {
        for (size_t i = 0; i < l->item_count; i++) {
            if (l->item[i].clutter != (clutter == 1))
                continue;
            ST_TRY(object_of(&object[used], arena, &l->item[i], f));
            object[used].id = id_of[i] = next++;
            if (l->item[i].support == ST_SYNTH_ON_OBJECT)
                object[used].support_id = id_of[l->item[i].support_index];
            used++;
        }
        if (clutter == 0)
            next += (int)house->structure_count;
    }
    house->object = object;
    house->object_count = (size_t)used;
    return st_ok();
}

static sti_rgb wall_paint(st_rng *rng)
{
    static const sti_rgb paints[] = {{226, 222, 212}, {214, 220, 224}, {222, 214, 196},
                                     {206, 214, 204}, {232, 228, 224}};
    return paints[st_rng_below(rng, sizeof paints / sizeof paints[0])];
}

static sti_rgb floor_paint(st_rng *rng, sti_room_kind kind)
{
    if (kind == STI_BATHROOM || kind == STI_KITCHEN)
        return sti_shade((sti_rgb){188, 186, 180}, st_rng_between(rng, 0.8, 1.15));
    return sti_shade((sti_rgb){168, 128, 90}, st_rng_between(rng, 0.75, 1.2));
}

static st_status gather_structure(st_synth_house *house, st_arena *arena, const sti_plan *plan,
                                  const frame *f, uint64_t key, bool ceiling, int first_id)
{
    st_synth_structure *structure;
    ST_TRY(ST_ALLOC(arena, &structure, (size_t)plan->room_count * (STI_WALLS_MAX + 2)));
    st_rng rng = st_rng_from(st_hash_text(key, "paint"));
    size_t used = 0;
    for (int r = 0; r < plan->room_count; r++) {
        const sti_room *room = &plan->room[r];
        const sti_rgb wall = wall_paint(&rng), ground = floor_paint(&rng, room->kind);
        const int parts = room->wall_count + 1 + (ceiling ? 1 : 0);
        for (int i = 0; i < parts; i++) {
            const bool is_wall = i < room->wall_count, is_floor = i == room->wall_count;
            sti_solid s;
            sti_solid_init(&s, arena);
            s.rgb = is_wall ? wall : is_floor ? ground : STI_WHITE;
            if (is_wall)
                build_wall(&s, plan, &room->wall[i]);
            else if (is_floor)
                build_floor(&s, plan, room);
            else
                build_level(&s, room, plan->height_m, false);
            ST_TRY(sti_solid_check(&s));
            const sti_class *class =
                sti_class_find(is_wall ? "wall" : is_floor ? "floor" : "ceiling");
            structure[used] = (st_synth_structure){.id = first_id + (int)used,
                                                   .label = class->name, .nyu40 = class->nyu40,
                                                   .room = r};
            ST_TRY(model_of(&structure[used++].model, arena, &s, &f->scene_from_house));
        }
    }
    house->structure = structure;
    house->structure_count = used;
    return st_ok();
}

static st_status gather_rooms(st_synth_house *house, st_arena *arena, const sti_plan *plan,
                              const frame *f)
{
    st_synth_room *room;
    st_synth_door *door;
    ST_TRY(ST_ALLOC(arena, &room, (size_t)plan->room_count));
    ST_TRY(ST_ALLOC(arena, &door, (size_t)plan->door_count));
    house->floor_area_m2 = 0.0;
    for (int r = 0; r < plan->room_count; r++) {
        const sti_room *from = &plan->room[r];
        double (*corner_m)[2];
        ST_TRY(ST_ALLOC(arena, &corner_m, (size_t)from->wall_count));
        for (int i = 0; i < from->wall_count; i++) {
            double p[3];
            sti_pose_apply(p, &f->scene_from_house,
                           (const double[3]){from->corner_m[i][0], from->corner_m[i][1], 0});
            corner_m[i][0] = p[0];
            corner_m[i][1] = p[1];
        }
        const double area_m2 = (from->hi_m[0] - from->lo_m[0]) * (from->hi_m[1] - from->lo_m[1]) -
                               from->notch_m[0] * from->notch_m[1];
        room[r] = (st_synth_room){sti_room_kind_name(from->kind), (const double (*)[2])corner_m,
                                  from->wall_count, area_m2};
        house->floor_area_m2 += area_m2;
    }
    for (int i = 0; i < plan->door_count; i++) {
        const sti_door *from = &plan->door[i];
        double p[3];
        sti_pose_apply(p, &f->scene_from_house,
                       (const double[3]){from->center_m[0], from->center_m[1], 0});
        door[i] = (st_synth_door){{from->room[0], from->room[1]}, {p[0], p[1]}, from->width_m};
    }
    house->room = room;
    house->room_count = plan->room_count;
    house->door = door;
    house->door_count = plan->door_count;
    return st_ok();
}

bool sti_house_name(char scan_id[24], char space_id[24], st_synth_layout layout, int number)
{
    if (layout == ST_SYNTH_ARKIT) {
        snprintf(scan_id, 24, "%d", 90000000 + number);
        snprintf(space_id, 24, "%d", 900000 + number);
    } else {
        snprintf(space_id, 24, "scene%04d", number < 1000 ? 9000 + number : number);
        snprintf(scan_id, 24, "%s_00", space_id);
    }
    return number % 10 == 9;
}

static st_status name_house(st_synth_house *house, st_arena *arena,
                            const st_synth_settings *settings, const sti_plan *plan)
{
    static const char *const types[STI_ROOM_KINDS] = {
        [STI_LIVING] = "Living room / Lounge", [STI_BEDROOM] = "Bedroom / Hotel",
        [STI_BATHROOM] = "Bathroom",           [STI_KITCHEN] = "Kitchen",
        [STI_OFFICE] = "Office",
    };
    char scan_id[24], space_id[24];
    const bool val = sti_house_name(scan_id, space_id, settings->layout, house->number);
    ST_TRY(st_arena_copy_text(arena, &house->scan_id, scan_id, strlen(scan_id)));
    ST_TRY(st_arena_copy_text(arena, &house->space_id, space_id, strlen(space_id)));
    house->split = val ? "val" : "train";
    house->scene_type = plan->room_count > 1 ? "Apartment" : types[plan->room[0].kind];
    return st_ok();
}

static st_status furnish(sti_layout *l, const st_synth_settings *settings)
{
    sti_furnish_openings(l);
    for (int r = 0; r < l->plan->room_count; r++) {
        l->room = r;
        l->rng = st_rng_from(st_hash_int(st_hash_text(l->key, "furniture"), r));
        sti_furnish_room(l);
        l->rng = st_rng_from(st_hash_int(st_hash_text(l->key, "clutter"), r));
        sti_furnish_clutter(l, settings->clutter);
    }
    return l->failure;
}

st_status st_synth_house_make(const st_synth_house **house, st_arena *arena,
                              const st_synth_settings *settings, int number)
{
    ST_TRY(st_synth_check(settings));
    if (number < 0 || number >= ST_SYNTH_HOUSES_MAX)
        return ST_FAIL(ST_ERR_USAGE, "house numbers go from 0 to %d, this is %d",
                       ST_SYNTH_HOUSES_MAX - 1, number);
    const uint64_t key =
        st_hash_int(st_hash_text(st_hash_int(0, (int64_t)settings->seed), "house"), number);
    st_rng rng = st_rng_from(st_hash_text(key, "rooms"));
    const int rooms =
        settings->room_min +
        (int)st_rng_below(&rng, (uint64_t)(settings->room_max - settings->room_min + 1));
    sti_plan *plan;
    st_synth_house *made;
    ST_TRY(ST_ALLOC(arena, &plan, 1));
    ST_TRY(ST_ALLOC(arena, &made, 1));
    ST_TRY(st_within(sti_plan_draw(plan, key, rooms), "house %d", number));

    sti_layout layout = {.arena = arena, .plan = plan, .furniture = settings->furniture,
                         .key = key, .host = -1, .failure = st_ok()};
    ST_TRY(furnish(&layout, settings));

    const frame f = draw_frame(settings, plan, key);
    made->number = number;
    memcpy(made->raw_to_scene, f.raw_to_scene, sizeof f.raw_to_scene);
    made->area_m2 = plan->area_m2;
    made->floor_z_m = f.scene_from_house.shift_m[2];
    made->height_m = plan->height_m;
    made->wall_m = plan->wall_m;
    ST_TRY(name_house(made, arena, settings, plan));
    ST_TRY(gather_rooms(made, arena, plan, &f));
    int named = 0;
    for (size_t i = 0; i < layout.item_count; i++)
        named += !layout.item[i].clutter;
    ST_TRY(gather_structure(made, arena, plan, &f, key, settings->ceiling, named));
    ST_TRY(gather_objects(made, arena, &layout, &f));
    *house = made;
    return st_ok();
}
