/* command.h - a command of the program `spatial`: its words, its options, its work.
 *
 * One table of commands (commands.c) makes the parser, the help, the shell completion and the man
 * pages, so they cannot disagree. A command is one file, cmd_<name>.c, with one st_command.
 *
 * Manners: data to stdout, talk to stderr. The exit code is 0 done, 1 done and the answer is no,
 * 2 wrong command line, 3 an input failed or was skipped.
 *
 * May include: anything below tools.
 */
#ifndef ST_COMMAND_H
#define ST_COMMAND_H

#include "kernels/base/arena.h"
#include "kernels/base/progress.h"
#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef enum st_exit {
    ST_EXIT_OK = 0,             /* done                                          */
    ST_EXIT_NO = 1,             /* the answer is no                              */
    ST_EXIT_USAGE = 2,          /* the command line is wrong                     */
    ST_EXIT_INPUT = 3           /* an input failed, or was skipped, and is named */
} st_exit;

/* One option. The table of a command ends with an entry whose name is NULL. */
typedef struct st_option {
    const char *group;      /* heading in the help; NULL stays under the one before       */
    const char *name;       /* "seed" is --seed                                           */
    char        letter;     /* 'j' is -j; 0 none                                          */
    const char *value;      /* "N"; "FILE..." takes all words up to the next option; NULL
                               is a switch                                                */
    const char *help;       /* what it does, without the default                          */
    const char *fallback;   /* the default as it would be typed; NULL none                */
} st_option;

/* Options that many commands share; asked for by bits, described once. */
enum { ST_COMMON_JOBS = 1, ST_COMMON_SEED = 2, ST_COMMON_JSON = 4 };

typedef struct st_args st_args;

typedef struct st_command {
    const char      *name;          /* "qa", or "model init"                              */
    const char      *summary;       /* half a line: "metadata to questions and answers"   */
    const char      *usage;         /* behind the name: "[options] SCENE|METADATA..."     */
    const char      *about;         /* a paragraph or two; lines of at most 96 columns     */
    const st_option *options;
    unsigned         common;        /* ST_COMMON_ bits                                    */
    const char      *output;        /* what stdout and files hold; NULL nothing to say     */
    const char      *exits;         /* "0 all measured   3 some failed; each is named"     */
    const char      *examples;      /* lines without indent                               */
    int              words_min, words_max;  /* words that are not options; -1 no upper end */

    /* Do the work. A failure is printed as "spatial NAME: TEXT" and leaves with 2 for
     * ST_ERR_USAGE and 3 otherwise; on success *exit_code, ST_EXIT_OK until set, decides. */
    st_status (*run)(st_exit *exit_code, const st_args *args);
} st_command;

/* What was typed. Options that were not given have their fallback. Asking for an option that is
 * not in the command's table is our mistake and stops the program. */
size_t      st_args_count(const st_args *args);                     /* words            */
const char *st_args_word(const st_args *args, size_t index);
const char *const *st_args_words(const st_args *args);

bool        st_args_given(const st_args *args, const char *option); /* typed, not default */
const char *st_args_text(const st_args *args, const char *option);  /* NULL: none; the last wins */
/* All values of an option, wherever they stand on the line. */
size_t      st_args_list(const st_args *args, const char *option, const char *const **values);

/* Numbers, checked: "--seed: expected an integer from 0 to 9, found "x"". */
ST_CHECKED st_status st_args_int(const st_args *args, const char *option, int64_t low, int64_t high,
                                 int64_t *value);
ST_CHECKED st_status st_args_double(const st_args *args, const char *option, double low,
                                    double high, double *value);
/* The index of the value among `names` (ended by NULL): "--form: expected bench or vlm3r, ...". */
ST_CHECKED st_status st_args_choice(const st_args *args, const char *option,
                                    const char *const *names, int *index);

/* Refuse an output that would write over something to be read. Inputs are files, or folders read
 * whole; NULL among them is none. An option that was not given is fine.
 *
 * Fails   ST_ERR_USAGE "--answers: expected a file of its own, found rows.jsonl, which is read".
 */
ST_CHECKED st_status st_args_check_output(const st_args *args, const char *option,
                                          const char *const *inputs, size_t count);

int      st_args_jobs(const st_args *args);     /* -j; 0 means one per core */
uint64_t st_args_seed(const st_args *args);     /* --seed                   */
st_voice st_args_voice(const st_args *args);    /* -q                       */
bool     st_args_json(const st_args *args);     /* --json                   */

/* The whole command line as typed, for run.json. */
const char *st_args_line(const st_args *args);

/* Say a line about one input on stderr, the command's name in front:
 * "spatial scene: scene0029_01: cannot ... [numeric, hull.c:88]". */
void st_say_failure(const st_args *args, const char *thing, st_status why);

/* A closing line or a warning on stderr, "spatial qa: ..."; silent with -q. */
ST_PRINTF(2, 3) void st_say(const st_args *args, const char *fmt, ...);

/* Say that a folder's manifest.json, which another command wrote, will be replaced. `command` is
 * the one that a manifest of this work names. */
ST_CHECKED st_status st_say_replaced(const st_args *args, const char *folder, const char *command);

/* A text to stdout, whole.
 *
 * Fails   ST_ERR_MEMORY what was added to it went beyond memory; ST_ERR_IO.
 */
ST_CHECKED st_status st_print_text(const st_text *text);

/* --- for main and the help ------------------------------------------------------------------ */

extern const st_command *const st_commands[];       /* ends with NULL, in the order of the help */

/* Parse the words behind the command's name.
 *
 * Fails   ST_ERR_USAGE with a sentence that names the option.
 */
ST_CHECKED st_status st_args_parse(st_args **args, st_arena *arena, const st_command *command,
                                   int count, char **words);
bool st_args_help(const st_args *args);             /* -h was typed */
int  st_args_verbosity(const st_args *args);        /* -1 quiet, 0, 1 verbose */
const st_option *st_common_options(void);           /* jobs, seed, json, quiet, verbose, help */
bool st_option_applies(const st_command *command, const st_option *common);

void st_help_program(st_text *out);
void st_help_command(st_text *out, const st_command *command);
void st_man_program(st_text *out);
void st_man_command(st_text *out, const st_command *command);
void st_completion_bash(st_text *out);
void st_completion_zsh(st_text *out);
void st_completion_fish(st_text *out);

#endif
