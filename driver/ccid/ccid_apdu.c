/*
 * Readers that exchange whole APDUs: the reader speaks T=0 or T=1 with the card by itself.
 *
 * At the extended level an APDU may be longer than one message and is then sent, and its answer
 * received, in blocks (CCID 1.1, 6.1.4 and 6.2.1). The short level knows neither extended lengths
 * nor blocks.
 */
#include "ccid_internal.h"

#define SHORT_COMMAND_MAX 261u /* header, Lc, 255 bytes, Le */

static const struct ccid_level_row levels[] = {
    {CCID_LEVEL_TPDU, "TPDU", ccid_tpdu_transmit, ccid_tpdu_powered},
    {CCID_LEVEL_SHORT_APDU, "short APDU", ccid_short_apdu_transmit, NULL},
    {CCID_LEVEL_EXTENDED_APDU, "extended APDU", ccid_extended_apdu_transmit, NULL},
};

const struct ccid_level_row *ccid_level_find(enum ccid_level level)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (levels[i].level == level)
            return &levels[i];
    return NULL;
}

void ccid_transmit_begin(struct ccid *ccid, struct ccid_operation *op)
{
    const struct ccid_slot *slot = &ccid->slots[op->slot];

    if (!slot->powered) {
        ccid_end_later(ccid, op, slot->present ? CCID_NOT_POWERED : CCID_NO_CARD);
        return;
    }
    ccid->level->transmit(ccid, op);
}

/* Not what belongs here: the reader may have more of it. */
static void end_astray(struct ccid *ccid, struct ccid_operation *op)
{
    ccid->out_of_step = true;
    ccid_end(ccid, op, CCID_PROTOCOL, NULL, 0);
}

void ccid_end_with_response(struct ccid *ccid, struct ccid_operation *op, const uint8_t *data,
                            size_t len)
{
    /* SW1 SW2 at least, or the card has not answered. */
    if (len < 2)
        ccid_end(ccid, op, CCID_PROTOCOL, NULL, 0);
    else
        ccid_end(ccid, op, CCID_OK, data, len);
}

static void on_short_response(struct ccid *ccid, struct ccid_operation *op,
                              const struct ccid_answer *answer)
{
    ccid_end_with_response(ccid, op, answer->data, answer->len);
}

/* Extended lengths begin with a zero byte where a short Lc or Le would be followed by something
 * else. */
static bool is_extended(const struct ccid_operation *op)
{
    return op->command_len >= 7 && op->command[4] == 0;
}

void ccid_short_apdu_transmit(struct ccid *ccid, struct ccid_operation *op)
{
    if (op->command_len > SHORT_COMMAND_MAX || is_extended(op)) {
        ccid_end_later(ccid, op, CCID_INVALID);
        return;
    }
    ccid_exchange(ccid, op, CCID_XFR_BLOCK, NULL, op->command, op->command_len, on_short_response,
                  NULL);
}

static void send_block(struct ccid *ccid, struct ccid_operation *op);

static void on_block(struct ccid *ccid, struct ccid_operation *op, const struct ccid_answer *answer)
{
    static const uint8_t go_on[3] = {0, CCID_CHAIN_MORE, 0};

    switch (answer->chain) {
    case CCID_CHAIN_WHOLE:
    case CCID_CHAIN_ENDS:
        if (op->response == NULL) {
            ccid_end_with_response(ccid, op, answer->data, answer->len);
        } else if (ccid_response_add(op, answer->data, answer->len)) {
            ccid_end_with_response(ccid, op, op->response, op->response_len);
        } else {
            end_astray(ccid, op);
        }
        return;
    case CCID_CHAIN_BEGINS:
    case CCID_CHAIN_CONTINUES:
        if (ccid_response_add(op, answer->data, answer->len))
            ccid_exchange(ccid, op, CCID_XFR_BLOCK, go_on, NULL, 0, on_block, NULL);
        else
            end_astray(ccid, op);
        return;
    default:
        /* "Go on", though the whole command has been sent; or a number that does not exist. */
        end_astray(ccid, op);
    }
}

static void on_block_taken(struct ccid *ccid, struct ccid_operation *op,
                           const struct ccid_answer *answer)
{
    if (answer->chain == CCID_CHAIN_MORE && answer->len == 0)
        send_block(ccid, op);
    else
        end_astray(ccid, op);
}

static void send_block(struct ccid *ccid, struct ccid_operation *op)
{
    size_t room = ccid_block_bytes(ccid);
    size_t left = op->command_len - op->command_sent;
    size_t len = left < room ? left : room;
    bool first = op->command_sent == 0;
    bool last = len == left;
    uint8_t specific[3] = {0, 0, 0};
    const uint8_t *data = op->command + op->command_sent;

    if (first)
        specific[1] = (uint8_t)(last ? CCID_CHAIN_WHOLE : CCID_CHAIN_BEGINS);
    else
        specific[1] = (uint8_t)(last ? CCID_CHAIN_ENDS : CCID_CHAIN_CONTINUES);
    op->command_sent += len;
    ccid_exchange(ccid, op, CCID_XFR_BLOCK, specific, data, len, last ? on_block : on_block_taken,
                  NULL);
}

void ccid_extended_apdu_transmit(struct ccid *ccid, struct ccid_operation *op)
{
    send_block(ccid, op);
}
