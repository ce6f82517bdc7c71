/*
 * CCID Rev 1.1 as the readers in the field speak it (Sony RC-S300: extended APDU level, messages
 * of 522 bytes at most, so that longer APDUs are chained both ways).
 */
#include "ccid.h"

#include "apdu.h"
#include "ccid_impl.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void transfer_extended(struct ccid *c, const uint8_t *msg, size_t len);
static void transfer_short(struct ccid *c, const uint8_t *msg, size_t len);

static const struct ccid_level levels[] = {
    /* automatic parameters, activation, voltage, clock, baud, PPS; extended APDU exchange */
    {"extended", 0x0004007E, 522, 2, 254, 1, 0, {0}, transfer_extended},
    {"short", 0x0002007E, 271, 2, 254, 1, 0, {0}, transfer_short},
    /* as ACS ACR39U: parameters from the ATR, clock, baud, PPS by itself */
    {"tpdu-t1", 0x000100B2, 271, 2, 247, 1, 0x11, {0}, sim_ccid_transfer_tpdu},
    /* as SCR3310; the ATR of a card that offers T=0 only */
    {"tpdu-t0",
     0x000101BA,
     271,
     1,
     252,
     0,
     0x11,
     {4, 0x3B, 0x60, 0x00, 0xFF},
     sim_ccid_transfer_tpdu},
    /* nothing by itself but clock and baud; a card that begins with T=0 and is faster on request */
    {"tpdu-bare",
     0x00010030,
     271,
     2,
     254,
     1,
     0x95,
     {10, 0x3B, 0xF0, 0x95, 0x00, 0xFF, 0x80, 0x31, 0xFE, 0x45, 0x90},
     sim_ccid_transfer_tpdu},
};

const struct ccid_level *sim_ccid_level_find(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT(levels); i++)
        if (strcmp(levels[i].name, name) == 0)
            return &levels[i];
    return NULL;
}

void sim_ccid_descriptor(const struct ccid_level *level, bool pin_pad, uint8_t d[CCID_DESCRIPTOR])
{
    memset(d, 0, CCID_DESCRIPTOR);
    d[0] = CCID_DESCRIPTOR;
    d[1] = 0x21;
    util_put_le16(d + 2, 0x0110);
    d[5] = 0x07;                            /* 5, 3, 1.8 V */
    util_put_le32(d + 6, level->protocols); /* bit 0 T=0, bit 1 T=1 */
    util_put_le32(d + 10, 4000);            /* clock, kHz */
    util_put_le32(d + 14, 4000);
    util_put_le32(d + 19, 10752); /* bps at 4 MHz, F=372, D=1 */
    util_put_le32(d + 23, 344086);
    util_put_le32(d + 28, level->ifsd);
    util_put_le32(d + 40, level->features);
    util_put_le32(d + 44, level->max_message);
    d[48] = 0xff; /* class of GET RESPONSE and ENVELOPE: as the command */
    d[49] = 0xff;
    d[52] = pin_pad ? 1 : 0; /* verification */
    d[53] = 1;               /* one command at a time */
}

struct ccid *sim_ccid_new(const struct ccid_level *level, bool pin_pad, struct faults *faults)
{
    struct ccid *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->level = level;
    c->faults = faults;
    c->pin_pad = pin_pad;
    sim_ccid_set_keys(c, "wait");
    sim_ccid_reset(c);
    return c;
}

void sim_ccid_free(struct ccid **c)
{
    free(*c);
    *c = NULL;
}

static void power_off(struct ccid *c)
{
    c->powered = false;
    c->collecting = false;
    c->response_len = c->response_sent = 0;
    c->parameters_set = c->pps_done = false;
    sim_t1_reset(&c->t1);
    sim_t0_reset(&c->t0);
    if (c->card)
        sim_card_reset(c->card);
}

void sim_ccid_reset(struct ccid *c)
{
    c->in_len = 0;
    c->queued = 0;
    c->abort_control = c->abort_bulk = -1;
    c->notice = c->card != NULL;
    c->second_notice = c->second;
    power_off(c);
}

void sim_ccid_add_slot(struct ccid *c)
{
    c->two_slots = true;
}

bool sim_ccid_set_second(struct ccid *c, bool card)
{
    c->second_notice = c->two_slots && (c->second_notice || c->second != card);
    c->second = c->two_slots && card;
    return c->two_slots;
}

void sim_ccid_set_card(struct ccid *c, struct card *card)
{
    power_off(c);
    c->card = card;
    c->muted = false;
    c->torn = false;
    c->notice = true;
    if (card) {
        sim_card_reset(card);
        c->apdus_inserted = 0;
    }
}

struct card *sim_ccid_card(const struct ccid *c)
{
    return c->card;
}

bool sim_ccid_powered(const struct ccid *c)
{
    return c->powered;
}

bool sim_ccid_take_torn(struct ccid *c)
{
    bool torn = c->torn;

    c->torn = false;
    return torn;
}

void sim_ccid_set_trace(struct ccid *c, FILE *trace)
{
    c->trace = trace;
}

uint64_t sim_ccid_apdus_since_insertion(const struct ccid *c)
{
    return c->apdus_inserted;
}

void sim_ccid_set_keys(struct ccid *c, const char *keys)
{
    snprintf(c->keys, sizeof(c->keys), "%s", keys);
}

uint64_t sim_ccid_blocks(const struct ccid *c)
{
    return c->t1.blocks;
}

uint64_t sim_ccid_apdus(const struct ccid *c)
{
    return c->apdus;
}

/* ---- answers --------------------------------------------------------------------------------- */

static unsigned icc_status(const struct ccid *c, unsigned slot)
{
    if (slot == 1)
        return c->second ? 1 : 2;
    return !c->card || c->torn ? 2 : c->powered ? 0 : 1;
}

static struct answer *queue_push(struct ccid *c, const uint8_t *data, size_t len, uint64_t ready_us)
{
    struct answer *a;

    if (c->queued == QUEUE)
        return NULL; /* a host that floods and never reads loses answers */
    a = &c->queue[c->queued++];
    memcpy(a->data, data, len);
    a->len = len;
    a->sent = 0;
    a->ready_us = ready_us;
    return a;
}

void sim_ccid_answer(struct ccid *c, const uint8_t *msg, unsigned type, unsigned status,
                     unsigned error, unsigned specific, const uint8_t *data, size_t len)
{
    const struct fault *f = sim_faults_hit(c->faults, FAULT_AT_ANSWER, 0);
    uint64_t ready = c->now_us + c->slow_us, i;
    uint8_t m[CCID_MESSAGE_MAX];

    c->slow_us = 0;
    m[0] = (uint8_t)type;
    m[5] = msg[5];
    m[6] = msg[6];
    m[7] = (uint8_t)(status | icc_status(c, msg[5]));
    m[8] = (uint8_t)error;
    m[9] = (uint8_t)specific;
    if (f && f->kind == FAULT_SILENT)
        return;
    if (f && f->kind == FAULT_BERROR) {
        m[7] = (uint8_t)(0x40 | icc_status(c, msg[5]));
        m[8] = (uint8_t)f->arg;
        len = 0;
    }
    memcpy(m + HEADER, data ? data : m, len);
    util_put_le32(m + 1, (uint32_t)len + (f && f->kind == FAULT_WRONG_LENGTH ? 7 : 0));
    if (f && f->kind == FAULT_WRONG_SEQ)
        m[6]++;
    if (f && f->kind == FAULT_WRONG_SLOT)
        m[5]++;
    if (f && f->kind == FAULT_EXTEND) {
        uint8_t wait[HEADER] = {
            DATA_BLOCK, 0, 0, 0, 0, msg[5], msg[6], (uint8_t)(0x80 | icc_status(c, msg[5])), 1, 0};

        for (i = 0; i < f->arg && i < QUEUE - 4; i++) {
            queue_push(c, wait, HEADER, ready);
            ready += f->arg2 * 1000;
        }
    }
    if (f && f->kind == FAULT_STALE) {
        uint8_t stale[HEADER] = {(uint8_t)type, 0, 0, 0, 0, msg[5], (uint8_t)(msg[6] - 1), m[7]};

        queue_push(c, stale, HEADER, ready);
    }
    queue_push(c, m, HEADER + len, ready);
    if (f && f->kind == FAULT_TWICE)
        queue_push(c, m, HEADER + len, ready);
}

void sim_ccid_fail(struct ccid *c, const uint8_t *msg, unsigned type, unsigned error)
{
    sim_ccid_answer(c, msg, type, 0x40, error, 0, NULL, 0);
}

/* ---- APDUs ----------------------------------------------------------------------------------- */

static void trace_apdu(const struct ccid *c, const uint8_t *bytes, size_t len)
{
    const uint8_t *sw = c->response + c->response_len - 2;
    uint64_t us = c->now_us;
    struct apdu a;

    if (!c->trace)
        return;
    /* header and lengths only: the data may be a PIN or a verification number */
    if (sim_apdu_parse(&a, bytes, len) < 0)
        a.lc = a.le = 0;
    fprintf(c->trace,
            "%llu.%06llu %s CLA=%02X INS=%02X P1P2=%02X%02X Lc=%zu Le=%zu -> %zu "
            "%02X%02X\n",
            (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
            sim_card_application(c->card), a.cla, a.ins, a.p1, a.p2, a.lc, a.le,
            c->response_len - 2, sw[0], sw[1]);
    fflush(c->trace);
}

bool sim_ccid_run_apdu(struct ccid *c, const uint8_t *apdu, size_t len)
{
    const struct fault *f = sim_faults_hit(c->faults, FAULT_AT_APDU, 0);

    c->apdus++;
    c->apdus_inserted++;
    c->response_sent = 0;
    if (f && (f->kind == FAULT_MUTE || f->kind == FAULT_TORN_IN)) {
        c->muted = true;
        c->torn = f->kind == FAULT_TORN_IN;
        return false;
    }
    if (c->muted)
        return false;
    if (f && f->kind == FAULT_SW) {
        util_put_be16(c->response, (unsigned)f->arg);
        c->response_len = 2;
    } else {
        c->response_len = sim_card_transmit(c->card, apdu, len, c->response);
    }
    trace_apdu(c, apdu, len);
    c->torn_next = f && f->kind == FAULT_TORN;
    if (f && f->kind == FAULT_TORN_LOST)
        c->torn = c->muted = true;
    return !c->muted;
}

void sim_ccid_send_response(struct ccid *c, const uint8_t *msg)
{
    size_t room = c->level->max_message - HEADER, left = c->response_len - c->response_sent, n;
    bool first = c->response_sent == 0, last = left <= room;
    unsigned chain =
        first ? (last ? CHAIN_WHOLE : CHAIN_BEGINS) : (last ? CHAIN_ENDS : CHAIN_CONTINUES);

    n = last ? left : room;
    sim_ccid_answer(c, msg, DATA_BLOCK, 0, 0, chain, c->response + c->response_sent, n);
    c->response_sent += n;
    if (last)
        c->response_len = c->response_sent = 0;
}

static bool collect(struct ccid *c, const uint8_t *data, size_t len)
{
    if (len > sizeof(c->command) - c->command_len) {
        c->collecting = false;
        return false;
    }
    memcpy(c->command + c->command_len, data, len);
    c->command_len += len;
    return true;
}

static void execute_collected(struct ccid *c, const uint8_t *msg)
{
    c->collecting = false;
    if (c->command_len < 4)
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LENGTH);
    else if (sim_ccid_run_apdu(c, c->command, c->command_len))
        sim_ccid_send_response(c, msg);
    else
        sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
}

static void transfer_extended(struct ccid *c, const uint8_t *msg, size_t len)
{
    unsigned level = util_get_le16(msg + 8);
    bool begins = level == CHAIN_WHOLE || level == CHAIN_BEGINS;

    if (level == CHAIN_ASK) {
        if (len > HEADER || c->response_sent == 0)
            sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LEVEL);
        else
            sim_ccid_send_response(c, msg);
        return;
    }
    if (level > CHAIN_CONTINUES || begins == c->collecting) {
        c->collecting = false;
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LEVEL);
        return;
    }
    if (begins) {
        c->response_len = c->response_sent = 0;
        c->command_len = 0;
        c->collecting = true;
    }
    if (!collect(c, msg + HEADER, len - HEADER))
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LENGTH);
    else if (level == CHAIN_WHOLE || level == CHAIN_ENDS)
        execute_collected(c, msg);
    else
        sim_ccid_answer(c, msg, DATA_BLOCK, 0, 0, CHAIN_ASK, NULL, 0);
}

static void transfer_short(struct ccid *c, const uint8_t *msg, size_t len)
{
    const uint8_t *apdu = msg + HEADER;
    size_t n = len - HEADER;

    if (util_get_le16(msg + 8) != 0) {
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LEVEL);
    } else if (n < 4 || n > 261 || (n > 5 && apdu[4] == 0)) {
        /* extended lengths are beyond this reader */
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LENGTH);
    } else {
        c->command_len = 0;
        collect(c, apdu, n);
        execute_collected(c, msg);
    }
}

/* ---- commands -------------------------------------------------------------------------------- */

static void do_power_on(struct ccid *c, const uint8_t *msg, size_t len)
{
    uint8_t atr[CARD_ATR_MAX];
    size_t n;

    (void)len;
    if (msg[7] > 3) {
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_BYTE7);
        return;
    }
    power_off(c);
    n = c->card && !c->torn && !c->muted ? sim_card_atr(c->card, atr) : 0;
    if (n && c->level->atr[0]) {
        n = c->level->atr[0];
        memcpy(atr, c->level->atr + 1, n);
    }
    c->powered = n > 0;
    if (c->powered)
        sim_ccid_answer(c, msg, DATA_BLOCK, 0, 0, 0, atr, n);
    else
        sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
}

static void do_power_off(struct ccid *c, const uint8_t *msg, size_t len)
{
    (void)len;
    power_off(c);
    sim_ccid_answer(c, msg, SLOT_STATUS, 0, 0, 1, NULL, 0);
}

static void do_slot_status(struct ccid *c, const uint8_t *msg, size_t len)
{
    (void)len;
    sim_ccid_answer(c, msg, SLOT_STATUS, 0, 0, c->powered ? 0 : 1, NULL, 0);
}

static void do_transfer(struct ccid *c, const uint8_t *msg, size_t len)
{
    if (!c->card || c->torn || !c->powered)
        sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
    else
        c->level->transfer(c, msg, len);
    if (c->torn_next) { /* the answer still left with a card in the slot */
        c->torn_next = false;
        c->torn = true;
    }
}

/* The T=1 parameters of the card; this reader negotiates them by itself. */
static void do_parameters(struct ccid *c, const uint8_t *msg, size_t len)
{
    static const uint8_t t1[7] = {0x11, 0x10, 0xFF, 0x45, 0x00, 0xFE, 0x00};

    if (!c->powered)
        sim_ccid_fail(c, msg, PARAMETERS, E_MUTE);
    else if (c->level->transfer == sim_ccid_transfer_tpdu)
        sim_ccid_tpdu_parameters(c, msg, len);
    else if (msg[0] == SET_PARAMETERS && (msg[7] != 1 || len != HEADER + sizeof(t1)))
        sim_ccid_fail(c, msg, PARAMETERS, E_BAD_BYTE7);
    else
        sim_ccid_answer(c, msg, PARAMETERS, 0, 0, 1, t1, sizeof(t1));
}

static void do_clock(struct ccid *c, const uint8_t *msg, size_t len)
{
    (void)len;
    sim_ccid_answer(c, msg, SLOT_STATUS, 0, 0, 0, NULL, 0);
}

static void do_data_rate(struct ccid *c, const uint8_t *msg, size_t len)
{
    uint8_t rates[8];

    if (len != HEADER + sizeof(rates)) {
        sim_ccid_fail(c, msg, DATA_RATE, E_BAD_LENGTH);
        return;
    }
    util_put_le32(rates, 4000);
    util_put_le32(rates + 4, 10752);
    sim_ccid_answer(c, msg, DATA_RATE, 0, 0, 0, rates, sizeof(rates));
}

static void finish_abort(struct ccid *c, const uint8_t *msg)
{
    c->abort_control = c->abort_bulk = -1;
    c->queued = 0;
    c->collecting = false;
    c->response_len = c->response_sent = 0;
    sim_ccid_answer(c, msg, SLOT_STATUS, 0, 0, c->powered ? 0 : 1, NULL, 0);
}

static void do_abort(struct ccid *c, const uint8_t *msg, size_t len)
{
    (void)len;
    c->abort_bulk = msg[6];
    if (c->abort_control == c->abort_bulk)
        finish_abort(c, msg);
}

static void do_unsupported(struct ccid *c, const uint8_t *msg, size_t len)
{
    (void)len;
    sim_ccid_fail(c, msg,
                  msg[0] == ESCAPE       ? ESCAPE_ANSWER
                  : msg[0] == MECHANICAL ? SLOT_STATUS
                                         : DATA_BLOCK,
                  E_UNSUPPORTED);
}

static const struct {
    uint8_t type, answer;
    bool carries_data;
    void (*run)(struct ccid *c, const uint8_t *msg, size_t len);
} commands[] = {
    {SET_PARAMETERS, PARAMETERS, true, do_parameters},
    {POWER_ON, DATA_BLOCK, false, do_power_on},
    {POWER_OFF, SLOT_STATUS, false, do_power_off},
    {GET_SLOT_STATUS, SLOT_STATUS, false, do_slot_status},
    {SECURE, DATA_BLOCK, true, sim_ccid_secure},
    {T0_APDU, SLOT_STATUS, true, do_unsupported},
    {ESCAPE, ESCAPE_ANSWER, true, do_unsupported},
    {GET_PARAMETERS, PARAMETERS, false, do_parameters},
    {RESET_PARAMETERS, PARAMETERS, false, do_parameters},
    {ICC_CLOCK, SLOT_STATUS, false, do_clock},
    {XFR_BLOCK, DATA_BLOCK, true, do_transfer},
    {MECHANICAL, SLOT_STATUS, false, do_unsupported},
    {ABORT, SLOT_STATUS, false, do_abort},
    {SET_DATA_RATE, DATA_RATE, true, do_data_rate},
};

static void second_slot(struct ccid *c, const uint8_t *msg, unsigned answer)
{
    if (msg[0] == GET_SLOT_STATUS || msg[0] == POWER_OFF)
        sim_ccid_answer(c, msg, SLOT_STATUS, 0, 0, 1, NULL, 0);
    else
        sim_ccid_fail(c, msg, answer, E_MUTE);
}

static bool busy(const struct ccid *c)
{
    return c->queued > 0 && c->queue[c->queued - 1].ready_us > c->now_us;
}

static void dispatch(struct ccid *c, const uint8_t *msg, size_t len)
{
    size_t i;

    for (i = 0; i < COUNT(commands) && commands[i].type != msg[0]; i++)
        ;
    if (i == COUNT(commands))
        sim_ccid_fail(c, msg, SLOT_STATUS, E_UNSUPPORTED);
    else if (util_get_le32(msg + 1) != len - HEADER || (!commands[i].carries_data && len > HEADER))
        sim_ccid_fail(c, msg, commands[i].answer, E_BAD_LENGTH);
    else if (msg[5] > (c->two_slots ? 1 : 0))
        sim_ccid_fail(c, msg, commands[i].answer, E_BAD_SLOT);
    else if (msg[5] == 1)
        second_slot(c, msg, commands[i].answer);
    else if (c->abort_control >= 0 && msg[0] != ABORT)
        sim_ccid_fail(c, msg, commands[i].answer, E_ABORTED);
    else if (busy(c) && msg[0] != ABORT)
        sim_ccid_fail(c, msg, commands[i].answer, E_BUSY);
    else
        commands[i].run(c, msg, len);
}

int sim_ccid_control(struct ccid *c, uint64_t now_us, const uint8_t setup[8], uint8_t *data,
                     size_t cap)
{
    unsigned value = util_get_le16(setup + 2);

    c->now_us = now_us;
    if (setup[0] == 0x21 && setup[1] == 0x01) { /* ABORT: bSeq in the high byte, slot in the low */
        if ((value & 0xff) != 0)
            return -EPIPE;
        c->abort_control = (int)(value >> 8);
        if (c->abort_bulk == c->abort_control) {
            uint8_t msg[HEADER] = {ABORT, 0, 0, 0, 0, 0, (uint8_t)c->abort_bulk};

            finish_abort(c, msg);
        }
        return 0;
    }
    if (setup[0] == 0xA1 && (setup[1] == 0x02 || setup[1] == 0x03) && cap >= 4) {
        util_put_le32(data, setup[1] == 0x02 ? 4000 : 10752);
        return 4;
    }
    return -EPIPE;
}

int sim_ccid_bulk_out(struct ccid *c, uint64_t now_us, const uint8_t *data, size_t len)
{
    size_t want;

    c->now_us = now_us;
    if (len > c->level->max_message - c->in_len) {
        c->in_len = 0;
        return -EPIPE;
    }
    memcpy(c->in + c->in_len, data, len);
    c->in_len += len;
    if (c->in_len < HEADER) {
        c->in_len = len % PACKET == 0 && len > 0 ? c->in_len : 0;
        return c->in_len ? 0 : -EPIPE;
    }
    want = HEADER + (size_t)util_get_le32(c->in + 1);
    /* a full packet that leaves the message incomplete is followed by more */
    if (c->in_len < want && len > 0 && len % PACKET == 0)
        return 0;
    want = c->in_len;
    c->in_len = 0;
    dispatch(c, c->in, want);
    return 0;
}

bool sim_ccid_ready(const struct ccid *c, uint64_t now_us)
{
    return c->queued > 0 && c->queue[0].ready_us <= now_us;
}

uint64_t sim_ccid_next_us(const struct ccid *c)
{
    return c->queued > 0 ? c->queue[0].ready_us : UINT64_MAX;
}

int sim_ccid_bulk_in(struct ccid *c, uint64_t now_us, uint8_t *out, size_t cap)
{
    struct answer *a = &c->queue[0];
    size_t n;

    if (!sim_ccid_ready(c, now_us))
        return -EAGAIN;
    n = a->len - a->sent;
    if (n > cap) {
        /* the host took whole packets only: the rest follows; else it asked too little */
        if (cap == 0 || cap % PACKET != 0)
            return -EOVERFLOW;
        n = cap;
    }
    memcpy(out, a->data + a->sent, n);
    a->sent += n;
    if (a->sent == a->len) {
        c->queued--;
        memmove(&c->queue[0], &c->queue[1], c->queued * sizeof(c->queue[0]));
    }
    return (int)n;
}

bool sim_ccid_notice_pending(const struct ccid *c)
{
    return c->notice || c->second_notice;
}

int sim_ccid_interrupt_in(struct ccid *c, uint8_t *out, size_t cap)
{
    if (!sim_ccid_notice_pending(c))
        return -EAGAIN;
    if (cap < 2)
        return -EOVERFLOW;
    out[0] = NOTIFY_SLOT_CHANGE;
    out[1] = (uint8_t)((c->notice ? 2 : 0) | (c->card && !c->torn ? 1 : 0) |
                       (c->second_notice ? 8 : 0) | (c->second ? 4 : 0));
    c->notice = c->second_notice = false;
    return 2;
}
