/*
 * t1: the block protocol T=1 from the reader's side, as a machine without input and output: it says
 * which block is to be sent, and is told which came. Source: ISO/IEC 7816-3:2006, clause 11.
 *
 * It repairs what can be repaired: damaged, lost, repeated and unexpected blocks are asked for
 * again (T1_TRIES times), then the card is brought back in step, then it is given up. A command of
 * which the last block has been sent may have been carried out; it is never sent a second time
 * behind the caller's back, because a PIN in it would cost a second try.
 */
#ifndef UKETSUKE_T1_H
#define UKETSUKE_T1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prologue, information field, longest epilogue. */
#define T1_PROLOGUE 3u
#define T1_BLOCK_MAX (T1_PROLOGUE + 254u + 2u)
#define T1_TRIES 3u

enum t1_next {
    T1_SEND,    /* send `block` and wait `wait` block waiting times */
    T1_DONE,    /* the command is answered, or what was asked for is settled */
    T1_ABORTED, /* the card gave the exchange up; the next command may follow */
    T1_LOST,    /* not answered, but back in step; the next command may follow */
    T1_DEAD,    /* the card must be powered off and on */
};

enum t1_phase {
    T1_IDLE,
    T1_SENDING,   /* an information block of ours is on its way */
    T1_RECEIVING, /* a part of the answer is here, and more is to come */
    T1_ASK_IFS,
    T1_RESYNCH,
    T1_GIVEN_UP_BY_CARD, /* it aborted, and has not said yet how it goes on */
};

enum t1_kind { T1_SENT_I, T1_SENT_R, T1_SENT_REQUEST, T1_SENT_RESPONSE };

struct t1 {
    /* from the answer to reset and the reader */
    bool crc;
    uint8_t card_ifs;
    uint8_t own_ifs_wanted;
    bool ifs_settled; /* the reader agrees it with the card by itself */
    size_t block_max; /* what reader and we can carry, in bytes of a block */

    /* now */
    uint8_t ifsc, ifsd;
    bool ifs_refused; /* the card does not understand to be asked */
    uint8_t ns, nr;   /* of our next block; of the card's */
    enum t1_phase phase;
    enum t1_kind sent;
    unsigned errors; /* in a row */
    unsigned resynchs;

    const uint8_t *command; /* borrowed until it ends */
    size_t len, at, piece;  /* `piece` bytes from `at` are in the block under way */
    bool outside;           /* the command was put in by the reader: it cannot be repeated */
    bool complete;          /* its last block has been sent */

    /* to be sent */
    uint8_t block[T1_BLOCK_MAX];
    size_t block_len;
    uint8_t wait; /* multiple of the block waiting time that the card asked for; 0: once */

    /* what the last block brought: a part of the answer, borrowed from it */
    const uint8_t *part;
    size_t part_len;
    bool drop; /* parts before this one do not count: the card begins its answer anew */
};

/*
 * `block_max`: the longest block that fits into a message of the reader (it bounds both
 * directions). `ifsd` is what we would like to receive at most; `settled`: the reader has agreed it
 * with the card already.
 */
void t1_init(struct t1 *t1, uint8_t ifsc, bool crc, uint32_t ifsd, bool settled, size_t block_max);

/* Agree on how long the card's blocks may be. T1_DONE when there is nothing to agree on. */
enum t1_next t1_start(struct t1 *t1);
/* Begin a command; `apdu` is borrowed until the exchange ends. */
enum t1_next t1_command(struct t1 *t1, const uint8_t *apdu, size_t len);
/*
 * As t1_command(), but the reader itself puts the command of `len` bytes together (a PIN pad) and
 * sends it behind this prologue. Its answer goes to t1_received().
 */
void t1_command_outside(struct t1 *t1, size_t len, uint8_t prologue[T1_PROLOGUE]);
/* The reader did not send it after all. */
void t1_command_unsent(struct t1 *t1);

/* A block came; `part` is what it brought of the answer. */
enum t1_next t1_received(struct t1 *t1, const uint8_t *block, size_t len);
/* None came in time, or the reader saw a damaged one. */
enum t1_next t1_nothing(struct t1 *t1, bool damaged);

/* Leave nothing of a command in it. */
void t1_wipe(struct t1 *t1);

/* Two bytes, most significant first, as readers and cards in the field have it: no complement. */
uint16_t t1_crc16(const uint8_t *bytes, size_t len);

#endif
