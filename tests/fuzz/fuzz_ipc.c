/*
 * A peer on a connection: which role each side has, then packets, lawful and not, with descriptors. What reaches
 * the handler must be allowed by its row in the table; nothing is delivered before HELLO or after the end.
 */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/ipc.h"

static const char roles[] = "DBRMOYWC";

struct world {
    struct ipc *ipc;
    uint8_t self, peer;
    unsigned opened, closed;
    unsigned habit; /* what the handler does with the next message */
};

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(ipc == w->ipc && w->opened == 0 && w->closed == 0);
    FUZZ_CHECK(peer->role == w->peer && ipc_peer_role(ipc) == w->peer);
    FUZZ_CHECK(ipc_is_open(ipc));
    w->opened++;
}

static bool in(const char *letters, uint8_t role)
{
    return strchr(letters, '*') != NULL || strchr(letters, role) != NULL;
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct world *w = arg;
    const struct message_row *row = message_row(message->type);
    struct msg_health_end end = {.request = 1};

    FUZZ_CHECK(w->opened == 1 && w->closed == 0);
    FUZZ_CHECK(row != NULL && in(row->from, w->peer) && in(row->to, w->self));
    FUZZ_CHECK(message->nfds == row->fds || (message->nfds == 0 && row->fds_optional));
    for (unsigned i = 0; i < message->nfds; i++)
        FUZZ_CHECK(fcntl(message->fds[i], F_GETFD) >= 0);
    switch (w->habit % 5) {
    case 1: {
        int fd = ipc_take_fd(message, 0);

        if (fd >= 0)
            close(fd);
        break;
    }
    case 2:
        (void)ipc_send(ipc, MSG_HEALTH_END, &end);
        break;
    case 3:
        ipc_refuse(ipc, "out of turn");
        break;
    case 4:
        ipc_free(&w->ipc);
        break;
    default:
        break;
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(ipc == w->ipc && w->closed == 0 && error <= 0);
    w->closed++;
    ipc_free(&w->ipc);
}

static const struct ipc_handlers handlers = {
    .open = on_open, .message = on_message, .closed = on_closed};

static void run(sd_event *loop)
{
    for (unsigned i = 0; i < 32 && sd_event_run(loop, 0) > 0; i++)
        ;
}

static void send_packet(int fd, const uint8_t *data, size_t len, unsigned nfds)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = {(void *)(uintptr_t)data, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    int fds[4] = {fd, fd, fd, fd};

    memset(&control, 0, sizeof(control));
    if (nfds > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, nfds * sizeof(int));
    }
    (void)sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_hello(int fd, uint8_t role)
{
    struct msg_hello hello = {.version = IPC_VERSION, .role = role, .program = "peer"};
    uint8_t packet[256];
    int len = message_encode(MSG_HELLO, &hello, 0, packet, sizeof(packet));

    FUZZ_CHECK(len > 0);
    send_packet(fd, packet, (size_t)len, 0);
}

/* The header is right (so that the body is what is tried) unless the first byte says that all is raw. */
static void say(struct world *w, int fd, struct fuzz_input *input)
{
    unsigned what = fuzz_u8(input), nfds;
    uint8_t packet[MESSAGE_MAX + 64];
    const struct message_row *row = NULL;
    const uint8_t *body;
    size_t len;

    w->habit = what >> 4;
    if ((what & 1) == 0)
        row = message_row_at(fuzz_u8(input));
    nfds = row != NULL ? row->fds : fuzz_u8(input) % 5;
    body = fuzz_piece(input, MESSAGE_MAX, &len);
    if (row == NULL) {
        send_packet(fd, body, len, nfds);
        return;
    }
    if ((what & 2) != 0) {
        static union message_body zero;
        int n = message_encode(row->type, &zero, nfds, packet, sizeof(packet));

        /* A lawful body, with the first bytes of the input's. */
        if (n > 0) {
            size_t room = (size_t)n - MESSAGE_HEADER;

            memcpy(packet + MESSAGE_HEADER, body, len < room ? len : room);
            send_packet(fd, packet, (size_t)n, nfds);
        }
        return;
    }
    packet[0] = 'U';
    packet[1] = 'K';
    packet[2] = IPC_VERSION;
    packet[3] = 0;
    packet[4] = (uint8_t)row->type;
    packet[5] = (uint8_t)(row->type >> 8);
    packet[6] = (uint8_t)nfds;
    packet[7] = 0;
    packet[8] = (uint8_t)len;
    packet[9] = (uint8_t)(len >> 8);
    packet[10] = packet[11] = 0;
    memcpy(packet + MESSAGE_HEADER, body, len);
    send_packet(fd, packet, MESSAGE_HEADER + len, nfds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    static sd_event *loop;
    struct world w = {0};
    struct ipc_self self = {.program = "self", .instance = "1"};
    char allow[2];
    unsigned first;
    int pair[2];

    w.self = (uint8_t)roles[fuzz_u8(&input) % 8];
    w.peer = (uint8_t)roles[fuzz_u8(&input) % 8];
    first = fuzz_u8(&input);
    self.role = (enum ipc_role)w.self;
    allow[0] = (char)w.peer;
    allow[1] = '\0';
    if (loop == NULL)
        FUZZ_CHECK(sd_event_new(&loop) >= 0);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    FUZZ_CHECK(ipc_new(&w.ipc, loop, pair[0], &self, allow, &handlers, &w) == 0);
    if ((first & 1) == 0)
        say_hello(pair[1], (first & 2) == 0 ? w.peer : (uint8_t)(first >> 2));
    while (input.left > 0) {
        say(&w, pair[1], &input);
        if ((first & 4) != 0)
            run(loop);
    }
    run(loop);
    if ((first & 8) != 0)
        shutdown(pair[1], SHUT_WR);
    close(pair[1]);
    run(loop);
    run(loop);
    FUZZ_CHECK(w.closed == 1 || w.ipc == NULL || w.habit % 5 == 4);
    ipc_free(&w.ipc);
    run(loop);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    const struct message_row *row;

    for (size_t i = 0; (row = message_row_at(i)) != NULL; i++) {
        char from = row->from[0] == '*' ? 'D' : row->from[0],
             to = row->to[0] == '*' ? 'W' : row->to[0];

        seed_u8(&seed, (unsigned)(strchr(roles, to) - roles));
        seed_u8(&seed, (unsigned)(strchr(roles, from) - roles));
        seed_u8(&seed, 4);
        for (unsigned habit = 0; habit < 4; habit++) {
            seed_u8(&seed, 2 | habit << 4);
            seed_u8(&seed, (unsigned)i);
            seed_piece(&seed, "\1\0\0\0\0\0\0\0", 8);
        }
        seed_write(&seed, row->name);
    }
}
