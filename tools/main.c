/* main.c - find the command, parse its words, run it, and say how it went. */
#include "tools/command.h"

#include "kernels/base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Log lines share their bones: "12.345 info  datagen scene0011_00: 34 instances". */
typedef struct talk {
    pthread_mutex_t lock;
    double          start_s;
} talk;

static void write_line(void *context, st_level level, const char *room, const char *line)
{
    talk *t = context;
    pthread_mutex_lock(&t->lock);
    fprintf(stderr, "%8.3f %-5s %-8s %s\n", st_clock_s() - t->start_s, st_level_name(level), room,
            line);
    pthread_mutex_unlock(&t->lock);
}

/* The command whose name is the first word or the first two; *used says how many. */
static const st_command *find_command(int count, char **words, int *used)
{
    for (const st_command *const *c = st_commands; *c; c++) {
        const char *blank = strchr((*c)->name, ' ');
        const size_t first = blank ? (size_t)(blank - (*c)->name) : strlen((*c)->name);
        if (strlen(words[0]) != first || memcmp(words[0], (*c)->name, first) != 0)
            continue;
        if (blank && (count < 2 || strcmp(words[1], blank + 1) != 0))
            continue;
        *used = blank ? 2 : 1;
        return *c;
    }
    return NULL;
}

/* Letters that must change to turn a into b: enough to notice a slip of the finger. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 24 };
    const int la = (int)strlen(a), lb = (int)strlen(b);
    if (la >= LONGEST || lb >= LONGEST)
        return LONGEST;
    int row[LONGEST + 1];
    for (int j = 0; j <= lb; j++)
        row[j] = j;
    for (int i = 1; i <= la; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            const int swap = diagonal + (a[i - 1] != b[j - 1]);
            const int edge = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = swap < edge ? swap : edge;
        }
    }
    return row[lb];
}

static int unknown_command(const char *word)
{
    const char *nearest = NULL;
    int best = strlen(word) > 4 ? 3 : 2;     /* one slip in a short word, two in a long one */
    for (const st_command *const *c = st_commands; *c; c++)
        if (edit_distance(word, (*c)->name) < best) {
            best = edit_distance(word, (*c)->name);
            nearest = (*c)->name;
        }
    for (const st_command *const *c = st_commands; *c; c++)
        if (strncmp((*c)->name, word, strlen(word)) == 0 && (*c)->name[strlen(word)] == ' ')
            nearest = (*c)->name;
    fprintf(stderr, "spatial: no command \"%s\"", word);
    if (nearest)
        fprintf(stderr, "; did you mean \"%s\"?\n", nearest);
    else
        fprintf(stderr, "; \"spatial help\" lists them\n");
    return ST_EXIT_USAGE;
}

/* Nothing that was written may be lost in silence: a buffer that once failed to leave is no longer
 * there to fail again, so the stream's own mark is asked as well. */
static bool output_has_left(void)
{
    return fflush(stdout) == 0 && !ferror(stdout);
}

static int print_and_leave(const char *text)
{
    fputs(text, stdout);
    if (output_has_left())
        return ST_EXIT_OK;
    fprintf(stderr, "spatial: cannot write to standard output\n");
    return ST_EXIT_INPUT;
}

static int print_help(const st_command *command)
{
    st_text text;
    st_text_init(&text);
    if (command)
        st_help_command(&text, command);
    else
        st_help_program(&text);
    const int code = print_and_leave(text.data ? text.data : "");
    st_text_free(&text);
    return code;
}

static int run(const st_command *command, st_arena *arena, talk *t, int count, char **words)
{
    st_args *args;
    const st_status parsed = st_args_parse(&args, arena, command, count, words);
    if (parsed.code != ST_OK) {
        fprintf(stderr, "spatial %s: %s\n", command->name, parsed.text);
        return ST_EXIT_USAGE;
    }
    if (st_args_help(args))
        return print_help(command);

    static const st_level levels[] = {ST_LEVEL_ERROR, ST_LEVEL_WARN, ST_LEVEL_DEBUG};
    st_log_set(write_line, t, levels[st_args_verbosity(args) + 1]);

    st_exit code = ST_EXIT_OK;
    st_status s = command->run(&code, args);
    if (s.code == ST_OK && !output_has_left())
        s = ST_FAIL(ST_ERR_IO, "cannot write to standard output");
    if (s.code == ST_OK)
        return (int)code;
    st_say_failure(args, NULL, s);
    return s.code == ST_ERR_USAGE ? ST_EXIT_USAGE : ST_EXIT_INPUT;
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return argc < 2 ? (print_help(NULL), ST_EXIT_USAGE) : print_help(NULL);
    if (strcmp(argv[1], "--version") == 0)
        return print_and_leave("spatial " ST_VERSION "\n");

    int used;
    const st_command *command = find_command(argc - 1, argv + 1, &used);
    if (!command)
        return unknown_command(argv[1]);

    talk t = {.lock = PTHREAD_MUTEX_INITIALIZER, .start_s = st_clock_s()};
    st_arena arena;
    st_arena_init(&arena, "command line");
    const int code = run(command, &arena, &t, argc - 1 - used, argv + 1 + used);
    st_arena_free(&arena);
    return code;
}
