/*
 * Readers of the TPDU level: they carry blocks (T=1) or five-byte headers with data one way (T=0),
 * and the host speaks the protocol. After power on the host reads the answer to reset, chooses a
 * protocol and a speed, and tells card (PPS) and reader (SetParameters) as far as dwFeatures says
 * that the reader does not do so by itself (CCID 1.1, 5.1 and 6.1.7).
 */
#include <string.h>

#include "ccid_internal.h"

static struct ccid_card *card_of(struct ccid *ccid, const struct ccid_operation *op)
{
    return &ccid->slots[op->slot].card;
}

static bool has_feature(const struct ccid *ccid, uint32_t feature)
{
    return (ccid->place.info.features & feature) != 0;
}

/* -- T=1 --------------------------------------------------------------------------------------- */

static void on_t1_block(struct ccid *ccid, struct ccid_operation *op,
                        const struct ccid_answer *answer)
{
    ccid_t1_go_on(ccid, op, t1_received(&card_of(ccid, op)->t1, answer->data, answer->len));
}

static void on_t1_failed(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    /* Time ran out on the card's side, or its bits did not come as bits. */
    if (result == CCID_MUTE || result == CCID_CARD_ERROR)
        ccid_t1_go_on(ccid, op, t1_nothing(&card_of(ccid, op)->t1, result == CCID_CARD_ERROR));
    else
        ccid_end(ccid, op, result, NULL, 0);
}

static void on_given_up(struct ccid *ccid, struct ccid_operation *op,
                        const struct ccid_answer *answer)
{
    (void)answer;
    ccid->slots[op->slot].powered = false;
    ccid_end(ccid, op, CCID_CARD_ERROR, NULL, 0);
}

static void on_given_up_failed(struct ccid *ccid, struct ccid_operation *op,
                               enum ccid_result result)
{
    ccid->slots[op->slot].powered = false;
    ccid_end(ccid, op, result == CCID_NO_CARD ? result : CCID_CARD_ERROR, NULL, 0);
}

/* The first half of the power cycle; the other is the next power on. */
static void give_up(struct ccid *ccid, struct ccid_operation *op)
{
    ccid_exchange(ccid, op, CCID_POWER_OFF, NULL, NULL, 0, on_given_up, on_given_up_failed);
}

static void t1_finish(struct ccid *ccid, struct ccid_operation *op, enum t1_next next)
{
    t1_wipe(&card_of(ccid, op)->t1);
    if (next == T1_DEAD)
        give_up(ccid, op);
    else if (op->command == NULL)
        ccid_power_ready(ccid, op);
    else if (next != T1_DONE || op->response_len < 2)
        ccid_end(ccid, op, CCID_CARD_ERROR, NULL, 0);
    else
        ccid_end(ccid, op, CCID_OK, op->response, op->response_len);
}

void ccid_t1_go_on(struct ccid *ccid, struct ccid_operation *op, enum t1_next next)
{
    struct t1 *t1 = &card_of(ccid, op)->t1;
    uint8_t specific[3] = {t1->wait, 0, 0};

    if (t1->drop && op->response_len > 0) {
        explicit_bzero(op->response, op->response_len);
        op->response_len = 0;
    }
    if (t1->part != NULL && !ccid_response_add(op, t1->part, t1->part_len)) {
        /* More than an answer can hold: this card does not end. */
        give_up(ccid, op);
        return;
    }
    if (next == T1_SEND)
        ccid_exchange(ccid, op, CCID_XFR_BLOCK, specific, t1->block, t1->block_len, on_t1_block,
                      on_t1_failed);
    else
        t1_finish(ccid, op, next);
}

/* -- T=0 --------------------------------------------------------------------------------------- */

static void on_t0_answer(struct ccid *ccid, struct ccid_operation *op,
                         const struct ccid_answer *answer);

static void t0_send(struct ccid *ccid, struct ccid_operation *op)
{
    const struct t0 *t0 = &card_of(ccid, op)->t0;

    ccid_exchange(ccid, op, CCID_XFR_BLOCK, NULL, t0->out, t0->out_len, on_t0_answer, NULL);
}

static void on_t0_answer(struct ccid *ccid, struct ccid_operation *op,
                         const struct ccid_answer *answer)
{
    struct t0 *t0 = &card_of(ccid, op)->t0;
    enum t0_next next = t0_received(t0, answer->data, answer->len);
    bool kept = next != T0_WRONG;

    if (kept && t0->part_len > 0)
        kept = ccid_response_add(op, t0->part, t0->part_len);
    if (kept && next == T0_SEND) {
        t0_send(ccid, op);
        return;
    }
    if (kept)
        kept = ccid_response_add(op, t0->status, sizeof(t0->status));
    t0_wipe(t0);
    ccid_end(ccid, op, kept ? CCID_OK : CCID_CARD_ERROR, op->response, op->response_len);
}

/* -- APDUs ------------------------------------------------------------------------------------- */

void ccid_tpdu_transmit(struct ccid *ccid, struct ccid_operation *op)
{
    struct ccid_card *card = card_of(ccid, op);

    if (card->protocol == 1)
        ccid_t1_go_on(ccid, op, t1_command(&card->t1, op->command, op->command_len));
    else if (t0_command(&card->t0, op->command, op->command_len) == 0)
        t0_send(ccid, op);
    else
        ccid_end_later(ccid, op, CCID_INVALID);
}

/* -- after power on ---------------------------------------------------------------------------- */

static void protocol_settled(struct ccid *ccid, struct ccid_operation *op)
{
    struct ccid_card *card = card_of(ccid, op);

    if (card->protocol != 1) {
        ccid_power_ready(ccid, op);
        return;
    }
    t1_init(&card->t1, card->atr.t1_ifsc, card->atr.t1_crc, ccid->place.info.max_ifsd,
            has_feature(ccid, CCID_FEATURE_AUTO_IFSD), ccid_block_bytes(ccid));
    ccid_t1_go_on(ccid, op, t1_start(&card->t1));
}

static void set_parameters(struct ccid *ccid, struct ccid_operation *op);

static void on_parameters_set(struct ccid *ccid, struct ccid_operation *op,
                              const struct ccid_answer *answer)
{
    (void)answer;
    protocol_settled(ccid, op);
}

static void on_parameters_refused(struct ccid *ccid, struct ccid_operation *op,
                                  enum ccid_result result)
{
    struct ccid_card *card = card_of(ccid, op);

    if (result != CCID_READER_ERROR && result != CCID_CARD_ERROR) {
        ccid_power_unusable(ccid, op, result);
    } else if (card->speed != ATR_SPEED_DEFAULT && !card->pps_made && !card->atr.specific) {
        /* Perhaps it was only the speed. */
        card->speed = ATR_SPEED_DEFAULT;
        set_parameters(ccid, op);
    } else if (has_feature(ccid, CCID_FEATURE_AUTO_PARAMETERS)) {
        /* It has taken them from the answer to reset by itself. */
        protocol_settled(ccid, op);
    } else {
        ccid_power_unusable(ccid, op, result);
    }
}

/* Protocol data structures of 6.1.7. */
static void set_parameters(struct ccid *ccid, struct ccid_operation *op)
{
    const struct ccid_card *card = card_of(ccid, op);
    const struct atr *atr = &card->atr;
    uint8_t convention = atr->inverse ? 0x02 : 0x00;
    uint8_t check = atr->t1_crc ? 0x11 : 0x10;
    const uint8_t t1[7] = {
        card->speed, (uint8_t)(check | convention), atr->guard, atr->t1_wait, 0, atr->t1_ifsc, 0};
    const uint8_t t0[5] = {card->speed, convention, atr->guard, atr->t0_wait, 0};
    const uint8_t specific[3] = {card->protocol, 0, 0};
    bool one = card->protocol == 1;

    ccid_exchange(ccid, op, CCID_SET_PARAMETERS, specific, one ? t1 : t0,
                  one ? sizeof(t1) : sizeof(t0), on_parameters_set, on_parameters_refused);
}

static void on_pps(struct ccid *ccid, struct ccid_operation *op, const struct ccid_answer *answer)
{
    struct ccid_card *card = card_of(ccid, op);
    int speed = atr_pps_answer(card->protocol, card->speed, answer->data, answer->len);

    if (speed < 0) {
        op->no_pps = true;
        ccid_power_again(ccid, op);
        return;
    }
    card->pps_made = true;
    card->speed = (uint8_t)speed;
    set_parameters(ccid, op);
}

static void on_pps_failed(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    if (result != CCID_MUTE && result != CCID_CARD_ERROR && result != CCID_READER_ERROR) {
        ccid_power_unusable(ccid, op, result);
        return;
    }
    /* A card that does not like to be asked is taken as it comes after a reset. */
    op->no_pps = true;
    ccid_power_again(ccid, op);
}

static void on_parameters_read(struct ccid *ccid, struct ccid_operation *op,
                               const struct ccid_answer *answer)
{
    /* byte 9 is the protocol here */
    card_of(ccid, op)->protocol = answer->chain == 1 ? 1 : 0;
    protocol_settled(ccid, op);
}

static void on_parameters_not_read(struct ccid *ccid, struct ccid_operation *op,
                                   enum ccid_result result)
{
    if (result == CCID_READER_ERROR)
        protocol_settled(ccid, op);
    else
        ccid_power_unusable(ccid, op, result);
}

/* The speed of TA1 where the reader follows by itself and is fast enough; else the default. */
static uint8_t choose_speed(const struct ccid *ccid, const struct atr *atr)
{
    uint64_t rate = (uint64_t)ccid->place.clock_khz * 1000;
    unsigned f, d;

    if (!atr_speed(atr->speed, &f, &d) || !has_feature(ccid, CCID_FEATURE_AUTO_BAUD))
        return ATR_SPEED_DEFAULT;
    return rate * d / f <= ccid->place.max_data_rate ? atr->speed : (uint8_t)ATR_SPEED_DEFAULT;
}

/* 0 or 1 into *protocol; false when card and reader have none in common. */
static bool choose_protocol(uint32_t reader, const struct atr *atr, bool no_pps, uint8_t *protocol)
{
    uint32_t both = reader & atr->offered;

    *protocol = atr->first;
    if (atr->first < 2 && (both & 1u << atr->first) != 0)
        return true;
    if (no_pps || (both & (CCID_PROTOCOL_T0 | CCID_PROTOCOL_T1)) == 0)
        return false;
    *protocol = (both & CCID_PROTOCOL_T1) != 0 ? 1 : 0;
    return true;
}

void ccid_tpdu_powered(struct ccid *ccid, struct ccid_operation *op)
{
    struct ccid_slot *slot = &ccid->slots[op->slot];
    struct ccid_card *card = &slot->card;
    uint32_t reader = ccid->place.info.protocols;
    uint8_t pps[ATR_PPS_MAX];
    bool in_common;

    memset(card, 0, sizeof(*card));
    if (atr_parse(&card->atr, slot->atr, slot->atr_len) < 0) {
        ccid_power_unusable(ccid, op, CCID_CARD_ERROR);
        return;
    }
    in_common = choose_protocol(reader, &card->atr, op->no_pps, &card->protocol);
    if (has_feature(ccid, CCID_FEATURE_AUTO_NEGOTIATION)) {
        /* The reader has chosen already; where that is not plain it is asked. */
        if (!in_common)
            card->protocol = (reader & CCID_PROTOCOL_T1) != 0 ? 1 : 0;
        if (in_common && card->atr.offered != 3)
            protocol_settled(ccid, op);
        else
            ccid_exchange(ccid, op, CCID_GET_PARAMETERS, NULL, NULL, 0, on_parameters_read,
                          on_parameters_not_read);
        return;
    }
    if (!in_common) {
        ccid_power_unusable(ccid, op, CCID_CARD_UNSUPPORTED);
        return;
    }
    card->speed = card->atr.specific ? card->atr.speed : choose_speed(ccid, &card->atr);
    if (op->no_pps)
        card->speed = ATR_SPEED_DEFAULT;
    if (card->atr.specific || op->no_pps || has_feature(ccid, CCID_FEATURE_AUTO_PPS) ||
        (card->protocol == card->atr.first && card->speed == ATR_SPEED_DEFAULT))
        set_parameters(ccid, op);
    else
        ccid_exchange(ccid, op, CCID_XFR_BLOCK, NULL, pps,
                      atr_pps_put(card->protocol, card->speed, pps), on_pps, on_pps_failed);
}
