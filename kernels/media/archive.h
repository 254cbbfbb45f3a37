/* archive.h - zip archives: what is inside, and the bytes of a member, checked.
 *
 * May include: kernels/base.
 */
#ifndef ST_ARCHIVE_H
#define ST_ARCHIVE_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef struct st_archive st_archive;

/* Open a zip file for reading.
 *
 * Fails   ST_ERR_IO; ST_ERR_FORMAT not a zip file, or inconsistent; ST_ERR_LIMIT more than
 *         ST_ARCHIVE_MEMBERS_MAX members; ST_ERR_UNSUPPORTED libzip is not built in.
 */
ST_CHECKED st_status st_archive_open(st_archive **archive, const char *path);

/* The same from bytes, which are borrowed until the archive is closed. */
ST_CHECKED st_status st_archive_open_bytes(st_archive **archive, st_str bytes);

void st_archive_close(st_archive *archive);                 /* NULL is fine */

size_t st_archive_count(const st_archive *archive);

/* Name of a member, zero-terminated UTF-8, good while the archive is open; a folder's ends in a
 * slash. */
const char *st_archive_name(const st_archive *archive, size_t index);

/* Index of the member of that very name; false when there is none. */
bool st_archive_find(size_t *index, const st_archive *archive, const char *name);

/* The bytes of a member, in the arena, with a zero byte behind them. Its length and CRC-32 are
 * checked; what the archive says of the length is not trusted.
 *
 * Fails   ST_ERR_USAGE no such index; ST_ERR_LIMIT above bytes_max; ST_ERR_FORMAT damaged;
 *         ST_ERR_UNSUPPORTED encrypted, or packed in a way that this libzip does not know.
 */
ST_CHECKED st_status st_archive_read(st_arena *arena, st_str *bytes, st_archive *archive,
                                     size_t index, size_t bytes_max);

#endif
