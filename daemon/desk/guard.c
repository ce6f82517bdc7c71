/* What the guards of the table mean. Pure: they read the visit, its lane and the event, and change
 * nothing. */
#include "ask.h"
#include "disaster.h"
#include "lane.h"
#include "slip.h"
#include "visit.h"

#include <string.h>

static bool card_on(const struct visit *v)
{
    return v->lane != NULL && v->lane->card;
}

static bool evidence(const struct visit *v)
{
    return v->record.method != METHOD_NONE;
}

static bool face_open(const struct visit *v)
{
    return v->lane != NULL && !v->facts.face_closed && v->facts.number_b_tries != 0 &&
           lane_camera_usable(v->lane) && v->desk->matcher_up;
}

/* An unknown counter (255) is treated as a low one: nothing is spent without a word. */
static bool b_few(const struct visit *v)
{
    uint8_t tries = v->facts.number_b_tries;

    return face_open(v) && !v->facts.b_agreed && (tries <= DESK_NUMBER_B_FEW || tries == 255);
}

static bool pin_open(const struct visit *v)
{
    return v->lane != NULL && !v->facts.pin_closed && v->facts.pin_tries != 0 &&
           v->facts.pin_tries != VISIT_TRIES_NO_KEY &&
           v->facts.pins_sent < v->desk->settings.pin_tries;
}

static bool pin_last(const struct visit *v)
{
    return pin_open(v) && (v->facts.pin_tries == 1 || v->facts.pin_tries == VISIT_TRIES_UNKNOWN);
}

static bool was_at(const struct visit *v, uint32_t states)
{
    return (states >> v->facts.resume & 1) != 0;
}

#define S(state) (UINT32_C(1) << VISIT_##state)
#define AT_NUMBER_B (S(NUMBER_B) | S(NUMBER_B_CONFIRM) | S(PHOTO) | S(SHOW_CARD))
#define AT_PIN (S(PIN) | S(PIN_CONFIRM) | S(PIN_CHECK))

static bool other_card(const struct visit *v, const struct desk_event *e)
{
    const struct msg_card_identified *card = &e->body->card_identified;

    return v->record.has_subject &&
           (card->subject.len != sizeof(v->record.subject) ||
            memcmp(card->subject.data, v->record.subject, sizeof(v->record.subject)) != 0);
}

static bool forged(const struct visit *v, const struct desk_event *e)
{
    return e->body->card_identified.certificate_chain == GENUINE_NO &&
           v->desk->settings.genuineness != POLICY_OFF;
}

static bool expired(const struct visit *v, const struct desk_event *e)
{
    return e->body->card_identified.valid_until <
           (int64_t)(clock_realtime_us(v->desk->clock) / CLOCK_SECOND);
}

static bool unproven(const struct visit *v, const struct desk_event *e)
{
    const struct msg_card_photo_read *photo = &e->body->card_photo_read;

    switch (v->desk->settings.genuineness) {
    case POLICY_REQUIRE:
        return photo->record != GENUINE_YES || photo->challenge != GENUINE_YES;
    case POLICY_CHALLENGE_ONLY:
        return photo->challenge != GENUINE_YES;
    case POLICY_OFF:
        break;
    }
    return false;
}

static bool may_confirm(const struct visit *v)
{
    return v->record.has_subject && v->record.outcome != OUTCOME_REFUSED &&
           (!evidence(v) || v->facts.shown == FAILURE_CARD_OTHER_PERSON);
}

static bool ask_consent(const struct visit *v)
{
    return !v->facts.consents_done && ask_consents(v) != 0;
}

static bool back(const struct visit *v, enum desk_guard guard)
{
    switch (guard) {
    case GUARD_BACK_TO_READING:
        return was_at(v, S(SHOW_CARD)) && v->facts.scanned.len > 0 && face_open(v);
    case GUARD_BACK_TO_FACE:
        return was_at(v, S(FACE)) && v->facts.photo_there && face_open(v);
    case GUARD_BACK_TO_NUMBER_B_FEW:
        return was_at(v, AT_NUMBER_B) && b_few(v);
    case GUARD_BACK_TO_NUMBER_B:
        return was_at(v, AT_NUMBER_B) && face_open(v);
    case GUARD_BACK_TO_PIN_LAST:
        return was_at(v, AT_PIN) && pin_last(v);
    case GUARD_BACK_TO_PIN:
        return was_at(v, AT_PIN) && pin_open(v);
    case GUARD_BACK_TO_CONSENT:
        return was_at(v, S(CONSENT)) && evidence(v);
    case GUARD_BACK_TO_REGISTER:
        return was_at(v, S(REGISTER)) && evidence(v);
    case GUARD_BACK_TO_ELIGIBILITY:
        return was_at(v, S(ELIGIBILITY)) && evidence(v);
    default:
        return false;
    }
}

static bool answer_is(const struct visit *v, enum decide_result result)
{
    return v->answer.there && v->answer.decision.result == result;
}

bool guard_holds(enum desk_guard guard, const struct visit *v, const struct desk_event *e)
{
    switch (guard) {
    case GUARD_ALWAYS:
        return true;
    case GUARD_FORGED:
        return forged(v, e);
    case GUARD_OTHER_CARD:
        return other_card(v, e);
    case GUARD_EXPIRED:
        return expired(v, e);
    case GUARD_PIN_NO_KEY:
        return v->facts.pin_tries == VISIT_TRIES_NO_KEY;
    case GUARD_PHOTO_THERE:
        return v->facts.photo_there && (e->kind == EVENT_MATCHER_LOST || face_open(v));
    case GUARD_NUMBER_B_FEW:
        return b_few(v);
    case GUARD_FACE_OPEN:
        return face_open(v);
    case GUARD_SCAN_OPEN:
        return face_open(v) && v->desk->ocr_up && v->facts.number_b_tries == DESK_NUMBER_B_MAX;
    case GUARD_CARD_ON:
        return card_on(v);
    case GUARD_PIN_LAST:
        return pin_last(v);
    case GUARD_PIN_OPEN:
        return pin_open(v);
    case GUARD_PIN_NO_TRIES:
        return v->facts.pin_tries == 0;
    case GUARD_PIN_SPENT:
        return !pin_open(v);
    case GUARD_NUMBER_B_NO_TRIES:
        return v->facts.number_b_tries == 0;
    case GUARD_RECORD_FALSE:
        return e->body->card_photo_read.record == GENUINE_NO;
    case GUARD_CHIP_FALSE:
        return e->body->card_photo_read.challenge == GENUINE_NO;
    case GUARD_UNPROVEN:
        return unproven(v, e);
    case GUARD_NO_MATCHER:
        return !face_open(v);
    case GUARD_ASK_CONSENT:
        return ask_consent(v);
    case GUARD_KNOWN_CARD:
        return v->record.has_subject;
    case GUARD_MAY_CONFIRM:
        return may_confirm(v);
    case GUARD_MAY_CONFIRM_ASK:
        return may_confirm(v) && ask_consent(v);
    case GUARD_EVIDENCE:
        return evidence(v);
    case GUARD_ASKABLE:
        return ask_possible(v);
    case GUARD_WAS_ASKING:
        return evidence(v) && was_at(v, S(ELIGIBILITY));
    case GUARD_LOOKS:
        return (v->record.flags & VISIT_FLAG_LOOK) != 0;
    case GUARD_NOT_REGISTERED:
        return answer_is(v, DECIDE_NOT_REGISTERED) && ask_can_register(v);
    case GUARD_REGISTERED:
        return answer_is(v, DECIDE_REGISTERED) && v->answer.registration;
    case GUARD_PENDING:
        return answer_is(v, DECIDE_PENDING);
    case GUARD_OTHER_PERSON:
        return v->answer.there && v->answer.decision.other_person;
    case GUARD_UNKNOWN:
        return !answer_is(v, DECIDE_USABLE) && !answer_is(v, DECIDE_NOT_USABLE);
    case GUARD_UNKNOWN_LOOKUP:
        return v->lane == NULL && !answer_is(v, DECIDE_USABLE) && !answer_is(v, DECIDE_NOT_USABLE);
    case GUARD_LAST_KNOWN:
        return ask_last_known(v);
    case GUARD_LOOKUP_VISIT:
        return v->lane == NULL;
    case GUARD_WRITES:
        return v->ask.row.id != 0 && v->ask.row.writes != 0;
    case GUARD_SELF_ASKING:
        return ask_without_card(v);
    case GUARD_NO_ANSWER_YET:
        return slip_may_follow(&v->record);
    case GUARD_PHARMACY:
        return v->desk->settings.institution_kind == INSTITUTION_PHARMACY;
    case GUARD_DISASTER:
        return disaster_on(v->desk);
    default:
        return back(v, guard);
    }
}
