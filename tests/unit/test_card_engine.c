/* The card operations on a card of the published layout: what is sent, what is never sent, how each ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "card_fixture.h"
#include "daemon/common/clock.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"

/* -- identify ---------------------------------------------------------------------------------- */

static void identify_sends_exactly_what_the_layout_says(void **state)
{
    unsigned n = 0;
    size_t left = world.certificate_len - 256;
    char read[32];

    (void)state;
    assert_true(world.certificate_len > 512 && world.certificate_len < 1024);
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    rig_assert_apdu(&rig, n++, "00A4040C0AD392F000260100000001");
    rig_assert_apdu(&rig, n++, "00A4020C020006");
    rig_assert_apdu(&rig, n++, "00B0000020");
    rig_assert_apdu(&rig, n++, "00A4020C02000A");
    rig_assert_apdu(&rig, n++, "00B0000000");
    for (unsigned offset = 0x0100; left > 0; offset += 0x0100) {
        size_t now = left < 256 ? left : 256;

        snprintf(read, sizeof(read), "00B0%04X%02X", offset, (unsigned)now & 0xFF);
        rig_assert_apdu(&rig, n++, read);
        left -= now;
    }
    rig_assert_apdu(&rig, n++, "00A4020C020018");
    rig_assert_apdu(&rig, n++, "00200080");
    rig_assert_apdu(&rig, n++, "00A4040C0AD3921000310001010402");
    rig_assert_apdu(&rig, n++, "00A4020C020012");
    rig_assert_apdu(&rig, n++, "00200080");
    assert_int_equal(rig.apdus, n);
    assert_int_equal(rig.report.apdus, n);
    assert_int_equal(rig_verifies(&rig), 0);
}

/* The issuer's DER and the serial number, found by walking the certificate by hand. */
static void subject_by_hand(const uint8_t *der, uint8_t hash[32])
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    const uint8_t *at = der + 4 + 4; /* into Certificate, into TBSCertificate */
    const uint8_t *serial;
    size_t serial_len;

    at += 2 + at[1]; /* version */
    serial = at + 2;
    serial_len = at[1];
    at += 2 + at[1];
    at += 2 + at[1]; /* algorithm */
    EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
    EVP_DigestUpdate(sha, at, 2u + at[1]);
    /* the leading zero of a positive DER integer is no octet of the number */
    if (serial[0] == 0) {
        serial++;
        serial_len--;
    }
    EVP_DigestUpdate(sha, serial, serial_len);
    EVP_DigestFinal_ex(sha, hash, NULL);
    EVP_MD_CTX_free(sha);
}

static void identify_tells_whose_card_it_is(void **state)
{
    uint8_t subject[32];

    (void)state;
    rig_file(&rig, 0x01, 0x0018)->tries = 2;
    rig_file(&rig, 0x02, 0x0012)->tries = 7;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig.report.certificate_len, world.certificate_len);
    assert_memory_equal(rig.certificate, world.certificate, world.certificate_len);
    subject_by_hand(world.certificate, subject);
    assert_memory_equal(rig.subject, subject, 32);
    /* date -u -d '2024-06-10' +%s and '2029-06-04 23:59:59' */
    assert_int_equal(rig.report.valid_from, 1717977600);
    assert_int_equal(rig.report.valid_until, 1875311999);
    assert_int_equal(rig.report.pin_tries, 2);
    assert_int_equal(rig.report.number_b_tries, 7);
    assert_int_equal(rig.report.chain, GENUINE_YES);
    assert_true(card_engine_powered(rig.engine));
}

static void a_chain_is_not_checked_without_authorities(void **state)
{
    (void)state;
    rig_stop(&rig);
    rig_start(&rig, &world, false);
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig.report.chain, GENUINE_NOT_CHECKED);
}

static void a_certificate_of_another_authority_of_the_same_name_is_not_genuine(void **state)
{
    uint8_t der[4096];

    (void)state;
    /* A changed byte of the signature: everything else is as it should be. */
    memcpy(der, world.certificate, world.certificate_len);
    der[world.certificate_len - 1] ^= 1;
    rig_file(&rig, 0x01, 0x000A)->data = der;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig.report.chain, GENUINE_NO);
}

static void other_cards_are_told_apart(void **state)
{
    static const struct {
        const char *token;
        enum card_end end;
    } rows[] = {
        {"JPKIAPICCTOKEN                  ", CARD_END_OLD_RESIDENT},
        {"JPKIAPGPSETOKEN                 ", CARD_END_PHONE},
        {"JPKIAPIOSTOKEN                  ", CARD_END_PHONE},
        {"JPKIAPICCTOKEN3                 ", CARD_END_NEXT_GENERATION},
        {"\xFF\xFF\xFF\xFF                            ", CARD_END_NEXT_GENERATION},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_file(&rig, 0x01, 0x0006)->data = (const uint8_t *)rows[i].token;
        rig.apdus = 0;
        assert_int_equal(rig_identify(&rig), rows[i].end);
        /* nothing is read of a card that is not one of ours, and it is left without power */
        assert_int_equal(rig.apdus, 3);
        assert_false(rig.powered);
    }
}

static void a_transit_card_knows_no_file(void **state)
{
    (void)state;
    rig.nfiles = 0;
    assert_int_equal(rig_identify(&rig), CARD_END_FOREIGN);
    assert_int_equal(rig.apdus, 1);
    assert_int_equal(rig.report.status_word, 0x6A82);
}

static void power_on_ends_in_its_own_words(void **state)
{
    static const struct {
        enum card_link link;
        enum card_end end;
    } rows[] = {
        {CARD_LINK_NO_CARD, CARD_END_ABSENT},
        {CARD_LINK_MUTE, CARD_END_MUTE},
        {CARD_LINK_REMOVED, CARD_END_REMOVED},
        {CARD_LINK_TROUBLE, CARD_END_TROUBLE},
        {CARD_LINK_UNSUPPORTED, CARD_END_FOREIGN},
        {CARD_LINK_TIMEOUT, CARD_END_TIMEOUT},
        {CARD_LINK_READER_LOST, CARD_END_READER_LOST},
        {CARD_LINK_READER_PROTOCOL, CARD_END_READER_PROTOCOL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig.power_link = rows[i].link;
        assert_int_equal(rig_identify(&rig), rows[i].end);
        assert_int_equal(rig.apdus, 0);
    }
    rig.power_link = CARD_LINK_OK;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
}

static void damaged_files_end_as_damaged(void **state)
{
    static const uint8_t empty_sequence[] = {0x30, 0x00};
    static const uint8_t too_long[] = {0x30, 0x82, 0xFF, 0xFF, 0x00};
    static const uint8_t not_a_sequence[] = {0x31, 0x02, 0x05, 0x00};
    struct rig_file *file = rig_file(&rig, 0x01, 0x000A);

    (void)state;
    file->data = empty_sequence;
    file->len = sizeof(empty_sequence);
    assert_int_equal(rig_identify(&rig), CARD_END_DAMAGED);
    file->data = too_long;
    file->len = sizeof(too_long);
    assert_int_equal(rig_identify(&rig), CARD_END_DAMAGED);
    file->data = not_a_sequence;
    file->len = sizeof(not_a_sequence);
    assert_int_equal(rig_identify(&rig), CARD_END_DAMAGED);
    /* says more than it has */
    file->data = world.certificate;
    file->len = world.certificate_len - 1;
    assert_int_equal(rig_identify(&rig), CARD_END_DAMAGED);
    file->len = world.certificate_len;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
}

static void answers_that_cannot_be_are_not_believed(void **state)
{
    (void)state;
    rig.fail_at = 3; /* READ BINARY of 32 bytes: 33 come */
    rig.fail_link = CARD_LINK_OK;
    rig.fail_answer_len = 35;
    rig.fail_answer[33] = 0x90;
    assert_int_equal(rig_identify(&rig), CARD_END_DAMAGED);
    rig.apdus = 0;
    rig.fail_answer_len = 1; /* half a status word */
    assert_int_equal(rig_identify(&rig), CARD_END_READER_PROTOCOL);
    rig.apdus = 0;
    rig.fail_answer_len = 0;
    assert_int_equal(rig_identify(&rig), CARD_END_READER_PROTOCOL);
}

static void pieces_and_corrected_lengths_are_followed(void **state)
{
    (void)state;
    rig.short_pieces = true;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_memory_equal(rig.certificate, world.certificate, world.certificate_len);
    rig.short_pieces = false;
    rig.wrong_length = true;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_string_equal(rig.report.name, "見本　太郎");
}

static void extended_reads_are_used_where_they_pay_and_given_up_where_refused(void **state)
{
    unsigned few;

    (void)state;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    few = rig.report.apdus;
    rig.channel.read_max = 510;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_true(rig.report.apdus < few);
    assert_memory_equal(rig.photo, world.photo, sizeof(world.photo));
    rig.channel.read_max = 32767;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_memory_equal(rig.photo, world.photo, sizeof(world.photo));
    rig.no_extended = true;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.apdus, few + 1);
    assert_memory_equal(rig.photo, world.photo, sizeof(world.photo));
    /* and is not tried again with this card */
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.apdus, few);
}

/* -- PIN and signature ------------------------------------------------------------------------- */

static void a_right_pin_signs_what_is_composed_here(void **state)
{
    char expected[] = "uketsuke statement v1\npurpose: eligibility\ninstitution: 9910000017\ntime: "
                      "20261122T092500Z\nnonce: ";
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char first[512];

    (void)state;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    rig.apdus = 0;
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OK);
    rig_assert_apdu(&rig, 0, "00A4040C0AD392F000260100000001");
    rig_assert_apdu(&rig, 1, "00A4020C020018");
    rig_assert_apdu(&rig, 2, "00200080");
    rig_assert_apdu(&rig, 3, "002000800431323334");
    rig_assert_apdu(&rig, 4, "00A4020C020017");
    assert_int_equal(rig.apdus, 6);
    /* 80 2A 00 80 33 <DigestInfo of 51 bytes> 00 */
    assert_int_equal(rig.log[5].len, 57);
    assert_memory_equal(rig.log[5].bytes,
                        "\x80\x2A\x00\x80\x33\x30\x31\x30\x0D\x06\x09\x60\x86\x48\x01\x65\x03\x04"
                        "\x02\x01\x05\x00\x04\x20",
                        24);
    assert_int_equal(rig.log[5].bytes[56], 0);
    assert_int_equal(rig.report.pin_tries, 3);
    assert_false(rig.powered);
    assert_int_equal(rig.power_offs, 1);
    /* date -u -d @1795339500 */
    assert_int_equal(rig.report.statement_len, strlen(expected) + 32 + 1);
    assert_memory_equal(rig.statement, expected, strlen(expected));
    assert_int_equal(strspn(rig.statement + strlen(expected), "0123456789abcdef"), 32);
    assert_int_equal(rig.statement[rig.report.statement_len - 1], '\n');
    assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, world.user_key), 1);
    assert_int_equal(EVP_DigestVerify(md, rig.signature, rig.report.signature_len,
                                      (const uint8_t *)rig.statement, rig.report.statement_len),
                     1);
    EVP_MD_CTX_free(md);
    /* a nonce is used once */
    memcpy(first, rig.statement, sizeof(first));
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OK);
    assert_memory_not_equal(first, rig.statement, rig.report.statement_len);
}

static void a_wrong_pin_costs_one_try_and_is_sent_once(void **state)
{
    (void)state;
    assert_int_equal(rig_sign(&rig, "9999", false), CARD_END_PIN_WRONG);
    assert_int_equal(rig.report.pin_tries, 2);
    assert_int_equal(rig.report.status_word, 0x63C2);
    assert_int_equal(rig_file(&rig, 0x01, 0x0018)->sent, 1);
    assert_int_equal(rig_verifies(&rig), 1);
    assert_false(rig.powered);
}

static void the_last_try_is_not_sent_without_a_yes(void **state)
{
    struct rig_file *pin = rig_file(&rig, 0x01, 0x0018);

    (void)state;
    pin->tries = 1;
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_PIN_LAST_TRY);
    assert_int_equal(rig.report.pin_tries, 1);
    assert_int_equal(pin->sent, 0);
    assert_int_equal(rig_sign(&rig, "1234", true), CARD_END_OK);
    assert_int_equal(pin->sent, 1);
    pin->tries = 1;
    assert_int_equal(rig_sign(&rig, "0000", true), CARD_END_PIN_LOCKED);
    assert_int_equal(rig.report.pin_tries, 0);
    assert_int_equal(pin->tries, 0);
    assert_int_equal(pin->sent, 2);
}

static void a_locked_pin_is_not_sent(void **state)
{
    static const uint16_t answers[] = {0x63C0, 0x6984, 0x6983};
    struct rig_file *pin = rig_file(&rig, 0x01, 0x0018);

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pin->query_sw = answers[i];
        assert_int_equal(rig_sign(&rig, "1234", true), CARD_END_PIN_LOCKED);
        assert_int_equal(rig.report.pin_tries, 0);
        assert_int_equal(rig.report.status_word, answers[i]);
    }
    assert_int_equal(pin->sent, 0);
}

static void a_pin_that_locks_meanwhile_is_told_as_locked(void **state)
{
    static const uint16_t answers[] = {0x6984, 0x6983};
    struct rig_file *pin = rig_file(&rig, 0x01, 0x0018);

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pin->tries = 0;
        pin->query_sw = 0x63C2; /* the counter lies */
        pin->locked_sw = answers[i];
        assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_PIN_LOCKED);
        assert_int_equal(rig.report.pin_tries, 0);
    }
}

static const uint16_t no_pin[] = {0x6A88, 0x6A82, 0x6985};

static void a_card_without_pin_is_told_as_such(void **state)
{
    struct rig_file *pin = rig_file(&rig, 0x01, 0x0018);

    (void)state;
    for (size_t i = 0; i < sizeof(no_pin) / sizeof(no_pin[0]); i++) {
        pin->query_sw = no_pin[i];
        assert_int_equal(rig_sign(&rig, "1234", true), CARD_END_PIN_NOT_SET);
    }
    pin->id = 0x0099; /* no such file */
    assert_int_equal(rig_sign(&rig, "1234", true), CARD_END_PIN_NOT_SET);
    assert_int_equal(rig_verifies(&rig), 0);
}

/* Known from the first look on, so that nobody is asked whether a last try may be spent. */
static void a_card_without_pin_is_told_as_such_when_it_is_identified(void **state)
{
    struct rig_file *pin = rig_file(&rig, 0x01, 0x0018);

    (void)state;
    for (size_t i = 0; i < sizeof(no_pin) / sizeof(no_pin[0]); i++) {
        pin->query_sw = no_pin[i];
        pin->id = i == 1 ? 0x0099 : 0x0018; /* no such file */
        assert_int_equal(rig_identify(&rig), CARD_END_OK);
        assert_int_equal(rig.report.pin_tries, CARD_TRIES_NO_KEY);
    }
    pin->query_sw = 0x6F00; /* says nothing of a key */
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig.report.pin_tries, CARD_TRIES_UNKNOWN);
}

static void an_unknown_counter_counts_as_the_last_try(void **state)
{
    struct rig_file *pin = rig_file(&rig, 0x01, 0x0018);

    (void)state;
    pin->query_sw = 0x9000;
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_PIN_LAST_TRY);
    assert_int_equal(rig.report.pin_tries, CARD_TRIES_UNKNOWN);
    assert_int_equal(pin->sent, 0);
    assert_int_equal(rig_sign(&rig, "1234", true), CARD_END_OK);
}

static void what_is_no_pin_is_not_sent(void **state)
{
    static const char *const pins[] = {"", "123", "12345", "12a4", "12 4", "１２"};

    (void)state;
    for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++)
        assert_int_equal(rig_sign(&rig, pins[i], true), CARD_END_PIN_FORMAT);
    assert_int_equal(rig.apdus, 0);
    assert_int_equal(rig.power_ons, 0);
}

static void a_signature_of_another_key_is_found_out(void **state)
{
    (void)state;
    rig_file(&rig, 0x01, 0x0017)->key = world.chip_key;
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_NOT_ITS_KEY);
    assert_int_equal(rig.report.statement_len, 0);
    assert_int_equal(rig.report.signature_len, 0);
    assert_false(rig.powered);
}

static void a_certificate_with_another_kind_of_key_costs_no_pin(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-384");
    X509 *cert = X509_dup(world.user);
    uint8_t der[4096];
    unsigned char *at = der;
    struct rig_file *file = rig_file(&rig, 0x01, 0x000A);

    (void)state;
    X509_set_pubkey(cert, ec);
    assert_true(X509_sign(cert, world.ca_key, EVP_sha256()) > 0);
    file->len = (size_t)i2d_X509(cert, &at);
    file->data = der;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig.report.chain, GENUINE_YES);
    assert_int_equal(rig_sign(&rig, "1234", true), CARD_END_NEXT_GENERATION);
    assert_int_equal(rig_verifies(&rig), 0);
    X509_free(cert);
    EVP_PKEY_free(ec);
}

static void a_statement_that_cannot_be_composed_is_no_operation(void **state)
{
    static const struct {
        const char *institution, *purpose;
        int64_t time;
    } rows[] = {
        {"991000001", "eligibility", 1795339500},    {"99100000170", "eligibility", 1795339500},
        {"991000001x", "eligibility", 1795339500},   {"9910000017", "", 1795339500},
        {"9910000017", "a\npurpose: b", 1795339500}, {"9910000017", "eligibility", -1},
        {"9910000017", "eligibility", INT64_MAX},
    };
    struct secret pin;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct card_sign_request request = {.deadline_us = 2000 * CLOCK_SECOND,
                                                  .time = rows[i].time,
                                                  .institution = rows[i].institution,
                                                  .purpose = rows[i].purpose};

        assert_int_equal(secret_new(&pin, 16), 0);
        assert_int_equal(secret_set(&pin, "1234", 4), 0);
        assert_int_equal(card_engine_sign(rig.engine, &request, &pin, rig_done, &rig), -EINVAL);
        assert_null(pin.data);
        assert_false(card_engine_busy(rig.engine));
    }
    assert_int_equal(rig.apdus, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(identify_sends_exactly_what_the_layout_says),
        TEST(identify_tells_whose_card_it_is),
        TEST(a_chain_is_not_checked_without_authorities),
        TEST(a_certificate_of_another_authority_of_the_same_name_is_not_genuine),
        TEST(other_cards_are_told_apart),
        TEST(a_transit_card_knows_no_file),
        TEST(power_on_ends_in_its_own_words),
        TEST(damaged_files_end_as_damaged),
        TEST(answers_that_cannot_be_are_not_believed),
        TEST(pieces_and_corrected_lengths_are_followed),
        TEST(extended_reads_are_used_where_they_pay_and_given_up_where_refused),
        TEST(a_right_pin_signs_what_is_composed_here),
        TEST(a_wrong_pin_costs_one_try_and_is_sent_once),
        TEST(the_last_try_is_not_sent_without_a_yes),
        TEST(a_locked_pin_is_not_sent),
        TEST(a_pin_that_locks_meanwhile_is_told_as_locked),
        TEST(a_card_without_pin_is_told_as_such),
        TEST(a_card_without_pin_is_told_as_such_when_it_is_identified),
        TEST(an_unknown_counter_counts_as_the_last_try),
        TEST(what_is_no_pin_is_not_sent),
        TEST(a_signature_of_another_key_is_found_out),
        TEST(a_certificate_with_another_kind_of_key_costs_no_pin),
        TEST(a_statement_that_cannot_be_composed_is_no_operation),
    };

    return cmocka_run_group_tests(tests, world_up, world_down);
}
