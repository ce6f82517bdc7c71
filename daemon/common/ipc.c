#include "ipc.h"

#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define QUEUE_MAX 512   /* packets waiting for a slow peer; more and it is gone */
#define ANSWER_FIRST 64 /* as many may wait for it before it is heard again */

struct packet {
    struct packet *next;
    size_t len;
    unsigned nfds;
    int fds[MESSAGE_FDS_MAX];
    uint8_t data[];
};

struct ipc {
    struct sd_event *loop;
    sd_event_source *io;
    sd_event_source *deferred; /* reports a loss on the next turn, never inside a caller's send */
    int fd;
    struct ipc_self self;
    char allow[16];
    struct ipc_handlers handlers;
    void *arg;
    uint8_t peer_role;
    uint16_t peer_lane;
    uid_t peer_uid;
    bool opened;
    bool dead;
    int error;
    struct packet *first, **last;
    size_t queued;
    bool patient; /* see ipc_answer_first() */
    bool *freed; /* set while a handler runs: tells the dispatcher that its connection is no more */
};

static const struct {
    uint8_t role;
    const char *name;
} roles[] = {
    {IPC_DESK, "desk"},         {IPC_BROKER, "broker"}, {IPC_READER, "reader"},
    {IPC_MATCHER, "matcher"},   {IPC_OCR, "ocr"},       {IPC_RELAY, "relay"},
    {IPC_HANDOVER, "handover"}, {IPC_WEB, "web"},       {IPC_COMMAND, "command"},
};

const char *ipc_role_name(uint8_t role)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (roles[i].role == role)
            return roles[i].name;
    return "?";
}

static bool role_in(const char *letters, uint8_t role)
{
    return role != 0 && (strchr(letters, '*') != NULL || strchr(letters, role) != NULL);
}

static void packet_free(struct packet *packet)
{
    for (unsigned i = 0; i < packet->nfds; i++)
        (void)close(packet->fds[i]);
    /* A packet may hold sealed entries or a patient's name: leave no copy in the heap. */
    explicit_bzero(packet->data, packet->len);
    free(packet);
}

static void drop_queue(struct ipc *ipc)
{
    while (ipc->first != NULL) {
        struct packet *packet = ipc->first;

        ipc->first = packet->next;
        packet_free(packet);
    }
    ipc->last = &ipc->first;
    ipc->queued = 0;
}

static int report_loss(sd_event_source *source, void *arg)
{
    struct ipc *ipc = arg;

    (void)source;
    (void)sd_event_source_set_enabled(ipc->deferred, SD_EVENT_OFF);
    if (ipc->handlers.closed != NULL)
        ipc->handlers.closed(ipc, ipc->error, ipc->arg);
    return 0;
}

static void die(struct ipc *ipc, int error)
{
    if (ipc->dead)
        return;
    ipc->dead = true;
    ipc->error = error;
    (void)sd_event_source_set_enabled(ipc->io, SD_EVENT_OFF);
    ipc->io = sd_event_source_disable_unref(ipc->io);
    (void)close(ipc->fd);
    ipc->fd = -1;
    drop_queue(ipc);
    (void)sd_event_source_set_enabled(ipc->deferred, SD_EVENT_ONESHOT);
}

void ipc_refuse(struct ipc *ipc, const char *reason)
{
    if (ipc->dead)
        return;
    log_event(LOG_LEVEL_WARNING, "peer refused", LOG_NAME("peer", ipc_role_name(ipc->peer_role)),
              LOG_NUMBER("lane", ipc->peer_lane), LOG_NAME("reason", reason));
    die(ipc, -EPROTO);
}

static int send_now(struct ipc *ipc, const void *data, size_t len, const int *fds, unsigned nfds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (nfds > 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
    }
    do
        n = sendmsg(ipc->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return 0;
}

static bool listening(const struct ipc *ipc)
{
    return !ipc->patient || ipc->queued < ANSWER_FIRST;
}

static void want(struct ipc *ipc)
{
    (void)sd_event_source_set_io_events(ipc->io, (listening(ipc) ? (uint32_t)EPOLLIN : 0) |
                                                     (ipc->first != NULL ? (uint32_t)EPOLLOUT : 0));
}

void ipc_answer_first(struct ipc *ipc)
{
    ipc->patient = true;
}

static void flush(struct ipc *ipc)
{
    while (ipc->first != NULL) {
        struct packet *packet = ipc->first;
        int r = send_now(ipc, packet->data, packet->len, packet->fds, packet->nfds);

        if (r == -EAGAIN)
            break;
        if (r < 0) {
            die(ipc, r);
            return;
        }
        ipc->first = packet->next;
        if (ipc->first == NULL)
            ipc->last = &ipc->first;
        ipc->queued--;
        packet_free(packet);
    }
    want(ipc);
}

static int enqueue(struct ipc *ipc, const void *data, size_t len, const int *fds, unsigned nfds)
{
    struct packet *packet;

    if (ipc->queued >= QUEUE_MAX) {
        log_event(LOG_LEVEL_WARNING, "peer does not read",
                  LOG_NAME("peer", ipc_role_name(ipc->peer_role)),
                  LOG_NUMBER("lane", ipc->peer_lane));
        die(ipc, -ENOBUFS);
        return -ENOBUFS;
    }
    packet = calloc(1, sizeof(*packet) + len);
    if (packet == NULL)
        return -ENOMEM;
    packet->len = len;
    memcpy(packet->data, data, len);
    for (; packet->nfds < nfds; packet->nfds++) {
        int fd = dup(fds[packet->nfds]);

        if (fd < 0) {
            int r = -errno;

            packet_free(packet);
            return r;
        }
        packet->fds[packet->nfds] = fd;
    }
    *ipc->last = packet;
    ipc->last = &packet->next;
    ipc->queued++;
    want(ipc);
    return 0;
}

int ipc_send_fds(struct ipc *ipc, uint16_t type, const void *body, const int *fds, unsigned nfds)
{
    const struct message_row *row = message_row(type);
    uint8_t packet[MESSAGE_MAX];
    int len, r;

    if (ipc == NULL || ipc->dead || (!ipc->opened && type != MSG_HELLO))
        return -ENOTCONN;
    if (row == NULL || !role_in(row->from, (uint8_t)ipc->self.role) ||
        (type != MSG_HELLO && !role_in(row->to, ipc->peer_role)))
        return -EINVAL;
    len = message_encode(type, body, nfds, packet, sizeof(packet));
    if (len < 0)
        return len;
    r = ipc->first == NULL ? send_now(ipc, packet, (size_t)len, fds, nfds) : -EAGAIN;
    if (r == -EAGAIN)
        r = enqueue(ipc, packet, (size_t)len, fds, nfds);
    else if (r < 0)
        die(ipc, r);
    explicit_bzero(packet, (size_t)len);
    return r;
}

int ipc_send(struct ipc *ipc, uint16_t type, const void *body)
{
    return ipc_send_fds(ipc, type, body, NULL, 0);
}

int ipc_take_fd(struct message *message, unsigned i)
{
    int fd = i < message->nfds ? message->fds[i] : -1;

    if (fd >= 0)
        message->fds[i] = -1;
    return fd;
}

static void close_fds(const int *fds, unsigned nfds)
{
    for (unsigned i = 0; i < nfds; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

/* One packet. >0: length, 0: nothing now, negative: gone. Surplus descriptors are closed and reported as nfds. */
static ssize_t receive(struct ipc *ipc, uint8_t *data, size_t size, int *fds, unsigned *nfds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * (MESSAGE_FDS_MAX + 2))];
    } control;
    struct iovec iov = {.iov_base = data, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    ssize_t n;

    *nfds = 0;
    do
        n = recvmsg(ipc->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
        size_t count;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*nfds < MESSAGE_FDS_MAX)
                fds[*nfds] = fd;
            else
                (void)close(fd);
            (*nfds)++;
        }
    }
    if (n == 0) {
        /* The end; or an empty packet, which nobody of ours sends, with descriptors that nobody would close. */
        close_fds(fds, *nfds < MESSAGE_FDS_MAX ? *nfds : MESSAGE_FDS_MAX);
        *nfds = 0;
        return -ECONNRESET;
    }
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || *nfds > MESSAGE_FDS_MAX) {
        close_fds(fds, *nfds < MESSAGE_FDS_MAX ? *nfds : MESSAGE_FDS_MAX);
        *nfds = 0;
        return -EMSGSIZE;
    }
    return n;
}

static void take_hello(struct ipc *ipc, const struct msg_hello *hello)
{
    if (hello->version != IPC_VERSION) {
        ipc_refuse(ipc, "another version");
        return;
    }
    if (!role_in(ipc->allow, hello->role)) {
        ipc_refuse(ipc, "a role that has no business here");
        return;
    }
    ipc->peer_role = hello->role;
    ipc->peer_lane = hello->lane;
    ipc->opened = true;
    if (ipc->handlers.open != NULL)
        ipc->handlers.open(ipc, hello, ipc->arg);
}

static void dispatch(struct ipc *ipc, struct message *message)
{
    const struct message_row *row = message_row(message->type);

    if (!ipc->opened) {
        if (message->type != MSG_HELLO)
            ipc_refuse(ipc, "no HELLO");
        else
            take_hello(ipc, &message->body.hello);
        return;
    }
    if (message->type == MSG_HELLO)
        ipc_refuse(ipc, "HELLO twice");
    else if (!role_in(row->from, ipc->peer_role) || !role_in(row->to, (uint8_t)ipc->self.role))
        ipc_refuse(ipc, "a message that this role may not send");
    else if (ipc->handlers.message != NULL)
        ipc->handlers.message(ipc, message, ipc->arg);
}

void ipc_hand_over(struct ipc *ipc, const struct ipc_handlers *handlers, void *arg)
{
    ipc->handlers = *handlers;
    ipc->arg = arg;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct ipc *ipc = arg;
    uint8_t packet[MESSAGE_MAX + 1];
    struct message message;
    bool freed = false;

    (void)source;
    (void)fd;
    if ((revents & EPOLLOUT) != 0)
        flush(ipc);
    /* A few packets a turn: one busy peer must not keep the others waiting. */
    for (int i = 0;
         i < 16 && !freed && !ipc->dead && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0; i++) {
        ssize_t n;

        if (!listening(ipc) && (revents & (EPOLLHUP | EPOLLERR)) == 0)
            break;
        n = receive(ipc, packet, sizeof(packet), message.fds, &message.nfds);

        if (n == 0)
            break;
        if (n < 0) {
            die(ipc, n == -ECONNRESET ? 0 : (int)n);
            break;
        }
        if (message_decode(packet, (size_t)n, message.nfds, &message) < 0) {
            ipc_refuse(ipc, "a malformed message");
        } else {
            ipc->freed = &freed;
            dispatch(ipc, &message);
            if (!freed)
                ipc->freed = NULL;
            explicit_bzero(&message.body, message_row(message.type)->body_size);
        }
        explicit_bzero(packet, (size_t)n);
        close_fds(message.fds, message.nfds);
    }
    return 0;
}

int ipc_new(struct ipc **out, struct sd_event *loop, int fd, const struct ipc_self *self,
            const char *allow, const struct ipc_handlers *handlers, void *arg)
{
    struct msg_hello hello = {
        .version = IPC_VERSION, .role = (uint8_t)self->role, .lane = self->lane};
    struct ipc *ipc = calloc(1, sizeof(*ipc));
    struct ucred peer;
    socklen_t len = sizeof(peer);
    int r;

    *out = NULL;
    if (ipc == NULL) {
        (void)close(fd);
        return -ENOMEM;
    }
    ipc->fd = fd;
    ipc->loop = loop;
    ipc->self = *self;
    ipc->handlers = *handlers;
    ipc->arg = arg;
    ipc->last = &ipc->first;
    (void)strncpy(ipc->allow, allow, sizeof(ipc->allow) - 1);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        r = -errno;
        goto fail;
    }
    ipc->peer_uid = peer.uid;
    r = sd_event_add_io(loop, &ipc->io, fd, EPOLLIN, on_io, ipc);
    if (r < 0)
        goto fail;
    r = sd_event_add_defer(loop, &ipc->deferred, report_loss, ipc);
    if (r < 0)
        goto fail;
    (void)sd_event_source_set_enabled(ipc->deferred, SD_EVENT_OFF);
    (void)message_text(hello.program, sizeof(hello.program), self->program);
    (void)message_text(hello.instance, sizeof(hello.instance), self->instance);
    r = ipc_send(ipc, MSG_HELLO, &hello);
    if (r < 0)
        goto fail;
    *out = ipc;
    return 0;
fail:
    ipc_free(&ipc);
    return r;
}

void ipc_free(struct ipc **at)
{
    struct ipc *ipc = *at;

    if (ipc == NULL)
        return;
    *at = NULL;
    if (ipc->freed != NULL)
        *ipc->freed = true;
    ipc->io = sd_event_source_disable_unref(ipc->io);
    ipc->deferred = sd_event_source_disable_unref(ipc->deferred);
    drop_queue(ipc);
    if (ipc->fd >= 0)
        (void)close(ipc->fd);
    free(ipc);
}

uint8_t ipc_peer_role(const struct ipc *ipc)
{
    return ipc->peer_role;
}

uint16_t ipc_peer_lane(const struct ipc *ipc)
{
    return ipc->peer_lane;
}

uid_t ipc_peer_uid(const struct ipc *ipc)
{
    return ipc->peer_uid;
}

bool ipc_is_open(const struct ipc *ipc)
{
    return ipc != NULL && ipc->opened && !ipc->dead;
}

void ipc_set_arg(struct ipc *ipc, void *arg)
{
    ipc->arg = arg;
}
