/*
 * The control socket: a Unix stream, one command a line, one answer line "ok ..." or "error ...".
 */
#ifndef SIM_SERVICE_CONTROL_H
#define SIM_SERVICE_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "server.h"
#include "service.h"

#define CONTROL_CLIENTS 16
#define CONTROL_POLLS (CONTROL_CLIENTS + 1)

struct control;

/* Listens at path (a stale socket there is removed). path NULL: no socket. 0 or negative errno. */
int control_open(struct control **out, const char *path, struct service *service,
                 struct server *server, const char *people_dir);
void control_close(struct control *control);

/* Fills up to CONTROL_POLLS entries to poll, and takes them back afterwards. */
size_t control_prepare(struct control *control, struct pollfd polls[static CONTROL_POLLS]);
void control_dispatch(struct control *control, const struct pollfd *polls, size_t count);

/* Somebody said quit. */
bool control_wants_quit(const struct control *control);

/* Runs one command and writes the answer line without its newline. */
void control_run(struct control *control, const char *line, char *answer, size_t size);

#endif
