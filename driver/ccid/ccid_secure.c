/*
 * A PIN keyed in at the reader itself: the reader puts it into the command and sends that to the
 * card; the host never sees it. Source: CCID 1.1, 6.1.11 (PC_to_RDR_Secure, PIN verification).
 */
#include <string.h>

#include "ccid_internal.h"
#include "daemon/common/bytes.h"
#include "daemon/common/clock.h"

#define OPERATION_VERIFY 0x00u
/* Digits stand from the first byte behind Lc (in bytes), left-justified, as ASCII. */
#define FORMAT_ASCII_FIRST 0x82u
/* The digits' number is nowhere in the command. */
#define LENGTH_NOWHERE 0x00u
/* The entry ends with the reader's OK key, so that a slip can still be corrected. */
#define VALID_BY_KEY 0x02u
#define MESSAGES_DEFAULT 0xffu
#define LANGUAGE_JAPANESE 0x0411u

#define STRUCTURE_BYTES 15u
#define APDU_HEADER 5u

/* The reader gives up before we do, so that its own word comes. */
#define MARGIN_US (2 * CLOCK_SECOND)
#define ENTRY_SECONDS_MAX 60u

static uint8_t entry_seconds(const struct ccid *ccid, const struct ccid_operation *op)
{
    uint64_t left = clock_left_us(ccid->clock, op->deadline_us);
    uint64_t seconds = left > MARGIN_US ? (left - MARGIN_US) / CLOCK_SECOND : 0;

    if (seconds > ENTRY_SECONDS_MAX)
        seconds = ENTRY_SECONDS_MAX;
    /* 0 would be the reader's own choice. */
    return seconds > 0 ? (uint8_t)seconds : 1;
}

static bool speaks_t1(const struct ccid *ccid, const struct ccid_operation *op)
{
    return ccid->level->level == CCID_LEVEL_TPDU && ccid->slots[op->slot].card.protocol == 1;
}

static void on_entered(struct ccid *ccid, struct ccid_operation *op,
                       const struct ccid_answer *answer)
{
    if (speaks_t1(ccid, op))
        ccid_t1_go_on(ccid, op,
                      t1_received(&ccid->slots[op->slot].card.t1, answer->data, answer->len));
    else
        ccid_end_with_response(ccid, op, answer->data, answer->len);
}

static void on_not_entered(struct ccid *ccid, struct ccid_operation *op, enum ccid_result result)
{
    struct t1 *t1 = &ccid->slots[op->slot].card.t1;

    if (!speaks_t1(ccid, op)) {
        ccid_end(ccid, op, result, NULL, 0);
    } else if (result == CCID_MUTE || result == CCID_CARD_ERROR) {
        /* It was sent; the answer may still be fetched. */
        ccid_t1_go_on(ccid, op, t1_nothing(t1, result == CCID_CARD_ERROR));
    } else {
        t1_command_unsent(t1);
        ccid_end(ccid, op, result, NULL, 0);
    }
}

void ccid_verify_pin_begin(struct ccid *ccid, struct ccid_operation *op)
{
    struct ccid_slot *slot = &ccid->slots[op->slot];
    uint8_t digits = (uint8_t)(op->command_len - APDU_HEADER);
    uint8_t prologue[T1_PROLOGUE] = {0};
    uint8_t bytes[STRUCTURE_BYTES + APDU_HEADER + CCID_PIN_DIGITS_MAX];
    struct bytes_writer w;

    if (!slot->powered) {
        ccid_end_later(ccid, op, slot->present ? CCID_NOT_POWERED : CCID_NO_CARD);
        return;
    }
    if (speaks_t1(ccid, op)) {
        /* The block is the reader's to send, so the card must be in step and take it whole. */
        if (slot->card.t1.phase != T1_IDLE || op->command_len > slot->card.t1.ifsc) {
            ccid_end_later(ccid, op, CCID_CARD_ERROR);
            return;
        }
        t1_command_outside(&slot->card.t1, op->command_len, prologue);
    }
    bytes_writer_init(&w, bytes, sizeof(bytes));
    bytes_put_u8(&w, OPERATION_VERIFY);
    bytes_put_u8(&w, entry_seconds(ccid, op));
    bytes_put_u8(&w, FORMAT_ASCII_FIRST);
    bytes_put_u8(&w, digits); /* the block is as long as the PIN */
    bytes_put_u8(&w, LENGTH_NOWHERE);
    bytes_put_u16le(&w, (uint16_t)(digits << 8 | digits)); /* fewest and most */
    bytes_put_u8(&w, VALID_BY_KEY);
    bytes_put_u8(&w, MESSAGES_DEFAULT);
    bytes_put_u16le(&w, LANGUAGE_JAPANESE);
    bytes_put_u8(&w, 0); /* which message */
    bytes_put(&w, prologue, sizeof(prologue));
    bytes_put(&w, op->command, op->command_len);
    ccid_exchange(ccid, op, CCID_SECURE, NULL, bytes, w.used, on_entered, on_not_entered);
}
