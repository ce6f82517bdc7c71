/* The clinic's patients in the store: found by keyed hashes alone, sealed, one of a number; what a relay told, once. */
#include "store_hand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE "name\t架空　花子\nbirth\t19540707\n"
#define NUMBER "PT-第四五六"

static struct store_subject key_of(const char *text)
{
    return (struct store_subject){text, strlen(text)};
}

static struct store_patient put(struct rig *rig, const char *number, const char *state)
{
    struct store_patient patient = {.date = "20261005"};

    strcpy(patient.number, number);
    patient.state = (uint8_t *)strdup(state);
    patient.state_len = strlen(state);
    assert_int_equal(store_patient_put(rig->store, &patient), 0);
    store_patient_free(&patient);
    assert_int_equal(store_patient_by_number(rig->store, number, &patient), 0);
    return patient;
}

static bool in_file(const struct rig *rig, const char *suffix, const char *text)
{
    size_t len = 0;
    uint8_t *bytes = rig_file(rig, suffix, &len);
    bool found = bytes != NULL && memmem(bytes, len, text, strlen(text)) != NULL;

    free(bytes);
    return found;
}

static void a_patient_comes_back_and_names_nobody_in_the_file(void **state)
{
    struct store_patient patient;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    patient = put(&rig, NUMBER, STATE);
    assert_int_equal(patient.id, 1);
    assert_string_equal(patient.date, "20261005");
    assert_int_equal(patient.state_len, strlen(STATE));
    assert_memory_equal(patient.state, STATE, strlen(STATE));
    assert_true(patient.linked_us > 0 && patient.seen_us == patient.linked_us);
    assert_int_equal(
        store_patient_key(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), patient.id), 0);
    store_patient_free(&patient);
    rig_close(&rig);
    assert_false(in_file(&rig, "", NUMBER) || in_file(&rig, "-wal", NUMBER));
    assert_false(in_file(&rig, "", "19540707") || in_file(&rig, "-wal", "19540707"));
    assert_false(in_file(&rig, "", "架空") || in_file(&rig, "-wal", "架空"));
    rig_open(&rig);
    assert_int_equal(store_patient_load(rig.store, 1, &patient), 0);
    assert_string_equal(patient.number, NUMBER);
    store_patient_free(&patient);
    assert_int_equal(store_patient_load(rig.store, 2, &patient), -ENOENT);
    assert_int_equal(store_patient_by_number(rig.store, "PT", &patient), -ENOENT);
    rig_free(&rig);
}

static void a_number_is_one_patients_and_the_state_is_replaced(void **state)
{
    struct store_patient patient = {0}, again = {0};
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_patient_put(rig.store, &patient), -EINVAL); /* without a number */
    patient = put(&rig, "1", STATE);
    strcpy(again.number, "1");
    assert_true(store_patient_put(rig.store, &again) < 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM patients"), 1);
    patient.state_len = 4;
    strcpy(patient.date, "20261006");
    assert_int_equal(store_patient_put(rig.store, &patient), 0);
    store_patient_free(&patient);
    assert_int_equal(store_patient_by_number(rig.store, "1", &patient), 0);
    assert_int_equal(patient.state_len, 4);
    assert_string_equal(patient.date, "20261006");
    store_patient_free(&patient);
    /* A value cannot be moved to another patient's row. */
    patient = put(&rig, "2", STATE);
    store_patient_free(&patient);
    rig_sql(
        &rig,
        "UPDATE patients SET payload = (SELECT payload FROM patients WHERE id = 1) WHERE id = 2");
    assert_int_equal(store_patient_load(rig.store, 2, &patient), -EBADMSG);
    assert_int_equal(store_patient_load(rig.store, 1, &patient), 0);
    store_patient_free(&patient);
    rig_free(&rig);
}

static void keys_of_a_kind_find_their_patients_only(void **state)
{
    uint64_t ids[STORE_PATIENTS_MOST];
    struct store_patient patient;
    struct rig rig;
    char number[16];
    size_t n;

    (void)state;
    rig_new(&rig);
    for (unsigned i = 1; i <= STORE_PATIENTS_MOST + 6; i++) {
        snprintf(number, sizeof(number), "%u", i);
        patient = put(&rig, number, STATE);
        assert_int_equal(
            store_patient_key(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), patient.id), 0);
        store_patient_free(&patient);
    }
    assert_int_equal(store_patient_key(rig.store, PATIENT_KEY_ALIAS, key_of("19540707"), 3), 0);
    assert_int_equal(store_patient_key(rig.store, PATIENT_KEY_ALIAS, key_of("19540707"), 3),
                     0); /* once is enough */
    assert_int_equal(
        store_patients_by_key(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), ids, &n), 0);
    assert_int_equal(n, STORE_PATIENTS_MOST);
    assert_int_equal(ids[0], 1);
    assert_int_equal(
        store_patients_by_key(rig.store, PATIENT_KEY_ALIAS, key_of("19540707"), ids, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], 3);
    assert_int_equal(
        store_patients_by_key(rig.store, PATIENT_KEY_CARD, key_of("19540707"), ids, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(store_patient_unkey(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), 1), 0);
    assert_int_equal(
        store_patients_by_key(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), ids, &n), 0);
    assert_int_equal(ids[0], 2);
    assert_int_equal(store_patient_unkey(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), 0), 0);
    assert_int_equal(
        store_patients_by_key(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), ids, &n), 0);
    assert_int_equal(n, 0);
    /* A key of nobody is refused by the database itself. */
    assert_true(store_patient_key(rig.store, PATIENT_KEY_CARD, key_of("x"), 999) < 0);
    rig_free(&rig);
}

static void what_a_relay_told_is_kept_once(void **state)
{
    uint8_t one[32] = {1}, two[32] = {2};
    bool before = true;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_relay_keep(rig.store, one, &before), 0);
    assert_false(before);
    assert_int_equal(store_relay_keep(rig.store, one, &before), 0);
    assert_true(before);
    assert_int_equal(store_begin(rig.store), 0);
    assert_int_equal(store_relay_keep(rig.store, two, &before), 0);
    assert_false(before);
    store_rollback(rig.store);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_relay_keep(rig.store, two, &before), 0);
    assert_false(before); /* it had not been stored */
    assert_int_equal(store_relay_keep(rig.store, one, &before), 0);
    assert_true(before);
    rig_free(&rig);
}

/* A visit recorded afterwards has the times of where it was. */
static void a_visit_from_elsewhere_has_its_own_times(void **state)
{
    struct store_visit visit = {.opened_us = 5000000, .closed_us = 6000000}, read;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_visit_record(rig.store, &visit), 0);
    assert_int_equal(store_visit_load(rig.store, visit.id, &read), 0);
    assert_int_equal(read.opened_us, 5000000);
    assert_int_equal(read.closed_us, 6000000);
    assert_int_equal(read.step, 1);
    rig_free(&rig);
}

/* The payload of version 2, made by hand: thirteen texts and no word of the clinic's books. */
static void a_payload_of_the_version_before_is_read(void **state)
{
    struct store_visit visit = {0}, read;
    uint8_t plain[256] = {2, 0}, bound[64], sealed[400];
    struct hand_ring ring;
    size_t n = 2, len, bound_len;
    char sql[1000];
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_visit_open(rig.store, &visit), 0);
    rig_close(&rig);
    for (unsigned i = 0; i < 13; i++) {
        plain[n++] = i == 0 ? 3 : 0;
        plain[n++] = 0;
        if (i == 0) {
            memcpy(plain + n, "abc", 3);
            n += 3;
        }
    }
    hand_ring(&rig, &ring);
    for (unsigned i = 0; i < 8; i++)
        bound[i] = (uint8_t)(visit.id >> (8 * i));
    memcpy(bound + 8, "visits.payload", 14);
    bound_len = 8 + 14;
    len = hand_seal(ring.payload[0], ring.generation[0], bound, bound_len, plain, n, sealed);
    n = (size_t)snprintf(sql, sizeof(sql), "UPDATE visits SET payload = x'");
    for (size_t i = 0; i < len; i++)
        n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%02x", sealed[i]);
    (void)snprintf(sql + n, sizeof(sql) - n, "'");
    rig_sql(&rig, sql);
    rig_open(&rig);
    assert_int_equal(store_visit_load(rig.store, visit.id, &read), 0);
    assert_string_equal(read.person.name, "abc");
    assert_string_equal(read.patient, "");
    assert_int_equal(read.match, 0);
    rig_free(&rig);
}

/* As long as a card's visit is kept, so is its link; a patient who was spoken of since stays. */
static void who_was_not_seen_for_the_retention_is_forgotten(void **state)
{
    static const uint8_t gone[32] = {1}, seen[32] = {2};
    const struct store_numbers numbers = {.insurer = "99000011", .number = "4567"};
    struct store_numbers got;
    struct store_visit visit;
    struct store_patient patient;
    uint8_t hash[STORE_RELAY_HASH] = {3};
    struct rig rig;
    bool before;

    (void)state;
    rig_new(&rig);
    patient = put(&rig, "1", STATE);
    assert_int_equal(store_patient_key(rig.store, PATIENT_KEY_BIRTH, key_of("19540707"), 1), 0);
    store_patient_free(&patient);
    patient = put(&rig, "2", STATE);
    store_patient_free(&patient);
    rig_sql(&rig, "UPDATE patients SET seen_us = 100 WHERE id = 1");
    assert_int_equal(store_link_put(rig.store, gone, &numbers), 0);
    assert_int_equal(store_link_put(rig.store, seen, &numbers), 0);
    rig_sql(&rig, "UPDATE links SET linked_us = 100");
    rig_visit(&visit);
    visit.has_subject = true;
    memcpy(visit.subject, seen, sizeof(seen));
    assert_int_equal(store_visit_open(rig.store, &visit), 0);
    assert_int_equal(store_visit_save(rig.store, &visit), 0);
    assert_int_equal(store_relay_keep(rig.store, hash, &before), 0);
    rig_sql(&rig, "UPDATE relay_kept SET at_us = 100");
    hash[0] = 4;
    assert_int_equal(store_relay_keep(rig.store, hash, &before), 0);

    assert_int_equal(store_retire(rig.store, 100, 9), 0);
    assert_int_equal(store_retire(rig.store, 101, 9), 3);
    assert_int_equal(store_retire(rig.store, 101, 9), 0);
    assert_int_equal(store_patient_load(rig.store, 1, &patient), -ENOENT);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM patient_keys"), 0);
    assert_int_equal(store_patient_load(rig.store, 2, &patient), 0);
    store_patient_free(&patient);
    assert_int_equal(store_link_get(rig.store, gone, &got), -ENOENT);
    assert_int_equal(store_link_get(rig.store, seen, &got), 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM relay_kept"), 1);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patient_comes_back_and_names_nobody_in_the_file),
        cmocka_unit_test(a_number_is_one_patients_and_the_state_is_replaced),
        cmocka_unit_test(keys_of_a_kind_find_their_patients_only),
        cmocka_unit_test(what_a_relay_told_is_kept_once),
        cmocka_unit_test(a_visit_from_elsewhere_has_its_own_times),
        cmocka_unit_test(a_payload_of_the_version_before_is_read),
        cmocka_unit_test(who_was_not_seen_for_the_retention_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
