/* furniture.c - from a library on disk to pieces: unpacked, read, stood up, scaled, welded. */
#include "datagen/synth/furniture.h"

#include "geometry/mesh.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/log.h"
#include "kernels/media/archive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A model with more triangles than all the rest of a room would outweigh it. */
enum { MODEL_TRIANGLES_MAX = 60000 };
static const size_t MODEL_BYTES_MAX = (size_t)64 << 20;

struct st_furniture {
    st_arena   arena;
    sti_piece **pieces;
    size_t     count, capacity;
    const char *path;
    st_digest  digest;
};

size_t st_furniture_count(const st_furniture *furniture)
{
    return furniture->count;
}

const char *st_furniture_path(const st_furniture *furniture)
{
    return furniture->path;
}

st_digest st_furniture_digest(const st_furniture *furniture)
{
    return furniture->digest;
}

static bool near_wish(double wish_m, double have_m)
{
    return !(wish_m > 0.0) || fabs(have_m - wish_m) < 0.25 * wish_m;
}

sti_piece *sti_furniture_pick(const st_furniture *furniture, const sti_class *class,
                              const sti_wish *wish, st_rng *rng)
{
    sti_piece *picked = NULL;
    uint64_t   seen = 0;
    for (size_t i = 0; i < furniture->count; i++) {
        sti_piece *p = furniture->pieces[i];
        if (p->class != class || wish->style || !near_wish(wish->width_m, 2.0 * p->half_m[0]) ||
            !near_wish(wish->depth_m, 2.0 * p->half_m[1]) ||
            !near_wish(wish->height_m, p->height_m))
            continue;
        if (st_rng_below(rng, ++seen) == 0)     /* each with the same chance, in one pass */
            picked = p;
    }
    return picked;
}

/* --- one model -------------------------------------------------------------------------------- */

typedef struct corner {
    double   p[3];
    uint32_t from;
} corner;

static int corner_order(const void *left, const void *right)
{
    const corner *a = left, *b = right;
    for (int k = 0; k < 3; k++)
        if (a->p[k] != b->p[k])
            return a->p[k] < b->p[k] ? -1 : 1;
    return a->from < b->from ? -1 : a->from > b->from;
}

/* OBJ files are y up with the front towards +z; ours are z up with the front towards -y. Each axis
 * is scaled to the catalogue's measures. */
static st_status stand_up(corner *corners, const st_mesh *mesh, const sti_catalogue_entry *entry)
{
    double lo[3] = {INFINITY, INFINITY, INFINITY}, hi[3] = {-INFINITY, -INFINITY, -INFINITY};
    const double size[3] = {entry->width_m, entry->depth_m, entry->height_m};
    for (size_t i = 0; i < mesh->point_count; i++) {
        const double *p = mesh->points_m[i];
        const double up[3] = {p[0], -p[2], p[1]};
        for (int k = 0; k < 3; k++) {
            if (!isfinite(up[k]))
                return ST_FAIL(ST_ERR_NUMERIC, "vertex %zu is not finite", i);
            corners[i].p[k] = up[k];
            lo[k] = fmin(lo[k], up[k]);
            hi[k] = fmax(hi[k], up[k]);
        }
        corners[i].from = (uint32_t)i;
    }
    for (int k = 0; k < 3; k++)
        if (!(hi[k] > lo[k]) || !(size[k] > 0.0))
            return ST_FAIL(ST_ERR_DATA, "expected a body with three measures above 0");
    for (size_t i = 0; i < mesh->point_count; i++)
        for (int k = 0; k < 3; k++)
            corners[i].p[k] = (corners[i].p[k] - lo[k]) * size[k] / (hi[k] - lo[k]);
    return st_ok();
}

/* One of six by the axis that the face looks along: creases between them stay sharp. */
static uint32_t face_side(const double (*p)[3], const uint32_t v[3])
{
    const double *a = p[v[0]], *b = p[v[1]], *c = p[v[2]];
    const double u[3] = {b[0] - a[0], b[1] - a[1], b[2] - a[2]};
    const double w[3] = {c[0] - a[0], c[1] - a[1], c[2] - a[2]};
    const double n[3] = {u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2],
                         u[0] * w[1] - u[1] * w[0]};
    int axis = 0;
    for (int k = 1; k < 3; k++)
        if (fabs(n[k]) > fabs(n[axis]))
            axis = k;
    return (uint32_t)(2 * axis + (n[axis] < 0.0));
}

/* The faces that look one way, as one patch: patches lie one after the other. */
static void add_side(sti_solid *s, const st_mesh *mesh, const uint32_t *welded, uint32_t side)
{
    sti_patch_open(s);
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint32_t *t = mesh->triangles[i];
        const uint32_t v[3] = {welded[t[0]], welded[t[1]], welded[t[2]]};
        if (v[0] == v[1] || v[1] == v[2] || v[2] == v[0] ||
            face_side((const double (*)[3])s->vertex_m, v) != side)
            continue;
        if (mesh->colors)
            s->rgb = (sti_rgb){mesh->colors[t[0]][0], mesh->colors[t[0]][1], mesh->colors[t[0]][2]};
        sti_face_add(s, v[0], v[1], v[2]);
    }
}

static st_status build_model(sti_piece **piece, st_arena *arena, const st_mesh *mesh,
                             const sti_catalogue_entry *entry, const sti_class *class)
{
    corner *corners;
    uint32_t *welded;
    sti_piece *p;
    if (mesh->triangle_count > MODEL_TRIANGLES_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "expected at most %d triangles, found %zu",
                       MODEL_TRIANGLES_MAX, mesh->triangle_count);
    ST_TRY(ST_ALLOC(arena, &corners, mesh->point_count));
    ST_TRY(ST_ALLOC(arena, &welded, mesh->point_count));
    ST_TRY(ST_ALLOC(arena, &p, 1));
    ST_TRY(stand_up(corners, mesh, entry));
    qsort(corners, mesh->point_count, sizeof *corners, corner_order);

    p->class = class;
    sti_solid *s = &p->solid;
    sti_solid_init(s, arena);
    s->two_sided = true;            /* which way its faces look was never promised */
    for (size_t i = 0; i < mesh->point_count; i++) {
        const bool same = i > 0 && memcmp(corners[i].p, corners[i - 1].p, sizeof corners[i].p) == 0;
        const double *at = corners[i].p;
        welded[corners[i].from] =
            same ? (uint32_t)s->vertex_count - 1 : sti_vertex_add(s, at[0], at[1], at[2]);
    }
    ST_TRY(sti_solid_check(s));
    for (uint32_t side = 0; side < 6; side++)
        add_side(s, mesh, welded, side);
    ST_TRY(sti_solid_check(s));
    if (s->face_count == 0)
        return ST_FAIL(ST_ERR_DATA, "expected triangles, found none");
    sti_piece_settle(p);
    if (entry->top_m > 0.5 * p->height_m && entry->top_m <= p->height_m)
        sti_surface_add(p, -0.8 * p->half_m[0], -0.8 * p->half_m[1], 0.8 * p->half_m[0],
                        0.8 * p->half_m[1], entry->top_m, 0.6);
    *piece = p;
    return st_ok();
}

/* --- unpacking -------------------------------------------------------------------------------- */

/* Write a member into the folder under its last name. */
static st_status unpack(st_archive *archive, size_t index, st_arena *scratch, const char *folder)
{
    st_str bytes;
    const char *path;
    const st_str name = st_path_name(st_archive_name(archive, index));
    ST_TRY(st_archive_read(scratch, &bytes, archive, index, MODEL_BYTES_MAX));
    ST_TRY(st_arena_printf(scratch, &path, "%s/%.*s", folder, ST_STR_ARG(name)));
    return st_file_write(path, bytes.data, bytes.size);
}

static void empty_folder(st_arena *scratch, const char *folder)
{
    const char **names;
    size_t count;
    if (st_folder_list(scratch, &names, &count, folder).code != ST_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        const char *path;
        if (st_path_join(scratch, &path, folder, names[i]).code == ST_OK)
            (void)unlink(path);
    }
}

/* The OBJ file and the materials beside it in the archive, then the mesh. Materials follow the
 * model's folder: names that only end alike stay where they are. */
static st_status read_model(st_mesh *mesh, st_archive *archive, size_t index, st_arena *scratch,
                            const char *folder)
{
    const char *member = st_archive_name(archive, index), *path;
    const st_str name = st_path_name(member);
    const size_t dir = (size_t)(name.data - member);
    ST_TRY(unpack(archive, index, scratch, folder));
    for (size_t i = 0; i < st_archive_count(archive); i++) {
        const char *other = st_archive_name(archive, i);
        if (strncmp(other, member, dir) == 0 && !strchr(other + dir, '/') &&
            st_str_ends(st_str_from(other), ".mtl"))
            ST_TRY(unpack(archive, i, scratch, folder));
    }
    ST_TRY(st_arena_printf(scratch, &path, "%s/%.*s", folder, ST_STR_ARG(name)));
    return st_mesh_read(mesh, scratch, path);
}

static st_status add_model(st_furniture *f, st_archive *archive, st_arena *scratch,
                           const sti_catalogue_entry *entry, const char *folder)
{
    char member[512];
    size_t index;
    st_mesh mesh;
    sti_piece *piece;
    if (entry->model.size < 2 || entry->model.size >= sizeof member || entry->model.data[0] != '/')
        return ST_FAIL(ST_ERR_FORMAT, "expected a model path with a leading slash");
    memcpy(member, entry->model.data + 1, entry->model.size - 1);
    member[entry->model.size - 1] = '\0';
    if (!st_archive_find(&index, archive, member))
        return ST_FAIL(ST_ERR_DATA, "the archive has no member %s", member);
    const st_str stem = st_path_stem(member);
    ST_TRY(read_model(&mesh, archive, index, scratch, folder));
    ST_TRY(build_model(&piece, &f->arena, &mesh, entry, sti_model_class(stem)));
    ST_TRY(ST_GROW(&f->arena, &f->pieces, &f->capacity, f->count + 1));
    f->pieces[f->count++] = piece;
    return st_ok();
}

/* The models of the table; one that cannot be read is named in the log and left out. */
static st_status add_models(st_furniture *f, st_archive *archive, const sti_catalogue *catalogue,
                            const char *folder)
{
    st_arena scratch;
    st_arena_init(&scratch, "model");
    st_status s = st_ok();
    for (size_t i = 0; i < catalogue->count && s.code == ST_OK; i++) {
        const sti_catalogue_entry *entry = &catalogue->entries[i];
        char text[512];
        if (entry->model.size >= sizeof text)
            continue;
        memcpy(text, entry->model.data, entry->model.size);
        text[entry->model.size] = '\0';
        if (entry->model.size == 0 || !sti_model_class(st_path_stem(text)))
            continue;
        s = add_model(f, archive, &scratch, entry, folder);
        if (s.code != ST_OK && s.code != ST_ERR_MEMORY && s.code != ST_ERR_UNSUPPORTED) {
            st_log(ST_LEVEL_WARN, "synth", "%s: %s: %s: left out", f->path, text, s.text);
            s = st_ok();
        }
        empty_folder(&scratch, folder);
        st_arena_reset(&scratch);
    }
    st_arena_free(&scratch);
    if (s.code == ST_OK && f->count == 0)
        s = ST_FAIL(ST_ERR_DATA, "none of its %zu models is one that this program knows",
                    catalogue->count);
    return s;
}

static st_status read_library(st_furniture *f, st_archive *archive)
{
    size_t index;
    st_str text;
    sti_catalogue catalogue;
    if (!st_archive_find(&index, archive, "PluginFurnitureCatalog.properties"))
        return ST_FAIL(ST_ERR_FORMAT, "expected a member PluginFurnitureCatalog.properties, found "
                                      "none");
    ST_TRY(st_archive_read(&f->arena, &text, archive, index, MODEL_BYTES_MAX));
    ST_TRY(st_within(sti_catalogue_parse(&catalogue, &f->arena, text),
                     "PluginFurnitureCatalog.properties"));
    /* What is made of these models is given away without terms; only such models may go in. */
    if (!st_str_is(catalogue.license, "Public domain")) {
        const char *shown;
        ST_TRY(st_utf8_for_message(&f->arena, &shown, catalogue.license, 60));
        return ST_FAIL(ST_ERR_DATA, "expected models in the public domain, found \"license=%s\"",
                       shown);
    }
    const char *base = getenv("TMPDIR");
    const char *pattern;
    ST_TRY(st_arena_printf(&f->arena, &pattern, "%s/spatial_XXXXXX", base ? base : "/tmp"));
    char *folder = (char *)pattern;
    if (!mkdtemp(folder))
        return ST_FAIL(ST_ERR_IO, "%s: cannot make a folder to unpack to", folder);
    const st_status s = add_models(f, archive, &catalogue, folder);
    (void)rmdir(folder);
    return s;
}

st_status st_furniture_open(st_furniture **furniture, const char *path)
{
    st_archive *archive = NULL;
    st_furniture *f = calloc(1, sizeof *f);
    if (!f)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for %s", path);
    st_arena_init(&f->arena, "furniture");
    st_status s;
    ST_TRY_OR(s, out, st_digest_of_file(&f->digest, path));
    ST_TRY_OR(s, out, st_arena_copy_text(&f->arena, &f->path, path, strlen(path)));
    ST_TRY_OR(s, out, st_archive_open(&archive, path));
    ST_TRY_OR(s, out, st_within(read_library(f, archive), "%s", path));
    *furniture = f;
out:
    st_archive_close(archive);
    if (s.code != ST_OK)
        st_furniture_close(f);
    return s;
}

void st_furniture_close(st_furniture *furniture)
{
    if (!furniture)
        return;
    st_arena_free(&furniture->arena);
    free(furniture);
}
