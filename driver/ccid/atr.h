/*
 * atr: the answer to reset of a card with contacts, and which protocol and speed follow from it.
 * Pure. Source: ISO/IEC 7816-3:2006, clauses 8 and 9.
 *
 * Whatever a card sends, nothing is read past its end, and what the standard keeps for the future
 * falls back to the default values that every card must begin with.
 */
#ifndef UKETSUKE_ATR_H
#define UKETSUKE_ATR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATR_MIN 2u
#define ATR_MAX 33u

/* Fi = 372, Di = 1: the speed of the answer itself. */
#define ATR_SPEED_DEFAULT 0x11u
#define T1_IFS_DEFAULT 32u
#define T1_IFS_MAX 254u

struct atr {
    bool inverse;       /* convention */
    uint16_t offered;   /* bit T: that protocol is offered; T=0 where nothing is said */
    uint8_t first;      /* the protocol that is on without a PPS */
    bool specific;      /* TA2: `first` at once, no PPS possible */
    uint8_t speed;      /* Fi and Di as in TA1; the default where they are unknown or implicit */
    uint8_t guard;      /* TC1, as it is */
    uint8_t t0_wait;    /* WI */
    uint8_t t1_ifsc;    /* 1..254 */
    uint8_t t1_wait;    /* BWI, CWI */
    bool t1_crc;        /* else LRC */
    uint8_t historical; /* where those bytes begin */
    uint8_t historical_len;
};

/*
 * 0; -EBADMSG: no answer to reset (first byte, length or check byte wrong, or a
 * contradiction).
 * Bytes behind a complete answer that carries no check byte are ignored: some readers add one.
 */
int atr_parse(struct atr *atr, const uint8_t *bytes, size_t len);

/* Clock cycles of 1/F and its D: the bit rate is clock * D / F. False for reserved codes. */
bool atr_speed(uint8_t code, unsigned *f, unsigned *d);

/*
 * A PPS request for `protocol` at `speed`, 3 or 4 bytes. Without a speed byte where it is the
 * default.
 */
#define ATR_PPS_MAX 4u
size_t atr_pps_put(uint8_t protocol, uint8_t speed, uint8_t out[ATR_PPS_MAX]);
/*
 * What the card made of it: the speed from now on. -EBADMSG: refused, or not an answer to it.
 */
int atr_pps_answer(uint8_t protocol, uint8_t asked_speed, const uint8_t *bytes, size_t len);

#endif
