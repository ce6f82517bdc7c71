/* What is put in comes out: visits, answers, links, consents, asks, audit; transactions; purging; counts. */
#include "../../daemon/common/failure.h"
#include "store_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void a_visit_comes_back_field_by_field(void **state)
{
    struct rig rig;
    struct store_visit in, out;
    struct store_answer answer;

    (void)state;
    rig_new(&rig);
    rig_answer(&answer);
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"s", 1}, &answer), 0);
    memset(&in, 0, sizeof(in));
    rig_visit(&in);
    assert_int_equal(store_visit_open(rig.store, &in), 0);
    assert_int_equal(in.id, 1);
    assert_int_equal(in.step, 1);
    assert_int_equal(in.opened_us, 1785542400000000);
    in.lane = 65535;
    in.state = 201;
    in.method = 202;
    in.outcome = 203;
    in.failure = FAILURE_VISIT_LOOK;
    in.flags = UINT32_MAX;
    in.closed_us = INT64_MAX;
    in.record = 1;
    in.challenge = 2;
    in.liveness = 3;
    in.score_milli = -417;
    in.consents = 0x80000001;
    in.face_failed = 1;
    in.card_ms = 11;
    in.photo_ms = 12;
    in.face_ms = 13;
    in.pin_ms = 14;
    in.ask_ms = 15;
    in.total_ms = UINT32_MAX;
    in.apdus = 17;
    in.frames = 18;
    in.answer = answer.id;
    in.match = 8;
    strcpy(in.patient, "PT000456");
    strcpy(in.alias, "髙橋　花子");
    strcpy(in.candidates, "PT1\t高橋\tname\n");
    strcpy(in.since, "20260701");
    strcpy(in.changes, "ratio\t020\t030\n");
    assert_int_equal(store_visit_save(rig.store, &in), 0);
    assert_int_equal(in.step, 2);
    rig_close(&rig);
    rig_open(&rig);
    memset(&out, 0xaa, sizeof(out));
    assert_int_equal(store_visit_load(rig.store, 1, &out), 0);
#define SAME(field) assert_int_equal(out.field, in.field)
    SAME(id), SAME(lane), SAME(state), SAME(method), SAME(outcome), SAME(failure), SAME(flags),
        SAME(step);
    SAME(opened_us), SAME(closed_us), SAME(record), SAME(challenge), SAME(liveness),
        SAME(score_milli);
    SAME(consents), SAME(face_failed), SAME(card_ms), SAME(photo_ms), SAME(face_ms), SAME(pin_ms),
        SAME(ask_ms);
    SAME(total_ms), SAME(apdus), SAME(frames), SAME(answer), SAME(has_subject);
#undef SAME
    assert_memory_equal(out.subject, in.subject, 32);
#define SAME(field) assert_string_equal(out.field, in.field)
    SAME(person.name), SAME(person.kana), SAME(person.birth), SAME(person.sex),
        SAME(person.reference);
    SAME(person.insurer), SAME(validity), SAME(ratio), SAME(limit_class), SAME(notice), SAME(staff);
    SAME(patient), SAME(alias), SAME(candidates), SAME(since), SAME(changes);
    assert_int_equal(out.match, in.match);
#undef SAME
    store_answer_free(&answer);
    rig_free(&rig);
}

static void a_visit_without_a_card_has_no_subject_and_full_fields_fit(void **state)
{
    struct rig rig;
    struct store_visit in = {0}, out;

    (void)state;
    rig_new(&rig);
    memset(in.person.name, 'n', sizeof(in.person.name) - 1);
    memset(in.notice, 'o', sizeof(in.notice) - 1);
    memset(in.staff, 's', sizeof(in.staff) - 1);
    assert_int_equal(store_visit_open(rig.store, &in), 0);
    assert_int_equal(store_visit_load(rig.store, in.id, &out), 0);
    assert_false(out.has_subject);
    assert_string_equal(out.person.name, in.person.name);
    assert_string_equal(out.notice, in.notice);
    assert_string_equal(out.staff, in.staff);
    assert_int_equal(
        rig_sql_int(&rig,
                    "SELECT count(*) FROM visits WHERE subject_hash IS NULL AND answer IS NULL"),
        1);
    /* Text without an end is refused, not cut. */
    in.staff[sizeof(in.staff) - 1] = 's';
    assert_int_equal(store_visit_save(rig.store, &in), -EINVAL);
    assert_int_equal(in.step, 1);
    assert_int_equal(store_visit_open(rig.store, &in), -EINVAL);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM visits"), 1); /* no half a visit */
    rig_free(&rig);
}

static void what_is_not_there_is_said_to_be_so(void **state)
{
    struct rig rig;
    struct store_visit visit;
    struct store_answer answer;
    struct store_numbers numbers;
    struct store_ask ask = {.visit = 77, .correlation = "c"};
    uint8_t subject[32] = {0};

    (void)state;
    rig_new(&rig);
    rig_visit(&visit);
    visit.id = 9;
    assert_int_equal(store_visit_save(rig.store, &visit), -ENOENT);
    assert_int_equal(visit.step, 0);
    assert_int_equal(store_visit_load(rig.store, 9, &visit), -ENOENT);
    assert_int_equal(store_answer_load(rig.store, 9, &answer), -ENOENT);
    assert_int_equal(
        store_answer_last(rig.store, rig_subject(subject), RIG_INSTITUTION, RIG_DATE, &answer),
        -ENOENT);
    assert_int_equal(
        store_answer_today(rig.store, rig_subject(subject), RIG_INSTITUTION, RIG_DATE, 0, &answer),
        -ENOENT);
    assert_null(answer.tree);
    assert_int_equal(store_link_get(rig.store, subject, &numbers), -ENOENT);
    assert_int_equal(store_ask_end(rig.store, 9, 0), -ENOENT);
    assert_true(store_ask_begin(rig.store, &ask) < 0); /* of no visit */
    assert_true(store_consent_put(rig.store, 77, 1, true, 1, 2) < 0);
    rig_free(&rig);
}

struct list {
    uint64_t ids[16];
    int n;
    int stop_after;
};

static int note_visit(const struct store_visit *visit, void *arg)
{
    struct list *list = arg;

    list->ids[list->n++] = visit->id;
    return list->n == list->stop_after;
}

static void visits_are_listed_newest_first_within_their_time(void **state)
{
    struct rig rig;
    struct store_visit visits[5];
    struct list list = {0};
    int64_t start;

    (void)state;
    rig_new(&rig);
    start = (int64_t)clock_realtime_us(rig.clock);
    for (int i = 0; i < 5; i++) {
        rig_visit(&visits[i]);
        assert_int_equal(store_visit_open(rig.store, &visits[i]), 0);
        (void)clock_advance(rig.clock, 10);
    }
    visits[1].closed_us = visits[3].closed_us = start;
    assert_int_equal(store_visit_save(rig.store, &visits[1]), 0);
    assert_int_equal(store_visit_save(rig.store, &visits[3]), 0);

    /* since is in, until is out */
    assert_int_equal(
        store_visits(rig.store, start + 10, start + 40, 0, 100, false, note_visit, &list), 0);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.ids[0], 4);
    assert_int_equal(list.ids[1], 3);
    assert_int_equal(list.ids[2], 2);
    list = (struct list){0};
    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 0, 2, false, note_visit, &list), 1);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.ids[1], 4);
    list = (struct list){0};
    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 0, 100, true, note_visit, &list), 0);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.ids[0], 5);
    assert_int_equal(list.ids[2], 1);
    list = (struct list){.stop_after = 1};
    assert_int_equal(store_visits(rig.store, 0, INT64_MAX, 0, 100, false, note_visit, &list), 0);
    assert_int_equal(list.n, 1);
    rig_free(&rig);
}

/* Some at the same moment, and one whose row does not open: every other one comes, once. */
static void a_long_list_comes_page_by_page(void **state)
{
    enum { VISITS = 11, PAGE = 3 };
    struct rig rig;
    struct list list = {0};
    struct store_visit visit;
    uint64_t before = 0;
    unsigned pages = 0;
    int r;

    (void)state;
    rig_new(&rig);
    for (unsigned i = 0; i < VISITS; i++) {
        rig_visit(&visit);
        assert_int_equal(store_visit_open(rig.store, &visit), 0);
        if (i % 4 == 3)
            (void)clock_advance(rig.clock, 10);
    }
    rig_close(&rig);
    rig_sql(&rig, "UPDATE visits SET payload = zeroblob(64) WHERE id = 9");
    rig_open(&rig);
    do {
        r = store_visits(rig.store, 0, INT64_MAX, before, PAGE, false, note_visit, &list);
        before = list.ids[list.n - 1];
        pages++;
    } while (r == 1 && pages < VISITS);
    assert_int_equal(r, 0);
    assert_int_equal(list.n, VISITS - 1);
    for (unsigned i = 0; i < VISITS - 1; i++)
        assert_int_equal(list.ids[i], VISITS - i - (i >= 2));
    rig_free(&rig);
}

/* ---- answers --------------------------------------------------------------------------------- */

static uint64_t put_answer(struct rig *rig, const char *subject, const char *date,
                           uint32_t consents, uint8_t usable, int64_t at)
{
    struct store_answer answer;
    uint64_t id;

    rig_answer(&answer);
    (void)strcpy(answer.date, date);
    answer.consents = consents;
    answer.usable = usable;
    answer.failure = usable ? FAILURE_NONE : FAILURE_ELIGIBILITY_INVALID;
    answer.answered_us = at;
    assert_int_equal(
        store_answer_put(rig->store, (struct store_subject){subject, strlen(subject)}, &answer), 0);
    id = answer.id;
    store_answer_free(&answer);
    return id;
}

/* The answer's id, or the error. */
static int64_t today(struct rig *rig, const char *subject, const char *institution,
                     const char *date, uint32_t consents)
{
    struct store_answer answer;
    int r = store_answer_today(rig->store, (struct store_subject){subject, strlen(subject)},
                               institution, date, consents, &answer);
    int64_t id = r == 0 ? (int64_t)answer.id : r;

    store_answer_free(&answer);
    return id;
}

static int64_t last(struct rig *rig, const char *subject, const char *institution,
                    const char *until)
{
    struct store_answer answer;
    int r = store_answer_last(rig->store, (struct store_subject){subject, strlen(subject)},
                              institution, until, &answer);
    int64_t id = r == 0 ? (int64_t)answer.id : r;

    store_answer_free(&answer);
    return id;
}

static void the_newest_answer_tells_the_caches_age(void **state)
{
    struct store_status status;
    struct rig rig;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_status(rig.store, &status), 0);
    assert_int_equal(status.newest_answer_us, 0);
    (void)put_answer(&rig, "one", "20261122", 7, 1, 5000);
    (void)put_answer(&rig, "two", "20261122", 7, 0, 9000);
    (void)put_answer(&rig, "three", "20261122", 7, 1, 7000);
    assert_int_equal(store_status(rig.store, &status), 0);
    assert_int_equal(status.newest_answer_us, 9000);
    rig_free(&rig);
}

static void todays_answer_is_of_this_person_day_place_and_consents(void **state)
{
    struct rig rig;
    uint64_t first, second;

    (void)state;
    rig_new(&rig);
    (void)put_answer(&rig, "a", "20260731", 3, 1, 50);
    first = put_answer(&rig, "a", "20260801", 3, 1, 100);
    (void)put_answer(&rig, "a", "20260801", 7, 1, 110);
    (void)put_answer(&rig, "b", "20260801", 3, 1, 120);
    assert_int_equal(today(&rig, "a", RIG_INSTITUTION, "20260801", 3), first);
    assert_int_equal(today(&rig, "a", RIG_INSTITUTION, "20260801", 1), -ENOENT);
    assert_int_equal(today(&rig, "a", RIG_INSTITUTION, "20260802", 3), -ENOENT);
    assert_int_equal(today(&rig, "a", "9910000018", "20260801", 3), -ENOENT);
    assert_int_equal(today(&rig, "c", RIG_INSTITUTION, "20260801", 3), -ENOENT);
    second = put_answer(&rig, "a", "20260801", 3, 0, 130); /* newer, also when it is not usable */
    assert_int_equal(today(&rig, "a", RIG_INSTITUTION, "20260801", 3), second);
    rig_free(&rig);
}

static void the_last_known_answer_is_the_newest_usable_one(void **state)
{
    struct rig rig;
    uint64_t good, ahead;

    (void)state;
    rig_new(&rig);
    (void)put_answer(&rig, "a", "20260601", 3, 1, 50);
    good = put_answer(&rig, "a", "20260701", 1, 1, 200);
    (void)put_answer(&rig, "a", "20260702", 3, 0, 300);
    (void)put_answer(&rig, "a", "20260501", 3, 1, 100); /* stored later, answered earlier */
    assert_int_equal(last(&rig, "a", RIG_INSTITUTION, "20260702"), good);
    assert_int_equal(last(&rig, "a", "9910000018", "20260702"), -ENOENT);
    assert_int_equal(last(&rig, "b", RIG_INSTITUTION, "20260702"), -ENOENT);
    /* What was asked ahead about a later day is known on that day, not before. */
    ahead = put_answer(&rig, "a", "20260801", 0, 1, 400);
    assert_int_equal(last(&rig, "a", RIG_INSTITUTION, "20260731"), good);
    assert_int_equal(last(&rig, "a", RIG_INSTITUTION, "20260801"), ahead);
    assert_int_equal(last(&rig, "a", RIG_INSTITUTION, "20260430"), -ENOENT);
    rig_free(&rig);
}

static void an_answer_comes_back_whole(void **state)
{
    struct rig rig;
    struct store_answer in, out;

    (void)state;
    rig_new(&rig);
    rig_answer(&in);
    in.failure = 12;
    in.available_until_us = 777;
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &in), 0);
    assert_int_equal(store_answer_load(rig.store, in.id, &out), 0);
    assert_string_equal(out.institution, RIG_INSTITUTION);
    assert_string_equal(out.date, RIG_DATE);
    assert_int_equal(out.consents, 3);
    assert_int_equal(out.usable, 1);
    assert_int_equal(out.failure, 12);
    assert_int_equal(out.answered_us, 1000);
    assert_int_equal(out.available_until_us, 777);
    assert_int_equal(out.tree_len, strlen(RIG_TREE));
    assert_memory_equal(out.tree, RIG_TREE, out.tree_len);
    assert_int_equal(out.raw_len, strlen(RIG_RAW));
    assert_memory_equal(out.raw, RIG_RAW, out.raw_len);
    store_answer_free(&out);
    assert_null(out.tree);
    /* raw may be missing, and empty is not missing; the tree may not. */
    free(in.raw);
    in.raw = NULL;
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &in), 0);
    assert_int_equal(store_answer_load(rig.store, in.id, &out), 0);
    assert_null(out.raw);
    store_answer_free(&out);
    in.raw = malloc(1);
    in.raw_len = 0;
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &in), 0);
    assert_int_equal(store_answer_load(rig.store, in.id, &out), 0);
    assert_non_null(out.raw);
    assert_int_equal(out.raw_len, 0);
    store_answer_free(&out);
    free(in.tree);
    in.tree = NULL;
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &in), -EINVAL);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM answers"), 3);
    store_answer_free(&in);
    rig_free(&rig);
}

/* Nine MiB is the bound of a sealed value, its own 29 bytes counted. */
static void what_was_accepted_can_be_read_again_up_to_the_bound(void **state)
{
    static const size_t most = (9u << 20) - 29;
    struct rig rig;
    struct store_answer in, out;

    (void)state;
    rig_new(&rig);
    rig_answer(&in);
    free(in.raw);
    in.raw = calloc(1, most + 1);
    assert_non_null(in.raw);
    in.raw[most - 1] = 'z';
    in.raw_len = most;
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &in), 0);
    assert_int_equal(store_answer_load(rig.store, in.id, &out), 0);
    assert_int_equal(out.raw_len, most);
    assert_memory_equal(out.raw, in.raw, most);
    store_answer_free(&out);
    in.raw_len = most + 1;
    assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &in), -E2BIG);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM answers"), 1);
    store_answer_free(&in);
    rig_free(&rig);
}

static void purging_takes_what_is_past_its_time_and_only_that(void **state)
{
    struct rig rig;
    struct store_visit visit;
    struct store_answer answer, out;
    static const int64_t until[] = {0, 100, 101};

    (void)state;
    rig_new(&rig);
    rig_visit(&visit);
    assert_int_equal(store_visit_open(rig.store, &visit), 0);
    for (int i = 0; i < 3; i++) {
        rig_answer(&answer);
        answer.available_until_us = until[i];
        assert_int_equal(store_answer_put(rig.store, (struct store_subject){"x", 1}, &answer), 0);
        store_answer_free(&answer);
    }
    assert_int_equal(store_consents_answered(rig.store, visit.id), 0);
    assert_int_equal(store_consent_put(rig.store, visit.id, 1, true, 1, 100), 0);
    assert_int_equal(store_consents_answered(rig.store, visit.id), 1);
    assert_int_equal(store_consents_answered(rig.store, visit.id + 1), 0);
    assert_int_equal(store_consent_put(rig.store, visit.id, 2, true, 1, 101), 0);
    assert_int_equal(store_purge(rig.store, 99), 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM consents"), 2);
    assert_int_equal(store_purge(rig.store, 100), 1);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM consents"), 1);
    assert_int_equal(rig_sql_int(&rig, "SELECT kind FROM consents"), 2);
    assert_int_equal(store_purge(rig.store, 100), 0); /* once */
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(store_answer_load(rig.store, id, &out), 0);
        assert_int_equal(out.raw == NULL, id == 2);
        assert_non_null(out.tree);
        store_answer_free(&out);
    }
    rig_free(&rig);
}

/* ---- links, asks ----------------------------------------------------------------------------- */

static void a_link_is_replaced_by_the_next_one(void **state)
{
    struct rig rig;
    struct store_numbers in = {"00990010", "記号", RIG_NUMBER, "01", RIG_BIRTH}, out;
    uint8_t subject[32] = {1, 2, 3}, other[32] = {1, 2, 4};

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_link_put(rig.store, subject, &in), 0);
    (void)strcpy(in.number, "2");
    (void)strcpy(in.symbol, ""); /* 75 and older have none */
    assert_int_equal(store_link_put(rig.store, subject, &in), 0);
    memset(&out, 0xaa, sizeof(out));
    assert_int_equal(store_link_get(rig.store, subject, &out), 0);
    assert_string_equal(out.insurer, "00990010");
    assert_string_equal(out.symbol, "");
    assert_string_equal(out.number, "2");
    assert_string_equal(out.branch, "01");
    assert_string_equal(out.birth, RIG_BIRTH);
    assert_int_equal(store_link_get(rig.store, other, &out), -ENOENT);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM links"), 1);
    memset(in.branch, '1', sizeof(in.branch));
    assert_int_equal(store_link_put(rig.store, other, &in), -EINVAL);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM links"), 1);
    rig_free(&rig);
}

static int note_ask(const struct store_ask *ask, void *arg)
{
    struct list *list = arg;

    if (list->n == 0) {
        assert_int_equal(ask->kind, 7);
        assert_int_equal(ask->writes, 1);
        assert_int_equal(ask->visit, 1);
        assert_int_equal(ask->outcome, 255);
        assert_int_equal(ask->ended_us, 0);
        assert_true(ask->asked_us > 0);
        assert_int_equal(strlen(ask->correlation), 50);
    }
    list->ids[list->n++] = ask->id;
    return list->n == list->stop_after;
}

static void open_asks_are_those_begun_and_not_ended(void **state)
{
    struct rig rig;
    struct store_visit visit;
    struct store_ask a = {.visit = 1, .kind = 7, .writes = 1}, b = {.visit = 1, .correlation = "b"},
                     c = {.visit = 1, .correlation = "c"};
    struct list list = {0};

    (void)state;
    rig_new(&rig);
    rig_visit(&visit);
    assert_int_equal(store_visit_open(rig.store, &visit), 0);
    memset(a.correlation, 'a', 50);
    assert_int_equal(store_ask_begin(rig.store, &a), 0);
    assert_int_equal(store_ask_begin(rig.store, &b), 0);
    assert_int_equal(store_ask_begin(rig.store, &c), 0);
    assert_true(store_ask_begin(rig.store, &b) < 0); /* a correlation is used once */
    (void)clock_advance(rig.clock, 500);
    assert_int_equal(store_ask_end(rig.store, 2, 4), 0);
    assert_int_equal(
        rig_sql_int(&rig, "SELECT ended_us - asked_us FROM asks WHERE id = 2 AND outcome = 4"),
        500);
    assert_int_equal(store_asks_open(rig.store, note_ask, &list), 0);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.ids[0], 1);
    assert_int_equal(list.ids[1], 3);
    list = (struct list){.stop_after = 1};
    assert_int_equal(store_asks_open(rig.store, note_ask, &list), 0);
    assert_int_equal(list.n, 1);
    rig_free(&rig);
}

/* ---- transactions, audit, counts ------------------------------------------------------------- */

static void a_step_is_all_or_nothing_and_rolls_the_chain_back(void **state)
{
    struct rig rig;
    struct store_visit visit;
    struct store_status status;
    uint64_t rows, bad;

    (void)state;
    rig_new(&rig);
    assert_int_equal(store_commit(rig.store), -EINVAL);
    store_rollback(rig.store); /* of nothing */
    assert_int_equal(rig_step(&rig, &visit, 1), 0);
    assert_int_equal(store_begin(rig.store), 0);
    assert_int_equal(store_begin(rig.store), -EBUSY);
    assert_int_equal(store_visit_save(rig.store, &visit), 0);
    assert_int_equal(store_audit(rig.store, "gone", 1, 1, RIG_STAFF, ""), 0);
    assert_int_equal(store_audit(rig.store, "gone too", 1, 1, "", ""), 0);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM audit"),
                     1); /* another sees nothing before the commit */
    store_rollback(rig.store);
    visit.step--;
    (void)rig_check(&rig, 1, 1);
    assert_int_equal(rig_step(&rig, &visit, 2), 0); /* the chain goes on from where it was */
    (void)rig_check(&rig, 2, 2);
    /* Closing in the middle of a step undoes it. */
    assert_int_equal(store_begin(rig.store), 0);
    assert_int_equal(store_audit(rig.store, "gone", 1, 1, "", ""), 0);
    rig_close(&rig);
    rig_open(&rig);
    (void)rig_check(&rig, 2, 2);
    assert_int_equal(store_audit_verify(rig.store, &rows, &bad), 0);
    assert_int_equal(rows, 2);
    assert_int_equal(store_status(rig.store, &status), 0);
    assert_int_equal(status.commits, 0); /* of this process */
    assert_int_equal(rig_step(&rig, &visit, 3), 0);
    assert_int_equal(store_status(rig.store, &status), 0);
    assert_int_equal(status.commits, 1);
    rig_free(&rig);
}

static void an_audit_row_alone_is_a_step_of_its_own_and_text_has_a_bound(void **state)
{
    struct rig rig;
    char longest[258];
    uint64_t rows, bad;

    (void)state;
    rig_new(&rig);
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    assert_int_equal(store_audit(rig.store, longest, UINT64_C(1) << 40, 65535, longest, longest),
                     0);
    longest[256] = 'x';
    longest[257] = '\0';
    assert_int_equal(store_audit(rig.store, longest, 1, 1, "", ""), -EINVAL);
    assert_int_equal(store_audit(rig.store, "", 1, 1, longest, ""), -EINVAL);
    assert_int_equal(store_audit(rig.store, "", 1, 1, "", longest), -EINVAL);
    assert_int_equal(store_audit(rig.store, "", 0, 0, "", ""), 0);
    rig_close(&rig);
    rig_open(&rig);
    assert_int_equal(store_audit_verify(rig.store, &rows, &bad), 0);
    assert_int_equal(rows, 2);
    assert_int_equal(
        rig_sql_int(&rig, "SELECT lane FROM audit WHERE id = 1 AND visit = 1099511627776"), 65535);
    assert_int_equal(rig_sql_int(&rig, "SELECT count(*) FROM audit WHERE who IS NULL"), 1);
    rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visit_comes_back_field_by_field),
        cmocka_unit_test(a_visit_without_a_card_has_no_subject_and_full_fields_fit),
        cmocka_unit_test(what_is_not_there_is_said_to_be_so),
        cmocka_unit_test(visits_are_listed_newest_first_within_their_time),
        cmocka_unit_test(a_long_list_comes_page_by_page),
        cmocka_unit_test(the_newest_answer_tells_the_caches_age),
        cmocka_unit_test(todays_answer_is_of_this_person_day_place_and_consents),
        cmocka_unit_test(the_last_known_answer_is_the_newest_usable_one),
        cmocka_unit_test(an_answer_comes_back_whole),
        cmocka_unit_test(what_was_accepted_can_be_read_again_up_to_the_bound),
        cmocka_unit_test(purging_takes_what_is_past_its_time_and_only_that),
        cmocka_unit_test(a_link_is_replaced_by_the_next_one),
        cmocka_unit_test(open_asks_are_those_begun_and_not_ended),
        cmocka_unit_test(a_step_is_all_or_nothing_and_rolls_the_chain_back),
        cmocka_unit_test(an_audit_row_alone_is_a_step_of_its_own_and_text_has_a_bound),
    };

    rig_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
