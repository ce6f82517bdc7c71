/*
 * tpdu.h - the card's end of the transmission protocols T=1 and T=0 (ISO/IEC 7816-3), for readers
 * that leave them to the host. The card itself speaks APDUs; these turn blocks and headers into
 * APDUs and back.
 */
#ifndef SIM_TPDU_H
#define SIM_TPDU_H

#include "card.h"
#include "faults.h"

enum { TPDU_BLOCK_MAX = 3 + 254 + 2, TPDU_ANSWER_MAX = 260, TPDU_COMMAND_MAX = 4 + 1 + 255 };

/* One APDU; the response lies at *response. 0 bytes: the card says nothing any more. */
struct tpdu_card {
    size_t (*run)(void *arg, const uint8_t *apdu, size_t len, const uint8_t **response);
    void *arg;
};

struct sim_t1 {
    unsigned ifsd;   /* longest information field that the reader takes */
    unsigned ns, nr; /* of the card's present block; of the next one expected */
    uint8_t command[CARD_COMMAND_MAX];
    size_t command_len;
    uint8_t response[CARD_RESPONSE_MAX];
    size_t response_len, response_at, piece;
    bool answering; /* an information block of ours waits to be acknowledged */
    uint8_t last[TPDU_BLOCK_MAX];
    size_t last_len;
    /* before the next answer: ask the reader for... */
    unsigned ask_wtx, ask_ifs;
    bool ask_abort;
    unsigned asked; /* S block that waits for its response, 0 none */
    unsigned asked_value;
    uint64_t blocks;
};

void sim_t1_reset(struct sim_t1 *t);
/* A block from the reader, the card's block in `out`. 0: no answer within the waiting time. */
size_t sim_t1_block(struct sim_t1 *t, const struct tpdu_card *card, struct faults *faults,
                    const uint8_t *in, size_t len, uint8_t out[TPDU_BLOCK_MAX]);

struct sim_t0 {
    uint8_t held[CARD_RESPONSE_MAX]; /* for GET RESPONSE, status word at its end */
    size_t held_len, held_at;
};

void sim_t0_reset(struct sim_t0 *t);
/* Header and data from the reader, data and status word back. 0: no answer. */
size_t sim_t0_command(struct sim_t0 *t, const struct tpdu_card *card, const uint8_t *in, size_t len,
                      uint8_t out[TPDU_ANSWER_MAX]);

#endif
