/* Any bytes as a zip archive: opened and read within its caps, or refused, and never a crash. */
#include "kernels/media/archive.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_archive *archive;
    if (st_archive_open_bytes(&archive, (st_str){(const char *)data, size}).code != ST_OK)
        return 0;
    st_arena arena;
    st_arena_init(&arena, "fuzz");
    for (size_t i = 0; i < st_archive_count(archive) && i < 64; i++) {
        size_t found;
        st_str bytes;
        (void)st_archive_find(&found, archive, st_archive_name(archive, i));
        if (st_archive_read(&arena, &bytes, archive, i, (size_t)1 << 20).code == ST_OK &&
            bytes.data[bytes.size] != '\0')
            __builtin_trap();
        st_arena_reset(&arena);
    }
    st_arena_free(&arena);
    st_archive_close(archive);
    return 0;
}
