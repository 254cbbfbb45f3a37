/* cmd_help.c - commands about the program itself: help, man pages, completion. */
#include "tools/commands.h"

#include "kernels/base/files.h"

#include <stdio.h>
#include <string.h>

static st_status print(st_text *text)
{
    const st_status s = st_print_text(text);
    st_text_free(text);
    return s;
}

/* The command of one or two words; NULL with no words. */
static st_status find(const st_command **command, const st_args *args, size_t first)
{
    *command = NULL;
    if (st_args_count(args) <= first)
        return st_ok();
    char name[80] = "";
    for (size_t i = first; i < st_args_count(args); i++) {
        const size_t used = strlen(name);
        snprintf(name + used, sizeof name - used, "%s%s", used ? " " : "", st_args_word(args, i));
    }
    for (const st_command *const *c = st_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            *command = *c;
    if (!*command)
        return ST_FAIL(ST_ERR_USAGE, "no command \"%s\"; \"spatial help\" lists them", name);
    return st_ok();
}

static st_status run_help(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    const st_command *command;
    ST_TRY(find(&command, args, 0));
    st_text text;
    st_text_init(&text);
    if (command)
        st_help_command(&text, command);
    else
        st_help_program(&text);
    return print(&text);
}

const st_command cmd_help = {
    .name = "help",
    .summary = "this list, or everything about one command",
    .usage = "[COMMAND]",
    .about = "Print the list of commands, or the help of one.",
    .exits = "0 done   2 no such command",
    .examples = "spatial help qa",
    .words_max = 2,
    .run = run_help,
};

/* Every page into a folder, as spatial.1 and spatial-COMMAND.1. */
static st_status write_pages(const char *folder)
{
    st_arena arena;
    st_arena_init(&arena, "man pages");
    st_text text;
    st_text_init(&text);
    st_status s = st_ok();
    for (size_t i = 0; i == 0 || st_commands[i - 1]; i++) {
        const st_command *c = i > 0 ? st_commands[i - 1] : NULL;
        const char *path;
        st_text_clear(&text);
        if (c)
            st_man_command(&text, c);
        else
            st_man_program(&text);
        ST_TRY_OR(s, out, st_text_check(&text));
        char name[80];
        snprintf(name, sizeof name, "spatial%s%s.1", c ? "-" : "", c ? c->name : "");
        for (char *blank; (blank = strchr(name, ' '));)
            *blank = '-';
        ST_TRY_OR(s, out, st_path_join(&arena, &path, folder, name));
        ST_TRY_OR(s, out, st_file_write(path, text.data, text.size));
    }
out:
    st_text_free(&text);
    st_arena_free(&arena);
    return s;
}

static st_status run_man(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    const char *folder = st_args_text(args, "out");
    if (folder)
        return write_pages(folder);
    const st_command *command;
    ST_TRY(find(&command, args, 0));
    st_text text;
    st_text_init(&text);
    if (command)
        st_man_command(&text, command);
    else
        st_man_program(&text);
    return print(&text);
}

static const st_option man_options[] = {
    {"Output", "out", 0, "DIR", "write the page of every command into DIR", NULL},
    {0},
};

const st_command cmd_man = {
    .name = "man",
    .summary = "the manual page of a command",
    .usage = "[options] [COMMAND]",
    .about = "Print a manual page in roff: of the program, or of one command.",
    .options = man_options,
    .exits = "0 done   2 no such command",
    .examples = "spatial man qa | man -l -\nspatial man --out man1",
    .words_max = 2,
    .run = run_man,
};

static st_status run_completion(st_exit *exit_code, const st_args *args)
{
    (void)exit_code;
    const char *shell = st_args_word(args, 0);
    st_text text;
    st_text_init(&text);
    if (strcmp(shell, "bash") == 0)
        st_completion_bash(&text);
    else if (strcmp(shell, "zsh") == 0)
        st_completion_zsh(&text);
    else if (strcmp(shell, "fish") == 0)
        st_completion_fish(&text);
    else
        return ST_FAIL(ST_ERR_USAGE, "expected bash, zsh or fish, found \"%s\"", shell);
    return print(&text);
}

const st_command cmd_completion = {
    .name = "completion",
    .summary = "completion of commands and options for a shell",
    .usage = "bash|zsh|fish",
    .about = "Print a script that teaches a shell the commands and options of this program.",
    .exits = "0 done   2 no such shell",
    .examples = "source <(spatial completion bash)",
    .words_min = 1,
    .words_max = 1,
    .run = run_completion,
};
