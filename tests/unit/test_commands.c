/* The table of commands contradicts itself nowhere: names, letters, and what the help needs. */
#include "check.h"

#include "tools/command.h"

/* All options of a command, its own and the common ones that apply. */
static size_t collect(const st_option **all, const st_command *command)
{
    size_t count = 0;
    const st_option *tables[2] = {command->options, st_common_options()};
    for (int t = 0; t < 2; t++)
        for (const st_option *o = tables[t]; o && o->name; o++)
            if (t == 0 || st_option_applies(command, o))
                all[count++] = o;
    return count;
}

static void no_two_options_share_a_name_or_letter(void **state)
{
    (void)state;
    for (const st_command *const *c = st_commands; *c; c++) {
        const st_option *all[64];
        const size_t count = collect(all, *c);
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < i; k++) {
                if (strcmp(all[i]->name, all[k]->name) == 0)
                    fail_msg("%s: two options are called --%s", (*c)->name, all[i]->name);
                if (all[i]->letter && all[i]->letter == all[k]->letter)
                    fail_msg("%s: -%c is --%s and --%s", (*c)->name, all[i]->letter, all[i]->name,
                             all[k]->name);
            }
    }
}

static void every_command_tells_what_it_needs(void **state)
{
    (void)state;
    for (const st_command *const *c = st_commands; *c; c++) {
        assert_non_null((*c)->summary);
        assert_non_null((*c)->usage);
        assert_non_null((*c)->about);
        assert_non_null((*c)->exits);
        assert_non_null((*c)->run);
        for (const st_command *const *d = st_commands; d < c; d++)
            assert_string_not_equal((*c)->name, (*d)->name);
    }
}

/* Eighty columns of a terminal are not promised, a hundred are. */
static void help_fits_a_terminal(void **state)
{
    (void)state;
    for (const st_command *const *c = st_commands; *c; c++) {
        st_text text;
        st_text_init(&text);
        st_help_command(&text, *c);
        st_str line, rest = st_text_view(&text);
        while (st_str_next_line(&line, &rest))
            if (line.size > 104)
                fail_msg("%s: a line of %zu columns: %.*s", (*c)->name, line.size,
                         ST_STR_ARG(line));
        st_text_free(&text);
    }
}

/* Values of one option are a list wherever they stand; of the others the last one counts. */
static void values_of_an_option_are_gathered(void **state)
{
    (void)state;
    static const st_option table[] = {{"In", "from", 'f', "FILE...", "", NULL},
                                      {NULL, "stop", 0, "TEXT", "", NULL},
                                      {NULL, "dry", 0, NULL, "", NULL},
                                      {0}};
    const st_command command = {.name = "try", .usage = "WORD --from FILE...", .options = table,
                                .words_min = 1, .words_max = 1};
    char *line[] = {"--from", "a", "b", "--stop", "x", "word", "-f", "c", "--dry", "--stop=y",
                    "--from=d"};
    st_arena arena;
    st_args *args;
    const char *const *list;
    st_arena_init(&arena, "args");
    must(st_args_parse(&args, &arena, &command, COUNT(line), line));
    assert_int_equal(st_args_list(args, "from", &list), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(list[i][0], 'a' + i);
    assert_int_equal(st_args_list(args, "stop", &list), 2);
    assert_string_equal(list[0], "x");
    assert_string_equal(st_args_text(args, "stop"), "y");
    assert_string_equal(st_args_word(args, 0), "word");
    assert_true(st_args_given(args, "dry"));

    must_fail(st_args_parse(&args, &arena, &command, 3, line), ST_ERR_USAGE,
              "expected WORD --from FILE..., found 0 words: --from takes all that follow it");
    must_fail(st_args_parse(&args, &arena, &command, 2, line), ST_ERR_USAGE,
              "expected WORD --from FILE..., found 0 words; see \"spatial try --help\"");
    st_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_options_share_a_name_or_letter),
        cmocka_unit_test(every_command_tells_what_it_needs),
        cmocka_unit_test(help_fits_a_terminal),
        cmocka_unit_test(values_of_an_option_are_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
