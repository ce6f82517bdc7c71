#include "outbox_internal.h"

#include "visit.h"

#include "../common/log.h"
#include "../common/memfd.h"
#include "../common/xmlmsg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLACK_US                                                                                   \
    (15 * CLOCK_SECOND) /* beyond an attempt's own time: then the carrier has lost it */
#define TARGET_MOST_US CLOCK_MINUTE
#define ENTRY_MOST_US (10 * CLOCK_MINUTE)
#define STORE_RETRY_US CLOCK_SECOND
#define MAYBE "maybe" /* the mark of a hook of which an earlier try may have arrived */

static void on_timer(struct timer *timer, void *arg);

/* ---- life ------------------------------------------------------------------------------------ */

int outbox_new(struct outbox **out, struct desk *desk)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return -ENOMEM;
    (*out)->desk = desk;
    return 0;
}

void outbox_free(struct outbox **outbox)
{
    if (*outbox == NULL)
        return;
    for (unsigned i = 0; i < (*outbox)->ntargets; i++)
        timer_free(&(*outbox)->targets[i].timer);
    free(*outbox);
    *outbox = NULL;
}

static struct target *add_target(struct outbox *box)
{
    struct target *t = &box->targets[box->ntargets];

    t->outbox = box;
    t->timer = timer_new(box->desk->clock, on_timer, t);
    if (t->timer == NULL)
        return NULL;
    box->ntargets++;
    return t;
}

int outbox_add_output(struct desk *desk, const struct outbox_output *output)
{
    struct outbox *box = desk->outbox;
    struct target *t;

    if (box->noutputs == OUTBOX_OUTPUTS_MAX || box->ntargets != box->noutputs)
        return -ENOSPC;
    for (unsigned i = 0; i < box->noutputs; i++)
        if (strcmp(box->targets[i].output.name, output->name) == 0)
            return -EEXIST;
    t = add_target(box);
    if (t == NULL)
        return -ENOMEM;
    t->output = *output;
    t->index = box->noutputs;
    t->failure = FAILURE_HANDOVER_UNREACHABLE;
    return (int)box->noutputs++;
}

unsigned outbox_outputs(const struct desk *desk)
{
    return desk->outbox->noutputs;
}

const struct outbox_output *outbox_output(const struct desk *desk, unsigned index)
{
    return &desk->outbox->targets[index].output;
}

void outbox_references(struct desk *desk, bool on, unsigned bulk)
{
    desk->outbox->references = on;
    desk->outbox->bulk = bulk;
}

bool outbox_output_good(const struct desk *desk, unsigned index, uint16_t *failure)
{
    const struct target *t = &desk->outbox->targets[index];

    *failure = t->failure;
    return t->up && t->failure == FAILURE_NONE;
}

/* ---- what boards see ------------------------------------------------------------------------- */

void outbox_item(const struct store_outbox *e, const char *patient, uint32_t request,
                 struct msg_outbox_item *out)
{
    memset(out, 0, sizeof(*out));
    out->request = request;
    out->entry = e->id;
    out->visit = e->visit;
    out->kind = e->kind;
    out->cause = e->cause;
    out->state = e->state;
    out->failure = e->failure;
    out->tries = e->tries;
    out->made = e->made_us / 1000000;
    out->tried = e->tried_us / 1000000;
    out->due = e->due_us / 1000000;
    out->ended = e->ended_us / 1000000;
    (void)MESSAGE_TEXT(out->target, e->target);
    (void)MESSAGE_TEXT(out->name, e->name);
    (void)MESSAGE_TEXT(out->detail, e->detail);
    (void)MESSAGE_TEXT(out->staff, e->staff);
    (void)MESSAGE_TEXT(out->patient, patient);
}

void outbox_publish(struct desk *desk, const struct store_outbox *entry)
{
    struct store_visit record;
    struct msg_outbox_item item;

    if (desk->ports.outbox_changed == NULL)
        return;
    if (store_visit_load(desk->store, entry->visit, &record) < 0)
        memset(&record, 0, sizeof(record));
    outbox_item(entry, record.person.name, 0, &item);
    desk->ports.outbox_changed(desk->ports.arg, &item);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
}

static int want_staff(const struct store_outbox *entry, void *arg)
{
    bool *wanted = arg;

    *wanted = *wanted || entry->state == OUTBOX_DOUBTFUL || entry->state == OUTBOX_REFUSED;
    return *wanted;
}

int outbox_flag_visit(struct desk *desk, const struct store_outbox *entry)
{
    struct visit *open = desk_visit(desk, entry->visit);
    struct store_visit record;
    bool wanted = false;
    uint32_t flags;
    int r = store_outbox_of_visit(desk->store, entry->visit, want_staff, &wanted);

    if (r < 0)
        return r;
    if (open != NULL) {
        open->record.flags &= ~(uint32_t)VISIT_FLAG_HANDOVER;
        open->record.flags |= wanted ? VISIT_FLAG_HANDOVER : 0u;
        /* What the store refused of it is written later, with the flag. */
        return open->unsaved ? 0 : store_visit_save(desk->store, &open->record);
    }
    r = store_visit_load(desk->store, entry->visit, &record);
    if (r == -ENOENT)
        return 0;
    flags = (record.flags & ~(uint32_t)VISIT_FLAG_HANDOVER) | (wanted ? VISIT_FLAG_HANDOVER : 0u);
    if (r == 0 && flags != record.flags) {
        record.flags = flags;
        r = store_visit_save(desk->store, &record);
    }
    explicit_bzero(&record, sizeof(record));
    return r;
}

static void publish_visit(struct desk *desk, uint64_t id)
{
    struct visit *open = desk_visit(desk, id);
    struct store_visit record;
    struct msg_visit_item item;

    if (open != NULL) {
        visit_publish(open);
        return;
    }
    if (store_visit_load(desk->store, id, &record) < 0)
        return;
    visit_item(&record, 0, &item);
    desk->ports.visit_changed(desk->ports.arg, &item);
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&item, sizeof(item));
}

/* ---- one try --------------------------------------------------------------------------------- */

void outbox_land(struct target *t)
{
    memset(&t->flight, 0, sizeof(t->flight));
    timer_stop(t->timer);
}

static uint64_t doubled(uint64_t first_us, unsigned times, uint64_t most_us)
{
    uint64_t us = first_us;

    for (unsigned i = 1; i < times && us < most_us; i++)
        us *= 2;
    return us < most_us ? us : most_us;
}

static int put_begun(struct desk *desk, struct store_outbox *entry)
{
    int r = store_begin(desk->store);

    entry->state = OUTBOX_SENT_MAYBE;
    entry->tries++;
    entry->tried_us = (int64_t)desk_wall_us(desk);
    if (r == 0)
        r = store_outbox_save(desk->store, entry);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

/* The store takes nothing now: nothing goes out either. */
static void wait_for_store(struct target *t)
{
    struct desk *desk = t->outbox->desk;

    desk->metrics.store_failures++;
    outbox_land(t);
    t->not_before_us = clock_monotonic_us(desk->clock) + STORE_RETRY_US;
    (void)timer_set_at(t->timer, t->not_before_us);
}

int outbox_begin(struct target *t, struct store_outbox *entry)
{
    int r = put_begun(t->outbox->desk, entry);

    if (r < 0)
        wait_for_store(t);
    return r;
}

/* What has become of an entry. Pure but for the clock. */
static void settle(const struct target *t, struct store_outbox *e, const struct outbox_end *end)
{
    enum outbox_delivery delivery = outbox_delivery(e->kind);
    int64_t now = (int64_t)desk_wall_us(t->outbox->desk);

    e->failure = end->failure;
    (void)MESSAGE_TEXT(e->detail, end->detail != NULL ? end->detail : "");
    switch (end->outcome) {
    case HANDOVER_STAGED:
        e->state = OUTBOX_SENT_MAYBE;
        e->tries++;
        e->tried_us = now;
        (void)MESSAGE_TEXT(e->mark, end->mark);
        return;
    case HANDOVER_DONE:
        e->state = OUTBOX_DONE;
        e->failure = FAILURE_NONE;
        break;
    case HANDOVER_REFUSED:
        e->state = OUTBOX_REFUSED;
        break;
    case HANDOVER_NOT_SENT:
        if (delivery == OUTBOX_NOT_RESENT ||
            (delivery == OUTBOX_LEAST && strcmp(e->mark, MAYBE) != 0))
            e->state = OUTBOX_WAITING;
        break;
    default:
        if (delivery == OUTBOX_LEAST)
            (void)MESSAGE_TEXT(e->mark, MAYBE);
        else
            e->state = OUTBOX_DOUBTFUL;
        break;
    }
    if (delivery == OUTBOX_LEAST && e->state < OUTBOX_DONE &&
        (e->damaged || now - e->made_us > (int64_t)t->output.give_up_us))
        e->state = strcmp(e->mark, MAYBE) == 0 ? OUTBOX_DOUBTFUL : OUTBOX_REFUSED;
    if (e->state == OUTBOX_DOUBTFUL && e->failure == FAILURE_NONE)
        e->failure = FAILURE_HANDOVER_DOUBTFUL;
    if (e->state >= OUTBOX_DONE) {
        e->ended_us = now;
    } else {
        if (delivery == OUTBOX_EXACTLY) {
            e->tries++;
            e->tried_us = now;
        }
        e->due_us = now + (int64_t)doubled(CLOCK_SECOND, e->tries, ENTRY_MOST_US);
    }
}

static int put_ended(struct desk *desk, const struct store_outbox *e)
{
    static const char *const events[] = {[OUTBOX_DONE] = "handed_over",
                                         [OUTBOX_DOUBTFUL] = "handover_doubtful",
                                         [OUTBOX_REFUSED] = "handover_refused"};
    int r = store_outbox_save(desk->store, e);

    /* That a patient's data left the house, or perhaps, stands in the audit log. */
    if (r == 0 && e->state >= OUTBOX_DONE)
        r = store_audit(desk->store, events[e->state], e->visit, 0, "", e->target);
    if (r == 0 && e->state > OUTBOX_DONE)
        r = outbox_flag_visit(desk, e);
    return r;
}

static void count(struct target *t, const struct store_outbox *e, uint8_t outcome)
{
    struct metrics *m = &t->outbox->desk->metrics;
    bool bad = outcome == HANDOVER_NOT_SENT || outcome == HANDOVER_DOUBTFUL;

    m->handover_tries++;
    m->handover_failed += bad;
    t->failures = bad ? t->failures + 1 : 0;
    if (bad)
        t->not_before_us = clock_monotonic_us(t->outbox->desk->clock) +
                           doubled(CLOCK_SECOND, t->failures, TARGET_MOST_US);
    if (e->state >= OUTBOX_DONE)
        m->handover_ended[e->kind < OUTBOX_KIND_COUNT ? e->kind : 0][e->state]++;
    log_event(e->state > OUTBOX_DONE ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "handed over",
              LOG_NUMBER("entry", e->id), LOG_NUMBER("visit", e->visit),
              LOG_NAME("kind", outbox_kind_name(e->kind)),
              LOG_NAME("state", outbox_state_name(e->state)), LOG_NUMBER("tries", e->tries),
              LOG_FAILURE(e->failure));
}

static int store_end(struct target *t, uint64_t id, const struct outbox_end *end,
                     struct store_outbox *entry)
{
    struct desk *desk = t->outbox->desk;
    int r = store_begin(desk->store);

    if (r == 0)
        r = store_outbox_load(desk->store, id, entry);
    if (r == 0 && entry->state >= OUTBOX_DONE)
        r = -EALREADY; /* staff have decided meanwhile */
    if (r == 0) {
        settle(t, entry, end);
        r = put_ended(desk, entry);
    }
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

static void carry(struct target *t, struct store_outbox *entry);

void outbox_ended(struct target *t, uint64_t id, const struct outbox_end *end)
{
    struct desk *desk = t->outbox->desk;
    struct store_outbox entry = {0};
    int r = store_end(t, id, end, &entry);

    outbox_land(t);
    if (r == 0) {
        count(t, &entry, end->outcome);
        outbox_publish(desk, &entry);
        if (entry.state > OUTBOX_DONE)
            publish_visit(desk, entry.visit);
        if (end->outcome == HANDOVER_STAGED)
            carry(t, &entry);
        else
            outbox_look(t);
    } else if (r == -ENOENT || r == -EALREADY) {
        outbox_look(t);
    } else {
        wait_for_store(t);
    }
    store_outbox_free(&entry);
}

static void fly(struct target *t, const struct store_outbox *entry, uint8_t step)
{
    t->flight.entry = entry->id;
    t->flight.attempt = ++t->outbox->attempts;
    t->flight.step = step;
    (void)timer_set_after(t->timer, t->output.seconds_us + SLACK_US);
}

/* fds: two, or NULL with COMMIT and DISCARD. */
static void give(struct target *t, const struct store_outbox *entry, uint8_t step, const int fds[2],
                 size_t bytes, size_t raw_bytes)
{
    struct desk_ports *ports = &t->outbox->desk->ports;
    struct msg_handover_give body = {.entry = entry->id,
                                     .step = step,
                                     .budget_ms = (uint32_t)(t->output.seconds_us / CLOCK_MS),
                                     .bytes = (uint32_t)bytes,
                                     .raw_bytes = (uint32_t)raw_bytes};
    int r;

    fly(t, entry, step);
    body.attempt = t->flight.attempt;
    (void)MESSAGE_TEXT(body.name, entry->name);
    (void)MESSAGE_TEXT(body.mark, fds == NULL ? entry->mark : "");
    r = ports->send(ports->arg, PEER_HANDOVER, t->index, MSG_HANDOVER_GIVE, &body, fds,
                    fds != NULL ? 2 : 0);
    if (r < 0)
        outbox_ended(t, entry->id,
                     &(struct outbox_end){.outcome = HANDOVER_NOT_SENT,
                                          .failure = FAILURE_HANDOVER_UNREACHABLE});
}

static void give_data(struct target *t, const struct store_outbox *entry, uint8_t step,
                      const void *data, size_t len, const void *raw, size_t raw_len)
{
    int fds[2] = {memfd_seal("handover", data, len), memfd_seal("raw", raw, raw_len)};

    if (fds[0] >= 0 && fds[1] >= 0)
        give(t, entry, step, fds, len, raw_len);
    else
        outbox_ended(
            t, entry->id,
            &(struct outbox_end){.outcome = HANDOVER_NOT_SENT, .failure = FAILURE_DESK_BUSY});
    for (unsigned i = 0; i < 2; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

void outbox_give_step(struct target *t, const struct store_outbox *entry, uint8_t step)
{
    give(t, entry, step, NULL, 0, 0);
}

void outbox_give_data(struct target *t, const struct store_outbox *entry, uint8_t step,
                      const struct store_answer *data)
{
    give_data(t, entry, step, data->tree, data->tree_len, data->raw, data->raw_len);
}

static void send_stage(struct target *t, const struct store_outbox *entry)
{
    struct desk *desk = t->outbox->desk;
    struct store_answer answer = {0};
    int r = entry->answer != 0 ? store_answer_load(desk->store, entry->answer, &answer) : -ENOENT;

    if (r == 0 && answer.tree != NULL)
        outbox_give_data(t, entry, HANDOVER_STAGE, &answer);
    else if (r == 0 || r == -ENOENT || r == -EBADMSG)
        outbox_ended(
            t, entry->id,
            &(struct outbox_end){.outcome = HANDOVER_REFUSED, .failure = FAILURE_HANDOVER_GONE});
    else
        wait_for_store(t);
    store_answer_free(&answer);
}

/*
 * What was to go out does not open: staff hear of it, and nothing waits behind it. A file needs only its answer; and of a
 * document whatever may have been prepared is taken away first.
 */
static bool cannot_go(const struct store_outbox *entry)
{
    return entry->damaged && entry->kind != OUTBOX_FACE_FILE && entry->kind != OUTBOX_DOCUMENT;
}

static void carry(struct target *t, struct store_outbox *entry)
{
    if (entry->state == OUTBOX_SENT_MAYBE && outbox_delivery(entry->kind) == OUTBOX_NOT_RESENT) {
        /* How its try ended could not be stored. */
        outbox_ended(t, entry->id,
                     &(struct outbox_end){.outcome = HANDOVER_DOUBTFUL,
                                          .failure = FAILURE_HANDOVER_DOUBTFUL});
    } else if (cannot_go(entry)) {
        bool maybe = entry->state == OUTBOX_SENT_MAYBE || strcmp(entry->mark, MAYBE) == 0;

        outbox_ended(t, entry->id,
                     &(struct outbox_end){.outcome = maybe ? HANDOVER_DOUBTFUL : HANDOVER_REFUSED,
                                          .failure = FAILURE_HANDOVER_GONE});
    } else if (t->reference) {
        outbox_send_references(t, entry);
    } else if (entry->kind == OUTBOX_FACE_FILE) {
        if (entry->state == OUTBOX_SENT_MAYBE)
            outbox_give_step(t, entry, HANDOVER_COMMIT);
        else
            send_stage(t, entry);
    } else if (entry->kind == OUTBOX_DOCUMENT) {
        outbox_send_document(t, entry);
    } else if (outbox_begin(t, entry) == 0) {
        give_data(t, entry, HANDOVER_SEND, entry->tree, entry->tree_len, NULL, 0);
    }
}

/* ---- when ------------------------------------------------------------------------------------ */

static int take(const struct store_outbox *entry, void *arg)
{
    *(uint64_t *)arg = entry->id;
    return 1;
}

static bool can_go(const struct target *t)
{
    return t->up && t->breaker != OUTBOX_BREAKER_OPEN && t->flight.entry == 0 && !t->quiet;
}

static void sleep_until_due(struct target *t)
{
    struct desk *desk = t->outbox->desk;
    int64_t due_us, now = (int64_t)desk_wall_us(desk);

    if (store_outbox_due(desk->store, t->output.name, &due_us) == 0)
        (void)timer_set_after(t->timer, due_us > now ? (uint64_t)(due_us - now) : CLOCK_SECOND);
}

void outbox_look(struct target *t)
{
    struct desk *desk = t->outbox->desk;
    struct store_outbox entry = {0};
    uint64_t id = 0;
    int r;

    if (!can_go(t))
        return;
    if (clock_monotonic_us(desk->clock) < t->not_before_us) {
        (void)timer_set_at(t->timer, t->not_before_us);
        return;
    }
    r = store_outbox_next(desk->store, t->output.name, (int64_t)desk_wall_us(desk), 1, take, &id);
    if (r == 0 && id == 0) {
        sleep_until_due(t);
        return;
    }
    if (r == 0)
        r = store_outbox_load(desk->store, id, &entry);
    if (r == 0)
        carry(t, &entry);
    else
        wait_for_store(t);
    store_outbox_free(&entry);
}

void outbox_wake(struct desk *desk)
{
    for (unsigned i = 0; i < desk->outbox->ntargets; i++)
        outbox_look(&desk->outbox->targets[i]);
}

/* On the loop, so that what a step adds goes out after everything that the step itself sends. */
void outbox_wake_soon(struct desk *desk)
{
    for (unsigned i = 0; i < desk->outbox->ntargets; i++)
        if (can_go(&desk->outbox->targets[i]))
            (void)timer_set_after(desk->outbox->targets[i].timer, 0);
}

/* Nobody will say any more how it ended. */
static void lost(struct target *t)
{
    const struct outbox_end end = {
        .outcome = t->flight.step == HANDOVER_SEND ? HANDOVER_DOUBTFUL : HANDOVER_NOT_SENT,
        .failure = t->flight.step == HANDOVER_SEND ? FAILURE_HANDOVER_DOUBTFUL
                                                   : FAILURE_HANDOVER_UNREACHABLE};
    struct flight flight = t->flight;

    if (flight.entry == 0)
        return;
    t->quiet = true;
    for (unsigned i = 0; i < flight.n; i++)
        outbox_ended(t, flight.group[i], &end);
    if (flight.n == 0)
        outbox_ended(t, flight.entry, &end);
    t->quiet = false;
    outbox_look(t);
}

static void on_timer(struct timer *timer, void *arg)
{
    struct target *t = arg;

    (void)timer;
    if (t->flight.entry != 0)
        lost(t);
    else
        outbox_look(t);
}

/* ---- the carriers ---------------------------------------------------------------------------- */

void outbox_carrier_up(struct desk *desk, unsigned index)
{
    struct target *t = &desk->outbox->targets[index];

    t->up = true;
    t->breaker = 0;
    t->failure = FAILURE_NONE;
    t->failures = 0;
    t->not_before_us = 0;
    outbox_look(t);
}

void outbox_carrier_down(struct desk *desk, unsigned index)
{
    struct target *t = &desk->outbox->targets[index];

    t->up = false;
    t->failure = FAILURE_HANDOVER_UNREACHABLE;
    lost(t);
}

static bool take_result(struct target *t, const struct msg_handover_result *result)
{
    struct outbox_end end = {result->outcome, result->failure, result->detail, result->mark};
    struct flight flight = t->flight;
    bool staged = result->outcome == HANDOVER_STAGED;

    if (result->outcome >= HANDOVER_OUTCOME_COUNT || result->failure >= FAILURE_COUNT ||
        staged != (result->step == HANDOVER_STAGE && staged))
        return false;
    /* Of an attempt that was given up: whatever it did, the next one finds it. */
    if (t->flight.entry == 0 || t->flight.entry != result->entry ||
        t->flight.attempt != result->attempt)
        return true;
    if (t->flight.step != result->step ||
        (result->step == HANDOVER_STAGE && result->outcome == HANDOVER_DONE))
        return false;
    if (result->step == HANDOVER_DISCARD && result->outcome == HANDOVER_REFUSED &&
        flight.why != FAILURE_NONE) {
        end.failure = flight.why;
        end.detail = flight.detail;
    }
    outbox_ended(t, result->entry, &end);
    explicit_bzero(&flight, sizeof(flight));
    return true;
}

bool outbox_carrier_message(struct desk *desk, unsigned index, const struct message *message)
{
    struct target *t = &desk->outbox->targets[index];
    const struct msg_output_state *state = &message->body.output_state;

    switch (message->type) {
    case MSG_OUTPUT_STATE:
        if (state->kind != t->output.kind || strcmp(state->output, t->output.name) != 0)
            return false;
        if (t->breaker == OUTBOX_BREAKER_OPEN && state->breaker != OUTBOX_BREAKER_OPEN)
            t->not_before_us = 0;
        t->breaker = state->breaker;
        t->failure = state->failure;
        outbox_look(t);
        return true;
    case MSG_HANDOVER_RESULT:
        return take_result(t, &message->body.handover_result);
    default:
        return false;
    }
}

/* ---- after a restart ------------------------------------------------------------------------- */

struct begun {
    uint64_t ids[OUTBOX_GROUP_MAX * 4];
    size_t n;
};

static int each_begun(const struct store_outbox *entry, void *arg)
{
    struct begun *begun = arg;

    if (outbox_delivery(entry->kind) == OUTBOX_NOT_RESENT)
        begun->ids[begun->n++] = entry->id;
    return begun->n == sizeof(begun->ids) / sizeof(begun->ids[0]);
}

static int doubt(struct desk *desk, const struct begun *begun)
{
    struct store_outbox entry;
    int r = store_begin(desk->store);

    for (size_t i = 0; r == 0 && i < begun->n; i++) {
        r = store_outbox_load(desk->store, begun->ids[i], &entry);
        if (r < 0)
            break;
        entry.state = OUTBOX_DOUBTFUL;
        entry.failure = FAILURE_HANDOVER_DOUBTFUL;
        entry.ended_us = (int64_t)desk_wall_us(desk);
        r = put_ended(desk, &entry);
        desk->metrics.handover_ended[entry.kind][OUTBOX_DOUBTFUL] += r == 0;
        store_outbox_free(&entry);
    }
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0)
        store_rollback(desk->store);
    return r;
}

int outbox_resume(struct desk *desk)
{
    struct outbox *box = desk->outbox;
    struct begun begun;
    int r;

    for (unsigned i = 0; box->references && i < desk->nupstreams; i++) {
        struct target *t = add_target(box);

        if (t == NULL)
            return -ENOMEM;
        t->reference = true;
        t->index = i;
        (void)MESSAGE_TEXT(t->output.name, desk->upstreams[i].name);
        t->output.kind = OUTBOX_REFERENCE;
        t->output.seconds_us = desk->settings.limit_us[VISIT_ELIGIBILITY];
    }
    do {
        begun.n = 0;
        r = store_outboxes(desk->store, STORE_OUTBOX_BEGUN, 0, 0, each_begun, &begun);
        if (r == 0 && begun.n > 0)
            r = doubt(desk, &begun);
    } while (r == 0 && begun.n > 0);
    if (r == 0)
        outbox_wake(desk);
    return r;
}
