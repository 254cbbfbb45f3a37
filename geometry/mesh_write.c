/* mesh_write.c - meshes as binary little-endian PLY, in the layout that ScanNet ships. */
#include "geometry/mesh.h"

#include "kernels/base/files.h"

#include <math.h>
#include <string.h>

enum { FLUSH_BYTES = 1 << 20 };

static const struct {
    const char *name;
    size_t      bytes;
    double      min, max;       /* of the integers */
} TYPES[] = {
    [ST_PLY_INT8] = {"char", 1, -128, 127},
    [ST_PLY_UINT8] = {"uchar", 1, 0, 255},
    [ST_PLY_INT16] = {"short", 2, -32768, 32767},
    [ST_PLY_UINT16] = {"ushort", 2, 0, 65535},
    [ST_PLY_INT32] = {"int", 4, -2147483648.0, 2147483647.0},
    [ST_PLY_UINT32] = {"uint", 4, 0, 4294967295.0},
    [ST_PLY_FLOAT32] = {"float", 4, 0, 0},
    [ST_PLY_FLOAT64] = {"double", 8, 0, 0},
};

static st_status add_number(st_text *out, const st_mesh_column *column, size_t row)
{
    const double value = column->values[row];
    if (column->type == ST_PLY_FLOAT64) {
        st_text_add_bytes(out, &value, sizeof value);
        return st_ok();
    }
    if (column->type == ST_PLY_FLOAT32) {
        const float single = (float)value;
        st_text_add_bytes(out, &single, sizeof single);
        return st_ok();
    }
    if (!(value >= TYPES[column->type].min && value <= TYPES[column->type].max) ||
        value != floor(value))
        return ST_FAIL(ST_ERR_DATA, "\"%s\" of vertex %zu is %g, does not fit %s", column->name,
                       row, value, TYPES[column->type].name);
    const int64_t whole = (int64_t)value;       /* two's complement: its low bytes are the value */
    st_text_add_bytes(out, &whole, TYPES[column->type].bytes);
    return st_ok();
}

static void add_header(st_text *out, const st_mesh *mesh)
{
    st_text_addf(out, "ply\nformat binary_little_endian 1.0\nelement vertex %zu\n",
                 mesh->point_count);
    st_text_add(out, "property float x\nproperty float y\nproperty float z\n");
    if (mesh->colors)
        st_text_add(out, "property uchar red\nproperty uchar green\nproperty uchar blue\n"
                         "property uchar alpha\n");
    for (size_t i = 0; i < mesh->column_count; i++)
        st_text_addf(out, "property %s %s\n", TYPES[mesh->columns[i].type].name,
                     mesh->columns[i].name);
    st_text_addf(out, "element face %zu\nproperty list uchar int vertex_indices\nend_header\n",
                 mesh->triangle_count);
}

static st_status flush(st_out *file, st_text *buffer, size_t above)
{
    if (buffer->size <= above)
        return st_ok();
    ST_TRY(st_text_check(buffer));
    ST_TRY(st_out_write(file, buffer->data, buffer->size));
    st_text_clear(buffer);
    return st_ok();
}

static st_status write_all(st_out *file, st_text *buffer, const st_mesh *mesh)
{
    add_header(buffer, mesh);
    for (size_t i = 0; i < mesh->point_count; i++) {
        float xyz[3];
        for (int x = 0; x < 3; x++)
            xyz[x] = (float)mesh->points_m[i][x];
        st_text_add_bytes(buffer, xyz, sizeof xyz);
        if (mesh->colors)
            st_text_add_bytes(buffer, mesh->colors[i], sizeof mesh->colors[i]);
        for (size_t c = 0; c < mesh->column_count; c++)
            ST_TRY(add_number(buffer, &mesh->columns[c], i));
        ST_TRY(flush(file, buffer, FLUSH_BYTES));
    }
    for (size_t i = 0; i < mesh->triangle_count; i++) {
        const uint8_t corners = 3;
        st_text_add_bytes(buffer, &corners, 1);
        st_text_add_bytes(buffer, mesh->triangles[i], sizeof mesh->triangles[i]);
        ST_TRY(flush(file, buffer, FLUSH_BYTES));
    }
    return flush(file, buffer, 0);
}

st_status st_mesh_write_ply(const char *path, const st_mesh *mesh)
{
    st_out file = st_out_none();
    st_text buffer;
    st_text_init(&buffer);
    st_status s = st_out_open(&file, path);
    if (s.code == ST_OK)
        s = write_all(&file, &buffer, mesh);
    if (s.code == ST_ERR_DATA)
        s = st_within(s, "%s", path);
    if (s.code == ST_OK)
        s = st_out_commit(&file);
    st_out_discard(&file);
    st_text_free(&buffer);
    return s;
}
