/* made_scenes.h - scenes put together box by box, for tests of questions.
 *
 * May include: anything; only tests include it.
 */
#ifndef ST_TESTS_MADE_SCENES_H
#define ST_TESTS_MADE_SCENES_H

#include "check.h"

#include "datagen/questions/questions.h"
#include "datagen/scene/route.h"

enum { MADE_OBJECTS_MAX = 64 };

/* A scene with room for its objects. Call made_end before it is used. */
typedef struct made {
    st_scene  scene;
    st_object objects[MADE_OBJECTS_MAX];
    char      name[32];
} made;

static inline void made_begin(made *m, const char *name, double area_m2)
{
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%s", name);
    m->scene = (st_scene){.dataset = "made", .scene_id = m->name, .space_id = m->name,
                          .split = "", .from_metadata = true, .objects = m->objects};
    m->scene.room.known = area_m2 > 0.0;
    m->scene.room.area_m2 = area_m2;
    m->scene.room.floor_area_m2 = -1.0;
}

/* Put a box on the scene: centre, full sides, turn about Z in degrees. */
static inline st_object *made_box(made *m, const char *label, double x, double y, double z,
                                  double side_x, double side_y, double side_z, double yaw_deg)
{
    const size_t n = m->scene.object_count++;
    assert_true(n < MADE_OBJECTS_MAX);
    const double yaw = yaw_deg * (3.14159265358979323846 / 180.0), c = cos(yaw), s = sin(yaw);
    m->objects[n] = (st_object){
        .instance_id = (int)n,
        .raw_label = label,
        .label = label,
        .box = {.center_m = {x, y, z},
                .axis = {{c, s, 0}, {-s, c, 0}, {0, 0, 1}},
                .half_m = {side_x / 2, side_y / 2, side_z / 2}},
    };
    m->objects[n].box_min = m->objects[n].box;
    return &m->objects[n];
}

/* A cube of half a metre, unturned, on the floor plan. */
static inline st_object *made_cube(made *m, const char *label, double x, double y)
{
    return made_box(m, label, x, y, 0.25, 0.5, 0.5, 0.5, 0);
}

static inline void made_end(made *m)
{
    st_scene_mark_referents(&m->scene);
}

/* Questions of some scenes, all of them: nothing guarded, nothing balanced. */
typedef struct asked {
    st_arena         arena;
    st_pool         *pool;
    st_template_pack pack;
    st_qa_settings   settings;
    st_scene_list    scenes;
    st_qa_result     result;
} asked;

static inline void asked_init(asked *a, int jobs)
{
    memset(a, 0, sizeof *a);
    st_arena_init(&a->arena, "asked");
    must(st_pool_create(&a->pool, jobs));
    must(st_template_pack_default(&a->pack, &a->arena));
    a->settings = st_qa_settings_default();
    a->settings.no_debias = true;
}

static inline void asked_free(asked *a)
{
    st_pool_free(a->pool);
    st_arena_free(&a->arena);
}

static inline void asked_run(asked *a, st_scene *scenes, size_t count)
{
    a->scenes = (st_scene_list){scenes, count, count};
    must(st_qa_generate(&a->result, &a->arena, &a->scenes, &a->settings, &a->pack, a->pool, NULL));
}

static inline void asked_of(asked *a, made *m)
{
    made_end(m);
    asked_run(a, &m->scene, 1);
}

/* The record of a type whose referents have these labels, in any order when there are options;
 * labels beyond the record's are ignored when NULL. NULL when it was not asked. */
static inline const st_record *asked_find(const asked *a, st_question type, const char *l0,
                                          const char *l1, const char *l2)
{
    const char *labels[] = {l0, l1, l2};
    for (size_t i = 0; i < a->result.record_count; i++) {
        const st_record *r = &a->result.records[i];
        bool same = strcmp(r->question_type, st_question_name(type)) == 0;
        for (int k = 0; same && k < 3; k++)
            same = labels[k] ? k < r->referent_count &&
                                   strcmp(r->referents[k].label, labels[k]) == 0
                             : k >= r->referent_count;
        if (same)
            return r;
    }
    return NULL;
}

/* All rows as bytes: records, benchmark rows, training lines. */
static inline st_text asked_bytes(asked *a)
{
    st_text text;
    st_text_init(&text);
    for (size_t i = 0; i < a->result.record_count; i++) {
        st_vsi_row row;
        st_conversation line;
        st_record_write(&text, &a->result.records[i]);
        must(st_qa_vsi_row(&row, &a->arena, &a->result.records[i]));
        st_vsi_row_write(&text, &row);
        must(st_qa_conversation(&line, &a->arena, &a->result.records[i], &a->pack));
        st_conversation_write(&text, &line);
    }
    must(st_text_check(&text));
    return text;
}

/* A furnished room whose referents stand in the open: every type has questions. `turn` makes one
 * unlike the next. */
static inline void made_furnished(made *m, const char *name, int turn)
{
    static const char *const labels[] = {"bed",    "sofa", "toilet",       "bathtub",  "fireplace",
                                         "dryer", "tv",   "refrigerator", "backpack", "piano"};
    made_begin(m, name, 12.0 + turn % 17 + 0.25);
    for (int i = 0; i < 10; i++) {
        const double around = 0.7 * i + 0.13 * turn, far = 1.2 + 0.35 * i + 0.01 * (turn % 7);
        made_box(m, labels[(i + turn) % 10], far * cos(around), far * sin(around), 0.3,
                 0.5 + 0.07 * i, 0.4 + 0.03 * (turn % 5), 0.6, 17.0 * i + 5.0 * turn);
    }
    for (int i = 0; i < 2 + turn % 5; i++)
        made_cube(m, "chair", -6.0 + 0.7 * i, 4.0);
    made_end(m);
}

/* Let somebody walk through a made room: a floor around its boxes, free where a robot fits, and the
 * routes on it. They live in the arena. */
static inline void made_walkable(made *m, st_arena *arena)
{
    enum { SIDE = 260 };
    st_floor_grid grid = {.origin_m = {-6.5, -6.5}, .columns = SIDE, .rows = SIDE};
    st_footprint feet[MADE_OBJECTS_MAX];
    must(ST_ALLOC(arena, &grid.cells, SIDE * SIDE));
    for (size_t i = 0; i < m->scene.object_count; i++)
        feet[i] = st_obb_footprint(&m->objects[i].box);
    for (int64_t c = 0; c < SIDE * SIDE; c++) {
        double xy[2], gap_m = 10;
        st_floor_grid_center(&grid, c, xy);
        for (size_t i = 0; i < m->scene.object_count; i++)
            gap_m = fmin(gap_m, st_footprint_point_distance(&feet[i], xy[0], xy[1]));
        grid.cells[c] = ST_CELL_ROOM | ST_CELL_FLOOR | (gap_m > 0.22 ? ST_CELL_FREE : 0) |
                        (gap_m == 0 ? ST_CELL_OBSTACLE : 0);
    }
    made_end(m);
    must(st_routes_find(&m->scene.routes, &m->scene.route_count, arena, &m->scene, &grid));
    m->scene.has_routes = true;
}

#endif
