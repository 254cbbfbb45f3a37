/* files.h - whole files in, whole files out, folders, and never half of anything.
 *
 * A st_out becomes NAME when it is committed; until then the old NAME stands. Where the file system
 * can, it has no name before, so that nothing of it stays when the program is stopped, even by
 * kill -9; elsewhere it is NAME.part.
 *
 * May include: status.h, arena.h, text.h, limits.h.
 */
#ifndef ST_BASE_FILES_H
#define ST_BASE_FILES_H

#include "kernels/base/arena.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

/* Open a regular file to read; a folder, a pipe or a device is refused.
 *
 * Fails   ST_ERR_IO.
 */
ST_CHECKED st_status st_file_open(int *fd, size_t *size, const char *path);

/* The bytes of a regular file, in the arena, with a zero byte behind them.
 *
 * Fails   ST_ERR_IO "PATH: No such file or directory"; ST_ERR_LIMIT above bytes_max.
 */
ST_CHECKED st_status st_file_read(st_arena *arena, st_str *bytes, const char *path,
                                  size_t bytes_max);

/* A file in memory, whole; empty files give {"", 0}. What happens to the file afterwards does not
 * matter.
 *
 * Fails   ST_ERR_IO, also when it shrinks while it is read; ST_ERR_MEMORY.
 */
typedef struct st_map {
    const unsigned char *data;
    size_t               size;
} st_map;
ST_CHECKED st_status st_map_open(st_map *map, const char *path);

/* The same, read page by page as it is used: for files of gigabytes that nobody changes, such as
 * weights. One that shrinks under it stops the program (SIGBUS). */
ST_CHECKED st_status st_map_open_lazy(st_map *map, const char *path);
void st_map_close(st_map *map);

/* A file on its way. st_out_open makes the parent folders. After st_out_commit or st_out_discard
 * the value is empty; discarding an empty one is fine, so an error path may always discard. */
typedef struct st_out {
    int   fd;               /* -1: empty                              */
    bool  nameless;         /* `part` is not there before the commit  */
    char *path, *part;
} st_out;

st_out st_out_none(void);
ST_CHECKED st_status st_out_open(st_out *out, const char *path);
ST_CHECKED st_status st_out_write(st_out *out, const void *bytes, size_t size);
ST_CHECKED st_status st_out_commit(st_out *out);        /* fsync, rename */
void st_out_discard(st_out *out);

/* Write a whole file in one go, atomically. */
ST_CHECKED st_status st_file_write(const char *path, const void *bytes, size_t size);

ST_CHECKED st_status st_folder_make(const char *path);      /* with its parents; fine if there */
ST_CHECKED st_status st_folder_list(st_arena *arena, const char ***names, size_t *count,
                                    const char *path);      /* sorted by bytes, without . and .. */

/* The folder is there and holds a file by this name.
 *
 * Fails   ST_ERR_IO "m: expected a model folder, found no config.json in it", "... found nothing".
 */
ST_CHECKED st_status st_folder_expect(const char *folder, const char *what, const char *name);

bool st_file_exists(const char *path);                  /* a regular file, or what links to one */
bool st_folder_exists(const char *path);
/* Whether writing `path` would write over something that `input` stands for: the file itself, by
 * whatever name or link, or a file that is there below the folder. */
bool st_file_is_part_of(const char *path, const char *input);
ST_CHECKED st_status st_file_remove(const char *path);      /* fine if it was not there */
ST_CHECKED st_status st_file_size(const char *path, uint64_t *bytes);

/* "folder/name" in the arena. */
ST_CHECKED st_status st_path_join(st_arena *arena, const char **path, const char *folder,
                                  const char *name);
/* The part after the last slash; trailing slashes do not count. View into `path`. */
st_str st_path_name(const char *path);
/* The name without its last extension. */
st_str st_path_stem(const char *path);

#endif
