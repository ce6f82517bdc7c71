#include "atr.h"

#include <errno.h>
#include <string.h>

#define TS_DIRECT 0x3bu
#define TS_INVERSE 0x3fu
#define PPSS 0xffu
#define PPS_HAS_SPEED 0x10u

/* Table 7 and 8; 0: reserved. */
static const uint16_t f_values[16] = {372, 372, 558, 744,  1116, 1488, 1860, 0,
                                      0,   512, 768, 1024, 1536, 2048, 0,    0};
static const uint8_t d_values[16] = {0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0};

bool atr_speed(uint8_t code, unsigned *f, unsigned *d)
{
    *f = f_values[code >> 4];
    *d = d_values[code & 0x0f];
    return *f != 0 && *d != 0;
}

static uint8_t xor_of(const uint8_t *bytes, size_t len)
{
    uint8_t x = 0;

    for (size_t i = 0; i < len; i++)
        x ^= bytes[i];
    return x;
}

/* One group of interface bytes TAi TBi TCi TDi. */
struct group {
    unsigned i;       /* from 1 */
    uint8_t protocol; /* of TD(i-1) */
    uint8_t given;    /* bit 0 TA .. bit 3 TD */
    uint8_t bytes[4];
};

static void take_global(struct atr *atr, const struct group *g)
{
    if ((g->given & 1) != 0)
        atr->speed = g->bytes[0];
    if ((g->given & 4) != 0)
        atr->guard = g->bytes[2];
}

static void take_second(struct atr *atr, const struct group *g)
{
    if ((g->given & 1) != 0) {
        atr->specific = true;
        atr->first = g->bytes[0] & 0x0f;
        /* Bit 5: the speed is known to the card's issuer, but not said here. */
        if ((g->bytes[0] & 0x10) != 0)
            atr->speed = ATR_SPEED_DEFAULT;
    }
    if ((g->given & 4) != 0 && g->bytes[2] != 0)
        atr->t0_wait = g->bytes[2];
}

/* Only the first such group counts. */
static void take_t1(struct atr *atr, const struct group *g)
{
    if ((g->given & 1) != 0 && g->bytes[0] >= 1 && g->bytes[0] <= T1_IFS_MAX)
        atr->t1_ifsc = g->bytes[0];
    if ((g->given & 2) != 0)
        atr->t1_wait = g->bytes[1];
    if ((g->given & 4) != 0)
        atr->t1_crc = (g->bytes[2] & 1) != 0;
}

int atr_parse(struct atr *atr, const uint8_t *bytes, size_t len)
{
    struct group g = {.i = 0};
    size_t at = 2;
    bool t1_seen = false, check = false, any = false;
    uint8_t follows;

    memset(atr, 0, sizeof(*atr));
    atr->speed = ATR_SPEED_DEFAULT;
    atr->t0_wait = 10;
    atr->t1_ifsc = T1_IFS_DEFAULT;
    atr->t1_wait = 0x4d;
    if (len < ATR_MIN || len > ATR_MAX || (bytes[0] != TS_DIRECT && bytes[0] != TS_INVERSE))
        return -EBADMSG;
    atr->inverse = bytes[0] == TS_INVERSE;
    atr->historical_len = bytes[1] & 0x0f;
    follows = bytes[1] >> 4;
    while (follows != 0) {
        g.i++;
        g.given = follows;
        for (unsigned k = 0; k < 4; k++) {
            if ((follows & 1u << k) == 0)
                continue;
            if (at >= len)
                return -EBADMSG;
            g.bytes[k] = bytes[at++];
        }
        if (g.i == 1)
            take_global(atr, &g);
        else if (g.i == 2)
            take_second(atr, &g);
        else if (g.protocol == 1 && !t1_seen)
            take_t1(atr, &g);
        t1_seen = t1_seen || (g.i > 2 && g.protocol == 1);
        if ((follows & 8) == 0)
            break;
        g.protocol = g.bytes[3] & 0x0f;
        follows = g.bytes[3] >> 4;
        /* T=15 stands for global bytes and is no protocol. */
        if (g.protocol != 15) {
            if (!any && !atr->specific)
                atr->first = g.protocol;
            atr->offered |= (uint16_t)(1u << g.protocol);
            any = true;
        }
        check = check || g.protocol != 0;
    }
    if (!any)
        atr->offered = 1;
    /* One that is on from the beginning, but is not among those that are there. */
    if (atr->specific && (atr->offered & 1u << atr->first) == 0)
        return -EBADMSG;
    if (atr->specific)
        atr->offered = (uint16_t)(1u << atr->first);
    atr->historical = (uint8_t)at;
    at += atr->historical_len;
    if (at + (check ? 1 : 0) > len)
        return -EBADMSG;
    if (check && (at + 1 != len || xor_of(bytes + 1, len - 1) != 0))
        return -EBADMSG;
    return 0;
}

size_t atr_pps_put(uint8_t protocol, uint8_t speed, uint8_t out[ATR_PPS_MAX])
{
    size_t len = 2;

    out[0] = PPSS;
    out[1] = protocol;
    if (speed != ATR_SPEED_DEFAULT) {
        out[1] |= PPS_HAS_SPEED;
        out[len++] = speed;
    }
    out[len] = xor_of(out, len);
    return len + 1;
}

int atr_pps_answer(uint8_t protocol, uint8_t asked_speed, const uint8_t *bytes, size_t len)
{
    size_t want;

    if (len < 3 || len > 6 || bytes[0] != PPSS || xor_of(bytes, len) != 0 ||
        (bytes[1] & 0x8f) != protocol)
        return -EBADMSG;
    want = 3u + ((bytes[1] >> 4) & 1u) + ((bytes[1] >> 5) & 1u) + ((bytes[1] >> 6) & 1u);
    if (want != len)
        return -EBADMSG;
    /* A speed that is not repeated was not accepted: the default stays. */
    if ((bytes[1] & PPS_HAS_SPEED) == 0)
        return ATR_SPEED_DEFAULT;
    return bytes[2] == asked_speed ? asked_speed : -EBADMSG;
}
