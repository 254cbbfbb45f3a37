/* progress.c - one line on stderr that says how far and how long. */
#include "kernels/base/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct st_progress {
    pthread_mutex_t lock;
    const char     *what;
    size_t          done, total;
    double          start_s, shown_s;
    bool            quiet, terminal, drawn;
};

double st_clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

st_status st_progress_create(st_progress **progress, const char *what, size_t total, st_voice voice)
{
    st_progress *made = calloc(1, sizeof *made);
    if (!made)
        return ST_FAIL(ST_ERR_MEMORY, "no memory to show progress");
    pthread_mutex_init(&made->lock, NULL);
    made->what = what;
    made->total = total;
    made->start_s = made->shown_s = st_clock_s();
    made->quiet = voice == ST_VOICE_QUIET;
    made->terminal = isatty(STDERR_FILENO);
    *progress = made;
    return st_ok();
}

void st_progress_step(st_progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    progress->done++;
    const double now_s = st_clock_s();
    const double pause_s = progress->terminal ? 0.25 : 10.0;
    if (!progress->quiet && now_s - progress->shown_s >= pause_s) {
        const double spent_s = now_s - progress->start_s;
        const double left_s = spent_s / (double)progress->done *
                              (double)(progress->total - progress->done);
        fprintf(stderr, progress->terminal ? "\r\033[K%zu of %zu %s, %.0f s left"
                                           : "%zu of %zu %s, %.0f s left\n",
                progress->done, progress->total, progress->what, left_s);
        progress->shown_s = now_s;
        progress->drawn = true;
    }
    pthread_mutex_unlock(&progress->lock);
}

void st_progress_free(st_progress *progress)
{
    if (!progress)
        return;
    if (progress->drawn && progress->terminal)
        fputs("\r\033[K", stderr);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
