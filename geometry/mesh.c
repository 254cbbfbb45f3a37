/* mesh.c - meshes told apart by their first bytes, looked into, and moved. */
#include "geometry/mesh.h"

#include "geometry/internal.h"
#include "geometry/pose.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"

#include <string.h>

st_status st_mesh_read(st_mesh *mesh, st_arena *arena, const char *path)
{
    st_map map;
    ST_TRY(st_map_open(&map, path));
    st_status s;
    if (map.size > ST_MESH_FILE_BYTES_MAX)
        s = ST_FAIL(ST_ERR_LIMIT, "%s: %zu bytes, at most %zu", path, map.size,
                    ST_MESH_FILE_BYTES_MAX);
    else if (map.size >= 4 && memcmp(map.data, "ply", 3) == 0 &&
             (map.data[3] == '\n' || map.data[3] == '\r' || map.data[3] == ' '))
        s = st_within(st_mesh_read_ply(mesh, arena, (st_str){(const char *)map.data, map.size}),
                      "%s", path);
    else
        s = st_within(sti_mesh_read_other(mesh, arena, path), "%s", path);
    st_map_close(&map);
    return s;
}

const st_mesh_column *st_mesh_find_column(const st_mesh *mesh, const char *name)
{
    for (size_t i = 0; i < mesh->column_count; i++)
        if (strcmp(mesh->columns[i].name, name) == 0)
            return &mesh->columns[i];
    return NULL;
}

void st_mesh_move(st_mesh *mesh, const double pose[16])
{
    for (size_t i = 0; i < mesh->point_count; i++)
        st_pose_apply(mesh->points_m[i], pose, mesh->points_m[i]);
}

st_status st_axis_alignment_parse(double scene_from_raw[16], st_str numbers)
{
    double pose[16];
    size_t at = 0;
    int count = 0;
    while (at < numbers.size) {
        size_t end = at;
        while (end < numbers.size && !memchr(" \t\r\n,", numbers.data[end], 5))
            end++;
        if (end > at) {
            if (count == 16)
                return ST_FAIL(ST_ERR_FORMAT, "expected 16 numbers of an alignment, found more");
            if (!st_str_double_any((st_str){numbers.data + at, end - at}, &pose[count]))
                return ST_FAIL(ST_ERR_FORMAT, "number %d of 16 of an alignment is not a number",
                               count + 1);
            count++;
        }
        at = end + 1;
    }
    if (count != 16)
        return ST_FAIL(ST_ERR_FORMAT, "expected 16 numbers of an alignment, found %d", count);
    return st_pose_mend(scene_from_raw, pose);
}
