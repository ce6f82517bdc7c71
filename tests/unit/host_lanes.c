#include "host_lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct host_lane *lane = arg;

    assert_int_equal(peer->role, IPC_BROKER);
    lane->ipc = ipc;
}

static void on_message(struct ipc *ipc, struct message *m, void *arg)
{
    struct host_lane *lane = arg;
    struct host_event *e = &lane->events[lane->n++];

    (void)ipc;
    assert_true(lane->n <= HOST_EVENTS);
    memset(e, 0, sizeof(*e));
    e->type = m->type;
    if (m->type == MSG_DEVICE_ATTACH) {
        e->attach = m->body.device_attach;
        memcpy(e->port, e->attach.port, sizeof(e->port));
        assert_int_equal(m->nfds, 1);
        assert_true(m->fds[0] >= 0);
    } else if (m->type == MSG_DEVICE_DETACH) {
        memcpy(e->port, m->body.device_detach.port, sizeof(e->port));
    }
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct host_lane *lane = arg;

    (void)error;
    lane->losses++;
    if (lane->ipc == ipc)
        lane->ipc = NULL;
    ipc_free(&ipc);
}

void host_lane_new(struct host_lane *lane, unsigned number, struct sd_event *loop,
                   const char *directory)
{
    static const struct ipc_handlers handlers = {on_open, on_message, on_closed};
    struct ipc_self self = {.role = IPC_READER, .program = "uketsuke-reader"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memset(lane, 0, sizeof(*lane));
    lane->number = number;
    (void)snprintf(lane->instance, sizeof(lane->instance), "%u", number);
    (void)snprintf(lane->path, sizeof(lane->path), "%s/reader-%u.sock", directory, number);
    assert_true((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", lane->path) <
                sizeof(address.sun_path));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    self.lane = (uint16_t)number;
    self.instance = lane->instance;
    assert_int_equal(ipc_server_new(&lane->server, loop, fd, &self, "B", NULL, 0, &handlers, lane),
                     0);
}

void host_lane_free(struct host_lane *lane)
{
    ipc_server_free(&lane->server);
    if (lane->ipc != NULL)
        ipc_free(&lane->ipc);
    (void)unlink(lane->path);
}

bool host_lane_says(struct host_lane *lane, unsigned state, uint16_t failure, const char *port)
{
    struct msg_device_state body = {.state = (uint8_t)state, .failure = failure};

    (void)MESSAGE_TEXT(body.port, port);
    return lane->ipc != NULL && ipc_send(lane->ipc, MSG_DEVICE_STATE, &body) == 0;
}
