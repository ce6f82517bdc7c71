/*
 * 薬剤・診療 (YZK) and 特定健診 (TKK): asked for when a visit ends with a live consent, handed over as they came, and
 * kept nowhere. The entry holds whose consent it is and when that ends; the document goes from the relay's answer to
 * the carrier and never into the store. Asking only reads, so it is asked again after any crash; from the staged file
 * on it is as with a face file. When the consent has ended nothing is asked, and what is staged is taken away.
 */
#include "outbox_internal.h"

#include "ask.h"
#include "decide.h"

#include "../common/log.h"
#include "../common/question.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUTCOME_ANSWERED 0
#define RESULT "MessageBody/ResultList/ResultOfQualificationConfirmation"

/* YZK is about drugs and about treatment: a consent to one of them is enough, the service knows which. */
static const struct document {
    enum outbox_cause cause;
    uint8_t kind; /* enum upstream_kind */
    const char *prefix;
    const char *consents[2];
} documents[] = {
    {OUTBOX_DRUGS, UPSTREAM_DRUGS, "YZKsiquc01res_", {"PharmacistsInfo", "DiagnosisInfo"}},
    {OUTBOX_CHECKUP, UPSTREAM_CHECKUP, "TKKsiquc01res_", {"SpecificHealthCheckupsInfo", NULL}},
};
#define DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

static const struct document *document_of(uint8_t cause)
{
    for (size_t i = 0; i < DOCUMENTS; i++)
        if (documents[i].cause == cause)
            return &documents[i];
    return NULL;
}

const char *outbox_document_prefix(uint8_t cause)
{
    const struct document *d = document_of(cause);

    return d != NULL ? d->prefix : "";
}

/* ---- what a visit's answer says -------------------------------------------------------------- */

/* When this consent ends; 0: it was not given, or has no end, which is none either. */
static int64_t consent_until_us(const struct xmlmsg *result, const char *stem)
{
    static const char *const ends[] = {"AvailableTime", "AcquisitionTime"};
    int64_t until = 0;
    char name[64];

    (void)snprintf(name, sizeof(name), "%sConsFlg", stem);
    if (strcmp(xmlmsg_get(result, name), "1") != 0)
        return 0;
    for (size_t i = 0; until == 0 && i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", stem, ends[i]);
        until = decide_time_us(xmlmsg_get(result, name));
    }
    return until;
}

/* The earliest end of those that are live; 0: none is. */
static int64_t live_until_us(const struct xmlmsg *result, const struct document *d, int64_t now)
{
    int64_t until = 0;

    for (size_t i = 0; i < 2 && d->consents[i] != NULL; i++) {
        int64_t end = consent_until_us(result, d->consents[i]);

        if (end > now && (until == 0 || end < until))
            until = end;
    }
    return until;
}

static int pack_until(int64_t until_us, struct store_outbox *entry)
{
    struct xmlmsg *tree = xmlmsg_new("document");
    char text[24];
    int r = -ENOMEM;

    (void)snprintf(text, sizeof(text), "%" PRId64, until_us);
    if (tree != NULL && xmlmsg_add(tree, "until", text) != NULL)
        r = xmlmsg_pack(tree, &entry->tree, &entry->tree_len);
    xmlmsg_free(&tree);
    return r;
}

/* 0 also for an entry that cannot be read: then the consent is taken as ended. */
static int64_t until_of(const struct store_outbox *entry)
{
    struct xmlmsg *tree = NULL;
    int64_t until = 0;

    if (xmlmsg_unpack(&tree, entry->tree, entry->tree_len) == 0)
        until = strtoll(xmlmsg_get(tree, "until"), NULL, 10);
    xmlmsg_free(&tree);
    return until;
}

static int add_one(struct desk *desk, const struct outbox_output *output,
                   const struct store_visit *record, const struct document *d, int64_t until)
{
    struct store_outbox entry = {.visit = record->id,
                                 .kind = OUTBOX_DOCUMENT,
                                 .cause = (uint8_t)d->cause,
                                 .answer = record->answer};
    int r = MESSAGE_TEXT(entry.target, output->name);

    if (r == 0)
        r = outbox_new_name(desk, &entry);
    if (r == 0)
        r = pack_until(until, &entry);
    if (r == 0)
        r = store_outbox_add(desk->store, &entry);
    store_outbox_free(&entry);
    return r == -EEXIST ? 0 : r;
}

int outbox_documents_of(struct desk *desk, const struct outbox_output *output,
                        const struct store_visit *record)
{
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;
    int64_t now = (int64_t)desk_wall_us(desk);
    int r = store_answer_load(desk->store, record->answer, &answer);

    if (r == 0 && answer.tree != NULL)
        r = xmlmsg_unpack(&tree, answer.tree, answer.tree_len);
    for (size_t i = 0; r == 0 && tree != NULL && i < DOCUMENTS; i++) {
        const struct xmlmsg *result = xmlmsg_find(tree, RESULT);
        int64_t until = result != NULL ? live_until_us(result, &documents[i], now) : 0;

        if (until != 0)
            r = add_one(desk, output, record, &documents[i], until);
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Some months ago, and today: the days that drugs are asked about. */
static void days(const struct desk *desk, unsigned months, char from[9], char to[9])
{
    unsigned year, month, day;

    desk_today(desk, to);
    memcpy(from, to, 9);
    if (sscanf(to, "%4u%2u%2u", &year, &month, &day) != 3 || months == 0)
        return;
    month += 12 * year - 1 - months;
    /* The first of that month: the last ones of a month are not days of every month. */
    (void)snprintf(from, 9, "%04u%02u01", month / 12 % 10000, month % 12 + 1);
}

static struct xmlmsg *make_question(const struct target *t, const struct document *d,
                                    const struct store_visit *record, int64_t until_us,
                                    const char *correlation)
{
    struct desk *desk = t->outbox->desk;
    struct store_numbers known;
    struct xmlmsg *tree = NULL;
    char from[9], to[9];
    const int64_t now_s = (int64_t)(desk_wall_us(desk) / CLOCK_SECOND);
    const struct question_consent consent = {"1", until_us / (int64_t)CLOCK_SECOND};
    struct question_header header = {desk->settings.institution, to, correlation};

    days(desk, t->output.months, from, to);
    if (outbox_numbers_of(desk, record, &known) == 0 && known.insurer[0] != '\0' &&
        known.number[0] != '\0') {
        const struct question_numbers numbers = {.insurer = known.insurer,
                                                 .symbol = known.symbol,
                                                 .number = known.number,
                                                 .branch = known.branch,
                                                 .birth = ""};

        tree = d->kind == UPSTREAM_DRUGS
                   ? question_drugs(&header, &numbers, &consent, now_s, from, to)
                   : question_checkup(&header, &numbers, &consent, now_s);
    }
    explicit_bzero(&known, sizeof(known));
    return tree;
}

static int ask(struct target *t, const struct store_outbox *entry, const struct document *d,
               const struct store_visit *record, int64_t until_us)
{
    struct desk *desk = t->outbox->desk;
    struct msg_eligibility_ask body = {
        .kind = d->kind,
        .visit = entry->visit,
        .until = until_us / (int64_t)CLOCK_SECOND,
        .budget_ms = (uint32_t)(desk->settings.limit_us[VISIT_ELIGIBILITY] / CLOCK_MS)};
    struct xmlmsg *tree;
    size_t len;
    int fd, r;

    (void)snprintf(body.correlation, sizeof(body.correlation), "D%llu-%u-%llx",
                   (unsigned long long)entry->id, (unsigned)entry->tries + 1,
                   (unsigned long long)desk_wall_us(desk));
    tree = make_question(t, d, record, until_us, body.correlation);
    fd = tree != NULL ? xmlmsg_to_memfd(tree, &len) : -ENODATA;
    xmlmsg_free(&tree);
    if (fd < 0)
        return fd;
    t->flight.entry = entry->id;
    t->flight.attempt = ++t->outbox->attempts;
    t->flight.step = OUTBOX_STEP_ASK;
    t->flight.upstream = desk_upstream_for(desk, record->lane, CAPABILITY_DOCUMENTS);
    (void)timer_set_after(t->timer, desk->settings.limit_us[VISIT_ELIGIBILITY] + CLOCK_SECOND);
    body.request = OUTBOX_REQUEST | t->flight.attempt;
    r = desk->ports.send(desk->ports.arg, PEER_RELAY, t->flight.upstream, MSG_ELIGIBILITY_ASK,
                         &body, &fd, 1);
    (void)close(fd);
    return r;
}

static bool can_ask(const struct desk *desk, uint16_t lane)
{
    const struct upstream *u =
        &desk->upstreams[desk_upstream_for(desk, lane, CAPABILITY_DOCUMENTS)];

    return u->up && u->breaker != OUTBOX_BREAKER_OPEN &&
           (u->capabilities & CAPABILITY_DOCUMENTS) != 0;
}

void outbox_send_document(struct target *t, const struct store_outbox *entry)
{
    struct desk *desk = t->outbox->desk;
    const struct document *d = document_of(entry->cause);
    const struct outbox_end end = {.outcome = HANDOVER_NOT_SENT,
                                   .failure = FAILURE_HANDOVER_UNREACHABLE};
    int64_t until = until_of(entry);
    bool over = until <= (int64_t)desk_wall_us(desk);
    struct store_visit record;
    int r = 0;

    /* Also what waits may lie in the work folder: the desk, or its word, was lost on the way of a stage. */
    if (over || entry->state == OUTBOX_SENT_MAYBE) {
        t->flight.why = entry->damaged ? FAILURE_HANDOVER_GONE : FAILURE_NONE;
        outbox_give_step(t, entry, over ? HANDOVER_DISCARD : HANDOVER_COMMIT);
        return;
    }
    if (d == NULL) { /* of a later version of this program */
        r = -ENODATA;
    } else {
        r = store_visit_load(desk->store, entry->visit, &record);
        if (r == 0 && can_ask(desk, record.lane))
            r = ask(t, entry, d, &record, until);
        else if (r == 0)
            r = -ENOTCONN;
        explicit_bzero(&record, sizeof(record));
    }
    if (r == -ENODATA) {
        t->flight.why = FAILURE_HANDOVER_GONE;
        outbox_give_step(t, entry, HANDOVER_DISCARD);
    } else if (r < 0) {
        outbox_ended(t, entry->id, &end);
    }
}

/* ---- the answer ------------------------------------------------------------------------------ */

static struct target *asking(struct desk *desk, unsigned upstream, uint64_t request)
{
    for (unsigned i = 0; i < desk->outbox->noutputs; i++) {
        struct target *t = &desk->outbox->targets[i];

        if (t->flight.entry != 0 && t->flight.step == OUTBOX_STEP_ASK &&
            t->flight.upstream == upstream &&
            (request == 0 || request == (OUTBOX_REQUEST | t->flight.attempt)))
            return t;
    }
    return NULL;
}

/* Whole and fine: on to the carrier. What the service says instead is said to staff, after what an earlier life may have
 * staged is gone. */
static void take_document(struct target *t, const struct xmlmsg *tree,
                          const struct store_answer *answer)
{
    struct store_outbox entry = {0};
    uint64_t id = t->flight.entry;
    bool fine = strcmp(xmlmsg_get(tree, "MessageBody/ResultCode"), "1") == 0;
    int r = store_outbox_load(t->outbox->desk->store, id, &entry);

    outbox_land(t);
    if (r == 0 && fine) {
        outbox_give_data(t, &entry, HANDOVER_STAGE, answer);
    } else if (r < 0) {
        outbox_ended(t, id,
                     &(struct outbox_end){.outcome = HANDOVER_NOT_SENT,
                                          .failure = FAILURE_HANDOVER_UNREACHABLE});
    } else {
        t->flight.why = FAILURE_HANDOVER_REFUSED;
        (void)snprintf(t->flight.detail, sizeof(t->flight.detail), "%.10s %.100s",
                       xmlmsg_get(tree, "MessageBody/ResultCode"),
                       xmlmsg_get(tree, "MessageBody/MessageContents"));
        outbox_give_step(t, &entry, HANDOVER_DISCARD);
    }
    store_outbox_free(&entry);
}

bool outbox_document_answer(struct desk *desk, unsigned upstream, const struct message *message)
{
    const struct msg_eligibility_answer *body = &message->body.eligibility_answer;
    struct target *t = asking(desk, upstream, body->request);
    struct outbox_end end = {.outcome = HANDOVER_NOT_SENT, .failure = FAILURE_ELIGIBILITY_GARBLED};
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;

    if ((body->request & OUTBOX_REQUEST) == 0 || t == NULL || body->outcome > 3 ||
        body->failure >= FAILURE_COUNT || (body->outcome == OUTCOME_ANSWERED && message->nfds != 2))
        return false;
    if (body->outcome != OUTCOME_ANSWERED) {
        end.failure =
            body->failure != FAILURE_NONE ? body->failure : (uint16_t)FAILURE_HANDOVER_UNREACHABLE;
        outbox_ended(t, t->flight.entry, &end);
    } else if (ask_read_answer(message, &answer) == 0 &&
               xmlmsg_unpack(&tree, answer.tree, answer.tree_len) == 0) {
        take_document(t, tree, &answer);
    } else {
        outbox_ended(t, t->flight.entry, &end);
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    return true;
}

void outbox_document_relay(struct desk *desk, unsigned upstream, bool lost)
{
    struct target *t;

    while (lost && (t = asking(desk, upstream, 0)) != NULL)
        outbox_ended(t, t->flight.entry,
                     &(struct outbox_end){.outcome = HANDOVER_NOT_SENT,
                                          .failure = FAILURE_HANDOVER_UNREACHABLE});
    for (unsigned i = 0; !lost && i < desk->outbox->noutputs; i++)
        if (desk->outbox->targets[i].output.kind == OUTBOX_DOCUMENT)
            outbox_look(&desk->outbox->targets[i]);
}
