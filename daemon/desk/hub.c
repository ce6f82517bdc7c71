#include "hub.h"

#include "ask.h"
#include "match.h"
#include "note.h"
#include "numbers.h"
#include "outbox.h"
#include "reconcile.h"
#include "slip.h"
#include "visit.h"

#include "../common/log.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_US (2 * CLOCK_SECOND)
#define OUTCOME_ANSWERED 0
#define AHEAD_US                                                                                   \
    (INT64_C(10) * 60 * 1000000) /* a terminal's clock may be that far ahead of ours  \
                                               */

/* One telling, while it is made into a visit. */
struct told {
    struct store_answer stored;
    struct xmlmsg *tree;
    struct decision decision;
    struct store_numbers numbers;
    bool has_numbers;
    char subject[ASK_SUBJECT_MAX];
    size_t subject_len;
};

static void told_free(struct told *t)
{
    xmlmsg_free(&t->tree);
    store_answer_free(&t->stored);
    explicit_bzero(t, sizeof(*t));
}

static bool is_day(const char *text)
{
    return strlen(text) == 8 && strspn(text, "0123456789") == 8;
}

/* What was told, read and decided, as an answer about whoever it names; otherwise about nobody but
 * its own bytes. */
static int told_read(struct desk *desk, const struct message *message,
                     const uint8_t hash[STORE_RELAY_HASH], int64_t when_us, struct told *t)
{
    struct decide_expect expect = ask_expect(desk);
    const char *date;
    char today[9];
    int r;

    memset(t, 0, sizeof(*t));
    r = ask_read_answer(message, &t->stored);
    if (r == 0)
        r = xmlmsg_unpack(&t->tree, t->stored.tree, t->stored.tree_len);
    if (r < 0)
        return r;
    decide(t->tree, &expect, &t->decision);
    date = xmlmsg_get(t->tree, "MessageHeader/QualificationConfirmationDate");
    if (is_day(date))
        (void)MESSAGE_TEXT(t->stored.date, date);
    else
        desk_day(when_us, t->stored.date);
    (void)MESSAGE_TEXT(t->stored.institution, desk->settings.institution);
    t->stored.usable = t->decision.result == DECIDE_USABLE;
    t->stored.failure = t->decision.failure;
    t->stored.answered_us = when_us;
    t->stored.available_until_us = t->decision.available_until_us;
    desk_today(desk, today);
    t->has_numbers = numbers_of_answer(t->tree, today, &t->numbers);
    if (t->has_numbers)
        t->subject_len = numbers_subject(&t->numbers, t->subject, sizeof(t->subject));
    if (t->subject_len == 0) {
        memcpy(t->subject, hash, STORE_RELAY_HASH);
        t->subject_len = STORE_RELAY_HASH;
    }
    return 0;
}

static bool says_something(const struct told *t)
{
    return t->decision.result == DECIDE_USABLE || t->decision.result == DECIDE_NOT_USABLE;
}

/* The consents that the answer says were given (CD016 1): a terminal asked for them itself. */
static uint32_t consents_told(const struct told *t)
{
    static const struct {
        const char *flag;
        uint32_t bit;
    } flags[] = {
        {"LimitApplicationCertificateRelatedConsFlg", CONSENT_LIMIT},
        {"PharmacistsInfoConsFlg", CONSENT_DRUGS},
        {"SpecificHealthCheckupsInfoConsFlg", CONSENT_CHECKUP},
        {"DiagnosisInfoConsFlg", CONSENT_DIAGNOSIS},
        {"OperationInfoConsFlg", CONSENT_OPERATION},
        {"SpecificDiseasesCertificateRelatedConsFlg", CONSENT_DISEASE},
    };
    const struct xmlmsg *result =
        xmlmsg_find(t->tree, "MessageBody/ResultList/ResultOfQualificationConfirmation");
    uint32_t bits = 0;

    for (size_t i = 0; result != NULL && i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(xmlmsg_get(result, flags[i].flag), "1") == 0)
            bits |= flags[i].bit;
    return bits;
}

static uint8_t outcome_of(const struct decision *d)
{
    return d->result == DECIDE_USABLE       ? OUTCOME_ELIGIBLE
           : d->result == DECIDE_NOT_USABLE ? OUTCOME_NOT_ELIGIBLE
                                            : OUTCOME_UNKNOWN;
}

/* Into the record of a visit, and into the cache. `subject`: whom the cache knows it as. */
static int keep(struct desk *desk, struct told *t, struct store_visit *record,
                struct store_subject subject)
{
    int r = 0;

    note_decision(record, &t->decision);
    record->outcome = outcome_of(&t->decision);
    record->failure = t->decision.failure;
    if (record->outcome == OUTCOME_UNKNOWN && record->failure == FAILURE_NONE)
        record->failure = FAILURE_ELIGIBILITY_GARBLED;
    t->stored.consents = record->consents;
    if (says_something(t))
        r = match_stored(desk, record, &t->stored, t->stored.usable != 0, true, subject);
    if (r == 0)
        r = store_answer_put(desk->store, subject, &t->stored);
    record->answer = t->stored.id;
    return r;
}

static void publish(struct desk *desk, const struct store_visit *record, int64_t answered_us)
{
    struct msg_visit_item item;

    visit_item(record, 0, &item);
    item.answered = answered_us / 1000000;
    desk->ports.visit_changed(desk->ports.arg, &item);
    explicit_bzero(&item, sizeof(item));
}

/* ---- a visit of its own ---------------------------------------------------------------------- */

static int record_visit(struct desk *desk, struct told *t, struct store_visit *record,
                        const char *event)
{
    int r;

    record->state = VISIT_CLOSED;
    record->flags |= VISIT_FLAG_NO_CARD;
    record->opened_us = record->closed_us = t->stored.answered_us;
    record->consents = consents_told(t);
    r = keep(desk, t, record, (struct store_subject){t->subject, t->subject_len});
    if (r == 0)
        r = store_visit_record(desk->store, record);
    if (r == 0)
        r = store_audit(desk->store, event, record->id, 0, "", t->stored.date);
    if (r == 0)
        r = outbox_visit_over(desk, record, OUTBOX_FINISHED);
    return r;
}

/* When the terminal had its answer; a time that cannot be is ours. */
static int64_t terminal_time_us(struct desk *desk, const struct xmlmsg *tree)
{
    int64_t now = (int64_t)desk_wall_us(desk);
    int64_t then = decide_time_us(xmlmsg_get(tree, "MessageHeader/ProcessExecutionTime"));

    return then > 0 && then <= now + AHEAD_US ? then : now;
}

/* 1: it is stored (or was before); negative: try again. */
static int take_terminal(struct desk *desk, const struct message *message)
{
    const uint8_t *hash = message->body.terminal_visit.hash.data;
    struct store_visit record = {.method = METHOD_TERMINAL};
    struct told t;
    bool before = false;
    int r = told_read(desk, message, hash, (int64_t)desk_wall_us(desk), &t);

    if (r < 0) {
        log_event(LOG_LEVEL_ERROR, "a terminal's visit is not readable", LOG_ERRNO(r));
        told_free(&t);
        return 0; /* it will be no better */
    }
    t.stored.answered_us = terminal_time_us(desk, t.tree);
    r = store_begin(desk->store);
    if (r == 0)
        r = store_relay_keep(desk->store, hash, &before);
    if (r == 0 && !before)
        r = record_visit(desk, &t, &record, "terminal_visit");
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
    } else if (!before) {
        desk->metrics.terminal_visits++;
        publish(desk, &record, t.stored.answered_us);
        outbox_wake_soon(desk);
        log_event(LOG_LEVEL_INFO, "terminal visit", LOG_NUMBER("visit", record.id),
                  LOG_FAILURE(record.failure));
    }
    told_free(&t);
    explicit_bzero(&record, sizeof(record));
    return r < 0 ? r : 1;
}

/* ---- an answer that came late ---------------------------------------------------------------- */

/* What a change of something upstream has come to: only whether it was accepted. */
static void settle_change(const struct told *t, struct store_visit *record)
{
    if (record->failure == FAILURE_ELIGIBILITY_DOUBTFUL)
        record->failure =
            t->decision.result == DECIDE_REGISTERED ? FAILURE_NONE : t->decision.failure;
    record->flags |= VISIT_FLAG_LATE;
}

static bool wants_an_answer(const struct store_visit *record)
{
    return record->outcome == OUTCOME_UNKNOWN || record->outcome == OUTCOME_LAST_KNOWN ||
           record->outcome == OUTCOME_PENDING;
}

static struct store_subject subject_of(const struct store_visit *record, const struct told *t)
{
    return record->has_subject ? (struct store_subject){record->subject, sizeof(record->subject)}
                               : (struct store_subject){t->subject, t->subject_len};
}

/* The visit is over. If it has no answer of its day yet, this is it; its slip is settled with it.
 */
static int settle_closed(struct desk *desk, const struct store_ask *ask, struct told *t,
                         struct store_visit *record)
{
    struct store_slip slip;
    int r;

    if (ask->writes) {
        settle_change(t, record);
        return store_visit_save(desk->store, record);
    }
    if (!says_something(t))
        return 0;
    if (!wants_an_answer(record)) {
        t->stored.consents = record->consents;
        return store_answer_put(desk->store, subject_of(record, t), &t->stored);
    }
    r = store_slip_load(desk->store, record->id, &slip);
    if (r == 0 && slip.ended_us == 0) {
        reconcile_settle(&t->decision, &slip, record);
        slip.ended_us = (int64_t)desk_wall_us(desk);
        r = store_slip_put(desk->store, &slip);
    } else if (r == -ENOENT) {
        r = 0;
    }
    explicit_bzero(&slip, sizeof(slip));
    if (r == 0) {
        uint16_t failure = record->failure;
        bool slipped = (record->flags & (VISIT_FLAG_RECONCILED | VISIT_FLAG_DIFFERENT)) != 0;

        r = keep(desk, t, record, subject_of(record, t));
        if (slipped)
            record->failure = failure; /* what the slip came to */
    }
    record->flags |= VISIT_FLAG_LATE;
    if (r == 0)
        r = store_visit_save(desk->store, record);
    return r < 0 ? r : outbox_visit_over(desk, record, OUTBOX_RECONCILED);
}

/* It goes on without it: the next question is answered from the cache. */
static int settle_open(struct desk *desk, const struct visit *v, const struct store_ask *ask,
                       struct told *t)
{
    if (ask->writes || !says_something(t))
        return 0;
    t->stored.consents = v->record.consents;
    return store_answer_put(desk->store, subject_of(&v->record, t), &t->stored);
}

static int settle(struct desk *desk, const struct store_ask *ask, struct told *t,
                  struct store_visit *record)
{
    const struct visit *open = desk_visit(desk, ask->visit);
    int r = store_ask_end(desk->store, ask->id, OUTCOME_ANSWERED);

    if (r == 0 && open != NULL)
        r = settle_open(desk, open, ask, t);
    else if (r == 0)
        r = store_visit_load(desk->store, ask->visit, record);
    if (r == 0 && open == NULL)
        r = settle_closed(desk, ask, t, record);
    if (r == 0)
        r = store_audit(desk->store, "late_answer", ask->visit,
                        open != NULL ? open->record.lane : record->lane, "", t->stored.date);
    return r;
}

/* Stored with its hash, so that the relay may tell it again. 1 done; negative: try again. */
static int take_unwaited(struct desk *desk, const struct message *message,
                         const struct store_ask *ask)
{
    const struct msg_eligibility_late *late = &message->body.eligibility_late;
    struct store_visit record = {0};
    struct told t;
    bool before = false;
    int r = told_read(desk, message, late->hash.data, late->asked * 1000000, &t);

    if (r < 0) {
        log_event(LOG_LEVEL_ERROR, "a late answer is not readable", LOG_ERRNO(r));
        told_free(&t);
        return 0;
    }
    t.stored.answered_us = (int64_t)desk_wall_us(desk);
    r = store_begin(desk->store);
    if (r == 0)
        r = store_relay_keep(desk->store, late->hash.data, &before);
    if (r == 0 && !before && ask != NULL) {
        r = settle(desk, ask, &t, &record);
    } else if (r == 0 && !before) {
        /* Nobody knows the question (a backup was restored): it is shown by itself. */
        record.method = late->kind == UPSTREAM_BY_NUMBERS ? METHOD_NUMBERS : METHOD_NONE;
        record.flags = VISIT_FLAG_LATE;
        r = record_visit(desk, &t, &record, "late_unknown");
    }
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        store_rollback(desk->store);
    } else if (!before) {
        desk->metrics.late_answers++;
        outbox_wake_soon(desk);
        if (record.id != 0)
            publish(desk, &record, t.stored.answered_us);
        if (record.id != 0 && (record.flags & VISIT_FLAG_SLIP) != 0)
            slip_publish(desk, record.id);
        log_event(LOG_LEVEL_NOTICE, "a late answer is kept",
                  LOG_NUMBER("visit", ask != NULL ? ask->visit : record.id),
                  LOG_NUMBER("kind", late->kind), LOG_NUMBER("writes", late->writes));
    }
    told_free(&t);
    explicit_bzero(&record, sizeof(record));
    return r < 0 ? r : 1;
}

static int take_late(struct desk *desk, const struct message *message)
{
    const struct msg_eligibility_late *late = &message->body.eligibility_late;
    struct store_ask ask;
    struct visit *v;
    int r = store_ask_find(desk->store, late->correlation, &ask);

    if (r < 0 && r != -ENOENT)
        return r;
    if (r == -ENOENT)
        return take_unwaited(desk, message, NULL);
    v = desk_visit(desk, ask.visit);
    /* The visit still waits for this very answer: the desk was restarted meanwhile. */
    if (v != NULL && v->ask.row.id == ask.id && v->record.state == VISIT_ELIGIBILITY)
        return ask_answered(v, message) == -EIO ? -EIO : 1;
    return take_unwaited(desk, message, &ask);
}

/* ---- telling the relay, and trying again ----------------------------------------------------- */

static void receipt(struct desk *desk, unsigned upstream, const uint8_t hash[STORE_RELAY_HASH])
{
    struct msg_relay_taken taken = {.hash = {.len = STORE_RELAY_HASH}};

    memcpy(taken.hash.data, hash, STORE_RELAY_HASH);
    (void)desk->ports.send(desk->ports.arg, PEER_RELAY, upstream, MSG_RELAY_TAKEN, &taken, NULL, 0);
}

/* What reads the relay forgets once it was heard; faces and changes it tells until they are taken.
 */
static int take(struct desk *desk, unsigned upstream, const struct message *message)
{
    bool terminal = message->type == MSG_TERMINAL_VISIT;
    int r = terminal ? take_terminal(desk, message) : take_late(desk, message);

    if (r > 0 && terminal)
        receipt(desk, upstream, message->body.terminal_visit.hash.data);
    else if (r > 0 && message->body.eligibility_late.writes != 0)
        receipt(desk, upstream, message->body.eligibility_late.hash.data);
    if (r < 0)
        desk->metrics.store_failures++;
    return r;
}

static void put_aside(struct desk *desk, unsigned upstream, const struct message *message)
{
    struct hub *hub = &desk->hub;
    struct hub_waiting *w = &hub->waiting[hub->n];

    if (hub->n == HUB_WAITING_MAX)
        return;
    w->upstream = upstream;
    w->message = *message;
    w->message.fds[0] = fcntl(message->fds[0], F_DUPFD_CLOEXEC, 3);
    w->message.fds[1] = fcntl(message->fds[1], F_DUPFD_CLOEXEC, 3);
    hub->n++;
    (void)timer_set_after(hub->timer, AGAIN_US);
}

static void forget(struct hub_waiting *w)
{
    for (unsigned i = 0; i < 2; i++)
        if (w->message.fds[i] >= 0)
            (void)close(w->message.fds[i]);
    explicit_bzero(w, sizeof(*w));
}

void hub_on_timer(struct timer *timer, void *arg)
{
    struct desk *desk = arg;
    struct hub *hub = &desk->hub;

    (void)timer;
    while (hub->n > 0 && take(desk, hub->waiting[0].upstream, &hub->waiting[0].message) >= 0) {
        forget(&hub->waiting[0]);
        memmove(&hub->waiting[0], &hub->waiting[1], --hub->n * sizeof(hub->waiting[0]));
    }
    if (hub->n > 0)
        (void)timer_set_after(hub->timer, AGAIN_US);
}

void hub_free(struct desk *desk)
{
    for (size_t i = 0; i < desk->hub.n; i++)
        forget(&desk->hub.waiting[i]);
    desk->hub.n = 0;
    timer_free(&desk->hub.timer);
}

bool hub_take(struct desk *desk, unsigned upstream, const struct message *message)
{
    uint32_t len = message->type == MSG_TERMINAL_VISIT ? message->body.terminal_visit.hash.len
                                                       : message->body.eligibility_late.hash.len;

    if (message->nfds != 2 || len != STORE_RELAY_HASH)
        return false;
    if (take(desk, upstream, message) < 0)
        put_aside(desk, upstream, message);
    return true;
}
