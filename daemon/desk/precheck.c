#include "precheck.h"

#include "ask.h"
#include "bulk.h"
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTCOME_ANSWERED 0
#define BREAKER_OPEN 2
#define OURS (UINT64_C(1) << 63) /* marks our requests among those of the store's questions */
#define GATHER_US (5 * CLOCK_SECOND)
#define BULK_US (10 * CLOCK_MINUTE) /* a bulk question is worked on, and fetched when it is ready */
#define LACKING "一括の回答にこの行がありません / the bulk answer lacks this row"

static void tell(struct desk *desk, const struct precheck_row *row, struct msg_prechecked *m)
{
    struct precheck *p = &desk->precheck;

    m->request = row->entry.request;
    (void)MESSAGE_TEXT(m->date, p->date);
    if (p->asker != NULL)
        desk->ports.prechecked(desk->ports.arg, p->asker, m);
    explicit_bzero(m, sizeof(*m));
}

static void forget(struct precheck *p)
{
    if (p->rows != NULL)
        explicit_bzero(p->rows, p->room * sizeof(*p->rows));
    free(p->rows);
    p->rows = NULL;
    p->n = p->room = 0;
    p->asker = NULL;
    p->asked = 0;
}

/* Nothing is gathered, nothing under way. */
static void clear(struct precheck *p)
{
    timer_stop(p->timer);
    forget(p);
}

void precheck_free(struct desk *desk)
{
    timer_free(&desk->precheck.timer);
    forget(&desk->precheck);
}

/* The same of every row. */
static void refuse(struct desk *desk, uint8_t result, uint16_t failure)
{
    struct precheck *p = &desk->precheck;

    for (unsigned i = 0; i < p->n; i++) {
        struct msg_prechecked m = {.result = result, .failure = failure};

        tell(desk, &p->rows[i], &m);
    }
    clear(p);
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

/* The service that is asked in bulk: the one that a route names for it, else the one that is asked by numbers. */
static int find_bulk(const struct desk *desk)
{
    int found = find_upstream(desk);

    for (unsigned i = 0; i < desk->nroutes; i++)
        if (desk->routes[i].capability == CAPABILITY_BULK)
            found = (int)desk->routes[i].upstream;
    return found >= 0 && desk->upstreams[found].up &&
                   desk->upstreams[found].breaker != BREAKER_OPEN &&
                   (desk->upstreams[found].capabilities & CAPABILITY_BULK) != 0
               ? found
               : -ENOTCONN;
}

unsigned precheck_room(const struct desk *desk)
{
    return desk->settings.precheck_bulk > 1 && find_bulk(desk) >= 0 ? desk->settings.precheck_bulk
                                                                    : 1;
}

/* A row is known again by this in the answer. */
static void name_row(unsigned i, char out[12])
{
    (void)snprintf(out, 12, "R%u", i + 1);
}

static struct xmlmsg *make_question(const struct desk *desk, const char *correlation)
{
    const struct precheck *p = &desk->precheck;
    struct question_header header = {desk->settings.institution, p->date, correlation};
    struct question_numbers *numbers = calloc(p->n, sizeof(*numbers));
    char(*names)[12] = calloc(p->n, sizeof(*names));
    struct xmlmsg *tree = NULL;

    for (unsigned i = 0; numbers != NULL && names != NULL && i < p->n; i++) {
        const struct store_numbers *n = &p->rows[i].numbers;

        name_row(i, names[i]);
        numbers[i] = (struct question_numbers){.insurer = n->insurer,
                                               .symbol = n->symbol,
                                               .number = n->number,
                                               .branch = n->branch,
                                               .birth = n->birth,
                                               .identifier = p->n > 1 ? names[i] : NULL};
    }
    if (numbers != NULL && names != NULL)
        tree = p->n > 1 ? question_bulk(&header, numbers, p->n)
                        : question_by_numbers(&header, numbers);
    free(numbers);
    free(names);
    return tree;
}

static int send_question(struct desk *desk)
{
    struct precheck *p = &desk->precheck;
    uint64_t now = clock_realtime_us(desk->clock);
    uint64_t limit = p->n > 1 ? BULK_US : desk->settings.limit_us[VISIT_ELIGIBILITY];
    struct msg_eligibility_ask body = {.request = OURS | ++p->count,
                                       .kind = p->n > 1 ? UPSTREAM_BULK : UPSTREAM_BY_NUMBERS,
                                       .budget_ms = (uint32_t)(limit / CLOCK_MS)};
    struct xmlmsg *tree;
    size_t len;
    int fd, r;

    (void)snprintf(body.correlation, sizeof(body.correlation), "P%llx-%llu",
                   (unsigned long long)now, (unsigned long long)p->count);
    tree = make_question(desk, body.correlation);
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
        (void)timer_set_after(p->timer, limit + CLOCK_SECOND);
    }
    return r;
}

/* What was gathered is asked about. */
static void ask_gathered(struct desk *desk)
{
    struct precheck *p = &desk->precheck;
    int upstream = p->n > 1 ? find_bulk(desk) : find_upstream(desk);

    p->upstream = upstream >= 0 ? (unsigned)upstream : 0;
    if (upstream < 0 || send_question(desk) < 0)
        refuse(desk, PRECHECK_LATER, FAILURE_ELIGIBILITY_UNREACHABLE);
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

/* A place among the rows that are gathered; NULL: none. The first says how many there will be. */
static struct precheck_row *place(struct desk *desk, const char *date)
{
    struct precheck *p = &desk->precheck;

    if (p->n > 0)
        return p->n < p->room && strcmp(date, p->date) == 0 ? &p->rows[p->n] : NULL;
    if (p->rows == NULL) {
        p->room = precheck_room(desk);
        p->rows = calloc(p->room, sizeof(*p->rows));
    }
    if (p->rows == NULL)
        return NULL;
    memcpy(p->date, date, sizeof(p->date));
    return p->rows;
}

/* Gathers the row, or says in `m` why not. */
static bool take_row(struct desk *desk, const struct msg_precheck *entry, struct msg_prechecked *m)
{
    struct numbers_entry keyed = {entry->insurer, entry->symbol, entry->number, entry->branch,
                                  entry->birth};
    struct precheck_row *row;
    struct store_numbers numbers;
    const char *wrong = "date";
    char today[9], date[9];

    *m = (struct msg_prechecked){.result = PRECHECK_LATER, .failure = FAILURE_DESK_CLOCK};
    if (!desk_check_clock(desk))
        return false;
    desk_today(desk, today);
    if (read_date(entry->date, today, date))
        wrong = numbers_check(&keyed, today, &numbers);
    (void)MESSAGE_TEXT(m->date, date);
    if (wrong != NULL) {
        m->result = PRECHECK_WRONG;
        m->failure = strcmp(wrong, "date") == 0
                         ? (uint16_t)FAILURE_LOOKUP_FORMAT
                         : numbers_failure(wrong, keyed.insurer, FAILURE_LOOKUP_FORMAT);
        (void)MESSAGE_TEXT(m->field, wrong);
        return false;
    }
    m->failure = FAILURE_DESK_BUSY;
    row = place(desk, date);
    if (row != NULL) {
        row->entry = *entry;
        row->numbers = numbers;
        desk->precheck.n++;
    }
    explicit_bzero(&numbers, sizeof(numbers));
    return row != NULL;
}

void precheck_ask(struct desk *desk, void *asker, const struct msg_precheck *entry)
{
    struct precheck *p = &desk->precheck;
    struct msg_prechecked m = {.result = PRECHECK_LATER, .failure = FAILURE_DESK_BUSY};
    bool free_now = p->asked == 0 && (p->asker == NULL || p->asker == asker);

    if (free_now && take_row(desk, entry, &m)) {
        p->asker = asker;
    } else {
        m.request = entry->request;
        desk->ports.prechecked(desk->ports.arg, asker, &m);
    }
    if (!free_now || p->n == 0)
        return;
    if (entry->more == 0 || p->n == p->room)
        ask_gathered(desk);
    else
        (void)timer_set_after(p->timer, GATHER_US);
}

void precheck_forget(struct desk *desk, const void *asker)
{
    if (desk->precheck.asker != asker)
        return;
    desk->precheck.asker = NULL; /* its answer is still kept */
    if (desk->precheck.asked == 0)
        clear(&desk->precheck);
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

/* Inside a transaction: cached as an answer about the day asked for, compared with the book, written to the audit log. */
static int keep(struct desk *desk, const struct precheck_row *row, struct store_answer *answer,
                const struct decision *d, struct store_visit *record)
{
    struct precheck *p = &desk->precheck;
    char buffer[ASK_SUBJECT_MAX];
    struct store_subject subject = {buffer, numbers_subject(&row->numbers, buffer, sizeof(buffer))};
    int r;

    note_decision(record, d);
    (void)MESSAGE_TEXT(answer->institution, desk->settings.institution);
    (void)MESSAGE_TEXT(answer->date, p->date);
    answer->usable = d->result == DECIDE_USABLE;
    answer->failure = d->failure;
    answer->answered_us = (int64_t)desk_wall_us(desk);
    answer->available_until_us = d->available_until_us;
    r = match_listed(desk, record, answer, subject, row->entry.patient, row->entry.name);
    if (r == 0)
        r = store_answer_put(desk->store, subject, answer);
    if (r == 0)
        r = store_audit(desk->store, "precheck", 0, 0, row->entry.staff, p->date);
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

/*
 * What the answer says of one row; `told`: the answer as it came, where it is about this row alone. The transaction is
 * begun by the first row that is kept. Negative: the store.
 */
static int judge(struct desk *desk, const struct precheck_row *row, const struct xmlmsg *tree,
                 struct store_answer *told, bool *begun, struct msg_prechecked *m)
{
    struct decide_expect expect = ask_expect(desk);
    struct store_answer own = {0}, *answer = told != NULL ? told : &own;
    struct store_visit *record = calloc(1, sizeof(*record));
    struct decision d = {.result = DECIDE_UNKNOWN};
    int r = record != NULL ? 0 : -ENOMEM;

    decide(tree, &expect, &d);
    m->result = result_of(&d);
    m->failure = d.failure;
    if (!about_the_day(tree, desk->precheck.date)) {
        m->result = PRECHECK_UNKNOWN;
        m->failure = FAILURE_ELIGIBILITY_GARBLED;
    }
    if (r == 0 && (m->result == PRECHECK_VALID || m->result == PRECHECK_INVALID)) {
        if (told == NULL)
            r = xmlmsg_pack(tree, &own.tree, &own.tree_len);
        if (r == 0 && !*begun) {
            r = store_begin(desk->store);
            *begun = r == 0;
        }
        if (r == 0)
            r = keep(desk, row, answer, &d, record);
    }
    if (r == 0)
        fill(m, &d, record, row->entry.name);
    store_answer_free(&own);
    if (record != NULL)
        explicit_bzero(record, sizeof(*record));
    free(record);
    explicit_bzero(&d, sizeof(d));
    return r;
}

/* Each row by its own unit. */
static int judge_all(struct desk *desk, const struct xmlmsg *tree, struct store_answer *told,
                     struct msg_prechecked *all)
{
    const struct precheck *p = &desk->precheck;
    bool begun = false;
    int r = 0;

    for (unsigned i = 0; r == 0 && i < p->n; i++) {
        struct xmlmsg *unit = NULL;
        char name[12];

        if (p->n == 1) {
            r = judge(desk, &p->rows[i], tree, told, &begun, &all[i]);
            continue;
        }
        name_row(i, name);
        r = bulk_row(tree, name, &p->rows[i].numbers, &unit);
        if (r == 0) {
            r = judge(desk, &p->rows[i], unit, NULL, &begun, &all[i]);
        } else if (r == -ENOENT) {
            all[i].result = PRECHECK_UNKNOWN;
            all[i].failure = FAILURE_ELIGIBILITY_GARBLED;
            (void)MESSAGE_TEXT(all[i].notice, LACKING);
            r = 0;
        }
        xmlmsg_free(&unit);
    }
    if (r == 0 && begun)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

static void answered(struct desk *desk, const struct message *message)
{
    struct precheck *p = &desk->precheck;
    struct msg_prechecked *all = calloc(p->n, sizeof(*all));
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;
    uint16_t failure = FAILURE_ELIGIBILITY_GARBLED;
    const unsigned n = p->n;
    int r;

    if (all == NULL) {
        refuse(desk, PRECHECK_LATER, FAILURE_DESK_STORE);
        return;
    }
    r = ask_read_answer(message, &answer);
    if (r == 0)
        r = xmlmsg_unpack(&tree, answer.tree, answer.tree_len);
    if (r == 0) {
        r = judge_all(desk, tree, &answer, all);
        desk->metrics.store_failures += r < 0;
        failure = FAILURE_DESK_STORE;
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    if (r < 0) {
        refuse(desk, PRECHECK_LATER, failure);
    } else {
        for (unsigned i = 0; i < n; i++)
            tell(desk, &p->rows[i], &all[i]);
        clear(p);
    }
    explicit_bzero(all, n * sizeof(*all)); /* also what a failed step has filled already */
    free(all);
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
                   : (uint16_t)FAILURE_ELIGIBILITY_UNREACHABLE);
    return true;
}

void precheck_relay_lost(struct desk *desk, unsigned upstream)
{
    if (desk->precheck.asked != 0 && desk->precheck.upstream == upstream)
        refuse(desk, PRECHECK_LATER, FAILURE_ELIGIBILITY_UNREACHABLE);
}

void precheck_on_timer(struct timer *timer, void *arg)
{
    struct desk *desk = arg;

    (void)timer;
    if (desk->precheck.asked != 0)
        refuse(desk, PRECHECK_LATER, FAILURE_ELIGIBILITY_SLOW);
    else if (desk->precheck.n > 0)
        ask_gathered(desk); /* no more came */
}
