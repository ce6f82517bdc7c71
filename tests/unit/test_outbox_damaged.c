/*
 * What is to be handed over and does not open any more, or is of a kind that this version does not know: staff hear
 * of it, once, and what waits behind it goes out.
 */
#include "quiet_desk.h"
#include "store_rig.h"

#include "daemon/common/xmlmsg.h"
#include "daemon/desk/ask.h"
#include "daemon/desk/outbox.h"
#include "daemon/desk/resume.h"
#include "daemon/store/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT "there"
#define UPSTREAM "main"
/* A day after the clock begins, in microseconds since 1970, as the entry of a document has it. */
#define UNTIL "1785628800000000"

static struct house {
    struct rig rig;
    struct desk *desk;
    uint64_t given[8]; /* what went to the carrier, in order */
    uint8_t steps[8];
    struct msg_handover_give last;
    unsigned ngiven, discarded, asked;
    uint8_t asked_kind;
} house;

static int port_send(void *arg, enum desk_peer peer, unsigned index, uint16_t type,
                     const void *body, const int *fds, unsigned nfds)
{
    const struct msg_handover_give *give = body;

    (void)arg;
    (void)index;
    (void)fds;
    (void)nfds;
    if (type == MSG_HANDOVER_GIVE && house.ngiven < 8) {
        house.given[house.ngiven] = give->entry;
        house.steps[house.ngiven++] = give->step;
        house.last = *give;
    } else if (peer == PEER_RELAY && type == MSG_ELIGIBILITY_ASK) {
        house.asked++;
        house.asked_kind = ((const struct msg_eligibility_ask *)body)->kind;
    }
    return 0;
}

static uint64_t a_visit(void)
{
    struct store_visit visit;

    rig_visit(&visit);
    visit.lane = 1;
    visit.state = VISIT_CLOSED;
    assert_int_equal(store_visit_open(house.rig.store, &visit), 0);
    visit.closed_us = visit.opened_us + 1;
    assert_int_equal(store_visit_save(house.rig.store, &visit), 0);
    return visit.id;
}

static uint64_t an_entry(uint8_t kind, uint8_t cause, uint8_t state, const char *mark)
{
    static const char *const texts[][2] = {{"until", UNTIL},
                                           {"ReferenceNumber", "PT1"},
                                           {"InsurerNumber", "06990010"},
                                           {"InsuredIdentificationNumber", "1001"}};
    struct store_outbox e = {.visit = a_visit(), .kind = kind, .cause = cause};
    struct xmlmsg *tree = xmlmsg_new("entry");
    uint64_t id;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_non_null(xmlmsg_add(tree, texts[i][0], texts[i][1]));
    (void)snprintf(e.target, sizeof(e.target), "%s", kind == OUTBOX_REFERENCE ? UPSTREAM : OUTPUT);
    (void)snprintf(e.name, sizeof(e.name), "name-%llu", (unsigned long long)e.visit);
    assert_int_equal(xmlmsg_pack(tree, &e.tree, &e.tree_len), 0);
    assert_int_equal(store_outbox_add(house.rig.store, &e), 0);
    e.state = state;
    (void)snprintf(e.mark, sizeof(e.mark), "%s", mark);
    assert_int_equal(store_outbox_save(house.rig.store, &e), 0);
    id = e.id;
    store_outbox_free(&e);
    xmlmsg_free(&tree);
    return id;
}

static void damage(uint64_t id)
{
    char sql[120];

    (void)snprintf(sql, sizeof(sql), "UPDATE outbox SET payload = zeroblob(80) WHERE id = %llu",
                   (unsigned long long)id);
    rig_sql(&house.rig, sql);
}

/* A desk with one output of that kind (or none, for OUTBOX_REFERENCE), everybody there. */
static void begin(uint8_t kind)
{
    const struct desk_ports ports = quiet_ports(port_send, NULL);
    const struct outbox_output output = {OUTPUT, kind, false, CLOCK_HOUR, 5 * CLOCK_SECOND, 12};
    struct desk_settings settings = {.institution = RIG_INSTITUTION};
    struct message message = {.type = MSG_UPSTREAM_STATE};

    for (int i = 0; i < VISIT_STATE_COUNT; i++)
        settings.limit_us[i] = 12 * CLOCK_SECOND;
    message.body.upstream_state.capabilities = CAPABILITY_BY_NUMBERS | CAPABILITY_DOCUMENTS |
                                               CAPABILITY_REFERENCE_NUMBER | CAPABILITY_BULK;
    assert_int_equal(desk_new(&house.desk, house.rig.clock, house.rig.store, &settings, &ports), 0);
    assert_int_equal(desk_add_upstream(house.desk, UPSTREAM, CAPABILITY_BY_NUMBERS), 0);
    assert_int_equal(desk_add_lane(house.desk, 1, "", 0), 0);
    if (kind != OUTBOX_REFERENCE)
        assert_int_equal(outbox_add_output(house.desk, &output), 0);
    outbox_references(house.desk, true, 2);
    assert_int_equal(desk_resume(house.desk), 0);
    ask_relay_up(house.desk, 0);
    assert_true(ask_relay_message(house.desk, 0, &message));
    if (kind != OUTBOX_REFERENCE)
        outbox_carrier_up(house.desk, 0);
    (void)clock_advance(house.rig.clock, CLOCK_SECOND);
}

/* The carrier takes away what it was told to, and says so. */
static void discard(void)
{
    while (house.ngiven > 0 && house.steps[house.ngiven - 1] == HANDOVER_DISCARD &&
           house.discarded < house.ngiven) {
        struct message message = {.type = MSG_HANDOVER_RESULT};

        house.discarded = house.ngiven;
        message.body.handover_result =
            (struct msg_handover_result){.entry = house.last.entry,
                                         .attempt = house.last.attempt,
                                         .step = HANDOVER_DISCARD,
                                         .outcome = HANDOVER_REFUSED,
                                         .failure = FAILURE_HANDOVER_CONSENT};
        assert_true(outbox_carrier_message(house.desk, 0, &message));
    }
}

static void end(void)
{
    desk_free(&house.desk);
    rig_free(&house.rig);
    memset(&house, 0, sizeof(house));
}

static void expect(uint64_t id, uint8_t state, uint16_t failure)
{
    struct store_outbox e;

    assert_int_equal(store_outbox_load(house.rig.store, id, &e), 0);
    assert_int_equal(e.state, state);
    assert_int_equal(e.failure, failure);
    store_outbox_free(&e);
}

static uint16_t staff_decide(uint64_t id, uint8_t what)
{
    struct msg_outbox_decide asked = {
        .request = 1, .entry = id, .what = what, .surface = 'B', .staff = "staff"};
    struct msg_action_result result;

    outbox_decide(house.desk, &asked, &result);
    assert_int_equal(result.accepted, result.failure == FAILURE_NONE);
    return result.failure;
}

static void what_does_not_open_is_said_and_holds_up_nothing(void **state)
{
    static const struct {
        uint8_t kind, cause, state;
        const char *mark;
        uint8_t becomes;
        uint16_t failure;
    } rows[] = {
        {OUTBOX_HOOK, OUTBOX_FINISHED, OUTBOX_WAITING, "", OUTBOX_REFUSED, FAILURE_HANDOVER_GONE},
        {OUTBOX_HOOK, OUTBOX_FINISHED, OUTBOX_WAITING, "maybe", OUTBOX_DOUBTFUL,
         FAILURE_HANDOVER_GONE},
        {OUTBOX_HOOK, OUTBOX_FINISHED, OUTBOX_SENT_MAYBE, "", OUTBOX_DOUBTFUL,
         FAILURE_HANDOVER_GONE},
        {OUTBOX_ORCA, OUTBOX_FINISHED, OUTBOX_WAITING, "", OUTBOX_REFUSED, FAILURE_HANDOVER_GONE},
        {OUTBOX_ORCA, OUTBOX_FINISHED, OUTBOX_SENT_MAYBE, "", OUTBOX_DOUBTFUL,
         FAILURE_HANDOVER_DOUBTFUL},
        {OUTBOX_DOCUMENT, OUTBOX_DRUGS, OUTBOX_WAITING, "", OUTBOX_REFUSED, FAILURE_HANDOVER_GONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t first, second;

        rig_new(&house.rig);
        first = an_entry(rows[i].kind, rows[i].cause, rows[i].state, rows[i].mark);
        second = an_entry(rows[i].kind, rows[i].cause, OUTBOX_WAITING, "");
        damage(first);
        begin(rows[i].kind);
        discard();
        expect(first, rows[i].becomes, rows[i].failure);
        if (rows[i].kind == OUTBOX_DOCUMENT) {
            /* Its question needs numbers, which this visit has not: said as well, and no third try. */
            expect(second, OUTBOX_REFUSED, FAILURE_HANDOVER_GONE);
        } else {
            assert_int_equal(house.ngiven, 1);
            assert_int_equal(house.given[0], second);
        }
        /* The visit shows that staff are wanted; there is nothing to send again, and they can say that it is there. */
        assert_int_equal(
            rig_sql_int(&house.rig, "SELECT (flags & 262144) <> 0 FROM visits ORDER BY id LIMIT 1"),
            1);
        assert_int_equal(staff_decide(first, OUTBOX_RESEND), FAILURE_HANDOVER_GONE);
        expect(first, rows[i].becomes, rows[i].failure);
        assert_int_equal(staff_decide(first, OUTBOX_ARRIVED), FAILURE_NONE);
        expect(first, OUTBOX_DONE, FAILURE_NONE);
        end();
    }
}

static void a_document_of_a_later_version_holds_up_nothing(void **state)
{
    uint64_t first;

    (void)state;
    rig_new(&house.rig);
    first = an_entry(OUTBOX_DOCUMENT, 14, OUTBOX_WAITING, "");
    begin(OUTBOX_DOCUMENT);
    assert_int_equal(house.steps[0], HANDOVER_DISCARD);
    discard();
    expect(first, OUTBOX_REFUSED, FAILURE_HANDOVER_GONE);
    end();
}

static void a_staged_document_that_does_not_open_is_taken_away(void **state)
{
    uint64_t first;

    (void)state;
    rig_new(&house.rig);
    first = an_entry(OUTBOX_DOCUMENT, OUTBOX_DRUGS, OUTBOX_SENT_MAYBE, "0123456789abcdef");
    damage(first);
    begin(OUTBOX_DOCUMENT);
    assert_int_equal(house.ngiven, 1);
    assert_int_equal(house.given[0], first);
    assert_int_equal(house.steps[0], HANDOVER_DISCARD);
    discard();
    expect(first, OUTBOX_REFUSED, FAILURE_HANDOVER_GONE);
    end();
}

/* Two others are many enough for one question; the damaged one is in none. */
static void numbers_are_registered_past_one_that_does_not_open(void **state)
{
    uint64_t first;

    (void)state;
    rig_new(&house.rig);
    first = an_entry(OUTBOX_REFERENCE, 16, OUTBOX_WAITING, "");
    (void)an_entry(OUTBOX_REFERENCE, 16, OUTBOX_WAITING, "");
    (void)an_entry(OUTBOX_REFERENCE, 16, OUTBOX_WAITING, "");
    damage(first);
    begin(OUTBOX_REFERENCE);
    expect(first, OUTBOX_REFUSED, FAILURE_HANDOVER_GONE);
    assert_int_equal(house.asked, 1);
    assert_int_equal(house.asked_kind, UPSTREAM_REFERENCE_BULK);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_open_is_said_and_holds_up_nothing),
        cmocka_unit_test(a_document_of_a_later_version_holds_up_nothing),
        cmocka_unit_test(a_staged_document_that_does_not_open_is_taken_away),
        cmocka_unit_test(numbers_are_registered_past_one_that_does_not_open),
    };

    quiet_log();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
