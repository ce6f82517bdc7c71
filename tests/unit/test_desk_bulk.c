/*
 * A list asked about in bulk: one question for as many rows as are gathered, and each row judged by its own unit of the
 * answer: an error is that row's alone, and what the answer lacks, repeats or swaps is undecided and says so.
 */
#include "fake_store.h"
#include "quiet_desk.h"

#include "daemon/common/memfd.h"
#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/numbers.h"
#include "daemon/desk/precheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BATCH 4
#define ROWS 10
#define TODAY "20261005" /* of the clock below */
#define BOTH (CAPABILITY_BY_NUMBERS | CAPABILITY_BULK)

static struct house {
    struct clock *clock;
    struct store *store;
    struct desk *desk;
    struct msg_eligibility_ask ask; /* the last question */
    struct xmlmsg *question;
    unsigned questions, rows;         /* and how many rows they were about in all */
    struct msg_prechecked told[ROWS]; /* by request - 1 */
    unsigned tells[ROWS];
    int asker;
} house;

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    (void)arg;
    (void)index;
    if (peer != PEER_RELAY || type != MSG_ELIGIBILITY_ASK)
        return 0;
    assert_int_equal(nfds, 1);
    house.ask = *(const struct msg_eligibility_ask *)body;
    xmlmsg_free(&house.question);
    assert_int_equal(xmlmsg_from_memfd(&house.question, fds[0], 0), 0);
    house.questions++;
    for (const struct xmlmsg *e = xmlmsg_find(house.question, "MessageBody/"
                                                              "QualificationConfirmSearchInfo");
         e != NULL; e = xmlmsg_next(e, "QualificationConfirmSearchInfo"))
        house.rows++;
    return 0;
}

static void port_prechecked(void *arg, void *asker, const struct msg_prechecked *m)
{
    (void)arg;
    assert_ptr_equal(asker, &house.asker);
    assert_in_range(m->request, 1, ROWS);
    house.told[m->request - 1] = *m;
    house.tells[m->request - 1]++;
}

static void begin(uint32_t capabilities)
{
    struct desk_ports ports = quiet_ports(port_send, NULL);
    struct desk_settings settings = {.institution = "9910000017", .precheck_bulk = BATCH};
    struct message up = {.type = MSG_UPSTREAM_STATE, .fds = {-1, -1}};

    memset(&house, 0, sizeof(house));
    for (unsigned i = 0; i < VISIT_STATE_COUNT; i++)
        settings.limit_us[i] = 12 * CLOCK_SECOND;
    ports.prechecked = port_prechecked;
    house.clock = clock_new_simulated(1, UINT64_C(1791159302) * CLOCK_SECOND);
    house.store = fake_store_new(house.clock);
    assert_int_equal(desk_new(&house.desk, house.clock, house.store, &settings, &ports), 0);
    assert_true(desk_add_upstream(house.desk, "main", capabilities) >= 0);
    strcpy(up.body.upstream_state.upstream, "main");
    up.body.upstream_state.capabilities = capabilities;
    assert_true(ask_relay_message(house.desk, 0, &up));
    ask_relay_up(house.desk, 0);
}

static void end(void)
{
    xmlmsg_free(&house.question);
    desk_free(&house.desk);
    fake_store_free(&house.store);
    clock_free(&house.clock);
}

static struct msg_precheck row_of(unsigned i, bool more)
{
    struct msg_precheck m = {.request = i + 1,
                             .insurer = "06130017",
                             .symbol = "試験",
                             .branch = "01",
                             .birth = "19540707",
                             .date = "2026-10-06",
                             .more = more};

    snprintf(m.number, sizeof(m.number), "%u", 1001 + i);
    return m;
}

static void gather(unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++) {
        struct msg_precheck m = row_of(i, i + 1 < from + n);

        precheck_ask(house.desk, &house.asker, &m);
    }
}

/* How the service spoils a unit. */
enum spoilt { GOOD, NONE, ERROR, LOST, TWICE, SWAPPED, NAMELESS };

static bool copy(struct xmlmsg *to, const struct xmlmsg *from, const char *name)
{
    return xmlmsg_add(to, name, xmlmsg_get(from, name)) != NULL;
}

static void add_unit(struct xmlmsg *body, const struct xmlmsg *asked, enum spoilt how)
{
    struct xmlmsg *unit = xmlmsg_add(body, "BulkConfirmUnit", NULL);
    struct xmlmsg *info = xmlmsg_add(unit, "QualificationConfirmSearchInfo", NULL), *result;

    assert_true(copy(info, asked, "InsurerNumber"));
    xmlmsg_add(info, "InsuredIdentificationNumber",
               how == SWAPPED ? "9999" : xmlmsg_get(asked, "InsuredIdentificationNumber"));
    if (how != NAMELESS)
        assert_true(copy(info, asked, "ArbitraryIdentifier"));
    xmlmsg_add(unit, "ProcessingResultStatus", how == ERROR ? "2" : "1");
    if (how == ERROR) {
        xmlmsg_add(unit, "ProcessingResultCode", "X77");
        xmlmsg_add(unit, "ProcessingResultMessage", "見本の誤り");
        return;
    }
    xmlmsg_add(unit, "QualificationValidity", how == NONE ? "4" : "1");
    if (how == NONE)
        return;
    result = xmlmsg_add(unit, "ResultOfQualificationConfirmation", NULL);
    xmlmsg_add(result, "Name", xmlmsg_get(asked, "InsuredIdentificationNumber"));
    xmlmsg_add(result, "Birthdate", "19540707");
    xmlmsg_add(unit, "ReferenceNumber", xmlmsg_get(asked, "ArbitraryIdentifier"));
}

/* The units in the opposite order of the question's. */
static void answer(const char *segment, const char *date, const enum spoilt *how)
{
    struct message message = {.type = MSG_ELIGIBILITY_ANSWER, .nfds = 2};
    struct xmlmsg *root = xmlmsg_new("XmlMsg"), *body;
    const struct xmlmsg *asked[ROWS];
    unsigned n = 0;
    size_t len;

    xmlmsg_set(root, "MessageHeader/SegmentOfResult", segment);
    xmlmsg_set(root, "MessageHeader/MedicalInstitutionCode", "9910000017");
    xmlmsg_set(root, "MessageHeader/QualificationConfirmationDate", date);
    xmlmsg_set(root, "MessageHeader/ReceptionNumber", "00000001");
    if (strcmp(segment, "9") == 0)
        xmlmsg_set(root, "MessageHeader/ErrorCode", "OQC-1");
    body = xmlmsg_add(root, "MessageBody", NULL);
    for (const struct xmlmsg *e = xmlmsg_find(house.question, "MessageBody/"
                                                              "QualificationConfirmSearchInfo");
         e != NULL; e = xmlmsg_next(e, "QualificationConfirmSearchInfo"))
        asked[n++] = e;
    while (n > 0 && how != NULL) {
        enum spoilt as = how[--n];

        if (as != LOST)
            add_unit(body, asked[n], as);
        if (as == TWICE)
            add_unit(body, asked[n], as);
    }
    message.fds[0] = xmlmsg_to_memfd(root, &len);
    message.fds[1] = memfd_seal("raw", "raw", 3);
    message.body.eligibility_answer.request = house.ask.request;
    message.body.eligibility_answer.bytes = (uint32_t)len;
    assert_true(ask_relay_message(house.desk, 0, &message));
    close(message.fds[0]);
    close(message.fds[1]);
    xmlmsg_free(&root);
}

static int kept(unsigned i, const char *date, struct store_answer *out)
{
    struct store_numbers numbers = {
        .insurer = "06130017", .symbol = "試験", .branch = "01", .birth = "19540707"};
    char buffer[ASK_SUBJECT_MAX];

    snprintf(numbers.number, sizeof(numbers.number), "%u", 1001 + i);
    return store_answer_today(
        house.store,
        (struct store_subject){buffer, numbers_subject(&numbers, buffer, sizeof(buffer))},
        "9910000017", date, 0, out);
}

static void a_list_goes_in_as_few_questions_as_it_fills(void **state)
{
    static const enum spoilt good[BATCH] = {GOOD};

    (void)state;
    begin(BOTH);
    assert_int_equal(precheck_room(house.desk), BATCH);
    for (unsigned at = 0; at < ROWS; at += BATCH) {
        unsigned n = ROWS - at < BATCH ? ROWS - at : BATCH;

        gather(at, n);
        assert_int_equal(house.ask.kind, UPSTREAM_BULK);
        assert_string_equal(xmlmsg_get(house.question, "MessageHeader/"
                                                       "QualificationConfirmationDate"),
                            "20261006");
        answer("1", "20261006", good);
    }
    assert_int_equal(house.questions, (ROWS + BATCH - 1) / BATCH);
    assert_int_equal(house.rows, ROWS);
    for (unsigned i = 0; i < ROWS; i++) {
        struct store_answer stored;
        char number[8];

        assert_int_equal(house.tells[i], 1);
        assert_int_equal(house.told[i].result, PRECHECK_VALID);
        assert_string_equal(house.told[i].date, "20261006");
        snprintf(number, sizeof(number), "%u", 1001 + i);
        assert_string_equal(house.told[i].name, number); /* its own unit, not its neighbour's */
        /* As if it had been asked about alone; what only counts the whole is not in it. */
        assert_int_equal(kept(i, "20261006", &stored), 0);
        {
            struct xmlmsg *tree;

            assert_int_equal(xmlmsg_unpack(&tree, stored.tree, stored.tree_len), 0);
            assert_string_equal(
                xmlmsg_get(tree, "MessageBody/ResultList/ResultOfQualificationConfirmation/Name"),
                number);
            assert_true(xmlmsg_has(
                tree, "MessageBody/ResultList/ResultOfQualificationConfirmation/ReferenceNumber"));
            assert_false(xmlmsg_has(tree, "MessageHeader/ReceptionNumber"));
            assert_false(xmlmsg_has(tree, "MessageBody/BulkConfirmUnit"));
            xmlmsg_free(&tree);
        }
        store_answer_free(&stored);
        assert_true(kept(i, TODAY, &stored) < 0);
    }
    end();
}

static void each_row_has_its_own_end(void **state)
{
    static const struct {
        enum spoilt how;
        uint8_t result;
        uint16_t failure;
        const char *notice;
    } cases[] = {
        {ERROR, PRECHECK_UNKNOWN, FAILURE_ELIGIBILITY_PROCESSING_ERROR, "X77 見本の誤り"},
        {NONE, PRECHECK_INVALID, FAILURE_ELIGIBILITY_NONE, ""},
        {LOST, PRECHECK_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED, "the bulk answer lacks this row"},
        {TWICE, PRECHECK_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED, "the bulk answer lacks this row"},
        {SWAPPED, PRECHECK_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED, "the bulk answer lacks this row"},
        {NAMELESS, PRECHECK_UNKNOWN, FAILURE_ELIGIBILITY_GARBLED, "the bulk answer lacks this row"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const enum spoilt how[3] = {GOOD, cases[i].how, GOOD};
        struct store_answer stored;

        begin(BOTH);
        gather(0, 3);
        answer("1", "20261006", how);
        assert_int_equal(house.told[0].result, PRECHECK_VALID);
        assert_int_equal(house.told[1].result, cases[i].result);
        assert_int_equal(house.told[1].failure, cases[i].failure);
        if (strstr(house.told[1].notice, cases[i].notice) == NULL)
            fail_msg("%zu: %s", i, house.told[1].notice);
        assert_int_equal(house.told[2].result, PRECHECK_VALID);
        if (cases[i].how != NONE)
            assert_true(kept(1, "20261006", &stored) < 0); /* nothing is cached that nobody said */
        end();
    }
}

static void what_holds_for_the_whole_holds_for_each(void **state)
{
    static const enum spoilt good[BATCH] = {GOOD};
    struct store_answer stored;

    (void)state;
    begin(BOTH);
    gather(0, 2);
    answer("9", "20261006", NULL);
    gather(2, 2);
    answer("1", "20261005", good); /* about another day */
    gather(4, 2);
    fake_store_fail_at(house.store, 4); /* with the second row: the first is not there either */
    answer("1", "20261006", good);
    gather(6, 2);
    precheck_relay_lost(house.desk, 0);
    for (unsigned i = 0; i < 8; i++) {
        static const uint16_t failures[] = {FAILURE_ELIGIBILITY_REQUEST_ERROR,
                                            FAILURE_ELIGIBILITY_GARBLED, FAILURE_DESK_STORE,
                                            FAILURE_ELIGIBILITY_UNREACHABLE};

        assert_int_equal(house.tells[i], 1);
        assert_int_equal(house.told[i].result, i < 4 ? PRECHECK_UNKNOWN : PRECHECK_LATER);
        assert_int_equal(house.told[i].failure, failures[i / 2]);
        assert_true(kept(i, "20261006", &stored) < 0);
        assert_true(kept(i, TODAY, &stored) < 0);
    }
    end();
}

static void a_row_that_is_wrong_leaves_the_others(void **state)
{
    static const enum spoilt good[BATCH] = {GOOD};
    struct msg_precheck wrong = row_of(1, true), other = row_of(2, true), last = row_of(3, false);

    (void)state;
    begin(BOTH);
    {
        struct msg_precheck first = row_of(0, true);

        precheck_ask(house.desk, &house.asker, &first);
    }
    strcpy(wrong.birth, "soon");
    precheck_ask(house.desk, &house.asker, &wrong);
    assert_int_equal(house.told[1].result, PRECHECK_WRONG);
    assert_string_equal(house.told[1].field, "birth");
    strcpy(other.date, "2026-10-07"); /* one question is about one day */
    precheck_ask(house.desk, &house.asker, &other);
    assert_int_equal(house.told[2].result, PRECHECK_LATER);
    assert_int_equal(house.questions, 0);
    strcpy(last.insurer, "1"); /* the last is wrong: what was gathered goes all the same */
    precheck_ask(house.desk, &house.asker, &last);
    assert_int_equal(house.told[3].result, PRECHECK_WRONG);
    assert_int_equal(house.questions, 1);
    assert_int_equal(house.ask.kind, UPSTREAM_BY_NUMBERS); /* one row is no bulk */
    precheck_relay_lost(house.desk, 0);
    assert_int_equal(house.told[0].result, PRECHECK_LATER);
    /* Rows that were to follow and did not: the others do not wait for ever. */
    gather(0, 1);
    precheck_relay_lost(house.desk, 0);
    {
        struct msg_precheck m[2] = {row_of(4, true), row_of(5, true)};

        precheck_ask(house.desk, &house.asker, &m[0]);
        precheck_ask(house.desk, &house.asker, &m[1]);
        assert_int_equal(house.questions, 2);
        (void)clock_advance(house.clock, 6 * CLOCK_SECOND);
        assert_int_equal(house.questions, 3);
        assert_int_equal(house.ask.kind, UPSTREAM_BULK);
        answer("1", "20261006", good);
        assert_int_equal(house.told[5].result, PRECHECK_VALID);
    }
    end();
}

/* kill -9 of the command: before the question nothing is asked; after it what is answered is kept, and told to nobody. */
static void who_goes_away_leaves_nothing_behind(void **state)
{
    static const enum spoilt good[BATCH] = {GOOD};
    struct msg_precheck m = row_of(0, true);
    struct store_answer stored;

    (void)state;
    begin(BOTH);
    precheck_ask(house.desk, &house.asker, &m);
    precheck_forget(house.desk, &house.asker);
    (void)clock_advance(house.clock, CLOCK_MINUTE);
    assert_int_equal(house.questions, 0);
    gather(0, 3);
    precheck_forget(house.desk, &house.asker);
    gather(3, 1); /* still under way */
    assert_int_equal(house.told[3].failure, FAILURE_DESK_BUSY);
    answer("1", "20261006", good);
    assert_int_equal(house.tells[0] + house.tells[1] + house.tells[2], 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(kept(i, "20261006", &stored), 0);
        store_answer_free(&stored);
    }
    gather(4, 2);
    answer("1", "20261006", good);
    assert_int_equal(house.told[4].result, PRECHECK_VALID);
    end();
}

static void without_bulk_it_is_one_by_one(void **state)
{
    (void)state;
    begin(CAPABILITY_BY_NUMBERS);
    assert_int_equal(precheck_room(house.desk), 1);
    gather(0, 1);
    assert_int_equal(house.ask.kind, UPSTREAM_BY_NUMBERS);
    assert_false(xmlmsg_has(house.question,
                            "MessageBody/QualificationConfirmSearchInfo/ArbitraryIdentifier"));
    /* More than there is room for: the next is told to come again. */
    gather(1, 1);
    assert_int_equal(house.told[1].failure, FAILURE_DESK_BUSY);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_goes_in_as_few_questions_as_it_fills),
        cmocka_unit_test(each_row_has_its_own_end),
        cmocka_unit_test(what_holds_for_the_whole_holds_for_each),
        cmocka_unit_test(a_row_that_is_wrong_leaves_the_others),
        cmocka_unit_test(who_goes_away_leaves_nothing_behind),
        cmocka_unit_test(without_bulk_it_is_one_by_one),
    };

    quiet_log();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
