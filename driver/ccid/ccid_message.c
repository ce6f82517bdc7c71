#include "ccid_message.h"

#include <errno.h>
#include <string.h>

#include "daemon/common/bytes.h"

const char *ccid_result_name(enum ccid_result result)
{
    static const char *const names[CCID_RESULT_COUNT] = {
        [CCID_OK] = "ok",
        [CCID_NO_CARD] = "no card",
        [CCID_MUTE] = "mute",
        [CCID_CARD_REMOVED] = "card removed",
        [CCID_CARD_ERROR] = "card error",
        [CCID_CARD_UNSUPPORTED] = "card unsupported",
        [CCID_NOT_POWERED] = "not powered",
        [CCID_BUSY] = "busy",
        [CCID_TIMEOUT] = "timeout",
        [CCID_CANCELLED] = "cancelled",
        [CCID_READER_GONE] = "reader gone",
        [CCID_READER_HELD] = "reader held",
        [CCID_READER_ERROR] = "reader error",
        [CCID_PROTOCOL] = "protocol",
        [CCID_INVALID] = "invalid",
        [CCID_PIN_CANCELLED] = "pin cancelled",
        [CCID_PIN_TIMEOUT] = "pin timeout",
    };

    return (unsigned)result < CCID_RESULT_COUNT ? names[result] : "unknown";
}

size_t ccid_message_put(const struct ccid_message *message, uint8_t *out, size_t size)
{
    struct bytes_writer w;

    bytes_writer_init(&w, out, size);
    bytes_put_u8(&w, (uint8_t)message->type);
    bytes_put_u32le(&w, (uint32_t)message->len);
    bytes_put_u8(&w, message->slot);
    bytes_put_u8(&w, message->seq);
    bytes_put(&w, message->specific, sizeof(message->specific));
    if (message->len > 0)
        bytes_put(&w, message->data, message->len);
    return w.failed ? 0 : w.used;
}

int ccid_answer_parse(struct ccid_answer *answer, const uint8_t *bytes, size_t len)
{
    struct bytes_reader r;
    uint32_t length;
    uint8_t status;

    memset(answer, 0, sizeof(*answer));
    bytes_reader_init(&r, bytes, len);
    answer->type = bytes_u8(&r);
    length = bytes_u32le(&r);
    answer->slot = bytes_u8(&r);
    answer->seq = bytes_u8(&r);
    status = bytes_u8(&r);
    answer->error = bytes_u8(&r);
    answer->chain = bytes_u8(&r);
    answer->icc = (enum ccid_icc)(status & 3);
    answer->outcome = (enum ccid_outcome)(status >> 6);
    /* QEMU's reader sends its parameters under a length of zero. */
    if (answer->type == CCID_PARAMETERS && length == 0)
        length = (uint32_t)r.left;
    answer->data = bytes_take(&r, length);
    answer->len = length;
    return bytes_done(&r) ? 0 : -EPROTO;
}

uint8_t ccid_answer_type_for(enum ccid_command command)
{
    switch (command) {
    case CCID_POWER_ON:
    case CCID_XFR_BLOCK:
    case CCID_SECURE:
        return CCID_DATA_BLOCK;
    case CCID_SET_PARAMETERS:
    case CCID_GET_PARAMETERS:
        return CCID_PARAMETERS;
    case CCID_POWER_OFF:
    case CCID_GET_SLOT_STATUS:
    case CCID_ABORT:
        break;
    }
    return CCID_SLOT_STATUS;
}

/* bError, 6.2.6. Rows in order; the first whose range holds the byte. */
static const struct {
    uint8_t from, to;
    enum ccid_result result;
} errors[] = {
    {0x00, 0x7f, CCID_READER_ERROR}, /* command not supported; index of a bad byte in it */
    {0x80, 0xbf, CCID_READER_ERROR}, /* reserved, and the maker's own */
    {0xc0, 0xdf, CCID_READER_ERROR},
    {0xe0, 0xe0, CCID_BUSY}, /* slot busy */
    {0xe1, 0xee, CCID_READER_ERROR},
    {0xef, 0xef, CCID_PIN_CANCELLED},
    {0xf0, 0xf0, CCID_PIN_TIMEOUT},
    {0xf1, 0xf1, CCID_READER_ERROR},
    {0xf2, 0xf2, CCID_BUSY},             /* busy with an automatic sequence */
    {0xf3, 0xf3, CCID_NOT_POWERED},      /* protocol deactivated */
    {0xf4, 0xf4, CCID_CARD_ERROR},       /* procedure byte conflict */
    {0xf5, 0xf6, CCID_CARD_UNSUPPORTED}, /* class, protocol of the card */
    {0xf7, 0xf8, CCID_CARD_ERROR},       /* TCK, TS of the ATR */
    {0xf9, 0xfa, CCID_READER_ERROR},
    {0xfb, 0xfb, CCID_READER_ERROR}, /* hardware */
    {0xfc, 0xfd, CCID_CARD_ERROR},   /* overrun, parity */
    {0xfe, 0xfe, CCID_MUTE},
    {0xff, 0xff, CCID_CANCELLED}, /* aborted */
};

enum ccid_result ccid_answer_result(const struct ccid_answer *answer)
{
    /* What the card owed is given out empty by a reader that has lost it meanwhile (QEMU's, for
     * one). */
    if (answer->outcome == CCID_DONE)
        return answer->type == CCID_DATA_BLOCK && answer->len == 0 && answer->icc == CCID_ICC_ABSENT
                   ? CCID_NO_CARD
                   : CCID_OK;
    if (answer->outcome != CCID_FAILED)
        return CCID_PROTOCOL;
    if (answer->icc == CCID_ICC_ABSENT)
        return CCID_NO_CARD;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (answer->error >= errors[i].from && answer->error <= errors[i].to)
            return errors[i].result;
    return CCID_READER_ERROR;
}

bool ccid_notify_is_hardware(const uint8_t *bytes, size_t len)
{
    return len >= 1 && bytes[0] == CCID_NOTIFY_HARDWARE;
}

bool ccid_notify_covers(const uint8_t *bytes, size_t len, unsigned slots)
{
    return len >= 1 + (slots + 3) / 4 && bytes[0] == CCID_NOTIFY_SLOT_CHANGE;
}

bool ccid_notify_slot(const uint8_t *bytes, size_t len, unsigned slot, bool *present, bool *changed)
{
    size_t at = 1 + slot / 4;
    unsigned bits;

    if (len < 1 || bytes[0] != CCID_NOTIFY_SLOT_CHANGE || at >= len)
        return false;
    bits = (unsigned)bytes[at] >> (slot % 4 * 2) & 3;
    *present = (bits & 1) != 0;
    *changed = (bits & 2) != 0;
    return true;
}
