/* By 照合番号B: the photo and what is signed with it, whether both are genuine, and the name as text. */
#include <string.h>
#include <sys/random.h>

#include "card_engine.h"
#include "card_trust.h"

#define EXPIRY_YEAR_FIRST 2016 /* the first cards were issued in January 2016 */
#define EXPIRY_YEAR_LAST 2099

static unsigned number(const uint8_t *digits, size_t len)
{
    unsigned n = 0;

    for (size_t i = 0; i < len; i++)
        n = n * 10 + (unsigned)(digits[i] - '0');
    return n;
}

/*
 * Era year, month, day, year of expiry, security code. The era year is not judged: which six digits the chip
 * of a foreign resident wants (their cards print the Gregorian year) is not public.
 */
static bool is_number_b(const struct secret *s)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned month;
    unsigned day;
    unsigned year;

    if (s->len != CARD_NUMBER_B_DIGITS)
        return false;
    for (size_t i = 0; i < s->len; i++)
        if (s->data[i] < '0' || s->data[i] > '9')
            return false;
    month = number(s->data + 2, 2);
    day = number(s->data + 4, 2);
    year = number(s->data + 6, 4);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
           year >= EXPIRY_YEAR_FIRST && year <= EXPIRY_YEAR_LAST;
}

static bool counter_is_full(const struct card_engine *e, enum card_file key)
{
    return e->key_state == CARD_KEY_OPEN && e->tries >= card_layout_file(key)->tries_max;
}

/* A full counter needs no question; one that is not needs a person's word, and never a machine's reading. */
static bool may_send(const struct card_engine *e, enum card_file key)
{
    return counter_is_full(e, key) || (e->agreed && !e->scanned);
}

/* Only when the card has been without power since it was identified: the photo must be that card's. */
static bool wants_same_card(const struct card_engine *e)
{
    return e->identified && !e->same;
}

static enum card_end on_tries(struct card_engine *e, const struct card_outcome *o)
{
    if (!o->selected)
        return e->application == CARD_AP_NONE && !e->identified ? CARD_END_FOREIGN
                                                                : CARD_END_DAMAGED;
    e->report.number_b_tries = e->tries;
    if (e->key_state == CARD_KEY_BLOCKED)
        return CARD_END_NUMBER_B_LOCKED;
    if (e->key_state == CARD_KEY_UNSET)
        return CARD_END_DAMAGED;
    return may_send(e, CARD_KEY_NUMBER_B) ? CARD_END_OK : CARD_END_NUMBER_B_FEW_TRIES;
}

static enum card_end on_verify(struct card_engine *e, const struct card_outcome *o)
{
    if (o->sw == APDU_SW_OK) {
        e->report.number_b_tries = card_layout_file(CARD_KEY_NUMBER_B)->tries_max;
        return CARD_END_OK;
    }
    switch (card_engine_key_state(o->sw, &e->report.number_b_tries)) {
    case CARD_KEY_OPEN:
        return CARD_END_NUMBER_B_WRONG;
    case CARD_KEY_BLOCKED:
        return CARD_END_NUMBER_B_LOCKED;
    default:
        return o->sw == 0x6300 ? CARD_END_NUMBER_B_WRONG : CARD_END_DAMAGED;
    }
}

static enum card_end on_record(struct card_engine *e, const struct card_outcome *o)
{
    if (o->data == NULL || card_record_parse(&e->face, o->data, o->len) < 0)
        return CARD_END_DAMAGED;
    if (e->face.photo == NULL)
        return CARD_END_NO_PHOTO;
    e->face_read = true;
    return CARD_END_OK;
}

static bool wants_signer(const struct card_engine *e)
{
    return card_trust_issuers(e->trust) > 0;
}

/* A signer's certificate that cannot be read makes the record unproven, which conclude() finds. */
static enum card_end on_signer(struct card_engine *e, const struct card_outcome *o)
{
    if (o->data != NULL && o->len <= sizeof(e->signer)) {
        memcpy(e->signer, o->data, o->len);
        e->signer_len = o->len;
    }
    return CARD_END_OK;
}

/* A chip that refuses the challenge has not proven itself. */
static enum card_end on_challenge(struct card_engine *e, const struct card_outcome *o)
{
    bool answered = o->selected && o->sw == APDU_SW_OK;
    int proven = answered
                     ? card_proof_challenge(&e->face, e->nonce, sizeof(e->nonce), o->data, o->len)
                     : GENUINE_NO;

    if (proven < 0)
        return CARD_END_INTERNAL;
    e->report.challenge = (uint8_t)proven;
    return CARD_END_OK;
}

/* The name is worth no try: without a full counter, or a person's word, it stays empty. */
static enum card_end on_text_tries(struct card_engine *e, const struct card_outcome *o)
{
    e->text_open = o->selected && e->key_state != CARD_KEY_BLOCKED &&
                   e->key_state != CARD_KEY_UNSET && may_send(e, CARD_KEY_TEXT_NUMBER_B);
    return CARD_END_OK;
}

static bool wants_text(const struct card_engine *e)
{
    return e->text_open;
}

static enum card_end on_text_verify(struct card_engine *e, const struct card_outcome *o)
{
    secret_free(&e->credential);
    e->text_open = o->sw == APDU_SW_OK;
    return CARD_END_OK;
}

static enum card_end on_text(struct card_engine *e, const struct card_outcome *o)
{
    if (o->data != NULL)
        (void)card_text_name(o->data, o->len, e->report.name, sizeof(e->report.name));
    return CARD_END_OK;
}

static enum card_end conclude(struct card_engine *e, enum card_end end)
{
    int proven = GENUINE_NOT_CHECKED;

    if (!e->face_read)
        return end;
    /* Torn off before the signer's certificate was asked for: not checked, which is not the same as wrong. */
    if (e->signer_len > 0 || end == CARD_END_OK)
        proven = card_proof_record(e->trust, &e->face, e->signer, e->signer_len);
    if (proven < 0)
        end = CARD_END_INTERNAL;
    else
        e->report.record = (uint8_t)proven;
    if (end != CARD_END_OK) {
        explicit_bzero(e->report.name, sizeof(e->report.name));
        return end;
    }
    memcpy(e->report.birth, e->face.birth, sizeof(e->report.birth));
    memcpy(e->report.sex, e->face.sex, sizeof(e->report.sex));
    memcpy(e->report.expiry, e->face.expiry, sizeof(e->report.expiry));
    e->report.photo = e->face.photo;
    e->report.photo_len = e->face.photo_len;
    return CARD_END_OK;
}

static const struct card_step steps[] = {
    CARD_STEP(READ, CARD_FILE_USER_CERTIFICATE, wants_same_card, card_engine_on_certificate),
    CARD_STEP(TRIES, CARD_KEY_NUMBER_B, NULL, on_tries),
    CARD_STEP(VERIFY, CARD_KEY_NUMBER_B, NULL, on_verify),
    CARD_STEP(READ, CARD_FILE_RECORD, NULL, on_record),
    CARD_STEP(READ, CARD_FILE_RECORD_SIGNER, wants_signer, on_signer),
    {CARD_STEP_SIGN, CARD_AP_KENKAKU, CARD_FILE_NONE, NULL, on_challenge},
    CARD_STEP(TRIES, CARD_KEY_TEXT_NUMBER_B, NULL, on_text_tries),
    CARD_STEP(VERIFY, CARD_KEY_TEXT_NUMBER_B, wants_text, on_text_verify),
    CARD_STEP(READ, CARD_FILE_TEXT, wants_text, on_text),
};
static const struct card_operation operation = {.steps = steps,
                                                .count = sizeof(steps) / sizeof(steps[0]),
                                                .power_off = true,
                                                .conclude = conclude};

int card_engine_photo(struct card_engine *e, const struct card_photo_request *request,
                      struct secret *number_b, card_done_fn *done, void *arg)
{
    int rc = card_engine_prepare(e, request->deadline_us);

    if (rc < 0)
        goto out;
    if (!is_number_b(number_b)) {
        card_engine_refuse(e, CARD_END_NUMBER_B_FORMAT, done, arg);
        goto out;
    }
    if (getrandom(e->nonce, sizeof(e->nonce), 0) != (ssize_t)sizeof(e->nonce) ||
        card_proof_digest_info(e->nonce, sizeof(e->nonce), e->input) < 0) {
        card_engine_refuse(e, CARD_END_INTERNAL, done, arg);
        goto out;
    }
    e->input_len = CARD_DIGEST_INFO_BYTES;
    e->agreed = request->few_tries_agreed;
    e->scanned = request->scanned;
    e->credential_kind = CARD_CREDENTIAL_NUMBER_B;
    e->credential = *number_b;
    memset(number_b, 0, sizeof(*number_b));
    card_engine_run(e, &operation, done, arg);
out:
    secret_free(number_b);
    return rc;
}
