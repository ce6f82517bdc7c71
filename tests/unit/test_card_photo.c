/* The photo: guards of 照合番号B, what is signed, what is genuine, what a card may get wrong. */
#include <string.h>

#include "card_fixture.h"
#include "daemon/common/visit.h"

static void the_photo_comes_with_what_proves_it(void **state)
{
    (void)state;
    assert_int_equal(rig_identify(&rig), CARD_END_OK);
    rig.apdus = 0;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, true), CARD_END_OK);
    assert_int_equal(rig.report.photo_len, sizeof(world.photo));
    assert_memory_equal(rig.photo, world.photo, sizeof(world.photo));
    assert_string_equal(rig.report.birth, "19800217");
    assert_string_equal(rig.report.sex, "1");
    assert_string_equal(rig.report.expiry, "20350217");
    assert_string_equal(rig.report.name, "見本　太郎");
    assert_int_equal(rig.report.record, GENUINE_YES);
    assert_int_equal(rig.report.challenge, GENUINE_YES);
    assert_int_equal(rig.report.number_b_tries, 10);
    /* application and key stand selected since identify: the counter, then the number, at once */
    rig_assert_apdu(&rig, 0, "00200080");
    rig_assert_apdu(&rig, 1, "002000800E3535303231373230333532323835");
    rig_assert_apdu(&rig, 2, "00A4020C020002");
    rig_assert_apdu(&rig, 3, "00B0000000");
    assert_false(rig.powered);
    assert_int_equal(rig_verifies(&rig), 2);
    assert_int_equal(rig_file(&rig, 0x01, 0x0018)->sent, 0);
}

static void a_scanned_number_is_sent_at_a_full_counter_only(void **state)
{
    struct rig_file *key = rig_file(&rig, 0x02, 0x0012);

    (void)state;
    key->tries = 9;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, true), CARD_END_NUMBER_B_FEW_TRIES);
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, true), CARD_END_NUMBER_B_FEW_TRIES);
    assert_int_equal(rig.report.number_b_tries, 9);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_NUMBER_B_FEW_TRIES);
    assert_int_equal(key->sent, 0);
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, false), CARD_END_OK);
    assert_int_equal(key->sent, 1);
    key->query_sw = 0x9000; /* does not tell */
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, true), CARD_END_NUMBER_B_FEW_TRIES);
    assert_int_equal(key->sent, 1);
}

static void a_wrong_number_costs_one_try_of_one_key(void **state)
{
    (void)state;
    assert_int_equal(rig_photo(&rig, "55021720352286", false, false), CARD_END_NUMBER_B_WRONG);
    assert_int_equal(rig.report.number_b_tries, 9);
    assert_int_equal(rig_verifies(&rig), 1);
    assert_int_equal(rig_file(&rig, 0x08, 0x0015)->tries, 10);
    assert_false(rig.powered);
}

static void a_locked_number_is_not_sent(void **state)
{
    (void)state;
    rig_file(&rig, 0x02, 0x0012)->tries = 0;
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, false), CARD_END_NUMBER_B_LOCKED);
    assert_int_equal(rig.report.number_b_tries, 0);
    assert_int_equal(rig_verifies(&rig), 0);
}

static void the_last_number_locks(void **state)
{
    (void)state;
    rig_file(&rig, 0x02, 0x0012)->tries = 1;
    assert_int_equal(rig_photo(&rig, "55021720352286", true, false), CARD_END_NUMBER_B_LOCKED);
    assert_int_equal(rig.report.number_b_tries, 0);
}

static void what_is_no_number_b_is_not_sent(void **state)
{
    static const char *const numbers[] = {"",
                                          "5502172035228",
                                          "550217203522855",
                                          "5502172035228x",
                                          "55001720352285",
                                          "55131720352285",
                                          "55020020352285",
                                          "55023020352285",
                                          "55043120352285",
                                          "55021720152285",
                                          "55021721002285"};

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_int_equal(rig_photo(&rig, numbers[i], true, false), CARD_END_NUMBER_B_FORMAT);
    assert_int_equal(rig.apdus, 0);
}

static void a_text_key_that_does_not_open_leaves_the_name_empty(void **state)
{
    struct rig_file *key = rig_file(&rig, 0x08, 0x0015);

    (void)state;
    key->tries = 9;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_string_equal(rig.report.name, "");
    assert_int_equal(key->sent, 0);
    key->tries = 0;
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, false), CARD_END_OK);
    assert_string_equal(rig.report.name, "");
    assert_int_equal(key->sent, 0);
    key->tries = 9;
    assert_int_equal(rig_photo(&rig, NUMBER_B, true, false), CARD_END_OK);
    assert_string_equal(rig.report.name, "見本　太郎");
    key->secret = "99999999999999";
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_string_equal(rig.report.name, "");
    assert_int_equal(key->tries, 9);
    key->id = 0x0099;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_string_equal(rig.report.name, "");
}

static void set_record(const struct rig_record *what)
{
    static uint8_t record[40000];
    struct rig_file *file = rig_file(&rig, 0x02, 0x0002);

    file->len = rig_make_record(&world, what, record, sizeof(record));
    file->data = record;
}

static const struct rig_record plain = {.birth = "19800217", .sex = "1", .expiry = "20350217"};

static void a_card_without_photo_is_told_as_such(void **state)
{
    static const uint8_t filler[100] = {0};
    struct rig_record what = plain;

    (void)state;
    set_record(&what); /* left out */
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_NO_PHOTO);
    assert_int_equal(rig.report.number_b_tries, 10);
    what.photo = filler; /* empty */
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_NO_PHOTO);
    what.photo_len = sizeof(filler); /* filled */
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_NO_PHOTO);
    assert_null(rig.report.photo);
    assert_false(rig.powered);
}

static void a_counterfeit_is_found_by_its_signature(void **state)
{
    struct rig_record what = plain;

    (void)state;
    what.photo = world.photo;
    what.photo_len = sizeof(world.photo);
    what.forged = true;
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_NO);
    assert_int_equal(rig.report.challenge, GENUINE_YES);
}

static void a_signer_of_an_unknown_or_wrong_issuer_proves_nothing(void **state)
{
    uint8_t signer[1024];
    struct rig_file *file = rig_file(&rig, 0x02, 0x0004);

    (void)state;
    memcpy(signer, world.signer, world.signer_len);
    file->data = signer;
    signer[10] ^= 1; /* inside the issuer's seven digits */
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_NO);
    memcpy(signer, world.signer, world.signer_len);
    signer[world.signer_len - 1] ^= 1; /* its signature */
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_NO);
    file->id = 0x0099;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_NO);
}

static void without_issuers_the_record_is_not_checked(void **state)
{
    (void)state;
    rig_stop(&rig);
    rig_start(&rig, &world, false);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_NOT_CHECKED);
    assert_int_equal(rig.report.challenge, GENUINE_YES);
}

static void a_clone_cannot_answer_the_challenge(void **state)
{
    (void)state;
    rig.own_key = world.city_key;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_YES);
    assert_int_equal(rig.report.challenge, GENUINE_NO);
    rig.own_key = NULL;
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.challenge, GENUINE_NO);
}

static void two_bytes_before_the_record_are_allowed_a_lying_table_is_not(void **state)
{
    struct rig_record what = plain;

    (void)state;
    what.photo = world.photo;
    what.photo_len = sizeof(world.photo);
    what.shift = 2;
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    assert_int_equal(rig.report.record, GENUINE_YES);
    what.offset_error = -2; /* counted from FF20 */
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_OK);
    what.offset_error = 1;
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_DAMAGED);
    what.shift = 3;
    what.offset_error = 0;
    set_record(&what);
    assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_DAMAGED);
}

static void a_record_of_a_wrong_form_is_damaged(void **state)
{
    struct rig_record rows[] = {plain, plain, plain, plain};

    (void)state;
    rows[0].birth = "1980021";
    rows[1].birth = "1980o217";
    rows[2].sex = "M";
    rows[3].expiry = "2035";
    for (size_t i = 0; i < 4; i++) {
        rows[i].photo = world.photo;
        rows[i].photo_len = sizeof(world.photo);
        set_record(&rows[i]);
        assert_int_equal(rig_photo(&rig, NUMBER_B, false, false), CARD_END_DAMAGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_photo_comes_with_what_proves_it),
        TEST(a_scanned_number_is_sent_at_a_full_counter_only),
        TEST(a_wrong_number_costs_one_try_of_one_key),
        TEST(a_locked_number_is_not_sent),
        TEST(the_last_number_locks),
        TEST(what_is_no_number_b_is_not_sent),
        TEST(a_text_key_that_does_not_open_leaves_the_name_empty),
        TEST(a_card_without_photo_is_told_as_such),
        TEST(a_counterfeit_is_found_by_its_signature),
        TEST(a_signer_of_an_unknown_or_wrong_issuer_proves_nothing),
        TEST(without_issuers_the_record_is_not_checked),
        TEST(a_clone_cannot_answer_the_challenge),
        TEST(two_bytes_before_the_record_are_allowed_a_lying_table_is_not),
        TEST(a_record_of_a_wrong_form_is_damaged),
    };

    return cmocka_run_group_tests(tests, world_up, world_down);
}
