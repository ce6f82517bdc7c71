/* T=0 as a card does it: ISO/IEC 7816-3, clauses 10 and 12. */
#include "tpdu.h"

#include <string.h>

/* A card knows by the instruction which way its data go; the five bytes alone do not say. */
enum {
    INS_VERIFY = 0x20,
    INS_PSO = 0x2A,
    INS_INTERNAL_AUTHENTICATE = 0x88,
    INS_GET_RESPONSE = 0xC0,
};

void sim_t0_reset(struct sim_t0 *t)
{
    memset(t, 0, sizeof(*t));
}

static size_t status(uint8_t *out, unsigned sw1, unsigned sw2)
{
    out[0] = (uint8_t)sw1;
    out[1] = (uint8_t)sw2;
    return 2;
}

/* What is held still, as the second byte of 61xx and 6Cxx. */
static unsigned announced(const struct sim_t0 *t)
{
    size_t left = t->held_len - 2 - t->held_at;

    return left >= 256 ? 0 : (unsigned)left;
}

static size_t give_held(struct sim_t0 *t, size_t wanted, uint8_t *out)
{
    size_t left = t->held_len > 2 ? t->held_len - 2 - t->held_at : 0;

    if (left == 0)
        return status(out, 0x69, 0x85);
    if (wanted > left)
        return status(out, 0x6C, announced(t));
    memcpy(out, t->held + t->held_at, wanted);
    t->held_at += wanted;
    left -= wanted;
    if (left == 0) {
        status(out + wanted, t->held[t->held_len - 2], t->held[t->held_len - 1]);
        t->held_len = t->held_at = 0;
    } else {
        status(out + wanted, 0x61, announced(t));
    }
    return wanted + 2;
}

size_t sim_t0_command(struct sim_t0 *t, const struct tpdu_card *card, const uint8_t *in, size_t len,
                      uint8_t out[TPDU_ANSWER_MAX])
{
    uint8_t apdu[TPDU_COMMAND_MAX + 1];
    const uint8_t *response;
    bool with_answer;
    size_t n = len, wanted;

    if (len < 5 || len > TPDU_COMMAND_MAX || (len > 5 && in[4] != len - 5))
        return status(out, 0x67, 0x00);
    wanted = in[4] ? in[4] : 256;
    if (in[1] == INS_GET_RESPONSE)
        return len == 5 ? give_held(t, wanted, out) : status(out, 0x67, 0x00);
    sim_t0_reset(t);
    memcpy(apdu, in, len);
    with_answer = in[1] == INS_PSO || in[1] == INS_INTERNAL_AUTHENTICATE;
    if (len == 5 && in[1] == INS_VERIFY && in[4] == 0)
        n = 4;
    else if (len > 5 && with_answer)
        apdu[n++] = 0;
    n = card->run(card->arg, apdu, n, &response);
    if (n == 0)
        return 0;
    if (len > 5) { /* data went in: an answer has to be fetched */
        memcpy(t->held, response, n);
        t->held_len = n;
        return n == 2 ? status(out, response[0], response[1]) : status(out, 0x61, announced(t));
    }
    if (n > 2 && n - 2 < wanted) /* exactly as many as asked for, or none */
        return status(out, 0x6C, (unsigned)(n - 2));
    memcpy(out, response, n);
    return n;
}
