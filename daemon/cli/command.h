/*
 * command: what the subcommands of `uketsuke` share. Exit status: 0 as asked, 1 not so (not eligible, something
 * bad found), 2 wrong usage or configuration, 3 the desk cannot be asked.
 */
#ifndef UKETSUKE_CLI_COMMAND_H
#define UKETSUKE_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct config;
struct link;

enum { EXIT_AS_ASKED = 0, EXIT_NOT_SO = 1, EXIT_USAGE = 2, EXIT_NO_DESK = 3 };

struct command_options {
    const char *config_path;
    bool json;
    bool lines;    /* watch: no page */
    bool redacted; /* doctor: for whoever is not of the house */
    FILE *out;
    FILE *err;
    const char *birth, *symbol, *branch, *staff;
    const char *date;
    const char *output; /* of precheck */
    const char *key;    /* file with the master key */
    bool check;
    bool limit_consent;
    uint64_t visit;
    uint32_t limit;
};

typedef int command_fn(const struct command_options *options, int argc, char **argv);
command_fn command_status, command_visits, command_watch, command_lookup, command_doctor,
    command_config, command_failures, command_eligibility, command_audit, command_backup,
    command_key, command_restore, command_account, command_bundle, command_precheck, command_reload,
    command_outbox, command_redact;

/* Parse and run; argv[0] is the program. `out` and `err` are for tests. */
int command_main(int argc, char **argv, FILE *out, FILE *err);

/* Load the configuration, say what is wrong. NULL on failure. */
struct config *command_config_load(const struct command_options *options);
/* Connect to the desk, say what to do when it is not there. NULL on failure. */
struct link *command_link(const struct command_options *options);
/* Who asks, for the audit log: --staff, else the user's name; "" where there is neither. */
const char *command_staff(const struct command_options *options);
/* The same, copied. -EINVAL: nobody, or too long. */
int command_staff_into(const struct command_options *options, char *out, size_t size);
/* The same for who looks at patients' data; says what is missing. */
int command_viewer(const struct command_options *options, char *out, size_t size);
/* What a command that takes no argument begins with: who looks (into `staff`), then the desk. NULL: it was said why not,
 * and *status is how to exit. */
struct link *command_look(const struct command_options *options, int argc, char **argv, char *staff,
                          size_t size, int *status);
/* The desk's refusal in words; the exit status for it. */
int command_refused(const struct command_options *options, uint16_t failure);
/* The path of the desk's socket. */
int command_socket(const struct config *config, char *out, size_t size);
/* The words for an error of link_open() or link_ask(): what is wrong and what to do. */
const char *command_reason(int error);

/* -EINVAL and a word when there is an argument. */
int command_no_more(const struct command_options *options, int argc, char **argv);
/* "良 ok", "注 warn", "悪 BAD" for 0, 1 and more, equally wide. */
const char *command_sign(unsigned state);

/* A time in Japan: "2026-11-22 09:00:00", or "11-22 09:00"; "" when it is none. */
void command_when(char *out, size_t size, int64_t seconds, bool whole);
/* "2026-11-22" to the seconds of its first moment, local time. 0 or -EINVAL. */
int command_day(const char *text, int64_t *out);

#endif
