/* mesh.h - triangle meshes: read from any format, moved, written as PLY.
 *
 * The order of the vertices is a contract with the files beside a mesh (segments, labels), so
 * readers keep every vertex where it was, also those that are not finite or that no face uses.
 *
 * May include: kernels/base.
 */
#ifndef ST_GEOMETRY_MESH_H
#define ST_GEOMETRY_MESH_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* The number types of PLY, in its own order. */
typedef enum st_ply_type {
    ST_PLY_NONE,
    ST_PLY_INT8,
    ST_PLY_UINT8,
    ST_PLY_INT16,
    ST_PLY_UINT16,
    ST_PLY_INT32,
    ST_PLY_UINT32,
    ST_PLY_FLOAT32,
    ST_PLY_FLOAT64
} st_ply_type;

/* A further number per vertex: "label", "instance_id", "nx" ... */
typedef struct st_mesh_column {
    const char *name;
    st_ply_type type;           /* how the file held it, and how it will be written */
    double     *values;         /* (N) */
} st_mesh_column;

typedef struct st_mesh {
    double (*points_m)[3];      /* (N,3) may hold NaN                       */
    size_t    point_count;
    uint32_t (*triangles)[3];   /* (M,3) each index is below point_count    */
    size_t    triangle_count;
    uint8_t (*colors)[4];       /* (N,4) red green blue alpha, or NULL      */
    st_mesh_column *columns;
    size_t    column_count;
} st_mesh;

/* Read a mesh; it lives in the arena. PLY, told by its first bytes, is read by our own reader,
 * every other format by Assimp, without colours of its own a vertex takes those of its material.
 * Polygons become fans of triangles. Coordinates stay as the file has them: glTF counts Y as up.
 *
 * Fails   ST_ERR_IO; ST_ERR_FORMAT not what it claims, with line or byte; ST_ERR_DATA a face names
 *         a vertex that is not there; ST_ERR_LIMIT above ST_POINTS_MAX; ST_ERR_UNSUPPORTED
 *         big-endian PLY, or Assimp not built in.
 */
ST_CHECKED st_status st_mesh_read(st_mesh *mesh, st_arena *arena, const char *path);

/* The same from the bytes of a PLY file: ascii or binary little-endian, any order of elements and
 * properties, lists of any type, comments, CRLF. */
ST_CHECKED st_status st_mesh_read_ply(st_mesh *mesh, st_arena *arena, st_str bytes);

/* The column of a name, or NULL. */
const st_mesh_column *st_mesh_find_column(const st_mesh *mesh, const char *name);

/* Write a binary little-endian PLY as ScanNet ships it: x y z as float, red green blue alpha as
 * uchar where there are colours, the columns in their types, faces as uchar count and int indices.
 *
 * Fails   ST_ERR_IO; ST_ERR_DATA a column's value does not fit its type.
 */
ST_CHECKED st_status st_mesh_write_ply(const char *path, const st_mesh *mesh);

/* Move every point: p' = pose p. Points that are not finite stay so. */
void st_mesh_move(st_mesh *mesh, const double pose[16]);

/* The 16 numbers of an `axisAlignment` line, blanks or commas between them, as a rigid motion with
 * its rotation projected to the nearest one (data.md 1.2).
 *
 * Fails   ST_ERR_FORMAT not 16 numbers; st_pose_mend's failures.
 */
ST_CHECKED st_status st_axis_alignment_parse(double scene_from_raw[16], st_str numbers);

#endif
