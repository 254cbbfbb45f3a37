/* Ten thousand frames through a bounded session: the process does not grow by a page. */
#include "unit/tiny_model.h"

#include "model/session.h"

/* AddressSanitizer keeps freed memory aside, so pages say nothing there. */
#if defined(__SANITIZE_ADDRESS__)
#define PAGES_TELL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PAGES_TELL 0
#endif
#endif
#ifndef PAGES_TELL
#define PAGES_TELL 1
#endif

enum { GRIDS = 5000, PATCHES = 24, V = 96 };

/* Pages of this process in memory. */
static long resident_pages(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &total, &resident), 2);
    fclose(f);
    return resident;
}

static void ten_thousand_frames(void **state)
{
    (void)state;
    char folder[64];
    const st_model_config config = tiny_config();
    tiny_model_make(folder, &config, 3);
    st_network *network = tiny_network(folder);
    st_session_plan plan = st_session_plan_default();
    plan.anchors = ST_ANCHOR_BOUNDED;
    plan.anchor_first = 64;
    plan.anchor_recent = 256;
    plan.rows_max = 16;
    plan.unit_max = 10;
    plan.patches_max = PATCHES;
    st_session *session, *fork;
    must(st_session_create(&session, network, &plan));
    must(st_session_fork(&fork, session));

    static float pixels[PATCHES * 1536], logits[V];
    const st_piece begin = {.kind = ST_PIECE_VIDEO};
    must(st_session_feed(session, &begin, 1));
    long after_warm_up = resident_pages();      /* looking has code pages of its own */
    for (int g = 0; g < GRIDS; g++) {
        for (size_t i = 0; i < COUNT(pixels); i++)
            pixels[i] = (float)((i * 7 + (size_t)g * 13) % 29) / 14.0f - 1.0f;
        const int64_t stamp[] = {g % 90, 7};
        const st_piece pieces[] = {
            {.kind = ST_PIECE_GRID, .pixels = pixels, .rows = 4, .columns = 6},
            {.kind = ST_PIECE_TEXT, .ids = stamp, .count = 2}};
        must(st_session_feed(session, pieces, 2));
        if (g % 1000 == 99) {               /* a question now and then */
            const st_piece end = {.kind = ST_PIECE_END};
            must(st_session_copy(fork, session));
            must(st_session_feed(fork, &end, 1));
            must(st_session_logits(fork, logits));
            for (int v = 0; v < V; v++)
                assert_true(isfinite(logits[v]));
        }
        if (g == 1500)              /* every path was taken, code pages included */
            after_warm_up = resident_pages();
    }
    const long at_the_end = resident_pages();   /* before printf brings its own pages in */
    const st_session_state at = st_session_state_get(session);
    printf("%lld grids, %lld tokens, %lld updates; pages %ld, then %ld\n", (long long)at.grids,
           (long long)at.tokens, (long long)at.updates, after_warm_up, at_the_end);
    assert_true(at_the_end == after_warm_up || !PAGES_TELL);
    assert_true(at.beyond_range);
    st_session_free(fork);
    st_session_free(session);
    st_network_close(network);
    tiny_model_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_thousand_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
