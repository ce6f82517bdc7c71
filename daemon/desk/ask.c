#include "ask.h"

#include "hub.h"
#include "numbers.h"
#include "outbox.h"
#include "precheck.h"
#include "reconcile.h"
#include "visit.h"

#include "../common/log.h"
#include "../common/memfd.h"
#include "../common/question.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTCOME_ANSWERED 0 /* eligibility_answer.outcome */
#define OUTCOME_DOUBTFUL 2
#define ASK_ENDS_NEVER 255

/* Whom this visit's questions of a kind go to; a card's own always to its lane's service. */
static const struct upstream *upstream_of(const struct visit *v, uint32_t capability)
{
    uint16_t lane = v->lane != NULL ? v->lane->number : v->record.lane;

    return &v->desk->upstreams[desk_upstream_for(v->desk, lane, capability)];
}

/* Where the question under way was asked. */
static unsigned upstream_index(const struct visit *v)
{
    uint32_t capability = v->ask.row.kind == UPSTREAM_BY_NUMBERS ? CAPABILITY_BY_NUMBERS : 0;

    return (unsigned)(upstream_of(v, capability) - v->desk->upstreams);
}

static bool offers(const struct visit *v, uint32_t capability)
{
    return (upstream_of(v, capability)->capabilities & capability) != 0;
}

/*
 * The numbers that name this visit's patient: keyed in now, or linked to the card at an earlier visit. -ENOENT: there
 * are none, or none that can be read any more; else the store's error, which says nothing about numbers.
 */
static int find_numbers(const struct visit *v, struct store_numbers *out)
{
    int r = -ENOENT;

    memset(out, 0, sizeof(*out));
    if (v->facts.has_numbers) {
        *out = v->facts.numbers;
        r = 0;
    } else if (v->record.has_subject) {
        r = store_link_get(v->desk->store, v->record.subject, out);
    }
    return r == -EBADMSG ? -ENOENT : r;
}

/* A card speaks for itself where the upstream listens; a PIN visit needs the signed statement for
 * that. */
static bool can_session(const struct visit *v)
{
    return offers(v, CAPABILITY_CARD_SESSION) && !v->facts.has_numbers &&
           v->facts.certificate.len > 0 &&
           (v->record.method != METHOD_PIN || v->facts.statement.len > 0);
}

void ask_lookup_subject(uint64_t visit, uint8_t out[32])
{
    memset(out, 0, 32);
    (void)snprintf((char *)out, 32, "look-up %llu", (unsigned long long)visit);
}

bool ask_possible(const struct visit *v)
{
    return v->record.method != METHOD_NONE && (can_session(v) || ask_without_card(v));
}

bool ask_without_card(const struct visit *v)
{
    struct store_numbers numbers = {0};
    /* While the store does not say, it may be: the attempt itself meets the store and says so. */
    bool can = (v->lane == NULL || !offers(v, CAPABILITY_CARD_SESSION)) &&
               offers(v, CAPABILITY_BY_NUMBERS) && find_numbers(v, &numbers) != -ENOENT;

    explicit_bzero(&numbers, sizeof(numbers));
    return can && !(v->ask.row.id != 0 && v->ask.row.kind != UPSTREAM_BY_NUMBERS);
}

uint32_t ask_consents(const struct visit *v)
{
    /* By numbers only the limit's consent has an element in the question. */
    uint32_t carried = offers(v, CAPABILITY_CARD_SESSION) ? (uint32_t)CONSENT_ALL : CONSENT_LIMIT;

    return v->lane == NULL ? 0 : v->desk->settings.consents & carried;
}

bool ask_can_register(const struct visit *v)
{
    return v->lane != NULL && offers(v, CAPABILITY_REGISTER) && !v->facts.registration_tried &&
           v->facts.certificate.len > 0;
}

struct store_subject ask_subject(const struct visit *v, char buffer[ASK_SUBJECT_MAX])
{
    if (v->record.has_subject)
        return (struct store_subject){v->record.subject, sizeof(v->record.subject)};
    return (struct store_subject){buffer,
                                  numbers_subject(&v->facts.numbers, buffer, ASK_SUBJECT_MAX)};
}

void ask_drop_answer(struct visit *v)
{
    store_answer_free(&v->answer.stored);
    explicit_bzero(&v->answer, sizeof(v->answer));
}

/* ---- what is known already ------------------------------------------------------------------- */

static struct decide_expect expect_of(const struct visit *v)
{
    /* In face mode nothing but the signed record binds certificate and photo to one person. */
    bool compare = v->record.method == METHOD_FACE;

    struct decide_expect expect = ask_expect(v->desk);

    expect.birth = compare ? v->facts.birth : NULL;
    expect.sex = v->facts.sex;
    return expect;
}

struct decide_expect ask_expect(const struct desk *desk)
{
    const struct desk_settings *s = &desk->settings;

    return (struct decide_expect){.institution = s->institution,
                                  .ticket =
                                      s->institution_kind == INSTITUTION_PHARMACY ? "02" : "01",
                                  .subsidy = s->subsidy_off ? NULL : s->subsidy_element};
}

static int decide_stored(const struct visit *v, const struct store_answer *stored,
                         struct decision *out)
{
    struct decide_expect expect = expect_of(v);
    struct xmlmsg *tree;
    int r = xmlmsg_unpack(&tree, stored->tree, stored->tree_len);

    if (r < 0)
        return r;
    decide(tree, &expect, out);
    xmlmsg_free(&tree);
    return 0;
}

static bool subject_known(const struct visit *v)
{
    return v->record.has_subject || v->facts.has_numbers;
}

/*
 * A negative one may have changed since: it spares the service a card that is laid down again at once, no more. Staff
 * who key in numbers want to know anew. What was told about today on an earlier day (precheck.h) serves for some days,
 * and never over a month's turn, when insurers change: what they report at the turn was not known before it.
 */
static bool still_serves(const struct visit *v, const struct store_answer *stored)
{
    const struct desk_settings *s = &v->desk->settings;
    int64_t age_us = (int64_t)desk_wall_us(v->desk) - stored->answered_us;
    char told[9];

    if (stored->usable == 0)
        return v->lane != NULL && age_us >= 0 && age_us < (int64_t)s->negative_us;
    desk_day(stored->answered_us, told);
    return strncmp(told, stored->date, 6) == 0 &&
           desk_day_number(stored->date) - desk_day_number(told) <= (long)s->precheck_days;
}

static bool serve_from(struct visit *v, struct store_subject subject)
{
    struct pending_answer *answer = &v->answer;
    char today[9];
    bool served;

    desk_today(v->desk, today);
    if (store_answer_today(v->desk->store, subject, v->desk->settings.institution, today,
                           v->record.consents, &answer->stored) < 0)
        return false;
    served = still_serves(v, &answer->stored) &&
             decide_stored(v, &answer->stored, &answer->decision) == 0;
    if (!served)
        ask_drop_answer(v);
    return served;
}

/*
 * Today's answer of the same consents serves today: an answer is good for the day it is about. One about yesterday never
 * serves, so neither does last month's: at a month's turn everybody is asked about anew.
 */
static bool serve_today(struct visit *v)
{
    char buffer[ASK_SUBJECT_MAX];
    struct pending_answer *answer = &v->answer;
    struct store_numbers linked;
    bool served;

    if (!subject_known(v))
        return false;
    ask_drop_answer(v);
    served = serve_from(v, ask_subject(v, buffer));
    /* A card that would be asked about by its linked numbers: that very question may have been answered already. */
    if (!served && v->record.has_subject && !can_session(v) && find_numbers(v, &linked) == 0) {
        served = serve_from(v, (struct store_subject){buffer, numbers_subject(&linked, buffer,
                                                                              sizeof(buffer))}) &&
                 !answer->decision.other_person;
        if (!served)
            ask_drop_answer(v);
    }
    explicit_bzero(&linked, sizeof(linked));
    explicit_bzero(buffer, sizeof(buffer));
    answer->there = answer->cached = served;
    return served;
}

static int load_last(const struct visit *v, struct pending_answer *out)
{
    char buffer[ASK_SUBJECT_MAX], today[9];
    struct store_numbers linked;
    int r = -ENOENT;

    memset(out, 0, sizeof(*out));
    desk_today(v->desk, today);
    if (subject_known(v))
        r = store_answer_last(v->desk->store, ask_subject(v, buffer), v->desk->settings.institution,
                              today, &out->stored);
    if (r == -ENOENT && v->record.has_subject && (r = find_numbers(v, &linked)) == 0) {
        /* Asked about by numbers so far: looked up by staff, at a terminal, or before the visit. */
        r = store_answer_last(
            v->desk->store,
            (struct store_subject){buffer, numbers_subject(&linked, buffer, sizeof(buffer))},
            v->desk->settings.institution, today, &out->stored);
        explicit_bzero(&linked, sizeof(linked));
    }
    if (r == 0)
        r = decide_stored(v, &out->stored, &out->decision);
    if (r == 0 && (out->decision.result != DECIDE_USABLE || out->decision.other_person))
        r = -ENOENT;
    if (r < 0)
        store_answer_free(&out->stored);
    out->there = out->cached = r == 0;
    explicit_bzero(buffer, sizeof(buffer));
    return r;
}

bool ask_last_known(const struct visit *v)
{
    struct pending_answer last;
    bool known = load_last(v, &last) == 0;

    store_answer_free(&last.stored);
    explicit_bzero(&last, sizeof(last));
    return known;
}

int ask_load_last(struct visit *v)
{
    ask_drop_answer(v);
    return load_last(v, &v->answer);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int begin(struct visit *v, uint8_t kind, bool writes)
{
    struct store_ask *row = &v->ask.row;
    uint64_t now = clock_realtime_us(v->desk->clock);
    int r;

    /*
     * Still open from before a restart, and it only reads: the same question under the same name.
     * With a PIN it is not the same: the statement that was signed is gone, the new one is another.
     */
    if (row->id != 0 && row->kind == kind && row->writes == 0 && !writes &&
        (kind != UPSTREAM_CARD_SESSION || v->record.method != METHOD_PIN))
        return 0;
    if (row->id != 0) {
        r = ask_end(v, v->ask.may_be_there ? OUTCOME_DOUBTFUL : 1);
        if (r < 0)
            return r;
    }
    memset(&v->ask, 0, sizeof(v->ask));
    row->visit = v->record.id;
    row->kind = kind;
    row->writes = writes;
    row->outcome = ASK_ENDS_NEVER;
    row->asked_us = (int64_t)now;
    (void)snprintf(row->correlation, sizeof(row->correlation), "U%llu-%llx-%u",
                   (unsigned long long)v->record.id, (unsigned long long)now,
                   (unsigned)v->record.step);
    r = store_ask_begin(v->desk->store, row);
    if (r == 0)
        v->desk->metrics.asks++;
    return r;
}

static void raise_next(struct visit *v, enum desk_event_kind kind, uint16_t failure)
{
    v->next = kind;
    v->next_failure = failure;
}

int ask_begin(struct visit *v)
{
    struct store_numbers numbers;
    int known, r = 0;

    if (!desk_check_clock(v->desk)) {
        raise_next(v, EVENT_CLOCK_WRONG, FAILURE_NONE);
        return 0;
    }
    if (serve_today(v)) {
        v->desk->metrics.cache_hits++;
        if (v->ask.row.id != 0)
            r = ask_end(v, v->ask.may_be_there ? OUTCOME_DOUBTFUL : 1);
        raise_next(v, EVENT_ANSWERED, v->answer.decision.failure);
        return r;
    }
    v->desk->metrics.cache_misses++;
    known = find_numbers(v, &numbers);
    explicit_bzero(&numbers, sizeof(numbers));
    if (v->lane != NULL && can_session(v))
        r = begin(v, UPSTREAM_CARD_SESSION, false);
    else if (known < 0 && known != -ENOENT)
        r = known; /* the step fails with the store's words, and nobody keys numbers in again for it */
    else if (known == 0 && offers(v, CAPABILITY_BY_NUMBERS))
        r = begin(v, UPSTREAM_BY_NUMBERS, false);
    else if (v->lane != NULL && offers(v, CAPABILITY_CARD_SESSION) && v->record.has_subject &&
             v->facts.certificate.len == 0)
        /* Staff confirmed a visit that outlived a restart: the card is there to be asked again. */
        raise_next(v, EVENT_CARD_NEEDED, FAILURE_NONE);
    else if (offers(v, CAPABILITY_BY_NUMBERS) && v->record.has_subject)
        raise_next(v, EVENT_LINK_NEEDED, FAILURE_NONE);
    else
        raise_next(v, EVENT_CANNOT_ASK, FAILURE_NONE);
    return r;
}

int ask_begin_registration(struct visit *v)
{
    if (!desk_check_clock(v->desk)) {
        raise_next(v, EVENT_CLOCK_WRONG, FAILURE_NONE);
        return 0;
    }
    return begin(v, UPSTREAM_REGISTER, true);
}

int ask_end(struct visit *v, uint8_t outcome)
{
    int r = store_ask_end(v->desk->store, v->ask.row.id, outcome);

    if (r == 0) {
        int64_t took = (int64_t)clock_realtime_us(v->desk->clock) - v->ask.row.asked_us;

        v->cancel_upstream = upstream_index(v);
        v->cancel_request = v->ask.sent && outcome != OUTCOME_ANSWERED ? v->ask.row.id : 0;
        v->record.ask_ms += took > 0 ? (uint32_t)(took / 1000) : 0;
        metrics_stage(&v->desk->metrics, STAGE_ASK, took > 0 ? (uint32_t)(took / 1000) : 0);
        memset(&v->ask, 0, sizeof(v->ask));
    }
    return r;
}

static struct xmlmsg *make_question(const struct visit *v)
{
    struct store_numbers linked;
    struct xmlmsg *tree;
    struct question_header header = {.institution = v->desk->settings.institution,
                                     .date = v->ask.date,
                                     .correlation = v->ask.row.correlation};
    struct question_card card = {
        .certificate = v->facts.certificate.data,
        .certificate_len = v->facts.certificate.len,
        .method = visit_method_name(v->record.method),
        .statement = v->facts.statement.data,
        .statement_len = v->record.method == METHOD_PIN ? v->facts.statement.len : 0,
        .signature = v->facts.signature.data,
        .signature_len = v->record.method == METHOD_PIN ? v->facts.signature.len : 0,
        /* Nothing is told of consents that nobody has answered: what the service holds stays. */
        .consents_asked = v->facts.consents_done ? ask_consents(v) : 0,
        .consents = v->record.consents};
    struct question_numbers numbers = {.limit_consent = (v->record.consents & CONSENT_LIMIT) != 0 ||
                                                        v->facts.limit_consent};

    if (v->ask.row.kind == UPSTREAM_CARD_SESSION)
        return question_card_session(&header, &card);
    if (v->ask.row.kind == UPSTREAM_REGISTER)
        return question_register(&header, &card);
    if (find_numbers(v, &linked) < 0)
        return NULL;
    numbers.insurer = linked.insurer;
    numbers.symbol = linked.symbol;
    numbers.number = linked.number;
    numbers.branch = linked.branch;
    numbers.birth = linked.birth;
    tree = question_by_numbers(&header, &numbers);
    explicit_bzero(&linked, sizeof(linked));
    return tree;
}

void ask_send(struct visit *v)
{
    struct desk_ports *ports = &v->desk->ports;
    struct msg_eligibility_ask body = {.request = v->ask.row.id,
                                       .visit = v->record.id,
                                       .kind = v->ask.row.kind,
                                       .writes = v->ask.row.writes};
    struct xmlmsg *tree;
    uint32_t left = visit_left_ms(v);
    size_t len;
    int fd;

    /* Nothing to ask, under way already, or nobody to ask yet: the relay's return sends it. */
    if (v->ask.row.id == 0 || v->ask.sent || !v->desk->upstreams[upstream_index(v)].up ||
        !desk_check_clock(v->desk))
        return;
    desk_today(v->desk, v->ask.date);
    tree = make_question(v);
    fd = tree != NULL ? xmlmsg_to_memfd(tree, &len) : -ENOMEM;
    xmlmsg_free(&tree);
    if (fd < 0) {
        log_event(LOG_LEVEL_ERROR, "question not made", LOG_NUMBER("visit", v->record.id),
                  LOG_ERRNO(fd));
        return;
    }
    /* The relay ends a little before the state does, so that its own words are heard. */
    body.budget_ms = left > 500 ? left - 250 : left;
    (void)MESSAGE_TEXT(body.correlation, v->ask.row.correlation);
    v->ask.sent = ports->send(ports->arg, PEER_RELAY, upstream_index(v), MSG_ELIGIBILITY_ASK, &body,
                              &fd, 1) == 0;
    v->ask.may_be_there = v->ask.may_be_there || v->ask.sent;
    (void)close(fd);
}

void ask_cancel(struct visit *v)
{
    struct desk_ports *ports = &v->desk->ports;
    struct msg_eligibility_cancel body = {.request = v->cancel_request};
    unsigned upstream = body.request != 0 ? v->cancel_upstream : upstream_index(v);

    /* Within a step the question has ended already; without one (the store refused) it is still
     * there. */
    if (body.request == 0 && v->ask.sent)
        body.request = v->ask.row.id;
    if (body.request != 0)
        (void)ports->send(ports->arg, PEER_RELAY, upstream, MSG_ELIGIBILITY_CANCEL, &body, NULL, 0);
    v->cancel_request = 0;
}

/* ---- the relay ------------------------------------------------------------------------------- */

static void each_asking(struct desk *desk, unsigned upstream, enum desk_event_kind kind)
{
    struct visit *next;

    for (unsigned i = 0; i < desk->nlanes; i++) {
        struct visit *v = desk->lanes[i]->visit;

        if (v->record.state == VISIT_ELIGIBILITY && upstream_index(v) == upstream) {
            if (kind == EVENT_RELAY_LOST && !v->ask.row.writes)
                v->ask.sent = false;
            (void)visit_raise(v, kind, FAILURE_NONE);
        }
    }
    for (struct visit *v = desk->lookups; v != NULL; v = next) {
        next = v->next_lookup;
        if (v->record.state == VISIT_ELIGIBILITY && upstream_index(v) == upstream) {
            if (kind == EVENT_RELAY_LOST)
                v->ask.sent = false;
            (void)visit_raise(v, kind, FAILURE_NONE);
        }
    }
}

void ask_relay_up(struct desk *desk, unsigned upstream)
{
    desk->upstreams[upstream].up = true;
    each_asking(desk, upstream, EVENT_RELAY_BACK);
    reconcile_wake(desk, true);
    outbox_relay_changed(desk, upstream);
}

void ask_relay_down(struct desk *desk, unsigned upstream)
{
    desk->upstreams[upstream].up = false;
    reconcile_relay_lost(desk, upstream);
    outbox_relay_down(desk, upstream);
    precheck_relay_lost(desk, upstream);
    each_asking(desk, upstream, EVENT_RELAY_LOST);
}

/* A sealed memfd as bytes of our own; *len 0 and NULL when there is none. */
static int copy_memfd(int fd, uint8_t **out, size_t *len)
{
    const uint8_t *map;
    struct stat st;
    int r;

    *out = NULL;
    *len = 0;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (st.st_size <= 0 || st.st_size > (off_t)XMLMSG_BYTES_MAX)
        return -EMSGSIZE;
    r = memfd_map(fd, (size_t)st.st_size, XMLMSG_BYTES_MAX, &map);
    if (r < 0)
        return r;
    *out = malloc((size_t)st.st_size);
    if (*out != NULL) {
        memcpy(*out, map, (size_t)st.st_size);
        *len = (size_t)st.st_size;
    }
    memfd_unmap(map, (size_t)st.st_size);
    return *out != NULL ? 0 : -ENOMEM;
}

int ask_read_answer(const struct message *message, struct store_answer *out)
{
    int r = copy_memfd(message->fds[0], &out->tree, &out->tree_len);

    return r < 0 ? r : copy_memfd(message->fds[1], &out->raw, &out->raw_len);
}

/* The answer as it came, decided; what it says about time and consents is what was asked. */
static int take_answer(struct visit *v, const struct message *message)
{
    struct pending_answer *answer = &v->answer;
    struct store_answer *stored = &answer->stored;
    int r;

    ask_drop_answer(v);
    r = ask_read_answer(message, stored);
    if (r == 0)
        r = decide_stored(v, stored, &answer->decision);
    if (r < 0) {
        ask_drop_answer(v);
        return r;
    }
    (void)MESSAGE_TEXT(stored->institution, v->desk->settings.institution);
    (void)MESSAGE_TEXT(stored->date, v->ask.date);
    stored->consents = v->record.consents;
    stored->answered_us = (int64_t)desk_wall_us(v->desk);
    answer->registration = v->ask.row.kind == UPSTREAM_REGISTER;
    answer->there = true;
    return 0;
}

int ask_answered(struct visit *v, const struct message *message)
{
    struct desk_event e = {.kind = EVENT_ANSWERED, .fd = -1};
    int r;

    /* Begun by an earlier run of the desk, and not sent again yet: it named the day it was begun on. */
    if (v->ask.date[0] == '\0')
        desk_day(v->ask.row.asked_us, v->ask.date);
    r = take_answer(v, message);
    if (r < 0)
        return r;
    e.failure = v->answer.decision.failure;
    return visit_event(v, &e);
}

static bool take_eligibility_answer(struct desk *desk, const struct message *message)
{
    const struct msg_eligibility_answer *body = &message->body.eligibility_answer;
    struct visit *v = desk_visit(desk, body->visit);
    struct desk_event e = {.fd = -1, .body = &message->body, .failure = body->failure};
    int r;

    if (body->outcome > 3 || (body->outcome == OUTCOME_ANSWERED && message->nfds != 2))
        return false;
    /* Late: the visit went on without it. */
    if (v == NULL || v->ask.row.id == 0 || v->ask.row.id != body->request || v->ask.date[0] == '\0')
        return true;
    if (body->outcome == OUTCOME_ANSWERED) {
        r = take_answer(v, message);
        if (r < 0) {
            log_event(LOG_LEVEL_ERROR, "answer not readable", LOG_NUMBER("visit", body->visit),
                      LOG_ERRNO(r));
            e.kind = v->ask.row.writes ? EVENT_DOUBTFUL : EVENT_UNAVAILABLE;
            e.failure = FAILURE_ELIGIBILITY_GARBLED;
        } else {
            e.kind = EVENT_ANSWERED;
            e.failure = v->answer.decision.failure;
        }
    } else if (body->outcome == OUTCOME_DOUBTFUL && v->ask.row.writes) {
        e.kind = EVENT_DOUBTFUL;
    } else {
        e.kind = EVENT_UNAVAILABLE;
        if (e.failure == FAILURE_NONE || e.failure >= FAILURE_COUNT)
            e.failure = FAILURE_ELIGIBILITY_UNREACHABLE;
    }
    (void)visit_event(v, &e);
    return true;
}

bool ask_relay_message(struct desk *desk, unsigned upstream, const struct message *message)
{
    const struct msg_upstream_state *state = &message->body.upstream_state;
    struct upstream *u = &desk->upstreams[upstream];
    bool better;

    switch (message->type) {
    case MSG_UPSTREAM_STATE:
        better = state->breaker < u->breaker ||
                 (state->failure == FAILURE_NONE && u->failure != FAILURE_NONE);
        u->capabilities = state->capabilities;
        u->breaker = state->breaker;
        u->failure = state->failure;
        reconcile_wake(desk, better);
        outbox_relay_changed(desk, upstream);
        return true;
    case MSG_ELIGIBILITY_ANSWER:
        return outbox_document_answer(desk, upstream, message) ||
               outbox_relay_answer(desk, upstream, message) ||
               precheck_answer(desk, upstream, message) ||
               reconcile_answer(desk, upstream, message) || take_eligibility_answer(desk, message);
    case MSG_ELIGIBILITY_LATE:
        if (outbox_relay_late(desk, message)) {
            struct msg_relay_taken taken = {
                .hash = {.len = message->body.eligibility_late.hash.len}};

            memcpy(taken.hash.data, message->body.eligibility_late.hash.data, taken.hash.len);
            (void)desk->ports.send(desk->ports.arg, PEER_RELAY, upstream, MSG_RELAY_TAKEN, &taken,
                                   NULL, 0);
            return true;
        }
        return hub_take(desk, upstream, message);
    case MSG_TERMINAL_VISIT:
        return hub_take(desk, upstream, message);
    default:
        return false;
    }
}
