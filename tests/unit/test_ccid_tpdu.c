/*
 * A reader of the TPDU level played message by message on a simulated clock: power on with PPS, SetParameters and
 * the agreement on block lengths, T=1 and T=0 inside XfrBlock, and PC_to_RDR_Secure. Messages are composed by hand
 * after USB-IF CCID 1.1, chapter 6; blocks after ISO/IEC 7816-3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/clock.h"
#include "driver/ccid/ccid.h"
#include "mock_usb.h"

#define DEVICE "12 01 0002 00 00 00 40 2f07 00b1 0001 01 02 03 01"
/* protocols, IFSD, features, message, PIN support: 4 MHz, 344086 bit/s at most */
#define READER(protocols, ifsd, features, max, pin)                                                \
    "09 02 5d00 01 01 00 80 32 09 04 00 00 03 0b 00 00 00 36 21 1001 00 07 " protocols             \
    " a00f0000 a00f0000 00 002a0000 16400500 00 " ifsd " 00000000 00000000 " features " " max      \
    " ff ff 0000 " pin " 01 07 05 02 02 0002 00 07 05 81 02 0002 00 07 05 83 03 0800 10 "

#define ACR39U READER("03000000", "f7000000", "b2000100", "0f010000", "00")
#define PAD_T1 READER("03000000", "20000000", "b2000100", "0f010000", "01")
#define PAD_APDU READER("02000000", "fe000000", "7e000400", "0a020000", "01")
/* QEMU 7.2's usb-ccid, as its descriptor says */
#define QEMU READER("01000000", "fe000000", "fe040100", "0a000100", "01")
/* nothing by itself but clock and baud */
#define BARE READER("03000000", "20000000", "30000100", "0f010000", "00")

#define ATR "3b e0 00 ff 81 31 fe 45 14"
#define QUERY "00 20 00 80"

struct fixture {
    struct clock *clock;
    struct usb *usb;
    struct ccid *reader;
    unsigned calls;
    enum ccid_result result;
    uint8_t data[600];
    size_t len;
};

static void on_done(struct ccid *ccid, unsigned slot, enum ccid_result result, const uint8_t *data,
                    size_t len, void *arg)
{
    struct fixture *f = arg;

    (void)ccid;
    (void)slot;
    f->calls++;
    f->result = result;
    f->len = len;
    assert_true(len <= sizeof(f->data));
    if (len > 0)
        memcpy(f->data, data, len);
}

static void on_usb(struct usb *usb, enum usb_status status, void *arg)
{
    (void)usb;
    *(enum usb_status *)arg = status;
}

static void expect(struct fixture *f, enum ccid_result result, const char *hex)
{
    uint8_t expected[600];
    size_t len = mock_hex(hex, expected, sizeof(expected));

    clock_advance(f->clock, 0);
    assert_int_equal(f->calls, 1);
    assert_string_equal(ccid_result_name(f->result), ccid_result_name(result));
    assert_int_equal(f->len, len);
    assert_memory_equal(f->data, expected, len);
    assert_true(mock_usb_played(f->usb));
    f->calls = 0;
}

static uint64_t soon(const struct fixture *f)
{
    return clock_monotonic_us(f->clock) + 5 * CLOCK_SECOND;
}

/* Open, with a card in the slot; the next sequence number is 2. */
static struct fixture *begin(const char *config)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 01 00 00"}},
        {NULL, {NULL}},
    };
    struct fixture *f = calloc(1, sizeof(*f));
    enum usb_status status = USB_STATUS_COUNT;

    assert_non_null(f);
    f->clock = clock_new_simulated(0, 0);
    f->usb = mock_usb_new(f->clock, DEVICE, config);
    usb_start(f->usb, CLOCK_SECOND, on_usb, &status);
    clock_advance(f->clock, 0);
    assert_int_equal(status, USB_OK);
    f->reader = ccid_new(f->usb, 0);
    assert_non_null(f->reader);
    mock_usb_script(f->usb, lines);
    ccid_open(f->reader, soon(f), on_done, f);
    expect(f, CCID_OK, "");
    return f;
}

static void finish(struct fixture *f)
{
    ccid_free(&f->reader);
    usb_free(&f->usb);
    clock_free(&f->clock);
    free(f);
}

static void power_on(struct fixture *f, const struct mock_exchange *lines)
{
    mock_usb_script(f->usb, lines);
    ccid_power_on(f->reader, 0, soon(f), on_done, f);
}

static void transmit(struct fixture *f, const struct mock_exchange *lines, const char *hex)
{
    uint8_t apdu[600];

    mock_usb_script(f->usb, lines);
    ccid_transmit(f->reader, 0, apdu, mock_hex(hex, apdu, sizeof(apdu)), soon(f), on_done, f);
}

static void verify(struct fixture *f, const struct mock_exchange *lines)
{
    mock_usb_script(f->usb, lines);
    ccid_verify_pin(f->reader, 0, (const uint8_t[]){0x00, 0x20, 0x00, 0x80}, 4,
                    clock_monotonic_us(f->clock) + 32 * CLOCK_SECOND, on_done, f);
}

#define SCRIPT(...) ((const struct mock_exchange[]){__VA_ARGS__, {NULL, {NULL}}})
/* 1.8 V by hand, and the answer to reset; then the parameters: T=1, TC1, BWI/CWI, IFSC of the card */
#define POWER(voltage, atr_len, atr)                                                               \
    {                                                                                              \
        "62 00000000 00 02 " voltage "0000",                                                       \
        {                                                                                          \
            "80 " atr_len "000000 00 02 00 00 00" atr                                              \
        }                                                                                          \
    }
#define PARAMETERS_T1                                                                              \
    {                                                                                              \
        "61 07000000 00 03 010000 11 10 ff 45 00 fe 00",                                           \
        {                                                                                          \
            "82 07000000 00 03 00 00 01 11 10 ff 45 00 fe 00"                                      \
        }                                                                                          \
    }

/* Sequence numbers up to 4 are used. */
static struct fixture *begin_t1(void)
{
    struct fixture *f = begin(ACR39U);

    /* no automatic voltage; S(IFS request) for 247 */
    power_on(f, SCRIPT(POWER("03", "09", ATR), PARAMETERS_T1,
                       {"6f 05000000 00 04 000000 00 c1 01 f7 37",
                        {"80 05000000 00 04 00 00 00 00 e1 01 f7 17"}}));
    expect(f, CCID_OK, ATR);
    return f;
}

static void power_on_settles_parameters_and_block_lengths(void **state)
{
    (void)state;
    finish(begin_t1());
}

static void an_apdu_goes_in_a_block_and_time_is_passed_on(void **state)
{
    struct fixture *f = begin_t1();

    (void)state;
    transmit(f,
             SCRIPT({"6f 08000000 00 05 000000 00 00 04 00200080 a4",
                     {"80 05000000 00 05 00 00 00 00 c3 01 07 c5"}},
                    {"6f 05000000 00 06 070000 00 e3 01 07 e5",
                     {"80 06000000 00 06 00 00 00 00 00 02 63c3 a2"}}),
             QUERY);
    expect(f, CCID_OK, "63c3");
    finish(f);
}

static void what_the_reader_reports_of_the_line_is_repaired(void **state)
{
    struct fixture *f = begin_t1();

    (void)state;
    /* parity, then nothing, then the answer */
    transmit(
        f,
        SCRIPT({"6f 08000000 00 05 000000 00 00 04 00200080 a4", {"80 00000000 00 05 40 fd 00"}},
               {"6f 04000000 00 06 000000 00 81 00 81", {"80 00000000 00 06 40 fe 00"}},
               {"6f 04000000 00 07 000000 00 81 00 81",
                {"80 06000000 00 07 00 00 00 00 00 02 63c3 a2"}}),
        QUERY);
    expect(f, CCID_OK, "63c3");
    finish(f);
}

static void a_card_that_cannot_be_saved_is_powered_off(void **state)
{
    struct fixture *f = begin_t1();

    (void)state;
    transmit(
        f,
        SCRIPT({"6f 08000000 00 05 000000 00 00 04 00200080 a4", {"80 00000000 00 05 40 fe 00"}},
               {"6f 04000000 00 06 000000 00 82 00 82", {"80 00000000 00 06 40 fe 00"}},
               {"6f 04000000 00 07 000000 00 82 00 82", {"80 00000000 00 07 40 fe 00"}},
               {"6f 04000000 00 08 000000 00 82 00 82", {"80 00000000 00 08 40 fe 00"}},
               {"6f 04000000 00 09 000000 00 c0 00 c0", {"80 00000000 00 09 40 fe 00"}},
               {"6f 04000000 00 0a 000000 00 c0 00 c0", {"80 00000000 00 0a 40 fe 00"}},
               {"6f 04000000 00 0b 000000 00 c0 00 c0", {"80 00000000 00 0b 40 fe 00"}},
               {"6f 04000000 00 0c 000000 00 c0 00 c0", {"80 00000000 00 0c 40 fe 00"}},
               {"63 00000000 00 0d 000000", {"81 00000000 00 0d 01 00 00"}}),
        QUERY);
    expect(f, CCID_CARD_ERROR, "");
    transmit(f, NULL, QUERY);
    expect(f, CCID_NOT_POWERED, "");
    finish(f);
}

#define B16 "00112233445566778899aabbccddeeff"
#define B64 B16 B16 B16 B16

static void an_extended_apdu_goes_over_blocks(void **state)
{
    struct fixture *f = begin_t1();

    (void)state;
    /* 00 D6 00 00 00 01 00 + 256 bytes = 263: 254 and 9; exclusive or by hand: the sixteen bytes of B16 cancel out */
    transmit(f,
             SCRIPT({"6f 02010000 00 05 000000 00 20 fe 00d60000 000100" B64 B64 B64 B16 B16 B16
                     "00112233445566"
                     "7e",
                     {"80 04000000 00 05 00 00 00 00 90 00 90"}},
                    {"6f 0d000000 00 06 000000 00 40 09 778899aabbccddeeff 3e",
                     {"80 06000000 00 06 00 00 00 00 00 02 9000 92"}}),
             "00d60000 000100" B64 B64 B64 B64);
    expect(f, CCID_OK, "9000");
    finish(f);
}

static void a_card_pulled_out_in_the_middle_is_told(void **state)
{
    struct fixture *f = begin_t1();

    (void)state;
    transmit(
        f,
        SCRIPT({"6f 08000000 00 05 000000 00 00 04 00200080 a4", {"80 00000000 00 05 42 fe 00"}}),
        QUERY);
    expect(f, CCID_CARD_REMOVED, "");
    finish(f);
}

static void a_bad_answer_to_reset_is_tried_at_every_voltage(void **state)
{
    struct fixture *f = begin(ACR39U);

    (void)state;
    power_on(f, SCRIPT(POWER("03", "09", "3b e0 00 ff 81 31 fe 45 15"),
                       {"63 00000000 00 03 000000", {"81 00000000 00 03 01 00 00"}},
                       {"63 00000000 00 04 000000", {"81 00000000 00 04 01 00 00"}},
                       {"62 00000000 00 05 020000", {"80 00000000 00 05 41 fe 00"}},
                       {"63 00000000 00 06 000000", {"81 00000000 00 06 01 00 00"}},
                       {"62 00000000 00 07 010000", {"80 00000000 00 07 41 fe 00"}}));
    expect(f, CCID_CARD_ERROR, "");
    finish(f);
}

static void parameters_refused_by_a_reader_that_takes_them_itself_do_no_harm(void **state)
{
    struct fixture *f = begin(ACR39U);

    (void)state;
    power_on(
        f, SCRIPT(POWER("03", "09", ATR),
                  {"61 07000000 00 03 010000 11 10 ff 45 00 fe 00", {"82 00000000 00 03 40 00 00"}},
                  {"6f 05000000 00 04 000000 00 c1 01 f7 37",
                   {"80 05000000 00 04 00 00 00 00 e1 01 f7 17"}}));
    expect(f, CCID_OK, ATR);
    finish(f);
}

/* T=0 first and T=1, 512/16: T0=F0 TA1=95 TB1 TC1 TD1=80 TD2=31 TA3 TB3 TCK */
#define FAST "3b f0 95 00 ff 80 31 fe 45 90"

static void speed_is_asked_for_where_the_reader_leaves_it_to_us(void **state)
{
    struct fixture *f = begin(BARE);

    (void)state;
    power_on(f, SCRIPT(POWER("03", "0a", FAST),
                       {"6f 04000000 00 03 000000 ff 10 95 7a",
                        {"80 04000000 00 03 00 00 00 ff 10 95 7a"}},
                       {"61 05000000 00 04 000000 95 00 ff 0a 00",
                        {"82 05000000 00 04 00 00 00 95 00 ff 0a 00"}}));
    expect(f, CCID_OK, FAST);
    finish(f);
}

static void a_card_that_refuses_a_pps_is_taken_as_it_is(void **state)
{
    struct fixture *f = begin(BARE);

    (void)state;
    power_on(f, SCRIPT(POWER("03", "0a", FAST),
                       {"6f 04000000 00 03 000000 ff 10 95 7a", {"80 00000000 00 03 40 fe 00"}},
                       {"63 00000000 00 04 000000", {"81 00000000 00 04 01 00 00"}},
                       {"62 00000000 00 05 030000", {"80 0a000000 00 05 00 00 00" FAST}},
                       {"61 05000000 00 06 000000 11 00 ff 0a 00",
                        {"82 05000000 00 06 00 00 00 11 00 ff 0a 00"}}));
    expect(f, CCID_OK, FAST);
    finish(f);
}

static void a_reader_that_negotiates_by_itself_is_asked_only_in_doubt(void **state)
{
    struct fixture *f = begin(QEMU);

    (void)state;
    /* a card of T=1 behind a reader of T=0: the reader knows */
    power_on(f, SCRIPT(POWER("00", "09", ATR), {"6c 00000000 00 03 000000",
                                                {"82 05000000 00 03 00 00 00 11 00 00 0a 00"}}));
    expect(f, CCID_OK, ATR);
    transmit(
        f,
        SCRIPT({"6f 05000000 00 04 000000 00b0000000", {"80 02000000 00 04 00 00 00 6c02"}},
               {"6f 05000000 00 05 000000 00b0000002", {"80 04000000 00 05 00 00 00 aabb9000"}}),
        "00 b0 00 00 00");
    expect(f, CCID_OK, "aabb9000");
    /* refused with the plainest of all answers */
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 06 000000 00 1e 82 04 00 0404 02 ff 1104 00 000000 0020008004ffffffff",
             {"81 00000000 00 06 40 00 00"}}));
    expect(f, CCID_READER_ERROR, "");
    finish(f);
}

/* -- PIN pads ---------------------------------------------------------------------------------- */

static void a_pin_is_asked_for_at_the_pad_of_an_apdu_reader(void **state)
{
    struct fixture *f = begin(PAD_APDU);

    (void)state;
    power_on(f, SCRIPT(POWER("00", "09", ATR)));
    expect(f, CCID_OK, ATR);
    /* 30 s, bytes, ASCII from the first byte, block of 4, 4 to 4 digits, OK key, default text, Japanese */
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 03 000000 00 1e 82 04 00 0404 02 ff 1104 00 000000 0020008004ffffffff",
             {"80 02000000 00 03 00 00 00 9000"}}));
    expect(f, CCID_OK, "9000");
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 04 000000 00 1e 82 04 00 0404 02 ff 1104 00 000000 0020008004ffffffff",
             {"80 00000000 00 04 40 ef 00"}}));
    expect(f, CCID_PIN_CANCELLED, "");
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 05 000000 00 1e 82 04 00 0404 02 ff 1104 00 000000 0020008004ffffffff",
             {"80 00000000 00 05 40 f0 00"}}));
    expect(f, CCID_PIN_TIMEOUT, "");
    finish(f);
}

static void the_block_of_a_pin_keeps_the_count(void **state)
{
    struct fixture *f = begin(PAD_T1);

    (void)state;
    power_on(f, SCRIPT(POWER("03", "09", ATR), PARAMETERS_T1));
    expect(f, CCID_OK, ATR);
    /* cancelled: the number of the next block is the same */
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 04 000000 00 1e 82 04 00 0404 02 ff 1104 00 000009 0020008004ffffffff",
             {"80 00000000 00 04 40 ef 00"}}));
    expect(f, CCID_PIN_CANCELLED, "");
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 05 000000 00 1e 82 04 00 0404 02 ff 1104 00 000009 0020008004ffffffff",
             {"80 06000000 00 05 00 00 00 00 00 02 63c2 a3"}}));
    expect(f, CCID_OK, "63c2");
    /* the answer damaged on its way is fetched without the PIN */
    verify(
        f,
        SCRIPT(
            {"69 18000000 00 06 000000 00 1e 82 04 00 0404 02 ff 1104 00 004009 0020008004ffffffff",
             {"80 06000000 00 06 00 00 00 00 40 02 9000 00"}},
            {"6f 04000000 00 07 000000 00 91 00 91",
             {"80 06000000 00 07 00 00 00 00 40 02 9000 d2"}}));
    expect(f, CCID_OK, "9000");
    finish(f);
}

static void without_a_pad_nothing_is_asked(void **state)
{
    struct fixture *f = begin_t1();

    (void)state;
    verify(f, NULL);
    expect(f, CCID_INVALID, "");
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_on_settles_parameters_and_block_lengths),
        cmocka_unit_test(an_apdu_goes_in_a_block_and_time_is_passed_on),
        cmocka_unit_test(what_the_reader_reports_of_the_line_is_repaired),
        cmocka_unit_test(a_card_that_cannot_be_saved_is_powered_off),
        cmocka_unit_test(an_extended_apdu_goes_over_blocks),
        cmocka_unit_test(a_card_pulled_out_in_the_middle_is_told),
        cmocka_unit_test(a_bad_answer_to_reset_is_tried_at_every_voltage),
        cmocka_unit_test(parameters_refused_by_a_reader_that_takes_them_itself_do_no_harm),
        cmocka_unit_test(speed_is_asked_for_where_the_reader_leaves_it_to_us),
        cmocka_unit_test(a_card_that_refuses_a_pps_is_taken_as_it_is),
        cmocka_unit_test(a_reader_that_negotiates_by_itself_is_asked_only_in_doubt),
        cmocka_unit_test(a_pin_is_asked_for_at_the_pad_of_an_apdu_reader),
        cmocka_unit_test(the_block_of_a_pin_keeps_the_count),
        cmocka_unit_test(without_a_pad_nothing_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
