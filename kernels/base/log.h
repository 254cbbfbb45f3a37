/* log.h - what the libraries have to say while they work.
 *
 * The one global of the program: a sink that main sets and everybody may call. Without a sink
 * nothing is written. Kernels do not log.
 *
 * May include: status.h.
 */
#ifndef ST_BASE_LOG_H
#define ST_BASE_LOG_H

#include "kernels/base/status.h"

typedef enum st_level { ST_LEVEL_ERROR, ST_LEVEL_WARN, ST_LEVEL_INFO, ST_LEVEL_DEBUG } st_level;

typedef void st_log_sink(void *context, st_level level, const char *room, const char *line);

/* Called once, by main, before any thread starts. */
void st_log_set(st_log_sink *sink, void *context, st_level finest);

/* st_log(ST_LEVEL_INFO, "datagen", "scene0011_00: 34 instances, 21.4 m2") */
ST_PRINTF(3, 4) void st_log(st_level level, const char *room, const char *fmt, ...);

const char *st_level_name(st_level level);

#endif
