/* inspect_scenes.c - a look at scene metadata: tables of rooms and objects, and plans. */
#include "tools/inspect.h"

#include "datagen/scene/scene.h"
#include "kernels/base/files.h"
#include "render/plan.h"
#include "tools/scene_inputs.h"

#include <stdio.h>
#include <string.h>

enum { PLAN_WIDTH_PX = 1000 };

static void add_outlines(st_plan_shape *shapes, size_t *count, st_plan_kind kind,
                         const st_outline *outlines, size_t outline_count)
{
    _Static_assert(sizeof(st_point2) == 2 * sizeof(double), "outlines are read as pairs");
    for (size_t i = 0; i < outline_count; i++) {
        const st_outline *o = &outlines[i];
        shapes[(*count)++] = (st_plan_shape){.kind = kind,
                                             .xy_m = (const double (*)[2])(const void *)o->points,
                                             .count = o->count};
    }
}

/* The room's walls where they are known, and every object's footprint with its label. */
static st_status make_plan(st_plan *plan, st_arena *arena, const st_scene *scene)
{
    st_plan_shape *shapes;
    size_t count = 0;
    const st_room *room = &scene->room;
    ST_TRY(ST_ALLOC(arena, &shapes,
                    scene->object_count + room->outline_count + room->wall_count));
    add_outlines(shapes, &count, ST_PLAN_FLOOR, room->outlines, room->outline_count);
    add_outlines(shapes, &count, ST_PLAN_WALL, room->walls, room->wall_count);
    for (size_t i = 0; i < scene->object_count; i++) {
        const st_object *o = &scene->objects[i];
        st_footprint *f;
        double low_m[3], high_m[3];
        ST_TRY(ST_ALLOC(arena, &f, 1));
        *f = st_obb_footprint(&o->box);
        st_obb_bounds(low_m, high_m, &o->box);
        const bool opening = strcmp(o->label, "door") == 0 || strcmp(o->label, "window") == 0;
        shapes[count++] = (st_plan_shape){.kind = opening ? ST_PLAN_OPENING : ST_PLAN_OBJECT,
                                          .xy_m = (const double (*)[2])f->xy_m,
                                          .count = (size_t)f->count,
                                          .name = o->label,
                                          .top_m = high_m[2],
                                          .uncertain = (o->flags & ST_FLAG_TILTED) != 0};
        if (o->flags & ST_FLAG_TILTED)
            plan->note = "dashed: the box leans from gravity";
    }
    plan->title = scene->scene_id;
    plan->shapes = shapes;
    plan->shape_count = count;
    if (scene->room.known)
        return st_arena_printf(arena, &plan->subtitle, "%s   %.1f m\xC2\xB2   %zu objects",
                               scene->dataset, scene->room.area_m2, scene->object_count);
    return st_arena_printf(arena, &plan->subtitle, "%s   %zu objects", scene->dataset,
                           scene->object_count);
}

static st_status write_plan(st_arena *arena, const char *path, const st_scene *scene)
{
    const bool png = st_str_ends(st_str_from(path), ".png");
    if (!png && !st_str_ends(st_str_from(path), ".svg"))
        return ST_FAIL(ST_ERR_USAGE,
                       "--plan: expected a name that ends in .svg or .png, found \"%s\"", path);
    st_plan plan = {0};
    ST_TRY(make_plan(&plan, arena, scene));
    st_text picture;
    st_text_init(&picture);
    st_status s = png ? st_plan_png(&picture, &plan, PLAN_WIDTH_PX)
                      : st_plan_svg(&picture, &plan, PLAN_WIDTH_PX);
    if (s.code == ST_OK)
        s = st_file_write(path, picture.data, picture.size);
    st_text_free(&picture);
    return st_within(s, "%s", scene->scene_id);
}

/* The scenes asked for by --scene, or all of them, moved to the front of the list. */
static st_status choose(st_scene_list *list, const st_args *args, const char *path)
{
    const char *wanted = st_args_text(args, "scene");
    if (!wanted)
        return st_ok();
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->scenes[i].scene_id, wanted) == 0) {
            list->scenes[0] = list->scenes[i];
            list->count = 1;
            return st_ok();
        }
    return ST_FAIL(ST_ERR_DATA, "%s: no scene \"%s\" among %zu", path, wanted, list->count);
}

/* A line of its own for every scene: the pretty form without its line breaks, which stand between
 * values only. */
static st_status add_line(st_text *out, const st_scene *scene)
{
    st_text pretty;
    st_text_init(&pretty);
    st_status s = st_scene_write(&pretty, scene);
    st_str line, rest = st_text_view(&pretty);
    while (s.code == ST_OK && st_str_next_line(&line, &rest)) {
        line = st_str_trim(line);
        st_text_add_bytes(out, line.data, line.size);
    }
    st_text_add(out, "\n");
    st_text_free(&pretty);
    return s;
}

static st_status show(const st_args *args, st_arena *arena, const st_scene_list *list)
{
    const char *plan = st_args_text(args, "plan");
    if (plan && list->count != 1)
        return ST_FAIL(ST_ERR_USAGE, "--plan draws one scene, found %zu; choose one with --scene",
                       list->count);
    if (plan)
        return write_plan(arena, plan, &list->scenes[0]);

    st_text out;
    st_text_init(&out);
    st_status s = st_ok();
    if (st_args_json(args))
        for (size_t i = 0; i < list->count && s.code == ST_OK; i++)
            s = add_line(&out, &list->scenes[i]);
    else if (list->count == 1)
        st_scene_print(&out, &list->scenes[0]);
    else
        st_scene_print_list(&out, list->scenes, list->count);
    if (s.code == ST_OK)
        s = st_print_text(&out);
    st_text_free(&out);
    return s;
}

st_status inspect_scenes(st_exit *exit_code, const st_args *args, const char *path)
{
    st_arena arena;
    st_arena_init(&arena, "scenes");
    st_scene_list list = {0};
    st_failure_list failures = {0};
    st_path_list paths;
    st_status s = st_scene_paths(&paths, &arena, &path, 1);
    if (s.code == ST_OK)
        s = st_args_check_output(args, "plan", paths.paths, paths.count);
    for (size_t i = 0; s.code == ST_OK && i < paths.count; i++)
        s = st_scene_path_read(&list, &failures, &arena, paths.paths[i]);
    st_say_scene_failures(args, &failures);
    if (failures.count > 0)
        *exit_code = ST_EXIT_INPUT;
    if (s.code == ST_OK && list.count > 0)
        s = choose(&list, args, path);
    if (s.code == ST_OK && list.count > 0)
        s = show(args, &arena, &list);
    st_arena_free(&arena);
    return s;
}
