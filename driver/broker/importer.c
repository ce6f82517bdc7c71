#include "importer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/bytes.h"
#include "daemon/common/clock.h"

#define USBIP_VERSION 0x0111u
#define OP_REQ_IMPORT 0x8003u
#define OP_REP_IMPORT 0x0003u
#define OP_HEADER 8u /* version, code, status */
#define PATH_BYTES 256u
#define BUS_ID_BYTES 32u
#define REQUEST_BYTES (OP_HEADER + BUS_ID_BYTES)
#define DEVICE_BYTES 312u
#define REPLY_BYTES (OP_HEADER + DEVICE_BYTES)
#define PATIENCE_US (5 * CLOCK_SECOND)

static const char bus_id[] = "1-1";

struct importer {
    int fd;
    sd_event_source *io;
    struct timer *timer;
    importer_fn *done;
    void *arg;
    int error;
    bool finished;
    uint8_t request[REQUEST_BYTES];
    size_t sent;
    uint8_t reply[REPLY_BYTES];
    size_t received;
};

static void finish(struct importer *i, int error, const struct import_device *device)
{
    int fd = i->fd;

    if (i->finished)
        return;
    i->finished = true;
    i->io = sd_event_source_disable_unref(i->io);
    timer_stop(i->timer);
    i->fd = -1;
    if (error != 0) {
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    i->done(error, fd, error == 0 ? device : NULL, i->arg);
}

static int parse_reply(const struct importer *i, struct import_device *device)
{
    struct bytes_reader r;

    bytes_reader_init(&r, i->reply, sizeof(i->reply));
    if (bytes_u16be(&r) != USBIP_VERSION || bytes_u16be(&r) != OP_REP_IMPORT ||
        bytes_u32be(&r) != 0)
        return -EPROTO;
    (void)bytes_take(&r, PATH_BYTES);
    (void)bytes_take(&r, BUS_ID_BYTES);
    device->busnum = bytes_u32be(&r);
    device->devnum = bytes_u32be(&r);
    device->speed = (uint8_t)bytes_u32be(&r);
    device->vendor = bytes_u16be(&r);
    device->product = bytes_u16be(&r);
    return r.failed || device->busnum > 0xFFFF || device->devnum > 0xFFFF ? -EPROTO : 0;
}

/* A refusal is the header alone. */
static bool is_refusal(const struct importer *i)
{
    return i->received >= OP_HEADER && (i->reply[4] | i->reply[5] | i->reply[6] | i->reply[7]) != 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *arg)
{
    struct importer *i = arg;
    struct import_device device;
    ssize_t n;
    int rc;

    (void)events;
    if (i->sent < sizeof(i->request)) {
        n = send(fd, i->request + i->sent, sizeof(i->request) - i->sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            finish(i, -errno, NULL);
            return 0;
        }
        i->sent += n > 0 ? (size_t)n : 0;
        if (i->sent == sizeof(i->request))
            (void)sd_event_source_set_io_events(source, EPOLLIN);
        return 0;
    }
    n = recv(fd, i->reply + i->received, sizeof(i->reply) - i->received, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        finish(i, n == 0 ? -ECONNRESET : -errno, NULL);
        return 0;
    }
    i->received += (size_t)n;
    if (is_refusal(i)) {
        finish(i, -EBUSY, NULL);
    } else if (i->received == sizeof(i->reply)) {
        rc = parse_reply(i, &device);
        finish(i, rc, &device);
    }
    return 0;
}

static void on_timer(struct timer *timer, void *arg)
{
    struct importer *i = arg;

    (void)timer;
    finish(i, i->error != 0 ? i->error : -ETIMEDOUT, NULL);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    /* On a Unix socket this succeeds or fails at once; EAGAIN is a full queue, which a later try may find empty. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    return fd;
}

int importer_new(struct importer **out, struct sd_event *loop, struct clock *clock,
                 const char *path, importer_fn *done, void *arg)
{
    struct importer *i = calloc(1, sizeof(*i));
    struct bytes_writer w;
    char id[BUS_ID_BYTES] = {0};
    int rc = -ENOMEM;

    *out = NULL;
    if (i == NULL)
        return rc;
    i->fd = -1;
    i->done = done;
    i->arg = arg;
    memcpy(id, bus_id, sizeof(bus_id));
    bytes_writer_init(&w, i->request, sizeof(i->request));
    bytes_put_u16be(&w, USBIP_VERSION);
    bytes_put_u16be(&w, OP_REQ_IMPORT);
    bytes_put_u32be(&w, 0);
    bytes_put(&w, id, sizeof(id));
    i->timer = timer_new(clock, on_timer, i);
    if (i->timer == NULL)
        goto fail;
    i->fd = connect_to(path);
    if (i->fd < 0) {
        i->error = i->fd;
        rc = timer_set_after(i->timer, 0);
    } else {
        rc = sd_event_add_io(loop, &i->io, i->fd, EPOLLOUT, on_io, i);
        if (rc >= 0)
            rc = timer_set_after(i->timer, PATIENCE_US);
    }
    if (rc < 0)
        goto fail;
    *out = i;
    return 0;
fail:
    importer_free(&i);
    return rc;
}

void importer_free(struct importer **importer)
{
    struct importer *i = *importer;

    *importer = NULL;
    if (i == NULL)
        return;
    i->finished = true;
    (void)sd_event_source_disable_unref(i->io);
    timer_free(&i->timer);
    if (i->fd >= 0)
        close(i->fd);
    free(i);
}
