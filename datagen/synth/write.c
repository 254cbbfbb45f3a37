/* write.c - many houses into one folder, several at once, the same bytes on any number of threads.
 */
#include "datagen/synth/made_scan.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/pool.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_TABLE "scannetv2-labels.combined.tsv"

/* What became of one house; written by the worker that made it, read when all are done. */
typedef struct outcome {
    bool      kept;
    int64_t   objects, vertices;
    st_digest digest;               /* of its manifest.json */
    st_scene  scene;                /* ST_SYNTH_VSI only, in `keep` */
    st_arena  keep;
} outcome;

typedef struct work {
    st_synth_run            *run;
    const st_synth_settings *settings;
    st_arena                *desks;     /* one per worker, reset from house to house */
    int                      desk_count;
    outcome                 *outcomes;  /* (count) */
    st_pool                 *pool;
    st_progress             *progress;
    st_label_table          *table;
    st_text                  table_text;
} work;

/* --- settings, as manifests tell them --------------------------------------------------------- */

/* house -1: of the whole dataset. */
static void print_settings(st_text *out, const work *w, int house)
{
    static const char *const layouts[] = {"scannet", "arkit", "vsi"};
    const st_synth_settings *s = w->settings;
    st_json_writer j;
    st_json_write_start(&j, out, ST_JSON_COMPACT);
    st_json_write_object(&j);
    st_json_put_bool(&j, "ceiling", s->ceiling);
    st_json_put_int(&j, "clutter", s->clutter);
    st_json_put_double(&j, "edge_m", s->edge_m);
    if (house < 0)
        st_json_put_int(&j, "first", w->run->first);
    if (s->furniture) {
        char hex[65];
        const st_digest digest = st_furniture_digest(s->furniture);
        st_json_put_text(&j, "furniture", st_digest_print(hex, &digest));
    }
    st_json_put_double(&j, "holes", s->holes);
    if (house >= 0)
        st_json_put_int(&j, "house", house);
    else
        st_json_put_int(&j, "houses", w->run->count);
    st_json_put_text(&j, "layout", layouts[s->layout]);
    st_json_put_double(&j, "noise_m", s->noise_m);
    st_json_put_int(&j, "room_max", s->room_max);
    st_json_put_int(&j, "room_min", s->room_min);
    st_json_put_bool(&j, "shadows", s->shadows);
    st_json_write_end(&j);
}

static st_status start_manifest(st_manifest *m, st_arena *arena, const work *w, int house)
{
    st_text text;
    st_text_init(&text);
    st_manifest_init(m, arena, w->run->version, "synth", w->settings->seed);
    print_settings(&text, w, house);
    const st_status s = st_manifest_set_settings(m, &text);
    st_text_free(&text);
    return s;
}

/* --- one house -------------------------------------------------------------------------------- */

static st_status scan_folder(const char **folder, st_arena *arena, const work *w,
                             const st_synth_house *house)
{
    if (w->settings->layout == ST_SYNTH_SCANNET)
        return st_arena_printf(arena, folder, "%s/scans/%s", w->run->folder, house->scan_id);
    return st_arena_printf(arena, folder, "%s/3dod/%s/%s", w->run->folder,
                           strcmp(house->split, "val") == 0 ? "Validation" : "Training",
                           house->scan_id);
}

static st_status write_truth(st_manifest *m, const char *folder, const st_synth_house *house,
                             const st_synth_settings *settings)
{
    st_text text;
    st_text_init(&text);
    st_status s = st_synth_truth_write(&text, house, settings);
    if (s.code == ST_OK)
        s = st_manifest_write_output(m, folder, "truth.json", st_text_view(&text), -1);
    st_text_free(&text);
    return s;
}

static st_status write_scan(const work *w, st_arena *arena, const st_synth_house *house, outcome *o)
{
    const char *folder, *path;
    st_manifest manifest;
    st_json_doc *finished;
    ST_TRY(scan_folder(&folder, arena, w, house));
    ST_TRY(start_manifest(&manifest, arena, w, house->number));
    ST_TRY(st_manifest_find_finished(&finished, &manifest, folder));
    o->kept = finished != NULL;
    st_json_free(finished);
    if (!o->kept) {
        sti_scan scan;
        ST_TRY(sti_scan_house(&scan, arena, house, w->settings));
        ST_TRY((w->settings->layout == ST_SYNTH_SCANNET ? sti_write_scannet : sti_write_arkit)(
            &manifest, arena, folder, house, &scan));
        ST_TRY(write_truth(&manifest, folder, house, w->settings));
        ST_TRY(st_manifest_write(&manifest, folder));
        o->vertices = (int64_t)scan.point_count;
        o->objects = (int64_t)house->object_count;
    }
    ST_TRY(st_path_join(arena, &path, folder, "manifest.json"));
    return st_digest_of_file(&o->digest, path);
}

static st_status make_house(void *context, size_t index, int worker)
{
    const work *w = context;
    st_arena *arena = &w->desks[worker];
    outcome *o = &w->outcomes[index];
    const int number = w->run->first + (int)index;
    const st_synth_house *house;
    st_arena_reset(arena);
    ST_TRY(st_synth_house_make(&house, arena, w->settings, number));
    if (w->settings->layout == ST_SYNTH_VSI) {
        ST_TRY(st_within(st_synth_scene(&o->scene, &o->keep, house, w->settings, w->table),
                         "house %d", number));
        o->objects = (int64_t)o->scene.object_count;
    } else {
        ST_TRY(st_within(write_scan(w, arena, house, o), "%s", house->scan_id));
    }
    st_progress_step(w->progress);
    return st_ok();
}

/* --- the dataset ------------------------------------------------------------------------------ */

/* Houses are named by their numbers alone, so lists of them need no house. */
static st_status list_houses(st_manifest *m, const work *w)
{
    st_text list[3];
    for (int i = 0; i < 3; i++)
        st_text_init(&list[i]);
    const bool arkit = w->settings->layout == ST_SYNTH_ARKIT;
    if (arkit) {
        st_text_add(&list[0], "video_id,visit_id,fold,sky_direction,is_in_upsampling,"
                              "has_laser_scanner_point_clouds\n");
        st_text_add(&list[1], "video_id,visit_id,fold\n");
    }
    for (int i = 0; i < w->run->count; i++) {
        char scan_id[24], space_id[24];
        const int number = w->run->first + i;
        const bool val = sti_house_name(scan_id, space_id, w->settings->layout, number);
        if (arkit) {
            const char *fold = val ? "Validation" : "Training";
            st_text_addf(&list[0], "%s,%s,%s,Up,False,False\n", scan_id, space_id, fold);
            st_text_addf(&list[1], "%s,%s,%s\n", scan_id, space_id, fold);
        } else {
            st_text_addf(&list[val], "%s\n", scan_id);
        }
    }
    static const char *const names[2][3] = {
        {"scannetv2_train.txt", "scannetv2_val.txt", "scannetv2_test.txt"},
        {"metadata.csv", "3dod_train_val_splits.csv", NULL},
    };
    st_status s = st_ok();
    for (int i = 0; i < 3 && names[arkit][i] && s.code == ST_OK; i++) {
        s = st_text_check(&list[i]);
        if (s.code == ST_OK)
            s = st_manifest_write_output(m, w->run->folder, names[arkit][i], st_text_view(&list[i]),
                                         -1);
    }
    for (int i = 0; i < 3; i++)
        st_text_free(&list[i]);
    return s;
}

/* {"scene9000_00": digest of its manifest, ...}: ids of one run sort as their numbers do, but for
 * the step from scene9999 to scene1000. */
static st_status add_scans(st_manifest *m, const work *w)
{
    st_text text;
    st_text_init(&text);
    st_json_writer j;
    st_json_write_start(&j, &text, ST_JSON_COMPACT);
    st_json_write_object(&j);
    const bool arkit = w->settings->layout == ST_SYNTH_ARKIT;
    for (int late = 0; late < 2; late++)
        for (int i = 0; i < w->run->count; i++) {
            char scan_id[24], space_id[24], hex[65];
            const int number = w->run->first + i;
            sti_house_name(scan_id, space_id, w->settings->layout, number);
            if ((!arkit && number < 1000) == (late == 1))
                st_json_put_text(&j, scan_id, st_digest_print(hex, &w->outcomes[i].digest));
        }
    st_json_write_end(&j);
    const st_status s = st_manifest_add_section(m, "scans", &text);
    st_text_free(&text);
    return s;
}

static st_status write_metadata(st_manifest *m, const work *w)
{
    st_scene *scenes = calloc((size_t)w->run->count, sizeof *scenes);
    if (!scenes)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for %d houses", w->run->count);
    for (int i = 0; i < w->run->count; i++)
        scenes[i] = w->outcomes[i].scene;
    st_text text;
    st_text_init(&text);
    st_status s = st_scene_write_vsi(&text, scenes, (size_t)w->run->count, ST_VSI_FORM_BENCH);
    if (s.code == ST_OK)
        s = st_manifest_write_output(m, w->run->folder, "houses_meta_info.json",
                                     st_text_view(&text), -1);
    st_text_free(&text);
    free(scenes);
    return s;
}

static st_status finish(const work *w)
{
    st_arena *arena = &w->desks[0];
    st_manifest manifest;
    st_arena_reset(arena);
    ST_TRY(start_manifest(&manifest, arena, w, -1));
    if (w->settings->furniture)
        ST_TRY(st_manifest_add_input(&manifest, st_furniture_path(w->settings->furniture)));
    if (w->settings->layout == ST_SYNTH_VSI) {
        ST_TRY(write_metadata(&manifest, w));
        return st_manifest_write(&manifest, w->run->folder);
    }
    if (w->settings->layout == ST_SYNTH_SCANNET)
        ST_TRY(st_manifest_write_output(&manifest, w->run->folder, LABEL_TABLE,
                                        st_text_view(&w->table_text), -1));
    ST_TRY(list_houses(&manifest, w));
    ST_TRY(add_scans(&manifest, w));
    return st_manifest_write(&manifest, w->run->folder);
}

/* Houses made before lie there, or nothing of ScanNet's: its own label table, which cannot be got
 * back without its owners, is not written over. */
static st_status refuse_foreign_table(const work *w, st_arena *arena)
{
    const char *path, *command;
    st_str bytes;
    ST_TRY(st_path_join(arena, &path, w->run->folder, LABEL_TABLE));
    if (w->settings->layout != ST_SYNTH_SCANNET || !st_file_exists(path))
        return st_ok();
    ST_TRY(st_file_read(arena, &bytes, path, ST_TEXT_FILE_BYTES_MAX));
    if (st_str_equal(bytes, st_text_view(&w->table_text)))
        return st_ok();
    ST_TRY(st_manifest_command(&command, arena, w->run->folder));
    if (command && strcmp(command, "synth") == 0)
        return st_ok();
    return ST_FAIL(ST_ERR_USAGE, "%s: expected a folder for made houses, found the label table of "
                   "another dataset in it", w->run->folder);
}

static st_status open_work(work *w)
{
    const int count = w->run->count;
    ST_TRY(st_pool_create(&w->pool, w->run->jobs));
    w->desk_count = st_pool_jobs(w->pool);
    w->desks = calloc((size_t)w->desk_count, sizeof *w->desks);
    w->outcomes = calloc((size_t)count, sizeof *w->outcomes);
    if (!w->desks || !w->outcomes)
        return ST_FAIL(ST_ERR_MEMORY, "no memory for %d houses", count);
    for (int i = 0; i < w->desk_count; i++)
        st_arena_init(&w->desks[i], "house");
    for (int i = 0; i < count; i++)
        st_arena_init(&w->outcomes[i].keep, "scene");
    ST_TRY(st_synth_label_table(&w->table_text));
    ST_TRY(refuse_foreign_table(w, &w->desks[0]));
    ST_TRY(st_label_table_parse(&w->table, st_text_view(&w->table_text)));
    return st_progress_create(&w->progress, "houses", (size_t)count, w->run->voice);
}

static void close_work(work *w)
{
    st_progress_free(w->progress);
    st_label_table_free(w->table);
    st_text_free(&w->table_text);
    for (int i = 0; w->outcomes && i < w->run->count; i++)
        st_arena_free(&w->outcomes[i].keep);
    free(w->outcomes);
    for (int i = 0; w->desks && i < w->desk_count; i++)
        st_arena_free(&w->desks[i]);
    free(w->desks);
    st_pool_free(w->pool);
}

st_status st_synth_write(st_synth_run *run, const st_synth_settings *settings)
{
    ST_TRY(st_synth_check(settings));
    if (run->count < 1 || run->first < 0 || run->count > ST_SYNTH_HOUSES_MAX - run->first)
        return ST_FAIL(
            ST_ERR_USAGE,
            "expected 1 or more houses with numbers from 0 to %d, asked for %d from %d on",
            ST_SYNTH_HOUSES_MAX - 1, run->count, run->first);
    work w = {.run = run, .settings = settings};
    st_text_init(&w.table_text);
    st_status s = open_work(&w);
    if (s.code == ST_OK)
        s = st_pool_run(w.pool, (size_t)run->count, make_house, &w);
    if (s.code == ST_OK)
        s = finish(&w);
    run->made = run->kept = run->objects = run->vertices = 0;
    for (int i = 0; s.code == ST_OK && i < run->count; i++) {
        run->kept += w.outcomes[i].kept;
        run->made += !w.outcomes[i].kept;
        run->objects += w.outcomes[i].objects;
        run->vertices += w.outcomes[i].vertices;
    }
    close_work(&w);
    return s;
}
