/* Keys: a new master key, a new payload key while the desk works, databases from before there was a
 * ring. */
#include "store_hand.h"
#include "store_rig.h"

#include "daemon/store/accounts.h"
#include "daemon/store/outbox.h"

#include <errno.h>
#include <openssl/hmac.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISITS 7

static void some_visits(struct rig *rig)
{
    struct store_disaster disaster = {
        .cause = 1, .since_us = 7, .until_us = 9, .word = "事務連絡", .staff = "佐藤"};

    rig_new(rig);
    for (unsigned i = 0; i < VISITS; i++) {
        struct store_slip slip = {
            .visit = i + 1, .kind = 1, .date = "20261005", .address = "架空県見本市"};
        struct store_visit visit;

        for (unsigned step = 1; step <= RIG_STEPS; step++)
            assert_int_equal(rig_step(rig, &visit, step), 0);
        assert_int_equal(store_slip_put(rig->store, &slip), 0);
    }
    assert_int_equal(store_disaster_put(rig->store, &disaster), 0);
    for (unsigned i = 0; i < VISITS; i++) {
        struct store_patient patient = {.date = "20261005",
                                        .state = (uint8_t *)strdup("name\t架空　花子\n")};

        (void)snprintf(patient.number, sizeof(patient.number), "PT%u", i + 1);
        patient.state_len = strlen((char *)patient.state);
        assert_int_equal(store_patient_put(rig->store, &patient), 0);
        store_patient_free(&patient);
    }
}

static void all_can_be_read(struct rig *rig, uint64_t rows)
{
    struct store_disaster disaster;
    struct store_slip slip;

    for (uint64_t id = 1; id <= VISITS; id++) {
        struct store_answer answer;
        struct store_numbers numbers;
        struct store_patient patient;
        uint8_t subject[32];

        assert_int_equal(store_answer_load(rig->store, id, &answer), 0);
        assert_int_equal(answer.tree_len, strlen(RIG_TREE));
        assert_memory_equal(answer.tree, RIG_TREE, strlen(RIG_TREE));
        assert_memory_equal(answer.raw, RIG_RAW, strlen(RIG_RAW));
        store_answer_free(&answer);
        memset(subject, 0x11, 32);
        memcpy(subject, &id, sizeof(id));
        assert_int_equal(store_link_get(rig->store, subject, &numbers), 0);
        assert_string_equal(numbers.number, RIG_NUMBER);
        assert_int_equal(store_slip_load(rig->store, id, &slip), 0);
        assert_string_equal(slip.address, "架空県見本市");
        assert_int_equal(store_patient_load(rig->store, id, &patient), 0);
        assert_memory_equal(patient.state, "name\t架空　花子\n", patient.state_len);
        store_patient_free(&patient);
    }
    assert_int_equal(store_disaster_open(rig->store, &disaster), 0);
    assert_string_equal(disaster.word, "事務連絡");
    if (rows != 0) {
        uint64_t walked, bad;

        assert_int_equal(store_audit_verify(rig->store, &walked, &bad), 0);
        assert_int_equal(walked, rows);
    } else {
        (void)rig_check(rig, VISITS * RIG_STEPS, VISITS * RIG_STEPS);
    }
}

static void rotate(struct rig *rig, unsigned most, unsigned *steps, uint64_t *done)
{
    struct store_rotation *rotation;
    int r;

    assert_int_equal(store_rotation_begin(&rotation, rig->store), 0);
    *steps = 0;
    while ((r = store_rotation_step(rotation, most, done)) > 0)
        ++*steps;
    assert_int_equal(r, 0);
    store_rotation_free(&rotation);
    assert_null(rotation);
}

/* How many sealed values of the patients' tables begin with that generation. */
static int64_t of_generation(struct rig *rig, unsigned generation)
{
    char sql[512];

    (void)snprintf(sql, sizeof(sql),
                   "SELECT (SELECT count(*) FROM visits WHERE substr(payload, 1, 1) = x'%02x')"
                   " + (SELECT count(*) FROM answers WHERE substr(tree, 1, 1) = x'%02x')"
                   " + (SELECT count(*) FROM answers WHERE substr(raw, 1, 1) = x'%02x')"
                   " + (SELECT count(*) FROM links WHERE substr(payload, 1, 1) = x'%02x')",
                   generation, generation, generation, generation);
    return rig_sql_int(rig, sql);
}

static void a_new_master_key_opens_and_the_old_one_does_not(void **state)
{
    struct rig rig;
    struct hand_ring before, after;
    struct secret next = {0};
    char *message;

    (void)state;
    some_visits(&rig);
    hand_ring(&rig, &before);
    assert_int_equal(secret_new(&next, 32), 0);
    memset(next.data, 0xa7, 32);
    next.len = 32;
    assert_int_equal(store_rekey(rig.store, &next), 0);
    all_can_be_read(&rig, 0);
    rig_close(&rig);
    assert_int_equal(rig_try_open(&rig, &message), -EBADMSG);
    free(message);
    memcpy(rig.key.data, next.data, 32);
    rig_open(&rig);
    all_can_be_read(&rig, 0);
    hand_ring(&rig, &after); /* opened by hand with the new master key: the same keys */
    assert_memory_equal(&before, &after, sizeof(before));
    secret_free(&next);
    rig_free(&rig);
}

static void a_master_key_of_the_wrong_length_changes_nothing(void **state)
{
    struct rig rig;
    struct secret next = {0};

    (void)state;
    some_visits(&rig);
    assert_int_equal(secret_new(&next, 32), 0);
    next.len = 31;
    assert_int_equal(store_rekey(rig.store, &next), -EINVAL);
    rig_close(&rig);
    rig_open(&rig);
    all_can_be_read(&rig, 0);
    secret_free(&next);
    rig_free(&rig);
}

static void a_new_payload_key_seals_every_row_anew_and_the_old_key_is_gone(void **state)
{
    struct rig rig;
    struct hand_ring before, after;
    uint8_t *file;
    uint8_t old[512];
    size_t len, old_len;
    uint64_t done;
    unsigned steps;

    (void)state;
    some_visits(&rig);
    hand_ring(&rig, &before);
    old_len = hand_blob(&rig, "answers", "tree", 3, old, sizeof(old));
    assert_int_equal(of_generation(&rig, 1), 4 * VISITS);
    rotate(&rig, 2, &steps, &done);
    assert_int_equal(
        done,
        6 * VISITS + 1); /* payload, tree, raw, link, slip, patient of each; one disaster mode */
    assert_true(steps >= 4 * VISITS / 2);
    assert_int_equal(of_generation(&rig, 1), 0);
    assert_int_equal(of_generation(&rig, 2), 4 * VISITS);
    assert_false(store_rotating(rig.store));
    all_can_be_read(&rig, VISITS * RIG_STEPS + 1); /* one audit row more */
    hand_ring(&rig, &after);
    assert_int_equal(after.payloads, 1);
    assert_int_equal(after.generation[0], 2);
    assert_memory_not_equal(after.payload[0], before.payload[0], 32);
    assert_memory_equal(after.lookup, before.lookup, 32);
    assert_memory_equal(after.audit, before.audit, 32);
    /* Neither the file nor the log of writes still holds what was sealed under the old key. */
    file = rig_file(&rig, "", &len);
    assert_null(memmem(file, len, old, old_len));
    free(file);
    file = rig_file(&rig, "-wal", &len);
    assert_true(file == NULL || memmem(file, len, old, old_len) == NULL);
    free(file);
    rig_close(&rig);
    rig_open(&rig);
    all_can_be_read(&rig, VISITS * RIG_STEPS + 1);
    rig_free(&rig);
}

/* Stopped after every possible number of steps, closed, opened, worked with, and taken up again. */
static void a_rotation_that_stopped_anywhere_is_taken_up_again(void **state)
{
    (void)state;
    for (unsigned stop = 0;; stop++) {
        struct rig rig;
        struct store_rotation *rotation;
        struct store_visit visit;
        uint64_t done;
        unsigned steps;
        int r = 1;

        some_visits(&rig);
        assert_int_equal(store_rotation_begin(&rotation, rig.store), 0);
        for (unsigned i = 0; i < stop && r > 0; i++)
            r = store_rotation_step(rotation, 3, &done);
        store_rotation_free(&rotation);
        rig_close(&rig);
        rig_open(&rig);
        if (r == 0) {
            assert_false(store_rotating(rig.store));
            assert_true(stop > 8);
            rig_free(&rig);
            break;
        }
        assert_true(store_rotating(rig.store));
        all_can_be_read(&rig, 0);
        assert_int_equal(rig_step(&rig, &visit, 1), 0); /* a patient in between */
        rotate(&rig, 3, &steps, &done);
        assert_false(store_rotating(rig.store));
        assert_int_equal(of_generation(&rig, 1), 0);
        assert_int_equal(of_generation(&rig, 2), 4 * VISITS + 1);
        all_can_be_read(&rig, VISITS * RIG_STEPS + 2);
        rig_free(&rig);
    }
}

static void a_damaged_row_does_not_stop_a_rotation(void **state)
{
    struct rig rig;
    struct store_answer answer;
    uint64_t done;
    unsigned steps;

    (void)state;
    some_visits(&rig);
    rig_sql(&rig, "UPDATE answers SET tree = zeroblob(40) WHERE id = 2");
    rotate(&rig, 4, &steps, &done);
    assert_int_equal(done, 6 * VISITS);
    assert_int_equal(store_answer_load(rig.store, 2, &answer), -EBADMSG);
    assert_int_equal(store_answer_load(rig.store, 3, &answer), 0);
    store_answer_free(&answer);
    rig_free(&rig);
}

/* Whatever blob the schema has must either be sealed anew by a rotation or be named here with its
 * reason. */
static void every_blob_of_the_schema_is_rotated_or_has_a_reason(void **state)
{
    static const char *const reasons[] = {
        "meta.value", /* keys: under the master key; audit_head: written anew by each audit row */
        "answers.subject_hash", /* keyed hashes: what was hashed is nowhere kept */
        "visits.subject_hash",
        "links.subject_hash",
        "audit.who", /* covered by the chain's hash */
        "audit.hash",
        "accounts.name_hash",
        "patients.number_hash",
        "patient_keys.key_hash",
        "outbox.same_hash",
        "relay_kept.hash", /* of bytes that were kept */
    };
    struct store_account account = {.name = "sato", .role = 1};
    struct store_outbox entry = {.visit = 1, .target = "receipt", .detail = "16"};
    struct rig rig;
    sqlite3 *db;
    sqlite3_stmt *s;
    char path[128];
    uint64_t done;
    unsigned steps, blobs = 0;

    (void)state;
    some_visits(&rig);
    assert_int_equal(store_account_put(rig.store, &account), 0);
    assert_int_equal(store_outbox_add(rig.store, &entry), 0);
    rotate(&rig, 100, &steps, &done);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_info(t.name) c"
            " WHERE t.schema = 'main' AND t.type = 'table' AND c.type = 'BLOB'",
            -1, &s, NULL),
        SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        char column[128], sql[256];
        bool reason = false;

        (void)snprintf(column, sizeof(column), "%s.%s", sqlite3_column_text(s, 0),
                       sqlite3_column_text(s, 1));
        for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
            reason = reason || strcmp(reasons[i], column) == 0;
        blobs++;
        if (reason)
            continue;
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE substr(%s, 1, 1) = x'02'",
                       sqlite3_column_text(s, 0), sqlite3_column_text(s, 1));
        if (rig_sql_int(&rig, sql) == 0)
            fail_msg("%s is neither sealed anew nor excepted (or this test fills no row of it)",
                     column);
    }
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_true(blobs >= 10);
    rig_free(&rig);
}

/* ---- a database of migration 1, from before there was a ring, made by hand ------------------- */

static void sql_file(sqlite3 *db, const char *path)
{
    const char *source = getenv("UKETSUKE_SOURCE");
    char name[512], *text;
    FILE *file;
    size_t n;

    (void)snprintf(name, sizeof(name), "%s/%s", source != NULL ? source : ".", path);
    file = fopen(name, "re");
    assert_non_null(file);
    text = calloc(1, 1u << 16);
    assert_non_null(text);
    n = fread(text, 1, (1u << 16) - 1, file);
    assert_true(n > 0);
    assert_int_equal(fclose(file), 0);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", path, sqlite3_errmsg(db));
    free(text);
}

static void put_blob(sqlite3 *db, const char *sql, const uint8_t *data, size_t len)
{
    sqlite3_stmt *s;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(s, 1, data, (int)len, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
}

static size_t bound_to(const char *place, uint64_t row, uint8_t out[64])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(row >> (8 * i));
    memcpy(out + 8, place, strlen(place));
    return 8 + strlen(place);
}

static void old_database(struct rig *rig)
{
    uint8_t payload[32], audit[32], bound[64], sealed[256], head[40] = {1}, hash[32], who[64];
    char path[128];
    sqlite3 *db;
    unsigned n = 32;
    size_t len, who_len;

    rig_new_closed(rig);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sql_file(db, "sql/migrations/0001_first.sql");
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    hand_expand(rig, "uketsuke payload", payload);
    hand_expand(rig, "uketsuke audit", audit);
    len = hand_seal(payload, 1, bound, bound_to("meta.key_check", 0, bound), "uketsuke database",
                    18, sealed);
    put_blob(db, "INSERT INTO meta VALUES ('key_check', ?1)", sealed, len);
    len = hand_seal(payload, 1, bound, bound_to("answers.tree", 1, bound), RIG_TREE,
                    strlen(RIG_TREE), sealed);
    put_blob(db,
             "INSERT INTO answers VALUES (1, zeroblob(32), '9910000017', '20260801', 3, 1, 0, "
             "1000, 0, ?1, NULL)",
             sealed, len);
    /* One audit row: zeros, then id, at_us, "step", visit 0, lane 0, who, "1", each text behind its
     * length. */
    who_len = hand_seal(payload, 1, bound, bound_to("audit.who", 1, bound), "x", 1, who);
    {
        uint8_t flat[256] = {0}, *at = flat + 32;

        *at = 1;
        at += 8;
        *at = 5;
        at += 8;
        *at = 4;
        memcpy(at + 4, "step", 4);
        at += 8 + 8 + 2; /* text, visit, lane */
        *at = (uint8_t)who_len;
        memcpy(at + 4, who, who_len);
        at += 4 + who_len;
        *at = 1;
        at[4] = '1';
        at += 5;
        assert_non_null(HMAC(EVP_sha256(), audit, 32, flat, (size_t)(at - flat), hash, &n));
    }
    put_blob(db, "INSERT INTO audit VALUES (1, 5, 'step', 0, 0, ?1, '1', zeroblob(32))", who,
             who_len);
    put_blob(db, "UPDATE audit SET hash = ?1", hash, 32);
    memcpy(head + 8, hash, 32);
    len = hand_seal(payload, 1, bound, bound_to("meta.audit_head", 0, bound), head, sizeof(head),
                    sealed);
    put_blob(db, "INSERT INTO meta VALUES ('audit_head', ?1)", sealed, len);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_database_from_before_the_ring_is_adopted_with_all_it_holds(void **state)
{
    struct rig rig;
    struct hand_ring ring;
    struct store_answer answer;
    uint8_t payload[32], audit[32];
    uint64_t rows, bad, done;
    unsigned steps;

    (void)state;
    old_database(&rig);
    rig_open(&rig);
    hand_expand(&rig, "uketsuke payload", payload);
    hand_expand(&rig, "uketsuke audit", audit);
    hand_ring(&rig, &ring);
    assert_int_equal(ring.payloads, 1);
    assert_memory_equal(ring.payload[0], payload, 32);
    assert_memory_equal(ring.audit, audit, 32);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM meta WHERE name = 'key_check'"), 0);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(store_answer_load(rig.store, 1, &answer), 0);
        assert_memory_equal(answer.tree, RIG_TREE, strlen(RIG_TREE));
        store_answer_free(&answer);
        assert_int_equal(store_audit_verify(rig.store, &rows, &bad), 0);
        assert_int_equal(rows, again + 1);
        if (again == 0)
            rotate(&rig, 10, &steps, &done);
        rig_close(&rig);
        rig_open(&rig);
    }
    rig_free(&rig);
}

static void a_database_from_before_the_ring_is_not_adopted_with_a_wrong_key(void **state)
{
    struct rig rig;
    char *message;

    (void)state;
    old_database(&rig);
    rig.key.data[31] ^= 0x80;
    assert_int_equal(rig_try_open(&rig, &message), -EBADMSG);
    assert_non_null(strstr(message, "database.key"));
    free(message);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM meta WHERE name = 'keys'"), 0);
    rig.key.data[31] ^= 0x80;
    rig_open(&rig);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_master_key_opens_and_the_old_one_does_not),
        cmocka_unit_test(a_master_key_of_the_wrong_length_changes_nothing),
        cmocka_unit_test(a_new_payload_key_seals_every_row_anew_and_the_old_key_is_gone),
        cmocka_unit_test(a_rotation_that_stopped_anywhere_is_taken_up_again),
        cmocka_unit_test(a_damaged_row_does_not_stop_a_rotation),
        cmocka_unit_test(every_blob_of_the_schema_is_rotated_or_has_a_reason),
        cmocka_unit_test(a_database_from_before_the_ring_is_adopted_with_all_it_holds),
        cmocka_unit_test(a_database_from_before_the_ring_is_not_adopted_with_a_wrong_key),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
