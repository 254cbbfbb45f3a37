/* Once planned, a session allocates nothing: not while a video streams in, not while it is asked on
 * a copy of itself, not while an answer is sampled. The linker sends every allocation of the
 * program's own code through the counters below.
 */
#include "unit/tiny_model.h"

#include "model/sample.h"
#include "model/session.h"

static volatile size_t allocations;       /* volatile: compilers know that malloc changes nothing */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    allocations++;
    return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __real_aligned_alloc(alignment, size);
}

enum { PATCHES = 24, V = 96 };

static void answer(st_session *fork, st_sampler *sampler, float *logits)
{
    static const int64_t question[] = {1, 2, 3};
    const st_piece tail[] = {{.kind = ST_PIECE_END},
                             {.kind = ST_PIECE_TEXT, .ids = question, .count = 3}};
    must(st_session_feed(fork, tail, 2));
    must(st_session_begin_answer(fork));
    st_sampler_reset(sampler);
    for (int i = 0; i < 20; i++) {          /* longer than a chunk */
        int64_t token;
        must(st_session_logits(fork, logits));
        must(st_sampler_pick(sampler, &token, logits));
        const st_piece next = {.kind = ST_PIECE_TEXT, .ids = &token, .count = 1};
        must(st_session_feed(fork, &next, 1));
    }
}

static void run(st_anchor_reach anchors, st_lookahead lookahead)
{
    char folder[64];
    const st_model_config config = tiny_config();
    tiny_model_make(folder, &config, 3);
    st_network *network = tiny_network(folder);
    static float pixels[PATCHES * 1536], logits[V];
    for (size_t i = 0; i < COUNT(pixels); i++)
        pixels[i] = (float)(i % 17) / 17.0f;

    st_session_plan plan = st_session_plan_default();
    plan.tokens_max = 1000;
    plan.rows_max = 20;
    plan.unit_max = 10;
    plan.patches_max = PATCHES;
    plan.anchors = anchors;
    plan.lookahead = lookahead;
    st_session *session, *fork;
    st_sampler *sampler;
    st_sample_config sampling = st_sample_config_greedy();
    sampling.temperature = 0.7;
    sampling.top_k = 20;
    must(st_session_create(&session, network, &plan));
    must(st_session_fork(&fork, session));
    must(st_sampler_create(&sampler, &sampling, V));

    allocations = 0;
    void *volatile probe = malloc(1);       /* volatile, or the pair is optimised away */
    free(probe);
    assert_int_equal(allocations, 1);       /* the counters count */
    const st_piece begin = {.kind = ST_PIECE_VIDEO};
    must(st_session_feed(session, &begin, 1));
    for (int g = 0; g < 40; g++) {
        static const int64_t stamp[] = {5, 6};
        const st_piece pieces[] = {
            {.kind = ST_PIECE_GRID, .pixels = pixels, .rows = 4, .columns = 6},
            {.kind = ST_PIECE_TEXT, .ids = stamp, .count = 2}};
        must(st_session_feed(session, pieces, 2));
        if (g % 13 == 12) {
            must(st_session_copy(fork, session));
            answer(fork, sampler, logits);
        }
    }
    assert_int_equal(allocations, 1);

    st_sampler_free(sampler);
    st_session_free(fork);
    st_session_free(session);
    st_network_close(network);
    tiny_model_remove(folder);
}

static void exact_sessions_allocate_nothing(void **state)
{
    (void)state;
    run(ST_ANCHOR_UNBOUNDED, ST_LOOKAHEAD_EXACT);
}

static void bounded_sessions_allocate_nothing(void **state)
{
    (void)state;
    run(ST_ANCHOR_BOUNDED, ST_LOOKAHEAD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_sessions_allocate_nothing),
        cmocka_unit_test(bounded_sessions_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
