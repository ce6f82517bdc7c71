#include "lane.h"

#include "ask.h"
#include "disaster.h"
#include "visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_retry(struct timer *timer, void *arg);

int lane_new(struct lane **out, struct desk *desk, uint16_t number, const char *label,
             unsigned upstream)
{
    struct lane *lane = calloc(1, sizeof(*lane));

    *out = NULL;
    if (lane == NULL)
        return -ENOMEM;
    lane->desk = desk;
    lane->number = number;
    lane->upstream = upstream;
    lane->reader.reader = FAILURE_READER_ABSENT;
    lane->reader.camera = FAILURE_CAMERA_ABSENT;
    (void)MESSAGE_TEXT(lane->label, label);
    lane->visit = visit_new(desk, lane);
    lane->retry = timer_new(desk->clock, on_retry, lane);
    if (lane->visit == NULL || lane->retry == NULL)
        lane_free(&lane);
    *out = lane;
    return lane != NULL ? 0 : -ENOMEM;
}

void lane_free(struct lane **lane)
{
    struct lane *l = *lane;

    if (l == NULL)
        return;
    visit_free(&l->visit);
    timer_free(&l->retry);
    explicit_bzero(l, sizeof(*l));
    free(l);
    *lane = NULL;
}

/* ---- showing --------------------------------------------------------------------------------- */

void lane_state(const struct lane *lane, struct msg_lane_state *out)
{
    const struct visit *v = lane->visit;

    memset(out, 0, sizeof(*out));
    out->lane = lane->number;
    (void)MESSAGE_TEXT(out->label, lane->label);
    out->institution_kind = lane->desk->settings.institution_kind;
    out->visit = v->record.id;
    out->step = lane->step;
    out->state = v->record.state;
    out->method = v->record.method;
    out->outcome = v->record.outcome;
    out->failure = lane->store_trouble ? (uint16_t)FAILURE_DESK_STORE
                   : v->record.state == VISIT_IDLE && lane->desk->clock_doubtful
                       ? (uint16_t)FAILURE_DESK_CLOCK
                       : v->facts.shown;
    out->hint = lane->hint;
    out->offers = visit_offers(v);
    out->pin_tries = v->facts.pin_tries;
    out->number_b_tries = v->facts.number_b_tries;
    out->pin_pad = lane->reader.pin_pad;
    out->ends_ms = visit_left_ms(v);
    out->reader = lane->reader.reader;
    out->camera = lane->reader.camera;
    out->card = lane->card;
    out->box_x = lane->box[0];
    out->box_y = lane->box[1];
    out->box_w = lane->box[2];
    out->box_h = lane->box[3];
    out->consents_asked = v->record.state == VISIT_CONSENT ? ask_consents(v) : 0;
    out->key.len = lane->key.len;
    memcpy(out->key.data, lane->key.data, sizeof(out->key.data));
    (void)MESSAGE_TEXT(out->patient, v->record.person.name);
    out->disaster = disaster_on(lane->desk) ? lane->desk->disaster.open.cause : 0;
}

void lane_publish(struct lane *lane, bool stepped)
{
    struct desk *desk = lane->desk;
    struct msg_lane_state state;
    uint32_t offers = visit_offers(lane->visit);

    if (stepped || offers != lane->offers)
        lane->step++;
    lane->offers = offers;
    lane_state(lane, &state);
    desk->ports.lane_changed(desk->ports.arg, &state);
    explicit_bzero(&state, sizeof(state));
}

void lane_publish_all(struct desk *desk)
{
    for (unsigned i = 0; i < desk->nlanes; i++)
        lane_publish(desk->lanes[i], false);
}

/* ---- card and reader ------------------------------------------------------------------------- */

bool lane_camera_usable(const struct lane *lane)
{
    return lane->heard && lane->reader.camera == FAILURE_NONE;
}

void lane_begin(struct lane *lane)
{
    struct desk_ports *ports = &lane->desk->ports;
    struct msg_visit_begin body = {.visit = lane->visit->record.id};

    if (lane->visit->begun)
        return;
    lane->key.len = 0;
    if (ports->send(ports->arg, PEER_READER, lane->index, MSG_VISIT_BEGIN, &body, NULL, 0) == 0) {
        lane->visit->begun = true;
        lane->keys++;
    }
    lane->visit->busy = lane->visit->filming = false;
}

void lane_next(struct lane *lane)
{
    lane->key.len = 0;
    if (lane->card && !lane->card_spent && lane->visit->record.state == VISIT_IDLE)
        (void)visit_raise(lane->visit, EVENT_CARD_IN, FAILURE_NONE);
}

static void on_retry(struct timer *timer, void *arg)
{
    struct lane *lane = arg;

    (void)timer;
    lane->store_trouble = false;
    if (lane->card && lane->visit->record.state == VISIT_IDLE)
        lane_next(lane);
    else
        lane_publish(lane, true);
}

void lane_reader_up(struct lane *lane)
{
    lane->reader_up = true;
    lane->heard = false;
    lane->keys = 0;
}

/* A reader or camera that goes away while no visit is there to show it: counted all the same. Said again with the next
 * one if the store does not take it. */
static void count_trouble(struct lane *lane, uint16_t failure)
{
    char today[9];

    desk_today(lane->desk, today);
    if (store_trouble_add(lane->desk->store, today, failure) < 0)
        lane->desk->metrics.store_failures++;
}

void lane_reader_down(struct lane *lane)
{
    struct visit *v = lane->visit;

    lane->reader_up = lane->heard = lane->card = false;
    memset(&lane->reader, 0, sizeof(lane->reader));
    lane->reader.reader = FAILURE_READER_RESTARTED;
    lane->reader.camera = FAILURE_CAMERA_ABSENT;
    lane->key.len = 0;
    lane->keys = 0;
    v->begun = v->busy = v->filming = false;
    if (visit_raise(v, EVENT_READER_LOST, FAILURE_READER_RESTARTED) == -ENOENT) {
        count_trouble(lane, FAILURE_READER_RESTARTED);
        lane_publish(lane, true);
    }
}

/* `fresh`: the reader has just come (back), so a card that lies there may have lain there all the time.
 * `fewer`: of two cards one was taken away, and the visit that waits for "one only" looks at the other. */
static void card_changed(struct lane *lane, bool was, bool fresh, bool fewer)
{
    struct visit *v = lane->visit;
    bool ending = v->record.state == VISIT_DONE || v->record.state == VISIT_TAKE_CARD;

    if (!lane->card) {
        lane->card_spent = false;
        if (was || fresh)
            (void)visit_raise(v, EVENT_CARD_OUT, FAILURE_NONE);
    } else if (!was && fresh && ending) {
        lane->card_spent = false;
    } else if (!was && !(v->record.state == VISIT_IDLE && lane->card_spent)) {
        (void)visit_raise(v, EVENT_CARD_IN, FAILURE_NONE);
    } else if (was && fewer && v->record.state == VISIT_CARD_LOST) {
        (void)visit_raise(v, EVENT_CARD_IN, FAILURE_NONE);
    }
}

static void take_reader_state(struct lane *lane, const struct msg_reader_state *body)
{
    uint16_t before = lane->reader.reader;
    uint16_t camera = lane->reader.camera;
    bool was = lane->card, fresh = !lane->heard || before != FAILURE_NONE;
    bool fewer = body->card < lane->reader.card;

    lane->reader = *body;
    lane->heard = true;
    lane->card = body->card != 0 && body->reader == FAILURE_NONE;
    if (body->reader != FAILURE_NONE) {
        if (before == FAILURE_NONE &&
            visit_raise(lane->visit, EVENT_READER_LOST, body->reader) == -ENOENT)
            count_trouble(lane, body->reader);
    } else {
        card_changed(lane, was, fresh, fewer);
    }
    if (camera == FAILURE_NONE && body->camera != FAILURE_NONE &&
        visit_raise(lane->visit, EVENT_CAMERA_FAILED, body->camera) == -ENOENT)
        count_trouble(lane, body->camera);
    lane_publish(lane, false);
}

/* What a failed card operation means for the visit. */
static const struct {
    uint16_t failure;
    enum desk_event_kind kind;
} failures[] = {
    {FAILURE_CARD_REMOVED, EVENT_FAIL_GONE},
    {FAILURE_CARD_NOT_RECOGNISED, EVENT_FAIL_AGAIN},
    {FAILURE_CARD_NOT_MY_NUMBER, EVENT_FAIL_AGAIN},
    {FAILURE_CARD_TWO, EVENT_FAIL_AGAIN},
    {FAILURE_READER_PROTOCOL, EVENT_FAIL_AGAIN},
    {FAILURE_READER_TIMEOUT, EVENT_FAIL_AGAIN},
    {FAILURE_CARD_NEXT_GENERATION, EVENT_FAIL_STAFF},
    {FAILURE_CARD_PHONE, EVENT_FAIL_STAFF},
    {FAILURE_CARD_OLD_RESIDENT, EVENT_FAIL_STAFF},
    {FAILURE_CARD_DAMAGED_DATA, EVENT_FAIL_STAFF},
    {FAILURE_CARD_COUNTERFEIT, EVENT_FAIL_FALSE},
    {FAILURE_CARD_CLONED, EVENT_FAIL_FALSE},
    {FAILURE_PIN_WRONG, EVENT_FAIL_ENTRY},
    {FAILURE_PIN_UNREADABLE, EVENT_FAIL_ENTRY},
    {FAILURE_PIN_FORMAT, EVENT_FAIL_ENTRY},
    {FAILURE_NUMBER_B_WRONG, EVENT_FAIL_ENTRY},
    {FAILURE_NUMBER_B_UNREADABLE, EVENT_FAIL_ENTRY},
    {FAILURE_NUMBER_B_FORMAT, EVENT_FAIL_ENTRY},
    {FAILURE_PIN_LAST_TRY, EVENT_FAIL_CONFIRM},
    {FAILURE_NUMBER_B_FEW_TRIES, EVENT_FAIL_CONFIRM},
    {FAILURE_PIN_LOCKED, EVENT_FAIL_WAY},
    {FAILURE_PIN_NOT_SET, EVENT_FAIL_WAY},
    {FAILURE_NUMBER_B_LOCKED, EVENT_FAIL_WAY},
    {FAILURE_CARD_NO_PHOTO, EVENT_FAIL_WAY},
    {FAILURE_CARD_UNCHECKED, EVENT_FAIL_WAY},
    {FAILURE_CARD_CERTIFICATE_REVOKED, EVENT_FAIL_WAY},
    {FAILURE_FACE_PHOTO_UNREADABLE, EVENT_FAIL_WAY},
    {FAILURE_READER_ABSENT, EVENT_READER_LOST},
    {FAILURE_READER_LOST, EVENT_READER_LOST},
    {FAILURE_READER_BUSY, EVENT_READER_LOST},
    {FAILURE_READER_UNSUPPORTED, EVENT_READER_LOST},
    {FAILURE_READER_RESTARTED, EVENT_READER_LOST},
};

static enum desk_event_kind failure_kind(uint16_t failure)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        if (failures[i].failure == failure)
            return failures[i].kind;
    return EVENT_FAIL_AGAIN;
}

/* The state in which an operation may fail or end; anything else is late and means nothing any more. */
static const struct {
    uint16_t operation;
    uint8_t state;
} operations[] = {
    {MSG_CARD_IDENTIFY, VISIT_CARD},
    {MSG_CARD_PHOTO, VISIT_PHOTO},
    {MSG_CARD_SIGN, VISIT_PIN_CHECK},
};

/*
 * The reader answered; is it what the visit waits for? Before the key of a new beginning it speaks of
 * an operation that was given up with that beginning, and may be of the same kind.
 */
static bool operation_due(struct lane *lane, uint16_t operation)
{
    if (lane->keys > 0)
        return false;
    lane->visit->busy = false;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (operations[i].operation == operation)
            return operations[i].state == lane->visit->record.state;
    return false;
}

static void raise_with(struct lane *lane, enum desk_event_kind kind, uint16_t failure,
                       const struct message *message, int fd)
{
    struct desk_event e = {.kind = kind, .failure = failure, .body = &message->body, .fd = fd};

    (void)visit_event(lane->visit, &e);
}

static void take_frame(struct lane *lane, const struct message *message)
{
    const struct msg_camera_frame *f = &message->body.camera_frame;
    struct desk_ports *ports = &lane->desk->ports;
    struct visit *v = lane->visit;

    if (!v->filming || v->credit == 0)
        return;
    v->credit--;
    lane->desk->metrics.frames++;
    if (v->record.state == VISIT_FACE && v->matching) {
        struct msg_match_frame body = {.visit = f->visit,
                                       .frame = f->frame,
                                       .captured_us = f->captured_us,
                                       .format = f->format,
                                       .width = f->width,
                                       .height = f->height,
                                       .bytes = f->bytes};

        (void)ports->send(ports->arg, PEER_MATCHER, 0, MSG_MATCH_FRAME, &body, message->fds, 1);
    } else if (v->record.state == VISIT_SHOW_CARD && v->scanning) {
        struct msg_ocr_frame body = {.visit = f->visit,
                                     .frame = f->frame,
                                     .format = f->format,
                                     .width = f->width,
                                     .height = f->height,
                                     .bytes = f->bytes};

        (void)ports->send(ports->arg, PEER_OCR, 0, MSG_OCR_FRAME, &body, message->fds, 1);
    }
}

static void give_credit(struct lane *lane)
{
    struct desk_ports *ports = &lane->desk->ports;
    struct msg_camera_credit body = {.visit = lane->visit->record.id, .credit = 1};

    if (!lane->visit->filming)
        return;
    lane->visit->credit++;
    (void)ports->send(ports->arg, PEER_READER, lane->index, MSG_CAMERA_CREDIT, &body, NULL, 0);
}

bool lane_reader_message(struct lane *lane, const struct message *message)
{
    const union message_body *body = &message->body;
    uint64_t visit = lane->visit->record.id;

    switch (message->type) {
    case MSG_READER_STATE:
        if (body->reader_state.reader >= FAILURE_COUNT ||
            body->reader_state.camera >= FAILURE_COUNT)
            return false;
        take_reader_state(lane, &body->reader_state);
        return true;
    case MSG_VISIT_KEY:
        lane->keys -= lane->keys > 0;
        if (body->visit_key.visit == visit && visit != 0 && lane->keys == 0) {
            lane->key.len = body->visit_key.key.len;
            memcpy(lane->key.data, body->visit_key.key.data, sizeof(lane->key.data));
            lane_publish(lane, false);
        }
        return true;
    case MSG_CARD_IDENTIFIED:
        if (body->card_identified.subject.len != 32 || body->card_identified.certificate.len == 0)
            return false;
        if (body->card_identified.visit == visit && operation_due(lane, MSG_CARD_IDENTIFY))
            raise_with(lane, EVENT_IDENTIFIED, FAILURE_NONE, message, -1);
        return true;
    case MSG_CARD_PHOTO_READ:
        if (body->card_photo_read.visit == visit && operation_due(lane, MSG_CARD_PHOTO))
            raise_with(lane, EVENT_PHOTO_READ, FAILURE_NONE, message, message->fds[0]);
        return true;
    case MSG_CARD_SIGNED:
        if (body->card_signed.statement.len == 0 || body->card_signed.signature.len == 0)
            return false;
        if (body->card_signed.visit == visit && operation_due(lane, MSG_CARD_SIGN))
            raise_with(lane, EVENT_SIGNED, FAILURE_NONE, message, -1);
        return true;
    case MSG_CARD_FAILED:
        if (body->card_failed.failure >= FAILURE_COUNT)
            return false;
        if (body->card_failed.visit == visit && operation_due(lane, body->card_failed.operation))
            raise_with(lane, failure_kind(body->card_failed.failure), body->card_failed.failure,
                       message, -1);
        return true;
    case MSG_CAMERA_FRAME:
        if (body->camera_frame.visit == visit)
            take_frame(lane, message);
        return true;
    case MSG_CAMERA_FAILED:
        if (body->camera_failed.failure >= FAILURE_COUNT)
            return false;
        if (body->camera_failed.visit == visit)
            (void)visit_raise(lane->visit, EVENT_CAMERA_FAILED, body->camera_failed.failure);
        return true;
    default:
        return false;
    }
}

/* ---- matcher and OCR ------------------------------------------------------------------------- */

void lane_matcher_up(struct desk *desk)
{
    desk->matcher_up = true;
    lane_publish_all(desk);
}

void lane_matcher_down(struct desk *desk)
{
    desk->matcher_up = false;
    for (unsigned i = 0; i < desk->nlanes; i++) {
        struct visit *v = desk->lanes[i]->visit;

        v->matching = false;
        (void)visit_raise(v, EVENT_MATCHER_LOST, FAILURE_FACE_UNAVAILABLE);
    }
    lane_publish_all(desk);
}

void lane_ocr_up(struct desk *desk)
{
    desk->ocr_up = true;
    lane_publish_all(desk);
}

void lane_ocr_down(struct desk *desk)
{
    desk->ocr_up = false;
    for (unsigned i = 0; i < desk->nlanes; i++) {
        desk->lanes[i]->visit->scanning = false;
        (void)visit_raise(desk->lanes[i]->visit, EVENT_OCR_LOST, FAILURE_CARD_FACE_UNREADABLE);
    }
    lane_publish_all(desk);
}

static struct lane *lane_of(struct desk *desk, uint64_t visit, uint8_t state)
{
    struct visit *v = desk_visit(desk, visit);

    return v != NULL && v->lane != NULL && v->record.state == state ? v->lane : NULL;
}

static void take_result(struct lane *lane, const struct message *message)
{
    const struct msg_match_result *r = &message->body.match_result;
    struct desk *desk = lane->desk;
    static const enum desk_event_kind kinds[] = {EVENT_COUNT, EVENT_SAME, EVENT_NOT_SAME,
                                                 EVENT_ATTACK};
    const uint16_t box[4] = {r->box_x, r->box_y, r->box_w, r->box_h};
    bool moved = lane->hint != r->failure || memcmp(lane->box, box, sizeof(box)) != 0;

    lane->visit->record.frames++;
    lane->hint = r->failure;
    memcpy(lane->box, box, sizeof(box));
    if (message->nfds == 1) {
        struct msg_lane_preview preview = {
            .lane = lane->number, .visit = r->visit, .frame = r->frame, .bytes = r->preview_bytes};

        desk->ports.preview(desk->ports.arg, &preview, message->fds[0]);
    }
    if (r->decision != 0) {
        raise_with(lane, kinds[r->decision], FAILURE_NONE, message, -1);
        return;
    }
    give_credit(lane);
    if (moved)
        lane_publish(lane, false);
}

bool lane_matcher_message(struct desk *desk, const struct message *message)
{
    const union message_body *body = &message->body;
    struct lane *lane;

    switch (message->type) {
    case MSG_MATCH_READY:
        lane = lane_of(desk, body->match_ready.visit, VISIT_FACE);
        if (lane != NULL && !lane->visit->facts.photo_there)
            raise_with(lane, EVENT_MATCH_READY, FAILURE_NONE, message, -1);
        return true;
    case MSG_MATCH_FAILED:
        if (body->match_failed.failure >= FAILURE_COUNT)
            return false;
        lane = lane_of(desk, body->match_failed.visit, VISIT_FACE);
        if (lane != NULL)
            raise_with(lane, EVENT_MATCH_FAILED, body->match_failed.failure, message, -1);
        return true;
    case MSG_MATCH_RESULT:
        if (body->match_result.failure >= FAILURE_COUNT || body->match_result.decision > 3 ||
            body->match_result.liveness > LIVENESS_FAILED)
            return false;
        lane = lane_of(desk, body->match_result.visit, VISIT_FACE);
        /* A decision before there was a photo, or for another visit, decides nothing. */
        if (lane != NULL && lane->visit->facts.photo_there)
            take_result(lane, message);
        return true;
    default:
        return false;
    }
}

bool lane_ocr_message(struct desk *desk, const struct message *message)
{
    const struct msg_ocr_result *r = &message->body.ocr_result;
    struct lane *lane;

    if (message->type != MSG_OCR_RESULT || r->failure >= FAILURE_COUNT)
        return false;
    lane = lane_of(desk, r->visit, VISIT_SHOW_CARD);
    if (lane == NULL)
        return true;
    if (r->sealed.len > 0) {
        struct desk_event e = {.kind = EVENT_CARD_FACE_READ,
                               .body = &message->body,
                               .fd = -1,
                               .sealed = r->sealed.data,
                               .sealed_len = r->sealed.len};

        (void)visit_event(lane->visit, &e);
        return true;
    }
    give_credit(lane);
    if (lane->hint != r->failure) {
        lane->hint = r->failure;
        lane_publish(lane, false);
    }
    return true;
}
