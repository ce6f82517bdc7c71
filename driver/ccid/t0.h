/*
 * t0: command APDUs over the character protocol T=0 as a reader of the TPDU level takes them: five
 * bytes of header, data one way only. Pure. Source: ISO/IEC 7816-3:2006, clause 12.2.
 *
 * 61xx and 6Cxx belong to this protocol and are settled here: the answer that comes out is that of
 * the APDU.
 */
#ifndef UKETSUKE_T0_H
#define UKETSUKE_T0_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define T0_COMMAND_MAX 260u
/* GET RESPONSEs in a row; more is a card that never ends. */
#define T0_PIECES_MAX 257u

enum t0_next {
    T0_SEND,  /* send `out` */
    T0_DONE,  /* `status` is the APDU's; the parts given on the way are its data */
    T0_WRONG, /* what came cannot be an answer */
};

struct t0 {
    uint8_t cla;
    size_t expected; /* Le; 0: none */
    size_t taken;    /* of it */
    bool data_sent;  /* case 4: the answer has to be fetched */
    bool resent;     /* with the length that the card named */
    unsigned pieces;

    uint8_t out[T0_COMMAND_MAX];
    size_t out_len;

    /* what the last answer brought, borrowed from it */
    const uint8_t *part;
    size_t part_len;
    uint8_t status[2];
};

/* 0: send `out`. -EINVAL: no APDU, or more data than this protocol's commands hold. */
int t0_command(struct t0 *t0, const uint8_t *apdu, size_t len);
enum t0_next t0_received(struct t0 *t0, const uint8_t *bytes, size_t len);
void t0_wipe(struct t0 *t0);

#endif
