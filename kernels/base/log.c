/* log.c - the sink, and lines on their way to it. */
#include "kernels/base/log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
    st_log_sink *sink;
    void        *context;
    st_level     finest;
} the_log;

void st_log_set(st_log_sink *sink, void *context, st_level finest)
{
    the_log.sink = sink;
    the_log.context = context;
    the_log.finest = finest;
}

void st_log(st_level level, const char *room, const char *fmt, ...)
{
    if (!the_log.sink || level > the_log.finest)
        return;
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    the_log.sink(the_log.context, level, room, line);
}

const char *st_level_name(st_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return names[level];
}
