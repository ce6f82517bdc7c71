#include <string.h>

#include "ccid_internal.h"

/* ISO 7816-3, 6.2.1: the lowest class first, so that no card is harmed. */
static const struct {
    uint8_t support; /* in bVoltageSupport */
    uint8_t select;  /* bPowerSelect */
} voltages[] = {
    {0x04, 3}, /* 1.8 V */
    {0x02, 2}, /* 3 V */
    {0x01, 1}, /* 5 V */
};

#define VOLTAGE_COUNT (sizeof(voltages) / sizeof(voltages[0]))

static void try_voltage(struct ccid *ccid, struct ccid_operation *op);
static void power_automatically(struct ccid *ccid, struct ccid_operation *op);

static bool chooses_voltage(const struct ccid *ccid)
{
    return (ccid->place.info.features & CCID_FEATURE_AUTO_VOLTAGE) != 0;
}

void ccid_power_ready(struct ccid *ccid, struct ccid_operation *op)
{
    struct ccid_slot *slot = &ccid->slots[op->slot];

    slot->powered = true;
    ccid_end(ccid, op, CCID_OK, slot->atr, slot->atr_len);
}

static void on_atr(struct ccid *ccid, struct ccid_operation *op, const struct ccid_answer *answer)
{
    struct ccid_slot *slot = &ccid->slots[op->slot];

    if (answer->len < ATR_MIN || answer->len > ATR_MAX ||
        (answer->data[0] != 0x3b && answer->data[0] != 0x3f)) {
        ccid_end(ccid, op, CCID_CARD_ERROR, NULL, 0);
        return;
    }
    memcpy(slot->atr, answer->data, answer->len);
    slot->atr_len = answer->len;
    if (ccid->level->powered != NULL)
        ccid->level->powered(ccid, op);
    else
        ccid_power_ready(ccid, op);
}

static void on_off_before_next(struct ccid *ccid, struct ccid_operation *op,
                               const struct ccid_answer *answer)
{
    (void)answer;
    try_voltage(ccid, op);
}

static void power_failed(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    bool voltage_matters = result == CCID_MUTE || result == CCID_CARD_ERROR ||
                           result == CCID_CARD_UNSUPPORTED || result == CCID_READER_ERROR;

    /* A mute card says least: what another voltage brought to light is the better word. */
    if (op->worst == CCID_OK || op->worst == CCID_MUTE)
        op->worst = result;
    if (!voltage_matters || op->voltage >= VOLTAGE_COUNT) {
        ccid_end(ccid, op, voltage_matters ? op->worst : result, NULL, 0);
        return;
    }
    ccid_exchange(ccid, op, CCID_POWER_OFF, NULL, NULL, 0, on_off_before_next, NULL);
}

static void on_off_before_again(struct ccid *ccid, struct ccid_operation *op,
                                const struct ccid_answer *answer)
{
    (void)answer;
    if (chooses_voltage(ccid)) {
        power_automatically(ccid, op);
    } else {
        op->voltage--;
        try_voltage(ccid, op);
    }
}

static void on_unusable_off(struct ccid *ccid, struct ccid_operation *op,
                            const struct ccid_answer *answer)
{
    (void)answer;
    power_failed(ccid, op, op->unusable);
}

static void on_unusable_off_failed(struct ccid *ccid, struct ccid_operation *op,
                                   enum ccid_result result)
{
    power_failed(ccid, op, result == CCID_NO_CARD ? result : op->unusable);
}

void ccid_power_unusable(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    op->unusable = result;
    ccid_exchange(ccid, op, CCID_POWER_OFF, NULL, NULL, 0, on_unusable_off, on_unusable_off_failed);
}

void ccid_power_again(struct ccid *ccid, struct ccid_operation *op)
{
    ccid_exchange(ccid, op, CCID_POWER_OFF, NULL, NULL, 0, on_off_before_again, NULL);
}

static void try_voltage(struct ccid *ccid, struct ccid_operation *op)
{
    uint8_t specific[3] = {0, 0, 0};

    while (op->voltage < VOLTAGE_COUNT &&
           (ccid->place.info.voltages & voltages[op->voltage].support) == 0)
        op->voltage++;
    if (op->voltage >= VOLTAGE_COUNT) {
        /* The last one that was tried ended by itself: there is another only if none fits at all.
         */
        ccid_end_later(ccid, op, op->worst != CCID_OK ? op->worst : CCID_READER_ERROR);
        return;
    }
    specific[0] = voltages[op->voltage++].select;
    ccid_exchange(ccid, op, CCID_POWER_ON, specific, NULL, 0, on_atr, power_failed);
}

static void power_automatically(struct ccid *ccid, struct ccid_operation *op)
{
    static const uint8_t automatic[3] = {0, 0, 0};

    op->voltage = VOLTAGE_COUNT;
    ccid_exchange(ccid, op, CCID_POWER_ON, automatic, NULL, 0, on_atr, power_failed);
}

void ccid_power_on_begin(struct ccid *ccid, struct ccid_operation *op)
{
    ccid->slots[op->slot].powered = false;
    if (chooses_voltage(ccid))
        power_automatically(ccid, op);
    else
        try_voltage(ccid, op);
}

static void on_off(struct ccid *ccid, struct ccid_operation *op, const struct ccid_answer *answer)
{
    (void)answer;
    ccid_end(ccid, op, CCID_OK, NULL, 0);
}

void ccid_power_off_begin(struct ccid *ccid, struct ccid_operation *op)
{
    ccid->slots[op->slot].powered = false;
    ccid_exchange(ccid, op, CCID_POWER_OFF, NULL, NULL, 0, on_off, NULL);
}

static void on_status(struct ccid *ccid, struct ccid_operation *op,
                      const struct ccid_answer *answer)
{
    ccid_end(ccid, op, answer->icc == CCID_ICC_ABSENT ? CCID_NO_CARD : CCID_OK, NULL, 0);
}

/* "Mute" is no failure of a question about presence: the slot's state stands beside it. */
static void on_status_failed(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    if (result == CCID_MUTE)
        result = ccid->slots[op->slot].present ? CCID_OK : CCID_NO_CARD;
    ccid_end(ccid, op, result, NULL, 0);
}

void ccid_status_begin(struct ccid *ccid, struct ccid_operation *op)
{
    /* The answer is about now: an empty slot is no removal during this operation. */
    op->had_card = false;
    ccid_exchange(ccid, op, CCID_GET_SLOT_STATUS, NULL, NULL, 0, on_status, on_status_failed);
}
