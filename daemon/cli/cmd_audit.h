/* cmd_audit: `uketsuke audit list`. */
#ifndef UKETSUKE_CLI_CMD_AUDIT_H
#define UKETSUKE_CLI_CMD_AUDIT_H

struct command_options;

/* The exit status. */
int audit_list(const struct command_options *options);

#endif
