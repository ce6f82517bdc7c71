/*
 * T=1 block by block, as bytes composed by hand after ISO/IEC 7816-3:2006, clause 11 (and its annex with
 * scenarios): what the reader must send next for every kind of good, lost, damaged, repeated and unexpected block.
 * The check byte of every block written here is worked out by lrc() below, which is no more than the exclusive or
 * of the bytes before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver/ccid/t1.h"
#include "mock_usb.h"

static struct t1 t1;
static uint8_t answer[1024];
static size_t answer_len;

static void begin(uint8_t ifsc, uint32_t ifsd)
{
    t1_init(&t1, ifsc, false, ifsd, false, 261);
    answer_len = 0;
}

static size_t lrc(const char *hex, uint8_t *out)
{
    size_t len = mock_hex(hex, out, 300);

    out[len] = 0;
    for (size_t i = 0; i < len; i++)
        out[len] ^= out[i];
    return len + 1;
}

/* The machine wants to send exactly this block. */
static void sends(enum t1_next next, const char *hex)
{
    uint8_t expected[300];
    size_t len = lrc(hex, expected);

    assert_int_equal(next, T1_SEND);
    assert_int_equal(t1.block_len, len);
    assert_memory_equal(t1.block, expected, len);
}

static enum t1_next collect(enum t1_next next)
{
    if (t1.drop)
        answer_len = 0;
    assert_true(answer_len + t1.part_len <= sizeof(answer));
    if (t1.part_len > 0)
        memcpy(answer + answer_len, t1.part, t1.part_len);
    answer_len += t1.part_len;
    return next;
}

static enum t1_next got(const char *hex)
{
    static uint8_t block[300];

    return collect(t1_received(&t1, block, lrc(hex, block)));
}

/* The same with the check byte wrong. */
static enum t1_next damaged(const char *hex)
{
    static uint8_t block[300];
    size_t len = lrc(hex, block);

    block[len - 1] ^= 0x01;
    return collect(t1_received(&t1, block, len));
}

static enum t1_next raw(const char *hex)
{
    static uint8_t block[300];

    return collect(t1_received(&t1, block, mock_hex(hex, block, sizeof(block))));
}

static enum t1_next command(const char *hex)
{
    static uint8_t apdu[600];

    answer_len = 0;
    return t1_command(&t1, apdu, mock_hex(hex, apdu, sizeof(apdu)));
}

static void answered(enum t1_next next, const char *hex)
{
    uint8_t expected[600];
    size_t len = mock_hex(hex, expected, sizeof(expected));

    assert_int_equal(next, T1_DONE);
    assert_int_equal(answer_len, len);
    assert_memory_equal(answer, expected, len);
}

#define QUERY "00 20 00 80"

static void one_block_out_and_one_in(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 00 02 63c3"), "63c3");
    /* numbers go on in turns */
    sends(command(QUERY), "00 40 04 00200080");
    answered(got("00 40 02 63c3"), "63c3");
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 00 02 63c3"), "63c3");
}

static void the_length_of_blocks_is_agreed_first(void **state)
{
    (void)state;
    begin(254, 254);
    sends(t1_start(&t1), "00 c1 01 fe");
    assert_int_equal(got("00 e1 01 fe"), T1_DONE);
    assert_int_equal(t1.ifsd, 254);
    assert_int_equal(t1_start(&t1), T1_DONE);
    /* no more than the reader's messages hold */
    t1_init(&t1, 254, false, 254, false, 54);
    sends(t1_start(&t1), "00 c1 01 32");
    /* agreed by the reader: nothing is sent, and long blocks are good */
    t1_init(&t1, 254, false, 254, true, 261);
    assert_int_equal(t1_start(&t1), T1_DONE);
    assert_int_equal(t1.ifsd, 254);
}

static void a_card_that_cannot_be_asked_for_a_length_is_served_without(void **state)
{
    (void)state;
    begin(254, 254);
    sends(t1_start(&t1), "00 c1 01 fe");
    sends(got("00 e1 01 20"), "00 c1 01 fe"); /* another number than asked */
    sends(got("00 82 00"), "00 c1 01 fe");    /* "what?" */
    sends(t1_nothing(&t1, false), "00 c1 01 fe");
    sends(got("00 82 00"), "00 c0 00"); /* three tries again, then back in step */
    assert_int_equal(got("00 e0 00"), T1_DONE);
    assert_int_equal(t1.ifsd, 32);
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 00 02 9000"), "9000");
}

#define B8 "0011223344556677"
#define B32 B8 B8 B8 B8

static void a_long_command_goes_out_in_blocks_of_ifsc(void **state)
{
    (void)state;
    begin(32, 32);
    sends(command("00d60000 20" B32), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    sends(got("00 90 00"), "00 40 05 33445566 77");
    answered(got("00 00 02 9000"), "9000");
    /* the card's number was 0, ours were 0 and 1 */
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 40 02 9000"), "9000");
}

static void a_long_answer_is_asked_for_block_by_block(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command("00b0000040"), "00 00 05 00b0000040");
    sends(got("00 20 20" B32), "00 90 00");
    sends(got("00 60 20" B32), "00 80 00");
    answered(got("00 00 02 9000"), B32 B32 "9000");
    sends(command(QUERY), "00 40 04 00200080");
    answered(got("00 40 02 9000"), "9000");
}

static void an_empty_block_in_a_chain_is_a_block(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(got("00 20 00"), "00 90 00");
    answered(got("00 40 02 9000"), "9000");
}

/* -- recovery ---------------------------------------------------------------------------------- */

static void a_damaged_answer_is_asked_for_again(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(damaged("00 00 02 63c3"), "00 81 00");
    answered(got("00 00 02 63c3"), "63c3");
}

static void a_parity_error_seen_by_the_reader_is_the_same(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(t1_nothing(&t1, true), "00 81 00");
    answered(got("00 00 02 63c3"), "63c3");
}

static void a_lost_answer_is_asked_for_and_a_lost_command_sent_again(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(t1_nothing(&t1, false), "00 82 00");
    /* the card has our block: it says its answer again */
    answered(got("00 00 02 63c3"), "63c3");
    sends(command(QUERY), "00 40 04 00200080");
    sends(t1_nothing(&t1, false), "00 92 00");
    /* it has not: it asks for the block whose number it names */
    sends(got("00 90 00"), "00 40 04 00200080");
    answered(got("00 40 02 63c2"), "63c2");
}

static void a_card_that_saw_an_error_gets_the_block_again(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(got("00 81 00"), "00 00 04 00200080");
    answered(got("00 00 02 63c3"), "63c3");
    /* in the middle of a chain */
    begin(32, 32);
    sends(command("00d60000 20" B32), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    sends(got("00 81 00"), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    sends(got("00 90 00"), "00 40 05 3344556677");
    sends(got("00 92 00"), "00 40 05 3344556677");
    answered(got("00 00 02 9000"), "9000");
}

static void a_lost_word_of_ours_is_said_again(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command("00b0000040"), "00 00 05 00b0000040");
    sends(got("00 20 20" B32), "00 90 00");
    sends(t1_nothing(&t1, false), "00 90 00");
    /* our R did not arrive: the card asks what we said */
    sends(got("00 92 00"), "00 90 00");
    sends(damaged("00 40 02 9000"), "00 90 00");
    answered(got("00 40 02 9000"), B32 "9000");
}

static void a_block_that_came_already_is_not_taken_twice(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command("00b0000040"), "00 00 05 00b0000040");
    sends(got("00 20 20" B32), "00 90 00");
    sends(got("00 20 20" B32), "00 90 00");
    answered(got("00 40 02 9000"), B32 "9000");
}

static void an_answer_before_the_command_is_whole_is_none(void **state)
{
    (void)state;
    begin(32, 32);
    sends(command("00d60000 20" B32), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    sends(got("00 00 02 9000"), "00 82 00");
    sends(got("00 90 00"), "00 40 05 3344556677");
    answered(got("00 00 02 9000"), "9000");
}

static void what_cannot_be_a_block_is_asked_for_again(void **state)
{
    static const char *const rows[] = {
        "",                 /* nothing */
        "00 00 00",         /* too short */
        "00 00 03 9000 93", /* LEN is not the length */
        "00 00 01 9000 91",
        "00 00 ff 9000 6f", /* reserved */
        "12 00 02 9000 80", /* not from our card */
        "00 01 02 9000 93", /* reserved bits of an I block */
        "00 40 02 9000 d2", /* another number */
        "00 b0 00 b0",      /* reserved bit of an R block */
        "00 84 00 84",
        "00 80 01 00 81", /* an R block with something in it */
        "00 c4 00 c4",    /* there is no such S block */
        "00 c0 00 c0",    /* only we may ask for this */
        "00 e3 01 01 e3", /* an answer to what we never asked */
        "00 e1 01 20 c0",
        "00 c3 00 c3", /* S blocks with a wrong length or value */
        "00 c3 01 00 c2",
        "00 c3 02 0101 c1",
        "00 c1 01 00 c0",
        "00 c1 01 ff 3f",
        "00 c2 01 00 c3",
        "00 90 00 90", /* "got it" is no answer to a whole command */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(254, 32);
        sends(command(QUERY), "00 00 04 00200080");
        sends(raw(rows[i]), "00 82 00");
        answered(got("00 00 02 63c3"), "63c3");
    }
}

static void a_block_longer_than_agreed_is_refused(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command("00b0000040"), "00 00 05 00b0000040");
    sends(got("00 00 21" B32 "00"), "00 82 00");
    answered(got("00 00 20" B32), B32);
}

static void after_three_tries_the_card_is_brought_back_in_step(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    for (unsigned i = 0; i < 3; i++)
        sends(t1_nothing(&t1, false), "00 82 00");
    sends(t1_nothing(&t1, false), "00 c0 00");
    /* a command that the card may have carried out is not sent again */
    assert_int_equal(got("00 e0 00"), T1_LOST);
    /* both sides begin at 0 */
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 00 02 63c3"), "63c3");
}

static void a_command_that_was_not_sent_whole_begins_anew(void **state)
{
    (void)state;
    begin(32, 32);
    sends(command("00d60000 20" B32), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    for (unsigned i = 0; i < 3; i++)
        sends(t1_nothing(&t1, false), "00 82 00");
    sends(t1_nothing(&t1, false), "00 c0 00");
    sends(got("00 e0 00"), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    sends(got("00 90 00"), "00 40 05 3344556677");
    answered(got("00 00 02 9000"), "9000");
}

static void a_card_that_cannot_be_brought_in_step_is_given_up(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    for (unsigned i = 0; i < 3; i++)
        sends(got("00 81 00"), "00 00 04 00200080");
    sends(got("00 81 00"), "00 c0 00");
    sends(damaged("00 e0 00"), "00 c0 00");
    sends(t1_nothing(&t1, false), "00 c0 00");
    sends(got("00 00 02 9000"), "00 c0 00");
    assert_int_equal(got("00 e0 01 00"), T1_DEAD);
}

static void step_that_is_lost_twice_in_one_command_is_not_sought_for_ever(void **state)
{
    (void)state;
    begin(32, 32);
    sends(command("00d60000 20" B32), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    for (unsigned i = 0; i < 3; i++)
        (void)t1_nothing(&t1, false);
    sends(t1_nothing(&t1, false), "00 c0 00");
    sends(got("00 e0 00"), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    for (unsigned i = 0; i < 3; i++)
        (void)t1_nothing(&t1, false);
    assert_int_equal(t1_nothing(&t1, false), T1_DEAD);
}

static void an_exchange_left_in_the_middle_is_followed_by_step_first(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(command(QUERY), "00 c0 00");
    sends(got("00 e0 00"), "00 00 04 00200080");
    answered(got("00 00 02 9000"), "9000");
}

/* -- what the card may ask for ----------------------------------------------------------------- */

static void more_time_is_granted_and_passed_on(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    assert_int_equal(t1.wait, 0);
    sends(got("00 c3 01 05"), "00 e3 01 05");
    assert_int_equal(t1.wait, 5);
    sends(got("00 c3 01 02"), "00 e3 01 02");
    assert_int_equal(t1.wait, 2);
    /* our grant got lost, or the answer: R, with the common time */
    sends(t1_nothing(&t1, false), "00 82 00");
    assert_int_equal(t1.wait, 0);
    sends(got("00 c3 01 02"), "00 e3 01 02");
    answered(got("00 00 02 63c3"), "63c3");
}

static void more_time_may_be_asked_for_between_the_blocks_of_an_answer(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command("00b0000040"), "00 00 05 00b0000040");
    sends(got("00 20 20" B32), "00 90 00");
    sends(got("00 c3 01 05"), "00 e3 01 05");
    answered(got("00 40 02 9000"), B32 "9000");
}

static void the_card_may_want_shorter_blocks(void **state)
{
    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    sends(got("00 c1 01 10"), "00 e1 01 10");
    answered(got("00 00 02 9000"), "9000");
    sends(command("00a4040c0a d392f000260100000001"), "00 40 0f 00a4040c0a d392f000260100000001");
    sends(got("00 82 00"), "00 92 00"); /* not the number that our block had */
    answered(got("00 40 02 9000"), "9000");
    sends(command("00d600000d 000102030405060708090a0b0c"),
          "00 20 10 00d600000d 000102030405060708090a");
    sends(got("00 90 00"), "00 40 02 0b0c");
    answered(got("00 00 02 9000"), "9000");
}

static void the_card_may_give_an_exchange_up(void **state)
{
    (void)state;
    /* our chain */
    begin(32, 32);
    sends(command("00d60000 20" B32), "00 20 20 00d60000 20" B8 B8 B8 "001122");
    sends(got("00 c2 00"), "00 e2 00");
    assert_int_equal(got("00 90 00"), T1_ABORTED);
    sends(command(QUERY), "00 40 04 00200080");
    answered(got("00 00 02 9000"), "9000");
    /* its own chain, which it begins anew */
    begin(254, 32);
    sends(command("00b0000040"), "00 00 05 00b0000040");
    sends(got("00 20 20" B32), "00 90 00");
    sends(got("00 c2 00"), "00 e2 00");
    answered(got("00 40 02 6f00"), "6f00");
    /* and says no more */
    sends(command(QUERY), "00 40 04 00200080");
    sends(got("00 c2 00"), "00 e2 00");
    assert_int_equal(t1_nothing(&t1, false), T1_ABORTED);
}

/* -- a PIN pad's command ----------------------------------------------------------------------- */

static void a_command_put_in_by_the_reader_counts_but_is_never_repeated(void **state)
{
    uint8_t prologue[3];

    (void)state;
    begin(254, 32);
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 00 02 63c3"), "63c3");
    t1_command_outside(&t1, 9, prologue);
    assert_memory_equal(prologue, "\x00\x40\x09", 3);
    /* cancelled at the pad: nothing was sent, so the number stays */
    t1_command_unsent(&t1);
    answer_len = 0;
    t1_command_outside(&t1, 9, prologue);
    assert_memory_equal(prologue, "\x00\x40\x09", 3);
    sends(damaged("00 40 02 9000"), "00 91 00");
    answered(got("00 40 02 9000"), "9000");
    t1_command_outside(&t1, 9, prologue);
    assert_memory_equal(prologue, "\x00\x00\x09", 3);
    /* the card wants it again, but only the patient has it */
    assert_int_equal(got("00 81 00"), T1_LOST);
    sends(command(QUERY), "00 00 04 00200080");
    answered(got("00 00 02 63c3"), "63c3");
}

static void the_longer_check_has_its_known_value(void **state)
{
    (void)state;
    /* CRC-16/MCRF4XX of "123456789", as the catalogues of such sums give it */
    assert_int_equal(t1_crc16((const uint8_t *)"123456789", 9), 0x6f91);
    t1_init(&t1, 254, true, 32, false, 261);
    assert_int_equal(command(QUERY), T1_SEND);
    assert_int_equal(t1.block_len, 3 + 4 + 2);
    assert_int_equal(t1_crc16(t1.block, 7), t1.block[7] << 8 | t1.block[8]);
    assert_int_equal(raw("00 00 02 9000 0000"), T1_SEND); /* asked for again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_block_out_and_one_in),
        cmocka_unit_test(the_length_of_blocks_is_agreed_first),
        cmocka_unit_test(a_card_that_cannot_be_asked_for_a_length_is_served_without),
        cmocka_unit_test(a_long_command_goes_out_in_blocks_of_ifsc),
        cmocka_unit_test(a_long_answer_is_asked_for_block_by_block),
        cmocka_unit_test(an_empty_block_in_a_chain_is_a_block),
        cmocka_unit_test(a_damaged_answer_is_asked_for_again),
        cmocka_unit_test(a_parity_error_seen_by_the_reader_is_the_same),
        cmocka_unit_test(a_lost_answer_is_asked_for_and_a_lost_command_sent_again),
        cmocka_unit_test(a_card_that_saw_an_error_gets_the_block_again),
        cmocka_unit_test(a_lost_word_of_ours_is_said_again),
        cmocka_unit_test(a_block_that_came_already_is_not_taken_twice),
        cmocka_unit_test(an_answer_before_the_command_is_whole_is_none),
        cmocka_unit_test(what_cannot_be_a_block_is_asked_for_again),
        cmocka_unit_test(a_block_longer_than_agreed_is_refused),
        cmocka_unit_test(after_three_tries_the_card_is_brought_back_in_step),
        cmocka_unit_test(a_command_that_was_not_sent_whole_begins_anew),
        cmocka_unit_test(a_card_that_cannot_be_brought_in_step_is_given_up),
        cmocka_unit_test(step_that_is_lost_twice_in_one_command_is_not_sought_for_ever),
        cmocka_unit_test(an_exchange_left_in_the_middle_is_followed_by_step_first),
        cmocka_unit_test(more_time_is_granted_and_passed_on),
        cmocka_unit_test(more_time_may_be_asked_for_between_the_blocks_of_an_answer),
        cmocka_unit_test(the_card_may_want_shorter_blocks),
        cmocka_unit_test(the_card_may_give_an_exchange_up),
        cmocka_unit_test(a_command_put_in_by_the_reader_counts_but_is_never_repeated),
        cmocka_unit_test(the_longer_check_has_its_known_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
