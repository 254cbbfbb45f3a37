/* mesh_io_absent.c - what a build without Assimp says about formats that are not PLY. */
#include "geometry/internal.h"
#include "geometry/mesh.h"

st_status sti_mesh_read_other(st_mesh *mesh, st_arena *arena, const char *path)
{
    (void)mesh, (void)arena, (void)path;
    return ST_FAIL(ST_ERR_UNSUPPORTED,
                   "not a PLY file, and this build reads no other: install libassimp-dev");
}
