/*
 * reload: another configuration while the desk serves. The command hands over the file's text (this
 * program opens no file of anybody's); it is checked whole before anything of it is taken. What can
 * change at once is taken for what comes from now on: a visit under way keeps the time that the
 * screen it shows was given. The rest is named, with the unit to be restarted. Who asked, and how
 * much was taken, stands in the audit log.
 */
#ifndef UKETSUKE_DESK_RELOAD_H
#define UKETSUKE_DESK_RELOAD_H

#include <stdbool.h>

struct config;
struct desk;
struct ipc;
struct maintain;
struct message;

struct reload {
    const struct config *started; /* borrowed */
    struct config *running;       /* NULL: as started */
    struct desk *desk;
    struct maintain *maintain;
};

/* A RELOAD is taken care of; false: the message is none of its own. */
bool reload_message(struct reload *reload, struct ipc *ipc, const struct message *message);
void reload_end(struct reload *reload);

#endif
