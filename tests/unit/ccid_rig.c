#include "ccid_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void ccid_rig_on_done(struct ccid *ccid, unsigned slot, enum ccid_result result,
                      const uint8_t *data, size_t len, void *arg)
{
    struct ccid_rig *f = arg;

    (void)ccid;
    (void)slot;
    f->call.result = result;
    f->call.count++;
    f->call.len = len;
    f->call.at_us = clock_monotonic_us(f->clock);
    assert_true(len <= sizeof(f->call.data));
    if (len > 0)
        memcpy(f->call.data, data, len);
}

static void on_card(struct ccid *ccid, unsigned slot, bool present, void *arg)
{
    struct ccid_rig *f = arg;
    size_t at = strlen(f->cards);

    (void)ccid;
    assert_true(at + 3 < sizeof(f->cards));
    f->cards[at] = present ? '+' : '-';
    f->cards[at + 1] = (char)('0' + slot);
}

void ccid_rig_on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    *(enum usb_status *)arg = status;
}

uint64_t ccid_rig_in_ms(const struct ccid_rig *f, unsigned ms)
{
    return clock_monotonic_us(f->clock) + ms * CLOCK_MS;
}

void ccid_rig_pass(struct ccid_rig *f, unsigned ms)
{
    clock_advance(f->clock, ms * CLOCK_MS);
}

struct ccid_rig *ccid_rig_begin(const char *config)
{
    struct ccid_rig *f = calloc(1, sizeof(*f));
    enum usb_status status = USB_STATUS_COUNT;

    assert_non_null(f);
    f->clock = clock_new_simulated(0, 0);
    f->usb = mock_usb_new(f->clock, DEVICE, config);
    usb_start(f->usb, CLOCK_SECOND, ccid_rig_on_usb, &status);
    ccid_rig_pass(f, 0);
    assert_int_equal(status, USB_OK);
    assert_int_equal(ccid_count(f->usb), 1);
    f->reader = ccid_new(f->usb, 0);
    assert_non_null(f->reader);
    ccid_on_card(f->reader, on_card, f);
    return f;
}

void ccid_rig_finish(struct ccid_rig *f)
{
    ccid_free(&f->reader);
    usb_free(&f->usb);
    clock_free(&f->clock);
    free(f);
}

void ccid_rig_script(struct ccid_rig *f, const struct mock_exchange *lines)
{
    mock_usb_script(f->usb, lines);
}

void ccid_rig_expect(struct ccid_rig *f, enum ccid_result result, const char *data)
{
    uint8_t expected[256];
    size_t len = mock_hex(data, expected, sizeof(expected));

    assert_int_equal(f->call.count, 1);
    assert_string_equal(ccid_result_name(f->call.result), ccid_result_name(result));
    assert_int_equal(f->call.len, len);
    assert_memory_equal(f->call.data, expected, len);
    memset(&f->call, 0, sizeof(f->call));
}

void ccid_rig_expect_played(struct ccid_rig *f)
{
    assert_true(mock_usb_played(f->usb));
}

struct ccid_rig *ccid_rig_begin_open(const char *config)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 01 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(config);

    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    assert_string_equal(f->cards, "+0");
    return f;
}

struct ccid_rig *ccid_rig_begin_powered(const char *config)
{
    static const struct mock_exchange lines[] = {
        {"62 00000000 00 02 000000", {"80 09000000 00 02 00 00 00" ATR}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_open(config);

    ccid_rig_script(f, lines);
    ccid_power_on(f->reader, 0, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, ATR);
    return f;
}

void ccid_rig_transmit(struct ccid_rig *f, const char *hex, unsigned ms)
{
    uint8_t apdu[256];

    ccid_transmit(f->reader, 0, apdu, mock_hex(hex, apdu, sizeof(apdu)), ccid_rig_in_ms(f, ms),
                  ccid_rig_on_done, f);
    assert_int_equal(f->call.count, 0);
}
