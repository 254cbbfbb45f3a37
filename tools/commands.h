/* commands.h - every command of the program, by name; each lives in cmd_<name>.c.
 *
 * May include: command.h.
 */
#ifndef ST_COMMANDS_H
#define ST_COMMANDS_H

#include "tools/command.h"

extern const st_command cmd_help, cmd_man, cmd_completion;
extern const st_command cmd_inspect;

/* data rooms */
extern const st_command cmd_synth, cmd_lint, cmd_scene, cmd_merge;
extern const st_command cmd_qa, cmd_prove;

/* model rooms */
extern const st_command cmd_ask;
extern const st_command cmd_doctor;
extern const st_command cmd_model_init, cmd_tokenize;

#endif
