/*
 * USB/IP, client side, over a socket on which the device has been imported already.
 *
 * Source: the Linux kernel's Documentation/usb/usbip_protocol.rst. All numbers are big endian.
 * Replies come in any order and find their transfer by seqnum. Whatever cannot be in the protocol
 * ends the connection: after a wrong length there is no finding back into step.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/bytes.h"
#include "daemon/common/clock.h"
#include "usb_transport.h"

enum command { CMD_SUBMIT = 1, CMD_UNLINK = 2, RET_SUBMIT = 3, RET_UNLINK = 4 };

#define HEADER_BYTES 48u
#define PACKET_BYTES 16u
#define NO_PACKETS UINT32_C(0xffffffff) /* number_of_packets of what is not isochronous */

#define URB_ISO_ASAP UINT32_C(0x0002)
#define URB_DIR_IN UINT32_C(0x0200)

/* Bytes not taken by the peer yet; a peer that reads nothing makes transfers fail, not memory grow.
 */
#define OUT_MAX (1024u * 1024u)
/* A host answers an UNLINK by itself, without the device: one that does not is no host any more. */
#define UNLINK_ANSWER_US (1 * CLOCK_SECOND)

/* What a request carries here. */
struct job {
    uint32_t seqnum;
    uint32_t unlink_seqnum;      /* an UNLINK is answered under its own number */
    uint64_t unlink_deadline_us; /* CLOCK_NEVER: not unlinked */
};

enum reading { READ_HEADER, READ_DATA, READ_PACKETS };

struct usb_usbip {
    struct usb usb;
    struct sd_event *loop;
    sd_event_source *source;
    int fd;
    uint32_t devid;
    uint32_t next_seqnum;
    struct timer *unlink_timer;

    uint8_t *out; /* from out_start on, out_len bytes */
    size_t out_start, out_len, out_size;
    bool wants_out;

    enum reading reading;
    uint8_t header[HEADER_BYTES];
    uint8_t packets[USB_PACKETS_MAX * PACKET_BYTES];
    uint8_t *into; /* where the part being read goes */
    size_t into_left;
    struct usb_request *request; /* whose answer is being read */
    enum usb_status status;
    uint32_t actual;
};

static struct usb_usbip *usbip_of(struct usb *usb)
{
    return (struct usb_usbip *)usb;
}

static bool is_in(const struct usb_request *request)
{
    uint8_t direction =
        request->pub.kind == USB_CONTROL ? request->pub.setup.request_type : request->pub.endpoint;

    return (direction & USB_DIR_IN) != 0;
}

/* Linux errno values, which the protocol carries whatever the host's system. */
static enum usb_status status_of(int32_t status)
{
    switch (status) {
    case 0:
    case -EREMOTEIO: /* shorter than asked for */
        return USB_OK;
    case -EPIPE:
        return USB_STALL;
    case -EOVERFLOW:
        return USB_OVERFLOW;
    case -ENODEV:
    case -ESHUTDOWN:
        return USB_GONE;
    case -ECONNRESET:
    case -ENOENT:
        return USB_CANCELLED;
    default:
        return USB_IO;
    }
}

/* -- out --------------------------------------------------------------------------------------- */

static void watch_out(struct usb_usbip *self, bool wanted)
{
    uint32_t events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0);

    if (self->wants_out != wanted && sd_event_source_set_io_events(self->source, events) >= 0)
        self->wants_out = wanted;
}

static void flush_out(struct usb_usbip *self)
{
    while (self->out_len > 0) {
        ssize_t sent =
            send(self->fd, self->out + self->out_start, self->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (sent <= 0) {
            usb_transport_gone(&self->usb);
            return;
        }
        /* A command APDU with a PIN may have gone through here. */
        explicit_bzero(self->out + self->out_start, (size_t)sent);
        self->out_start += (size_t)sent;
        self->out_len -= (size_t)sent;
    }
    if (self->out_len == 0)
        self->out_start = 0;
    watch_out(self, self->out_len > 0);
}

/* Room for `len` more bytes at the end, or NULL. */
static uint8_t *out_room(struct usb_usbip *self, size_t len)
{
    uint8_t *room;

    if (len > OUT_MAX - self->out_len)
        return NULL;
    if (self->out_start + self->out_len + len > self->out_size) {
        size_t size = self->out_len + len < 4096 ? 4096 : self->out_len + len;
        uint8_t *grown = malloc(size);

        if (grown == NULL)
            return NULL;
        if (self->out != NULL) {
            memcpy(grown, self->out + self->out_start, self->out_len);
            explicit_bzero(self->out, self->out_size);
            free(self->out);
        }
        self->out = grown;
        self->out_size = size;
        self->out_start = 0;
    }
    room = self->out + self->out_start + self->out_len;
    self->out_len += len;
    return room;
}

static uint32_t take_seqnum(struct usb_usbip *self)
{
    if (++self->next_seqnum == 0)
        self->next_seqnum = 1;
    return self->next_seqnum;
}

static void put_packets(struct bytes_writer *w, const struct usb_transfer *transfer)
{
    for (unsigned i = 0; i < transfer->packet_count; i++) {
        bytes_put_u32be(w, transfer->packets[i].offset);
        bytes_put_u32be(w, transfer->packets[i].length);
        bytes_put_u32be(w, 0); /* actual_length */
        bytes_put_u32be(w, 0); /* status */
    }
}

static enum usb_status usbip_submit(struct usb *usb, struct usb_request *request)
{
    static const uint8_t no_setup[USB_SETUP_BYTES];
    struct usb_usbip *self = usbip_of(usb);
    struct job *job = request->backend;
    const struct usb_transfer *transfer = &request->pub;
    bool iso = transfer->kind == USB_ISOCHRONOUS;
    bool in = is_in(request);
    size_t data = in ? 0 : transfer->length;
    size_t packets = iso ? transfer->packet_count * PACKET_BYTES : 0;
    size_t len = HEADER_BYTES + data + packets;
    uint8_t *room = out_room(self, len);
    struct bytes_writer w;

    if (room == NULL)
        return USB_IO;
    job->seqnum = take_seqnum(self);
    job->unlink_deadline_us = CLOCK_NEVER;
    bytes_writer_init(&w, room, len);
    bytes_put_u32be(&w, CMD_SUBMIT);
    bytes_put_u32be(&w, job->seqnum);
    bytes_put_u32be(&w, self->devid);
    bytes_put_u32be(&w, in ? 1 : 0);
    bytes_put_u32be(&w, transfer->endpoint & 0x0fu);
    bytes_put_u32be(&w, (in ? URB_DIR_IN : 0) | (iso ? URB_ISO_ASAP : 0));
    bytes_put_u32be(&w, (uint32_t)transfer->length);
    bytes_put_u32be(&w, 0); /* start_frame: as soon as possible */
    bytes_put_u32be(&w, iso ? transfer->packet_count : NO_PACKETS);
    bytes_put_u32be(&w, 0); /* interval: the host knows the endpoint's */
    bytes_put(&w, transfer->kind == USB_CONTROL ? usb_request_setup(request) : no_setup,
              USB_SETUP_BYTES);
    bytes_put(&w, transfer->data, data);
    if (iso)
        put_packets(&w, transfer);
    assert(!w.failed && w.used == len);
    flush_out(self);
    return USB_OK;
}

static void usbip_cancel(struct usb *usb, struct usb_request *request)
{
    struct usb_usbip *self = usbip_of(usb);
    struct job *job = request->backend;
    uint8_t *room;
    struct bytes_writer w;

    if (usb->gone || job->unlink_deadline_us != CLOCK_NEVER)
        return;
    room = out_room(self, HEADER_BYTES);
    if (room == NULL) {
        usb_transport_gone(usb);
        return;
    }
    memset(room, 0, HEADER_BYTES);
    bytes_writer_init(&w, room, HEADER_BYTES);
    job->unlink_seqnum = take_seqnum(self);
    bytes_put_u32be(&w, CMD_UNLINK);
    bytes_put_u32be(&w, job->unlink_seqnum);
    bytes_put_u32be(&w, self->devid);
    bytes_put_u32be(&w, is_in(request) ? 1 : 0);
    bytes_put_u32be(&w, request->pub.endpoint & 0x0fu);
    bytes_put_u32be(&w, job->seqnum); /* which one to unlink */
    job->unlink_deadline_us = clock_monotonic_us(usb->clock) + UNLINK_ANSWER_US;
    if (timer_deadline(self->unlink_timer) == CLOCK_NEVER)
        (void)timer_set_at(self->unlink_timer, job->unlink_deadline_us);
    flush_out(self);
}

static void on_unlink_deadline(struct timer *timer, void *arg)
{
    struct usb_usbip *self = arg;
    uint64_t now = clock_monotonic_us(self->usb.clock);
    uint64_t next = CLOCK_NEVER;

    for (struct usb_request *request = self->usb.flying; request != NULL; request = request->next) {
        const struct job *job = request->backend;

        if (!request->submitted || job->unlink_deadline_us == CLOCK_NEVER)
            continue;
        if (job->unlink_deadline_us <= now) {
            usb_transport_gone(&self->usb);
            return;
        }
        if (job->unlink_deadline_us < next)
            next = job->unlink_deadline_us;
    }
    (void)timer_set_at(timer, next);
}

/* -- in ---------------------------------------------------------------------------------------- */

static void expect(struct usb_usbip *self, enum reading reading, void *into, size_t len)
{
    self->reading = reading;
    self->into = into;
    self->into_left = len;
}

static void expect_header(struct usb_usbip *self)
{
    self->request = NULL;
    expect(self, READ_HEADER, self->header, sizeof(self->header));
}

static struct usb_request *find(struct usb_usbip *self, uint32_t seqnum, bool unlink)
{
    for (struct usb_request *request = self->usb.flying; request != NULL; request = request->next) {
        const struct job *job = request->backend;

        if (!request->submitted)
            continue;
        if (unlink ? job->unlink_deadline_us != CLOCK_NEVER && job->unlink_seqnum == seqnum
                   : job->seqnum == seqnum)
            return request;
    }
    return NULL;
}

static void answered(struct usb_usbip *self)
{
    struct usb_request *request = self->request;

    expect_header(self);
    usb_transport_complete(request, self->status, self->actual);
}

static bool on_ret_submit(struct usb_usbip *self, struct bytes_reader *r, uint32_t seqnum)
{
    struct usb_request *request = find(self, seqnum, false);
    bool iso;
    uint32_t packets;

    if (request == NULL)
        return false;
    self->request = request;
    self->status = status_of((int32_t)bytes_u32be(r));
    self->actual = bytes_u32be(r);
    bytes_u32be(r); /* start_frame */
    packets = bytes_u32be(r);
    if (self->actual > request->pub.length)
        return false;
    iso = request->pub.kind == USB_ISOCHRONOUS;
    if (iso && packets != request->pub.packet_count)
        return false;
    if (is_in(request) && self->actual > 0)
        expect(self, READ_DATA, request->pub.data, self->actual);
    else if (iso)
        expect(self, READ_PACKETS, self->packets, packets * PACKET_BYTES);
    else
        answered(self);
    return true;
}

static bool on_ret_unlink(struct usb_usbip *self, uint32_t seqnum)
{
    struct usb_request *request = find(self, seqnum, true);

    /* Its transfer may have been answered while the UNLINK was on its way. */
    if (request == NULL)
        return seqnum <= self->next_seqnum;
    self->request = request;
    self->status = USB_CANCELLED;
    self->actual = 0;
    answered(self);
    return true;
}

static bool on_header(struct usb_usbip *self)
{
    struct bytes_reader r;
    uint32_t command, seqnum;

    bytes_reader_init(&r, self->header, sizeof(self->header));
    command = bytes_u32be(&r);
    seqnum = bytes_u32be(&r);
    bytes_u32be(&r); /* devid, direction, ep: not filled in by every host */
    bytes_u32be(&r);
    bytes_u32be(&r);
    if (command == RET_SUBMIT)
        return on_ret_submit(self, &r, seqnum);
    expect_header(self);
    return command == RET_UNLINK && on_ret_unlink(self, seqnum);
}

/* Isochronous data come without the gaps between short packets: put each at its place, last first.
 */
static bool spread_packets(struct usb_usbip *self)
{
    struct usb_transfer *transfer = &self->request->pub;
    bool in = is_in(self->request);
    struct bytes_reader r;
    uint32_t sum = 0;

    bytes_reader_init(&r, self->packets, transfer->packet_count * PACKET_BYTES);
    for (unsigned i = 0; i < transfer->packet_count; i++) {
        struct usb_packet *packet = &transfer->packets[i];

        bytes_u32be(&r); /* offset and length: as we sent them */
        bytes_u32be(&r);
        packet->actual = bytes_u32be(&r);
        packet->status = status_of((int32_t)bytes_u32be(&r));
        if (packet->actual > packet->length)
            return false;
        sum += packet->actual;
    }
    if (!in)
        return true;
    if (sum != self->actual)
        return false;
    for (unsigned i = transfer->packet_count; i-- > 0;) {
        const struct usb_packet *packet = &transfer->packets[i];

        sum -= packet->actual;
        memmove(transfer->data + packet->offset, transfer->data + sum, packet->actual);
    }
    return true;
}

/* One part is whole. False: the peer does not speak the protocol. */
static bool on_part(struct usb_usbip *self)
{
    switch (self->reading) {
    case READ_HEADER:
        return on_header(self);
    case READ_DATA:
        if (self->request->pub.kind == USB_ISOCHRONOUS)
            expect(self, READ_PACKETS, self->packets,
                   self->request->pub.packet_count * PACKET_BYTES);
        else
            answered(self);
        return true;
    case READ_PACKETS:
        if (!spread_packets(self))
            return false;
        answered(self);
        return true;
    }
    return false;
}

static void read_some(struct usb_usbip *self)
{
    /* Enough for what is in flight, and no more: the loop has others to serve. */
    for (unsigned i = 0; i < 64 && !self->usb.gone && !self->usb.dead; i++) {
        ssize_t got = recv(self->fd, self->into, self->into_left, MSG_DONTWAIT);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got <= 0) {
            usb_transport_gone(&self->usb);
            return;
        }
        self->into += got;
        self->into_left -= (size_t)got;
        if (self->into_left == 0 && !on_part(self))
            usb_transport_gone(&self->usb);
    }
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
    struct usb_usbip *self = arg;

    (void)source;
    (void)fd;
    usb_transport_enter(&self->usb);
    if ((revents & EPOLLOUT) != 0)
        flush_out(self);
    if ((revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        read_some(self);
    if (self->usb.gone)
        (void)sd_event_source_set_enabled(self->source, SD_EVENT_OFF);
    usb_transport_leave(&self->usb);
    return 0;
}

/* -- operations: what a kernel would do by ioctl is done by control requests ------------------- */

struct operation_row {
    uint8_t request_type, request;
};

/* USB 2.0, 9.4; the reset is the hub request that USB/IP hosts carry out on the device's port. */
static const struct operation_row operation_rows[] = {
    [USB_OP_SET_ALT] = {0x01, 11},
    [USB_OP_CLEAR_HALT] = {0x02, 1},
    [USB_OP_RESET] = {0x23, 3},
};

#define PORT_RESET 4

static void on_operation(struct usb_transfer *transfer, void *arg)
{
    struct usb_operation *operation = arg;

    usb_transport_operated(((struct usb_request *)transfer)->usb, operation, transfer->status);
}

static void usbip_operate(struct usb *usb, struct usb_operation *operation)
{
    struct usb_transfer *transfer;

    /* The import was the claim: the host lets nobody else in. */
    if (operation->kind == USB_OP_CLAIM) {
        usb_transport_operated(usb, operation, USB_OK);
        return;
    }
    transfer = operation->transfer = usb_transfer_new(usb, 0, 0, on_operation, operation);
    if (transfer == NULL) {
        usb_transport_operated(usb, operation, USB_IO);
        return;
    }
    transfer->kind = USB_CONTROL;
    transfer->setup.request_type = operation_rows[operation->kind].request_type;
    transfer->setup.request = operation_rows[operation->kind].request;
    if (operation->kind == USB_OP_SET_ALT) {
        transfer->setup.value = operation->alt;
        transfer->setup.index = operation->interface;
    } else if (operation->kind == USB_OP_CLEAR_HALT) {
        transfer->setup.value = 0; /* ENDPOINT_HALT */
        transfer->setup.index = operation->endpoint;
    } else {
        transfer->setup.value = PORT_RESET;
    }
    transfer->deadline_us = operation->deadline_us;
    usb_submit(transfer);
}

static void usbip_release(struct usb *usb, uint8_t interface)
{
    (void)usb;
    (void)interface;
}

/* -- life -------------------------------------------------------------------------------------- */

static int usbip_prepare(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    request->backend = calloc(1, sizeof(struct job));
    return request->backend != NULL ? 0 : -ENOMEM;
}

static void usbip_unprepare(struct usb *usb, struct usb_request *request)
{
    (void)usb;
    free(request->backend);
}

static void usbip_drain(struct usb *usb)
{
    struct usb_usbip *self = usbip_of(usb);

    /* The connection ends with this; the core completes what was in flight. */
    if (self->source != NULL)
        (void)sd_event_source_set_enabled(self->source, SD_EVENT_OFF);
    timer_stop(self->unlink_timer);
    self->request = NULL;
}

static void usbip_destroy(struct usb *usb)
{
    struct usb_usbip *self = usbip_of(usb);

    timer_free(&self->unlink_timer);
    sd_event_source_disable_unref(self->source);
    sd_event_unref(self->loop);
    close(self->fd);
    if (self->out != NULL) {
        explicit_bzero(self->out, self->out_size);
        free(self->out);
    }
    free(self);
}

static const struct usb_transport_ops usbip_ops = {
    .configures = true,
    .prepare = usbip_prepare,
    .unprepare = usbip_unprepare,
    .submit = usbip_submit,
    .cancel = usbip_cancel,
    .operate = usbip_operate,
    .release = usbip_release,
    .drain = usbip_drain,
    .destroy = usbip_destroy,
};

struct usb *usb_usbip_new(struct sd_event *loop, struct clock *clock, int fd, uint32_t devid,
                          enum usb_speed speed)
{
    struct usb_usbip *self = calloc(1, sizeof(*self));
    int r = -ENOMEM;

    if (self == NULL) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    self->fd = fd;
    self->devid = devid;
    self->loop = sd_event_ref(loop);
    expect_header(self);
    if (usb_transport_init(&self->usb, &usbip_ops, clock) < 0)
        goto fail;
    self->usb.speed = speed;
    self->unlink_timer = timer_new(clock, on_unlink_deadline, self);
    if (self->unlink_timer == NULL)
        goto fail;
    r = sd_event_add_io(loop, &self->source, fd, EPOLLIN, on_socket, self);
    if (r < 0)
        goto fail;
    return &self->usb;

fail:
    timer_free(&self->usb.later);
    usbip_destroy(&self->usb);
    errno = -r;
    return NULL;
}
