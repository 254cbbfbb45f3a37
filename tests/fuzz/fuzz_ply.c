/* Any bytes as a PLY file: a mesh whose faces name its own vertices, or a sentence. */
#include "geometry/mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_arena arena;
    st_mesh mesh;
    st_arena_init(&arena, "fuzz");
    const st_status s = st_mesh_read_ply(&mesh, &arena, (st_str){(const char *)data, size});
    if (s.code == ST_OK)
        for (size_t i = 0; i < mesh.triangle_count; i++)
            for (int k = 0; k < 3; k++)
                ST_ASSERT(mesh.triangles[i][k] < mesh.point_count);
    else
        ST_ASSERT(s.text[0] != '\0');
    st_arena_free(&arena);
    return 0;
}
