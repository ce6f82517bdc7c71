#include "link.h"

#include "clock.h"
#include "ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define OPEN_MS 3000

struct link {
    struct sd_event *loop;
    struct clock *clock;
    struct timer *timer;
    struct ipc *ipc;
    uint32_t request;
    uint32_t wanted; /* 0: everything */
    link_take_fn *take;
    void *arg;
    link_take_fn *observe;
    void *observe_arg;
    int (*ready)(int fd, void *arg);
    void *ready_arg;
    int result;
    int done;
    int open;
};

static void finish(struct link *link, int result)
{
    link->result = result;
    link->done = 1;
}

static void on_open(struct ipc *ipc, const struct msg_hello *peer, void *arg)
{
    struct link *link = arg;

    (void)ipc;
    (void)peer;
    link->open = 1;
    finish(link, 0);
}

static void on_message(struct ipc *ipc, struct message *message, void *arg)
{
    struct link *link = arg;
    uint32_t request;
    int r;

    (void)ipc;
    if (link->observe != NULL)
        (void)link->observe(message, link->observe_arg);
    memcpy(&request, &message->body, sizeof(request));
    /* LANE_STATE has no number and what happens live has 0: both belong to whoever subscribed. */
    if (link->take == NULL || link->done ||
        (link->wanted != 0 && message->type != MSG_LANE_STATE && request != 0 &&
         request != link->wanted))
        return;
    r = link->take(message, link->arg);
    if (r != 0)
        finish(link, r > 0 ? 0 : r);
}

static void on_closed(struct ipc *ipc, int error, void *arg)
{
    struct link *link = arg;

    (void)ipc;
    finish(link, error != 0 && error != -EPIPE ? error : -ECONNRESET);
}

static void on_timer(struct timer *timer, void *arg)
{
    (void)timer;
    finish(arg, -ETIMEDOUT);
}

static int run(struct link *link, unsigned timeout_ms)
{
    link->done = 0;
    if (timeout_ms > 0)
        (void)timer_set_after(link->timer, timeout_ms * CLOCK_MS);
    while (!link->done) {
        int r = sd_event_run(link->loop, UINT64_MAX);

        if (r < 0 && r != -EINTR)
            return r;
    }
    timer_stop(link->timer);
    return link->result;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        r = -errno;
        (void)close(fd);
        return r;
    }
    return fd;
}

int link_open(struct link **out, const char *path)
{
    static const struct ipc_self self = {IPC_COMMAND, 0, "uketsuke", ""};
    static const struct ipc_handlers handlers = {on_open, on_message, on_closed};
    struct link *link;
    int fd, r;

    *out = NULL;
    fd = connect_to(path);
    if (fd < 0)
        return fd;
    link = calloc(1, sizeof(*link));
    r = link != NULL ? sd_event_new(&link->loop) : -ENOMEM;
    if (r >= 0) {
        link->clock = clock_new_system(link->loop);
        link->timer = link->clock != NULL ? timer_new(link->clock, on_timer, link) : NULL;
        r = link->timer != NULL ? 0 : -ENOMEM;
    }
    if (r < 0) {
        (void)close(fd);
        goto fail;
    }
    r = ipc_new(&link->ipc, link->loop, fd, &self, "D", &handlers, link);
    if (r < 0)
        goto fail;
    r = run(link, OPEN_MS);
    if (r < 0)
        goto fail;
    *out = link;
    return 0;
fail:
    link_close(&link);
    return r;
}

void link_close(struct link **at)
{
    struct link *link = *at;

    if (link == NULL)
        return;
    *at = NULL;
    ipc_free(&link->ipc);
    timer_free(&link->timer);
    clock_free(&link->clock);
    sd_event_unref(link->loop);
    free(link);
}

int link_send(struct link *link, uint16_t type, void *body)
{
    link->request++;
    memcpy(body, &link->request, sizeof(link->request));
    return ipc_send(link->ipc, type, body);
}

int link_ask(struct link *link, uint16_t type, void *body, unsigned timeout_ms, link_take_fn *take,
             void *arg)
{
    return link_ask_fd(link, type, body, -1, timeout_ms, take, arg);
}

int link_ask_fd(struct link *link, uint16_t type, void *body, int fd, unsigned timeout_ms,
                link_take_fn *take, void *arg)
{
    int r;

    link->wanted = ++link->request;
    memcpy(body, &link->wanted, sizeof(link->wanted));
    link->take = take;
    link->arg = arg;
    r = ipc_send_fds(link->ipc, type, body, &fd, fd >= 0);
    return r < 0 ? r : run(link, timeout_ms);
}

void link_observe(struct link *link, link_take_fn *observe, void *arg)
{
    link->observe = observe;
    link->observe_arg = arg;
}

static int on_ready(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    struct link *link = arg;
    int r = link->ready(fd, link->ready_arg);

    (void)source;
    (void)events;
    if (r > 0)
        finish(link, 0);
    return r < 0 ? r : 0; /* a negative number takes the source out of the loop */
}

int link_watch_fd(struct link *link, int fd, int (*ready)(int fd, void *arg), void *arg)
{
    int r;

    link->ready = ready;
    link->ready_arg = arg;
    r = sd_event_add_io(link->loop, NULL, fd, EPOLLIN, on_ready, link);
    return r < 0 ? r : 0;
}

int link_listen(struct link *link, unsigned timeout_ms, link_take_fn *take, void *arg)
{
    link->wanted = 0;
    link->take = take;
    link->arg = arg;
    return run(link, timeout_ms);
}
