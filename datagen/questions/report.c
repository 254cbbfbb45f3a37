/* report.c - what generation did, as sections of a manifest. Keys are sorted by hand. */
#include "datagen/questions/internal.h"

#include "kernels/base/json.h"

#include <stdio.h>
#include <string.h>

static const char *const letter_names[ST_OPTIONS_MAX] = {"A", "B", "C", "D", "E", "F", "G", "H"};

const char *st_qa_pool_name(char name[64], const st_qa_pool *pool)
{
    if (pool->type == ST_QUESTION_REL_DISTANCE || pool->type == ST_QUESTION_ROUTE)
        snprintf(name, 64, "%s/%d", st_question_name(pool->type), pool->options);
    else
        snprintf(name, 64, "%s", st_question_name(pool->type));
    return name;
}

/* The places of the pools in the order of their names, for sorted keys. */
static void sort_pools(int order[ST_QA_POOLS], const st_qa_result *result)
{
    char name[64], before[64];
    for (int i = 0; i < ST_QA_POOLS; i++) {
        int at = i;
        st_qa_pool_name(name, &result->pools[i]);
        while (at > 0 &&
               strcmp(st_qa_pool_name(before, &result->pools[order[at - 1]]), name) > 0) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

static void put_thresholds(st_json_writer *w, const st_thresholds *t)
{
#define ST_THRESHOLD_ENTRY(name, value, rule) {#name, t->name},
    st_proof_number all[] = {ST_THRESHOLD_TABLE(ST_THRESHOLD_ENTRY)};
#undef ST_THRESHOLD_ENTRY
    const size_t count = sizeof all / sizeof all[0];
    for (size_t i = 1; i < count; i++) {
        const st_proof_number one = all[i];
        size_t at = i;
        for (; at > 0 && strcmp(all[at - 1].name, one.name) > 0; at--)
            all[at] = all[at - 1];
        all[at] = one;
    }
    st_json_write_key(w, "thresholds");
    st_json_write_object(w);
    for (size_t i = 0; i < count; i++)
        st_json_put_double(w, all[i].name, all[i].value);
    st_json_write_end(w);
}

void st_qa_print_settings(st_text *json, const st_qa_settings *settings,
                          const st_template_pack *pack)
{
    st_json_writer w;
    char hex[65];
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    st_json_write_object(&w);
    st_json_put_bool(&w, "allow_benchmark", settings->allow_benchmark);
    st_json_put_bool(&w, "debias", !settings->no_debias);
    st_json_put_text(&w, "distance", settings->distance == ST_DISTANCE_EXACT ? "exact" : "vsi");
    st_json_put_bool(&w, "require_seen", settings->require_seen);
    st_json_put_text(&w, "rules", ST_QA_RULES);
    st_json_write_key(&w, "templates");
    st_json_write_object(&w);
    st_json_put_text(&w, "pack", pack->name);
    st_json_put_text(&w, "sha256", st_digest_print(hex, &pack->digest));
    st_json_write_end(&w);
    put_thresholds(&w, &settings->thresholds);
    st_json_write_end(&w);
}

static void put_type(st_json_writer *w, const st_qa_pool *pool)
{
    st_json_write_object(w);
    st_json_write_key(w, "answers");
    st_json_write_object(w);
    for (size_t i = 0; i < pool->answer_count; i++)
        st_json_put_int(w, pool->answers[i].content, pool->answers[i].rows);
    st_json_write_end(w);
    st_json_put_int(w, "balanced", pool->kept);
    st_json_put_int(w, "candidates", pool->found);
    st_json_put_int(w, "capped", pool->capped);
    if (pool->options > 0) {
        st_json_write_key(w, "letters");
        st_json_write_object(w);
        for (int l = 0; l < pool->options; l++)
            st_json_put_int(w, letter_names[l], pool->letters[l]);
        st_json_write_end(w);
    }
    st_json_put_int(w, "rows", pool->rows);
    st_json_put_text(w, "withheld", pool->withheld);
    st_json_write_end(w);
}

void st_qa_print_types(st_text *json, const st_qa_result *result)
{
    st_json_writer w;
    char name[64];
    int order[ST_QA_POOLS];
    sort_pools(order, result);
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    st_json_write_object(&w);
    for (int i = 0; i < ST_QA_POOLS; i++) {
        st_json_write_key(&w, st_qa_pool_name(name, &result->pools[order[i]]));
        put_type(&w, &result->pools[order[i]]);
    }
    st_json_write_end(&w);
}

/* A score, rounded so that the last bits of a sum do not show; left out where it does not apply. */
static void put_score(st_json_writer *w, const char *key, double value)
{
    if (value >= 0.0)
        st_json_put_double(w, key, st_round_decimals(value, 6));
}

void st_qa_print_blind(st_text *json, const st_qa_result *result)
{
    st_json_writer w;
    char name[64];
    int order[ST_QA_POOLS];
    sort_pools(order, result);
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    st_json_write_object(&w);
    for (int i = 0; i < ST_QA_POOLS; i++) {
        const st_qa_pool *pool = &result->pools[order[i]];
        const st_blind *b = &pool->blind;
        st_json_write_key(&w, st_qa_pool_name(name, pool));
        st_json_write_object(&w);
        put_score(&w, "bound_mra", b->bound_mra);
        put_score(&w, "bound_share", b->bound_share);
        put_score(&w, "content_majority", b->content_majority);
        put_score(&w, "label_median_mra", b->label_median_mra);
        put_score(&w, "letter_content_p", b->letter_p);
        put_score(&w, "letter_majority", b->letter_majority);
        put_score(&w, "nearest_prior", b->nearest_prior);
        put_score(&w, "overall_median_mra", b->overall_median_mra);
        st_json_put_int(&w, "rows", pool->kept);
        put_score(&w, "sector_prior", b->sector_prior);
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
}

void st_qa_print_scenes(st_text *json, const st_qa_result *result)
{
    st_json_writer w;
    st_json_write_start(&w, json, ST_JSON_COMPACT);
    int64_t guarded = 0;
    for (size_t i = 0; i < result->skip_count; i++)
        guarded += strcmp(result->skips[i].reason, "benchmark") == 0;
    st_json_write_object(&w);
    st_json_put_int(&w, "benchmark_excluded", guarded);
    st_json_put_int(&w, "benchmark_spaces_known", (int64_t)st_benchmark_space_count());
    st_json_put_int(&w, "found", (int64_t)(result->scene_count + result->skip_count));
    st_json_write_key(&w, "skipped");
    st_json_write_array(&w);
    for (size_t i = 0; i < result->skip_count; i++) {
        st_json_write_object(&w);
        st_json_put_text(&w, "dataset", result->skips[i].dataset);
        st_json_put_text(&w, "reason", result->skips[i].reason);
        st_json_put_text(&w, "scene_id", result->skips[i].scene_id);
        st_json_write_end(&w);
    }
    st_json_write_end(&w);
    st_json_put_int(&w, "spaces", (int64_t)result->space_count);
    st_json_put_int(&w, "unseen_candidates_dropped", (int64_t)result->unseen_dropped);
    st_json_put_int(&w, "used", (int64_t)result->scene_count);
    st_json_write_end(&w);
}
