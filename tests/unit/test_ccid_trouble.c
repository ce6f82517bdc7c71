/* A CCID reader in trouble: silence, lies, stalls, cards and cables pulled; message by message (ccid_rig.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ccid_rig.h"

/* -- trouble ----------------------------------------------------------------------------------- */

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

static void expect_back_in_step(struct ccid_rig *f)
{
    ccid_rig_pass(f, 10);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "63c3");
    ccid_rig_expect_played(f);
    assert_non_null(strstr(mock_usb_log(f->usb), "control 21 01 0400 0000\n"));
}

static void a_timeout_is_told_at_the_deadline_and_the_reader_recovers(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        BACK_IN_STEP,
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);
    uint64_t deadline = ccid_rig_in_ms(f, 700);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 700);
    ccid_rig_pass(f, 699);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 1);
    assert_int_equal(f->call.at_us, deadline);
    ccid_rig_expect(f, CCID_TIMEOUT, "");
    expect_back_in_step(f);
    ccid_rig_finish(f);
}

static void a_reader_that_knows_no_abort_request_is_aborted_by_message(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        BACK_IN_STEP,
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    mock_usb_control_status(f->usb, USB_STALL);
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 700);
    ccid_rig_pass(f, 700);
    ccid_rig_expect(f, CCID_TIMEOUT, "");
    expect_back_in_step(f);
    ccid_rig_finish(f);
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
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 700);
    ccid_rig_pass(f, 700);
    ccid_rig_expect(f, CCID_TIMEOUT, "");
    ccid_rig_pass(f, 1100);
    assert_non_null(strstr(mock_usb_log(f->usb), "clear 02\nclear 81\n"));
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "63c3");
    ccid_rig_finish(f);
}

static void an_aborted_command_ends_as_cancelled(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        BACK_IN_STEP,
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 5000);
    ccid_rig_pass(f, 100);
    ccid_abort(f->reader, 0);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_CANCELLED, "");
    expect_back_in_step(f);
    ccid_rig_finish(f);
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
        struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

        ccid_rig_script(f, lines);
        ccid_rig_transmit(f, QUERY, 1000);
        ccid_rig_pass(f, 0);
        ccid_rig_expect(f, CCID_PROTOCOL, "");
        expect_back_in_step(f);
        ccid_rig_finish(f);
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
        struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

        ccid_rig_script(f, lines);
        ccid_rig_transmit(f, QUERY, 1000);
        ccid_rig_pass(f, 0);
        ccid_rig_expect(f, rows[i].result, "");
        expect_back_in_step(f);
        ccid_rig_finish(f);
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
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 100);
    ccid_rig_expect(f, CCID_OK, "63c3");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void a_card_pulled_out_is_told_by_the_answer(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 00000000 00 03 42 fe 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_CARD_REMOVED, "");
    assert_string_equal(f->cards, "+0-0");
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_NO_CARD, "");
    ccid_rig_finish(f);
}

/* QEMU's reader ends what the card owes it in this way: done, no data, no card. */
static void an_empty_answer_of_no_card_is_a_card_pulled_out(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"80 00000000 00 03 02 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_CARD_REMOVED, "");
    assert_string_equal(f->cards, "+0-0");
    ccid_rig_finish(f);
}

static void a_card_pulled_out_is_told_though_the_reader_never_answers(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {"72 00000000 00 04 000000", {"81 00000000 00 04 02 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 60000);
    mock_usb_push(f->usb, 0x83, "@100 50 02");
    ccid_rig_pass(f, 500);
    ccid_rig_expect(f, CCID_CARD_REMOVED, "");
    assert_string_equal(f->cards, "+0-0");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void an_answer_that_set_out_before_the_card_left_does_not_bring_it_back(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"@50 80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    mock_usb_push(f->usb, 0x83, "@20 50 02");
    ccid_rig_pass(f, 100);
    ccid_rig_expect(f, CCID_OK, "63c3");
    assert_false(ccid_card_present(f->reader, 0));
    assert_string_equal(f->cards, "+0-0");
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_NO_CARD, "");
    ccid_rig_finish(f);
}

/* The answer that the slot is empty and the notice of the card that was put back come in one turn: that it
 * was gone must be told, or whoever waits for it to come back waits for ever. */
static void a_card_that_came_back_before_its_leaving_was_told_is_told_both_ways(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"@50 80 00000000 00 03 42 fe 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    mock_usb_push(f->usb, 0x83, "50 03"); /* what we know already */
    ccid_rig_pass(f, 0);
    ccid_rig_script(f, lines);
    mock_usb_together(f->usb);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    mock_usb_push(f->usb, 0x83, "@50 50 03");
    ccid_rig_pass(f, 100);
    ccid_rig_expect(f, CCID_CARD_REMOVED, "");
    assert_true(ccid_card_present(f->reader, 0));
    assert_string_equal(f->cards, "+0-0+0");
    ccid_rig_finish(f);
}

static void cards_come_and_go_by_the_interrupt_pipe(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 02 000000", {"81 00000000 00 02 00 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    mock_usb_push(f->usb, 0x83, "50 03"); /* what we know already */
    mock_usb_push(f->usb, 0x83, "50 02");
    mock_usb_push(f->usb, 0x83, "50 03");
    mock_usb_push(f->usb, 0x83, "51 00 00 00"); /* a hardware notice: the slot is asked */
    ccid_rig_script(f, lines);
    ccid_rig_pass(f, 0);
    ccid_rig_expect_played(f);
    assert_string_equal(f->cards, "+0-0+0");
    mock_usb_push(f->usb, 0x83, "50 03"); /* swapped between two looks */
    ccid_rig_pass(f, 0);
    assert_string_equal(f->cards, "+0-0+0-0+0");
    ccid_rig_finish(f);
}

static void a_halted_interrupt_pipe_is_cleared_and_given_up_in_the_end(void **state)
{
    static const struct mock_exchange once[] = {
        {"65 00000000 00 02 000000", {"81 00000000 00 02 00 00 00"}},
        {NULL, {NULL}},
    };
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 03 000000", {"81 00000000 00 03 02 00 00"}},
        {"65 00000000 00 04 000000", {"81 00000000 00 04 02 00 00"}},
        {"65 00000000 00 05 000000", {"81 00000000 00 05 02 00 00"}},
        {"65 00000000 00 06 000000", {"81 00000000 00 06 02 00 00"}},
        {"65 00000000 00 07 000000", {"81 00000000 00 07 02 00 00"}},
        {NULL, {NULL}},
    };
    static const struct mock_exchange polled[] = {
        {"65 00000000 00 08 000000", {"81 00000000 00 08 01 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    mock_usb_push(f->usb, 0x83, "!stall");
    ccid_rig_script(f, once); /* what the pipe did not tell is asked */
    ccid_rig_pass(f, 0);
    ccid_rig_expect_played(f);
    mock_usb_push(f->usb, 0x83, "50 02");
    ccid_rig_pass(f, 0);
    assert_string_equal(f->cards, "+0-0");
    ccid_rig_script(f, lines);
    for (unsigned i = 0; i < 5; i++) {
        mock_usb_push(f->usb, 0x83, "!stall");
        ccid_rig_pass(f, 0);
    }
    ccid_rig_expect_played(f);
    ccid_rig_script(f, polled); /* from now on the slot is asked every half second */
    ccid_rig_pass(f, 600);
    ccid_rig_expect_played(f);
    assert_string_equal(f->cards, "+0-0+0");
    ccid_rig_finish(f);
}

/* The notice of a card that was put down gets lost: it is found by asking. */
static void a_card_whose_notice_was_lost_is_noticed(void **state)
{
    static const char *const lost[] = {"!stall", "!io", "!overflow", "50", "00 00 00 00", "ff"};

    (void)state;
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        static const struct mock_exchange lines[] = {
            {"65 00000000 00 02 000000", {"81 00000000 00 02 01 00 00"}},
            {NULL, {NULL}},
        };
        struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

        mock_usb_push(f->usb, 0x83, "50 02");
        ccid_rig_pass(f, 0);
        assert_string_equal(f->cards, "+0-0");
        ccid_rig_script(f, lines);
        mock_usb_push(f->usb, 0x83, lost[i]);
        ccid_rig_pass(f, 0);
        ccid_rig_expect_played(f);
        assert_string_equal(f->cards, "+0-0+0");
        ccid_rig_finish(f);
    }
}

/* The answer about the slot was on its way when a card was put down, and says that there is none. */
static void the_later_word_about_a_slot_counts(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 02 000000", {"@20 81 00000000 00 02 02 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_open(EXTENDED);

    (void)state;
    mock_usb_push(f->usb, 0x83, "50 02");
    ccid_rig_pass(f, 0);
    ccid_rig_script(f, lines);
    mock_usb_push(f->usb, 0x83, "51 00 00 00");
    ccid_rig_pass(f, 10);
    mock_usb_push(f->usb, 0x83, "50 03");
    ccid_rig_pass(f, 100);
    ccid_rig_expect_played(f);
    assert_string_equal(f->cards, "+0-0+0");
    ccid_rig_finish(f);
}

static void without_an_interrupt_pipe_the_slot_is_asked_now_and_then(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 02 000000", {"81 00000000 00 02 02 00 00"}},
        {"65 00000000 00 03 000000", {"81 00000000 00 03 01 00 00"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_open(NO_INTERRUPT);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_pass(f, 1100);
    assert_string_equal(f->cards, "+0-0+0");
    ccid_rig_expect_played(f);
    ccid_rig_finish(f);
}

static void one_slot_does_one_thing_at_a_time(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {"@50 80 02000000 00 03 00 00 00 63c3"}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_BUSY, "");
    ccid_rig_pass(f, 50);
    ccid_rig_expect(f, CCID_OK, "63c3");
    ccid_rig_finish(f);
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
    struct ccid_rig *f = ccid_rig_begin(TWO_SLOTS);

    (void)state;
    ccid_rig_script(f, opening);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    ccid_rig_script(f, lines);
    ccid_slot_status(f->reader, 0, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_slot_status(f->reader, 1, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    assert_int_equal(f->call.count, 0);
    clock_advance(f->clock, 50 * CLOCK_MS);
    assert_int_equal(f->call.count, 2);
    assert_int_equal(f->call.result, CCID_NO_CARD);
    ccid_rig_finish(f);
}

static void one_that_waits_behind_another_slot_keeps_its_own_deadline(void **state)
{
    static const struct mock_exchange lines[] = {
        {"65 00000000 00 01 000000", {"81 00000000 00 01 00 00 00"}},
        {"65 00000000 01 02 000000", {"81 00000000 01 02 00 00 00"}},
        {"65 00000000 00 03 000000", {NULL}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin(TWO_SLOTS);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_open(f->reader, ccid_rig_in_ms(f, 3000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_OK, "");
    ccid_slot_status(f->reader, 0, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_slot_status(f->reader, 1, ccid_rig_in_ms(f, 200), ccid_rig_on_done, f);
    ccid_rig_pass(f, 199);
    assert_int_equal(f->call.count, 0);
    ccid_rig_pass(f, 1);
    ccid_rig_expect(f, CCID_TIMEOUT, "");
    ccid_rig_finish(f);
}

/* -- gone -------------------------------------------------------------------------------------- */

static void an_unplugged_reader_ends_the_command_and_all_that_follow(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 60000);
    ccid_rig_pass(f, 10);
    mock_usb_unplug(f->usb);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_READER_GONE, "");
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_READER_GONE, "");
    ccid_open(f->reader, ccid_rig_in_ms(f, 1000), ccid_rig_on_done, f);
    ccid_rig_pass(f, 0);
    ccid_rig_expect(f, CCID_READER_GONE, "");
    ccid_rig_finish(f);
}

static void free_inside(struct ccid *ccid, unsigned slot, enum ccid_result result,
                        const uint8_t *data, size_t len, void *arg)
{
    struct ccid_rig *f = arg;

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
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);
    uint8_t apdu[] = {0x00, 0x20, 0x00, 0x80};

    (void)state;
    ccid_rig_script(f, lines);
    ccid_transmit(f->reader, 0, apdu, sizeof(apdu), ccid_rig_in_ms(f, 1000), free_inside, f);
    ccid_rig_pass(f, 0);
    assert_int_equal(f->call.count, 1);
    assert_null(f->usb);
    ccid_rig_finish(f);
}

static void freeing_in_mid_command_calls_nobody_back(void **state)
{
    static const struct mock_exchange lines[] = {
        {"6f 04000000 00 03 000000" QUERY, {NULL}},
        {NULL, {NULL}},
    };
    struct ccid_rig *f = ccid_rig_begin_powered(EXTENDED);

    (void)state;
    ccid_rig_script(f, lines);
    ccid_rig_transmit(f, QUERY, 1000);
    ccid_rig_pass(f, 10);
    ccid_free(&f->reader);
    ccid_rig_pass(f, 2000);
    assert_int_equal(f->call.count, 0);
    assert_non_null(strstr(mock_usb_log(f->usb), "release 0\n"));
    ccid_rig_finish(f);
}

static void a_level_without_a_row_is_refused(void **state)
{
    struct clock *clock = clock_new_simulated(0, 0);
    struct usb *usb =
        mock_usb_new(clock, DEVICE, CONFIG("03", CLASS("00", "7e000000", "4a000000")) INTERRUPT);
    enum usb_status status = USB_STATUS_COUNT;

    (void)state;
    usb_start(usb, CLOCK_SECOND, ccid_rig_on_usb, &status);
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
    usb_start(usb, CLOCK_SECOND, ccid_rig_on_usb, &status);
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
        cmocka_unit_test(a_timeout_is_told_at_the_deadline_and_the_reader_recovers),
        cmocka_unit_test(a_reader_that_knows_no_abort_request_is_aborted_by_message),
        cmocka_unit_test(a_reader_deaf_to_aborts_gets_its_pipes_cleared),
        cmocka_unit_test(an_aborted_command_ends_as_cancelled),
        cmocka_unit_test(what_cannot_be_an_answer_is_a_protocol_error_and_the_reader_recovers),
        cmocka_unit_test(a_stalled_or_babbling_pipe_is_recovered),
        cmocka_unit_test(a_busy_slot_is_asked_again),
        cmocka_unit_test(a_card_pulled_out_is_told_by_the_answer),
        cmocka_unit_test(an_empty_answer_of_no_card_is_a_card_pulled_out),
        cmocka_unit_test(a_card_pulled_out_is_told_though_the_reader_never_answers),
        cmocka_unit_test(an_answer_that_set_out_before_the_card_left_does_not_bring_it_back),
        cmocka_unit_test(a_card_that_came_back_before_its_leaving_was_told_is_told_both_ways),
        cmocka_unit_test(cards_come_and_go_by_the_interrupt_pipe),
        cmocka_unit_test(a_halted_interrupt_pipe_is_cleared_and_given_up_in_the_end),
        cmocka_unit_test(a_card_whose_notice_was_lost_is_noticed),
        cmocka_unit_test(the_later_word_about_a_slot_counts),
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
