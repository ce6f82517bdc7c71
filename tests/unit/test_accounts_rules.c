/* Who may sign in: attempts are counted on the disk, codes are used once, somebody who can let
 * others in is left. */
#include "store_rig.h"

#include "daemon/common/failure.h"
#include "daemon/desk/accounts.h"
#include "daemon/store/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the shape that is asked for; nobody here judges them. */
#define PROOF                                                                                      \
    "$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHRzYWx0c2E$"                                          \
    "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
#define SETUP "setup:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct msg_account_result change_of(struct accounts *a, uint8_t what, const char *name,
                                           uint8_t role, uint32_t epoch)
{
    struct msg_account_change change = {.request = 3, .what = what, .role = role, .epoch = epoch};
    struct msg_account_result out;

    assert_int_equal(MESSAGE_TEXT(change.name, name), 0);
    (void)MESSAGE_TEXT(change.staff, "admin");
    if (what == ACCOUNT_NEW || what == ACCOUNT_RESET) {
        (void)MESSAGE_TEXT(change.proof, SETUP);
    } else if (what == ACCOUNT_SET_UP || what == ACCOUNT_PASSWORD) {
        (void)MESSAGE_TEXT(change.proof, PROOF);
        change.totp.len = 20;
        memset(change.totp.data, 7, 20);
    }
    accounts_change(a, &change, &out);
    assert_int_equal(out.request, 3);
    return out;
}

static struct msg_account query_of(struct accounts *a, const char *name)
{
    struct msg_account_query query = {.request = 4};
    struct msg_account out;

    assert_int_equal(MESSAGE_TEXT(query.name, name), 0);
    accounts_query(a, &query, &out);
    return out;
}

static struct msg_account_result sign_in(struct accounts *a, const char *name, uint8_t result,
                                         uint64_t step)
{
    struct msg_sign_in how = {
        .request = 5, .result = result, .totp_step = step, .epoch = query_of(a, name).epoch};
    struct msg_account_result out;

    assert_int_equal(MESSAGE_TEXT(how.name, name), 0);
    accounts_sign_in(a, &how, &out);
    return out;
}

static void somebody(struct accounts *a, const char *name, uint8_t role)
{
    assert_int_equal(change_of(a, ACCOUNT_NEW, name, role, 0).accepted, 1);
    assert_int_equal(change_of(a, ACCOUNT_SET_UP, name, 0, 0).accepted, 1);
}

static void begin(struct rig *rig, struct accounts *a)
{
    rig_new(rig);
    *a = (struct accounts){rig->store, rig->clock};
    somebody(a, "admin", ROLE_ADMINISTRATOR);
}

static void reopen(struct rig *rig, struct accounts *a)
{
    rig_close(rig);
    rig_open(rig);
    a->store = rig->store;
}

static void a_new_account_has_a_setup_code_and_cannot_sign_in_yet(void **state)
{
    struct rig rig;
    struct accounts a;
    struct msg_account account;

    (void)state;
    begin(&rig, &a);
    assert_int_equal(change_of(&a, ACCOUNT_NEW, "佐藤", ROLE_RECEPTION, 0).accepted, 1);
    account = query_of(&a, "佐藤");
    assert_int_equal(account.found, 1);
    assert_int_equal(account.state, ACCOUNT_SETUP);
    assert_int_equal(account.role, ROLE_RECEPTION);
    assert_string_equal(account.proof, SETUP);
    assert_int_equal(account.totp.len, 0);
    assert_int_equal(sign_in(&a, "佐藤", SIGN_IN_GOOD, 10).failure, FAILURE_ACCOUNT_NOT_SET_UP);
    assert_int_equal(change_of(&a, ACCOUNT_SET_UP, "佐藤", 0, account.epoch).accepted, 1);
    account = query_of(&a, "佐藤");
    assert_int_equal(account.state, ACCOUNT_ACTIVE);
    assert_string_equal(account.proof, PROOF);
    assert_int_equal(account.totp.len, 20);
    assert_int_equal(sign_in(&a, "佐藤", SIGN_IN_GOOD, 10).accepted, 1);
    /* The setup code is used up. */
    assert_int_equal(change_of(&a, ACCOUNT_SET_UP, "佐藤", 0, account.epoch).failure,
                     FAILURE_ACCOUNT_REFUSED);
    rig_free(&rig);
}

static void a_one_time_code_is_taken_once_and_never_an_older_one(void **state)
{
    struct rig rig;
    struct accounts a;

    (void)state;
    begin(&rig, &a);
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 100).accepted, 1);
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 100).failure, FAILURE_ACCOUNT_WRONG);
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 99).failure, FAILURE_ACCOUNT_WRONG);
    reopen(&rig, &a);
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 100).failure, FAILURE_ACCOUNT_WRONG);
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 101).accepted, 1);
    rig_free(&rig);
}

static void wrong_attempts_lock_for_longer_and_longer_and_no_restart_helps(void **state)
{
    static const uint32_t locks[] = {0, 0, 0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
    struct rig rig;
    struct accounts a;

    (void)state;
    begin(&rig, &a);
    for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++) {
        struct msg_account_result r = sign_in(&a, "admin", SIGN_IN_WRONG, 0);

        assert_int_equal(r.accepted, 0);
        assert_int_equal(r.locked_s, locks[i]);
        assert_int_equal(r.failure, locks[i] > 0 ? FAILURE_ACCOUNT_LOCKED : FAILURE_ACCOUNT_WRONG);
        if (locks[i] == 0)
            continue;
        reopen(&rig, &a);
        /* While locked the right password changes nothing, and is not counted either. */
        assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 1000 + i).failure,
                         FAILURE_ACCOUNT_LOCKED);
        assert_int_equal(query_of(&a, "admin").locked_s, locks[i]);
        clock_advance(rig.clock, (locks[i] - 1) * CLOCK_SECOND);
        assert_int_equal(query_of(&a, "admin").locked_s, 1);
        clock_advance(rig.clock, CLOCK_SECOND);
        assert_int_equal(query_of(&a, "admin").locked_s, 0);
    }
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 5000).accepted, 1);
    assert_int_equal(sign_in(&a, "admin", SIGN_IN_WRONG, 0).locked_s,
                     0); /* the count begins anew */
    rig_free(&rig);
}

static void an_unknown_name_is_answered_like_a_wrong_password_and_not_written_down(void **state)
{
    struct rig rig;
    struct accounts a;
    struct msg_account_result known, unknown;
    int64_t rows;

    (void)state;
    begin(&rig, &a);
    known = sign_in(&a, "admin", SIGN_IN_WRONG, 0);
    rows = rig_sql_int(&rig, "SELECT count(*) FROM audit WHERE event = 'sign_in_failed'");
    unknown =
        sign_in(&a, "hunter2", SIGN_IN_WRONG, 0); /* somebody's password, in the wrong field */
    known.epoch = unknown.epoch = 0;
    assert_memory_equal(&known, &unknown, sizeof(known));
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM audit WHERE event = 'sign_in_failed'"),
                     rows + 1);
    assert_int_equal(
        rig_sql_int(&rig,
                    "SELECT count(*) FROM audit WHERE event = 'sign_in_failed' AND who IS NULL"),
        1);
    rig_free(&rig);
}

static void the_last_administrator_stays(void **state)
{
    static const struct {
        uint8_t what, role;
    } ways[] = {{ACCOUNT_ROLE, ROLE_RECEPTION},
                {ACCOUNT_DISABLE, 0},
                {ACCOUNT_REMOVE, 0},
                {ACCOUNT_RESET, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct rig rig;
        struct accounts a;

        begin(&rig, &a);
        somebody(&a, "uke", ROLE_RECEPTION);
        /* One who was never set up cannot let anybody in. */
        assert_int_equal(change_of(&a, ACCOUNT_NEW, "later", ROLE_ADMINISTRATOR, 0).accepted, 1);
        assert_int_equal(change_of(&a, ways[i].what, "admin", ways[i].role, 0).failure,
                         FAILURE_ACCOUNT_REFUSED);
        assert_int_equal(sign_in(&a, "admin", SIGN_IN_GOOD, 10).accepted, 1);
        assert_int_equal(change_of(&a, ACCOUNT_SET_UP, "later", 0, 0).accepted, 1);
        assert_int_equal(change_of(&a, ways[i].what, "admin", ways[i].role, 0).accepted, 1);
        rig_free(&rig);
    }
}

static void every_change_ends_the_sessions_of_before(void **state)
{
    static const uint8_t ways[] = {ACCOUNT_PASSWORD, ACCOUNT_RESET, ACCOUNT_ROLE, ACCOUNT_DISABLE};

    (void)state;
    for (size_t i = 0; i < sizeof(ways); i++) {
        struct rig rig;
        struct accounts a;
        uint32_t before;

        begin(&rig, &a);
        somebody(&a, "uke", ROLE_RECEPTION);
        before = query_of(&a, "uke").epoch;
        assert_int_equal(change_of(&a, ways[i], "uke", ROLE_CLINICIAN, before).accepted, 1);
        assert_true(query_of(&a, "uke").epoch > before);
        /* and a result that was judged before the change lets nobody in */
        {
            struct msg_sign_in late = {.result = SIGN_IN_GOOD, .totp_step = 50, .epoch = before};
            struct msg_account_result out;

            (void)MESSAGE_TEXT(late.name, "uke");
            accounts_sign_in(&a, &late, &out);
            assert_int_equal(out.accepted, 0);
        }
        rig_free(&rig);
    }
}

static void a_disabled_account_is_enabled_again(void **state)
{
    struct rig rig;
    struct accounts a;

    (void)state;
    begin(&rig, &a);
    somebody(&a, "uke", ROLE_RECEPTION);
    assert_int_equal(change_of(&a, ACCOUNT_ENABLE, "uke", 0, 0).failure, FAILURE_ACCOUNT_REFUSED);
    assert_int_equal(change_of(&a, ACCOUNT_DISABLE, "uke", 0, 0).accepted, 1);
    assert_int_equal(sign_in(&a, "uke", SIGN_IN_GOOD, 9).accepted, 0);
    assert_int_equal(change_of(&a, ACCOUNT_PASSWORD, "uke", 0, query_of(&a, "uke").epoch).accepted,
                     0);
    assert_int_equal(change_of(&a, ACCOUNT_ENABLE, "uke", 0, 0).accepted, 1);
    assert_int_equal(sign_in(&a, "uke", SIGN_IN_GOOD, 10).accepted, 1);
    assert_int_equal(change_of(&a, ACCOUNT_REMOVE, "uke", 0, 0).accepted, 1);
    assert_int_equal(query_of(&a, "uke").found, 0);
    assert_int_equal(change_of(&a, ACCOUNT_REMOVE, "uke", 0, 0).failure, FAILURE_ACCOUNT_REFUSED);
    rig_free(&rig);
}

static void what_is_malformed_is_named(void **state)
{
    static const struct {
        uint8_t what, role;
        const char *name, *proof;
        uint32_t totp;
        const char *staff, *field;
    } wrong[] = {
        {0, 1, "x", SETUP, 0, "admin", "what"},
        {9, 1, "x", SETUP, 0, "admin", "what"},
        {ACCOUNT_NEW, 1, "", SETUP, 0, "admin", "name"},
        {ACCOUNT_NEW, 1, " x", SETUP, 0, "admin", "name"},
        {ACCOUNT_NEW, 1, "x\n", SETUP, 0, "admin", "name"},
        {ACCOUNT_NEW, 0, "x", SETUP, 0, "admin", "role"},
        {ACCOUNT_NEW, 4, "x", SETUP, 0, "admin", "role"},
        {ACCOUNT_NEW, 1, "x", PROOF, 0, "admin", "proof"},
        {ACCOUNT_NEW, 1, "x", "setup:12", 0, "admin", "proof"},
        {ACCOUNT_SET_UP, 0, "x", SETUP, 20, "admin", "proof"},
        {ACCOUNT_SET_UP, 0, "x", "$2y$10$abc", 20, "admin", "proof"},
        {ACCOUNT_SET_UP, 0, "x", PROOF, 15, "admin", "totp"},
        {ACCOUNT_NEW, 1, "x", SETUP, 0, "", "staff"},
    };
    struct rig rig;
    struct accounts a;

    (void)state;
    begin(&rig, &a);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct msg_account_change change = {
            .what = wrong[i].what, .role = wrong[i].role, .totp.len = wrong[i].totp};
        struct msg_account_result out;

        (void)MESSAGE_TEXT(change.name, wrong[i].name);
        (void)MESSAGE_TEXT(change.proof, wrong[i].proof);
        (void)MESSAGE_TEXT(change.staff, wrong[i].staff);
        accounts_change(&a, &change, &out);
        assert_int_equal(out.accepted, 0);
        assert_string_equal(out.field, wrong[i].field);
    }
    assert_int_equal(change_of(&a, ACCOUNT_NEW, "admin", 1, 0).failure,
                     FAILURE_ACCOUNT_REFUSED); /* given already */
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM accounts"), 1);
    rig_free(&rig);
}

static void names_and_secrets_are_sealed(void **state)
{
    struct rig rig;
    struct accounts a;
    struct store_account account;
    uint8_t *file;
    size_t len;

    (void)state;
    begin(&rig, &a);
    somebody(&a, "tanaka.hanako", ROLE_CLINICIAN);
    rig_close(&rig);
    file = rig_file(&rig, "", &len);
    assert_null(memmem(file, len, "tanaka", 6));
    assert_null(memmem(file, len, "argon2id", 8));
    free(file);
    rig_open(&rig);
    /* A row of one under the name of another does not open. */
    rig_sql(&rig, "UPDATE accounts SET payload = (SELECT payload FROM accounts LIMIT 1)");
    a.store = rig.store;
    assert_true((store_account_get(rig.store, "tanaka.hanako", &account) < 0) +
                    (store_account_get(rig.store, "admin", &account) < 0) ==
                1);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_account_has_a_setup_code_and_cannot_sign_in_yet),
        cmocka_unit_test(a_one_time_code_is_taken_once_and_never_an_older_one),
        cmocka_unit_test(wrong_attempts_lock_for_longer_and_longer_and_no_restart_helps),
        cmocka_unit_test(an_unknown_name_is_answered_like_a_wrong_password_and_not_written_down),
        cmocka_unit_test(the_last_administrator_stays),
        cmocka_unit_test(every_change_ends_the_sessions_of_before),
        cmocka_unit_test(a_disabled_account_is_enabled_again),
        cmocka_unit_test(what_is_malformed_is_named),
        cmocka_unit_test(names_and_secrets_are_sealed),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
