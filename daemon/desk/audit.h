/* audit: the audit log, read by the command. Who reads it is itself a row of it (view.h). */
#ifndef UKETSUKE_DESK_AUDIT_H
#define UKETSUKE_DESK_AUDIT_H

#include <stdbool.h>

struct desk;
struct ipc;
struct message;

/* Takes AUDIT_QUERY; false: it is another message. */
bool audit_message(struct desk *desk, struct ipc *ipc, const struct message *message);

#endif
