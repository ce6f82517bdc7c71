/*
 * ipc: one connection between two programs of the house: a SOCK_SEQPACKET Unix socket on an event loop.
 *
 * The first message each way is HELLO (version, role). After it every packet is checked against its row in
 * message.def: unknown, too short, too long, with the wrong descriptors, or from a role that may not send
 * it: the connection is closed, never repaired. A handler that gets a message out of turn calls ipc_refuse().
 * Sending never blocks: packets that the kernel does not take wait in a bounded queue; a peer that lets it
 * fill up is gone.
 */
#ifndef UKETSUKE_IPC_H
#define UKETSUKE_IPC_H

#include "message.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sd_event;
struct clock;
struct ipc;
struct ipc_server;
struct ipc_client;

enum ipc_role {
    IPC_DESK = 'D',
    IPC_BROKER = 'B',
    IPC_READER = 'R',
    IPC_MATCHER = 'M',
    IPC_OCR = 'O',
    IPC_RELAY = 'Y',
    IPC_HANDOVER = 'H',
    IPC_WEB = 'W',
    IPC_COMMAND = 'C',
};

/* "desk", "reader"...; "?" when unknown. */
const char *ipc_role_name(uint8_t role);

/* Who we are, said in HELLO. lane: 0 when it does not apply. */
struct ipc_self {
    enum ipc_role role;
    uint16_t lane;
    const char *program;  /* "uketsuked" */
    const char *instance; /* "1", "main", "" */
};

struct ipc_handlers {
    /* HELLO went both ways. peer is valid during the call. */
    void (*open)(struct ipc *ipc, const struct msg_hello *peer, void *arg);
    /*
     * One checked message. A descriptor that the handler keeps is taken with ipc_take_fd(); what is left is
     * closed afterwards. The handler may call ipc_free() on this connection.
     */
    void (*message)(struct ipc *ipc, struct message *message, void *arg);
    /* The peer is gone or was refused (`error`: 0 orderly, else negative errno). Free it here or later. */
    void (*closed)(struct ipc *ipc, int error, void *arg);
};

/* Wrap a connected descriptor (taken, also on failure). `allow`: role letters that the peer may have. */
int ipc_new(struct ipc **out, struct sd_event *loop, int fd, const struct ipc_self *self,
            const char *allow, const struct ipc_handlers *handlers, void *arg);
/* Closes without calling `closed`. Accepts and stores NULL. */
void ipc_free(struct ipc **ipc);

/* The role of the peer, 0 before HELLO. */
uint8_t ipc_peer_role(const struct ipc *ipc);
uint16_t ipc_peer_lane(const struct ipc *ipc);
uid_t ipc_peer_uid(const struct ipc *ipc);
bool ipc_is_open(const struct ipc *ipc);
void ipc_set_arg(struct ipc *ipc, void *arg);
/* From now on other handlers (and their argument) serve this connection. */
void ipc_hand_over(struct ipc *ipc, const struct ipc_handlers *handlers, void *arg);

/*
 * For a server whose one answer is many packets: while many of them wait for the peer, nothing more is read from
 * it, so that many questions at once are slow and not fatal. Only where the peer itself never stops reading.
 */
void ipc_answer_first(struct ipc *ipc);

/*
 * Send; descriptors are duplicated by the kernel, the caller keeps its own. 0, -EINVAL (does not fit its
 * row: a defect of ours), -ENOTCONN, -ENOBUFS (the queue is full: the connection is closed soon after).
 */
int ipc_send(struct ipc *ipc, uint16_t type, const void *body);
int ipc_send_fds(struct ipc *ipc, uint16_t type, const void *body, const int *fds, unsigned nfds);

/* Take a descriptor out of a message: the caller owns it. -1 if there is none. */
int ipc_take_fd(struct message *message, unsigned i);

/* The peer broke the rules: log the reason (a string literal), close, call `closed` on the next turn. */
void ipc_refuse(struct ipc *ipc, const char *reason);

/*
 * A listening socket from the supervisor. Each accepted peer must have our own uid, root's, or one of
 * `uids`; others are turned away before a byte is read. For each a connection with `handlers` is made;
 * `open` (not accept) tells that it is there. The handler owns it from then on. Those that have not said HELLO
 * are the server's: IPC_STRANGERS_MAX of them, and when one more comes the oldest goes.
 */
#define IPC_STRANGERS_MAX 16

int ipc_server_new(struct ipc_server **out, struct sd_event *loop, int listen_fd,
                   const struct ipc_self *self, const char *allow, const uid_t *uids, size_t nuids,
                   const struct ipc_handlers *handlers, void *arg);
void ipc_server_free(struct ipc_server **server);

/*
 * A connection to a path that is made again whenever it is lost: at once, then after 50 ms doubling to 2 s,
 * for as long as it lives. `handlers->closed` is called for every loss of an open connection; the connection
 * object stays with the client (do not free it). ipc_client_peer() is NULL while there is none.
 */
int ipc_client_new(struct ipc_client **out, struct sd_event *loop, struct clock *clock,
                   const char *path, const struct ipc_self *self, const char *allow,
                   const struct ipc_handlers *handlers, void *arg);
void ipc_client_free(struct ipc_client **client);
struct ipc *ipc_client_peer(const struct ipc_client *client);
/* Drop the present connection (the peer talks nonsense) and connect again. */
void ipc_client_restart(struct ipc_client *client);

#endif
