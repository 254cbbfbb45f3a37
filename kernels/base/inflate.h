/* inflate.h - zlib streams out of memory and into memory, and their checksum.
 *
 * May include: status.h, arena.h, text.h.
 */
#ifndef ST_BASE_INFLATE_H
#define ST_BASE_INFLATE_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* Unpack a whole zlib stream into exactly `size` bytes.
 *
 * Fails   ST_ERR_FORMAT the stream is broken, cut, or has another size than expected; `bytes` is
 *         then undefined.
 */
ST_CHECKED st_status st_inflate(void *bytes, size_t size, const void *packed, size_t packed_size);

/* Pack bytes into one zlib stream in the arena; the same bytes give the same stream.
 *
 *   level   0 stores, 9 is smallest; 6 is the usual compromise
 */
ST_CHECKED st_status st_deflate(st_arena *arena, st_str *packed, const void *bytes, size_t size,
                                int level);

/* CRC-32 as PNG and zip use it; start from 0 and feed the parts in order. */
uint32_t st_crc32(uint32_t crc, const void *bytes, size_t size);

#endif
