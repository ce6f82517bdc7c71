/*
 * What cannot be done, and what readers and cards refuse: each in the words of ccid.h, and nothing sent that should
 * not be. Messages are composed by hand after USB-IF CCID 1.1, chapter 6; blocks after ISO/IEC 7816-3.
 */
#include "ccid_rig.h"

#include <string.h>

#include <cmocka.h>

#undef ATR
#define ATR "3b e0 00 ff 81 31 fe 45 14"
/* T=0 first and T=1, 512/16 */
#define FAST "3b f0 95 00 ff 80 31 fe 45 90"
/* T=0 only, nothing else said */
#define PLAIN "3b 00"
/* T=1 with blocks of eight bytes */
#define SMALL "3b e0 00 ff 81 31 08 45 e2"

/* voltages, protocols, features, PIN support: TPDU level, 4 MHz, IFSD 32 */
#define TPDU(voltages, protocols, features, pin)                                                   \
    "09 02 5d00 01 01 00 80 32 09 04 00 00 03 0b 00 00 00 36 21 1001 00 " voltages " " protocols   \
    " a00f0000 a00f0000 00 002a0000 16400500 00 20000000 00000000 00000000 " features              \
    " 0f010000 ff ff 0000 " pin " 01 07 05 02 02 0002 00 07 05 81 02 0002 00 07 05 83 03 0800 10 "

/* By itself: voltage, clock, baud (38); and PPS (b8); and everything (fe04). */
#define HAND_PPS TPDU("07", "03000000", "38000100", "00")
#define HAND_PARAMETERS TPDU("07", "03000000", "b8000100", "00")
#define ONLY_T1 TPDU("07", "02000000", "b8000100", "00")
#define NEGOTIATES TPDU("07", "01000000", "fe040100", "00")
#define NO_VOLTAGE TPDU("00", "03000000", "b0000100", "00")
#define PAD TPDU("07", "03000000", "ba000100", "01")

#define SCRIPT(...) ((const struct mock_exchange[]){__VA_ARGS__, {NULL, {NULL}}})
#define POWER(len, atr)                                                                            \
    {                                                                                              \
        "62 00000000 00 02 000000",                                                                \
        {                                                                                          \
            "80 " len "000000 00 02 00 00 00" atr                                                  \
        }                                                                                          \
    }
#define OFF(seq)                                                                                   \
    {                                                                                              \
        "63 00000000 00 " seq " 000000",                                                           \
        {                                                                                          \
            "81 00000000 00 " seq " 01 00 00"                                                      \
        }                                                                                          \
    }
#define OFF_GONE(seq)                                                                              \
    {                                                                                              \
        "63 00000000 00 " seq " 000000",                                                           \
        {                                                                                          \
            "81 00000000 00 " seq " 42 fe 00"                                                      \
        }                                                                                          \
    }

static void power_on(struct ccid_rig *f, const struct mock_exchange *lines)
{
    ccid_rig_script(f, lines);
    ccid_power_on(f->reader, 0, ccid_rig_in_ms(f, 5000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
}

static void transmit(struct ccid_rig *f, const struct mock_exchange *lines, const char *hex)
{
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, hex, 5000);
    ccid_rig_pass(f, 0);
}

static void expect(struct ccid_rig *f, enum ccid_result result, const char *data)
{
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, result, data);
    ccid_rig_expect_played(f);
}

/* -- power ------------------------------------------------------------------------------------- */

static void an_answer_to_reset_that_is_none_is_a_card_error(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    power_on(f, SCRIPT({"62 00000000 00 02 000000", {"80 01000000 00 02 00 00 00 3b"}}));
    expect(f, CCID_CARD_ERROR, "");
    power_on(f, SCRIPT({"62 00000000 00 03 000000", {"80 02000000 00 03 00 00 00 3a 00"}}));
    expect(f, CCID_CARD_ERROR, "");
    ccid_rig_finish(f);
}

static void a_reader_without_a_voltage_powers_nothing(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(NO_VOLTAGE);

    (void)state;
    power_on(f, NULL);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_READER_ERROR, "");
    ccid_rig_finish(f);
}

/* The answer to a PPS must be what was asked, or less: this one names another speed. */
static void a_pps_answered_with_something_else_is_followed_by_none(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(HAND_PPS);

    (void)state;
    power_on(f, SCRIPT(POWER("0a", FAST),
                       {"6f 04000000 00 03 000000 ff 10 95 7a",
                        {"80 04000000 00 03 00 00 00 ff 10 96 79"}},
                       OFF("04"), {"62 00000000 00 05 000000", {"80 0a000000 00 05 00 00 00" FAST}},
                       {"61 05000000 00 06 000000 11 00 ff 0a 00",
                        {"82 05000000 00 06 00 00 00 11 00 ff 0a 00"}}));
    expect(f, CCID_OK, FAST);
    ccid_rig_finish(f);
}

static void a_card_lifted_while_its_speed_is_settled_is_removed(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(HAND_PPS);

    (void)state;
    power_on(f, SCRIPT(POWER("0a", FAST),
                       {"6f 04000000 00 03 000000 ff 10 95 7a", {"80 00000000 00 03 42 fe 00"}},
                       OFF_GONE("04")));
    expect(f, CCID_CARD_REMOVED, "");
    ccid_rig_finish(f);
}

static void parameters_that_are_refused_are_asked_for_at_the_usual_speed(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(HAND_PARAMETERS);

    (void)state;
    power_on(f, SCRIPT(POWER("0a", FAST),
                       {"61 05000000 00 03 000000 95 00 ff 0a 00", {"82 00000000 00 03 40 0a 00"}},
                       {"61 05000000 00 04 000000 11 00 ff 0a 00",
                        {"82 05000000 00 04 00 00 00 11 00 ff 0a 00"}}));
    expect(f, CCID_OK, FAST);
    ccid_rig_finish(f);
    f = ccid_rig_begin_open(HAND_PARAMETERS);
    power_on(f, SCRIPT(POWER("0a", FAST),
                       {"61 05000000 00 03 000000 95 00 ff 0a 00", {"82 00000000 00 03 40 0a 00"}},
                       {"61 05000000 00 04 000000 11 00 ff 0a 00", {"82 00000000 00 04 40 0a 00"}},
                       OFF("05")));
    expect(f, CCID_READER_ERROR, "");
    ccid_rig_finish(f);
    f = ccid_rig_begin_open(HAND_PARAMETERS);
    power_on(f, SCRIPT(POWER("0a", FAST),
                       {"61 05000000 00 03 000000 95 00 ff 0a 00", {"82 00000000 00 03 42 fe 00"}},
                       OFF_GONE("04")));
    expect(f, CCID_CARD_REMOVED, "");
    ccid_rig_finish(f);
}

static void card_and_reader_without_a_protocol_in_common(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(ONLY_T1);

    (void)state;
    power_on(f, SCRIPT(POWER("02", PLAIN), OFF("03")));
    expect(f, CCID_CARD_UNSUPPORTED, "");
    /* That it could not be powered off changes nothing about it. */
    power_on(f, SCRIPT({"62 00000000 00 04 000000", {"80 02000000 00 04 00 00 00" PLAIN}},
                       {"63 00000000 00 05 000000", {"81 00000000 00 05 41 fb 00"}}));
    expect(f, CCID_CARD_UNSUPPORTED, "");
    ccid_rig_finish(f);
}

static void a_reader_that_negotiates_by_itself_and_does_not_say_how(void **state)
{
    static const uint8_t long_one[7 + 256] = {0x00, 0xd6, 0x00, 0x00, 0x00, 0x01, 0x00};
    struct ccid_rig *f = ccid_rig_begin_open(NEGOTIATES);

    (void)state;
    /* One protocol on both sides: nothing to ask. */
    power_on(f, SCRIPT(POWER("02", PLAIN)));
    expect(f, CCID_OK, PLAIN);
    /* It is T=0's reader, so T=0 it is. */
    power_on(f, SCRIPT({"62 00000000 00 03 000000", {"80 09000000 00 03 00 00 00" ATR}},
                       {"6c 00000000 00 04 000000", {"82 00000000 00 04 40 00 00"}}));
    expect(f, CCID_OK, ATR);
    transmit(f,
             SCRIPT({"6f 05000000 00 05 000000 0020008000", {"80 02000000 00 05 00 00 00 63c3"}}),
             "00 20 00 80");
    expect(f, CCID_OK, "63c3");
    /* T=0 carries no more than 255 bytes: nothing is sent. */
    ccid_transmit(f->reader, 0, long_one, sizeof(long_one), ccid_rig_in_ms(f, 1000),
                  ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_INVALID, "");
    power_on(f,
             SCRIPT({"62 00000000 00 06 000000", {"80 09000000 00 06 00 00 00" ATR}},
                    {"6c 00000000 00 07 000000", {"82 00000000 00 07 42 fe 00"}}, OFF_GONE("08")));
    expect(f, CCID_CARD_REMOVED, "");
    ccid_rig_finish(f);
}

/* -- PIN pads ---------------------------------------------------------------------------------- */

#define SECURE(seq)                                                                                \
    "69 18000000 00 " seq " 000000 00 1e 82 04 00 0404 02 ff 1104 00 000009 0020008004ffffffff"

static void verify(struct ccid_rig *f, const struct mock_exchange *lines)
{
    ccid_rig_script(f, lines);
    ccid_verify_pin(f->reader, 0, (const uint8_t[]){0x00, 0x20, 0x00, 0x80}, 4,
                    ccid_rig_in_ms(f, 32000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
}

static void a_pad_is_not_asked_where_no_card_could_answer(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(PAD);

    (void)state;
    verify(f, NULL);
    ccid_rig_expect(f, CCID_NOT_POWERED, "");
    /* Its blocks are too small for the command. */
    power_on(f, SCRIPT(POWER("09", SMALL), {"61 07000000 00 03 010000 11 10 ff 45 00 08 00",
                                            {"82 07000000 00 03 00 00 01 11 10 ff 45 00 08 00"}}));
    expect(f, CCID_OK, SMALL);
    verify(f, NULL);
    ccid_rig_expect(f, CCID_CARD_ERROR, "");
    mock_usb_push(f->usb, 0x83, "50 02");
    ccid_rig_pass(f, 0);
    verify(f, NULL);
    ccid_rig_expect(f, CCID_NO_CARD, "");
    ccid_rig_finish(f);
}

/* The block with the PIN went out and nothing came back: the answer is asked for, the PIN is not. */
static void an_answer_lost_after_the_pad_is_fetched_without_the_pin(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(PAD);

    (void)state;
    power_on(f, SCRIPT(POWER("09", ATR), {"61 07000000 00 03 010000 11 10 ff 45 00 fe 00",
                                          {"82 07000000 00 03 00 00 01 11 10 ff 45 00 fe 00"}}));
    expect(f, CCID_OK, ATR);
    verify(f, SCRIPT({SECURE("04"), {"80 00000000 00 04 40 fe 00"}},
                     {"6f 04000000 00 05 000000 00 82 00 82",
                      {"80 06000000 00 05 00 00 00 00 00 02 63c2 a3"}}));
    expect(f, CCID_OK, "63c2");
    ccid_rig_finish(f);
}

/* An hour of patience is none that a reader could be told; it is told a minute. */
static void the_reader_is_told_to_wait_a_minute_at_most(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(PAD);

    (void)state;
    power_on(f, SCRIPT(POWER("02", PLAIN), {"61 05000000 00 03 000000 11 00 00 0a 00",
                                            {"82 05000000 00 03 00 00 00 11 00 00 0a 00"}}));
    expect(f, CCID_OK, PLAIN);
    ccid_rig_script(
        f,
        SCRIPT(
            {"69 18000000 00 04 000000 00 3c 82 04 00 0404 02 ff 1104 00 000000 0020008004ffffffff",
             {"80 02000000 00 04 00 00 00 9000"}}));
    ccid_verify_pin(f->reader, 0, (const uint8_t[]){0x00, 0x20, 0x00, 0x80}, 4,
                    ccid_rig_in_ms(f, 3600 * 1000), ccid_rig_on_done, f);
    expect(f, CCID_OK, "9000");
    ccid_rig_finish(f);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void an_operation_while_the_slot_is_busy_ends_when_it_must(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    transmit(f, SCRIPT({"6f 04000000 00 03 000000" QUERY, {"80 00000000 00 03 40 e0 00"}}), QUERY);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 10);
    ccid_abort(f->reader, 0);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_CANCELLED, "");
    /* The command was not carried out, so reader and host are in step: no abort goes before the next. */
    ccid_rig_script(f, SCRIPT({"6f 04000000 00 04 000000" QUERY, {"80 00000000 00 04 40 e0 00"}}));
    ccid_rig_transmit(f, QUERY, 15);
    ccid_rig_pass(f, 14);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 1);
    ccid_rig_expect(f, CCID_TIMEOUT, "");
    assert_int_equal(ccid_counters(f->reader).aborts, 0);
    ccid_rig_finish(f);
}

/* There may be more of it: what follows is the abort (6.1.13). */
#define BACK_IN_STEP                                                                               \
    {                                                                                              \
        "72 00000000 00 04 000000",                                                                \
        {                                                                                          \
            "81 00000000 00 04 00 00 00"                                                           \
        }                                                                                          \
    }

static void blocks_that_do_not_belong_end_the_command(void **state)
{
    static const char *const answers[] = {
        "80 02000000 00 03 00 00 07 9000", /* no such word about a chain */
        "80 00000000 00 03 00 00 10",      /* "go on", when all has been said */
    };
    char apdu[300] = "00d60000000080";

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

        transmit(f, SCRIPT({"6f 04000000 00 03 000000" QUERY, {answers[i]}}, BACK_IN_STEP), QUERY);
        expect(f, CCID_PROTOCOL, "");
        ccid_rig_finish(f);
    }
    /* An answer, though the command has not been sent whole. */
    for (unsigned i = 0; i < 128; i++)
        strcat(apdu, "5a");
    {
        struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);
        char first[300] = "6f 40000000 00 03 000100 00d60000000080";

        for (unsigned i = 0; i < 57; i++)
            strcat(first, "5a");
        transmit(f, SCRIPT({first, {"80 02000000 00 03 00 00 00 6700"}}, BACK_IN_STEP), apdu);
        expect(f, CCID_PROTOCOL, "");
        ccid_rig_finish(f);
    }
}

/* 64 bytes are all that fits into a message of this reader, and it knows no blocks. */
static void a_command_longer_than_the_reader_takes_is_refused(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_powered(SHORT_LEVEL);
    char apdu[300] = "00d6000050";

    (void)state;
    for (unsigned i = 0; i < 80; i++)
        strcat(apdu, "5a");
    transmit(f, NULL, apdu);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_INVALID, "");
    ccid_rig_finish(f);
}

static void nothing_is_done_before_opening_or_in_no_slot(void **state)
{
    struct ccid_rig *f = ccid_rig_begin(EXTENDED);

    (void)state;
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_BUSY, "");
    ccid_rig_finish(f);
    f = ccid_rig_begin_open(EXTENDED);
    ccid_power_on(f->reader, 7, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    assert_int_equal(f->call.count, 0); /* never from inside */
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_INVALID, "");
    ccid_abort(f->reader, 7);
    ccid_abort(f->reader, 0);
    ccid_rig_finish(f);
}

static void one_that_waits_for_its_turn_can_be_cancelled(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 00 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 00 00 00"}},
        {"65 00000000 00 03 000000", {"@50 81 00000000 00 03 01 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(TWO_SLOTS);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    ccid_slot_status(f->reader, 0, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_slot_status(f->reader, 1, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 10);
    ccid_abort(f->reader, 1);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_CANCELLED, "");
    ccid_rig_pass(f, 40);
    expect(f, CCID_OK, "");
    ccid_rig_finish(f);
}

/* "Mute" is no answer to the question whether a card is there: its state stands beside it. */
static void presence_is_told_though_the_card_is_mute(void **state)
{
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    ccid_rig_script(f, SCRIPT({"65 00000000 00 02 000000", {"81 00000000 00 02 41 fe 00"}},
                              {"65 00000000 00 03 000000", {"81 00000000 00 03 42 fe 00"}}));
    ccid_slot_status(f->reader, 0, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    ccid_slot_status(f->reader, 0, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    expect(f, CCID_NO_CARD, "");
    ccid_rig_finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_to_reset_that_is_none_is_a_card_error),
        cmocka_unit_test(a_reader_without_a_voltage_powers_nothing),
        cmocka_unit_test(a_pps_answered_with_something_else_is_followed_by_none),
        cmocka_unit_test(a_card_lifted_while_its_speed_is_settled_is_removed),
        cmocka_unit_test(parameters_that_are_refused_are_asked_for_at_the_usual_speed),
        cmocka_unit_test(card_and_reader_without_a_protocol_in_common),
        cmocka_unit_test(a_reader_that_negotiates_by_itself_and_does_not_say_how),
        cmocka_unit_test(a_pad_is_not_asked_where_no_card_could_answer),
        cmocka_unit_test(an_answer_lost_after_the_pad_is_fetched_without_the_pin),
        cmocka_unit_test(the_reader_is_told_to_wait_a_minute_at_most),
        cmocka_unit_test(an_operation_while_the_slot_is_busy_ends_when_it_must),
        cmocka_unit_test(blocks_that_do_not_belong_end_the_command),
        cmocka_unit_test(a_command_longer_than_the_reader_takes_is_refused),
        cmocka_unit_test(nothing_is_done_before_opening_or_in_no_slot),
        cmocka_unit_test(one_that_waits_for_its_turn_can_be_cancelled),
        cmocka_unit_test(presence_is_told_though_the_card_is_mute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
