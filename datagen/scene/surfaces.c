/* surfaces.c - how near two things really come, beside how near their boxes come (data.md 5.5).
 *
 * A box holds more than the thing: between a corner sofa and the lamp in its bend the boxes touch
 * and the things do not. Where a scan has the points, the distance between the nearest two is kept
 * for every pair that a question may name, and a distance that the boxes get wrong is not asked.
 */
#include "datagen/scene/internal.h"

#include "geometry/fit.h"
#include "geometry/kdtree.h"
#include "kernels/base/limits.h"

#include <math.h>
#include <string.h>

/* A referent and the points its box was fitted to. */
typedef struct surface {
    int       object;
    double  (*points_m)[3];
    size_t    count;
    st_kdtree tree;
} surface;

st_status sti_instance_points(double (**points_m)[3], st_trim *trim, st_arena *scratch,
                              const st_scan *scan, const st_instance *instance)
{
    double (*all_m)[3];
    ST_TRY(ST_ALLOC(scratch, &all_m, instance->vertex_count));
    for (size_t i = 0; i < instance->vertex_count; i++)
        memcpy(all_m[i], scan->mesh.points_m[instance->vertices[i]], sizeof all_m[i]);
    ST_TRY(st_trim_strays(trim, scratch, (const double (*)[3])all_m, instance->vertex_count));
    for (size_t i = 0; i < trim->kept_count; i++)   /* rising indices: nothing is overwritten */
        memmove(all_m[i], all_m[trim->kept[i]], sizeof all_m[i]);
    *points_m = all_m;
    return st_ok();
}

/* Squared distance from a point to the space that the points of a surface fill; never more than to
 * the nearest of them: the bounds are kept to the micrometre. */
static double least_square_m2(const double p[3], const st_object *o)
{
    double sum = 0.0;
    for (int k = 0; k < 3; k++) {
        const double off = fmax(fmax(o->aabb_min_m[k] - p[k], p[k] - o->aabb_max_m[k]) - 1e-6, 0.0);
        sum += off * off;
    }
    return sum;
}

/* Between the nearest points of two surfaces. The point that may be nearest is tried first: what it
 * finds rules out most of the others. */
static double apart_m(const surface *from, const surface *to, const st_object *to_object)
{
    size_t first = 0;
    double least_m2 = INFINITY, best_m2 = INFINITY;
    for (size_t i = 0; i < from->count; i++) {
        const double m2 = least_square_m2(from->points_m[i], to_object);
        if (m2 < least_m2) {
            least_m2 = m2;
            first = i;
        }
    }
    st_kdtree_nearest(&to->tree, from->points_m[first], &best_m2);
    for (size_t i = 0; i < from->count; i++)
        if (least_square_m2(from->points_m[i], to_object) < best_m2)
            st_kdtree_nearest(&to->tree, from->points_m[i], &best_m2);
    return sqrt(best_m2);
}

static const st_instance *instance_of(const st_scan *scan, const st_object *o)
{
    for (size_t i = 0; i < scan->instance_count; i++)
        if (scan->instances[i].instance_id == o->instance_id)
            return &scan->instances[i];
    return NULL;
}

st_status sti_measure_surfaces(st_scene *scene, st_arena *arena, st_arena *scratch,
                               const st_scan *scan)
{
    surface *list;
    size_t   count = 0;
    ST_TRY(ST_ALLOC(scratch, &list, scene->object_count));
    for (size_t i = 0; i < scene->object_count; i++) {
        const st_instance *instance = instance_of(scan, &scene->objects[i]);
        if (!scene->objects[i].referent || !instance)
            continue;
        surface *s = &list[count];
        st_trim  trim;
        ST_TRY(sti_instance_points(&s->points_m, &trim, scratch, scan, instance));
        s->object = (int)i;
        s->count = trim.kept_count;
        if (s->count == 0)
            continue;
        ST_TRY(st_kdtree_build(&s->tree, scratch, (const double (*)[3])s->points_m, s->count));
        count++;
    }
    ST_TRY(ST_ALLOC(arena, &scene->surfaces, count * count / 2));
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++) {
            const surface *few = list[i].count <= list[k].count ? &list[i] : &list[k];
            const surface *many = few == &list[i] ? &list[k] : &list[i];
            scene->surfaces[scene->surface_count++] = (st_surface_gap){
                list[i].object, list[k].object,
                st_round_decimals(apart_m(few, many, &scene->objects[many->object]), 6)};
        }
    return st_ok();
}

bool st_scene_surface_gap(double *gap_m, const st_scene *scene, int a, int b)
{
    for (size_t i = 0; i < scene->surface_count; i++) {
        const st_surface_gap *g = &scene->surfaces[i];
        if ((g->a == a && g->b == b) || (g->a == b && g->b == a)) {
            *gap_m = g->gap_m;
            return true;
        }
    }
    return false;
}

/* --- in the scene file --- */

void sti_surfaces_put(st_json_writer *w, const st_scene *scene)
{
    if (scene->surface_count == 0)
        return;
    st_json_write_key(w, "surfaces");
    st_json_write_array(w);
    for (size_t i = 0; i < scene->surface_count; i++) {
        const st_surface_gap *g = &scene->surfaces[i];
        st_json_write_object(w);
        st_json_put_int(w, "a", scene->objects[g->a].instance_id);
        st_json_put_int(w, "b", scene->objects[g->b].instance_id);
        st_json_put_double(w, "gap_m", g->gap_m);
        st_json_write_end(w);
    }
    st_json_write_end(w);
}

st_status sti_surfaces_read(st_scene *scene, st_arena *arena, st_json list)
{
    if (st_json_kind_of(list) == ST_JSON_ABSENT)
        return st_ok();
    ST_TRY(st_json_expect(list, ST_JSON_ARRAY));
    const size_t count = st_json_count(list);
    ST_TRY(ST_ALLOC(arena, &scene->surfaces, count));
    for (size_t i = 0; i < count; i++) {
        const st_json   item = st_json_element(&list, i), gap = st_json_member(&item, "gap_m");
        st_surface_gap *g = &scene->surfaces[i];
        ST_TRY(st_json_expect(item, ST_JSON_OBJECT));
        ST_TRY(sti_read_object(&g->a, scene, st_json_member(&item, "a")));
        ST_TRY(sti_read_object(&g->b, scene, st_json_member(&item, "b")));
        ST_TRY(st_json_double(gap, &g->gap_m));
        if (!(g->gap_m >= 0.0 && g->gap_m <= 4.0 * ST_COORDINATE_M_MAX))
            return st_json_fail(gap, ST_ERR_DATA, "expected a distance, found %g", g->gap_m);
    }
    scene->surface_count = count;
    return st_ok();
}
