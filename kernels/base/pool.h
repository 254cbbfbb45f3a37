/* pool.h - the same work on many items, on several threads, with one answer.
 *
 * May include: status.h.
 */
#ifndef ST_BASE_POOL_H
#define ST_BASE_POOL_H

#include "kernels/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct st_pool st_pool;

/* Work on item `index`; `worker` is in [0, jobs) and no two items run on one worker at once, so
 * per-worker scratch needs no lock. */
typedef st_status st_pool_work(void *context, size_t index, int worker);

/* jobs 0 means one per core. Threads are started here and rest between runs. */
ST_CHECKED st_status st_pool_create(st_pool **pool, int jobs);
void st_pool_free(st_pool *pool);
int  st_pool_jobs(const st_pool *pool);

/* Run work on items 0 .. count-1, handed out in order. Every item runs, also after a failure; the
 * failure of the lowest index is returned, so the answer does not depend on timing. Work that
 * wants to keep going item by item records its own status and returns st_ok. */
ST_CHECKED st_status st_pool_run(st_pool *pool, size_t count, st_pool_work *work, void *context);

#ifdef __cplusplus
}
#endif

#endif
