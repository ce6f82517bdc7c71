/* Slips, disaster mode, "the same card again": in a real database, sealed, through a reopening. */
#include "store_rig.h"

#include "../../daemon/common/failure.h"
#include "../../daemon/common/visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct store_visit open_visit(struct rig *rig, uint8_t outcome, uint8_t subject)
{
    struct store_visit visit = {.lane = 2, .outcome = outcome, .has_subject = subject != 0};

    memset(visit.subject, subject, sizeof(visit.subject));
    assert_int_equal(store_begin(rig->store), 0);
    assert_int_equal(store_visit_open(rig->store, &visit), 0);
    assert_int_equal(store_commit(rig->store), 0);
    return visit;
}

static struct store_slip a_slip(uint64_t visit)
{
    struct store_slip slip = {.visit = visit,
                              .lane = 2,
                              .kind = SLIP_INTAKE,
                              .state = SLIP_STATE_WAITING,
                              .numbers_known = 1,
                              .date = "20261005",
                              .filed_us = 100,
                              .consent = SLIP_CONSENT_ORAL};

    strcpy(slip.name, "架空　花子");
    strcpy(slip.birth, "19540707");
    strcpy(slip.sex, "2");
    strcpy(slip.address, "架空県見本市例町１－２－３");
    strcpy(slip.phone, "000-0000-0000");
    strcpy(slip.ratio, "020");
    strcpy(slip.numbers.insurer, "06130017");
    strcpy(slip.numbers.number, "4567");
    strcpy(slip.staff, "佐藤");
    return slip;
}

static void a_slip_is_read_as_it_was_written(void **state)
{
    struct store_slip slip, read;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    slip = a_slip(open_visit(&rig, OUTCOME_PENDING, 0).id);
    assert_int_equal(store_slip_load(rig.store, slip.visit, &read), -ENOENT);
    assert_int_equal(store_slip_put(rig.store, &slip), 0);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_slip_load(rig.store, slip.visit, &read), 0);
    assert_memory_equal(&read, &slip, sizeof(slip));
    slip.state = SLIP_STATE_DIFFERENT;
    slip.ended_us = 900;
    strcpy(slip.different, "ratio");
    assert_int_equal(store_slip_put(rig.store, &slip), 0);
    assert_int_equal(store_slip_load(rig.store, slip.visit, &read), 0);
    assert_memory_equal(&read, &slip, sizeof(slip));
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM slips"), 1);
    rig_free(&rig);
}

/* A slip is nobody's without its visit, and goes with it. */
static void a_slip_belongs_to_a_visit(void **state)
{
    struct store_slip slip = a_slip(77);
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_not_equal(store_slip_put(rig.store, &slip), 0);
    slip.visit = open_visit(&rig, OUTCOME_PENDING, 0).id;
    assert_int_equal(store_slip_put(rig.store, &slip), 0);
    rig_close(&rig);
    rig_sql(&rig, "PRAGMA foreign_keys = ON; DELETE FROM visits");
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM slips"), 0);
    rig_open(&rig);
    rig_free(&rig);
}

struct seen {
    uint64_t visits[8];
    size_t n;
};

static int note(const struct store_slip *slip, void *arg)
{
    struct seen *seen = arg;

    seen->visits[seen->n++] = slip->visit;
    return 0;
}

/* Waiting: the longest unasked first. A row that was moved to another visit does not open and keeps nobody else. */
static void slips_are_listed_by_what_is_to_be_done(void **state)
{
    static const struct {
        uint8_t state;
        int64_t asked_us, ended_us;
    } rows[] = {{SLIP_STATE_WAITING, 500, 0}, {SLIP_STATE_NUMBERS, 0, 0},
                {SLIP_STATE_WAITING, 0, 0},   {SLIP_STATE_RECONCILED, 7, 9},
                {SLIP_STATE_WAITING, 400, 0}, {SLIP_STATE_STAFF, 1, 0}};
    static const uint64_t waiting[] = {3, 5, 1}, open[] = {6, 5, 3, 2, 1},
                          all[] = {6, 5, 4, 3, 2, 1};
    struct seen seen = {0};
    struct rig rig;

    (void)state;
    rig_new(&rig);
    for (size_t i = 0; i < 6; i++) {
        struct store_slip slip = a_slip(open_visit(&rig, OUTCOME_PENDING, 0).id);

        assert_int_equal(slip.visit, i + 1);
        slip.state = rows[i].state;
        slip.asked_us = rows[i].asked_us;
        slip.ended_us = rows[i].ended_us;
        assert_int_equal(store_slip_put(rig.store, &slip), 0);
    }
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_WAITING, 0, 10, note, &seen), 0);
    assert_int_equal(seen.n, 3);
    assert_memory_equal(seen.visits, waiting, sizeof(waiting));
    seen.n = 0;
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_OPEN, 0, 10, note, &seen), 0);
    assert_int_equal(seen.n, 5);
    assert_memory_equal(seen.visits, open, sizeof(open));
    seen.n = 0;
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_ALL, 0, 10, note, &seen), 0);
    assert_int_equal(seen.n, 6);
    assert_memory_equal(seen.visits, all, sizeof(all));
    /* Page by page. */
    seen.n = 0;
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_OPEN, 0, 2, note, &seen), 1);
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_OPEN, 5, 2, note, &seen), 1);
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_OPEN, 2, 2, note, &seen), 0);
    assert_int_equal(seen.n, 5);
    assert_memory_equal(seen.visits, open, sizeof(open));
    seen.n = 0;
    rig_close(&rig);
    rig_sql(
        &rig,
        "UPDATE slips SET payload = (SELECT payload FROM slips WHERE visit = 1) WHERE visit = 3");
    rig_open(&rig);
    assert_int_equal(store_slips(rig.store, STORE_SLIPS_WAITING, 0, 10, note, &seen), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.visits[0], 5);
    rig_free(&rig);
}

static void nothing_of_a_slip_lies_in_the_clear(void **state)
{
    struct store_disaster disaster = {.cause = DISASTER_MINISTRY,
                                      .since_us = 5,
                                      .until_us = 6,
                                      .word = "事務連絡四十九号",
                                      .staff = "佐藤"};
    struct store_slip slip;
    struct rig rig;
    uint8_t *file;
    size_t len;

    (void)state;
    rig_new(&rig);
    slip = a_slip(open_visit(&rig, OUTCOME_PENDING, 0).id);
    assert_int_equal(store_slip_put(rig.store, &slip), 0);
    assert_int_equal(store_disaster_put(rig.store, &disaster), 0);
    rig_close(&rig);
    file = rig_file(&rig, "", &len);
    assert_null(memmem(file, len, "架空", strlen("架空")));
    assert_null(memmem(file, len, "見本市", strlen("見本市")));
    assert_null(memmem(file, len, "19540707", 8));
    assert_null(memmem(file, len, "06130017", 8));
    assert_null(memmem(file, len, "事務連絡", strlen("事務連絡")));
    assert_null(memmem(file, len, "佐藤", strlen("佐藤")));
    assert_non_null(memmem(file, len, "20261005",
                           8)); /* the day is no secret, and the search sees what is there */
    free(file);
    rig_open(&rig);
    rig_free(&rig);
}

static void one_disaster_mode_is_open_at_a_time(void **state)
{
    struct store_disaster first = {.cause = DISASTER_MINISTRY,
                                   .since_us = 100,
                                   .until_us = 900,
                                   .word = "一",
                                   .staff = "佐藤"};
    struct store_disaster second = {
        .cause = DISASTER_OUTAGE, .since_us = 200, .until_us = 800, .word = "二", .staff = "鈴木"};
    struct store_disaster read;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_disaster_open(rig.store, &read), -ENOENT);
    assert_int_equal(store_disaster_put(rig.store, &first), 0);
    assert_int_equal(store_disaster_put(rig.store, &second), 0);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_disaster_open(rig.store, &read), 0);
    assert_int_equal(read.cause, DISASTER_OUTAGE);
    assert_int_equal(read.since_us, 200);
    assert_int_equal(read.until_us, 800);
    assert_string_equal(read.word, "二");
    assert_string_equal(read.staff, "鈴木");
    assert_int_equal(store_disaster_end(rig.store, 300), 0);
    assert_int_equal(store_disaster_open(rig.store, &read), -ENOENT);
    assert_int_equal(
        rig_sql_int(&rig, "SELECT count(*) FROM disasters WHERE ended_us IN (200, 300)"), 2);
    rig_free(&rig);
}

/* Only who was received counts; who was turned away or left may well come again. */
static void the_same_card_again_is_found(void **state)
{
    struct store_visit here, other;
    struct rig rig;
    uint32_t n;

    (void)state;
    rig_new(&rig);
    (void)open_visit(&rig, OUTCOME_ELIGIBLE, 1);
    (void)open_visit(&rig, OUTCOME_PENDING, 1);
    (void)open_visit(&rig, OUTCOME_LAST_KNOWN, 1);
    (void)open_visit(&rig, OUTCOME_ABANDONED, 1);
    (void)open_visit(&rig, OUTCOME_REFUSED, 1);
    other = open_visit(&rig, OUTCOME_ELIGIBLE, 2);
    here = open_visit(&rig, OUTCOME_ELIGIBLE, 1);
    assert_int_equal(store_visits_again(rig.store, here.subject, 0, here.id, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(store_visits_again(rig.store, here.subject, here.opened_us + 1, here.id, &n),
                     0);
    assert_int_equal(n, 0);
    assert_int_equal(store_visits_again(rig.store, other.subject, 0, other.id, &n), 0);
    assert_int_equal(n, 0);
    rig_free(&rig);
}

/* A payload of the first version has neither proxy nor relation: it is read with none. */
static void who_came_for_the_patient_is_kept(void **state)
{
    struct store_visit visit, read;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    visit = open_visit(&rig, OUTCOME_ELIGIBLE, 1);
    strcpy(visit.proxy, "架空　一郎");
    strcpy(visit.relation, "子");
    assert_int_equal(store_visit_save(rig.store, &visit), 0);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_visit_load(rig.store, visit.id, &read), 0);
    assert_string_equal(read.proxy, "架空　一郎");
    assert_string_equal(read.relation, "子");
    rig_free(&rig);
}

/* A code is never reused, its place in the table moves: the database has the code (E022 as 5022, V006 as 22006). */
static void failures_stand_by_their_code(void **state)
{
    struct store_visit visit, read;
    struct store_slip slip;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    visit = open_visit(&rig, OUTCOME_ELIGIBLE, 1);
    for (uint16_t failure = FAILURE_NONE; failure < FAILURE_COUNT; failure++) {
        visit.failure = failure;
        assert_int_equal(store_visit_save(rig.store, &visit), 0);
        assert_int_equal(store_visit_load(rig.store, visit.id, &read), 0);
        assert_int_equal(read.failure, failure);
    }
    visit.failure = FAILURE_VISIT_AGAIN;
    assert_int_equal(store_visit_save(rig.store, &visit), 0);
    slip = a_slip(visit.id);
    slip.failure = FAILURE_SLIP_DIFFERENT;
    assert_int_equal(store_slip_put(rig.store, &slip), 0);
    rig_close(&rig);
    assert_int_equal(rig_sql_int(&rig, "SELECT failure FROM visits"), 22006);
    assert_int_equal(rig_sql_int(&rig, "SELECT failure FROM slips"), 5022);
    rig_sql(&rig, "UPDATE visits SET failure = 77");
    rig_open(&rig);
    assert_int_equal(store_visit_load(rig.store, visit.id, &read), 0);
    assert_int_equal(read.failure, FAILURE_NONE);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_is_read_as_it_was_written),
        cmocka_unit_test(a_slip_belongs_to_a_visit),
        cmocka_unit_test(slips_are_listed_by_what_is_to_be_done),
        cmocka_unit_test(nothing_of_a_slip_lies_in_the_clear),
        cmocka_unit_test(one_disaster_mode_is_open_at_a_time),
        cmocka_unit_test(the_same_card_again_is_found),
        cmocka_unit_test(who_came_for_the_patient_is_kept),
        cmocka_unit_test(failures_stand_by_their_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
