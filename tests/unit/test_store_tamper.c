/* A second hand in the file: moved, changed, copied values and a doctored audit log are found. */
#include "store_hand.h"
#include "store_rig.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count(const struct store_visit *visit, void *arg)
{
    (void)visit;
    ++*(int *)arg;
    return 0;
}

static void two_visits(struct rig *rig)
{
    struct store_visit visit;

    rig_new(rig);
    for (unsigned i = 0; i < 2 * RIG_STEPS; i++)
        assert_int_equal(rig_step(rig, &visit, i % RIG_STEPS + 1), 0);
    (void)rig_check(rig, 2 * RIG_STEPS, 2 * RIG_STEPS);
}

static int load_visit(struct rig *rig)
{
    struct store_visit visit;

    return store_visit_load(rig->store, 1, &visit);
}

static int load_answer(struct rig *rig)
{
    struct store_answer answer;
    int r = store_answer_load(rig->store, 1, &answer);

    assert_true(r == 0 || (answer.tree == NULL && answer.raw == NULL));
    store_answer_free(&answer);
    return r;
}

static int today(struct rig *rig)
{
    struct store_answer answer;
    uint8_t subject[32];
    const uint64_t id = 1;
    int r;

    memset(subject, 0x11, sizeof(subject));
    memcpy(subject, &id, sizeof(id));
    r = store_answer_today(rig->store, rig_subject(subject), RIG_INSTITUTION, RIG_DATE, 3, &answer);
    store_answer_free(&answer);
    return r;
}

static int get_link(struct rig *rig)
{
    struct store_numbers numbers;
    uint8_t subject[32];
    const uint64_t id = 1;

    memset(subject, 0x11, sizeof(subject));
    memcpy(subject, &id, sizeof(id));
    return store_link_get(rig->store, subject, &numbers);
}

static const struct {
    const char *sql;
    int (*read)(struct rig *rig);
} moves[] = {
    {"UPDATE visits SET payload = (SELECT payload FROM visits WHERE id = 2) WHERE id = 1",
     load_visit},
    {"UPDATE visits SET payload = (SELECT tree FROM answers WHERE id = 1) WHERE id = 1",
     load_visit},
    {"UPDATE visits SET payload = NULL WHERE id = 1", load_visit},
    {"UPDATE visits SET payload = x'' WHERE id = 1", load_visit},
    {"UPDATE visits SET payload = substr(payload, 1, length(payload) - 1) WHERE id = 1",
     load_visit},
    {"UPDATE visits SET payload = substr(payload, 1, 28) WHERE id = 1", load_visit},
    {"UPDATE visits SET payload = CAST(x'02' || substr(payload, 2) AS BLOB) WHERE id = 1",
     load_visit},
    {"UPDATE answers SET tree = raw WHERE id = 1", load_answer},
    {"UPDATE answers SET raw = tree WHERE id = 1", load_answer},
    {"UPDATE answers SET raw = x'' WHERE id = 1", load_answer},
    {"UPDATE answers SET tree = NULL WHERE id = 1", load_answer},
    {"UPDATE answers SET tree = (SELECT tree FROM answers WHERE id = 2) WHERE id = 1", load_answer},
    {"UPDATE answers SET tree = (SELECT tree FROM answers WHERE id = 2) WHERE id = 1", today},
    {"UPDATE answers SET tree = (SELECT payload FROM visits WHERE id = 1) WHERE id = 1",
     load_answer},
    {"CREATE TEMP TABLE old AS SELECT * FROM links;"
     "UPDATE links SET payload = (SELECT payload FROM old WHERE old.subject_hash <> "
     "links.subject_hash)",
     get_link},
    {"UPDATE links SET payload = (SELECT payload FROM visits WHERE id = 1)", get_link},
};

static void one_damaged_row_does_not_hide_the_others(void **state)
{
    struct rig rig;
    int before = 0, after = 0;

    (void)state;
    two_visits(&rig);
    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 0, 100, false, count, &before), 0);
    rig_sql(&rig,
            "UPDATE visits SET payload = (SELECT payload FROM visits WHERE id = 2) WHERE id = 1");
    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 0, 100, false, count, &after), 0);
    assert_int_equal(after, before - 1);
    rig_free(&rig);
}

static void a_sealed_value_opens_only_in_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        struct rig rig;

        two_visits(&rig);
        assert_int_equal(moves[i].read(&rig), 0);
        rig_sql(&rig, moves[i].sql);
        if (moves[i].read(&rig) != -EBADMSG)
            fail_msg("not found: %s", moves[i].sql);
        rig_free(&rig);
    }
}

static void put_tree(sqlite3_stmt *put, const uint8_t *tree, size_t len)
{
    assert_int_equal(sqlite3_bind_blob(put, 1, tree, (int)len, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(put), SQLITE_DONE);
    assert_int_equal(sqlite3_reset(put), SQLITE_OK);
}

static void a_bit_turned_anywhere_in_a_sealed_value_is_found(void **state)
{
    struct rig rig;
    uint8_t tree[256];
    size_t len;
    sqlite3 *db;
    sqlite3_stmt *get, *put;
    char path[128];

    (void)state;
    two_visits(&rig);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", rig.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT tree FROM answers WHERE id = 1", -1, &get, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "UPDATE answers SET tree = ?1 WHERE id = 1", -1, &put, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(get), SQLITE_ROW);
    len = (size_t)sqlite3_column_bytes(get, 0);
    assert_int_equal(len, strlen(RIG_TREE) + 29); /* version, IV of 12, tag of 16 */
    memcpy(tree, sqlite3_column_blob(get, 0), len);
    assert_int_equal(sqlite3_finalize(get), SQLITE_OK);
    for (size_t at = 0; at < len; at++) {
        tree[at] ^= (uint8_t)(1u << (at % 8));
        put_tree(put, tree, len);
        assert_int_equal(load_answer(&rig), -EBADMSG);
        tree[at] ^= (uint8_t)(1u << (at % 8));
    }
    put_tree(put, tree, len);
    assert_int_equal(load_answer(&rig), 0);
    assert_int_equal(sqlite3_finalize(put), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    rig_free(&rig);
}

static void values_are_sealed_as_documented(void **state)
{
    static const uint8_t bind[] = {1,   0,   0,   0,   0,   0,   0,   0,   'a', 'n',
                                   's', 'w', 'e', 'r', 's', '.', 't', 'r', 'e', 'e'};
    struct rig rig;
    uint8_t sealed[256], plain[256];
    struct hand_ring ring;
    size_t len;

    (void)state;
    two_visits(&rig);
    hand_ring(&rig, &ring);
    assert_int_equal(ring.payloads, 1);
    len = hand_blob(&rig, "answers", "tree", 1, sealed, sizeof(sealed));
    assert_int_equal(sealed[0], ring.generation[0]);
    assert_int_equal(hand_open(ring.payload[0], bind, sizeof(bind), sealed, len, plain),
                     strlen(RIG_TREE));
    assert_memory_equal(plain, RIG_TREE, strlen(RIG_TREE));
    rig_free(&rig);
}

/* ---- the audit log --------------------------------------------------------------------------- */

static const struct {
    const char *sql;
    uint64_t bad; /* the row that is named */
} doctored[] = {
    {"UPDATE audit SET detail = '9' WHERE id = 5", 5},
    {"UPDATE audit SET detail = detail || char(0) || 'x' WHERE id = 5", 5},
    {"UPDATE audit SET event = event || char(0) WHERE id = 1", 1},
    {"UPDATE audit SET event = 'other' WHERE id = 12", 12},
    {"UPDATE audit SET at_us = at_us + 1 WHERE id = 2", 2},
    {"UPDATE audit SET visit = visit + 1 WHERE id = 3", 3},
    {"UPDATE audit SET lane = lane + 65536 WHERE id = 4", 4},
    {"UPDATE audit SET lane = 0 WHERE id = 4", 4},
    {"UPDATE audit SET who = NULL WHERE id = 6", 6},
    {"UPDATE audit SET who = x'' WHERE id = 5", 5},
    {"UPDATE audit SET who = (SELECT who FROM audit WHERE id = 6) WHERE id = 12", 12},
    {"UPDATE audit SET hash = zeroblob(32) WHERE id = 7", 7},
    {"DELETE FROM audit WHERE id = 1", 1},
    {"DELETE FROM audit WHERE id = 6", 6},
    {"DELETE FROM audit WHERE id = 12", 12},
    {"DELETE FROM audit WHERE id > 6", 7},
    {"DELETE FROM audit", 1},
    {"DELETE FROM audit WHERE id = 6; UPDATE audit SET id = id - 1 WHERE id > 6", 6},
    /* 5 and 6 change places with all they hold; the numbers stay in order. */
    {"UPDATE audit SET id = 100 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 6; UPDATE audit "
     "SET id = 6 WHERE id = 100",
     5},
    {"INSERT INTO audit SELECT 13, at_us, event, visit, lane, who, detail, hash FROM audit WHERE "
     "id = 12",
     13},
};

static void a_doctored_audit_log_is_found_and_the_row_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(doctored) / sizeof(doctored[0]); i++) {
        struct rig rig;
        uint64_t rows, bad;

        two_visits(&rig);
        assert_int_equal(store_audit_verify(rig.store, &rows, &bad), 0);
        assert_int_equal(rows, 12);
        assert_int_equal(bad, 0);
        rig_sql(&rig, doctored[i].sql);
        /* Both while it runs and after a restart. */
        for (int again = 0; again < 2; again++) {
            if (store_audit_verify(rig.store, &rows, &bad) != -EBADMSG || bad != doctored[i].bad)
                fail_msg("%s: row %llu is named", doctored[i].sql, (unsigned long long)bad);
            rig_close(&rig);
            rig_open(&rig);
        }
        rig_free(&rig);
    }
}

static void the_head_of_the_chain_can_be_neither_taken_out_nor_made_up(void **state)
{
    static const char *const hands[] = {
        "DELETE FROM meta WHERE name = 'audit_head'",
        "DELETE FROM meta WHERE name = 'audit_head'; DELETE FROM audit",
        ("UPDATE meta SET value = (SELECT value FROM meta WHERE name = 'keys') WHERE name = "
         "'audit_head'"),
        "UPDATE meta SET value = zeroblob(69) WHERE name = 'audit_head'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(hands) / sizeof(hands[0]); i++) {
        struct rig rig;
        char *message;

        two_visits(&rig);
        rig_close(&rig);
        rig_sql(&rig, hands[i]);
        if (rig_try_open(&rig, &message) != -EBADMSG)
            fail_msg("not found: %s", hands[i]);
        assert_non_null(strstr(message, "監査ログ"));
        assert_non_null(strstr(message, "audit log"));
        free(message);
        rig_free(&rig);
    }
}

/* An old head put back over a shortened log: the running desk remembers better, and the next row
 * shows it. */
static void an_old_head_over_a_cut_log_is_found_while_the_desk_runs(void **state)
{
    struct rig rig;
    struct store_visit visit;
    uint64_t rows, bad;

    (void)state;
    rig_new(&rig);
    assert_int_equal(rig_step(&rig, &visit, 1), 0);
    rig_sql(&rig, "CREATE TABLE kept AS SELECT value FROM meta WHERE name = 'audit_head'");
    assert_int_equal(rig_step(&rig, &visit, 2), 0);
    rig_sql(&rig, "UPDATE meta SET value = (SELECT value FROM kept) WHERE name = 'audit_head';"
                  "DELETE FROM audit WHERE id = 2; DROP TABLE kept");
    assert_int_equal(store_audit_verify(rig.store, &rows, &bad), -EBADMSG);
    assert_int_equal(bad, 2);
    rig_free(&rig);
}

/* ---- nothing in the clear -------------------------------------------------------------------- */

static void no_bytes_of_a_person_stand_in_the_files(void **state)
{
    static const char *const needles[] = {
        RIG_NAME,   "見本",     "花子", RIG_KANA, RIG_BIRTH, RIG_INSURER, RIG_STAFF,
        RIG_NUMBER, "00990010", "記号", "P-0042", "XmlMsg",  "限度額",
    };
    /* As it is packed, with its length before it: three bytes alone stand by chance in so many sealed ones. */
    static const char limit_class[] = "\x03\0A01";
    static const char *const suffixes[] = {"", "-wal"};
    struct rig rig;
    struct store_visit visit;
    uint8_t subject[32];
    unsigned files = 0;

    (void)state;
    two_visits(&rig);
    assert_int_equal(store_visit_load(rig.store, 1, &visit), 0);
    memcpy(subject, visit.subject, sizeof(subject));
    for (int closed = 0; closed < 2; closed++) {
        for (size_t f = 0; f < sizeof(suffixes) / sizeof(suffixes[0]); f++) {
            size_t len;
            uint8_t *file = rig_file(&rig, suffixes[f], &len);

            if (file == NULL)
                continue;
            files++;
            for (size_t n = 0; n < sizeof(needles) / sizeof(needles[0]); n++)
                if (memmem(file, len, needles[n], strlen(needles[n])) != NULL)
                    fail_msg("%s stands in uketsuke.db%s", needles[n], suffixes[f]);
            assert_null(memmem(file, len, limit_class, sizeof(limit_class) - 1));
            assert_null(memmem(file, len, subject, sizeof(subject)));
            assert_null(memmem(file, len, rig.key.data, 32));
            free(file);
        }
        if (!closed)
            rig_close(&rig);
    }
    assert_int_equal(files, 3); /* database and log while open, the database when closed */
    rig_free(&rig);
}

static void the_same_person_sealed_twice_is_not_recognized_by_its_bytes(void **state)
{
    struct rig rig;

    (void)state;
    two_visits(&rig);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(DISTINCT payload) FROM visits"), 2);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(DISTINCT substr(payload, 2, 12)) FROM visits"),
                     2);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(DISTINCT substr(tree, 14, 20)) FROM answers"),
                     2);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_value_opens_only_in_its_place),
        cmocka_unit_test(one_damaged_row_does_not_hide_the_others),
        cmocka_unit_test(a_bit_turned_anywhere_in_a_sealed_value_is_found),
        cmocka_unit_test(values_are_sealed_as_documented),
        cmocka_unit_test(a_doctored_audit_log_is_found_and_the_row_named),
        cmocka_unit_test(the_head_of_the_chain_can_be_neither_taken_out_nor_made_up),
        cmocka_unit_test(an_old_head_over_a_cut_log_is_found_while_the_desk_runs),
        cmocka_unit_test(no_bytes_of_a_person_stand_in_the_files),
        cmocka_unit_test(the_same_person_sealed_twice_is_not_recognized_by_its_bytes),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
