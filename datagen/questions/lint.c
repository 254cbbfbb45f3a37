/* lint.c - answering every row again, on several threads, and adding up. */
#include "datagen/questions/lint_internal.h"

#include "kernels/base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char EXACT[] = "object_abs_distance_exact";

const char *st_lint_verdict_name(st_lint_verdict verdict)
{
    static const char *const names[] = {"agree", "disagree", "unanswerable"};
    return names[verdict];
}

const char *st_lint_note_name(st_lint_note note)
{
    static const char *const names[ST_LINT_NOTE_COUNT] = {
        "near_tie", "duplicate", "tilted", "thin", "several", "count_mismatch", "options",
        "choices", "same_id"};
    for (int i = 0; i < ST_LINT_NOTE_COUNT; i++)
        if (note == (st_lint_note)(1 << i))
            return names[i];
    return "";
}

/* --- finding a row's scene --- */

typedef struct lint_run {
    st_lint_report         *report;
    const st_scene        **by_name;        /* sorted by scene id, then dataset */
    size_t                  scene_count;
    const st_template_pack *packs;
    size_t                  pack_count;
    st_arena               *words, *scratch;        /* one per worker */
} lint_run;

static int compare_scenes(const void *a, const void *b)
{
    const st_scene *x = *(const st_scene *const *)a, *y = *(const st_scene *const *)b;
    const int       order = strcmp(x->scene_id, y->scene_id);
    return order ? order : strcmp(x->dataset, y->dataset);
}

/* By name, and among equal names by the dataset the row gives. */
static const st_scene *find_scene(const lint_run *run, const st_vsi_row *row)
{
    size_t low = 0, high = run->scene_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(run->by_name[middle]->scene_id, row->scene_name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const st_scene *any = NULL;
    for (; low < run->scene_count && strcmp(run->by_name[low]->scene_id, row->scene_name) == 0;
         low++) {
        if (strcmp(run->by_name[low]->dataset, row->dataset) == 0)
            return run->by_name[low];
        any = run->by_name[low];
    }
    /* Made scenes have dataset names of their own: the one scene of that name must be meant. */
    return any;
}

/* --- one row --- */

/* What a row asks, so that rows which ask the same have the same key. Where two slots are worth
 * the same, they stand in order. */
static st_status print_key(const sti_lint_task *t)
{
    const st_vsi_row *row = t->row;
    if (!t->reading)
        return st_arena_printf(t->words, &t->result->key, "%s\n%s\n%s", row->question_type,
                               row->scene_name, row->question);
    st_text key;
    st_text_init(&key);
    st_text_addf(&key, "%s\n%s", row->question_type, row->scene_name);
    const char *a = st_reading_slot(t->reading, "a"), *b = st_reading_slot(t->reading, "b");
    if (a && b)
        st_text_addf(&key, "\n%s\n%s", strcmp(a, b) < 0 ? a : b, strcmp(a, b) < 0 ? b : a);
    else
        for (int i = 0; i < t->reading->slot_count; i++)
            st_text_addf(&key, "\n%s=%s", t->reading->slots[i].name, t->reading->slots[i].value);
    st_status s = st_text_check(&key);
    if (s.code == ST_OK)
        s = st_arena_copy_text(t->words, &t->result->key, key.data, key.size);
    st_text_free(&key);
    return s;
}

static st_status read_question(st_reading *reading, bool *found, const lint_run *run,
                               st_arena *scratch, st_question type, const char *question)
{
    *found = false;
    for (size_t i = 0; i < run->pack_count && !*found; i++)
        ST_TRY(st_phrasing_read(reading, found, scratch, &run->packs[i], type, question));
    return st_ok();
}

static st_status lint_row(const lint_run *run, size_t index, st_arena *words, st_arena *scratch)
{
    const st_vsi_row *row = &run->report->rows->rows[index];
    st_lint_row      *result = &run->report->results[index];
    st_reading        reading;
    bool              found = false;
    sti_lint_task     task = {.row = row, .words = words, .scratch = scratch, .result = result,
                              .scene = find_scene(run, row)};

    *result = (st_lint_row){.first = index, .namesake = index,
                            .notes = sti_lint_unfair(row) ? ST_LINT_CHOICES : 0};
    const bool known = st_question_find(&task.type, row->question_type) &&
                       task.type != ST_QUESTION_ROUTE;      /* boxes know no floor to walk on */
    if (known)
        ST_TRY(read_question(&reading, &found, run, scratch, task.type, row->question));
    task.reading = found ? &reading : NULL;
    ST_TRY(print_key(&task));
    if (!known)
        return sti_lint_cannot(result, words, "\"%.60s\" asks about the video, not the boxes",
                               row->question_type);
    if (!task.scene)
        return sti_lint_cannot(result, words, "no metadata of scene %.60s", row->scene_name);
    if (!found)
        return sti_lint_cannot(result, words, "no known wording of %s: \"%.80s\"",
                               row->question_type, row->question);
    return sti_lint_answer(&task);
}

static st_status lint_item(void *context, size_t index, int worker)
{
    const lint_run *run = context;
    st_arena       *scratch = &run->scratch[worker];
    const st_status s = lint_row(run, index, &run->words[worker], scratch);
    st_arena_reset(scratch);
    return s;
}

/* --- adding up --- */

typedef struct keyed {
    const char *key;
    size_t      index;
} keyed;

static int compare_keys(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    const int    order = strcmp(x->key, y->key);
    return order ? order : x->index < y->index ? -1 : 1;
}

/* Mark every row whose key an earlier row has, and write that row's index into *first_of(row). */
static void mark_repeats(st_lint_report *report, keyed *keys, st_lint_note note,
                         size_t *first_of(st_lint_row *row))
{
    const size_t count = report->rows->count;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (strcmp(keys[first].key, keys[i].key) != 0) {
            first = i;
            continue;
        }
        report->results[keys[i].index].notes |= note;
        *first_of(&report->results[keys[i].index]) = keys[first].index;
    }
}

static size_t *first_that_asked(st_lint_row *row)
{
    return &row->first;
}

static size_t *first_of_that_id(st_lint_row *row)
{
    return &row->namesake;
}

static st_status find_duplicates(st_lint_report *report, st_arena *scratch)
{
    const size_t count = report->rows->count;
    keyed       *keys;
    ST_TRY(ST_ALLOC(scratch, &keys, count));
    for (size_t i = 0; i < count; i++)
        keys[i] = (keyed){report->results[i].key, i};
    mark_repeats(report, keys, ST_LINT_DUPLICATE, first_that_asked);
    for (size_t i = 0; i < count; i++)
        keys[i] = (keyed){report->rows->rows[i].id, i};
    mark_repeats(report, keys, ST_LINT_SAME_ID, first_of_that_id);
    return st_ok();
}

static st_status find_type(st_lint_type **type, st_lint_report *report, const char *name)
{
    for (size_t i = 0; i < report->type_count; i++)
        if (strcmp(report->types[i].name, name) == 0) {
            *type = &report->types[i];
            return st_ok();
        }
    if (report->type_count == ST_LINT_TYPES_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "more than %d question types", ST_LINT_TYPES_MAX);
    *type = &report->types[report->type_count++];
    **type = (st_lint_type){.name = name, .blind_share = -1.0, .blind_mra = -1.0};
    return st_ok();
}

static st_status add_up(st_lint_report *report, st_arena *scratch)
{
    for (size_t i = 0; i < report->rows->count; i++) {
        const st_lint_row *r = &report->results[i];
        const char        *name = report->rows->rows[i].question_type;
        st_lint_type      *type;
        ST_TRY(find_type(&type, report, name));
        type->rows++;
        type->verdicts[r->verdict]++;
        for (int k = 0; k < ST_LINT_NOTE_COUNT; k++)
            report->notes[k] += r->notes >> k & 1;
        if (strcmp(name, "object_abs_distance") != 0)
            continue;
        ST_TRY(find_type(&type, report, EXACT));
        type->rows++;
        type->verdicts[r->has_exact ? r->exact_verdict : ST_LINT_UNANSWERABLE]++;
    }
    for (size_t i = 0; i < report->type_count; i++)
        if (strcmp(report->types[i].name, EXACT) != 0)
            ST_TRY(sti_lint_blind(&report->types[i], scratch, report));
    return st_ok();
}

static void look_at_boxes(st_lint_boxes *b, const st_scene_list *scenes)
{
    *b = (st_lint_boxes){.scenes = scenes->count};
    for (size_t i = 0; i < scenes->count; i++) {
        const st_scene *s = &scenes->scenes[i];
        b->count += s->object_count;
        for (size_t k = 0; k < s->object_count; k++) {
            const unsigned flags = s->objects[k].flags;
            b->tilted += (flags & ST_FLAG_TILTED) != 0;
            b->thin += st_obb_shortest_side(&s->objects[k].box) < ST_LINT_THIN_M;
            b->bounds += (flags & ST_FLAG_BOUNDS) != 0;
            b->mended += (flags & ST_FLAG_MENDED) != 0;
        }
        for (size_t k = 0; k < s->warning_count; k++) {
            b->count_mismatch += strcmp(s->warnings[k].code, "count_mismatch") == 0;
            b->unknown_label += strcmp(s->warnings[k].code, "unknown_label") == 0;
        }
    }
}

bool st_lint_exact_only(const st_lint_row *row)
{
    return row->verdict == ST_LINT_DISAGREE && row->has_exact &&
           row->exact_verdict == ST_LINT_AGREE;
}

st_lint_sums st_lint_sum(const st_lint_report *report)
{
    st_lint_sums sums = {0};
    for (size_t i = 0; i < report->rows->count; i++) {
        const st_lint_row *r = &report->results[i];
        const bool         exact_only = st_lint_exact_only(r);
        sums.exact_only += exact_only;
        sums.sampled_only += r->verdict == ST_LINT_AGREE && r->has_exact &&
                             r->exact_verdict == ST_LINT_DISAGREE;
        sums.agree += r->verdict == ST_LINT_AGREE || exact_only;
        sums.disagree += r->verdict == ST_LINT_DISAGREE && !exact_only;
        sums.unanswerable += r->verdict == ST_LINT_UNANSWERABLE;
    }
    return sums;
}

bool st_lint_disagrees(const st_lint_report *report)
{
    return st_lint_sum(report).disagree > 0 || report->boxes.bounds > 0 ||
           report->boxes.mended > 0;
}

/* --- the whole --- */

/* Words of worker arenas move into the report's, which outlives them. */
static st_status keep_words(st_lint_report *report, st_arena *arena)
{
    for (size_t i = 0; i < report->rows->count; i++) {
        st_lint_row *r = &report->results[i];
        const char **texts[] = {&r->value, &r->answer, &r->reason, &r->key, &r->exact_value};
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            if (*texts[k])
                ST_TRY(st_arena_copy_text(arena, texts[k], *texts[k], strlen(*texts[k])));
    }
    return st_ok();
}

static st_status run_all(lint_run *run, st_arena *arena, st_pool *pool)
{
    st_lint_report *report = run->report;
    const int       jobs = st_pool_jobs(pool);
    st_status       s;
    ST_TRY(ST_ALLOC(arena, &run->words, (size_t)jobs));
    ST_TRY(ST_ALLOC(arena, &run->scratch, (size_t)jobs));
    for (int i = 0; i < jobs; i++) {
        st_arena_init(&run->words[i], "lint words");
        st_arena_init(&run->scratch[i], "lint scratch");
    }
    ST_TRY_OR(s, out, st_pool_run(pool, report->rows->count, lint_item, run));
    ST_TRY_OR(s, out, keep_words(report, arena));
    ST_TRY_OR(s, out, find_duplicates(report, &run->scratch[0]));
    s = add_up(report, &run->scratch[0]);
out:
    for (int i = 0; i < jobs; i++) {
        st_arena_free(&run->words[i]);
        st_arena_free(&run->scratch[i]);
    }
    return s;
}

st_status st_lint_run(st_lint_report *report, st_arena *arena, const st_vsi_rows *rows,
                      const st_scene_list *scenes, const st_template_pack *packs,
                      size_t pack_count, st_pool *pool)
{
    st_lint_report made = {.rows = rows};
    lint_run run = {.report = &made, .packs = packs, .pack_count = pack_count,
                    .scene_count = scenes->count};
    ST_TRY(ST_ALLOC(arena, &made.results, rows->count));
    ST_TRY(ST_ALLOC(arena, &run.by_name, scenes->count));
    for (size_t i = 0; i < scenes->count; i++)
        run.by_name[i] = &scenes->scenes[i];
    qsort(run.by_name, run.scene_count, sizeof *run.by_name, compare_scenes);
    ST_TRY(run_all(&run, arena, pool));
    look_at_boxes(&made.boxes, scenes);
    *report = made;
    return st_ok();
}
