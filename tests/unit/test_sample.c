/* Picking tokens: cuts keep what they should, draws follow the distribution and the seed alone. */
#include "check.h"

#include "model/sample.h"

static int64_t pick(st_sampler *s, const float *logits)
{
    int64_t token;
    must(st_sampler_pick(s, &token, logits));
    return token;
}

static void greedy_takes_the_lowest_of_equals(void **state)
{
    (void)state;
    const st_sample_config c = st_sample_config_greedy();
    st_sampler *s;
    must(st_sampler_create(&s, &c, 5));
    assert_int_equal(pick(s, (float[]){0, 3, 1, 3, -1}), 1);
    int64_t token;
    must_fail(st_sampler_pick(s, &token, (float[]){0, NAN, 1, 3, -1}), ST_ERR_NUMERIC,
              "logit 1 is not a finite number");
    st_sampler_free(s);
}

/* Frequencies of 20,000 draws; each is within four deviations of its share. */
static void check_shares(const st_sample_config *c, const float *logits, const double *share,
                         int count)
{
    enum { DRAWS = 20000 };
    st_sampler *s;
    int hits[8] = {0};
    must(st_sampler_create(&s, c, count));
    for (int i = 0; i < DRAWS; i++)
        hits[pick(s, logits)]++;
    for (int v = 0; v < count; v++)
        assert_near(hits[v] / (double)DRAWS, share[v],
                    4 * sqrt(share[v] * (1 - share[v]) / DRAWS));
    st_sampler_free(s);
}

static void draws_follow_the_distribution(void **state)
{
    (void)state;
    st_sample_config c = st_sample_config_greedy();
    const float logits[4] = {logf(0.1f), logf(0.4f), logf(0.2f), logf(0.3f)};
    c.temperature = 1.0;
    check_shares(&c, logits, (double[]){0.1, 0.4, 0.2, 0.3}, 4);
    c.top_k = 2;
    check_shares(&c, logits, (double[]){0, 4 / 7.0, 0, 3 / 7.0}, 4);
    c.top_k = 0;
    c.top_p = 0.65;         /* 0.4 does not exceed it, 0.4 + 0.3 does */
    check_shares(&c, logits, (double[]){0, 4 / 7.0, 0, 3 / 7.0}, 4);
    c.top_p = 0.01;         /* the first is always kept */
    check_shares(&c, logits, (double[]){0, 1, 0, 0}, 4);
    c.top_p = 1.0;
    c.temperature = 0.5;    /* squares the shares */
    check_shares(&c, logits, (double[]){1 / 30.0, 16 / 30.0, 4 / 30.0, 9 / 30.0}, 4);
}

static void ties_with_the_kth_stay(void **state)
{
    (void)state;
    st_sample_config c = st_sample_config_greedy();
    c.temperature = 1.0;
    c.top_k = 2;
    check_shares(&c, (float[]){1, 2, 1, 0}, (double[]){
        1 / (2 + exp(1)), exp(1) / (2 + exp(1)), 1 / (2 + exp(1)), 0}, 4);
}

static void penalty_pushes_seen_tokens_down(void **state)
{
    (void)state;
    st_sample_config c = st_sample_config_greedy();
    c.repetition_penalty = 2.0;
    st_sampler *s;
    must(st_sampler_create(&s, &c, 3));
    const float logits[3] = {4, 3, -1};
    assert_int_equal(pick(s, logits), 0);
    assert_int_equal(pick(s, logits), 1);   /* 4/2 is below 3 */
    assert_int_equal(pick(s, logits), 0);   /* 4/2 is above 3/2 */
    st_sampler_reset(s);
    st_sampler_note(s, 0);
    assert_int_equal(pick(s, logits), 1);
    st_sampler_free(s);
}

static void the_seed_decides(void **state)
{
    (void)state;
    st_sample_config c = st_sample_config_greedy();
    c.temperature = 1.0;
    float logits[100];
    for (int i = 0; i < 100; i++)
        logits[i] = (float)(i % 7);
    st_sampler *a, *b;
    must(st_sampler_create(&a, &c, 100));
    c.top_k = 100;      /* keeps all, by the other path */
    must(st_sampler_create(&b, &c, 100));
    for (int i = 0; i < 50; i++)
        assert_int_equal(pick(a, logits), pick(b, logits));
    st_sampler_free(a);
    st_sampler_free(b);
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    st_sample_config c = st_sample_config_greedy();
    c.top_p = 1.5;
    must_fail(st_sample_config_check(&c), ST_ERR_USAGE,
              "top_p must be above 0 and at most 1, is 1.5");
    c = st_sample_config_greedy();
    c.temperature = NAN;
    must_fail(st_sample_config_check(&c), ST_ERR_USAGE, "temperature must be 0 to 1e6, is nan");
}

static void check_stop(const char *const *pieces, size_t count, const char *expected, bool stopped)
{
    const st_str words[] = {st_str_from("END"), st_str_from("\n\n")};
    st_stop stop;
    st_text out;
    st_stop_init(&stop, words, COUNT(words));
    st_text_init(&out);
    st_text_add(&out, "");
    for (size_t i = 0; i < count; i++)
        st_stop_feed(&stop, st_str_from(pieces[i]), &out);
    st_stop_finish(&stop, &out);
    assert_string_equal(out.data ? out.data : "", expected);
    assert_int_equal(stop.stopped, stopped);
    st_text_free(&out);
    st_stop_free(&stop);
}

static void stop_strings_may_span_pieces(void **state)
{
    (void)state;
    check_stop((const char *[]){"a cha", "ir E", "N", "D and more"}, 4, "a chair ", true);
    check_stop((const char *[]){"EN", "ough"}, 2, "ENough", false);
    check_stop((const char *[]){"one\n", "\ntwo"}, 2, "one", true);
    check_stop((const char *[]){"one\n"}, 1, "one\n", false);
    check_stop((const char *[]){"E", "E", "END"}, 3, "EE", true);
}

static void characters_are_not_cut(void **state)
{
    (void)state;
    st_stop stop;
    st_text out;
    st_stop_init(&stop, NULL, 0);
    st_text_init(&out);
    st_stop_feed(&stop, st_str_from("caf\xC3"), &out);
    assert_string_equal(out.data, "caf");
    st_stop_feed(&stop, st_str_from("\xA9\xF0\x9F\x98"), &out);
    assert_string_equal(out.data, "caf\xC3\xA9");
    st_stop_feed(&stop, st_str_from("\x80"), &out);
    assert_string_equal(out.data, "caf\xC3\xA9\xF0\x9F\x98\x80");
    st_text_free(&out);
    st_stop_free(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(draws_follow_the_distribution),
        cmocka_unit_test(ties_with_the_kth_stay),
        cmocka_unit_test(penalty_pushes_seen_tokens_down),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(stop_strings_may_span_pieces),
        cmocka_unit_test(characters_are_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
