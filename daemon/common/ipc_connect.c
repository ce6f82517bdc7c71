/* The two ways to come to a connection: a listening socket from the supervisor, and a path to connect to. */
#include "clock.h"
#include "ipc.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define UIDS_MAX 16
#define RETRY_FIRST (50 * CLOCK_MS)
#define RETRY_MOST (2 * CLOCK_SECOND)

struct ipc_server {
    struct sd_event *loop;
    sd_event_source *io;
    int fd;
    struct ipc_self self;
    char allow[16];
    uid_t uids[UIDS_MAX];
    size_t nuids;
    struct ipc_handlers handlers;
    void *arg;
    struct ipc *strangers[IPC_STRANGERS_MAX]; /* the oldest first */
    size_t nstrangers;
};

static bool forget_stranger(struct ipc_server *server, const struct ipc *ipc)
{
    size_t i = 0;

    while (i < server->nstrangers && server->strangers[i] != ipc)
        i++;
    if (i == server->nstrangers)
        return false;
    server->nstrangers--;
    memmove(&server->strangers[i], &server->strangers[i + 1],
            /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are moved */
            (server->nstrangers - i) * sizeof(server->strangers[0]));
    return true;
}

static void stranger_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct ipc_server *server = arg;

    (void)forget_stranger(server, ipc);
    ipc_hand_over(ipc, &server->handlers, server->arg);
    if (server->handlers.open != NULL)
        server->handlers.open(ipc, peer, server->arg);
}

static void stranger_closed(struct ipc *ipc, int error, void *arg)
{
    (void)error;
    if (forget_stranger(arg, ipc))
        ipc_free(&ipc);
}

static bool uid_welcome(const struct ipc_server *server, uid_t uid)
{
    if (uid == 0 || uid == geteuid())
        return true;
    for (size_t i = 0; i < server->nuids; i++)
        if (server->uids[i] == uid)
            return true;
    return false;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    static const struct ipc_handlers handlers = {stranger_open, NULL, stranger_closed};
    struct ipc_server *server = arg;
    struct ucred peer;
    socklen_t len = sizeof(peer);
    struct ipc *ipc;
    int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int r;

    (void)source;
    (void)revents;
    if (conn < 0)
        return 0;
    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        !uid_welcome(server, peer.uid)) {
        log_event(LOG_LEVEL_WARNING, "peer turned away", LOG_NUMBER("uid", peer.uid));
        (void)close(conn);
        return 0;
    }
    r = ipc_new(&ipc, server->loop, conn, &server->self, server->allow, &handlers, server);
    if (r < 0) {
        log_event(LOG_LEVEL_WARNING, "peer not accepted", LOG_ERRNO(r));
        return 0;
    }
    if (server->nstrangers == IPC_STRANGERS_MAX) {
        struct ipc *oldest = server->strangers[0];

        (void)forget_stranger(server, oldest);
        ipc_free(&oldest);
    }
    server->strangers[server->nstrangers++] = ipc;
    return 0;
}

int ipc_server_new(struct ipc_server **out, struct sd_event *loop, int listen_fd,
                   const struct ipc_self *self, const char *allow, const uid_t *uids, size_t nuids,
                   const struct ipc_handlers *handlers, void *arg)
{
    struct ipc_server *server = calloc(1, sizeof(*server));
    int r;

    *out = NULL;
    if (server == NULL)
        return -ENOMEM;
    server->loop = loop;
    server->fd = listen_fd;
    server->self = *self;
    (void)strncpy(server->allow, allow, sizeof(server->allow) - 1);
    server->nuids = nuids < UIDS_MAX ? nuids : UIDS_MAX;
    if (nuids > 0)
        memcpy(server->uids, uids, server->nuids * sizeof(*uids));
    server->handlers = *handlers;
    server->arg = arg;
    r = sd_event_add_io(loop, &server->io, listen_fd, EPOLLIN, on_accept, server);
    if (r < 0) {
        free(server);
        return r;
    }
    *out = server;
    return 0;
}

void ipc_server_free(struct ipc_server **at)
{
    struct ipc_server *server = *at;

    if (server == NULL)
        return;
    *at = NULL;
    while (server->nstrangers > 0)
        ipc_free(&server->strangers[--server->nstrangers]);
    server->io = sd_event_source_disable_unref(server->io);
    (void)close(server->fd);
    free(server);
}

struct ipc_client {
    struct sd_event *loop;
    struct timer *retry;
    uint64_t wait_us;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct ipc_self self;
    char allow[16];
    struct ipc_handlers handlers;
    void *arg;
    struct ipc *ipc;
};

static void client_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct ipc_client *client = arg;

    client->wait_us = RETRY_FIRST;
    if (client->handlers.open != NULL)
        client->handlers.open(ipc, peer, client->arg);
}

static void client_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct ipc_client *client = arg;

    if (client->handlers.message != NULL)
        client->handlers.message(ipc, message, client->arg);
}

static void client_later(struct ipc_client *client)
{
    (void)timer_set_after(client->retry, client->wait_us);
    client->wait_us = client->wait_us * 2 < RETRY_MOST ? client->wait_us * 2 : RETRY_MOST;
}

static void client_closed(struct ipc *ipc, int error, void *arg)
{
    struct ipc_client *client = arg;
    bool opened = ipc_peer_role(ipc) != 0;

    if (opened && client->handlers.closed != NULL)
        client->handlers.closed(ipc, error, client->arg);
    /* The handler may have asked for a restart: then this connection is already another one. */
    if (client->ipc == ipc) {
        ipc_free(&client->ipc);
        client_later(client);
    }
}

static void client_connect(struct timer *timer, void *arg)
{
    static const struct ipc_handlers handlers = {client_open, client_message, client_closed};
    struct ipc_client *client = arg;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r;

    (void)timer;
    if (client->ipc != NULL)
        return;
    memcpy(address.sun_path, client->path, sizeof(address.sun_path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        client_later(client);
        return;
    }
    do
        r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    while (r != 0 && errno == EINTR);
    if (r != 0) {
        (void)close(fd);
        client_later(client);
        return;
    }
    if (ipc_new(&client->ipc, client->loop, fd, &client->self, client->allow, &handlers, client) <
        0)
        client_later(client);
}

int ipc_client_new(struct ipc_client **out, struct sd_event *loop, struct clock *clock,
                   const char *path, const struct ipc_self *self, const char *allow,
                   const struct ipc_handlers *handlers, void *arg)
{
    struct ipc_client *client = calloc(1, sizeof(*client));
    int r = -ENOMEM;

    *out = NULL;
    if (client == NULL)
        return r;
    if (strlen(path) >= sizeof(client->path)) {
        r = -ENAMETOOLONG;
        goto fail;
    }
    memcpy(client->path, path, strlen(path) + 1);
    (void)strncpy(client->allow, allow, sizeof(client->allow) - 1);
    client->loop = loop;
    client->self = *self;
    client->handlers = *handlers;
    client->arg = arg;
    client->wait_us = RETRY_FIRST;
    client->retry = timer_new(clock, client_connect, client);
    if (client->retry == NULL)
        goto fail;
    r = timer_set_after(client->retry, 0);
    if (r < 0)
        goto fail;
    *out = client;
    return 0;
fail:
    timer_free(&client->retry);
    free(client);
    return r;
}

void ipc_client_free(struct ipc_client **at)
{
    struct ipc_client *client = *at;

    if (client == NULL)
        return;
    *at = NULL;
    ipc_free(&client->ipc);
    timer_free(&client->retry);
    free(client);
}

struct ipc *ipc_client_peer(const struct ipc_client *client)
{
    return ipc_is_open(client->ipc) ? client->ipc : NULL;
}

void ipc_client_restart(struct ipc_client *client)
{
    ipc_free(&client->ipc);
    client->wait_us = RETRY_FIRST;
    client_later(client);
}
