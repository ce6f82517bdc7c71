#include "reconcile.h"

#include "ask.h"
#include "match.h"
#include "note.h"
#include "numbers.h"
#include "outbox.h"
#include "slip.h"
#include "slip_fields.h"
#include "visit.h"

#include "../common/log.h"
#include "../common/question.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOON_US CLOCK_SECOND
#define AGAIN_US CLOCK_MINUTE           /* after an attempt that came to nothing */
#define NOT_READY_US (5 * CLOCK_SECOND) /* the service is still at it (SegmentOfResult 2) */
#define OUTCOME_ANSWERED 0
#define OUTCOME_NOT_SENT 1
#define OUTCOME_DOUBTFUL 2
#define BREAKER_OPEN 2

static void hold(struct desk *desk, uint64_t us)
{
    desk->reconcile.not_before_us = clock_monotonic_us(desk->clock) + us;
    (void)timer_set_after(desk->reconcile.timer, us);
}

void reconcile_wake(struct desk *desk, bool fresh)
{
    struct reconcile *late = &desk->reconcile;

    if (fresh)
        late->not_before_us = 0;
    if (late->row.id == 0)
        (void)timer_set_after(late->timer, SOON_US);
}

bool reconcile_asks(const struct desk *desk, uint64_t visit)
{
    return desk->reconcile.row.id != 0 && desk->reconcile.row.visit == visit;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct candidate {
    struct desk *desk;
    struct store_slip *slip;
    unsigned upstream;
    bool found;
};

/* The first whose visit is over and whose service can be asked. */
static int consider(const struct store_slip *slip, void *arg)
{
    struct candidate *c = arg;
    unsigned index = desk_upstream_for(c->desk, slip->lane, CAPABILITY_BY_NUMBERS);
    const struct upstream *u = &c->desk->upstreams[index];

    if (!u->up || u->breaker == BREAKER_OPEN || (u->capabilities & CAPABILITY_BY_NUMBERS) == 0 ||
        desk_visit(c->desk, slip->visit) != NULL)
        return 0;
    *c->slip = *slip;
    c->upstream = index;
    c->found = true;
    return 1;
}

static int begin(struct desk *desk, struct store_slip *slip)
{
    struct store_ask *row = &desk->reconcile.row;
    int64_t now = (int64_t)clock_realtime_us(desk->clock);
    int r = store_begin(desk->store);

    memset(row, 0, sizeof(*row));
    row->visit = slip->visit;
    row->kind = UPSTREAM_BY_NUMBERS;
    slip->tries++;
    slip->asked_us = now;
    (void)snprintf(row->correlation, sizeof(row->correlation), "S%llu-%llx-%u",
                   (unsigned long long)slip->visit, (unsigned long long)now, (unsigned)slip->tries);
    if (r == 0)
        r = store_slip_put(desk->store, slip);
    if (r == 0)
        r = store_ask_begin(desk->store, row);
    if (r == 0)
        r = store_audit(desk->store, "slip_asked", slip->visit, slip->lane, "", slip->date);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
        memset(row, 0, sizeof(*row));
    } else {
        desk->metrics.asks++;
    }
    return r;
}

static int send(struct desk *desk, const struct store_slip *slip, uint32_t consents)
{
    struct reconcile *late = &desk->reconcile;
    struct desk_ports *ports = &desk->ports;
    struct question_header header = {desk->settings.institution, slip->date, late->row.correlation};
    struct question_numbers numbers = {.insurer = slip->numbers.insurer,
                                       .symbol = slip->numbers.symbol,
                                       .number = slip->numbers.number,
                                       .branch = slip->numbers.branch,
                                       .birth = slip->numbers.birth,
                                       .limit_consent = (consents & CONSENT_LIMIT) != 0};
    struct msg_eligibility_ask body = {
        .request = late->row.id,
        .visit = slip->visit,
        .kind = UPSTREAM_BY_NUMBERS,
        .budget_ms = (uint32_t)(desk->settings.limit_us[VISIT_ELIGIBILITY] / CLOCK_MS),
    };
    struct xmlmsg *tree = question_by_numbers(&header, &numbers);
    size_t len;
    int fd = tree != NULL ? xmlmsg_to_memfd(tree, &len) : -ENOMEM;
    int r = fd;

    xmlmsg_free(&tree);
    if (fd < 0)
        return r;
    (void)MESSAGE_TEXT(body.correlation, late->row.correlation);
    memcpy(late->date, slip->date, sizeof(late->date));
    r = ports->send(ports->arg, PEER_RELAY, late->upstream, MSG_ELIGIBILITY_ASK, &body, &fd, 1);
    (void)close(fd);
    return r;
}

/* ---- the end of a question ------------------------------------------------------------------- */

/* It came to nothing: the slip waits on. If the store refuses even that, it is tried again before
 * the next question. */
static void give_up(struct desk *desk, uint8_t outcome, uint16_t failure, uint64_t wait_us)
{
    struct reconcile *late = &desk->reconcile;
    struct store_slip slip;
    uint64_t visit = late->row.visit;
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_ask_end(desk->store, late->row.id, outcome);
    if (r == 0)
        r = store_slip_load(desk->store, visit, &slip);
    if (r == 0 && slip.ended_us == 0) { /* an answer told late may have ended it meanwhile */
        slip.failure = failure;
        r = store_slip_put(desk->store, &slip);
    }
    if (r == 0)
        r = store_commit(desk->store);
    explicit_bzero(&slip, sizeof(slip));
    hold(desk, wait_us);
    if (r < 0) {
        store_rollback(desk->store);
        desk->metrics.store_failures++;
        return;
    }
    memset(&late->row, 0, sizeof(late->row));
    slip_publish(desk, visit);
    hold(desk, wait_us);
}

/* What the answer makes of slip and visit. */
void reconcile_settle(const struct decision *d, struct store_slip *slip, struct store_visit *record)
{
    slip->failure = d->failure;
    slip->different[0] = '\0';
    if (d->result != DECIDE_USABLE && d->result != DECIDE_NOT_USABLE) {
        slip->state = SLIP_STATE_STAFF;
        return;
    }
    slip_fields_compare(slip, &d->person, d->ratio, slip->different);
    note_decision(record, d);
    record->flags &= ~(uint32_t)(VISIT_FLAG_RECONCILED | VISIT_FLAG_DIFFERENT);
    if (d->result == DECIDE_USABLE && slip->different[0] == '\0') {
        slip->state = SLIP_STATE_RECONCILED;
        record->flags |= VISIT_FLAG_RECONCILED;
        record->failure = d->failure;
    } else {
        slip->state = SLIP_STATE_DIFFERENT;
        record->flags |= VISIT_FLAG_DIFFERENT;
        record->failure =
            d->result == DECIDE_USABLE ? (uint16_t)FAILURE_SLIP_DIFFERENT : d->failure;
        slip->failure = record->failure;
    }
    record->outcome = d->result == DECIDE_USABLE ? OUTCOME_ELIGIBLE : OUTCOME_NOT_ELIGIBLE;
}

/* The answer is kept as one about this patient, so that tomorrow's outage finds it. */
static int keep_answer(struct desk *desk, const struct store_slip *slip, struct store_visit *record,
                       const struct decision *d, struct store_answer *answer)
{
    char buffer[ASK_SUBJECT_MAX];
    struct store_subject subject = {record->subject, sizeof(record->subject)};
    int r;

    if (!record->has_subject)
        subject =
            (struct store_subject){buffer, numbers_subject(&slip->numbers, buffer, sizeof(buffer))};
    (void)MESSAGE_TEXT(answer->institution, desk->settings.institution);
    (void)MESSAGE_TEXT(answer->date, desk->reconcile.date);
    /* The others have no element in the question: whoever agrees to them is asked about with the card. */
    answer->consents = record->consents & CONSENT_LIMIT;
    answer->usable = d->result == DECIDE_USABLE;
    answer->failure = d->failure;
    answer->answered_us = (int64_t)desk_wall_us(desk);
    answer->available_until_us = d->available_until_us;
    r = match_stored(desk, record, answer, answer->usable != 0, true, subject);
    if (r == 0)
        r = store_answer_put(desk->store, subject, answer);
    explicit_bzero(buffer, sizeof(buffer));
    record->answer = answer->id;
    return r;
}

static int finish(struct desk *desk, const struct decision *d, struct store_answer *answer,
                  struct store_visit *record)
{
    struct store_slip slip;
    bool statement = d->result == DECIDE_USABLE || d->result == DECIDE_NOT_USABLE;
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_ask_end(desk->store, desk->reconcile.row.id, OUTCOME_ANSWERED);
    if (r == 0)
        r = store_slip_load(desk->store, desk->reconcile.row.visit, &slip);
    if (r == 0 && slip.ended_us != 0) {
        explicit_bzero(&slip, sizeof(slip));
        r = store_commit(desk->store);
        if (r < 0)
            store_rollback(desk->store);
        return r;
    }
    if (r == 0)
        r = store_visit_load(desk->store, slip.visit, record);
    if (r == 0)
        reconcile_settle(d, &slip, record);
    if (r == 0 && statement)
        r = keep_answer(desk, &slip, record, d, answer);
    if (r == 0) {
        slip.ended_us = statement ? (int64_t)desk_wall_us(desk) : 0;
        r = store_slip_put(desk->store, &slip);
    }
    if (r == 0)
        r = store_visit_save(desk->store, record);
    if (r == 0)
        r = store_audit(desk->store, "slip_answered", slip.visit, slip.lane, "",
                        visit_slip_state_name(slip.state));
    if (r == 0 && statement)
        r = outbox_visit_over(desk, record, OUTBOX_RECONCILED);
    if (r == 0)
        r = store_commit(desk->store);
    explicit_bzero(&slip, sizeof(slip));
    if (r < 0)
        store_rollback(desk->store);
    else
        outbox_wake_soon(desk);
    return r;
}

static void answered(struct desk *desk, const struct message *message)
{
    struct reconcile *late = &desk->reconcile;
    struct decide_expect expect = ask_expect(desk);
    struct store_answer answer = {0};
    struct store_visit record = {0};
    struct msg_visit_item item;
    struct decision d = {.result = DECIDE_UNKNOWN};
    struct xmlmsg *tree = NULL;
    int r = ask_read_answer(message, &answer);

    if (r == 0)
        r = xmlmsg_unpack(&tree, answer.tree, answer.tree_len);
    if (r < 0) {
        give_up(desk, OUTCOME_DOUBTFUL, FAILURE_ELIGIBILITY_GARBLED, AGAIN_US);
        goto done;
    }
    decide(tree, &expect, &d);
    if (d.result == DECIDE_PENDING) {
        give_up(desk, OUTCOME_ANSWERED, FAILURE_NONE, NOT_READY_US);
        goto done;
    }
    r = finish(desk, &d, &answer, &record);
    if (r < 0) {
        /* The answer is lost with the step; the question only read, so it is asked again. */
        desk->metrics.store_failures++;
        give_up(desk, OUTCOME_DOUBTFUL, FAILURE_DESK_STORE, AGAIN_US);
        goto done;
    }
    memset(&late->row, 0, sizeof(late->row));
    if (record.id == 0) /* it had been settled by an answer told late */
        goto done;
    desk->metrics.slips_answered++;
    log_event(LOG_LEVEL_INFO, "slip answered", LOG_NUMBER("visit", record.id),
              LOG_FAILURE(record.failure));
    visit_item(&record, 0, &item);
    item.answered = answer.answered_us / 1000000;
    desk->ports.visit_changed(desk->ports.arg, &item);
    slip_publish(desk, record.id);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
done:
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    explicit_bzero(&d, sizeof(d));
}

bool reconcile_answer(struct desk *desk, unsigned upstream, const struct message *message)
{
    const struct msg_eligibility_answer *body = &message->body.eligibility_answer;
    struct reconcile *late = &desk->reconcile;

    if (late->row.id == 0 || late->row.id != body->request || late->upstream != upstream ||
        body->outcome > 3 || (body->outcome == OUTCOME_ANSWERED && message->nfds != 2))
        return false;
    timer_stop(late->timer);
    if (body->outcome == OUTCOME_ANSWERED)
        answered(desk, message);
    else
        give_up(desk, body->outcome,
                body->failure != FAILURE_NONE && body->failure < FAILURE_COUNT
                    ? body->failure
                    : (uint16_t)FAILURE_ELIGIBILITY_UNREACHABLE,
                AGAIN_US);
    return true;
}

void reconcile_relay_lost(struct desk *desk, unsigned upstream)
{
    if (desk->reconcile.row.id != 0 && desk->reconcile.upstream == upstream)
        give_up(desk, OUTCOME_DOUBTFUL, FAILURE_ELIGIBILITY_UNREACHABLE, AGAIN_US);
}

static void ask_next(struct desk *desk)
{
    struct reconcile *late = &desk->reconcile;
    struct store_slip slip = {0};
    struct candidate c = {.desk = desk, .slip = &slip};
    struct store_visit record = {0};
    int r = store_slips(desk->store, STORE_SLIPS_WAITING, 0, UINT32_MAX, consider, &c);

    if (r == 0 && !c.found)
        return; /* whatever changes that wakes us */
    if (r == 0)
        r = store_visit_load(desk->store, slip.visit, &record);
    if (r == 0)
        r = begin(desk, &slip);
    if (r < 0) {
        desk->metrics.store_failures++;
        hold(desk, AGAIN_US);
    } else {
        late->upstream = c.upstream;
        (void)timer_set_after(late->timer, desk->settings.limit_us[VISIT_ELIGIBILITY]);
        if (send(desk, &slip, record.consents) < 0)
            give_up(desk, OUTCOME_NOT_SENT, FAILURE_ELIGIBILITY_UNREACHABLE, AGAIN_US);
    }
    explicit_bzero(&slip, sizeof(slip));
    explicit_bzero(&record, sizeof(record));
}

void reconcile_on_timer(struct timer *timer, void *arg)
{
    struct desk *desk = arg;
    struct reconcile *late = &desk->reconcile;
    uint64_t now = clock_monotonic_us(desk->clock);

    (void)timer;
    if (late->row.id != 0)
        give_up(desk, OUTCOME_DOUBTFUL, FAILURE_ELIGIBILITY_SLOW, AGAIN_US);
    else if (!desk_check_clock(desk))
        hold(desk, AGAIN_US);
    else if (now < late->not_before_us)
        (void)timer_set_at(late->timer, late->not_before_us);
    else
        ask_next(desk);
}
