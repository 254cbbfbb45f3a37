/* write.c - many houses into one folder, several at once, the same bytes on any number of threads.
 */
#include "datagen/synth/internal.h"

#include "kernels/base/files.h"
#include "kernels/base/pool.h"

#include <stdlib.h>

/* A worker's own memory, reused from house to house. */
typedef struct desk {
    st_arena arena;
} desk;

typedef struct run {
    const st_synth_settings *settings;
    const char     *folder;
    int             first;
    desk           *desks;          /* one per worker */
    st_progress    *progress;
    st_label_table *table;
    st_scene       *scene;          /* (count) ST_SYNTH_VSI: one per house, each in its own arena */
    st_arena       *keep;
} run;

static st_status draw_scene(void *context, size_t index, int worker)
{
    const run *r = context;
    st_arena *arena = &r->desks[worker].arena;
    st_arena_reset(arena);
    const st_synth_house *house;
    const int number = r->first + (int)index;
    ST_TRY(st_synth_house_make(&house, arena, r->settings, number));
    ST_TRY(st_within(st_synth_scene(&r->scene[index], &r->keep[index], house, r->settings, r->table),
                     "house %d", number));
    st_progress_step(r->progress);
    return st_ok();
}

static st_status write_metadata(run *r, st_pool *pool, int count, st_synth_report *report)
{
    st_text text;
    st_text_init(&text);
    st_status s = st_ok();
    r->scene = calloc((size_t)count, sizeof *r->scene);
    r->keep = calloc((size_t)count, sizeof *r->keep);
    if (!r->scene || !r->keep) {
        s = ST_FAIL(ST_ERR_MEMORY, "no memory for %d houses", count);
        goto out;
    }
    for (int i = 0; i < count; i++)
        st_arena_init(&r->keep[i], "house");
    ST_TRY_OR(s, out, st_pool_run(pool, (size_t)count, draw_scene, r));
    ST_TRY_OR(s, out, st_scene_write_vsi(&text, r->scene, (size_t)count, ST_VSI_FORM_BENCH));
    st_arena *paths = &r->desks[0].arena;
    const char *path;
    ST_TRY_OR(s, out, st_path_join(paths, &path, r->folder, "houses_meta_info.json"));
    ST_TRY_OR(s, out, st_file_write(path, text.data, text.size));
    for (int i = 0; i < count; i++)
        report->objects += (int64_t)r->scene[i].object_count;
    report->made = count;
out:
    for (int i = 0; r->keep && i < count; i++)
        st_arena_free(&r->keep[i]);
    free(r->keep);
    free(r->scene);
    st_text_free(&text);
    return s;
}

static st_status check_range(int first, int count)
{
    if (count < 1 || first < 0 || count > ST_SYNTH_HOUSES_MAX - first)
        return ST_FAIL(ST_ERR_USAGE,
                       "expected 1 or more houses with numbers from 0 to %d, asked for %d from %d on",
                       ST_SYNTH_HOUSES_MAX - 1, count, first);
    return st_ok();
}

st_status st_synth_write(st_synth_report *report, const char *folder,
                         const st_synth_settings *settings, int first, int count, int jobs,
                         st_voice voice)
{
    ST_TRY(st_synth_check(settings));
    ST_TRY(check_range(first, count));
    st_synth_report done = {0};
    run r = {.settings = settings, .folder = folder, .first = first};
    st_pool *pool = NULL;
    st_text table;
    st_text_init(&table);
    st_status s = st_ok();
    int workers = 0;

    ST_TRY_OR(s, out, st_pool_create(&pool, jobs));
    workers = st_pool_jobs(pool);
    r.desks = calloc((size_t)workers, sizeof *r.desks);
    if (!r.desks) {
        s = ST_FAIL(ST_ERR_MEMORY, "no memory for %d workers", workers);
        goto out;
    }
    for (int i = 0; i < workers; i++)
        st_arena_init(&r.desks[i].arena, "house");
    ST_TRY_OR(s, out, st_synth_label_table(&table));
    ST_TRY_OR(s, out, st_label_table_parse(&r.table, st_text_view(&table)));
    ST_TRY_OR(s, out, st_progress_create(&r.progress, "houses", (size_t)count, voice));
    ST_TRY_OR(s, out, write_metadata(&r, pool, count, &done));
    *report = done;
out:
    st_progress_free(r.progress);
    st_label_table_free(r.table);
    for (int i = 0; r.desks && i < workers; i++)
        st_arena_free(&r.desks[i].arena);
    free(r.desks);
    st_pool_free(pool);
    st_text_free(&table);
    return s;
}
