/* args.c - from the words of a command line to options and values. */
#include "tools/command.h"

#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct given_value {
    const st_option *option;
    const char      *text;      /* NULL for a switch */
} given_value;

struct st_args {
    const st_command *command;
    const char       *line;
    const char      **words;
    size_t            word_count;
    given_value      *values;       /* of one option side by side, in the order typed */
    const char      **texts;        /* the same texts, for st_args_list               */
    size_t            value_count;
};

static const st_option common_options[] = {
    {"Run", "jobs", 'j', "N", "items at once; 0 means one per core", "0"},
    {NULL, "seed", 0, "N", "where random choices start", "1"},
    {NULL, "json", 0, NULL, "an object per line instead of text", NULL},
    {NULL, "quiet", 'q', NULL, "errors only", NULL},
    {NULL, "verbose", 'v', NULL, "reasons and timings", NULL},
    {NULL, "help", 'h', NULL, "this text", NULL},
    {0},
};

const st_option *st_common_options(void)
{
    return common_options;
}

bool st_option_applies(const st_command *command, const st_option *common)
{
    static const unsigned bits[] = {ST_COMMON_JOBS, ST_COMMON_SEED, ST_COMMON_JSON};
    const size_t i = (size_t)(common - common_options);
    return i >= sizeof bits / sizeof bits[0] || (command->common & bits[i]);
}

static const st_option *find_option(const st_command *command, const char *name, size_t size,
                                    char letter)
{
    const st_option *tables[2] = {command->options, common_options};
    for (int t = 0; t < 2; t++)
        for (const st_option *o = tables[t]; o && o->name; o++) {
            if (t == 1 && !st_option_applies(command, o))
                continue;
            if (letter ? o->letter == letter
                       : strlen(o->name) == size && !memcmp(o->name, name, size))
                return o;
        }
    return NULL;
}

/* Asking for an option that no table has is our own mistake. */
static const st_option *must_have(const st_args *args, const char *name)
{
    const st_option *o = find_option(args->command, name, strlen(name), 0);
    ST_ASSERT(o != NULL);
    return o;
}

static bool takes_many(const st_option *o)
{
    return o->value && st_str_ends(st_str_from(o->value), "...");
}

/* Behind the last value of the option, wherever on the line that stood; else behind all. */
static void add_value(st_args *args, const st_option *option, const char *text)
{
    size_t at = args->value_count;
    while (at > 0 && args->values[at - 1].option != option)
        at--;
    if (at == 0)
        at = args->value_count;
    for (size_t i = args->value_count++; i > at; i--) {
        args->values[i] = args->values[i - 1];
        args->texts[i] = args->texts[i - 1];
    }
    args->texts[at] = text;
    args->values[at] = (given_value){option, text};
}

/* One word that starts with a dash; *i moves over the values it takes. */
static st_status take_option(st_args *args, int count, char **words, int *i)
{
    const char *word = words[*i];
    const bool  is_long = word[1] == '-';
    const char *name = word + 1 + is_long;
    const char *equals = is_long ? strchr(name, '=') : NULL;
    const size_t size = equals ? (size_t)(equals - name) : strlen(name);
    const st_option *o = is_long ? find_option(args->command, name, size, 0)
                                 : find_option(args->command, "", 0, name[0]);
    if (!o)
        return ST_FAIL(ST_ERR_USAGE, "no option %s; \"spatial %s --help\" lists them", word,
                       args->command->name);
    if (!o->value) {
        if (equals || (!is_long && name[1]))
            return ST_FAIL(ST_ERR_USAGE, "--%s takes no value, found %s", o->name, word);
        add_value(args, o, NULL);
        return st_ok();
    }

    const char *value = equals ? equals + 1 : !is_long && name[1] ? name + 1 : NULL;
    if (!value) {
        value = *i + 1 < count ? words[++*i] : NULL;
        if (!value || strncmp(value, "--", 2) == 0)     /* --out=--odd says that it is meant */
            return ST_FAIL(ST_ERR_USAGE, "--%s: expected %s, found %s", o->name, o->value,
                           value ? value : "the end of the line");
    }
    for (;; value = words[++*i]) {
        if (!value[0])
            return ST_FAIL(ST_ERR_USAGE, "--%s: expected %s, found an empty text", o->name,
                           o->value);
        add_value(args, o, value);
        if (!takes_many(o) || *i + 1 >= count || words[*i + 1][0] == '-')
            return st_ok();
    }
}

static st_status check_word_count(const st_args *args)
{
    const st_command *c = args->command;
    if ((int)args->word_count >= c->words_min &&
        (c->words_max < 0 || (int)args->word_count <= c->words_max))
        return st_ok();
    if (c->words_max == 0)
        return ST_FAIL(ST_ERR_USAGE, "expected options only, found \"%s\"", args->words[0]);
    const st_option *greedy = NULL;     /* took words that may have been meant otherwise */
    for (size_t i = 1; i < args->value_count; i++)
        if (takes_many(args->values[i].option) &&
            args->values[i].option == args->values[i - 1].option)
            greedy = args->values[i].option;
    if (greedy && (int)args->word_count < c->words_min)
        return ST_FAIL(ST_ERR_USAGE, "expected %s, found %zu words: --%s takes all that follow it",
                       c->usage, args->word_count, greedy->name);
    return ST_FAIL(ST_ERR_USAGE, "expected %s, found %zu %s; see \"spatial %s --help\"", c->usage,
                   args->word_count, args->word_count == 1 ? "word" : "words", c->name);
}

/* The common numbers are checked here once, so that asking for them later cannot fail. */
static st_status check_args(const st_args *args)
{
    int64_t ignored;
    if (args->command->common & ST_COMMON_JOBS)
        ST_TRY(st_args_int(args, "jobs", 0, ST_JOBS_MAX, &ignored));
    if (args->command->common & ST_COMMON_SEED)
        ST_TRY(st_args_int(args, "seed", 0, INT64_MAX, &ignored));
    return check_word_count(args);
}

st_status st_args_parse(st_args **out, st_arena *arena, const st_command *command, int count,
                        char **words)
{
    st_args *args;
    ST_TRY(ST_ALLOC(arena, &args, 1));
    args->command = command;
    ST_TRY(ST_ALLOC(arena, &args->words, (size_t)count + 1));
    ST_TRY(ST_ALLOC(arena, &args->values, (size_t)count + 1));
    ST_TRY(ST_ALLOC(arena, &args->texts, (size_t)count + 1));

    /* Nobody means an empty word: it is a variable of the shell that was not set, and as a folder
     * it would be the one we are in. */
    st_status s = st_ok();
    bool options_end = false;
    for (int i = 0; i < count && s.code == ST_OK; i++) {
        if (!words[i][0])
            s = ST_FAIL(ST_ERR_USAGE, "expected %s, found an empty text", command->usage);
        else if (!options_end && strcmp(words[i], "--") == 0)
            options_end = true;
        else if (!options_end && words[i][0] == '-' && words[i][1] != '\0')
            s = take_option(args, count, words, &i);
        else
            args->words[args->word_count++] = words[i];
    }
    if (s.code != ST_OK)
        return s;

    const char *line;
    ST_TRY(st_arena_printf(arena, &line, "spatial %s", command->name));
    for (int i = 0; i < count; i++)
        ST_TRY(st_arena_printf(arena, &line, "%s %s", line, words[i]));
    args->line = line;
    *out = args;
    return st_args_help(args) ? st_ok() : check_args(args);
}

size_t st_args_count(const st_args *args)
{
    return args->word_count;
}

const char *st_args_word(const st_args *args, size_t index)
{
    ST_ASSERT(index < args->word_count);
    return args->words[index];
}

const char *const *st_args_words(const st_args *args)
{
    return args->words;
}

bool st_args_given(const st_args *args, const char *option)
{
    const st_option *o = must_have(args, option);
    for (size_t i = 0; i < args->value_count; i++)
        if (args->values[i].option == o)
            return true;
    return false;
}

const char *st_args_text(const st_args *args, const char *option)
{
    const st_option *o = must_have(args, option);
    for (size_t i = args->value_count; i-- > 0;)
        if (args->values[i].option == o)
            return args->values[i].text;
    return o->fallback;
}

size_t st_args_list(const st_args *args, const char *option, const char *const **values)
{
    const st_option *o = must_have(args, option);
    for (size_t i = 0; i < args->value_count; i++) {
        if (args->values[i].option != o)
            continue;
        size_t n = 1;
        while (i + n < args->value_count && args->values[i + n].option == o)
            n++;
        *values = args->texts + i;
        return n;
    }
    *values = NULL;
    return 0;
}

st_status st_args_int(const st_args *args, const char *option, int64_t low, int64_t high,
                      int64_t *value)
{
    const char *text = st_args_text(args, option);
    int64_t x;
    if (!text || !st_str_int(st_str_from(text), &x) || x < low || x > high)
        return ST_FAIL(ST_ERR_USAGE, "--%s: expected an integer from %lld to %lld, found \"%s\"",
                       option, (long long)low, (long long)high, text ? text : "");
    *value = x;
    return st_ok();
}

st_status st_args_double(const st_args *args, const char *option, double low, double high,
                         double *value)
{
    const char *text = st_args_text(args, option);
    double x;
    if (!text || !st_str_double(st_str_from(text), &x) || !(x >= low && x <= high))
        return ST_FAIL(ST_ERR_USAGE, "--%s: expected a number from %g to %g, found \"%s\"", option,
                       low, high, text ? text : "");
    *value = x;
    return st_ok();
}

st_status st_args_choice(const st_args *args, const char *option, const char *const *names,
                         int *index)
{
    const char *text = st_args_text(args, option);
    char list[120] = "";
    for (int i = 0; names[i]; i++) {
        if (text && strcmp(text, names[i]) == 0) {
            *index = i;
            return st_ok();
        }
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
    }
    return ST_FAIL(ST_ERR_USAGE, "--%s: expected %s, found \"%s\"", option, list, text ? text : "");
}

st_status st_args_check_output(const st_args *args, const char *option,
                               const char *const *inputs, size_t count)
{
    const char *path = st_args_text(args, option);
    for (size_t i = 0; path && i < count; i++)
        if (inputs[i] && st_file_is_part_of(path, inputs[i]))
            return ST_FAIL(ST_ERR_USAGE, "--%s: expected a file of its own, found %s, which is "
                           "read", option, path);
    return st_ok();
}

int st_args_jobs(const st_args *args)
{
    int64_t jobs;
    const bool is_number = st_str_int(st_str_from(st_args_text(args, "jobs")), &jobs);
    ST_ASSERT(is_number);           /* st_args_parse has looked */
    return (int)jobs;
}

uint64_t st_args_seed(const st_args *args)
{
    int64_t seed;
    const bool is_number = st_str_int(st_str_from(st_args_text(args, "seed")), &seed);
    ST_ASSERT(is_number);
    return (uint64_t)seed;
}

st_voice st_args_voice(const st_args *args)
{
    return st_args_given(args, "quiet") ? ST_VOICE_QUIET : ST_VOICE_NORMAL;
}

bool st_args_json(const st_args *args)
{
    return st_args_given(args, "json");
}

bool st_args_help(const st_args *args)
{
    return st_args_given(args, "help");
}

int st_args_verbosity(const st_args *args)
{
    return st_args_given(args, "quiet") ? -1 : st_args_given(args, "verbose") ? 1 : 0;
}

const char *st_args_line(const st_args *args)
{
    return args->line;
}

void st_say_failure(const st_args *args, const char *thing, st_status why)
{
    fprintf(stderr, "spatial %s: %s%s%s [%s, %s:%d]\n", args->command->name, thing ? thing : "",
            thing ? ": " : "", why.text, st_code_name(why.code), why.file, why.line);
}

void st_say(const st_args *args, const char *fmt, ...)
{
    if (st_args_verbosity(args) < 0)
        return;
    fprintf(stderr, "spatial %s: ", args->command->name);
    va_list list;
    va_start(list, fmt);
    vfprintf(stderr, fmt, list);
    va_end(list);
    fputc('\n', stderr);
}

st_status st_say_replaced(const st_args *args, const char *folder, const char *command)
{
    st_arena arena;
    const char *before;
    st_arena_init(&arena, "manifest");
    const st_status s = st_manifest_command(&before, &arena, folder);
    if (s.code == ST_OK && before && strcmp(before, command) != 0)
        st_say(args, "%s/manifest.json of spatial %s is replaced; a folder of its own would keep "
               "both", folder, before);
    st_arena_free(&arena);
    return s;
}

st_status st_print_text(const st_text *text)
{
    ST_TRY(st_text_check(text));
    const st_str whole = st_text_view(text);
    if (fwrite(whole.data, 1, whole.size, stdout) != whole.size)
        return ST_FAIL(ST_ERR_IO, "cannot write to standard output");
    return st_ok();
}
