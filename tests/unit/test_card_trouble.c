/* The card operations in trouble: torn, silent, cancelled, exchanged, at each APDU; each ends once and says why. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "card_fixture.h"
#include "daemon/common/clock.h"
#include "daemon/common/secret.h"
#include "daemon/common/visit.h"

/* -- at every APDU ----------------------------------------------------------------------------- */

static enum card_end run(unsigned operation)
{
    return operation == 0   ? rig_identify(&rig)
           : operation == 1 ? rig_sign(&rig, "1234", false)
                            : rig_photo(&rig, NUMBER_B, false, false);
}

/* The card pulled, silent or talking nonsense at each APDU of each operation: told as such, one VERIFY a key at most. */
static void whatever_happens_at_whichever_apdu(void **state)
{
    static const struct {
        enum card_link link;
        enum card_end end;
    } rows[] = {
        {CARD_LINK_REMOVED, CARD_END_REMOVED},
        {CARD_LINK_MUTE, CARD_END_MUTE},
        {CARD_LINK_TROUBLE, CARD_END_TROUBLE},
        {CARD_LINK_READER_LOST, CARD_END_READER_LOST},
    };
    unsigned total;
    unsigned cells = 0;

    (void)state;
    for (unsigned operation = 0; operation < 3; operation++) {
        rig_stop(&rig);
        rig_start(&rig, &world, true);
        assert_int_equal(run(operation), CARD_END_OK);
        total = rig.apdus;
        for (unsigned at = 1; at <= total; at++)
            for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++, cells++) {
                rig_stop(&rig);
                rig_start(&rig, &world, true);
                rig.fail_at = at;
                rig.fail_link = rows[i].link;
                assert_int_equal(run(operation), rows[i].end);
                assert_int_equal(rig.report.apdus, at);
                assert_int_equal(rig.apdus, at);
                assert_true(rig_file(&rig, 0x01, 0x0018)->sent <= 1);
                assert_true(rig_file(&rig, 0x02, 0x0012)->sent <= 1);
                assert_true(rig_file(&rig, 0x08, 0x0015)->sent <= 1);
                assert_null(rig.report.photo);
                assert_null(rig.report.statement);
                /* a card that is still there keeps no rights */
                if (rows[i].link != CARD_LINK_READER_LOST)
                    assert_false(rig.powered);
                /* and the same again with a whole card succeeds */
                rig.fail_at = 0;
                assert_int_equal(run(operation), CARD_END_OK);
            }
    }
    print_message("%u cells\n", cells);
}

static bool is_verify_with_data(unsigned n)
{
    return rig.log[n].len > 5 && rig.log[n].bytes[1] == 0x20;
}

/* A message lost between host and reader: said again, and the operation succeeds; a credential never is. */
static void what_the_wire_lost_is_said_again_but_for_a_credential(void **state)
{
    static const struct {
        enum card_link link;
        enum card_end end;
    } rows[] = {{CARD_LINK_READER_PROTOCOL, CARD_END_READER_PROTOCOL},
                {CARD_LINK_TIMEOUT, CARD_END_TIMEOUT}};
    unsigned total;

    (void)state;
    for (unsigned operation = 0; operation < 3; operation++) {
        rig_stop(&rig);
        rig_start(&rig, &world, true);
        assert_int_equal(run(operation), CARD_END_OK);
        total = rig.apdus;
        for (unsigned at = 1; at <= total; at++)
            for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                bool credential;

                rig_stop(&rig);
                rig_start(&rig, &world, true);
                rig.fail_at = at;
                rig.fail_link = rows[i].link;
                (void)run(operation);
                credential = is_verify_with_data(at - 1);
                assert_int_equal(rig.report.end, credential ? rows[i].end : CARD_END_OK);
                assert_int_equal(rig.apdus, credential ? at : total + 1);
                if (credential)
                    assert_false(rig.powered);
                assert_true(rig_file(&rig, 0x01, 0x0018)->sent <= 1);
                assert_true(rig_file(&rig, 0x02, 0x0012)->sent <= 1);
                assert_true(rig_file(&rig, 0x08, 0x0015)->sent <= 1);
            }
    }
}

/* A reader that fails for good is given up after the third time. */
static void a_wire_that_stays_broken_ends_the_operation(void **state)
{
    (void)state;
    rig.power_link = CARD_LINK_READER_PROTOCOL;
    assert_int_equal(rig_identify(&rig), CARD_END_READER_PROTOCOL);
    assert_int_equal(rig.power_ons, 3);
    assert_int_equal(rig.apdus, 0);
}

/* Any status word at any APDU: the operation ends, and no key gets more than one VERIFY. */
static void any_status_word_at_any_apdu(void **state)
{
    static const uint16_t words[] = {0x6281, 0x6282, 0x6300, 0x63C0, 0x6581, 0x6700, 0x6881,
                                     0x6981, 0x6982, 0x6983, 0x6984, 0x6985, 0x6986, 0x6A80,
                                     0x6A82, 0x6A83, 0x6A86, 0x6A88, 0x6B00, 0x6C10, 0x6D00,
                                     0x6E00, 0x6F00, 0x6100, 0x9000, 0x0000, 0xFFFF};
    unsigned total;

    (void)state;
    for (unsigned operation = 0; operation < 3; operation++) {
        rig_stop(&rig);
        rig_start(&rig, &world, true);
        assert_int_equal(run(operation), CARD_END_OK);
        total = rig.apdus;
        for (unsigned at = 1; at <= total; at++)
            for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                rig_stop(&rig);
                rig_start(&rig, &world, true);
                rig.fail_at = at;
                rig.fail_link = CARD_LINK_OK;
                rig.fail_answer[0] = (uint8_t)(words[i] >> 8);
                rig.fail_answer[1] = (uint8_t)words[i];
                rig.fail_answer_len = 2;
                (void)run(operation);
                assert_true(rig_file(&rig, 0x01, 0x0018)->sent <= 1);
                assert_true(rig_file(&rig, 0x02, 0x0012)->sent <= 1);
                assert_true(rig_file(&rig, 0x08, 0x0015)->sent <= 1);
                assert_int_not_equal(rig.report.end, CARD_END_INTERNAL);
            }
    }
}

/* -- life -------------------------------------------------------------------------------------- */

static void cancelled_at_any_apdu_it_ends_once_and_without_power(void **state)
{
    unsigned total;

    (void)state;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    total = rig.apdus;
    for (unsigned at = 0; at < total; at++) {
        struct card_photo_request request = {.deadline_us = 3000 * CLOCK_SECOND};
        struct secret number_b;

        rig_stop(&rig);
        rig_start(&rig, &world, true);
        assert_int_equal(secret_new(&number_b, 16), 0);
        assert_int_equal(secret_set(&number_b, NUMBER_B, 14), 0);
        assert_int_equal(card_engine_photo(rig.engine, &request, &number_b, rig_done, &rig), 0);
        while (rig.apdus < at) {
            rig.pending = false;
            rig.done(rig.arg, rig.link, rig.answer, rig.answer_len);
        }
        card_engine_cancel(rig.engine);
        card_engine_cancel(rig.engine);
        assert_int_equal(rig.aborts, 1);
        assert_int_equal(card_engine_identify(rig.engine, 3000 * CLOCK_SECOND, rig_done, &rig),
                         -EBUSY);
        rig_finish(&rig);
        assert_int_equal(rig.report.end, CARD_END_CANCELLED);
        assert_int_equal(rig.reports, 1);
        assert_false(card_engine_powered(rig.engine));
    }
}

static void a_reader_that_goes_ends_the_operation(void **state)
{
    (void)state;
    assert_int_equal(card_engine_identify(rig.engine, 3000 * CLOCK_SECOND, rig_done, &rig), 0);
    rig.pending = false;
    card_engine_set_channel(rig.engine, NULL);
    rig_finish(&rig);
    assert_int_equal(rig.report.end, CARD_END_READER_LOST);
    assert_int_equal(card_engine_identify(rig.engine, 3000 * CLOCK_SECOND, rig_done, &rig),
                     -ENODEV);
    card_engine_set_channel(rig.engine, &rig.channel);
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
}

static void another_card_in_its_place_gets_no_credential(void **state)
{
    X509 *cert = X509_dup(world.user);
    uint8_t der[4096];
    unsigned char *at = der;
    struct rig_file *file = rig_file(&rig, 0x01, 0x000A);

    (void)state;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    card_engine_card_gone(rig.engine);
    assert_false(card_engine_powered(rig.engine));
    /* the same card back: looked at again, then served */
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OK);
    assert_int_equal(rig_file(&rig, 0x01, 0x0018)->sent, 1);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), 77);
    assert_true(X509_sign(cert, world.ca_key, EVP_sha256()) > 0);
    file->len = (size_t)i2d_X509(cert, &at);
    file->data = der;
    card_engine_card_gone(rig.engine);
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OTHER_CARD);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OTHER_CARD);
    assert_int_equal(rig_verifies(&rig), 1);
    /* asked who it is, it is a card like any other */
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OK);
    card_engine_forget(rig.engine);
    X509_free(cert);
}

/* Anybody can write a certificate with the name and number of another: only every byte of it says the same card. */
static void a_forged_certificate_of_the_same_number_is_another_card(void **state)
{
    X509 *cert = X509_dup(world.user);
    uint8_t der[4096];
    unsigned char *at = der;
    struct rig_file *file = rig_file(&rig, 0x01, 0x000A);

    (void)state;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_true(X509_set_pubkey(cert, world.city_key) == 1);
    assert_true(X509_sign(cert, world.city_key, EVP_sha256()) > 0);
    file->len = (size_t)i2d_X509(cert, &at);
    file->data = der;
    rig_file(&rig, 0x01, 0x0017)->key = world.city_key;
    card_engine_card_gone(rig.engine);
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OTHER_CARD);
    assert_int_equal(rig_verifies(&rig), 0);
    X509_free(cert);
}

/* A reader that is only asked now and then may not notice a quick hand while the card has no power. */
static void a_card_exchanged_unseen_while_without_power_is_found_out(void **state)
{
    X509 *cert = X509_dup(world.user);
    uint8_t der[4096];
    unsigned char *at = der;
    struct rig_file *file = rig_file(&rig, 0x01, 0x000A);

    (void)state;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(rig_photo(&rig, "55021720350000", false, false), CARD_END_NUMBER_B_WRONG);
    assert_false(rig.powered);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), 77);
    assert_true(X509_sign(cert, world.ca_key, EVP_sha256()) > 0);
    file->len = (size_t)i2d_X509(cert, &at);
    file->data = der;
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, false), CARD_END_OTHER_CARD);
    assert_int_equal(rig_sign(&rig, "1234", false), CARD_END_OTHER_CARD);
    assert_int_equal(rig_verifies(&rig), 1);
    X509_free(cert);
}

/* The last answer set out before the card left: it counts, but the card that lies there next has no power yet. */
static void a_card_that_leaves_with_its_last_answer_is_powered_anew(void **state)
{
    unsigned total;

    (void)state;
    assert_int_equal(run(0), CARD_END_OK);
    total = rig.apdus;
    rig_stop(&rig);
    rig_start(&rig, &world, true);
    rig.leaves_at = total;
    assert_int_equal(run(0), CARD_END_OK);
    assert_int_equal(rig.apdus, total);
    assert_false(card_engine_powered(rig.engine));
    assert_int_equal(rig.power_ons, 1);
    assert_int_equal(run(0), CARD_END_OK);
    assert_int_equal(rig.power_ons, 2);
}

static void power_off_needs_no_card(void **state)
{
    (void)state;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    assert_int_equal(card_engine_off(rig.engine, rig_done, &rig), 0);
    rig_finish(&rig);
    assert_false(rig.powered);
    assert_int_equal(rig.report.end, CARD_END_OK);
    assert_int_equal(card_engine_off(rig.engine, rig_done, &rig), 0);
    rig_finish(&rig);
    assert_int_equal(rig.power_offs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whatever_happens_at_whichever_apdu),
        TEST(what_the_wire_lost_is_said_again_but_for_a_credential),
        TEST(a_wire_that_stays_broken_ends_the_operation),
        TEST(any_status_word_at_any_apdu),
        TEST(cancelled_at_any_apdu_it_ends_once_and_without_power),
        TEST(a_reader_that_goes_ends_the_operation),
        TEST(another_card_in_its_place_gets_no_credential),
        TEST(a_forged_certificate_of_the_same_number_is_another_card),
        TEST(a_card_exchanged_unseen_while_without_power_is_found_out),
        TEST(a_card_that_leaves_with_its_last_answer_is_powered_anew),
        TEST(power_off_needs_no_card),
    };

    return cmocka_run_group_tests(tests, world_up, world_down);
}
