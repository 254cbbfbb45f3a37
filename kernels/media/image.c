/* image.c - a picture file, decoded by whatever this build has. */
#include "kernels/media/image.h"

#include "kernels/base/files.h"

st_status st_image_read(st_arena *arena, st_image *image, st_pixels wanted, const char *path)
{
    st_map map;
    ST_TRY(st_map_open(&map, path));
    const st_str    bytes = {(const char *)map.data, map.size};
    const st_status s = st_image_decode(arena, image, wanted, bytes, path);
    st_map_close(&map);
    return s;
}
