/*
 * Answers to reset taken apart after ISO/IEC 7816-3:2006, clauses 8 and 9, and commands over T=0 after clause
 * 12.2. Real answers are those published for the cards named; the hostile ones are theirs, bent.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver/ccid/atr.h"
#include "driver/ccid/t0.h"
#include "mock_usb.h"

#define MY_NUMBER_CARD "3b e0 00 ff 81 31 fe 45 14"

static struct atr atr;

static int parse(const char *hex)
{
    uint8_t bytes[64];
    size_t len = mock_hex(hex, bytes, sizeof(bytes));
    /* exactly as long as it is, so that the sanitizer sees a step too far */
    uint8_t *copy = malloc(len > 0 ? len : 1);
    int r;

    memcpy(copy, bytes, len);
    r = atr_parse(&atr, copy, len);
    free(copy);
    return r;
}

static void the_my_number_card_offers_t1_and_long_blocks(void **state)
{
    (void)state;
    assert_int_equal(parse(MY_NUMBER_CARD), 0);
    assert_int_equal(atr.offered, 2);
    assert_int_equal(atr.first, 1);
    assert_false(atr.specific);
    assert_false(atr.inverse);
    assert_int_equal(atr.speed, 0x11);
    assert_int_equal(atr.guard, 0xff);
    assert_int_equal(atr.t1_ifsc, 254);
    assert_int_equal(atr.t1_wait, 0x45);
    assert_false(atr.t1_crc);
    assert_int_equal(atr.historical_len, 0);
}

static void other_answers_are_understood(void **state)
{
    static const struct {
        const char *hex;
        uint16_t offered;
        uint8_t first, speed, ifsc, wait, guard, t0_wait, historical;
        bool specific, crc, inverse;
    } rows[] = {
        /* T=0 by saying nothing; no check byte */
        {"3b 00", 1, 0, 0x11, 32, 0x4d, 0, 10, 0, false, false, false},
        {"3f 02 14 50", 1, 0, 0x11, 32, 0x4d, 0, 10, 2, false, false, true},
        {"3b 60 00 ff", 1, 0, 0x11, 32, 0x4d, 0xff, 10, 0, false, false, false},
        /* T=0 with a waiting time of its own */
        {"3b 90 95 40 14", 1, 0, 0x95, 32, 0x4d, 0, 0x14, 0, false, false, false},
        /* contactless, as PC/SC readers write it: T=0 first, T=1 too */
        {"3b 88 80 01 0000000033811100 aa", 3, 0, 0x11, 32, 0x4d, 0, 10, 8, false, false, false},
        /* TA2: T=1 and no other, at TA1's speed; then at one that is not said */
        {"3b 90 18 91 81 31 fe 45 12", 2, 1, 0x18, 254, 0x45, 0, 10, 0, true, false, false},
        {"3b 90 18 91 91 31 fe 45 02", 2, 1, 0x11, 254, 0x45, 0, 10, 0, true, false, false},
        /* CRC by TC3 */
        {"3b 80 81 71 fe 45 01 ca", 2, 1, 0x11, 254, 0x45, 0, 10, 0, false, true, false},
        /* IFSC 0 and 255 are reserved: the default */
        {"3b 80 81 31 00 45 75", 2, 1, 0x11, 32, 0x45, 0, 10, 0, false, false, false},
        {"3b 80 81 31 ff 45 8a", 2, 1, 0x11, 32, 0x45, 0, 10, 0, false, false, false},
        /* T=15 in the end is no protocol */
        {"3b 80 80 1f 03 1c", 1, 0, 0x11, 32, 0x4d, 0, 10, 0, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].hex);
        assert_int_equal(parse(rows[i].hex), 0);
        assert_int_equal(atr.offered, rows[i].offered);
        assert_int_equal(atr.first, rows[i].first);
        assert_int_equal(atr.speed, rows[i].speed);
        assert_int_equal(atr.t1_ifsc, rows[i].ifsc);
        assert_int_equal(atr.t1_wait, rows[i].wait);
        assert_int_equal(atr.guard, rows[i].guard);
        assert_int_equal(atr.t0_wait, rows[i].t0_wait);
        assert_int_equal(atr.historical_len, rows[i].historical);
        assert_int_equal(atr.specific, rows[i].specific);
        assert_int_equal(atr.t1_crc, rows[i].crc);
        assert_int_equal(atr.inverse, rows[i].inverse);
    }
}

static void hostile_answers_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "3b",
        "00 00",
        "3c 00",
        "3b e0 00 ff 81 31 fe 45",       /* no check byte */
        "3b e0 00 ff 81 31 fe 45 15",    /* a wrong one */
        "3b e0 00 ff 81 31 fe 45 14 00", /* one byte more */
        "3b 0f 00 00",                   /* historical bytes that are not there */
        "3b 90 18 10 01",                /* T=1 at once, which is not offered */
        "3b 80 ff ff",                   /* interface bytes that are not there */
        /* one TD after the other until 33 bytes are full, and one more */
        "3b 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 80 "
        "80 80 80",
        "3b 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
        "00 00 00 00",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(parse(rows[i]), -EBADMSG);
}

static void every_beginning_and_every_changed_byte_is_survived(void **state)
{
    uint8_t bytes[16];
    size_t len = mock_hex(MY_NUMBER_CARD, bytes, sizeof(bytes));

    (void)state;
    for (size_t n = 0; n < len; n++) {
        uint8_t *copy = malloc(n > 0 ? n : 1);

        memcpy(copy, bytes, n);
        assert_int_equal(atr_parse(&atr, copy, n), -EBADMSG);
        free(copy);
    }
    /* a single changed byte is seen by the exclusive or, unless it turns the card into one of T=0 alone, which
     * has no check byte */
    for (size_t at = 1; at < len; at++)
        for (unsigned x = 1; x < 256; x++) {
            bytes[at] ^= (uint8_t)x;
            if (atr_parse(&atr, bytes, len) == 0)
                assert_int_equal(atr.offered, 1);
            bytes[at] ^= (uint8_t)x;
        }
}

static void speeds_are_those_of_the_tables(void **state)
{
    static const struct {
        uint8_t code;
        unsigned f, d;
    } rows[] = {{0x11, 372, 1},  {0x01, 372, 1},  {0x95, 512, 16},
                {0x18, 372, 12}, {0x97, 512, 64}, {0xd9, 2048, 20}};
    unsigned f, d;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(atr_speed(rows[i].code, &f, &d));
        assert_int_equal(f, rows[i].f);
        assert_int_equal(d, rows[i].d);
    }
    assert_false(atr_speed(0x71, &f, &d));
    assert_false(atr_speed(0x10, &f, &d));
    assert_false(atr_speed(0x1f, &f, &d));
}

static int pps_answer(uint8_t protocol, uint8_t speed, const char *hex)
{
    uint8_t bytes[16];

    return atr_pps_answer(protocol, speed, bytes, mock_hex(hex, bytes, sizeof(bytes)));
}

static void a_pps_is_asked_and_its_answer_understood(void **state)
{
    uint8_t out[ATR_PPS_MAX];

    (void)state;
    assert_int_equal(atr_pps_put(1, 0x95, out), 4);
    assert_memory_equal(out, "\xff\x11\x95\x7b", 4);
    assert_int_equal(atr_pps_put(1, 0x11, out), 3);
    assert_memory_equal(out, "\xff\x01\xfe", 3);
    assert_int_equal(pps_answer(1, 0x95, "ff 11 95 7b"), 0x95);
    assert_int_equal(pps_answer(1, 0x95, "ff 01 fe"), 0x11); /* the protocol, but not the speed */
    assert_int_equal(pps_answer(1, 0x95, "ff 11 96 78"), -EBADMSG);
    assert_int_equal(pps_answer(1, 0x95, "ff 10 95 7a"), -EBADMSG);
    assert_int_equal(pps_answer(1, 0x95, "ff 11 95 7a"), -EBADMSG);
    assert_int_equal(pps_answer(1, 0x95, "ff 11 ee"), -EBADMSG);
    assert_int_equal(pps_answer(1, 0x95, "fe 01 ff"), -EBADMSG);
    assert_int_equal(pps_answer(1, 0x95, ""), -EBADMSG);
}

/* -- T=0 --------------------------------------------------------------------------------------- */

static struct t0 t0;
static uint8_t data[70000];
static size_t data_len;

static int command(const char *hex)
{
    uint8_t apdu[600];
    size_t len = mock_hex(hex, apdu, sizeof(apdu));

    data_len = 0;
    return t0_command(&t0, apdu, len);
}

static void out_is(const char *hex)
{
    uint8_t expected[600];
    size_t len = mock_hex(hex, expected, sizeof(expected));

    assert_int_equal(t0.out_len, len);
    assert_memory_equal(t0.out, expected, len);
}

static enum t0_next got(const char *hex)
{
    static uint8_t bytes[600];
    enum t0_next next = t0_received(&t0, bytes, mock_hex(hex, bytes, sizeof(bytes)));

    if (next != T0_WRONG && t0.part_len > 0) {
        memcpy(data + data_len, t0.part, t0.part_len);
        data_len += t0.part_len;
    }
    return next;
}

static void ends(enum t0_next next, const char *hex, unsigned sw)
{
    uint8_t expected[600];
    size_t len = mock_hex(hex, expected, sizeof(expected));

    assert_int_equal(next, T0_DONE);
    assert_int_equal(data_len, len);
    assert_memory_equal(data, expected, len);
    assert_int_equal(t0.status[0] << 8 | t0.status[1], sw);
}

static void each_case_has_its_own_header(void **state)
{
    (void)state;
    assert_int_equal(command("00 20 00 80"), 0); /* case 1 */
    out_is("00 20 00 80 00");
    ends(got("63 c3"), "", 0x63c3);
    assert_int_equal(command("00 b0 00 00 04"), 0); /* 2 */
    out_is("00 b0 00 00 04");
    ends(got("30820102 9000"), "30820102", 0x9000);
    assert_int_equal(command("00 a4 02 0c 02 0018"), 0); /* 3 */
    out_is("00 a4 02 0c 02 0018");
    ends(got("9000"), "", 0x9000);
    assert_int_equal(command("80 2a 00 80 03 aabbcc 00"), 0); /* 4: without Le */
    out_is("80 2a 00 80 03 aabbcc");
    assert_int_equal(got("61 03"), T0_SEND);
    out_is("00 c0 00 00 03");
    ends(got("010203 9000"), "010203", 0x9000);
}

static void extended_lengths_are_translated_as_far_as_they_go(void **state)
{
    static const char *const refused[] = {"00 b0 00", "00 b0 00 00 05 01", "00 b0 00 00 00 01",
                                          "00 d6 00 00 00 01 00 aa", "00 a4 02 0c 02 0018 00 00"};

    (void)state;
    assert_int_equal(command("00 b0 00 00 00 00 04"), 0);
    out_is("00 b0 00 00 04");
    assert_int_equal(command("00 b0 00 00 00 02 00"), 0);
    out_is("00 b0 00 00 00");
    assert_int_equal(command("00 a4 02 0c 00 00 02 0018"), 0);
    out_is("00 a4 02 0c 02 0018");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(command(refused[i]), -EINVAL);
}

static void the_rest_is_fetched_piece_by_piece(void **state)
{
    (void)state;
    assert_int_equal(command("00 b0 00 00 00"), 0);
    assert_int_equal(got("0102 61 02"), T0_SEND);
    out_is("00 c0 00 00 02");
    assert_int_equal(got("6c 01"), T0_SEND);
    out_is("00 c0 00 00 01");
    assert_int_equal(got("03 61 00"), T0_SEND);
    out_is("00 c0 00 00 00");
    ends(got("04 62 82"), "01020304", 0x6282);
}

static void another_length_is_taken_once(void **state)
{
    (void)state;
    assert_int_equal(command("00 b0 00 00 00"), 0);
    assert_int_equal(got("6c 02"), T0_SEND);
    out_is("00 b0 00 00 02");
    ends(got("0102 9000"), "0102", 0x9000);
    assert_int_equal(command("00 b0 00 00 00"), 0);
    assert_int_equal(got("6c 02"), T0_SEND);
    ends(got("6c 03"), "", 0x6c03);
    /* more than the caller wanted is not the caller's */
    assert_int_equal(command("00 b0 00 00 02"), 0);
    assert_int_equal(got("6c 04"), T0_SEND);
    ends(got("01020304 9000"), "0102", 0x9000);
    /* a command with data, or one that wants none, has no length to be wrong */
    assert_int_equal(command("00 20 00 80 04 31323334"), 0);
    ends(got("6c 02"), "", 0x6c02);
    assert_int_equal(command("00 20 00 80"), 0);
    ends(got("61 02"), "", 0x6102);
}

static void a_verify_is_never_followed_by_anything(void **state)
{
    static const char *const rows[] = {"9000", "63c2", "6300", "6984", "6102", "6c02"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(command("00 20 00 80 04 31323334"), 0);
        assert_int_equal(got(rows[i]), T0_DONE);
    }
}

static void an_answer_that_lies_ready_without_a_word_is_fetched(void **state)
{
    (void)state;
    assert_int_equal(command("00 88 00 99 01 aa 10"), 0);
    assert_int_equal(got("9000"), T0_SEND);
    out_is("00 c0 00 00 10");
    ends(got("6985"), "", 0x6985);
}

static void a_card_that_never_ends_is_left(void **state)
{
    enum t0_next next = T0_SEND;
    unsigned pieces = 0;

    (void)state;
    assert_int_equal(command("00 b0 00 00 00 00 00"), 0);
    while (next == T0_SEND && pieces < 1000) {
        next = got("61 01");
        pieces++;
    }
    assert_int_equal(next, T0_WRONG);
    assert_in_range(pieces, 257, 258);
    assert_int_equal(command("00 b0 00 00 00"), 0);
    assert_int_equal(got("90"), T0_WRONG);
    assert_int_equal(got(""), T0_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_my_number_card_offers_t1_and_long_blocks),
        cmocka_unit_test(other_answers_are_understood),
        cmocka_unit_test(hostile_answers_are_refused),
        cmocka_unit_test(every_beginning_and_every_changed_byte_is_survived),
        cmocka_unit_test(speeds_are_those_of_the_tables),
        cmocka_unit_test(a_pps_is_asked_and_its_answer_understood),
        cmocka_unit_test(each_case_has_its_own_header),
        cmocka_unit_test(extended_lengths_are_translated_as_far_as_they_go),
        cmocka_unit_test(the_rest_is_fetched_piece_by_piece),
        cmocka_unit_test(another_length_is_taken_once),
        cmocka_unit_test(a_verify_is_never_followed_by_anything),
        cmocka_unit_test(an_answer_that_lies_ready_without_a_word_is_fetched),
        cmocka_unit_test(a_card_that_never_ends_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
