/*
 * What the kernel says to libusb, and what becomes of it: each error of each call that the kernel carries out itself,
 * and of each transfer. Behind the real libusb stands a mocked usbfs node (umock_device.h) that refuses on request;
 * errors are those of Linux' Documentation/driver-api/usb/error-codes.rst and of usbfs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "driver/usb/usb.h"
#include "sim_rig.h"
#include "umock_device.h"

#define BULK_IN 0x81u

static sd_event *loop;
static struct clock *now;
static struct sim_rig *rig;
static struct usb *usb;

/* The next one at this place ends so; armed once. */
static struct {
    unsigned place;
    int refusal; /* not even taken */
    int outcome; /* taken, and ends so */
} wish;

static int on_submit(void *arg, unsigned place, unsigned n, const uint8_t *data, size_t len)
{
    int refusal = wish.refusal;

    (void)arg;
    (void)n;
    (void)data;
    (void)len;
    if (refusal == 0 || place != wish.place)
        return 0;
    wish.refusal = 0;
    return refusal;
}

static int on_before(void *arg, uint64_t at_us, unsigned place, unsigned n, uint8_t *data,
                     size_t size)
{
    int outcome = wish.outcome;

    (void)arg;
    (void)at_us;
    (void)n;
    (void)data;
    (void)size;
    if (outcome == 0 || place != wish.place)
        return UMOCK_GO_ON;
    wish.outcome = 0;
    return outcome;
}

static const struct umock_hooks hooks = {.submit = on_submit, .before = on_before};

struct heard {
    unsigned count;
    enum usb_status status;
};

static void on_usb(struct usb *u, enum usb_status status, void *arg)
{
    struct heard *heard = arg;

    (void)u;
    heard->count++;
    heard->status = status;
}

static void on_transfer(struct usb_transfer *transfer, void *arg)
{
    on_usb(NULL, transfer->status, arg);
}

static void turn(const struct heard *heard)
{
    for (unsigned i = 0; heard->count == 0; i++) {
        assert_true(i < 2000);
        while (sd_event_run(loop, 0) > 0)
            ;
        if (!sim_rig_step(rig))
            clock_advance(now, CLOCK_MS);
    }
}

static uint64_t soon(void)
{
    return clock_monotonic_us(now) + CLOCK_SECOND;
}

static int begin(void **state)
{
    struct heard heard = {0};

    (void)state;
    memset(&wish, 0, sizeof(wish));
    assert_true(sd_event_new(&loop) >= 0);
    now = clock_new_simulated(CLOCK_SECOND, CLOCK_SECOND);
    rig = sim_rig_new_stepped("extended", false, now, NULL, &hooks, NULL);
    usb = usb_libusb_new(loop, now, sim_rig_open(rig));
    assert_non_null(usb);
    usb_start(usb, soon(), on_usb, &heard);
    turn(&heard);
    assert_int_equal(heard.status, USB_OK);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    usb_free(&usb);
    sim_rig_free(&rig);
    clock_free(&now);
    loop = sd_event_unref(loop);
    return 0;
}

static enum usb_status operate(unsigned place)
{
    struct heard heard = {0};

    switch (place) {
    case UMOCK_CLAIM:
        usb_release(usb, 0); /* what is claimed already is not asked for again */
        usb_claim(usb, 0, soon(), on_usb, &heard);
        break;
    case UMOCK_SET_INTERFACE:
        usb_set_alt(usb, 0, 0, soon(), on_usb, &heard);
        break;
    case UMOCK_CLEAR_HALT:
        usb_clear_halt(usb, BULK_IN, soon(), on_usb, &heard);
        break;
    default:
        usb_reset(usb, soon(), on_usb, &heard);
    }
    assert_int_equal(heard.count, 0); /* never from inside */
    turn(&heard);
    return heard.status;
}

static void what_the_kernel_refuses_has_its_word(void **state)
{
    static const struct {
        unsigned place;
        int error;
        enum usb_status status;
    } rows[] = {
        {UMOCK_CLAIM, -EBUSY, USB_BUSY},       {UMOCK_CLAIM, -EINVAL, USB_IO},
        {UMOCK_CLAIM, -EIO, USB_IO},           {UMOCK_SET_INTERFACE, -EINVAL, USB_IO},
        {UMOCK_SET_INTERFACE, -EPIPE, USB_IO}, {UMOCK_CLEAR_HALT, -EIO, USB_IO},
        {UMOCK_CLEAR_HALT, -ENOENT, USB_IO},   {UMOCK_RESET, -EIO, USB_IO},
    };

    (void)state;
    assert_string_equal(usb_status_name(operate(UMOCK_CLAIM)), "ok");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wish.place = rows[i].place;
        wish.refusal = rows[i].error;
        assert_string_equal(usb_status_name(operate(rows[i].place)),
                            usb_status_name(rows[i].status));
        assert_false(usb_is_gone(usb));
        assert_string_equal(usb_status_name(operate(rows[i].place)), "ok");
    }
}

/* The device that comes back from a reset as another one is lost to this handle. */
static void a_device_that_has_gone_is_gone_whoever_notices(void **state)
{
    static const unsigned places[] = {UMOCK_CLAIM, UMOCK_SET_INTERFACE, UMOCK_CLEAR_HALT,
                                      UMOCK_RESET};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        assert_string_equal(usb_status_name(operate(UMOCK_CLAIM)), "ok");
        wish.place = places[i];
        wish.refusal = -ENODEV;
        assert_string_equal(usb_status_name(operate(places[i])), "gone");
        assert_int_equal(finish(state), 0);
        assert_int_equal(begin(state), 0);
    }
}

static void how_a_transfer_ends_has_its_word(void **state)
{
    static const struct {
        int refusal, outcome;
        enum usb_status status;
    } rows[] = {
        {0, -EPIPE, USB_STALL}, {0, -EOVERFLOW, USB_OVERFLOW}, {0, -EPROTO, USB_IO},
        {0, -EILSEQ, USB_IO},   {0, -ETIME, USB_IO},           {-ENOMEM, 0, USB_IO},
        {-EBUSY, 0, USB_IO},    {-EINVAL, 0, USB_IO},          {0, -ENODEV, USB_GONE},
    };
    struct heard heard = {0};
    struct usb_transfer *transfer;

    (void)state;
    assert_string_equal(usb_status_name(operate(UMOCK_CLAIM)), "ok");
    transfer = usb_transfer_new(usb, 64, 0, on_transfer, &heard);
    assert_non_null(transfer);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        transfer->kind = USB_BULK;
        transfer->endpoint = BULK_IN;
        transfer->length = 64;
        transfer->deadline_us = soon();
        wish.place = BULK_IN;
        wish.refusal = rows[i].refusal;
        wish.outcome = rows[i].outcome;
        heard.count = 0;
        usb_submit(transfer);
        assert_int_equal(heard.count, 0);
        turn(&heard);
        assert_string_equal(usb_status_name(heard.status), usb_status_name(rows[i].status));
        assert_int_equal(wish.refusal + wish.outcome, 0);
    }
    usb_transfer_free(&transfer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_kernel_refuses_has_its_word),
        TEST(a_device_that_has_gone_is_gone_whoever_notices),
        TEST(how_a_transfer_ends_has_its_word),
    };

    if (!umock_device_preloaded()) {
        fprintf(stderr, "run this with LD_PRELOAD=libumockdev-preload.so.0\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
