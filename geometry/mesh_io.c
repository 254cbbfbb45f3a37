/* mesh_io.c - every mesh format that is not PLY, through Assimp: the only file that meets it.
 *
 * No post-processing is asked for: joining, splitting or sorting would lose the order of the
 * vertices. The scene graph is flattened into one mesh, node by node, depth first. Where vertices
 * have no colours of their own they take the diffuse colour of their material.
 */
#include "geometry/internal.h"
#include "geometry/mesh.h"
#include "kernels/base/limits.h"

#include <assimp/cimport.h>
#include <assimp/material.h>
#include <assimp/scene.h>
#include <pthread.h>
#include <string.h>

/* Assimp keeps its last error in one place for all threads. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

enum { NODE_DEPTH_MAX = 256 };

typedef struct reader {
    const struct aiScene *scene;
    st_mesh  *mesh;
    st_arena *arena;
    size_t    point_capacity, color_capacity, triangle_capacity;
} reader;

static uint8_t byte_of(float x)
{
    return (uint8_t)(sti_clamp((double)x, 0.0, 1.0) * 255.0 + 0.5);
}

static st_status add_triangles(reader *r, const struct aiMesh *part, size_t first)
{
    for (unsigned f = 0; f < part->mNumFaces; f++) {
        const struct aiFace *face = &part->mFaces[f];
        for (unsigned k = 0; k < face->mNumIndices; k++)
            if (face->mIndices[k] >= part->mNumVertices)
                return ST_FAIL(ST_ERR_DATA, "face %u names vertex %u of %u", f, face->mIndices[k],
                               part->mNumVertices);
        for (unsigned k = 2; k < face->mNumIndices; k++) {
            const size_t at = r->mesh->triangle_count;
            if (at == ST_TRIANGLES_MAX)
                return ST_FAIL(ST_ERR_LIMIT, "more than %zu triangles", ST_TRIANGLES_MAX);
            ST_TRY(ST_GROW(r->arena, &r->mesh->triangles, &r->triangle_capacity, at + 1));
            r->mesh->triangles[at][0] = (uint32_t)(first + face->mIndices[0]);
            r->mesh->triangles[at][1] = (uint32_t)(first + face->mIndices[k - 1]);
            r->mesh->triangles[at][2] = (uint32_t)(first + face->mIndices[k]);
            r->mesh->triangle_count++;
        }
    }
    return st_ok();
}

static st_status add_part(reader *r, const struct aiMesh *part, const double world[16])
{
    const size_t first = r->mesh->point_count, count = part->mNumVertices;
    if (count > ST_POINTS_MAX - first)
        return ST_FAIL(ST_ERR_LIMIT, "more than %zu vertices", ST_POINTS_MAX);
    ST_TRY(ST_GROW(r->arena, &r->mesh->points_m, &r->point_capacity, first + count));
    ST_TRY(ST_GROW(r->arena, &r->mesh->colors, &r->color_capacity, first + count));

    struct aiColor4D plain = {1.0f, 1.0f, 1.0f, 1.0f};
    if (part->mMaterialIndex < r->scene->mNumMaterials)
        aiGetMaterialColor(r->scene->mMaterials[part->mMaterialIndex], AI_MATKEY_COLOR_DIFFUSE,
                           &plain);
    for (size_t i = 0; i < count; i++) {
        const struct aiVector3D *v = &part->mVertices[i];
        const double p[3] = {v->x, v->y, v->z};
        for (int x = 0; x < 3; x++)
            r->mesh->points_m[first + i][x] = sti_dot(world + 4 * x, p) + world[4 * x + 3];
        const struct aiColor4D c = part->mColors[0] ? part->mColors[0][i] : plain;
        const uint8_t bytes[4] = {byte_of(c.r), byte_of(c.g), byte_of(c.b), byte_of(c.a)};
        memcpy(r->mesh->colors[first + i], bytes, sizeof bytes);
    }
    r->mesh->point_count = first + count;
    return add_triangles(r, part, first);
}

static st_status add_node(reader *r, const struct aiNode *node, const double above[16], int depth)
{
    if (depth > NODE_DEPTH_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "nodes nest deeper than %d", NODE_DEPTH_MAX);
    const struct aiMatrix4x4 *t = &node->mTransformation;
    const double own[16] = {t->a1, t->a2, t->a3, t->a4, t->b1, t->b2, t->b3, t->b4,
                            t->c1, t->c2, t->c3, t->c4, t->d1, t->d2, t->d3, t->d4};
    double world[16] = {0};
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 4; k++)
            world[i] += above[i / 4 * 4 + k] * own[4 * k + i % 4];
    for (unsigned m = 0; m < node->mNumMeshes; m++)
        ST_TRY(add_part(r, r->scene->mMeshes[node->mMeshes[m]], world));
    for (unsigned c = 0; c < node->mNumChildren; c++)
        ST_TRY(add_node(r, node->mChildren[c], world, depth + 1));
    return st_ok();
}

st_status sti_mesh_read_other(st_mesh *mesh, st_arena *arena, const char *path)
{
    pthread_mutex_lock(&guard);
    const struct aiScene *scene = aiImportFile(path, 0);
    st_status s = st_ok();
    if (!scene)
        s = ST_FAIL(ST_ERR_FORMAT, "Assimp cannot read it: %s", aiGetErrorString());
    pthread_mutex_unlock(&guard);
    if (!scene)
        return s;

    static const double identity[16] = {[0] = 1, [5] = 1, [10] = 1, [15] = 1};
    st_mesh made = {.point_count = 0};
    reader r = {.scene = scene, .mesh = &made, .arena = arena};
    if (scene->mRootNode)
        s = add_node(&r, scene->mRootNode, identity, 0);
    if (s.code == ST_OK && made.point_count == 0)
        s = ST_FAIL(ST_ERR_DATA, "holds no mesh");
    aiReleaseImport(scene);
    if (s.code == ST_OK)
        *mesh = made;
    return s;
}
