/* A CCID reader at work: opening, power, APDUs; message by message (ccid_rig.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ccid_rig.h"

/* -- opening ----------------------------------------------------------------------------------- */

static void the_reader_is_claimed_and_its_slot_asked(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    assert_string_equal(mock_usb_log(f->usb), "claim 0\n");
    assert_true(ccid_card_present(f->reader, 0));
    assert_string_equal(ccid_info(f->reader)->name, "Sony FeliCa RC-S300/S");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void an_empty_slot_is_told_as_empty(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 42 fe 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    assert_string_equal(f->cards, "-0");
    ccid_power_on(f->reader, 0, ccid_rig_in_ms(f, 100), ccid_rig_on_done, f);
    ccid_rig_script(
        f, (struct mock_exchange[]){{"62 00000000 00 02 000000", {"80 00000000 00 02 42 fe 00"}},
                                    {NULL, {NULL}}});
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_NO_CARD, "");
    ccid_rig_finish(f);
}

static void a_reader_held_by_pcscd_is_told_as_held(void **state)
{
    struct ccid_rig *f = ccid_rig_begin(EXTENDED);

    (void)state;
    mock_usb_claim_status(f->usb, USB_BUSY);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_READER_HELD, "");
    /* and tried again later */
    mock_usb_claim_status(f->usb, USB_OK);
    ccid_rig_script(
        f, (struct mock_exchange[]){{"65 00000000 00 01 000000", {"81 00000000 00 01 01 00 00"}},
                                    {NULL, {NULL}}});
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    ccid_rig_finish(f);
}

static void left_over_answers_do_not_confuse_the_opening(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000",
         {"80 02000000 00 fe 00 00 00 9000", "80 02000000 00 ff 00 00 00 9000",
          "81 00000000 00 01 00 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    assert_int_equal(ccid_counters(f->reader).stale_answers, 2);
    ccid_rig_finish(f);
}

static void a_reader_that_does_not_answer_at_first_is_brought_in_step(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {NULL}},
        {"72 00000000 00 02 000000", {"81 00000000 00 02 02 00 00"}},
        {"65 00000000 00 03 000000", {"81 00000000 00 03 02 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 1000);
    ccid_rig_expect(f, CCID_OK, "");
    assert_string_equal(mock_usb_log(f->usb), "claim 0\ncontrol 21 01 0200 0000\n");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void every_slot_is_asked_and_told(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 02 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 01 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(TWO_SLOTS);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    assert_string_equal(f->cards, "-0+1");
    ccid_rig_finish(f);
}

/* -- power ------------------------------------------------------------------------------------- */

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
    struct ccid_rig *f = ccid_rig_begin_open(HAND_VOLTAGE);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_power_on(f->reader, 0, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, ATR);
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void a_card_that_never_answers_is_mute(void **state)
{
    static const struct mock_exchange lines[] = {
        {"62 00000000 00 02 000000", {"80 00000000 00 02 41 fe 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_power_on(f->reader, 0, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_MUTE, "");
    ccid_rig_finish(f);
}

static void power_off_ends_the_session(void **state)
{
    static const struct mock_exchange lines[] = {
        {"63 00000000 00 03 000000", {"81 00000000 00 03 01 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_power_off(f->reader, 0, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_NOT_POWERED, "");
    ccid_rig_finish(f);
}

/* -- APDUs ------------------------------------------------------------------------------------- */

static void an_apdu_goes_out_and_its_answer_comes_back(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "63c3");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void more_time_is_granted_within_the_deadline(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY,
         {"@400 80 00000000 00 03 80 02 00", "@800 80 00000000 00 03 80 02 00",
          "@900 80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 899);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 1);
    ccid_rig_expect(f, CCID_OK, "63c3");
    assert_int_equal(ccid_counters(f->reader).time_extensions, 2);
    ccid_rig_finish(f);
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
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "63c3");
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "63c2");
    assert_int_equal(ccid_counters(f->reader).stale_answers, 3);
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
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
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, "00d60000000080" B64 B64, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "9000");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void a_long_answer_is_put_together(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 07000000 00 03 000000 00b00000000000", {"80 40000000 00 03 00 00 01" B64}},
        {"6f 00000000 00 04 001000", {"80 40000000 00 04 00 00 03" B64}},
        {"6f 00000000 00 05 001000", {"80 04000000 00 05 00 00 02 abcd 9000"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, "00b00000000000", 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, B64 B64 "abcd9000");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void a_command_that_the_level_cannot_carry_is_refused(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_powered(SHORT_LEVEL);

    (void)state;
    ccid_rig_transmit(f, "00b00000000000", 1000); /* extended Le */
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_INVALID, "");
    ccid_rig_transmit(f, "00b000", 1000); /* no APDU */
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_INVALID, "");
    ccid_rig_finish(f);
}

static void an_answer_without_status_word_is_a_protocol_error(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 01000000 00 03 00 00 00 90"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_PROTOCOL, "");
    ccid_rig_finish(f);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
