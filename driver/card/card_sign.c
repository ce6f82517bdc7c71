/* The 利用者証明用 PIN, and a signature over a statement that is composed here and nowhere else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "card_engine.h"

#define STATEMENT_NONCE_BYTES 16u
#define INSTITUTION_DIGITS 10u
#define PURPOSE_MAX 32u
#define YEAR_MOST 9999

static bool plausible(const struct card_sign_request *request)
{
    static const char words[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t purpose = strlen(request->purpose);

    return strlen(request->institution) == INSTITUTION_DIGITS &&
           strspn(request->institution, "0123456789") == INSTITUTION_DIGITS && purpose > 0 &&
           purpose <= PURPOSE_MAX && strspn(request->purpose, words) == purpose;
}

static bool fresh_nonce(char *hex)
{
    uint8_t nonce[STATEMENT_NONCE_BYTES];

    if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
        return false;
    for (size_t i = 0; i < sizeof(nonce); i++)
        snprintf(hex + 2 * i, 3, "%02x", nonce[i]);
    return true;
}

static int compose(struct card_engine *e, const struct card_sign_request *request)
{
    char nonce[2 * STATEMENT_NONCE_BYTES + 1];
    char when[32];
    time_t at = (time_t)request->time;
    struct tm tm;
    int len;

    if (!plausible(request) || gmtime_r(&at, &tm) == NULL || tm.tm_year < 70 ||
        tm.tm_year > YEAR_MOST - 1900)
        return -EINVAL;
    if (!fresh_nonce(nonce) || strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm) == 0)
        return -EIO;
    len = snprintf(e->statement, sizeof(e->statement),
                   "uketsuke statement v1\npurpose: %s\ninstitution: %s\ntime: %s\nnonce: %s\n",
                   request->purpose, request->institution, when, nonce);
    if (len < 0 || (size_t)len >= sizeof(e->statement) ||
        card_proof_digest_info(e->statement, (size_t)len, e->input) < 0)
        return -EIO;
    e->input_len = CARD_DIGEST_INFO_BYTES;
    return 0;
}

static enum card_end on_tries(struct card_engine *e, const struct card_outcome *o)
{
    if (!o->selected) {
        if (e->application == CARD_AP_NONE)
            return CARD_END_FOREIGN;
        return o->sw == 0x6A82 ? CARD_END_PIN_NOT_SET : CARD_END_DAMAGED;
    }
    e->report.pin_tries = e->tries;
    /* What a card with another kind of key wants to sign is not public: no PIN is spent on finding out. */
    if (!e->certificate.rsa)
        return CARD_END_NEXT_GENERATION;
    if (e->key_state == CARD_KEY_BLOCKED)
        return CARD_END_PIN_LOCKED;
    if (e->key_state == CARD_KEY_UNSET)
        return CARD_END_PIN_NOT_SET;
    /* A card that does not tell is treated as one with a single try. */
    if ((e->key_state == CARD_KEY_UNKNOWN || e->tries <= 1) && !e->agreed)
        return CARD_END_PIN_LAST_TRY;
    return CARD_END_OK;
}

static enum card_end on_verify(struct card_engine *e, const struct card_outcome *o)
{
    secret_free(&e->credential);
    if (o->sw == APDU_SW_OK) {
        e->report.pin_tries = card_layout_file(CARD_KEY_PIN)->tries_max;
        return CARD_END_OK;
    }
    switch (card_engine_key_state(o->sw, &e->report.pin_tries)) {
    case CARD_KEY_OPEN:
        return CARD_END_PIN_WRONG;
    case CARD_KEY_BLOCKED:
        return CARD_END_PIN_LOCKED;
    default:
        return o->sw == 0x6300 ? CARD_END_PIN_WRONG : CARD_END_DAMAGED;
    }
}

static enum card_end on_signature(struct card_engine *e, const struct card_outcome *o)
{
    if (!o->selected || o->sw != APDU_SW_OK || o->len == 0 || o->len > sizeof(e->signature))
        return CARD_END_DAMAGED;
    memcpy(e->signature, o->data, o->len);
    e->signature_len = o->len;
    return CARD_END_OK;
}

static enum card_end conclude(struct card_engine *e, enum card_end end)
{
    size_t len = strlen(e->statement);
    int proven;

    if (end != CARD_END_OK)
        return end;
    proven =
        card_proof_signature(&e->certificate, e->statement, len, e->signature, e->signature_len);
    if (proven <= 0)
        return proven < 0 ? CARD_END_INTERNAL : CARD_END_NOT_ITS_KEY;
    e->report.statement = e->statement;
    e->report.statement_len = len;
    e->report.signature = e->signature;
    e->report.signature_len = e->signature_len;
    return CARD_END_OK;
}

static const struct card_step steps[] = {
    CARD_STEP(READ, CARD_FILE_USER_CERTIFICATE, card_engine_wants_certificate,
              card_engine_on_certificate),
    CARD_STEP(TRIES, CARD_KEY_PIN, NULL, on_tries),
    CARD_STEP(VERIFY, CARD_KEY_PIN, NULL, on_verify),
    CARD_STEP(SIGN, CARD_FILE_USER_KEY, NULL, on_signature),
};
static const struct card_operation operation = {.steps = steps,
                                                .count = sizeof(steps) / sizeof(steps[0]),
                                                .power_off = true,
                                                .conclude = conclude};

static bool is_pin(const struct secret *pin)
{
    if (pin->len != CARD_PIN_DIGITS)
        return false;
    for (size_t i = 0; i < pin->len; i++)
        if (pin->data[i] < '0' || pin->data[i] > '9')
            return false;
    return true;
}

int card_engine_sign(struct card_engine *e, const struct card_sign_request *request,
                     struct secret *pin, card_done_fn *done, void *arg)
{
    int rc = card_engine_prepare(e, request->deadline_us);
    bool at_pad = pin == NULL;
    bool fits = at_pad || is_pin(pin);

    if (rc == 0 && at_pad && !e->channel->pin_pad)
        rc = -EINVAL;
    if (rc == 0 && fits)
        rc = compose(e, request);
    if (rc == -EIO || (rc == 0 && !fits)) {
        card_engine_refuse(e, rc == 0 ? CARD_END_PIN_FORMAT : CARD_END_INTERNAL, done, arg);
        rc = 0;
    } else if (rc == 0) {
        e->agreed = request->last_try_agreed;
        e->credential_kind = CARD_CREDENTIAL_PIN;
        e->at_pad = at_pad;
        if (!at_pad) {
            e->credential = *pin;
            memset(pin, 0, sizeof(*pin));
        }
        card_engine_run(e, &operation, done, arg);
    }
    if (!at_pad)
        secret_free(pin);
    return rc;
}
