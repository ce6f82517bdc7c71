#include "visit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/failure.h"
#include "daemon/common/ipc.h"
#include "daemon/common/log.h"
#include "daemon/common/memfd.h"
#include "daemon/common/secret.h"
#include "driver/card/card.h"
#include "envelope.h"
#include "frames.h"
#include "lane.h"
#include "outcome.h"

/* No card operation takes longer, whatever the desk allows. */
#define BUDGET_MOST_MS 120000u
#define TOKEN_MY_NUMBER 1

struct reader_visit {
    struct clock *clock;
    struct card_engine *engine;
    struct frames *frames;
    struct lane *lane;
    struct ipc *desk;

    uint64_t id;              /* 0: no visit */
    struct envelope_key *key; /* of this visit */

    /* The operation that the desk waits for, 0: none. Its engine run may still have to wait for the last one's end. */
    uint16_t asked;
    uint64_t asked_us;
    bool waiting;
    union {
        struct msg_card_identify identify;
        struct msg_card_sign sign;
        struct msg_card_photo photo;
    } request;
    bool
        running; /* the engine works for `asked`; false with a busy engine: for one that nobody waits for */
};

static void begin(struct reader_visit *v);

void reader_visit_send(struct reader_visit *v, uint16_t type, const void *body, int fd)
{
    int rc;

    if (v->desk == NULL || !ipc_is_open(v->desk))
        return;
    rc = fd < 0 ? ipc_send(v->desk, type, body) : ipc_send_fds(v->desk, type, body, &fd, 1);
    if (rc < 0)
        log_event(LOG_LEVEL_WARNING, "desk cannot be told", LOG_NAME("message", message_name(type)),
                  LOG_ERRNO(rc));
}

/* -- answers ----------------------------------------------------------------------------------- */

static void wipe_request(struct reader_visit *v)
{
    explicit_bzero(&v->request, sizeof(v->request));
    v->asked = 0;
    v->waiting = false;
    v->running = false;
}

static uint32_t elapsed_ms(const struct reader_visit *v)
{
    return (uint32_t)((clock_monotonic_us(v->clock) - v->asked_us) / CLOCK_MS);
}

static void answer_failed(struct reader_visit *v, enum failure failure,
                          const struct card_report *report)
{
    struct msg_card_failed body = {.visit = v->id,
                                   .operation = v->asked,
                                   .failure = (uint16_t)failure,
                                   .tries = CARD_TRIES_UNKNOWN,
                                   .elapsed_ms = elapsed_ms(v)};

    if (report != NULL) {
        body.tries = v->asked == MSG_CARD_SIGN ? report->pin_tries : report->number_b_tries;
        body.record = report->record;
        body.challenge = report->challenge;
        body.status_word = report->status_word;
        body.apdus = report->apdus;
    }
    log_event(LOG_LEVEL_NOTICE, "card operation failed", LOG_NUMBER("visit", v->id),
              LOG_NAME("operation", message_name(v->asked)), LOG_FAILURE(failure),
              LOG_HEX("sw", body.status_word), LOG_NUMBER("apdus", body.apdus));
    wipe_request(v);
    reader_visit_send(v, MSG_CARD_FAILED, &body, -1);
}

static enum failure answer_identified(struct reader_visit *v, const struct card_report *r)
{
    struct msg_card_identified body = {.visit = v->id,
                                       .token = TOKEN_MY_NUMBER,
                                       .valid_from = r->valid_from,
                                       .valid_until = r->valid_until,
                                       .pin_tries = r->pin_tries,
                                       .number_b_tries = r->number_b_tries,
                                       .certificate_chain = r->chain,
                                       .apdus = r->apdus,
                                       .elapsed_ms = r->elapsed_ms};

    if (r->certificate_len > sizeof(body.certificate.data))
        return FAILURE_CARD_DAMAGED_DATA;
    body.certificate.len = (uint32_t)r->certificate_len;
    memcpy(body.certificate.data, r->certificate, r->certificate_len);
    body.subject.len = sizeof(body.subject.data);
    memcpy(body.subject.data, r->subject, sizeof(body.subject.data));
    wipe_request(v);
    reader_visit_send(v, MSG_CARD_IDENTIFIED, &body, -1);
    return FAILURE_NONE;
}

static enum failure answer_signed(struct reader_visit *v, const struct card_report *r)
{
    struct msg_card_signed body = {
        .visit = v->id, .pin_tries = r->pin_tries, .apdus = r->apdus, .elapsed_ms = r->elapsed_ms};

    if (r->statement_len > sizeof(body.statement.data) ||
        r->signature_len > sizeof(body.signature.data))
        return FAILURE_CARD_DAMAGED_DATA;
    body.statement.len = (uint32_t)r->statement_len;
    memcpy(body.statement.data, r->statement, r->statement_len);
    body.signature.len = (uint32_t)r->signature_len;
    memcpy(body.signature.data, r->signature, r->signature_len);
    wipe_request(v);
    reader_visit_send(v, MSG_CARD_SIGNED, &body, -1);
    return FAILURE_NONE;
}

static enum failure answer_photo(struct reader_visit *v, const struct card_report *r)
{
    struct msg_card_photo_read body = {.visit = v->id,
                                       .number_b_tries = r->number_b_tries,
                                       .record = r->record,
                                       .challenge = r->challenge,
                                       .photo_bytes = (uint32_t)r->photo_len,
                                       .apdus = r->apdus,
                                       .elapsed_ms = r->elapsed_ms};
    int fd = memfd_seal("photo", r->photo, r->photo_len);

    if (fd < 0) {
        log_event(LOG_LEVEL_ERROR, "photo cannot be handed on", LOG_ERRNO(fd));
        return FAILURE_DESK_BUSY;
    }
    (void)MESSAGE_TEXT(body.birth, r->birth);
    (void)MESSAGE_TEXT(body.sex, r->sex);
    (void)MESSAGE_TEXT(body.expiry, r->expiry);
    (void)MESSAGE_TEXT(body.name, r->name);
    wipe_request(v);
    reader_visit_send(v, MSG_CARD_PHOTO_READ, &body, fd);
    close(fd);
    explicit_bzero(&body, sizeof(body));
    return FAILURE_NONE;
}

static const struct {
    uint16_t type;
    enum failure (*answer)(struct reader_visit *v, const struct card_report *r);
} answers[] = {
    {MSG_CARD_IDENTIFY, answer_identified},
    {MSG_CARD_SIGN, answer_signed},
    {MSG_CARD_PHOTO, answer_photo},
};

static void on_done(struct card_engine *engine, const struct card_report *report, void *arg)
{
    struct reader_visit *v = arg;
    enum failure failure = outcome_of_card(report->end);

    (void)engine;
    if (v->running) {
        for (size_t i = 0;
             failure == FAILURE_NONE && v->asked != 0 && i < sizeof(answers) / sizeof(answers[0]);
             i++)
            if (answers[i].type == v->asked)
                failure = answers[i].answer(v, report);
        if (failure != FAILURE_NONE)
            answer_failed(v, failure, report);
    }
    if (v->lane != NULL)
        lane_card_result(v->lane, (uint16_t)failure);
    if (v->waiting && !card_engine_busy(v->engine))
        begin(v);
}

/* -- card operations --------------------------------------------------------------------------- */

static uint64_t deadline_of(const struct reader_visit *v, uint32_t budget_ms)
{
    return v->asked_us + CLOCK_MS * (budget_ms < BUDGET_MOST_MS ? budget_ms : BUDGET_MOST_MS);
}

/* Fills `secret`; FAILURE_NONE or `failure`. */
static enum failure open_sealed(const struct reader_visit *v, enum envelope_purpose purpose,
                                const uint8_t *sealed, size_t len, enum failure failure,
                                struct secret *secret)
{
    int rc = v->key != NULL ? envelope_open(v->key, purpose, v->id, sealed, len, secret) : -EBADMSG;

    if (rc < 0)
        log_event(LOG_LEVEL_NOTICE, "sealed entry does not open", LOG_NUMBER("visit", v->id),
                  LOG_ERRNO(rc));
    return rc < 0 ? failure : FAILURE_NONE;
}

static enum failure begin_identify(struct reader_visit *v, int *rc)
{
    *rc =
        card_engine_identify(v->engine, deadline_of(v, v->request.identify.budget_ms), on_done, v);
    return FAILURE_NONE;
}

static enum failure begin_sign(struct reader_visit *v, int *rc)
{
    const struct msg_card_sign *m = &v->request.sign;
    struct card_sign_request request = {.deadline_us = deadline_of(v, m->budget_ms),
                                        .last_try_agreed = m->last_try_agreed != 0,
                                        .time = m->time,
                                        .institution = m->institution,
                                        .purpose = m->purpose};
    struct msg_reader_state state;
    struct secret pin;
    enum failure failure;

    lane_state(v->lane, &state);
    /* Nothing sealed: the PIN is keyed in at the reader's own pad, if it has one. */
    if (m->sealed.len == 0 && state.pin_pad != 0) {
        *rc = card_engine_sign(v->engine, &request, NULL, on_done, v);
        return FAILURE_NONE;
    }
    failure =
        open_sealed(v, ENVELOPE_PIN, m->sealed.data, m->sealed.len, FAILURE_PIN_UNREADABLE, &pin);

    if (failure == FAILURE_NONE)
        *rc = card_engine_sign(v->engine, &request, &pin, on_done, v);
    return failure;
}

static enum failure begin_photo(struct reader_visit *v, int *rc)
{
    const struct msg_card_photo *m = &v->request.photo;
    struct card_photo_request request = {.deadline_us = deadline_of(v, m->budget_ms),
                                         .few_tries_agreed = m->few_tries_agreed != 0,
                                         .scanned = m->scanned != 0};
    struct secret number_b;
    enum failure failure = open_sealed(v, ENVELOPE_NUMBER_B, m->sealed.data, m->sealed.len,
                                       FAILURE_NUMBER_B_UNREADABLE, &number_b);

    if (failure == FAILURE_NONE)
        *rc = card_engine_photo(v->engine, &request, &number_b, on_done, v);
    return failure;
}

static const struct {
    uint16_t type;
    enum failure (*begin)(struct reader_visit *v, int *rc);
} beginnings[] = {
    {MSG_CARD_IDENTIFY, begin_identify},
    {MSG_CARD_SIGN, begin_sign},
    {MSG_CARD_PHOTO, begin_photo},
};

/* Why the hardware cannot serve a card now. */
static enum failure hardware_failure(const struct reader_visit *v)
{
    struct msg_reader_state state;

    lane_state(v->lane, &state);
    if (state.reader != FAILURE_NONE)
        return state.reader;
    return lane_cards(v->lane) > 1 ? FAILURE_CARD_TWO : FAILURE_NONE;
}

static void begin(struct reader_visit *v)
{
    enum failure failure = hardware_failure(v);
    struct ipc *desk = v->desk;
    int rc = 0;

    v->waiting = false;
    v->running = true;
    for (size_t i = 0; failure == FAILURE_NONE && i < sizeof(beginnings) / sizeof(beginnings[0]);
         i++)
        if (beginnings[i].type == v->asked)
            failure = beginnings[i].begin(v, &rc);
    if (rc == -EINVAL) {
        wipe_request(v);
        ipc_refuse(desk, "a statement that cannot be composed");
    } else if (failure != FAILURE_NONE || rc < 0) {
        answer_failed(v, failure != FAILURE_NONE ? failure : FAILURE_READER_ABSENT, NULL);
    }
}

static void ask(struct reader_visit *v, uint16_t type, const void *request, size_t len)
{
    memcpy(&v->request, request, len);
    v->asked = type;
    v->asked_us = clock_monotonic_us(v->clock);
    v->waiting = true;
    /* Else when the operation that nobody waits for any more has ended. */
    if (!card_engine_busy(v->engine))
        begin(v);
}

/* Nobody waits for the present operation any more: end it. Powers the card off, either way. */
static void card_off(struct reader_visit *v)
{
    if (card_engine_busy(v->engine))
        card_engine_cancel(v->engine);
    else if (card_engine_powered(v->engine))
        (void)card_engine_off(v->engine, on_done, v);
}

/* -- the visit --------------------------------------------------------------------------------- */

static void end_visit(struct reader_visit *v)
{
    frames_stop(v->frames);
    wipe_request(v);
    card_off(v);
    envelope_key_free(&v->key);
    v->id = 0;
    card_engine_forget(v->engine);
}

static void on_visit_begin(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    struct msg_visit_key body = {.visit = m->body.visit_begin.visit};

    end_visit(v);
    if (body.visit == 0) {
        ipc_refuse(desk, "a visit without a number");
        return;
    }
    if (envelope_key_new(&v->key, body.key.data) == 0)
        body.key.len = ENVELOPE_POINT;
    else
        log_event(LOG_LEVEL_ERROR, "no key for the visit", LOG_NUMBER("visit", body.visit));
    v->id = body.visit;
    /* A camera that failed in the last visit gets another chance in this one. */
    lane_camera_result(v->lane, FAILURE_NONE);
    reader_visit_send(v, MSG_VISIT_KEY, &body, -1);
}

static void on_visit_end(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    if (v->id != 0 && m->body.visit_end.visit == v->id)
        end_visit(v);
}

static void on_card_identify(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    ask(v, m->type, &m->body.card_identify, sizeof(m->body.card_identify));
}

static void on_card_sign(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    ask(v, m->type, &m->body.card_sign, sizeof(m->body.card_sign));
}

static void on_card_photo(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    ask(v, m->type, &m->body.card_photo, sizeof(m->body.card_photo));
}

static void on_card_off(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    (void)m;
    if (v->waiting)
        answer_failed(v, FAILURE_VISIT_CANCELLED, NULL);
    card_off(v);
}

static void on_camera_start(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    if (frames_start(v->frames, &m->body.camera_start) < 0)
        ipc_refuse(desk, "camera started twice");
}

static void on_camera_credit(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    frames_credit(v->frames, m->body.camera_credit.credit);
}

static void on_camera_stop(struct reader_visit *v, struct ipc *desk, const struct message *m)
{
    (void)desk;
    (void)m;
    frames_stop(v->frames);
}

static uint64_t visit_of(const struct message *m)
{
    /* Every message of the desk to the lane begins with the visit's number. */
    _Static_assert(offsetof(struct msg_card_sign, visit) == 0 &&
                       offsetof(struct msg_camera_start, visit) == 0 &&
                       offsetof(struct msg_visit_end, visit) == 0,
                   "visit comes first");
    return m->body.visit_begin.visit;
}

static const struct {
    uint16_t type;
    bool in_visit; /* only with the number of the visit that is open */
    bool card;     /* only while no card operation waits for its answer */
    void (*handle)(struct reader_visit *v, struct ipc *desk, const struct message *m);
} handlers[] = {
    {MSG_VISIT_BEGIN, false, false, on_visit_begin},
    {MSG_VISIT_END, false, false, on_visit_end},
    {MSG_CARD_IDENTIFY, true, true, on_card_identify},
    {MSG_CARD_SIGN, true, true, on_card_sign},
    {MSG_CARD_PHOTO, true, true, on_card_photo},
    {MSG_CARD_OFF, true, false, on_card_off},
    {MSG_CAMERA_START, true, false, on_camera_start},
    {MSG_CAMERA_CREDIT, true, false, on_camera_credit},
    {MSG_CAMERA_STOP, true, false, on_camera_stop},
};

void reader_visit_message(struct reader_visit *v, struct ipc *desk, struct message *m)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].type != m->type)
            continue;
        if (handlers[i].in_visit && (v->id == 0 || visit_of(m) != v->id))
            ipc_refuse(desk, "not the visit that is open");
        else if (handlers[i].card && v->asked != 0)
            ipc_refuse(desk, "a second card operation");
        else
            handlers[i].handle(v, desk, m);
        return;
    }
    ipc_refuse(desk, "not for a reader");
}

void reader_visit_set_desk(struct reader_visit *v, struct ipc *desk)
{
    v->desk = desk;
    end_visit(v);
}

void reader_visit_set_lane(struct reader_visit *v, struct lane *lane)
{
    v->lane = lane;
}

struct reader_visit *reader_visit_new(struct clock *clock, struct card_engine *engine,
                                      struct frames *frames)
{
    struct reader_visit *v = calloc(1, sizeof(*v));

    if (v == NULL)
        return NULL;
    v->clock = clock;
    v->engine = engine;
    v->frames = frames;
    return v;
}

void reader_visit_free(struct reader_visit **visit)
{
    struct reader_visit *v = *visit;

    *visit = NULL;
    if (v == NULL)
        return;
    envelope_key_free(&v->key);
    explicit_bzero(v, sizeof(*v));
    free(v);
}
