/*
 * The other end of a USB/IP connection: what comes back on the socket is the input's, raw, or in the shape of an
 * answer to a request that was really sent. On our side transfers of every kind are begun, cancelled and freed in
 * between. Each ends exactly once; once the connection is gone nothing waits any longer.
 */
#define _GNU_SOURCE 1
#include "fuzz.h"
#include "fuzz_shortage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"

#define TRANSFERS 6
#define SEEN 64

struct seen { /* a request on the wire */
    uint32_t seqnum, command, length, packets;
    bool in;
};

struct world {
    sd_event *loop;
    struct clock *clock;
    struct usb *usb;
    int host;
    struct usb_transfer *transfers[TRANSFERS];
    bool flying[TRANSFERS];
    struct seen seen[SEEN];
    unsigned nseen;
    unsigned operations, operated, gone;
    enum usb_status started;
    bool again; /* callbacks submit anew */
    uint8_t stream[300000];
    size_t stream_len;
};

static uint32_t be(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_be(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* What we sent must be lawful itself: kernel's documentation of USB/IP, header of 48 bytes. */
static void listen_to_us(struct world *w)
{
    size_t at = 0;
    ssize_t got =
        recv(w->host, w->stream + w->stream_len, sizeof(w->stream) - w->stream_len, MSG_DONTWAIT);

    if (got > 0)
        w->stream_len += (size_t)got;
    while (w->stream_len - at >= 48) {
        const uint8_t *h = w->stream + at;
        struct seen seen = {.command = be(h), .seqnum = be(h + 4), .in = be(h + 12) == 1};
        size_t more = 0;

        FUZZ_CHECK(seen.command == 1 || seen.command == 2);
        if (seen.command == 1) {
            seen.length = be(h + 24);
            seen.packets = be(h + 32);
            if (!seen.in)
                more += seen.length;
            if (seen.packets != 0xffffffff)
                more += 16u * seen.packets;
        }
        if (w->stream_len - at < 48 + more)
            break;
        at += 48 + more;
        w->seen[w->nseen++ % SEEN] = seen;
    }
    memmove(w->stream, w->stream + at, w->stream_len - at);
    w->stream_len -= at;
}

static void settle(struct world *w, uint64_t us)
{
    clock_advance(w->clock, us);
    for (unsigned i = 0; i < 64; i++) {
        int r = sd_event_run(w->loop, 0);

        FUZZ_CHECK(r >= 0);
        if (clock_next_deadline(w->clock) <= clock_monotonic_us(w->clock))
            clock_advance(w->clock, 0);
        else if (r == 0)
            break;
    }
    if (w->host >= 0)
        listen_to_us(w);
}

static void on_transfer(struct usb_transfer *transfer, void *arg)
{
    struct world *w = arg;
    uint8_t sum = 0;

    FUZZ_CHECK((unsigned)transfer->status < USB_STATUS_COUNT);
    FUZZ_CHECK(transfer->actual <= transfer->capacity);
    for (unsigned i = 0; i < transfer->packet_count && transfer->kind == USB_ISOCHRONOUS; i++) {
        FUZZ_CHECK(transfer->packets[i].actual <= transfer->packets[i].length);
        for (uint32_t b = 0; b < transfer->packets[i].actual; b++)
            sum ^= transfer->data[transfer->packets[i].offset + b];
    }
    for (unsigned i = 0; i < TRANSFERS; i++)
        if (w->transfers[i] == transfer) {
            FUZZ_CHECK(w->flying[i]);
            w->flying[i] = false;
            if (w->again && transfer->status == USB_OK) {
                w->flying[i] = true;
                usb_submit(transfer);
            }
        }
    w->nseen += sum & 0u;
}

static void on_done(struct usb *usb, enum usb_status status, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(usb == w->usb && (unsigned)status < USB_STATUS_COUNT);
    w->operated++;
    FUZZ_CHECK(w->operated <= w->operations);
}

static void on_start(struct usb *usb, enum usb_status status, void *arg)
{
    struct world *w = arg;

    (void)usb;
    FUZZ_CHECK(w->started == USB_STATUS_COUNT);
    w->started = status;
}

static void on_gone(struct usb *usb, void *arg)
{
    struct world *w = arg;

    FUZZ_CHECK(usb_is_gone(usb));
    FUZZ_CHECK(++w->gone == 1);
}

static void begin(struct world *w, struct fuzz_input *in)
{
    unsigned what = fuzz_u8(in), at = what % TRANSFERS;
    struct usb_transfer *t;
    size_t capacity = fuzz_u16(in) % 5000u;
    unsigned packets = (what & 64) != 0 ? 1u + fuzz_u8(in) % 32u : 0;

    if (w->flying[at])
        return;
    usb_transfer_free(&w->transfers[at]);
    fuzz_shortage_arm();
    t = w->transfers[at] = usb_transfer_new(w->usb, capacity, packets, on_transfer, w);
    FUZZ_CHECK(fuzz_shortage_disarm() == (t == NULL));
    if (t == NULL)
        return;
    t->kind = packets > 0         ? USB_ISOCHRONOUS
              : (what & 128) != 0 ? USB_CONTROL
              : (what & 32) != 0  ? USB_INTERRUPT
                                  : USB_BULK;
    t->endpoint = t->kind == USB_CONTROL ? 0 : (uint8_t)((fuzz_u8(in) & 0x8f) | 1);
    t->setup = (struct usb_setup){.request_type = fuzz_u8(in), .request = fuzz_u8(in), .value = 1};
    t->length = capacity;
    t->packet_count = packets;
    for (unsigned i = 0; i < packets; i++)
        t->packets[i].length = (uint32_t)(capacity / packets);
    t->deadline_us = clock_monotonic_us(w->clock) + (1 + fuzz_u8(in)) * 50 * CLOCK_MS;
    w->flying[at] = true;
    usb_submit(t);
}

/* An answer to a request that was sent, with the input's status, length and data. */
static void answer(struct world *w, struct fuzz_input *in)
{
    const struct seen *seen = &w->seen[fuzz_u8(in) % SEEN];
    unsigned what = fuzz_u8(in);
    static uint8_t wire[48 + 66000 + 16 * 200];
    uint32_t actual = seen->length, sum = 0;
    size_t len = 48, data_len = 0;
    const uint8_t *data = NULL;

    if (seen->seqnum == 0)
        return;
    memset(wire, 0, 48);
    put_be(wire, seen->command == 1 ? 3 : 4);
    put_be(wire + 4, seen->seqnum + ((what & 64) != 0));
    if ((what & 1) != 0)
        put_be(wire + 20, (uint32_t) - (int32_t)fuzz_u8(in));
    if (seen->command == 1) {
        data = fuzz_piece(in, seen->length < 60000 ? seen->length : 60000, &data_len);
        actual = seen->in ? (uint32_t)data_len : actual;
        if ((what & 2) != 0)
            actual = fuzz_u32(in);
        put_be(wire + 24, actual);
        put_be(wire + 32, (what & 4) != 0 ? fuzz_u32(in) : seen->packets);
        if (seen->in && data_len > 0) {
            memcpy(wire + 48, data, data_len);
            len += data_len;
        }
        if (seen->packets != 0xffffffff)
            for (uint32_t i = 0; i < seen->packets && i < 128; i++) {
                uint32_t left = (uint32_t)data_len - sum, one = seen->length / seen->packets;

                one = one < left ? one : left;
                if ((what & 8) != 0)
                    one = fuzz_u16(in);
                memset(wire + len, 0, 16);
                put_be(wire + len + 8, one);
                put_be(wire + len + 12, (what & 16) != 0 ? (uint32_t) - (int32_t)fuzz_u8(in) : 0);
                sum += one;
                len += 16;
            }
    }
    if ((what & 32) != 0)
        len -= fuzz_u8(in) % len;
    (void)send(w->host, wire, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void step(struct world *w, struct fuzz_input *in)
{
    unsigned what = fuzz_u8(in);
    const uint8_t *raw;
    size_t len;

    switch (what % 12) {
    case 0:
        begin(w, in);
        break;
    case 1:
        if (w->transfers[(what >> 4) % TRANSFERS] != NULL)
            usb_cancel(w->transfers[(what >> 4) % TRANSFERS]);
        break;
    case 2:
        w->flying[(what >> 4) % TRANSFERS] = false;
        usb_transfer_free(&w->transfers[(what >> 4) % TRANSFERS]);
        break;
    case 3:
        raw = fuzz_piece(in, 4096, &len);
        if (w->host >= 0)
            (void)send(w->host, raw, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 4:
        settle(w, fuzz_u8(in) * 10 * CLOCK_MS);
        break;
    case 5:
        w->operations++;
        usb_set_alt(w->usb, what >> 4, 1, clock_monotonic_us(w->clock) + CLOCK_SECOND, on_done, w);
        break;
    case 6:
        w->operations++;
        if ((what & 64) != 0)
            usb_reset(w->usb, clock_monotonic_us(w->clock) + CLOCK_SECOND, on_done, w);
        else
            usb_claim(w->usb, what >> 4, clock_monotonic_us(w->clock) + CLOCK_SECOND, on_done, w);
        break;
    case 7:
        w->again = !w->again;
        break;
    case 8:
        if ((what & 0xf0) == 0x80 && w->host >= 0) {
            close(w->host);
            w->host = -1;
        }
        break;
    default:
        if (w->host >= 0)
            answer(w, in);
        break;
    }
    settle(w, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct fuzz_input in = {data, (fuzz_shortage_take(data, &size), size)};
    int pair[2];

    memset(&w, 0, offsetof(struct world, stream));
    w.stream_len = 0;
    w.started = USB_STATUS_COUNT;
    FUZZ_CHECK(sd_event_new(&w.loop) >= 0);
    w.clock = clock_new_simulated(CLOCK_SECOND, 0);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    w.host = pair[1];
    w.usb = usb_usbip_new(w.loop, w.clock, pair[0], 0x10002, (enum usb_speed)(fuzz_u8(&in) % 5));
    FUZZ_CHECK(w.usb != NULL);
    usb_on_gone(w.usb, on_gone, &w);
    usb_start(w.usb, clock_monotonic_us(w.clock) + CLOCK_SECOND, on_start, &w);
    settle(&w, 0);
    while (in.left > 0)
        step(&w, &in);
    /* Every deadline and every wait for an UNLINK passes. */
    w.again = false;
    for (unsigned i = 0; i < 60; i++)
        settle(&w, 500 * CLOCK_MS);
    FUZZ_CHECK(w.started != USB_STATUS_COUNT);
    FUZZ_CHECK(w.operated == w.operations);
    for (unsigned i = 0; i < TRANSFERS; i++) {
        FUZZ_CHECK(!w.flying[i]);
        usb_transfer_free(&w.transfers[i]);
    }
    usb_free(&w.usb);
    if (w.host >= 0)
        close(w.host);
    clock_free(&w.clock);
    sd_event_unref(w.loop);
    return 0;
}

void fuzz_seeds(void)
{
    static struct fuzz_seed seed;
    static const char device[] = "12 01 0002 00 00 00 40 4c05 c80d 0001 01 02 03 01";
    static const char config[] = "09 02 1200 01 01 00 80 32 09 04 00 00 00 0b 00 00 00";

    for (unsigned kind = 0; kind < 3; kind++) {
        seed_u8(&seed, 3);
        /* The start asks for the device, then twice for the configuration, then sets it. */
        seed_hex(&seed, "09 00 00");
        seed_piece_hex(&seed, device);
        seed_hex(&seed, "09 01 00");
        seed_piece_hex(&seed, "09 02 1200 01 01 00 80 32");
        seed_hex(&seed, "09 02 00");
        seed_piece_hex(&seed, config);
        seed_hex(&seed, "09 03 00 0000 09 04 00 0000");
        seed_hex(&seed, kind == 0   ? "00 00 4000 81 00 00 20"
                        : kind == 1 ? "00 40 0008 03 82 00 00 20"
                                    : "00 80 0800 a1 81 20");
        for (unsigned i = 3; i < 6; i++) {
            seed_u8(&seed, 9);
            seed_u8(&seed, i);
            seed_u8(&seed, 0);
            seed_piece_hex(&seed, "01 02 03 04 05 06 07 08");
        }
        seed_hex(&seed, "05 00 01 04 ff 02 04 ff 80");
        seed_write(&seed, kind == 0 ? "bulk" : kind == 1 ? "isochronous" : "control");
    }
}
