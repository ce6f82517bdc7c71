/* CCID messages and descriptors as bytes. Values: USB-IF CCID 1.1, chapters 5 and 6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "driver/ccid/ccid_descriptor.h"
#include "driver/ccid/ccid_message.h"
#include "driver/ccid/quirks.h"
#include "mock_usb.h"

static void a_command_is_laid_out_as_the_standard_says(void **state)
{
    static const uint8_t apdu[] = {0x00, 0x20, 0x00, 0x80};
    struct ccid_message message = {
        .type = CCID_XFR_BLOCK, .slot = 1, .seq = 0x2a, .data = apdu, .len = sizeof(apdu)};
    uint8_t expected[32], out[32];
    size_t len = mock_hex("6f 04000000 01 2a 000000 00200080", expected, sizeof(expected));

    (void)state;
    assert_int_equal(ccid_message_put(&message, out, sizeof(out)), len);
    assert_memory_equal(out, expected, len);
    assert_int_equal(ccid_message_put(&message, out, len - 1), 0);
}

static int parse(const char *hex, struct ccid_answer *answer)
{
    static uint8_t bytes[64];

    return ccid_answer_parse(answer, bytes, mock_hex(hex, bytes, sizeof(bytes)));
}

static void an_answer_is_taken_apart(void **state)
{
    struct ccid_answer answer;

    (void)state;
    assert_int_equal(parse("80 02000000 01 07 41 fe 10 9000", &answer), 0);
    assert_int_equal(answer.type, CCID_DATA_BLOCK);
    assert_int_equal(answer.slot, 1);
    assert_int_equal(answer.seq, 7);
    assert_int_equal(answer.icc, CCID_ICC_INACTIVE);
    assert_int_equal(answer.outcome, CCID_FAILED);
    assert_int_equal(answer.error, 0xfe);
    assert_int_equal(answer.chain, CCID_CHAIN_MORE);
    assert_int_equal(answer.len, 2);
    assert_int_equal(answer.data[0], 0x90);
}

/* As QEMU's usb-ccid sends it (read with usbmon): seven bytes of parameters, and a length that denies them. */
static void parameters_of_an_unsaid_length_are_taken(void **state)
{
    struct ccid_answer answer;

    (void)state;
    assert_int_equal(parse("82 00000000 00 a8 00 00 00 00000000fe0000", &answer), 0);
    assert_int_equal(answer.type, CCID_PARAMETERS);
    assert_int_equal(answer.chain, 0);
    assert_int_equal(answer.len, 7);
    assert_int_equal(answer.data[4], 0xfe);
    assert_int_equal(parse("82 01000000 00 a8 00 00 00 0000", &answer), -EPROTO);
    assert_int_equal(parse("80 00000000 00 a8 00 00 00 9000", &answer), -EPROTO);
}

static void a_length_that_is_not_the_answers_is_refused(void **state)
{
    struct ccid_answer answer;

    (void)state;
    assert_int_equal(parse("", &answer), -EPROTO);
    assert_int_equal(parse("80 00000000 00 00 00 00", &answer), -EPROTO);
    assert_int_equal(parse("80 03000000 00 00 00 00 00 9000", &answer), -EPROTO);
    assert_int_equal(parse("80 01000000 00 00 00 00 00 9000", &answer), -EPROTO);
    assert_int_equal(parse("80 ffffffff 00 00 00 00 00 9000", &answer), -EPROTO);
}

static void every_error_code_has_a_meaning(void **state)
{
    static const struct {
        uint8_t error;
        enum ccid_result result;
    } rows[] = {
        {0xff, CCID_CANCELLED},
        {0xfe, CCID_MUTE},
        {0xfd, CCID_CARD_ERROR},
        {0xfc, CCID_CARD_ERROR},
        {0xfb, CCID_READER_ERROR},
        {0xf8, CCID_CARD_ERROR},
        {0xf7, CCID_CARD_ERROR},
        {0xf6, CCID_CARD_UNSUPPORTED},
        {0xf5, CCID_CARD_UNSUPPORTED},
        {0xf4, CCID_CARD_ERROR},
        {0xf3, CCID_NOT_POWERED},
        {0xf2, CCID_BUSY},
        {0xf0, CCID_PIN_TIMEOUT},
        {0xef, CCID_PIN_CANCELLED},
        {0xe0, CCID_BUSY},
        {0x00, CCID_READER_ERROR},
        {0x05, CCID_READER_ERROR},
        {0x7f, CCID_READER_ERROR},
    };
    struct ccid_answer answer = {.outcome = CCID_FAILED, .icc = CCID_ICC_ACTIVE};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        answer.error = rows[i].error;
        assert_int_equal(ccid_answer_result(&answer), rows[i].result);
    }
    for (unsigned error = 0; error < 256; error++) {
        answer.error = (uint8_t)error;
        assert_int_not_equal(ccid_answer_result(&answer), CCID_OK);
    }
    answer.icc = CCID_ICC_ABSENT;
    answer.error = 0xfe;
    assert_int_equal(ccid_answer_result(&answer), CCID_NO_CARD);
    answer.outcome = CCID_DONE;
    assert_int_equal(ccid_answer_result(&answer), CCID_OK);
}

static void a_notice_tells_of_each_slot(void **state)
{
    static const uint8_t notice[] = {0x50, 0x1b,
                                     0x02}; /* slots 0: 11, 1: 10, 2: 01, 3: 00, 4: 10 */
    static const bool expected[5][2] = {{1, 1}, {0, 1}, {1, 0}, {0, 0}, {0, 1}};
    bool present, changed;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(ccid_notify_slot(notice, sizeof(notice), i, &present, &changed));
        assert_int_equal(present, expected[i][0]);
        assert_int_equal(changed, expected[i][1]);
    }
    assert_false(ccid_notify_slot(notice, sizeof(notice), 8, &present, &changed));
    assert_false(ccid_notify_slot((const uint8_t[]){0x51, 0, 0, 0}, 4, 0, &present, &changed));
    assert_false(ccid_notify_slot(notice, 0, 0, &present, &changed));
}

/* -- descriptors ------------------------------------------------------------------------------- */

#define HEAD "09 02 0000 01 01 00 80 32 " /* total 0 is put right below */
#define CCID_INTERFACE "09 04 00 00 03 0b 00 00 00 "
#define CLASS_RC_S300                                                                              \
    "36 21 1001 00 07 02000000 a00f0000 a00f0000 00 c2a50000 c2a50000 00 fe000000 00000000 "       \
    "00000000 "                                                                                    \
    "7e000400 0a020000 ff ff 0000 00 01 "
#define ENDPOINTS "07 05 02 02 4000 00 07 05 81 02 4000 00 07 05 83 03 0800 10 "

static struct usb_config config;
static uint8_t config_bytes[512];

static void parse_config(const char *hex)
{
    size_t len = mock_hex(hex, config_bytes, sizeof(config_bytes));

    config_bytes[2] = (uint8_t)len;
    config_bytes[3] = (uint8_t)(len >> 8);
    assert_int_equal(usb_config_parse(&config, config_bytes, len), 0);
}

static void a_reader_is_found_and_understood(void **state)
{
    struct ccid_place place;

    (void)state;
    parse_config(HEAD CCID_INTERFACE CLASS_RC_S300 ENDPOINTS);
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), 0);
    assert_int_equal(place.bulk_out, 0x02);
    assert_int_equal(place.bulk_in, 0x81);
    assert_int_equal(place.interrupt_in, 0x83);
    assert_int_equal(place.info.slots, 1);
    assert_int_equal(place.info.voltages, 7);
    assert_int_equal(place.info.protocols, CCID_PROTOCOL_T1);
    assert_int_equal(place.info.max_ifsd, 254);
    assert_int_equal(place.info.features, 0x0004007e);
    assert_int_equal(place.info.level, CCID_LEVEL_EXTENDED_APDU);
    assert_int_equal(place.info.max_message, 522);
    assert_true(place.info.has_interrupt);
    assert_int_equal(ccid_place_find(&config, 0, 1, &place), -ENODEV);
}

static void a_descriptor_behind_an_endpoint_is_found(void **state)
{
    struct ccid_place place;

    (void)state;
    parse_config(HEAD CCID_INTERFACE ENDPOINTS CLASS_RC_S300);
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), 0);
    assert_int_equal(place.info.max_message, 522);
}

static void a_vendor_class_reader_needs_its_quirk(void **state)
{
    const struct ccid_quirk *quirk = ccid_quirk_find(0x04e6, 0x511a);
    struct ccid_place place;

    (void)state;
    assert_non_null(quirk);
    parse_config(HEAD "09 04 00 00 03 ff 00 00 00 " CLASS_RC_S300 ENDPOINTS);
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), -ENODEV);
    assert_int_equal(ccid_place_find(&config, quirk->flags, 0, &place), 0);
    assert_true(place.info.vendor_class);
}

static void lies_about_sizes_are_bounded(void **state)
{
    struct ccid_place place;
    uint8_t *class_bytes = config_bytes + 9 + 9;

    (void)state;
    parse_config(HEAD CCID_INTERFACE CLASS_RC_S300 ENDPOINTS);
    class_bytes[4] = 0xff;             /* bMaxSlotIndex */
    memset(class_bytes + 44, 0xff, 4); /* dwMaxCCIDMessageLength */
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), 0);
    assert_int_equal(place.info.slots, CCID_SLOTS_MAX);
    assert_int_equal(place.info.max_message, CCID_MESSAGE_MAX);
    memset(class_bytes + 44, 0, 4);
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), -EPROTO);
}

static void a_reader_without_its_pipes_is_refused(void **state)
{
    struct ccid_place place;

    (void)state;
    parse_config(HEAD "09 04 00 00 01 0b 00 00 00 " CLASS_RC_S300 "07 05 02 02 4000 00 ");
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), -EPROTO);
    parse_config(HEAD CCID_INTERFACE ENDPOINTS);
    assert_int_equal(ccid_place_find(&config, 0, 0, &place), -EPROTO);
}

static void every_row_of_the_table_names_its_source(void **state)
{
    (void)state;
    for (unsigned i = 0; ccid_quirk_at(i) != NULL; i++) {
        const struct ccid_quirk *row = ccid_quirk_at(i);

        assert_true(strlen(row->name) > 0 && strlen(row->source) > 0);
        assert_ptr_equal(ccid_quirk_find(row->vendor, row->product), row);
    }
    assert_null(ccid_quirk_find(0x1209, 0x0001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_laid_out_as_the_standard_says),
        cmocka_unit_test(an_answer_is_taken_apart),
        cmocka_unit_test(parameters_of_an_unsaid_length_are_taken),
        cmocka_unit_test(a_length_that_is_not_the_answers_is_refused),
        cmocka_unit_test(every_error_code_has_a_meaning),
        cmocka_unit_test(a_notice_tells_of_each_slot),
        cmocka_unit_test(a_reader_is_found_and_understood),
        cmocka_unit_test(a_descriptor_behind_an_endpoint_is_found),
        cmocka_unit_test(a_vendor_class_reader_needs_its_quirk),
        cmocka_unit_test(lies_about_sizes_are_bounded),
        cmocka_unit_test(a_reader_without_its_pipes_is_refused),
        cmocka_unit_test(every_row_of_the_table_names_its_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
