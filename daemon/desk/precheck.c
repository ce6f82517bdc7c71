#include "precheck.h"

#include "ask.h"
#include "match.h"
#include "names.h"
#include "note.h"
#include "numbers.h"

#include "../common/log.h"
#include "../common/question.h"
#include "../common/visit.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUTCOME_ANSWERED 0
#define BREAKER_OPEN 2
#define OURS (UINT64_C(1) << 63) /* marks our requests among those of the store's questions */

/* A function of its own: seen inline, gcc 12 takes the row for its first member. */
static void __attribute__((noinline)) wipe_bytes(void *at, size_t len)
{
    explicit_bzero(at, len);
}

static void wipe(struct precheck *p)
{
    wipe_bytes(&p->entry, sizeof(p->entry));
    wipe_bytes(&p->numbers, sizeof(p->numbers));
}

static void reply(struct desk *desk, struct msg_prechecked *m)
{
    struct precheck *p = &desk->precheck;

    timer_stop(p->timer);
    m->request = p->request;
    (void)MESSAGE_TEXT(m->date, p->date);
    if (p->asker != NULL)
        desk->ports.prechecked(desk->ports.arg, p->asker, m);
    explicit_bzero(m, sizeof(*m));
    wipe(p);
    p->asker = NULL;
    p->asked = 0;
}

void precheck_free(struct desk *desk)
{
    timer_free(&desk->precheck.timer);
    wipe(&desk->precheck);
}

static void refuse(struct desk *desk, uint8_t result, uint16_t failure, const char *field)
{
    struct msg_prechecked m = {.result = result, .failure = failure};

    (void)MESSAGE_TEXT(m.field, field);
    reply(desk, &m);
}

/* The service that is asked by numbers; where none is named, the first that can be. Negative: none now. */
static int find_upstream(const struct desk *desk)
{
    bool named = false;

    for (unsigned i = 0; i < desk->nroutes; i++)
        named = named || desk->routes[i].capability == CAPABILITY_BY_NUMBERS;
    for (unsigned i = 0; i < desk->nupstreams; i++)
        if ((!named || i == desk_upstream_for(desk, 0, CAPABILITY_BY_NUMBERS)) &&
            desk->upstreams[i].up && desk->upstreams[i].breaker != BREAKER_OPEN &&
            (desk->upstreams[i].capabilities & CAPABILITY_BY_NUMBERS) != 0)
            return (int)i;
    return -ENOTCONN;
}

static int send_question(struct desk *desk)
{
    struct precheck *p = &desk->precheck;
    uint64_t now = clock_realtime_us(desk->clock);
    struct msg_eligibility_ask body = {
        .request = OURS | ++p->count,
        .kind = UPSTREAM_BY_NUMBERS,
        .budget_ms = (uint32_t)(desk->settings.limit_us[VISIT_ELIGIBILITY] / CLOCK_MS)};
    struct question_header header = {desk->settings.institution, p->date, body.correlation};
    struct question_numbers numbers = {.insurer = p->numbers.insurer,
                                       .symbol = p->numbers.symbol,
                                       .number = p->numbers.number,
                                       .branch = p->numbers.branch,
                                       .birth = p->numbers.birth};
    struct xmlmsg *tree;
    size_t len;
    int fd, r;

    (void)snprintf(body.correlation, sizeof(body.correlation), "P%llx-%llu",
                   (unsigned long long)now, (unsigned long long)p->count);
    tree = question_by_numbers(&header, &numbers);
    fd = tree != NULL ? xmlmsg_to_memfd(tree, &len) : -ENOMEM;
    xmlmsg_free(&tree);
    if (fd < 0)
        return fd;
    r = desk->ports.send(desk->ports.arg, PEER_RELAY, p->upstream, MSG_ELIGIBILITY_ASK, &body, &fd,
                         1);
    (void)close(fd);
    if (r == 0) {
        p->asked = body.request;
        desk->metrics.asks++;
        (void)timer_set_after(p->timer, desk->settings.limit_us[VISIT_ELIGIBILITY] + CLOCK_SECOND);
    }
    return r;
}

/* The day that the row is about, "" for today: not past, and not too far ahead. */
static bool read_date(const char *text, const char *today, char out[9])
{
    long ahead;

    if (text[0] == '\0') {
        memcpy(out, today, 9);
        return true;
    }
    if (!numbers_date(text, out)) {
        out[0] = '\0';
        return false;
    }
    ahead = desk_day_number(out) - desk_day_number(today);
    return ahead >= 0 && ahead <= PRECHECK_AHEAD;
}

void precheck_ask(struct desk *desk, void *asker, const struct msg_precheck *entry)
{
    struct precheck *p = &desk->precheck;
    struct numbers_entry keyed = {entry->insurer, entry->symbol, entry->number, entry->branch,
                                  entry->birth};
    struct msg_prechecked busy = {
        .request = entry->request, .result = PRECHECK_LATER, .failure = FAILURE_DESK_BUSY};
    const char *wrong;
    char today[9];
    int upstream;

    if (p->asker != NULL || p->asked != 0) {
        desk->ports.prechecked(desk->ports.arg, asker, &busy);
        return;
    }
    p->asker = asker;
    p->request = entry->request;
    p->entry = *entry;
    p->date[0] = '\0';
    if (!desk_check_clock(desk)) {
        refuse(desk, PRECHECK_LATER, FAILURE_DESK_CLOCK, "");
        return;
    }
    desk_today(desk, today);
    if (!read_date(entry->date, today, p->date)) {
        refuse(desk, PRECHECK_WRONG, FAILURE_LOOKUP_FORMAT, "date");
        return;
    }
    wrong = numbers_check(&keyed, today, &p->numbers);
    if (wrong != NULL) {
        refuse(desk, PRECHECK_WRONG, numbers_failure(wrong, keyed.insurer, FAILURE_LOOKUP_FORMAT),
               wrong);
        return;
    }
    upstream = find_upstream(desk);
    p->upstream = upstream >= 0 ? (unsigned)upstream : 0;
    if (upstream < 0 || send_question(desk) < 0)
        refuse(desk, PRECHECK_LATER, FAILURE_ELIGIBILITY_UNREACHABLE, "");
}

void precheck_forget(struct desk *desk, const void *asker)
{
    if (desk->precheck.asker == asker)
        desk->precheck.asker = NULL; /* its answer is still kept */
}

/* ---- the answer ------------------------------------------------------------------------------ */

static uint8_t result_of(const struct decision *d)
{
    switch (d->result) {
    case DECIDE_USABLE:
        return PRECHECK_VALID;
    case DECIDE_NOT_USABLE:
        return PRECHECK_INVALID;
    case DECIDE_PENDING:
        return PRECHECK_LATER;
    default:
        return PRECHECK_UNKNOWN;
    }
}

/* Cached as an answer about the day asked for, compared with the book, written to the audit log: one step. */
static int keep(struct desk *desk, struct store_answer *answer, const struct decision *d,
                struct store_visit *record)
{
    struct precheck *p = &desk->precheck;
    char buffer[ASK_SUBJECT_MAX];
    struct store_subject subject = {buffer, numbers_subject(&p->numbers, buffer, sizeof(buffer))};
    int r = store_begin(desk->store);

    note_decision(record, d);
    (void)MESSAGE_TEXT(answer->institution, desk->settings.institution);
    (void)MESSAGE_TEXT(answer->date, p->date);
    answer->usable = d->result == DECIDE_USABLE;
    answer->failure = d->failure;
    answer->answered_us = (int64_t)desk_wall_us(desk);
    answer->available_until_us = d->available_until_us;
    if (r == 0)
        r = match_listed(desk, record, answer, subject, p->entry.patient, p->entry.name);
    if (r == 0)
        r = store_answer_put(desk->store, subject, answer);
    if (r == 0)
        r = store_audit(desk->store, "precheck", 0, 0, p->entry.staff, p->date);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    explicit_bzero(buffer, sizeof(buffer));
    return r;
}

static void fill(struct msg_prechecked *m, const struct decision *d,
                 const struct store_visit *record, const char *listed)
{
    (void)MESSAGE_TEXT(m->validity, d->validity);
    (void)MESSAGE_TEXT(m->ratio, d->ratio);
    (void)MESSAGE_TEXT(m->limit_class, d->limit_class);
    (void)MESSAGE_TEXT(m->notice, d->notice_text);
    (void)MESSAGE_TEXT(m->name, d->person.name);
    m->other_name = listed[0] != '\0' && d->person.name[0] != '\0' &&
                    names_compare(listed, d->person.name) == NAMES_OTHER;
    m->match = record->match;
    (void)MESSAGE_TEXT(m->patient, record->patient);
    (void)MESSAGE_TEXT(m->since, record->since);
    (void)MESSAGE_TEXT(m->changes, record->changes);
}

/* An answer about another day than it was asked for would later serve on the wrong one. */
static bool about_the_day(const struct xmlmsg *tree, const char *date)
{
    const char *said = xmlmsg_get(tree, "MessageHeader/QualificationConfirmationDate");

    return said[0] == '\0' || strcmp(said, date) == 0;
}

static void answered(struct desk *desk, const struct message *message)
{
    struct precheck *p = &desk->precheck;
    struct decide_expect expect = ask_expect(desk);
    struct msg_prechecked m = {.result = PRECHECK_LATER};
    struct store_answer answer = {0};
    struct store_visit record = {0};
    struct decision d = {.result = DECIDE_UNKNOWN};
    struct xmlmsg *tree = NULL;
    int r = ask_read_answer(message, &answer);

    if (r == 0)
        r = xmlmsg_unpack(&tree, answer.tree, answer.tree_len);
    if (r < 0) {
        m.failure = FAILURE_ELIGIBILITY_GARBLED;
    } else {
        decide(tree, &expect, &d);
        m.result = result_of(&d);
        m.failure = d.failure;
        if (!about_the_day(tree, p->date)) {
            m.result = PRECHECK_UNKNOWN;
            m.failure = FAILURE_ELIGIBILITY_GARBLED;
        }
        if (m.result == PRECHECK_VALID || m.result == PRECHECK_INVALID)
            r = keep(desk, &answer, &d, &record);
        if (r < 0) {
            desk->metrics.store_failures++;
            m.result = PRECHECK_LATER;
            m.failure = FAILURE_DESK_STORE;
        } else {
            fill(&m, &d, &record, p->entry.name);
        }
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&d, sizeof(d));
    reply(desk, &m);
}

bool precheck_answer(struct desk *desk, unsigned upstream, const struct message *message)
{
    const struct msg_eligibility_answer *body = &message->body.eligibility_answer;
    struct precheck *p = &desk->precheck;

    if ((body->request & OURS) == 0)
        return false;
    if (body->outcome > 3 || (body->outcome == OUTCOME_ANSWERED && message->nfds != 2))
        return false;
    if (p->asked != body->request || p->upstream != upstream)
        return true; /* given up */
    if (body->outcome == OUTCOME_ANSWERED)
        answered(desk, message);
    else
        refuse(desk, PRECHECK_LATER,
               body->failure != FAILURE_NONE && body->failure < FAILURE_COUNT
                   ? body->failure
                   : (uint16_t)FAILURE_ELIGIBILITY_UNREACHABLE,
               "");
    return true;
}

void precheck_relay_lost(struct desk *desk, unsigned upstream)
{
    if (desk->precheck.asked != 0 && desk->precheck.upstream == upstream)
        refuse(desk, PRECHECK_LATER, FAILURE_ELIGIBILITY_UNREACHABLE, "");
}

void precheck_on_timer(struct timer *timer, void *arg)
{
    struct desk *desk = arg;

    (void)timer;
    if (desk->precheck.asked != 0)
        refuse(desk, PRECHECK_LATER, FAILURE_ELIGIBILITY_SLOW, "");
}
