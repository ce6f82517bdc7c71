/* What the notes of the table do. They run inside the step's transaction, in the order of the
 * table. */
#include "note.h"
#include "ask.h"
#include "disaster.h"
#include "match.h"
#include "numbers.h"
#include "slip.h"
#include "visit.h"

#include <errno.h>
#include <string.h>

/* From three months before the end a municipality renews it; of the shortest three months, so that nobody is sent too
 * early. */
#define RENEWAL_SECONDS (INT64_C(89) * 86400)
#define CONSENT_LASTS_US (INT64_C(24) * 3600 * 1000000) /* a consent holds for 24 hours */

static int64_t now_us(const struct visit *v)
{
    return (int64_t)clock_realtime_us(v->desk->clock);
}

static uint32_t since_ms(const struct visit *v, uint64_t then_us)
{
    return (uint32_t)((clock_monotonic_us(v->desk->clock) - then_us) / CLOCK_MS);
}

/* Texts of equal bounds by contract; what does not fit is left empty. */
static void text(char *field, size_t size, const char *from)
{
    (void)message_text(field, size, from);
}

static void decided(struct visit *v, uint8_t outcome)
{
    int64_t took = now_us(v) - v->record.opened_us;

    v->record.outcome = outcome;
    v->record.failure = v->facts.shown;
    v->record.total_ms = took > 0 ? (uint32_t)(took / 1000) : 0;
    metrics_stage(&v->desk->metrics, STAGE_TOTAL, v->record.total_ms);
}

static int note_open(struct visit *v, const struct desk_event *e)
{
    v->record.lane = v->lane != NULL ? v->lane->number : e->lane;
    v->record.flags |= (v->lane == NULL ? VISIT_FLAG_NO_CARD : 0u) |
                       (disaster_on(v->desk) ? VISIT_FLAG_DISASTER : 0u);
    return store_visit_open(v->desk->store, &v->record);
}

static int note_resumed(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->record.flags |= VISIT_FLAG_RESUMED;
    v->desk->metrics.resumed++;
    return 0;
}

/*
 * Where to go on when the card is back. A PIN is never sent twice: if the signed statement is gone
 * (the desk was restarted) and the upstream wants it, the PIN has to be entered again.
 */
static int note_lost(struct visit *v, const struct desk_event *e)
{
    bool signature_gone =
        v->record.method == METHOD_PIN && v->facts.statement.len == 0 && !ask_without_card(v);

    (void)e;
    if (signature_gone) {
        v->record.method = METHOD_NONE;
        v->facts.resume = VISIT_PIN;
        return 0;
    }
    switch (v->record.state) {
    case VISIT_CARD:
    case VISIT_CARD_LOST:
        /* After a restart nobody knows where it stood; a person already checked is asked the
         * consents. */
        if (e->kind == EVENT_RESUMED && v->record.method != METHOD_NONE)
            v->facts.resume = VISIT_CONSENT;
        break;
    case VISIT_VISUAL:
    case VISIT_STAFF:
    case VISIT_LINK:
        v->facts.resume = v->record.method != METHOD_NONE ? VISIT_ELIGIBILITY : VISIT_METHOD;
        break;
    default:
        v->facts.resume = v->record.state;
        break;
    }
    return 0;
}

/* The same card on another lane right now, or received minutes ago: somebody may be received twice.
 */
static int look_for_another(struct visit *v)
{
    int64_t since = now_us(v) - (int64_t)v->desk->settings.again_us;
    uint32_t earlier = 0;
    int r = 0;

    if (v->desk->settings.again_us > 0)
        r = store_visits_again(v->desk->store, v->record.subject, since, v->record.id, &earlier);
    for (unsigned i = 0; i < v->desk->nlanes; i++) {
        const struct visit *other = v->desk->lanes[i]->visit;

        if (other != v && other->record.has_subject &&
            memcmp(other->record.subject, v->record.subject, sizeof(v->record.subject)) == 0)
            earlier++;
    }
    if (earlier > 0)
        v->record.flags |= VISIT_FLAG_AGAIN;
    return r;
}

/* The patient is told at the end, and staff see it; the day itself is not kept. */
static void look_at_the_end(struct visit *v, int64_t until)
{
    int64_t left = until - now_us(v) / (int64_t)CLOCK_SECOND;

    v->record.flags &= ~(uint32_t)(VISIT_FLAG_CARD_ENDS | VISIT_FLAG_CARD_ENDED);
    if (left < 0)
        v->record.flags |= VISIT_FLAG_CARD_ENDED;
    else if (left < RENEWAL_SECONDS)
        v->record.flags |= VISIT_FLAG_CARD_ENDS;
}

static int note_card(struct visit *v, const struct desk_event *e)
{
    const struct msg_card_identified *card = &e->body->card_identified;

    if (card->subject.len != sizeof(v->record.subject))
        return -EBADMSG;
    memcpy(v->record.subject, card->subject.data, sizeof(v->record.subject));
    v->record.has_subject = true;
    v->facts.certificate.len = card->certificate.len;
    memcpy(v->facts.certificate.data, card->certificate.data, card->certificate.len);
    v->facts.chain = card->certificate_chain;
    look_at_the_end(v, card->valid_until);
    return look_for_another(v);
}

static int note_agreed_b(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.b_agreed = true;
    return 0;
}

static int note_agreed_pin(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.pin_agreed = true;
    return 0;
}

static int note_scanned(struct visit *v, const struct desk_event *e)
{
    if (e->sealed_len == 0 || e->sealed_len > sizeof(v->facts.scanned.data))
        return -EBADMSG;
    v->facts.scanned.len = (uint32_t)e->sealed_len;
    memcpy(v->facts.scanned.data, e->sealed, e->sealed_len);
    return 0;
}

static int note_pin_sent(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.pins_sent++;
    return 0;
}

static int note_photo(struct visit *v, const struct desk_event *e)
{
    const struct msg_card_photo_read *photo = &e->body->card_photo_read;

    v->record.record = photo->record;
    v->record.challenge = photo->challenge;
    if (photo->record != GENUINE_YES || photo->challenge != GENUINE_YES)
        v->record.flags |= VISIT_FLAG_UNCHECKED;
    text(v->facts.birth, sizeof(v->facts.birth), photo->birth);
    text(v->facts.sex, sizeof(v->facts.sex), photo->sex);
    text(v->record.person.birth, sizeof(v->record.person.birth), photo->birth);
    text(v->record.person.sex, sizeof(v->record.person.sex), photo->sex);
    text(v->record.person.name, sizeof(v->record.person.name), photo->name);
    v->facts.scanned.len = 0;
    return 0;
}

static int note_face_started(struct visit *v, const struct desk_event *e)
{
    if (e->kind == EVENT_MATCH_READY)
        v->facts.photo_there = true;
    v->facts.face_started_us = clock_monotonic_us(v->desk->clock);
    return 0;
}

static int note_close_face(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.face_closed = true;
    v->facts.face_closed_by = v->facts.shown;
    return 0;
}

static int note_close_pin(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.pin_closed = true;
    v->facts.pin_closed_by = v->facts.shown;
    return 0;
}

static int note_drop_photo(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.photo_there = false;
    return 0;
}

static void note_result(struct visit *v, const struct desk_event *e)
{
    const struct msg_match_result *result = &e->body->match_result;

    v->record.score_milli = result->score_milli;
    v->record.liveness = result->liveness;
    v->record.face_ms += since_ms(v, v->facts.face_started_us);
    metrics_stage(&v->desk->metrics, STAGE_FACE, v->record.face_ms);
}

static int note_matched(struct visit *v, const struct desk_event *e)
{
    note_result(v, e);
    v->record.method = METHOD_FACE;
    v->facts.photo_there = false;
    return 0;
}

static int note_mismatch(struct visit *v, const struct desk_event *e)
{
    note_result(v, e);
    v->record.face_failed = 1;
    return 0;
}

static int note_attacked(struct visit *v, const struct desk_event *e)
{
    note_result(v, e);
    v->record.liveness = LIVENESS_FAILED;
    v->record.flags |= VISIT_FLAG_LOOK;
    return 0;
}

static int note_pin_right(struct visit *v, const struct desk_event *e)
{
    const struct msg_card_signed *answer = &e->body->card_signed;

    v->record.method = METHOD_PIN;
    v->facts.statement.len = answer->statement.len;
    memcpy(v->facts.statement.data, answer->statement.data, answer->statement.len);
    v->facts.signature.len = answer->signature.len;
    memcpy(v->facts.signature.data, answer->signature.data, answer->signature.len);
    v->facts.photo_there = false;
    /* The PIN proves the card's holder knows it, not whose face that was. */
    if (v->record.face_failed)
        v->record.flags |= VISIT_FLAG_LOOK;
    return 0;
}

static int note_by_eye(struct visit *v, const struct desk_event *e)
{
    v->record.method = METHOD_VISUAL;
    v->record.flags &= ~(uint32_t)VISIT_FLAG_LOOK;
    v->facts.photo_there = false;
    if (e->staff != NULL)
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    return 0;
}

static int note_by_numbers(struct visit *v, const struct desk_event *e)
{
    uint8_t subject[32];

    v->record.method = METHOD_NUMBERS;
    v->record.consents = e->limit_consent ? CONSENT_LIMIT : 0;
    v->facts.numbers = *e->numbers;
    v->facts.has_numbers = true;
    v->facts.limit_consent = e->limit_consent;
    v->facts.consents_done = true;
    if (e->staff != NULL)
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    ask_lookup_subject(v->record.id, subject);
    return store_link_put(v->desk->store, subject, &v->facts.numbers);
}

static int note_consents(struct visit *v, const struct desk_event *e)
{
    uint32_t asked = ask_consents(v);
    int64_t now = now_us(v);
    int r = 0;

    v->facts.consents_asked = asked;
    v->facts.consents_done = true;
    v->record.consents = e->kind == EVENT_NO ? 0 : e->consents & asked;
    if (e->kind == EVENT_STAFF_CONSENT)
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    for (uint32_t bit = 1; r == 0 && bit <= CONSENT_ALL; bit <<= 1)
        if ((asked & bit) != 0) {
            bool given = (v->record.consents & bit) != 0;

            r = store_consent_put(v->desk->store, v->record.id, bit, given, now,
                                  given ? now + CONSENT_LASTS_US : now);
        }
    return r;
}

static int note_linked(struct visit *v, const struct desk_event *e)
{
    v->facts.numbers = *e->numbers;
    v->facts.has_numbers = true;
    v->facts.limit_consent = e->limit_consent;
    if (e->staff != NULL)
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    return store_link_put(v->desk->store, v->record.subject, e->numbers);
}

void note_decision(struct store_visit *r, const struct decision *d)
{
    text(r->validity, sizeof(r->validity), d->validity);
    text(r->ratio, sizeof(r->ratio), d->ratio);
    text(r->limit_class, sizeof(r->limit_class), d->limit_class);
    text(r->notice, sizeof(r->notice), d->notice_text);
    if (d->person.name[0] != '\0' || d->person.birth[0] != '\0')
        r->person = d->person;
    r->flags &= ~(uint32_t)(VISIT_FLAG_NOTICE | VISIT_FLAG_MASKED_NAME | VISIT_FLAG_CACHED |
                            VISIT_FLAG_LAST_KNOWN | VISIT_FLAG_LAST_MONTH | VISIT_FLAG_SUBSIDY);
    r->flags |= d->subsidy_unknown ? VISIT_FLAG_SUBSIDY : 0u;
    r->flags |= d->notice ? VISIT_FLAG_NOTICE : 0u;
    r->flags |= d->masked ? VISIT_FLAG_MASKED_NAME : 0u;
}

/* Only statements about an entitlement are kept: an error must not stand before yesterday's good
 * answer. */
static int keep_answer(struct visit *v)
{
    char buffer[ASK_SUBJECT_MAX];
    struct pending_answer *answer = &v->answer;
    struct store_answer *stored = &answer->stored;
    int r;

    if (!answer->cached && (answer->decision.result == DECIDE_USABLE ||
                            answer->decision.result == DECIDE_NOT_USABLE)) {
        stored->usable = answer->decision.result == DECIDE_USABLE;
        stored->failure = answer->decision.failure;
        stored->available_until_us = answer->decision.available_until_us;
        r = store_answer_put(v->desk->store, ask_subject(v, buffer), stored);
        explicit_bzero(buffer, sizeof(buffer));
        if (r < 0)
            return r;
    }
    v->record.answer = stored->id;
    return 0;
}

/* One thing is said on the last screen; what staff have to see stands in the flags as well. */
static void say_at_the_end(struct visit *v)
{
    uint32_t flags = v->record.flags;

    if ((flags & VISIT_FLAG_LOOK) != 0)
        v->facts.shown = FAILURE_VISIT_LOOK;
    else if (v->facts.shown != FAILURE_NONE)
        return;
    else if ((flags & VISIT_FLAG_AGAIN) != 0)
        v->facts.shown = FAILURE_VISIT_AGAIN;
    else if ((flags & VISIT_FLAG_CARD_ENDED) != 0)
        v->facts.shown = FAILURE_CARD_CERTIFICATE_EXPIRED;
    else if ((flags & VISIT_FLAG_CARD_ENDS) != 0)
        v->facts.shown = FAILURE_CARD_CERTIFICATE_ENDS;
}

static int note_answer(struct visit *v, const struct desk_event *e)
{
    const struct decision *d = &v->answer.decision;
    uint8_t outcome = d->result == DECIDE_USABLE       ? OUTCOME_ELIGIBLE
                      : d->result == DECIDE_NOT_USABLE ? OUTCOME_NOT_ELIGIBLE
                                                       : OUTCOME_UNKNOWN;
    char buffer[ASK_SUBJECT_MAX];
    int r = 0;

    (void)e;
    note_decision(&v->record, d);
    if (d->result == DECIDE_USABLE || d->result == DECIDE_NOT_USABLE)
        r = match_stored(v->desk, &v->record, &v->answer.stored, d->result == DECIDE_USABLE,
                         !v->answer.cached, ask_subject(v, buffer));
    explicit_bzero(buffer, sizeof(buffer));
    if (r == 0)
        r = keep_answer(v);
    if (r < 0)
        return r;
    if (v->answer.cached)
        v->record.flags |= VISIT_FLAG_CACHED;
    if (outcome == OUTCOME_ELIGIBLE)
        say_at_the_end(v);
    decided(v, outcome);
    return 0;
}

/* The answer is about somebody else: its name is not shown as this patient's. */
static int note_answer_kept(struct visit *v, const struct desk_event *e)
{
    (void)e;
    text(v->record.validity, sizeof(v->record.validity), v->answer.decision.validity);
    v->record.flags |= VISIT_FLAG_LOOK;
    return keep_answer(v);
}

static int note_old_answer(struct visit *v, const struct desk_event *e)
{
    char today[9], told[9];
    int r = ask_load_last(v);

    (void)e;
    if (r < 0)
        return r;
    note_decision(&v->record, &v->answer.decision);
    r = match_stored(v->desk, &v->record, &v->answer.stored, true, false,
                     (struct store_subject){NULL, 0});
    if (r < 0)
        return r;
    v->record.answer = v->answer.stored.id;
    v->record.flags |= VISIT_FLAG_LAST_KNOWN;
    desk_today(v->desk, today);
    desk_day(v->answer.stored.answered_us, told);
    if (strncmp(v->answer.stored.date, today, 6) != 0 || strncmp(told, today, 6) != 0)
        v->record.flags |= VISIT_FLAG_LAST_MONTH; /* the month's first answer is still wanted */
    v->desk->metrics.last_known++;
    decided(v, OUTCOME_LAST_KNOWN);
    return 0;
}

static int note_unknown(struct visit *v, const struct desk_event *e)
{
    (void)e;
    decided(v, OUTCOME_UNKNOWN);
    return 0;
}

static int note_refused(struct visit *v, const struct desk_event *e)
{
    if (e->staff != NULL && e->staff[0] != '\0')
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    decided(v, OUTCOME_REFUSED);
    return 0;
}

static int note_given_up(struct visit *v, const struct desk_event *e)
{
    (void)e;
    if (v->record.outcome == OUTCOME_OPEN)
        decided(v, OUTCOME_ABANDONED);
    return 0;
}

static int note_ended_by_staff(struct visit *v, const struct desk_event *e)
{
    if (e->staff != NULL)
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    if (v->record.outcome == OUTCOME_OPEN)
        decided(v, OUTCOME_STAFF);
    return 0;
}

static int note_looked(struct visit *v, const struct desk_event *e)
{
    v->record.flags &= ~(uint32_t)VISIT_FLAG_LOOK;
    if (e->staff != NULL)
        text(v->record.staff, sizeof(v->record.staff), e->staff);
    return 0;
}

static int note_register(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->facts.registration_tried = true;
    return ask_begin_registration(v);
}

static int note_ask(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->record.outcome = OUTCOME_OPEN;
    return ask_begin(v);
}

static int note_slip(struct visit *v, const struct desk_event *e)
{
    int r = slip_keep(v->desk, &v->record, e->slip);

    decided(v, OUTCOME_PENDING);
    return r;
}

/* The face in the chip is the patient's, not the one of who stands there. */
static int note_proxy(struct visit *v, const struct desk_event *e)
{
    v->record.flags |= VISIT_FLAG_PROXY;
    text(v->record.proxy, sizeof(v->record.proxy), e->proxy);
    text(v->record.relation, sizeof(v->record.relation), e->relation);
    text(v->record.staff, sizeof(v->record.staff), e->staff);
    v->facts.face_closed = true;
    v->facts.face_closed_by = FAILURE_VISIT_PROXY;
    return 0;
}

static int note_close(struct visit *v, const struct desk_event *e)
{
    (void)e;
    v->record.closed_us = now_us(v);
    return slip_queue(v);
}

typedef int note_fn(struct visit *v, const struct desk_event *e);

static note_fn *const notes_table[NOTE_COUNT] = {
    [NOTE_OPEN] = note_open,
    [NOTE_RESUMED] = note_resumed,
    [NOTE_LOST] = note_lost,
    [NOTE_CARD] = note_card,
    [NOTE_AGREED_B] = note_agreed_b,
    [NOTE_AGREED_PIN] = note_agreed_pin,
    [NOTE_SCANNED] = note_scanned,
    [NOTE_PIN_SENT] = note_pin_sent,
    [NOTE_PHOTO] = note_photo,
    [NOTE_FACE_STARTED] = note_face_started,
    [NOTE_CLOSE_FACE] = note_close_face,
    [NOTE_CLOSE_PIN] = note_close_pin,
    [NOTE_DROP_PHOTO] = note_drop_photo,
    [NOTE_MATCHED] = note_matched,
    [NOTE_MISMATCH] = note_mismatch,
    [NOTE_ATTACKED] = note_attacked,
    [NOTE_PIN_RIGHT] = note_pin_right,
    [NOTE_BY_EYE] = note_by_eye,
    [NOTE_BY_NUMBERS] = note_by_numbers,
    [NOTE_CONSENTS] = note_consents,
    [NOTE_LINKED] = note_linked,
    [NOTE_ANSWER] = note_answer,
    [NOTE_ANSWER_KEPT] = note_answer_kept,
    [NOTE_OLD_ANSWER] = note_old_answer,
    [NOTE_UNKNOWN] = note_unknown,
    [NOTE_REFUSED] = note_refused,
    [NOTE_GIVEN_UP] = note_given_up,
    [NOTE_ENDED_BY_STAFF] = note_ended_by_staff,
    [NOTE_LOOKED] = note_looked,
    [NOTE_REGISTER] = note_register,
    [NOTE_ASK] = note_ask,
    [NOTE_SLIP] = note_slip,
    [NOTE_PROXY] = note_proxy,
    [NOTE_CLOSE] = note_close,
};

int note_take(struct visit *v, const struct desk_event *e, uint64_t notes)
{
    for (unsigned i = 0; i < NOTE_COUNT; i++)
        if ((notes >> i & 1) != 0) {
            int r = notes_table[i](v, e);

            if (r < 0)
                return r;
        }
    return 0;
}
