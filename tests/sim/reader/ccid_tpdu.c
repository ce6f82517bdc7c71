/*
 * The TPDU level: the host speaks T=1 or T=0 with the card, after it has told reader and card how.
 * And the reader's own keys (PC_to_RDR_Secure), at every level.
 */
#include "ccid_impl.h"

#include "pin_pad.h"
#include "util.h"

#include <string.h>

/* ---- TPDU ------------------------------------------------------------------------------------ */

static size_t run_for_tpdu(void *arg, const uint8_t *apdu, size_t len, const uint8_t **response)
{
    struct ccid *c = arg;

    if (len < 4 || !sim_ccid_run_apdu(c, apdu, len))
        return 0;
    *response = c->response;
    return c->response_len;
}

/* One block or header to the card, its answer to the host. */
static void exchange_tpdu(struct ccid *c, const uint8_t *msg, const uint8_t *data, size_t len)
{
    const struct tpdu_card card = {run_for_tpdu, c};
    uint8_t out[TPDU_ANSWER_MAX];
    size_t n;

    /* A reader that was told another protocol or speed hears nothing but noise. */
    if (!c->parameters_set || c->muted)
        n = 0;
    else if (c->level->protocol == 1)
        n = sim_t1_block(&c->t1, &card, c->faults, data, len, out);
    else
        n = sim_t0_command(&c->t0, &card, data, len, out);
    if (n)
        sim_ccid_answer(c, msg, DATA_BLOCK, 0, 0, 0, out, n);
    else
        sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
    c->response_len = c->response_sent = 0;
}

/* The card's side of a PPS, allowed once and first: it takes what its ATR offers. */
static void transfer_pps(struct ccid *c, const uint8_t *msg, const uint8_t *pps, size_t n)
{
    unsigned want = c->level->protocol | 0x10u;

    c->pps_done = n == 4 && pps[1] == want && pps[2] == c->level->speed &&
                  (pps[0] ^ pps[1] ^ pps[2] ^ pps[3]) == 0;
    if (c->pps_done)
        sim_ccid_answer(c, msg, DATA_BLOCK, 0, 0, 0, pps, n);
    else
        sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
}

void sim_ccid_transfer_tpdu(struct ccid *c, const uint8_t *msg, size_t len)
{
    const uint8_t *data = msg + HEADER;
    size_t n = len - HEADER;

    if (util_get_le16(msg + 8) != 0)
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LEVEL);
    else if (n == 0)
        sim_ccid_fail(c, msg, DATA_BLOCK, E_BAD_LENGTH);
    else if (data[0] == 0xFF && !c->parameters_set && c->level->atr[0])
        transfer_pps(c, msg, data, n);
    else
        exchange_tpdu(c, msg, data, n);
}

/* TPDU: the host says how to speak with the card; what the card does not understand is refused. */
void sim_ccid_tpdu_parameters(struct ccid *c, const uint8_t *msg, size_t len)
{
    static const uint8_t t1[7] = {0x11, 0x10, 0xFF, 0x45, 0x00, 0xFE, 0x00};
    static const uint8_t t0[5] = {0x11, 0x00, 0xFF, 0x0A, 0x00};
    bool one = c->level->protocol == 1;
    const uint8_t *have = one ? t1 : t0;
    size_t n = one ? sizeof(t1) : sizeof(t0), i;
    bool pps = (c->level->features & 0xC0) != 0 || c->pps_done;

    if (msg[0] == SET_PARAMETERS) {
        if (msg[7] != c->level->protocol || len != HEADER + n || !pps) {
            sim_ccid_fail(c, msg, PARAMETERS, E_BAD_BYTE7);
            return;
        }
        for (i = 0; i < n; i++) {
            /* another card than the rig's own may say other waiting times and IFSC */
            bool free_byte = one ? i == 2 || i == 3 || i == 5 : i == 2 || i == 3;

            if (msg[HEADER + i] != (i == 0 ? c->level->speed : have[i]) && !free_byte) {
                sim_ccid_fail(c, msg, PARAMETERS, E_BAD_DATA + (unsigned)i);
                return;
            }
        }
        c->parameters_set = true;
        have = msg + HEADER;
    }
    sim_ccid_answer(c, msg, PARAMETERS, 0, 0, c->level->protocol, have, n);
}

/* Digits from the reader's keys into the host's command; at the TPDU level into its block. */
static void verify_keyed(struct ccid *c, const uint8_t *msg, const struct pin_pad_command *p)
{
    uint8_t block[3 + PIN_PAD_APDU_MAX + 1];
    size_t i;

    if (c->level->transfer != sim_ccid_transfer_tpdu) {
        if (sim_ccid_run_apdu(c, p->apdu, p->len))
            sim_ccid_send_response(c, msg);
        else
            sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
        return;
    }
    if (c->level->protocol == 0) {
        exchange_tpdu(c, msg, p->apdu, p->len);
        return;
    }
    memcpy(block, p->prologue, 3);
    memcpy(block + 3, p->apdu, p->len);
    block[3 + p->len] = 0;
    for (i = 0; i < 3 + p->len; i++)
        block[3 + p->len] ^= block[i];
    exchange_tpdu(c, msg, block, p->len + 4);
}

void sim_ccid_secure(struct ccid *c, const uint8_t *msg, size_t len)
{
    bool digits = c->keys[0] >= '0' && c->keys[0] <= '9';
    struct pin_pad_command p;
    unsigned wrong;

    if (!c->pin_pad || strcmp(c->keys, "refuse") == 0) {
        sim_ccid_fail(c, msg, SLOT_STATUS, E_UNSUPPORTED); /* as QEMU's reader does */
        return;
    }
    if (!c->card || c->torn || !c->powered) {
        sim_ccid_fail(c, msg, DATA_BLOCK, E_MUTE);
        return;
    }
    wrong = sim_pin_pad_command(&p, msg + HEADER, len - HEADER, digits ? c->keys : "");
    /* keys take time */
    c->slow_us = strcmp(c->keys, "wait") == 0 ? p.seconds * 1000000ull : 150000;
    if (wrong)
        sim_ccid_fail(c, msg, DATA_BLOCK, wrong);
    else if (strcmp(c->keys, "cancel") == 0)
        sim_ccid_fail(c, msg, DATA_BLOCK, E_PIN_CANCELLED);
    else if (!digits || !p.fits)
        sim_ccid_fail(c, msg, DATA_BLOCK, E_PIN_TIMEOUT);
    else
        verify_keyed(c, msg, &p);
    if (c->torn_next) {
        c->torn_next = false;
        c->torn = true;
    }
    memset(&p, 0, sizeof(p));
}
