/* T=1 as a card does it: ISO/IEC 7816-3, clause 11, LRC. */
#include "tpdu.h"

#include <string.h>

enum { IFSD_FIRST = 32, IFSC = 254 };

enum { /* PCB */
       I_MORE = 0x20,
       I_NUMBER = 0x40,
       R_BLOCK = 0x80,
       R_NUMBER = 0x10,
       S_BLOCK = 0xC0,
       RESYNCH_REQUEST = 0xC0,
       IFS_REQUEST = 0xC1,
       ABORT_REQUEST = 0xC2,
       WTX_REQUEST = 0xC3,
       S_RESPONSE = 0x20,
};

void sim_t1_reset(struct sim_t1 *t)
{
    uint64_t blocks = t->blocks;

    memset(t, 0, sizeof(*t));
    t->ifsd = IFSD_FIRST;
    t->blocks = blocks;
}

static void compose(struct sim_t1 *t, unsigned pcb, const uint8_t *inf, size_t len)
{
    size_t i;

    t->last[0] = 0;
    t->last[1] = (uint8_t)pcb;
    t->last[2] = (uint8_t)len;
    if (len)
        memcpy(t->last + 3, inf, len);
    t->last[3 + len] = 0;
    for (i = 0; i < 3 + len; i++)
        t->last[3 + len] ^= t->last[i];
    t->last_len = 4 + len;
}

static void compose_r(struct sim_t1 *t, unsigned error)
{
    compose(t, R_BLOCK | (t->nr ? R_NUMBER : 0) | error, NULL, 0);
}

static void compose_answer(struct sim_t1 *t)
{
    size_t left = t->response_len - t->response_at;
    bool more = left > t->ifsd;

    t->piece = more ? t->ifsd : left;
    t->answering = true;
    compose(t, (t->ns ? I_NUMBER : 0) | (more ? I_MORE : 0), t->response + t->response_at,
            t->piece);
}

static void ask(struct sim_t1 *t, unsigned pcb, unsigned value, size_t len)
{
    uint8_t inf = (uint8_t)value;

    t->asked = pcb;
    t->asked_value = value;
    compose(t, pcb, &inf, len);
}

/* What comes before the answer: what the card has to ask for first. */
static void next_word(struct sim_t1 *t)
{
    unsigned value;

    if (t->ask_wtx) {
        value = t->ask_wtx;
        t->ask_wtx = 0;
        ask(t, WTX_REQUEST, value, 1);
    } else if (t->ask_ifs) {
        value = t->ask_ifs;
        t->ask_ifs = 0;
        ask(t, IFS_REQUEST, value, 1);
    } else if (t->ask_abort) {
        t->ask_abort = false;
        ask(t, ABORT_REQUEST, 0, 0);
    } else {
        compose_answer(t);
    }
}

/* False: the card is silent. */
static bool take_information(struct sim_t1 *t, const struct tpdu_card *card, unsigned pcb,
                             const uint8_t *inf, size_t len)
{
    unsigned number = pcb & I_NUMBER ? 1 : 0;
    const uint8_t *response;

    if (number != t->nr || len > sizeof(t->command) - t->command_len || t->asked) {
        compose_r(t, 2);
        return true;
    }
    if (t->answering) { /* the reader goes on: our last block has arrived */
        t->answering = false;
        t->ns ^= 1;
        t->command_len = 0;
    }
    t->nr ^= 1;
    memcpy(t->command + t->command_len, inf, len);
    t->command_len += len;
    if (pcb & I_MORE) {
        compose_r(t, 0);
        return true;
    }
    t->response_at = 0;
    t->response_len = card->run(card->arg, t->command, t->command_len, &response);
    t->command_len = 0;
    if (t->response_len == 0)
        return false;
    memcpy(t->response, response, t->response_len);
    next_word(t);
    return true;
}

static void take_ready(struct sim_t1 *t, unsigned pcb)
{
    unsigned number = pcb & R_NUMBER ? 1 : 0;

    if (t->asked || !t->answering) {
        if (t->last_len == 0 || (!t->asked && number == t->ns && (t->last[1] & 0xC0) != R_BLOCK))
            compose_r(t, 2);
        return; /* what was said last is said again */
    }
    if (number == t->ns)
        return;
    if (t->response_at + t->piece == t->response_len) {
        compose_r(t, 2); /* there is no more to ask for */
        return;
    }
    t->response_at += t->piece;
    t->ns ^= 1;
    compose_answer(t);
}

static void take_response(struct sim_t1 *t, unsigned pcb, const uint8_t *inf, size_t len)
{
    bool fits = t->asked && pcb == (t->asked | S_RESPONSE) &&
                (t->asked == ABORT_REQUEST ? len == 0 : len == 1 && inf[0] == t->asked_value);
    unsigned asked = t->asked;

    if (!fits) {
        compose_r(t, 2);
        return;
    }
    t->asked = 0;
    if (asked == ABORT_REQUEST) {
        t->response_len = t->response_at = 0;
        t->command_len = 0;
        compose_r(t, 0);
    } else {
        next_word(t);
    }
}

static void take_request(struct sim_t1 *t, unsigned pcb, const uint8_t *inf, size_t len)
{
    if (pcb == RESYNCH_REQUEST && len == 0) {
        sim_t1_reset(t);
        compose(t, pcb | S_RESPONSE, NULL, 0);
    } else if (pcb == IFS_REQUEST && len == 1 && inf[0] >= 1 && inf[0] <= 254) {
        t->ifsd = inf[0];
        compose(t, pcb | S_RESPONSE, inf, 1);
    } else if (pcb == ABORT_REQUEST && len == 0) {
        t->command_len = t->response_len = t->response_at = 0;
        t->answering = false;
        compose(t, pcb | S_RESPONSE, NULL, 0);
    } else {
        compose_r(t, 2);
    }
}

static bool take(struct sim_t1 *t, const struct tpdu_card *card, const uint8_t *in, size_t len)
{
    unsigned check = 0, pcb;
    size_t i;

    for (i = 0; i < len; i++)
        check ^= in[i];
    if (check != 0) {
        compose_r(t, 1);
        return true;
    }
    if (len < 4 || in[2] != len - 4 || in[2] > IFSC || in[0] != 0) {
        compose_r(t, 2);
        return true;
    }
    pcb = in[1];
    if (!(pcb & 0x80))
        return take_information(t, card, pcb, in + 3, in[2]);
    if ((pcb & S_BLOCK) == R_BLOCK)
        take_ready(t, pcb);
    else if (pcb & S_RESPONSE)
        take_response(t, pcb, in + 3, in[2]);
    else
        take_request(t, pcb, in + 3, in[2]);
    return true;
}

size_t sim_t1_block(struct sim_t1 *t, const struct tpdu_card *card, struct faults *faults,
                    const uint8_t *in, size_t len, uint8_t out[TPDU_BLOCK_MAX])
{
    const struct fault *hit = sim_faults_hit(faults, FAULT_AT_BLOCK, 0);
    struct fault f = {0};
    uint8_t before[TPDU_BLOCK_MAX];
    size_t before_len = t->last_len;

    if (hit)
        f = *hit; /* the APDU that runs now may hit others */
    t->blocks++;
    memcpy(before, t->last, before_len);
    switch (f.kind) {
    case FAULT_BLOCK_LOST:
        return 0;
    case FAULT_BLOCK_WTX:
        t->ask_wtx = (unsigned)f.arg & 0xff;
        break;
    case FAULT_BLOCK_IFS:
        t->ask_ifs = (unsigned)f.arg & 0xff;
        break;
    case FAULT_BLOCK_ABORT:
        t->ask_abort = true;
        break;
    default:
        break;
    }
    if (f.kind == FAULT_BLOCK_REFUSED)
        compose_r(t, 1);
    else if (!take(t, card, in, len))
        return 0;
    if (f.kind == FAULT_BLOCK_SILENT)
        return 0;
    if (f.kind == FAULT_BLOCK_OLD && before_len) {
        memcpy(out, before, before_len);
        return before_len;
    }
    memcpy(out, t->last, t->last_len);
    if (f.kind == FAULT_BLOCK_DAMAGED)
        out[t->last_len - 1] ^= 0x55;
    return t->last_len;
}
