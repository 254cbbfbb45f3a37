/* inspect.h - the views of `spatial inspect`: one function a kind of thing, one file each.
 *
 * May include: command.h.
 */
#ifndef ST_INSPECT_H
#define ST_INSPECT_H

#include "tools/command.h"

/* Each prints to stdout what lies at `path`, as a readable table or, with --json, an object a
 * line. Failures of single things are said on stderr and set *exit_code to ST_EXIT_INPUT. */
st_status inspect_labels(st_exit *exit_code, const st_args *args, const char *path);
st_status inspect_label_table(st_exit *exit_code, const st_args *args, const char *path);
st_status inspect_scenes(st_exit *exit_code, const st_args *args, const char *path);
st_status inspect_rows(st_exit *exit_code, const st_args *args, const char *path);
st_status inspect_model(st_exit *exit_code, const st_args *args, const char *path);

#endif
