/*
 * A CCID reader played message by message on a simulated clock: what is sent, what comes back, and
 * what the caller hears. Messages are composed by hand after USB-IF CCID 1.1, chapter 6. The first
 * sequence number is 1, because the clock begins at 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/common/clock.h"
#include "driver/ccid/ccid.h"
#include "mock_usb.h"

#define DEVICE "12 01 0002 00 00 00 40 4c05 c80d 0001 01 02 03 01"
#define PIPES "07 05 02 02 0002 00 07 05 81 02 0002 00 "
#define INTERRUPT "07 05 83 03 0800 10 "
/* slots-1, features, max message */
#define CLASS(slots, features, max)                                                                \
    "36 21 1001 " slots                                                                            \
    " 07 02000000 a00f0000 a00f0000 00 c2a50000 c2a50000 00 fe000000 00000000 "                    \
    "00000000 " features " " max " ff ff 0000 00 01 "
#define CONFIG(endpoints, class)                                                                   \
    "09 02 5d00 01 01 00 80 32 09 04 00 00 " endpoints " 0b 00 00 00 " class PIPES

/* an extended-APDU reader with blocks of 64 bytes */
#define EXTENDED CONFIG("03", CLASS("00", "7e000400", "4a000000")) INTERRUPT
#define SHORT_LEVEL CONFIG("03", CLASS("00", "7e000200", "4a000000")) INTERRUPT
#define HAND_VOLTAGE CONFIG("03", CLASS("00", "72000400", "4a000000")) INTERRUPT
#define TWO_SLOTS CONFIG("03", CLASS("01", "7e000400", "4a000000")) INTERRUPT
/* its total is 7 bytes shorter */
#define NO_INTERRUPT                                                                               \
    "09 02 5600 01 01 00 80 32 09 04 00 00 02 0b 00 00 00 " CLASS("00", "7e000400", "4a000000")    \
        PIPES

#define ATR "3b e0 00 ff 81 31 fe 45 14"

struct call {
    enum ccid_result result;
    unsigned count;
    uint8_t data[256];
    size_t len;
    uint64_t at_us;
};

struct fixture {
    struct clock *clock;
    struct usb *usb;
    struct ccid *reader;
    struct call call;
    char cards[64]; /* "+0" laid on slot 0, "-0" taken off */
};

static void on_done(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    struct fixture *f = arg;

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
    struct fixture *f = arg;
    size_t at = strlen(f->cards);

    (void)ccid;
    assert_true(at + 3 < sizeof(f->cards));
    f->cards[at] = present ? '+' : '-';
    f->cards[at + 1] = (char)('0' + slot);
}

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    *(enum usb_status *)arg = status;
}

static uint64_t in_ms(const struct fixture *f, unsigned ms)
{
    return clock_monotonic_us(f->clock) + ms * CLOCK_MS;
}

static void pass(struct fixture *f, unsigned ms)
{
    clock_advance(f->clock, ms * CLOCK_MS);
}

static struct fixture *begin(const char *config)
{
    struct fixture *f = calloc(1, sizeof(*f));
    enum usb_status status = USB_STATUS_COUNT;

    assert_non_null(f);
    f->clock = clock_new_simulated(0, 0);
    f->usb = mock_usb_new(f->clock, DEVICE, config);
    usb_start(f->usb, CLOCK_SECOND, on_usb, &status);
    pass(f, 0);
    assert_int_equal(status, USB_OK);
    assert_int_equal(ccid_count(f->usb), 1);
    f->reader = ccid_new(f->usb, 0);
    assert_non_null(f->reader);
    ccid_on_card(f->reader, on_card, f);
    return f;
}

static void finish(struct fixture *f)
{
    ccid_free(&f->reader);
    usb_free(&f->usb);
    clock_free(&f->clock);
    free(f);
}

static void script(struct fixture *f, const struct mock_exchange *lines)
{
    mock_usb_script(f->usb, lines);
}

static void expect(struct fixture *f, enum ccid_result result, const char *data)
{
    uint8_t expected[256];
    size_t len = mock_hex(data, expected, sizeof(expected));

    assert_int_equal(f->call.count, 1);
    assert_string_equal(ccid_result_name(f->call.result), ccid_result_name(result));
    assert_int_equal(f->call.len, len);
    assert_memory_equal(f->call.data, expected, len);
    memset(&f->call, 0, sizeof(f->call));
}

static void expect_played(struct fixture *f)
{
    assert_true(mock_usb_played(f->usb));
}

/* Sequence numbers 1 (status) and 2 (power on) are used after this. */
static struct fixture *begin_open(const char *config)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 01 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(config);

    script(f, lines);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    assert_int_equal(f->call.count, 0);
    pass(f, 0);
    expect(f, CCID_OK, "");
    assert_string_equal(f->cards, "+0");
    return f;
}

static struct fixture *begin_powered(const char *config)
{
    static const struct mock_exchange lines[] = {
        {"62 00000000 00 02 000000", {"80 09000000 00 02 00 00 00" ATR}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_open(config);

    script(f, lines);
    ccid_power_on(f->reader, 0, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, ATR);
    return f;
}

static void transmit(struct fixture *f, const char *hex, unsigned ms)
{
    uint8_t apdu[256];

    ccid_transmit(f->reader, 0, apdu, mock_hex(hex, apdu, sizeof(apdu)), in_ms(f, ms), on_done, f);
    assert_int_equal(f->call.count, 0);
}

/* The question for the PIN's tries, and its answer: 3 left. */
#define QUERY "00 20 00 80"

/* -- opening --------------------------------------------------------------------------------- */

static void the_reader_is_claimed_and_its_slot_asked(void **state)
{
    struct fixture *f = begin_open(EXTENDED);

    (void)state;
    assert_string_equal(mock_usb_log(f->usb), "claim 0\n");
    assert_true(ccid_card_present(f->reader, 0));
    assert_string_equal(ccid_info(f->reader)->name, "Sony FeliCa RC-S300/S");
    expect_played(f);
    finish(f);
}

static void an_empty_slot_is_told_as_empty(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 42 fe 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(EXTENDED);

    (void)state;
    script(f, lines);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    assert_string_equal(f->cards, "-0");
    ccid_power_on(f->reader, 0, in_ms(f, 100), on_done, f);
    script(f, (struct mock_exchange[]){{"62 00000000 00 02 000000", {"80 00000000 00 02 42 fe 00"}},
                                       {NULL, {NULL}}});
    pass(f, 0);
    expect(f, CCID_NO_CARD, "");
    finish(f);
}

static void a_reader_held_by_pcscd_is_told_as_held(void **state)
{
    struct fixture *f = begin(EXTENDED);

    (void)state;
    mock_usb_claim_status(f->usb, USB_BUSY);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_READER_HELD, "");
    /* and tried again later */
    mock_usb_claim_status(f->usb, USB_OK);
    script(f, (struct mock_exchange[]){{"65 00000000 00 01 000000", {"81 00000000 00 01 01 00 00"}},
                                       {NULL, {NULL}}});
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    finish(f);
}

static void left_over_answers_do_not_confuse_the_opening(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000",
         {"80 02000000 00 fe 00 00 00 9000", "80 02000000 00 ff 00 00 00 9000",
          "81 00000000 00 01 00 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(EXTENDED);

    (void)state;
    script(f, lines);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    assert_int_equal(ccid_counters(f->reader).stale_answers, 2);
    finish(f);
}

static void a_reader_that_does_not_answer_at_first_is_brought_in_step(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {NULL}},
        {"72 00000000 00 02 000000", {"81 00000000 00 02 02 00 00"}},
        {"65 00000000 00 03 000000", {"81 00000000 00 03 02 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(EXTENDED);

    (void)state;
    script(f, lines);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 1000);
    expect(f, CCID_OK, "");
    assert_string_equal(mock_usb_log(f->usb), "claim 0\ncontrol 21 01 0200 0000\n");
    expect_played(f);
    finish(f);
}

static void every_slot_is_asked_and_told(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 02 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 01 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(TWO_SLOTS);

    (void)state;
    script(f, lines);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    assert_string_equal(f->cards, "-0+1");
    finish(f);
}

/* -- power ----------------------------------------------------------------------------------- */

static void voltages_are_tried_from_the_lowest(void **state)
{
    static const struct mock_exchange lines[] = {
        {"62 00000000 00 02 030000", {"80 00000000 00 02 41 fe 00"}},
        {"63 00000000 00 03 000000", {"81 00000000 00 03 01 00 00"}},
        {"62 00000000 00 04 020000", {"80 00000000 00 04 41 f8 00"}},
        {"63 00000000 00 05 000000", {"81 00000000 00 05 01 00 00"}},
        {"62 00000000 00 06 010000", {"80 09000000 00 06 00 00 00" ATR}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_open(HAND_VOLTAGE);

    (void)state;
    script(f, lines);
    ccid_power_on(f->reader, 0, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, ATR);
    expect_played(f);
    finish(f);
}

static void a_card_that_never_answers_is_mute(void **state)
{
    static const struct mock_exchange lines[] = {
        {"62 00000000 00 02 000000", {"80 00000000 00 02 41 fe 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_open(EXTENDED);

    (void)state;
    script(f, lines);
    ccid_power_on(f->reader, 0, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_MUTE, "");
    finish(f);
}

static void power_off_ends_the_session(void **state)
{
    static const struct mock_exchange lines[] = {
        {"63 00000000 00 03 000000", {"81 00000000 00 03 01 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    ccid_power_off(f->reader, 0, in_ms(f, 1000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_NOT_POWERED, "");
    finish(f);
}

/* -- APDUs ----------------------------------------------------------------------------------- */

static void an_apdu_goes_out_and_its_answer_comes_back(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_OK, "63c3");
    expect_played(f);
    finish(f);
}

static void more_time_is_granted_within_the_deadline(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY,
         {"@400 80 00000000 00 03 80 02 00", "@800 80 00000000 00 03 80 02 00",
          "@900 80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 899);
    assert_int_equal(f->call.count, 0);
    pass(f, 1);
    expect(f, CCID_OK, "63c3");
    assert_int_equal(ccid_counters(f->reader).time_extensions, 2);
    finish(f);
}

static void late_double_and_foreign_answers_are_dropped(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY,
         {"80 02000000 00 02 00 00 00 9000", "80 02000000 01 03 00 00 00 9000",
          "80 02000000 00 03 00 00 00 63c3", "80 02000000 00 03 00 00 00 63c3"}},
        {"6f 04000000 00 04 000000" QUERY, {"80 02000000 00 04 00 00 00 63c2"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_OK, "63c3");
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_OK, "63c2");
    assert_int_equal(ccid_counters(f->reader).stale_answers, 3);
    expect_played(f);
    finish(f);
}

#define B16 "00112233445566778899aabbccddeeff"
#define B64 B16 B16 B16 B16

static void a_long_command_goes_out_in_blocks(void **state)
{
    /* 00 D6 00 00 00 00 80 + 128 bytes = 135: blocks of 64, 64 and 7 */
    static const struct mock_exchange lines[] = {
        {"6f 40000000 00 03 000100 00d60000000080" B16 B16 B16 "00112233445566 77 88",
         {"80 00000000 00 03 00 00 10"}},
        {"6f 40000000 00 04 000300 99aabbccddeeff" B16 B16 B16 "001122334455667788",
         {"80 00000000 00 04 00 00 10"}},
        {"6f 07000000 00 05 000200 99aabbccddeeff", {"80 02000000 00 05 00 00 00 9000"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, "00d60000000080" B64 B64, 1000);
    pass(f, 0);
    expect(f, CCID_OK, "9000");
    expect_played(f);
    finish(f);
}

static void a_long_answer_is_put_together(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 07000000 00 03 000000 00b00000000000", {"80 40000000 00 03 00 00 01" B64}},
        {"6f 00000000 00 04 001000", {"80 40000000 00 04 00 00 03" B64}},
        {"6f 00000000 00 05 001000", {"80 04000000 00 05 00 00 02 abcd 9000"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, "00b00000000000", 1000);
    pass(f, 0);
    expect(f, CCID_OK, B64 B64 "abcd9000");
    expect_played(f);
    finish(f);
}

static void a_command_that_the_level_cannot_carry_is_refused(void **state)
{
    struct fixture *f = begin_powered(SHORT_LEVEL);

    (void)state;
    transmit(f, "00b00000000000", 1000); /* extended Le */
    pass(f, 0);
    expect(f, CCID_INVALID, "");
    transmit(f, "00b000", 1000); /* no APDU */
    pass(f, 0);
    expect(f, CCID_INVALID, "");
    finish(f);
}

static void an_answer_without_status_word_is_a_protocol_error(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 01000000 00 03 00 00 00 90"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_PROTOCOL, "");
    finish(f);
}

/* -- trouble --------------------------------------------------------------------------------- */

/* What brings the reader back in step after number 3, and that it then works. */
#define BACK_IN_STEP                                                                               \
    {"72 00000000 00 04 000000",                                                                   \
     {"80 02000000 00 03 00 00 00 6f00", "81 00000000 00 04 00 00 00"}},                           \
    {                                                                                              \
        "6f 04000000 00 05 000000" QUERY,                                                          \
        {                                                                                          \
            "80 02000000 00 05 00 00 00 63c3"                                                      \
        }                                                                                          \
    }

static void expect_back_in_step(struct fixture *f)
{
    pass(f, 10);
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_OK, "63c3");
    expect_played(f);
    assert_non_null(strstr(mock_usb_log(f->usb), "control 21 01 0400 0000\n"));
}

static void a_timeout_is_told_at_the_deadline_and_the_reader_recovers(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        BACK_IN_STEP,
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);
    uint64_t deadline = in_ms(f, 700);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 700);
    pass(f, 699);
    assert_int_equal(f->call.count, 0);
    pass(f, 1);
    assert_int_equal(f->call.at_us, deadline);
    expect(f, CCID_TIMEOUT, "");
    expect_back_in_step(f);
    finish(f);
}

static void a_reader_that_knows_no_abort_request_is_aborted_by_message(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        BACK_IN_STEP,
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    mock_usb_control_status(f->usb, USB_STALL);
    script(f, lines);
    transmit(f, QUERY, 700);
    pass(f, 700);
    expect(f, CCID_TIMEOUT, "");
    expect_back_in_step(f);
    finish(f);
}

static void a_reader_deaf_to_aborts_gets_its_pipes_cleared(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {"72 00000000 00 04 000000", {NULL}},
        {"6f 04000000 00 05 000000" QUERY,
         {"80 02000000 00 03 00 00 00 6f00", "80 02000000 00 05 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 700);
    pass(f, 700);
    expect(f, CCID_TIMEOUT, "");
    pass(f, 1100);
    assert_non_null(strstr(mock_usb_log(f->usb), "clear 02\nclear 81\n"));
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_OK, "63c3");
    finish(f);
}

static void an_aborted_command_ends_as_cancelled(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        BACK_IN_STEP,
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 5000);
    pass(f, 100);
    ccid_abort(f->reader, 0);
    assert_int_equal(f->call.count, 0);
    pass(f, 0);
    expect(f, CCID_CANCELLED, "");
    expect_back_in_step(f);
    finish(f);
}

static void what_cannot_be_an_answer_is_a_protocol_error_and_the_reader_recovers(void **state)
{
    static const char *const answers[] = {
        "00",
        "80 ff000000 00 03 00 00 00 9000",
        "81 00000000 00 03 00 00 00",
        "80 02000000 00 03 c0 00 00 9000",
        "80 02000000 00 03 00 00 10 9000",
        "80 02000000 00 03 00 00 77 9000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct mock_exchange lines[] = {
            {"6f 04000000 00 03 000000" QUERY, {answers[i]}},
            BACK_IN_STEP,
            {NULL, {NULL}},
        };
        struct fixture *f = begin_powered(EXTENDED);

        script(f, lines);
        transmit(f, QUERY, 1000);
        pass(f, 0);
        expect(f, CCID_PROTOCOL, "");
        expect_back_in_step(f);
        finish(f);
    }
}

static void a_stalled_or_babbling_pipe_is_recovered(void **state)
{
    static const struct {
        const char *answer;
        enum ccid_result result;
    } rows[] = {
        {"!stall", CCID_READER_ERROR}, {"!io", CCID_READER_ERROR}, {"!overflow", CCID_PROTOCOL}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mock_exchange lines[] = {
            {"6f 04000000 00 03 000000" QUERY, {rows[i].answer}},
            BACK_IN_STEP,
            {NULL, {NULL}},
        };
        struct fixture *f = begin_powered(EXTENDED);

        script(f, lines);
        transmit(f, QUERY, 1000);
        pass(f, 0);
        expect(f, rows[i].result, "");
        expect_back_in_step(f);
        finish(f);
    }
}

static void a_busy_slot_is_asked_again(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 00000000 00 03 40 e0 00"}},
        {"6f 04000000 00 04 000000" QUERY, {"80 00000000 00 04 40 f2 00"}},
        {"6f 04000000 00 05 000000" QUERY, {"80 02000000 00 05 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 100);
    expect(f, CCID_OK, "63c3");
    expect_played(f);
    finish(f);
}

static void a_card_pulled_out_is_told_by_the_answer(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 00000000 00 03 42 fe 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_CARD_REMOVED, "");
    assert_string_equal(f->cards, "+0-0");
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_NO_CARD, "");
    finish(f);
}

static void a_card_pulled_out_is_told_though_the_reader_never_answers(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {"72 00000000 00 04 000000", {"81 00000000 00 04 02 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 60000);
    mock_usb_push(f->usb, 0x83, "@100 50 02");
    pass(f, 500);
    expect(f, CCID_CARD_REMOVED, "");
    assert_string_equal(f->cards, "+0-0");
    expect_played(f);
    finish(f);
}

static void cards_come_and_go_by_the_interrupt_pipe(void **state)
{
    struct fixture *f = begin_open(EXTENDED);

    (void)state;
    mock_usb_push(f->usb, 0x83, "50 03"); /* what we know already */
    mock_usb_push(f->usb, 0x83, "50 02");
    mock_usb_push(f->usb, 0x83, "50 03");
    mock_usb_push(f->usb, 0x83, "51 00 00 00"); /* a hardware notice */
    pass(f, 0);
    assert_string_equal(f->cards, "+0-0+0");
    mock_usb_push(f->usb, 0x83, "50 03"); /* swapped between two looks */
    pass(f, 0);
    assert_string_equal(f->cards, "+0-0+0-0+0");
    finish(f);
}

static void a_halted_interrupt_pipe_is_cleared_and_given_up_in_the_end(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 02 000000", {"81 00000000 00 02 02 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_open(EXTENDED);

    (void)state;
    mock_usb_push(f->usb, 0x83, "!stall");
    mock_usb_push(f->usb, 0x83, "50 02");
    pass(f, 0);
    assert_string_equal(f->cards, "+0-0");
    for (unsigned i = 0; i < 5; i++)
        mock_usb_push(f->usb, 0x83, "!stall");
    pass(f, 0);
    script(f, lines); /* from now on the slot is asked */
    pass(f, 600);
    expect_played(f);
    finish(f);
}

static void without_an_interrupt_pipe_the_slot_is_asked_now_and_then(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 02 000000", {"81 00000000 00 02 02 00 00"}},
        {"65 00000000 00 03 000000", {"81 00000000 00 03 01 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_open(NO_INTERRUPT);

    (void)state;
    script(f, lines);
    pass(f, 1100);
    assert_string_equal(f->cards, "+0-0+0");
    expect_played(f);
    finish(f);
}

static void one_slot_does_one_thing_at_a_time(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"@50 80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_BUSY, "");
    pass(f, 50);
    expect(f, CCID_OK, "63c3");
    finish(f);
}

static void two_slots_take_turns(void **state)
{
    static const struct mock_exchange opening[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 00 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 00 00 00"}},
        {NULL, {NULL}},
    };
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 03 000000", {"@50 81 00000000 00 03 01 00 00"}},
        {"65 00000000 01 04 000000", {"81 00000000 01 04 02 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(TWO_SLOTS);

    (void)state;
    script(f, opening);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    script(f, lines);
    ccid_slot_status(f->reader, 0, in_ms(f, 1000), on_done, f);
    ccid_slot_status(f->reader, 1, in_ms(f, 1000), on_done, f);
    pass(f, 0);
    assert_int_equal(f->call.count, 0);
    clock_advance(f->clock, 50 * CLOCK_MS);
    assert_int_equal(f->call.count, 2);
    assert_int_equal(f->call.result, CCID_NO_CARD);
    finish(f);
}

static void one_that_waits_behind_another_slot_keeps_its_own_deadline(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 00 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 00 00 00"}},
        {"65 00000000 00 03 000000", {NULL}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin(TWO_SLOTS);

    (void)state;
    script(f, lines);
    ccid_open(f->reader, in_ms(f, 3000), on_done, f);
    pass(f, 0);
    expect(f, CCID_OK, "");
    ccid_slot_status(f->reader, 0, in_ms(f, 1000), on_done, f);
    ccid_slot_status(f->reader, 1, in_ms(f, 200), on_done, f);
    pass(f, 199);
    assert_int_equal(f->call.count, 0);
    pass(f, 1);
    expect(f, CCID_TIMEOUT, "");
    finish(f);
}

/* -- gone ------------------------------------------------------------------------------------ */

static void an_unplugged_reader_ends_the_command_and_all_that_follow(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 60000);
    pass(f, 10);
    mock_usb_unplug(f->usb);
    pass(f, 0);
    expect(f, CCID_READER_GONE, "");
    transmit(f, QUERY, 1000);
    pass(f, 0);
    expect(f, CCID_READER_GONE, "");
    ccid_open(f->reader, in_ms(f, 1000), on_done, f);
    pass(f, 0);
    expect(f, CCID_READER_GONE, "");
    finish(f);
}

static void free_inside(struct ccid *ccid, unsigned slot, enum ccid_result result,
                        const uint8_t *data, size_t len, void *arg)
{
    struct fixture *f = arg;

    (void)ccid;
    (void)slot;
    (void)data;
    (void)len;
    f->call.count++;
    f->call.result = result;
    ccid_free(&f->reader);
    usb_free(&f->usb);
}

static void the_reader_may_be_freed_inside_its_callback(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);
    uint8_t apdu[] = {0x00, 0x20, 0x00, 0x80};

    (void)state;
    script(f, lines);
    ccid_transmit(f->reader, 0, apdu, sizeof(apdu), in_ms(f, 1000), free_inside, f);
    pass(f, 0);
    assert_int_equal(f->call.count, 1);
    assert_null(f->usb);
    finish(f);
}

static void freeing_in_mid_command_calls_nobody_back(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {NULL, {NULL}},
    };
    struct fixture *f = begin_powered(EXTENDED);

    (void)state;
    script(f, lines);
    transmit(f, QUERY, 1000);
    pass(f, 10);
    ccid_free(&f->reader);
    pass(f, 2000);
    assert_int_equal(f->call.count, 0);
    assert_non_null(strstr(mock_usb_log(f->usb), "release 0\n"));
    finish(f);
}

static void a_level_without_a_row_is_refused(void **state)
{
    struct clock *clock = clock_new_simulated(0, 0);
    struct usb *usb =
        mock_usb_new(clock, DEVICE, CONFIG("03", CLASS("00", "7e000000", "4a000000")) INTERRUPT);
    enum usb_status status = USB_STATUS_COUNT;

    (void)state;
    usb_start(usb, CLOCK_SECOND, on_usb, &status);
    clock_advance(clock, 0);
    assert_int_equal(status, USB_OK);
    assert_null(ccid_new(usb, 0));
    assert_int_equal(errno, ENOTSUP);
    assert_null(ccid_new(usb, 1));
    assert_int_equal(errno, ENODEV);
    usb_free(&usb);
    clock_free(&clock);
}

/* Behind a good header stands a descriptor of one byte: the walk must end, and so must the count. */
static void a_configuration_that_cannot_be_read_has_no_reader(void **state)
{
    struct clock *clock = clock_new_simulated(0, 0);
    struct usb *usb = mock_usb_new(clock, DEVICE, "09 02 0b00 01 01 00 80 32 01 04");
    enum usb_status status = USB_STATUS_COUNT;

    (void)state;
    usb_start(usb, CLOCK_SECOND, on_usb, &status);
    clock_advance(clock, 0);
    assert_int_equal(status, USB_OK);
    assert_int_equal(ccid_count(usb), 0);
    assert_null(ccid_new(usb, 0));
    assert_int_equal(errno, ENODEV);
    usb_free(&usb);
    clock_free(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_is_claimed_and_its_slot_asked),
        cmocka_unit_test(an_empty_slot_is_told_as_empty),
        cmocka_unit_test(a_reader_held_by_pcscd_is_told_as_held),
        cmocka_unit_test(left_over_answers_do_not_confuse_the_opening),
        cmocka_unit_test(a_reader_that_does_not_answer_at_first_is_brought_in_step),
        cmocka_unit_test(every_slot_is_asked_and_told),
        cmocka_unit_test(voltages_are_tried_from_the_lowest),
        cmocka_unit_test(a_card_that_never_answers_is_mute),
        cmocka_unit_test(power_off_ends_the_session),
        cmocka_unit_test(an_apdu_goes_out_and_its_answer_comes_back),
        cmocka_unit_test(more_time_is_granted_within_the_deadline),
        cmocka_unit_test(late_double_and_foreign_answers_are_dropped),
        cmocka_unit_test(a_long_command_goes_out_in_blocks),
        cmocka_unit_test(a_long_answer_is_put_together),
        cmocka_unit_test(a_command_that_the_level_cannot_carry_is_refused),
        cmocka_unit_test(an_answer_without_status_word_is_a_protocol_error),
        cmocka_unit_test(a_timeout_is_told_at_the_deadline_and_the_reader_recovers),
        cmocka_unit_test(a_reader_that_knows_no_abort_request_is_aborted_by_message),
        cmocka_unit_test(a_reader_deaf_to_aborts_gets_its_pipes_cleared),
        cmocka_unit_test(an_aborted_command_ends_as_cancelled),
        cmocka_unit_test(what_cannot_be_an_answer_is_a_protocol_error_and_the_reader_recovers),
        cmocka_unit_test(a_stalled_or_babbling_pipe_is_recovered),
        cmocka_unit_test(a_busy_slot_is_asked_again),
        cmocka_unit_test(a_card_pulled_out_is_told_by_the_answer),
        cmocka_unit_test(a_card_pulled_out_is_told_though_the_reader_never_answers),
        cmocka_unit_test(cards_come_and_go_by_the_interrupt_pipe),
        cmocka_unit_test(a_halted_interrupt_pipe_is_cleared_and_given_up_in_the_end),
        cmocka_unit_test(without_an_interrupt_pipe_the_slot_is_asked_now_and_then),
        cmocka_unit_test(one_slot_does_one_thing_at_a_time),
        cmocka_unit_test(two_slots_take_turns),
        cmocka_unit_test(one_that_waits_behind_another_slot_keeps_its_own_deadline),
        cmocka_unit_test(an_unplugged_reader_ends_the_command_and_all_that_follow),
        cmocka_unit_test(the_reader_may_be_freed_inside_its_callback),
        cmocka_unit_test(freeing_in_mid_command_calls_nobody_back),
        cmocka_unit_test(a_level_without_a_row_is_refused),
        cmocka_unit_test(a_configuration_that_cannot_be_read_has_no_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
