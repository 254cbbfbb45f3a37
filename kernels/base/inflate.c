/* inflate.c - the one file that meets zlib.
 *
 * zlib counts in 32 bits; whole buffers pass in pieces of at most 1 GiB.
 */
#include "kernels/base/inflate.h"

#include <zlib.h>

enum { PIECE_BYTES = 1 << 30 };

static uInt piece(size_t left)
{
    return (uInt)(left < PIECE_BYTES ? left : PIECE_BYTES);
}

st_status st_inflate(void *bytes, size_t size, const void *packed, size_t packed_size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed};
    if (inflateInit(&z) != Z_OK)
        return ST_FAIL(ST_ERR_MEMORY, "no memory to unpack a zlib stream");

    /* One spare byte catches a stream that is longer than expected. */
    unsigned char spare;
    unsigned char *out = bytes;
    size_t done = 0, left_in = packed_size;
    int code = Z_OK;
    while (code == Z_OK) {
        const uInt in = piece(left_in), room = done < size ? piece(size - done) : 1;
        z.avail_in = in;
        z.next_out = done < size ? out + done : &spare;
        z.avail_out = room;
        code = inflate(&z, Z_NO_FLUSH);
        left_in -= in - z.avail_in;
        const size_t made = room - z.avail_out;
        done += made;
        if (done > size || (made == 0 && in == z.avail_in))
            break;
    }
    const char *words = z.msg ? z.msg : "the stream is cut";
    st_status s = st_ok();
    if (done > size)
        s = ST_FAIL(ST_ERR_FORMAT, "zlib: expected %zu bytes, found more", size);
    else if (code != Z_STREAM_END)
        s = ST_FAIL(ST_ERR_FORMAT, "zlib: %s after %zu of %zu bytes", words, done, size);
    else if (done != size)
        s = ST_FAIL(ST_ERR_FORMAT, "zlib: expected %zu bytes, found %zu", size, done);
    inflateEnd(&z);
    return s;
}

st_status st_deflate(st_arena *arena, st_str *packed, const void *bytes, size_t size, int level)
{
    ST_ASSERT(level >= 0 && level <= 9);
    const size_t bound = compressBound((uLong)size);
    unsigned char *out;
    ST_TRY(ST_ALLOC(arena, &out, bound));

    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes};
    if (deflateInit(&z, level) != Z_OK)
        return ST_FAIL(ST_ERR_MEMORY, "no memory to pack %zu bytes", size);
    size_t done = 0, left_in = size;
    int code = Z_OK;
    while (code == Z_OK) {
        const uInt in = piece(left_in), room = piece(bound - done);
        z.avail_in = in;
        z.next_out = out + done;
        z.avail_out = room;
        code = deflate(&z, left_in == in ? Z_FINISH : Z_NO_FLUSH);
        left_in -= in - z.avail_in;
        done += room - z.avail_out;
    }
    deflateEnd(&z);
    ST_ASSERT(code == Z_STREAM_END);        /* the bound is large enough by zlib's promise */
    *packed = (st_str){(const char *)out, done};
    return st_ok();
}

uint32_t st_crc32(uint32_t crc, const void *bytes, size_t size)
{
    return (uint32_t)crc32_z(crc, bytes, size);
}
