/* Which card is it, whose, and what is left of its counters. Nothing here needs or spends a credential. */
#include <errno.h>
#include <string.h>

#include "card_engine.h"
#include "card_trust.h"

static enum card_end on_token(struct card_engine *e, const struct card_outcome *o)
{
    static const enum card_end ends[] = {
        [CARD_TOKEN_UNKNOWN] = CARD_END_NEXT_GENERATION,
        [CARD_TOKEN_MY_NUMBER] = CARD_END_OK,
        [CARD_TOKEN_OLD_RESIDENT] = CARD_END_OLD_RESIDENT,
        [CARD_TOKEN_ANDROID] = CARD_END_PHONE,
        [CARD_TOKEN_IOS] = CARD_END_PHONE,
    };

    (void)e;
    /* Transit, clinic and bank cards know neither the application nor, some of them, the command. */
    if (!o->selected)
        return CARD_END_FOREIGN;
    if (o->data == NULL)
        return CARD_END_DAMAGED;
    return ends[card_layout_token(o->data, o->len)];
}

bool card_engine_wants_certificate(const struct card_engine *e)
{
    return !e->has_certificate || !e->same;
}

/* Every byte: issuer and serial number alone can be written by anybody into a certificate of his own. */
static bool is_that_certificate(const struct card_engine *e, const struct card_outcome *o)
{
    return o->len == e->certificate_len && memcmp(o->data, e->certificate_der, o->len) == 0;
}

enum card_end card_engine_on_certificate(struct card_engine *e, const struct card_outcome *o)
{
    struct card_certificate certificate;
    int rc;

    if (!o->selected && e->application == CARD_AP_NONE)
        return CARD_END_FOREIGN;
    if (o->data == NULL || o->len > sizeof(e->certificate_der))
        return CARD_END_DAMAGED;
    rc = card_certificate_parse(&certificate, o->data, o->len);
    if (rc < 0)
        return rc == -ENOMEM ? CARD_END_INTERNAL : CARD_END_DAMAGED;
    if (e->identified && !is_that_certificate(e, o)) {
        card_certificate_clear(&certificate);
        return CARD_END_OTHER_CARD;
    }
    card_certificate_clear(&e->certificate);
    e->certificate = certificate;
    memcpy(e->certificate_der, o->data, o->len);
    e->certificate_len = o->len;
    e->has_certificate = true;
    e->same = true;
    return CARD_END_OK;
}

/* A counter that cannot be asked is unknown; it is no reason to turn the card away. That there is no key is
   said by the same answers as when signing, so that nobody is asked for a PIN first. */
static enum card_end on_pin_tries(struct card_engine *e, const struct card_outcome *o)
{
    bool none = o->selected ? e->key_state == CARD_KEY_UNSET
                            : o->sw == 0x6A82 && e->application != CARD_AP_NONE;

    if (none)
        e->report.pin_tries = CARD_TRIES_NO_KEY;
    else if (o->selected)
        e->report.pin_tries = e->tries;
    return CARD_END_OK;
}

static enum card_end on_number_b_tries(struct card_engine *e, const struct card_outcome *o)
{
    if (o->selected)
        e->report.number_b_tries = e->tries;
    return CARD_END_OK;
}

static enum card_end conclude(struct card_engine *e, enum card_end end)
{
    int chain;

    if (end != CARD_END_OK)
        return end;
    chain = card_proof_chain(e->trust, &e->certificate);
    if (chain < 0)
        return CARD_END_INTERNAL;
    e->identified = true;
    e->report.certificate = e->certificate_der;
    e->report.certificate_len = e->certificate_len;
    e->report.subject = e->certificate.subject;
    e->report.valid_from = e->certificate.valid_from;
    e->report.valid_until = e->certificate.valid_until;
    e->report.chain = (uint8_t)chain;
    return CARD_END_OK;
}

/* Counter of 照合番号B last: the photo operation finds its application and key selected. */
static const struct card_step steps[] = {
    CARD_STEP(READ, CARD_FILE_TOKEN, NULL, on_token),
    CARD_STEP(READ, CARD_FILE_USER_CERTIFICATE, NULL, card_engine_on_certificate),
    CARD_STEP(TRIES, CARD_KEY_PIN, NULL, on_pin_tries),
    CARD_STEP(TRIES, CARD_KEY_NUMBER_B, NULL, on_number_b_tries),
};
static const struct card_operation operation = {
    .steps = steps, .count = sizeof(steps) / sizeof(steps[0]), .conclude = conclude};

int card_engine_identify(struct card_engine *e, uint64_t deadline_us, card_done_fn *done, void *arg)
{
    int rc = card_engine_prepare(e, deadline_us);

    e->identified = rc == 0 ? false : e->identified;
    if (rc == 0)
        card_engine_run(e, &operation, done, arg);
    return rc;
}
