#include "visit.h"

#include "ask.h"
#include "lane.h"
#include "outbox.h"
#include "slip.h"

#include "../common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 8                       /* internal events that one event may lead to */
#define STORE_RETRY_US (2 * CLOCK_SECOND) /* after the store refused */
#define PIN_CHECK_US (15 * CLOCK_SECOND)  /* where the reader has no PIN pad */
#define S(state) (UINT32_C(1) << VISIT_##state)

static void (*trace)(const struct table_row *, unsigned, void *);
static void *trace_arg;

void visit_trace(void (*seen)(const struct table_row *row, unsigned from, void *arg), void *arg)
{
    trace = seen;
    trace_arg = arg;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void hash_remove(struct visit *v)
{
    struct visit **at = &v->desk->by_id[v->record.id % DESK_HASH];

    while (*at != NULL && *at != v)
        at = &(*at)->next_hash;
    if (*at != NULL)
        *at = v->next_hash;
    v->next_hash = NULL;
}

static void hash_add(struct visit *v)
{
    struct visit **at = &v->desk->by_id[v->record.id % DESK_HASH];

    v->next_hash = *at;
    *at = v;
}

static void on_limit(struct timer *timer, void *arg);
static void on_again(struct timer *timer, void *arg);

struct visit *visit_new(struct desk *desk, struct lane *lane)
{
    struct visit *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return NULL;
    v->desk = desk;
    v->lane = lane;
    v->next = EVENT_COUNT;
    v->facts.pin_tries = v->facts.number_b_tries = 255;
    v->facts.resume = VISIT_METHOD;
    v->limit = timer_new(desk->clock, on_limit, v);
    v->again = timer_new(desk->clock, on_again, v);
    if (v->limit == NULL || v->again == NULL)
        visit_free(&v);
    return v;
}

void visit_free(struct visit **visit)
{
    struct visit *v = *visit;

    if (v == NULL)
        return;
    if (v->record.id != 0)
        hash_remove(v);
    ask_drop_answer(v);
    timer_free(&v->limit);
    timer_free(&v->again);
    explicit_bzero(v, sizeof(*v));
    free(v);
    *visit = NULL;
}

/* A function of its own: seen inline, gcc 12 takes the record for its first member. */
static void __attribute__((noinline)) wipe(void *at, size_t len)
{
    explicit_bzero(at, len);
}

/* Ready for the next patient of the lane. */
static void visit_reset(struct visit *v)
{
    if (v->record.id != 0)
        hash_remove(v);
    ask_drop_answer(v);
    timer_stop(v->limit);
    timer_stop(v->again);
    wipe(&v->record, sizeof(v->record));
    wipe(&v->facts, sizeof(v->facts));
    wipe(&v->ask, sizeof(v->ask));
    v->next = EVENT_COUNT;
    v->facts.pin_tries = v->facts.number_b_tries = 255;
    v->facts.resume = VISIT_METHOD;
    v->begun = v->busy = v->matching = v->filming = v->scanning = v->unsaved = false;
}

static void visit_close(struct visit *v)
{
    struct metrics *metrics = &v->desk->metrics;
    struct lane *lane = v->lane;

    metrics->visits[v->record.method][v->record.outcome]++;
    if (lane != NULL) {
        visit_reset(v);
        lane_publish(lane, true);
        lane_next(lane);
        return;
    }
    for (struct visit **at = &v->desk->lookups; *at != NULL; at = &(*at)->next_lookup)
        if (*at == v) {
            *at = v->next_lookup;
            v->desk->nlookups--;
            break;
        }
    visit_free(&v);
}

/* ---- showing --------------------------------------------------------------------------------- */

struct offer_check {
    const struct visit *visit;
    const struct desk_event *event;
};

static bool holds(enum desk_guard guard, const void *arg)
{
    const struct offer_check *check = arg;

    return guard_holds(guard, check->visit, check->event);
}

uint32_t visit_offers(const struct visit *v)
{
    static const union message_body nothing;
    uint32_t offers = 0;

    for (unsigned action = ACTION_NONE + 1; action < VISIT_ACTION_COUNT; action++) {
        struct desk_event event = {
            .kind = table_event_of_action(action), .body = &nothing, .fd = -1};
        struct offer_check check = {v, &event};

        if (table_find(v->record.state, event.kind, holds, &check) != NULL)
            offers |= VISIT_OFFER(action);
    }
    return offers;
}

uint16_t visit_refusal(const struct visit *v, unsigned action)
{
    if (action == ACTION_CHOOSE_PIN && v->record.state == VISIT_METHOD) {
        if (v->facts.pin_tries == 0)
            return FAILURE_PIN_LOCKED;
        if (v->facts.pin_tries == VISIT_TRIES_NO_KEY)
            return FAILURE_PIN_NOT_SET;
        if (v->facts.pin_closed)
            return v->facts.pin_closed_by;
    }
    if (action == ACTION_CHOOSE_FACE && v->record.state == VISIT_METHOD && v->lane != NULL) {
        if (v->facts.face_closed)
            return v->facts.face_closed_by;
        if (v->facts.number_b_tries == 0)
            return FAILURE_NUMBER_B_LOCKED;
        if (!lane_camera_usable(v->lane))
            return v->lane->reader.camera != FAILURE_NONE ? v->lane->reader.camera
                                                          : (uint16_t)FAILURE_CAMERA_ABSENT;
        return FAILURE_FACE_UNAVAILABLE;
    }
    return FAILURE_DESK_OUT_OF_TURN;
}

uint32_t visit_left_ms(const struct visit *v)
{
    uint64_t deadline = timer_deadline(v->limit);

    return deadline == CLOCK_NEVER ? 0
                                   : (uint32_t)(clock_left_us(v->desk->clock, deadline) / CLOCK_MS);
}

void visit_item(const struct store_visit *r, uint32_t request, struct msg_visit_item *out)
{
    memset(out, 0, sizeof(*out));
    out->request = request;
    out->visit = r->id;
    out->lane = r->lane;
    out->opened = r->opened_us / 1000000;
    out->closed = r->closed_us / 1000000;
    out->state = r->state;
    out->method = r->method;
    out->outcome = r->outcome;
    out->failure = r->failure;
    out->flags = r->flags;
    (void)MESSAGE_TEXT(out->name, r->person.name);
    (void)MESSAGE_TEXT(out->kana, r->person.kana);
    (void)MESSAGE_TEXT(out->birth, r->person.birth);
    (void)MESSAGE_TEXT(out->sex, r->person.sex);
    (void)MESSAGE_TEXT(out->validity, r->validity);
    (void)MESSAGE_TEXT(out->ratio, r->ratio);
    (void)MESSAGE_TEXT(out->limit_class, r->limit_class);
    (void)MESSAGE_TEXT(out->insurer, r->person.insurer);
    (void)MESSAGE_TEXT(out->notice, r->notice);
    (void)MESSAGE_TEXT(out->reference, r->person.reference);
    out->consents = r->consents;
    out->record = r->record;
    out->challenge = r->challenge;
    out->liveness = r->liveness;
    out->score_milli = r->score_milli;
    out->card_ms = r->card_ms;
    out->photo_ms = r->photo_ms;
    out->face_ms = r->face_ms;
    out->pin_ms = r->pin_ms;
    out->ask_ms = r->ask_ms;
    out->total_ms = r->total_ms;
    out->apdus = r->apdus;
    out->frames = r->frames;
    (void)MESSAGE_TEXT(out->staff, r->staff);
    (void)MESSAGE_TEXT(out->proxy, r->proxy);
    (void)MESSAGE_TEXT(out->relation, r->relation);
    out->match = r->match;
    (void)MESSAGE_TEXT(out->patient, r->patient);
    (void)MESSAGE_TEXT(out->alias, r->alias);
    (void)MESSAGE_TEXT(out->candidates, r->candidates);
    (void)MESSAGE_TEXT(out->since, r->since);
    (void)MESSAGE_TEXT(out->changes, r->changes);
}

void visit_publish(struct visit *v)
{
    struct msg_visit_item item;
    struct store_answer answer = {0};

    if (v->record.id == 0)
        return;
    visit_item(&v->record, 0, &item);
    if (v->record.answer != 0 &&
        store_answer_load(v->desk->store, v->record.answer, &answer) == 0) {
        item.answered = answer.answered_us / 1000000;
        store_answer_free(&answer);
    }
    v->desk->ports.visit_changed(v->desk->ports.arg, &item);
    explicit_bzero(&item, sizeof(item));
    if ((v->record.flags & VISIT_FLAG_SLIP) != 0)
        slip_publish(v->desk, v->record.id);
}

/* ---- one step -------------------------------------------------------------------------------- */

/* What an event says about counters and work done is true whatever row takes it. */
static void absorb(struct visit *v, const struct desk_event *e)
{
    const union message_body *body = e->body;

    if (body == NULL)
        return; /* a timer or a person: nothing was counted */
    switch (e->kind) {
    case EVENT_IDENTIFIED:
        v->facts.pin_tries = body->card_identified.pin_tries;
        v->facts.number_b_tries = body->card_identified.number_b_tries;
        v->facts.pin_agreed = v->facts.b_agreed = false;
        v->record.apdus += body->card_identified.apdus;
        v->record.card_ms += body->card_identified.elapsed_ms;
        metrics_stage(&v->desk->metrics, STAGE_CARD, body->card_identified.elapsed_ms);
        break;
    case EVENT_PHOTO_READ:
        v->facts.number_b_tries = body->card_photo_read.number_b_tries;
        v->record.apdus += body->card_photo_read.apdus;
        v->record.photo_ms += body->card_photo_read.elapsed_ms;
        metrics_stage(&v->desk->metrics, STAGE_PHOTO, body->card_photo_read.elapsed_ms);
        break;
    case EVENT_SIGNED:
        v->facts.pin_tries = body->card_signed.pin_tries;
        v->record.apdus += body->card_signed.apdus;
        v->record.pin_ms += body->card_signed.elapsed_ms;
        metrics_stage(&v->desk->metrics, STAGE_PIN, body->card_signed.elapsed_ms);
        break;
    case EVENT_FAIL_GONE:
    case EVENT_FAIL_AGAIN:
    case EVENT_FAIL_STAFF:
    case EVENT_FAIL_FALSE:
    case EVENT_FAIL_ENTRY:
    case EVENT_FAIL_CONFIRM:
    case EVENT_FAIL_WAY:
        v->record.apdus += body->card_failed.apdus;
        if (body->card_failed.record != GENUINE_NOT_CHECKED)
            v->record.record = body->card_failed.record;
        if (body->card_failed.challenge != GENUINE_NOT_CHECKED)
            v->record.challenge = body->card_failed.challenge;
        if (body->card_failed.operation == MSG_CARD_SIGN) {
            v->facts.pin_agreed = false;
            if (body->card_failed.tries != 255)
                v->facts.pin_tries = body->card_failed.tries;
            if (e->failure == FAILURE_PIN_LOCKED)
                v->facts.pin_tries = 0;
        } else if (body->card_failed.operation == MSG_CARD_PHOTO) {
            v->facts.b_agreed = false;
            if (body->card_failed.tries != 255)
                v->facts.number_b_tries = body->card_failed.tries;
            if (e->failure == FAILURE_NUMBER_B_LOCKED)
                v->facts.number_b_tries = 0;
        }
        break;
    default:
        break;
    }
}

/* Does this step end the open question, and how? -1: it goes on. */
static int ask_outcome(const struct visit *v, const struct table_row *row,
                       const struct desk_event *e)
{
    if (v->ask.row.id == 0)
        return -1;
    switch (e->kind) {
    case EVENT_ANSWERED:
        return 0;
    case EVENT_UNAVAILABLE:
        return e->body != NULL ? e->body->eligibility_answer.outcome : 2;
    case EVENT_DOUBTFUL:
        return 2;
    default:
        break;
    }
    /* Anywhere else the question is still wanted: after a restart it is taken up again. */
    if (row->to == TABLE_STAY ||
        ((S(STAFF) | S(DONE) | S(TAKE_CARD) | S(CLOSED) | S(LINK) | S(REGISTER)) >> row->to & 1) ==
            0)
        return -1;
    return v->ask.may_be_there ? 2 : 1;
}

static void show(struct visit *v, const struct table_row *row, const struct desk_event *e)
{
    if (row->failure == TABLE_FAILURE_GIVEN)
        v->facts.shown = e->failure;
    else if (row->failure != TABLE_FAILURE_KEEP)
        v->facts.shown = row->failure;
}

static bool is_over(unsigned state)
{
    return state == VISIT_DONE || state == VISIT_TAKE_CARD || state == VISIT_CLOSED;
}

/* The visit has gone to staff without a step of its own: this is written down before anything that follows. */
static int save_late(struct visit *v)
{
    int r;

    v->record.failure = v->record.outcome == OUTCOME_OPEN ? FAILURE_DESK_STORE : v->record.failure;
    r = store_visit_save(v->desk->store, &v->record);
    if (r == 0)
        r = store_audit(v->desk->store, "stored_late", v->record.id, v->record.lane, "", "staff");
    return r;
}

/* before: the failure that was shown until now; a new one is counted in the same step. */
static int store_step(struct visit *v, const struct table_row *row, const struct desk_event *e,
                      uint16_t before)
{
    struct desk *desk = v->desk;
    unsigned from = v->record.state;
    uint8_t to = row->to == TABLE_STAY ? v->record.state : row->to;
    int outcome = ask_outcome(v, row, e);
    char detail[64], today[9];
    int r = store_begin(desk->store);

    if (r == 0 && v->unsaved)
        r = save_late(v);
    if (r == 0 && outcome >= 0)
        r = ask_end(v, (uint8_t)outcome);
    if (r == 0)
        r = note_take(v, e, row->notes);
    if (r < 0)
        return r;
    v->record.state = to;
    if (v->record.outcome == OUTCOME_OPEN)
        v->record.failure = v->facts.shown;
    r = store_visit_save(desk->store, &v->record);
    if (r == 0 && v->facts.shown != before && v->facts.shown != FAILURE_NONE) {
        desk_today(desk, today);
        r = store_trouble_add(desk->store, today, v->facts.shown);
    }
    (void)snprintf(detail, sizeof(detail), "%s>%s", visit_state_name(from), visit_state_name(to));
    if (r == 0)
        r = store_audit(desk->store, table_event_name(e->kind), v->record.id, v->record.lane,
                        e->staff != NULL ? e->staff : "", detail);
    if (r == 0 && is_over(to) && !is_over(from) && v->record.outcome != OUTCOME_OPEN)
        r = outbox_visit_over(desk, &v->record, OUTBOX_FINISHED);
    if (r == 0)
        r = store_commit(desk->store);
    return r;
}

static void arm(struct visit *v)
{
    uint64_t limit = v->desk->settings.limit_us[v->record.state];

    if (v->record.state == VISIT_PIN_CHECK && v->lane != NULL && v->lane->reader.pin_pad == 0)
        limit = PIN_CHECK_US;
    v->state_since_us = clock_monotonic_us(v->desk->clock);
    if (limit == CLOCK_NEVER)
        timer_stop(v->limit);
    else
        (void)timer_set_after(v->limit, limit);
}

/* The store took nothing, so nothing may have happened: the lane is made safe and waits. */
static void refuse_step(struct visit *v, int error)
{
    struct desk *desk = v->desk;

    desk->metrics.store_failures++;
    log_event(LOG_LEVEL_ERROR, "step not stored", LOG_NUMBER("visit", v->record.id),
              LOG_NAME("state", visit_state_name(v->record.state)), LOG_ERRNO(error));
    v->next = EVENT_COUNT;
    ask_drop_answer(v);
    if (v->record.state == VISIT_IDLE) {
        struct lane *lane = v->lane;

        visit_reset(v);
        if (lane != NULL) {
            lane->store_trouble = true;
            (void)timer_set_after(lane->retry, STORE_RETRY_US);
            lane_publish(lane, true);
        }
        return;
    }
    v->facts.shown = FAILURE_DESK_STORE;
    (void)timer_set_after(v->again, STORE_RETRY_US);
    if (v->record.state == VISIT_DONE || v->record.state == VISIT_TAKE_CARD) {
        arm(v); /* the outcome stands on the disk; only the end is waited for */
    } else {
        v->record.state = VISIT_STAFF;
        v->facts.photo_there = false;
        v->facts.scanned.len = 0;
        v->unsaved = true;
        arm(v);
        send_out(v, NULL,
                 UINT32_C(1) << SEND_CAMERA_STOP | UINT32_C(1) << SEND_SCAN_END |
                     UINT32_C(1) << SEND_MATCH_END | UINT32_C(1) << SEND_CANCEL_ASK |
                     UINT32_C(1) << SEND_CARD_OFF);
    }
    if (v->lane != NULL)
        lane_publish(v->lane, true);
}

static int take(struct visit *v, const struct table_row *row, const struct desk_event *e)
{
    struct store_visit record = v->record;
    struct visit_facts facts = v->facts;
    struct ask ask = v->ask;
    unsigned from = v->record.state;
    uint16_t shown = v->facts.shown;
    bool opened = v->record.id == 0;
    int r;

    show(v, row, e);
    r = store_step(v, row, e, shown);
    if (r < 0) {
        store_rollback(v->desk->store);
        if (opened && v->record.id != 0)
            hash_remove(v);
        v->record = record;
        v->facts = facts;
        v->ask = ask;
        refuse_step(v, r);
    } else {
        v->unsaved = false;
        if (opened) {
            hash_add(v);
            v->desk->metrics.opened++;
        }
        if (row->to != TABLE_STAY)
            arm(v);
        if (row->to == VISIT_CLOSED && e->kind == EVENT_STAFF_END && v->lane != NULL)
            v->lane->card_spent = v->lane->card;
        if (v->facts.shown != shown && v->facts.shown < FAILURE_COUNT)
            v->desk->metrics.failures[v->facts.shown]++;
        if (trace != NULL)
            trace(row, from, trace_arg);
        log_event(LOG_LEVEL_INFO, "step", LOG_NUMBER("visit", v->record.id),
                  LOG_NUMBER("lane", v->record.lane), LOG_NAME("event", table_event_name(e->kind)),
                  LOG_NAME("from", visit_state_name(from)),
                  LOG_NAME("to", visit_state_name(v->record.state)), LOG_FAILURE(v->facts.shown));
        send_out(v, e, row->sends);
        if (v->lane != NULL)
            lane_publish(v->lane, true);
        visit_publish(v);
        if (is_over(v->record.state) && !is_over(from))
            outbox_wake_soon(v->desk);
        /* No card lies there to be taken. */
        if (row->to == VISIT_TAKE_CARD && v->lane != NULL && v->lane->heard && !v->lane->card)
            v->next = EVENT_CARD_OUT;
    }
    explicit_bzero(&record, sizeof(record));
    explicit_bzero(&facts, sizeof(facts));
    return r < 0 ? -EIO : 0;
}

int visit_event(struct visit *v, const struct desk_event *event)
{
    struct desk_event e = *event;
    int r = -ENOENT;

    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        struct offer_check check = {v, &e};
        const struct table_row *row;
        int taken;

        absorb(v, &e);
        row = table_find(v->record.state, e.kind, holds, &check);
        if (row == NULL) {
            ask_drop_answer(v);
            return r;
        }
        taken = take(v, row, &e);
        if (i == 0)
            r = taken;
        if (v->record.state == VISIT_CLOSED) {
            visit_close(v);
            return r;
        }
        if (taken < 0 || v->next == EVENT_COUNT)
            return r;
        e = (struct desk_event){.kind = v->next, .failure = v->next_failure, .fd = -1};
        v->next = EVENT_COUNT;
        v->next_failure = FAILURE_NONE;
    }
    return r;
}

int visit_raise(struct visit *v, enum desk_event_kind kind, uint16_t failure)
{
    struct desk_event e = {.kind = kind, .failure = failure, .fd = -1};

    return visit_event(v, &e);
}

int visit_resume(struct visit *v, const struct store_visit *record)
{
    v->record = *record;
    v->facts.shown = record->failure;
    /* Until there is an answer these are the signed ones of the card. */
    if (record->answer == 0) {
        memcpy(v->facts.birth, record->person.birth, sizeof(v->facts.birth));
        memcpy(v->facts.sex, record->person.sex, sizeof(v->facts.sex));
    }
    /* Refused is answered too: the service is told of it, and nobody is asked again. */
    v->facts.consents_done =
        record->consents != 0 || store_consents_answered(v->desk->store, record->id) > 0;
    /* What was decided about the face stays decided: a restart is no second chance. */
    if (record->face_failed || record->liveness == LIVENESS_FAILED) {
        v->facts.face_closed = true;
        v->facts.face_closed_by =
            record->face_failed ? FAILURE_FACE_NOT_SAME : FAILURE_FACE_NOT_LIVE;
    }
    if ((record->flags & VISIT_FLAG_PROXY) != 0) {
        v->facts.face_closed = true;
        v->facts.face_closed_by = FAILURE_VISIT_PROXY;
    }
    hash_add(v);
    arm(v);
    return visit_raise(v, EVENT_RESUMED, FAILURE_NONE);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void on_limit(struct timer *timer, void *arg)
{
    struct visit *v = arg;

    (void)timer;
    (void)visit_raise(v, EVENT_TIMEOUT, FAILURE_NONE);
}

static void save_again(struct visit *v)
{
    struct desk *desk = v->desk;
    struct store_visit record = v->record;
    struct ask ask = v->ask;
    int r = store_begin(desk->store);

    if (r == 0 && v->ask.row.id != 0)
        r = ask_end(v, v->ask.may_be_there ? 2 : 1);
    if (r == 0)
        r = save_late(v);
    if (r == 0)
        r = store_commit(desk->store);
    if (r < 0) {
        /* Nothing was written, so nothing has changed: neither the count of writings nor the
         * question. */
        store_rollback(desk->store);
        v->record = record;
        v->ask = ask;
        explicit_bzero(&record, sizeof(record));
        desk->metrics.store_failures++;
        (void)timer_set_after(v->again, STORE_RETRY_US);
        return;
    }
    explicit_bzero(&record, sizeof(record));
    v->unsaved = false;
    visit_publish(v);
}

static void on_again(struct timer *timer, void *arg)
{
    struct visit *v = arg;

    (void)timer;
    if (v->unsaved)
        save_again(v);
    else if (v->record.state == VISIT_ELIGIBILITY)
        (void)visit_raise(v, EVENT_ASK_AGAIN, FAILURE_NONE);
    else if ((v->record.state == VISIT_DONE || v->record.state == VISIT_TAKE_CARD) &&
             v->lane != NULL && !v->lane->card)
        (void)visit_raise(v, EVENT_CARD_OUT, FAILURE_NONE);
}
