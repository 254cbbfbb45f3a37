/* pattern.c - regular expressions. Meets PCRE2. */
#include "kernels/base/text.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

struct st_pattern {
    pcre2_code *code;
};

struct st_match {
    pcre2_match_data *data;
    int               groups;   /* of the last match; 0 when it failed */
};

st_status st_pattern_create(st_pattern **pattern, const char *expression)
{
    int        error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error,
                                     &offset, NULL);
    if (!code) {
        PCRE2_UCHAR words[120];
        pcre2_get_error_message(error, words, sizeof words);
        return ST_FAIL(ST_ERR_FORMAT, "pattern, byte %zu: %s", (size_t)offset, (char *)words);
    }
    /* Just-in-time code is a gift, not a need: where it is refused the interpreter runs. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);

    st_pattern *made = malloc(sizeof *made);
    if (!made) {
        pcre2_code_free(code);
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a pattern");
    }
    made->code = code;
    *pattern = made;
    return st_ok();
}

void st_pattern_free(st_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

st_status st_match_create(st_match **match, const st_pattern *pattern)
{
    st_match *made = malloc(sizeof *made);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    if (!made || !data) {
        free(made);
        pcre2_match_data_free(data);
        return ST_FAIL(ST_ERR_MEMORY, "no memory for a match");
    }
    *made = (st_match){.data = data};
    *match = made;
    return st_ok();
}

void st_match_free(st_match *match)
{
    if (!match)
        return;
    pcre2_match_data_free(match->data);
    free(match);
}

st_status st_match_find(st_match *match, const st_pattern *pattern, st_str subject, size_t start,
                        bool *found)
{
    /* The subject is checked UTF-8 already; checking again on every call would be quadratic. */
    const int n = pcre2_match(pattern->code, (PCRE2_SPTR)(subject.data ? subject.data : ""),
                              subject.size, start, PCRE2_NO_UTF_CHECK, match->data, NULL);
    match->groups = n > 0 ? n : 0;
    if (n < 0 && n != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR words[120];
        pcre2_get_error_message(n, words, sizeof words);
        return ST_FAIL(ST_ERR_LIMIT, "a pattern gave up at byte %zu: %s", start, (char *)words);
    }
    *found = n > 0;
    return st_ok();
}

st_str st_match_group(const st_match *match, st_str subject, int i)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match->data);
    if (i >= match->groups || at[2 * i] == PCRE2_UNSET)
        return (st_str){NULL, 0};
    return (st_str){subject.data + at[2 * i], at[2 * i + 1] - at[2 * i]};
}
