/* 照会番号登録: carried by the relays of the upstreams, alone or many at once, never sent again
 * after doubt. */
#include "numbers.h"
#include "outbox_internal.h"

#include "ask.h"

#include "../common/log.h"
#include "../common/question.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTCOME_ANSWERED 0
#define OUTCOME_NOT_SENT 1
#define OUTCOME_DOUBTFUL 2
#define BULK_BUDGET_US CLOCK_HOUR
#define BULK_BUDGET_MS 3600000u

/* One registration as its entry holds it; the texts belong to the tree. */
struct registration {
    struct xmlmsg *tree;
    struct question_numbers numbers;
    const char *reference;
};

static int read_registration(const struct store_outbox *entry, struct registration *out)
{
    int r = xmlmsg_unpack(&out->tree, entry->tree, entry->tree_len);

    if (r < 0)
        return r;
    out->reference = xmlmsg_get(out->tree, "ReferenceNumber");
    out->numbers = (struct question_numbers){
        .insurer = xmlmsg_get(out->tree, "InsurerNumber"),
        .symbol = xmlmsg_get(out->tree, "InsuredCardSymbol"),
        .number = xmlmsg_get(out->tree, "InsuredIdentificationNumber"),
        .branch = xmlmsg_get(out->tree, "InsuredBranchNumber"),
        .birth = "",
    };
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct gathering {
    uint64_t ids[OUTBOX_GROUP_MAX];
    unsigned n;
};

static int gather(const struct store_outbox *entry, void *arg)
{
    struct gathering *g = arg;

    if (entry->state == OUTBOX_WAITING && !entry->damaged)
        g->ids[g->n++] = entry->id;
    return g->n == OUTBOX_GROUP_MAX;
}

/* SENT_MAYBE for all of them, in one step. `mark`: the question that they go with. */
static int begin_all(struct desk *desk, const struct gathering *g, const char *mark,
                     struct registration *all)
{
    struct store_outbox entry;
    int r = store_begin(desk->store);

    for (unsigned i = 0; r == 0 && i < g->n; i++) {
        r = store_outbox_load(desk->store, g->ids[i], &entry);
        if (r == 0) {
            entry.state = OUTBOX_SENT_MAYBE;
            entry.tries++;
            entry.tried_us = (int64_t)desk_wall_us(desk);
            (void)MESSAGE_TEXT(entry.mark, mark);
            r = store_outbox_save(desk->store, &entry);
            if (r == 0)
                r = read_registration(&entry, &all[i]);
        }
        store_outbox_free(&entry);
    }
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

static struct xmlmsg *make_question(const struct desk *desk, const struct registration *all,
                                    unsigned n, const char *correlation)
{
    char today[9];
    struct question_header header = {desk->settings.institution, today, correlation};
    struct question_reference *references = calloc(n, sizeof(*references));
    struct xmlmsg *tree;

    if (references == NULL)
        return NULL;
    desk_today(desk, today);
    for (unsigned i = 0; i < n; i++)
        references[i] = (struct question_reference){all[i].reference, &all[i].numbers};
    tree = n == 1 ? question_reference_number(&header, references)
                  : question_reference_bulk(&header, references, n);
    free(references);
    return tree;
}

static int send(struct target *t, const struct registration *all, unsigned n,
                const char *correlation)
{
    struct desk *desk = t->outbox->desk;
    struct msg_eligibility_ask body = {
        .request = OUTBOX_REQUEST | t->flight.attempt,
        .kind = n == 1 ? UPSTREAM_REFERENCE_NUMBER : UPSTREAM_REFERENCE_BULK,
        .writes = 1,
        .budget_ms = n == 1 ? (uint32_t)(t->output.seconds_us / CLOCK_MS) : BULK_BUDGET_MS,
    };
    struct xmlmsg *tree = make_question(desk, all, n, correlation);
    size_t len;
    int fd = tree != NULL ? xmlmsg_to_memfd(tree, &len) : -ENOMEM;
    int r = fd;

    xmlmsg_free(&tree);
    if (fd < 0)
        return r;
    (void)MESSAGE_TEXT(body.correlation, correlation);
    r = desk->ports.send(desk->ports.arg, PEER_RELAY, t->index, MSG_ELIGIBILITY_ASK, &body, &fd, 1);
    (void)close(fd);
    return r;
}

/* The same end for all that went together. */
static void end_all(struct target *t, const struct outbox_end *end)
{
    struct flight flight = t->flight;

    t->quiet = true;
    for (unsigned i = 0; i < flight.n; i++)
        outbox_ended(t, flight.group[i], end);
    t->quiet = false;
    outbox_look(t);
}

static bool bulk_wanted(const struct target *t, unsigned waiting)
{
    const struct upstream *u = &t->outbox->desk->upstreams[t->index];

    return t->outbox->bulk > 1 && waiting >= t->outbox->bulk &&
           (u->capabilities & CAPABILITY_BULK) != 0;
}

void outbox_send_references(struct target *t, struct store_outbox *entry)
{
    struct desk *desk = t->outbox->desk;
    struct registration *all = NULL;
    struct gathering g = {0};
    char correlation[51];
    int r = store_outbox_next(desk->store, t->output.name, (int64_t)desk_wall_us(desk),
                              OUTBOX_GROUP_MAX, gather, &g);

    if (r == 0 && !bulk_wanted(t, g.n)) {
        g.n = 1;
        g.ids[0] = entry->id;
    }
    (void)snprintf(correlation, sizeof(correlation), "N%llu-%u-%llx", (unsigned long long)entry->id,
                   (unsigned)entry->tries + 1, (unsigned long long)desk_wall_us(desk));
    if (r == 0)
        all = calloc(g.n, sizeof(*all));
    if (r == 0)
        r = all != NULL ? begin_all(desk, &g, correlation, all) : -ENOMEM;
    t->flight.entry = entry->id;
    t->flight.attempt = ++t->outbox->attempts;
    t->flight.step = HANDOVER_SEND;
    t->flight.n = g.n;
    memcpy(t->flight.group, g.ids, g.n * sizeof(g.ids[0]));
    (void)timer_set_after(t->timer, g.n > 1 ? BULK_BUDGET_US + 2 * CLOCK_MINUTE
                                            : t->output.seconds_us + CLOCK_MINUTE);
    if (r == 0)
        r = send(t, all, g.n, correlation);
    if (r < 0)
        end_all(t, &(struct outbox_end){.outcome = HANDOVER_NOT_SENT,
                                        .failure = FAILURE_HANDOVER_UNREACHABLE});
    for (unsigned i = 0; all != NULL && i < g.n; i++)
        xmlmsg_free(&all[i].tree);
    free(all);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* What one ProcessingResultStatus says; `detail`: at least 129 bytes. */
static struct outbox_end read_status(const struct xmlmsg *part, char detail[129])
{
    const char *status = xmlmsg_get(part, "ProcessingResultStatus");
    const char *code = xmlmsg_get(part, "ProcessingResultCode");

    if (strcmp(status, "1") == 0)
        return (struct outbox_end){.outcome = HANDOVER_DONE};
    (void)snprintf(detail, 129, "%.60s", code);
    return (struct outbox_end){
        .outcome = strcmp(status, "2") == 0 ? HANDOVER_REFUSED : HANDOVER_DOUBTFUL,
        .failure = strcmp(status, "2") == 0 ? FAILURE_HANDOVER_REFUSED : FAILURE_HANDOVER_DOUBTFUL,
        .detail = detail};
}

/* The unit that echoes this registration. */
static const struct xmlmsg *find_unit(const struct xmlmsg *body, const struct registration *wanted)
{
    for (struct xmlmsg *u = xmlmsg_child(body, "BulkRegistrationUnit"); u != NULL;
         u = xmlmsg_next(u, "BulkRegistrationUnit")) {
        const struct xmlmsg *info = xmlmsg_child(u, "ReferenceNumberRegistrationInfo");

        if (info != NULL && strcmp(xmlmsg_get(info, "ReferenceNumber"), wanted->reference) == 0 &&
            numbers_echoed(info, wanted->numbers.insurer, wanted->numbers.number))
            return u;
    }
    return NULL;
}

static void end_unit(struct target *t, uint64_t id, const struct xmlmsg *body)
{
    struct outbox_end end = {.outcome = HANDOVER_DOUBTFUL, .failure = FAILURE_HANDOVER_DOUBTFUL};
    struct store_outbox entry = {0};
    struct registration wanted = {0};
    const struct xmlmsg *unit = NULL;
    char detail[129] = "";

    if (store_outbox_load(t->outbox->desk->store, id, &entry) == 0 &&
        read_registration(&entry, &wanted) == 0)
        unit = find_unit(body, &wanted);
    if (unit != NULL)
        end = read_status(unit, detail);
    xmlmsg_free(&wanted.tree);
    store_outbox_free(&entry);
    outbox_ended(t, id, &end);
}

static void take_tree(struct target *t, const struct xmlmsg *tree)
{
    const struct xmlmsg *body = xmlmsg_find(tree, "MessageBody");
    struct flight flight = t->flight;
    char detail[129] = "";

    if (strcmp(xmlmsg_get(tree, "MessageHeader/SegmentOfResult"), "1") != 0) {
        (void)snprintf(detail, sizeof(detail), "%.60s",
                       xmlmsg_get(tree, "MessageHeader/ErrorCode"));
        end_all(t, &(struct outbox_end){.outcome = HANDOVER_REFUSED,
                                        .failure = FAILURE_HANDOVER_REFUSED,
                                        .detail = detail});
    } else if (body == NULL) {
        end_all(t, &(struct outbox_end){.outcome = HANDOVER_DOUBTFUL,
                                        .failure = FAILURE_HANDOVER_DOUBTFUL});
    } else if (flight.n == 1) {
        const struct outbox_end end = read_status(body, detail);

        end_all(t, &end);
    } else {
        t->quiet = true;
        for (unsigned i = 0; i < flight.n; i++)
            end_unit(t, flight.group[i], body);
        t->quiet = false;
        outbox_look(t);
    }
}

static struct target *target_of(struct desk *desk, unsigned upstream)
{
    struct outbox *box = desk->outbox;

    for (unsigned i = box->noutputs; i < box->ntargets; i++)
        if (box->targets[i].index == upstream)
            return &box->targets[i];
    return NULL;
}

bool outbox_relay_answer(struct desk *desk, unsigned upstream, const struct message *message)
{
    const struct msg_eligibility_answer *body = &message->body.eligibility_answer;
    struct target *t = target_of(desk, upstream);
    struct outbox_end end = {.outcome = HANDOVER_DOUBTFUL, .failure = FAILURE_HANDOVER_DOUBTFUL};
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;

    if ((body->request & OUTBOX_REQUEST) == 0 || t == NULL || body->outcome > 3 ||
        body->failure >= FAILURE_COUNT || (body->outcome == OUTCOME_ANSWERED && message->nfds != 2))
        return false;
    if (t->flight.entry == 0 || body->request != (OUTBOX_REQUEST | t->flight.attempt))
        return true; /* of an attempt that was given up: doubtful it is, and stays */
    if (body->outcome == OUTCOME_ANSWERED) {
        if (ask_read_answer(message, &answer) == 0 &&
            xmlmsg_unpack(&tree, answer.tree, answer.tree_len) == 0)
            take_tree(t, tree);
        else
            end_all(t, &end);
    } else {
        end.failure =
            body->failure != FAILURE_NONE ? body->failure : (uint16_t)FAILURE_HANDOVER_UNREACHABLE;
        end.outcome = body->outcome == OUTCOME_NOT_SENT   ? HANDOVER_NOT_SENT
                      : body->outcome == OUTCOME_DOUBTFUL ? HANDOVER_DOUBTFUL
                                                          : HANDOVER_REFUSED;
        end_all(t, &end);
    }
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    return true;
}

/* ---- an answer that came late ---------------------------------------------------------------- */

struct late {
    const char *correlation;
    uint64_t ids[OUTBOX_GROUP_MAX];
    unsigned n;
};

static int of_question(const struct store_outbox *entry, void *arg)
{
    struct late *late = arg;

    if (entry->kind == OUTBOX_REFERENCE && entry->state == OUTBOX_DOUBTFUL &&
        strcmp(entry->mark, late->correlation) == 0)
        late->ids[late->n++] = entry->id;
    return late->n == OUTBOX_GROUP_MAX;
}

/* What staff would have had to find out: the doubt goes. */
static int resolve(struct desk *desk, uint64_t id, const struct xmlmsg *tree, bool many)
{
    const struct xmlmsg *part = xmlmsg_find(tree, "MessageBody");
    struct outbox_end end = {.outcome = HANDOVER_REFUSED, .failure = FAILURE_HANDOVER_REFUSED};
    struct store_outbox entry = {0};
    struct registration wanted = {0};
    char detail[129] = "";
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_outbox_load(desk->store, id, &entry);
    if (r == 0)
        r = read_registration(&entry, &wanted);
    if (r == 0 && many && part != NULL)
        part = find_unit(part, &wanted);
    if (r == 0 && strcmp(xmlmsg_get(tree, "MessageHeader/SegmentOfResult"), "1") == 0) {
        end.outcome = HANDOVER_DOUBTFUL;
        if (part != NULL)
            end = read_status(part, detail);
    }
    if (r == 0 && end.outcome != HANDOVER_DOUBTFUL) {
        entry.state = end.outcome == HANDOVER_DONE ? OUTBOX_DONE : OUTBOX_REFUSED;
        entry.failure = end.failure;
        entry.ended_us = (int64_t)desk_wall_us(desk);
        (void)MESSAGE_TEXT(entry.detail, detail);
        r = store_outbox_save(desk->store, &entry);
    }
    if (r == 0)
        r = outbox_flag_visit(desk, &entry);
    if (r == 0)
        r = store_audit(desk->store, "handover_late", entry.visit, 0, "", entry.target);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    else
        outbox_publish(desk, &entry);
    xmlmsg_free(&wanted.tree);
    store_outbox_free(&entry);
    return r;
}

bool outbox_relay_late(struct desk *desk, const struct message *message)
{
    const struct msg_eligibility_late *body = &message->body.eligibility_late;
    struct late late = {.correlation = body->correlation};
    struct store_answer answer = {0};
    struct xmlmsg *tree = NULL;
    int r;

    /* A document that nobody waits for any more: it is kept nowhere, and asked for anew. */
    if (body->kind == UPSTREAM_DRUGS || body->kind == UPSTREAM_CHECKUP)
        return true;
    if (body->kind != UPSTREAM_REFERENCE_NUMBER && body->kind != UPSTREAM_REFERENCE_BULK)
        return false;
    r = store_outboxes(desk->store, STORE_OUTBOX_OPEN, 0, UINT32_MAX >> 1, of_question, &late);
    if (r == 0 && late.n > 0)
        r = ask_read_answer(message, &answer);
    if (r == 0 && late.n > 0)
        r = xmlmsg_unpack(&tree, answer.tree, answer.tree_len);
    for (unsigned i = 0; r == 0 && i < late.n; i++)
        r = resolve(desk, late.ids[i], tree, body->kind == UPSTREAM_REFERENCE_BULK);
    xmlmsg_free(&tree);
    store_answer_free(&answer);
    return r == 0;
}

/* ---- the relay comes and goes ---------------------------------------------------------------- */

void outbox_relay_changed(struct desk *desk, unsigned upstream)
{
    const struct upstream *u = &desk->upstreams[upstream];
    struct target *t = target_of(desk, upstream);

    outbox_document_relay(desk, upstream, false);
    if (t == NULL)
        return;
    t->up = u->up && (u->capabilities & CAPABILITY_REFERENCE_NUMBER) != 0;
    t->breaker = u->breaker;
    t->failure = u->failure;
    outbox_look(t);
}

void outbox_relay_down(struct desk *desk, unsigned upstream)
{
    struct target *t = target_of(desk, upstream);

    outbox_document_relay(desk, upstream, true);
    if (t == NULL)
        return;
    t->up = false;
    if (t->flight.entry != 0)
        end_all(t, &(struct outbox_end){.outcome = HANDOVER_DOUBTFUL,
                                        .failure = FAILURE_HANDOVER_DOUBTFUL});
}
