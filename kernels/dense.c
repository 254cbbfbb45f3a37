/* dense.c - what the dense operators share. */
#include "kernels/dense_internal.h"

typedef struct walk {
    sti_block *work;
    void      *context;
    int64_t    count, block;
} walk;

static st_status walk_item(void *context, size_t item, int worker)
{
    (void)worker;
    const walk *w = context;
    const int64_t first = (int64_t)item * w->block;
    w->work(w->context, first, first + w->block < w->count ? first + w->block : w->count);
    return st_ok();
}

void sti_for(st_stream *q, int64_t count, int64_t block, sti_block *work, void *context)
{
    if (count <= 0)
        return;
    if (!q->pool || count <= block || st_pool_jobs(q->pool) == 1) {
        work(context, 0, count);
        return;
    }
    walk w = {work, context, count, block};
    const st_status s = st_pool_run(q->pool, (size_t)((count + block - 1) / block), walk_item, &w);
    ST_ASSERT(s.code == ST_OK);     /* walk_item never fails */
}

st_status sti_expect_host(const st_tensor *x, const char *name)
{
    if (x->place != ST_PLACE_HOST)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s lies on a GPU, where this operator has no body yet",
                       name);
    return st_ok();
}

st_status sti_expect_rows(const st_tensor *x, const char *name, int64_t T, int64_t C)
{
    ST_TRY(st_tensor_expect(x, name, ST_F32, 2, (int64_t[]){T, C}));
    return sti_expect_host(x, name);
}

st_status sti_expect_weight(const st_tensor *w, const char *name, int rank, const int64_t *shape)
{
    ST_TRY(st_tensor_expect(w, name, w->dtype == ST_BF16 ? ST_BF16 : ST_F32, rank, shape));
    return sti_expect_host(w, name);
}
