/*
 * The USB/IP client against a host written byte by byte, honest and not, on a socket pair and a
 * simulated clock. Messages after the Linux kernel's usbip_protocol.rst: 48-byte headers, big
 * endian.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <systemd/sd-event.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"
#include "mock_usb.h"

#define DEVID "00010002"
#define ZEROS_8 "0000000000000000"
/* command, seqnum, devid, direction, endpoint */
#define SUBMIT(seq, direction, endpoint, flags, length, packets)                                   \
    "00000001" seq DEVID direction endpoint flags length "00000000" packets "00000000"
#define RETURN(seq, status, actual, packets)                                                       \
    "00000003" seq "00000000"                                                                      \
    "00000000"                                                                                     \
    "00000000" status actual "00000000" packets "00000000" ZEROS_8
#define UNLINK(seq, direction, endpoint, target)                                                   \
    "00000002" seq DEVID direction endpoint target "00000000" ZEROS_8 ZEROS_8 "00000000"
#define UNLINKED(seq, status)                                                                      \
    "00000004" seq "00000000"                                                                      \
    "00000000"                                                                                     \
    "00000000" status "00000000" ZEROS_8 ZEROS_8 "00000000"

#define IN "00000001"
#define OUT "00000000"
#define NO_PACKETS "ffffffff"

struct fixture {
    sd_event *loop;
    struct clock *clock;
    int host;
    struct usb *usb;
    struct usb_transfer *transfers[2];
    unsigned count;
    char order[8]; /* which transfer ended when */
    unsigned gone;
};

static void on_transfer(struct usb_transfer *transfer, void *arg)
{
    struct fixture *f = arg;

    f->order[f->count++] = transfer == f->transfers[0] ? '0' : '1';
}

static void on_gone(struct usb *usb, void *arg)
{
    (void)usb;
    ((struct fixture *)arg)->gone++;
}

static struct fixture *begin(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int ends[2];

    assert_non_null(f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_true(sd_event_new(&f->loop) >= 0);
    f->clock = clock_new_simulated(0, 0);
    f->host = ends[0];
    f->usb = usb_usbip_new(f->loop, f->clock, ends[1], 0x00010002, USB_SPEED_HIGH);
    assert_non_null(f->usb);
    usb_on_gone(f->usb, on_gone, f);
    for (unsigned i = 0; i < 2; i++) {
        f->transfers[i] = usb_transfer_new(f->usb, 64, 4, on_transfer, f);
        assert_non_null(f->transfers[i]);
        f->transfers[i]->kind = USB_BULK;
        f->transfers[i]->endpoint = 0x81;
        f->transfers[i]->length = 16;
    }
    return f;
}

static void finish(struct fixture *f)
{
    usb_transfer_free(&f->transfers[0]);
    usb_transfer_free(&f->transfers[1]);
    usb_free(&f->usb);
    if (f->host >= 0)
        close(f->host);
    clock_free(&f->clock);
    sd_event_unref(f->loop);
    free(f);
}

static void turn(struct fixture *f)
{
    int r;

    do {
        r = sd_event_run(f->loop, 0);
        assert_true(r >= 0);
        clock_advance(f->clock, 0);
    } while (r > 0);
}

static void expect_sent(struct fixture *f, const char *hex)
{
    uint8_t expected[512], got[512];
    size_t len = mock_hex(hex, expected, sizeof(expected));

    assert_int_equal(recv(f->host, got, len, MSG_DONTWAIT), len);
    assert_memory_equal(got, expected, len);
}

static void reply(struct fixture *f, const char *hex)
{
    uint8_t bytes[512];
    size_t len = mock_hex(hex, bytes, sizeof(bytes));

    assert_int_equal(send(f->host, bytes, len, 0), len);
    turn(f);
}

static void expect_status(const struct usb_transfer *transfer, enum usb_status status,
                          size_t actual)
{
    assert_string_equal(usb_status_name(transfer->status), usb_status_name(status));
    assert_int_equal(transfer->actual, actual);
}

#define SUBMIT_IN(seq) SUBMIT(seq, IN, "00000001", "00000200", "00000010", NO_PACKETS) ZEROS_8

static void requests_are_laid_out_as_the_protocol_says(void **state)
{
    struct fixture *f = begin();

    (void)state;
    usb_submit(f->transfers[0]);
    expect_sent(f, SUBMIT_IN("00000001"));
    f->transfers[1]->endpoint = 0x02;
    memcpy(f->transfers[1]->data, "0123456789abcdef", 16);
    usb_submit(f->transfers[1]);
    expect_sent(f, SUBMIT("00000002", OUT, "00000002", "00000000", "00000010", NO_PACKETS) ZEROS_8
                "30313233343536373839616263646566");
    reply(f, RETURN("00000002", "00000000", "00000010", "00000000"));
    expect_status(f->transfers[1], USB_OK, 16);
    f->transfers[1]->kind = USB_CONTROL;
    f->transfers[1]->endpoint = 0;
    f->transfers[1]->setup = (struct usb_setup){0xa1, 0x81, 0x0100, 2};
    usb_submit(f->transfers[1]);
    expect_sent(f, SUBMIT("00000003", IN, "00000000", "00000200", "00000010",
                          NO_PACKETS) "a181000102001000");
    finish(f);
}

static void answers_may_come_in_any_order_and_in_pieces(void **state)
{
    struct fixture *f = begin();
    uint8_t bytes[64];
    size_t len =
        mock_hex(RETURN("00000001", "00000000", "00000003", "00000000") "0a0b0c", bytes, 64);

    (void)state;
    usb_submit(f->transfers[0]);
    usb_submit(f->transfers[1]);
    reply(f, RETURN("00000002", "00000000", "00000002", "00000000") "aabb");
    expect_status(f->transfers[1], USB_OK, 2);
    assert_memory_equal(f->transfers[1]->data, "\xaa\xbb", 2);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(f->count, 1);
        assert_int_equal(send(f->host, bytes + i, 1, 0), 1);
        turn(f);
    }
    expect_status(f->transfers[0], USB_OK, 3);
    assert_memory_equal(f->transfers[0]->data, "\x0a\x0b\x0c", 3);
    assert_string_equal(f->order, "10");
    finish(f);
}

static void the_hosts_errors_have_their_status(void **state)
{
    static const struct {
        const char *status;
        enum usb_status expected;
    } rows[] = {
        {"ffffffe0", USB_STALL},    /* -EPIPE */
        {"ffffffb5", USB_OVERFLOW}, /* -EOVERFLOW */
        {"ffffff87", USB_OK},       /* -EREMOTEIO: short */
        {"ffffffb9", USB_IO},       /* -EPROTO */
        {"fffffffe", USB_IO},       /* -ENOENT, though nobody cancelled */
        {"80000000", USB_IO},
    };
    struct fixture *f = begin();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];

        usb_submit(f->transfers[0]);
        snprintf(text, sizeof(text), RETURN("0000000%zu", "%s", "00000000", "00000000"), i + 1,
                 rows[i].status);
        reply(f, text);
        assert_int_equal(f->count, i + 1);
        expect_status(f->transfers[0], rows[i].expected, 0);
    }
    assert_int_equal(f->gone, 0);
    finish(f);
}

static void isochronous_data_find_their_places(void **state)
{
    struct fixture *f = begin();
    struct usb_transfer *t = f->transfers[0];

    (void)state;
    t->kind = USB_ISOCHRONOUS;
    t->endpoint = 0x83;
    t->packet_count = 3;
    for (unsigned i = 0; i < 3; i++)
        t->packets[i].length = 4;
    usb_submit(t);
    expect_sent(f, SUBMIT("00000001", IN, "00000003", "00000202", "0000000c", "00000003") ZEROS_8
                "00000000 00000004 00000000 00000000"
                "00000004 00000004 00000000 00000000"
                "00000008 00000004 00000000 00000000");
    reply(f, RETURN("00000001", "00000000", "00000005",
                    "00000003") "0102 030405"
                                "00000000 00000004 00000002 00000000"
                                "00000004 00000004 00000000 ffffffee" /* -EXDEV: that microframe was
                                                                         missed */
                                "00000008 00000004 00000003 00000000");
    expect_status(t, USB_OK, 5);
    assert_int_equal(t->packets[0].actual, 2);
    assert_int_equal(t->packets[1].status, USB_IO);
    assert_memory_equal(t->data + t->packets[0].offset, "\x01\x02", 2);
    assert_memory_equal(t->data + t->packets[2].offset, "\x03\x04\x05", 3);
    finish(f);
}

static void what_cannot_be_in_the_protocol_ends_the_connection(void **state)
{
    static const char *const lies[] = {
        RETURN("00000007", "00000000", "00000000", "00000000"), /* never asked */
        RETURN("00000001", "00000000", "00000011", "00000000"), /* more than asked for */
        RETURN("00000001", "00000000", "ffffffff", "00000000"),
        "00000009"
        "00000001" DEVID OUT OUT ZEROS_8 ZEROS_8 ZEROS_8 "00000000", /* no such command */
        UNLINKED("00000099", "00000000"),                            /* never unlinked */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct fixture *f = begin();
        uint8_t bytes[64];
        size_t len = mock_hex(lies[i], bytes, sizeof(bytes));

        usb_submit(f->transfers[0]);
        while (len < 48)
            bytes[len++] = 0;
        assert_int_equal(send(f->host, bytes, len, 0), len);
        turn(f);
        assert_int_equal(f->count, 1);
        expect_status(f->transfers[0], USB_GONE, 0);
        assert_int_equal(f->gone, 1);
        finish(f);
    }
}

static void isochronous_lies_end_the_connection(void **state)
{
    static const char *const lies[] = {
        /* another count of packets */
        RETURN("00000001", "00000000", "00000000", "00000002"),
        /* a packet longer than its room */
        RETURN("00000001", "00000000", "00000005",
               "00000001") "0102030405"
                           "00000000 00000004 00000005 00000000",
        /* a sum that is not the whole */
        RETURN("00000001", "00000000", "00000003",
               "00000001") "010203"
                           "00000000 00000004 00000002 00000000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct fixture *f = begin();

        f->transfers[0]->kind = USB_ISOCHRONOUS;
        f->transfers[0]->endpoint = 0x83;
        f->transfers[0]->packet_count = 1;
        f->transfers[0]->packets[0].length = 4;
        /* more room than the packet has, so that only the packet's own bound is in the way */
        usb_submit(f->transfers[0]);
        reply(f, lies[i]);
        assert_int_equal(f->gone, 1);
        expect_status(f->transfers[0], USB_GONE, 0);
        finish(f);
    }
}

static void a_deadline_unlinks_and_the_answer_that_was_quicker_wins(void **state)
{
    struct fixture *f = begin();

    (void)state;
    f->transfers[0]->deadline_us = f->transfers[1]->deadline_us = 100 * CLOCK_MS;
    usb_submit(f->transfers[0]);
    usb_submit(f->transfers[1]);
    expect_sent(f, SUBMIT_IN("00000001") SUBMIT_IN("00000002"));
    clock_advance(f->clock, 100 * CLOCK_MS);
    assert_int_equal(f->count, 0);
    expect_sent(f, UNLINK("00000003", IN, "00000001", "00000001")
                       UNLINK("00000004", IN, "00000001", "00000002"));
    /* the first is unlinked (-ECONNRESET), the second was answered before */
    reply(f, UNLINKED("00000003", "ffffff98"));
    reply(f, RETURN("00000002", "00000000", "00000002", "00000000") "aabb");
    reply(f, UNLINKED("00000004", "00000000"));
    expect_status(f->transfers[0], USB_TIMEOUT, 0);
    expect_status(f->transfers[1], USB_OK, 2);
    assert_int_equal(f->count, 2);
    clock_advance(f->clock, 10 * CLOCK_SECOND);
    assert_int_equal(f->gone, 0);
    finish(f);
}

static void a_host_that_answers_no_unlink_is_given_up_after_a_second(void **state)
{
    struct fixture *f = begin();

    (void)state;
    usb_submit(f->transfers[0]);
    usb_cancel(f->transfers[0]);
    turn(f);
    clock_advance(f->clock, 999 * CLOCK_MS);
    assert_int_equal(f->count, 0);
    clock_advance(f->clock, CLOCK_MS);
    assert_int_equal(f->count, 1);
    expect_status(f->transfers[0], USB_GONE, 0);
    assert_int_equal(f->gone, 1);
    finish(f);
}

static void a_closed_connection_is_a_device_gone(void **state)
{
    struct fixture *f = begin();

    (void)state;
    usb_submit(f->transfers[0]);
    close(f->host);
    f->host = -1;
    turn(f);
    assert_int_equal(f->gone, 1);
    expect_status(f->transfers[0], USB_GONE, 0);
    usb_submit(f->transfers[1]);
    turn(f);
    expect_status(f->transfers[1], USB_GONE, 0);
    assert_string_equal(f->order, "01");
    assert_int_equal(f->gone, 1);
    finish(f);
}

static void a_host_that_reads_nothing_makes_transfers_fail_and_no_memory_grow(void **state)
{
    struct fixture *f = begin();
    struct usb_transfer *many[64];
    unsigned failed = 0;

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        many[i] = usb_transfer_new(f->usb, USB_TRANSFER_MAX, 0, on_transfer, f);
        assert_non_null(many[i]);
        many[i]->kind = USB_BULK;
        many[i]->endpoint = 0x02;
        many[i]->length = USB_TRANSFER_MAX;
    }
    for (unsigned i = 0; i < 8; i++)
        usb_submit(many[i]);
    turn(f);
    for (unsigned i = 0; i < 64; i++) {
        failed += i < 8 && !usb_in_flight(many[i]);
        usb_transfer_free(&many[i]);
    }
    assert_true(failed > 0);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_laid_out_as_the_protocol_says),
        cmocka_unit_test(answers_may_come_in_any_order_and_in_pieces),
        cmocka_unit_test(the_hosts_errors_have_their_status),
        cmocka_unit_test(isochronous_data_find_their_places),
        cmocka_unit_test(what_cannot_be_in_the_protocol_ends_the_connection),
        cmocka_unit_test(isochronous_lies_end_the_connection),
        cmocka_unit_test(a_deadline_unlinks_and_the_answer_that_was_quicker_wins),
        cmocka_unit_test(a_host_that_answers_no_unlink_is_given_up_after_a_second),
        cmocka_unit_test(a_closed_connection_is_a_device_gone),
        cmocka_unit_test(a_host_that_reads_nothing_makes_transfers_fail_and_no_memory_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
