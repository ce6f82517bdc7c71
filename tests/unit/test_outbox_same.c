/*
 * A patient's number that is to be registered, after a long outage in which thousands wait: whether the same is on its
 * way or in doubt already is found without opening the others.
 */
#include "quiet_desk.h"
#include "store_rig.h"

#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/outbox.h"
#include "daemon/desk/resume.h"
#include "daemon/store/outbox.h"
#include "daemon/store/sql_text.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000

static struct house {
    struct rig rig;
    struct desk *desk;
    unsigned opened; /* sealed values of any table, since it was set to 0 */
} house;

int __real_seal_open(const struct store *store, const char *place, uint64_t row, const void *sealed,
                     size_t len, uint8_t **out, size_t *out_len);
int __wrap_seal_open(const struct store *store, const char *place, uint64_t row, const void *sealed,
                     size_t len, uint8_t **out, size_t *out_len);
int __wrap_seal_open(const struct store *store, const char *place, uint64_t row, const void *sealed,
                     size_t len, uint8_t **out, size_t *out_len)
{
    house.opened++;
    return __real_seal_open(store, place, row, sealed, len, out, out_len);
}

/* Nobody is there to be asked. */
static void begin(void)
{
    const struct desk_ports ports = quiet_ports(NULL, NULL);
    struct desk_settings settings = {.institution = RIG_INSTITUTION};

    rig_new(&house.rig);
    for (int i = 0; i < VISIT_STATE_COUNT; i++)
        settings.limit_us[i] = 12 * CLOCK_SECOND;
    assert_int_equal(desk_new(&house.desk, house.rig.clock, house.rig.store, &settings, &ports), 0);
    assert_int_equal(
        desk_add_upstream(house.desk, "main", CAPABILITY_BY_NUMBERS | CAPABILITY_REFERENCE_NUMBER),
        0);
    assert_int_equal(desk_add_lane(house.desk, 1, "", 0), 0);
    outbox_references(house.desk, true, 0);
    assert_int_equal(desk_resume(house.desk), 0);
}

static void end(void)
{
    desk_free(&house.desk);
    rig_free(&house.rig);
    memset(&house, 0, sizeof(house));
}

static int64_t waiting(void)
{
    return rig_sql_int(&house.rig, "SELECT count(*) FROM outbox WHERE kind = 3 AND state = 0");
}

/* The n-th patient comes, and is known under a number of the clinic's. How many sealed values were opened for that. */
static unsigned comes(unsigned n, bool anew)
{
    struct store_numbers numbers = {"00990010", "記号", "", "01", RIG_BIRTH};
    struct store_visit visit;

    rig_visit(&visit);
    visit.lane = 1;
    visit.state = VISIT_CLOSED;
    visit.outcome = OUTCOME_ELIGIBLE;
    visit.person.reference[0] = '\0';
    memcpy(visit.subject, &n, sizeof(n));
    (void)snprintf(numbers.number, sizeof(numbers.number), "%u", n);
    (void)snprintf(visit.patient, sizeof(visit.patient), "PT%u", n);
    assert_int_equal(store_begin(house.rig.store), 0);
    assert_int_equal(store_visit_open(house.rig.store, &visit), 0);
    assert_int_equal(store_link_put(house.rig.store, visit.subject, &numbers), 0);
    visit.closed_us = visit.opened_us + 1;
    assert_int_equal(store_visit_save(house.rig.store, &visit), 0);
    house.opened = 0;
    assert_int_equal(outbox_patient_known(house.desk, &visit, anew), 0);
    assert_int_equal(store_commit(house.rig.store), 0);
    return house.opened;
}

static void what_others_wait_for_is_not_opened(void **state)
{
    unsigned first, last = 0, again;

    (void)state;
    begin();
    first = comes(1, false);
    for (unsigned n = 2; n <= MANY; n++)
        last = comes(n, false);
    assert_int_equal(waiting(), MANY);
    /* The card's link, each time, and nothing of the outbox. */
    assert_int_equal(first, 1);
    assert_int_equal(last, first);
    again = comes(MANY / 2, false);
    assert_int_equal(waiting(), MANY);
    assert_int_equal(again, first + 1);
    print_message(
        "while %d registrations wait: sealed values opened for one more %u, for one that waits "
        "already %u\n",
        MANY, last, again);
    end();
}

static void state_of(unsigned n, unsigned to)
{
    struct store_outbox e;

    assert_int_equal(store_outbox_load(house.rig.store, n, &e), 0);
    e.state = (uint8_t)to;
    assert_int_equal(store_outbox_save(house.rig.store, &e), 0);
    store_outbox_free(&e);
}

/* How many wait after the first patient has come again, while what was queued first stands so. */
static int64_t again_while(unsigned stands)
{
    int64_t n;

    begin();
    (void)comes(1, false);
    state_of(1, stands);
    (void)comes(1, false);
    n = waiting();
    end();
    return n;
}

static void it_is_sent_again_only_when_the_first_is_done_or_refused(void **state)
{
    (void)state;
    assert_int_equal(again_while(OUTBOX_WAITING), 1);
    assert_int_equal(again_while(OUTBOX_SENT_MAYBE), 0);
    assert_int_equal(again_while(OUTBOX_DOUBTFUL), 0);
    assert_int_equal(again_while(OUTBOX_DONE), 1);
    assert_int_equal(again_while(OUTBOX_REFUSED), 1);
}

static void somebody_elses_and_another_number_are_not_the_same(void **state)
{
    (void)state;
    begin();
    (void)comes(1, false);
    (void)comes(2, false);
    (void)comes(1, true); /* staff decided it anew */
    assert_int_equal(waiting(), 3);
    end();
}

/* What an earlier version queued has no hash: it is found all the same. */
static void what_an_earlier_version_queued_is_found(void **state)
{
    (void)state;
    begin();
    (void)comes(1, false);
    (void)comes(2, false);
    rig_sql(&house.rig, "UPDATE outbox SET same_hash = NULL");
    assert_int_equal(comes(2, false), 1 + 2); /* in their order */
    assert_int_equal(waiting(), 2);
    /* And as soon as it is saved anew it has one. */
    state_of(1, OUTBOX_DOUBTFUL);
    assert_int_equal(rig_sql_int(&house.rig, "SELECT count(same_hash) FROM outbox"), 1);
    state_of(1, OUTBOX_DONE);
    assert_int_equal(rig_sql_int(&house.rig, "SELECT count(same_hash) FROM outbox"), 0);
    end();
}

static void no_row_is_looked_through_for_it(void **state)
{
    const struct sql_text *text = sql_texts;
    char path[128], sql[2000];
    sqlite3_stmt *s;
    sqlite3 *db;
    unsigned searches = 0;

    (void)state;
    begin();
    while (text->kind != SQL_QUERY || strcmp(text->name, "outbox_same") != 0)
        assert_int_not_equal((text++)->kind, SQL_END);
    (void)snprintf(path, sizeof(path), "%s/uketsuke.db", house.rig.directory);
    (void)snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", text->text);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        const char *plan = (const char *)sqlite3_column_text(s, 3);

        assert_null(strstr(plan, "SCAN"));
        searches += strstr(plan, "SEARCH outbox USING INDEX outbox_same (same_hash=?)") != NULL;
    }
    assert_int_equal(searches, 2);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_wait_for_is_not_opened),
        cmocka_unit_test(it_is_sent_again_only_when_the_first_is_done_or_refused),
        cmocka_unit_test(somebody_elses_and_another_number_are_not_the_same),
        cmocka_unit_test(what_an_earlier_version_queued_is_found),
        cmocka_unit_test(no_row_is_looked_through_for_it),
    };

    quiet_log();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
