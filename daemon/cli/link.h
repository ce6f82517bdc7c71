/*
 * link: one conversation of the command with the desk. Each wait has a deadline; the loop runs only inside.
 */
#ifndef UKETSUKE_CLI_LINK_H
#define UKETSUKE_CLI_LINK_H

#include "message.h"

struct link;

#define LINK_ASK_MS 8000

/*
 * Connect and say HELLO. -ENOENT (no socket: the desk was never started), -ECONNREFUSED (nobody listens), -EACCES
 * (not one of the users allowed), -ECONNRESET (turned away), -ETIMEDOUT.
 */
int link_open(struct link **out, const char *path);
void link_close(struct link **link);

/* One message; return 1 when it was the one waited for, 0 to wait on, negative to give up. */
typedef int link_take_fn(struct message *message, void *arg);

/*
 * Send (the first field of `body` becomes the number of the request) and hand on what comes with that number, until
 * `take` says it is enough. -ETIMEDOUT, -ECONNRESET, or what `take` returned.
 */
int link_ask(struct link *link, uint16_t type, void *body, unsigned timeout_ms, link_take_fn *take,
             void *arg);
/* Send only; what comes for it is handed on by link_listen(). */
int link_send(struct link *link, uint16_t type, void *body);
/* With a descriptor (borrowed) along. */
int link_ask_fd(struct link *link, uint16_t type, void *body, int fd, unsigned timeout_ms,
                link_take_fn *take, void *arg);
/*
 * From now on every message is handed to `observe` before anything else, also between two questions, when nobody
 * waits: nothing that was subscribed to is missed. Its result is not used. NULL: nobody.
 */
void link_observe(struct link *link, link_take_fn *observe, void *arg);
/*
 * While something is waited for, `ready` is called when `fd` can be read: what it returns ends the waiting when it
 * is more than 0; a negative number ends this watching. -EPERM: nothing that can be watched.
 */
int link_watch_fd(struct link *link, int fd, int (*ready)(int fd, void *arg), void *arg);
/* Hand on everything that comes. timeout_ms 0: without end. */
int link_listen(struct link *link, unsigned timeout_ms, link_take_fn *take, void *arg);

#endif
