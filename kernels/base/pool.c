/* pool.c - threads that take the next item until none is left. */
#include "kernels/base/pool.h"

#include "kernels/base/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct worker {
    st_pool  *pool;
    pthread_t thread;
    int       index;
} worker;

struct st_pool {
    pthread_mutex_t lock;
    pthread_cond_t  work_ready, work_done;
    int             jobs, started;

    st_pool_work   *work;           /* the run in progress */
    void           *context;
    size_t          next, count;
    int             busy;           /* workers inside the run */
    uint64_t        run;            /* its number, so that sleepers know a new one */
    bool            closing;

    st_status       failure;        /* of the lowest failing index */
    size_t          failure_index;
    worker          workers[];
};

/* Take items until none is left. Called with the lock held, returns with it held. */
static void take_items(st_pool *pool, int index)
{
    while (pool->next < pool->count) {
        const size_t item = pool->next++;
        pthread_mutex_unlock(&pool->lock);
        const st_status s = pool->work(pool->context, item, index);
        pthread_mutex_lock(&pool->lock);
        if (s.code != ST_OK && (pool->failure.code == ST_OK || item < pool->failure_index)) {
            pool->failure = s;
            pool->failure_index = item;
        }
    }
}

static void *worker_main(void *argument)
{
    const worker *me = argument;
    st_pool *pool = me->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->closing && pool->run == seen)
            pthread_cond_wait(&pool->work_ready, &pool->lock);
        if (pool->closing)
            break;
        seen = pool->run;
        pool->busy++;
        take_items(pool, me->index);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->work_done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

st_status st_pool_create(st_pool **pool, int jobs)
{
    if (jobs == 0) {
        const long cores = sysconf(_SC_NPROCESSORS_ONLN);
        jobs = cores < 1 ? 1 : cores > ST_JOBS_MAX ? ST_JOBS_MAX : (int)cores;
    }
    if (jobs < 1 || jobs > ST_JOBS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "jobs must be 1 to %d, is %d", ST_JOBS_MAX, jobs);

    st_pool *made = calloc(1, sizeof *made + (size_t)jobs * sizeof(worker));
    if (!made)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for %d workers", jobs);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work_ready, NULL);
    pthread_cond_init(&made->work_done, NULL);
    made->jobs = jobs;

    /* The caller of st_pool_run is worker 0. */
    for (int i = 1; i < jobs; i++) {
        made->workers[i] = (worker){.pool = made, .index = i};
        if (pthread_create(&made->workers[i].thread, NULL, worker_main, &made->workers[i]) != 0) {
            st_pool_free(made);
            return ST_FAIL(ST_ERR_MEMORY, "the system refused thread %d of %d", i + 1, jobs);
        }
        made->started = i;
    }
    *pool = made;
    return st_ok();
}

void st_pool_free(st_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work_ready);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 1; i <= pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->work_ready);
    pthread_cond_destroy(&pool->work_done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int st_pool_jobs(const st_pool *pool)
{
    return pool->jobs;
}

st_status st_pool_run(st_pool *pool, size_t count, st_pool_work *work, void *context)
{
    pthread_mutex_lock(&pool->lock);
    pool->work = work;
    pool->context = context;
    pool->next = 0;
    pool->count = count;
    pool->failure = st_ok();
    pool->run++;
    pthread_cond_broadcast(&pool->work_ready);

    take_items(pool, 0);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->work_done, &pool->lock);
    const st_status s = pool->failure;
    pthread_mutex_unlock(&pool->lock);
    return s;
}
