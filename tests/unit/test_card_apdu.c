/* APDUs and TLVs: bytes as ISO 7816-4 and the card's published traces write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/common/bytes.h"
#include "driver/card/apdu.h"
#include "driver/card/card_layout.h"
#include "driver/card/tlv.h"

static void assert_builds(const struct apdu_command *command, const void *bytes, size_t len)
{
    struct apdu_bytes out;

    assert_int_equal(apdu_build(&out, command), 0);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
}

static void a_command_without_data_and_length_is_four_bytes(void **state)
{
    (void)state;
    assert_builds(&(struct apdu_command){.ins = 0x20, .p2 = 0x80}, "\x00\x20\x00\x80", 4);
}

static void short_lengths_are_one_byte(void **state)
{
    static const uint8_t pin[] = {'1', '2', '3', '4'};
    uint8_t full[5 + 255] = {0x00, 0xD6, 0x00, 0x00, 0xFF};

    (void)state;
    assert_builds(&(struct apdu_command){.ins = 0xB0, .expected = 256}, "\x00\xB0\x00\x00\x00", 5);
    assert_builds(&(struct apdu_command){.ins = 0xB0, .expected = 32}, "\x00\xB0\x00\x00\x20", 5);
    assert_builds(&(struct apdu_command){.ins = 0x20, .p2 = 0x80, .data = pin, .data_len = 4},
                  "\x00\x20\x00\x80\x04\x31\x32\x33\x34", 9);
    assert_builds(
        &(struct apdu_command){
            .cla = 0x80, .ins = 0x2A, .p2 = 0x80, .data = pin, .data_len = 4, .expected = 256},
        "\x80\x2A\x00\x80\x04\x31\x32\x33\x34\x00", 10);
    assert_builds(&(struct apdu_command){.ins = 0xD6, .data = full + 5, .data_len = 255}, full,
                  sizeof(full));
}

static void longer_lengths_are_extended(void **state)
{
    uint8_t data[256] = {0};
    uint8_t expected[4 + 3 + 256 + 2] = {0x80, 0x2A, 0x00, 0x00, 0x00, 0x01, 0x00};

    (void)state;
    assert_builds(&(struct apdu_command){.ins = 0xB0, .expected = 65536},
                  "\x00\xB0\x00\x00\x00\x00\x00", 7);
    assert_builds(&(struct apdu_command){.ins = 0xB0, .p1 = 1, .p2 = 2, .expected = 510},
                  "\x00\xB0\x01\x02\x00\x01\xFE", 7);
    expected[4 + 3 + 256] = 0x01;
    expected[4 + 3 + 256 + 1] = 0x00;
    assert_builds(
        &(struct apdu_command){
            .cla = 0x80, .ins = 0x2A, .data = data, .data_len = 256, .expected = 256},
        expected, sizeof(expected));
}

static void what_no_apdu_can_say_is_refused(void **state)
{
    uint8_t data[APDU_DATA_MAX + 1] = {0};
    struct apdu_bytes out;

    (void)state;
    assert_int_equal(
        apdu_build(&out, &(struct apdu_command){.data = data, .data_len = sizeof(data)}), -EINVAL);
    assert_int_equal(apdu_build(&out, &(struct apdu_command){.expected = 65537}), -EINVAL);
    assert_int_equal(apdu_build(&out, &(struct apdu_command){.data_len = 1}), -EINVAL);
    assert_int_equal(out.len, 0);
}

static void an_answer_ends_in_a_status_word(void **state)
{
    static const uint8_t bytes[] = {0xAA, 0xBB, 0x63, 0xC2};
    struct apdu_answer answer;

    (void)state;
    assert_int_equal(apdu_answer(&answer, bytes, sizeof(bytes)), 0);
    assert_int_equal(answer.len, 2);
    assert_int_equal(answer.sw, 0x63C2);
    assert_int_equal(apdu_answer(&answer, bytes + 2, 2), 0);
    assert_int_equal(answer.len, 0);
    assert_int_equal(apdu_answer(&answer, bytes, 1), -EBADMSG);
    assert_int_equal(apdu_answer(&answer, NULL, 0), -EBADMSG);
}

static void a_sent_credential_is_wiped(void **state)
{
    static const uint8_t pin[] = {'1', '2', '3', '4'};
    static const struct apdu_bytes zero;
    struct apdu_bytes out;

    (void)state;
    assert_int_equal(apdu_build(&out, &(struct apdu_command){.data = pin, .data_len = 4}), 0);
    apdu_wipe(&out);
    assert_memory_equal(&out, &zero, sizeof(out));
}

static void tags_of_one_and_two_bytes_and_three_length_forms(void **state)
{
    static const uint8_t bytes[] = {0x90, 0x01, 0x03, 0xDF, 0x22, 0x81, 0x02, 'a',
                                    'b',  0x7F, 0x21, 0x82, 0x00, 0x01, 'c'};
    struct bytes_reader r;
    struct tlv tlv;

    (void)state;
    bytes_reader_init(&r, bytes, sizeof(bytes));
    assert_int_equal(tlv_next(&r, &tlv), 0);
    assert_int_equal(tlv.tag, 0x90);
    assert_int_equal(tlv.len, 1);
    assert_int_equal(tlv.whole_len, 3);
    assert_int_equal(tlv_next(&r, &tlv), 0);
    assert_int_equal(tlv.tag, 0xDF22);
    assert_memory_equal(tlv.value, "ab", 2);
    assert_ptr_equal(tlv.whole, bytes + 3);
    assert_int_equal(tlv_next(&r, &tlv), 0);
    assert_int_equal(tlv.tag, 0x7F21);
    assert_int_equal(tlv.len, 1);
    assert_int_equal(tlv_next(&r, &tlv), -ENODATA);
    assert_int_equal(tlv_find(bytes, sizeof(bytes), 0x7F21, &tlv), 0);
    assert_int_equal(tlv_find(bytes, sizeof(bytes), 0xDF23, &tlv), -ENOENT);
}

static void a_tlv_that_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\x90", 1},                 /* no length */
        {"\x90\x02\x01", 3},         /* value cut off */
        {"\xDF", 1},                 /* half a tag */
        {"\xDF\xA2\x05\x00", 4},     /* a tag of three bytes */
        {"\x90\x80\x00\x00", 4},     /* indefinite length */
        {"\x90\x83\x00\x00\x01", 5}, /* a length of three bytes */
        {"\x90\x81", 2},             /* half a length */
        {"\x90\x82\xFF\xFF\x00", 5}, /* far too long */
    };
    struct bytes_reader r;
    struct tlv tlv;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bytes_reader_init(&r, rows[i].bytes, rows[i].len);
        assert_int_equal(tlv_next(&r, &tlv), -EBADMSG);
        assert_int_equal(tlv_next(&r, &tlv), -EBADMSG);
    }
}

static void a_header_is_read_before_its_value_is_there(void **state)
{
    static const uint8_t bytes[] = {0x30, 0x82, 0x06, 0x01};
    size_t header;
    size_t len;
    uint16_t tag;

    (void)state;
    for (size_t n = 0; n < sizeof(bytes); n++)
        assert_int_equal(tlv_header(bytes, n, &tag, &header, &len), -EAGAIN);
    assert_int_equal(tlv_header(bytes, sizeof(bytes), &tag, &header, &len), 0);
    assert_int_equal(header, 4);
    assert_int_equal(len, 0x601);
}

static void tokens_are_known_by_their_whole_name(void **state)
{
    (void)state;
    assert_int_equal(card_layout_token((const uint8_t *)"JPKIAPICCTOKEN2                 ", 32),
                     CARD_TOKEN_MY_NUMBER);
    assert_int_equal(card_layout_token((const uint8_t *)"JPKIAPICCTOKEN                  ", 32),
                     CARD_TOKEN_OLD_RESIDENT);
    assert_int_equal(card_layout_token((const uint8_t *)"JPKIAPGPSETOKEN     ", 20),
                     CARD_TOKEN_ANDROID);
    assert_int_equal(card_layout_token((const uint8_t *)"JPKIAPIOSTOKEN                  ", 32),
                     CARD_TOKEN_IOS);
    assert_int_equal(card_layout_token((const uint8_t *)"JPKIAPICCTOKEN3                 ", 32),
                     CARD_TOKEN_UNKNOWN);
    assert_int_equal(card_layout_token((const uint8_t *)"                                ", 32),
                     CARD_TOKEN_UNKNOWN);
    assert_int_equal(card_layout_token((const uint8_t *)"", 0), CARD_TOKEN_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_without_data_and_length_is_four_bytes),
        cmocka_unit_test(short_lengths_are_one_byte),
        cmocka_unit_test(longer_lengths_are_extended),
        cmocka_unit_test(what_no_apdu_can_say_is_refused),
        cmocka_unit_test(an_answer_ends_in_a_status_word),
        cmocka_unit_test(a_sent_credential_is_wiped),
        cmocka_unit_test(tags_of_one_and_two_bytes_and_three_length_forms),
        cmocka_unit_test(a_tlv_that_cannot_be_is_refused),
        cmocka_unit_test(a_header_is_read_before_its_value_is_there),
        cmocka_unit_test(tokens_are_known_by_their_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
