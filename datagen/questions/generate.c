/* generate.c - phase 1, scenes to candidates on many threads; phase 2, candidates to records. */
#include "datagen/questions/internal.h"

#include "kernels/base/log.h"

#include <stdlib.h>
#include <string.h>

st_qa_settings st_qa_settings_default(void)
{
    return (st_qa_settings){.seed = 1,
                            .distance = ST_DISTANCE_EXACT,
                            .thresholds = st_thresholds_default};
}

const char *st_qa_split(const char *dataset, const char *space_id, const st_thresholds *t)
{
    st_rng rng = st_rng_from(st_hash_text(st_hash_text(st_hash_text(0, "split"), dataset),
                                          space_id));
    return st_rng_unit(&rng) < t->val_share ? "val" : "train";
}

/* --- scenes ----------------------------------------------------------------------------------- */

static int by_scene(const void *left, const void *right)
{
    const st_scene *a = *(const st_scene *const *)left, *b = *(const st_scene *const *)right;
    const int dataset = strcmp(a->dataset, b->dataset);
    return dataset ? dataset : strcmp(a->scene_id, b->scene_id);
}

/* The same scene twice is harmless; two scenes under one name are not (data.md E-35). */
static st_status check_repeat(const st_scene *a, const st_scene *b)
{
    st_text first, second;
    st_text_init(&first);
    st_text_init(&second);
    st_status s = st_scene_write(&first, a);
    if (s.code == ST_OK)
        s = st_scene_write(&second, b);
    if (s.code == ST_OK && !st_str_equal(st_text_view(&first), st_text_view(&second)))
        s = ST_FAIL(ST_ERR_DATA, "%s %s is given twice, with different content", a->dataset,
                    a->scene_id);
    st_text_free(&first);
    st_text_free(&second);
    return s;
}

static int by_space(const void *left, const void *right)
{
    const st_scene *a = *(const st_scene *const *)left, *b = *(const st_scene *const *)right;
    const int dataset = strcmp(a->dataset, b->dataset);
    return dataset ? dataset : strcmp(a->space_id, b->space_id);
}

/* The scenes that are used, sorted; the others go to result->skips. */
static st_status choose_scenes(const st_scene ***chosen, st_qa_result *result, st_arena *arena,
                               const st_scene_list *scenes, const st_qa_settings *settings)
{
    const st_scene **sorted, **used;
    ST_TRY(ST_ALLOC(arena, &sorted, scenes->count));
    ST_TRY(ST_ALLOC(arena, &used, scenes->count));
    ST_TRY(ST_ALLOC(arena, &result->skips, scenes->count));
    for (size_t i = 0; i < scenes->count; i++)
        sorted[i] = &scenes->scenes[i];
    qsort(sorted, scenes->count, sizeof *sorted, by_scene);

    size_t count = 0;
    for (size_t i = 0; i < scenes->count; i++) {
        const st_scene *s = sorted[i];
        const char *reason = NULL;
        if (i > 0 && by_scene(&sorted[i - 1], &sorted[i]) == 0) {
            ST_TRY(check_repeat(sorted[i - 1], s));
            reason = "repeated";
        } else if (!settings->allow_benchmark && st_scene_in_benchmark(s)) {
            reason = "benchmark";
        }
        if (reason)
            result->skips[result->skip_count++] = (st_qa_skip){s->dataset, s->scene_id, reason};
        else
            used[count++] = s;
    }
    const st_scene **spaces;
    ST_TRY(ST_ALLOC(arena, &spaces, count));
    memcpy(spaces, used, count * sizeof *spaces);
    qsort(spaces, count, sizeof *spaces, by_space);
    for (size_t i = 0; i < count; i++)
        result->space_count += i == 0 || by_space(&spaces[i - 1], &spaces[i]) != 0;
    result->scene_count = count;
    *chosen = used;
    return st_ok();
}

/* --- phase 1 ---------------------------------------------------------------------------------- */

typedef struct phase1 {
    const st_scene      **scenes;
    const st_qa_settings *settings;
    sti_facts            *facts;            /* (scenes)  */
    sti_candidates       *candidates;       /* (scenes)  */
    st_arena             *arenas;           /* (workers) */
    st_progress          *progress;
} phase1;

static st_status look_at_scene(void *context, size_t index, int worker)
{
    phase1 *p = context;
    sti_candidates *all = &p->candidates[index];
    all->arena = &p->arenas[worker];
    st_status s = sti_facts_gather(&p->facts[index], all->arena, p->scenes[index],
                                   (uint32_t)index, p->settings);
    if (s.code == ST_OK)
        s = sti_candidates_find(all, &p->facts[index]);
    if (p->progress)
        st_progress_step(p->progress);
    return st_within(s, "%s", p->scenes[index]->scene_id);
}

/* --- phase 2 ---------------------------------------------------------------------------------- */

static int by_candidate(const void *left, const void *right)
{
    return sti_candidate_order(*(sti_candidate *const *)left, *(sti_candidate *const *)right);
}

static st_status gather(sti_candidate ***sorted, size_t *count, st_arena *arena, const phase1 *p,
                        size_t scene_count)
{
    *count = 0;
    for (size_t i = 0; i < scene_count; i++)
        *count += p->candidates[i].count;
    ST_TRY(ST_ALLOC(arena, sorted, *count));
    size_t at = 0;
    for (size_t i = 0; i < scene_count; i++)
        for (size_t k = 0; k < p->candidates[i].count; k++)
            (*sorted)[at++] = &p->candidates[i].list[k];
    qsort(*sorted, *count, sizeof **sorted, by_candidate);
    return st_ok();
}

/* A text into the arena of the result: candidates live only as long as phase 2. */
static st_status keep_text(const char **kept, st_arena *arena, const char *text)
{
    return st_arena_copy_text(arena, kept, text, strlen(text));
}

static st_status make_record(st_record *r, const char *contents[ST_OPTIONS_MAX], st_arena *arena,
                             const sti_candidate *c, const st_template_pack *pack)
{
    const st_scene *scene = c->facts->scene;
    *r = (st_record){.dataset = scene->dataset,
                     .scene_id = scene->scene_id,
                     .split = st_qa_split(scene->dataset, scene->space_id,
                                          &c->facts->settings->thresholds),
                     .question_type = st_question_name(c->type),
                     .option_count = c->options,
                     .flags = {"seen_unchecked"},
                     .flag_count = 1};
    r->proof.raw_value = sti_proof_number(c->value);
    ST_TRY(st_arena_printf(arena, &r->video, "videos/%s/%s.mp4", scene->dataset,
                           scene->scene_id));
    ST_TRY(sti_family_of(c->type)->describe(r, contents, arena, c));
    ST_TRY(sti_compose(r, c->order, pack));
    if (c->options > 0)
        return st_ok();
    ST_TRY(keep_text(&r->answer, arena, c->content));
    r->answer_value = r->answer;
    return st_ok();
}

static void count_letters(st_qa_pool *told, const st_record *records, size_t count)
{
    int64_t most = 0;
    for (size_t i = 0; i < count; i++)
        told->letters[records[i].answer[0] - 'A']++;
    for (int l = 0; l < told->options; l++)
        most = told->letters[l] > most ? told->letters[l] : most;
    told->blind.letter_majority = count ? (double)most / (double)count : 0.0;
}

/* Write the words of a pool's candidates behind the result's records. */
static st_status make_records(st_qa_result *result, st_qa_pool *told, st_arena *arena,
                              const sti_pool *pool, const st_template_pack *pack,
                              const st_qa_settings *settings)
{
    st_record *records = result->records + result->record_count;
    sti_dealt *dealt;
    ST_TRY(ST_ALLOC(arena, &dealt, pool->count));
    for (size_t i = 0; i < pool->count; i++) {
        const sti_candidate *c = pool->list[i];
        dealt[i].record = &records[i];
        dealt[i].order = c->order;
        ST_TRY(make_record(&records[i], dealt[i].contents, arena, c, pack));
    }
    if (pool->options > 0) {
        ST_TRY(sti_deal_letters(dealt, pool->count, pool->options, pool->type, settings, arena,
                                &told->blind.letter_p));
        count_letters(told, records, pool->count);
    }
    for (size_t i = 0; i < pool->count; i++)
        ST_TRY(sti_compose_text(&records[i].question, arena, &records[i],
                                st_template_pack_find(pack, records[i].template_id)));
    if (!told->withheld) {
        result->record_count += pool->count;
        told->rows = (int64_t)pool->count;
    }
    return st_ok();
}

static st_status keep_answers(st_qa_pool *told, st_arena *arena, const sti_pool *pool)
{
    ST_TRY(sti_pool_contents(&told->answers, &told->answer_count, arena, pool));
    for (size_t i = 0; i < told->answer_count; i++)
        ST_TRY(keep_text(&told->answers[i].content, arena, told->answers[i].content));
    return st_ok();
}

/* Caps per scene, then what makes a pool hard to guess. */
static st_status thin_pool(st_qa_pool *told, st_arena *arena, sti_pool *pool,
                           const st_qa_settings *settings)
{
    ST_TRY(sti_pool_cap(pool, arena, settings));
    ST_TRY(sti_pool_limit(pool, arena, settings));
    told->capped = (int64_t)pool->count;
    if (!settings->no_debias)
        ST_TRY(sti_pool_balance(pool, arena, settings));
    told->kept = (int64_t)pool->count;
    return st_ok();
}

/* The same for the two pools of routes, told (2), pools (2). */
static st_status thin_routes(st_qa_pool *told, st_arena *arena, sti_pool *pools,
                             const st_qa_settings *settings)
{
    ST_TRY(sti_routes_cap(&pools[0], &pools[1], arena, settings));
    told[0].capped = (int64_t)pools[0].count;
    told[1].capped = (int64_t)pools[1].count;
    if (!settings->no_debias)
        ST_TRY(sti_routes_balance(&pools[0], &pools[1], arena, settings));
    told[0].kept = (int64_t)pools[0].count;
    told[1].kept = (int64_t)pools[1].count;
    return st_ok();
}

/* Judge what is left of a pool, and write it. */
static st_status finish_pool(st_qa_result *result, st_qa_pool *told, st_arena *arena,
                             const sti_pool *pool, const st_template_pack *pack,
                             const st_qa_settings *settings)
{
    ST_TRY(sti_pool_blind(&told->blind, arena, pool, &settings->thresholds));
    ST_TRY(sti_pool_verdict(&told->withheld, arena, pool, &told->blind, settings));
    ST_TRY(keep_answers(told, arena, pool));
    char name[64];
    st_log(ST_LEVEL_INFO, "question", "%s: %lld candidates, %lld within caps, %lld balanced%s",
           st_qa_pool_name(name, told), (long long)told->found, (long long)told->capped,
           (long long)told->kept, told->withheld ? ", withheld" : "");
    return make_records(result, told, arena, pool, pack, settings);
}

/* By type, scene, options, and the labels in their roles. */
static int by_record(const void *left, const void *right)
{
    const st_record *a = left, *b = right;
    st_question type_a = ST_QUESTION_COUNTING, type_b = ST_QUESTION_COUNTING;
    ST_ASSERT(st_question_find(&type_a, a->question_type) &&
              st_question_find(&type_b, b->question_type));
    if (type_a != type_b)
        return type_a < type_b ? -1 : 1;
    int order = strcmp(a->dataset, b->dataset);
    if (!order)
        order = strcmp(a->scene_id, b->scene_id);
    if (!order)
        order = a->option_count - b->option_count;
    for (int i = 0; !order && i < a->referent_count && i < b->referent_count; i++)
        order = strcmp(a->referents[i].label, b->referents[i].label);
    return order ? order : strcmp(a->id, b->id);
}

void st_qa_pools_init(st_qa_result *result)
{
    static const st_qa_pool pools[ST_QA_POOLS] = {
        {.type = ST_QUESTION_COUNTING},
        {.type = ST_QUESTION_SIZE},
        {.type = ST_QUESTION_ROOM_SIZE},
        {.type = ST_QUESTION_ABS_DISTANCE},
        {.type = ST_QUESTION_REL_DISTANCE, .options = 2},
        {.type = ST_QUESTION_REL_DISTANCE, .options = 3},
        {.type = ST_QUESTION_REL_DISTANCE, .options = 4},
        {.type = ST_QUESTION_DIRECTION_EASY, .options = 2},
        {.type = ST_QUESTION_DIRECTION_MEDIUM, .options = 3},
        {.type = ST_QUESTION_DIRECTION_HARD, .options = 4},
        {.type = ST_QUESTION_ROUTE, .options = 3},
        {.type = ST_QUESTION_ROUTE, .options = 4},
    };
    memcpy(result->pools, pools, sizeof pools);
}

static st_status run_pools(st_qa_result *result, st_arena *arena, sti_candidate **sorted,
                           size_t count, const st_template_pack *pack,
                           const st_qa_settings *settings)
{
    st_qa_pools_init(result);
    ST_TRY(ST_ALLOC(arena, &result->records, count));
    sti_pool pools[ST_QA_POOLS];
    for (size_t p = 0, start = 0; p < ST_QA_POOLS; p++) {
        size_t end = start;
        st_qa_pool *told = &result->pools[p];
        while (end < count && sorted[end]->type == told->type &&
               sorted[end]->options == told->options)
            end++;
        pools[p] = (sti_pool){told->type, told->options, sorted + start, end - start};
        told->found = (int64_t)pools[p].count;
        start = end;
    }
    for (size_t p = 0; p < ST_QA_POOLS; p++) {
        if (pools[p].type != ST_QUESTION_ROUTE)
            ST_TRY(thin_pool(&result->pools[p], arena, &pools[p], settings));
        else if (pools[p].options == 3)     /* the other pool of routes stands behind it */
            ST_TRY(thin_routes(&result->pools[p], arena, &pools[p], settings));
    }
    for (size_t p = 0; p < ST_QA_POOLS; p++)
        ST_TRY(finish_pool(result, &result->pools[p], arena, &pools[p], pack, settings));
    qsort(result->records, result->record_count, sizeof *result->records, by_record);
    return st_ok();
}

st_status st_qa_generate(st_qa_result *result, st_arena *arena, const st_scene_list *scenes,
                         const st_qa_settings *settings, const st_template_pack *pack,
                         st_pool *pool, st_progress *progress)
{
    *result = (st_qa_result){0};
    phase1 p = {.settings = settings, .progress = progress};
    ST_TRY(choose_scenes(&p.scenes, result, arena, scenes, settings));
    ST_TRY(ST_ALLOC(arena, &p.facts, result->scene_count));
    ST_TRY(ST_ALLOC(arena, &p.candidates, result->scene_count));
    const int workers = st_pool_jobs(pool);
    ST_TRY(ST_ALLOC(arena, &p.arenas, (size_t)workers));
    for (int i = 0; i < workers; i++)
        st_arena_init(&p.arenas[i], "candidates");

    st_status s;
    sti_candidate **sorted;
    size_t count;
    ST_TRY_OR(s, out, st_pool_run(pool, result->scene_count, look_at_scene, &p));
    ST_TRY_OR(s, out, gather(&sorted, &count, arena, &p, result->scene_count));
    if (settings->require_seen) {           /* nothing here knows of frames: all are unseen */
        result->unseen_dropped = count;
        count = 0;
    }
    s = run_pools(result, arena, sorted, count, pack, settings);
out:
    for (int i = 0; i < workers; i++)
        st_arena_free(&p.arenas[i]);
    return s;
}
