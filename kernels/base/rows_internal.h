/* rows_internal.h - what the row formats share: walking JSONL, copying texts out of a document.
 *
 * May include: rows.h.
 */
#ifndef ST_BASE_ROWS_INTERNAL_H
#define ST_BASE_ROWS_INTERNAL_H

#include "kernels/base/rows.h"

/* What reads one line: `root` is its object. */
typedef st_status sti_row_reader(void *rows, st_arena *arena, st_json root, size_t line);

/* Hand every line that is not blank to `read`. Failures say "line 12, column 3: ..." for what is
 * not JSON, "line 12: PATH: ..." for what is not a row. */
ST_CHECKED st_status sti_rows_parse_lines(void *rows, st_arena *arena, st_str text,
                                          sti_row_reader *read);

/* Map a file and hand its bytes to `parse`; failures name the path. */
typedef st_status sti_text_parser(void *rows, st_arena *arena, st_str text);
ST_CHECKED st_status sti_rows_read_file(void *rows, st_arena *arena, const char *path,
                                        sti_text_parser *parse);

ST_CHECKED st_status sti_row_copy_text(const char **copy, st_arena *arena, const st_json *parent,
                                       const char *key);

/* The same, NULL when the member is absent or null. */
ST_CHECKED st_status sti_row_copy_text_or_none(const char **copy, st_arena *arena,
                                               const st_json *parent, const char *key);

/* Texts of an array member into a fixed array; absent and null count as empty. */
ST_CHECKED st_status sti_row_copy_texts(const char **copies, int *count, int max, st_arena *arena,
                                        const st_json *parent, const char *key);

void sti_row_write_options(st_json_writer *w, const char *const *options, int count);

#endif
