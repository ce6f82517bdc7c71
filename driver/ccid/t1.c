#include "t1.h"

#include <string.h>

#include "atr.h"

#define PCB_S 0xc0u
#define PCB_R 0x80u
#define PCB_KIND 0xc0u
#define PCB_I_SEQUENCE 0x40u
#define PCB_I_MORE 0x20u
#define PCB_R_SEQUENCE 0x10u
#define PCB_S_RESPONSE 0x20u

#define S_RESYNCH 0u
#define S_IFS 1u
#define S_ABORT 2u
#define S_WTX 3u

#define ERROR_NONE 0u
#define ERROR_CHECK 1u
#define ERROR_OTHER 2u

/* -- blocks ------------------------------------------------------------------------------------ */

uint16_t t1_crc16(const uint8_t *bytes, size_t len)
{
    unsigned crc = 0xffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0x8408 : crc >> 1;
    }
    return (uint16_t)crc;
}

static size_t epilogue(const struct t1 *t1)
{
    return t1->crc ? 2 : 1;
}

static void put_epilogue(const struct t1 *t1, const uint8_t *block, size_t len, uint8_t out[2])
{
    uint16_t crc;

    if (t1->crc) {
        crc = t1_crc16(block, len);
        out[0] = (uint8_t)(crc >> 8);
        out[1] = (uint8_t)crc;
        return;
    }
    out[0] = 0;
    for (size_t i = 0; i < len; i++)
        out[0] ^= block[i];
}

static enum t1_next send_block(struct t1 *t1, enum t1_kind kind, unsigned pcb, const uint8_t *inf,
                               size_t len)
{
    t1->sent = kind;
    t1->block[0] = 0;
    t1->block[1] = (uint8_t)pcb;
    t1->block[2] = (uint8_t)len;
    if (len > 0)
        memcpy(t1->block + T1_PROLOGUE, inf, len);
    put_epilogue(t1, t1->block, T1_PROLOGUE + len, t1->block + T1_PROLOGUE + len);
    t1->block_len = T1_PROLOGUE + len + epilogue(t1);
    t1->wait = 0;
    return T1_SEND;
}

static enum t1_next send_request(struct t1 *t1, enum t1_phase phase, unsigned type, uint8_t value)
{
    t1->phase = phase;
    return send_block(t1, T1_SENT_REQUEST, PCB_S | type, &value, type == S_IFS ? 1 : 0);
}

static enum t1_next send_ready(struct t1 *t1, unsigned error)
{
    return send_block(t1, T1_SENT_R, PCB_R | (t1->nr != 0 ? PCB_R_SEQUENCE : 0) | error, NULL, 0);
}

/* The part of the command that begins at `at`. */
static enum t1_next send_information(struct t1 *t1)
{
    size_t room = t1->block_max - T1_PROLOGUE - epilogue(t1);
    size_t most = t1->ifsc < room ? t1->ifsc : room;
    size_t left = t1->len - t1->at;
    bool more = left > most;

    t1->piece = more ? most : left;
    t1->complete = !more;
    t1->phase = T1_SENDING;
    return send_block(t1, T1_SENT_I, (t1->ns != 0 ? PCB_I_SEQUENCE : 0) | (more ? PCB_I_MORE : 0),
                      t1->command + t1->at, t1->piece);
}

static enum t1_next resynchronise(struct t1 *t1);

/* -- beginnings and ends ----------------------------------------------------------------------- */

static void at_reset(struct t1 *t1)
{
    t1->ifsc = t1->card_ifs;
    t1->ifsd = t1->ifs_settled ? t1->own_ifs_wanted : T1_IFS_DEFAULT;
    t1->ns = t1->nr = 0;
}

void t1_init(struct t1 *t1, uint8_t ifsc, bool crc, uint32_t ifsd, bool settled, size_t block_max)
{
    size_t room;

    memset(t1, 0, sizeof(*t1));
    t1->crc = crc;
    t1->card_ifs = ifsc;
    t1->block_max = block_max < T1_BLOCK_MAX ? block_max : T1_BLOCK_MAX;
    room = t1->block_max - T1_PROLOGUE - epilogue(t1);
    if (ifsd > room)
        ifsd = (uint32_t)room;
    t1->own_ifs_wanted = ifsd > T1_IFS_DEFAULT ? (uint8_t)ifsd : (uint8_t)T1_IFS_DEFAULT;
    t1->ifs_settled = settled;
    at_reset(t1);
}

static enum t1_next end(struct t1 *t1, enum t1_next outcome)
{
    t1->phase = T1_IDLE;
    t1->command = NULL;
    t1->outside = false;
    return outcome;
}

static bool wants_ifs(const struct t1 *t1)
{
    return t1->ifsd != t1->own_ifs_wanted && !t1->ifs_refused;
}

static void forget_part(struct t1 *t1)
{
    t1->part = NULL;
    t1->part_len = 0;
    t1->drop = false;
}

/* After what had to be settled first. */
static enum t1_next go_on(struct t1 *t1)
{
    t1->errors = 0;
    if (t1->command == NULL)
        return end(t1, T1_DONE);
    return send_information(t1);
}

enum t1_next t1_start(struct t1 *t1)
{
    forget_part(t1);
    t1->errors = t1->resynchs = 0;
    t1->complete = false;
    if (wants_ifs(t1))
        return send_request(t1, T1_ASK_IFS, S_IFS, t1->own_ifs_wanted);
    return go_on(t1);
}

enum t1_next t1_command(struct t1 *t1, const uint8_t *apdu, size_t len)
{
    t1->command = apdu;
    t1->len = len;
    t1->at = 0;
    if (t1->phase != T1_IDLE) {
        /* The last one was left in the middle: nobody knows what the card waits for. */
        forget_part(t1);
        t1->complete = t1->outside = false;
        t1->resynchs = 0;
        return resynchronise(t1);
    }
    return t1_start(t1);
}

void t1_command_outside(struct t1 *t1, size_t len, uint8_t prologue[T1_PROLOGUE])
{
    forget_part(t1);
    t1->errors = t1->resynchs = 0;
    t1->outside = t1->complete = true;
    t1->phase = T1_SENDING;
    t1->sent = T1_SENT_I;
    prologue[0] = 0;
    prologue[1] = t1->ns != 0 ? PCB_I_SEQUENCE : 0;
    prologue[2] = (uint8_t)len;
}

void t1_command_unsent(struct t1 *t1)
{
    (void)end(t1, T1_DONE);
}

void t1_wipe(struct t1 *t1)
{
    explicit_bzero(t1->block, sizeof(t1->block));
    forget_part(t1);
}

/* -- when something goes wrong ----------------------------------------------------------------- */

static enum t1_next resynchronise(struct t1 *t1)
{
    t1->errors = 0;
    if (++t1->resynchs > 1)
        return end(t1, T1_DEAD);
    return send_request(t1, T1_RESYNCH, S_RESYNCH, 0);
}

/* A card that cannot be asked how long its blocks may be keeps to the default. */
static enum t1_next repair(struct t1 *t1)
{
    if (t1->phase == T1_RESYNCH)
        return end(t1, T1_DEAD);
    if (t1->phase == T1_ASK_IFS)
        t1->ifs_refused = true;
    return resynchronise(t1);
}

/* Rule 7: what cannot be right is asked for again. */
static enum t1_next again(struct t1 *t1, unsigned error)
{
    if (++t1->errors > T1_TRIES)
        return repair(t1);
    switch (t1->sent) {
    case T1_SENT_R: /* 7.2 */
    case T1_SENT_REQUEST:
        /* 7.3; both stand in `block` still. */
        t1->wait = 0;
        return T1_SEND;
    case T1_SENT_I: /* 7.1 */
    case T1_SENT_RESPONSE:
        break;
    }
    return send_ready(t1, error);
}

enum t1_next t1_nothing(struct t1 *t1, bool damaged)
{
    forget_part(t1);
    if (t1->phase == T1_GIVEN_UP_BY_CARD)
        return end(t1, T1_ABORTED);
    return again(t1, damaged ? ERROR_CHECK : ERROR_OTHER);
}

/* -- what comes -------------------------------------------------------------------------------- */

static enum t1_next on_information(struct t1 *t1, unsigned pcb, const uint8_t *inf, size_t len)
{
    uint8_t sequence = (pcb & PCB_I_SEQUENCE) != 0;
    bool more = (pcb & PCB_I_MORE) != 0;
    bool expected = t1->phase == T1_RECEIVING || t1->phase == T1_GIVEN_UP_BY_CARD ||
                    (t1->phase == T1_SENDING && t1->complete);

    if (!expected || sequence != t1->nr || (pcb & 0x1f) != 0)
        return again(t1, ERROR_OTHER);
    /* It answers our last block by this. */
    if (t1->phase == T1_SENDING)
        t1->ns ^= 1;
    t1->drop = t1->phase == T1_GIVEN_UP_BY_CARD;
    t1->nr ^= 1;
    t1->errors = 0;
    t1->part = inf;
    t1->part_len = len;
    if (!more)
        return end(t1, T1_DONE);
    t1->phase = T1_RECEIVING;
    return send_ready(t1, ERROR_NONE);
}

static enum t1_next on_ready(struct t1 *t1, unsigned pcb, size_t len)
{
    uint8_t sequence = (pcb & PCB_R_SEQUENCE) != 0;

    if ((pcb & 0x2c) != 0 || len != 0)
        return again(t1, ERROR_OTHER);
    switch (t1->phase) {
    case T1_GIVEN_UP_BY_CARD:
        /* It names the block that it waits for. */
        t1->ns = sequence;
        return end(t1, T1_ABORTED);
    case T1_SENDING:
        if (sequence == t1->ns) {
            /* Rule 7.1 from its side: our block did not arrive as it was. */
            if (++t1->errors > T1_TRIES)
                return repair(t1);
            if (t1->outside)
                return end(t1, T1_LOST);
            return send_information(t1);
        }
        if (t1->complete)
            return again(t1, ERROR_OTHER);
        t1->ns ^= 1;
        t1->at += t1->piece;
        t1->errors = 0;
        return send_information(t1);
    default:
        /* While it answers, this can only mean that our last word did not arrive. */
        return again(t1, ERROR_OTHER);
    }
}

static enum t1_next on_resynchronised(struct t1 *t1)
{
    at_reset(t1);
    /* Not sent completely: the card cannot have begun with it. */
    if (t1->command != NULL && !t1->complete) {
        t1->at = 0;
        t1->errors = 0;
        if (wants_ifs(t1))
            return send_request(t1, T1_ASK_IFS, S_IFS, t1->own_ifs_wanted);
        return send_information(t1);
    }
    return end(t1, t1->command != NULL || t1->outside ? T1_LOST : T1_DONE);
}

static enum t1_next on_response(struct t1 *t1, unsigned type, const uint8_t *inf, size_t len)
{
    if (t1->sent != T1_SENT_REQUEST)
        return again(t1, ERROR_OTHER);
    if (t1->phase == T1_RESYNCH && type == S_RESYNCH && len == 0)
        return on_resynchronised(t1);
    if (t1->phase == T1_ASK_IFS && type == S_IFS && len == 1 && inf[0] == t1->own_ifs_wanted) {
        t1->ifsd = t1->own_ifs_wanted;
        return go_on(t1);
    }
    return again(t1, ERROR_OTHER);
}

static enum t1_next on_request(struct t1 *t1, unsigned type, const uint8_t *inf, size_t len)
{
    unsigned pcb = PCB_S | PCB_S_RESPONSE | type;
    enum t1_next next;

    /* While we ask for something ourselves, the card's turn is to answer it. */
    if (t1->sent == T1_SENT_REQUEST)
        return again(t1, ERROR_OTHER);
    if (type == S_WTX && len == 1 && inf[0] != 0) {
        next = send_block(t1, T1_SENT_RESPONSE, pcb, inf, 1);
        t1->wait = inf[0];
        t1->errors = 0;
        return next;
    }
    if (type == S_IFS && len == 1 && inf[0] >= 1 && inf[0] <= T1_IFS_MAX) {
        t1->ifsc = inf[0];
        t1->errors = 0;
        return send_block(t1, T1_SENT_RESPONSE, pcb, inf, 1);
    }
    if (type == S_ABORT && len == 0) {
        /* Rule 9: whatever was half done, on either side, is void. */
        if (t1->phase == T1_SENDING)
            t1->ns ^= 1;
        t1->phase = T1_GIVEN_UP_BY_CARD;
        t1->errors = 0;
        return send_block(t1, T1_SENT_RESPONSE, pcb, NULL, 0);
    }
    return again(t1, ERROR_OTHER);
}

enum t1_next t1_received(struct t1 *t1, const uint8_t *block, size_t len)
{
    size_t tail = epilogue(t1);
    uint8_t check[2];
    const uint8_t *inf = block + T1_PROLOGUE;
    size_t inf_len;
    unsigned pcb;

    forget_part(t1);
    if (t1->phase == T1_IDLE)
        return end(t1, T1_DEAD);
    if (len < T1_PROLOGUE + tail)
        return again(t1, ERROR_OTHER);
    put_epilogue(t1, block, len - tail, check);
    if (memcmp(block + len - tail, check, tail) != 0)
        return again(t1, ERROR_CHECK);
    inf_len = block[2];
    pcb = block[1];
    if (block[0] != 0 || inf_len > t1->ifsd || inf_len != len - T1_PROLOGUE - tail)
        return again(t1, ERROR_OTHER);
    if ((pcb & 0x80) == 0)
        return on_information(t1, pcb, inf, inf_len);
    if ((pcb & PCB_KIND) == PCB_R)
        return on_ready(t1, pcb, inf_len);
    if ((pcb & 0x1f) > S_WTX)
        return again(t1, ERROR_OTHER);
    if ((pcb & PCB_S_RESPONSE) != 0)
        return on_response(t1, pcb & 0x1f, inf, inf_len);
    return on_request(t1, pcb & 0x1f, inf, inf_len);
}
