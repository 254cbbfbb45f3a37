/* metadata.c - a house as the scene that a perfect reader would have made of its scan. */
#include "datagen/synth/internal.h"

#include <math.h>
#include <string.h>

st_status st_synth_label_table(st_text *out)
{
    st_text_add(out, "id\traw_category\tcategory\tcount\tnyu40id\teigen13id\tnyuClass\tnyu40class\t"
                     "eigen13class\tModelNet40\tModelNet10\tShapeNetCore55\tsynsetoffset\t"
                     "wnsynsetid\twnsynsetkey\tmpcat40\tmpcat40index\n");
    const sti_class *c;
    for (size_t i = 0; (c = sti_class_at(i)) != NULL; i++) {
        const char *name = st_nyu40_name(c->nyu40);
        st_text_addf(out, "%zu\t%s\t%s\t1\t%d\t\t%s\t%s\t\t\t\t\t\t\t\t\t\n", i + 1, c->name,
                     c->name, c->nyu40, c->name, name ? name : "");
    }
    return st_text_check(out);
}

static st_status count_labels(st_scene *scene, st_arena *arena)
{
    ST_TRY(ST_ALLOC(arena, &scene->counts, scene->object_count));
    for (size_t i = 0; i < scene->object_count; i++) {
        const char *label = scene->objects[i].label;
        size_t k = 0;
        while (k < scene->count_count && strcmp(scene->counts[k].label, label) < 0)
            k++;
        if (k == scene->count_count || strcmp(scene->counts[k].label, label) != 0) {
            memmove(&scene->counts[k + 1], &scene->counts[k],
                    (scene->count_count - k) * sizeof scene->counts[0]);
            scene->counts[k] = (st_label_count){label, 0};
            scene->count_count++;
        }
        scene->counts[k].count++;
    }
    return st_ok();
}

/* The bounds of all walls and floors: what the vertices of the scan span. */
static void bound_room(st_room *room, const st_synth_house *house)
{
    for (int k = 0; k < 3; k++) {
        room->aabb_min_m[k] = INFINITY;
        room->aabb_max_m[k] = -INFINITY;
    }
    for (size_t i = 0; i < house->structure_count; i++) {
        const st_synth_model *m = &house->structure[i].model;
        for (size_t v = 0; v < m->vertex_count; v++)
            for (int k = 0; k < 3; k++) {
                room->aabb_min_m[k] = fmin(room->aabb_min_m[k], m->vertex_m[v][k]);
                room->aabb_max_m[k] = fmax(room->aabb_max_m[k], m->vertex_m[v][k]);
            }
    }
    for (int k = 0; k < 3; k++)
        room->center_m[k] =
            st_round_decimals((room->aabb_min_m[k] + room->aabb_max_m[k]) / 2, 6);
}

st_status st_synth_scene(st_scene *scene, st_arena *arena, const st_synth_house *house,
                         const st_synth_settings *settings, const st_label_table *table)
{
    const bool arkit = settings->layout == ST_SYNTH_ARKIT;
    *scene = (st_scene){.dataset = "synth", .split = house->split, .from_metadata = true};
    ST_TRY(st_arena_copy_text(arena, &scene->scene_id, house->scan_id, strlen(house->scan_id)));
    ST_TRY(st_arena_copy_text(arena, &scene->space_id, house->space_id, strlen(house->space_id)));
    memcpy(scene->raw_to_scene, house->raw_to_scene, sizeof scene->raw_to_scene);
    scene->room = (st_room){.known = true,
                            .area_m2 = st_round_decimals(house->area_m2, 6),
                            .area_open_m2 = -1.0,
                            .area_hull_m2 = -1.0,
                            .floor_area_m2 = house->floor_area_m2,
                            .area_vsi_m2 = -1.0,
                            .area_vsi_sd_m2 = -1.0,
                            .has_extent = true,
                            .floor_z_m = house->floor_z_m,
                            .scene_type = house->scene_type};
    bound_room(&scene->room, house);

    ST_TRY(ST_ALLOC(arena, &scene->objects, house->object_count));
    for (size_t i = 0; i < house->object_count; i++) {
        const st_synth_object *o = &house->object[i];
        if (!o->annotated || (arkit && !o->arkit))
            continue;
        const st_str raw = st_str_from(arkit ? o->arkit : o->label);
        const st_label_verdict verdict =
            arkit ? st_label_of_arkit(raw, ST_VOCABULARY_MIXED)
                  : st_label_of_scannet(table, raw, ST_VOCABULARY_MIXED);
        if (!verdict.label)
            continue;
        st_object *to = &scene->objects[scene->object_count++];
        *to = (st_object){.instance_id = o->id, .raw_label = raw.data, .label = verdict.label,
                          .nyu40 = verdict.nyu40, .box = o->box,
                          .flags = verdict.plural ? ST_FLAG_PLURAL : 0};
        for (int k = 0; k < 3; k++) {
            to->box.center_m[k] = st_round_decimals(o->box.center_m[k], 6);
            to->box.half_m[k] = st_round_decimals(2.0 * o->box.half_m[k], 6) / 2.0;
        }
        to->box_min = to->box;
        st_obb_bounds(to->aabb_min_m, to->aabb_max_m, &to->box);
    }
    ST_TRY(count_labels(scene, arena));
    st_scene_mark_referents(scene);
    return st_ok();
}
