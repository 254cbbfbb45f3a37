/* scene_print.c - scenes as tables for people. */
#include "datagen/scene/scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_flags(st_text *out, unsigned flags)
{
    const char *between = "";
    for (int i = 0; i < ST_FLAG_COUNT; i++)
        if (flags >> i & 1) {
            st_text_addf(out, "%s%s", between, st_flag_name((st_flag)(1 << i)));
            between = " ";
        }
}

static void print_area(st_text *out, const char *name, double area_m2)
{
    if (area_m2 >= 0.0)
        st_text_addf(out, "  %-14s %.3f m2\n", name, area_m2);
}

static void print_room(st_text *out, const st_room *room)
{
    if (!room->known) {
        st_text_add(out, "room: not measured\n");
        return;
    }
    st_text_add(out, "room\n");
    print_area(out, "area", room->area_m2);
    print_area(out, "holes open", room->area_open_m2);
    print_area(out, "hull", room->area_hull_m2);
    print_area(out, "floor seen", room->floor_area_m2);
    print_area(out, "sampled", room->area_vsi_m2);
    st_text_addf(out, "  %-14s %.3f %.3f %.3f m\n", "center", room->center_m[0],
                 room->center_m[1], room->center_m[2]);
    if (room->has_extent)
        st_text_addf(out, "  %-14s %.2f x %.2f x %.2f m, floor at %.2f m\n", "extent",
                     room->aabb_max_m[0] - room->aabb_min_m[0],
                     room->aabb_max_m[1] - room->aabb_min_m[1],
                     room->aabb_max_m[2] - room->aabb_min_m[2], room->floor_z_m);
    if (room->scene_type)
        st_text_addf(out, "  %-14s %s\n", "type", room->scene_type);
    if (room->flags) {
        st_text_addf(out, "  %-14s ", "flags");
        print_flags(out, room->flags);
        st_text_add(out, "\n");
    }
}

static void print_object(st_text *out, const st_object *o)
{
    char size[40];
    snprintf(size, sizeof size, "%.2f x %.2f x %.2f", 2.0 * o->box.half_m[0],
             2.0 * o->box.half_m[1], 2.0 * o->box.half_m[2]);
    st_text_addf(out, "  %4d  %-18s %-18s %5.1f  %6.2f %6.2f %6.2f  %-8s %-5s  ", o->instance_id,
                 o->label, size, st_obb_tilt_deg(&o->box), o->box.center_m[0], o->box.center_m[1],
                 o->box.center_m[2], o->referent ? "referent" : "-", o->countable ? "count" : "-");
    print_flags(out, o->flags);
    st_text_add(out, "\n");
}

void st_scene_print(st_text *out, const st_scene *scene)
{
    st_text_addf(out, "%s  %s  room %s%s%s%s\n", scene->scene_id, scene->dataset, scene->space_id,
                 scene->split[0] ? "  split " : "", scene->split,
                 st_scene_in_benchmark(scene) ? "  in the benchmark" : "");
    if (scene->vertex_count > 0)
        st_text_addf(out, "mesh: %" PRId64 " vertices, %" PRId64 " faces, %" PRId64 " dropped\n",
                     scene->vertex_count, scene->face_count, scene->dropped_vertex_count);
    print_room(out, &scene->room);

    st_text_addf(out, "objects: %zu\n", scene->object_count);
    if (scene->object_count > 0)
        st_text_addf(out, "  %4s  %-18s %-18s %5s  %20s  %-8s %-5s  %s\n", "id", "label",
                     "size, m", "tilt", "center, m", "asked", "", "flags");
    for (size_t i = 0; i < scene->object_count; i++)
        print_object(out, &scene->objects[i]);

    st_text_add(out, "counts:");
    for (size_t i = 0; i < scene->count_count; i++)
        st_text_addf(out, "%s %s %" PRId64, i ? "," : "", scene->counts[i].label,
                     scene->counts[i].count);
    st_text_add(out, "\n");
    for (size_t i = 0; i < scene->dropped_count; i++)
        st_text_addf(out, "dropped: %d \"%s\": %s\n", scene->dropped[i].instance_id,
                     scene->dropped[i].raw_label, scene->dropped[i].reason);
    for (size_t i = 0; i < scene->warning_count; i++)
        st_text_addf(out, "warning: %s %s: %s\n", scene->warnings[i].rule,
                     scene->warnings[i].code, scene->warnings[i].message);
}

void st_scene_print_list(st_text *out, const st_scene *scenes, size_t count)
{
    st_text_addf(out, "%-16s %-12s %9s %8s %7s %9s %7s %7s %9s\n", "scene", "dataset", "room, m2",
                 "objects", "labels", "referents", "tilted", "thin", "warnings");
    for (size_t i = 0; i < count; i++) {
        const st_scene *s = &scenes[i];
        size_t          referents = 0, tilted = 0, thin = 0;
        for (size_t k = 0; k < s->object_count; k++) {
            referents += s->objects[k].referent;
            tilted += (s->objects[k].flags & ST_FLAG_TILTED) != 0;
            thin += (s->objects[k].flags & ST_FLAG_THIN) != 0;
        }
        st_text_addf(out, "%-16s %-12s %9.2f %8zu %7zu %9zu %7zu %7zu %9zu\n", s->scene_id,
                     s->dataset, s->room.known ? s->room.area_m2 : 0.0, s->object_count,
                     s->count_count, referents, tilted, thin, s->warning_count);
    }
}
