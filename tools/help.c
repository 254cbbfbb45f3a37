/* help.c - the table of commands, read aloud: help, man pages, shell completion. */
#include "tools/command.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMN = 2, TEXT_COLUMN = 24, LINE_COLUMNS = 96 };

void st_help_program(st_text *out)
{
    st_text_add(out,
                "Usage: spatial COMMAND [options] ...\n\n"
                "Turn raw indoor scans into spatial questions with proven answers, and train and\n"
                "serve the network that learns from them.\n\n"
                "Commands\n");
    for (const st_command *const *c = st_commands; *c; c++)
        st_text_addf(out, "  %-14s %s\n", (*c)->name, (*c)->summary);
    st_text_add(out, "\n\"spatial COMMAND --help\" tells everything about one of them.\n");
}

/* "-j, --jobs N", through st_text_add or its roff sister. */
static void add_option_name(st_text *out, const st_option *o, void (*add)(st_text *, const char *))
{
    const char letter[2] = {o->letter};
    const char *const words[] = {o->letter ? "-" : "",  letter,  o->letter ? ", " : "",
                                 "--",                  o->name, o->value ? " " : "",
                                 o->value ? o->value : ""};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        add(out, words[i]);
}

static void add_lines(st_text *out, const char *lines)
{
    st_str line, rest = st_str_from(lines);
    while (st_str_next_line(&line, &rest))
        st_text_addf(out, "%s%.*s\n", line.size ? "  " : "", ST_STR_ARG(line));
}

/* A block of lines under a heading, each indented by two. */
static void add_block(st_text *out, const char *heading, const char *lines)
{
    if (!lines)
        return;
    st_text_addf(out, "\n%s\n", heading);
    add_lines(out, lines);
}

/* The help of an option and its default, word by word; lines that follow keep the column. */
static void add_wrapped(st_text *out, const st_option *o)
{
    size_t column = TEXT_COLUMN;
    st_str word, rest = st_str_from(o->help);
    char fallback[160] = "";
    if (o->fallback)
        snprintf(fallback, sizeof fallback, "(default %s)", o->fallback);
    for (int part = 0; part < 2; part++, rest = st_str_from(fallback))
        while (rest.size > 0 && st_str_next_field(&word, &rest, ' ')) {
            if (column > TEXT_COLUMN && column + 1 + word.size > LINE_COLUMNS) {
                st_text_addf(out, "\n%*s", TEXT_COLUMN, "");
                column = TEXT_COLUMN;
            } else if (column > TEXT_COLUMN) {
                st_text_add(out, " ");
                column++;
            }
            st_text_add_bytes(out, word.data, word.size);
            column += word.size;
        }
}

static void add_option(st_text *out, const st_option *o)
{
    const size_t start = out->size;
    st_text_addf(out, "%*s", NAME_COLUMN, "");
    add_option_name(out, o, st_text_add);
    const size_t width = out->size - start;
    if (width + 2 > TEXT_COLUMN)
        st_text_addf(out, "\n%*s", TEXT_COLUMN, "");
    else
        st_text_addf(out, "%*s", (int)(TEXT_COLUMN - width), "");
    add_wrapped(out, o);
    st_text_add(out, "\n");
}

/* True for the options that stand under the heading "Output", beside what the command writes. */
static bool in_output(const st_option *o, const char **group)
{
    *group = o->group ? o->group : *group;
    return *group && strcmp(*group, "Output") == 0;
}

static void add_options(st_text *out, const st_command *command, const st_option *table,
                        bool common)
{
    const char *group = NULL;
    for (const st_option *o = table; o && o->name; o++) {
        if (in_output(o, &group))
            continue;
        if (o->group)
            st_text_addf(out, "\n%s\n", o->group);
        if (!common || st_option_applies(command, o))
            add_option(out, o);
    }
}

/* What comes out, in lines, and the options that change it. */
static void add_output(st_text *out, const st_command *command)
{
    const char *group = NULL;
    bool any = command->output != NULL;
    add_block(out, "Output", command->output);
    for (const st_option *o = command->options; o && o->name; o++) {
        if (!in_output(o, &group))
            continue;
        if (!any)
            st_text_add(out, "\nOutput\n");
        any = true;
        add_option(out, o);
    }
}

void st_help_command(st_text *out, const st_command *command)
{
    st_text_addf(out, "Usage: spatial %s %s\n\n%s\n", command->name, command->usage,
                 command->about);
    add_options(out, command, command->options, false);
    add_output(out, command);
    add_options(out, command, st_common_options(), true);
    add_block(out, "Exit", command->exits);
    add_block(out, "Examples", command->examples);
}

/* --- man pages -------------------------------------------------------------------------------- */

/* Text in roff: backslashes and dashes escaped, a leading dot or quote hidden. */
static void add_roff(st_text *out, const char *text)
{
    bool line_start = true;
    for (const char *at = text; *at; at++) {
        if (line_start && (*at == '.' || *at == '\''))
            st_text_add(out, "\\&");
        if (*at == '\\')
            st_text_add(out, "\\e");
        else if (*at == '-')
            st_text_add(out, "\\-");
        else
            st_text_add_bytes(out, at, 1);
        line_start = *at == '\n';
    }
}

static void add_roff_block(st_text *out, const char *heading, const char *lines)
{
    if (!lines)
        return;
    st_text_addf(out, ".SH %s\n.nf\n", heading);
    add_roff(out, lines);
    st_text_add(out, "\n.fi\n");
}

static void add_roff_options(st_text *out, const st_command *command, const st_option *table,
                             bool common)
{
    for (const st_option *o = table; o && o->name; o++) {
        if (common && !st_option_applies(command, o))
            continue;
        st_text_add(out, ".TP\n.B ");
        add_option_name(out, o, add_roff);
        st_text_add(out, "\n");
        add_roff(out, o->help);
        if (o->fallback) {
            st_text_add(out, " (default ");
            add_roff(out, o->fallback);
            st_text_add(out, ")");
        }
        st_text_add(out, "\n");
    }
}

/* "model init" becomes "model-init". */
static void add_dashed(st_text *out, const char *name)
{
    for (; *name; name++)
        st_text_add_bytes(out, *name == ' ' ? "-" : name, 1);
}

void st_man_command(st_text *out, const st_command *command)
{
    st_text_add(out, ".TH SPATIAL-");
    add_dashed(out, command->name);
    st_text_add(out, " 1\n.SH NAME\nspatial-");
    add_dashed(out, command->name);
    st_text_add(out, " \\- ");
    add_roff(out, command->summary);
    st_text_addf(out, "\n.SH SYNOPSIS\n.B spatial %s\n", command->name);
    add_roff(out, command->usage);
    st_text_add(out, "\n.SH DESCRIPTION\n");
    add_roff(out, command->about);
    st_text_add(out, "\n.SH OPTIONS\n");
    add_roff_options(out, command, command->options, false);
    add_roff_options(out, command, st_common_options(), true);
    add_roff_block(out, "OUTPUT", command->output);
    add_roff_block(out, "EXIT STATUS", command->exits);
    add_roff_block(out, "EXAMPLES", command->examples);
}

void st_man_program(st_text *out)
{
    st_text_add(out, ".TH SPATIAL 1\n.SH NAME\nspatial \\- spatial questions from indoor scans, "
                     "and the network that answers them\n.SH SYNOPSIS\n.B spatial\n"
                     "COMMAND [options] ...\n.SH COMMANDS\n");
    for (const st_command *const *c = st_commands; *c; c++) {
        st_text_addf(out, ".TP\n.B %s\n", (*c)->name);
        add_roff(out, (*c)->summary);
        st_text_add(out, "\n");
    }
}

/* --- shell completion --------------------------------------------------------------------------*/

static void add_option_words(st_text *out, const st_command *command)
{
    const st_option *tables[2] = {command->options, st_common_options()};
    for (int t = 0; t < 2; t++)
        for (const st_option *o = tables[t]; o && o->name; o++)
            if (t == 0 || st_option_applies(command, o))
                st_text_addf(out, " --%s", o->name);
}

void st_completion_bash(st_text *out)
{
    st_text_add(out, "# Completion of spatial for bash: source it, or put it where bash-completion "
                     "looks.\n"
                     "_spatial() {\n"
                     "    local word=${COMP_WORDS[COMP_CWORD]} options\n"
                     "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                     "        COMPREPLY=($(compgen -W \"");
    for (const st_command *const *c = st_commands; *c; c++)
        st_text_addf(out, "%s%s", c == st_commands ? "" : " ", (*c)->name);
    st_text_add(out, "\" -- \"$word\"))\n        return\n    fi\n"
                     "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    /* Two-word names stand first in a case of their own pattern: "model init" before "model". */
    for (int words = 2; words >= 1; words--)
        for (const st_command *const *c = st_commands; *c; c++) {
            const bool two = strchr((*c)->name, ' ') != NULL;
            if (two != (words == 2))
                continue;
            st_text_addf(out, "    \"%s\"%s) options=\"", (*c)->name, two ? "" : "\\ *");
            add_option_words(out, *c);
            st_text_add(out, "\" ;;\n");
        }
    st_text_add(out, "    esac\n"
                     "    case $word in\n"
                     "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
                     "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                     "    esac\n}\n"
                     "complete -o filenames -F _spatial spatial\n");
}

/* Quotes inside single quotes, for zsh and fish. */
static void add_single_quoted(st_text *out, const char *text)
{
    st_text_add(out, "'");
    for (; *text; text++) {
        if (*text == '\'')
            st_text_add(out, "'\\''");
        else if (*text == '\n')
            st_text_add(out, " ");
        else
            st_text_add_bytes(out, text, 1);
    }
    st_text_add(out, "'");
}

void st_completion_zsh(st_text *out)
{
    st_text_add(out, "#compdef spatial\n_spatial() {\n    local -a commands options\n"
                     "    commands=(\n");
    for (const st_command *const *c = st_commands; *c; c++) {
        char line[200];
        snprintf(line, sizeof line, "%s:%s", (*c)->name, (*c)->summary);
        st_text_add(out, "        ");
        add_single_quoted(out, line);
        st_text_add(out, "\n");
    }
    st_text_add(out, "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n"
                     "        return\n    fi\n    case \"$words[2]\" in\n");
    for (const st_command *const *c = st_commands; *c; c++) {
        st_text_add(out, "    ");
        add_single_quoted(out, (*c)->name);
        st_text_add(out, ") options=(");
        add_option_words(out, *c);
        st_text_add(out, ") ;;\n");
    }
    st_text_add(out, "    esac\n    if [[ $PREFIX == -* ]]; then\n        compadd -- $options\n"
                     "    else\n        _files\n    fi\n}\n_spatial \"$@\"\n");
}

void st_completion_fish(st_text *out)
{
    for (const st_command *const *c = st_commands; *c; c++) {
        st_text_addf(out, "complete -c spatial -n __fish_use_subcommand -a '%s' -d ", (*c)->name);
        add_single_quoted(out, (*c)->summary);
        st_text_add(out, "\n");
        const st_option *tables[2] = {(*c)->options, st_common_options()};
        for (int t = 0; t < 2; t++)
            for (const st_option *o = tables[t]; o && o->name; o++) {
                if (t == 1 && !st_option_applies(*c, o))
                    continue;
                st_text_addf(out, "complete -c spatial -n '__fish_seen_subcommand_from %s' "
                             "-l %s%s -d ",
                             (*c)->name, o->name, o->value ? " -r" : "");
                add_single_quoted(out, o->help);
                st_text_add(out, "\n");
            }
    }
}
