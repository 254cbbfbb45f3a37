/* commands.c - the one table, in the order of the help. A build without some rooms has no commands
 * of theirs. */
#include "tools/commands.h"

const st_command *const st_commands[] = {
#if ST_WITH_DATA
    &cmd_synth,
    &cmd_scene,
    &cmd_merge,
    &cmd_lint,
    &cmd_qa,
    &cmd_prove,
#endif
#if ST_WITH_MODEL
    &cmd_ask,
    &cmd_doctor,
    &cmd_model_init,
    &cmd_tokenize,
#endif
    &cmd_inspect,
    &cmd_help,
    &cmd_man,
    &cmd_completion,
    NULL,
};
