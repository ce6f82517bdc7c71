#include "usbip.h"

#include "descriptors.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    VERSION = 0x0111,
    OP_REQ_DEVLIST = 0x8005,
    OP_REP_DEVLIST = 0x0005,
    OP_REQ_IMPORT = 0x8003,
    OP_REP_IMPORT = 0x0003,
    ST_OK = 0,
    ST_NA = 1,
    ST_BUSY = 2,
    ST_NODEV = 4,
    CMD_SUBMIT = 1,
    CMD_UNLINK = 2,
    RET_SUBMIT = 3,
    RET_UNLINK = 4,
    OP_HEADER = 8,
    BUSID = 32,
    URB_HEADER = 48,
    ISO_DESCRIPTOR = 16,
    SPEED_HIGH = 3,
    DEVICE_ID = 0x00010002, /* bus 1, device 2 */
};

enum {
    CONNECTIONS = 4,
    URBS = 256,
    TRANSFER_MAX = 1024 * 1024,
    PACKETS_MAX = 1024,
    READ_CHUNK = 65536,
    OUT_HIGH = 4 * 1024 * 1024,
    OUT_LIMIT = 2 * OUT_HIGH + TRANSFER_MAX,
    ISO_PERIOD_US = 125,
};

static const char bus_id[] = "1-1";
static const char sys_path[] = "/sys/devices/simulated/usb1/1-1";

struct urb {
    uint32_t seq, ep; /* endpoint address with direction bit */
    uint32_t length, packets;
    uint8_t setup[8];
    uint8_t *data;             /* host's bytes, then the iso descriptors as received */
    uint64_t start_us, due_us; /* isochronous only */
};

struct connection {
    int fd;
    bool imported;
    struct buf in, out;
};

struct usbip {
    struct device *device;
    int epoll_fd;
    uint64_t tag;
    struct connection connections[CONNECTIONS];
    struct connection *importer;
    struct urb urbs[URBS]; /* in order of submission */
    size_t urb_count;
    uint64_t iso_next_us;
    uint8_t *scratch; /* TRANSFER_MAX bytes */
    struct usbip_transfers transfers;
};

int sim_usbip_new(struct usbip **out, struct device *device, int epoll_fd, uint64_t tag)
{
    struct usbip *u = calloc(1, sizeof(*u));
    size_t i;

    if (!u)
        return -ENOMEM;
    u->scratch = malloc(TRANSFER_MAX);
    if (!u->scratch) {
        free(u);
        return -ENOMEM;
    }
    u->device = device;
    u->epoll_fd = epoll_fd;
    u->tag = tag;
    for (i = 0; i < CONNECTIONS; i++)
        u->connections[i].fd = -1;
    *out = u;
    return 0;
}

static void remove_urb(struct usbip *u, size_t i)
{
    free(u->urbs[i].data);
    u->urb_count--;
    memmove(&u->urbs[i], &u->urbs[i + 1], (u->urb_count - i) * sizeof(u->urbs[0]));
}

static void release(struct usbip *u)
{
    while (u->urb_count > 0)
        remove_urb(u, u->urb_count - 1);
    u->importer = NULL;
    u->iso_next_us = 0;
}

static void close_connection(struct usbip *u, struct connection *c)
{
    if (c->fd < 0)
        return;
    if (u->importer == c) {
        release(u);
        sim_device_reset(u->device, 0);
    }
    epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    sim_buf_free(&c->in);
    sim_buf_free(&c->out);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
}

void sim_usbip_free(struct usbip **u)
{
    size_t i;

    if (!*u)
        return;
    for (i = 0; i < CONNECTIONS; i++)
        close_connection(*u, &(*u)->connections[i]);
    free((*u)->scratch);
    free(*u);
    *u = NULL;
}

bool sim_usbip_imported(const struct usbip *u)
{
    return u->importer != NULL;
}

static void watch(struct usbip *u, struct connection *c, int op)
{
    struct epoll_event ev = {.events = EPOLLIN | (c->out.len ? (uint32_t)EPOLLOUT : 0)};

    ev.data.u64 = u->tag | (uint64_t)(c - u->connections);
    epoll_ctl(u->epoll_fd, op, c->fd, &ev);
}

void sim_usbip_accept(struct usbip *u, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    size_t i;

    if (fd < 0)
        return;
    for (i = 0; i < CONNECTIONS && u->connections[i].fd >= 0; i++)
        ;
    if (i == CONNECTIONS) {
        close(fd);
        return;
    }
    u->connections[i].fd = fd;
    watch(u, &u->connections[i], EPOLL_CTL_ADD);
}

/* Sends what the socket takes; the rest waits for EPOLLOUT. */
static void flush(struct usbip *u, struct connection *c)
{
    ssize_t n;

    if (c->out.failed || c->out.len > OUT_LIMIT) { /* a peer that asks and never reads */
        close_connection(u, c);
        return;
    }
    while (c->out.len > 0) {
        n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            close_connection(u, c);
            return;
        }
        sim_buf_drop(&c->out, (size_t)n);
    }
    watch(u, c, EPOLL_CTL_MOD);
}

/* ---- listing and import ---------------------------------------------------------------------- */

static void put_op(struct buf *b, unsigned code, uint32_t status)
{
    sim_buf_put_be16(b, VERSION);
    sim_buf_put_be16(b, code);
    sim_buf_put_be32(b, status);
}

static void put_fixed(struct buf *b, const char *text, size_t size)
{
    size_t len = strlen(text);

    sim_buf_put(b, text, len);
    sim_buf_fill(b, 0, size - len);
}

static void put_device(struct buf *b)
{
    uint8_t d[DEVICE_DESCRIPTOR];

    sim_descriptors_device(d);
    put_fixed(b, sys_path, 256);
    put_fixed(b, bus_id, BUSID);
    sim_buf_put_be32(b, DEVICE_ID >> 16);
    sim_buf_put_be32(b, DEVICE_ID & 0xffff);
    sim_buf_put_be32(b, SPEED_HIGH);
    sim_buf_put_be16(b, DESCRIPTOR_VENDOR);
    sim_buf_put_be16(b, DESCRIPTOR_PRODUCT);
    sim_buf_put_be16(b, DESCRIPTOR_RELEASE);
    sim_buf_put(b, d + 4, 3); /* class, subclass, protocol */
    sim_buf_put_u8(b, 1);     /* bConfigurationValue */
    sim_buf_put_u8(b, 1);
    sim_buf_put_u8(b, INTERFACES);
}

static void reply_list(struct usbip *u, struct connection *c)
{
    static const uint8_t interfaces[INTERFACES][4] = {
        {0x0B, 0, 0, 0}, {0x0E, 1, 0, 0}, {0x0E, 2, 0, 0}};

    put_op(&c->out, OP_REP_DEVLIST, ST_OK);
    sim_buf_put_be32(&c->out, sim_device_plugged(u->device) ? 1 : 0);
    if (!sim_device_plugged(u->device))
        return;
    put_device(&c->out);
    sim_buf_put(&c->out, interfaces, sizeof(interfaces));
}

static void reply_import(struct usbip *u, struct connection *c, const uint8_t *wanted)
{
    uint32_t status = ST_OK;

    if (memchr(wanted, 0, BUSID) == NULL || strcmp((const char *)wanted, bus_id) != 0 ||
        !sim_device_plugged(u->device))
        status = ST_NODEV;
    else if (u->importer)
        status = ST_BUSY;
    put_op(&c->out, OP_REP_IMPORT, status);
    if (status != ST_OK)
        return;
    put_device(&c->out);
    c->imported = true;
    u->importer = c;
    u->iso_next_us = 0;
}

/* Returns the bytes used, 0 when more are needed, -1 when the peer is no USB/IP client. */
static ssize_t take_op(struct usbip *u, struct connection *c, const uint8_t *p, size_t len)
{
    if (len < OP_HEADER)
        return 0;
    if (util_get_be16(p) != VERSION)
        return -1;
    switch (util_get_be16(p + 2)) {
    case OP_REQ_DEVLIST:
        reply_list(u, c);
        return OP_HEADER;
    case OP_REQ_IMPORT:
        if (len < OP_HEADER + BUSID)
            return 0;
        reply_import(u, c, p + OP_HEADER);
        return OP_HEADER + BUSID;
    default:
        return -1;
    }
}

/* ---- transfers ------------------------------------------------------------------------------- */

static void put_return(struct usbip *u, uint32_t command, uint32_t seq, int status, uint32_t actual,
                       uint32_t packets, uint32_t errors)
{
    struct buf *b = &u->importer->out;

    sim_buf_put_be32(b, command);
    sim_buf_put_be32(b, seq);
    sim_buf_fill(b, 0, 12); /* devid, direction, endpoint: zero in answers */
    sim_buf_put_be32(b, (uint32_t)status);
    sim_buf_put_be32(b, actual);
    sim_buf_put_be32(b, 0); /* start frame */
    sim_buf_put_be32(b, packets);
    sim_buf_put_be32(b, errors);
    sim_buf_fill(b, 0, 8);
}

static void complete(struct usbip *u, const struct urb *urb, int status, const uint8_t *in,
                     size_t actual)
{
    put_return(u, RET_SUBMIT, urb->seq, status, (uint32_t)actual, 0, 0);
    if (urb->ep & 0x80)
        sim_buf_put(&u->importer->out, in, actual);
}

/* All packets of a due isochronous transfer: data packed without gaps, then the descriptors. */
static int complete_iso(struct usbip *u, const struct urb *urb)
{
    const uint8_t *asked = urb->data;
    struct buf answers = {0};
    uint32_t i, total = 0, errors = 0;

    for (i = 0; i < urb->packets; i++, asked += ISO_DESCRIPTOR) {
        uint32_t length = util_get_be32(asked + 4);
        int n = sim_device_iso_in(u->device, urb->start_us + (uint64_t)i * ISO_PERIOD_US, urb->ep,
                                  u->scratch + total, length);

        if (n == -ENODEV) {
            sim_buf_free(&answers);
            return n;
        }
        errors += n < 0;
        sim_buf_put(&answers, asked, 8); /* offset and length as asked */
        sim_buf_put_be32(&answers, n < 0 ? 0 : (uint32_t)n);
        sim_buf_put_be32(&answers, n < 0 ? (uint32_t)n : 0);
        total += n < 0 ? 0 : (uint32_t)n;
    }
    put_return(u, RET_SUBMIT, urb->seq, 0, total, urb->packets, errors);
    sim_buf_put(&u->importer->out, u->scratch, total);
    sim_buf_put(&u->importer->out, answers.data, answers.len);
    if (answers.failed)
        u->importer->out.failed = true;
    sim_buf_free(&answers);
    return 0;
}

/* Tries one transfer; -EAGAIN leaves it pending, -ENODEV ends the connection. */
static int run_urb(struct usbip *u, struct urb *urb, uint64_t now_us)
{
    uint8_t *buffer = u->scratch;
    bool in = urb->ep & 0x80;
    int n;

    if (urb->packets > 0)
        return now_us < urb->due_us ? -EAGAIN : complete_iso(u, urb);
    if ((urb->ep & 0x7f) == 0) {
        if (!in && urb->length)
            memcpy(buffer, urb->data, urb->length);
        n = sim_device_control(u->device, now_us, urb->setup, buffer, TRANSFER_MAX);
        if (n > (int)urb->length)
            n = (int)urb->length;
    } else if (!in) {
        n = sim_device_bulk_out(u->device, now_us, urb->ep, urb->data, urb->length);
    } else if (urb->ep == ENDPOINT_INTERRUPT) {
        n = sim_device_interrupt_in(u->device, now_us, urb->ep, buffer, urb->length);
    } else {
        n = sim_device_bulk_in(u->device, now_us, urb->ep, buffer, urb->length);
    }
    if (n == -EAGAIN || n == -ENODEV)
        return n;
    complete(u, urb, n < 0 ? n : 0, buffer, n < 0 ? 0 : (size_t)n);
    return 0;
}

void sim_usbip_serve(struct usbip *u, uint64_t now_us)
{
    bool again = true;
    size_t i, j;
    int r;

    if (u->importer && !sim_device_plugged(u->device))
        close_connection(u, u->importer);
    /* a completed OUT may make an IN ready, so pass until nothing moves */
    while (u->importer && again) {
        again = false;
        for (i = 0; u->importer && i < u->urb_count && u->importer->out.len < OUT_HIGH;) {
            for (j = 0; j < i && u->urbs[j].ep != u->urbs[i].ep; j++)
                ;
            r = j < i ? -EAGAIN : run_urb(u, &u->urbs[i], now_us); /* in order per endpoint */
            if (r == -ENODEV) {
                close_connection(u, u->importer);
            } else if (r == -EAGAIN) {
                i++;
            } else {
                remove_urb(u, i);
                again = true;
            }
        }
    }
    if (u->importer)
        flush(u, u->importer);
}

uint64_t sim_usbip_next_us(const struct usbip *u, uint64_t now_us)
{
    uint64_t next;
    size_t i;

    if (!u->importer || u->urb_count == 0)
        return UINT64_MAX;
    next = sim_device_next_us(u->device, now_us);
    for (i = 0; i < u->urb_count; i++)
        if (u->urbs[i].packets && u->urbs[i].due_us < next)
            next = u->urbs[i].due_us;
    return next;
}

struct usbip_transfers sim_usbip_transfers(const struct usbip *u)
{
    return u->transfers;
}

static void count(struct usbip_transfers *t, const struct urb *urb)
{
    if (urb->packets)
        t->iso++;
    else if ((urb->ep & 0x0fu) == 0)
        t->control++;
    else if (urb->ep == ENDPOINT_INTERRUPT)
        t->interrupt++;
    else if (urb->ep & 0x80u)
        t->bulk_in++;
    else
        t->bulk_out++;
}

static void submit(struct usbip *u, struct urb *urb, uint64_t now_us)
{
    count(&u->transfers, urb);
    if (u->urb_count == URBS) {
        complete(u, urb, -ENOMEM, NULL, 0);
        free(urb->data);
        return;
    }
    if (urb->packets) {
        /* the next free microframe; a host that was late lost the ones between */
        if (u->iso_next_us < now_us)
            u->iso_next_us = now_us;
        urb->start_us = u->iso_next_us;
        urb->due_us = urb->start_us + (uint64_t)urb->packets * ISO_PERIOD_US;
        u->iso_next_us = urb->due_us;
    }
    u->urbs[u->urb_count++] = *urb;
}

static void unlink_urb(struct usbip *u, uint32_t seq, uint32_t target)
{
    int status = 0; /* already completed */
    size_t i;

    u->transfers.unlinked++;

    for (i = 0; i < u->urb_count; i++) {
        if (u->urbs[i].seq != target)
            continue;
        remove_urb(u, i);
        status = -ECONNRESET;
        break;
    }
    put_return(u, RET_UNLINK, seq, status, 0, 0, 0);
}

/* Lengths of the iso packets must fit the transfer. */
static bool iso_fits(const struct urb *urb)
{
    uint64_t sum = 0;
    uint32_t i;

    for (i = 0; i < urb->packets; i++)
        sum += util_get_be32(urb->data + i * ISO_DESCRIPTOR + 4);
    return sum <= urb->length;
}

static ssize_t take_submit(struct usbip *u, const uint8_t *p, size_t len, uint64_t now_us)
{
    bool in = util_get_be32(p + 12) == 1;
    uint32_t number = util_get_be32(p + 16), packets = util_get_be32(p + 32);
    struct urb urb = {.seq = util_get_be32(p + 4), .length = util_get_be32(p + 24)};
    size_t payload;

    if (packets == 0xffffffffu)
        packets = 0;
    if (number > 15 || urb.length > TRANSFER_MAX || packets > PACKETS_MAX || (packets && !in))
        return -1;
    payload = (in ? 0 : urb.length) + (size_t)packets * ISO_DESCRIPTOR;
    if (len < URB_HEADER + payload)
        return 0;
    urb.ep = number | (in ? 0x80u : 0);
    urb.packets = packets;
    memcpy(urb.setup, p + 40, sizeof(urb.setup));
    if (payload) {
        urb.data = malloc(payload);
        if (!urb.data)
            return -1;
        memcpy(urb.data, p + URB_HEADER, payload);
    }
    if (packets && !iso_fits(&urb)) {
        free(urb.data);
        return -1;
    }
    submit(u, &urb, now_us);
    return (ssize_t)(URB_HEADER + payload);
}

static ssize_t take_urb(struct usbip *u, const uint8_t *p, size_t len, uint64_t now_us)
{
    if (len < URB_HEADER)
        return 0;
    switch (util_get_be32(p)) {
    case CMD_SUBMIT:
        return take_submit(u, p, len, now_us);
    case CMD_UNLINK:
        unlink_urb(u, util_get_be32(p + 4), util_get_be32(p + 20));
        return URB_HEADER;
    default:
        return -1;
    }
}

/* Handles all whole messages received; false when the connection was closed. */
static bool handle_input(struct usbip *u, struct connection *c, uint64_t now_us)
{
    size_t used = 0;
    ssize_t n;

    do {
        n = c->imported ? take_urb(u, c->in.data + used, c->in.len - used, now_us)
                        : take_op(u, c, c->in.data + used, c->in.len - used);
        if (n < 0) {
            close_connection(u, c);
            return false;
        }
        used += (size_t)n;
    } while (n > 0);
    sim_buf_drop(&c->in, used);
    return true;
}

void sim_usbip_ready(struct usbip *u, uint64_t index, uint32_t events, uint64_t now_us)
{
    struct connection *c = &u->connections[index % CONNECTIONS];
    uint8_t chunk[READ_CHUNK];
    ssize_t n;

    if (c->fd < 0)
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        n = recv(c->fd, chunk, sizeof(chunk), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            close_connection(u, c);
            return;
        }
        if (n > 0) {
            sim_buf_put(&c->in, chunk, (size_t)n);
            if (c->in.failed) {
                close_connection(u, c);
                return;
            }
            if (!handle_input(u, c, now_us))
                return;
        }
    }
    if (c->fd >= 0)
        flush(u, c);
}
